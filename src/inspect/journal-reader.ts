/**
 * Reads a journal, piece by piece. What a crash or a full disk has left in it is skipped and told; a boot of another
 * version, which a newer or an older chaperone has written, is not guessed at.
 */
import { isObject } from '../model/words/json.ts';
import { type BootEntry, type Entry, entryVersion, isReadable, type SumEntry } from './entry.ts';
import { entriesOfSum, withGaps } from './journal-gaps.ts';

/** One boot of a journal. */
export interface JournalBoot {
  /** Counts from 1, the oldest. */
  readonly number: number;
  readonly entry: BootEntry;
  /** In order, with the boot's own entry; only that one where this reader does not know the version. */
  readonly entries: readonly Entry[];
  /** True if the boot ends in the middle of a line. */
  readonly torn: boolean;
}

/** A line that is no entry, or one out of order. */
export interface JournalProblem {
  /** Both count from 1. */
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export interface JournalEnd {
  readonly boots: number;
  /** Lines that were skipped; the first of them are told in `problems`. */
  readonly skipped: number;
  readonly problems: readonly JournalProblem[];
  /** Entries of types that this reader does not know; later versions may have more of them. */
  readonly unknown: number;
}

const mostProblems = 5;

/** A boot while it is read. */
interface Reading {
  readonly entry: BootEntry;
  /** The entries that follow each other, up to the number `lastSeq`. */
  readonly entries: Entry[];
  lastSeq: number;
  /** Entries behind a gap. Where what is missing comes after all, these are lines of another boot. */
  readonly beyond: Entry[];
}

/** True where this reader knows what the boot's entries mean. */
export function isKnownVersion({ entry }: JournalBoot): boolean {
  return isReadable(entry);
}

/** The message about a boot whose version this reader does not know. */
export function versionText({ entry }: JournalBoot): string {
  const version: number = entry.version;
  return `version ${version}, which is ${version > entryVersion ? 'newer' : 'older'}`;
}

export class JournalReader {
  readonly #onBoot: (boot: JournalBoot) => void;
  readonly #decoder = new TextDecoder();
  #rest = '';
  #line = 0;
  #boot: Reading | undefined;
  #boots = 0;
  #skipped = 0;
  #unknown = 0;
  readonly #problems: JournalProblem[] = [];
  /** The last line, where it was none: a boot behind it says that the one before was torn. */
  #broken: JournalProblem | undefined;

  /**
   * @param onBoot takes each boot when the next one begins, or the journal ends
   */
  constructor(onBoot: (boot: JournalBoot) => void) {
    this.#onBoot = onBoot;
  }

  /** Takes the next bytes, wherever they are cut. */
  push(bytes: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#take(line);
  }

  end(): JournalEnd {
    const last = this.#rest + this.#decoder.decode();
    if (last !== '') this.#take(last);
    this.#finish();
    return { boots: this.#boots, skipped: this.#skipped, problems: this.#problems, unknown: this.#unknown };
  }

  #take(line: string): void {
    this.#line += 1;
    if (line.trim() === '') return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      this.#settleBroken();
      this.#broken = this.#problem(columnOf(error, line), `this is no JSON: ${excerpt(line)}`);
      return;
    }
    if (isBoot(value)) {
      this.#finish();
      this.#boots += 1;
      this.#boot = { entry: value, entries: [value], lastSeq: value.seq, beyond: [] };
      return;
    }
    this.#settleBroken();
    if (this.#boot === undefined) this.#skip(this.#problem(1, `no boot has begun here: ${excerpt(line)}`));
    else if (!isReadable(this.#boot.entry)) return;
    else if (isEntry(value)) this.#add(this.#boot, value);
    else if (isSum(value)) this.#addSum(this.#boot, value);
    else if (isUnknown(value)) this.#pass(this.#boot, value.seq);
    else this.#skip(this.#problem(1, `this is no entry: ${excerpt(line)}`));
  }

  #add(boot: Reading, entry: Entry): void {
    const { entries, beyond } = boot;
    const { seq, unasked = 0 } = entry;
    const last = beyond.at(-1)?.seq ?? boot.lastSeq;
    const follows = seq === boot.lastSeq + 1 + unasked;
    if (follows && beyond.length > 0 && seq <= last) {
      this.#skip(this.#problem(1, `${beyond.length} lines of another boot stand before entry ${seq}`), beyond.length);
      beyond.length = 0;
    } else if (seq <= last) {
      this.#skip(this.#problem(1, `entry ${seq} stands behind entry ${last}`));
      return;
    }
    if (beyond.length > 0 || !(follows || entry.type === '@chaperone.lost')) {
      beyond.push(entry);
      return;
    }
    boot.lastSeq = seq;
    entries.push(entry);
  }

  /** Counts an entry that only a later version knows. Its number is not missing. */
  #pass(boot: Reading, seq: number): void {
    this.#unknown += 1;
    if (seq === boot.lastSeq + 1) boot.lastSeq = seq;
  }

  /** A sum tells something new only where entries before it are missing. */
  #addSum({ entries, beyond }: Reading, sum: SumEntry): void {
    const target = beyond.length > 0 ? beyond : entries;
    const last = target.at(-1);
    if (last === undefined || last.seq >= sum.seq) return;
    for (const entry of entriesOfSum(sum, [...entries, ...beyond], isEntry)) beyond.push(entry);
  }

  /** The broken line is not the last one of the boot, so the boot is not torn. */
  #settleBroken(): void {
    if (this.#broken !== undefined) this.#skip(this.#broken);
    this.#broken = undefined;
  }

  #finish(): void {
    const torn = this.#broken !== undefined;
    if (this.#boot === undefined) this.#settleBroken();
    this.#broken = undefined;
    if (this.#boot === undefined) return;
    const { entry, entries, beyond } = this.#boot;
    this.#boot = undefined;
    this.#onBoot({ number: this.#boots, entry, entries: withGaps(entries, beyond), torn });
  }

  #problem(column: number, text: string): JournalProblem {
    return { line: this.#line, column, text };
  }

  #skip(problem: JournalProblem, lines = 1): void {
    this.#skipped += lines;
    if (this.#problems.length < mostProblems) this.#problems.push(problem);
  }
}

function isPlaced(
  value: unknown,
): value is Readonly<Record<string, unknown>> & { readonly type: string; readonly seq: number } {
  return (
    isObject(value) &&
    typeof value['type'] === 'string' &&
    typeof value['seq'] === 'number' &&
    typeof value['at'] === 'number'
  );
}

function isBoot(value: unknown): value is BootEntry {
  return isPlaced(value) && value.type === '@chaperone.boot' && typeof value['version'] === 'number' && fits(value);
}

function isEntry(value: unknown): value is Entry {
  return isPlaced(value) && Object.hasOwn(shapes, value.type) && fits(value);
}

function isSum(value: unknown): value is SumEntry {
  return isPlaced(value) && value.type === '@chaperone.sum' && Array.isArray(value['entries']);
}

/** An entry of a type that came later. */
function isUnknown(value: unknown): value is Pick<Entry, 'seq'> {
  return isPlaced(value) && value.type.startsWith('@') && !Object.hasOwn(shapes, value.type);
}

type Shape = Readonly<Record<string, (value: unknown) => boolean>>;

const text = (value: unknown): boolean => typeof value === 'string';
const number = (value: unknown): boolean => typeof value === 'number';
const event = (value: unknown): boolean => isObject(value) && typeof value['type'] === 'string';
const snapshot = (value: unknown): boolean =>
  isObject(value) &&
  typeof value['status'] === 'string' &&
  (value['context'] === undefined || isObject(value['context']));
/** An entry of a type that a later version added is ignored. */
const fact = (value: unknown): boolean => {
  if (!isObject(value) || typeof value['type'] !== 'string' || typeof value['at'] !== 'number') return false;
  return (
    value['type'] !== 'moved' ||
    (text(value['actor']) &&
      text(value['from']) &&
      text(value['to']) &&
      event(value['event']) &&
      isObject(value['context']))
  );
};
const services = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every(
    (service) => isObject(service) && typeof service['name'] === 'string' && Array.isArray(service['waitsFor']),
  );

/** The fields without which an entry is useless. Readers check all other fields themselves. */
const shapes: Readonly<Record<Entry['type'], Shape>> = {
  '@chaperone.boot': { boot: text, epoch: number, services },
  '@chaperone.reload': { services },
  '@chaperone.definition': { machine: text },
  '@xstate.actor': { sessionId: text, name: text, snapshot },
  '@xstate.event': { sessionId: text, event },
  '@xstate.snapshot': { sessionId: text, event, snapshot },
  '@chaperone.fact': { fact },
  '@chaperone.log': { message: text },
  '@chaperone.lost': { count: number },
  '@chaperone.end': { exitStatus: number, cause: text },
};

const checks = new Map(Object.entries(shapes).map(([type, shape]) => [type, Object.entries(shape)]));

function fits(value: Readonly<Record<string, unknown>> & { readonly type: string }): boolean {
  return checks.get(value.type)?.every(([key, holds]) => holds(value[key])) === true;
}

/** Where JSON.parse gave up, as far as its message tells. */
function columnOf(error: unknown, line: string): number {
  const [, position] = /position (\d+)/.exec(error instanceof Error ? error.message : '') ?? [];
  if (position !== undefined) return Number(position) + 1;
  return /^\s*[[{"]/.test(line) ? line.length + 1 : line.search(/\S/) + 1;
}

const longestExcerpt = 40;

function excerpt(line: string): string {
  return JSON.stringify(line.length > longestExcerpt ? `${line.slice(0, longestExcerpt)}…` : line);
}
