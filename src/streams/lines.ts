import { type Observable, type OperatorFunction, Observable as RxObservable } from 'rxjs';

/** One line of output, without its end. */
export interface Line {
  readonly bytes: Uint8Array;
  /** Bytes that were cut off at the end because the line was too long. */
  readonly cut: number;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts a stream of bytes into lines, however the chunks fall. A `\r` before the end of a line is removed. Bytes after
 * the last line end form a line when the stream completes. Memory is bounded: of a line that is longer than `maxBytes`,
 * the first `maxBytes` are kept and the others counted.
 *
 * @param maxBytes bytes kept of one line
 */
export function lines(maxBytes: number): OperatorFunction<Uint8Array, Line> {
  return (source: Observable<Uint8Array>) =>
    new RxObservable<Line>((subscriber) => {
      let parts: Uint8Array[] = [];
      let kept = 0;
      let cut = 0;
      let last = 0;

      const add = (piece: Uint8Array): void => {
        const room = maxBytes - kept;
        if (piece.length > room) cut += piece.length - room;
        const taken = piece.subarray(0, room);
        if (taken.length > 0) parts.push(taken);
        kept += taken.length;
        last = piece[piece.length - 1] ?? last;
      };
      const finish = (): void => {
        const bytes = parts.length === 1 && parts[0] !== undefined ? parts[0] : concat(parts, kept);
        const surplus = last === carriageReturn ? 1 : 0;
        const line =
          cut > 0 ? { bytes, cut: cut - surplus } : { bytes: bytes.subarray(0, bytes.length - surplus), cut };
        parts = [];
        kept = 0;
        cut = 0;
        last = 0;
        subscriber.next(line);
      };

      return source.subscribe({
        next: (chunk) => {
          let start = 0;
          for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
            add(chunk.subarray(start, end));
            finish();
            start = end + 1;
          }
          // This is a copy because the rest outlives the chunk, whose buffer the reader may reuse.
          if (start < chunk.length) add(chunk.slice(start));
        },
        error: (error) => subscriber.error(error),
        complete: () => {
          if (kept > 0 || cut > 0) finish();
          subscriber.complete();
        },
      });
    });
}

function concat(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
