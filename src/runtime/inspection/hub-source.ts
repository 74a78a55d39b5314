import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Hub } from '../../inspect/hub.ts';
import type { FoundRecord } from '../../inspect/record-search.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import type { EntrySource } from './page-server.ts';

function recordAt({ time, severity, facility, program, pid, service, message }: LogRecord, epoch: number): FoundRecord {
  return {
    at: Math.max(0, time - epoch),
    severity,
    facility,
    program,
    ...(pid === undefined ? {} : { pid }),
    ...(service === undefined ? {} : { service }),
    message,
  };
}

/** Serves a hub's entries to pages. The hub stays open all the time, so that a page that reconnects misses nothing. */
export interface HubPages extends EntrySource {
  readonly close: () => void;
}

/** @param kept the records that chaperone keeps, also from before somebody watched */
export function hubSource(hub: Hub, kept: () => readonly LogRecord[] = () => []): HubPages {
  let boot: string | undefined;
  let epoch = 0;
  const keeping = hub.watch({
    records: true,
    onEntry: (entry) => {
      if (entry.type === '@chaperone.boot') ({ boot, epoch } = entry);
      return true;
    },
  });
  return {
    complete: false,
    boot: () => boot,
    now: () => hub.now(),
    records: async (query) => {
      const { searchRecords } = await import('../../inspect/record-search.ts');
      return searchRecords(
        kept()
          .filter(({ revealing }) => revealing !== true)
          .map((record) => recordAt(record, epoch)),
        query,
        nextTurn,
      );
    },
    watch: (from, take) => hub.watch({ records: true, from, onEntry: (entry) => take(JSON.stringify(entry)) }),
    close: () => keeping.close(),
  };
}
