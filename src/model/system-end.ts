import { type ExitStatus, shellStatus } from './exit-status.ts';
import type { FailureCause } from './service-phase.ts';
import type { SignalName } from './signal.ts';
import type { SpawnError } from './spawn-error.ts';

/** Why the system ends. The first reason counts; what happens while it drains does not change it. */
export type SystemEnd =
  | { readonly kind: 'signal'; readonly signal: SignalName }
  | { readonly kind: 'exitKills'; readonly service: string; readonly status: ExitStatus }
  | { readonly kind: 'serviceFailed'; readonly service: string; readonly cause: FailureCause }
  /** Programs of enabled services are missing; nothing was started. */
  | { readonly kind: 'missingPrograms'; readonly problems: readonly MissingProgram[] }
  /** detect_exit: the last process is gone. */
  | { readonly kind: 'noProcesses' }
  /** Every service is disabled. */
  | { readonly kind: 'nothingStarted' }
  /** An error in chaperone itself. */
  | { readonly kind: 'internalError'; readonly message: string };

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
      return shellStatus(end.status);
    case 'serviceFailed':
    case 'missingPrograms':
    case 'internalError':
      return 1;
    case 'noProcesses':
    case 'nothingStarted':
      return 0;
  }
}
