/**
 * Creates the user of `--create-user` by editing the account files itself. No program is spawned, so the result is the
 * same with shadow-utils, with busybox and with neither.
 *
 * Locks, in the order in which shadow-utils takes them:
 *
 * 1. `/etc/.pwd.lock`, a record lock (lckpwdf(3)): shadow-utils of glibc systems, systemd.
 * 2. `/etc/passwd.lock` and similar files, a link(2) to a file with a pid: shadow-utils everywhere.
 * 3. `/etc/passwd+` and similar files, O_EXCL: busybox. It is made like 2., since busybox only checks whether it
 *    exists.
 *
 * A lock file of a process that is gone is removed, as shadow-utils does. So is one with chaperone's own pid, which is
 * 1 in every run of a container, and an old one without a pid (busybox's): a container that is killed at boot has to
 * boot the next time.
 *
 * All new texts are complete and synced beside their files before the first is renamed: gshadow, group, shadow, and
 * passwd last. The user exists once passwd is renamed; a crash before that leaves unused lines, which the next run
 * adopts. When a step fails, the earlier steps are undone.
 *
 * A file that may be written but not replaced is written in place: a bind mount (`docker run -v
 * $PWD/passwd:/etc/passwd`, rename(2) returns EBUSY), a writable file in a read-only /etc (EROFS), an owner that may
 * not be given away (EPERM without CAP_CHOWN). Another program may then read half of the new line.
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type AccountFacts,
  type AccountFile,
  type AccountPlan,
  type AccountRefusal,
  type AccountTexts,
  type PlannedUser,
  planAccount,
} from '../../model/service/account-plan.ts';
import type { UserRequest } from '../../model/service/user-request.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock } from '../kernel.ts';

export interface AccountPorts {
  readonly clock: Pick<Clock, 'now' | 'wallTime' | 'setTimeout'>;
  /**
   * fcntl(2) F_SETLK with F_WRLCK on the whole of a file, which is created with mode 0600 where it is missing.
   *
   * @returns the descriptor that holds the lock until it is closed, or undefined while another process holds it
   * @throws with `code`
   */
  lockFile(path: string): number | undefined;
  /** The folder that stands in for `/`, with its etc, home and bin. The request's path is not below it. */
  readonly root?: string;
  /** rename(2); tests replace it to let it fail. */
  readonly rename?: (from: string, to: string) => void;
}

export type UserCreation = ({ readonly kind: 'exists' | 'created' } & PlannedUser) | AccountRefusal;

/** ms after which a lock is given up; lckpwdf(3) has the same. */
const lockPatience = 15_000;
const lockInterval = 100;
/** ms after which a lock file without a pid is stale: busybox holds one only for the time of a write. */
const staleAge = 60_000;

/** The order in which shadow-utils locks them. */
const lockOrder: readonly AccountFile[] = ['passwd', 'shadow', 'group', 'gshadow'];
/** The order of the renames. Lines without one in passwd are unused: only that makes the user. A rerun adopts them. */
const commitOrder: readonly AccountFile[] = ['gshadow', 'group', 'shadow', 'passwd'];

/** A reason, in words, why the user cannot be created. */
class Refusal extends Error {}

/**
 * Makes sure that the user of a request exists. For a user that exists with these ids, no rights, no lock and no
 * writable file are needed. Waits for locks of other programs for at most 15 s.
 */
export async function createUser(asked: UserRequest, ports: AccountPorts): Promise<UserCreation> {
  const request = withBytes(asked);
  try {
    const root = ports.root ?? '/';
    const etc = join(root, 'etc');
    const facts: AccountFacts = {
      ...(request.path === undefined ? {} : { owner: ownerOf(request.path) }),
      homeExists: existsSync(join(root, 'home', request.name)),
      bashExists: existsSync(join(root, 'bin/bash')),
      now: ports.clock.wallTime(),
    };
    // Shadow files are read only under the locks, because not every account may read them.
    const first = planAccount(request, readTexts(etc, ['passwd', 'group', 'login.defs']), facts);
    if (first.kind !== 'create') return first;
    attempt(etc, () => mkdirSync(etc, { recursive: true }));
    checkWritable(join(etc, 'passwd'));
    const release = await takeLocks(etc, ports);
    try {
      const texts = readTexts(etc, [...commitOrder, 'login.defs']);
      const plan = planAccount(request, texts, facts);
      if (plan.kind !== 'create') return plan;
      replaceAll(etc, plan, texts, ports.rename ?? renameSync);
      return { kind: 'created', name: plan.name, uid: plan.uid, gid: plan.gid };
    } finally {
      release();
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { kind: 'error', message: `cannot create the user ${request.name}: ${error.message}` };
  }
}

/** The request with the home as the string of bytes that goes into passwd. */
function withBytes(request: UserRequest): UserRequest {
  const { defaultHome } = request;
  return defaultHome === undefined ? request : { ...request, defaultHome: Buffer.from(defaultHome).toString('latin1') };
}

function ownerOf(path: string): { readonly uid: number; readonly gid: number } {
  try {
    const { uid, gid } = statSync(path);
    return { uid, gid };
  } catch (error) {
    const code = codeOf(error);
    const why = code === 'ENOENT' || code === 'ENOTDIR' ? 'does not exist' : 'cannot be looked at';
    throw new Refusal(`${path}, whose owner it is to have, ${why} (${code})`);
  }
}

/** Reads the files as strings of bytes, so that old lines are written back unchanged. */
function readTexts(etc: string, files: readonly (AccountFile | 'login.defs')[]): AccountTexts {
  const texts: { [file in AccountFile | 'login.defs']?: string } = {};
  for (const file of files) {
    const path = join(etc, file);
    const text = attempt(path, () => {
      try {
        return readFileSync(path, 'latin1');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    });
    if (text !== undefined) texts[file] = text;
  }
  return texts;
}

/** Checks the file itself early: the error would otherwise come up later, about a lock or a temporary file. */
function checkWritable(path: string): void {
  attempt(path, () => accessSync(existsSync(path) ? path : dirname(path), constants.W_OK));
}

// Locks

type Release = () => void;

async function takeLocks(etc: string, ports: AccountPorts): Promise<Release> {
  const deadline = ports.clock.now() + lockPatience;
  const held: Release[] = [];
  const release = (): void => {
    for (const each of held.reverse()) each();
  };
  const take = async (lock: string, attemptLock: () => Release | undefined): Promise<void> => {
    for (;;) {
      const taken = attempt(lock, attemptLock);
      if (taken !== undefined) {
        held.push(taken);
        return;
      }
      if (ports.clock.now() >= deadline) throw new Refusal(`${holderOf(lock)} for ${lockPatience / 1000} s`);
      await new Promise<void>((resolve) => ports.clock.setTimeout(resolve, lockInterval));
    }
  };
  try {
    const record = join(etc, '.pwd.lock');
    await take(record, () => {
      const fd = unlessReadOnly(() => ports.lockFile(record));
      if (fd === 'readOnly') return nothingHeld;
      return fd === undefined ? undefined : () => closeSync(fd);
    });
    for (const file of lockOrder) {
      const path = join(etc, file);
      if ((file === 'shadow' || file === 'gshadow') && !existsSync(path)) continue;
      for (const lock of [`${path}.lock`, `${realPath(path)}+`]) {
        await take(lock, () => {
          const taken = unlessReadOnly(() => tryLockFile(lock, ports.clock.wallTime()));
          return taken === 'readOnly' ? nothingHeld : taken;
        });
      }
    }
    return release;
  } catch (error) {
    release();
    throw error;
  }
}

const nothingHeld: Release = () => {};

/** In a read-only folder no program can hold a lock. */
function unlessReadOnly<Result>(action: () => Result): Result | 'readOnly' {
  try {
    return action();
  } catch (error) {
    if (codeOf(error) === 'EROFS') return 'readOnly';
    throw error;
  }
}

/** Tries once to take a lock file; undefined while another program holds it. */
function tryLockFile(lock: string, now: number): Release | undefined {
  const own = `${lock}.${process.pid}`;
  // The pid ends with a NUL byte, as shadow-utils writes it.
  writeFileSync(own, `${process.pid}\0`, { mode: 0o600 });
  try {
    if (tryLink(own, lock)) return () => rmSync(lock, { force: true });
    if (!isStale(lock, now)) return undefined;
    rmSync(lock, { force: true });
    return tryLink(own, lock) ? () => rmSync(lock, { force: true }) : undefined;
  } finally {
    rmSync(own, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function isStale(lock: string, now: number): boolean {
  try {
    const pid = pidIn(lock);
    if (pid === undefined) return now - statSync(lock).mtimeMs > staleAge;
    return pid === process.pid || !isAlive(pid);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function pidIn(lock: string): number | undefined {
  const [, pid] = /^([1-9]\d{0,9})\0?\s*$/.exec(readFileSync(lock, 'latin1')) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

function holderOf(lock: string): string {
  try {
    const pid = lock.endsWith('.pwd.lock') ? undefined : pidIn(lock);
    return `${lock} has been held by ${pid === undefined ? 'another program' : `pid ${pid}`}`;
  } catch {
    // The other program has released the lock just now.
    return `${lock} has been held by another program`;
  }
}

// Files

interface Replacement {
  /** The file behind all symbolic links, so that links stay links. */
  readonly path: string;
  readonly text: string;
  /** The previous text; undefined where there was no file. */
  readonly old: string | undefined;
  /** The new file; undefined where the old one can only be written in place. */
  readonly temporary: string | undefined;
}

function replaceAll(
  etc: string,
  { texts }: Extract<AccountPlan, { kind: 'create' }>,
  old: AccountTexts,
  rename: (from: string, to: string) => void,
): void {
  const prepared: Replacement[] = [];
  const done: Replacement[] = [];
  try {
    for (const file of commitOrder) {
      const text = texts[file];
      if (text === undefined) continue;
      const path = join(etc, file);
      checkWritable(path);
      prepared.push(attempt(path, () => prepare(realPath(path), text, old[file])));
    }
    for (const each of prepared) {
      // The step is listed before it is tried, because a half-written file has to be undone, too.
      done.push(each);
      attempt(each.path, () => commit(each, rename));
    }
    for (const folder of new Set(prepared.map(({ path }) => dirname(path)))) syncFolder(folder);
  } catch (error) {
    const lost = done.filter((each) => !undo(each)).map(({ path }) => path);
    if (lost.length > 0 && error instanceof Refusal) {
      throw new Refusal(`${error.message}; and ${lost.join(', ')} could not be set back`);
    }
    throw error;
  } finally {
    for (const { temporary } of prepared) if (temporary !== undefined) rmSync(temporary, { force: true });
  }
}

/** Writes the new text beside the file, with the file's mode and owner. */
function prepare(path: string, text: string, old: string | undefined): Replacement {
  const temporary = `${path}.chaperone`;
  const stats = statSync(path, { throwIfNoEntry: false });
  try {
    // A crash has left this file; under the locks no other program uses it.
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      if (stats !== undefined) fchownSync(fd, stats.uid, stats.gid);
      fchmodSync(fd, stats === undefined ? 0o644 : stats.mode & 0o7777);
      writeWhole(fd, text);
    } finally {
      closeSync(fd);
    }
    return { path, text, old, temporary };
  } catch (error) {
    unlessReadOnly(() => rmSync(temporary, { force: true }));
    const code = codeOf(error);
    if (stats === undefined || (code !== 'EROFS' && code !== 'EPERM')) throw error;
    return { path, text, old, temporary: undefined };
  }
}

function commit({ path, text, temporary }: Replacement, rename: (from: string, to: string) => void): void {
  if (temporary !== undefined) {
    try {
      rename(temporary, path);
      return;
    } catch (error) {
      if (codeOf(error) !== 'EBUSY') throw error;
    }
  }
  writeInPlace(path, text);
}

/** @returns true where the file is as it was before */
function undo({ path, old }: Replacement): boolean {
  try {
    if (old === undefined) rmSync(path, { force: true });
    else if (readFileSync(path, 'latin1') !== old) writeInPlace(path, old);
    return true;
  } catch {
    return false;
  }
}

function writeInPlace(path: string, text: string): void {
  const fd = openSync(path, 'r+');
  try {
    writeWhole(fd, text);
  } finally {
    closeSync(fd);
  }
}

/** Writes the text as the whole content of a file, and syncs it to the disk. */
function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let written = 0; written < bytes.length; ) {
    written += writeSync(fd, bytes, written, bytes.length - written, written);
  }
  ftruncateSync(fd, bytes.length);
  fsyncSync(fd);
}

/** Syncs the names of a folder to the disk, where the file system can do that. */
function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // The new files are complete in any case.
  }
}

/** Resolves the symbolic links of a path; a path without a file stays as it is. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return path;
    throw error;
  }
}

// Errors

/** Turns an error of the system into words about a file. */
function attempt<Result>(path: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    throw new Refusal(describe(path, code));
  }
}

function describe(path: string, code: string): string {
  switch (code) {
    case 'EROFS':
      return `${path} is on a read-only file system (EROFS)`;
    case 'EACCES':
    case 'EPERM':
      return `${path} may not be changed (${code}): chaperone must be root for that`;
    case 'ENOSPC':
    case 'EDQUOT':
      return `there is no space left for ${path} (${code})`;
    default:
      return `${path} cannot be changed (${code})`;
  }
}
