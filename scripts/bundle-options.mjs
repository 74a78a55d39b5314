// What the bundles have in common: options of esbuild.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = fileURLToPath(new URL('..', import.meta.url));
export const common = {
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
export const versionAlone = {
  name: 'version alone',
  setup: ({ onLoad }) =>
    onLoad({ filter: /package\.json$/ }, ({ path }) => {
      if (path !== `${root}package.json`) return undefined;
      const { version } = JSON.parse(readFileSync(path, 'utf8'));
      return { loader: 'json', contents: JSON.stringify({ version }) };
    }),
};

export const alias = {
  ...common.alias,
  // Modules instead of CommonJS, of which nothing can be left out: together 15 ms of every boot.
  rxjs: fileURLToPath(new URL('../node_modules/rxjs/dist/esm/index.js', import.meta.url)),
  yaml: fileURLToPath(new URL('../node_modules/yaml/browser/dist/index.js', import.meta.url)),
  // unix-dgram looks for its addon by the package.json that stands above the calling file.
  bindings: fileURLToPath(new URL('beside-bundle.cjs', import.meta.url)),
  '@dabh/diagnostics': fileURLToPath(new URL('no-diagnostics.cjs', import.meta.url)),
};
/** An `import()` becomes a `require`: the loader's script has no modules. */
export const supported = { 'dynamic-import': false };

const bundled = new Set();

/** esbuild's build, which notes the packages whose code is in what it makes. */
export async function bundle(options) {
  const result = await build({ ...options, metafile: true });
  noteInputs(Object.keys(result.metafile.inputs));
  return result;
}

/** @param inputs paths relative to the project */
export function noteInputs(inputs) {
  for (const path of inputs) {
    const name = /(?:^|.*\/)node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    if (name !== undefined) bundled.add(name);
  }
}

/** The names of all packages that were noted, for licences and the list of contents. */
export const bundledPackages = () => [...bundled].sort();
