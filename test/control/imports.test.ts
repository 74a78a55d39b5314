import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const folder = new URL('../../src/control/', import.meta.url);

/** What each file imports of its own folder, types included. */
const imports = new Map(
  readdirSync(folder).map((file): [string, readonly string[]] => [
    file,
    [...readFileSync(new URL(file, folder), 'utf8').matchAll(/from '\.\/([^']+)'/g)].map(([, name = '']) => name),
  ]),
);

/** The way from a file back to itself. */
function circle(file: string, way: readonly string[] = []): readonly string[] | undefined {
  if (way.includes(file)) return [...way, file];
  for (const next of imports.get(file) ?? []) {
    const found = circle(next, [...way, file]);
    if (found !== undefined) return found;
  }
  return undefined;
}

it.each([...imports.keys()])('%s imports nothing that imports it', (file) => {
  expect(circle(file)).toBeUndefined();
});
