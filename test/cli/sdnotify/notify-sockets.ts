/** Sockets that stand in for a service manager's. */
import { closeSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { loadEdge } from '../../../src/runtime/linux/load-edge.ts';
import { inDist } from '../../dist.ts';

export const edge = loadEdge(inDist('edge.node'));

export interface NotifyListener {
  readonly path: string;
  /** What has arrived since the last call, a text a datagram; at most so many. */
  take(limit?: number): string[];
}

/** Listens until the test ends. */
export function listenAt(path: string): NotifyListener {
  const fd = edge.bindDatagram(path);
  onTestFinished(() => closeSync(fd));
  return { path, take: (limit = 1000) => edge.receiveDatagrams(fd, limit).map(({ bytes }) => bytes.toString()) };
}

/** Fills the queue of a socket. @returns how many datagrams that took, each of this text */
export function fill(path: string, text: string): number {
  const bytes = Buffer.from(text);
  for (let count = 0; ; count += 1) {
    if (edge.sendDatagram(path, bytes) !== 0) return count;
  }
}
