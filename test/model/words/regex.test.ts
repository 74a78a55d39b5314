import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRegex, type RegexFlags } from '../../../src/model/words/regex.ts';
import { tries } from '../../effort.ts';

const records: RegexFlags = { ignoreCase: true, dotAll: true };

function compiled(source: string, flags: RegexFlags = records) {
  const result = compileRegex(source, flags);
  if (!result.ok) throw new Error(`${source}: ${result.reason}`);
  return result.regex;
}

const javaScriptFlags = ({ ignoreCase, dotAll }: RegexFlags) => `${ignoreCase ? 'i' : ''}${dotAll ? 's' : ''}u`;
const anyFlags = fc.record({ ignoreCase: fc.boolean(), dotAll: fc.boolean() });
/** K and s have a third form each, the Kelvin sign and the long s. */
const letters = ['a', 'b', 'k', 's', 'K', '1', ' ', 'A', 'S', '\n', '\u212a', '\u017f', 'é', '(', '/'];
const texts = fc.array(fc.constantFrom(...letters), { maxLength: 12 }).map((all) => all.join(''));

/** The two are letters of a word to JavaScript under the flags i and u, and not to RE2, for which words are plain ASCII. */
const heard = (source: string, text: string) => (source.includes('\\b') ? text.replace(/[\u212a\u017f]/g, '') : text);

/**
 * An expression and how often a backtracking engine has a choice in it. JavaScript, which is compared with, would take for ever
 * on many choices.
 */
interface Drawn {
  readonly source: string;
  readonly choices: number;
}

const mostChoices = 6;

describe('a regular expression', () => {
  const fixed = [
    'a',
    'b',
    'k',
    's',
    '.',
    '\\d',
    '[ab]',
    '[^a]',
    '^',
    '$',
    '\\b',
    'ab',
    'ks',
    'as{2}',
    '\\(',
    '\\/',
    '[\\]k]',
  ];
  const leaf = fc.oneof(
    fc.constantFrom(...fixed).map((source): Drawn => ({ source, choices: 0 })),
    fc.constantFrom('.*', '.+', '.*?', 'a?', 's*', 'b+k').map((source): Drawn => ({ source, choices: 1 })),
  );
  const together = (all: readonly Drawn[], separator: string, more: number): Drawn => ({
    source: all.map(({ source }) => source).join(separator),
    choices: all.reduce((sum, { choices }) => sum + choices, more),
  });
  const group = (open: string, { source, choices }: Drawn, times: string, copies: number): Drawn => {
    const isLoop = /[*+]/.test(times);
    return isLoop && choices > 0
      ? { source: `${open}${source})`, choices }
      : { source: `${open}${source})${times}`, choices: choices * copies + (times === '' ? 0 : copies) };
  };
  const { source: sources } = fc.letrec<{ source: Drawn; item: Drawn }>((tie) => ({
    source: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.array(tie('item'), { minLength: 1, maxLength: 4 }).map((items) => together(items, '', 0)),
      },
      { weight: 1, arbitrary: fc.tuple(tie('source'), tie('source')).map((pair) => together(pair, '|', 1)) },
    ),
    item: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc
        .tuple(
          fc.constantFrom('(?:', '('),
          tie('source'),
          fc.constantFrom<[string, number]>(
            ['', 1],
            ['*', 1],
            ['+', 1],
            ['?', 1],
            ['{2}', 2],
            ['{1,2}', 2],
            ['{0,3}?', 3],
            ['+?', 1],
          ),
        )
        .map(([open, all, [times, copies]]) => group(open, all, times, copies)),
    ),
  }));
  const drawn = sources.filter(({ choices }) => choices <= mostChoices).map(({ source }) => source);

  it('answers as JavaScript does', () => {
    fc.assert(
      fc.property(drawn, fc.array(texts, { minLength: 1, maxLength: 8 }), anyFlags, (source, some, flags) => {
        const { test } = compiled(source, flags);
        const all = some.map((text) => heard(source, text));
        const expected = new RegExp(source, javaScriptFlags(flags));
        expect(all.map((text) => [text, test(text)])).toEqual(all.map((text) => [text, expected.test(text)]));
      }),
      { numRuns: 3000 },
    );
  });

  it('replaces as JavaScript does', () => {
    const items = fc.constantFrom(
      'a',
      '[ab]',
      '(k)',
      '(?:s|b)',
      '.',
      'a*',
      'k?',
      '(s+)',
      '\\b',
      '$',
      '(a|b){2}',
      'b*?',
    );
    const source = fc.array(items, { minLength: 1, maxLength: 4 }).map((all) => all.join(''));
    fc.assert(
      fc.property(source, texts, anyFlags, (written, any, flags) => {
        const text = heard(written, any);
        const expected = text.replace(new RegExp(written, `${javaScriptFlags(flags)}g`), (match, ...rest) => {
          const groups = rest.slice(0, -2).map((group) => group ?? '-');
          return `<${[match, ...groups].join(',')}>`;
        });
        const replaced = compiled(written, flags).replaceAll(
          text,
          (match, groups) => `<${[match, ...groups.map((group) => group ?? '-')].join(',')}>`,
        );
        expect(replaced).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a.*b.*c', 'xaxbxc', true],
    ['a.*b.*c', 'cba', false],
    ['(GET|POST).*x', 'POSTx', true],
    ['^.*$', '', true],
    ['x{2,}y', 'xxxy', true],
    ['\\x61\\u0062', 'ab', true],
    ['[\\u0061]b', 'ab', true],
    ['\\U0001f600', '\u{1f600}', true],
    ['^.$', '\u{1f600}', true],
    ['\\é', 'É', true],
    ['a{x', 'A{X', true],
    ['[[:digit:]]x', '1x', true],
    ['[[:^digit:]]x', '1x', false],
    ['[a[:^digit:]]]', 'a]', true],
    ['ab{0}c', 'ac', true],
    ['(?i:AB)c', 'abc', true],
    ['a\\/b\\-', 'A/B-', true],
    // What stands for a character in one engine and not in the other, behind something that has to be there.
    ['\\Qa.b\\E', 'a.b', true],
    ['\\pLx', 'éx', true],
  ])('%s in %j: %s', (source, text, expected) => {
    expect(compiled(source).test(text)).toBe(expected);
  });
});

describe('an expression that a backtracking engine would hang on', () => {
  const long = `${'a'.repeat(20_000)}!`;

  it.each([
    '^(a+)+$',
    '^(a|a)*$',
    '^([a-zA-Z]+)*$',
    '(.*)*x$',
    '^(a|aa)+$',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(\\w+\\s*)+:',
    '(.*?,){11}P',
    '(a*)*b',
    '\\d*a*a*a*a*a*a*a*a*b',
    '(?:(?:a{1,20}){1,20})x',
    '!(?:[a-z]?){600}x',
    '(a?){30}a{30}b',
    '^(.*)\\s+failed(.*)\\s+by(.*)x$',
  ])('looks through a long text once: %s', (source) => {
    // Cases matter here, so that the engine itself is asked.
    const { test, replaceAll } = compiled(source, {});
    expect(test(long)).toBe(false);
    expect(replaceAll(long, () => '')).toBe(long);
  });
});

describe('an expression that cannot be used', () => {
  it.each([
    ['a(', 'missing closing )', undefined],
    ['a)', 'unexpected )', undefined],
    ['[a', 'missing closing ]: [a', '[a'],
    ['ab**', 'invalid nested repetition operator: **', '**'],
    ['a*+', 'invalid nested repetition operator: *+', '*+'],
    ['x\\e', 'invalid escape sequence: \\e', '\\e'],
    ['x{1001}', 'invalid repeat count: {1001}', '{1001}'],
    ['(?x)a b', 'invalid or unsupported Perl syntax: (?x', '(?x'],
    ['(?>a)', 'invalid or unsupported Perl syntax: (?>', '(?>'],
    ['[z-a]', 'invalid character class range: z-a', 'z-a'],
    ['a\\', 'trailing backslash at end of expression', undefined],
  ])('is told with its place: %s', (source, reason, at) => {
    const result = compileRegex(source, records);
    const place = result.ok ? undefined : result.at;
    expect(result).toMatchObject({ ok: false, reason });
    expect(place && source.slice(place.index, place.index + place.length)).toBe(at);
  });

  it.each([
    ['(?!.*health).*GET', 'it has a look-around, (?!…)', 'look-around'],
    ['a(?=b)', 'it has a look-around, (?=…)', 'look-around'],
    ['(?<=a)b', 'it has a look-around, (?<=…)', 'look-around'],
    ['(?<!a)b', 'it has a look-around, (?<!…)', 'look-around'],
    ['(\\w+) \\1', 'it has a back-reference, \\1', 'back-reference'],
    ['(?P<n>a)(?P=n)', 'it has a back-reference, (?P=…)', 'back-reference'],
  ])('is told by what no linear-time engine has: %s', (source, reason, lacks) => {
    expect(compileRegex(source, records)).toMatchObject({ ok: false, reason, lacks });
  });

  it('is told by its size', () => {
    expect(compileRegex('a'.repeat(2_001))).toMatchObject({ reason: 'it has 2001 characters, and 2000 are allowed' });
    expect(compileRegex('(?:ab){1000}c{900}')).toMatchObject({
      reason: expect.stringMatching(/^it compiles to \d+ instructions, and 2000 are allowed$/),
    });
    expect(compileRegex('a{1000}b{900}').ok).toBe(true);
  });

  it.each([
    ['}(?)*', '', true],
    ['ab(?i)*c', 'ac', true],
    ['ab(?s)?', 'a', true],
    ['a(?i)b', 'AB', true],
    ['(?i)ab', 'AB', true],
    ['(?i)ab', 'ac', false],
  ])('finds what the engine finds where flags stand in it: %s in %j', (source, text, found) => {
    const result = compileRegex(source, records);
    expect(result.ok && result.regex.test(text)).toBe(found);
  });

  it('is never an exception', () => {
    const pieces = fc.constantFrom(
      ...'()[]{}|*+?\\.^$<>=!:,-P#&abz019é/'.split(''),
      '(?',
      '(?P<',
      '[[:',
      ':]',
      '\\Q',
      '\\p{',
    );
    fc.assert(
      fc.property(
        fc.array(pieces, { maxLength: 30 }).map((all) => all.join('')),
        texts,
        (source, text) => {
          const result = compileRegex(source, records);
          if (!result.ok) {
            const { index, length } = result.at ?? { index: 0, length: 0 };
            expect(index + length).toBeLessThanOrEqual(source.length);
            return;
          }
          // What is looked for first never hides what the engine would find.
          let found = false;
          result.regex.replaceAll(text, () => {
            found = true;
            return '';
          });
          expect(result.regex.test(text)).toBe(found);
        },
      ),
      { numRuns: tries(1_000, 20_000) },
    );
  });
});
