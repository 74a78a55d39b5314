import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boot, config, expectOrder, logAll, readProcess } from './namespace.ts';

describe('chaperone that is not PID 1', () => {
  it('says so, adopts orphans, and at the end ends only what descends from it', async () => {
    const stranger = spawn('sleep', ['infinity'], { stdio: 'ignore' });
    onTestFinished(async () => {
      stranger.kill('SIGKILL');
      await once(stranger, 'exit');
    });
    const system = boot({
      pid1: false,
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: 4 },
          'starter.service': { type: 'oneshot', command: "$(FIXTURES)/daemon $(FIXTURES)/obey TERM 'daemon stops'" },
          'web.service': { command: "$(FIXTURES)/obey TERM 'web stops'", startup_pause: 0.1 },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\./);
    await system.waitForLine(/starter\[\d+\]: obeying TERM/);
    await system.waitForLine(/web\[\d+\]: obeying TERM/);
    const notes = system.lines().filter((line) => /not PID 1/.test(line));
    expect(notes).toHaveLength(1);
    expect(notes[0]).toMatch(new RegExp(`not PID 1 \\(pid ${system.pid()}\\): working as a child subreaper$`));
    const adopted = system.processes().filter(({ parent, name }) => parent === system.pid() && name === 'obey');
    expect(adopted).toHaveLength(2);
    const all = system.processes().map(({ pid }) => pid);

    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/web\[\d+\]: web stops/, /Final termination phase\./]);
    expectOrder(system.lines('stdout'), [/Final termination phase\./, /unknown pid: \d+ -> 0/]);
    expect(all.filter((pid) => readProcess(pid) !== undefined)).toEqual([]);
    expect(readProcess(stranger.pid ?? 0)?.state).toMatch(/^[SR]$/);
    expect(readProcess(process.pid)).toBeDefined();
  });

  it('ends with the last process, as PID 1 does', async () => {
    const system = boot({ pid1: false, files: { 'x.conf': config({ 'a.service': { command: 'echo a ran' } }) } });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/a\[\d+\]: a ran/]);
  });

  it('kills descendants that ignore SIGTERM', async () => {
    const system = boot({
      pid1: false,
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: 1.5 },
          'starter.service': { type: 'oneshot', command: '$(FIXTURES)/daemon $(FIXTURES)/stubborn' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/starter\[\d+\]: stubborn/);
    await system.waitForLine(/ready\./);
    const [daemon] = system.processes();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/Forcing kill/, /unknown pid: \d+ -> 9/]);
    expect(readProcess(daemon?.pid ?? 0)).toBeUndefined();
  });
});
