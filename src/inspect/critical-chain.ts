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

/** `critical chain: web 0.508 s ← store 0.141 s ← prepare 0.015 s`. */
export function renderChain(chain: readonly StartTimes[]): string {
  const links = chain.map(({ service, started, ready }) => `${service} ${((ready - started) / 1000).toFixed(3)} s`);
  return `critical chain: ${links.join(' ← ')}`;
}
