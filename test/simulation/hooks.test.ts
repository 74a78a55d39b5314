import { describe, expect, it } from 'vitest';
import type { Hook, HookStage } from '../../src/model/service/hook.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

/** A program that ends at once. */
const brief: Script = { steps: [] };
const endless: Script = { steps: [{ do: 'hang' }] };
const failing: Script = { steps: [{ do: 'exit', code: 3 }] };
const stubborn: Script = { steps: [{ do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
const lasting = (ms: number): Script => ({ steps: [{ do: 'wait', ms }] });
/** Leaves a daemon that has left its group, and ends. */
const forking: Script = { steps: [{ do: 'fork', script: endless, detached: true }] };

/** Hooks by stage; each command's first word is its program. */
function hooksOf(stages: Partial<Record<HookStage, readonly string[]>>): NonNullable<ServiceSpec['hooks']> {
  const commands = Object.fromEntries(
    Object.entries(stages).map(([stage, texts]) => [
      stage,
      texts.map((text): Hook => (text.startsWith('-') ? { command: text.slice(1), mayFail: true } : { command: text })),
    ]),
  );
  return { commands, afterStopTimeout: 8_000 };
}

interface Started {
  readonly at: number;
  readonly word: string;
  readonly environment: Readonly<Record<string, string>>;
}

class Boot {
  readonly world: World;
  readonly started: Started[] = [];
  readonly signals: string[] = [];
  readonly #words = new Map<number, string>();
  readonly #alive = new Set<number>();

  constructor(
    spec: Partial<ServiceSpec>,
    programs: Readonly<Record<string, Script>>,
    more: { readonly shutdownTimeout?: number } = {},
  ) {
    const world = createWorld(systemOf([simpleService('web', spec)], { detectExit: false, ...more }), {
      has: (word) => word in programs,
      script: ([word = '']) => programs[word],
      onFact: (fact) => {
        if (fact.kind === 'spawned') {
          const [word = ''] = fact.request.argv;
          this.started.push({
            at: world.clock.now(),
            word: fact.request.argv.join(' '),
            environment: fact.request.environment,
          });
          this.#words.set(fact.id, word);
          this.#alive.add(fact.id);
        }
        if (fact.kind === 'forked') {
          this.#words.set(fact.id, `child of ${this.#words.get(fact.root) ?? ''}`);
          this.#alive.add(fact.id);
        }
        if (fact.kind === 'ended') this.#alive.delete(fact.id);
        if (fact.kind === 'signalled' && fact.signal !== 'SIGCONT')
          this.signals.push(`${world.clock.now()} ${fact.signal} ${this.#words.get(fact.id) ?? ''}`);
      },
    });
    this.world = world;
    world.assembly.start();
  }

  /** The commands that were started, in order. */
  get words(): readonly string[] {
    return this.started.map(({ word }) => word);
  }

  /** The programs that live now. */
  get alive(): readonly string[] {
    return [...this.#alive].map((id) => this.#words.get(id) ?? '');
  }

  get phases(): readonly string[] {
    return this.world.notices.flatMap(({ notice }) => (notice.type === 'service.changed' ? [notice.change.phase] : []));
  }

  run(until: number): this {
    this.world.clock.run(until);
    return this;
  }

  stop(): this {
    const at = this.world.clock.now();
    const { system } = this.world.assembly;
    system.send({ type: 'services.stop', names: ['web.service'], disable: false, again: false, drain: false, at });
    return this;
  }

  environmentOf(word: string): Readonly<Record<string, string>> {
    return this.started.find((each) => each.word === word)?.environment ?? {};
  }
}

const all = {
  before_start: ['prepare', 'migrate'],
  after_start: ['announce'],
  before_stop: ['drain'],
  stop_command: ['quit'],
  after_stop: ['tidy'],
} as const;
const programs = {
  web: endless,
  prepare: lasting(100),
  migrate: lasting(100),
  announce: lasting(50),
  drain: lasting(30),
  quit: lasting(20),
  tidy: lasting(10),
};

describe('hooks', () => {
  it('run in their order around the command, and the service is ready after after_start', () => {
    const boot = new Boot({ hooks: hooksOf(all) }, programs).run(600);
    expect(boot.words).toEqual(['prepare', 'migrate', 'web']);
    boot.run(700 + 49);
    expect(boot.phases).toEqual(['starting']);
    boot.run(751);
    expect(boot.phases).toEqual(['starting', 'ready.running']);
    boot.stop().run(1_500);
    expect(boot.words).toEqual(['prepare', 'migrate', 'web', 'announce', 'drain', 'quit', 'tidy']);
    expect(boot.phases).toEqual(['starting', 'ready.running', 'stopping', 'stopped']);
    expect(boot.signals).toEqual(['801 SIGTERM web']);
  });

  it('expand their variables when they run, and get no notify socket', () => {
    const hooks = hooksOf({ before_start: ['say $(WHO) $(MAINPID)'], after_start: ['say $(WHO) "$(MAINPID)" `x`'] });
    const boot = new Boot(
      { type: 'notify', environment: { WHO: 'a b' }, hooks },
      {
        web: { steps: [{ do: 'notify', text: 'READY=1' }, { do: 'hang' }] },
        say: brief,
      },
    ).run(600);
    const [first, main, last] = boot.started;
    const pid = boot.world.kernel.spawned[1]?.pid;
    expect([first?.word, last?.word]).toEqual(['say a b $(MAINPID)', `say a b ${pid} \`x\``]);
    expect([first, main, last].map((each) => each?.environment['NOTIFY_SOCKET'] !== undefined)).toEqual([
      false,
      true,
      false,
    ]);
    expect(last?.environment['MAINPID']).toBe(String(pid));
  });

  it('of before_start that fail are a failed start, and after_stop follows it', () => {
    const boot = new Boot(
      { ignoreFailures: true, hooks: hooksOf({ before_start: ['bad', 'never'], after_stop: ['tidy'] }) },
      {
        web: endless,
        bad: failing,
        never: brief,
        tidy: brief,
      },
    ).run(2_000);
    expect(boot.words).toEqual(['bad', 'tidy']);
    expect(boot.phases).toEqual(['starting', 'stopping', 'failed']);
    expect(boot.environmentOf('tidy')).toMatchObject({ SERVICE_RESULT: 'exit-code' });
    expect(boot.environmentOf('tidy')).not.toHaveProperty('EXIT_CODE');
    expect(boot.world.kernel.written.stdout).toContain('web.service before_start 1 of 2 failed: exit 3');
  });

  it('with a minus may fail, also where they cannot be started', () => {
    const boot = new Boot(
      { hooks: hooksOf({ before_start: ['-bad', '-absent'], after_start: ['-bad'] }) },
      { web: endless, bad: failing },
    );
    expect(boot.run(2_000).words).toEqual(['bad', 'web', 'bad']);
    expect(boot.phases).toEqual(['starting', 'ready.running']);
  });

  it('that never end use up process_timeout, which spans all of them', () => {
    const hooks = hooksOf({ before_start: ['slow', 'hang'], after_stop: ['tidy'] });
    const boot = new Boot(
      { ignoreFailures: true, processTimeout: 1_000, hooks },
      {
        web: endless,
        slow: lasting(400),
        hang: stubborn,
        tidy: brief,
      },
    ).run(10_000);
    expect(boot.words).toEqual(['slow', 'hang', 'tidy']);
    expect(boot.signals).toEqual(['1000 SIGTERM hang', '3000 SIGKILL hang']);
    expect(boot.environmentOf('tidy')).toMatchObject({ SERVICE_RESULT: 'timeout' });
    const late = new Boot(
      {
        ignoreFailures: true,
        processTimeout: 1_000,
        hooks: hooksOf({ before_start: ['slow'], after_start: ['hang'] }),
      },
      {
        web: endless,
        slow: lasting(400),
        hang: endless,
      },
    ).run(5_000);
    expect(late.signals).toEqual(['1000 SIGTERM web', '1000 SIGTERM hang']);
    expect(late.phases).toEqual(['starting', 'stopping', 'failed']);
  });

  it('leave no process behind, daemons neither', () => {
    const boot = new Boot({ hooks: hooksOf({ before_start: ['fork'] }) }, { web: endless, fork: forking }).run(5_000);
    expect(boot.signals).toEqual(['0 SIGTERM child of fork']);
    expect(boot.words).toEqual(['fork', 'web']);
    expect(boot.alive).toEqual(['web']);
    expect(boot.world.kernel.written.stdout).toContain('web.service before_start has left 1 process behind');
    const stubbornChild: Script = { steps: [{ do: 'fork', script: stubborn, detached: true }] };
    const harder = new Boot({ hooks: hooksOf({ before_start: ['fork'] }) }, { web: endless, fork: stubbornChild }).run(
      5_000,
    );
    expect(harder.signals).toEqual(['0 SIGTERM child of fork', '2000 SIGKILL child of fork']);
    expect(harder.words).toEqual(['fork', 'web']);
  });

  it('of after_start that fail end the service', () => {
    const boot = new Boot(
      { ignoreFailures: true, hooks: hooksOf({ after_start: ['bad'], after_stop: ['tidy'] }) },
      { web: endless, bad: failing, tidy: brief },
    ).run(5_000);
    expect(boot.phases).toEqual(['starting', 'stopping', 'failed']);
    expect(boot.signals).toEqual(['500 SIGTERM web']);
    expect(boot.words).toEqual(['web', 'bad', 'tidy']);
  });

  it('of after_start end with a main process that crashes meanwhile', () => {
    const boot = new Boot(
      { ignoreFailures: true, hooks: hooksOf({ after_start: ['hang'], after_stop: ['tidy'] }) },
      {
        web: {
          steps: [
            { do: 'wait', ms: 700 },
            { do: 'exit', code: 4 },
          ],
        },
        hang: endless,
        tidy: brief,
      },
    ).run(5_000);
    expect(boot.signals).toEqual(['700 SIGTERM hang']);
    expect(boot.phases).toEqual(['starting', 'stopping', 'failed']);
    expect(boot.environmentOf('tidy')).toMatchObject({
      SERVICE_RESULT: 'exit-code',
      EXIT_CODE: 'exited',
      EXIT_STATUS: '4',
      EXIT_SIGNAL: '0',
    });
  });

  it('of after_stop follow every end once, before the next try', () => {
    const hooks = hooksOf({ before_start: ['prepare'], after_stop: ['tidy'] });
    const crashing: Script = {
      steps: [
        { do: 'wait', ms: 1_000 },
        { do: 'die', signal: 'SIGSEGV' },
      ],
    };
    const boot = new Boot(
      { restart: true, restartLimit: 1, restartDelay: 100, hooks },
      { web: crashing, prepare: brief, tidy: lasting(10) },
    ).run(10_000);
    expect(boot.words).toEqual(['prepare', 'web', 'tidy', 'prepare', 'web', 'tidy']);
    expect(boot.environmentOf('tidy')).toMatchObject({
      SERVICE_RESULT: 'signal',
      EXIT_CODE: 'killed',
      EXIT_STATUS: 'SEGV',
      EXIT_SIGNAL: '11',
    });
    expect(boot.phases).toEqual([
      'starting',
      'ready.running',
      'stopping',
      'backoff',
      'starting',
      'ready.running',
      'stopping',
      'failed',
    ]);
  });

  it('of after_stop know of a cron run that lasts for too long that it took too much time', () => {
    const boot = new Boot(
      { type: 'cron', interval: '* * * * * *', maxRuntime: 300, hooks: hooksOf({ after_stop: ['tidy'] }) },
      { web: endless, tidy: brief },
    ).run(2_500);
    expect(boot.environmentOf('tidy')).toMatchObject({ SERVICE_RESULT: 'timeout', EXIT_STATUS: 'TERM' });
  });

  it.each([
    [false, 1],
    [true, 0],
  ])('of before_start are blamed for what they leave behind, unless they were told to end: %j', (isTold, count) => {
    const left: Script = { steps: [{ do: 'wait', ms: 500 }, { do: 'hang' }], onSignal: { SIGTERM: 'ignore' } };
    const boot = new Boot(
      { hooks: hooksOf({ before_start: ['prepare'] }) },
      {
        web: endless,
        prepare: {
          steps: [
            { do: 'fork', script: left },
            { do: 'wait', ms: 1_000 },
          ],
        },
      },
    );
    boot.run(500);
    if (isTold) boot.stop();
    boot.run(3_000);
    const log = boot.world.kernel.written.stdout.split('\n');
    expect(log.filter((line) => line.includes('before_start has left 1 process behind'))).toHaveLength(count);
  });

  it('of after_stop follow a normal end, and not again at the stop', () => {
    const boot = new Boot({ hooks: hooksOf({ after_stop: ['tidy'] }) }, { web: lasting(1_000), tidy: brief }).run(
      2_000,
    );
    expect(boot.phases).toEqual(['starting', 'ready.running', 'stopping', 'exited']);
    expect(boot.environmentOf('tidy')).toMatchObject({
      SERVICE_RESULT: 'success',
      EXIT_CODE: 'exited',
      EXIT_STATUS: '0',
    });
    boot.stop().run(3_000);
    expect(boot.words).toEqual(['web', 'tidy']);
    expect(boot.phases.at(-1)).toBe('stopped');
  });

  describe('where a process that a notify service has left names itself after the normal end', () => {
    const hooks = hooksOf({ after_start: ['announce'], before_stop: ['drain'], after_stop: ['tidy'] });
    /** The main process ends at once; its child is the service from 1,000 ms on. */
    const leaving = (child: Script): Script => ({
      steps: [
        { do: 'notify', text: 'READY=1' },
        { do: 'fork', script: child },
      ],
    });
    const named = [
      { do: 'wait', ms: 1_000 },
      { do: 'notify', text: 'MAINPID=$$' },
    ] as const;
    const begun = ['web', 'announce', 'tidy'];
    const up = ['starting', 'stopping', 'exited', 'ready.running'];
    const boot = (child: Script): Boot =>
      new Boot({ type: 'notify', hooks }, { ...programs, web: leaving(child), tidy: brief });

    it('after_stop follows the stop of that process, too', () => {
      const stopped = boot({ steps: [...named, { do: 'hang' }] }).run(2_000);
      expect(stopped.words).toEqual(begun);
      expect(stopped.phases).toEqual(up);
      expect(stopped.stop().run(4_000).words).toEqual([...begun, 'drain', 'tidy']);
      expect(stopped.phases).toEqual([...up, 'stopping', 'stopped']);
    });

    it('after_stop follows its crash, and is told of it', () => {
      const crashed = boot({ steps: [...named, { do: 'wait', ms: 1_000 }, { do: 'die', signal: 'SIGSEGV' }] });
      expect(crashed.run(4_000).words).toEqual([...begun, 'tidy']);
      expect(crashed.phases).toEqual([...up, 'stopping', 'failed']);
      expect(crashed.started.at(-1)?.environment).toMatchObject({ SERVICE_RESULT: 'signal', EXIT_STATUS: 'SEGV' });
    });

    it('after_stop follows its normal end, and not again at the stop', () => {
      const ended = boot({ steps: [...named, { do: 'wait', ms: 1_000 }] }).run(4_000);
      expect(ended.words).toEqual([...begun, 'tidy']);
      expect(ended.phases).toEqual([...up, 'stopping', 'exited']);
      expect(ended.stop().run(6_000).words).toEqual([...begun, 'tidy']);
      expect(ended.phases.at(-1)).toBe('stopped');
    });
  });

  it('of a oneshot that counts as up wait for its stop', () => {
    const hooks = hooksOf({ after_start: ['announce'], stop_command: ['undo'], after_stop: ['tidy'] });
    const spec = { type: 'oneshot', remainAfterExit: true, hooks } as const;
    const boot = new Boot(spec, { web: brief, announce: brief, undo: brief, tidy: brief }).run(1_000);
    expect(boot.words).toEqual(['web', 'announce']);
    expect(boot.phases).toEqual(['starting', 'ready.exited']);
    expect(boot.stop().run(2_000).words).toEqual(['web', 'announce', 'undo', 'tidy']);
    const over = new Boot(
      { ...spec, remainAfterExit: false },
      { web: brief, announce: brief, undo: brief, tidy: brief },
    ).run(1_000);
    expect(over.words).toEqual(['web', 'announce', 'tidy']);
    expect(over.phases).toEqual(['starting', 'stopping', 'ready.exited']);
  });

  it.each([
    'simple',
    'forking',
  ] as const)('of a stop run only where the service is up, and not while a %s one waits for its probes', (type) => {
    const ready = { kind: 'probe', check: { kind: 'tcp', host: 'localhost', port: 80 } } as const;
    const times = { interval: 100, longest: 1_000, timeout: 1_000, retries: 2, startPeriod: 0 };
    const hooks = hooksOf({ before_stop: ['drain'], stop_command: ['quit'], after_stop: ['tidy'] });
    const spec = { type, remainAfterExit: true, ready: { ...ready, ...times }, hooks };
    const boot = new Boot(spec, { ...programs, web: type === 'forking' ? brief : endless }).run(1_000);
    expect(boot.phases).toEqual(['starting']);
    expect(boot.stop().run(3_000).words).toEqual(['web', 'tidy']);
    expect(boot.phases.at(-1)).toBe('stopped');
  });

  it('of after_stop that ignore SIGTERM get SIGKILL after as long again as the stop', () => {
    const spec = { stopTimeout: 1_000, hooks: { ...hooksOf({ after_stop: ['tidy'] }), afterStopTimeout: 1_000 } };
    const boot = new Boot(spec, { web: stubborn, tidy: stubborn }).run(1_000).stop().run(5_000);
    expect(boot.signals).toEqual(['1000 SIGTERM web', '2000 SIGKILL web', '3000 SIGKILL tidy']);
    expect(boot.environmentOf('tidy')).toMatchObject({
      SERVICE_RESULT: 'timeout',
      EXIT_CODE: 'killed',
      EXIT_STATUS: 'KILL',
    });
    expect(boot.phases.at(-1)).toBe('stopped');
  });

  it('of a stop that cannot be started or hang hold up neither the signals nor SIGKILL', () => {
    const absent = new Boot({ hooks: hooksOf({ before_stop: ['gone'], stop_command: ['gone'] }) }, { web: endless })
      .run(1_000)
      .stop()
      .run(5_000);
    expect(absent.signals).toEqual(['1000 SIGTERM web']);
    expect(absent.world.kernel.written.stdout).toContain(
      "web.service stop_command failed: executable 'gone' not found",
    );
    const hanging = new Boot(
      { stopTimeout: 2_000, hooks: hooksOf({ before_stop: ['hang'], stop_command: ['never'] }) },
      { web: endless, hang: endless, never: brief },
    )
      .run(1_000)
      .stop()
      .run(5_000);
    expect(hanging.signals).toEqual(['3000 SIGKILL web', '3000 SIGKILL hang']);
    expect(hanging.words).toEqual(['web', 'hang']);
    expect(hanging.phases.at(-1)).toBe('stopped');
  });

  it('of stop_command may end the service, without any signal', () => {
    const boot = new Boot({ hooks: hooksOf({ stop_command: ['quit'] }) }, { web: lasting(1_500), quit: lasting(600) })
      .run(1_000)
      .stop()
      .run(5_000);
    expect(boot.signals).toEqual([]);
    expect(boot.phases).toEqual(['starting', 'ready.running', 'stopping', 'stopped']);
  });

  it('that cannot be split when they run are spawn errors with their stage', () => {
    const boot = new Boot(
      { ignoreFailures: true, environment: { QUOTE: "it's" }, hooks: hooksOf({ before_start: ['say $(QUOTE)'] }) },
      { web: endless, say: brief },
    ).run(1_000);
    expect(boot.words).toEqual([]);
    expect(boot.world.kernel.written.stdout).toContain(
      'cannot make words of the command: a quote in it is never closed',
    );
    expect(boot.phases).toEqual(['starting', 'failed']);
  });

  /** How far the service has come when the stop, the shutdown or the kill comes: in each stage of its chart. */
  const moments = [
    ['starting.beforeStart', 50],
    ['starting.settling', 300],
    ['starting.afterStart', 725],
    ['ready.running', 900],
  ] as const;

  it.each(moments)('end with the service that is stopped in %s', (stage, at) => {
    const boot = new Boot({ hooks: hooksOf(all) }, programs).run(at);
    expect(boot.world.assembly.feed.milestones('web.service')?.stage).toBe(stage);
    boot.stop().run(at + 3_000);
    expect(boot.alive).toEqual([]);
    expect(boot.phases.at(-1)).toBe('stopped');
    expect(boot.words.filter((word) => word === 'tidy')).toEqual(['tidy']);
    expect(boot.words.includes('drain')).toBe(stage === 'ready.running');
  });

  it.each([
    ...moments,
    ['stopping.beforeStop', 915],
    ['stopping.stopCommand', 940],
    ['stopping.afterStop', 957],
  ] as const)('end with the system that is shut down in %s', (stage, at) => {
    const boot = new Boot({ hooks: hooksOf(all) }, programs);
    if (stage.startsWith('stopping')) boot.run(900).stop();
    boot.run(at);
    expect(boot.world.assembly.feed.milestones('web.service')?.stage).toBe(stage);
    boot.world.kernel.deliver('SIGTERM');
    boot.run(at + 8_000);
    expect(boot.alive).toEqual([]);
    expect(boot.world.output()?.exitStatus).toBe(0);
    expect(boot.words.filter((word) => word === 'tidy')).toEqual(['tidy']);
    expect(boot.world.clock.now() - at).toBeLessThanOrEqual(8_000);
  });
});

describe('the signals of a stop', () => {
  const steps = [
    { signal: 'SIGQUIT', pause: 2_000 },
    { signal: 'SIGTERM', pause: 1_000 },
  ] as const;
  const deaf: Script = { steps: [{ do: 'hang' }], onSignal: { SIGQUIT: 'ignore', SIGTERM: 'ignore' } };
  const spec = { killSignal: 'SIGQUIT', killSteps: steps, stopTimeout: 3_000 } as const;

  it('follow each other after their pauses, and then comes SIGKILL', () => {
    const boot = new Boot(spec, { web: deaf }).run(1_000).stop().run(9_000);
    expect(boot.signals).toEqual(['1000 SIGQUIT web', '3000 SIGTERM web', '4000 SIGKILL web']);
  });

  it('end with the service', () => {
    const obeying: Script = { steps: [{ do: 'hang' }], onSignal: { SIGQUIT: 'ignore' } };
    expect(new Boot(spec, { web: obeying }).run(1_000).stop().run(9_000).signals).toEqual([
      '1000 SIGQUIT web',
      '3000 SIGTERM web',
    ]);
    expect(new Boot(spec, { web: endless }).run(1_000).stop().run(9_000).signals).toEqual(['1000 SIGQUIT web']);
  });

  it('come also where a failed run is ended', () => {
    const crashed: Script = {
      steps: [
        { do: 'fork', script: deaf },
        { do: 'wait', ms: 1_000 },
        { do: 'exit', code: 1 },
      ],
    };
    const boot = new Boot({ ...spec, ignoreFailures: true }, { web: crashed }).run(9_000);
    expect(boot.signals).toEqual([
      '1000 SIGQUIT child of web',
      '3000 SIGTERM child of web',
      '4000 SIGKILL child of web',
    ]);
  });

  it('go to the main process alone with kill_mode: mixed, and the others get SIGKILL once it has ended', () => {
    const parent = (main: Script['onSignal']): Script => ({
      steps: [{ do: 'fork', script: endless }, { do: 'hang' }],
      ...(main === undefined ? {} : { onSignal: main }),
    });
    const boot = new Boot(
      { killMode: 'mixed' },
      {
        web: parent({
          SIGTERM: [
            { do: 'wait', ms: 500 },
            { do: 'exit', code: 0 },
          ],
        }),
      },
    )
      .run(1_000)
      .stop()
      .run(9_000);
    expect(boot.signals).toEqual(['1000 SIGTERM web', '1500 SIGKILL child of web']);
    const late = new Boot({ killMode: 'mixed', stopTimeout: 2_000 }, { web: parent({ SIGTERM: 'ignore' }) })
      .run(1_000)
      .stop()
      .run(9_000);
    expect(late.signals).toEqual(['1000 SIGTERM web', '3000 SIGKILL web', '3000 SIGKILL child of web']);
    const gone: Script = {
      steps: [
        { do: 'fork', script: endless },
        { do: 'wait', ms: 800 },
      ],
    };
    const left = new Boot({ killMode: 'mixed' }, { web: gone }).run(1_000).stop().run(9_000);
    expect(left.signals).toEqual(['1000 SIGKILL child of web']);
  });

  it('take their share of a shutdown: stop_timeout, and never more than leaves a second to each layer below', () => {
    const wait = (stopTimeout: number) => {
      const boot = new Boot({ stopTimeout }, { web: stubborn }, { shutdownTimeout: 8_000 }).run(1_000);
      boot.world.kernel.deliver('SIGTERM');
      return boot.run(12_000).signals;
    };
    expect(wait(2_000)).toEqual(['1000 SIGTERM web', '3000 SIGKILL web']);
    expect(wait(60_000)).toEqual(['1000 SIGTERM web', '8500 SIGKILL web']);
  });
});

describe('the hooks of cron runs', () => {
  const cron = { type: 'cron', interval: '* * * * * */2' } as const;

  it('run around each run, which ends for the schedule when after_stop has ended', () => {
    const hooks = hooksOf({ before_start: ['prepare'], after_stop: ['tidy'] });
    const boot = new Boot({ ...cron, hooks }, { web: lasting(100), prepare: lasting(100), tidy: lasting(2_000) });
    boot.run(6_500);
    // The tick at 4 s finds after_stop of the first run, and is skipped.
    expect(boot.words).toEqual(['prepare', 'web', 'tidy', 'prepare', 'web', 'tidy']);
    expect(boot.environmentOf('tidy')).toMatchObject({ SERVICE_RESULT: 'success', EXIT_STATUS: '0' });
    expect(boot.world.kernel.written.stdout).toContain('is still running when next interval expired');
  });

  it('of before_start that fail are a failed run, and change nothing for the next', () => {
    const hooks = hooksOf({ before_start: ['bad'], after_stop: ['tidy'] });
    const boot = new Boot({ ...cron, hooks }, { web: brief, bad: failing, tidy: brief }).run(4_500);
    expect(boot.words).toEqual(['bad', 'tidy', 'bad', 'tidy']);
    expect(boot.environmentOf('tidy')).toMatchObject({ SERVICE_RESULT: 'resources' });
    expect(boot.world.kernel.written.stdout).toContain('before_start: exit 3');
  });

  it('end with the service, and after_stop follows a run that was ended', () => {
    const hooks = hooksOf({ before_start: ['prepare'], after_stop: ['tidy'] });
    const early = new Boot({ ...cron, hooks }, { web: endless, prepare: lasting(500), tidy: brief })
      .run(2_200)
      .stop()
      .run(5_000);
    expect(early.words).toEqual(['prepare', 'tidy']);
    expect(early.signals).toEqual(['2200 SIGTERM prepare']);
    const late = new Boot({ ...cron, hooks, stopTimeout: 1_000 }, { web: stubborn, prepare: brief, tidy: stubborn })
      .run(2_200)
      .stop()
      .run(9_000);
    expect(late.signals).toEqual(['2200 SIGTERM web', '3200 SIGKILL web', '4200 SIGKILL tidy']);
    expect(late.alive).toEqual([]);
    expect(late.phases.at(-1)).toBe('stopped');
  });
});
