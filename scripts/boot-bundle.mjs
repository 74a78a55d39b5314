/**
 * Builds dist/main.cjs, which holds the code that every boot needs, and dist/parts/, which holds the code behind each `import()`.
 *
 * esbuild divides code only into ES modules, which Node cannot load with a code cache. So the chunks are built twice: first
 * esbuild divides, then it joins those chunks that a boot loads in main.cjs, and makes a CommonJS function of each other chunk.
 * The hash in the name of a part keeps a running chaperone from reading what a newer version has put in its place.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { alias, bundle, common, root, supported, versionAlone } from './bundle-options.mjs';

/** What has to be run before everything else. */
const first = 'src/cli/chaperone/first.ts';
const loader = readFileSync(join(root, 'scripts/late-parts.cjs'), 'utf8');

/** Options of both steps. Of a source, the map holds the path alone. */
const small = { ...common, minify: true, sourcesContent: false, write: false };

/**
 * @param entry the file that a boot runs, relative to the project
 * @param dist the folder for the files
 * @returns what esbuild tells of the chunks: its metafile
 */
export async function buildBoot({ entry, dist }) {
  const { outputFiles, metafile } = await bundle({
    ...small,
    alias,
    plugins: [versionAlone],
    entryPoints: { first, main: entry },
    outdir: dist,
    format: 'esm',
    splitting: true,
    sourcemap: 'inline',
    chunkNames: '[name]-[hash]',
    metafile: true,
  });
  const chunks = new Map(outputFiles.map(({ path, text }) => [`./${basename(path)}`, text]));
  const imports = importsOf(metafile);
  const eager = loadedAtBoot(imports);
  const parts = [...chunks.keys()].filter((name) => !eager.includes(name));
  const asked = new Set(parts.flatMap((name) => imports.get(name)).filter((name) => eager.includes(name)));
  const contents = [
    "import './first.js';",
    "import './main.js';",
    ...[...asked].map((name) => `export * as ${JSON.stringify(name)} from ${JSON.stringify(name)};`),
  ].join('\n');
  writeMain(dist, await joinChunks(contents, chunks, parts));
  const folder = join(dist, 'parts');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const name of parts) {
    const others = [...chunks.keys()].filter((each) => each !== name);
    writePart(join(folder, name.replace(/\.js$/, '.cjs')), await joinChunks(chunks.get(name), chunks, others));
  }
  return metafile;
}

/** The chunks that each chunk imports without `import()`. */
function importsOf({ outputs }) {
  return new Map(
    Object.entries(outputs).map(([path, { imports }]) => [
      `./${basename(path)}`,
      imports
        .filter(({ kind, external }) => kind === 'import-statement' && !external)
        .map((imported) => `./${basename(imported.path)}`),
    ]),
  );
}

function loadedAtBoot(imports) {
  const found = new Set(['./first.js', './main.js']);
  // A set that grows is walked to its end.
  for (const name of found) for (const imported of imports.get(name)) found.add(imported);
  return [...found];
}

/** Makes one CommonJS file of a text and of the chunks that it imports, except for those that are `left` out. */
async function joinChunks(contents, chunks, left) {
  const { outputFiles } = await bundle({
    ...small,
    // The function `load` of late-parts.cjs is the `require` of this code.
    supported,
    sourcemap: 'external',
    // Node prints the whole line of an error that nobody handles.
    lineLimit: 200,
    stdin: { contents, resolveDir: root, sourcefile: 'chunks' },
    outfile: join(root, 'joined.cjs'),
    external: [...left, '*.cjs'],
    plugins: [fromMemory(chunks, left)],
  });
  const [map, code] = outputFiles.map(({ text }) => text);
  return { code, map: JSON.parse(map) };
}

const fromMemory = (chunks, left) => ({
  name: 'from memory',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: /\.js$/ }, ({ path }) => {
      if (left.includes(path)) return { path, external: true };
      return chunks.has(path) ? { path, namespace: 'chunk' } : undefined;
    });
    onLoad({ filter: /.*/, namespace: 'chunk' }, ({ path }) => ({
      contents: chunks.get(path),
      resolveDir: root,
    }));
  },
});

function writeMain(dist, { code, map }) {
  const before = `"use strict";\nconst load = ((module) => {\n${loader}\nreturn module.exports;\n})({})(() => module.exports);\n((require) => {\n`;
  const after = '\n})(load);\n';
  writeFileSync(join(dist, 'main.cjs'), before + code + after);
  writeMap(join(dist, 'main.cjs'), map, before);
}

function writePart(file, { code, map }) {
  const before = '((module, exports, require, __dirname) => {\n';
  writeFileSync(file, `${before}${code}\n})`);
  writeMap(file, map, before);
}

/** Writes the source map of a file that has `before` in front of the code. */
function writeMap(file, { mappings, ...map }, before) {
  const lines = before.split('\n').length - 1;
  writeFileSync(`${file}.map`, JSON.stringify({ ...map, mappings: ';'.repeat(lines) + mappings }));
}
