import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { resourceNumbers } from '../../../src/model/service/resources.ts';
import type { BodyVerdict } from '../../../src/runtime/linux/body.ts';
import {
  devNull,
  edge,
  environment,
  exited,
  exitOf,
  isRoot,
  nobody,
  openDescriptors,
  options,
  readAll,
  run,
  scratch,
  spawned,
  startTestedBody,
  type TestedBody,
  tested,
  until,
  type Variations,
  verdictOf,
} from './native-edge.ts';

const lines = (text: string) => text.trim().split('\n');
const limit = (soft: number, hard = soft) => [{ resource: resourceNumbers.nofile, soft, hard }];
const started: BodyVerdict = { ok: true, pid: expect.any(Number) };
/** A number as stage: the index of the step. */
const failed = (code: string, stage: string | number) => ({ ok: false, code, stage });

/** The descriptors of the body itself. */
function descriptorsOf({ body }: Pick<TestedBody, 'body'>): readonly string[] {
  return readdirSync(`/proc/${body.pid}/fd`).sort();
}

/** Waits until all that the body knows by now was told. */
function caughtUp({ body }: Pick<TestedBody, 'body'>): Promise<void> {
  return new Promise((resolve) => body.catchUp(resolve));
}

function childrenOf(pid: number): string {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
}

/** A Python program that starts the words of its command line at a terminal of their own. */
const atTerminal = `import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
os.close(3)
try:
  while os.read(terminal, 1000): pass
except OSError: pass`;

const others: TestedBody[] = [];

function another(...parameters: Parameters<typeof startTestedBody>): TestedBody {
  const body = startTestedBody(...parameters);
  others.push(body);
  return body;
}

afterEach(() => {
  for (const each of others.splice(0)) each.close();
});

describe('a start that is cancelled', () => {
  const cancelled = failed('ECANCELED', 'exec');

  it('before it was sent is never made, and is told of in a later turn, once', async () => {
    const fresh = another();
    const verdicts: BodyVerdict[] = [];
    // Nothing is sent before the body has said how many starts it takes at once.
    const cancel = fresh.body.spawn(options(['/usr/bin/touch', join(scratch, 'cancelled')]), (verdict) =>
      verdicts.push(verdict),
    );
    const next = verdictOf(['/bin/true'], {}, fresh);
    cancel();
    cancel();
    expect(verdicts).toEqual([]);
    expect(await next).toEqual(started);
    await caughtUp(fresh);
    expect(verdicts).toEqual([cancelled]);
    expect(existsSync(join(scratch, 'cancelled'))).toBe(false);
  });

  it('after it was sent has failed, and its end is told to nobody, or it runs', async () => {
    const fresh = another();
    await fresh.body.welcome;
    const before = openDescriptors();
    const verdicts = await Promise.all(
      Array.from(
        { length: 50 },
        () => new Promise<BodyVerdict>((resolve) => fresh.body.spawn(options(['/bin/true']), resolve)()),
      ),
    );
    for (const verdict of verdicts) expect([started, cancelled]).toContainEqual(verdict);
    const runs = verdicts.filter(({ ok }) => ok).length;
    await until(() => childrenOf(fresh.body.pid) === '');
    await until(() => fresh.exits.size >= runs);
    await caughtUp(fresh);
    expect(fresh.exits.size).toBe(runs);
    expect(openDescriptors()).toEqual(before);
  });
});

describe('a start that fails', () => {
  /** The child of a failed start is reaped, its end is told to nobody, and no descriptor stays open at either end. */
  async function failure(argv: readonly string[], variations: Variations = {}): Promise<BodyVerdict> {
    const before = [openDescriptors(), descriptorsOf(tested)];
    const ends = tested.exits.size;
    const verdict = await verdictOf(argv, variations);
    await until(() => childrenOf(tested.body.pid) === '');
    await caughtUp(tested);
    expect(tested.exits.size).toBe(ends);
    expect([openDescriptors(), descriptorsOf(tested)]).toEqual(before);
    return verdict;
  }

  it('says ENOENT for a program that is not there, and for an interpreter', async () => {
    expect(await failure(['/nowhere/program'])).toEqual(failed('ENOENT', 'exec'));
    const file = join(scratch, 'no-interpreter');
    writeFileSync(file, '#!/nowhere/interpreter\n', { mode: 0o755 });
    expect(await failure([file])).toEqual(failed('ENOENT', 'exec'));
  });

  it('says EACCES for a file that is not executable, and for a directory', async () => {
    const file = join(scratch, 'not-executable');
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o644 });
    expect(await failure([file])).toEqual(failed('EACCES', 'exec'));
    expect(await failure([scratch])).toEqual(failed('EACCES', 'exec'));
  });

  it('says ENOEXEC for a script without an interpreter line', async () => {
    const file = join(scratch, 'no-format');
    writeFileSync(file, 'echo hello\n', { mode: 0o755 });
    expect(await failure([file])).toEqual(failed('ENOEXEC', 'exec'));
  });

  it('says ENOTDIR, ENAMETOOLONG and ELOOP for paths that lead nowhere', async () => {
    const loop = join(scratch, 'loop');
    symlinkSync(loop, loop);
    expect(await failure(['/dev/null/program'])).toEqual(failed('ENOTDIR', 'exec'));
    expect(await failure([`${scratch}/${'x'.repeat(300)}`])).toEqual(failed('ENAMETOOLONG', 'exec'));
    expect(await failure([loop])).toEqual(failed('ELOOP', 'exec'));
  });

  it('says E2BIG for one argument, and for one variable, above 128 KiB', async () => {
    const big = 'x'.repeat(200_000);
    expect(await failure(['/bin/true', big])).toEqual(failed('E2BIG', 'exec'));
    expect(await failure(['/bin/true'], { environment: [`BIG=${big}`] })).toEqual(failed('E2BIG', 'exec'));
  });

  it('names the stage of a directory, a terminal and a limit', async () => {
    expect(await failure(['/bin/true'], { directory: '/nowhere' })).toEqual(failed('ENOENT', 'directory'));
    expect(await failure(['/bin/true'], { directory: '/dev/null' })).toEqual(failed('ENOTDIR', 'directory'));
    // The stdin of the tested body is /dev/null.
    expect(await failure(['/bin/true'], { group: 'group', terminal: true })).toEqual(failed('ENOTTY', 'terminal'));
    expect(await failure(['/bin/true'], { limits: limit(20, 10) })).toEqual(failed('EINVAL', 0));
  });

  it('is refused where the request contradicts itself', async () => {
    expect(await failure([])).toEqual(failed('EINVAL', 'pipe'));
  });

  it.runIf(isRoot)('decides the rights to the directory by the account', async () => {
    const directory = mkdtempSync(join(scratch, 'closed-'));
    const account = { uid: nobody, gid: nobody, groups: [] };
    expect(await failure(['/bin/true'], { directory, ...account })).toEqual(failed('EACCES', 'directory'));
  });

  it.runIf(isRoot)('names the stage that an account without rights fails at', async () => {
    const body = another(['/usr/bin/prlimit', '--nofile=1000:1000'], { uid: nobody, gid: nobody });
    const own = /^Groups:\t(.*)$/m.exec(readFileSync(`/proc/${body.body.pid}/status`, 'utf8'))?.[1] ?? '';
    const groups = own.split(' ').filter(Boolean).map(Number);
    const tries: readonly Variations[] = [
      { groups: [...groups, 1] },
      { gid: 0 },
      { uid: 0 },
      { limits: limit(10, -1) },
      { groups: [...groups, ...groups] },
    ];
    const verdicts: BodyVerdict[] = [];
    for (const variations of tries) verdicts.push(await verdictOf(['/bin/true'], variations, body));
    expect(verdicts).toEqual([
      failed('EPERM', 0),
      failed('EPERM', 0),
      failed('EPERM', 0),
      failed('EPERM', 0),
      // The process has exactly these groups, so there is nothing to set.
      started,
    ]);
  });

  it.runIf(isRoot)('names the clone when the account has too many processes', async () => {
    const body = another(['/usr/bin/prlimit', '--nproc=1:1'], { uid: nobody, gid: nobody });
    expect(await verdictOf(['/bin/true'], {}, body)).toEqual(failed('EAGAIN', 'clone'));
  });

  it('leaves no descriptor and no zombie after a thousand', async () => {
    const before = [openDescriptors(), descriptorsOf(tested)];
    const verdicts = await Promise.all(
      Array.from({ length: 1000 }, (_, i) =>
        verdictOf([i % 2 ? '/nowhere' : '/bin/true'], i % 2 ? {} : { directory: '/nowhere' }),
      ),
    );
    verdicts.forEach((verdict, i) => {
      expect(verdict).toEqual(failed('ENOENT', i % 2 ? 'exec' : 'directory'));
    });
    await until(() => childrenOf(tested.body.pid) === '');
    expect([openDescriptors(), descriptorsOf(tested)]).toEqual(before);
  });
});

describe('a program', () => {
  it('gets its arguments and exactly its environment', async () => {
    const argv = ['/bin/sh', '-c', 'echo "$0|$1|$2"; /usr/bin/env', 'zero', 'über', ''];
    const { output } = await run(argv, { environment: ['A=1', 'B=a b'] });
    expect(lines(output)).toEqual(expect.arrayContaining(['zero|über|', 'A=1', 'B=a b']));
    expect(output).not.toMatch(/^(PATH|HOME)=/m);
  });

  it('inherits no descriptor above 2', async () => {
    const { output } = await run(['/bin/ls', '-l', '/proc/self/fd']);
    const listed = lines(output).flatMap((line) => / (\d+) -> (.*)/.exec(line)?.slice(1, 3).join(' ') ?? []);
    expect(listed).toEqual([
      '0 /dev/null',
      expect.stringMatching(/^1 pipe:/),
      expect.stringMatching(/^2 pipe:/),
      // The directory that ls reads.
      expect.stringMatching(/^3 \/proc\//),
    ]);
  });

  it('leads a session, leads a group, or stays in this one', async () => {
    const ids = async (group: NonNullable<Variations['group']>) => {
      const { pid, output } = await run(['/bin/cat', '/proc/self/stat'], { group });
      const [, , processGroup, session] = /\) (\w) \d+ (\d+) (\d+)/.exec(output) ?? [];
      return { pid, processGroup: Number(processGroup), session: Number(session) };
    };
    const [, mine, session] = /\) \w \d+ (\d+) (\d+)/.exec(readFileSync(`/proc/${tested.body.pid}/stat`, 'utf8')) ?? [];
    const leader = await ids('session');
    expect(leader).toMatchObject({ processGroup: leader.pid, session: leader.pid });
    const group = await ids('group');
    expect(group).toMatchObject({ processGroup: group.pid, session: Number(session) });
    expect(await ids('none')).toMatchObject({ processGroup: Number(mine), session: Number(session) });
  });

  it.runIf(isRoot)('runs as its account, with all ids and the supplementary groups', async () => {
    const { output } = await run(['/bin/cat', '/proc/self/status'], { uid: 1234, gid: 2345, groups: [30, 20, 10] });
    expect(output).toMatch(/^Uid:\t1234\t1234\t1234\t1234$/m);
    expect(output).toMatch(/^Gid:\t2345\t2345\t2345\t2345$/m);
    expect(output).toMatch(/^Groups:\t10 20 30 *$/m);
    expect(output).toMatch(/^CapEff:\t0{16}$/m);
    const id = await run(['/usr/bin/id'], { uid: nobody, gid: nobody, groups: [] });
    expect(id.output).toMatch(/^uid=65534(\(\w+\))? gid=65534(\(\w+\))? groups=65534(\(\w+\))?$/m);
  });

  it('gets its directory, umask and descriptor limit', async () => {
    const directory = mkdtempSync(join(scratch, 'directory-'));
    const { output } = await run(['/bin/sh', '-c', 'pwd -P; umask; ulimit -Sn; ulimit -Hn'], {
      directory,
      umask: 0o137,
      limits: limit(33, 44),
    });
    expect(lines(output)).toEqual([directory, '0137', '33', '44']);
  });

  describe.runIf(isRoot)('gets by steps', () => {
    /** The named lines of /proc/self/status. */
    async function statusOf(steps: Variations['steps'], names: readonly string[], more: Variations = {}) {
      const { output } = await run(['/bin/cat', '/proc/self/status'], { ...more, ...(steps ? { steps } : {}) });
      return names.map((name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(output)?.[1]);
    }
    const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
    const mask = (bits: bigint) => bits.toString(16).padStart(16, '0');
    const bind = 1n << 10n;

    it('capabilities, as another account and as root, and none at all', async () => {
      const keeps = [
        { kind: 'bounding', first: bind },
        { kind: 'gid', first: nobody },
        { kind: 'uid', which: 1, first: nobody },
        { kind: 'capabilities', first: bind },
      ] as const;
      expect(await statusOf(keeps, sets)).toEqual(Array.from({ length: 5 }, () => mask(bind)));
      const asRoot = [
        { kind: 'bounding', first: bind },
        { kind: 'capabilities', first: bind },
      ] as const;
      expect(await statusOf(asRoot, sets)).toEqual(Array.from({ length: 5 }, () => mask(bind)));
      const none = [
        { kind: 'bounding', first: 0 },
        { kind: 'capabilities', first: 0 },
      ] as const;
      expect(await statusOf(none, sets)).toEqual(Array.from({ length: 5 }, () => mask(0n)));
    });

    it('a score for the OOM killer, a nice value and no new privileges', async () => {
      const steps = [
        { kind: 'oomScore', first: 321 },
        { kind: 'nice', first: 7 },
        { kind: 'noNewPrivileges', first: 1 },
      ] as const;
      const { output } = await run(
        ['/bin/sh', '-c', 'cat /proc/self/oom_score_adj; nice; grep NoNewPrivs /proc/self/status'],
        { steps },
      );
      expect(lines(output)).toEqual(['321', '7', 'NoNewPrivs:\t1']);
    });

    it('its processors, and fails where none of them exists', async () => {
      const steps = [
        { kind: 'processors', first: 1n },
        { kind: 'processors', which: 1, first: 0n, second: 1 },
      ] as const;
      expect(await statusOf(steps, ['Cpus_allowed_list'])).toEqual(['0']);
      for (const which of [127, 128, 0xffff_ffff]) {
        const nowhere = [{ kind: 'processors', which, first: 1n << 62n, second: 1 }] as const;
        expect(await verdictOf(['/bin/true'], { steps: nowhere })).toEqual(failed('EINVAL', 0));
      }
    });

    it('what follows, where the kernel refuses one: the number of the step is told', async () => {
      const steps = [
        { kind: 'nice', first: 1 },
        { kind: 'capabilities', first: 1n << 63n },
        { kind: 'umask', first: 0 },
      ] as const;
      expect(await verdictOf(['/bin/true'], { steps })).toEqual(failed('EINVAL', 1));
    });
  });

  it('leaves a descriptor as it was: blocking stays blocking', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    const flags = (fd: number) =>
      Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);
    const before = [flags(readEnd), flags(writeEnd)];
    await exitOf(await spawned(['/bin/true'], { stdio: [readEnd, writeEnd, writeEnd] }));
    expect([flags(readEnd), flags(writeEnd)]).toEqual(before);
    const nonBlocking = 0o4000;
    expect(before.map((each) => each & nonBlocking)).toEqual([nonBlocking, 0]);
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('starts with every signal at its default and none blocked, whatever the body was started with', async () => {
    const body = another(['/bin/sh', '-c', 'trap "" PIPE HUP USR1; exec "$@"', 'sh']);
    await spawned(['/bin/true'], {}, body);
    const mine = readFileSync(`/proc/${body.body.pid}/status`, 'utf8');
    // Without signals that the body ignores and blocks this test of the reset would show nothing.
    expect(/^SigIgn:\t0{16}$/m.test(mine) || /^SigBlk:\t0{16}$/m.test(mine)).toBe(false);
    const { readEnd, writeEnd } = edge.pipe();
    await spawned(['/bin/cat', '/proc/self/status'], { stdio: [devNull, writeEnd, devNull] }, body);
    closeSync(writeEnd);
    const output = await readAll(readEnd);
    for (const set of ['SigPnd', 'SigBlk', 'SigIgn', 'SigCgt']) {
      expect(output).toMatch(new RegExp(`^${set}:\\t0{16}$`, 'm'));
    }
  });

  it('inherits none either that the body itself inherited without close-on-exec', async () => {
    const body = another(['/bin/sh', '-c', 'exec 7</dev/null 8</dev/null; exec "$@"', 'sh']);
    await spawned(['/bin/true'], {}, body);
    expect(descriptorsOf(body)).toEqual(expect.arrayContaining(['7', '8']));
    const { readEnd, writeEnd } = edge.pipe();
    await spawned(['/bin/ls', '/proc/self/fd'], { stdio: [devNull, writeEnd, devNull] }, body);
    closeSync(writeEnd);
    expect(lines(await readAll(readEnd))).toEqual(['0', '1', '2', '3']);
  });

  it('may get the streams of the body itself', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    await spawned(['/bin/sh', '-c', 'readlink /proc/$$/fd/0 >&3'], {
      stdio: [{ body: 0 }, devNull, devNull],
      descriptors: [writeEnd],
    });
    closeSync(writeEnd);
    expect(await readAll(readEnd)).toBe('/dev/null\n');
  });

  it('becomes the foreground of a terminal only if it runs, and until it ends', async () => {
    const terminal = another(['python3', '-c', atTerminal]);
    const { pid: self } = await terminal.body.welcome;
    const foreground = () => /\) \w \d+ \d+ \d+ \d+ (\d+)/.exec(readFileSync(`/proc/${self}/stat`, 'utf8'))?.[1];
    const variations = { stdio: [{ body: 0 }, devNull, devNull], group: 'group', terminal: true } as const;
    expect(foreground()).toBe(String(self));
    expect(await verdictOf(['/nowhere'], variations, terminal)).toEqual(failed('ENOENT', 'exec'));
    await until(() => foreground() === String(self));
    const pid = await spawned(['/bin/sleep', '1000'], variations, terminal);
    expect(foreground()).toBe(String(pid));
    edge.kill(pid, 9);
    await exitOf(pid, terminal);
    expect(foreground()).toBe(String(self));
  });

  it('leaves the body as it was: umask, directory and limits', async () => {
    const state = () => [
      readFileSync(`/proc/${tested.body.pid}/limits`, 'utf8'),
      /^Umask:.*$/m.exec(readFileSync(`/proc/${tested.body.pid}/status`, 'utf8'))?.[0],
    ];
    const before = state();
    await run(['/bin/true'], { directory: '/', umask: 0o777, limits: limit(10) });
    expect(state()).toEqual(before);
  });
});

describe('an exit', () => {
  it('tells how a program has ended, and what it has used', async () => {
    const ended = await exitOf(await spawned(['/bin/sh', '-c', 'exit 3']));
    expect(ended.status).toBe(exited(3));
    expect(ended.maxRss).toBeGreaterThan(100);
    const pid = await spawned(['/bin/sleep', '1000']);
    expect(edge.kill(pid, 15)).toBe(0);
    expect(await exitOf(pid)).toMatchObject({ pid, status: 15 });
    const loop = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';
    const { userTime, systemTime } = await exitOf(await spawned(['/bin/sh', '-c', loop]));
    expect(userTime + systemTime).toBeGreaterThan(5);
    expect(userTime + systemTime).toBeLessThan(20_000);
  });

  it('of an orphan is told too, and belongs to no start', async () => {
    const { output, pid } = await run(['/bin/sh', '-c', '/bin/sleep 1000 >/dev/null 2>&1 & echo $!']);
    const orphan = Number(output);
    expect(orphan).not.toBe(pid);
    await until(() => readFileSync(`/proc/${orphan}/status`, 'utf8').includes(`PPid:\t${tested.body.pid}\n`));
    expect(edge.kill(orphan, 9)).toBe(0);
    expect(await exitOf(orphan)).toMatchObject({ spawn: 0n, status: 9 });
  });
});

/** Files by number, all open; `close` closes them. */
function openFiles(count: number) {
  const names = Array.from({ length: count }, (_, i) => join(scratch, `file-${i}`));
  const fds = names.map((name) => openSync(name, 'w+'));
  const close = () => {
    for (const fd of fds) closeSync(fd);
  };
  return { names, fds, close };
}

describe('descriptors', () => {
  it('become 3, 4 and so on, and nothing else is open', async () => {
    const { names, fds, close } = openFiles(4);
    const wanted = [fds[2], fds[0], fds[0], fds[3]].map(Number);
    const links = await run(['/bin/sh', '-c', 'for fd in 3 4 5 6; do readlink /proc/$$/fd/$fd; done'], {
      descriptors: wanted,
    });
    expect(lines(links.output)).toEqual([names[2], names[0], names[0], names[3]]);
    const { output } = await run(['/bin/ls', '/proc/self/fd'], { descriptors: wanted });
    // Descriptor 7 is the directory that ls reads.
    expect(lines(output)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    close();
  });

  it('may be none', async () => {
    const { output } = await run(['/bin/ls', '/proc/self/fd'], { descriptors: [] });
    expect(lines(output)).toEqual(['0', '1', '2', '3']);
  });

  it('may be many', async () => {
    const count = 240;
    const { readEnd, writeEnd } = edge.pipe();
    const descriptors = Array.from({ length: count }, (_, i) => (i === count - 1 ? writeEnd : devNull));
    const pid = await spawned(
      ['/bin/sh', '-c', `echo here >/proc/self/fd/${count + 2}; ls /proc/self/fd | wc -l >&1`],
      {
        stdio: [devNull, writeEnd, devNull],
        descriptors,
      },
    );
    closeSync(writeEnd);
    expect(lines(await readAll(readEnd))).toEqual(['here', String(count + 4)]);
    await exitOf(pid);
  });

  it('are each what was asked for, whatever their numbers and their order', async () => {
    const { names, fds, close } = openFiles(10);
    const orders = [
      [0, 1, 2, 3, 4, 5],
      [5, 4, 3, 2, 1, 0],
      [4, 4, 4, 3, 3, 3],
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    // The numbers are pseudo-random: the same every time, and without a pattern.
    for (let seed = 1; seed <= 60; seed++) {
      const next = (i: number) => Math.floor(Math.abs(Math.sin(seed * 31 + i * 7)) * 1e6) % names.length;
      orders.push(Array.from({ length: 3 + (seed % 8) }, (_, i) => next(i)));
    }
    const report = join(scratch, 'orders');
    for (const order of orders) {
      const numbers = order.map((_, i) => i).join(' ');
      const command = `links=$(for fd in ${numbers}; do readlink /proc/$$/fd/$fd; done); echo $links >>${report}`;
      const [zero = 0, one = 0, two = 0, ...descriptors] = order.map((index) => fds[index] ?? 0);
      const pid = await spawned(['/bin/sh', '-c', command], { stdio: [zero, one, two], descriptors });
      expect((await exitOf(pid)).status).toBe(0);
    }
    expect(lines(readFileSync(report, 'utf8'))).toEqual(
      orders.map((order) => order.map((index) => names[index]).join(' ')),
    );
    close();
  });

  it('stay as they are at both ends, also where the start fails', async () => {
    const { fds, close } = openFiles(3);
    const before = [openDescriptors(), descriptorsOf(tested)];
    await exitOf(await spawned(['/bin/true'], { descriptors: fds }));
    expect(await verdictOf(['/nowhere'], { descriptors: fds })).toEqual(failed('ENOENT', 'exec'));
    await caughtUp(tested);
    // A helper closes the body's copies of files, at a time of its own.
    await until(() => descriptorsOf(tested).length <= (before[1]?.length ?? 0));
    expect([openDescriptors(), descriptorsOf(tested)]).toEqual(before);
    close();
  });

  it('give a program its listening socket', async () => {
    const listener = edge.listenTcp(0, 4, 5);
    edge.setBlocking(listener, true);
    const script = `
import os, socket
assert os.environ['LISTEN_PID'] == str(os.getpid())
s = socket.socket(fileno=3)
c = socket.create_connection(s.getsockname())
a, address = s.accept()
print(address == c.getsockname(), os.get_blocking(3), os.environ['LISTEN_FDS'])`;
    const { output } = await run(['/bin/sh', '-c', 'exec python3 -c "$1"', 'sh', script], {
      descriptors: [listener],
      environment: [...environment, 'LISTEN_FDS=1'],
      pidVariables: ['LISTEN_PID'],
    });
    closeSync(listener);
    expect(output).toBe('True True 1\n');
  });
});

describe('pidVariables', () => {
  const variables = (output: string) => lines(output).sort();

  it('hold the pid of the child itself', async () => {
    const { pid, output } = await run(['/usr/bin/env'], {
      environment: ['A=1', 'B=2'],
      pidVariables: ['LISTEN_PID', 'WATCHDOG_PID'],
    });
    expect(variables(output)).toEqual(['A=1', 'B=2', `LISTEN_PID=${pid}`, `WATCHDOG_PID=${pid}`]);
  });

  it('win over the environment, and come once for each name', async () => {
    const { pid, output } = await run(['/usr/bin/env'], {
      environment: ['LISTEN_PID=1', 'LISTEN_PID_X=2', 'LISTEN=3', 'LISTEN_PID=4', 'LISTEN_PID'],
      pidVariables: ['LISTEN_PID'],
    });
    expect(variables(output)).toEqual(['LISTEN=3', `LISTEN_PID=${pid}`, 'LISTEN_PID_X=2']);
    const alone = await run(['/usr/bin/env'], { environment: [], pidVariables: ['P', 'P'] });
    expect(new Set(lines(alone.output))).toEqual(new Set([`P=${alone.pid}`]));
  });

  it('may be none', async () => {
    const { output } = await run(['/usr/bin/env'], { environment: ['A=1'], pidVariables: [] });
    expect(output).toBe('A=1\n');
  });

  it('are right for each of many children', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    const starts = Array.from({ length: 50 }, () =>
      spawned(['/bin/sh', '-c', 'echo "$LISTEN_PID $$"'], {
        stdio: [devNull, writeEnd, writeEnd],
        pidVariables: ['LISTEN_PID'],
      }),
    );
    const pids = await Promise.all(starts);
    closeSync(writeEnd);
    expect(lines(await readAll(readEnd)).sort()).toEqual(pids.map((pid) => `${pid} ${pid}`).sort());
  });
});
