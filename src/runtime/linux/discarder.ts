import type { NativeEdge } from './native.ts';

/** ms until the children are reaped that have held descriptors. */
const reapDelay = 20;

/** Closes descriptors that other accounts have sent, whatever closing them would wait for. */
export class Discarder {
  readonly #edge: Pick<NativeEdge, 'discard'>;
  #waiting: number[] = [];
  #reaps = false;

  constructor(edge: Pick<NativeEdge, 'discard'>) {
    this.#edge = edge;
  }

  /** Closes descriptors at the end of this turn: one child process is enough for all of them. */
  later(descriptor: number): void {
    this.#waiting.push(descriptor);
    if (this.#waiting.length === 1) queueMicrotask(() => this.now(this.#waiting.splice(0)));
  }

  now(descriptors: readonly number[]): void {
    if (this.#edge.discard(descriptors) > 0) this.#reapLater();
  }

  #reapLater(): void {
    if (this.#reaps) return;
    this.#reaps = true;
    setTimeout(() => {
      this.#reaps = false;
      this.now([]);
    }, reapDelay);
  }
}
