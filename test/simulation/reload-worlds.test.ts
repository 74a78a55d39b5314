import { describe, expect, it } from 'vitest';
import { definitionOf, isStopping, phaseOf } from '../../src/model/ledger/slot.ts';
import { satisfies } from '../../src/model/order/ordering.ts';
import type { ReloadPlan } from '../../src/model/order/reload-plan.ts';
import { isScheduled } from '../../src/model/schedule/scheduled-runs.ts';
import { isEnded, type ServicePhase } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec, ServiceType, SystemSpec } from '../../src/model/service/service-spec.ts';
import { candidateOf } from '../../src/runtime/boot/reloader.ts';
import type { Kernel, SpawnOutcome, SpawnRequest } from '../../src/runtime/kernel.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { SimulatedKernel } from '../../src/runtime/simulated/simulated-kernel.ts';
import { tries } from '../effort.ts';
import { Random } from './random.ts';
import { createWorld, type ServiceActor, serviceActors, simpleService, systemOf, type World } from './world.ts';

const seeds = tries(100, 250);
const mostServices = 10;
/** ms after which all requests have taken effect: after a boot, and after the last reload of a world. */
const booted = 20_000;
const settled = 40_000;
/** ms that the check of one promise in all worlds may take on a busy machine. */
const patience = 120_000;

const types: readonly ServiceType[] = [
  ...(['simple', 'simple', 'simple', 'oneshot', 'oneshot'] as const),
  ...(['notify', 'forking', 'inetd', 'cron'] as const),
];

interface Spawned {
  readonly service: string;
  readonly argv: string;
  readonly at: number;
}

/** A service at the moment of a reload that does not touch its process. */
interface Kept {
  readonly name: string;
  readonly actor: unknown;
  readonly pid: number | undefined;
  /** True where an earlier request or reload still has to end the service. */
  readonly isEnding: boolean;
  /** True where this or an earlier reload gives the service a type with another chart: its actor is replaced. */
  readonly isReplaced: boolean;
  readonly restarts: number;
  readonly restartsAfter: number;
}

interface Reload {
  readonly at: number;
  readonly plan: ReloadPlan;
  readonly after: SystemSpec;
  readonly kept: readonly Kept[];
  /** Live processes of each service. */
  readonly live: ReadonlyMap<string, readonly number[]>;
  readonly phases: Readonly<Record<string, ServicePhase>>;
  /** The definitions that the charts have. */
  readonly definitions: ReadonlyMap<string, ServiceSpec>;
  /** How many notices had come before the reload. */
  readonly noticed: number;
}

interface ReloadWorld extends World {
  readonly first: SystemSpec;
  readonly last: SystemSpec;
  readonly reloads: readonly Reload[];
  readonly spawned: ReadonlyMap<number, Spawned>;
  /** True where requests by hand came meanwhile, so that the configuration alone does not decide the states. */
  readonly byHand: boolean;
  /** True where the system was told to end during the reload. */
  readonly cutShort: boolean;
}

/** A program's script depends only on its command, so that a definition reaches the same state in any boot. */
function scriptOf(argv: readonly string[]): Script {
  const [name = '', version = '', type = ''] = argv;
  const random = new Random([...argv.join(' ')].reduce((sum, letter) => Math.imul(sum, 31) + letter.charCodeAt(0), 7));
  const wait = (most: number): Step => ({ do: 'wait', ms: random.integer(0, most) });
  const hang: Step = { do: 'hang' };
  const slow: Pick<Script, 'onSignal'> = random.chance(0.5)
    ? {}
    : { onSignal: { SIGTERM: [wait(1_500), { do: 'exit', code: 0 }] } };
  const end: Step = { do: 'exit', code: random.chance(0.8) ? 0 : 1 };
  switch (type) {
    case 'oneshot':
      return { steps: [wait(800), end], ...slow };
    case 'notify':
      return { steps: [wait(500), { do: 'notify', text: 'READY=1' }, hang], ...slow };
    case 'forking': {
      const write: Step = { do: 'write', path: `/run/${name}-${version}.pid`, text: '$$\n' };
      return {
        steps: [wait(100), { do: 'fork', script: { steps: [write, hang], ...slow }, detached: true }, wait(100)],
      };
    }
    case 'cron':
    case 'inetd':
      return { steps: [wait(400), { do: 'exit', code: 0 }] };
    default:
      return { steps: random.chance(0.8) ? [hang] : [wait(400), end], ...slow };
  }
}

function randomService(random: Random, name: string, earlier: readonly string[], port: number): ServiceSpec {
  const version = `v${random.integer(1, 3)}`;
  const type = random.pick(types);
  const prerequisites = earlier.filter(() => random.chance(0.3));
  const group = random.chance(0.15) ? 'IDLE' : random.chance(0.15) ? 'INIT' : 'default';
  return simpleService(name, {
    type,
    argv: [name, version, type],
    command: `${name} ${version}`,
    prerequisites: group === 'INIT' ? [] : prerequisites,
    groups: [group],
    enabled: random.chance(0.85),
    // A failure holds up no other service, so that the state of a kept service does not depend on its history.
    ignoreFailures: true,
    startupPause: 500,
    processTimeout: 5_000,
    restart: random.chance(0.6),
    restartDelay: random.pick([0, 300, 2_000]),
    restartLimit: 9,
    ...(type === 'forking' ? { pidfile: `/run/${name}-${version}.pid` } : {}),
    ...(type === 'inetd' ? { port, maxConnections: 2 } : {}),
    ...(type === 'cron' ? { interval: '* * * * * */5' } : {}),
  });
}

/** Only IDLE services wait for IDLE services: the stages would contradict each other otherwise. */
function inStages(services: readonly ServiceSpec[]): readonly ServiceSpec[] {
  const names = new Set(services.map(({ name }) => name));
  const idle = new Set(services.filter(({ groups }) => groups[0] === 'IDLE').map(({ name }) => name));
  return services.map((service) => ({
    ...service,
    prerequisites: service.prerequisites.filter(
      (name) => names.has(name) && (service.groups[0] === 'IDLE' || !idle.has(name)),
    ),
  }));
}

function shuffled(random: Random, values: readonly string[]): readonly string[] {
  return values
    .map((value) => ({ value, place: random.next() }))
    .sort((left, right) => left.place - right.place)
    .map(({ value }) => value);
}

function randomSystem(random: Random, names: readonly string[]): SystemSpec {
  const services = names.flatMap((name, place) =>
    random.chance(0.8)
      ? [
          randomService(
            random,
            name,
            names.slice(0, place).map((other) => `${other}.service`),
            8_000 + place,
          ),
        ]
      : [],
  );
  const some = services.length > 0 ? services : [randomService(random, names[0] ?? 's0', [], 8_000)];
  return systemOf(inStages(some), { shutdownTimeout: random.pick([3_000, 8_000]), detectExit: false });
}

/** An edited configuration, most of which stays the same. */
function edited(random: Random, before: SystemSpec, names: readonly string[]): SystemSpec {
  const order = random.chance(0.5) ? names : shuffled(random, names);
  const fresh = new Map(randomSystem(random, order).services.map((service) => [service.name, service]));
  const places = new Map(order.map((name, place) => [`${name}.service`, place]));
  const services = order.flatMap((short): readonly ServiceSpec[] => {
    const name = `${short}.service`;
    const old = before.services.find((service) => service.name === name);
    const next = fresh.get(name);
    const fate = random.next();
    if (old === undefined || fate < 0.25) return next === undefined ? [] : [next];
    if (fate < 0.35) return [];
    // A prerequisite may come later in the new order, and is dropped then.
    const prerequisites = old.prerequisites.filter((other) => (places.get(other) ?? 0) < (places.get(name) ?? 0));
    const kept = { ...old, prerequisites };
    if (fate < 0.45) return [{ ...kept, enabled: !kept.enabled }];
    return [fate < 0.6 ? { ...kept, restartDelay: 700, killSignal: 'SIGINT' } : kept];
  });
  const some = services.length > 0 ? services : before.services;
  return { ...before, services: inStages(some), shutdownTimeout: random.pick([3_000, 8_000]) };
}

function runWorld(seed: number): ReloadWorld {
  const random = new Random(seed);
  const names = shuffled(
    random,
    Array.from({ length: random.integer(1, mostServices) }, (_, index) => `s${index}`),
  );
  const first = randomSystem(random, names);
  const spawned = new Map<number, Spawned>();
  const world = createWorld(
    first,
    { has: () => true, script: scriptOf },
    {
      wrap: (kernel) => noting(kernel, spawned),
    },
  );
  const { clock, kernel, assembly } = world;
  const reloads: Reload[] = [];

  const ledger = () => assembly.system.getSnapshot().context.ledger;
  const reload = (next: SystemSpec): void => {
    if (assembly.system.getSnapshot().matches('draining')) return;
    const before = assembly.spec();
    const { plan, missing, spec } = candidateOf(kernel, assembly, next);
    expect(missing).toEqual([]);
    const phases = phasesOf(world);
    const noticed = world.notices.length;
    const definitions = new Map(
      ledger()
        .slots.all()
        .map((slot) => [slot.spec.name, definitionOf(slot)]),
    );
    const live = new Map(before.services.map(({ name }) => [name, liveOf(kernel, spawned, name)]));
    const kept = plan.steps
      .filter(({ action }) => action === 'keep' || action === 'change')
      .flatMap(({ name }) => {
        const actor = serviceActors(world).get(name);
        const slot = ledger().slots.get(name);
        if (actor === undefined || slot === undefined) return [];
        const { pid, restartsUsed: restarts } = runOf(actor);
        const type = spec.services.find((service) => service.name === name)?.type ?? slot.spec.type;
        const isReplaced = isScheduled(type) !== isScheduled(definitionOf(slot).type);
        return [{ name, actor, pid, isEnding: isStopping(slot), isReplaced, restarts }];
      });
    assembly.reload(spec, plan);
    reloads.push({
      at: clock.now(),
      plan,
      after: next,
      live,
      phases,
      definitions,
      noticed,
      kept: kept.map((each) => ({
        ...each,
        restartsAfter: runOf(serviceActors(world).get(each.name)).restartsUsed,
      })),
    });
  };

  const reloadAt = random.integer(0, 6_000);
  // Crashes before the reload lead to restarts that count, and to restart pauses.
  for (let kills = random.integer(0, 4); kills > 0; kills -= 1) {
    clock.setTimeout(
      () => {
        const running = [...serviceActors(world)].flatMap(([name, actor]) => {
          const { restart, type } = actor.getSnapshot().context.spec;
          const crashes = restart && ['simple', 'notify'].includes(type);
          return crashes && phasesOf(world)[name] === 'ready.running' ? [runOf(actor).pid] : [];
        });
        if (running.length > 0) kernel.signal(random.pick(running), 'SIGKILL', 'process');
      },
      random.integer(0, reloadAt),
    );
  }
  let last = first;
  for (let count = random.pick([1, 1, 2, 3]), at = reloadAt; count > 0; count -= 1) {
    const next = edited(random, last, names);
    last = next;
    clock.setTimeout(() => reload(next), at);
    at += random.pick([0, 1, 200, 3_000]);
  }
  const byHand = random.chance(0.2);
  if (byHand) {
    for (let count = 3; count > 0; count -= 1) {
      const at = reloadAt + random.integer(-500, 500);
      const name = `${random.pick(names)}.service`;
      const request = random.pick(['start', 'force', 'stop', 'restart', 'disable', 'reset'] as const);
      clock.setTimeout(() => ask(world, name, request), Math.max(0, at));
    }
  }
  const cutShort = random.chance(0.15);
  if (cutShort) clock.setTimeout(() => kernel.deliver('SIGTERM'), reloadAt + random.integer(0, 1_500));
  assembly.start();
  clock.run(settled);
  return { ...world, first, last, reloads, spawned, byHand, cutShort };
}

function ask(
  { assembly, clock }: World,
  name: string,
  request: 'start' | 'force' | 'stop' | 'restart' | 'disable' | 'reset',
): void {
  const { system } = assembly;
  const common = { names: [name], at: clock.now() };
  if (request === 'start' || request === 'force') {
    system.send({ type: 'services.start', enable: false, force: request === 'force', ...common });
  } else if (request === 'reset') system.send({ type: 'services.reset', force: true, ...common });
  else {
    const disable = request === 'disable';
    system.send({ type: 'services.stop', again: request === 'restart', disable, drain: false, ...common });
  }
}

/** The pid and restarts of a service from its own chart. Scheduled services have neither. */
function runOf(actor: ServiceActor | undefined): { readonly pid: number; readonly restartsUsed: number } {
  const context = actor?.getSnapshot().context;
  return context !== undefined && 'pid' in context ? context : { pid: 0, restartsUsed: 0 };
}

/** A kernel that records spawns and passes all calls on. */
function noting(kernel: SimulatedKernel, spawned: Map<number, Spawned>): Kernel {
  return new Proxy(kernel, {
    get: (target, key) => {
      if (key === 'spawn') {
        return (request: SpawnRequest, told: (outcome: SpawnOutcome) => void) =>
          target.spawn(request, (outcome) => {
            const { argv } = request;
            if (outcome.ok)
              spawned.set(outcome.pid, { service: `${argv[0]}.service`, argv: argv.join(' '), at: target.clock.now() });
            told(outcome);
          });
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** The living processes among a process and its descendants. */
function treeOf(kernel: SimulatedKernel, root: number): readonly number[] {
  return kernel.following
    .track(root, '', true)
    .members()
    .map(({ pid }) => pid);
}

function liveOf(kernel: SimulatedKernel, spawned: ReadonlyMap<number, Spawned>, service: string): readonly number[] {
  return [...spawned].filter(([, each]) => each.service === service).flatMap(([root]) => treeOf(kernel, root));
}

function phasesOf({ assembly }: World): Readonly<Record<string, ServicePhase>> {
  const { slots } = assembly.system.getSnapshot().context.ledger;
  return Object.fromEntries(
    slots
      .all()
      .map((slot) => [slot.spec.name, phaseOf(slot)] as const)
      .sort(([left], [right]) => left.localeCompare(right)),
  );
}

function freshBoot(spec: SystemSpec): World {
  const world = createWorld(spec, { has: () => true, script: scriptOf });
  world.assembly.start();
  world.clock.run(booted);
  return world;
}

/** The promises; each function throws where a world breaks it. */
const promises: Readonly<Record<string, (world: ReloadWorld) => void>> = {
  'every service stands where a fresh boot of the last configuration has it'(world) {
    if (world.byHand || world.cutShort) return;
    expect(phasesOf(world)).toEqual(phasesOf(freshBoot(world.last)));
    expect(world.assembly.system.getSnapshot().value).toBe('up');
  },
  'there are exactly the services and actors of the last configuration, with its definitions'(world) {
    if (world.cutShort) return;
    const { context, children } = world.assembly.system.getSnapshot();
    const names = world.last.services.map(({ name }) => name).sort();
    const { slots } = context.ledger;
    const actors = serviceActors(world);
    expect([...slots.names()].sort()).toEqual(names);
    expect([...actors.keys()].sort()).toEqual(names);
    expect(Object.keys(children).length).toBe(names.length + 1);
    expect(slots.all().filter((slot) => isStopping(slot) || slot.current !== undefined)).toEqual([]);
    for (const spec of world.last.services) {
      expect(slots.get(spec.name)?.spec, spec.name).toEqual(spec);
      expect(actors.get(spec.name)?.getSnapshot().context.spec, spec.name).toEqual(spec);
    }
  },
  'whatever lives was started with the command of the last configuration'(world) {
    if (world.cutShort) return;
    const commands = new Map(world.last.services.map(({ name, argv }) => [name, argv.join(' ')]));
    const owners = new Map(
      [...world.spawned].flatMap(([root, each]) => treeOf(world.kernel, root).map((pid) => [pid, each] as const)),
    );
    for (const pid of world.kernel.livePids) {
      const owner = owners.get(pid);
      expect(owner?.argv, `pid ${pid} of ${owner?.service}`).toBe(commands.get(owner?.service ?? ''));
    }
  },
  'what is kept keeps its actor and, in that moment, its restart count'(world) {
    for (const [index, { kept, phases }] of world.reloads.entries()) {
      for (const { name, actor, isReplaced, restarts, restartsAfter } of kept) {
        if (isReplaced) continue;
        // A queued service may start in that moment, and a start resets its restarts.
        if (phases[name] !== 'pending') expect(restartsAfter, name).toBe(restarts);
        if (!isKeptAfter(world, index, name) || world.cutShort) continue;
        expect(serviceActors(world).get(name), name).toBe(actor);
      }
    }
  },
  'what was ready and is kept runs on with the same processes, and is not started again'(world) {
    if (world.byHand || world.cutShort) return;
    for (const [index, { at, kept, live, phases }] of world.reloads.entries()) {
      for (const { name, pid, isEnding } of kept) {
        const phase = phases[name];
        if (isEnding) continue;
        if ((phase !== 'ready.running' && phase !== 'exited') || !isKeptAfter(world, index, name)) continue;
        const again = [...world.spawned.values()].filter((each) => each.service === name && each.at > at);
        expect(again, name).toEqual([]);
        if (phasesOf(world)[name] !== 'ready.running') continue;
        expect(runOf(serviceActors(world).get(name)).pid, name).toBe(pid);
        expect(liveOf(world.kernel, world.spawned, name), name).toEqual(live.get(name));
      }
    }
  },
  'nothing is let go before what it waits for, nor while what the reload stops still has its port or pidfile'(world) {
    const open = new Map<string, ServiceSpec | undefined>();
    const phases = new Map<string, ServicePhase>();
    for (const [place, { at, notice }] of world.notices.entries()) {
      for (const reload of world.reloads.filter(({ noticed }) => noticed === place)) {
        for (const { action, name } of reload.plan.steps) {
          const phase = reload.phases[name] ?? 'pending';
          const isOver = isEnded(phase) || phase === 'pending';
          if ((action === 'stop' || action === 'restart') && !isOver) open.set(name, reload.definitions.get(name));
        }
      }
      if (notice.type === 'service.changed') {
        phases.set(notice.service, notice.change.phase);
        if (notice.change.phase === 'stopped' || notice.change.phase === 'failed') open.delete(notice.service);
      }
      if (notice.type === 'service.released') {
        const spec = (world.reloads.findLast(({ noticed }) => noticed <= place)?.after ?? world.first).services;
        const own = spec.find(({ name }) => name === notice.service);
        const hinders = [...open].filter(([name, other]) => own?.prerequisites.includes(name) || shares(own, other));
        expect(hinders, `when ${notice.service} is let go at ${at}`).toEqual([]);
        for (const name of own?.prerequisites ?? []) {
          const other = spec.find((service) => service.name === name);
          const phase = other?.enabled === false ? 'disabled' : (phases.get(name) ?? 'pending');
          if (!world.byHand) expect(satisfies({ phase, ignoreFailures: true }), `${notice.service} ${name}`).toBe(true);
        }
      }
    }
  },
  'a shutdown ends everything in order and in time, whatever a reload has begun'(world) {
    if (world.output() === undefined) world.kernel.deliver('SIGTERM');
    world.clock.run();
    const output = world.output();
    expect(output?.end).toEqual({ kind: 'signal', signal: 'SIGTERM' });
    expect(world.kernel.livePids).toEqual([]);
    const at = (type: string): number => world.notices.find(({ notice }) => notice.type === type)?.at ?? Number.NaN;
    expect(at('system.halted') - at('system.draining')).toBeLessThanOrEqual(world.assembly.spec().shutdownTimeout);
    const late = world.notices.filter(
      (entry) => entry.notice.type === 'service.released' && entry.at > at('system.draining'),
    );
    expect(late).toEqual([]);
  },
};

/** True where the two services cannot run at the same time. */
function shares(one: ServiceSpec | undefined, other: ServiceSpec | undefined): boolean {
  if (one === undefined || other === undefined || one.name === other.name) return false;
  return (
    (one.port !== undefined && one.port === other.port) || (one.pidfile !== undefined && one.pidfile === other.pidfile)
  );
}

/** True where no later reload touches the service. */
function isKeptAfter({ reloads }: ReloadWorld, index: number, name: string): boolean {
  return reloads.slice(index + 1).every(({ kept }) => kept.some((other) => other.name === name && !other.isReplaced));
}

describe(`${seeds} random worlds whose configuration is reloaded at random moments`, () => {
  const worlds = Array.from({ length: seeds }, (_, seed) => ({ seed, world: runWorld(seed) }));

  it.each(Object.entries(promises))('%s', { timeout: patience }, (_name, check) => {
    for (const { seed, world } of worlds) {
      try {
        check(world);
      } catch (error) {
        throw new Error(`seed ${seed}: ${String(error)}\n${world.transitions.join('\n')}`, { cause: error });
      }
    }
  });

  it('make plans of every kind, for services in every state', () => {
    const actions = new Set(
      worlds.flatMap(({ world }) => world.reloads.flatMap(({ plan }) => plan.steps.map(({ action }) => action))),
    );
    expect([...actions].sort()).toEqual(['change', 'keep', 'restart', 'start', 'stop']);
    const states = new Set(
      worlds.flatMap(({ world }) =>
        world.reloads.flatMap(({ plan, phases }) =>
          plan.steps
            .filter(({ action }) => action === 'stop' || action === 'restart')
            .map(({ name }) => phases[name] ?? 'new'),
        ),
      ),
    );
    const every: readonly ServicePhase[] = [
      ...(['pending', 'starting', 'ready.running', 'exited', 'ready.scheduled'] as const),
      ...(['stopping', 'backoff', 'stopped', 'failed', 'disabled'] as const),
    ];
    expect(every.filter((phase) => !states.has(phase))).toEqual([]);
  });
});
