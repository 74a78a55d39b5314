import { type SignalName, signalNumber } from './signal.ts';

/** How a process ended, as waitid(2) tells it. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | {
      readonly kind: 'signaled';
      readonly signal: SignalName;
      readonly coreDumped: boolean;
      /** SIGKILL came from the kernel's OOM killer, as far as that can be known. */
      readonly oomKilled?: true;
    };

/** True for exit status 0, the only normal end. */
export function isNormal(status: ExitStatus): boolean {
  return status.kind === 'exited' && status.code === 0;
}

/** In words for people: `exit 1`, `SIGKILL`, `SIGSEGV (core dumped)`, `SIGKILL (out of memory)`. */
export function describeExit(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `exit ${status.code}`;
    case 'signaled':
      if (status.oomKilled === true) return `${status.signal} (out of memory: ended by the kernel's OOM killer)`;
      return status.coreDumped ? `${status.signal} (core dumped)` : status.signal;
  }
}

/** The form that scripts look for in the log (reference, section 7): `<ProcStatus exit_status=3>`, `<ProcStatus signal=15>`. */
export function procStatus(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `<ProcStatus exit_status=${status.code}>`;
    case 'signaled':
      return `<ProcStatus signal=${signalNumber(status.signal)}>`;
  }
}

/** As a shell reports it: the exit status, or 128 + the number of the signal. */
export function shellStatus(status: ExitStatus): number {
  return status.kind === 'exited' ? status.code : 128 + signalNumber(status.signal);
}

/** As wait(2) encodes it, in one number. */
export function waitStatus(status: ExitStatus): number {
  if (status.kind === 'exited') return status.code << 8;
  return signalNumber(status.signal) | (status.coreDumped ? 0x80 : 0);
}
