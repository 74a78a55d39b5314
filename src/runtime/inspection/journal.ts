import { resolve } from 'node:path';
import { Boundary } from '../../control/boundary.ts';
import { JournalWriter } from '../../inspect/journal-writer.ts';
import { journalFull, journalRefuses, warning } from '../../model/log/messages.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { InspectRequest } from '../../model/words/inspect-request.ts';
import type { AttachInspector } from './inspector-port.ts';

/** Errors after which there may be room again later. */
const passing: readonly string[] = ['ENOSPC', 'EDQUOT'];

/** Records this boot in a journal. The first write error is logged, and the system goes on. */
export const attach: AttachInspector<Extract<InspectRequest, { kind: 'journal' }>> = (
  hub,
  { file },
  { sinks, defer, journal, say },
) => {
  const path = resolve(file);
  const boundary = new Boundary((error) => say(warning(`the journal ${path} failed: ${messageOf(error)}`)));
  const { maxSize, records } = journal;
  const onRefusal = boundary.guard((errorCode: string) => {
    say(journalRefuses(path, errorCode));
    if (!passing.includes(errorCode)) watch.close();
  });
  const queue = sinks.journal({ path, maxSize }, onRefusal);
  // The message is deferred, because the machines may be in the middle of a step.
  const writer = new JournalWriter(queue, maxSize, () => defer(boundary.guard(() => say(journalFull(path)))));
  const watch = hub.watch({
    records,
    onEntry: (entry) => {
      writer.write(entry);
      return true;
    },
  });
  return watch.close;
};
