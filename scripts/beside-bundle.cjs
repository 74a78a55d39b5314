// Stands for the package `bindings` in the bundle: addons stand beside it, and not where their package was built. An addon that is not
// N-API fits one version of Node's own interface alone: a release has it for each of them, with the number of that version in its name.
const { existsSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');

module.exports = (name) => {
  const any = join(__dirname, name);
  const exact = any.replace(/\.node$/, `.abi${process.versions.modules}.node`);
  return createRequire(join(__dirname, 'main.cjs'))(existsSync(exact) ? exact : any);
};
