import type { NativeEdge } from './native.ts';

const ECONNREFUSED = 111;

/** True where no process reads a datagram socket any more. The test is an empty datagram, which readers ignore. */
export function isDeserted(edge: Pick<NativeEdge, 'sendDatagram'>, path: string): boolean {
  return edge.sendDatagram(path, new Uint8Array(0)) === ECONNREFUSED;
}
