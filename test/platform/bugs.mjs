// `node test/platform/bugs.mjs [--today] [NAME…]`: plants the bugs of test/platform/bugs/, one at a time in a copy of the sources, and
// tells in which world each is found. A world that fails without the bug, too, tells nothing of it. Exit status 1 where one is not found.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = fileURLToPath(new URL('bugs/', import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.patch'))
  .map((name) => name.replace('.patch', ''))
  .sort();
const { values, positionals } = parseArgs({ allowPositionals: true, options: { today: { type: 'boolean' } } });
const today = names[Math.floor(Date.now() / 86_400_000) % names.length];
const chosen = values.today ? [today] : positionals.length > 0 ? positionals : names;
const most = 3_000;

const own = mkdtempSync(join(tmpdir(), 'platform-bugs-'));
let missed = 0;
let sound = '';
try {
  sound = await bundle(root, join(own, 'sound.cjs'));
  for (const name of chosen) {
    const begun = Date.now();
    const found = await plant(name);
    if (found === undefined) missed += 1;
    const words = found === undefined ? `✗ not found in ${most} worlds` : `✓ world ${found.seed}: ${found.invariant}`;
    process.stdout.write(`${name.padEnd(30)} ${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${words}\n`);
  }
} finally {
  rmSync(own, { recursive: true });
}
process.exitCode = missed === 0 ? 0 : 1;

async function plant(name) {
  const tree = mkdtempSync(join(own, 'tree-'));
  for (const part of ['src', 'test/platform', 'test/simulation/random.ts', 'package.json'])
    cpSync(join(root, part), join(tree, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  const planted = spawnSync('git', ['apply', join(folder, `${name}.patch`)], { cwd: tree });
  if (planted.status !== 0) throw new Error(`${name} does not apply any more`);
  return judge(name, await bundle(tree, join(tree, 'command.cjs')));
}

/** The first world that fails with the bug and holds without it. */
function judge(name, bundle) {
  let from = 0;
  while (from < most) {
    const found = run(name, bundle, from, most - from);
    if (found === undefined || run(name, sound, found.seed, 1) === undefined) return found;
    from = found.seed + 1;
  }
  return undefined;
}

async function bundle(tree, outfile) {
  await build({
    absWorkingDir: tree,
    entryPoints: [join(tree, 'test/platform/command.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  return outfile;
}

function run(name, bundle, from, seeds) {
  const args = [bundle, `--from=${from}`, `--seeds=${seeds}`];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  try {
    return JSON.parse(stdout) ?? undefined;
  } catch {
    throw new Error(`${name}: the simulation itself broke: ${stderr}`);
  }
}
