import type { ControlPolicy, Grant, GrantedAction } from '../model/service/control-policy.ts';

/** The caller at the other end, as the kernel names it (SO_PEERCRED and SO_PEERGROUPS). */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; the primary group may be among them. */
  readonly groups: readonly number[];
  /** In chaperone's PID namespace; absent where the kernel does not tell it, and for a foreign caller. */
  readonly pid?: number;
  /**
   * True if the caller is outside of chaperone's PID namespace, as across a shared volume: its pid reads 0. Its uid and
   * groups say nothing then, since they are those of another container or of the host.
   */
  readonly isForeign?: true;
}

export interface RightsOptions {
  /** Chaperone's own account. */
  readonly uid: number;
  /** Called at each check, because the policy changes with the configuration. */
  readonly policy: () => ControlPolicy;
}

export interface Rights {
  /** True for root and chaperone's own account, which always find room. */
  isHost(caller: Caller): boolean;
  /** True if the caller may do everything and see data that others may not. */
  isOwner(caller: Caller): boolean;
  may(caller: Caller, action: GrantedAction): boolean;
}

/**
 * The rules of rights: root, chaperone's own account and the owners may do everything; others read the status, and grants allow
 * more. A foreign caller has what is granted to everybody, whatever its uid.
 */
export function createRights({ uid: own, policy }: RightsOptions): Rights {
  const isHost = ({ uid, isForeign }: Caller): boolean => isForeign !== true && (uid === 0 || uid === own);
  const isOwner = (caller: Caller): boolean =>
    isHost(caller) || (caller.isForeign !== true && policy().owners.includes(caller.uid));
  return {
    isHost,
    isOwner,
    may: (caller, action) =>
      isOwner(caller) ||
      policy().grants.some(
        (grant) => concerns(grant, caller) && (grant.actions === 'all' || grant.actions.includes(action)),
      ),
  };
}

/** The account for which a caller's requests and connections are counted: all foreign callers are one. */
export function accountOf({ uid, isForeign }: Caller): number {
  return isForeign === true ? -1 : uid;
}

/** The caller in a refusal. */
export function describeCaller({ uid, isForeign }: Caller): string {
  return isForeign === true ? `uid ${uid} from outside of the container` : `uid ${uid}`;
}

function concerns({ to }: Grant, { uid, gid, groups, isForeign }: Caller): boolean {
  switch (to.kind) {
    case 'everybody':
      return true;
    case 'user':
      return isForeign !== true && to.uid === uid;
    case 'group':
      return isForeign !== true && (to.gid === gid || groups.includes(to.gid));
  }
}
