import type { ReloadPlan, Unstartable } from '../model/order/reload-plan.ts';
import { shortName } from '../model/service/service-spec.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';
import { didYouMean } from '../model/words/nearest.ts';

/** Why a command was refused, as the reference's texts have it (section 6). */
export type RefusalReason =
  | 'notEnabled'
  | 'alreadyStarted'
  | 'notReady'
  | 'notStarted'
  | 'notScheduled'
  | 'notCron'
  | 'unscheduled'
  | 'runs'
  | 'unreloadable'
  | 'unrestartable'
  | 'unstartable'
  | 'running'
  | 'noProcess'
  | 'denied';

/** How a command ended. `text` is what telchap prints. */
export type Answer =
  | {
      readonly kind: 'done';
      readonly text: string;
      readonly plan?: ReloadPlan;
      /** The services that the plan would stop, and that could not start again in the new configuration. */
      readonly unstartable?: readonly Unstartable[];
    }
  | {
      readonly kind: 'refused';
      readonly reason: RefusalReason;
      readonly names: readonly string[];
      readonly text: string;
    }
  | { readonly kind: 'noSuchService'; readonly names: readonly string[]; readonly text: string }
  /** The caller has no right to do that. */
  | { readonly kind: 'forbidden'; readonly text: string }
  /** The command has a mistake. */
  | { readonly kind: 'mistake'; readonly text: string }
  /** The command was carried out without success: a service failed, or the new configuration has mistakes. */
  | {
      readonly kind: 'failed';
      readonly names: readonly string[];
      readonly text: string;
      /** The mistakes in the new configuration, and the warnings about it. */
      readonly diagnostics?: readonly Diagnostic[];
    }
  | { readonly kind: 'timedOut'; readonly names: readonly string[]; readonly text: string }
  /** The caller has sent too many requests. */
  | { readonly kind: 'busy'; readonly text: string };

export type AnswerKind = Answer['kind'];

/** What telchap and chaperonectl exit with, by kind; `unreachable`: no chaperone listens. */
export const exitStatuses: Readonly<Record<AnswerKind | 'unreachable', number>> = {
  done: 0,
  failed: 1,
  mistake: 2,
  refused: 3,
  noSuchService: 4,
  forbidden: 5,
  unreachable: 6,
  timedOut: 7,
  busy: 8,
};

/** One line each, for help, man pages and documentation. */
export const exitStatusMeanings: Readonly<Record<AnswerKind | 'unreachable', string>> = {
  done: 'done',
  failed: 'the command failed',
  mistake: 'a mistake on the command line',
  refused: 'refused: the service is not in a state for that',
  noSuchService: 'no such service',
  forbidden: 'not permitted',
  unreachable: 'chaperone cannot be reached',
  timedOut: 'timed out',
  busy: 'too many requests at once',
};

/** The status of the HTTP response that carries an answer. */
export const httpStatuses: Readonly<Record<AnswerKind, number>> = {
  done: 200,
  failed: 409,
  mistake: 400,
  refused: 409,
  noSuchService: 404,
  forbidden: 403,
  timedOut: 504,
  busy: 429,
};

export function done(text: string): Answer {
  return { kind: 'done', text };
}

export function mistake(text: string): Answer {
  return { kind: 'mistake', text };
}

/** The original's texts (reference, section 6); names without their suffix. */
const refusals: Readonly<Record<Exclude<RefusalReason, 'unstartable' | 'unreloadable'>, string>> = {
  notEnabled: 'can only start services which have been enabled',
  alreadyStarted: "can't restart services without stop/reset",
  notReady: 'services or their prerequisites are not ready',
  notStarted: "can't stop services which aren't started",
  notScheduled: "can't drain services which are not scheduled",
  notCron: "can't run services now which are no cron services",
  unscheduled: "can't run services now which are not scheduled",
  runs: "can't run services now whose last run goes on",
  unrestartable: "can't restart services which could not be started again",
  running: "can't reset services which are running",
  noProcess: "can't signal services which have no process",
  denied: 'not permitted to signal services of another account',
};

/** @param names without their suffix */
export function refused(
  reason: Exclude<RefusalReason, 'unrestartable' | 'unstartable' | 'unreloadable'>,
  names: readonly string[],
): Answer {
  return { kind: 'refused', reason, names, text: `Command error: ${refusals[reason]}: ${names.join(', ')}` };
}

/** Refuses a restart of services that could not start again. */
export function unrestartable(services: readonly Unstartable[]): Answer {
  const names = services.map(({ name }) => shortName(name));
  return {
    kind: 'refused',
    reason: 'unrestartable',
    names,
    text: `Command error: ${refusals.unrestartable}: ${withReasons(services)}`,
  };
}

/** Refuses the reload of services that cannot be told. */
export function unreloadable(services: readonly Unstartable[]): Answer {
  const names = services.map(({ name }) => shortName(name));
  return {
    kind: 'refused',
    reason: 'unreloadable',
    names,
    text: `Command error: can't reload services: ${withReasons(services)}`,
  };
}

/** Refuses a reload that would stop services which could not start again. */
export function unstartable(services: readonly Unstartable[]): Answer {
  const names = services.map(({ name }) => shortName(name));
  return {
    kind: 'refused',
    reason: 'unstartable',
    names,
    text: `Command error: ${nothingReloaded(services)}; --force goes on`,
  };
}

/** Why a reload has changed nothing. */
export function nothingReloaded(services: readonly Unstartable[]): string {
  return `nothing was changed: the reload would stop services that it could not start again: ${withReasons(services)}`;
}

function withReasons(services: readonly Unstartable[]): string {
  return services.map(({ name, reason }) => `${shortName(name)} (${reason})`).join(', ');
}

/** @param known full names of services: the one that may have been meant is named */
export function noSuchService(names: readonly string[], known: readonly string[] = []): Answer {
  const [name = '', ...others] = names;
  const near = others.length === 0 ? didYouMean(shortName(name), known.map(shortName)) : undefined;
  const hint = near === undefined ? '' : ` (${near})`;
  return { kind: 'noSuchService', names, text: `Command error: no such service: ${names.join(', ')}${hint}` };
}
