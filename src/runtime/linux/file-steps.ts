/**
 * Calls of the file system as steps of a generator, so that one procedure can be run in two ways: at once, where chaperone
 * has to wait for it anyway, or by threads of libuv's pool, where a slow disk must not hold up anything else.
 */
import {
  fchmod,
  fchmodSync,
  fchown,
  fchownSync,
  fstat,
  fstatSync,
  ftruncate,
  ftruncateSync,
  lstat,
  lstatSync,
  mkdir,
  mkdirSync,
  open,
  openSync,
  readdir,
  readdirSync,
  readlink,
  readlinkSync,
  type Stats,
  unlink,
  unlinkSync,
} from 'node:fs';
import { promisify } from 'node:util';

/** One call. The generator that yields it gets its result, or its error as an exception. */
interface FileCall {
  now(): void;
  later(): Promise<void>;
}

export type Steps<Result> = Generator<FileCall, Result, void>;

/** Runs all steps in this turn. */
export function doNow<Result>(steps: Steps<Result>): Result {
  let step = steps.next();
  while (step.done !== true) {
    try {
      step.value.now();
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next();
  }
  return step.value;
}

/** Runs each step in a thread of libuv's pool. */
export async function doLater<Result>(steps: Steps<Result>): Promise<Result> {
  let step = steps.next();
  while (step.done !== true) {
    try {
      await step.value.later();
    } catch (error) {
      step = steps.throw(error);
      continue;
    }
    step = steps.next();
  }
  return step.value;
}

function* call<Result>(now: () => Result, later: () => Promise<Result>): Steps<Result> {
  const held: { outcome?: { readonly result: Result } } = {};
  yield {
    now: () => {
      held.outcome = { result: now() };
    },
    later: async () => {
      held.outcome = { result: await later() };
    },
  };
  if (held.outcome === undefined) throw new Error('internal error: a step was not taken');
  return held.outcome.result;
}

const later = {
  open: promisify(open),
  fstat: promisify(fstat),
  lstat: promisify(lstat),
  readlink: promisify(readlink),
  readdir: promisify(readdir),
  mkdir: promisify(mkdir),
  fchown: promisify(fchown),
  fchmod: promisify(fchmod),
  ftruncate: promisify(ftruncate),
  unlink: promisify(unlink),
};

/** The calls, named as in section 2 of the manual. */
export const steps = {
  open: (path: string, flags: number, mode = 0o600): Steps<number> =>
    call(
      () => openSync(path, flags, mode),
      () => later.open(path, flags, mode),
    ),
  fstat: (fd: number): Steps<Stats> =>
    call(
      () => fstatSync(fd),
      () => later.fstat(fd),
    ),
  lstat: (path: string): Steps<Stats> =>
    call(
      () => lstatSync(path),
      () => later.lstat(path),
    ),
  readlink: (path: string): Steps<string> =>
    call(
      () => readlinkSync(path),
      () => later.readlink(path),
    ),
  readdir: (path: string): Steps<readonly string[]> =>
    call(
      () => readdirSync(path),
      () => later.readdir(path),
    ),
  mkdir: (path: string, mode: number): Steps<unknown> =>
    call(
      () => mkdirSync(path, mode),
      () => later.mkdir(path, mode),
    ),
  fchown: (fd: number, uid: number, gid: number): Steps<void> =>
    call(
      () => fchownSync(fd, uid, gid),
      () => later.fchown(fd, uid, gid),
    ),
  fchmod: (fd: number, mode: number): Steps<void> =>
    call(
      () => fchmodSync(fd, mode),
      () => later.fchmod(fd, mode),
    ),
  ftruncate: (fd: number, length: number): Steps<void> =>
    call(
      () => ftruncateSync(fd, length),
      () => later.ftruncate(fd, length),
    ),
  unlink: (path: string): Steps<void> =>
    call(
      () => unlinkSync(path),
      () => later.unlink(path),
    ),
} as const;
