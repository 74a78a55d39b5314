import { expect, it } from 'vitest';
import { Gate } from '../../src/control/gate.ts';
import { limits } from '../../src/control/limits.ts';
import { createRights } from '../../src/control/rights.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { FakeSupervisor } from './fake-supervisor.ts';

it('remembers the rates of a thousand accounts, and forgets the account that has been quiet for longest', () => {
  const gate = new Gate({
    supervisor: new FakeSupervisor([]),
    rights: createRights({ uid: 0, policy: () => ({ owners: [], grants: [] }) }),
    now: () => 0,
    timers: new VirtualClock(),
  });
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
