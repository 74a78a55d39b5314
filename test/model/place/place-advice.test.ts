import { describe, expect, it } from 'vitest';
import { adviceFor, type Finding } from '../../../src/model/place/place-advice.ts';
import { capabilitiesOf, type PlaceFacts } from '../../../src/model/place/place-facts.ts';
import { type Refusal, resourcesRefused } from '../../../src/model/place/resource-advice.ts';
import { capabilityNames, type ResourceName, type Resources } from '../../../src/model/service/resources.ts';
import { specOf } from '../../config/loading.ts';
import { serviceSpec } from '../specs.ts';

const all = capabilitiesOf('000001ffffffffff');
const plain: PlaceFacts = {
  kernel: '6.1.0',
  container: 'docker',
  init: { kind: 'chaperone', program: '[chaperone]', elsewhere: false },
  uid: 0,
  capabilities: { effective: all, bounding: all },
  noNewPrivileges: false,
  seccomp: 'filter',
  limits: [{ name: 'Max open files', soft: 1024, hard: 1_048_576 }],
  folders: ['/dev', '/run', '/tmp', '/var/log'].map((path) => ({ path, state: 'writable', free: 1e9 })),
  zone: { name: 'UTC', source: '/etc/localtime' },
  cgroup: { version: 2, memory: undefined, processes: undefined, processors: undefined },
  lowestPort: 1024,
  logSocket: 'chaperone',
};
const none = { effective: new Set<string>(), bounding: new Set<string>() };

function told(place: Partial<PlaceFacts>, text?: string, level: Finding['level'] = 'bad'): readonly string[] {
  return adviceFor({ ...plain, ...place }, text === undefined ? undefined : specOf(text))
    .filter((finding) => finding.level === level)
    .map((finding) => `${finding.area}: ${finding.text}`);
}

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;

describe('what a place allows', () => {
  it('is nothing to worry about in an ordinary container', () => {
    expect(told({}, web('uid: www'))).toEqual([]);
    expect(told({}, web('uid: www'), 'note')).toEqual([]);
    expect(told({}, undefined, 'good')[0]).toBe('kernel: a container of docker, Linux 6.1.0');
  });

  it('says who PID 1 is', () => {
    const init = (kind: 'other' | 'unknown', elsewhere: boolean) => ({
      init: { kind, program: '/sbin/docker-init', elsewhere },
    });
    expect(told(init('other', true), undefined, 'note')[0]).toContain(
      'PID 1 is /sbin/docker-init: chaperone works below it, and ends only its own descendants',
    );
    expect(told(init('other', false), undefined, 'note')[0]).toContain('no chaperone runs here');
    expect(told(init('unknown', false), undefined, 'note')[0]).toContain('cannot be read');
  });

  it('names services of other accounts where accounts cannot be changed, and only those', () => {
    const pod = { uid: 1000, capabilities: none };
    expect(told(pod, web('uid: www'))).toEqual([
      'rights: web.service cannot be started as another account: chaperone lacks CAP_SETUID or CAP_SETGID',
      'rights: web.service cannot be stopped: chaperone lacks CAP_KILL',
    ]);
    expect(told(pod, web('uid: joe'))).toEqual([]);
    expect(told(pod, web('uid: www, enabled: false'))).toEqual([]);
    expect(
      told({ uid: 0, capabilities: { ...none, effective: new Set(['SETUID', 'SETGID']) } }, web('uid: www')),
    ).toEqual(['rights: web.service cannot be stopped: chaperone lacks CAP_KILL']);
    expect(told({ noNewPrivileges: true }, undefined, 'note')).toEqual([
      'rights: no_new_privileges is set: sudo, su and other setuid programs gain nothing',
    ]);
  });

  it('names services that ask for rights which chaperone cannot give', () => {
    const poor = { capabilities: { effective: new Set(['SETUID', 'SETGID', 'KILL', 'CHOWN']), bounding: all } };
    expect(
      told({}, web('capabilities: [SYS_ADMIN], nice: -5, oom_score_adjust: -5, limits: { nofile: 9000000 }')),
    ).toEqual([]);
    expect(told(poor, web('capabilities: [CHOWN, SYS_ADMIN]'))).toEqual([
      'rights: web.service cannot have the capability SYS_ADMIN: chaperone lacks it',
      'rights: web.service cannot be confined to its capabilities: chaperone lacks CAP_SETPCAP',
    ]);
    expect(told({ capabilities: none }, web('capabilities: []'))).toEqual([]);
    expect(told(poor, web('nice: -5'))).toEqual([
      'rights: web.service cannot get nice -5: chaperone lacks CAP_SYS_NICE',
    ]);
    expect(told(poor, web('nice: 5, oom_score_adjust: 5, limits: { nofile: 1024:4096 }'))).toEqual([]);
    expect(told(poor, web('oom_score_adjust: -5'))).toEqual([
      'rights: web.service cannot get oom_score_adjust -5: chaperone lacks CAP_SYS_RESOURCE',
    ]);
    for (const limit of ['2000000', '1:unlimited'])
      expect(told(poor, web(`limits: { nofile: ${limit} }`))).toEqual([
        `limits: web.service cannot get the limit nofile ${limit}: the hard limit here is 1048576`,
      ]);
    expect(told(poor, web('limits: { nofile: 2000000 }, enabled: false'))).toEqual([]);
    expect(told(poor, web('limits: { nofile: 0 }'))).toEqual([]);
    expect(told({ capabilities: none, uid: 33 }, web('supplementary_groups: 5'))).toEqual([
      'rights: web.service cannot get supplementary_groups: chaperone lacks CAP_SETGID',
    ]);
  });

  it('names services whose port is too low, unless low ports are allowed', () => {
    const text = web('type: inetd, port: 80');
    expect(told({ uid: 1000, capabilities: none }, text)).toEqual(['ports: web.service cannot listen below port 1024']);
    expect(told({ uid: 1000, capabilities: none, lowestPort: 0 }, text)).toEqual([]);
    expect(told({ uid: 1000, capabilities: none }, web('type: inetd, port: 8080'))).toEqual([]);
  });

  it('names log files in folders that cannot be written', () => {
    const folders = [{ path: '/var/log', state: 'read-only' }] as const;
    expect(told({ folders }, 'x.logging: { file: /var/log/x.log }')).toEqual([
      'folders: x.logging cannot write /var/log/x.log: /var/log is read-only',
    ]);
    expect(told({ folders }, 'x.logging: { file: /var/log/x.log, enabled: false }')).toEqual([]);
    expect(told({ folders: [{ path: '/var/log', state: 'writable', free: 2048 }] }, undefined, 'note')).toEqual([
      'folders: /var/log has 2.0 KiB left',
    ]);
  });

  it('says whose the log socket is', () => {
    expect(told({ logSocket: 'other' }, undefined, 'note')).toEqual(['log: /dev/log belongs to another program']);
    expect(told({ logSocket: 'absent', folders: [{ path: '/dev', state: 'forbidden' }] }, undefined, 'note')).toContain(
      'log: there is no /dev/log, since /dev cannot be written by this account',
    );
    expect(told({ logSocket: 'other' }, 'settings: { enable_syslog: false }', 'note')).toEqual([]);
  });

  it('speaks of the time zone where schedules depend on it', () => {
    const zone = { name: 'UTC', source: 'nothing' };
    expect(told({ zone }, web('type: cron, interval: hourly'), 'note')).toEqual([
      'time zone: schedules go by UTC: nothing says a time zone',
    ]);
    expect(told({ zone }, web('restart: true'), 'note')).toEqual([]);
    expect(told({ zone: { ...zone, problem: 'TZ=Nowhere names no time zone' } })).toEqual([
      'time zone: TZ=Nowhere names no time zone',
    ]);
  });

  it('counts descriptors and processes for the services that are enabled', () => {
    const many = Array.from({ length: 40 }, (_, index) => `s${index}.service: { command: /bin/true }`).join('\n');
    expect(told({ limits: [{ name: 'Max open files', soft: 256, hard: 256 }] }, many)).toEqual([
      'limits: 256 open files are too few for 40 services',
    ]);
    const cgroup = { version: 2, memory: 2 ** 29, processes: 20, processors: 0.5 } as const;
    expect(told({ cgroup }, many)).toEqual(["cgroup: 20 processes are too few for 40 services and chaperone's two"]);
    expect(told({ cgroup }, undefined, 'good')).toContain(
      'cgroup: version 2: 512.0 MiB of memory, 20 processes, 0.5 processors',
    );
    expect(told({ cgroup: { ...cgroup, version: 0 } }, undefined, 'note')[0]).toContain('no cgroup can be seen');
  });

  it('gives an advice with everything that is not good', () => {
    const worst: PlaceFacts = {
      ...plain,
      uid: 1000,
      capabilities: none,
      init: { kind: 'unknown', program: '', elsewhere: false },
      folders: [{ path: '/run', state: 'absent' }],
      noNewPrivileges: true,
      seccomp: 'strict',
      logSocket: 'other',
      cgroup: { ...plain.cgroup, version: 0 },
    };
    for (const { level, advice } of adviceFor(worst, specOf(web('uid: www'))))
      expect(advice === undefined).toBe(level === 'good');
  });
});

describe('what is found in a place', () => {
  /** Each finding on a line, with its level and its advice. */
  const found = (place: Partial<PlaceFacts>, area: string, text?: string): readonly string[] =>
    adviceFor({ ...plain, ...place }, text === undefined ? undefined : specOf(text))
      .filter((finding) => finding.area === area)
      .map(({ level, text: said, advice }) => `${level}: ${said}${advice === undefined ? '' : ` → ${advice}`}`);

  it('is in an ordinary container all that is good, in one order', () => {
    expect(adviceFor(plain)).toEqual([
      { level: 'good', area: 'kernel', text: 'a container of docker, Linux 6.1.0' },
      { level: 'good', area: 'pid 1', text: 'chaperone is PID 1' },
      { level: 'good', area: 'rights', text: `root, with ${all.size} capabilities` },
      { level: 'good', area: 'folders', text: '/dev, /run, /tmp, /var/log can be written' },
      { level: 'good', area: 'log', text: '/dev/log is served by chaperone' },
      { level: 'good', area: 'time zone', text: 'UTC, from /etc/localtime' },
      { level: 'good', area: 'limits', text: '1024 open files, 1048576 where a service asks for more' },
      {
        level: 'good',
        area: 'cgroup',
        text: 'version 2: memory without limit, processes without limit, processors without limit',
      },
    ]);
  });

  it('begins with the kernel, whoever is PID 1', () => {
    const { container: _, ...bare } = plain;
    const first = (kind: 'chaperone' | 'other' | 'unknown', elsewhere = false) =>
      adviceFor({ ...bare, init: { kind, program: '/sbin/init', elsewhere } }).slice(0, 2);
    const kernel = { level: 'good', area: 'kernel', text: 'Linux 6.1.0' };
    expect(first('chaperone')).toEqual([kernel, { level: 'good', area: 'pid 1', text: 'chaperone is PID 1' }]);
    expect(first('unknown')).toEqual([
      kernel,
      {
        level: 'note',
        area: 'pid 1',
        text: 'the program of PID 1 cannot be read',
        advice: 'run the doctor as root, or as the account of chaperone',
      },
    ]);
    expect(first('other')).toEqual([
      kernel,
      {
        level: 'note',
        area: 'pid 1',
        text: 'PID 1 is /sbin/init, and no chaperone runs here',
        advice: 'expected ENTRYPOINT ["/usr/local/bin/chaperone"]',
      },
    ]);
    expect(first('other', true)).toEqual([
      kernel,
      {
        level: 'note',
        area: 'pid 1',
        text: 'PID 1 is /sbin/init: chaperone works below it, and ends only its own descendants',
        advice: 'start the container without --init and --pid=host: chaperone is an init itself',
      },
    ]);
  });

  it('tells the rights of an account, the worst of its services first', () => {
    expect(
      found({ uid: 1000, capabilities: none, noNewPrivileges: true, seccomp: 'strict' }, 'rights', web('uid: www')),
    ).toEqual([
      'good: the account 1000, with no capabilities',
      'bad: web.service cannot be started as another account: chaperone lacks CAP_SETUID or CAP_SETGID → ' +
        'leave out uid and gid, run the container as root, or add the capabilities SETUID and SETGID',
      'bad: web.service cannot be stopped: chaperone lacks CAP_KILL → add the capability KILL to the container',
      'note: no_new_privileges is set: sudo, su and other setuid programs gain nothing → give services their account with uid',
      'bad: seccomp is in strict mode → start the container with another seccomp profile',
    ]);
    expect(found({ uid: 1000, capabilities: none }, 'rights', web('uid: joe'))).toEqual([
      'good: the account 1000, with no capabilities',
      'note: services run as the account of chaperone itself: it lacks CAP_SETUID → leave out uid and gid in services',
    ]);
    for (const only of ['SETUID', 'SETGID'])
      expect(
        found({ capabilities: { ...none, effective: new Set([only, 'KILL']) } }, 'rights', web('uid: www')),
      ).toContain(
        'bad: web.service cannot be started as another account: chaperone lacks CAP_SETUID or CAP_SETGID → ' +
          'leave out uid and gid, run the container as root, or add the capabilities SETUID and SETGID',
      );
  });

  it('names three services at most, and how many others there are', () => {
    const services = (count: number): string =>
      Array.from({ length: count }, (_, index) => `s${index}.service: { command: /bin/true, uid: www }`).join('\n');
    const stopped = (count: number): string | undefined =>
      told({ capabilities: { ...none, effective: new Set(['SETUID', 'SETGID']) } }, services(count))[0];
    expect(stopped(3)).toBe('rights: s0.service, s1.service, s2.service cannot be stopped: chaperone lacks CAP_KILL');
    expect(stopped(5)).toBe(
      'rights: s0.service, s1.service, s2.service and 2 more cannot be stopped: chaperone lacks CAP_KILL',
    );
  });

  it('tells which ports are low, where no service of the configuration wants one', () => {
    const poor = { uid: 1000, capabilities: none };
    const note =
      'note: ports below 1024 cannot be listened on → listen on 1024 or above, and publish that as the low port';
    expect(found(poor, 'ports')).toEqual([note]);
    expect(found(poor, 'ports', web('type: inetd, port: 1024'))).toEqual([note]);
    expect(found(poor, 'ports', web('type: inetd, port: 80, enabled: false'))).toEqual([note]);
    expect(found(poor, 'ports', web('type: inetd, port: 1023'))).toEqual([
      'bad: web.service cannot listen below port 1024 → ' +
        'choose a port of 1024 or above, or start the container with --sysctl net.ipv4.ip_unprivileged_port_start=0',
    ]);
    expect(found({}, 'ports', web('type: inetd, port: 80'))).toEqual([]);
  });

  it('tells of each folder what can be done with it', () => {
    const folders = [
      { path: '/a', state: 'made' },
      { path: '/b', state: 'absent' },
      { path: '/c', state: 'writable', free: 16 * 1024 ** 2 },
      { path: '/d', state: 'forbidden' },
      { path: '/e', state: 'writable', free: 16 * 1024 ** 2 - 1 },
      { path: '/f', state: 'writable', free: 1023 },
      { path: '/g', state: 'read-only', free: 0 },
      { path: '/h', state: 'writable', free: 0 },
    ] as const;
    const mount = (path: string): string =>
      `mount a volume or a tmpfs there, such as --tmpfs ${path}, where something needs it`;
    const rotate = 'rotate log files with max_size and keep, or mount more';
    expect(found({ folders }, 'folders')).toEqual([
      'good: /a, /c, /e, /f, /h can be written',
      `note: /b does not exist, and cannot be made → ${mount('/b')}`,
      `note: /d cannot be written by this account → ${mount('/d')}`,
      `note: /e has 16.0 MiB left → ${rotate}`,
      `note: /f has 1023 bytes left → ${rotate}`,
      `note: /g is read-only → ${mount('/g')}`,
      `note: /h has 0 bytes left → ${rotate}`,
    ]);
    expect(found({ folders: [] }, 'folders')).toEqual([]);
    expect(found({ folders: [{ path: '/b', state: 'absent' }] }, 'folders')).toHaveLength(1);
  });

  it('tells of log files after the folders, by the first folder that holds them', () => {
    const folders = [
      { path: '/var', state: 'read-only' },
      { path: '/var/log', state: 'forbidden' },
      { path: '/run', state: 'made' },
    ] as const;
    const text =
      'x.logging: { file: /var/log/x.log }\ny.logging: { file: /run/y.log }\nz.logging: { file: /varnish/z.log }';
    expect(found({ folders }, 'folders', text).slice(3)).toEqual([
      'bad: x.logging cannot write /var/log/x.log: /var is read-only → mount something at /var, or log with "stdout: true"',
    ]);
  });

  it('tells of the log socket where it is served, wanted and possible', () => {
    const dev = (state: 'writable' | 'read-only') =>
      ({
        folders: [
          { path: '/run', state: 'absent' },
          { path: '/dev', state },
        ],
      }) as const;
    expect(found({}, 'log', 'settings: { enable_syslog: false }')).toEqual([
      'good: enable_syslog is false: no log socket is wanted',
    ]);
    expect(found({ logSocket: 'other' }, 'log')).toEqual([
      'note: /dev/log belongs to another program → ' +
        'do not mount /dev/log of the host into the container, or set "enable_syslog: false"',
    ]);
    expect(found({ logSocket: 'absent', ...dev('writable') }, 'log')).toEqual(['good: chaperone will make /dev/log']);
    expect(found({ logSocket: 'absent', folders: [] }, 'log')).toEqual(['good: chaperone will make /dev/log']);
    expect(found({ logSocket: 'absent', ...dev('read-only') }, 'log')).toEqual([
      'note: there is no /dev/log, since /dev is read-only → ' +
        'let programs log to stdout, or set log_socket to a path that can be written',
    ]);
    expect(found({ logSocket: 'unknown' }, 'log')).toEqual([]);
  });

  it('tells of the time zone what is wrong with it, or where it is from', () => {
    const zone = { name: 'UTC', source: 'nothing' };
    const two = `${web('type: cron, interval: hourly')}\ndb.service: { command: /bin/true }`;
    const unsaid = 'note: schedules go by UTC: nothing says a time zone → set TZ, or timezone in the settings';
    expect(found({ zone }, 'time zone', two)).toEqual([unsaid]);
    expect(found({ zone }, 'time zone')).toEqual(['good: UTC, from nothing']);
    expect(found({ zone }, 'time zone', web('type: cron, interval: hourly, enabled: false'))).toEqual([
      'good: UTC, from nothing',
    ]);
    expect(found({}, 'time zone', two)).toEqual(['good: UTC, from /etc/localtime']);
    expect(found({ zone: { ...zone, problem: 'no such zone' } }, 'time zone', two)).toEqual([
      'bad: no such zone → install tzdata, or set TZ to a name or a rule such as CET-1CEST',
    ]);
  });

  it('tells of open files whether they are enough', () => {
    const files = (soft: number | undefined, hard: number | undefined) => ({
      limits: [
        { name: 'Max processes', soft: 1, hard: 1 },
        { name: 'Max open files', soft, hard },
      ],
    });
    const two = `${web('uid: www')}\ndb.service: { command: /bin/true }\nx.service: { command: /bin/true, enabled: false }`;
    expect(found(files(79, 79), 'limits', two)).toEqual([
      'bad: 79 open files are too few for 2 services → start the container with --ulimit nofile=160',
    ]);
    expect(found(files(80, 80), 'limits', two)).toEqual(['good: 80 open files, 80 where a service asks for more']);
    expect(found(files(undefined, undefined), 'limits', two)).toEqual([
      'good: unlimited open files, unlimited where a service asks for more',
    ]);
    expect(found({ limits: [] }, 'limits', two)).toEqual([]);
  });

  it('tells of the cgroup what it allows', () => {
    const cgroup = (changes: Partial<PlaceFacts['cgroup']>) => ({ cgroup: { ...plain.cgroup, ...changes } });
    const text = web('uid: www');
    expect(found(cgroup({ version: 1, processes: 9, memory: 3 * 1024 ** 4, processors: 2 }), 'cgroup', text)).toEqual([
      'good: version 1: 3.0 TiB of memory, 9 processes, 2 processors',
    ]);
    expect(found(cgroup({ memory: 1024 ** 3, processes: 8 }), 'cgroup', text)).toEqual([
      'good: version 2: 1.0 GiB of memory, 8 processes, processors without limit',
      "bad: 8 processes are too few for 1 services and chaperone's two → start the container with --pids-limit 36",
    ]);
    expect(found(cgroup({ version: 0 }), 'cgroup', text)).toEqual([
      'note: no cgroup can be seen: kills for lack of memory are not told apart → mount /sys/fs/cgroup read-only',
    ]);
  });
});

describe('what a service cannot get of a place', () => {
  const poor = { effective: new Set<string>(['CHOWN']), bounding: new Set<string>(['CHOWN']) };
  const refused = (resources: Resources, place: Partial<PlaceFacts> = {}): readonly Refusal[] =>
    resourcesRefused([serviceSpec({ name: 'web.service', resources })], { ...plain, capabilities: poor, ...place });

  it.each<[ResourceName, string]>([
    ['cpu', 'Max cpu time'],
    ['fsize', 'Max file size'],
    ['data', 'Max data size'],
    ['stack', 'Max stack size'],
    ['core', 'Max core file size'],
    ['rss', 'Max resident set'],
    ['nproc', 'Max processes'],
    ['nofile', 'Max open files'],
    ['memlock', 'Max locked memory'],
    ['as', 'Max address space'],
    ['locks', 'Max file locks'],
    ['sigpending', 'Max pending signals'],
    ['msgqueue', 'Max msgqueue size'],
    ['nice', 'Max nice priority'],
    ['rtprio', 'Max realtime priority'],
    ['rttime', 'Max realtime timeout'],
  ])('is more of the limit %s than the kernel calls %s', (name, title) => {
    const limits = [
      { name: 'Max something else', soft: 1, hard: 1 },
      { name: title, soft: 3, hard: 5 },
      { name: `${title} of others`, soft: 1, hard: 1 },
    ];
    expect(refused({ limits: [{ name, soft: 5, hard: 5 }] }, { limits })).toEqual([]);
    expect(refused({ limits: [{ name, soft: 2, hard: 6 }] }, { limits })).toEqual([
      {
        area: 'limits',
        text: `web.service cannot get the limit ${name} 2:6: the hard limit here is 5`,
        advice: 'start the container with a higher --ulimit, or ask for less',
      },
    ]);
    expect(refused({ limits: [{ name, soft: 2, hard: 6 }] }, { limits: [] })).toEqual([]);
    expect(
      refused({ limits: [{ name, soft: 2, hard: 6 }] }, { limits: [{ name: title, soft: 1, hard: undefined }] }),
    ).toEqual([]);
  });

  it('is a right that chaperone lacks, with an advice', () => {
    expect(refused({ nice: -1 })).toEqual([
      {
        area: 'rights',
        text: 'web.service cannot get nice -1: chaperone lacks CAP_SYS_NICE',
        advice: 'add the capability SYS_NICE to the container, or leave the directive out',
      },
    ]);
    expect(refused({ nice: 0, oomScoreAdjust: 0, supplementaryGroups: [] })).toEqual([]);
    expect(refused({})).toEqual([]);
    expect(refused({ supplementaryGroups: [5] }).map(({ text }) => text)).toEqual([
      'web.service cannot get supplementary_groups: chaperone lacks CAP_SETGID',
    ]);
    expect(refused({ capabilities: [1] })).toEqual([
      {
        area: 'rights',
        text: 'web.service cannot have the capability DAC_OVERRIDE: chaperone lacks it',
        advice: 'add the capability DAC_OVERRIDE to the container, or leave it out',
      },
      {
        area: 'rights',
        text: 'web.service cannot be confined to its capabilities: chaperone lacks CAP_SETPCAP',
        advice: 'add the capability SETPCAP to the container, or leave the directive out',
      },
    ]);
    // Chaperone holds no capability besides the one that the service keeps, so it needs no SETPCAP to take others away.
    expect(refused({ capabilities: [0] })).toEqual([]);
    const confining = { effective: new Set(['CHOWN', 'SETPCAP']), bounding: new Set(['CHOWN', 'SETPCAP']) };
    expect(refused({ capabilities: [0] }, { capabilities: confining })).toEqual([]);
  });
});

describe('the capabilities of a mask', () => {
  it('are those whose bits are set', () => {
    expect([...capabilitiesOf('0000000000000400')]).toEqual(['NET_BIND_SERVICE']);
    expect(all.size).toBe(capabilityNames.length);
    expect(capabilitiesOf('').size + capabilitiesOf('nonsense').size).toBe(0);
  });
});
