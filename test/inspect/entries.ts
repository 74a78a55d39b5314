/** Entries of a boot that nobody has made. */

import { statePath } from '../../src/facts/transition.ts';
import {
  type Entry,
  entryVersion,
  isServiceMachine,
  type ServiceEntry,
  type SnapshotView,
} from '../../src/inspect/entry.ts';
import type { News } from '../../src/inspect/hub.ts';
import type { Json, JsonObject } from '../../src/model/words/json.ts';

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

/** Adds behind each entry the fact that a chart says where its actor's state changes, with the same number and time. */
export function withFacts(entries: readonly Entry[]): readonly Entry[] {
  const known = new Map<string, { readonly actor: string; path: string }>();
  return entries.flatMap((entry): readonly Entry[] => {
    const { seq, at } = entry;
    if (entry.type === '@xstate.actor') {
      if (entry.machine !== 'system' && !isServiceMachine(entry.machine)) return [entry];
      const actor = entry.machine === 'system' ? 'system' : (entry.service ?? entry.name);
      known.set(entry.sessionId, { actor, path: '─' });
    }
    if (entry.type !== '@xstate.actor' && entry.type !== '@xstate.snapshot') return [entry];
    const own = known.get(entry.sessionId);
    if (own === undefined) return [entry];
    const { actor, path: from } = own;
    const event = entry.type === '@xstate.actor' ? { type: 'xstate.init' } : entry.event;
    const { value, context = {}, transient } = entry.snapshot;
    const place = { type: '@chaperone.fact', seq, at } as const;
    const message = event['message'];
    const said: readonly Entry[] =
      event.type === 'notify.received' && isObject(message)
        ? [{ ...place, fact: { type: 'notified', seq, at, service: actor, message } }]
        : [];
    const to = statePath(value);
    if (transient === true || to === from || to === '') return [entry, ...said];
    own.path = to;
    return [entry, ...said, { ...place, fact: { type: 'moved', seq, at, actor, from, to, event, context } }];
  });
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same with numbers of their own. */
export function renumbered(entries: readonly Entry[]): readonly Entry[] {
  return entries.map((entry, index) => ({ ...entry, seq: index + 1 }));
}
