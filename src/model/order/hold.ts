import type { Hold } from '../service/why.ts';
import type { DependencyGraph, DependencyNode } from './dependency-graph.ts';
import { holdsUp, isLost, meets, opensStage, type Standings } from './ordering.ts';
import { type PrerequisiteStage, tieTo } from './prerequisite.ts';

/**
 * Finds out what a pending service waits for.
 *
 * @param held the services that can never start, and why (`blockedBy`)
 * @param idling all other services have started, and `idle_delay` is passing
 */
export function holdOf(
  graph: DependencyGraph,
  standings: Standings,
  held: ReadonlyMap<string, readonly string[]>,
  name: string,
  idling: boolean,
): Hold {
  const node = graph.nodes[name];
  const unmet = (node?.prerequisites ?? []).filter((other) => {
    const standing = standings.get(other);
    return standing !== undefined && !meets(standing, tieTo(node, other), held.has(other));
  });
  const stage = node?.stage ?? 0;
  const earlier = graph.names.filter((other) => {
    const standing = standings.get(other);
    return (graph.nodes[other]?.stage ?? 0) < stage && standing !== undefined && !opensStage(standing);
  });
  const roots = held.get(name);
  if (roots !== undefined) {
    const isHopeless = (other: string): boolean => held.has(other) || isLost(standings, other);
    const direct = unmet.filter((other) => holdsUp(standings, node, other, held));
    if (direct.length > 0) return { kind: 'blocked', names: direct, roots };
    const lost = earlier.filter((other) => isLost(standings, other));
    return { kind: 'blocked', names: lost.length > 0 ? lost : earlier.filter(isHopeless), roots };
  }
  if (unmet.length > 0) return { kind: 'prerequisites', names: unmet, ...stagesToReach(node, unmet) };
  if (earlier.length > 0) return { kind: 'stage', group: stage === 2 ? 'IDLE' : 'INIT', names: earlier };
  return stage === 2 && idling ? { kind: 'idleDelay' } : { kind: 'none' };
}

/** The stages that prerequisites have to reach, where they are not simply to be ready. */
export function stagesToReach(
  node: Pick<DependencyNode, 'ties'> | undefined,
  names: readonly string[],
): { readonly stages?: Readonly<Record<string, readonly PrerequisiteStage[]>> } {
  const special = names.flatMap((name) => {
    const { stages } = tieTo(node, name);
    return stages.length === 1 && stages[0] === 'ready' ? [] : [[name, stages] as const];
  });
  return special.length === 0 ? {} : { stages: Object.fromEntries(special) };
}
