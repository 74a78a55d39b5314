/**
 * Stops, from the request to the end of the service. A stop that is asked for while the system goes on waits for those
 * that are to be stopped with it and that wait for this service: `behind` counts them, and each of them has this
 * service in its `ahead`. What has been told waits for nobody. The end of the whole system orders all of them anew.
 */
import type { DependencyGraph } from '../order/dependency-graph.ts';
import { stopShare } from '../order/ordering.ts';
import type { StopRecord } from '../service/stop-record.ts';
import type { Draft } from './ledger.ts';
import {
  definitionOf,
  isLeaving,
  isOver,
  isStopping,
  nothingIntended,
  phaseOf,
  type Slot,
  type Stopping,
} from './slot.ts';

/** What a stop request says about one service that has not ended. */
export type StopRequest = Pick<Stopping, 'why' | 'next' | 'fails'> & {
  readonly drain?: boolean;
};

/**
 * Records that services are to be stopped, and in which order by this graph. No chart is told yet.
 *
 * @param byStage services of later stages end first, too
 */
export function requestStops(
  draft: Draft,
  requests: ReadonlyMap<string, StopRequest>,
  graph: DependencyGraph = draft.graph,
  byStage = false,
): void {
  const added = new Set<string>();
  const hadStops = draft.counters.stopping > 0;
  for (const [name, request] of requests) {
    const slot = draft.get(name);
    if (slot === undefined || isOver(slot)) continue;
    if (isStopping(slot)) {
      const intent = changedStop(slot.intent, request);
      draft.put(name, { intent });
      // A service that was letting its processes finish is told to end them now, and takes its place in the order of stops.
      if (slot.intent.told && !intent.told) added.add(name);
      continue;
    }
    added.add(name);
    draft.put(name, {
      intent: { kind: 'stopping', drain: false, ...request, told: false, behind: 0, ahead: [] },
    });
  }
  const order = (first: string, then: string): void => {
    if (first !== then && !(hadStops && endsBefore(draft, then, first))) putBefore(draft, first, then);
  };
  for (const name of added) {
    const node = graph.nodes[name];
    for (const dependent of node?.dependents ?? []) order(dependent, name);
    for (const other of node?.prerequisites ?? []) if (!added.has(other)) order(name, other);
  }
  orderGone(draft, added, order);
  if (byStage) orderStages(draft, added, graph, order);
}

/** Services of later stages end first: IDLE, then the others, then INIT. */
function orderStages(
  draft: Draft,
  added: ReadonlySet<string>,
  { nodes }: DependencyGraph,
  order: (first: string, then: string) => void,
): void {
  const names = draft.all().flatMap((slot) => (isStopping(slot) ? [slot.spec.name] : []));
  const stageOf = (name: string): number => nodes[name]?.stage ?? 0;
  if (new Set(names.map(stageOf)).size < 2) return;
  if (names.length === added.size) orderStagesAtOnce(draft, names, stageOf);
  else for (const name of added) for (const other of names) if (stageOf(other) > stageOf(name)) order(other, name);
}

/** The same where no stop had been asked for before: no pair of them can be in a cycle, and each slot changes once. */
function orderStagesAtOnce(draft: Draft, names: readonly string[], stageOf: (name: string) => number): void {
  const linked = new Map<string, number>();
  for (const name of names) {
    for (const then of aheadOf(draft, name))
      if (stageOf(then) < stageOf(name)) linked.set(then, (linked.get(then) ?? 0) + 1);
  }
  const stages = [0, 1, 2].map((stage) => ({
    earlier: names.filter((other) => stageOf(other) < stage),
    later: names.filter((other) => stageOf(other) > stage).length,
  }));
  for (const name of names) {
    const slot = draft.get(name);
    const stage = stages[stageOf(name)];
    if (slot === undefined || !isStopping(slot) || stage === undefined) continue;
    const { earlier, later } = stage;
    const ahead = earlier.length === 0 ? slot.intent.ahead : [...new Set([...slot.intent.ahead, ...earlier])];
    draft.put(name, {
      intent: { ...slot.intent, ahead, behind: slot.intent.behind + later - (linked.get(name) ?? 0) },
    });
  }
}

function aheadOf(draft: Draft, name: string): readonly string[] {
  const slot = draft.get(name);
  return slot !== undefined && isStopping(slot) ? slot.intent.ahead : [];
}

/** A removed service that is still ending needs its former prerequisites until it has ended. */
function orderGone(draft: Draft, added: ReadonlySet<string>, order: (first: string, then: string) => void): void {
  if (draft.before.slots.size === draft.graph.names.length) return;
  for (const slot of draft.all()) {
    if (!isLeaving(slot) || added.has(slot.spec.name)) continue;
    for (const name of slot.spec.prerequisites) if (added.has(name)) order(slot.spec.name, name);
  }
}

/** Merges a later request for the same service. A draining stop has to be told again when the later request does not drain. */
function changedStop(stop: Stopping, { why, next, drain = false }: StopRequest): Stopping {
  // A chart that has been told that it fails does so, unless it is told anew.
  const { fails, ...rest } = stop;
  const isFinal = stop.why === 'reload' || stop.why === 'gone';
  const hastens = stop.drain && (!drain || (stop.why === 'disabled' && why !== 'disabled'));
  const kept = stop.told && !hastens && fails !== undefined ? { fails } : {};
  return {
    ...rest,
    ...kept,
    why: isFinal && why !== 'gone' ? stop.why : why,
    next,
    drain: stop.drain && drain,
    told: stop.told && !hastens,
  };
}

function putBefore(draft: Draft, first: string, then: string): void {
  const earlier = draft.get(first);
  const later = draft.get(then);
  if (earlier === undefined || later === undefined || !isStopping(earlier) || !isStopping(later)) return;
  if (later.intent.told || isOver(earlier) || earlier.intent.ahead.includes(then)) return;
  // A service that was only disabled goes on with what runs, perhaps for long: nobody waits for its end.
  if (earlier.intent.why === 'disabled') return;
  draft.put(first, { intent: { ...earlier.intent, ahead: [...earlier.intent.ahead, then] } });
  draft.put(then, { intent: { ...later.intent, behind: later.intent.behind + 1 } });
}

/** Takes these services out of the stop order: they wait for nobody, and nobody's end releases them. */
export function leaveLine(draft: Draft, names: ReadonlySet<string>): void {
  for (const slot of draft.all()) {
    if (!isStopping(slot)) continue;
    const { intent, spec } = slot;
    const ahead = intent.ahead.filter((name) => !names.has(name));
    const behind = names.has(spec.name) ? 0 : intent.behind;
    if (ahead.length < intent.ahead.length || behind < intent.behind)
      draft.put(spec.name, { intent: { ...intent, ahead, behind } });
  }
}

/**
 * True if the other service has to wait for the end of the first one, directly or not; in a shutdown also because of stages.
 */
function endsBefore(draft: Draft, first: string, other: string): boolean {
  const found = new Set([first]);
  let reached = 0;
  for (const name of found) {
    if (name === other) return true;
    const slot = draft.get(name);
    if (slot === undefined || !isStopping(slot) || isOver(slot)) continue;
    for (const next of slot.intent.ahead) found.add(next);
    const stage = draft.drain === undefined ? 0 : (draft.node(name)?.stage ?? 0);
    if (stage <= reached) continue;
    reached = stage;
    for (const next of draft.graph.names) if ((draft.node(next)?.stage ?? stage) < stage) found.add(next);
  }
  return false;
}

/** Tells those services to stop that wait for no other one. A service in its restart pause has no process to wait for. */
export function advanceStops(draft: Draft, names: Iterable<string>): void {
  for (const name of names) {
    const slot = draft.get(name);
    if (slot === undefined || !isStopping(slot) || slot.intent.told || isOver(slot)) continue;
    const pauses = slot.chart === 'backoff' && draft.drain === undefined;
    if (slot.intent.behind > 0 && !pauses) continue;
    if (draft.drain === undefined) tellStop(draft, name, slot, stopTimeoutOf(draft, slot));
    else if ((draft.node(name)?.stage ?? 2) >= lastStageLeft(draft)) tellInDrain(draft, name, slot);
  }
}

function tellStop(draft: Draft, name: string, slot: Slot & { readonly intent: Stopping }, share: number): void {
  const { drain, killAt: _, ...intent } = slot.intent;
  const killAt = draft.at + share;
  draft.put(name, {
    intent: { ...intent, drain, told: true, toldAt: draft.at, ...(drain ? {} : { share, killAt }) },
  });
  if (!drain) draft.due = Math.min(draft.due ?? killAt, killAt);
  if (draft.drain === undefined && intent.why === 'hand') draft.tell({ type: 'service.reset', service: name });
  const leaves = drain && intent.why === 'disabled' ? { leaves: true as const } : {};
  const { because } = slot;
  const cause = intent.why !== 'prerequisite' || because === undefined ? {} : { because };
  const fails = intent.fails === undefined ? {} : { fails: intent.fails };
  const within = drain ? {} : { killAfter: share };
  draft.order({ kind: 'stop', name, why: intent.why, drain, ...leaves, ...within, ...cause, ...fails });
}

/** The last stage with a service that has not ended: earlier stages wait for it. */
export function lastStageLeft({ counters: { left } }: Draft): number {
  return left.findLastIndex((count) => count > 0);
}

function tellInDrain(draft: Draft, name: string, slot: Slot & { readonly intent: Stopping }): void {
  const { drain } = draft;
  if (drain === undefined) return;
  draft.drain = { ...drain, stopped: [...drain.stopped, name] };
  tellStop(draft, name, slot, shareOf(draft, name));
}

/** ms that a service may take from its kill signal to SIGKILL while the system ends. */
export function shareOf(draft: Draft, name: string): number {
  const left = (draft.drain?.deadline ?? 0) - draft.at;
  const layer = draft.node(name)?.layer;
  const below = layer === undefined ? undefined : slowBelow(draft, layer);
  const slot = draft.get(name);
  const wanted = slot === undefined ? undefined : definitionOf(slot).stopTimeout;
  return stopShare(below, left, draft.spec.shutdownTimeout, wanted);
}

/** ms from the beginning of a stop to SIGKILL, while the system does not end. */
function stopTimeoutOf(draft: Draft, slot: Slot): number {
  return definitionOf(slot).stopTimeout ?? draft.spec.shutdownTimeout;
}

/** The next part of a stop begins, which may take as long as the one before. */
export function renewStopTime(draft: Draft, name: string): void {
  const slot = draft.get(name);
  if (slot === undefined || !isStopping(slot) || !slot.intent.told || slot.intent.drain) return;
  const share = draft.drain === undefined ? stopTimeoutOf(draft, slot) : shareOf(draft, name);
  const killAt = draft.at + share;
  draft.put(name, { intent: { ...slot.intent, share, killAt } });
  draft.due = Math.min(draft.due ?? killAt, killAt);
}

/** Layers below one in which a stop takes time. */
function slowBelow({ counters: { slow } }: Draft, layer: number): number {
  let below = 0;
  for (let other = 0; other < layer; other++) if ((slow[other] ?? 0) > 0) below += 1;
  return below;
}

/** Releases the services that waited for the end of this one: it has ended, or is no longer waited for. */
export function letOthersStop(draft: Draft, ahead: readonly string[]): void {
  for (const name of ahead) {
    const slot = draft.get(name);
    if (slot === undefined || !isStopping(slot)) continue;
    draft.put(name, { intent: { ...slot.intent, behind: Math.max(0, slot.intent.behind - 1) } });
  }
  advanceStops(draft, ahead);
}

/** During a shutdown: when all services of a stage have ended, those of the stage before are told to stop. */
export function letStagesStop(draft: Draft, before: number): void {
  if (draft.drain === undefined) return;
  const stage = lastStageLeft(draft);
  if (stage < 0 || stage === before) return;
  advanceStops(
    draft,
    draft.graph.names.filter((name) => draft.node(name)?.stage === stage),
  );
}

/** ms that chaperone waits for processes to end after SIGKILL before it goes on without them. */
export const killGrace = 1_000;

/** Orders SIGKILL for every service whose time to stop has passed. */
export function killOverdue(draft: Draft): void {
  let due: number | undefined;
  for (const slot of draft.all()) {
    if (!isStopping(slot) || slot.intent.killAt === undefined) continue;
    if (slot.intent.killAt > draft.at) {
      due = Math.min(due ?? slot.intent.killAt, slot.intent.killAt);
      continue;
    }
    const { killAt: _, ...intent } = slot.intent;
    draft.put(slot.spec.name, { intent: { ...intent, killed: true } });
    draft.order({ kind: 'kill', name: slot.spec.name, grace: graceOf(draft, slot.intent.share ?? 0) });
  }
  draft.due = due;
}

/**
 * ms from SIGKILL to the moment at which the shutdown goes on without the service: lower layers and unowned processes
 * need a part of the budget, too.
 */
function graceOf({ drain, at }: Draft, share: number): number {
  if (drain === undefined) return killGrace;
  return Math.min(killGrace, Math.max(10, Math.min(share / 2, (drain.deadline - at) / 4)));
}

/** Moves the SIGKILL of a service that asked for more time to stop. */
export function extendStop(draft: Draft, name: string, until: number): void {
  const slot = draft.get(name);
  // In a shutdown all services share one budget, so no service can extend its part.
  if (draft.drain !== undefined || slot === undefined || !isStopping(slot) || slot.intent.killAt === undefined) return;
  draft.put(name, { intent: { ...slot.intent, killAt: Math.max(slot.intent.killAt, until) } });
}

/** Keeps for the report of a shutdown how the stop of a service went. */
export function recordStop(draft: Draft, slot: Slot, end: Pick<StopRecord, 'status' | 'survived'>): void {
  const { chart, intent } = slot;
  // A service that ended by itself before it was told has not used any of the time.
  if (draft.drain === undefined || intent.kind !== 'stopping' || intent.toldAt === undefined) return;
  if (chart !== 'stopping') return;
  const { name, killSignal } = definitionOf(slot);
  const killed = intent.killed === undefined ? {} : { killed: intent.killed };
  const record = { service: name, took: draft.at - intent.toldAt, asked: killSignal, ...killed, ...end };
  draft.drain = { ...draft.drain, stops: [...draft.drain.stops, record] };
}

/** Records that a process of the service survives SIGKILL. */
export function noteSurvivor(draft: Draft, name: string): void {
  const slot = draft.get(name);
  if (slot === undefined || isOver(slot)) return;
  const waits = draft.drain === undefined;
  draft.tell({ type: 'service.survives', service: name, waits });
  if (waits) return;
  recordStop(draft, slot, { survived: true });
  const ahead = isStopping(slot) ? slot.intent.ahead : [];
  const stage = lastStageLeft(draft);
  draft.put(name, { intent: { kind: 'lost' } });
  letOthersStop(draft, ahead);
  letStagesStop(draft, stage);
}

/** Orders SIGKILL for all services at once. */
export function killAll(draft: Draft): void {
  for (const slot of draft.all()) {
    if (isOver(slot)) continue;
    if (isStopping(slot)) {
      const { killAt: _, ...intent } = slot.intent;
      draft.put(slot.spec.name, { intent: { ...intent, killed: true } });
    }
    draft.order({ kind: 'kill', name: slot.spec.name, grace: killGrace, last: true });
  }
  draft.due = undefined;
}

/** Begins the shutdown: all services stop in reverse start order, and no service starts any more. */
export function beginDrain(draft: Draft): void {
  const slots = draft.all();
  draft.drain = {
    deadline: draft.at + draft.spec.shutdownTimeout,
    neverStarted: slots.flatMap((slot) =>
      slot.chart === 'pending' && phaseOf(slot) === 'pending' ? [slot.spec.name] : [],
    ),
    stopped: [],
    stops: [],
  };
  const goneEdges: [string, string][] = [];
  for (const slot of slots) {
    const { name } = slot.spec;
    if (isStopping(slot))
      for (const other of slot.intent.ahead) if (draft.node(other) === undefined) goneEdges.push([name, other]);
    if (isOver(slot)) {
      draft.put(name, { intent: nothingIntended, ...(slot.chart === 'pending' ? { chart: 'stopped' } : {}) });
      if (slot.chart === 'pending') draft.order({ kind: 'retire', name });
      continue;
    }
    draft.put(name, { intent: stopInDrain(slot) });
  }
  for (const slot of slots) {
    const { name } = slot.spec;
    const node = draft.node(name);
    for (const other of node?.prerequisites ?? slot.spec.prerequisites) putBefore(draft, name, other);
  }
  for (const [first, then] of goneEdges) if (!endsBefore(draft, then, first)) putBefore(draft, first, then);
  for (const slot of slots) hastenTold(draft, slot.spec.name);
  advanceStops(
    draft,
    slots.map(({ spec }) => spec.name),
  );
  // Services that are not told to stop yet are not restarted any more.
  for (const { spec } of slots) {
    const slot = draft.get(spec.name);
    if (slot !== undefined && isStopping(slot) && !slot.intent.told) draft.order({ kind: 'retire', name: spec.name });
  }
}

function stopInDrain({ intent }: Slot): Stopping {
  const told = intent.kind === 'stopping' && intent.told && !intent.drain;
  const kept = told
    ? {
        share: intent.share ?? 0,
        ...(intent.killAt === undefined ? {} : { killAt: intent.killAt }),
        ...(intent.toldAt === undefined ? {} : { toldAt: intent.toldAt }),
        ...(intent.killed === undefined ? {} : { killed: intent.killed }),
      }
    : {};
  return { kind: 'stopping', why: 'shutdown', next: 'rest', drain: false, told, behind: 0, ahead: [], ...kept };
}

/** A service that was told to stop earlier gets no more time than one that is told now. */
function hastenTold(draft: Draft, name: string): void {
  const slot = draft.get(name);
  if (slot === undefined || !isStopping(slot) || !slot.intent.told) return;
  const { drain } = draft;
  if (drain !== undefined) draft.drain = { ...drain, stopped: [...drain.stopped, name] };
  const share = shareOf(draft, name);
  if (slot.intent.killAt === undefined) {
    // The service got SIGKILL earlier: the shutdown waits for it no longer than for any other.
    draft.order({ kind: 'kill', name, grace: graceOf(draft, share) });
    return;
  }
  const killAt = Math.min(slot.intent.killAt, draft.at + share);
  draft.put(name, { intent: { ...slot.intent, share, killAt } });
  draft.due = Math.min(draft.due ?? killAt, killAt);
}

/** For each service the services that have to end before it is told to stop; status and "why" show them. */
export function stopsBefore(slots: Iterable<Slot>): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const slot of slots) {
    if (!isStopping(slot) || isOver(slot)) continue;
    for (const name of slot.intent.ahead) {
      const names = found.get(name);
      if (names === undefined) found.set(name, [slot.spec.name]);
      else names.push(slot.spec.name);
    }
  }
  return found;
}
