import { describe, expect, it } from 'vitest';
import { cutList } from '../../../src/model/words/cut-list.ts';
import { dateOf } from '../../../src/model/words/date.ts';
import { isObject } from '../../../src/model/words/json.ts';
import { alternatives, didYouMean, nearest } from '../../../src/model/words/nearest.ts';
import { wrap } from '../../../src/model/words/wrap.ts';

describe('texts for people', () => {
  it('are broken at spaces into lines of a width, and a longer word stands alone', () => {
    expect(wrap('a bc def', 4)).toEqual(['a bc', 'def']);
    expect(wrap('ab cd ef', 5)).toEqual(['ab cd', 'ef']);
    expect(wrap('ab cd ef', 4)).toEqual(['ab', 'cd', 'ef']);
    expect(wrap('abcdefgh i j', 3)).toEqual(['abcdefgh', 'i j']);
    expect(wrap('', 3)).toEqual(['']);
  });

  it('hold so many members of a list, and the number of the others', () => {
    expect(cutList(['a', 'b', 'c'], 3)).toBe('a, b, c');
    expect(cutList(['a', 2, 'c', 'd'], 2)).toBe('a, 2 and 2 more');
    expect(cutList([], 2)).toBe('');
  });

  it('hold an instant to the second', () => {
    expect(dateOf(1_893_456_000_999)).toBe('2030-01-01T00:00:00Z');
    expect(dateOf(Number.NaN)).toBe('?');
  });

  it('join what may be chosen', () => {
    expect(alternatives([])).toBe('');
    expect(alternatives(['a'])).toBe('a');
    expect(alternatives(['a', 'b'])).toBe('a or b');
    expect(alternatives(['a', 'b', 'c'])).toBe('a, b or c');
  });
});

it.each<[unknown, boolean]>([
  [{}, true],
  [{ a: 1 }, true],
  [null, false],
  [[], false],
  ['a', false],
  [undefined, false],
])('%j is an object: %s', (value, is) => {
  expect(isObject(value)).toBe(is);
});

describe('the word that was meant', () => {
  it.each<[string, readonly string[], string | undefined]>([
    ['comand', ['uid', 'command', 'commands'], 'command'],
    ['COMMAND', ['command'], 'command'],
    ['uod', ['gid', 'uid'], 'uid'],
    // Two letters of three are another word.
    ['abc', ['axy'], undefined],
    ['abcdef', ['abcdxy'], 'abcdxy'],
    ['abcdef', ['abcxyz'], undefined],
    ['ab', ['ba'], 'ba'],
    ['a', ['b'], 'b'],
    ['a', ['abc'], undefined],
    ['before', ['befroe', 'bexxre'], 'befroe'],
    ['before', ['bexxre', 'befroe'], 'befroe'],
    ['uid', ['gid', 'uit'], 'gid'],
    ['abcde', ['xabcde', 'abcde'], 'abcde'],
    ['x', [], undefined],
  ])('%j among %j is %j', (word, candidates, meant) => {
    expect(nearest(word, candidates)).toBe(meant);
    expect(didYouMean(word, candidates)).toBe(meant === undefined ? undefined : `did you mean "${meant}"?`);
  });

  it('is looked for up to a hundred characters', () => {
    const long = 'x'.repeat(100);
    expect(nearest(long, [long])).toBe(long);
    expect(nearest(`${long}x`, [long])).toBeUndefined();
  });
});
