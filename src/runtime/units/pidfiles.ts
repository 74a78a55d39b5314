import { isAbsolute, resolve } from 'node:path';
import { fromCallback } from 'xstate';
import type { StartOf } from '../../machines/readiness.ts';
import { type Message, pidfileKept, pidRefused } from '../../model/log/messages.ts';
import type { ExitStatus } from '../../model/service/exit-status.ts';
import {
  type Claim,
  type FollowRefusal,
  type PidfileTrouble,
  parsePidfile,
  refusalOf,
} from '../../model/service/pidfile.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { PidfileFact } from '../../model/service/unit-events.ts';
import type { Clock, Following, ProcessView, TimerId } from '../kernel.ts';

/** ms between the first two looks at a pidfile. */
const firstLook = 20;
const longestLook = 3_000;
const lookGrowth = 1.5;

/** A stop of chaperone of this many ms may have hidden something. */
const stall = 100;

type Finding =
  | { readonly pid: number }
  | { readonly trouble: 'absent' | 'unchanged' | 'garbage' }
  | { readonly trouble: 'dead'; readonly pid: number }
  | {
      readonly trouble: 'refused';
      readonly pid: number;
      readonly refusal: FollowRefusal;
      /** The service that the process belongs to. */
      readonly owner: string | undefined;
    };

interface PidfilePorts {
  readonly following: Following;
  readonly clock: Clock;
  /** The facts that decide whether a service may follow a process. */
  readonly claimOf: (service: ServiceSpec, process: ProcessView) => Claim;
  /** How and when, in real time, a process has ended that belonged to no service, if it ended after `since`. */
  readonly endOf: (pid: number, since: number) => { readonly status: ExitStatus; readonly at: number } | undefined;
  readonly onMessage: (message: Message) => void;
}

/** The pidfiles of all services: their state before a start, and their content now. */
export class Pidfiles {
  readonly #ports: PidfilePorts;
  /** By service: the stamp of the file before the start. */
  readonly #before = new Map<string, string | undefined>();
  /** By service, in real time: the beginning of the start, and the last look at the file. */
  readonly #startedAt = new Map<string, number>();
  readonly #lookedAt = new Map<string, number>();
  /** By name: services that have begun to start, and whose files have not named a process to follow yet. */
  readonly #awaited = new Map<string, ServiceSpec>();
  /** Services during whose spawn chaperone was stopped, until the file is looked at. */
  readonly #stood = new Set<string>();

  constructor(ports: PidfilePorts) {
    this.#ports = ports;
  }

  /** Call this right before a start. */
  noteBefore(service: ServiceSpec): void {
    if (service.pidfile === undefined) return;
    this.#awaited.set(service.name, service);
    this.#before.set(service.name, this.#read(service)?.stamp);
    const now = this.#ports.clock.realTime();
    this.#startedAt.set(service.name, now);
    this.#lookedAt.set(service.name, now);
  }

  /** Call this right after a start: a slow spawn shows that chaperone was stopped, which no timer has noticed yet. */
  noteSpawned({ name }: ServiceSpec): void {
    const started = this.#startedAt.get(name);
    if (started !== undefined && this.#ports.clock.realTime() - started > stall) this.#stood.add(name);
  }

  /**
   * Removes the pidfile of a service that has ended, if the service wrote it.
   *
   * @param of removes the file only if it names this process, because another may have replaced it meanwhile
   */
  remove(service: ServiceSpec, of?: number): void {
    const text = this.#read(service);
    if (text === undefined || text.stamp === this.#before.get(service.name)) return;
    const content = parsePidfile(text.text);
    if (of !== undefined && !(content.kind === 'pid' && content.pid === of)) return;
    if (content.kind === 'pid' && this.#isAnothers(service, content.pid)) return;
    const path = pidfilePath(service);
    const code = this.#ports.following.removePidfile(path);
    if (code !== undefined) this.#ports.onMessage(pidfileKept(service.name, path, code));
  }

  /** True where the service's file was written since its start and names this process. */
  names(service: ServiceSpec, pid: number): boolean {
    const file = this.#read(service);
    if (file === undefined || file.stamp === this.#before.get(service.name)) return false;
    const content = parsePidfile(file.text);
    return content.kind === 'pid' && content.pid === pid;
  }

  /** The service whose start is under way and whose new file names this process; undefined where there is none. */
  starterOf(pid: number): string | undefined {
    for (const service of this.#awaited.values()) if (this.names(service, pid)) return service.name;
    return undefined;
  }

  /** Forgets a service that does not exist any more. */
  forget(service: string): void {
    this.#awaited.delete(service);
    this.#before.delete(service);
    this.#startedAt.delete(service);
    this.#lookedAt.delete(service);
    this.#stood.delete(service);
  }

  /** The present result of the file: a process to follow, or the reason why there is none. */
  look(service: ServiceSpec): Finding {
    const file = this.#read(service);
    if (file === undefined) return { trouble: 'absent' };
    if (file.stamp === this.#before.get(service.name)) return { trouble: 'unchanged' };
    const content = parsePidfile(file.text);
    if (content.kind === 'garbage') return { trouble: 'garbage' };
    const { pid } = content;
    if (pid === 1) return { trouble: 'refused', pid, refusal: 'first', owner: undefined };
    const process = this.#ports.following.lookUp(pid);
    if (process === undefined) return { trouble: 'dead', pid };
    const claim = this.#ports.claimOf(service, process);
    const refusal = refusalOf(process, claim, file.byRoot);
    return refusal === undefined ? { pid } : { trouble: 'refused', pid, refusal, owner: claim.owner };
  }

  /** The `pidfile` port of the readiness machine: looks until it finds a process, and reports what is wrong. */
  logic() {
    const { clock, onMessage } = this.#ports;
    return fromCallback<{ readonly type: string }, StartOf, PidfileFact>(({ input, sendBack }) => {
      const { service, serial } = input;
      let timer: TimerId;
      let last: PidfileTrouble = 'absent';
      let refused: number | undefined;
      const look = (delay: number): void => {
        const found = this.look(service);
        const stoodStill = this.#stoodStill(service.name);
        if (!('trouble' in found)) {
          sendBack({ type: 'pidfile.found', serial, pid: found.pid, at: clock.now() });
          return;
        }
        // The file is new since the last look, and chaperone could not see whether its process lived.
        const since = this.#startedAt.get(service.name) ?? 0;
        const end =
          found.trouble === 'dead' && last !== 'dead' && stoodStill ? this.#ports.endOf(found.pid, since) : undefined;
        if (found.trouble === 'dead' && end !== undefined) {
          // The log has told of this end when chaperone reaped the process.
          const { pid } = found;
          const { status, at } = end;
          sendBack({ type: 'pidfile.found', serial, pid, ended: { status, age: at - since }, at: clock.now() });
          return;
        }
        if (found.trouble === 'refused' && found.pid !== refused) {
          refused = found.pid;
          const source = `pid file '${pidfilePath(service)}'`;
          onMessage(pidRefused(service.name, found.pid, source, found.refusal, found.owner));
        }
        timer = clock.setTimeout(() => look(Math.min(longestLook, Math.ceil(delay * lookGrowth))), delay);
        if (found.trouble === last) return;
        last = found.trouble;
        sendBack({ type: 'pidfile.seen', serial, trouble: found.trouble, at: clock.now() });
      };
      // The first look comes in a later turn than the machine's invocation.
      timer = clock.setTimeout(() => look(firstLook), 0);
      return () => {
        clock.clearTimeout(timer);
        this.#awaited.delete(service.name);
      };
    });
  }

  /** True where chaperone was stopped for some time since the last look, or since the start began. */
  #stoodStill(service: string): boolean {
    const { clock } = this.#ports;
    const since = this.#lookedAt.get(service) ?? clock.realTime();
    this.#lookedAt.set(service, clock.realTime());
    return this.#stood.delete(service) || clock.lateness(since) > stall;
  }

  /** True where the process belongs to another service, whatever the file says. */
  #isAnothers(service: ServiceSpec, pid: number): boolean {
    const process = this.#ports.following.lookUp(pid);
    if (process === undefined) return false;
    const { owner } = this.#ports.claimOf(service, process);
    return owner !== undefined && owner !== service.name;
  }

  #read(service: ServiceSpec) {
    return service.pidfile === undefined ? undefined : this.#ports.following.readPidfile(pidfilePath(service));
  }
}

/** The path of a pidfile; a relative one is resolved in the service's working directory. */
export function pidfilePath({ pidfile = '', directory, account }: ServiceSpec): string {
  return isAbsolute(pidfile) ? pidfile : resolve(directory ?? account?.home ?? '.', pidfile);
}
