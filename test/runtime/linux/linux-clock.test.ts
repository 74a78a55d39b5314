import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LinuxClock } from '../../../src/runtime/linux/linux-clock.ts';

describe('the clock of the Linux kernel after a stall', () => {
  let time = 50_000;

  beforeEach(() => {
    time = 50_000;
    vi.spyOn(performance, 'now').mockImplementation(() => time);
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('tells the same time to what arrives first as to what comes after its timers', () => {
    const clock = new LinuxClock();
    const waiting = clock.setTimeout(() => undefined, 100);
    time += 20_000;
    const arrived = clock.now();
    expect(arrived).toBe(50_100);
    expect(clock.now()).toBe(arrived);
    const set = clock.setTimeout(() => undefined, 30);
    time += 30;
    expect(clock.now()).toBe(arrived + 30);
    expect(clock.realTime()).toBe(70_030);
    for (const id of [waiting, set]) clock.clearTimeout(id);
  });

  it('never goes back, and puts off what was waited for meanwhile', () => {
    const clock = new LinuxClock();
    const waiting = clock.setTimeout(() => undefined, 100);
    let last = clock.now();
    // The timer is late, but not by a stall: the clock shows a time before the timer's due time.
    for (const passed of [90, 300, 20_000, 1_999, 600, 20_000, 5_000]) {
      time += passed;
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
    expect(last).toBeLessThan(60_000);
    clock.clearTimeout(waiting);
  });

  it('is no stall while nothing is late, nor where nothing waited', () => {
    const clock = new LinuxClock();
    time += 20_000;
    expect(clock.now()).toBe(70_000);
    const id = clock.setTimeout(() => undefined, 30_000);
    time += 30_400;
    expect(clock.now()).toBe(100_400);
    clock.clearTimeout(id);
    time += 20_000;
    expect(clock.now()).toBe(120_400);
  });

  it('still fires what is due after it', async () => {
    vi.restoreAllMocks();
    const clock = new LinuxClock();
    const order: string[] = [];
    await new Promise<void>((resolve) => {
      clock.setTimeout(() => order.push('first'), 5);
      const never = clock.setTimeout(() => order.push('never'), 1);
      clock.clearTimeout(never);
      clock.setTimeout(() => {
        order.push('second');
        resolve();
      }, 10);
    });
    expect(order).toEqual(['first', 'second']);
  });
});
