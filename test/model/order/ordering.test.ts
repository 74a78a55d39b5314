import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDependencyGraph, type DependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import {
  blocked,
  blockedBy,
  isLost,
  leastShare,
  meets,
  type Standing,
  type Standings,
  satisfies,
  shutdownReserve,
  stopShare,
} from '../../../src/model/order/ordering.ts';
import { describeCause, type Tie, tieTo, tieWords } from '../../../src/model/order/prerequisite.ts';
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

describe('a tie to stages', () => {
  const stages = ['started', 'ready', 'healthy', 'exited'] as const;
  const met = (other: Standing, kind: Tie['kind'] = 'after', isBlocked = false): readonly string[] =>
    stages.filter((stage) => meets(other, { kind, stages: [stage] }, isBlocked));

  it.each<[string, Standing, readonly string[]]>([
    ['a service whose process is not there yet', standing('starting'), []],
    ['a service whose process is there', standing('starting', { spawned: true }), ['started']],
    ['a process that is there of what is stopping', standing('stopping', { spawned: true }), []],
    ['a service without a verdict on its health', standing('ready.running'), ['started', 'ready']],
    ['a healthy service', standing('ready.running', { healthy: true }), ['started', 'ready', 'healthy']],
    ['an unhealthy service', standing('ready.running', { healthy: false }), ['started', 'ready']],
    ['a service that is healthy, and starts again', standing('starting', { healthy: true }), []],
    ['a service that has ended normally', standing('exited'), ['started', 'ready', 'exited']],
    ['a oneshot that is done', standing('ready.exited'), ['started', 'ready', 'exited']],
    ['a disabled service', standing('disabled'), stages],
    ['a service that has failed', standing('failed'), []],
    ['a failure that is ignored', standing('failed', { ignoreFailures: true }), stages],
  ])('is met by %s as far as that has come', (_, other, expected) => {
    expect(met(other)).toEqual(expected);
    expect(met(other, 'requires')).toEqual(expected);
  });

  it('is met by all of its stages together', () => {
    const both: Tie = { kind: 'after', stages: ['ready', 'healthy'] };
    expect(meets(standing('ready.running'), both, false)).toBe(false);
    expect(meets(standing('ready.running', { healthy: true }), both, false)).toBe(true);
  });

  it.each<[string, Standing, readonly string[]]>([
    ['has failed', standing('failed'), stages],
    ['was stopped', standing('stopped'), stages],
    ['is on its way', standing('starting'), []],
    ['is unhealthy', standing('ready.running', { healthy: false }), ['started', 'ready', 'healthy']],
    ['has no verdict on its health yet', standing('ready.running'), ['started', 'ready']],
    ['has ended, and so never becomes healthy', standing('exited'), stages],
    ['is done, and so never becomes healthy', standing('ready.exited'), stages],
  ])('is no hindrance to one that merely wants a service which %s', (_, other, expected) => {
    expect(met(other, 'wants')).toEqual(expected);
  });

  it('lets one go on that merely wants a service which can never start', () => {
    expect(met(standing('pending'), 'wants', true)).toEqual(stages);
    expect(met(standing('pending'), 'wants')).toEqual([]);
    expect(met(standing('pending'), 'after', true)).toEqual([]);
    expect(met(standing('pending'), 'requires', true)).toEqual([]);
  });

  it('is lost where the service has ended before its stage, and not while that may still come', () => {
    const lost = (other: Standing, kind: Tie['kind']): readonly string[] =>
      stages.filter((stage) => isLost(new Map([['db', other]]), 'db', { kind, stages: [stage] }));
    expect(lost(standing('failed'), 'requires')).toEqual(stages);
    expect(lost(standing('exited'), 'requires')).toEqual(['healthy']);
    expect(lost(standing('ready.exited'), 'after')).toEqual(['healthy']);
    expect(lost(standing('ready.running', { healthy: false }), 'requires')).toEqual([]);
    expect(lost(standing('ready.running', { healthy: false }), 'wants')).toEqual(['healthy']);
    expect(lost(standing('starting'), 'wants')).toEqual([]);
    expect(isLost(new Map(), 'db')).toBe(false);
  });

  it.each<[Tie, string]>([
    [{ kind: 'after', stages: ['ready'] }, ''],
    [{ kind: 'wants', stages: ['ready'] }, 'wants'],
    [{ kind: 'after', stages: ['started'] }, 'started'],
    [{ kind: 'requires', stages: ['ready', 'healthy'] }, 'requires, ready, healthy'],
  ])('%j is written %j', (tie, words) => {
    expect(tieWords(tie)).toBe(words);
  });

  it('is a plain one where nothing else is said', () => {
    const plain = { kind: 'after', stages: ['ready'] };
    const tie: Tie = { kind: 'wants', stages: ['exited'] };
    expect(tieTo(undefined, 'db')).toEqual(plain);
    expect(tieTo({}, 'db')).toEqual(plain);
    expect(tieTo({ ties: { db: tie } }, 'db')).toBe(tie);
    expect(tieTo({ ties: { db: tie } }, 'cache')).toEqual(plain);
  });

  it('tells what has become of a service by its name', () => {
    expect(describeCause({ prerequisite: 'db.service', how: 'returned' })).toBe('db.service is back');
    expect(describeCause({ prerequisite: 'db.service', how: 'crashed' }, () => 'db')).toBe('db has crashed');
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

  it('holds no later stage back by a service that was ready before it became pending', () => {
    const graph = buildDependencyGraph([
      { name: 'disk', prerequisites: [], groups: ['INIT'] },
      { name: 'init', prerequisites: ['disk'], groups: ['INIT'] },
      { name: 'web', prerequisites: [], groups: [] },
    ]);
    const all = new Map([
      ['disk', standing('stopped', { hasBeenReady: true })],
      ['init', standing('pending', { hasBeenReady: true })],
      ['web', standing('pending')],
    ]);
    expect([...blocked(graph, all)]).toEqual(['init']);
    all.set('init', standing('pending'));
    expect(Object.fromEntries(blockedBy(graph, all))).toEqual({ init: ['disk'], web: ['disk'] });
  });

  it('names what holds an earlier stage up, and nothing that holds up the same one', () => {
    const graph = buildDependencyGraph([
      { name: 'disk', prerequisites: [], groups: ['INIT'] },
      { name: 'clock', prerequisites: [], groups: ['INIT'] },
      { name: 'cache', prerequisites: [], groups: [] },
      { name: 'web', prerequisites: [], groups: [] },
    ]);
    const all = new Map([
      ['disk', standing('failed')],
      ['clock', standing('stopped', { hasBeenReady: true })],
      ['cache', standing('failed')],
      ['web', standing('pending')],
    ]);
    expect(Object.fromEntries(blockedBy(graph, all))).toEqual({ web: ['disk'] });
  });

  it('passes by what merely wants a lost service, and by services that stand nowhere', () => {
    const wants: Tie = { kind: 'wants', stages: ['ready'] };
    const graph = buildDependencyGraph([
      { name: 'db', prerequisites: [], groups: [] },
      { name: 'gone', prerequisites: ['db'], groups: [] },
      { name: 'report', prerequisites: ['db'], groups: [], ties: { db: wants } },
      { name: 'web', prerequisites: ['db'], groups: [] },
    ]);
    const all = new Map([
      ['db', standing('failed')],
      ['report', standing('pending')],
      ['web', standing('pending')],
    ]);
    expect(Object.fromEntries(blockedBy(graph, all))).toEqual({ web: ['db'] });
  });

  it('is what waits for the health of a service that has ended', () => {
    const graph = buildDependencyGraph([
      { name: 'db', prerequisites: [], groups: [] },
      { name: 'web', prerequisites: ['db'], groups: [], ties: { db: { kind: 'after', stages: ['healthy'] } } },
    ]);
    const all = new Map([
      ['db', standing('exited')],
      ['web', standing('pending')],
    ]);
    expect(Object.fromEntries(blockedBy(graph, all))).toEqual({ web: ['db'] });
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

  it('is as much as is wanted where each layer below keeps its second, and an equal part where there is not that much', () => {
    expect(stopShare(1, 8_500, 8_500, 5_000)).toBe(5_000);
    expect(stopShare(1, 8_500, 8_500, 9_000)).toBe(7_000);
    expect(stopShare(1, 2_000, 8_500, 9_000)).toBe(500);
    expect(stopShare(1, 1_500, 8_500, 9_000)).toBe(500);
    expect(stopShare(3, 2_500, 8_500, 9_000)).toBe(500);
    expect(stopShare(3, 2_500, 8_500, 400)).toBe(400);
    expect(stopShare(undefined, 8_500, 8_500, 300)).toBe(300);
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
