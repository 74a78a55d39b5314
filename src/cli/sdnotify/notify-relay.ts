import { constants } from 'node:os';
import type { NativeEdge } from '../../runtime/linux/native.ts';

export interface RelayOptions {
  readonly edge: NativeEdge;
  /** The socket outside: a path, or `@` and an abstract name. */
  readonly path: string;
  /** The queue of the receiver is full: further datagrams should wait in the socket that they came to. */
  readonly onFull: () => void;
  readonly onFree: () => void;
  /** A datagram could not be sent. Told once, until one can be sent again. */
  readonly onLost: (errno: number) => void;
}

/** Passes datagrams on to a socket outside, in their order. */
export interface Relay {
  pass(datagram: Buffer): void;
  /** Calls back when nothing waits any more, or when that takes too long. */
  whenEmpty(callback: () => void): void;
}

/** ms between two tries where the queue outside is full */
const pause = 10;
/** ms; how long the end waits for a full queue outside */
const patience = 10_000;

export function createRelay({ edge, path, onFull, onFree, onLost }: RelayOptions): Relay {
  const waiting: Buffer[] = [];
  let blocked = false;
  let lost = false;
  let emptied = (): void => undefined;

  function pump(): void {
    for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
      const errno = edge.sendDatagram(path, head);
      if (errno === constants.errno.EAGAIN) {
        if (!blocked) onFull();
        blocked = true;
        setTimeout(pump, pause);
        return;
      }
      waiting.shift();
      if (errno !== 0 && !lost) onLost(errno);
      lost = errno !== 0;
    }
    if (blocked) onFree();
    blocked = false;
    emptied();
  }

  return {
    pass: (datagram) => {
      waiting.push(datagram);
      if (!blocked) pump();
    },
    whenEmpty: (callback) => {
      if (waiting.length === 0) return callback();
      emptied = callback;
      setTimeout(callback, patience);
    },
  };
}
