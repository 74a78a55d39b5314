/** Shows that the worlds find bugs: known ones are planted into a copy of the sources. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const patches = readdirSync(new URL('bugs/', import.meta.url)).sort();

describe('the planted bugs of platforms', () => {
  it('are at least ten', () => {
    expect(patches.length).toBeGreaterThanOrEqual(10);
  });

  it.each(patches)('can be planted: %s', (patch) => {
    execFileSync('git', ['apply', '--check', `test/platform/bugs/${patch}`], { cwd: root });
  });

  // Each day tests another bug, because all of them take a while (`node test/platform/bugs.mjs`).
  it('are found: the one of today', { timeout: 600_000 }, () => {
    const output = execFileSync(process.execPath, ['test/platform/bugs.mjs', '--today'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(output).toContain('✓ world ');
  });
});
