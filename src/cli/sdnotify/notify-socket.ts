import { chmodSync, lstatSync, mkdtempSync, rmdirSync, unlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, resolve } from 'node:path';
import { codeOf } from '../../model/words/errno.ts';
import type { NativeEdge } from '../../runtime/linux/native.ts';
import { describeErrno } from './notify-output.ts';

/** A notify socket of our own. */
export interface NotifySocket {
  /** Absolute, or `@` and an abstract name. */
  readonly path: string;
  readonly fd: number;
  /** Removes its file. May be called twice. */
  remove(): void;
}

/** A socket that cannot be made; the message begins with "cannot". */
export class NotifySocketError extends Error {}

/** bytes: sun_path of unix(7) without its NUL */
const longestPath = 107;

/**
 * Makes a datagram socket and listens.
 *
 * Without a wish it lies in a folder of its own that only this account can enter, and everybody may write to it: through a
 * mount into a container it is to be reached by whatever account a program there runs as. With a wish the umask decides.
 *
 * @param wanted path, or `@` and an abstract name. What a killed process left behind there is replaced.
 * @throws NotifySocketError
 */
export function openNotifySocket(edge: NativeEdge, wanted: string | undefined): NotifySocket {
  if (wanted === undefined) return openPrivate(edge);
  const path = wanted.startsWith('@') ? wanted : resolve(wanted);
  if (isLeftBehind(edge, path)) unlinkSync(path);
  const fd = attempt(path, () => edge.bindDatagram(path));
  return { path, fd, remove: path.startsWith('@') ? () => undefined : remover(path) };
}

function openPrivate(edge: NativeEdge): NotifySocket {
  const { path, fd } = attempt('a new folder', () => {
    const folder = makeTemporary();
    const file = `${folder}/notify.sock`;
    try {
      return { path: file, fd: edge.bindDatagram(file) };
    } catch (error) {
      rmdirSync(folder);
      throw error;
    }
  });
  const removeFile = remover(path);
  chmodSync(path, 0o777);
  return {
    path,
    fd,
    remove: () => {
      removeFile();
      quietly(() => rmdirSync(dirname(path)));
    },
  };
}

/** Makes a new folder in the one that TMPDIR names; without it, in the first folder that can be written. */
function makeTemporary(): string {
  const wish = process.env['TMPDIR'];
  if (wish === undefined || wish === '') return makeInShared();
  const folder = resolve(wish);
  const fits = Buffer.byteLength(`${folder}/sdnotify-XXXXXX/notify.sock`) <= longestPath;
  return fits ? mkdtempSync(`${folder}/sdnotify-`) : makeInShared();
}

function makeInShared(): string {
  try {
    return mkdtempSync('/tmp/sdnotify-');
  } catch {
    // /tmp is read-only in a container whose root file system is.
    return mkdtempSync('/dev/shm/sdnotify-');
  }
}

/** Removes the file only while it is still this socket's. */
function remover(path: string): () => void {
  const { dev, ino } = lstatSync(path);
  return () =>
    quietly(() => {
      const now = lstatSync(path);
      if (now.dev === dev && now.ino === ino) unlinkSync(path);
    });
}

/** True for a socket's file on which no process listens. */
function isLeftBehind(edge: NativeEdge, path: string): boolean {
  if (path.startsWith('@')) return false;
  try {
    return lstatSync(path).isSocket() && edge.probeDatagram(path) === constants.errno.ECONNREFUSED;
  } catch {
    return false;
  }
}

function attempt<Result>(what: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const reason = code === 'ENAMETOOLONG' ? `its path is longer than ${longestPath} bytes` : describeErrno(code);
    throw new NotifySocketError(`cannot make a socket at ${what}: ${reason}`);
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // The file is gone, or belongs to another socket by now.
  }
}
