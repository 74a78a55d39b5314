// Compiles the native parts for a release: the body as a static program, and addons that name no library, so that they load into a
// Node of any C library. The addon of unix-dgram, which is not N-API, is compiled for each version of Node's interface.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodePackage, nodeVersions } from './node-packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const run = (command, ...args) => execFileSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });

const cFlags = ['-std=c11', '-O3', '-Wall', '-Wextra', '-Werror'];
// As Node compiles addons. The addon is loaded by dlopen(3) into a program that has all the libraries already.
const cppFlags = ['-std=c++20', '-O3', '-fno-exceptions', '-fno-rtti', '-w'];
const addonFlags = ['-shared', '-fPIC', '-s', '-nodefaultlibs'];

/** The symbols of the C library that an addon may use: glibc 2.28, the oldest that Node runs with, and musl both have them. */
const known = new Set(readFileSync(join(root, 'scripts/native-symbols.txt'), 'utf8').split(/\s+/));

/** Symbols of Node, of libuv and of the C++ library, which Node brings, or asks for itself. */
const isOfNode = (name) =>
  /^(?:napi_|uv_|node_|_ZN\w*2v8|_ZNK?2v8|_ZN4node|_Zn[wa]m|_Zd[la]Pv|_ZSt1[89]_Rb_tree|_ZSt2[89]_Rb_tree)/.test(name);

/** @param target `gcc` and `g++` are its compilers */
export async function compileNative(target, out) {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const headers = async (major) => join(await nodePackage('x64', major), 'include/node');
  const sources = JSON.parse(
    run(
      'python3',
      '-c',
      'import ast, json; print(json.dumps(ast.literal_eval(open("binding.gyp").read())["targets"]))',
    ),
  );
  const sourcesOf = (name) => sources.find((each) => each.target_name === name).sources;
  run(
    target.gcc,
    ...cFlags,
    '-static',
    '-s',
    '-Wl,-e,first_instruction',
    '-Wl,--build-id=none',
    '-Idist',
    ...sourcesOf('body'),
    '-o',
    join(out, 'chaperone'),
  );
  const edge = join(out, 'edge.node');
  run(target.gcc, ...cFlags, ...addonFlags, `-I${await headers(22)}`, ...sourcesOf('edge'), '-o', edge);
  const library = dirname(require.resolve('unix-dgram/package.json'));
  const nan = dirname(require.resolve('nan/package.json', { paths: [library] }));
  const addons = [edge];
  for (const [major, { abi }] of Object.entries(nodeVersions)) {
    const addon = join(out, `unix_dgram.abi${abi}.node`);
    const includes = [`-I${await headers(major)}`, `-I${nan}`];
    const defines = ['-DNODE_GYP_MODULE_NAME=unix_dgram', '-DBUILDING_NODE_EXTENSION', '-D_FILE_OFFSET_BITS=64'];
    run(
      target.gpp,
      ...cppFlags,
      ...addonFlags,
      ...defines,
      ...includes,
      join(library, 'src/unix_dgram.cc'),
      '-o',
      addon,
    );
    addons.push(addon);
  }
  for (const addon of addons) expectPortable(addon);
}

/**
 * The symbols that an addon needs and that some C libraries do not have. Node loads an addon with such a symbol, and fails at the first call
 * of it, in the container of a user.
 */
export function foreignSymbols(addon) {
  const needed = run('readelf', '--dyn-syms', '--wide', addon).matchAll(/ (?:GLOBAL|WEAK) +DEFAULT +UND (\w+)/g);
  return [...needed].map(([, name]) => name).filter((name) => !known.has(name) && !isOfNode(name));
}

function expectPortable(addon) {
  const foreign = foreignSymbols(addon);
  if (foreign.length > 0) throw new Error(`${addon} needs ${foreign.join(', ')}, which not every C library has`);
  if (/\(NEEDED\)/.test(run('readelf', '-d', addon))) throw new Error(`${addon} names a library`);
}
