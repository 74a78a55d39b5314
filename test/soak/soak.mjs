// `npm run soak -- --minutes N`: see CONTRIBUTING.md. Node 20 runs no TypeScript, so the command is bundled first.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';
import { prepare, root } from '../../scripts/prepare.mjs';

await prepare();
const outfile = join(root, '.cache/soak.cjs');
await build({
  entryPoints: [join(root, 'test/soak/command.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  sourcemap: true,
  logLevel: 'warning',
});
const child = spawn(process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
// The command ends its system in order, and says what it has measured so far.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
