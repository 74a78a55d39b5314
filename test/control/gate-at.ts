/** A gate in front of a supervisor without services, for chaperone's own account alone. */
import { expect } from 'vitest';
import { Boundary } from '../../src/control/boundary.ts';
import { Gate } from '../../src/control/gate.ts';
import { createRights } from '../../src/control/rights.ts';
import { VirtualClock } from '../../src/runtime/simulated/virtual-clock.ts';
import { FakeSupervisor } from './fake-supervisor.ts';

export function gateAt(now: () => number = () => 0): Gate {
  return new Gate({
    supervisor: new FakeSupervisor([]),
    rights: createRights({ uid: 0, policy: () => ({ owners: [], grants: [] }) }),
    now,
    timers: new VirtualClock(),
    boundary: new Boundary((error) => expect.unreachable(String(error))),
  });
}
