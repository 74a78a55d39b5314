/** Looks for records in the log that a server holds: newest first, with a bound on the work, and in linear time. */

import type { Facility, Severity } from '../model/log/syslog-names.ts';
import { compileRegex } from '../model/words/regex.ts';

export interface FoundRecord {
  /** ms since chaperone began. */
  readonly at: number;
  readonly severity: Severity;
  readonly facility: Facility;
  readonly program: string;
  readonly pid?: number;
  /** With its suffix. */
  readonly service?: string;
  readonly message: string;
}

export interface RecordQuery {
  /** Only records from before this instant, in ms since chaperone began. */
  readonly before: number;
  /** A text, or an expression; empty: all records. */
  readonly find: string;
  readonly isExpression: boolean;
  readonly ignoreCase: boolean;
  /** Only records of this service, by full name. */
  readonly service?: string;
}

export type RecordPage =
  | {
      readonly kind: 'found';
      /** The oldest first. */
      readonly records: readonly FoundRecord[];
      /** The records before this instant were not looked at; absent: all were. */
      readonly before?: number;
    }
  | { readonly kind: 'wrong'; readonly reason: string };

/** Most records of one answer. */
const mostFound = 500;
/** Characters that one request looks at, each as often as the expression has instructions; and those of one turn of the loop. */
const mostSteps = 200_000_000;
const stepsPerTurn = 400_000;
const longestFind = 1_000;

/** @param turn resolves in a later turn of the loop */
export async function searchRecords(
  records: readonly FoundRecord[],
  { before, find, isExpression, ignoreCase, service }: RecordQuery,
  turn: () => Promise<unknown>,
): Promise<RecordPage> {
  const wanted = matcherOf(find, isExpression, ignoreCase);
  if (typeof wanted === 'string') return { kind: 'wrong', reason: wanted };
  const found: FoundRecord[] = [];
  let steps = 0;
  let pause = stepsPerTurn;
  for (let index = records.length - 1; index >= 0; index -= 1) {
    const record = records[index];
    if (record === undefined || record.at >= before) continue;
    if (found.length >= mostFound || steps >= mostSteps)
      return { kind: 'found', records: found.reverse(), before: records[index + 1]?.at ?? before };
    steps += 20 + record.message.length * wanted.size;
    if (service !== undefined && record.service !== service) continue;
    if (wanted.test(record.message)) found.push(record);
    if (steps < pause) continue;
    pause = steps + stepsPerTurn;
    await turn();
  }
  return { kind: 'found', records: found.reverse() };
}

interface Matcher {
  readonly size: number;
  readonly test: (text: string) => boolean;
}

/** The mistake in the expression, where there is one. */
function matcherOf(find: string, isExpression: boolean, ignoreCase: boolean): Matcher | string {
  if (find.length > longestFind) return `it has ${find.length} characters, and ${longestFind} are allowed`;
  if (find === '') return { size: 0, test: () => true };
  if (!isExpression) {
    const wanted = find.toLowerCase();
    return { size: 1, test: (text) => text.toLowerCase().includes(wanted) };
  }
  const compiled = compileRegex(find, { ignoreCase });
  return compiled.ok ? compiled.regex : compiled.reason;
}
