import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Entry, LogEntry } from '../../inspect/entry.ts';
import type { FoundRecord } from '../../inspect/record-search.ts';
import type { EntrySource } from './page-server.ts';

function foundRecord({ type: _type, seq: _seq, unasked: _unasked, ...record }: LogEntry): FoundRecord {
  return record;
}

/** Serves complete entries to a page: those of a journal. */
export function recordedSource(entries: readonly Entry[]): EntrySource {
  return {
    complete: true,
    // A page drops the oldest entries of a long recording.
    records: async (query) => {
      const { searchRecords } = await import('../../inspect/record-search.ts');
      return searchRecords(
        entries.filter((entry) => entry.type === '@chaperone.log').map(foundRecord),
        query,
        nextTurn,
      );
    },
    boot: () => undefined,
    watch: (from, take, end) => {
      let next = entries.findIndex(({ seq }) => seq >= from);
      if (next < 0) next = entries.length;
      let running = false;
      let ended = false;
      const resume = (): void => {
        if (running || ended) return;
        running = true;
        let takes = true;
        while (takes && next < entries.length) {
          takes = take(JSON.stringify(entries[next]));
          next += 1;
        }
        running = false;
        if (next < entries.length) return;
        ended = true;
        end();
      };
      // The first entry waits until the caller has its watch.
      setImmediate(resume);
      return {
        resume,
        close: () => {
          ended = true;
        },
      };
    },
  };
}
