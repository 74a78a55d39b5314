import { spawn } from 'node:child_process';
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { verbsOf } from '../../src/cli/chaperonectl/verbs.ts';
import { inDist } from '../dist.ts';
import { type Booted, boot, config, isRoot, logAll } from './namespace.ts';

const tools = inDist();

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bootControlled(
  services: Parameters<typeof config>[0],
  more: { readonly env?: Record<string, string> } = {},
): Booted {
  return boot({ files: { 'services.conf': config({ ...logAll, ...services }) }, ...more });
}

interface Account {
  readonly uid: number;
  readonly groups?: readonly number[];
}

/** Runs a tool that talks to the system: a program, or as another account a script that Node can load. */
function tool(system: Booted, words: readonly string[], account?: Account): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const [program = '', ...rest] = words;
    const { uid = 0, groups = [] } = account ?? {};
    const become = `process.setgroups(${JSON.stringify(groups)}); process.setgid(${uid}); process.setuid(${uid});`;
    const asOther = ['-e', `${become} process.argv.splice(1, 0, "tool"); require(${JSON.stringify(program)})`, '--'];
    const command = account === undefined ? [program, ...rest] : [process.execPath, ...asOther, ...rest];
    const [file = '', ...args] = [...system.inside(), ...command];
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], CHAPERONE_SOCKET: system.path('control.sock') },
      ...(account === undefined ? {} : { cwd: '/' }),
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ status: code ?? -1, stdout, stderr }));
  });
}

const telchap = (system: Booted, ...words: readonly string[]): Promise<Outcome> =>
  tool(system, [join(tools, 'telchap'), ...words]);
const ctl = (system: Booted, ...words: readonly string[]): Promise<Outcome> =>
  tool(system, [join(tools, 'chaperonectl'), ...words]);

const sleeper = { command: 'sleep 1000', startup_pause: 0 };

describe.runIf(isRoot)('control', () => {
  it('stops, starts and restarts single services, with the answers of the reference', async () => {
    const system = bootControlled({
      'store.service': sleeper,
      'web.service': { ...sleeper, after: 'store.service' },
      'extra.service': { ...sleeper, enabled: false },
    });
    await system.waitForLine(/ready\.$/);
    expect(await telchap(system, 'start', 'web')).toEqual({
      status: 3,
      stdout: "Command error: can't restart services without stop/reset: web\n",
      stderr: '',
    });
    expect(await telchap(system, 'stop', '--wait', 'web')).toMatchObject({ status: 0, stdout: 'services stopped.\n' });
    expect(await telchap(system, 'stop', 'web')).toMatchObject({ status: 3 });
    expect(await telchap(system, 'start', '--wait', 'web')).toMatchObject({ status: 0, stdout: 'services started.\n' });
    expect(await telchap(system, 'start', 'extra')).toMatchObject({ status: 3 });
    expect(await telchap(system, 'start', '--enable', '--wait', 'extra')).toMatchObject({ status: 0 });
    expect(await telchap(system, 'stop', 'nobody')).toMatchObject({ status: 4 });
    expect((await ctl(system, 'restart', '--wait', '*')).stdout).toBe('services restarted.\n');
    expect((await telchap(system, 'status')).stdout).toMatch(/web\.service +true +running/);
    expect(system.lines().filter((line) => /store\.service attempting start/.test(line))).toHaveLength(2);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('starts a notify service that was disabled, and hears it', async () => {
    const system = bootControlled({
      'store.service': sleeper,
      'late.service': { type: 'notify', command: '$(FIXTURES)/notify.py READY=1', enabled: false },
    });
    await system.waitForLine(/ready\.$/);
    expect(await telchap(system, 'start', '--enable', '--wait', 'late')).toMatchObject({ status: 0 });
    expect((await ctl(system, 'status', 'late')).stdout).toMatch(/^late\.service {2}ready\.running /);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('tells what runs and why something waits', async () => {
    const system = bootControlled({
      'slow.service': { type: 'oneshot', command: 'sleep 1000', process_timeout: 900 },
      'web.service': { ...sleeper, after: 'slow.service' },
    });
    await system.waitForLine(/slow\.service attempting start/);
    const details = await ctl(system, 'status', 'slow', 'web');
    expect(details.stdout).toMatch(
      /^slow\.service {2}starting\.awaitingExit for .*\n {2}waits for {3}exit 0 of pid \d+; after \d+ m.*: failed/,
    );
    expect(details.stdout).toMatch(/web\.service {2}pending for .*\n {2}waits for {3}slow to be ready; then it starts/);
    expect((await ctl(system, 'is-ready')).status).toBe(1);
    expect((await ctl(system, 'wait', 'web', '--timeout', '0.1')).status).toBe(7);
    const json: unknown = JSON.parse((await ctl(system, 'status', '--json')).stdout);
    expect(json).toMatchObject([{ name: 'slow.service' }, { name: 'web.service', state: 'pending' }]);
    expect((await ctl(system, 'kill', 'slow', 'CONT')).stdout).toBe('SIGCONT sent.\n');
    // The failed start ends the system, and with it the program that has asked for it, perhaps before its answer.
    await ctl(system, 'kill', 'slow', 'TERM');
    await system.waitForLine(/sending SIGTERM to slow\.service as asked$/);
    expect(await system.exit).toBe(1);
  });

  it('prints JSON for every verb, refusals and mistakes too', async () => {
    const words: Readonly<Record<string, readonly string[]>> = {
      status: ['web'],
      start: ['web'],
      stop: ['store'],
      reset: ['web'],
      restart: ['web'],
      enable: ['web'],
      disable: ['store'],
      kill: ['web', 'CONT'],
      logs: ['-n', '2'],
      wait: ['web'],
      loglevel: ['info'],
      run: ['echo', 'hello'],
      check: ['--config', '/nonexistent'],
      simulate: ['--config', join(import.meta.dirname, '../../config')],
      reload: ['--dry-run'],
      shutdown: ['1000'],
    };
    const system = bootControlled({ 'web.service': sleeper, 'store.service': sleeper });
    await system.waitForLine(/ready\.$/);
    // What reads files, serves a page, fills a terminal, runs a program or goes on without an end has tests of its own.
    const others = ['replay', 'import', 'inspect', 'top', 'shell', 'watch'];
    for (const { name, options } of verbsOf('chaperonectl').filter((verb) => !others.includes(verb.name))) {
      expect(
        options.map((option) => option.name),
        name,
      ).toContain('json');
      const { stdout, stderr } = await ctl(system, name, '--json', ...(words[name] ?? []));
      expect(stderr, name).toBe('');
      const values = stdout.trim().split('\n');
      expect(
        values.map((line) => typeof JSON.parse(name === 'check' || name === 'simulate' ? stdout : line)),
        name,
      ).not.toContain('string');
    }
    for (const name of ['status', 'logs', 'is-ready', 'stop']) {
      const { status, stdout } = await ctl(system, name, '--json', 'nobody');
      expect(JSON.parse(stdout), name).toMatchObject({ kind: 'noSuchService', exitStatus: 4 });
      expect(status, name).toBe(4);
    }
    const run = await ctl(system, 'run', '--json', '--', 'sh', '-c', 'echo "--json"; exit 3');
    expect(run.status).toBe(3);
    expect(
      run.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { stream: 'stdout', text: '--json\n' },
      { kind: 'ended', status: { kind: 'exited', code: 3 } },
    ]);
    expect(JSON.parse((await ctl(system, 'is-ready', '--json', 'web')).stdout)).toEqual({
      ready: true,
      system: 'up',
      waitsFor: {},
    });
    for (const name of ['is-ready', 'blame', 'critical-chain', 'status']) {
      expect(await ctl(system, name, '--jsn')).toMatchObject({
        status: 2,
        stderr: `chaperonectl ${name}: unknown option "--jsn": did you mean "--json"?\ntry "chaperonectl ${name} --help"\n`,
      });
    }
  });

  it('shows log records on one line each, without characters that terminals obey', async () => {
    const system = bootControlled({
      'web.service': { command: `sh -c 'printf "red \\033[31m\\n"; exec sleep 1000'` },
      settings: { max_line: '1K' },
      'long.service': { command: `sh -c 'printf "%01030d\\n" 7; exec sleep 1000'` },
    });
    await system.waitForLine(/ready\.$/);
    expect((await ctl(system, 'logs', 'web')).stdout).toMatch(/^\S+ web\[\d+\]: red \\x1b\[31m\n$/);
    expect((await ctl(system, 'logs', 'long')).stdout).toMatch(
      /^\S+ long\[\d+\]: 0{1024}\n\S+ long\[\d+\]: \[continued\] 000007\n$/,
    );
  });

  it('the end of the system waits for who has asked for it', async () => {
    const system = bootControlled({ 'web.service': { command: 'sleep 1000' } });
    await system.waitForLine(/ready\.$/);
    // PID 1 would be gone long before this process has told what it was answered.
    const slow = `
      process.on('SIGTERM', () => undefined);
      const socket = require('node:net').connect(process.env.CHAPERONE_SOCKET, () => socket.write('shutdown\\n'));
      let answer = '';
      socket.on('data', (bytes) => { answer += bytes; });
      socket.on('end', () => setTimeout(() => process.stdout.write(answer), 300));
    `;
    const [file = '', ...args] = [...system.inside(), process.execPath, '-e', slow];
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { CHAPERONE_SOCKET: system.path('control.sock') },
    });
    expect(await text(child.stdout)).toBe('RESULT\nShutting down now');
    expect(await system.exit).toBe(0);
  });

  it('services find the socket in their environment, and it is gone at the end', async () => {
    const system = bootControlled({ 'web.service': { command: "sh -c 'echo at $CHAPERONE_SOCKET; exec sleep 1000'" } });
    const [, path = ''] = await system.waitForLine(/at (\S+\.sock)$/);
    await system.waitForLine(/ready\.$/);
    expect((await ctl(system, 'is-ready', 'web')).status).toBe(0);
    expect(await ctl(system, 'run', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7')).toEqual({
      status: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect((await ctl(system, 'logs', 'web', '--lines', '1')).stdout).toContain('at /');
    expect((await ctl(system, 'blame')).stdout).toMatch(/ s {2}web\n/);
    const [start, ...others] = JSON.parse((await ctl(system, 'blame', '--json')).stdout);
    expect([start, others]).toEqual([
      { service: 'web', started: expect.any(Number), ready: expect.any(Number), took: expect.any(Number) },
      [],
    ]);
    expect(start.took).toBeCloseTo(start.ready - start.started);
    expect((await telchap(system, 'shutdown')).stdout).toBe('Shutting down now\n');
    expect(await system.exit).toBe(0);
    expect([path, existsSync(path), existsSync(system.path('control'))]).toEqual([
      system.path('control.sock'),
      false,
      false,
    ]);
  });

  it('takes commands through the FIFO, and speaks the raw text of the original', async () => {
    const system = bootControlled({ 'web.service': sleeper, 'store.service': sleeper });
    await system.waitForLine(/ready\.$/);
    expect(statSync(system.path('control')).mode & 0o777).toBe(0o600);
    expect(statSync(system.path('control.sock')).mode & 0o777).toBe(0o666);
    writeFileSync(system.path('control'), 'stop web\nnonsense\n', { flag: 'a' });
    const socket = connect(system.path('control.sock'));
    socket.write('loglevel');
    expect(await text(socket)).toBe('RESULT\nForced Logging Level: NOT SET');
    await system.waitForLine(/web\.service stopped/);
    await system.waitForLine(/FIFO was not carried out: unknown command "nonsense"/);
  });

  it('lets other accounts read the status, and nothing else', async () => {
    const system = bootControlled({ 'web.service': sleeper });
    await system.waitForLine(/ready\.$/);
    const other = (...words: readonly string[]): Promise<Outcome> =>
      tool(system, [join(tools, 'telchap.cjs'), ...words], { uid: 65534 });
    chmodSync(system.directory, 0o755);
    expect((await other('status')).status).toBe(0);
    expect(await other('stop', 'web')).toMatchObject({
      status: 5,
      stdout: 'Command error: not permitted for uid 65534: stop\n',
    });
    expect((await other('shutdown')).status).toBe(5);
    expect((await telchap(system, 'status')).stdout).toMatch(/running/);
  });

  it('lets others do what the settings allow: to them, to a group of theirs, to everybody', async () => {
    const system = bootControlled({
      settings: {
        uid: 65532,
        control: {
          allow: { users: { 65531: 'restart, stop' }, groups: { 54321: ['stop', 'start'] }, everybody: 'logs' },
        },
      },
      'store.service': sleeper,
      'web.service': sleeper,
    });
    chmodSync(system.directory, 0o755);
    await system.waitForLine(/ready\.$/);
    const as = (account: Account, ...words: readonly string[]): Promise<Outcome> =>
      tool(system, [join(tools, 'chaperonectl.cjs'), ...words], account);
    const user = { uid: 65531 };
    const member = { uid: 65530, groups: [54320, 54321] };
    const stranger = { uid: 65530, groups: [54320] };
    expect(await as(user, 'restart', '--wait', 'web')).toMatchObject({ status: 0, stdout: 'services restarted.\n' });
    expect((await as(user, 'start', 'web')).status).toBe(5);
    expect((await as(member, 'stop', '--wait', 'web')).status).toBe(0);
    expect((await as(member, 'start', '--wait', 'web')).status).toBe(0);
    expect(await as(member, 'restart', 'web')).toMatchObject({
      status: 5,
      stderr: 'Command error: not permitted for uid 65530: restart\n',
    });
    expect((await as(stranger, 'stop', 'web')).status).toBe(5);
    expect((await as(stranger, 'logs', '--lines', '1')).status).toBe(0);
    expect((await as(stranger, 'run', 'true')).status).toBe(5);
    // The account that services run as by default may do everything.
    const owner = { uid: 65532 };
    expect((await as(owner, 'kill', 'web', 'CONT')).stdout).toBe('SIGCONT sent.\n');
    expect((await as(owner, 'shutdown')).stdout).toBe('Shutting down now\n');
    expect(await system.exit).toBe(0);
  });

  it('says how chaperone is missing', async () => {
    const system = bootControlled({ 'web.service': sleeper });
    await system.waitForLine(/ready\.$/);
    system.signal('SIGTERM');
    await system.exit;
    const gone = await telchap(system, 'status');
    expect(gone.status).toBe(6);
    expect(gone.stderr).toMatch(/^chaperone does not seem to be listening, is it running\?\n\(Error is: ENOENT /);
  });
});
