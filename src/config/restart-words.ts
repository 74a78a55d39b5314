/** The words of the directives about restarts. */
import type { Ending } from '../model/service/ending.ts';
import { parseSignal } from '../model/service/signal.ts';
import { parseBoolean, parseInteger } from './values.ts';

export type RestartMode = 'no' | 'on-failure' | 'always';

/** Reads `no`, `on-failure`, `on-failure:N`, `always`, `unless-stopped`, or a boolean as older configurations have it. */
export function parseRestart(text: string): { readonly mode: RestartMode; readonly limit?: number } | undefined {
  const word = text.trim();
  const old = parseBoolean(word);
  if (old !== undefined) return { mode: old ? 'on-failure' : 'no' };
  if (word === 'always' || word === 'unless-stopped') return { mode: 'always' };
  const [, count] = /^on-failure(?::([1-9]\d{0,8}))?$/.exec(word) ?? [undefined, undefined];
  if (count !== undefined) return { mode: 'on-failure', limit: Number(count) };
  return word === 'on-failure' ? { mode: 'on-failure' } : undefined;
}

/** Reads exit codes and signals, with commas between them; undefined where something else stands there. */
export function parseEndings(text: string): readonly Ending[] | undefined {
  const endings: Ending[] = [];
  for (const word of text.split(',').map((part) => part.trim())) {
    if (word === '') continue;
    // A number is always an exit code: 15 is not SIGTERM here.
    const code = parseInteger(word, false);
    const ending = code === undefined ? parseSignal(word) : code <= 255 && code >= 0 ? code : undefined;
    if (ending === undefined) return undefined;
    endings.push(ending);
  }
  return endings;
}
