/** The chain of starts that decided how long a boot took, and what each start waited for. */

import type { DependencyGraph } from '../../model/dependency-graph.ts';
import { criticalChain, type StartTimes } from '../critical-chain.ts';
import type { ServiceEntry } from '../entry.ts';
import type { Replica, Segment } from '../replica.ts';
import { hasStarted } from '../transition.ts';

export interface ChainLink {
  readonly service: string;
  /** ms. */
  readonly started: number;
  readonly ready: number;
}

const isReady = ({ state }: Segment): boolean => hasStarted(state);

const begins = (segment: Segment, before: Segment | undefined): boolean =>
  isReady(segment) && (before === undefined || !isReady(before));

/** The first is the one that was ready last. */
export function chainOf(
  replica: Replica,
  configs: ReadonlyMap<string, ServiceEntry>,
  graph: DependencyGraph,
): readonly ChainLink[] {
  const times: StartTimes[] = [];
  for (const [service, { segments }] of replica.services) {
    const started = segments.find(({ state }) => state.startsWith('starting'));
    const ready = segments.find(isReady);
    if (started === undefined || ready === undefined || !configs.has(service)) continue;
    const waitedFor = started.from > 0 ? waitedForUntil(replica, configs, graph, service, started.from) : undefined;
    times.push({
      service,
      started: started.from,
      ready: ready.from,
      ...(waitedFor === undefined ? {} : { waitedFor }),
    });
  }
  return criticalChain(times);
}

/** Whose readiness let a service go at an instant, ms: of all that it waits for the one that was ready last. */
export function waitedForUntil(
  replica: Replica,
  configs: ReadonlyMap<string, ServiceEntry>,
  graph: DependencyGraph,
  name: string,
  until: number,
): string | undefined {
  const lastOf = (names: Iterable<string>): { readonly name: string; readonly at: number } | undefined => {
    let last: { name: string; at: number } | undefined;
    for (const other of names) {
      // What is ready and ends normally lets nobody go for a second time.
      const ready = replica.services
        .get(other)
        ?.segments.findLast((segment, index, all) => begins(segment, all[index - 1]) && segment.from <= until);
      if (ready !== undefined && (last === undefined || ready.from > last.at)) last = { name: other, at: ready.from };
    }
    return last;
  };
  const stage = graph.nodes[name]?.stage ?? 0;
  const own = lastOf(configs.get(name)?.waitsFor ?? []);
  const earlier = stage === 1 ? lastOf(graph.names.filter((other) => (graph.nodes[other]?.stage ?? 0) < 1)) : undefined;
  if (own === undefined || (earlier !== undefined && earlier.at > own.at)) return earlier?.name ?? own?.name;
  return own.name;
}
