import { type Observable, type OperatorFunction, Observable as RxObservable } from 'rxjs';
import { decodeText } from '../model/words/printable.ts';

/** One line of output without its end, or one piece of a line that is too long. */
export interface Line {
  readonly text: string;
  /** True where a piece of the same line comes before this one. */
  readonly continues: boolean;
  /** True where a further piece of the same line follows. */
  readonly continued: boolean;
}

const newline = 0x0a;

/**
 * Cuts bytes into lines, however the chunks fall. Nothing is lost: a line that is longer than `maxBytes` comes in several
 * pieces, and of an unfinished one at most `maxBytes` are kept.
 */
export class LineCutter {
  readonly #maxBytes: number;
  readonly #onLine: (line: Line) => void;
  #parts: Uint8Array[] = [];
  #kept = 0;
  /** True where pieces of the unfinished line were emitted. */
  #continues = false;

  /** @param maxBytes bytes of one line, at least 4, so that a character fits in it */
  constructor(maxBytes: number, onLine: (line: Line) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** Takes the next bytes. They are not kept after the call. */
  take(chunk: Uint8Array): void {
    const last = chunk.lastIndexOf(newline);
    let start = 0;
    if (last >= 0) {
      if (this.#kept > 0 || this.#continues) {
        start = chunk.indexOf(newline) + 1;
        this.#add(chunk.subarray(0, start - 1));
        this.flush();
      }
      if (start <= last) this.#emitLines(chunk.subarray(start, last));
    }
    // This is a copy because the rest outlives the chunk, whose buffer the reader may reuse.
    if (last + 1 < chunk.length) this.#add(chunk.slice(last + 1));
  }

  /** The text of the unfinished line; empty where there is none. */
  get rest(): string {
    return decodeText(concat(this.#parts, this.#kept));
  }

  /** Emits the unfinished line, or its last piece. */
  flush(): void {
    const continues = this.#continues;
    const bytes = concat(this.#parts, this.#kept);
    this.#parts = [];
    this.#kept = 0;
    this.#continues = false;
    this.#onLine({ text: decodeText(bytes), continues, continued: false });
  }

  /** Emits the unfinished line where there is one. */
  end(): void {
    if (this.#kept > 0 || this.#continues) this.flush();
  }

  /** Emits whole lines: decoded together where none can be too long, because decoding them one by one costs more. */
  #emitLines(bytes: Uint8Array): void {
    if (bytes.length <= this.#maxBytes) {
      for (const text of decodeText(bytes).split('\n')) this.#onLine({ text, continues: false, continued: false });
      return;
    }
    for (let start = 0; start <= bytes.length; ) {
      const found = bytes.indexOf(newline, start);
      const end = found === -1 ? bytes.length : found;
      this.#add(bytes.subarray(start, end));
      this.flush();
      start = end + 1;
    }
  }

  /** Adds bytes to the unfinished line, and emits as many pieces as it is too long. */
  #add(piece: Uint8Array): void {
    let left = piece;
    while (this.#kept + left.length > this.#maxBytes) {
      const bytes = concat([...this.#parts, left.subarray(0, this.#maxBytes - this.#kept)], this.#maxBytes);
      const end = beforeCutCharacter(bytes, left[this.#maxBytes - this.#kept] ?? 0);
      this.#onLine({ text: decodeText(bytes.subarray(0, end)), continues: this.#continues, continued: true });
      this.#continues = true;
      left = concat([bytes.subarray(end), left.subarray(this.#maxBytes - this.#kept)], this.#kept + left.length - end);
      this.#parts = [];
      this.#kept = 0;
    }
    if (left.length > 0) this.#parts.push(left);
    this.#kept += left.length;
  }
}

/** Where to cut the bytes, which `next` follows, so that no UTF-8 character is divided. */
function beforeCutCharacter(bytes: Uint8Array, next: number): number {
  if (!isTrailing(next)) return bytes.length;
  for (let end = bytes.length - 1; end > bytes.length - 4 && end > 0; end--) {
    if (!isTrailing(bytes[end] ?? 0)) return end;
  }
  return bytes.length;
}

/** True for the second and later bytes of a UTF-8 character. */
function isTrailing(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/**
 * Cuts a stream of bytes into lines by `LineCutter`. Bytes after the last line end form a line when the stream ends.
 *
 * @param onCutter gets the cutter at the subscription, to look at the unfinished line, or to end it
 */
export function lines(maxBytes: number, onCutter?: (cutter: LineCutter) => void): OperatorFunction<Uint8Array, Line> {
  return (source: Observable<Uint8Array>) =>
    new RxObservable<Line>((subscriber) => {
      const cutter = new LineCutter(maxBytes, (line) => subscriber.next(line));
      onCutter?.(cutter);
      return source.subscribe({
        next: (chunk) => cutter.take(chunk),
        error: (error) => {
          cutter.end();
          subscriber.error(error);
        },
        complete: () => {
          cutter.end();
          subscriber.complete();
        },
      });
    });
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
