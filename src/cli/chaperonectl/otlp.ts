/** Sends the spans of a recorded boot to an OpenTelemetry collector. It is a file of its own, since OpenTelemetry's code is large. */
import type { Entry } from '../../inspect/entry.ts';
import { collectorOf, mostWaiting, refusalOf, Tracing } from '../../runtime/inspection/tracing.ts';
import { version } from '../version.ts';

/** ms for what is left at the end. */
const patience = 15_000;

export interface SentRecording {
  readonly collector: string;
  readonly sent: number;
  readonly lost: number;
  /** Why the collector took no spans, or why none were sent. */
  readonly problem?: string;
}

export async function sendRecording(
  entries: readonly Entry[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<SentRecording> {
  const collector = collectorOf(environment);
  const refusal = refusalOf(environment);
  const boot = entries.find((entry) => entry.type === '@chaperone.boot');
  if (refusal !== undefined || boot === undefined)
    return { collector, sent: 0, lost: 0, problem: refusal ?? 'the recording has no beginning' };
  let problem: string | undefined;
  const tracing = new Tracing({
    version,
    seed: boot.boot,
    epoch: () => boot.epoch,
    onChange: (why) => {
      problem = why;
    },
  });
  for (const entry of entries) {
    if (entry.type === '@chaperone.boot' || entry.type === '@chaperone.reload') tracing.spans.configure(entry.services);
    if (entry.type !== '@chaperone.fact') continue;
    tracing.spans.take(entry.fact);
    if (tracing.waiting > mostWaiting / 2) await tracing.flush();
  }
  await tracing.end(entries.at(-1)?.at ?? 0, patience);
  return { collector, ...tracing.counts(), ...(problem === undefined ? {} : { problem }) };
}
