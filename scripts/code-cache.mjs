// Makes main.cache and parts/*.cache in dist/, or in another folder: V8's code of the bundle, with all its functions. They fit exactly
// the version of Node that makes them; where they are missing, loading takes longer. The same Node makes the same bytes each time.
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
// V8 orders tables by a random seed. The other options are those of native/node.c.
const options = ['--hash-seed=1', '--random-seed=1', '--no-deprecation', '--v8-pool-size=1'];

/** @param command what executes the Node that the cache is for; @param home where the folder will be, wherever it is made */
export function makeCodeCache(folder, [node, ...before], home = folder) {
  execFileSync(node, [...before, ...options, here('code-cache-compile.cjs'), folder, home], { stdio: 'inherit' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) makeCodeCache(here('../dist'), [process.execPath]);
