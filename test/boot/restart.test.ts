import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { boot, config, expectOrder, logAll, until, untilProcesses, untilSaid } from './namespace.ts';

const count = (lines: readonly string[], pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
const starts = '$(_CHAP_CONFIG_DIR)/starts';
const stay = { command: "sh -c 'echo staying; exec sleep infinity'", startup_pause: 0.1 } as const;

describe('a restart', () => {
  it('follows a crash, after restart_delay', async () => {
    const system = boot({
      args: ['--inspect'],
      files: {
        'x.conf': config({
          'web.service': {
            command: `$(FIXTURES)/crash ${starts} 1 0.3`,
            startup_pause: 0.05,
            restart: true,
            restart_delay: 0.2,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/web\.service restart succeeded/);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /web\[\d+\]: start 1$/,
      /web\.service exit status for pid=\d+ is '<ProcStatus exit_status=1>'/,
      /web .* → backoff .*exit 1; restart 1 of 5 in 0\.2 s/,
      /web\.service terminated abnormally with <ProcStatus exit_status=1>/,
      /web\.service pausing between restart retries \(4 left\)/,
      /web\[\d+\]: start 2$/,
    ]);
  });

  it('is not for a normal exit, nor where nobody asked for it; what has failed gives the status', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'normal.service': { command: 'sleep 0.3', startup_pause: 0.05, restart: true, restart_delay: 0 },
          'plain.service': { command: `$(FIXTURES)/crash ${starts} 9 0.3`, startup_pause: 0.05, restart_delay: 0 },
        }),
      },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines('stderr')).toContain('chaperone: nothing is left to run, and plain.service has failed');
    const lines = system.lines('stdout');
    expectOrder(lines, [/plain\.service terminated abnormally with <ProcStatus exit_status=1>/]);
    expect(count(lines, /pausing between restart retries|start 2/)).toBe(0);
  });

  it('is not made more often than restart_limit; then the service has failed and the system goes on', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'other.service': stay,
          'bad.service': {
            command: `$(FIXTURES)/crash ${starts} 99 0.1`,
            startup_pause: 0.02,
            restart: true,
            restart_delay: 0.05,
            restart_limit: 2,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/bad\.service pausing between restart retries \(0 left\)/);
    await system.waitForLine(/bad\[\d+\]: start 3$/);
    await system.waitForLine(/staying/);
    await until('the third crash is logged', () =>
      count(system.lines(), /bad\.service terminated abnormally/) === 3 ? true : undefined,
    );
    // All effects of the last crash have been logged when a later signal has been.
    system.signal('SIGUSR2');
    await system.waitForLine(/SIGUSR2 received/);
    expect(count(system.lines(), /pausing between restart retries/)).toBe(2);
    expect(count(system.lines(), /bad\.service terminated abnormally/)).toBe(3);
    await untilProcesses(system, ['sleep']);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('is not counted any more after the service has stayed ready for restart_delay + 1 s', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'web.service': {
            command: `$(FIXTURES)/crash ${starts} 2 2`,
            startup_pause: 0.1,
            restart: true,
            restart_delay: 0.05,
            restart_limit: 1,
          },
        }),
      },
    });
    await system.waitForLine(/web\[\d+\]: start 3$/);
    expect(count(system.lines(), /pausing between restart retries \(0 left\)/)).toBe(2);
  });

  it('that is awaited keeps a system alive in which nothing else runs', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'lone.service': {
            command: `$(FIXTURES)/crash ${starts} 1 0.1`,
            startup_pause: 0.02,
            restart: true,
            restart_delay: 0.7,
          },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/lone\.service pausing/);
    await system.waitForLine(/lone\[\d+\]: start 2$/);
    expect(count(system.lines(), /no child processes present/)).toBe(0);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
  });

  it('of the last service that has run out lets the system end, with its status', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'lone.service': {
            command: `$(FIXTURES)/crash ${starts} 99 0.1`,
            startup_pause: 0.02,
            restart: true,
            restart_delay: 0.05,
            restart_limit: 1,
          },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(1);
    expectOrder(system.lines('stdout'), [
      /start 1$/,
      /\(0 left\)/,
      /start 2$/,
      /lone\.service gave up after 1 restart in \S+ m?s \(restart_limit\)$/,
      /no child processes present/,
    ]);
    expectOrder(system.lines('stderr'), [
      /^chaperone: nothing is left to run, and lone\.service has failed$/,
      /why {5}simple service, ended with exit 1 \(pid \d+\)$/,
      /stopped nothing; exit status 1$/,
    ]);
  });

  it('comes out in order for services that die before anything was heard of them', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `brief${index}`);
    const system = boot({
      files: {
        'x.conf': config({
          ...Object.fromEntries(
            names.map((name) => [
              `${name}.service`,
              {
                command: '/bin/false',
                startup_pause: 0,
                restart: true,
                restart_delay: 0,
                restart_limit: 3,
                ignore_failures: true,
              },
            ]),
          ),
          'last.service': { type: 'oneshot', command: 'echo last ran', service_groups: 'IDLE' },
          ...logAll,
        }),
      },
    });
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout');
    expectOrder(lines, [/last ran/]);
    for (const name of names) {
      const attempts = count(lines, new RegExp(`: ${name}\\.service attempting start`));
      const exits = count(
        lines,
        new RegExp(`: ${name}\\.service exit status for pid=\\d+ is '<ProcStatus exit_status=1>'`),
      );
      // Either the first start failed, or the service was ready for a moment and was restarted up to its limit.
      expect([1, 4]).toContain(attempts);
      expect(exits).toBe(attempts);
    }
  });

  it('comes to an end with 1 where a service that dies at once fails its first start', async () => {
    const system = boot({
      files: { 'x.conf': config({ 'brief.service': { command: '/bin/false', startup_pause: 0.5, restart: true } }) },
    });
    expect(await system.exit).toBe(1);
    expect(system.lines('stdout').join('\n')).not.toMatch(/pausing between restart retries/);
  });
});

describe('exit_kills', () => {
  it.each([
    { title: 'exit 0', status: 0, explanation: [] },
    {
      title: 'exit 7',
      status: 7,
      explanation: [
        'chaperone: main.service ended the system (exit_kills): exit 7',
        '  stopped other, base; exit status 7',
      ],
    },
    {
      title: 'a signal',
      status: 137,
      explanation: [
        'chaperone: main.service ended the system (exit_kills): SIGKILL',
        '  stopped other, base; exit status 137',
      ],
    },
  ])('$title of the service is the exit status, and others are stopped in order', async ({ status, explanation }) => {
    const system = boot({
      files: {
        'x.conf': config({
          'base.service': { command: "$(FIXTURES)/obey TERM 'base stops'", startup_pause: 0.1 },
          'other.service': {
            command: "$(FIXTURES)/obey TERM 'other stops'",
            startup_pause: 0.1,
            after: 'base.service',
          },
          'main.service': {
            command: `$(FIXTURES)/die-when $(_CHAP_CONFIG_DIR)/now ${status}`,
            startup_pause: 0.1,
            exit_kills: true,
            restart: true,
            after: 'base.service',
          },
        }),
      },
    });
    await system.waitForLine(/version \S+, ready\./);
    await untilSaid(system, 'obeying TERM', ['base', 'other']);
    writeFileSync(system.path('now'), '');
    expect(await system.exit).toBe(status);
    expectOrder(system.lines('stdout'), [
      /main\.service terminated with exit_kills enabled/,
      /other stops/,
      /base stops/,
    ]);
    expect(system.lines('stderr')).toEqual(explanation);
  });
});

describe('detect_exit', () => {
  it('ends the system with the last process', async () => {
    const system = boot({
      files: {
        'x.conf': config({
          'a.service': { command: 'sleep 0.3', startup_pause: 0.05 },
          'b.service': { command: `$(FIXTURES)/die-when $(_CHAP_CONFIG_DIR)/now 0`, startup_pause: 0.05 },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/a\.service exit status for pid=/);
    await system.waitForLine(/ready\./);
    writeFileSync(system.path('now'), '');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [/a\.service exit/, /b\.service exit/, /no child processes present/]);
  });

  it.each([
    [
      'in its group',
      "sh -c '$0 $@ & :'",
      /a\.service exit status for pid=\d+ of its group is '<ProcStatus exit_status=0>'/,
    ],
    ['that has left its group', '$(FIXTURES)/daemon', /Caught subprocess termination from unknown pid: \d+ -> 0/],
  ])('waits for a daemon %s that outlives its service', async (_title, daemon, end) => {
    const system = boot({
      files: {
        'x.conf': config({
          'a.service': { command: `${daemon} $(FIXTURES)/die-when $(_CHAP_CONFIG_DIR)/now 0` },
          ...logAll,
        }),
      },
    });
    await system.waitForLine(/a\.service exit status for pid=\d+ is '<ProcStatus exit_status=0>'/);
    await system.waitForLine(/waiting for death/);
    await system.waitForLine(/ready\./);
    system.signal('SIGUSR2');
    await system.waitForLine(/SIGUSR2 received/);
    expect(system.lines().join('\n')).not.toMatch(/no child processes present/);
    writeFileSync(system.path('now'), '');
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [end, /no child processes present/]);
  });

  it('false: the system stays when nothing runs', async () => {
    const system = boot({
      files: { 'x.conf': config({ settings: { detect_exit: false }, 'a.service': { command: 'true' }, ...logAll }) },
    });
    await system.waitForLine(/a\.service exit status/);
    await system.waitForLine(/ready\./);
    system.signal('SIGUSR2');
    await system.waitForLine(/SIGUSR2 received/);
    await untilProcesses(system, []);
    system.signal('SIGTERM');
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout').join('\n')).not.toMatch(/no child processes present/);
  });

  it('with nothing enabled: a warning, and 0', async () => {
    const system = boot({ files: { 'x.conf': config({ 'a.service': { command: 'true', enabled: false } }) } });
    expect(await system.exit).toBe(0);
    expectOrder(system.lines('stdout'), [
      /No service startups attempted \(all disabled\?\) - exiting due to 'detect_exit=true'/,
    ]);
  });
});
