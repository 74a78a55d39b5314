import type { Clock } from '../../runtime/kernel.ts';

/** The clock of a program that runs on the host for a while: nobody stops it, and it needs no wall clock but for times that it tells. */
export function hostClock(): Clock {
  const timers = new Map<number, NodeJS.Timeout>();
  let last = 0;
  const now = (): number => performance.now();
  return {
    now,
    realTime: now,
    monotonicTime: now,
    lateness: () => 0,
    wallTime: () => Date.now(),
    onWallJump: () => () => {},
    setTimeout: (callback, delay) => {
      last += 1;
      const id = last;
      timers.set(
        id,
        setTimeout(() => {
          timers.delete(id);
          callback();
        }, delay),
      );
      return id;
    },
    clearTimeout: (id) => {
      clearTimeout(timers.get(id));
      timers.delete(id);
    },
  };
}
