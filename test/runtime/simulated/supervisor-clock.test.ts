import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SupervisorClock } from '../../../src/runtime/simulated/supervisor-clock.ts';
import { VirtualClock } from '../../../src/runtime/simulated/virtual-clock.ts';

describe("the supervisor's clock", () => {
  it('stands still in a stall, while its real time goes on', () => {
    const virtual = new VirtualClock();
    const clock = new SupervisorClock(virtual);
    const fired: number[] = [];
    clock.setTimeout(() => fired.push(clock.now()), 100);
    clock.stall(10_000);
    virtual.run(10_000);
    expect(clock.realTime()).toBe(10_000);
    expect(clock.now()).toBe(100);
    virtual.run(10_050);
    expect(clock.realTime()).toBe(10_050);
    expect(clock.now()).toBe(150);
    // The timer is put off, so that programs that were stopped with chaperone can still send something.
    virtual.run(11_999);
    expect(fired).toEqual([]);
    virtual.run(12_000);
    expect(fired).toEqual([2_100]);
  });

  it('fires once it has waited, whatever fractions of a millisecond stalls leave', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 20_000, noNaN: true }),
        fc.double({ min: 0, max: 10_000, noNaN: true }),
        fc.double({ min: 1, max: 10_000, noNaN: true }),
        (delay, begin, duration) => {
          const virtual = new VirtualClock();
          const clock = new SupervisorClock(virtual);
          let fired = false;
          clock.setTimeout(() => {
            fired = true;
          }, delay);
          virtual.setTimeout(() => clock.stall(duration), begin);
          virtual.run(60_000);
          return fired;
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
