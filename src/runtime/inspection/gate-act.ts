/** Lets pages of chaperone's own act through the gate of the control socket: with its rights, its rates and its refusals. */
import type { Boundary } from '../../control/boundary.ts';
import type { Command } from '../../control/command.ts';
import { Gate } from '../../control/gate.ts';
import { Meter } from '../../control/meter.ts';
import { createRights } from '../../control/rights.ts';
import type { Clock } from '../kernel.ts';
import type { InspectedControl } from './inspector-port.ts';
import { type ActPort, type PageRequest, pageActions } from './page-act.ts';

export function gateAct({ supervisor, uid, policy }: InspectedControl, clock: Clock, boundary: Boundary): ActPort {
  const rights = createRights({ uid, policy });
  const gate = new Gate({ supervisor, rights, now: () => clock.now(), timers: clock, boundary });
  return {
    may: (caller) => pageActions.filter((action) => rights.may(caller, action)),
    act: async (request, caller, bytes) => {
      const busy = gate.admit(caller, bytes);
      if (busy !== undefined) return { ok: false, text: busy.text };
      // A name is never a pattern here: what the person has seen is what happens.
      const known = supervisor.service(request.service) !== undefined;
      if (!known) return { ok: false, text: `there is no service ${JSON.stringify(request.service)}` };
      const meter = new Meter();
      const { kind, text } = await gate.command(commandOf(request), caller, { meter });
      gate.charge(caller, meter);
      return { ok: kind === 'done', text };
    },
  };
}

function commandOf({ action, service }: PageRequest): Command {
  const options = { names: [service], force: false, wait: false } as const;
  switch (action) {
    case 'start':
      return { verb: 'start', enable: false, ...options };
    case 'stop':
      return { verb: 'stop', disable: false, drain: false, ...options };
    case 'restart':
      return { verb: 'restart', ...options };
  }
}
