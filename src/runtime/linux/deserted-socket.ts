import type { NativeEdge } from './native.ts';

const ECONNREFUSED = 111;

/** True where no process reads a datagram socket any more. A process that reads it notices nothing of the question. */
export function isDeserted(edge: Pick<NativeEdge, 'probeDatagram'>, path: string): boolean {
  return edge.probeDatagram(path) === ECONNREFUSED;
}
