/** A queue whose first item leaves at no cost. */
export class Ring<T> {
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#first];
  }

  shift(): T | undefined {
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

  toArray(): readonly T[] {
    return this.#items.slice(this.#first).filter((item) => item !== undefined);
  }
}

/** Items in order, bounded by their number and by the sum of their sizes: the oldest leave first. */
export class SizedRing<T> {
  readonly #items = new Ring<T>();
  readonly #bound: number;
  readonly #sizeOf: (item: T) => number;
  readonly #most: number;
  #size = 0;

  constructor(bound: number, sizeOf: (item: T) => number, most = Number.POSITIVE_INFINITY) {
    this.#bound = bound;
    this.#sizeOf = sizeOf;
    this.#most = most;
  }

  /** @param onLeave is called with each item that has to leave to make room */
  push(item: T, onLeave?: (item: T) => void): void {
    this.#items.push(item);
    this.#size += this.#sizeOf(item);
    while (this.#size > this.#bound || this.#items.length > this.#most) {
      const oldest = this.#items.shift();
      if (oldest === undefined) return;
      this.#size -= this.#sizeOf(oldest);
      onLeave?.(oldest);
    }
  }

  /** The oldest item. */
  first(): T | undefined {
    return this.#items.peek();
  }

  toArray(): readonly T[] {
    return this.#items.toArray();
  }
}
