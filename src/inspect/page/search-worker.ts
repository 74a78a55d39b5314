/** Runs in a worker, which is stopped where an expression takes too long: so no expression holds the page up. */
import { type Range, rangesIn } from './log-search.ts';

export interface SearchRequest {
  readonly id: number;
  readonly source: string;
  readonly flags: string;
  readonly lines: readonly string[];
}

export interface SearchAnswer {
  readonly id: number;
  /** The lines that match, by their place in the request. */
  readonly found: readonly (readonly [line: number, ranges: readonly Range[]])[];
}

addEventListener('message', ({ data }: MessageEvent<SearchRequest>) => {
  const pattern = new RegExp(data.source, `${data.flags}g`);
  const found = data.lines.flatMap((line, index) => {
    const ranges = rangesIn(line, pattern);
    return ranges === undefined ? [] : [[index, ranges] as const];
  });
  const answer: SearchAnswer = { id: data.id, found };
  postMessage(answer);
});
