/** Turns the definition of a machine into the states and edges of a chart that can be drawn. */
import type { Json, JsonObject } from '../../model/words/json.ts';

export interface ChartState {
  /** The state's path in the machine, such as `starting.settling`; empty for the machine itself. */
  readonly path: string;
  readonly key: string;
  readonly final: boolean;
  readonly children: readonly ChartState[];
}

/** All transitions from one state to another. */
export interface ChartEdge {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  /** The label of each transition, such as `unit.leaderExited [exitedNormally]`. */
  readonly labels: readonly string[];
  readonly events: readonly string[];
}

export interface Chart {
  readonly name: string;
  readonly root: ChartState;
  readonly initial: ReadonlySet<string>;
  readonly edges: readonly ChartEdge[];
}

/**
 * The guard of the transitions by which a rebuilt chart returns to its state. The page leaves these transitions out: the chart takes
 * them before anything is reported about it.
 */
const unseenGuard = 'resumesIn';

export function chartOf(name: string, definition: Json): Chart {
  const initial = new Set<string>();
  const edges = new Map<string, { from: string; to: string; labels: string[]; events: string[] }>();
  const root = objectOf(definition);
  const rootId = textOf(root['id']) ?? name;
  const pathOf = (id: string): string => (id === `#${rootId}` ? '' : id.replace(`#${rootId}.`, ''));
  const visit = (node: JsonObject, path: string): ChartState => {
    const states = Object.entries(objectOf(node['states']));
    const first = listOf(objectOf(node['initial'])['target'])[0];
    if (states.length > 0 && textOf(first) !== undefined) initial.add(pathOf(textOf(first) ?? ''));
    for (const item of listOf(node['transitions'])) {
      const transition = objectOf(item);
      const event = textOf(transition['eventType']) ?? '';
      const guard = guardText(transition['guard']);
      if (guard === unseenGuard) continue;
      for (const target of listOf(transition['target'])) {
        const to = pathOf(textOf(target) ?? '');
        const id = edgeId(path, to);
        const edge = edges.get(id) ?? { from: path, to, labels: [], events: [] };
        edges.set(id, edge);
        const label = `${eventText(event)}${guard === undefined ? '' : ` [${guard}]`}`;
        if (!edge.labels.includes(label)) edge.labels.push(label);
        if (!edge.events.includes(event)) edge.events.push(event);
      }
    }
    const children = states.map(([key, state]) => visit(objectOf(state), path === '' ? key : `${path}.${key}`));
    return { path, key: textOf(node['key']) ?? name, final: node['type'] === 'final', children };
  };
  const tree = visit(root, '');
  return { name, root: tree, initial, edges: [...edges].map(([id, edge]) => ({ id, ...edge })) };
}

/** The text of an event: XState's internal name of a timer becomes `after startupPause`. */
export function eventText(event: string): string {
  if (event === '') return 'always';
  const timer = /^xstate\.after\.([^.]+)\./.exec(event);
  if (timer !== null) return `after ${timer[1]}`;
  return event.replace(/^xstate\.(done|error)\.(actor|state)\./, '$1 ');
}

/** The id of the edge between two states; the path of the machine itself is empty. */
export function edgeId(from: string, to: string): string {
  return `${from} → ${to}`;
}

/** Is true for the state itself and for the states inside it. */
export function contains(outer: string, inner: string): boolean {
  return outer === '' || inner === outer || inner.startsWith(`${outer}.`) || inner.includes(`|${outer}`);
}

function guardText(guard: Json | undefined): string | undefined {
  if (typeof guard === 'string') return guard;
  return textOf(objectOf(guard)['type']);
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function listOf(value: Json | undefined): readonly Json[] {
  return isList(value) ? value : [];
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function objectOf(value: Json | undefined): JsonObject {
  return typeof value === 'object' && value !== null && !isArray(value) ? value : {};
}

function isArray(value: JsonObject | readonly Json[]): value is readonly Json[] {
  return Array.isArray(value);
}
