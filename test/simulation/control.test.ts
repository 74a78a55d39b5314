import { describe, expect, it } from 'vitest';
import { AssemblySupervisor } from '../../src/runtime/control.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const second = 1_000;
const hour = 3_600 * second;

function supervised(world: World): AssemblySupervisor {
  return new AssemblySupervisor({
    assembly: world.assembly,
    kernel: world.kernel,
    clock: world.clock,
    version: '1.2.3',
    environment: {},
    widen: () => undefined,
    reload: () => Promise.resolve({ kind: 'ending' }),
  });
}

describe('the status of a cron service', () => {
  const begin = Date.parse('2030-01-01T22:00:00Z');
  const scripts: Script[] = [{ steps: [{ do: 'exit', code: 3 }] }, { steps: [{ do: 'wait', ms: 5 * second }] }];

  function world() {
    const job = simpleService('job', { type: 'cron', interval: '0 3 * * *' });
    const left = [...scripts];
    const made = createWorld(systemOf([job], { timeZone: 'Europe/Berlin', detectExit: false }), {
      has: () => true,
      script: () => left.shift(),
    });
    made.clock.setWallTime(begin);
    const supervisor = supervised(made);
    made.assembly.start();
    made.clock.run(second);
    const status = () => supervisor.services()[0];
    return { ...made, supervisor, status };
  }

  it('tells its next run, and why it waits', () => {
    const { status, clock } = world();
    const next = Date.parse('2030-01-02T02:00:00Z');
    expect(status()).toMatchObject({
      state: 'ready',
      stage: 'ready.scheduled',
      nextRun: next,
      timeZone: 'Europe/Berlin',
    });
    expect(status()?.why.condition).toBe('its next run in 3 h 59 m');
    clock.run(5 * hour);
    expect(status()?.nextRun).toBe(next + 24 * hour);
  });

  it('tells the next run anew where the clock was set', () => {
    const { status, clock } = world();
    clock.setWallTime(Date.parse('2030-06-01T00:00:00Z'));
    clock.run(2 * hour);
    expect(status()?.nextRun).toBe(Date.parse('2030-06-02T01:00:00Z'));
  });

  it('tells how the last run ended, and counts them all', () => {
    const { status, clock, supervisor } = world();
    expect(status()?.lastExit).toBeUndefined();
    clock.run(5 * hour);
    expect(status()?.lastExit).toMatchObject({ status: { kind: 'exited', code: 3 } });
    clock.run(29 * hour);
    expect(status()?.lastExit).toMatchObject({ status: { kind: 'exited', code: 0 } });
    expect(supervisor.measurements().exits).toEqual([
      { service: 'job.service', status: 'exit 3', count: 1 },
      { service: 'job.service', status: 'exit 0', count: 1 },
    ]);
  });

  it('has no next run once it was stopped, and one again after a start', () => {
    const { status, clock, supervisor } = world();
    supervisor.stop(['job.service'], { disable: false });
    clock.run(2 * second);
    expect(status()).toMatchObject({ state: 'stopped' });
    expect(status()).not.toHaveProperty('nextRun');
    expect(status()).not.toHaveProperty('timeZone');
    supervisor.start(['job.service'], { enable: false, force: false });
    clock.run(4 * second);
    expect(status()?.nextRun).toBe(Date.parse('2030-01-02T02:00:00Z'));
  });
});
