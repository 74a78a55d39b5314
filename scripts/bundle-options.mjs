// What the bundles have in common: options of esbuild.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

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

/**
 * XState works out the value of a chart (`{ stopping: 'terminating' }`) anew for each snapshot, and makes a snapshot at each
 * assignment. The value depends on the states alone, so here it is kept for each set of states: a tenth of what XState does.
 */
export const keptValues = {
  name: 'kept values',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/xstate\/dist\/raise-[0-9a-f]+\.esm\.js$/ }, ({ path }) => {
      const [before, after, ...more] = readFileSync(path, 'utf8').split(
        'value: getStateValue(machine.root, config._nodes),',
      );
      if (after === undefined || more.length > 0) throw new Error(`${path} no longer makes snapshots as it did`);
      const contents = `${before}value: keptValue(machine.root, config._nodes),${after}
const keptValues = new WeakMap();
function keptValue(root, nodes) {
  let values = keptValues.get(root);
  if (values === undefined) keptValues.set(root, (values = new Map()));
  const key = nodes.length === 1 ? nodes[0].order : nodes.map(({ order }) => order).join();
  let value = values.get(key);
  if (value === undefined) values.set(key, (value = getStateValue(root, nodes)));
  return value;
}`;
      return { loader: 'js', contents };
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
