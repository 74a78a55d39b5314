// Makes one file of the simulation, from this tree or from a copy of it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @param entry the program to bundle, from the root of the tree
 * @returns {Promise<string>} the path of the bundle
 */
export async function bundleSimulation(tree, outfile, entry = 'test/simulation/command.ts') {
  await build({
    absWorkingDir: tree,
    entryPoints: [join(tree, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20.19',
    sourcemap: true,
    logLevel: 'warning',
    define: { 'process.env.NODE_ENV': '"production"' },
    alias: { rxjs: join(root, 'node_modules/rxjs/dist/esm/index.js') },
  });
  return outfile;
}
