import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { SignalName } from '../../model/service/signal.ts';
import type { Kernel } from '../kernel.ts';

/**
 * The processes that are services, while they live: a pid has one owner. It is kept outside of the machines: when one of those breaks,
 * this is what is left to know whom to end.
 */
export class LiveProcesses {
  readonly #processes = new Map<number, ServiceSpec>();
  /** By service: when the process of its last start began, as `ProcessView` has it. */
  readonly #starts = new Map<string, number>();

  add(pid: number, service: ServiceSpec): void {
    this.#processes.set(pid, service);
  }

  /**
   * @param service only where the number is still that service's: of a batch of exits, the first that is told may be answered by a
   * start which gets the number of the second
   */
  forget(pid: number, service?: ServiceSpec): void {
    if (service === undefined || this.#processes.get(pid) === service) this.#processes.delete(pid);
  }

  has(pid: number): boolean {
    return this.#processes.has(pid);
  }

  /** The service that the process is. */
  ownerOf(pid: number): string | undefined {
    return this.#processes.get(pid)?.name;
  }

  /** True while that number is a process of this service, and not another's who has got it since. */
  isOf(pid: number, service: string): boolean {
    return this.ownerOf(pid) === service;
  }

  noteStart(service: string, began: number | undefined): void {
    if (began !== undefined) this.#starts.set(service, began);
  }

  /** When the process of the service's last start began. */
  startOf(service: string): number | undefined {
    return this.#starts.get(service);
  }

  /** Lets go what is kept of a service that is no more. */
  forgetService(service: string): void {
    this.#starts.delete(service);
  }

  /** Signals each: its own kill signal where none is given. */
  signalEach(kernel: Kernel, signal?: SignalName): void {
    for (const [pid, service] of this.#processes) {
      kernel.signal(pid, signal ?? service.killSignal, service.ownGroup ? 'group' : 'process');
    }
  }
}
