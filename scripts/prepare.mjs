// Makes a clone ready: installs the dependencies and builds, each only where something has changed since.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export function prepare() {
  if (newest(['package-lock.json']) > newest(['node_modules/.package-lock.json'])) {
    run('npm', ['ci', '--no-audit', '--no-fund']);
  }
  if (newest(['src', 'native', 'package.json', 'binding.gyp', 'scripts']) > newest(['dist/chaperone.cjs'])) {
    run(process.execPath, ['scripts/build.mjs']);
  }
}

/** Runs a step; what it prints goes to stderr, so that stdout belongs to what is started afterwards. */
function run(command, args) {
  process.stderr.write(`> ${command === process.execPath ? 'node' : command} ${args.join(' ')}\n`);
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
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
