// Builds dist/: the native parts, everything that is loaded at boot in one file beside them, and the code cache of that file;
// and the tools beside it, each in a small file of its own.
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const common = {
  absWorkingDir: root,
  // A file of its own beside the bundles.
  external: ['*/re2js.cjs'],
  alias: { re2js: fileURLToPath(new URL('late-re2js.cjs', import.meta.url)) },
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.19',
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
};

/** Of package.json a program needs its version alone. */
const versionAlone = {
  name: 'version alone',
  setup: ({ onLoad }) =>
    onLoad({ filter: /package\.json$/ }, ({ path }) => {
      if (path !== `${root}package.json`) return undefined;
      const { version } = JSON.parse(readFileSync(path, 'utf8'));
      return { loader: 'json', contents: JSON.stringify({ version }) };
    }),
};
// What scripts call again and again: there is less to read at each start. Names stay, for whoever reads a stack.
const small = { ...common, minifyWhitespace: true, plugins: [versionAlone] };

execFileSync(process.execPath, ['scripts/build-native.mjs'], { cwd: root, stdio: 'inherit' });
execFileSync(process.execPath, ['scripts/build-page.mjs'], { cwd: root, stdio: 'inherit' });
// Its modules instead of its CommonJS barrel, of which nothing can be left out: 15 ms of every boot.
const alias = {
  ...common.alias,
  rxjs: fileURLToPath(new URL('../node_modules/rxjs/dist/esm/index.js', import.meta.url)),
  // unix-dgram looks for its addon by the package.json that stands above the calling file.
  bindings: fileURLToPath(new URL('beside-bundle.cjs', import.meta.url)),
  '@dabh/diagnostics': fileURLToPath(new URL('no-diagnostics.cjs', import.meta.url)),
};
// import() of Node's own modules becomes require: the loader's script has no modules.
const supported = { 'dynamic-import': false };
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
// What few boots need, and is large, no other boot should have to read.
const inspectors = ['inspect-ws', 'inspect-web'];
await build({
  ...common,
  entryPoints: ['src/cli/chaperone/chaperone.ts'],
  outfile: 'dist/main.cjs',
  alias,
  supported,
  plugins: [leave(...inspectors), versionAlone],
});
for (const name of inspectors) {
  await build({
    ...common,
    entryPoints: [`src/runtime/inspection/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    alias,
    supported,
  });
}
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
