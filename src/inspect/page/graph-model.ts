/** The graph of the services that wait for each other: its nodes and edges, their places, and which of them are highlighted. */
import { plainTie, type Tie } from '../../model/order/prerequisite.ts';
import { shortName } from '../../model/service/service-spec.ts';
import { type Layout, type LayoutEdge, type LayoutNode, layOut, type Placed, textWidth } from './layout.ts';
import { instant, recording } from './store.ts';

const nodeHeight = 26;
/** A graph with more nodes than this is laid out by the quick method. */
const fewNodes = 80;
const careful = { 'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX' };
const quick = {
  'elk.layered.nodePlacement.strategy': 'SIMPLE',
  'elk.layered.thoroughness': '2',
  'elk.edgeRouting': 'POLYLINE',
};

export interface GraphNode {
  /** The name of a service, or `group:NAME`. */
  readonly id: string;
  readonly label: string;
  readonly members: readonly string[];
  readonly stage: number;
  readonly width: number;
}

export interface GraphModel {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly LayoutEdge[];
  /** How services wait along an edge, where that is not simply until ready; by the edge's id. */
  readonly ties: ReadonlyMap<string, Tie>;
  /** The node that stands for a service. */
  readonly nodeOf: ReadonlyMap<string, string>;
}

let memo:
  | { readonly configuration: number; readonly folded: ReadonlySet<string>; readonly model: GraphModel }
  | undefined;

export function modelOf(folded: ReadonlySet<string>): GraphModel {
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
  const ties = new Map<string, Tie>();
  for (const service of recording.services.values())
    for (const other of service.waitsFor) {
      const from = nodeOf.get(other);
      const to = nodeOf.get(service.name);
      if (from === undefined || to === undefined || from === to) continue;
      const id = edgeId(from, to);
      edges.set(id, { id, from, to });
      const tie = service.ties?.[other];
      if (tie !== undefined) ties.set(id, tie);
    }
  const model = { nodes, edges: [...edges.values()], ties, nodeOf };
  memo = { configuration, folded, model };
  return model;
}

/** The groups of the configuration, and the stages; a group of one service is left out, since folding it shows nothing less. */
export function groupsOf(): readonly (readonly [string, readonly string[]])[] {
  const groups = new Map<string, string[]>();
  for (const { name, groups: own } of recording.services.values())
    for (const group of own) groups.set(group, [...(groups.get(group) ?? []), name]);
  return [...groups].filter(([, members]) => members.length > 1 && members.length < recording.services.size);
}

export function layoutOf(model: GraphModel): Promise<Layout> {
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

/**
 * The parts of the graph that are highlighted for the chosen service: its own node and edges, and the path of the
 * services that it waits for.
 */
export interface Marks {
  /** The node of the chosen service. */
  readonly picked: string | undefined;
  /** Nodes and edges of the path that holds up the chosen service, and the nodes at which that path begins. */
  readonly lit: ReadonlySet<string>;
  readonly litEdges: ReadonlySet<string>;
  readonly roots: ReadonlySet<string>;
  /** Edges to and from the chosen node. */
  readonly near: ReadonlySet<string>;
}

/** @param path the services that hold up the chosen one, each with the services that hold it up in turn */
export function marksOf(
  { nodeOf, edges }: GraphModel,
  chosen: string | undefined,
  path: ReadonlyMap<string, readonly string[]> = new Map(),
): Marks {
  const picked = chosen === undefined ? undefined : nodeOf.get(chosen);
  const idOf = (name: string): string => nodeOf.get(name) ?? name;
  const steps = [...path];
  return {
    picked,
    lit: new Set([...path.keys()].map(idOf)),
    litEdges: new Set(steps.flatMap(([name, names]) => names.map((other) => edgeId(idOf(other), idOf(name))))),
    roots: new Set(steps.filter(([, names]) => names.length === 0).map(([name]) => idOf(name))),
    near: new Set(edges.filter(({ from, to }) => from === picked || to === picked).map(({ id }) => id)),
  };
}

function edgeId(from: string, to: string): string {
  return `${from} → ${to}`;
}

/** An edge in words: `web requires db healthy`. */
export function edgeWords(id: string, { kind, stages }: Tie = plainTie): string {
  const [from, to] = endsOf(id).map(shortName);
  const verb = kind === 'after' ? 'waits for' : kind;
  return `${to} ${verb} ${from}${stages.join() === 'ready' ? '' : `: ${stages.join(', ')}`}`;
}

/** The nodes that an edge leads from and to. */
export function endsOf(id: string): readonly [string, string] {
  const [from = '', to = ''] = id.split(' → ');
  return [from, to];
}

/** The smallest box that contains all given boxes. */
export function around(layout: Layout, ids: ReadonlySet<string>): Placed {
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

/** The node that an arrow key leads to: left to one that it waits for, right to one that waits for it, up or down to a neighbour. */
export function neighbour(key: string, id: string, model: GraphModel, layout: Layout): string | undefined {
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
