import {
  chownSync,
  closeSync,
  fchmodSync,
  fstatSync,
  fsync,
  futimesSync,
  linkSync,
  lstatSync,
  open,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '../../model/words/errno.ts';
import { reasonOf, writeAll } from '../program-io.ts';

/** Files that cannot be copied; the message begins with "cannot". */
export class CopyError extends Error {}

export interface CopyRequest {
  /** At least one. */
  readonly sources: readonly string[];
  readonly destination: string;
  readonly overwrite: boolean;
  /** Mode, times and, as far as that is allowed, owner are those of the source. */
  readonly archive: boolean;
  /** What is taken off the end of a source's name where the destination is a directory; may be empty. */
  readonly suffix: string;
  /** The bytes to write for those of a file. */
  readonly transform: (input: Buffer, file: string) => Buffer;
}

interface Copy {
  readonly source: string;
  readonly stats: Stats;
  /** As the user would write it. */
  readonly path: string;
  /** An open descriptor, or a path to write to, where it is no regular file. */
  readonly stream?: number | string;
  /** Where links lead to. */
  readonly file: string;
  readonly existing?: Stats;
}

/**
 * Copies files, all or none: first everything is checked, then everything is read and transformed, then each file is
 * written to a temporary beside its destination and synced, and only then, in one go, do all of them take their
 * destinations' names. A signal in between leaves nothing behind. What is no regular file (a FIFO, a device) is
 * written to directly.
 *
 * @returns pairs of source and destination
 * @throws CopyError, and whatever `transform` throws
 */
export async function copyFiles(request: CopyRequest): Promise<readonly (readonly [string, string])[]> {
  const copies = planCopies(request);
  const contents = copies.map(({ source }) => {
    const input = attempt(`read ${source}`, () => readFileSync(source));
    return request.transform(input, source);
  });
  const temporaries = new Map<Copy, string>();
  const removeTemporaries = (): void => {
    for (const path of temporaries.values()) removeQuietly(path);
  };
  const unwatch = watchSignals(removeTemporaries);
  try {
    for (const [index, copy] of copies.entries()) {
      if (copy.stream === undefined)
        await writeTemporary(copy, contents[index] ?? Buffer.alloc(0), request, temporaries);
    }
    for (const [index, { path, stream }] of copies.entries()) {
      if (stream !== undefined) await writeStream(stream, path, contents[index] ?? Buffer.alloc(0));
    }
    // All renames happen in one turn of the loop, so that a signal finds either none or all of them done.
    for (const [copy, temporary] of temporaries) takeName(copy, temporary, request.overwrite);
  } finally {
    removeTemporaries();
    unwatch();
  }
  return copies.map(({ source, path }) => [source, path]);
}

function attempt<Result>(what: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw translate(what, error);
  }
}

function translate(what: string, error: unknown): unknown {
  const reason = reasonOf(error);
  return reason === undefined ? error : new CopyError(`cannot ${what}: ${reason}`);
}

function planCopies({ sources, destination, overwrite, suffix }: CopyRequest): readonly Copy[] {
  const isDirectory = statOf(destination)?.isDirectory() ?? false;
  if (!isDirectory && sources.length > 1) {
    throw new CopyError(`cannot copy ${sources.length} files to ${destination}: it is not a directory`);
  }
  const taken = new Map<string, string>();
  return sources.map((source) => {
    const stats = attempt(`read ${source}`, () => statSync(source));
    if (stats.isDirectory()) throw new CopyError(`cannot copy ${source}: it is a directory`);
    const path = isDirectory ? join(destination, withoutSuffix(basename(source), suffix)) : destination;
    const copy: Copy = { source, stats, path, ...inspectDestination(path, overwrite) };
    const other = taken.get(copy.file);
    if (other !== undefined && copy.stream === undefined) {
      throw new CopyError(`cannot copy ${other} and ${source} to the same file ${path}`);
    }
    taken.set(copy.file, source);
    return copy;
  });
}

/** A name that consists only of the suffix is kept. */
function withoutSuffix(name: string, suffix: string): string {
  return suffix !== '' && name.endsWith(suffix) && name !== suffix ? name.slice(0, -suffix.length) : name;
}

function inspectDestination(path: string, overwrite: boolean): Pick<Copy, 'file' | 'stream' | 'existing'> {
  // Opened by name, a redirected one would be truncated, and a socket could not be opened at all.
  const [, standard] = /^\/(?:dev|proc\/self)\/(std(?:out|err)|fd\/\d+)$/.exec(path) ?? [];
  if (standard !== undefined) {
    const stream = standard === 'stdout' ? 1 : standard === 'stderr' ? 2 : Number(standard.slice('fd/'.length));
    return { file: path, stream };
  }
  const existing = statOf(path);
  if (existing === undefined) {
    if (isLink(path)) throw new CopyError(`cannot write ${path}: it is a symbolic link to nowhere`);
    return { file: path };
  }
  if (existing.isDirectory()) throw new CopyError(`cannot write ${path}: it is a directory`);
  if (!existing.isFile()) return { file: path, stream: path };
  if (!overwrite) throw new CopyError(`cannot overwrite ${path}: it exists, and --overwrite is not given`);
  return { file: attempt(`write ${path}`, () => realpathSync(path)), existing };
}

/** undefined: no file exists there. */
function statOf(path: string): Stats | undefined {
  return attempt(`write ${path}`, () => statSync(path, { throwIfNoEntry: false }));
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
}

const syncFile = promisify(fsync);
const openFile = promisify(open);

async function writeTemporary(
  copy: Copy,
  content: Buffer,
  { archive }: CopyRequest,
  temporaries: Map<Copy, string>,
): Promise<void> {
  const { file, path, stats, existing } = copy;
  try {
    // Of a new file the kernel takes the umask off; any other gets its final mode only when it has its owner.
    const fd = createTemporary(copy, archive || existing !== undefined ? 0o600 : stats.mode & 0o777, temporaries);
    try {
      await writeAll(fd, content);
      const model = archive ? stats : existing;
      if (model !== undefined) takeAttributes(fd, temporaries.get(copy) ?? file, model);
      if (archive) futimesSync(fd, stats.atimeMs / 1_000, stats.mtimeMs / 1_000);
      await syncFile(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw translate(`write ${path}`, error);
  }
}

function createTemporary(copy: Copy, mode: number, temporaries: Map<Copy, string>): number {
  for (;;) {
    const unique = Math.random().toString(36).slice(2);
    const temporary = join(dirname(copy.file), `.envcp-${process.pid}-${unique}`);
    try {
      const fd = openSync(temporary, 'wx', mode);
      temporaries.set(copy, temporary);
      return fd;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Owner and mode; who may not give a file away keeps it, and then it gives its rights to nobody else. */
function takeAttributes(fd: number, temporary: string, { uid, gid, mode }: Stats): void {
  const own = fstatSync(fd);
  const chown = (newUid: number, newGid: number): boolean => {
    try {
      chownSync(temporary, newUid, newGid);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'EPERM') throw error;
      return false;
    }
  };
  const owned = (own.uid === uid && own.gid === gid) || chown(uid, gid);
  if (!owned && own.gid !== gid) chown(own.uid, gid);
  fchmodSync(fd, mode & (owned ? 0o7777 : 0o777));
}

async function writeStream(stream: number | string, path: string, content: Buffer): Promise<void> {
  try {
    const fd = typeof stream === 'number' ? stream : await openFile(stream, 'w');
    await writeAll(fd, content);
    if (fd !== stream) closeSync(fd);
  } catch (error) {
    throw translate(`write ${path}`, error);
  }
}

/** Gives a finished temporary its name; without `overwrite` not if somebody made a file of that name meanwhile. */
function takeName({ file, path, existing }: Copy, temporary: string, overwrite: boolean): void {
  attempt(`write ${path}`, () => {
    if (existing === undefined && !overwrite) {
      try {
        linkSync(temporary, file);
        return;
      } catch (error) {
        // Not every file system has hard links.
        if (codeOf(error) === 'EEXIST') throw error;
      }
    }
    renameSync(temporary, file);
  });
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The temporary was renamed or is gone: nothing has to be removed.
  }
}

/** At a signal that ends a program, cleans up first, then ends by that signal. Returns what undoes this. */
function watchSignals(cleanUp: () => void): () => void {
  const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
  const end = (signal: NodeJS.Signals, number: number): void => {
    cleanUp();
    unwatch();
    process.kill(process.pid, signal);
    // As PID 1 of a container the signal alone does not end it.
    process.exit(128 + number);
  };
  for (const signal of Object.keys(signals)) process.on(signal, end);
  const unwatch = (): void => {
    for (const signal of Object.keys(signals)) process.removeListener(signal, end);
  };
  return unwatch;
}
