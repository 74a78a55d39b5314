import type { ComponentChildren, RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Camera {
  /** The point of the picture at the left and the top of the area, and the number of pixels that one unit of the picture takes. */
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point, Size {}

/** Text is too small to read at a smaller scale than this. */
const legible = 0.62;
const largest = 3;
const smallest = 0.1;

interface Size {
  readonly width: number;
  readonly height: number;
}

interface Picture extends Size {
  /** The box that is moved into view whenever `focusKey` changes. */
  readonly focus?: Box | undefined;
  readonly focusKey?: string | undefined;
}

/** A picture that the user moves and scales with pointer, wheel, fingers and keys. */
export function PanZoom({
  label,
  children,
  ...picture
}: Picture & { readonly label: string; readonly children: ComponentChildren }) {
  const ref = useRef<HTMLElement>(null);
  const room = useRoom(ref);
  const camera = useCamera(ref, room, picture);
  const hands = useHands(ref, camera);
  const { x, y, scale } = camera.now;
  const zoom = (factor: number): void => camera.zoomAt(factor, { x: room.width / 2, y: room.height / 2 });
  return (
    <div class="pan">
      <section class="pan-area" ref={ref} aria-label={label} {...hands}>
        <svg width={room.width} height={room.height} role="presentation">
          <g transform={`scale(${scale}) translate(${-x} ${-y})`}>{children}</g>
        </svg>
      </section>
      <div class="pan-tools">
        <button type="button" aria-label="Larger" onClick={() => zoom(1.3)}>
          +
        </button>
        <button type="button" aria-label="Smaller" onClick={() => zoom(1 / 1.3)}>
          −
        </button>
        <button type="button" onClick={camera.fit}>
          Fit
        </button>
      </div>
    </div>
  );
}

type Area = RefObject<HTMLElement | null>;

/** The size of the area in pixels. */
function useRoom(area: Area): Size {
  const [room, setRoom] = useState<Size>({ width: 800, height: 500 });
  useLayoutEffect(() => {
    const element = area.current;
    if (element === null) return undefined;
    const look = (): void => setRoom(sizeOf(element));
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);
  return room;
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): Size {
  return { width: clientWidth, height: clientHeight };
}

interface MovingCamera {
  readonly now: Camera;
  /** Moves the picture by a number of pixels. */
  readonly move: (dx: number, dy: number) => void;
  /** Scales the picture; the given point of it keeps its place. */
  readonly zoomAt: (factor: number, point: Point) => void;
  /** Shows the whole picture. */
  readonly fit: () => void;
}

/** The camera follows the sizes of the picture and the area until the user moves it. */
function useCamera(area: Area, room: Size, { width, height, focus, focusKey }: Picture): MovingCamera {
  const [camera, setCamera] = useState<Camera | undefined>(undefined);
  const fitted = fitInto(width, height, room, legible);
  const change = (make: (from: Camera) => Camera): void => setCamera((known) => make(known ?? fitted));
  useEffect(() => {
    if (focus === undefined || focusKey === undefined) return;
    const seen = area.current === null ? room : sizeOf(area.current);
    setCamera((known) => bringIn(known ?? fitInto(width, height, seen, legible), focus, seen));
  }, [focusKey, focus === undefined]);
  return {
    now: camera ?? fitted,
    move: (dx, dy) => change((from) => ({ ...from, x: from.x + dx / from.scale, y: from.y + dy / from.scale })),
    zoomAt: (factor, point) =>
      change((from) => {
        const scale = Math.min(largest, Math.max(smallest, from.scale * factor));
        return {
          scale,
          x: from.x + point.x / from.scale - point.x / scale,
          y: from.y + point.y / from.scale - point.y / scale,
        };
      }),
    fit: () => setCamera(fitInto(width, height, room, smallest)),
  };
}

/** The input that moves the camera: the wheel, one pointer that drags, two fingers that pinch. */
function useHands(area: Area, { move, zoomAt }: MovingCamera) {
  const pointers = useRef(new Map<number, Point>());
  const dragged = useRef(false);
  const place = (event: MouseEvent): Point => {
    const box = area.current?.getBoundingClientRect();
    return { x: event.clientX - (box?.left ?? 0), y: event.clientY - (box?.top ?? 0) };
  };
  const lift = (event: PointerEvent): void => {
    pointers.current.delete(event.pointerId);
  };
  return {
    onWheel: (event: WheelEvent): void => {
      event.preventDefault();
      if (event.ctrlKey || event.metaKey) zoomAt(Math.exp(-event.deltaY / 200), place(event));
      else move(event.deltaX, event.deltaY);
    },
    onPointerDown: (event: PointerEvent): void => {
      pointers.current.set(event.pointerId, place(event));
      dragged.current = false;
    },
    onPointerMove: (event: PointerEvent): void => {
      const known = pointers.current.get(event.pointerId);
      if (known === undefined) return;
      const at = place(event);
      const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
      if (distance(at, known) < 3 && !dragged.current) return;
      dragged.current = true;
      pointers.current.set(event.pointerId, at);
      if (other === undefined) {
        move(known.x - at.x, known.y - at.y);
        return;
      }
      const before = distance(known, other);
      if (before > 0) zoomAt(distance(at, other) / before, { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
    },
    onPointerUp: lift,
    onPointerCancel: lift,
    onPointerLeave: lift,
    // The end of a drag is not a click on the element under the pointer.
    onClickCapture: (event: MouseEvent): void => {
      if (dragged.current) event.stopPropagation();
      dragged.current = false;
    },
  };
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

function fitInto(width: number, height: number, room: Size, least: number): Camera {
  const margin = 12;
  const scale = Math.max(
    least,
    Math.min(1.15, (room.width - 2 * margin) / Math.max(1, width), (room.height - 2 * margin) / Math.max(1, height)),
  );
  // The picture is centred if it fits, and else aligned to its left and top.
  const x = Math.min(-margin / scale, -(room.width / scale - width) / 2);
  const y = Math.min(-margin / scale, -(room.height / scale - height) / 2);
  return {
    x: width * scale > room.width ? -margin / scale : x,
    y: height * scale > room.height ? -margin / scale : y,
    scale,
  };
}

function bringIn(camera: Camera, box: Box, room: Size): Camera {
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
