import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, oneLine, printable } from '../../../src/model/words/printable.ts';

const encoder = new TextEncoder();
/** C0 but for the tab, DEL, C1. */
const control = /[^\P{Cc}\t]/u;

function isUnambiguous(text: string): boolean {
  return !/\\x[0-9a-f]{2}/.test(text);
}

/** The bytes that a text stands for. */
function undone(text: string): Uint8Array {
  const pieces = text.split(/(\\x[0-9a-f]{2})/);
  const bytes = pieces.flatMap((piece, index) =>
    index % 2 === 1 ? [Number.parseInt(piece.slice(2), 16)] : [...encoder.encode(piece)],
  );
  return Uint8Array.from(bytes);
}

describe('decodeText', () => {
  it('keeps control characters and line ends', () => {
    expect(decodeText(encoder.encode('a\n\u001bb\r'))).toBe('a\n\u001bb\r');
  });

  it.each([
    ['what looks like an escape', 'C:\\x41', 'C:\\x5cx41'],
    ['what looks like an escaped backslash', '\\x5cx41', '\\x5cx5cx41'],
    ['an escape that is not complete', '\\x4g \\x', '\\x4g \\x'],
  ])('writes %s so that it can be told from one', (_, text, expected) => {
    expect(decodeText(encoder.encode(text))).toBe(expected);
  });

  it('can be undone, whatever the bytes', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 4 }),
      fc.constantFrom('\\x', '\\', 'x5c', 'ff', '\\x41', 'ü').map((text) => encoder.encode(text)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const bytes = Uint8Array.from(pieces.flatMap((each) => [...each]));
        expect(undone(decodeText(bytes))).toEqual(bytes);
        expect(undone(printable(bytes))).toEqual(bytes);
      }),
    );
  });
});

describe('printable', () => {
  it('keeps text, with tabs', () => {
    expect(printable(encoder.encode('grüß\tdich 😀'))).toBe('grüß\tdich 😀');
    expect(printable(new Uint8Array())).toBe('');
  });

  it('writes control characters as bytes, so that no line steers a terminal', () => {
    expect(printable(encoder.encode('\u001b[2Jx\r\u0000\u007f\n'))).toBe('\\x1b[2Jx\\x0d\\x00\\x7f\\x0a');
    expect(printable(encoder.encode('\u009b2J'))).toBe('\\xc2\\x9b2J');
  });

  it('keeps a byte order mark', () => {
    expect(printable(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))).toBe('\ufeffA');
  });

  it.each([
    ['a lone continuation byte', [0x41, 0x80, 0x42], 'A\\x80B'],
    ['a cut sequence', [0xe2, 0x82], '\\xe2\\x82'],
    ['an overlong form', [0xc0, 0xaf], '\\xc0\\xaf'],
    ['a long overlong form', [0xe0, 0x80, 0xaf], '\\xe0\\x80\\xaf'],
    ['a surrogate', [0xed, 0xa0, 0x80], '\\xed\\xa0\\x80'],
    ['more than U+10FFFF', [0xf4, 0x90, 0x80, 0x80], '\\xf4\\x90\\x80\\x80'],
    ['Latin-1 beside UTF-8', [0xfc, 0xc3, 0xbc], '\\xfcü'],
  ])('writes %s as bytes', (_, bytes, text) => {
    expect(printable(Uint8Array.from(bytes))).toBe(text);
  });

  it('never throws, and never lets a control character through', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(printable(bytes)).not.toMatch(control);
      }),
    );
  });

  it('gives ASCII back as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-ascii' }).filter(isUnambiguous), (text) => {
        expect(printable(encoder.encode(text))).toBe(text);
      }),
    );
  });

  it('reads valid UTF-8 as TextDecoder does, also beside a byte that is none', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const texts = fc.string({ unit: 'binary' }).filter((text) => !control.test(text) && isUnambiguous(text));
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = encoder.encode(text);
        expect(printable(bytes)).toBe(decoder.decode(bytes));
        expect(printable(Uint8Array.of(...bytes, 0xff))).toBe(`${text}\\xff`);
      }),
    );
  });
});

describe('oneLine', () => {
  it.each([
    ['a\nb', 'a b'],
    ['a \t\n\n  b', 'a b'],
    ['  a  b\tc  ', 'a  b\tc'],
    ['a\u0007\r\nb', 'a\\x07 b'],
  ])('makes one line of %j: %j', (text, line) => {
    expect(oneLine(text)).toBe(line);
  });

  it('replaces white space with a newline in it, wherever the newline stands', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(' ', '\n', '\t', 'a'), maxLength: 30 }), (text) => {
        expect(oneLine(text)).toBe(text.trim().replace(/\s*\n\s*/g, ' '));
      }),
    );
  });
});
