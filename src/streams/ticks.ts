import { Observable } from 'rxjs';

/** The clock that ticks need: Unix time in ms, which may jump, and timers and another time, ms, which do not. */
export interface WallClock {
  wallTime(): number;
  realTime(): number;
  /** Calls back after a jump of the wall time, and returns what ends that. */
  onWallJump(listener: () => void): () => void;
  setTimeout(callback: () => void, delay: number): number;
  clearTimeout(id: number): void;
}

export interface TickSchedule {
  /** The first tick strictly after `after`, Unix ms; undefined where there is none. */
  next(after: number): number | undefined;
  /** True for a schedule of every hour or minute: where the clock goes back, it runs again in the repeated hours. */
  readonly repeats: boolean;
  /** False: ticks that the clock has passed over in a jump are lost; absent: they lead to one emission. */
  readonly catchUp?: false;
}

/** The longest time, ms, between two looks at the clock, should it jump and nobody tell of it. */
const longestWait = 3_600_000;
/** A change of the clock up to this many ms is a correction and not a jump. */
const smallCorrection = 60_000;
/** Where the clock goes back by more than this many ms, it was wrong before: cron(8). */
const longestRepeat = 3 * 3_600_000;
/** ms by which a jump may have happened before it is noticed: what the new clock has passed since then is due. */
const longestNotice = 5_000;

/**
 * The ticks of a schedule: emits the wall time, Unix ms, whenever at least one tick has come since the last emission.
 *
 * Several missed ticks (a paused container, a suspended machine, a clock that was set forward) lead to one emission, as soon as
 * the clock tells of its jump; with `catchUp: false` to none.
 * Where the clock goes back by up to three hours, a schedule of every hour or minute goes on with the new time, and a
 * schedule of fixed times does not run the same time again. Where the clock goes back further, both go on with the new
 * time, as in cron(8).
 *
 * @param onDue is called with the next tick, Unix ms, whenever that changes; before the emission of the tick before it
 * @example ticks({ next: schedule.next, repeats: true }, clock) // completes only where the calendar ends
 */
export function ticks(
  schedule: TickSchedule,
  clock: WallClock,
  onDue: (time: number | undefined) => void = () => undefined,
): Observable<number> {
  return new Observable((subscriber) => {
    /** Every tick up to this Unix ms has been handled. */
    let seen = clock.wallTime();
    /** Both times of the last look. */
    let looked = { wall: seen, real: clock.realTime() };
    /** The first tick after `seen`. It is kept because finding a rare tick is slow. */
    let due = schedule.next(seen);
    onDue(due);
    let timer: number | undefined;
    const dealtWith = (time: number): void => {
      seen = time;
      due = schedule.next(time);
      onDue(due);
    };
    const look = (): void => {
      const [now, real] = [clock.wallTime(), clock.realTime()];
      const passed = real - looked.real;
      const back = Math.max(looked.wall + passed, seen) - now;
      looked = { wall: now, real };
      if (back > longestRepeat || (schedule.repeats && back > smallCorrection))
        dealtWith(now - Math.min(passed, longestNotice));
      if (due !== undefined && due <= now) {
        const isMissed = schedule.catchUp === false && now - due > longestNotice;
        dealtWith(now);
        if (!isMissed) subscriber.next(now);
        if (subscriber.closed) return;
      }
      if (due === undefined) {
        subscriber.complete();
        return;
      }
      timer = clock.setTimeout(look, Math.min(due - now, longestWait));
    };
    subscriber.add(
      clock.onWallJump(() => {
        if (timer !== undefined) clock.clearTimeout(timer);
        look();
      }),
    );
    look();
    return () => {
      if (timer !== undefined) clock.clearTimeout(timer);
    };
  });
}
