import type { Clock, TimerId } from '../kernel.ts';

/** Node fires a timer of more than this at once, ms. */
const longestTimer = 2 ** 31 - 1;

/** A timer that fires so much later than due, ms, means that chaperone stood still: SIGSTOP, `docker pause`, a suspended host. */
const stall = 500;
/** A timer that fires so much later than due, ms, is remembered; so many of them are. */
const noteworthy = 100;
const mostRemembered = 16;

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
  /** When those that still wait are due. */
  readonly #dues = new Map<TimerId, number>();
  #nextDue = Number.POSITIVE_INFINITY;
  /** When timers were late, on the real clock, and by how much; the latest last. */
  readonly #late: { at: number; by: number }[] = [];

  /**
   * What has arrived during a stall is read before any timer fires. It has to find the time that will be the right one: what
   * it sets a timer for would wait for as long again otherwise.
   */
  now(): number {
    const now = performance.now() - this.#stalled;
    const late = now - this.#nextDue;
    if (late > noteworthy) this.#remember(late);
    if (late <= stall) return now;
    // What thawed with it needs a moment to say what it would have said in time.
    const behind = late + Math.min(late, thaw);
    this.#stalled += behind;
    return now - behind;
  }

  realTime(): number {
    return performance.now();
  }

  lateness(since: number): number {
    // A stall that nothing has noticed yet shows in the next due time.
    this.now();
    return this.#late.reduce((most, { at, by }) => (at >= since ? Math.max(most, by) : most), 0);
  }

  #remember(by: number): void {
    const at = performance.now();
    const last = this.#late.at(-1);
    // The same timer is found late again and again until it fires.
    if (last !== undefined && at - last.at <= by) {
      last.at = at;
      last.by = Math.max(last.by, by);
      return;
    }
    this.#late.push({ at, by });
    if (this.#late.length > mostRemembered) this.#late.shift();
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
    this.#forgetDue(id);
    if (isTimeout(timer)) clearTimeout(timer);
    else clearImmediate(timer);
    this.#timers.delete(id);
  }

  #wait(id: TimerId, callback: () => void, due: number): void {
    const left = due - this.now();
    if (left <= 0) {
      this.#forgetDue(id);
      // The loop reads what has arrived between its timers and its immediates: after a stall or `docker pause`, a timeout
      // is judged only once that was done.
      this.#timers.set(
        id,
        setImmediate(() => this.#fire(id, callback)),
      );
      return;
    }
    this.#dues.set(id, due);
    this.#nextDue = Math.min(this.#nextDue, due);
    this.#timers.set(
      id,
      setTimeout(() => this.#wait(id, callback, due), Math.min(Math.ceil(left), longestTimer)),
    );
  }

  #forgetDue(id: TimerId): void {
    const due = this.#dues.get(id);
    if (!this.#dues.delete(id) || due !== this.#nextDue) return;
    this.#nextDue = Number.POSITIVE_INFINITY;
    for (const other of this.#dues.values()) this.#nextDue = Math.min(this.#nextDue, other);
  }

  #fire(id: TimerId, callback: () => void): void {
    if (this.#timers.delete(id)) callback();
  }
}

function isTimeout(timer: NodeJS.Timeout | NodeJS.Immediate): timer is NodeJS.Timeout {
  return 'refresh' in timer;
}
