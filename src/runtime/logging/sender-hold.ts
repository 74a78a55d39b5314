import type { Clock } from '../kernel.ts';

/** ms that senders to the log socket wait in one stall of a sink. */
const longestHold = 1_000;
/** A stall that was not asked for during so many ms has ended meanwhile. */
const staleHold = 1_000;

/** Makes the senders to the log socket wait while a sink is busy, but not for ever. */
export class SenderHold {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #isBusy: () => boolean;
  #since: number | undefined;
  #asked = 0;

  constructor(clock: Pick<Clock, 'now'>, isBusy: () => boolean) {
    this.#clock = clock;
    this.#isBusy = isBusy;
  }

  /** True while senders have to wait. */
  holds(): boolean {
    if (!this.#isBusy()) {
      this.#since = undefined;
      return false;
    }
    const now = this.#clock.now();
    if (this.#since === undefined || now - this.#asked > staleHold) this.#since = now;
    this.#asked = now;
    return now - this.#since < longestHold;
  }
}
