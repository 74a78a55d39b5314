// Boots config/ as PID 1 of a PID namespace of its own and shows each transition. Ctrl-C or SIGTERM stop it in order.
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepare, root } from './prepare.mjs';

await prepare();
const chaperone = [
  join(root, 'dist/chaperone'),
  '--config',
  join(root, 'config'),
  '--inspect',
  // The machine's own /dev is not to be touched.
  '--no-syslog',
  ...process.argv.slice(2),
];
const unshare = namespaceFlags();
const [program, ...words] = unshare === undefined ? chaperone : ['unshare', ...unshare, ...chaperone];
const child = spawn(program, words, { stdio: 'inherit' });

// A terminal's Ctrl-C reaches chaperone by itself; a signal to this process alone is passed on.
process.on('SIGINT', () => {
  if (!process.stdin.isTTY) passOn('SIGINT');
});
for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => passOn(signal));
child.on('exit', (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128);
});

/** What unshare(1) takes on this machine; undefined where it cannot, and chaperone says by itself that it is not PID 1. */
function namespaceFlags() {
  return [[], ['--user', '--map-root-user']]
    .map((flags) => [...flags, '--pid', '--fork', '--mount-proc', '--kill-child'])
    .find((flags) => spawnSync('unshare', [...flags, 'true'], { stdio: 'ignore' }).status === 0);
}

/** unshare(1) keeps signals from its child: chaperone is signalled by its pid out here. */
function passOn(signal) {
  if (unshare === undefined) {
    child.kill(signal);
    return;
  }
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  for (const pid of children === '' ? [child.pid] : children.split(' ').map(Number)) process.kill(pid, signal);
}
