/** From systemd's calendar events, systemd.time(7), to schedules of cron. */

export type CalendarSchedule =
  | { readonly ok: true; readonly interval: string; readonly timeZone?: string }
  | { readonly ok: false; readonly message: string };

const words: Readonly<Record<string, string>> = {
  minutely: '* * * * *',
  hourly: '0 * * * *',
  daily: '0 0 * * *',
  monthly: '0 0 1 * *',
  weekly: '0 0 * * 1',
  yearly: '0 0 1 1 *',
  annually: '0 0 1 1 *',
  quarterly: '0 0 1 1,4,7,10 *',
  semiannually: '0 0 1 1,7 *',
};

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** Says in fields of cron when an event elapses; not all can be said so. */
export function readCalendar(text: string): CalendarSchedule {
  const parts = text.trim().split(/\s+/);
  const zone = parts.length > 1 && /^(?:UTC|[A-Z]\w+\/[\w/+-]+)$/.test(parts.at(-1) ?? '') ? parts.pop() : undefined;
  const withZone = (interval: string): CalendarSchedule => ({
    ok: true,
    interval,
    ...(zone === undefined ? {} : { timeZone: zone }),
  });
  const word = words[parts[0]?.toLowerCase() ?? ''];
  if (word !== undefined && parts.length === 1) return withZone(word);
  const weekday = parts.length > 0 && /^[A-Za-z]/.test(parts[0] ?? '') ? readWeekdays(parts.shift() ?? '') : '*';
  if (weekday === undefined) return refuse('its weekdays cannot be read');
  const time = parts.find((part) => part.includes(':')) ?? '0:0:0';
  const date = parts.find((part) => part.includes('-')) ?? '*-*-*';
  if (parts.some((part) => part !== time && part !== date)) return refuse('it cannot be read');
  const [hour = '', minute = '', second = '0'] = time.split(':');
  const fields = /^(?:(\*|\d[\d,./]*)-)?([^-~]+)([-~])([^-~]+)$/.exec(date);
  if (fields === null) return refuse('its date cannot be read');
  const [, year = '*', month = '', mark, day = ''] = fields;
  if (year !== '*') return refuse('cron knows no years');
  if (mark === '~' && !/^0?1$/.test(day)) return refuse('cron counts no days from the end of a month but the last one');
  const dayField = mark === '~' ? 'L' : readField(day);
  // Both have to match for systemd, either for cron.
  if (dayField !== '*' && weekday !== '*')
    return refuse('cron takes either of a day of the month and a weekday, not both');
  const cron = [readField(minute), readField(hour), dayField, readField(month), weekday, readField(second)];
  if (cron.includes(undefined)) return refuse('one of its fields cannot be said in cron');
  const five = cron.slice(0, 5).join(' ');
  return withZone(cron[5] === '0' ? five : `${five} ${cron[5]}`);
}

function refuse(message: string): CalendarSchedule {
  return { ok: false, message };
}

function readWeekdays(text: string): string | undefined {
  const parts = text
    .replace(/,$/, '')
    .split(',')
    .map((part) => {
      const ends = part.split(/\.\.|-/).map((name) => days.findIndex((day) => fullName(day, name)));
      if (ends.length > 2 || ends.includes(-1)) return undefined;
      const [from = 0, to = from] = ends;
      const numbers = from <= to ? [from, to] : undefined;
      // A range that goes round the end of the week is two.
      if (numbers === undefined) return `${from + 1}-7,1-${to + 1}`;
      return from === to ? String(from + 1) : `${from + 1}-${to + 1}`;
    });
  return parts.includes(undefined) ? undefined : parts.join(',');
}

const fullDays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

function fullName(day: string, given: string): boolean {
  const lower = given.toLowerCase();
  return lower === day || lower === fullDays[days.indexOf(day)];
}

/** `*`, numbers, `a..b`, and a step behind each; undefined where cron has no such field. */
function readField(text: string): string | undefined {
  const items = text.split(',').map((item) => {
    const [, from = '', to, step] = /^(\*|\d+)(?:\.\.(\d+))?(?:\/(\d+))?$/.exec(item) ?? [];
    if (from === '' || (from === '*' && to !== undefined)) return undefined;
    const plain = (number: string): string => String(Number(number));
    const range = from === '*' ? '*' : to === undefined ? plain(from) : `${plain(from)}-${plain(to)}`;
    return step === undefined ? range : `${range}/${plain(step)}`;
  });
  if (items.includes(undefined)) return undefined;
  return items.includes('*') ? '*' : items.join(',');
}
