import { expect, it } from 'vitest';
import { SenderHold } from '../../../src/runtime/logging/sender-hold.ts';

it('senders wait while a sink is busy, but not for ever, and anew at the next stall', () => {
  let busy = false;
  const clock = { time: 0, now: () => clock.time };
  const hold = new SenderHold(clock, () => busy);
  const holdsAt = (time: number): boolean => {
    clock.time = time;
    return hold.holds();
  };
  expect(holdsAt(0)).toBe(false);
  busy = true;
  expect([100, 600, 1_099, 1_100, 2_000].map(holdsAt)).toEqual([true, true, true, false, false]);
  busy = false;
  expect(holdsAt(2_100)).toBe(false);
  busy = true;
  expect([2_200, 3_199, 3_200].map(holdsAt)).toEqual([true, true, false]);
  // Nobody asked for a while: that stall has ended, and this one has just begun.
  expect([60_000, 60_999, 61_000].map(holdsAt)).toEqual([true, true, false]);
});
