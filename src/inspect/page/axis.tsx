import { useRef } from 'preact/hooks';
import { readyText } from '../../facts/transitions.ts';
import { type Domain, ticks, tickText } from './scale.ts';
import { domain, readyAt, recording, version, wallClock } from './store.ts';
import { instantText } from './words.ts';
import { type Drag, dragTo, endDrag, marked, placeOn, wheel } from './zooming.ts';

const height = 36;

interface AxisProps {
  readonly span: Domain;
  readonly width: number;
  /** ms at which the system was up, to be marked. */
  readonly ready?: number | undefined;
}

/** The time axis: a drag marks the times to zoom to, the wheel zooms. */
export function Axis({ span, width, ready }: AxisProps) {
  const drag = useRef<Drag | undefined>(undefined);
  // The first entry, which tells of the wall clock, may come later.
  version.value;
  const epoch = wallClock.value ? recording.boot?.epoch : undefined;
  const marks = ticks(span, width);
  const step = (marks[1] ?? span.to) - (marks[0] ?? span.from);
  const scale = (at: number): number => ((at - span.from) / (span.to - span.from)) * width;
  return (
    <svg
      class="axis"
      width={width}
      height={height}
      aria-hidden="true"
      onWheel={(event) => wheel(event, placeOn(event.currentTarget, event), width, false)}
      onPointerDown={(event) => {
        drag.current = { kind: 'mark', x: placeOn(event.currentTarget, event), span: domain.peek(), moved: false };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (drag.current !== undefined) dragTo(drag.current, placeOn(event.currentTarget, event), width);
      }}
      onPointerUp={() => {
        endDrag(drag.current);
        drag.current = undefined;
      }}
    >
      <title>Drag over the axis to zoom to these times</title>
      <rect class="catch" width={width} height={height} />
      {marks.map((at) => {
        const x = scale(at);
        const text = epoch === undefined ? tickText(at, step) : wallTick(at, step, epoch);
        return (
          <g key={at} transform={`translate(${x} 0)`}>
            <line y1="28" y2={height} />
            <text y="25" text-anchor={x < 14 ? 'start' : x > width - 26 ? 'end' : 'middle'}>
              {text}
            </text>
          </g>
        );
      })}
      {ready === undefined || ready < span.from || ready > span.to ? null : (
        <g class="ready-label" transform={`translate(${scale(ready)} 0)`} data-ready-line={ready}>
          <line y1="2" y2={height} />
          <text
            y="11"
            x={scale(ready) > width - 110 ? -4 : 4}
            text-anchor={scale(ready) > width - 110 ? 'end' : 'start'}
          >
            READY {readyText(ready).replace('ready in ', '')}
          </text>
        </g>
      )}
    </svg>
  );
}

function wallTick(at: number, step: number, epoch: number): string {
  const text = instantText(at, epoch);
  return step < 1000 ? text.slice(3) : text.slice(0, 8);
}

/** Lines through all rows: when the system was up, and the times that are being marked. */
export function AxisLines({
  span,
  width,
  height: tall,
}: {
  readonly span: Domain;
  readonly width: number;
  readonly height: number;
}) {
  const scale = (at: number): number => ((at - span.from) / (span.to - span.from)) * width;
  const ready = readyAt.value;
  const times = marked.value;
  return (
    <div class="tl-lines" aria-hidden="true">
      {ready === undefined || ready < span.from || ready > span.to ? null : (
        <div class="ready-line" style={{ left: `${scale(ready)}px`, height: `${tall}px` }} />
      )}
      {times === undefined ? null : (
        <div
          class="marked"
          style={{
            left: `${scale(times.from)}px`,
            width: `${scale(times.to) - scale(times.from)}px`,
            height: `${tall}px`,
          }}
        />
      )}
    </div>
  );
}
