/** `command --seeds N [--from N]`: runs worlds until one does not hold; prints it as JSON, and null where all hold. */
import { parseArgs } from 'node:util';
import { broken } from './invariants.ts';
import { randomWorld, runWorld } from './world.ts';

const { values } = parseArgs({ options: { seeds: { type: 'string' }, from: { type: 'string' } } });
const from = Number(values.from ?? 0);

async function run(): Promise<object | null> {
  for (let seed = from; seed < from + Number(values.seeds ?? 1_000); seed++) {
    try {
      const wrong = broken(await runWorld(randomWorld(seed)));
      if (wrong !== undefined) return { seed, ...wrong };
    } catch (error) {
      return { seed, invariant: 'nothing is thrown', what: error instanceof Error ? error.message : String(error) };
    }
  }
  return null;
}

run().then((found) => process.stdout.write(`${JSON.stringify(found)}\n`));
