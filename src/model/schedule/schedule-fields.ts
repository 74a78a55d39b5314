/**
 * Reads the fields of a cron schedule, without computing when it runs.
 *
 * This file does not load cron-parser (13 ms with luxon), so a mistake in an `interval` can be reported without it;
 * `schedule.ts` computes the times. Fields are checked here and not by cron-parser, because it throws at
 * the first mistake and does not say where it is.
 *
 * ```text
 *   ┌ minute 0-59          *          every value; ? is the same in the two day fields
 *   │ ┌ hour 0-23          5          one value
 *   │ │ ┌ day 1-31         1-5        a range
 *   │ │ │ ┌ month 1-12     1,2,5-7    a list
 *   │ │ │ │ ┌ weekday 0-7  1-9/2      a step, of a range or of a star
 *   │ │ │ │ │ ┌ second     5/15       from 5 to the end in steps of 15
 *   * * * * *  (* …)       jan mon    names of three letters in any case; 0 and 7 are Sunday, also where a range ends
 *                          L          day: the last of the month; weekday 5L: the last Friday of the month
 *                          5#3        the third Friday of the month; alone in its field
 * ```
 *
 * Decisions:
 * - The second stands last, as in the original (croniter), not first as in cron-parser.
 * - Day and weekday both restricted: either matches (crontab(5)). A field is unrestricted where it begins with `*` or `?`
 *   and holds every value. So every second day restricts, as in the original and in cron-parser; Vixie cron takes a star
 *   with a step for a star and wants both to match, which is its best-known surprise.
 * - A step wider than its field is a mistake: every 90 minutes would be every hour. Every 60 minutes may be written.
 * - `LW`, `15W`, `H` and lists with `#` are mistakes: cron-parser has none of them, or draws a new time at every start.
 */

/** One mistake in the text of a schedule. */
export interface ScheduleProblem {
  /** Where it begins in the text, in UTF-16 units from 0. */
  readonly index: number;
  /** How many UTF-16 units it covers; at least 1, even if a field is missing there. */
  readonly length: number;
  readonly message: string;
  /** What was expected, or what to write. */
  readonly hint?: string;
  /** The words known at this place, for a "did you mean": the problem covers exactly the unknown word. */
  readonly candidates?: readonly string[];
}

/** A schedule whose every field is right and which can occur. */
export interface ScheduleFields {
  /** As it was given. */
  readonly text: string;
  /** The five or six fields as written, one space between them; those behind a nickname. */
  readonly fields: string;
  /** In lower case and without `@`. */
  readonly nickname?: string;
  /** For status listings: `hourly (0 * * * *)`, else the fields. */
  readonly note: string;
  /** Six fields of plain numbers with the second first, as cron-parser reads them. */
  readonly expression: string;
  /** The hour field holds all 24 hours. */
  readonly everyHour: boolean;
  /** The minute field begins with `*`. */
  readonly everyMinute: boolean;
}

export type ScheduleFieldsResult =
  | { readonly ok: true; readonly schedule: ScheduleFields }
  | { readonly ok: false; readonly problems: readonly ScheduleProblem[] };

const nicknames = new Map([
  ['yearly', '0 0 1 1 *'],
  ['annually', '0 0 1 1 *'],
  ['monthly', '0 0 1 * *'],
  ['weekly', '0 0 * * 0'],
  ['daily', '0 0 * * *'],
  ['midnight', '0 0 * * *'],
  ['hourly', '0 * * * *'],
]);

interface FieldKind {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** The first is the least value. */
  readonly names?: readonly string[];
  /** `?` stands for `*`. */
  readonly isDay?: true;
}

const minute: FieldKind = { name: 'minute', least: 0, most: 59 };
const hour: FieldKind = { name: 'hour', least: 0, most: 23 };
const dayOfMonth: FieldKind = { name: 'day of month', least: 1, most: 31, isDay: true };
const month: FieldKind = {
  name: 'month',
  least: 1,
  most: 12,
  names: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
};
const dayOfWeek: FieldKind = {
  name: 'day of week',
  least: 0,
  most: 7,
  names: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'],
  isDay: true,
};
const second: FieldKind = { name: 'second', least: 0, most: 59 };

const fieldKinds = [minute, hour, dayOfMonth, month, dayOfWeek, second] as const;

const expectedFields =
  'expected five fields (minute, hour, day of month, month, day of week), or six with the seconds last';

/** Every value of every field written out needs about half of this; it is cron-parser's limit too. */
const longestText = 1024;

/** Days by month, February in a leap year. */
const longestMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

interface Word {
  readonly text: string;
  readonly index: number;
}

/** One field after checking. */
interface Field {
  readonly values: ReadonlySet<number>;
  /** Begins with `*` or `?` and holds every value. */
  readonly unrestricted: boolean;
  readonly beginsWithStar: boolean;
  /** As cron-parser reads it. */
  readonly expression: string;
  /** Holds `L` or `#`. */
  readonly special: boolean;
}

/**
 * Reads a schedule: five fields, six with the second last, or a nickname with or without `@` in any case.
 *
 * Every mistake is in the answer, in the order of the text. Says nothing about time zones; never throws.
 *
 * @example parseScheduleFields('61 * * * *') // … message: 'minute 61 is not from 0 to 59'
 */
export function parseScheduleFields(text: string): ScheduleFieldsResult {
  const whole = { index: text.length - text.trimStart().length, length: text.trim().length };
  if (whole.length > longestText) {
    const message = `${whole.length} characters are too long for a schedule: at most ${longestText}`;
    return failure({ ...whole, message });
  }
  const words = split(text);
  const [first, ...others] = words;
  if (first === undefined) {
    const length = Math.max(1, text.length);
    return failure({ index: 0, length, message: 'the schedule is empty', hint: expectedFields });
  }
  if (first.text.startsWith('@') || (others.length === 0 && /^[a-z]{2,}$/i.test(first.text))) {
    return parseNickname(text, first, others);
  }
  if (words.length < 5 || words.length > 6) {
    // Of too many, the surplus is what to look at; of too few, any may be the one that is missing.
    const from = words[6]?.index ?? whole.index;
    const found = `${words.length} ${words.length === 1 ? 'field' : 'fields'}`;
    return failure({
      index: from,
      length: whole.index + whole.length - from,
      message: `${found} found in the schedule`,
      hint: expectedFields,
    });
  }
  const checked = checkFields(words);
  if (checked.schedule === undefined) return { ok: false, problems: secondsFirstHint(words, checked.problems) };
  const fields = words.map((word) => word.text).join(' ');
  return { ok: true, schedule: { text, fields, note: fields, ...checked.schedule } };
}

/**
 * The mistake in a time zone's name, or undefined where Intl knows it (`Europe/Berlin`, `UTC`; any case).
 *
 * Its place is the whole name, wherever the caller has it from.
 */
export function timeZoneProblem(timeZone: string): ScheduleProblem | undefined {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone });
    return undefined;
  } catch {
    return {
      index: 0,
      length: Math.max(1, timeZone.length),
      message: `the time zone ${quote(timeZone)} is not known`,
      hint: 'expected a name such as Europe/Berlin or UTC',
      candidates: ['UTC', ...Intl.supportedValuesOf('timeZone')],
    };
  }
}

function failure(...problems: ScheduleProblem[]): ScheduleFieldsResult {
  return { ok: false, problems };
}

function split(text: string): Word[] {
  return Array.from(text.matchAll(/\S+/g), (match) => ({ text: match[0], index: match.index }));
}

/** Of the user's text in a message: no control characters, and no more than fits a line. */
function quote(text: string): string {
  const cut = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return `"${cut.replace(/\p{C}/gu, '\ufffd')}"`;
}

function parseNickname(text: string, first: Word, others: readonly Word[]): ScheduleFieldsResult {
  const name = first.text.replace(/^@/, '').toLowerCase();
  const place = { index: first.index, length: first.text.length };
  const problems: ScheduleProblem[] = [];
  const fields = nicknames.get(name);
  if (name === 'reboot') {
    problems.push({
      ...place,
      message: `${quote(first.text)} is no schedule`,
      hint: 'what runs once at the start is a oneshot service in the group INIT: "service_groups: INIT"',
    });
  } else if (fields === undefined) {
    problems.push({
      ...place,
      message: `${quote(first.text)} is not the name of a schedule`,
      hint: `expected ${[...nicknames.keys()].map((known) => `@${known}`).join(', ')} or five fields`,
      candidates: [...nicknames.keys()].map((known) => (first.text.startsWith('@') ? `@${known}` : known)),
    });
  }
  const [surplus] = others;
  const last = others.at(-1);
  if (surplus !== undefined && last !== undefined) {
    problems.push({
      index: surplus.index,
      length: last.index + last.text.length - surplus.index,
      message: `nothing may follow ${quote(first.text)}`,
    });
  }
  if (fields === undefined || problems.length > 0) return failure(...problems);
  const { schedule } = checkFields(split(fields));
  if (schedule === undefined) throw new Error(`internal error: the schedule of @${name} has mistakes`);
  return { ok: true, schedule: { text, fields, nickname: name, note: `${name} (${fields})`, ...schedule } };
}

interface Checked {
  readonly problems: readonly ScheduleProblem[];
  /** Absent where there are problems. */
  readonly schedule?: Pick<ScheduleFields, 'expression' | 'everyHour' | 'everyMinute'>;
}

function checkFields(words: readonly Word[]): Checked {
  const problems: ScheduleProblem[] = [];
  const fields = new Map<FieldKind, Field>();
  fieldKinds.forEach((kind, position) => {
    const word = words[position];
    // Five fields run at the full minute.
    const field = checkField(kind, word ?? { text: '0', index: 0 }, problems);
    if (field !== undefined) fields.set(kind, field);
  });
  const days = fields.get(dayOfMonth);
  const months = fields.get(month);
  const weekdays = fields.get(dayOfWeek);
  if (days !== undefined && months !== undefined && weekdays !== undefined) {
    const never = neverOccurs(days, months, weekdays);
    const [, , dayWord, monthWord] = words;
    if (never && dayWord !== undefined && monthWord !== undefined) {
      problems.push({
        index: dayWord.index,
        length: monthWord.index + monthWord.text.length - dayWord.index,
        message: `the schedule never runs: no day ${dayWord.text} in month ${monthWord.text}`,
      });
    }
  }
  if (problems.length > 0) return { problems: problems.sort((a, b) => a.index - b.index) };
  const order = [second, minute, hour, dayOfMonth, month, dayOfWeek];
  return {
    problems: [],
    schedule: {
      expression: order.map((kind) => fields.get(kind)?.expression).join(' '),
      everyHour: fields.get(hour)?.values.size === 24,
      everyMinute: fields.get(minute)?.beginsWithStar === true,
    },
  };
}

/** Only the day of the month can be missing from each month: every weekday is in all of them, the fifth one in leap years. */
function neverOccurs(days: Field, months: Field, weekdays: Field): boolean {
  if (days.unrestricted || days.special || !weekdays.unrestricted) return false;
  const longest = Math.max(...[...months.values].map((number) => longestMonths[number - 1] ?? 0));
  return Math.min(...days.values) > longest;
}

/** Where six fields make sense once the first is taken for the seconds, that is said: many programs want them there. */
function secondsFirstHint(words: readonly Word[], problems: readonly ScheduleProblem[]): readonly ScheduleProblem[] {
  const [seconds, ...rest] = words;
  const [problem, ...more] = problems;
  if (seconds === undefined || rest.length !== 5 || problem === undefined) return problems;
  const turned = [...rest, seconds].map((word) => word.text).join(' ');
  if (checkFields(split(turned)).problems.length > 0) return problems;
  return [{ ...problem, hint: `the seconds stand last: "${turned}"` }, ...more];
}

/** Checks one field and adds its mistakes; undefined where it has one. */
function checkField(kind: FieldKind, word: Word, problems: ScheduleProblem[]): Field | undefined {
  const before = problems.length;
  const values = new Set<number>();
  /** `L`, `5L` and `5#3`, which cron-parser resolves. */
  const specials = new Set<string>();
  const items = word.text.split(',');
  let index = word.index;
  for (const text of items) {
    const item = { text, index };
    index += text.length + 1;
    const special = readSpecial(kind, item, items.length > 1, problems);
    if (special === undefined) addValues(kind, item, values, problems);
    else if (special !== 'wrong') specials.add(special);
  }
  if (problems.length > before) return undefined;
  const count = kind === dayOfWeek ? 7 : kind.most - kind.least + 1;
  const complete = values.size === count;
  const beginsWithStar = word.text.startsWith('*');
  const unrestricted = complete && (beginsWithStar || word.text.startsWith('?'));
  // In the day fields a list of every value is a restriction; elsewhere it is the same as a star.
  const star = kind.isDay ? unrestricted : complete;
  const listed = [...[...values].sort((a, b) => a - b).map(String), ...specials];
  return {
    values,
    unrestricted,
    beginsWithStar,
    expression: star ? '*' : listed.join(','),
    special: specials.size > 0,
  };
}

/** `L`, `5L`, `5#3` as cron-parser reads them; undefined where the item is something else. */
function readSpecial(
  kind: FieldKind,
  item: Word,
  inList: boolean,
  problems: ScheduleProblem[],
): string | 'wrong' | undefined {
  const place = { index: item.index, length: Math.max(1, item.text.length) };
  const wrong = (message: string, hint?: string): 'wrong' => {
    problems.push({ ...place, message, ...(hint === undefined ? {} : { hint }) });
    return 'wrong';
  };
  const { text } = item;
  if (/^L$/i.test(text)) {
    if (kind === dayOfMonth) return 'L';
    if (kind === dayOfWeek) return wrong('day of week L has no day before it', 'the last Friday of the month is 5L');
    return wrong(`L, the last day, is not for the ${kind.name}`, 'it is for the day of month');
  }
  const [, weekday, count] = /^([^#]*)#(.*)$/.exec(text) ?? /^(\d+|[a-z]{3})L$/i.exec(text) ?? [];
  if (weekday === undefined) {
    if (/^(?:\d+|L)W$/i.test(text)) return wrong('W, the nearest working day, is not supported');
    if (/^H(?:\(.*\))?(?:\/.*)?$/i.test(text)) return wrong('H, a random value, is not supported');
    return undefined;
  }
  const sign = count === undefined ? 'L' : '#';
  if (kind !== dayOfWeek)
    return wrong(`${kind.name} ${quote(text)} has ${sign === 'L' ? 'an L' : 'a #'}: that is for the day of week`);
  const before = problems.length;
  const day = readNumber(kind, { text: weekday, index: item.index }, problems);
  if (sign === '#') {
    if (!/^[1-5]$/.test(count ?? '')) {
      problems.push({
        index: item.index + weekday.length + 1,
        length: Math.max(1, count?.length ?? 0),
        message: `day of week ${quote(text)}: ${quote(count ?? '')} is not from 1 to 5`,
        hint: 'the third Friday of the month is 5#3',
      });
    }
    if (inList) wrong(`day of week ${quote(text)} stands in a list`, 'a # is alone in its field');
  }
  if (day === undefined || problems.length > before) return 'wrong';
  return sign === '#' ? `${day % 7}#${count}` : `${day % 7}L`;
}

/** Adds the values of one item of a list: `*`, `5`, `1-5`, each with or without a step. */
function addValues(kind: FieldKind, item: Word, values: Set<number>, problems: ScheduleProblem[]): void {
  const { text, index } = item;
  if (text === '') {
    problems.push({ index, length: 1, message: `a value is missing in the list of the ${kind.name}` });
    return;
  }
  const slash = text.indexOf('/');
  const base = slash < 0 ? text : text.slice(0, slash);
  const stepText = slash < 0 ? undefined : text.slice(slash + 1);
  if (base === '' || /^-|-$|-.*-/.test(base)) {
    problems.push({ index, length: text.length, ...unreadable(kind, text) });
    return;
  }
  const step = stepText === undefined ? 1 : readStep(kind, { text: stepText, index: index + slash + 1 }, problems);
  const range = readRange(kind, { text: base, index }, stepText !== undefined, problems);
  if (step === undefined || range === undefined) return;
  for (let value = range[0]; value <= range[1]; value += step) values.add(kind === dayOfWeek ? value % 7 : value);
}

function readStep(kind: FieldKind, word: Word, problems: ScheduleProblem[]): number | undefined {
  const most = kind === dayOfWeek ? 7 : kind.most - kind.least + 1;
  const step = /^\d+$/.test(word.text) ? Number(word.text) : 0;
  if (step >= 1 && step <= most) return step;
  problems.push({
    index: word.index,
    length: Math.max(1, word.text.length),
    message: `${kind.name} step ${shown(word.text)} is not from 1 to ${most}`,
  });
  return undefined;
}

/** The first and the last value of `*`, `5` (with a step: to the end), `1-5`. */
function readRange(
  kind: FieldKind,
  word: Word,
  stepped: boolean,
  problems: ScheduleProblem[],
): readonly [number, number] | undefined {
  const { text, index } = word;
  const end = kind === dayOfWeek ? 6 : kind.most;
  if (text === '*' || (text === '?' && kind.isDay)) return [kind.least, end];
  const dash = text.indexOf('-');
  if (dash < 0) {
    const value = readNumber(kind, word, problems);
    if (value === undefined) return undefined;
    return [value, stepped ? Math.max(value, end) : value];
  }
  const from = readNumber(kind, { text: text.slice(0, dash), index }, problems);
  const to = readNumber(kind, { text: text.slice(dash + 1), index: index + dash + 1 }, problems);
  if (from === undefined || to === undefined) return undefined;
  // `fri-sun`: as an end, Sunday is the seventh day.
  if (kind === dayOfWeek && to === 0 && from > 0) return [from, 7];
  if (from <= to) return [from, to];
  problems.push({
    index,
    length: text.length,
    message: `${kind.name} ${quote(text)} runs backwards`,
    hint: `did you mean "${upTo(from, end)},${upTo(kind.least, to)}"?`,
  });
  return undefined;
}

function upTo(from: number, to: number): string {
  return from === to ? String(from) : `${from}-${to}`;
}

/** A number within the field's bounds, or a name. */
function readNumber(kind: FieldKind, word: Word, problems: ScheduleProblem[]): number | undefined {
  const { text, index } = word;
  const length = Math.max(1, text.length);
  if (/^\d+$/.test(text)) {
    const value = Number(text);
    if (value >= kind.least && value <= kind.most) return value;
    problems.push({ index, length, message: `${kind.name} ${shown(text)} is not from ${kind.least} to ${kind.most}` });
    return undefined;
  }
  const lower = text.toLowerCase();
  const position = kind.names?.indexOf(lower) ?? -1;
  if (position >= 0) return kind.least + position;
  problems.push({ index, length, ...unreadable(kind, text) });
  return undefined;
}

/** A number as it is, what else stands there in quotes. */
function shown(text: string): string {
  return /^\d{1,40}$/.test(text) ? text : quote(text);
}

function unreadable(kind: FieldKind, text: string): Omit<ScheduleProblem, 'index' | 'length'> {
  const { name, least, most, names } = kind;
  if (/^[a-z]+$/i.test(text)) {
    const lower = text.toLowerCase();
    const owner = fieldKinds.find((other) => other.names?.includes(lower));
    const message =
      names === undefined ? `${name} ${quote(text)} is not a number` : `${name} ${quote(text)} is not known`;
    if (owner !== undefined) return { message, hint: `"${text}" is a ${owner.name}` };
    if (names !== undefined) {
      const short = names.find((known) => lower.startsWith(known));
      if (short !== undefined) return { message, hint: `did you mean "${short}"?` };
      return { message, hint: `expected ${least} to ${most}, or ${names[0]} to ${names.at(-1)}`, candidates: names };
    }
    return { message, hint: `expected ${least} to ${most}` };
  }
  return {
    message: `cannot read ${name} ${quote(text)}`,
    hint: `expected *, a number from ${least} to ${most}, a range such as ${least}-${least + 4}, a step such as */2, or a list of these`,
  };
}
