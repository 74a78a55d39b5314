/** How much processor time and memory processes take with their descendants, from proc_pid_stat(5). */
import { readFileSync } from 'node:fs';
import { readStat } from './process-table.ts';

/** USER_HZ, the same on every machine that Node runs on. */
const ticksPerSecond = 100;

/** What a process and its descendants take. */
export interface Usage {
  /** Per cent of one processor since the last look; absent at the first one. */
  readonly cpu?: number;
  /** Resident bytes; memory that several of them share counts for each. */
  readonly memory: number;
}

/** One process at one instant. */
export interface ProcessSample {
  /** Clock ticks since the machine booted at which it began. */
  readonly began: number;
  /** Clock ticks of processor time, those of its children that it has reaped included. */
  readonly ticks: number;
  readonly pages: number;
}

export interface ProcessReader {
  /** Undefined where there is no such process. */
  readonly sample: (pid: number) => ProcessSample | undefined;
  readonly childrenOf: (pid: number) => readonly number[];
  readonly pageSize: () => number;
}

interface Seen {
  readonly at: number;
  readonly began: number;
  readonly ticks: number;
}

/**
 * Measures trees of processes, a bounded number of processes at each look: what is left over keeps its last measurement,
 * and has its turn at the next look.
 */
export class UsageMeter {
  readonly #reader: ProcessReader;
  readonly #known = new Map<number, Usage>();
  readonly #seen = new Map<number, Seen>();
  #next = 0;

  constructor(reader: ProcessReader = linuxProcesses) {
    this.#reader = reader;
  }

  /**
   * @param first the pids that are measured each time
   * @param others those that take turns with what is left of the budget
   * @param budget the most processes to look at
   * @param now monotonic ms
   */
  measure(
    first: readonly number[],
    others: readonly number[],
    budget: number,
    now: number,
  ): ReadonlyMap<number, Usage> {
    let left = budget;
    for (const pid of first) if (left > 0) left -= this.#look(pid, left, now);
    const looked = new Set(first);
    for (let turn = 0; turn < others.length && left > 0; turn += 1) {
      const pid = others[this.#next % others.length];
      this.#next += 1;
      if (pid !== undefined && !looked.has(pid)) left -= this.#look(pid, left, now);
    }
    const wanted = new Set([...first, ...others]);
    for (const pid of this.#known.keys()) if (!wanted.has(pid)) this.#forget(pid);
    return this.#known;
  }

  /** @returns how many processes were looked at, 1 at least */
  #look(root: number, most: number, now: number): number {
    const own = this.#reader.sample(root);
    if (own === undefined) {
      this.#forget(root);
      return 1;
    }
    const { began } = own;
    let { ticks, pages } = own;
    const tree = [...this.#reader.childrenOf(root)];
    let looked = 1;
    // A list that grows is walked to its end.
    for (const pid of tree) {
      if (looked >= most) break;
      looked += 1;
      const sample = this.#reader.sample(pid);
      if (sample === undefined) continue;
      ticks += sample.ticks;
      pages += sample.pages;
      tree.push(...this.#reader.childrenOf(pid));
    }
    const before = this.#seen.get(root);
    const passed = before === undefined || before.began !== began ? 0 : (now - before.at) / 1000;
    // A descendant that has left the tree takes its ticks along.
    const used = before === undefined ? 0 : Math.max(0, ticks - before.ticks);
    this.#seen.set(root, { at: now, began, ticks });
    const memory = pages * this.#reader.pageSize();
    this.#known.set(root, passed <= 0 ? { memory } : { memory, cpu: (used / ticksPerSecond / passed) * 100 });
    return looked;
  }

  #forget(pid: number): void {
    this.#known.delete(pid);
    this.#seen.delete(pid);
  }
}

/** The first auxiliary value of this type is the size of a page (getauxval(3)). */
const pageSizeType = 6n;
let page: number | undefined;

export const linuxProcesses: ProcessReader = {
  sample: (pid) => {
    try {
      const stat = readStat(pid);
      const fields = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ', 22)
        .map(Number);
      const [, , , , , , , , , , , user = 0, system = 0, childUser = 0, childSystem = 0] = fields;
      const began = fields[19] ?? 0;
      return { began, ticks: user + system + childUser + childSystem, pages: fields[21] ?? 0 };
    } catch {
      return undefined;
    }
  },
  // Only the first thread's children are looked for: a second read for each of hundreds of threads would cost more than it tells.
  childrenOf: (pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
      return text === '' ? [] : text.split(' ').map(Number);
    } catch {
      return [];
    }
  },
  pageSize: () => {
    page ??= readPageSize();
    return page;
  },
};

function readPageSize(): number {
  try {
    const values = readFileSync('/proc/self/auxv');
    for (let at = 0; at + 16 <= values.length; at += 16)
      if (values.readBigUInt64LE(at) === pageSizeType) return Number(values.readBigUInt64LE(at + 8));
  } catch {
    // Without /proc nothing is measured at all.
  }
  return 4_096;
}

/** True where /proc shows the processes of this chaperone: its brain has the pid that chaperone itself gives. */
export function showsProcesses(brain: number): boolean {
  try {
    return /chaperone/.test(readFileSync(`/proc/${brain}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}
