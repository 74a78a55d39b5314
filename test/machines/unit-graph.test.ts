import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/inspect/transition.ts';
import { type ProcessEvent, type ProcessInput, processMachine } from '../../src/machines/process.ts';
import type { ProcessFact } from '../../src/model/process-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { chartEvents, type Exploration, explore, leaves, reachedLeaves, stranded, unanswered } from './explore.ts';

type ProcessSnapshot = SnapshotFrom<typeof processMachine>;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<ProcessEvent['type'], true>> = {
  'process.spawned': true,
  'process.spawnFailed': true,
  'process.exited': true,
  'process.terminate': true,
  'process.extend': true,
  'process.kill': true,
};

const events: readonly ProcessEvent[] = [
  { type: 'process.spawned', serial: 1, pid: 10, at: 0 },
  { type: 'process.spawnFailed', serial: 1, error: { code: 'ENOENT', stage: 'exec', program: '/bin/web' }, at: 0 },
  { type: 'process.exited', serial: 1, pid: 10, status: { kind: 'exited', code: 0 }, at: 0 },
  { type: 'process.terminate', signal: 'SIGTERM', killAfter: 5_000 },
  { type: 'process.terminate', signal: 'SIGTERM', killAfter: 1_000 },
  { type: 'process.extend', killAfter: 9_000 },
  { type: 'process.kill' },
];

const owner = createActor(fromCallback<ProcessFact>(() => {}));
const input: ProcessInput = { run: { service: serviceSpec(), serial: 1 }, owner };
const exploration: Exploration<ProcessSnapshot> = explore(
  processMachine.provide({ actors: { childProcess: fromCallback(() => {}) } }),
  {
    input,
    events: () => events,
    distinguish: ({ context }: ProcessSnapshot) => [context.pid, context.terminate?.killAfter, context.killWanted],
  },
);

describe('the process chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(processMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(processMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state', () => {
    expect(reachedLeaves(exploration.states)).toEqual([...leaves(processMachine)].sort());
  });

  it('ends only when no process is left: by an exit, or because there never was one', () => {
    const endings = exploration.edges.filter(({ from, to }) => from.matches('alive') && !to.matches('alive'));
    const kinds = new Set(
      endings.map(({ from, event, to }) => `${statePath(from.value)} ${event.type} ${statePath(to.value)}`),
    );
    expect([...kinds].sort()).toEqual([
      'alive.extended process.exited reaped',
      'alive.killing process.exited reaped',
      'alive.running process.exited reaped',
      'alive.spawning process.exited reaped',
      'alive.spawning process.spawnFailed unspawned',
      'alive.terminating process.exited reaped',
    ]);
  });

  it('never leaves a final state', () => {
    const later = exploration.edges.filter(({ from, to }) => from.status === 'done' && to.value !== from.value);
    expect(later).toEqual([]);
  });

  it('can be reaped from every live state', () => {
    expect(stranded(exploration, (snapshot) => !snapshot.matches('alive'))).toEqual([]);
  });

  it('reaches SIGKILL from every live state by commands, delays and the report of the spawn', () => {
    const withoutEnd = stranded(
      exploration,
      (snapshot) => snapshot.matches({ alive: 'killing' }) || !snapshot.matches('alive'),
      ({ event }) => event.type !== 'process.exited' && event.type !== 'process.spawnFailed',
    );
    expect(withoutEnd).toEqual([]);
  });

  it('has no running state once its end is wanted', () => {
    const forgotten = exploration.states.filter(
      (snapshot) =>
        snapshot.matches({ alive: 'running' }) && (snapshot.context.killWanted || snapshot.context.terminate),
    );
    expect(forgotten).toEqual([]);
  });

  it('never takes back the wish to end', () => {
    const takenBack = exploration.edges.filter(
      ({ from, to }) =>
        (from.context.killWanted && !to.context.killWanted) || (from.context.terminate && !to.context.terminate),
    );
    expect(takenBack).toEqual([]);
  });

  it('keeps the shorter time until SIGKILL, unless more is asked for', () => {
    const longer = exploration.edges.filter(
      ({ from, event, to }) =>
        event.type !== 'process.extend' &&
        (to.context.terminate?.killAfter ?? 0) > (from.context.terminate?.killAfter ?? Infinity),
    );
    expect(longer).toEqual([]);
  });
});
