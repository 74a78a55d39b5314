/** Watches a platform: its own machines, and each Chaperone inside, as one stream of entries. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Hub } from '../../inspect/hub.ts';
import { JournalWriter } from '../../inspect/journal-writer.ts';
import { Transcript } from '../../inspect/transcript.ts';
import type { Engine } from '../engine/engine.ts';
import type { Platform } from '../runtime/platform.ts';
import type { Timers } from '../streams/engine-news.ts';
import { memberEntries, type PlatformSourceOptions, platformSource } from './platform-source.ts';
import { watchInside } from './watch-inside.ts';

export interface PlatformWatch {
  readonly hub: Hub;
  /** Prints each transition of the platform as it happens, and those of the services in its containers. */
  readonly print: (write: (text: string) => void, how: { readonly colour: boolean; readonly json: boolean }) => void;
  /** Records all entries in a file. @throws where it cannot be opened */
  readonly record: (file: string) => void;
  /** Resolves once each Chaperone that was found inside has told how it came up, or after a moment. */
  readonly settled: () => Promise<void>;
  /** Tells the last entry: how the command has ended. */
  readonly end: (exitStatus: number, cause: string) => void;
  readonly close: () => void;
}

export interface WatchOptions extends Omit<PlatformSourceOptions, 'platform'> {
  readonly platform: Platform;
  readonly engine: Pick<Engine, 'containers'>;
  readonly timers: Timers;
}

/** The most bytes of a recording. */
const journalSize = 256 << 20;

export function watchPlatform({ engine, timers, ...source }: WatchOptions): PlatformWatch {
  const { platform, epoch, known } = source;
  const hub = new Hub(platformSource(source));
  const closes: (() => void)[] = [];
  // It stays open as long as the platform is watched: what is told of the containers counts only then.
  closes.push(hub.watch({ records: true, onEntry: () => true }).close);
  const members = memberEntries(platform.actor.getSnapshot().context.members, known);
  const inside = watchInside({ engine, hub, feed: platform.feed, epoch, members, timers });
  closes.push(inside.close);
  return {
    hub,
    print: (write, { colour, json }) => {
      const transcript = new Transcript({ format: json ? 'json' : 'text', colour });
      const watch = hub.watch({
        onEntry: (entry) => {
          const text = transcript.write(entry);
          if (text !== '') write(text);
          return true;
        },
      });
      closes.push(watch.close);
    },
    record: (file) => {
      const fd = openSync(file, 'a');
      let written = 0;
      const target = {
        write: (text: string) => {
          written += Buffer.byteLength(text);
          writeSync(fd, text);
        },
        get room() {
          return journalSize - written;
        },
      };
      const writer = new JournalWriter(target, journalSize, () => {});
      const watch = hub.watch({
        records: true,
        onEntry: (entry) => {
          writer.write(entry);
          return true;
        },
      });
      closes.push(() => {
        watch.close();
        closeSync(fd);
      });
    },
    settled: inside.settled,
    end: (exitStatus, cause) => hub.tell({ type: '@chaperone.end', exitStatus, cause }),
    close: () => {
      for (const close of closes.reverse()) close();
    },
  };
}
