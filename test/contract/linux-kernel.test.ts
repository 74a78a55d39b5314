import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { release, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ProcessTree, SpawnOutcome, SpawnRequest } from '../../src/runtime/kernel.ts';
import { startBody } from '../../src/runtime/linux/connect-body.ts';
import { LinuxClock } from '../../src/runtime/linux/linux-clock.ts';
import { LinuxKernel } from '../../src/runtime/linux/linux-kernel.ts';
import { loadEdge } from '../../src/runtime/linux/load-edge.ts';
import type { NativeEdge } from '../../src/runtime/linux/native.ts';
import { inDist } from '../dist.ts';
import { describeKernelContract, type Harness, type ProgramName, type SpawnErrorName } from './kernel-contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'chaperone-contract-'));
const serving = join(folder, 'web.sock');
writeFileSync(join(folder, 'answer'), '503\nout of order');
const server = `rm -f ${serving}; exec python3 ${join(import.meta.dirname, '../fixtures/server.py')} ${serving}`;

const shell: Readonly<Record<ProgramName, string>> = {
  succeeds: 'exit 0',
  'exits 3': 'exit 3',
  'dies of SIGTERM': 'kill -TERM $$',
  hangs: 'exec sleep 1000',
  'ignores SIGTERM': 'trap "" TERM; echo ready; while :; do sleep 1000; done',
  'prints to both': 'echo out; echo err >&2',
  'leaves a daemon': 'setsid sleep 1000 >/dev/null 2>&1 & exit 0',
  'leaves a child': 'sleep 1000 >/dev/null 2>&1 & exit 0',
  'leaves a writer': 'echo early; (sleep 0.3; echo late) 2>/dev/null & exit 0',
  'hangs with a child': 'sleep 1000 & echo forked; wait',
  'ends after 50 ms': 'exec sleep 0.05',
  serves: `${server} ${join(folder, 'answer')}`,
  'serves and is silent': `${server} silent`,
  'writes to descriptor 5': 'echo ready >&5',
  'writes its pid': 'echo $$ > "$0"; exec sleep 1000',
  notifies: `exec python3 -c 'import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])'`,
  'relays its input': 'exec cat',
  'fills a pipe': "exec seq -f 'line %05g' 1 10000",
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

const edge = loadEdge(inDist('edge.node'));
const clock = new LinuxClock();
const body = startBody(edge, inDist('chaperone'));
const kernel = new LinuxKernel({ edge, body, clock, descriptorLimit: edge.descriptorLimit() });
kernel.open();
await kernel.notifying.load();
await kernel.loadFiles();
await kernel.loadProbes();

/** PIDFD_INFO_EXIT is of Linux 6.15. */
const [major = 0, minor = 0] = release().split('.').map(Number);
const tellsStatus = major > 6 || (major === 6 && minor >= 15);

const isRoot = process.getuid?.() === 0;
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
async function endAll(): Promise<void> {
  let gone = false;
  const watch = kernel.childrenGone$.subscribe(() => {
    gone = true;
  });
  kernel.watchChildren();
  // A signal that is sent later would reach the processes of the next test.
  let underWay = 0;
  const killAll = (): void => {
    underWay += 1;
    kernel.signalAll('SIGKILL', () => {
      underWay -= 1;
    });
  };
  const kill = setInterval(killAll, 10);
  killAll();
  await until(() => gone).finally(() => clearInterval(kill));
  await until(() => underWay === 0);
  watch.unsubscribe();
}

/** @param begun is called in the turn in which the kernel tells that the program runs */
function spawn(request: SpawnRequest, begun: (outcome: SpawnOutcome & { readonly ok: true }) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    kernel.spawn(request, (outcome) => {
      if (!outcome.ok) return reject(new Error(outcome.error.code));
      begun(outcome);
      resolve(outcome.pid);
    });
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

function valueFiles(): Harness['values'] {
  const path = mkdtempSync(join(folder, 'values-'));
  mkdirSync(join(path, 'folder'));
  writeFileSync(join(path, 'file'), 'A=1');
  writeFileSync(join(path, 'folder', 'B'), '2');
  return { file: join(path, 'file'), folder: join(path, 'folder'), missing: join(path, 'missing') };
}

function open(): Harness {
  return {
    kernel,
    clock,
    argv: (program) => ['/bin/sh', '-c', shell[program], pidfile],
    pidfile,
    socket: serving,
    failing: (error) => failing[error],
    until,
    newPath: (name) => join(mkdtempSync(join(folder, 'new-')), name),
    values: valueFiles(),
    exists: (path) => existsSync(path),
    read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : ''),
    early: true,
    tellsStatus,
    ...(isRoot ? { otherAccount: { uid: 1000, gid: 1000, groups: [1000] } } : {}),
    ownPid: process.pid,
    sendLog: (path, text) => edge.sendDatagram(path, Buffer.from(text)) === 0,
    awaitEndSilently: (pid) => {
      // The body reaps it; this loop lets nobody here run who could hear of that.
      while (existsSync(`/proc/${pid}`));
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
      rmSync(serving, { force: true });
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
    const turns: number[] = [];
    let turn = 0;
    let bytes = 0;
    let open = 2;
    const complete = (): void => {
      open -= 1;
    };
    await spawn({ ...written, argv: ['head', '-c', '1000000', '/dev/zero'] }, ({ stdout, stderr }) => {
      stdout.subscribe({
        next: (piece) => {
          bytes += piece.length;
          turns.push(turn);
        },
        complete,
      });
      stderr.subscribe({ complete });
    });
    await until(() => {
      turn += 1;
      return open === 0;
    });
    expect(bytes).toBe(1_000_000);
    // The last pieces may be read in the same turn as others: at the exit of the process, and because stderr has ended, which
    // is read after what was written to stdout before.
    expect(new Set(turns).size).toBeGreaterThanOrEqual(turns.length - 5);
    expect(turns.length).toBeGreaterThan(10);
  });

  /** The open pipes, each by its descriptor and the number that no other pipe has. */
  const pipes = (): readonly string[] =>
    readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const link = readlinkSync(`/proc/self/fd/${fd}`);
        return link.startsWith('pipe:') ? [`${fd} ${link}`] : [];
      } catch {
        // This was the descriptor by which the folder was read.
        return [];
      }
    });

  it('comes through pipes that are watched before the process runs: where that fails, none runs, and no pipe is left', async () => {
    const faulty: NativeEdge = {
      ...edge,
      watchReadable: () => {
        throw Object.assign(new Error('no room for a watch'), { code: 'ENOSPC' });
      },
    };
    const own = new LinuxKernel({ edge: faulty, body, clock, descriptorLimit: edge.descriptorLimit() });
    const ran = join(folder, 'ran');
    // Descriptors of processes that have ended before may be closed meanwhile: what counts is that none is new.
    const before = new Set(pipes());
    const outcomes: SpawnOutcome[] = [];
    own.spawn({ ...written, stdin: 'inherit', argv: ['touch', ran] }, (outcome) => outcomes.push(outcome));
    await until(() => outcomes.length > 0);
    expect(outcomes).toMatchObject([{ ok: false, error: { code: 'ENOSPC', stage: 'pipe' } }]);
    expect(pipes().filter((each) => !before.has(each))).toEqual([]);
    expect(existsSync(ran)).toBe(false);
  });

  it('comes through pipes that are opened when the start goes to the body: those that wait hold none', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const outcomes: SpawnOutcome[] = [];
    const ended = new Set<number>();
    const subscription = kernel.exits$.subscribe(({ exits }) => {
      for (const { pid } of exits) ended.add(pid);
    });
    for (let i = 0; i < 500; i += 1)
      kernel.spawn({ ...written, argv: ['/bin/true'] }, (outcome) => outcomes.push(outcome));
    // The body has 64 children on their way at most, each with two pipes.
    expect(readdirSync('/proc/self/fd').length - before).toBeLessThanOrEqual(64 * 4);
    await until(() => outcomes.length === 500);
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
    await until(() => outcomes.every((outcome) => outcome.ok && ended.has(outcome.pid)));
    subscription.unsubscribe();
  });

  it('is emitted at once where somebody asks for it, before the loop has looked, and no byte of it twice', async () => {
    const harness = open();
    const heard: string[] = [];
    const exits = new Set<number>();
    const subscription = kernel.exits$.subscribe((batch) => {
      for (const each of batch.exits) exits.add(each.pid);
    });
    const pid = await spawn({ ...written, argv: harness.argv('prints to both') }, (outcome) => {
      outcome.stdout.subscribe((chunk) => heard.push(Buffer.from(chunk).toString()));
      outcome.stderr.subscribe((chunk) => heard.push(Buffer.from(chunk).toString()));
      harness.awaitEndSilently(outcome.pid);
      kernel.readOutput(outcome.pid);
      heard.push(exits.has(outcome.pid) ? 'exit' : 'no exit');
    });
    expect(heard).toEqual(['out\n', 'err\n', 'no exit']);
    await until(() => exits.has(pid));
    subscription.unsubscribe();
    kernel.readOutput(pid);
    expect(heard).toHaveLength(3);
  });
});

describe('a process that is looked up', () => {
  const { following } = kernel;

  it('is none where the number is that of a thread, though a signal to it would reach the process', () => {
    const threads = readdirSync('/proc/self/task').map(Number);
    expect(threads.length).toBeGreaterThan(1);
    const found = threads.filter(
      (thread) => existsSync(`/proc/${thread}/stat`) && following.lookUp(thread) !== undefined,
    );
    expect(found).toEqual([process.pid]);
    expect(following.isOwn(process.pid)).toBe(true);
    expect(following.isOwn(body.pid)).toBe(true);
  });

  it.runIf(isRoot).each([
    ['whose account is one of others', 'os.setuid(1000)', 1000],
    ['that acts as another account, and is root', 'os.seteuid(1000)', 0],
    ['that acts as root, and is not', 'os.setresuid(1000, 0, 1000)', 0],
    ['that may become root again', 'os.setresuid(1000, 1000, 0)', 0],
  ])('%s has an account of its own', async (_what, act, uid) => {
    const ready = join(mkdtempSync(join(folder, 'uid-')), 'ready');
    chmodSync(dirname(ready), 0o777);
    chmodSync(folder, 0o755);
    const argv = ['python3', '-c', `import os, time\n${act}\nopen(${JSON.stringify(ready)}, "w")\ntime.sleep(1000)`];
    const pid = await spawn(
      {
        argv,
        environment: { PATH: '/usr/bin:/bin' },
        ownGroup: true,
        stdin: 'null',
        stdout: 'inherit',
        stderr: 'inherit',
      },
      () => undefined,
    );
    await until(() => existsSync(ready));
    expect(following.lookUp(pid)?.uid).toBe(uid);
    edge.kill(pid, 9);
  });
});

describe.runIf(isRoot)('a pidfile', () => {
  const { following } = kernel;
  /** A folder of root's with a pidfile, and one of another account. */
  function folders() {
    const own = mkdtempSync(join(folder, 'own-'));
    const theirs = mkdtempSync(join(folder, 'theirs-'));
    const path = join(own, 'web.pid');
    writeFileSync(path, '7\n');
    chownSync(theirs, 1000, 1000);
    return { own, theirs, path, at: join(theirs, 'web.pid') };
  }

  it("is root's where root alone can have put it there, through links of root's, too", () => {
    const { own, path } = folders();
    symlinkSync(own, join(own, 'folder'));
    symlinkSync('folder/web.pid', join(own, 'other'));
    expect(following.readPidfile(path)).toMatchObject({ text: '7\n', byRoot: true });
    expect(following.readPidfile(join(own, 'other'))).toMatchObject({ text: '7\n', byRoot: true });
    expect(following.readPidfile(join(own, 'folder/folder/./web.pid'))).toMatchObject({ text: '7\n', byRoot: true });
  });

  it('is not where another account owns it or can have moved it there, and is not read where that account has linked it there', () => {
    const { own, theirs, path, at } = folders();
    const seen: (boolean | undefined)[] = [];
    const look = (name: string): void => {
      seen.push(following.readPidfile(name)?.byRoot);
      rmSync(name, { recursive: true });
    };
    const link = (target: string, name: string): void => {
      symlinkSync(target, name);
      lchownSync(name, 1000, 1000);
    };
    writeFileSync(at, '7\n');
    chownSync(at, 1000, 1000);
    look(at);
    link(path, at);
    look(at);
    link(own, join(theirs, 'run'));
    expect(following.readPidfile(join(theirs, 'run/web.pid'))).toBeUndefined();
    link('run/web.pid', at);
    look(at);
    linkSync(path, at);
    look(at);
    // Somebody who may write to the folder can have moved it there.
    renameSync(path, at);
    look(at);
    writeFileSync(path, '7\n');
    expect(following.readPidfile(path)?.byRoot).toBe(true);
    chmodSync(own, 0o777);
    seen.push(following.readPidfile(path)?.byRoot);
    chmodSync(own, 0o1777);
    expect(following.readPidfile(path)?.byRoot).toBe(true);
    expect(seen).toEqual([false, undefined, undefined, undefined, false, false]);
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

/** Processes that were started past chaperone's kernel. */
const strangers: ChildProcess[] = [];

/** Starts a program under a pid, past chaperone's kernel. Returns false where somebody else was quicker. */
function spawnAs(pid: number, command: string): boolean {
  const last = readFileSync(lastPid);
  writeFileSync(lastPid, String(pid - 1));
  const started = spawnChild('/bin/sh', ['-c', command], { stdio: 'ignore', detached: true });
  // Other tests go on with pids that nobody has had of late.
  writeFileSync(lastPid, last);
  strangers.push(started);
  return started.pid === pid;
}

describe.skipIf(!mayChoosePids())('a number that comes again', () => {
  const { following } = kernel;
  /** Starts a command, and tracks its group from the beginning. */
  const start = async (command: string): Promise<{ readonly pid: number; readonly group: ProcessTree }> => {
    const groups: ProcessTree[] = [];
    const request = {
      argv: ['/bin/sh', '-c', command],
      environment: { PATH: '/usr/bin:/bin' },
      ownGroup: true,
      stdin: 'null',
      stdout: 'inherit',
      stderr: 'inherit',
    } as const;
    const pid = await spawn(request, (outcome) => groups.push(following.trackGroup(outcome.pid)));
    const [group] = groups;
    if (group === undefined) throw new Error('the group is not tracked');
    return { pid, group };
  };

  afterEach(async () => {
    for (const { pid } of strangers.splice(0)) if (pid !== undefined) edge.kill(-pid, 9);
    await endAll();
  });

  /** The group of a leader that is gone, and whose pid leads another one now. */
  async function succeeded(onEnd: (group: ProcessTree) => void): Promise<{ pid: number; group: ProcessTree }> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const { pid, group } = await start('exit 0');
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
    const { pid, group } = await start('trap "exit 0" USR1; sleep 1000 & wait');
    await until(() => group.members().length === 2);
    let reaped = false;
    const watch = kernel.exits$.subscribe(({ exits }) => {
      reaped ||= exits.some((exit) => exit.pid === pid);
    });
    edge.kill(pid, 10);
    await until(() => reaped);
    watch.unsubscribe();
    group.startEnded();
    const members = group.members();
    expect(members).toHaveLength(1);
    await until(() => edge.kill(pid, 0) !== 0);
    expect(group.members()).toEqual(members);
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(group.members()).toEqual(members);
  });
});
