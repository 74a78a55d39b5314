import { closeSync } from 'node:fs';
import { Subject } from 'rxjs';
import type { Connection } from '../../model/schedule/scheduled-runs.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { Listener } from '../kernel.ts';
import type { NativeEdge, NativeWatch } from './native.ts';

/**
 * Watches a listening socket. It accepts one client each time the loop finds the socket readable, so that signals and
 * timers have their turn in a burst, and a pause takes effect with the next client.
 */
export class LinuxListener implements Listener {
  readonly connections$ = new Subject<Connection>();
  readonly refusals$ = new Subject<string>();
  readonly #edge: NativeEdge;
  readonly #fd: number;
  readonly #watch: NativeWatch;
  readonly #open: Map<number, LinuxListener>;
  #closed = false;

  /** @param open the clients of all listeners, by descriptor; whoever closes a descriptor has to remove it */
  constructor(edge: NativeEdge, fd: number, open: Map<number, LinuxListener>) {
    this.#edge = edge;
    this.#fd = fd;
    this.#open = open;
    this.#watch = edge.watchReadable(fd, () => this.#accept());
  }

  pause(): void {
    this.#watch.pause();
  }

  resume(): void {
    this.#watch.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch.close();
    closeSync(this.#fd);
    for (const [fd, owner] of this.#open) {
      if (owner !== this) continue;
      this.#open.delete(fd);
      closeSync(fd);
    }
  }

  #accept(): void {
    let client: ReturnType<NativeEdge['acceptConnection']>;
    try {
      client = this.#edge.acceptConnection(this.#fd);
    } catch (error) {
      // Without a free descriptor the client waits, and the socket stays readable: the pause keeps the loop from
      // spinning.
      this.#watch.pause();
      this.refusals$.next(codeOf(error) ?? 'EIO');
      return;
    }
    if (client === undefined) return;
    const { fd, address, port } = client;
    this.#open.set(fd, this);
    this.connections$.next({ id: fd, address, port });
  }
}
