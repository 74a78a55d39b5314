// Stands in for dist/chaperone.cjs while the code cache is made (code-cache.mjs): runs the bundle as that does, and keeps the code that V8
// has compiled until chaperone ends.
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const { Script } = require('node:vm');

const dist = process.env.CACHE_OF;
const file = join(dist, 'main.cjs');
const realCreateRequire = Module.createRequire;
const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`,
  { filename: file },
);
const bundle = { exports: {} };

function keep(path, compiled) {
  const target = `${path}.cache`;
  writeFileSync(`${target}.new`, compiled.createCachedData());
  renameSync(`${target}.new`, target);
}

function keepAll() {
  keep(join(dist, 'main'), script);
  for (const [path, part] of bundle.exports.scripts) keep(path, part);
}

/** The native part, whose `exitNow` first keeps the code. */
function observed(edge) {
  return {
    ...edge,
    exitNow: (status) => {
      keepAll();
      edge.exitNow(status);
    },
  };
}

Module.createRequire = (path) => {
  const real = realCreateRequire(path);
  return String(path).endsWith('edge.node') ? (name) => observed(real(name)) : real;
};
script.runInThisContext()(bundle.exports, realCreateRequire(file), bundle, file, dist);
