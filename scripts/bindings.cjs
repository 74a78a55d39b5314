// Stands for the package `bindings` in the bundle: the addon of unix-dgram is beside it, or where npm built it.
const { join } = require('node:path');

module.exports = (name) => {
  try {
    return require(join(__dirname, name));
  } catch {
    return require(join('unix-dgram/build/Release', name));
  }
};
