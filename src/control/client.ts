/** The client's side: sends one request, takes the reply. It uses only node:net, which loads fastest. */
import { connect } from 'node:net';
import { codeOf } from '../model/words/errno.ts';

export interface ClientReply {
  readonly status: number;
  readonly body: string;
}

/** The first line of the message. */
export const unreachable = 'chaperone does not seem to be listening, is it running?';

/** No chaperone listens on the socket, or it closed the connection. */
export class UnreachableError extends Error {
  readonly code = 'CONTROL_UNREACHABLE';

  constructor(message: string) {
    super(message);
    this.name = 'UnreachableError';
  }
}

/** Takes a reply as it arrives. */
export interface ReplyReader {
  /** @returns false if no more is wanted */
  read(text: string): boolean;
}

/**
 * Sends one request.
 *
 * @param reader takes the body of a good reply piece by piece; without it the body is in the reply
 * @param limit ms for all of it; undefined: no limit
 * @throws UnreachableError (CONTROL_UNREACHABLE)
 */
export function request(
  socketPath: string,
  {
    method,
    path,
    body,
    reader,
    limit,
    signal,
  }: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly body?: unknown;
    readonly reader?: ReplyReader;
    readonly limit?: number;
    /** Ends the connection; the reply is what has come by then. */
    readonly signal?: AbortSignal;
  },
): Promise<ClientReply> {
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void => reject(new UnreachableError(`${unreachable}\n(Error is: ${reason})`));
    const socket = connect(socketPath);
    const timer = limit === undefined ? undefined : setTimeout(() => socket.destroy(new Error('ETIMEDOUT')), limit);
    signal?.addEventListener('abort', () => socket.destroy());
    let head = '';
    let status = 0;
    let text = '';
    const decoder = new TextDecoder();
    const take = (piece: string): void => {
      if (reader === undefined || status !== 200) text += piece;
      else if (!reader.read(piece)) socket.destroy();
    };
    socket.on('connect', () => {
      const payload = body === undefined ? '' : JSON.stringify(body);
      // HTTP/1.0: the reply ends with the connection, and comes in no chunks.
      const type =
        payload === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(payload)}\r\n`;
      socket.write(`${method} ${path} HTTP/1.0\r\n${type}\r\n${payload}`);
    });
    socket.on('data', (chunk) => {
      const piece = decoder.decode(chunk, { stream: true });
      if (status !== 0) {
        take(piece);
        return;
      }
      head += piece;
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
      const rest = head.slice(end + 4);
      if (rest !== '') take(rest);
    });
    let cause = '';
    socket.on('error', (error) => {
      cause = `${codeOf(error) ?? error.message} ${socketPath}`;
    });
    socket.on('close', () => {
      if (timer !== undefined) clearTimeout(timer);
      if (status === 0) fail(cause === '' ? `${socketPath} hung up` : cause);
      else resolve({ status, body: text });
    });
  });
}

/**
 * Reads server-sent events (HTML standard, "Server-sent events"), as far as our server makes use of them; not those that tell the
 * time.
 */
export class EventReader implements ReplyReader {
  readonly #onEvent: (name: string, data: unknown) => boolean;
  #rest = '';

  /** @param onEvent returns false where no more is wanted */
  constructor(onEvent: (name: string, data: unknown) => boolean) {
    this.#onEvent = onEvent;
  }

  read(text: string): boolean {
    this.#rest += text;
    for (let end = this.#rest.indexOf('\n\n'); end >= 0; end = this.#rest.indexOf('\n\n')) {
      const block = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + 2);
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name === undefined || name === 'clock') continue;
      if (data !== undefined && !this.#onEvent(name, JSON.parse(data))) return false;
    }
    return true;
  }
}
