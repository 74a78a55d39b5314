// npm's install step: the native parts, which a published package has for the common processors, and else are built; and, where the
// bundle is there (a published package), its code cache.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (script, ...args) => execFileSync(process.execPath, [script, ...args], { cwd: root, stdio: 'inherit' });

/** @returns whether all native parts are there and load into this Node */
function copyPrebuilt() {
  const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  const datagrams = `unix_dgram.abi${process.versions.modules}.node`;
  if (!existsSync(join(folder, datagrams))) return false;
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const name of readdirSync(folder)) {
    copyFileSync(join(folder, name), join(root, 'dist', name));
    chmodSync(join(root, 'dist', name), 0o755);
  }
  const load = `for (const name of process.argv.slice(1)) require(name)`;
  const addons = ['edge.node', datagrams].map((name) => join(root, 'dist', name));
  return (
    spawnSync(process.execPath, ['-e', load, ...addons]).status === 0 &&
    spawnSync(join(root, 'dist/chaperone'), ['--version']).status === 0
  );
}

if (copyPrebuilt()) run('scripts/build-native.mjs', '--names');
else run('scripts/build-native.mjs');
if (existsSync(`${root}/dist/main.cjs`)) {
  try {
    run('scripts/code-cache.mjs');
  } catch {
    process.stderr.write('chaperone: no code cache could be made; it works without, and starts a little later\n');
  }
}
