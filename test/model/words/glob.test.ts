import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileGlob, matchesGlob } from '../../../src/model/words/glob.ts';

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

  it.each([
    ['a-b', 'a[-x]b', true],
    ['axb', 'a[a-cv-z]b', true],
    ['apb', 'a[a-cv-z]b', false],
    ['afb', 'a[a-cb-g]b', true],
    ['a😀b', 'a?b', true],
    ['😀', '[😀-😂]', true],
    ['x😀', '*😀', true],
    ['aa', 'a*a*a', false],
    ['aba', 'a*a', true],
    ['web', '**b', true],
    ['web', 'web*', true],
    ['web', '[', false],
    ['[[[', '[[[', true],
  ])('%j against %j: %j', (value, glob, expected) => {
    expect(matchesGlob(value, glob)).toBe(expected);
  });

  it('matches as a regular expression of the same meaning', () => {
    const pieces = ['*', '?', 'a', 'b', '-', '[ab]', '[!a]', '[a-c]', ']'];
    const meanings = ['.*', '.', 'a', 'b', '-', '[ab]', '[^a]', '[a-c]', '\\]'];
    fc.assert(
      fc.property(
        fc.array(fc.nat(pieces.length - 1), { maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd', '-', ']'), maxLength: 8 }),
        (chosen, text) => {
          const regex = new RegExp(`^${chosen.map((index) => meanings[index]).join('')}$`);
          expect(matchesGlob(text, chosen.map((index) => pieces[index]).join(''))).toBe(regex.test(text));
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

describe('the work of a glob', () => {
  const stepsOf = (text: string, glob: string): number => {
    const work = { left: 1_000_000 };
    compileGlob(glob).matches(text, work);
    return 1_000_000 - work.left;
  };

  it.each([
    ['other letters at its beginning', 'web-service', 'store*'],
    ['other letters at its end', 'web-service', '*e*e*e*store'],
    ['more letters than there are', 'web-service', `${'*e'.repeat(30_000)}`],
  ])('is next to nothing where the text has %s', (_, text, glob) => {
    expect(stepsOf(text, glob)).toBeLessThanOrEqual(1 + text.length);
  });

  it('grows with the length of the text for any number of stars in a row', () => {
    expect(stepsOf('a'.repeat(1_000), '*'.repeat(60_000))).toBeLessThan(2_100);
  });

  it('is given up where it is more than there is to spend', () => {
    const text = 'a'.repeat(5_000);
    const glob = `*${'a*'.repeat(100)}${'a'.repeat(1_000)}b*`;
    const work = { left: 10_000 };
    expect(compileGlob(glob).matches(text, work)).toBe(false);
    expect(work.left).toBe(-1);
    expect(matchesGlob(text, glob)).toBe(false);
  });
});
