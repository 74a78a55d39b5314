import { closeSync, fchmodSync } from 'node:fs';
import type { Channel } from '../kernel.ts';
import type { NativeEdge } from './native.ts';

/** Whoever has a descriptor of the pipe may open it again, as /dev/stdin or /dev/stdout; nobody else finds it. */
const forEverybody = 0o666;

/** A pipe for services. Both ends are blocking, because a service expects that of its standard streams. */
export class LinuxChannel implements Channel {
  readonly readEnd: number;
  readonly writeEnd: number;
  readonly #edge: NativeEdge;
  #isFinished = false;
  #isClosed = false;

  constructor(edge: NativeEdge) {
    this.#edge = edge;
    const { readEnd, writeEnd } = edge.pipe();
    this.readEnd = readEnd;
    this.writeEnd = writeEnd;
    edge.setBlocking(readEnd, true);
    fchmodSync(writeEnd, forEverybody);
  }

  waiting(): number {
    return this.#isClosed ? 0 : this.#edge.waitingBytes(this.readEnd);
  }

  finish(): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    closeSync(this.writeEnd);
  }

  close(): void {
    this.finish();
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeSync(this.readEnd);
  }
}
