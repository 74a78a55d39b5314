/** The owners of processes, from the kernel's facts and from what services are told to follow. */
import { ownsRemains, type ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { Entry } from './run-world.ts';

/** The starts whose verdict chaperone does not know yet, and how long the last one of each service has waited for its own. */
export class Starts {
  /** By service: the times of the requests, on chaperone's clock. */
  readonly #requests = new Map<string, number[]>();
  readonly #services = new Map<number, string>();
  readonly #waits = new Map<string, number>();

  note(entry: Entry): void {
    if (entry.kind === 'requested') this.#requestsOf(entry.service).push(entry.own);
    if (entry.kind === 'spawned') this.#services.set(entry.id, entry.service);
    if (entry.kind === 'begun') this.#judged(this.#services.get(entry.id) ?? '', entry.own);
    if (entry.kind === 'unspawned') this.#judged(entry.service, entry.own);
  }

  underWay(service: string): number {
    return this.#requestsOf(service).length;
  }

  /** ms that the last start has waited for its verdict. */
  lastWait(service: string): number {
    return this.#waits.get(service) ?? 0;
  }

  #judged(service: string, at: number): void {
    const asked = this.#requestsOf(service).shift();
    if (asked !== undefined) this.#waits.set(service, at - asked);
  }

  #requestsOf(service: string): number[] {
    const requests = this.#requests.get(service) ?? [];
    this.#requests.set(service, requests);
    return requests;
  }
}

/** Live processes, and the groups and trees of services. */
export class Groups {
  /** The live processes, by id. */
  readonly #live = new Map<
    number,
    { readonly pid: number; readonly root: number; readonly group: number; readonly service: string }
  >();
  /** The processes that chaperone has started, by id. */
  readonly #roots = new Map<number, number>();

  note(entry: Entry): void {
    if (entry.kind === 'spawned') {
      this.#roots.set(entry.id, entry.pid);
      this.#live.set(entry.id, { ...entry, root: entry.id, group: entry.pid });
    }
    if (entry.kind === 'forked') this.#live.set(entry.id, entry);
    if (entry.kind === 'ended') this.#live.delete(entry.id);
  }

  /** The service to whose group, or tree, the process belongs. */
  ownerOf(pid: number, specs: ReadonlyMap<string, ServiceSpec>): string | undefined {
    for (const process of this.#live.values()) {
      const spec = specs.get(process.service);
      if (process.pid !== pid || spec === undefined || spec.killMode === 'process') continue;
      if (ownsRemains(spec) || process.group === this.#roots.get(process.root)) return process.service;
    }
    return undefined;
  }

  /** The pid of a living process that belongs to the service. */
  left(spec: ServiceSpec): number | undefined {
    for (const { pid, root, group, service } of this.#live.values())
      if (service === spec.name && (ownsRemains(spec) || group === this.#roots.get(root))) return pid;
    return undefined;
  }
}

/** The owner of a process: the service that has started it, or that was told to follow it. */
export class Owners {
  readonly #leaders = new Map<number, string>();
  readonly #groups = new Map<number, string>();
  readonly #roots = new Map<number, string>();
  readonly #groupOf = new Map<number, number>();

  note(entry: Entry): void {
    if (entry.kind === 'spawned') {
      this.#roots.set(entry.pid, entry.service);
      this.#groupOf.set(entry.id, entry.pid);
    }
    if (entry.kind === 'spawned' || entry.kind === 'forked') this.#leaders.delete(entry.pid);
    if (entry.kind === 'forked') {
      this.#roots.delete(entry.pid);
      this.#groupOf.set(entry.id, entry.group);
      if (entry.group === entry.pid) this.#groups.delete(entry.pid);
    }
    if (entry.kind === 'leads') {
      this.#leaders.set(entry.pid, entry.service);
      if (entry.group === entry.pid) this.#groups.set(entry.pid, entry.service);
    }
  }

  /** The service that follows the process, or that has started it. */
  ownerOfPid(pid: number): string | undefined {
    return this.#leaders.get(pid) ?? this.#roots.get(pid);
  }

  ownerOf({ pid, service }: { readonly pid: number; readonly service: string }): string {
    return this.#leaders.get(pid) ?? service;
  }

  ownersOf(process: { readonly id: number; readonly pid: number; readonly service: string }): ReadonlySet<string> {
    const group = this.#groups.get(this.#groupOf.get(process.id) ?? process.pid);
    return new Set([process.service, this.ownerOf(process), ...(group === undefined ? [] : [group])]);
  }
}
