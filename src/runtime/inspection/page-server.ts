/**
 * Serves the inspector page and its entries to clients that know the token. The token is the first part of the path, so
 * that a copied address opens the page, relative links keep the token, and no page of another origin sends it.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { messageOf } from '../../model/words/errno.ts';
import { admitsWith, type Door, urlHost } from './inspect-door.ts';

/** The source of a page's entries. */
export interface EntrySource {
  /** True for a recording, to which no entries are added. */
  readonly complete: boolean;
  /** The id of the boot that the entries belong to, where it is known. */
  readonly boot: () => string | undefined;
  /**
   * Passes entries as JSON, one after the other, from a number on as far as they are kept.
   *
   * @param take returns false where it accepts no more entries until `resume`
   * @param end is called when no more entries can come
   */
  readonly watch: (from: number, take: (json: string) => boolean, end: () => void) => EntrySourceWatch;
}

export interface EntrySourceWatch {
  readonly resume: () => void;
  readonly close: () => void;
}

export interface PageServerOptions {
  readonly door: Door;
  /** The port to listen on; 0 lets the system choose one. */
  readonly port: number;
  /** The folder with the built page. */
  readonly assets: string;
  readonly source: EntrySource;
}

export interface PageServer {
  /** The address of the page; resolves once the server listens. */
  readonly url: Promise<string>;
  /** Accepts no more pages; resolves once the connected ones have received the rest and the mark of the end. */
  readonly end: () => Promise<void>;
  /** Closes at once. */
  readonly close: () => void;
}

/** The most pages at the same time. */
const mostPages = 16;
/** The most connections at the same time. */
const mostConnections = 64;
/** The most bytes that wait for one page; further entries wait in the hub, which drops the oldest. */
const mostWaiting = 256 * 1024;
/** ms between two heartbeats. */
const heartbeat = 5_000;

const types: Readonly<Record<string, string>> = {
  'index.html': 'text/html; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'layout.js': 'text/javascript; charset=utf-8',
};

/** The page may load, call and frame only what this server serves. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const headers = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

export function servePage({ door, port, assets, source }: PageServerOptions): PageServer {
  const pages = new Set<() => Promise<void>>();
  const server = createServer({ requestTimeout: 10_000 }, (request, response) => {
    const { token, path, query } = partsOf(request.url ?? '/');
    const refused = admitsWith(door, portOf(server), request, token);
    if (refused !== undefined) {
      refuse(response, refused);
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') refuse(response, '405 Method Not Allowed');
    else if (path === 'entries') {
      if (pages.size >= mostPages) refuse(response, '503 Service Unavailable');
      else {
        const end = serveEntries(request, response, source, query);
        pages.add(end);
        response.once('close', () => pages.delete(end));
      }
    } else void serveAsset(response, assets, path === '' ? 'index.html' : path);
  });
  server.maxConnections = mostConnections;
  const url = new Promise<string>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: door.address, port }, () => {
      resolve(`http://${urlHost(door.address)}:${portOf(server)}/${door.token}/`);
    });
  });
  return {
    url,
    end: async () => {
      server.close();
      await Promise.all([...pages].map((end) => end()));
    },
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @returns a function that ends the stream, and resolves once the last message is sent or the connection is gone */
function serveEntries(
  request: IncomingMessage,
  response: ServerResponse,
  source: EntrySource,
  query: URLSearchParams,
): () => Promise<void> {
  response.writeHead(200, {
    ...headers,
    'content-type': 'application/x-ndjson; charset=utf-8',
    'chaperone-stream': source.complete ? 'complete' : 'live',
  });
  response.flushHeaders();
  let waiting = '';
  let flushing = false;
  let paused = false;
  const goOn = (): void => {
    if (!paused || response.destroyed) return;
    paused = false;
    watch.resume();
  };
  const flush = (): void => {
    flushing = false;
    if (response.destroyed || waiting === '') return;
    const text = waiting;
    waiting = '';
    if (response.write(text)) goOn();
  };
  const take = (json: string): boolean => {
    waiting += `${json}\n`;
    if (!flushing) {
      flushing = true;
      setImmediate(flush);
    }
    paused = response.writableLength + waiting.length >= mostWaiting;
    return !paused;
  };
  const end = (): void => {
    flush();
    response.end();
  };
  const known = source.boot();
  const asked = query.get('boot');
  const from = asked === null || known === undefined || asked === known ? Number(query.get('from') ?? 0) : 0;
  const watch = source.watch(Number.isSafeInteger(from) && from > 0 ? from : 0, take, () => setImmediate(end));
  response.on('drain', goOn);
  const beat = setInterval(() => {
    if (response.writableLength === 0) response.write('\n');
  }, heartbeat);
  beat.unref();
  request.on('error', () => response.destroy());
  response.on('error', () => response.destroy());
  response.once('close', () => {
    clearInterval(beat);
    watch.close();
  });
  return () =>
    new Promise((resolve) => {
      response.once('close', resolve);
      end();
    });
}

async function serveAsset(response: ServerResponse, assets: string, name: string): Promise<void> {
  const type = types[name];
  if (type === undefined) {
    refuse(response, '404 Not Found');
    return;
  }
  try {
    const content = await readFile(join(assets, name));
    response.writeHead(200, { ...headers, 'content-type': type, 'content-length': content.length }).end(content);
  } catch (error) {
    refuse(response, '500 Internal Server Error', messageOf(error));
  }
}

function refuse(response: ServerResponse, line: string, text = ''): void {
  response.writeHead(Number(line.slice(0, 3)), { ...headers, 'content-type': 'text/plain', connection: 'close' });
  response.end(`${line}\n${text}`);
}

/** The parts of `/TOKEN/name?query`. A token without a slash is refused: relative links would lose it. */
function partsOf(url: string): { readonly token: string; readonly path: string; readonly query: URLSearchParams } {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const [, token = '', ...rest] = pathname.split('/');
  return { token, path: rest.join('/'), query: searchParams };
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
