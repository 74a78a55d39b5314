import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { NativeSpawnOptions } from '../../../src/runtime/linux/native.ts';
import {
  devNull,
  edge,
  environment,
  exitOf,
  inNode,
  isRoot,
  nobody,
  openDescriptors,
  options,
  publicAddon,
  readAll,
  run,
  scratch,
  spawned,
  until,
  type Variations,
} from './native-edge.ts';

function processState(pid: number): string | undefined {
  // The name in brackets may contain any characters, so the state is looked for after the last bracket.
  return /.*\) (\w)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];
}

function lines(text: string): string[] {
  return text.trim().split('\n');
}

describe('a spawn that fails', () => {
  const before = openDescriptors();

  function failure(argv: readonly string[], variations: Variations = {}) {
    const result = edge.spawn(options(argv, variations));
    // The failed spawn's child is reaped before spawn() returns.
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: false });
    expect(openDescriptors()).toEqual(before);
    return result;
  }

  it('says ENOENT for a program that is not there', () => {
    expect(failure(['/nowhere/program'])).toEqual({ errno: 2, code: 'ENOENT', stage: 'exec' });
  });

  it('says ENOENT for an interpreter that is not there', () => {
    const file = join(scratch, 'no-interpreter');
    writeFileSync(file, '#!/nowhere/interpreter\n', { mode: 0o755 });
    expect(failure([file])).toMatchObject({ code: 'ENOENT', stage: 'exec' });
  });

  it('says EACCES for a file that is not executable, and for a directory', () => {
    const file = join(scratch, 'not-executable');
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o644 });
    expect(failure([file])).toMatchObject({ code: 'EACCES', stage: 'exec' });
    expect(failure([scratch])).toMatchObject({ code: 'EACCES', stage: 'exec' });
  });

  it('says ENOEXEC for a script without an interpreter line', () => {
    const file = join(scratch, 'no-format');
    writeFileSync(file, 'echo hello\n', { mode: 0o755 });
    expect(failure([file])).toMatchObject({ code: 'ENOEXEC', stage: 'exec' });
  });

  it('says ENOTDIR, ENAMETOOLONG and ELOOP for paths that lead nowhere', () => {
    const loop = join(scratch, 'loop');
    symlinkSync(loop, loop);
    expect(failure(['/dev/null/program'])).toMatchObject({ code: 'ENOTDIR', stage: 'exec' });
    expect(failure([`${scratch}/${'x'.repeat(300)}`])).toMatchObject({ code: 'ENAMETOOLONG', stage: 'exec' });
    expect(failure([loop])).toMatchObject({ code: 'ELOOP', stage: 'exec' });
  });

  it('says E2BIG for one argument, and for one variable, above 128 KiB', () => {
    const big = 'x'.repeat(200_000);
    expect(failure(['/bin/true', big])).toMatchObject({ errno: 7, code: 'E2BIG', stage: 'exec' });
    expect(failure(['/bin/true'], { environment: [`BIG=${big}`] })).toMatchObject({ code: 'E2BIG', stage: 'exec' });
  });

  it('names the stage of a directory, a descriptor and a terminal', () => {
    expect(failure(['/bin/true'], { directory: '/nowhere' })).toEqual({
      errno: 2,
      code: 'ENOENT',
      stage: 'directory',
    });
    expect(failure(['/bin/true'], { directory: '/dev/null' })).toMatchObject({ code: 'ENOTDIR', stage: 'directory' });
    expect(failure(['/bin/true'], { stdio: [devNull, 99_999, devNull] })).toMatchObject({
      code: 'EBADF',
      stage: 'stdio',
    });
    expect(failure(['/bin/true'], { group: 'group', terminal: devNull })).toMatchObject({
      code: 'ENOTTY',
      stage: 'terminal',
    });
  });

  it('names the stage of a limit: soft above hard', () => {
    expect(failure(['/bin/true'], { descriptorLimit: { soft: 20, hard: 10 } })).toMatchObject({
      code: 'EINVAL',
      stage: 'limit',
    });
  });

  it.runIf(isRoot)('decides the rights to the directory by the account', () => {
    const directory = mkdtempSync(join(scratch, 'closed-'));
    const account = { uid: nobody, gid: nobody, groups: [] };
    expect(failure(['/bin/true'], { directory, ...account })).toMatchObject({ code: 'EACCES', stage: 'directory' });
  });

  it.runIf(isRoot)('names the stage that an account without rights fails at', async () => {
    const account = { uid: nobody, gid: nobody, groups: [nobody] };
    const failures = await inNode(
      `answer([{ groups: [1] }, { gid: 0 }, { uid: 0 }, { descriptorLimit: { soft: 10, hard: -1 } },
        { groups: [${nobody}, ${nobody}] }]
        .map((more) => edge.spawn(options(['/bin/true'], more))))`,
      { ...account, descriptorLimit: { soft: 1000, hard: 1000 } },
    );
    expect(failures).toEqual([
      { errno: 1, code: 'EPERM', stage: 'groups' },
      { errno: 1, code: 'EPERM', stage: 'gid' },
      { errno: 1, code: 'EPERM', stage: 'uid' },
      { errno: 1, code: 'EPERM', stage: 'limit' },
      // The process has exactly these groups, so there is nothing to set.
      { pid: expect.any(Number) },
    ]);
  });

  it.runIf(isRoot)('names the clone when the account has too many processes', async () => {
    const account = { uid: nobody, gid: nobody, groups: [] };
    const result = await inNode(
      `const limiting = edge.spawn(options(['/usr/bin/prlimit', '--pid', String(process.pid), '--nproc=1:1']));
      let exits = [];
      while (exits.length === 0) exits = edge.reap(10).exits;
      answer([limiting.pid === exits[0].pid, exits[0].code, edge.spawn(options(['/bin/true']))])`,
      account,
    );
    expect(result).toEqual([true, 0, { errno: 11, code: 'EAGAIN', stage: 'clone' }]);
  });

  it('names the pipe when no descriptor is left', async () => {
    const result = await inNode(
      `const fs = require('node:fs');
      const open = [];
      try { for (;;) open.push(fs.openSync('/dev/null')); } catch {}
      const full = edge.spawn(options(['/bin/true']));
      let thrown;
      try { edge.pipe(); } catch (error) { thrown = error.code; }
      for (const fd of open.slice(0, 5)) fs.closeSync(fd);
      answer([full, thrown, typeof edge.spawn(options(['/bin/true'])).pid])`,
      { descriptorLimit: { soft: 100, hard: 100 } },
    );
    expect(result).toEqual([{ errno: 24, code: 'EMFILE', stage: 'pipe' }, 'EMFILE', 'number']);
  });

  it('leaves no descriptor and no zombie after a thousand', () => {
    for (let i = 0; i < 1000; i++) {
      const result = edge.spawn(options([i % 2 ? '/nowhere' : '/bin/true'], i % 2 ? {} : { directory: '/nowhere' }));
      expect(result).toMatchObject({ code: 'ENOENT', stage: i % 2 ? 'exec' : 'directory' });
    }
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: false });
    expect(openDescriptors()).toEqual(before);
  });
});

describe('arguments of the wrong kind', () => {
  it.each([
    ['no options', undefined],
    ['a file that is no string', { ...options(['/bin/true']), file: 1 }],
    ['a file with NUL', { ...options(['/bin/true']), file: '/bin/true\0x' }],
    ['an argument with NUL', options(['/bin/true', 'a\0b'])],
    ['a variable with NUL', options(['/bin/true'], { environment: ['A=\0'] })],
    ['an empty argv', { ...options(['/bin/true']), argv: [] }],
    ['argv as an object', { ...options(['/bin/true']), argv: { length: 1 } }],
    ['two descriptors', { ...options(['/bin/true']), stdio: [0, 1] }],
    ['a negative descriptor', options(['/bin/true'], { stdio: [-1, devNull, devNull] })],
    ['a group by another name', { ...options(['/bin/true']), group: 'tribe' }],
    ['a fractional uid', options(['/bin/true'], { uid: 0.5 })],
    ['the uid that setresuid takes for "unchanged"', options(['/bin/true'], { uid: 4294967295 })],
    ['the gid that setresgid takes for "unchanged"', options(['/bin/true'], { gid: 4294967295 })],
    ['a uid that is not a number', options(['/bin/true'], { uid: Number.NaN })],
    ['a null uid', { ...options(['/bin/true']), uid: null }],
    ['a limit without its hard part', { ...options(['/bin/true']), descriptorLimit: { soft: 1 } }],
    ['an umask above 0777', options(['/bin/true'], { umask: 0o7777 })],
  ])('are a TypeError: %s', (_, value) => {
    expect(() => edge.spawn(value as NativeSpawnOptions)).toThrow(TypeError);
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: false });
  });

  it('are a TypeError in the other calls', () => {
    const call = edge as unknown as Record<string, (...values: unknown[]) => unknown>;
    expect(() => call['reap']?.()).toThrow(TypeError);
    expect(() => call['reap']?.(0)).toThrow(TypeError);
    expect(() => call['kill']?.('1', 0)).toThrow(TypeError);
    expect(() => call['kill']?.(process.pid, -1)).toThrow(TypeError);
    expect(() => call['readNow']?.(devNull, 'text')).toThrow(TypeError);
    expect(() => call['readNow']?.(devNull, new Uint16Array(2))).toThrow(TypeError);
    expect(() => call['writeNow']?.(devNull, Buffer.from('x'))).toThrow(TypeError);
    expect(() => call['watchSignal']?.(10)).toThrow(TypeError);
    expect(() => call['exitNow']?.(256)).toThrow(TypeError);
    expect(() => edge.watchSignal(9, () => {})).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => edge.watchSignal(1000, () => {})).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  });
});

describe('a spawned program', () => {
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

  it('inherits none either that chaperone itself inherited without close-on-exec', async () => {
    const seen = await inNode(
      `const { readEnd, writeEnd } = edge.pipe();
      const mine = require('node:fs').readdirSync('/proc/self/fd');
      edge.spawn(options(['/bin/ls', '/proc/self/fd'], { stdio: [devNull, writeEnd, writeEnd] }));
      require('node:fs').closeSync(writeEnd);
      const buffer = Buffer.alloc(1000);
      let bytes = 0;
      for (;;) {
        const read = edge.readNow(readEnd, buffer.subarray(bytes));
        bytes += read.bytes;
        if (read.ended) break;
      }
      answer([mine.includes('7') && mine.includes('8'), buffer.toString('utf8', 0, bytes).trim().split('\\n')])`,
      {},
      ['/bin/sh', '-c', 'exec 7</dev/null 8</dev/null; exec "$@"', 'sh'],
    );
    expect(seen).toEqual([true, ['0', '1', '2', '3']]);
  });

  it('starts with every signal at its default and none blocked', async () => {
    const mine = readFileSync('/proc/self/status', 'utf8');
    // Node ignores SIGPIPE: without that this test of the reset would show nothing.
    expect(Number.parseInt(/^SigIgn:\s*(\w+)/m.exec(mine)?.[1] ?? '', 16) & (1 << 12)).not.toBe(0);
    const { output } = await run(['/bin/cat', '/proc/self/status']);
    for (const set of ['SigPnd', 'SigBlk', 'SigIgn', 'SigCgt']) {
      expect(output).toMatch(new RegExp(`^${set}:\\t0{16}$`, 'm'));
    }
  });

  it('leads a session, leads a group, or stays in this one', async () => {
    const ids = async (group: NativeSpawnOptions['group']) => {
      const { pid, output } = await run(['/bin/cat', '/proc/self/stat'], { group });
      const [, , processGroup, session] = /\) (\w) \d+ (\d+) (\d+)/.exec(output) ?? [];
      return { pid, processGroup: Number(processGroup), session: Number(session) };
    };
    const [, mine, session] = /\) \w \d+ (\d+) (\d+)/.exec(readFileSync('/proc/self/stat', 'utf8')) ?? [];
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
      descriptorLimit: { soft: 33, hard: 44 },
    });
    expect(lines(output)).toEqual([directory, '0137', '33', '44']);
  });

  it('has chaperone as it was: umask, directory, limits and signal mask', async () => {
    const blocked = () => /^SigBlk:.*$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))?.[0];
    const before = [process.umask(), process.cwd(), edge.descriptorLimit(), blocked()];
    await run(['/bin/true'], { directory: '/', umask: 0o777, descriptorLimit: { soft: 10, hard: 10 } });
    expect([process.umask(), process.cwd(), edge.descriptorLimit(), blocked()]).toEqual(before);
  });

  it.runIf(existsSync('/usr/bin/script'))('becomes the foreground of a terminal only if it runs', async () => {
    const file = join(scratch, 'terminal.cjs');
    const report = join(scratch, 'foreground');
    writeFileSync(
      file,
      `const edge = require(${JSON.stringify(publicAddon)});
      const fs = require('node:fs');
      const foreground = () => Number(/\\) \\w \\d+ \\d+ \\d+ \\d+ (\\d+)/.exec(fs.readFileSync('/proc/self/stat'))[1]);
      const start = (...argv) => edge.spawn({ file: argv[0], argv, environment: [], stdio: [0, 1, 2],
        group: 'group', terminal: 0 });
      const before = foreground();
      const failed = start('/nowhere').stage;
      const after = foreground();
      const { pid } = start('/bin/true');
      while (!edge.reap(1).exits.length);
      fs.writeFileSync(${JSON.stringify(report)}, JSON.stringify([failed, after === before, foreground() === pid]));`,
    );
    await run(['/usr/bin/script', '-qec', `${process.execPath} ${file}`, '/dev/null']);
    expect(JSON.parse(readFileSync(report, 'utf8'))).toEqual(['exec', true, true]);
  });

  it('leaves a descriptor as it was: blocking stays blocking', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    const flags = (fd: number) =>
      Number.parseInt(/flags:\s*(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8);
    const before = [flags(readEnd), flags(writeEnd)];
    await exitOf(spawned(['/bin/true'], { stdio: [readEnd, writeEnd, writeEnd] }));
    expect([flags(readEnd), flags(writeEnd)]).toEqual(before);
    const nonBlocking = 0o4000;
    expect(before.map((each) => each & nonBlocking)).toEqual([nonBlocking, 0]);
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('keeps what it is given as stdio, whatever the order', async () => {
    // In the inner Node 0, 1 and 2 are files of its own, so that the test can tell which is which.
    const names = ['zero', 'one', 'two'].map((name) => join(scratch, name));
    for (const name of names) writeFileSync(name, '');
    const report = join(scratch, 'report');
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
      [2, 0, 1],
      [1, 1, 1],
      [0, 0, 3],
      [3, 2, 2],
    ];
    writeFileSync(join(scratch, 'three'), '');
    const script = `
      const edge = require(${JSON.stringify(publicAddon)});
      const fs = require('node:fs');
      for (const stdio of ${JSON.stringify(orders)}) {
        const links = 'links=$(for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done); echo "$links" >>' + ${JSON.stringify(report)};
        const argv = ['/bin/sh', '-c', links];
        const result = edge.spawn({ file: argv[0], argv, environment: [${JSON.stringify(environment[0])}], stdio,
          group: 'none' });
        if (!result.pid) { fs.appendFileSync(${JSON.stringify(report)}, JSON.stringify(result)); process.exit(1); }
        while (!edge.reap(1).exits.length);
      }`;
    const shell = `exec 0<>${names[0]} 1<>${names[1]} 2<>${names[2]} 3<>${join(scratch, 'three')}; exec "$@"`;
    const keeper = spawned(['/bin/sh', '-c', shell, 'sh', process.execPath, '-e', script]);
    await exitOf(keeper);
    const files = [...names, join(scratch, 'three')];
    expect(lines(readFileSync(report, 'utf8'))).toEqual(orders.flat().map((fd) => files[fd]));
  });

  it('may be given its own 0, 1 and 2 while those are closed in chaperone', async () => {
    const report = join(scratch, 'closed-report');
    const script = `
      const edge = require(${JSON.stringify(publicAddon)});
      const fs = require('node:fs');
      const out = fs.openSync(${JSON.stringify(report)}, 'w+');
      for (const fd of [0, 1, 2]) if (fd !== out) fs.closeSync(fd);
      const argv = ['/bin/ls', '/proc/self/fd'];
      edge.spawn({ file: argv[0], argv, environment: [], stdio: [out, out, out], group: 'none' });
      while (!edge.reap(1).exits.length);
      edge.exitNow(0);`;
    const { exit } = await run([process.execPath, '-e', script]);
    expect(exit).toMatchObject({ code: 0 });
    expect(lines(readFileSync(report, 'utf8'))).toEqual(['0', '1', '2', '3']);
  });
});

describe('reap', () => {
  it('tells an exit status from a signal', async () => {
    const exited = await exitOf(spawned(['/bin/sh', '-c', 'exit 3']));
    expect(exited).toEqual({
      pid: expect.any(Number),
      code: 3,
      coreDumped: false,
      userTime: expect.any(Number),
      systemTime: expect.any(Number),
      maxRss: expect.any(Number),
    });
    expect(exited.maxRss).toBeGreaterThan(100);

    const pid = spawned(['/bin/sleep', '1000']);
    expect(edge.kill(pid, 15)).toBe(0);
    const ended = await exitOf(pid);
    expect(ended).toMatchObject({ pid, signal: 15, coreDumped: false });
    expect(ended).not.toHaveProperty('code');
  });

  it('counts CPU time in ms', async () => {
    const loop = 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done';
    const exit = await exitOf(spawned(['/bin/sh', '-c', loop]));
    expect(exit.userTime + exit.systemTime).toBeGreaterThan(5);
    expect(exit.userTime + exit.systemTime).toBeLessThan(20_000);
  });

  it('says whether children are left', async () => {
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: false });
    const pid = spawned(['/bin/sleep', '1000']);
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: true });
    edge.kill(-pid, 9);
    await exitOf(pid);
    expect(edge.reap(10)).toEqual({ exits: [], childrenLeft: false });
  });

  it('takes 200 exits in one batch, and no more than asked for', async () => {
    const pids = Array.from({ length: 200 }, () => spawned(['/bin/true']));
    await until(() => pids.every((pid) => processState(pid) === 'Z'));
    const first = edge.reap(50);
    expect(first.exits).toHaveLength(50);
    expect(first.childrenLeft).toBe(true);
    const rest = edge.reap(1000);
    expect(rest.childrenLeft).toBe(false);
    expect([...first.exits, ...rest.exits].map((exit) => exit.pid).sort()).toEqual([...pids].sort());
    expect(rest.exits.every((exit) => exit.code === 0)).toBe(true);
  });

  it('takes orphans once this process is their subreaper', async () => {
    edge.setSubreaper();
    const { output, pid } = await run(['/bin/sh', '-c', '/bin/sleep 1000 >/dev/null 2>&1 & echo $!']);
    const orphan = Number(output);
    expect(orphan).not.toBe(pid);
    expect(readFileSync(`/proc/${orphan}/status`, 'utf8')).toContain(`PPid:\t${process.pid}\n`);
    expect(edge.kill(orphan, 9)).toBe(0);
    expect(await exitOf(orphan)).toMatchObject({ pid: orphan, signal: 9 });
  });
});

describe('kill', () => {
  it('returns the errno', () => {
    expect(edge.kill(process.pid, 0)).toBe(0);
    expect(edge.kill(process.pid, 10_000)).toBe(22);
    expect(edge.kill(2 ** 31 - 1, 0)).toBe(3);
    expect(edge.kill(-(2 ** 31) + 1, 0)).toBe(3);
  });

  it('reaches a process group', async () => {
    const pid = spawned(['/bin/sh', '-c', '/bin/sleep 1000; :'], { group: 'group' });
    await until(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim() !== '');
    expect(edge.kill(-pid, 9)).toBe(0);
    expect(await exitOf(pid)).toMatchObject({ signal: 9 });
    await until(() => !edge.reap(10).childrenLeft);
  });
});

describe('pipe and readNow', () => {
  it('read what is there, then nothing, then the end', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const buffer = Buffer.alloc(8);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 0, ended: false });
    expect(edge.writeNow(writeEnd, Buffer.from('0123456789'), 0)).toBe(10);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 8, ended: false });
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 2, ended: false });
    expect(buffer.toString()).toBe('89234567');
    closeSync(writeEnd);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 0, ended: true });
    closeSync(readEnd);
    expect(edge.readNow(readEnd, buffer)).toEqual({ bytes: 0, ended: true });
  });

  it('fill the part of a buffer that is passed', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const buffer = Buffer.from('......');
    edge.writeNow(writeEnd, Buffer.from('<abcd>').subarray(1, 5), 0);
    expect(edge.readNow(readEnd, buffer.subarray(1, 4))).toEqual({ bytes: 3, ended: false });
    expect(buffer.toString()).toBe('.abc..');
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('make both ends close-on-exec', () => {
    const { readEnd, writeEnd } = edge.pipe();
    for (const fd of [readEnd, writeEnd]) {
      expect(readlinkSync(`/proc/self/fd/${fd}`)).toMatch(/^pipe:/);
      expect(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')).toMatch(/^flags:\s*02/m);
      closeSync(fd);
    }
  });
});

describe('writeNow', () => {
  const timed = (fd: number, bytes: Uint8Array, timeout: number) => {
    const from = performance.now();
    const written = edge.writeNow(fd, bytes, timeout);
    return { written, took: performance.now() - from };
  };

  it('waits for a full pipe no longer than the timeout, although the descriptor blocks', () => {
    const { readEnd, writeEnd } = edge.pipe();
    const capacity = edge.writeNow(writeEnd, Buffer.alloc(1 << 20), 0);
    expect(capacity).toBe(65_536);
    expect(timed(writeEnd, Buffer.from('x'), 0)).toMatchObject({ written: 0 });
    const waited = timed(writeEnd, Buffer.from('x'), 60);
    expect(waited.written).toBe(0);
    expect(waited.took).toBeGreaterThan(55);
    expect(waited.took).toBeLessThan(5000);

    edge.readNow(readEnd, Buffer.alloc(8192));
    expect(timed(writeEnd, Buffer.alloc(100_000), 20)).toMatchObject({ written: 8192 });
    closeSync(readEnd);
    closeSync(writeEnd);
  });

  it('goes on when a reader takes its time', async () => {
    const { readEnd, writeEnd } = edge.pipe();
    const counter = edge.pipe();
    // The pipe, opened anew, has a blocking end, as wc expects.
    const blockingEnd = openSync(`/proc/self/fd/${readEnd}`, 'r');
    const pid = spawned(['/usr/bin/wc', '-c'], { stdio: [blockingEnd, counter.writeEnd, devNull] });
    for (const fd of [readEnd, blockingEnd, counter.writeEnd]) closeSync(fd);
    expect(edge.writeNow(writeEnd, Buffer.alloc(300_000), 20_000)).toBe(300_000);
    closeSync(writeEnd);
    expect(await readAll(counter.readEnd)).toBe('300000\n');
    await exitOf(pid);
  });

  it('writes nothing, and does not throw, when nobody reads', () => {
    const { readEnd, writeEnd } = edge.pipe();
    closeSync(readEnd);
    expect(timed(writeEnd, Buffer.from('x'), 20_000)).toMatchObject({ written: 0, took: expect.closeTo(0, -4) });
    closeSync(writeEnd);
    expect(edge.writeNow(writeEnd, Buffer.from('x'), 20_000)).toBe(0);
  });

  it('writes to a file and to /dev/full', () => {
    const file = join(scratch, 'written');
    const fd = openSync(file, 'w');
    expect(edge.writeNow(fd, Buffer.alloc(100_000, 'x'), 0)).toBe(100_000);
    closeSync(fd);
    expect(readFileSync(file, 'utf8')).toBe('x'.repeat(100_000));
    const full = openSync('/dev/full', 'w');
    expect(edge.writeNow(full, Buffer.from('x'), 1000)).toBe(0);
    closeSync(full);
  });
});

describe('watchSignal', () => {
  it('hears signals by number, also a real-time one', async () => {
    let arrived = 0;
    edge.watchSignal(37, () => arrived++);
    edge.kill(process.pid, 37);
    await until(() => arrived === 1);
    edge.kill(process.pid, 37);
    await until(() => arrived === 2);
  });

  it('does not keep the loop alive, and ends with a worker', async () => {
    const script = `
      edge.watchSignal(37, () => {});
      const { Worker } = require('node:worker_threads');
      const source = 'require(' + ${JSON.stringify(JSON.stringify(publicAddon))} + ').watchSignal(38, () => {})';
      new Worker(source, { eval: true }).on('exit', (code) => answer(code));`;
    expect(await inNode(script)).toBe(0);
  });

  it('turns what a callback throws into an uncaughtException', async () => {
    const script = `
      const alive = setInterval(() => {}, 1000);
      process.on('uncaughtException', (error) => { answer(error.message); clearInterval(alive); });
      edge.watchSignal(37, () => { throw new Error('thrown by the callback'); });
      edge.kill(process.pid, 37);`;
    expect(await inNode(script)).toBe('thrown by the callback');
  });
});

describe('exitNow', () => {
  it('ends the process without its exit handlers', async () => {
    const script = `process.on('exit', () => console.log('handler')); require(${JSON.stringify(publicAddon)}).exitNow(7)`;
    const { output, exit } = await run([process.execPath, '-e', script]);
    expect(output).toBe('');
    expect(exit).toMatchObject({ code: 7 });
  });
});

describe('descriptorLimit', () => {
  it('is what this process has', async () => {
    const limits = /^Max open files\s+(\w+)\s+(\w+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    const number = (text: string | undefined) => (text === 'unlimited' ? -1 : Number(text));
    expect(edge.descriptorLimit()).toEqual({ soft: number(limits?.[1]), hard: number(limits?.[2]) });
  });
});

describe('random digits', () => {
  it('are so many bytes, and never the same', () => {
    expect([1, 8, 64].map((count) => edge.randomHex(count).length)).toEqual([2, 16, 128]);
    expect(edge.randomHex(64)).toMatch(/^[0-9a-f]{128}$/);
    expect(new Set(Array.from({ length: 100 }, () => edge.randomHex(8))).size).toBe(100);
  });

  it('are refused where they are too many or none', () => {
    for (const count of [0, 65, 1.5, -1, Number.NaN]) expect(() => edge.randomHex(count)).toThrow(TypeError);
    expect(() => edge.randomHex('8' as never)).toThrow(TypeError);
  });
});
