import { describe, expect, it } from 'vitest';
import { satisfies } from '../../src/model/ordering.ts';
import { isEnded, type ServicePhase } from '../../src/model/service-phase.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service-spec.ts';
import type { SignalName } from '../../src/model/signal.ts';
import type { Kernel, SpawnRequest } from '../../src/runtime/kernel.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { SimulatedKernel } from '../../src/runtime/simulated/simulated-kernel.ts';
import { Random } from './random.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const seeds = 400;

interface Signalled {
  readonly at: number;
  readonly pid: number;
  readonly signal: SignalName;
}

interface RandomWorld extends World {
  readonly spec: SystemSpec;
  readonly spawned: ReadonlyMap<number, string>;
  readonly signals: readonly Signalled[];
}

function randomService(random: Random, index: number): ServiceSpec {
  const prerequisites = Array.from({ length: index }, (_, other) => other)
    .filter(() => random.chance(0.3))
    .map((other) => `s${other}.service`);
  const group = random.chance(0.1) && prerequisites.length === 0 ? 'INIT' : random.chance(0.1) ? 'IDLE' : 'default';
  return simpleService(`s${index}`, {
    type: random.chance(0.3) ? 'oneshot' : 'simple',
    // INIT may not wait for others, and nothing but IDLE may wait for IDLE: the stages would contradict each other.
    prerequisites: group === 'INIT' ? [] : prerequisites,
    groups: [group],
    enabled: random.chance(0.9),
    restart: random.chance(0.6),
    restartDelay: random.pick([0, 100, 3_000]),
    restartLimit: random.integer(0, 4),
    startupPause: random.pick([0, 100, 500]),
    processTimeout: random.pick([0, 200, 5_000]),
    ignoreFailures: random.chance(0.5),
    exitKills: random.chance(0.05),
    killSignal: random.pick(['SIGTERM', 'SIGINT', 'SIGUSR1']),
  });
}

function contradictory(services: readonly ServiceSpec[]): boolean {
  const groupOf = new Map(services.map(({ name, groups }) => [name, groups[0]]));
  return services.some(({ groups, prerequisites }) =>
    prerequisites.some((name) => groupOf.get(name) === 'IDLE' && groups[0] !== 'IDLE'),
  );
}

function randomScript(random: Random): Script {
  const end: Step = random.pick<Step>([
    { do: 'exit', code: 0 },
    { do: 'exit', code: 0 },
    { do: 'exit', code: 1 },
    { do: 'die', signal: 'SIGSEGV' },
    { do: 'hang' },
    { do: 'hang' },
    { do: 'hang' },
  ]);
  const steps: Step[] = [{ do: 'print', text: 'hello\n' }];
  if (random.chance(0.1)) steps.push({ do: 'fork', script: { steps: [{ do: 'hang' }] }, detached: random.chance(0.5) });
  if (random.chance(0.8)) steps.push({ do: 'wait', ms: random.integer(0, 2_000) });
  steps.push(end);
  const reaction = random.pick<'ignore' | 'die' | readonly Step[]>([
    'die',
    'die',
    'ignore',
    [
      { do: 'wait', ms: random.integer(0, 3_000) },
      { do: 'exit', code: 0 },
    ],
  ]);
  return {
    steps,
    ...(reaction === 'die' ? {} : { onSignal: { SIGTERM: reaction, SIGINT: reaction, SIGUSR1: reaction } }),
  };
}

function runWorld(seed: number): RandomWorld {
  const random = new Random(seed);
  let services: readonly ServiceSpec[];
  do services = Array.from({ length: random.integer(1, 8) }, (_, index) => randomService(random, index));
  while (contradictory(services));
  const spec = systemOf(services, {
    shutdownTimeout: random.pick([500, 2_000, 8_000]),
    detectExit: random.chance(0.7),
  });

  const spawned = new Map<number, string>();
  const signals: Signalled[] = [];
  const wrap = (kernel: SimulatedKernel): Kernel => ({
    pid: kernel.pid,
    hostname: kernel.hostname,
    exits$: kernel.exits$,
    childrenGone$: kernel.childrenGone$,
    signals$: kernel.signals$,
    findProgram: (word) => kernel.findProgram(word),
    hasChildren: () => kernel.hasChildren(),
    signalAll: (signal) => kernel.signalAll(signal),
    sink: (target) => kernel.sink(target),
    fileSink: (request) => kernel.fileSink(request),
    remoteSink: (host) => kernel.remoteSink(host),
    openLogSocket: (path) => kernel.openLogSocket(path),
    defer: (callback) => kernel.defer(callback),
    spawn: (request: SpawnRequest) => {
      const outcome = kernel.spawn(request);
      if (outcome.ok) spawned.set(outcome.pid, `${request.argv[0]}.service`);
      return outcome;
    },
    signal: (pid, signal, target) => {
      signals.push({ at: kernel.clock.now(), pid, signal });
      return kernel.signal(pid, signal, target);
    },
  });
  const world = createWorld(
    spec,
    {
      has: () => true,
      script: () => randomScript(random),
      fault: () => (random.chance(0.03) ? { code: 'EAGAIN', stage: 'clone' } : undefined),
    },
    wrap,
  );

  for (let kills = random.integer(0, 6); kills > 0; kills--) {
    world.clock.setTimeout(
      () => {
        const pids = world.kernel.livePids;
        if (pids.length > 0) world.kernel.signal(random.pick(pids), 'SIGKILL', 'process');
      },
      random.integer(0, 15_000),
    );
  }
  const stopAt = random.integer(0, 20_000);
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), stopAt);
  if (random.chance(0.2)) {
    world.clock.setTimeout(() => world.kernel.deliver('SIGINT'), stopAt + 10);
    world.clock.setTimeout(() => world.kernel.deliver('SIGINT'), stopAt + 20);
  }
  world.assembly.start();
  world.clock.run();
  return { ...world, spec, spawned, signals };
}

/** Walks the notices with the phase of every service as it was just before each. */
function replay(
  world: RandomWorld,
  visit: (entry: RandomWorld['notices'][number], phases: ReadonlyMap<string, ServicePhase>) => void,
): void {
  const phases = new Map<string, ServicePhase>(
    world.assembly.spec.services.map(({ name, enabled }) => [name, enabled ? 'pending' : 'disabled']),
  );
  for (const entry of world.notices) {
    visit(entry, phases);
    if (entry.notice.type === 'service.changed') phases.set(entry.notice.service, entry.notice.change.phase);
  }
}

/** The promises of the supervisor; each throws where a world breaks it. */
const invariants: Readonly<Record<string, (world: RandomWorld) => void>> = {
  'nothing is let go before its prerequisites are ready'(world) {
    const specs = new Map(world.spec.services.map((service) => [service.name, service]));
    replay(world, ({ notice }, phases) => {
      if (notice.type !== 'service.released') return;
      for (const name of specs.get(notice.service)?.prerequisites ?? []) {
        const phase = phases.get(name) ?? 'pending';
        const ready = satisfies({ phase, ignoreFailures: specs.get(name)?.ignoreFailures ?? false });
        expect(ready, `${notice.service} starts while ${name} is ${phase}`).toBe(true);
      }
    });
  },
  'nothing starts once shutdown has begun'(world) {
    let drainedAt = Number.POSITIVE_INFINITY;
    replay(world, ({ at, notice }) => {
      if (notice.type === 'system.draining') drainedAt = at;
      if (notice.type === 'service.released') expect(drainedAt).toBe(Number.POSITIVE_INFINITY);
      // In the instant of the shutdown, what had been let go before may still report.
      if (notice.type === 'service.changed' && notice.change.phase === 'starting')
        expect(at).toBeLessThanOrEqual(drainedAt);
    });
  },
  'a service is stopped only after all that waited for it have ended'(world) {
    const dependents = (name: string): readonly string[] =>
      world.spec.services.filter(({ prerequisites }) => prerequisites.includes(name)).map((service) => service.name);
    let draining = false;
    replay(world, ({ notice }, phases) => {
      if (notice.type === 'system.draining') draining = true;
      if (notice.type === 'system.forced') draining = false;
      if (!draining || notice.type !== 'service.changed' || notice.change.phase !== 'stopping') return;
      for (const name of dependents(notice.service)) {
        const phase = phases.get(name) ?? 'pending';
        expect(isEnded(phase), `${notice.service} stops while ${name} is ${phase}`).toBe(true);
      }
    });
  },
  'shutdown ends within its budget'(world) {
    const begin = world.notices.find(({ notice }) => notice.type === 'system.draining')?.at ?? Number.NaN;
    const end = world.notices.find(({ notice }) => notice.type === 'system.halted')?.at ?? Number.NaN;
    expect(end - begin).toBeLessThanOrEqual(world.spec.shutdownTimeout);
  },
  'SIGKILL comes only after the own signal, unless forced'(world) {
    if (world.notices.some(({ notice }) => notice.type === 'system.forced')) return;
    const specs = new Map(world.spec.services.map((service) => [service.name, service]));
    for (const { pid, signal, at } of world.signals) {
      if (signal !== 'SIGKILL') continue;
      const own = specs.get(world.spawned.get(pid) ?? '')?.killSignal;
      const before = world.signals.find((other) => other.pid === pid && other.signal === own);
      expect(before?.at ?? Number.POSITIVE_INFINITY, `pid ${pid}`).toBeLessThanOrEqual(at);
    }
  },
  'no process and no timer is left'(world) {
    expect(world.kernel.livePids).toEqual([]);
    expect(world.clock.pending).toBe(0);
  },
  'the exit status tells the cause'(world) {
    const output = world.output();
    expect(output).toBeDefined();
    const kind = output?.end.kind;
    if (kind === 'serviceFailed') expect(output?.exitStatus).toBe(1);
    if (kind === 'noProcesses' || kind === 'nothingStarted') expect(output?.exitStatus).toBe(0);
    expect(kind).not.toBe('internalError');
  },
};

describe(`${seeds} random worlds with killed services`, () => {
  const worlds = Array.from({ length: seeds }, (_, seed) => ({ seed, world: runWorld(seed) }));

  it.each(Object.entries(invariants))('%s', (_name, check) => {
    for (const { seed, world } of worlds) {
      try {
        check(world);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}\n${world.transitions.join('\n')}`, { cause: error });
      }
    }
  });

  it('are the same again for the same seed', () => {
    for (const { seed, world } of worlds.slice(0, 20)) expect(runWorld(seed).transitions).toEqual(world.transitions);
  });

  it('reach every kind of end that needs no fault of chaperone itself', () => {
    const kinds = new Set(worlds.map(({ world }) => world.output()?.end.kind));
    expect([...kinds].sort()).toEqual(['exitKills', 'noProcesses', 'nothingStarted', 'serviceFailed', 'signal']);
  });
});
