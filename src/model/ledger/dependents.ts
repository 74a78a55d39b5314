/**
 * What follows for services that require another one, when that one leaves the stage that they need, and when it is back.
 *
 * A service that is to be stopped (by hand, by a reload, because of its own prerequisite) leaves its stage only after those
 * that require it have ended: their stops are requested together with its own (`addTied`), and the order of stops does the
 * rest. Everything else (a crash, a failure, an unhealthy verdict) is answered at once, whether or not a restart follows.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A service that is being stopped already goes on being stopped: a stop by hand stays one.
 * - A service that fails by itself at the same time is pardoned: it waits for its prerequisite, and uses up no try.
 * - A service that ended normally, and a oneshot that has done its work, run no more: nothing follows for them.
 * - A prerequisite that is disabled satisfies every stage, so that its stop has no consequence either.
 * - While the system ends, nothing follows: the shutdown has an order of its own.
 */
import { reachesAll } from '../order/ordering.ts';
import { type PrerequisiteCause, tieTo } from '../order/prerequisite.ts';
import { isLive, type ServiceChange } from '../service/service-phase.ts';
import { ownsRemains } from '../service/service-spec.ts';
import type { Draft } from './ledger.ts';
import { definitionOf, isStopping, type Slot, standingOf } from './slot.ts';
import { release } from './starts.ts';
import { advanceStops, requestStops, type StopRequest } from './stops.ts';

/** Answers a change of a service for those that require it. */
export function answerChange(draft: Draft, before: Slot, change: ServiceChange): void {
  answer(draft, before, howLeft(before, change));
}

/** The process of the service's start has been spawned: those that wait for `started` may start. */
export function noteSpawned(draft: Draft, name: string): void {
  note(draft, name, { spawned: true });
}

/** The service's health probe has given its verdict. */
export function noteHealth(draft: Draft, name: string, healthy: boolean): void {
  note(draft, name, { healthy });
}

function note(draft: Draft, name: string, changes: Pick<Slot, 'spawned'> | Pick<Slot, 'healthy'>): void {
  const before = draft.get(name);
  if (before === undefined) return;
  draft.put(name, changes);
  if (draft.drain !== undefined) return;
  answer(draft, before, 'unhealthy');
  release(draft, draft.node(name)?.dependents ?? [], name);
}

/** How the service has left its stage, if it has; undefined after a normal end, which has no consequence. */
function howLeft(before: Slot, change: ServiceChange): PrerequisiteCause['how'] | undefined {
  // One that is still to be told to stop has changed by itself.
  if (isStopping(before) && before.intent.told) return before.intent.fails === undefined ? 'stopped' : 'failed';
  switch (change.phase) {
    case 'exited':
    case 'ready.exited':
    // It was skipped, which satisfies whoever waits for it.
    case 'disabled':
      return undefined;
    case 'backoff':
      return change.normal === true ? undefined : 'crashed';
    case 'failed':
      return 'failed';
    case 'stopped':
      return 'stopped';
    case 'starting':
    case 'stopping':
    case 'ready.running':
    case 'ready.scheduled':
      return 'crashed';
  }
}

function answer(draft: Draft, before: Slot, how: PrerequisiteCause['how'] | undefined): void {
  const { name } = before.spec;
  const slot = draft.get(name);
  const { requiredBy } = draft.node(name) ?? {};
  if (slot === undefined || requiredBy === undefined || draft.drain !== undefined) return;
  const stops = new Map<string, StopRequest>();
  for (const dependent of requiredBy) {
    const tie = tieTo(draft.node(dependent), name);
    const was = reachesAll(standingOf(before), tie);
    const is = reachesAll(standingOf(slot), tie);
    // The disable of a service that runs does not let its dependents down: a disabled service satisfies them.
    if (was === is || (was && !slot.enabled)) continue;
    // One that becomes ready although it is to be stopped is not back.
    if (!was && isStopping(slot)) continue;
    if (!was) answerReturn(draft, dependent, { prerequisite: name, how: 'returned' }, stops);
    else if (how !== undefined) answerLoss(draft, dependent, { prerequisite: name, how }, stops);
  }
  if (stops.size === 0) return;
  addTied(draft, stops);
  requestStops(draft, stops);
  advanceStops(draft, stops.keys());
}

/** Adds the stops of those services that require one that is to be stopped: they end first. */
export function addTied(draft: Draft, stops: Map<string, StopRequest>): void {
  for (const [name, { why }] of stops) {
    const slot = draft.get(name);
    if (slot === undefined || !slot.enabled || why === 'gone') continue;
    for (const dependent of draft.node(name)?.requiredBy ?? []) {
      if (stops.has(dependent) || !reachesAll(standingOf(slot), tieTo(draft.node(dependent), name))) continue;
      answerLoss(draft, dependent, { prerequisite: name, how: 'stopped' }, stops);
    }
  }
}

/** `on_prerequisite_failure`. */
function answerLoss(draft: Draft, name: string, cause: PrerequisiteCause, stops: Map<string, StopRequest>): void {
  const slot = draft.get(name);
  if (slot === undefined || !isRunning(slot)) return;
  const consequence = slot.spec.onPrerequisiteFailure ?? 'stop';
  if (consequence === 'keep') return;
  draft.put(name, { because: cause });
  draft.tell({ type: 'service.tied', service: name, cause, consequence });
  stops.set(
    name,
    consequence === 'fail'
      ? { why: 'prerequisite', next: 'rest', fails: true }
      : { why: 'prerequisite', next: 'start' },
  );
}

/** `on_prerequisite_restart`. */
function answerReturn(draft: Draft, name: string, cause: PrerequisiteCause, stops: Map<string, StopRequest>): void {
  const slot = draft.get(name);
  // One that waits for its own restart, or fails just now, starts after the return anyway.
  if (slot === undefined || !isRunning(slot) || slot.chart === 'backoff' || slot.chart === 'stopping') return;
  const consequence = slot.spec.onPrerequisiteRestart ?? 'keep';
  // What was disabled by hand goes on as it is, because it would not start again.
  if (consequence === 'keep' || (consequence === 'restart' && !slot.enabled)) return;
  draft.tell({ type: 'service.tied', service: name, cause, consequence });
  if (consequence === 'reload') {
    draft.order({ kind: 'reload', name, because: cause });
    return;
  }
  draft.put(name, { because: cause });
  stops.set(name, { why: 'prerequisite', next: 'start' });
}

/** True where processes of the service run, or are about to, and nobody has asked for their end. */
function isRunning(slot: Slot): boolean {
  if (isStopping(slot)) return false;
  const definition = definitionOf(slot);
  // The daemon that a forking or notify service has left behind is the service.
  return isLive(slot.chart) || (slot.chart === 'ready.exited' && ownsRemains(definition));
}
