/** One change of state of one actor, as people watch it. */
export interface Transition {
  /** ms since chaperone began. */
  readonly at: number;
  /** `system`, or the service's name without its suffix. */
  readonly actor: string;
  /** The state path before, such as `starting.settling`. */
  readonly from: string;
  readonly to: string;
  /** What it means: pid, exit, how long it waited and for whom. */
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
