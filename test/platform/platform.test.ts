import { describe, expect, it } from 'vitest';
import { type PlatformOutcome, startPlatform } from '../../src/platform/runtime/platform.ts';
import { createStep, instanceSpec, observed, planOf, type Simulated, simulated } from './specs.ts';

/** Runs a plan to its end. */
async function carryOut(
  world: Simulated,
  options: Omit<Parameters<typeof startPlatform>[0], 'found'>,
): Promise<PlatformOutcome> {
  const platform = startPlatform({ found: world.engine.look(), ...options }, world.ports);
  let outcome: PlatformOutcome | undefined;
  void platform.outcome.then((value) => {
    outcome = value;
  });
  await world.run(() => outcome !== undefined);
  platform.stop();
  if (outcome === undefined) throw new Error('the plan has not come to an end');
  return outcome;
}

const order = ({ engine }: Simulated, what: string): readonly string[] =>
  engine.history.filter((entry) => entry.what === what).map(({ name }) => name.replace('demo-', ''));

describe('a platform', () => {
  it('starts what waits for another once that one is ready, and what waits for none at once', async () => {
    const world = simulated({
      'db-master': { readyAfter: 2_000 },
      'api-1': { health: { after: 700, result: 'healthy' } },
    });
    const specs = [
      instanceSpec('db-master'),
      instanceSpec('api-1', { needs: ['db-master'] }),
      instanceSpec('web-front'),
    ];
    const outcome = await carryOut(world, { plan: planOf(specs.map(createStep)) });
    expect(outcome.done).toBe(true);
    expect(order(world, 'started')).toEqual(['db-master', 'web-front', 'api-1']);
    const ready = world.engine.history.findIndex(({ what, name }) => what === 'ready' && name === 'demo-db-master');
    const made = world.engine.history.findIndex(
      ({ operation, name }) => operation === 'create' && name === 'demo-api-1',
    );
    expect(made).toBeGreaterThan(ready);
  });
});

describe('a platform in which something goes wrong', () => {
  const [db, api, web] = [
    instanceSpec('db-master'),
    instanceSpec('api-1', { needs: ['db-master'] }),
    instanceSpec('web-front'),
  ];

  it('tells the words of the engine, begins nothing that waits for it, and leaves the others', async () => {
    const message = 'Bind for 0.0.0.0:80 failed: port is already allocated';
    const world = simulated({ 'db-master': { startFails: message } });
    const { done, steps } = await carryOut(world, { plan: planOf([db, api, web].map(createStep)) });
    expect(done).toBe(false);
    expect(steps.map(({ step, state }) => [step.key, state])).toEqual([
      ['db-master', { kind: 'failed', cause: message }],
      ['api-1', { kind: 'skipped', because: 'db-master' }],
      ['web-front', { kind: 'done' }],
    ]);
    expect(order(world, 'started')).toEqual(['web-front']);
  });

  it('gives up an engine that goes away in the middle and does not come back', async () => {
    const world = simulated(
      { 'db-master': { health: { after: 30_000, result: 'healthy' } } },
      {
        faults: [{ fault: 'unreachable', at: 1_000, lasts: 3_600_000 }],
      },
    );
    const { done, steps } = await carryOut(world, { plan: planOf([db, api].map(createStep)) });
    expect(done).toBe(false);
    expect(steps[0]?.state).toMatchObject({ kind: 'failed', cause: expect.stringContaining('ECONNREFUSED') });
    expect(world.clock.now()).toBeLessThan(60_000);
  });

  it('finds an exit that nobody told, once the events are back', async () => {
    const world = simulated(
      { 'db-master': { health: { after: 60_000, result: 'healthy' }, exits: { after: 2_000, code: 3 } } },
      {
        faults: [{ fault: 'lostStream', at: 1_500, lasts: 4_000 }],
      },
    );
    const { steps } = await carryOut(world, { plan: planOf([createStep(db)]) });
    expect(steps[0]?.state).toEqual({ kind: 'failed', cause: 'exit 3' });
  });

  it('makes a container anew whose links have other addresses by now', async () => {
    const world = simulated();
    await carryOut(world, { plan: planOf([db, api].map(createStep)) });
    for (const name of ['demo-api-1', 'demo-db-master']) {
      void world.engine.containers.stop(name);
      await world.run(() => world.engine.look().some((facts) => facts.name === name && facts.status === 'exited'));
    }
    const starts = [db, api].map((spec) => ({
      ...createStep(spec),
      action: { kind: 'start', spec, found: observed(spec.key) } as const,
    }));
    const { done } = await carryOut(world, { plan: planOf(starts) });
    expect(done).toBe(true);
    expect(order(world, 'created')).toEqual(['db-master', 'api-1', 'api-1']);
    expect(order(world, 'removed')).toEqual(['api-1']);
  });
});
