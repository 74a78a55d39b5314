/**
 * The sum of inspection entries: every actor and every service as they were at one instant. Replay, the page and the
 * comparison of boots fold the same entries with it; it needs nothing of Node, and no clock.
 *
 * A replica is changed in place, since a journal has many entries. A copy (`copyReplica`) costs one pointer an actor: what two
 * replicas share is cloned by the first of them that changes it.
 */

import type { StartTimes } from '../facts/critical-chain.ts';
import { hasStarted, systemActor } from '../facts/fact.ts';

import { type FirstStart, followStart, startTimes } from '../facts/first-start.ts';
import type { MoveFact } from '../facts/milestones.ts';
import { statePath } from '../facts/transition.ts';
import type { Json, JsonObject } from '../model/words/json.ts';
import {
  type BootEntry,
  type EndEntry,
  type Entry,
  isServiceMachine,
  type ServiceEntry,
  type SnapshotView,
} from './entry.ts';

export type EntryEvent = JsonObject & { readonly type: string };

/** One actor, alive or ended. */
export interface ReplicaActor {
  readonly sessionId: string;
  readonly parentId?: string;
  readonly name: string;
  /** The machine of its definition; absent where it is none. */
  readonly machine?: string;
  /** The service that it belongs to, by full name. */
  readonly service?: string;
  readonly snapshot: SnapshotView;
  /** `starting.settling`; empty where the actor is no machine. */
  readonly path: string;
  /** ms at which it came to `path`. */
  readonly since: number;
  /** ms at which it began, and at which it was no longer active. */
  readonly begun: number;
  readonly ended?: number;
  /** The last event of the actor, its sender, and its time. */
  readonly lastEvent?: { readonly at: number; readonly event: EntryEvent; readonly sourceId?: string };
  /** The entry that changed it last. */
  readonly seq: number;
}

/** One stay in one state. */
export interface Segment {
  /** The state's path. */
  readonly state: string;
  /** ms. */
  readonly from: number;
  /** ms; absent while it lasts. */
  readonly to?: number;
  /** The entry with which it began. */
  readonly seq: number;
  /** The event that led here. */
  readonly event?: EntryEvent;
  /** What the actor's context said as the state began. */
  readonly context?: JsonObject;
}

/** The past and the present of a service, or of the system. */
export interface Track {
  /** With its suffix; `system`. */
  readonly name: string;
  /** As it is configured; absent for the system, and for a service that a reload has removed. */
  readonly config?: ServiceEntry;
  /** Its actor; absent as long as it has none. */
  readonly sessionId?: string;
  /** In order, without gaps; the last one lasts. States that are left in the same step are not among them. */
  readonly segments: readonly Segment[];
  /** Absent before a service starts for the first time, and for the system. */
  readonly firstStart?: FirstStart;
}

/** A time of which entries are missing, in ms since chaperone began. */
export interface Gap {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** The sum of the entries up to `seq`. */
export interface Replica {
  /** The last entry that is in it; 0 before the first. */
  readonly seq: number;
  /** ms: when that was. */
  readonly at: number;
  readonly boot: BootEntry | undefined;
  readonly end: EndEntry | undefined;
  /** Entries that are missing, and where. */
  readonly lost: number;
  readonly gaps: readonly Gap[];
  /** Processes reaped that nobody had asked for. */
  readonly orphans: number;
  /** By session ids, in the order in which they began. */
  readonly actors: ReadonlyMap<string, ReplicaActor>;
  /** By full names, in the order of the configuration. */
  readonly services: ReadonlyMap<string, Track>;
  readonly system: Track;
  /** Charts by the names of their machines. */
  readonly definitions: ReadonlyMap<string, Json>;
}

/** Bounds for a replica that follows a system for days. */
export interface ReplicaBounds {
  /** Ended actors that are kept; all unless given. */
  readonly endedActors?: number;
  /** Segments that are kept of each track; all unless given. */
  readonly segments?: number;
}

/** Marks the replica that may change a record in place. */
type Owner = object;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface OwnActor extends Mutable<ReplicaActor> {
  owner: Owner;
}

interface OwnTrack extends Mutable<Track> {
  owner: Owner;
  segments: Segment[];
}

/** A replica that entries can be applied to. */
export interface LiveReplica extends Mutable<Replica> {
  actors: Map<string, OwnActor>;
  services: Map<string, OwnTrack>;
  system: OwnTrack;
  definitions: Map<string, Json>;
  /** Ended actors, the first to go first. */
  readonly ended: string[];
  readonly bounds: ReplicaBounds;
  owner: Owner;
}

export function createReplica(bounds: ReplicaBounds = {}): LiveReplica {
  const owner = {};
  return {
    seq: 0,
    at: 0,
    boot: undefined,
    end: undefined,
    lost: 0,
    gaps: [],
    orphans: 0,
    actors: new Map(),
    services: new Map(),
    system: { owner, name: 'system', segments: [] },
    definitions: new Map(),
    ended: [],
    bounds,
    owner,
  };
}

/** An independent replica of the same instant: a keyframe, or what goes on from one. */
export function copyReplica(replica: LiveReplica): LiveReplica {
  // From now on both replicas have to copy a record before they change it.
  replica.owner = {};
  return {
    ...replica,
    actors: new Map(replica.actors),
    services: new Map(replica.services),
    definitions: new Map(replica.definitions),
    ended: [...replica.ended],
    owner: {},
  };
}

/** ms since chaperone began at which the system was up; undefined if it never was. */
export function readyTime({ system }: Replica): number | undefined {
  return system.segments.find(({ state }) => state === 'up')?.from;
}

/** ms since chaperone began at which the boot was over: the system was up, or had begun to end; undefined while it goes on. */
export function bootOver({ system }: Replica): number | undefined {
  return system.segments.find(({ state }) => !state.startsWith('booting'))?.from;
}

/** The first starts of all services, as they were at an instant (ms since chaperone began). */
export function startsOf({ services }: Replica, now: number): readonly StartTimes[] {
  return [...services.values()].flatMap(({ name, firstStart, segments }) => {
    const times = startTimes(name, firstStart, now);
    if (times === undefined) return [];
    const isDown = times.ready !== undefined && times.lost !== undefined && !hasStarted(segments.at(-1)?.state ?? '');
    return [isDown ? { ...times, downAt: now } : times];
  });
}

/** Applies one entry. Entries come in order; a `@chaperone.boot` resets the replica. */
export function applyEntry(replica: LiveReplica, entry: Entry): void {
  if (entry.type === '@chaperone.boot') Object.assign(replica, createReplica(replica.bounds));
  const before = replica.at;
  replica.seq = entry.seq;
  replica.at = entry.at;
  switch (entry.type) {
    case '@chaperone.boot':
      replica.boot = entry;
      configure(replica, entry.services);
      break;
    case '@chaperone.reload':
      configure(replica, entry.services);
      break;
    case '@chaperone.definition':
      replica.definitions.set(entry.machine, entry.definition);
      break;
    case '@xstate.actor': {
      const { type: _type, seq, at, snapshot, ...rest } = entry;
      const actor: OwnActor = {
        owner: replica.owner,
        ...rest,
        snapshot,
        path: statePath(snapshot.value),
        since: at,
        begun: at,
        seq,
      };
      replica.actors.set(entry.sessionId, actor);
      own(replica, actor);
      break;
    }
    case '@xstate.event': {
      const actor = ownActor(replica, entry.sessionId);
      if (actor === undefined) break;
      const { at, event, sourceId } = entry;
      actor.lastEvent = { at, event, ...(sourceId === undefined ? {} : { sourceId }) };
      actor.seq = entry.seq;
      break;
    }
    case '@xstate.snapshot': {
      const actor = ownActor(replica, entry.sessionId);
      if (actor === undefined) break;
      step(replica, actor, entry.snapshot);
      break;
    }
    case '@chaperone.fact':
      if (entry.fact.type === 'orphan.reaped') replica.orphans += 1;
      if (entry.fact.type === 'moved') move(replica, entry.fact);
      break;
    case '@chaperone.lost':
      replica.lost += entry.count;
      replica.gaps = [...replica.gaps, { from: entry.from ?? before, to: entry.at, count: entry.count }];
      break;
    case '@chaperone.end':
      replica.end = entry;
      break;
    case '@chaperone.log':
      break;
  }
}

function step(replica: LiveReplica, actor: OwnActor, snapshot: SnapshotView): void {
  const from = actor.path;
  actor.snapshot = snapshot;
  actor.seq = replica.seq;
  actor.path = statePath(snapshot.value);
  if (actor.path !== from) actor.since = replica.at;
  if (snapshot.status !== 'active' && actor.ended === undefined) end(replica, actor);
}

function end(replica: LiveReplica, actor: OwnActor): void {
  actor.ended = replica.at;
  const { endedActors } = replica.bounds;
  if (endedActors === undefined) return;
  replica.ended.push(actor.sessionId);
  while (replica.ended.length > endedActors) {
    const oldest = replica.ended.shift();
    if (oldest !== undefined) replica.actors.delete(oldest);
  }
}

/** A track knows its actor. */
function own(replica: LiveReplica, actor: OwnActor): void {
  const track = trackOf(replica, actor);
  if (track !== undefined) track.sessionId = actor.sessionId;
}

/** Lets a segment of a track begin. */
function move(replica: LiveReplica, fact: MoveFact): void {
  const { actor, at, to, event, context } = fact;
  const track = actor === systemActor ? ownSystem(replica) : ownService(replica, actor);
  const firstStart = followStart(track.firstStart, fact);
  if (firstStart !== undefined) track.firstStart = firstStart;
  const last = track.segments.at(-1);
  if (last?.state === to) return;
  if (last !== undefined) track.segments[track.segments.length - 1] = { ...last, to: at };
  track.segments.push({
    state: to,
    from: at,
    seq: replica.seq,
    ...(event.type === 'xstate.init' ? {} : { event }),
    context,
  });
  const { segments } = replica.bounds;
  if (segments !== undefined && track.segments.length > segments) track.segments.shift();
}

function trackOf(replica: LiveReplica, { machine, service }: ReplicaActor): OwnTrack | undefined {
  if (machine === 'system' || machine === 'platform') return service === undefined ? ownSystem(replica) : undefined;
  if (!isServiceMachine(machine) || service === undefined) return undefined;
  return ownService(replica, service);
}

function configure(replica: LiveReplica, services: readonly ServiceEntry[]): void {
  const named = new Set(services.map(({ name }) => name));
  for (const name of replica.services.keys()) if (!named.has(name)) delete ownService(replica, name).config;
  for (const config of services) ownService(replica, config.name).config = config;
}

function ownSystem(replica: LiveReplica): OwnTrack {
  if (replica.system.owner !== replica.owner) replica.system = ownTrack(replica.system, replica.owner);
  return replica.system;
}

function ownService(replica: LiveReplica, name: string): OwnTrack {
  const known = replica.services.get(name);
  if (known?.owner === replica.owner) return known;
  const own = ownTrack(known ?? { name, segments: [] }, replica.owner);
  replica.services.set(name, own);
  return own;
}

function ownTrack(track: Track, owner: Owner): OwnTrack {
  return { ...track, segments: [...track.segments], owner };
}

function ownActor(replica: LiveReplica, sessionId: string): OwnActor | undefined {
  const known = replica.actors.get(sessionId);
  if (known === undefined || known.owner === replica.owner) return known;
  const own: OwnActor = { ...known, owner: replica.owner };
  replica.actors.set(sessionId, own);
  return own;
}
