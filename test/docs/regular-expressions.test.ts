import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileRegex } from '../../src/model/words/regex.ts';

const page = readFileSync(new URL('../../docs/reference/regular-expressions.md', import.meta.url), 'utf8');

/** The contents in backticks of a table's row; a bar is escaped in a table. */
const cells = (row: string) =>
  [...row.matchAll(/`((?:\\\||[^`])*)`/g)].map(([, cell = '']) => cell.replaceAll('\\|', '|'));

describe('docs/reference/regular-expressions.md', () => {
  const [examples = '', foreign = ''] = page.split('Features that only a backtracking engine has');

  it.each(examples.split('\n').filter((line) => line.startsWith('| `')))('is true of %s', (row) => {
    const [source = '', yes = '', no = ''] = cells(row);
    const result = compileRegex(source, { ignoreCase: true, dotAll: true });
    const test = result.ok ? result.regex.test : () => undefined;
    expect([test(yes), test(no)]).toEqual([true, false]);
  });

  it.each(foreign.split('\n').filter((line) => line.startsWith('| `')))('names what is a mistake: %s', (row) => {
    for (const written of cells(row.split(' | ')[0] ?? '')) {
      expect([written, compileRegex(`(?P<who>a)${written.replace('…', 'b')}`).ok]).toEqual([written, false]);
    }
  });
});
