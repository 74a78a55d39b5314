import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ProcessTree } from '../../src/runtime/kernel.ts';
import { LinuxClock } from '../../src/runtime/linux/linux-clock.ts';
import { LinuxKernel } from '../../src/runtime/linux/linux-kernel.ts';
import { loadEdge } from '../../src/runtime/linux/load-edge.ts';
import type { NativeEdge } from '../../src/runtime/linux/native.ts';
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
  'exits on SIGUSR1 without its child': 'trap "exit 0" USR1; sleep 1000 & echo forked; wait',
  'leaves a zombie': python(`r, w = os.pipe()
if os.fork() == 0:
  if os.fork() == 0: os._exit(0)
  os.setsid()
  os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
  os.write(w, b"x")
  time.sleep(1000)
os.read(r, 1)`),
  'has a child that exits 3': '(sleep 0.5; exit 3) & wait; exec sleep 1000',
  'reaps its child late': python(`if os.fork() == 0:
  time.sleep(.3)
  os._exit(3)
time.sleep(.7)
os.wait()
time.sleep(1000)`),
  'never reaps its child': python(`if os.fork() == 0:
  time.sleep(.3)
  os._exit(3)
time.sleep(1000)`),
};

function python(source: string): string {
  return `exec python3 -c 'import os, time\n${source}'`;
}

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

/** PIDFD_INFO_EXIT is of Linux 6.15. */
const [major = 0, minor = 0] = release().split('.').map(Number);
const tellsStatus = major > 6 || (major === 6 && minor >= 15);

/** ms after which waiting is given up. */
const patience = 20_000;

async function until(condition: () => boolean): Promise<void> {
  const deadline = clock.now() + patience;
  while (!condition()) {
    if (clock.now() > deadline) throw new Error('the condition does not hold after 20 s');
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Again and again: one that is killed may have forked since the processes were listed. */
function endAll(): Promise<void> {
  return until(() => {
    if (!kernel.hasChildren()) return true;
    kernel.signalAll('SIGKILL');
    return false;
  });
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
    tellsStatus,
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
      await endAll();
    },
  };
}

describeKernelContract('Linux', open);

describe('what a process has written', () => {
  const written = {
    environment: { PATH: '/usr/bin:/bin' },
    ownGroup: true,
    stdin: 'null',
    stdout: 'pipe',
    stderr: 'pipe',
  } as const;

  it('is read in pieces, so that what else is due has its turn between them', async () => {
    const outcome = kernel.spawn({ ...written, argv: ['head', '-c', '1000000', '/dev/zero'] });
    if (!outcome.ok) throw new Error(outcome.error.code);
    const turns: number[] = [];
    let turn = 0;
    let bytes = 0;
    let done = false;
    outcome.stdout.subscribe({
      next: (piece) => {
        bytes += piece.length;
        turns.push(turn);
      },
      complete: () => {
        done = true;
      },
    });
    await until(() => {
      turn += 1;
      return done;
    });
    expect(bytes).toBe(1_000_000);
    // The last piece may be read at the exit of the process, in the same turn as another one.
    expect(new Set(turns).size).toBeGreaterThanOrEqual(turns.length - 1);
    expect(turns.length).toBeGreaterThan(10);
  });

  it('comes through pipes that are watched before the process runs: where that fails, none runs, and no pipe is left', async () => {
    let spawned = 0;
    const faulty: NativeEdge = {
      ...edge,
      watchReadable: () => {
        throw Object.assign(new Error('no room for a watch'), { code: 'ENOSPC' });
      },
      spawn: (options) => {
        spawned += 1;
        return edge.spawn(options);
      },
    };
    const own = new LinuxKernel({ edge: faulty, clock, descriptorLimit: edge.descriptorLimit() });
    const before = readdirSync('/proc/self/fd').length;
    const outcome = own.spawn({ ...written, stdin: 'terminal', argv: ['true'] });
    expect(outcome).toMatchObject({ ok: false, error: { code: 'ENOSPC', stage: 'pipe' } });
    expect(spawned).toBe(0);
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
  });

  it('is emitted at once where somebody asks for it, before the loop has looked, and no byte of it twice', async () => {
    const harness = open();
    const outcome = kernel.spawn({ ...written, argv: harness.argv('prints to both') });
    if (!outcome.ok) throw new Error(outcome.error.code);
    const heard: string[] = [];
    outcome.stdout.subscribe((chunk) => heard.push(Buffer.from(chunk).toString()));
    outcome.stderr.subscribe((chunk) => heard.push(Buffer.from(chunk).toString()));
    harness.awaitEndSilently(outcome.pid);
    kernel.readOutput(outcome.pid);
    expect(heard).toEqual(['out\n', 'err\n']);
    const exits = new Set<number>();
    const subscription = kernel.exits$.subscribe((batch) => {
      for (const { pid } of batch.exits) exits.add(pid);
    });
    await until(() => exits.has(outcome.pid));
    subscription.unsubscribe();
    kernel.readOutput(outcome.pid);
    expect(heard).toHaveLength(2);
  });
});

/** proc_sys_kernel(5): the next process gets the free pid after it. Not everybody may write it. */
const lastPid = '/proc/sys/kernel/ns_last_pid';

function mayChoosePids(): boolean {
  try {
    writeFileSync(lastPid, readFileSync(lastPid));
    return true;
  } catch {
    return false;
  }
}

/** Starts a program under a pid, past chaperone's kernel. Returns false where somebody else was quicker. */
function spawnAs(pid: number, command: string): boolean {
  const last = readFileSync(lastPid);
  writeFileSync(lastPid, String(pid - 1));
  const started = edge.spawn({
    file: '/bin/sh',
    argv: ['sh', '-c', command],
    environment: ['PATH=/usr/bin:/bin'],
    stdio: [0, 1, 2],
    group: 'session',
  });
  // Other tests go on with pids that nobody has had of late.
  writeFileSync(lastPid, last);
  if (!('pid' in started)) throw new Error(started.code);
  return started.pid === pid;
}

describe.skipIf(!mayChoosePids())('a number that comes again', () => {
  const start = (command: string): number => {
    const outcome = kernel.spawn({
      argv: ['/bin/sh', '-c', command],
      environment: { PATH: '/usr/bin:/bin' },
      ownGroup: true,
      stdin: 'null',
      stdout: 'inherit',
      stderr: 'inherit',
    });
    if (!outcome.ok) throw new Error(outcome.error.code);
    return outcome.pid;
  };
  const { following } = kernel;

  afterEach(endAll);

  /** The group of a leader that is gone, and whose pid leads another one now. */
  async function succeeded(onEnd: (group: ProcessTree) => void): Promise<{ pid: number; group: ProcessTree }> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const pid = start('exit 0');
      const group = following.trackGroup(pid);
      await until(() => edge.kill(pid, 0) !== 0);
      onEnd(group);
      // The time of a beginning counts in hundredths of a second.
      await new Promise((resolve) => setTimeout(resolve, 30));
      if (spawnAs(pid, 'sleep 1000 & wait')) return { pid, group };
    }
    throw new Error('no pid came again');
  }

  it('is not the group of the process that had it before', async () => {
    const { pid, group } = await succeeded((ended) => {
      ended.startEnded();
      expect(ended.members()).toEqual([]);
    });
    expect(following.lookUp(pid)).toBeDefined();
    expect(group.members()).toEqual([]);
  });

  it('is not the group of a leader that nobody has asked for since its end', async () => {
    const { pid, group } = await succeeded(() => undefined);
    const next = following.trackGroup(pid);
    await until(() => next.members().length === 2);
    expect(group.members()).toEqual([]);
    // Nor when the new leader has gone, and has left somebody.
    edge.kill(pid, 9);
    await until(() => edge.kill(pid, 0) !== 0);
    expect(next.members()).toHaveLength(1);
    expect(group.members()).toEqual([]);
  });

  it('stays the group of the members that outlive its leader', async () => {
    const pid = start('trap "exit 0" USR1; sleep 1000 & wait');
    const group = following.trackGroup(pid);
    await until(() => group.members().length === 2);
    edge.kill(pid, 10);
    await until(() => edge.kill(pid, 0) !== 0);
    group.startEnded();
    const members = group.members();
    expect(members).toHaveLength(1);
    await until(() => edge.kill(pid, 0) !== 0);
    expect(group.members()).toEqual(members);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(group.members()).toEqual(members);
  });
});
