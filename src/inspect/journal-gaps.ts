/** Finds out what is missing in a recorded boot, so that every reader of it can tell, and takes from sums what is still known. */
import type { Entry, LostEntry, SumEntry } from './entry.ts';

/**
 * The entries that a sum stands for where entries before it are missing: what is new of each service's course, then the mark of the
 * gap, then the actors as they were behind it. Their numbers are the last ones of the gap.
 *
 * @param before all entries before the gap
 */
export function entriesOfSum(
  { seq, at, entries: sum }: SumEntry,
  before: readonly Entry[],
  isEntry: (value: unknown) => value is Entry,
): readonly Entry[] {
  const last = before.at(-1);
  const room = seq - (last?.seq ?? 0);
  const lastFact = before.findLast((entry) => entry.type === '@chaperone.fact');
  const known = sum.filter(isEntry);
  const past = known.flatMap((entry): readonly Entry[] => {
    if (entry.type === '@chaperone.boot')
      return [{ type: '@chaperone.reload', seq, at: last?.at ?? 0, services: entry.services }];
    if (entry.type === '@chaperone.fact') return entry.fact.seq > (lastFact?.fact.seq ?? 0) ? [entry] : [];
    return entry.type === '@chaperone.definition' && entry.seq > (last?.seq ?? 0) ? [entry] : [];
  });
  const shown = past.slice(0, Math.max(0, room - 1));
  const lost: LostEntry = { type: '@chaperone.lost', seq, at, from: last?.at ?? 0, count: room - shown.length };
  const actors = known.flatMap((entry) => (entry.type === '@xstate.actor' ? [{ ...entry, at }] : []));
  const all: readonly Entry[] = [...shown, lost, ...actors.slice(0, room - 1 - shown.length)];
  let latest = last?.at ?? 0;
  return all.map((entry, index) => {
    latest = Math.min(at, Math.max(latest, entry.at));
    return { ...entry, seq: seq - all.length + 1 + index, at: latest };
  });
}

/** All entries of a boot, with a `@chaperone.lost` wherever numbers are missing and nothing says so. */
export function withGaps(entries: readonly Entry[], beyond: readonly Entry[]): readonly Entry[] {
  if (beyond.length === 0) return entries;
  const all = [...entries, ...beyond];
  const result: Entry[] = [];
  /** From this instant on the entries are known to be sparse. */
  let sparseFrom = Number.POSITIVE_INFINITY;
  for (let index = all.length - 1; index >= entries.length; index -= 1) {
    const entry = all[index];
    const before = all[index - 1];
    if (entry === undefined || before === undefined) continue;
    result.push(entry);
    if (entry.type === '@chaperone.lost') {
      sparseFrom = Math.min(entry.from ?? before.at, before.at);
      continue;
    }
    const missing = entry.seq - before.seq - 1 - (entry.unasked ?? 0);
    if (before.at < sparseFrom) sparseFrom = Number.POSITIVE_INFINITY;
    if (missing > 0 && sparseFrom === Number.POSITIVE_INFINITY)
      result.push({ type: '@chaperone.lost', seq: entry.seq - 1, at: entry.at, from: before.at, count: missing });
  }
  return [...entries, ...result.reverse()];
}
