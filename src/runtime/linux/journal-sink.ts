/**
 * The file of an inspection journal. It holds one boot after the other; when it would exceed its limit, the oldest
 * whole boots are removed. All calls run in a thread of libuv's pool.
 *
 * The shorter file is written beside the old one and renamed in one step, so that a crash loses neither. Where that is
 * not possible (the file is a mount of its own, its directory is not writable, the disk is full), the rest is moved
 * down within the file; a crash in the middle of that leaves one broken line, which readers skip.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { bootLineStart } from '../../inspect/journal-writer.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { JournalRequest, Sink } from '../kernel.ts';

/** How many bytes are read and copied at a time. */
const pieceSize = 256 * 1024;
/** The share of the limit that stays when boots are removed; the free rest makes removals rare. */
const keptShare = 0.75;
/** Errors after which there may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];

/** Why a file that can be opened is not used as a journal. */
type Objection = 'NOT_A_FILE' | 'NOT_A_JOURNAL';

interface OpenJournal {
  readonly handle: FileHandle;
  readonly size: number;
  /** The offset at which this boot begins. */
  readonly bootStart: number;
}

export class JournalSink implements Sink {
  readonly #request: JournalRequest;
  #journal: OpenJournal | undefined;
  /** Set once the journal was given up: entries after a gap in the beginning would be useless. */
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

  /** Resolves with the bytes for which there was no room. */
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
   * Removes the oldest boots.
   *
   * @param room the most bytes that may be left beside this boot, which always stays
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
 * Opens the journal for one more boot. O_NOFOLLOW, because the owner of the directory could otherwise make chaperone
 * write to another file.
 */
async function openJournal(path: string): Promise<OpenJournal> {
  await mkdir(dirname(path), { recursive: true });
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw failure('NOT_A_FILE' satisfies Objection);
    if (stats.size === 0) return { handle, size: 0, bootStart: 0 };
    const [start = ''] = (await readPiece(handle, 0, bootLineStart.length)).toString('latin1').split('\n');
    // A torn first line may be shorter than the mark.
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

/** The offsets at which the earlier boots begin, the oldest first. */
async function bootStarts({ handle, bootStart }: OpenJournal): Promise<readonly number[]> {
  const starts = [0];
  const mark = Buffer.from(`\n${bootLineStart}`);
  for (let at = 0; at < bootStart; at += pieceSize) {
    // Pieces overlap, because a mark may cross the end of a piece.
    const piece = await readPiece(handle, at, Math.min(pieceSize + mark.length - 1, bootStart - at));
    for (let found = piece.indexOf(mark); found !== -1; found = piece.indexOf(mark, found + 1)) {
      starts.push(at + found + 1);
    }
  }
  return starts;
}

/** Replaces the file by a new one with the content from `start` on; undefined where that is not possible. */
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
