import type { Clock, TimerId } from '../kernel.ts';
import type { VirtualClock } from './virtual-clock.ts';

interface Timer {
  readonly id: TimerId;
  /** The due time on the supervisor's clock; a stall during the wait moves it. */
  due: number;
  readonly callback: () => void;
  /** The timer of the virtual clock; undefined while this one waits for the end of a stall. */
  timer: TimerId | undefined;
}

/** As in `LinuxClock`: ms of lateness that make a stall, and the most ms by which due timers are put off after it. */
const stall = 500;
const thaw = 2_000;

/**
 * The supervisor's clock: the virtual clock without the times in which the supervisor is stopped (SIGSTOP, `docker
 * pause`, a busy machine). Programs go on meanwhile. Their output and exits arrive when the stall is over, and timers
 * fire after that.
 */
export class SupervisorClock implements Clock {
  readonly #clock: VirtualClock;
  readonly #timers = new Map<TimerId, Timer>();
  #nextId = 1;
  /** ms by which this clock is behind the virtual one. */
  #behind = 0;
  /** The last time that `now` has returned. */
  #last = 0;
  #stalled = false;
  #arrivals: (() => void)[] = [];
  #late: Timer[] = [];
  /** The stalls that made timers late: when, on the virtual clock, and by how many ms. */
  readonly #stalls: { readonly at: number; readonly by: number }[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  now(): number {
    // During a stall only observers of the simulation ask for the time.
    if (!this.#stalled) this.#last = Math.max(this.#last, this.#clock.now() - this.#behind);
    return this.#last;
  }

  realTime(): number {
    return this.#clock.now();
  }

  monotonicTime(): number {
    return this.#clock.now();
  }

  lateness(since: number): number {
    return this.#stalls.reduce((most, { at, by }) => (at >= since ? Math.max(most, by) : most), 0);
  }

  wallTime(): number {
    return this.#clock.wallTime();
  }

  onWallJump(listener: () => void): () => void {
    let listens = true;
    const end = this.#clock.onWallJump(() =>
      this.arrive(() => {
        if (listens) listener();
      }),
    );
    return () => {
      listens = false;
      end();
    };
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

  /** The pending timers: ms until each is due, in the order in which they were set. */
  get pending(): readonly number[] {
    return [...this.#timers.values()].map(({ due }) => due - this.now());
  }

  /** Passes input to the supervisor: at once, or at the end of a stall. */
  arrive(callback: () => void): void {
    if (this.#stalled) this.#arrivals.push(callback);
    else callback();
  }

  /** Stops the supervisor for `duration` ms; nothing can shorten that. */
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
