import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ownTime } from '../cpu-time.ts';
import type { FuzzTarget } from './target.ts';

const folder = import.meta.dirname;
const targets = readdirSync(folder).filter((name) => name.endsWith('.fuzz.ts'));

describe.each(targets)('%s', (file) => {
  const corpus = join(folder, 'corpus', file.replace('.fuzz.ts', ''));
  const inputs = readdirSync(corpus);

  it(`takes the ${inputs.length} inputs of its corpus, each within a second of computing`, async () => {
    const target: FuzzTarget = await import(join(folder, file));
    expect(inputs.length).toBeGreaterThan(10);
    for (const name of inputs) {
      const start = ownTime();
      try {
        target.fuzz(readFileSync(join(corpus, name)));
      } catch (error) {
        throw new Error(`${join(corpus, name)} fails`, { cause: error });
      }
      expect([name, ownTime() - start < 1_000]).toEqual([name, true]);
    }
  });
});
