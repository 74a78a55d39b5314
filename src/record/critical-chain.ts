/** When a service went through the stages of its start, ms since chaperone began. */
export interface StartTimes {
  readonly service: string;
  readonly started: number;
  /** Absent where the start has failed. */
  readonly ready?: number;
  /** When its start failed, or took too long, and why: whoever waited for it went on then, or never. */
  readonly failed?: { readonly at: number; readonly cause: string };
  /** The prerequisite that let it go, if it had to wait for one. */
  readonly waitedFor?: string;
}

/** The ms at which the start came to its end. */
export function endOfStart({ started, ready, failed }: StartTimes): number {
  return ready ?? failed?.at ?? started;
}

/**
 * The chain of services that decided how long the boot took: from the one whose start ended last back over what each waited
 * for. The first entry is the last service.
 */
export function criticalChain(times: readonly StartTimes[]): readonly StartTimes[] {
  const byName = new Map(times.map((entry) => [entry.service, entry]));
  const chain: StartTimes[] = [];
  let current = lastOf(times);
  while (current !== undefined && !chain.includes(current)) {
    chain.push(current);
    const { started, waitedFor } = current;
    // An IDLE service waits for a pause after the last of all the others, and names none of them.
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
 * @param total ms of which each link has its share; without it none is told
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

/** Services that are told as the slowest. */
const slowestCount = 5;

/** The services that took longest from their start until it came to its end. */
export function slowest(times: readonly StartTimes[]): readonly StartTimes[] {
  return [...times].sort((a, b) => tookOf(b) - tookOf(a)).slice(0, slowestCount);
}

/** `slowest: web 0.508 s, store 0.141 s`. */
export function renderSlowest(times: readonly StartTimes[]): string {
  return `slowest: ${times.map((link) => `${link.service} ${(tookOf(link) / 1000).toFixed(3)} s`).join(', ')}`;
}

/** ms from its start to the end of that. */
export function tookOf(times: StartTimes): number {
  return endOfStart(times) - times.started;
}
