/** The part of the page's state that its address holds: `#t=11482&event=418&service=web.service&view=graph&zoom=boot`. */

import { type PublicState, publicStates } from '../../model/service/public-state.ts';
import { type Sort, sorts } from './order.ts';
import type { Zoom } from './scale.ts';

export const views = ['timeline', 'graph', 'statechart', 'messages', 'log', 'compare'] as const;

export type View = (typeof views)[number];

export interface Place {
  /** The instant in ms since chaperone began; absent: the page follows the newest entries. */
  readonly t?: number;
  /** The `seq` of the last entry that is shown, since several entries may have the same `t`. */
  readonly event?: number;
  readonly service?: string;
  /** The actor whose statechart is shown. */
  readonly actor?: string;
  readonly view: View;
  /** The times that the time axis shows; absent: all. */
  readonly zoom?: Zoom;
  readonly sort: Sort;
  /** False: services in trouble stand where the order puts them. */
  readonly troubleFirst: boolean;
  /** Only services in these states are shown; none: all. */
  readonly states: readonly PublicState[];
  /** The text that is looked for in the names of services. */
  readonly find: string;
  /** What is looked for in the log. */
  readonly lines: string;
  /** True: the wall clock instead of the time since the boot. */
  readonly wallClock: boolean;
  /** The id of the boot that this one is compared with. */
  readonly other?: string;
  /** True: that one stands as B. */
  readonly swapped: boolean;
}

export function parsePlace(hash: string): Place {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (key: string): number | undefined => numberOf(parameters.get(key) ?? '');
  const t = number('t');
  const event = number('event');
  const service = parameters.get('service') ?? undefined;
  const actor = parameters.get('actor') ?? undefined;
  const zoom = zoomOf(parameters.get('zoom') ?? '');
  const other = parameters.get('with') ?? undefined;
  const states = (parameters.get('states') ?? '').split(',');
  return {
    view: views.find((name) => name === parameters.get('view')) ?? 'timeline',
    ...(t === undefined ? {} : { t }),
    ...(event === undefined ? {} : { event }),
    ...(service === undefined ? {} : { service }),
    ...(actor === undefined ? {} : { actor }),
    ...(zoom === undefined ? {} : { zoom }),
    ...(other === undefined ? {} : { other }),
    sort: sorts.find((name) => name === parameters.get('sort')) ?? 'order',
    troubleFirst: parameters.get('trouble') !== 'in-order',
    states: publicStates.filter((state) => states.includes(state)),
    find: parameters.get('find') ?? '',
    lines: parameters.get('lines') ?? '',
    wallClock: parameters.get('clock') === 'wall',
    swapped: parameters.get('as') === 'b',
  };
}

export function renderPlace(place: Place): string {
  const { t, event, service, actor, view, zoom, sort, troubleFirst, states, find, lines, wallClock } = place;
  const parameters = new URLSearchParams();
  const set = (key: string, value: string | number | undefined): void => {
    if (value !== undefined && value !== '') parameters.set(key, String(value));
  };
  set('t', t === undefined ? undefined : rounded(t));
  set('event', event);
  set('service', service);
  set('actor', actor);
  if (view !== 'timeline') set('view', view);
  set('zoom', zoom === undefined ? undefined : zoomText(zoom));
  if (sort !== 'order') set('sort', sort);
  if (!troubleFirst) set('trouble', 'in-order');
  set('states', states.join(','));
  set('find', find);
  set('lines', lines);
  if (wallClock) set('clock', 'wall');
  set('with', place.other);
  if (place.swapped) set('as', 'b');
  const text = parameters.toString();
  return text === '' ? '' : `#${text}`;
}

/** `boot`, `last-300000`, `120-4500.5`. */
function zoomText(zoom: Zoom): string {
  switch (zoom.kind) {
    case 'boot':
      return 'boot';
    case 'last':
      return `last-${rounded(zoom.ms)}`;
    case 'span':
      return `${rounded(zoom.from)}-${rounded(zoom.to)}`;
  }
}

function zoomOf(text: string): Zoom | undefined {
  if (text === 'boot') return { kind: 'boot' };
  const [first = '', second = ''] = text.split('-');
  const to = numberOf(second);
  if (first === 'last') return to === undefined || to === 0 ? undefined : { kind: 'last', ms: to };
  const from = numberOf(first);
  return from === undefined || to === undefined || from >= to ? undefined : { kind: 'span', from, to };
}

function numberOf(text: string): number | undefined {
  const value = /^\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
