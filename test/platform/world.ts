/** Random platforms on a simulated engine with faults: a project is run, run again, changed and removed, and all of it is recorded. */
import type { ContainerFacts } from '../../src/platform/engine/engine.ts';
import type { EngineFault, Happened, Operation, SimulatedProgram } from '../../src/platform/engine/simulated-engine.ts';
import type { InstanceKey, InstanceSpec, WaitFor } from '../../src/platform/model/instance.ts';
import { planEnd, planRun } from '../../src/platform/model/make-plan.ts';
import type { Plan } from '../../src/platform/model/plan.ts';
import { labelNames } from '../../src/platform/model/project.ts';
import { type PlatformOutcome, startPlatform } from '../../src/platform/runtime/platform.ts';
import { observe } from '../../src/platform/work/observe.ts';
import { Random } from '../simulation/random.ts';
import { digest, instanceSpec, project, type Simulated, simulated } from './specs.ts';

export interface World {
  readonly seed: number;
  readonly specs: readonly InstanceSpec[];
  readonly programs: Readonly<Record<InstanceKey, SimulatedProgram>>;
  readonly faults: readonly EngineFault[];
}

/** One plan that was carried out. */
export interface Act {
  readonly name: 'run' | 'again' | 'changed' | 'remove';
  readonly plan: Plan;
  /** Absent where it has not come to an end. */
  readonly outcome: PlatformOutcome | undefined;
  /** What the engine was asked, and what has happened, from the beginning of the act on. */
  readonly history: readonly Happened[];
  /** Some time after the end: the states of the charts, and what the engine has. */
  readonly stages: ReadonlyMap<InstanceKey, string>;
  readonly containers: readonly ContainerFacts[];
  /** ms of the engine's time at the beginning and at the end. */
  readonly from: number;
  readonly to: number;
}

export interface WorldRun {
  readonly world: World;
  readonly acts: readonly Act[];
  /** Containers that were there before, and are not the project's. */
  readonly foreign: readonly string[];
  readonly images: readonly string[];
}

const names = ['db', 'api', 'web', 'job'] as const;
const readyTimeout = 60_000;
/** ms after an act, and after the faults that go on then, in which programs end and lost events are found; late ones come later. */
const aftermath = 8_000;
/** ms of an act. */
const longest = 600_000;

export function randomWorld(seed: number): World {
  const random = new Random(seed);
  const count = random.integer(1, 6);
  const specs: InstanceSpec[] = [];
  for (let index = 0; index < count; index++) {
    const key = `${names[index % names.length] ?? 'db'}-${index}`;
    const needs = specs.filter(({ network }) => network !== undefined && random.chance(0.4)).map((spec) => spec.key);
    const wait: WaitFor = random.chance(0.7) ? 'best' : random.pick(['started', 'ready', 'healthy'] as const);
    const linked = needs.length > 0 || random.chance(0.8);
    const spec = instanceSpec(key, {
      needs,
      wait,
      sleep: random.chance(0.2) ? random.integer(100, 5_000) : 0,
      ports: random.chance(0.2) ? [{ port: 80 + random.integer(0, 1), protocol: 'tcp' }] : [],
    });
    const { network: _, ...alone } = spec;
    specs.push(linked ? spec : alone);
  }
  const programs = Object.fromEntries(specs.map(({ key, wait }) => [key, randomProgram(random, wait)]));
  return { seed, specs, programs, faults: random.chance(0.25) ? [] : randomFaults(random, specs) };
}

function randomProgram(random: Random, wait: WaitFor): SimulatedProgram {
  const stopTakes = random.chance(0.3) ? { stopTakes: random.integer(1, 15_000) } : {};
  if (random.chance(0.08)) {
    const exits = {
      after: random.integer(0, 3_000),
      code: random.pick([0, 0, 1, 137]),
      outOfMemory: random.chance(0.3),
    };
    return { ...stopTakes, exits };
  }
  if (random.chance(0.04))
    return { startFails: 'driver failed programming external connectivity: port is already allocated' };
  const chaperone = wait === 'ready' ? random.chance(0.9) : random.chance(0.4);
  const healthy = wait === 'healthy' ? random.chance(0.9) : random.chance(0.3);
  return {
    ...stopTakes,
    ...(chaperone ? { readyAfter: random.integer(0, 8_000) } : {}),
    ...(healthy
      ? { health: { after: random.integer(0, 8_000), result: random.chance(0.9) ? 'healthy' : 'unhealthy' } }
      : {}),
  };
}

function randomFaults(random: Random, specs: readonly InstanceSpec[]): readonly EngineFault[] {
  const name = (): string => random.pick(specs).containerName;
  const at = (): number => random.integer(0, 12_000);
  const makers: readonly (() => EngineFault)[] = [
    () => ({ fault: 'lostStream', at: at(), lasts: random.integer(1, 15_000) }),
    () => ({ fault: 'unreachable', at: at(), lasts: random.chance(0.7) ? random.integer(1, 5_000) : 300_000 }),
    () => ({ fault: 'lateEvents', by: random.integer(1, 6_000) }),
    () => ({
      fault: 'refused',
      operation: random.pick<Operation>(['create', 'start', 'stop', 'remove', 'network']),
      name: random.chance(0.8) ? name() : '',
      nth: random.integer(1, 2),
      failure: { kind: 'refused', status: 500, message: `no space left on device (fault ${random.integer(1, 99)})` },
    }),
    () => ({ fault: 'meddling', at: at(), does: random.pick(['kill', 'remove', 'start'] as const), name: name() }),
  ];
  return Array.from({ length: random.integer(1, 3) }, () => random.pick(makers)());
}

export async function runWorld(world: World): Promise<WorldRun> {
  const random = new Random(world.seed + 1);
  const simulation = simulated(world.programs, { faults: world.faults, latency: () => random.integer(1, 200) });
  const stranger = instanceSpec('web-9', { labels: { [labelNames.project]: 'other', other: 'yes' } });
  const { engine } = simulation;
  const foreign = ['other-web-9', 'demo-stranger'].map((name) => {
    const { labels, image } = stranger;
    return engine.put({ name, image, hostname: name, labels, environment: {}, ports: [], mounts: [], aliases: [] });
  });
  const acts: Act[] = [];
  const add = async (name: Act['name'], plan: (() => Promise<Plan | undefined>) | undefined): Promise<void> => {
    const made = await plan?.();
    if (made !== undefined) acts.push(await perform(simulation, name, made, world.faults));
  };
  await add('run', () => planOfRun(simulation, world.specs));
  await add('again', () => planOfRun(simulation, world.specs));
  const [first] = world.specs;
  const changed = world.specs.map((spec) => (spec === first ? { ...spec, env: { CHANGED: 'yes' } } : spec));
  await add('changed', () => planOfRun(simulation, changed));
  await add('remove', async () => {
    const found = await settled(simulation, observe(engine, project));
    if (found?.ok !== true) return undefined;
    const needs = new Map(world.specs.map(({ key, dependsOn }) => [key, dependsOn]));
    return planEnd(project, { kind: 'remove' }, found.value.containers, needs);
  });
  return { world, acts, foreign, images: names.map((name) => `${project}/${name}`) };
}

/** Undefined where the engine does not answer. */
async function planOfRun(simulation: Simulated, specs: readonly InstanceSpec[]): Promise<Plan | undefined> {
  const images = [...new Set(specs.map(({ image }) => image))];
  const observed = await settled(simulation, observe(simulation.engine, project, images));
  if (observed?.ok !== true) return undefined;
  const planning = planRun({ project, specs, observed: observed.value, digest });
  return planning.kind === 'plan' ? planning.plan : undefined;
}

async function settled<T>(simulation: Simulated, promise: Promise<T>): Promise<T | undefined> {
  let result: T | undefined;
  void promise.then((value) => {
    result = value;
  });
  await simulation.run(() => result !== undefined, simulation.clock.now() + longest);
  return result;
}

/** When the faults end that go on; one that is too long is not waited for. */
function endOf(faults: readonly EngineFault[], now: number): number {
  const late = latenessOf(faults);
  const ends = faults.flatMap((each) => {
    if (!('at' in each) || each.at > now + 2 * aftermath) return [];
    if (!('lasts' in each)) return [each.at + late];
    return each.lasts < 100_000 ? [each.at + each.lasts] : [];
  });
  return Math.max(0, ...ends);
}

/** The most ms by which an event comes late. */
function latenessOf(faults: readonly EngineFault[]): number {
  return faults.reduce((most, each) => (each.fault === 'lateEvents' ? Math.max(most, each.by) : most), 0);
}

async function perform(
  simulation: Simulated,
  name: Act['name'],
  plan: Plan,
  faults: readonly EngineFault[],
): Promise<Act> {
  const { engine, clock, ports } = simulation;
  const begun = engine.history.length;
  const from = clock.now();
  const platform = startPlatform({ plan, found: engine.look().filter(isOwn), readyTimeout }, ports);
  const stages = new Map<InstanceKey, string>();
  for (const fact of platform.feed.past().facts) if (fact.type === 'moved') stages.set(fact.actor, fact.to);
  platform.feed.facts$.subscribe((fact) => {
    if (fact.type === 'moved') stages.set(fact.actor, fact.to);
  });
  const outcome = await settled(simulation, platform.outcome);
  const to = clock.now();
  await simulation.run(() => false, Math.max(to, endOf(faults, to)) + aftermath + latenessOf(faults));
  platform.stop();
  const history = engine.history.slice(begun);
  return { name, plan, outcome, history, stages, containers: engine.look(), from, to };
}

function isOwn({ labels }: ContainerFacts): boolean {
  return labels[labelNames.project] === project;
}
