/**
 * Whether a service is tried again after an end, and after which pause: pure functions of its definition and of what it
 * remembers. Neither a clock nor chance is asked here: times come with the memory, and jitter comes from a seed.
 */
import { describeDuration } from '../words/duration.ts';
import { endingOf, isNormalEnd } from './ending.ts';
import type { ExitStatus } from './exit-status.ts';
import type { FailureCause } from './service-phase.ts';
import type { ServiceSpec } from './service-spec.ts';
import type { NoTry } from './tries.ts';

/** The memory from which a service knows how many tries it has left. */
export interface TryMemory {
  /** The tries that count against the limit; with a window those that counted when the last one was made. */
  readonly restartsUsed: number;
  /** The number of the last pause in a row: it counts from the last time at which the service was stable. */
  readonly streak: number;
  /** The last pause, ms; undefined where the present run is no restart, or is stable already. */
  readonly pause: number | undefined;
  /** With a window: monotonic ms of the restarts that may count. Never more than the limit. */
  readonly recent: readonly number[];
  /** Monotonic ms of the first failure among the restarts that count. */
  readonly firstLoss: number | undefined;
  /** Why no try has followed the last end. */
  readonly noTry: NoTry | undefined;
}

export const noTries: TryMemory = {
  restartsUsed: 0,
  streak: 0,
  pause: undefined,
  recent: [],
  firstLoss: undefined,
  noTry: undefined,
};

/** The part of a service's memory on which the policy rests. */
export interface Tried extends TryMemory {
  readonly spec: Pick<
    ServiceSpec,
    | 'restart'
    | 'restartPolicy'
    | 'restartDelay'
    | 'restartLimit'
    | 'exitKills'
    | 'successExit'
    | 'killSignal'
    | 'name'
    | 'ready'
  >;
  readonly verdict: FailureCause | undefined;
  /** True where a pidfile or MAINPID named the leader. */
  readonly followed: boolean;
  /** The present run was ready and running. */
  readonly settled: boolean;
  readonly hasBeenReady: boolean;
  readonly retired: boolean;
  /** The number of the last start. */
  readonly serial: number;
  /** Where chance begins in this boot. */
  readonly seed: number;
  /** Monotonic ms. */
  readonly at: number;
}

/** ms; the default of `restart_delay_max`. */
const longestPause = 60_000;

/** Beyond its last pause, a service must have been ready this long to count as stable, ms. */
const stableMargin = 1_000;

type Answer = { readonly kind: 'try' } | { readonly kind: 'none'; readonly why: NoTry | undefined };

const no: Answer = { kind: 'none', why: undefined };

/** What the policy says after the end that the verdict tells of. */
export function answerTo(tried: Tried): Answer {
  const { spec, verdict, retired, hasBeenReady } = tried;
  const { restartPolicy: policy = {} } = spec;
  // A service that fails because of its prerequisite starts once that is back, and is not tried again.
  if (verdict?.kind === 'prerequisite') return no;
  if (spec.exitKills || retired || verdict === undefined) return no;
  const isNormal = endedWell(tried);
  const answers = isNormal ? policy.always === true : hasBeenReady ? spec.restart : policy.startFailure === true;
  if (!answers) return isNormal || hasBeenReady || !spec.restart ? no : { kind: 'none', why: { kind: 'start' } };
  const ending = verdict.kind === 'exit' ? endingOf(policy.prevent, verdict.status) : undefined;
  if (ending !== undefined) return { kind: 'none', why: { kind: 'prevented', ending } };
  if (isFree(tried) || countAt(tried) < spec.restartLimit) return { kind: 'try' };
  if (spec.restartLimit === 0) return no;
  const { window } = policy;
  return {
    kind: 'none',
    why: { kind: 'usedUp', limit: spec.restartLimit, ...(window === undefined ? {} : { window }) },
  };
}

/**
 * True for a verdict that is a normal end: no failure, only the occasion of a restart. Before the probes of `ready` have
 * passed, any end is a failed start.
 */
export function endedWell(tried: Pick<Tried, 'verdict' | 'spec' | 'followed' | 'settled'>): boolean {
  if (tried.spec.ready !== undefined && !tried.settled) return false;
  return tried.verdict?.kind === 'exit' && isNormalStatus(tried, tried.verdict.status);
}

/**
 * A process ends normally with exit status 0 and as `success_exit` says. A daemon that a pidfile or MAINPID has named
 * also ends normally with the service's kill signal, whoever has sent that.
 */
export function isNormalStatus({ followed, spec }: Pick<Tried, 'spec' | 'followed'>, status: ExitStatus): boolean {
  return isNormalEnd(spec, status) || (followed && status.kind === 'signaled' && status.signal === spec.killSignal);
}

/** A normal end after `startup_pause` uses up no try. */
function isFree(tried: Tried): boolean {
  return tried.settled && endedWell(tried);
}

/** The tries that count at this time. */
export function countAt({ spec, restartsUsed, recent, at }: Pick<Tried, 'spec' | 'restartsUsed' | 'recent' | 'at'>) {
  const window = spec.restartPolicy?.window;
  return window === undefined ? restartsUsed : within(recent, at - window).length;
}

function within(times: readonly number[], since: number): readonly number[] {
  return times.filter((time) => time > since);
}

/** The memory with the try that follows: its number, its pause, and what it takes of the limit. */
export function nextTry(tried: Tried): TryMemory {
  const { spec, at, recent, streak, restartsUsed, firstLoss, seed, serial } = tried;
  const free = isFree(tried);
  const number = free ? Math.max(1, streak) : streak + 1;
  const pause = pauseOf(spec, number, luckOf(seed, spec.name, serial));
  const window = spec.restartPolicy?.window;
  const rest = { streak: number, pause, noTry: undefined };
  if (window === undefined) {
    const used = free ? restartsUsed : restartsUsed + 1;
    return { ...rest, restartsUsed: used, recent: [], firstLoss: used === 0 ? undefined : (firstLoss ?? at) };
  }
  // A restart counts from the moment at which it comes.
  const times = [...within(recent, at - window), ...(free ? [] : [at + pause])];
  return { ...rest, restartsUsed: times.length, recent: times, firstLoss: times[0] };
}

/** The memory of a service that was ready for long enough. With a window, its restarts go on counting. */
export function stableMemory({ restartPolicy }: Tried['spec'], memory: TryMemory): TryMemory {
  return restartPolicy?.window === undefined ? noTries : { ...memory, streak: 0, pause: undefined };
}

/** ms for which a service with this last pause has to be ready to count as stable. */
export function stableAfter(pause: number): number {
  return pause + stableMargin;
}

/**
 * The n-th pause in a row, ms.
 *
 * @param number from 1
 * @param luck from -1 to 1
 */
export function pauseOf(
  { restartDelay, restartPolicy = {} }: Pick<Tried['spec'], 'restartDelay' | 'restartPolicy'>,
  number: number,
  luck: number,
): number {
  const { delayMax = longestPause, backoff = 1, jitter = 0 } = restartPolicy;
  const pause = Math.min(Math.max(delayMax, restartDelay), restartDelay * backoff ** (number - 1));
  return Math.max(0, Math.round(pause * (1 + jitter * luck)));
}

/** Chance, from -1 to 1, that a seed, a service and one of its starts decide: the same three give the same number. */
export function luckOf(seed: number, name: string, serial: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const char of `${name} ${serial}`) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (((hash ^ (hash >>> 15)) >>> 0) / 0xffff_ffff) * 2 - 1;
}

/** True where some end of the service may be followed by another try. */
export function mayBeTried({ restart, restartPolicy }: Pick<ServiceSpec, 'restart' | 'restartPolicy'>): boolean {
  return restart || restartPolicy?.startFailure === true;
}

/** The tries that are left; undefined where there is no limit. */
export function triesLeft(tried: Pick<Tried, 'spec' | 'restartsUsed' | 'recent' | 'at'>): number | undefined {
  const { restartLimit } = tried.spec;
  return Number.isFinite(restartLimit) ? Math.max(0, restartLimit - countAt(tried)) : undefined;
}

/** `restart_prevent: 78`, `restart_limit: 5`. */
export function describeNoTry(why: NoTry): string {
  switch (why.kind) {
    case 'prevented':
      return `restart_prevent: ${why.ending}`;
    case 'usedUp':
      return `restart_limit: ${why.limit}${why.window === undefined ? '' : ` in ${describeDuration(why.window)}`}`;
    case 'start':
      return 'restart_on_start_failure: false';
  }
}
