import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type TickSchedule, ticks, type WallClock } from '../../src/streams/ticks.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A clock on the scheduler's frames whose wall time can be set; `timers` counts what was set. */
class FrameClock implements WallClock {
  timers = 0;
  readonly #scheduler: TestScheduler;
  readonly #live = new Map<number, { unsubscribe(): void }>();
  #offset = 0;

  constructor(scheduler: TestScheduler) {
    this.#scheduler = scheduler;
  }

  get pending(): number {
    return this.#live.size;
  }

  wallTime(): number {
    return this.#scheduler.now() + this.#offset;
  }

  jump(ms: number): void {
    this.#offset += ms;
  }

  setTimeout(callback: () => void, delay: number): number {
    this.timers += 1;
    const id = this.timers;
    const action = this.#scheduler.schedule(() => {
      this.#live.delete(id);
      callback();
    }, delay);
    this.#live.set(id, action);
    return id;
  }

  clearTimeout(id: number): void {
    this.#live.get(id)?.unsubscribe();
    this.#live.delete(id);
  }
}

/** At every multiple. */
function every(period: number, repeats = true): TickSchedule {
  return { next: (after) => (Math.floor(after / period) + 1) * period, repeats };
}

function run(test: (helpers: Parameters<Parameters<TestScheduler['run']>[0]>[0], clock: FrameClock) => void): void {
  const scheduler = new TestScheduler((actual, expected) => expect(actual).toEqual(expected));
  scheduler.run((helpers) => test(helpers, new FrameClock(scheduler)));
}

describe('ticks', () => {
  it('come in time, from the first one after the subscription on', () => {
    run(({ expectObservable }, clock) => {
      const expected = '5m a 4m 59s 999ms b 4m 59s 999ms c';
      expectObservable(ticks(every(5 * minute), clock), '16m !').toBe(expected, { a: 300_000, b: 600_000, c: 900_000 });
    });
  });

  it('are not waited for after the unsubscription', () => {
    const scheduler = new TestScheduler(() => {});
    scheduler.run(() => {
      const clock = new FrameClock(scheduler);
      const subscription = ticks(every(hour), clock).subscribe();
      expect(clock.pending).toBe(1);
      subscription.unsubscribe();
      expect(clock.pending).toBe(0);
    });
  });

  it('cost one look an hour while nothing is due', () => {
    run(({ expectObservable, flush }, clock) => {
      expectObservable(ticks(every(24 * hour), clock), '1441m !').toBe('1440m a', { a: 24 * hour });
      flush();
      expect(clock.timers).toBeLessThanOrEqual(25);
    });
  });

  it('that were missed together are one: the clock is set forward by an hour', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('10m 1ms x').subscribe(() => clock.jump(hour));
      // The timer of 15 min finds that it is 75 min; the next is due at 80.
      expectObservable(ticks(every(5 * minute), clock), '21m !').toBe(
        '5m a 4m 59s 999ms b 4m 59s 999ms c 4m 59s 999ms d',
        {
          a: 5 * minute,
          b: 10 * minute,
          c: 75 * minute,
          d: 80 * minute,
        },
      );
    });
  });

  it('of every hour or minute go on with a clock that is set back by an hour', () => {
    run(({ cold, expectObservable }, clock) => {
      clock.jump(3 * hour);
      cold('7m x').subscribe(() => clock.jump(-hour));
      expectObservable(ticks(every(5 * minute), clock), '16m !').toBe('5m a 4m 59s 999ms b 4m 59s 999ms c', {
        a: 3 * hour + 5 * minute,
        b: 2 * hour + 10 * minute,
        c: 2 * hour + 15 * minute,
      });
    });
  });

  it('of fixed times do not come again after a clock that is set back by an hour', () => {
    run(({ cold, expectObservable }, clock) => {
      clock.jump(3 * hour);
      cold('65m x').subscribe(() => clock.jump(-hour));
      // At 04:00, and not again at the second 04:00, an hour later.
      const daily = every(4 * hour, false);
      expectObservable(ticks(daily, clock), '180m !').toBe('60m a', { a: 4 * hour });
    });
  });

  it('follow a clock that goes back by more than three hours: it was wrong before', () => {
    run(({ cold, expectObservable }, clock) => {
      clock.jump(23 * hour);
      cold('65m x').subscribe(() => clock.jump(-20 * hour));
      const schedule = every(4 * hour, false);
      // At 24:00; five minutes later it is 04:05, so the next is at 08:00, after another 235 minutes.
      expectObservable(ticks(schedule, clock), '301m !').toBe('60m a 239m 59s 999ms b', { a: 24 * hour, b: 8 * hour });
    });
  });

  it('do not come twice where the clock is corrected by some seconds', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('5m 1ms x').subscribe(() => clock.jump(-2_000));
      const expected = '5m a 5m 1s 999ms b';
      expectObservable(ticks(every(5 * minute), clock), '11m !').toBe(expected, { a: 300_000, b: 600_000 });
    });
  });

  it('complete where the schedule has no further one', () => {
    run(({ expectObservable }, clock) => {
      const once: TickSchedule = { next: (after) => (after < 1_000 ? 1_000 : undefined), repeats: false };
      expectObservable(ticks(once, clock)).toBe('1s (a|)', { a: 1_000 });
    });
  });
});
