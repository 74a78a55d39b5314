import type { Clock, TimerId } from '../kernel.ts';

interface Timer {
  readonly id: TimerId;
  readonly due: number;
  readonly callback: () => void;
}

/** The wall time at which virtual time begins: 2030-01-01 00:00:00 UTC, ms. */
const wallStart = 1_893_456_000_000;
/** The shortest wait, ms: one nanosecond, since a wait that cannot move a double would be begun anew for ever. */
const shortest = 1e-6;
/** How many timers may fire while time stands still: more are a loop that does not end. */
const mostAtOnce = 1_000_000;

/**
 * A clock that moves only when it is told to. Timers that are due at the same instant fire in the order in which they
 * were set, so that every run is the same.
 */
export class VirtualClock implements Clock {
  #now = 0;
  #wallStart = wallStart;
  readonly #jumpListeners = new Set<() => void>();
  #nextId = 1;
  /** A binary heap by due time, then id. */
  readonly #heap: Timer[] = [];
  /** The ids of pending timers; the heap may still hold timers that were cleared. */
  readonly #live = new Set<TimerId>();

  now(): number {
    return this.#now;
  }

  monotonicTime(): number {
    return this.now();
  }

  realTime(): number {
    return this.#now;
  }

  /** Always 0, because no timer of this clock is ever late. */
  lateness(): number {
    return 0;
  }

  wallTime(): number {
    return this.#wallStart + this.#now;
  }

  /** Sets the wall clock, Unix ms, as an administrator or a time server does, and as a suspend does. Timers do not notice. */
  setWallTime(time: number): void {
    this.#wallStart = time - this.#now;
    for (const listener of [...this.#jumpListeners]) if (this.#jumpListeners.has(listener)) listener();
  }

  onWallJump(listener: () => void): () => void {
    // The same function may listen twice.
    const own = (): void => listener();
    this.#jumpListeners.add(own);
    return () => this.#jumpListeners.delete(own);
  }

  setTimeout(callback: () => void, delay: number): TimerId {
    const timer = { id: this.#nextId++, due: this.#now + (delay > 0 ? Math.max(shortest, delay) : 0), callback };
    this.#push(timer);
    this.#live.add(timer.id);
    return timer.id;
  }

  clearTimeout(id: TimerId): void {
    this.#live.delete(id);
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.#live.size;
  }

  /**
   * Fires timers in order until none is left, `done` returns true, or the next one is beyond `until`.
   *
   * @param until virtual ms
   * @throws {Error} where timers fire for ever at the same instant
   */
  run(until = Number.POSITIVE_INFINITY, done: () => boolean = () => false): void {
    let atOnce = 0;
    while (!done()) {
      const next = this.#heap[0];
      if (next === undefined || next.due > until) break;
      this.#pop();
      if (!this.#live.delete(next.id)) continue;
      atOnce = next.due > this.#now ? 0 : atOnce + 1;
      if (atOnce > mostAtOnce) throw new Error(`${mostAtOnce} timers have fired at ${this.#now} ms of virtual time`);
      this.#now = Math.max(this.#now, next.due);
      next.callback();
    }
    if (Number.isFinite(until) && !done()) this.#now = Math.max(this.#now, until);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) break;
      index = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let index = 0; ; ) {
      const left = 2 * index + 1;
      const right = left + 1;
      const child = this.#isBefore(right, left) ? right : left;
      if (!this.#swapIfBefore(child, index)) break;
      index = child;
    }
  }

  #isBefore(first: number, second: number): boolean {
    const a = this.#heap[first];
    const b = this.#heap[second];
    if (a === undefined || b === undefined) return false;
    return a.due === b.due ? a.id < b.id : a.due < b.due;
  }

  #swapIfBefore(first: number, second: number): boolean {
    const a = this.#heap[first];
    const b = this.#heap[second];
    if (a === undefined || b === undefined || !this.#isBefore(first, second)) return false;
    this.#heap[first] = b;
    this.#heap[second] = a;
    return true;
  }
}
