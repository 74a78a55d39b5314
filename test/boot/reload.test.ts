import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { type Booted, boot, config, expectOrder, fixtures, isRoot, logAll, until } from './namespace.ts';

type Sections = Parameters<typeof config>[0];

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const sleeper = { command: 'sleep 1000', startup_pause: 0 };
const file = 'services.conf';

async function up(services: Sections, options: Parameters<typeof boot>[0] = {}): Promise<Booted> {
  const system = boot({ files: { [file]: config({ ...logAll, ...services }) }, ...options });
  await system.waitForLine(/ready\.$/);
  return system;
}

function edit(system: Booted, services: Sections): void {
  writeFileSync(join(system.directory, 'chaperone.d', file), config({ ...logAll, ...services }));
}

function ctl(system: Booted, ...words: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = [...system.inside(), inDist('chaperonectl'), ...words];
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], CHAPERONE_SOCKET: system.path('control.sock') },
    });
    child.on('error', reject);
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    child.on('close', (code) => {
      output.then(([stdout, stderr]) => resolve({ status: code ?? -1, stdout, stderr }), reject);
    });
  });
}

/** The pids, as this test sees them, of processes with this program name. */
function pids(system: Booted, name = 'sleep'): readonly number[] {
  return system.processes().flatMap((process) => (process.name === name ? [process.pid] : []));
}

function pidOf(status: string): unknown {
  const [service]: readonly { readonly pid?: unknown }[] = JSON.parse(status);
  return service?.pid;
}

function raw(system: Booted, command: string): Promise<string> {
  const script =
    'require("net").connect(process.argv[1]).on("connect", function () { this.write(process.argv[2]); this.pipe(process.stdout) })';
  const [file = '', ...args] = [
    ...system.inside(),
    process.execPath,
    '-e',
    script,
    system.path('control.sock'),
    command,
  ];
  return text(spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout);
}

describe.runIf(isRoot)('a reload', () => {
  it('starts what is new, ends what is gone, restarts what has changed and keeps the rest', async () => {
    const system = await up({
      'kept.service': sleeper,
      'changed.service': { ...sleeper, after: 'kept.service', env_set: { VERSION: '1' } },
      'old.service': { ...sleeper, after: 'changed.service' },
    });
    const before = pids(system);
    expect(before).toHaveLength(3);
    const kept = await ctl(system, 'status', 'kept', '--json');
    edit(system, {
      'kept.service': { ...sleeper, restart_limit: 9 },
      'changed.service': { ...sleeper, after: 'kept.service', env_set: { VERSION: '2' } },
      'new.service': { ...sleeper, after: 'changed.service' },
      settings: { shutdown_timeout: 5 },
    });
    const plan = [
      'stop     old.service      no longer in the configuration',
      'change   kept.service     restart_limit changed',
      'restart  changed.service  environment changed',
      'start    new.service      new',
      'settings  shutdown_timeout: from now on',
      '0 services kept as they are',
    ];
    expect(await ctl(system, 'reload', '--dry-run')).toEqual({ status: 0, stdout: `${plan.join('\n')}\n`, stderr: '' });
    expect(pids(system)).toEqual(before);
    expect(JSON.parse((await ctl(system, 'reload', '--dry-run', '--json')).stdout)).toMatchObject({
      plan: { steps: [{ action: 'stop', name: 'old.service' }, {}, {}, { action: 'start', name: 'new.service' }] },
    });
    expect(await ctl(system, 'reload')).toEqual({ status: 0, stdout: `${plan.join('\n')}\n`, stderr: '' });
    await system.waitForLine(/new\.service successfully started/);
    const after = pids(system);
    expect(after).toHaveLength(3);
    expect(before.filter((pid) => after.includes(pid))).toHaveLength(1);
    expect(pidOf((await ctl(system, 'status', 'kept', '--json')).stdout)).toBe(pidOf(kept.stdout));
    expectOrder(system.lines(), [
      /old\.service exit status/,
      /service old\.service removed/,
      /changed\.service exit status/,
      /changed\.service attempting start/,
      /new\.service attempting start/,
    ]);
    const status: unknown = JSON.parse((await ctl(system, 'status', '--json')).stdout);
    expect(status).toMatchObject([
      { name: 'kept.service', state: 'ready' },
      { name: 'changed.service', state: 'ready' },
      { name: 'new.service', state: 'ready' },
    ]);
    expect((await ctl(system, 'status', 'old')).status).toBe(4);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(system.lines('stderr')).toEqual([]);
  });

  it('comes with SIGHUP, too, and takes what comes from commands and the command line', async () => {
    const system = await up(
      { 'web.service': { command: `${fixtures}/obey TERM 'web ends'`, startup_pause: 0 } },
      { args: ['--no-exitkills', 'sleep', '2000'] },
    );
    edit(system, {
      'web.service': {
        command: "sh -c 'echo $WHEN; exec sleep 1000'",
        startup_pause: 0,
        env_set: { WHEN: '`echo later`' },
      },
    });
    const command = (await ctl(system, 'status', 'CONSOLE', '--json')).stdout;
    system.signal('SIGHUP');
    await system.waitForLine(/: SIGHUP received, reloading the configuration$/);
    await system.waitForLine(/: reload: restart {2}web\.service {2}.*command changed/);
    await system.waitForLine(/web\[\d+\]: web ends/);
    await system.waitForLine(/web\[\d+\]: later/);
    expect(pidOf((await ctl(system, 'status', 'CONSOLE', '--json')).stdout)).toBe(pidOf(command));
    expect(system.lines().join('\n')).not.toMatch(/orphan/);
    system.signal('SIGTERM');
    await system.exit;
  });

  it('with mistakes changes nothing, and says where they are', async () => {
    const system = await up({ 'web.service': sleeper });
    const before = pids(system);
    edit(system, { 'web.service': { ...sleeper, command: 'sleep 2000', comand: 'x' } });
    const refused = await ctl(system, 'reload');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^chaperone: 1 mistake in the configuration, nothing was changed$/m);
    const { stdout } = await ctl(system, 'reload', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'failed',
      diagnostics: [{ severity: 'error', code: 'unknown-key', position: { line: expect.any(Number) } }],
    });
    expect(refused.stderr).toMatch(/chaperone\.d\/services\.conf:\d+:\d+: unknown key "comand" in web\.service/);
    expect((await raw(system, 'reload')).toString()).toMatch(/nothing was changed/);
    system.signal('SIGHUP');
    await system.waitForLine(/: reload refused: .*services\.conf:\d+:\d+: unknown key "comand"/);
    edit(system, { 'web.service': { ...sleeper, command: '/no/such/program' } });
    expect((await ctl(system, 'reload')).stderr).toMatch(/web\.service: .*\/no\/such\/program.*not found/);
    edit(system, {});
    expect((await ctl(system, 'reload')).stderr).toMatch(/there are no services in /);
    expect(pids(system)).toEqual(before);
    edit(system, { 'web.service': sleeper });
    expect(await raw(system, 'reload')).toBe('RESULT\nnothing has changed; 1 service kept as it is\n');
  });

  it('puts other logging in force at once', async () => {
    const system = await up({ 'web.service': sleeper, 'other.service': sleeper });
    const log = system.path('log');
    edit(system, {
      'web.service': sleeper,
      'other.service': sleeper,
      'file.logging': { selector: '*.info', file: log },
    });
    expect((await ctl(system, 'reload')).stdout).toContain('settings  logging: from now on');
    await ctl(system, 'stop', '--wait', 'web');
    await ctl(system, 'start', '--wait', 'web');
    await until('the file has the line', () =>
      existsSync(log) && /web\.service exit status/.test(readFileSync(log, 'utf8')) ? true : undefined,
    );
    edit(system, { 'web.service': sleeper, 'other.service': sleeper });
    await ctl(system, 'reload');
    const files = `/proc/${system.pid()}/fd`;
    await until('the file is closed', () =>
      readdirSync(files).some((fd) => readlinkSync(join(files, fd)) === log) ? undefined : true,
    );
  });

  it('brings the first notify service, which one that was disabled may be, too', async () => {
    const waiting = { type: 'notify', command: '$(FIXTURES)/notify.py READY=1', startup_pause: 0, process_timeout: 20 };
    const system = await up({ 'web.service': sleeper });
    edit(system, { 'web.service': sleeper, 'job.service': waiting, 'extra.service': { ...waiting, enabled: false } });
    await ctl(system, 'reload');
    expect(await ctl(system, 'wait', 'job', '--timeout', '20')).toMatchObject({ status: 0 });
    expect(await ctl(system, 'start', '--enable', '--wait', 'extra')).toMatchObject({ status: 0 });
    const other = await up({ 'web.service': sleeper, 'extra.service': { ...waiting, enabled: false } });
    expect(await ctl(other, 'start', '--enable', '--wait', 'extra')).toMatchObject({ status: 0 });
  });

  it('while services start, and again while it is carried out', async () => {
    const slow = { type: 'oneshot', command: 'sleep 1000', process_timeout: 900 };
    const system = boot({
      files: {
        [file]: config({ ...logAll, 'slow.service': slow, 'web.service': { ...sleeper, after: 'slow.service' } }),
      },
    });
    await system.waitForLine(/slow\.service attempting start/);
    edit(system, {
      settings: { shutdown_timeout: 3 },
      'stubborn.service': { command: `${fixtures}/stubborn`, startup_pause: 0 },
      'web.service': sleeper,
    });
    expect((await ctl(system, 'reload')).stdout).toMatch(/^stop {5}slow.*\nchange {3}web.*\nstart {4}stubborn/);
    await system.waitForLine(/ready\.$/);
    await system.waitForLine(/stubborn\[\d+\]: stubborn/);
    edit(system, { 'web.service': sleeper, 'more.service': sleeper });
    await ctl(system, 'reload');
    // The new service needs nothing that the other one still holds.
    expect(await ctl(system, 'wait', 'more', '--timeout', '20')).toMatchObject({ status: 0 });
    expect((await ctl(system, 'status', 'stubborn')).stdout).toMatch(/stopping\.terminating/);
    edit(system, { 'web.service': sleeper });
    expect((await ctl(system, 'reload')).stdout).toMatch(/^stop {5}more/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});
