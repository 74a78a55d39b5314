import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRegex, regexHazard } from '../../src/model/regex-safety.ts';
import { compileSelector } from '../../src/model/selector.ts';

describe('a regular expression that can hang', () => {
  it.each([
    '(a+)+$',
    '^(a|a)*$',
    '([a-zA-Z]+)*$',
    '(.*)*x',
    '(a|aa)+$',
    '^(([a-z])+.)+[A-Z]([a-z])+$',
    '(x+x+)+y',
    '(\\w+\\s*)+:',
    '^(\\d+)*\\.$',
    '(.*?,){11}P',
    '(a*)*b',
    '((a+)b?)+c',
    '(\\w*)+\\W\\d',
    '(?=(a+)+b)',
    '(?<!(a+)+b)c',
    '(\\S+\\s*)*error$',
    '(foo|foo\\w+)*bar',
    '^(?:.*,)*x',
    '(a|A)*x',
    '(?:\\w|k)+x$',
    '(?:a|b|ab)*c',
    '(?:(?:a{1,20}){1,20})x',
  ])('is refused where its ways grow exponentially: %s', (source) => {
    expect(regexHazard(source, 'is')).toMatch(/in exponentially many ways, .*catastrophic backtracking/);
  });

  it('is refused with the part that does it', () => {
    expect(regexHazard('^ok|user: (\\w+,?)*$', 'is')).toMatch(/^"\(\\w\+,\?\)\*" can match/);
  });

  it.each([
    '\\d+\\d+\\d+x',
    '^(.*)\\s+failed(.*)\\s+by(.*)x$',
    '(.+)\\1x',
    '(?:a|a){6}(?:a|a){6}(?:a|a){6}b',
    // It may begin anywhere: what looks like an anchor is none, or not of every choice.
    '$b*b{0,40}.+',
    '\\bb*b{0,40}.+',
    '(?:^|x)b*b{0,40}.+',
  ])('is refused where a long message would take too long: %s', (source) => {
    expect(regexHazard(source, 'is')).toMatch(/^a message could take it some .* steps/);
  });

  it('is refused where it cannot be judged', () => {
    expect(regexHazard(`x${'[a-z]?'.repeat(600)}x`, 'is')).toMatch(/too (long|intricate)/);
    expect(regexHazard('(a?){30}a{30}', 'is')).toMatch(/what may be empty/);
  });
});

describe('a usual regular expression', () => {
  it.each([
    'error',
    '^sshd',
    'foo|bar|baz',
    'sshd\\[\\d+\\]',
    '\\bfail(ed|ure)?\\b',
    '[0-9]{1,3}(\\.[0-9]{1,3}){3}',
    'GET /.*\\.php',
    '^(foo|bar): ',
    'user \\S+ from',
    '\\d+ ms',
    '^\\s*$',
    'error.*timeout',
    'sshd.*failed.*root',
    '(GET|POST).*foo.*bar',
    '(CMD|RELOAD) \\(.*\\)',
    '"level":"(error|fatal)"',
    '^<13>',
    'Accepted (password|publickey) for \\w+',
    '.*error.*',
    '^.*$',
    '(?!.*healthcheck).*GET',
    'took [0-9]{4,} ms',
    '^(?:[a-z0-9]+\\.)+[a-z]{2,}$',
    'postfix/(smtpd|smtp)\\[\\d+\\]: .*(reject|warning):',
    '(\\w+) \\1',
    'a.{0,100}b.{0,100}c',
    '^b*b{0,40}.+',
    '(^)b*b{0,40}.+',
    '(?:^x|^y)b*b{0,40}.+',
  ])('is not refused: %s', (source) => {
    expect(regexHazard(source, 'is')).toBeUndefined();
  });
});

describe('compileRegex', () => {
  const leaf = fc.constantFrom('a', 'b', '.', '\\d', '[ab]', '[^a]', '^', '$', '\\b', 'ab', '.*', '.+', '.*?', 'a?');
  const { source: sources } = fc.letrec<{ source: string; item: string }>((tie) => ({
    source: fc.oneof(
      { weight: 4, arbitrary: fc.array(tie('item'), { minLength: 1, maxLength: 4 }).map((items) => items.join('')) },
      { weight: 1, arbitrary: fc.tuple(tie('source'), tie('source')).map((pair) => pair.join('|')) },
    ),
    item: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc
        .tuple(fc.constantFrom('(', '(?:', '(?=', '(?!', '(?<=', '(?<!'), tie('source'))
        .map(([open, all]) => `${open}${all})`),
      fc
        .tuple(
          fc.constantFrom('(?:', '('),
          tie('source'),
          fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '{0,3}?', '+?'),
        )
        .map(([open, all, times]) => `${open}${all})${times}`),
    ),
  }));
  const texts = fc.array(fc.constantFrom('a', 'b', '1', ' ', 'A', '\n'), { maxLength: 12 }).map((all) => all.join(''));

  it('answers as JavaScript does', () => {
    fc.assert(
      fc.property(
        sources,
        fc.array(texts, { minLength: 1, maxLength: 8 }),
        fc.constantFrom('is', 'i', 's'),
        (source, all, flags) => {
          fc.pre(source.length < 80 && regexHazard(source, flags) === undefined);
          const test = compileRegex(source, flags);
          const expected = new RegExp(source, flags);
          expect(all.map((text) => [text, test(text)])).toEqual(all.map((text) => [text, expected.test(text)]));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a.*b.*c', 'xaxbxc', true],
    ['a.*b.*c', 'cba', false],
    ['a.+b', 'ab', false],
    ['a.+b', 'aab', true],
    ['(GET|POST).*x', 'POSTx', true],
    ['^.*$', '', true],
    ['.*', '', true],
    ['(\\w+) \\1', 'the the', true],
    ['(?<n>a)\\k<n>', 'aa', true],
    ['[]]?x', 'x', false],
    ['x{2,}y', 'xxxy', true],
    ['a{,3}', 'a{,3}', true],
    ['\\x61\\u0062', 'ab', true],
  ])('%s in %j: %s', (source, text, expected) => {
    expect(compileRegex(source, 'is')(text)).toBe(expected);
    expect(new RegExp(source, 'is').test(text)).toBe(expected);
  });
});

describe('the spelling of Python', () => {
  const matches = (regex: string, message: string) =>
    compileSelector(`/${regex}/.*`)({ time: 0, facility: 'user', severity: 'info', program: '', message });

  it.each([
    ['(?P<who>root|admin) by (?P=who)', 'root by root', 'root by admin'],
    ['\\Aready\\Z', 'ready', 'not ready'],
    ['(?i)ERROR', 'error', 'ok'],
    ['a{,2}b$', 'aab', 'aac'],
    ['[]x]y', ']y', 'zy'],
    ['[^]x]y', 'zy', ']y'],
    ['a(?#a comment)b', 'ab', 'a(?#a comment)b'.slice(1, 3)],
    ['a\\/b', 'a/b', 'a\\b'],
    ['[(?P<]n', '<n', 'xn'],
  ])('%s matches %j and not %j', (regex, yes, no) => {
    expect([matches(regex, yes), matches(regex, no)]).toEqual([true, false]);
  });

  it('is refused where it means what JavaScript lacks', () => {
    expect(() => compileSelector('/(?x)a b/.*')).toThrow('(?x) is not understood here');
    expect(() => compileSelector('/a(?i)b/.*')).toThrow('cannot be used');
  });
});
