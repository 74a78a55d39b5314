/**
 * Opens files below folders in which other accounts may write, so that they cannot make chaperone write to, change or remove
 * another file than the one that the configuration means.
 *
 * A path is followed one name at a time from the root directory on, each from the descriptor of the folder before it:
 *
 * - A symbolic link is followed only where root or chaperone's account owns it, and where nobody else could have put it or
 *   a hard link of it there. In a folder where another account may replace names, none is followed.
 * - What exists is used only where root, chaperone's account or the account that the configuration names owns it, and
 *   where not everybody may write to it. A file with several names is refused in a folder where another account may make
 *   names: it could be a hard link to a file of root's.
 * - What is missing is made with O_EXCL. Owner and mode are set through the descriptor, never by name.
 *
 * The root directory and its owner are trusted: who owns it decides about everything. Node has no openat(2); the path
 * `/proc/self/fd/N/NAME` does the same, and can be used by threads of libuv's pool. Without /proc the names are used as they
 * are, which is less safe.
 */
import { closeSync, constants, existsSync, fchmodSync, fstatSync, mkdirSync, openSync, type Stats } from 'node:fs';
import type { FileOwner } from '../../model/service/service-spec.ts';
import { codeOf } from '../../model/words/errno.ts';
import { doNow, type Steps, steps } from './file-steps.ts';

/** Why a path is not used although the kernel would allow it. */
export type PathRefusalCode =
  | 'FOREIGN_LINK'
  | 'FOREIGN_FOLDER'
  | 'FOREIGN_FILE'
  | 'FOREIGN_HARD_LINK'
  | 'WRITABLE_BY_ALL';

const refusals: Readonly<Record<PathRefusalCode, string>> = {
  FOREIGN_LINK: 'is a symbolic link that another account has made or could replace',
  FOREIGN_FOLDER: 'is a folder in which another account could replace files',
  FOREIGN_FILE: 'belongs to another account',
  FOREIGN_HARD_LINK: 'has several names, and another account may have made them',
  WRITABLE_BY_ALL: 'may be written to by accounts that should not',
};

export class PathRefusal extends Error {
  readonly code: PathRefusalCode;

  constructor(code: PathRefusalCode, path: string) {
    super(`${path} ${refusals[code]}`);
    this.code = code;
  }
}

/** A folder that was reached safely. `closeFolder` closes it. */
export interface Folder {
  /** An O_PATH descriptor: it serves for names in the folder, and not for reading it. */
  readonly fd: number;
  /** The path without links, for messages. */
  readonly path: string;
  /** True where another account may make names in it, or in a folder above it. */
  readonly shared: boolean;
}

/** A name in a folder; the file may be missing. */
export interface Place {
  readonly folder: Folder;
  readonly name: string;
  /** True where a link led here. */
  readonly linked: boolean;
  /** True for a link in /proc that only the kernel can follow, such as /proc/self/fd/1. */
  readonly magic: boolean;
}

export interface WalkOptions {
  /** Missing folders are made, with this mode. */
  readonly make?: { readonly mode: number; readonly owner?: FileOwner };
  /** True: each folder on the way has to be one in which nobody else can replace names. False where absent. */
  readonly ownOnly?: boolean;
  /** False: a link at the end of the path is not followed. True where absent. */
  readonly followLast?: boolean;
}

export interface OpenOptions extends Pick<WalkOptions, 'make' | 'followLast'> {
  /** O_WRONLY and the like; O_CREAT, O_EXCL, O_TRUNC and O_NOFOLLOW are left out. */
  readonly flags: number;
  /** A missing file is made, with exactly this mode. */
  readonly create?: { readonly mode: number };
  /** The account that may own the file beside root and chaperone's own, and that gets what is made. */
  readonly owner?: FileOwner;
  /** True: the file may belong to any account, for one that is only read. */
  readonly anyOwner?: boolean;
  /** Mode bits that a regular file must not have: by default, everybody may not write to it. */
  readonly forbidden?: number;
}

export interface OpenedFile {
  readonly fd: number;
  readonly stats: Stats;
  readonly created: boolean;
  /** Where the file is; the folder is the caller's to close. */
  readonly place: Place;
}

/** open(2); Node has no name for it. */
const O_PATH = 0o10000000;
const folderFlags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const mostLinks = 40;
/** How often a name may vanish or appear between two calls. */
const mostTries = 8;
const sticky = 0o1000;

/** The path by which a name in a folder is reached, whatever happens to the folder's own name. */
export function pathIn({ fd, path }: Pick<Folder, 'fd' | 'path'>, name: string): string {
  return hasProc() ? `/proc/self/fd/${fd}/${name}` : `${path === '/' ? '' : path}/${name}`;
}

export function closeFolder({ fd }: Folder): void {
  closeSync(fd);
}

let procSeen = false;

function hasProc(): boolean {
  procSeen ||= existsSync('/proc/self/fd');
  return procSeen;
}

const self = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

function isTrusted(uid: number, rootOwner: number): boolean {
  return uid === 0 || uid === self.uid || uid === rootOwner;
}

/** True where another account may make names in a folder. */
function isShared(stats: Stats, rootOwner: number): boolean {
  const byGroup = (stats.mode & 0o020) !== 0 && stats.gid !== 0 && stats.gid !== self.gid;
  return !isTrusted(stats.uid, rootOwner) || (stats.mode & 0o002) !== 0 || byGroup;
}

/** True where another account may replace names that it has not made itself. */
function isReplaceable(stats: Stats, rootOwner: number): boolean {
  return isShared(stats, rootOwner) && (!isTrusted(stats.uid, rootOwner) || (stats.mode & sticky) === 0);
}

interface Visited extends Folder {
  readonly replaceable: boolean;
}

/**
 * Follows a path up to its last name, whose file may be missing.
 *
 * @throws PathRefusal, and errors with the code of an errno
 */
export function* locate(path: string, options: WalkOptions = {}): Steps<Place> {
  const walk = new Walk(options);
  try {
    return yield* walk.to(path);
  } catch (error) {
    walk.closeAll();
    throw error;
  }
}

/** The folder that a path names. Where `make` is given, it is made if it is missing. */
export function* openFolder(path: string, options: WalkOptions = {}): Steps<Folder> {
  const { folder } = yield* locate(`${path}/.`, options);
  return folder;
}

/** One walk along a path. It keeps the folders above, because `..` must not lead elsewhere when somebody moves a folder. */
class Walk {
  readonly #options: WalkOptions;
  readonly #above: Visited[] = [];
  #rootOwner = 0;
  #links = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
  }

  *to(path: string): Steps<Place> {
    if (!path.startsWith('/')) throw coded('EINVAL');
    yield* this.#enterRoot();
    const rest = namesOf(path);
    let linked = false;
    for (;;) {
      const name = rest.shift();
      if (name === undefined) throw coded('EISDIR');
      if (rest.length === 0) {
        const found = name === '.' ? 'end' : yield* this.#last(name);
        if (found === 'end' || found === 'magic') return this.#place(name, { linked, magic: found === 'magic' });
        linked = true;
        rest.push(...found);
      } else if (name === '..') this.#leave();
      else if (name !== '.') rest.unshift(...(yield* this.#enter(name)));
    }
  }

  closeAll(): void {
    for (const folder of this.#above.splice(0)) closeFolder(folder);
  }

  get #top(): Visited {
    const top = this.#above.at(-1);
    if (top === undefined) throw new Error('internal error: a walk has no folder');
    return top;
  }

  #place(name: string, { linked, magic }: Pick<Place, 'linked' | 'magic'>): Place {
    const top = this.#top;
    this.#above.pop();
    this.closeAll();
    const folder = { fd: top.fd, path: top.path, shared: top.shared };
    return { folder, name, linked, magic };
  }

  *#enterRoot(): Steps<void> {
    const fd = yield* steps.open('/', folderFlags);
    try {
      const stats = yield* steps.fstat(fd);
      this.#rootOwner = stats.uid;
      this.#push(fd, '/', stats);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  #push(fd: number, path: string, stats: Stats): void {
    const replaceable = isReplaceable(stats, this.#rootOwner);
    if (replaceable && this.#options.ownOnly === true) throw new PathRefusal('FOREIGN_FOLDER', path);
    const shared = isShared(stats, this.#rootOwner) || this.#above.at(-1)?.shared === true;
    this.#above.push({ fd, path, shared, replaceable });
  }

  #leave(): void {
    const top = this.#above.length > 1 ? this.#above.pop() : undefined;
    if (top !== undefined) closeFolder(top);
  }

  /** Enters a folder; where the name is a link, returns the names that it stands for. */
  *#enter(name: string): Steps<readonly string[]> {
    const top = this.#top;
    const path = childPath(top, name);
    for (let tries = 0; ; tries += 1) {
      let fd: number;
      try {
        fd = yield* steps.open(pathIn(top, name), folderFlags);
      } catch (error) {
        const code = codeOf(error);
        if (code === 'ENOTDIR' || code === 'ELOOP') return yield* this.#follow(name, code);
        if (code !== 'ENOENT' || this.#options.make === undefined || tries >= mostTries) throw error;
        yield* this.#make(name, this.#options.make);
        continue;
      }
      try {
        this.#push(fd, path, yield* steps.fstat(fd));
        return [];
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    }
  }

  /** The last name of a path: `end`, unless it is a link, whose names are returned. */
  *#last(name: string): Steps<readonly string[] | 'end' | 'magic'> {
    if (this.#options.followLast === false) return 'end';
    if (name === '..') throw coded('EISDIR');
    let stats: Stats;
    try {
      stats = yield* steps.lstat(pathIn(this.#top, name));
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return 'end';
      throw error;
    }
    if (!stats.isSymbolicLink()) return 'end';
    if (/^\/proc\/\d+(?:\/task\/\d+)?\/fd$/.test(this.#top.path) && isTrusted(stats.uid, this.#rootOwner))
      return 'magic';
    return yield* this.#read(name, stats);
  }

  *#follow(name: string, code: string): Steps<readonly string[]> {
    const stats = yield* steps.lstat(pathIn(this.#top, name));
    if (!stats.isSymbolicLink()) throw coded(code);
    return yield* this.#read(name, stats);
  }

  *#read(name: string, stats: Stats): Steps<readonly string[]> {
    const top = this.#top;
    const foreign = !isTrusted(stats.uid, this.#rootOwner) || top.replaceable || (top.shared && stats.nlink > 1);
    if (foreign) throw new PathRefusal('FOREIGN_LINK', childPath(top, name));
    this.#links += 1;
    if (this.#links > mostLinks) throw coded('ELOOP');
    const target = yield* steps.readlink(pathIn(top, name));
    if (target.startsWith('/')) while (this.#above.length > 1) this.#leave();
    return namesOf(target);
  }

  /** Makes a folder. It is given away only once it is known to be the new one, which is empty. */
  *#make(name: string, { mode, owner }: NonNullable<WalkOptions['make']>): Steps<void> {
    const path = pathIn(this.#top, name);
    try {
      yield* steps.mkdir(path, 0o700);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return;
      throw error;
    }
    const fd = yield* steps.open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      const stats = yield* steps.fstat(fd);
      const content = yield* steps.readdir(pathIn({ fd, path: childPath(this.#top, name) }, '.'));
      if (stats.uid !== self.uid || content.length > 0)
        throw new PathRefusal('FOREIGN_FOLDER', childPath(this.#top, name));
      yield* giveAway(fd, mode, owner);
    } finally {
      closeSync(fd);
    }
  }
}

function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  return path.endsWith('/') ? [...names, '.'] : names;
}

function childPath({ path }: Folder, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`;
}

/** Sets the owner and the mode of a new file apart from the umask. What cannot be given away is kept. */
function* giveAway(fd: number, mode: number, owner: FileOwner | undefined): Steps<void> {
  if (owner !== undefined) yield* tolerant(steps.fchown(fd, owner.uid, owner.gid));
  yield* tolerant(steps.fchmod(fd, mode));
}

function* tolerant(step: Steps<void>): Steps<void> {
  try {
    yield* step;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
  }
}

/**
 * Opens a file by its path. A link at its end leads to an existing file only; without `followLast` it is ELOOP.
 *
 * @throws PathRefusal, and errors with the code of an errno
 */
export function* openFile(path: string, options: OpenOptions): Steps<OpenedFile> {
  const place = yield* locate(path, options);
  try {
    return yield* openAt(place, options);
  } catch (error) {
    closeFolder(place.folder);
    throw error;
  }
}

/** Opens a file in a folder that was reached safely. The folder stays open also where that fails. */
export function* openAt(place: Place, options: OpenOptions): Steps<OpenedFile> {
  for (let tries = 0; ; tries += 1) {
    const opened = yield* tryOpen(place, options);
    if (typeof opened !== 'string') return opened;
    // Somebody made or removed the file between two calls.
    if (tries >= mostTries || opened === 'dangling') throw coded(opened === 'dangling' ? 'EEXIST' : 'EBUSY');
  }
}

function* tryOpen(place: Place, options: OpenOptions): Steps<OpenedFile | string> {
  const { flags, create, owner } = options;
  const path = pathIn(place.folder, place.name);
  // The kernel follows the links of /proc itself. Chaperone has opened what they lead to.
  if (place.magic) {
    const fd = yield* steps.open(path, flags);
    return { fd, stats: yield* steps.fstat(fd), created: false, place };
  }
  let fd: number;
  try {
    fd = yield* steps.open(path, flags | constants.O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || create === undefined)
      throw options.followLast === false ? error : asRefusal(error, place);
    if (place.linked) return 'dangling';
    return yield* tryCreate(place, path, { flags, mode: create.mode, owner });
  }
  try {
    const stats = yield* steps.fstat(fd);
    const objection = objectionTo(stats, place.folder, options);
    if (objection !== undefined) throw new PathRefusal(objection, childPath(place.folder, place.name));
    return { fd, stats, created: false, place };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function* tryCreate(
  place: Place,
  path: string,
  { flags, mode, owner }: { readonly flags: number; readonly mode: number; readonly owner: FileOwner | undefined },
): Steps<OpenedFile | string> {
  let fd: number;
  try {
    fd = yield* steps.open(path, flags | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'appeared';
    throw error;
  }
  try {
    yield* giveAway(fd, mode, owner);
    return { fd, stats: yield* steps.fstat(fd), created: true, place };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** The walk found no link here, so that somebody has put one there since, who is not to be trusted. */
function asRefusal(error: unknown, { folder, name }: Place): unknown {
  return codeOf(error) === 'ELOOP' ? new PathRefusal('FOREIGN_LINK', childPath(folder, name)) : error;
}

/** Why an open file is not used; undefined where it is. */
function objectionTo(
  stats: Stats,
  { shared }: Folder,
  { owner, anyOwner = false, forbidden = 0o002 }: OpenOptions,
): PathRefusalCode | undefined {
  const known = anyOwner || stats.uid === 0 || stats.uid === self.uid || stats.uid === owner?.uid;
  if (!known) return 'FOREIGN_FILE';
  if (!stats.isFile()) return undefined;
  if ((stats.mode & forbidden) !== 0) return 'WRITABLE_BY_ALL';
  return shared && stats.nlink > 1 ? 'FOREIGN_HARD_LINK' : undefined;
}

/** Removes a name, which may be a link. A missing file or folder is no error. */
export function* removeFile(path: string): Steps<void> {
  let place: Place;
  try {
    place = yield* locate(path, { followLast: false });
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  try {
    yield* steps.unlink(pathIn(place.folder, place.name));
  } catch (error) {
    if (!isMissing(error)) throw error;
  } finally {
    closeFolder(place.folder);
  }
}

function isMissing(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Runs an action that makes files by their names, such as bind(2), with a umask that gives them exactly this mode. */
export function withMode<Result>(mode: number, action: () => Result): Result {
  const before = process.umask(0o777 & ~mode);
  try {
    return action();
  } finally {
    process.umask(before);
  }
}

/**
 * Makes sure that nobody else can replace names in a folder or in one above it, so that its path may be used.
 *
 * @throws PathRefusal, and errors with the code of an errno
 */
export function checkFolder(path: string, options: Pick<WalkOptions, 'make'> = {}): void {
  closeFolder(doNow(openFolder(path, { ...options, ownOnly: true })));
}

/**
 * Makes a folder of chaperone's own, or takes the one that is there, and gives it exactly this mode.
 *
 * @throws PathRefusal where it is a link or another account's, and errors with the code of an errno
 */
export function makeOwnFolder(path: string, mode: number): void {
  const { folder, name } = doNow(locate(path, { ownOnly: true, followLast: false, make: { mode: 0o755 } }));
  try {
    const own = pathIn(folder, name);
    try {
      mkdirSync(own, 0o700);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const fd = openSync(own, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      if (fstatSync(fd).uid !== self.uid) throw new PathRefusal('FOREIGN_FOLDER', path);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeFolder(folder);
  }
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
