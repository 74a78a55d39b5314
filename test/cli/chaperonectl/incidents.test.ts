import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Entry } from '../../../src/inspect/entry.ts';
import { renderEntry } from '../../../src/inspect/journal-writer.ts';
import { inDist } from '../../dist.ts';
import { crashLoopRecording } from '../../inspect/recordings.ts';

const chaperonectl = inDist('chaperonectl.cjs');

function incidents(entries: readonly Entry[], ...words: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-incidents-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'journal');
  writeFileSync(file, entries.map(renderEntry).join(''));
  return spawnSync(process.execPath, [chaperonectl, 'incidents', file, ...words], { encoding: 'utf8' });
}

describe('chaperonectl incidents', () => {
  const entries = crashLoopRecording();

  it('tells of a journal what failed, how often, and what was heard of it before', () => {
    expect(incidents(entries).stdout).toMatchInlineSnapshot(`
      "   0.950 s  web: exit 1, 6 times until 19.950 s, still down after 51 s
                  before it: "cannot bind 0.0.0.0:80: Address already in use"
      "
    `);
  });

  it('gives them to programs', () => {
    const [first, ...others] = JSON.parse(incidents(entries, '--json').stdout);
    expect(others).toEqual([]);
    expect(first).toMatchObject({ service: 'web.service', at: 950, cause: 'exit 1', times: 6, behind: [] });
  });

  it('says where nothing has failed, and what it does not know', () => {
    expect(incidents(entries.filter(({ at }) => at < 900)).stdout).toBe('no service has failed\n');
    const missing = entries.filter(({ at }) => at < 1_000 || at > 3_000);
    expect(incidents(missing).stdout).toMatch(
      /^of the time from \S+ s to \S+ s \d+ entries are missing: what happened/,
    );
  });

  it('refuses what is no journal, and a boot of nothing', () => {
    const run = (...words: readonly string[]) =>
      spawnSync(process.execPath, [chaperonectl, 'incidents', ...words], { encoding: 'utf8' });
    expect(run('/nowhere')).toMatchObject({ status: 2, stderr: expect.stringContaining('cannot read /nowhere') });
    expect(run('--boot', '1')).toMatchObject({ status: 2, stderr: expect.stringContaining('needs a journal') });
    expect(run('a', 'b')).toMatchObject({ status: 2, stderr: expect.stringContaining('too many files') });
  });
});
