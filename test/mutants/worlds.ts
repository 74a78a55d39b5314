/**
 * Gives one mutant to worlds, or tells which mutants are met by which worlds; the command bundles this with all mutants in it.
 *
 * It prints a line of JSON for each world that has something to tell, and an empty line now and then, so that a mutant that makes
 * chaperone go round for ever is told from a slow machine.
 */
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { generateWorld } from '../simulation/generate.ts';
import { violations } from '../simulation/invariants.ts';
import { runWorld } from '../simulation/run-world.ts';

/** What a world tells of itself. */
export interface Told {
  readonly seed: number;
  /** The invariants that it breaks. */
  readonly broken: readonly string[];
  /** The numbers of the mutants that it has met; only with --met. */
  readonly met: readonly number[];
}

interface Switches {
  readonly seen: Set<number>;
}

declare global {
  /** Made by the first switch of a mutant that is asked for. */
  var $mutants: Switches | undefined;
}

const options = {
  /** A file with a JSON list of seeds. */
  list: { type: 'string', default: '' },
  /** All worlds run, whatever breaks, and tell which mutants they have met. */
  met: { type: 'boolean', default: false },
} as const;

async function main(): Promise<void> {
  // Log lines show local time.
  process.env['TZ'] = 'UTC';
  const { list, met: isMet } = parseArgs({ options }).values;
  const seeds: readonly number[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const [index, seed] of seeds.entries()) {
    // What has been made before the second world is made once, and all worlds use it.
    if (index > 1) globalThis.$mutants?.seen.clear();
    const broken = brokenBy(seed);
    const met = isMet ? [...(globalThis.$mutants?.seen ?? [])] : [];
    if (broken.length + met.length > 0) {
      const told: Told = { seed, broken, met };
      process.stdout.write(`${JSON.stringify(told)}\n`);
    }
    if (broken.length > 0 && !isMet) return;
    // The supervisor's callbacks for the end of the turn hold on to their world until the turn has ended.
    if (index % 10 === 0) {
      process.stdout.write('\n');
      await nextTurn();
    }
  }
}

function brokenBy(seed: number): readonly string[] {
  try {
    const run = runWorld(generateWorld(seed));
    return run === undefined ? [] : [...new Set(violations(run).map(({ invariant }) => invariant))];
  } catch (error) {
    return [`it throws ${String(error).slice(0, 100)}`];
  }
}

void main();
