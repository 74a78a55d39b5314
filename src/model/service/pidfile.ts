/** Why a pidfile does not name the process to follow yet. */
export type PidfileTrouble =
  | 'absent'
  /** It was there before the start, and nothing has changed in it. */
  | 'unchanged'
  /** It does not hold a number. */
  | 'garbage'
  /** Nothing lives under the number it holds. */
  | 'dead'
  /** The process it names is none of the service's. */
  | 'refused';

/** What a pidfile says. */
export type PidfileContent = { readonly kind: 'pid'; readonly pid: number } | { readonly kind: 'garbage' };

/** Reads the text of a pidfile: one decimal number, white space around it. */
export function parsePidfile(text: string): PidfileContent {
  const match = /^\s*(\d{1,10})\s*$/.exec(text);
  const pid = Number(match?.[1] ?? 0);
  return pid > 0 ? { kind: 'pid', pid } : { kind: 'garbage' };
}

/** What is known of a process that wants to be followed. */
export interface Candidate {
  readonly pid: number;
  /** It descends from chaperone. */
  readonly descendant: boolean;
  readonly uid: number;
  /** Compares with when other processes began. */
  readonly began: number;
}

/** What is known of the service that wants to follow it. */
export interface Claim {
  readonly service: string;
  /** The service's account, else chaperone's own. */
  readonly accountUid: number;
  /** The service that the process belongs to, where that is known. */
  readonly owner: string | undefined;
  /** When the process of the service's last start began. */
  readonly startBegan: number | undefined;
}

/** Why a process may not be followed. `owned`: it is another service's, and a process has one owner. */
export type FollowRefusal = 'first' | 'foreign' | 'owned' | 'old';

/** Why a pid from a pidfile or MAINPID does not count; undefined where it does (reference 1.2). */
export function refusalOf({ pid, descendant, uid, began }: Candidate, claim: Claim): FollowRefusal | undefined {
  if (pid <= 1) return 'first';
  if (claim.owner !== undefined && claim.owner !== claim.service) return 'owned';
  if (!descendant && uid !== claim.accountUid) return 'foreign';
  // What was this service's already may have been there before.
  const isOld = claim.startBegan !== undefined && began < claim.startBegan;
  return isOld && claim.owner === undefined ? 'old' : undefined;
}
