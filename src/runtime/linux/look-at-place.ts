/** Reads what this place allows: `PlaceFacts`. Nothing is changed, and what cannot be read counts as unknown. */
import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Bound,
  capabilitiesOf,
  type FolderFacts,
  type LimitFacts,
  type PlaceFacts,
} from '../../model/place/place-facts.ts';
import { codeOf } from '../../model/words/errno.ts';
import { settledZone } from './time-zone.ts';

export interface PlaceQuestion {
  /** The file system to look at; `/` but in tests. */
  readonly root?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  /** Folders to look at besides the usual ones. */
  readonly folders: readonly string[];
  /** The socket of the running chaperone was found. */
  readonly isRunning: boolean;
}

const usualFolders = ['/dev', '/run', '/tmp', '/var/log', '/dev/shm'];

export function lookAtPlace({ root = '', environment, uid, folders, isRunning }: PlaceQuestion): PlaceFacts {
  const read = (path: string): string | undefined => readText(`${root}${path}`);
  // The rights of PID 1 are those that count; those of a doctor that may not read them are the next best.
  const status = read('/proc/1/status') ?? read('/proc/self/status') ?? '';
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]?.trim() ?? '';
  const container = containerOf(read, environment);
  return {
    kernel: read('/proc/sys/kernel/osrelease')?.trim() ?? 'unknown',
    ...(container === undefined ? {} : { container }),
    init: initOf(read, isRunning),
    uid: Number(/^\d+/.exec(field('Uid'))?.[0] ?? uid),
    capabilities: { effective: capabilitiesOf(field('CapEff')), bounding: capabilitiesOf(field('CapBnd')) },
    noNewPrivileges: field('NoNewPrivs') === '1',
    seccomp: ({ '0': 'off', '1': 'strict', '2': 'filter' } as const)[field('Seccomp')] ?? 'unknown',
    limits: limitsOf(read('/proc/1/limits') ?? read('/proc/self/limits') ?? ''),
    folders: [...new Set([...usualFolders, ...folders])].map((path) => folderFacts(root, path)),
    zone: zoneOf(root, environment['TZ']),
    cgroup: cgroupOf(read),
    lowestPort: Number(read('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024),
    logSocket: logSocketOf(root, isRunning, read),
  };
}

type Read = (path: string) => string | undefined;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function containerOf(read: Read, environment: PlaceQuestion['environment']): string | undefined {
  if (environment['KUBERNETES_SERVICE_HOST'] !== undefined) return 'kubernetes';
  const named = environment['container'] ?? read('/run/systemd/container')?.trim();
  if (named !== undefined && named !== '') return named === 'oci' ? 'podman' : named;
  if (read('/run/.containerenv') !== undefined) return 'podman';
  return read('/.dockerenv') === undefined ? undefined : 'docker';
}

/** The names under which chaperone's process with PID 1 is seen. */
const ownNames = /^(?:\[chaperone\]|chaperone)$/;

function initOf(read: Read, isRunning: boolean): PlaceFacts['init'] {
  const [program = ''] = (read('/proc/1/cmdline') ?? '').split(/[\0 ]/);
  const name = program.split('/').at(-1) ?? '';
  if (name === '') return { kind: 'unknown', program: 'unknown', elsewhere: false };
  if (ownNames.test(name)) return { kind: 'chaperone', program, elsewhere: false };
  return { kind: 'other', program, elsewhere: isRunning };
}

function limitsOf(text: string): readonly LimitFacts[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, name, soft, hard] = /^(Max [a-z -]*?[a-z])\s{2,}(\S+)\s+(\S+)/.exec(line) ?? [];
      return name === undefined ? [] : [{ name, soft: bound(soft), hard: bound(hard) }];
    });
}

/** `max` and `unlimited` are no bound, nor is a number so large that it stands for none. */
function bound(text: string | undefined): Bound {
  const value = Number(text?.trim() || Number.NaN);
  return Number.isFinite(value) && value >= 0 && value < 2 ** 60 ? value : undefined;
}

function folderFacts(root: string, path: string): FolderFacts {
  const full = `${root}${path}`;
  try {
    accessSync(full, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(full);
    return { path, state: 'writable', free: bavail * bsize };
  } catch (error) {
    switch (codeOf(error)) {
      case 'EROFS':
        return { path, state: 'read-only' };
      case 'ENOENT':
        return { path, state: mayMake(full) ? 'made' : 'absent' };
      default:
        return { path, state: 'forbidden' };
    }
  }
}

/** True where the nearest folder above that exists can be written. */
function mayMake(path: string): boolean {
  const above = dirname(path);
  try {
    accessSync(above, constants.W_OK | constants.X_OK);
    return true;
  } catch (error) {
    return codeOf(error) === 'ENOENT' && above !== path && mayMake(above);
  }
}

function zoneOf(root: string, given: string | undefined): PlaceFacts['zone'] {
  const localtime = `${root}/etc/localtime`;
  if (given === undefined && readText(localtime) === undefined) return { name: 'UTC', source: 'nothing' };
  const source = given === undefined ? '/etc/localtime' : `TZ=${given}`;
  const { zone, message } = settledZone(given, { localtime, zoneinfo: `${root}/usr/share/zoneinfo` });
  return { name: zone ?? given ?? 'UTC', source, ...(message === undefined ? {} : { problem: message.text }) };
}

function cgroupOf(read: Read): PlaceFacts['cgroup'] {
  const own = /^0::(.*)$/m.exec(read('/proc/1/cgroup') ?? read('/proc/self/cgroup') ?? '')?.[1];
  const unified = read('/sys/fs/cgroup/cgroup.controllers') !== undefined;
  if (unified) {
    const at = (file: string): string | undefined =>
      read(`/sys/fs/cgroup${own === undefined || own === '/' ? '' : own}/${file}`) ?? read(`/sys/fs/cgroup/${file}`);
    const [quota, period] = (at('cpu.max') ?? '').split(' ');
    return {
      version: 2,
      memory: bound(at('memory.max')),
      processes: bound(at('pids.max')),
      processors: share(quota, period),
    };
  }
  const memory = read('/sys/fs/cgroup/memory/memory.limit_in_bytes');
  const pids = read('/sys/fs/cgroup/pids/pids.max');
  const quota = read('/sys/fs/cgroup/cpu/cpu.cfs_quota_us');
  const period = read('/sys/fs/cgroup/cpu/cpu.cfs_period_us');
  const isThere = [memory, pids, quota].some((text) => text !== undefined);
  return { version: isThere ? 1 : 0, memory: bound(memory), processes: bound(pids), processors: share(quota, period) };
}

/** Processors, to two digits. */
function share(quota: string | undefined, period: string | undefined): Bound {
  const [time, every] = [bound(quota), bound(period)];
  return time === undefined || every === undefined || every === 0 ? undefined : Math.round((time / every) * 100) / 100;
}

function logSocketOf(root: string, isRunning: boolean, read: Read): PlaceFacts['logSocket'] {
  try {
    statSync(`${root}/dev/log`);
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'absent' : 'unknown';
  }
  // A socket of the host that is mounted into the container is bound in another network namespace, and not listed here.
  const isBound = /\s\/dev\/log$/m.test(read('/proc/net/unix') ?? '');
  return isRunning && isBound ? 'chaperone' : 'other';
}
