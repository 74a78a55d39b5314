/**
 * The events of a system as facts. Each fact is made once, where the event happens, with its time and the number of the
 * fact that caused it. Log lines, status, history, metrics, the host's notifications and every inspector are folds over
 * these facts.
 *
 * A chart reports its stage (`moved`); the ledger reports what matters to people (the notices of the system machine);
 * the edge reports processes, signals and requests. No fact holds the value of an environment variable or a command
 * line.
 */
import { type ExitStatus, isNormal } from '../model/service/exit-status.ts';
import type { ProbePurpose } from '../model/service/probe.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { SystemNotice } from '../model/service/system-notice.ts';
import type { Json, JsonObject } from '../model/words/json.ts';

/** An event, reduced to the fields that may be shown. */
export interface EventView extends JsonObject {
  readonly type: string;
}

/** The name of the system among the actors of facts; services have their full names. */
export const systemActor = 'system';

/** The `from` of a chart's first move. */
export const nowhere = '─';

/** A chart has come to another state. */
export interface Moved {
  readonly type: 'moved';
  /** The full name of a service, or `system`. */
  readonly actor: string;
  /** State paths such as `starting.settling`; `nowhere` where the chart has only begun. */
  readonly from: string;
  readonly to: string;
  /** The event that caused the move; XState's own events begin with `xstate.`. */
  readonly event: EventView;
  /** The fields of the chart's context that may be shown: `service`, `pid`, `cause`, `waitedFor` and others. */
  readonly context: JsonObject;
}

/** A service has sent a message on its notify socket that is more than WATCHDOG=1. */
export interface Notified {
  readonly type: 'notified';
  readonly service: string;
  readonly message: JsonObject;
}

/** A probe of a service has come to another result, or fails and has not yet failed for good. */
export interface Probed {
  readonly type: 'probed';
  readonly service: string;
  readonly purpose: ProbePurpose;
  /** Without arguments and headers: `http http://localhost/health`. */
  readonly probe: string;
  readonly passed: boolean;
  /** `503 in 12 ms`; never the output of a command. */
  readonly reason: string;
  /** Failures that count, in a row. */
  readonly failures: number;
  /** How many of them make the service unhealthy; for a start, 0. */
  readonly retries: number;
}

export type ProcessFact =
  /** A process was started for a service, or for one of its runs. `hook`: for which of its hooks, `before_start 1 of 2`. */
  | { readonly type: 'run.began'; readonly service: string; readonly pid: number; readonly hook?: string }
  | {
      readonly type: 'run.ended';
      readonly service: string;
      readonly pid: number;
      readonly status: ExitStatus;
      readonly hook?: string;
      /** True where `success_exit` makes a normal end of it. */
      readonly normal?: true;
    }
  /** A process has ended that chaperone had not started for a service. */
  | { readonly type: 'orphan.reaped'; readonly pid: number; readonly status: ExitStatus }
  /** A command beside the services was started. */
  | { readonly type: 'command.began'; readonly pid: number }
  | { readonly type: 'command.ended'; readonly pid: number; readonly status: ExitStatus };

export type RequestFact =
  /** Somebody has made this request by a command. */
  | { readonly type: 'requested'; readonly verb: RequestVerb; readonly services: readonly string[] }
  | { readonly type: 'reloaded' }
  | { readonly type: 'signalled'; readonly signal: SignalName };

export type RequestVerb =
  | 'start'
  | 'stop'
  | 'restart'
  | 'reset'
  | 'enable'
  | 'disable'
  | 'kill'
  | 'run-now'
  | 'reload'
  | 'scale'
  | 'shutdown';

/** Everything that can happen, before it has its number and its time. */
export type Happening = Moved | Notified | Probed | ProcessFact | RequestFact | SystemNotice;

interface Told {
  /** The number of the fact, counted from 1 since chaperone began. */
  readonly seq: number;
  /** When the fact was noticed: ms since chaperone began, on a clock that never stops and never goes back. */
  readonly at: number;
  /** The number of the earlier fact that caused this one, where it is known. */
  readonly by?: number;
}

export type Fact = Told & Happening;

/** True where the process has exited with 0, or as `success_exit` says. */
export function hasEndedWell({ status, normal }: Extract<ProcessFact, { readonly type: 'run.ended' }>): boolean {
  return normal === true || isNormal(status);
}

/** A fact that inspectors are shown and that journals hold. */
export type ShownFact = Told & (Moved | Notified | Probed | ProcessFact | RequestFact);

export function isShown(fact: Fact): fact is ShownFact {
  switch (fact.type) {
    case 'moved':
    case 'notified':
    case 'probed':
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

/** True for notices of the system machine; all other facts are shown to inspectors. */
export function isNotice(fact: Fact): fact is Told & SystemNotice {
  return !isShown(fact);
}

/** The services that a fact is about. */
export function servicesOf(fact: Happening): readonly string[] {
  if (fact.type === 'moved') return fact.actor === systemActor ? [] : [fact.actor];
  if (fact.type === 'requested') return fact.services;
  return 'service' in fact ? [fact.service] : [];
}

/** True in the states of a service that has started: it is ready, or has ended normally at any time. */
export function hasStarted(path: string): boolean {
  return path.startsWith('ready') || path === 'exited';
}

/** True in the states of a service, or of a container, in which its start is under way. */
export function isStart(path: string): boolean {
  return path.startsWith('starting') || path === 'creating' || path.startsWith('running');
}

/** True in the states in which a service's first start is over: it has started, the start has failed, or it was stopped. */
export function endsStart(path: string): boolean {
  // `disabled` is where a start leads that was skipped.
  return hasStarted(path) || path === 'failed' || path === 'stopped' || path === 'disabled';
}

/** The text under a key of a view; undefined where there is none. */
export function textOf(view: JsonObject, key: string): string | undefined {
  const value: Json | undefined = view[key];
  return typeof value === 'string' ? value : undefined;
}
