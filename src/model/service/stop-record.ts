/** The stops of a shutdown, from which its last lines tell which services used its time up. */
import { describeExit, type ExitStatus } from './exit-status.ts';
import type { SignalName } from './signal.ts';

export interface StopRecord {
  readonly service: string;
  /** ms from the request to stop until nothing of it was left. */
  readonly took: number;
  /** The signal that asked it to end. */
  readonly asked: SignalName;
  /** How its process ended; absent where none had to, or nobody could tell. */
  readonly status?: ExitStatus;
  /** It got SIGKILL: its time was up, or somebody forced the end. */
  readonly killed?: true;
  /** A process of it lives on after SIGKILL. */
  readonly survived?: true;
}

/** Rows of a table; of more services the slowest, and those that were killed, are shown. */
const mostRows = 20;

/** The stops to show, slowest first, and how many are left out. */
export function shownStops(stops: readonly StopRecord[]): {
  readonly rows: readonly StopRecord[];
  readonly more: number;
} {
  const isTrouble = ({ killed, survived }: StopRecord): number => (killed === true || survived === true ? 1 : 0);
  const inOrder = [...stops].sort((a, b) => isTrouble(b) - isTrouble(a) || b.took - a.took);
  const rows = inOrder.slice(0, mostRows).sort((a, b) => b.took - a.took);
  return { rows, more: stops.length - rows.length };
}

/** `SIGTERM, exit 0`; `SIGTERM, then SIGKILL`. */
export function describeStop({ asked, status, killed, survived }: StopRecord): string {
  if (survived === true) return `${asked}, then SIGKILL, which a process of it survives`;
  const obeyed = status?.kind === 'signaled' && status.signal === asked;
  if (killed !== true) return status === undefined || obeyed ? asked : `${asked}, ${describeExit(status)}`;
  const isOwn = status?.kind === 'exited' || (status?.kind === 'signaled' && status.signal !== 'SIGKILL');
  // Its main process ended in time; SIGKILL was for others of its run.
  return isOwn ? `${asked}, ${describeExit(status)}; SIGKILL to what was left` : `${asked}, then SIGKILL`;
}
