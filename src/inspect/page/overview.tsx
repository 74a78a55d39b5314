/** A narrow strip with all of the time: how much happened when, where there was trouble, and which part the views show. */
import { useRef } from 'preact/hooks';
import { stateOfPath } from './instant.ts';
import { wholeDomain } from './scale.ts';
import { cursorAt, domain, lastKnown, live, readyAt, recording, version } from './store.ts';
import { panTo, placeOn, showSpan, wheel } from './zooming.ts';

const height = 30;
/** Pixels of one column. */
const column = 3;
/** Pixels beside an end of the window in which a drag moves that end alone. */
const reach = 6;

interface Column {
  moves: number;
  failures: number;
}

let memo: { readonly key: string; readonly columns: ReadonlyMap<number, Column> } | undefined;

/** How often services moved, and how often they failed, in each column. */
function columnsOf(width: number, to: number): ReadonlyMap<number, Column> {
  const key = `${recording.lastSeq} ${recording.entries.length} ${width} ${to}`;
  if (memo?.key === key) return memo.columns;
  const columns = new Map<number, Column>();
  for (const { segments } of recording.head.services.values())
    for (const { from, state } of segments) {
      const x = Math.floor((from / to) * (width / column)) * column;
      const known = columns.get(x) ?? { moves: 0, failures: 0 };
      columns.set(x, known);
      known.moves += 1;
      const shown = stateOfPath(state);
      if (shown === 'failed' || shown === 'backoff') known.failures += 1;
    }
  memo = { key, columns };
  return columns;
}

interface Held {
  readonly kind: 'move' | 'from' | 'to' | 'mark';
  readonly x: number;
  readonly from: number;
  readonly to: number;
  moved: boolean;
}

export function Overview({ width }: { readonly width: number }) {
  version.value;
  const held = useRef<Held | undefined>(undefined);
  const { to: end } = wholeDomain(lastKnown.value, live.value);
  const scale = (at: number): number => Math.max(0, Math.min(width, (at / end) * width));
  const span = domain.value;
  const [left, right] = [scale(span.from), scale(span.to)];
  const columns = columnsOf(width, end);
  const most = Math.max(1, ...[...columns.values()].map(({ moves }) => moves));
  const ready = readyAt.value;
  const grip = (x: number): Held => {
    const whole = left <= 0 && right >= width;
    const kind = whole
      ? 'mark'
      : Math.abs(x - left) <= reach
        ? 'from'
        : Math.abs(x - right) <= reach
          ? 'to'
          : x > left && x < right
            ? 'move'
            : 'mark';
    return { kind, x, from: span.from, to: span.to, moved: false };
  };
  const follow = (x: number): void => {
    const own = held.current;
    if (own === undefined || (!own.moved && Math.abs(x - own.x) < 3)) return;
    own.moved = true;
    const at = (Math.max(0, Math.min(width, x)) / width) * end;
    const began = (own.x / width) * end;
    if (own.kind === 'move') panTo(own, at - began);
    else {
      const other = own.kind === 'mark' ? began : own.kind === 'from' ? own.to : own.from;
      if (at !== other) showSpan({ from: Math.min(at, other), to: Math.max(at, other) });
    }
  };
  return (
    <svg
      class="overview"
      width={width}
      height={height}
      aria-hidden="true"
      data-overview={`${Math.round(span.from)} ${Math.round(span.to)}`}
      onWheel={(event) => {
        const x = placeOn(event.currentTarget, event);
        // The strip shows other times than the axis: the wheel zooms the axis around the time under the pointer.
        const inWindow = (((x / width) * end - span.from) / (span.to - span.from)) * width;
        wheel(event, Math.max(0, Math.min(width, inWindow)), width, false);
      }}
      onPointerDown={(event) => {
        held.current = grip(placeOn(event.currentTarget, event));
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => follow(placeOn(event.currentTarget, event))}
      onPointerUp={() => {
        const own = held.current;
        held.current = undefined;
        // A click beside the window brings it there.
        if (own?.moved === false && own.kind === 'mark') panTo(span, (own.x / width) * end - (span.from + span.to) / 2);
      }}
    >
      <title>All of the time: drag the window, or mark another one</title>
      <rect class="catch" width={width} height={height} />
      {[...columns].map(([x, { moves, failures }]) => {
        const tall = 3 + (height - 10) * Math.sqrt(moves / most);
        return (
          <g key={x}>
            <rect class="moves" x={x} y={height - tall} width={column - 1} height={tall} />
            {failures > 0 ? <path class="failures" d={`M${x - 1.5} 1h5l-2.5 5z`} /> : null}
          </g>
        );
      })}
      {ready === undefined ? null : <line class="ready" x1={scale(ready)} x2={scale(ready)} y2={height} />}
      <rect class="outside" width={left} height={height} />
      <rect class="outside" x={right} width={Math.max(0, width - right)} height={height} />
      <rect class="window" x={left} y="0.5" width={Math.max(2, right - left)} height={height - 1} />
      <line class="now" x1={scale(cursorAt.value)} x2={scale(cursorAt.value)} y2={height} />
    </svg>
  );
}
