import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';

/** USER_HZ, the same on every machine that Node runs on. */
const ticksPerSecond = 100;

/** One process, from proc_pid_stat(5). */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** True for a process that has ended and is not reaped yet. */
  readonly zombie: boolean;
  /** Clock ticks since the machine booted; together with the pid this identifies a process for ever. */
  readonly startTime: number;
}

/** Undefined where there is no such process, or no /proc. */
export function readProcess(pid: number): ProcessEntry | undefined {
  try {
    const stat = readStat(pid);
    // The program's name, in parentheses, may contain any characters; the fields after the last parenthesis are
    // regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 20);
    const [parent, group, session, startTime] = [fields[1], fields[2], fields[3], fields[19]].map(Number);
    if (parent === undefined || group === undefined || session === undefined || startTime === undefined)
      return undefined;
    return { pid, parent, group, session, zombie: fields[0] === 'Z' || fields[0] === 'X', startTime };
  } catch {
    // The process has ended meanwhile.
    return undefined;
  }
}

/** Room for some 50 numbers and a name of 15 bytes. */
const statBuffer = Buffer.alloc(2_048);

/** Reads in half of the time of readFileSync, because there may be thousands of processes. */
export function readStat(pid: number): string {
  const fd = openSync(`/proc/${pid}/stat`, 'r');
  try {
    return statBuffer.toString('latin1', 0, readSync(fd, statBuffer, 0, statBuffer.length, 0));
  } finally {
    closeSync(fd);
  }
}

let table: readonly ProcessEntry[] | undefined;

/**
 * All visible processes. Empty without /proc.
 *
 * The result is kept for the rest of this turn of the loop: when a thousand services stop at once, each asks which
 * processes are left, and a thousand readings of thousands of processes would take minutes. Other programs go on
 * meanwhile, as they do during a reading; but everything that chaperone has done itself, or was told, has to show in
 * the table: see `forgetProcesses`.
 */
export function allProcesses(): readonly ProcessEntry[] {
  if (table === undefined) {
    table = processIds().flatMap((pid) => readProcess(pid) ?? []);
    setImmediate(forgetProcesses);
  }
  return table;
}

/** Makes the next call read the table anew: chaperone has started or reaped a process, or heard of an end. */
export function forgetProcesses(): void {
  table = undefined;
}

/** The children of one process, from proc_pid_children(5): one read per thread instead of one per process. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

/** A time that is not later than the `startTime` of a process that starts from now on; 0 without /proc. */
export function timeOfStarts(): number {
  try {
    const [seconds = 0] = readFileSync('/proc/uptime', 'latin1').split(' ', 1).map(Number);
    return Math.floor(seconds * ticksPerSecond);
  } catch {
    return 0;
  }
}

/**
 * The account of a process, proc_pid_status(5): its effective uid, or 0 where its real or its saved one is root's. Undefined where there
 * is no such process, or where the number is that of a thread: /proc finds threads by their ids, and kill(2) signals their processes.
 */
export function uidOf(pid: number): number | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1');
    const [, group] = /^Tgid:\t(\d+)$/m.exec(status) ?? [];
    const [, real, effective, saved] = /^Uid:\t(\d+)\t(\d+)\t(\d+)\t/m.exec(status) ?? [];
    if (Number(group) !== pid || effective === undefined) return undefined;
    return real === '0' || saved === '0' ? 0 : Number(effective);
  } catch {
    return undefined;
  }
}

/** True where one of the ancestors of a process is this one. The chain is short; it breaks where a process vanishes. */
export function descendsFrom(pid: number, ancestor: number): boolean {
  let parent = readProcess(pid)?.parent ?? 0;
  for (let steps = 0; parent > 0 && steps < 1_000; steps += 1) {
    if (parent === ancestor) return true;
    parent = readProcess(parent)?.parent ?? 0;
  }
  return false;
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
