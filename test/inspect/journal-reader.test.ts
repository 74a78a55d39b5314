import { describe, expect, it } from 'vitest';
import { type Entry, entryVersion } from '../../src/inspect/entry.ts';
import {
  isKnownVersion,
  type JournalBoot,
  type JournalEnd,
  JournalReader,
  versionText,
} from '../../src/inspect/journal-reader.ts';
import { renderEntry } from '../../src/inspect/journal-writer.ts';
import { bootEntry, serviceEntry, webBoot } from './hand-made.ts';

const encoder = new TextEncoder();

function read(text: string, piece = Number.POSITIVE_INFINITY): JournalEnd & { readonly found: readonly JournalBoot[] } {
  const found: JournalBoot[] = [];
  const reader = new JournalReader((boot) => found.push(boot));
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  return { ...reader.end(), found };
}

const lines = (entries: readonly Entry[]): string => entries.map(renderEntry).join('');
const other = (name: string): Entry[] => [bootEntry([serviceEntry(name)], { boot: 'b'.repeat(32) })];

describe('JournalReader', () => {
  it('reads boot after boot, however the bytes come', () => {
    const text = lines([...webBoot(), ...other('störe')]);
    for (const piece of [1, 2, 7, 100, text.length * 2]) {
      const { found, skipped } = read(text, piece);
      expect(found).toEqual([
        { number: 1, entry: webBoot()[0], entries: webBoot(), torn: false },
        { number: 2, entry: other('störe')[0], entries: other('störe'), torn: false },
      ]);
      expect(skipped).toBe(0);
    }
  });

  it('takes a last line without its end where it is whole', () => {
    const { found } = read(lines(webBoot()).slice(0, -1));
    expect(found[0]).toMatchObject({ torn: false, entries: { length: webBoot().length } });
  });

  it.each([
    ['at the end of the file', ''],
    ['where another boot follows', `\n${lines(other('store'))}`],
  ])('knows that a boot was torn %s', (_, rest) => {
    const whole = lines(webBoot());
    const { found, skipped } = read(whole.slice(0, -20) + rest);
    expect(found[0]).toMatchObject({ torn: true, entries: { length: webBoot().length - 1 } });
    expect(found.length).toBe(rest === '' ? 1 : 2);
    expect(skipped).toBe(0);
  });

  it('skips lines that are no entries, and says where they stand', () => {
    const [boot, ...rest] = webBoot();
    const text = [
      lines(boot === undefined ? [] : [boot]),
      'hello\n\n{"seq": 5,\n[]\n{"seq":3,"at":1,"type":"@xstate.snapshot"}\n',
      lines(rest),
      '{"a" 1}\n',
      lines(other('store')),
    ].join('');
    const { found, skipped, problems } = read(text);
    expect(found[0]?.entries).toEqual(webBoot());
    // The last one counts as a torn end.
    expect(found[0]?.torn).toBe(true);
    expect(skipped).toBe(4);
    expect(problems).toEqual([
      { line: 2, column: 1, text: 'this is no JSON: "hello"' },
      { line: 4, column: 11, text: 'this is no JSON: "{\\"seq\\": 5,"' },
      { line: 5, column: 1, text: 'this is no entry: "[]"' },
      { line: 6, column: 1, text: expect.stringContaining('this is no entry') },
    ]);
  });

  it('says the first five of many problems, and counts all', () => {
    const { problems, skipped } = read(`${lines(webBoot())}${'x\n'.repeat(1_000)}${lines(webBoot().slice(-1))}`);
    expect(problems).toHaveLength(5);
    // And the entry behind them, which was there already.
    expect(skipped).toBe(1_001);
  });

  it('skips what stands out of order: a journal that was cut in the middle of being shortened', () => {
    const { found, problems } = read(lines([...webBoot(), ...webBoot().slice(4)]));
    expect(found[0]?.entries).toEqual(webBoot());
    expect(problems[0]?.text).toBe('entry 5 stands behind entry 13');
  });

  it('says how many entries are missing, and from when to when', () => {
    const whole = webBoot();
    const { found, skipped } = read(lines([...whole.slice(0, 5), ...whole.slice(8)]));
    const { at, seq } = whole[8] ?? never();
    const lost = { type: '@chaperone.lost', seq: seq - 1, at, from: whole[4]?.at, count: 3 };
    expect(found[0]?.entries).toEqual([...whole.slice(0, 5), lost, ...whole.slice(8)]);
    expect(skipped).toBe(0);
  });

  it('misses nothing where a gap is told, or belongs to records that were not asked for', () => {
    const whole = webBoot();
    const { at, seq } = whole[8] ?? never();
    const told: Entry = { type: '@chaperone.lost', seq: seq - 1, at, from: 0, count: 3 };
    for (const entries of [
      [...whole.slice(0, 5), told, ...whole.slice(8)],
      // Sparse entries, as somebody gets them who comes late: the mark behind them tells of all.
      [...whole.slice(0, 3), ...whole.slice(5, 6), told, ...whole.slice(8)],
      [...whole.slice(0, 5), ...whole.slice(8).map((entry, index) => (index === 0 ? { ...entry, unasked: 3 } : entry))],
    ])
      expect(read(lines(entries)).found[0]?.entries).toEqual(entries);
  });

  it('skips lines of another boot, and says so', () => {
    const [boot, ...rest] = webBoot();
    const foreign = rest.slice(0, 3).map((entry): Entry => ({ ...entry, seq: entry.seq + 500 }));
    const { found, skipped, problems } = read(
      lines([boot ?? never(), ...rest.slice(0, 4), ...foreign, ...rest.slice(4)]),
    );
    expect(found[0]?.entries).toEqual(webBoot());
    expect(skipped).toBe(3);
    expect(problems[0]?.text).toBe('3 lines of another boot stand before entry 6');
  });

  it('knows no boot in what is no journal', () => {
    expect(read('')).toMatchObject({ boots: 0, skipped: 0 });
    expect(read('# Configuration\nsettings: {}\n')).toMatchObject({
      boots: 0,
      skipped: 2,
      problems: [{ line: 1, column: 1 }, { line: 2 }],
    });
    expect(read('{"version":2}\n')).toMatchObject({
      boots: 0,
      problems: [{ text: expect.stringContaining('no boot has begun') }],
    });
  });

  it('counts entries of kinds that came later, and reads on', () => {
    const later = '{"seq":100,"at":100,"type":"@chaperone.weather","sunny":true}\n';
    const { found, unknown, skipped } = read(lines(webBoot()) + later);
    expect(found[0]?.entries).toEqual(webBoot());
    expect({ unknown, skipped }).toEqual({ unknown: 1, skipped: 0 });
  });

  it.each([
    [entryVersion + 1, 'newer'],
    [entryVersion - 1, 'older'],
    [0.5, 'older'],
  ])('does not guess at version %d', (version, word) => {
    const another = lines(webBoot()).replace(`"version":${entryVersion}`, `"version":${version}`);
    const { found } = read(another + lines(other('store')));
    expect(found.map((boot) => [boot.entries.length, isKnownVersion(boot)])).toEqual([
      [1, false],
      [1, true],
    ]);
    expect(found.map(versionText)[0]).toBe(`version ${version}, which is ${word}`);
  });

  it('takes about as many steps for each entry of a long journal as for each of a short one', () => {
    // What is parsed is counted: JSON.parse is called once a line, and nothing else is done with the text before.
    const { parse } = JSON;
    const counts = [1_000, 10_000].map((length) => {
      const [boot, , , , , step] = webBoot();
      if (boot === undefined || step === undefined) throw new Error('no entries');
      const text = lines([boot, ...Array.from({ length }, (_, index) => ({ ...step, seq: index + 2 }))]);
      let characters = 0;
      JSON.parse = (line: string) => {
        characters += line.length;
        return parse(line);
      };
      try {
        expect(read(text, 10_000).found[0]?.entries).toHaveLength(length + 1);
      } finally {
        JSON.parse = parse;
      }
      expect(characters).toBe(text.length - length - 1);
      return characters;
    });
    expect(counts[1]).toBeGreaterThan(9 * (counts[0] ?? 0));
  });
});

function never(): never {
  throw new Error('there is no such entry');
}
