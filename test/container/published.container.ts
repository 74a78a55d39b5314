/**
 * Images in the shape of those that the original published, with its entry point, `_CHAP_OPTIONS`, `/apps` and style of
 * configuration: a base with start-up scripts, LAMP and LEMP. They have to run as they are. Their files are in published/.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { expectOrder } from '../boot/namespace.ts';
import { type Container, clientEnvironment, docker, eventually, page, start, tryDocker, untilReady } from './engine.ts';
import { runInteractively } from './interactive.ts';

type Name = 'base' | 'lamp' | 'lemp';

interface Published {
  readonly name: Name;
  /** The page at its `visit`th visit, where services run as the user. */
  readonly page: (user: string, visit: number) => string;
  /** The services whose process runs all the time, in the order in which they have to end. */
  readonly daemons: readonly string[];
  /** The service that is killed. */
  readonly victim: string;
  /** What is asked of telchap to start a service anew by hand. */
  readonly anew: { readonly service: string; readonly requests: readonly (readonly string[])[] };
  /** The lines on stderr at each start. */
  readonly stderr: readonly RegExp[];
}

const published: readonly Published[] = [
  {
    name: 'base',
    page: (user) => `<p>localhost is served by ${user}, made with a template; $(USER) stays.</p>\n`,
    daemons: ['clock'],
    victim: 'clock',
    anew: {
      service: 'clock',
      requests: [
        ['stop', '--wait', 'clock'],
        ['start', '--wait', 'clock'],
      ],
    },
    stderr: [],
  },
  {
    name: 'lamp',
    page: (_, visit) => `visit ${visit}\n`,
    daemons: ['apache2', 'mysql'],
    victim: 'mysql',
    anew: { service: 'apache2', requests: [['restart', '--wait', 'apache2']] },
    stderr: [
      /^chaperone: 1 warning/,
      /^$/,
      /"apache2\.logging" stands twice/,
      /apache2\.logging: {/,
      /\^/,
      /= the one/,
    ],
  },
  {
    name: 'lemp',
    page: (user) => `plain page of ${user}\n`,
    daemons: ['nginx', 'phpfpm'],
    victim: 'nginx',
    anew: {
      service: 'phpfpm',
      requests: [
        ['reset', '--wait', 'phpfpm'],
        ['start', '--wait', 'phpfpm'],
      ],
    },
    stderr: [],
  },
];

const imageOf = (name: Name): string => `chaperone-test/${name}`;
const publish = ['--publish', '127.0.0.1::8080'];
/** The owner of folders of the host. */
const owner = 4321;

beforeAll(async () => {
  for (const { name } of published) {
    const context = join(import.meta.dirname, 'published', name);
    await docker('build', '--quiet', '--tag', imageOf(name), context);
  }
});

/** A folder of the host; removed after the test. */
function hostFolder(uid: number): string {
  const path = mkdtempSync(join(tmpdir(), 'chaperone-published-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  chmodSync(path, 0o755);
  chownSync(path, uid, uid);
  return path;
}

/** The pid of a service, by `telchap status`; undefined while it does not run. */
async function pidOf(container: Container, service: string): Promise<string | undefined> {
  const { stdout } = await container.exec('telchap', 'status');
  return new RegExp(`^(\\d+) +${service}\\.service +true +running `, 'm').exec(stdout)?.[1];
}

/** Resolves with the pid of a service that runs again, by another process than before. */
function anotherPid(container: Container, service: string, before: string): Promise<string> {
  return eventually(`${service} runs again`, async () => {
    const pid = await pidOf(container, service);
    return pid === before ? undefined : pid;
  });
}

/** The log of a container's services, without host name and time. */
async function syslogOf(container: Container): Promise<readonly string[]> {
  const { stdout } = await container.exec('cat', '/apps/var/log/syslog.log');
  return linesOf(stdout);
}

const linesOf = (log: string): readonly string[] =>
  log
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\w{3} [ \d]\d [\d:]{8} \S+ /, '').replace(/\[\d+\]:/, ':'));

/** Every file below a folder, with the uid of its owner. */
function ownersBelow(folder: string): ReadonlyMap<string, number> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return new Map(names.map((name) => [name, statSync(join(folder, name)).uid]));
}

describe.each(published)('the image $name', ({ name, ...expected }) => {
  const image = imageOf(name);

  it('serves its page, logs only what deserves it, and ends by docker stop', async () => {
    const container = await start({ image, options: publish });
    const url = await container.url(8080);
    await untilReady(container);
    expect(await page(url)).toBe(expected.page('runapps', 1));
    const { stdout } = await container.exec('telchap', 'status');
    for (const each of expected.daemons)
      expect(stdout).toMatch(new RegExp(`^\\d+ +${each}\\.service +true +running `, 'm'));
    expect(stdout).toMatch(/^- +startup\.service +true +started /m);
    expect(stdout).toMatch(/^- +tidy\.service +false +disabled /m);
    const log = await syslogOf(container);
    expectOrder(log, [
      /^startup\.sh: first start of this container$/,
      /^sudo: +runapps : .* USER=root ; COMMAND=/,
      /^startup\.sh: first start with \/apps\/var$/,
      /^startup\.sh: running \/apps\/startup\.d\/100-greeting\.sh$/,
      /^chaperone: chaperone version \S+, ready\.$/,
    ]);
    // The console takes warnings and errors.
    expect(container.lines('stdout')).toEqual([]);
    expect(await container.stop()).toBe(0);
    expect(linesOf(container.lines('stdout').join('\n'))).toEqual(['chaperone: Request made to kill system.']);
    const stderr = container.lines('stderr');
    expect(stderr).toEqual(expected.stderr.map((pattern) => expect.stringMatching(pattern)));
  });

  it('stops its services in order', async () => {
    const container = await start({ image, args: ['--log-level', 'debug'] });
    await container.waitForLine(/ready\.$/);
    expect(await container.stop()).toBe(0);
    const lines = container.lines('stdout');
    expectOrder(lines, [
      /Request made to kill system\.$/,
      ...expected.daemons.flatMap((each) => [
        new RegExp(`using SIG\\w+ to terminate ${each}\\.service`),
        new RegExp(`${each}\\.service exit status for pid=\\d+ is '<ProcStatus exit_status=0>'`),
      ]),
      /startup\.service stopped/,
      /No processes remain/,
    ]);
    expect(lines.filter((line) => /SIGKILL|signal=9|Forcing kill/.test(line))).toEqual([]);
  });

  it('starts a killed daemon again, and a service anew by hand', async () => {
    const container = await start({ image, options: publish });
    const url = await container.url(8080);
    await untilReady(container);
    await page(url);
    const { victim, anew } = expected;

    const killed = (await pidOf(container, victim)) ?? '';
    await container.exec('kill', '-KILL', killed);
    await container.waitForLine(new RegExp(`${victim}\\.service terminated abnormally with <ProcStatus signal=9>`));
    await anotherPid(container, victim, killed);
    expect(await page(url)).toBe(expected.page('runapps', 2));

    const before = (await pidOf(container, anew.service)) ?? '';
    for (const request of anew.requests) {
      const { status, stderr } = await container.exec('telchap', ...request);
      expect([request, status, stderr]).toEqual([request, 0, '']);
    }
    await anotherPid(container, anew.service, before);
    expect(await page(url)).toBe(expected.page('runapps', 3));
    expect(await container.stop()).toBe(0);
  });

  it('runs a task: the output is the task’s, also at a terminal, and nothing else is started', async () => {
    const task = ['--task', 'sh', '-c', 'echo "$CHAP_TASK_MODE $(id -un) $(ls /apps/var 2>&1)"; exit 3'];
    const plain = await tryDocker('run', '--rm', image, ...task);
    // What the configuration is warned about may stand on stderr.
    expect([plain.status, plain.stdout]).toEqual([3, expect.stringMatching(/^1 runapps .*\n$/)]);
    const quiet = await tryDocker('run', '--rm', '-t', image, '--task', 'echo', 'said');
    expect(quiet).toEqual({ status: 0, stdout: 'said\r\n', stderr: '' });
    const alone = await tryDocker('run', '--rm', image, '--task', 'ls', '/container_setup.done');
    expect([alone.status, alone.stdout]).toEqual([2, '']);
  });

  it('gives bash a terminal beside the services', async () => {
    const screen = runInteractively(['bash', '--norc', '-i'], { image });
    await screen.waitFor(/ready> /);
    expect(screen.screen()).not.toMatch(/no job control|cannot set terminal|Inappropriate/);
    await screen.run('echo "$(id -un) $(tty) $HOME"', /^runapps \/dev\/\S+ \/$/m);
    const running = "telchap status | grep -q 'CONSOLE .* running '";
    await screen.run(`until ${running}; do sleep 0.1; done; telchap status`, /^\d+ +CONSOLE +true +running /m);
    for (const each of [...expected.daemons].sort())
      await screen.waitFor(new RegExp(`^\\d+ +${each}\\.service +true +running `, 'm'));
    screen.type('exit 7\r');
    expect(await screen.exit).toBe(7);
  });

  it('keeps what it writes in a folder of the host, as the folder’s owner', async () => {
    const folder = hostFolder(owner);
    const options = [...publish, '--volume', `${folder}:/apps/var`];
    for (const visit of [1, 2]) {
      const container = await start({ image, options, args: ['--create-user', 'joe:/apps/var'] });
      await untilReady(container);
      expect(await page(await container.url(8080))).toBe(expected.page('joe', visit));
      expect(await container.stop()).toBe(0);
    }
    const strangers = [...ownersBelow(folder)].filter(([, uid]) => uid !== owner);
    expect(strangers).toEqual([]);
    const log = linesOf(readFileSync(join(folder, 'log/syslog.log'), 'utf8'));
    const begun = (what: string) => log.filter((line) => line === `startup.sh: first start ${what}`).length;
    expect([begun('of this container'), begun('with /apps/var')]).toEqual([2, 1]);
  });
});

describe('get-launcher', () => {
  interface Run {
    readonly status: number;
    readonly stdout: string;
    readonly stderr: string;
  }

  function shell(script: string, cwd: string): Promise<Run> {
    const env = { ...clientEnvironment, USER: 'joe' };
    return new Promise((resolve) => {
      execFile('sh', ['-c', script], { cwd, env }, (error, stdout, stderr) => {
        resolve({ status: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr });
      });
    });
  }

  it.each([
    '',
    '-t',
  ])('docker run %s IMAGE --task get-launcher | sh makes a script that runs the image', async (option) => {
    const folder = hostFolder(0);
    const made = await shell(`docker run --rm ${option} ${imageOf('base')} --task get-launcher | sh`, folder);
    expect(made).toEqual({ status: 0, stdout: 'Extracting run-base.sh ...\n', stderr: '' });
    const again = await shell(`docker run --rm ${option} ${imageOf('base')} --task get-launcher | sh`, folder);
    expect(again).toEqual({ status: 1, stdout: '', stderr: 'run-base.sh exists\n' });

    const storage = join(folder, 'base-storage');
    mkdirSync(storage);
    chownSync(storage, owner, owner);
    const launched = await shell(`DOCKER_OPTIONS='${publish.join(' ')}' ./run-base.sh -d`, folder);
    expect(launched).toEqual({ status: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/), stderr: '' });
    const id = launched.stdout.trim();
    onTestFinished(async () => {
      await tryDocker('rm', '--force', '--volumes', id);
    });
    const [address = ''] = (await docker('port', id, '8080')).split('\n');
    expect(await page(`http://${address}/`)).toContain('is served by joe,');
    expect([...new Set(ownersBelow(storage).values())]).toEqual([owner]);
  });

  it('says outside of a task how it is meant', async () => {
    const container = await start({ image: imageOf('base'), args: ['--exitkills', 'get-launcher'] });
    expect(await container.exit()).toBe(1);
    expect(container.lines('stderr')).toContain('get-launcher is a task: docker run IMAGE --task get-launcher | sh');
  });
});

describe('TLS by a template', () => {
  const host = 'shop.test';

  /** The page over TLS, where the certificate is that of the host. */
  function securePage(port: number, certificate: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, servername: host, ca: certificate, agent: false };
      const sent = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve(text));
      });
      sent.on('error', reject);
      sent.end();
    });
  }

  it('serves the page by the certificate that a start-up script has made, and none without a host name', async () => {
    const options = [...publish, '--publish', '127.0.0.1::8443'];
    const image = imageOf('lemp');
    const container = await start({ image, options: [...options, '--env', `CONFIG_EXT_SSL_HOSTNAME=${host}`] });
    await untilReady(container);
    const { stdout: certificate } = await container.exec('cat', '/apps/var/certs/server.pem');
    const { port } = new URL(await container.url(8443));
    expect(await securePage(Number(port), certificate)).toBe('secure page of runapps\n');

    const without = await start({ image, options });
    await untilReady(without);
    expect((await without.exec('ls', '/apps/var/certs')).status).not.toBe(0);
    const { port: closed } = new URL(await without.url(8443));
    await expect(securePage(Number(closed), certificate)).rejects.toThrow();
  });
});
