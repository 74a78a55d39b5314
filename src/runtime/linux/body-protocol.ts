/** The protocol between body and brain, as native/body/protocol.h defines it: requests to bytes, and bytes to facts. */
import type { SpawnErrorStage } from '../../model/service/spawn-error.ts';
import { toBytes } from './byte-text.ts';
import { errnoName } from './errno-name.ts';

export const protocolVersion = 1;
/** The most bytes of a packet; a larger spawn request travels in a memory file. */
export const packetBytes = 32 * 1024;
const headerBytes = 16;

/** The stage at which a spawn failed, in the order of the stages. */
export type SpawnStage = Exclude<SpawnErrorStage, 'lookup' | 'notify'>;

const stages: readonly SpawnStage[] = [
  'pipe',
  'clone',
  'group',
  'terminal',
  'stdio',
  'limit',
  'groups',
  'gid',
  'uid',
  'directory',
  'exec',
];

/** RLIM_INFINITY is -1. */
export interface ResourceLimit {
  /** The number of setrlimit(2). */
  readonly resource: number;
  readonly soft: number;
  readonly hard: number;
}

export const descriptorResource = 7;

export interface BodySpawn {
  /** The program's path for execve(2): it contains a slash. */
  readonly file: string;
  readonly argv: readonly string[];
  /** `NAME=value` strings. */
  readonly environment: readonly string[];
  /** The process's descriptors by number: one of chaperone's, or the body's own 0, 1 or 2. Others are closed. */
  readonly descriptors: ReadonlyMap<number, number | { readonly body: 0 | 1 | 2 }>;
  /** Reading ends of the process's pipes: the body keeps them open as well, until the process has ended. */
  readonly kept?: readonly number[];
  /** The number of the signal with which the body ends the process where chaperone cannot; absent: SIGTERM. */
  readonly stopSignal?: number;
  /** Absent: chaperone's own working directory. */
  readonly directory?: string;
  /** `session` (setsid), `group` (setpgid), or `none`: the process stays in chaperone's group. */
  readonly group: 'session' | 'group' | 'none';
  /** True: the process's group becomes the foreground group of the terminal that is the body's stdin; needs group `group`. */
  readonly terminal: boolean;
  readonly uid?: number;
  readonly gid?: number;
  /** Supplementary groups; left alone where the process has exactly these already, in any order. */
  readonly groups?: readonly number[];
  readonly umask?: number;
  readonly nice?: number;
  readonly limits: readonly ResourceLimit[];
  readonly noNewPrivileges?: boolean;
  /** Bit masks of capabilities(7): those that are kept in the bounding set, and those that are raised in the ambient set. */
  readonly capabilities?: { readonly bounding: bigint; readonly ambient: bigint };
  /** Names of variables whose value is the process's own pid, whatever `environment` says. */
  readonly pidVariables: readonly string[];
}

export interface Target {
  readonly pid: number;
  readonly group: boolean;
  /** The number of the spawn request that has started the process; 0 where it is another process. */
  readonly spawn: bigint;
}

export type BodyRequest =
  | { readonly type: 'hello'; readonly budget: number; readonly words: boolean }
  | { readonly type: 'signal'; readonly signal: number; readonly targets: readonly Target[] }
  | { readonly type: 'signalAll'; readonly signal: number }
  | { readonly type: 'acknowledge'; readonly fact: bigint }
  /** ms that a stop may take from its signal on. */
  | { readonly type: 'budget'; readonly budget: number }
  | { readonly type: 'end'; readonly status: number }
  | { readonly type: 'watchAlone' }
  /** Kills a child that is still on its way to its program. `spawn`: the number of the request that has started it. */
  | { readonly type: 'cancel'; readonly spawn: bigint };

export interface BodyExit {
  /** The number of the spawn request that has started the process; 0 for an orphan. */
  readonly spawn: bigint;
  readonly pid: number;
  /** As wait(2) encodes it. */
  readonly status: number;
  /** ms and KiB. */
  readonly userTime: number;
  readonly systemTime: number;
  readonly maxRss: number;
}

export type BodyFact =
  | {
      readonly type: 'welcome';
      readonly pid: number;
      readonly version: number;
      readonly subreaperError: string | undefined;
      /** How many spawns may be without a verdict at once; further ones fail. */
      readonly spawnsAtOnce: number;
    }
  | { readonly type: 'signal'; readonly signal: number }
  | { readonly type: 'spawned'; readonly request: bigint; readonly pid: number }
  | { readonly type: 'spawnFailed'; readonly request: bigint; readonly code: string; readonly stage: SpawnStage }
  | { readonly type: 'exits'; readonly exits: readonly BodyExit[] }
  | { readonly type: 'alone' }
  /** For each target of the request, in its order: undefined, or the errno's name. */
  | { readonly type: 'signalled'; readonly request: bigint; readonly errors: readonly (string | undefined)[] };

const requestTypes = {
  hello: 1,
  spawn: 2,
  signal: 3,
  signalAll: 4,
  acknowledge: 5,
  budget: 6,
  end: 7,
  watchAlone: 8,
  cancel: 9,
} as const;

const flags = {
  uid: 1,
  gid: 2,
  groups: 4,
  umask: 8,
  nice: 16,
  terminal: 32,
  directory: 64,
  noNewPrivileges: 128,
  capabilities: 256,
  inMemory: 512,
} as const;

const groupings = { session: 0, group: 1, none: 2 } as const;

function packet(type: keyof typeof requestTypes, number: bigint, bodyBytes: number, count = 0): [Uint8Array, DataView] {
  const bytes = new Uint8Array(headerBytes + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, number, true);
  view.setUint32(8, requestTypes[type], true);
  view.setUint32(12, count, true);
  return [bytes, view];
}

/** Writes every request but a spawn. */
export function encodeRequest(number: bigint, request: BodyRequest): Uint8Array {
  switch (request.type) {
    case 'hello': {
      const [bytes, view] = packet('hello', number, 16);
      view.setUint32(16, protocolVersion, true);
      view.setUint32(20, request.budget, true);
      view.setUint32(24, request.words ? 1 : 0, true);
      return bytes;
    }
    case 'signal': {
      const { targets, signal } = request;
      const [bytes, view] = packet('signal', number, 8 + targets.length * 16, targets.length);
      view.setInt32(16, signal, true);
      targets.forEach(({ pid, group, spawn }, index) => {
        view.setBigUint64(24 + index * 16, spawn, true);
        view.setInt32(32 + index * 16, pid, true);
        view.setUint32(36 + index * 16, group ? 1 : 0, true);
      });
      return bytes;
    }
    case 'signalAll': {
      const [bytes, view] = packet('signalAll', number, 8);
      view.setInt32(16, request.signal, true);
      return bytes;
    }
    case 'acknowledge': {
      const [bytes, view] = packet('acknowledge', number, 8);
      view.setBigUint64(16, request.fact, true);
      return bytes;
    }
    case 'cancel': {
      const [bytes, view] = packet('cancel', number, 8);
      view.setBigUint64(16, request.spawn, true);
      return bytes;
    }
    case 'budget':
    case 'end': {
      const [bytes, view] = packet(request.type, number, 4);
      view.setUint32(16, request.type === 'budget' ? request.budget : request.status, true);
      return bytes;
    }
    case 'watchAlone':
      return packet('watchAlone', number, 0)[0];
  }
}

/** A spawn request in bytes: `memory` is what does not fit into the packet, for a memory file. */
export interface EncodedSpawn {
  readonly bytes: Uint8Array;
  readonly memory: Uint8Array | undefined;
  /** The descriptors that go with it, after that of the memory file. */
  readonly descriptors: readonly number[];
}

const spawnHeadBytes = 72;

export function encodeSpawn(number: bigint, spawn: BodySpawn): EncodedSpawn {
  const texts = [
    spawn.file,
    ...(spawn.directory === undefined ? [] : [spawn.directory]),
    ...spawn.argv,
    ...spawn.environment,
    ...spawn.pidVariables,
  ];
  const strings = toBytes(`${texts.join('\0')}\0`);
  const { descriptors, rest } = encodeRest(spawn, strings);
  const fits = headerBytes + spawnHeadBytes + rest.length <= packetBytes;
  const [bytes, view] = packet('spawn', number, spawnHeadBytes + (fits ? rest.length : 0));
  writeHead(view, spawn, fits);
  if (fits) bytes.set(rest, headerBytes + spawnHeadBytes);
  return { bytes, memory: fits ? undefined : rest, descriptors: [...descriptors, ...(spawn.kept ?? [])] };
}

function writeHead(view: DataView, spawn: BodySpawn, fits: boolean): void {
  const { uid, gid, umask, nice, groups, capabilities } = spawn;
  const set =
    (uid === undefined ? 0 : flags.uid) |
    (gid === undefined ? 0 : flags.gid) |
    (groups === undefined ? 0 : flags.groups) |
    (umask === undefined ? 0 : flags.umask) |
    (nice === undefined ? 0 : flags.nice) |
    (spawn.terminal ? flags.terminal : 0) |
    (spawn.directory === undefined ? 0 : flags.directory) |
    (spawn.noNewPrivileges === true ? flags.noNewPrivileges : 0) |
    (capabilities === undefined ? 0 : flags.capabilities) |
    (fits ? 0 : flags.inMemory);
  const numbers = [
    set,
    groupings[spawn.group],
    uid ?? 0,
    gid ?? 0,
    umask ?? 0,
    nice ?? 0,
    groups?.length ?? 0,
    spawn.descriptors.size,
    spawn.limits.length,
    spawn.argv.length,
    spawn.environment.length,
    spawn.pidVariables.length,
  ];
  numbers.forEach((each, index) => {
    view.setUint32(headerBytes + index * 4, each, true);
  });
  view.setBigUint64(headerBytes + 48, capabilities?.bounding ?? 0n, true);
  view.setBigUint64(headerBytes + 56, capabilities?.ambient ?? 0n, true);
  view.setUint32(headerBytes + 64, spawn.kept?.length ?? 0, true);
  view.setUint32(headerBytes + 68, spawn.stopSignal ?? 0, true);
}

/** What follows the head: groups, descriptors, limits, texts. */
function encodeRest(
  { groups = [], descriptors, limits }: BodySpawn,
  strings: Uint8Array,
): { readonly descriptors: readonly number[]; readonly rest: Uint8Array } {
  const size = groups.length * 4 + descriptors.size * 8 + limits.length * 24 + strings.length;
  const rest = new Uint8Array(size);
  const view = new DataView(rest.buffer);
  const passed: number[] = [];
  let at = 0;
  for (const group of groups) {
    view.setUint32(at, group, true);
    at += 4;
  }
  for (const [target, source] of descriptors) {
    view.setInt32(at, target, true);
    view.setInt32(at + 4, typeof source === 'number' ? passed.push(source) - 1 : -1 - source.body, true);
    at += 8;
  }
  for (const { resource, soft, hard } of limits) {
    view.setUint32(at, resource, true);
    view.setBigInt64(at + 8, BigInt(soft), true);
    view.setBigInt64(at + 16, BigInt(hard), true);
    at += 24;
  }
  rest.set(strings, at);
  return { descriptors: passed, rest };
}

export interface NumberedFact {
  readonly number: bigint;
  /** Undefined for a packet that is no fact of this version. */
  readonly fact: BodyFact | undefined;
}

/** Reads one packet. Undefined where it is too short for a header. */
export function decodeFact(bytes: Uint8Array): NumberedFact | undefined {
  if (bytes.length < headerBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const number = view.getBigUint64(0, true);
  try {
    return { number, fact: readFact(view, view.getUint32(8, true), view.getUint32(12, true)) };
  } catch (error) {
    if (error instanceof RangeError) return { number, fact: undefined };
    throw error;
  }
}

/** @throws RangeError where the packet is too short */
function readFact(view: DataView, type: number, count: number): BodyFact | undefined {
  switch (type) {
    case 1:
      return {
        type: 'welcome',
        pid: view.getInt32(16, true),
        version: view.getUint32(20, true),
        subreaperError: errorName(view.getInt32(24, true)),
        spawnsAtOnce: view.getUint32(28, true),
      };
    case 2:
      return { type: 'signal', signal: view.getUint32(16, true) };
    case 3:
      return { type: 'spawned', request: view.getBigUint64(16, true), pid: view.getInt32(24, true) };
    case 4:
      return {
        type: 'spawnFailed',
        request: view.getBigUint64(16, true),
        code: errorName(view.getInt32(24, true)) ?? 'EIO',
        stage: stages[view.getUint32(28, true)] ?? 'exec',
      };
    case 5:
      return { type: 'exits', exits: Array.from({ length: count }, (_, index) => readExit(view, 16 + index * 40)) };
    case 6:
      return { type: 'alone' };
    case 7:
      return {
        type: 'signalled',
        request: view.getBigUint64(16, true),
        errors: Array.from({ length: count }, (_, index) => errorName(view.getInt32(24 + index * 4, true))),
      };
    default:
      return undefined;
  }
}

function readExit(view: DataView, at: number): BodyExit {
  return {
    spawn: view.getBigUint64(at, true),
    pid: view.getInt32(at + 8, true),
    status: view.getInt32(at + 12, true),
    userTime: Number(view.getBigUint64(at + 16, true)) / 1000,
    systemTime: Number(view.getBigUint64(at + 24, true)) / 1000,
    maxRss: Number(view.getBigUint64(at + 32, true)),
  };
}

/** Undefined for 0. */
function errorName(errno: number): string | undefined {
  return errno === 0 ? undefined : errnoName(errno);
}
