import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, logAll, untilSaid } from './namespace.ts';

const files = {
  'x.conf': config({
    settings: { shutdown_timeout: 4 },
    'base.service': { command: "$(FIXTURES)/obey TERM 'base stops'", startup_pause: 0.1 },
    'top.service': { command: "$(FIXTURES)/obey TERM 'top stops'", startup_pause: 0.1, after: 'base.service' },
    ...logAll,
  }),
};

/** Inodes of the sockets of a process that listen for TCP. */
function listeningSockets(pid: number): readonly string[] {
  const listening = new Set(
    ['tcp', 'tcp6'].flatMap((table) =>
      readFileSync(`/proc/${pid}/net/${table}`, 'latin1')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .flatMap((fields) => (fields[3] === '0A' && fields[9] !== undefined ? [fields[9]] : [])),
    ),
  );
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode !== undefined && listening.has(inode) ? [inode] : [];
  });
}

async function up() {
  const system = boot({ files });
  await system.waitForLine(/ready\./);
  await untilSaid(system, 'obeying TERM', ['base', 'top']);
  return system;
}

describe('signals to chaperone', () => {
  it.each(['SIGTERM', 'SIGQUIT', 'SIGPWR', 37] as const)('%s ends the system in order with 0', async (signal) => {
    const system = await up();
    system.signal(signal);
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /: Request made to kill system\.$/,
      /top\[\d+\]: top stops/,
      /base\[\d+\]: base stops/,
    ]);
    expect(system.lines('stderr')).toEqual([]);
  });

  it('SIGINT ends it in order with 130', async () => {
    const system = await up();
    system.signal('SIGINT');
    expect(await system.exit).toBe(130);
    expectOrder(system.lines('stdout'), [
      /Ctrl-C \.\.\. killing chaperone\./,
      /top\[\d+\]: top stops/,
      /base\[\d+\]: base stops/,
    ]);
  });

  it('a second SIGINT ends it at once', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: 600 },
          'base.service': { command: "$(FIXTURES)/obey TERM 'base stops'", startup_pause: 0.1 },
          'deaf.service': { command: '$(FIXTURES)/stubborn', startup_pause: 0.1, after: 'base.service' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\./);
    await untilSaid(system, 'stubborn', ['deaf']);
    system.signal('SIGINT');
    await system.waitForLine(/: Request made to kill system\.$/);
    system.signal('SIGINT');
    expect(await system.exit).toBe(130);
    expectOrder(system.lines('stdout'), [
      /Request made to kill system\. \(forced\)/,
      /deaf\.service exit status for pid=\d+ is '<ProcStatus signal=9>'/,
    ]);
    expect(system.lines().join('\n')).not.toMatch(/\]: base stops/);
  });

  it('a signal that comes while it boots is not lost', async () => {
    const system = boot({ files });
    await system.waitForLine(/attempting start/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it.each(['SIGUSR1', 'SIGUSR2'] as const)('%s is logged, and nothing else happens', async (signal) => {
    const system = await up();
    const before = system.processes().map(({ pid }) => pid);
    system.signal(signal);
    await system.waitForLine(new RegExp(`chaperone\\[1\\]: ${signal} received`));
    system.signal(signal);
    expect(system.processes().map(({ pid }) => pid)).toEqual(before);
    expect(listeningSockets(system.pid())).toEqual([]);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(system.lines('stderr')).toEqual([]);
  });
});
