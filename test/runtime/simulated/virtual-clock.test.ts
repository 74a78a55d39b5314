import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';

describe('the virtual clock', () => {
  it('stands still until it is run', () => {
    const clock = new VirtualClock();
    let fired = false;
    clock.setTimeout(() => {
      fired = true;
    }, 0);
    expect([clock.now(), fired, clock.pending]).toEqual([0, false, 1]);
    clock.run();
    expect([clock.now(), fired, clock.pending]).toEqual([0, true, 0]);
  });

  it('has a wall clock that goes with it, from 2030 on', () => {
    const clock = new VirtualClock();
    clock.run(1_500);
    expect(new Date(clock.wallTime()).toISOString()).toBe('2030-01-01T00:00:01.500Z');
  });

  it('fires by due time, and at the same instant in the order of setting', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 20 }), { maxLength: 60 }), (delays) => {
        const clock = new VirtualClock();
        const fired: [number, number][] = [];
        for (const [index, delay] of delays.entries()) clock.setTimeout(() => fired.push([clock.now(), index]), delay);
        clock.run();
        const expected = delays
          .map((delay, index): [number, number] => [Math.max(0, delay), index])
          .sort(([a, first], [b, second]) => a - b || first - second);
        expect(fired).toEqual(expected);
        expect(clock.pending).toBe(0);
      }),
    );
  });

  it('fires none of those that were cleared, and counts them no more', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.boolean()), { maxLength: 60 }), (timers) => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        const ids = timers.map(([delay], index) => clock.setTimeout(() => fired.push(index), delay));
        for (const [index, [, cleared]] of timers.entries()) if (cleared) clock.clearTimeout(ids[index] ?? 0);
        const kept = timers.flatMap(([, cleared], index) => (cleared ? [] : [index]));
        expect(clock.pending).toBe(kept.length);
        clock.run();
        expect([...fired].sort((a, b) => a - b)).toEqual(kept);
        expect(clock.pending).toBe(0);
      }),
    );
  });

  it('lets a callback clear a timer of the same instant, and set others', () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.setTimeout(() => {
      fired.push(`first at ${clock.now()}`);
      clock.clearTimeout(second);
      clock.setTimeout(() => fired.push(`third at ${clock.now()}`), 0);
      clock.setTimeout(() => fired.push(`fourth at ${clock.now()}`), 5);
    }, 10);
    const second = clock.setTimeout(() => fired.push('second'), 10);
    clock.run();
    expect(fired).toEqual(['first at 10', 'third at 10', 'fourth at 15']);
  });

  it('runs until a time, which it then shows', () => {
    const clock = new VirtualClock();
    const fired: number[] = [];
    for (const delay of [10, 20, 30]) clock.setTimeout(() => fired.push(delay), delay);
    clock.run(20);
    expect([fired, clock.now(), clock.pending]).toEqual([[10, 20], 20, 1]);
    clock.run(25);
    expect([clock.now(), clock.pending]).toEqual([25, 1]);
    clock.run(1);
    expect(clock.now()).toBe(25);
    clock.run();
    expect([fired, clock.now()]).toEqual([[10, 20, 30], 30]);
  });

  it('stops where it is told to', () => {
    const clock = new VirtualClock();
    let count = 0;
    const tick = (): void => {
      count += 1;
      clock.setTimeout(tick, 10);
    };
    clock.setTimeout(tick, 10);
    clock.run(undefined, () => count === 3);
    expect([clock.now(), clock.pending]).toEqual([30, 1]);
    clock.run(1_000, () => true);
    expect(clock.now()).toBe(30);
  });

  it('is moved by every wait, however short it is', () => {
    const clock = new VirtualClock();
    clock.setTimeout(() => undefined, 25_000 / 3);
    clock.run();
    const due = clock.now() + 1e-12;
    let waits = 0;
    const tick = (): void => {
      waits += 1;
      if (clock.now() < due) clock.setTimeout(tick, due - clock.now());
    };
    tick();
    clock.run();
    expect(clock.now()).toBeGreaterThanOrEqual(due);
    expect(waits).toBe(2);
  });

  it('refuses to fire for ever at the same instant', () => {
    const clock = new VirtualClock();
    const again = (): void => {
      clock.setTimeout(again, 0);
    };
    clock.setTimeout(again, 5);
    expect(() => clock.run(1_000)).toThrow('1000000 timers have fired at 5 ms of virtual time');
  });
});
