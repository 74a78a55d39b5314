/** Short texts for why a service failed and why the system ends, to show beside a state. */

import { describeListenError, seconds } from '../log/messages.ts';
import { describeCause } from '../order/prerequisite.ts';
import { describeNoAnswer } from './condition.ts';
import { describeExit } from './exit-status.ts';
import { describeHookFailure, describePlace } from './hook.ts';
import type { FailureCause } from './service-phase.ts';
import { type ServiceType, shortName } from './service-spec.ts';
import { describeSpawnError } from './spawn-error.ts';
import type { SystemEnd } from './system-end.ts';

/** `exit 1`, `no READY=1 within 5 s`. */
export function describeFailure(type: ServiceType, cause: FailureCause): string {
  switch (cause.kind) {
    case 'exit':
      return describeExit(cause.status);
    case 'spawn':
      return describeSpawnError(cause.error);
    case 'timeout':
      return `${type === 'notify' ? 'no READY=1' : 'no exit'} within ${seconds(cause.timeout)} s`;
    case 'hook':
      return `${describePlace(cause.hook)}: ${describeHookFailure(cause.failure)}`;
    case 'listen':
      return `port ${cause.port}: ${describeListenError(cause)}`;
    case 'schedule':
      return cause.problem;
    case 'pidfile':
      return `no process to follow in ${cause.file} within ${seconds(cause.timeout)} s (${cause.trouble})`;
    case 'unready':
      return `${cause.probe} did not pass within ${seconds(cause.timeout)} s: ${cause.reason}`;
    case 'unhealthy':
      return `unhealthy: ${cause.probe}: ${cause.reason}`;
    case 'reported':
      return cause.busError === undefined ? `ERRNO=${cause.errno}` : `BUSERROR=${cause.busError}`;
    case 'overrun':
      return `ran longer than max_runtime, ${seconds(cause.limit)} s`;
    case 'condition':
      return `start_if: ${describeNoAnswer(cause.failure)}`;
    case 'watchdog':
      return cause.triggered ? 'WATCHDOG=trigger' : `no WATCHDOG=1 within ${seconds(cause.interval)} s`;
    case 'prerequisite':
      return describeCause(cause, shortName);
  }
}

/** `SIGTERM`, `store failed to start`. */
export function describeEnd(end: SystemEnd): string {
  switch (end.kind) {
    case 'signal':
      return end.signal;
    case 'exitKills':
      return `${shortName(end.service)} ended (exit_kills)`;
    case 'succeeded':
      return `${shortName(end.service)} ended (on_success)`;
    case 'serviceFailed':
      if (end.onUnhealthy) return `${shortName(end.service)} is unhealthy (on_unhealthy)`;
      return end.onFailure
        ? `${shortName(end.service)} failed (on_failure)`
        : `${shortName(end.service)} failed to start`;
    case 'command':
      return 'shutdown asked for by a command';
    case 'missingPrograms':
      return 'programs are missing';
    case 'noProcesses':
      return 'no process is left (detect_exit)';
    case 'nothingStarted':
      return 'nothing was started (detect_exit)';
    case 'internalError':
      return 'internal error';
  }
}
