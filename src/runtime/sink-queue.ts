import { recordsDropped } from '../model/messages.ts';
import type { Sink } from './kernel.ts';

/** Bytes that may wait for one sink. */
const queueLimit = 1024 * 1024;
/** Bytes of one write: many small lines go together. */
const largestWrite = 64 * 1024;

/**
 * Text on its way to one sink, in order and bounded: when a reader does not read, what is over is dropped and counted, and
 * nobody else notices.
 */
export class SinkQueue {
  readonly #sink: Sink;
  readonly #name: string;
  readonly #onDrop: (text: string) => string;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** Lost lines that the log has told of. */
  #droppedBefore = 0;
  /** Why the last lines were lost, where the sink said so. */
  #refusal: string | undefined;
  #writing = false;
  #idle: (() => void)[] = [];

  /**
   * @param onDrop makes a whole line of the sentence that says how much was dropped
   */
  constructor(sink: Sink, name: string, onDrop: (text: string) => string) {
    this.#sink = sink;
    this.#name = name;
    this.#onDrop = onDrop;
  }

  /** Appends whole lines, each with its end. */
  write(text: string): void {
    const bytes = Buffer.from(text);
    if (this.#waitingBytes + bytes.length > queueLimit) {
      this.#dropped += 1;
      return;
    }
    this.#append(bytes);
    this.#pump();
  }

  /** True while a line more would be dropped. */
  get isFull(): boolean {
    return this.#waitingBytes >= queueLimit;
  }

  /** Lines that were lost, from the beginning on. */
  get droppedTotal(): number {
    return this.#droppedBefore + this.#dropped;
  }

  /** Bytes that wait, without those that are being written. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Counts a line that was not even made, because the queue is full. */
  drop(): void {
    this.#dropped += 1;
  }

  /** Calls back once everything that was written so far has gone; at once where nothing waits. */
  whenIdle(callback: () => void): void {
    if (this.#writing) this.#idle.push(callback);
    else callback();
  }

  #append(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #pump(): void {
    if (this.#writing) return;
    if (this.#waiting.length === 0) {
      for (const callback of this.#idle.splice(0)) callback();
      return;
    }
    this.#writing = true;
    const batch = this.#take();
    this.#sink.write(batch, (errorCode) => {
      this.#writing = false;
      if (errorCode === undefined) this.#sayDropped();
      // A sink that refuses (EPIPE, ENOSPC, EIO) has lost these lines; the next ones are tried again.
      else {
        this.#dropped += countLines(batch);
        this.#refusal = errorCode;
      }
      this.#pump();
    });
  }

  #take(): Buffer {
    const batch: Buffer[] = [];
    let size = 0;
    while (this.#waiting.length > 0 && (size === 0 || size + (this.#waiting[0]?.length ?? 0) <= largestWrite)) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      batch.push(next);
      size += next.length;
    }
    this.#waitingBytes -= size;
    return Buffer.concat(batch, size);
  }

  #sayDropped(): void {
    if (this.#dropped === 0 || this.#waitingBytes > queueLimit / 2) return;
    const { text } = recordsDropped(this.#dropped, this.#name, this.#refusal);
    this.#droppedBefore += this.#dropped;
    this.#dropped = 0;
    this.#refusal = undefined;
    this.#append(Buffer.from(this.#onDrop(text)));
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
