/**
 * The wall around a side room: the control socket, its API and metrics, the inspector page, the journal, the host's
 * notifications. What goes wrong in there is reported and ends at worst that connection or that server; it must not reach
 * the process's handler of uncaught errors, which drains the system.
 */
import type { EventEmitter } from 'node:events';

/** Most errors of one room that are reported, since a stranger may be able to cause them as often as he likes. */
const mostReports = 100;

export class Boundary {
  readonly #say: (error: unknown) => void;
  #reports = 0;
  #isReporting = false;

  /** @param say says what went wrong; it may be called in the middle of anything */
  constructor(say: (error: unknown) => void) {
    this.#say = say;
  }

  /** Runs something; after an error it gives up what is given, and the result is undefined. */
  run<T>(act: () => T, giveUp: () => void = nothing): T | undefined {
    try {
      return act();
    } catch (error) {
      this.#failed(error, giveUp);
      return undefined;
    }
  }

  /** A callback that never throws: for timers, subscriptions, and everything else that calls back later. */
  guard<A extends readonly unknown[]>(act: (...given: A) => void, giveUp?: () => void): (...given: A) => void {
    return (...given) => this.run(() => act(...given), giveUp);
  }

  /** Takes care of a promise that nobody else waits for. */
  settle(promise: Promise<unknown>, giveUp: () => void = nothing): void {
    promise.catch((error: unknown) => this.#failed(error, giveUp));
  }

  /**
   * Catches what the listeners of an emitter throw, those of Node's own modules included, and an `error` that nobody
   * listens to.
   */
  emitter(emitter: EventEmitter, giveUp: () => void): void {
    const emit = emitter.emit.bind(emitter);
    emitter.emit = (name: string | symbol, ...given: readonly unknown[]) =>
      this.run(() => emit(name, ...given), giveUp) ?? true;
  }

  /** Reports an error that somebody else has caught. One that the report itself causes is not reported again. */
  report(error: unknown): void {
    if (this.#isReporting || this.#reports >= mostReports) return;
    this.#reports += 1;
    this.#isReporting = true;
    try {
      this.#say(error);
    } finally {
      this.#isReporting = false;
    }
  }

  #failed(error: unknown, giveUp: () => void): void {
    try {
      giveUp();
    } finally {
      this.report(error);
    }
  }
}

function nothing(): void {
  // There is nothing to give up.
}
