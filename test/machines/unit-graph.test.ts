import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, type SnapshotFrom, transition } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { mayLead, type UnitEvent, type UnitInput, unitMachine } from '../../src/machines/unit.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { UnitFact, UnitRun } from '../../src/model/service/unit-events.ts';
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

type UnitSnapshot = SnapshotFrom<typeof unitMachine>;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<UnitEvent['type'], true>> = {
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
  'unit.seen': true,
  'unit.signalled': true,
  'unit.terminate': true,
  'unit.kill': true,
  'unit.retire': true,
  'unit.lead': true,
  'unit.signal': true,
  'unit.lookDue': true,
  'unit.survivalDue': true,
  'unit.signalDue': true,
  'unit.patienceDue': true,
};

const exit = { type: 'unit.leaderExited', serial: 1, pid: 10, age: 5, at: 0 } as const;
const events: readonly UnitEvent[] = [
  { type: 'unit.spawned', serial: 1, pid: 10, at: 0 },
  { type: 'unit.spawnFailed', serial: 1, error: noSuchProgram, at: 0 },
  { ...exit, status: exit0, left: 0 },
  { ...exit, status: exit1, left: 2 },
  { type: 'unit.seen', left: 0, fresh: false, at: 0 },
  { type: 'unit.seen', left: 1, fresh: false, at: 0 },
  { type: 'unit.seen', left: 1, fresh: true, at: 0 },
  { type: 'unit.signalled', signal: 'SIGTERM', outcome: 'vanished', at: 0 },
  { type: 'unit.terminate', signal: 'SIGTERM', at: 0 },
  { type: 'unit.kill', grace: 1_000, at: 0 },
  { type: 'unit.retire' },
  { type: 'unit.lead', pid: 20 },
  { type: 'unit.signal', signal: 'SIGHUP' },
  { type: 'unit.lookDue' },
  { type: 'unit.survivalDue' },
  { type: 'unit.signalDue' },
  { type: 'unit.patienceDue' },
  { type: 'unit.terminate', signal: 'SIGTERM', patience: 500, at: 0 },
];

const owner = createActor(fromCallback<UnitFact>(() => {}));
const machine = unitMachine.provide({ actors: { processes: fromCallback(() => {}) } });

function exploreUnit(changes: Partial<ServiceSpec>, resumes?: UnitRun['resumes']): Exploration<UnitSnapshot> {
  const run: UnitRun = { service: serviceSpec(changes), serial: 1, ...(resumes === undefined ? {} : { resumes }) };
  const input: UnitInput = { run, owner };
  return explore(machine, {
    input,
    events: () => events,
    distinguish: ({ context }: UnitSnapshot) => [context.pid, context.leaderGone, context.wish?.type],
  });
}

const variants = [
  { name: 'simple', exploration: exploreUnit({}) },
  { name: 'notify', exploration: exploreUnit({ type: 'notify' }) },
  { name: 'forking, the process alone', exploration: exploreUnit({ type: 'forking', killMode: 'process' }) },
  { name: 'one that is there already', exploration: exploreUnit({}, { pid: 10, asked: false }) },
  { name: 'one that was asked to end', exploration: exploreUnit({}, { pid: 10, asked: true }) },
  { name: 'what is left of one', exploration: exploreUnit({ type: 'forking' }, { pid: 0, asked: false }) },
];
const all = variants.flatMap(({ exploration }) => exploration.edges);

function isOver({ status }: UnitSnapshot): boolean {
  return status === 'done';
}

function describeEdge({ from, event, to }: Edge<UnitSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

/** The requests to the port and the reports to the owner that the step sends. */
function told({ sent }: Edge<UnitSnapshot>): readonly string[] {
  return sent.map(({ event }) => event.type);
}

function isEvent(event: { readonly type: string }): event is UnitEvent {
  return event.type in eventTypes;
}

describe('the unit chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(unitMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(unitMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state', () => {
    const reached = reachedLeaves(variants.flatMap(({ exploration }) => exploration.states));
    expect(reached).toEqual([...leaves(unitMachine)].sort());
  });

  it('is over only where nothing is left: by an exit, by a look, or because there never was a process', () => {
    const endings = all.filter(({ from, to }) => !isOver(from) && isOver(to));
    expect([...new Set(endings.map(describeEdge))].sort()).toEqual([
      'present.alive unit.leaderExited reaped',
      'present.clearing.finishing unit.leaderExited reaped',
      'present.clearing.killing unit.leaderExited reaped',
      'present.clearing.killing unit.seen reaped',
      'present.clearing.resuming unit.leaderExited reaped',
      'present.clearing.resuming unit.seen reaped',
      'present.clearing.surviving unit.leaderExited reaped',
      'present.clearing.surviving unit.seen reaped',
      'present.clearing.terminating unit.leaderExited reaped',
      'present.clearing.terminating unit.seen reaped',
      'present.remaining unit.seen reaped',
      'present.spawning unit.leaderExited reaped',
      'present.spawning unit.spawnFailed unspawned',
    ]);
    const early = endings.filter(({ from, event }) => {
      if ('left' in event && event['left'] !== 0) return true;
      return event.type === 'unit.seen' && !from.context.leaderGone;
    });
    expect(early.map(describeEdge)).toEqual([]);
  });

  it('signals only from a command, or from the wish that it kept until it was spawned', () => {
    const sending = all.filter((edge) => told(edge).includes('unit.send'));
    expect(sending.length).toBeGreaterThan(0);
    // Processes that were forked while the others were killed get SIGKILL, too.
    const again = sending.filter(({ event }) => event.type === 'unit.seen');
    expect(again.length).toBeGreaterThan(0);
    expect(
      again.every(
        ({ event, to }) => 'fresh' in event && event['fresh'] && to.matches({ present: { clearing: 'killing' } }),
      ),
    ).toBe(true);
    const causes = new Set(sending.filter((edge) => !again.includes(edge)).map(describeEdge));
    const kept = /^present\.spawning unit\.(spawned|leaderExited) present\.clearing\.(terminating|killing)$/;
    // The unit did not end at the end of its input, or its leader did and left others.
    const late = /^present\.clearing\.finishing unit\.(patienceDue|leaderExited) present\.clearing\.terminating$/;
    expect(
      [...causes].filter(
        (cause) => !/ unit\.(terminate|kill|signal) /.test(cause) && !kept.test(cause) && !late.test(cause),
      ),
    ).toEqual([]);
    // No step sends two signals.
    expect(sending.filter((edge) => told(edge).filter((type) => type === 'unit.send').length > 1)).toEqual([]);
    const terminated = sending.filter(({ event }) => event.type === 'unit.terminate');
    expect(terminated.filter(({ from }) => from.matches({ present: 'clearing' })).map(describeEdge)).toEqual([]);
  });

  it('cancels the start whenever its end is asked for before it was spawned, and never else', () => {
    const ends = ({ event }: Edge<UnitSnapshot>): boolean => /^unit\.(terminate|kill|retire)$/.test(event.type);
    const wrong = all.filter((edge) => {
      const wanted = ends(edge) && edge.from.matches({ present: 'spawning' });
      return told(edge).includes('unit.cancel') !== wanted;
    });
    expect(wrong.map(describeEdge)).toEqual([]);
    expect(all.some((edge) => told(edge).includes('unit.cancel'))).toBe(true);
  });

  it('tells the owner of each fact about its leader, and once that nothing is left', () => {
    const silent = all.filter((edge) => {
      const facts = told(edge).filter((type) => /^unit\.(spawned|spawnFailed|leaderExited|cleared)$/.test(type));
      return isOver(edge.to) && !isOver(edge.from) && facts.length !== 1;
    });
    expect(silent.map(describeEdge)).toEqual([]);
    const spawned = all.filter((edge) => told(edge).includes('unit.spawned'));
    expect(spawned.filter(({ from }) => !from.matches({ present: 'spawning' })).map(describeEdge)).toEqual([]);
  });
});

describe.each(variants)('the unit chart ($name)', ({ exploration }) => {
  const { states, edges } = exploration;

  it('never leaves a final state', () => {
    expect(edges.filter(({ from, to }) => isOver(from) && to.value !== from.value)).toEqual([]);
  });

  it('can be reaped from every state', () => {
    expect(stranded(exploration, isOver)).toEqual([]);
  });

  it('ends, once it was told to and no other leader is named, by what happens to its processes', () => {
    const stuck = stranded(
      exploration,
      (snapshot) => isOver(snapshot) || !snapshot.matches({ present: 'clearing' }),
      ({ event }) => event.type === 'unit.leaderExited' || event.type === 'unit.seen',
    );
    expect(stuck).toEqual([]);
  });

  it('reaches SIGKILL from every state by commands and the report of the spawn', () => {
    const withoutEnd = stranded(
      exploration,
      (snapshot) => snapshot.matches({ present: { clearing: 'killing' } }) || isOver(snapshot),
      ({ event }) => !/^unit\.(leaderExited|spawnFailed|seen)$/.test(event.type),
    );
    expect(withoutEnd).toEqual([]);
  });

  it('neither lives on nor rests once its end is wanted, and never takes that back', () => {
    const forgotten = states.filter(
      (snapshot) =>
        (snapshot.matches({ present: 'alive' }) || snapshot.matches({ present: 'remaining' })) &&
        snapshot.context.wish !== undefined,
    );
    expect(forgotten.map(exploration.key)).toEqual([]);
    const takenBack = edges.filter(
      ({ from, to }) =>
        (from.context.wish !== undefined && to.context.wish === undefined) ||
        (from.context.wish?.type === 'unit.kill' && to.context.wish?.type !== 'unit.kill'),
    );
    expect(takenBack.map(describeEdge)).toEqual([]);
    const revived = edges.filter(
      ({ from, to }) =>
        from.matches({ present: 'clearing' }) && !to.matches({ present: 'clearing' }) && !to.matches('reaped'),
    );
    expect(revived.map(describeEdge)).toEqual([]);
  });

  it('remains only while no leader lives', () => {
    const wrong = states.filter(
      (snapshot) => snapshot.matches({ present: 'remaining' }) !== snapshot.context.leaderGone && !isEnding(snapshot),
    );
    expect(wrong.map(exploration.key)).toEqual([]);
  });

  it('is kept after its leader where another may be named, whatever is left', () => {
    const [{ context }] = states as [UnitSnapshot];
    const gone = edges.filter(
      ({ from, event, to }) => !isEnding(from) && event.type === 'unit.leaderExited' && to.matches('reaped'),
    );
    if (mayLead(context.run.service)) expect(gone.map(describeEdge)).toEqual([]);
  });

  it('notes the time of every fact', () => {
    const late = edges.filter(({ from, event }) => {
      if (!isEvent(event) || !('at' in event) || isOver(from)) return false;
      const [to] = transition(machine, from, { ...event, at: 77 });
      return JSON.stringify([from.value, from.context.pid]) !== JSON.stringify([to.value, to.context.pid])
        ? to.context.at !== 77
        : false;
    });
    expect([...new Set(late.map(describeEdge))]).toEqual([]);
  });
});

describe('a unit that is there already', () => {
  it('goes on where it stands: with its leader, or with what that has left', () => {
    const first = ({ exploration: { states } }: (typeof variants)[number]): unknown => states[0]?.value;
    expect(variants.map(first)).toEqual([
      { present: 'spawning' },
      { present: 'spawning' },
      { present: 'spawning' },
      { present: 'alive' },
      { present: { clearing: 'resuming' } },
      { present: 'remaining' },
    ]);
  });
});

function isEnding(snapshot: UnitSnapshot): boolean {
  return isOver(snapshot) || snapshot.matches({ present: 'clearing' });
}
