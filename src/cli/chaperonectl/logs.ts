import { EventReader } from '../../control/client.ts';
import { follow, lines } from '../../control/log-parameters.ts';
import { continuationMark, onOneLine } from '../../model/log/log-format.ts';
import { get, refused, withControl } from './control-call.ts';
import { print } from './print.ts';
import type { Request } from './read-words.ts';
import { json } from './verb-options.ts';

/** Prints the last log records, and with --follow also new ones as they come. */
export function run({ given, words: names }: Request): Promise<number> {
  return withControl(async () => {
    const count = given.get(lines);
    const asJson = given.get(json);
    const query = [
      ...names.map((name) => `name=${encodeURIComponent(name)}`),
      ...(given.get(follow) ? ['follow'] : []),
      ...(count === undefined ? [] : [`lines=${count}`]),
    ].join('&');
    // Each record is written after the one before, so that for a slow reader the server drops records instead of this process
    // growing.
    let last: Promise<void> = Promise.resolve();
    const reader = new EventReader((name, data) => {
      const text = asJson ? `${JSON.stringify(data)}\n` : lineOf(name, data);
      last = last.then(() => print(1, text));
      return true;
    });
    const { status, body } = await get(`/v1/logs${query === '' ? '' : `?${query}`}`, reader);
    await last;
    if (status === 200) return 0;
    return refused(body, asJson);
  });
}

function lineOf(name: string, data: unknown): string {
  if (typeof data !== 'object' || data === null) return '';
  if (name === 'missed') return `[… ${'count' in data ? String(data.count) : 'some'} records were not read in time]\n`;
  if (!('time' in data && 'program' in data && 'message' in data)) return '';
  const time = new Date(Number(data.time)).toISOString();
  const pid = 'pid' in data && data.pid !== undefined ? `[${String(data.pid)}]` : '';
  const continued = 'continuation' in data && data.continuation === true ? continuationMark : '';
  return `${onOneLine(`${time} ${String(data.program)}${pid}: ${continued}${String(data.message)}`)}\n`;
}
