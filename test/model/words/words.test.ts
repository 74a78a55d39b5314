import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitWords } from '../../../src/model/words/words.ts';

function texts(command: string): readonly string[] | string {
  const split = splitWords(command);
  return split.kind === 'words' ? split.words.map((word) => word.text) : `${split.quote} at ${split.index}`;
}

describe('splitWords', () => {
  it.each<[string, readonly string[] | string]>([
    ['', []],
    ['  \t\n ', []],
    ['a b  c', ['a', 'b', 'c']],
    ['a\tb\nc', ['a', 'b', 'c']],
    [`'a b' "c d"`, ['a b', 'c d']],
    [`a'b'"c"d`, ['abcd']],
    [`'' ""`, ['', '']],
    ['a\\ b', ['a b']],
    ['a\\\nb \\\n c', ['ab', 'c']],
    ['a \\', ['a', '\\']],
    [`'a\\'`, ['a\\']],
    [`"a\\"b\\\\c\\$d\\x"`, ['a"b\\c$d\\x']],
    ['"a\\\nb"', ['ab']],
    [`"it's"`, [`it's`]],
    ['a | b && c; d > e #f *.g $(h) {i,j}', ['a', '|', 'b', '&&', 'c;', 'd', '>', 'e', '#f', '*.g', '$(h)', '{i,j}']],
    [`a 'b`, `' at 2`],
    [`a b"c d`, `" at 3`],
    [`"a\\"`, `" at 0`],
  ])('%j', (command, expected) => {
    expect(texts(command)).toEqual(expected);
  });

  it('knows a tilde that was not quoted', () => {
    const split = splitWords(`~/a '~'/b \\~c "~" x~`);
    expect(split.kind === 'words' && split.words.map((word) => word.tilde)).toEqual([true, false, false, false, false]);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '\\', '\n', '~', '$') }), (text) => {
        expect(['words', 'unclosed']).toContain(splitWords(text).kind);
      }),
    );
  });

  it('gives back what was quoted', () => {
    const single = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;
    const double = (word: string): string => `"${word.replace(/[\\"$`]/g, '\\$&')}"`;
    const word = fc.string({ unit: fc.constantFrom('a', 'é', ' ', '"', "'", '\\', '$', '`', '\t', '\n') });
    fc.assert(
      fc.property(fc.array(word), fc.constantFrom(single, double), (words, quoteWord) => {
        expect(texts(words.map(quoteWord).join(' '))).toEqual(words);
      }),
    );
  });
});
