/**
 * Parses what arrives at `/dev/log` into records: RFC 3164 with its deviations, RFC 5424, and text without any `<PRI>`.
 *
 * - One datagram may hold several records, each ended by a NUL, or each with its length before it (RFC 6587, octet
 *   counting). Empty ones are dropped, and white space at the end goes.
 * - A text of several lines is one record. A line feed does not end a record even where `<PRI>` follows: a program that logs
 *   what others have given it would otherwise log records of their making. The message is the text as it came; whoever
 *   writes it into a line escapes what a line cannot hold.
 * - Only what is certainly a tag or a host becomes one; all other words stay in the message. A timestamp that no calendar
 *   has, such as `Feb 31`, is text.
 * - The time is when it was received, as in rsyslog (`$SystemLogUseSysTimeStamp on`) and busybox: RFC 3164 knows neither
 *   year nor zone. Only RFC 5424's own timestamp is complete, and counts.
 * - `<PRI>` beyond 191 or with no number is none: the text is kept whole and taken as syslog.err, as the reference says.
 * - A message of more bytes than a line may have becomes several records.
 * - What the kernel tells of the sender stands beside what the record says. A record that would look like one of chaperone's
 *   own is marked, whoever has sent it.
 *
 * Every record of the container comes through here, so the usual one is cheap: it is decoded once, cut by looking at
 * single characters, and its tag and its timestamp are looked up among those that came before.
 */

import { decodeText, escapeControls } from '../words/printable.ts';
import type { LogRecord, LogSender, StructuredElement } from './log-record.ts';
import { type Facility, facilities, priorityValues, type Severity, severities } from './syslog-names.ts';

/** Bytes of a message that one record holds, where the configuration says nothing else. */
export const longestLine = 64 * 1024;

/** What is known of a datagram besides its bytes. */
export interface Reception {
  /** Unix time in ms. */
  readonly time: number;
  /** The host to name in records that name none; absent: formats put the local host there. */
  readonly host?: string;
  /** The name of this host. A record without a pid may begin with it, or with an address, before its tag. */
  readonly localHost?: string;
  /** Bytes of a message that one record holds. */
  readonly maxLine?: number;
  /** Who has sent the datagram; absent where the kernel does not tell. */
  readonly sender?: LogSender | undefined;
  /** True where chaperone itself has sent it, and may use its own name. */
  readonly isOwn?: boolean;
}

const encoder = new TextEncoder();

const space = 0x20;
const nul = 0;

/**
 * Parses a datagram into its records; never throws.
 *
 * @param datagram text is one datagram that needs no decoding: printable ASCII and tabs, without white space at its end
 * @param lost how many bytes of the datagram were not received, because it was too long; the last record says so
 */
export function parseDatagram(datagram: Uint8Array | string, reception: Reception, lost = 0): LogRecord[] {
  const records = typeof datagram === 'string' ? parsePlain(datagram, reception) : parseAll(datagram, reception);
  const last = lost > 0 ? records.pop() : undefined;
  return last === undefined ? records : [...records, { ...last, message: `${last.message} [… ${lost} bytes cut]` }];
}

function parsePlain(datagram: string, reception: Reception): LogRecord[] {
  if (datagram.length === 0) return [];
  // A seeming escape of a byte has to be told from a real one.
  if (isDigit(datagram.charCodeAt(0)) || datagram.includes('\\x')) return parseAll(encoder.encode(datagram), reception);
  return inPieces(parseRecord(datagram, datagram, reception), reception);
}

function parseAll(bytes: Uint8Array, reception: Reception): LogRecord[] {
  const end = trimmedEnd(bytes, 0, bytes.length);
  if (end === 0) return [];
  const frames = countedFrames(bytes, end);
  if (frames !== undefined) return frames.flatMap(([start, stop]) => parseBytes(bytes, start, stop, reception));
  const records: LogRecord[] = [];
  for (let start = 0; start < end; ) {
    const found = bytes.indexOf(nul, start);
    const stop = found === -1 || found > end ? end : found;
    records.push(...parseBytes(bytes, start, stop, reception));
    start = stop + 1;
  }
  return records;
}

function parseBytes(bytes: Uint8Array, start: number, stop: number, reception: Reception): LogRecord[] {
  const end = trimmedEnd(bytes, start, stop);
  if (end === start) return [];
  const text = decodeText(bytes.subarray(start, end));
  return inPieces(parseRecord(text, searched(text), reception), reception);
}

/** The text that regular expressions of selectors search: one printable line. */
function searched(text: string): string {
  return escapeControls(text.replaceAll('\n', '#012'));
}

/** A datagram of at most 999,999 bytes has no longer count. */
const longestCount = 6;

/** Start and end of each record that has its length before it (RFC 6587, section 3.4.1); undefined where one has none. */
function countedFrames(bytes: Uint8Array, end: number): (readonly [start: number, stop: number])[] | undefined {
  const frames: (readonly [number, number])[] = [];
  for (let at = 0; at < end; ) {
    let start = at;
    let count = 0;
    for (; start < at + longestCount && isDigit(bytes[start] ?? 0); start++)
      count = count * 10 + (bytes[start] ?? 0) - 0x30;
    if (start === at || count === 0 || bytes[start] !== space || !hasPriority(bytes, start + 1)) return undefined;
    // The last record may be shorter than its count says: the white space at the end has gone, or the datagram was cut.
    at = Math.min(start + 1 + count, end);
    frames.push([start + 1, at]);
    while (at < end && isBlank(bytes[at] ?? 0)) at += 1;
  }
  return frames;
}

function hasPriority(bytes: Uint8Array, start: number): boolean {
  let at = start + 1;
  while (at < start + 4 && isDigit(bytes[at] ?? 0)) at += 1;
  return bytes[start] === 0x3c && at > start + 1 && bytes[at] === 0x3e;
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

/** The record, or several where its message is too long for one; all of them have the text that selectors search. */
function inPieces(record: LogRecord, { maxLine = longestLine }: Reception): LogRecord[] {
  const { message } = record;
  const pieces = message.length * 3 <= maxLine ? [message] : piecesOf(message, maxLine);
  if (pieces.length === 1) return [record];
  return pieces.map((piece, index) => ({ ...record, message: piece, ...(index === 0 ? {} : { continuation: true }) }));
}

/** The longest character takes four bytes: in less room nothing could be cut off. */
const leastRoom = 4;

/** Cuts a text into pieces of at most so many bytes of UTF-8, between characters. */
function piecesOf(text: string, most: number): string[] {
  const room = new Uint8Array(Math.max(leastRoom, most));
  const pieces: string[] = [];
  for (let start = 0; start < text.length; ) {
    const { read } = encoder.encodeInto(text.slice(start), room);
    pieces.push(text.slice(start, start + read));
    start += read;
  }
  return pieces;
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

/** A record that has a priority. */
interface Source {
  readonly text: string;
  /** The text that selectors search. */
  readonly raw: string;
  readonly kind: Priority;
  readonly reception: Reception;
}

/** Parses the text of one record. */
function parseRecord(text: string, raw: string, reception: Reception): LogRecord {
  const priority = readPriority(text);
  const kind = priority === undefined ? undefined : prioritiesByNumber[priority.number];
  if (priority === undefined || kind === undefined) return withoutPriority(text, raw, reception);
  const { end } = priority;
  const numbered = text.charCodeAt(end) === 0x31 && text.charCodeAt(end + 1) === space;
  const source = { text, raw, kind, reception };
  const record = (numbered ? parseNew(source, end + 2) : undefined) ?? parseOld(source, end);
  return reception.isOwn !== true && claimsOwnName(record) ? impostor(record) : record;
}

const ownName = 'chaperone';
/** What cannot be seen, or changes how a letter looks. */
const invisible = /[\p{C}\p{M}\p{Z}\p{Default_Ignorable_Code_Point}]+/gu;
/** The programs that were asked about before. */
const knownClaims = new Map<string, boolean>();
/** As many characters of a message may look like a tag. */
const longestLookalike = 64;

/** True for a record whose line would look like one of chaperone's own. */
function claimsOwnName({ program, message }: LogRecord): boolean {
  // A line without a tag shows the message where the tag would be.
  if (program === '') return claimsName(message.slice(0, longestLookalike), /^chaperone[[:]/i);
  const known = knownClaims.get(program);
  if (known !== undefined) return known;
  const claims = claimsName(program, /^chaperone(?![\p{L}\p{N}_.\-/@+#~%()$])/iu);
  if (knownClaims.size >= mostKnownTags) knownClaims.clear();
  // The name in a record of RFC 5424 may be as long as the record.
  if (program.length <= longestTag) knownClaims.set(ownText(program), claims);
  return claims;
}

function claimsName(text: string, form: RegExp): boolean {
  return form.test(text.normalize('NFKC').replace(invisible, ''));
}

/** The record with a mark that every format shows. */
function impostor(record: LogRecord): LogRecord {
  const { sender } = record;
  return { ...record, program: `${ownName}?`, impostor: true, ...(sender === undefined ? {} : { trust: 'claimed' }) };
}

/** Whether the kernel confirms the pid that a record names. */
function trustIn(pid: number | undefined, { sender }: Reception): LogRecord['trust'] {
  if (sender === undefined) return undefined;
  return sender.pid !== 0 && sender.pid === pid ? 'known' : 'claimed';
}

function withoutPriority(text: string, raw: string, reception: Reception): LogRecord {
  const { time, host, sender } = reception;
  return {
    time,
    facility: 'syslog',
    severity: 'err',
    program: '?',
    pid: undefined,
    message: text,
    host,
    raw,
    sender,
    trust: trustIn(undefined, reception),
    unprioritized: true,
  };
}

interface Tag {
  readonly program: string;
  readonly pid: number | undefined;
  readonly processId: string | undefined;
  /** True for `TAG[PID]:`, which is no word of any text. */
  readonly certain: boolean;
}

/** The words that stood where a tag may stand, with what was read from them; null for what is no tag. */
const knownTags = new Map<string, Tag | null>();
const mostKnownTags = 2000;
const longestTag = 256;

/** `TAG:`, `TAG[PID]:` or `TAG[PID]`; a path is cut to its last part. */
function readTag(word: string): Tag | null {
  const known = knownTags.get(word);
  if (known !== undefined) return known;
  if (word.length > longestTag) return null;
  const own = ownText(word);
  const tag = splitTag(own);
  // Forget all tags rather than let clients fill the memory with them.
  if (knownTags.size >= mostKnownTags) knownTags.clear();
  knownTags.set(own, tag);
  return tag;
}

/** The same text, which does not keep the record that it was cut out of: V8 makes a part of a long text by a reference to the whole. */
function ownText(part: string): string {
  // A text that is put together lies in memory of its own once it is cut again.
  return ` ${part}`.slice(1);
}

/**
 * The name of a program as syslog(3) writes it: at least one letter, and of other characters only those that occur in names:
 * no quotes, braces or signs of equality, which stand in JSON and in logfmt. `::` joins names, one colon does not.
 */
const programName = /^(?:\/|(?=.*\p{L})[\p{L}\p{M}\p{N}_.\-/@+#~%()$]+(?:::[\p{L}\p{M}\p{N}_.\-/@+#~%()$]+)*)$/u;
/** Before `[PID]:` a colon may stand, too, but not that of a URL. */
const nameOfProcess = /^(?!.*:\/\/)(?=.*\p{L})[\p{L}\p{M}\p{N}_.\-/@+#~%()$:]+$/u;
const processText = /^[^\s\p{C}[\]]*$/u;

function splitTag(word: string): Tag | null {
  const [, name, process, colon] = /^([^[\]]+?)(?:\[([^[\]]*)\])?(:?)$/.exec(word) ?? [];
  if (name === undefined) return null;
  if (process === undefined) {
    return colon === ':' && programName.test(name) ? { program: lastPart(name), ...noProcess, certain: false } : null;
  }
  // Without a colon, `x[i]` may be a word of a formula; `x[7]` is taken for a process.
  const fits = colon === ':' ? processText.test(process) : /^\d{1,10}$/.test(process);
  if (!fits || !nameOfProcess.test(name)) return null;
  return { program: lastPart(name), ...processOf(process), certain: colon === ':' };
}

function lastPart(name: string): string {
  if (!name.startsWith('/')) return name;
  return name.slice(name.replace(/\/+$/, '').lastIndexOf('/') + 1).replace(/\/+$/, '') || name;
}

const noProcess = { pid: undefined, processId: undefined };

function processOf(text: string | undefined): Pick<Tag, 'pid' | 'processId'> {
  if (text === undefined || text === '') return noProcess;
  // The kernel counts up to 2^22.
  return /^\d{1,10}$/.test(text) ? { pid: Number(text), processId: undefined } : { pid: undefined, processId: text };
}

/** RFC 3164: `[TIMESTAMP] [HOST] [TAG:] MESSAGE`, each of the three with or without. */
function parseOld({ text, raw, kind, reception }: Source, start: number): LogRecord {
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
    const word = text.slice(at, end);
    // The word is a host only if a tag follows; otherwise it is the first word of a message without a tag.
    const second = text.charCodeAt(end) === space && isHost(text, at, end) ? readTag(text.slice(next, nextEnd)) : null;
    // "the time: now" has the same form, so that a host is one that is known, or it stands before `TAG[PID]:`.
    if (second !== null && (second.certain || isKnownHost(word, reception.localHost))) {
      host = word;
      tag = second;
      at = next;
      end = nextEnd;
    } else {
      const glued = gluedTag.exec(word)?.[0].length;
      tag = glued === undefined ? null : readTag(word.slice(0, glued));
      if (glued !== undefined && tag !== null) end = at + glued;
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
    raw,
    sender: reception.sender,
    trust: trustIn(tag?.pid, reception),
  };
}

/**
 * A tag that its message follows without a space, `TAG[PID]:MESSAGE`, `TAG[7]MESSAGE` or `TAG:MESSAGE`. The last form is one only
 * where no further colon, slash or the like follows, and a letter behind the first: `https://x`, `10.0.0.1:80`, `INFO:root:hello`
 * and `C:\\x` are texts.
 */
const gluedTag =
  /^[^[\]:]+(?:::[^[\]:]+)*\[(?:[^[\]]*\]:|\d{1,10}\])|^\p{L}[\p{L}\p{N}_.-]*:(?=\p{L}[^:/\\"'{}[\]<>=]*$)/u;

/** True for this host and for an address. */
function isKnownHost(word: string, local: string | undefined): boolean {
  if (word === 'localhost' || /^\d{1,3}(?:\.\d{1,3}){3}$|^(?=.*:.*:)[\da-fA-F:.]+(?:%\w+)?$/.test(word)) return true;
  return local !== undefined && (word === local || local.startsWith(`${word}.`) || word.startsWith(`${local}.`));
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

/** Where a word ends; a word that is too long for a tag and for a host counts as one of just too many characters. */
function wordEnd(text: string, start: number): number {
  const last = Math.min(text.length, start + longestTag + 1);
  let at = start;
  while (at < last && text.charCodeAt(at) > space) at += 1;
  return at;
}

function skipSpaces(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === space) at += 1;
  return at;
}

/** `Jan  5 04:03:02` in its variants, and RFC 3339. */
const oldTimestamp =
  /(?:(?<name>\w{3}) {1,2}(?<day>\d{1,2}) (?:(?<year>\d{4}) )?(?<clock>\d{2}:\d{2}:\d{2})(?:[.,]\d{1,9})?(?: (?<later>\d{4})(?= ))?(?: [A-Z]{3,4}(?=:))?:?|(?<date>\d{4}-\d{2}-\d{2})[T ](?<time>\d{2}:\d{2}:\d{2})(?:[.,]\d{1,9})?(?: ?Z|[+-]\d{2}:?\d{2})?)(?= |$)/y;

const monthNames = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
/** `Mmm dd HH:MM:SS`, which nearly all records have, and nearly all the same in one second. */
let lastStamp = '';
const stampLength = 15;

/** Where the timestamp ends; -1 where there is none, or one that does not exist. */
function afterTimestamp(text: string, start: number): number {
  const usual = start + stampLength;
  if (lastStamp !== '' && text.startsWith(lastStamp, start) && text.charCodeAt(usual) === space) return usual;
  oldTimestamp.lastIndex = start;
  const { name, day, year, later, clock, date, time } = oldTimestamp.exec(text)?.groups ?? {};
  const end = oldTimestamp.lastIndex;
  if (date !== undefined) {
    const [years, months, days] = date.split('-').map(Number);
    return existsDay(years, months, days) && existsClock(time) ? end : -1;
  }
  if (name === undefined) return -1;
  // Without a year it may be a leap year.
  const exists =
    existsDay(Number(year ?? later ?? 2000), monthNames.indexOf(name) + 1, Number(day)) && existsClock(clock);
  if (exists && end === usual) lastStamp = text.slice(start, end);
  return exists ? end : -1;
}

function existsDay(year = 0, month = 0, day = 0): boolean {
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
}

/** `HH:MM:SS`, with leap seconds. */
function existsClock(clock = ''): boolean {
  return /^(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)$/.test(clock);
}

/** RFC 5424 behind `<PRI>1 `; undefined where it is not of that form, and then it is read as RFC 3164. */
function parseNew({ text, raw, kind, reception }: Source, start: number): LogRecord | undefined {
  const timeEnd = text.indexOf(' ', start);
  const hostEnd = timeEnd === -1 ? -1 : text.indexOf(' ', timeEnd + 1);
  const nameEnd = hostEnd === -1 ? -1 : text.indexOf(' ', hostEnd + 1);
  const processEnd = nameEnd === -1 ? -1 : text.indexOf(' ', nameEnd + 1);
  const idEnd = processEnd === -1 ? -1 : text.indexOf(' ', processEnd + 1);
  if (idEnd === -1 || unprintable.test(text.slice(start, idEnd))) return undefined;
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
    raw,
    sender: reception.sender,
    trust: trustIn(pid, reception),
  };
}

/** Control and format characters, and white space other than the usual one. */
const unprintable = /[^\P{C} ]|[^\S ]/u;

function orNil(text: string): string | undefined {
  return text === '-' || text === '' ? undefined : text;
}

let lastTimestamp = '';
let lastTime = 0;

/** Unix time in ms; null for the NIL value; undefined where it is neither (RFC 5424, section 6.2.3). */
function readTime(text: string): number | null | undefined {
  if (text === '-') return null;
  if (text === lastTimestamp) return lastTime;
  const form = /^(\d{4})-(\d\d)-(\d\d)T(?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.exec(text);
  // Date.parse takes the 31st of February for the 3rd of March.
  if (form === null || !existsDay(Number(form[1]), Number(form[2]), Number(form[3]))) return undefined;
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
