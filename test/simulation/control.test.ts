import { describe, expect, it } from 'vitest';
import { parseLine } from '../../src/control/command-words.ts';
import { execute } from '../../src/control/execute.ts';
import { blameText } from '../../src/control/listing.ts';
import { Meter } from '../../src/control/meter.ts';
import { criticalChain, renderChain, withShortNames } from '../../src/facts/critical-chain.ts';
import { reportOf } from '../../src/inspect/boot-report.ts';
import type { Entry } from '../../src/inspect/entry.ts';
import { Recording } from '../../src/inspect/page/recording.ts';
import { chainOf } from '../../src/inspect/page/start-chain.ts';
import { renderReport } from '../../src/inspect/render-report.ts';
import { severities } from '../../src/model/log/syslog-names.ts';
import type { AssemblySupervisor } from '../../src/runtime/control/assembly-supervisor.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const second = 1_000;
const hour = 3_600 * second;

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

  it('tells its next run at once after the clock was set back or forward', () => {
    const { status, clock } = world();
    clock.setWallTime(Date.parse('2029-05-15T22:00:00Z'));
    expect(status()?.nextRun).toBe(Date.parse('2029-05-16T01:00:00Z'));
    expect(status()?.why.condition).toBe('its next run in 3 h');
    clock.setWallTime(Date.parse('2029-05-16T00:59:00Z'));
    expect(status()?.why.condition).toBe('its next run in 1 m');
    clock.run(clock.now() + 60 * second);
    expect(status()?.nextRun).toBe(Date.parse('2029-05-17T01:00:00Z'));
    expect(status()?.lastExit).toMatchObject({ status: { kind: 'exited', code: 3 } });
  });

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
    supervisor.stop(['job.service'], { disable: false, drain: false });
    clock.run(2 * second);
    expect(status()).toMatchObject({ state: 'stopped' });
    expect(status()).not.toHaveProperty('nextRun');
    expect(status()).not.toHaveProperty('timeZone');
    supervisor.start(['job.service'], { enable: false, force: false });
    clock.run(4 * second);
    expect(status()?.nextRun).toBe(Date.parse('2030-01-02T02:00:00Z'));
  });
});

describe('a stop while a start is under way', () => {
  /** `held` never reaches its program, and `store` runs since long. */
  function world() {
    const store = simpleService('store');
    const held = simpleService('held', { prerequisites: ['store.service'], restart: true });
    const made = createWorld(systemOf([store, held]), {
      has: () => true,
      script: () => ({ steps: [{ do: 'hang' }] }),
      spawnDelay: ({ argv: [word] }) => (word === 'held' ? hour : 0),
    });
    const alarms: string[] = [];
    made.assembly.records$.subscribe(({ severity, message }) => {
      if (severities.indexOf(severity) <= severities.indexOf('warning')) alarms.push(message);
    });
    const supervisor = supervised(made);
    made.assembly.start();
    made.clock.run(2 * second);
    const states = () => supervisor.services().map(({ state }) => state);
    return { ...made, supervisor, states, alarms };
  }

  it('by hand cancels the start, and the service is stopped at once, without a failure', () => {
    const { clock, supervisor, states, alarms } = world();
    expect(states()).toEqual(['ready', 'starting']);
    supervisor.stop(['held.service'], { disable: false, drain: false });
    clock.run(2_001);
    expect(states()).toEqual(['ready', 'stopped']);
    expect(alarms).toEqual([]);
  });

  it('of the system cancels the start, and does not hold up what the service needs', () => {
    const { clock, supervisor, transitions, output, alarms } = world();
    const before = transitions.length;
    supervisor.shutdown(0);
    clock.run(2_100);
    expect(output()).toMatchObject({ exitStatus: 0 });
    expect(transitions.slice(before).filter((line) => line.includes('stopped'))).toEqual([
      expect.stringContaining('cannot execute held: its start was cancelled (ECANCELED)'),
      expect.stringContaining('SIGTERM'),
    ]);
    expect(alarms).toEqual(['Request made to kill system.']);
  });
});

describe('why a service waits', () => {
  const stubborn: Script = {
    steps: [{ do: 'hang' }],
    onSignal: {
      SIGTERM: [
        { do: 'wait', ms: 500 },
        { do: 'exit', code: 0 },
      ],
    },
  };

  function world() {
    const store = simpleService('store');
    const web = simpleService('web', { prerequisites: ['store.service'] });
    const made = createWorld(systemOf([store, web]), { has: () => true, script: () => stubborn });
    const supervisor = supervised(made);
    made.assembly.start();
    const sentences = () => supervisor.services().map(({ why }) => why.sentence);
    return { ...made, supervisor, sentences };
  }

  it('is told at each step of a start, a restart by hand and the end', () => {
    const { clock, supervisor, sentences } = world();
    clock.run(100);
    expect(sentences()).toEqual([
      'waits for startup_pause to pass (0.4 s left); ready; an abnormal end before that is a failed start',
      'waits for store to be ready; then it starts',
    ]);
    clock.run(2_000);
    supervisor.restart(['store.service', 'web.service'], { force: false });
    clock.run(2_100);
    expect(sentences()).toEqual([
      'waits for web to end; then it is told to stop, and starts again',
      expect.stringMatching(/^waits for pid \d+ to end after SIGTERM; after 7\.9 s: SIGKILL; then it starts again$/),
    ]);
    clock.run(2_600);
    expect(sentences()).toEqual([
      expect.stringMatching(/^waits for pid \d+ to end after SIGTERM; after 7\.9 s: SIGKILL; then it starts again$/),
      'waits for store to be ready; then it starts',
    ]);
    clock.run(10_000);
    supervisor.shutdown(0);
    clock.run(10_200);
    expect(sentences()).toEqual([
      'waits for web to end; then it is told to stop',
      expect.stringMatching(/^waits for pid \d+ to end after SIGTERM; after 3\.\d s: SIGKILL; then stopped$/),
    ]);
  });

  it('tells the time to SIGKILL that is in force: more where the service has asked for it, less once the system ends', () => {
    const slow: Script = {
      steps: [{ do: 'notify', text: 'READY=1' }, { do: 'hang' }],
      onSignal: {
        SIGTERM: [
          { do: 'wait', ms: second },
          { do: 'notify', text: 'EXTEND_TIMEOUT_USEC=30000000' },
          { do: 'wait', ms: 60 * second },
        ],
      },
    };
    const web = simpleService('web', { type: 'notify' });
    const world = createWorld(systemOf([web]), { has: () => true, script: () => slow });
    const { clock } = world;
    const supervisor = supervised(world);
    const left = () => supervisor.service('web.service')?.why.next;
    world.assembly.start();
    clock.run(2 * second);
    supervisor.stop(['web.service'], { disable: false, drain: false });
    clock.run(2.5 * second);
    expect(left()).toBe('after 7.5 s: SIGKILL; then stopped');
    clock.run(4 * second);
    expect(left()).toBe('after 29 s: SIGKILL; then stopped');
    supervisor.shutdown(0);
    clock.run(4.1 * second);
    expect(left()).toMatch(/^after 7\.\d s: SIGKILL; then stopped$/);
  });

  it('says which restart follows once what a failed run has left is ended, and that none does where none may', () => {
    const left: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: [{ do: 'wait', ms: second }] } };
    const crash: Script = {
      steps: [
        { do: 'fork', script: left },
        { do: 'wait', ms: 2 * second },
        { do: 'exit', code: 1 },
      ],
    };
    const web = simpleService('web', { restart: true, restartLimit: 1 });
    const world = createWorld(systemOf([web, simpleService('other')]), {
      has: () => true,
      script: ([name]) => (name === 'web' ? crash : stubborn),
    });
    const supervisor = supervised(world);
    const next = () => supervisor.service('web.service')?.why.next;
    world.assembly.start();
    world.clock.run(2.5 * second);
    expect(next()).toMatch(/SIGKILL; then restart 1 of 1, after exit 1$/);
    supervisor.setEnabled(['web.service'], false);
    expect(next()).toMatch(/SIGKILL; then failed: exit 1$/);
    supervisor.setEnabled(['web.service'], true);
    world.clock.run(3 * second + web.restartDelay + 2.5 * second);
    expect(next()).toMatch(/SIGKILL; then failed: exit 1, and no restart is left$/);
  });

  it('a start of a service that is queued, or runs, is told to be one too many', () => {
    const { clock, supervisor, kernel } = world();
    clock.run(100);
    supervisor.start(['store.service', 'web.service'], { enable: false, force: false });
    supervisor.shutdown(2_500);
    clock.run(4_000);
    const log = kernel.written.stdout;
    expect(log).toContain('service store.service already started.  further starts ignored.');
    expect(log).toContain('service web.service already started.  further starts ignored.');
    expect(log).toContain('requested shutdown scheduled to occur in 2.5 seconds');
  });

  it.each([
    [60_000, 5_000],
    [5_000, 60_000],
  ])('a shutdown in %i ms and another one in %i ms are told to come at the earlier time', (first, second) => {
    const { clock, supervisor, output } = world();
    clock.run(100);
    const begin = clock.wallTime();
    supervisor.shutdown(first);
    clock.run(200);
    supervisor.shutdown(second);
    const at = supervisor.status().shutdownAt;
    expect(at).toBe(Math.min(begin + first, begin + 100 + second));
    clock.run(100 + (at ?? 0) - begin - 1);
    expect(supervisor.status().state).toBe('up');
    clock.run(clock.now() + 20_000);
    expect(output()?.end).toEqual({ kind: 'command' });
  });

  it('begins at the time at which it came there', () => {
    const { clock, supervisor } = world();
    const begin = clock.wallTime();
    clock.run(700);
    const [store, web] = supervisor.services();
    expect(store).toMatchObject({ since: begin + 500, age: 200, why: { since: begin + 500 } });
    expect(web).toMatchObject({ since: begin + 500, why: { since: begin + 500 } });
  });
});

describe('what decided how long a boot took', () => {
  /** `flaky` is ready, ends with 5 and is restarted, while `after` still waits for `slow`, and then waits for `flaky` again. */
  function world() {
    const services = [
      simpleService('flaky', { startupPause: 50, restart: true, restartDelay: second, restartLimit: 3 }),
      simpleService('slow', { type: 'oneshot' }),
      simpleService('broken', { type: 'oneshot', ignoreFailures: true }),
      simpleService('after', { prerequisites: ['flaky.service', 'slow.service'], startupPause: 100 }),
      simpleService('byhand', { enabled: false, startupPause: 3 * second }),
    ];
    const wait = (ms: number, code: number): Script => ({
      steps: [
        { do: 'wait', ms },
        { do: 'exit', code },
      ],
    });
    const scripts = new Map([
      ['flaky', [wait(100, 5)]],
      ['slow', [wait(600, 0)]],
      ['broken', [wait(300, 2)]],
    ]);
    const made = createWorld(systemOf(services), {
      has: () => true,
      script: ([name = '']) => scripts.get(name)?.shift() ?? { steps: [{ do: 'hang' }] },
    });
    const entries: Entry[] = [];
    made.inspection.hub.watch({ records: false, onEntry: (entry) => entries.push(entry) > 0 });
    const supervisor = supervised(made);
    made.assembly.start();
    return { ...made, supervisor, entries };
  }

  function liveChain(supervisor: AssemblySupervisor): string {
    const { ready } = supervisor.status();
    const times = supervisor
      .services()
      .flatMap(({ name, boot }) => (boot === undefined ? [] : [withShortNames({ ...boot, service: name })]));
    return renderChain(criticalChain(times, ready), ready);
  }

  const chain = 'critical chain: after 0.100 s (8 %) ← flaky 1.150 s (92 %), restarted after exit 5';

  it('is the same for the status, the terminal, a journal and the page, whatever happens after the boot', () => {
    const { clock, supervisor, entries, transitions } = world();
    clock.run(2 * second);
    expect(supervisor.status().ready).toBe(1_250);
    supervisor.start(['byhand.service'], { enable: true, force: false });
    supervisor.restart(['after.service'], { force: false });
    clock.run(20 * second);
    expect(supervisor.service('byhand.service')).toMatchObject({
      state: 'ready',
      boot: { started: 2_000, byHand: true, ready: 5_000 },
    });
    expect(liveChain(supervisor)).toBe(chain);
    expect(transitions.join('\n')).toContain(chain);
    const report = reportOf(entries);
    expect(renderReport(report).split('\n')[2]).toBe(chain);
    const recording = new Recording();
    recording.append(entries);
    expect(renderChain(chainOf(recording.head, recording.lastAt).map(withShortNames), report.ready)).toBe(chain);
  });

  it('is blamed on the same services by the status and by a journal, failed starts included', () => {
    const { clock, supervisor, entries } = world();
    clock.run(2 * second);
    const live = blameText(supervisor.services());
    expect(live).toBe(
      ['    0.600 s  slow', '    0.300 s  broken  failed: exit 2', '    0.100 s  after', '    0.050 s  flaky', ''].join(
        '\n',
      ),
    );
    const told =
      renderReport(reportOf(entries))
        .split('\n\n')
        .find((part) => part.startsWith('blame\n')) ?? '';
    expect(told.split('\n')).toEqual([
      'blame',
      '     0.600 s  slow',
      '     0.300 s  broken                            failed: exit 2',
      '     0.100 s  after   waited 1.150 s for flaky',
      '     0.050 s  flaky',
    ]);
  });

  it('is not cut as long as the system is not up', () => {
    const { clock, supervisor } = world();
    clock.run(700);
    expect(supervisor.status()).not.toHaveProperty('ready');
    expect(liveChain(supervisor)).toBe('critical chain: slow 0.600 s');
  });
});

describe('a run that somebody waits for', () => {
  it.each([
    [3, [], { kind: 'failed', text: 'Command error: job: exit 3' }, 'crash'],
    [3, [3], { kind: 'done', text: 'runs ended.' }, 'exit'],
    [0, [3], { kind: 'done', text: 'runs ended.' }, 'exit'],
  ] as const)('and that exits with %d, where success_exit is %j, is answered and recorded as such', async (code, successExit, answer, mark) => {
    const job = simpleService('job', { type: 'cron', interval: '@daily', successExit });
    const world = createWorld(systemOf([job], { detectExit: false }), {
      has: () => true,
      script: () => ({ steps: [{ do: 'exit', code }] }),
    });
    world.assembly.start();
    world.clock.run(1_000);
    const parsed = parseLine('run-now --wait job');
    if (parsed.kind !== 'command') throw new Error('this is a command');
    const { command } = parsed;
    const answered = execute(command, { supervisor: supervised(world), timers: world.clock, meter: new Meter() });
    world.clock.run(2_000);
    expect(await answered).toMatchObject(answer);
    const recorded: Entry[] = [];
    world.inspection.hub.watch({ onEntry: (entry) => recorded.push(entry) > 0 });
    const recording = new Recording();
    recording.append(recorded);
    const kinds = recording.marks.get('job.service')?.map(({ kind }) => kind) ?? [];
    expect(kinds.filter((kind) => kind === 'exit' || kind === 'crash')).toEqual([mark]);
  });
});
