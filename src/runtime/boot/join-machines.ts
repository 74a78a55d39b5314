/** The machines, joined once to ports that each assembly connects to its own kernel. */
import {
  type AnyActorRef,
  type AnyStateMachine,
  type CallbackActorLogic,
  type EventObject,
  fromCallback,
} from 'xstate';
import { conditionsMachine } from '../../machines/conditions.ts';
import { type CheckFact, type CheckRequest, type CheckRun, probeMachine } from '../../machines/probe.ts';
import { readinessMachine } from '../../machines/readiness.ts';
import { reloadMachine } from '../../machines/reload.ts';
import { scheduledMachine } from '../../machines/scheduled.ts';
import { serviceMachine } from '../../machines/service.ts';
import { systemMachine } from '../../machines/system.ts';
import { unitMachine } from '../../machines/unit.ts';
import type { lookupLogic } from '../units/lookup.ts';
import type { NotifySockets } from '../units/notify-sockets.ts';
import type { Pidfiles } from '../units/pidfiles.ts';
import type { reloaderLogic } from '../units/reloader.ts';
import type { triggerLogic } from '../units/trigger.ts';
import type { Units } from '../units/units.ts';
import type { ChartFacts } from './chart-facts.ts';
import type { processTableLogic } from './remaining-processes.ts';

/** The ports that the machines of one system use. */
export interface Ports {
  readonly processes: ReturnType<Units['logic']>;
  readonly trigger: ReturnType<typeof triggerLogic>;
  readonly pidfile: ReturnType<Pidfiles['logic']>;
  readonly lookup: ReturnType<typeof lookupLogic>;
  readonly reloader: ReturnType<typeof reloaderLogic>;
  readonly notifications: ReturnType<NotifySockets['logic']>;
  /** Asks and listens for probes. */
  readonly check: CallbackActorLogic<CheckRequest, CheckRun, CheckFact>;
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

/**
 * Puts implementations into a machine itself. `provide` would build all of its states a second time, which takes longer than a
 * small system's boot may.
 */
function join<M extends AnyStateMachine>(machine: M, { actors, actions }: Parameters<M['provide']>[0]): M {
  Object.assign(machine.implementations.actors, actors);
  Object.assign(machine.implementations.actions, actions);
  return machine;
}

/** The machines with their ports, joined once for all assemblies. */
export const joinedMachine = joinMachines();

function joinMachines() {
  join(unitMachine, { actors: { processes: port((ports) => ports.processes) } });
  join(scheduledMachine, {
    actors: { trigger: port((ports) => ports.trigger) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.scheduled(context, event, stage),
    },
  });
  join(probeMachine, {
    actors: { check: port((ports) => ports.check) },
    actions: { note: ({ context, system }) => portsOf.get(system)?.charts.probe(context) },
  });
  join(readinessMachine, { actors: { pidfile: port((ports) => ports.pidfile) } });
  join(conditionsMachine, { actors: { lookup: port((ports) => ports.lookup) } });
  join(reloadMachine, { actors: { reloader: port((ports) => ports.reloader) } });
  join(serviceMachine, {
    actors: { notifications: port((ports) => ports.notifications) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.service(context, event, stage),
    },
  });
  return join(systemMachine, {
    actors: { processTable: port((ports) => ports.processTable) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.system(context, event, stage),
    },
  });
}

/** Connects the ports of all actors below this one. */
export function connectPorts(system: AnyActorRef, ports: Ports): void {
  portsOf.set(system.system, ports);
}
