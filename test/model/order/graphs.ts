import fc from 'fast-check';
import { type DependencyGraph, type Stage, stageOf } from '../../../src/model/order/dependency-graph.ts';

export interface Member {
  readonly name: string;
  readonly prerequisites: readonly string[];
  readonly groups: readonly string[];
}

const groups = fc.constantFrom<readonly string[]>(['default'], ['default'], ['INIT'], ['IDLE'], []);

/** Services that may wait for each other in any way, also in a circle. */
export const anyServices: fc.Arbitrary<readonly Member[]> = services((_, count) =>
  fc.uniqueArray(fc.nat(count), { maxLength: 4 }),
);

/** Services in an order that exists: each waits for ones before it, none of a later stage; shuffled. */
export const orderedServices: fc.Arbitrary<readonly Member[]> = services((index) =>
  index === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat(index - 1), { maxLength: 4 }),
).chain((members) => {
  const stages = new Map(members.map(({ name, groups: own }) => [name, stageOf(own)]));
  const sound = members.map((member) => ({
    ...member,
    prerequisites: member.prerequisites.filter((other) => (stages.get(other) ?? 0) <= stageOf(member.groups)),
  }));
  return fc.shuffledSubarray(sound, { minLength: sound.length });
});

function services(
  waitsFor: (index: number, count: number) => fc.Arbitrary<readonly number[]>,
): fc.Arbitrary<readonly Member[]> {
  return fc.integer({ min: 1, max: 12 }).chain((count) =>
    fc.tuple(
      ...Array.from({ length: count }, (_, index) =>
        fc.record({
          name: fc.constant(nameOf(index)),
          prerequisites: waitsFor(index, count).map((indices) => indices.map(nameOf)),
          groups,
        }),
      ),
    ),
  );
}

function nameOf(index: number): string {
  return `s${index}.service`;
}

/** Whom a service waits for: by name, or because of its stage. */
export function waitsFor(members: readonly Member[], waiting: string, other: string): boolean {
  const [first, second] = [waiting, other].map((name) => members.find((member) => member.name === name));
  if (first === undefined || second === undefined) return false;
  return first.prerequisites.includes(other) || stageOf(second.groups) < stageOf(first.groups);
}

export function layerOf(graph: DependencyGraph, name: string): number {
  return graph.nodes[name]?.layer ?? -1;
}

export function stageIn(graph: DependencyGraph, name: string): Stage {
  return graph.nodes[name]?.stage ?? 0;
}
