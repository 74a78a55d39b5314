/** The chain of starts that decided how long a boot took, and what each start waited for. */

import { criticalChain, endOfStart, type StartTimes } from '../../facts/critical-chain.ts';
import { hasStarted, textOf } from '../../facts/fact.ts';
import type { ServiceEntry } from '../entry.ts';
import type { Replica, Segment } from '../replica.ts';

export interface ChainLink {
  readonly service: string;
  /** When its start began, in ms since chaperone began. */
  readonly started: number;
  /** When its start ended: the service was ready, or had failed. */
  readonly ready: number;
}

/** The chain of starts; its first link is the service whose start ended last. */
export function chainOf(replica: Replica, configs: ReadonlyMap<string, ServiceEntry>): readonly ChainLink[] {
  const times: StartTimes[] = [];
  for (const [service, { segments }] of replica.services) {
    const started = segments.find(({ state }) => state.startsWith('starting'));
    const end = segments.find(({ state }) => hasStarted(state) || state === 'failed');
    if (started === undefined || end === undefined || !configs.has(service)) continue;
    const waitedFor = waitedForIn(started);
    times.push({
      service,
      started: started.from,
      ...(end.state === 'failed' ? { failed: { at: end.from, cause: causeOf(end) } } : { ready: end.from }),
      ...(waitedFor === undefined ? {} : { waitedFor }),
    });
  }
  return criticalChain(times).map((link) => ({
    service: link.service,
    started: link.started,
    ready: endOfStart(link),
  }));
}

/** The service for which a start had to wait last; undefined if the start waited for none. */
export function waitedForIn({ event }: Segment): string | undefined {
  return event === undefined ? undefined : textOf(event, 'waitedFor');
}

function causeOf({ context }: Segment): string {
  return (context === undefined ? undefined : textOf(context, 'cause')) ?? '';
}
