import type { ServerResponse } from 'node:http';
import { limits } from './limits.ts';

/** ms between two events that tell the time. */
const clockInterval = 5_000;

/**
 * Server-sent events to one reader. Events that it does not take in time are dropped and counted, and it is told how
 * many it missed once it reads again: a reader who never reads costs `limits.unread` bytes, and is disconnected after a
 * while.
 */
export class EventStream {
  readonly #response: ServerResponse;
  readonly #onDrop: () => void;
  #missed = 0;

  /** @param now ms since chaperone began: the time comes first, and again and again, so that a quiet stream shows it, too */
  constructor(response: ServerResponse, onDrop: () => void, now: () => number) {
    this.#response = response;
    this.#onDrop = onDrop;
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
    });
    // The reader learns that it is connected before the first event.
    response.write(': connected\n\n');
    response.on('drain', () => this.#tellMissed());
    const tellTime = (): void => {
      if (this.hasRoom) this.send('clock', { at: now() });
    };
    tellTime();
    const beat = setInterval(tellTime, clockInterval);
    beat.unref();
    response.once('close', () => clearInterval(beat));
  }

  /** @param value is sent as JSON, which is one line */
  send(event: string, value: unknown): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    const text = `event: ${event}\ndata: ${JSON.stringify(value)}\n\n`;
    if (this.#response.writableLength + text.length > limits.unread) {
      this.#missed += 1;
      this.#onDrop();
      return;
    }
    this.#tellMissed();
    this.#response.write(text);
  }

  /** False while so many bytes wait that the next event might be dropped. */
  get hasRoom(): boolean {
    return this.#response.writableLength < limits.unread / 2;
  }

  /** Calls back whenever the reader has taken all waiting bytes. */
  onDrain(callback: () => void): void {
    this.#response.on('drain', callback);
  }

  end(): void {
    this.#tellMissed();
    this.#response.end();
  }

  /** Calls back once, when the stream is over or its reader is gone. */
  onClose(callback: () => void): void {
    this.#response.once('close', callback);
  }

  #tellMissed(): void {
    if (this.#missed === 0 || this.#response.destroyed || this.#response.writableEnded) return;
    const missed = this.#missed;
    this.#missed = 0;
    this.#response.write(`event: missed\ndata: ${JSON.stringify({ count: missed })}\n\n`);
  }
}
