import type { Clock, TimerId } from '../kernel.ts';

/** Node fires a timer of more than this at once, ms. */
const longestTimer = 2 ** 31 - 1;

/** Node's timers, made safe for long waits and for stalls. */
export class LinuxClock implements Clock {
  #nextId = 1;
  readonly #timers = new Map<TimerId, NodeJS.Timeout | NodeJS.Immediate>();

  now(): number {
    return performance.now();
  }

  wallTime(): number {
    return Date.now();
  }

  setTimeout(callback: () => void, delay: number): TimerId {
    const id = this.#nextId++;
    this.#wait(id, callback, this.now() + Math.max(0, delay));
    return id;
  }

  clearTimeout(id: TimerId): void {
    const timer = this.#timers.get(id);
    if (timer === undefined) return;
    if (isTimeout(timer)) clearTimeout(timer);
    else clearImmediate(timer);
    this.#timers.delete(id);
  }

  #wait(id: TimerId, callback: () => void, due: number): void {
    const left = due - this.now();
    if (left <= 0) {
      // The loop reads what has arrived between its timers and its immediates: after a stall or `docker pause`, a timeout
      // is judged only once that was done.
      this.#timers.set(
        id,
        setImmediate(() => this.#fire(id, callback)),
      );
      return;
    }
    const timer = setTimeout(() => this.#wait(id, callback, due), Math.min(Math.ceil(left), longestTimer));
    this.#timers.set(id, timer);
  }

  #fire(id: TimerId, callback: () => void): void {
    if (this.#timers.delete(id)) callback();
  }
}

function isTimeout(timer: NodeJS.Timeout | NodeJS.Immediate): timer is NodeJS.Timeout {
  return 'refresh' in timer;
}
