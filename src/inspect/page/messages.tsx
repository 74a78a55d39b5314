import { shortName } from '../../model/service/service-spec.ts';
import { isServiceMachine } from '../entry.ts';
import { eventText } from './chart-model.ts';
import { foundServices, goToIndex, instant, recording, search, selection, version } from './store.ts';
import { epoch } from './timeline.tsx';
import { useInSight, useRows, useWidth } from './virtual.tsx';
import { duration, eventDetail, instantText } from './words.ts';

const rowHeight = 34;
/** A pause between two messages that is longer than this many ms is folded to one line. */
const quiet = 250;
const timeWidth = 78;
/** The least width of all lanes together, in pixels; the view scrolls where there is less room. */
const narrowest = 540;

type Row =
  | { readonly kind: 'message'; readonly index: number; readonly at: number }
  | { readonly kind: 'quiet'; readonly at: number; readonly lasted: number };

type Lane = 'outside' | 'system' | 'service' | 'runs' | 'ports';

const lanes: readonly Lane[] = ['outside', 'system', 'service', 'runs', 'ports'];

export function MessagesView() {
  version.value;
  const picked = selection.value;
  const rows = rowsOf(picked);
  const { ref, window } = useRows<HTMLElement>(rows.length, rowHeight);
  const { ref: wide, width } = useWidth(800);
  const count = instant.value.count;
  const current = currentRow(rows, count);
  useInSight(ref, current, rowHeight);
  const plot = Math.max(narrowest, width - timeWidth - 16);
  const titles: Readonly<Record<Lane, string>> = {
    outside: 'outside',
    system: 'system',
    service: picked === undefined ? 'services' : shortName(picked),
    runs: picked === undefined ? 'runs' : 'its runs',
    ports: 'ports',
  };
  const xOf = (lane: Lane): number => ((lanes.indexOf(lane) + 0.5) / lanes.length) * plot;
  return (
    <section class="messages" aria-label="Messages">
      <div class="view-tools">
        <p class="why-line">
          {rows.filter(({ kind }) => kind === 'message').length.toLocaleString('en')} messages
          {picked === undefined
            ? ' between all actors; choose a service for its own'
            : ` from and to ${shortName(picked)}`}
        </p>
      </div>
      <div class="seq" ref={wide}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
        <section class="seq-body" ref={ref} tabIndex={0} aria-label="Messages in order">
          <div class="seq-head" style={{ width: `${plot + timeWidth}px` }}>
            {lanes.map((lane) => (
              <span key={lane} style={{ left: `${timeWidth + xOf(lane)}px` }}>
                {titles[lane]}
              </span>
            ))}
          </div>
          <div class="seq-rows" style={{ height: `${rows.length * rowHeight}px`, width: `${plot + timeWidth}px` }}>
            <svg class="seq-lanes" width={plot} height={rows.length * rowHeight} aria-hidden="true">
              {lanes.map((lane) => (
                <line key={lane} x1={xOf(lane)} x2={xOf(lane)} y2="100%" />
              ))}
            </svg>
            {rows.slice(window.first, window.last).map((row, offset) => {
              const top = (window.first + offset) * rowHeight;
              return row.kind === 'quiet' ? (
                <div key={`q${row.at}`} class="seq-quiet" style={{ top: `${top}px` }}>
                  <span>{duration(row.lasted)} of quiet</span>
                </div>
              ) : (
                <Message
                  key={row.index}
                  index={row.index}
                  top={top}
                  xOf={xOf}
                  current={window.first + offset === current}
                  later={row.index >= count}
                  named={picked === undefined}
                />
              );
            })}
          </div>
          {rows.length === 0 ? <p class="empty">No messages yet.</p> : null}
        </section>
      </div>
    </section>
  );
}

function Message({
  index,
  top,
  xOf,
  current,
  later,
  named,
}: {
  readonly index: number;
  readonly top: number;
  readonly xOf: (lane: Lane) => number;
  readonly current: boolean;
  readonly later: boolean;
  readonly named: boolean;
}) {
  const entry = recording.eventAt(index);
  if (entry === undefined) return null;
  const source = laneOf(entry.sourceId);
  const target = laneOf(entry.sessionId);
  const from = xOf(source);
  const to = source === target ? from : xOf(target);
  const detail = eventDetail(entry.event);
  const who = nameOf(entry.sessionId);
  const left = Math.min(from, to);
  const loop = source === target;
  return (
    <button
      type="button"
      class={`seq-row${current ? ' current' : ''}${later ? ' later' : ''}`}
      style={{ top: `${top}px` }}
      aria-current={current ? 'true' : undefined}
      onClick={() => goToIndex(index)}
    >
      <span class="time">{instantText(entry.at, epoch())}</span>
      <svg
        class="seq-arrow"
        width={Math.abs(to - from) + 40}
        height={rowHeight}
        style={{ left: `${timeWidth + left - 8}px` }}
        aria-hidden="true"
      >
        {loop ? (
          <path d="M8 20h14v7h-12m4 -3.5l-4.5 3.5l4.5 3.5" />
        ) : to > from ? (
          <path d={`M8 25H${to - from + 7}m-6 -4l6 4l-6 4`} />
        ) : (
          <path d={`M${from - to + 8} 25H9m6 -4l-6 4l6 4`} />
        )}
      </svg>
      <span class="seq-text" style={{ left: `${timeWidth + left + (loop ? 26 : 6)}px` }}>
        {named && who !== 'system' ? <strong>{who} </strong> : null}
        {eventText(entry.event.type)} <span class="soft">{detail}</span>
        <span class="unseen">
          , from {nameOf(entry.sourceId)} to {who}
        </span>
      </span>
    </button>
  );
}

function laneOf(sessionId: string | undefined): Lane {
  const actor = sessionId === undefined ? undefined : recording.actors.get(sessionId);
  if (actor === undefined) return 'outside';
  switch (actor.machine) {
    case 'system':
      return 'system';
    case 'service':
    case 'scheduled':
      return 'service';
    case undefined:
      return 'ports';
    default:
      return 'runs';
  }
}

function nameOf(sessionId: string | undefined): string {
  const actor = sessionId === undefined ? undefined : recording.actors.get(sessionId);
  if (actor === undefined) return 'outside';
  if (actor.service === undefined) return actor.name;
  return isServiceMachine(actor.machine) ? shortName(actor.service) : `${shortName(actor.service)} ${actor.name}`;
}

interface Made {
  readonly picked: string | undefined;
  readonly filter: string;
  readonly configuration: number;
  readonly rows: Row[];
  /** The number of events of the recording from which rows were made. */
  seen: number;
}

let made: Made | undefined;

/** The rows of the view: the list grows with the recording, and is rebuilt when the selection, the search or the configuration changes. */
function rowsOf(picked: string | undefined): readonly Row[] {
  const filter = search.value.trim();
  if (
    made === undefined ||
    made.picked !== picked ||
    made.filter !== filter ||
    made.configuration !== recording.configuration ||
    made.seen > recording.events.length
  )
    made = { picked, filter, configuration: recording.configuration, rows: [], seen: 0 };
  const named = filter === '' ? undefined : new Set(foundServices.value);
  for (; made.seen < recording.events.length; made.seen += 1) {
    const index = recording.events[made.seen] ?? 0;
    const entry = recording.eventAt(index);
    if (entry === undefined || entry.event.type === 'xstate.init') continue;
    const target = recording.actors.get(entry.sessionId)?.service;
    const source = recording.actors.get(entry.sourceId ?? '')?.service;
    if (picked !== undefined && target !== picked && source !== picked) continue;
    if (named !== undefined && !named.has(target ?? '') && !named.has(source ?? '')) continue;
    const last = made.rows.at(-1);
    if (last !== undefined && entry.at - last.at > quiet)
      made.rows.push({ kind: 'quiet', at: last.at, lasted: entry.at - last.at });
    made.rows.push({ kind: 'message', index, at: entry.at });
  }
  return made.rows;
}

/** The row of the last message among the first `count` entries. */
function currentRow(rows: readonly Row[], count: number): number {
  let low = 0;
  let high = rows.length;
  const indexOf = (at: number): number => {
    for (let row = at; row < rows.length; row += 1) {
      const found = rows[row];
      if (found?.kind === 'message') return found.index;
    }
    return Number.POSITIVE_INFINITY;
  };
  while (low < high) {
    const middle = (low + high) >> 1;
    if (indexOf(middle) < count) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
