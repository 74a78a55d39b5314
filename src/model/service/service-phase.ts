import type { ExitStatus } from './exit-status.ts';
import type { PidfileTrouble } from './pidfile.ts';
import type { ServiceStage } from './service-stage.ts';
import type { SpawnError } from './spawn-error.ts';

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
  /** Its process runs. */
  'ready.running',
  /** Its start has exited as it should, and what the start was for is there: oneshot, forking, some notify services. */
  'ready.exited',
  /** Its schedule or its port is accepted. */
  'ready.scheduled',
  /** Its process, which was the service, has ended normally. */
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
  /** inetd: an errno's name, and what was tried in this order. */
  | { readonly kind: 'listen'; readonly port: number; readonly code: string; readonly tried: readonly string[] }
  /** cron: why the schedule cannot be kept. */
  | { readonly kind: 'schedule'; readonly problem: string }
  /** No process to follow within the time-out. */
  | { readonly kind: 'pidfile'; readonly file: string; readonly trouble: PidfileTrouble; readonly timeout: number }
  /** It said so itself: ERRNO= or BUSERROR=. */
  | { readonly kind: 'reported'; readonly errno?: number; readonly busError?: string; readonly pid: number }
  /** It did not say WATCHDOG=1 in time, or asked for it (WATCHDOG=trigger). ms. */
  | { readonly kind: 'watchdog'; readonly interval: number; readonly triggered: boolean; readonly pid: number };

/** How a process ended, and after how long. */
export interface RunEnd {
  readonly pid: number;
  readonly status: ExitStatus;
  /** ms from its spawn to its end. */
  readonly ran: number;
}

/**
 * What a service's machine tells the system machine at each change of phase. The two phases it begins in are not reported:
 * they follow from the configuration.
 */
export type ServiceChange =
  | { readonly phase: 'stopping' | 'ready.scheduled' }
  /** `end`: how its last run ended, where one has. */
  | { readonly phase: 'stopped'; readonly end?: RunEnd }
  | { readonly phase: 'starting'; readonly serial: number }
  | { readonly phase: 'ready.running'; readonly pid: number; readonly restarted: boolean }
  | { readonly phase: 'ready.exited'; readonly restarted: boolean }
  | {
      readonly phase: 'exited';
      readonly end: RunEnd;
      readonly restarted: boolean;
      /** It was ready before; otherwise its end is what counts as its start. */
      readonly wasReady: boolean;
    }
  | { readonly phase: 'backoff'; readonly cause: FailureCause; readonly restartsLeft: number; readonly delay: number }
  | {
      readonly phase: 'failed';
      readonly cause: FailureCause;
      readonly during: 'start' | 'run';
      /** The restarts that were tried before it was given up, and the ms that they took. */
      readonly gaveUp?: { readonly restarts: number; readonly after: number };
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

/** True where a service is up, or was and has ended normally: what a start leads to. */
export function isReadyPhase(phase: ServicePhase): boolean {
  return phase === 'ready.running' || phase === 'ready.exited' || phase === 'ready.scheduled' || phase === 'exited';
}

/** True once nothing more will happen without a command: what a stop leads to. */
export function isEnded(phase: ServicePhase): boolean {
  return phase === 'disabled' || phase === 'stopped' || phase === 'failed';
}
