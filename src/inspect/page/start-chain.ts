/** The chain of starts that decided how long a boot took, and what each start waited for. */

import { type ChainLink, criticalChain } from '../../facts/critical-chain.ts';
import { textOf } from '../../facts/fact.ts';
import { startTimes } from '../../facts/first-start.ts';
import { type Replica, readyTime, type Segment } from '../replica.ts';

/** The chain of starts; its first link is the service whose start ended last. */
export function chainOf(replica: Replica): readonly ChainLink[] {
  const times = [...replica.services.values()].flatMap(({ name, firstStart }) => startTimes(name, firstStart) ?? []);
  return criticalChain(times, readyTime(replica));
}

/** The service for which a start had to wait last; undefined if the start waited for none. */
export function waitedForIn({ event }: Segment): string | undefined {
  return event === undefined ? undefined : textOf(event, 'waitedFor');
}
