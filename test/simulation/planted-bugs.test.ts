/** Shows that the simulation finds bugs: known ones are planted into a copy of the sources. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const patches = readdirSync(new URL('bugs/', import.meta.url)).sort();

describe('the planted bugs', () => {
  it('are at least thirty', () => {
    expect(patches.length).toBeGreaterThanOrEqual(30);
  });

  it.each(patches)('can be planted: %s', (patch) => {
    execFileSync('git', ['apply', '--check', `test/simulation/bugs/${patch}`], { cwd: root });
  });

  // Each day tests another bug, because all of them take minutes (`node test/simulation/bugs.mjs`).
  it('are found: the one of today', { timeout: 1_200_000 }, () => {
    const output = execFileSync(process.execPath, ['test/simulation/bugs.mjs', '--today'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(output).toContain('✓ world ');
  });
});
