/**
 * What went wrong, as a fold over the states of all services: when a service failed and why, how long it was down, and what became
 * of the services that wait for it. Commands, recordings and the page use this one fold.
 */

import { shortName } from '../model/service/service-spec.ts';
import { describeDuration } from '../model/words/duration.ts';
import { oneLine } from '../model/words/printable.ts';
import { hasStarted } from './fact.ts';

/** A stay of a service in one state. */
export interface Stay {
  /** The path of the state, such as `starting.settling`. */
  readonly state: string;
  /** ms since chaperone began. */
  readonly from: number;
  /** The event that led to the state, where there was one. */
  readonly event?: string;
  /** Why the service has failed, where it has. */
  readonly cause?: string;
}

/** What a service did, in order. */
export interface Course {
  /** With its suffix. */
  readonly name: string;
  /** The full names of the services that it waits for. */
  readonly waitsFor: readonly string[];
  readonly stays: readonly Stay[];
}

/** The fate of a service that needs the failed one: it went on, went down as well, or was not started meanwhile. */
export interface Behind {
  /** With its suffix. */
  readonly service: string;
  readonly fate: 'kept' | 'down' | 'waited';
  /** ms; 0 where the service went on. */
  readonly for: number;
}

export interface Incident {
  /** With its suffix. */
  readonly service: string;
  /** ms since chaperone began. */
  readonly at: number;
  readonly cause: string;
  /** ms since chaperone began at which the service was up again; absent while it is not, and where it was stopped. */
  readonly up?: number;
  /** ms for which the service was down, in all. */
  readonly down: number;
  /** True: somebody has stopped the service while it was down. */
  readonly stopped?: true;
  /** True: the service was down for longer than `down`, but how much longer is not known. */
  readonly atLeast?: true;
  /** How often the service has failed. */
  readonly times: number;
  /** ms since chaperone began of its last failure. */
  readonly last: number;
  readonly behind: readonly Behind[];
  /** The last thing that the service had written before, where that is known. */
  readonly before?: string;
}

/** The state of a stay of which nothing is known: what happened then was not kept. */
export const unknownState = 'unknown';

/** ms: a service that fails again so soon after it was up is still in the same incident. */
const pause = 60_000;

/** ms: a service that had to wait for less was not held up. */
const shortest = 50;

const requests: readonly string[] = ['service.stop', 'service.retire', 'service.reset', 'service.kill'];

/**
 * The incidents in the order in which they began.
 *
 * @param now ms since chaperone began, or the end of what is known
 */
export function incidentsOf(courses: readonly Course[], now: number): readonly Incident[] {
  return failuresIn(courses, now).map(behindEach(courses, now));
}

/** The failures alone, in the order in which they began: a recording may have thousands, of which only a few are looked at. */
export function failuresIn(courses: readonly Course[], now: number): readonly Failure[] {
  return courses.flatMap((course) => merged(failuresOf(course, now))).sort((left, right) => left.at - right.at);
}

/** Finds out what became of the services behind a failure. */
export function behindEach(courses: readonly Course[], now: number): (failure: Failure) => Incident {
  const dependents = dependentsOf(courses);
  return (failure) => ({ ...failure, behind: behindOf(dependents(failure.service), failure, now) });
}

/** An incident without what became of the services behind it. */
export type Failure = Omit<Incident, 'behind'>;

/** Each time that the service was down without being asked to. */
function failuresOf({ name, stays }: Course, now: number): readonly Failure[] {
  const found: Failure[] = [];
  let at: number | undefined;
  let cause: string | undefined;
  const close = (end: number, how: Pick<Incident, 'up' | 'stopped' | 'atLeast'>): void => {
    if (at !== undefined) {
      const down = end - at;
      found.push({ service: name, at, cause: cause ?? 'unknown', down, ...how, times: 1, last: at });
    }
    at = undefined;
    cause = undefined;
  };
  for (const [index, stay] of stays.entries()) {
    if (hasStarted(stay.state)) close(stay.from, { up: stay.from });
    else if (stay.state === unknownState) close(stay.from, { atLeast: true });
    else if (requests.includes(stay.event ?? '')) close(stay.from, { stopped: true });
    else if (at === undefined && index > 0 && isFailure(stay)) at = stay.from;
    if (at !== undefined) cause ??= stay.cause;
  }
  close(now, {});
  return found;
}

/** True for a state that a service which was not asked to stop comes to only by a failure. */
function isFailure({ state, cause }: Stay): boolean {
  return state === 'backoff' || state === 'failed' || (state.startsWith('stopping') && cause !== undefined);
}

function merged(failures: readonly Failure[]): readonly Failure[] {
  const all: Failure[] = [];
  for (const failure of failures) {
    const before = all.at(-1);
    if (before?.up === undefined || failure.at - before.up > pause) all.push(failure);
    else {
      const { up: _, ...rest } = before;
      const { up, stopped, atLeast } = failure;
      all[all.length - 1] = {
        ...rest,
        ...(up === undefined ? {} : { up }),
        ...(stopped === undefined ? {} : { stopped }),
        ...(atLeast === undefined ? {} : { atLeast }),
        down: before.down + failure.down,
        times: before.times + 1,
        last: failure.at,
      };
    }
  }
  return all;
}

/** Finds the services that wait for a service, directly or not, the nearest first. */
function dependentsOf(courses: readonly Course[]): (service: string) => readonly Course[] {
  const direct = new Map<string, Course[]>();
  for (const course of courses)
    for (const other of course.waitsFor) {
      const known = direct.get(other);
      if (known === undefined) direct.set(other, [course]);
      else known.push(course);
    }
  return (service) => {
    const found = new Set<Course>(direct.get(service));
    for (const course of found) for (const next of direct.get(course.name) ?? []) found.add(next);
    return [...found].filter(({ name }) => name !== service);
  };
}

function behindOf(dependents: readonly Course[], { at, up }: Failure, now: number): readonly Behind[] {
  const end = up ?? now;
  return dependents.flatMap(({ name, stays }): readonly Behind[] => {
    const first = stays.findLastIndex(({ from }) => from <= at);
    const during = stays.slice(Math.max(0, first)).filter(({ from }) => from <= end);
    const [before] = during;
    if (before === undefined) return [];
    const service = name;
    if (!hasStarted(before.state)) {
      // What had ended, or was disabled, was not held up.
      if (before.state !== 'pending') return [];
      const next = during.find(({ state }) => state !== 'pending')?.from ?? end;
      return next - at < shortest ? [] : [{ service, fate: 'waited', for: next - at }];
    }
    const lost = during.find(({ state }) => !hasStarted(state));
    if (lost === undefined) return [{ service, fate: 'kept', for: 0 }];
    const again = stays.find(({ from, state }) => from > lost.from && hasStarted(state))?.from ?? now;
    return [{ service, fate: 'down', for: again - lost.from }];
  });
}

/** The most services that are named behind one. */
const mostNamed = 12;

/**
 * The lines of an incident, as people read them.
 *
 * @param span writes durations, ms
 */
export function renderIncident(
  { service, at, cause, up, down, stopped, atLeast, times, last, behind, before }: Incident,
  span: (ms: number) => string = describeDuration,
): readonly string[] {
  const again = times === 1 ? '' : `, ${times} times until ${seconds(last)}`;
  const lasted = lastedText({ up, stopped, atLeast }, span(down));
  const indent = ''.padStart(12);
  const named = behind.slice(0, mostNamed).map((each) => behindText(each, span));
  const more = behind.length > mostNamed ? [`and ${behind.length - mostNamed} more`] : [];
  return [
    oneLine(`${shortName(service)}: ${cause}${again}, ${lasted}`).replace(/^/, `${seconds(at).padStart(10)}  `),
    ...(behind.length === 0 ? [] : [`${indent}${behind.length} behind it: ${[...named, ...more].join(' · ')}`]),
    ...(before === undefined ? [] : [`${indent}before it: "${oneLine(before)}"`]),
  ];
}

/** How an incident ended. */
type Lasted = { readonly [K in 'up' | 'stopped' | 'atLeast']: Incident[K] | undefined };

function lastedText({ up, stopped, atLeast }: Lasted, down: string): string {
  if (up !== undefined) return `down for ${down}`;
  if (atLeast === true) return `down for at least ${down}`;
  return stopped === true ? `down for ${down} until it was stopped` : `still down after ${down}`;
}

/** `api down for 0.3 s`. */
export function behindText(
  { service, fate, for: lasted }: Behind,
  span: (ms: number) => string = describeDuration,
): string {
  const name = shortName(service);
  switch (fate) {
    case 'kept':
      return `${name} kept`;
    case 'down':
      return `${name} down for ${span(lasted)}`;
    case 'waited':
      return `${name} waited ${span(lasted)}`;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3)} s`;
}
