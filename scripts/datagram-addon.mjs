// Puts unix-dgram's addon, which npm has built, beside the bundle.
import { copyFileSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const target = fileURLToPath(new URL('../dist/unix_dgram.node', import.meta.url));

/** Where npm has not built it yet, the bundle finds it later in node_modules. */
export function copyDatagramAddon() {
  const { resolve } = createRequire(import.meta.url);
  const addon = join(dirname(resolve('unix-dgram/package.json')), 'build/Release/unix_dgram.node');
  if (!existsSync(addon)) return;
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(addon, `${target}.new`);
  renameSync(`${target}.new`, target);
}
