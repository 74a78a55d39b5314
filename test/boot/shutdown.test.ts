import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, logAll, until, untilSaid } from './namespace.ts';

const obey = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  command: `$(FIXTURES)/obey TERM '${text}'`,
  startup_pause: 0.1,
  ...more,
});

describe('the shutdown', () => {
  it('goes through three layers in reverse order, each when the one above has ended', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'bottom.service': obey('bottom stops'),
          'left.service': obey('left stops', { after: 'bottom.service' }),
          'right.service': obey('right stops', { after: 'bottom.service' }),
          'top.service': obey('top stops', { after: 'left.service, right.service' }),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\./);
    await untilSaid(system, 'obeying TERM', ['bottom', 'left', 'right', 'top']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    for (const side of ['left', 'right']) {
      expectOrder(lines, [
        /Request made to kill system\./,
        /top\[\d+\]: top stops/,
        /top\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
        new RegExp(`${side}\\[\\d+\\]: ${side} stops`),
        new RegExp(`${side}\\.service exit status for pid=\\d+ is '<ProcStatus exit_status=0>'`),
        /bottom\[\d+\]: bottom stops/,
        /bottom\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
        /Final termination phase\./,
      ]);
    }
    expect(system.lines('stderr')).toEqual([]);
  });

  it('kills a service that ignores SIGTERM, and its prerequisite still stops by its own signal', async () => {
    const timeout = 5;
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: timeout },
          'store.service': {
            command: "$(FIXTURES)/obey USR1 'store saves'",
            kill_signal: 'SIGUSR1',
            startup_pause: 0.1,
          },
          'deaf.service': { command: '$(FIXTURES)/stubborn', startup_pause: 0.1, after: 'store.service' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\./);
    await untilSaid(system, 'obeying USR1', ['store']);
    await untilSaid(system, 'stubborn', ['deaf']);
    const begun = Date.now();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(Date.now() - begun).toBeLessThan(2 * timeout * 1000);
    expectOrder(system.lines('stdout'), [
      /deaf\.service exit status for pid=\d+ is '<ProcStatus signal=9>'/,
      /store\[\d+\]: store saves/,
      /store\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/,
    ]);
  });

  it('stays within its time when every layer overruns', async () => {
    const timeout = 5;
    const deaf = { command: '$(FIXTURES)/stubborn', startup_pause: 0.05 };
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: timeout },
          'a.service': deaf,
          'b.service': { ...deaf, after: 'a.service' },
          'c.service': { ...deaf, after: 'b.service' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\./);
    await untilSaid(system, 'stubborn', ['a', 'b', 'c']);
    const begun = Date.now();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(Date.now() - begun).toBeLessThan(2 * timeout * 1000);
    expectOrder(
      system.lines('stdout'),
      ['c', 'b', 'a'].map(
        (name) => new RegExp(`${name}\\.service exit status for pid=\\d+ is '<ProcStatus signal=9>'`),
      ),
    );
  });

  it('reaches the whole process group of a service', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'pair.service': {
            command: `sh -c "$(FIXTURES)/obey TERM 'inner stops' & $(FIXTURES)/obey TERM 'outer stops'; wait"`,
            startup_pause: 0.1,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/ready\./);
    await until('both obey', () =>
      system.lines().filter((line) => /pair\[\d+\]: obeying/.test(line)).length === 2 ? true : undefined,
    );
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/pair\[\d+\]: inner stops/]);
    expectOrder(system.lines('stdout'), [/pair\[\d+\]: outer stops/]);
  });

  it('sends SIGTERM to a daemon that was left behind, last of all', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'starter.service': { type: 'oneshot', command: "$(FIXTURES)/daemon $(FIXTURES)/obey TERM 'daemon stops'" },
          'web.service': obey('web stops'),
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/starter\[\d+\]: obeying TERM/);
    await system.waitForLine(/web\[\d+\]: obeying TERM/);
    await system.waitForLine(/ready\./);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    const beginning = [/web\[\d+\]: web stops/, /Final termination phase\./];
    expectOrder(system.lines('stdout'), [...beginning, /starter\[\d+\]: daemon stops/]);
    expectOrder(system.lines('stdout'), [...beginning, /Caught subprocess termination from unknown pid: \d+ -> 0/]);
  });

  it('sends SIGKILL to a daemon that ignores it', async () => {
    const timeout = 5;
    const system = boot({
      files: {
        'x.conf': config({
          settings: { shutdown_timeout: timeout },
          'starter.service': { type: 'oneshot', command: '$(FIXTURES)/daemon $(FIXTURES)/stubborn' },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/starter\[\d+\]: stubborn/);
    await system.waitForLine(/ready\./);
    const begun = Date.now();
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(Date.now() - begun).toBeLessThan(2 * timeout * 1000);
    const [, after] = await system.waitForLine(/Some processes remain after ([\d.]+)secs\. {2}Forcing kill/);
    expect(Number(after)).toBeGreaterThan(timeout / 2);
    expectOrder(system.lines('stdout'), [
      /Final termination phase\./,
      /Some processes remain after [\d.]+secs\. {2}Forcing kill/,
      /Caught subprocess termination from unknown pid: \d+ -> 9/,
    ]);
  });

  it('in the middle of a boot stops what has begun and starts nothing more', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'base.service': obey('base stops'),
          'slow.service': { command: "$(FIXTURES)/obey TERM 'slow stops'", startup_pause: 60, after: 'base.service' },
          'never.service': { type: 'oneshot', command: 'echo never ran', after: 'slow.service' },
        }),
      },
    });
    await untilSaid(system, 'obeying TERM', ['base', 'slow']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/slow stops/, /base stops/]);
    expect(system.lines().join('\n')).not.toMatch(/never ran|ready\./);
  });
});
