import { describe, expect, it } from 'vitest';
import { satisfies } from '../../src/model/ordering.ts';
import { isScheduled, mostRuns } from '../../src/model/scheduling.ts';
import { isEnded, type ServicePhase } from '../../src/model/service-phase.ts';
import type { ServiceSpec, ServiceType, SystemSpec } from '../../src/model/service-spec.ts';
import type { SignalName } from '../../src/model/signal.ts';
import type { Kernel, SpawnRequest } from '../../src/runtime/kernel.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { SimulatedKernel } from '../../src/runtime/simulated/simulated-kernel.ts';
import { Random } from './random.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const seeds = 500;
const mostServices = 12;

interface Signalled {
  readonly at: number;
  readonly pid: number;
  readonly signal: SignalName;
}

interface Spawned {
  readonly at: number;
  readonly service: string;
}

interface RandomWorld extends World {
  readonly spec: SystemSpec;
  readonly spawned: ReadonlyMap<number, Spawned>;
  /** The most processes that a service was seen with, descendants left out. */
  readonly most: ReadonlyMap<string, number>;
  readonly signals: readonly Signalled[];
}

/** What is random about a type: how often it comes, what its services say beside the common things, and what they run. */
interface TypeEntry {
  readonly weight: number;
  spec(random: Random, index: number): Partial<ServiceSpec>;
  script(random: Random): Script;
}

/** A service type takes part in every world by its entry here. */
const types: Readonly<Partial<Record<ServiceType, TypeEntry>>> = {
  simple: { weight: 5, spec: () => ({}), script: randomScript },
  oneshot: { weight: 2, spec: () => ({}), script: randomScript },
  cron: {
    weight: 2,
    spec: (random) => ({ interval: random.pick(['* * * * * *', '* * * * * */3', '* * * * * */7', '@hourly']) }),
    script: randomScript,
  },
  inetd: {
    weight: 2,
    spec: (random, index) => ({ port: 8_000 + index, maxConnections: random.integer(1, 4) }),
    script: randomScript,
  },
};

const serviceTypes: readonly ServiceType[] = ['simple', 'oneshot', 'forking', 'notify', 'inetd', 'cron'];
const typeNames = Object.entries(types).flatMap(([type, { weight }]) => Array.from({ length: weight }, () => type));

function randomType(random: Random): { readonly type: ServiceType; readonly entry: TypeEntry } {
  const picked = random.pick(typeNames);
  const type = serviceTypes.find((name) => name === picked) ?? 'simple';
  const entry = types[type];
  if (entry === undefined) throw new Error(`${type} has no entry`);
  return { type, entry };
}

function randomService(random: Random, index: number): ServiceSpec {
  const prerequisites = Array.from({ length: index }, (_, other) => other)
    .filter(() => random.chance(0.3))
    .map((other) => `s${other}.service`);
  const group = random.chance(0.1) && prerequisites.length === 0 ? 'INIT' : random.chance(0.1) ? 'IDLE' : 'default';
  const { type, entry } = randomType(random);
  return simpleService(`s${index}`, {
    type,
    ...entry.spec(random, index),
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
  do services = Array.from({ length: random.integer(1, mostServices) }, (_, index) => randomService(random, index));
  while (contradictory(services));
  const spec = systemOf(services, {
    shutdownTimeout: random.pick([500, 2_000, 8_000]),
    detectExit: random.chance(0.7),
  });

  const specs = new Map(services.map((service) => [service.name, service]));
  const spawned = new Map<number, Spawned>();
  const live = new Map<string, Set<number>>(services.map(({ name }) => [name, new Set()]));
  const most = new Map<string, number>();
  const signals: Signalled[] = [];
  const wrap = (kernel: SimulatedKernel): Kernel => ({
    pid: kernel.pid,
    hostname: kernel.hostname,
    exits$: kernel.exits$,
    childrenGone$: kernel.childrenGone$,
    signals$: kernel.signals$,
    findProgram: (word) => kernel.findProgram(word),
    listen: (port) => kernel.listen(port),
    closeConnection: (connection) => kernel.closeConnection(connection),
    hasChildren: () => kernel.hasChildren(),
    signalAll: (signal) => kernel.signalAll(signal),
    sink: (target) => kernel.sink(target),
    following: kernel.following,
    notifying: kernel.notifying,
    spawn: (request: SpawnRequest) => {
      const outcome = kernel.spawn(request);
      if (!outcome.ok) return outcome;
      const service = `${request.argv[0]}.service`;
      spawned.set(outcome.pid, { service, at: kernel.clock.now() });
      const pids = live.get(service)?.add(outcome.pid) ?? new Set();
      most.set(service, Math.max(most.get(service) ?? 0, pids.size));
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
      script: ([name]) => types[specs.get(`${name}.service`)?.type ?? 'simple']?.script(random),
      fault: () => (random.chance(0.03) ? { code: 'EAGAIN', stage: 'clone' } : undefined),
      listenFault: () => (random.chance(0.1) ? random.pick(['EADDRINUSE', 'EACCES']) : undefined),
      acceptFault: () => (random.chance(0.05) ? 'EMFILE' : undefined),
    },
    wrap,
  );
  world.kernel.exits$.subscribe(({ exits }) => {
    for (const { pid } of exits) live.get(spawned.get(pid)?.service ?? '')?.delete(pid);
  });

  for (let kills = random.integer(0, 6); kills > 0; kills--) {
    world.clock.setTimeout(
      () => {
        const pids = world.kernel.livePids;
        if (pids.length > 0) world.kernel.signal(random.pick(pids), 'SIGKILL', 'process');
      },
      random.integer(0, 15_000),
    );
  }
  const surprise = (action: () => void): void => {
    world.clock.setTimeout(action, random.integer(0, 15_000));
  };
  for (const { port, name } of services) {
    for (let clients = port === undefined ? 0 : random.integer(0, 12); clients > 0; clients--)
      surprise(() => world.kernel.connect(port ?? 0));
    if (random.chance(0.2)) {
      surprise(() => {
        const { context, status } = world.assembly.system.getSnapshot();
        const service = status === 'active' ? context.services[name] : undefined;
        service?.send({ type: 'service.reset', killAfter: 1_000, at: world.clock.now() });
      });
    }
  }
  if (random.chance(0.3)) {
    const jump = random.pick([-3_600_000, 3_600_000, -5_000, 90_000]);
    surprise(() => world.clock.setWallTime(world.clock.wallTime() + jump));
  }
  const stopAt = random.integer(0, 20_000);
  world.clock.setTimeout(() => world.kernel.deliver('SIGTERM'), stopAt);
  if (random.chance(0.2)) {
    world.clock.setTimeout(() => world.kernel.deliver('SIGINT'), stopAt + 10);
    world.clock.setTimeout(() => world.kernel.deliver('SIGINT'), stopAt + 20);
  }
  world.assembly.start();
  world.clock.run();
  return { ...world, spec, spawned, most, signals };
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
      const own = specs.get(world.spawned.get(pid)?.service ?? '')?.killSignal;
      const before = world.signals.find((other) => other.pid === pid && other.signal === own);
      expect(before?.at ?? Number.POSITIVE_INFINITY, `pid ${pid}`).toBeLessThanOrEqual(at);
    }
  },
  'no process, no timer, no port and no connection is left'(world) {
    expect(world.kernel.livePids).toEqual([]);
    expect(world.clock.pending).toBe(0);
    expect(world.kernel.ports).toEqual([]);
    expect(world.kernel.openConnections).toBe(0);
  },
  'no job and no handler begins once shutdown has begun'(world) {
    const begin = world.notices.find(({ notice }) => notice.type === 'system.draining')?.at ?? Number.NaN;
    for (const { service, at } of world.spawned.values()) expect(at, service).toBeLessThanOrEqual(begin);
  },
  'a service has no more processes at a time than it may'(world) {
    for (const service of world.spec.services)
      expect(world.most.get(service.name) ?? 0, service.name).toBeLessThanOrEqual(mostRuns(service));
  },
  'a cron or inetd service fails only at its start'(world) {
    const scheduled = world.spec.services.filter(({ type }) => isScheduled(type)).map(({ name }) => name);
    for (const { notice } of world.notices) {
      if (notice.type !== 'service.changed' || !scheduled.includes(notice.service)) continue;
      const { change } = notice;
      if (change.phase === 'failed') expect(change.during).toBe('start');
      expect(['running', 'exited', 'backoff']).not.toContain(change.phase);
    }
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
    for (const { seed, world } of worlds.slice(0, 20)) {
      const again = runWorld(seed);
      expect(again.transitions).toEqual(world.transitions);
      expect(again.kernel.written).toEqual(world.kernel.written);
    }
  });

  it('have services of every type that has an entry, which come as far as they can', () => {
    const seen = new Set(
      worlds.flatMap(({ world }) =>
        world.notices.flatMap(({ notice }) => {
          if (notice.type !== 'service.changed' && notice.type !== 'service.noticed') return [];
          const type = world.spec.services.find(({ name }) => name === notice.service)?.type;
          return [`${type} ${notice.type === 'service.changed' ? notice.change.phase : notice.news.kind}`];
        }),
      ),
    );
    const expected = Object.keys(types).map((type) =>
      type === 'cron' || type === 'inetd'
        ? `${type} scheduled`
        : `${type} ${type === 'oneshot' ? 'exited' : 'running'}`,
    );
    for (const each of [...expected, 'cron skipped', 'cron runFailed', 'cron runUnspawned', 'inetd clearing'])
      expect(seen).toContain(each);
  });

  it('reach every kind of end that needs no fault of chaperone itself', () => {
    const kinds = new Set(worlds.map(({ world }) => world.output()?.end.kind));
    expect([...kinds].sort()).toEqual(['exitKills', 'noProcesses', 'nothingStarted', 'serviceFailed', 'signal']);
  });
});
