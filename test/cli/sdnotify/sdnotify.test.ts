import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { helpText } from '../../../src/cli/command-help.ts';
import { sdnotify } from '../../../src/cli/sdnotify/sdnotify-options.ts';
import { inDist } from '../../dist.ts';
import type { Outcome } from '../outcome.ts';
import { edge, fill, listenAt, type NotifyListener } from './notify-sockets.ts';

const program = inDist('sdnotify');
const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'sdnotify-test-'));
let count = 0;

afterAll(() => rmSync(scratch, { recursive: true }));

const environment = { PATH: process.env['PATH'] };
const done: Outcome = { status: 0, stdout: '', stderr: '' };

function failed(message: string): Outcome {
  return { status: 1, stdout: '', stderr: `sdnotify: ${message}\n` };
}

function outcome({ status, stdout, stderr }: SpawnSyncReturns<string>): Outcome {
  return { status, stdout, stderr };
}

function run(words: readonly string[], socket?: string): Outcome {
  const env = socket === undefined ? environment : { ...environment, NOTIFY_SOCKET: socket };
  return outcome(spawnSync(program, words, { env, encoding: 'utf8' }));
}

function listen(): NotifyListener {
  count += 1;
  return listenAt(join(scratch, `${count}.sock`));
}

describe('what is sent', () => {
  it('comes in a fixed order, each in a datagram of its own', () => {
    const { path, take } = listen();
    const words = ['B=2', '--ready', '--status', 'up = running', 'A=1=one', '--pid', '17'];
    expect(run(words, path)).toEqual(done);
    expect(take()).toEqual(['MAINPID=17', 'STATUS=up = running', 'READY=1', 'B=2', 'A=1=one']);
  });

  it('goes to an abstract name, too', () => {
    const { path, take } = listenAt(`@sdnotify-test-${process.pid}`);
    expect(run(['--ready', 'X_9=ä'], path)).toEqual(done);
    expect(take()).toEqual(['READY=1', 'X_9=ä']);
  });

  it('may be empty', () => {
    const { path, take } = listen();
    expect(run(['--status=', '_A='], path)).toEqual(done);
    expect(take()).toEqual(['STATUS=', '_A=']);
  });

  it('may be long', () => {
    const { path, take } = listen();
    const long = 'X'.repeat(64 * 1024);
    expect(run(['--status', long, `LONG_${long}=`, `A=${long}`], path)).toEqual(done);
    expect(take()).toEqual([`STATUS=${long}`, `LONG_${long}=`, `A=${long}`]);
  });

  it('is the bytes that were given, UTF-8 or not', () => {
    const path = join(scratch, 'bytes.sock');
    const fd = edge.bindDatagram(path);
    const shell = ['-c', `exec "$0" "A=$(printf '\\377\\200')" --status "$(printf '\\376')"`, program];
    expect(spawnSync('sh', shell, { env: { ...environment, NOTIFY_SOCKET: path } }).status).toBe(0);
    expect(edge.receiveDatagrams(fd, 3).map(({ bytes }) => bytes.toString('latin1'))).toEqual([
      'STATUS=\xfe',
      'A=\xff\x80',
    ]);
    closeSync(fd);
  });

  it('says with an error that somebody has asked for it, and is no helper', () => {
    const { path, take } = listen();
    const words = ['ERRNO=2', 'BUSERROR=org.e.X', 'EXIT_STATUS=1', 'ERRNO2=1', 'X_ERRNO=1', 'ERRN=1'];
    expect(run(words, path)).toEqual(done);
    expect(take()).toEqual([
      'ERRNO=2\nX_CHAPERONE=1',
      'BUSERROR=org.e.X\nX_CHAPERONE=1',
      'EXIT_STATUS=1\nX_CHAPERONE=1',
      ...['ERRNO2=1', 'X_ERRNO=1', 'ERRN=1'],
    ]);
  });

  it('may begin with a hyphen', () => {
    const { path, take } = listen();
    expect(run(['--status', '--ready', '--', '_A=-'], path)).toEqual(done);
    expect(take()).toEqual(['STATUS=--ready', '_A=-']);
  });

  it('is with --pid self the process that runs sdnotify', () => {
    const { path, take } = listen();
    expect(run(['--pid', 'self'], path)).toEqual(done);
    expect(take()).toEqual([`MAINPID=${process.pid}`]);
    const shell = spawnSync('sh', ['-c', `echo $$; "${program}" --pid=self; exit 3`], {
      env: { ...environment, NOTIFY_SOCKET: path },
      encoding: 'utf8',
    });
    expect(shell.status).toBe(3);
    expect(take()).toEqual([`MAINPID=${shell.stdout.trim()}`]);
  });

  it('waits where the queue is full', async () => {
    const { path, take } = listen();
    const fillers = fill(path, 'FILLER=1');
    const child = spawn(program, ['--ready', 'LAST=1'], {
      env: { ...environment, NOTIFY_SOCKET: path },
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    // It has one when it has tried to send.
    await expect.poll(() => hasSocket(child.pid), { timeout: 20_000 }).toBe(true);
    const texts: string[] = [];
    await expect
      .poll(() => texts.push(...take(1)) > 0 && texts.at(-1), { timeout: 20_000, interval: 1 })
      .toBe('LAST=1');
    expect(await ended).toEqual([0, null]);
    expect(texts).toEqual([...Array(fillers).fill('FILLER=1'), 'READY=1', 'LAST=1']);
  });

  function hasSocket(pid: number | undefined): boolean {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith('socket:');
      } catch {
        // Closed meanwhile.
        return false;
      }
    });
  }
});

describe('nothing is sent', () => {
  it.each([[undefined], ['']])('silently where NOTIFY_SOCKET is %j', (socket) => {
    expect(run(['--ready', '--pid', 'self', 'A=1'], socket)).toEqual(done);
  });

  it.each<[string, readonly string[], string]>([
    ['nobody listens', ['--status=a', '--ready'], 'cannot send STATUS to PATH: connection refused'],
    ['there is no socket', ['--ready'], 'cannot send READY to PATH: no such file or directory'],
    ['the path is too long', ['--ready'], 'cannot send READY to PATH: name too long'],
  ])('where %s, which --ignore forgives', (what, words, message) => {
    const path = join(scratch, what.includes('long') ? 'x'.repeat(108) : what);
    if (what === 'nobody listens') closeSync(edge.bindDatagram(path));
    expect(run(words, path)).toEqual(failed(message.replace('PATH', path)));
    expect(run(['--ignore', ...words], path)).toEqual(done);
  });

  it('to an abstract name that nobody has, or that is too long', () => {
    const nobody = `@nobody-${process.pid}`;
    expect(run(['--ready'], nobody)).toEqual(failed(`cannot send READY to ${nobody}: connection refused`));
    const long = `@${'x'.repeat(108)}`;
    expect(run(['A=1', '--ready'], long)).toEqual(failed(`cannot send READY to ${long}: name too long`));
    expect(run(['A=1'], '@')).toEqual(failed('cannot send A to @: connection refused'));
  });

  it('where the socket is of another type', async () => {
    const path = join(scratch, 'stream.sock');
    const server = createServer().listen(path);
    await once(server, 'listening');
    expect(run(['--ready'], path)).toEqual(failed(`cannot send READY to ${path}: protocol wrong type for socket`));
    server.close();
  });

  it.runIf(isRoot)('where the socket is not ours to write to', () => {
    const { path } = listen();
    chmodSync(scratch, 0o755);
    chmodSync(path, 0o700);
    const { status, stderr } = spawnSync(program, ['--ready'], {
      env: { ...environment, NOTIFY_SOCKET: path },
      uid: 65_534,
      gid: 65_534,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([1, `sdnotify: cannot send READY to ${path}: permission denied\n`]);
  });

  it.runIf(isRoot)('of a parent that is outside of the pid namespace; with --ignore the rest is', () => {
    const { path, take } = listen();
    const inNamespace = (...words: readonly string[]): Outcome =>
      outcome(
        spawnSync('unshare', ['--pid', '--fork', '--kill-child', program, ...words], {
          env: { ...environment, NOTIFY_SOCKET: path },
          encoding: 'utf8',
        }),
      );
    expect(inNamespace('--pid=self', '--ready')).toEqual(failed(`cannot send MAINPID to ${path}: no such process`));
    expect(take()).toEqual([]);
    expect(inNamespace('--pid=self', '--ready', '--ignore')).toEqual(done);
    expect(take()).toEqual(['READY=1']);
  });
});

describe('--booted', () => {
  it('says no, when everything was sent', () => {
    const { path, take } = listen();
    expect(run(['--booted'])).toEqual({ ...done, status: 1 });
    expect(run(['--booted', '--ready', '--ignore'], path)).toEqual({ ...done, status: 1 });
    expect(take()).toEqual(['READY=1']);
  });
});

describe('the command line', () => {
  it.each<[readonly string[], string]>([
    [[], 'there is nothing to send'],
    [['--ignore'], 'there is nothing to send'],
    [['READY'], '"READY" is not of the form VARIABLE=VALUE'],
    [['READY=1', 'ready=1'], '"ready" is no name in upper case'],
    [['--ignore', 'Ready=1'], '"Ready" is no name in upper case'],
    [['=1'], '"" is no name in upper case'],
    [['9A=1'], '"9A" is no name in upper case'],
    [['A B=1'], '"A B" is no name in upper case'],
    [['--status', 'a\nREADY=1'], 'the value of STATUS has more than one line'],
    [['A=a\n'], 'the value of A has more than one line'],
    [['--pid', 'me'], '--pid needs a process id or "self", not "me"'],
    [['--pid=0'], '--pid needs a process id or "self", not "0"'],
    [['--pid=-1'], '--pid needs a process id or "self", not "-1"'],
    [['--pid'], '--pid needs a process id or "self"'],
    [['--ready=1'], '--ready takes no value'],
    [['--frob'], 'unknown option "--frob"'],
    [['--raedy'], 'unknown option "--raedy": did you mean "--ready"?'],
    [['--PID'], 'unknown option "--PID": did you mean "--pid"?'],
    [['-pid'], 'unknown option "-pid": did you mean "--pid"?'],
    [['-h'], 'unknown option "-h"'],
    [['--=x'], 'unknown option "--=x"'],
    [['--versoin=2'], 'unknown option "--versoin": did you mean "--version"?'],
    [['--help', '--frob'], 'unknown option "--frob"'],
    [['--', '--ready'], '"--ready" is not of the form VARIABLE=VALUE'],
    [['-'], '"-" is not of the form VARIABLE=VALUE'],
    [['--pid=12345678901'], '--pid needs a process id or "self", not "12345678901"'],
    [['--pid', '1', '--pid='], '--pid needs a process id or "self"'],
    [['a\u001b[1m\u009bä'], '"a\\x1b[1m\\x9bä" is not of the form VARIABLE=VALUE'],
    [['x'.repeat(10_000)], `"${'x'.repeat(10_000)}" is not of the form VARIABLE=VALUE`],
  ])('%j is a mistake, with and without NOTIFY_SOCKET, and nothing is sent', (words, message) => {
    const { path, take } = listen();
    const expected = { status: 2, stdout: '', stderr: `sdnotify: ${message}\ntry "sdnotify --help"\n` };
    expect(run(words)).toEqual(expected);
    expect(run(words, path)).toEqual(expected);
    expect(take()).toEqual([]);
  });

  it('takes shortened options, and a value that looks like one', () => {
    const { path, take } = listen();
    expect(run(['--re', '--st', '--ready'], path)).toEqual(done);
    expect(take()).toEqual(['STATUS=--ready', 'READY=1']);
    expect(run(['--r', '--b=1']).stderr).toContain('--booted takes no value');
  });

  it('says its version', () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
    expect(run(['--version'])).toEqual({ ...done, stdout: `sdnotify ${version}\n` });
  });

  it('has a help that fits a screen and names every option, as the documentation does', () => {
    const { status, stdout } = run(['--help']);
    expect(status).toBe(0);
    expect(stdout.split('\n').filter((line) => line.length > 80 || /\s$/.test(line))).toEqual([]);
    expect([...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name)).toEqual(
      ['pid', 'status', 'ready', 'booted', 'ignore', 'version', 'help'].map((name) => `--${name}`),
    );
    const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/sdnotify.md'), 'utf8');
    expect(page).toContain(`\n${stdout}\`\`\``);
    // The words are compiled in.
    expect(stdout).toBe(helpText('sdnotify', sdnotify));
  });

  it('says that its output is full', () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(program, ['--help'], { stdio: ['ignore', full, 'pipe'], encoding: 'utf8' });
    closeSync(full);
    expect([status, stderr]).toEqual([1, 'sdnotify: cannot write standard output: no space left on device\n']);
  });

  it('writes to no descriptor that was closed at its start', () => {
    const { path, take } = listen();
    const shell = ['-c', 'exec 0<&- 1>&- 2>&-; exec "$0" "$@"', program, '--ready'];
    const env = { ...environment, NOTIFY_SOCKET: path };
    expect(spawnSync('sh', shell, { env }).status).toBe(0);
    expect(spawnSync('sh', [...shell, 'mistake'], { env }).status).toBe(2);
    expect(take()).toEqual(['READY=1']);
  });

  it('is that of sdnotify under any path that ends with its name', () => {
    const link = join(scratch, 'sdnotify');
    symlinkSync(program, link);
    const { path, take } = listen();
    for (const call of [
      `exec '${link}' --ready`,
      `cd '${scratch}' && exec ./sdnotify --ready`,
      'exec sdnotify --ready',
    ]) {
      const env = { PATH: `${scratch}:${process.env['PATH']}`, NOTIFY_SOCKET: path };
      expect(spawnSync('sh', ['-c', call], { env }).status).toBe(0);
    }
    expect(take()).toEqual(['READY=1', 'READY=1', 'READY=1']);
  });
});
