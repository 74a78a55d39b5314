import { describe, expect, it } from 'vitest';
import { matchesGlob } from '../../../src/model/words/glob.ts';

describe('matchesGlob', () => {
  it.each([
    ['', '', true],
    ['abc', 'ABC', false],
    ['abc', 'a*', true],
    ['abc', '*c', true],
    ['abc', 'a?c', true],
    ['abc', 'a[a-c]c', true],
    ['abc', 'a[!b]c', false],
    ['a]c', 'a[]]c', true],
    ['a[c', 'a[c', true],
    ['abc', 'ab', false],
    ['', '*', true],
    ['', '?', false],
    ['aXbXc', '*X*X*', true],
  ])('%j against %j: %j', (value, glob, expected) => {
    expect(matchesGlob(value, glob)).toBe(expected);
  });

  it('is quick for many stars', () => {
    expect(matchesGlob('a'.repeat(5000), '*a*a*a*a*a*a*a*b')).toBe(false);
  });
});
