import { readFileSync } from 'node:fs';

/** The counters of the container's own cgroup, version 2 and version 1: `oom_kill N` on a line of its own. */
const counters = ['/sys/fs/cgroup/memory.events', '/sys/fs/cgroup/memory/memory.oom_control'];

/**
 * Detects that the kernel's OOM killer has ended a process of this container (cgroups(7), "memory.events"). Where no
 * cgroup is mounted it detects nothing.
 */
export class OomKills {
  readonly #file: string | undefined;
  #seen: number;

  constructor() {
    this.#file = counters.find((file) => readCount(file) !== undefined);
    this.#seen = this.#read();
  }

  /** How many processes the OOM killer has ended since the last call. */
  take(): number {
    const count = this.#read();
    const fresh = count - this.#seen;
    this.#seen = count;
    return fresh;
  }

  #read(): number {
    return this.#file === undefined ? 0 : (readCount(this.#file) ?? 0);
  }
}

function readCount(file: string): number | undefined {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'latin1'))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}
