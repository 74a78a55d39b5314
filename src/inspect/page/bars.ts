/** What is drawn in a row of the timeline: a bar for each stay in a state, and marks for what happened. */

import type { PublicState } from '../../model/service/public-state.ts';
import type { Segment } from '../replica.ts';
import { stateOfPath } from './instant.ts';
import type { Mark } from './recording.ts';
import type { Domain } from './scale.ts';
import { duration } from './words.ts';

/** Bars that are narrower than this many pixels are merged with their neighbours. */
const narrowest = 2;
/** Pixels that a character of a duration takes at most, and those beside it. */
const characterWidth = 6.2;
const textMargin = 10;

export interface Bar {
  readonly x: number;
  readonly width: number;
  readonly state: PublicState;
  /** True for a bar that stands for several that were too narrow. */
  readonly many: boolean;
  /** How long the stay in the state lasted, where there is room for it. */
  readonly text?: string;
}

interface Growing {
  readonly x: number;
  width: number;
  state: PublicState;
  many: boolean;
  readonly from: number;
  until: number;
}

export interface BarsOptions {
  readonly span: Domain;
  /** Pixels of the span. */
  readonly width: number;
  /** ms up to which the last state lasts. */
  readonly end: number;
  /** The shown instant: a state that lasts longer is told as it was known then. */
  readonly shown: number;
}

/** Turns segments into bars; neighbours that are too narrow to be seen are merged into one bar. */
export function barsOf(
  segments: readonly Segment[],
  { span: { from, to }, width, end, shown }: BarsOptions,
): readonly Bar[] {
  const bars: Growing[] = [];
  const scale = width / (to - from);
  for (let index = firstAfter(segments, from); index < segments.length; index += 1) {
    const segment = segments[index];
    if (segment === undefined || segment.from > to) break;
    const until = segment.to ?? end;
    const x = Math.max(0, (segment.from - from) * scale);
    const right = Math.min(width, (until - from) * scale);
    const state = stateOfPath(segment.state);
    const last = bars.at(-1);
    if (last !== undefined && last.state === state && !last.many) {
      last.width = Math.max(last.width, right - last.x);
      last.until = until;
      continue;
    }
    if (last !== undefined && right - x < narrowest && x - (last.x + last.width) < 0.5) {
      if (last.width <= narrowest * 2 || last.many) {
        last.many = last.many || last.state !== state;
        last.width = Math.max(last.width, right - last.x);
        if (severity[state] > severity[last.state]) last.state = state;
        continue;
      }
    }
    bars.push({ x, width: Math.max(narrowest, right - x), state, many: false, from: segment.from, until });
  }
  return bars.map(({ from: began, until, ...bar }) => {
    const text = bar.many ? undefined : textIn(bar.width, (began < shown ? Math.min(until, shown) : until) - began);
    return text === undefined ? bar : { ...bar, text };
  });
}

/** The index of the first segment that is not over before an instant. */
function firstAfter(segments: readonly Segment[], at: number): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((segments[middle]?.to ?? Number.POSITIVE_INFINITY) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function textIn(width: number, ms: number): string | undefined {
  const text = duration(ms);
  return text.length * characterWidth + textMargin <= width ? text : undefined;
}

/** A bar that was merged from several states shows the state with the highest number. */
const severity: Readonly<Record<PublicState, number>> = {
  disabled: 0,
  stopped: 0,
  pending: 1,
  exited: 2,
  ready: 3,
  starting: 4,
  stopping: 5,
  backoff: 6,
  failed: 7,
};

export interface DrawnMark {
  readonly kind: Mark['kind'];
  readonly x: number;
  readonly index: number;
  count: number;
}

/** The marks that are in sight; those of one kind that are too near to each other are counted together. */
export function marksOf(marks: readonly Mark[], { from, to }: Domain, width: number): readonly DrawnMark[] {
  const drawn: DrawnMark[] = [];
  const last = new Map<Mark['kind'], DrawnMark>();
  for (const { kind, at, index } of marks) {
    if (at < from || at > to) continue;
    const x = ((at - from) / (to - from)) * width;
    const before = last.get(kind);
    if (before !== undefined && x - before.x < 7) {
      before.count += 1;
      continue;
    }
    const mark = { kind, x, index, count: 1 };
    last.set(kind, mark);
    drawn.push(mark);
  }
  // Every restart spawns a process, so the mark of the restart stands for both.
  return drawn.filter(
    ({ kind, x }) => kind !== 'spawn' || !drawn.some((other) => other.kind === 'restart' && Math.abs(other.x - x) < 4),
  );
}

export function nearestMark(marks: readonly Mark[], at: number, within: number): Mark | undefined {
  let nearest: Mark | undefined;
  for (const mark of marks)
    if (
      Math.abs(mark.at - at) <= within &&
      Math.abs(mark.at - at) <= Math.abs((nearest?.at ?? Number.POSITIVE_INFINITY) - at)
    )
      nearest = mark;
  return nearest;
}
