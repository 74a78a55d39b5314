import type { ControlPolicy, Grant, GrantedAction } from '../model/service/control-policy.ts';

/** Who is at the other end, by SO_PEERCRED and SO_PEERGROUPS: the kernel says so, not the caller. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary ones; the primary group may be among them. */
  readonly groups: readonly number[];
}

export interface RightsOptions {
  /** Chaperone's own account. */
  readonly uid: number;
  /** Asked at each look: it changes with the configuration. */
  readonly policy: () => ControlPolicy;
}

export interface Rights {
  /** May do everything, and see what is not for everybody. */
  isOwner(caller: Caller): boolean;
  may(caller: Caller, action: GrantedAction): boolean;
}

/** Who may do what: root, chaperone and the owners everything, others read the status, grants open more. */
export function createRights({ uid: own, policy }: RightsOptions): Rights {
  const isOwner = ({ uid }: Caller): boolean => uid === 0 || uid === own || policy().owners.includes(uid);
  return {
    isOwner,
    may: (caller, action) =>
      isOwner(caller) ||
      policy().grants.some(
        (grant) => concerns(grant, caller) && (grant.actions === 'all' || grant.actions.includes(action)),
      ),
  };
}

function concerns({ to }: Grant, { uid, gid, groups }: Caller): boolean {
  switch (to.kind) {
    case 'everybody':
      return true;
    case 'user':
      return to.uid === uid;
    case 'group':
      return to.gid === gid || groups.includes(to.gid);
  }
}
