import { describe, expect, it } from 'vitest';
import { ctl } from './by-hand.ts';
import { type Booted, boot, config, expectOrder, logAll } from './namespace.ts';

const stay = "sh -c 'echo staying; exec sleep infinity'";

function start(web: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}): Booted {
  const files = { 'x.conf': config({ 'web.service': { command: stay, ...web }, ...more, ...logAll }) };
  return boot({ files });
}

async function stop(system: Booted): Promise<readonly string[]> {
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);
  return system.lines('stdout');
}

describe('hooks on Linux', () => {
  it('of before_start that never end are ended with their children when process_timeout has passed', async () => {
    const system = start({
      before_start: 'sh -c \'trap "" TERM; sleep infinity & sleep infinity\'',
      process_timeout: 0.3,
      stop_timeout: 0.5,
      after_stop: 'sh -c \'echo "result $SERVICE_RESULT"\'',
    });
    expect(await system.exit).toBe(1);
    const lines = system.lines('stdout');
    expectOrder(lines, [
      /web\.service running before_start/,
      /using SIGTERM to terminate web\.service/,
      /using SIGKILL to terminate web\.service \(pid \d+/,
      /web\[\d+\]: result timeout/,
    ]);
    expect(lines.join('\n')).not.toContain('staying');
    expect(system.lines('stderr').join('\n')).toContain('before_start: no exit within 0.3 s (process_timeout)');
  });

  it('leave no daemon behind, even one that has a session of its own', async () => {
    const system = start({ before_start: '$(FIXTURES)/daemon sleep infinity' });
    await system.waitForLine(/web\[\d+\]: staying/);
    expectOrder(system.lines('stdout'), [
      /web\.service before_start has left 1 process behind, which chaperone ends/,
      /using SIGTERM to terminate web\.service/,
      /web\.service attempting start/,
    ]);
    const names = system.processes().map(({ name }) => name);
    expect(names.filter((name) => name === 'sleep')).toHaveLength(1);
    await stop(system);
  });

  it('of after_stop that ignore SIGTERM get SIGKILL when they have had as long as the stop', async () => {
    const system = start({ stop_timeout: 0.5, after_stop: '$(FIXTURES)/stubborn' });
    await system.waitForLine(/web\.service successfully started/);
    expectOrder(await stop(system), [
      /web\.service running after_stop/,
      /web\[\d+\]: stubborn/,
      /using SIGKILL to terminate web\.service \(pid \d+\)/,
    ]);
  });

  it('of a stop that does not exist are told with the reason, and the signals follow', async () => {
    const system = start({ stop_command: '/nonexistent/quit now' });
    await system.waitForLine(/web\.service successfully started/);
    expectOrder(await stop(system), [
      /web\.service stop_command failed: cannot execute \/nonexistent\/quit: .*ENOENT/,
      /using SIGTERM to terminate web\.service/,
    ]);
  });

  it('show in the status which one runs, and since when', async () => {
    const system = start({ before_start: ['true', 'sleep infinity'] });
    await system.waitForLine(/running before_start 2 of 2/);
    const { text } = await ctl(system, 'status', 'web');
    expect(text).toMatch(/waits for {3}a hook to end: before_start 2 of 2 has run for \d.* \(pid \d+\)/);
    expect(text).toMatch(/hook {8}before_start 2 of 2, for .*, pid \d+/);
    await stop(system);
  });
});
