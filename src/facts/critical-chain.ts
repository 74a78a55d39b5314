import { shortName } from '../model/service/service-spec.ts';

/** When a service went through the stages of its first start, ms since chaperone began. */
export interface StartTimes {
  readonly service: string;
  readonly started: number;
  /** True: a person asked for this start. It is no part of the boot unless a service of the boot has waited for it. */
  readonly byHand?: true;
  /** Absent where the start has failed, and while it lasts. */
  readonly ready?: number;
  /** When and why the start failed or took too long. Its dependents went on at that time, or never. */
  readonly failed?: { readonly at: number; readonly cause: string };
  /** The instant at which this start was still under way; absent once it is over. */
  readonly lasts?: number;
  /** The prerequisite that released this service, if it had to wait for one. */
  readonly waitedFor?: string;
  /**
   * When the outcome of this start ceased to hold, and why: a service that was ready went down, or a failed one started
   * again. `again`: when the next start began, if one did.
   */
  readonly lost?: { readonly at: number; readonly cause: string; readonly again?: number };
  /** The instant (ms) at which the service, which was ready once, is down again; absent where it is up. */
  readonly downAt?: number;
}

/** One start of the critical chain. */
export interface ChainLink extends Omit<StartTimes, 'lost' | 'downAt'> {
  /**
   * Why the service had to be started again before it released the service in front of it in the chain. `ready` is then
   * the time of that release.
   */
  readonly restartedAfter?: string;
  /** Why the service, once ready, was down for good when the service in front of it started; `ready` is as above. */
  readonly downAfter?: string;
}

/** The times between which a start lasted. */
type Timed = Pick<StartTimes, 'started' | 'ready' | 'failed' | 'lasts'>;

/** The ms at which the start was over: the service was ready, or the start had failed. One that lasts goes up to its instant. */
export function endOfStart({ started, ready, failed, lasts }: Timed): number {
  return ready ?? failed?.at ?? lasts ?? started;
}

/**
 * The chain of services that decided how long the boot took: from the service whose start ended last, back over the
 * prerequisite that each of them waited for. The first entry is the service that was ready last. While the boot goes on, that
 * is the start under way that has lasted longest.
 *
 * @param until ms at which the boot was over (`bootOver`); a service whose first start ended later had no part in the boot
 */
export function criticalChain(times: readonly StartTimes[], until = Number.POSITIVE_INFINITY): readonly ChainLink[] {
  // As long as the boot goes on, it waits for what has gone down again, too.
  const known = until === Number.POSITIVE_INFINITY ? times.map(underWayAgain) : times;
  const inBoot = known.filter((entry) => endOfStart(entry) <= until);
  const byName = new Map(inBoot.map((entry) => [entry.service, entry]));
  const names = new Set<string>();
  const chain: ChainLink[] = [];
  const asked = inBoot.filter(({ byHand }) => byHand !== true);
  const last = lastOf(asked);
  let current = last === undefined ? undefined : linkOf(last);
  while (current !== undefined && !names.has(current.service)) {
    names.add(current.service);
    chain.push(current);
    const { started, waitedFor } = current;
    // An IDLE service waits for a pause after all other services and has no single prerequisite to name.
    const before =
      waitedFor === undefined ? lastOf(asked.filter((entry) => endOfStart(entry) <= started)) : byName.get(waitedFor);
    current = before === undefined ? undefined : linkOf(before, waitedFor === undefined ? undefined : started);
  }
  return chain;
}

/** A service that was ready and has gone down again is under way, since its first start. */
function underWayAgain(entry: StartTimes): StartTimes {
  const { downAt, lost } = entry;
  if (downAt === undefined || lost === undefined) return entry;
  const { ready: _, failed: _failed, ...rest } = entry;
  return { ...rest, lasts: downAt };
}

/** @param released ms at which the service released the one in front of it, where it did */
function linkOf({ lost, downAt, ...times }: StartTimes, released?: number): ChainLink {
  if (downAt !== undefined && lost !== undefined && times.lasts === downAt && released === undefined)
    return { ...times, ...(lost.again === undefined ? { downAfter: lost.cause } : { restartedAfter: lost.cause }) };
  if (lost === undefined || released === undefined || lost.at > released) return times;
  // What came later counts. Of that only the end is known: it released the next service.
  const { failed: _failed, lasts: _lasts, ...rest } = times;
  const isAgain = lost.again !== undefined && lost.again <= released;
  return { ...rest, ready: released, ...(isAgain ? { restartedAfter: lost.cause } : { downAfter: lost.cause }) };
}

function lastOf(times: readonly StartTimes[]): StartTimes | undefined {
  return times.reduce<StartTimes | undefined>(
    (latest, entry) => (latest === undefined || isLater(entry, latest) ? entry : latest),
    undefined,
  );
}

/** A start under way ends later than all that are over; of several the one counts that has lasted longest. */
function isLater(one: StartTimes, other: StartTimes): boolean {
  if (one.lasts === undefined) return other.lasts === undefined && endOfStart(one) > endOfStart(other);
  return other.lasts === undefined || one.started < other.started;
}

/**
 * `critical chain: web 0.508 s (76 %) ← store 0.141 s (21 %), failed: exit 1 ← prepare 0.015 s (2 %)`.
 *
 * @param total ms of the whole boot, for each link's percentage; without it no percentages are shown
 */
export function renderChain(chain: readonly ChainLink[], total?: number): string {
  if (chain.length === 0) return 'critical chain: nothing has started';
  const links = chain.map((link) => {
    const took = tookOf(link);
    const share = total === undefined || total <= 0 ? '' : ` (${Math.round((took / total) * 100)} %)`;
    return [`${link.service} ${(took / 1000).toFixed(3)} s${share}`, ...remarksOf(link)].join(', ');
  });
  return `critical chain: ${links.join(' ← ')}`;
}

/** How many services are listed as the slowest. */
const slowestCount = 5;

/** The services whose start took longest. */
export function slowest(times: readonly StartTimes[]): readonly StartTimes[] {
  return bySlowness(times).slice(0, slowestCount);
}

/** The starts, the slowest first: what is to blame for a long boot. */
export function bySlowness<T extends Timed>(times: readonly T[]): readonly T[] {
  return [...times].sort((a, b) => tookOf(b) - tookOf(a));
}

/** The remarks on a start that did not simply make its service ready: `failed: exit 2`, `restarted after exit 5`. */
export function remarksOf({
  byHand,
  lasts,
  failed,
  restartedAfter,
  downAfter,
}: Pick<ChainLink, 'byHand' | 'lasts' | 'failed' | 'restartedAfter' | 'downAfter'>): readonly string[] {
  return [
    ...(byHand === undefined ? [] : ['started by hand']),
    ...(lasts === undefined ? [] : ['not ready yet']),
    ...(failed === undefined ? [] : [`failed: ${failed.cause}`]),
    ...(restartedAfter === undefined ? [] : [`restarted after ${restartedAfter}`]),
    ...(downAfter === undefined ? [] : [`down again after ${downAfter}`]),
  ];
}

/** `slowest: web 0.508 s, store 0.141 s`. */
export function renderSlowest(times: readonly StartTimes[]): string {
  return `slowest: ${times.map((link) => `${link.service} ${(tookOf(link) / 1000).toFixed(3)} s`).join(', ')}`;
}

/** ms from the beginning of the start until it was over. */
export function tookOf(times: Timed): number {
  return endOfStart(times) - times.started;
}

/** The same with names without suffix, as people read them. */
export function withShortNames(times: StartTimes): StartTimes {
  const { service, waitedFor } = times;
  return {
    ...times,
    service: shortName(service),
    ...(waitedFor === undefined ? {} : { waitedFor: shortName(waitedFor) }),
  };
}
