import { computed, signal } from '@preact/signals';
import { shortName } from '../../model/service/service-spec.ts';
import type { LogEntry } from '../entry.ts';
import type { FoundRecord } from '../record-search.ts';
import { expressionSearch } from './expression.ts';
import { type LogSearch, partsOf, rangesIn, readLogSearch } from './log-search.ts';
import { canAsk, fetchOlder, older, rangesInOlder } from './older.ts';
import { isError } from './recording.ts';
import { ticks, tickText } from './scale.ts';
import {
  cursorAt,
  domain,
  foundServices,
  goToIndex,
  goToTime,
  instant,
  recording,
  search,
  selection,
  version,
  wantedLines,
} from './store.ts';
import { epoch } from './timeline.tsx';
import { lastNotAbove, useInSight, useRows, useWidth } from './virtual.tsx';
import { instantText } from './words.ts';

const rowHeight = 22;
const least = signal<'all' | 'info' | 'errors'>('info');
const wanted = computed<LogSearch>(() => readLogSearch(wantedLines.value));

export function LogView() {
  version.value;
  const picked = selection.value;
  const lines = linesOf(picked);
  const { ref, window } = useRows<HTMLElement>(lines.length, rowHeight);
  const count = instant.value.count;
  const current = lastNotAbove(lines, count - 1);
  useInSight(ref, current, rowHeight);
  // What was fetched is to be seen.
  useInSight(ref, older.value.records.length - 1, rowHeight);
  return (
    <section class="log" aria-label="Log">
      <div class="view-tools">
        <label class="choice">
          Show{' '}
          <select
            value={least.value}
            onChange={(event) => {
              const { value } = event.currentTarget;
              least.value = value === 'all' || value === 'errors' ? value : 'info';
            }}
          >
            <option value="all">everything</option>
            <option value="info">info and above</option>
            <option value="errors">errors</option>
          </select>
        </label>
        <label class="choice find">
          Find{' '}
          <input
            type="search"
            id="log-search"
            placeholder="text or /expression/"
            value={wantedLines.value}
            aria-invalid={wanted.value.kind === 'wrong'}
            onInput={(event) => {
              wantedLines.value = event.currentTarget.value;
            }}
            onKeyDown={(event) => {
              if (event.key === 'Escape') event.currentTarget.blur();
            }}
          />
        </label>
        {canAsk() ? <OlderButton /> : null}
        <p class="why-line" role="status" data-lines={lines.length}>
          {wanted.value.kind === 'wrong' ? `${wanted.value.reason}; ` : ''}
          {lines.length.toLocaleString('en')} lines{picked === undefined ? '' : ` of ${shortName(picked)}`}
          {wanted.value.kind === 'expression' ? searchText() : ''}
        </p>
      </div>
      <Strip lines={lines} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section class="log-body" ref={ref} tabIndex={0} aria-label="Lines">
        <div class="log-rows" style={{ height: `${lines.length * rowHeight}px` }}>
          {lines.slice(window.first, window.last).map((index, offset) => {
            const entry = lineAt(index);
            if (entry === undefined) return null;
            const here = window.first + offset === current;
            return (
              <button
                key={index}
                type="button"
                class={`log-row${here ? ' current' : ''}${index >= count ? ' later' : ''}${index < 0 ? ' old' : ''}${isError(entry.severity) ? ' error' : ''}`}
                style={{ top: `${(window.first + offset) * rowHeight}px` }}
                aria-current={here ? 'true' : undefined}
                onClick={() => (index < 0 ? goToTime(entry.at) : goToIndex(index))}
              >
                <span class="time">{instantText(entry.at, epoch())}</span>
                <span class="sev">{isError(entry.severity) ? `✕ ${entry.severity}` : entry.severity}</span>
                <span class="who">{entry.service === undefined ? entry.program : shortName(entry.service)}</span>
                <span class="text">
                  <Marked text={entry.message} index={index} />
                </span>
              </button>
            );
          })}
        </div>
        {lines.length === 0 ? (
          <p class="empty">
            {recording.logs.length === 0
              ? 'No log records came with these events.'
              : 'Nothing of what came is as severe as that, of this service, and has what is looked for.'}
          </p>
        ) : null}
      </section>
    </section>
  );
}

function searchText(): string {
  switch (expressionSearch.value.state) {
    case 'searching':
      return ', and still looking';
    case 'too slow':
      return ': the expression takes too long for the rest of the log';
    case 'done':
      return '';
  }
}

function OlderButton() {
  const { state, reason, records } = older.value;
  const texts: Readonly<Record<typeof state, string>> = {
    unasked: 'Older lines',
    asking: 'Asking the server',
    more: 'Older lines',
    all: records.length === 0 ? 'None older' : `${records.length} older, no more`,
    failed: 'Older lines',
  };
  return (
    <span>
      <button
        type="button"
        id="older"
        disabled={state === 'asking' || state === 'all'}
        title="Asks the server for records from before those on this page, by what is looked for"
        onClick={() => void fetchOlder()}
      >
        {texts[state]}
      </button>
      {reason === undefined ? null : <span class="soft"> {reason}</span>}
    </span>
  );
}

/** A line of the list: those before the first are older than what this page was told, and came on request. */
function lineAt(index: number): LogEntry | FoundRecord | undefined {
  if (index >= 0) return recording.logAt(index);
  const { records } = older.value;
  return records[index + records.length];
}

/** A line with what was looked for marked in it. */
function Marked({ text, index }: { readonly text: string; readonly index: number }) {
  const search = wanted.value;
  const ranges =
    index < 0
      ? rangesInOlder(text)
      : search.kind === 'expression'
        ? (expressionSearch.value.found.get(index) ?? [])
        : search.kind === 'text'
          ? (rangesIn(text, search.pattern) ?? [])
          : [];
  const parts = partsOf(text, ranges);
  return <>{parts.map((part, place) => (place % 2 === 0 ? part : <mark key={place}>{part}</mark>))}</>;
}

/** The log lines on the time axis of the timeline. */
function Strip({ lines }: { readonly lines: readonly number[] }) {
  const { ref, width } = useWidth(800);
  const span = domain.value;
  const scale = (at: number): number => ((at - span.from) / (span.to - span.from)) * width;
  const marks = ticks(span, width);
  const step = (marks[1] ?? span.to) - (marks[0] ?? span.from);
  const buckets = new Map<number, { count: number; errors: number }>();
  for (const index of lines) {
    const entry = lineAt(index);
    if (entry === undefined || entry.at < span.from || entry.at > span.to) continue;
    const x = Math.floor(scale(entry.at) / 3) * 3;
    const bucket = buckets.get(x) ?? { count: 0, errors: 0 };
    bucket.count += 1;
    if (isError(entry.severity)) bucket.errors += 1;
    buckets.set(x, bucket);
  }
  const most = Math.max(1, ...[...buckets.values()].map(({ count }) => count));
  const cursor = scale(cursorAt.value);
  return (
    <div class="strip" ref={ref}>
      <svg
        width={width}
        height="44"
        aria-hidden="true"
        onClick={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          goToTime(span.from + ((event.clientX - box.left) / width) * (span.to - span.from));
        }}
      >
        {[...buckets].map(([x, { count, errors }]) => {
          const height = 2 + 22 * Math.sqrt(count / most);
          return (
            <g key={x}>
              <rect class="lines" x={x} y={28 - height} width="2" height={height} />
              {errors > 0 ? <path class="errors" d={`M${x - 1.5} 2l5 0l-2.5 5z`} /> : null}
            </g>
          );
        })}
        <line class="base" y1="28.5" y2="28.5" x2={width} />
        {marks.map((at) => (
          <text
            key={at}
            x={scale(at)}
            y="41"
            text-anchor={scale(at) < 14 ? 'start' : scale(at) > width - 20 ? 'end' : 'middle'}
          >
            {tickText(at, step)}
          </text>
        ))}
        {cursor >= 0 && cursor <= width ? <line class="now" x1={cursor} x2={cursor} y2="30" /> : null}
      </svg>
    </div>
  );
}

interface Made {
  readonly key: string;
  readonly lines: number[];
  seen: number;
}

let made: Made | undefined;

function linesOf(picked: string | undefined): readonly number[] {
  const filter = search.value.trim();
  const byExpression = wanted.value.kind === 'expression' ? expressionSearch.value : undefined;
  // What the worker has found is a list of its own, which grows.
  const key = `${picked} ${least.value} ${filter} ${recording.configuration} ${wantedLines.value} ${byExpression?.seen}`;
  if (made === undefined || made.key !== key || made.seen > recording.logs.length) made = { key, lines: [], seen: 0 };
  const named = filter === '' ? undefined : new Set(foundServices.value);
  for (; made.seen < recording.logs.length; made.seen += 1) {
    const index = recording.logs[made.seen] ?? 0;
    const entry = recording.logAt(index);
    if (byExpression !== undefined && !byExpression.found.has(index)) continue;
    if (entry !== undefined && isShown(entry, picked, named)) made.lines.push(index);
  }
  const { records } = older.value;
  if (records.length === 0) return made.lines;
  const before = records.flatMap((record, place) => (isShown(record, picked, named) ? [place - records.length] : []));
  return [...before, ...made.lines];
}

function isShown(
  entry: LogEntry | FoundRecord,
  picked: string | undefined,
  named: ReadonlySet<string> | undefined,
): boolean {
  if (
    picked !== undefined &&
    entry.service !== picked &&
    !(entry.program === 'chaperone' && entry.message.includes(shortName(picked)))
  )
    return false;
  if (named !== undefined && !named.has(entry.service ?? '')) return false;
  const { value } = wanted;
  if (value.kind === 'text' && rangesIn(entry.message, value.pattern) === undefined) return false;
  return least.value === 'all' || (least.value === 'errors' ? isError(entry.severity) : entry.severity !== 'debug');
}
