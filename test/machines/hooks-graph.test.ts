import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { type HooksCommand, type HooksFact, type HooksInput, hooksMachine } from '../../src/machines/hooks.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import type { Hook, HookStage } from '../../src/model/service/hook.ts';
import type { UnitFact } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import {
  canReach,
  chartEvents,
  type Edge,
  type Exploration,
  explore,
  leaves,
  reachedLeaves,
  stranded,
  unanswered,
} from './explore.ts';
import { hookedVariants, reportsIn, type ServiceSnapshot } from './explored-service.ts';
import { exit0, exit1, noSuchProgram } from './scripted.ts';

type HooksSnapshot = SnapshotFrom<typeof hooksMachine>;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<(HooksCommand | UnitFact)['type'], true>> = {
  'hooks.terminate': true,
  'hooks.kill': true,
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
};

const exit = { type: 'unit.leaderExited', serial: 1, pid: 10, age: 5, at: 10 } as const;
const events: readonly (HooksCommand | UnitFact)[] = [
  { type: 'unit.spawned', serial: 1, pid: 10, at: 10 },
  { type: 'unit.spawnFailed', serial: 1, error: noSuchProgram, at: 10 },
  { ...exit, status: exit0, left: 0 },
  { ...exit, status: exit0, left: 2 },
  { ...exit, status: exit1, left: 0 },
  { ...exit, status: exit1, left: 2 },
  { type: 'unit.cleared', serial: 1, at: 10 },
  { type: 'unit.survived', serial: 1, at: 10 },
  { type: 'hooks.terminate', signal: 'SIGTERM', at: 10 },
  { type: 'hooks.kill', grace: 1_000, at: 10 },
];

const owner = createActor(fromCallback<HooksFact>(() => {}));
const machine = hooksMachine.provide({
  actors: { unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }) },
});

function exploreHooks(hooks: readonly Hook[], resumes?: HooksInput['resumes']): Exploration<HooksSnapshot> {
  const service = serviceSpec({ hooks: { commands: { before_start: hooks }, afterStopTimeout: 0 } });
  return explore(machine, {
    input: {
      service,
      stage: 'before_start',
      serial: 1,
      owner,
      variables: {},
      ...(resumes === undefined ? {} : { resumes }),
    },
    events: (snapshot) => (snapshot.status === 'active' ? events : []),
    distinguish: ({ context }: HooksSnapshot) => [context.nth, context.unit !== undefined, context.failure],
  });
}

const strict: Hook = { command: 'true' };
const lenient: Hook = { command: 'true', mayFail: true };
const explorations = {
  'two hooks': exploreHooks([strict, strict]),
  'a hook that may fail before one that may not': exploreHooks([lenient, strict]),
  'a hook that runs already': exploreHooks([strict, strict], { nth: 2, pid: 10, asked: false }),
  'a hook that was told to end': exploreHooks([strict, strict], { nth: 1, pid: 10, asked: true }),
};

function told({ sent }: Edge<HooksSnapshot>): readonly string[] {
  return sent.flatMap(({ to, event }) => (to === owner ? [event.type] : []));
}

function describeEdge({ from, event, to }: Edge<{ readonly value: unknown }>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

describe('the chart of hooks', () => {
  it('answers every event in every state, and reaches all of them', () => {
    expect(chartEvents(hooksMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(hooksMachine, Object.keys(eventTypes))).toEqual([]);
    expect(reachedLeaves(Object.values(explorations).flatMap(({ states }) => states))).toEqual(
      [...leaves(hooksMachine)].sort(),
    );
  });

  it.each(Object.entries(explorations))('ends in one report, with nothing left (%s)', (_, exploration) => {
    const { states, edges } = exploration;
    expect(stranded(exploration, ({ status }) => status === 'done')).toEqual([]);
    const ends = edges.filter(({ to }) => to.status === 'done');
    expect(ends.length).toBeGreaterThan(0);
    const wrong = ends.filter(
      (edge) => told(edge).length !== 1 || !/^hooks\.(passed|failed|ended)$/.test(told(edge)[0] ?? ''),
    );
    expect(wrong.map(describeEdge)).toEqual([]);
    expect(states.filter(({ status, context }) => (context.unit === undefined) !== (status === 'done'))).toEqual([]);
    const early = edges.filter(
      ({ to, ...edge }) =>
        to.status !== 'done' && told({ to, ...edge }).some((type) => /passed|failed|ended/.test(type)),
    );
    expect(early.map(describeEdge)).toEqual([]);
  });

  it.each(Object.entries(explorations))('starts nothing while anything is left, or after it was told to end (%s)', (_, {
    edges,
  }) => {
    const next = edges.filter(({ from, to }) => to.context.nth > from.context.nth);
    const leaves = next.filter(({ event }) => 'left' in event && event['left'] !== 0);
    expect(leaves.map(describeEdge)).toEqual([]);
    expect(next.filter(({ from }) => from.matches('ending')).map(describeEdge)).toEqual([]);
    expect(next.every(({ from, to }) => to.context.nth === from.context.nth + 1)).toBe(true);
  });

  it('goes on after a hook that may fail, and not after one that may not', () => {
    const failed = ({ event }: Edge<HooksSnapshot>): boolean =>
      event.type === 'unit.spawnFailed' ||
      ('status' in event && event['status'] === exit1 && 'left' in event && event['left'] === 0);
    const of = (exploration: Exploration<HooksSnapshot>) =>
      new Set(
        exploration.edges
          .filter((edge) => edge.from.matches('running') && edge.from.context.nth === 1 && failed(edge))
          .map(({ to }) => statePath(to.value)),
      );
    expect(of(explorations['two hooks'])).toEqual(new Set(['over']));
    expect(of(explorations['a hook that may fail before one that may not'])).toEqual(new Set(['running']));
  });
});

/** The stage whose hooks run, as far as the chart has not told them to end. */
const stageOf: Readonly<Record<string, HookStage>> = {
  'starting.beforeStart': 'before_start',
  'starting.afterStart': 'after_start',
  'stopping.beforeStop': 'before_stop',
  'stopping.stopCommand': 'stop_command',
  'stopping.afterStop': 'after_stop',
};

function pathOf({ value }: ServiceSnapshot): string {
  return statePath(value);
}

function ends(snapshot: ServiceSnapshot): boolean {
  return snapshot.matches('stopped') || snapshot.matches('failed');
}

function isFactOrDelay({ event }: Edge<ServiceSnapshot>): boolean {
  return /^(unit|readiness|hooks)\./.test(event.type) || event.type.startsWith('xstate.after.');
}

describe.each(hookedVariants)('the service chart with hooks ($name)', ({ spec, explored }) => {
  const exploration = explored();
  const { states, edges, key } = exploration;
  const has = (stage: HookStage): boolean => (spec.hooks?.commands[stage] ?? []).length > 0;
  const begins = (edge: Edge<ServiceSnapshot>, stage: HookStage): boolean =>
    edge.to.context.hook?.stage === stage && edge.to.context.hooks !== edge.from.context.hooks;

  it('runs the hooks of a stage in that stage, and none where nothing of the service may be', () => {
    const wrong = states.filter((snapshot) => {
      const expected = stageOf[pathOf(snapshot)];
      const { hooks, hook } = snapshot.context;
      if ((hooks === undefined) !== (hook === undefined)) return true;
      if ((hooks === undefined) !== (snapshot.children['hooks'] === undefined)) return true;
      if (expected !== undefined) return hook?.stage !== expected;
      return hooks !== undefined && !snapshot.matches('stopping');
    });
    expect(wrong.map(key)).toEqual([]);
  });

  it('ends with its service: from every state, by a stop or a kill and the ends of processes', () => {
    expect(stranded(exploration, ends)).toEqual([]);
    for (const command of ['service.stop', 'service.kill'])
      expect(
        stranded(exploration, ends, (edge) => edge.event.type === command || isFactOrDelay(edge)),
        command,
      ).toEqual([]);
    const settled = canReach(exploration, ({ context }) => context.hooks === undefined, isFactOrDelay);
    expect(states.map(key).filter((state) => !settled.has(state))).toEqual([]);
  });

  it('spawns its command only when the hooks of before_start have passed', () => {
    const spawned = edges.filter(({ from, to }) => from.context.unit === undefined && to.context.unit !== undefined);
    expect(spawned.length).toBeGreaterThan(0);
    const wrong = spawned.filter(({ from, event }) =>
      has('before_start')
        ? !from.matches({ starting: 'beforeStart' }) || event.type !== 'hooks.passed'
        : event.type !== 'service.start' && !from.matches('backoff'),
    );
    expect(wrong.map(describeEdge)).toEqual([]);
  });

  it('is ready only when the hooks of after_start have passed', () => {
    const ready = edges.filter(({ from, to }) => !from.context.hasBeenReady && to.context.hasBeenReady);
    expect(ready.length).toBeGreaterThan(0);
    const wrong = ready.filter(({ from, event }) => {
      // Once the system is ending, after_start does not follow the command.
      if (!has('after_start') || from.context.retired) return false;
      // Where the run is over at once, after_stop stands between.
      const passed = from.matches({ starting: 'afterStart' }) && event.type === 'hooks.passed';
      return !passed && !(from.matches({ stopping: 'afterStop' }) && from.context.aim !== undefined);
    });
    expect(wrong.map(describeEdge)).toEqual([]);
  });

  it('has after_stop follow every run exactly once, before the next one', () => {
    const follows = edges.filter((edge) => begins(edge, 'after_stop'));
    expect(follows.length).toBeGreaterThan(0);
    expect(follows.filter(({ from, to }) => !from.context.owes || to.context.owes).map(describeEdge)).toEqual([]);
    // Whoever is at rest owes nothing, unless the system has ended it at once.
    const owing = states.filter(
      (each) => (ends(each) || each.matches('backoff')) && each.context.serial > 0 && each.context.owes,
    );
    expect(owing.map(key)).toEqual([]);
    const started = edges.filter(({ from, to }) => to.context.serial > from.context.serial);
    expect(started.filter(({ from }) => from.context.serial > 0 && from.context.owes).map(describeEdge)).toEqual([]);
    expect(started.every(({ to }) => to.context.owes)).toBe(true);
  });

  it('has after_stop begin only when nothing of the run is left, or it has ended normally', () => {
    const early = edges.filter(
      (edge) => begins(edge, 'after_stop') && edge.to.context.unit !== undefined && edge.to.context.aim === undefined,
    );
    expect(early.map(describeEdge)).toEqual([]);
    const told = edges.filter((edge) => begins(edge, 'after_stop'));
    const silent = told.filter(({ sent }) => !reportsIn(sent).some(({ type }) => type === 'service.stopContinues'));
    expect(silent.map(describeEdge)).toEqual([]);
  });

  it('has the hooks of a stop only where it was up, in their order, before the signals', () => {
    const stops = edges.filter((edge) => begins(edge, 'before_stop'));
    expect(stops.length > 0).toBe(has('before_stop'));
    const wrong = stops.filter(
      ({ from, event }) => event.type !== 'service.stop' || !(from.matches('ready') || from.matches('exited')),
    );
    expect(wrong.map(describeEdge)).toEqual([]);
    const commands = edges.filter((edge) => begins(edge, 'stop_command'));
    expect(commands.filter(({ from }) => !from.matches({ stopping: 'beforeStop' })).map(describeEdge)).toEqual([]);
    const signalled = edges.filter(
      ({ from, sent }) =>
        /^stopping\.(beforeStop|stopCommand)$/.test(pathOf(from)) &&
        sent.some(({ event }) => event.type === 'unit.terminate'),
    );
    const ended = signalled.filter(({ event }) => !/^hooks\./.test(event.type));
    expect(ended.map(describeEdge)).toEqual([]);
  });

  it('never goes on starting after a stop or a kill', () => {
    const told = edges.filter(({ event }) => event.type === 'service.stop' || event.type === 'service.kill');
    expect(told.filter(({ to }) => !ends(to) && !to.matches('stopping')).map(describeEdge)).toEqual([]);
  });

  it('ignores facts of hooks of an earlier run', () => {
    const stale = edges.filter(
      ({ from, event }) =>
        /^(hooks|unit)\./.test(event.type) && 'serial' in event && event['serial'] !== from.context.serial,
    );
    expect(stale.length).toBeGreaterThan(0);
    const moved = stale.filter((edge) => key(edge.from) !== key(edge.to) || edge.sent.length > 0);
    expect(moved.map(describeEdge)).toEqual([]);
  });
});
