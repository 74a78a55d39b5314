import { describe, expect, it } from 'vitest';
import { capabilityNames } from '../../src/model/service/resources.ts';
import { errorsOf, serviceOf } from './loading.ts';

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;
const resources = (more: string, environment: Readonly<Record<string, string>> = {}) =>
  serviceOf(web(more), { environment }).resources;

describe('limits', () => {
  const limits = (more: string) => resources(`limits: { ${more} }`)?.limits;

  it.each([
    ['nofile: 1024', 'nofile', 1024, 1024],
    ['nofile: "1024:4096"', 'nofile', 1024, 4096],
    ['nofile: 1024:4096', 'nofile', 1024, 4096],
    ['NOFILE: 10', 'nofile', 10, 10],
    ['nproc: unlimited', 'nproc', -1, -1],
    ['nproc: 100:unlimited', 'nproc', 100, -1],
    ['core: 0', 'core', 0, 0],
    ['as: 2G', 'as', 2 * 1024 ** 3, 2 * 1024 ** 3],
    ['data: 512k:1T', 'data', 512 * 1024, 1024 ** 4],
    ['cpu: 1m30s', 'cpu', 90, 90],
    ['rttime: 20ms', 'rttime', 20_000, 20_000],
    ['memlock: infinity', 'memlock', -1, -1],
  ])('reads %s', (text, name, soft, hard) => {
    expect(limits(text)).toEqual([{ name, soft, hard }]);
  });

  it('may come from variables, and count as not given where those are empty', () => {
    expect(resources('limits: { nofile: "$(N):4096" }', { N: '7' })?.limits).toEqual([
      { name: 'nofile', soft: 7, hard: 4096 },
    ]);
    expect(resources('limits: { nofile: "$(N:-)" }')).toBeUndefined();
    expect(resources('limits: {}')).toBeUndefined();
  });

  it.each([
    ['nofiles: 10', 'limits of web.service has the unknown limit "nofiles"', 'did you mean "nofile"?'],
    ['nofile: many', 'nofile in limits of web.service is no limit: "many"', 'expected a number, "unlimited"'],
    ['nofile: 2G', 'nofile in limits of web.service is no limit: "2G"', 'expected a number, "unlimited"'],
    ['as: 2X', 'as in limits of web.service is no limit: "2X"', 'with or without K, M, G or T'],
    ['nofile: -1', 'nofile in limits of web.service is no limit: "-1"', '"unlimited"'],
    ['nofile: 1:2:3', 'is no limit: "1:2:3"', 'SOFT:HARD'],
    ['nofile: "1:"', 'is no limit: "1:"', 'SOFT:HARD'],
    ['nofile: 10:5', 'is larger than its hard limit: "10:5"', 'SOFT:HARD'],
    ['nofile: unlimited:5', 'is larger than its hard limit: "unlimited:5"', 'SOFT:HARD'],
    ['nofile: 99999999999999999999', 'is no limit', ''],
    ['nofile: [1]', 'nofile in limits of web.service is a list', 'expected text'],
  ])('refuses %s', (text, message, hint) => {
    const errors = errorsOf(web(`limits: { ${text} }`));
    expect(errors).toContain(message);
    expect(errors).toContain(hint);
  });

  it('are a map', () => {
    expect(errorsOf(web('limits: nofile'))).toContain('limits of web.service is "nofile" and not a map');
  });
});

describe('priorities and rights', () => {
  it.each([
    ['nice: -5', { nice: -5 }],
    ['nice: 19', { nice: 19 }],
    ['oom_score_adjust: -1000', { oomScoreAdjust: -1000 }],
    ['umask: 027', { umask: 0o27 }],
    ['umask: "0077"', { umask: 0o77 }],
    ['umask: 7', { umask: 7 }],
    ['umask: 0o22', { umask: 0o22 }],
    ['no_new_privileges: true', { noNewPrivileges: true }],
    ['no_new_privileges: false', undefined],
    ['cpu_affinity: 0', { cpuAffinity: [0] }],
    ['cpu_affinity: [3, 1, "5-6"]', { cpuAffinity: [1, 3, 5, 6] }],
    ['cpu_affinity: "0-2, 1"', { cpuAffinity: [0, 1, 2] }],
    ['capabilities: []', { capabilities: [] }],
    ['capabilities: ""', { capabilities: [] }],
    ['capabilities: [NET_BIND_SERVICE, cap_chown]', { capabilities: [0, 10] }],
    ['capabilities: "CHECKPOINT_RESTORE"', { capabilities: [40] }],
    ['supplementary_groups: [adm, 4, 777]', { supplementaryGroups: [4, 777] }],
    ['supplementary_groups: adm', { supplementaryGroups: [4] }],
  ])('reads %s', (text, expected) => {
    expect(resources(text)).toEqual(expected);
  });

  it('may come from variables', () => {
    const environment = { NICE: '3', CPUS: '0-1', CAPS: 'KILL,CHOWN', NONE: '' };
    expect(resources('nice: $(NICE), cpu_affinity: $(CPUS), capabilities: $(CAPS)', environment)).toEqual({
      nice: 3,
      cpuAffinity: [0, 1],
      capabilities: [0, 5],
    });
    // What names no capability takes them all away.
    expect(resources('nice: $(NONE), capabilities: $(NONE)', environment)).toEqual({ capabilities: [] });
  });

  it.each([
    ['nice: 20', 'nice of web.service is out of range: "20"', 'expected a whole number from -20 to 19'],
    ['oom_score_adjust: 1001', 'is out of range', 'from -1000 to 1000'],
    ['umask: 0888', 'umask of web.service is no umask: "0888"', 'expected octal digits'],
    ['umask: u=rwx', 'is no umask', 'expected octal digits'],
    ['cpu_affinity: 3-1', 'cpu_affinity of web.service names no processor: "3-1"', 'such as 0 or 0-3'],
    ['cpu_affinity: 9000', 'names no processor', 'up to 8191'],
    ['cpu_affinity: { 0: 1 }', 'is a map', 'expected text, or a list of texts'],
    ['capabilities: [NET_BIND_SERVCE]', 'names no capability: "NET_BIND_SERVCE"', 'did you mean "NET_BIND_SERVICE"?'],
    ['capabilities: [[KILL]]', 'capabilities of web.service holds a list', 'expected text'],
    [
      'supplementary_groups: [nobodys]',
      'names no group of this system: "nobodys"',
      'expected a group name or a number',
    ],
    ['no_new_privileges: perhaps', 'is neither true nor false', ''],
  ])('refuses %s', (text, message, hint) => {
    const errors = errorsOf(web(text));
    expect(errors).toContain(message);
    expect(errors).toContain(hint);
  });

  it('of a disabled service may name groups that are not there', () => {
    expect(resources('enabled: false, supplementary_groups: nobodys')).toBeUndefined();
  });

  it('are for every type', () => {
    const all = 'nice: 1, capabilities: [], limits: { core: 0 }, no_new_privileges: true';
    for (const type of ['simple', 'forking', 'oneshot', 'notify', 'inetd, port: 80', 'cron, interval: hourly'])
      expect(resources(`type: ${type}, ${all}`)).toMatchObject({ nice: 1, capabilities: [] });
  });

  it('have the names of the kernel, by number', () => {
    expect([capabilityNames.indexOf('SYS_ADMIN'), capabilityNames.indexOf('BPF'), capabilityNames.length]).toEqual([
      21, 39, 41,
    ]);
  });
});
