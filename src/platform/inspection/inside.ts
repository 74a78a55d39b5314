/** What the Chaperone in a container tells, as a part of what its platform tells: names and actors get the instance's name in front. */
import type { Fact } from '../../facts/fact.ts';
import { systemActor } from '../../facts/fact.ts';
import type { Entry, ServiceEntry } from '../../inspect/entry.ts';
import type { News } from '../../inspect/hub.ts';
import { shortName } from '../../model/service/service-spec.ts';
import type { Json, JsonObject } from '../../model/words/json.ts';
import type { InstanceKey } from '../model/instance.ts';

/** The name of a service of a container, beside those of other containers: `api-2/migrations`. */
export function insideName(key: InstanceKey, service: string): string {
  return `${key}/${shortName(service)}`;
}

/** The name of the system in a container. */
export function insideSystem(key: InstanceKey): string {
  return `${key}/chaperone`;
}

export interface Inside {
  /** The services of the container as they are configured; empty before its boot was told. */
  readonly services: () => readonly ServiceEntry[];
  /** @returns what the platform's hub is told of it; empty for what is of no interest there */
  readonly take: (entry: Entry) => readonly News[];
}

/**
 * @param epoch of the platform: Unix ms at which its time is 0
 * @param layer of the instance in the platform's graph: what is inside stands behind it
 */
export function insideOf(key: InstanceKey, epoch: number, layer: number): Inside {
  let services: readonly ServiceEntry[] = [];
  /** ms of the platform's time at which the container's own time is 0. */
  let shift = 0;
  let boot = '';
  /** The numbers of facts are the container's own: those of the platform are others. */
  const session = (id: string): string => `${key}/${boot}/${id}`;
  const configure = (told: readonly ServiceEntry[]): void => {
    const own = told.map(
      (service): ServiceEntry => ({
        ...service,
        name: insideName(key, service.name),
        waitsFor: service.waitsFor.map((other) => insideName(key, other)),
        groups: [key, ...service.groups],
        layer: layer + 1 + service.layer,
      }),
    );
    services = [systemEntry(key, layer, own), ...own];
  };
  return {
    services: () => services,
    take: (entry) => {
      const at = Math.max(0, entry.at + shift);
      switch (entry.type) {
        case '@chaperone.boot':
          boot = entry.boot.slice(0, 8);
          shift = entry.epoch - epoch;
          configure(entry.services);
          return [];
        case '@chaperone.reload':
          configure(entry.services);
          return [];
        case '@chaperone.fact': {
          const fact = factOf(key, entry.fact, at);
          return fact === undefined ? [] : [{ type: '@chaperone.fact', at, fact }];
        }
        case '@chaperone.log': {
          const { severity, facility, program, pid, service, message } = entry;
          return [
            {
              ...{ type: entry.type, at, severity, facility, program: `${key}/${program}`, message },
              ...(pid === undefined ? {} : { pid }),
              ...(service === undefined ? {} : { service: insideName(key, service) }),
            },
          ];
        }
        case '@xstate.actor': {
          const { parentId, service, seq: _seq, ...rest } = entry;
          const isRoot = parentId === undefined;
          return [
            {
              ...rest,
              at,
              sessionId: session(entry.sessionId),
              name: isRoot ? insideSystem(key) : insideName(key, entry.name),
              ...(isRoot ? {} : { parentId: session(parentId) }),
              ...(service === undefined ? { service: insideSystem(key) } : { service: insideName(key, service) }),
            },
          ];
        }
        case '@xstate.event': {
          const { sourceId, seq: _seq, ...rest } = entry;
          const source = sourceId === undefined ? {} : { sourceId: session(sourceId) };
          return [{ ...rest, at, sessionId: session(entry.sessionId), event: eventOf(key, entry.event), ...source }];
        }
        case '@xstate.snapshot': {
          const { seq: _seq, ...rest } = entry;
          return [{ ...rest, at, sessionId: session(entry.sessionId), event: eventOf(key, entry.event) }];
        }
        case '@chaperone.definition': {
          const { machine, definition } = entry;
          return [{ type: entry.type, at, machine, definition }];
        }
        case '@chaperone.lost':
        case '@chaperone.end':
          return [];
      }
    },
  };
}

/** The system of a container, as one more service: it is up once all others are. */
function systemEntry(key: InstanceKey, layer: number, services: readonly ServiceEntry[]): ServiceEntry {
  return {
    name: insideSystem(key),
    type: 'simple',
    program: 'chaperone',
    killSignal: 'SIGTERM',
    startupPause: 0,
    enabled: true,
    groups: [key],
    waitsFor: services.filter(({ enabled }) => enabled).map(({ name }) => name),
    layer: Math.max(layer, ...services.map((service) => service.layer)) + 1,
    ignoreFailures: false,
  };
}

/** States of a system, in the words of services: those who read entries know them. */
const systemStages: readonly (readonly [begins: string, stage: string])[] = [
  ['booting', 'starting'],
  ['up', 'ready.running'],
  ['draining', 'stopping'],
  ['halted', 'stopped'],
];

/** Undefined for facts that have no place among those of a platform. */
function factOf(
  key: InstanceKey,
  fact: Fact,
  at: number,
): Extract<News, { type: '@chaperone.fact' }>['fact'] | undefined {
  // Causes are numbers of the container's own facts.
  const place = { seq: fact.seq, at };
  switch (fact.type) {
    case 'moved': {
      const event = eventOf(key, fact.event);
      const context = contextOf(key, fact.context);
      const { from, to } = fact;
      if (fact.actor !== systemActor) {
        return { type: 'moved', ...place, actor: insideName(key, fact.actor), from, to, event, context };
      }
      const stage = systemStages.find(([begins]) => to.startsWith(begins))?.[1] ?? to;
      const detail = to.startsWith('up') ? `ready in ${(fact.at / 1000).toFixed(3)} s` : to;
      return { type: 'moved', ...place, actor: insideSystem(key), from, to: stage, event, context: { detail } };
    }
    case 'notified':
      return { type: 'notified', ...place, service: insideName(key, fact.service), message: fact.message };
    case 'probed': {
      const { by: _by, ...rest } = fact;
      return { ...rest, ...place, service: insideName(key, fact.service) };
    }
    case 'run.began':
    case 'run.ended': {
      const { by: _by, ...rest } = fact;
      return { ...rest, ...place, service: insideName(key, fact.service) };
    }
    default:
      return undefined;
  }
}

function eventOf<E extends JsonObject & { readonly type: string }>(key: InstanceKey, event: E): E {
  const { waitedFor } = event;
  return typeof waitedFor === 'string' ? { ...event, waitedFor: insideName(key, waitedFor) } : event;
}

function contextOf(key: InstanceKey, context: JsonObject): JsonObject {
  const { waitedFor } = context;
  const waited: Json | undefined = typeof waitedFor === 'string' ? insideName(key, waitedFor) : undefined;
  return waited === undefined ? context : { ...context, waitedFor: waited };
}
