/** The machines, joined once to ports that each assembly connects to its own kernel. */
import { type AnyActorRef, type CallbackActorLogic, type EventObject, fromCallback } from 'xstate';
import { readinessMachine } from '../../machines/readiness.ts';
import { scheduledMachine } from '../../machines/scheduled.ts';
import { serviceMachine } from '../../machines/service.ts';
import { systemMachine } from '../../machines/system.ts';
import { unitMachine } from '../../machines/unit.ts';
import type { NotifySockets } from '../units/notify-sockets.ts';
import type { Pidfiles } from '../units/pidfiles.ts';
import type { triggerLogic } from '../units/trigger.ts';
import type { Units } from '../units/units.ts';
import type { ChartFacts } from './chart-facts.ts';
import type { processTableLogic } from './remaining-processes.ts';

/** The ports that the machines of one system use. */
export interface Ports {
  readonly processes: ReturnType<Units['logic']>;
  readonly trigger: ReturnType<typeof triggerLogic>;
  readonly pidfile: ReturnType<Pidfiles['logic']>;
  readonly notifications: ReturnType<NotifySockets['logic']>;
  readonly processTable: ReturnType<typeof processTableLogic>;
  readonly charts: ChartFacts;
}

/** The ports of each assembly, by the actor system of its machines. */
const portsOf = new WeakMap<object, Ports>();

/** A port whose implementation is looked up when its actor starts. */
function port<E extends EventObject, I, F extends EventObject>(
  of: (ports: Ports) => CallbackActorLogic<E, I, F>,
): CallbackActorLogic<E, I, F> {
  return {
    ...fromCallback<E, I, F>(() => undefined),
    start: (snapshot, scope) => {
      const ports = portsOf.get(scope.system);
      if (ports === undefined) throw new Error('internal error: a system without ports');
      of(ports).start?.(snapshot, scope);
    },
  };
}

/** The machines with their ports, joined once for all assemblies: joining costs more than a small system's run. */
export const joinedMachine = joinMachines();

function joinMachines() {
  const unit = unitMachine.provide({ actors: { processes: port((ports) => ports.processes) } });
  const scheduled = scheduledMachine.provide({
    actors: { unit, trigger: port((ports) => ports.trigger) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.scheduled(context, event, stage),
    },
  });
  const readiness = readinessMachine.provide({ actors: { pidfile: port((ports) => ports.pidfile) } });
  const service = serviceMachine.provide({
    actors: { unit, readiness, notifications: port((ports) => ports.notifications) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.service(context, event, stage),
    },
  });
  const processTable = port((ports) => ports.processTable);
  return systemMachine.provide({
    actors: { service, scheduled, processTable },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.system(context, event, stage),
    },
  });
}

/** Connects the ports of all actors below this one. */
export function connectPorts(system: AnyActorRef, ports: Ports): void {
  portsOf.set(system.system, ports);
}
