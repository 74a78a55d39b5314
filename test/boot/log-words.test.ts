/** Lines of the log that people and scripts look for, in the situations in which the original writes them. */
import { describe, expect, it } from 'vitest';
import { begin, count, ctl, listed, put, telchap, untilGone, untilState, up } from './by-hand.ts';
import { expectOrder, here, untilSaid } from './namespace.ts';

const stay = { command: 'sleep infinity', startup_pause: 0.05 };
/** The severity of a line of chaperone's own. */
const extended = (severity: 'debug' | 'info' | 'warn', text: string): RegExp =>
  new RegExp(`local5\\.${severity} .*chaperone\\[1\\]: ${text}$`);
const byLevel = { 'all.logging': { selector: '*.debug', stdout: true, extended: true } };
const status = (code: number): string => `<ProcStatus exit_status=${code}>`;

describe('ps', () => {
  const shown = ['ps', '-ww', '-eo', 'pid,args'];

  it('shows what chaperone runs as the title of the brain, and PID 1 as it was called', async () => {
    const system = begin({ settings: { idle_delay: 0.05 } }, { args: ['--task', ...shown] });
    expect(await system.exit).toBe(0);
    const lines = system.lines('stdout').map((line) => line.trim());
    expect(lines).toContainEqual(expect.stringMatching(/^\d+ \[chaperone\] ps -ww -eo pid,args$/));
    expect(lines).toContainEqual(expect.stringMatching(/^1 \S+\/dist\/chaperone --config .* ps -ww -eo pid,args$/));
  });

  it('shows the name alone where there is no command', async () => {
    const system = begin({ 'a.service': { type: 'oneshot', command: shown.join(' '), stdout: 'inherit' } });
    expect(await system.exit).toBe(0);
    expect(system.lines('stdout')).toContainEqual(expect.stringMatching(/^ *\d+ \[chaperone\]$/));
  });
});

describe('received reset', () => {
  it('is logged by a stop, a restart, a forced start and an automatic restart, and not by a shutdown', async () => {
    const system = await up({
      ...byLevel,
      'job.service': { ...stay, restart: true, restart_delay: 0.05 },
      'other.service': stay,
    });
    const resets = (): number => count(system, /job\.service received reset$/);
    await telchap(system, 'stop', '--wait', 'job');
    expect(resets()).toBe(1);
    await telchap(system, 'start', '--wait', 'job');
    expect(resets()).toBe(1);
    await telchap(system, 'restart', '--wait', 'job');
    expect(resets()).toBe(2);
    await telchap(system, 'start', '--force', '--wait', 'job');
    expect(resets()).toBe(3);
    await ctl(system, 'kill', 'job', 'KILL');
    await system.waitForLine(/job\.service restart succeeded/);
    expect(resets()).toBe(4);
    system.signal('SIGTERM');
    await system.exit;
    expect([resets(), count(system, extended('debug', 'job\\.service received reset'))]).toEqual([4, 4]);
    expectOrder(system.lines('stdout'), [
      /job\.service received reset/,
      /using SIGTERM to terminate job\.service/,
      /job\.service stopped/,
    ]);
  });
});

describe('got explicit return code', () => {
  it('is logged for a process that a pidfile has named, and not for one that chaperone has started', async () => {
    const system = begin({
      ...byLevel,
      'job.service': {
        type: 'forking',
        command: `$(FIXTURES)/daemonize ${here}/job.pid $(FIXTURES)/die-when ${here}/now 3`,
        pidfile: `${here}/job.pid`,
      },
      'own.service': { command: `$(FIXTURES)/die-when ${here}/now 4`, startup_pause: 0.05 },
    });
    await untilSaid(system, 'waiting for death', ['job', 'own']);
    await untilState(system, 'job', 'ready');
    const { pid } = await listed(system, 'job');
    put(system, 'now');
    await system.exit;
    expectOrder(system.lines('stdout'), [
      extended('debug', `job\\.service got explicit return code '${status(3)}'`),
      extended('info', `job\\.service exit status for pid=${pid} is '${status(3)}'`),
    ]);
    expect(count(system, /got explicit return code/)).toBe(1);
  });
});

describe('the end of the system by its command or a main service', () => {
  const killed = extended('warn', 'Request made to kill system\\.');
  const withStay = { ...byLevel, 'b.service': stay, settings: { idle_delay: 0.05 } };

  it.each([
    ['at once', ['false'], 1],
    ['later', ['sh', '-c', 'sleep 0.8; exit 3'], 3],
  ])('a command that fails %s has terminated abnormally', async (_when, command, code) => {
    const system = begin(withStay, { args: ['--exitkills', ...command] });
    expect(await system.exit).toBe(code);
    const lines = system.lines('stdout');
    expectOrder(lines, [extended('warn', 'CONSOLE terminated with exit_kills enabled'), killed]);
    expect(count(system, extended('warn', `CONSOLE terminated abnormally with ${status(code)}`))).toBe(1);
    expect(count(system, killed)).toBe(1);
  });

  it('a command that fails at once and does not end the system has terminated abnormally, too', async () => {
    const system = begin(withStay, { args: ['--no-exitkills', 'false'] });
    await system.waitForLine(extended('warn', `CONSOLE terminated abnormally with ${status(1)}`));
    expect(count(system, killed)).toBe(0);
  });

  it.each([
    ['exit_kills', { 'a.service': { command: "sh -c 'sleep 0.3; exit 0'", exit_kills: true, startup_pause: 0.05 } }, 0],
    ['a start that fails', { 'a.service': { command: 'false' } }, 1],
    ['a program that is missing', { 'a.service': { command: '/no/such/program' } }, 1],
    [
      'no service that is enabled',
      { 'a.service': { command: 'true', enabled: false }, 'b.service': { ...stay, enabled: false } },
      0,
    ],
  ])('%s is a request to kill the system', async (_what, sections, code) => {
    const system = begin({ ...withStay, ...sections });
    expect(await system.exit).toBe(code);
    expect(count(system, killed)).toBe(1);
  });

  it('the end of all processes is not', async () => {
    const system = begin({ ...byLevel, 'a.service': { command: 'true' } });
    expect(await system.exit).toBe(0);
    expect(count(system, killed)).toBe(0);
  });
});

describe('a simple service that becomes a daemon', () => {
  it.each([
    ['in a session of its own', '$(FIXTURES)/daemonize - sleep infinity', '1 process'],
    ['in the group of its start', "sh -c 'sleep infinity & sleep infinity &'", '2 processes'],
  ])('%s is told', async (_how, command, left) => {
    const system = await up({ ...byLevel, 'job.service': { command, startup_pause: 0.05 }, 'other.service': stay });
    await system.waitForLine(
      extended(
        'info',
        `job\\.service has left ${left} behind, as a daemon does: chaperone follows a daemon under type forking with a pidfile`,
      ),
    );
    await system.waitForLine(extended('info', 'job\\.service ended normally with exit 0 after .*'));
  });

  it('is not told of one that ends, is stopped, or is to leave a daemon', async () => {
    const system = await up({
      ...byLevel,
      'ends.service': { command: 'true' },
      'forks.service': { type: 'forking', command: '$(FIXTURES)/daemonize - sleep infinity' },
      'stopped.service': {
        command: 'sh -c \'trap "exit 0" TERM; sleep infinity & echo up; wait\'',
        startup_pause: 0.05,
      },
    });
    await untilSaid(system, 'up', ['stopped']);
    const { pid } = await listed(system, 'stopped');
    expect(pid).toBeGreaterThan(1);
    await telchap(system, 'stop', '--wait', 'stopped');
    await untilGone(system, pid ?? 0);
    expect(count(system, /has left \d/)).toBe(0);
  });
});
