/** Records that are older than those that this page has: the server keeps them, and is asked where the user wants them. */
import { effect, signal } from '@preact/signals';
import type { FoundRecord, RecordPage } from '../record-search.ts';
import { isOneFile } from './embedded.ts';
import { type Range, rangesIn, readLogSearch } from './log-search.ts';
import { recording, selection, version, wantedLines } from './store.ts';

export interface OlderRecords {
  /** The oldest first. */
  readonly records: readonly FoundRecord[];
  readonly state: 'unasked' | 'asking' | 'more' | 'all' | 'failed';
  /** Why they could not be had. */
  readonly reason?: string;
  /** The instant before which the server has not looked yet. */
  readonly before?: number;
}

const unasked: OlderRecords = { records: [], state: 'unasked' };

export const older = signal<OlderRecords>(unasked);

/** ms within which a record that the page has may be told later than it was written. */
const slack = 200;

// Another search asks for other records.
effect(() => {
  wantedLines.value;
  selection.value;
  if (older.peek() !== unasked) older.value = unasked;
});

let boot: string | undefined;
effect(() => {
  version.value;
  if (recording.boot?.boot === boot) return;
  boot = recording.boot?.boot;
  older.value = unasked;
});

export function canAsk(): boolean {
  return !isOneFile();
}

export async function fetchOlder(): Promise<void> {
  const known = older.value;
  if (known.state === 'asking') return;
  const wanted = readLogSearch(wantedLines.value);
  const first = recording.logAt(recording.logs[0] ?? -1)?.at ?? recording.lastAt + 1;
  const service = selection.value;
  const query = new URLSearchParams({
    before: String(known.before ?? first + slack),
    ...(wanted.kind === 'text' ? { find: wanted.text } : {}),
    ...(wanted.kind === 'expression'
      ? { find: wanted.source, expression: 'true', ignoreCase: String(wanted.flags.includes('i')) }
      : {}),
    ...(service === undefined ? {} : { service }),
  });
  older.value = { ...known, state: 'asking' };
  const answer = await ask(query);
  // The user may look for something else meanwhile.
  if (older.value.state !== 'asking') return;
  if (typeof answer === 'string') {
    older.value = { ...known, state: 'failed', reason: answer };
    return;
  }
  const more = answer.records.filter((record) => !isHeld(record));
  older.value = {
    records: [...more, ...known.records],
    state: answer.before === undefined ? 'all' : 'more',
    ...(answer.before === undefined ? {} : { before: answer.before }),
  };
}

async function ask(query: URLSearchParams): Promise<Extract<RecordPage, { kind: 'found' }> | string> {
  const response = await fetch(`records?${query}`, { cache: 'no-store', credentials: 'omit' }).catch(() => undefined);
  if (response === undefined) return 'there is no connection';
  if (response.status === 503) return 'another page is searching: try again';
  if (!response.ok) return 'the server keeps no records';
  const page: RecordPage = await response.json();
  return page.kind === 'found' ? page : page.reason;
}

/** True where the page has that record as one of its first entries. */
function isHeld({ at, message, program, pid }: FoundRecord): boolean {
  const first = recording.logAt(recording.logs[0] ?? -1);
  if (first === undefined || at < first.at - slack) return false;
  for (const index of recording.logs) {
    const entry = recording.logAt(index);
    if (entry === undefined || entry.at > at + slack) return false;
    if (entry.message === message && entry.program === program && entry.pid === pid) return true;
  }
  return false;
}

/** The places that match in the message of an older record: the server has found the record by a text or by an expression. */
export function rangesInOlder(message: string): readonly Range[] {
  const wanted = readLogSearch(wantedLines.value);
  return wanted.kind === 'text' ? (rangesIn(message, wanted.pattern) ?? []) : [];
}
