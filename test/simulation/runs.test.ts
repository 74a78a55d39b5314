import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { Meter } from '../../src/control/meter.ts';
import type { CronOptions } from '../../src/model/schedule/cron-options.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const second = 1_000;
const minute = 60 * second;

const lasting = (ms: number): Script => ({ steps: [{ do: 'wait', ms }] });

interface JobOptions {
  readonly cron?: CronOptions;
  readonly spec?: Partial<ServiceSpec>;
  readonly script?: (nth: number) => Script;
  readonly random?: () => number;
}

/** A cron service that is due every minute, from ten seconds before a minute on, on a system that does nothing else. */
function jobWorld({ cron = {}, spec = {}, script = () => lasting(second), random }: JobOptions) {
  const runs: string[] = [];
  const job = simpleService('job', { type: 'cron', interval: '* * * * *', cron, ...spec });
  const world = createWorld(
    systemOf([job], { timeZone: 'UTC', detectExit: false }),
    {
      has: () => true,
      script: () => {
        runs.push(new Date(world.clock.wallTime()).toISOString().slice(11, 19));
        return script(runs.length);
      },
    },
    random === undefined ? {} : { random },
  );
  world.clock.setWallTime(Date.parse('2030-01-01T00:00:50Z'));
  const supervisor = supervised(world);
  world.assembly.start();
  const say = (line: string) => {
    const parsed = parseLine(line);
    if (parsed.kind !== 'command') throw new Error(`"${line}" is no command`);
    return execute(parsed.command, { supervisor, timers: world.clock, meter: new Meter() });
  };
  return {
    ...world,
    runs,
    say,
    status: () => supervisor.service('job.service'),
    pass: (ms: number) => world.clock.run(world.clock.now() + ms),
    log: () => world.kernel.written.stdout.split('\n'),
  };
}

describe('a cron service whose last run goes on', () => {
  const long = { script: (nth: number) => lasting(nth === 1 ? 150 * second : second) };

  it('leaves the ticks out', () => {
    const world = jobWorld(long);
    world.pass(4 * minute);
    expect(world.runs).toEqual(['00:01:00', '00:04:00']);
    expect(world.log().filter((line) => line.includes('will not run again'))).toHaveLength(2);
  });

  it('lets one run wait with overlap: queue, which stands for all ticks until it begins', () => {
    const world = jobWorld({ ...long, cron: { overlap: 'queue' } });
    world.pass(90 * second);
    expect(world.status()?.why.sentence).toBe(
      'waits for its present run to end; then one run starts, for all that have become due',
    );
    world.pass(150 * second);
    expect(world.runs).toEqual(['00:01:00', '00:03:30', '00:04:00']);
    expect(world.log().filter((line) => line.includes('the next run waits for its end'))).toHaveLength(1);
    expect(world.log().filter((line) => line.includes('one run waits already'))).toHaveLength(1);
  });

  it('drops the run that waits at a stop, a reset and a shutdown', () => {
    const world = jobWorld({ ...long, cron: { overlap: 'queue' } });
    world.pass(90 * second);
    void world.say('reset --force job');
    world.pass(10 * second);
    expect(world.status()).toMatchObject({ stage: 'ready.scheduled', running: 0 });
    world.pass(30 * second);
    expect(world.runs).toEqual(['00:01:00', '00:03:00']);
  });

  it('ends it with overlap: replace, and begins the next one once nothing is left of it', () => {
    const deaf: Script = { steps: [{ do: 'wait', ms: 10 * minute }], onSignal: { SIGTERM: 'ignore' } };
    const world = jobWorld({ script: (nth) => (nth === 1 ? deaf : lasting(second)), cron: { overlap: 'replace' } });
    world.pass(2 * minute);
    expect(world.runs).toEqual(['00:01:00', '00:02:02']);
    expect(world.log().filter((line) => line.includes('is ended for that'))).toHaveLength(1);
    expect(world.log().filter((line) => line.includes('terminated abnormally'))).toEqual([]);
  });
});

describe('the ticks of a cron service', () => {
  it('are put off by chance, up to its jitter, and the status tells until when', () => {
    const chances = [0.5, 0, 0.999];
    const world = jobWorld({ cron: { jitter: 30 * second }, random: () => chances.shift() ?? 0 });
    world.pass(12 * second);
    expect(world.runs).toEqual([]);
    expect(world.status()?.nextRun).toBe(Date.parse('2030-01-01T00:01:15Z'));
    world.pass(160 * second);
    expect(world.runs).toEqual(['00:01:15', '00:02:00', '00:03:29']);
  });

  it('begin with a run at each start of the service', async () => {
    const world = jobWorld({ cron: { runAtStart: true } });
    world.pass(second);
    expect(world.runs).toEqual(['00:00:50']);
    await world.say('stop job');
    world.pass(second);
    await world.say('start job');
    world.pass(second);
    expect(world.runs).toEqual(['00:00:50', '00:00:52']);
  });

  it.each([
    { catchUp: {}, runs: ['00:02:00', '05:00:30', '05:01:00'] },
    { catchUp: { catchUp: false } as const, runs: ['00:02:00', '05:01:00'] },
  ])('that a suspend has passed over lead to one run, or to none: $catchUp', ({ catchUp, runs }) => {
    const world = jobWorld({ cron: catchUp });
    world.pass(15 * second);
    world.runs.length = 0;
    world.pass(60 * second);
    world.clock.setWallTime(Date.parse('2030-01-01T05:00:30Z'));
    world.pass(40 * second);
    expect(world.runs).toEqual(runs);
  });

  it('go by the time zone of the service', () => {
    const world = jobWorld({
      cron: { timeZone: 'Asia/Kolkata' },
      spec: { interval: '31 5 * * *' },
    });
    world.pass(2 * minute);
    expect(world.runs).toEqual(['00:01:00']);
    expect(world.status()?.timeZone).toBe('Asia/Kolkata');
  });
});

describe('max_runtime of a cron service', () => {
  it('ends a run that lasts longer, as an abnormal end, and lets the next ones begin', () => {
    const deaf: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
    const world = jobWorld({
      script: (nth) => (nth === 1 ? deaf : lasting(2 * second)),
      spec: { maxRuntime: 30 * second },
    });
    world.pass(45 * second);
    expect(world.status()).toMatchObject({ running: 0, state: 'ready' });
    expect(world.log().filter((line) => line.includes('ran longer than max_runtime, 30 s'))).toHaveLength(1);
    world.pass(minute);
    expect(world.runs).toEqual(['00:01:00', '00:02:00']);
    expect(world.log().filter((line) => line.includes('max_runtime'))).toHaveLength(1);
  });

  it.each([
    { grace: 2 * second, spec: {} },
    { grace: 500, spec: { stopTimeout: 500 } },
    { grace: 8 * second, spec: { stopTimeout: 8 * second } },
  ])('gives a run the time of a stop before SIGKILL: $grace ms', ({ grace, spec }) => {
    const deaf: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
    const world = jobWorld({ script: () => deaf, spec: { maxRuntime: 30 * second, ...spec } });
    world.pass(40 * second + grace - 20);
    expect(world.status()).toMatchObject({ running: 1 });
    world.pass(50);
    expect(world.status()).toMatchObject({ running: 0 });
  });

  it('ends a run in its own time although one that a reset has told to end has more', async () => {
    const deaf: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
    const served = simpleService('served', { type: 'inetd', port: 8_000, maxConnections: 2, maxRuntime: second });
    const world = createWorld(systemOf([served], { detectExit: false }), { has: () => true, script: () => deaf });
    const supervisor = supervised(world);
    const running = (): number | undefined => supervisor.service('served.service')?.running;
    const pass = (ms: number) => world.clock.run(world.clock.now() + ms);
    world.assembly.start();
    pass(100);
    world.kernel.connect(8_000);
    pass(100);
    supervisor.reset(['served.service'], { force: false });
    pass(100);
    world.kernel.connect(8_000);
    pass(2 * second);
    expect(running()).toBe(2);
    pass(second + 100);
    expect(running()).toBe(1);
    pass(5 * second);
    expect(running()).toBe(0);
  });
});

describe('run-now', () => {
  it('runs a cron service beside its schedule, as any other run', async () => {
    const world = jobWorld({});
    world.pass(second);
    expect(await world.say('run-now job')).toEqual({ kind: 'done', text: 'runs begun.' });
    world.pass(20 * second);
    expect(world.runs).toEqual(['00:00:51', '00:01:00']);
    expect(world.log().some((line) => line.includes('somebody has asked for it'))).toBe(true);
  });

  it.each([
    { script: lasting(second), answer: { kind: 'done', text: 'runs ended.' } },
    {
      script: { steps: [{ do: 'exit', code: 3 }] } as Script,
      answer: { kind: 'failed', names: ['job.service'], text: 'Command error: job: exit 3' },
    },
  ])('answers with --wait by what has come of the run: $answer.kind', async ({ script, answer }) => {
    const world = jobWorld({ script: () => script });
    world.pass(second);
    const answered = world.say('run-now --wait job');
    world.pass(5 * second);
    expect(await answered).toEqual(answer);
  });

  it('tells with --wait that a stop has cut the run short, and that max_runtime was over', async () => {
    const world = jobWorld({ script: () => lasting(minute) });
    world.pass(second);
    const answered = world.say('run-now --wait job');
    world.pass(second);
    await world.say('stop job');
    world.pass(second);
    expect(await answered).toMatchObject({
      kind: 'failed',
      text: 'Command error: job: was ended by a stop, a reset or its next run',
    });
    const other = jobWorld({ script: () => lasting(minute), spec: { maxRuntime: 2 * second } });
    other.pass(second);
    const late = other.say('run-now --wait job');
    other.pass(6 * second);
    expect(await late).toMatchObject({ kind: 'failed', text: 'Command error: job: ran longer than max_runtime, 2 s' });
  });

  it('is refused while a run goes on, where the service is stopped, and for other types', async () => {
    const world = jobWorld({ script: () => lasting(minute) });
    world.pass(second);
    await world.say('run-now job');
    expect(await world.say('run-now job')).toMatchObject({ kind: 'refused', reason: 'runs', names: ['job'] });
    await world.say('stop job');
    world.pass(second);
    expect(await world.say('run-now job')).toMatchObject({ kind: 'refused', reason: 'unscheduled' });
  });

  it('waits for the present run with overlap: queue, and several requests share one run', async () => {
    const world = jobWorld({ script: () => lasting(5 * second), cron: { overlap: 'queue' } });
    world.pass(11 * second);
    const answers = [world.say('run-now --wait job'), world.say('run-now --wait job')];
    world.pass(12 * second);
    expect(await Promise.all(answers)).toEqual([
      { kind: 'done', text: 'runs ended.' },
      { kind: 'done', text: 'runs ended.' },
    ]);
    expect(world.runs).toEqual(['00:01:00', '00:01:05']);
  });

  it('gives up waiting after its time limit, and the run goes on', async () => {
    const world = jobWorld({ script: () => lasting(20 * second) });
    world.pass(second);
    const answered = world.say('run-now --wait --timeout 3 job');
    world.pass(4 * second);
    expect(await answered).toMatchObject({ kind: 'timedOut', names: ['job.service'] });
    expect(world.status()?.running).toBe(1);
  });
});
