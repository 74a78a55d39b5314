/** Each file system operation of a move, one call each: tests count them, and end the program at any of them. */
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  fsyncSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { codeOf } from '../../model/words/errno.ts';
import type { NativeEdge } from '../linux/native.ts';

/** Paths are bytes, because names need not be UTF-8. Each function throws with `code`. */
export interface Disk {
  /** Symbolic links are not followed; undefined where nothing is there. */
  look(path: Buffer): BigIntStats | undefined;
  /** Symbolic links are followed; undefined where they lead to nothing. */
  follow(path: Buffer): BigIntStats | undefined;
  names(path: Buffer): Buffer[];
  target(path: Buffer): Buffer;
  makeFolder(path: Buffer): void;
  makeLink(target: Buffer, path: Buffer): void;
  addName(existing: Buffer, path: Buffer): void;
  makeNode(path: Buffer, mode: number, device: number): void;
  rename(from: Buffer, to: Buffer): void;
  remove(path: Buffer): void;
  removeFolder(path: Buffer): void;
  openToRead(path: Buffer): number;
  /** A file of that name must not be there. */
  openToWrite(path: Buffer): number;
  read(fd: number, into: Buffer, length: number, at: number): number;
  write(fd: number, from: Buffer, length: number, at: number): number;
  setLength(fd: number, length: number): void;
  close(fd: number): void;
  nextData(fd: number, from: number): { begin: number; end: number } | undefined;
  setOwner(path: Buffer, uid: number, gid: number): void;
  setMode(path: Buffer, mode: number): void;
  setTimes(path: Buffer, stats: BigIntStats): void;
  attributes(path: Buffer): readonly Buffer[];
  attribute(path: Buffer, name: Buffer): Buffer;
  setAttribute(path: Buffer, name: Buffer, value: Buffer): void;
  /** Returns when everything on the file system of a folder is on its disk. */
  syncAll(folder: Buffer): void;
  /** Returns when the names in a folder are on its disk. */
  syncNames(folder: Buffer): void;
}

export function linuxDisk(edge: NativeEdge): Disk {
  return {
    look: (path) => lstatSync(path, { bigint: true, throwIfNoEntry: false }),
    follow: (path) => statSync(path, { bigint: true, throwIfNoEntry: false }),
    names: (path) => readdirSync(path, { encoding: 'buffer' }),
    target: (path) => readlinkSync(path, { encoding: 'buffer' }),
    makeFolder: (path) => {
      mkdirSync(path, { mode: 0o700 });
    },
    makeLink: (target, path) => symlinkSync(target, path),
    addName: (existing, path) => linkSync(existing, path),
    makeNode: (path, mode, device) => edge.makeNode(path, mode, device),
    rename: (from, to) => renameSync(from, to),
    remove: (path) => unlinkSync(path),
    removeFolder: (path) => rmdirSync(path),
    openToRead: (path) => openSync(path, 'r'),
    openToWrite: (path) => openSync(path, 'wx', 0o600),
    read: (fd, into, length, at) => readSync(fd, into, 0, length, at),
    write: (fd, from, length, at) => writeSync(fd, from, 0, length, at),
    setLength: (fd, length) => ftruncateSync(fd, length),
    close: (fd) => closeSync(fd),
    nextData: (fd, from) => edge.nextData(fd, from),
    setOwner: (path, uid, gid) => lchownSync(path, uid, gid),
    setMode: (path, mode) => chmodSync(path, mode),
    setTimes: (path, stats) => edge.setTimes(path, ...secondsOf(stats.atimeNs), ...secondsOf(stats.mtimeNs)),
    attributes: (path) => namesIn(attributesOf(edge, path)),
    attribute: (path, name) => edge.getAttribute(path, name),
    setAttribute: (path, name, value) => edge.setAttribute(path, name, value),
    syncAll: (folder) => withFolder(folder, (fd) => edge.syncFileSystem(fd)),
    syncNames: (folder) => withFolder(folder, fsyncSync),
  };
}

/** Seconds, rounded down, and the nanoseconds beyond them. */
function secondsOf(nanoseconds: bigint): [number, number] {
  const rest = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return [Number((nanoseconds - rest) / 1_000_000_000n), Number(rest)];
}

/** A file system without extended attributes has none to copy. */
function attributesOf(edge: NativeEdge, path: Buffer): Buffer {
  try {
    return edge.listAttributes(path);
  } catch (error) {
    if (codeOf(error) === 'ENOTSUP') return Buffer.alloc(0);
    throw error;
  }
}

function namesIn(list: Buffer): readonly Buffer[] {
  const names: Buffer[] = [];
  for (let begin = 0; begin < list.length; ) {
    const end = list.indexOf(0, begin);
    names.push(list.subarray(begin, end));
    begin = end + 1;
  }
  return names;
}

function withFolder(folder: Buffer, use: (fd: number) => void): void {
  const fd = openSync(folder, 'r');
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}
