/** Ends of processes as directives name them: `success_exit`, `restart_prevent`. */
import { type ExitStatus, isNormal } from './exit-status.ts';
import type { SignalName } from './signal.ts';

/** An exit code, or the signal that ended the process. */
export type Ending = number | SignalName;

/** The ending in the list that this status is; undefined where it is none of them. */
export function endingOf(endings: readonly Ending[] | undefined, status: ExitStatus): Ending | undefined {
  return endings?.find((ending) =>
    status.kind === 'exited' ? ending === status.code : status.kind === 'signaled' && ending === status.signal,
  );
}

/** True for exit status 0 and for what the service's `success_exit` names. */
export function isNormalEnd(
  { successExit }: { readonly successExit?: readonly Ending[] },
  status: ExitStatus,
): boolean {
  return isNormal(status) || endingOf(successExit, status) !== undefined;
}
