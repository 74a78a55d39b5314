import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/inspect/entry.ts';
import { bootLineStart, JournalWriter, sectionLineStart } from '../../src/inspect/journal-writer.ts';
import { renumbered, withFacts } from './entries.ts';
import { bootEntry, numbered, serviceEntry, webBoot } from './hand-made.ts';

class Target {
  room = 1024 * 1024;
  text = '';

  write(text: string): void {
    this.text += text;
  }

  entries(): Entry[] {
    return this.text
      .split('\n')
      .slice(0, -1)
      .map((line): Entry => JSON.parse(line));
  }
}

function ticks(count: number, first: number): Entry[] {
  return numbered(
    Array.from({ length: count }, (_, index) => [
      index,
      { type: '@xstate.event', sessionId: 'x:1', event: { type: 'tick', text: 'ä'.repeat(20) } },
    ]),
    first,
  );
}

function write(entries: readonly Entry[], maxSize: number, target = new Target()) {
  let full = 0;
  const writer = new JournalWriter(target, maxSize, () => {
    full += 1;
  });
  for (const entry of entries) writer.write(entry);
  return { target, writer, full: () => full };
}

describe('JournalWriter', () => {
  it('writes an entry a line, as it is', () => {
    const { target, full } = write(webBoot(), 100_000);
    expect(target.entries()).toEqual(webBoot());
    expect(full()).toBe(0);
  });

  it('begins a boot with a line that can be found without parsing', () => {
    const { target } = write([bootEntry([serviceEntry('web')])], 100_000);
    expect(target.text.startsWith(bootLineStart)).toBe(true);
    expect(target.text.indexOf('\n')).toBe(target.text.length - 1);
  });

  it('begins a section after each quarter of the journal, with the sum of what came before', () => {
    const start = renumbered(withFacts(webBoot().slice(0, -1)));
    const { target, full } = write([...start, ...ticks(900, start.length + 1)], 65_536);
    const written = target.text.split('\n').slice(0, -1);
    const starts = written.flatMap((line, index) => (line.startsWith(sectionLineStart) ? [index] : []));
    expect(starts.length).toBeGreaterThan(3);
    for (const [index, start] of starts.entries()) {
      const section = written.slice(start, starts[index + 1]).join('\n');
      if (index < starts.length - 1) expect(section.length).toBeGreaterThan(65_536 / 8);
      expect(section.length).toBeLessThan(65_536 / 3);
      const sum = JSON.parse(written[start] ?? '');
      expect(sum).toMatchObject({ seq: JSON.parse(written[start - 1] ?? '').seq });
      const moves = sum.entries.filter(({ type }: Entry) => type === '@chaperone.fact');
      expect(moves.length).toBeGreaterThan(0);
    }
    expect(full()).toBe(1);
  });

  it('leaves out of a sum what would fill the section', () => {
    const services = Array.from({ length: 300 }, (_, index) => serviceEntry(`s${index}`));
    const { target } = write([bootEntry(services), ...ticks(600, 2)], 65_536);
    const sums = target.text.split('\n').filter((line) => line.startsWith(sectionLineStart));
    expect(sums.length).toBeGreaterThan(2);
    for (const sum of sums) expect(sum.length).toBeLessThan(65_536 / 8);
  });

  it('leaves out what its target has no room for, and says so before it goes on', () => {
    const { target, writer } = write([bootEntry([]), ...ticks(3, 2)], 1024 * 1024);
    target.room = 10;
    for (const entry of ticks(4, 5)) writer.write(entry);
    target.room = 100 * 1024;
    for (const entry of ticks(2, 9)) writer.write(entry);
    target.room = 512 * 1024;
    for (const entry of ticks(2, 11)) writer.write(entry);
    expect(target.entries().map(({ seq, type }) => [seq, type])).toEqual([
      [1, '@chaperone.boot'],
      ...[2, 3, 4].map((seq) => [seq, '@xstate.event']),
      [10, '@chaperone.lost'],
      ...[11, 12].map((seq) => [seq, '@xstate.event']),
    ]);
    expect(target.entries()[4]).toMatchObject({ count: 6 });
  });

  it('adds up what was lost before it came here', () => {
    const { target, writer } = write([bootEntry([])], 1024 * 1024);
    target.room = 0;
    for (const entry of numbered([[1, { type: '@chaperone.lost', count: 5 }]], 7)) writer.write(entry);
    for (const entry of ticks(1, 8)) writer.write(entry);
    target.room = 512 * 1024;
    for (const entry of ticks(1, 9)) writer.write(entry);
    expect(target.entries()[1]).toEqual({ type: '@chaperone.lost', seq: 8, at: 0, from: 0, count: 6 });
  });
});
