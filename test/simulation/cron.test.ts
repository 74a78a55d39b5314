import { describe, expect, it } from 'vitest';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

interface CronWorld extends World {
  /** The times of the job's runs, as ISO 8601 in UTC, up to the minute. */
  readonly runs: readonly string[];
  /** Lets virtual time pass. */
  pass(ms: number): void;
  log(): readonly string[];
}

const short: Script = { steps: [{ do: 'wait', ms: 2 * second }] };

/**
 * Boots with the wall clock at the given time.
 *
 * @param others services beside the job; by default one that keeps running, so that detect_exit logs nothing
 */
function cronWorld(
  begin: string,
  job: Partial<ServiceSpec>,
  { script = short, system = {} }: { readonly script?: Script; readonly system?: Partial<SystemSpec> } = {},
): CronWorld {
  const runs: string[] = [];
  const spec = systemOf([simpleService('job', { type: 'cron', ...job })], { timeZone: 'UTC', ...system });
  const world = createWorld(spec, {
    has: () => true,
    script: () => {
      runs.push(new Date(world.clock.wallTime()).toISOString().slice(0, 16));
      return script;
    },
  });
  world.clock.setWallTime(Date.parse(begin));
  world.assembly.start();
  return {
    ...world,
    runs,
    pass: (ms) => world.clock.run(world.clock.now() + ms),
    log: () => world.kernel.written.stdout.split('\n'),
  };
}

describe('the system', () => {
  it('says once which services keep it up, when nothing else does', () => {
    const spec = systemOf([
      simpleService('job', { type: 'cron', interval: '@daily' }),
      simpleService('web'),
      simpleService('off', { type: 'cron', interval: '@daily', enabled: false }),
    ]);
    const world = createWorld(spec, { has: () => true, script: () => ({ steps: [{ do: 'wait', ms: minute }] }) });
    world.assembly.start();
    world.clock.run(hour);
    const waiting = world.notices.flatMap(({ notice }) => (notice.type === 'system.waiting' ? [notice.services] : []));
    expect(waiting).toEqual([['job.service']]);
  });
});

describe('a cron service', () => {
  it('runs at each tick, and is ready before the first', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '*/20 * * * *' });
    world.pass(second);
    expect(world.notices.map(({ notice }) => notice)).toContainEqual(
      expect.objectContaining({
        type: 'service.changed',
        service: 'job.service',
        change: { phase: 'ready.scheduled' },
        ignoreFailures: false,
      }),
    );
    expect(world.runs).toEqual([]);
    world.pass(hour);
    expect(world.runs).toEqual(['2030-01-01T00:20', '2030-01-01T00:40', '2030-01-01T01:00']);
  });

  it('may run every fifteen seconds', () => {
    const world = cronWorld('2030-01-01T00:00:01Z', { interval: '* * * * * */15' });
    world.pass(minute);
    expect(world.runs).toHaveLength(4);
  });

  it.each([
    {
      what: 'the clocks go forward: what the gap swallows runs once, after it',
      begin: '2030-03-30T12:00:00Z',
      interval: '30 2 * * *',
      runs: ['2030-03-31T01:00', '2030-04-01T00:30'],
    },
    {
      what: 'the clocks go back: a named time runs once',
      begin: '2030-10-26T12:00:00Z',
      interval: '30 2 * * *',
      runs: ['2030-10-27T00:30', '2030-10-28T01:30'],
    },
  ])('in Berlin, $what', ({ begin, interval, runs }) => {
    const world = cronWorld(begin, { interval }, { system: { timeZone: 'Europe/Berlin' } });
    world.pass(2 * day);
    expect(world.runs).toEqual(runs);
  });

  it('in Berlin runs in both of the repeated hours where it runs every hour', () => {
    const world = cronWorld('2030-10-26T23:40:00Z', { interval: '@hourly' }, { system: { timeZone: 'Europe/Berlin' } });
    world.pass(3 * hour);
    expect(world.runs).toEqual(['2030-10-27T00:00', '2030-10-27T01:00', '2030-10-27T02:00']);
  });

  it('runs on a leap day, and on none of the days between', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '0 12 29 2 *' });
    world.pass(7 * 365 * day);
    expect(world.runs).toEqual(['2032-02-29T12:00', '2036-02-29T12:00']);
  });

  it('runs on the 31st of the months that have one', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '0 0 31 * *' });
    world.pass(365 * day);
    expect(world.runs.map((run) => run.slice(5, 10))).toEqual(
      ['01', '03', '05', '07', '08', '10', '12'].map((month) => `${month}-31`),
    );
  });

  it('waits for a schedule a year away, and costs one look an hour on the way', () => {
    const world = cronWorld('2030-01-02T00:00:00Z', { interval: '@yearly' });
    world.pass(363 * day);
    expect(world.runs).toEqual([]);
    expect(world.clock.pending).toBe(1);
    world.pass(2 * day);
    expect(world.runs).toEqual(['2031-01-01T00:00']);
  });

  it('runs once at the end of a suspend of an hour, and then by its schedule', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '*/5 * * * *' });
    world.pass(7 * minute);
    // All clocks but the wall clock stop while a machine is suspended.
    world.clock.setWallTime(world.clock.wallTime() + hour);
    world.pass(9 * minute);
    expect(world.runs).toEqual(['2030-01-01T00:05', '2030-01-01T01:07', '2030-01-01T01:10', '2030-01-01T01:15']);
  });

  it('runs once after a pause of the container, within seconds', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '*/5 * * * *' });
    world.pass(7 * minute);
    world.kernel.supervisorClock.stall(hour);
    world.pass(hour + 2 * second);
    expect(world.runs).toEqual(['2030-01-01T00:05', '2030-01-01T01:07']);
    world.pass(4 * minute);
    expect(world.runs.slice(2)).toEqual(['2030-01-01T01:10']);
  });

  it('runs once where the clock is set forward during a pause', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '0 12 * * *' });
    world.pass(minute);
    world.kernel.supervisorClock.stall(minute);
    world.pass(second);
    world.clock.setWallTime(Date.parse('2030-01-03T13:00:00Z'));
    world.pass(second);
    expect(world.runs).toEqual([]);
    world.pass(minute);
    expect(world.runs).toEqual(['2030-01-03T13:00']);
    world.pass(day);
    expect(world.runs.slice(1)).toEqual(['2030-01-04T12:00']);
  });

  it('is not woken by a change of the clock once it is stopped', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '0 12 * * *' });
    world.pass(minute);
    world.kernel.deliver('SIGTERM');
    world.pass(minute);
    expect(world.output()).toMatchObject({ exitStatus: 0 });
    world.clock.setWallTime(Date.parse('2030-01-03T13:00:00Z'));
    world.pass(minute);
    expect(world.runs).toEqual([]);
  });

  it('goes on with a clock that is set back by an hour', () => {
    const world = cronWorld('2030-01-01T12:00:00Z', { interval: '*/5 * * * *' });
    world.pass(7 * minute);
    world.clock.setWallTime(world.clock.wallTime() - hour);
    world.pass(9 * minute);
    expect(world.runs).toEqual(['2030-01-01T12:05', '2030-01-01T11:10', '2030-01-01T11:15']);
  });

  it('does not run a fixed time again when the clock is set back by an hour', () => {
    const world = cronWorld('2030-01-01T11:30:00Z', { interval: '0 12 * * *' });
    world.pass(31 * minute);
    world.clock.setWallTime(world.clock.wallTime() - hour);
    world.pass(25 * hour);
    expect(world.runs).toEqual(['2030-01-01T12:00', '2030-01-02T12:00']);
  });

  it('skips a tick while the last run goes on, and says so', () => {
    const script: Script = { steps: [{ do: 'wait', ms: 150 * second }] };
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' }, { script });
    world.pass(5 * minute);
    expect(world.runs).toEqual(['2030-01-01T00:01', '2030-01-01T00:04']);
    const skipped = /: cron service job\.service is still running when next interval expired, will not run again$/;
    expect(world.log().filter((line) => skipped.test(line))).toHaveLength(3);
  });

  it('runs again after a run that failed, and after one that could not be started', () => {
    const script: Script = { steps: [{ do: 'exit', code: 3 }] };
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' }, { script });
    world.pass(2 * minute + second);
    expect(world.runs).toHaveLength(2);
    const log = world.log().join('\n');
    expect(log).toContain('job.service terminated abnormally with <ProcStatus exit_status=3>');
    expect(log).toContain('cron service job.service running CMD ( job )');
    expect(world.output()).toBeUndefined();
  });

  it('ends its job at a stop, and starts none afterwards', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' }, { script: { steps: [{ do: 'hang' }] } });
    world.pass(70 * second);
    world.kernel.deliver('SIGTERM');
    world.pass(hour);
    expect(world.output()).toMatchObject({ exitStatus: 0, stopped: ['job.service'] });
    expect(world.runs).toHaveLength(1);
    expect(world.kernel.livePids).toEqual([]);
    expect(world.clock.pending).toBe(0);
  });

  it('ends its job at a reset and keeps the schedule', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' }, { script: { steps: [{ do: 'hang' }] } });
    world.pass(90 * second);
    world.assembly.system.send({
      type: 'services.reset',
      names: ['job.service'],
      force: false,
      at: world.clock.now(),
    });
    world.pass(10 * second);
    expect(world.kernel.livePids).toEqual([]);
    expect(world.log().join('\n')).toContain('job.service received reset');
    expect(world.log().join('\n')).not.toContain('terminated abnormally');
    world.pass(30 * second);
    expect(world.runs).toEqual(['2030-01-01T00:01', '2030-01-01T00:02']);
  });
});

describe('detect_exit', () => {
  it('stays for a cron service, and says so once', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' });
    world.pass(10 * minute);
    const lines = world.log().filter((line) => /will remain active/.test(line));
    expect(lines).toEqual([
      expect.stringMatching(/: system will remain active since there are scheduled services: job\.service$/),
    ]);
    expect(world.output()).toBeUndefined();
  });

  it('ends the system when the last scheduled service is stopped by hand and its job has ended', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' }, { script: { steps: [{ do: 'hang' }] } });
    world.pass(90 * second);
    world.assembly.system.send({
      type: 'services.stop',
      names: ['job.service'],
      disable: false,
      again: false,
      drain: false,
      at: world.clock.now(),
    });
    world.pass(minute);
    expect(world.output()).toMatchObject({ end: { kind: 'noProcesses' }, exitStatus: 0 });
  });

  it('off says nothing', () => {
    const world = cronWorld('2030-01-01T00:00:00Z', { interval: '* * * * *' }, { system: { detectExit: false } });
    world.pass(10 * minute);
    expect(world.log().filter((line) => /will remain active/.test(line))).toEqual([]);
  });

  it('waits for what runs beside it before it speaks', () => {
    const job = simpleService('job', { type: 'cron', interval: '@hourly' });
    const other = simpleService('other');
    const world = createWorld(systemOf([job, other]), {
      has: () => true,
      script: () => ({ steps: [{ do: 'wait', ms: 10 * second }] }),
    });
    world.assembly.start();
    world.clock.run(9 * second);
    expect(world.kernel.written.stdout).not.toMatch(/will remain active/);
    world.clock.run(20 * second);
    expect(world.kernel.written.stdout).toMatch(/will remain active since there are scheduled services: job\.service/);
  });
});
