/**
 * One boot on its way into a journal: an entry a line, within the journal's bound.
 *
 * What a boot begins with is what later boots are compared with, so a boot that alone fills the journal keeps its beginning:
 * what comes after that is counted, and told by a `@chaperone.lost` before its end.
 */
import type { BootEntry, Entry, LostEntry } from './entry.ts';

/** Every boot in a journal begins with a line that begins so: where one boot ends and the next begins is found without parsing. */
export const bootLineStart = '{"type":"@chaperone.boot"';

/** Where the lines go. */
export interface JournalTarget {
  /** Takes whole lines. */
  write(text: string): void;
  /** How many bytes more it takes now. */
  readonly room: number;
}

/** Bytes kept for the last two lines of a boot. */
const reserve = 4_096;
/** Characters of the last line's `cause`. */
const longestCause = 1_024;
/** Bytes that have to be free again before entries are written behind a gap, so that gaps are few. */
const roomBehindGap = 256 * 1024;

export class JournalWriter {
  readonly #target: JournalTarget;
  readonly #maxSize: number;
  readonly #onFull: () => void;
  #written = 0;
  #full = false;
  /** The last entry of a gap, and how many are missing. */
  #gap: { readonly seq: number; readonly at: number; readonly count: number } | undefined;

  /**
   * @param maxSize bytes that one boot may take
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
      this.#put(renderEntry({ ...entry, cause: entry.cause.slice(0, longestCause) }));
      return;
    }
    if (this.#full || (this.#gap !== undefined && this.#target.room < roomBehindGap)) {
      this.#miss(entry);
      return;
    }
    const line = renderEntry(entry);
    const bytes = Buffer.byteLength(line);
    if (this.#written + bytes > this.#maxSize - reserve) {
      this.#full = true;
      this.#miss(entry);
      this.#onFull();
    } else if (bytes > this.#target.room) this.#miss(entry);
    else {
      this.#closeGap();
      this.#written += bytes;
      this.#target.write(line);
    }
  }

  /** Tells of the entries that are missing since the last one that was written. */
  #closeGap(): void {
    if (this.#gap === undefined) return;
    const lost: LostEntry = { type: '@chaperone.lost', ...this.#gap };
    this.#gap = undefined;
    this.#put(renderEntry(lost));
  }

  #put(line: string): void {
    this.#written += Buffer.byteLength(line);
    this.#target.write(line);
  }

  #miss(entry: Entry): void {
    const { seq, at } = entry;
    const missing = entry.type === '@chaperone.lost' ? entry.count : 1;
    this.#gap = { seq, at, count: (this.#gap?.count ?? 0) + missing };
  }
}

/** The line of an entry, with its end. The type of a boot's first entry comes first in it. */
export function renderEntry(entry: Entry): string {
  return entry.type === '@chaperone.boot' ? `${renderBoot(entry)}\n` : `${JSON.stringify(entry)}\n`;
}

function renderBoot({ type, ...rest }: BootEntry): string {
  return JSON.stringify({ type, ...rest });
}
