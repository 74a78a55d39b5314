import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { CheckContext } from './check-programs.ts';
import { quote } from './wording.ts';

/** Reports two enabled services that claim the same port or the same pidfile. */
export function checkConflicts(starting: readonly ServiceSpec[], context: CheckContext): void {
  claim(
    'port',
    starting.filter(({ type }) => type === 'inetd'),
    ({ port }) => (port === undefined ? undefined : String(port)),
    context,
  );
  claim(
    'pidfile',
    starting.filter(({ type }) => type === 'simple' || type === 'forking'),
    ({ pidfile }) => (pidfile === undefined ? undefined : pidfile.replace(/\/(?:\.?\/)+/g, '/')),
    context,
  );
}

function claim(
  key: 'port' | 'pidfile',
  services: readonly ServiceSpec[],
  claimed: (service: ServiceSpec) => string | undefined,
  { places, report }: CheckContext,
): void {
  const owners = new Map<string, string>();
  for (const service of services) {
    const value = claimed(service);
    if (value === undefined) continue;
    const owner = owners.get(value);
    if (owner === undefined) {
      owners.set(value, service.name);
      continue;
    }
    const place = places.directive(owner, key);
    report.error(
      `same-${key}`,
      `${service.name} has the same ${key} as ${owner}: ${quote(value)}`,
      places.directive(service.name, key),
      { related: place === undefined ? undefined : { message: `${owner} has it`, place } },
    );
  }
}
