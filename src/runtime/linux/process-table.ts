import { readdirSync, readFileSync, statSync } from 'node:fs';

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
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name, in parentheses, may hold anything; what follows the last one is regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [parent, group, session, startTime] = [fields[1], fields[2], fields[3], fields[19]].map(Number);
    if (parent === undefined || group === undefined || session === undefined || startTime === undefined)
      return undefined;
    return { pid, parent, group, session, zombie: fields[0] === 'Z' || fields[0] === 'X', startTime };
  } catch {
    // It ended meanwhile.
    return undefined;
  }
}

/** Every process there is to be seen. Empty without /proc. */
export function allProcesses(): readonly ProcessEntry[] {
  return processIds().flatMap((pid) => readProcess(pid) ?? []);
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
