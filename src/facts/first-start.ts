/**
 * The first start of a service, as a fold over the service's moves. The live status, the terminal, the summary of a
 * journal and the page all use this one fold, so that they agree on what decided how long a boot took.
 */

import type { JsonObject } from '../model/words/json.ts';
import type { StartTimes } from './critical-chain.ts';
import { type EventView, hasStarted, isStart, textOf } from './fact.ts';

/** A move of a service, as far as the fold reads it. */
export interface StartMove {
  readonly seq: number;
  /** ms since chaperone began. */
  readonly at: number;
  /** The path of the state that the service has left; `nowhere` where its chart has only begun. */
  readonly from: string;
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
  /** True: the service had no start ahead of it until a person asked for this one. */
  readonly byHand?: true;
  /** Absent while the start lasts. Restarts after failures belong to the start. */
  readonly end?: StartEnd;
  /** When the outcome of the start ceased to hold: the service that was ready went down, or the failed one started again. */
  readonly lost?: Loss;
}

/** ms since chaperone began; `again` is when the next start began, and is absent as long as none did. */
export type Loss = NonNullable<StartTimes['lost']>;

/** Adds a move of the service; returns the same object where the move changes nothing of the first start. */
export function followStart(start: FirstStart | undefined, move: StartMove): FirstStart | undefined {
  const { seq, at, from, to } = move;
  if (start === undefined) {
    if (!isStart(to)) return undefined;
    const waitedFor = textOf(move.event, 'waitedFor') ?? textOf(move.context, 'waitedFor');
    // A service that was pending would have started in any case, whoever asked for it meanwhile.
    const byHand = from !== 'pending' && textOf(move.event, 'askedBy') === 'hand';
    return { seq, at, ...(waitedFor === undefined ? {} : { waitedFor }), ...(byHand ? { byHand } : {}) };
  }
  const { end, lost } = start;
  if (end === undefined) {
    const over = endOf(move);
    return over === undefined ? start : { ...start, end: over };
  }
  const starts = isStart(to);
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
  return ready ? hasStarted(to) : !isStart(to);
}

/** Why a service that was ready is so no longer. Only a failure leaves a cause in the context of the chart. */
function causeOfLoss({ event, context }: StartMove): string {
  return textOf(context, 'cause') ?? (textOf(event, 'why') === 'reload' ? 'a reload' : 'a stop');
}

/**
 * The times of a first start; undefined where there was none.
 *
 * @param now ms since chaperone began: up to here a start lasts that is not over
 */
export function startTimes(service: string, start: FirstStart | undefined, now: number): StartTimes | undefined {
  if (start === undefined) return undefined;
  const { at, waitedFor, byHand, end, lost } = start;
  return {
    service,
    started: at,
    ...(byHand === undefined ? {} : { byHand }),
    ...timesOfEnd(end, now),
    ...(waitedFor === undefined ? {} : { waitedFor }),
    ...(lost === undefined ? {} : { lost }),
  };
}

function timesOfEnd(end: StartEnd | undefined, now: number): Pick<StartTimes, 'ready' | 'failed' | 'lasts'> {
  if (end === undefined) return { lasts: now };
  return end.ready ? { ready: end.at } : { failed: { at: end.at, cause: end.cause } };
}
