/** `npm start` in a copy of the project that holds what it needs, and nothing that it could install or build in earnest. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { inDist } from '../dist.ts';
import { descendantsOf, until } from './namespace.ts';

const root = join(import.meta.dirname, '../..');
/** Seconds; far before anything that a test writes. */
const longAgo = 1_000_000_000;

/** The folder of a copy in which only a build is missing. @param build the script that builds */
function project(build: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'chaperone-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'scripts'));
  mkdirSync(join(folder, 'node_modules'));
  for (const name of ['start.mjs', 'prepare.mjs']) cpSync(join(root, 'scripts', name), join(folder, 'scripts', name));
  writeFileSync(join(folder, 'scripts/build.mjs'), build);
  const { start } = manifest.scripts;
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'x', type: 'module', scripts: { start } }));
  writeFileSync(join(folder, 'package-lock.json'), '{}');
  writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{}');
  cpSync(join(root, 'config'), join(folder, 'config'), { recursive: true });
  // Older than everything that is built of it.
  for (const name of [
    'package-lock.json',
    'package.json',
    ...['build', 'start', 'prepare'].map((each) => `scripts/${each}.mjs`),
  ])
    utimesSync(join(folder, name), longAgo, longAgo);
  return folder;
}

function start(folder: string) {
  const child = spawn('npm', ['start', '--silent'], {
    cwd: folder,
    env: { ...process.env, CHAPERONE_SOCKET: join(folder, 'control.sock'), npm_config_update_notifier: 'false' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk;
    });
  }
  const pid = child.pid ?? 0;
  let below = (): readonly number[] => descendantsOf(pid).map((each) => each.pid);
  onTestFinished(() => {
    for (const each of [...below(), pid]) {
      try {
        process.kill(each, 'SIGKILL');
      } catch {
        // The process has ended by itself.
      }
    }
  });
  return {
    child,
    text: () => text,
    exit: once(child, 'close'),
    said: (pattern: RegExp) => until(`${pattern} is said`, () => pattern.exec(text) ?? undefined),
    /** The processes below npm, from now on also those that npm leaves behind. */
    remember: () => {
      const known = below();
      below = () => known;
      return known;
    },
  };
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('npm start', () => {
  it('passes SIGTERM on, so that the services end in order and nothing is left', async () => {
    const copy = project('throw new Error("nothing is to be built");');
    symlinkSync(inDist(), join(copy, 'dist'));
    const run = start(copy);
    await run.said(/ready in \d/);
    const pids = run.remember();
    expect(pids.length).toBeGreaterThan(3);
    run.child.kill('SIGTERM');
    await run.exit;
    await until('nothing is left', () => (pids.some(alive) ? undefined : true));
    expect(run.text()).toMatch(/draining\.clearing → halted/);
    expect(run.text()).not.toContain('> build');
  });

  it('installs nothing into the folder of another tree', async () => {
    const copy = project('throw new Error("nothing is to be built");');
    const others = join(copy, 'others');
    cpSync(join(copy, 'node_modules'), others, { recursive: true });
    utimesSync(join(others, '.package-lock.json'), longAgo - 1, longAgo - 1);
    rmSync(join(copy, 'node_modules'), { recursive: true });
    symlinkSync(others, join(copy, 'node_modules'));
    const run = start(copy);
    const [status] = await run.exit;
    expect(status).toBe(1);
    expect(run.text()).toMatch(/node_modules is a symbolic link, .*: run "npm ci" there$/m);
    expect(existsSync(join(others, '.package-lock.json'))).toBe(true);
  });

  it('shows at its first run what it does and for how long, and ends with what fails', async () => {
    const build = `import { existsSync } from 'node:fs';
      console.log('compiling');
      const timer = setInterval(() => { if (existsSync('go')) { clearInterval(timer); process.exitCode = 3; } }, 20);`;
    const copy = project(build);
    const run = start(copy);
    await run.said(/^> build, which is needed once: node scripts\/build\.mjs\ncompiling\n> {3}… 2 s\n/m);
    writeFileSync(join(copy, 'go'), '');
    const [status] = await run.exit;
    expect(status).toBe(3);
    expect(run.text()).toMatch(/> cannot build: exit status 3\n$/);
    expect(run.text()).not.toMatch(/ {4}at /);
  });

  it('is ended by SIGTERM during its first run, too', async () => {
    const copy = project("console.log('compiling'); setInterval(() => undefined, 1000);");
    const run = start(copy);
    await run.said(/compiling/);
    const pids = run.remember();
    run.child.kill('SIGTERM');
    await run.exit;
    await until('nothing is left', () => (pids.some(alive) ? undefined : true));
    expect(run.text()).toContain('> cannot build: SIGTERM');
  });
});
