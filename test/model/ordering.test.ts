import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDependencyGraph, type DependencyGraph } from '../../src/model/dependency-graph.ts';
import {
  blocked,
  isSettled,
  type Standing,
  type Standings,
  satisfies,
  shutdownReserve,
  startable,
  stoppable,
  stopShare,
} from '../../src/model/ordering.ts';
import { isEnded, isLive, type ServicePhase } from '../../src/model/service-phase.ts';
import { layerOf, type Member, orderedServices, stageIn } from './graphs.ts';

const allPhases = [
  'disabled',
  'pending',
  'starting',
  'running',
  'exited',
  'stopping',
  'backoff',
  'stopped',
  'failed',
] as const satisfies readonly ServicePhase[];

function standing(phase: ServicePhase, changes: Partial<Standing> = {}): Standing {
  return { phase, hasBeenReady: phase === 'running' || phase === 'exited', ignoreFailures: false, ...changes };
}

const standings = fc
  .record({
    phase: fc.constantFrom(...allPhases),
    ready: fc.boolean(),
    ignoreFailures: fc.boolean(),
  })
  .map(({ phase, ready, ignoreFailures }): Standing => {
    // What was ready is not pending, and what runs is ready.
    const hasBeenReady =
      phase === 'running' || phase === 'exited' || (ready && phase !== 'pending' && phase !== 'disabled');
    return { phase, hasBeenReady, ignoreFailures };
  });

/** A graph, and any standings of its services. */
const situations: fc.Arbitrary<readonly [readonly Member[], Standings]> = orderedServices.chain((members) =>
  fc
    .tuple(...members.map(() => standings))
    .map((each): [readonly Member[], Standings] => [
      members,
      Object.fromEntries(
        members.flatMap(({ name }, index) => (each[index] === undefined ? [] : [[name, each[index]]])),
      ),
    ]),
);

function get(all: Standings, name: string): Standing {
  const found = all[name];
  if (found === undefined) throw new Error(`${name} stands nowhere`);
  return found;
}

function chain(phases: Readonly<Record<string, Standing>>): [DependencyGraph, Standings] {
  const names = Object.keys(phases);
  const members = names.map((name, index) => ({
    name,
    prerequisites: names.slice(Math.max(0, index - 1), index),
    groups: [],
  }));
  return [buildDependencyGraph(members), phases];
}

describe('satisfies', () => {
  it('is true for what is ready or disabled, and for failures that are ignored', () => {
    expect(allPhases.filter((phase) => satisfies(standing(phase)))).toEqual(['disabled', 'running', 'exited']);
    expect(satisfies(standing('failed', { ignoreFailures: true }))).toBe(true);
    expect(satisfies(standing('stopped', { ignoreFailures: true }))).toBe(false);
  });

  it('is true of a schedule, and of nothing that is on its way, even where failures are ignored', () => {
    expect(satisfies(standing('scheduled'))).toBe(true);
    for (const phase of ['pending', 'starting', 'stopping', 'backoff'] as const) {
      expect(satisfies(standing(phase, { ignoreFailures: true }))).toBe(false);
    }
  });
});

describe('startable', () => {
  it('is what waits for nothing any more', () => {
    expect(
      startable(...chain({ a: standing('running'), b: standing('pending'), c: standing('pending') }), false),
    ).toEqual(['b']);
  });

  it('lets IDLE services go only once they are released', () => {
    const graph = buildDependencyGraph([
      { name: 'web', prerequisites: [], groups: [] },
      { name: 'idle', prerequisites: [], groups: ['IDLE'] },
    ]);
    const all = { web: standing('running'), idle: standing('pending') };
    expect(startable(graph, all, false)).toEqual([]);
    expect(startable(graph, all, true)).toEqual(['idle']);
  });

  it('never holds a service whose prerequisites are not satisfied or whose stage has not come', () => {
    fc.assert(
      fc.property(situations, fc.boolean(), ([members, all], idleReleased) => {
        const graph = buildDependencyGraph(members);
        for (const name of startable(graph, all, idleReleased)) {
          expect(get(all, name).phase).toBe('pending');
          for (const other of graph.nodes[name]?.prerequisites ?? []) expect(satisfies(get(all, other))).toBe(true);
          for (const other of graph.names) {
            if (stageIn(graph, other) >= stageIn(graph, name)) continue;
            expect(get(all, other).hasBeenReady || satisfies(get(all, other))).toBe(true);
          }
          expect(idleReleased || stageIn(graph, name) < 2).toBe(true);
        }
      }),
    );
  });

  it('starts every service once when every start succeeds, each after what it waits for', () => {
    fc.assert(
      fc.property(orderedServices, (members) => {
        const graph = buildDependencyGraph(members);
        const all: Record<string, Standing> = Object.fromEntries(
          members.map(({ name }) => [name, standing('pending')]),
        );
        const started: string[] = [];
        for (let round = startable(graph, all, true); round.length > 0; round = startable(graph, all, true)) {
          for (const name of round) all[name] = standing('running');
          started.push(...round);
        }
        expect([...started].sort()).toEqual([...graph.names].sort());
        expect(isSettled(graph, all, true)).toBe(true);
      }),
    );
  });

  it('and blocked are never the same service', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const held = blocked(graph, all);
        expect(startable(graph, all, true).filter((name) => held.has(name))).toEqual([]);
      }),
    );
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
    const all = { init: standing('failed'), web: standing('pending'), idle: standing('pending') };
    expect([...blocked(graph, all)]).toEqual(['web', 'idle']);
    // Once it was ready, its stage is passed for good.
    expect([...blocked(graph, { ...all, init: standing('failed', { hasBeenReady: true }) })]).toEqual([]);
  });

  it('is every pending service that cannot start even if all others succeed', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const held = blocked(graph, all);
        const after: Record<string, Standing> = { ...all };
        // What is live becomes ready; what is lost stays lost.
        for (const name of graph.names) if (isLive(get(all, name).phase)) after[name] = standing('running');
        for (let round = startable(graph, after, true); round.length > 0; round = startable(graph, after, true)) {
          for (const name of round) after[name] = standing('running');
        }
        const left = graph.names.filter((name) => after[name]?.phase === 'pending');
        expect([...held].sort()).toEqual([...left].sort());
      }),
    );
  });
});

describe('stoppable', () => {
  it('goes against the order of the start', () => {
    const phases = { a: standing('running'), b: standing('running'), c: standing('running') };
    const [graph, all] = chain(phases);
    expect(stoppable(graph, all)).toEqual(['c']);
    expect(stoppable(graph, { ...all, c: standing('stopping') })).toEqual(['c']);
    expect(stoppable(graph, { ...all, c: standing('stopped') })).toEqual(['b']);
  });

  it('stops everything in the end, nothing before what waits for it', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const now: Record<string, Standing> = { ...all };
        for (let round = stoppable(graph, now); round.length > 0; round = stoppable(graph, now)) {
          for (const name of round) {
            for (const other of graph.names) {
              const waits =
                graph.nodes[other]?.prerequisites.includes(name) || stageIn(graph, other) > stageIn(graph, name);
              if (waits) expect([name, other, now[other]?.phase]).toEqual([name, other, expect.toSatisfy(isEnded)]);
            }
          }
          for (const name of round) now[name] = standing('stopped');
        }
        expect(graph.names.filter((name) => !isEnded(get(now, name).phase))).toEqual([]);
      }),
    );
  });
});

describe('isSettled', () => {
  it('does not count the last stage where it is told so', () => {
    const graph = buildDependencyGraph([
      { name: 'web', prerequisites: [], groups: [] },
      { name: 'idle', prerequisites: [], groups: ['IDLE'] },
    ]);
    const all = { web: standing('running'), idle: standing('pending') };
    expect(isSettled(graph, all, false)).toBe(true);
    expect(isSettled(graph, all, true)).toBe(false);
    expect(isSettled(graph, { ...all, web: standing('starting') }, false)).toBe(false);
  });

  it('waits for all that is on its way, and for all that may still go', () => {
    const graph = buildDependencyGraph([
      { name: 'lost', prerequisites: [], groups: [] },
      { name: 'held', prerequisites: ['lost'], groups: [] },
      { name: 'other', prerequisites: [], groups: [] },
    ]);
    const settled = (other: ServicePhase): boolean =>
      isSettled(graph, { lost: standing('failed'), held: standing('pending'), other: standing(other) }, true);
    expect(settled('running')).toBe(true);
    expect(settled('failed')).toBe(true);
    // One that is held does not make up for one that starts, or is about to.
    expect(settled('starting')).toBe(false);
    expect(settled('backoff')).toBe(false);
    expect(settled('pending')).toBe(false);
  });

  it('is kept by a service that was ready and is restarted', () => {
    const [graph, all] = chain({ a: standing('backoff', { hasBeenReady: true }) });
    expect(isSettled(graph, all, true)).toBe(true);
  });

  it('means that nothing can start any more and nothing is on its way', () => {
    fc.assert(
      fc.property(situations, ([members, all]) => {
        const graph = buildDependencyGraph(members);
        const open = graph.names.filter((name) => {
          const { phase, hasBeenReady } = get(all, name);
          return isLive(phase) && !hasBeenReady;
        });
        if (isSettled(graph, all, true)) expect([...open, ...startable(graph, all, true)]).toEqual([]);
        else expect([...open, ...graph.names.filter((name) => get(all, name).phase === 'pending')]).not.toEqual([]);
      }),
    );
  });
});

describe('stopShare', () => {
  it('divides what is left by the layers that are left', () => {
    const [graph, all] = chain({ a: standing('running'), b: standing('running'), c: standing('running') });
    expect(stopShare(graph, all, 'c', 8_000, 500)).toBe(2_500);
    expect(stopShare(graph, { ...all, c: standing('stopped') }, 'b', 8_000, 500)).toBe(3_750);
    expect(stopShare(graph, all, 'a', 8_000, 500)).toBe(7_500);
  });

  it('counts only layers in which something runs', () => {
    const [graph, all] = chain({ a: standing('exited'), b: standing('running'), c: standing('running') });
    expect(stopShare(graph, all, 'c', 8_000, 500)).toBe(3_750);
  });

  it('counts a service that has exited where it leaves something to be stopped', () => {
    const leaves = { leavesRemains: true };
    const [graph, all] = chain({
      a: standing('exited', leaves),
      b: standing('stopped', leaves),
      c: standing('running'),
    });
    expect(stopShare(graph, all, 'c', 8_000, 500)).toBe(3_750);
    expect(stopShare(graph, { ...all, a: standing('exited') }, 'c', 8_000, 500)).toBe(7_500);
  });

  it('leaves each layer below its second, and divides equally where there is not even that', () => {
    const [graph, all] = chain({ a: standing('running'), b: standing('running'), c: standing('running') });
    expect(stopShare(graph, all, 'c', 2_400, 0)).toBe(400);
    expect(stopShare(graph, all, 'c', 2_000, 0)).toBeCloseTo(2_000 / 3);
    expect(stopShare(graph, all, 'c', 900, 0)).toBe(300);
  });

  it('is nothing when nothing is left', () => {
    const [graph, all] = chain({ a: standing('running') });
    expect(stopShare(graph, all, 'a', 400, 500)).toBe(0);
    expect(stopShare(graph, all, 'a', -1, 0)).toBe(0);
  });

  it('never exceeds what is left, however late every layer is, and leaves the ones below a second each', () => {
    fc.assert(
      fc.property(orderedServices, fc.integer({ min: 0, max: 60_000 }), (members, budget) => {
        const graph = buildDependencyGraph(members);
        const all: Record<string, Standing> = Object.fromEntries(
          members.map(({ name }) => [name, standing('running')]),
        );
        const reserve = shutdownReserve(budget);
        let left = budget;
        for (let layer = graph.layerCount - 1; layer >= 0; layer--) {
          const names = graph.names.filter((name) => layerOf(graph, name) === layer);
          const shares = names.map((name) => stopShare(graph, all, name, left, reserve));
          const share = Math.max(...shares);
          expect(new Set(shares).size).toBe(1);
          expect(share).toBeGreaterThanOrEqual(0);
          left -= share;
          expect(left).toBeGreaterThanOrEqual(reserve - 1e-6);
          if (budget - reserve >= graph.layerCount * 1_000) {
            expect(left - reserve).toBeGreaterThanOrEqual(layer * 1_000 - 1e-6);
          }
          for (const name of names) all[name] = standing('stopped');
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
