import { describe, expect, it } from 'vitest';
import { statePath } from '../../src/facts/transition.ts';
import { type Entry, isServiceMachine } from '../../src/inspect/entry.ts';
import { type JournalBoot, JournalReader } from '../../src/inspect/journal-reader.ts';
import { renderEntry } from '../../src/inspect/journal-writer.ts';
import { applyEntry, createReplica, type Replica } from '../../src/inspect/replica.ts';
import { Timeline } from '../../src/inspect/timeline.ts';
import { Transcript } from '../../src/inspect/transcript.ts';
import { attachInspector } from '../../src/runtime/inspection/inspectors.ts';
import { Random } from './random.ts';
import { randomWorld } from './random-world.ts';
import { serviceActors, type World } from './world.ts';

const seeds = Array.from({ length: 60 }, (_, index) => index + 1);
const encoder = new TextEncoder();

/** The machines' own states at one instant, and the number of the last entry until then. */
interface Truth {
  readonly seq: number;
  readonly states: Readonly<Record<string, string>>;
}

interface Recording {
  readonly world: World;
  /** The entries in the order of the hub. */
  readonly entries: readonly Entry[];
  readonly truths: readonly Truth[];
  readonly journal: string;
}

async function recordWorld(seed: number, maxSize = 16 * 1024 * 1024): Promise<Recording> {
  const world = randomWorld(seed);
  const { assembly, kernel, clock, inspection } = world;
  await attachInspector(
    inspection.hub,
    { kind: 'journal', file: '/journal' },
    {
      services: () => [],
      clock,
      write: () => undefined,
      colour: false,
      announce: () => undefined,
      say: assembly.say,
      sinks: assembly.sinks,
      defer: (callback) => kernel.defer(callback),
      journal: { maxSize, records: false },
    },
  );
  const entries: Entry[] = [];
  inspection.hub.watch({ onEntry: (entry) => entries.push(entry) > 0 });
  const truths: Truth[] = [];
  const look = (): void => {
    const { value } = assembly.system.getSnapshot();
    const services = [...serviceActors(world)].map(([name, ref]) => [name, statePath(ref.getSnapshot().value)]);
    truths.push({
      seq: entries.at(-1)?.seq ?? 0,
      states: Object.fromEntries([['system', statePath(value)], ...services]),
    });
  };
  for (let at = 1; at < 20_000; at += 777) clock.setTimeout(look, at);
  assembly.start();
  clock.run();
  return { world, entries, truths, journal: kernel.files.get('/journal') ?? '' };
}

function read(journal: string): readonly JournalBoot[] {
  const boots: JournalBoot[] = [];
  const reader = new JournalReader((boot) => boots.push(boot));
  reader.push(encoder.encode(journal));
  expect(reader.end()).toMatchObject({ skipped: 0, unknown: 0 });
  return boots;
}

function statesOf({ actors }: Replica): Readonly<Record<string, string>> {
  const machines = [...actors.values()].filter(({ machine }) => machine === 'system' || isServiceMachine(machine));
  return Object.fromEntries(machines.map(({ name, path }) => [name, path]));
}

describe('the journal of a random world', () => {
  it.each(seeds)('holds every entry, and rebuilds every state at every instant (seed %i)', async (seed) => {
    const { entries, truths, journal } = await recordWorld(seed);
    const boots = read(journal);
    expect(boots).toHaveLength(1);
    const recorded = boots[0]?.entries ?? [];
    expect(recorded).toEqual(entries);

    // After each entry, the entries so far have to give the last known state of every actor.
    const replica = createReplica();
    const last = new Map<string, { readonly path: string; readonly status: string }>();
    for (const entry of recorded) {
      applyEntry(replica, entry);
      if (entry.type === '@xstate.actor' || entry.type === '@xstate.snapshot') {
        const { status, value } = entry.snapshot;
        last.set(entry.sessionId, { path: statePath(value), status });
      }
      for (const [sessionId, { path, status }] of last) {
        const actor = replica.actors.get(sessionId);
        if (actor?.path !== path || actor.snapshot.status !== status) {
          expect({ seq: entry.seq, sessionId, path: actor?.path, status: actor?.snapshot.status }).toEqual({
            seq: entry.seq,
            sessionId,
            path,
            status,
          });
        }
      }
      expect(replica.actors.size).toBe(last.size);
    }

    // The system's and services' own states are compared, forwards and backwards.
    const timeline = new Timeline(recorded);
    expect(truths.length).toBeGreaterThan(0);
    for (const { seq, states } of [...truths, ...[...truths].reverse()]) {
      expect(statesOf(timeline.after(seq))).toEqual(states);
    }
  });

  it.each(seeds.slice(0, 20))('is printed as the boot was (seed %i)', async (seed) => {
    const { world, journal } = await recordWorld(seed);
    const commands = new Map(world.assembly.spec().services.map(({ name, command }) => [name, command]));
    const transcript = new Transcript({ format: 'text', commandOf: (service) => commands.get(service) });
    const lines = (read(journal)[0]?.entries ?? []).flatMap((entry) =>
      transcript.write(entry).split('\n').slice(0, -1),
    );
    expect(lines).toEqual(world.transitions);
  });

  it.each(seeds.slice(0, 20))('lays out the past of each service without gaps (seed %i)', async (seed) => {
    const replica = createReplica();
    for (const entry of read((await recordWorld(seed)).journal)[0]?.entries ?? []) applyEntry(replica, entry);
    for (const { name, segments, sessionId } of [replica.system, ...replica.services.values()]) {
      expect(segments.length, name).toBeGreaterThan(0);
      segments.forEach(({ to, state }, index) => {
        const next = segments[index + 1];
        expect([name, to]).toEqual([name, next?.from]);
        expect(next?.state).not.toBe(state);
      });
      expect(segments.at(-1)?.state).toBe(replica.actors.get(sessionId ?? '')?.path);
    }
  });

  it.each(seeds.slice(0, 20))('is a beginning, wherever it is cut off (seed %i)', async (seed) => {
    const { journal, entries } = await recordWorld(seed);
    const random = new Random(seed);
    const bytes = encoder.encode(journal);
    for (let cuts = 0; cuts < 10; cuts += 1) {
      const boots: JournalBoot[] = [];
      const reader = new JournalReader((boot) => boots.push(boot));
      const first = Math.max(renderEntry(entries[0] ?? never()).length, random.integer(0, bytes.length));
      // The journal is read in pieces of random size.
      for (let at = 0; at < first; ) {
        const size = random.integer(1, 5_000);
        reader.push(bytes.subarray(at, Math.min(first, at + size)));
        at += size;
      }
      expect(reader.end().skipped).toBe(0);
      const [boot] = boots;
      expect(boot?.entries).toEqual(entries.slice(0, boot?.entries.length ?? 0));
      const complete = bytes.subarray(0, first).filter((byte) => byte === 0x0a).length;
      expect(boot?.entries.length).toBeGreaterThanOrEqual(complete);
      expect(boot?.entries.length).toBeLessThanOrEqual(complete + 1);
    }
  });
});

function never(): never {
  throw new Error('no entry');
}
