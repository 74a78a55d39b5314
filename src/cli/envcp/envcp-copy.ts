import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  futimesSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '../../model/words/errno.ts';
import { doLater, doNow } from '../../runtime/linux/file-steps.ts';
import { closeFolder, locate, openAt, PathRefusal, type Place, pathIn } from '../../runtime/linux/safe-open.ts';
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
  /** The suffix that is taken off a source's name where the destination is a directory; may be empty. */
  readonly suffix: string;
  /** The bytes to write for those of a file. */
  readonly transform: (input: Buffer, file: string) => Buffer;
}

interface Copy {
  readonly source: string;
  readonly stats: Stats;
  /** The path as the user would write it. */
  readonly path: string;
  readonly target: Target;
}

/** The destination of one copy. */
type Target =
  | { readonly kind: 'descriptor'; readonly fd: number }
  /** A FIFO or a device, to which the copy is written directly. */
  | { readonly kind: 'stream'; readonly place: Place }
  | { readonly kind: 'file'; readonly place: Place; readonly existing?: Stats };

/**
 * Copies files, all or none: first everything is checked, then everything is read and transformed, then each file is
 * written to a temporary beside its destination and synced, and only then, in one go, do all of them take their
 * destinations' names. A signal in between leaves nothing behind. What is no regular file (a FIFO, a device) is
 * written to directly. Links that another account has made or could replace are not followed, and everything is changed
 * through descriptors: root often copies into a folder that belongs to a service.
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
  const temporaries = new Map<Place, string>();
  const removeTemporaries = (): void => {
    for (const path of temporaries.values()) removeQuietly(path);
  };
  const unwatch = watchSignals(removeTemporaries);
  try {
    for (const [index, copy] of copies.entries()) {
      const content = contents[index] ?? Buffer.alloc(0);
      if (copy.target.kind === 'file') await writeTemporary(copy, copy.target, content, { ...request, temporaries });
    }
    for (const [index, { path, target }] of copies.entries()) {
      if (target.kind !== 'file') await writeStream(target, path, contents[index] ?? Buffer.alloc(0));
    }
    // All renames happen in one turn of the loop, so that a signal finds either none or all of them done.
    for (const { target, path } of copies) {
      const temporary = target.kind === 'file' ? temporaries.get(target.place) : undefined;
      if (target.kind === 'file' && temporary !== undefined)
        attempt(`write ${path}`, () => takeName(target, temporary, request.overwrite));
    }
  } finally {
    removeTemporaries();
    unwatch();
    for (const { target } of copies) if (target.kind !== 'descriptor') closeFolder(target.place.folder);
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
  const reason = error instanceof PathRefusal ? error.message : reasonOf(error);
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
    const target = inspectDestination(path, overwrite);
    if (target.kind === 'file') {
      const file = join(target.place.folder.path, target.place.name);
      const other = taken.get(file);
      if (other !== undefined) throw new CopyError(`cannot copy ${other} and ${source} to the same file ${path}`);
      taken.set(file, source);
    }
    return { source, stats, path, target };
  });
}

/** A name that consists only of the suffix is kept. */
function withoutSuffix(name: string, suffix: string): string {
  return suffix !== '' && name.endsWith(suffix) && name !== suffix ? name.slice(0, -suffix.length) : name;
}

function inspectDestination(path: string, overwrite: boolean): Target {
  // Opened by name, a redirected one would be truncated, and a socket could not be opened at all.
  const [, standard] = /^\/(?:dev|proc\/self)\/(std(?:out|err)|fd\/\d+)$/.exec(path) ?? [];
  if (standard !== undefined) {
    const fd = standard === 'stdout' ? 1 : standard === 'stderr' ? 2 : Number(standard.slice('fd/'.length));
    return { kind: 'descriptor', fd };
  }
  if (statOf(path)?.isDirectory() === true) throw new CopyError(`cannot write ${path}: it is a directory`);
  if (path.endsWith('/')) throw new CopyError(`cannot write ${path}: not a directory`);
  const place = attempt(`write ${path}`, () => placeOf(path));
  const existing = lstatSync(pathIn(place.folder, place.name), { throwIfNoEntry: false });
  if (existing === undefined) {
    if (place.linked) throw new CopyError(`cannot write ${path}: it is a symbolic link to nowhere`);
    return { kind: 'file', place };
  }
  if (!existing.isFile()) return { kind: 'stream', place };
  if (!overwrite) throw new CopyError(`cannot overwrite ${path}: it exists, and --overwrite is not given`);
  return { kind: 'file', place, existing };
}

/** Where links lead to. The kernel alone can follow some links of /proc, so that their targets are found by name. */
function placeOf(path: string): Place {
  const place = doNow(locate(path.startsWith('/') ? path : `${process.cwd()}/${path}`));
  if (!place.magic || statOf(path)?.isFile() !== true) return place;
  closeFolder(place.folder);
  return doNow(locate(realpathSync(path)));
}

/** undefined: no file exists there. */
function statOf(path: string): Stats | undefined {
  return attempt(`write ${path}`, () => statSync(path, { throwIfNoEntry: false }));
}

const syncFile = promisify(fsync);

interface TemporaryOptions extends Pick<CopyRequest, 'archive'> {
  /** Gets the path of each temporary once it exists. */
  readonly temporaries: Map<Place, string>;
}

async function writeTemporary(
  { path, stats }: Copy,
  { place, existing }: Target & { readonly kind: 'file' },
  content: Buffer,
  { archive, temporaries }: TemporaryOptions,
): Promise<void> {
  try {
    // Of a new file the kernel takes the umask off; any other gets its final mode only when it has its owner.
    const mode = archive || existing !== undefined ? 0o600 : stats.mode & 0o777;
    const fd = createTemporary(place, mode, temporaries);
    try {
      await writeAll(fd, content);
      const model = archive ? stats : existing;
      if (model !== undefined) takeAttributes(fd, model);
      if (archive) futimesSync(fd, stats.atimeMs / 1_000, stats.mtimeMs / 1_000);
      await syncFile(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw translate(`write ${path}`, error);
  }
}

function createTemporary(place: Place, mode: number, temporaries: Map<Place, string>): number {
  for (;;) {
    const unique = Math.random().toString(36).slice(2);
    const temporary = pathIn(place.folder, `.envcp-${process.pid}-${unique}`);
    try {
      const fd = openSync(temporary, 'wx', mode);
      temporaries.set(place, temporary);
      return fd;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Owner and mode; who may not give a file away keeps it, and then it gives its rights to nobody else. */
function takeAttributes(fd: number, { uid, gid, mode }: Stats): void {
  const own = fstatSync(fd);
  const chown = (newUid: number, newGid: number): boolean => {
    try {
      fchownSync(fd, newUid, newGid);
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

async function writeStream(target: Exclude<Target, { kind: 'file' }>, path: string, content: Buffer): Promise<void> {
  try {
    if (target.kind === 'descriptor') {
      await writeAll(target.fd, content);
      return;
    }
    const { fd, stats } = await doLater(openAt(target.place, { flags: constants.O_WRONLY, anyOwner: true }));
    try {
      if (stats.isFile()) throw new CopyError(`cannot write ${path}: it has become a file meanwhile`);
      await writeAll(fd, content);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw translate(`write ${path}`, error);
  }
}

/** Gives a finished temporary its name; without `overwrite` not if somebody made a file of that name meanwhile. */
function takeName(
  { place, existing }: Target & { readonly kind: 'file' },
  temporary: string,
  overwrite: boolean,
): void {
  const file = pathIn(place.folder, place.name);
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
