import { type SignalName, signalName, signalNumber } from './signal.ts';

/** How a process ended, as waitid(2) tells it. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | {
      readonly kind: 'signaled';
      readonly signal: SignalName;
      readonly coreDumped: boolean;
      /** True if the SIGKILL came from the kernel's OOM killer, as far as that can be known. */
      readonly oomKilled?: true;
    }
  /** The process has ended, but its status is unknown because it was not chaperone's child. */
  | { readonly kind: 'unknown' };

/** True for exit status 0, the only normal end. */
export function isNormal(status: ExitStatus): boolean {
  return status.kind === 'exited' && status.code === 0;
}

/** In words for people: `exit 1`, `SIGKILL`, `SIGSEGV (core dumped)`, `SIGKILL (out of memory)`, `status unknown`. */
export function describeExit(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `exit ${status.code}`;
    case 'signaled':
      if (status.oomKilled === true) return `${status.signal} (out of memory: ended by the kernel's OOM killer)`;
      return status.coreDumped ? `${status.signal} (core dumped)` : status.signal;
    case 'unknown':
      return 'status unknown';
  }
}

/**
 * The form that scripts look for in the log (reference, section 7): `<ProcStatus exit_status=3>`, `<ProcStatus signal=15>`,
 * `<ProcStatus status=unknown>`.
 */
export function procStatus(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `<ProcStatus exit_status=${status.code}>`;
    case 'signaled':
      return `<ProcStatus signal=${signalNumber(status.signal)}>`;
    case 'unknown':
      return '<ProcStatus status=unknown>';
  }
}

/** As a shell reports it: the exit status, or 128 + the number of the signal. An unknown status counts as 1, a failure. */
export function shellStatus(status: ExitStatus): number {
  switch (status.kind) {
    case 'exited':
      return status.code;
    case 'signaled':
      return 128 + signalNumber(status.signal);
    case 'unknown':
      return 1;
  }
}

/** The status as wait(2) encodes it, in one number. An unknown status counts as exit status 1. */
export function waitStatus(status: ExitStatus): number {
  switch (status.kind) {
    case 'exited':
      return status.code << 8;
    case 'signaled':
      return signalNumber(status.signal) | (status.coreDumped ? 0x80 : 0);
    case 'unknown':
      return 1 << 8;
  }
}

/** Decodes a number of wait(2). The two signals that threads use among themselves have no name and become unknown. */
export function fromWaitStatus(encoded: number): ExitStatus {
  const number = encoded & 0x7f;
  if (number === 0) return { kind: 'exited', code: (encoded >> 8) & 0xff };
  const signal = signalName(number);
  return signal === undefined ? { kind: 'unknown' } : { kind: 'signaled', signal, coreDumped: (encoded & 0x80) !== 0 };
}
