/** The listing of `telchap status`, as the original lays it out (reference, section 6). */
import { type ExitStatus, isNormal } from '../model/service/exit-status.ts';
import { oneLine } from '../model/words/printable.ts';
import type { ServiceStatus, SystemStatus } from './supervisor.ts';

/** The original's word for the state of a service. */
function statusWord(service: ServiceStatus): string {
  switch (service.stage) {
    case 'starting.awaitingNotify':
      return 'activating';
    case 'starting.asking':
    case 'starting.beforeStart':
    case 'starting.spawning':
    case 'starting.settling':
    case 'starting.awaitingExit':
    case 'starting.awaitingPidfile':
    case 'starting.awaitingProbe':
    case 'starting.afterStart':
      return 'starting';
    case 'ready.running':
    case 'stopping.beforeStop':
    case 'stopping.stopCommand':
    case 'stopping.terminating':
    case 'stopping.clearing':
    case 'stopping.draining':
    case 'stopping.killing':
    case 'stopping.afterStop':
      return 'running';
    case 'ready.exited':
    case 'exited':
      return 'started';
    case 'ready.scheduled':
      return (service.running ?? 0) > 0 ? 'running' : 'waiting';
    case 'backoff':
    case 'failed':
      return service.lastExit === undefined || isNormal(service.lastExit.status)
        ? '-'
        : `${briefly(service.lastExit.status)}${restartsLeft(service)}`;
    case 'disabled':
      return 'disabled';
    case 'pending':
      // To the original, a service is starting from the request on. A service that waits in vain would be that for ever.
      return service.why.owner === 'you' ? '-' : 'starting';
    case 'stopped':
      if (!service.enabled) return 'disabled';
      return service.prerequisitesReady ? 'ready' : '-';
  }
}

function briefly(status: ExitStatus): string {
  switch (status.kind) {
    case 'exited':
      return `exit(${status.code})`;
    case 'signaled':
      return status.signal;
    case 'unknown':
      return 'exit(?)';
  }
}

function restartsLeft({ restarts }: ServiceStatus): string {
  return restarts?.left === undefined || restarts.left === 0 ? '' : `+r#${restarts.left}`;
}

/** Head lines and the table `pid name enabled status note`, sorted by name. */
export function statusText(system: SystemStatus, services: readonly ServiceStatus[]): string {
  const head = [
    `Running:           chaperone version ${system.version}`,
    `Uptime:            ${clockTime(system.uptime)}`,
    `Managed processes: ${system.services} (${system.enabled} enabled)`,
  ];
  const rows = [...services]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map((service) => [
      service.pid === undefined ? '-' : String(service.pid),
      service.name,
      String(service.enabled),
      statusWord(service),
      service.note === undefined ? '-' : oneLine(service.note),
    ]);
  const headings = ['pid', 'name', 'enabled', 'status', 'note'];
  return `\n${head.join('\n')}\n\nServices:\n\n${table(headings, rows)}\n`;
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const rule = widths.map((width) => '-'.repeat(width));
  return [headings, rule, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .join('\n');
}

/** As Python writes a time span: `0:04:02`, `1 day, 3:00:00`; without its fractions. */
function clockTime(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const days = Math.floor(seconds / 86_400);
  const two = (number: number): string => String(number).padStart(2, '0');
  const time = `${Math.floor(seconds / 3600) % 24}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return days === 0 ? time : `${days} day${days === 1 ? '' : 's'}, ${time}`;
}
