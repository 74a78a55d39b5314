/** Copies of folders that are the same in everything that programs can see, and the removal of folders. */
import { type BigIntStats, constants } from 'node:fs';
import { codeOf } from '../../model/words/errno.ts';
import type { Disk } from './disk.ts';

const chunk = Buffer.alloc(1024 * 1024);
const kindMask = BigInt(constants.S_IFMT);
const modeMask = 0o7777n;
const separator = Buffer.from('/');
/** The kernel's own, which it sets by its policy. */
const labels = new Set(['security.selinux', 'security.ima', 'security.evm']);

/** What went wrong with which file. */
export class FileTrouble extends Error {
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: Buffer, doing: string) {
    super(`${doing} ${path.toString()}: ${code}`);
    this.code = code;
    this.path = path.toString();
  }
}

export interface TreePorts {
  readonly disk: Disk;
  /** Lets signals in once in a while. */
  readonly breathe: () => Promise<void>;
}

export function below(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, separator, name]);
}

/**
 * Copies a folder: owners, modes, times, extended attributes, hard links among its files, symbolic links, holes, FIFOs, sockets
 * and devices. The target must not be there.
 *
 * @throws FileTrouble
 */
export async function copyTree(from: Buffer, to: Buffer, ports: TreePorts): Promise<void> {
  await new TreeCopy(ports).copy(from, to);
}

class TreeCopy {
  readonly #ports: TreePorts;
  /** The first copy of each file with several names, by device and inode. */
  readonly #linked = new Map<string, Buffer>();

  constructor(ports: TreePorts) {
    this.#ports = ports;
  }

  async copy(from: Buffer, to: Buffer): Promise<void> {
    const { disk, breathe } = this.#ports;
    await breathe();
    const stats = within(from, 'look at', () => disk.look(from));
    if (stats === undefined) throw new FileTrouble('ENOENT', from, 'copy');
    if (stats.isDirectory()) {
      within(to, 'make', () => disk.makeFolder(to));
      for (const name of within(from, 'list', () => disk.names(from)))
        await this.copy(below(from, name), below(to, name));
    } else if (this.#isLinked(stats, to)) {
      return;
    } else if (stats.isFile()) {
      await this.#copyContent(from, to, Number(stats.size));
    } else if (stats.isSymbolicLink()) {
      within(to, 'make', () => disk.makeLink(disk.target(from), to));
    } else {
      within(to, 'make', () => disk.makeNode(to, Number(stats.mode & kindMask) | 0o600, Number(stats.rdev)));
    }
    this.#copyRest(from, to, stats);
  }

  /** Gives the file that is copied already another name. */
  #isLinked(stats: BigIntStats, to: Buffer): boolean {
    if (stats.nlink < 2n) return false;
    const key = `${stats.dev}:${stats.ino}`;
    const first = this.#linked.get(key);
    if (first === undefined) {
      this.#linked.set(key, to);
      return false;
    }
    within(to, 'link', () => this.#ports.disk.addName(first, to));
    return true;
  }

  async #copyContent(from: Buffer, to: Buffer, size: number): Promise<void> {
    const { disk } = this.#ports;
    const source = within(from, 'open', () => disk.openToRead(from));
    try {
      const target = within(to, 'make', () => disk.openToWrite(to));
      try {
        await this.#copyData({ from, source, to, target, size });
      } finally {
        disk.close(target);
      }
    } finally {
      disk.close(source);
    }
  }

  async #copyData({ from, source, to, target, size }: OpenCopy): Promise<void> {
    const { disk, breathe } = this.#ports;
    for (let at = 0; at < size; ) {
      const data = within(from, 'read', () => disk.nextData(source, at));
      if (data === undefined) break;
      at = data.begin;
      while (at < data.end) {
        await breathe();
        const wanted = Math.min(chunk.length, data.end - at);
        const got = within(from, 'read', () => disk.read(source, chunk, wanted, at));
        if (got === 0) throw new FileTrouble('EIO', from, 'read');
        let written = 0;
        while (written < got) {
          written += within(to, 'write', () =>
            disk.write(target, chunk.subarray(written), got - written, at + written),
          );
        }
        at += got;
      }
    }
    within(to, 'write', () => disk.setLength(target, size));
  }

  /** The order matters: a new owner drops the set-user-ID bit and file capabilities, and every change sets the times. */
  #copyRest(from: Buffer, to: Buffer, stats: BigIntStats): void {
    const { disk } = this.#ports;
    within(to, 'set the owner of', () => disk.setOwner(to, Number(stats.uid), Number(stats.gid)));
    if (!stats.isSymbolicLink()) within(to, 'set the mode of', () => disk.setMode(to, Number(stats.mode & modeMask)));
    for (const name of within(from, 'list the extended attributes of', () => disk.attributes(from))) {
      if (labels.has(name.toString())) continue;
      const value = within(from, `read the extended attribute ${name.toString()} of`, () => disk.attribute(from, name));
      within(to, `set the extended attribute ${name.toString()} of`, () => disk.setAttribute(to, name, value));
    }
    within(to, 'set the times of', () => disk.setTimes(to, stats));
  }
}

interface OpenCopy {
  readonly from: Buffer;
  readonly source: number;
  readonly to: Buffer;
  readonly target: number;
  readonly size: number;
}

/**
 * Removes a folder with everything in it, and follows no symbolic link. Nothing happens where it is not there.
 *
 * @throws FileTrouble
 */
export async function removeTree(path: Buffer, ports: TreePorts): Promise<void> {
  const { disk, breathe } = ports;
  await breathe();
  const stats = within(path, 'look at', () => disk.look(path));
  if (stats === undefined) return;
  if (!stats.isDirectory()) {
    within(path, 'remove', () => disk.remove(path));
    return;
  }
  for (const name of within(path, 'list', () => disk.names(path))) await removeTree(below(path, name), ports);
  within(path, 'remove', () => disk.removeFolder(path));
}

/** Names the file in errors of the system. */
export function within<T>(path: Buffer, doing: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined || error instanceof FileTrouble) throw error;
    throw new FileTrouble(code, path, doing);
  }
}
