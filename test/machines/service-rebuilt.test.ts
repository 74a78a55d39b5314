/** A chart that is made anew goes on exactly as its predecessor would have, in every state that a service can be in. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statePath } from '../../src/facts/transition.ts';
import { noMemory, type Resumption, type ServiceMemory } from '../../src/machines/service-events.ts';
import { isServiceStage } from '../../src/model/service/service-stage.ts';
import { sample } from '../effort.ts';
import { type Sent, Steps, unexplored } from './explore.ts';
import {
  exploreService,
  hookedVariants,
  inputOf,
  machine,
  reportsIn,
  type ServiceSnapshot,
  variants,
} from './explored-service.ts';
import { exit0, exit1, scriptedService } from './scripted.ts';

/** The memory of a service as plain values: those fields of its context that are in `ServiceMemory`. */
function memoryOf({ context }: ServiceSnapshot): ServiceMemory {
  const entries = Object.entries(context).filter(([key]) => key in noMemory);
  return JSON.parse(JSON.stringify(Object.fromEntries(entries)));
}

function resumptionOf(snapshot: ServiceSnapshot): Resumption {
  const stage = statePath(snapshot.value);
  if (!isServiceStage(stage)) throw new Error(`${stage} is no stage of a service`);
  return { stage, memory: memoryOf(snapshot), left: {} };
}

function rebuilt(snapshot: ServiceSnapshot): Steps {
  return new Steps(machine, { ...inputOf(snapshot.context.spec), resumes: resumptionOf(snapshot) });
}

const memoryKeys = Object.keys(noMemory).filter((key): key is keyof ServiceMemory => key in noMemory);

/** The state, the memory and the actors of a service, and its reports to the system. */
function seen(snapshot: ServiceSnapshot, sent: readonly Sent[]): string {
  const { context } = snapshot;
  return JSON.stringify([
    statePath(snapshot.value),
    memoryKeys.map((key) => context[key]),
    context.unit !== undefined,
    Object.keys(snapshot.children).sort(),
    context.resumes === undefined,
    reportsIn(sent),
  ]);
}

/** A reload and a question do not outlive their chart: whoever has asked asks again. */
function outlives({ context, children }: ServiceSnapshot): boolean {
  return context.reload === undefined && children['conditions'] === undefined;
}

const all = [
  ...variants,
  ...hookedVariants,
  { name: 'disabled', spec: { enabled: false }, explored: () => exploreService({ enabled: false }) },
];

describe.each(all)('a service that is made anew ($name)', ({ explored }) => {
  let { states, edges } = unexplored<ServiceSnapshot>();
  /** The states in which it is made anew. */
  let chosen: readonly ServiceSnapshot[] = [];
  beforeAll(() => {
    ({ states, edges } = explored());
    chosen = sample(states.filter(outlives), 4);
  });
  // All explorations together would fill the memory.
  afterAll(() => {
    ({ states, edges } = unexplored<ServiceSnapshot>());
    chosen = [];
  });

  it('has the state and the memory of its predecessor, and reports nothing', () => {
    const wrong = chosen.flatMap((snapshot) => {
      const { first, firstSent } = rebuilt(snapshot);
      const [now, before] = [seen(first, firstSent), seen(snapshot, [])];
      return now === before ? [] : [{ before, now }];
    });
    expect(wrong.slice(0, 3)).toEqual([]);
  });

  it('answers every event as its predecessor would have', () => {
    const again = new Map(chosen.map((snapshot) => [snapshot, rebuilt(snapshot)]));
    const wrong = edges.flatMap(({ from, event, to, sent }) => {
      const steps = again.get(from);
      if (steps === undefined) return [];
      const there = steps.take(steps.first, event);
      const [now, before] = [seen(there.to, there.sent), seen(to, sent)];
      return now === before ? [] : [{ from: statePath(from.value), event: event.type, before, now }];
    });
    expect(again.size).toBeGreaterThan(0);
    expect(wrong.slice(0, 3)).toEqual([]);
  });
});

describe('the timers of a service that is made anew', () => {
  const memory: ServiceMemory = { ...noMemory, serial: 1, pid: 4711, hasUnit: true, deadline: 30_000, at: 20_000 };
  const was: ServiceMemory = { ...memory, hasBeenReady: true, settled: true };
  const lost: ServiceMemory = { ...was, verdict: { kind: 'exit', status: exit1, pid: 4711 }, pid: 0 };
  const pidfile = '/run/web.pid';

  it.each([
    ['starting.settling', {}, memory, { startupPause: 200 }, 'ready.running'],
    ['starting.awaitingExit', { type: 'oneshot' }, memory, { processTimeout: 200 }, 'stopping.clearing'],
    ['starting.awaitingNotify', { type: 'notify' }, memory, { processTimeout: 200 }, 'stopping.clearing'],
    ['starting.awaitingPidfile', { pidfile }, memory, { processTimeout: 200 }, 'stopping.clearing'],
    ['ready.running', { type: 'notify' }, { ...was, watchdog: 1_000 }, { watchdog: 200 }, 'stopping.clearing'],
    ['stopping.clearing', {}, { ...lost, pid: 4711 }, { clearGrace: 200 }, 'stopping.killing'],
    ['backoff', { restart: true }, { ...lost, hasUnit: false }, { restartDelay: 200 }, 'starting.spawning'],
  ] as const)('have left what they had: %s', (stage, changes, knows, left, then) => {
    const { clock, state, programs } = scriptedService(changes, { stage, memory: knows, left });
    expect(statePath(state())).toBe(stage);
    clock.increment(199);
    expect(statePath(state())).toBe(stage);
    clock.increment(1);
    expect(statePath(state())).toBe(then);
    // The new chart has spawned no process of its own.
    if (then !== 'starting.spawning') expect(programs.runs.every(({ pid }) => pid === 4711 || pid === 0)).toBe(true);
  });

  it('forget its restarts when they would have', () => {
    const left = { stable: 200 };
    const { clock, context } = scriptedService(
      {},
      { stage: 'ready.running', memory: { ...was, restartsUsed: 1, streak: 1, pause: 3_000 }, left },
    );
    clock.increment(199);
    expect(context().restartsUsed).toBe(1);
    clock.increment(1);
    expect(context().restartsUsed).toBe(0);
  });

  it('are whole again the next time', () => {
    const { clock, run, state } = scriptedService(
      { restart: true },
      { stage: 'starting.settling', memory, left: { startupPause: 200 } },
    );
    clock.increment(200);
    run().exited(exit1);
    clock.increment(3_000);
    run().spawned();
    clock.increment(499);
    expect(statePath(state())).toBe('starting.settling');
    clock.increment(1);
    expect(statePath(state())).toBe('ready.running');
  });
});

describe('the unit of a service that is made anew', () => {
  it('is the running one, and its end is reported as usual', () => {
    const memory: ServiceMemory = {
      ...noMemory,
      serial: 3,
      pid: 4711,
      hasUnit: true,
      hasBeenReady: true,
      settled: true,
    };
    const { run, programs, phases, reports, state } = scriptedService({}, { stage: 'ready.running', memory, left: {} });
    expect(programs.runs).toHaveLength(1);
    run().exited(exit0);
    expect(state()).toBe('exited');
    expect(phases()).toEqual(['exited']);
    expect(reports[0]).toMatchObject({ change: { end: { pid: 4711 }, wasReady: true } });
  });

  it('may be processes that its leader has left behind: a stop ends them', () => {
    const lastEnd = { pid: 4711, status: exit0, ran: 5 };
    const memory: ServiceMemory = { ...noMemory, serial: 1, hasUnit: true, hasBeenReady: true, lastEnd };
    const { run, stop, phases, state } = scriptedService({}, { stage: 'exited', memory, left: {} });
    run().leaderGone = true;
    run().left = 1;
    stop();
    expect(run().signals).toEqual(['SIGTERM at 0']);
    expect(state()).toEqual({ stopping: 'terminating' });
    run().look(0);
    expect(state()).toBe('stopped');
    expect(phases()).toEqual(['stopping', 'stopped']);
  });
});
