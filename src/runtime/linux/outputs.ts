/** The pipes through which processes write their output. */
import { closeSync } from 'node:fs';
import { EMPTY, type Observable, Subject } from 'rxjs';
import type { OutputControl } from '../kernel.ts';
import type { NativeEdge, NativeWatch } from './native.ts';

/**
 * The most bytes that are read from one pipe in one turn: short lines make thousands of records, and the turn has to
 * end. All pipes share the buffer, because the bytes are copied before the next read.
 */
const readBuffer = new Uint8Array(16_384);
/** The usual capacity of a pipe in bytes, pipe(7). */
const drainBuffer = new Uint8Array(65_536);
/** So many pieces are all that a pipe of the usual capacity holds. */
const piecesOfPipe = drainBuffer.length / readBuffer.length;
/** How often a pipe is read at the end of its process: a process may have given it the largest capacity, 1 MiB. */
const mostDrains = 16;

interface Pipe {
  readonly fd: number;
  readonly bytes$: Subject<Uint8Array>;
  readonly watch: NativeWatch;
  ended: boolean;
}

/** The pipes of one process and of the descendants that inherit them. */
export class ProcessOutput implements OutputControl {
  readonly #edge: NativeEdge;
  readonly #pipes: readonly Pipe[];
  /** The pipe that became readable first and is not empty yet: the other one is read after it. */
  #turn: Pipe | undefined;
  #pieces = 0;

  /**
   * @param fds the reading ends; they are watched once `resume` is called
   * @throws Error with `code` where one cannot be watched
   */
  constructor(edge: NativeEdge, fds: readonly number[]) {
    this.#edge = edge;
    const pipes: Pipe[] = [];
    this.#pipes = pipes;
    try {
      for (const fd of fds) pipes.push(this.#watch(fd));
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  readonly pause = (): void => {
    for (const { watch } of this.#pipes) watch.pause();
  };

  readonly resume = (): void => {
    for (const { watch } of this.#pipes) watch.resume();
  };

  /** What is read from this reading end; nothing without one. */
  bytesOf(fd: number | undefined): Observable<Uint8Array> {
    return this.#pipes.find((pipe) => pipe.fd === fd)?.bytes$ ?? EMPTY;
  }

  get hasEnded(): boolean {
    return this.#pipes.every(({ ended }) => ended);
  }

  /** Reads what is there now, the pipe whose turn it is first. */
  drain(): void {
    const first = this.#turn;
    if (first !== undefined) this.#drain(first);
    for (const pipe of this.#pipes) if (pipe !== first) this.#drain(pipe);
  }

  /** Forgets the pipes, which nobody writes to: the process could not be started. The caller closes the descriptors. */
  abandon(): void {
    for (const { watch } of this.#pipes) watch.close();
  }

  #watch(fd: number): Pipe {
    const pipe: Pipe = {
      fd,
      bytes$: new Subject(),
      watch: this.#edge.watchReadable(fd, () => this.#readPiece(this.#turn ?? pipe)),
      ended: false,
    };
    pipe.watch.pause();
    return pipe;
  }

  /**
   * Reads one piece per turn, because a flooding service must not delay signals and timers. The loop tells of pipes in the order
   * in which they became readable; the first one is read until it is empty, because its content is older.
   */
  #readPiece(pipe: Pipe): void {
    const { bytes, ended } = this.#edge.readNow(pipe.fd, readBuffer);
    this.#pieces += 1;
    const holdsMore = !ended && bytes === readBuffer.length && this.#pieces < piecesOfPipe;
    this.#turn = holdsMore ? pipe : undefined;
    if (!holdsMore) this.#pieces = 0;
    if (bytes > 0) pipe.bytes$.next(readBuffer.slice(0, bytes));
    if (ended) this.#end(pipe);
  }

  #drain(pipe: Pipe): void {
    for (let count = 0; count < mostDrains && !pipe.ended; count++) {
      const { bytes, ended } = this.#edge.readNow(pipe.fd, drainBuffer);
      if (bytes > 0) pipe.bytes$.next(drainBuffer.slice(0, bytes));
      if (ended) this.#end(pipe);
      if (bytes < drainBuffer.length) break;
    }
  }

  #end(pipe: Pipe): void {
    if (pipe.ended) return;
    pipe.ended = true;
    if (this.#turn === pipe) this.#turn = undefined;
    pipe.watch.close();
    closeSync(pipe.fd);
    pipe.bytes$.complete();
  }
}

/** The output of all processes, by pid. */
export class Outputs {
  readonly #outputs = new Map<number, ProcessOutput>();
  /** Pipes that a descendant holds open after the end of the process that they were made for. */
  readonly #lingering = new Set<ProcessOutput>();

  add(pid: number, output: ProcessOutput): void {
    this.#outputs.set(pid, output);
  }

  /** Reads what a process has written so far. */
  read(pid: number): void {
    this.#outputs.get(pid)?.drain();
  }

  /**
   * Reads what processes wrote before their end, so that their last lines precede their exits even if a descendant keeps the
   * pipes open. An orphan wrote to the pipes of a service that has ended.
   */
  exited(pids: readonly number[]): void {
    if (pids.some((pid) => !this.#outputs.has(pid))) {
      for (const output of this.#lingering) this.#drainLingering(output);
    }
    for (const pid of pids) {
      const output = this.#outputs.get(pid);
      this.#outputs.delete(pid);
      if (output !== undefined) this.#drainLingering(output);
    }
  }

  #drainLingering(output: ProcessOutput): void {
    output.drain();
    if (output.hasEnded) this.#lingering.delete(output);
    else this.#lingering.add(output);
  }
}
