import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { type PublicState, publicStates } from '../../model/service/public-state.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { blockingPath, holders, type ServiceNow } from './instant.ts';
import { type Layout, type LayoutEdge, type LayoutNode, layOut, type Placed, textWidth } from './layout.ts';
import { PanZoom } from './panzoom.tsx';
import { StateShape } from './states.tsx';
import { instant, recording, search, select, selection, version } from './store.ts';
import { condition, duration } from './words.ts';

const stages = ['INIT', 'default', 'IDLE'] as const;
const nodeHeight = 26;
const collapsed = signal<ReadonlySet<string>>(new Set());

/** More than these are laid out in the quick way. */
const fewNodes = 80;
const careful = { 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX' };
const quick = {
  'elk.layered.nodePlacement.strategy': 'SIMPLE',
  'elk.layered.thoroughness': '2',
  'elk.edgeRouting': 'POLYLINE',
};

interface GraphNode {
  /** A service, or `group:NAME`. */
  readonly id: string;
  readonly label: string;
  readonly members: readonly string[];
  readonly stage: number;
  readonly width: number;
}

interface GraphModel {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly LayoutEdge[];
  /** The node that stands for a service. */
  readonly nodeOf: ReadonlyMap<string, string>;
}

export function GraphView() {
  version.value;
  const model = modelOf(collapsed.value);
  const layout = useLayout(model);
  const picked = selection.value;
  const now = instant.value;
  const service = picked === undefined ? undefined : now.services.get(picked);
  const path = picked === undefined ? undefined : blockingPath(now.services, picked);
  const waits = service?.state === 'pending' && path !== undefined && path.size > 1;
  const groups = groupsOf();
  return (
    <section class="graph" aria-label="Graph">
      <div class="view-tools">
        <p class="why-line">{whyLine(service, waits ? path : undefined)}</p>
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
        <Drawn model={model} layout={layout} path={waits ? path : undefined} picked={picked} />
      )}
    </section>
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
  const pickedNode = picked === undefined ? undefined : model.nodeOf.get(picked);
  const lit = new Set([...(path?.keys() ?? [])].map((name) => model.nodeOf.get(name) ?? name));
  const litEdges = new Set(
    [...(path ?? [])].flatMap(([name, names]) =>
      names.map((other) => `${model.nodeOf.get(other)} → ${model.nodeOf.get(name)}`),
    ),
  );
  const roots = new Set(
    [...(path ?? [])].filter(([, names]) => names.length === 0).map(([name]) => model.nodeOf.get(name)),
  );
  const wanted = search.value.trim().toLowerCase();
  const found =
    wanted === '' ? undefined : model.nodes.find(({ members }) => members.some((name) => name.includes(wanted)));
  const near = new Set(
    model.edges.filter(({ from, to }) => from === pickedNode || to === pickedNode).map(({ id }) => id),
  );
  const focusNode = found?.id ?? pickedNode;
  const focus = found === undefined && lit.size > 1 ? around(layout, lit) : layout.nodes.get(focusNode ?? '');
  const list = useRef<SVGGElement>(null);
  const go = (id: string | undefined): void => {
    const node = model.nodes.find((other) => other.id === id);
    if (node === undefined) return;
    if (node.members.length === 1) select(node.members[0]);
    const element = [...(list.current?.querySelectorAll<SVGElement>('[data-node]') ?? [])].find(
      (candidate) => candidate.dataset['node'] === id,
    );
    element?.focus();
  };
  const tabbable = pickedNode ?? model.nodes[0]?.id;
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
        {[false, true].map((bright) => (
          <g key={String(bright)}>
            {model.edges
              .filter(({ id }) => (litEdges.has(id) || near.has(id)) === bright)
              .map(({ id }) => {
                const edge = layout.edges.get(id);
                return edge === undefined ? null : (
                  <path
                    key={id}
                    class={`edge${litEdges.has(id) ? ' lit' : ''}${near.has(id) ? ' near' : ''}`}
                    d={edge.path}
                  />
                );
              })}
          </g>
        ))}
        {[...litEdges]
          .filter((id) => !layout.edges.has(id))
          .map((id) => {
            const [from = '', to = ''] = id.split(' → ');
            const a = layout.nodes.get(from);
            const b = layout.nodes.get(to);
            if (a === undefined || b === undefined) return null;
            const middle = (b.x - a.x - a.width) / 2;
            return (
              <path
                key={id}
                class="edge lit staged"
                d={`M${a.x + a.width} ${a.y + a.height / 2}c${middle} 0 ${middle} ${b.y + b.height / 2 - a.y - a.height / 2} ${b.x - a.x - a.width} ${b.y + b.height / 2 - a.y - a.height / 2}`}
              />
            );
          })}
        {model.nodes.map((node) => {
          const place = layout.nodes.get(node.id);
          if (place === undefined) return null;
          const states = node.members
            .map((name) => instant.value.services.get(name))
            .filter((one) => one !== undefined);
          const [first] = states;
          const state = worst(states);
          const single = node.members.length === 1 && !node.id.startsWith('group:');
          const text = single
            ? `${node.label}, ${first === undefined ? '' : first.state}${first === undefined ? '' : reason(first)}`
            : `group ${node.label}, ${node.members.length} services: ${countsText(states)}`;
          const dim = wanted !== '' && !node.members.some((name) => name.toLowerCase().includes(wanted));
          return (
            // biome-ignore lint/a11y/useSemanticElements: SVG has no button
            <g
              key={node.id}
              class={`node n-${state}${node.id === pickedNode ? ' picked' : ''}${lit.has(node.id) ? ' lit' : ''}${roots.has(node.id) ? ' root' : ''}${dim ? ' dim' : ''}`}
              transform={`translate(${place.x} ${place.y})`}
              role="button"
              tabindex={node.id === tabbable ? 0 : -1}
              aria-label={text}
              aria-pressed={node.id === pickedNode}
              data-node={node.id}
              data-service={single ? node.members[0] : undefined}
              data-state={single ? first?.stage : undefined}
              onClick={() => {
                if (single) select(picked === node.members[0] ? undefined : node.members[0]);
                else collapsed.value = new Set([...collapsed.value].filter((group) => group !== node.label));
              }}
              onKeyDown={(event) => {
                const target = neighbour(event.key, node.id, model, layout);
                if (event.key === 'Enter' || event.key === ' ') {
                  if (single) select(node.members[0]);
                  else collapsed.value = new Set([...collapsed.value].filter((group) => group !== node.label));
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
        })}
      </g>
    </PanZoom>
  );
}

/** The smallest box that has all of these in it. */
function around(layout: Layout, ids: ReadonlySet<string>): Placed {
  const places = [...ids].map((id) => layout.nodes.get(id)).filter((place) => place !== undefined);
  const x = Math.min(...places.map((place) => place.x));
  const y = Math.min(...places.map((place) => place.y));
  return {
    x,
    y,
    width: Math.max(...places.map((place) => place.x + place.width)) - x,
    height: Math.max(...places.map((place) => place.y + place.height)) - y,
  };
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

/** Lays the graph out before it is asked for. */
export function prepareGraph(): void {
  void layoutOf(modelOf(collapsed.peek()));
}

function layoutOf(model: GraphModel): Promise<Layout> {
  const nodes: LayoutNode[] = model.nodes.map(({ id, width, stage }) => ({
    id,
    width,
    height: nodeHeight,
    options: { 'elk.partitioning.partition': String(stage) },
  }));
  return layOut(nodes, model.edges, {
    'elk.algorithm': 'layered',
    'elk.direction': 'RIGHT',
    'elk.partitioning.activate': 'true',
    'elk.layered.spacing.nodeNodeBetweenLayers': '46',
    'elk.spacing.nodeNode': '10',
    'elk.spacing.edgeNode': '8',
    'elk.spacing.edgeEdge': '5',
    'elk.spacing.componentComponent': '10',
    'elk.separateConnectedComponents': 'false',
    ...(model.nodes.length > fewNodes ? quick : careful),
    'elk.padding': '[top=12,left=20,bottom=12,right=20]',
  });
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

let memo:
  | { readonly configuration: number; readonly folded: ReadonlySet<string>; readonly model: GraphModel }
  | undefined;

function modelOf(folded: ReadonlySet<string>): GraphModel {
  const { configuration } = recording;
  if (memo !== undefined && memo.configuration === configuration && memo.folded === folded) return memo.model;
  const { graph } = instant.peek();
  const nodeOf = new Map<string, string>();
  const members = new Map<string, string[]>();
  for (const service of recording.services.values()) {
    const group = service.groups.find((name) => folded.has(name));
    const id = group === undefined ? service.name : `group:${group}`;
    nodeOf.set(service.name, id);
    members.set(id, [...(members.get(id) ?? []), service.name]);
  }
  const nodes = [...members].map(([id, names]): GraphNode => {
    const label = id.startsWith('group:') ? id.slice(6) : shortName(id);
    const stage = Math.min(...names.map((name) => graph.nodes[name]?.stage ?? 0));
    const width = Math.ceil(textWidth(label, 13)) + 38 + (id.startsWith('group:') ? 130 : 0);
    return { id, label, members: names, stage, width: Math.max(72, width) };
  });
  const edges = new Map<string, LayoutEdge>();
  for (const service of recording.services.values())
    for (const other of service.waitsFor) {
      const from = nodeOf.get(other);
      const to = nodeOf.get(service.name);
      if (from === undefined || to === undefined || from === to) continue;
      const id = `${from} → ${to}`;
      edges.set(id, { id, from, to });
    }
  const model = { nodes, edges: [...edges.values()], nodeOf };
  memo = { configuration, folded, model };
  return model;
}

/** The groups that users have made, and the stages; those of one service are not worth folding. */
function groupsOf(): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<string, string[]>();
  for (const { name, groups: own } of recording.services.values())
    for (const group of own) groups.set(group, [...(groups.get(group) ?? []), name]);
  return [...groups].filter(([, members]) => members.length > 1 && members.length < recording.services.size);
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

/** The node that an arrow key leads to: left what it waits for, right who waits for it, up and down beside it. */
function neighbour(key: string, id: string, model: GraphModel, layout: Layout): string | undefined {
  const here = layout.nodes.get(id);
  if (here === undefined) return undefined;
  const y = (other: string): number => layout.nodes.get(other)?.y ?? 0;
  const nearest = (candidates: readonly string[]): string | undefined =>
    candidates.reduce<string | undefined>(
      (best, other) => (best === undefined || Math.abs(y(other) - here.y) < Math.abs(y(best) - here.y) ? other : best),
      undefined,
    );
  switch (key) {
    case 'ArrowLeft':
      return nearest(model.edges.filter(({ to }) => to === id).map(({ from }) => from));
    case 'ArrowRight':
      return nearest(model.edges.filter(({ from }) => from === id).map(({ to }) => to));
    case 'ArrowUp':
    case 'ArrowDown': {
      const sign = key === 'ArrowUp' ? -1 : 1;
      return nearest(
        model.nodes
          .map((node) => node.id)
          .filter((other) => {
            const place = layout.nodes.get(other);
            return place !== undefined && Math.abs(place.x - here.x) < 60 && (place.y - here.y) * sign > 0;
          }),
      );
    }
    default:
      return undefined;
  }
}
