/**
 * Loads the bundle with the machine code that V8 kept of an earlier run (scripts/code-cache.mjs), which halves what loading
 * costs over bare Node. V8 refuses a cache of another version or other flags by itself; then it compiles as usual.
 */
import '../exec-path.ts';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Script } from 'node:vm';

const file = join(__dirname, 'main.cjs');
// The bundle is plain ASCII, which costs less to read than UTF-8.
const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`,
  { filename: file, ...readCache(join(__dirname, 'main.cache')) },
);
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, createRequire(file), bundle, file, __dirname);

function readCache(path: string): { cachedData?: Buffer } {
  try {
    return { cachedData: readFileSync(path) };
  } catch {
    return {};
  }
}
