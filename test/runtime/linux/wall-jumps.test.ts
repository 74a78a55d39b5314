import { spawnSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';
import { WallJumps } from '../../../src/runtime/linux/wall-jumps.ts';
import { ticks } from '../../../src/streams/ticks.ts';
import { edge, until } from './native-edge.ts';

const hour = 3_600_000;

/** Sets the wall clock forward by one nanosecond: adjtimex(2) with ADJ_SETOFFSET and ADJ_NANO. False where that is not permitted. */
function setWallClock(): boolean {
  const script = `import ctypes, struct
buffer = ctypes.create_string_buffer(208)
struct.pack_into("I", buffer, 0, 0x2100)
struct.pack_into("qq", buffer, 72, 0, 1)
raise SystemExit(0 if ctypes.CDLL(None).adjtimex(buffer) >= 0 else 1)`;
  return spawnSync('python3', ['-c', script]).status === 0;
}

function timers(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === 'anon_inode:[timerfd]';
    } catch {
      return false;
    }
  }).length;
}

describe.runIf(setWallClock())('a change of the wall clock', () => {
  it('is told at once, each time, to everybody who listens, and watched for no longer', async () => {
    const before = timers();
    const jumps = new WallJumps(edge);
    let told = 0;
    const listener = (): void => {
      told += 1;
    };
    const ends = [jumps.listen(listener), jumps.listen(listener)];
    expect(timers()).toBe(before + 1);
    setWallClock();
    await until(() => told === 2);
    ends[0]?.();
    setWallClock();
    await until(() => told === 3);
    ends[1]?.();
    ends[1]?.();
    expect(timers()).toBe(before);
    const again = jumps.listen(listener);
    setWallClock();
    await until(() => told === 4);
    again();
  });

  it('runs at once what a schedule has missed', async () => {
    const clock = new LinuxClock(edge);
    const ran: number[] = [];
    let due: number | undefined;
    const real = Date.now;
    let offset = 0;
    vi.spyOn(Date, 'now').mockImplementation(() => real() + offset);
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    const schedule = { next: (after: number) => (Math.floor(after / hour) + 1) * hour, repeats: true };
    const subscription = ticks(schedule, clock, (time) => {
      due = time;
    }).subscribe((time) => ran.push(time));
    onTestFinished(() => subscription.unsubscribe());
    const first = due ?? 0;
    offset = first - real() + 1_000;
    setWallClock();
    await until(() => ran.length === 1);
    expect(due).toBe(first + hour);
    // A wrong clock is put right: the next time is one that the right clock will show.
    offset = 0;
    setWallClock();
    await until(() => due === first);
    expect(ran).toHaveLength(1);
  });
});

describe('where the system tells nothing of changes', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    ['there is no edge', undefined],
    [
      'timerfd_settime(2) knows no such flag',
      {
        ...edge,
        wallClockChanges: () => {
          throw Object.assign(new Error('timerfd_settime'), { code: 'EINVAL' });
        },
      },
    ],
  ])('they are seen within five seconds: %s', (_, given) => {
    const jumps = new WallJumps(given);
    let told = 0;
    const end = jumps.listen(() => {
      told += 1;
    });
    vi.advanceTimersByTime(60_000);
    expect(told).toBe(0);
    for (const by of [hour, -231 * 24 * hour]) {
      vi.setSystemTime(Date.now() + by);
      vi.advanceTimersByTime(5_000);
    }
    expect(told).toBe(2);
    vi.advanceTimersByTime(60_000);
    expect(told).toBe(2);
    end();
    expect(vi.getTimerCount()).toBe(0);
  });
});
