/** Asks servers for probes. Systems without such probes do not load this code. */
import type { ClientRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { codeOf } from '../../model/words/errno.ts';
import type { ServerAnswer, ServerQuestion } from '../kernel.ts';

/** The most bytes of a body that are read. */
const longestBody = 65_536;

/** `localhost` needs no name service, and a program may listen on either of its addresses. */
const localAddresses = ['127.0.0.1', '::1'] as const;

/**
 * Asks once, and calls back once in a later turn, unless it was cancelled.
 *
 * @returns cancels it
 */
export function askServer(question: ServerQuestion, told: (answer: ServerAnswer) => void): () => void {
  let cancel = (): void => undefined;
  let isOver = false;
  const finish = (answer: ServerAnswer): void => {
    if (isOver) return;
    isOver = true;
    cancel();
    told(answer);
  };
  const attempt = (addresses: readonly string[]): void => {
    const [address, ...others] = addresses;
    const fail = (error: unknown): void => {
      if (isOver) return;
      if (others.length > 0) attempt(others);
      else finish({ kind: 'failed', code: codeOf(error) ?? (error instanceof Error ? error.message : String(error)) });
    };
    cancel =
      question.kind === 'connect'
        ? tryConnect(question, address, finish, fail)
        : tryRequest(question, address, finish, fail);
  };
  attempt(hostOf(question) === 'localhost' ? localAddresses : [hostOf(question)]);
  return () => {
    isOver = true;
    cancel();
  };
}

function hostOf(question: ServerQuestion): string {
  if (question.kind === 'connect') return 'host' in question.to ? question.to.host : '';
  return question.unix === undefined ? new URL(question.url).hostname.replace(/^\[(.*)\]$/, '$1') : '';
}

function tryConnect(
  { to }: ServerQuestion & { readonly kind: 'connect' },
  host: string | undefined,
  told: (answer: ServerAnswer) => void,
  fail: (error: unknown) => void,
): () => void {
  const options: NetConnectOpts = 'path' in to ? { path: to.path } : { host: host ?? to.host, port: to.port };
  const socket = connect(options);
  socket.on('connect', () => told({ kind: 'accepted' }));
  socket.on('error', fail);
  return () => destroy(socket);
}

function destroy(socket: Socket | ClientRequest): void {
  socket.removeAllListeners();
  // An error that comes while it is closed concerns nobody.
  socket.on('error', () => undefined);
  socket.destroy();
}

/**
 * Speaks HTTP/1.1 over a socket of its own. Node's client does the same with agents, pools and streams, which costs three times as much
 * as the whole probe: a hundred of them a second are to be nothing that anybody notices.
 */
function tryRequest(
  question: ServerQuestion & { readonly kind: 'request' },
  host: string | undefined,
  told: (answer: ServerAnswer) => void,
  fail: (error: unknown) => void,
): () => void {
  const { protocol } = new URL(question.url);
  return protocol === 'https:' ? trySecure(question, host, told, fail) : tryPlain(question, host, told, fail);
}

/** The most bytes of the head of an answer. */
const longestHead = 16_384;

function tryPlain(
  { url, headers, unix, wantsBody }: ServerQuestion & { readonly kind: 'request' },
  host: string | undefined,
  told: (answer: ServerAnswer) => void,
  fail: (error: unknown) => void,
): () => void {
  const { hostname, port } = new URL(url);
  const socket = connect(
    unix === undefined ? { host: host ?? hostname, port: port === '' ? 80 : Number(port) } : { path: unix },
  );
  let received = '';
  let head:
    | { readonly status: number; readonly length: number; readonly isChunked: boolean; readonly begins: number }
    | undefined;
  const finish = (isEnd: boolean): void => {
    if (head === undefined) {
      if (isEnd) fail(new Error(received === '' ? 'it hung up without an answer' : 'its answer is not HTTP'));
      return;
    }
    const { status, length, isChunked, begins } = head;
    const body = received.slice(begins);
    const isWhole =
      isEnd || body.length >= Math.min(length, longestBody) || (isChunked && /(?:^|\r\n)0\r\n/.test(body));
    if (wantsBody && !isWhole) return;
    const text = isChunked ? unchunked(body) : body.slice(0, length);
    told({
      kind: 'answered',
      status,
      body: wantsBody ? Buffer.from(text.slice(0, longestBody), 'latin1').toString('utf8') : '',
    });
  };
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
    head ??= headOf(received);
    if (head === undefined && received.length > longestHead) fail(new Error('its answer is not HTTP'));
    else finish(false);
  });
  socket.on('end', () => finish(true));
  socket.on('error', fail);
  socket.write(requestText(url, headers));
  return () => destroy(socket);
}

/** What the head of an answer says; undefined while it is not whole. An answer before the answer (1xx) is passed over. */
function headOf(text: string) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [, digits = ''] = /^HTTP\/1\.[01] (\d{3})(?: |\r\n)/.exec(text.slice(0, end + 4)) ?? [];
  if (digits === '') return undefined;
  const status = Number(digits);
  const head = text.slice(0, end);
  const [, length = ''] = /\r\ncontent-length:[ \t]*(\d+)/i.exec(head) ?? [];
  const isChunked = /\r\ntransfer-encoding:[^\r]*chunked/i.test(head);
  return {
    status,
    isChunked,
    length: length === '' || isChunked ? Number.POSITIVE_INFINITY : Number(length),
    begins: end + 4,
  };
}

/** The text of a body that comes in chunks (RFC 9112, section 7.1), as far as it is there. */
function unchunked(body: string): string {
  let text = '';
  let at = 0;
  for (;;) {
    const end = body.indexOf('\r\n', at);
    const size = end < 0 ? Number.NaN : Number.parseInt(body.slice(at, end), 16);
    if (!(size > 0)) return text;
    text += body.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}

function requestText(url: string, headers: Readonly<Record<string, string>>): string {
  const { host, pathname, search, username, password } = new URL(url);
  const names = new Set(Object.keys(headers).map((name) => name.toLowerCase()));
  const own: readonly (readonly [string, string | undefined])[] = [
    ['Host', host],
    ['User-Agent', 'chaperone'],
    ['Accept', '*/*'],
    ['Connection', 'close'],
    ['Authorization', username === '' ? undefined : basicAuth(username, password)],
  ];
  const lines = [
    ...own.flatMap(([name, value]) =>
      value === undefined || names.has(name.toLowerCase()) ? [] : [`${name}: ${value}`],
    ),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `GET ${pathname}${search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

function basicAuth(username: string, password: string): string {
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(text).toString('base64')}`;
}

function trySecure(
  { url, headers, unix, wantsBody }: ServerQuestion & { readonly kind: 'request' },
  host: string | undefined,
  told: (answer: ServerAnswer) => void,
  fail: (error: unknown) => void,
): () => void {
  const { host: name, hostname, port, pathname, search, username, password } = new URL(url);
  const request = secureRequest({
    ...(unix === undefined ? { host: host ?? hostname, port: port === '' ? 443 : Number(port) } : { socketPath: unix }),
    path: `${pathname}${search}`,
    headers: { host: name, connection: 'close', 'user-agent': 'chaperone', ...headers },
    ...(username === '' ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
    agent: false,
    // Probes speak with their own machine, whose certificates are rarely for that name.
    rejectUnauthorized: false,
    ...(/^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }),
  });
  request.on('error', fail);
  request.on('response', (response) => {
    const { statusCode: status = 0 } = response;
    if (!wantsBody) {
      told({ kind: 'answered', status, body: '' });
      return;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (): void => {
      const body = Buffer.concat(chunks).subarray(0, longestBody).toString('utf8');
      told({ kind: 'answered', status, body });
    };
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size >= longestBody) finish();
    });
    response.on('end', finish);
    response.on('error', fail);
  });
  request.end();
  return () => destroy(request);
}
