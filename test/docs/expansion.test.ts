import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createExpander } from '../../src/model/words/expand.ts';

const page = readFileSync(new URL('../../docs/reference/expansion.md', import.meta.url), 'utf8');
const values = new Map([
  ['V', 'value'],
  ['W', 'two words'],
  ['E', ''],
  ['P', '/usr/lib:/usr/bin'],
]);

const rows = [...page.matchAll(/^\| `([^`]+)` \| (?:`([^`]+)`|error) \|/gm)]
  // In a table of Markdown a bar is escaped.
  .map(([, form = '', gives]) => [form.replaceAll('\\|', '|'), gives] as const)
  .filter(([form]) => form.includes('$'));

describe('docs/reference/expansion.md', () => {
  it.each(rows)('%s gives %s', (form, gives) => {
    const expand = (): string => createExpander([{ values }]).expand(form);
    if (gives === undefined) expect(expand).toThrow('U is needed');
    else expect(expand()).toBe(gives);
  });

  it('shows every form', () => {
    expect(rows.length).toBeGreaterThanOrEqual(14);
  });
});
