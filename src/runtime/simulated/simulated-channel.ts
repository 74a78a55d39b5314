import type { Channel } from '../kernel.ts';

/** The usual capacity of a pipe, pipe(7), bytes. */
const capacity = 65_536;
const lineEnd = 10;

/** A pipe between simulated programs, which chaperone holds open. */
export class SimulatedChannel implements Channel {
  /** The ids of the processes that have the writing end open. */
  readonly writers = new Set<number>();
  #bytes: Uint8Array = new Uint8Array();
  #isFinished = false;
  #isClosed = false;
  readonly #forRoom: (() => void)[] = [];
  readonly #forInput: (() => void)[] = [];

  waiting(): number {
    return this.#bytes.length;
  }

  finish(): void {
    this.#isFinished = true;
    this.noteWriters();
  }

  close(): void {
    this.finish();
    this.#isClosed = true;
    this.#bytes = new Uint8Array();
    wake(this.#forRoom);
  }

  /** True where a write of so many bytes would not wait. */
  hasRoom(bytes: number): boolean {
    return this.#bytes.length === 0 || this.#bytes.length + bytes <= capacity;
  }

  /** Returns false where nobody can read it any more (EPIPE). */
  write(bytes: Uint8Array): boolean {
    if (this.#isClosed) return false;
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    wake(this.#forInput);
    return true;
  }

  /** The next line with its end, or the rest at the end of the input; `end` behind that, undefined while there is none. */
  take(): Uint8Array | 'end' | undefined {
    const at = this.#bytes.indexOf(lineEnd);
    const ends = this.#isFinished && this.writers.size === 0;
    if (at < 0 && !ends) return undefined;
    if (this.#bytes.length === 0) return 'end';
    const length = at < 0 ? this.#bytes.length : at + 1;
    const line = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    wake(this.#forRoom);
    return line;
  }

  /** Call this when a writer has gone. */
  noteWriters(): void {
    if (this.writers.size === 0) wake(this.#forInput);
  }

  /** Calls back once, after the next read. */
  onRoom(callback: () => void): void {
    this.#forRoom.push(callback);
  }

  /** Calls back once, when there is something more to read, or the end. */
  onInput(callback: () => void): void {
    this.#forInput.push(callback);
  }
}

function wake(callbacks: (() => void)[]): void {
  for (const callback of callbacks.splice(0)) callback();
}
