/** The examples of docs/guide/deploying.md that Docker and Podman run: what they promise, in their containers. */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { config, logAll } from '../boot/namespace.ts';
import { commandLines, configuration, file } from '../docs/deploying-guide.ts';
import {
  type Container,
  clientEnvironment,
  docker,
  eventually,
  start,
  tryDocker,
  untilReady,
  userImage,
} from './engine.ts';

const image = 'example/web';

/** What stands at a place of a YAML file. */
const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );

/** The command line in a block of commands, without `docker`, with the folders that stand for those beside it. */
function commands(name: string, folders: Readonly<Record<string, string>> = {}): readonly (readonly string[])[] {
  return commandLines(name).map((line) => {
    const [program, ...words] = line.split(' ');
    expect(program).toBe('docker');
    return words.map((word) => word.replace(/^\.\/([\w.]+)/, (whole, folder: string) => folders[folder] ?? whole));
  });
}

/** A folder that every account may read; removed after the test. */
function folder(contents: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-deploying-'));
  chmodSync(directory, 0o755);
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(directory, name), text);
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
}

const compose: unknown = parse(file('compose.yaml'));
const web = at(compose, 'services', 'web');
const pod: unknown = parse(file('pod.yaml'));
const container = at(pod, 'spec', 'containers', 0);
/** The options of `docker run` that say what the Compose file does. */
const composed = [
  ...['--stop-timeout', String(at(web, 'stop_grace_period')).replace('s', '')],
  ...(at(web, 'read_only') === true ? ['--read-only'] : []),
  ...String(at(web, 'tmpfs'))
    .split(',')
    .flatMap((directory) => ['--tmpfs', directory]),
];

/** The Dockerfile of the page, on an image that has chaperone already: that `ADD` brings it is shown where releases are made. */
beforeAll(async () => {
  const context = mkdtempSync(join(tmpdir(), 'chaperone-deploying-'));
  mkdirSync(join(context, 'chaperone.d'));
  const gated = {
    'gate.service': { type: 'oneshot', command: "sh -c 'until [ -e /run/open ]; do sleep 0.1; done'" },
    'web.service': { command: "$(FIXTURES)/obey TERM 'web stops'", after: 'gate.service', startup_pause: 0.1 },
    'other.service': { command: 'sleep infinity' },
  };
  writeFileSync(join(context, 'chaperone.d/web.conf'), config({ ...gated, ...logAll }));
  const dockerfile = file('Dockerfile')
    .replace(/^FROM alpine$/m, `FROM ${userImage}`)
    .replace(/^ADD .*\n/m, '');
  writeFileSync(join(context, 'Dockerfile'), dockerfile);
  const tags = [image, `${image}:next`, 'example/worker'].flatMap((tag) => ['--tag', tag]);
  await docker('build', '--quiet', ...tags, context);
  rmSync(context, { recursive: true });
});

describe('the examples for Docker', () => {
  const inspect = ({ id }: Container, format: string): Promise<string> => docker('inspect', '--format', format, id);
  const health = async (running: Container): Promise<unknown> =>
    JSON.parse(await inspect(running, '{{json .State.Health}}'));
  const untilHealth = (running: Container, status: string): Promise<true> =>
    eventually(`the container is ${status}`, async () =>
      at(await health(running), 'Status') === status ? true : undefined,
    );

  it('come to healthy when the services are ready, and to unhealthy when one is stopped', async () => {
    const running = await start({ image, options: [...composed, '--health-interval', '1s'] });
    expect(JSON.parse(await inspect(running, '{{json .Config.Healthcheck.Test}}'))).toEqual(
      at(web, 'healthcheck', 'test'),
    );
    const early = await eventually('a check has failed', async () => {
      const state = await health(running);
      return at(state, 'Log', 0) === undefined ? undefined : state;
    });
    expect(early).toMatchObject({ Log: [{ ExitCode: 1, Output: expect.stringContaining('is not ready') }] });
    expect(at(early, 'Status')).toBe('starting');
    expect((await running.exec('touch', '/run/open')).status).toBe(0);
    await untilHealth(running, 'healthy');
    expect((await running.exec('chaperonectl', 'stop', 'web')).status).toBe(0);
    await untilHealth(running, 'unhealthy');
    expect((await running.exec('chaperonectl', 'start', 'web')).status).toBe(0);
    await untilHealth(running, 'healthy');
    expect(await running.stop()).toBe(0);
    expect(running.lines()).toContainEqual(expect.stringMatching(/web\[\d+\]: web stops/));
  });

  it('end within stop_grace_period though a service heeds no signal, without the SIGKILL of the engine', async () => {
    const running = await start({
      image,
      options: composed,
      files: {
        'x.conf': config({ 'deaf.service': { command: '$(FIXTURES)/stubborn', startup_pause: 0.1 }, ...logAll }),
      },
    });
    await untilReady(running);
    expect(await running.stop()).toBe(0);
    expect(running.lines()).toContainEqual(expect.stringMatching(/shutdown took .* of 8\.000 s/));
  });
});

describe('the Compose file', () => {
  it('starts what depends on health once the services are ready, and stops both in order and in time', async () => {
    const gate = "sh -c 'until [ -e /run/open ]; do sleep 0.1; done'";
    const project = folder({ 'compose.yaml': file('compose.yaml') });
    mkdirSync(join(project, 'chaperone.d'));
    const services = {
      'gate.service': { type: 'oneshot', command: gate },
      'deaf.service': { command: '/fixtures/stubborn', after: 'gate.service', startup_pause: 0.1 },
    };
    writeFileSync(join(project, 'chaperone.d/web.conf'), config({ ...services, ...logAll }));
    const compose = (...words: readonly string[]): Promise<Composed> => runCompose(project, words);
    onTestFinished(async () => {
      await compose('down', '--timeout', '0');
    });
    const isUp = compose('up', '--detach');
    const idOf = async (service: string): Promise<string> => (await compose('ps', '--quiet', service)).stdout.trim();
    const id = await eventually('the container of web runs', async () => {
      const found = await idOf('web');
      return found !== '' && (await tryDocker('exec', found, 'chaperonectl', 'status')).status === 0
        ? found
        : undefined;
    });
    expect(await idOf('worker')).toBe('');
    expect((await tryDocker('exec', id, 'touch', '/file')).stderr).toContain('Read-only file system');
    await docker('exec', id, 'touch', '/run/open');
    expect(await isUp).toMatchObject({ status: 0 });
    expect(await docker('inspect', '--format', '{{.State.Health.Status}}', id)).toBe('healthy');
    // The worker has the image's own services, which wait for their gate.
    const worker = await idOf('worker');
    expect(await docker('inspect', '--format', '{{.State.Running}}', worker)).toBe('true');
    expect(await compose('stop')).toMatchObject({ status: 0 });
    for (const each of [id, worker]) expect(await docker('inspect', '--format', '{{.State.ExitCode}}', each)).toBe('0');
    // A process that heeds no signal is killed by its own init, before the engine would.
    expect(await docker('logs', id)).toMatch(/shutdown took \S+ s of 8\.000 s/);
  });

  interface Composed {
    readonly status: number;
    readonly stdout: string;
    readonly stderr: string;
  }

  function runCompose(project: string, words: readonly string[]): Promise<Composed> {
    return new Promise((resolve) => {
      const options = { cwd: project, env: clientEnvironment };
      execFile('docker-compose', ['--file', 'compose.yaml', ...words], options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      });
    });
  }
});

describe('the secrets', () => {
  const sleeping = (words: readonly string[]): readonly string[] => words.slice(1, -1);
  const given = (secrets: string): Promise<Container> => {
    const [words = []] = commands('secrets', { secrets });
    return start({ image, options: sleeping(words), files: { 'x.conf': configuration('secrets') } });
  };
  const user = 10_001;

  it('are for one service, which a new password reaches by a restart', async () => {
    const secrets = folder({ password: 'correct horse\n', token: 'battery staple\n' });
    for (const name of ['password', 'token']) {
      chownSync(join(secrets, name), user, user);
      chmodSync(join(secrets, name), 0o400);
    }
    const running = await given(secrets);
    await running.waitForLine(/: a password of 13 characters, a token in \/run\/secrets\/token$/);
    await running.waitForLine(/: other has no password$/);
    expect((await running.exec('id', '-u')).stdout).toBe(`${user}\n`);
    expect((await running.exec('touch', '/file')).stderr).toContain('Read-only file system');
    writeFileSync(join(secrets, 'password'), 'incorrect horse\n');
    expect((await running.exec('chaperonectl', 'restart', 'api')).status).toBe(0);
    await running.waitForLine(/: a password of 15 characters/);
    expect(running.lines().join('\n')).not.toContain('horse');
    expect(await running.stop()).toBe(0);
  });

  it('that the account may not read keep the service from starting, and the log names the file', async () => {
    const secrets = folder({ password: 'correct horse\n', token: 'battery staple\n' });
    chmodSync(join(secrets, 'password'), 0o600);
    const running = await given(secrets);
    await running.waitForLine(/^chaperone: system failed: api\.service could not be started$/);
    await running.waitForLine(/cannot read the secret DB_PASSWORD \/run\/secrets\/password: permission denied/);
    expect(await running.exit()).toBe(1);
  });
});

describe('the pod, as Docker runs its container', () => {
  it('answers both probes as uid 10001 with a read-only root directory, and stops', async () => {
    const directory = folder({ password: 'correct horse\n' });
    const account = String(at(pod, 'spec', 'securityContext', 'runAsUser'));
    expect(at(container, 'securityContext')).toEqual({
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    const rights = ['--read-only', '--user', account, '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
    const port = String(at(container, 'readinessProbe', 'httpGet', 'port'));
    const volumes = ['--tmpfs', '/tmp', '--volume', `${directory}:/run/secrets:ro`, '--publish', `127.0.0.1::${port}`];
    const running = await start({
      image,
      options: [...rights, ...volumes, '--stop-timeout', String(at(pod, 'spec', 'terminationGracePeriodSeconds'))],
      files: { 'probe.conf': configuration('probe') },
    });
    const command = at(container, 'startupProbe', 'exec', 'command');
    expect(command).toEqual(['chaperonectl', 'is-ready']);
    await eventually('the startup probe holds', async () =>
      (await running.exec('chaperonectl', 'is-ready')).status === 0 ? true : undefined,
    );
    const url = await running.url(Number(port));
    const probe = async (): Promise<number> => (await fetch(url, { headers: { connection: 'close' } })).status;
    expect(await probe()).toBe(200);
    expect((await running.exec('chaperonectl', 'stop', 'web')).status).toBe(0);
    expect(await probe()).toBe(503);
    expect(await running.stop()).toBe(0);
  });
});

describe('the Job', () => {
  it.each([0, 7])('ends with the status %i of its command, and starts no service', async (status) => {
    const job: unknown = parse(file('job.yaml'));
    const args = String(at(job, 'spec', 'template', 'spec', 'containers', 0, 'args')).split(',');
    const app = folder({ migrate: `#!/bin/sh\necho migrated\nexit ${status}\n` });
    chmodSync(join(app, 'migrate'), 0o755);
    const running = await start({ image, options: ['--volume', `${app}:/app:ro`], args });
    expect(await running.exit()).toBe(status);
    expect(running.lines('stdout')).toEqual(['migrated']);
    expect(running.lines().join('\n')).not.toContain('gate.service');
  });
});

describe('the upgrade', () => {
  const sleeper = 'web.service: { command: sleep infinity }\n';

  it('asks the next version first, starts it beside the old one, and goes back', async () => {
    const chaperoneD = folder({ 'web.conf': sleeper });
    const folders = { 'chaperone.d': chaperoneD };
    const old = await start({ image, options: ['--name', 'web', '--volume', `${chaperoneD}:/etc/chaperone.d:ro`] });
    await untilReady(old);

    const [check = []] = commands('check', folders);
    expect(await tryDocker(...check)).toMatchObject({ status: 0 });
    writeFileSync(join(chaperoneD, 'web.conf'), 'web.service: { comand: sleep infinity }\n');
    expect(await tryDocker(...check)).toMatchObject({ status: 1, stdout: expect.stringMatching(/web\.conf:1:\d+/) });
    writeFileSync(join(chaperoneD, 'web.conf'), sleeper);

    const [beside = [], ready = []] = commands('beside', folders);
    onTestFinished(async () => {
      await tryDocker('rm', '--force', 'web-next');
    });
    await docker(...beside);
    await eventually('the next version is ready', async () =>
      (await tryDocker(...ready)).status === 0 ? true : undefined,
    );
    const [stop = []] = commands('stop');
    await docker(...stop);
    expect(await old.exit()).toBe(0);
    await docker('start', 'web');
    old.follow();
    await untilReady(old);
  });
});
