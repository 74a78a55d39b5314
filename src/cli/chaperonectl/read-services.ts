import type { ServiceStatus } from '../../control/supervisor.ts';
import type { HistoryLine } from '../../facts/history.ts';
import { isObject } from '../../model/words/json.ts';
import { parseJson } from './reply.ts';

/** The services of a reply; values that are not services are left out. */
export function readServices(body: string): readonly ServiceStatus[] {
  const value = parseJson(body);
  return Array.isArray(value) ? value.filter(isService) : [];
}

/** ms since chaperone began: the present, or when the system was up, or the boot over in either way; undefined until then. */
export function readMoment(body: string, moment: 'ready' | 'bootOver' | 'uptime'): number | undefined {
  const value = parseJson(body);
  const at = isObject(value) ? value[moment] : undefined;
  return typeof at === 'number' ? at : undefined;
}

/** The pid of the brain. */
export function readBrain(body: string): number | undefined {
  const value = parseJson(body);
  return isObject(value) && typeof value['brain'] === 'number' ? value['brain'] : undefined;
}

/** The lines of a history; values that are not lines are left out. */
export function readHistory(body: string): readonly HistoryLine[] {
  const value = parseJson(body);
  return Array.isArray(value) ? value.filter(isLine) : [];
}

/** Checks only the kind and its fields, since chaperone's own server wrote the value. */
function isLine(value: unknown): value is HistoryLine {
  if (typeof value !== 'object' || value === null || !('kind' in value) || !('at' in value)) return false;
  return (
    (value.kind === 'transition' && 'from' in value && 'to' in value && 'detail' in value) ||
    (value.kind === 'note' && 'text' in value) ||
    (value.kind === 'lost' && 'count' in value)
  );
}

/** Checks only the fields that identify a service, since chaperone's own server wrote the value. */
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
