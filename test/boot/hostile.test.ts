import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { boot, config, expectOrder, logAll, until } from './namespace.ts';

/** s that a shutdown may take here. That is longer than a test may take, so a test that has to wait for it fails. */
const shutdown_timeout = 600;

describe('a flood', () => {
  it('of a service does not keep signals waiting', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout },
          'flood.service': { command: 'yes', startup_pause: 0 },
        }),
      },
    });
    await system.waitForLine(/flood\[\d+\]: y$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('of a grandchild that holds the pipe does not hold up exits', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout },
          'console.logging': { selector: '*.err', stdout: true },
          'parent.service': { command: "sh -c 'setsid yes & exit 0'", startup_pause: 0 },
          'orphans.service': {
            type: 'oneshot',
            command: "sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do (true &); done'",
            after: 'parent.service',
          },
          'last.service': {
            command: "sh -c 'echo here >&2; exec sleep 1000'",
            stderr: 'inherit',
            after: 'orphans.service',
          },
        }),
      },
    });
    await system.waitForLine(/^here$/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('a process that stands still', () => {
  it('is woken by its stop', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout },
          'still.service': { command: "sh -c 'echo stopping; kill -STOP $$; exec sleep 1000'" },
        }),
      },
    });
    await system.waitForLine(/still\[\d+\]: stopping/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('a leader that is killed', () => {
  it('leaves nothing of its process group in the way of the next run', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'server.service': {
            command: "sh -c 'sleep 1000 & echo started; wait'",
            startup_pause: 0,
            restart: true,
            restart_delay: 0.1,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/server\[\d+\]: started/);
    const worker = await until('the worker runs', () => system.processes().find(({ name }) => name === 'sleep'));
    const leader = system.processes().find(({ parent }) => parent === system.pid());
    process.kill(leader?.pid ?? 0, 'SIGKILL');
    const worked = new RegExp(`exit status for pid=${worker.innerPid} of its group is '<ProcStatus signal=15>'`);
    await system.waitForLine(worked);
    await system.waitForLine(/server\.service restart succeeded/);
    expect(system.processes().filter(({ pid }) => pid === worker.pid)).toEqual([]);
    expectOrder(system.lines('stdout'), [
      /using SIGTERM to terminate server/,
      worked,
      /server\.service attempting start/,
    ]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });
});

describe('a FIFO as the configuration', () => {
  it('is reported, and not waited for', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'chaperone-fifo-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const fifo = join(folder, 'pipe.conf');
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0);
    for (const path of [fifo, folder]) {
      const system = boot({ files: {}, args: ['--config', path] });
      expect(await system.exit).toBe(1);
      expect(system.lines('stderr').join('\n')).toContain(`"${fifo}": it is not a regular file`);
    }
  });
});
