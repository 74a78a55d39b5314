import { Subscription } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { type TickSchedule, ticks, type WallClock } from '../../src/streams/ticks.ts';

const minute = 60_000;
const hour = 60 * minute;

/** A clock on the scheduler's frames whose wall time can be set; `timers` counts what was set. */
class FrameClock implements WallClock {
  timers = 0;
  readonly listeners = new Set<() => void>();
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

  realTime(): number {
    return this.#scheduler.now();
  }

  jump(ms: number): void {
    this.jumpUntold(ms);
    for (const listener of this.listeners) listener();
  }

  jumpUntold(ms: number): void {
    this.#offset += ms;
  }

  onWallJump(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
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
      expect([clock.pending, clock.listeners.size]).toEqual([1, 1]);
      subscription.unsubscribe();
      expect([clock.pending, clock.listeners.size]).toEqual([0, 0]);
    });
  });

  it('are not waited for after an unsubscription at a tick', () => {
    const scheduler = new TestScheduler(() => {});
    scheduler.run(() => {
      const clock = new FrameClock(scheduler);
      const subscription = new Subscription();
      subscription.add(ticks(every(hour), clock).subscribe(() => subscription.unsubscribe()));
      clock.jump(2 * hour);
      expect(subscription.closed).toBe(true);
      expect([clock.pending, clock.listeners.size]).toEqual([0, 0]);
    });
  });

  it('come again where the clock is set back beyond the last one, long after it', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('14m x').subscribe(() => clock.jump(-5 * minute));
      expectObservable(ticks(every(10 * minute), clock), '16m !').toBe('10m a 4m 59s 999ms b', {
        a: 10 * minute,
        b: 10 * minute,
      });
    });
  });

  it('come again where corrections, none of which is a jump, add up to one', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('10m 10s x 9999ms x').subscribe(() => clock.jump(-45_000));
      expectObservable(ticks(every(10 * minute), clock), '12m !').toBe('10m a 1m 29s 999ms b', {
        a: 10 * minute,
        b: 10 * minute,
      });
    });
  });

  it('cost one look an hour while nothing is due', () => {
    run(({ expectObservable, flush }, clock) => {
      expectObservable(ticks(every(24 * hour), clock), '1441m !').toBe('1440m a', { a: 24 * hour });
      flush();
      expect(clock.timers).toBeLessThanOrEqual(25);
    });
  });

  it('that were missed together are one, at once: the clock is set forward by an hour, or the machine was suspended', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('10m 1ms x').subscribe(() => clock.jump(hour));
      expectObservable(ticks(every(5 * minute), clock), '21m !').toBe(
        '5m a 4m 59s 999ms b c 4m 59s 998ms d 4m 59s 999ms e',
        {
          a: 5 * minute,
          b: 10 * minute,
          c: 70 * minute + 1,
          d: 75 * minute,
          e: 80 * minute,
        },
      );
    });
  });

  it('of one a day come at once where a clock is set forward over it', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('10m x').subscribe(() => clock.jump(30 * hour));
      expectObservable(ticks(every(24 * hour, false), clock), '1100m !').toBe('10m a 1069m 59s 999ms b', {
        a: 30 * hour + 10 * minute,
        b: 48 * hour,
      });
    });
  });

  it('that were missed together are one within an hour where nobody tells of the jump', () => {
    run(({ cold, expectObservable }, clock) => {
      cold('10m 1ms x').subscribe(() => clock.jumpUntold(hour));
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

  it('are told of by the time at which they will be, whatever way the clock goes', () => {
    const scheduler = new TestScheduler(() => {});
    scheduler.run(() => {
      const clock = new FrameClock(scheduler);
      clock.jump(231 * 24 * hour);
      let due: number | undefined;
      const subscription = ticks(every(5 * minute), clock, (time) => {
        due = time;
      }).subscribe();
      const told = (ms: number) => {
        clock.jump(ms);
        return (due ?? 0) - clock.wallTime();
      };
      expect(told(-231 * 24 * hour)).toBe(5 * minute);
      expect(told(2 * minute)).toBe(3 * minute);
      expect(told(7 * 24 * hour)).toBe(3 * minute);
      // A correction: the clock has shown this minute already.
      expect(told(-30_000)).toBe(3 * minute + 30_000);
      expect(told(-2 * hour)).toBe(3 * minute + 30_000);
      subscription.unsubscribe();
    });
  });

  it('do not come for what a clock that is set back passed before it was set', () => {
    run(({ cold, expectObservable }, clock) => {
      clock.jump(12 * hour);
      // From 12:30 to 08:10.
      cold('30m x').subscribe(() => clock.jump(-4 * hour - 20 * minute));
      expectObservable(ticks(every(4 * hour, false), clock), '261m !').toBe('260m a', { a: 12 * hour });
    });
  });

  it('come where the clock is set to their very time', () => {
    run(({ cold, expectObservable }, clock) => {
      clock.jump(23 * hour);
      cold('30m x').subscribe(() => {
        clock.jumpUntold(-15 * hour - 30 * minute + 2);
        clock.jump(0);
      });
      const expected = { a: 8 * hour + 2 };
      expectObservable(ticks(every(8 * hour, false), clock), '31m !').toBe('30m a', expected);
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
