import type { Hold } from '../service/why.ts';
import type { DependencyGraph } from './dependency-graph.ts';
import { isLost, opensStage, type Standings, satisfies } from './ordering.ts';

/**
 * Finds out what a pending service waits for.
 *
 * @param held the services that can never start (`blocked`)
 * @param idling all other services have started, and `idle_delay` is passing
 */
export function holdOf(
  graph: DependencyGraph,
  standings: Standings,
  held: ReadonlySet<string>,
  name: string,
  idling: boolean,
): Hold {
  const node = graph.nodes[name];
  const unmet = (node?.prerequisites ?? []).filter((other) => {
    const standing = standings.get(other);
    return standing !== undefined && !satisfies(standing);
  });
  const stage = node?.stage ?? 0;
  const earlier = graph.names.filter((other) => {
    const standing = standings.get(other);
    return (graph.nodes[other]?.stage ?? 0) < stage && standing !== undefined && !opensStage(standing);
  });
  if (held.has(name)) {
    const candidates = unmet.some((other) => held.has(other) || isLost(standings, other)) ? unmet : earlier;
    const lost = candidates.filter((other) => isLost(standings, other));
    return { kind: 'blocked', names: lost.length > 0 ? lost : candidates };
  }
  if (unmet.length > 0) return { kind: 'prerequisites', names: unmet };
  if (earlier.length > 0) return { kind: 'stage', group: stage === 2 ? 'IDLE' : 'INIT', names: earlier };
  return stage === 2 && idling ? { kind: 'idleDelay' } : { kind: 'none' };
}
