import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { type ChainLink, endOfStart } from '../../facts/critical-chain.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { Axis, AxisLines } from './axis.tsx';
import { barsOf, marksOf, nearestMark } from './bars.ts';
import { servicesBehind } from './incidents.tsx';
import type { Instant } from './instant.ts';
import { type Sort, sorts } from './order.ts';
import { Overview } from './overview.tsx';
import type { Mark } from './recording.ts';
import { shownServices } from './rows.ts';
import type { Domain } from './scale.ts';
import { chainOf, waitedForIn } from './start-chain.ts';
import { StateIcon, StateShape } from './states.tsx';
import {
  cursor,
  cursorAt,
  domain,
  goTo,
  goToIndex,
  goToTime,
  instant,
  now,
  readyAt,
  recording,
  select,
  selection,
  shownStates,
  sort,
  toggleState,
  troubleFirst,
  version,
  wallClock,
  zoomed,
} from './store.ts';
import { useInSight, useRows, useWidth } from './virtual.tsx';
import { condition, duration, instantText, segmentText } from './words.ts';
import { type Drag, dragTo, endDrag, lately, placeOn, wheelOverRows, zoomBy } from './zooming.ts';

const rowHeight = 26;
const barTop = 8;
const barHeight = 12;
interface Pointed {
  readonly service: string;
  readonly at: number;
  readonly mark?: Mark;
}

const pointed = signal<Pointed | undefined>(undefined);

export function TimelineView() {
  const { ref: plot, width } = useWidth(800);
  const services = shownServices.value;
  const { ref, window } = useRows(services.length, rowHeight);
  const picked = selection.value;
  useInSight(ref, picked === undefined ? -1 : services.indexOf(picked), rowHeight);
  version.value;
  const span = domain.value;
  const scale = (at: number): number => ((at - span.from) / (span.to - span.from)) * width;
  const rows = services.slice(window.first, window.last);
  const at = cursorAt.value;
  const all = recording.services.size;
  return (
    <section class="timeline" aria-label="Timeline">
      <TimelineTools />
      <div class="tl-head">
        <p class="tl-count soft" data-rows={services.length}>
          {services.length === all ? countText(all) : `${services.length.toLocaleString('en')} of ${countText(all)}`}
        </p>
        <div class="tl-plot" ref={plot}>
          <Overview width={width} />
          <Axis span={span} width={width} ready={readyAt.value} />
        </div>
      </div>
      <div class="tl-body" ref={ref} onWheel={(event) => wheelOverRows(event, plot.current, width)}>
        <ul class="tl-rows" style={{ height: `${services.length * rowHeight}px` }} aria-label="Services">
          {rows.map((name, offset) => (
            <Row
              key={name}
              name={name}
              index={window.first + offset}
              count={services.length}
              width={width}
              span={span}
            />
          ))}
        </ul>
        <Unknown scale={scale} height={services.length * rowHeight} />
        <AxisLines span={span} width={width} height={services.length * rowHeight} />
        <CriticalPath services={services} scale={scale} width={width} />
        {at >= span.from && at <= span.to ? (
          <div class={`tl-cursor${cursor.value === undefined ? ' follows' : ''}`} aria-hidden="true">
            <div style={{ left: `${scale(at)}px`, height: `${services.length * rowHeight}px` }} />
          </div>
        ) : null}
        {services.length === 0 ? (
          <p class="empty">
            {shownStates.value.length === 0
              ? 'No service has that in its name.'
              : `No service is ${shownStates.value.join(' or ')} at this instant.`}
          </p>
        ) : null}
      </div>
      <Readout />
    </section>
  );
}

const countText = (services: number): string =>
  services === 1 ? '1 service' : `${services.toLocaleString('en')} services`;

function TimelineTools() {
  const { kind } = zoomed.value ?? { kind: 'all' };
  const choices = [
    { name: 'All', title: 'All of the time (0)', chosen: kind === 'all', zoom: undefined },
    { name: 'Boot', title: 'Until the system was up (b)', chosen: kind === 'boot', zoom: { kind: 'boot' } },
    {
      name: 'Last 5 minutes',
      title: 'Follows the newest (n)',
      chosen: kind === 'last',
      zoom: { kind: 'last', ms: lately },
    },
  ] as const;
  return (
    <div class="view-tools tl-tools">
      <span class="buttons">
        {choices.map(({ name, title, chosen, zoom }) => (
          <button
            key={name}
            type="button"
            aria-pressed={chosen}
            title={title}
            onClick={() => {
              zoomed.value = zoom;
            }}
          >
            {name}
          </button>
        ))}
        <button type="button" onClick={() => zoomBy(0.5)} aria-label="Zoom in" title="Zoom in (+)">
          +
        </button>
        <button type="button" onClick={() => zoomBy(2)} aria-label="Zoom out" title="Zoom out (−)">
          −
        </button>
        <button
          type="button"
          aria-pressed={wallClock.value}
          onClick={() => {
            wallClock.value = !wallClock.value;
          }}
          title="Wall clock or time since the boot (c)"
        >
          Clock
        </button>
      </span>
      <label class="choice">
        Sort{' '}
        <select
          id="sort"
          value={sort.value}
          onChange={(event) => {
            const { value } = event.currentTarget;
            sort.value = sorts.find((name) => name === value) ?? 'order';
          }}
        >
          {sorts.map((name) => (
            <option key={name} value={name}>
              {sortNames[name]}
            </option>
          ))}
        </select>
      </label>
      <button
        type="button"
        aria-pressed={troubleFirst.value}
        title="Services that have failed stand above all others until they have been up for a minute"
        onClick={() => {
          troubleFirst.value = !troubleFirst.value;
        }}
      >
        Trouble first
      </button>
      {shownStates.value.map((state) => (
        <button key={state} type="button" title={`Show all states again`} onClick={() => toggleState(state)}>
          <StateIcon state={state} />
          only {state} ✕
        </button>
      ))}
    </div>
  );
}

const sortNames: Readonly<Record<Sort, string>> = {
  order: 'as configured',
  start: 'by start',
  duration: 'by duration',
  state: 'by state',
  name: 'by name',
};

interface RowProps {
  readonly name: string;
  readonly index: number;
  readonly count: number;
  readonly width: number;
  readonly span: Domain;
}

function Row({ name, index, count, width, span }: RowProps) {
  const service = instant.value.services.get(name);
  if (service === undefined) return null;
  const picked = selection.value === name;
  const because = condition(service);
  const label = `${shortName(name)}, ${service.state} since ${instantText(service.since)}${because === undefined ? '' : `, ${because}`}`;
  return (
    <li
      class={`tl-row${picked ? ' picked' : ''}${servicesBehind.value.has(name) ? ' behind' : ''}`}
      style={{ top: `${index * rowHeight}px` }}
      aria-setsize={count}
      aria-posinset={index + 1}
      data-service={name}
      data-state={service.stage}
    >
      <button
        type="button"
        class="tl-name"
        aria-label={label}
        aria-pressed={picked}
        onClick={() => select(picked ? undefined : name)}
        onFocus={() => {
          pointed.value = { service: name, at: cursorAt.peek() };
        }}
      >
        <StateIcon state={service.state} />
        <span>{shortName(name)}</span>
      </button>
      <Bars name={name} width={width} span={span} />
    </li>
  );
}

function Bars({ name, width, span }: { readonly name: string; readonly width: number; readonly span: Domain }) {
  const drag = useRef<Drag | undefined>(undefined);
  version.value;
  const end = Math.max(now.value, recording.lastAt);
  const segments = recording.head.services.get(name)?.segments ?? [];
  const marks = recording.marks.get(name) ?? [];
  const timeAt = (x: number): number => span.from + (x / width) * (span.to - span.from);
  const near = ((span.to - span.from) / width) * 5;
  return (
    <svg
      class="tl-bars"
      width={width}
      height={rowHeight}
      aria-hidden="true"
      onPointerDown={(event) => {
        const x = placeOn(event.currentTarget, event);
        drag.current = { kind: event.shiftKey ? 'mark' : 'pan', x, span, moved: false };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        const x = placeOn(event.currentTarget, event);
        if (drag.current !== undefined) {
          dragTo(drag.current, x, width);
          return;
        }
        const mark = nearestMark(marks, timeAt(x), near);
        pointed.value = { service: name, at: timeAt(x), ...(mark === undefined ? {} : { mark }) };
      }}
      onPointerUp={(event) => {
        const held = drag.current;
        drag.current = undefined;
        if (held === undefined || endDrag(held)) return;
        const at = timeAt(placeOn(event.currentTarget, event));
        const mark = nearestMark(marks, at, near);
        select(name);
        if (mark === undefined) goToTime(at);
        else goToIndex(mark.index);
      }}
      onPointerLeave={() => {
        pointed.value = undefined;
      }}
    >
      {barsOf(segments, { span, width, end, shown: cursorAt.value }).map(({ x, width: wide, state, many, text }) => (
        <g key={x} class={`bar b-${state}${many ? ' many' : ''}`}>
          <rect x={x} y={barTop} width={wide} height={barHeight} />
          {wide > 18 && (state === 'failed' || state === 'backoff') ? (
            <StateShape state={state} x={x + 9} y={barTop + barHeight / 2} />
          ) : null}
          {text === undefined ? null : (
            <text x={x + (state === 'failed' || state === 'backoff' ? 18 : 5)} y={barTop + barHeight - 2.5}>
              {text}
            </text>
          )}
        </g>
      ))}
      {marksOf(marks, span, width).map(({ kind, x, index, count }) => (
        <g key={index} class={`mark m-${kind}`} transform={`translate(${x} 0)`}>
          <path d={markPaths[kind]} />
          {count > 1 ? <line x1="3" x2="7" y1="3.5" y2="3.5" /> : null}
        </g>
      ))}
    </svg>
  );
}

const markPaths: Readonly<Record<Mark['kind'], string>> = {
  spawn: 'M0 1V8M-2.5 1L2.5 3.2L0 5.4Z',
  exit: 'M0 8V2M-3 2H3',
  crash: 'M0 8V3M-2.6 0.6L2.6 5.4M2.6 0.6L-2.6 5.4',
  notify: 'M0 8V6M0 0.5L3 3.5L0 6.5L-3 3.5Z',
  restart: 'M2.4 2A3 3 0 1 0 3 4M3 0.6V2.6H1M0 8V7',
  run: 'M0 8V6M0 1A2.5 2.5 0 1 0 0.01 1Z',
  error: 'M0 21.5L3.6 26H-3.6Z',
};

/** The times of which less is known: those of which entries are missing, and the one before somebody watched. */
function Unknown({ scale, height }: { readonly scale: (at: number) => number; readonly height: number }) {
  const { gaps, detailFrom } = recording;
  return (
    <div class="tl-unknown" aria-hidden="true">
      {gaps.map(({ from, to, count }) => (
        <div
          key={to}
          class="gap"
          style={{
            left: `${scale(from)}px`,
            width: `${Math.max(3, scale(to) - scale(from))}px`,
            height: `${height}px`,
          }}
          data-gap={count}
        />
      ))}
      {detailFrom === 0 ? null : (
        <div
          class="detail"
          style={{ left: `${scale(detailFrom)}px`, height: `${height}px` }}
          data-detail={detailFrom}
        />
      )}
    </div>
  );
}

function CriticalPath({
  services,
  scale,
  width,
}: {
  readonly services: readonly string[];
  readonly scale: (at: number) => number;
  readonly width: number;
}) {
  const chain = criticalPath();
  const place = (link: ChainLink) => {
    const row = services.indexOf(link.service);
    return row < 0
      ? undefined
      : { y: row * rowHeight + barTop + barHeight / 2, from: scale(link.started), to: scale(endOfStart(link)) };
  };
  const lines: string[] = [];
  let later: ReturnType<typeof place>;
  for (const link of chain) {
    const here = place(link);
    if (here === undefined) continue;
    lines.push(`M${here.from} ${here.y}H${Math.max(here.to, here.from + 1)}`);
    if (later !== undefined) lines.push(`M${here.to} ${here.y}V${later.y}H${later.from}`);
    later = here;
  }
  return (
    <svg class="tl-critical" width={width} height={services.length * rowHeight} aria-hidden="true">
      <path class="halo" d={lines.join('')} />
      <path d={lines.join('')} data-chain={chain.map(({ service }) => service).join(' ')} />
    </svg>
  );
}

let memo: { readonly instant: Instant; readonly chain: readonly ChainLink[] } | undefined;

/** What the boot waited for, as far as it is known at the shown instant: that knows no future. */
export function criticalPath(): readonly ChainLink[] {
  const shown = instant.value;
  if (memo?.instant !== shown) memo = { instant: shown, chain: chainOf(shown.replica, shown.at) };
  return memo.chain;
}

/** Describes the element under the pointer in a line of its own, so that the text covers nothing. */
function Readout() {
  const at =
    pointed.value ?? (selection.value === undefined ? undefined : { service: selection.value, at: cursorAt.value });
  const text = at === undefined ? undefined : textAt(at);
  return (
    <output class="readout" aria-live="polite">
      {text ?? 'Point at a bar, or choose a service: here stands what it waited for.'}
    </output>
  );
}

function textAt({ service, at, mark }: Pointed): string | undefined {
  // An event at the shown instant or before it is told as it was known then; a later one is told as it is known now.
  const shown = instant.value;
  const { replica, now: end } =
    at <= shown.at
      ? { replica: shown.replica, now: shown.at }
      : { replica: recording.head, now: Math.max(now.value, recording.lastAt) };
  const name = shortName(service);
  if (mark !== undefined) return `${name} · ${markNames[mark.kind]} at ${instantText(mark.at, epoch())}: ${mark.text}`;
  const segment = replica.services.get(service)?.segments.findLast(({ from }) => from <= at);
  if (segment === undefined) return undefined;
  const since = `${name} · ${instantText(segment.from, epoch())}`;
  if (segment.state !== 'pending') return `${since} · ${segmentText(segment, end, recording.words.get(segment.seq))}`;
  const lasted = duration((segment.to ?? end) - segment.from);
  if (segment.to === undefined) {
    const waiting = instant.value.services.get(service);
    return `${since} · waiting for ${lasted}; ${waiting === undefined ? '' : (condition(waiting) ?? '')}`;
  }
  const next = replica.services.get(service)?.segments.find(({ from }) => from === segment.to);
  const other = next === undefined ? undefined : waitedForIn(next);
  return `${since} · waited ${lasted}${other === undefined ? '' : ` for ${shortName(other)}`}`;
}

const markNames: Readonly<Record<Mark['kind'], string>> = {
  spawn: 'spawned',
  exit: 'ended',
  crash: 'ended abnormally',
  notify: 'notified',
  restart: 'restarted',
  run: 'run',
  error: 'error in the log',
};

export function epoch(): number | undefined {
  return wallClock.value ? recording.boot?.epoch : undefined;
}

/** Goes to the beginning of the selected service's previous or next segment. */
export function stepSegment(by: 1 | -1): void {
  const name = selection.value;
  const segments = name === undefined ? [] : (recording.head.services.get(name)?.segments ?? []);
  const seq = recording.entries[(cursor.value ?? recording.entries.length) - 1]?.seq ?? 0;
  const target =
    by > 0 ? segments.find((segment) => segment.seq > seq) : segments.findLast((segment) => segment.seq < seq);
  if (target === undefined) return;
  pointed.value = undefined;
  goTo(recording.countOfSeq(target.seq));
}
