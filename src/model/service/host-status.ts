import { isNormal } from './exit-status.ts';
import type { FailureCause } from './service-phase.ts';
import { isOutcome, type RunOutcome, type SystemEnd } from './system-end.ts';

export interface StatusFacts {
  /** ms. */
  readonly uptime: number;
  readonly started: number;
  readonly scheduled: number;
  readonly failed: number;
  /** Failures and restarts since the beginning. */
  readonly errors: number;
}

/** What STATUS= tells the host (reference, section 5.4): `Uptime 00:04:05; 3 services started; 1 failed; 2 total errors`. */
export function statusText({ uptime, started, scheduled, failed, errors }: StatusFacts): string {
  const seconds = Math.floor(uptime / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const clock = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return [
    `Uptime ${clock}`,
    `${started} service${started === 1 ? '' : 's'} started`,
    ...(scheduled === 0 ? [] : [`${scheduled} scheduled`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(errors === 0 ? [] : [`${errors} total error${errors === 1 ? '' : 's'}`]),
  ].join('; ');
}

const ENOENT = 2;
const EINTR = 4;
const EIO = 5;
const exitFailure = 8;
const EINVAL = 22;
const ETIMEDOUT = 110;

/** The ERRNO= that tells the host which error ended the system; undefined where none did. */
export function errnoOf(end: SystemEnd): number | undefined {
  switch (end.kind) {
    case 'signal':
      return end.signal === 'SIGINT' ? EINTR : undefined;
    case 'command':
    case 'succeeded':
      return undefined;
    case 'exitKills':
      return errnoOfOutcome(end.outcome);
    case 'serviceFailed':
      return errnoOfCause(end.cause);
    case 'missingPrograms':
      return ENOENT;
    case 'noProcesses':
      if (end.command !== undefined) return errnoOfOutcome(end.command);
      return end.failed === undefined ? undefined : errnoOfCause(end.failed.cause);
    case 'internalError':
      return EIO;
    case 'nothingStarted':
      return undefined;
  }
}

function errnoOfCause(cause: FailureCause): number | undefined {
  if (isOutcome(cause)) return errnoOfOutcome(cause);
  switch (cause.kind) {
    case 'hook':
      return cause.failure.kind === 'timeout' ? ETIMEDOUT : errnoOfOutcome(cause.failure);
    // Bad parameters.
    case 'listen':
    case 'schedule':
      return EINVAL;
    case 'pidfile':
      return cause.trouble === 'absent' ? ENOENT : EINVAL;
    case 'reported':
      return cause.errno ?? EIO;
    case 'condition':
      return cause.failure.kind === 'timeout' ? ETIMEDOUT : errnoOfOutcome(cause.failure);
    case 'timeout':
    case 'overrun':
    case 'watchdog':
    case 'unready':
    case 'unhealthy':
      return ETIMEDOUT;
    case 'prerequisite':
      return EIO;
  }
}

function errnoOfOutcome(outcome: RunOutcome): number | undefined {
  if (outcome.kind === 'spawn') return outcome.error.code === 'ENOENT' ? ENOENT : EINVAL;
  if (isNormal(outcome.status)) return undefined;
  return outcome.status.kind === 'signaled' ? EINTR : exitFailure;
}
