import { type ExitStatus, shellStatus } from './exit-status.ts';
import type { FailureCause } from './service-phase.ts';
import { consoleService } from './service-spec.ts';
import type { SignalName } from './signal.ts';
import type { SpawnError } from './spawn-error.ts';

/** Why the system ends. The first reason counts; what happens while it drains does not change it. */
export type SystemEnd =
  | { readonly kind: 'signal'; readonly signal: SignalName }
  | { readonly kind: 'exitKills'; readonly service: string; readonly outcome: RunOutcome }
  | { readonly kind: 'serviceFailed'; readonly service: string; readonly cause: FailureCause }
  /** Programs of enabled services are missing; nothing was started. */
  | { readonly kind: 'missingPrograms'; readonly problems: readonly MissingProgram[] }
  /** detect_exit: the last process is gone. `command` is how the command line's command ended, where there was one. */
  | { readonly kind: 'noProcesses'; readonly command?: RunOutcome }
  /** Every service is disabled. */
  | { readonly kind: 'nothingStarted' }
  /** An error in chaperone itself. */
  | { readonly kind: 'internalError'; readonly message: string };

/** How a run ended, or that it never began. */
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
      return end.signal === 'SIGINT' ? 130 : 0;
    case 'exitKills':
      return outcomeStatus(end.outcome);
    case 'serviceFailed':
      // With --task the command is what the container is for: its status is the container's.
      return end.service === consoleService && isOutcome(end.cause) ? outcomeStatus(end.cause) : 1;
    case 'missingPrograms':
    case 'internalError':
      return 1;
    case 'noProcesses':
      return end.command === undefined ? 0 : outcomeStatus(end.command);
    case 'nothingStarted':
      return 0;
  }
}

/** True where the cause is how a run ended, or that it never began. */
export function isOutcome(cause: FailureCause): cause is Extract<FailureCause, RunOutcome> {
  return cause.kind === 'exit' || cause.kind === 'spawn';
}

/** As a shell has it: 127 where a command is not found, 126 where it may not run. */
function outcomeStatus(outcome: RunOutcome): number {
  if (outcome.kind === 'exit') return shellStatus(outcome.status);
  return outcome.error.code === 'ENOENT' && outcome.error.stage !== 'directory' ? 127 : 126;
}
