/**
 * The file of an inspection journal. It holds one boot after the other; when it would exceed its limit, the oldest
 * whole boots are removed, and where only one boot is left, sections behind its first one. All calls run in a thread of libuv's pool.
 *
 * The shorter file is written beside the old one and renamed in one step, so that a crash loses neither. Where that is
 * not possible (the file is a mount of its own, its directory is not writable, the disk is full), the rest is moved
 * down within the file; a crash in the middle of that leaves one broken line, which readers skip.
 */
import { close, constants, fstat, ftruncate, read, write } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { bootLineStart, sectionLineStart } from '../../inspect/journal-writer.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { JournalRequest, Sink } from '../kernel.ts';
import { doLater } from './file-steps.ts';
import { closeFolder, openAt, openFile, type Place, pathIn } from './safe-open.ts';

const statFile = promisify(fstat);
const truncateFile = promisify(ftruncate);
const readFile = promisify(read);
const writeFile = promisify(write);
const closeFile = promisify(close);

/** How many bytes are read and copied at a time. */
const pieceSize = 256 * 1024;
/** The share of the limit that stays when boots are removed; the free rest makes removals rare. */
const keptShare = 0.75;
/** Errors after which there may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];

/** Why a file that can be opened is not used as a journal. */
type Objection = 'NOT_A_FILE' | 'NOT_A_JOURNAL';

interface OpenJournal {
  readonly fd: number;
  readonly place: Place;
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
      if (journal.size + bytes.length > this.#request.maxSize) {
        journal = await this.#shorten(journal, this.#request.maxSize - bytes.length);
        this.#journal = journal;
      }
      while (at < bytes.length) {
        const { bytesWritten } = await writeFile(journal.fd, bytes, at, bytes.length - at, journal.size);
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
   * Removes the oldest boots, and then the oldest sections of this boot but the first one.
   *
   * @param room the most bytes that may be left
   */
  async #shorten(journal: OpenJournal, room: number): Promise<OpenJournal> {
    const { size, bootStart } = journal;
    const target = Math.min(room, this.#request.maxSize * keptShare);
    const starts = [0, ...(await lineStarts(journal, bootLineStart, 0, bootStart))];
    const start = starts.find((at) => size - at <= target) ?? bootStart;
    const left = start === 0 ? journal : await withoutPiece(journal, { from: 0, to: start });
    if (left.bootStart > 0 || left.size <= room) return left;
    const [first, ...others] = await lineStarts(left, sectionLineStart, 0, left.size);
    const next = others.find((at) => first !== undefined && left.size - (at - first) <= target) ?? others.at(-1);
    return first === undefined || next === undefined ? left : withoutPiece(left, { from: first, to: next });
  }

  #close(): void {
    if (this.#journal === undefined) return;
    close(this.#journal.fd, () => undefined);
    closeFolder(this.#journal.place.folder);
    this.#journal = undefined;
  }
}

/**
 * Opens the journal for one more boot. One that an application has made beforehand, or may write to, is not used: it would
 * learn from it what only root is to know.
 */
async function openJournal(path: string): Promise<OpenJournal> {
  const { fd, stats, place } = await doLater(
    openFile(path, {
      // Opening a FIFO must not block.
      flags: constants.O_RDWR | constants.O_NONBLOCK,
      create: { mode: 0o600 },
      make: { mode: 0o755 },
      followLast: false,
      forbidden: 0o022,
    }),
  );
  try {
    if (!stats.isFile()) throw failure('NOT_A_FILE' satisfies Objection);
    if (stats.size === 0) return { fd, place, size: 0, bootStart: 0 };
    const [start = ''] = (await readPiece(fd, 0, bootLineStart.length)).toString('latin1').split('\n');
    // A torn first line may be shorter than the mark.
    if (!bootLineStart.startsWith(start)) throw failure('NOT_A_JOURNAL' satisfies Objection);
    // The last boot may have ended in the middle of a line.
    const last = await readPiece(fd, stats.size - 1, 1);
    const torn = last[0] !== 0x0a;
    if (torn) await writeFile(fd, Buffer.from('\n'), 0, 1, stats.size);
    const size = stats.size + (torn ? 1 : 0);
    return { fd, place, size, bootStart: size };
  } catch (error) {
    await closeFile(fd);
    closeFolder(place.folder);
    throw error;
  }
}

/** The offsets of the lines that begin so, but for the first line of the file, in order. */
async function lineStarts({ fd }: OpenJournal, begin: string, from: number, to: number): Promise<readonly number[]> {
  const starts: number[] = [];
  const mark = Buffer.from(`\n${begin}`);
  for (let at = from; at < to; at += pieceSize) {
    // Pieces overlap, because a mark may cross the end of a piece.
    const piece = await readPiece(fd, at, Math.min(pieceSize + mark.length - 1, to - at));
    for (let found = piece.indexOf(mark); found !== -1; found = piece.indexOf(mark, found + 1)) {
      starts.push(at + found + 1);
    }
  }
  return starts;
}

/** A part of the file: whole lines. */
interface Piece {
  readonly from: number;
  readonly to: number;
}

async function withoutPiece(journal: OpenJournal, piece: Piece): Promise<OpenJournal> {
  const fd = (await replaced(journal, piece)) ?? (await movedDown(journal, piece));
  const length = piece.to - piece.from;
  return {
    ...journal,
    fd,
    size: journal.size - length,
    bootStart: journal.bootStart >= piece.to ? journal.bootStart - length : journal.bootStart,
  };
}

/** Replaces the file by a new one without the piece; undefined where that is not possible. */
async function replaced({ fd, place, size }: OpenJournal, { from, to }: Piece): Promise<number | undefined> {
  const { folder, name } = place;
  const beside = `${name}.new`;
  const remove = (): Promise<void> => unlink(pathIn(folder, beside)).catch(() => undefined);
  let copy: number | undefined;
  try {
    const { uid, gid, mode } = await statFile(fd);
    await remove();
    // A new file only, so that a crash has left nothing in it.
    const opened = await doLater(
      openAt(
        { ...place, name: beside },
        {
          flags: constants.O_RDWR,
          create: { mode: mode & 0o777 },
          owner: { uid, gid, gidGiven: false },
        },
      ),
    );
    copy = opened.fd;
    if (!opened.created) throw failure('EEXIST');
    await copyBytes(fd, copy, { from: 0, to: from }, 0);
    await copyBytes(fd, copy, { from: to, to: size }, from);
    await rename(pathIn(folder, beside), pathIn(folder, name));
    await closeFile(fd);
    return copy;
  } catch {
    if (copy !== undefined) await closeFile(copy);
    await remove();
    return undefined;
  }
}

async function movedDown({ fd, size }: OpenJournal, { from, to }: Piece): Promise<number> {
  await copyBytes(fd, fd, { from: to, to: size }, from);
  await truncateFile(fd, size - (to - from));
  return fd;
}

/** Copies a part of a file to an offset; within one file, only to a lower one. */
async function copyBytes(source: number, target: number, { from, to }: Piece, offset: number): Promise<void> {
  for (let at = from; at < to; at += pieceSize) {
    const piece = await readPiece(source, at, Math.min(pieceSize, to - at));
    for (let written = 0; written < piece.length; ) {
      written += (await writeFile(target, piece, written, piece.length - written, offset + at - from + written))
        .bytesWritten;
    }
  }
}

/** Up to `length` bytes; fewer at the end of the file. */
async function readPiece(fd: number, at: number, length: number): Promise<Buffer> {
  const piece = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await readFile(fd, piece, filled, length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return piece.subarray(0, filled);
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
