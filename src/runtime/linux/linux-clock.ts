import type { Clock, TimerId } from '../kernel.ts';
import type { NativeEdge } from './native.ts';
import { WallJumps } from './wall-jumps.ts';

/** The longest timer of Node, ms: a longer one fires at once. */
const longestTimer = 2 ** 31 - 1;

/** A timer that is late by this many ms shows that chaperone was stopped: SIGSTOP, `docker pause`, a suspended host. */
const stall = 500;
/** A timer that is late by this many ms is remembered, and how many such timers are. */
const noteworthy = 100;
const mostRemembered = 16;

/** The most ms by which timers that were due in a stall are put off. */
const thaw = 2_000;

interface Waiting {
  readonly due: number;
  /** How far timers had been put off in all when this timer was set. */
  readonly putOff: number;
}

/**
 * Node's timers, made safe for long waits and for stalls. While chaperone is stopped its clock stops, too: the
 * processes that it waits for may have been frozen with it, and a time-out in that time would be false. The clock never
 * goes back; timers that were set before a stall are put off instead.
 */
export class LinuxClock implements Clock {
  #nextId = 1;
  /** ms for which chaperone was stopped, as far as its timers noticed. */
  #stalled = 0;
  /** ms by which timers that were set before stalls have been put off in all. */
  #putOff = 0;
  /** The last time that `now` has returned. */
  #last = Number.NEGATIVE_INFINITY;
  readonly #timers = new Map<TimerId, NodeJS.Timeout | NodeJS.Immediate>();
  /** The due times of the timers that still wait. */
  readonly #waiting = new Map<TimerId, Waiting>();
  #nextDue = Number.POSITIVE_INFINITY;
  /** The late timers: when on the real clock, and by how many ms; the latest comes last. */
  readonly #late: { at: number; by: number }[] = [];
  readonly #jumps: WallJumps;

  /** @param edge tells at once of changes of the wall clock; without it they are noticed within some seconds */
  constructor(edge?: Pick<NativeEdge, 'wallClockChanges' | 'watchReadable'>) {
    this.#jumps = new WallJumps(edge);
  }

  /**
   * All input that arrived during a stall is read before any timer fires. The handlers of that input need the corrected
   * time: a timer that they set would otherwise wait once more for the length of the stall.
   */
  now(): number {
    let now = performance.now() - this.#stalled;
    const late = now - this.#nextDue;
    if (late > noteworthy) this.#remember(late);
    if (late > stall) {
      const goesOn = Math.max(this.#last, this.#nextDue);
      this.#stalled += now - goesOn;
      now = goesOn;
      // Programs that were frozen with chaperone need a moment to send what they would have sent in time.
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

  monotonicTime(): number {
    return Number(process.hrtime.bigint() / 1_000n) / 1_000;
  }

  lateness(since: number): number {
    // A stall that no timer has noticed yet shows in the next due time.
    this.now();
    return this.#late.reduce((most, { at, by }) => (at >= since ? Math.max(most, by) : most), 0);
  }

  #remember(by: number): void {
    const at = performance.now();
    const last = this.#late.at(-1);
    // The same late timer is found at every call until it fires.
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

  onWallJump(listener: () => void): () => void {
    return this.#jumps.listen(listener);
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
      // The loop reads input between its timers and its immediates. So after a stall a time-out fires only when all
      // input that has arrived was read.
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
