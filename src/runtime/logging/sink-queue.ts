import { recordsDropped } from '../../model/log/messages.ts';
import type { Sink } from '../kernel.ts';
import type { Bottleneck } from './flows.ts';

/** From this many waiting bytes on a queue is full: services wait, or their lines are dropped. */
const fullFrom = 1024 * 1024;
/** Once no more bytes than these wait, services go on. */
const roomFrom = fullFrom / 2;
/**
 * The most bytes that wait for one sink. What services wrote before they had to wait, and what chaperone says itself, is taken
 * by a full queue.
 */
const queueLimit = 8 * fullFrom;
/** The most bytes of one write: many small lines are written together. */
const largestWrite = 64 * 1024;
/** From this many bytes on a lingering sink writes without waiting. */
const worthWriting = 32 * 1024;
/** ms without a finished write after which a sink counts as stuck. */
const patience = 500;
/** ms until a sink that has failed is tried again. */
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
  readonly onRefusal?: (errorCode: string, diverts: boolean) => void;
  /** Called at the first successful write after a refusal. */
  readonly onRecovery?: () => void;
  /** Takes the lines that the sink refuses, until the sink works again; without it, they are held or dropped. */
  readonly standIn?: (lines: Uint8Array) => void;
  /** False: nobody ever waits for this sink. */
  readonly holdsBack?: boolean;
}

/**
 * A bounded queue of text for one sink, in order. When a reader does not read, services are made to wait (flows.ts), or lines are
 * dropped and counted, and nothing else in the system is held up.
 */
export class SinkQueue implements Bottleneck {
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
  /** While a stand-in takes the lines: when the sink is tried again. */
  #retryAt = 0;
  /** True where the stand-in takes the lines while the sink fails. */
  #diverts: boolean;
  #diverted = 0;
  #leaving = false;
  #lingering = false;
  #lastProgress = 0;
  #idle: (() => void)[] = [];
  #onRoom: (() => void)[] = [];
  #onProgress: (() => void)[] = [];

  /**
   * @param onDrop formats a whole line of the sentence that says how many lines were dropped
   */
  constructor(sink: Sink, name: string, onDrop: (text: string) => string, options: SinkQueueOptions = {}) {
    this.#sink = sink;
    this.name = name;
    this.#noticeLine = onDrop;
    this.#options = options;
    this.#diverts = options.standIn !== undefined;
  }

  /** True where the sink is a terminal. */
  get isTerminal(): boolean {
    return this.#sink.terminal === true;
  }

  /** Sets the formatter of the sentence that says how many lines were dropped. */
  setNoticeLine(noticeLine: (text: string) => string): void {
    this.#noticeLine = noticeLine;
  }

  /** Says whether the stand-in, if there is one, takes the lines while the sink fails; true where this was never called. */
  setDiverts(diverts: boolean): void {
    this.#diverts = diverts && this.#options.standIn !== undefined;
  }

  /** Appends whole lines, each with its end. */
  write(text: string): void {
    const bytes = encoded(text);
    if (this.#refused && this.#diverts && !this.#isDue()) {
      this.#divert(bytes);
      return;
    }
    if (this.#waitingBytes + bytes.length > queueLimit) {
      this.#dropped += countLines(bytes);
      return;
    }
    this.#append(bytes);
    if (this.#lingering ? this.#waitingBytes >= worthWriting : !this.#stalled || this.#options.after === undefined) {
      this.#pump();
    }
  }

  /** True where lines of those who can wait have no room any more. */
  get isFull(): boolean {
    return this.#waitingBytes >= fullFrom;
  }

  /** True where it helps to wait for this sink: nobody waits for one that has failed. */
  get holdsBack(): boolean {
    return this.#options.holdsBack !== false && !this.#refused && !this.#leaving;
  }

  /** True while the sink fails and nothing takes its lines instead. */
  get losesLines(): boolean {
    return this.#refused && !this.#diverts;
  }

  /** True while the sink fails and the stand-in takes its lines. */
  get isDiverted(): boolean {
    return this.#refused && this.#diverts;
  }

  /** Monotonic ms of the last finished write. */
  get lastProgress(): number {
    return this.#lastProgress;
  }

  /** Calls back once, when there is room again, or when nobody should wait for this sink any more. */
  onRoom(callback: () => void): void {
    this.#onRoom.push(callback);
  }

  /** Calls back once, after the next finished write. */
  onProgress(callback: () => void): void {
    this.#onProgress.push(callback);
  }

  /** How many lines were lost from the beginning on. */
  get droppedTotal(): number {
    return this.#droppedBefore + this.#dropped;
  }

  /** How many lines the stand-in has got from the beginning on. */
  get divertedTotal(): number {
    return this.#diverted;
  }

  /** True while the queue is more than half full and its sink makes progress: soon there is room again. */
  get isBusy(): boolean {
    const { now } = this.#options;
    return this.#waitingBytes > roomFrom && now !== undefined && now() - this.#lastProgress < patience;
  }

  /** How many more bytes the queue takes before it is full. */
  get room(): number {
    return fullFrom - this.#waitingBytes;
  }

  /** How many more bytes the queue takes before it is half full. */
  get halfRoom(): number {
    return roomFrom - this.#waitingBytes;
  }

  /** How many more bytes the queue takes at all. */
  get lastRoom(): number {
    return queueLimit - this.#waitingBytes;
  }

  /** How many bytes wait, without those that are being written. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Takes note that the sink cannot be written to, before the first line comes. */
  refuse(errorCode: string): void {
    this.#noteRefusal(errorCode);
  }

  /** Counts a line that the caller has not formatted, because the queue is full. */
  drop(): void {
    this.#dropped += 1;
  }

  /** The same, where the caller itself will say how many lines were dropped. */
  dropSilently(): void {
    this.#droppedBefore += 1;
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
    callAll(this.#onRoom);
    this.whenIdle(callback);
    if (this.#stalled) this.#pump();
  }

  /** Ends the queue: the sink is closed once the waiting lines are through. Lines without room are lost then. */
  end(): void {
    this.whenFinished(() => {
      this.#empty();
      this.#stalled = false;
      this.#sink.close?.();
    });
  }

  #append(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  /** Forgets what waits, and returns it. */
  #empty(): Buffer {
    const all = Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    return all;
  }

  #isDue(): boolean {
    const { now } = this.#options;
    return now !== undefined && !this.#writing && now() >= this.#retryAt;
  }

  #pump(): void {
    if (this.#writing) return;
    this.#stalled = false;
    this.#lingering = false;
    if (this.#waiting.length === 0) {
      callAll(this.#idle);
      return;
    }
    this.#writing = true;
    const batch = this.#take();
    if (this.#waitingBytes <= roomFrom) callAll(this.#onRoom);
    this.#sink.write(batch, (errorCode, rest) => {
      this.#writing = false;
      if (errorCode === undefined) this.#noteSuccess();
      else if (this.#diverts) this.#divertAll(errorCode, rest ?? batch);
      else this.#meetRefusal(errorCode, rest === undefined ? countLines(batch) : 0);
      if (rest !== undefined && !this.#diverts) this.#stall(Buffer.from(rest));
      else if (!this.#gather()) this.#pump();
    });
  }

  #noteSuccess(): void {
    const recovers = this.#refused;
    this.#refused = false;
    this.#lastProgress = this.#options.now?.() ?? 0;
    callAll(this.#onProgress);
    this.#sayDropped();
    if (recovers) this.#options.onRecovery?.();
  }

  /** Gives the stand-in what the sink refuses, and what waits behind it. */
  #divertAll(errorCode: string, lines: Uint8Array): void {
    this.#retryAt = (this.#options.now?.() ?? 0) + retryDelay;
    this.#noteRefusal(errorCode);
    this.#divert(lines);
    if (this.#waitingBytes > 0) this.#divert(this.#empty());
    callAll(this.#onRoom);
  }

  #divert(lines: Uint8Array): void {
    this.#diverted += countLines(lines);
    this.#options.standIn?.(lines);
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
    this.#noteRefusal(errorCode);
    callAll(this.#onRoom);
  }

  #noteRefusal(errorCode: string): void {
    if (this.#refused) return;
    this.#refused = true;
    this.#options.onRefusal?.(errorCode, this.#diverts);
  }

  /** Puts the rest of a batch that met no room back to the front, and tries again later. */
  #stall(rest: Buffer): void {
    this.#waiting.unshift(rest);
    this.#waitingBytes += rest.length;
    this.#stalled = true;
    if (this.#leaving) callAll(this.#idle);
    this.#options.after?.(retryDelay, () => {
      if (this.#stalled) this.#pump();
    });
  }

  #take(): Buffer {
    let count = 0;
    let size = 0;
    for (const { length } of this.#waiting) {
      if (count > 0 && size + length > largestWrite) break;
      count += 1;
      size += length;
    }
    // All at once: a long list that loses its first item is moved as a whole.
    const batch = this.#waiting.splice(0, count);
    this.#waitingBytes -= size;
    return Buffer.concat(batch, size);
  }

  #sayDropped(): void {
    if (this.#dropped === 0 || this.#waitingBytes > roomFrom) return;
    const { text } = recordsDropped(this.#dropped, this.name, this.#refusal);
    this.#droppedBefore += this.#dropped;
    this.#dropped = 0;
    this.#refusal = undefined;
    this.#append(Buffer.from(this.#noticeLine(text)));
  }
}

function callAll(callbacks: (() => void)[]): void {
  for (const callback of callbacks.splice(0)) callback();
}

const encoder = new TextEncoder();
/** Room for a batch: a character takes at most three bytes, and a batch is at most a line longer than a write. */
const scratch = new Uint8Array(4 * largestWrite);

/** Encodes like Buffer.from, which measures a long text first. */
function encoded(text: string): Buffer {
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return Buffer.from(scratch.subarray(0, encoder.encodeInto(text, scratch).written));
}

function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1;
  return count;
}
