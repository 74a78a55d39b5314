import { readFileSync } from 'node:fs';
import type { Message } from '../../model/log/messages.ts';

/** Names such as Europe/Berlin, which Node and the C library take alike. */
const plainName = /^:?(?:[A-Z][A-Za-z]+(?:\/[A-Za-z0-9_+-]+)+|UTC)$/;
/** How a file of compiled time zone information ends that means UTC. */
const endOfUtc = '\nUTC0\n';

/**
 * Makes log lines and cron services go by the time zone that services have: what `TZ` says, or else the content of
 * `/etc/localtime`. Only this process's own TZ changes. The usual cases load nothing.
 *
 * @returns a warning where no name means the same to Node
 */
export async function settleTimeZone(environment: NodeJS.ProcessEnv): Promise<readonly Message[]> {
  const given = environment['TZ'];
  const isUsual = given === undefined ? usesUtc(environment) : given === '' || plainName.test(given);
  if (isUsual) return [];
  const { settledZone } = await import('../linux/time-zone.ts');
  const { zone, message } = settledZone(given);
  if (zone !== undefined) environment['TZ'] = zone;
  return message === undefined ? [] : [message];
}

/** True where the container has no time zone, or its content is UTC, whatever its link is called. */
function usesUtc(environment: NodeJS.ProcessEnv): boolean {
  try {
    if (!readFileSync('/etc/localtime', 'latin1').endsWith(endOfUtc)) return false;
  } catch {
    // There is none, or nobody can read it.
  }
  environment['TZ'] = 'UTC';
  return true;
}
