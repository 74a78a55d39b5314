// Makes dist/main.cache: V8's code of the bundle, taken after a boot in which the native part is a stub, so that it holds the
// functions that a boot needs. It fits exactly the node binary that runs this; where it is missing, loading takes longer.
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const file = join(dist, 'main.cjs');
const folder = mkdtempSync(join(tmpdir(), 'chaperone-cache-'));
const config = join(folder, 'boot.conf');
writeFileSync(
  config,
  'settings: { env_set: { A: "$(PATH:-b)" } }\n' +
    'first.service: { type: oneshot, command: "/bin/true a", stdout: inherit, stderr: inherit, process_timeout: 0.02 }\n' +
    'second.service: { command: "/bin/true", stdout: inherit, stderr: inherit, startup_pause: 0, after: third.service }\n' +
    'third.service: { command: "/bin/true", stdout: inherit, stderr: inherit, startup_pause: 0, restart: true }\n' +
    'console.logging: { selector: "*.debug", stdout: true }\n',
);

let pid = 1_000;
const running = [];
const stub = {
  spawn: () => {
    pid += 1;
    running.push(pid);
    return { pid };
  },
  reap: () => ({
    exits: running.splice(0).map((ended) => ({ pid: ended, code: 1, coreDumped: false })),
    childrenLeft: false,
  }),
  kill: () => 0,
  setSubreaper: () => undefined,
  watchSignal: () => undefined,
  writeNow: () => 0,
  descriptorLimit: () => ({ soft: 1024, hard: 1024 }),
  exitNow: () => finish(),
};

const script = new Script(
  `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`,
  { filename: file },
);
const write = createRequire(file)('node:fs').write;
const realCreateRequire = createRequire;
Module.createRequire = (path) => (String(path).endsWith('edge.node') ? () => stub : realCreateRequire(path));
createRequire(file)('node:fs').write = (_fd, bytes, done) => setImmediate(() => done(null, bytes.length));
process.argv = [process.execPath, file, '--config', config, '--inspect', '--no-syslog'];
// Should the stubbed boot not end by itself, its code is as good after this time.
setTimeout(finish, 500);
const bundle = { exports: {} };
script.runInThisContext()(bundle.exports, realCreateRequire(file), bundle, file, dist);
setImmediate(() => process.emit('SIGCHLD'));

function keep(path, compiled) {
  const target = `${path}.cache`;
  writeFileSync(`${target}.new`, compiled.createCachedData());
  renameSync(`${target}.new`, target);
}

function finish() {
  createRequire(file)('node:fs').write = write;
  keep(join(dist, 'main'), script);
  for (const [path, part] of bundle.exports.scripts) keep(path, part);
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
}
