// Builds dist/: the native parts, everything that is loaded at boot in one file beside them, and the code cache of that file;
// and the tools beside it, each in a small file of its own.
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { buildBoot } from './boot-bundle.mjs';
import { alias, bundle, bundledPackages, common, root, supported, versionAlone } from './bundle-options.mjs';

// What scripts call again and again: there is less to read at each start. Names stay, for whoever reads a stack.
const small = { ...common, minifyWhitespace: true, plugins: [versionAlone] };

execFileSync(process.execPath, ['scripts/build-native.mjs'], { cwd: root, stdio: 'inherit' });
await import('./build-page.mjs');
/** Leaves out what is imported from `./NAME.ts`: it is a file of its own, which is loaded only where it is needed. */
const leave = (...names) => ({
  name: 'apart',
  setup: ({ onResolve }) =>
    onResolve({ filter: new RegExp(`^\\./(?:${names.join('|')})\\.ts$`) }, ({ path }) => ({
      path: path.replace(/\.ts$/, '.cjs'),
      external: true,
    })),
});
await bundle({
  ...common,
  entryPoints: ['node_modules/re2js/build/index.cjs'],
  outfile: 'dist/re2js.cjs',
});
await buildBoot({ entry: 'src/cli/chaperone/chaperone.ts', dist: `${root}dist` });
const verbs = leave('check', 'doctor', 'import', 'incidents', 'inspect', 'replay', 'simulate', 'top', 'watch');
await bundle({
  ...small,
  entryPoints: ['src/cli/chaperonectl/chaperonectl.ts'],
  outfile: 'dist/chaperonectl.cjs',
  banner: { js: '#!/usr/bin/env node' },
  supported,
  plugins: [verbs, versionAlone],
});
for (const name of ['check', 'doctor', 'import', 'incidents', 'inspect', 'otlp', 'replay', 'simulate', 'watch']) {
  await bundle({
    ...small,
    entryPoints: [`src/cli/chaperonectl/${name}.ts`],
    outfile: `dist/${name}.cjs`,
    alias,
    supported,
    plugins: [leave('otlp'), versionAlone],
  });
}
// ink is a module that awaits at its top level: a script can only import() it, and so it is a file of its own.
await bundle({
  ...common,
  entryPoints: ['src/cli/chaperonectl/top.ts'],
  outfile: 'dist/top.cjs',
  alias,
  plugins: [
    {
      name: 'the screen apart',
      setup: ({ onResolve }) =>
        onResolve({ filter: /\/top\/screen\.ts$/ }, () => ({ path: './top-screen.mjs', external: true })),
    },
  ],
});
await bundle({
  ...common,
  entryPoints: ['src/cli/top/screen.ts'],
  outfile: 'dist/top-screen.mjs',
  format: 'esm',
  minify: true,
  alias: {
    'is-in-ci': `${root}scripts/not-in-ci.mjs`,
    'react-devtools-core': `${root}scripts/no-devtools.mjs`,
  },
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
});
chmodSync(`${root}/dist/chaperonectl.cjs`, 0o755);
await bundle({
  ...small,
  entryPoints: ['src/cli/envcp/envcp.ts'],
  outfile: 'dist/envcp.cjs',
  banner: { js: '#!/usr/bin/env node' },
});
chmodSync(`${root}/dist/envcp.cjs`, 0o755);
for (const path of ['sdnotify/sdnotify-exec', 'chaperonectl/telchap', 'sv/sv']) {
  const name = basename(path);
  await bundle({
    ...small,
    entryPoints: [`src/cli/${path}.ts`],
    outfile: `dist/${name}.cjs`,
    banner: { js: '#!/usr/bin/env node' },
  });
  chmodSync(`${root}/dist/${name}.cjs`, 0o755);
}
await bundle({
  ...small,
  minifySyntax: true,
  entryPoints: ['src/cli/dockerops/dockerops.ts'],
  outfile: 'dist/dockerops.cjs',
  banner: { js: '#!/usr/bin/env node' },
  alias,
  supported,
  // Parts of ssh2 that are compiled where it is installed: it does without them.
  external: [...common.external, 'cpu-features', '*/sshcrypto.node'],
  plugins: [leave('otlp'), versionAlone],
});
chmodSync(`${root}/dist/dockerops.cjs`, 0o755);
await bundle({ ...common, entryPoints: ['src/cli/chaperone/loader.ts'], outfile: 'dist/chaperone.cjs' });
execFileSync(process.execPath, ['scripts/code-cache.mjs'], { cwd: root, stdio: 'inherit' });
writeFileSync(`${root}/dist/bundled.json`, `${JSON.stringify(bundledPackages(), undefined, 2)}\n`);
