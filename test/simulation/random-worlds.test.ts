import { describe, expect, it } from 'vitest';
import { satisfies } from '../../src/model/ordering.ts';
import { isScheduled, mostRuns } from '../../src/model/scheduling.ts';
import { type FailureCause, isEnded, type ServicePhase } from '../../src/model/service-phase.ts';
import { ownsRemains, type ServiceSpec, type ServiceType, type SystemSpec } from '../../src/model/service-spec.ts';
import type { SignalName } from '../../src/model/signal.ts';
import type { Kernel, SpawnRequest } from '../../src/runtime/kernel.ts';
import type { Script } from '../../src/runtime/simulated/script.ts';
import type { SimulatedKernel } from '../../src/runtime/simulated/simulated-kernel.ts';
import { Random } from './random.ts';
import { randomForkingScript, randomNotifyScript, randomScript } from './random-programs.ts';
import { createWorld, simpleService, systemOf, type World } from './world.ts';

const seeds = 500;
const mostServices = 12;
const decoder = new TextDecoder();

/** A signal that reached a process, by its own number or by its group's. */
interface Signalled {
  readonly at: number;
  readonly pid: number;
  readonly signal: SignalName;
  /** The process that chaperone had started, and whose descendant this is. */
  readonly root: number;
}

interface Spawned {
  readonly at: number;
  readonly service: string;
}

interface Notified {
  readonly at: number;
  readonly service: string;
  readonly text: string;
}

interface RandomWorld extends World {
  readonly spec: SystemSpec;
  readonly spawned: ReadonlyMap<number, Spawned>;
  /** The most processes that a service was seen with, descendants left out. */
  readonly most: ReadonlyMap<string, number>;
  readonly signals: readonly Signalled[];
  readonly notifications: readonly Notified[];
  /** Starts that found something of an earlier one alive, where that belongs to the service. */
  readonly crowded: readonly string[];
  /** Processes that lived when the shutdown began. */
  readonly liveAtDrain: number;
}

/** What is random about a type: how often it comes, what its services say beside the common things, and what they run. */
interface TypeEntry {
  readonly weight: number;
  spec(random: Random, index: number): Partial<ServiceSpec>;
  script(random: Random, spec: ServiceSpec): Script;
}

/** What takes part in every world, type by type. */
const types: Readonly<Record<ServiceType, TypeEntry>> = {
  simple: { weight: 5, spec: () => ({}), script: randomScript },
  oneshot: { weight: 2, spec: () => ({}), script: randomScript },
  forking: {
    weight: 3,
    spec: (random, index) => ({
      ...(random.chance(0.7) ? { pidfile: `/run/s${index}.pid` } : {}),
      killMode: random.chance(0.8) ? 'group' : 'process',
    }),
    script: (random, { pidfile }) => randomForkingScript(random, pidfile),
  },
  notify: {
    weight: 3,
    spec: (random) => ({
      ...(random.chance(0.4) ? { watchdog: random.integer(100, 2_000) } : {}),
      killMode: random.chance(0.8) ? 'group' : 'process',
    }),
    script: (random, { watchdog }) => randomNotifyScript(random, watchdog),
  },
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

function randomType(random: Random): ServiceType {
  const picked = random.pick(typeNames);
  return serviceTypes.find((name) => name === picked) ?? 'simple';
}

function randomService(random: Random, index: number): ServiceSpec {
  const prerequisites = Array.from({ length: index }, (_, other) => other)
    .filter(() => random.chance(0.3))
    .map((other) => `s${other}.service`);
  const group = random.chance(0.1) && prerequisites.length === 0 ? 'INIT' : random.chance(0.1) ? 'IDLE' : 'default';
  const type = randomType(random);
  return simpleService(`s${index}`, {
    type,
    ...types[type].spec(random, index),
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
  const notifications: Notified[] = [];
  const crowded: string[] = [];
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
    notifying: {
      ...kernel.notifying,
      openSocket: (service) => {
        const socket = kernel.notifying.openSocket(service);
        socket.datagrams$.subscribe(({ bytes }) =>
          notifications.push({ at: kernel.clock.now(), service, text: decoder.decode(bytes) }),
        );
        return socket;
      },
    },
    fileSink: (request) => kernel.fileSink(request),
    journalSink: (request) => kernel.journalSink(request),
    remoteSink: (host) => kernel.remoteSink(host),
    openLogSocket: (path) => kernel.openLogSocket(path),
    defer: (callback) => kernel.defer(callback),
    spawn: (request: SpawnRequest) => {
      const outcome = kernel.spawn(request);
      if (!outcome.ok) return outcome;
      const service = `${request.argv[0]}.service`;
      const spec = specs.get(service);
      if (spec?.type === 'forking' && ownsRemains(spec)) {
        for (const [root, before] of spawned) {
          if (before.service === service && treeOf(kernel, root).length > 0)
            crowded.push(`${service} after pid ${root} at ${kernel.clock.now()}`);
        }
      }
      spawned.set(outcome.pid, { service, at: kernel.clock.now() });
      const pids = live.get(service)?.add(outcome.pid) ?? new Set();
      const counted =
        specs.get(service)?.type === 'notify'
          ? // The one that MAINPID was moved away from may still be ending.
            [...pids].filter((pid) => !signals.some((sent) => sent.pid === pid))
          : [...pids];
      most.set(service, Math.max(most.get(service) ?? 0, counted.length));
      return outcome;
    },
    signal: (pid, signal, target) => {
      const reached =
        target === 'group' ? kernel.livePids.filter((each) => kernel.following.lookUp(each)?.group === pid) : [pid];
      for (const each of reached) {
        const roots = [...spawned.keys()].filter((root) => treeOf(kernel, root).includes(each));
        signals.push({ at: kernel.clock.now(), pid: each, signal, root: roots[0] ?? each });
      }
      return kernel.signal(pid, signal, target);
    },
  });
  const world = createWorld(
    spec,
    {
      has: () => true,
      script: ([name]) => {
        const service = specs.get(`${name}.service`);
        return service === undefined ? undefined : types[service.type].script(random, service);
      },
      fault: () => (random.chance(0.03) ? { code: 'EAGAIN', stage: 'clone' } : undefined),
      listenFault: () => (random.chance(0.1) ? random.pick(['EADDRINUSE', 'EACCES']) : undefined),
      acceptFault: () => (random.chance(0.05) ? 'EMFILE' : undefined),
    },
    wrap,
  );
  world.kernel.exits$.subscribe(({ exits }) => {
    for (const { pid } of exits) live.get(spawned.get(pid)?.service ?? '')?.delete(pid);
  });

  let liveAtDrain = 0;
  world.assembly.notices$.subscribe((notice) => {
    if (notice.type === 'system.draining') liveAtDrain = world.kernel.livePids.length;
  });
  // What an earlier life of the container has left.
  for (const { pidfile } of services)
    if (pidfile !== undefined && random.chance(0.3)) world.kernel.writeFile(pidfile, random.pick(['7\n', 'old\n']));

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
  return { ...world, spec, spawned, most, signals, notifications, crowded, liveAtDrain };
}

/** The process and all that live of those that descend from it. */
function treeOf(kernel: SimulatedKernel, root: number): readonly number[] {
  return kernel.following
    .track(root, '', true)
    .members()
    .map(({ pid }) => pid);
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
    const specs = new Map(world.spec.services.map((service) => [service.name, service]));
    let draining = false;
    replay(world, ({ at, notice }, phases) => {
      if (notice.type === 'system.draining') draining = true;
      if (notice.type === 'system.forced') draining = false;
      if (!draining || notice.type !== 'service.changed' || notice.change.phase !== 'stopping') return;
      // One that takes too long to start, misses its watchdog or says that it has failed is ended before its turn.
      if (phases.get(notice.service) === 'starting' || specs.get(notice.service)?.watchdog !== undefined) return;
      if (world.notifications.some((said) => said.service === notice.service && said.at === at)) return;
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
    world.signals.forEach(({ pid, signal, root }, index) => {
      if (signal !== 'SIGKILL') return;
      const spec = specs.get(world.spawned.get(root)?.service ?? '');
      // A missed watchdog ends it with SIGABRT; what it has forked since may have missed the signal itself.
      const own = [spec?.killSignal, ...(spec?.type === 'notify' ? ['SIGABRT'] : [])];
      const before = world.signals.slice(0, index).some((other) => other.root === root && own.includes(other.signal));
      expect(before, `pid ${pid} of ${spec?.name}`).toBe(true);
    });
  },
  'no process, no timer, no port and no connection is left'(world) {
    expect(world.kernel.livePids).toEqual([]);
    expect(world.clock.pending).toBe(0);
    expect(world.kernel.ports).toEqual([]);
    expect(world.kernel.openConnections).toBe(0);
    expect(world.kernel.openSockets).toEqual([]);
  },
  'a notify service is ready only after it has said so'(world) {
    const startedAt = new Map<string, number>();
    const types = new Map(world.spec.services.map(({ name, type }) => [name, type]));
    replay(world, ({ at, notice }) => {
      if (notice.type !== 'service.changed' || types.get(notice.service) !== 'notify') return;
      if (notice.change.phase === 'starting') startedAt.set(notice.service, at);
      if (notice.change.phase !== 'running' && notice.change.phase !== 'exited') return;
      const said = world.notifications.some(
        (each) =>
          each.service === notice.service &&
          each.at >= (startedAt.get(notice.service) ?? 0) &&
          each.at <= at &&
          each.text.includes('READY=1'),
      );
      expect(said, `${notice.service} is ${notice.change.phase}`).toBe(true);
    });
  },
  'a stop in order leaves no pidfile that the service has written'(world) {
    if (world.notices.some(({ notice }) => notice.type === 'system.forced')) return;
    const stopped = new Set(
      world.notices.flatMap(({ notice }) =>
        notice.type === 'service.changed' && notice.change.phase === 'stopped' ? [notice.service] : [],
      ),
    );
    for (const { name, pidfile, killMode } of world.spec.services) {
      if (pidfile === undefined || killMode === 'process' || !stopped.has(name)) continue;
      expect(['7\n', 'old\n', undefined], name).toContain(world.kernel.readFile(pidfile));
    }
  },
  'a restart finds nothing of the run before'(world) {
    expect(world.crowded).toEqual([]);
  },
  'detect_exit ends nothing that lives'(world) {
    if (world.output()?.end.kind === 'noProcesses') expect(world.liveAtDrain).toBe(0);
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

function causeName(cause: FailureCause): string {
  if (cause.kind === 'pidfile') return `pidfile ${cause.trouble}`;
  return cause.kind === 'watchdog' && cause.triggered ? 'watchdog triggered' : cause.kind;
}

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

  it('have services of every type, which come as far as they can and fail in every way they can', () => {
    const seen = new Set(
      worlds.flatMap(({ world }) =>
        world.notices.flatMap(({ notice }) => {
          if (notice.type !== 'service.changed' && notice.type !== 'service.noticed') return [];
          const type = world.spec.services.find(({ name }) => name === notice.service)?.type;
          if (notice.type === 'service.noticed') return [`${type} ${notice.news.kind}`];
          const { change } = notice;
          return [`${type} ${change.phase}`, ...('cause' in change ? [`${type} ${causeName(change.cause)}`] : [])];
        }),
      ),
    );
    const expected: Readonly<Record<ServiceType, readonly string[]>> = {
      simple: ['running', 'exited', 'backoff', 'exit', 'spawn'],
      oneshot: ['exited', 'exit', 'timeout', 'spawn'],
      forking: [
        ...['running', 'exited', 'backoff', 'exit', 'timeout', 'spawn'],
        ...['absent', 'unchanged', 'garbage', 'dead', 'refused'].map((trouble) => `pidfile ${trouble}`),
      ],
      notify: [
        'running',
        'exited',
        'backoff',
        'exit',
        'timeout',
        'spawn',
        'reported',
        'watchdog',
        'watchdog triggered',
      ],
      inetd: ['scheduled', 'listen', 'clearing', 'runFailed'],
      cron: ['scheduled', 'skipped', 'runFailed', 'runUnspawned'],
    };
    const missing = Object.entries(expected).flatMap(([type, names]) =>
      names.map((name) => `${type} ${name}`).filter((name) => !seen.has(name)),
    );
    expect(missing).toEqual([]);
  });

  it('reach every kind of end that needs no fault of chaperone itself', () => {
    const kinds = new Set(worlds.map(({ world }) => world.output()?.end.kind));
    expect([...kinds].sort()).toEqual(['exitKills', 'noProcesses', 'nothingStarted', 'serviceFailed', 'signal']);
  });
});
