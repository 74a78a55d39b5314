/** What probes from outside are told: whether the services are ready, and which are not. */
import { shortName } from '../model/service/service-spec.ts';
import { oneLine } from '../model/words/printable.ts';
import type { ServiceStatus, SystemStatus } from './supervisor.ts';

export interface Readiness {
  readonly ready: boolean;
  /** The services that are waited for. */
  readonly wanting: readonly ServiceStatus[];
  /** A line for each of them. */
  readonly text: string;
}

/** @param named true where these services were asked for by name, and not all */
export function readinessOf(
  services: readonly ServiceStatus[],
  named: boolean,
  state: SystemStatus['state'],
): Readiness {
  const wanting = services.filter((service) => !passesProbe(service, named));
  const ready = wanting.length === 0 && state !== 'draining';
  return { ready, wanting, text: whoIsNotReady(wanting, state) };
}

/** True if a probe counts the service as ready. If all services are asked for, one that has ended normally is left out. */
function passesProbe({ state, health, remainAfterExit }: ServiceStatus, named: boolean): boolean {
  switch (state) {
    case 'ready':
      return health !== 'unhealthy';
    case 'disabled':
      return true;
    case 'exited':
      return !named || remainAfterExit === true;
    case 'pending':
    case 'starting':
    case 'stopping':
    case 'backoff':
    case 'stopped':
    case 'failed':
      return false;
  }
}

/** How many services the text of a probe names. */
const mostNamed = 20;

/** A line for each service that a probe waits for. */
function whoIsNotReady(wanting: readonly ServiceStatus[], state: SystemStatus['state']): string {
  const lines = wanting
    .slice(0, mostNamed)
    .map(({ name, why }) => `${shortName(name)} is not ready: ${oneLine(why.sentence)}`);
  if (wanting.length > mostNamed) lines.push(`and ${wanting.length - mostNamed} more`);
  if (state === 'draining') lines.unshift('the system is shutting down');
  return lines.join('\n');
}
