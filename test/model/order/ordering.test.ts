import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDependencyGraph, type DependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import {
  blocked,
  blockedBy,
  isLost,
  leastShare,
  type Standing,
  type Standings,
  satisfies,
  shutdownReserve,
  stopShare,
} from '../../../src/model/order/ordering.ts';
import { budgetFor, overrun } from '../../../src/model/order/stop-budget.ts';
import { isLive, isReadyPhase, type ServicePhase } from '../../../src/model/service/service-phase.ts';
import { startable } from '../ledger/oracles.ts';
import { type Member, orderedServices } from './graphs.ts';

const allPhases = [
  'disabled',
  'pending',
  'starting',
  'ready.running',
  'ready.exited',
  'ready.scheduled',
  'exited',
  'stopping',
  'backoff',
  'stopped',
  'failed',
] as const satisfies readonly ServicePhase[];

function standing(phase: ServicePhase, changes: Partial<Standing> = {}): Standing {
  return { phase, hasBeenReady: isReadyPhase(phase), ignoreFailures: false, ...changes };
}

const standings = fc
  .record({
    phase: fc.constantFrom(...allPhases),
    ready: fc.boolean(),
    ignoreFailures: fc.boolean(),
  })
  .map(({ phase, ready, ignoreFailures }): Standing => {
    // What was ready is not pending, and what runs is ready.
    const hasBeenReady = isReadyPhase(phase) || (ready && phase !== 'pending' && phase !== 'disabled');
    return { phase, hasBeenReady, ignoreFailures };
  });

/** A graph, and any standings of its services. */
const situations: fc.Arbitrary<readonly [readonly Member[], ReadonlyMap<string, Standing>]> = orderedServices.chain(
  (members) =>
    fc
      .tuple(...members.map(() => standings))
      .map((each): [readonly Member[], ReadonlyMap<string, Standing>] => [
        members,
        new Map(members.flatMap(({ name }, index) => (each[index] === undefined ? [] : [[name, each[index]]]))),
      ]),
);

function get(all: Standings, name: string): Standing {
  const found = all.get(name);
  if (found === undefined) throw new Error(`${name} stands nowhere`);
  return found;
}

function chain(phases: Readonly<Record<string, Standing>>): [DependencyGraph, ReadonlyMap<string, Standing>] {
  const names = Object.keys(phases);
  const members = names.map((name, index) => ({
    name,
    prerequisites: names.slice(Math.max(0, index - 1), index),
    groups: [],
  }));
  return [buildDependencyGraph(members), new Map(Object.entries(phases))];
}

describe('satisfies', () => {
  it('is true for what is ready or disabled, and for failures that are ignored', () => {
    expect(allPhases.filter((phase) => satisfies(standing(phase)))).toEqual([
      'disabled',
      'ready.running',
      'ready.exited',
      'ready.scheduled',
      'exited',
    ]);
    expect(satisfies(standing('failed', { ignoreFailures: true }))).toBe(true);
    expect(satisfies(standing('stopped', { ignoreFailures: true }))).toBe(false);
  });

  it('is true of a schedule, and of nothing that is on its way, even where failures are ignored', () => {
    expect(satisfies(standing('ready.scheduled'))).toBe(true);
    for (const phase of ['pending', 'starting', 'stopping', 'backoff'] as const) {
      expect(satisfies(standing(phase, { ignoreFailures: true }))).toBe(false);
    }
  });
});

describe('blocked', () => {
  it('goes on through everything that waits for what is lost', () => {
    const [graph, all] = chain({ a: standing('failed'), b: standing('pending'), c: standing('pending') });
    expect([...blocked(graph, all)]).toEqual(['b', 'c']);
  });

  it('is what waits for something that was stopped, too', () => {
    const [graph, all] = chain({ a: standing('stopped'), b: standing('pending') });
    expect([...blocked(graph, all)]).toEqual(['b']);
  });

  it('is nothing where the failure is ignored', () => {
    const [graph, all] = chain({ a: standing('failed', { ignoreFailures: true }), b: standing('pending') });
    expect([...blocked(graph, all)]).toEqual([]);
  });

  it('holds a whole stage back when one of the stage before is lost', () => {
    const graph = buildDependencyGraph([
      { name: 'init', prerequisites: [], groups: ['INIT'] },
      { name: 'web', prerequisites: [], groups: [] },
      { name: 'idle', prerequisites: [], groups: ['IDLE'] },
    ]);
    const all = new Map([
      ['init', standing('failed')],
      ['web', standing('pending')],
      ['idle', standing('pending')],
    ]);
    expect([...blocked(graph, all)]).toEqual(['web', 'idle']);
    // Once it was ready, its stage is passed for good.
    all.set('init', standing('failed', { hasBeenReady: true }));
    expect([...blocked(graph, all)]).toEqual([]);
  });

  it('tells for each service which ones would have to be started by hand', () => {
    const graph = buildDependencyGraph([
      { name: 'init', prerequisites: [], groups: ['INIT'] },
      { name: 'disk', prerequisites: [], groups: [] },
      { name: 'db', prerequisites: ['disk'], groups: [] },
      { name: 'cache', prerequisites: [], groups: [] },
      { name: 'web', prerequisites: ['db', 'cache'], groups: [] },
      { name: 'idle', prerequisites: [], groups: ['IDLE'] },
    ]);
    const all = new Map([
      ['init', standing('ready.running', { hasBeenReady: true })],
      ['disk', standing('stopped')],
      ['db', standing('pending')],
      ['cache', standing('failed')],
      ['web', standing('pending')],
      ['idle', standing('pending')],
    ]);
    const roots = (): Record<string, readonly string[]> => Object.fromEntries(blockedBy(graph, all));
    expect(roots()).toEqual({ db: ['disk'], web: ['disk', 'cache'], idle: ['disk', 'cache'] });
    all.set('init', standing('failed')).set('disk', standing('pending')).set('cache', standing('pending'));
    expect(roots()).toEqual({
      ...{ disk: ['init'], db: ['init'], cache: ['init'], web: ['init'], idle: ['init'] },
    });
  });

  it('has for each service at least one that has ended, and names no other', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const found = blockedBy(graph, all);
        expect([...found.keys()]).toEqual([...blocked(graph, all)]);
        for (const roots of found.values()) {
          expect(roots.length).toBeGreaterThan(0);
          expect(new Set(roots).size).toBe(roots.length);
          expect(roots.filter((name) => !isLost(all, name))).toEqual([]);
        }
      }),
    );
  });

  it('is nothing that may start now', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const held = blocked(graph, all);
        expect(startable(graph, all, true).filter((name) => held.has(name))).toEqual([]);
      }),
    );
  });

  it('is every pending service that cannot start even if all others succeed', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const held = blocked(graph, all);
        const after = new Map(all);
        // What is live becomes ready; what is lost stays lost.
        for (const name of graph.names) if (isLive(get(all, name).phase)) after.set(name, standing('ready.running'));
        for (let round = startable(graph, after, true); round.length > 0; round = startable(graph, after, true)) {
          for (const name of round) after.set(name, standing('ready.running'));
        }
        const left = graph.names.filter((name) => after.get(name)?.phase === 'pending');
        expect([...held].sort()).toEqual([...left].sort());
      }),
    );
  });
});

describe('stopShare', () => {
  it('divides what is left by the layers that are left', () => {
    expect(stopShare(2, 8_000, 8_000)).toBe(2_500);
    expect(stopShare(1, 8_000, 8_000)).toBe(3_750);
    expect(stopShare(0, 8_000, 8_000)).toBe(7_500);
  });

  it('leaves each layer below its second, and divides equally where there is not even that', () => {
    expect(stopShare(2, 2_400, 0)).toBe(400);
    expect(stopShare(2, 2_000, 0)).toBeCloseTo(2_000 / 3);
    expect(stopShare(2, 900, 0)).toBe(300);
  });

  it('is half of what is left where nobody can tell how many layers are below', () => {
    expect(stopShare(undefined, 8_000, 8_000)).toBe(3_750);
    expect(stopShare(undefined, 400, 8_000)).toBe(0);
  });

  it('is a second at least for each layer of a budget that suffices for them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), (layers) => {
        const needs = Array.from({ length: layers }, (_, index) => ({ service: `s${index}`, time: 1_000 }));
        const budget = budgetFor(needs);
        expect(overrun(needs, budget)).toBe(0);
        expect(overrun(needs, budget - 501)).toBeGreaterThan(0);
        expect(stopShare(layers - 1, budget, budget)).toBeGreaterThanOrEqual(leastShare);
      }),
    );
  });

  it('is nothing when nothing is left', () => {
    expect(stopShare(0, 400, 8_000)).toBe(0);
    expect(stopShare(0, -1, 0)).toBe(0);
  });

  it('never exceeds what is left, however late every layer is, and leaves the ones below a second each', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 0, max: 60_000 }), (layers, budget) => {
        const reserve = shutdownReserve(budget);
        let left = budget;
        for (let below = layers - 1; below >= 0; below--) {
          const share = stopShare(below, left, budget);
          expect(share).toBeGreaterThanOrEqual(0);
          left -= share;
          expect(left).toBeGreaterThanOrEqual(reserve - 1e-6);
          if (budget - reserve >= layers * 1_000) expect(left - reserve).toBeGreaterThanOrEqual(below * 1_000 - 1e-6);
        }
      }),
    );
  });
});

describe('shutdownReserve', () => {
  it('is a tenth of the budget, half a second at most', () => {
    expect(shutdownReserve(8_000)).toBe(500);
    expect(shutdownReserve(1_000)).toBe(100);
    expect(shutdownReserve(0)).toBe(0);
  });
});
