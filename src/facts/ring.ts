/** Items in order, bounded by the sum of their sizes: the oldest leave first. */
export class SizedRing<T> {
  readonly #bound: number;
  readonly #sizeOf: (item: T) => number;
  #items: (T | undefined)[] = [];
  #first = 0;
  #size = 0;

  constructor(bound: number, sizeOf: (item: T) => number) {
    this.#bound = bound;
    this.#sizeOf = sizeOf;
  }

  get size(): number {
    return this.#size;
  }

  /** @param onLeave is called with each item that has to leave to make room */
  push(item: T, onLeave: (item: T) => void): void {
    this.#items.push(item);
    this.#size += this.#sizeOf(item);
    while (this.#size > this.#bound) {
      const oldest = this.#shift();
      if (oldest === undefined) return;
      this.#size -= this.#sizeOf(oldest);
      onLeave(oldest);
    }
  }

  toArray(): readonly T[] {
    return this.#items.slice(this.#first).filter((item) => item !== undefined);
  }

  #shift(): T | undefined {
    const item = this.#items[this.#first];
    if (item === undefined) return undefined;
    this.#items[this.#first] = undefined;
    this.#first += 1;
    // The array is cut rarely: to shift it for each leaving item would move all others every time.
    if (this.#first > 1_000 && this.#first * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }
}
