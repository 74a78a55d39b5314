import { expect, it } from 'vitest';
import { limits } from '../../src/control/limits.ts';
import { Meter } from '../../src/control/meter.ts';
import { gateAt } from './gate-at.ts';

it('remembers the rates of a thousand accounts, and forgets the account that has been quiet for longest', () => {
  const gate = gateAt();
  const isAdmitted = (uid: number): boolean => gate.admit({ uid, gid: 0, groups: [] }) === undefined;
  const useUp = (uid: number): void => {
    for (let count = 0; count < limits.requestBurst; count += 1) expect(isAdmitted(uid)).toBe(true);
    expect(isAdmitted(uid)).toBe(false);
  };
  useUp(1);
  useUp(2);
  for (let uid = 3; uid <= 1_000; uid += 1) isAdmitted(uid);
  expect([isAdmitted(2), isAdmitted(1)]).toEqual([false, false]);
  // Account 3 is now the one that has been quiet for longest; then account 2 is, which has asked before account 1.
  for (let uid = 1_001; uid <= 1_999; uid += 1) isAdmitted(uid);
  expect([isAdmitted(1), isAdmitted(2)]).toEqual([false, true]);
});

it('counts a heavy request of a guest as several, and lets the guest in again once the debt is earned', () => {
  let now = 0;
  const gate = gateAt(() => now);
  const guest = { uid: 1000, gid: 1000, groups: [] };
  const heavy = new Meter();
  heavy.steps = limits.stepsPerRequest * limits.requestBurst;
  heavy.answered = limits.answeredPerRequest * limits.requestsPerSecond;
  expect(gate.admit(guest)).toBeUndefined();
  gate.charge(guest, heavy);
  expect(gate.admit(guest)?.kind).toBe('busy');
  now = 900;
  expect(gate.admit(guest)?.kind).toBe('busy');
  now = 1_100;
  expect(gate.admit(guest)).toBeUndefined();
  // An owner's requests weigh what they weighed before, and another guest has a limit of its own.
  const owner = { uid: 0, gid: 0, groups: [] };
  gate.charge(owner, heavy);
  expect([gate.admit(owner), gate.admit({ ...guest, uid: 1001 })]).toEqual([undefined, undefined]);
});

it('counts the bytes of a request', () => {
  const gate = gateAt();
  const guest = { uid: 1000, gid: 1000, groups: [] };
  let admitted = 0;
  while (gate.admit(guest, limits.body) === undefined) admitted += 1;
  expect(admitted).toBe(Math.ceil(limits.requestBurst / (1 + limits.body / limits.readPerRequest)));
});

it('remembers the first sixteen processes that have asked for the end at once, and nobody who may not', async () => {
  const gate = gateAt();
  const ask = (uid: number, pid: number) =>
    gate.command({ verb: 'shutdown', delay: 100, now: true }, { uid, gid: 0, groups: [], pid }, { meter: new Meter() });
  expect((await ask(1000, 7)).kind).toBe('forbidden');
  for (let pid = 100; pid < 260; pid += 1) await ask(0, pid);
  expect(gate.shutdownCallers()).toEqual(Array.from({ length: 16 }, (_, nth) => 100 + nth));
});
