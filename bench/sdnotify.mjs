// One notification: by sdnotify, by systemd-notify where it is installed (Debian: apt-get install systemd), and beside them a
// Node that does nothing, which is the least that sdnotify can take; then sdnotify-exec around a command that does nothing.
// Rounds alternate, so that what else the machine does hits all of them. Prints medians of ms from start to end, and ratios.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = 41;
const dist = fileURLToPath(new URL('../dist', import.meta.url));
const edge = createRequire(import.meta.url)('../dist/edge.node');
const folder = mkdtempSync(join(tmpdir(), 'sdnotify-bench-'));
const socket = join(folder, 'socket');
const fd = edge.bindDatagram(socket);
// Left set, it makes each Node read certificates first.
const { NODE_EXTRA_CA_CERTS: _, ...env } = { ...process.env, NOTIFY_SOCKET: socket };

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const node = [process.execPath];
const ways = {
  'systemd-notify': ['systemd-notify', '--no-block', '--ready'],
  sdnotify: [...node, join(dist, 'sdnotify.cjs'), '--ready'],
  'node, nothing': [...node, '--eval', '0'],
  'sdnotify-exec true': [...node, join(dist, 'sdnotify-exec.cjs'), 'true'],
};
if (spawnSync('systemd-notify', ['--version']).error !== undefined) {
  delete ways['systemd-notify'];
  process.stdout.write('systemd-notify is not installed: measured without it\n');
}

const times = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
try {
  for (let round = 0; round < rounds; round++) {
    for (const [way, [program, ...args]] of Object.entries(ways)) {
      const from = performance.now();
      const { status } = spawnSync(program, args, { env, stdio: 'ignore' });
      times[way].push(performance.now() - from);
      const heard = edge.receiveDatagrams(fd, 10).map(({ bytes }) => String(bytes));
      const expected = way.includes('notify') && !way.includes('exec') ? 'READY=1' : '';
      if (status !== 0 || heard.join() !== expected) throw new Error(`${way} ended with ${status}, heard: ${heard}`);
    }
  }
} finally {
  closeSync(fd);
  rmSync(folder, { recursive: true });
}

const sdnotify = median(times.sdnotify);
for (const [way, values] of Object.entries(times)) {
  const middle = median(values);
  process.stdout.write(`${way.padEnd(18)} ${middle.toFixed(1).padStart(6)} ms, `);
  process.stdout.write(`sdnotify takes ${(sdnotify / middle).toFixed(2)} times as long\n`);
}
