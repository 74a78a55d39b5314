/** Why a pidfile does not name the process to follow yet. */
export type PidfileTrouble =
  | 'absent'
  /** The file existed before the start and has not changed since. */
  | 'unchanged'
  /** The file does not hold a number. */
  | 'garbage'
  /** No process has the number in the file. */
  | 'dead'
  /** The named process does not belong to the service. */
  | 'refused';

/** What a pidfile says. */
export type PidfileContent = { readonly kind: 'pid'; readonly pid: number } | { readonly kind: 'garbage' };

/** Reads the text of a pidfile: one decimal number, white space around it. */
export function parsePidfile(text: string): PidfileContent {
  const match = /^\s*(\d{1,10})\s*$/.exec(text);
  const pid = Number(match?.[1] ?? 0);
  return pid > 0 ? { kind: 'pid', pid } : { kind: 'garbage' };
}

/** What is known of a process that a service names to be followed. */
export interface Candidate {
  readonly pid: number;
  /** True if the process descends from chaperone. */
  readonly descendant: boolean;
  readonly uid: number;
  /** When the process began; comparable with the value of other processes. */
  readonly began: number;
}

/** What is known of the service that names the process. */
export interface Claim {
  readonly service: string;
  /** The uid of the service's account, else chaperone's own. */
  readonly accountUid: number;
  /** The service that owns the process, if it has an owner. */
  readonly owner: string | undefined;
  /** When the process of the service's last start began. */
  readonly startBegan: number | undefined;
}

/**
 * Why a process may not be followed. `first`: it is PID 1. `owned`: it belongs to another service, and a process has one owner.
 */
export type FollowRefusal = 'first' | 'foreign' | 'owned' | 'old';

/** Why a pid from a pidfile or MAINPID is refused; undefined if it may be followed (reference 1.2). */
export function refusalOf({ pid, descendant, uid, began }: Candidate, claim: Claim): FollowRefusal | undefined {
  if (pid <= 1) return 'first';
  if (claim.owner !== undefined && claim.owner !== claim.service) return 'owned';
  if (!descendant && uid !== claim.accountUid) return 'foreign';
  // A process that this service owned already may be older than the start.
  const isOld = claim.startBegan !== undefined && began < claim.startBegan;
  return isOld && claim.owner === undefined ? 'old' : undefined;
}
