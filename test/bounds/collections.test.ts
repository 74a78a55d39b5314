/** A new collection in a room that lives as long as the container needs a bound, or a reason, in collections.ts. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collections } from './collections.ts';

const root = join(import.meta.dirname, '../..');
const rooms = ['cli', 'control', 'facts', 'inspect', 'model', 'platform', 'runtime', 'streams'];
/** The page lives in a browser; the simulated kernel and engine live in forecasts and tests. */
const elsewhere = /^(inspect\/page\/|runtime\/simulated\/|platform\/engine\/simulated)/;

/** A field, a collection of a module that begins empty, and a field that the constructor makes; the default of a parameter ends with a comma. */
const collection =
  /^(?: {2}(?:readonly )?(#?\w+)(?:: [^=\n]+)? = (?:new (?:Map|Set|Ring|SizedRing)\b(?!.*,$)|\[\];)|(?:const|let) (\w+)(?:: [^=\n]+)? = (?:new (?:Map|Set)(?:<.*>)?\(\)|\[\];)| {4}this\.(#?\w+) = (?:new (?:Map|Set|Ring|SizedRing)\b|\[\];))/gm;

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return filesIn(path);
    return /\.tsx?$/.test(name) ? [path] : [];
  });
}

function collectionsIn(source: string): readonly string[] {
  const names = [...source.matchAll(collection)].map(([, field, variable, made]) => field ?? variable ?? made ?? '');
  return [...new Set(names)];
}

describe('the collections of what lives as long as the container', () => {
  const found = Object.fromEntries(
    rooms
      .flatMap((room) => filesIn(join(root, 'src', room)))
      .map((path) => [path.slice(join(root, 'src').length + 1), collectionsIn(readFileSync(path, 'utf8'))] as const)
      .filter(([file, names]) => names.length > 0 && !elsewhere.test(file)),
  );

  it('have a bound or a reason each, and no entry is out of date', () => {
    // This one is a variable of a function, which the search does not see.
    const { 'streams/exit-router.ts': _, ...listed } = collections;
    const names = Object.entries(listed).map(([file, bounds]) => [file, Object.keys(bounds).sort()]);
    expect(found).not.toEqual({});
    expect(Object.fromEntries(Object.entries(found).map(([file, all]) => [file, [...all].sort()]))).toEqual(
      Object.fromEntries(names),
    );
  });

  it('are fed in the tests that are named', () => {
    const tests = Object.values(collections)
      .flatMap((bounds) => Object.values(bounds))
      .flatMap((bound) => (typeof bound === 'object' ? [bound.fedIn ?? []].flat() : []));
    expect(tests.length).toBeGreaterThan(0);
    expect(tests.filter((test) => !existsSync(join(root, test)))).toEqual([]);
  });

  it('are found in each of their forms', () => {
    const source = `class A {
  readonly #one = new Map<string, { readonly a: number }>();
  two: string[] = [];
  constructor() {
    this.#three = new SizedRing(1, sizeOf);
  }
}
const four = new Set<string>();
const five = new Map([['a', 1]]);
`;
    expect(collectionsIn(source)).toEqual(['#one', 'two', '#three', 'four']);
  });
});
