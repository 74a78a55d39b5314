/** Time on a processor, and not on the clock: what else the machine does is none of it. */
import { readFileSync } from 'node:fs';

/** ms that this process has computed for so far. */
export function ownTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Of a second: what /proc counts in, on every architecture of Linux that Node runs on. */
const ticks = 100;

/** ms that the processes which this one has started, and waited for, have computed for. */
export function childrenTime(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  // proc_pid_stat(5): cutime and cstime are the fields 16 and 17; what stands in brackets may hold spaces.
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(13, 15);
  return ((Number(user) + Number(system)) / ticks) * 1_000;
}
