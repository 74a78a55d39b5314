import { useEffect, useState } from 'preact/hooks';
import { shortName } from '../../model/service/service-spec.ts';
import type { Json } from '../../model/words/json.ts';
import { isServiceMachine } from '../entry.ts';
import { type Chart, type ChartState, chartOf, contains, eventText } from './chart-model.ts';
import { type Layout, type LayoutEdge, type LayoutNode, layOut, textWidth } from './layout.ts';
import { PanZoom } from './panzoom.tsx';
import type { Step } from './recording.ts';
import { actorChoice, chartActor, instant, recording, select, selection, version } from './store.ts';
import { epoch } from './timeline.tsx';
import { duration, eventDetail, instantText } from './words.ts';

const textSize = 15;

export function StatechartView() {
  version.value;
  const sessionId = chartActor.value;
  const actor = sessionId === undefined ? undefined : instant.value.replica.actors.get(sessionId);
  const machine = actor?.machine ?? recording.actors.get(sessionId ?? '')?.machine;
  const chart = machine === undefined ? undefined : chartFor(machine);
  return (
    <section class="statechart" aria-label="Statechart">
      <div class="view-tools">
        <ActorChoice />
        {actor === undefined || actor.path === '' ? null : (
          <p class="why-line" data-actor-path={actor.path}>
            <strong>{actor.path}</strong> for {duration(instant.value.at - actor.since)}
            {actor.snapshot.status === 'active' ? '' : `, ${actor.snapshot.status}`}
            {recording.detailFrom === 0 ? null : (
              <span class="soft" data-counted-from={recording.detailFrom}>
                ; transitions are counted from {instantText(recording.detailFrom, epoch())} on
              </span>
            )}
          </p>
        )}
      </div>
      {chart === undefined || sessionId === undefined ? (
        <p class="empty">
          {sessionId === undefined ? 'Nothing has begun yet.' : 'This actor is no machine: it has no chart.'}
        </p>
      ) : (
        <Drawn key={chart.name} chart={chart} sessionId={sessionId} path={actor?.path ?? ''} />
      )}
    </section>
  );
}

/** The choice between the actors: the system, the services, and the actors that belong to the chosen service. */
function ActorChoice() {
  const chosen = chartActor.value;
  const service = selection.value;
  const { replica } = instant.value;
  const system = replica.system.sessionId;
  const runs =
    service === undefined
      ? []
      : [...replica.actors.values()].filter(
          (actor) => actor.service === service && actor.machine !== undefined && !isServiceMachine(actor.machine),
        );
  return (
    <label class="choice">
      Actor{' '}
      <select
        value={chosen ?? ''}
        onChange={(event) => {
          const id = event.currentTarget.value;
          const known = recording.actors.get(id);
          const isService = isServiceMachine(known?.machine);
          if (isService) select(known?.service);
          if (known?.machine === 'system') select(undefined);
          actorChoice.value = isService || known?.machine === 'system' ? undefined : id;
        }}
      >
        {system === undefined ? null : <option value={system}>system</option>}
        {runs.length === 0 ? null : (
          <optgroup label={`Runs of ${shortName(service ?? '')}`}>
            {runs.slice(-30).map(({ sessionId, name, machine, path }) => (
              <option key={sessionId} value={sessionId}>
                {name} ({machine}, {path})
              </option>
            ))}
          </optgroup>
        )}
        <optgroup label="Services">
          {[...replica.services.values()]
            .filter((track) => track.sessionId !== undefined)
            .map(({ name, sessionId }) => (
              <option key={name} value={sessionId}>
                {shortName(name)}
              </option>
            ))}
        </optgroup>
      </select>
    </label>
  );
}

function Drawn({
  chart,
  sessionId,
  path,
}: {
  readonly chart: Chart;
  readonly sessionId: string;
  readonly path: string;
}) {
  const layout = useLayout(chart);
  if (layout === undefined) return <p class="empty">Laying out the chart…</p>;
  const steps = stepsUntil(sessionId, instant.value.count);
  const counts = countsOf(steps);
  const last = steps.findLast(({ edges }) => edges.length > 0);
  const lastEdges = new Set(last?.edges);
  const activeLeaf = layout.nodes.get(path.split('|')[0] ?? '');
  return (
    <PanZoom
      width={layout.width}
      height={layout.height}
      label={`The chart of ${chart.name}, in ${path === '' ? 'no state yet' : path}`}
      focus={activeLeaf}
      focusKey={path}
    >
      <defs>
        {['', '-taken', '-last'].map((kind) => (
          <marker
            key={kind}
            id={`arrow${kind}`}
            class={`arrow${kind}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="7"
            markerHeight="7"
            orient="auto-start-reverse"
            markerUnits="userSpaceOnUse"
          >
            <path d="M0 0.5L7.5 4L0 7.5Z" />
          </marker>
        ))}
      </defs>
      {flatten(chart.root).map((state) => {
        const place = layout.nodes.get(state.path);
        if (place === undefined) return null;
        const active = contains(state.path, path);
        return (
          <g
            key={state.path}
            class={`cs${active ? ' active' : ''}${state.children.length > 0 ? ' nest' : ''}`}
            transform={`translate(${place.x} ${place.y})`}
            data-path={state.path}
            data-active={active}
          >
            <rect width={place.width} height={place.height} rx="6" />
            {state.final ? <rect x="3" y="3" width={place.width - 6} height={place.height - 6} rx="4" /> : null}
            {chart.initial.has(state.path) ? <circle cx="0" cy="0" r="4" class="initial" /> : null}
            <text
              x={state.children.length > 0 ? 10 : place.width / 2}
              y={state.children.length > 0 ? 20 : place.height / 2 + 5}
              text-anchor={state.children.length > 0 ? 'start' : 'middle'}
            >
              {active ? '▸ ' : ''}
              {state.key}
            </text>
          </g>
        );
      })}
      {chart.edges.map((edge) => {
        const place = layout.edges.get(edge.id);
        if (place === undefined) return null;
        const count = counts.get(edge.id) ?? 0;
        const kind = lastEdges.has(edge.id) ? '-last' : count > 0 ? '-taken' : '';
        return (
          <g key={edge.id} class={`ce${kind === '' ? '' : ` ce${kind}`}`} data-edge={edge.id} data-count={count}>
            <path d={place.path} marker-end={`url(#arrow${kind})`}>
              <title>{edge.labels.join(', ')}</title>
            </path>
            {count === 0 ? null : (
              <text x={place.middle.x} y={place.middle.y + 4} text-anchor="middle">
                {lastEdges.has(edge.id) && last !== undefined ? `${eventText(last.event)} ` : ''}×{count}
              </text>
            )}
          </g>
        );
      })}
    </PanZoom>
  );
}

/** The actor of the chart: its last steps, its possible next steps, and its context. */
export function ActorDetails() {
  version.value;
  const sessionId = chartActor.value;
  const actor = sessionId === undefined ? undefined : instant.value.replica.actors.get(sessionId);
  if (sessionId === undefined || actor === undefined) return null;
  const chart = actor.machine === undefined ? undefined : chartFor(actor.machine);
  const steps = stepsUntil(sessionId, instant.value.count);
  const last = steps.findLast(({ from, to }) => from !== to);
  const { lastEvent } = actor;
  const counts = countsOf(steps);
  const next = chart?.edges.filter((edge) => edge.from !== '' && contains(edge.from, actor.path)) ?? [];
  return (
    <>
      <h2>
        {actor.service === undefined
          ? actor.name
          : `${shortName(actor.service)}${isServiceMachine(actor.machine) ? '' : ` ${actor.name}`}`}
      </h2>
      <h3>Last transition</h3>
      {last === undefined ? (
        <p class="soft">None yet.</p>
      ) : (
        <p data-last-transition={`${last.from} → ${last.to}`}>
          {last.from === '' ? '─' : last.from} → <strong>{last.to}</strong>
          <br />
          <span class="soft">
            {eventText(last.event)} at {instantText(last.at, epoch())}
          </span>
        </p>
      )}
      <h3>Last event</h3>
      {lastEvent === undefined ? (
        <p class="soft">None yet.</p>
      ) : (
        <p>
          {eventText(lastEvent.event.type)} <span class="soft">{eventDetail(lastEvent.event)}</span>
          <br />
          <span class="soft">at {instantText(lastEvent.at, epoch())}</span>
        </p>
      )}
      <h3>Context</h3>
      <dl>
        {Object.entries(actor.snapshot.context ?? {}).map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{valueText(value)}</dd>
          </div>
        ))}
      </dl>
      <h3>From {actor.path}</h3>
      {next.length === 0 ? <p class="soft">Nothing leads on from here.</p> : null}
      <ul class="plain edges">
        {next.map((edge) => (
          <li key={edge.id}>
            <span>
              → <strong>{edge.to}</strong>
              {counts.has(edge.id) ? <span class="number"> ×{counts.get(edge.id)}</span> : null}
            </span>
            <span class="soft">{edge.labels.join(', ')}</span>
          </li>
        ))}
      </ul>
    </>
  );
}

export function valueText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The steps of an actor within the first `count` entries. */
function stepsUntil(sessionId: string, count: number): readonly Step[] {
  const steps = recording.steps.get(sessionId) ?? [];
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.index ?? 0) < count) low = middle + 1;
    else high = middle;
  }
  return low === steps.length ? steps : steps.slice(0, low);
}

/** How often each edge was taken, by its id. */
function countsOf(steps: readonly Step[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { edges } of steps) for (const id of edges) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

const charts = new Map<Json, Chart>();

function chartFor(machine: string): Chart | undefined {
  const definition = recording.definition(machine);
  if (definition === undefined) return undefined;
  const known = charts.get(definition) ?? chartOf(machine, definition);
  charts.set(definition, known);
  return known;
}

function flatten(state: ChartState): readonly ChartState[] {
  return state.children.flatMap((child) => [child, ...flatten(child)]);
}

/** Lays the charts of services out before the user opens them. */
export function prepareChart(): void {
  for (const machine of ['service', 'scheduled']) {
    const chart = chartFor(machine);
    if (chart !== undefined) void layoutOf(chart);
  }
}

function layoutOf(chart: Chart): Promise<Layout> {
  const toNode = ({ path, key, children }: ChartState): LayoutNode => ({
    id: path,
    width: Math.ceil(textWidth(key, textSize)) + 40,
    height: 32,
    ...(children.length === 0
      ? {}
      : { children: children.map(toNode), options: { 'elk.padding': '[top=34,left=14,bottom=14,right=14]' } }),
  });
  const edges: LayoutEdge[] = chart.edges.filter(({ from, to }) => from !== '' && to !== '');
  return layOut(chart.root.children.map(toNode), edges, {
    'elk.algorithm': 'layered',
    'elk.direction': 'DOWN',
    'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
    'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
    'elk.layered.spacing.nodeNodeBetweenLayers': '22',
    'elk.layered.spacing.edgeNodeBetweenLayers': '9',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '8',
    'elk.spacing.nodeNode': '18',
    'elk.spacing.edgeEdge': '9',
    'elk.spacing.edgeNode': '11',
    'elk.padding': '[top=16,left=16,bottom=16,right=16]',
  });
}

function useLayout(chart: Chart): Layout | undefined {
  const [layout, setLayout] = useState<Layout | undefined>(undefined);
  useEffect(() => {
    let wanted = true;
    void layoutOf(chart).then((made) => {
      if (wanted) setLayout(made);
    });
    return () => {
      wanted = false;
    };
  }, [chart]);
  return layout;
}
