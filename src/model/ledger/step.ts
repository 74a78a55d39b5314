/** One step of the system: an event (a fact or a request) yields the next ledger and orders for the system machine. */
import type { ServiceChange } from '../service/service-phase.ts';
import { noteChange } from './changes.ts';
import { noteHealth, noteSpawned } from './dependents.ts';
import { Draft, type Ledger, type Order } from './ledger.ts';
import { type ReloadRequest, reloaded } from './reload.ts';
import { carryOut, type ServiceRequest } from './requests.ts';
import { releaseAll, sayBlocked } from './starts.ts';
import { beginDrain, extendStop, killAll, killOverdue, noteSurvivor, renewStopTime } from './stops.ts';

export type LedgerEvent =
  | ServiceRequest
  | {
      readonly type: 'service.changed';
      readonly name: string;
      readonly change: ServiceChange;
      /** This change ends the system, so no further service is started. */
      readonly last?: true;
      readonly at: number;
    }
  | { readonly type: 'service.spawned'; readonly name: string; readonly at: number }
  /** The verdict of the probes of `healthy`: the first one, and each that differs from the last. */
  | { readonly type: 'service.healthy' | 'service.unhealthy'; readonly name: string; readonly at: number }
  /** The service asks for more time to stop, until this monotonic ms. */
  | { readonly type: 'service.extended'; readonly name: string; readonly until: number; readonly at: number }
  /** The next part of a service's stop begins: the hooks of after_stop, or the end of the processes that its run has left. */
  | { readonly type: 'service.stopContinues'; readonly name: string; readonly at: number }
  /** A process of the service survives SIGKILL. */
  | { readonly type: 'service.survived'; readonly name: string; readonly at: number }
  | ({ readonly type: 'system.reload'; readonly at: number } & ReloadRequest)
  /** Services may start from now on, or with `idle` the last stage of them. */
  | { readonly type: 'starts.released'; readonly idle: boolean; readonly at: number }
  | { readonly type: 'drain.begun'; readonly at: number }
  /** The time of some stop may have passed. */
  | { readonly type: 'stops.due'; readonly at: number }
  /** The shutdown has no time left: all processes that still run get SIGKILL at once. */
  | { readonly type: 'stops.forced'; readonly at: number };

export interface Step {
  readonly ledger: Ledger;
  readonly orders: readonly Order[];
}

/** Carries out one event: the services as they stand after it, and what the system machine has to do. */
export function step(before: Ledger, event: LedgerEvent): Step {
  if (event.type === 'system.reload') return afterReload(before, event);
  const draft = new Draft(before, event.at);
  switch (event.type) {
    case 'services.start':
    case 'services.stop':
    case 'services.reset':
    case 'services.enable':
    case 'services.disable':
      if (before.drain === undefined) carryOut(draft, event);
      break;
    case 'service.changed':
      noteChange(draft, event.name, event.change, event.last ?? false);
      break;
    case 'service.spawned':
      noteSpawned(draft, event.name);
      break;
    case 'service.healthy':
    case 'service.unhealthy':
      noteHealth(draft, event.name, event.type === 'service.healthy');
      break;
    case 'service.extended':
      extendStop(draft, event.name, event.until);
      break;
    case 'service.stopContinues':
      renewStopTime(draft, event.name);
      break;
    case 'service.survived':
      noteSurvivor(draft, event.name);
      break;
    case 'starts.released':
      draft.idleReleased = event.idle;
      releaseAll(draft);
      sayBlocked(draft);
      break;
    case 'drain.begun':
      beginDrain(draft);
      break;
    case 'stops.due':
      killOverdue(draft);
      break;
    case 'stops.forced':
      killAll(draft);
      break;
  }
  return { ledger: draft.done(), orders: draft.orders };
}

/** A reload makes another ledger: a second draft, which is made of it, lets the new services start. */
function afterReload(before: Ledger, event: LedgerEvent & { readonly type: 'system.reload' }): Step {
  const { ledger, orders } = reloaded(before, event, event.at);
  const draft = new Draft(ledger, event.at);
  releaseAll(draft);
  sayBlocked(draft);
  return { ledger: draft.done(), orders: [...orders, ...draft.orders] };
}
