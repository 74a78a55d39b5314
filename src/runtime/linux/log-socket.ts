/**
 * The socket that syslog(3) writes to. It is bound before the first service starts, by one system call, so that no
 * record is lost; senders wait until it is read. The library unix-dgram, which takes 2 ms to load, takes the socket
 * over once the services start.
 *
 * unix-dgram reports one datagram per wake-up and copies each once more, so its callback takes the other datagrams by
 * `receiveBatch`. That is possible only in this callback: elsewhere unix-dgram would find its socket empty and throw.
 */
import { chmodSync, closeSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import { Observable, type Subscriber } from 'rxjs';
import type { UnixDatagramSocket } from 'unix-dgram';
import { codeOf } from '../../model/words/errno.ts';
import type { LogSocketOutcome } from '../kernel.ts';
import { isDeserted } from './deserted-socket.ts';
import type { NativeEdge } from './native.ts';

/** How many datagrams one call takes. A socket holds eleven (net.unix.max_dgram_qlen); the rest arrives meanwhile. */
const batchSize = 128;
/** How many bytes of a datagram are taken, as in unix-dgram. */
const longestDatagram = 65_536;
/** The distance of two slots: a power of two and a few cache lines, so that the slots do not evict each other. */
const slot = longestDatagram + 192;
/** ms that one wake-up may take; then timers, signals and services have their turn. */
const longestTurn = 5;
/** How many datagrams are taken at the end; a client that never stops would otherwise never let it end. */
const mostAtTheEnd = 10_000;

const everyone = 0o666;

/** Binds the log socket. */
export function openLogSocket(edge: NativeEdge, path: string, holdOn: () => boolean): LogSocketOutcome {
  try {
    const obstacle = clearPath(edge, path);
    if (obstacle !== undefined) return { ok: false, code: obstacle };
    const fd = edge.bindDatagram(path);
    chmodSync(path, everyone);
    const socket = new LogSocket(edge, path, fd, holdOn);
    return { ok: true, datagrams$: socket.datagrams$, close: () => socket.close() };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { ok: false, code };
  }
}

/** Removes a socket that no process reads. Returns the errno's name where the path has to stay. */
function clearPath(edge: NativeEdge, path: string): string | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return undefined;
  const target = there.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : there;
  if (target !== undefined && !target.isSocket()) return 'EEXIST';
  // A dangling link leads to no socket, so it may be replaced as well.
  if (target !== undefined && !isDeserted(edge, path)) return 'EADDRINUSE';
  unlinkSync(path);
  return undefined;
}

class LogSocket {
  readonly datagrams$: Observable<readonly (Uint8Array | string)[]>;
  readonly #edge: NativeEdge;
  readonly #path: string;
  readonly #inode: number;
  readonly #holdOn: () => boolean;
  readonly #buffer = new Uint8Array(batchSize * slot);
  readonly #lengths = new Uint32Array(batchSize);
  readonly #texts: (string | undefined)[] = new Array<undefined>(batchSize).fill(undefined);
  /** The socket's descriptor until unix-dgram takes it over. */
  #early: number | undefined;
  #socket: UnixDatagramSocket | undefined;
  #subscriber: Subscriber<readonly (Uint8Array | string)[]> | undefined;

  constructor(edge: NativeEdge, path: string, fd: number, holdOn: () => boolean) {
    this.#holdOn = holdOn;
    this.#edge = edge;
    this.#path = path;
    this.#early = fd;
    this.#inode = statSync(path).ino;
    this.datagrams$ = new Observable((subscriber) => {
      this.#subscriber = subscriber;
      setImmediate(() => this.#load().catch((error: unknown) => subscriber.error(error)));
    });
  }

  close(): void {
    const fd = this.#socket?.fd ?? this.#early;
    if (fd === undefined) return;
    for (let left = mostAtTheEnd, taken = 1; left > 0 && taken > 0; left -= taken) taken = this.#take(fd);
    if (this.#socket === undefined) closeSync(fd);
    else this.#socket.close();
    this.#socket = undefined;
    this.#early = undefined;
    // The inode is compared, because another process may have replaced the socket.
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) unlinkSync(this.#path);
  }

  async #load(): Promise<void> {
    const { createSocket } = await import('./datagram-library.ts');
    const early = this.#early;
    if (early === undefined) return;
    const socket = createSocket('unix_dgram');
    // libuv has not asked for the first event yet, so that unix-dgram's descriptor becomes the bound one unnoticed.
    this.#edge.replaceDescriptor(early, socket.fd);
    closeSync(early);
    this.#early = undefined;
    this.#socket = socket;
    socket.on('message', (bytes) => {
      this.#subscriber?.next([bytes]);
      this.#drain(socket.fd);
    });
    socket.on('error', (error) => this.#subscriber?.error(error));
  }

  #drain(fd: number): void {
    const end = performance.now() + longestTurn;
    while (!this.#holdOn() && this.#take(fd) > 0 && performance.now() < end);
  }

  /** Emits the waiting datagrams and returns how many there were. */
  #take(fd: number): number {
    const taken = this.#edge.receiveBatch(fd, this.#buffer, this.#lengths, this.#texts);
    if (taken === 0) return 0;
    const datagrams: (Uint8Array | string)[] = [];
    for (let index = 0, start = 0; index < taken; index++, start += slot) {
      const length = Math.min(this.#lengths[index] ?? 0, longestDatagram);
      datagrams.push(this.#texts[index] ?? this.#buffer.subarray(start, start + length));
    }
    this.#subscriber?.next(datagrams);
    return taken;
  }
}
