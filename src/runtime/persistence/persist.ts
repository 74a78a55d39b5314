/**
 * Lets folders of the image live on a volume: before any service starts, each becomes a symbolic link to its home there.
 *
 * What stands where tells how far an earlier boot has come, so that a boot after a crash completes it. A folder is renamed where
 * the kernel can do that. To another file system, and within the layers of a container's own, it is copied:
 *
 *  1. the copy grows at `stagingPath`, which names nothing that counts: it is removed and begun anew after a crash;
 *  2. a token beside the target and a record beside the folder say that the copy is complete;
 *  3. the copy gets its name; from then on, with a record, a token, and no staging, the original is what is to be removed;
 *  4. the original is removed, the link takes its place, the token and the record are removed.
 *
 * Only step 4 removes anything that is no copy. Without its token, on another volume, nothing is removed.
 */
import { dirname } from 'node:path';
import {
  asidePath,
  type Found,
  type PersistentFolder,
  planFolder,
  readRecord,
  recordPath,
  stagingPath,
  tokenPath,
  writeRecord,
} from '../../model/place/persistent-folders.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Disk } from './disk.ts';
import { copyTree, FileTrouble, removeTree, within } from './tree.ts';

export interface PersistPorts {
  readonly disk: Disk;
  /** The mount points of this mount namespace. */
  readonly mounts: readonly string[];
  /** Files that belong to chaperone itself. */
  readonly own: readonly string[];
  /** 16 hexadecimal digits that nobody has had before. */
  readonly token: () => string;
  readonly breathe: () => Promise<void>;
  /** Says at once what is going on: a move may take long. */
  readonly say: (text: string) => void;
  /** Waits until no other container moves folders on this volume; returns what ends the lock. Throws with a message for people. */
  readonly lock: (volume: string) => Promise<() => void>;
}

/** Why a folder cannot live on the volume. */
export class PersistenceRefusal extends Error {}

const causes: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system can only be read',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOTSUP: 'the file system has no such thing',
  EIO: 'input/output error',
  EBUSY: 'it is in use',
};

/**
 * Puts each of the folders where it is to live. Returns what was done, one sentence each.
 *
 * @throws PersistenceRefusal where one cannot be put there; then it is as it was, or the next boot completes it
 */
export async function persist(folders: readonly PersistentFolder[], ports: PersistPorts): Promise<readonly string[]> {
  const [first] = folders;
  if (first === undefined) return [];
  const volume = dirname(first.home);
  const variables = folders.map(({ variable }) => variable).join(', ');
  if (!ports.mounts.includes(volume)) {
    throw new PersistenceRefusal(
      `${variables}: nothing is mounted at ${volume}, so that nothing would outlive the container`,
    );
  }
  const done: string[] = [];
  let unlock: (() => void) | undefined;
  try {
    for (const folder of folders) {
      try {
        const mover = new Mover(folder, ports);
        if (!mover.isSettled()) unlock ??= await ports.lock(volume);
        done.push(...(await mover.settle()));
      } catch (error) {
        throw refusalOf(error, folder);
      }
    }
  } finally {
    unlock?.();
  }
  return done;
}

function refusalOf(error: unknown, { variable, folder, home }: PersistentFolder): unknown {
  if (error instanceof PersistenceRefusal) return new PersistenceRefusal(`${variable}: ${error.message}`);
  if (!(error instanceof FileTrouble)) return error;
  const cause = causes[error.code];
  const why = cause === undefined ? error.code : `${cause} (${error.code})`;
  const what = error.message.slice(0, error.message.length - error.code.length - 2);
  return new PersistenceRefusal(
    `${variable}: cannot let ${folder} live in ${home}: cannot ${what}: ${why}; nothing is lost, and the next boot goes on`,
  );
}

const bytes = (path: string): Buffer => Buffer.from(path);

class Mover {
  readonly #folder: PersistentFolder;
  readonly #ports: PersistPorts;
  readonly #disk: Disk;
  #last: readonly string[] = [];

  constructor(folder: PersistentFolder, ports: PersistPorts) {
    this.#folder = folder;
    this.#ports = ports;
    this.#disk = ports.disk;
  }

  /** True where nothing is to be done, so that no lock is needed either. */
  isSettled(): boolean {
    const plan = this.#plan();
    if (this.#found(recordPath(this.#folder.folder)).kind !== 'absent') return false;
    return plan.kind === 'nothing' || plan.kind === 'mounted' || plan.kind === 'refuse';
  }

  async settle(): Promise<readonly string[]> {
    await this.#complete();
    const { variable, folder, home } = this.#folder;
    const plan = this.#plan();
    switch (plan.kind) {
      case 'nothing':
        break;
      case 'mounted':
        this.#tell(`${variable} has no effect: ${folder} is a volume of its own`);
        break;
      case 'begin':
        await this.#makeHome(home);
        if (plan.link) this.#link();
        this.#tell(`${folder} lives in ${home} from now on, and is empty`);
        break;
      case 'link':
        this.#link();
        this.#tell(`${folder} lives in ${home}`);
        break;
      case 'move':
        this.#ports.say(`moving ${folder} to ${home}`);
        await this.#move(home);
        this.#tell(`${folder} lives in ${home} from now on: its content was moved there`);
        break;
      case 'setAside': {
        const aside = asidePath(folder, (path) => this.#found(path).kind !== 'absent');
        await this.#move(aside);
        this.#tell(`${folder} lives in ${home}; what this image has in ${folder} is kept in ${aside}`);
        break;
      }
      case 'refuse':
        throw new PersistenceRefusal(plan.why);
    }
    return this.#last;
  }

  #tell(text: string): void {
    this.#last = [...this.#last, text];
  }

  #plan(): ReturnType<typeof planFolder> {
    const { mounts, own } = this.#ports;
    const { folder, home } = this.#folder;
    const found = this.#found(folder);
    return planFolder(this.#folder, {
      folder: found,
      leadsHome: found.kind === 'link' && (found.target === home || this.#areSame(folder, home)),
      home: this.#homeKind(home),
      mounts,
      own,
    });
  }

  #found(path: string): Found {
    const at = bytes(path);
    const stats = within(at, 'look at', () => this.#disk.look(at));
    if (stats === undefined) return { kind: 'absent' };
    if (stats.isSymbolicLink()) {
      return { kind: 'link', target: within(at, 'read', () => this.#disk.target(at)).toString() };
    }
    return { kind: stats.isDirectory() ? 'folder' : 'other' };
  }

  /** True where both lead to one folder. */
  #areSame(one: string, other: string): boolean {
    const [first, second] = [one, other].map((path) =>
      within(bytes(path), 'look at', () => this.#disk.follow(bytes(path))),
    );
    return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
  }

  /** A home may be a link on the volume. */
  #homeKind(home: string): 'absent' | 'folder' | 'other' {
    const at = bytes(home);
    const stats = within(at, 'look at', () => this.#disk.follow(at));
    if (stats === undefined) return this.#found(home).kind === 'absent' ? 'absent' : 'other';
    return stats.isDirectory() ? 'folder' : 'other';
  }

  /** Moves the folder to a target that is not there, and puts the link in its place. */
  async #move(target: string): Promise<void> {
    if (!this.#renamed(target)) {
      await this.#copy(target);
      await this.#complete();
      return;
    }
    this.#sync(target);
    this.#link();
  }

  /** True where the kernel has renamed the folder. It cannot move between mounts, nor folders of an image's layers. */
  #renamed(target: string): boolean {
    const { folder } = this.#folder;
    try {
      this.#disk.rename(bytes(folder), bytes(target));
      return true;
    } catch (error) {
      if (codeOf(error) === 'EXDEV') return false;
      return within(bytes(folder), 'move', () => {
        throw error;
      });
    }
  }

  /** Steps 1 to 3. */
  async #copy(target: string): Promise<void> {
    const { folder } = this.#folder;
    const staging = bytes(stagingPath(target));
    const around = bytes(dirname(target));
    await removeTree(staging, this.#ports);
    try {
      await copyTree(bytes(folder), staging, this.#ports);
      within(around, 'write to its disk', () => this.#disk.syncAll(around));
    } catch (error) {
      // The space is somebody's who needs it. What cannot be removed now is removed by the next boot.
      await removeTree(staging, this.#ports).catch(() => undefined);
      throw error;
    }
    const token = this.#ports.token();
    this.#makeLink(writeRecord({ token, target }), recordPath(folder));
    this.#makeLink(token, tokenPath(target, token));
    within(bytes(target), 'name', () => this.#disk.rename(staging, bytes(target)));
    this.#sync(target);
  }

  /** Step 4: completes a move that this boot, or an earlier one that was interrupted, has begun. */
  async #complete(): Promise<void> {
    const { folder } = this.#folder;
    const record = this.#found(recordPath(folder));
    if (record.kind === 'absent') return;
    const begun = record.kind === 'link' ? readRecord(record.target) : undefined;
    if (begun === undefined) throw new PersistenceRefusal(`${recordPath(folder)} is in the way`);
    const token = tokenPath(begun.target, begun.token);
    const isComplete =
      this.#found(token).kind === 'link' &&
      this.#found(begun.target).kind === 'folder' &&
      this.#found(stagingPath(begun.target)).kind === 'absent';
    if (isComplete) {
      this.#sync(begun.target);
      if (this.#found(folder).kind === 'folder') await removeTree(bytes(folder), this.#ports);
      if (this.#found(folder).kind === 'absent') this.#link();
    }
    // Where the copy has not got its name, the move begins anew: the folder has everything still.
    for (const path of [token, recordPath(folder)]) {
      if (this.#found(path).kind === 'link') within(bytes(path), 'remove', () => this.#disk.remove(bytes(path)));
    }
  }

  #link(): void {
    const { folder, home } = this.#folder;
    const around = dirname(folder);
    if (this.#found(around).kind === 'absent') {
      within(bytes(around), 'make', () => this.#disk.makeFolder(bytes(around)));
      within(bytes(around), 'set the mode of', () => this.#disk.setMode(bytes(around), 0o755));
    }
    this.#makeLink(home, folder);
    within(bytes(around), 'write to its disk', () => this.#disk.syncNames(bytes(around)));
  }

  #makeLink(target: string, path: string): void {
    within(bytes(path), 'make', () => this.#disk.makeLink(bytes(target), bytes(path)));
  }

  /** Makes a home on the volume, which gets its name once it is complete, as copies do. */
  async #makeHome(home: string): Promise<void> {
    const staging = bytes(stagingPath(home));
    await removeTree(staging, this.#ports);
    within(staging, 'make', () => this.#disk.makeFolder(staging));
    within(staging, 'set the mode of', () => this.#disk.setMode(staging, 0o755));
    within(bytes(home), 'name', () => this.#disk.rename(staging, bytes(home)));
    this.#sync(home);
  }

  #sync(target: string): void {
    const around = bytes(dirname(target));
    within(around, 'write to its disk', () => this.#disk.syncNames(around));
  }
}
