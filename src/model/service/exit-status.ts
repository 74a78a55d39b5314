import { type SignalName, signalName, signalNumber } from './signal.ts';

/** How a process ended, as waitid(2) tells it. */
export type ExitStatus =
  | { readonly kind: 'exited'; readonly code: number }
  | {
      readonly kind: 'signaled';
      readonly signal: SignalName;
      readonly coreDumped: boolean;
      /** SIGKILL came from the kernel's OOM killer, as far as that can be known. */
      readonly oomKilled?: true;
    }
  /** It has ended, and nobody could tell chaperone how: it was not its child. */
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

/** As a shell reports it: the exit status, or 128 + the number of the signal. One that is unknown counts as 1: not as success. */
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

/** As wait(2) encodes it, in one number. One that is unknown counts as exit status 1. */
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

/** What wait(2) has encoded in one number. Two signals that threads use among themselves have no name: unknown. */
export function fromWaitStatus(encoded: number): ExitStatus {
  const number = encoded & 0x7f;
  if (number === 0) return { kind: 'exited', code: (encoded >> 8) & 0xff };
  const signal = signalName(number);
  return signal === undefined ? { kind: 'unknown' } : { kind: 'signaled', signal, coreDumped: (encoded & 0x80) !== 0 };
}
