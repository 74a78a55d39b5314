/**
 * The socket that syslog(3) writes to. The library unix-dgram makes and binds it before the first service starts, so that no
 * record is lost. The edge receives what comes: the library can neither tell who sent a datagram nor take more than one of them
 * for a wake-up.
 *
 * No sender can make this process wait by descriptors that come along: the kernel refuses them (Linux 6.16), or they are
 * received and discarded by a helper.
 */
import { closeSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { Observable, type Subscriber } from 'rxjs';
import type { LogSender } from '../../model/log/log-record.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { LogDatagram, LogSocketOutcome } from '../kernel.ts';
import { isDeserted } from './deserted-socket.ts';
import type { Discarder } from './discarder.ts';
import { bindWith, type DatagramLibrary, longestPath } from './linux-notifying.ts';
import type { NativeEdge, NativeWatch } from './native.ts';
import { checkFolder, withMode } from './safe-open.ts';

/** How many datagrams one call takes. A socket holds eleven (net.unix.max_dgram_qlen); the rest arrives meanwhile. */
const batchSize = 128;
/** How many bytes of a datagram are taken: more than an account without privileges can usually send. */
const longestDatagram = 256 * 1024;
/** The distance of two slots: a power of two and a few cache lines, so that the slots do not evict each other. */
const slot = longestDatagram + 192;
/** ms that one wake-up may take; then timers, signals and services have their turn. */
const longestTurn = 5;
/** How many datagrams are handled before the clock is looked at again. */
const sliceSize = 4;
/** ms until it is asked again whether reading may go on. */
const holdPause = 5;
/** How many datagrams are taken at the end; a client that never stops would otherwise never let it end. */
const mostAtTheEnd = 10_000;

const everyone = 0o666;
const unknownUid = 0xffff_ffff;

export interface LogSocketPorts {
  readonly edge: NativeEdge;
  /** Undefined where it cannot be loaded. It sets options before the socket has a name, so that nothing comes earlier. */
  readonly library: DatagramLibrary | undefined;
  readonly discarder: Discarder;
}

/** Binds the log socket. */
export function openLogSocket(ports: LogSocketPorts, path: string, holdOn: () => boolean): LogSocketOutcome {
  const { edge, library } = ports;
  try {
    checkFolder(dirname(path));
    const obstacle = clearPath(edge, path);
    if (obstacle !== undefined) return { ok: false, code: obstacle };
    const prepare = (unnamed: number): void => {
      edge.passCredentials(unnamed);
      edge.refuseDescriptors(unnamed);
    };
    const fd = withMode(everyone, () =>
      library === undefined ? edge.bindDatagram(path) : bindWith(library, edge, path, prepare),
    );
    if (library === undefined) prepare(fd);
    const socket = new LogSocket(ports, path, fd, holdOn);
    return { ok: true, datagrams$: socket.datagrams$, close: () => socket.close() };
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { ok: false, code };
  }
}

/** Removes a socket that no process reads. Returns the errno's name where the path has to stay. */
function clearPath(edge: NativeEdge, path: string): string | undefined {
  // The library would cut a longer path.
  if (Buffer.byteLength(path) > longestPath) return 'ENAMETOOLONG';
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
  readonly datagrams$: Observable<readonly LogDatagram[]>;
  readonly #ports: LogSocketPorts;
  readonly #path: string;
  readonly #inode: number;
  readonly #holdOn: () => boolean;
  readonly #buffer = new Uint8Array(batchSize * slot);
  readonly #lengths = new Uint32Array(batchSize);
  readonly #texts: (string | undefined)[] = new Array<undefined>(batchSize).fill(undefined);
  readonly #senders = new Uint32Array(2 * batchSize);
  #lastSender: LogSender | undefined;
  /** Datagrams that were received and wait for the next turn; their bytes stand in `#buffer`. */
  #held: LogDatagram[] = [];
  #resuming = false;
  #fd: number | undefined;
  #watch: NativeWatch | undefined;
  #subscriber: Subscriber<readonly LogDatagram[]> | undefined;

  constructor(ports: LogSocketPorts, path: string, fd: number, holdOn: () => boolean) {
    this.#holdOn = holdOn;
    this.#ports = ports;
    this.#path = path;
    this.#fd = fd;
    this.#inode = statSync(path).ino;
    this.datagrams$ = new Observable((subscriber) => {
      this.#subscriber = subscriber;
      this.#watch = ports.edge.watchReadable(fd, () => {
        if (!this.#resuming) this.#receive(fd);
      });
    });
  }

  close(): void {
    const fd = this.#fd;
    if (fd === undefined) return;
    this.#give(Number.POSITIVE_INFINITY);
    for (let left = mostAtTheEnd, taken = 1; left > 0 && taken > 0; left -= taken) {
      taken = this.#take(fd);
      this.#give(Number.POSITIVE_INFINITY);
    }
    this.#fd = undefined;
    this.#watch?.close();
    closeSync(fd);
    // The inode is compared, because another process may have replaced the socket.
    if (statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode) unlinkSync(this.#path);
  }

  #receive(fd: number): void {
    const end = performance.now() + longestTurn;
    try {
      this.#give(end);
      while (this.#held.length === 0 && performance.now() < end) {
        if (this.#fd === undefined) return;
        if (this.#holdOn()) {
          this.#rest();
          return;
        }
        if (this.#take(fd) === 0) return;
        this.#give(end);
      }
    } catch (error) {
      this.#subscriber?.error(error);
      return;
    }
    if (this.#held.length > 0) this.#resume(fd);
  }

  /**
   * Emits what was received, a few at a time. How long a record takes depends on its text and on the selectors, so what is
   * left at the end of the turn waits for the next one.
   */
  #give(end: number): void {
    for (let first = true; this.#held.length > 0 && (first || performance.now() < end); first = false) {
      this.#subscriber?.next(this.#held.splice(0, sliceSize));
    }
  }

  #resume(fd: number): void {
    if (this.#resuming) return;
    this.#resuming = true;
    setImmediate(() => {
      this.#resuming = false;
      if (this.#fd !== undefined) this.#receive(fd);
    });
  }

  /** Leaves what comes in the socket until reading may go on. */
  #rest(): void {
    this.#watch?.pause();
    setTimeout(() => {
      if (this.#fd === undefined) return;
      if (this.#holdOn()) this.#rest();
      else this.#watch?.resume();
    }, holdPause);
  }

  /** Receives the waiting datagrams and returns how many there were. Nothing may be held, since the buffer is used anew. */
  #take(fd: number): number {
    const descriptors: number[] = [];
    const { edge, discarder } = this.#ports;
    const taken = edge.receiveBatch(fd, this.#buffer, this.#lengths, this.#texts, this.#senders, descriptors);
    if (descriptors.length > 0) discarder.now(descriptors);
    for (let index = 0, start = 0; index < taken; index++, start += slot) {
      const length = this.#lengths[index] ?? 0;
      const kept = Math.min(length, longestDatagram);
      this.#held.push({
        content: this.#texts[index] ?? this.#buffer.subarray(start, start + kept),
        lost: length - kept,
        sender: this.#senderOf(index),
      });
    }
    return taken;
  }

  /** Consecutive datagrams of one process share the object. */
  #senderOf(index: number): LogSender | undefined {
    const pid = this.#senders[2 * index] ?? 0;
    const uid = this.#senders[2 * index + 1] ?? unknownUid;
    if (uid === unknownUid) return undefined;
    if (this.#lastSender?.pid !== pid || this.#lastSender.uid !== uid) this.#lastSender = { pid, uid };
    return this.#lastSender;
  }
}
