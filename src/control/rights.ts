import type { Command } from './command.ts';

/** Who is at the other end, by SO_PEERCRED: the kernel says so, not the caller. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
}

/** What may be granted. `status` needs no grant. */
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
  'run',
  'shutdown',
] as const;

export type GrantedAction = (typeof grantableActions)[number];

/** One entry of `settings: control: allow`. */
export interface Grant {
  /** Absent: everybody. */
  readonly to:
    | { readonly kind: 'user'; readonly uid: number }
    | { readonly kind: 'group'; readonly gid: number }
    | { readonly kind: 'everybody' };
  readonly actions: 'all' | readonly GrantedAction[];
}

export interface RightsOptions {
  /** The accounts that may do everything besides root: chaperone's own, and the one it runs services as. */
  readonly owners: readonly number[];
  readonly grants: readonly Grant[];
  /** The members of a group by the account database; the caller's credentials hold only its primary group. */
  readonly isMember: (uid: number, gid: number) => boolean;
}

export interface Rights {
  /** May do everything, and see what is not for everybody. */
  isOwner(caller: Caller): boolean;
  may(caller: Caller, action: GrantedAction): boolean;
}

/** Who may do what: root and the owners everything, others read the status, grants open more. */
export function createRights({ owners, grants, isMember }: RightsOptions): Rights {
  const isOwner = ({ uid }: Caller): boolean => uid === 0 || owners.includes(uid);
  const concerns = ({ to }: Grant, { uid, gid }: Caller): boolean => {
    switch (to.kind) {
      case 'everybody':
        return true;
      case 'user':
        return to.uid === uid;
      case 'group':
        return to.gid === gid || isMember(uid, to.gid);
    }
  };
  return {
    isOwner,
    may: (caller, action) =>
      isOwner(caller) ||
      grants.some((grant) => concerns(grant, caller) && (grant.actions === 'all' || grant.actions.includes(action))),
  };
}

/** What a command needs; several where options ask for more. Nothing for what only reads the status. */
export function neededFor(command: Command): readonly GrantedAction[] {
  switch (command.verb) {
    case 'status':
    case 'dependencies':
    case 'wait':
      return [];
    case 'loglevel':
      return command.level === undefined ? [] : ['loglevel'];
    case 'start':
      // To force a start is to end what runs.
      return ['start', ...(command.enable ? (['enable'] as const) : []), ...(command.force ? (['stop'] as const) : [])];
    case 'stop':
      return ['stop', ...(command.disable ? (['disable'] as const) : [])];
    case 'reset':
      return ['reset', ...(command.force ? (['stop'] as const) : [])];
    case 'reload':
      return ['reload'];
    case 'restart':
    case 'enable':
    case 'disable':
    case 'kill':
    case 'shutdown':
      return [command.verb];
  }
}
