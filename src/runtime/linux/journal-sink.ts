/**
 * The file of an inspection journal. It holds boot after boot; when it would grow beyond its bound, the oldest whole boots are
 * taken out. A thread of libuv's pool does everything.
 *
 * The shorter file is written beside the old one and takes its name in one step, so that a crash loses neither. Where that
 * cannot be (the file is a mount of its own, its directory may not be written to, the disk is full), the rest is moved down
 * within the file: a crash in the middle of that leaves a line that is none, which readers skip.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bootLineStart } from '../../inspect/journal-writer.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { JournalRequest, Sink } from '../kernel.ts';

/** Bytes that are read and copied at a time. */
const pieceSize = 256 * 1024;
/** What is kept of the bound when boots are taken out, so that this is done seldom. */
const keptShare = 0.75;
/** There may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];

/** Why a file that can be opened is not written to. */
type Objection = 'NOT_A_FILE' | 'NOT_A_JOURNAL';

interface OpenJournal {
  readonly handle: FileHandle;
  readonly size: number;
  /** Where this boot begins. */
  readonly bootStart: number;
}

export class JournalSink implements Sink {
  readonly #request: JournalRequest;
  #journal: OpenJournal | undefined;
  /** It was given up: what would come after a gap in the beginning is of no use. */
  #failure: string | undefined;

  constructor(request: JournalRequest) {
    this.#request = request;
  }

  write(bytes: Uint8Array, done: (errorCode?: string, rest?: Uint8Array) => void): void {
    this.#write(bytes).then(
      (stalled) => (stalled === undefined ? done() : done(stalled.errorCode, stalled.rest)),
      (error: unknown) => {
        this.#failure = codeOf(error) ?? 'EIO';
        this.#close();
        done(this.#failure);
      },
    );
  }

  /** Resolves with what there was no room for. */
  async #write(bytes: Uint8Array): Promise<{ readonly errorCode: string; readonly rest: Uint8Array } | undefined> {
    if (this.#failure !== undefined) throw failure(this.#failure);
    let at = 0;
    try {
      let journal = this.#journal ?? (await openJournal(this.#request.path));
      this.#journal = journal;
      if (journal.size + bytes.length > this.#request.maxSize && journal.bootStart > 0) {
        journal = await this.#shorten(journal, this.#request.maxSize - bytes.length);
        this.#journal = journal;
      }
      while (at < bytes.length) {
        const { bytesWritten } = await journal.handle.write(bytes, at, bytes.length - at, journal.size);
        at += bytesWritten;
        journal = { ...journal, size: journal.size + bytesWritten };
        this.#journal = journal;
      }
      return undefined;
    } catch (error) {
      const errorCode = codeOf(error) ?? 'EIO';
      if (!passing.includes(errorCode)) throw error;
      return { errorCode, rest: bytes.subarray(at) };
    }
  }

  /**
   * Takes the oldest boots out.
   *
   * @param room bytes that may be left at most, but for this boot, which stays in any case
   */
  async #shorten(journal: OpenJournal, room: number): Promise<OpenJournal> {
    const target = Math.min(room, this.#request.maxSize * keptShare);
    const start = (await bootStarts(journal)).find((at) => journal.size - at <= target) ?? journal.bootStart;
    const handle = (await replaced(this.#request.path, journal, start)) ?? (await movedDown(journal, start));
    return { handle, size: journal.size - start, bootStart: journal.bootStart - start };
  }

  #close(): void {
    this.#journal?.handle.close().catch(() => undefined);
    this.#journal = undefined;
  }
}

/**
 * Opens the journal for one more boot. O_NOFOLLOW: the directory may belong to somebody who would like chaperone to write
 * elsewhere.
 */
async function openJournal(path: string): Promise<OpenJournal> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw failure('NOT_A_FILE' satisfies Objection);
    if (stats.size === 0) return { handle, size: 0, bootStart: 0 };
    const [start = ''] = (await readPiece(handle, 0, bootLineStart.length)).toString('latin1').split('\n');
    // A line that was torn early is less than the mark.
    if (!bootLineStart.startsWith(start)) throw failure('NOT_A_JOURNAL' satisfies Objection);
    // The last boot may have ended in the middle of a line.
    const last = await readPiece(handle, stats.size - 1, 1);
    const torn = last[0] !== 0x0a;
    if (torn) await handle.write('\n', stats.size);
    const size = stats.size + (torn ? 1 : 0);
    return { handle, size, bootStart: size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Where each boot begins, the oldest first; without this one. */
async function bootStarts({ handle, bootStart }: OpenJournal): Promise<readonly number[]> {
  const starts = [0];
  const mark = Buffer.from(`\n${bootLineStart}`);
  for (let at = 0; at < bootStart; at += pieceSize) {
    // A mark may stand across the end of a piece.
    const piece = await readPiece(handle, at, Math.min(pieceSize + mark.length - 1, bootStart - at));
    for (let found = piece.indexOf(mark); found !== -1; found = piece.indexOf(mark, found + 1)) {
      starts.push(at + found + 1);
    }
  }
  return starts;
}

/** A new file with what stands from `start` on, in place of the old one; undefined where that cannot be. */
async function replaced(path: string, { handle, size }: OpenJournal, start: number): Promise<FileHandle | undefined> {
  const beside = `${path}.new`;
  let copy: FileHandle | undefined;
  try {
    const { uid, gid, mode } = await handle.stat();
    await rm(beside, { force: true });
    copy = await open(beside, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    await copyDown(handle, copy, start, size);
    await copy.chmod(mode & 0o777);
    await copy.chown(uid, gid);
    await rename(beside, path);
    await handle.close();
    return copy;
  } catch {
    await copy?.close();
    await rm(beside, { force: true }).catch(() => undefined);
    return undefined;
  }
}

async function movedDown({ handle, size }: OpenJournal, start: number): Promise<FileHandle> {
  await copyDown(handle, handle, start, size);
  await handle.truncate(size - start);
  return handle;
}

async function copyDown(from: FileHandle, to: FileHandle, start: number, end: number): Promise<void> {
  for (let at = start; at < end; at += pieceSize) {
    const piece = await readPiece(from, at, Math.min(pieceSize, end - at));
    for (let written = 0; written < piece.length; ) {
      written += (await to.write(piece, written, piece.length - written, at - start + written)).bytesWritten;
    }
  }
}

/** Up to `length` bytes; fewer at the end of the file. */
async function readPiece(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(piece, filled, length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return piece.subarray(0, filled);
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
