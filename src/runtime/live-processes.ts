import type { ServiceSpec } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import type { Kernel } from './kernel.ts';

/**
 * The processes of services that are alive, kept outside of the machines: when one of those breaks, this is what is left to
 * know whom to end.
 */
export class LiveProcesses {
  readonly #processes = new Map<number, { readonly service: ServiceSpec }>();

  readonly #watched = new Map<number, { reused: boolean }>();

  /**
   * @returns what takes it out again, unless the number is a new process's by then: of a batch of exits, the first that is told
   * may be answered by a start which gets the number of the second
   */
  add(pid: number, service: ServiceSpec): () => void {
    const watched = this.#watched.get(pid);
    if (watched !== undefined) watched.reused = true;
    this.#watched.delete(pid);
    const entry = { service };
    this.#processes.set(pid, entry);
    return () => {
      if (this.#processes.get(pid) === entry) this.#processes.delete(pid);
    };
  }

  /** Tells from now on whether the number of a process that has ended is another's. To be given back with `unwatch`. */
  watch(pid: number): { readonly reused: boolean } {
    const watched = { reused: this.has(pid) };
    this.#watched.set(pid, watched);
    return watched;
  }

  unwatch(pid: number): void {
    this.#watched.delete(pid);
  }

  has(pid: number): boolean {
    return this.#processes.has(pid);
  }

  /** True while that number is a process of this service, and not another's who has got it since. */
  isOf(pid: number, service: string): boolean {
    return this.#processes.get(pid)?.service.name === service;
  }

  /** Signals each: its own kill signal where none is given. */
  signalEach(kernel: Kernel, signal?: SignalName): void {
    for (const [pid, { service }] of this.#processes) {
      kernel.signal(pid, signal ?? service.killSignal, service.ownGroup ? 'group' : 'process');
    }
  }
}
