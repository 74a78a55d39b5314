/** Forking services, pidfiles and notify services in virtual time: scripted daemons with the faults of real ones. */
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import { tries } from '../effort.ts';
import { Random } from './random.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const hang: Step = { do: 'hang' };
const wait = (ms: number): Step => ({ do: 'wait', ms });
const say = (text: string): Step => ({ do: 'notify', text });
const write = (text = '$$\n'): Step => ({ do: 'write', path: '/run/web.pid', text });
const fork = (...steps: readonly Step[]): Step => ({ do: 'fork', detached: true, script: { steps } });

/** A world with one service, which is told to end after 100 s unless it ends before. */
function world(changes: Partial<ServiceSpec>, script: (start: number) => readonly Step[] | Script): World {
  let starts = 0;
  const result = createWorld(systemOf([simpleService('web', changes)]), {
    has: () => true,
    script: () => {
      starts += 1;
      const made = script(starts);
      return 'steps' in made ? made : { steps: made };
    },
  });
  result.clock.setTimeout(() => result.kernel.deliver('SIGTERM'), 100_000);
  result.assembly.start();
  result.clock.run();
  expect(result.kernel.livePids).toEqual([]);
  expect(result.kernel.openSockets).toEqual([]);
  expect(result.clock.pending).toBe(0);
  return result;
}

const phases = ({ notices }: World) =>
  notices.flatMap(({ at, notice }) => (notice.type === 'service.changed' ? [`${notice.change.phase} ${at}`] : []));
const cause = ({ notices }: Pick<World, 'notices'>) => {
  const failed = notices.findLast(
    ({ notice }) => notice.type === 'service.changed' && 'cause' in notice.change,
  )?.notice;
  return failed?.type === 'service.changed' && 'cause' in failed.change ? failed.change.cause : undefined;
};
const pidfile = '/run/web.pid';

describe('a forking service', () => {
  it('leaves a daemon, which is stopped with it', () => {
    const result = world({ type: 'forking' }, () => [wait(50), fork(hang)]);
    expect(phases(result).map((phase) => phase.split(' ')[0])).toEqual([
      'starting',
      'ready.exited',
      'stopping',
      'stopped',
    ]);
  });

  it('follows the process of its pidfile, and removes the file at the stop', () => {
    const result = world({ type: 'forking', pidfile }, () => [fork(wait(500), write(), hang), wait(10)]);
    expect(phases(result).slice(0, 2)).toEqual(['starting 0', expect.stringMatching(/^ready\.running \d+$/)]);
    expect(result.kernel.readFile(pidfile)).toBeUndefined();
    expect(result.output()).toMatchObject({ exitStatus: 0 });
  });

  it.each([
    ['absent', []],
    ['garbage', [write('soon\n')]],
    ['dead', [write()]],
    ['refused', [write('1\n')]],
  ] as const)('fails with a pidfile that is %s for the whole time', (trouble, steps) => {
    const result = world({ type: 'forking', pidfile }, () => [...steps]);
    expect(cause(result)).toMatchObject({ kind: 'pidfile', trouble });
    expect(result.output()).toMatchObject({ exitStatus: 1 });
  });

  it('takes garbage that becomes a number in time', () => {
    const result = world({ type: 'forking', pidfile }, () => [write(''), fork(wait(2_000), write(), hang)]);
    expect(phases(result)[1]).toMatch(/^ready\.running/);
  });

  it('is started again when the process of its pidfile crashes', () => {
    const result = world({ type: 'forking', pidfile, restart: true }, (start) => [
      fork(write(), wait(start === 1 ? 1_000 : 1_000_000), { do: 'exit', code: 1 }),
    ]);
    expect(phases(result).map((phase) => phase.split(' ')[0])).toEqual([
      'starting',
      'ready.running',
      'backoff',
      'starting',
      'ready.running',
      'stopping',
      'stopped',
    ]);
  });
});

describe('a notify service', () => {
  it('is ready at its datagram, also after its process became a daemon', () => {
    const plain = world({ type: 'notify' }, () => [wait(700), say('READY=1'), hang]);
    expect(phases(plain)[1]).toBe('ready.running 700');
    const daemon = world({ type: 'notify' }, () => [fork(wait(700), say('MAINPID=$$\nREADY=1'), hang)]);
    expect(phases(daemon)[1]).toBe('ready.running 700');
  });

  it('has failed when READY comes too late, and what comes then goes nowhere', () => {
    const result = world({ type: 'notify', processTimeout: 1_000 }, () => ({
      steps: [wait(1_501), say('READY=1'), hang],
      onSignal: { SIGTERM: [wait(100), say('READY=1'), say('STATUS=too late'), hang] },
    }));
    expect(cause(result)).toMatchObject({ kind: 'timeout' });
    expect(result.output()).toMatchObject({ exitStatus: 1 });
  });

  it('fails by an exit before READY, and by an error that it reports', () => {
    expect(cause(world({ type: 'notify' }, () => [wait(10), { do: 'exit', code: 3 }]))).toMatchObject({ kind: 'exit' });
    expect(cause(world({ type: 'notify' }, () => [wait(10), say('ERRNO=5'), hang]))).toMatchObject({ errno: 5 });
  });

  it('keeps no descriptor that it was not asked to keep, and gives back the others', () => {
    const result = world({ type: 'notify', restart: true }, (start) => [
      { do: 'notify', text: 'BARRIER=1', descriptors: 1 },
      { do: 'notify', text: 'FDSTORE=1\nFDNAME=a', descriptors: 2 },
      { do: 'notify', text: 'FDSTORE=1\nFDNAME=b', descriptors: 1 },
      { do: 'notify', text: 'FDSTOREREMOVE=1\nFDNAME=b' },
      say('READY=1'),
      wait(100),
      start === 1 ? { do: 'exit', code: 1 } : hang,
    ]);
    const second = result.kernel.spawned[1]?.request;
    expect(second?.environment).toMatchObject({ LISTEN_FDS: '2', LISTEN_FDNAMES: 'a:a' });
    expect(second?.descriptors).toHaveLength(2);
    expect(result.kernel.openDescriptors.size).toBe(4);
  });

  it.each([
    ['nothing', {}, [], [[], []]],
    ['a watchdog', { watchdog: 200_000 }, [], [['WATCHDOG_PID'], ['WATCHDOG_PID']]],
    ['descriptors that were kept', {}, [say('FDSTORE=1')], [[], ['LISTEN_PID']]],
    ['both', { watchdog: 200_000 }, [say('FDSTORE=1')], [['WATCHDOG_PID'], ['WATCHDOG_PID', 'LISTEN_PID']]],
  ] as const)('finds its own pid beside %s', (_, changes, steps, variables) => {
    const kept = steps.map((step) => ({ ...step, descriptors: 1 }));
    const result = world({ type: 'notify', restart: true, ...changes }, (start) => [
      ...kept,
      say('READY=1'),
      wait(100),
      start === 1 ? { do: 'exit', code: 1 } : hang,
    ]);
    expect(result.kernel.spawned.map(({ request }) => request.pidVariables)).toEqual(variables);
  });
});

describe('a pidfile that names an older process', () => {
  it.each(['forking', 'simple'] as const)('of the same account is refused for a %s service', (type) => {
    const account = { uid: 33, gid: 33, groups: [33] };
    let visitor = 0;
    const { kernel, clock, assembly, notices } = createWorld(
      systemOf([simpleService('web', { type, pidfile, account, processTimeout: 1_000 })]),
      {
        has: () => true,
        script: () => ({ steps: [write(`${visitor}\n`), ...(type === 'simple' ? [hang] : [])] }),
      },
    );
    const said: string[] = [];
    assembly.records$.subscribe(({ message }) => said.push(message));
    visitor = kernel.enter(33, { steps: [wait(60_000)] });
    clock.setTimeout(() => assembly.start(), 500);
    clock.run(30_000);
    expect(cause({ notices })).toMatchObject({ kind: 'pidfile', trouble: 'refused' });
    expect(said).toContainEqual(expect.stringMatching(/older than this start/));
  });
});

describe('the notify socket of a service', () => {
  const account = { uid: 33, gid: 33, groups: [33] };
  const own = simpleService('web', { type: 'notify', account, ignoreFailures: true });
  /** Runs a script until 1,000 ms, then the visit, and then to 5,000 ms. */
  const attacked = (
    script: readonly Step[],
    visit: (kernel: World['kernel']) => void,
    { reusesPids = false, killMode = 'group' }: { reusesPids?: boolean; killMode?: 'group' | 'process' } = {},
  ): World => {
    const programs = { has: () => true, script: () => ({ steps: script }), reusesPids };
    const result = createWorld(systemOf([{ ...own, killMode }]), programs);
    result.clock.setTimeout(() => visit(result.kernel), 1_000);
    result.clock.setTimeout(() => result.kernel.deliver('SIGTERM'), 5_000);
    result.assembly.start();
    result.clock.run();
    return result;
  };
  const states = (result: World) => phases(result).map((phase) => phase.split(' ')[0]);
  const fine = ['starting', 'ready.running', 'stopping', 'stopped'];

  it('is not heard by a process with the number of one that was its own', () => {
    // The daemon reaps its worker, so that chaperone does not hear of its end.
    const daemon = fork(fork(wait(500)), wait(200), say('READY=1\nMAINPID=$$'), hang);
    const visitors: number[] = [];
    const result = attacked(
      [daemon, wait(100)],
      (kernel) => {
        for (let count = 0; count < 3; count += 1) {
          const pid = kernel.enter(1_000, { steps: [wait(1_000)] });
          visitors.push(pid);
          kernel.intrude('web.service', { text: 'ERRNO=5\nX_CHAPERONE=1', sender: { pid, uid: 1_000 } });
        }
      },
      { reusesPids: true },
    );
    // The starter and the worker had these numbers.
    expect(visitors).toEqual([2, 4, 5]);
    expect(states(result)).toEqual(fine);
  });

  it.each([
    'group',
    'process',
  ] as const)('is heard by its processes of other accounts, with kill_mode: %s', (killMode) => {
    const worker: Step = {
      do: 'fork',
      detached: true,
      uid: 34,
      script: { steps: [wait(100), say('READY=1'), wait(2_000)] },
    };
    const result = attacked([worker, hang], () => undefined, { killMode });
    expect(phases(result)[1]).toBe('ready.running 100');
  });

  it('is not heard by the processes of another service', () => {
    const result = createWorld(
      systemOf([own, simpleService('other', { account: { uid: 34, gid: 34, groups: [34] } })]),
      { has: () => true, script: ([name]) => ({ steps: name === 'web' ? [say('READY=1'), hang] : [hang] }) },
    );
    result.clock.setTimeout(() => {
      for (const pid of result.kernel.livePids) {
        const uid = result.kernel.following.lookUp(pid)?.uid ?? 0;
        if (uid === 34) result.kernel.intrude('web.service', { text: 'ERRNO=5\nX_CHAPERONE=1', sender: { pid, uid } });
      }
    }, 1_000);
    result.clock.setTimeout(() => result.kernel.deliver('SIGTERM'), 5_000);
    result.assembly.start();
    result.clock.run();
    expect(phases(result).filter((phase) => /failed|backoff/.test(phase))).toEqual([]);
  });
});

const seeds = tries(100, 300);

/** A daemon that takes the steps of daemons in random order. */
function randomScript(random: Random): Script {
  const steps: Step[] = [];
  for (let count = random.integer(0, 6); count > 0; count--) {
    steps.push(
      random.pick<() => Step>([
        () => wait(random.integer(0, 3_000)),
        () => write(random.pick(['$$\n', '1', 'garbage', '', '999999'])),
        () =>
          say(random.pick(['READY=1', 'MAINPID=$$', 'MAINPID=2', 'ERRNO=5', 'STOPPING=1', 'WATCHDOG=1', 'nonsense'])),
        () =>
          say(
            random.pick(['READY=1\nMAINPID=$$', 'EXTEND_TIMEOUT_USEC=5000000', 'WATCHDOG=trigger', 'WATCHDOG_USEC=0']),
          ),
        () => ({
          do: 'notify',
          text: random.pick(['FDSTORE=1', 'BARRIER=1', 'READY=1']),
          descriptors: random.integer(0, 2),
        }),
        () => ({ do: 'fork', detached: random.chance(0.7), script: randomScript(random) }),
      ])(),
    );
  }
  const end = random.pick<Step>([
    hang,
    hang,
    { do: 'exit', code: 0 },
    { do: 'exit', code: 1 },
    { do: 'die', signal: 'SIGSEGV' },
  ]);
  return { steps: [...steps, end], ...(random.chance(0.3) ? { onSignal: { SIGTERM: 'ignore' } } : {}) };
}

function randomWorld(seed: number, trace = true): World {
  const random = new Random(seed);
  const services = Array.from({ length: random.integer(1, 4) }, (_, index) => {
    const type = random.pick(['forking', 'notify', 'simple'] as const);
    return simpleService(`s${index}`, {
      type,
      ...(type !== 'notify' && random.chance(0.6) ? { pidfile } : {}),
      ...(type === 'notify' && random.chance(0.5) ? { watchdog: random.integer(1, 2_000) } : {}),
      restart: random.chance(0.5),
      restartDelay: random.integer(0, 1_000),
      killMode: random.chance(0.8) ? 'group' : 'process',
      ignoreFailures: random.chance(0.6),
      exitKills: random.chance(0.1),
      processTimeout: random.pick([0, 500, 5_000]),
      startupPause: random.pick([0, 500]),
    });
  });
  const result = createWorld(systemOf(services), { has: () => true, script: () => randomScript(random) }, { trace });
  result.clock.setTimeout(() => result.kernel.deliver('SIGTERM'), random.integer(0, 20_000));
  result.assembly.start();
  result.clock.run(1_000_000);
  return result;
}

describe(`${seeds} random worlds of daemons`, () => {
  it('end within their budget with nothing left, and the same each time', () => {
    for (let seed = 0; seed < seeds; seed += 1) {
      const result = randomWorld(seed, seed < 20);
      const why = `seed ${seed}`;
      expect(result.output(), why).toBeDefined();
      expect(result.output()?.end.kind, why).not.toBe('internalError');
      expect(result.kernel.livePids, why).toEqual([]);
      expect(result.clock.pending, why).toBe(0);
      expect(result.kernel.openSockets, why).toEqual([]);
      const draining = result.notices.find(({ notice }) => notice.type === 'system.draining')?.at ?? Number.NaN;
      const halted = result.notices.find(({ notice }) => notice.type === 'system.halted')?.at ?? Number.NaN;
      expect(halted - draining, why).toBeLessThanOrEqual(8_000);
      if (seed < 20) expect(randomWorld(seed).transitions).toEqual(result.transitions);
    }
  });
});
