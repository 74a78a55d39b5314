import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';

/** One process as proc_pid_stat(5) tells of it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** Ended, and not reaped yet. */
  readonly zombie: boolean;
  /** Clock ticks since the machine booted: with the pid it names a process once and for all. */
  readonly startTime: number;
}

/** Undefined where there is no such process, or no more, or no /proc. */
export function readProcess(pid: number): ProcessEntry | undefined {
  try {
    const stat = readStat(pid);
    // The program's name, in parentheses, may hold anything; what follows the last one is regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
    const [parent, group, session, startTime] = [fields[1], fields[2], fields[3], fields[19]].map(Number);
    if (parent === undefined || group === undefined || session === undefined || startTime === undefined)
      return undefined;
    return { pid, parent, group, session, zombie: fields[0] === 'Z' || fields[0] === 'X', startTime };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** Some 50 numbers and a name of 15 bytes. */
const statBuffer = Buffer.alloc(2_048);

/** Half of the time that readFileSync takes, of which there may be thousands. */
function readStat(pid: number): string {
  const fd = openSync(`/proc/${pid}/stat`, 'r');
  try {
    return statBuffer.toString('latin1', 0, readSync(fd, statBuffer, 0, statBuffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

let table: readonly ProcessEntry[] | undefined;

/**
 * Every process there is to be seen. Empty without /proc.
 *
 * What was read is good for the rest of this turn of the loop: when a thousand services stop at once, each asks what is left of
 * it, and a thousand readings of thousands of processes would take minutes. Programs go on meanwhile, as they do while the table
 * is being read; but what chaperone has done itself, or was told, has to be in it: see `forgetProcesses`.
 */
export function allProcesses(): readonly ProcessEntry[] {
  if (table === undefined) {
    table = processIds().flatMap((pid) => readProcess(pid) ?? []);
    setImmediate(forgetProcesses);
  }
  return table;
}

/** The table is read anew when it is asked for: chaperone has started or reaped a process, or was told that one has ended. */
export function forgetProcesses(): void {
  table = undefined;
}

/** The children of one process, by proc_pid_children(5), which costs one read a thread instead of one a process. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** The effective uid of a process: /proc/PID belongs to it. */
export function uidOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`).uid;
  } catch {
    return undefined;
  }
}

function processIds(): readonly number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}
