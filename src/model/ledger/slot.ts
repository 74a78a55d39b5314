/** What is known of one service and intended for it: the one place where both stand. */
import { type Standing, satisfies } from '../order/ordering.ts';
import { isEnded, isLive, type ServicePhase } from '../service/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../service/service-spec.ts';
import type { RunOutcome } from '../service/system-end.ts';

/**
 * Why a service is being stopped. `disabled`: it was disabled while something was still to happen by itself. `gone`: a reload has
 * taken it out of the configuration.
 */
export type StopReason = 'hand' | 'reload' | 'gone' | 'disabled' | 'shutdown';

/** A stop, from the request to the end of the service. */
export interface Stopping {
  readonly kind: 'stopping';
  readonly why: StopReason;
  /** What comes after its end. */
  readonly next: 'rest' | 'start';
  /** Only what starts its runs is ended; the runs may finish. */
  readonly drain: boolean;
  /** Its chart has been told. */
  readonly told: boolean;
  /** How many services end before it is told. */
  readonly behind: number;
  /** The services that are told only after its end. */
  readonly ahead: readonly string[];
  /** ms from its kill signal to SIGKILL. */
  readonly share?: number;
  /** Monotonic ms at which SIGKILL is due; absent before it is told, and once SIGKILL was sent. */
  readonly killAt?: number;
}

export type Intent =
  | { readonly kind: 'none' }
  /** It starts once nothing holds it any more. */
  | { readonly kind: 'queued' }
  | Stopping
  /** It has failed and is being cleared away: where no restart follows, it starts once that is over. */
  | { readonly kind: 'again' }
  /** Its process survives SIGKILL, and the system ends: nobody waits for it any longer. */
  | { readonly kind: 'lost' };

export interface Slot {
  /** As it is configured now; of a service that is gone, as it was. */
  readonly spec: ServiceSpec;
  /** As its chart has it, where that is another definition: it is told the one in force once nothing of it runs. */
  readonly current?: ServiceSpec | undefined;
  /** Where its chart stands. */
  readonly chart: ServicePhase;
  /** It was ready since it was configured: from then on it holds up no later stage, even while it is restarted. */
  readonly hasBeenReady: boolean;
  readonly enabled: boolean;
  readonly intent: Intent;
  /** A `disable` has ended its restarts or its schedule: the next `enable` starts the service again. */
  readonly resumes: boolean;
  /** Somebody has asked for its current start. */
  readonly byHand: boolean;
  /** A log line has said that it never starts as things stand. */
  readonly saidBlocked: boolean;
  /** How its last run ended, or that it never began. */
  readonly outcome?: RunOutcome;
}

export type StoppingSlot = Slot & { readonly intent: Stopping };

export const nothingIntended: Intent = { kind: 'none' };
export const queued: Intent = { kind: 'queued' };

/** A service as the configuration begins it. */
export function newSlot(spec: ServiceSpec): Slot {
  return {
    spec,
    chart: spec.enabled ? 'pending' : 'disabled',
    hasBeenReady: false,
    enabled: spec.enabled,
    intent: spec.enabled ? queued : nothingIntended,
    resumes: false,
    byHand: false,
    saidBlocked: false,
  };
}

/**
 * Where a service stands for everybody outside of its chart: the chart does not know that the service is queued, or was disabled
 * by hand.
 */
export function phaseOf({ chart, enabled, intent }: Slot): ServicePhase {
  const rests = isEnded(chart) || chart === 'pending';
  if (!enabled && rests) return 'disabled';
  if (intent.kind === 'queued') return 'pending';
  return rests && chart !== 'failed' ? 'stopped' : chart;
}

/** True where nothing of it is left to wait for when others are to end after it. */
export function isOver(slot: Slot): boolean {
  return slot.intent.kind === 'lost' || isEnded(slot.chart) || slot.chart === 'pending';
}

/** True where its dependents may start: ready, exited, disabled, or failed with `ignore_failures`. */
export function satisfiesDependents(slot: Slot): boolean {
  return satisfies({ phase: phaseOf(slot), ignoreFailures: slot.spec.ignoreFailures });
}

/** True where services of later stages need not wait for it. What a reload is about to replace counts once the new one is ready. */
export function opensStage(slot: Slot): boolean {
  return slot.hasBeenReady || (satisfiesDependents(slot) && !isStopping(slot));
}

/** True where a stop of it takes time: a process of it runs, or what its start has left behind may. */
export function needsTime(slot: Slot): boolean {
  const { chart, intent } = slot;
  if (intent.kind === 'lost') return false;
  return isLive(chart) || ((chart === 'ready.exited' || chart === 'exited') && ownsRemains(definitionOf(slot)));
}

/** The definition that its chart has. */
export function definitionOf({ current, spec }: Slot): ServiceSpec {
  return current ?? spec;
}

/** As the order of a whole configuration sees it. */
export function standingOf(slot: Slot | undefined): Standing | undefined {
  if (slot === undefined) return undefined;
  const { hasBeenReady, spec } = slot;
  return { phase: phaseOf(slot), hasBeenReady, ignoreFailures: spec.ignoreFailures };
}

/** True where a stop of it is asked for, or under way. */
export function isStopping(slot: Slot): slot is StoppingSlot {
  return slot.intent.kind === 'stopping';
}

/** True where a reload has taken it out of the configuration, and it has still to end. */
export function isLeaving(slot: Slot): slot is StoppingSlot {
  return isStopping(slot) && slot.intent.why === 'gone';
}

/** True where a reload stops it: what starts in its place may need the port, or the pidfile, that it still has. */
export function isReplacing(slot: Slot): boolean {
  return isLeaving(slot) || (isStopping(slot) && slot.intent.why === 'reload');
}
