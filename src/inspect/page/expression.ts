/** The search by an expression through everything that is held: piece by piece in a worker, and no piece may take long. */
import { effect, signal } from '@preact/signals';
import { searchAddress } from './embedded.ts';
import { type LogSearch, type Range, readLogSearch } from './log-search.ts';
import type { SearchAnswer, SearchRequest } from './search-worker.ts';
import { recording, version, wantedLines } from './store.ts';

/** Lines of one piece, and the ms that it may take. */
const pieceLength = 5_000;
const longest = 2_000;

export interface ExpressionSearch {
  /** The indices of the entries that match, with the places that do. */
  readonly found: ReadonlyMap<number, readonly Range[]>;
  readonly state: 'searching' | 'done' | 'too slow';
  /** How many of the recording's log records were looked at. */
  readonly seen: number;
}

const nothing: ExpressionSearch = { found: new Map(), state: 'done', seen: 0 };

export const expressionSearch = signal<ExpressionSearch>(nothing);

let worker: Worker | undefined;
let id = 0;

type Expression = Extract<LogSearch, { kind: 'expression' }>;

interface Running {
  readonly key: string;
  readonly expression: Expression;
  readonly found: Map<number, readonly Range[]>;
  seen: number;
  busy: boolean;
  slow: boolean;
}

let running: Running | undefined;

effect(() => {
  version.value;
  const wanted = readLogSearch(wantedLines.value);
  if (wanted.kind !== 'expression') {
    running = undefined;
    if (expressionSearch.peek() !== nothing) expressionSearch.value = nothing;
    return;
  }
  const key = `${wanted.source}/${wanted.flags} ${recording.boot?.boot}`;
  if (running === undefined || running.key !== key || running.seen > recording.logs.length) {
    running = { key, expression: wanted, found: new Map(), seen: 0, busy: false, slow: false };
    tell(running);
  }
  void goOn(running);
});

function tell({ found, seen, slow }: Running): void {
  const state = slow ? 'too slow' : seen < recording.logs.length ? 'searching' : 'done';
  expressionSearch.value = { found, state, seen };
}

async function goOn(own: Running): Promise<void> {
  if (own.busy || own.slow) return;
  own.busy = true;
  while (running === own && own.seen < recording.logs.length) {
    const indices = recording.logs.slice(own.seen, own.seen + pieceLength);
    const lines = indices.map((index) => recording.logAt(index)?.message ?? '');
    const answer = await ask(own.expression, lines);
    if (running !== own) return;
    if (answer === undefined) {
      own.slow = true;
      break;
    }
    for (const [line, ranges] of answer.found) own.found.set(indices[line] ?? 0, ranges);
    own.seen += indices.length;
    tell(own);
  }
  own.busy = false;
  if (running === own) tell(own);
}

/** Undefined where the expression takes too long. */
async function ask({ source, flags }: Expression, lines: readonly string[]): Promise<SearchAnswer | undefined> {
  worker ??= new Worker(await searchAddress());
  const own = worker;
  id += 1;
  const request: SearchRequest = { id, source, flags, lines };
  return new Promise((resolve) => {
    const finish = (answer: SearchAnswer | undefined): void => {
      clearTimeout(timer);
      own.removeEventListener('message', take);
      resolve(answer);
    };
    const take = ({ data }: MessageEvent<SearchAnswer>): void => {
      if (data.id === request.id) finish(data);
    };
    const timer = setTimeout(() => {
      own.terminate();
      if (worker === own) worker = undefined;
      finish(undefined);
    }, longest);
    own.addEventListener('message', take);
    own.postMessage(request);
  });
}
