import { spawn } from 'node:child_process';
import { chmodSync, closeSync, copyFileSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { Body, type BodyVerdict } from '../../../src/runtime/linux/body.ts';
import type { BodyExit, BodySpawn } from '../../../src/runtime/linux/body-protocol.ts';
import type { NativeEdge } from '../../../src/runtime/linux/native.ts';
import { answerOf } from '../../answer.ts';
import { inDist } from '../../dist.ts';
import { type Shorthand, stepped } from '../../native/steps.ts';

const dist = inDist();
const addon = join(dist, 'edge.node');
export const edge = createRequire(import.meta.url)(addon) as NativeEdge;

export const isRoot = process.getuid?.() === 0;
export const nobody = 65534;
export const scratch = mkdtempSync(join(tmpdir(), 'chaperone-native-'));
chmodSync(scratch, 0o755);
export const devNull = openSync('/dev/null', 'r+');

afterAll(() => {
  closeSync(devNull);
  rmSync(scratch, { recursive: true });
});

export const environment = [`PATH=${process.env['PATH'] ?? '/usr/bin:/bin'}`];

export interface Variations extends Omit<Partial<BodySpawn>, 'argv' | 'file' | 'descriptors'>, Shorthand {
  readonly stdio?: readonly [Source, Source, Source];
  /** What becomes 3, 4, and so on. */
  readonly descriptors?: readonly Source[];
}

type Source = number | { readonly body: 0 | 1 | 2 };

export function options(argv: readonly string[], variations: Variations = {}): BodySpawn {
  const { stdio = [devNull, devNull, devNull], descriptors = [], ...more } = variations;
  return {
    file: argv[0] ?? '',
    argv,
    environment,
    descriptors: new Map([...stdio, ...descriptors].map((source, target) => [target, source])),
    group: 'session',
    terminal: false,
    pidVariables: [],
    ...stepped(more),
  };
}

export const publicAddon = join(scratch, 'edge.node');
copyFileSync(addon, publicAddon);
const publicBody = join(scratch, 'chaperone');
copyFileSync(join(dist, 'chaperone'), publicBody);

/** A body, and what it has told. */
export interface TestedBody {
  readonly body: Body;
  readonly exits: Map<number, BodyExit>;
  /** The exits of each fact, in order. */
  readonly batches: (readonly BodyExit[])[];
  close(): void;
}

/** Starts a body through a command that ends with executing the words that are added to it, such as prlimit. */
export function startTestedBody(
  before: readonly string[] = [],
  account: { readonly uid?: number; readonly gid?: number } = {},
): TestedBody {
  const [own, others] = edge.packetPair();
  const [file = '', ...args] = [...before, publicBody];
  const child = spawn(file, args, {
    stdio: ['ignore', 'inherit', 'inherit', others],
    env: { _CHAPERONE_BRAIN_FD: '3' },
    ...account,
  });
  closeSync(others);
  if (child.pid === undefined) throw new Error(`cannot start ${file}`);
  const body = new Body(edge, own, child.pid);
  const exits = new Map<number, BodyExit>();
  const batches: (readonly BodyExit[])[] = [];
  body.facts$.subscribe((fact) => {
    if (fact.type !== 'exits') return;
    batches.push(fact.exits);
    for (const exit of fact.exits) exits.set(exit.pid, exit);
  });
  return { body, exits, batches, close: () => child.kill('SIGKILL') };
}

export const tested = startTestedBody();
afterAll(() => tested.close());

export function verdictOf(
  argv: readonly string[],
  variations: Variations = {},
  { body }: Pick<TestedBody, 'body'> = tested,
): Promise<BodyVerdict> {
  return new Promise((resolve) => body.spawn(options(argv, variations), resolve));
}

export async function spawned(
  argv: readonly string[],
  variations: Variations = {},
  by: Pick<TestedBody, 'body'> = tested,
): Promise<number> {
  const verdict = await verdictOf(argv, variations, by);
  if (verdict.ok) return verdict.pid;
  throw new Error(`cannot spawn ${argv[0]}: ${verdict.code} at ${verdict.stage}`);
}

export async function until<T>(condition: () => T | undefined | false): Promise<T> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const value = condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

export function exitOf(pid: number, { exits }: Pick<TestedBody, 'exits'> = tested): Promise<BodyExit> {
  return until(() => exits.get(pid));
}

/** The status that a program ends with by itself, as wait(2) encodes it. */
export function exited(code: number): number {
  return code << 8;
}

export async function readAll(fd: number): Promise<string> {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  await until(() => {
    const { bytes, ended } = edge.readNow(fd, buffer);
    text += buffer.toString('utf8', 0, bytes);
    return ended;
  });
  closeSync(fd);
  return text;
}

/** Runs a program to its end, with its standard output and standard error on one pipe. */
export async function run(argv: readonly string[], variations: Variations = {}) {
  const { readEnd, writeEnd } = edge.pipe();
  try {
    const pid = await spawned(argv, { stdio: [devNull, writeEnd, writeEnd], ...variations });
    closeSync(writeEnd);
    const output = await readAll(readEnd);
    return { pid, output, exit: await exitOf(pid) };
  } catch (error) {
    for (const fd of [readEnd, writeEnd]) {
      try {
        closeSync(fd);
      } catch {
        // The descriptor was closed before the failure.
      }
    }
    throw error;
  }
}

/** Runs a script that has `edge` in another Node; returns the value that it passes to `answer`. */
export async function inNode(script: string, variations: Variations = {}): Promise<unknown> {
  const prelude = `
    const edge = require(${JSON.stringify(publicAddon)});
    const answer = (value) => require('node:fs').writeSync(1, JSON.stringify(value));
  `;
  const { output, exit } = await run([process.execPath, '-e', prelude + script], variations);
  return answerOf(output, '', exit);
}

export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').sort();
}
