/** The words of the policy of restarts: what a configuration says, and why no try follows an end. */
import type { Ending } from './ending.ts';

/** What is configured beyond `restart`, `restart_delay` and `restart_limit`; whatever is absent has no effect. */
export interface RestartPolicy {
  /** A normal end is followed by a restart, too. */
  readonly always?: true;
  /** A start that fails may be tried again before it is a failure. */
  readonly startFailure?: true;
  /** The upper bound of growing pauses, ms; absent: `longestPause`. */
  readonly delayMax?: number;
  /** The factor by which each pause is longer than the one before it. */
  readonly backoff?: number;
  /** The fraction of a pause by which chance makes it longer or shorter. */
  readonly jitter?: number;
  /** Only restarts within so many ms count against the limit. */
  readonly window?: number;
  /** Ends after which no try follows. */
  readonly prevent?: readonly Ending[];
}

/** Why no try follows an end. Where none is configured, there is nothing to say. */
export type NoTry =
  | { readonly kind: 'prevented'; readonly ending: Ending }
  | { readonly kind: 'usedUp'; readonly limit: number; readonly window?: number }
  /** The service has not been ready, and `restart_on_start_failure` is false. */
  | { readonly kind: 'start' };
