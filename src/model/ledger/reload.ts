/**
 * What a reload makes of the ledger: the steps of the plan against where each service stands at this moment.
 *
 * What has to end ends, those first that waited for others of them by the graph that was in force until now; what is to
 * start starts along the new graph, as soon as what it waits for stands. A service waits for the end of another that it
 * has no edge with only where both want the same port or pidfile. What is kept is not touched, and what may change in
 * place has changed before.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A service that is gone keeps its slot until it has ended, and is no part of the configuration any more: requests
 *   for it by hand count for nothing. When a further reload brings it back meanwhile, it starts again once it has
 *   ended.
 * - A stop by hand that is under way stays a stop, a restart by hand a restart; both end with the new definition.
 * - What was enabled or disabled by hand stays so, unless the configuration itself says something else than before. What was
 *   disabled by hand and runs goes on as it is, and gets its new definition when it has ended.
 * - A further reload may come at any time. Stops that have been asked for keep the order that they were asked for in.
 * - A service that is to be replaced and fails by itself first is replaced: neither the failure of its start nor `exit_kills`
 *   ends the system.
 */
import type { DependencyGraph } from '../order/dependency-graph.ts';
import type { ReloadPlan } from '../order/reload-plan.ts';
import { type PublicState, publicStateOf } from '../service/public-state.ts';
import type { ServiceSpec, SystemSpec } from '../service/service-spec.ts';
import { addTied } from './dependents.ts';
import { Draft, type Ledger, ledgerOf, type Order } from './ledger.ts';
import {
  definitionOf,
  isLeaving,
  isOver,
  isStopping,
  needsOtherChart,
  newSlot,
  nothingIntended,
  phaseOf,
  queued,
  type Slot,
  type StoppingSlot,
} from './slot.ts';
import { advanceStops, requestStops, type StopRequest } from './stops.ts';

export interface ReloadRequest {
  readonly spec: SystemSpec;
  readonly graph: DependencyGraph;
  /** The plan, made against the ledger that the reload is applied to: it has a step for each service of `spec`. */
  readonly plan: ReloadPlan;
}

/** The state of a service as a reload plan sees it: a service that is being stopped by hand counts as stopped. */
export function stateForPlan(ledger: Ledger, name: string): PublicState | undefined {
  const slot = ledger.slots.get(name);
  if (slot === undefined) return undefined;
  if (isStopping(slot) && slot.intent.next === 'rest' && !isLeaving(slot)) return 'stopped';
  return publicStateOf(phaseOf(slot));
}

/** True if somebody disabled the service by hand: its running processes go on, and a reload starts nothing of it. */
export function isHeldDown(ledger: Ledger, name: string): boolean {
  const slot = ledger.slots.get(name);
  return slot?.enabled === false && slot.spec.enabled;
}

/** @returns the ledger of the new configuration, and the stops and changes that come first; no service is started yet */
export function reloaded(
  before: Ledger,
  { spec, graph, plan }: ReloadRequest,
  at: number,
): { readonly ledger: Ledger; readonly orders: readonly Order[] } {
  const changes = new Changes(before, new Map(spec.services.map((service) => [service.name, service])));
  for (const { name, action } of plan.steps) changes.apply(name, action);
  const inOrder = graph.names.flatMap((name) => changes.slots.get(name) ?? []);
  const gone = [...changes.slots.values()].filter(({ spec: { name } }) => graph.nodes[name] === undefined);
  const ledger = ledgerOf(
    { spec, graph, idleReleased: before.idleReleased, drain: undefined, due: before.due, at: Math.max(before.at, at) },
    [...inOrder, ...gone],
  );
  const draft = new Draft(ledger, at);
  addTied(draft, changes.stops);
  requestStops(draft, changes.stops, before.graph, true);
  // Of those that are gone and do not wait for each other the last are told first: the highest instance of a template.
  advanceStops(
    draft,
    [...inOrder, ...gone.reverse()].map(({ spec: { name } }) => name),
  );
  return { ledger: draft.done(), orders: [...changes.orders, ...draft.orders] };
}

/** What a start by a reload changes in a slot. */
const begun = { hasBeenReady: false, askedBy: 'reload' } as const;

/** The slots of the next configuration, as the steps of a plan make them. */
class Changes {
  readonly slots: Map<string, Slot>;
  readonly stops = new Map<string, StopRequest>();
  readonly orders: Order[] = [];
  readonly #next: ReadonlyMap<string, ServiceSpec>;

  constructor({ slots }: Ledger, next: ReadonlyMap<string, ServiceSpec>) {
    this.slots = new Map([...slots].map((slot) => [slot.spec.name, slot]));
    this.#next = next;
  }

  apply(name: string, action: ReloadPlan['steps'][number]['action']): void {
    const spec = this.#next.get(name);
    const slot = this.slots.get(name);
    if (spec === undefined) {
      if (slot !== undefined) this.#remove(name, slot);
    } else if (slot === undefined) this.#add(spec);
    else if (isLeaving(slot)) this.#bringBack(spec, slot);
    else this.#change(spec, slot, action);
  }

  #remove(name: string, slot: Slot): void {
    if (isLeaving(slot)) return;
    if (!isOver(slot)) {
      this.stops.set(name, { why: 'gone', next: 'rest' });
      return;
    }
    this.slots.delete(name);
    this.orders.push({ kind: 'remove', name }, { kind: 'tell', notice: { type: 'service.removed', service: name } });
  }

  #add(spec: ServiceSpec): void {
    this.slots.set(spec.name, { ...newSlot(spec), askedBy: 'reload' });
    const type = spec.enabled ? 'service.queued' : 'service.skipped';
    this.orders.push({ kind: 'add', spec }, { kind: 'tell', notice: { type, service: spec.name } });
  }

  /** Takes a service back in that an earlier reload had removed and that is still ending. */
  #bringBack(spec: ServiceSpec, slot: StoppingSlot): void {
    const { enabled } = spec;
    this.#put(spec, slot, {
      enabled,
      hasBeenReady: false,
      resumes: false,
      intent: { ...slot.intent, why: 'reload', next: enabled ? 'start' : 'rest' },
    });
  }

  #change(spec: ServiceSpec, slot: Slot, action: ReloadPlan['steps'][number]['action']): void {
    // The configuration overrides what was enabled or disabled by hand only where its own `enabled` has changed.
    const enabled = spec.enabled === slot.spec.enabled ? slot.enabled : spec.enabled;
    const begins = (action === 'start' || action === 'restart') && enabled;
    const ends = slot.spec.enabled && !spec.enabled;
    const resumes = ends || begins ? false : slot.resumes;
    if (!begins && !ends) this.#put(spec, slot, { enabled, resumes });
    else if (isOver(slot)) {
      const intent = begins ? queued : nothingIntended;
      this.#put(spec, slot, { enabled, resumes, intent, ...(begins ? begun : {}) });
    } else {
      this.stops.set(spec.name, { why: 'reload', next: begins ? 'start' : 'rest' });
      this.#put(spec, slot, { enabled, resumes, ...(begins ? begun : {}) });
    }
  }

  /** Stores the slot, and sends its chart the new definition at once if no stop is pending that the change has to wait for. */
  #put(spec: ServiceSpec, slot: Slot, changes: Partial<Slot>): void {
    const { name } = spec;
    const changed = { ...slot, spec, saidBlocked: false, ...changes };
    const isNew = spec !== slot.spec;
    const hasOtherChart = needsOtherChart(slot, spec);
    const waits = this.stops.has(name) || isStopping(changed) || (!isOver(slot) && (isHeldBack(slot) || hasOtherChart));
    if (isNew && waits) this.slots.set(name, { ...changed, current: definitionOf(slot) });
    else if (isNew && hasOtherChart) {
      this.slots.set(name, { ...changed, chart: newSlot(spec).chart, skipped: false });
      this.orders.push({ kind: 'replace', spec });
    } else {
      this.slots.set(name, changed);
      if (isNew) this.orders.push({ kind: 'reconfigure', name, spec });
    }
  }
}

/** True if the service was disabled by hand while it ran: it keeps the old definition, even if it was enabled again. */
function isHeldBack({ enabled, spec, current }: Slot): boolean {
  return (spec.enabled && !enabled) || current !== undefined;
}
