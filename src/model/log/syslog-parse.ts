/**
 * Parses what arrives at `/dev/log` into records: RFC 3164 with its deviations, RFC 5424, and text without any `<PRI>`.
 *
 * - One datagram may hold several records, each ended by a NUL. Empty ones are dropped, and white space at the end goes.
 * - A record stays one record and one line, as in rsyslog (`$EscapeControlCharactersOnReceive on`): a line feed inside of
 *   it becomes rsyslog's `#012`, any other control character but the tab `\xHH`. Bytes that are not UTF-8 become `\xHH` too.
 * - The time is when it was received, as in rsyslog (`$SystemLogUseSysTimeStamp on`) and busybox: RFC 3164 knows neither
 *   year nor zone. Only RFC 5424's own timestamp is complete, and counts.
 * - `<PRI>` beyond 191 or with no number is none: the text is kept whole and taken as syslog.err, as the reference says.
 *
 * Every record of the container comes through here, so the usual one is cheap: it is decoded once, cut by looking at
 * single characters, and its tag is looked up among those that came before.
 */

import { printable } from '../words/printable.ts';
import type { LogRecord, StructuredElement } from './log-record.ts';
import { type Facility, facilities, priorityValues, type Severity, severities } from './syslog-names.ts';

/** Bytes of one record that are kept. */
export const longestRecord = 8192;

/** What is known of a datagram besides its bytes. */
export interface Reception {
  /** Unix time in ms. */
  readonly time: number;
  /** The host to name in records that name none; absent: formats put the local host there. */
  readonly host?: string;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Control characters but for the tab, the C1 range among them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const controls = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/;

const space = 0x20;
const nul = 0;
const lineFeed = 10;

/**
 * Parses a datagram into its records; never throws.
 *
 * @param datagram text is one record that needs no decoding: printable ASCII and tabs, without white space at its end
 */
export function parseDatagram(datagram: Uint8Array | string, reception: Reception): LogRecord[] {
  if (typeof datagram === 'string') {
    if (datagram.length === 0) return [];
    if (datagram.length <= longestRecord) return [parseRecord(datagram, reception)];
    return parseDatagram(encoder.encode(datagram), reception);
  }
  const bytes = datagram;
  const end = trimmedEnd(bytes, 0, bytes.length);
  if (end === 0) return [];
  if (end <= longestRecord) {
    const text = cleanText(end === bytes.length ? bytes : bytes.subarray(0, end));
    if (text !== undefined) return [parseRecord(text, reception)];
  }
  const records: LogRecord[] = [];
  for (let start = 0; start < end; ) {
    const found = bytes.indexOf(nul, start);
    const stop = found === -1 || found > end ? end : found;
    const trimmed = trimmedEnd(bytes, start, stop);
    if (trimmed > start) records.push(parseRecord(readable(bytes.subarray(start, trimmed)), reception));
    start = stop + 1;
  }
  return records;
}

/** Where the bytes end without the white space and the NULs that come last. */
function trimmedEnd(bytes: Uint8Array, start: number, end: number): number {
  let last = end;
  while (last > start && isBlank(bytes[last - 1] ?? 0)) last -= 1;
  return last;
}

function isBlank(byte: number): boolean {
  return byte === space || byte === nul || (byte >= 9 && byte <= 13);
}

/** The text where nothing in it has to be escaped. */
function cleanText(bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes);
    return controls.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** One record as one printable line, cut where it is too long. */
function readable(bytes: Uint8Array): string {
  if (bytes.length <= longestRecord) return escaped(bytes);
  let end = longestRecord;
  // The cut must not split a UTF-8 character.
  while (end > longestRecord - 4 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${escaped(bytes.subarray(0, end))} [… ${bytes.length - end} bytes cut]`;
}

function escaped(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(lineFeed, start);
    const end = found === -1 ? bytes.length : found;
    lines.push(printable(bytes.subarray(start, end)));
    start = end + 1;
  }
  return lines.join('#012');
}

interface Priority {
  readonly facility: Facility;
  readonly severity: Severity;
}

const prioritiesByNumber: readonly Priority[] = facilities.flatMap((facility) =>
  severities.map((severity) => ({ facility, severity })),
);

/** The number in `<N>` at the start of a text, and where the text goes on; undefined where there is none of 0 to 191. */
function readPriority(text: string): { readonly number: number; readonly end: number } | undefined {
  if (text.charCodeAt(0) !== 0x3c) return undefined;
  let number = 0;
  for (let at = 1; at < 5; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x3e) return at > 1 && number < priorityValues ? { number, end: at + 1 } : undefined;
    if (!isDigit(code)) return undefined;
    number = number * 10 + code - 0x30;
  }
  return undefined;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Parses the text of one record, which is one printable line. */
function parseRecord(text: string, reception: Reception): LogRecord {
  const priority = readPriority(text);
  const kind = priority === undefined ? undefined : prioritiesByNumber[priority.number];
  if (priority === undefined || kind === undefined) return withoutPriority(text, reception);
  const { end } = priority;
  const numbered = text.charCodeAt(end) === 0x31 && text.charCodeAt(end + 1) === space;
  return (numbered ? parseNew(text, end + 2, kind, reception) : undefined) ?? parseOld(text, end, kind, reception);
}

function withoutPriority(text: string, { time, host }: Reception): LogRecord {
  return {
    time,
    facility: 'syslog',
    severity: 'err',
    program: '?',
    pid: undefined,
    message: text,
    host,
    raw: text,
    unprioritized: true,
  };
}

interface Tag {
  readonly program: string;
  readonly pid: number | undefined;
  readonly processId: string | undefined;
}

/** The words that stood where a tag may stand, with what was read from them; null for what is no tag. */
const knownTags = new Map<string, Tag | null>();
const mostKnownTags = 2000;
const longestTag = 256;

/** `TAG:`, `TAG[PID]:` or `TAG[PID]`; a path is cut to its last part. */
function readTag(word: string): Tag | null {
  const known = knownTags.get(word);
  if (known !== undefined) return known;
  const tag = word.length > longestTag ? null : splitTag(word);
  // Forget all tags rather than let clients fill the memory with them.
  if (knownTags.size >= mostKnownTags) knownTags.clear();
  if (word.length <= longestTag) knownTags.set(word, tag);
  return tag;
}

function splitTag(word: string): Tag | null {
  const [, name, process, colon] = /^([^[\]]+?)(?:\[([^[\]]*)\])?(:?)$/.exec(word) ?? [];
  if (name === undefined || (process === undefined && colon === '')) return null;
  if (/^:*$/.test(name)) return null;
  return { program: lastPart(name), ...processOf(process) };
}

function lastPart(name: string): string {
  if (!name.startsWith('/')) return name;
  return name.slice(name.replace(/\/+$/, '').lastIndexOf('/') + 1).replace(/\/+$/, '') || name;
}

function processOf(text: string | undefined): Pick<Tag, 'pid' | 'processId'> {
  if (text === undefined || text === '') return { pid: undefined, processId: undefined };
  // The kernel counts up to 2^22.
  return /^\d{1,10}$/.test(text) ? { pid: Number(text), processId: undefined } : { pid: undefined, processId: text };
}

/** RFC 3164: `[TIMESTAMP] [HOST] [TAG:] MESSAGE`, each of the three with or without. */
function parseOld(text: string, start: number, kind: Priority, reception: Reception): LogRecord {
  // Cisco and some libraries put a space behind <PRI>.
  const begin = skipSpaces(text, start);
  const stamped = afterTimestamp(text, begin);
  // The whole record may be a timestamp.
  let at = stamped === -1 ? begin : skipSpaces(text, stamped);
  let { host } = reception;
  let end = wordEnd(text, at);
  let tag = readTag(text.slice(at, end));
  if (tag === null && stamped !== -1) {
    const next = end + 1;
    const nextEnd = wordEnd(text, next);
    // The word is a host only if a tag follows; otherwise it is the first word of a message without a tag.
    const second = end < text.length && isHost(text, at, end) ? readTag(text.slice(next, nextEnd)) : null;
    if (second !== null) {
      host = text.slice(at, end);
      tag = second;
      at = next;
      end = nextEnd;
    } else {
      const glued = gluedTag(text, at, end);
      if (glued !== -1) {
        tag = readTag(text.slice(at, glued));
        end = glued;
      }
    }
  }
  const { facility, severity } = kind;
  const message = tag === null ? text.slice(at) : text.slice(text.charCodeAt(end) === space ? end + 1 : end);
  return {
    time: reception.time,
    facility,
    severity,
    program: tag === null ? '' : tag.program,
    pid: tag?.pid,
    processId: tag?.processId,
    message,
    host,
    raw: text,
  };
}

/** Where a tag ends that its message follows without a space, `TAG:MESSAGE`; -1 where there is none. */
function gluedTag(text: string, start: number, end: number): number {
  const bracket = text.indexOf('[', start);
  const colon = text.indexOf(':', start);
  if (bracket > start && bracket < end && (colon === -1 || bracket < colon)) {
    const close = text.indexOf(']', bracket);
    if (close === -1 || close > end) return -1;
    return text.charCodeAt(close + 1) === 0x3a ? close + 2 : close + 1;
  }
  return colon > start && colon < end ? colon + 1 : -1;
}

function isHost(text: string, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    // Letters, digits, and the characters of IPv6 addresses and domain names.
    const fits =
      (code >= 0x30 && code <= 0x3a) ||
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      code === 0x2d ||
      code === 0x2e ||
      code === 0x5f ||
      code === 0x25;
    if (!fits) return false;
  }
  return end > start;
}

function wordEnd(text: string, start: number): number {
  const found = text.indexOf(' ', start);
  return found === -1 ? text.length : found;
}

function skipSpaces(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === space) at += 1;
  return at;
}

/** `Jan  5 04:03:02` in its variants, and RFC 3339; the end of it, -1 where there is none. */
const oldTimestamp =
  /(?:\w{3} {1,2}\d{1,2} (?:\d{4} )?\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?: \d{4}(?= ))?(?: [A-Z]{3,4}(?=:))?:?|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?: ?Z|[+-]\d{2}:?\d{2})?)(?= |$)/y;

function afterTimestamp(text: string, start: number): number {
  // `Mmm dd HH:MM:SS ` first: nearly all records have this form.
  if (
    text.charCodeAt(start + 3) === space &&
    text.charCodeAt(start + 6) === space &&
    text.charCodeAt(start + 9) === 0x3a &&
    text.charCodeAt(start + 12) === 0x3a &&
    text.charCodeAt(start + 15) === space &&
    isDigit(text.charCodeAt(start + 5)) &&
    isDigit(text.charCodeAt(start + 7)) &&
    isDigit(text.charCodeAt(start + 14)) &&
    !isDigit(text.charCodeAt(start))
  ) {
    return start + 15;
  }
  oldTimestamp.lastIndex = start;
  return oldTimestamp.test(text) ? oldTimestamp.lastIndex : -1;
}

/** RFC 5424 behind `<PRI>1 `; undefined where it is not of that form, and then it is read as RFC 3164. */
function parseNew(text: string, start: number, kind: Priority, reception: Reception): LogRecord | undefined {
  const timeEnd = text.indexOf(' ', start);
  const hostEnd = timeEnd === -1 ? -1 : text.indexOf(' ', timeEnd + 1);
  const nameEnd = hostEnd === -1 ? -1 : text.indexOf(' ', hostEnd + 1);
  const processEnd = nameEnd === -1 ? -1 : text.indexOf(' ', nameEnd + 1);
  const idEnd = processEnd === -1 ? -1 : text.indexOf(' ', processEnd + 1);
  if (idEnd === -1) return undefined;
  const time = readTime(text.slice(start, timeEnd));
  if (time === undefined) return undefined;
  const data = readStructuredData(text, idEnd + 1);
  if (data === undefined) return undefined;
  const host = orNil(text.slice(timeEnd + 1, hostEnd)) ?? reception.host;
  const name = orNil(text.slice(hostEnd + 1, nameEnd));
  const { pid, processId } = processOf(orNil(text.slice(nameEnd + 1, processEnd)));
  let from = data.end;
  if (text.charCodeAt(from) === space) from += 1;
  // The byte order mark, section 6.4.
  if (text.charCodeAt(from) === 0xfeff) from += 1;
  return {
    time: time ?? reception.time,
    facility: kind.facility,
    severity: kind.severity,
    program: name === undefined ? '' : lastPart(name),
    pid,
    processId,
    message: text.slice(from),
    host,
    messageId: orNil(text.slice(processEnd + 1, idEnd)),
    structuredData: data.elements,
    raw: text,
  };
}

function orNil(text: string): string | undefined {
  return text === '-' || text === '' ? undefined : text;
}

let lastTimestamp = '';
let lastTime = 0;

/** Unix time in ms; null for the NIL value; undefined where it is neither (RFC 5424, section 6.2.3). */
function readTime(text: string): number | null | undefined {
  if (text === '-') return null;
  if (text === lastTimestamp) return lastTime;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) return undefined;
  lastTimestamp = text;
  lastTime = time;
  return time;
}

interface StructuredData {
  readonly elements: readonly StructuredElement[] | undefined;
  readonly end: number;
}

/** `-` or `[ID NAME="VALUE" …]…`, section 6.3; undefined where it is malformed. */
function readStructuredData(text: string, start: number): StructuredData | undefined {
  if (text.charCodeAt(start) === 0x2d) {
    const end = start + 1;
    return end === text.length || text.charCodeAt(end) === space ? { elements: undefined, end } : undefined;
  }
  const elements: StructuredElement[] = [];
  let at = start;
  while (text.charCodeAt(at) === 0x5b) {
    elementId.lastIndex = at;
    const id = elementId.exec(text)?.[1];
    if (id === undefined) return undefined;
    at = elementId.lastIndex;
    const params: (readonly [string, string])[] = [];
    for (;;) {
      parameter.lastIndex = at;
      const [, name, value] = parameter.exec(text) ?? [];
      if (name === undefined || value === undefined) break;
      params.push([name, value.includes('\\') ? value.replace(/\\(["\\\]])/g, '$1') : value]);
      at = parameter.lastIndex;
    }
    at = skipSpaces(text, at);
    if (text.charCodeAt(at) !== 0x5d) return undefined;
    at += 1;
    elements.push({ id, params });
  }
  return elements.length > 0 && (at === text.length || text.charCodeAt(at) === space)
    ? { elements, end: at }
    : undefined;
}

const elementId = /\[([^\s=\]"]+)/y;
const parameter = / +([^\s=\]"]+)="((?:[^"\\]|\\.)*)"/y;

/** What a `<N>` at the start of a line of output says. */
export interface LevelPrefix {
  readonly severity: Severity;
  /** Only where N is above 7. */
  readonly facility?: Facility;
  /** The line without it. */
  readonly rest: string;
}

/**
 * Reads the prefix with which a service gives a line of its output a priority, sd-daemon(3): `<3>no disk`. N is 0 to 7 for
 * the severity alone, or a whole `<PRI>` up to 191.
 */
export function parseLevelPrefix(line: string): LevelPrefix | undefined {
  const priority = readPriority(line);
  const kind = priority === undefined ? undefined : prioritiesByNumber[priority.number];
  if (priority === undefined || kind === undefined) return undefined;
  const rest = line.slice(priority.end);
  return priority.number < 8 ? { severity: kind.severity, rest } : { ...kind, rest };
}
