/** Lays graphs out in a worker, which is loaded when the first layout is requested. */
import elkApi, { type ELK as Elk, type ElkNode } from 'elkjs/lib/elk-api.js';
import { layoutAddress } from './embedded.ts';

export interface LayoutNode {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly children?: readonly LayoutNode[];
  readonly options?: Readonly<Record<string, string>>;
}

export interface LayoutEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

export interface Placed {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface PlacedEdge {
  /** SVG path data. */
  readonly path: string;
  /** The middle of the longest straight part of the edge. */
  readonly middle: Point;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly nodes: ReadonlyMap<string, Placed>;
  readonly edges: ReadonlyMap<string, PlacedEdge>;
}

let elk: Promise<Elk> | undefined;
const made = new Map<string, Promise<Layout>>();
/** The number of layouts that are cached. */
const kept = 20;

/** Returns the layout of a graph; two calls for the same graph share one layout. */
export function layOut(
  nodes: readonly LayoutNode[],
  edges: readonly LayoutEdge[],
  options: Readonly<Record<string, string>>,
): Promise<Layout> {
  const key = JSON.stringify([nodes, edges, options]);
  const known = made.get(key);
  if (known !== undefined) return known;
  elk ??= layoutAddress().then((address) => new elkApi.default({ workerFactory: () => new Worker(address) }));
  const graph: ElkNode = {
    id: 'root',
    layoutOptions: { 'elk.json.edgeCoords': 'ROOT', 'elk.json.shapeCoords': 'ROOT', ...options },
    children: nodes.map(toElk),
    edges: edges.map(({ id, from, to }) => ({ id, sources: [from], targets: [to] })),
  };
  const result = elk.then((layouter) => layouter.layout(graph)).then(fromElk);
  if (made.size >= kept) made.clear();
  made.set(key, result);
  return result;
}

function toElk({ id, width, height, children, options }: LayoutNode): ElkNode {
  return {
    id,
    width,
    height,
    ...(options === undefined ? {} : { layoutOptions: { ...options } }),
    ...(children === undefined || children.length === 0 ? {} : { children: children.map(toElk) }),
  };
}

function fromElk(root: ElkNode): Layout {
  const nodes = new Map<string, Placed>();
  const visit = (node: ElkNode): void => {
    nodes.set(node.id, { x: node.x ?? 0, y: node.y ?? 0, width: node.width ?? 0, height: node.height ?? 0 });
    for (const child of node.children ?? []) visit(child);
  };
  for (const child of root.children ?? []) visit(child);
  const edges = new Map<string, PlacedEdge>();
  for (const { id, sections } of root.edges ?? []) {
    const lines = (sections ?? []).map(({ startPoint, bendPoints, endPoint }) => [
      startPoint,
      ...(bendPoints ?? []),
      endPoint,
    ]);
    edges.set(id, { path: lines.map(rounded).join(''), middle: middleOf(lines.flat()) });
  }
  return { width: root.width ?? 0, height: root.height ?? 0, nodes, edges };
}

function middleOf(points: readonly Point[]): Point {
  let middle: Point = points[0] ?? { x: 0, y: 0 };
  let longest = 0;
  points.forEach((point, index) => {
    const before = points[index - 1];
    if (before === undefined) return;
    const length = Math.hypot(point.x - before.x, point.y - before.y);
    if (length <= longest) return;
    longest = length;
    middle = { x: (point.x + before.x) / 2, y: (point.y + before.y) / 2 };
  });
  return middle;
}

/** A path of straight lines with rounded corners. */
function rounded(points: readonly Point[]): string {
  const parts: string[] = [];
  points.forEach((point, index) => {
    const before = points[index - 1];
    const after = points[index + 1];
    if (before === undefined) parts.push(`M${point.x} ${point.y}`);
    else if (after === undefined) parts.push(`L${point.x} ${point.y}`);
    else {
      const into = Math.hypot(point.x - before.x, point.y - before.y);
      const out = Math.hypot(after.x - point.x, after.y - point.y);
      const radius = Math.min(6, into / 2, out / 2);
      if (radius < 0.5) parts.push(`L${point.x} ${point.y}`);
      else
        parts.push(
          `L${point.x + ((before.x - point.x) / into) * radius} ${point.y + ((before.y - point.y) / into) * radius}`,
          `Q${point.x} ${point.y} ${point.x + ((after.x - point.x) / out) * radius} ${point.y + ((after.y - point.y) / out) * radius}`,
        );
    }
  });
  return parts.join('');
}

let measuring: CanvasRenderingContext2D | null | undefined;

/** The width of a text in pixels. */
export function textWidth(text: string, size: number): number {
  measuring ??= document.createElement('canvas').getContext('2d');
  if (measuring === null) return text.length * size * 0.6;
  measuring.font = `${size}px system-ui, sans-serif`;
  return measuring.measureText(text).width;
}
