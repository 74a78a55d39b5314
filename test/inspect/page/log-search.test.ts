import { describe, expect, it } from 'vitest';
import { partsOf, rangesIn, readLogSearch } from '../../../src/inspect/page/log-search.ts';

function found(text: string, line: string): boolean | string {
  const wanted = readLogSearch(text);
  if (wanted.kind === 'text') return rangesIn(line, wanted.pattern) !== undefined;
  if (wanted.kind !== 'expression') return wanted.kind;
  return rangesIn(line, new RegExp(wanted.source, `${wanted.flags}g`)) !== undefined;
}

describe('what is looked for in the log', () => {
  it.each<[string, string, boolean | string]>([
    ['refused', 'connect: Refused by peer', true],
    ['a.b (c', 'see a.b (c) here', true],
    ['a.b', 'see axb here', false],
    ['/a.b/', 'see axb here', true],
    ['/exit [1-9]\\d*$/', 'web: exit 12', true],
    ['/exit [1-9]\\d*$/', 'web: EXIT 12', false],
    ['/exit/i', 'web: EXIT 12', true],
    ['/a/b', 'path /a/b', true],
    ['', 'anything', 'none'],
    ['/', 'anything', 'none'],
    ['/(/', 'anything', 'wrong'],
  ])('%j in %j: %j', (text, line, expected) => {
    expect(found(text, line)).toBe(expected);
  });

  it('is marked wherever it stands, also where the expression matches nothing at all', () => {
    const marked = (line: string, pattern: RegExp) => partsOf(line, rangesIn(line, pattern) ?? []);
    expect(marked('abcabc', /b/g)).toEqual(['a', 'b', 'ca', 'b', 'c']);
    expect(rangesIn('abc', /x*/g)).toEqual([]);
    expect(marked('abc', /x*/g)).toEqual(['abc']);
    expect(marked('xx', /x/g)).toEqual(['', 'x', '', 'x', '']);
    expect(rangesIn('abc', /x/g)).toBeUndefined();
  });
});
