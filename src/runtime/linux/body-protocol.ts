/** The protocol between body and brain, as native/body/protocol.h defines it: requests to bytes, and bytes to facts. */
import type { SpawnErrorStage } from '../../model/service/spawn-error.ts';
import { toBytes } from './byte-text.ts';
import { errnoName } from './errno-name.ts';

export const protocolVersion = 1;
/** The most bytes of a packet; a larger spawn request travels in a memory file. */
export const packetBytes = 32 * 1024;
const headerBytes = 16;

/** The stage at which a spawn failed, in the order of the stages. */
export type SpawnStage = Extract<
  SpawnErrorStage,
  'pipe' | 'clone' | 'group' | 'terminal' | 'stdio' | 'directory' | 'exec'
>;

const stages: readonly SpawnStage[] = ['pipe', 'clone', 'group', 'terminal', 'stdio', 'directory', 'exec'];
/** Stages from here on are steps, by their place in the request. */
const firstStep = 256;

const stepKinds = {
  limit: 0,
  nice: 1,
  oomScore: 2,
  processors: 3,
  bounding: 4,
  groups: 5,
  gid: 6,
  uid: 7,
  capabilities: 8,
  noNewPrivileges: 9,
  umask: 10,
} as const;

/** What the child does before its program; native/body/protocol.h says what the numbers mean. -1 is RLIM_INFINITY. */
export interface ChildStep {
  readonly kind: keyof typeof stepKinds;
  readonly which?: number;
  readonly first: number | bigint;
  readonly second?: number;
}

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
  /** In their order. */
  readonly steps: readonly ChildStep[];
  /** Supplementary groups, for the step that sets them; left alone where the process has exactly these already, in any order. */
  readonly groups?: readonly number[];
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
  | {
      readonly type: 'spawnFailed';
      readonly request: bigint;
      readonly code: string;
      /** A number: the index of the step that failed. */
      readonly stage: SpawnStage | number;
    }
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

const flags = { terminal: 1, directory: 2, inMemory: 4 } as const;

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

const spawnHeadBytes = 40;
const stepBytes = 24;

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

/** The program of a request without descriptors, for `as-service` (native/tools.h). */
export function encodeProgram(spawn: BodySpawn): Uint8Array {
  const { bytes, memory } = encodeSpawn(0n, { ...spawn, descriptors: new Map() });
  const head = bytes.subarray(headerBytes);
  return memory === undefined ? head : Uint8Array.from([...head, ...memory]);
}

function writeHead(view: DataView, spawn: BodySpawn, fits: boolean): void {
  const set =
    (spawn.terminal ? flags.terminal : 0) |
    (spawn.directory === undefined ? 0 : flags.directory) |
    (fits ? 0 : flags.inMemory);
  const numbers = [
    set,
    groupings[spawn.group],
    spawn.steps.length,
    spawn.groups?.length ?? 0,
    spawn.descriptors.size,
    spawn.argv.length,
    spawn.environment.length,
    spawn.pidVariables.length,
    spawn.kept?.length ?? 0,
    spawn.stopSignal ?? 0,
  ];
  numbers.forEach((each, index) => {
    view.setUint32(headerBytes + index * 4, each, true);
  });
}

/** What follows the head: steps, groups, descriptors, texts. */
function encodeRest(
  { groups = [], descriptors, steps }: BodySpawn,
  strings: Uint8Array,
): { readonly descriptors: readonly number[]; readonly rest: Uint8Array } {
  const size = steps.length * stepBytes + groups.length * 4 + descriptors.size * 8 + strings.length;
  const rest = new Uint8Array(size);
  const view = new DataView(rest.buffer);
  const passed: number[] = [];
  let at = 0;
  for (const { kind, which = 0, first, second = 0 } of steps) {
    view.setUint32(at, stepKinds[kind], true);
    view.setUint32(at + 4, which, true);
    view.setBigInt64(at + 8, BigInt(first), true);
    view.setBigInt64(at + 16, BigInt(second), true);
    at += stepBytes;
  }
  for (const group of groups) {
    view.setUint32(at, group, true);
    at += 4;
  }
  for (const [target, source] of descriptors) {
    view.setInt32(at, target, true);
    view.setInt32(at + 4, typeof source === 'number' ? passed.push(source) - 1 : -1 - source.body, true);
    at += 8;
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
        stage: stageOf(view.getUint32(28, true)),
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

function stageOf(number: number): SpawnStage | number {
  return number >= firstStep ? number - firstStep : (stages[number] ?? 'exec');
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
