import type { Clock, TimerId } from '../kernel.ts';
import type { VirtualClock } from './virtual-clock.ts';

interface Timer {
  readonly id: TimerId;
  /** On the supervisor's clock; later after a stall in which it was waited for. */
  due: number;
  readonly callback: () => void;
  /** That of the virtual clock; undefined while it waits for the end of a stall. */
  timer: TimerId | undefined;
}

/** As in `LinuxClock`: ms of lateness that are a stall, and by which what was due in it is put off, at the most. */
const stall = 500;
const thaw = 2_000;

/**
 * What the supervisor takes for the time: the virtual clock, but for the times in which it stands still (SIGSTOP, `docker
 * pause`, a busy machine). Programs go on meanwhile. What they do arrives when the stall is over, and timers fire after that.
 */
export class SupervisorClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #timers = new Map<TimerId, Timer>();
  #nextId = 1;
  /** ms by which it is behind the virtual clock. */
  #behind = 0;
  /** What it has told last. */
  #last = 0;
  #stalled = false;
  #arrivals: (() => void)[] = [];
  #late: Timer[] = [];
  /** When it stood still so that timers were late, on the virtual clock, and by how much. */
  readonly #stalls: { readonly at: number; readonly by: number }[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    // Nobody asks while it stands still but who looks at the world from outside.
    if (!this.#stalled) this.#last = Math.max(this.#last, this.#clock.now() - this.#behind);
    return this.#last;
  }

  realTime(): number {
    return this.#clock.now();
  }

  lateness(since: number): number {
    return this.#stalls.reduce((most, { at, by }) => (at >= since ? Math.max(most, by) : most), 0);
  }

  wallTime(): number {
    return this.#clock.wallTime();
  }

  setTimeout(callback: () => void, delay: number): TimerId {
    const id = this.#nextId++;
    const timer: Timer = { id, due: this.now() + Math.max(0, delay), callback, timer: undefined };
    this.#timers.set(id, timer);
    this.#wait(timer);
    return id;
  }

  clearTimeout(id: TimerId): void {
    const timer = this.#timers.get(id);
    if (timer === undefined) return;
    this.#timers.delete(id);
    if (timer.timer !== undefined) this.#clock.clearTimeout(timer.timer);
  }

  /** Timers that are set, and neither fired nor cleared: ms until each is due, in the order in which they were set. */
  get pending(): readonly number[] {
    return [...this.#timers.values()].map(({ due }) => due - this.now());
  }

  /** Something comes to the supervisor: it sees it at once, or when it goes on. */
  arrive(callback: () => void): void {
    if (this.#stalled) this.#arrivals.push(callback);
    else callback();
  }

  /** The supervisor stands still for so many ms, which may be cut short by nothing. */
  stall(duration: number): void {
    if (this.#stalled) return;
    this.#stalled = true;
    this.#clock.setTimeout(() => this.#goOn(), duration);
  }

  #goOn(): void {
    this.#stalled = false;
    const waiting = this.#late.splice(0).filter(({ id }) => this.#timers.has(id));
    const now = this.#clock.now() - this.#behind;
    const late = Math.max(0, ...waiting.map(({ due }) => now - due));
    if (late > 0) this.#stalls.push({ at: this.realTime(), by: late });
    if (late > stall) {
      this.#behind += now - Math.max(this.#last, now - late);
      for (const timer of this.#timers.values()) timer.due += Math.min(late, thaw);
    }
    for (const arrival of this.#arrivals.splice(0)) arrival();
    for (const timer of waiting) if (this.#timers.has(timer.id)) this.#wait(timer);
  }

  #wait(timer: Timer): void {
    timer.timer = this.#clock.setTimeout(() => {
      timer.timer = undefined;
      if (this.#stalled) this.#late.push(timer);
      else if (timer.due > this.now()) this.#wait(timer);
      else if (this.#timers.delete(timer.id)) timer.callback();
    }, timer.due - this.now());
  }
}
