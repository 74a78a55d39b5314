import { createRequire } from 'node:module';
import type { NativeEdge } from './native.ts';

/**
 * Loads the native addon.
 *
 * @param path of `edge.node`
 * @throws Error where the file is missing or was built for another machine
 */
export function loadEdge(path: string): NativeEdge {
  const edge: unknown = createRequire(path)(path);
  if (!isEdge(edge)) throw new Error(`internal error: ${path} is not chaperone's native part`);
  return edge;
}

function isEdge(value: unknown): value is NativeEdge {
  return typeof value === 'object' && value !== null && 'writeNow' in value && 'exitNow' in value;
}
