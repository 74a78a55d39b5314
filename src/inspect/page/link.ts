/** The part of the page's state that its address holds: `#t=11482&event=418&service=web.service&view=timeline`. */
export const views = ['timeline', 'graph', 'statechart', 'messages', 'log'] as const;

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
}

export function parsePlace(hash: string): Place {
  const parameters = new URLSearchParams(hash.replace(/^#/, ''));
  const number = (key: string): number | undefined => {
    const text = parameters.get(key);
    const value = text === null || text === '' ? Number.NaN : Number(text);
    return Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  const t = number('t');
  const event = number('event');
  const service = parameters.get('service') ?? undefined;
  const actor = parameters.get('actor') ?? undefined;
  return {
    view: views.find((name) => name === parameters.get('view')) ?? 'timeline',
    ...(t === undefined ? {} : { t }),
    ...(event === undefined ? {} : { event }),
    ...(service === undefined ? {} : { service }),
    ...(actor === undefined ? {} : { actor }),
  };
}

export function renderPlace({ t, event, service, actor, view }: Place): string {
  const parameters = new URLSearchParams();
  if (t !== undefined) parameters.set('t', String(Math.round(t * 1000) / 1000));
  if (event !== undefined) parameters.set('event', String(event));
  if (service !== undefined) parameters.set('service', service);
  if (actor !== undefined) parameters.set('actor', actor);
  if (view !== 'timeline') parameters.set('view', view);
  const text = parameters.toString();
  return text === '' ? '' : `#${text}`;
}
