/** What is said between a cron or inetd service, its trigger and its runs. */
import { describeNoAnswer, type NoAnswer } from '../service/condition.ts';
import { describeExit, type ExitStatus } from '../service/exit-status.ts';
import type { FailureCause } from '../service/service-phase.ts';
import type { ServiceSpec, ServiceType } from '../service/service-spec.ts';
import { describeSpawnError, type SpawnError } from '../service/spawn-error.ts';
import { describeDuration } from '../words/duration.ts';
import { parseScheduleFields } from './schedule-fields.ts';

/** A client that was accepted. `id` names it to the kernel port, which holds its descriptor. */
export interface Connection {
  readonly id: number;
  /** Without brackets or zone. */
  readonly address: string;
  readonly port: number;
}

/** Facts from what starts the runs: a schedule, or a listener. `at` is monotonic time in ms. */
export type TriggerFact =
  /** The schedule is accepted, or the port listens. */
  | { readonly type: 'trigger.armed'; readonly at: number }
  | { readonly type: 'trigger.refused'; readonly cause: FailureCause; readonly at: number }
  /** It is time for a run; inetd: for this client. */
  | { readonly type: 'trigger.fired'; readonly connection?: Connection; readonly at: number };

/** What is asked of a trigger: clients wait in the backlog between the two. A schedule goes on, so that a missed tick is told. */
export interface TriggerCommand {
  readonly type: 'trigger.pause' | 'trigger.resume';
}

/** What happens while a service is scheduled and is worth a line in the log. None of it is a failure of the service. */
export type ScheduleNews =
  /** cron: the last run goes on at the next tick. */
  | { readonly kind: 'skipped' }
  /** cron, `overlap: queue`: the next run waits for the end of the present one. `again`: one run waits already, and stands for both. */
  | { readonly kind: 'queued'; readonly again: boolean }
  /** cron, `overlap: replace`: these runs are ended for the next one. */
  | { readonly kind: 'replaced'; readonly pids: readonly number[] }
  /** A run has lasted longer than max_runtime, ms, and is ended. */
  | { readonly kind: 'overran'; readonly pid: number; readonly limit: number }
  /** cron: the conditions of a run are not met. */
  | { readonly kind: 'unmet'; readonly why: string }
  /** cron: a condition of a run gave no answer. */
  | { readonly kind: 'unasked'; readonly failure: NoAnswer }
  /** cron: somebody has asked for a run. */
  | { readonly kind: 'runAsked'; readonly request: number; readonly answer: RunAnswer }
  /** cron: the run that these requests have asked for has ended, or will not begin. */
  | { readonly kind: 'runAnswered'; readonly requests: readonly number[]; readonly result: RunResult }
  | { readonly kind: 'runFailed'; readonly pid: number; readonly status: ExitStatus }
  | { readonly kind: 'runUnspawned'; readonly error: SpawnError }
  /** inetd: handlers that still run when the service ends. */
  | { readonly kind: 'clearing'; readonly pids: readonly number[] }
  | { readonly kind: 'reset' };

/** What comes of a request for a run. `waits`: it begins once the present run has ended. */
export type RunAnswer = 'begun' | 'waits' | 'replaces' | 'busy' | 'unscheduled';

/** How a run ended that somebody has asked for. `cut`: a stop, a reset or the next run has ended it, or it never began. */
export type RunResult =
  /** `normal`: a success, as `success_exit` says. */
  | { readonly kind: 'exit'; readonly status: ExitStatus; readonly normal: boolean }
  | { readonly kind: 'spawn'; readonly error: SpawnError }
  | { readonly kind: 'overran'; readonly limit: number }
  /** Its conditions were not met, or gave no answer. */
  | { readonly kind: 'unmet'; readonly why: string }
  | { readonly kind: 'unasked'; readonly failure: NoAnswer }
  | { readonly kind: 'cut' };

/** `exit 3`, `ran longer than max_runtime, 30 s`. */
export function describeRun(result: RunResult): string {
  switch (result.kind) {
    case 'exit':
      return describeExit(result.status);
    case 'spawn':
      return describeSpawnError(result.error);
    case 'overran':
      return `ran longer than max_runtime, ${describeDuration(result.limit)}`;
    case 'unmet':
      return `skipped: ${result.why}`;
    case 'unasked':
      return `start_if: ${describeNoAnswer(result.failure)}`;
    case 'cut':
      return 'was ended by a stop, a reset or its next run';
  }
}

/** What a scheduled service has done so far. */
export interface RunCounts {
  /** Runs that were begun. */
  readonly begun: number;
  readonly running: number;
  /** True where a run waits for the end of the present one. */
  readonly waits?: true;
}

/** What a scheduled service shows of itself in status listings. */
export function scheduledNote({ type, interval = '', port = 0 }: ServiceSpec, { begun, running }: RunCounts): string {
  if (type === 'inetd') return `waiting on port ${port}; req recvd = ${begun}; running = ${running}`;
  const read = parseScheduleFields(interval);
  return read.ok ? read.schedule.note : interval;
}

/** True for the types whose runs are started by a schedule or by clients, and not by the service's own start. */
export function isScheduled(type: ServiceType | 'container'): boolean {
  switch (type) {
    case 'cron':
    case 'inetd':
      return true;
    case 'simple':
    case 'oneshot':
    case 'forking':
    case 'notify':
    case 'container':
      return false;
  }
}

/** How many runs a scheduled service may have at a time. */
export function mostRuns({ type, maxConnections }: Pick<ServiceSpec, 'type' | 'maxConnections'>): number {
  return type === 'inetd' ? (maxConnections ?? defaultConnections) : 1;
}

/** Connections that an inetd service serves at a time, unless `max_connections` says otherwise. */
export const defaultConnections = 50;
