import { recordsDropped } from '../../model/log/messages.ts';
import type { Sink } from '../kernel.ts';

/** Bytes that may wait for one sink. */
const queueLimit = 1024 * 1024;
/** Bytes of one write: many small lines go together. */
const largestWrite = 64 * 1024;
/** Bytes for which a lingering sink does not wait. */
const worthWriting = 32 * 1024;
/** ms without a finished write after which a sink makes no progress. */
const patience = 500;
/** ms until a sink that had no room is offered the same lines again. */
const retryDelay = 1_000;

export interface SinkQueueOptions {
  /** Calls back after so many ms. Without it, what a sink has no room for is offered again with the next line. */
  readonly after?: (delay: number, callback: () => void) => void;
  /**
   * ms to gather lines after a write during which more of them came: each write wakes a thread, which costs more than the
   * writing. The first line after a pause is written at once.
   */
  readonly linger?: number;
  /** Monotonic ms. */
  readonly now?: () => number;
  /** Hears of the first refusal after a write that went well. */
  readonly onRefusal?: (errorCode: string) => void;
}

/**
 * Text on its way to one sink, in order and bounded: when a reader does not read, what is over is dropped and counted, and
 * nobody else notices.
 */
export class SinkQueue {
  readonly name: string;
  readonly #sink: Sink;
  readonly #options: SinkQueueOptions;
  #noticeLine: (text: string) => string;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** Lost lines that the log has told of. */
  #droppedBefore = 0;
  /** Why the last lines were lost, where the sink said so. */
  #refusal: string | undefined;
  #writing = false;
  /** The sink has no room: it is asked again later. */
  #stalled = false;
  /** Since the last write that went well. */
  #refused = false;
  #leaving = false;
  #lingering = false;
  #lastProgress = 0;
  #idle: (() => void)[] = [];

  /**
   * @param onDrop makes a whole line of the sentence that says how much was dropped
   */
  constructor(sink: Sink, name: string, onDrop: (text: string) => string, options: SinkQueueOptions = {}) {
    this.#sink = sink;
    this.name = name;
    this.#noticeLine = onDrop;
    this.#options = options;
  }

  /** True where the sink is a terminal. */
  get isTerminal(): boolean {
    return this.#sink.terminal === true;
  }

  /** The sentence that says how much was dropped is put in these words from now on. */
  setNoticeLine(noticeLine: (text: string) => string): void {
    this.#noticeLine = noticeLine;
  }

  /** Appends whole lines, each with its end. */
  write(text: string): void {
    const bytes = encoded(text);
    if (this.#waitingBytes + bytes.length > queueLimit) {
      this.#dropped += countLines(bytes);
      return;
    }
    this.#append(bytes);
    if (this.#lingering ? this.#waitingBytes >= worthWriting : !this.#stalled || this.#options.after === undefined) {
      this.#pump();
    }
  }

  /** True while a line more would be dropped. */
  get isFull(): boolean {
    return this.#waitingBytes >= queueLimit;
  }

  /** Lines that were lost, from the beginning on. */
  get droppedTotal(): number {
    return this.#droppedBefore + this.#dropped;
  }

  /** True while it is more than half full, and the sink goes on taking what it gets: soon there is room again. */
  get isBusy(): boolean {
    const { now } = this.#options;
    return this.#waitingBytes > queueLimit / 2 && now !== undefined && now() - this.#lastProgress < patience;
  }

  /** How many bytes more it takes. */
  get room(): number {
    return queueLimit - this.#waitingBytes;
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
    if (!this.#writing && this.#waiting.length === 0) {
      callback();
      return;
    }
    this.#idle.push(callback);
    if (!this.#stalled) this.#pump();
  }

  /** As `whenIdle`, but does not wait for room: a sink that has none is asked once more. */
  whenFinished(callback: () => void): void {
    this.#leaving = true;
    this.whenIdle(callback);
    if (this.#stalled) this.#pump();
  }

  /** Nothing is written any more: the sink is closed once it has what waits. What it has no room for even then is lost. */
  end(): void {
    this.whenFinished(() => {
      this.#waiting = [];
      this.#waitingBytes = 0;
      this.#stalled = false;
      this.#sink.close?.();
    });
  }

  #append(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #pump(): void {
    if (this.#writing) return;
    this.#stalled = false;
    this.#lingering = false;
    if (this.#waiting.length === 0) {
      for (const callback of this.#idle.splice(0)) callback();
      return;
    }
    this.#writing = true;
    const batch = this.#take();
    this.#sink.write(batch, (errorCode, rest) => {
      this.#writing = false;
      if (errorCode === undefined) {
        this.#refused = false;
        this.#lastProgress = this.#options.now?.() ?? 0;
        this.#sayDropped();
      } else this.#meetRefusal(errorCode, rest === undefined ? countLines(batch) : 0);
      if (rest !== undefined) this.#stall(Buffer.from(rest));
      else if (!this.#gather()) this.#pump();
    });
  }

  /** Waits for more lines, where some came already and nobody waits for them to be written. */
  #gather(): boolean {
    const { linger, after } = this.#options;
    const waits = this.#waitingBytes > 0 && this.#waitingBytes < worthWriting && this.#idle.length === 0;
    if (linger === undefined || after === undefined || !waits) return false;
    this.#lingering = true;
    after(linger, () => {
      if (this.#lingering) this.#pump();
    });
    return true;
  }

  /** A sink that refuses (EPIPE, EIO) has lost these lines; the next ones are tried again. */
  #meetRefusal(errorCode: string, lost: number): void {
    this.#dropped += lost;
    this.#refusal = errorCode;
    if (this.#refused) return;
    this.#refused = true;
    this.#options.onRefusal?.(errorCode);
  }

  /** A full disk: what is left of the batch comes first again, once there may be room. */
  #stall(rest: Buffer): void {
    this.#waiting.unshift(rest);
    this.#waitingBytes += rest.length;
    this.#stalled = true;
    if (this.#leaving) for (const callback of this.#idle.splice(0)) callback();
    this.#options.after?.(retryDelay, () => {
      if (this.#stalled) this.#pump();
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
    const { text } = recordsDropped(this.#dropped, this.name, this.#refusal);
    this.#droppedBefore += this.#dropped;
    this.#dropped = 0;
    this.#refusal = undefined;
    this.#append(Buffer.from(this.#noticeLine(text)));
  }
}

const encoder = new TextEncoder();
/** Of three bytes a character at the most, and a batch is a line longer than a write. */
const scratch = new Uint8Array(4 * largestWrite);

/** As Buffer.from, which looks through a long text once more for its length. */
function encoded(text: string): Buffer {
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return Buffer.from(scratch.subarray(0, encoder.encodeInto(text, scratch).written));
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
