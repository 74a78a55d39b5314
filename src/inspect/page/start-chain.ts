/** The chain of starts that decided how long a boot took, and what each start waited for. */

import { criticalChain, endOfStart, type StartTimes } from '../../facts/critical-chain.ts';
import { hasStarted, textOf } from '../../facts/fact.ts';
import type { ServiceEntry } from '../entry.ts';
import type { Replica, Segment } from '../replica.ts';

export interface ChainLink {
  readonly service: string;
  /** ms. */
  readonly started: number;
  /** When its start came to its end: it was ready, or had failed. */
  readonly ready: number;
}

/** The first is the one whose start ended last. */
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

/** The service that let a start go, where it had to wait for one. */
export function waitedForIn({ event }: Segment): string | undefined {
  return event === undefined ? undefined : textOf(event, 'waitedFor');
}

function causeOf({ context }: Segment): string {
  return (context === undefined ? undefined : textOf(context, 'cause')) ?? '';
}
