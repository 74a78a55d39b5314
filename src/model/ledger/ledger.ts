/**
 * The system as one value: a slot for each service, and counters that are kept with them, so that no question that is asked at
 * every event looks at all of them. A ledger is never changed: `Draft` makes the next one and copies only what changes.
 */
import type { DependencyGraph, DependencyNode } from '../order/dependency-graph.ts';
import type { PrerequisiteCause } from '../order/prerequisite.ts';
import { isEnded, liveCount, type ServicePhase } from '../service/service-phase.ts';
import type { ServiceSpec, SystemSpec } from '../service/service-spec.ts';
import type { StopRecord } from '../service/stop-record.ts';
import type { SystemNotice } from '../service/system-notice.ts';
import {
  type Asker,
  isOver,
  isStopping,
  needsTime,
  newSlot,
  opensStage,
  phaseOf,
  type Slot,
  type StopReason,
} from './slot.ts';

/** What the system machine is to do: messages to the charts of services, and what is told to everybody. */
export type Order =
  | { readonly kind: 'start'; readonly name: string; readonly waitedFor?: string; readonly askedBy?: Asker }
  /** `killAfter`: ms until SIGKILL; absent for a stop that lets running processes finish. */
  | {
      readonly kind: 'stop';
      readonly name: string;
      readonly why: StopReason;
      readonly drain: boolean;
      /** True: running processes of the service live on; the chart only starts no further ones. */
      readonly leaves?: true;
      readonly killAfter?: number;
      /** What has happened to a service that this one requires. */
      readonly because?: PrerequisiteCause;
      /** True: the service has failed, for that cause, once it has ended. */
      readonly fails?: true;
    }
  /** Asks a service that is up to read its configuration anew. */
  | { readonly kind: 'reload'; readonly name: string; readonly because: PrerequisiteCause }
  /** `grace`: ms that the kernel has to end processes that got SIGKILL. `last`: nothing follows it, not even after_stop. */
  | { readonly kind: 'kill'; readonly name: string; readonly grace: number; readonly last?: true }
  | { readonly kind: 'retire'; readonly name: string }
  | { readonly kind: 'reset'; readonly name: string }
  | { readonly kind: 'reconfigure'; readonly name: string; readonly spec: ServiceSpec }
  /** A new service needs a chart. */
  | { readonly kind: 'add'; readonly spec: ServiceSpec }
  /** Gives the service, of which no process runs, the chart of its new type. */
  | { readonly kind: 'replace'; readonly spec: ServiceSpec }
  /** Removes a service that a reload took out of the configuration and that has ended. */
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'tell'; readonly notice: SystemNotice };

/** The facts of a shutdown that is under way. */
export interface Drain {
  /** Monotonic ms at which the shutdown budget is used up. */
  readonly deadline: number;
  /** Services that never started, in start order. */
  readonly neverStarted: readonly string[];
  /** Services that were told to stop, in that order. */
  readonly stopped: readonly string[];
  /** The stops that are over, in that order. */
  readonly stops: readonly StopRecord[];
}

/** How many slots are in which condition. Counts by stage and layer leave out services that are no longer configured. */
interface Counters {
  readonly total: number;
  readonly phases: Readonly<Record<ServicePhase, number>>;
  readonly over: number;
  /** Slots with a stop that is requested or under way. */
  readonly stopping: number;
  /** By stage: slots that are not disabled. */
  readonly members: readonly number[];
  /** By stage: slots that keep later stages from starting. */
  readonly closed: readonly number[];
  /** By stage: slots that may still become ready for the first time. */
  readonly open: readonly number[];
  /** By stage: slots of `open` that are not pending: they have begun to start. */
  readonly active: readonly number[];
  /** By stage: slots of services that have not ended. */
  readonly left: readonly number[];
  /** By layer: slots whose stop takes time. */
  readonly slow: readonly number[];
}

export interface Ledger {
  readonly spec: SystemSpec;
  readonly graph: DependencyGraph;
  readonly slots: Slots;
  readonly counters: Counters;
  /** IDLE services may start. */
  readonly idleReleased: boolean;
  /** Undefined while the system is not shutting down. */
  readonly drain: Drain | undefined;
  /** Monotonic ms at which the next SIGKILL is due at the earliest; undefined where none is. */
  readonly due: number | undefined;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** Slots per piece: a change copies one piece instead of all slots. */
const pieceSize = 64;

/** Slots by name, in start order; slots of services that are no longer configured stand last. */
export class Slots {
  readonly #positions: ReadonlyMap<string, number>;
  readonly #pieces: readonly (readonly Slot[])[];

  constructor(positions: ReadonlyMap<string, number>, pieces: readonly (readonly Slot[])[]) {
    this.#positions = positions;
    this.#pieces = pieces;
  }

  static of(slots: readonly Slot[]): Slots {
    const positions = new Map(slots.map(({ spec }, index) => [spec.name, index]));
    const pieces: Slot[][] = [];
    for (let start = 0; start < slots.length; start += pieceSize) pieces.push(slots.slice(start, start + pieceSize));
    return new Slots(positions, pieces);
  }

  get size(): number {
    return this.#positions.size;
  }

  get(name: string): Slot | undefined {
    const position = this.#positions.get(name);
    return position === undefined ? undefined : this.#pieces[Math.floor(position / pieceSize)]?.[position % pieceSize];
  }

  *[Symbol.iterator](): Iterator<Slot> {
    for (const piece of this.#pieces) yield* piece;
  }

  all(): readonly Slot[] {
    return this.#pieces.flat();
  }

  /** The service's index in the start order, to compare two services with; 0 for a name without a slot. */
  position(name: string): number {
    return this.#positions.get(name) ?? 0;
  }

  names(): readonly string[] {
    return [...this.#positions.keys()];
  }

  /** A copy in which the given slots replace those of the same name; each name must have a slot already. */
  with(changed: ReadonlyMap<string, Slot>): Slots {
    const copies = new Map<number, Slot[]>();
    for (const [name, slot] of changed) {
      const position = this.#positions.get(name);
      if (position === undefined) throw new Error(`internal error: ${name} has no place in the ledger`);
      const index = Math.floor(position / pieceSize);
      const copy = copies.get(index) ?? [...(this.#pieces[index] ?? [])];
      copy[position % pieceSize] = slot;
      copies.set(index, copy);
    }
    const pieces = this.#pieces.map((piece, index) => copies.get(index) ?? piece);
    return new Slots(this.#positions, pieces);
  }
}

/** The ledger of a system that has not begun to boot. */
export function newLedger(spec: SystemSpec, graph: DependencyGraph): Ledger {
  const specs = new Map(spec.services.map((service) => [service.name, service]));
  const slots = graph.names.flatMap((name) => {
    const service = specs.get(name);
    return service === undefined ? [] : [newSlot(service)];
  });
  return ledgerOf({ spec, graph, idleReleased: false, drain: undefined, due: undefined, at: 0 }, slots);
}

/** A ledger with these slots, counted anew. */
export function ledgerOf(rest: Omit<Ledger, 'slots' | 'counters'>, slots: readonly Slot[]): Ledger {
  const counters = new CounterDraft(emptyCounters(rest.graph));
  for (const slot of slots) counters.count(slot, rest.graph, 1);
  return { ...rest, slots: Slots.of(slots), counters: counters.done() };
}

/** The same ledger without the slots of these services. */
function withoutSlots(ledger: Ledger, names: ReadonlySet<string>): Ledger {
  const counters = new CounterDraft(ledger.counters);
  const kept: Slot[] = [];
  for (const slot of ledger.slots) {
    if (names.has(slot.spec.name)) counters.count(slot, ledger.graph, -1);
    else kept.push(slot);
  }
  return { ...ledger, slots: Slots.of(kept), counters: counters.done() };
}

const noPhases: Readonly<Record<ServicePhase, number>> = {
  disabled: 0,
  pending: 0,
  starting: 0,
  'ready.running': 0,
  'ready.exited': 0,
  exited: 0,
  'ready.scheduled': 0,
  stopping: 0,
  backoff: 0,
  stopped: 0,
  failed: 0,
};
const noStages: readonly number[] = [0, 0, 0];

function emptyCounters({ layerCount }: DependencyGraph): Counters {
  return {
    total: 0,
    phases: noPhases,
    over: 0,
    stopping: 0,
    members: noStages,
    closed: noStages,
    open: noStages,
    active: noStages,
    left: noStages,
    slow: new Array<number>(layerCount).fill(0),
  };
}

class CounterDraft {
  #total: number;
  #over: number;
  #stopping: number;
  readonly #phases: Record<ServicePhase, number>;
  readonly #members: number[];
  readonly closed: number[];
  readonly open: number[];
  readonly active: number[];
  readonly left: number[];
  slow: readonly number[];
  #ownSlow: number[] | undefined;

  constructor(counters: Counters) {
    this.#total = counters.total;
    this.#over = counters.over;
    this.#stopping = counters.stopping;
    this.#phases = { ...counters.phases };
    this.#members = [...counters.members];
    this.closed = [...counters.closed];
    this.open = [...counters.open];
    this.active = [...counters.active];
    this.left = [...counters.left];
    this.slow = counters.slow;
  }

  get pending(): number {
    return this.#phases.pending;
  }

  get stopping(): number {
    return this.#stopping;
  }

  count(slot: Slot, graph: DependencyGraph, by: 1 | -1): void {
    const phase = phaseOf(slot);
    const over = isOver(slot);
    this.#total += by;
    this.#phases[phase] += by;
    if (over) this.#over += by;
    if (isStopping(slot)) this.#stopping += by;
    const node = graph.nodes[slot.spec.name];
    if (node === undefined) return;
    const { stage, layer } = node;
    const add = (numbers: number[]): void => {
      numbers[stage] = (numbers[stage] ?? 0) + by;
    };
    if (phase !== 'disabled') add(this.#members);
    if (!opensStage(slot)) add(this.closed);
    if (!slot.hasBeenReady && !isEnded(phase)) {
      add(this.open);
      if (phase !== 'pending') add(this.active);
    }
    if (!over) add(this.left);
    if (needsTime(slot)) {
      this.#ownSlow ??= [...this.slow];
      this.#ownSlow[layer] = (this.#ownSlow[layer] ?? 0) + by;
      this.slow = this.#ownSlow;
    }
  }

  done(): Counters {
    return {
      total: this.#total,
      phases: this.#phases,
      over: this.#over,
      stopping: this.#stopping,
      members: this.#members,
      closed: this.closed,
      open: this.open,
      active: this.active,
      left: this.left,
      slow: this.slow,
    };
  }
}

/** A ledger that is being changed, with the orders that come of it. It lives for one step. */
export class Draft {
  readonly before: Ledger;
  readonly orders: Order[] = [];
  readonly #counters: CounterDraft;
  idleReleased: boolean;
  drain: Drain | undefined;
  due: number | undefined;
  readonly at: number;
  readonly #changed = new Map<string, Slot>();
  readonly #removed = new Set<string>();
  /** Slots that changed since the counters were updated, as they were at that time. */
  readonly #uncounted = new Map<string, Slot>();

  constructor(before: Ledger, at: number) {
    this.before = before;
    this.#counters = new CounterDraft(before.counters);
    this.idleReleased = before.idleReleased;
    this.drain = before.drain;
    this.due = before.due;
    this.at = Math.max(before.at, at);
  }

  get graph(): DependencyGraph {
    return this.before.graph;
  }

  get spec(): SystemSpec {
    return this.before.spec;
  }

  get(name: string): Slot | undefined {
    return this.#changed.get(name) ?? this.before.slots.get(name);
  }

  node(name: string): DependencyNode | undefined {
    return this.before.graph.nodes[name];
  }

  /** Every slot as it is now, in start order. */
  all(): readonly Slot[] {
    return this.before.slots.names().flatMap((name) => {
      const slot = this.get(name);
      return slot === undefined ? [] : [slot];
    });
  }

  put(name: string, changes: Partial<Slot>): void {
    const old = this.get(name);
    if (old === undefined) return;
    if (!this.#uncounted.has(name)) this.#uncounted.set(name, old);
    this.#changed.set(name, { ...old, ...changes });
  }

  /** Leaves the slot of an ended service that is no longer configured out of the next ledger. */
  remove(name: string): void {
    this.#removed.add(name);
    this.order({ kind: 'remove', name });
    this.tell({ type: 'service.removed', service: name });
  }

  /** The counters, brought up to date. */
  get counters(): CounterDraft {
    for (const [name, old] of this.#uncounted) {
      this.#counters.count(old, this.graph, -1);
      const slot = this.#changed.get(name);
      if (slot !== undefined) this.#counters.count(slot, this.graph, 1);
    }
    this.#uncounted.clear();
    return this.#counters;
  }

  order(order: Order): void {
    this.orders.push(order);
  }

  tell(notice: SystemNotice): void {
    this.orders.push({ kind: 'tell', notice });
  }

  done(): Ledger {
    const { idleReleased, drain, due, at, before } = this;
    const ledger = {
      ...before,
      idleReleased,
      drain,
      due,
      at,
      slots: this.#changed.size === 0 ? before.slots : before.slots.with(this.#changed),
      counters: this.counters.done(),
    };
    return this.#removed.size === 0 ? ledger : withoutSlots(ledger, this.#removed);
  }
}

/** The first stage with a service that has still to become ready: services of later stages wait for it. */
export function firstClosedStage({ closed }: { readonly closed: readonly number[] }): number {
  const stage = closed.findIndex((count) => count > 0);
  return stage < 0 ? 2 : stage;
}

/** True if no service has a process or is about to start one. */
export function isQuiet({ counters: { phases } }: Ledger): boolean {
  return liveCount(phases) === 0;
}

/** As `isQuiet`, but for services that wait for a schedule or for clients. */
export function isQuietButScheduled({ counters: { phases } }: Ledger): boolean {
  const scheduled = phases['ready.scheduled'];
  return scheduled > 0 && liveCount(phases) === scheduled;
}

export function isAllOver({ counters: { over, total } }: Ledger): boolean {
  return over === total;
}
