/** What the hooks of after_stop are told of the run that has ended. */
import type { ExitStatus } from './exit-status.ts';
import type { FailureCause } from './service-phase.ts';
import { signalNumber } from './signal.ts';

/** What a run has come to, for the variables of after_stop. */
export interface RunResult {
  /** Absent: the run has not failed. */
  readonly cause: FailureCause | undefined;
  /** How the main process ended; absent where none ran. */
  readonly status: ExitStatus | undefined;
  /** True where the stop took too long, and SIGKILL ended the run. */
  readonly overdue: boolean;
}

/**
 * The variables that systemd.exec(5) gives to ExecStopPost=: SERVICE_RESULT, EXIT_CODE and EXIT_STATUS. EXIT_SIGNAL is the lowest
 * byte of the status of waitpid(2): 0 after an exit, else the number of the signal, with 128 added where a core was dumped.
 */
export function resultVariables(result: RunResult): Readonly<Record<string, string>> {
  return { SERVICE_RESULT: serviceResult(result), ...exitVariables(result.status) };
}

function serviceResult({ cause, overdue }: RunResult): string {
  if (cause === undefined) return overdue ? 'timeout' : 'success';
  switch (cause.kind) {
    case 'exit':
      return resultOfExit(cause.status);
    case 'hook':
      if (cause.failure.kind === 'timeout') return 'timeout';
      return cause.failure.kind === 'exit' ? resultOfExit(cause.failure.status) : 'resources';
    case 'prerequisite':
      return overdue ? 'timeout' : 'success';
    case 'timeout':
    case 'overrun':
    case 'unready':
      return 'timeout';
    case 'condition':
      return 'exit-code';
    case 'watchdog':
    case 'unhealthy':
      return 'watchdog';
    case 'spawn':
    case 'listen':
    case 'schedule':
      return 'resources';
    case 'pidfile':
    case 'reported':
      return 'protocol';
  }
}

function resultOfExit(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
    case 'unknown':
      return 'exit-code';
    case 'signaled':
      if (status.oomKilled === true) return 'oom-kill';
      return status.coreDumped ? 'core-dump' : 'signal';
  }
}

function exitVariables(status: ExitStatus | undefined): Readonly<Record<string, string>> {
  switch (status?.kind) {
    case undefined:
    case 'unknown':
      return {};
    case 'exited':
      return { EXIT_CODE: 'exited', EXIT_STATUS: String(status.code), EXIT_SIGNAL: '0' };
    case 'signaled':
      return {
        EXIT_CODE: status.coreDumped ? 'dumped' : 'killed',
        EXIT_STATUS: status.signal.replace(/^SIG/, ''),
        EXIT_SIGNAL: String(signalNumber(status.signal) + (status.coreDumped ? 128 : 0)),
      };
  }
}
