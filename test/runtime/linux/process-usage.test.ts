import { describe, expect, it } from 'vitest';
import {
  linuxProcesses,
  type ProcessSample,
  showsProcesses,
  UsageMeter,
} from '../../../src/runtime/linux/process-usage.ts';

/** Processes by pid, with their children; counts what is looked at. */
function fake(table: Map<number, ProcessSample & { readonly children?: readonly number[] }>) {
  let looks = 0;
  const meter = new UsageMeter({
    sample: (pid) => {
      looks += 1;
      return table.get(pid);
    },
    childrenOf: (pid) => table.get(pid)?.children ?? [],
    pageSize: () => 4_096,
  });
  return { meter, looks: () => looks };
}

describe('the meter of processes', () => {
  it('sums a tree, and gives its share of a processor between two looks', () => {
    const table = new Map([
      [1, { began: 5, ticks: 100, pages: 10, children: [2] }],
      [2, { began: 6, ticks: 50, pages: 20, children: [3] }],
      [3, { began: 7, ticks: 0, pages: 30 }],
    ]);
    const { meter } = fake(table);
    expect(meter.measure([1], [], 100, 0).get(1)).toEqual({ memory: 60 * 4_096 });
    table.set(3, { began: 7, ticks: 50, pages: 30 });
    expect(meter.measure([1], [], 100, 1_000).get(1)).toEqual({ memory: 60 * 4_096, cpu: 50 });
    // The child has ended, and its ticks are its parent's now.
    table.set(2, { began: 6, ticks: 110, pages: 20, children: [] });
    table.delete(3);
    expect(meter.measure([1], [], 100, 2_000).get(1)).toEqual({ memory: 30 * 4_096, cpu: 10 });
  });

  it('takes another process of the same pid for another one, and forgets those that have gone', () => {
    const table = new Map([[1, { began: 5, ticks: 900, pages: 1 }]]);
    const { meter } = fake(table);
    meter.measure([1], [], 9, 0);
    table.set(1, { began: 8, ticks: 1, pages: 1 });
    expect(meter.measure([1], [], 9, 1_000).get(1)).toEqual({ memory: 4_096 });
    table.clear();
    expect(meter.measure([1], [], 9, 2_000).size).toBe(0);
  });

  it('looks at no more processes than its budget, and lets the others take turns', () => {
    const table = new Map(Array.from({ length: 2_000 }, (_, pid) => [pid + 1, { began: 1, ticks: 0, pages: 1 }]));
    const all = [...table.keys()];
    const { meter, looks } = fake(table);
    let before = 0;
    for (let look = 1; look <= 8; look += 1) {
      meter.measure(all.slice(0, 20), all, 300, look * 1_000);
      expect(looks() - before).toBeLessThanOrEqual(300);
      before = looks();
    }
    expect(meter.measure(all.slice(0, 20), all, 300, 9_000).size).toBe(2_000);
    const wide = new Map([[1, { began: 1, ticks: 0, pages: 1, children: all }]]);
    const tree = fake(wide);
    tree.meter.measure([1], [], 50, 0);
    expect(tree.looks()).toBeLessThanOrEqual(50);
  });

  it('reads this process from /proc', () => {
    const sample = linuxProcesses.sample(process.pid);
    expect(sample?.pages).toBeGreaterThan(1_000);
    expect(Math.abs((sample?.pages ?? 0) * linuxProcesses.pageSize() - process.memoryUsage().rss)).toBeLessThan(5e7);
    expect(linuxProcesses.sample(2 ** 30)).toBeUndefined();
    expect(linuxProcesses.childrenOf(2 ** 30)).toEqual([]);
    expect(showsProcesses(2 ** 30)).toBe(false);
  });
});
