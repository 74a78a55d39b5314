/** Notices that the wall clock was set, or that the machine was suspended: CLOCK_MONOTONIC stands still meanwhile. */
import { closeSync, readSync } from 'node:fs';
import type { NativeEdge } from './native.ts';

/** ms between two looks at the clock where the system tells nothing of changes. */
const lookInterval = 5_000;
/** A difference of this many ms between the two clocks is a jump; time servers correct smaller ones by and by. */
const smallest = 500;

/** Watches only while somebody listens. */
export class WallJumps {
  readonly #edge: Pick<NativeEdge, 'wallClockChanges' | 'watchReadable'> | undefined;
  readonly #listeners = new Set<() => void>();
  #stop: (() => void) | undefined;

  /** @param edge without it, the clock is looked at from time to time */
  constructor(edge: Pick<NativeEdge, 'wallClockChanges' | 'watchReadable'> | undefined) {
    this.#edge = edge;
  }

  /** @returns ends the watch; the listener is not called any more then */
  listen(listener: () => void): () => void {
    // The same function may listen twice.
    const own = (): void => listener();
    this.#listeners.add(own);
    this.#stop ??= this.#watch();
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  }

  #watch(): () => void {
    const fd = this.#open();
    if (fd === undefined || this.#edge === undefined) return this.#look();
    const watch = this.#edge.watchReadable(fd, () => {
      forgetChange(fd);
      this.#tell();
    });
    return () => {
      watch.close();
      closeSync(fd);
    };
  }

  #open(): number | undefined {
    try {
      return this.#edge?.wallClockChanges();
    } catch {
      return undefined;
    }
  }

  #look(): () => void {
    const difference = (): number => Date.now() - performance.now();
    let last = difference();
    const timer = setInterval(() => {
      const now = difference();
      const jumped = Math.abs(now - last) > smallest;
      last = now;
      if (jumped) this.#tell();
    }, lookInterval);
    timer.unref();
    return () => clearInterval(timer);
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) if (this.#listeners.has(listener)) listener();
  }
}

/** Reads what makes the descriptor readable: the read fails, and says by that that the clock has changed. */
function forgetChange(fd: number): void {
  try {
    readSync(fd, Buffer.alloc(8));
  } catch {
    // ECANCELED
  }
}
