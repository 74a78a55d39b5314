/** Serves one HTTP request by the routes: reads it and writes the reply, within the limits. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mistake } from './answer.ts';
import { EventStream } from './event-stream.ts';
import { readBody, readQuery } from './fields.ts';
import type { Gate } from './gate.ts';
import { limits } from './limits.ts';
import { Meter } from './meter.ts';
import type { ControlCounts } from './metrics.ts';
import type { Caller } from './rights.ts';
import { answer, type Reply, type Route } from './route.ts';
import { routes } from './routes.ts';

export interface HttpCall {
  readonly gate: Gate;
  readonly caller: Caller;
  readonly counts: () => ControlCounts;
  /** The request has been read: from here on only the reply takes time. */
  readonly onRead: () => void;
  readonly onDrop: () => void;
  /** The answer is a stream, and lasts. `patient`: its reader may pause as long as it likes. */
  readonly onStream: (stream: EventStream, patient: boolean) => void;
}

export type Found =
  | { readonly kind: 'route'; readonly route: Route; readonly name: string; readonly query: URLSearchParams }
  | { readonly kind: 'missing' }
  | { readonly kind: 'method'; readonly allow: readonly string[] };

/** The route of a request's first line. */
export function findRoute(method: string, target: string): Found {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  const allow: string[] = [];
  for (const route of routes) {
    const name = matchPath(route.path, path);
    if (name === undefined) continue;
    if (route.method === method || (method === 'HEAD' && route.method === 'GET')) {
      return { kind: 'route', route, name, query };
    }
    allow.push(route.method);
  }
  return allow.length === 0 ? { kind: 'missing' } : { kind: 'method', allow };
}

/** The name in a path, '' if the route has none; undefined if the path does not match the route. */
function matchPath(pattern: string, path: string): string | undefined {
  const [head = '', tail] = pattern.split('{name}');
  if (tail === undefined) return path === pattern ? '' : undefined;
  if (!path.startsWith(head) || !path.endsWith(tail)) return undefined;
  const name = path.slice(head.length, path.length - tail.length);
  if (name === '' || name.includes('/')) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** Answers one request, and counts what that has cost. Rejects only where chaperone itself has a fault. */
export async function handleRequest(request: IncomingMessage, response: ServerResponse, call: HttpCall): Promise<void> {
  const { gate, caller, onDrop, onRead } = call;
  if (request.headers['transfer-encoding'] !== undefined) {
    refuseChunks(request);
    return;
  }
  const body = await readAll(request);
  onRead();
  const busy = gate.admit(caller, body?.length ?? limits.body);
  const meter = new Meter();
  const reply = busy === undefined ? await replyTo({ request, response, body, meter }, call) : answer(busy);
  if (reply.kind !== 'events') meter.answered = write(response, reply);
  else if (request.method === 'HEAD') response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
  else if (!response.destroyed) {
    const stream = new EventStream(response, onDrop, () => gate.supervisor.status().uptime);
    call.onStream(stream, reply.patient === true);
    const end = reply.begin(stream);
    response.once('close', end);
  }
  gate.charge(caller, meter);
}

/**
 * Refuses a body without a length: thousands of chunks fit into one packet, each of which would be an event. The answer is
 * written at once, since the chunks that have come are passed on as long as the connection exists.
 */
function refuseChunks(request: IncomingMessage): void {
  request.on('error', () => undefined);
  request.socket.write('HTTP/1.1 411 Length Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  request.destroy();
}

interface ReadRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Undefined if it was too long. */
  readonly body: Buffer | undefined;
  readonly meter: Meter;
}

async function replyTo({ request, response, body, meter }: ReadRequest, call: HttpCall): Promise<Reply> {
  const { gate, caller, counts } = call;
  if (body === undefined) {
    return { kind: 'json', status: 413, value: { kind: 'mistake', text: `more than ${limits.body} bytes` } };
  }
  const found = findRoute(request.method ?? '', request.url ?? '');
  if (found.kind === 'missing') {
    return { kind: 'json', status: 404, value: { kind: 'mistake', text: 'no such path' } };
  }
  if (found.kind === 'method') {
    response.setHeader('allow', found.allow.join(', '));
    return { kind: 'json', status: 405, value: { kind: 'mistake', text: `use ${found.allow.join(' or ')}` } };
  }
  const { route, name, query } = found;
  const refusal = gate.refuse(caller, route.needs);
  if (refusal !== undefined) return answer(refusal);
  const read = route.method === 'GET' ? readQuery(query, route.fields) : readBody(body, route.fields);
  if (read.kind === 'mistake') return answer(mistake(read.message));
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return route.handle({ gate, caller, name, given: read.given, aborted: gone.signal, counts, meter });
}

/** The body; undefined if it is too long. */
async function readAll(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size > limits.body) {
      request.resume();
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @returns how many bytes were answered */
function write(response: ServerResponse, reply: Exclude<Reply, { kind: 'events' }>): number {
  if (response.destroyed) return 0;
  const [status, type, text] =
    reply.kind === 'json'
      ? [reply.status, 'application/json; charset=utf-8', `${JSON.stringify(reply.value)}\n`]
      : [200, reply.type, reply.text];
  const length = Buffer.byteLength(text);
  response.writeHead(status, {
    'content-type': type,
    'content-length': length,
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(text);
  return length;
}
