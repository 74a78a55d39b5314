import { serviceDetails, serviceTable } from '../../control/listing.ts';
import { type HistoryLine, renderHistory } from '../../facts/history.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { get, refused, withControl } from './control-call.ts';
import { print, screenColumns } from './print.ts';
import { readBrain, readHistory, readServices } from './read-services.ts';
import type { Request } from './read-words.ts';
import { history as asHistory, json as asJson } from './verb-options.ts';

/** Without names a table of all services; with names everything about each. */
export function run({ given, words: names }: Request): Promise<number> {
  if (given.get(asHistory)) return withControl(() => showHistories(names, given.get(asJson)));
  return withControl(() => show(names, given.get(asJson), names.length === 0 ? 'table' : 'details'));
}

/** Without names those of all services. */
async function showHistories(names: readonly string[], json: boolean): Promise<number> {
  const selected = await get(servicesPath(names));
  if (selected.status !== 200) return refused(selected.body, json);
  const histories: { readonly name: string; readonly history: readonly HistoryLine[] }[] = [];
  for (const { name } of readServices(selected.body)) {
    const { status, body } = await get(`/v1/services/${encodeURIComponent(name)}/history`);
    if (status !== 200) return refused(body, json);
    histories.push({ name, history: readHistory(body) });
  }
  const text = json
    ? `${JSON.stringify(histories)}\n`
    : histories.map(({ name, history }) => renderHistory(shortName(name), history, false)).join('\n');
  await print(1, text);
  return 0;
}

function servicesPath(names: readonly string[]): string {
  const query = names.map((name) => `name=${encodeURIComponent(name)}`).join('&');
  return `/v1/services${query === '' ? '' : `?${query}`}`;
}

/** Reads services and prints them in one of their forms. */
async function show(names: readonly string[], json: boolean, form: 'table' | 'details'): Promise<number> {
  const { status, body } = await get(servicesPath(names));
  if (status !== 200) return refused(body, json);
  const services = readServices(body);
  const now = Date.now();
  const text = json
    ? body
    : form === 'table'
      ? `${serviceTable(services, now, screenColumns())}${await brainLine()}`
      : services.map((service) => serviceDetails(service, now)).join('\n');
  await print(1, text);
  return 0;
}

/** The process of Node that does the work of chaperone, and is no service. */
async function brainLine(): Promise<string> {
  const { status, body } = await get('/v1/status');
  const pid = status === 200 ? readBrain(body) : undefined;
  return pid === undefined ? '' : `\nbrain pid ${pid}\n`;
}
