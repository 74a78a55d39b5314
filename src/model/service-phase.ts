import type { ExitStatus } from './exit-status.ts';
import type { PidfileTrouble } from './pidfile.ts';
import type { SpawnError } from './spawn-error.ts';

/** The states of a service as everybody outside its machine knows them (reference, "Names of states"), with `ready` in its three kinds. */
export type ServicePhase =
  | 'disabled'
  | 'pending'
  | 'starting'
  | 'running'
  | 'exited'
  | 'scheduled'
  | 'stopping'
  | 'backoff'
  | 'stopped'
  | 'failed';

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

/**
 * What a service's machine tells the system machine at each change of phase. The two phases it begins in are not reported:
 * they follow from the configuration.
 */
export type ServiceChange =
  | { readonly phase: 'stopping' | 'stopped' | 'scheduled' }
  | { readonly phase: 'starting'; readonly serial: number }
  | { readonly phase: 'running'; readonly pid: number; readonly restarted: boolean }
  | {
      readonly phase: 'exited';
      readonly status: ExitStatus;
      readonly restarted: boolean;
      /** It was ready before; otherwise its end is what made it ready. */
      readonly wasReady: boolean;
    }
  | { readonly phase: 'backoff'; readonly cause: FailureCause; readonly restartsLeft: number; readonly delay: number }
  | { readonly phase: 'failed'; readonly cause: FailureCause; readonly during: 'start' | 'run' };

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
    case 'exited':
    case 'stopped':
    case 'failed':
      return false;
  }
}

/** True once nothing more will happen without a command: what a stop leads to. */
export function isEnded(phase: ServicePhase): boolean {
  return phase === 'disabled' || phase === 'stopped' || phase === 'failed';
}
