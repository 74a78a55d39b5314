/** Supervision, with daemons that people run: probes, reloads, dependents, workers, limits and secrets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { type Container, eventually, page, start, untilReady } from './engine.ts';

const ctl = (container: Container, ...words: readonly string[]) => container.exec('chaperonectl', ...words);
const sections = (of: Parameters<typeof config>[0]) => ({ 'x.conf': config({ ...of, ...logAll }) });
const sleeps = { command: 'sleep infinity', startup_pause: '50ms' };

interface Listed {
  readonly name: string;
  readonly state: string;
  readonly pid?: number;
}

async function listed(container: Container, name: string): Promise<Listed> {
  const { stdout } = await ctl(container, 'status', name, '--json');
  const [service]: readonly Listed[] = JSON.parse(stdout);
  if (service === undefined) throw new Error(`${name} is not listed: ${stdout}`);
  return service;
}

describe('daemons with probes', () => {
  const site = sections({
    'postgres.service': {
      command:
        '/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main -c config_file=/etc/postgresql/15/main/postgresql.conf',
      uid: 'postgres',
      before_start: '+install -d -o postgres /run/postgresql',
      ready: { command: 'pg_isready -q' },
      kill_signal: 'SIGINT',
    },
    'redis.service': { command: "redis-server --save ''", ready: { tcp: 6379 } },
    'nginx.service': {
      command: "nginx -g 'daemon off;'",
      ready: { http: 'http://127.0.0.1/', contains: '/served by nginx/' },
      healthy: { http: 'http://127.0.0.1/', interval: '500ms' },
      reload_command: 'nginx -s reload',
    },
    'ask.service': {
      type: 'oneshot',
      command: `sh -c "psql -Atc 'select 40 + 2' && redis-cli ping"`,
      uid: 'postgres',
      after: 'postgres.service, redis.service, nginx.service:healthy',
    },
  });

  it('are ready when they answer: postgres by pg_isready, redis by its port, nginx by its page', async () => {
    const container = await start({ options: ['--publish', '127.0.0.1::80'], files: site });
    await untilReady(container);
    // The oneshot asks once: it would have failed, had one of them been said to be ready too early.
    expectOrder(container.lines(), [/ask\[\d+\]: 42$/, /ask\[\d+\]: PONG$/]);
    expect(await page(await container.url(80))).toBe('served by nginx\n');
    expect(await container.stop()).toBe(0);
    expect(container.lines().filter((line) => /Forcing kill/.test(line))).toEqual([]);
  });

  it('are reloaded without a new process', async () => {
    const container = await start({ files: site });
    await untilReady(container);
    const before = await listed(container, 'nginx');
    const server = 'server { listen 81; location / { return 200 "new"; } }';
    expect((await container.exec('sh', '-c', `echo '${server}' > /etc/nginx/conf.d/new.conf`)).status).toBe(0);
    expect(await ctl(container, 'reload', 'nginx')).toMatchObject({ status: 0, stderr: '' });
    const ask = 'exec 3<>/dev/tcp/127.0.0.1/81 && printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3';
    await eventually('the new server answers', async () => {
      const { stdout } = await container.exec('bash', '-c', ask);
      return stdout.endsWith('new') ? true : undefined;
    });
    expect((await listed(container, 'nginx')).pid).toBe(before.pid);
  });
});

describe('a service that turns unhealthy', () => {
  it('is restarted, and its dependents do as each of them says', async () => {
    const dependent = (answer: string) => ({
      ...sleeps,
      requires: 'db.service:healthy',
      on_prerequisite_failure: answer,
    });
    const container = await start({
      files: sections({
        'db.service': {
          ...sleeps,
          restart: 'on-failure',
          restart_delay: '200ms',
          healthy: { command: 'test ! -e /tmp/sick', interval: '200ms', timeout: '5s', retries: 2 },
          after_stop: 'rm -f /tmp/sick',
        },
        'keeps.service': dependent('keep'),
        'stops.service': dependent('stop'),
        'fails.service': dependent('fail'),
      }),
    });
    await untilReady(container);
    const names = ['db', 'keeps', 'stops', 'fails'];
    const before = await Promise.all(names.map((name) => listed(container, name)));
    await container.exec('touch', '/tmp/sick');
    const after = await eventually('the service is restarted and its dependents have answered', async () => {
      const now = await Promise.all(names.map((name) => listed(container, name)));
      const isNew = (index: number): boolean => now[index]?.pid !== undefined && now[index].pid !== before[index]?.pid;
      return isNew(0) && isNew(2) && now[3]?.state === 'failed' ? now : undefined;
    });
    expect(after[1]?.pid).toBe(before[1]?.pid);
    const lines = container.lines();
    for (const name of ['stops', 'fails'])
      expect(
        lines.filter((line) => line.includes(`${name}.service`) && line.includes('db.service')).length,
        name,
      ).toBeGreaterThan(0);
    expect(await container.stop()).toBe(0);
  });
});

describe('a template of workers on a queue in redis', () => {
  it('loses no job and does none twice, when it is scaled from 2 to 5 and back under load', async () => {
    const jobs = 4_000;
    const container = await start({
      files: sections({
        'redis.service': { command: "redis-server --save ''", ready: { tcp: 6379 } },
        'worker@.service': {
          command: '/programs/queue-worker $(_CHAP_SERVICE_INSTANCE)',
          instances: 2,
          requires: 'redis.service',
          startup_pause: 0,
        },
      }),
    });
    await untilReady(container);
    const redis = async (...words: readonly string[]) => (await container.exec('redis-cli', ...words)).stdout.trim();
    const add = (from: number, to: number) =>
      container.exec('bash', '-c', `seq ${from} ${to} | sed 's/^/RPUSH jobs /' | redis-cli > /dev/null`);
    const done = (count: number) =>
      eventually(`${count} jobs are done`, async () =>
        Number(await redis('LLEN', 'done')) >= count ? true : undefined,
      );
    await add(1, jobs / 2);
    await done(50);
    expect(await ctl(container, 'scale', 'worker', '5', '--wait')).toMatchObject({ status: 0 });
    await container.waitForLine(/worker 5 begins/);
    await add(jobs / 2 + 1, jobs);
    expect(await ctl(container, 'scale', 'worker', '2', '--wait')).toMatchObject({ status: 0 });
    await done(jobs);
    const numbers = (await redis('LRANGE', 'done', '0', '-1')).split('\n').map((line) => Number(line.split(':')[0]));
    expect(numbers.length).toBe(jobs);
    expect(new Set(numbers).size).toBe(jobs);
    expectOrder(
      container.lines(),
      [5, 4, 3].map((instance) => new RegExp(`using SIGTERM to terminate worker@${instance}\\.service`)),
    );
    expect(container.lines().filter((line) => /worker \d ends$/.test(line))).toHaveLength(3);
  });
});

describe('limits and rights', () => {
  it('are those of the service, as /proc tells them', async () => {
    const container = await start({
      files: sections({
        'web.service': {
          ...sleeps,
          uid: 'app',
          limits: { nofile: '100:200', core: 0 },
          nice: 5,
          umask: '027',
          oom_score_adjust: 500,
          no_new_privileges: true,
          capabilities: ['NET_BIND_SERVICE'],
          supplementary_groups: ['writers'],
        },
      }),
    });
    await untilReady(container);
    const { pid = 0 } = await listed(container, 'web');
    const read = async (file: string) => (await container.exec('cat', `/proc/${pid}/${file}`)).stdout;
    const limits = await read('limits');
    expect(limits).toMatch(/^Max open files +100 +200 /m);
    expect(limits).toMatch(/^Max core file size +0 +0 /m);
    const status = await read('status');
    expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    expect(status).toMatch(/^Groups:\t.*\b2002\b/m);
    expect(status).toMatch(/^Umask:\t0027$/m);
    expect(status).toMatch(/^NoNewPrivs:\t1$/m);
    for (const set of ['CapEff', 'CapBnd', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\t0000000000000400$`, 'm'));
    expect(await read('oom_score_adj')).toBe('500\n');
    expect((await read('stat')).split(') ')[1]?.split(' ')[16]).toBe('5');
  });
});

describe('a secret', () => {
  it('reaches its service alone, and is written nowhere', async () => {
    const secret = 'tr0ub4dor-and-3-bytes';
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-secret-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'token'), `${secret}\n`, { mode: 0o600 });
    const container = await start({
      options: ['--volume', `${folder}:/run/secrets:ro`],
      args: ['--inspect=web'],
      files: {
        'x.conf': config({
          settings: { debug: true, inspect: { journal: '/var/log/boots', records: true } },
          'web.service': {
            command: `sh -c 'echo \${#TOKEN} bytes; [ "$TOKEN" = "$URL" ] || echo "$URL" | grep -qx "db:$TOKEN" && echo composed; exec sleep infinity'`,
            secrets: { TOKEN: '/run/secrets/token' },
            env_set: { URL: 'db:$(TOKEN)' },
          },
          'other.service': sleeps,
          'bad.service': {
            command: 'false',
            secrets: ['token'],
            restart: 'on-failure',
            ignore_failures: true,
            after: 'web.service',
          },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/web\[\d+\]: 21 bytes/);
    await container.waitForLine(/web\[\d+\]: composed/);
    await container.waitForLine(/ready\.$/);
    const { pid = 0 } = await listed(container, 'web');
    const told = await Promise.all([
      ...['status --json', 'status', 'status --history', 'logs', 'blame', 'critical-chain', 'dependencies'].map(
        async (words) => {
          const { stdout, stderr } = await ctl(container, ...words.split(' '));
          return [words, stdout + stderr] as const;
        },
      ),
      (async () => ['journal', (await container.exec('cat', '/var/log/boots')).stdout] as const)(),
      (async () => ['command lines', (await container.exec('sh', '-c', 'cat /proc/[0-9]*/cmdline')).stdout] as const)(),
      (async () =>
        [
          'environments of others',
          (
            await container.exec(
              'sh',
              '-c',
              `for p in /proc/[0-9]*; do [ $p = /proc/${pid} ] || cat $p/environ; done 2>/dev/null`,
            )
          ).stdout,
        ] as const)(),
      (async () =>
        [
          'everything another account can read',
          (
            await container.execAs(
              'app',
              'sh',
              '-c',
              'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline /run/secrets/token 2>/dev/null; true',
            )
          ).stdout,
        ] as const)(),
    ]);
    expect(await container.stop()).toBe(0);
    for (const [where, text] of [...told, ['log', container.lines().join('\n')] as const]) {
      expect(text.length, where).toBeGreaterThan(0);
      expect(text.includes(secret), where).toBe(false);
    }
  });
});
