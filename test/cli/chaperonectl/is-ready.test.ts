/** `chaperonectl is-ready` as the native program and as the script that Node runs, against servers that answer as a test says. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { inDist } from '../../dist.ts';
import type { Outcome } from '../outcome.ts';

const dist = inDist();
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

  it.each<[number, number, unknown, string]>([
    [200, 0, { ready: true }, ''],
    [200, 0, { ready: true, text: 'all is well' }, ''],
    [503, 1, { ready: false }, ''],
    [
      503,
      1,
      { ready: false, text: 'x is not ready: "\\x1b"\nand 3 more', waitsFor: {} },
      'x is not ready: "\\x1b"\nand 3 more\n',
    ],
    [503, 1, { ready: false, text: '', waitsFor: { text: 'z' } }, '\n'],
    [404, 4, noSuch, 'no such service: x","exitStatus":0\n'],
    [429, 8, { kind: 'busy', text: 'too many', exitStatus: 8 }, 'too many\n'],
    [403, 5, { kind: 'forbidden', text: 'no', exitStatus: 5 }, 'no\n'],
    [404, 2, { kind: 'mistake', text: 'no such path' }, 'no such path\n'],
    [500, 1, 'oops', ''],
    [431, 1, '', ''],
  ])('for %d is %d, and stderr says why', async (http, status, body, stderr) => {
    const socket = await serve((connection) => connection.end(reply(http, body)));
    expect(await probe(['x'], { socket })).toEqual({ status, stdout: '', stderr });
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

  it('is known as soon as the text is there, also where it is long and comes byte by byte', async () => {
    const long = `${'ä'.repeat(2_000)}\n"quoted"`;
    const head = reply(503, JSON.stringify({ ready: false, text: long }).slice(0, -1));
    const socket = await serve((connection) => connection.write(head));
    expect(await run([...native, 'is-ready'], { socket })).toEqual({ status: 1, stdout: '', stderr: `${long}\n` });
    const slow = await serve(async (connection) => {
      connection.setNoDelay(true);
      for (const byte of Buffer.from(reply(503, { text: 'a\\nb"' })))
        await new Promise((resolve) => connection.write(Buffer.of(byte), resolve));
      connection.end();
    });
    expect(await probe([], { socket: slow })).toEqual({ status: 1, stdout: '', stderr: 'a\\nb"\n' });
  });

  it('stands where an answer has no end to its text', async () => {
    const endless = await serve((connection) => connection.end(reply(503, `{"text":"${'x'.repeat(200_000)}`)));
    expect(await run([...native, 'is-ready'], { socket: endless })).toEqual({ status: 1, stdout: '', stderr: '' });
    const cut = await serve((connection) => connection.end(reply(503, '{"text":"\\')));
    expect(await run([...native, 'is-ready'], { socket: cut })).toEqual({ status: 1, stdout: '', stderr: '' });
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

describe('in folders that all accounts share, the socket', () => {
  const root = 0;
  const nobody = 65_534;

  it.runIf(isRoot).each<[string, number, readonly [path: string, owner: number][], string | undefined]>([
    ['is that of the own account', root, [['/dev/shm/chaperone-0', 0]], '/dev/shm/chaperone-0'],
    [
      'is first looked for in /dev/shm',
      7,
      [
        ['/tmp/chaperone-7', 7],
        ['/dev/shm/chaperone-7', 7],
      ],
      '/dev/shm/chaperone-7',
    ],
    ['may be in /tmp', 7, [['/tmp/chaperone-7', 7]], '/tmp/chaperone-7'],
    ['may be in a folder that root has made', 7, [['/dev/shm/chaperone-7', 0]], '/dev/shm/chaperone-7'],
    ['is not in a folder that another account has made', 7, [['/dev/shm/chaperone-7', 8]], undefined],
    [
      'is after the folders that only root can make',
      root,
      [
        ['/dev/shm/chaperone-0', 0],
        ['/run/chaperone', 0],
      ],
      '/run/chaperone',
    ],
    ['of another account is found by root', root, [['/tmp/chaperone-10001', 10_001]], '/tmp/chaperone-10001'],
    [
      'of another account is found by root after its own',
      root,
      [
        ['/dev/shm/chaperone-7', 7],
        ['/tmp/chaperone-0', 0],
      ],
      '/tmp/chaperone-0',
    ],
    [
      'of the lowest other account is found first',
      root,
      [
        ['/dev/shm/chaperone-10', 10],
        ['/tmp/chaperone-7', 7],
      ],
      '/tmp/chaperone-7',
    ],
    ['of another account is found by no other', nobody, [['/tmp/chaperone-7', 7]], undefined],
    ['of another account is not in the folder of a third one', root, [['/tmp/chaperone-7', 8]], undefined],
    [
      'has its account in decimal',
      root,
      [
        ['/tmp/chaperone-07', 7],
        ['/tmp/chaperone-', 7],
        ['/tmp/chaperone-7x', 7],
      ],
      undefined,
    ],
    ['has an account that there may be', root, [['/tmp/chaperone-4294967303', 7]], undefined],
  ])('%s', async (_, uid, folders, found) => {
    const made = folders.map(
      ([path, owner]) =>
        `mkdir -m 755 ${path} && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("${path}/chaperone.sock")' && chmod 666 ${path}/chaperone.sock && chown -R ${owner} ${path}`,
    );
    const script = [
      // The project itself may be below a folder that is hidden here.
      'cd /',
      'mkdir -p /mnt',
      `mount --bind ${dist} /mnt`,
      ...['/run', '/dev', '/tmp'].map((folder) => `mount -t tmpfs none ${folder}`),
      'mkdir -m 1777 /dev/shm',
      ...made,
      `exec setpriv --reuid ${uid} --regid ${uid} --clear-groups "$@" is-ready`,
    ];
    const shell = ['unshare', '--mount', 'sh', '-ec', script.join('\n'), 'sh'];
    const expected = unreachable(
      found === undefined ? 'ENOENT /dev/chaperone.sock' : `ECONNREFUSED ${found}/chaperone.sock`,
    );
    for (const program of [['/mnt/chaperonectl'], [process.execPath, '/mnt/chaperonectl.cjs']]) {
      expect(await run([...shell, ...program])).toEqual(expected);
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
