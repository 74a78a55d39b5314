import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDependencyGraph, DependencyCycleError, stageOf } from '../../../src/model/order/dependency-graph.ts';
import { anyServices, layerOf, type Member, orderedServices, waitsFor } from './graphs.ts';

function member(name: string, prerequisites: readonly string[] = [], groups: readonly string[] = ['default']): Member {
  return { name, prerequisites, groups };
}

function cycleOf(members: readonly Member[]): DependencyCycleError | undefined {
  try {
    buildDependencyGraph(members);
    return undefined;
  } catch (error) {
    if (error instanceof DependencyCycleError) return error;
    throw error;
  }
}

describe('the dependency graph', () => {
  it('has layers, in the order of the configuration within each', () => {
    const graph = buildDependencyGraph([member('c', ['a', 'b']), member('b'), member('a'), member('d', ['c'])]);
    expect(graph.names).toEqual(['b', 'a', 'c', 'd']);
    expect(graph.layerCount).toBe(3);
    expect(graph.nodes['a']).toEqual({ stage: 1, layer: 0, prerequisites: [], dependents: ['c'] });
    expect(graph.nodes['c']).toEqual({ stage: 1, layer: 1, prerequisites: ['a', 'b'], dependents: ['d'] });
  });

  it('has INIT below and IDLE above everything else', () => {
    const graph = buildDependencyGraph([member('idle', [], ['IDLE']), member('web'), member('init', [], ['INIT'])]);
    expect(graph.names).toEqual(['init', 'web', 'idle']);
    expect(graph.names.map((name) => layerOf(graph, name))).toEqual([0, 1, 2]);
  });

  it('leaves out services that do not exist, and may be empty', () => {
    const graph = buildDependencyGraph([member('a', ['nobody'])]);
    expect(graph.nodes['a']?.prerequisites).toEqual([]);
    expect(buildDependencyGraph([])).toEqual({ names: [], nodes: {}, layerCount: 0 });
  });

  it('says in a cycle who waits for whom', () => {
    const error = cycleOf([member('a', ['b']), member('b', ['c']), member('c', ['b'])]);
    expect(error).toMatchObject({ code: 'DEPENDENCY_CYCLE', cycle: ['b', 'c'] });
    expect(error?.message).toBe('b waits for itself: b → c → b');
    expect(cycleOf([member('a', ['a'])])?.cycle).toEqual(['a']);
  });

  it('finds a cycle that goes through a stage', () => {
    const error = cycleOf([member('init', ['web'], ['INIT']), member('web')]);
    expect(error?.cycle).toEqual(['init', 'web']);
  });

  it('takes INIT for the stage of a service that is in INIT and IDLE', () => {
    expect(stageOf(['IDLE', 'INIT'])).toBe(0);
    expect(stageOf(['IDLE', 'default'])).toBe(2);
    expect(stageOf([])).toBe(1);
  });

  it('is a valid order for every configuration that has one', () => {
    fc.assert(
      fc.property(orderedServices, (members) => {
        const graph = buildDependencyGraph(members);
        expect([...graph.names].sort()).toEqual(members.map(({ name }) => name).sort());
        for (const { name } of members) {
          for (const other of graph.names) {
            if (!waitsFor(members, name, other)) continue;
            expect(graph.names.indexOf(other)).toBeLessThan(graph.names.indexOf(name));
            expect(layerOf(graph, other)).toBeLessThan(layerOf(graph, name));
            if (members.some((one) => one.name === name && one.prerequisites.includes(other))) {
              expect(graph.nodes[other]?.dependents).toContain(name);
            }
          }
        }
        const layers = new Set(graph.names.map((name) => layerOf(graph, name)));
        expect([...layers].sort((a, b) => a - b)).toEqual(
          Array.from({ length: graph.layerCount }, (_, layer) => layer),
        );
      }),
    );
  });

  it('is built, or a real cycle is named', () => {
    fc.assert(
      fc.property(anyServices, (members) => {
        const error = cycleOf(members);
        if (error === undefined) return;
        const { cycle } = error;
        expect(cycle.length).toBeGreaterThan(0);
        expect(new Set(cycle).size).toBe(cycle.length);
        for (const [index, name] of cycle.entries()) {
          const next = cycle[(index + 1) % cycle.length] ?? '';
          expect([name, next, waitsFor(members, name, next)]).toEqual([name, next, true]);
        }
      }),
    );
  });
});
