import { describe, expect, it } from 'vitest';
import { compileSelector, parseSelector } from '../../../src/model/log/selector.ts';

describe('the spelling of Python', () => {
  const matches = (regex: string, message: string) =>
    compileSelector(`/${regex}/.*`)({ time: 0, facility: 'user', severity: 'info', program: '', message });

  it.each([
    ['(?P<who>root|admin) by (?P<whom>\\w+)', 'root by root', 'root, admin'],
    ['\\Aready\\Z', 'ready', 'not ready'],
    ['(?i)ERROR', 'error', 'ok'],
    ['(?au)ERROR', 'error', 'ok'],
    ['a(?i)B', 'ab', 'ac'],
    ['a{,2}b$', 'aab', 'aac'],
    ['[]x]y', ']y', 'zy'],
    ['[^]x]y', 'zy', ']y'],
    ['a(?#a comment)b', 'ab', 'a(?#a comment)b'.slice(1, 3)],
    ['a\\/b', 'a/b', 'a\\b'],
    ['[(?P<]n', '<n', 'xn'],
  ])('%s matches %j and not %j', (regex, yes, no) => {
    expect([matches(regex, yes), matches(regex, no)]).toEqual([true, false]);
  });

  it('is refused where it means what RE2 lacks, with what to write instead', () => {
    expect(() => compileSelector('/(?x)a b/.*')).toThrow('invalid or unsupported Perl syntax: (?x');
    expect(parseSelector('*.*;/(?!.*health).*GET/.*')).toEqual({
      ok: false,
      index: 5,
      length: 3,
      message: 'the regular expression /(?!.*health).*GET/ cannot be used: it has a look-around, (?!…)',
      hint: 'to leave records out, add a part that excludes them, such as "!/REGEX/.*"',
    });
    expect(parseSelector('/(\\w+) \\1/.*')).toMatchObject({
      index: 7,
      length: 2,
      hint: expect.stringMatching(/write out/),
    });
  });
});
