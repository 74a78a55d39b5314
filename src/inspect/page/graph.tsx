import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { behindText } from '../../facts/incidents.ts';
import { type PublicState, publicStates } from '../../model/service/public-state.ts';
import { shortName } from '../../model/service/service-spec.ts';
import {
  around,
  edgeWords,
  endsOf,
  type GraphModel,
  type GraphNode,
  groupsOf,
  layoutOf,
  type Marks,
  marksOf,
  modelOf,
  neighbour,
} from './graph-model.ts';
import { chosenIncident, servicesBehind } from './incidents.tsx';
import { blockingPath, holders, type ServiceNow } from './instant.ts';
import type { Layout, Placed } from './layout.ts';
import { PanZoom } from './panzoom.tsx';
import { StateShape } from './states.tsx';
import { instant, search, select, selection, version } from './store.ts';
import { condition, duration } from './words.ts';

const stages = ['INIT', 'default', 'IDLE'] as const;
const collapsed = signal<ReadonlySet<string>>(new Set());

export function GraphView() {
  version.value;
  const model = modelOf(collapsed.value);
  const layout = useLayout(model);
  const picked = selection.value;
  const now = instant.value;
  const service = picked === undefined ? undefined : now.services.get(picked);
  const path = picked === undefined ? undefined : blockingPath(now.services, picked);
  const waits = service?.state === 'pending' && path !== undefined && path.size > 1;
  const incident = incidentPath();
  const groups = groupsOf();
  return (
    <section class="graph" aria-label="Graph">
      <div class="view-tools">
        <p class="why-line">
          {incident === undefined
            ? whyLine(service, waits ? path : undefined)
            : (chosenIncident.value?.behind.map((each) => behindText(each, duration)).join(' · ') ?? '')}
        </p>
        {groups.length === 0 ? null : (
          <fieldset class="chips">
            <legend>Fold groups</legend>
            {groups.map(([group, members]) => (
              <button
                key={group}
                type="button"
                aria-pressed={collapsed.value.has(group)}
                onClick={() => {
                  const next = new Set(collapsed.value);
                  if (!next.delete(group)) next.add(group);
                  collapsed.value = next;
                }}
              >
                {group} <span class="soft">{members.length}</span>
              </button>
            ))}
          </fieldset>
        )}
      </div>
      {layout === undefined ? (
        <p class="empty">Laying out {model.nodes.length} services…</p>
      ) : (
        <Drawn model={model} layout={layout} path={incident ?? (waits ? path : undefined)} picked={picked} />
      )}
    </section>
  );
}

/** The service that has failed and all that wait for it, each with those of them that it waits for itself. */
function incidentPath(): ReadonlyMap<string, readonly string[]> | undefined {
  const incident = chosenIncident.value;
  if (incident === undefined || incident.behind.length === 0) return undefined;
  const within = new Set([incident.service, ...servicesBehind.value]);
  return new Map(
    [...within].map((name) => [
      name,
      name === incident.service
        ? []
        : (instant.value.graph.nodes[name]?.prerequisites.filter((other) => within.has(other)) ?? []),
    ]),
  );
}

function Drawn({
  model,
  layout,
  path,
  picked,
}: {
  readonly model: GraphModel;
  readonly layout: Layout;
  readonly path: ReadonlyMap<string, readonly string[]> | undefined;
  readonly picked: string | undefined;
}) {
  const marks = marksOf(model, picked, path);
  const wanted = search.value.trim().toLowerCase();
  const found =
    wanted === '' ? undefined : model.nodes.find(({ members }) => members.some((name) => name.includes(wanted)));
  const focusNode = found?.id ?? marks.picked;
  const focus =
    found === undefined && marks.lit.size > 1 ? around(layout, marks.lit) : layout.nodes.get(focusNode ?? '');
  const list = useRef<SVGGElement>(null);
  const go = (id: string): void => {
    const node = model.nodes.find((other) => other.id === id);
    if (node === undefined) return;
    if (node.members.length === 1) select(node.members[0]);
    const element = [...(list.current?.querySelectorAll<SVGElement>('[data-node]') ?? [])].find(
      (candidate) => candidate.dataset['node'] === id,
    );
    element?.focus();
  };
  const tabbable = marks.picked ?? model.nodes[0]?.id;
  return (
    <PanZoom
      width={layout.width}
      height={layout.height + 22}
      label={`${model.nodes.length} services and what they wait for`}
      focus={focus === undefined ? undefined : { ...focus, y: focus.y + 22 }}
      focusKey={`${focusNode} ${model.nodes.length}`}
    >
      <g transform="translate(0 22)" class={path === undefined ? '' : 'lighting'} ref={list}>
        <Lanes model={model} layout={layout} />
        <Edges model={model} layout={layout} marks={marks} />
        <StagedEdges layout={layout} marks={marks} />
        {model.nodes.map((node) => {
          const place = layout.nodes.get(node.id);
          return place === undefined ? null : (
            <NodeButton
              key={node.id}
              node={node}
              place={place}
              marks={marks}
              chosen={picked}
              dim={wanted !== '' && !node.members.some((name) => name.toLowerCase().includes(wanted))}
              tabbable={node.id === tabbable}
              toward={(key) => neighbour(key, node.id, model, layout)}
              go={go}
            />
          );
        })}
      </g>
    </PanZoom>
  );
}

/** Draws the edges that the layout has placed; highlighted edges lie over the others. */
function Edges({
  model,
  layout,
  marks: { litEdges, near },
}: {
  readonly model: GraphModel;
  readonly layout: Layout;
  readonly marks: Marks;
}) {
  return [false, true].map((bright) => (
    <g key={String(bright)}>
      {model.edges
        .filter(({ id }) => (litEdges.has(id) || near.has(id)) === bright)
        .map(({ id }) => {
          const edge = layout.edges.get(id);
          return edge === undefined ? null : (
            <path
              key={id}
              class={`edge ${model.ties.get(id)?.kind ?? 'after'}${litEdges.has(id) ? ' lit' : ''}${near.has(id) ? ' near' : ''}`}
              d={edge.path}
            >
              <title>{edgeWords(id, model.ties.get(id))}</title>
            </path>
          );
        })}
    </g>
  ));
}

/** The layout has no edges for a service that waits for a whole stage; such edges of the highlighted path are drawn as curves. */
function StagedEdges({ layout, marks }: { readonly layout: Layout; readonly marks: Marks }) {
  return [...marks.litEdges]
    .filter((id) => !layout.edges.has(id))
    .map((id) => {
      const [from, to] = endsOf(id);
      const a = layout.nodes.get(from);
      const b = layout.nodes.get(to);
      return a === undefined || b === undefined ? null : <path key={id} class="edge lit staged" d={curve(a, b)} />;
    });
}

/** A curve from the middle of the right side of `a` to the middle of the left side of `b`. */
function curve(a: Placed, b: Placed): string {
  const across = b.x - a.x - a.width;
  const down = b.y + b.height / 2 - a.y - a.height / 2;
  return `M${a.x + a.width} ${a.y + a.height / 2}c${across / 2} 0 ${across / 2} ${down} ${across} ${down}`;
}

function NodeButton({
  node,
  place,
  marks,
  chosen,
  dim,
  tabbable,
  toward,
  go,
}: {
  readonly node: GraphNode;
  readonly place: Placed;
  readonly marks: Marks;
  /** The service that is chosen. */
  readonly chosen: string | undefined;
  readonly dim: boolean;
  readonly tabbable: boolean;
  /** The node to which a key leads from this node. */
  readonly toward: (key: string) => string | undefined;
  readonly go: (id: string) => void;
}) {
  const states = node.members.map((name) => instant.value.services.get(name)).filter((one) => one !== undefined);
  const [first] = states;
  const single = node.members.length === 1 && !node.id.startsWith('group:');
  const state = worst(states);
  const picked = node.id === marks.picked;
  return (
    // biome-ignore lint/a11y/useSemanticElements: SVG has no button
    <g
      class={`node n-${state}${picked ? ' picked' : ''}${marks.lit.has(node.id) ? ' lit' : ''}${marks.roots.has(node.id) ? ' root' : ''}${dim ? ' dim' : ''}`}
      transform={`translate(${place.x} ${place.y})`}
      role="button"
      tabindex={tabbable ? 0 : -1}
      aria-label={single ? serviceText(node, first) : groupText(node, states)}
      aria-pressed={picked}
      data-node={node.id}
      data-service={single ? node.members[0] : undefined}
      data-state={single ? first?.stage : undefined}
      onClick={() => {
        if (single) select(chosen === node.members[0] ? undefined : node.members[0]);
        else unfold(node.label);
      }}
      onKeyDown={(event) => {
        const target = toward(event.key);
        if (event.key === 'Enter' || event.key === ' ') {
          if (single) select(node.members[0]);
          else unfold(node.label);
        } else if (target === undefined) return;
        else go(target);
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <rect width={place.width} height={place.height} rx="3" />
      <StateShape state={state} x={14} y={place.height / 2} />
      <text x="26" y={place.height / 2 + 4}>
        {node.label}
      </text>
      {single ? null : (
        <text class="soft" x={place.width - 8} y={place.height / 2 + 4} text-anchor="end">
          {countsText(states)}
        </text>
      )}
    </g>
  );
}

function unfold(label: string): void {
  collapsed.value = new Set([...collapsed.value].filter((group) => group !== label));
}

function serviceText({ label }: GraphNode, service: ServiceNow | undefined): string {
  return `${label}, ${service === undefined ? '' : `${service.state}${reason(service)}`}`;
}

function groupText({ label, members }: GraphNode, services: readonly ServiceNow[]): string {
  return `group ${label}, ${members.length} services: ${countsText(services)}`;
}

function Lanes({ model, layout }: { readonly model: GraphModel; readonly layout: Layout }) {
  return (
    <g>
      {stages.map((name, stage) => {
        const places = model.nodes
          .filter((node) => node.stage === stage)
          .map(({ id }) => layout.nodes.get(id))
          .filter((place) => place !== undefined);
        if (places.length === 0) return null;
        const left = Math.min(...places.map(({ x }) => x)) - 10;
        const right = Math.max(...places.map(({ x, width }) => x + width)) + 10;
        return (
          <g key={name} class="lane">
            <rect x={left} y={-20} width={right - left} height={layout.height + 26} rx="4" />
            <text x={left + 8} y={-6}>
              {name}
            </text>
          </g>
        );
      })}
    </g>
  );
}

/** Lays the graph out before the user opens its view. */
export function prepareGraph(): void {
  void layoutOf(modelOf(collapsed.peek()));
}

function useLayout(model: GraphModel): Layout | undefined {
  const [done, setDone] = useState<{ readonly model: GraphModel; readonly layout: Layout } | undefined>(undefined);
  useEffect(() => {
    let wanted = true;
    void layoutOf(model).then((layout) => {
      if (wanted) setDone({ model, layout });
    });
    return () => {
      wanted = false;
    };
  }, [model]);
  return done?.model === model ? done.layout : undefined;
}

function whyLine(service: ServiceNow | undefined, path: ReadonlyMap<string, readonly string[]> | undefined): string {
  if (service === undefined) return 'Choose a service that waits to light up what holds it up.';
  const name = shortName(service.name);
  if (path === undefined) {
    const text = condition(service);
    return `${name} is ${service.state}${text === undefined ? '' : `: ${text}`}`;
  }
  const roots = [...path].filter(([, names]) => names.length === 0).map(([root]) => instant.value.services.get(root));
  const causes = roots
    .slice(0, 3)
    .map((root) =>
      root === undefined
        ? ''
        : `${shortName(root.name)} (${root.stage} for ${duration(Math.max(0, instant.value.at - root.since))}${reason(root)})`,
    );
  return `${name} waits for ${holders(service).map(shortName).slice(0, 4).join(', ')}; held up by ${causes.join(', ')}${roots.length > 3 ? ` and ${roots.length - 3} more` : ''}`;
}

function reason(service: ServiceNow): string {
  const text = condition(service);
  return text === undefined ? '' : `, ${text}`;
}

const urgency: readonly PublicState[] = [
  'failed',
  'backoff',
  'stopping',
  'starting',
  'pending',
  'ready',
  'exited',
  'stopped',
  'disabled',
];

function worst(services: readonly ServiceNow[]): PublicState {
  return urgency.find((state) => services.some((service) => service.state === state)) ?? 'pending';
}

function countsText(services: readonly ServiceNow[]): string {
  return publicStates
    .map((state) => [services.filter((service) => service.state === state).length, state] as const)
    .filter(([count]) => count > 0)
    .map(([count, state]) => `${count} ${state}`)
    .join(', ');
}
