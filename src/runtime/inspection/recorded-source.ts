import type { EntrySource } from './page-server.ts';

/** Serves complete entries to a page: those of a journal. */
export function recordedSource(entries: readonly { readonly seq: number }[]): EntrySource {
  return {
    complete: true,
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
