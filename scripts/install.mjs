// npm's install step: the native parts for this machine, and, where the bundle is there (a published package), its code cache.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (script) => execFileSync(process.execPath, [script], { cwd: root, stdio: 'inherit' });

run('scripts/build-native.mjs');
if (existsSync(`${root}/dist/main.cjs`)) {
  try {
    run('scripts/code-cache.mjs');
  } catch {
    process.stderr.write('chaperone: no code cache could be made; it works without, and starts a little later\n');
  }
}
