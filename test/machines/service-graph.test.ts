import { describe, expect, it } from 'vitest';
import { statePath } from '../../src/inspect/transition.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { isScheduled } from '../../src/model/scheduling.ts';
import type { ServicePhase } from '../../src/model/service-phase.ts';
import { canReach, chartEvents, type Edge, leaves, reachedLeaves, stranded, unanswered } from './explore.ts';
import { eventTypes, exploreService, runIds, type ServiceSnapshot } from './explored-service.ts';
import { phaseSteps } from './phase-steps.ts';

const live = ['starting', 'ready.running', 'ready.scheduled', 'stopping'];

/** Its process has ended normally, and it waits for a pidfile or READY=1. */
function mayLackRun(snapshot: ServiceSnapshot): boolean {
  return snapshot.matches({ starting: 'awaitingPidfile' }) || snapshot.matches({ starting: 'awaitingNotify' });
}

function hasRun(snapshot: ServiceSnapshot): boolean {
  const path = statePath(snapshot.value);
  return live.some((state) => path === state || path.startsWith(`${state}.`));
}

function hasEnded(snapshot: ServiceSnapshot): boolean {
  return snapshot.matches('stopped') || snapshot.matches('failed');
}

function isFactOrDelay({ event }: Edge<ServiceSnapshot>): boolean {
  return /^(process|schedule)\./.test(event.type) || event.type.startsWith('xstate.after.');
}

function isStale({ from, event }: Edge<ServiceSnapshot>): boolean {
  if (!('serial' in event)) return false;
  const { run, startSerial } = from.context;
  return event['serial'] !== (event.type.startsWith('process.') ? run?.serial : startSerial);
}

function describeEdge({ from, event, to }: Edge<ServiceSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

const phases: Readonly<Record<string, ServicePhase>> = {
  'ready.running': 'running',
  'ready.exited': 'exited',
  'ready.scheduled': 'scheduled',
  disabled: 'disabled',
  pending: 'pending',
  starting: 'starting',
  stopping: 'stopping',
  backoff: 'backoff',
  stopped: 'stopped',
  failed: 'failed',
};

function phaseOf({ value }: ServiceSnapshot): ServicePhase {
  const path = statePath(value);
  const phase = phases[path] ?? phases[path.split('.')[0] ?? ''];
  if (phase === undefined) throw new Error(`no phase is known for ${path}`);
  return phase;
}

const flags = [false, true];
const pidfile = '/run/web.pid';
const kinds = [
  { kind: 'simple', type: 'simple' },
  { kind: 'simple with a pidfile', type: 'simple', pidfile },
  { kind: 'oneshot', type: 'oneshot' },
  { kind: 'forking', type: 'forking' },
  { kind: 'forking with a pidfile', type: 'forking', pidfile },
  { kind: 'notify', type: 'notify', watchdog: 1_000 },
  { kind: 'inetd', type: 'inetd' },
  { kind: 'cron', type: 'cron' },
] as const;
const variants = kinds.flatMap(({ kind, ...ofKind }) =>
  flags.flatMap((restart) =>
    flags.map((exitKills) => {
      const spec = { ...ofKind, restart, exitKills, restartLimit: 2 };
      return { name: `${kind}, restart ${restart}, exit_kills ${exitKills}`, spec, exploration: exploreService(spec) };
    }),
  ),
);
const disabled = exploreService({ enabled: false });
const all = [...variants.map(({ exploration }) => exploration), disabled];

describe('the service chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(serviceMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(serviceMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state', () => {
    const reached = reachedLeaves(all.flatMap(({ states }) => states));
    expect(reached).toEqual([...leaves(serviceMachine)].sort());
  });

  it('shows nobody a transient state', () => {
    expect(all.flatMap(({ states }) => states).filter((snapshot) => snapshot.hasTag('transient'))).toEqual([]);
  });

  it('stays disabled whatever comes but a start by hand', () => {
    const left = disabled.edges.filter(({ from, to }) => phaseOf(from) === 'disabled' && phaseOf(to) !== 'disabled');
    expect(new Set(left.map(({ event }) => event.type))).toEqual(new Set(['service.start']));
  });

  it('never ends as an actor: a stop is a state', () => {
    expect(all.flatMap(({ states }) => states).filter(({ status }) => status !== 'active')).toEqual([]);
  });

  it('moves between phases only as phaseSteps says, and as each of its steps', () => {
    const seen: Record<string, Set<string>> = Object.fromEntries(
      Object.keys(phaseSteps).map((from) => [from, new Set()]),
    );
    for (const { from, to } of all.flatMap(({ edges }) => edges)) {
      if (phaseOf(from) !== phaseOf(to)) seen[phaseOf(from)]?.add(phaseOf(to));
    }
    for (const [from, steps] of Object.entries(phaseSteps)) {
      expect([from, ...(seen[from] ?? [])].sort()).toEqual([from, ...steps].sort());
    }
  });
});

describe.each(variants)('the service chart ($name)', ({ spec, exploration }) => {
  it('can reach stopped or failed from every state', () => {
    expect(stranded(exploration, hasEnded)).toEqual([]);
    // A stop or a kill is enough, with what the process does afterwards.
    const byStop = stranded(exploration, hasEnded, (edge) => isFactOrDelay(edge) || edge.event.type === 'service.stop');
    expect(byStop).toEqual([]);
    const byKill = stranded(exploration, hasEnded, (edge) => isFactOrDelay(edge) || edge.event.type === 'service.kill');
    expect(byKill).toEqual([]);
  });

  it('can be started from every state, until it is retired', () => {
    const started = (snapshot: ServiceSnapshot): boolean => snapshot.matches('ready');
    const retired = exploration.states.filter(({ context }) => context.retired).map(exploration.key);
    expect(stranded(exploration, started).filter((key) => !retired.includes(key))).toEqual([]);
    const startedLate = exploration.edges.filter(
      ({ from, to }) => from.context.retired && to.context.startSerial !== from.context.startSerial,
    );
    expect(startedLate.map(describeEdge)).toEqual([]);
  });

  it('has a run, and one process actor, exactly in the states that have a process', () => {
    const wrong = exploration.states.filter((snapshot) => {
      const expected = hasRun(snapshot) ? [`run-${snapshot.context.serial}`] : [];
      const children = runIds(snapshot.children);
      if (mayLackRun(snapshot) && snapshot.context.run === undefined) return children.length > 0;
      return (snapshot.context.run !== undefined) !== hasRun(snapshot) || children.join() !== expected.join();
    });
    expect(wrong.map(exploration.key)).toEqual([]);
  });

  it('takes another definition in every state, and stays where it is', () => {
    const changed = exploration.edges.filter(({ event }) => event.type === 'service.reconfigure');
    expect(new Set(changed.map(({ from }) => exploration.key(from))).size).toBe(exploration.states.length);
    const moved = changed.filter(
      ({ from, to }) => exploration.key(from) !== exploration.key(to) || from.context.run !== to.context.run,
    );
    expect(moved.map(describeEdge)).toEqual([]);
    expect(changed.filter(({ from, to }) => from.context.spec.debug === to.context.spec.debug)).toEqual([]);
  });

  it('lets go of a run only when it has exited or was never spawned', () => {
    const endings = exploration.edges.filter(
      ({ from, to }) => from.context.run !== undefined && from.context.run !== to.context.run,
    );
    const early = endings.filter(
      ({ from, event, to }) =>
        from.context.run?.serial !== to.context.run?.serial &&
        event.type !== 'process.exited' &&
        event.type !== 'process.spawnFailed' &&
        event.type !== 'schedule.ended' &&
        event.type !== 'schedule.refused' &&
        // The process that is named takes its place.
        !(to.context.run !== undefined && (event.type === 'pidfile.found' || event.type === 'notify.received')),
    );
    expect(early.map(describeEdge)).toEqual([]);
  });

  it('ignores every fact about a run that is not the current one', () => {
    const moved = exploration.edges.filter(
      (edge) => isStale(edge) && exploration.key(edge.from) !== exploration.key(edge.to),
    );
    expect(moved.map(describeEdge)).toEqual([]);
    expect(exploration.edges.some(isStale)).toBe(true);
  });

  it('starts again by itself only where restart is set, and within the limit', () => {
    const paused = exploration.states.filter((snapshot) => snapshot.matches('backoff'));
    // A oneshot service is ready only by its end, and does not fail afterwards; the end of a run is none of a schedule.
    const mayFailLater =
      spec.type !== 'oneshot' && !isScheduled(spec.type) && (spec.type !== 'forking' || 'pidfile' in spec);
    expect(paused.length > 0).toBe(mayFailLater && spec.restart && !spec.exitKills);
    expect(exploration.states.filter(({ context }) => context.restartsUsed > spec.restartLimit)).toEqual([]);
  });

  it('has failed with a cause, and with nothing else wanted', () => {
    const failed = exploration.states.filter((snapshot) => snapshot.matches('failed'));
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.filter(({ context }) => context.verdict === undefined || context.startWanted)).toEqual([]);
  });

  it('restarts nothing once it was retired', () => {
    const retired = exploration.states.filter(({ context }) => context.retired);
    expect(retired.length).toBeGreaterThan(0);
    expect(retired.filter((snapshot) => snapshot.matches('backoff')).map(exploration.key)).toEqual([]);
    const started = exploration.edges.filter(
      ({ from, event, to }) =>
        (event.type === 'service.retire' || from.context.retired) &&
        !from.context.startWanted &&
        event.type !== 'service.start' &&
        from.context.startSerial !== to.context.startSerial,
    );
    expect(started.map(describeEdge)).toEqual([]);
  });

  it('leaves stopped and failed only by a start', () => {
    const left = exploration.edges.filter(({ from, to }) => hasEnded(from) && !hasEnded(to));
    expect(left.filter(({ event }) => event.type !== 'service.start').map(describeEdge)).toEqual([]);
  });

  it('never goes on starting after a stop or a kill', () => {
    const ignored = exploration.edges.filter(
      ({ event, to }) =>
        (event.type === 'service.stop' || event.type === 'service.kill') && !hasEnded(to) && !to.matches('stopping'),
    );
    expect(ignored.map(describeEdge)).toEqual([]);
    const kept = exploration.edges.filter(
      ({ event, to }) => (event.type === 'service.stop' || event.type === 'service.kill') && to.context.startWanted,
    );
    expect(kept.map(describeEdge)).toEqual([]);
  });

  it('explores to the end with the exits of its process alone', () => {
    // What is scheduled stays so until it is told otherwise.
    const isSettled = (snapshot: ServiceSnapshot): boolean =>
      !hasRun(snapshot) || snapshot.matches({ ready: 'scheduled' });
    const settled = canReach(exploration, isSettled, isFactOrDelay);
    expect(exploration.states.map(exploration.key).filter((state) => !settled.has(state))).toEqual([]);
  });
});
