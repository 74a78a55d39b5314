/**
 * When a cron service runs next.
 *
 * The only file that loads cron-parser (13 ms with luxon): whoever has no cron service does not import it. What may
 * stand in a schedule is in `schedule-fields.ts`.
 *
 * cron-parser is asked about the *wall clock* only, as though every day had 24 hours: it computes in UTC, and the zone's
 * offset is added here. Its own answers at a change of the clocks (5.10.5) are not the ones of Vixie cron, and some depend
 * on how the iterator came there:
 *
 * - 02:30 in a gap from 02:00 to 03:00 becomes 03:30, and is lost where 03:30 is scheduled too (`30 1-3 * * *`);
 * - times in a gap of half an hour (Lord Howe) are lost;
 * - a search that begins in the repeated hour runs 02:30 a second time;
 * - every ten minutes from 1 to 4 pauses for the whole repeated hour.
 *
 * What holds instead, after crontab(5) and cron(8):
 *
 * ```text
 *   the clocks go forward   hours named (30 2 …)      what the gap swallowed runs once, at the first moment after it
 *                           every hour  (30 * …)      an hour is an hour: nothing is made up for
 *   the clocks go back      minute begins with a *    runs in both of the repeated hours
 *                           every hour                runs in both
 *                           else        (30 2 …)      runs once, the first time
 * ```
 *
 * Vixie cron skips a star with named hours in the gap (every ten minutes of hour 2), and runs a star with a step in the
 * hours (0 minutes, every second hour) twice in the repeated hour; the table does not. systemd leaves the gap's times out.
 */
import { type CronExpression, CronExpressionParser } from 'cron-parser';
import { parseScheduleFields, type ScheduleFields, type ScheduleProblem, timeZoneProblem } from './schedule-fields.ts';

/** A schedule that is accepted. */
export interface Schedule {
  /** As it was given. */
  readonly text: string;
  /** The five or six fields as written, one space between them; those behind a nickname. */
  readonly fields: string;
  /** In lower case and without `@`. */
  readonly nickname?: string;
  /** For status listings: `hourly (0 * * * *)`, else the fields. */
  readonly note: string;
  /**
   * The next time it runs.
   *
   * The answer depends on nothing but `after`: ask again after every run and after every jump of the clock.
   *
   * @param after Unix time in ms
   * @returns Unix time in ms of the first tick strictly after it; undefined where it is beyond the calendar (before the
   *   year 1000 or after 9999)
   */
  next(after: number): number | undefined;
}

export type ScheduleResult =
  | { readonly ok: true; readonly schedule: Schedule }
  | { readonly ok: false; readonly problems: readonly ScheduleProblem[] };

const second = 1000;
const hour = 3600 * second;
const week = 7 * 24 * hour;

/** Years of four digits, and a day of room for the offset. */
const calendarStart = Date.UTC(1000, 0, 2);
const calendarEnd = Date.UTC(9999, 11, 30);

/** Clocks that go back further are being corrected, not put back: cron(8). */
const longestRepeat = 3 * hour;

/**
 * Reads a schedule: five fields, six with the second last, or a nickname. Never throws.
 *
 * @param timeZone a name Intl knows (`Europe/Berlin`); by default that of the process (`TZ`, /etc/localtime)
 * @example parseSchedule('30 2 * * *', 'Europe/Berlin') // { ok: true, schedule }
 */
export function parseSchedule(text: string, timeZone?: string): ScheduleResult {
  const read = parseScheduleFields(text);
  const zoneProblem = timeZone === undefined ? undefined : timeZoneProblem(timeZone);
  if (!read.ok || zoneProblem !== undefined) {
    const problems = read.ok ? [] : read.problems;
    return { ok: false, problems: zoneProblem === undefined ? problems : [...problems, zoneProblem] };
  }
  const fields = read.schedule;
  const offsetAt = timeZone === undefined ? localOffset : zoneOffset(timeZone);
  const wallClock = CronExpressionParser.parse(fields.expression, { tz: 'UTC' });
  return {
    ok: true,
    schedule: {
      text: fields.text,
      fields: fields.fields,
      ...(fields.nickname === undefined ? {} : { nickname: fields.nickname }),
      note: fields.note,
      next: (after) => nextTick(fields, wallClock, offsetAt, after),
    },
  };
}

/** How far a zone's wall clock is ahead of UTC, in ms, at a Unix time in ms that is a whole second. */
type OffsetAt = (time: number) => number;

function localOffset(time: number): number {
  const date = new Date(time);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate(), hours, minutes, seconds) - time;
}

function zoneOffset(timeZone: string): OffsetAt {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (time) => {
    const parts = new Map(format.formatToParts(time).map((part) => [part.type, Number(part.value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const day = [part('year'), part('month') - 1, part('day')] as const;
    return Date.UTC(...day, part('hour'), part('minute'), part('second')) - time;
  };
}

/**
 * Walks from one change of the zone's offset to the next. Between two changes wall clock and time differ by a constant,
 * so the first wall-clock tick is the answer unless a change comes before it.
 */
function nextTick(
  fields: ScheduleFields,
  wallClock: CronExpression,
  offsetAt: OffsetAt,
  after: number,
): number | undefined {
  if (!(after >= calendarStart && after <= calendarEnd)) return undefined;
  const runsTwice = fields.everyHour || fields.everyMinute;
  let time = Math.floor(after / second) * second;
  let offset = offsetAt(time);
  /** The wall clock after which to look. */
  let wall = runsTwice ? time + offset : Math.max(time + offset, repeatEnd(time, offset, offsetAt) - second);
  for (;;) {
    const tick = wallTick(wallClock, wall);
    if (tick === undefined || tick > calendarEnd) return undefined;
    const change = firstChange(time, tick - offset, offset, offsetAt);
    if (change === undefined) return tick - offset;
    const changed = offsetAt(change);
    const [wallBefore, wallAfter] = [change + offset, change + changed];
    if (tick < wallAfter && !fields.everyHour) return change;
    // Forward, both are past the gap; back, a schedule that runs once goes on where the repeated hour ends.
    wall = (runsTwice ? wallAfter : Math.max(wallBefore, wallAfter)) - second;
    time = change;
    offset = changed;
  }
}

/** Where the wall clock shows an hour for the second time, the wall-clock time at which that hour ends; else long ago. */
function repeatEnd(time: number, offset: number, offsetAt: OffsetAt): number {
  const start = time - longestRepeat;
  const earlier = offsetAt(start);
  if (earlier <= offset) return -Infinity;
  const change = firstChange(start, time, earlier, offsetAt);
  return change === undefined ? -Infinity : change + earlier;
}

/**
 * The first moment after `from`, up to and with `to`, at which the offset is another one. Looks once a week: no zone has
 * ever put its clocks on and back within one.
 */
function firstChange(from: number, to: number, offset: number, offsetAt: OffsetAt): number | undefined {
  for (let low = from; low < to; low += week) {
    let high = Math.min(low + week, to);
    if (offsetAt(high) === offset) continue;
    while (high - low > second) {
      const middle = low + Math.floor((high - low) / 2 / second) * second;
      if (offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
    return high;
  }
  return undefined;
}

/** The first tick after a wall-clock time, on a clock that is never changed. */
function wallTick(wallClock: CronExpression, wall: number): number | undefined {
  wallClock.reset(new Date(wall));
  try {
    return wallClock.next().getTime();
  } catch {
    // cron-parser gives up after 10,000 steps, which no schedule needs that is left here: at most 40 years.
    return undefined;
  }
}
