/** What a service reports of itself, and what follows from that for the others. */
import { isLostStanding } from '../order/ordering.ts';
import { tieTo } from '../order/prerequisite.ts';
import type { ExitStatus } from '../service/exit-status.ts';
import { isEnded, isReadyPhase, type ServiceChange, type ServicePhase } from '../service/service-phase.ts';
import { isOutcome, type RunOutcome } from '../service/system-end.ts';
import { answerChange } from './dependents.ts';
import { type Draft, firstClosedStage } from './ledger.ts';
import {
  definitionOf,
  isLeaving,
  isReplacing,
  isStopping,
  needsOtherChart,
  newSlot,
  nothingIntended,
  opensStage,
  phaseOf,
  queued,
  type Slot,
  satisfiesDependents,
  standingOf,
} from './slot.ts';
import { release, releaseAll, sayBlocked } from './starts.ts';
import {
  advanceStops,
  lastStageLeft,
  leaveLine,
  letOthersStop,
  letStagesStop,
  recordStop,
  requestStops,
} from './stops.ts';

/** @param last this change ends the system, so no further service is started */
export function noteChange(draft: Draft, name: string, change: ServiceChange, last = false): void {
  const before = draft.get(name);
  if (before === undefined) return;
  const closed = firstClosedStage(draft.counters);
  const stage = lastStageLeft(draft);
  const isReady = isReadyPhase(change.phase);
  const outcome = outcomeOf(change);
  const told = effectiveChange(before, change);
  const isToldAlready = before.endTold === true && change.phase === 'stopped';
  draft.put(name, {
    chart: change.phase,
    hasBeenReady: before.hasBeenReady || isReady,
    ...(isReady && !isRenewing(before) ? { askedBy: undefined } : {}),
    ...(change.phase === 'disabled' ? { skipped: true } : before.skipped === true ? { skipped: false } : {}),
    ...(outcome === undefined ? {} : { outcome }),
    // A verdict on health lasts as long as the run, and a spawn counts only in its start.
    ...(before.healthy === undefined || isUp(change) ? {} : { healthy: undefined }),
    ...(before.spawned === undefined ? {} : { spawned: undefined }),
    ...(before.endTold === undefined ? {} : { endTold: undefined }),
    ...(change.phase === 'backoff' && told.phase === 'stopped' ? { endTold: true } : {}),
  });
  const { ignoreFailures } = before.spec;
  if (change.phase === 'starting' && before.chart === 'backoff') draft.tell({ type: 'service.reset', service: name });
  if (!isToldAlready) draft.tell({ type: 'service.changed', service: name, change: told, ignoreFailures });
  if (!last) answerChange(draft, before, change);
  if (change.phase === 'backoff') pause(draft, name, before);
  // The automatic restart takes the place of the start that was requested meanwhile.
  if (change.phase === 'starting' && before.intent.kind === 'again') draft.put(name, { intent: nothingIntended });
  if (isEnded(change.phase)) {
    recordStop(draft, before, statusOf(outcome));
    finishStop(draft, name, last);
  } else startAgain(draft, name, change.phase);
  if (draft.drain !== undefined) {
    letStagesStop(draft, stage);
    return;
  }
  if (last) return;
  letOthersGo(draft, before, change, closed);
  if (mayBlock(draft, name)) sayBlocked(draft);
}

/** True where the start that somebody has asked for comes after the present run, which still waits for its stop. */
function isRenewing(slot: Slot): boolean {
  return isStopping(slot) && slot.intent.next === 'start' && slot.intent.why !== 'prerequisite';
}

function isUp({ phase }: ServiceChange): boolean {
  return phase === 'ready.running' || phase === 'ready.exited';
}

/** Only the end of a service can be the reason why another one, or the service itself, never starts. */
function mayBlock(draft: Draft, name: string): boolean {
  const slot = draft.get(name);
  const node = draft.node(name);
  if (slot === undefined || node === undefined) return false;
  if (phaseOf(slot) === 'pending') {
    return (
      firstClosedStage(draft.counters) < node.stage || node.prerequisites.some((other) => mayHoldUp(draft, name, other))
    );
  }
  if (isLost(slot) && !opensStage(slot)) return true;
  return node.dependents.some(
    (other) =>
      draft.get(other)?.saidBlocked === false && isLostStanding(standingOf(slot), tieTo(draft.node(other), name)),
  );
}

/** True if the prerequisite may be the reason why the service never starts. */
function mayHoldUp(draft: Draft, name: string, prerequisite: string): boolean {
  const slot = draft.get(prerequisite);
  return (
    slot !== undefined && (slot.saidBlocked || isLostStanding(standingOf(slot), tieTo(draft.node(name), prerequisite)))
  );
}

function isLost(slot: Slot): boolean {
  return isEnded(phaseOf(slot)) && !satisfiesDependents(slot);
}

/** The change as the ledger records it: a service that was disabled meanwhile is not restarted. */
export function effectiveChange({ enabled }: Slot, change: ServiceChange): ServiceChange {
  if (change.phase !== 'backoff' || enabled) return change;
  return change.normal === true ? { phase: 'stopped' } : { phase: 'failed', cause: change.cause, during: 'run' };
}

/** How the service's last run ended, if the change says so. */
function outcomeOf(change: ServiceChange): RunOutcome | undefined {
  switch (change.phase) {
    case 'exited':
      return { kind: 'exit', status: change.end.status };
    case 'stopped':
      return change.end === undefined ? undefined : { kind: 'exit', status: change.end.status };
    case 'backoff':
    case 'failed':
      return isOutcome(change.cause) ? change.cause : undefined;
    case 'starting':
    case 'disabled':
    case 'ready.running':
    case 'ready.exited':
    case 'ready.scheduled':
    case 'stopping':
      return undefined;
  }
}

function statusOf(outcome: RunOutcome | undefined): { readonly status?: ExitStatus } {
  return outcome?.kind === 'exit' ? { status: outcome.status } : {};
}

/** The service was disabled while it ran: it is not restarted unless somebody enables it again. */
function endRestarts(draft: Draft, name: string): void {
  draft.put(name, {
    resumes: true,
    intent: { kind: 'stopping', why: 'disabled', next: 'rest', drain: false, told: true, behind: 0, ahead: [] },
  });
  draft.order({ kind: 'stop', name, why: 'disabled', drain: false });
}

/** The service waits for its restart_delay: no process of it runs, and its chart will start it again. */
function pause(draft: Draft, name: string, slot: Slot): void {
  if (isStopping(slot)) advanceStops(draft, [name]);
  else if (!slot.enabled) endRestarts(draft, name);
  else if (slot.current !== undefined && draft.drain === undefined) {
    if (!needsOtherChart(slot)) renew(draft, name, slot);
    else {
      // The new definition needs another chart, which does the next start.
      requestStops(draft, new Map([[name, { why: 'reload', next: 'start' }]]));
      advanceStops(draft, [name]);
    }
  }
}

/** Puts the definition in force that was configured while the service still ran with the old one. */
function renew(draft: Draft, name: string, slot: Slot): void {
  const { spec } = slot;
  const kind = needsOtherChart(slot) ? 'replace' : 'reconfigure';
  draft.put(name, {
    current: undefined,
    ...(kind === 'replace' ? { chart: newSlot(spec).chart, skipped: false } : {}),
  });
  draft.order(kind === 'replace' ? { kind, spec } : { kind, name, spec });
}

/**
 * Finishes the stop of the service, if one was requested.
 *
 * @param last its end ends the system: those that have waited for it get their place in the order of the shutdown
 */
function finishStop(draft: Draft, name: string, last: boolean): void {
  const slot = draft.get(name);
  if (slot === undefined) return;
  const { intent } = slot;
  const isLast = draft.drain !== undefined || isLeaving(slot);
  if (slot.current !== undefined && !isLast) renew(draft, name, slot);
  if (intent.kind === 'again') draft.put(name, { intent: slot.enabled ? queued : nothingIntended });
  if (intent.kind !== 'stopping') return;
  const again = intent.next === 'start' && slot.enabled && draft.drain === undefined;
  draft.put(name, {
    intent: again ? queued : nothingIntended,
    ...(again || slot.because === undefined ? {} : { because: undefined }),
  });
  if (intent.behind > 0 && draft.drain === undefined) leaveLine(draft, new Set([name]));
  if (!last) letOthersStop(draft, intent.ahead);
  if (intent.why === 'gone') draft.remove(name);
}

/** A start was requested while the hooks of after_stop followed a normal end. */
function startAgain(draft: Draft, name: string, phase: ServicePhase): void {
  const slot = draft.get(name);
  if (slot?.intent.kind !== 'again' || (phase !== 'exited' && phase !== 'ready.exited')) return;
  draft.put(name, { intent: nothingIntended });
  if (!slot.enabled) return;
  draft.put(name, { askedBy: 'hand' });
  requestStops(draft, new Map([[name, { why: 'hand', next: 'start' }]]));
  advanceStops(draft, [name]);
}

/** Starts the services that this change allows to start. */
function letOthersGo(draft: Draft, before: Slot, { phase }: ServiceChange, closed: number): void {
  if (!isReadyPhase(phase) && !isEnded(phase)) return;
  const { name } = before.spec;
  const freed = isEnded(phase) && isReplacing(before) && hadPortOrPidfile(before);
  if (firstClosedStage(draft.counters) > closed || freed) releaseAll(draft, name);
  else release(draft, [...(draft.node(name)?.dependents ?? []), ...(isEnded(phase) ? [name] : [])], name);
}

/** True if the service had a port or a pidfile, which another service may have waited for. */
function hadPortOrPidfile(slot: Slot): boolean {
  const { port, pidfile } = definitionOf(slot);
  return port !== undefined || pidfile !== undefined;
}
