/** When a service went through the stages of its start, ms since chaperone began. */
export interface StartTimes {
  readonly service: string;
  readonly started: number;
  readonly ready: number;
  /** The prerequisite that let it go, if it had to wait for one. */
  readonly waitedFor?: string;
}

/**
 * The chain of services that decided how long the boot took: from the one that was ready last back over what each waited
 * for. The first entry is the last service.
 */
export function criticalChain(times: readonly StartTimes[]): readonly StartTimes[] {
  const byName = new Map(times.map((entry) => [entry.service, entry]));
  const chain: StartTimes[] = [];
  let current = lastReady(times);
  while (current !== undefined && !chain.includes(current)) {
    chain.push(current);
    const { started, waitedFor } = current;
    // An IDLE service waits for a pause after the last of all the others, and names none of them.
    current =
      waitedFor === undefined ? lastReady(times.filter(({ ready }) => ready <= started)) : byName.get(waitedFor);
  }
  return chain;
}

function lastReady(times: readonly StartTimes[]): StartTimes | undefined {
  return times.reduce<StartTimes | undefined>(
    (latest, entry) => (latest === undefined || entry.ready > latest.ready ? entry : latest),
    undefined,
  );
}

/**
 * `critical chain: web 0.508 s (76 %) ← store 0.141 s (21 %) ← prepare 0.015 s (2 %)`.
 *
 * @param total ms of which each link has its share; without it none is told
 */
export function renderChain(chain: readonly StartTimes[], total?: number): string {
  const links = chain.map((link) => {
    const took = tookOf(link);
    const share = total === undefined || total <= 0 ? '' : ` (${Math.round((took / total) * 100)} %)`;
    return `${link.service} ${(took / 1000).toFixed(3)} s${share}`;
  });
  return `critical chain: ${links.join(' ← ')}`;
}

/** Services that are told as the slowest. */
const slowestCount = 5;

/** The services that took longest from their start until they were ready. */
export function slowest(times: readonly StartTimes[]): readonly StartTimes[] {
  return [...times].sort((a, b) => tookOf(b) - tookOf(a)).slice(0, slowestCount);
}

/** `slowest: web 0.508 s, store 0.141 s`. */
export function renderSlowest(times: readonly StartTimes[]): string {
  return `slowest: ${times.map((link) => `${link.service} ${(tookOf(link) / 1000).toFixed(3)} s`).join(', ')}`;
}

function tookOf({ started, ready }: StartTimes): number {
  return ready - started;
}
