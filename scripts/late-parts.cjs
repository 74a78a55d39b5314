// Goes round the code of dist/main.cjs, as the function that its `require` calls: it knows where the parts are that a boot does
// not need. A part that cannot be read (its folder has gone, descriptors have run out) throws, and is read anew the next time.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

/** @param {() => Record<string, object>} atBoot gives what a boot has loaded, by the names by which parts import it */
module.exports = function lateParts(atBoot) {
  const parts = new Map();

  const load = (name) => {
    if (!/^\.\/.*\.js$/.test(name)) return require(name);
    if (Object.hasOwn(atBoot(), name)) return atBoot()[name];
    const known = parts.get(name);
    if (known !== undefined) return known.exports;
    const part = { exports: {} };
    compile(name)(part, part.exports, load, __dirname);
    parts.set(name, part);
    return part.exports;
  };

  const compile = (name) => {
    const path = join(__dirname, 'parts', name.slice(0, -'.js'.length));
    const filename = `${path}.cjs`;
    const script = new Script(readFileSync(filename, 'latin1'), { filename, ...readCache(`${path}.cache`) });
    return script.runInThisContext();
  };

  return load;
};

function readCache(path) {
  try {
    return { cachedData: readFileSync(path) };
  } catch {
    return {};
  }
}
