import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { invariantNames } from '../simulation/invariants.ts';
import { promises } from '../simulation/promises.ts';

const path = new URL('../../docs/guide/worlds.md', import.meta.url);
const section = /(?<=\| invariant \| [^\n]+\n\|---\|---\|\n)(?:\|[^\n]*\n)*/;

it('the guide to worlds has each invariant with its promise (else: npm run docs)', () => {
  const text = readFileSync(path, 'utf8');
  const rows = invariantNames.map((name) => `| ${name} | ${promises[name]} |\n`).join('');
  if (process.env['UPDATE_DOCS'] === '1')
    writeFileSync(
      path,
      text.replace(section, () => rows),
    );
  expect(section.exec(readFileSync(path, 'utf8'))?.[0]).toBe(rows);
});
