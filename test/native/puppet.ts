/** A body that a test has started, and whose brain is the test. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, onTestFinished } from 'vitest';
import {
  type BodyFact,
  type BodyRequest,
  type BodySpawn,
  decodeFact,
  encodeRequest,
  encodeSpawn,
} from '../../src/runtime/linux/body-protocol.ts';
import { loadEdge } from '../../src/runtime/linux/load-edge.ts';
import type { NativeWatch } from '../../src/runtime/linux/native.ts';
import { inDist } from '../dist.ts';
import { type Shorthand, stepped } from './steps.ts';

export const root = join(import.meta.dirname, '../..');
export const edge = loadEdge(inDist('edge.node'));
export const built = inDist('chaperone');
export const isRoot = process.getuid?.() === 0;
export const nobody = 65534;
export const devNull = openSync('/dev/null', 'r+');
export const scratch = mkdtempSync(join(tmpdir(), 'chaperone-body-'));
chmodSync(scratch, 0o755);
afterAll(() => rmSync(scratch, { recursive: true }));

/** Compiles C sources of the repository; the program lies in .cache/ and is made anew each time. */
export function compile(name: string, sources: readonly string[], flags: readonly string[] = []): string {
  const directory = join(root, '.cache/native-test', name);
  mkdirSync(directory, { recursive: true });
  const program = join(directory, 'chaperone');
  const { status, stderr } = spawnSync('cc', ['-std=c11', ...flags, ...sources, '-o', program], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`cannot compile ${name}: ${stderr}`);
  return program;
}

export const sanitizers = ['-O1', '-g', '-Idist', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];

export function sourcesOfBody(): string[] {
  const text = readFileSync(join(root, 'binding.gyp'), 'utf8');
  const target = text.slice(text.indexOf("'target_name': 'body'"));
  return [...target.matchAll(/'(native\/[^']+\.c)'/g)].map(([, path = '']) => path);
}

export interface Started {
  /** The command that starts the body: the words before the path of the body. */
  readonly wrapper?: readonly string[];
  readonly program?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** ms until a child is given up that somebody has stopped. */
  readonly patience?: number;
}

type Spawn = Partial<Omit<BodySpawn, 'argv'>> & Shorthand;

export class Puppet {
  readonly child: ChildProcess;
  readonly facts: BodyFact[] = [];
  readonly numbers: bigint[] = [];
  stderr = '';
  acknowledges = true;
  ended = false;
  number = 0n;
  readonly #fd: number;
  readonly #watch: NativeWatch;
  readonly #waiting = new Set<() => void>();
  readonly #buffer = new Uint8Array(64 * 1024);

  constructor({ wrapper = [], program = built, environment = {}, patience }: Started = {}) {
    const [own, others] = edge.packetPair();
    this.#fd = own;
    const [file = '', ...args] = [...wrapper, program];
    this.child = spawn(file, args, {
      stdio: ['ignore', 'ignore', 'pipe', others],
      env: {
        PATH: process.env['PATH'],
        _CHAPERONE_BRAIN_FD: '3',
        ...(patience === undefined ? {} : { _CHAPERONE_PATIENCE: String(patience) }),
        ...environment,
      },
    });
    closeSync(others);
    this.child.stderr?.on('data', (bytes) => {
      this.stderr += String(bytes);
      this.#look();
    });
    this.child.on('exit', () => this.#look());
    this.#watch = edge.watchReadable(own, () => {
      if (!this.#receive()) this.#watch.close();
      this.#look();
    });
    // The body ends its processes once the connection has ended.
    onTestFinished(async () => {
      this.close();
      this.child.kill('SIGCONT');
      if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Closes the connection, as the death of a brain does. */
  close(): void {
    this.#watch.close();
    if (!this.ended) closeSync(this.#fd);
    this.ended = true;
  }

  /** Facts stay unread from now on. */
  stopReading(): void {
    this.#watch.pause();
  }

  #receive(): boolean {
    for (;;) {
      const bytes = this.ended ? 0 : edge.receivePacket(this.#fd, this.#buffer);
      if (bytes < 0) break;
      if (bytes === 0) return false;
      const numbered = decodeFact(this.#buffer.subarray(0, bytes));
      if (numbered?.fact === undefined) throw new Error(`no fact: ${this.#buffer.subarray(0, bytes)}`);
      this.facts.push(numbered.fact);
      this.numbers.push(numbered.number);
    }
    const last = this.numbers.at(-1);
    if (this.acknowledges && last !== undefined) this.ask({ type: 'acknowledge', fact: last });
    return true;
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }

  /** The first defined value; asks again at each event of the body. */
  async until<T>(probe: () => T | undefined | false): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const value = probe();
        const died = this.child.exitCode !== null || this.child.signalCode !== null;
        if (value === undefined || value === false) {
          if (died)
            reject(new Error(`the body has ended: ${this.child.exitCode} ${this.child.signalCode} ${this.stderr}`));
          return;
        }
        this.#waiting.delete(look);
        resolve(value);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Sends one packet. Returns the errno, or 0. */
  async send(bytes: Uint8Array, descriptors: readonly number[] = []): Promise<number> {
    for (;;) {
      const errno = edge.sendPacket(this.#fd, bytes, descriptors);
      if (errno !== 11 && errno !== 109) return errno;
      await new Promise(setImmediate);
    }
  }

  ask(request: BodyRequest, descriptors: readonly number[] = []): bigint {
    this.number += 1n;
    void this.send(encodeRequest(this.number, request), descriptors);
    return this.number;
  }

  /** Returns the number of the request. */
  spawn(argv: readonly string[], more: Spawn = {}): bigint {
    this.number += 1n;
    const { bytes, memory, descriptors } = encodeSpawn(this.number, spawnOf(argv, more));
    const file = memory === undefined ? undefined : edge.memoryFile(memory);
    const errno = edge.sendPacket(this.#fd, bytes, file === undefined ? descriptors : [file, ...descriptors]);
    if (file !== undefined) closeSync(file);
    if (errno !== 0) throw new Error(`cannot send: ${errno}`);
    return this.number;
  }

  async verdict(request: bigint) {
    return this.until(() =>
      this.facts.find((fact) => (fact.type === 'spawned' || fact.type === 'spawnFailed') && fact.request === request),
    );
  }

  /** `CODE at STAGE`, or `runs`. */
  async outcome(request: bigint): Promise<string> {
    const fact = await this.verdict(request);
    return fact.type === 'spawnFailed' ? `${fact.code} at ${fact.stage}` : 'runs';
  }

  /** The exit of the process that this request has started, as wait(2) encodes it. */
  async exit(request: bigint) {
    return this.until(() => this.exits().find((exit) => exit.spawn === request));
  }

  exits() {
    return this.facts.flatMap((fact) => (fact.type === 'exits' ? fact.exits : []));
  }

  /** Proves that the body serves: a program is started, and ends with its status. */
  async serves(): Promise<void> {
    const request = this.spawn(['/bin/sh', '-c', 'exit 7']);
    const outcome = await this.outcome(request);
    if (outcome !== 'runs') throw new Error(`the body does not serve: ${outcome}`);
    const { status } = await this.exit(request);
    if (status !== 7 << 8) throw new Error(`wrong status ${status}`);
  }

  /** Asks again and again: for what has no events. */
  async untilAsked(probe: () => boolean): Promise<void> {
    while (!probe()) await this.serves();
  }

  /** Forgets the facts so far. */
  forget(): void {
    this.facts.length = 0;
    this.numbers.splice(0, this.numbers.length - 1);
  }

  descriptors(pid = this.pid): string[] {
    const directory = `/proc/${pid}/fd`;
    return readdirSync(directory)
      .flatMap((fd) => {
        try {
          return [`${fd} ${readlinkSync(`${directory}/${fd}`)}`];
        } catch {
          // It was closed meanwhile.
          return [];
        }
      })
      .sort();
  }

  /** The pids of its children, in the order of their starts. */
  children(): number[] {
    const text = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8');
    return text
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  }

  /** All facts so far have numbers that grow by one. */
  isGapless(): boolean {
    return this.numbers.every((number, index) => number === (this.numbers[0] ?? 0n) + BigInt(index));
  }

  async exitOfBody(): Promise<number> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode ?? -1;
  }
}

/** Nothing comes in or goes out but lines on the stderr of the body. */
export const toStderr: BodySpawn['descriptors'] = new Map<number, number | { readonly body: 2 }>([
  [0, devNull],
  [1, devNull],
  [2, { body: 2 }],
]);

export function spawnOf(argv: readonly string[], more: Spawn = {}): BodySpawn {
  return {
    file: argv[0] ?? '',
    argv,
    environment: [`PATH=${process.env['PATH'] ?? '/usr/bin:/bin'}`],
    descriptors: new Map([
      [0, devNull],
      [1, devNull],
      [2, devNull],
    ]),
    group: 'session',
    terminal: false,
    pidVariables: [],
    ...stepped(more),
  };
}
