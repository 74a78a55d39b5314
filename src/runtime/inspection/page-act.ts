/**
 * What a page may do to services: start, stop and restart. A request has to come from the page itself, in the name of an account that the
 * kernel names; what that account may do is decided elsewhere.
 */
import type { IncomingMessage } from 'node:http';
import type { Caller } from '../../control/rights.ts';

export const pageActions = ['start', 'stop', 'restart'] as const;

export type PageAction = (typeof pageActions)[number];

/** A service by its full name, and what is to be done with it. */
export interface PageRequest {
  readonly action: PageAction;
  readonly service: string;
}

export interface PageAnswer {
  readonly ok: boolean;
  readonly text: string;
}

/** Carries out what pages ask for. */
export interface ActPort {
  /** What the caller may do. */
  readonly may: (caller: Caller) => readonly PageAction[];
  readonly act: (request: PageRequest, caller: Caller, bytes: number) => Promise<PageAnswer>;
}

/** Most bytes of a request. */
const longest = 1_024;

/**
 * A page of another origin makes a browser send requests, too: to this address under another name, or with what forms can send. Browsers say
 * where a POST comes from, and ask first before they send JSON elsewhere; whoever says nothing is no page of this server.
 *
 * @returns the status line of the refusal; undefined where the request comes from the page
 */
export function refuseForeign({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  if (headers.origin === undefined || headers.origin !== `http://${headers.host}`) return '403 Forbidden';
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return '403 Forbidden';
  if (headers['content-type'] !== 'application/json') return '415 Unsupported Media Type';
  const length = Number(headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(length)) return '411 Length Required';
  return length > longest ? '413 Content Too Large' : undefined;
}

/** Reads the request; undefined where it is none. */
export async function readPageRequest(request: IncomingMessage): Promise<PageRequest | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Buffer)) return undefined;
    size += chunk.length;
    if (size > longest) return undefined;
    chunks.push(chunk);
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('action' in value) || !('service' in value)) return undefined;
  const { service } = value;
  const action = pageActions.find((known) => known === value.action);
  return action === undefined || typeof service !== 'string' ? undefined : { action, service };
}
