// One notification: by sdnotify, and by systemd-notify where it is installed (Debian: apt-get install systemd); beside them a
// program that does nothing; then sdnotify-exec around a command that does nothing, and a Node that does nothing, which is the least
// that sdnotify-exec can take.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { measure } from './measured.mjs';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const edge = createRequire(import.meta.url)('../dist/edge.node');
const folder = mkdtempSync(join(tmpdir(), 'sdnotify-bench-'));
const socket = join(folder, 'socket');
const fd = edge.bindDatagram(socket);
// Left set, it makes each Node read certificates first.
const { NODE_EXTRA_CA_CERTS: _, ...env } = { ...process.env, NOTIFY_SOCKET: socket };

const node = [process.execPath];
const ways = {
  true: ['/bin/true'],
  'systemd-notify': ['systemd-notify', '--no-block', '--ready'],
  sdnotify: [join(dist, 'sdnotify'), '--ready'],
  'node, nothing': [...node, '--eval', '0'],
  'sdnotify-exec true': [...node, join(dist, 'sdnotify-exec.cjs'), 'true'],
};
if (spawnSync('systemd-notify', ['--version']).error !== undefined) {
  delete ways['systemd-notify'];
  process.stdout.write('systemd-notify is not installed: measured without it\n');
}

try {
  measure(
    ways,
    env,
    (way, status) => {
      const heard = edge.receiveDatagrams(fd, 10).map(({ bytes }) => String(bytes));
      const expected = /notify$/.test(way) ? 'READY=1' : '';
      if (status !== 0 || heard.join() !== expected) throw new Error(`${way} ended with ${status}, heard: ${heard}`);
    },
    'true',
  );
} finally {
  closeSync(fd);
  rmSync(folder, { recursive: true });
}
