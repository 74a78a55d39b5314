/**
 * Serves metrics and health over TCP (`settings: metrics`), for whoever collects them: GET and HEAD of `/metrics` and `/healthz`, and
 * nothing else. Callers have no rights here, and cost little: an answer is made at most once a second, connections are few and
 * short. The code is loaded only where it is asked for.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { type ControlCounts, type Measured, metricsType, renderMetrics } from '../../control/metrics.ts';
import { readinessOf } from '../../control/readiness.ts';
import type { MetricsSpec } from '../../model/service/service-spec.ts';

export interface MetricsPortOptions extends MetricsSpec {
  readonly supervisor: Measured;
  readonly counts: () => ControlCounts;
  /** Monotonic ms. */
  readonly now: () => number;
}

export interface MetricsPort {
  close(): void;
}

/** Sizes in bytes, times in ms. */
const limits = {
  head: 8_192,
  connections: 32,
  /** From the connection to the end of the request, and of the answer. */
  time: 5_000,
  /** For so long an answer is given again. */
  kept: 1_000,
} as const;

interface Answer {
  readonly status: 200 | 503;
  readonly type: string;
  readonly text: string;
}

const plainText = 'text/plain; charset=utf-8';

/** Rejects where the port cannot be had. */
export async function openMetricsPort(options: MetricsPortOptions): Promise<MetricsPort> {
  const { address, port } = options;
  const answers = answersOf(options);
  const server = createServer({ maxHeaderSize: limits.head, keepAlive: false }, (request, response) => {
    response.shouldKeepAlive = false;
    answer(request, response, answers, address);
  });
  bound(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port }, () => {
      server.off('error', reject);
      server.on('error', () => undefined);
      resolve();
    });
  });
  return {
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Keeps slow, silent and many clients from costing anything that lasts. */
function bound(server: Server): void {
  server.maxConnections = limits.connections;
  server.headersTimeout = limits.time;
  server.requestTimeout = limits.time;
  server.on('connection', (socket) => {
    socket.on('error', () => socket.destroy());
    // Not only silence ends a connection: a client may send, or take, one byte now and then.
    const late = setTimeout(() => socket.destroy(), limits.time);
    late.unref();
    socket.once('close', () => clearTimeout(late));
  });
  server.on('clientError', (_, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else socket.destroy();
  });
  server.on('upgrade', (_, socket) => socket.destroy());
  server.on('connect', (_, socket) => socket.destroy());
}

/** What each path gives, made anew once a second at most. */
function answersOf({ supervisor, counts, now }: MetricsPortOptions): ReadonlyMap<string, () => Answer> {
  const health = (): Answer => {
    const { state } = supervisor.status();
    const { ready, text } = readinessOf(supervisor.services(), false, state);
    return { status: ready ? 200 : 503, type: plainText, text: ready ? 'ready\n' : `${text}\n` };
  };
  const metrics = (): Answer => ({ status: 200, type: metricsType, text: renderMetrics(supervisor, counts()) });
  return new Map([
    ['/metrics', kept(metrics, now)],
    ['/healthz', kept(health, now)],
  ]);
}

function kept(make: () => Answer, now: () => number): () => Answer {
  let last: { readonly at: number; readonly answer: Answer } | undefined;
  return () => {
    if (last === undefined || now() - last.at >= limits.kept) last = { at: now(), answer: make() };
    return last.answer;
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  answers: ReadonlyMap<string, () => Answer>,
  address: string,
): void {
  const end = (status: number, type: string, text: string, more: Readonly<Record<string, string>> = {}): void => {
    const headers = {
      'content-type': type,
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      ...more,
    };
    response.writeHead(status, headers);
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  const make = answers.get((request.url ?? '').split('?', 1)[0] ?? '');
  if (!isOwnName(request.headers.host, address)) end(421, plainText, 'this is not the host that was asked for\n');
  else if (make === undefined) end(404, plainText, 'only /metrics and /healthz are here\n');
  else if (request.method !== 'GET' && request.method !== 'HEAD')
    end(405, plainText, 'only GET is allowed\n', { allow: 'GET, HEAD' });
  else {
    const { status, type, text } = make();
    end(status, type, text);
  }
}

/**
 * True where the name that a client has asked for can be this place. At a loopback address a name other than localhost is that of a
 * page in a browser, whose name was made to lead here.
 */
function isOwnName(host: string | undefined, address: string): boolean {
  if (!address.startsWith('127.') && address !== '::1') return true;
  if (host === undefined) return true;
  const name = host.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}
