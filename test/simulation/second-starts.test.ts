/** A service that starts again is as one that starts for the first time, whatever its earlier runs have said, done or left. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { ServiceStatus } from '../../src/control/supervisor.ts';
import type { ServiceSpec, ServiceType } from '../../src/model/service/service-spec.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { KernelFact } from '../../src/runtime/simulated/simulated-kernel.ts';
import { tries } from '../effort.ts';
import { supervised } from './supervised.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const second = 1_000;
/** When the run that is compared begins. */
const begin = 100 * second;
/** Every so many ms after the beginning the service is looked at. */
const looks = [0, 100, 700, 3_000, 9_000, 20_000];

interface Plan {
  readonly spec: Partial<ServiceSpec>;
  /** What earlier runs do, one after the other; each is stopped, killed, or left to end. */
  readonly earlier: readonly { readonly script: Script; readonly end: 'stop' | 'kill' | 'restart' }[];
  /** What the run that is compared does. */
  readonly script: Script;
}

/** What a start may change: everything that is seen of the service from its start on, with times from there and without pids. */
function seen(plan: Plan, earlier: Plan['earlier']): unknown {
  const scripts = [...earlier.map(({ script }) => script), plan.script];
  const facts: unknown[] = [];
  let counts = false;
  const note = (fact: KernelFact, at: number): void => {
    if (!counts) return;
    if (fact.kind === 'spawned') facts.push([at, fact.kind, fact.request.argv, without(fact.request.environment)]);
    if (fact.kind === 'signalled') facts.push([at, fact.kind, fact.signal]);
    if (fact.kind === 'ended') facts.push([at, fact.kind, fact.status]);
  };
  const world = createWorld(
    systemOf([simpleService('web', { ...plan.spec, enabled: earlier.length > 0 }), simpleService('other')]),
    {
      has: () => true,
      script: ([word]) => (word === 'web' ? (scripts.length > 1 ? scripts.shift() : scripts[0]) : hangs),
      onFact: (fact) => note(fact, world.clock.now() - begin),
    },
  );
  const { assembly, clock, kernel, transitions } = world;
  const supervisor = supervised(world);
  assembly.start();
  earlier.forEach(({ end }, index) => {
    clock.run((index * 30 + 10) * second);
    if (end === 'kill') supervisor.kill('web.service', 'SIGKILL');
    clock.run((index * 30 + 11) * second);
    if (end === 'restart') supervisor.restart(['web.service'], { force: false });
    else supervisor.stop(['web.service'], { disable: false, drain: false });
    clock.run((index * 30 + 25) * second);
    if (index < earlier.length - 1) supervisor.start(['web.service'], { enable: true, force: false });
  });
  // A restart has begun the next run already: the run that is compared begins by itself.
  supervisor.stop(['web.service'], { disable: false, drain: false });
  clock.run(begin - second);
  supervisor.reset(['web.service'], { force: false });
  clock.run(begin);
  scripts.splice(0, scripts.length, plan.script);
  const lines = transitions.length;
  const words = kernel.written.stdout.length;
  counts = true;
  supervisor.start(['web.service'], { enable: true, force: false });
  const states = looks.map((ms) => {
    clock.run(begin + ms);
    return comparable(supervisor.service('web.service'), clock.wallTime() - ms, ms);
  });
  return {
    facts,
    states,
    lines: transitions.slice(lines).map(plain),
    words: kernel.written.stdout.slice(words).split('\n').map(plain),
  };
}

const hangs: Script = { steps: [{ do: 'hang' }] };

/** Without what tells of the service's whole life: its boot, and how its run before had ended. */
function comparable(status: ServiceStatus | undefined, began: number, age: number): unknown {
  if (status === undefined) return undefined;
  const { boot, since, why, lastWords, lastExit, ...rest } = status;
  const { since: from, ...reasons } = why;
  const own = lastExit !== undefined && lastExit.at >= began ? { ...lastExit, at: lastExit.at - began } : undefined;
  // Older words are told with their age.
  const words = lastWords !== undefined && lastWords.age <= age ? lastWords.line : undefined;
  return JSON.parse(plain(JSON.stringify({ ...rest, why: reasons, since: since - from, lastExit: own, words })));
}

/** Numbers of processes and runs, and the time of day, differ between two lives. */
function plain(text: string): string {
  return text
    .replace(/\bpid(?:[ =]|: )\d+/g, 'pid N')
    .replace(/"pid":\d+/g, '"pid":0')
    .replace(/\[\d+\]/g, '[N]')
    .replace(/^ *[\d.]+ +(?=web )/, '')
    .replace(/^(web +)(disabled|stopped|failed|exited) → starting/, '$1down → starting')
    .replace(/ +/g, ' ')
    .replace(/^\w{3} [ \d]\d [\d:]{8} /, '');
}

/** The notify socket and the invocation have names of their own each time. */
function without({ NOTIFY_SOCKET, INVOCATION_ID, ...rest }: Readonly<Record<string, string>>): unknown {
  return { ...rest, notifies: NOTIFY_SOCKET !== undefined };
}

const notifications = [
  'READY=1',
  'READY=1\nSTATUS=at work',
  'STATUS=left over',
  'STOPPING=1',
  'RELOADING=1',
  'NOTIFYACCESS=none',
  'NOTIFYACCESS=all',
  'WATCHDOG=1',
  'WATCHDOG=trigger',
  'WATCHDOG_USEC=300000',
  'WATCHDOG_USEC=0',
  'EXTEND_TIMEOUT_USEC=9000000',
  'RESTART_RESET=1',
  'EXIT_STATUS=9',
  'ERRNO=5',
  'BUSERROR=org.example.Failure',
  'MAINPID=$$',
  'BARRIER=1',
] as const;

const steps = (says: boolean): fc.Arbitrary<Step> =>
  fc.oneof(
    {
      weight: says ? 4 : 0,
      arbitrary: fc.constantFrom(...notifications).map((text): Step => ({ do: 'notify', text })),
    },
    { weight: 2, arbitrary: fc.constantFrom(0, 10, 600, 2_000).map((ms): Step => ({ do: 'wait', ms })) },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'print', text: 'last words\n', to: 'stderr' }) },
    { weight: 1, arbitrary: fc.constant<Step>({ do: 'fork', script: hangs }) },
    { weight: 1, arbitrary: fc.constantFrom(0, 1, 3).map((code): Step => ({ do: 'exit', code })) },
  );

function scriptOf(says: boolean): fc.Arbitrary<Script> {
  return fc.array(steps(says), { maxLength: 5 }).map((list) => ({ steps: [...list, { do: 'hang' }] }));
}

const plans: fc.Arbitrary<Plan> = fc.constantFrom<ServiceType>('simple', 'notify', 'oneshot').chain((type) =>
  fc.record({
    spec: fc.record(
      {
        type: fc.constant(type),
        restart: fc.boolean(),
        restartLimit: fc.constantFrom(0, 2),
        ignoreFailures: fc.constant(true),
        processTimeout: fc.constantFrom(1_000, 5_000),
        ...(type === 'notify' ? { watchdog: fc.constantFrom(500, 4_000) } : {}),
      },
      { requiredKeys: ['type', 'ignoreFailures'] },
    ),
    earlier: fc.array(
      fc.record({
        script: scriptOf(type === 'notify'),
        end: fc.constantFrom('stop' as const, 'kill' as const, 'restart' as const),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    script: scriptOf(type === 'notify'),
  }),
);

it('the second and the third start are as a first one', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      expect(seen(plan, plan.earlier)).toEqual(seen(plan, []));
    }),
    { numRuns: tries(80, 300) },
  );
});
