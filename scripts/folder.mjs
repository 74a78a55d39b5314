// Makes the folder that is copied to /usr/local of an image: lib/chaperone with the bundle, the native parts and, unless the image is
// to bring its own, Node with the loader and the libraries that it needs; links in bin; man pages and completions in share.
//
//   node scripts/folder.mjs OUT    what `npm run build` has left in dist/, with the Node that runs this
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeCodeCache } from './code-cache.mjs';
import { keepEnglish } from './english-icu.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26 });
const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Where each shell looks for completions of programs in /usr/local. */
const completions = {
  bash: (program) => `share/bash-completion/completions/${program}`,
  fish: (program) => `share/fish/vendor_completions.d/${program}.fish`,
  zsh: (program) => `share/zsh/site-functions/_${program}`,
};

/** Where Debian has the libraries of the processor that this runs on. */
const native = {
  strip: 'strip',
  libraries: [{ x64: '/lib/x86_64-linux-gnu', arm64: '/lib/aarch64-linux-gnu' }[process.arch] ?? '/lib', '/usr/lib'],
  emulator: [],
};

/**
 * @param out stands for /usr/local
 * @param natives the folder of the native parts; each of its files with an ending `.node`, and `chaperone`
 * @param node absent: the image has its own. `strip` is the program, `libraries` the folders where the libraries of the target are, and
 *   `emulator` the command that runs programs of the target
 */
export function makeFolder({ out, natives = join(root, 'dist'), node }) {
  const folder = join(out, 'lib/chaperone');
  rmSync(out, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  copyBundle(folder);
  for (const name of readdirSync(natives)) {
    if (!name.endsWith('.node') && name !== 'chaperone') continue;
    copyFileSync(join(natives, name), join(folder, name));
    chmodSync(join(folder, name), 0o755);
  }
  mkdirSync(join(out, 'bin'));
  for (const program of Object.keys(bin)) {
    if (program !== 'chaperone') symlinkSync('chaperone', join(folder, program));
    symlinkSync(`../lib/chaperone/${program}`, join(out, 'bin', program));
  }
  // An image may have runit's own in PATH, so that this one stands in the folder alone.
  symlinkSync('chaperone', join(folder, 'sv'));
  copyShared(out);
  if (node !== undefined) addNode(folder, { ...native, ...node });
}

function copyBundle(folder) {
  const dist = join(root, 'dist');
  const files = readdirSync(dist).filter((name) => /\.[cm]js$/.test(name) || name === 'main.cjs.map');
  for (const name of files) cpSync(join(dist, name), join(folder, name));
  for (const name of ['inspect-page', 'parts']) {
    cpSync(join(dist, name), join(folder, name), { recursive: true, filter: (path) => !path.endsWith('.cache') });
  }
  // What dockerops makes projects and their base image of.
  for (const name of ['dockerops-base', 'dockerops-demo', 'dockerops-project']) {
    cpSync(join(root, 'config', name), join(folder, 'config', name), { recursive: true });
  }
}

/** Man pages and completions, where the sources are complete. */
function copyShared(out) {
  const put = (from, to) => {
    mkdirSync(join(out, to, '..'), { recursive: true });
    copyFileSync(from, join(out, to));
  };
  for (const page of readdirSync(join(root, 'docs/man'))) {
    put(join(root, 'docs/man', page), `share/man/man${page.slice(-1)}/${page}`);
  }
  for (const file of readdirSync(join(root, 'completions'))) {
    const shell = file.slice(file.lastIndexOf('.') + 1);
    const program = basename(file, `.${shell}`);
    put(join(root, 'completions', file), completions[shell](program));
  }
}

function addNode(folder, { file, strip, libraries, emulator }) {
  const target = join(folder, 'node');
  copyFileSync(file, target);
  chmodSync(target, 0o755);
  run(strip, target);
  keepEnglish(target);
  const own = join(folder, 'lib');
  mkdirSync(own);
  for (const name of neededBy(target, libraries)) copyFileSync(find(name, libraries), join(own, name));
  const loader = readdirSync(own).find((name) => name.startsWith('ld-linux'));
  if (loader === undefined) throw new Error(`${file} needs no loader`);
  chmodSync(join(own, loader), 0o755);
  symlinkSync(loader, join(own, 'node'));
  makeCodeCache(folder, [...emulator, join(own, loader), '--library-path', own, target], '/usr/local/lib/chaperone');
}

/** The names of all libraries that a program needs, directly or not; one of them is the loader. */
function neededBy(program, libraries) {
  const found = new Set();
  const open = [program];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    for (const [, name] of run('readelf', '-d', file).matchAll(/\(NEEDED\).*\[(.+)\]/g)) {
      if (found.has(name)) continue;
      found.add(name);
      open.push(find(name, libraries));
    }
  }
  return [...found].sort();
}

function find(name, libraries) {
  const path = libraries.map((folder) => join(folder, name)).find(existsSync);
  if (path === undefined) throw new Error(`cannot find ${name} in ${libraries.join(', ')}`);
  return realpathSync(path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out] = process.argv.slice(2);
  if (out === undefined) throw new Error('expected the folder to make');
  makeFolder({ out, node: { file: process.execPath } });
}
