import { timeZoneProblem } from '../model/schedule/schedule-fields.ts';
import { didYouMean } from '../model/words/nearest.ts';
import type { Report } from './report.ts';
import type { Place } from './source.ts';

/** The name of a time zone that is known; any other is a mistake, and undefined. */
export function knownTimeZone(name: string, place: Place, report: Report): string | undefined {
  const problem = timeZoneProblem(name);
  if (problem === undefined) return name;
  report.error('unknown-time-zone', problem.message, place, {
    hint: didYouMean(name, problem.candidates ?? []) ?? problem.hint,
  });
  return undefined;
}
