// `node test/simulation/bugs.mjs [--today] [--most N] [NAME…]`: plants the bugs of test/simulation/bugs/, one at a time in a copy
// of this tree, and tells after how many worlds each is found. Exit status 1 where one is not.
import { execFileSync, spawnSync } from 'node:child_process';
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
const today = names[Math.floor(Date.now() / 86_400_000) % names.length];
const chosen = values.today ? [today] : positionals.length > 0 ? positionals : names;

let missed = 0;
for (const name of chosen) {
  const { worlds, failures, ms } = await plant(name);
  const [first] = failures;
  if (first === undefined) missed += 1;
  const found = first === undefined ? `✗ not found in ${worlds} worlds` : `✓ world ${worlds}: ${first.invariant}`;
  process.stdout.write(`${name.padEnd(30)} ${(ms / 1000).toFixed(1).padStart(7)} s  ${found}\n`);
}
process.exitCode = missed === 0 ? 0 : 1;

/** Runs worlds of a tree with that bug until one fails. */
async function plant(name) {
  const tree = mkdtempSync(join(tmpdir(), 'chaperone-bug-'));
  try {
    for (const part of ['src', 'test/simulation', 'test/model/specs.ts', 'package.json'])
      cpSync(join(root, part), join(tree, part), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    execFileSync('git', ['apply', join(folder, `${name}.patch`)], { cwd: tree });
    const bundle = await bundleSimulation(tree, join(tree, 'command.cjs'));
    const args = ['--tally', '--first', `--seeds=${most}`, `--from=${values.from ?? 0}`];
    const { stdout, stderr } = spawnSync(process.execPath, [bundle, ...args], { encoding: 'utf8' });
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`${name}: the simulation itself broke: ${stderr}`);
    }
  } finally {
    rmSync(tree, { recursive: true });
  }
}
