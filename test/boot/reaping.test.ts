import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Booted, boot, config, until, untilProcesses } from './namespace.ts';

describe('orphans', () => {
  it('of 2,000 short-lived ones none stays a zombie', { timeout: 300_000 }, async () => {
    const system = boot({
      files: { 'x.conf': config({ 'parent.service': { command: '$(FIXTURES)/orphans 2000', startup_pause: 0.05 } }) },
    });
    await untilCounted('left behind', 2000, () => leftBehind(system, 2000));
    await system.waitForLine(/parent\[\d+\]: all left behind/);
    await until('only the service is left', () =>
      system.processes().length === 1 && system.processes()[0]?.name === 'sleep' ? true : undefined,
    );
    await untilCounted('logged', 2000, () => reaped(system));
    expect(reaped(system)).toBe(2000);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('are reaped while nothing else happens, with the status they had', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'parent.service': { command: '$(FIXTURES)/daemon $(FIXTURES)/die-when $(_CHAP_CONFIG_DIR)/now 7' },
          'other.service': { command: 'sleep infinity', startup_pause: 0.05 },
        }),
      },
    });
    await system.waitForLine(/waiting for death/);
    await system.waitForLine(/ready\./);
    const orphan = system.processes().find(({ name }) => name === 'die-when');
    expect(orphan?.parent).toBe(system.pid());
    writeFileSync(system.path('now'), '');
    await system.waitForLine(new RegExp(`unknown pid: ${orphan?.innerPid} -> 1792$`));
    await untilProcesses(system, ['sleep']);
  });
});

describe('3,000 restarts', () => {
  it('leave memory and descriptors where they were', { timeout: 300_000 }, async () => {
    const [early, late] = [500, 3000];
    const system = boot({
      files: {
        'x.conf': config({
          'tiny.service': {
            command: `$(FIXTURES)/restarts $(_CHAP_CONFIG_DIR) ${early} ${late}`,
            startup_pause: 0,
            restart: true,
            restart_delay: 0,
            restart_limit: 100_000,
          },
        }),
      },
    });
    await untilCounted('starts', early, () => (existsSync(system.path('starts')) ? readStarts(system) : 0));
    await system.waitForLine(/tiny\[\d+\]: reached 500$/);
    const before = resources(system.pid());
    writeFileSync(system.path('go'), '');
    await untilCounted('starts', late, () => readStarts(system));
    await system.waitForLine(/tiny\[\d+\]: reached 3000$/);
    const after = resources(system.pid());
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors + 4);
    // Node's heap grows for a while before it is collected; 2,500 runs that each keep 30 KiB would take more.
    expect(after.residentKib - before.residentKib).toBeLessThan(64 * 1024);
    expect(system.processes().map(({ state }) => state)).not.toContain('Z');
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

/** Waits until a count has been reached, and gives up only when it stops growing. */
async function untilCounted(what: string, goal: number, count: () => number): Promise<void> {
  for (let seen = count(); seen < goal; ) {
    const before = seen;
    seen = await until(`${what}: more than ${before} of ${goal}`, () => (count() > before ? count() : undefined));
  }
}

/** The number of orphans that the fixture has left, which it prints after each hundred. */
function leftBehind(system: Booted, goal: number): number {
  const told = system.lines('stdout').flatMap((line) => /parent\[\d+\]: (\d+) left$/.exec(line)?.[1] ?? []);
  return goal - Number(told.at(-1) ?? goal);
}

function reaped(system: Booted): number {
  return system.lines('stdout').filter((line) => /Caught subprocess termination from unknown pid/.test(line)).length;
}

function readStarts(system: Booted): number {
  return Number(readFileSync(system.path('starts'), 'latin1'));
}

function resources(pid: number): { readonly residentKib: number; readonly descriptors: number } {
  const rss = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return { residentKib: Number(rss), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
