import type { DependencyGraph } from './dependency-graph.ts';
import { type Standings, satisfies } from './ordering.ts';
import type { Hold } from './why.ts';

/**
 * What holds a pending service up.
 *
 * @param held the services that can never start (`blocked`)
 * @param idling everything else stands, and `idle_delay` is passing
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
  if (held.has(name)) {
    const lost = unmet.filter(
      (other) => standings.get(other)?.phase === 'failed' || standings.get(other)?.phase === 'stopped',
    );
    return { kind: 'blocked', names: lost.length > 0 ? lost : unmet };
  }
  if (unmet.length > 0) return { kind: 'prerequisites', names: unmet };
  const stage = node?.stage ?? 0;
  const earlier = graph.names.filter((other) => {
    const standing = standings.get(other);
    if ((graph.nodes[other]?.stage ?? 0) >= stage || standing === undefined) return false;
    return !standing.hasBeenReady && !satisfies(standing);
  });
  if (earlier.length > 0) return { kind: 'stage', group: stage === 2 ? 'IDLE' : 'INIT', names: earlier };
  return stage === 2 && idling ? { kind: 'idleDelay' } : { kind: 'none' };
}
