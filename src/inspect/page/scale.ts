/** A span of time that the time axis shows. All times are ms since chaperone began. */
export interface Domain {
  readonly from: number;
  readonly to: number;
}

/** What the user has chosen to see of the time: two of the choices move while the system goes on. */
export type Zoom =
  | ({ readonly kind: 'span' } & Domain)
  /** From the beginning until the system was up. */
  | { readonly kind: 'boot' }
  /** The last `ms` of what is known. */
  | { readonly kind: 'last'; readonly ms: number };

/** The shortest span of time that can be shown, in ms. */
const shortest = 5;

/** The span of a whole boot whose last entry is at `last`; its end moves in large steps, so that a growing view does not creep. */
export function wholeDomain(last: number, live: boolean): Domain {
  if (!live) return { from: 0, to: Math.max(1, last * 1.01) };
  const step = niceStep(Math.max(last, 100) / 4);
  return { from: 0, to: Math.max(1, Math.ceil((last * 1.02) / step) * step) };
}

/**
 * The shown span of time.
 *
 * @param over ms at which the boot was over; undefined while it goes on
 * @param last ms of the newest instant
 */
export function domainOf(zoomed: Zoom | undefined, over: number | undefined, last: number, live: boolean): Domain {
  switch (zoomed?.kind) {
    case undefined:
      return wholeDomain(last, live);
    case 'span':
      return zoomed;
    case 'boot':
      return { from: 0, to: Math.max(1, (over ?? last) * 1.05) };
    case 'last':
      return { from: Math.max(0, last - zoomed.ms), to: Math.max(1, last) };
  }
}

export function zoom({ from, to }: Domain, factor: number, around: number): Domain {
  const span = Math.max(shortest, (to - from) * factor);
  const share = to === from ? 0.5 : (around - from) / (to - from);
  const start = Math.max(0, around - span * share);
  return { from: start, to: start + span };
}

export function pan({ from, to }: Domain, by: number): Domain {
  const start = Math.max(0, from + by);
  return { from: start, to: start + (to - from) };
}

/** About `width / 90` round instants for the axis. */
export function ticks({ from, to }: Domain, width: number): readonly number[] {
  const step = niceStep(((to - from) / Math.max(1, width)) * 100);
  const first = Math.ceil(from / step) * step;
  const result: number[] = [];
  for (let at = first; at <= to && result.length < 200; at += step) result.push(at);
  return result;
}

/** The label of a tick: `0 s`, `0.25 s`, `1.5 s`, `2:00`. */
export function tickText(at: number, step: number): string {
  if (at === 0) return '0 s';
  if (at >= 60_000) {
    const seconds = (at % 60_000) / 1000;
    const fine = step < 1000 ? seconds.toFixed(decimals(step)) : String(Math.round(seconds));
    const padded = seconds < 10 ? `0${fine}` : fine;
    const minutes = Math.floor(at / 60_000);
    return minutes < 60
      ? `${minutes}:${padded}`
      : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${padded}`;
  }
  if (step >= 1000) return `${Math.round(at / 1000)} s`;
  return `${(at / 1000).toFixed(decimals(step))} s`;
}

/** The number of decimals of a second at which the labels of two ticks `step` ms apart differ. */
function decimals(step: number): number {
  if (step < 1) return 4;
  return step < 10 ? 3 : step < 100 ? 2 : 1;
}

function niceStep(least: number): number {
  const minutes = [1, 2, 5, 10, 15, 30].map((count) => count * 60_000);
  const hours = [1, 2, 3, 6, 12, 24].map((count) => count * 3_600_000);
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 0.001)));
  const decimal = [1, 2, 5, 10].map((count) => count * power);
  const seconds = [10_000, 15_000, 20_000, 30_000];
  const steps = least > 10_000 ? [...seconds, ...minutes, ...hours] : decimal;
  return steps.find((step) => step >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
}
