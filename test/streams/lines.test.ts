import fc from 'fast-check';
import { from, Subject, take } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type Line, lines } from '../../src/streams/lines.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function line(text: string, cut = 0): Line {
  return { bytes: bytes(text), cut };
}

function scheduler(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

/** All lines of some chunks. */
function linesOf(chunks: readonly Uint8Array[], maxBytes = 1_000): readonly { text: string; cut: number }[] {
  const all: { text: string; cut: number }[] = [];
  from(chunks)
    .pipe(lines(maxBytes))
    .subscribe(({ bytes: kept, cut }) => all.push({ text: decoder.decode(kept), cut }));
  return all;
}

function chunksOf(text: string, ...sizes: readonly number[]): readonly Uint8Array[] {
  const whole = bytes(text);
  const chunks: Uint8Array[] = [];
  let start = 0;
  for (const size of sizes) {
    chunks.push(whole.subarray(start, start + size));
    start += size;
  }
  return [...chunks, whole.subarray(start)];
}

describe('lines', () => {
  it('emits each line when its end comes, and the rest at the end', () => {
    scheduler().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('  -a-b-c-----d-|', {
        a: bytes('one\ntw'),
        b: bytes('o'),
        c: bytes('\nthree\nfour\n'),
        d: bytes('five'),
      });
      const subscription = ' ^------------!';
      const expected = '    -x---(yzu)---(v|)';
      expectObservable(source.pipe(lines(100))).toBe(expected, {
        x: line('one'),
        y: line('two'),
        z: line('three'),
        u: line('four'),
        v: line('five'),
      });
      expectSubscriptions(source.subscriptions).toBe(subscription);
    });
  });

  it('completes without a line where nothing is left', () => {
    scheduler().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-|', { a: bytes('one\n') });
      expectObservable(source.pipe(lines(100))).toBe('-x-|', { x: line('one') });
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });

  it('passes on an error, and the unfinished line is lost with it', () => {
    scheduler().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-#', { a: bytes('one\ntwo') });
      expectObservable(source.pipe(lines(100))).toBe('-x-#', { x: line('one') });
      expectSubscriptions(source.subscriptions).toBe('^--!');
    });
  });

  it('lets go of its source when nobody listens any more', () => {
    scheduler().run(({ hot, expectObservable, expectSubscriptions }) => {
      const source = hot('-a-a-a-a-', { a: bytes('one\n') });
      expectObservable(source.pipe(lines(100)), '^---!').toBe('-x-x-', { x: line('one') });
      expectSubscriptions(source.subscriptions).toBe('^---!');
    });
    scheduler().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-b-|', { a: bytes('one\ntwo\nthree\n'), b: bytes('four\n') });
      expectObservable(source.pipe(lines(100), take(2))).toBe('-(xy|)', { x: line('one'), y: line('two') });
      expectSubscriptions(source.subscriptions).toBe('^!');
    });
  });

  it('keeps each subscriber its own rest', () => {
    const source = new Subject<Uint8Array>();
    const line$ = source.pipe(lines(100));
    const [first, second]: [string[], string[]] = [[], []];
    line$.subscribe((each) => first.push(decoder.decode(each.bytes)));
    source.next(bytes('ab'));
    line$.subscribe((each) => second.push(decoder.decode(each.bytes)));
    source.next(bytes('c\n'));
    expect([first, second]).toEqual([['abc'], ['c']]);
  });

  it('takes the carriage return with the end of the line, wherever the chunks fall', () => {
    const expected = [
      { text: 'one', cut: 0 },
      { text: 't\rwo', cut: 0 },
      { text: '', cut: 0 },
      { text: 'three', cut: 0 },
    ];
    const text = 'one\r\nt\rwo\n\r\nthree\r\n';
    for (let size = 1; size < text.length; size++) expect(linesOf(chunksOf(text, size))).toEqual(expected);
  });

  it('is not disturbed by a reader that uses its buffer again', () => {
    const source = new Subject<Uint8Array>();
    const seen: string[] = [];
    source.pipe(lines(100)).subscribe((each) => seen.push(decoder.decode(each.bytes)));
    const buffer = bytes('one');
    source.next(buffer);
    buffer.set(bytes('xxx'));
    source.next(bytes('\n'));
    expect(seen).toEqual(['one']);
  });

  it('keeps the first bytes of a line that is too long, and counts the others', () => {
    expect(linesOf([bytes('abcdefgh\nxy\n')], 5)).toEqual([
      { text: 'abcde', cut: 3 },
      { text: 'xy', cut: 0 },
    ]);
    expect(linesOf(chunksOf('abcdefgh', 2, 2, 2), 5)).toEqual([{ text: 'abcde', cut: 3 }]);
    expect(linesOf([bytes('abcde\n')], 5)).toEqual([{ text: 'abcde', cut: 0 }]);
    expect(linesOf([bytes('abcd\r\n')], 5)).toEqual([{ text: 'abcd', cut: 0 }]);
  });

  it('does not count the carriage return as a part of the line that was cut', () => {
    expect(linesOf([bytes('abcde\r\n')], 5)).toEqual([{ text: 'abcde', cut: 0 }]);
    expect(linesOf([bytes('abcdefg\r\n')], 5)).toEqual([{ text: 'abcde', cut: 2 }]);
  });

  it('keeps bounded memory of a line that never ends', () => {
    const source = new Subject<Uint8Array>();
    const seen: Line[] = [];
    source.pipe(lines(8_192)).subscribe((each) => seen.push(each));
    const chunk = new Uint8Array(65_536).fill(0x61);
    // 1 GiB: more than what could be kept, as one array or as many.
    for (let index = 0; index < 16_384; index++) source.next(chunk);
    source.next(bytes('\n'));
    const [only] = seen;
    expect(seen).toHaveLength(1);
    expect(only?.bytes).toHaveLength(8_192);
    expect(only?.cut).toBe(16_384 * 65_536 - 8_192);
  });

  it('gives the same lines for any chunks', () => {
    const texts = fc
      .array(fc.constantFrom('a', 'b', '\r', '\n', '\n', 'ü'), { maxLength: 60 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.nat(6), { maxLength: 60 }),
        fc.integer({ min: 1, max: 12 }),
        (text, sizes, max) => {
          expect(linesOf(chunksOf(text, ...sizes), max)).toEqual(linesOf([bytes(text)], max));
        },
      ),
    );
  });

  it('loses no byte of lines that are short enough', () => {
    const texts = fc.array(fc.constantFrom('a', '\n', 'ü', '\t'), { maxLength: 60 }).map((all) => all.join(''));
    fc.assert(
      fc.property(texts, fc.array(fc.nat(6), { maxLength: 60 }), (text, sizes) => {
        const expected = text.split('\n');
        if (expected.at(-1) === '') expected.pop();
        expect(linesOf(chunksOf(text, ...sizes)).map((each) => each.text)).toEqual(expected);
      }),
    );
  });
});
