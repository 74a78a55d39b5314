import { parseScheduleFields } from '../model/schedule/schedule-fields.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import { describeDuration } from '../model/words/duration.ts';
import type { CheckContext } from './check-programs.ts';

/** Gives the times, Unix ms, at which a schedule next runs. */
export type NextTimes = (interval: string, count: number, timeZone?: string) => readonly number[];

/** A cron service and when it runs. */
export interface ScheduleRow {
  readonly service: string;
  /** As written, variables expanded. */
  readonly interval: string;
  /** `hourly (0 * * * *)`. */
  readonly note: string;
  /** ISO 8601 in the local zone; fewer than three where the calendar ends. */
  readonly next: readonly string[];
  /** Where the service has a time zone of its own. */
  readonly timeZone?: string;
}

const shownTimes = 3;

export function checkSchedules(
  starting: readonly ServiceSpec[],
  nextTimes: NextTimes,
  context: CheckContext,
): readonly ScheduleRow[] {
  return starting.flatMap(({ name, type, interval, cron }) => {
    if (type !== 'cron' || interval === undefined) return [];
    const read = parseScheduleFields(interval);
    if (!read.ok) return [];
    warnOfSeconds(name, read.schedule.fields, context);
    const times = nextTimes(interval, shownTimes, cron?.timeZone);
    warnOfJitter(name, cron?.jitter ?? 0, times, context);
    const zone = cron?.timeZone === undefined ? {} : { timeZone: cron.timeZone };
    return [{ service: name, interval, note: read.schedule.note, next: times.map(localTime), ...zone }];
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

/** Warns of a jitter that puts a run off until the next one is due: the two become one. */
function warnOfJitter(
  name: string,
  jitter: number,
  [first, second]: readonly number[],
  { places, report }: CheckContext,
): void {
  if (jitter === 0 || first === undefined || second === undefined || second - first > jitter) return;
  report.warning(
    'contradiction',
    `jitter of ${name} is ${describeDuration(jitter)}, and its next two runs are ${describeDuration(second - first)} apart: runs that are put off until the next one are lost`,
    places.directive(name, 'jitter'),
    { hint: 'expected less than the time between two runs' },
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
