import type { NativeEdge } from './native.ts';

const ECONNREFUSED = 111;

/** True where a datagram socket's file is left of a process that has ended. An empty datagram asks: it says nothing to who is there. */
export function isDeserted(edge: Pick<NativeEdge, 'sendDatagram'>, path: string): boolean {
  return edge.sendDatagram(path, new Uint8Array(0)) === ECONNREFUSED;
}
