// Builds dist/edge.node and dist/chaperone with node-gyp, links the other names of chaperone to it, and puts the addon of
// unix-dgram beside them. Runs as npm's install script, too; with --names it only links the names.
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);

const sources = [
  ...readdirSync(join(root, 'native'), { recursive: true }).map((name) => `native/${name}`),
  'binding.gyp',
  'dist/words.h',
  'scripts/build-native.mjs',
];
const outputs = [
  { from: 'build/Release/edge.node', to: 'dist/edge.node', mode: 0o755 },
  { from: 'build/Release/body', to: 'dist/chaperone', mode: 0o755 },
];

/** The programs that dist/chaperone is when it is called by these names. */
const names = ['chaperonectl', 'dockerops', 'envcp', 'sdnotify', 'sdnotify-exec', 'sv', 'telchap'];

const say = (text) => process.stderr.write(`chaperone: ${text}\n`);

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function inPath(name) {
  const found = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, name));
  return found.find(isExecutable);
}

/** A tree copied from another system has fresh files that this one cannot load. */
function loads(addon) {
  const source = 'try { require(process.argv[1]) } catch { process.exitCode = 1 }';
  return spawnSync(process.execPath, ['-e', source, addon]).status === 0;
}

function upToDate() {
  const times = outputs.map(({ to }) => statSync(join(root, to), { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const newest = Math.max(...sources.map((file) => statSync(join(root, file)).mtimeMs));
  return Math.min(...times) > newest && loads(join(root, 'dist/edge.node'));
}

/** The command that is node-gyp: npm's own, one in PATH, or the one inside a global npm. */
function nodeGyp() {
  const told = process.env.npm_config_node_gyp;
  if (told && existsSync(told)) return [process.execPath, told];
  const installed = inPath('node-gyp');
  if (installed) return [installed];
  const globalRoot = spawnSync('npm', ['root', '-g'], { encoding: 'utf8' }).stdout?.trim() ?? '';
  const bundled = join(globalRoot, 'npm/node_modules/node-gyp/bin/node-gyp.js');
  if (globalRoot && existsSync(bundled)) return [process.execPath, bundled];
  try {
    return [process.execPath, require.resolve('node-gyp/bin/node-gyp.js')];
  } catch {
    return ['npx', '--yes', 'node-gyp'];
  }
}

/** Headers that came with this Node save fetching them. */
function headers() {
  const prefix = join(dirname(process.execPath), '..');
  return existsSync(join(prefix, 'include/node/node_api.h')) ? [`--nodedir=${prefix}`] : [];
}

function missingTools(compiler) {
  const python = process.env.PYTHON ?? process.env.npm_config_python;
  const missing = [];
  if (!isExecutable(compiler) && !inPath(compiler)) missing.push(`a C compiler (${compiler})`);
  if (!inPath('make')) missing.push('make');
  if (!python && !inPath('python3')) missing.push('python3');
  return missing;
}

function build() {
  const compiler = process.env.CC ?? 'cc';
  const missing = missingTools(compiler.split(' ')[0]);
  if (missing.length > 0) {
    say(`cannot build the native part: ${missing.join(', ')} not found in PATH`);
    say('install them: apt-get install gcc g++ make python3 (Debian, Ubuntu)');
    say('              apk add gcc g++ musl-dev make python3 (Alpine)');
    return false;
  }
  // There is no C++ here: the C compiler also links, so g++ need not be installed and libstdc++ is not asked for.
  const env = { ...process.env, CC: compiler, CXX: process.env.CXX ?? compiler };
  const [command, ...before] = nodeGyp();
  const args = [...before, 'rebuild', '--loglevel=error', ...headers()];
  const run = spawnSync(command, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (run.status === 0) return true;
  process.stderr.write(`${run.stdout ?? ''}${run.stderr ?? ''}`);
  say(`cannot build the native part: ${run.error?.message ?? `node-gyp ended with status ${run.status}`}`);
  return false;
}

/** The folder of unix-dgram: npm may have put it beside this package as well as into it. */
function datagramPackage() {
  try {
    return dirname(require.resolve('unix-dgram/package.json'));
  } catch {
    return undefined;
  }
}

/** The library's own addon, by its own build: npm's install has made it, unless it ran without scripts. */
function publishDatagram() {
  const folder = datagramPackage();
  if (folder === undefined) {
    say('cannot find the package unix-dgram: notify services will not start');
    return false;
  }
  const addon = join(folder, 'build/Release/unix_dgram.node');
  const target = join(root, 'dist/unix_dgram.node');
  if (!existsSync(addon) || !loads(addon)) {
    const [command, ...before] = nodeGyp();
    const args = [...before, 'rebuild', '--loglevel=error', ...headers()];
    const run = spawnSync(command, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 26 });
    if (run.status !== 0) {
      process.stderr.write(`${run.stdout ?? ''}${run.stderr ?? ''}`);
      say('cannot build unix-dgram, which needs a C++ compiler: notify services will not start');
      return false;
    }
  }
  const built = statSync(addon);
  const there = statSync(target, { throwIfNoEntry: false });
  if (there === undefined || there.mtimeMs < built.mtimeMs || there.size !== built.size || !loads(target)) {
    publish({ from: addon, to: 'dist/unix_dgram.node', mode: 0o755 });
  }
  return true;
}

/** A supervisor that runs from dist keeps the file it has mapped; nobody sees half of the new one. */
function publish({ from, to, mode }) {
  const target = join(root, to);
  const temporary = `${target}.${process.pid}`;
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(resolve(root, from), temporary);
  chmodSync(temporary, mode);
  renameSync(temporary, target);
}

function linkNames() {
  for (const name of names) {
    const link = join(root, 'dist', name);
    if (isLink(link)) continue;
    rmSync(link, { force: true });
    symlinkSync('chaperone', link);
  }
}

function isLink(path) {
  try {
    return readlinkSync(path) === 'chaperone';
  } catch {
    return false;
  }
}

if (!process.argv.includes('--names')) {
  await import('./native-words.mjs');
  if (!upToDate()) {
    if (build()) outputs.forEach(publish);
    else process.exitCode = 1;
  }
  if (!publishDatagram()) process.exitCode = 1;
}
linkNames();
