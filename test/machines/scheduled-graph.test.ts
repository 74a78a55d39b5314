import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/inspect/transition.ts';
import { processMachine } from '../../src/machines/process.ts';
import {
  type ScheduledEvent,
  type ScheduledInput,
  type ServiceNoticed,
  scheduledMachine,
} from '../../src/machines/scheduled.ts';
import { mostRuns, type ScheduleFact } from '../../src/model/scheduling.ts';
import type { ServiceSpec } from '../../src/model/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import {
  chartEvents,
  type Edge,
  type Exploration,
  explore,
  leaves,
  reachedLeaves,
  stranded,
  unanswered,
} from './explore.ts';
import { exit0, exit1, noSuchProgram } from './scripted.ts';

type ScheduledSnapshot = SnapshotFrom<typeof scheduledMachine>;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<ScheduledEvent['type'], true>> = {
  'process.spawned': true,
  'process.spawnFailed': true,
  'process.exited': true,
  'process.terminate': true,
  'process.kill': true,
  'process.extend': true,
  'schedule.reset': true,
  'schedule.retire': true,
  'schedule.reconfigure': true,
  'trigger.armed': true,
  'trigger.refused': true,
  'trigger.fired': true,
};

const commands: readonly ScheduledEvent[] = [
  { type: 'process.terminate', signal: 'SIGTERM', killAfter: 5_000 },
  { type: 'process.kill' },
  { type: 'process.extend', killAfter: 9_000 },
  { type: 'schedule.reset', signal: 'SIGTERM', killAfter: 5_000 },
  { type: 'schedule.retire' },
  { type: 'trigger.armed', at: 0 },
  { type: 'trigger.refused', cause: { kind: 'spawn', error: noSuchProgram }, at: 0 },
  { type: 'trigger.fired', connection: { id: 3, address: '::1', port: 4_000 }, at: 0 },
];

/** Runs are told apart as long as there are few of them: beyond that nothing new comes. */
const mostBegun = 4;

/** Every fact about each live run, and about one that is gone. */
function eventsFor({ context }: ScheduledSnapshot): readonly ScheduledEvent[] {
  const serials = [...Object.keys(context.runs).map(Number), 0];
  const facts = serials.flatMap((serial): readonly ScheduledEvent[] => [
    { type: 'process.spawned', serial, pid: 10, at: 0 },
    { type: 'process.spawnFailed', serial, error: noSuchProgram, at: 0 },
    { type: 'process.exited', serial, pid: 10, status: exit0, at: 0 },
    { type: 'process.exited', serial, pid: 10, status: exit1, at: 0 },
  ]);
  const allowed = commands.filter(({ type }) => type !== 'trigger.fired' || context.begun < mostBegun);
  return [...allowed, ...facts];
}

const owner = createActor(fromCallback<ScheduleFact>(() => {}));
const system = createActor(fromCallback<ServiceNoticed>(() => {}));
const process = processMachine.provide({ actors: { childProcess: fromCallback(() => {}) } });
const machine = scheduledMachine.provide({ actors: { process, trigger: fromCallback(() => {}) } });

function exploreScheduled(changes: Partial<ServiceSpec>): Exploration<ScheduledSnapshot> {
  const input: ScheduledInput = { service: serviceSpec(changes), serial: 1, owner, system };
  return explore(machine, {
    input,
    events: (snapshot: ScheduledSnapshot) => (snapshot.status === 'done' ? [] : eventsFor(snapshot)),
    distinguish: ({ context }: ScheduledSnapshot) => [
      Object.entries(context.runs).map(([serial, { pid, reset }]) => [serial, pid, reset]),
      context.begun,
      context.terminate?.type,
    ],
  });
}

const cases: Readonly<Record<string, Partial<ServiceSpec>>> = {
  cron: { type: 'cron', interval: '* * * * *' },
  'inetd, one at a time': { type: 'inetd', port: 80, maxConnections: 1 },
  'inetd, two at a time': { type: 'inetd', port: 80, maxConnections: 2 },
};
const variants = Object.entries(cases).map(([name, spec]) => ({ name, spec, exploration: exploreScheduled(spec) }));

function hasEnded(snapshot: ScheduledSnapshot): boolean {
  return snapshot.matches('closed') || snapshot.matches('refused');
}

function runsOf({ context }: ScheduledSnapshot): number {
  return Object.keys(context.runs).length;
}

function describeEdge({ from, event, to }: Edge<ScheduledSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

describe('the scheduled chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(scheduledMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(scheduledMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state', () => {
    const reached = reachedLeaves(variants.flatMap(({ exploration }) => exploration.states));
    expect(reached).toEqual([...leaves(scheduledMachine)].sort());
  });
});

describe.each(variants)('the scheduled chart ($name)', ({ spec, exploration }) => {
  const { states, edges } = exploration;

  it('ends only when no process is left', () => {
    expect(states.filter((snapshot) => hasEnded(snapshot) && runsOf(snapshot) > 0).map(exploration.key)).toEqual([]);
  });

  it('ends, once it was told to, by the ends of its runs alone', () => {
    const closing = stranded(
      exploration,
      (snapshot) => hasEnded(snapshot) || !snapshot.matches('closing'),
      ({ event }) => event.type === 'process.exited',
    );
    expect(closing).toEqual([]);
    const told = edges.filter(({ event }) => event.type === 'process.terminate' || event.type === 'process.kill');
    expect(told.filter(({ to }) => !to.matches('closing') && !hasEnded(to)).map(describeEdge)).toEqual([]);
  });

  it('has one process actor for each run, and a trigger exactly while it is open', () => {
    const wrong = states.filter((snapshot) => {
      const expected = Object.keys(snapshot.context.runs).map((serial) => `run-${serial}`);
      if (snapshot.matches('open')) expected.push('trigger');
      return Object.keys(snapshot.children).sort().join() !== expected.sort().join();
    });
    expect(wrong.map(exploration.key)).toEqual([]);
  });

  it('begins runs only while it is open and armed', () => {
    const begun = edges.filter(({ from, to }) => from.context.begun !== to.context.begun);
    expect(begun.length).toBeGreaterThan(0);
    const wrong = begun.filter(({ from, event }) => {
      const isArmed = from.matches({ open: 'active' }) || from.matches({ open: 'full' });
      return !isArmed || event.type !== 'trigger.fired';
    });
    expect(wrong.map(describeEdge)).toEqual([]);
  });

  it('has room exactly where it is active', () => {
    const most = mostRuns(serviceSpec(spec));
    const wrong = states.filter(
      (snapshot) =>
        (snapshot.matches({ open: 'active' }) && runsOf(snapshot) >= most) ||
        (snapshot.matches({ open: 'full' }) && runsOf(snapshot) < most),
    );
    expect(wrong.map(exploration.key)).toEqual([]);
    // A cron job never runs beside itself.
    if (spec.type === 'cron') expect(states.filter((snapshot) => runsOf(snapshot) > 1)).toEqual([]);
  });

  it('keeps its trigger through a reset', () => {
    const lost = edges.filter(
      ({ from, event, to }) => event.type === 'schedule.reset' && from.matches('open') && !to.matches('open'),
    );
    expect(lost.map(describeEdge)).toEqual([]);
  });

  it('ignores facts about a run that is gone', () => {
    const stale = edges.filter(({ event }) => 'serial' in event && event['serial'] === 0);
    expect(stale.length).toBeGreaterThan(0);
    expect(stale.filter(({ from, to }) => exploration.key(from) !== exploration.key(to)).map(describeEdge)).toEqual([]);
  });
});
