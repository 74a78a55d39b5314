/** sd_notify(3) on Linux: unix-dgram makes the sockets, the edge receives datagrams with credentials. */
import { closeSync, type Dirent, fstatSync, lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { Subject } from 'rxjs';
import { sharedFolders } from '../../control/places.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { NotifyDatagram, Notifying, NotifySocket } from '../kernel.ts';
import { isDeserted } from './deserted-socket.ts';
import type { Discarder } from './discarder.ts';
import { errnoName } from './errno-name.ts';
import type { NativeEdge } from './native.ts';
import { makeOwnFolder, withMode } from './safe-open.ts';

export type DatagramLibrary = typeof import('./datagram-library.ts');

/** The most bytes of a unix socket's address, unix(7), without the last NUL. */
export const longestPath = 107;
/** How many datagrams one call of the edge takes; the loop around it takes the rest. */
const receiveLimit = 64;
/** How many calls one turn of the loop makes, and how many bytes they take: a fast sender must not block the loop. */
const mostCalls = 16;
const mostBytes = 1024 * 1024;

export class LinuxNotifying implements Notifying {
  readonly #edge: NativeEdge;
  readonly #discarder: Discarder;
  readonly #pid: number;
  #library: DatagramLibrary | undefined;
  #directory: string | undefined;

  /** @param pid of the body, in whose name the host is notified where the kernel permits that: the host may believe nobody else */
  constructor(edge: NativeEdge, discarder: Discarder, pid: number) {
    this.#edge = edge;
    this.#discarder = discarder;
    this.#pid = pid;
  }

  /** Await this before the first socket is opened, also the log socket. */
  async load(): Promise<void> {
    this.#library = await import('./datagram-library.ts');
  }

  /** What makes sockets, once it is loaded. */
  get library(): DatagramLibrary | undefined {
    return this.#library;
  }

  openSocket(service: string): NotifySocket {
    const library = this.#library;
    if (library === undefined) throw Object.assign(new Error('unix-dgram is not loaded'), { code: 'ELIBACC' });
    const name = `${service.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 40)}-${this.#edge.randomHex(8)}`;
    const path = join(this.#directoryFor(name), name);
    // Every account that knows the name may write, because a service may have changed its account; the directory hides
    // names.
    const fd = withMode(0o666, () => bindWith(library, this.#edge, path));
    this.#edge.passCredentials(fd);
    const datagrams$ = new Subject<NotifyDatagram>();
    let open = true;
    const watch = this.#edge.watchReadable(fd, () => this.#receive(fd, datagrams$, () => open));
    return {
      path,
      datagrams$,
      close: () => {
        if (!open) return;
        open = false;
        watch.close();
        closeSync(fd);
        unlinkQuietly(path);
        datagrams$.complete();
      },
    };
  }

  closeDescriptor(descriptor: number): void {
    this.#discarder.later(descriptor);
  }

  isSameFile(one: number, other: number): boolean {
    const [first, second] = [fstatSync(one), fstatSync(other)];
    return first.dev === second.dev && first.ino === second.ino;
  }

  send(path: string, bytes: Uint8Array): string | undefined {
    try {
      const errno = this.#edge.sendDatagram(path, bytes, this.#pid);
      return errno === 0 ? undefined : errnoName(errno);
    } catch (error) {
      return codeOf(error) ?? 'EINVAL';
    }
  }

  /** Takes all waiting datagrams: a socket holds about ten, and further senders have to wait. */
  #receive(fd: number, datagrams$: Subject<NotifyDatagram>, isOpen: () => boolean): void {
    let taken = 0;
    for (let calls = 0; calls < mostCalls && taken < mostBytes && isOpen(); calls += 1) {
      const received = this.#edge.receiveDatagrams(fd, receiveLimit);
      for (const { bytes } of received) taken += bytes.length;
      for (const { bytes, truncated, credentials, descriptors } of received) {
        const sender = credentials === undefined ? {} : { sender: { pid: credentials.pid, uid: credentials.uid } };
        // The handler of an earlier datagram may have closed the socket.
        if (isOpen()) datagrams$.next({ bytes, truncated, descriptors, ...sender });
        else for (const descriptor of descriptors) this.#discarder.later(descriptor);
      }
      if (received.length < receiveLimit) return;
    }
  }

  /**
   * The first directory that can be used. It is not the one of the control socket, which only chaperone's account may
   * enter: every service has to be able to pass through this one.
   */
  #directoryFor(name: string): string {
    if (this.#directory !== undefined && isOwn(this.#directory)) return this.#directory;
    const runtime = process.env['XDG_RUNTIME_DIR'];
    const candidates = [
      '/run/chaperone-notify',
      ...(runtime === undefined || !runtime.startsWith('/') ? [] : [join(runtime, 'chaperone-notify')]),
      ...sharedFolders.map((folder) => `${folder}/chaperone-notify-${process.geteuid?.() ?? 0}`),
    ];
    let last: unknown;
    for (const candidate of candidates) {
      if (Buffer.byteLength(join(candidate, name)) > longestPath) continue;
      try {
        // Other accounts may pass through the directory, but not list it: the names of the sockets are secrets.
        makeOwnFolder(candidate, 0o711);
        removeDeserted(this.#edge, candidate);
        this.#directory = candidate;
        return candidate;
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

/**
 * The library makes and binds the socket; then its descriptor is taken over. The library itself would receive no
 * credentials, and the kernel closes the descriptors of a datagram whose receiver does not ask for them.
 *
 * @param prepare sets options of the socket before it has a name
 */
export function bindWith(
  library: DatagramLibrary,
  edge: NativeEdge,
  path: string,
  prepare: (fd: number) => void = () => undefined,
): number {
  const socket = library.createSocket('unix_dgram');
  let failure: unknown;
  socket.on('error', (error) => {
    failure = error;
  });
  try {
    prepare(socket.fd);
    socket.bind(path);
    if (failure !== undefined) throw codedError(failure);
    return edge.duplicate(socket.fd);
  } finally {
    socket.close();
  }
}

/** Makes an error with a name as its code from the library's error, whose code is the negated errno. */
function codedError(failure: unknown): Error {
  const errno = failure instanceof Error && 'errno' in failure ? Number(failure.errno) : 0;
  const code = errno < 0 ? errnoName(-errno) : 'EIO';
  return Object.assign(new Error(`cannot bind the socket: ${code}`), { code });
}

/** False for a link, or for a directory in /tmp of another account, which cannot be trusted. */
function isOwn(directory: string): boolean {
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.();
}

/** Removes the sockets that killed chaperones have left; otherwise each start of a container would add some. */
function removeDeserted(edge: NativeEdge, directory: string): void {
  for (const { name, parentPath } of listQuietly(directory)) {
    const path = join(parentPath, name);
    if (isDeserted(edge, path)) unlinkQuietly(path);
  }
}

function listQuietly(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isSocket());
  } catch {
    return [];
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // The file is gone already.
  }
}
