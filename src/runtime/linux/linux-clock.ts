import type { Clock, TimerId } from '../kernel.ts';

/** Node fires a timer of more than this at once, ms. */
const longestTimer = 2 ** 31 - 1;

/** A timer that fires so much later than due, ms, means that chaperone stood still: SIGSTOP, `docker pause`, a suspended host. */
const stall = 500;
/** How long, after a stall, even what was due in it waits at the most, ms. */
const thaw = 2_000;

/**
 * Node's timers, made safe for long waits and for stalls. While chaperone stands still its clock does, too: what it waits for
 * may have been frozen with it, and a time-out that ran out meanwhile would be false.
 */
export class LinuxClock implements Clock {
  #nextId = 1;
  /** ms for which chaperone stood still, as far as its timers noticed. */
  #stalled = 0;
  readonly #timers = new Map<TimerId, NodeJS.Timeout | NodeJS.Immediate>();

  now(): number {
    return performance.now() - this.#stalled;
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
    const timer = setTimeout(
      () => {
        const late = this.now() - due;
        // What thawed with it needs a moment to say what it would have said in time.
        if (late > stall) this.#stalled += late + Math.min(late, thaw);
        this.#wait(id, callback, due);
      },
      Math.min(Math.ceil(left), longestTimer),
    );
    this.#timers.set(id, timer);
  }

  #fire(id: TimerId, callback: () => void): void {
    if (this.#timers.delete(id)) callback();
  }
}

function isTimeout(timer: NodeJS.Timeout | NodeJS.Immediate): timer is NodeJS.Timeout {
  return 'refresh' in timer;
}
