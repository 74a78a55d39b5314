/** A slot holds everything that the ledger knows of one service and intends to do with it. */
import { type Standing, satisfies } from '../order/ordering.ts';
import type { PrerequisiteCause } from '../order/prerequisite.ts';
import { isScheduled } from '../schedule/scheduled-runs.ts';
import { hooksOf } from '../service/hook.ts';
import { isAtRest, isLive, type ServicePhase } from '../service/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../service/service-spec.ts';
import type { RunOutcome } from '../service/system-end.ts';

/**
 * Why a service is being stopped. `disabled`: it was disabled while it was queued, scheduled or about to restart.
 * `gone`: a reload has taken it out of the configuration. `prerequisite`: something has happened to a service that it requires.
 */
export type StopReason = 'hand' | 'reload' | 'gone' | 'disabled' | 'shutdown' | 'prerequisite';

/** A stop, from the request to the end of the service. */
export interface Stopping {
  readonly kind: 'stopping';
  readonly why: StopReason;
  /** What the service does after the stop: stay stopped, or start again. */
  readonly next: 'rest' | 'start';
  /** True: only the schedule or the listening ends; running processes may finish. */
  readonly drain: boolean;
  /** True: the service has failed once it has ended, because of what has happened to a service that it requires. */
  readonly fails?: true;
  /** True once the chart has been told to stop. */
  readonly told: boolean;
  /** How many services have to end before this one is told to stop. */
  readonly behind: number;
  /** The services that are told to stop only after this one has ended. */
  readonly ahead: readonly string[];
  /** ms from its kill signal to SIGKILL. */
  readonly share?: number;
  /** Monotonic ms at which SIGKILL is due; absent before the stop was told and after SIGKILL was sent. */
  readonly killAt?: number;
  /** Monotonic ms at which the chart was told to stop. */
  readonly toldAt?: number;
  /** SIGKILL was ordered. */
  readonly killed?: true;
}

export type Intent =
  | { readonly kind: 'none' }
  /** The service starts once nothing holds it up. */
  | { readonly kind: 'queued' }
  | Stopping
  /** The service has failed and its processes are being ended: if no restart follows, it starts after that. */
  | { readonly kind: 'again' }
  /** A process of the service survives SIGKILL during a shutdown: the shutdown no longer waits for it. */
  | { readonly kind: 'lost' };

/** Whoever may ask for a start: a command, or a reload. */
export type Asker = 'hand' | 'reload';

export interface Slot {
  /** The definition in the present configuration; for a removed service, the last one. */
  readonly spec: ServiceSpec;
  /** The definition that the chart still uses, if it differs from `spec`: the chart gets `spec` once no process runs. */
  readonly current?: ServiceSpec | undefined;
  /** The phase that the chart reported last. */
  readonly chart: ServicePhase;
  /** True once the service was ready: from then on it holds up no later stage, even while it is restarted. */
  readonly hasBeenReady: boolean;
  readonly enabled: boolean;
  readonly intent: Intent;
  /** A `disable` has ended its restarts or its schedule: the next `enable` starts the service again. */
  readonly resumes: boolean;
  /** Who has asked for the current start, where it is not that of the boot. */
  readonly askedBy: Asker | undefined;
  /** True once a log line has said that the service cannot start as things stand. */
  readonly saidBlocked: boolean;
  /** True once the process of the present start has been spawned, where the chart reports that. */
  readonly spawned?: boolean | undefined;
  /** The verdict of the health probe while the service is up; undefined before its first one, and without a probe. */
  readonly healthy?: boolean | undefined;
  /** True for a service that pauses after a normal end, and whose pause was told as that end, because it was disabled by then. */
  readonly endTold?: boolean | undefined;
  /** What makes this service stop, and keeps it from its next start: until that start, or a request by hand. */
  readonly because?: PrerequisiteCause | undefined;
  /** True once the last start was skipped: its conditions were not met. Dependents count it as satisfied, like a disabled service. */
  readonly skipped?: boolean;
  /** How the last run ended, or why it could not begin. */
  readonly outcome?: RunOutcome;
}

export type StoppingSlot = Slot & { readonly intent: Stopping };

export const nothingIntended: Intent = { kind: 'none' };
export const queued: Intent = { kind: 'queued' };

/** The slot of a newly configured service. */
export function newSlot(spec: ServiceSpec): Slot {
  return {
    spec,
    chart: spec.enabled ? 'pending' : 'disabled',
    hasBeenReady: false,
    enabled: spec.enabled,
    intent: spec.enabled ? queued : nothingIntended,
    resumes: false,
    askedBy: undefined,
    saidBlocked: false,
  };
}

/**
 * The phase of a service as status shows it: the chart does not know that the service is queued, or was disabled
 * by hand.
 */
export function phaseOf({ chart, enabled, intent, skipped }: Slot): ServicePhase {
  const rests = isAtRest(chart);
  if (!enabled && rests) return 'disabled';
  if (intent.kind === 'queued') return 'pending';
  if (skipped === true && chart === 'disabled') return 'disabled';
  return rests && chart !== 'failed' ? 'stopped' : chart;
}

/** True if the service has ended, so that services which stop after it need not wait. */
export function isOver(slot: Slot): boolean {
  return slot.intent.kind === 'lost' || isAtRest(slot.chart);
}

/** True where its dependents may start: ready, exited, disabled, or failed with `ignore_failures`. */
export function satisfiesDependents(slot: Slot): boolean {
  return satisfies({ phase: phaseOf(slot), ignoreFailures: slot.spec.ignoreFailures });
}

/**
 * True if services of later stages need not wait for this one. A service that a reload replaces counts once its successor is
 * ready.
 */
export function opensStage(slot: Slot): boolean {
  return slot.hasBeenReady || (satisfiesDependents(slot) && !isStopping(slot));
}

/** True if a stop takes time: a process of the service runs, or processes that its start left behind or hooks may run. */
export function needsTime(slot: Slot): boolean {
  const { chart, intent } = slot;
  if (intent.kind === 'lost') return false;
  if (isLive(chart)) return true;
  if (chart !== 'ready.exited' && chart !== 'exited') return false;
  const spec = definitionOf(slot);
  return (
    ownsRemains(spec) ||
    (['before_stop', 'stop_command', 'after_stop'] as const).some((stage) => hooksOf(spec.hooks, stage).length > 0)
  );
}

/** The definition that the chart uses. */
export function definitionOf({ current, spec }: Slot): ServiceSpec {
  return current ?? spec;
}

/** True where the chart of the service cannot run this definition, because it is of another kind: scheduled or not. */
export function needsOtherChart(slot: Slot, spec: ServiceSpec = slot.spec): boolean {
  return isScheduled(definitionOf(slot).type) !== isScheduled(spec.type);
}

/** The facts of a slot that the rules of ordering need. */
export function standingOf(slot: Slot): Standing;
export function standingOf(slot: Slot | undefined): Standing | undefined;
export function standingOf(slot: Slot | undefined): Standing | undefined {
  if (slot === undefined) return undefined;
  const { hasBeenReady, spec, spawned, healthy } = slot;
  return { phase: phaseOf(slot), hasBeenReady, ignoreFailures: spec.ignoreFailures, spawned, healthy };
}

/** The facts of a slot for the question who can never start: a service that is to be stopped counts as one that stops. */
export function outlookOf(slot: Slot | undefined): Standing | undefined {
  const standing = standingOf(slot);
  return slot === undefined || standing === undefined || !isStopping(slot)
    ? standing
    : { ...standing, phase: 'stopping' };
}

/** True if a stop is requested or under way. */
export function isStopping(slot: Slot): slot is StoppingSlot {
  return slot.intent.kind === 'stopping';
}

/** True if a reload removed the service from the configuration and it has not ended yet. */
export function isLeaving(slot: Slot): slot is StoppingSlot {
  return isStopping(slot) && slot.intent.why === 'gone';
}

/** True if a reload stops the service: until it has ended, its port and pidfile are not free for another service. */
export function isReplacing(slot: Slot): boolean {
  return isLeaving(slot) || (isStopping(slot) && slot.intent.why === 'reload');
}
