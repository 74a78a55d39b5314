import { Observable } from 'rxjs';

/** What ticks ask of a clock: Unix time in ms, which may jump, and timers, which do not. */
export interface WallClock {
  wallTime(): number;
  setTimeout(callback: () => void, delay: number): number;
  clearTimeout(id: number): void;
}

export interface TickSchedule {
  /** The first tick strictly after `after`, Unix ms; undefined where there is none. */
  next(after: number): number | undefined;
  /** It runs every hour or every minute: where the clock is put back, these hours are hours like any other. */
  readonly repeats: boolean;
}

/** A clock that jumps is noticed within this time, ms: what a schedule costs when nothing is due is one look in it. */
const longestWait = 3_600_000;
/** Clocks are slewed and corrected by this much without anybody calling it a jump, ms. */
const smallCorrection = 60_000;
/** A clock that goes back further was wrong before, ms: cron(8). */
const longestRepeat = 3 * 3_600_000;

/**
 * The ticks of a schedule: emits the wall time, Unix ms, whenever at least one tick has come since the last emission.
 *
 * Ticks that were missed together (a paused container, a suspended machine, a clock that was set forward) are one
 * emission. Where the clock goes back, a schedule of every hour or minute goes on with the new time, and one of fixed times
 * does not run the same time again; beyond three hours the new time counts for both, as in cron(8).
 *
 * @param onDue is told which tick comes next, Unix ms, whenever that changes; before the emission of the one before it
 * @example ticks({ next: schedule.next, repeats: true }, clock) // completes only where the calendar ends
 */
export function ticks(
  schedule: TickSchedule,
  clock: WallClock,
  onDue: (time: number | undefined) => void = () => undefined,
): Observable<number> {
  return new Observable((subscriber) => {
    /** Every tick until here has been dealt with. */
    let seen = clock.wallTime();
    /** The first one after that; to find a rare one takes a while, and each look would do it anew. */
    let due = schedule.next(seen);
    onDue(due);
    let wait = 0;
    let timer: number | undefined;
    const dealtWith = (time: number): void => {
      seen = time;
      due = schedule.next(time);
      onDue(due);
    };
    const look = (): void => {
      const now = clock.wallTime();
      const back = seen - now;
      // What the last look would have seen by the new time.
      if (back > longestRepeat || (schedule.repeats && back > smallCorrection)) dealtWith(now - wait);
      if (due !== undefined && due <= now) {
        dealtWith(now);
        subscriber.next(now);
        if (subscriber.closed) return;
      }
      if (due === undefined) {
        subscriber.complete();
        return;
      }
      wait = Math.min(due - now, longestWait);
      timer = clock.setTimeout(look, wait);
    };
    look();
    return () => {
      if (timer !== undefined) clock.clearTimeout(timer);
    };
  });
}
