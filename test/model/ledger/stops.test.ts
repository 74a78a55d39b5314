import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAllOver, newLedger, type Order } from '../../../src/model/ledger/ledger.ts';
import { stateForPlan } from '../../../src/model/ledger/reload.ts';
import { stopsBefore } from '../../../src/model/ledger/stops.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { shutdownReserve } from '../../../src/model/order/ordering.ts';
import { planReload } from '../../../src/model/order/reload-plan.ts';
import type { ServiceSpec, SystemSpec } from '../../../src/model/service/service-spec.ts';
import { orderedServices } from '../order/graphs.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, intentOf, slotOf } from './charts.ts';
import { standingsOf, stoppable } from './oracles.ts';

type Sketch = Partial<ServiceSpec> & { readonly name: string };

function service(name: string, ...prerequisites: readonly string[]): Sketch {
  return { name, prerequisites };
}

/** Everything runs. */
function up(specs: readonly Sketch[], changes: Partial<SystemSpec> = {}): Charts & { readonly shares: number[] } {
  const services = specs.map((spec) => serviceSpec(spec));
  const shares: number[] = [];
  const charts = new Charts(newLedger(systemSpec(services, changes), buildDependencyGraph(services)), ({ orders }) => {
    for (const order of orders) if (order.kind === 'stop') shares.push(order.killAfter ?? Number.NaN);
  });
  charts.send({ type: 'starts.released', idle: true, at: 0 });
  for (const _ of specs) for (const { name } of specs) charts.happen(name, 'ready');
  return Object.assign(charts, { shares });
}

function stop(charts: Charts, ...names: readonly string[]): void {
  charts.send({ type: 'services.stop', names, disable: false, again: false, drain: false, at: charts.now });
}

function drain(charts: Charts): void {
  charts.send({ type: 'drain.begun', at: charts.now });
}

function reload(charts: Charts, specs: readonly Sketch[]): void {
  const services = specs.map((spec) => serviceSpec(spec));
  const spec = systemSpec(services);
  const plan = planReload(charts.ledger.spec, spec, (name) => stateForPlan(charts.ledger, name));
  charts.send({ type: 'system.reload', spec, graph: buildDependencyGraph(services), plan, at: charts.now });
}

/** Ends whatever stops, one after the other, and notes who is told meanwhile. */
function endAll(charts: Charts): readonly string[] {
  for (let next = 0; next < charts.stops.length; next++) charts.happen(charts.stops[next] ?? '', 'clear');
  return charts.stops;
}

const chain = [service('a'), service('b', 'a'), service('c', 'b')];

describe('stops by hand', () => {
  it('end dependents first, in whatever order they are named', () => {
    const charts = up(chain);
    stop(charts, 'a', 'c', 'b');
    expect(charts.stops).toEqual(['c']);
    charts.happen('c', 'clear');
    expect(charts.stops).toEqual(['c', 'b']);
    charts.happen('b', 'clear');
    expect(charts.stops).toEqual(['c', 'b', 'a']);
  });

  it('leave dependents alone that were not named', () => {
    const charts = up(chain);
    stop(charts, 'b');
    expect(charts.stops).toEqual(['b']);
  });

  it('do not wait for what is of a later stage alone', () => {
    const charts = up([service('a'), { name: 'late', groups: ['IDLE'] }]);
    stop(charts, 'a', 'late');
    expect(charts.stops).toEqual(['a', 'late']);
  });

  it('go on with those that nobody waits for at once', () => {
    const charts = up([service('a'), service('b', 'a'), service('c', 'a')]);
    stop(charts, 'a', 'b', 'c');
    expect(charts.stops).toEqual(['b', 'c']);
    charts.happen('c', 'clear');
    expect(charts.stops).toEqual(['b', 'c']);
    charts.happen('b', 'clear');
    expect(charts.stops).toEqual(['b', 'c', 'a']);
  });

  it('that are asked for later of a dependent come before those that wait', () => {
    const charts = up([...chain, service('d', 'a')]);
    stop(charts, 'a', 'b', 'c');
    stop(charts, 'd');
    charts.happen('c', 'clear');
    charts.happen('b', 'clear');
    expect(charts.stops).toEqual(['c', 'd', 'b']);
    charts.happen('d', 'clear');
    expect(charts.stops).toEqual(['c', 'd', 'b', 'a']);
  });

  it('that were told wait for nobody who is asked for later', () => {
    const charts = up(chain);
    stop(charts, 'b');
    stop(charts, 'c');
    expect(charts.stops).toEqual(['b', 'c']);
    expect([...stopsBefore(charts.ledger.slots)]).toEqual([]);
  });

  it('wait for nobody in a circle, where the graph is another by now', () => {
    const charts = up([service('p'), service('b', 'p'), service('c', 'b'), service('a')]);
    stop(charts, 'p', 'b', 'c');
    reload(charts, [service('b'), service('c', 'b'), service('a', 'b'), service('p', 'a')]);
    stop(charts, 'a');
    expect(endAll(charts)).toEqual(['c', 'b', 'p', 'a']);
  });

  it('of one that ends by itself before its turn let others go on', () => {
    const charts = up(chain);
    stop(charts, 'a', 'b', 'c');
    charts.happen('b', 'crash');
    charts.happen('c', 'clear');
    expect(charts.stops).toEqual(['c', 'a']);
  });

  it('of one that has ended before its turn, and runs again, wait for whoever is asked for with it', () => {
    const charts = up([service('a'), service('b', 'a'), service('c', 'a')]);
    stop(charts, 'a', 'b');
    charts.happen('a', 'crash');
    charts.send({ type: 'services.start', names: ['a'], enable: false, force: false, at: 0 });
    charts.happen('a', 'ready');
    stop(charts, 'a', 'c');
    charts.happen('b', 'clear');
    expect(charts.stops).toEqual(['b', 'c']);
    charts.happen('c', 'clear');
    expect(charts.stops).toEqual(['b', 'c', 'a']);
  });

  it('of one that pauses before a restart wait for nobody: nothing of it runs', () => {
    const charts = up([{ ...service('a'), restart: true }, service('b', 'a')]);
    charts.happen('a', 'crash');
    stop(charts, 'a', 'b');
    expect(charts.stops).toEqual(['a', 'b']);
  });

  it('hold up only earlier stages of what a reload takes out meanwhile', () => {
    const charts = up([{ name: 'init', groups: ['INIT'] }, service('x'), service('y'), service('z')]);
    stop(charts, 'x');
    reload(charts, [service('x')]);
    expect(charts.stops).toEqual(['x', 'z', 'y']);
    charts.happen('y', 'clear');
    charts.happen('z', 'clear');
    expect(charts.stops).toEqual(['x', 'z', 'y']);
    charts.happen('x', 'clear');
    expect(charts.stops).toEqual(['x', 'z', 'y', 'init']);
  });

  it('know who is told before whom', () => {
    const charts = up(chain);
    stop(charts, 'a', 'b', 'c');
    expect(Object.fromEntries(stopsBefore(charts.ledger.slots))).toEqual({ a: ['b'], b: ['c'] });
    const wide = up([service('a'), service('b', 'a'), service('c', 'a')]);
    stop(wide, 'a', 'b', 'c');
    expect(Object.fromEntries(stopsBefore(wide.ledger.slots))).toEqual({ a: ['b', 'c'] });
  });
});

describe('SIGKILL', () => {
  it('comes when the whole budget is used up, once, for each on its own', () => {
    const charts = up([service('a'), service('b')]);
    stop(charts, 'a');
    charts.wait(3_000);
    stop(charts, 'b');
    expect(charts.shares).toEqual([8_000, 8_000]);
    charts.wait(4_999);
    expect(charts.kills).toEqual([]);
    charts.wait(1);
    expect(charts.kills).toEqual(['a']);
    charts.wait(60_000);
    expect(charts.kills).toEqual(['a', 'b']);
  });

  it('does not come for what has ended', () => {
    const charts = up([service('a'), service('b')]);
    stop(charts, 'a', 'b');
    charts.happen('a', 'clear');
    charts.wait(8_000);
    expect(charts.kills).toEqual(['b']);
    expect(charts.ledger.due).toBeUndefined();
  });

  it('is put off for what asks for time, and never put forward', () => {
    const charts = up([service('a')]);
    stop(charts, 'a');
    charts.send({ type: 'service.extended', name: 'a', until: 20_000, at: 0 });
    charts.send({ type: 'service.extended', name: 'a', until: 100, at: 0 });
    charts.wait(19_999);
    expect(charts.kills).toEqual([]);
    charts.wait(1);
    expect(charts.kills).toEqual(['a']);
  });

  it('is put off by nobody while the system ends, nor for what is not being stopped', () => {
    const charts = up([service('a')]);
    charts.send({ type: 'service.extended', name: 'a', until: 20_000, at: 0 });
    expect(charts.ledger.due).toBeUndefined();
    drain(charts);
    charts.send({ type: 'service.extended', name: 'a', until: 20_000, at: 0 });
    charts.wait(7_500);
    expect(charts.kills).toEqual(['a']);
  });

  it('comes for all at once when nobody has time any more', () => {
    const charts = up([...chain, service('d')]);
    charts.happen('d', 'crash');
    drain(charts);
    charts.send({ type: 'stops.forced', at: 1 });
    expect([...charts.kills].sort()).toEqual(['a', 'b', 'c']);
    expect(charts.ledger.due).toBeUndefined();
  });

  it('that is survived is told; while the system goes on, everybody waits', () => {
    const notices: Order[] = [];
    const services = [serviceSpec(service('a')), serviceSpec(service('b', 'a'))];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), ({ orders }) => {
      notices.push(...orders.filter((order) => order.kind === 'tell' && order.notice.type === 'service.survives'));
    });
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    for (const name of ['a', 'b']) charts.happen(name, 'ready');
    stop(charts, 'a', 'b');
    charts.wait(8_000);
    charts.happen('b', 'survive');
    expect(charts.stops).toEqual(['b']);
    expect(notices).toEqual([{ kind: 'tell', notice: { type: 'service.survives', service: 'b', waits: true } }]);
    charts.happen('b', 'clear');
    expect(charts.stops).toEqual(['b', 'a']);
  });
});

describe('the end of the system', () => {
  const stages = [
    { name: 'init', groups: ['INIT'] },
    { name: 'web', prerequisites: ['init'] },
    service('other'),
    { name: 'late', groups: ['IDLE'] },
  ];

  it('goes against the graph', () => {
    const charts = up(chain);
    drain(charts);
    expect(endAll(charts)).toEqual(['c', 'b', 'a']);
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('goes stage by stage: IDLE, the others, INIT', () => {
    const charts = up(stages);
    drain(charts);
    expect(charts.stops).toEqual(['late']);
    charts.happen('late', 'clear');
    expect([...charts.stops].sort()).toEqual(['late', 'other', 'web']);
    charts.happen('web', 'clear');
    expect(charts.stops).not.toContain('init');
    charts.happen('other', 'clear');
    expect(charts.stops[3]).toBe('init');
  });

  it('begins with retiring everybody, and nothing is restarted or started any more', () => {
    const charts = up([{ ...service('a'), restart: true }, service('b', 'a')]);
    drain(charts);
    charts.happen('a', 'crash');
    expect(charts.phase('a')).toBe('failed');
    charts.happen('b', 'clear');
    expect(isAllOver(charts.ledger)).toBe(true);
    expect(charts.ledger.drain).toMatchObject({ stopped: ['b'], neverStarted: [] });
  });

  it('counts what never started, but not what was disabled, stopped, or ready once', () => {
    const charts = up([
      { ...service('a') },
      { ...service('off'), enabled: false },
      service('held', 'a'),
      service('by'),
    ]);
    stop(charts, 'held', 'by');
    for (const name of ['held', 'by']) charts.happen(name, 'clear');
    stop(charts, 'a');
    charts.happen('a', 'clear');
    charts.send({ type: 'services.start', names: ['held'], enable: false, force: false, at: 0 });
    expect(intentOf(slotOf(charts.ledger, 'held'))).toBe('queued');
    drain(charts);
    expect(charts.ledger.drain).toMatchObject({ neverStarted: [], stopped: [] });
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('names in start order what never started', () => {
    const services = ['a', 'b', 'c'].map((name, index) =>
      serviceSpec({ name, prerequisites: index === 0 ? [] : [['a', 'b', 'c'][index - 1] ?? ''] }),
    );
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    drain(charts);
    expect(charts.ledger.drain?.neverStarted).toEqual(['b', 'c']);
    charts.happen('a', 'clear');
    expect(charts.ledger.drain?.stopped).toEqual(['a']);
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('takes over what was being stopped: who was told is not told again, and has no more time than the others', () => {
    const charts = up(chain);
    stop(charts, 'b', 'c');
    charts.wait(1_000);
    drain(charts);
    expect(charts.stops).toEqual(['c']);
    expect(charts.ledger.due).toBe(1_000 + 2_500);
    expect(endAll(charts)).toEqual(['c', 'b', 'a']);
    expect(charts.ledger.drain?.stopped).toEqual(['c', 'b', 'a']);
  });

  it('is not what a prerequisite waits for whose dependent is only disabled, and lets its job finish', () => {
    const charts = up([service('a'), { name: 'b', type: 'cron', interval: '@daily', prerequisites: ['a'] }]);
    charts.send({ type: 'services.disable', names: ['b'], at: 0 });
    expect(charts.ledger.slots.get('b')?.chart).toBe('stopping');
    stop(charts, 'a');
    expect(charts.stops).toEqual(['b', 'a']);
    // Only the end of the system hastens the job.
    drain(charts);
    expect(endAll(charts)).toEqual(['b', 'a', 'b']);
  });

  it.each([
    ['a stop by hand', { type: 'services.stop', disable: false, again: false, drain: false }],
    ['a restart', { type: 'services.stop', disable: false, again: true, drain: false }],
    ['a forced start', { type: 'services.start', enable: false, force: true }],
  ] as const)('that %s hastens ends the job of the dependent before its prerequisite', (_, request) => {
    const charts = up([service('a'), { name: 'b', type: 'cron', interval: '@daily', prerequisites: ['a'] }]);
    charts.send({ type: 'services.disable', names: ['b'], at: 0 });
    charts.send({ ...request, names: ['a', 'b'], at: 0 });
    expect(charts.stops).toEqual(['b', 'b']);
    charts.happen('b', 'clear');
    expect(charts.stops).toEqual(['b', 'b', 'a']);
  });

  it('hastens a job that was to finish', () => {
    const charts = up([{ name: 'a', type: 'cron', interval: '@daily' }]);
    charts.send({ type: 'services.stop', names: ['a'], disable: false, again: false, drain: true, at: 0 });
    drain(charts);
    expect(charts.stops).toEqual(['a', 'a']);
    expect(charts.shares).toEqual([Number.NaN, 7_500]);
  });

  it('stops what somebody waits to start, once it is cleared away', () => {
    const charts = up([{ ...service('a'), restart: true }, service('b', 'a')]);
    charts.happen('b', 'crashLeaving');
    charts.send({ type: 'services.start', names: ['b'], enable: false, force: false, at: 0 });
    drain(charts);
    expect(endAll(charts)).toEqual(['b', 'a']);
    expect(charts.starts).toEqual(['a', 'b']);
  });

  it('does not wait for what survives SIGKILL', () => {
    const charts = up(stages);
    drain(charts);
    charts.wait(8_000);
    charts.happen('late', 'survive');
    expect([...charts.stops].sort()).toEqual(['late', 'other', 'web']);
    charts.happen('web', 'clear');
    charts.happen('other', 'survive');
    expect(charts.stops).not.toContain('init');
    charts.wait(1);
    charts.happen('other', 'survive');
    expect(charts.stops).toContain('init');
    charts.happen('init', 'clear');
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('is not undone by what ends after nobody has waited for it any longer', () => {
    const charts = up(chain);
    drain(charts);
    charts.wait(8_000);
    charts.happen('c', 'survive');
    charts.happen('c', 'clear');
    expect(charts.stops).toEqual(['c', 'b']);
    expect(endAll(charts)).toEqual(['c', 'b', 'a']);
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('ends what a reload has taken out before what that had waited for', () => {
    const charts = up([service('db'), service('web', 'db'), service('ui', 'web')]);
    reload(charts, [service('db')]);
    expect(charts.stops).toEqual(['ui']);
    drain(charts);
    expect(endAll(charts)).toEqual(['ui', 'web', 'db']);
  });

  it('keeps what a reload has ordered before what is gone', () => {
    const charts = up([service('db'), service('web', 'db'), service('ui', 'web')]);
    // `web` is to end before `db`, which is gone; in the new graph it waits for nobody.
    reload(charts, [{ ...service('web'), command: '/bin/other' }, service('ui', 'web')]);
    expect([...charts.stops]).toEqual(['web']);
    const held = up([service('db'), service('web', 'db'), service('ui', 'web')]);
    reload(held, [
      { ...service('web'), command: '/bin/other' },
      { ...service('ui', 'web'), command: '/bin/other' },
    ]);
    drain(held);
    expect(held.stops).toEqual(['ui']);
    expect(endAll(held)).toEqual(['ui', 'web', 'db']);
  });

  it('leaves half a share, a quarter of what is left, or a second to what gets SIGKILL', () => {
    const grace = (budget: number, count: number): number => {
      const charts = up(chain.slice(0, count), { shutdownTimeout: budget });
      drain(charts);
      charts.wait(charts.ledger.due ?? 0);
      return charts.grace;
    };
    expect(grace(60_000, 2)).toBe(1_000);
    expect(grace(1_000, 3)).toBeCloseTo(150);
    expect(grace(1_000, 1)).toBeCloseTo(25);
    expect(grace(10, 1)).toBe(10);
  });

  it('gives nobody another definition, or another chart, that a reload had for it', () => {
    const charts = up([service('a')]);
    reload(charts, [{ ...service('a'), type: 'cron', interval: '@daily' }]);
    drain(charts);
    charts.happen('a', 'clear');
    expect([slotOf(charts.ledger, 'a').chart, charts.phase('a')]).toEqual(['stopped', 'stopped']);
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('goes on where the stages of a reload are against those of the one before', () => {
    const charts = up([
      { name: 'low', groups: ['INIT'] },
      { name: 'old', groups: ['INIT'], prerequisites: ['low'] },
      service('up'),
      service('top', 'up'),
    ]);
    // `old` is gone, and ends after `up` (which is of the second stage), but before `low`.
    reload(charts, [service('low'), { name: 'up', groups: ['INIT'], command: '/bin/other' }]);
    drain(charts);
    expect([...endAll(charts)].sort()).toEqual(['low', 'old', 'top', 'up']);
    expect(isAllOver(charts.ledger)).toBe(true);
  });

  it('tells as many at a time as a look at everything would, when all end at once', () => {
    fc.assert(
      fc.property(orderedServices, (members) => {
        const charts = up(members);
        const rounds: string[][] = [];
        drain(charts);
        for (let told = 0; told < charts.stops.length; ) {
          const round = charts.stops.slice(told);
          rounds.push([...round].sort());
          expect([...stoppable(charts.ledger.graph, standingsOf(charts.ledger))].sort()).toEqual([...round].sort());
          told = charts.stops.length;
          for (const name of round) charts.happen(name, 'clear');
        }
        expect(rounds.flat().length).toBe(members.length);
        expect(isAllOver(charts.ledger)).toBe(true);
      }),
    );
  });
});

describe('the shares of the budget', () => {
  it('are what is left, by the layers that are left', () => {
    const charts = up(chain);
    drain(charts);
    charts.happen('c', 'clear');
    charts.happen('b', 'clear');
    expect(charts.shares).toEqual([2_500, 3_750, 7_500]);
  });

  it('count only layers in which a stop takes time', () => {
    const idle = [{ ...service('a'), type: 'oneshot' as const }, service('b', 'a'), service('c', 'b')];
    const charts = up(idle);
    drain(charts);
    expect(charts.shares).toEqual([3_750]);
    const leaving = up([{ ...service('a'), type: 'forking' as const }, service('b', 'a')]);
    drain(leaving);
    expect(leaving.shares).toEqual([3_750]);
    const process = up([
      { ...service('a'), type: 'forking' as const, killMode: 'process' as const },
      service('b', 'a'),
    ]);
    drain(process);
    expect(process.shares).toEqual([7_500]);
  });

  it('count layers in which only hooks of a stop take time', () => {
    for (const stage of ['before_stop', 'stop_command', 'after_stop', 'before_start'] as const) {
      const hooks = { commands: { [stage]: [{ command: 'tidy' }] }, afterStopTimeout: 1_000 };
      const charts = up([{ ...service('a'), type: 'oneshot', hooks }, service('b', 'a')]);
      drain(charts);
      expect([stage, charts.shares]).toEqual([stage, [stage === 'before_start' ? 7_500 : 3_750]]);
    }
  });

  it('are no larger for what was told to stop before', () => {
    const charts = up([{ ...service('a'), stopTimeout: 60_000 }]);
    stop(charts, 'a');
    drain(charts);
    charts.wait(7_500);
    expect(charts.kills).toEqual(['a']);
  });

  it('are made anew of what is left for the hooks of after_stop', () => {
    const charts = up([service('a')]);
    drain(charts);
    charts.wait(7_000);
    charts.send({ type: 'service.stopContinues', name: 'a', at: charts.now });
    charts.wait(499);
    expect(charts.kills).toEqual([]);
    charts.wait(1);
    expect(charts.kills).toEqual(['a']);
  });

  it('leave each layer below its second, as far as the budget reaches', () => {
    const charts = up(chain, { shutdownTimeout: 2_400 });
    drain(charts);
    expect(charts.shares[0]).toBeCloseTo(2_160 - 2_000);
  });

  it('are half of what is left for what is gone', () => {
    const charts = up([service('db'), service('web', 'db'), service('ui', 'web')]);
    reload(charts, [service('db')]);
    drain(charts);
    charts.happen('ui', 'clear');
    expect(charts.shares).toEqual([8_000, 3_750]);
  });

  it('are enough for everybody where all services overrun them, and about a second at least', () => {
    const budgets = fc.constantFrom(500, 3_000, 8_000, 20_000, 60_000);
    fc.assert(
      fc.property(orderedServices, budgets, (members, budget) => {
        const charts = up(members, { shutdownTimeout: budget });
        const { layerCount } = charts.ledger.graph;
        const reserve = shutdownReserve(budget);
        drain(charts);
        for (let round = 0; round <= 2 * layerCount && !isAllOver(charts.ledger); round++) {
          charts.wait(Math.max(0, (charts.ledger.due ?? charts.now) - charts.now));
          for (const name of charts.kills) charts.happen(name, 'clear');
        }
        expect(isAllOver(charts.ledger)).toBe(true);
        expect(charts.now).toBeLessThanOrEqual(budget - reserve + 1e-6);
        expect(charts.shares.length).toBe(members.length);
        const least = budget - reserve >= layerCount * 1_000 ? 1_000 : 0;
        for (const share of charts.shares) expect(share).toBeGreaterThanOrEqual(least - 1e-6);
      }),
    );
  });

  it('leave something for everybody even where all of them survive SIGKILL', () => {
    fc.assert(
      fc.property(orderedServices, (members) => {
        const charts = up(members, { shutdownTimeout: 30_000 });
        const told = new Set<string>();
        drain(charts);
        for (let round = 0; round <= 30 && !isAllOver(charts.ledger); round++) {
          charts.wait(Math.max(0, (charts.ledger.due ?? charts.now) - charts.now));
          charts.now += charts.grace;
          for (const name of charts.kills) if (!told.has(name)) charts.happen(name, 'survive');
          for (const name of charts.kills) told.add(name);
        }
        expect(isAllOver(charts.ledger)).toBe(true);
        for (const share of charts.shares) expect(share).toBeGreaterThan(100);
      }),
    );
  });
});
