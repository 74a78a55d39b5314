/**
 * What happens in a system, as facts: each is made once, where it happens, with its time and with the fact that it comes of. Log
 * words, status, history, metrics, the host's notifications and whatever is watched are folds over them.
 *
 * A chart says where it stands (`moved`); the ledger says what counts (the notices of the system machine); the edge says what it
 * has seen or was asked (processes, signals, requests). No fact holds the value of an environment variable or a command line.
 */
import type { ExitStatus } from '../model/service/exit-status.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { SystemNotice } from '../model/service/system-notice.ts';
import type { Json, JsonObject } from '../model/words/json.ts';

/** An event, with what may be seen of it. */
export interface EventView extends JsonObject {
  readonly type: string;
}

/** The name of the system among the actors of facts; services have their full names. */
export const systemActor = 'system';

/** A chart has come to another state. */
export interface Moved {
  readonly type: 'moved';
  /** The full name of a service, or `system`. */
  readonly actor: string;
  /** State paths such as `starting.settling`; `─` where it has only begun. */
  readonly from: string;
  readonly to: string;
  /** The event that led there; XState's own begin with `xstate.`. */
  readonly event: EventView;
  /** What of the chart's context may be shown: `service`, `pid`, `restarts`, `cause`, `waitedFor` and the like. */
  readonly context: JsonObject;
}

/** A service has said something on its notify socket, other than that it is alive. */
export interface Notified {
  readonly type: 'notified';
  readonly service: string;
  readonly message: JsonObject;
}

export type ProcessFact =
  /** A process of a service, or of one of its runs, was started. */
  | { readonly type: 'run.began'; readonly service: string; readonly pid: number }
  | { readonly type: 'run.ended'; readonly service: string; readonly pid: number; readonly status: ExitStatus }
  /** A process has ended that no service had started. */
  | { readonly type: 'orphan.reaped'; readonly pid: number; readonly status: ExitStatus }
  /** A command beside the services. */
  | { readonly type: 'command.began'; readonly pid: number }
  | { readonly type: 'command.ended'; readonly pid: number; readonly status: ExitStatus };

export type RequestFact =
  /** Somebody has asked for this by a command. */
  | { readonly type: 'requested'; readonly verb: RequestVerb; readonly services: readonly string[] }
  | { readonly type: 'reloaded' }
  | { readonly type: 'signalled'; readonly signal: SignalName };

export type RequestVerb = 'start' | 'stop' | 'restart' | 'reset' | 'enable' | 'disable' | 'kill' | 'shutdown';

/** What can happen, before it has its number and its time. */
export type Happening = Moved | Notified | ProcessFact | RequestFact | SystemNotice;

interface Told {
  /** Counts from 1 since chaperone began. */
  readonly seq: number;
  /** ms since chaperone began, on a clock that never stands still and never goes back: when it was seen. */
  readonly at: number;
  /** The number of the fact that it comes of, where one is known; it came before. */
  readonly by?: number;
}

export type Fact = Told & Happening;

/** A fact that watchers are told of, and journals hold. */
export type ShownFact = Told & (Moved | Notified | ProcessFact | RequestFact);

export function isShown(fact: Fact): fact is ShownFact {
  switch (fact.type) {
    case 'moved':
    case 'notified':
    case 'run.began':
    case 'run.ended':
    case 'orphan.reaped':
    case 'command.began':
    case 'command.ended':
    case 'requested':
    case 'reloaded':
    case 'signalled':
      return true;
    default:
      return false;
  }
}

/** True for what the system machine says; all else is shown. */
export function isNotice(fact: Fact): fact is Told & SystemNotice {
  return !isShown(fact);
}

/** The services that a fact is about. */
export function servicesOf(fact: Happening): readonly string[] {
  if (fact.type === 'moved') return fact.actor === systemActor ? [] : [fact.actor];
  if (fact.type === 'requested') return fact.services;
  return 'service' in fact ? [fact.service] : [];
}

/** True in the states in which a service has started: ready, or ended normally, at whatever time. */
export function hasStarted(path: string): boolean {
  return path.startsWith('ready') || path === 'exited';
}

/** The text of that name in what may be shown; undefined where there is none. */
export function textOf(view: JsonObject, key: string): string | undefined {
  const value: Json | undefined = view[key];
  return typeof value === 'string' ? value : undefined;
}
