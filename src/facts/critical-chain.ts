/** When a service went through the stages of its start, ms since chaperone began. */
export interface StartTimes {
  readonly service: string;
  readonly started: number;
  /** Absent where the start has failed. */
  readonly ready?: number;
  /** When the start failed or took too long, and why: its dependents went on then, or never. */
  readonly failed?: { readonly at: number; readonly cause: string };
  /** The prerequisite that released this service, if it had to wait for one. */
  readonly waitedFor?: string;
}

/** The ms at which the start was over: the service was ready, or the start had failed. */
export function endOfStart({ started, ready, failed }: StartTimes): number {
  return ready ?? failed?.at ?? started;
}

/**
 * The chain of services that decided how long the boot took: from the service whose start ended last, back over the
 * prerequisite that each of them waited for. The first entry is the service that was ready last.
 */
export function criticalChain(times: readonly StartTimes[]): readonly StartTimes[] {
  const byName = new Map(times.map((entry) => [entry.service, entry]));
  const chain: StartTimes[] = [];
  let current = lastOf(times);
  while (current !== undefined && !chain.includes(current)) {
    chain.push(current);
    const { started, waitedFor } = current;
    // An IDLE service waits for a pause after all other services and has no single prerequisite to name.
    current =
      waitedFor === undefined ? lastOf(times.filter((entry) => endOfStart(entry) <= started)) : byName.get(waitedFor);
  }
  return chain;
}

function lastOf(times: readonly StartTimes[]): StartTimes | undefined {
  return times.reduce<StartTimes | undefined>(
    (latest, entry) => (latest === undefined || endOfStart(entry) > endOfStart(latest) ? entry : latest),
    undefined,
  );
}

/**
 * `critical chain: web 0.508 s (76 %) ← store 0.141 s (21 %), failed: exit 1 ← prepare 0.015 s (2 %)`.
 *
 * @param total ms of the whole boot, for each link's percentage; without it no percentages are shown
 */
export function renderChain(chain: readonly StartTimes[], total?: number): string {
  const links = chain.map((link) => {
    const took = tookOf(link);
    const share = total === undefined || total <= 0 ? '' : ` (${Math.round((took / total) * 100)} %)`;
    const failed = link.failed === undefined ? '' : `, failed: ${link.failed.cause}`;
    return `${link.service} ${(took / 1000).toFixed(3)} s${share}${failed}`;
  });
  return `critical chain: ${links.join(' ← ')}`;
}

/** How many services are listed as the slowest. */
const slowestCount = 5;

/** The services whose start took longest. */
export function slowest(times: readonly StartTimes[]): readonly StartTimes[] {
  return [...times].sort((a, b) => tookOf(b) - tookOf(a)).slice(0, slowestCount);
}

/** `slowest: web 0.508 s, store 0.141 s`. */
export function renderSlowest(times: readonly StartTimes[]): string {
  return `slowest: ${times.map((link) => `${link.service} ${(tookOf(link) / 1000).toFixed(3)} s`).join(', ')}`;
}

/** ms from the beginning of the start until it was over. */
export function tookOf(times: StartTimes): number {
  return endOfStart(times) - times.started;
}
