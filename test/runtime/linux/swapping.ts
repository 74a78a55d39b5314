/** Another account that swaps names in a folder of its own as fast as it can, while a test works in that folder. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export const isRoot = process.getuid?.() === 0;
export const stranger = 1000;

export interface Scene {
  /** A folder of the stranger. */
  readonly theirs: string;
  /** A folder of root's, with the file `secret`. */
  readonly roots: string;
  /** What must not change: names, content, owners and modes of root's folder. */
  readonly state: () => unknown;
}

export function scene(): Scene {
  const base = mkdtempSync(join(tmpdir(), 'chaperone-swap-'));
  onTestFinished(() => rmSync(base, { recursive: true, force: true }));
  chmodSync(base, 0o755);
  const theirs = join(base, 'theirs');
  const roots = join(base, 'roots');
  mkdirSync(theirs);
  chownSync(theirs, stranger, stranger);
  mkdirSync(roots);
  writeFileSync(join(roots, 'secret'), 'precious\n', { mode: 0o644 });
  const state = (): unknown => {
    const [folder, file] = [statSync(roots), statSync(join(roots, 'secret'))];
    return {
      names: readdirSync(roots),
      content: readFileSync(join(roots, 'secret'), 'utf8'),
      folder: [folder.uid, folder.gid, folder.mode],
      file: [file.uid, file.gid, file.mode],
    };
  };
  return { theirs, roots, state };
}

/**
 * Runs the body of a loop in Node as the stranger, with the folders as `theirs` and `roots`, the module `fs`, `turn` (0, 1,
 * 2 …), and `quietly(action)`. Resolves once it has run some times. It ends with the test, or after 20 s.
 */
export async function swap({ theirs, roots }: Scene, body: string): Promise<() => Promise<void>> {
  const script = `
    const fs = require('fs'), theirs = process.argv[1], roots = process.argv[2];
    // Each state of the folder lasts a while of random length, since a test rarely meets one that the next step ends at once.
    const quietly = (action) => {
      try { action(); } catch {}
      for (const until = performance.now() + Math.random() * 0.2; performance.now() < until; );
    };
    const end = Date.now() + 20_000;
    for (let turn = 0; Date.now() < end; turn++) {
      ${body}
      if (turn === 50) fs.writeSync(1, 'ready');
    }`;
  const child: ChildProcess = spawn(process.execPath, ['-e', script, theirs, roots], {
    uid: stranger,
    gid: stranger,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  onTestFinished(stop);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.on('error', reject);
    child.on('close', () => reject(new Error('the swapping account has ended')));
  });
  return stop;
}

/** ms in which an action is repeated, and at most until the race is known to have taken place. */
const usual = 2_000;
const longest = 15_000;

/**
 * Repeats an action for 2 s, and longer where no try has ended as it has to end where the race took place. Counts how each
 * try has ended: `done`, the code that it returns, or the code of its error.
 */
export async function tryOften(action: () => unknown, expected?: string): Promise<ReadonlyMap<string, number>> {
  const outcomes = new Map<string, number>();
  const begin = performance.now();
  const isOver = (): boolean => {
    const passed = performance.now() - begin;
    return passed > longest || (passed > usual && (expected === undefined || outcomes.has(expected)));
  };
  while (!isOver()) {
    let outcome = 'done';
    try {
      const result = await action();
      if (typeof result === 'string') outcome = result;
    } catch (error) {
      outcome = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return outcomes;
}
