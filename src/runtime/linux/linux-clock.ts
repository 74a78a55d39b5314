import type { Clock, TimerId } from '../kernel.ts';

/** Node fires a timer of more than this at once, ms. */
const longestTimer = 2 ** 31 - 1;

/** A timer that fires so much later than due, ms, means that chaperone stood still: SIGSTOP, `docker pause`, a suspended host. */
const stall = 500;
/** A timer that fires so much later than due, ms, is remembered; so many of them are. */
const noteworthy = 100;
const mostRemembered = 16;

/** ms by which what was due in a stall is put off, at the most. */
const thaw = 2_000;

interface Waiting {
  readonly due: number;
  /** What timers had been put off by when this one was set. */
  readonly putOff: number;
}

/**
 * Node's timers, made safe for long waits and for stalls. While chaperone stands still its clock does, too: what it waits for
 * may have been frozen with it, and a time-out that ran out meanwhile would be false. The clock never goes back: what was waited
 * for in a stall is put off instead.
 */
export class LinuxClock implements Clock {
  #nextId = 1;
  /** ms for which chaperone stood still, as far as its timers noticed. */
  #stalled = 0;
  /** ms by which all timers have been put off that were waited for in stalls. */
  #putOff = 0;
  /** What it has told last. */
  #last = Number.NEGATIVE_INFINITY;
  readonly #timers = new Map<TimerId, NodeJS.Timeout | NodeJS.Immediate>();
  /** When those that still wait are due. */
  readonly #waiting = new Map<TimerId, Waiting>();
  #nextDue = Number.POSITIVE_INFINITY;
  /** When timers were late, on the real clock, and by how much; the latest last. */
  readonly #late: { at: number; by: number }[] = [];

  /**
   * What has arrived during a stall is read before any timer fires. It has to find the time that will be the right one: what
   * it sets a timer for would wait for as long again otherwise.
   */
  now(): number {
    let now = performance.now() - this.#stalled;
    const late = now - this.#nextDue;
    if (late > noteworthy) this.#remember(late);
    if (late > stall) {
      const goesOn = Math.max(this.#last, this.#nextDue);
      this.#stalled += now - goesOn;
      now = goesOn;
      // What thawed with it needs a moment to say what it would have said in time.
      const more = Math.min(late, thaw);
      this.#putOff += more;
      this.#nextDue += more;
    }
    this.#last = Math.max(this.#last, now);
    return this.#last;
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
    const due = this.now() + Math.max(0, delay);
    this.#wait(id, callback, { due, putOff: this.#putOff });
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

  #wait(id: TimerId, callback: () => void, waiting: Waiting): void {
    const now = this.now();
    const left = this.#dueOf(waiting) - now;
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
    this.#waiting.set(id, waiting);
    this.#nextDue = Math.min(this.#nextDue, this.#dueOf(waiting));
    this.#timers.set(
      id,
      setTimeout(() => this.#wait(id, callback, waiting), Math.min(Math.ceil(left), longestTimer)),
    );
  }

  #dueOf({ due, putOff }: Waiting): number {
    return due + this.#putOff - putOff;
  }

  #forgetDue(id: TimerId): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    if (this.#dueOf(waiting) !== this.#nextDue) return;
    this.#nextDue = Number.POSITIVE_INFINITY;
    for (const other of this.#waiting.values()) this.#nextDue = Math.min(this.#nextDue, this.#dueOf(other));
  }

  #fire(id: TimerId, callback: () => void): void {
    if (this.#timers.delete(id)) callback();
  }
}

function isTimeout(timer: NodeJS.Timeout | NodeJS.Immediate): timer is NodeJS.Timeout {
  return 'refresh' in timer;
}
