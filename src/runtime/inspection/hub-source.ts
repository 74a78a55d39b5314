import type { Hub } from '../../inspect/hub.ts';
import type { EntrySource } from './page-server.ts';

/** Serves a hub's entries to pages. The hub stays open all the time, so that a page that reconnects misses nothing. */
export interface HubPages extends EntrySource {
  readonly close: () => void;
}

export function hubSource(hub: Hub): HubPages {
  let boot: string | undefined;
  const keeping = hub.watch({
    records: true,
    onEntry: (entry) => {
      if (entry.type === '@chaperone.boot') boot = entry.boot;
      return true;
    },
  });
  return {
    complete: false,
    boot: () => boot,
    watch: (from, take) => hub.watch({ records: true, from, onEntry: (entry) => take(JSON.stringify(entry)) }),
    close: () => keeping.close(),
  };
}
