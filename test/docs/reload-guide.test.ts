import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { inPlaceDirectives } from '../../src/model/order/reload-plan.ts';

it('docs/guide/reload.md names what changes in place', () => {
  const guide = readFileSync(new URL('../../docs/guide/reload.md', import.meta.url), 'utf8');
  const [, cell = ''] = /^\| change \| ([^|]*) \|/m.exec(guide) ?? [];
  const named = [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  // The order is one thing, whichever end of it a configuration names.
  const expected = inPlaceDirectives.flatMap((directive) => directive.split(', '));
  expect(named.filter((name) => name !== 'before').sort()).toEqual(expected.sort());
});
