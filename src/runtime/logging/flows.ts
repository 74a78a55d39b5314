import type { Overflow } from '../../model/log/overflow.ts';
import type { Clock, OutputControl, TimerId } from '../kernel.ts';

/** A bounded place on the way of lines, which may be full. */
export interface Bottleneck {
  /** True where it helps to wait. */
  readonly holdsBack: boolean;
  /** Monotonic ms at which it took something on last. */
  readonly lastProgress: number;
  /** Calls back once, when there is room again, or when nobody should wait any more. */
  onRoom(callback: () => void): void;
  /** Calls back once, after the next progress. */
  onProgress(callback: () => void): void;
}

type FlowClock = Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>;

/**
 * The output of one service on its way to the sinks. While a sink has no room, the output is not read: the pipe fills, and the
 * service waits in write(2). Nobody else does.
 */
export class Flow {
  readonly #clock: FlowClock;
  readonly #outputs = new Set<OutputControl>();
  /** The sinks that the service's lines go to, and what happens where one is full. A reload may close a sink, and then nothing else keeps it. */
  readonly #sinks = new WeakMap<Bottleneck, Overflow>();
  /** The sinks that the service waits for, with the timer that ends the wait. */
  readonly #waits = new Map<Bottleneck, TimerId | undefined>();
  /** The sinks for which the service has waited in vain, until they move. */
  readonly #givenUp = new WeakSet<Bottleneck>();
  #released = false;

  constructor(clock: FlowClock) {
    this.#clock = clock;
  }

  /** Adds an output of the service; returns a function that removes it. */
  add(output: OutputControl): () => void {
    this.#outputs.add(output);
    if (this.#waits.size > 0) output.pause();
    return () => this.#outputs.delete(output);
  }

  /** Notes that a line of the service goes to this sink. */
  note(sink: Bottleneck, overflow: Overflow): void {
    if (this.#sinks.get(sink) !== overflow) this.#sinks.set(sink, overflow);
  }

  /** True where a full sink is to take a line of the service all the same: the line was read before the service had to wait. */
  exceeds(sink: Bottleneck, overflow: Overflow): boolean {
    return this.#released || (overflow.kind !== 'drop' && sink.holdsBack && !this.#givenUp.has(sink));
  }

  /** Makes the service wait where its lines go to this sink, which is full. */
  meetFull(sink: Bottleneck): void {
    const overflow = this.#sinks.get(sink);
    if (overflow === undefined || overflow.kind === 'drop' || this.#released) return;
    if (!sink.holdsBack || this.#waits.has(sink) || this.#givenUp.has(sink)) return;
    if (this.#waits.size === 0) for (const output of this.#outputs) output.pause();
    this.#waits.set(sink, undefined);
    sink.onRoom(() => this.#goOn(sink));
    if (overflow.kind === 'wait') this.#limit(sink, overflow.patience, this.#clock.now());
  }

  /** Lets the service never wait from now on, since it is to end. */
  release(): void {
    this.#released = true;
    for (const sink of [...this.#waits.keys()]) this.#goOn(sink);
  }

  /** The service may have to wait again. */
  engage(): void {
    this.#released = false;
  }

  /** Ends the wait after so many ms in which the sink has not moved. */
  #limit(sink: Bottleneck, patience: number, since: number): void {
    const stalledFor = this.#clock.now() - Math.max(since, sink.lastProgress);
    if (stalledFor >= patience) {
      this.#givenUp.add(sink);
      sink.onProgress(() => this.#givenUp.delete(sink));
      this.#goOn(sink);
      return;
    }
    const again = (): void => this.#limit(sink, patience, since);
    this.#waits.set(sink, this.#clock.setTimeout(again, patience - stalledFor));
  }

  #goOn(sink: Bottleneck): void {
    const timer = this.#waits.get(sink);
    if (timer !== undefined) this.#clock.clearTimeout(timer);
    if (!this.#waits.delete(sink) || this.#waits.size > 0) return;
    for (const output of this.#outputs) output.resume();
  }
}

/** The flows of all services. */
export class Flows {
  readonly #clock: FlowClock;
  readonly #flows = new Map<string, Flow>();
  #allReleased = false;

  constructor(clock: FlowClock) {
    this.#clock = clock;
  }

  /** @param service its name with the suffix */
  of(service: string): Flow {
    const known = this.#flows.get(service);
    if (known !== undefined) return known;
    const flow = new Flow(this.#clock);
    if (this.#allReleased) flow.release();
    this.#flows.set(service, flow);
    return flow;
  }

  /** A sink is full: every service whose lines go to it waits before more of its output is read. */
  meetFull(sink: Bottleneck): void {
    for (const flow of this.#flows.values()) flow.meetFull(sink);
  }

  /** The system is to end: nobody waits any more. */
  releaseAll(): void {
    this.#allReleased = true;
    for (const flow of this.#flows.values()) flow.release();
  }

  forget(service: string): void {
    this.#flows.get(service)?.release();
    this.#flows.delete(service);
  }
}
