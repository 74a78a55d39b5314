import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { type ChainLink, endOfStart } from '../../facts/critical-chain.ts';
import type { PublicState } from '../../model/service/public-state.ts';
import { shortName } from '../../model/service/service-spec.ts';
import type { Segment } from '../replica.ts';
import { stateOfPath } from './instant.ts';
import type { Mark } from './recording.ts';
import { type Domain, pan, ticks, tickText, zoom } from './scale.ts';
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
  recording,
  select,
  selection,
  shownServices,
  version,
  wallClock,
  zoomed,
} from './store.ts';
import { useInSight, useRows, useWidth } from './virtual.tsx';
import { condition, duration, instantText, segmentText } from './words.ts';

const rowHeight = 26;
const barTop = 8;
const barHeight = 12;
/** Bars that are narrower than this many pixels are merged with their neighbours. */
const narrowest = 2;

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
  return (
    <section class="timeline" aria-label="Timeline">
      <div class="tl-head">
        <div class="tl-tools">
          <button type="button" onClick={() => zoomBy(0.5)} aria-label="Zoom in" title="Zoom in (+)">
            +
          </button>
          <button type="button" onClick={() => zoomBy(2)} aria-label="Zoom out" title="Zoom out (−)">
            −
          </button>
          <button
            type="button"
            onClick={() => {
              zoomed.value = undefined;
            }}
            disabled={zoomed.value === undefined}
            title="Show all (0)"
          >
            All
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
        </div>
        <div class="tl-plot" ref={plot}>
          <Axis span={span} width={width} />
        </div>
      </div>
      <div class="tl-body" ref={ref}>
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
        <CriticalPath services={services} scale={scale} width={width} />
        {at >= span.from && at <= span.to ? (
          <div class={`tl-cursor${cursor.value === undefined ? ' follows' : ''}`} aria-hidden="true">
            <div style={{ left: `${scale(at)}px`, height: `${services.length * rowHeight}px` }} />
          </div>
        ) : null}
        {services.length === 0 ? <p class="empty">No service has that in its name.</p> : null}
      </div>
      <Readout />
    </section>
  );
}

export function zoomBy(factor: number): void {
  const { from, to } = domain.value;
  const at = cursorAt.value;
  zoomed.value = zoom(
    { from, to },
    factor,
    cursor.value !== undefined && at >= from && at <= to ? at : (from + to) / 2,
  );
}

export function panBy(share: number): void {
  const { from, to } = domain.value;
  zoomed.value = pan({ from, to }, (to - from) * share);
}

function Axis({ span, width }: { readonly span: Domain; readonly width: number }) {
  const epoch = wallClock.value ? recording.boot?.epoch : undefined;
  const marks = ticks(span, width);
  const step = (marks[1] ?? span.to) - (marks[0] ?? span.from);
  return (
    <svg class="axis" width={width} height={rowHeight} aria-hidden="true">
      {marks.map((at) => {
        const x = ((at - span.from) / (span.to - span.from)) * width;
        const text = epoch === undefined ? tickText(at, step) : wallTick(at, step, epoch);
        return (
          <g key={at} transform={`translate(${x} 0)`}>
            <line y1="18" y2="26" />
            <text y="14" text-anchor={x < 14 ? 'start' : x > width - 26 ? 'end' : 'middle'}>
              {text}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

function wallTick(at: number, step: number, epoch: number): string {
  const text = instantText(at, epoch);
  return step < 1000 ? text.slice(3) : text.slice(0, 8);
}

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
      class={`tl-row${picked ? ' picked' : ''}`}
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

interface Bar {
  readonly x: number;
  width: number;
  state: PublicState;
  many: boolean;
}

function Bars({ name, width, span }: { readonly name: string; readonly width: number; readonly span: Domain }) {
  const drag = useRef<{ x: number; from: number; to: number; moved: boolean } | undefined>(undefined);
  version.value;
  const end = Math.max(now.value, recording.lastAt);
  const segments = recording.head.services.get(name)?.segments ?? [];
  const marks = recording.marks.get(name) ?? [];
  const timeOf = (event: PointerEvent): number => {
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : { left: 0 };
    return span.from + ((event.clientX - box.left) / width) * (span.to - span.from);
  };
  return (
    <svg
      class="tl-bars"
      width={width}
      height={rowHeight}
      aria-hidden="true"
      onPointerDown={(event) => {
        drag.current = { x: event.clientX, from: span.from, to: span.to, moved: false };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        const held = drag.current;
        if (held !== undefined) {
          const moved = event.clientX - held.x;
          if (held.moved || Math.abs(moved) > 4) {
            held.moved = true;
            zoomed.value = pan({ from: held.from, to: held.to }, (-moved / width) * (held.to - held.from));
          }
          return;
        }
        const at = timeOf(event);
        const mark = nearestMark(marks, at, ((span.to - span.from) / width) * 5);
        pointed.value = { service: name, at, ...(mark === undefined ? {} : { mark }) };
      }}
      onPointerUp={(event) => {
        const held = drag.current;
        drag.current = undefined;
        if (held === undefined || held.moved) return;
        const at = timeOf(event);
        const mark = nearestMark(marks, at, ((span.to - span.from) / width) * 5);
        select(name);
        if (mark === undefined) goToTime(at);
        else goToIndex(mark.index);
      }}
      onPointerLeave={() => {
        pointed.value = undefined;
      }}
    >
      {barsOf(segments, span, width, end).map(({ x, width: wide, state, many }) => (
        <g key={x} class={`bar b-${state}${many ? ' many' : ''}`}>
          <rect x={x} y={barTop} width={wide} height={barHeight} />
          {wide > 18 && (state === 'failed' || state === 'backoff') ? (
            <StateShape state={state} x={x + 9} y={barTop + barHeight / 2} />
          ) : null}
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

/** Turns segments into bars; neighbours that are too narrow to be seen are merged into one bar. */
function barsOf(segments: readonly Segment[], { from, to }: Domain, width: number, end: number): readonly Bar[] {
  const bars: Bar[] = [];
  const scale = width / (to - from);
  for (const segment of segments) {
    const until = segment.to ?? end;
    if (until < from) continue;
    if (segment.from > to) break;
    const x = Math.max(0, (segment.from - from) * scale);
    const right = Math.min(width, (until - from) * scale);
    const state = stateOfPath(segment.state);
    const last = bars.at(-1);
    if (last !== undefined && last.state === state && !last.many) {
      last.width = Math.max(last.width, right - last.x);
      continue;
    }
    if (last !== undefined && right - x < narrowest && x - (last.x + last.width) < 0.5) {
      if (last.width <= narrowest * 2 || last.many) {
        last.many = last.many || last.state !== state;
        last.width = Math.max(last.width, right - last.x);
        if (severity[state] > severity[last.state]) last.state = state;
        continue;
      }
    }
    bars.push({ x, width: Math.max(narrowest, right - x), state, many: false });
  }
  return bars;
}

/** A bar that was merged from several states shows the state with the highest number. */
const severity: Readonly<Record<PublicState, number>> = {
  disabled: 0,
  stopped: 0,
  pending: 1,
  exited: 2,
  ready: 3,
  starting: 4,
  stopping: 5,
  backoff: 6,
  failed: 7,
};

interface DrawnMark {
  readonly kind: Mark['kind'];
  readonly x: number;
  readonly index: number;
  count: number;
}

function marksOf(marks: readonly Mark[], { from, to }: Domain, width: number): readonly DrawnMark[] {
  const drawn: DrawnMark[] = [];
  const last = new Map<Mark['kind'], DrawnMark>();
  for (const { kind, at, index } of marks) {
    if (at < from || at > to) continue;
    const x = ((at - from) / (to - from)) * width;
    const before = last.get(kind);
    if (before !== undefined && x - before.x < 7) {
      before.count += 1;
      continue;
    }
    const mark = { kind, x, index, count: 1 };
    last.set(kind, mark);
    drawn.push(mark);
  }
  // Every restart spawns a process, so the mark of the restart stands for both.
  return drawn.filter(
    ({ kind, x }) => kind !== 'spawn' || !drawn.some((other) => other.kind === 'restart' && Math.abs(other.x - x) < 4),
  );
}

function nearestMark(marks: readonly Mark[], at: number, within: number): Mark | undefined {
  let nearest: Mark | undefined;
  for (const mark of marks)
    if (
      Math.abs(mark.at - at) <= within &&
      Math.abs(mark.at - at) <= Math.abs((nearest?.at ?? Number.POSITIVE_INFINITY) - at)
    )
      nearest = mark;
  return nearest;
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

let memo: { readonly count: number; readonly chain: readonly ChainLink[] } | undefined;

export function criticalPath(): readonly ChainLink[] {
  const count = version.value;
  if (memo?.count !== count) memo = { count, chain: chainOf(recording.head) };
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
  const { replica, now: end } = { replica: recording.head, now: Math.max(now.value, recording.lastAt) };
  const name = shortName(service);
  if (mark !== undefined) return `${name} · ${markNames[mark.kind]} at ${instantText(mark.at, epoch())}: ${mark.text}`;
  const segment = replica.services.get(service)?.segments.findLast(({ from }) => from <= at);
  if (segment === undefined) return undefined;
  const since = `${name} · ${instantText(segment.from, epoch())}`;
  if (segment.state !== 'pending') return `${since} · ${segmentText(segment, end)}`;
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
