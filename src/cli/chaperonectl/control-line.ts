/** A connection to the control socket that lasts, for a stream of entries. */
import { connect } from 'node:net';
import { UnreachableError } from '../../control/client.ts';
import type { Line } from '../../control/entry-stream.ts';
import { codeOf } from '../../model/words/errno.ts';
import { socketPath } from './control-call.ts';

export function openSocket(): Promise<Line> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath());
    socket.once('connect', () => resolve({ readable: socket, writable: socket, close: () => socket.destroy() }));
    socket.once('error', (error) => reject(unreachable(error)));
  });
}

export function unreachable(error: Error): UnreachableError {
  return new UnreachableError(
    `chaperone does not seem to be listening, is it running?\n(Error is: ${codeOf(error) ?? error.message})`,
  );
}
