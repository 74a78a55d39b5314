/** What moves the time axis: wheel, drags, buttons and keys. */
import { signal } from '@preact/signals';
import { type Domain, pan, wholeDomain, zoom } from './scale.ts';
import { comparedTimes, cursor, cursorAt, domain, lastKnown, live, view, zoomed } from './store.ts';

/** The times that the user is marking with the pointer, to zoom to them. */
export const marked = signal<Domain | undefined>(undefined);

/** ms of the button that shows what happened lately. */
export const lately = 5 * 60_000;

/** Pixels by which a pointer moves at least in a drag. */
const shortestDrag = 4;
/** How much one unit of a wheel zooms. */
const wheelStep = 1.0016;

/** Zooms around the shown instant, where that is in sight. */
export function zoomBy(factor: number): void {
  const { from, to } = domain.value;
  const at = cursorAt.value;
  zoomAround(factor, cursor.value !== undefined && at >= from && at <= to ? at : (from + to) / 2);
}

export function zoomAround(factor: number, at: number): void {
  showSpan(zoom(domain.value, factor, at));
}

export function panBy(share: number): void {
  const span = domain.value;
  panTo(span, (span.to - span.from) * share);
}

/** ms up to which there is something to show. */
function wholeEnd(): number {
  const compared = view.value === 'compare' ? comparedTimes.value : undefined;
  return compared?.last ?? wholeDomain(lastKnown.value, live.value).to;
}

/** Moves a span by some ms, and shows it; some of what is known stays in sight. */
export function panTo(span: Domain, by: number): void {
  const length = span.to - span.from;
  const to = wholeEnd();
  const { from } = pan(span, by);
  const start = Math.max(0, Math.min(from, to - length * 0.1));
  zoomed.value = { kind: 'span', from: start, to: start + length };
}

/** Shows these times; all of the time where they are all of it. */
export function showSpan(span: Domain): void {
  const to = wholeEnd();
  zoomed.value = span.from <= 0 && span.to >= to ? undefined : { kind: 'span', from: span.from, to: span.to };
}

/** The place of a pointer on the axis: pixels from its beginning. */
export function placeOn(element: Element, event: MouseEvent): number {
  return event.clientX - element.getBoundingClientRect().left;
}

/**
 * Zooms around the pointer, or moves the axis sideways.
 *
 * @param scrolls true where a wheel without a key is for what scrolls: there Ctrl zooms, and Shift moves the axis
 */
export function wheel(event: WheelEvent, x: number, width: number, scrolls: boolean): void {
  const span = domain.value;
  const length = span.to - span.from;
  const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
  if (event.shiftKey || sideways) panTo(span, ((sideways ? event.deltaX : event.deltaY) / width) * length);
  else if (event.ctrlKey || event.metaKey || !scrolls) {
    // A pinch on a touchpad comes as a wheel with Ctrl, in small steps.
    const delta = event.deltaMode === 0 ? event.deltaY : event.deltaY * 33;
    zoomAround(
      wheelStep ** (event.ctrlKey && Math.abs(delta) < 20 ? delta * 8 : delta),
      span.from + (x / width) * length,
    );
  } else return;
  event.preventDefault();
}

/** Lets a wheel over rows move the time axis `plot`, which is `width` pixels wide: where the rows scroll, a wheel without a key is theirs. */
export function wheelOverRows(event: WheelEvent, plot: Element | null, width: number): void {
  const { currentTarget: rows } = event;
  if (plot === null || !(rows instanceof Element)) return;
  wheel(event, Math.max(0, placeOn(plot, event)), width, rows.scrollHeight > rows.clientHeight);
}

/** Where a drag began, and what it moves. */
export interface Drag {
  readonly kind: 'pan' | 'mark';
  readonly x: number;
  readonly span: Domain;
  moved: boolean;
}

/** Follows a drag: one that pans moves the axis, one that marks shows the times that it marks. */
export function dragTo(drag: Drag, x: number, width: number): void {
  const moved = x - drag.x;
  if (!drag.moved && Math.abs(moved) < shortestDrag) return;
  drag.moved = true;
  const length = drag.span.to - drag.span.from;
  if (drag.kind === 'pan') panTo(drag.span, (-moved / width) * length);
  else {
    const timeAt = (place: number): number => drag.span.from + (Math.max(0, Math.min(width, place)) / width) * length;
    marked.value = { from: Math.min(timeAt(drag.x), timeAt(x)), to: Math.max(timeAt(drag.x), timeAt(x)) };
  }
}

/** @returns true where there was a drag, so that this was no click */
export function endDrag(drag: Drag | undefined): boolean {
  const span = marked.value;
  marked.value = undefined;
  if (drag?.moved !== true) return false;
  if (drag.kind === 'mark' && span !== undefined) showSpan(span);
  return true;
}
