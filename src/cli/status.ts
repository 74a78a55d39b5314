import { blameText, serviceDetails, serviceTable } from '../control/listing.ts';
import { get, print, refused, withControl } from './control-call.ts';
import { readServices } from './read-services.ts';
import type { Request } from './read-words.ts';
import { json as asJson } from './verb-options.ts';

/** Without names a table of all services; with names everything about each. */
export function run({ given, words: names }: Request): Promise<number> {
  return withControl(() => show(names, given.get(asJson), names.length === 0 ? 'table' : 'details'));
}

/** Reads services and prints them in one of their forms. */
export async function show(
  names: readonly string[],
  json: boolean,
  form: 'table' | 'details' | 'blame',
): Promise<number> {
  const query = names.map((name) => `name=${encodeURIComponent(name)}`).join('&');
  const { status, body } = await get(`/v1/services${query === '' ? '' : `?${query}`}`);
  if (status !== 200) return refused(body, json);
  const services = readServices(body);
  const now = Date.now();
  const text = json
    ? body
    : form === 'table'
      ? serviceTable(services, now)
      : form === 'blame'
        ? blameText(services)
        : services.map((service) => serviceDetails(service, now)).join('\n');
  await print(1, text);
  return 0;
}
