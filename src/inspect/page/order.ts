/** Which services the timeline shows, and in which order. */

import { endOfStart } from '../../facts/critical-chain.ts';
import { startTimes } from '../../facts/first-start.ts';
import type { PublicState } from '../../model/service/public-state.ts';
import { shortName } from '../../model/service/service-spec.ts';
import type { Instant, ServiceNow } from './instant.ts';

/** `order`: as the configuration and the dependencies put them. */
export const sorts = ['order', 'start', 'duration', 'state', 'name'] as const;

export type Sort = (typeof sorts)[number];

export interface OrderOptions {
  readonly sort: Sort;
  /** Services that stand above all others. */
  readonly first: ReadonlySet<string>;
  /** Only services in these states; none: all. */
  readonly states: readonly PublicState[];
}

/** The most urgent state first. */
const urgency: Readonly<Record<PublicState, number>> = {
  failed: 0,
  backoff: 1,
  stopping: 2,
  starting: 3,
  pending: 4,
  ready: 5,
  exited: 6,
  stopped: 7,
  disabled: 8,
};

/**
 * Sorts services by what is known of them at an instant. Services that are alike in that keep their order.
 *
 * @param names in the order of the configuration
 */
export function inOrder(
  names: readonly string[],
  { services, replica, at }: Instant,
  { sort, first, states }: OrderOptions,
): readonly string[] {
  const shown =
    states.length === 0
      ? names
      : names.filter((name) => {
          const service = services.get(name);
          return service !== undefined && states.includes(service.state);
        });
  const key = keyOf(sort);
  const rows = shown.map((name) => {
    const service = services.get(name);
    const start = startTimes(name, replica.services.get(name)?.firstStart, at);
    return { name, rank: first.has(name) ? 0 : 1, key: key({ name, service, start }) };
  });
  return rows.sort((one, other) => one.rank - other.rank || compare(one.key, other.key)).map(({ name }) => name);
}

interface Known {
  readonly name: string;
  readonly service: ServiceNow | undefined;
  readonly start: ReturnType<typeof startTimes>;
}

/** What is sorted by: less stands higher. */
function keyOf(sort: Sort): (known: Known) => number | string {
  switch (sort) {
    case 'order':
      return () => 0;
    case 'start':
      return ({ start }) => start?.started ?? Number.POSITIVE_INFINITY;
    case 'duration':
      return ({ start }) => (start === undefined ? 1 : start.started - endOfStart(start));
    case 'state':
      return ({ service }) => (service === undefined ? Number.POSITIVE_INFINITY : urgency[service.state]);
    case 'name':
      return ({ name }) => shortName(name);
  }
}

const byName = new Intl.Collator('en', { numeric: true });

function compare(one: number | string, other: number | string): number {
  if (typeof one === 'string' || typeof other === 'string') return byName.compare(String(one), String(other));
  return one === other ? 0 : one - other;
}
