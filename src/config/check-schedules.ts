import { parseScheduleFields } from '../model/schedule/schedule-fields.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { CheckContext } from './check-programs.ts';

/** Gives the times, Unix ms, at which a schedule next runs. */
export type NextTimes = (interval: string, count: number) => readonly number[];

/** A cron service and when it runs. */
export interface ScheduleRow {
  readonly service: string;
  /** As written, variables expanded. */
  readonly interval: string;
  /** `hourly (0 * * * *)`. */
  readonly note: string;
  /** ISO 8601 in the local zone; fewer than three where the calendar ends. */
  readonly next: readonly string[];
}

const shownTimes = 3;

export function checkSchedules(
  starting: readonly ServiceSpec[],
  nextTimes: NextTimes,
  context: CheckContext,
): readonly ScheduleRow[] {
  return starting.flatMap(({ name, type, interval }) => {
    if (type !== 'cron' || interval === undefined) return [];
    const read = parseScheduleFields(interval);
    if (!read.ok) return [];
    warnOfSeconds(name, read.schedule.fields, context);
    const next = nextTimes(interval, shownTimes).map(localTime);
    return [{ service: name, interval, note: read.schedule.note, next }];
  });
}

/**
 * Warns of six fields that other programs would read with the seconds first: here the last field is the second, and a
 * star in it runs the service sixty times a minute.
 */
function warnOfSeconds(name: string, fields: string, { places, report }: CheckContext): void {
  const words = fields.split(' ');
  const [first = '', ...rest] = words;
  const last = words.at(-1) ?? '';
  if (words.length !== 6) return;
  const everySecond = first !== '*' && last === '*';
  const weekdays = /^\d+$/.test(first) && /^[0-7]-[0-7]$/.test(last);
  const turned = [...rest, first].join(' ');
  if ((!everySecond && !weekdays) || !parseScheduleFields(turned).ok) return;
  const runs = everySecond ? 'every second of the minutes it names' : `at the seconds ${last}`;
  report.warning(
    'seconds-first',
    `interval of ${name} runs ${runs}: the sixth field is the second`,
    places.directive(name, 'interval'),
    { hint: `did you mean "${turned}"?` },
  );
}

/** `2026-11-23T02:30:00+01:00`. */
function localTime(time: number): string {
  const date = new Date(time);
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${pad(Math.floor(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`;
  const day = `${pad(date.getFullYear(), 4)}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}${zone}`;
}
