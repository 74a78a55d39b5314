/**
 * Serves the inspector page and its entries to clients that know the token. The token is the first part of the path, so
 * that a copied address opens the page, relative links keep the token, and no page of another origin sends it.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Boundary } from '../../control/boundary.ts';
import { type Caller, describeCaller } from '../../control/rights.ts';
import type { ClockLine, Entry } from '../../inspect/entry.ts';
import type { RecordPage, RecordQuery } from '../../inspect/record-search.ts';
import { messageOf } from '../../model/words/errno.ts';
import { admitsWith, type Door, urlHost } from './inspect-door.ts';
import { type ActPort, readPageRequest, refuseForeign } from './page-act.ts';
import { callerAt } from './peer-account.ts';
import { readRecordQuery } from './record-query.ts';

/** The source of a page's entries. */
export interface EntrySource {
  /** True for a recording, to which no entries are added. */
  readonly complete: boolean;
  /** The id of the boot that the entries belong to, where it is known. */
  readonly boot: () => string | undefined;
  /** ms since the source's chaperone began, where that is running and the time is known. */
  readonly now?: () => number | undefined;
  /** Looks for records that pages do not have; absent where there can be none. */
  readonly records?: (query: RecordQuery) => Promise<RecordPage>;
  /** Other boots that a page may ask for. */
  readonly others?: readonly OtherBoot[];
  /**
   * Passes entries as JSON, one after the other, from a number on as far as they are kept.
   *
   * @param take returns false where it accepts no more entries until `resume`
   * @param end is called when no more entries can come
   */
  readonly watch: (from: number, take: (json: string) => boolean, end: () => void) => EntrySourceWatch;
}

/** A recorded boot that a page can show beside the one it was opened for. */
export interface OtherBoot {
  /** The id of the boot. */
  readonly boot: string;
  /** Unix ms. */
  readonly epoch: number;
  /** Its place in the journal, the oldest is 1, and the name of the journal. */
  readonly number: number;
  readonly file: string;
  readonly load: () => Promise<readonly Entry[]>;
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
  /** Lets pages act on services; absent: they only look. */
  readonly act?: ActPort;
  /** Names who is at the other end of a connection. */
  readonly callerOf?: (socket: Socket) => Promise<Caller>;
  /** Reports an error of the server itself, which ends one connection and no more. */
  readonly onError: (error: unknown) => void;
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
/** ms between two heartbeats, which bring the time. */
const heartbeat = 5_000;

/** A map, since names come from strangers: an object has a `constructor`, too. */
const types: ReadonlyMap<string, string> = new Map([
  ['index.html', 'text/html; charset=utf-8'],
  ['page.css', 'text/css; charset=utf-8'],
  ['page.js', 'text/javascript; charset=utf-8'],
  ['layout.js', 'text/javascript; charset=utf-8'],
  ['search.js', 'text/javascript; charset=utf-8'],
]);

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

export function servePage(options: PageServerOptions): PageServer {
  const { door, port, assets, source, onError } = options;
  const pages = new Set<() => Promise<void>>();
  const boundary = new Boundary(onError);
  let loading = false;
  let searching = false;
  let acting = false;
  const server = createServer({ requestTimeout: 10_000 });
  boundary.emitter(server, () => undefined);
  server.on('connection', (socket) =>
    boundary.emitter(socket, () => {
      socket.destroy();
    }),
  );
  server.on('request', (request, response) => {
    const giveUp = (): void => {
      request.socket.destroy();
    };
    boundary.emitter(request, giveUp);
    boundary.emitter(response, giveUp);
    boundary.run(() => take(request, response, giveUp), giveUp);
  });
  const take = (request: IncomingMessage, response: ServerResponse, giveUp: () => void): void => {
    const { token, path, query } = partsOf(request.url ?? '/');
    const refused = admitsWith(door, portOf(server), request, token);
    if (refused !== undefined) {
      refuse(response, refused);
      return;
    }
    if (path === 'act') {
      // To find out who asks means to look through all processes: that is done for one request at a time.
      if (acting) refuse(response, '503 Service Unavailable');
      else {
        acting = true;
        const done = serveAct(request, response, options).finally(() => {
          acting = false;
        });
        boundary.settle(done, giveUp);
      }
    } else if (request.method !== 'GET' && request.method !== 'HEAD') refuse(response, '405 Method Not Allowed');
    else if (path === 'boots')
      serveJson(
        response,
        (source.others ?? []).map(({ load: _, ...choice }) => choice),
      );
    else if (path === 'records') {
      // One search at a time: what many pages want does not add up in the loop.
      if (searching) refuse(response, '503 Service Unavailable');
      else {
        searching = true;
        const done = serveRecords(response, source, query).finally(() => {
          searching = false;
        });
        boundary.settle(done, giveUp);
      }
    } else if (path === 'boot') {
      // To read a journal takes long, and much memory.
      if (loading) refuse(response, '503 Service Unavailable');
      else {
        loading = true;
        const other = source.others?.[Number(query.get('index') ?? -1)];
        const done = serveBoot(response, other).finally(() => {
          loading = false;
        });
        boundary.settle(done, giveUp);
      }
    } else if (path === 'entries') {
      if (pages.size >= mostPages) refuse(response, '503 Service Unavailable');
      else {
        const end = serveEntries({ request, response, source, query, boundary });
        pages.add(end);
        response.once('close', () => pages.delete(end));
      }
    } else boundary.settle(serveAsset(response, assets, path === '' ? 'index.html' : path), giveUp);
  };
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

interface EntriesRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly source: EntrySource;
  readonly query: URLSearchParams;
  readonly boundary: Boundary;
}

/** @returns a function that ends the stream, and resolves once the last message is sent or the connection is gone */
function serveEntries({ request, response, source, query, boundary }: EntriesRequest): () => Promise<void> {
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
  const giveUp = (): void => {
    response.destroy();
  };
  const flush = boundary.guard((): void => {
    flushing = false;
    if (response.destroyed || waiting === '') return;
    const text = waiting;
    waiting = '';
    if (response.write(text)) goOn();
  }, giveUp);
  const take = (json: string): boolean => {
    waiting += `${json}\n`;
    if (!flushing) {
      flushing = true;
      setImmediate(flush);
    }
    paused = response.writableLength + waiting.length >= mostWaiting;
    return !paused;
  };
  const end = boundary.guard((): void => {
    flush();
    response.end();
  }, giveUp);
  if (!source.complete) response.write(clockLine(source));
  const known = source.boot();
  const asked = query.get('boot');
  const from = asked === null || known === undefined || asked === known ? Number(query.get('from') ?? 0) : 0;
  const watch = source.watch(Number.isSafeInteger(from) && from > 0 ? from : 0, take, () => setImmediate(end));
  response.on('drain', goOn);
  const beat = setInterval(
    boundary.guard(() => {
      if (response.writableLength === 0) response.write(clockLine(source));
    }, giveUp),
    heartbeat,
  );
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

/** Tells what the caller may do, or does it. */
async function serveAct(
  request: IncomingMessage,
  response: ServerResponse,
  { act, callerOf = callerAt }: PageServerOptions,
): Promise<void> {
  if (request.method === 'GET') {
    serveJson(response, { may: act === undefined ? [] : act.may(await callerOf(request.socket)) });
    return;
  }
  if (act === undefined) {
    refuse(response, '404 Not Found');
    return;
  }
  const refused = request.method === 'POST' ? refuseForeign(request) : '405 Method Not Allowed';
  if (refused !== undefined) {
    refuse(response, refused);
    return;
  }
  // Its own end of the connection is held as long as it waits for the answer.
  const caller = await callerOf(request.socket);
  const wanted = await readPageRequest(request);
  if (wanted === undefined) refuse(response, '400 Bad Request');
  else if (!act.may(caller).includes(wanted.action))
    refuse(response, '403 Forbidden', `not permitted for ${describeCaller(caller)}: ${wanted.action}`);
  else serveJson(response, await act.act(wanted, caller, Number(request.headers['content-length'])));
}

/** Sends older records, or what is wrong with what is looked for. */
async function serveRecords(response: ServerResponse, { records }: EntrySource, query: URLSearchParams): Promise<void> {
  const wanted = readRecordQuery(query);
  if (records === undefined) refuse(response, '404 Not Found');
  else if (wanted === undefined) refuse(response, '400 Bad Request');
  else serveJson(response, await records(wanted));
}

/** Sends all entries of another boot. */
async function serveBoot(response: ServerResponse, other: OtherBoot | undefined): Promise<void> {
  if (other === undefined) {
    refuse(response, '404 Not Found');
    return;
  }
  let entries: readonly Entry[];
  try {
    entries = await other.load();
  } catch (error) {
    refuse(response, '500 Internal Server Error', messageOf(error));
    return;
  }
  response.writeHead(200, { ...headers, 'content-type': 'application/x-ndjson; charset=utf-8' });
  // A page that is closed meanwhile is no error.
  await pipeline(Readable.from(pieces(entries)), response).catch(() => undefined);
}

/** Entries that are sent at once. */
const pieceLength = 500;

function* pieces(entries: readonly Entry[]): Generator<string> {
  for (let from = 0; from < entries.length; from += pieceLength)
    yield entries
      .slice(from, from + pieceLength)
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join('');
}

function serveJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { ...headers, 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** The time as a line of its own; an empty line where it is not known. */
function clockLine({ now }: EntrySource): string {
  const at = now?.();
  if (at === undefined) return '\n';
  const line: ClockLine = { type: '@chaperone.clock', at };
  return `${JSON.stringify(line)}\n`;
}

async function serveAsset(response: ServerResponse, assets: string, name: string): Promise<void> {
  const type = assetType(name);
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

/** The content type of a file of the page; undefined where there is no such file. */
export function assetType(name: string): string | undefined {
  return types.get(name);
}

/** The parts of `/TOKEN/name?query`. A token without a slash is refused: relative links would lose it. */
export function partsOf(url: string): {
  readonly token: string;
  readonly path: string;
  readonly query: URLSearchParams;
} {
  // Not by the URL class: it takes what stands behind "//" for a host, and throws where that is none.
  const target = url.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = target.indexOf('?');
  const [, token = '', ...rest] = (mark < 0 ? target : target.slice(0, mark)).split('/');
  return {
    token,
    path: rest.length === 0 ? '/' : rest.join('/'),
    query: new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1)),
  };
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
