import { describe, expect, it } from 'vitest';
import { reportOf } from '../../src/inspect/boot-report.ts';
import type { Entry } from '../../src/inspect/entry.ts';
import { type JournalBoot, JournalReader } from '../../src/inspect/journal-reader.ts';
import { renderEntry } from '../../src/inspect/journal-writer.ts';
import { Timeline } from '../../src/inspect/timeline.ts';
import { Transcript } from '../../src/inspect/transcript.ts';
import { renumbered, withFacts } from './entries.ts';
import { webBoot } from './hand-made.ts';

/** A service that fails again and again, with a process of its own each time. */
function longBoot(length: number): readonly Entry[] {
  const entries: Entry[] = webBoot().slice(0, -1);
  const states = [{ starting: 'settling' }, { ready: 'running' }, 'backoff'];
  while (entries.length < length) {
    const seq = entries.length + 1;
    const at = 100 + seq;
    const unit = `x:${10 + Math.floor(seq / 6)}`;
    const value = states[seq % 3] ?? 'pending';
    entries.push(
      seq % 6 === 0
        ? {
            ...{ seq, at, type: '@xstate.actor', sessionId: unit, parentId: 'x:1', name: 'unit', machine: 'unit' },
            ...{ service: 'web.service', snapshot: { status: 'active', value: { present: 'alive' } } },
          }
        : {
            ...{ seq, at, type: '@xstate.snapshot', sessionId: seq % 6 === 5 ? unit : 'x:1' },
            event: { type: 'unit.leaderExited' },
            snapshot:
              seq % 6 === 5
                ? { status: 'done', value: 'reaped' }
                : { status: 'active', value, context: { service: 'web.service', cause: 'exit 1' } },
          },
    );
  }
  const whole = renumbered(withFacts(entries)).slice(0, length);
  return whole.map((entry) => (entry.at <= 100 ? entry : { ...entry, at: 100 + entry.seq }));
}

/** The same entries, and how often any of them was looked at. */
function counted(entries: readonly Entry[]): { readonly entries: readonly Entry[]; readonly reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(entries, {
    get: (target, key, receiver) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads += 1;
      return Reflect.get(target, key, receiver);
    },
  });
  return { entries: proxy, reads: () => reads };
}

describe('a journal of 100,000 entries', () => {
  const length = 100_000;
  const long = longBoot(length);

  it('is read whole, and is the states it was', () => {
    const boots: JournalBoot[] = [];
    const reader = new JournalReader((boot) => boots.push(boot));
    const bytes = Buffer.from(long.map(renderEntry).join(''));
    for (let at = 0; at < bytes.length; at += 1024 * 1024) reader.push(bytes.subarray(at, at + 1024 * 1024));
    expect(reader.end()).toMatchObject({ boots: 1, skipped: 0, unknown: 0 });
    const [boot] = boots;
    expect(boot?.entries).toHaveLength(length);
    expect(boot?.entries.at(-1)).toEqual(long.at(-1));
    const transcript = new Transcript({ format: 'text' });
    let lines = 0;
    for (const entry of boot?.entries ?? []) lines += transcript.write(entry).split('\n').length - 1;
    expect(lines).toBeGreaterThan(length / 4);
    const { services } = reportOf(boot?.entries ?? []);
    expect(services[0]?.failures.length).toBeGreaterThan(length / 11);
  });

  it('looks at each entry once on the way to its end', () => {
    for (const part of [length / 10, length]) {
      const { entries, reads } = counted(long.slice(0, part));
      new Timeline(entries).after(part);
      expect(reads()).toBe(part);
    }
  });

  it('looks at two thousand entries at most on the way to any other instant', () => {
    const { entries, reads } = counted(long);
    const timeline = new Timeline(entries);
    timeline.after(length);
    const before = reads();
    const jumps = [5, 99_999, 50_000, 49_999, 50_001, 1, 77_777, 0];
    for (const count of jumps) expect(timeline.after(count).seq).toBe(count);
    expect(reads() - before).toBeLessThan(jumps.length * 2_048);
    const here = reads();
    expect(timeline.at(100 + 60_000).seq).toBe(60_000);
    expect(reads() - here).toBeLessThan(2_048 + 20);
  });
});
