import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, SimulatedClock, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { type HealthFact, healthMachine } from '../../src/machines/health.ts';
import {
  type CheckFact,
  type CheckRequest,
  type CheckRun,
  judged,
  type ProbeFact,
  type ProbeInput,
  pauseOf,
  probeMachine,
} from '../../src/machines/probe.ts';
import { type ReadinessFact, readinessMachine } from '../../src/machines/readiness.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import { noProbeState, type Probe, type ProbeCheck, type ProbePurpose } from '../../src/model/service/probe.ts';
import type { UnitFact, UnitReport, UnitRequest, UnitRun } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { chartEvents, type Edge, explore, leaves, reachedLeaves, unanswered } from './explore.ts';
import { tcpProbe } from './explored-service.ts';
import { exit0, exit1, hearing, noSuchProgram } from './scripted.ts';

type ProbeSnapshot = SnapshotFrom<typeof probeMachine>;
type ProbeEvent = CheckFact | UnitFact;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<ProbeEvent['type'], true>> = {
  'check.answered': true,
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
};

const owner = createActor(fromCallback<ProbeFact>(() => {}));
const machine = probeMachine.provide({
  actors: {
    check: fromCallback<CheckRequest, CheckRun, CheckFact>(() => {}),
    unit: unitMachine.provide({
      actors: { processes: fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(() => {}) },
    }),
  },
});

function probeOf(check: ProbeCheck): Probe {
  return { ...tcpProbe, check };
}

function inputFor(check: ProbeCheck, purpose: ProbePurpose): ProbeInput {
  return { service: serviceSpec(), serial: 2, purpose, index: 0, probe: probeOf(check), owner, at: 0 };
}

const exit = { type: 'unit.leaderExited', serial: 2, pid: 10, age: 5 } as const;

function eventsFor({ status, context }: ProbeSnapshot): readonly ProbeEvent[] {
  if (status === 'done') return [];
  const at = context.at + 10;
  return [
    { type: 'check.answered', passed: true, reason: '200 in 3 ms', at },
    { type: 'check.answered', passed: false, reason: '503 in 3 ms', at },
    { type: 'unit.spawned', serial: 2, pid: 10, at },
    { type: 'unit.spawnFailed', serial: 2, error: noSuchProgram, at },
    { ...exit, status: exit0, left: 0, at },
    { ...exit, status: exit0, left: 2, at },
    { ...exit, status: exit1, left: 0, said: 'no', at },
    { ...exit, status: exit1, left: 1, at },
    { type: 'unit.cleared', serial: 2, at },
    { type: 'unit.survived', serial: 2, at },
  ];
}

function exploreProbe(check: ProbeCheck, purpose: ProbePurpose) {
  return explore(machine, {
    input: inputFor(check, purpose),
    events: eventsFor,
    distinguish: ({ context }: ProbeSnapshot) => [
      context.state.standing,
      Math.min(context.state.failures, 3),
      context.state.last?.passed,
      context.unit !== undefined,
    ],
  });
}

const kinds: readonly ProbeCheck[] = [
  { kind: 'tcp', host: 'localhost', port: 80 },
  { kind: 'command', argv: ['check'] },
  { kind: 'log', pattern: 'ready' },
  { kind: 'delay', time: 100 },
];
const variants = kinds.flatMap((check) =>
  (['ready', 'healthy'] as const).map((purpose) => ({
    name: `${purpose}, ${check.kind}`,
    check,
    purpose,
    exploration: exploreProbe(check, purpose),
  })),
);

function describeEdge({ from, event, to }: Edge<ProbeSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

describe('the chart of a probe', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(probeMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(probeMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state in which it may rest', () => {
    const reached = reachedLeaves(variants.flatMap(({ exploration }) => exploration.states));
    const passing = ['probing.gone'];
    expect(reached).toEqual(
      leaves(probeMachine)
        .filter((leaf) => !passing.includes(leaf))
        .sort(),
    );
  });
});

describe.each(variants)('the chart of a probe ($name)', ({ check, purpose, exploration }) => {
  const { states, edges } = exploration;
  const told = ({ sent }: Edge<ProbeSnapshot>) => sent.filter(({ event }) => event.type.startsWith('probe.'));

  it('tells its owner exactly what it notes of a try, once', () => {
    const wrong = edges.filter((edge) => {
      const isNew = edge.from.context.state !== edge.to.context.state;
      return told(edge).length !== (isNew ? 1 : 0);
    });
    expect(wrong.map(describeEdge)).toEqual([]);
    expect(edges.some((edge) => told(edge).length > 0)).toBe(true);
  });

  it('has the unit of a command only while one runs, and one at a time', () => {
    const wrong = states.filter(({ context, value }) => {
      const runs = statePath(value) === 'probing.running' || statePath(value) === 'probing.ending';
      return runs !== (context.unit !== undefined);
    });
    expect(wrong.map(exploration.key)).toEqual([]);
    expect(states.some(({ context }) => context.unit !== undefined)).toBe(check.kind === 'command');
  });

  it('kills the command at its time-out, and goes on when nothing of it is left', () => {
    const killed = edges.filter(({ sent }) => sent.some(({ event }) => event.type === 'unit.kill'));
    expect(killed.length > 0).toBe(check.kind === 'command');
    expect(killed.filter(({ to }) => statePath(to.value) !== 'probing.ending').map(describeEdge)).toEqual([]);
    const left = edges.filter(
      ({ from, to }) => statePath(from.value) === 'probing.ending' && statePath(to.value) !== 'probing.ending',
    );
    const gone = left.filter(
      ({ event }) =>
        event.type === 'unit.cleared' ||
        event.type === 'unit.spawnFailed' ||
        (event.type === 'unit.leaderExited' && 'left' in event && event['left'] === 0),
    );
    expect(gone).toHaveLength(left.length);
  });

  it('ends by itself only once it has passed, and for good', () => {
    const done = states.filter(({ status }) => status === 'done');
    const ends = purpose === 'ready' || check.kind === 'log' || check.kind === 'delay';
    expect(done.length > 0).toBe(ends);
    expect(done.filter(({ context }) => context.state.standing !== 'passed')).toEqual([]);
  });

  it('is failed only where it tells of health, and after enough failures in a row', () => {
    const failed = states.filter(({ context }) => context.state.standing === 'failed');
    expect(failed.length > 0).toBe(purpose === 'healthy' && check.kind !== 'delay');
    expect(failed.filter(({ context }) => context.state.failures < context.probe.retries)).toEqual([]);
  });
});

describe('the pauses between tries', () => {
  const context = { ...inputFor({ kind: 'tcp', host: 'x', port: 1 }, 'ready'), state: noProbeState, since: 0 };

  it('grow up to the longest', () => {
    const pauses = [0, 1, 2, 3, 4, 5, 9].map((tries) => pauseOf({ ...context, tries }));
    expect(pauses).toEqual([0, 100, 200, 400, 800, 1_000, 1_000]);
  });

  it('are those of the start period until a success or its end', () => {
    const probe = { ...tcpProbe, interval: 5_000, longest: 5_000, startPeriod: 60_000, startInterval: 500 };
    const starting = { ...context, purpose: 'healthy' as const, probe, tries: 1 };
    expect(pauseOf({ ...starting, tries: 0 })).toBe(500);
    expect(pauseOf({ ...starting, at: 59_999 })).toBe(500);
    expect(pauseOf({ ...starting, at: 60_000 })).toBe(5_000);
    expect(pauseOf({ ...starting, state: { standing: 'passed', failures: 0 } })).toBe(5_000);
  });
});

describe('what a failure counts', () => {
  const probe = { ...tcpProbe, retries: 2, startPeriod: 1_000 };
  const context = { purpose: 'healthy' as const, probe, since: 0 };
  const failure = (at: number) => ({ passed: false, reason: '503 in 3 ms', at });

  it('is nothing in the start period, which the first success ends', () => {
    const early = judged({ ...context, state: noProbeState }, failure(999));
    expect(early).toMatchObject({ standing: 'open', failures: 0 });
    expect(judged({ ...context, state: early }, failure(1_000))).toMatchObject({ standing: 'open', failures: 1 });
    const passed = judged({ ...context, state: early }, { passed: true, reason: '200 in 3 ms', at: 100 });
    expect(passed).toMatchObject({ standing: 'passed', failures: 0 });
    const one = judged({ ...context, state: passed }, failure(200));
    expect(one).toMatchObject({ standing: 'passed', failures: 1 });
    const two = judged({ ...context, state: one }, failure(300));
    expect(two).toMatchObject({ standing: 'failed', failures: 2 });
    expect(judged({ ...context, state: two }, { passed: true, reason: '', at: 400 })).toMatchObject({
      standing: 'passed',
      failures: 0,
    });
  });
});

/** Counts the questions that are asked at the same time. */
function counting() {
  const open = new Set<(fact: CheckFact) => void>();
  const asked = { count: 0 };
  const check = fromCallback<CheckRequest, CheckRun, CheckFact>(({ sendBack, receive }) => {
    receive(({ type }) => {
      if (type === 'check.ask') asked.count += 1;
      if (type === 'check.ask') open.add(sendBack);
      else open.delete(sendBack);
    });
    return () => open.delete(sendBack);
  });
  return { open, asked, probe: probeMachine.provide({ actors: { check } }) };
}

describe('probes and their owners', () => {
  it('end with the readiness that has begun them, and begin once, however often more time is asked for', () => {
    const clock = new SimulatedClock();
    const { open, asked, probe } = counting();
    const { actor: owner } = hearing<ReadinessFact>();
    const service = serviceSpec({ type: 'notify', ready: { kind: 'all', of: [tcpProbe, tcpProbe] } });
    const input = { service, serial: 2, owner, deadline: 30_000, probes: true, at: 0 };
    const actor = createActor(readinessMachine.provide({ actors: { probe } }), { clock, input }).start();
    clock.increment(0);
    expect(asked.count).toBe(2);
    for (const at of [1, 2])
      actor.send({ type: 'notify.received', serial: 2, message: { extend: 40_000 }, at: clock.now() + at });
    clock.increment(0);
    expect(asked.count).toBe(2);
    actor.stop();
    expect(open.size).toBe(0);
    clock.increment(100_000);
    expect(asked.count).toBe(2);
  });

  it('tell together whether the service is healthy, and end with that', () => {
    const clock = new SimulatedClock();
    const { open, probe } = counting();
    const { actor: owner, heard: facts } = hearing<HealthFact>();
    const patient = { ...tcpProbe, longest: 100, timeout: 10_000 };
    const tree = { kind: 'any', of: [patient, patient] } as const;
    const input = { service: serviceSpec(), serial: 2, tree, owner, at: 0 };
    const actor = createActor(healthMachine.provide({ actors: { probe } }), { clock, input }).start();
    const answer = (...answers: readonly boolean[]): void => {
      clock.increment(100);
      for (const [index, tell] of [...open].entries())
        tell({ type: 'check.answered', passed: answers[index] ?? false, reason: `${clock.now()}`, at: clock.now() });
    };
    answer(false, false);
    expect(facts).toEqual([]);
    answer(false, false);
    expect(facts).toEqual([{ type: 'health.failed', serial: 2, probe: 'tcp localhost:80', reason: '200', at: 200 }]);
    answer(false, true);
    expect(facts.at(-1)).toEqual({ type: 'health.passed', serial: 2, at: 300 });
    actor.stop();
    clock.increment(100_000);
    expect(open.size).toBe(0);
  });
});
