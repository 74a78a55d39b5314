/** What the stops of a shutdown need, before one happens. */
import type { ServiceSpec } from '../service/service-spec.ts';
import type { DependencyGraph } from './dependency-graph.ts';
import { leastShare, shutdownReserve } from './ordering.ts';

/** The service of a layer whose stop needs the most time. */
export interface StopNeed {
  readonly service: string;
  /** ms. */
  readonly time: number;
}

/** ms that the stop of this service has to be given: nothing says more than that each service is to have a second. */
function stopTime(_service: ServiceSpec): number {
  return leastShare;
}

/**
 * What the stops of these services need: one entry for each layer, in the order in which the layers stop.
 *
 * @param timeOf ms that the stop of a service has to be given
 */
export function stopNeeds(
  graph: DependencyGraph,
  services: readonly ServiceSpec[],
  timeOf: (service: ServiceSpec) => number = stopTime,
): readonly StopNeed[] {
  const layers = new Map<number, StopNeed>();
  for (const service of services) {
    const layer = graph.nodes[service.name]?.layer ?? 0;
    const time = timeOf(service);
    if (time > (layers.get(layer)?.time ?? Number.NEGATIVE_INFINITY))
      layers.set(layer, { service: service.name, time });
  }
  return [...layers].sort(([a], [b]) => b - a).map(([, need]) => need);
}

/** ms by which the needs exceed what a shutdown budget leaves for stops; 0 where it is enough. */
export function overrun(needs: readonly StopNeed[], budget: number): number {
  const needed = needs.reduce((sum, { time }) => sum + time, 0);
  return Math.max(0, needed - (budget - shutdownReserve(budget)));
}

/** The least shutdown budget for these needs, ms. */
export function budgetFor(needs: readonly StopNeed[]): number {
  const needed = needs.reduce((sum, { time }) => sum + time, 0);
  return needed + shutdownReserve(Number.POSITIVE_INFINITY);
}
