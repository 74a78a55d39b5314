/** The real clock with real time: what holds on any machine, however busy. Lateness is judged by what the clock itself has recorded. */
import { expect, it } from 'vitest';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';
import { Random } from '../../simulation/random.ts';

/** Real time that the timers run for, ms. */
const duration = 2_000;
/** From here on the clock remembers how late a timer was, and takes that for a stall and puts off the others, ms. */
const noteworthy = 100;
const stall = 500;

interface Timer {
  readonly due: number;
  cancelled: boolean;
  fired: number;
}

it.each([
  1, 2, 3,
])('fires each timer once, not before its time and in order, and no cancelled one (seed %d)', async (seed) => {
  const random = new Random(seed);
  const clock = new LinuxClock();
  const begun = clock.realTime();
  const timers: Timer[] = [];
  const pending = new Map<number, Timer>();
  const early: Timer[] = [];
  const wrong: string[] = [];
  let last = clock.now();
  const look = (): number => {
    const now = clock.now();
    if (now < last) wrong.push(`the clock went back from ${last} to ${now}`);
    last = now;
    return now;
  };
  await new Promise<void>((resolve) => {
    const setOne = (): void => {
      const delay = random.chance(0.1) ? 0 : random.integer(0, 400);
      const set = look();
      const timer: Timer = { due: set + delay, cancelled: false, fired: 0 };
      timers.push(timer);
      const id = clock.setTimeout(() => {
        const now = look();
        timer.fired += 1;
        pending.delete(id);
        if (timer.cancelled) wrong.push('a cancelled timer has fired');
        if (now < timer.due) early.push(timer);
        // One that was due earlier still waits: then it is late by at least so much, and the clock has to know of that.
        const late = clock.lateness(begun);
        for (const other of pending.values())
          if (late <= stall && timer.due - other.due > Math.max(late, noteworthy))
            wrong.push(`due at ${timer.due} before ${other.due}, and no timer was late by more than ${late} ms`);
        act();
      }, delay);
      pending.set(id, timer);
    };
    const cancelOne = (): void => {
      const [first] = pending;
      if (first === undefined) return;
      const [id, timer] = random.chance(0.5) ? first : random.pick([...pending]);
      timer.cancelled = true;
      pending.delete(id);
      clock.clearTimeout(id);
      // A second cancellation does nothing.
      clock.clearTimeout(id);
    };
    const act = (): void => {
      if (clock.realTime() - begun < duration) {
        const more = pending.size < 100 ? random.integer(1, 3) : 1;
        for (let nth = 0; nth < more; nth += 1) setOne();
        if (random.chance(0.4)) cancelOne();
        if (pending.size === 0) setOne();
      } else if (pending.size === 0) resolve();
    };
    for (let nth = 0; nth < 20; nth += 1) setOne();
  });
  expect(wrong).toEqual([]);
  expect(early).toEqual([]);
  expect(timers.filter(({ fired, cancelled }) => fired !== (cancelled ? 0 : 1))).toEqual([]);
  expect(timers.some(({ cancelled }) => cancelled)).toBe(true);
});

it('shows the time of performance.now where no timer was late by a stall, and else falls behind by what it has recorded', async () => {
  const clock = new LinuxClock();
  const begun = clock.realTime();
  const before = clock.now();
  const readAt = clock.realTime();
  let behind = 0;
  const wrong: string[] = [];
  await new Promise<void>((resolve) => {
    const look = (): void => {
      // The two clocks are read one after the other, now as at the beginning: what lies between may be counted to neither.
      const low = performance.now() - readAt;
      const passed = clock.now() - before;
      const high = performance.now() - begun;
      const stood = high - passed;
      if (passed > high) wrong.push(`${passed} ms have passed in ${high} ms`);
      if (low - passed > behind + 0.001 && clock.lateness(begun) <= stall)
        wrong.push(`${low - passed} ms are missing, and no timer was late by more than ${clock.lateness(begun)} ms`);
      if (passed < low) behind = Math.max(behind, stood);
      if (high > 1_500) resolve();
      else clock.setTimeout(look, 7);
    };
    look();
  });
  expect(wrong).toEqual([]);
});
