/** Decides who may inspect over TCP: clients that know the token and come from a page of this host, or from no page. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The default address of inspection. */
export const loopback = '127.0.0.1';

export interface Door {
  /** The address that is listened on. */
  readonly address: string;
  readonly token: string;
}

/** A token of 128 random bits, encoded for a URL. */
export function newToken(): string {
  return randomBytes(16).toString('hex');
}

/** An address in the form that URLs use. */
export function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/**
 * Admits a request that has the token in its query. A foreign name that resolves to this host (DNS rebinding) does not
 * help a page: `Host` has to be the address itself, and `Origin`, which browsers send, has to be of this host, too.
 *
 * @returns the status line of the refusal; undefined where the request is admitted
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

/** As `admits`, with a token that was found elsewhere. */
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
  const url = urlOf(text);
  if (url === undefined) return false;
  const { hostname, port: given } = url;
  if (port !== undefined && Number(given === '' ? 80 : given) !== port) return false;
  // A listener on all addresses has many names; a numeric address cannot be the name of a foreign page.
  if (address === '0.0.0.0' || address === '::') return localNames.includes(hostname) || isAddress(hostname);
  return localNames.includes(hostname) || hostname === urlHost(address);
}

/**
 * undefined where the text is no URL. `URL.canParse` is not asked: once compiled, it may take other bytes above 127 for valid
 * than the constructor does (Node 20).
 */
function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+(\.\d+){3}$/.test(hostname);
}

function isEqual(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}
