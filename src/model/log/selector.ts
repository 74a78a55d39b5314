/**
 * Selectors of logging entries (reference, section 3): parts joined by `;`, each `[!]FACILITY.[!][=]PRIORITY`.
 *
 * A record is selected where at least one positive part matches and no negative one excludes it. Since a record has one of
 * 24 facilities and one of 8 severities, parts without a program or a regular expression are decided beforehand for each of
 * the 192 `<PRI>` values: the compiled selector looks up one byte of a table, and only where that byte says so does it look
 * at the program or run a regular expression.
 */

import { compileRegex, type Regex, type RegexLack, shownRegex } from '../words/regex.ts';
import { type LogRecord, tagOf } from './log-record.ts';
import {
  facilities,
  facilityCandidates,
  parseFacility,
  parseSeverity,
  priorityCandidates,
  priorityNumber,
  priorityValues,
  type Severity,
  severityNumber,
} from './syslog-names.ts';

/** Which records a part is about. */
type Subject =
  /** Bit n stands for facility n. */
  | { readonly kind: 'facilities'; readonly mask: number }
  /** In lower case. */
  | { readonly kind: 'program'; readonly name: string }
  | { readonly kind: 'regex'; readonly regex: Regex };

interface SelectorPart {
  readonly subject: Subject;
  /** `!` before the facility. */
  readonly otherThan: boolean;
  /** `!` before the priority. */
  readonly below: boolean;
  /** `=` before the priority. */
  readonly exactly: boolean;
  readonly priority: Severity | '*';
}

/** A selector that was read without a mistake. */
export interface ParsedSelector {
  readonly text: string;
  readonly parts: readonly SelectorPart[];
}

export type SelectorResult =
  | { readonly ok: true; readonly selector: ParsedSelector }
  | {
      readonly ok: false;
      /** Where the mistake is in the text: UTF-16 units, and at least one of them. */
      readonly index: number;
      readonly length: number;
      readonly message: string;
      /** What is expected there. */
      readonly hint?: string;
      /** The names one of which may have been meant. */
      readonly candidates?: readonly string[];
    };

/** Tells for each record whether an entry takes it. */
export type Selector = (record: LogRecord) => boolean;

const allFacilities = 2 ** facilities.length - 1;
const shape = '[!]FACILITY.[!][=]PRIORITY, such as *.info or auth,authpriv.*';
const facilityHint =
  'expected * or a list such as mail,daemon of kern, user, mail, daemon … local7, [PROGRAM] or /REGEX/';
const priorityHint = 'expected *, debug, info, notice, warn, err, crit, alert or emerg, after ! or = where wanted';

/** Characters of a record that a regular expression looks through, so that the time of one record is bounded, too. */
const longestSearched = 8192;
/** The same times the instructions of the expression: a large one looks through less of a record, though at least this much. */
const mostWork = 2 * 1024 * 1024;
const leastSearched = 1024;

/** Carries a mistake out of the reader. */
class SelectorMistake extends Error {
  readonly at: { readonly index: number; readonly length: number };
  readonly hint: string | undefined;
  readonly candidates: readonly string[] | undefined;

  constructor(
    message: string,
    at: { readonly index: number; readonly length: number },
    hint?: string,
    candidates?: readonly string[],
  ) {
    super(message);
    this.at = at;
    this.hint = hint;
    this.candidates = candidates;
  }
}

/**
 * Reads a selector. Empty text is `*.*`. The first mistake is told with its place.
 *
 *     parseSelector('*.info;![cron].*')  // everything from info upward, but for what cron says
 */
export function parseSelector(text: string): SelectorResult {
  try {
    return { ok: true, selector: { text, parts: readParts(text) } };
  } catch (error) {
    if (!(error instanceof SelectorMistake)) throw error;
    const { message, at, hint, candidates } = error;
    return {
      ok: false,
      index: at.index,
      length: Math.max(1, at.length),
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(candidates === undefined ? {} : { candidates }),
    };
  }
}

function readParts(text: string): readonly SelectorPart[] {
  if (text.trim() === '') return [{ ...everything }];
  const parts: SelectorPart[] = [];
  for (let start = 0; start <= text.length; ) {
    const semicolon = text.indexOf(';', start);
    const end = semicolon === -1 ? text.length : semicolon;
    const written = text.slice(start, end);
    const part = written.trim();
    const index = start + (written.length - written.trimStart().length);
    if (part === '') throw missingPart(text, start, semicolon);
    parts.push(new PartReader(text, index, index + part.length).read());
    start = end + 1;
  }
  return parts;
}

const everything: SelectorPart = {
  subject: { kind: 'facilities', mask: allFacilities },
  otherThan: false,
  below: false,
  exactly: false,
  priority: '*',
};

function missingPart(text: string, start: number, semicolon: number): SelectorMistake {
  const trailing = semicolon === -1 || text.slice(semicolon).replaceAll(';', '').trim() === '';
  const at = { index: start === 0 ? semicolon : start - 1, length: 1 };
  return trailing && start > 0
    ? new SelectorMistake('nothing stands behind the last ";"', at, 'expected another part, or no ";" at the end')
    : new SelectorMistake(`nothing stands ${start === 0 ? 'before' : 'behind'} a ";"`, at, `expected ${shape}`);
}

/** Reads one part, from `start` up to `end` of the text. */
class PartReader {
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;
  #at: number;

  constructor(text: string, start: number, end: number) {
    this.#text = text;
    this.#start = start;
    this.#end = end;
    this.#at = start;
  }

  read(): SelectorPart {
    const otherThan = this.#skip('!');
    const subject = this.#subject();
    if (!this.#skip('.')) this.#misses();
    const below = this.#skip('!');
    const exactly = this.#skip('=');
    const priority = this.#priority();
    return { subject, otherThan, below, exactly, priority };
  }

  #skip(character: string): boolean {
    if (this.#at >= this.#end || this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #misses(): never {
    const place = { index: this.#start, length: this.#end - this.#start };
    const written = this.#text.slice(this.#start, this.#end);
    if (this.#at < this.#end) {
      const rest = { index: this.#at, length: this.#end - this.#at };
      throw new SelectorMistake(
        `"${this.#text.slice(this.#at, this.#end)}" cannot follow "${this.#text.slice(this.#start, this.#at)}"`,
        rest,
        'expected ".PRIORITY" here',
      );
    }
    throw new SelectorMistake(`"${written}" has no priority`, place, `expected ${shape}`);
  }

  #subject(): Subject {
    switch (this.#text[this.#at]) {
      case '[':
        return this.#program();
      case '/':
        return this.#regex();
      default:
        return this.#facilities();
    }
  }

  #program(): Subject {
    const open = this.#at;
    const close = this.#text.indexOf(']', open);
    if (close === -1 || close >= this.#end) {
      throw new SelectorMistake(
        'a program name is never closed',
        { index: open, length: this.#end - open },
        'expected [PROGRAM].PRIORITY',
      );
    }
    const name = this.#text.slice(open + 1, close);
    if (name.trim() === '') {
      throw new SelectorMistake(
        'a program has no name',
        { index: open, length: close + 1 - open },
        'expected the program between "[" and "]"',
      );
    }
    this.#at = close + 1;
    return { kind: 'program', name: name.trim().toLowerCase() };
  }

  #regex(): Subject {
    const open = this.#at;
    let close = open + 1;
    while (close < this.#end && this.#text[close] !== '/') close += this.#text[close] === '\\' ? 2 : 1;
    const toEnd = { index: open, length: this.#end - open };
    if (close >= this.#end) {
      const cut = this.#end < this.#text.length;
      throw new SelectorMistake(
        'a regular expression is never closed',
        toEnd,
        cut
          ? 'expected a "/" before the ";": a ";" separates parts, inside a regular expression write \\x3b'
          : 'expected a "/" after it, then .PRIORITY',
      );
    }
    const place = { index: open, length: close + 1 - open };
    const written = this.#text.slice(open + 1, close);
    if (written === '') throw new SelectorMistake('a regular expression is empty', place, 'expected /REGEX/.PRIORITY');
    const result = compileRegex(written, { ignoreCase: true, dotAll: true });
    if (!result.ok) {
      const { at, lacks, reason } = result;
      throw new SelectorMistake(
        `the regular expression ${shownRegex(written)} cannot be used: ${reason}`,
        at === undefined ? place : { index: open + 1 + at.index, length: at.length },
        lacks === undefined ? undefined : insteadOf[lacks],
      );
    }
    this.#at = close + 1;
    return { kind: 'regex', regex: result.regex };
  }

  #facilities(): Subject {
    const open = this.#at;
    const dot = this.#text.indexOf('.', open);
    const end = dot === -1 || dot >= this.#end ? this.#end : dot;
    const list = this.#text.slice(open, end);
    this.#at = end;
    if (list === '') {
      const place = { index: Math.min(open, this.#end - 1), length: 1 };
      throw new SelectorMistake('a part has no facility', place, facilityHint);
    }
    if (list === '*') return { kind: 'facilities', mask: allFacilities };
    if (end === this.#end) this.#misses();
    let mask = 0;
    let index = open;
    for (const name of list.split(',')) {
      const facility = parseFacility(name);
      if (name === '') {
        const comma = { index: index > open ? index - 1 : index, length: 1 };
        throw new SelectorMistake('a facility is missing in a list', comma, 'expected no "," there');
      }
      if (facility === undefined) throw unknownFacility(name, index);
      mask |= 1 << facilities.indexOf(facility);
      index += name.length + 1;
    }
    return { kind: 'facilities', mask };
  }

  #priority(): Severity | '*' {
    const place = { index: this.#at, length: this.#end - this.#at };
    const name = this.#text.slice(this.#at, this.#end);
    if (name === '*') return '*';
    const severity = parseSeverity(name);
    if (severity !== undefined) return severity;
    if (name === '') {
      const written = this.#text.slice(this.#start, this.#end);
      throw new SelectorMistake(`"${written}" has no priority`, { index: this.#end - 1, length: 1 }, priorityHint);
    }
    const hint = /^[!=]/.test(name) ? 'expected at most one "!" and then one "=" before the priority' : priorityHint;
    throw new SelectorMistake(`"${name}" is not a priority`, place, hint, priorityCandidates);
  }
}

function unknownFacility(name: string, index: number): SelectorMistake {
  const place = { index, length: name.length };
  if (name === '*') return new SelectorMistake('"*" cannot stand in a list', place, 'expected it alone: *.PRIORITY');
  if (/^\d+$/.test(name)) {
    return new SelectorMistake(`there is no facility ${name}`, place, 'expected a number from 0 to 23');
  }
  if (/\s/.test(name)) {
    const hint = 'expected no spaces but around ";"';
    return new SelectorMistake(`"${name}" is not a facility`, place, hint, facilityCandidates);
  }
  return new SelectorMistake(`"${name}" is not a facility`, place, facilityHint, facilityCandidates);
}

/** What a selector can use instead of each missing feature of regular expressions. */
const insteadOf: Readonly<Record<RegexLack, string>> = {
  'look-around': 'to leave records out, add a part that excludes them, such as "!/REGEX/.*"',
  'back-reference': 'write out what may be repeated, such as "(a.*a|b.*b)"',
};

export interface SelectorCompilation {
  /**
   * Set by `--log-level`: every positive part that names a priority takes this severity and all more severe ones,
   * too. Negative parts stay unchanged.
   */
  readonly widenTo?: Severity;
}

/** A part in the form that is evaluated. */
interface CompiledPart {
  /** A mask of facilities if these decide, else a test of the record. */
  readonly subject: number | ((record: LogRecord) => boolean);
  /** Bit n stands for severity n. */
  readonly priorities: number;
}

const never = 0;
const always = 1;
const ask = 2;

/**
 * Compiles a selector to a function that is quick enough to run on every record.
 *
 * @param selector text is parsed first
 * @throws Error where text is not a selector
 */
export function compileSelector(selector: ParsedSelector | string, options: SelectorCompilation = {}): Selector {
  const decided = decide(selector, options);
  const { table, positives, negatives } = decided;
  // In the common cases no record has to be looked at.
  if (table.every((entry) => entry === always)) return () => true;
  if (table.every((entry) => entry !== ask)) {
    return (record) => table[priorityOf(record)] === always;
  }
  const { surely } = decided;
  return (record) => {
    const number = priorityOf(record);
    const entry = table[number];
    if (entry !== ask) return entry === always;
    const bit = 1 << (number & 7);
    return (surely[number] === 1 || anyMatches(positives, bit, record)) && !anyMatches(negatives, bit, record);
  };
}

let lastRecord: LogRecord | undefined;
let lastNumber = 0;

/** The number of the record's `<PRI>`, remembered because all selectors ask for it in turn. */
function priorityOf(record: LogRecord): number {
  if (record !== lastRecord) {
    lastRecord = record;
    lastNumber = priorityNumber(record.facility, record.severity);
  }
  return lastNumber;
}

/** True if the selector can select no record, whatever its program and text are. */
export function selectsNothing(selector: ParsedSelector): boolean {
  return decide(selector, {}).table.every((entry) => entry === never);
}

interface Question {
  readonly matches: (record: LogRecord) => boolean;
  /** The severities for which the record has to be looked at. */
  readonly priorities: number;
}

function anyMatches(questions: readonly Question[], bit: number, record: LogRecord): boolean {
  for (const { priorities, matches } of questions) if ((priorities & bit) !== 0 && matches(record)) return true;
  return false;
}

interface Decisions {
  /** never, always or ask (look at the record), for each `<PRI>`. */
  readonly table: Uint8Array;
  /** 1 where a positive part matches without a look at the record. */
  readonly surely: Uint8Array;
  readonly positives: readonly Question[];
  readonly negatives: readonly Question[];
}

function decide(selector: ParsedSelector | string, { widenTo }: SelectorCompilation): Decisions {
  const { parts } = typeof selector === 'string' ? parsed(selector) : selector;
  const surely = new Uint8Array(priorityValues);
  const excluded = new Uint8Array(priorityValues);
  const positives: Question[] = [];
  const negatives: Question[] = [];
  for (const part of parts) {
    const negative = part.otherThan || part.below;
    const { subject, priorities } = compilePart(part, negative ? undefined : widenTo);
    const either = part.otherThan && part.below;
    const known = negative ? excluded : surely;
    if (either) mark(known, allFacilities, priorities);
    if (typeof subject === 'number') mark(known, subject, either ? allSeverities : priorities);
    else {
      const question = { matches: subject, priorities: either ? allSeverities : priorities };
      (negative ? negatives : positives).push(question);
    }
  }
  const table = surely.map((sure, number) => {
    const asks = (questions: readonly Question[]) =>
      questions.some(({ priorities }) => (priorities & (1 << (number & 7))) !== 0);
    if (excluded[number] === 1) return never;
    if (sure === 1) return asks(negatives) ? ask : always;
    return asks(positives) ? ask : never;
  });
  return { table, surely, positives, negatives };
}

function parsed(text: string): ParsedSelector {
  const result = parseSelector(text);
  if (result.ok) return result.selector;
  throw new Error(`cannot read the selector "${text}": ${result.message}`);
}

const allSeverities = 0xff;

function mark(table: Uint8Array, facilityMask: number, severityMask: number): void {
  for (let number = 0; number < priorityValues; number++) {
    if ((facilityMask & (1 << (number >> 3))) !== 0 && (severityMask & (1 << (number & 7))) !== 0) table[number] = 1;
  }
}

function compilePart({ subject, priority, exactly }: SelectorPart, widenTo: Severity | undefined): CompiledPart {
  const priorities =
    priority === '*'
      ? allSeverities
      : (exactly ? 1 << severityNumber(priority) : upTo(priority)) | (widenTo === undefined ? 0 : upTo(widenTo));
  switch (subject.kind) {
    case 'facilities':
      return { subject: subject.mask, priorities };
    case 'program':
      return { subject: programMatcher(subject.name), priorities };
    case 'regex':
      return { subject: regexMatcher(subject.regex), priorities };
  }
}

/** The mask of a severity and all more severe ones. */
function upTo(severity: Severity): number {
  return (2 << severityNumber(severity)) - 1;
}

/** @param name in lower case; one that ends in `@` means all instances of a template */
function programMatcher(name: string): (record: LogRecord) => boolean {
  const matches = (program: string): boolean =>
    name.endsWith('@') && name.length > 1 ? program.startsWith(name) : program === name;
  // Records of one program come in runs that share the same string.
  let last = '';
  let answer = false;
  return ({ program }) => {
    if (program !== last) {
      last = program;
      answer = matches(program.toLowerCase());
    }
    return answer;
  };
}

function regexMatcher({ test, size }: Regex): (record: LogRecord) => boolean {
  const longest = Math.min(longestSearched, Math.max(leastSearched, Math.floor(mostWork / size)));
  return (record) => {
    const text = searched(record);
    return test(text.length > longest ? text.slice(0, longest) : text);
  };
}

/** The text that regular expressions search. */
function searched(record: LogRecord): string {
  const { raw } = record;
  if (raw !== undefined) return raw;
  const tag = tagOf(record);
  return tag === '' ? record.message : `${tag}: ${record.message}`;
}
