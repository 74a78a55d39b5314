/** `chaperonectl is-ready` as the native program and as the script that Node runs, against servers that answer as a test says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Outcome } from '../outcome.ts';

const dist = join(import.meta.dirname, '../../../dist');
const native = [join(dist, 'chaperonectl')];
const script = [process.execPath, join(dist, 'chaperonectl.cjs')];
const isRoot = process.getuid?.() === 0;
const scratch = mkdtempSync(join(tmpdir(), 'is-ready-test-'));
let count = 0;

afterAll(() => rmSync(scratch, { recursive: true }));

interface Run {
  readonly socket?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
}

function newPath(): string {
  count += 1;
  return join(scratch, `${count}.sock`);
}

async function run(command: readonly string[], { socket, env = {}, uid }: Run = {}): Promise<Outcome> {
  const [program = '', ...words] = command;
  const child = spawn(program, words, {
    env: { PATH: process.env['PATH'], ...(socket === undefined ? {} : { CHAPERONE_SOCKET: socket }), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const [[status], [stdout, stderr]] = await Promise.all([once(child, 'close'), output]);
  return { status, stdout, stderr };
}

/** Tests that the native program and its counterpart for Node have to pass alike. */
async function probe(words: readonly string[], more: Run): Promise<Outcome> {
  const outcomes = await Promise.all([native, script].map((program) => run([...program, 'is-ready', ...words], more)));
  const [first, second] = outcomes;
  if (first === undefined) throw new Error('nothing was run');
  expect(first).toEqual(second);
  return first;
}

/** Serves until the test ends. @param answer what to do once a request has come */
async function serve(answer: (socket: Socket, request: string) => void, path = newPath()): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    let request = '';
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      request += String(chunk);
      if (request.endsWith('\r\n\r\n')) answer(socket, request);
    });
  });
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

function reply(status: number, body: unknown): string {
  const content = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  return `HTTP/1.1 ${status} Some Words\r\nConnection: close\r\n\r\n${content}`;
}

function unreachable(reason: string): Outcome {
  const stderr = `chaperone does not seem to be listening, is it running?\n(Error is: ${reason})\n`;
  return { status: 6, stdout: '', stderr };
}

describe('what is asked', () => {
  it.each<[readonly string[], string]>([
    [[], '/v1/ready'],
    [['web'], '/v1/ready?name=web'],
    [['web', '--json', 'db.service'], '/v1/ready?name=web&name=db.service'],
    [['--js', '-', '--', '--json', '-x'], '/v1/ready?name=-&name=--json&name=-x'],
    [
      ['a b', 'ä€𝄞', '', '*&?=%', "-_.!~*'()"].toReversed(),
      "/v1/ready?name=-_.!~*'()&name=*%26%3F%3D%25&name=&name=%C3%A4%E2%82%AC%F0%9D%84%9E&name=a%20b",
    ],
  ])('by %j is %s', async (words, target) => {
    const requests: string[] = [];
    const socket = await serve((connection, request) => {
      requests.push(request);
      connection.end(reply(200, {}));
    });
    const given = words[0]?.startsWith('-_') === true ? ['--', ...words] : words;
    expect(await probe(given, { socket })).toMatchObject({ status: 0, stderr: '' });
    expect(requests).toEqual(Array(2).fill(`GET ${target} HTTP/1.0\r\n\r\n`));
  });
});

describe('the exit status', () => {
  const noSuch = { kind: 'noSuchService', names: ['x'], text: 'no such service: x","exitStatus":0', exitStatus: 4 };

  it.each<[number, number, unknown]>([
    [200, 0, { ready: true }],
    [503, 1, { ready: false }],
    [404, 4, noSuch],
    [429, 8, { kind: 'busy', text: 'too many', exitStatus: 8 }],
    [403, 5, { kind: 'forbidden', text: 'no', exitStatus: 5 }],
    [404, 2, { kind: 'mistake', text: 'no such path' }],
    [500, 1, 'oops'],
    [431, 1, ''],
  ])('for %d is %d', async (http, status, body) => {
    const socket = await serve((connection) => connection.end(reply(http, body)));
    expect(await probe(['x'], { socket })).toEqual({ status, stdout: '', stderr: '' });
    const stdout = typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
    expect(await probe(['x', '--json'], { socket })).toEqual({ status, stdout, stderr: '' });
  });

  it('is that of an answer that comes byte by byte', async () => {
    const socket = await serve(async (connection) => {
      connection.setNoDelay(true);
      for (const byte of reply(404, noSuch)) await new Promise((resolve) => connection.write(byte, resolve));
      connection.end();
    });
    expect(await probe(['x', '--json'], { socket })).toMatchObject({
      status: 4,
      stdout: `${JSON.stringify(noSuch)}\n`,
    });
  });

  it('is known as soon as the head of the answer is there', async () => {
    const socket = await serve((connection) => connection.write(reply(200, 'the beginning of a body')));
    expect(await run([...native, 'is-ready'], { socket })).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

describe('--json', () => {
  it('passes on a body of any size', async () => {
    const body = 'ä'.repeat(64 * 1024) + 'z'.repeat(256 * 1024);
    const socket = await serve((connection) => connection.end(reply(503, body)));
    expect(await probe(['--json'], { socket })).toEqual({ status: 1, stdout: body, stderr: '' });
  });

  it('does without a reader, and tells of an output that is full', async () => {
    const socket = await serve((connection) => connection.end(reply(503, 'x'.repeat(1 << 20))));
    const shell = (line: string): Promise<Outcome> =>
      run(['/bin/bash', '-o', 'pipefail', '-c', line, ...native], { socket });
    expect(await shell('"$0" is-ready --json | true')).toEqual({ status: 1, stdout: '', stderr: '' });
    expect(await shell('"$0" is-ready --json >/dev/full')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'chaperonectl: cannot write standard output: no space left on device\n',
    });
  });
});

describe('chaperone cannot be reached', () => {
  it.each<[string, string]>([
    ['hangs up', ''],
    ['hangs up within the head', 'HTTP/1.1 200 OK\r\nConnection: close\r\n'],
    ['speaks another protocol', 'RESULT\nnonsense\r\n\r\n'],
    ['speaks another version of the protocol', 'HTTP/2.0 200 OK\r\n\r\n'],
  ])('where it %s', async (_, answer) => {
    const socket = await serve((connection) => connection.end(answer));
    expect(await probe([], { socket })).toEqual(unreachable(`${socket} hung up`));
  });

  it('where there is no socket', async () => {
    const missing = newPath();
    const file = newPath();
    writeFileSync(file, '');
    expect(await probe([], { socket: missing })).toEqual(unreachable(`ENOENT ${missing}`));
    expect(await probe([], { socket: file })).toEqual(unreachable(`ECONNREFUSED ${file}`));
    expect(await probe([], { socket: `${file}/x` })).toEqual(unreachable(`ENOTDIR ${file}/x`));
  });

  it('where nobody listens any more', async () => {
    const server = createServer();
    const [path, dead] = [newPath(), newPath()];
    server.listen(path);
    await once(server, 'listening');
    linkSync(path, dead);
    server.close();
    expect(await probe(['--json'], { socket: dead })).toEqual(unreachable(`ECONNREFUSED ${dead}`));
  });

  it('where the path of the socket is longer than an address', async () => {
    const socket = `/tmp/${'x'.repeat(103)}`;
    expect(await run([...native, 'is-ready'], { socket })).toEqual(unreachable(`ENAMETOOLONG ${socket}`));
    const longest = `/tmp/${'x'.repeat(102)}`;
    expect(await probe([], { socket: longest })).toEqual(unreachable(`ENOENT ${longest}`));
  });

  it.runIf(isRoot)('where the socket is not ours to write to', async () => {
    const socket = await serve((connection) => connection.end(reply(200, {})));
    chmodSync(scratch, 0o755);
    chmodSync(socket, 0o700);
    expect(await run([...native, 'is-ready'], { socket, uid: 65_534 })).toEqual(unreachable(`EACCES ${socket}`));
  });

  it('within five seconds where it is silent, dribbles, or takes no more connections', async () => {
    const silent = await serve(() => undefined);
    const dribbling = await serve((connection) => {
      const timer = setInterval(() => connection.write('HTTP'), 100);
      connection.on('close', () => clearInterval(timer));
    });
    const full = newPath();
    const listener = `import socket, sys
server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen(0)
waiting = []
try:
    while True:
        waiting.append(socket.socket(socket.AF_UNIX)); waiting[-1].setblocking(False); waiting[-1].connect(sys.argv[1])
except BlockingIOError:
    print("full", flush=True)
sys.stdin.read()
`;
    const child = spawn('python3', ['-c', listener, full], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill());
    await once(child.stdout, 'data');
    const begun = performance.now();
    const [first, second, third] = await Promise.all([
      probe([], { socket: silent }),
      probe([], { socket: dribbling }),
      run([...native, 'is-ready'], { socket: full }),
    ]);
    expect(performance.now() - begun).toBeGreaterThan(4_900);
    expect(first).toEqual(unreachable(`ETIMEDOUT ${silent}`));
    expect(second).toEqual(unreachable(`ETIMEDOUT ${dribbling}`));
    expect(third).toEqual(unreachable(`ETIMEDOUT ${full}`));
  });
});

describe('the socket', () => {
  it.runIf(isRoot)('is the first of the known places that another account cannot have made', async () => {
    const runtime = mkdtempSync(join(scratch, 'runtime-'));
    const own = join(runtime, 'chaperone');
    mkdirSync(own);
    await serve((connection) => connection.end(reply(200, {})), join(own, 'chaperone.sock'));
    // Without what the machine itself may have there.
    const inNamespace = (program: readonly string[], env: Readonly<Record<string, string>>): Promise<Outcome> =>
      run(
        [
          ...['unshare', '--mount', 'sh', '-c'],
          'mount -t tmpfs none /run && mount -t tmpfs none /dev && exec "$@" is-ready',
          'sh',
          ...program,
        ],
        { env },
      );
    for (const program of [native, script]) {
      expect(await inNamespace(program, { XDG_RUNTIME_DIR: runtime })).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(await inNamespace(program, { XDG_RUNTIME_DIR: runtime, CHAPERONE_SOCKET: '' })).toMatchObject({
        status: 0,
      });
      expect(await inNamespace(program, { XDG_RUNTIME_DIR: 'relative' })).toEqual(
        unreachable('ENOENT /dev/chaperone.sock'),
      );
    }
    chownSync(own, 65_534, 65_534);
    for (const program of [native, script]) {
      expect(await inNamespace(program, { XDG_RUNTIME_DIR: runtime })).toEqual(
        unreachable('ENOENT /dev/chaperone.sock'),
      );
    }
  });
});

describe('Node answers', () => {
  it.each<readonly string[]>([
    ['is-ready', '--help'],
    ['is-ready', '--h', 'web'],
    ['is-ready', '--jsn'],
    ['is-ready', '--json=1'],
    ['is-ready', '-j'],
    ['is-ready', '--='],
    ['is-read'],
    ['--version', 'is-ready'],
    ['--he', 'is-ready'],
    [],
  ])('what is more than a question: %j', async (...words) => {
    const socket = newPath();
    const outcome = await run([...native, ...words], { socket });
    expect(outcome).toEqual(await run([...script, ...words], { socket }));
    expect(outcome.stdout + outcome.stderr).toContain('chaperonectl');
  });

  it('a name that is not UTF-8', async () => {
    const requests: string[] = [];
    const socket = await serve((connection, request) => {
      requests.push(request);
      connection.end(reply(200, {}));
    });
    const shell = ['sh', '-c', `exec "$0" is-ready "$(printf 'a\\377')"`, ...native];
    expect(await run(shell, { socket })).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(requests).toEqual(['GET /v1/ready?name=a%EF%BF%BD HTTP/1.0\r\n\r\n']);
  });

  it('for telchap, which has no such command', async () => {
    expect(await run([join(dist, 'telchap'), 'is-ready'], { socket: newPath() })).toEqual({
      status: 2,
      stdout: '',
      stderr: 'telchap: unknown command "is-ready"; that is for "chaperonectl is-ready"\ntry "telchap --help"\n',
    });
  });
});
