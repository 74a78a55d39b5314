/**
 * The time zone of this process, for log lines and cron services. Node takes names of zones only, and takes the name of what
 * `/etc/localtime` links to; the C library, and with it every service, takes rules, too, and the content of that file.
 */
import { readFileSync, statSync } from 'node:fs';
import { type Message, zoneNameless } from '../../model/log/messages.ts';
import { timeZoneProblem } from '../../model/schedule/schedule-fields.ts';
import { findZone, fixedZone, parsePosixZone, parseZoneFile, type ZoneRules } from '../../model/schedule/zone-rules.ts';

const localtime = '/etc/localtime';
const zoneinfo = '/usr/share/zoneinfo';
/** No file of compiled time zone information is larger. */
const largestFile = 256 * 1024;

/** The mistake in such a name is told with the configuration. */
const mayBeName = /^[A-Za-z_]+(?:\/[\w+-]+)*$/;

export interface TimeZonePlaces {
  readonly localtime?: string;
  readonly zoneinfo?: string;
  /** Unix time in ms. */
  readonly now?: number;
}

export interface SettledZone {
  /** The value for TZ; absent where it stays as it is. */
  readonly zone?: string;
  readonly message?: Message;
}

/**
 * Finds the name of the time zone that the C library takes.
 *
 * @param given the value of TZ; undefined where it is not set
 */
export function settledZone(given: string | undefined, places: TimeZonePlaces = {}): SettledZone {
  const now = Math.floor((places.now ?? Date.now()) / 1000);
  if (given === undefined) return fromFile(places.localtime ?? localtime, { ...places, now });
  const text = given.replace(/^:/, '');
  if (text.startsWith('/')) return fromFile(text, { ...places, now });
  if (/^[A-Za-z]/.test(text) && timeZoneProblem(text) === undefined) return { zone: text };
  const rules = parsePosixZone(text);
  if (rules !== undefined) return named(rules, `TZ=${text}`, now, []);
  // The C library takes UTC, too. A name that is not known is told where cron services need it.
  return mayBeName.test(text) ? { zone: 'UTC' } : { zone: 'UTC', message: zoneNameless(`TZ=${text}`, 'UTC') };
}

function fromFile(
  path: string,
  { zoneinfo: folder = zoneinfo, now }: TimeZonePlaces & { readonly now: number },
): SettledZone {
  const bytes = readSmall(path);
  const rules = bytes === undefined ? undefined : parseZoneFile(bytes);
  if (bytes === undefined || rules === undefined) return { zone: 'UTC', message: zoneNameless(path, 'UTC') };
  const { timeZone: own }: { readonly timeZone?: string } = new Intl.DateTimeFormat().resolvedOptions();
  // Of the zones that agree, that one whose file has the same content has the right name.
  const same = zoneNames().filter((name) => isCopy(bytes, `${folder}/${name}`));
  return named(rules, path, now, own === undefined ? same : [own, ...same]);
}

/** A name that means the same as the rules; otherwise a zone with the present offset, and a warning. */
function named(rules: ZoneRules, source: string, now: number, preferred: readonly string[]): SettledZone {
  const before = process.env['TZ'];
  // Node's own clock is asked, because it is what log lines and cron services go by.
  const offsetIn = (name: string, time: number): number => {
    if (process.env['TZ'] !== name) process.env['TZ'] = name;
    return -60 * new Date(time * 1000).getTimezoneOffset();
  };
  try {
    const fixed = fixedZone(rules.offsetAt(now));
    const names = [...preferred, ...(fixed === undefined ? [] : [fixed]), ...zoneNames()];
    const zone = findZone(rules, names, now, offsetIn);
    if (zone !== undefined) return { zone };
    const used = fixed ?? 'UTC';
    return { zone: used, message: zoneNameless(source, used) };
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
}

/** All names that Node knows; those come first that people are likely to have meant. */
function zoneNames(): readonly string[] {
  const names = Intl.supportedValuesOf('timeZone');
  const regions = ['Europe', 'America', 'Asia', 'Australia', 'Pacific'];
  const isUsual = (name: string): boolean => regions.includes(name.split('/')[0] ?? '');
  return [...names.filter(isUsual), ...names.filter((name) => !isUsual(name))];
}

function isCopy(bytes: Uint8Array, path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === bytes.length && readSmall(path)?.compare(bytes) === 0;
}

function readSmall(path: string): Buffer | undefined {
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= largestFile ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}
