import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { until, untilFile } from '../../boot/namespace.ts';
import { keys, openScreen } from '../../boot/screen.ts';
import { inDist } from '../../dist.ts';
import type { Outcome } from '../outcome.ts';
import { edge, fill, listenAt, type NotifyListener } from './notify-sockets.ts';

const dist = inDist();
const program = join(dist, 'sdnotify-exec.cjs');
const fixtures = join(import.meta.dirname, '../../fixtures');
const isRoot = process.getuid?.() === 0;
const hasSystemd = spawnSync('systemd-notify', ['--version']).status === 0;
const scratch = mkdtempSync(join(tmpdir(), 'sdx-'));
/** Of this test; `tmp` in it is the only place for temporary files. */
let folder = '';
let count = 0;

beforeEach(() => {
  count += 1;
  folder = join(scratch, String(count));
  mkdirSync(join(folder, 'tmp'), { recursive: true });
});

afterAll(() => rmSync(scratch, { recursive: true }));

interface Run {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  stderr(): string;
}

const done: Outcome = { status: 0, stdout: '', stderr: '' };

function environment(more: object = {}): NodeJS.ProcessEnv {
  const path = `${folder}:${dirname(process.execPath)}:${process.env['PATH']}`;
  return { PATH: path, TMPDIR: join(folder, 'tmp'), FIXTURES: fixtures, ...more };
}

/** Starts sdnotify-exec. By its end its socket has to be gone. */
function start(words: readonly string[], env: object = {}): Run {
  const child = spawn(program, words, { cwd: folder, env: environment(env) });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const outcome = once(child, 'exit').then(async ([status]) => {
    expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
    return { status, stdout, stderr };
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, outcome, stderr: () => stderr };
}

/** Also waits until nobody holds its outputs any more. */
async function run(words: readonly string[], env: object = {}): Promise<Outcome> {
  const { child, outcome } = start(words, env);
  const closed = once(child, 'close');
  await outcome;
  await closed;
  return outcome;
}

/** Runs a line of shell, in which `notify` is our sdnotify. */
function shell(line: string): readonly string[] {
  return ['sh', '-c', `notify() { "${join(dist, 'sdnotify')}" "$@"; }; ${line}`];
}

function outside(): NotifyListener {
  return listenAt(join(folder, 'outside'));
}

/** Waits until a command of ours has written its pid into a file; it is ended after the test. */
async function survivor(name = 'pid'): Promise<number> {
  const pid = await until(`${name} is written`, () => {
    const path = join(folder, name);
    return existsSync(path) ? Number(readFileSync(path, 'utf8')) || undefined : undefined;
  });
  onTestFinished(() => {
    edge.kill(pid, 9);
  });
  return pid;
}

/** For commands that stay: says its pid, then waits for nothing. */
const stay = 'echo $$ > pid; exec sleep infinity';
/** A command that waits for a signal, says so, and ends with the status; it leaves no process behind. */
function obey(signal: number, status: number): readonly string[] {
  const program = `
import os, signal
def hear(*_):
    os.write(1, b"heard\\n")
    raise SystemExit(${status})
signal.signal(${signal}, hear)
os.write(1, b"obeying\\n")
while True: signal.pause()
`;
  return ['python3', '-c', program];
}

/** A message of sdnotify's as it is passed on. */
function passedOn(message: string): string {
  return message.startsWith('ERRNO=') ? `${message}\nX_CHAPERONE=1` : message;
}

/** A program that sends datagrams by itself, as libsystemd does, and prints what came of each. */
function sender(...texts: readonly string[]): string {
  return `python3 -c 'import os, socket
name = os.environ["NOTIFY_SOCKET"]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\\0" + name[1:] if name[0] == "@" else name)
for text in ${JSON.stringify(texts)}: s.send(text.encode())'`;
}

/** As one whose outputs nobody waits for. */
const silently = 'exec > /dev/null 2>&1;';

describe('a command', () => {
  it('is run with a socket of its own, and what it says is passed on as it is', async () => {
    const { path, take } = outside();
    const words = shell(
      'notify --status "1st = ä" --ready X_A=1; test "$NOTIFY_SOCKET" != "$0"; test -S "$NOTIFY_SOCKET"',
    );
    expect(await run([...words, path], { NOTIFY_SOCKET: path })).toEqual(done);
    expect(take()).toEqual(['STATUS=1st = ä', 'READY=1', 'X_A=1']);
  });

  it('may say several things in one datagram; READY comes first in it for runc', async () => {
    const { path, take } = outside();
    const send = (text: string): string =>
      `import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ["NOTIFY_SOCKET"]); s.send(${text})`;
    expect(
      await run(['python3', '-c', send('b"STATUS=\\xff\\nREADY=1\\nMAINPID=7\\n"')], { NOTIFY_SOCKET: path }),
    ).toEqual(done);
    expect(await run(['python3', '-c', send('b"RELOADING=1\\nMONOTONIC_USEC=5"')], { NOTIFY_SOCKET: path })).toEqual(
      done,
    );
    expect(take()).toEqual(['READY=1\nSTATUS=\ufffd\nMAINPID=7\n', 'RELOADING=1\nMONOTONIC_USEC=5']);
  });

  it.runIf(hasSystemd)('may be systemd-notify, which waits until it is heard', async () => {
    const { path, take } = outside();
    expect(await run(['systemd-notify', '--ready', '--status=up'], { NOTIFY_SOCKET: path })).toEqual(done);
    expect(take()).toEqual(['READY=1\nSTATUS=up']);
  });

  it('that sends BARRIER=1 is answered when what it said before was passed on', async () => {
    const { path, take } = outside();
    const barrier = `
import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ["NOTIFY_SOCKET"])
read_end, write_end = os.pipe()
s.send(b"STATUS=1")
socket.send_fds(s, [b"BARRIER=1"], [write_end])
os.close(write_end)
print(os.read(read_end, 1))
`;
    expect(await run(['python3', '-c', barrier], { NOTIFY_SOCKET: path })).toEqual({ ...done, stdout: "b''\n" });
    expect(take()).toEqual(['STATUS=1']);
  });

  it.each<[string, number]>([
    ['exit 0', 0],
    ['exit 3', 3],
    ['kill -TERM $$', 143],
    ['kill -KILL $$', 137],
    ['notify ERRNO=5 READY=1 STOPPING=1; exit 4', 4],
    ['notify ERRNO=5', 0],
  ])('%j gives its status', async (line, status) => {
    expect(await run(shell(line))).toEqual({ ...done, status });
  });

  it('has our standard streams, working directory and arguments', async () => {
    const { child, outcome } = start(['sh', '-c', 'cat; pwd; echo "$#$1" >&2', '', '--wait-ready', '']);
    child.stdin?.end('in\n');
    expect(await outcome).toEqual({ status: 0, stdout: `in\n${folder}\n`, stderr: '2--wait-ready\n' });
  });

  it.each<[string, number, string]>([
    ['no-such-program', 127, "executable 'no-such-program' not found"],
    ['./none', 127, 'cannot execute ./none: it, or the interpreter it names, does not exist (ENOENT)'],
    ['./plain', 126, 'cannot execute ./plain: permission denied (EACCES)'],
  ])('%j that cannot be started gives %j', async (name, status, message) => {
    writeFileSync(join(folder, 'plain'), '');
    expect(await run(['--wait-ready', name])).toEqual({ status, stdout: '', stderr: `sdnotify-exec: ${message}\n` });
  });

  it('has a watchdog of its own where we have one', async () => {
    // The shell's pid is that of sdnotify-exec after its exec, and of no child.
    const line = `export WATCHDOG_PID=$$ WATCHDOG_USEC=5; exec "${program}" sh -c 'echo $((WATCHDOG_PID - $$)) $WATCHDOG_USEC'`;
    const { stdout } = spawnSync('sh', ['-c', line], { env: environment(), encoding: 'utf8' });
    expect(stdout).toBe('0 5\n');
    expect((await run(['sh', '-c', 'echo $WATCHDOG_PID'], { WATCHDOG_PID: '1' })).stdout).toBe('1\n');
  });
});

describe('--wait-ready', () => {
  it.each<[string, number]>([
    ['READY=1', 0],
    ['ERRNO=7', 7],
    ['ERRNO=0', 0],
    ['ERRNO=256', 255],
    ['STOPPING=1', 1],
  ])('ends at %s with %j, and the command goes on', async (message, status) => {
    const { path, take } = outside();
    const line = `${silently} notify READY=0 ERRNO=x STATUS=READY=1 MAINPID=7 ${message}; ${stay}`;
    const stderr = message === 'STOPPING=1' ? 'sdnotify-exec: sh stops before it is ready\n' : '';
    expect(await run(['--wait-ready', ...shell(line)], { NOTIFY_SOCKET: path })).toEqual({ ...done, status, stderr });
    expect(edge.kill(await survivor(), 0)).toBe(0);
    expect(take()).toEqual(['READY=0', 'ERRNO=x\nX_CHAPERONE=1', 'STATUS=READY=1', 'MAINPID=7', passedOn(message)]);
  });

  it('takes ERRNO for the reason of what is in the same datagram', async () => {
    const send =
      'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ["NOTIFY_SOCKET"]); s.send(b"STOPPING=1\\nERRNO=9")';
    expect(await run(['--wait-ready', 'python3', '-c', send])).toEqual({ ...done, status: 9 });
  });

  it('goes on when the command ends with 0, as that of docker run --detach does', async () => {
    const { child, outcome, stderr } = start([
      '--wait-ready',
      '--verbose',
      ...shell(`( ${silently} echo $NOTIFY_SOCKET > socket; exec sh -c '${stay}' ) &`),
    ]);
    await survivor();
    await expect.poll(stderr).toContain('waiting for READY=1');
    expect(child.exitCode).toBe(null);
    edge.sendDatagram((await untilFile(join(folder, 'socket'))).trim(), Buffer.from('ERRNO=3'));
    expect((await outcome).status).toBe(3);
  });

  it('ends with a command that fails, and with what it said before', async () => {
    expect(await run(['--wait-ready', ...shell('exit 6')])).toEqual({ ...done, status: 6 });
    expect(await run(['--wait-ready', ...shell('notify ERRNO=5; exit 6')])).toEqual({ ...done, status: 5 });
    expect(await run(['--wait-ready', ...shell('notify READY=1; exit 6')])).toEqual(done);
  });
});

describe('--wait-stop', () => {
  it.each<[string, number]>([
    ['STOPPING=1', 0],
    ['ERRNO=7', 7],
  ])('ends at %s with %j, and passes no MAINPID on', async (message, status) => {
    const { path, take } = outside();
    const line = `${silently} notify --pid self --ready ${message}; ${stay}`;
    // It overrides the other.
    const words = ['--wait-stop', '--wait-ready', ...shell(line)];
    expect(await run(words, { NOTIFY_SOCKET: path })).toEqual({ ...done, status });
    await survivor();
    expect(take()).toEqual(['READY=1', passedOn(message)]);
  });

  it('takes MAINPID out of a datagram', async () => {
    const { path, take } = outside();
    const send =
      'import os, socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ["NOTIFY_SOCKET"]); s.send(b"MAINPID=7\\nSTATUS=\\nMAINPIDFD=1\\nMAINPIDFDID=2\\nSTOPPING=1")';
    expect(await run(['--wait-stop', 'python3', '-c', send], { NOTIFY_SOCKET: path })).toEqual(done);
    expect(take()).toEqual(['STATUS=\nSTOPPING=1']);
  });
});

describe('an error', () => {
  it('of a helper ends no wait: outside it is a status', async () => {
    const { path, take } = outside();
    const line = `${sender('ERRNO=5\nEXIT_STATUS=5', 'BUSERROR=org.e.X', 'ERRNO=x')}; notify --ready`;
    expect(await run(['--wait-ready', ...shell(line)], { NOTIFY_SOCKET: path })).toEqual(done);
    const helper = / from a helper \(pid \d+\)$/;
    const [errno, busError, ready, ...rest] = take();
    expect([errno?.replace(helper, ''), busError?.replace(helper, ''), ready, rest]).toEqual([
      'STATUS=ERRNO=5',
      'STATUS=BUSERROR=org.e.X',
      'READY=1',
      [],
    ]);
  });

  it('of the command itself, and of what the command has left behind, ends the wait', async () => {
    const { path, take } = outside();
    const env = { NOTIFY_SOCKET: path };
    expect((await run(['--wait-ready', 'sh', '-c', `exec ${sender('ERRNO=5')}`], env)).status).toBe(5);
    const line = `( ${silently} until test -e go; do sleep 0.02; done; ${sender('ERRNO=6')} ) &`;
    const { outcome, stderr } = start(['--wait-ready', '--verbose', ...shell(line)], env);
    await expect.poll(stderr).toContain('waiting for READY=1');
    writeFileSync(join(folder, 'go'), '');
    expect((await outcome).status).toBe(6);
    expect(take()).toEqual(['ERRNO=5\nX_CHAPERONE=1', 'ERRNO=6\nX_CHAPERONE=1']);
  });
});

const asStranger = 'setpriv --reuid 1000 --regid 1000 --clear-groups';

describe.runIf(isRoot)('another account', () => {
  it('cannot reach the socket in its folder', async () => {
    const { path, take } = outside();
    const line = `${asStranger} ${sender('READY=1')} 2>/dev/null || exit 4`;
    expect(await run(['--wait-ready', ...shell(line)], { NOTIFY_SOCKET: path })).toEqual({ ...done, status: 4 });
    expect(take()).toEqual([]);
  });

  it('finds an abstract name, and what it sends there is left out, and told once', async () => {
    const { path, take } = outside();
    const name = `@sdx-stranger-${process.pid}`;
    const { outcome, stderr } = start(['--wait-ready', '--verbose', '--socket', name, 'sh', '-c', 'sleep infinity'], {
      NOTIFY_SOCKET: path,
    });
    await expect.poll(stderr).toContain('running sh');
    const attack = sender('ERRNO=5', 'READY=1', 'STOPPING=1', 'MAINPID=1', 'ERRNO=6\nX_CHAPERONE=1');
    const words = asStranger.split(' ');
    // Not a descendant of sdnotify-exec.
    const attacked = spawnSync(words[0] ?? '', [...words.slice(1), 'sh', '-c', attack], {
      env: { ...environment(), NOTIFY_SOCKET: name },
      timeout: 20_000,
    });
    expect(attacked.status).toBe(0);
    edge.sendDatagram(name, Buffer.from('ERRNO=9\nX_CHAPERONE=1'));
    expect((await outcome).status).toBe(9);
    expect(take()).toEqual(['ERRNO=9\nX_CHAPERONE=1']);
    expect(stderr().match(/of uid 1000 may not send notifications here: they are left out/g)).toHaveLength(1);
  });

  it('that the command has become may send there, and name its own process and no other', async () => {
    const { path, take } = outside();
    const program = `import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
print(os.getpid(), flush=True)
s.send(b"READY=1\\nMAINPID=${process.pid}\\nMAINPIDFD=1")
s.send(b"MAINPID=%d\\nMAINPID=x" % os.getpid())
`;
    const words = ['--socket', `@sdx-member-${process.pid}`, ...asStranger.split(' '), 'python3', '-c', program];
    const { status, stdout } = await run(words, { NOTIFY_SOCKET: path });
    expect(status).toBe(0);
    expect(take()).toEqual(['READY=1', `MAINPID=${stdout.trim()}`]);
  });
});

describe('--timeout', () => {
  it.each([
    ['--wait-ready', 'READY=1'],
    ['--wait-stop', 'STOPPING=1'],
  ])('with %s ends with 1, and the command goes on', async (option, awaited) => {
    const { outcome } = start([option, '--timeout', '.05', ...shell(`${silently} ${stay}`)]);
    expect(await outcome).toEqual({
      status: 1,
      stdout: '',
      stderr: `sdnotify-exec: sh has not sent ${awaited} within 0.05 s\n`,
    });
    expect(edge.kill(await survivor(), 0)).toBe(0);
  });

  it('counts also when the command has ended', async () => {
    expect(await run(['--wait-ready', '--timeout=0.5', 'true'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'sdnotify-exec: true has not sent READY=1 within 0.5 s\n',
    });
  });

  it('does not count when the end came before, nor without a wait', async () => {
    expect(await run(['--wait-ready', '--timeout=3000000', ...shell('notify --ready')])).toEqual(done);
    expect(await run(['--timeout', '0.001', ...shell('notify --ready; notify A=1; exit 3')])).toEqual({
      status: 3,
      stdout: '',
      stderr: 'sdnotify-exec: --timeout has no effect without --wait-ready or --wait-stop\n',
    });
  });
});

describe('the socket outside', () => {
  it('gets nothing with --noproxy', async () => {
    const { path, take } = outside();
    const env = { NOTIFY_SOCKET: path };
    expect(await run(['--noproxy', '--wait-ready', ...shell('notify --ready')], env)).toEqual(done);
    expect(take()).toEqual([]);
  });

  it('may be an abstract one', async () => {
    const { path, take } = listenAt(`@sdnotify-exec-test-${process.pid}`);
    expect(await run(shell('notify --ready'), { NOTIFY_SOCKET: path })).toEqual(done);
    expect(take()).toEqual(['READY=1']);
  });

  it('that is gone is told once, and changes nothing else', async () => {
    const path = join(folder, 'outside');
    closeSync(edge.bindDatagram(path));
    expect(await run(['--wait-ready', ...shell('notify A=1 B=1 --status x ERRNO=4')], { NOTIFY_SOCKET: path })).toEqual(
      {
        status: 4,
        stdout: '',
        stderr: `sdnotify-exec: cannot pass on to ${path}: connection refused\n`,
      },
    );
  });

  it('that is full gets everything in time, in order', async () => {
    const { path, take } = outside();
    const fillers = fill(path, 'FILLER=1');
    const names = [...Array(30).keys()].map((number) => `N${number}=1`);
    const { outcome, stderr } = start(['--verbose', ...shell(`notify ${names.join(' ')}; exit 3`)], {
      NOTIFY_SOCKET: path,
    });
    await expect.poll(stderr).toContain('N0=1 (passed on)');
    const texts: string[] = [];
    await expect.poll(() => texts.push(...take(1)) > 0 && texts.at(-1), { interval: 1 }).toBe('N29=1');
    expect((await outcome).status).toBe(3);
    expect(texts).toEqual([...Array(fillers).fill('FILLER=1'), ...names]);
  });
});

describe('a signal', () => {
  it.each([
    'SIGHUP',
    'SIGINT',
    'SIGQUIT',
    'SIGTERM',
    'SIGPWR',
    'SIGUSR1',
    'SIGUSR2',
    'SIGWINCH',
  ] as const)('%s goes on to the command', async (name) => {
    for (const options of [[], ['--wait-stop']]) {
      const { child, outcome } = start([...options, ...obey(constants.signals[name], 7)]);
      await once(child.stdout ?? child, 'data');
      child.kill(name);
      expect(await outcome).toEqual({ status: 7, stdout: 'obeying\nheard\n', stderr: '' });
    }
  });

  it('SIGRTMIN+3 goes on, too', async () => {
    const { child, outcome } = start(obey(37, 7));
    await once(child.stdout ?? child, 'data');
    edge.kill(child.pid ?? 0, 37);
    expect((await outcome).status).toBe(7);
  });

  it('that a command obeys with 0 ends every wait', async () => {
    const { child, outcome } = start(['--wait-ready', ...obey(constants.signals.SIGTERM, 0)]);
    await once(child.stdout ?? child, 'data');
    child.kill('SIGTERM');
    expect((await outcome).status).toBe(0);
  });

  it('ends a wait whose command has ended', async () => {
    const { child, outcome, stderr } = start(['--wait-ready', '--verbose', 'true']);
    await expect.poll(stderr).toContain('waiting for READY=1');
    child.kill('SIGUSR1');
    child.kill('SIGTERM');
    expect((await outcome).status).toBe(null);
    expect(child.signalCode).toBe('SIGTERM');
  });

  it('from a terminal has come to the command already', async () => {
    const fifo = join(folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const counter = `trap 'echo heard $((heard += 1))' INT; trap 'exit 5' TERM; heard=0; echo begun by $PPID; while :; do read line < ${fifo}; done`;
    const screen = openScreen({
      command: [program, '--verbose', 'bash', '-c', counter],
      env: environment(),
      controlling: true,
    });
    const [, pid] = await screen.waitFor(/begun by (\d+)/);
    screen.type(keys.interrupt);
    await screen.waitFor(/heard 1/);
    edge.kill(Number(pid), 15);
    expect(await screen.exit).toBe(5);
    expect(screen.screen()).not.toContain('heard 2');
    expect(readdirSync(join(folder, 'tmp'))).toEqual([]);
  });
});

describe('%{VAR}', () => {
  const say = ['sh', '-c', 'for word; do printf "<%s>" "$word"; done', ''];

  async function said(words: readonly string[], env: object = {}, options: readonly string[] = []): Promise<string> {
    const { stdout, stderr } = await run([...options, '--socket', 'a b.sock', ...say, ...words], env);
    expect(existsSync(join(folder, 'a b.sock'))).toBe(false);
    return `${stdout}${stderr}`.replaceAll(folder, 'FOLDER');
  }

  it('is a variable of the environment, and a word stays one word', async () => {
    const env = { ONE: 'a  b', TWO: '%{ONE}`c`', PID: 'x', SOCKET_ARGS: 'y' };
    expect(await said(['%{ONE}', '-%{TWO}-', '%{NONE}', '%{NONE:-d}', '$ONE', '\\%{ONE}', '`echo`'], env)).toBe(
      '<a  b><-a  b`c`-><%{NONE}><d><$ONE><%{ONE}><`echo`>',
    );
  });

  it('is a variable of ours', async () => {
    const { path } = outside();
    const { child, outcome } = start(['printf', '%s.', '%{PID}', '%{ORIG_NOTIFY_SOCKET}'], { NOTIFY_SOCKET: path });
    expect((await outcome).stdout).toBe(`${child.pid}.${path}.`);
    expect(await said(['%{NOTIFY_SOCKET}', '%{ORIG_NOTIFY_SOCKET}'])).toBe('<FOLDER/a b.sock><%{ORIG_NOTIFY_SOCKET}>');
  });

  it('is with SOCKET_ARGS several words, and inside a word text', async () => {
    const { child, outcome } = start(['printf', '<%s>', 'run', '%{SOCKET_ARGS}', 'image']);
    const { stdout } = await outcome;
    const inside = `/tmp/notify-${child.pid}.sock`;
    const [, socket] = /<([^<>]*):/.exec(stdout) ?? [];
    expect(socket?.startsWith(`${folder}/tmp/sdnotify-`)).toBe(true);
    expect(stdout).toBe(`<run><--env><NOTIFY_SOCKET=${inside}><-v><${socket}:${inside}><image>`);
    expect(await said(['%{SOCKET_ARGS}'])).toMatch(
      /^<--env><NOTIFY_SOCKET=\/tmp\/notify-\d+\.sock><-v><FOLDER\/a b\.sock:\/tmp\/notify-\d+\.sock>$/,
    );
    expect(await said(['x %{SOCKET_ARGS} y'], {}, ['--template', 'a  %{NONE}'])).toBe('<x a  %{NONE} y>');
  });

  it('takes its words from --template', async () => {
    const template = `-a '1  %{PID:|*|yes|no}' "" %{ONE}`;
    expect(await said(['%{SOCKET_ARGS}', '.'], { ONE: 'b c' }, ['--template', template])).toBe(
      '<-a><1  yes><><b c><.>',
    );
    expect(await said(['%{SOCKET_ARGS}', '.'], {}, ['--template='])).toBe('<.>');
    expect(await said(['%{SOCKET_ARGS}'], {}, ['--template', '--verbose'])).toBe('<--verbose>');
  });

  it('may be the program', async () => {
    expect((await run(['%{FIXTURES}/%{NAME}'], { NAME: 'none' })).status).toBe(127);
    expect((await run(['%{NAME}', '-c', 'exit 3'], { NAME: 'sh' })).status).toBe(3);
  });

  it('that cannot be expanded runs nothing', async () => {
    expect(await run(['touch', 'oops', '%{NONE:?set it}'])).toEqual({
      status: 1,
      stdout: '',
      stderr: 'sdnotify-exec: cannot expand "%{NONE:?set it}": set it\n',
    });
    expect((await run(['--template', "a 'b", 'touch', 'oops', '%{SOCKET_ARGS}'])).stderr).toBe(
      "sdnotify-exec: cannot use the template: a ' in it is never closed\n",
    );
    expect(existsSync(join(folder, 'oops'))).toBe(false);
  });
});

describe('its socket', () => {
  it('can be used by every account, in a folder that only ours enters', async () => {
    const line = 'stat -c %a "$NOTIFY_SOCKET" "$(dirname "$NOTIFY_SOCKET")"';
    expect((await run(['sh', '-c', line])).stdout).toBe('777\n700\n');
  });

  it('lies in /tmp where the path would be too long', async () => {
    const long = join(folder, 'x'.repeat(100));
    mkdirSync(long);
    const { status, stdout } = await run(shell('notify A=1 && echo "$NOTIFY_SOCKET"'), { TMPDIR: long });
    expect([status, readdirSync(long)]).toEqual([0, []]);
    expect(stdout).toMatch(/^\/tmp\/sdnotify-/);
    expect(existsSync(dirname(stdout.trim()))).toBe(false);
  });

  it('lies where --socket says, and may be abstract', async () => {
    const { stdout } = await run(['--socket', 'own', 'sh', '-c', 'echo "$NOTIFY_SOCKET"; test -S own']);
    expect([stdout, existsSync(join(folder, 'own'))]).toEqual([`${folder}/own\n`, false]);
    const name = `@sdnotify-exec-own-${process.pid}`;
    expect((await run(['--socket', name, '--wait-ready', ...shell('notify ERRNO=4')])).status).toBe(4);
  });

  it('replaces one to which nobody listens, and no other file', async () => {
    const path = join(folder, 'own');
    closeSync(edge.bindDatagram(path));
    expect((await run(['--socket', 'own', '--wait-ready', ...shell('notify ERRNO=4')])).status).toBe(4);
    expect(existsSync(path)).toBe(false);

    const used = {
      status: 1,
      stdout: '',
      stderr: `sdnotify-exec: cannot make a socket at ${path}: address already in use\n`,
    };
    const { take } = listenAt(path);
    expect(await run(['--socket', 'own', 'touch', 'oops'])).toEqual(used);
    edge.sendDatagram(path, Buffer.from('A=1'));
    expect(take()).toContain('A=1');
    rmSync(path);
    writeFileSync(path, 'text');
    expect(await run(['--socket', 'own', 'touch', 'oops'])).toEqual(used);
    expect([readFileSync(path, 'utf8'), existsSync(join(folder, 'oops'))]).toEqual(['text', false]);
  });

  it('is left alone where somebody has replaced it', async () => {
    expect(await run(['--socket', 'own', 'sh', '-c', 'rm own; echo text > own'])).toEqual(done);
    expect(readFileSync(join(folder, 'own'), 'utf8')).toBe('text\n');
  });

  it.each([
    ['none/own', 'no such file or directory'],
    ['x'.repeat(200), 'its path is longer than 107 bytes'],
  ])('that cannot be made at %j gives 1', async (name, reason) => {
    expect(await run(['--socket', name, 'touch', 'oops'])).toEqual({
      status: 1,
      stdout: '',
      stderr: `sdnotify-exec: cannot make a socket at ${folder}/${name}: ${reason}\n`,
    });
    expect(existsSync(join(folder, 'oops'))).toBe(false);
  });

  it('cannot be made where there is no folder for it', async () => {
    const { status, stderr } = await run(['true'], { TMPDIR: join(folder, 'none') });
    expect([status, stderr]).toEqual([
      1,
      'sdnotify-exec: cannot make a socket at a new folder: no such file or directory\n',
    ]);
  });
});

describe('the command line', () => {
  it.each<[readonly string[], string]>([
    [[], 'no command is given'],
    [['--wait-ready'], 'no command is given'],
    [['--'], 'no command is given'],
    [['--frob', 'true'], 'unknown option "--frob"'],
    [['--no-proxy', 'true'], 'unknown option "--no-proxy": did you mean "--noproxy"?'],
    [['--wait', 'true'], '"--wait" may be --wait-ready or --wait-stop'],
    [['--noproxy=1', 'true'], '--noproxy takes no value'],
    [['--timeout'], '--timeout needs seconds, more than 0'],
    [['--timeout', '0', 'true'], '--timeout needs seconds, more than 0, not "0"'],
    [['--timeout=-1', 'true'], '--timeout needs seconds, more than 0, not "-1"'],
    [['--timeout', '1m', 'true'], '--timeout needs seconds, more than 0, not "1m"'],
    [['--socket=', 'true'], '--socket needs a path or @NAME'],
    [['--socket', '@', 'true'], '--socket needs a path or @NAME, not "@"'],
  ])('%j is a mistake', async (words, message) => {
    expect(await run(words)).toEqual({
      status: 2,
      stdout: '',
      stderr: `sdnotify-exec: ${message}\ntry "sdnotify-exec --help"\n`,
    });
  });

  it('has options before the command only', async () => {
    expect((await run(['--noproxy', 'echo', '--verbose', '--help', '--'])).stdout).toBe('--verbose --help --\n');
    expect((await run(['--time=5', '--wait-s', 'sh', '-c', 'exit 3'])).status).toBe(3);
    expect((await run(['--timeout', '5', '--wait-stop', '--', 'sh', '-c', 'exit 3', '--'])).status).toBe(3);
  });

  it('tells with --verbose what happens', async () => {
    const { path } = outside();
    const { stderr } = await run(
      ['--verbose', '--wait-stop', ...shell('notify --pid 7 --ready "A=\u001b[1m" ERRNO=5')],
      {
        NOTIFY_SOCKET: path,
      },
    );
    expect(stderr.replaceAll('sdnotify-exec: ', '').split('\n').slice(1, 7)).toEqual([
      expect.stringMatching(/^running sh, pid \d+$/),
      'MAINPID=7',
      'READY=1 (passed on)',
      'A=\\x1b[1m (passed on)',
      'ERRNO=5\\x0aX_CHAPERONE=1 (passed on)',
      'ending with 5',
    ]);
  });

  it('says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'));
    expect(await run(['--version'])).toEqual({ ...done, stdout: `sdnotify-exec ${version}\n` });
  });

  it('has a help that fits a screen and names every option, as the documentation does', async () => {
    const { status, stdout } = await run(['--help']);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.length > 80 || /\s$/.test(line))).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(40);
    expect([...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name)).toEqual(
      ['noproxy', 'wait-ready', 'wait-stop', 'timeout', 'socket', 'template', 'verbose', 'version', 'help'].map(
        (name) => `--${name}`,
      ),
    );
    const page = readFileSync(join(import.meta.dirname, '../../../docs/reference/sdnotify.md'), 'utf8');
    expect(page).toContain(`\n${stdout}\`\`\``);
  });
});

describe('the bundle', () => {
  it('is small, and loads nothing but parts of Node, and re2js for regular expressions', () => {
    const text = readFileSync(program, 'utf8');
    expect(text.length).toBeLessThan(64 * 1024);
    const loaded = [...text.matchAll(/\b(?:require|import)\("([^"]*)"\)/g)].map(([, name]) => name);
    expect(new Set(loaded)).toEqual(
      new Set(['./re2js.cjs', 'node:child_process', 'node:fs', 'node:module', 'node:os', 'node:path', 'node:util']),
    );
    expect(text.startsWith('#!/usr/bin/env node\n')).toBe(true);
    expect(statSync(program).mode & 0o111).toBe(0o111);
  });
});
