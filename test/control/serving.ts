/** A control server on a socket of its own, around a fake supervisor. */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Answer } from '../../src/control/answer.ts';
import { type Caller, createRights } from '../../src/control/rights.ts';
import { ControlServer } from '../../src/control/server.ts';
import type { Grant } from '../../src/model/service/control-policy.ts';
import type { Clock } from '../../src/runtime/kernel.ts';
import { LinuxClock } from '../../src/runtime/linux/linux-clock.ts';
import type { FakeSupervisor } from './fake-supervisor.ts';

export interface Serving {
  readonly path: string;
  readonly server: ControlServer;
  readonly errors: unknown[];
  /** What became of the lines of the FIFO. */
  readonly lines: Answer[];
  /** Who the next connections come from. */
  caller: Caller | undefined;
  /** The pids of processes that have not ended. */
  readonly alive: Set<number>;
  connect(): Promise<Socket>;
  /** Sends bytes, half-closes, and gives all that comes back. */
  exchange(text: string): Promise<string>;
  http(method: string, path: string, body?: unknown): Promise<HttpReply>;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly json: unknown;
}

/** @param clock its time limits go by it */
export async function serve(
  supervisor: FakeSupervisor,
  grants: readonly Grant[] = [],
  clock: Clock = new LinuxClock(),
  { uid = 0, owners = [] }: { readonly uid?: number; readonly owners?: readonly number[] } = {},
): Promise<Serving> {
  const directory = mkdtempSync(join(tmpdir(), 'chaperone-control-'));
  const path = join(directory, 'sock');
  const errors: unknown[] = [];
  const lines: Answer[] = [];
  const server = new ControlServer({
    supervisor,
    rights: createRights({ uid, policy: () => ({ owners, grants }) }),
    timers: clock,
    now: () => clock.now(),
    callerOf: () => serving.caller,
    isAlive: (pid) => serving.alive.has(pid),
    onError: (error) => errors.push(error),
    onLine: (answer) => lines.push(answer),
  });
  const listener = createServer({ allowHalfOpen: true }, (socket) => server.accept(socket));
  listener.listen(path);
  await once(listener, 'listening');
  onTestFinished(async () => {
    server.close();
    listener.close();
    await once(listener, 'close');
    rmSync(directory, { recursive: true });
  });
  const connectTo = async (): Promise<Socket> => {
    const socket = connect(path);
    socket.on('error', () => undefined);
    onTestFinished(() => {
      socket.destroy();
    });
    await once(socket, 'connect');
    return socket;
  };
  const serving: Serving = {
    path,
    server,
    errors,
    lines,
    caller: { uid: 0, gid: 0, groups: [] },
    alive: new Set(),
    connect: connectTo,
    exchange: async (text) => {
      const socket = await connectTo();
      socket.end(text);
      return readAll(socket);
    },
    http: (method, target, body) =>
      new Promise((resolve, reject) => {
        const sent = request({ socketPath: path, method, path: target, agent: false }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const isJson = String(response.headers['content-type']).startsWith('application/json');
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              text,
              json: isJson && text !== '' ? JSON.parse(text) : undefined,
            });
          });
        });
        sent.on('error', reject);
        sent.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
      }),
  };
  return serving;
}

/** All that a socket gives until its end. */
export async function readAll(socket: Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

/** Waits until the text of a socket holds something; gives all of it so far. */
export function readUntil(socket: Socket, wanted: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const take = (chunk: Buffer): void => {
      text += chunk.toString();
      if (!text.includes(wanted)) return;
      socket.off('data', take);
      resolve(text);
    };
    socket.on('data', take);
    socket.once('close', () => reject(new Error(`closed before "${wanted}": ${text}`)));
  });
}
