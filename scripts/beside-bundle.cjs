// Stands for the package `bindings` in the bundle: addons stand beside it, and not where their package was built.
const { createRequire } = require('node:module');
const { join } = require('node:path');

module.exports = (name) => createRequire(join(__dirname, 'main.cjs'))(join(__dirname, name));
