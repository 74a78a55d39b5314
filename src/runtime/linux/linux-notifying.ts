/** sd_notify(3) on Linux: sockets for services by unix-dgram, what comes along with a datagram by the edge. */
import { chmodSync, closeSync, type Dirent, fstatSync, lstatSync, mkdirSync, readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { Subject } from 'rxjs';
import { codeOf } from '../../model/words/errno.ts';
import type { NotifyDatagram, Notifying, NotifySocket } from '../kernel.ts';
import { isDeserted } from './deserted-socket.ts';
import type { NativeEdge } from './native.ts';

type Library = typeof import('unix-dgram');

/** What the address of a unix socket holds, unix(7), bytes without the last NUL. */
const longestPath = 107;
/** Datagrams that one call of the edge takes; the loop around it takes the rest. */
const receiveLimit = 64;
/** Calls in one turn of the loop: somebody who writes faster than chaperone reads must not stop it. */
const mostCalls = 16;

export class LinuxNotifying implements Notifying {
  readonly #edge: NativeEdge;
  #library: Library | undefined;
  #directory: string | undefined;

  constructor(edge: NativeEdge) {
    this.#edge = edge;
  }

  /** To be awaited before the first socket is opened: most systems need none, and no addon for it. */
  async load(): Promise<void> {
    this.#library = await import('unix-dgram');
  }

  openSocket(service: string): NotifySocket {
    if (this.#library === undefined) throw Object.assign(new Error('unix-dgram is not loaded'), { code: 'ELIBACC' });
    const name = `${service.replace(/[^A-Za-z0-9._-]/g, '_').slice(0, 40)}-${this.#edge.randomHex(8)}`;
    const path = join(this.#directoryFor(name), name);
    const fd = bindWith(this.#library, this.#edge, path);
    // Who knows the name may write, and the directory does not tell it: the service may have given up chaperone's account.
    chmodSync(path, 0o666);
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
    closeSync(descriptor);
  }

  isSameFile(one: number, other: number): boolean {
    const [first, second] = [fstatSync(one), fstatSync(other)];
    return first.dev === second.dev && first.ino === second.ino;
  }

  send(path: string, bytes: Uint8Array): string | undefined {
    try {
      const errno = this.#edge.sendDatagram(path, bytes);
      return errno === 0 ? undefined : getSystemErrorName(-errno);
    } catch (error) {
      return codeOf(error) ?? 'EINVAL';
    }
  }

  /** Takes all that is there: a socket holds about ten datagrams, and whoever finds it full has to wait. */
  #receive(fd: number, datagrams$: Subject<NotifyDatagram>, isOpen: () => boolean): void {
    for (let calls = 0; calls < mostCalls && isOpen(); calls += 1) {
      const received = this.#edge.receiveDatagrams(fd, receiveLimit);
      for (const { bytes, truncated, credentials, descriptors } of received) {
        const sender = credentials === undefined ? {} : { sender: credentials.pid };
        // A socket that was closed by what it brought has no more to say.
        if (isOpen()) datagrams$.next({ bytes, truncated, descriptors, ...sender });
        else for (const descriptor of descriptors) closeSync(descriptor);
      }
      if (received.length < receiveLimit) return;
    }
  }

  /**
   * The first that can be. Not the directory of the control socket: that is chaperone's alone, and any service has to come
   * through this one.
   */
  #directoryFor(name: string): string {
    if (this.#directory !== undefined && isOwn(this.#directory)) return this.#directory;
    const runtime = process.env['XDG_RUNTIME_DIR'];
    const candidates = [
      '/run/chaperone-notify',
      ...(runtime === undefined || !runtime.startsWith('/') ? [] : [join(runtime, 'chaperone-notify')]),
      `/tmp/chaperone-notify-${process.geteuid?.() ?? 0}`,
    ];
    let last: unknown;
    for (const candidate of candidates) {
      if (Buffer.byteLength(join(candidate, name)) > longestPath) continue;
      try {
        makePrivate(candidate);
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
 * The library makes the socket and binds it; its descriptor is then taken over. The library itself receives without
 * credentials, and the kernel throws away the descriptors that come with a datagram when nobody asks for them.
 */
function bindWith(library: Library, edge: NativeEdge, path: string): number {
  const socket = library.createSocket('unix_dgram');
  let failure: unknown;
  socket.on('error', (error) => {
    failure = error;
  });
  try {
    socket.bind(path);
    if (failure !== undefined) throw codedError(failure);
    return edge.duplicate(socket.fd);
  } finally {
    socket.close();
  }
}

/** The library's errors have the negated errno as their code. */
function codedError(failure: unknown): Error {
  const errno = failure instanceof Error && 'errno' in failure ? Number(failure.errno) : 0;
  const code = errno < 0 ? getSystemErrorName(errno) : 'EIO';
  return Object.assign(new Error(`cannot bind the notify socket: ${code}`), { code });
}

/** Others may go through it, and not look: names are secrets. */
function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  if (!isOwn(directory)) throw Object.assign(new Error(`${directory} is not ours`), { code: 'EACCES' });
  chmodSync(directory, 0o711);
}

/** A link, or somebody else's directory in /tmp, is not to be trusted. */
function isOwn(directory: string): boolean {
  const stats = lstatSync(directory, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.();
}

/** A chaperone that was killed leaves its sockets; each start of a container would add to them. */
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
    // It is gone already.
  }
}
