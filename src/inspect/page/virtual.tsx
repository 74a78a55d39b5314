import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

/** The rows of a long list that are in view. */
export interface Window {
  readonly first: number;
  /** The first row behind the view. */
  readonly last: number;
}

const overscan = 6;

/** Virtualises a list of rows of one height: only the rows in view are drawn. */
export function useRows<E extends HTMLElement = HTMLDivElement>(count: number, height: number) {
  const ref = useRef<E>(null);
  const [{ top, room }, setPlace] = useState({ top: 0, room: 600 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const look = (): void => setPlace({ top: element.scrollTop, room: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  const first = Math.max(0, Math.floor(top / height) - overscan);
  const last = Math.min(count, Math.ceil((top + room) / height) + overscan);
  const window: Window = { first: Math.min(first, last), last };
  return { ref, window };
}

/** Scrolls the given row into view whenever another row is given. */
export function useInSight(ref: { readonly current: HTMLElement | null }, row: number, height: number): void {
  useEffect(() => {
    const element = ref.current;
    if (element === null || row < 0) return;
    const { scrollTop, clientHeight } = element;
    const at = row * height;
    if (at < scrollTop || at + height > scrollTop + clientHeight)
      element.scrollTop = Math.max(0, at - (at < scrollTop ? clientHeight * 0.25 : clientHeight * 0.75));
  }, [ref, row, height]);
}

/** The width of an element in pixels. */
export function useWidth(otherwise: number) {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(otherwise);
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const look = (): void => setWidth(Math.max(40, element.clientWidth));
    const observer = new ResizeObserver(look);
    observer.observe(element);
    look();
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

/** The last index whose value is not above the limit; -1 if there is none. The values are sorted. */
export function lastNotAbove(values: readonly number[], limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
