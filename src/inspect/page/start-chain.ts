/** The chain of starts that decided how long a boot took, and what each start waited for. */

import { type ChainLink, criticalChain } from '../../facts/critical-chain.ts';
import { textOf } from '../../facts/fact.ts';
import { bootOver, type Replica, type Segment, startsOf } from '../replica.ts';

/**
 * The chain of starts as it is known at an instant; its first link is the service whose start ended last, or still lasts.
 *
 * @param at ms since chaperone began
 */
export function chainOf(replica: Replica, at: number): readonly ChainLink[] {
  return criticalChain(startsOf(replica, at), bootOver(replica));
}

/**
 * The chain of starts in a container of a platform: what decided how long its Chaperone took; empty where there is none. The system of
 * the container is no link of it: it only waits for all others.
 */
export function chainInside(replica: Replica, container: string, at: number): readonly ChainLink[] {
  const inside = startsOf(replica, at).filter(
    ({ service }) => service.startsWith(`${container}/`) && service !== `${container}/chaperone`,
  );
  return criticalChain(inside, undefined);
}

/** The service for which a start had to wait last; undefined if the start waited for none. */
export function waitedForIn({ event }: Segment): string | undefined {
  return event === undefined ? undefined : textOf(event, 'waitedFor');
}
