/** The part of an account that has to be set for a new process. */
import type { Account } from '../../model/service/account.ts';

/**
 * The ids and supplementary groups for the process of an account. Where chaperone has the account's uid and gid already and may not
 * set groups, the process keeps chaperone's groups: Kubernetes gives them to a pod (`fsGroup`, `supplementalGroups`), and no file
 * of the container names them.
 */
export function credentialsFor({ uid, gid, groups }: Account): Pick<Account, 'uid' | 'gid'> & {
  readonly groups?: readonly number[];
} {
  const isOwn = uid === process.geteuid?.() && gid === process.getegid?.();
  return isOwn && !maySetGroups() ? { uid, gid } : { uid, gid, groups };
}

let allowed: boolean | undefined;

/** setgroups(2) says whether it is permitted. The capability alone does not tell: a user namespace may forbid the call. */
function maySetGroups(): boolean {
  if (allowed === undefined) {
    try {
      process.setgroups?.(process.getgroups?.() ?? []);
      allowed = true;
    } catch {
      allowed = false;
    }
  }
  return allowed;
}
