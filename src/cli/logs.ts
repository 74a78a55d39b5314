import { parseArgs } from 'node:util';
import { EventReader } from '../control/client.ts';
import { get, print, refused, withControl } from './control-call.ts';

/** Prints log records as they come: the last ones, and with --follow those to come. */
export function run(words: readonly string[]): Promise<number> {
  return withControl('chaperonectl', 'logs', words, async () => {
    const request = readWords(words);
    if (typeof request === 'string') {
      await print(2, `chaperonectl logs: ${request}\ntry "chaperonectl logs --help"\n`);
      return 2;
    }
    const { names, follow, lines, json } = request;
    const query = [
      ...names.map((name) => `name=${encodeURIComponent(name)}`),
      ...(follow ? ['follow'] : []),
      ...(lines === undefined ? [] : [`lines=${lines}`]),
    ].join('&');
    // In their order, and each after the one before is written: a slow reader makes the server drop, not us grow.
    let last: Promise<void> = Promise.resolve();
    const reader = new EventReader((name, data) => {
      const text = json ? `${JSON.stringify(data)}\n` : lineOf(name, data);
      last = last.then(() => print(1, text));
      return true;
    });
    const { status, body } = await get(`/v1/logs${query === '' ? '' : `?${query}`}`, reader);
    await last;
    if (status === 200) return 0;
    return refused(body, json);
  });
}

interface LogsRequest {
  readonly names: readonly string[];
  readonly follow: boolean;
  readonly lines: number | undefined;
  readonly json: boolean;
}

function readWords(words: readonly string[]): LogsRequest | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        follow: { type: 'boolean', short: 'f' },
        lines: { type: 'string', short: 'n' },
        json: { type: 'boolean' },
      },
    });
    const { lines } = values;
    if (lines !== undefined && !/^\d{1,9}$/.test(lines)) return `--lines needs a number, not "${lines}"`;
    return {
      names: positionals,
      follow: values.follow === true,
      lines: lines === undefined ? undefined : Number(lines),
      json: values.json === true,
    };
  } catch (error) {
    return error instanceof Error ? (error.message.split(/\.\s/)[0] ?? error.message) : String(error);
  }
}

function lineOf(name: string, data: unknown): string {
  if (typeof data !== 'object' || data === null) return '';
  if (name === 'missed') return `[… ${'count' in data ? String(data.count) : 'some'} records were not read in time]\n`;
  if (!('time' in data && 'program' in data && 'message' in data)) return '';
  const time = new Date(Number(data.time)).toISOString();
  const pid = 'pid' in data && data.pid !== undefined ? `[${String(data.pid)}]` : '';
  return `${time} ${String(data.program)}${pid}: ${String(data.message)}\n`;
}
