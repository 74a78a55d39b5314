import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { type Container, type ContainerOptions, start } from './engine.ts';
import { matrix, type Setting, settings } from './rights.ts';

const chaperone = '/usr/local/lib/chaperone/chaperone';

function run(setting: Setting, files: ContainerOptions['files']): Promise<Container> {
  const { options, before } = setting;
  if (before === undefined) return start({ options, ...(files === undefined ? {} : { files }) });
  return start({
    options: [...options, '--entrypoint', '/bin/sh'],
    args: ['-c', `${before} && exec "$@"`, 'sh', chaperone],
    ...(files === undefined ? {} : { files }),
  });
}

const obey = (text: string) => ({ command: `$(FIXTURES)/obey TERM '${text}'`, startup_pause: 0.1 });

describe.each(settings)('$name', (setting) => {
  it('boots, reaps, and stops in reverse order', async () => {
    const container = await run(setting, {
      'x.conf': config({
        'base.service': obey('base stops'),
        'top.service': { ...obey('top stops'), after: 'base.service' },
        'starter.service': { type: 'oneshot', command: '$(FIXTURES)/daemon true' },
        ...logAll,
      }),
    });
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(/base\[\d+\]: obeying TERM/);
    await container.waitForLine(/top\[\d+\]: obeying TERM/);
    if (setting.orphansReaped) await container.waitForLine(/Caught subprocess termination from unknown pid: \d+ -> 0/);
    const notes = container.lines().filter((line) => /not PID 1 \(pid \d+\): working as a child subreaper/.test(line));
    expect(notes).toHaveLength(setting.pid1 ? 0 : 1);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines(), [
      /Request made to kill system\./,
      /top\[\d+\]: top stops/,
      /base\[\d+\]: base stops/,
    ]);
    expect(container.lines().filter((line) => /signal=9|Forcing kill/.test(line))).toEqual([]);
  });

  it('takes commands, and tells services where', async () => {
    const container = await run(setting, {
      'x.conf': config({
        'say.service': { type: 'oneshot', command: "sh -c 'echo socket is $CHAPERONE_SOCKET'" },
        'base.service': obey('base stops'),
        'other.service': obey('other stops'),
        ...logAll,
      }),
    });
    await container.waitForLine(/ready\.$/);
    const [, socket = ''] = await container.waitForLine(/say\[\d+\]: socket is (\S+)$/);
    expect(socket).toBe(setting.control);
    if (setting.cannotEnter === true) return;
    const folder = '/usr/local/lib/chaperone';
    const command = `CHAPERONE_SOCKET=${socket} ${folder}/telchap`;
    const status = await container.exec('sh', '-c', `${command} status`);
    expect([status.status, status.stderr]).toEqual([0, '']);
    expect(status.stdout).toMatch(/^\s*\d+\s+base\b/m);
    const isReady = `CHAPERONE_SOCKET=${socket} ${folder}/chaperonectl is-ready`;
    expect(await container.exec('sh', '-c', isReady)).toEqual({ status: 0, stdout: '', stderr: '' });
    const stopped = await container.exec('sh', '-c', `${command} stop --wait base`);
    expect([stopped.status, stopped.stdout.trim()]).toEqual([0, 'services stopped.']);
    await container.waitForLine(/base\[\d+\]: base stops/);
  });

  it(`starts a service of another account: ${setting.otherAccount}`, async () => {
    const container = await run(setting, {
      'x.conf': config({ 'other.service': { type: 'oneshot', command: 'id -un', uid: 'www-data' }, ...logAll }),
    });
    if (setting.otherAccount === 'works') {
      await container.waitForLine(/other\[\d+\]: www-data/);
      expect(await container.exit()).toBe(0);
    } else {
      expect(await container.exit()).toBe(1);
      expectOrder(container.lines('stderr'), [
        /chaperone: system failed: other\.service could not be started/,
        /why +.*EPERM|why +.*not permitted/,
        /command id -un/,
      ]);
    }
  });
});

describe('rights', () => {
  it('are those of the seccomp profile that the engine has by default', async () => {
    const container = await start({
      files: { 'x.conf': config({ 'status.service': { type: 'oneshot', command: 'cat /proc/1/status' }, ...logAll }) },
    });
    await container.waitForLine(/status\[\d+\]: Seccomp:\s+2$/);
    expect(await container.exit()).toBe(0);
  });

  it('under --user 1000, a service may be given that account', async () => {
    const container = await start({
      options: ['--user', '1000'],
      files: { 'x.conf': config({ 'own.service': { type: 'oneshot', command: 'id -un', uid: 'app' }, ...logAll }) },
    });
    await container.waitForLine(/own\[\d+\]: app/);
    expect(await container.exit()).toBe(0);
  });

  it('under --user 10001:3000 --group-add 2000, a service may be given that account, and keeps the groups', async () => {
    const container = await start({
      options: ['--user', '10001:3000', '--group-add', '2000', '--cap-drop', 'ALL'],
      files: { 'x.conf': config({ 'own.service': { type: 'oneshot', command: 'id -G', uid: '10001' }, ...logAll }) },
    });
    await container.waitForLine(/own\[\d+\]: 3000 2000$/);
    expect(await container.exit()).toBe(0);
  });

  it('docker exec -u 0 finds the socket of another account, where root may', async () => {
    const folder = '/usr/local/lib/chaperone';
    const files = { 'x.conf': config({ 'base.service': obey('base stops'), ...logAll }) };
    const options = ['--read-only', '--user', '10001'];
    const [container, dropped] = await Promise.all([
      start({ options, files }),
      start({ options: [...options, '--cap-drop', 'ALL'], files }),
    ]);
    await container.waitForLine(/ready\.$/);
    expect(await container.execAs('0', `${folder}/telchap`, 'status')).toMatchObject({ status: 0, stderr: '' });
    expect(await container.execAs('0', `${folder}/chaperonectl`, 'is-ready', 'base')).toMatchObject({ status: 0 });
    await dropped.waitForLine(/ready\.$/);
    const refused = await dropped.execAs('0', `${folder}/telchap`, 'status');
    expect(refused).toMatchObject({ status: 6, stdout: '' });
    expect(refused.stderr).toContain('EACCES /dev/shm/chaperone-10001/chaperone.sock');
    expect(await dropped.exec(`${folder}/telchap`, 'status')).toMatchObject({ status: 0, stderr: '' });
  });

  it('with nothing that can be written says so in one line, and what mends it', async () => {
    const container = await start({
      options: ['--read-only', '--user', '10001', '--cap-drop', 'ALL', '--tmpfs', '/dev/shm:ro'],
      files: { 'x.conf': config({ 'own.service': { type: 'oneshot', command: 'echo served' }, ...logAll }) },
    });
    await container.waitForLine(/own\[\d+\]: served$/);
    expect(await container.exit()).toBe(0);
    const lines = container.lines().filter((line) => line.includes('emptyDir'));
    expect(lines).toEqual([
      expect.stringMatching(/no directory for the control socket can be written, .*--tmpfs \/tmp$/),
    ]);
  });

  // Control's directory is closed to others, and their notifications must come through all the same.
  it('with control in /run, a service of another account tells that it is ready', async () => {
    const { options, before } = settings.find(({ name }) => name === 'a read-only /dev') ?? {};
    const container = await start({
      options: [...(options ?? []), '--entrypoint', '/bin/sh'],
      args: ['-c', `${before} && exec "$@"`, 'sh', chaperone],
      files: {
        'x.conf': config({
          'other.service': { type: 'notify', command: '$(FIXTURES)/notify.py READY=1', uid: 'www-data' },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ready\.$/);
    expect((await container.exec('stat', '-c', '%a %U', '/run/chaperone')).stdout).toBe('700 root\n');
    expect(await container.stop()).toBe(0);
  });

  it('with --pid=host nothing that is not its own is touched, also not at the end', async () => {
    const stranger = spawn('sleep', ['infinity'], { stdio: 'ignore' });
    onTestFinished(async () => {
      stranger.kill('SIGKILL');
      await once(stranger, 'exit');
    });
    const container = await start({
      options: ['--pid=host'],
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: 3 },
          'starter.service': { type: 'oneshot', command: '$(FIXTURES)/daemon $(FIXTURES)/stubborn' },
          'web.service': obey('web stops'),
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(/stubborn$/);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines(), [/web stops/, /Final termination phase/, /Forcing kill/, /unknown pid: \d+ -> 9/]);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    expect(existsSync(`/proc/${stranger.pid}`)).toBe(true);
  });

  it('stand in the guide as they are here', () => {
    const file = join(import.meta.dirname, '../../docs/guide/containers.md');
    const text = readFileSync(file, 'utf8');
    const wanted = text.replace(/(<!-- matrix -->\n+)(?:\|.*\n)*\n*/, (_, head: string) => `${head}${matrix()}\n\n`);
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, wanted);
    else expect(text).toBe(wanted);
  });
});
