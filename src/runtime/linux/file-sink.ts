/**
 * A log file. All calls run in a thread of libuv's pool, so that a slow disk delays nothing else. The queue before the
 * file passes one batch at a time, which keeps the lines in order.
 */
import { close, constants, fchmod, fchown, fstat, mkdir, open, type Stats, stat, write } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { strftime } from '../../model/log/log-format.ts';
import type { FileOwner } from '../../model/service/service-spec.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, LogFileRequest, Sink } from '../kernel.ts';

const openFile = promisify(open);
const statPath = promisify(stat);
const statFile = promisify(fstat);
const makeDirectory = promisify(mkdir);
const changeOwner = promisify(fchown);
const changeMode = promisify(fchmod);
const writeFile = promisify(write);

/** ms between two checks that the path still names the open file, and between two tries to open it. */
const checkInterval = 1_000;
/** ms until a FIFO or a terminal whose reader is slow is tried again. */
const busyDelay = 10;
/** Errors after which there may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];

interface OpenFile {
  readonly fd: number;
  readonly name: string;
  readonly device: number;
  readonly inode: number;
}

export class FileSink implements Sink {
  readonly #request: LogFileRequest;
  readonly #clock: Clock;
  #file: OpenFile | undefined;
  #checked = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;
  #truncated = false;

  constructor(request: LogFileRequest, clock: Clock) {
    this.#request = request;
    this.#clock = clock;
  }

  write(bytes: Uint8Array, done: (errorCode?: string, rest?: Uint8Array) => void): void {
    this.#write(bytes).then(
      ({ errorCode, rest }) => done(errorCode, rest),
      (error: unknown) => done(codeOf(error) ?? 'EIO'),
    );
  }

  close(): void {
    this.#forget();
  }

  async #write(bytes: Uint8Array): Promise<{ readonly errorCode?: string; readonly rest?: Uint8Array }> {
    const file = await this.#current();
    if (typeof file === 'string')
      return passing.includes(file) ? { errorCode: file, rest: bytes } : { errorCode: file };
    let at = 0;
    while (at < bytes.length) {
      try {
        at += (await writeFile(file.fd, bytes, at, bytes.length - at)).bytesWritten;
      } catch (error) {
        const code = codeOf(error) ?? 'EIO';
        if (code === 'EAGAIN' || code === 'EINTR') {
          await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, busyDelay));
          continue;
        }
        if (passing.includes(code)) {
          // Administrators often make room by removing this very file, so its path is checked at the next write.
          this.#checked = Number.NEGATIVE_INFINITY;
          return { errorCode: code, rest: bytes.subarray(at) };
        }
        this.#forget();
        throw error;
      }
    }
    return {};
  }

  /** The open file to write to, or the code of the error. */
  async #current(): Promise<OpenFile | string> {
    const now = this.#clock.now();
    if (now - this.#checked < checkInterval) {
      const known = this.#file ?? this.#failure;
      if (known !== undefined) return known;
    }
    this.#checked = now;
    this.#failure = undefined;
    const name = strftime(this.#request.path, new Date(this.#clock.wallTime()));
    if (this.#file !== undefined && (await isStill(this.#file, name))) return this.#file;
    this.#forget();
    try {
      const fd = await this.#open(name);
      const { dev, ino } = await statFile(fd);
      this.#file = { fd, name, device: dev, inode: ino };
      return this.#file;
    } catch (error) {
      this.#failure = codeOf(error) ?? 'EIO';
      return this.#failure;
    }
  }

  /**
   * O_APPEND, because other programs may write to the file, and logrotate's copytruncate shortens it. O_NONBLOCK,
   * because a FIFO without a reader then gives an error at once and does not block a thread for ever.
   */
  async #open(name: string): Promise<number> {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY;
    const truncate = this.#request.overwrite && !this.#truncated ? constants.O_TRUNC : 0;
    for (;;) {
      try {
        const fd = await openFile(name, flags | truncate);
        this.#truncated = true;
        return fd;
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
      }
      try {
        const fd = await this.#create(name, flags);
        this.#truncated = true;
        return fd;
      } catch (error) {
        // EEXIST: another process has made the file meanwhile, or the name is a dangling link, whose target is not
        // created.
        if (codeOf(error) !== 'EEXIST' || (await isDangling(name))) throw error;
      }
    }
  }

  async #create(name: string, flags: number): Promise<number> {
    const { owner } = this.#request;
    await makeDirectories(dirname(name), owner);
    const mode = owner?.gidGiven === true ? 0o664 : 0o644;
    const fd = await openFile(name, flags | constants.O_CREAT | constants.O_EXCL, mode);
    // The mode is set apart from the umask. A file whose owner cannot be changed is still a log.
    await changeMode(fd, mode).catch(() => undefined);
    if (owner !== undefined) await changeOwner(fd, owner.uid, owner.gid).catch(() => undefined);
    return fd;
  }

  #forget(): void {
    if (this.#file !== undefined) close(this.#file.fd, () => undefined);
    this.#file = undefined;
  }
}

/** True where the path still names the open file. */
async function isStill(file: OpenFile, name: string): Promise<boolean> {
  if (name !== file.name) return false;
  const { dev, ino }: Pick<Stats, 'dev' | 'ino'> = await statPath(name).catch(() => ({ dev: -1, ino: -1 }));
  return dev === file.device && ino === file.inode;
}

async function isDangling(name: string): Promise<boolean> {
  return statPath(name).then(
    () => false,
    (error: unknown) => codeOf(error) === 'ENOENT',
  );
}

async function makeDirectories(path: string, owner: FileOwner | undefined): Promise<void> {
  const mode = owner?.gidGiven === true ? 0o775 : 0o755;
  try {
    await makeDirectory(path, mode);
  } catch (error) {
    const code = codeOf(error) ?? 'EIO';
    if (code === 'EEXIST' || code === 'EROFS') return;
    if (code !== 'ENOENT' || path === dirname(path)) throw error;
    await makeDirectories(dirname(path), owner);
    return makeDirectories(path, owner);
  }
  const fd = await openFile(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await changeMode(fd, mode).catch(() => undefined);
    if (owner !== undefined) await changeOwner(fd, owner.uid, owner.gid).catch(() => undefined);
  } finally {
    close(fd, () => undefined);
  }
}
