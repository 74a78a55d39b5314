import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot, EventObject } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { instanceMachine } from '../../src/platform/machines/instance.ts';
import type { ContainerNews, InstanceCommand, Seen } from '../../src/platform/machines/instance-events.ts';
import type { InstanceSpec, WaitFor } from '../../src/platform/model/instance.ts';
import {
  chartEvents,
  type Edge,
  type Exploration,
  explore,
  leaves,
  reachedLeaves,
  type Sent,
  unanswered,
} from '../machines/explore.ts';
import { instanceSpec } from './specs.ts';

const commands: readonly InstanceCommand[] = [
  { type: 'instance.start', anew: false, reasons: [] },
  { type: 'instance.start', anew: true, reasons: [] },
  { type: 'instance.stop' },
  { type: 'instance.kill', signal: 'SIGKILL' },
  { type: 'instance.remove' },
];

/** Times of the engine: a container's second run begins at 20. */
const seen = (more: Partial<Seen>): Seen => ({
  id: 'c1',
  status: 'running',
  exitCode: 0,
  outOfMemory: false,
  health: 'none',
  startedAt: 20,
  ...more,
});

const news: readonly ContainerNews[] = [
  { type: 'container.started', id: 'c1', at: 20 },
  { type: 'container.exited', id: 'c1', at: 10, exitCode: 1, outOfMemory: false },
  { type: 'container.exited', id: 'c1', at: 30, exitCode: 1, outOfMemory: false },
  { type: 'container.exited', id: 'c1', at: 30, exitCode: 0, outOfMemory: false },
  { type: 'container.exited', id: 'other', at: 30, exitCode: 1, outOfMemory: false },
  { type: 'container.health', id: 'c1', health: 'healthy' },
  { type: 'container.health', id: 'c1', health: 'unhealthy' },
  { type: 'container.removed', id: 'c1' },
  { type: 'container.removed', id: 'other' },
  { type: 'container.seen', seen: seen({}) },
  { type: 'container.seen', seen: seen({ status: 'exited', finishedAt: 30, exitCode: 1 }) },
  { type: 'container.seen', seen: seen({ id: 'other' }) },
  { type: 'container.missing' },
  { type: 'engine.gone', why: 'nobody answers' },
];

const refused = { kind: 'failed', failure: { kind: 'refused', status: 500, message: 'no' } };
const absent = { kind: 'failed', failure: { kind: 'absent', message: 'no such container' } };
const answers: Readonly<Record<string, readonly object[]>> = {
  create: [{ kind: 'created', id: 'c1' }, refused],
  start: [
    { kind: 'started', seen: seen({}) },
    { kind: 'started', seen: seen({ health: 'starting' }) },
    { kind: 'started', seen: seen({ status: 'exited', finishedAt: 25, exitCode: 0 }) },
    { kind: 'outdated', aliases: ['db'] },
    refused,
  ],
  ask: [{ kind: 'ready' }, { kind: 'none' }, { kind: 'failed', cause: 'it says no' }],
  stop: [{ kind: 'stopped', exitCode: 143, at: 30 }, refused, absent],
  kill: [{ kind: 'done' }, refused, absent],
  remove: [{ kind: 'done' }, refused, absent],
};

/** The answers that may come in a state: those of the request that it has invoked. */
function answersIn(snapshot: AnyMachineSnapshot): readonly EventObject[] {
  return Object.entries(answers).flatMap(([id, outputs]) =>
    snapshot.children[id] === undefined
      ? []
      : [
          ...outputs.map((output) => ({ type: `xstate.done.actor.${id}`, output })),
          { type: `xstate.error.actor.${id}`, error: new Error('internal') },
        ],
  );
}

interface Variant {
  readonly spec?: InstanceSpec;
  readonly found?: Seen;
}

function exploreInstance({ spec, found }: Variant): Exploration<AnyMachineSnapshot> {
  return explore(instanceMachine, {
    input: {
      key: 'web-1',
      platform: undefined,
      readyTimeout: 1_000,
      ...(spec === undefined ? {} : { spec }),
      ...(found === undefined ? {} : { found }),
    },
    events: (snapshot) => [...commands, ...news, ...answersIn(snapshot)],
    distinguish: ({ context: { goal, owes, anew, id, startedAt, health, end, signal } }) => [
      goal,
      owes,
      anew,
      id,
      startedAt,
      health,
      end,
      signal,
    ],
  });
}

const waits: readonly WaitFor[] = ['best', 'started', 'ready', 'healthy'];
const made = waits.map((wait) => exploreInstance({ spec: instanceSpec('web-1', { wait }) }));
const found = [
  exploreInstance({ spec: instanceSpec('web-1'), found: seen({ startedAt: 5 }) }),
  exploreInstance({ spec: instanceSpec('web-1'), found: seen({ status: 'exited', startedAt: 5, finishedAt: 8 }) }),
  exploreInstance({ found: seen({ startedAt: 5 }) }),
];
const all = [...made, ...found];
const edges = all.flatMap((each) => each.edges);

const reports = (sent: readonly Sent[]): readonly string[] =>
  sent.flatMap(({ event: { type } }) => (type === 'step.done' || type === 'step.failed' ? [type] : []));
const describeEdge = ({ from, event, to }: Edge<AnyMachineSnapshot>): string =>
  `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
const isCommand = ({ event }: Edge<AnyMachineSnapshot>): boolean => event.type.startsWith('instance.');

describe('the instance chart', () => {
  it('answers every event in every state', () => {
    const types = [...new Set([...commands, ...news].map(({ type }) => type))].sort();
    expect(chartEvents(instanceMachine)).toEqual(types);
    expect(unanswered(instanceMachine, types)).toEqual([]);
  });

  it('reaches every state, and shows nobody a transient one', () => {
    expect(reachedLeaves(all.flatMap(({ states }) => states))).toEqual([...leaves(instanceMachine)].sort());
    expect(all.flatMap(({ states }) => states).filter((snapshot) => snapshot.hasTag('transient'))).toEqual([]);
  });

  it('never ends as an actor, and breaks on nothing', () => {
    expect(all.flatMap(({ states }) => states).filter(({ status }) => status !== 'active')).toEqual([]);
  });

  it('reports only what it owes, and once', () => {
    const wrong = edges.filter(({ from, event, sent }) => {
      const owed = from.context.owes === true || event.type.startsWith('instance.');
      return reports(sent).length > (owed ? 1 : 0);
    });
    expect([...new Set(wrong.map(describeEdge))]).toEqual([]);
  });

  it('pays what it owes by the report: nothing is owed in a state of rest', () => {
    const resting = all
      .flatMap(({ states }) => states)
      .filter(
        (snapshot) =>
          snapshot.matches('absent') ||
          snapshot.matches('exited') ||
          snapshot.matches('failed') ||
          snapshot.matches({ ready: 'settled' }),
      );
    expect(resting.length).toBeGreaterThan(0);
    expect(resting.filter(({ context }) => context.owes).map(({ value }) => statePath(value))).toEqual([]);
    const unpaid = edges.filter(
      ({ from, to, sent }) => from.context.owes === true && to.context.owes !== true && reports(sent).length !== 1,
    );
    expect([...new Set(unpaid.map(describeEdge))]).toEqual([]);
  });

  it('asks the engine for one thing at a time', () => {
    const busy = all.flatMap(({ states }) => states).filter(({ children }) => Object.keys(children).length > 1);
    expect(busy.map(({ value }) => statePath(value))).toEqual([]);
  });

  it('leaves no request before its answer: what was asked of the engine happens', () => {
    const left = edges.filter(({ from, to, event }) => {
      const requests = ['create', 'start', 'stop', 'kill', 'remove'].filter((id) => from.children[id] !== undefined);
      return !event.type.startsWith('xstate.') && requests.some((id) => to.children[id] === undefined);
    });
    expect([...new Set(left.map(describeEdge))]).toEqual([]);
  });

  it('never creates a container while it has one', () => {
    const doubled = all
      .flatMap(({ states }) => states)
      .filter((snapshot) => snapshot.matches('creating') && snapshot.context.id !== undefined);
    expect(doubled).toEqual([]);
  });

  it('takes no exit of an earlier run, or of another container, for its own', () => {
    const own = edges.filter(
      ({ from, event }) =>
        event.type === 'container.exited' &&
        'at' in event &&
        'id' in event &&
        (event['id'] !== from.context.id || (from.context.startedAt === 20 && event['at'] === 10)),
    );
    expect(own.length).toBeGreaterThan(0);
    const moved = own.filter(({ from, to }) => statePath(from.value) !== statePath(to.value));
    expect([...new Set(moved.map(describeEdge))]).toEqual([]);
  });

  it('loses no exit: in no state that claims a running container does one of this run go by', () => {
    const up = edges.filter(
      ({ from, event }) =>
        (from.matches('ready') || from.matches('running')) &&
        from.context.id === 'c1' &&
        (event.type === 'container.exited' || event.type === 'container.seen') &&
        JSON.stringify(event).includes('"c1"') &&
        JSON.stringify(event).includes('30'),
    );
    expect(up.length).toBeGreaterThan(0);
    const kept = up.filter(({ to }) => to.matches('ready') || to.matches('running'));
    expect([...new Set(kept.map(describeEdge))]).toEqual([]);
  });

  it('comes to rest from everywhere by answers and delays alone', () => {
    for (const { states, edges: steps, key } of all) {
      const rest = new Set(
        states
          .filter((snapshot) => ['absent', 'exited', 'failed', 'ready'].some((state) => snapshot.matches(state)))
          .map(key),
      );
      const before = new Map<string, string[]>();
      for (const edge of steps) {
        const isOwn = edge.event.type.startsWith('xstate.');
        // A signal that was sent ends a container or not: the engine's events tell.
        if (!isOwn && !(edge.from.matches({ stopping: 'signalled' }) && edge.event.type === 'container.exited'))
          continue;
        before.set(key(edge.to), [...(before.get(key(edge.to)) ?? []), key(edge.from)]);
      }
      for (const state of rest) for (const source of before.get(state) ?? []) rest.add(source);
      expect(states.filter((snapshot) => !rest.has(key(snapshot))).map(({ value }) => statePath(value))).toEqual([]);
    }
  });

  it('does what it is told: a command is never forgotten', () => {
    const taken = edges.filter(isCommand);
    const forgotten = taken.filter(({ to, sent }) => to.context.owes !== true && reports(sent).length === 0);
    expect([...new Set(forgotten.map(describeEdge))]).toEqual([]);
  });
});
