/**
 * What a service needs of another one: which stages that must have reached before this one starts, and whether its loss has
 * consequences.
 */

/** How far a prerequisite must have come. `exited`: it ended normally. */
export const prerequisiteStages = ['started', 'ready', 'healthy', 'exited'] as const;

export type PrerequisiteStage = (typeof prerequisiteStages)[number];

export interface Tie {
  /**
   * `after`: waits for the stages. `wants`: waits until they are reached, or until that cannot happen by itself.
   * `requires`: as `after`, and `on_prerequisite_failure` and `on_prerequisite_restart` answer what becomes of it later.
   */
  readonly kind: 'after' | 'wants' | 'requires';
  /** All of them have to be reached; never empty. */
  readonly stages: readonly PrerequisiteStage[];
}

/** The ties of one service, by the name of the prerequisite; `plainTie` where one has no entry. */
export type Ties = Readonly<Record<string, Tie>>;

/** What `after` without a stage means. */
export const plainTie: Tie = { kind: 'after', stages: ['ready'] };

export function tieTo(holder: { readonly ties?: Ties | undefined } | undefined, prerequisite: string): Tie {
  return holder?.ties?.[prerequisite] ?? plainTie;
}

/** How a service waits, in words, `requires, healthy`; empty where it simply waits until the other one is ready. */
export function tieWords({ kind, stages }: Tie): string {
  return [...(kind === 'after' ? [] : [kind]), ...(stages.join() === 'ready' ? [] : stages)].join(', ');
}

/** What a service does when a prerequisite that it requires has left its stage. */
export const lossAnswers = ['keep', 'stop', 'fail'] as const;
export type LossAnswer = (typeof lossAnswers)[number];

/** What a service that still runs does when a prerequisite that it requires is back. */
export const returnAnswers = ['keep', 'restart', 'reload'] as const;
export type ReturnAnswer = (typeof returnAnswers)[number];

/** Why a service is stopped, failed, restarted or reloaded because of another one. */
export interface PrerequisiteCause {
  /** The prerequisite, with its suffix. */
  readonly prerequisite: string;
  /** `stopped`: by hand, by a reload, or because of its own prerequisite. `returned`: it has reached its stage again. */
  readonly how: 'crashed' | 'failed' | 'stopped' | 'unhealthy' | 'returned';
}

const happenings: Readonly<Record<PrerequisiteCause['how'], string>> = {
  crashed: 'has crashed',
  failed: 'has failed',
  stopped: 'is stopped',
  unhealthy: 'is unhealthy',
  returned: 'is back',
};

/** What has happened to the prerequisite, as the end of a sentence: `db.service has crashed`. */
export function describeCause({ prerequisite, how }: PrerequisiteCause, nameOf = (name: string) => name): string {
  return `${nameOf(prerequisite)} ${happenings[how]}`;
}
