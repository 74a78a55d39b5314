/** Probes on the real thing: sockets, files, commands and descriptors of services that run. */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  type Booted,
  boot,
  config,
  expectOrder,
  fixtures,
  here,
  isRoot,
  logAll,
  until,
  untilFile,
} from './namespace.ts';
import { freePort } from './ports.ts';

const run = promisify(execFile);
const server = `python3 ${join(fixtures, 'server.py')}`;
const sleeper = 'exec sleep 1000';
const shell = (script: string): string => `sh -c "${script}"`;

/** A service of that definition, and one that starts once it is ready. */
function bootWith(
  service: Readonly<Record<string, unknown>>,
  more: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
): Booted {
  const system = boot({
    files: {
      'x.conf': config({
        'web.service': { process_timeout: 20, ...service },
        'next.service': { type: 'oneshot', command: 'echo next runs', after: 'web.service' },
        ...logAll,
        ...more,
      }),
    },
  });
  // Commands of other accounts look for files there.
  chmodSync(system.directory, 0o755);
  writeFileSync(system.path('ok'), '200\nall is well\n');
  return system;
}

async function chaperonectl(system: Booted, ...words: readonly string[]): Promise<string> {
  const [file = '', ...args] = [...system.inside(), join(import.meta.dirname, '../../dist/chaperonectl'), ...words];
  const env = { ...process.env, CHAPERONE_SOCKET: system.path('control.sock') };
  return run(file, args, { env }).then(
    ({ stdout }) => stdout,
    (error: { readonly stdout?: string; readonly stderr?: string }) => `${error.stdout ?? ''}${error.stderr ?? ''}`,
  );
}

const isReady = /next\[\d+\]: next runs/;

async function end(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

describe('ready', () => {
  it('tcp: once a connection is accepted', async () => {
    const port = await freePort();
    const system = bootWith({ command: `${server} ${port} silent`, ready: { tcp: port } });
    await system.waitForLine(isReady);
    expectOrder(system.lines(), [/web\[\d+\]: serves/, /web\.service successfully started/, /next runs/]);
    await end(system);
  });

  it.each([
    ['unix', { unix: `${here}/s` }, `${here}/s silent`],
    ['http over a socket', { http: 'http://localhost/x', unix: `${here}/s` }, `${here}/s ${here}/ok`],
    [
      'http with a body',
      { http: 'http://localhost/x', unix: `${here}/s`, status: 200, contains: '/is +WELL/i', headers: { A: 'b' } },
      `${here}/s ${here}/ok`,
    ],
    ['a body without end', { http: 'http://localhost/', unix: `${here}/s`, contains: '/x{20}/' }, `${here}/s endless`],
  ])('%s', async (_, ready, where) => {
    const system = bootWith({ command: `${server} ${where}`, ready });
    await system.waitForLine(isReady);
    expectOrder(system.lines(), [/web\[\d+\]: serves/, /web\.service successfully started/]);
    await end(system);
  });

  it('http at a port', async () => {
    const port = await freePort();
    const system = bootWith({ command: `${server} ${port} ${here}/ok`, ready: { http: `http://localhost:${port}/` } });
    await system.waitForLine(isReady);
    await end(system);
  });

  it('command, with the environment and the account of the service', async () => {
    const account = isRoot ? { uid: 1, gid: 1 } : {};
    const script = 'test $WHO = me && test $(id -u) = $OWN && echo tried > /dev/null && test -e $MARK';
    const system = bootWith({
      command: shell('echo begins; exec sleep 1000'),
      env_set: { WHO: 'me', OWN: isRoot ? '1' : String(process.getuid?.()), MARK: `${here}/mark` },
      directory: '/',
      ...account,
      ready: { command: `sh -c '${script}'`, interval: '50ms' },
    });
    await system.waitForLine(/web\[\d+\]: begins/);
    expect(await chaperonectl(system, 'status', 'web')).toMatch(/ready +command sh: open; last: exit 1 in \d+ ms/);
    writeFileSync(system.path('mark'), '');
    await system.waitForLine(isReady);
    expect(system.lines().filter((line) => line.includes('tried'))).toEqual([]);
    await end(system);
  });

  it('log, file, delay, fd by number and by name, and notify in a tree', async () => {
    const steps = 'echo up >&$READY_FD; echo four >&4; echo now at your service; echo x > $FILE; systemd_notify';
    const notify = `python3 ${join(fixtures, 'notify.py')}`;
    const system = bootWith({
      type: 'notify',
      command: shell(steps.replace('systemd_notify', `${notify} READY=1; ${sleeper}`)),
      env_set: { FILE: `${here}/made` },
      ready: {
        all: [
          'notify',
          { fd: 'READY_FD' },
          { fd: 4 },
          { log: '/at (your|my) service/' },
          { file: `${here}/made` },
          { delay: '100ms' },
          { any: [{ tcp: 1 }, { delay: '10ms' }] },
        ],
      },
    });
    await system.waitForLine(isReady);
    await end(system);
  });

  it('a file that was there before does not count', async () => {
    const script = `echo begins; until test -e ${here}/go; do sleep 0.05; done; echo again > ${here}/ok; ${sleeper}`;
    const system = bootWith({ command: shell(script), ready: { file: `${here}/ok`, interval: '20ms' } });
    await system.waitForLine(/web\[\d+\]: begins/);
    let status = '';
    while (!status.includes('last:')) status = await chaperonectl(system, 'status', 'web');
    expect(status).toMatch(/file .*ok: open; last: it (was there before the start|does not exist)/);
    writeFileSync(system.path('go'), '');
    await system.waitForLine(isReady);
    await end(system);
  });

  it('is not reached by a server that accepts and never answers, nor by one that answers otherwise', async () => {
    const system = bootWith({
      command: `${server} ${here}/s silent`,
      process_timeout: '700ms',
      ready: { http: 'http://localhost/health?token=secret', unix: `${here}/s`, timeout: '200ms' },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toMatch(
      /why {5}simple service, ready: http http:\/\/localhost\/health did not pass within 0\.7 s \(process_timeout\), last: no answer within 0\.2 s; pid \d+ was alive/,
    );
    expect(system.lines().join('\n')).not.toContain('token=secret');
  });

  it('is a failed start where the service ends before, also with exit 0', async () => {
    const system = bootWith({ command: shell('echo short; exit 0'), ready: { delay: '10s' } });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toMatch(
      /simple service, ended with exit 0 before the probes of "ready" had passed/,
    );
  });

  it('makes a daemon ready that has left its start', async () => {
    const system = bootWith({
      type: 'forking',
      command: shell(`setsid ${server} ${here}/s silent & exit 0`),
      ready: { unix: `${here}/s` },
    });
    await system.waitForLine(isReady);
    await end(system);
  });

  it('kills the command of a probe with its group at its time-out, whatever it ignores', async () => {
    const stubborn = `trap '' TERM; sleep 1234 & wait`;
    const system = bootWith({
      command: shell(sleeper),
      process_timeout: '600ms',
      ready: { command: `sh -c "${stubborn}"`, timeout: '150ms' },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toMatch(/command sh did not pass within 0\.6 s .*last: no end within 0\.2 s/);
    expect(system.lines().join('\n')).toMatch(/sending SIGKILL to the command of a probe of web\.service/);
  });
});

describe('healthy', () => {
  const healthy = { http: 'http://localhost/health', unix: `${here}/s`, interval: '100ms', retries: 3 };
  const service = { command: `${server} ${here}/s ${here}/ok`, ready: { unix: `${here}/s` } };

  it('restarts a service that answers 503, and says so everywhere', async () => {
    const system = bootWith({
      ...service,
      restart: true,
      restart_delay: '1h',
      healthy: { ...healthy, timeout: '1m' },
    });
    await system.waitForLine(/web\.service is healthy/);
    expect(await chaperonectl(system, 'is-ready', 'web')).toBe('');
    expect(await chaperonectl(system, 'status', 'web')).toMatch(
      /healthy +http http:\/\/localhost\/health: passed; last: 200 in \d+ ms/,
    );
    // The server waits for each of its answers, so that the next probe stays open until the status has been read.
    execFileSync('mkfifo', [system.path('answers')]);
    renameSync(system.path('answers'), system.path('ok'));
    const answer = (): Promise<void> => writeFile(system.path('ok'), '503\nout of order\n');
    let why = '';
    for (const count of ['1 of 3', '2 of 3']) {
      await answer();
      while (!why.includes(count)) why = await chaperonectl(system, 'status', 'web');
    }
    expect(why).toMatch(/healthy\.failing: 2 of 3, last: 503 in \d+ ms; at the third: restart/);
    await answer();
    await system.waitForLine(/web\.service pausing between restart retries/);
    expectOrder(system.lines(), [
      /web\.service is unhealthy: http http:\/\/localhost\/health: 503 in \d+ ms; it is ended \(on_unhealthy: restart\)/,
      /using SIGTERM to terminate web\.service/,
      /web\.service failed: it is unhealthy/,
      /pausing between restart retries/,
    ]);
    const status: unknown = JSON.parse(await chaperonectl(system, 'status', '--json', 'web'));
    expect(JSON.stringify(status)).toContain('unhealthy: http http://localhost/health');
    expect(await chaperonectl(system, 'status', '--history', 'web')).toMatch(/healthy: http .* fails: 503/);
    await end(system);
  });

  it('only logs with on_unhealthy: log, is not ready for probes meanwhile, and recovers', async () => {
    const system = bootWith({ ...service, healthy });
    await system.waitForLine(/web\.service is healthy/);
    writeFileSync(system.path('ok'), '500\n');
    await system.waitForLine(/web\.service is unhealthy: http .*: 500 in \d+ ms$/);
    expect(await chaperonectl(system, 'is-ready')).toMatch(/web is not ready: healthy\.failing: 3 of 3, last: 500/);
    expect(await chaperonectl(system, 'status')).toMatch(/web +ready \(unhealthy\)/);
    writeFileSync(system.path('ok'), '200\n');
    await system.waitForLine(/web\.service is healthy again/);
    expect(await chaperonectl(system, 'is-ready')).toBe('');
    await end(system);
  });

  it('ends the system with on_unhealthy: shutdown, in order and with 1', async () => {
    const system = bootWith({ ...service, on_unhealthy: 'shutdown', healthy });
    await system.waitForLine(/web\.service is healthy/);
    writeFileSync(system.path('ok'), '500\n');
    expect(await system.exit).toBe(1);
    expect(system.lines().join('\n')).toContain('web.service is unhealthy, and the system ends with it (on_unhealthy)');
  });

  it('keeps what a command says for those who may read the log, and does not log it', async () => {
    const command = `sh -c "echo word of the probe; exit 1"`;
    const system = bootWith({
      command: shell(sleeper),
      startup_pause: 0,
      healthy: { command, interval: '50ms', retries: 2 },
    });
    await system.waitForLine(/web\.service is unhealthy: command sh: exit 1 in \d+ ms/);
    expect(system.lines().filter((line) => line.includes('word of the probe') && !line.includes('attempting'))).toEqual(
      [],
    );
    expect(await chaperonectl(system, 'status', 'web')).toContain('"word of the probe"');
    await end(system);
  });

  it('leaves no process behind: the command ends with the service', async () => {
    const mark = '7654.321';
    const probe = { command: `sh -c "echo $$ > ${here}/pid; exec sleep ${mark}"`, timeout: '1h' };
    const stay = { 'stay.service': { command: shell(sleeper), startup_pause: 0 } };
    const system = bootWith({ command: shell(sleeper), startup_pause: 0, healthy: probe }, stay);
    await untilFile(system.path('pid'));
    await system.waitForLine(isReady);
    expect(system.processes()).toHaveLength(3);
    await chaperonectl(system, 'stop', '--wait', 'web');
    await until('the command has ended', () => (system.processes().length === 1 ? true : undefined));
    await end(system);
  });
});
