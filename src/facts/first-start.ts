/**
 * The first start of a service, as a fold over the service's moves. The live status, the terminal, the summary of a
 * journal and the page all use this one fold, so that they agree on what decided how long a boot took.
 */

import type { JsonObject } from '../model/words/json.ts';
import type { StartTimes } from './critical-chain.ts';
import { type EventView, hasStarted, textOf } from './fact.ts';

/** A move of a service, as far as the fold reads it. */
export interface StartMove {
  readonly seq: number;
  /** ms since chaperone began. */
  readonly at: number;
  /** The path of the state that the service has come to. */
  readonly to: string;
  readonly event: EventView;
  readonly context: JsonObject;
}

/** How a first start was over: the service was ready, or the start had failed or was stopped. */
export type StartEnd =
  | { readonly at: number; readonly ready: true }
  | { readonly at: number; readonly ready: false; readonly cause: string };

/** The first start of a service: a fixed number of values. */
export interface FirstStart {
  /** The number of the move with which the start began. */
  readonly seq: number;
  /** ms since chaperone began. */
  readonly at: number;
  /** The full name of the prerequisite that released the service, if the service had to wait for one. */
  readonly waitedFor?: string;
  /** Absent while the start lasts. Restarts after failures belong to the start. */
  readonly end?: StartEnd;
  /** When the outcome of the start ceased to hold: the service that was ready went down, or the failed one started again. */
  readonly lost?: Loss;
}

/** ms since chaperone began; `again` is when the next start began, and is absent as long as none did. */
export type Loss = NonNullable<StartTimes['lost']>;

/** Adds a move of the service; returns the same object where the move changes nothing of the first start. */
export function followStart(start: FirstStart | undefined, move: StartMove): FirstStart | undefined {
  const { seq, at, to } = move;
  if (start === undefined) {
    if (!to.startsWith('starting')) return undefined;
    const waitedFor = textOf(move.event, 'waitedFor') ?? textOf(move.context, 'waitedFor');
    return { seq, at, ...(waitedFor === undefined ? {} : { waitedFor }) };
  }
  const { end, lost } = start;
  if (end === undefined) {
    const over = endOf(move);
    return over === undefined ? start : { ...start, end: over };
  }
  const starts = to.startsWith('starting');
  if (lost === undefined) {
    if (holds(end, to)) return start;
    return {
      ...start,
      lost: { at, cause: end.ready ? causeOfLoss(move) : end.cause, ...(starts ? { again: at } : {}) },
    };
  }
  return lost.again === undefined && starts ? { ...start, lost: { ...lost, again: at } } : start;
}

function endOf({ at, to, context }: StartMove): StartEnd | undefined {
  if (hasStarted(to)) return { at, ready: true };
  if (to !== 'failed' && to !== 'stopped') return undefined;
  return { at, ready: false, cause: textOf(context, 'cause') ?? 'it was stopped' };
}

/** True if the outcome of a start still holds in this state. */
function holds({ ready }: StartEnd, to: string): boolean {
  return ready ? hasStarted(to) : !to.startsWith('starting');
}

/** Why a service that was ready is so no longer. Only a failure leaves a cause in the context of the chart. */
function causeOfLoss({ event, context }: StartMove): string {
  return textOf(context, 'cause') ?? (textOf(event, 'why') === 'reload' ? 'a reload' : 'a stop');
}

/** The times of a first start that is over; undefined while it lasts, and where there was none. */
export function startTimes(service: string, start: FirstStart | undefined): StartTimes | undefined {
  if (start?.end === undefined) return undefined;
  const { at, waitedFor, end, lost } = start;
  return {
    service,
    started: at,
    ...(end.ready ? { ready: end.at } : { failed: { at: end.at, cause: end.cause } }),
    ...(waitedFor === undefined ? {} : { waitedFor }),
    ...(lost === undefined ? {} : { lost }),
  };
}
