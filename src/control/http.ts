/** Serves one HTTP request by the routes: reads it and writes the reply, within the limits. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mistake } from './answer.ts';
import { EventStream } from './event-stream.ts';
import { readBody, readQuery } from './fields.ts';
import type { Gate } from './gate.ts';
import { limits } from './limits.ts';
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

/** Answers one request. Never throws: an internal error becomes a 500 and is reported to the caller of this function. */
export async function handleRequest(request: IncomingMessage, response: ServerResponse, call: HttpCall): Promise<void> {
  const { gate, caller, counts, onRead, onDrop } = call;
  const found = findRoute(request.method ?? '', request.url ?? '');
  const body = await readAll(request);
  onRead();
  if (body === undefined) {
    write(response, { kind: 'json', status: 413, value: { kind: 'mistake', text: `more than ${limits.body} bytes` } });
    return;
  }
  if (found.kind === 'missing') {
    write(response, { kind: 'json', status: 404, value: { kind: 'mistake', text: 'no such path' } });
    return;
  }
  if (found.kind === 'method') {
    response.setHeader('allow', found.allow.join(', '));
    write(response, { kind: 'json', status: 405, value: { kind: 'mistake', text: `use ${found.allow.join(' or ')}` } });
    return;
  }
  const { route, name, query } = found;
  const refusal = gate.admit(caller) ?? gate.refuse(caller, route.needs);
  if (refusal !== undefined) {
    write(response, answer(refusal));
    return;
  }
  const read = route.method === 'GET' ? readQuery(query, route.fields) : readBody(body, route.fields);
  if (read.kind === 'mistake') {
    write(response, answer(mistake(read.message)));
    return;
  }
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const reply = await route.handle({ gate, caller, name, given: read.given, aborted: gone.signal, counts });
  if (reply.kind !== 'events') write(response, reply);
  else if (request.method === 'HEAD') response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
  else if (!response.destroyed) {
    const end = reply.begin(new EventStream(response, onDrop));
    response.once('close', end);
  }
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

function write(response: ServerResponse, reply: Exclude<Reply, { kind: 'events' }>): void {
  if (response.destroyed) return;
  const [status, type, text] =
    reply.kind === 'json'
      ? [reply.status, 'application/json; charset=utf-8', `${JSON.stringify(reply.value)}\n`]
      : [200, reply.type, reply.text];
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(text);
}
