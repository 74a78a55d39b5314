/** Counts what one request costs, so that the rate limit can tell a heavy request from a light one. */
import { limits } from './limits.ts';

export class Meter {
  /** Steps of matching names against globs. */
  steps = 0;
  /** Bytes of the answer. */
  answered = 0;

  /** The cost in requests of the lightest kind, beside the one that has been counted when the request was admitted. */
  get cost(): number {
    return this.steps / limits.stepsPerRequest + this.answered / limits.answeredPerRequest;
  }
}

/** The cost of reading a request of so many bytes, in requests of the lightest kind. */
export function readingCost(bytes: number): number {
  return 1 + bytes / limits.readPerRequest;
}
