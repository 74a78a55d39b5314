// `node test/simulation/bugs.mjs [--today] [--most N] [NAME…]`: plants the bugs of test/simulation/bugs/, one at a time in a copy
// of this tree, and tells after how many worlds each is found. A world that fails without the bug, too, tells nothing of it. Exit
// status 1 where one is not found.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleSimulation, root } from './bundle.mjs';

const folder = fileURLToPath(new URL('bugs/', import.meta.url));
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.patch'))
  .map((name) => name.replace('.patch', ''))
  .sort();

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { today: { type: 'boolean' }, most: { type: 'string' }, from: { type: 'string' } },
});
const most = Number(values.most ?? 20_000);
const from = Number(values.from ?? 0);
const today = names[Math.floor(Date.now() / 86_400_000) % names.length];
const chosen = values.today ? [today] : positionals.length > 0 ? positionals : names;

const own = mkdtempSync(join(tmpdir(), 'chaperone-bugs-'));
let missed = 0;
try {
  const sound = await bundleSimulation(root, join(own, 'sound.cjs'));
  for (const name of chosen) {
    const { worlds, invariant, ms, why } = await plant(name, sound);
    if (invariant === undefined) missed += 1;
    const found =
      invariant === undefined ? `✗ ${why ?? `not found in ${worlds} worlds`}` : `✓ world ${worlds}: ${invariant}`;
    process.stdout.write(`${name.padEnd(34)} ${(ms / 1000).toFixed(1).padStart(7)} s  ${found}\n`);
  }
} finally {
  rmSync(own, { recursive: true });
}
process.exitCode = missed === 0 ? 0 : 1;

/** Runs worlds of a tree with that bug until one fails that holds without it. */
async function plant(name, sound) {
  const tree = mkdtempSync(join(own, 'tree-'));
  let worlds = 0;
  let ms = 0;
  try {
    for (const part of ['src', 'test/simulation', 'test/machines/explore.ts', 'test/model/specs.ts', 'package.json'])
      cpSync(join(root, part), join(tree, part), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    const planted = spawnSync('git', ['apply', join(folder, `${name}.patch`)], { cwd: tree });
    if (planted.status !== 0) return { worlds, ms, why: 'it does not apply any more' };
    const bundle = await bundleSimulation(tree, join(tree, 'command.cjs'));
    while (worlds < most) {
      const tally = simulate(name, bundle, from + worlds, most - worlds);
      worlds += tally.worlds;
      ms += tally.ms;
      const [first] = tally.failures;
      if (first === undefined) break;
      if (simulate(name, sound, first.seed, 1).failures.length === 0) return { worlds, ms, invariant: first.invariant };
    }
    return { worlds, ms };
  } finally {
    rmSync(tree, { recursive: true });
  }
}

function simulate(name, bundle, first, seeds) {
  const args = ['--tally', '--first', `--seeds=${seeds}`, `--from=${first}`];
  const { stdout, stderr } = spawnSync(process.execPath, [bundle, ...args], { encoding: 'utf8' });
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`${name}: the simulation itself broke: ${stderr}`);
  }
}
