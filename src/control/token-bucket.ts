/** A rate limit that allows a burst, and then so many requests a second. */
export class TokenBucket {
  readonly #burst: number;
  readonly #perMs: number;
  #tokens: number;
  #at: number;

  /**
   * @param burst how many at once
   * @param perSecond how many a second in the long run
   * @param now monotonic ms
   */
  constructor(burst: number, perSecond: number, now: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1000;
    this.#tokens = burst;
    this.#at = now;
  }

  /**
   * Takes tokens; false if there is not even one. What costs more than there is leaves a debt, which has to be earned before
   * the next is given.
   */
  take(now: number, cost = 1): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + Math.max(0, now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Takes tokens in any case. */
  charge(cost: number): void {
    this.#tokens -= cost;
  }
}
