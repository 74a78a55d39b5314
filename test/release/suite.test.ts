/** What a suite of tests counts as failed: what fails again when nothing runs beside it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const root = join(import.meta.dirname, '../..');
const name = 'suite-of-a-test';

interface Ran {
  readonly status: number | null;
  readonly lines: readonly string[];
}

/** Runs test files with these bodies, which find their folder in `folder`. */
function runSuite(files: Readonly<Record<string, string>>, ...more: readonly string[]): Ran {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-suite-'));
  onTestFinished(() => {
    rmSync(folder, { recursive: true });
    for (const report of ['', '-again']) rmSync(join(root, `.cache/vitest-${name}${report}.json`), { force: true });
    rmSync(join(root, `.cache/${name}-counts.json`), { force: true });
  });
  const config = join(folder, 'vitest.config.mjs');
  const test = { globals: true, include: ['**/*.test.mjs'], root: folder };
  writeFileSync(config, `export default { root: ${JSON.stringify(folder)}, test: ${JSON.stringify(test)} };\n`);
  for (const [file, body] of Object.entries(files)) {
    const head = `import { existsSync, writeFileSync } from 'node:fs';\nconst folder = ${JSON.stringify(folder)};\n`;
    writeFileSync(join(folder, file), `${head}${body}`);
  }
  const script = join(root, 'scripts/suite.mjs');
  const { status, stdout } = spawnSync(process.execPath, [script, name, '--config', config, ...more], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { status, lines: stdout.trimEnd().split('\n') };
}

const good = "it('holds', () => expect(1).toBe(1));\n";
const bad = "it('never holds', () => expect(1).toBe(2));\n";
const once = `it('holds from the second time on', () => {
  const before = existsSync(folder + '/before');
  writeFileSync(folder + '/before', '');
  expect(before).toBe(true);
});\n`;

describe('a suite', () => {
  it('passes with what fails at first only, and tells which test that was', () => {
    const { status, lines } = runSuite({ 'a.test.mjs': good, 'b.test.mjs': once });
    expect([status, lines.at(-1)]).toEqual([0, '2 passed, 0 failed']);
    expect(lines.join('\n')).toMatch(/^UNSTEADY .*b\.test\.mjs: holds from the second time on\nAssertionError: /m);
  });

  it('fails with what fails again', () => {
    const { status, lines } = runSuite({ 'a.test.mjs': good, 'b.test.mjs': once, 'c.test.mjs': good + bad });
    expect([status, lines.at(-1)]).toEqual([1, '3 passed, 1 failed']);
    expect(lines.join('\n')).not.toMatch(/UNSTEADY .*never holds/);
  });

  it('fails where the second run breaks down', () => {
    const body = `it('ends the runner the second time', () => {
      if (existsSync(folder + '/before')) process.kill(process.ppid, 'SIGKILL');
      writeFileSync(folder + '/before', '');
      expect(1).toBe(2);
    });\n`;
    const { status, lines } = runSuite({ 'b.test.mjs': body });
    expect([status, lines.at(-1)]).toEqual([1, '0 passed, 1 failed']);
    expect(lines.join('\n')).not.toContain('UNSTEADY');
  });

  it('fails with a file that does not load', () => {
    const { status, lines } = runSuite({ 'a.test.mjs': good, 'b.test.mjs': "import './missing.mjs';\n" });
    expect([status, lines.at(-1)]).toEqual([1, '1 passed, 1 failed']);
  });

  it('fails at once where somebody has chosen the tests', () => {
    const { status, lines } = runSuite({ 'b.test.mjs': once }, '--testNamePattern', 'second');
    expect([status, lines.at(-1)]).toEqual([1, '0 passed, 1 failed']);
  });
});
