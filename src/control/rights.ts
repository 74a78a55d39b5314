import type { ControlPolicy, Grant, GrantedAction } from '../model/service/control-policy.ts';

/** The caller at the other end, as the kernel names it (SO_PEERCRED and SO_PEERGROUPS). */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; the primary group may be among them. */
  readonly groups: readonly number[];
}

export interface RightsOptions {
  /** Chaperone's own account. */
  readonly uid: number;
  /** Called at each check, because the policy changes with the configuration. */
  readonly policy: () => ControlPolicy;
}

export interface Rights {
  /** True if the caller may do everything and see data that others may not. */
  isOwner(caller: Caller): boolean;
  may(caller: Caller, action: GrantedAction): boolean;
}

/**
 * The rules of rights: root, chaperone's own account and the owners may do everything; others read the status, and grants allow
 * more.
 */
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
