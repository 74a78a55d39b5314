/** Functions that all verbs that talk to a running chaperone share. */
import { exitStatuses } from '../../control/answer.ts';
import { type ReplyReader, request, UnreachableError } from '../../control/client.ts';
import { findSocket } from '../../control/find-socket.ts';
import { print } from './print.ts';
import { type CommandReply, readReply } from './reply.ts';

export async function get(path: string, reader?: ReplyReader, limit?: number, signal?: AbortSignal) {
  return request(socketPath(), {
    method: 'GET',
    path,
    ...(reader === undefined ? {} : { reader }),
    ...(limit === undefined ? {} : { limit }),
    ...(signal === undefined ? {} : { signal }),
  });
}

export async function post(path: string, body: unknown, reader?: ReplyReader) {
  return request(socketPath(), { method: 'POST', path, body, ...(reader === undefined ? {} : { reader }) });
}

/** Sends a command as its words. */
export async function sendCommand(words: readonly string[]): Promise<CommandReply> {
  // The end of the system asks every process of the container to end. Who has asked for that has its answer to tell first.
  if (words[0] === 'shutdown') process.on('SIGTERM', () => undefined);
  const { body } = await post('/v1/commands', { words });
  return readReply(body);
}

/** Runs a function that talks to chaperone, and prints a message if no chaperone listens. */
export async function withControl(act: () => Promise<number>): Promise<number> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    await print(2, `${error.message}\n`);
    return exitStatuses.unreachable;
  }
}

/** Prints why a verb failed; returns the exit status. */
export async function refused(body: string, json: boolean): Promise<number> {
  const reply = readReply(body);
  await print(json ? 1 : 2, json ? reply.json : `${reply.text}\n`);
  return reply.exitStatus;
}

export function socketPath(): string {
  return findSocket({ environment: process.env, uid: process.getuid?.() ?? 0 });
}
