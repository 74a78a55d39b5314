/**
 * One boot on its way into a journal: an entry a line.
 *
 * A boot that outgrows the journal keeps its beginning, with which later boots are compared, and its newest part. So it is written in
 * sections. Each but the first begins with the sum of everything before it, and a whole section can be taken out of the file:
 * the sum behind the gap replaces it.
 */
import type { BootEntry, Entry, LostEntry, SumEntry } from './entry.ts';
import { Registry } from './registry.ts';

/** Every boot in a journal begins with a line that begins so: where one boot ends and the next begins is found without parsing. */
export const bootLineStart = '{"type":"@chaperone.boot"';
/** The same for the sections of a boot. */
export const sectionLineStart = '{"type":"@chaperone.sum"';

/** Where the lines go. */
export interface JournalTarget {
  /** Takes whole lines. */
  write(text: string): void;
  /** How many bytes more it takes now. */
  readonly room: number;
}

/** How many sections a journal has room for. */
const sections = 4;
/** The part of a section that its sum may take. A larger sum leaves out what is the least needed. */
const sumShare = 0.5;
/** Characters of the last line's `cause`. */
const longestCause = 1_024;
/** Bytes that have to be free again before entries are written behind a gap, so that gaps are few. */
const roomBehindGap = 256 * 1024;

export class JournalWriter {
  readonly #target: JournalTarget;
  readonly #maxSize: number;
  readonly #onFull: () => void;
  readonly #sum = new Registry();
  /** Bytes of this boot, and of its present section. */
  #written = 0;
  #section = 0;
  /** The last entry that was written. */
  #last: Pick<Entry, 'seq' | 'at'> = { seq: 0, at: 0 };
  #saidFull = false;
  /** The last entry of a gap, and how many are missing. */
  #gap: { readonly seq: number; readonly at: number; readonly from: number; readonly count: number } | undefined;

  /**
   * @param maxSize the most bytes of the journal
   * @param onFull hears once that this boot fills the journal
   */
  constructor(target: JournalTarget, maxSize: number, onFull: () => void) {
    this.#target = target;
    this.#maxSize = maxSize;
    this.#onFull = onFull;
  }

  write(entry: Entry): void {
    if (entry.type === '@chaperone.end') {
      this.#closeGap();
      this.#put(entry, renderEntry({ ...entry, cause: entry.cause.slice(0, longestCause) }));
      return;
    }
    const misses = this.#gap !== undefined && this.#target.room < roomBehindGap;
    const line = misses ? '' : renderEntry(entry);
    if (misses || Buffer.byteLength(line) > this.#target.room) this.#miss(entry);
    else {
      this.#closeGap();
      this.#put(entry, line);
    }
    this.#sum.apply(entry);
    if (this.#section > this.#maxSize / sections && this.#gap === undefined) this.#beginSection();
  }

  #beginSection(): void {
    const { seq, at } = this.#last;
    const most = (this.#maxSize / sections) * sumShare;
    const moves = this.#sum.entries().filter(({ type }) => type === '@chaperone.fact');
    for (const entries of [this.#sum.entries(), moves, []]) {
      const line = renderEntry({ type: '@chaperone.sum', seq, at, entries });
      if (Buffer.byteLength(line) > Math.min(most, this.#target.room)) continue;
      this.#section = 0;
      this.#put(this.#last, line);
      return;
    }
  }

  /** Tells of the entries that are missing since the last one that was written. */
  #closeGap(): void {
    if (this.#gap === undefined) return;
    const lost: LostEntry = { type: '@chaperone.lost', ...this.#gap };
    this.#gap = undefined;
    this.#put(lost, renderEntry(lost));
  }

  #put({ seq, at }: Pick<Entry, 'seq' | 'at'>, line: string): void {
    const bytes = Buffer.byteLength(line);
    this.#last = { seq, at };
    this.#written += bytes;
    this.#section += bytes;
    this.#target.write(line);
    if (this.#saidFull || this.#written <= this.#maxSize) return;
    this.#saidFull = true;
    this.#onFull();
  }

  #miss(entry: Entry): void {
    const { seq, at } = entry;
    const missing = entry.type === '@chaperone.lost' ? entry.count : 1;
    const { from = this.#last.at, count = 0 } = this.#gap ?? {};
    this.#gap = { seq, at, from, count: count + missing };
  }
}

/** The line of an entry, with its end. The type of a boot's first entry comes first in it, and that of a sum. */
export function renderEntry(entry: Entry | SumEntry): string {
  return entry.type === '@chaperone.boot' ? `${renderBoot(entry)}\n` : `${JSON.stringify(entry)}\n`;
}

function renderBoot({ type, ...rest }: BootEntry): string {
  return JSON.stringify({ type, ...rest });
}
