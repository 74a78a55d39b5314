/** Limits, priorities and rights of services, as the kernel tells them of a running process. */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inDist } from '../dist.ts';
import { ctl } from './by-hand.ts';
import { type Booted, boot, config, fixtures, isRoot, logAll } from './namespace.ts';

type Section = Parameters<typeof config>[0][string];

const bind = 1n << 10n;
const mask = (bits: bigint): string => bits.toString(16).padStart(16, '0');

/** Boots one service that sleeps with these directives, and waits until it runs. */
async function sleeper(more: Section, options: Omit<Parameters<typeof boot>[0], 'files'> = {}) {
  const sections = { ...logAll, 'x.service': { command: 'sleep 1000', startup_pause: 0, ...more } };
  const system = boot({ ...options, files: { 'x.conf': config(sections) } });
  await system.waitForLine(/ready\.$/);
  const found = system.processes().find(({ name }) => name === 'sleep');
  if (found === undefined) throw new Error(`no sleep\n${system.lines().join('\n')}`);
  const file = (name: string): string => readFileSync(`/proc/${found.pid}/${name}`, 'latin1');
  return {
    system,
    file,
    status: (name: string): string | undefined => new RegExp(`^${name}:\\s*(.*?)\\s*$`, 'm').exec(file('status'))?.[1],
    /** The soft and the hard limit. */
    limit: (name: string): string | undefined =>
      new RegExp(`^${name} {2,}(\\S+) +(\\S+)`, 'm').exec(file('limits'))?.slice(1).join(':'),
  };
}

async function stop(system: Booted): Promise<void> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
}

describe('limits', () => {
  it('of all names are those of /proc/PID/limits', async () => {
    const { system, limit } = await sleeper({
      limits: {
        cpu: '1h',
        fsize: '2G',
        data: '3G',
        stack: '4M:5M',
        core: 0,
        rss: '6M',
        nproc: 777,
        nofile: '100:200',
        memlock: '7K',
        as: '1T',
        locks: 8,
        sigpending: 9,
        msgqueue: '10K',
        nice: 0,
        rtprio: 0,
        rttime: '30ms',
      },
    });
    const expected: readonly (readonly [string, string])[] = [
      ['Max cpu time', '3600:3600'],
      ['Max file size', `${2 * 1024 ** 3}:${2 * 1024 ** 3}`],
      ['Max data size', `${3 * 1024 ** 3}:${3 * 1024 ** 3}`],
      ['Max stack size', `${4 * 1024 ** 2}:${5 * 1024 ** 2}`],
      ['Max core file size', '0:0'],
      ['Max resident set', `${6 * 1024 ** 2}:${6 * 1024 ** 2}`],
      ['Max processes', '777:777'],
      ['Max open files', '100:200'],
      ['Max locked memory', '7168:7168'],
      ['Max address space', `${1024 ** 4}:${1024 ** 4}`],
      ['Max file locks', '8:8'],
      ['Max pending signals', '9:9'],
      ['Max msgqueue size', '10240:10240'],
      ['Max nice priority', '0:0'],
      ['Max realtime priority', '0:0'],
      ['Max realtime timeout', '30000:30000'],
    ];
    expect(expected.map(([name]) => [name, limit(name)])).toEqual(expected);
    await stop(system);
  });

  it('may be unlimited, and the others stay as they were', async () => {
    const { system, limit } = await sleeper(
      { limits: { core: 'unlimited', fsize: '5:unlimited' } },
      { ulimit: { soft: 321, hard: 654 } },
    );
    expect([limit('Max core file size'), limit('Max file size'), limit('Max open files')]).toEqual([
      'unlimited:unlimited',
      '5:unlimited',
      '321:654',
    ]);
    await stop(system);
  });
});

describe.runIf(isRoot)('priorities and rights', () => {
  const uid = 10_033;

  it('are those of the running process, also as another account', async () => {
    const { system, status, file } = await sleeper({
      uid,
      gid: uid,
      nice: -3,
      umask: '0137',
      oom_score_adjust: 321,
      cpu_affinity: 0,
      no_new_privileges: true,
      supplementary_groups: [777, 4242],
    });
    expect(['Umask', 'Groups', 'NoNewPrivs', 'Cpus_allowed_list', 'Uid'].map(status)).toEqual([
      '0137',
      `777 4242 ${uid}`,
      '1',
      '0',
      `${uid}\t${uid}\t${uid}\t${uid}`,
    ]);
    expect(file('oom_score_adj')).toBe('321\n');
    // The nice value is the 19th field of proc_pid_stat(5).
    expect(file('stat').split(') ')[1]?.split(' ')[16]).toBe('-3');
    await stop(system);
  });

  it.each([
    ['another account', { uid, gid: uid }],
    ['root', {}],
  ])('as %s include exactly the capabilities that are named', async (_, account) => {
    const { system, status } = await sleeper({ ...account, capabilities: ['NET_BIND_SERVICE'] });
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status(set)).toBe(mask(bind));
    await stop(system);
  });

  it.each([
    ['another account', { uid, gid: uid }],
    ['root', {}],
  ])('as %s are none without any capability', async (_, account) => {
    const { system, status } = await sleeper({ ...account, capabilities: [] });
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status(set)).toBe(mask(0n));
    await stop(system);
  });

  it('hold for runs of a cron service, and for all processes of a service', async () => {
    const says = 'sh -c "umask; nice; sh -c \'ulimit -n\'"';
    const common = { command: says, umask: '0027', nice: 4, limits: { nofile: 99 } };
    const system = boot({
      files: {
        'x.conf': config({
          ...logAll,
          'once.service': { type: 'oneshot', ...common },
          'tick.service': { type: 'cron', interval: '* * * * * *', ...common },
        }),
      },
    });
    for (const name of ['once', 'tick'])
      for (const line of ['0027', '4', '99']) await system.waitForLine(new RegExp(`${name}\\[\\d+\\]: ${line}$`));
    await stop(system);
  });
});

describe('what the kernel refuses', () => {
  /** The end of a system whose only service needs what is refused. */
  async function refusal(more: Section, options: Omit<Parameters<typeof boot>[0], 'files'> = {}) {
    const sections = { ...logAll, 'x.service': { command: 'sleep 1000', ...more } };
    const system = boot({ ...options, files: { 'x.conf': config(sections) } });
    expect(await system.exit).toBe(1);
    return system.lines().join('\n');
  }

  it('is a failed start that names the directive', async () => {
    expect(await refusal({ limits: { nofile: '1024:99999999999' } })).toMatch(
      /x\.service received exception during attempted start\. Exception: cannot set the limit nofile to 1024:99999999999: not permitted \(EPERM\); chaperone needs CAP_SYS_RESOURCE to raise a hard limit/,
    );
    const beyond = cpus().length + 4000;
    expect(await refusal({ cpu_affinity: beyond })).toContain(
      `cannot set cpu_affinity to ${beyond}: invalid argument (EINVAL)`,
    );
  });

  it.runIf(isRoot).each<[string, Section, string]>([
    ['nice', { nice: -5 }, 'cannot set nice to -5: permission denied (EACCES); chaperone needs CAP_SYS_NICE'],
    ['oom_score_adjust', { oom_score_adjust: -900 }, 'cannot set oom_score_adjust to -900: permission denied (EACCES)'],
    [
      'capabilities',
      { capabilities: ['CHOWN'] },
      'cannot set capabilities to CHOWN: not permitted (EPERM); chaperone needs CAP_SETPCAP',
    ],
    [
      'groups',
      { supplementary_groups: [777] },
      'cannot add supplementary_groups 777: not permitted (EPERM); chaperone needs CAP_SETGID',
    ],
  ])('without privileges says so: %s', async (_, more, message) => {
    const text = await refusal(more, {
      program: join(fixtures, 'hardened'),
      ownDev: true,
      env: {
        CHAPERONE: inDist('chaperone'),
        CHAPERONE_SOCKET: '',
        ACCOUNT: '10001:10001:10001,2000',
        WRITABLE: '/dev/shm',
        BEFORE: '',
      },
    });
    expect(text).toContain(message);
  });

  it('is told by status and why, and leaves others alone', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          ...logAll,
          'x.service': { command: 'sleep 1000', limits: { nofile: 99_999_999_999 }, ignore_failures: true },
          'y.service': { command: 'sleep 1000', startup_pause: 0 },
        }),
      },
    });
    await system.waitForLine(/ready\.$/);
    expect((await ctl(system, 'status', 'x')).text).toContain(
      'cannot set the limit nofile to 99999999999: not permitted (EPERM)',
    );
    expect((await ctl(system, 'status')).text).toMatch(/^y +ready/m);
    await stop(system);
  });
});
