/**
 * What an inspection is made of: one stream of entries, each plain JSON, in the order in which things happened. The journal
 * writes them one a line, the control socket and the page send them as they are, and replay folds them up again.
 *
 * Entries whose type begins with `@xstate.` say what XState reports of its actors, and become messages of `@statelyai/inspect`
 * by adding to them (`toWire`). What that format lacks is in those of `@chaperone.`.
 *
 * No entry holds the value of an environment variable, a whole command line, or anything of the configuration that is not
 * listed here, unless somebody asked to reveal it.
 */

import type { ShownFact } from '../facts/fact.ts';
import type { ConfiguredService } from '../facts/transitions.ts';
import type { Facility, Severity } from '../model/log/syslog-names.ts';
import type { Ties } from '../model/order/prerequisite.ts';
import type { Outputs } from '../model/service/output.ts';
import type { Json, JsonObject } from '../model/words/json.ts';

/**
 * The version of the format. It rises when a reader of the last version would misread new entries; a reader accepts only its
 * own version.
 */
export const entryVersion = 3;

interface EntryBase {
  /**
   * Counts from 1 in each boot. None is missing but where a `@chaperone.lost` or `unasked` says so.
   */
  readonly seq: number;
  /** How many numbers are missing right before this entry, since they belong to log records that were not asked for here. */
  readonly unasked?: number;
  /** ms since chaperone began, on its monotonic clock; never less than in the entry before. */
  readonly at: number;
}

/** The first entry of a boot. */
export interface BootEntry extends EntryBase {
  readonly type: '@chaperone.boot';
  readonly version: typeof entryVersion;
  /** Chaperone's. */
  readonly chaperone: string;
  /** Tells one boot from another: random, 128 bits in hexadecimal. */
  readonly boot: string;
  /** Unix ms at which `at` is 0. */
  readonly epoch: number;
  readonly hostname: string;
  readonly pid: number;
  /** The name of the project, where the entries are those of a platform: its services are containers, and what runs in them. */
  readonly project?: string;
  readonly services: readonly ServiceEntry[];
}

/** A reload has replaced what the boot entry says of services. */
export interface ReloadEntry extends EntryBase {
  readonly type: '@chaperone.reload';
  readonly services: readonly ServiceEntry[];
}

/** A service as it is configured. */
export interface ServiceEntry extends ConfiguredService {
  readonly enabled: boolean;
  /** Its `service_groups`. */
  readonly groups: readonly string[];
  /** Services, by full names, that have to be ready before it starts: the edges of the dependency graph. */
  readonly waitsFor: readonly string[];
  /** By the name of such a service: how it is waited for, where it is not simply to be ready. */
  readonly ties?: Ties;
  /** Counts from 0: its layer in the dependency graph. */
  readonly layer: number;
  readonly ignoreFailures: boolean;
  /** Where its output goes, if not all of it goes into the log. */
  readonly outputs?: Outputs;
  /** The whole command line, which may be secret: only where `--inspect-reveal` asked for it. */
  readonly command?: string;
  /** By name, the same. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * A machine's chart, as XState's `machine.definition` in JSON; before the first actor of it. `transitions` of a state has those
 * without an event, too (`eventType` is `""`); `on`, which says them again, is left out.
 */
export interface DefinitionEntry extends EntryBase {
  readonly type: '@chaperone.definition';
  /** `system`, `service`, `scheduled`, `unit`, `readiness`, `health`, `probe`. */
  readonly machine: string;
  readonly definition: Json;
}

/** The part of an actor's state that watchers may see. */
export interface SnapshotView {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  /** The state value of a machine: `"pending"`, `{"starting": "settling"}`. Absent for other actors. */
  readonly value?: Json;
  /** True if the actor leaves the state in the same step, so that it is never visible from outside. */
  readonly transient?: true;
  /** What of its context may be shown; for a service: `service`, `pid`, `restarts`, `cause`, `waitedFor` and the like. */
  readonly context?: JsonObject;
}

/** An actor begins, in the state to which it has come while it was made. */
export interface ActorEntry extends EntryBase {
  readonly type: '@xstate.actor';
  /** XState's, one an actor in each boot: `x:3`. */
  readonly sessionId: string;
  readonly parentId?: string;
  /** `system`, a service's name with its suffix, or what its parent calls it. */
  readonly name: string;
  /** The machine of its definition; absent where it is no machine but a callback or a promise. */
  readonly machine?: string;
  /** The service that it belongs to, by full name; absent for the system's own. */
  readonly service?: string;
  readonly snapshot: SnapshotView;
}

/** An event is delivered to an actor; a snapshot with the result follows. */
export interface EventEntry extends EntryBase {
  readonly type: '@xstate.event';
  readonly sessionId: string;
  /** Who sent it, where an actor did. */
  readonly sourceId?: string;
  /** With its type, and of the rest what may be shown. */
  readonly event: JsonObject & { readonly type: string };
}

/** A transition that a step has taken: paths of states. Without `to` it leads nowhere else. */
export interface Taken {
  readonly from: string;
  readonly to?: string;
}

/** An actor has taken a step: one for each microstep of a machine, before the effects of the step. */
export interface SnapshotEntry extends EntryBase {
  readonly type: '@xstate.snapshot';
  readonly sessionId: string;
  /** What caused the step. */
  readonly event: JsonObject & { readonly type: string };
  /** The transitions of the chart that the step has taken; absent where it took none, and for other actors than machines. */
  readonly taken?: readonly Taken[];
  readonly snapshot: SnapshotView;
}

/** A fact, with the fields that watchers may see. Facts from before the first watcher come right after the boot entry. */
export interface FactEntry extends EntryBase {
  readonly type: '@chaperone.fact';
  readonly fact: ShownFact;
}

/** A log record; only where records were asked for. */
export interface LogEntry extends EntryBase {
  readonly type: '@chaperone.log';
  readonly severity: Severity;
  readonly facility: Facility;
  readonly program: string;
  readonly pid?: number;
  /** The service that wrote it, where it is known; with its suffix. */
  readonly service?: string;
  readonly message: string;
}

/** Entries before this one were dropped, since a bound was reached. What is still known of that time stands before it. */
export interface LostEntry extends EntryBase {
  readonly type: '@chaperone.lost';
  readonly count: number;
  /** ms since chaperone began: the entries are missing from here on until `at`. Absent: from the entry before this one. */
  readonly from?: number;
}

/**
 * The sum of all entries before it: how each service came to its state, and the actors that live. It stands in journals alone, and
 * replaces what was taken out in front of it; where nothing is missing there, it tells nothing new. `seq` and `at` are those of the
 * last entry in it.
 */
export interface SumEntry extends EntryBase {
  readonly type: '@chaperone.sum';
  readonly entries: readonly Entry[];
}

/** The last entry of a boot that came to its end. */
export interface EndEntry extends EntryBase {
  readonly type: '@chaperone.end';
  readonly exitStatus: number;
  /** `system failed: store.service did not become ready`, or what ended it. */
  readonly cause: string;
}

export type Entry =
  | BootEntry
  | ReloadEntry
  | DefinitionEntry
  | ActorEntry
  | EventEntry
  | SnapshotEntry
  | FactEntry
  | LogEntry
  | LostEntry
  | EndEntry;

/**
 * The time of the server: a stream of entries begins with it, and brings it again and again, so that a reader knows the time also
 * when nothing happens. It is no entry, and has no number.
 */
export interface ClockLine {
  readonly type: '@chaperone.clock';
  /** ms since chaperone began. */
  readonly at: number;
}

/** True if this version of chaperone can read the entries of a boot with that version number, which may be any number. */
export function isReadable({ version }: { readonly version: number }): boolean {
  return version === entryVersion;
}

/** True for the machine of a service: cron and inetd services have one of their own, and so have the instances of a platform. */
export function isServiceMachine(machine: string | undefined): machine is 'service' | 'scheduled' | 'instance' {
  return machine === 'service' || machine === 'scheduled' || machine === 'instance';
}
