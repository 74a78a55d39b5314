/** Who may come in to watch over TCP: whoever knows the token, from a page of this host or from no page at all. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Where inspection listens unless it is told otherwise. */
export const loopback = '127.0.0.1';

export interface Door {
  /** That is listened on. */
  readonly address: string;
  readonly token: string;
}

/** 128 random bits, as they stand in a URL. */
export function newToken(): string {
  return randomBytes(16).toString('hex');
}

/** An address as it stands in a URL. */
export function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/**
 * A name of its own that leads to this host (DNS rebinding) opens the door to no page: `Host` has to be the address itself, and
 * `Origin`, which browsers send, has to be of this host, too. The token stands in the query.
 *
 * @returns the status line of the refusal; undefined where it may come in
 */
export function admits(
  door: Door,
  port: number,
  request: Pick<IncomingMessage, 'headers' | 'url'>,
): string | undefined {
  const { url = '/' } = request;
  const mark = url.indexOf('?');
  const given = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)).get('token') ?? '';
  return admitsWith(door, port, request, given);
}

/** As `admits`, with a token that stands elsewhere. */
export function admitsWith(
  door: Door,
  port: number,
  { headers }: Pick<IncomingMessage, 'headers'>,
  given: string,
): string | undefined {
  if (!isOwn(door, `http://${headers.host ?? ''}`, port)) return '421 Misdirected Request';
  if (headers.origin !== undefined && !isOwn(door, headers.origin)) return '403 Forbidden';
  return isEqual(given, door.token) ? undefined : '401 Unauthorized';
}

const localNames: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

function isOwn({ address }: Door, text: string, port?: number): boolean {
  if (!URL.canParse(text)) return false;
  const { hostname, port: given } = new URL(text);
  if (port !== undefined && Number(given === '' ? 80 : given) !== port) return false;
  // Whoever listens on all addresses has many names; an address is none that a page could have been given.
  if (address === '0.0.0.0' || address === '::') return localNames.includes(hostname) || isAddress(hostname);
  return localNames.includes(hostname) || hostname === urlHost(address);
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+(\.\d+){3}$/.test(hostname);
}

function isEqual(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
