import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PlaceFacts } from '../../../src/model/place/place-facts.ts';
import { lookAtPlace } from '../../../src/runtime/linux/look-at-place.ts';

/** A file system with these files. */
function place(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'chaperone-place-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

function look(
  files: Readonly<Record<string, string>>,
  more: {
    readonly environment?: Readonly<Record<string, string>>;
    readonly isRunning?: boolean;
    readonly folders?: readonly string[];
  } = {},
): PlaceFacts {
  return lookAtPlace({ root: place(files), environment: {}, uid: 7, folders: [], isRunning: false, ...more });
}

const status = `Name:\tchaperone
Uid:\t1000\t1000\t1000\t1000
CapEff:\t0000000000000400
CapBnd:\t00000000a80425fb
NoNewPrivs:\t1
Seccomp:\t2
`;
const limits = `Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 4096                 files
`;

describe('the facts of a place', () => {
  it('are those of PID 1', () => {
    const facts = look({
      'proc/1/status': status,
      'proc/1/limits': limits,
      'proc/1/cmdline': '[chaperone] /usr/local/bin/chaperone --task x\0',
      'proc/sys/kernel/osrelease': '6.1.0\n',
      'proc/sys/net/ipv4/ip_unprivileged_port_start': '0\n',
      '.dockerenv': '',
    });
    expect(facts).toMatchObject({
      kernel: '6.1.0',
      container: 'docker',
      init: { kind: 'chaperone' },
      uid: 1000,
      noNewPrivileges: true,
      seccomp: 'filter',
      lowestPort: 0,
      limits: [
        { name: 'Max cpu time', soft: undefined, hard: undefined },
        { name: 'Max open files', soft: 1024, hard: 4096 },
      ],
    });
    expect([...facts.capabilities.effective]).toEqual(['NET_BIND_SERVICE']);
    expect(facts.capabilities.bounding.size).toBe(14);
  });

  it('tell another init from chaperone, and one above it', () => {
    const init = { 'proc/1/cmdline': '/sbin/docker-init\0--\0chaperone\0' };
    expect(look(init).init).toEqual({ kind: 'other', program: '/sbin/docker-init', elsewhere: false });
    expect(look(init, { isRunning: true }).init).toMatchObject({ kind: 'other', elsewhere: true });
    expect(look({ 'proc/1/cmdline': '/usr/local/bin/chaperone\0' }).init.kind).toBe('chaperone');
    expect(look({}).init.kind).toBe('unknown');
  });

  it.each([
    [{ KUBERNETES_SERVICE_HOST: '10.0.0.1', container: 'oci' }, {}, 'kubernetes'],
    [{ container: 'systemd-nspawn' }, {}, 'systemd-nspawn'],
    [{}, { 'run/.containerenv': '' }, 'podman'],
    [{}, { 'run/systemd/container': 'lxc\n' }, 'lxc'],
    [{}, {}, undefined],
  ])('name what made the container: %j %j', (environment, files, container) => {
    expect(look(files, { environment }).container).toBe(container);
  });

  it('read both versions of cgroups, and that there is none', () => {
    expect(
      look({
        'sys/fs/cgroup/cgroup.controllers': 'cpu memory pids',
        'proc/1/cgroup': '0::/\n',
        'sys/fs/cgroup/memory.max': '536870912\n',
        'sys/fs/cgroup/pids.max': 'max\n',
        'sys/fs/cgroup/cpu.max': '50000 100000\n',
      }).cgroup,
    ).toEqual({ version: 2, memory: 2 ** 29, processes: undefined, processors: 0.5 });
    expect(
      look({
        'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
        'sys/fs/cgroup/pids/pids.max': '64\n',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
      }).cgroup,
    ).toEqual({ version: 1, memory: undefined, processes: 64, processors: undefined });
    expect(look({}).cgroup.version).toBe(0);
  });

  it('tell folders that can be made from those that are there', () => {
    const { folders } = look({ 'tmp/x': '' }, { folders: ['/srv/logs/web', '/tmp/x/y'] });
    const stateOf = (path: string) => folders.find((folder) => folder.path === path)?.state;
    expect(stateOf('/tmp')).toBe('writable');
    expect(stateOf('/srv/logs/web')).toBe('made');
    // A file stands where a folder would have to be.
    expect(stateOf('/tmp/x/y')).toBe('forbidden');
  });

  it('tell where the time zone comes from', () => {
    expect(look({}).zone).toEqual({ name: 'UTC', source: 'nothing' });
    expect(look({}, { environment: { TZ: 'Europe/Berlin' } }).zone).toMatchObject({ name: 'Europe/Berlin' });
    expect(look({ 'etc/localtime': 'nonsense' }).zone.problem).toBeDefined();
  });

  it('take a log socket for that of chaperone where it is bound here and chaperone runs', () => {
    const bound = { 'dev/log': '', 'proc/net/unix': '0000: 00000002 00000000 00000000 0002 01 12345 /dev/log\n' };
    expect(look(bound, { isRunning: true }).logSocket).toBe('chaperone');
    expect(look(bound).logSocket).toBe('other');
    expect(look({ 'dev/log': '' }, { isRunning: true }).logSocket).toBe('other');
    expect(look({}).logSocket).toBe('absent');
  });
});
