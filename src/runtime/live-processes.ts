import type { ServiceSpec } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import type { Kernel } from './kernel.ts';

/**
 * The processes of services that are alive, kept outside of the machines: when one of those breaks, this is what is left to
 * know whom to end.
 */
export class LiveProcesses {
  readonly #services = new Map<number, ServiceSpec>();

  add(pid: number, service: ServiceSpec): void {
    this.#services.set(pid, service);
  }

  remove(pid: number): void {
    this.#services.delete(pid);
  }

  has(pid: number): boolean {
    return this.#services.has(pid);
  }

  /** Signals each: its own kill signal where none is given. */
  signalEach(kernel: Kernel, signal?: SignalName): void {
    for (const [pid, service] of this.#services) {
      kernel.signal(pid, signal ?? service.killSignal, service.ownGroup ? 'group' : 'process');
    }
  }
}
