import type { PrerequisiteCause } from '../order/prerequisite.ts';
import type { NoAnswer } from './condition.ts';
import type { ExitStatus } from './exit-status.ts';
import type { HookFailure, HookPlace } from './hook.ts';
import type { PidfileTrouble } from './pidfile.ts';
import type { ServiceStage } from './service-stage.ts';
import type { SpawnError } from './spawn-error.ts';
import type { NoTry } from './tries.ts';

/** A state of a service's chart, or the compound state that it lies in. */
type StateOrCompound<Stage extends string> = Stage extends `${infer Compound}.${string}` ? Stage | Compound : Stage;

/**
 * The state of a service's chart as far as anybody outside the chart tells it apart: a path in the chart, where the compound
 * states `starting` and `stopping` stand as a whole. Each state of the chart lies in exactly one of these.
 */
export const servicePhases = [
  'disabled',
  'pending',
  'starting',
  /** The process of the service runs. */
  'ready.running',
  /** The start command has exited normally, and its result is in place (oneshot, forking, some notify services). */
  'ready.exited',
  /** The schedule is accepted, or the port is open. */
  'ready.scheduled',
  /** The main process of the service has ended normally. */
  'exited',
  'stopping',
  'backoff',
  'stopped',
  'failed',
] as const satisfies readonly StateOrCompound<ServiceStage>[];

export type ServicePhase = (typeof servicePhases)[number];

/** The phase that a state of the chart lies in, by the state's path; undefined where a service is never found in that state. */
export function phaseOfPath(path: string): ServicePhase | undefined {
  return servicePhases.find((phase) => path === phase || path.startsWith(`${phase}.`));
}

/** Why a service failed. */
export type FailureCause =
  | { readonly kind: 'spawn'; readonly error: SpawnError }
  | { readonly kind: 'exit'; readonly status: ExitStatus; readonly pid: number }
  | { readonly kind: 'timeout'; readonly timeout: number; readonly pid: number }
  /** inetd: the port could not be opened. `code` is an errno's name; `tried` lists the addresses in order. */
  | { readonly kind: 'listen'; readonly port: number; readonly code: string; readonly tried: readonly string[] }
  /** A hook of the start has failed, or did not end in time. */
  | { readonly kind: 'hook'; readonly hook: HookPlace; readonly failure: HookFailure }
  /** cron: why the schedule cannot be used. */
  | { readonly kind: 'schedule'; readonly problem: string }
  /** The pidfile named no usable process within the time-out. */
  | { readonly kind: 'pidfile'; readonly file: string; readonly trouble: PidfileTrouble; readonly timeout: number }
  /** The probes of `ready` did not pass within the time-out. `probe`: one that kept them from it, with what it said last. */
  | {
      readonly kind: 'unready';
      readonly probe: string;
      readonly reason: string;
      readonly timeout: number;
      readonly pid: number;
    }
  /** The probes of `healthy` have failed. */
  | { readonly kind: 'unhealthy'; readonly probe: string; readonly reason: string; readonly pid: number }
  /** The service reported a failure with ERRNO= or BUSERROR=. */
  | { readonly kind: 'reported'; readonly errno?: number; readonly busError?: string; readonly pid: number }
  /** The service did not send WATCHDOG=1 within `interval` ms, or declared itself failed with WATCHDOG=trigger. */
  | { readonly kind: 'watchdog'; readonly interval: number; readonly triggered: boolean; readonly pid: number }
  /** A service that it requires has left its stage, and `on_prerequisite_failure` is `fail`. */
  | ({ readonly kind: 'prerequisite' } & PrerequisiteCause)
  /** Its run has lasted for `limit` ms, which is max_runtime. */
  | { readonly kind: 'overrun'; readonly limit: number; readonly pid: number }
  /** A command of start_if could not be asked, or did not answer: exit status 255, or a signal. */
  | { readonly kind: 'condition'; readonly failure: NoAnswer };

/** How a process ended, and after how long. */
export interface RunEnd {
  readonly pid: number;
  readonly status: ExitStatus;
  /** ms from its spawn to its end. */
  readonly ran: number;
}

/**
 * What a service's machine reports to the system machine at each change of phase. The initial phase is not reported: it
 * follows from the configuration.
 */
export type ServiceChange =
  | { readonly phase: 'stopping' | 'ready.scheduled' }
  /** The conditions of its start are not met. `skipped`: which one, and why. */
  | { readonly phase: 'disabled'; readonly skipped: string }
  /** `end`: how the last run ended, if there was one. */
  | { readonly phase: 'stopped'; readonly end?: RunEnd }
  | { readonly phase: 'starting'; readonly serial: number }
  | { readonly phase: 'ready.running'; readonly pid: number; readonly restarted: boolean }
  /** `end`: how the start command of a oneshot or forking service ended. */
  | { readonly phase: 'ready.exited'; readonly end?: RunEnd; readonly restarted: boolean }
  | {
      readonly phase: 'exited';
      readonly end: RunEnd;
      readonly restarted: boolean;
      /** False: the service ended before it was ready, and this normal end counts as its start. */
      readonly wasReady: boolean;
    }
  | {
      readonly phase: 'backoff';
      readonly cause: FailureCause;
      /** The end was a normal one, and was told as such. */
      readonly normal?: true;
      /** The service has not been ready since it was told to start. */
      readonly first?: true;
      /** Absent where there is no limit. */
      readonly restartsLeft?: number;
      /** ms of the pause. */
      readonly delay: number;
    }
  | {
      readonly phase: 'failed';
      readonly cause: FailureCause;
      readonly during: 'start' | 'run';
      /** The restarts that were tried before chaperone gave the service up, and the ms that they took. */
      readonly gaveUp?: { readonly restarts: number; readonly after: number };
      /** Why no other try follows, where restarts are configured. */
      readonly noTry?: NoTry;
    };

/** True while the service has, or is about to have, a process: starting, running, scheduled, stopping or waiting to restart. */
export function isLive(phase: ServicePhase): boolean {
  switch (phase) {
    case 'starting':
    case 'ready.running':
    case 'ready.scheduled':
    case 'stopping':
    case 'backoff':
      return true;
    case 'disabled':
    case 'pending':
    case 'ready.exited':
    case 'exited':
    case 'stopped':
    case 'failed':
      return false;
  }
}

const livePhases = servicePhases.filter(isLive);

/** How many services have, or are about to have, a process. `counts` holds the number of services in each phase. */
export function liveCount(counts: Readonly<Record<ServicePhase, number>>): number {
  return livePhases.reduce((sum, phase) => sum + counts[phase], 0);
}

/** True if a start has succeeded: the service is up, or was up and has ended normally. */
export function isReadyPhase(phase: ServicePhase): boolean {
  return phase === 'ready.running' || phase === 'ready.exited' || phase === 'ready.scheduled' || phase === 'exited';
}

/** True if a stop is complete: nothing more happens to the service without a command. */
export function isEnded(phase: ServicePhase): boolean {
  return phase === 'disabled' || phase === 'stopped' || phase === 'failed';
}

/** True if nothing happens in a chart of this phase without a command: it has ended, or has not begun to start. */
export function isAtRest(chart: ServicePhase): boolean {
  return isEnded(chart) || chart === 'pending';
}
