import type { Hub, Watch } from '../inspect/hub.ts';
import { JournalWriter } from '../inspect/journal-writer.ts';
import { journalFull, journalRefuses, type Message } from '../model/messages.ts';
import type { JournalSpec } from '../model/service-spec.ts';
import type { Kernel } from './kernel.ts';
import type { LogSinks } from './log-sinks.ts';

export interface JournalPorts {
  readonly kernel: Pick<Kernel, 'defer'>;
  readonly sinks: LogSinks;
  readonly say: (message: Message) => void;
}

/** There may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];

/**
 * Records this boot in a journal. A journal that cannot be written to is said once, and is no trouble to anybody.
 *
 * @param path absolute
 */
export function recordJournal(
  hub: Pick<Hub, 'watch'>,
  path: string,
  { maxSize, records }: JournalSpec,
  { kernel, sinks, say }: JournalPorts,
): void {
  let watch: Watch | undefined;
  const queue = sinks.journal({ path, maxSize }, (errorCode) => {
    say(journalRefuses(path, errorCode));
    if (!passing.includes(errorCode)) watch?.close();
  });
  // Not while the machines are in the middle of a step.
  const writer = new JournalWriter(queue, maxSize, () => kernel.defer(() => say(journalFull(path))));
  watch = hub.watch({
    records,
    onEntry: (entry) => {
      writer.write(entry);
      return true;
    },
  });
}
