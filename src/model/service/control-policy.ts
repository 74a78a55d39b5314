/** Who may do what with a running chaperone, besides reading its status. */

/** What may be granted. */
export const grantableActions = [
  'start',
  'stop',
  'restart',
  'reset',
  'kill',
  'enable',
  'disable',
  'loglevel',
  'logs',
  'reload',
  'scale',
  'run',
  'run-now',
  'shutdown',
] as const;

export type GrantedAction = (typeof grantableActions)[number];

/** One entry of `settings: control: allow`. */
export interface Grant {
  readonly to:
    | { readonly kind: 'user'; readonly uid: number }
    | { readonly kind: 'group'; readonly gid: number }
    | { readonly kind: 'everybody' };
  /** `all`: also actions that later versions add. */
  readonly actions: 'all' | readonly GrantedAction[];
}

export interface ControlPolicy {
  /** The default accounts of services: they may do everything, like root and chaperone's own account. */
  readonly owners: readonly number[];
  readonly grants: readonly Grant[];
}
