import type { Entry } from './entry.ts';
import { applyEntry, copyReplica, createReplica, type LiveReplica, type Replica } from './replica.ts';

/** Entries between two keyframes: what a jump back has to apply again at most. */
const keyframeInterval = 2_048;

/**
 * The entries of one boot, and the way to any instant of it. Keyframes are kept as the entries are walked through first, so
 * that a jump costs at most `keyframeInterval` entries behind what was seen already.
 */
export class Timeline {
  readonly #entries: readonly Entry[];
  /** Of the instants before the entries 0, 2,048, 4,096, … */
  readonly #keyframes: LiveReplica[] = [createReplica()];
  #current: LiveReplica = createReplica();
  /** How many entries are in `#current`. */
  #position = 0;

  /**
   * @param entries of one boot, in order; the array may grow at its end
   */
  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** The state after the first `count` entries. It changes with the next call. */
  after(count: number): Replica {
    const target = Math.max(0, Math.min(count, this.#entries.length));
    const nearest = Math.min(Math.floor(target / keyframeInterval), this.#keyframes.length - 1);
    if (target < this.#position || nearest * keyframeInterval > this.#position) {
      const keyframe = this.#keyframes[nearest];
      this.#current = keyframe === undefined ? createReplica() : copyReplica(keyframe);
      this.#position = keyframe === undefined ? 0 : nearest * keyframeInterval;
    }
    while (this.#position < target) this.#step();
    return this.#current;
  }

  /** The state at an instant, in ms since the boot: after every entry that is not later. */
  at(ms: number): Replica {
    return this.after(this.countAt(ms));
  }

  /** How many entries are not later than that. */
  countAt(ms: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle]?.at ?? 0) <= ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #step(): void {
    const entry = this.#entries[this.#position];
    if (entry === undefined) return;
    applyEntry(this.#current, entry);
    this.#position += 1;
    if (this.#position === this.#keyframes.length * keyframeInterval) this.#keyframes.push(copyReplica(this.#current));
  }
}
