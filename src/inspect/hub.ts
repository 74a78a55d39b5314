import { Ring } from '../facts/ring.ts';
import type { Entry } from './entry.ts';
import { Registry } from './registry.ts';

type Numbered = 'seq' | 'at';

/** An entry before it has its number and its time; `at` where it is told later than it happened. */
export type News = Entry extends infer E
  ? E extends Entry
    ? Omit<E, Numbered> & { readonly at?: number }
    : never
  : never;

/** Where entries come from. Both are open only while somebody watches. */
export interface HubSource {
  /** Monotonic ms since chaperone began. */
  readonly now: () => number;
  /** Tells what there is (boot, definitions, actors), then what happens; returns what ends it. */
  readonly open: (tell: (news: News) => void) => () => void;
  readonly openRecords: (tell: (news: News) => void) => () => void;
  /** A watcher threw an error: it is removed, and no other watcher is affected. */
  readonly onError: (error: unknown) => void;
}

export interface WatchOptions {
  /** Log records, too. */
  readonly records?: boolean;
  /** Only entries from this number on, as far as they are kept: a watcher that connects again knows the earlier ones. */
  readonly from?: number;
  /**
   * Takes one entry, in the middle of what the machines are doing: it must not call them.
   *
   * @returns false where it takes no more until `resume`
   */
  readonly onEntry: (entry: Entry) => boolean;
}

export interface Watch {
  /** The watcher takes entries again. */
  resume(): void;
  close(): void;
}

export interface HubBounds {
  /** Entries that are kept for late watchers. */
  readonly ring: number;
  /** Log records among them. */
  readonly records: number;
  /** Entries that wait for a watcher who takes none. */
  readonly queue: number;
}

const defaultBounds: HubBounds = { ring: 20_000, records: 1_000, queue: 10_000 };

/**
 * The one place from which everything is watched. It listens to the machines only while it has watchers.
 *
 * A late watcher gets first what came out of all that is no longer kept (the boot, the definitions, the actors that lived
 * then with the state they had then), then what is kept, then what comes: whoever folds it up has the states of now.
 */
export class Hub {
  readonly #source: HubSource;
  readonly #bounds: HubBounds;
  readonly #watchers = new Set<Watcher>();
  #ring = new Ring<Entry>();
  #records = new Ring<Entry>();
  /** The state that the entries which have left the ring add up to. */
  #base = new Registry();
  /** Entries that have left the ring. */
  #left = 0;
  #seq = 0;
  #lastAt = 0;
  #isOpen = false;
  #ended = false;
  #close: (() => void) | undefined;
  #closeRecords: (() => void) | undefined;

  constructor(source: HubSource, bounds: Partial<HubBounds> = {}) {
    this.#source = source;
    this.#bounds = { ...defaultBounds, ...bounds };
  }

  /** Monotonic ms since chaperone began. */
  now(): number {
    return this.#source.now();
  }

  watch(options: WatchOptions): Watch {
    this.#open();
    const watcher = new Watcher(options, this.#bounds.queue, (error) => {
      close();
      this.#source.onError(error);
    });
    const close = (): void => {
      watcher.end();
      this.#leave(watcher);
    };
    this.#watchers.add(watcher);
    watcher.begin(this.#known(options));
    if (options.records === true) this.#closeRecords ??= this.#source.openRecords((news) => this.tell(news));
    return { resume: () => watcher.resume(), close };
  }

  /** Takes an entry; it is dropped if nobody watches. */
  tell(news: News): void {
    if (!this.#isOpen || this.#ended) return;
    // What is left of the system may still be heard of; the end stays the last entry.
    this.#ended = news.type === '@chaperone.end';
    this.#seq += 1;
    this.#lastAt = Math.max(this.#lastAt, news.at ?? this.#source.now());
    const entry: Entry = { ...news, seq: this.#seq, at: this.#lastAt };
    if (entry.type === '@chaperone.log') this.#keepRecord(entry);
    else this.#keep(entry);
    for (const watcher of this.#watchers) watcher.offer(entry);
  }

  #keep(entry: Entry): void {
    this.#ring.push(entry);
    if (this.#ring.length <= this.#bounds.ring) return;
    const old = this.#ring.shift();
    if (old === undefined) return;
    this.#left += 1;
    this.#base.apply(old);
  }

  #keepRecord(entry: Entry): void {
    this.#records.push(entry);
    if (this.#records.length > this.#bounds.records) this.#records.shift();
  }

  /** The entries that a new watcher gets first. */
  #known({ records = false, from = 0 }: WatchOptions): readonly Entry[] {
    const kept = merge(this.#ring.toArray(), records ? this.#records.toArray() : []);
    const first = this.#ring.peek();
    if (first !== undefined && from >= first.seq) return kept.filter(({ seq }) => seq >= from);
    const before = this.#base.entries();
    const count = this.#left - before.length;
    const lost: readonly Entry[] =
      first === undefined || count <= 0
        ? []
        : [{ type: '@chaperone.lost', seq: first.seq - 1, at: first.at, from: 0, count }];
    return [...before, ...lost, ...kept.filter(({ seq }) => first === undefined || seq >= first.seq)];
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    // What is told first has happened before.
    this.#lastAt = 0;
    this.#close = this.#source.open((news) => this.tell(news));
  }

  #leave(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (![...this.#watchers].some(({ records }) => records)) {
      this.#closeRecords?.();
      this.#closeRecords = undefined;
      this.#records = new Ring<Entry>();
    }
    if (this.#watchers.size > 0 || !this.#isOpen) return;
    this.#isOpen = false;
    this.#close?.();
    this.#close = undefined;
    this.#ring = new Ring<Entry>();
    this.#left = 0;
    this.#base = new Registry();
  }
}

class Watcher {
  readonly records: boolean;
  readonly #onEntry: WatchOptions['onEntry'];
  readonly #fail: (error: unknown) => void;
  readonly #bound: number;
  /** The kept entries from before the watcher came, which it gets first. */
  #known: readonly Entry[] = [];
  #given = 0;
  /** Entries that came while the watcher was paused. */
  readonly #queue = new Ring<Entry>();
  #lost = 0;
  /** The last entry that the watcher has got. */
  #last: Pick<Entry, 'seq' | 'at'>;
  /** True until a `@chaperone.lost` has told of what is missing among the first entries. */
  #sparse = false;
  #takes = false;
  #ended = false;

  constructor({ records = false, from = 1, onEntry }: WatchOptions, bound: number, fail: (error: unknown) => void) {
    this.records = records;
    this.#last = { seq: from - 1, at: 0 };
    this.#onEntry = onEntry;
    this.#bound = bound;
    this.#fail = fail;
  }

  begin(known: readonly Entry[]): void {
    this.#known = known;
    this.#sparse = known.some(({ type }) => type === '@chaperone.lost');
    this.resume();
  }

  offer(entry: Entry): void {
    if (this.#ended || (entry.type === '@chaperone.log' && !this.records)) return;
    if (this.#takes) {
      this.#give(entry);
      return;
    }
    this.#queue.push(entry);
    if (this.#queue.length <= this.#bound) return;
    this.#queue.shift();
    this.#lost += 1;
  }

  resume(): void {
    this.#takes = true;
    while (this.#takes && !this.#ended) {
      const next = this.#next();
      if (next === undefined) return;
      this.#give(next);
    }
  }

  end(): void {
    this.#ended = true;
  }

  #next(): Entry | undefined {
    const known = this.#known[this.#given];
    if (known !== undefined) {
      this.#given += 1;
      return known;
    }
    this.#known = [];
    this.#given = 0;
    const next = this.#queue.peek();
    if (next !== undefined && this.#lost > 0) {
      const count = this.#lost;
      this.#lost = 0;
      return { type: '@chaperone.lost', seq: next.seq - 1, at: next.at, from: this.#last.at, count };
    }
    return this.#queue.shift();
  }

  #give(entry: Entry): void {
    const unasked =
      this.records || this.#sparse || entry.type === '@chaperone.lost' ? 0 : entry.seq - this.#last.seq - 1;
    if (entry.type === '@chaperone.lost') this.#sparse = false;
    this.#last = entry;
    try {
      if (!this.#onEntry(unasked > 0 ? { ...entry, unasked } : entry)) this.#takes = false;
    } catch (error) {
      this.#fail(error);
    }
  }
}

/** Both are in the order of their numbers. */
function merge(left: readonly Entry[], right: readonly Entry[]): readonly Entry[] {
  return right.length === 0 ? left : [...left, ...right].sort((a, b) => a.seq - b.seq);
}
