// Builds dist/: the native parts, and everything that is loaded at boot in one file beside them.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
execFileSync(process.execPath, ['scripts/build-native.mjs'], { cwd: root, stdio: 'inherit' });
await build({
  absWorkingDir: root,
  entryPoints: ['src/cli/chaperone.ts'],
  outfile: 'dist/chaperone.cjs',
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  conditions: ['node'],
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
});
