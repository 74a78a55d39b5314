/** The incidents of a recording. */
import { type Course, type Incident, incidentsOf, type Stay, unknownState } from '../facts/incidents.ts';
import type { Entry, LogEntry } from './entry.ts';
import type { Gap, Replica, Segment } from './replica.ts';

/** ms: what a service has written longer ago says nothing of its failure. */
const worthHearing = 10_000;

/**
 * @param now ms since chaperone began: the instant up to which the replica tells
 * @param lineBefore finds the last line that a service has written before an instant
 */
export function recordedIncidents(
  replica: Replica,
  now: number,
  lineBefore: (service: string, at: number) => Line | undefined = () => undefined,
): readonly Incident[] {
  return incidentsOf(coursesOf(replica), now).map((incident) => withLastWords(incident, lineBefore));
}

/** A line, and when it was written, in ms since chaperone began. */
export type Line = Pick<LogEntry, 'at' | 'message'>;

/** Adds the last thing that the service had written, if that was not long before. */
export function withLastWords(
  incident: Incident,
  lineBefore: (service: string, at: number) => Line | undefined,
): Incident {
  const line = lineBefore(incident.service, incident.at);
  return line === undefined || incident.at - line.at > worthHearing ? incident : { ...incident, before: line.message };
}

export function coursesOf({ services, gaps }: Replica): readonly Course[] {
  return [...services.values()].map(({ name, config, segments }) => ({
    name,
    waitsFor: config?.waitsFor ?? [],
    stays: withGaps(segments, gaps),
  }));
}

/** In a gap in which a service moved, only its last state there is known. */
function withGaps(segments: readonly Segment[], gaps: readonly Gap[]): readonly Stay[] {
  const unknown = gaps
    .filter((gap) => segments.some(({ from }) => from > gap.from && from <= gap.to))
    .map(({ from }): Stay => ({ state: unknownState, from }));
  if (unknown.length === 0) return segments.map(stayOf);
  return [...segments.map(stayOf), ...unknown].sort((left, right) => left.from - right.from);
}

function stayOf({ state, from, event, context }: Segment): Stay {
  const cause = context?.['cause'];
  return {
    state,
    from,
    ...(event === undefined ? {} : { event: event.type }),
    ...(typeof cause === 'string' ? { cause } : {}),
  };
}

/** Finds the last line of a service before an instant, in the order of the entries. */
export function linesIn(entries: readonly Entry[]): (service: string, at: number) => LogEntry | undefined {
  return (service, at) =>
    entries.findLast(
      (entry): entry is LogEntry => entry.type === '@chaperone.log' && entry.service === service && entry.at <= at,
    );
}
