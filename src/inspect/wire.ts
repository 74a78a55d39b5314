/** The messages of `@statelyai/inspect`, which its tools read: one JSON object each. */

import { isObject, type Json, type JsonObject } from '../model/words/json.ts';
import type { ActorEntry, Entry, SnapshotView } from './entry.ts';
import { Registry } from './registry.ts';

interface WireBase {
  readonly sessionId: string;
  readonly rootId: string | undefined;
  /** Unix ms, as text. */
  readonly createdAt: string;
  readonly id: string;
  /** Of that package. */
  readonly _version: string;
}

export interface WireSnapshot {
  readonly status: SnapshotView['status'];
  readonly value?: Json;
  readonly context: JsonObject;
}

export type WireMessage =
  | (WireBase & {
      readonly type: '@xstate.actor';
      readonly name: string;
      readonly snapshot: WireSnapshot;
      /** The configuration of its machine, as JSON. */
      readonly definition: string;
      readonly parentId: string | undefined;
    })
  | (WireBase & {
      readonly type: '@xstate.event';
      readonly event: JsonObject & { readonly type: string };
      readonly sourceId: string | undefined;
    })
  | (WireBase & {
      readonly type: '@xstate.snapshot';
      readonly event: JsonObject & { readonly type: string };
      readonly snapshot: WireSnapshot;
    });

/** The version of `@statelyai/inspect` whose messages these are. */
const wireVersion = '0.7.2';

/**
 * @param registry what the entries have led to, this one among them
 * @returns undefined where that format has nothing for it
 */
export function toWire(entry: Entry, registry: Registry): WireMessage | undefined {
  switch (entry.type) {
    case '@xstate.actor':
      return {
        type: entry.type,
        ...baseOf(entry, registry),
        name: entry.name,
        snapshot: snapshotOf(entry.snapshot),
        definition: JSON.stringify(chartOf(entry, registry)),
        parentId: entry.parentId,
      };
    case '@xstate.event':
      return {
        type: entry.type,
        ...baseOf(entry, registry),
        event: entry.event,
        sourceId: entry.sourceId,
      };
    case '@xstate.snapshot':
      return {
        type: entry.type,
        ...baseOf(entry, registry),
        event: entry.event,
        snapshot: snapshotOf(entry.snapshot),
      };
    case '@chaperone.boot':
    case '@chaperone.reload':
    case '@chaperone.definition':
    case '@chaperone.fact':
    case '@chaperone.log':
    case '@chaperone.lost':
    case '@chaperone.end':
      return undefined;
  }
}

/** The messages of a recorded boot. */
export function* messagesOf(entries: Iterable<Entry>): Generator<WireMessage> {
  const registry = new Registry();
  for (const entry of entries) {
    registry.apply(entry);
    const message = toWire(entry, registry);
    if (message !== undefined) yield message;
  }
}

function baseOf(entry: Entry & { readonly sessionId: string }, registry: Registry): WireBase {
  const { sessionId, seq, at } = entry;
  const createdAt = String(Math.round((registry.boot?.epoch ?? 0) + at));
  return { sessionId, rootId: registry.root, createdAt, id: String(seq), _version: wireVersion };
}

function snapshotOf({ status, value, context = {} }: SnapshotView): WireSnapshot {
  return { status, ...(value === undefined ? {} : { value }), context };
}

/** Those tools make a machine of it: they want a configuration, where the entry has what XState made of one. */
function chartOf({ machine, name }: ActorEntry, registry: Registry): Json {
  const definition = machine === undefined ? undefined : registry.definition(machine)?.definition;
  return isObject(definition) ? configOf(definition) : { id: name };
}

function configOf(node: JsonObject): JsonObject {
  const { id, type, initial, transitions, entry, exit, tags, states } = node;
  const { '': always, ...on } = byEvent(transitions);
  const inner = isObject(states) ? Object.entries(states) : [];
  return {
    ...(id === undefined ? {} : { id }),
    ...(type === 'final' || type === 'parallel' || type === 'history' ? { type } : {}),
    ...(inner.length === 0 ? {} : { initial: initialOf(initial) }),
    ...(Object.keys(on).length === 0 ? {} : { on }),
    ...(always === undefined ? {} : { always }),
    ...(isList(entry) && entry.length > 0 ? { entry } : {}),
    ...(isList(exit) && exit.length > 0 ? { exit } : {}),
    ...(isList(tags) && tags.length > 0 ? { tags } : {}),
    ...(inner.length === 0
      ? {}
      : { states: Object.fromEntries(inner.map(([key, state]) => [key, isObject(state) ? configOf(state) : {}])) }),
  };
}

/** The key of the state in which one begins. */
function initialOf(initial: Json | undefined): Json {
  const target = isObject(initial) && isList(initial['target']) ? initial['target'][0] : undefined;
  return typeof target === 'string' ? (target.split('.').at(-1) ?? '') : '';
}

function byEvent(transitions: Json | undefined): Readonly<Record<string, readonly JsonObject[]>> {
  const groups: Record<string, JsonObject[]> = {};
  for (const transition of isList(transitions) ? transitions : []) {
    if (!isObject(transition)) continue;
    const { eventType, target, guard, actions, reenter } = transition;
    const group = groups[String(eventType)] ?? [];
    groups[String(eventType)] = group;
    group.push({
      ...(isList(target) && target.length > 0 ? { target } : {}),
      ...(guard === undefined ? {} : { guard }),
      ...(isList(actions) && actions.length > 0 ? { actions } : {}),
      ...(reenter === true ? { reenter } : {}),
    });
  }
  return groups;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}
