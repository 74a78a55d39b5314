import { chmodSync, closeSync, copyFileSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { NativeEdge, NativeExit, NativeSpawnOptions } from '../../../src/runtime/linux/native.ts';

// These tests do not use node:child_process: reap() takes every child, and libuv would wait for its own for ever.
const addon = join(import.meta.dirname, '../../../dist/edge.node');
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

export type Variations = Omit<Partial<NativeSpawnOptions>, 'argv' | 'file'>;

export function options(argv: readonly string[], variations: Variations = {}): NativeSpawnOptions {
  return {
    file: argv[0] ?? '',
    argv,
    environment,
    stdio: [devNull, devNull, devNull],
    group: 'session',
    ...variations,
  };
}

export function spawned(argv: readonly string[], variations: Variations = {}): number {
  const result = edge.spawn(options(argv, variations));
  if ('pid' in result) return result.pid;
  throw new Error(`cannot spawn ${argv[0]}: ${result.code} at ${result.stage}`);
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

export async function exitOf(pid: number): Promise<NativeExit> {
  return until(() => edge.reap(100).exits.find((exit) => exit.pid === pid));
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
    const pid = spawned(argv, { stdio: [devNull, writeEnd, writeEnd], ...variations });
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

export const publicAddon = join(scratch, 'edge.node');
copyFileSync(addon, publicAddon);

/** Runs a script that has `edge` and `options` in another Node; returns the value that it passes to `answer`. */
export async function inNode(
  script: string,
  variations: Variations = {},
  before: readonly string[] = [],
): Promise<unknown> {
  const prelude = `
    const edge = require(${JSON.stringify(publicAddon)});
    const devNull = require('node:fs').openSync('/dev/null', 'r+');
    const options = (argv, more) => ({ file: argv[0], argv, environment: [], stdio: [devNull, devNull, devNull],
      group: 'session', ...more });
    const answer = (value) => require('node:fs').writeSync(1, JSON.stringify(value));
  `;
  const node = [process.execPath, '-e', prelude + script];
  const { output } = await run([...before, ...node], variations);
  return JSON.parse(output) as unknown;
}

export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').sort();
}
