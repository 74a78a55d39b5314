import { recordsDropped } from '../../model/log/messages.ts';
import type { Sink } from '../kernel.ts';

/** The most bytes that wait for one sink. */
const queueLimit = 1024 * 1024;
/** The most bytes of one write: many small lines are written together. */
const largestWrite = 64 * 1024;
/** From this many bytes on a lingering sink writes without waiting. */
const worthWriting = 32 * 1024;
/** ms without a finished write after which a sink counts as stuck. */
const patience = 500;
/** ms until a sink that had no room gets the same lines again. */
const retryDelay = 1_000;

export interface SinkQueueOptions {
  /** Calls back after `delay` ms. Without it, lines that had no room are tried again with the next line. */
  readonly after?: (delay: number, callback: () => void) => void;
  /**
   * ms in which lines are gathered, after a write during which further lines came: each write wakes a thread, which
   * costs more than the writing. The first line after a pause is written at once.
   */
  readonly linger?: number;
  /** Monotonic ms. */
  readonly now?: () => number;
  /** Called at the first refusal after a successful write. */
  readonly onRefusal?: (errorCode: string) => void;
}

/**
 * A bounded queue of text for one sink, in order. When a reader does not read, further lines are dropped and counted,
 * and nothing else in the system is held up.
 */
export class SinkQueue {
  readonly name: string;
  readonly #sink: Sink;
  readonly #options: SinkQueueOptions;
  #noticeLine: (text: string) => string;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  /** How many lost lines the log has reported. */
  #droppedBefore = 0;
  /** The error code of the last lost lines, where the sink gave one. */
  #refusal: string | undefined;
  #writing = false;
  /** True while the sink has no room: the lines are tried again later. */
  #stalled = false;
  /** True where a write was refused since the last successful one. */
  #refused = false;
  #leaving = false;
  #lingering = false;
  #lastProgress = 0;
  #idle: (() => void)[] = [];

  /**
   * @param onDrop formats a whole line of the sentence that says how many lines were dropped
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

  /** Sets the formatter of the sentence that says how many lines were dropped. */
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

  /** True while another line would be dropped. */
  get isFull(): boolean {
    return this.#waitingBytes >= queueLimit;
  }

  /** How many lines were lost from the beginning on. */
  get droppedTotal(): number {
    return this.#droppedBefore + this.#dropped;
  }

  /** True while the queue is more than half full and its sink makes progress: soon there is room again. */
  get isBusy(): boolean {
    const { now } = this.#options;
    return this.#waitingBytes > queueLimit / 2 && now !== undefined && now() - this.#lastProgress < patience;
  }

  /** How many more bytes the queue takes. */
  get room(): number {
    return queueLimit - this.#waitingBytes;
  }

  /** How many bytes wait, without those that are being written. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Counts a line that the caller has not formatted, because the queue is full. */
  drop(): void {
    this.#dropped += 1;
  }

  /** Calls back once everything that was written so far is through; at once where nothing waits. */
  whenIdle(callback: () => void): void {
    if (!this.#writing && this.#waiting.length === 0) {
      callback();
      return;
    }
    this.#idle.push(callback);
    if (!this.#stalled) this.#pump();
  }

  /** As `whenIdle`, but does not wait for room: a sink without room is tried only once more. */
  whenFinished(callback: () => void): void {
    this.#leaving = true;
    this.whenIdle(callback);
    if (this.#stalled) this.#pump();
  }

  /** Ends the queue: the sink is closed once the waiting lines are through. Lines without room are lost then. */
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

  /** Waits for further lines, if some came during the last write and no caller waits for the end of writing. */
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

  /** Counts the lines that a sink has refused (EPIPE, EIO) as lost; the next lines are tried again. */
  #meetRefusal(errorCode: string, lost: number): void {
    this.#dropped += lost;
    this.#refusal = errorCode;
    if (this.#refused) return;
    this.#refused = true;
    this.#options.onRefusal?.(errorCode);
  }

  /** Puts the rest of a batch that met a full disk back to the front, and tries again later. */
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
/** Room for a batch: a character takes at most three bytes, and a batch is at most a line longer than a write. */
const scratch = new Uint8Array(4 * largestWrite);

/** Encodes like Buffer.from, which measures a long text first. */
function encoded(text: string): Buffer {
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return Buffer.from(scratch.subarray(0, encoder.encodeInto(text, scratch).written));
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
