import type { ServiceSpec } from '../../model/service/service-spec.ts';

/**
 * The living leaders of services: each pid has one service. The table is kept outside of the machines, so that it still
 * tells which processes to end when they cannot be asked.
 */
export class LiveProcesses {
  readonly #processes = new Map<number, ServiceSpec>();
  /** By pid: when leaders began whose numbers another process may have before chaperone hears of their end. */
  readonly #begins = new Map<number, number>();
  /** By service: the start time of the last start's process, as in `ProcessView`. */
  readonly #starts = new Map<string, number>();

  /** @param began the time of the leader's start, where it is known */
  add(pid: number, service: ServiceSpec, began?: number): void {
    this.#processes.set(pid, service);
    if (began === undefined) this.#begins.delete(pid);
    else this.#begins.set(pid, began);
  }

  /**
   * @param service given where the number may belong to another service by now: in a batch of exits, the first one may
   * cause a start that reuses the pid of the second
   */
  forget(pid: number, service?: ServiceSpec): void {
    if (service !== undefined && this.#processes.get(pid) !== service) return;
    this.#processes.delete(pid);
    this.#begins.delete(pid);
  }

  has(pid: number): boolean {
    return this.#processes.has(pid);
  }

  /**
   * The service whose leader the process is.
   *
   * @param began when the process with this number began, where that is known: it may not be the leader any more
   */
  ownerOf(pid: number, began?: number): string | undefined {
    const known = this.#begins.get(pid);
    if (began !== undefined && known !== undefined && began !== known) return undefined;
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
