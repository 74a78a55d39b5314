/** Entries of a boot that nobody has made. */
import { type Entry, entryVersion, type ServiceEntry, type SnapshotView } from '../../src/inspect/entry.ts';
import type { News } from '../../src/inspect/hub.ts';

export function bootWith(services: readonly ServiceEntry[]): News {
  return {
    type: '@chaperone.boot',
    version: entryVersion,
    chaperone: '1.2.3',
    boot: 'b'.repeat(32),
    epoch: 1_000_000,
    hostname: 'box',
    pid: 1,
    services,
  };
}

export const bootNews = bootWith([]);

export function actorNews(sessionId: string, name: string, parentId?: string): News {
  const parent = parentId === undefined ? {} : { parentId };
  return { type: '@xstate.actor', sessionId, ...parent, name, snapshot: { status: 'active', value: 'pending' } };
}

export function stepNews(sessionId: string, value: string, status: SnapshotView['status'] = 'active'): News {
  return { type: '@xstate.snapshot', sessionId, event: { type: 'go' }, snapshot: { status, value } };
}

export const logNews: News = {
  type: '@chaperone.log',
  severity: 'info',
  facility: 'daemon',
  program: 'web',
  message: 'hello',
};

/** Gives each its number, and a time of its own. */
export function numbered(news: readonly News[]): readonly Entry[] {
  return news.map((each, index): Entry => ({ seq: index + 1, at: index * 10, ...each }));
}
