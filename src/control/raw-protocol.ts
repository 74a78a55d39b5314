/**
 * The original's protocol on the socket: one command line, one answer, and the connection ends. An answer begins with a line
 * that says what it is: `RESULT`, or `COMMAND-ERROR` for a line that is no command.
 */
import type { Answer } from './answer.ts';
import { type CommandParse, parseLine } from './command-words.ts';
import { limits } from './limits.ts';

/**
 * Tells the protocol by the first byte of a connection: an HTTP request begins with a method in upper case, and no command
 * does.
 */
export function protocolOf(firstByte: number): 'http' | 'raw' {
  return firstByte >= 0x41 && firstByte <= 0x5a ? 'http' : 'raw';
}

/** The bytes of a command so far; bytes behind its newline are ignored. */
export class RawCommand {
  #bytes: Uint8Array = new Uint8Array();
  #complete = false;

  /** @returns true when the command is complete, or too long */
  add(chunk: Uint8Array): boolean {
    if (this.#complete) return true;
    const end = chunk.indexOf(0x0a);
    const more = end < 0 ? chunk : chunk.subarray(0, end);
    const whole = new Uint8Array(Math.min(limits.line + 1, this.#bytes.length + more.length));
    whole.set(this.#bytes);
    whole.set(more.subarray(0, whole.length - this.#bytes.length), this.#bytes.length);
    this.#bytes = whole;
    this.#complete = end >= 0 || whole.length > limits.line;
    return this.#complete;
  }

  parse(): CommandParse {
    return parseCommand(this.#bytes);
  }
}

/** A line of bytes as a command. */
export function parseCommand(bytes: Uint8Array): CommandParse {
  if (bytes.length > limits.line) return { kind: 'mistake', message: `a command is longer than ${limits.line} bytes` };
  try {
    return parseLine(new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r$/, ''));
  } catch {
    return { kind: 'mistake', message: 'a command is not UTF-8' };
  }
}

export function rawAnswer({ kind, text }: Answer): string {
  return `${kind === 'mistake' ? 'COMMAND-ERROR' : 'RESULT'}\n${text}`;
}
