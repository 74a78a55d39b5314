/** What the probes of `healthy` come to, and when the service is told. */
import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, SimulatedClock } from 'xstate';
import { type HealthFact, healthMachine } from '../../src/machines/health.ts';
import { type CheckFact, type CheckRequest, type CheckRun, probeMachine } from '../../src/machines/probe.ts';
import type { Probe, ProbeTree } from '../../src/model/service/probe.ts';
import { serviceSpec } from '../model/specs.ts';
import { tcpProbe } from './explored-service.ts';
import { hearing } from './scripted.ts';

const ports = [80, 81] as const;
const [first, second] = ports.map(
  (port): Probe => ({ ...tcpProbe, longest: 100, check: { kind: 'tcp', host: 'localhost', port } }),
);

/** A service that is ready at 100 ms; its two ports answer as the test says, and each is asked every 100 ms. */
function healthOf(kind: 'all' | 'any') {
  if (first === undefined || second === undefined) throw new Error('there are two probes');
  const tree: ProbeTree = { kind, of: [first, second] };
  const clock = new SimulatedClock();
  clock.increment(100);
  const { actor: owner, heard: facts } = hearing<HealthFact>();
  const listening = new Set<number>(ports);
  const runs: CheckRun[] = [];
  const check = fromCallback<CheckRequest, CheckRun, CheckFact>(({ input, receive, sendBack }) => {
    runs.push(input);
    receive(({ type }) => {
      const { check: asked } = input;
      if (type !== 'check.ask' || asked.kind !== 'tcp') return;
      const passed = listening.has(asked.port);
      sendBack({ type: 'check.answered', passed, reason: passed ? 'connected' : 'refused', at: clock.now() });
    });
  });
  const service = serviceSpec({ healthy: tree });
  const actor = createActor(healthMachine.provide({ actors: { probe: probeMachine.provide({ actors: { check } }) } }), {
    clock,
    input: { service, serial: 7, tree, owner, at: clock.now() },
  }).start();
  return {
    actor,
    clock,
    facts,
    runs,
    service,
    listening,
    /** Lets each port be asked so many times more. */
    ask: (times: number) => {
      for (let time = 0; time < times; time += 1) clock.increment(100);
    },
    children: () => Object.keys(actor.getSnapshot().children),
  };
}

const passed = (at: number): HealthFact => ({ type: 'health.passed', serial: 7, at });
const failed = (port: number, at: number): HealthFact => ({
  type: 'health.failed',
  serial: 7,
  probe: `tcp localhost:${port}`,
  reason: 'refused',
  at,
});

describe('the health of a service', () => {
  it('is asked of each probe by itself, for the run that is ready', () => {
    const { runs, service, children } = healthOf('all');
    expect(children()).toEqual(['probe-0', 'probe-1']);
    expect(runs).toEqual([first, second].map((probe) => ({ service, serial: 7, check: probe?.check })));
  });

  it('is told once all have passed, and not again while that is so', () => {
    const { clock, ask, facts } = healthOf('all');
    clock.increment(0);
    expect(facts).toEqual([passed(100)]);
    ask(5);
    expect(facts).toHaveLength(1);
  });

  it('is lost with one of them, after as many failures as count, and comes back with it', () => {
    const { clock, listening, ask, facts } = healthOf('all');
    clock.increment(0);
    listening.delete(81);
    ask(1);
    expect(facts).toHaveLength(1);
    ask(1);
    expect(facts.slice(1)).toEqual([failed(81, 300)]);
    ask(3);
    expect(facts).toHaveLength(2);
    listening.add(81);
    ask(1);
    expect(facts.slice(2)).toEqual([passed(700)]);
  });

  it('is lost before it was ever there', () => {
    const { clock, listening, ask, facts } = healthOf('all');
    listening.delete(80);
    clock.increment(0);
    expect(facts).toEqual([]);
    ask(1);
    expect(facts).toEqual([failed(80, 200)]);
  });

  it('needs only one of them where any is enough, and is lost with both', () => {
    const { clock, listening, ask, facts } = healthOf('any');
    listening.delete(80);
    clock.increment(0);
    expect(facts).toEqual([passed(100)]);
    ask(3);
    expect(facts).toHaveLength(1);
    listening.delete(81);
    ask(2);
    expect(facts.slice(1)).toEqual([failed(80, 600)]);
  });

  it('is not told by the probes of another run', () => {
    const { actor, facts, listening } = healthOf('any');
    listening.clear();
    const state = { standing: 'passed', failures: 0 } as const;
    actor.send({ type: 'probe.passed', serial: 6, index: 0, state, at: 100 });
    expect(facts).toEqual([]);
    actor.send({ type: 'probe.failed', serial: 6, index: 0, state: { standing: 'passed', failures: 1 }, at: 100 });
    expect(facts).toEqual([]);
    actor.send({ type: 'probe.passed', serial: 7, index: 0, state, at: 150 });
    expect(facts).toEqual([passed(150)]);
  });
});
