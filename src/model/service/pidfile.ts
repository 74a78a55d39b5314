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
  /** True where the process is chaperone itself. */
  readonly isOwn: boolean;
}

/**
 * Why a process may not be followed. `first`: it is PID 1. `own`: it is chaperone itself. `owned`: it belongs to another service, and a
 * process has one owner. `foreign`: only root may name it.
 */
export type FollowRefusal = 'first' | 'own' | 'foreign' | 'owned' | 'old';

/**
 * Why a pid from a pidfile or MAINPID is refused; undefined if it may be followed (reference 2).
 *
 * @param byRoot true where root has written the pidfile, or sent MAINPID
 */
export function refusalOf({ pid, uid, began }: Candidate, claim: Claim, byRoot: boolean): FollowRefusal | undefined {
  const { service, owner, accountUid, startBegan } = claim;
  if (pid <= 1) return 'first';
  if (claim.isOwn) return 'own';
  if (owner !== undefined && owner !== service) return 'owned';
  // A process that this service owned already may be of any account, and older than the start.
  if (owner === service) return undefined;
  // A service that runs as root has the account of everybody else's root processes.
  if (!byRoot && (uid !== accountUid || uid === 0)) return 'foreign';
  return startBegan !== undefined && began < startBegan ? 'old' : undefined;
}
