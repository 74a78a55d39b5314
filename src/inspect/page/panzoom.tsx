import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Camera {
  /** What of the picture is at the left and the top, and how many pixels one of its units takes. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Below this, text cannot be read. */
const legible = 0.62;
const largest = 3;
const smallest = 0.1;

/**
 * A picture that is moved and scaled with pointer, wheel, fingers and keys.
 *
 * @param focus is brought into sight whenever `focusKey` changes
 */
export function PanZoom({
  width,
  height,
  label,
  focus,
  focusKey,
  children,
}: {
  readonly width: number;
  readonly height: number;
  readonly label: string;
  readonly focus?: Box | undefined;
  readonly focusKey?: string | undefined;
  readonly children: ComponentChildren;
}) {
  const ref = useRef<HTMLElement>(null);
  const [room, setRoom] = useState({ width: 800, height: 500 });
  const [camera, setCamera] = useState<Camera | undefined>(undefined);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const dragged = useRef(false);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const look = (): void => setRoom({ width: element.clientWidth, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);
  const fitted = fitInto(width, height, room, legible);
  const { x, y, scale } = camera ?? fitted;
  const change = (make: (from: Camera) => Camera): void => setCamera((known) => make(known ?? fitted));
  useEffect(() => {
    if (focus === undefined || focusKey === undefined) return;
    const element = ref.current;
    const seen = element === null ? room : { width: element.clientWidth, height: element.clientHeight };
    setCamera((known) => bringIn(known ?? fitInto(width, height, seen, legible), focus, seen));
  }, [focusKey, focus === undefined]);
  const zoomAt = (factor: number, px: number, py: number): void =>
    change((from) => {
      const next = Math.min(largest, Math.max(smallest, from.scale * factor));
      return {
        scale: next,
        x: from.x + px / from.scale - px / next,
        y: from.y + py / from.scale - py / next,
      };
    });
  const place = (event: { clientX: number; clientY: number }) => {
    const box = ref.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };
  return (
    <div class="pan">
      <section
        class="pan-area"
        ref={ref}
        aria-label={label}
        onWheel={(event) => {
          event.preventDefault();
          const { x: px, y: py } = place(event);
          if (event.ctrlKey || event.metaKey) zoomAt(Math.exp(-event.deltaY / 200), px, py);
          else
            change((from) => ({
              ...from,
              x: from.x + event.deltaX / from.scale,
              y: from.y + event.deltaY / from.scale,
            }));
        }}
        onPointerDown={(event) => {
          pointers.current.set(event.pointerId, place(event));
          dragged.current = false;
        }}
        onPointerMove={(event) => {
          const known = pointers.current.get(event.pointerId);
          if (known === undefined) return;
          const at = place(event);
          const others = [...pointers.current.entries()].filter(([id]) => id !== event.pointerId);
          const other = others[0]?.[1];
          if (Math.hypot(at.x - known.x, at.y - known.y) < 3 && !dragged.current) return;
          dragged.current = true;
          pointers.current.set(event.pointerId, at);
          if (other === undefined)
            change((from) => ({
              ...from,
              x: from.x - (at.x - known.x) / from.scale,
              y: from.y - (at.y - known.y) / from.scale,
            }));
          else {
            const before = Math.hypot(known.x - other.x, known.y - other.y);
            const after = Math.hypot(at.x - other.x, at.y - other.y);
            if (before > 0) zoomAt(after / before, (at.x + other.x) / 2, (at.y + other.y) / 2);
          }
        }}
        onPointerUp={(event) => pointers.current.delete(event.pointerId)}
        onPointerCancel={(event) => pointers.current.delete(event.pointerId)}
        onPointerLeave={(event) => pointers.current.delete(event.pointerId)}
        onClickCapture={(event) => {
          if (dragged.current) event.stopPropagation();
          dragged.current = false;
        }}
      >
        <svg width={room.width} height={room.height} role="presentation">
          <g transform={`scale(${scale}) translate(${-x} ${-y})`}>{children}</g>
        </svg>
      </section>
      <div class="pan-tools">
        <button type="button" aria-label="Larger" onClick={() => zoomAt(1.3, room.width / 2, room.height / 2)}>
          +
        </button>
        <button type="button" aria-label="Smaller" onClick={() => zoomAt(1 / 1.3, room.width / 2, room.height / 2)}>
          −
        </button>
        <button type="button" onClick={() => setCamera(fitInto(width, height, room, smallest))}>
          Fit
        </button>
      </div>
    </div>
  );
}

function fitInto(
  width: number,
  height: number,
  room: { readonly width: number; readonly height: number },
  least: number,
): Camera {
  const margin = 12;
  const scale = Math.max(
    least,
    Math.min(1.15, (room.width - 2 * margin) / Math.max(1, width), (room.height - 2 * margin) / Math.max(1, height)),
  );
  // In the middle where there is room, else from the beginning.
  const x = Math.min(-margin / scale, -(room.width / scale - width) / 2);
  const y = Math.min(-margin / scale, -(room.height / scale - height) / 2);
  return {
    x: width * scale > room.width ? -margin / scale : x,
    y: height * scale > room.height ? -margin / scale : y,
    scale,
  };
}

function bringIn(camera: Camera, box: Box, room: { readonly width: number; readonly height: number }): Camera {
  const margin = 24;
  const least = Math.min(camera.scale, legible * 0.7);
  const fitting = Math.min(room.width / (box.width + margin), room.height / (box.height + margin));
  const scale = Math.max(least, Math.min(camera.scale, fitting));
  const wide = room.width / scale;
  const high = room.height / scale;
  const inside =
    box.x >= camera.x &&
    box.y >= camera.y &&
    box.x + box.width <= camera.x + wide &&
    box.y + box.height <= camera.y + high;
  if (inside && scale === camera.scale) return camera;
  return { scale, x: box.x + box.width / 2 - wide / 2, y: box.y + box.height / 2 - high / 2 };
}
