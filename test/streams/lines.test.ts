import fc from 'fast-check';
import { from, Subject, take } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type Line, type LineCutter, lines } from '../../src/streams/lines.ts';

const encoder = new TextEncoder();

function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

function line(text: string): Line {
  return { text, continues: false, continued: false };
}

function scheduler(): TestScheduler {
  return new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
}

/** All lines of some chunks. */
function linesOf(chunks: readonly Uint8Array[], maxBytes = 1_000): readonly Line[] {
  const all: Line[] = [];
  from(chunks)
    .pipe(lines(maxBytes))
    .subscribe((each) => all.push(each));
  return all;
}

/** The texts of lines, with `+` for each side on which a further piece of the line follows. */
function piecesOf(chunks: readonly Uint8Array[], maxBytes: number): readonly string[] {
  return linesOf(chunks, maxBytes).map(
    ({ text, continues, continued }) => `${continues ? '+' : ''}${text}${continued ? '+' : ''}`,
  );
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

  it('passes on an error, after the unfinished line', () => {
    scheduler().run(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold('-a-#', { a: bytes('one\ntwo') });
      expectObservable(source.pipe(lines(100))).toBe('-x-(y#)', { x: line('one'), y: line('two') });
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
    line$.subscribe((each) => first.push(each.text));
    source.next(bytes('ab'));
    line$.subscribe((each) => second.push(each.text));
    source.next(bytes('c\n'));
    expect([first, second]).toEqual([['abc'], ['c']]);
  });

  it('is not disturbed by a reader that uses its buffer again', () => {
    const source = new Subject<Uint8Array>();
    const seen: string[] = [];
    source.pipe(lines(100)).subscribe((each) => seen.push(each.text));
    const buffer = bytes('one');
    source.next(buffer);
    buffer.set(bytes('xxx'));
    source.next(bytes('\n'));
    expect(seen).toEqual(['one']);
  });

  it('divides a line that is too long', () => {
    expect(piecesOf([bytes('abcdefgh\nxy\n')], 5)).toEqual(['abcde+', '+fgh', 'xy']);
    expect(piecesOf(chunksOf('abcdefghijklm', 2, 2, 2), 5)).toEqual(['abcde+', '+fghij+', '+klm']);
    expect(piecesOf([bytes('abcde\n')], 5)).toEqual(['abcde']);
    expect(piecesOf([bytes('abcdefghij\n')], 5)).toEqual(['abcde+', '+fghij']);
  });

  it('divides no character', () => {
    expect(piecesOf([bytes('abcü\n')], 4)).toEqual(['abc+', '+ü']);
    expect(piecesOf([bytes('a😀😀\n')], 5)).toEqual(['a😀+', '+😀']);
    expect(piecesOf([bytes('ab😀\n')], 5)).toEqual(['ab+', '+😀']);
    // No text at all: it is divided where the bytes are too many.
    expect(piecesOf([new Uint8Array(6).fill(0x80)], 4)).toEqual(['\\x80\\x80\\x80\\x80+', '+\\x80\\x80']);
  });

  it('keeps bounded memory of a line that never ends', () => {
    const source = new Subject<Uint8Array>();
    let longest = 0;
    let total = 0;
    let cutter: LineCutter | undefined;
    const take = lines(8_192, (made) => {
      cutter = made;
    });
    source.pipe(take).subscribe(({ text }) => {
      longest = Math.max(longest, text.length);
      total += text.length;
    });
    const chunk = new Uint8Array(65_536).fill(0x61);
    for (let index = 0; index < 1_024; index++) {
      source.next(chunk);
      expect(cutter?.rest.length).toBeLessThanOrEqual(8_192);
    }
    source.next(bytes('\n'));
    expect({ longest, total }).toEqual({ longest: 8_192, total: 1_024 * 65_536 });
  });

  it('shows the unfinished line, and emits it when that is asked for', () => {
    const source = new Subject<Uint8Array>();
    const seen: string[] = [];
    const cutters: LineCutter[] = [];
    source.pipe(lines(100, (made) => cutters.push(made))).subscribe(({ text }) => seen.push(text));
    const [cutter] = cutters;
    source.next(bytes('one\ntw'));
    expect(cutter?.rest).toBe('tw');
    cutter?.end();
    cutter?.end();
    source.next(bytes('o\n'));
    expect({ seen, rest: cutter?.rest }).toEqual({ seen: ['one', 'tw', 'o'], rest: '' });
  });

  it('gives the same lines for any chunks', () => {
    const texts = fc
      .array(fc.constantFrom('a', 'b', '\r', '\n', '\n', 'ü', '😀'), { maxLength: 60 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.nat(6), { maxLength: 60 }),
        fc.integer({ min: 4, max: 12 }),
        (text, sizes, max) => {
          expect(linesOf(chunksOf(text, ...sizes), max)).toEqual(linesOf([bytes(text)], max));
        },
      ),
    );
  });

  it('loses no byte, however short the pieces are', () => {
    const texts = fc.array(fc.constantFrom('a', 'ü', '😀', '\n'), { maxLength: 60 }).map((all) => all.join(''));
    fc.assert(
      fc.property(texts, fc.integer({ min: 4, max: 9 }), (text, max) => {
        const joined = linesOf([bytes(text)], max).map((each) => `${each.text}${each.continued ? '' : '\n'}`);
        const expected = text === '' || text.endsWith('\n') ? text : `${text}\n`;
        expect(joined.join('')).toBe(expected);
      }),
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
