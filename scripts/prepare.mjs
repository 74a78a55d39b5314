// Makes a clone ready: installs the dependencies and builds, each only where something has changed since.
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** ms between two signs of life: an install may take minutes, and npm says nothing meanwhile. */
const signOfLife = 2_000;

export async function prepare() {
  if (newest(['package-lock.json']) > newest(['node_modules/.package-lock.json'])) {
    // npm empties the folder first, also one that belongs to another tree.
    if (lstatSync(join(root, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink()) {
      say('node_modules is a symbolic link, and what it points to is older than package-lock.json: run "npm ci" there');
      process.exit(1);
    }
    await run('install the dependencies', 'npm', ['ci', '--no-audit', '--no-fund']);
  }
  if (!isBuilt()) {
    await run('build', process.execPath, ['scripts/build.mjs']);
  }
}

/** True where nothing of what `dist/` is built from has changed since it was built. */
export function isBuilt() {
  return newest(['src', 'native', 'package.json', 'binding.gyp', 'scripts']) <= newest(['dist/chaperone.cjs']);
}

/**
 * Runs a step; what it prints goes to stderr, so that stdout belongs to what is started afterwards. A signal goes on to the step. A
 * step that fails ends this process, with its status.
 */
async function run(what, command, args) {
  say(`${what}, which is needed once: ${command === process.execPath ? 'node' : command} ${args.join(' ')}`);
  const begun = Date.now();
  const seconds = () => `${Math.round((Date.now() - begun) / 1000)} s`;
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  const timer = setInterval(() => say(`  … ${seconds()}`), signOfLife);
  const passOn = (signal) => child.kill(signal);
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  for (const signal of signals) process.on(signal, passOn);
  const failure = await new Promise((resolve) => {
    child.on('error', (error) => resolve({ why: error.message, status: 1 }));
    child.on('exit', (code, signal) => {
      if (code === 0) resolve(undefined);
      else if (signal === null) resolve({ why: `exit status ${code}`, status: code });
      else resolve({ why: signal, status: 128 + constants.signals[signal] });
    });
  });
  clearInterval(timer);
  for (const signal of signals) process.off(signal, passOn);
  if (failure === undefined) {
    say(`  done in ${seconds()}`);
    return;
  }
  say(`cannot ${what}: ${failure.why}`);
  process.exit(failure.status);
}

function say(text) {
  process.stderr.write(`> ${text}\n`);
}

/** The latest change of files, or of anything in folders; 0 where there is nothing. */
function newest(paths) {
  let latest = 0;
  for (const path of paths) {
    const full = join(root, path);
    if (!existsSync(full)) continue;
    const stats = statSync(full);
    latest = Math.max(latest, stats.isDirectory() ? 0 : stats.mtimeMs);
    if (stats.isDirectory()) latest = Math.max(latest, newest(readdirSync(full).map((name) => join(path, name))));
  }
  return latest;
}
