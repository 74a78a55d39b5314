/** When a log file is rotated, and what becomes of the files before it: `x.log.1` is the newest of them, then `x.log.2` … */
import { strftime } from './log-format.ts';

export interface Rotation {
  /** Bytes that a file may have before it is rotated. */
  readonly maxSize?: number;
  readonly every?: RotationPeriod;
  /** How many rotated files stay; absent: as many as are young enough. */
  readonly keep?: number;
  /** ms since the last record in a rotated file after which it is removed. */
  readonly maxAge?: number;
  /** Rotated files are compressed with gzip. */
  readonly compress: boolean;
}

export type RotationPeriod =
  | { readonly kind: 'calendar'; readonly unit: CalendarUnit }
  /** Spans of so many ms, counted from 1970 on in UTC. */
  | { readonly kind: 'span'; readonly ms: number };

export const calendarUnits = ['hourly', 'daily', 'weekly'] as const;
export type CalendarUnit = (typeof calendarUnits)[number];

const calendarFormats: Readonly<Record<CalendarUnit, string>> = {
  hourly: '%Y-%m-%d-%H%z',
  daily: '%Y-%m-%d',
  weekly: '%G-%V',
};

/** The period in which a time lies, as a text that differs from that of all other periods. @param time Unix ms */
export function periodOf(every: RotationPeriod, time: number): string {
  if (every.kind === 'span') return String(Math.floor(time / every.ms));
  return strftime(calendarFormats[every.unit], new Date(time));
}

/** A rotated file. */
export interface Rotated {
  readonly name: string;
  readonly number: number;
  readonly compressed: boolean;
}

/** The rotated files of a log file among the names of its folder, the newest first. */
export function rotatedOf(names: readonly string[], base: string): readonly Rotated[] {
  return names
    .flatMap((name) => {
      const [, digits, gz] = name.startsWith(`${base}.`)
        ? (/^([1-9]\d{0,8})(\.gz)?$/.exec(name.slice(base.length + 1)) ?? [])
        : [];
      return digits === undefined ? [] : [{ name, number: Number(digits), compressed: gz !== undefined }];
    })
    .sort((one, other) => one.number - other.number);
}

export type RotationStep =
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string };

/** What is done, in this order, so that the log file's name is free: a crash in between loses no file. */
export function planRotation(
  names: readonly string[],
  base: string,
  keep: number | undefined,
): readonly RotationStep[] {
  const rotated = rotatedOf(names, base);
  const most = keep ?? Number.POSITIVE_INFINITY;
  // Only the files before a gap have to make room.
  let moving = 1;
  while (rotated.some(({ number }) => number === moving)) moving += 1;
  const steps = rotated
    .map(({ name, number, compressed }): RotationStep | undefined => {
      const next = number < moving ? number + 1 : number;
      if (next > most) return { kind: 'remove', name };
      return next === number ? undefined : { kind: 'rename', name, to: `${base}.${next}${compressed ? '.gz' : ''}` };
    })
    .filter((step) => step !== undefined)
    .reverse();
  return [...steps, most < 1 ? { kind: 'remove', name: base } : { kind: 'rename', name: base, to: `${base}.1` }];
}
