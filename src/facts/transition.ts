/** One change of state of one actor, in the form that is shown to people. */
export interface Transition {
  /** ms since chaperone began. */
  readonly at: number;
  /** `system`, or the service's name without its suffix. */
  readonly actor: string;
  /** The state path before the change, such as `starting.settling`; `─` where there was none. */
  readonly from: string;
  readonly to: string;
  /** The event that caused the change, where there was one. */
  readonly event?: string;
  readonly pid?: number;
  /** How the actor's process ended: `exit 1`. */
  readonly exit?: string;
  /** The service that the actor had to wait for, without its suffix, and for how many ms. */
  readonly waitedFor?: string;
  readonly waited?: number;
  /** Why the actor failed. */
  readonly cause?: string;
  /** The meaning of the change, in words. */
  readonly detail: string;
}

/** The path of a state: `starting.settling` for `{ starting: 'settling' }`. */
export function statePath(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, inner]) => `${key}.${statePath(inner)}`)
    .join('|');
}
