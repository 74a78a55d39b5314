/** What the user looks for in the log: a text, or a regular expression between slashes. */

export type LogSearch =
  | { readonly kind: 'none' }
  /** The text is found in any case of letters, wherever it stands. */
  | { readonly kind: 'text'; readonly pattern: RegExp; readonly text: string }
  /** Its time is not bounded by the length of what it looks through: it is only run where it can be stopped. */
  | { readonly kind: 'expression'; readonly source: string; readonly flags: string }
  | { readonly kind: 'wrong'; readonly reason: string };

/** A place in a line that matches: from, to. */
export type Range = readonly [from: number, to: number];

/** Most places that are marked in one line. */
const mostRanges = 20;

/** Reads `refused`, `/exit [1-9]/` or `/EXIT/s`; a text is taken as it is. */
export function readLogSearch(text: string): LogSearch {
  const wanted = text.trim();
  if (wanted === '' || wanted === '/') return { kind: 'none' };
  const [, source, flags = ''] = /^\/(.+)\/([imsu]*)$/.exec(wanted) ?? [];
  if (source === undefined) {
    const pattern = new RegExp(wanted.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'gi');
    return { kind: 'text', pattern, text: wanted };
  }
  try {
    // Compiled only for its mistakes.
    new RegExp(source, flags);
    return { kind: 'expression', source, flags };
  } catch (error) {
    return { kind: 'wrong', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** The places in a line that match; undefined where none does. @param pattern has the flag `g` */
export function rangesIn(line: string, pattern: RegExp): readonly Range[] | undefined {
  const ranges: Range[] = [];
  let matches = false;
  pattern.lastIndex = 0;
  for (const match of line.matchAll(pattern)) {
    matches = true;
    if (match[0] !== '') ranges.push([match.index, match.index + match[0].length]);
    if (ranges.length >= mostRanges) break;
  }
  return matches ? ranges : undefined;
}

/** The parts of a line: at odd places stand those that match. */
export function partsOf(line: string, ranges: readonly Range[]): readonly string[] {
  const parts: string[] = [];
  let done = 0;
  for (const [from, to] of ranges) {
    parts.push(line.slice(done, from), line.slice(from, to));
    done = to;
  }
  return [...parts, line.slice(done)];
}
