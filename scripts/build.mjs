// Builds dist/: the native parts, everything that is loaded at boot in one file beside them, and the code cache of that file;
// and the tools beside it, each in a small file of its own.
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { basename } from 'node:path';
import { build } from 'esbuild';
import { buildBoot } from './boot-bundle.mjs';
import { alias, common, root, supported, versionAlone } from './bundle-options.mjs';

// What scripts call again and again: there is less to read at each start. Names stay, for whoever reads a stack.
const small = { ...common, minifyWhitespace: true, plugins: [versionAlone] };

execFileSync(process.execPath, ['scripts/build-native.mjs'], { cwd: root, stdio: 'inherit' });
execFileSync(process.execPath, ['scripts/build-page.mjs'], { cwd: root, stdio: 'inherit' });
/** Leaves out what is imported from `./NAME.ts`: it is a file of its own, which is loaded only where it is needed. */
const leave = (...names) => ({
  name: 'apart',
  setup: ({ onResolve }) =>
    onResolve({ filter: new RegExp(`^\\./(?:${names.join('|')})\\.ts$`) }, ({ path }) => ({
      path: path.replace(/\.ts$/, '.cjs'),
      external: true,
    })),
});
await build({
  ...common,
  entryPoints: ['node_modules/re2js/build/index.cjs'],
  outfile: 'dist/re2js.cjs',
});
await buildBoot({ entry: 'src/cli/chaperone/chaperone.ts', dist: `${root}dist` });
const verbs = leave('check', 'inspect', 'replay', 'simulate');
await build({
  ...small,
  entryPoints: ['src/cli/chaperonectl/chaperonectl.ts'],
  outfile: 'dist/chaperonectl.cjs',
  banner: { js: '#!/usr/bin/env node' },
  supported,
  plugins: [verbs, versionAlone],
});
for (const name of ['check', 'inspect', 'replay', 'simulate']) {
  await build({
    ...common,
    entryPoints: [`src/cli/chaperonectl/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    alias,
    supported,
  });
}
chmodSync(`${root}/dist/chaperonectl.cjs`, 0o755);
await build({
  ...small,
  entryPoints: ['src/cli/envcp/envcp.ts'],
  outfile: 'dist/envcp.cjs',
  banner: { js: '#!/usr/bin/env node' },
});
chmodSync(`${root}/dist/envcp.cjs`, 0o755);
for (const path of ['sdnotify/sdnotify-exec', 'chaperonectl/telchap']) {
  const name = basename(path);
  await build({
    ...small,
    entryPoints: [`src/cli/${path}.ts`],
    outfile: `dist/${name}.cjs`,
    banner: { js: '#!/usr/bin/env node' },
  });
  chmodSync(`${root}/dist/${name}.cjs`, 0o755);
}
await build({ ...common, entryPoints: ['src/cli/chaperone/loader.ts'], outfile: 'dist/chaperone.cjs' });
execFileSync(process.execPath, ['scripts/code-cache.mjs'], { cwd: root, stdio: 'inherit' });
