import type { ServiceStatus } from '../control/supervisor.ts';
import { parseJson } from './reply.ts';

/** The services of a reply; what is no service is left out. */
export function readServices(body: string): readonly ServiceStatus[] {
  const value = parseJson(body);
  return Array.isArray(value) ? value.filter(isService) : [];
}

/** Our own server wrote it: what tells a service is enough. */
function isService(value: unknown): value is ServiceStatus {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    typeof value.name === 'string' &&
    'why' in value &&
    typeof value.why === 'object' &&
    'prerequisites' in value &&
    Array.isArray(value.prerequisites)
  );
}
