// Run by code-cache.mjs, with the Node that is to take the cache: compiles the bundle and its parts with all their functions, and keeps
// V8's code of them. The arguments are the folder of the bundle, and the one that it will run in.
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join, relative } = require('node:path');
const { setFlagsFromString } = require('node:v8');
const { Script } = require('node:vm');

const [dist, home] = process.argv.slice(2);

/** @param text what is compiled by whoever loads the file, byte for byte */
function compile(filename, text) {
  setFlagsFromString('--no-lazy');
  // The name is kept in the bytes, and Node 20 shows it in stacks.
  const script = new Script(text, { filename: join(home, relative(dist, filename)) });
  // V8 refuses a cache that was made with other options than it has: these are the defaults.
  for (const option of ['--lazy', '--hash-seed=0', '--random-seed=0']) setFlagsFromString(option);
  writeFileSync(filename.replace(/\.cjs$/, '.cache'), script.createCachedData());
}

const source = (file) => readFileSync(file, 'latin1');
const main = join(dist, 'main.cjs');
compile(main, `(function (exports, require, module, __filename, __dirname) {${source(main)}\n})`);
for (const name of readdirSync(join(dist, 'parts'))) {
  const part = join(dist, 'parts', name);
  if (name.endsWith('.cjs')) compile(part, source(part));
}
