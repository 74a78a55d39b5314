import { allProcesses } from './process-table.ts';

/** The pids of all descendants of a process, found by the parents in /proc. Empty without /proc. */
export function descendants(ancestor: number): readonly number[] {
  const children = new Map<number, number[]>();
  for (const { pid, parent } of allProcesses()) {
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [pid]);
    else siblings.push(pid);
  }
  const found: number[] = [];
  const open = [ancestor];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    const next = children.get(pid) ?? [];
    found.push(...next);
    open.push(...next);
  }
  return found;
}
