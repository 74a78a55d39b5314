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
}

/**
 * True where a pid from a pidfile or MAINPID counts: its process descends from chaperone or runs under the service's account,
 * and it is not the first process of all.
 *
 * @param accountUid the service's, else chaperone's own
 */
export function mayBeFollowed({ pid, descendant, uid }: Candidate, accountUid: number): boolean {
  return pid > 1 && (descendant || uid === accountUid);
}
