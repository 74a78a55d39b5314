import { describe, expect, it } from 'vitest';
import { config, expectOrder, logAll } from '../boot/namespace.ts';
import { docker, page, start } from './engine.ts';

const nginx = { command: "nginx -g 'daemon off;'" };
const redis = { command: "redis-server --save '' --dir /run --pidfile /run/redis.pid --unixsocket /run/redis.sock" };
const seed = { type: 'oneshot', command: '/programs/seed' };
const worker = { command: '/programs/worker', startup_pause: 0.1 };
const site = {
  'x.conf': config({
    'nginx.service': { ...nginx, after: 'redis.service' },
    'redis.service': redis,
    'seed.service': { ...seed, after: 'redis.service' },
    'worker.service': { ...worker, after: 'seed.service, nginx.service' },
    ...logAll,
  }),
};
const publish = ['--publish', '127.0.0.1::80'];

describe('nginx, redis, a seed and a worker', () => {
  it.each(['SIGTERM', 'SIGQUIT'])('start in order, serve a page, and end in reverse order by %s', async (signal) => {
    const container = await start({ options: [...publish, '--stop-signal', signal], files: site });
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(/greeting is/);
    expect(await page(await container.url(80))).toBe('served by nginx\n');
    expectOrder(container.lines(), [
      /redis\.service successfully started/,
      /seed\.service attempting start/,
      /seed\[\d+\]: seeded/,
      /seed\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
      /worker\.service attempting start/,
      /worker\[\d+\]: greeting is hello/,
    ]);
    // 137 would be the engine's own SIGKILL, after 10 s.
    expect(await container.stop()).toBe(0);
    for (const other of ['nginx', 'redis']) {
      expectOrder(container.lines(), [
        /Request made to kill system\./,
        /worker\[\d+\]: worker stops/,
        /worker\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
        new RegExp(`${other}\\.service exit status for pid=\\d+ is '<ProcStatus exit_status=0>'`),
        /Final termination phase\./,
      ]);
    }
    expect(container.lines().filter((line) => /signal=9|Forcing kill/.test(line))).toEqual([]);
  });

  it('come up again after docker restart, and after docker kill and docker start', async () => {
    const container = await start({ options: publish, files: site });
    await container.waitForLine(/ready\.$/);
    await docker('restart', container.id);
    container.follow();
    await container.waitForLine(/ready\.$/, 2);
    await container.waitForLine(/greeting is hello/, 2);
    expect(await page(await container.url(80))).toBe('served by nginx\n');
    await docker('kill', container.id);
    expect(await container.exit()).toBe(137);
    const { status } = await container.exec('true');
    expect(status).not.toBe(0);
    await docker('start', container.id);
    container.follow();
    await container.waitForLine(/ready\.$/, 3);
    await container.waitForLine(/greeting is hello/, 3);
    expect(await page(await container.url(80))).toBe('served by nginx\n');
    expect(await container.stop()).toBe(0);
  });
});

describe.each([
  ['root', [], '/run/left.pid'],
  ['--user 1000', ['--user', '1000'], '/tmp/left.pid'],
] as const)('what a killed container leaves behind, as %s', (_, options, pidfile) => {
  it('does its next start no harm: sockets, FIFO and pidfiles', async () => {
    const folder = '/usr/local/lib/chaperone';
    const container = await start({
      options,
      files: {
        'x.conf': config({
          // The pid of the last run is that of something else by now.
          'shift.service': { type: 'oneshot', command: '/programs/use-pids', before: 'left.service' },
          'left.service': {
            type: 'forking',
            command: `$(FIXTURES)/daemonize ${pidfile} $(FIXTURES)/obey TERM 'left stops'`,
            pidfile,
          },
          'told.service': { type: 'notify', command: '$(FIXTURES)/notify.py READY=1' },
          ...logAll,
        }),
      },
    });
    const followed = /left\.service changing PID to (\d+) \(from \d+\)/;
    await container.waitForLine(/ready\.$/);
    const [, first] = await container.waitForLine(followed);
    await docker('kill', container.id);
    expect(await container.exit()).toBe(137);
    await docker('start', container.id);
    container.follow();
    await container.waitForLine(/ready\.$/, 2);
    const [, second] = await container.waitForLine(followed, 2);
    expect(second).not.toBe(first);
    expect((await container.exec('cat', pidfile)).stdout.trim()).toBe(second);
    const status = await container.exec(`${folder}/telchap`, 'status');
    expect([status.status, status.stderr]).toEqual([0, '']);
    expect(status.stdout).toMatch(new RegExp(`^\\s*${second}\\s+left\\b`, 'm'));
    const find = 'find /dev /run /tmp -type s 2>/dev/null | sed s/-[0-9a-f]*$// | sort';
    const sockets = (await container.exec('sh', '-c', find)).stdout.trim().split('\n');
    expect(sockets.filter((path) => path.endsWith('/chaperone.sock'))).toHaveLength(1);
    expect(sockets.filter((path) => path.endsWith('/told.service'))).toHaveLength(1);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines().slice(-40), [/left\[\d+\]: left stops/, /Final termination phase\./]);
  });
});

describe('nginx whose process was killed', () => {
  const restarting = { restart: true, restart_delay: 0.2 };

  it('is started again, and the page is back', async () => {
    const container = await start({
      options: publish,
      files: {
        'x.conf': config({
          'nginx.service': { command: "nginx -g 'daemon off; master_process off;'", ...restarting },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ready\.$/);
    const url = await container.url(80);
    await page(url);
    await container.exec('sh', '-c', 'kill -KILL $(cat /run/nginx.pid)');
    await container.waitForLine(/nginx\.service terminated abnormally with <ProcStatus signal=9>/);
    await container.waitForLine(/nginx\.service restart succeeded/);
    expect(await page(url)).toBe('served by nginx\n');
    expect(await container.stop()).toBe(0);
  });

  // The workers outlive their master and hold the port, so that the new one cannot bind it.
  it('leaves no workers that hold the port', async () => {
    const container = await start({
      files: { 'x.conf': config({ 'nginx.service': { ...nginx, ...restarting }, ...logAll }) },
    });
    await container.waitForLine(/ready\.$/);
    await container.exec('sh', '-c', 'kill -KILL $(cat /run/nginx.pid)');
    await container.waitForLine(/nginx\.service restart succeeded/);
    expect(await container.stop()).toBe(0);
    expect(container.lines().filter((line) => /Address already in use/.test(line))).toEqual([]);
  });
});

describe('docker stop', () => {
  it('is answered in time with a program that ignores SIGTERM, which costs the others nothing', async () => {
    const container = await start({
      files: {
        'x.conf': config({
          'redis.service': redis,
          'deaf.service': { command: '$(FIXTURES)/stubborn', startup_pause: 0.1, after: 'redis.service' },
          'worker.service': { ...worker, after: 'redis.service' },
          ...logAll,
        }),
      },
    });
    await container.waitForLine(/ready\.$/);
    await container.waitForLine(/greeting is/);
    expect(await container.stop()).toBe(0);
    expectOrder(container.lines(), [
      /worker\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
      /deaf\.service exit status for pid=\d+ is '<ProcStatus signal=9>'/,
      /redis\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
    ]);
  });
});

describe('a container that does not come up', () => {
  it('says which program is missing', async () => {
    const container = await start({
      files: { 'x.conf': config({ 'redis.service': redis, 'mysql.service': { command: 'mysqld' }, ...logAll }) },
    });
    expect(await container.exit()).toBe(1);
    expectOrder(container.lines('stderr'), [
      /^chaperone: system failed before anything was started: 1 program missing$/,
      /why +mysql\.service: executable 'mysqld' not found/,
      /do +install it/,
    ]);
    expect(container.lines('stdout').join('\n')).not.toMatch(/attempting start/);
  });

  it("says that a port is in use, by the program's last words, and stops what had started", async () => {
    const second = {
      ...redis,
      command: "redis-server --save ''",
      startup_pause: 5,
      after: 'redis.service, worker.service',
    };
    const container = await start({
      files: {
        'x.conf': config({
          'redis.service': redis,
          'worker.service': { ...worker, after: 'redis.service' },
          'second.service': second,
          ...logAll,
        }),
      },
    });
    expect(await container.exit()).toBe(1);
    expectOrder(container.lines('stderr'), [
      /^chaperone: system failed: second\.service did not become ready$/,
      /why +simple service, ended with exit 1 within 5 s of its start/,
      /command redis-server --save ''/,
      /^ {2}last +"/,
      /".*(Address already in use|Failed listening on port 6379).*"/,
      /stopped .*exit status 1$/,
    ]);
    expectOrder(container.lines(), [
      /worker stops/,
      /redis\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
    ]);
    expect(await container.isRunning()).toBe(false);
  });

  it('quotes each mistake of a configuration with its place, and starts nothing', async () => {
    const container = await start({
      files: {
        'a.conf': 'web.service: {\n  comand: "nginx",\n}\n',
        'b.conf': 'store.service: { command: "redis-server", restart_limit: many }\n',
      },
    });
    expect(await container.exit()).toBe(1);
    expect(container.lines('stdout')).toEqual([]);
    const text = container.lines('stderr').join('\n');
    expect(text).toMatch(/nothing was started/);
    expect(text).toMatch(/\/etc\/chaperone\.d\/a\.conf:2:3: unknown key "comand"/);
    expect(text).toMatch(/did you mean "command"/);
    expect(text).toMatch(/\/etc\/chaperone\.d\/b\.conf:1:\d+: .*restart_limit/);
  });
});
