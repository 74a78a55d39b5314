import { describe, expect, it } from 'vitest';
import { tries } from '../effort.ts';
import { broken } from './invariants.ts';
import { randomWorld, runWorld } from './world.ts';

const seeds = tries(100, 400);

describe('random platforms', () => {
  it(`hold their invariants: ${seeds} worlds`, { timeout: 300_000 }, async () => {
    const failures: object[] = [];
    for (let seed = 0; seed < seeds && failures.length < 3; seed++) {
      const world = randomWorld(seed);
      const wrong = broken(await runWorld(world));
      if (wrong !== undefined) failures.push({ seed, ...wrong });
    }
    expect(failures).toEqual([]);
  });

  it('are the same each time', async () => {
    const history = async () => (await runWorld(randomWorld(7))).acts.map((act) => act.history);
    expect(await history()).toEqual(await history());
  });
});
