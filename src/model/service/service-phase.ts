import type { ExitStatus } from './exit-status.ts';
import type { PidfileTrouble } from './pidfile.ts';
import type { SpawnError } from './spawn-error.ts';

/** The states of a service as everybody outside its machine knows them (reference, "Names of states"), with `ready` in its three kinds. */
export const servicePhases = [
  'disabled',
  'pending',
  'starting',
  /** ready: its process runs. */
  'running',
  /** ready: its start has exited as it should, and what the start was for is there: oneshot, forking, some notify services. */
  'done',
  /** ready: its schedule or its port is accepted. */
  'scheduled',
  /** Its process, which was the service, has ended normally. */
  'exited',
  'stopping',
  'backoff',
  'stopped',
  'failed',
] as const;

export type ServicePhase = (typeof servicePhases)[number];

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
  | { readonly phase: 'stopping' | 'scheduled' }
  /** `end`: how its last run ended, where one has. */
  | { readonly phase: 'stopped'; readonly end?: RunEnd }
  | { readonly phase: 'starting'; readonly serial: number }
  | { readonly phase: 'running'; readonly pid: number; readonly restarted: boolean }
  | { readonly phase: 'done'; readonly restarted: boolean }
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
    case 'running':
    case 'scheduled':
    case 'stopping':
    case 'backoff':
      return true;
    case 'disabled':
    case 'pending':
    case 'done':
    case 'exited':
    case 'stopped':
    case 'failed':
      return false;
  }
}

/** True where a service is up, or was and has ended normally: what a start leads to. */
export function isReadyPhase(phase: ServicePhase): boolean {
  return phase === 'running' || phase === 'done' || phase === 'scheduled' || phase === 'exited';
}

/** True once nothing more will happen without a command: what a stop leads to. */
export function isEnded(phase: ServicePhase): boolean {
  return phase === 'disabled' || phase === 'stopped' || phase === 'failed';
}
