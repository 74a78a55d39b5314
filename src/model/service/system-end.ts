import { type ExitStatus, shellStatus } from './exit-status.ts';
import type { FailureCause } from './service-phase.ts';
import { consoleService } from './service-spec.ts';
import type { SignalName } from './signal.ts';
import type { SpawnError } from './spawn-error.ts';

/** Why the system ends. The first reason counts; events during the shutdown do not change it. */
export type SystemEnd =
  /** `main`: how the command or the `exit_kills` service ended because of the signal. */
  | { readonly kind: 'signal'; readonly signal: SignalName; readonly main?: ServiceOutcome }
  /** Somebody requested the shutdown. `failed`: the last service that had failed by then. */
  | { readonly kind: 'command'; readonly failed?: ServiceFailure }
  | { readonly kind: 'exitKills'; readonly service: string; readonly outcome: RunOutcome }
  /** The service has ended normally, and has `on_success: shutdown`. */
  | { readonly kind: 'succeeded'; readonly service: string; readonly outcome: RunOutcome }
  /**
   * `onFailure`: the service has `on_failure: shutdown`, so that any failure of it ends the system; `onUnhealthy`: it is unhealthy,
   * and has `on_unhealthy: shutdown`.
   */
  | {
      readonly kind: 'serviceFailed';
      readonly service: string;
      readonly cause: FailureCause;
      readonly onFailure?: true;
      readonly onUnhealthy?: true;
    }
  /** Programs of enabled services are missing; nothing was started. */
  | { readonly kind: 'missingPrograms'; readonly problems: readonly MissingProgram[] }
  /**
   * detect_exit: the last process is gone. `command` is how the command line's command ended, where there was one;
   * `failed` is the last service that has failed.
   */
  | { readonly kind: 'noProcesses'; readonly command?: RunOutcome; readonly failed?: ServiceFailure }
  /** Every service is disabled. */
  | { readonly kind: 'nothingStarted' }
  /** An error in chaperone itself. */
  | { readonly kind: 'internalError'; readonly message: string };

export interface ServiceOutcome {
  readonly service: string;
  readonly outcome: RunOutcome;
}

export interface ServiceFailure {
  readonly service: string;
  readonly cause: FailureCause;
}

/** How a run ended, or why it could not begin. */
export type RunOutcome =
  | { readonly kind: 'exit'; readonly status: ExitStatus }
  | { readonly kind: 'spawn'; readonly error: SpawnError };

export interface MissingProgram {
  readonly service: string;
  readonly error: SpawnError;
}

/** The exit status of chaperone (reference, section 5.7). */
export function exitStatusOf(end: SystemEnd): number {
  switch (end.kind) {
    case 'signal':
      if (end.signal === 'SIGINT') return 130;
      return end.main === undefined ? 0 : outcomeStatus(end.main.outcome);
    case 'command':
      return end.failed === undefined ? 0 : failureStatus(end.failed.cause);
    case 'exitKills':
    case 'succeeded':
      return outcomeStatus(end.outcome);
    case 'serviceFailed':
      // With --task the command is the purpose of the container: its status is the container's.
      return end.service === consoleService || end.onFailure || end.onUnhealthy ? failureStatus(end.cause) : 1;
    case 'missingPrograms':
    case 'internalError':
      return 1;
    case 'noProcesses':
      if (end.command !== undefined) return outcomeStatus(end.command);
      return end.failed === undefined ? 0 : failureStatus(end.failed.cause);
    case 'nothingStarted':
      return 0;
  }
}

/** The exit status for a failure; 1 if chaperone itself ended the service, or gave it up after a normal end. */
function failureStatus(cause: FailureCause): number {
  return (isOutcome(cause) && outcomeStatus(cause)) || 1;
}

/** True if the cause is the end of a run, or the reason why it could not begin. */
export function isOutcome(cause: FailureCause): cause is Extract<FailureCause, RunOutcome> {
  return cause.kind === 'exit' || cause.kind === 'spawn';
}

function outcomeStatus(outcome: RunOutcome): number {
  return outcome.kind === 'exit' ? shellStatus(outcome.status) : unstartedStatus(outcome.error);
}

/** The exit status for a command that could not be started, as shells have it: 127 where it is not found, else 126. */
export function unstartedStatus({ code, stage }: Pick<SpawnError, 'code' | 'stage'>): 126 | 127 {
  return code === 'ENOENT' && (stage === 'exec' || stage === 'lookup') ? 127 : 126;
}
