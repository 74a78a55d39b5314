/**
 * Rotates a log file, and looks after the rotated ones: removes the old ones and compresses the others, in threads of
 * libuv's pool. No step loses a line: a file is removed only once its compressed copy is complete and synced, and a crash
 * leaves at worst an incomplete copy, which the next run removes.
 *
 * A rotation never waits for a compression. So a file may get its next number while it is being compressed; it is found
 * again by its inode.
 */
import { close, constants, createReadStream, createWriteStream, fstat, fsync, futimes } from 'node:fs';
import { lstat, readdir, rename, unlink } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGzip } from 'node:zlib';
import { planRotation, type Rotated, type Rotation, rotatedOf } from '../../model/log/rotation.ts';
import type { FileOwner } from '../../model/service/service-spec.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock } from '../kernel.ts';
import { doLater } from './file-steps.ts';
import { closeFolder, locate, type OpenedFile, openAt, type Place, pathIn } from './safe-open.ts';

export interface RotationOptions {
  /** What the configuration says now. There is one object for a file as long as chaperone runs: its steps exclude each other. */
  readonly current: () => { readonly rotation?: Rotation; readonly owner?: FileOwner };
  readonly clock: Pick<Clock, 'wallTime'>;
  /** True for the file that is being written to, which another program may have given a rotated name. */
  readonly isOpen: (device: number, inode: number) => boolean;
}

const syncFile = promisify(fsync);
const statFile = promisify(fstat);
const closeFile = promisify(close);
const setTimes = promisify(futimes);

/** The end of the name of a compressed copy that is not complete. */
const incomplete = '.gz-part';

export class LogRotation {
  readonly #options: RotationOptions;
  /** Settles when no step that needs the numbers is under way. */
  #turn: Promise<unknown> = Promise.resolve();
  #tidying: Promise<void> | undefined;
  #tidyAgain = false;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /**
   * Frees the name of the log file. Where it has become another file's meanwhile, nothing is done.
   *
   * @returns true where the name is free now
   * @throws errors with a code
   */
  rotate(path: string, { device, inode }: { readonly device: number; readonly inode: number }): Promise<boolean> {
    return this.#inTurn(() =>
      withPlace(path, async ({ folder, name }) => {
        const { dev, ino } = await lstat(pathIn(folder, name));
        if (dev !== device || ino !== inode) return false;
        const names = await readdir(pathIn(folder, '.'));
        for (const step of planRotation(names, name, this.#options.current().rotation?.keep)) {
          const from = pathIn(folder, step.name);
          if (step.kind === 'remove') await unlink(from);
          else await rename(from, pathIn(folder, step.to));
        }
        return true;
      }),
    );
  }

  /** Removes and compresses what is due, in the background; resolves when that is done. */
  tidy(path: string): Promise<void> {
    this.#tidyAgain = this.#tidying !== undefined;
    this.#tidying ??= this.#tidyUp(path).finally(() => {
      this.#tidying = undefined;
    });
    return this.#tidying;
  }

  async #tidyUp(path: string): Promise<void> {
    do {
      this.#tidyAgain = false;
      // What cannot be tidied up now, because the disk is full or the folder has gone, can be the next time.
      await withPlace(path, (place) => this.#tidyPlace(place)).catch(() => undefined);
    } while (this.#tidyAgain);
  }

  async #tidyPlace(place: Place): Promise<void> {
    const { folder, name } = place;
    await unlink(pathIn(folder, name + incomplete)).catch(() => undefined);
    await this.#inTurn(() => this.#removeOld(place));
    if (this.#options.current().rotation?.compress !== true) return;
    const open = (await rotatedIn(place)).filter(({ compressed }) => !compressed);
    for (const each of open.reverse()) await this.#compress(place, each.name);
  }

  async #removeOld(place: Place): Promise<void> {
    const { keep = Number.POSITIVE_INFINITY, maxAge, compress } = this.#options.current().rotation ?? {};
    const oldest = maxAge === undefined ? Number.NEGATIVE_INFINITY : this.#options.clock.wallTime() - maxAge;
    const rotated = await rotatedIn(place);
    for (const { name, number, compressed } of rotated) {
      const path = pathIn(place.folder, name);
      // The copy takes its name once it is complete, so that the file beside it is left over.
      const isCopied =
        compress === true && !compressed && rotated.some((each) => each.compressed && each.number === number);
      if (number > keep || isCopied || (await lstat(path)).mtimeMs < oldest) await unlink(path);
    }
  }

  async #compress(place: Place, name: string): Promise<void> {
    const { owner } = this.#options.current();
    let source: OpenedFile;
    try {
      source = await doLater(
        openAt(
          { ...place, name, linked: false },
          { flags: constants.O_RDONLY | constants.O_NONBLOCK, ...(owner === undefined ? {} : { owner }) },
        ),
      );
    } catch (error) {
      // The file has got another number, or it is none that chaperone has made.
      if (codeOf(error) === undefined) throw error;
      return;
    }
    try {
      const { stats } = source;
      if (!stats.isFile() || this.#options.isOpen(stats.dev, stats.ino)) return;
      await this.#copy(place, source);
    } finally {
      await closeFile(source.fd);
    }
  }

  async #copy(place: Place, { fd, stats }: OpenedFile): Promise<void> {
    const { folder } = place;
    const part = place.name + incomplete;
    const { uid, gid, mode, atimeMs, mtimeMs } = stats;
    const copy = await doLater(
      openAt(
        { ...place, name: part, linked: false },
        { flags: constants.O_WRONLY, create: { mode: mode & 0o777 }, owner: { uid, gid, gidGiven: false } },
      ),
    );
    try {
      if (!copy.created) throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
      const source = createReadStream('', { fd, autoClose: false, start: 0 });
      await pipeline(source, createGzip(), createWriteStream('', { fd: copy.fd, autoClose: false }));
      // `max_age` counts from the last record.
      await setTimes(copy.fd, atimeMs / 1_000, mtimeMs / 1_000);
      await syncFile(copy.fd);
      await this.#inTurn(async () => {
        const name = await nameOf(place, stats.ino);
        if (name === undefined || (await statFile(fd)).size !== source.bytesRead) return;
        if ((await lstat(pathIn(folder, part))).ino !== copy.stats.ino) return;
        await rename(pathIn(folder, part), pathIn(folder, `${name}.gz`));
        await unlink(pathIn(folder, name));
      });
    } finally {
      await closeFile(copy.fd);
      await unlink(pathIn(folder, part)).catch(() => undefined);
    }
  }

  /** Runs an action when no other one is under way that needs the numbers of rotated files to stay. */
  #inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

async function withPlace<Result>(path: string, action: (place: Place) => Promise<Result>): Promise<Result> {
  const place = await doLater(locate(path));
  try {
    return await action(place);
  } finally {
    closeFolder(place.folder);
  }
}

async function rotatedIn({ folder, name }: Place): Promise<Rotated[]> {
  return [...rotatedOf(await readdir(pathIn(folder, '.')), name)];
}

/** The name that a rotated file has now; undefined where it was removed. */
async function nameOf(place: Place, inode: number): Promise<string | undefined> {
  for (const { name, compressed } of await rotatedIn(place)) {
    if (compressed) continue;
    const { ino } = await lstat(pathIn(place.folder, name)).catch(() => ({ ino: undefined }));
    if (ino === inode) return name;
  }
  return undefined;
}
