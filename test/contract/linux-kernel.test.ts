import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { LinuxClock } from '../../src/runtime/linux/linux-clock.ts';
import { LinuxKernel } from '../../src/runtime/linux/linux-kernel.ts';
import { loadEdge } from '../../src/runtime/linux/load-edge.ts';
import { describeKernelContract, type Harness, type ProgramName, type SpawnErrorName } from './kernel-contract.ts';

const shell: Readonly<Record<ProgramName, string>> = {
  succeeds: 'exit 0',
  'exits 3': 'exit 3',
  'dies of SIGTERM': 'kill -TERM $$',
  hangs: 'exec sleep 1000',
  'ignores SIGTERM': 'trap "" TERM; echo ready; while :; do sleep 1000; done',
  'prints to both': 'echo out; echo err >&2',
  'leaves a daemon': 'setsid sleep 1000 >/dev/null 2>&1 & exit 0',
  'leaves a writer': 'echo early; (sleep 0.3; echo late) 2>/dev/null & exit 0',
  'hangs with a child': 'sleep 1000 & echo forked; wait',
  'ends after 50 ms': 'exec sleep 0.05',
  'writes its pid': 'echo $$ > "$0"; exec sleep 1000',
  notifies: `exec python3 -c 'import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])'`,
};

const folder = mkdtempSync(join(tmpdir(), 'chaperone-contract-'));
const denied = join(folder, 'denied');
const noFormat = join(folder, 'no-format');
const pidfile = join(folder, 'web.pid');
writeFileSync(denied, '#!/bin/sh\n', { mode: 0o644 });
writeFileSync(noFormat, 'neither program nor script\n');
chmodSync(noFormat, 0o755);
afterAll(() => rmSync(folder, { recursive: true }));

const failing: Readonly<Record<SpawnErrorName, ReturnType<Harness['failing']>>> = {
  missing: { argv: ['no-such-program'] },
  denied: { argv: [denied] },
  'no directory': { argv: ['/bin/true'], directory: join(folder, 'nowhere') },
  'no format': { argv: [noFormat] },
  'too long': { argv: ['/bin/true', 'x'.repeat(200_000)] },
};

const edge = loadEdge(fileURLToPath(new URL('../../dist/edge.node', import.meta.url)));
edge.setSubreaper();
const clock = new LinuxClock();
const kernel = new LinuxKernel({ edge, clock, descriptorLimit: edge.descriptorLimit() });
kernel.open();
await kernel.notifying.load();

/** ms after which waiting is given up. */
const patience = 20_000;

async function until(condition: () => boolean): Promise<void> {
  const deadline = clock.now() + patience;
  while (!condition()) {
    if (clock.now() > deadline) throw new Error('the condition does not hold after 20 s');
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

const clients: Socket[] = [];

/** One that the system chose, and that is closed again. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, () => {
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : undefined;
      server.close(() => (port === undefined ? reject(new Error('no port')) : resolve(port)));
    });
  });
}

function open(): Harness {
  return {
    kernel,
    clock,
    argv: (program) => ['/bin/sh', '-c', shell[program], pidfile],
    pidfile,
    failing: (error) => failing[error],
    until,
    newPath: (name) => join(mkdtempSync(join(folder, 'new-')), name),
    read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
    early: true,
    sendLog: (path, text) => edge.sendDatagram(path, Buffer.from(text)) === 0,
    awaitEndSilently: (pid) => {
      // A zombie is Z in proc_pid_stat(5); this loop lets nobody else run.
      while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1')));
    },
    freePort,
    connect: (port) => {
      const socket = createConnection(port, '127.0.0.1');
      let text = '';
      let ended = false;
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => {
        ended = true;
      });
      socket.on('error', () => {});
      clients.push(socket);
      return { text: () => text, ended: () => ended };
    },
    close: async () => {
      for (const client of clients.splice(0)) client.destroy();
      kernel.signalAll('SIGKILL');
      await until(() => !kernel.hasChildren());
    },
  };
}

describeKernelContract('Linux', open);
