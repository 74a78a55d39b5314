/**
 * How records are written: lines for files and terminals, packets for other syslog daemons, names of files.
 *
 * All of it is in local time, as syslog daemons write it.
 */

import { escapeControls } from '../words/printable.ts';
import { type LogRecord, type StructuredElement, tagOf } from './log-record.ts';
import { type Facility, priorityNumber, type Severity } from './syslog-names.ts';

export type LineFormat = 'syslog' | 'json' | 'plain';
export type TimestampFormat = 'rfc3164' | 'iso' | 'none';
export type PacketFormat = 'rfc3164' | 'rfc5424';

/** What a logging entry says about its lines. */
export interface LineStyle {
  /** This host's name, for records that name none. */
  readonly host: string;
  /** `logrec_hostname`: replaces every record's host. */
  readonly hostOverride?: string | undefined;
  /** syslog where it is not given. */
  readonly format?: LineFormat | undefined;
  /** rfc3164 in syslog lines, iso in JSON and none in plain ones where it is not given. */
  readonly timestamp?: TimestampFormat | undefined;
  /** Puts `facility.priority ` before each line; JSON has both anyway. */
  readonly extended?: boolean | undefined;
  /** True for a terminal: what would change the order of letters on it is escaped. */
  readonly terminal?: boolean | undefined;
  /** Colours lines by severity, for terminals; JSON stays as it is. */
  readonly colour?: boolean | undefined;
  /** JSON: a message that is a JSON object becomes that object, and no text. */
  readonly parseJson?: boolean | undefined;
}

/** Writes one record as one line, without the line end. */
export type LineFormatter = (record: LogRecord) => string;

/** Makes the function that writes an entry's lines. */
export function lineFormatter(style: LineStyle): LineFormatter {
  const { format = 'syslog', extended = false, colour = false, terminal = false } = style;
  const formatted = formatters[format](style);
  const raw: LineFormatter = terminal ? (record) => withoutOverrides(formatted(record)) : formatted;
  if (format === 'json') return raw;
  const write: LineFormatter = (record) => onOneLine(raw(record));
  const prefixed: LineFormatter = extended
    ? (record) => `${extendedNames(record.facility, record.severity)} ${write(record)}`
    : write;
  return colour ? (record) => coloured(prefixed(record), record.severity) : prefixed;
}

/** Marks and controls of the direction of text (Unicode Bidirectional Algorithm, section 2): they let a line look like another. */
const overrides = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** In JSON, too, the escape is what JSON itself would write. */
function withoutOverrides(line: string): string {
  return line.replace(overrides, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const formatters: Readonly<Record<LineFormat, (style: LineStyle) => LineFormatter>> = {
  syslog: ({ host, hostOverride, timestamp = 'rfc3164' }) => {
    if (timestamp === 'none') return (record) => `${hostOverride ?? record.host ?? host} ${tagged(record)}`;
    const time = timestamp === 'iso' ? isoTime : syslogTime;
    return (record) => `${time(record.time)} ${hostOverride ?? record.host ?? host} ${tagged(record)}`;
  },
  plain: ({ timestamp = 'none' }) => {
    const text = (record: LogRecord) =>
      record.unprioritized === true || record.impostor === true ? tagged(record) : lineText(record);
    if (timestamp === 'none') return text;
    const time = timestamp === 'iso' ? isoTime : syslogTime;
    return (record) => `${time(record.time)} ${text(record)}`;
  },
  json: ({ host, hostOverride, timestamp = 'iso', parseJson = false }) => {
    const source = rememberingLast((record) => jsonSource(record, hostOverride ?? record.host ?? host));
    if (timestamp === 'none') return (record) => `{${source(record)}${jsonContent(record, parseJson)}}`;
    const time = timestamp === 'iso' ? isoTime : syslogTime;
    return (record) => `{"time":"${time(record.time)}",${source(record)}${jsonContent(record, parseJson)}}`;
  },
};

/** `Mon dd HH:MM:SS HOST TAG[PID]: MESSAGE`, as syslog daemons write their files (RFC 3164, section 4.1.2 and 4.1.3). */
export function formatRecord(record: LogRecord, host: string): string {
  return onOneLine(`${syslogTime(record.time)} ${record.host ?? host} ${tagged(record)}`);
}

/** `TAG[PID]: MESSAGE`, or the message alone if the record has no tag. */
function tagged(record: LogRecord): string {
  const tag = tagOf(record);
  return tag === '' ? lineText(record) : `${tag}: ${lineText(record)}`;
}

/** Stands before the second and later pieces of a line that was too long. */
export const continuationMark = '[continued] ';
/** Control characters except for the tab, the C1 range among them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

function lineText({ message, continuation }: LogRecord): string {
  return continuation === true ? `${continuationMark}${message}` : message;
}

/** Text of a record on one line: a line end becomes `#012`, as in rsyslog, and any other control character `\xHH`. */
export function onOneLine(text: string): string {
  return controls.test(text) ? escapeControls(text.replaceAll('\n', '#012')) : text;
}

/** `facility.priority`, with `warn` for `warning`, as the original writes it. */
function extendedNames(facility: Facility, severity: Severity): string {
  return `${facility}.${severity === 'warning' ? 'warn' : severity}`;
}

/** The fields of a JSON line before the message. */
function jsonSource(record: LogRecord, host: string): string {
  const { facility, severity, program, pid, processId, service, messageId, sender, trust } = record;
  let text = `"host":${quoted(host)},"facility":"${facility}","severity":"${severity}"`;
  if (program !== '' && record.unprioritized !== true) text += `,"program":${quoted(program)}`;
  if (pid !== undefined) text += `,"pid":${pid}`;
  else if (processId !== undefined) text += `,"pid":${quoted(processId)}`;
  if (service !== undefined) text += `,"service":${quoted(service)}`;
  if (messageId !== undefined) text += `,"messageId":${quoted(messageId)}`;
  if (sender !== undefined) text += `,"trust":"${trust}","sender":{"pid":${sender.pid},"uid":${sender.uid}}`;
  return record.unprioritized === true ? `${text},"unprioritized":true` : text;
}

/** Keeps the last result: consecutive records often differ only in the message. */
function rememberingLast(make: LineFormatter): LineFormatter {
  let last: LogRecord | undefined;
  let text = '';
  return (record) => {
    if (last === undefined || !sameSource(last, record)) text = make(record);
    last = record;
    return text;
  };
}

function sameSource(one: LogRecord, other: LogRecord): boolean {
  return (
    one.facility === other.facility &&
    one.severity === other.severity &&
    one.program === other.program &&
    one.pid === other.pid &&
    one.service === other.service &&
    one.host === other.host &&
    one.processId === other.processId &&
    one.messageId === other.messageId &&
    one.sender?.pid === other.sender?.pid &&
    one.sender?.uid === other.sender?.uid &&
    one.trust === other.trust &&
    one.unprioritized === other.unprioritized
  );
}

function jsonContent({ message, continuation, structuredData }: LogRecord, parse: boolean): string {
  const value = (parse ? objectText(message) : undefined) ?? quoted(message);
  const text = `${continuation === true ? ',"continuation":true' : ''},"message":${value}`;
  return structuredData === undefined ? text : `${text},"structuredData":${jsonElements(structuredData)}`;
}

/** The text of a JSON object, as it stands in the message; undefined where the message is none. */
function objectText(message: string): string | undefined {
  if (message.charCodeAt(0) !== 0x7b && !message.trimStart().startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(message);
    // The text itself is kept, because numbers may be too large for JavaScript and a name may stand twice. A line end may
    // only stand between its parts.
    return controls.test(message) ? JSON.stringify(value) : message.trim();
  } catch {
    return undefined;
  }
}

/** Text that JSON escapes and that is left to JSON.stringify. A lone surrogate is escaped, too. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const escapes = /["\\\u0000-\u001f\u007f-\u009f\ud800-\udfff]/;
/** Control characters that JSON allows in its texts, and terminals obey. */
const lateControls = /[\u007f-\u009f]/g;

function quoted(text: string): string {
  if (!escapes.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(lateControls, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
}

/** `{ID: {NAME: VALUE}}`, and a list of values where a name stands twice. Text, so that no name meets Object's own. */
function jsonElements(elements: readonly StructuredElement[]): string {
  const members = new Map<string, Map<string, string[]>>();
  for (const { id, params } of elements) {
    const values = members.get(id) ?? new Map<string, string[]>();
    members.set(id, values);
    for (const [name, value] of params) values.set(name, [...(values.get(name) ?? []), value]);
  }
  const inside = (values: ReadonlyMap<string, readonly string[]>) =>
    [...values].map(([name, list]) => `${JSON.stringify(name)}:${JSON.stringify(list.length === 1 ? list[0] : list)}`);
  return `{${[...members].map(([id, values]) => `${JSON.stringify(id)}:{${inside(values).join(',')}}`).join(',')}}`;
}

const colours: Readonly<Record<Severity, string>> = {
  emerg: '1;37;41',
  alert: '1;37;41',
  crit: '1;31',
  err: '31',
  warning: '33',
  notice: '1',
  info: '',
  debug: '2',
};

/** A line in the colour of its severity, by ANSI sequences; info stays as it is. */
export function coloured(line: string, severity: Severity): string {
  const colour = colours[severity];
  return colour === '' ? line : `\u001b[${colour}m${line}\u001b[0m`;
}

// Time: text that changes only once a second is formatted once a second.

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Mon dd HH:MM:SS`. */
const syslogSecond = cachedBySecond((date) => {
  const day = String(date.getDate()).padStart(2, ' ');
  return `${months[date.getMonth()]} ${day} ${clock(date)}`;
});

const isoSecond = cachedBySecond((date) => ({
  second: `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${clock(date)}.`,
  offset: offset(date, ':'),
}));

/** A time in ms as RFC 3164 has it: `Jan  5 04:03:02`. */
export function syslogTime(time: number): string {
  return syslogSecond(Math.floor(time / 1000));
}

/** A time in ms as RFC 3339 and RFC 5424 have it, with milliseconds: `2030-01-05T04:03:02.007+01:00`. */
export function isoTime(time: number): string {
  const seconds = Math.floor(time / 1000);
  const { second, offset: zone } = isoSecond(seconds);
  return `${second}${String(Math.floor(time) - seconds * 1000).padStart(3, '0')}${zone}`;
}

function cachedBySecond<Text>(format: (date: Date) => Text): (second: number) => Text {
  let last: number | undefined;
  let text: Text;
  return (second) => {
    if (second !== last) {
      text = format(new Date(second * 1000));
      last = second;
    }
    return text;
  };
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

function offset(date: Date, separator: string): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${separator}${two(size % 60)}`;
}

// Packets.

/**
 * Bytes of one packet. RFC 3164 speaks of 1024 and RFC 5424 of 2048 that every receiver must take, but what is in use takes
 * 8 KiB and more (rsyslog's maxMessageSize).
 */
export const longestPacket = 8192;

/**
 * Makes the function that writes records as UDP packets for another syslog daemon. A record that is longer than a packet gives
 * several, each on a line of its own.
 */
export function packetFormatter(
  format: PacketFormat,
  { host, hostOverride, limit = longestPacket }: Pick<LineStyle, 'host' | 'hostOverride'> & { readonly limit?: number },
): LineFormatter {
  const headOf = format === 'rfc3164' ? oldHead : newHead;
  return (record) => {
    const head = headOf(record, hostOverride ?? record.host ?? host);
    return packets(head, onOneLine(lineText(record)), limit).join('\n');
  };
}

/** `<PRI>Mon dd HH:MM:SS HOST TAG[PID]:`, RFC 3164 section 4.1. */
function oldHead(record: LogRecord, host: string): string {
  const { program, pid, processId, unprioritized } = record;
  const name = unprioritized === true ? '??' : program.replace(/[^!-9;-Z\\^-~]+/g, '_');
  const process = pid ?? processId?.replace(/[^!-Z\\^-~]+/g, '_');
  // Without a tag the receiver would take the message's first word for one.
  const tag = `${name === '' ? '-' : name}${process === undefined ? '' : `[${process}]`}`;
  return `<${priorityNumber(record.facility, record.severity)}>${syslogTime(record.time)} ${word(host, 255)} ${tag}:`;
}

/** `<PRI>1 TIME HOST APP-NAME PROCID MSGID STRUCTURED-DATA`, RFC 5424 section 6. */
function newHead(record: LogRecord, host: string): string {
  const { facility, severity, time, messageId, structuredData } = record;
  const program = record.unprioritized === true ? '??' : record.program;
  const process = record.pid === undefined ? (record.processId ?? '') : String(record.pid);
  const names = `${word(host, 255)} ${word(program, 48)} ${word(process, 128)} ${word(messageId ?? '', 32)}`;
  return `<${priorityNumber(facility, severity)}>1 ${isoTime(time)} ${names} ${elementsText(structuredData)}`;
}

/** The packets of one record; one whose head alone is too long is cut. */
function packets(head: string, text: string, limit: number): readonly string[] {
  const whole = text === '' ? head : `${head} ${text}`;
  const [first, rest] = cutToBytes(whole, limit);
  const all = [first];
  for (let left = rest; left !== ''; ) {
    const [piece, more] = cutToBytes(`${head} ${continuationMark}${left}`, limit);
    // Without room for any of the text behind the head, the loop would not end.
    if (piece.length <= head.length + continuationMark.length + 1) break;
    all.push(piece);
    left = more;
  }
  return all;
}

/** A header field: printable ASCII without spaces, `-` for nothing. */
function word(text: string, longest: number): string {
  return /^[!-~]+$/.test(text) && text.length <= longest
    ? text
    : text.replace(/[^!-~]+/g, '_').slice(0, longest) || '-';
}

function elementsText(elements: readonly StructuredElement[] | undefined): string {
  if (elements === undefined || elements.length === 0) return '-';
  const name = (text: string) => text.replace(/[^!-~]|[=\]"]/g, '_').slice(0, 32) || '_';
  return elements
    .map(({ id, params }) => {
      const values = params.map(([key, value]) => ` ${name(key)}="${onOneLine(value).replace(/["\\\]]/g, '\\$&')}"`);
      return `[${name(id)}${values.join('')}]`;
    })
    .join('');
}

const encoder = new TextEncoder();

/** Divides text after at most so many bytes of UTF-8, between two characters. */
function cutToBytes(text: string, limit: number): readonly [head: string, rest: string] {
  if (text.length * 3 <= limit) return [text, ''];
  const { read } = encoder.encodeInto(text, new Uint8Array(limit));
  return [text.slice(0, read), text.slice(read)];
}

// Names of files.

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const fullMonths = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** `%`, flags, width, modifier, conversion. */
const conversion = /%([-_0^#]*)(\d*)([EO]?)([a-zA-Z%])/g;

/**
 * strftime(3) in the C locale and in local time, with glibc's flags, widths and conversions. What is not known stays as it is.
 *
 *     strftime('/var/log/app-%Y-%m-%d.log', new Date())
 */
export function strftime(pattern: string, date: Date): string {
  return pattern.replace(conversion, (whole, flags: string, width: string, _modifier: string, letter: string) => {
    const value = conversions[letter]?.(date);
    return value === undefined ? whole : padded(value, flags, width === '' ? undefined : Math.min(Number(width), 255));
  });
}

/** True where `strftime` gives another text at another time. */
export function variesWithTime(pattern: string): boolean {
  return [...pattern.matchAll(conversion)].some(
    ([, , , , letter = '']) => letter in conversions && !'%nt'.includes(letter),
  );
}

/** A number with the width and the character that pads it, or text. */
type Converted = string | readonly [number: number, width: number, pad: '0' | ' '];

function padded(value: Converted, flags: string, width: number | undefined): string {
  const flag = /[-_0](?=[^-_0]*$)/.exec(flags)?.[0];
  if (typeof value === 'string') {
    const text = flags.includes('^') ? value.toUpperCase() : flags.includes('#') ? swapped(value) : value;
    return text.padStart(width ?? 0, flag === '0' ? '0' : ' ');
  }
  const [number, usual, pad] = value;
  const sign = number < 0 ? '-' : '';
  const digits = String(Math.abs(number));
  if (flag === '-') return sign + digits;
  const fill = flag === '_' ? ' ' : flag === '0' ? '0' : pad;
  const size = (width ?? usual) - sign.length;
  return fill === '0' ? sign + digits.padStart(size, '0') : (sign + digits).padStart(size + sign.length, ' ');
}

function swapped(text: string): string {
  return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase();
}

const conversions: Readonly<Record<string, (date: Date) => Converted>> = {
  a: (date) => (weekdays[date.getDay()] ?? '').slice(0, 3),
  A: (date) => weekdays[date.getDay()] ?? '',
  b: (date) => months[date.getMonth()] ?? '',
  B: (date) => fullMonths[date.getMonth()] ?? '',
  c: (date) => strftime('%a %b %e %H:%M:%S %Y', date),
  C: (date) => [Math.floor(date.getFullYear() / 100), 2, '0'],
  d: (date) => [date.getDate(), 2, '0'],
  D: (date) => strftime('%m/%d/%y', date),
  e: (date) => [date.getDate(), 2, ' '],
  F: (date) => strftime('%Y-%m-%d', date),
  g: (date) => [isoWeek(date).year % 100, 2, '0'],
  G: (date) => [isoWeek(date).year, 1, '0'],
  h: (date) => months[date.getMonth()] ?? '',
  H: (date) => [date.getHours(), 2, '0'],
  I: (date) => [twelve(date), 2, '0'],
  j: (date) => [dayOfYear(date) + 1, 3, '0'],
  k: (date) => [date.getHours(), 2, ' '],
  l: (date) => [twelve(date), 2, ' '],
  m: (date) => [date.getMonth() + 1, 2, '0'],
  M: (date) => [date.getMinutes(), 2, '0'],
  n: () => '\n',
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  P: (date) => (date.getHours() < 12 ? 'am' : 'pm'),
  r: (date) => strftime('%I:%M:%S %p', date),
  R: (date) => strftime('%H:%M', date),
  s: (date) => [Math.floor(date.getTime() / 1000), 1, '0'],
  S: (date) => [date.getSeconds(), 2, '0'],
  t: () => '\t',
  T: (date) => clock(date),
  u: (date) => [date.getDay() === 0 ? 7 : date.getDay(), 1, '0'],
  U: (date) => [Math.floor((dayOfYear(date) + 7 - date.getDay()) / 7), 2, '0'],
  V: (date) => [isoWeek(date).week, 2, '0'],
  w: (date) => [date.getDay(), 1, '0'],
  W: (date) => [Math.floor((dayOfYear(date) + 7 - ((date.getDay() + 6) % 7)) / 7), 2, '0'],
  x: (date) => strftime('%m/%d/%y', date),
  X: (date) => clock(date),
  y: (date) => [((date.getFullYear() % 100) + 100) % 100, 2, '0'],
  Y: (date) => [date.getFullYear(), 1, '0'],
  z: (date) => offset(date, ''),
  Z: (date) => zoneName(date),
  '%': () => '%',
};

function twelve(date: Date): number {
  return date.getHours() % 12 === 0 ? 12 : date.getHours() % 12;
}

/** Days since the first of January. Counted in UTC: local days may have 23 hours. */
function dayOfYear(date: Date): number {
  const year = date.getFullYear();
  return (Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 1)) / 86_400_000;
}

/** ISO 8601: a week belongs to the year in which its Thursday is. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const weekday = (date.getDay() + 6) % 7;
  const thursday = new Date(date.getFullYear(), date.getMonth(), date.getDate() - weekday + 3, 12);
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 };
}

function zoneName(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
}
