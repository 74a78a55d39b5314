/** What is said between a cron or inetd service, its trigger and its runs. */
import type { ExitStatus } from '../service/exit-status.ts';
import type { FailureCause } from '../service/service-phase.ts';
import type { ServiceSpec, ServiceType } from '../service/service-spec.ts';
import type { SpawnError } from '../service/spawn-error.ts';
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
  | { readonly kind: 'runFailed'; readonly pid: number; readonly status: ExitStatus }
  | { readonly kind: 'runUnspawned'; readonly error: SpawnError }
  /** inetd: handlers that still run when the service ends. */
  | { readonly kind: 'clearing'; readonly pids: readonly number[] }
  | { readonly kind: 'reset' };

/** What a scheduled service has done so far. */
export interface RunCounts {
  /** Runs that were begun. */
  readonly begun: number;
  readonly running: number;
}

/** What a scheduled service shows of itself in status listings. */
export function scheduledNote({ type, interval = '', port = 0 }: ServiceSpec, { begun, running }: RunCounts): string {
  if (type === 'inetd') return `waiting on port ${port}; req recvd = ${begun}; running = ${running}`;
  const read = parseScheduleFields(interval);
  return read.ok ? read.schedule.note : interval;
}

/** True for the types whose runs are started by a schedule or by clients, and not by the service's own start. */
export function isScheduled(type: ServiceType): boolean {
  switch (type) {
    case 'cron':
    case 'inetd':
      return true;
    case 'simple':
    case 'oneshot':
    case 'forking':
    case 'notify':
      return false;
  }
}

/** How many runs a scheduled service may have at a time. */
export function mostRuns({ type, maxConnections }: Pick<ServiceSpec, 'type' | 'maxConnections'>): number {
  return type === 'inetd' ? (maxConnections ?? defaultConnections) : 1;
}

/** Connections that an inetd service serves at a time, unless `max_connections` says otherwise. */
export const defaultConnections = 50;
