/** Says what happens to a service whose lines a sink does not take in time. */
export type Overflow =
  /** The service waits, but no longer than `patience` ms in one stall; then its lines are dropped until the sink moves. */
  | { readonly kind: 'wait'; readonly patience: number }
  /** The service waits as long as it takes. */
  | { readonly kind: 'block' }
  /** Lines that do not fit are dropped at once. */
  | { readonly kind: 'drop' };

export const defaultOverflow: Overflow = { kind: 'wait', patience: 5_000 };
