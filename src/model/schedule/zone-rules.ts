/**
 * Time zones as the C library describes them: the POSIX form of `TZ`, `CET-1CEST,M3.5.0,M10.5.0/3`, and the content of
 * `/etc/localtime` (RFC 9636). Node knows time zones only by their names; `findZone` finds a name that means the same.
 */

/** The offset of a zone's wall clock, by Unix time in seconds. */
export interface ZoneRules {
  /** Seconds that the wall clock is ahead of UTC. */
  offsetAt(time: number): number;
  /** The times after `from` and before `until` at which the offset changes. */
  changes(from: number, until: number): readonly number[];
}

const day = 86_400;
const year = 366 * day;

const name = '(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)';
const clock = '\\d{1,3}(?::\\d{1,2}(?::\\d{1,2})?)?';
const rule = `(?:M\\d{1,2}\\.\\d\\.\\d|J?\\d{1,3})(?:/[+-]?${clock})?`;
/** POSIX.1-2024, section 8.3, TZ. */
const form = new RegExp(
  `^${name}(?<standard>[+-]?${clock})(?:(?<summer>${name})(?<ahead>[+-]?${clock})?(?:,(?<begin>${rule}),(?<end>${rule}))?)?$`,
);
/** What the C library takes where no rules are given. */
const usualRules = ['M3.2.0', 'M11.1.0'] as const;

/** Reads the POSIX form; undefined where the text has another form. */
export function parsePosixZone(text: string): ZoneRules | undefined {
  const groups = form.exec(text)?.groups;
  if (groups?.['standard'] === undefined) return undefined;
  // The sign tells how far UTC is ahead.
  const standard = 0 - secondsOf(groups['standard']);
  if (groups['summer'] === undefined) return { offsetAt: () => standard, changes: () => [] };
  const summer = groups['ahead'] === undefined ? standard + 3600 : 0 - secondsOf(groups['ahead']);
  const begin = parseRule(groups['begin'] ?? usualRules[0]);
  const end = parseRule(groups['end'] ?? usualRules[1]);
  if (begin === undefined || end === undefined) return undefined;
  /** The times in a year, and what holds from then on, in their order. */
  const inYear = (at: number): (readonly [time: number, offset: number])[] =>
    [[begin(at) - standard, summer] as const, [end(at) - summer, standard] as const].sort(
      ([one], [other]) => one - other,
    );
  const around = (time: number): (readonly [number, number])[] => {
    const at = new Date(time * 1000).getUTCFullYear();
    return [at - 1, at, at + 1].flatMap(inYear);
  };
  return {
    offsetAt: (time) => around(time).findLast(([change]) => change <= time)?.[1] ?? standard,
    changes: (from, until) => {
      const all: number[] = [];
      for (let at = from; at < until + year; at += year) all.push(...around(at).map(([change]) => change));
      return [...new Set(all)].filter((change) => change > from && change < until).sort((a, b) => a - b);
    },
  };
}

/** `[+-]hh[:mm[:ss]]` */
function secondsOf(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, '').split(':').map(Number);
  const size = hours * 3600 + minutes * 60 + seconds;
  return text.startsWith('-') ? -size : size;
}

/** The seconds of a rule in a year, on the wall clock, as though it were UTC. */
function parseRule(text: string): ((year: number) => number) | undefined {
  const [date = '', time = '2'] = text.split('/');
  const seconds = secondsOf(time);
  const start = (at: number, month = 0): number => Date.UTC(at, month, 1) / 1000;
  if (date.startsWith('M')) {
    const [month = 0, week = 0, weekday = 0] = date.slice(1).split('.').map(Number);
    if (month < 1 || month > 12 || week < 1 || week > 5 || weekday > 6) return undefined;
    return (at) => {
      const first = start(at, month - 1);
      const days = (weekday - new Date(first * 1000).getUTCDay() + 7) % 7;
      const inMonth = (start(at, month) - first) / day;
      const last = days + 7 * (week - 1);
      return first + (last < inMonth ? last : last - 7) * day + seconds;
    };
  }
  // The 29th of February is never counted with J, and always without it.
  const number = Number(date.replace('J', ''));
  if (number > 365 || (date.startsWith('J') && number < 1)) return undefined;
  if (!date.startsWith('J')) return (at) => start(at) + number * day + seconds;
  return (at) => start(at) + (number - 1 + (isLeap(at) && number >= 60 ? 1 : 0)) * day + seconds;
}

function isLeap(at: number): boolean {
  return new Date(Date.UTC(at, 1, 29)).getUTCMonth() === 1;
}

const headerBytes = 44;

/** Reads a file of compiled time zone information; undefined where it is none. Leap seconds are not told. */
export function parseZoneFile(bytes: Uint8Array): ZoneRules | undefined {
  try {
    return readZoneFile(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    // A file that is cut off ends in the middle of a number.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readZoneFile(view: DataView): ZoneRules | undefined {
  const magic = 0x545a_6966;
  if (view.getUint32(0) !== magic) return undefined;
  const isOld = view.getUint8(4) < 0x32;
  // From version 2 on, a second part with numbers of 64 bits follows the first one.
  const start = isOld ? 0 : blockEnd(view, 0, 4);
  if (view.getUint32(start) !== magic) return undefined;
  const size = isOld ? 4 : 8;
  const [count, types] = [view.getUint32(start + 32), view.getUint32(start + 36)];
  const times = start + headerBytes;
  const timeOf = (index: number): number =>
    isOld ? view.getInt32(times + index * size) : Number(view.getBigInt64(times + index * size));
  const indexes = times + count * size;
  const offsetOf = (type: number): number => view.getInt32(indexes + count + type * 6);
  if (types === 0) return undefined;
  const found = Array.from({ length: count }, (_, index) => ({
    at: timeOf(index),
    offset: offsetOf(view.getUint8(indexes + index)),
  }));
  const footer = isOld ? '' : footerOf(view, blockEnd(view, start, size));
  const later = footer === '' ? undefined : parsePosixZone(footer);
  const last = found.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  return {
    offsetAt: (time) => {
      if (time >= last && later !== undefined) return later.offsetAt(time);
      return found.findLast(({ at }) => at <= time)?.offset ?? offsetOf(0);
    },
    changes: (from, until) => [
      ...found.map(({ at }) => at).filter((at) => at > from && at < until),
      ...(later?.changes(Math.max(from, last), until) ?? []),
    ],
  };
}

/** Where a part ends that begins with a header; times have so many bytes. */
function blockEnd(view: DataView, start: number, size: number): number {
  const [universal, standard, leaps, times, types, characters] = [20, 24, 28, 32, 36, 40].map((at) =>
    view.getUint32(start + at),
  ) as [number, number, number, number, number, number];
  return start + headerBytes + times * (size + 1) + types * 6 + characters + leaps * (size + 4) + standard + universal;
}

function footerOf(view: DataView, start: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + start, view.byteLength - start);
  return new TextDecoder().decode(bytes).split('\n')[1] ?? '';
}

/** Years in which two zones have to agree. */
const compared = 4;

/**
 * The first of the names whose wall clock agrees with the rules, from the present on.
 *
 * @param now Unix time in seconds
 * @param offsetIn seconds that the wall clock of a zone by name is ahead of UTC
 */
export function findZone(
  rules: ZoneRules,
  names: Iterable<string>,
  now: number,
  offsetIn: (name: string, time: number) => number,
): string | undefined {
  const until = now + compared * year;
  const times = rules.changes(now, until).flatMap((time) => [time - 1, time]);
  for (let time = now; time < until; time += 30 * day) times.push(time);
  const wanted = times.map((time) => [time, rules.offsetAt(time)] as const);
  for (const each of names) if (wanted.every(([time, offset]) => offsetIn(each, time) === offset)) return each;
  return undefined;
}

/** The name of a zone that is always so many seconds ahead of UTC; undefined where that is no whole hour. */
export function fixedZone(offset: number): string | undefined {
  const hours = offset / 3600;
  if (!Number.isInteger(hours) || hours < -12 || hours > 14) return undefined;
  // Names of this kind have the sign of POSIX.
  return hours === 0 ? 'UTC' : `Etc/GMT${hours > 0 ? '-' : '+'}${Math.abs(hours)}`;
}
