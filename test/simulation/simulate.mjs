// `npm run simulate -- --seeds N`: see docs/guide/worlds.md.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundleSimulation, root } from './bundle.mjs';

const bundle = await bundleSimulation(root, join(root, '.cache/simulate/command.cjs'));
const args = process.argv.slice(2);
// Fresh seeds for a run by time: a thousand for every second since 1970.
const isFresh = args.some((arg) => arg.startsWith('--time')) && !args.some((arg) => arg.startsWith('--from'));
const fresh = isFresh ? [`--from=${(Math.floor(Date.now() / 1_000) * 1_000) % 2 ** 32}`] : [];
const { status } = spawnSync(process.execPath, ['--enable-source-maps', bundle, ...args, ...fresh], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
