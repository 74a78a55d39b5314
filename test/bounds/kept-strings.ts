/** Which strings are alive, and what keeps them, by a snapshot of the heap. */

import { Session } from 'node:inspector';

interface HeapSnapshot {
  readonly snapshot: {
    readonly meta: {
      readonly node_fields: readonly string[];
      readonly node_types: readonly [readonly string[], ...unknown[]];
      readonly edge_fields: readonly string[];
      readonly edge_types: readonly [readonly string[], ...unknown[]];
    };
  };
  readonly nodes: readonly number[];
  readonly edges: readonly number[];
  readonly strings: readonly string[];
}

/** The live strings that match, each with the way from the roots of the heap to it. */
export function keptStrings(pattern: RegExp): ReadonlyMap<string, string> {
  const { nodes, edges, strings, snapshot } = takeSnapshot();
  const { node_fields: nodeFields, edge_fields: edgeFields, node_types, edge_types } = snapshot.meta;
  const [nodeTypes] = node_types;
  const [edgeTypes] = edge_types;
  const width = nodeFields.length;
  const step = edgeFields.length;
  const at = (field: string): number => nodeFields.indexOf(field);
  const [typeAt, nameAt, countAt] = [at('type'), at('name'), at('edge_count')];
  const edgeNameAt = edgeFields.indexOf('name_or_index');
  const targetAt = edgeFields.indexOf('to_node');
  const number = (list: readonly number[], index: number): number => list[index] ?? 0;
  const nameOf = (node: number): string => strings[number(nodes, node + nameAt)] ?? '';

  const firstEdge = new Map<number, number>();
  let edge = 0;
  for (let node = 0; node < nodes.length; node += width) {
    firstEdge.set(node, edge);
    edge += number(nodes, node + countAt) * step;
  }
  // Breadth first: each node is reached by a shortest way. What is held weakly does not count.
  const from = new Map<number, { readonly node: number; readonly label: string }>([[0, { node: -1, label: '' }]]);
  for (const node of from.keys()) {
    // The table of strings that stand for one another holds nothing.
    if (nameOf(node) === '(Internalized strings)') continue;
    const begin = firstEdge.get(node) ?? 0;
    const end = begin + number(nodes, node + countAt) * step;
    for (let each = begin; each < end; each += step) {
      const type = edgeTypes[number(edges, each)];
      const target = number(edges, each + targetAt);
      if (type === 'weak' || from.has(target)) continue;
      const label = number(edges, each + edgeNameAt);
      from.set(target, { node, label: type === 'element' || type === 'hidden' ? `${label}` : (strings[label] ?? '') });
    }
  }
  const found = new Map<string, string>();
  for (const node of from.keys()) {
    if (!/string/.test(nodeTypes[number(nodes, node + typeAt)] ?? '') || !pattern.test(nameOf(node))) continue;
    const way: string[] = [];
    for (let here = from.get(node); here !== undefined && here.node > 0; here = from.get(here.node))
      way.unshift(`${nameOf(here.node).slice(0, 30)}.${here.label}`);
    found.set(nameOf(node), way.slice(-9).join(' > '));
  }
  return found;
}

/** How many objects of this class are alive. */
export function countObjects(className: string): number {
  const { nodes, strings, snapshot } = takeSnapshot();
  const { node_fields: fields, node_types } = snapshot.meta;
  const [nameAt, typeAt] = [fields.indexOf('name'), fields.indexOf('type')];
  const object = node_types[0].indexOf('object');
  const name = strings.indexOf(className);
  let count = 0;
  for (let node = 0; node < nodes.length; node += fields.length)
    if (nodes[node + typeAt] === object && nodes[node + nameAt] === name) count += 1;
  return count;
}

function takeSnapshot(): HeapSnapshot {
  const session = new Session();
  session.connect();
  const chunks: string[] = [];
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ params }) => chunks.push(params.chunk));
  // This is answered in the same turn, after all garbage was collected.
  session.post('HeapProfiler.takeHeapSnapshot');
  session.disconnect();
  return JSON.parse(chunks.join(''));
}
