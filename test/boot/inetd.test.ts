import { spawn, spawnSync } from 'node:child_process';
import { createConnection } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, logAll, until, untilProcesses } from './namespace.ts';
import { busyPort, freePort, talk } from './ports.ts';

const echo = { type: 'inetd', command: "sh -c 'read line; echo you said $line from $REMOTE_ADDR'" } as const;
const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);

const count = (lines: readonly string[], pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;

describe('an inetd service', () => {
  it('is ready when its port listens: who waits for it can connect', async () => {
    const port = await freePort();
    const system = boot({
      files: {
        'x.conf': config({
          'echo.service': { ...echo, port },
          'client.service': {
            type: 'oneshot',
            command: `python3 $(FIXTURES)/say.py ${port} hello`,
            after: 'echo.service',
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/client\[\d+\]: you said hello from 127\.0\.0\.1$/);
    expectOrder(system.lines('stdout'), [
      new RegExp(`: inetd service echo\\.service listening on port ${port}$`),
      /: client\.service attempting start/,
      new RegExp(`: echo\\.service received connection on port ${port}; attempting start 'sh -c .*'\\.\\.\\.$`),
    ]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it.runIf(hasIpv6)('serves IPv4 and IPv6', async () => {
    const port = await freePort();
    const system = boot({ files: { 'x.conf': config({ 'echo.service': { ...echo, port }, ...logAll }) } });
    await system.waitForLine(/listening on port/);
    expect(await talk(port, 'four\n', '127.0.0.1')).toBe('you said four from 127.0.0.1\n');
    expect(await talk(port, 'six\n', '::1')).toBe('you said six from ::1\n');
  });

  it('hands over a socket that is blocking, as all three standard streams, and nothing else', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, command: 'python3 $(FIXTURES)/streams.py' };
    const system = boot({ files: { 'x.conf': config({ 'echo.service': service }) } });
    await system.waitForLine(/listening on port/);
    expect(JSON.parse(await talk(port, ''))).toEqual({ blocking: [true, true, true], same: true, others: [] });
  });

  it('speaks git, through git daemon --inetd', async () => {
    const port = await freePort();
    const command = 'git daemon --inetd --export-all --base-path=$(_CHAP_CONFIG_DIR)';
    const system = boot({
      files: { 'x.conf': config({ 'git.service': { type: 'inetd', port, command }, ...logAll }) },
    });
    await system.waitForLine(/listening on port/);
    const repository = join(system.directory, 'project');
    const git = (...args: readonly string[]) => spawnSync('git', args, { encoding: 'utf8' });
    git('init', '-q', repository);
    git('-C', repository, '-c', 'user.name=x', '-c', 'user.email=x@y', 'commit', '-q', '--allow-empty', '-m', 'first');
    const head = git('-C', repository, 'rev-parse', 'HEAD').stdout.trim();
    // spawn instead of spawnSync, because the system's lines have to be read meanwhile.
    const listing = spawn('git', ['ls-remote', `git://127.0.0.1:${port}/project`, 'HEAD']);
    let text = '';
    listing.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const status = await new Promise((resolve) => listing.on('close', resolve));
    expect({ status, text }).toEqual({ status: 0, text: `${head}\tHEAD\n` });
    await system.waitForLine(/git\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
  });

  it('serves a burst of 1,000 connections, 50 at a time', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, command: 'head -n 1' };
    const system = boot({ files: { 'x.conf': config({ 'head.service': service, ...logAll }) } });
    await system.waitForLine(/listening on port/);
    const texts = Array.from({ length: 1_000 }, (_, index) => `client ${index}\n`);
    const answers = await Promise.all(texts.map((text) => talk(port, text)));
    expect(answers).toEqual(texts);
    await until('every handler is reaped', () =>
      count(system.lines(), /head\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/) === 1_000
        ? true
        : undefined,
    );
    await untilProcesses(system, []);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('serves max_connections at a time, and the others when there is room', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, max_connections: 2, command: 'cat' };
    const system = boot({ files: { 'x.conf': config({ 'cat.service': service, ...logAll }) } });
    await system.waitForLine(/listening on port/);
    const [first, second, third] = [await open(port), await open(port), await open(port)];
    await until('two are served', () =>
      count(system.lines(), /cat\.service received connection/) === 2 ? true : undefined,
    );
    // A third handler would have been logged before the answer to a signal that is sent now.
    system.signal('SIGUSR2');
    await system.waitForLine(/SIGUSR2 received/);
    await untilProcesses(system, ['cat', 'cat']);
    first.close();
    third.send('at last\n');
    expect(await third.line()).toBe('at last');
    second.close();
    third.close();
  });

  it('lists handlers that hang at the stop, and ends them', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, command: "sh -c 'echo up; exec sleep infinity'" };
    const system = boot({ files: { 'x.conf': config({ 'stuck.service': service, ...logAll }) } });
    await system.waitForLine(/listening on port/);
    const clients = [await open(port), await open(port)];
    for (const client of clients) expect(await client.line()).toBe('up');
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      new RegExp(`: stuck\\.service terminating 2 processes on port ${port} that are still running$`),
      /: stuck\.service still running: pid \d+, \d+$/,
      /: stuck\.service exit status for pid=\d+ is '<ProcStatus signal=15>'$/,
      /: stuck\.service exit status for pid=\d+ is '<ProcStatus signal=15>'$/,
      /Final termination phase/,
    ]);
    for (const client of clients) await client.ended;
  });

  it('never fails by a handler: that one is logged', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, command: "sh -c 'read how; exit $how'" };
    const system = boot({ files: { 'x.conf': config({ 'bad.service': service, ...logAll }) } });
    await system.waitForLine(/listening on port/);
    expect(await talk(port, '3\n')).toBe('');
    await system.waitForLine(/: bad\.service connection handler with pid \d+ ended with exit 3$/);
    expect(await talk(port, '0\n')).toBe('');
    await system.waitForLine(/: bad\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('keeps the container alive with nothing running, and says so', async () => {
    const port = await freePort();
    const system = boot({ files: { 'x.conf': config({ 'echo.service': { ...echo, port }, ...logAll }) } });
    await system.waitForLine(/: system will remain active since there are scheduled services: echo\.service$/);
    await talk(port, 'x\n');
    await system.waitForLine(/echo\.service exit status/);
    system.signal('SIGUSR2');
    await system.waitForLine(/SIGUSR2 received/);
    expect(count(system.lines(), /will remain active/)).toBe(1);
  });

  it('belongs to the facility daemon, and its handlers write to the client, not to the log', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, command: "sh -c 'echo to you; echo to you too >&2'" };
    const system = boot({ files: { 'x.conf': config({ 'both.service': service, ...logAll }) } });
    await system.waitForLine(/listening on port/);
    expect(await talk(port, '')).toBe('to you\nto you too\n');
    await system.waitForLine(/both\.service exit status/);
    expect(count(system.lines(), /\]: to you/)).toBe(0);
  });
});

describe('a port that something else listens on', () => {
  const files = async (more: Readonly<Record<string, unknown>>, host?: string) => {
    const port = await busyPort(host);
    const text = config({
      'base.service': { command: 'sleep infinity', startup_pause: 0.1 },
      'echo.service': { ...echo, port, after: 'base.service', ...more },
      'next.service': { type: 'oneshot', command: 'echo next ran', after: 'echo.service' },
      ...logAll,
    });
    return { port, files: { 'x.conf': text } };
  };

  it.each([
    ['on all addresses', undefined],
    ['on one IPv4 address', '127.0.0.1'],
  ])('is a system failure (%s)', async (_, host) => {
    const { port, files: written } = await files({}, host);
    const system = boot({ merge: true, files: written });
    expect(await system.exit).toBe(1);
    const lines = system.lines();
    expectOrder(lines, [
      new RegExp(
        `: system startup cancelled due to error: echo\\.service cannot listen on port ${port}: something else listens on it already \\(EADDRINUSE\\)$`,
      ),
    ]);
    expect(lines.slice(lines.findIndex((line) => line.startsWith('chaperone: ')))).toEqual([
      `chaperone: system failed: echo.service cannot listen on port ${port}`,
      '  why     something else listens on it already (EADDRINUSE); tried all addresses, IPv6 and IPv4',
      expect.stringMatching(/^ {2}command sh -c/),
      `  do      "ss -ltnp 'sport = :${port}'" in the container names the process that holds it; or change "port"`,
      '  waiting next.service never started',
      '  stopped base; exit status 1',
    ]);
  });

  it('with ignore_failures is a logged failure, and dependents go on', async () => {
    const { files: written } = await files({ ignore_failures: true });
    const system = boot({ files: written });
    await system.waitForLine(/next\[\d+\]: next ran/);
    expectOrder(system.lines('stdout'), [
      /: service echo\.service ignoring failures\. Exception: echo\.service cannot listen on port/,
      /next ran/,
    ]);
  });
});

describe('a missing program of an inetd service', () => {
  it('is a system failure before anything starts', async () => {
    const port = await freePort();
    const system = boot({
      merge: true,
      files: { 'x.conf': config({ 'lost.service': { type: 'inetd', port, command: 'no-such-program' } }) },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines()).toContain(
      "  why     lost.service: executable 'no-such-program' not found in the service's PATH",
    );
  });

  it('with ignore_failures disables the service', async () => {
    const port = await freePort();
    const service = { type: 'inetd', port, command: 'no-such-program', ignore_failures: true };
    const system = boot({ files: { 'x.conf': config({ 'lost.service': service, ...logAll }) } });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/service lost\.service disabled, executable 'no-such-program' not found/]);
  });
});

it('a port that is none is a mistake of the configuration', async () => {
  const system = boot({ files: { 'x.conf': config({ 'echo.service': { ...echo, port: 70_000 } }) } });
  expect(await system.exit).toBe(1);
  expectOrder(system.lines('stderr'), [/x\.conf:5:\d+: port of echo\.service is out of range: "70000"/]);
});

interface OpenClient {
  send(text: string): void;
  line(): Promise<string>;
  close(): void;
  readonly ended: Promise<void>;
}

/** Opens a connection that stays open. */
async function open(port: number): Promise<OpenClient> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  socket.on('error', () => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  return {
    send: (text) => socket.write(text),
    line: async () => (await lines.next()).value,
    close: () => socket.end(),
    ended: new Promise((resolve) => socket.on('close', () => resolve())),
  };
}
