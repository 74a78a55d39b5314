/** How one service reads its own configuration anew, and what comes of it. */
import { describeDuration } from '../words/duration.ts';
import { describeExit, type ExitStatus } from './exit-status.ts';
import type { SignalName } from './signal.ts';
import { describeSpawnError, type SpawnError } from './spawn-error.ts';

export type ReloadMethod =
  /** The main process gets a signal. */
  | { readonly kind: 'signal'; readonly signal: SignalName }
  /** A command tells the service, with its pid in MAINPID. */
  | { readonly kind: 'command'; readonly command: string; readonly argv: readonly string[] };

/** What has come of a reload. In each case but `done` the service goes on as before. */
export type ReloadOutcome =
  /** `took`: ms until the service had said READY=1, the command had ended or the signal was sent. */
  | { readonly kind: 'done'; readonly took: number }
  /** The service does not run, or is not ready yet. */
  | { readonly kind: 'notRunning' }
  /** Neither reload_command nor reload_signal is given. */
  | { readonly kind: 'noMethod' }
  /** Another reload of it goes on. */
  | { readonly kind: 'busy' }
  /** The service has ended, or was told to, before the reload was over. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'vanished' }
  | { readonly kind: 'denied' }
  | { readonly kind: 'spawn'; readonly error: SpawnError }
  | { readonly kind: 'exit'; readonly status: ExitStatus }
  /** The time limit was reached. `waited`: for the end of the command, for RELOADING=1, or for the READY=1 that follows. */
  | { readonly kind: 'timeout'; readonly waited: ReloadWait; readonly timeout: number };

export type ReloadWait = 'command' | 'RELOADING=1' | 'READY=1';

/** Why a reload has not succeeded: `reload_command: exit 1`. */
export function describeReload(outcome: ReloadOutcome): string {
  switch (outcome.kind) {
    case 'done':
      return 'reloaded';
    case 'notRunning':
      return 'it does not run';
    case 'noMethod':
      return 'it has neither reload_command nor reload_signal';
    case 'busy':
      return 'it is reloading already';
    case 'ended':
      return 'it has ended meanwhile';
    case 'vanished':
      return 'its main process is gone';
    case 'denied':
      return 'the kernel does not let chaperone signal it';
    case 'spawn':
      return `reload_command: ${describeSpawnError(outcome.error)}`;
    case 'exit':
      return `reload_command: ${describeExit(outcome.status)}`;
    case 'timeout': {
      const what = outcome.waited === 'command' ? 'no end of reload_command' : `no ${outcome.waited}`;
      return `${what} within ${describeDuration(outcome.timeout)} (process_timeout)`;
    }
  }
}

/** What happens at the reload of a service, for log and listeners. */
export type ReloadNews =
  | { readonly kind: 'reloading'; readonly method: ReloadMethod['kind'] }
  /** `request`: the number of the request that has asked for it, where somebody did. */
  | { readonly kind: 'reloaded'; readonly request?: number; readonly outcome: ReloadOutcome };
