import type { ServiceSpec } from '../../model/service/service-spec.ts';

/**
 * The living leaders of services: each pid has one service. The table is kept outside of the machines, so that it still
 * tells which processes to end when they cannot be asked.
 */
export class LiveProcesses {
  readonly #processes = new Map<number, ServiceSpec>();
  /** By service: the start time of the last start's process, as in `ProcessView`. */
  readonly #starts = new Map<string, number>();

  add(pid: number, service: ServiceSpec): void {
    this.#processes.set(pid, service);
  }

  /**
   * @param service given where the number may belong to another service by now: in a batch of exits, the first one may
   * cause a start that reuses the pid of the second
   */
  forget(pid: number, service?: ServiceSpec): void {
    if (service === undefined || this.#processes.get(pid) === service) this.#processes.delete(pid);
  }

  has(pid: number): boolean {
    return this.#processes.has(pid);
  }

  /** The service whose leader the process is. */
  ownerOf(pid: number): string | undefined {
    return this.#processes.get(pid)?.name;
  }

  /** True while the pid is a process of this service, and not of another one that has reused the number. */
  isOf(pid: number, service: string): boolean {
    return this.ownerOf(pid) === service;
  }

  noteStart(service: string, began: number | undefined): void {
    if (began !== undefined) this.#starts.set(service, began);
  }

  /** The start time of the process of the service's last start. */
  startOf(service: string): number | undefined {
    return this.#starts.get(service);
  }

  /** Forgets a service that does not exist any more. */
  forgetService(service: string): void {
    this.#starts.delete(service);
  }

  all(): ReadonlyMap<number, ServiceSpec> {
    return this.#processes;
  }
}
