/**
 * A log file. All calls but those of `open` run in a thread of libuv's pool, so that a slow disk delays nothing else. The
 * queue before the file passes one batch at a time, which keeps the lines in order.
 *
 * A file holds whole lines only. Where the disk has become full in the middle of a line, the piece is cut off again, and the
 * whole line is given back, to be written later or elsewhere: meanwhile the file may have been rotated, or its name may have
 * changed. Where the piece cannot be cut off, the next line begins with a newline that ends it.
 */
import { close, constants, fstat, ftruncate, readFile, type Stats, stat, write } from 'node:fs';
import { promisify } from 'node:util';
import { strftime, variesWithTime } from '../../model/log/log-format.ts';
import { periodOf } from '../../model/log/rotation.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, LogFile, LogFileRequest, WriteDone } from '../kernel.ts';
import { onDemand } from '../on-demand.ts';
import { doLater, doNow, type Steps, steps } from './file-steps.ts';
import { closeFolder, type OpenOptions, openFile, openFolder } from './safe-open.ts';

const statPath = promisify(stat);
const statFile = promisify(fstat);
const writeFile = promisify(write);
const truncateFile = promisify(ftruncate);
const readText = promisify(readFile);

/** ms between two checks that the path still names the open file, and between two tries to open it. */
const checkInterval = 1_000;
/** ms until a FIFO or a terminal whose reader is slow is tried again. */
const busyDelay = 10;
/** ms after which rotated files that have become too old are looked for again. */
const tidyInterval = 3_600_000;
/** Errors after which there may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];
const newline = 10;
const endOfLine = Buffer.from('\n');

interface OpenLog {
  readonly fd: number;
  readonly name: string;
  readonly device: number;
  readonly inode: number;
  readonly regular: boolean;
  /** Bytes; other programs may have changed it since the last check. */
  size: number;
  /** When the last record was written, Unix ms. */
  written: number;
}

/** What has become of a batch. */
interface Answer {
  readonly errorCode?: string;
  readonly rest?: Uint8Array;
}

export class FileSink implements LogFile {
  #request: LogFileRequest;
  readonly #clock: Clock;
  readonly #onTrouble: (errorCode: string) => void;
  #file: OpenLog | undefined;
  #checked = Number.NEGATIVE_INFINITY;
  #tidied = Number.NEGATIVE_INFINITY;
  #failure: string | undefined;
  #truncated = false;
  /** The file whose last line is a piece that could not be cut off. */
  #torn: Pick<OpenLog, 'device' | 'inode'> | undefined;
  /** No rotation is tried before this time of the clock, because the last one failed. */
  #noRotationBefore = Number.NEGATIVE_INFINITY;
  /** True where the last rotation failed. */
  #inTrouble = false;
  readonly #rotation = onDemand(async () => {
    const { LogRotation } = await import('./log-rotation.ts');
    return new LogRotation({
      current: () => this.#request,
      clock: this.#clock,
      isOpen: (device, inode) => this.#file?.device === device && this.#file.inode === inode,
    });
  });

  constructor(request: LogFileRequest, clock: Clock, onTrouble: (errorCode: string) => void) {
    this.#request = request;
    this.#clock = clock;
    this.#onTrouble = onTrouble;
  }

  open(): string | undefined {
    const { path } = this.#request;
    try {
      if (variesWithTime(path)) closeFolder(doNow(openFolder(fixedFolder(path), this.#folders())));
      else this.#file = doNow(this.#open(this.#name()));
      return undefined;
    } catch (error) {
      const code = codeOf(error) ?? 'EIO';
      // A FIFO may get its reader later: that is one of the services.
      return code === 'ENXIO' ? undefined : code;
    }
  }

  adapt(request: LogFileRequest): void {
    if (JSON.stringify(request) === JSON.stringify(this.#request)) return;
    this.#request = request;
    this.#checked = Number.NEGATIVE_INFINITY;
  }

  write(bytes: Uint8Array, done: WriteDone): void {
    const batch = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#write(batch).then(
      ({ errorCode, rest }) => done(errorCode, rest),
      (error: unknown) => done(codeOf(error) ?? 'EIO'),
    );
  }

  close(): void {
    this.#forget();
  }

  async #write(batch: Buffer): Promise<Answer> {
    for (let at = 0; at < batch.length; ) {
      const file = await this.#current();
      if (typeof file === 'string') return answer(file, batch, at);
      const end = this.#roomEnd(file, batch, at);
      if (end === at) {
        await this.#rotate(file);
        continue;
      }
      const { written, errorCode } = await this.#append(file, batch.subarray(at, end));
      at += written;
      if (errorCode !== undefined) return answer(errorCode, batch, at);
    }
    return {};
  }

  /** Where the lines end that the file takes before it has to be rotated. */
  #roomEnd({ size, regular }: OpenLog, batch: Buffer, at: number): number {
    const maxSize = this.#request.rotation?.maxSize;
    if (maxSize === undefined || !regular || size + batch.length - at <= maxSize || !this.#mayRotate())
      return batch.length;
    const room = maxSize - size;
    const end = room <= 0 ? at : batch.lastIndexOf(newline, at + room - 1) + 1;
    if (end > at) return end;
    // A line that is longer than a whole file has one of its own.
    return size === 0 ? lineEnd(batch, at) : at;
  }

  /**
   * Writes whole lines.
   *
   * @returns how many bytes of them the file has, which end with a line
   */
  async #append(file: OpenLog, lines: Buffer): Promise<{ readonly written: number; readonly errorCode?: string }> {
    if (this.#torn !== undefined) {
      const errorCode = isSame(file, this.#torn) ? (await this.#writeAll(file, endOfLine)).errorCode : undefined;
      if (errorCode !== undefined) return { written: 0, errorCode };
      this.#torn = undefined;
    }
    const { written, errorCode } = await this.#writeAll(file, lines);
    if (errorCode === undefined) {
      file.written = this.#clock.wallTime();
      return { written };
    }
    await this.#cutBack(file, written - lineStart(lines, written));
    // Administrators often make room by removing this very file, so its path is checked at the next write.
    if (passing.includes(errorCode)) this.#checked = Number.NEGATIVE_INFINITY;
    else this.#forget();
    return { written: lineStart(lines, written), errorCode };
  }

  async #writeAll(file: OpenLog, bytes: Buffer): Promise<{ readonly written: number; readonly errorCode?: string }> {
    let written = 0;
    while (written < bytes.length) {
      try {
        const { bytesWritten } = await writeFile(file.fd, bytes, written, bytes.length - written);
        written += bytesWritten;
        file.size += bytesWritten;
      } catch (error) {
        const errorCode = codeOf(error) ?? 'EIO';
        if (errorCode !== 'EAGAIN' && errorCode !== 'EINTR') return { written, errorCode };
        await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, busyDelay));
      }
    }
    return { written };
  }

  /** Takes the piece of a line off the end of the file. */
  async #cutBack(file: OpenLog, piece: number): Promise<void> {
    if (piece === 0) return;
    if (file.regular && (await cutEnd(file.fd, piece))) file.size -= piece;
    else this.#torn = { device: file.device, inode: file.inode };
  }

  /** The open file to write to, or the code of the error. */
  async #current(): Promise<OpenLog | string> {
    const now = this.#clock.now();
    if (now - this.#checked < checkInterval) {
      const known = this.#file ?? this.#failure;
      if (known !== undefined) return known;
    }
    this.#checked = now;
    this.#failure = undefined;
    const name = this.#name();
    if (this.#file !== undefined && (await isStill(this.#file, name))) {
      this.#tidy(now, name);
      if (!this.#isDue(this.#file)) return this.#file;
      await this.#rotate(this.#file);
      if (this.#file !== undefined) return this.#file;
    }
    this.#forget();
    try {
      this.#file = await doLater(this.#open(name));
      this.#tidy(now, name);
      if (!this.#isDue(this.#file)) return this.#file;
      await this.#rotate(this.#file);
      return this.#file ?? (await this.#current());
    } catch (error) {
      this.#failure = codeOf(error) ?? 'EIO';
      return this.#failure;
    }
  }

  /** True where a new period has begun since the last record in the file. */
  #isDue({ regular, size, written }: OpenLog): boolean {
    const every = this.#request.rotation?.every;
    if (every === undefined || !regular || size === 0 || !this.#mayRotate()) return false;
    return periodOf(every, written) !== periodOf(every, this.#clock.wallTime());
  }

  #mayRotate(): boolean {
    return this.#clock.now() >= this.#noRotationBefore;
  }

  /** Frees the name of the file, so that a new one is opened next. Where that is not possible, the file grows on. */
  async #rotate(file: OpenLog): Promise<void> {
    const retry = this.#clock.now() + checkInterval;
    try {
      const rotation = await this.#rotation();
      // Another program has rotated the file meanwhile, where this one did not. Its new file is opened next.
      if (!(await rotation.rotate(file.name, file))) this.#noRotationBefore = retry;
      this.#inTrouble = false;
      this.#forget();
      this.#checked = Number.NEGATIVE_INFINITY;
      this.#tidied = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#noRotationBefore = retry;
      if (!this.#inTrouble) this.#onTrouble(codeOf(error) ?? 'EIO');
      this.#inTrouble = true;
    }
  }

  #tidy(now: number, name: string): void {
    if (this.#request.rotation === undefined || now - this.#tidied < tidyInterval) return;
    this.#tidied = now;
    this.#rotation()
      .then((rotation) => rotation.tidy(name))
      .catch(() => {
        // The module could not be loaded, because there were too many open files: the next check tries again.
        this.#tidied = Number.NEGATIVE_INFINITY;
      });
  }

  #name(): string {
    return strftime(this.#request.path, new Date(this.#clock.wallTime()));
  }

  /**
   * O_APPEND, because other programs may write to the file, and logrotate's copytruncate shortens it. O_NONBLOCK,
   * because a FIFO without a reader then gives an error at once and does not block a thread for ever.
   */
  #openOptions(): OpenOptions {
    const { owner, mode = owner?.gidGiven === true ? 0o660 : 0o640 } = this.#request;
    return {
      flags: constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY,
      create: { mode },
      // A mode that lets everybody write is the configuration's wish.
      forbidden: 0o002 & ~mode,
      ...(owner === undefined ? {} : { owner }),
      ...this.#folders(),
    };
  }

  #folders(): Pick<OpenOptions, 'make'> {
    const { owner } = this.#request;
    return { make: { mode: owner?.gidGiven === true ? 0o775 : 0o755, ...(owner === undefined ? {} : { owner }) } };
  }

  *#open(name: string): Steps<OpenLog> {
    const { fd, stats, place, created } = yield* openFile(name, this.#openOptions());
    closeFolder(place.folder);
    // What only the kernel can find, such as /dev/stdout, is not chaperone's to rotate.
    const regular = stats.isFile() && !place.magic;
    const empties = this.#request.overwrite && !this.#truncated && !created && regular;
    try {
      if (empties) yield* steps.ftruncate(fd, 0);
    } catch (error) {
      close(fd, () => undefined);
      throw error;
    }
    this.#truncated = true;
    const { dev: device, ino: inode, mtimeMs: written } = stats;
    return { fd, name, device, inode, regular, size: empties ? 0 : stats.size, written };
  }

  #forget(): void {
    if (this.#file !== undefined) close(this.#file.fd, () => undefined);
    this.#file = undefined;
  }
}

/** True where the path still names the open file, whose size is noted. */
async function isStill(file: OpenLog, name: string): Promise<boolean> {
  if (name !== file.name) return false;
  const there: Pick<Stats, 'dev' | 'ino' | 'size'> | undefined = await statPath(name).catch(() => undefined);
  if (there?.dev !== file.device || there.ino !== file.inode) return false;
  file.size = there.size;
  return true;
}

function isSame(one: Pick<OpenLog, 'device' | 'inode'>, other: Pick<OpenLog, 'device' | 'inode'>): boolean {
  return one.device === other.device && one.inode === other.inode;
}

/**
 * Cuts the last bytes of a file off, where they are those that were written last. Others may write to the file, too, but its
 * description here is only chaperone's: its position, proc_pid_fdinfo(5), is where the last write ended.
 */
async function cutEnd(fd: number, piece: number): Promise<boolean> {
  try {
    const [, position] = /^pos:\s+(\d+)$/m.exec(await readText(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? [];
    const { size } = await statFile(fd);
    if (Number(position) !== size) return false;
    await truncateFile(fd, size - piece);
    return true;
  } catch {
    // Without /proc, or where the file may only be appended to (chattr +a), the piece stays.
    return false;
  }
}

/** The folder of a path whose own name does not change with time. */
function fixedFolder(path: string): string {
  const names = path.split('/');
  return strftime(names.slice(0, names.findIndex(variesWithTime)).join('/'), new Date(0));
}

function lineEnd(batch: Buffer, at: number): number {
  const end = batch.indexOf(newline, at);
  return end === -1 ? batch.length : end + 1;
}

/** Where the line begins to which the last of so many bytes belongs; their end, where that ends a line. */
function lineStart(lines: Buffer, count: number): number {
  return count === 0 ? 0 : lines.lastIndexOf(newline, count - 1) + 1;
}

/** The answer to a write that has failed. Without hope of room, nothing is given back where nothing was written. */
function answer(errorCode: string, batch: Buffer, written: number): Answer {
  const keeps = written > 0 || passing.includes(errorCode);
  return keeps ? { errorCode, rest: batch.subarray(written) } : { errorCode };
}
