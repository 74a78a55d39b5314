/** The streams of the Docker Engine API: lines of JSON, and output in frames. */
import type { Readable } from 'node:stream';
import { isObject } from '../../model/words/json.ts';
import type { Message } from './docker-messages.ts';
import type { OutputChunk } from './engine.ts';

/** One line of JSON is longer than this only where something else than an engine answers. */
const longestLine = 16 << 20;

/** The failure with which a stream of the client broke off; undefined where the stream came to its end. */
export type StreamEnd = Error | undefined;

/**
 * Calls back with each line of a stream, and once with its end. A stream that is cut off ends with an error, also where Node tells
 * only that it was closed.
 */
export function readLines(
  stream: NodeJS.ReadableStream,
  line: (text: string) => void,
  end: (how: StreamEnd) => void,
): void {
  let rest = '';
  const decoder = new TextDecoder();
  follow(
    stream,
    (bytes) => {
      const lines = `${rest}${decoder.decode(bytes, { stream: true })}`.split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > longestLine) throw new Error('the engine has sent a line that does not end');
      for (const text of lines) line(text);
    },
    (how) => {
      if (how === undefined && rest !== '') line(rest);
      end(how);
    },
  );
}

/** Calls back with each object of a stream of JSON lines. Lines that hold none are passed over. */
export function readMessages(
  stream: NodeJS.ReadableStream,
  message: (told: Message) => void,
  end: (how: StreamEnd) => void,
): void {
  readLines(
    stream,
    (text) => {
      const told = parse(text);
      if (isObject(told)) message(told);
    },
    end,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Calls back with each piece of a stream, and once with its end. */
export function follow(
  stream: NodeJS.ReadableStream,
  data: (bytes: Uint8Array) => void,
  end: (how: StreamEnd) => void,
): void {
  let over = false;
  let complete = false;
  const finish = (how: StreamEnd): void => {
    if (over) return;
    over = true;
    end(how);
  };
  stream.on('data', (bytes: Uint8Array) => {
    if (!over) data(bytes);
  });
  stream.on('end', () => {
    complete = true;
    finish(undefined);
  });
  stream.on('error', (error: Error) => finish(error));
  stream.on('close', () => finish(complete ? undefined : new Error('the connection was closed')));
}

/** Cuts output without a terminal into its frames: stream, three zeros, length, bytes. */
export class Frames {
  readonly #emit: (chunk: OutputChunk) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(emit: (chunk: OutputChunk) => void) {
    this.#emit = emit;
  }

  push(bytes: Uint8Array): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    for (;;) {
      if (this.#rest.length < headerLength) return;
      const length = this.#rest.readUInt32BE(4);
      if (this.#rest.length < headerLength + length) return;
      const stream = this.#rest[0] === 2 ? 'stderr' : 'stdout';
      const chunk = this.#rest.subarray(headerLength, headerLength + length);
      this.#rest = this.#rest.subarray(headerLength + length);
      if (length > 0) this.#emit({ stream, bytes: chunk });
    }
  }
}

const headerLength = 8;

/** Where the pieces of an output go: through frames, or as they are. */
export function outputReader(terminal: boolean, emit: (chunk: OutputChunk) => void): (bytes: Uint8Array) => void {
  if (terminal) return (bytes) => emit({ stream: 'stdout', bytes });
  const frames = new Frames(emit);
  return (bytes) => frames.push(bytes);
}

/** Breaks the connection of a stream. */
export function destroy(stream: NodeJS.ReadableStream): void {
  if (isReadable(stream)) stream.destroy();
}

function isReadable(stream: NodeJS.ReadableStream): stream is Readable {
  return 'destroy' in stream && typeof stream.destroy === 'function';
}
