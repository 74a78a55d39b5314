/** What a route of the HTTP API is: the table of routes is made of these, and the OpenAPI file describes them. */
import type { GrantedAction } from '../model/service/control-policy.ts';
import type { Given } from '../model/words/parameter.ts';
import { type Answer, exitStatuses, httpStatuses } from './answer.ts';
import type { Fields } from './fields.ts';
import type { Gate } from './gate.ts';
import type { Meter } from './meter.ts';
import type { ControlCounts } from './metrics.ts';
import type { Caller } from './rights.ts';
import type { SchemaName } from './schema.ts';

/** One parsed request. */
export interface Call {
  readonly gate: Gate;
  readonly caller: Caller;
  /** The service's name in the path. */
  readonly name: string;
  readonly given: Given;
  /** Aborted when the caller has gone. */
  readonly aborted: AbortSignal;
  readonly counts: () => ControlCounts;
  /** Counts the work of the request. */
  readonly meter: Meter;
}

/** Takes the events of a stream. */
export interface EventSink {
  send(event: string, value: unknown): void;
  readonly hasRoom: boolean;
  onDrain(callback: () => void): void;
  end(): void;
}

export interface JsonReply {
  readonly kind: 'json';
  readonly status: number;
  readonly value: unknown;
}

export type Reply =
  | JsonReply
  | { readonly kind: 'text'; readonly type: string; readonly text: string }
  /**
   * `begin` returns what ends the stream. `patient`: a reader may pause as long as it likes, since what waits for it is bounded, and it is
   * told what it has missed.
   */
  | { readonly kind: 'events'; readonly patient?: true; readonly begin: (sink: EventSink) => () => void };

export interface Route {
  readonly method: 'GET' | 'POST';
  /** With at most one `{name}`. */
  readonly path: string;
  readonly id: string;
  readonly summary: string;
  /** The rights that the caller needs beyond reading the status. */
  readonly needs: readonly GrantedAction[];
  /** The parameters: in the query of a GET, in the body of a POST. */
  readonly fields: Fields;
  readonly gives:
    | { readonly kind: 'schema'; readonly name: SchemaName; readonly list?: true }
    | { readonly kind: 'object' }
    | { readonly kind: 'text'; readonly type: string }
    | { readonly kind: 'events' };
  /** The further rights that the caller needs if it gives that field. */
  readonly needsWith?: Readonly<Record<string, readonly GrantedAction[]>>;
  readonly handle: (call: Call) => Promise<Reply> | Reply;
}

/** An answer as the body of a response. */
export function answer(given: Answer): JsonReply {
  return json({ ...given, exitStatus: exitStatuses[given.kind] }, httpStatuses[given.kind]);
}

export function json(value: unknown, status = 200): JsonReply {
  return { kind: 'json', status, value };
}
