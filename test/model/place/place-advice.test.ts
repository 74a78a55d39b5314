import { describe, expect, it } from 'vitest';
import { adviceFor, type Finding } from '../../../src/model/place/place-advice.ts';
import { capabilitiesOf, type PlaceFacts } from '../../../src/model/place/place-facts.ts';
import { capabilityNames } from '../../../src/model/service/resources.ts';
import { specOf } from '../../config/loading.ts';

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

describe('the capabilities of a mask', () => {
  it('are those whose bits are set', () => {
    expect([...capabilitiesOf('0000000000000400')]).toEqual(['NET_BIND_SERVICE']);
    expect(all.size).toBe(capabilityNames.length);
    expect(capabilitiesOf('').size + capabilitiesOf('nonsense').size).toBe(0);
  });
});
