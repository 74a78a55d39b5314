// Builds dist/: the native parts, everything that is loaded at boot in one file beside them, and the code cache of that file;
// and the tools beside it, each in a small file of its own.
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
};

execFileSync(process.execPath, ['scripts/build-native.mjs'], { cwd: root, stdio: 'inherit' });
execFileSync(process.execPath, ['scripts/build-page.mjs'], { cwd: root, stdio: 'inherit' });
// Its modules instead of its CommonJS barrel, of which nothing can be left out: 15 ms of every boot.
const alias = {
  rxjs: fileURLToPath(new URL('../node_modules/rxjs/dist/esm/index.js', import.meta.url)),
  // unix-dgram looks for its addon by the package.json that stands above the calling file.
  bindings: fileURLToPath(new URL('beside-bundle.cjs', import.meta.url)),
};
// import() of Node's own modules becomes require: the loader's script has no modules.
const supported = { 'dynamic-import': false };
// What few boots and few verbs need, and is large, is a file of its own, so that nobody else has to read it.
const apart = ['src/runtime/inspect-ws', 'src/runtime/inspect-web', 'src/cli/simulate'];
const ownFiles = {
  name: 'own-files',
  setup: ({ onResolve }) => {
    for (const path of apart) {
      const name = basename(path);
      onResolve({ filter: new RegExp(`^\\./${name}\\.ts$`) }, () => ({ path: `./${name}.cjs`, external: true }));
    }
  },
};
await build({
  ...common,
  entryPoints: ['src/cli/chaperone.ts'],
  outfile: 'dist/main.cjs',
  alias,
  supported,
  plugins: [ownFiles],
});
for (const path of apart) {
  await build({ ...common, entryPoints: [`${path}.ts`], outfile: `dist/${basename(path)}.cjs`, alias, supported });
}
await build({
  ...common,
  entryPoints: ['src/cli/chaperonectl.ts'],
  outfile: 'dist/chaperonectl.cjs',
  banner: { js: '#!/usr/bin/env node' },
  alias,
  plugins: [ownFiles],
});
chmodSync(`${root}/dist/chaperonectl.cjs`, 0o755);
await build({
  ...common,
  entryPoints: ['src/cli/envcp.ts'],
  outfile: 'dist/envcp.cjs',
  banner: { js: '#!/usr/bin/env node' },
});
chmodSync(`${root}/dist/envcp.cjs`, 0o755);
for (const name of ['sdnotify', 'sdnotify-exec', 'telchap']) {
  await build({
    ...common,
    entryPoints: [`src/cli/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    banner: { js: '#!/usr/bin/env node' },
  });
  chmodSync(`${root}/dist/${name}.cjs`, 0o755);
}
await build({ ...common, entryPoints: ['src/cli/loader.ts'], outfile: 'dist/chaperone.cjs' });
execFileSync(process.execPath, ['scripts/code-cache.mjs'], { cwd: root, stdio: 'inherit' });
