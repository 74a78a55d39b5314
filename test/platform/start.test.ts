/** What `dockerops start` does with containers that are there, and what becomes of links whose address changes. */
import { describe, expect, it } from 'vitest';
import type { InstanceSpec } from '../../src/platform/model/instance.ts';
import { type Customs, planRun, planStart, staleLinks } from '../../src/platform/model/make-plan.ts';
import type { ObservedContainer, Plan } from '../../src/platform/model/plan.ts';
import { type PlatformOutcome, startPlatform } from '../../src/platform/runtime/platform.ts';
import { observe } from '../../src/platform/work/observe.ts';
import { createStep, digest, instanceSpec, planOf, project, type Simulated, simulated } from './specs.ts';

const [db, api, web] = [
  instanceSpec('db-one'),
  instanceSpec('api-1', { needs: ['db-one'] }),
  instanceSpec('web-front', { needs: ['api-1'] }),
];
const all = [db, api, web];
const customs: Customs = { needs: new Map(), manners: new Map() };

async function answered<T>(world: Simulated, promise: Promise<T>): Promise<T> {
  let answer: { readonly value: T } | undefined;
  void promise.then((value) => {
    answer = { value };
  });
  await world.run(() => answer !== undefined);
  if (answer === undefined) throw new Error('nothing was answered');
  return answer.value;
}

async function carryOut(world: Simulated, plan: Plan, readyTimeout = 60_000): Promise<PlatformOutcome> {
  const platform = startPlatform({ found: world.engine.look(), plan, readyTimeout }, world.ports);
  try {
    return await answered(world, platform.outcome);
  } finally {
    platform.stop();
  }
}

async function look(world: Simulated): Promise<readonly ObservedContainer[]> {
  const images = all.map(({ image }) => image);
  const observed = await answered(world, observe(world.engine, project, images));
  if (!observed.ok) throw new Error(observed.failure.message);
  return observed.value.containers;
}

async function rerun(world: Simulated, specs: readonly InstanceSpec[], again: readonly string[] = []): Promise<Plan> {
  const observed = await answered(
    world,
    observe(
      world.engine,
      project,
      all.map(({ image }) => image),
    ),
  );
  if (!observed.ok) throw new Error(observed.failure.message);
  const planning = planRun({ project, specs, observed: observed.value, digest, again: new Set(again) });
  if (planning.kind !== 'plan') throw new Error(planning.problems.join('\n'));
  await carryOut(world, planning.plan);
  return planning.plan;
}

/** All run, and then these were stopped. */
async function stopped(world: Simulated, names: readonly string[]): Promise<readonly ObservedContainer[]> {
  await carryOut(world, planOf(all.map(createStep)));
  for (const name of names) await answered(world, world.engine.containers.stop(name));
  return look(world);
}

const sinceOf = ({ engine }: Simulated): number => engine.history.length;

/** What happened to the containers, in its order. */
const happened = ({ engine }: Simulated, since: number): readonly string[] =>
  engine.history
    .slice(since)
    .filter(({ what }) => what === 'created' || what === 'started' || what === 'ready' || what === 'removed')
    .map(({ what, name }) => `${name.replace('demo-', '')} ${what}`);

const programs = { 'db-one': { readyAfter: 2_000 }, 'api-1': { readyAfter: 500 } };

describe('to start what has stopped', () => {
  it('starts each, as it was made, once those are ready that it waits for', async () => {
    const world = simulated(programs);
    const before = await stopped(world, ['demo-web-front', 'demo-api-1', 'demo-db-one']);
    const since = sinceOf(world);
    // In an order in which they could not start one by one.
    const plan = planStart(project, before.toReversed(), before, customs);
    expect((await carryOut(world, plan)).done).toBe(true);
    expect(happened(world, since)).toEqual([
      'db-one started',
      'db-one ready',
      'api-1 started',
      'api-1 ready',
      'web-front started',
    ]);
    expect((await look(world)).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  });

  it('waits for one that runs and is not ready yet, and leaves those alone that are not named', async () => {
    const world = simulated(programs);
    await stopped(world, ['demo-web-front', 'demo-api-1', 'demo-db-one']);
    await answered(world, world.engine.containers.start('demo-db-one'));
    const since = sinceOf(world);
    const there = await look(world);
    const named = there.filter(({ key }) => key === 'api-1');
    expect((await carryOut(world, planStart(project, named, there, customs))).done).toBe(true);
    expect(happened(world, since)).toEqual(['db-one ready', 'api-1 started', 'api-1 ready']);
  });

  it('waits as the conf says, also for what is linked to nothing', async () => {
    const world = simulated(programs);
    const there = await stopped(world, ['demo-web-front', 'demo-api-1', 'demo-db-one']);
    const since = sinceOf(world);
    const plan = planStart(project, there, there, {
      needs: new Map([['db-one', ['web-front']]]),
      manners: new Map([
        ['api-1', { wait: 'started', sleep: 0 }],
        ['db-one', { wait: 'started', sleep: 0 }],
      ]),
    });
    // The conf and the links are a circle: all of them start at the same time.
    expect(plan.steps.map(({ after }) => after)).toEqual([[], [], []]);
    const straight = planStart(project, there, there, {
      ...customs,
      manners: new Map([['db-one', { wait: 'started', sleep: 700 }]]),
    });
    const begun = world.clock.now();
    expect((await carryOut(world, straight)).done).toBe(true);
    expect(happened(world, since).slice(0, 2)).toEqual(['db-one started', 'api-1 started']);
    const asked = world.engine.history
      .slice(since)
      .find(({ operation, name }) => operation === 'start' && name === 'demo-api-1');
    expect((asked?.at ?? 0) - begun).toBeGreaterThanOrEqual(700);
  });

  it('begins nothing that waits for one that does not start, and nothing where all of them run', async () => {
    const faults = [
      {
        fault: 'refused' as const,
        operation: 'start' as const,
        name: 'demo-db-one',
        nth: 2,
        failure: { kind: 'refused' as const, status: 500, message: 'port is already allocated' },
      },
    ];
    const world = simulated(programs, { faults });
    const there = await stopped(world, ['demo-web-front', 'demo-api-1', 'demo-db-one']);
    const { done, steps } = await carryOut(world, planStart(project, there, there, customs));
    expect(done).toBe(false);
    expect(steps.map(({ step, state }) => [step.key, state])).toEqual([
      ['db-one', { kind: 'failed', cause: 'port is already allocated' }],
      ['api-1', { kind: 'skipped', because: 'db-one' }],
      ['web-front', { kind: 'skipped', because: 'db-one' }],
    ]);
    await carryOut(world, planStart(project, there, there, customs));
    const running = await look(world);
    expect(planStart(project, running, running, customs).steps).toEqual([]);
  });
});

describe('a link to an instance that has another address by now', () => {
  it('is told after a rerun of that instance alone, and remade by the next run', async () => {
    const world = simulated(programs);
    await carryOut(world, planOf(all.map(createStep)));
    expect(staleLinks(await look(world))).toEqual([]);
    await rerun(world, [db], ['db-one']);
    expect(staleLinks(await look(world))).toEqual([
      'api-1: link dbone has the address that db-one had before; "dockerops run api-1" makes api-1 anew',
    ]);
    const plan = await rerun(world, all);
    expect(plan.steps.map(({ key, action, reasons }) => [key, action.kind, reasons])).toEqual([
      ['db-one', 'keep', ['it runs as it shall']],
      ['api-1', 'recreate', ['link dbone has another address']],
      ['web-front', 'recreate', ['link api1 goes to api-1, which is made anew']],
    ]);
    expect(staleLinks(await look(world))).toEqual([]);
  });

  it('is remade with the instance where a rerun names both, and what has stopped is not told', async () => {
    const world = simulated(programs);
    await carryOut(world, planOf(all.map(createStep)));
    await rerun(world, all, ['db-one']);
    expect(staleLinks(await look(world))).toEqual([]);
    await answered(world, world.engine.containers.stop('demo-api-1'));
    await rerun(world, [db], ['db-one']);
    expect(staleLinks(await look(world))).toEqual([]);
    const there = await look(world);
    await carryOut(world, planStart(project, there, there, customs));
    expect(staleLinks(await look(world)).map((text) => text.split(':')[0])).toContain('api-1');
  });
});
