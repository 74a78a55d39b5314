import { isAbsolute, resolve } from 'node:path';
import { fromCallback } from 'xstate';
import type { StartOf } from '../machines/service.ts';
import { type Message, pidfileKept, pidRefused } from '../model/messages.ts';
import { mayBeFollowed, type PidfileTrouble, parsePidfile } from '../model/pidfile.ts';
import type { PidfileFact } from '../model/process-events.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import type { Clock, Following, TimerId } from './kernel.ts';

/** ms from one look at a pidfile to the next. */
const firstLook = 20;
const longestLook = 3_000;
const lookGrowth = 1.5;

interface PidfilePorts {
  readonly following: Following;
  readonly clock: Clock;
  readonly onMessage: (message: Message) => void;
}

/** The pidfiles of all services: what they were like before a start, and what they say now. */
export class Pidfiles {
  readonly #ports: PidfilePorts;
  /** By service: what its file was like before the start. */
  readonly #before = new Map<string, string | undefined>();

  constructor(ports: PidfilePorts) {
    this.#ports = ports;
  }

  /** To be called right before a start. */
  noteBefore(service: ServiceSpec): void {
    if (service.pidfile !== undefined) this.#before.set(service.name, this.#read(service)?.stamp);
  }

  /**
   * A service that has ended leaves no pidfile; one that it did not write is none of its own.
   *
   * @param of only where it names that process: another may have taken its place meanwhile
   */
  remove(service: ServiceSpec, of?: number): void {
    const text = this.#read(service);
    if (text === undefined || text.stamp === this.#before.get(service.name)) return;
    const content = parsePidfile(text.text);
    if (of !== undefined && !(content.kind === 'pid' && content.pid === of)) return;
    const path = pidfilePath(service);
    const code = this.#ports.following.removePidfile(path);
    if (code !== undefined) this.#ports.onMessage(pidfileKept(service.name, path, code));
  }

  /** Lets go what is kept of a service that is no more. */
  forget(service: string): void {
    this.#before.delete(service);
  }

  /** What the file says now: a process to follow, or why there is none. */
  look(service: ServiceSpec): { readonly pid: number } | { readonly trouble: PidfileTrouble; readonly pid?: number } {
    const file = this.#read(service);
    if (file === undefined) return { trouble: 'absent' };
    if (file.stamp === this.#before.get(service.name)) return { trouble: 'unchanged' };
    const content = parsePidfile(file.text);
    if (content.kind === 'garbage') return { trouble: 'garbage' };
    const { pid } = content;
    if (pid === 1) return { trouble: 'refused', pid };
    const { following } = this.#ports;
    const process = following.lookUp(pid);
    if (process === undefined) return { trouble: 'dead' };
    return mayBeFollowed(process, service.account?.uid ?? following.uid) ? { pid } : { trouble: 'refused', pid };
  }

  /** The `pidfile` port of the service machine: looks until it finds a process, and tells what it sees meanwhile. */
  logic() {
    const { clock, onMessage } = this.#ports;
    return fromCallback<{ readonly type: string }, StartOf, PidfileFact>(({ input, sendBack }) => {
      const { service, serial } = input;
      let timer: TimerId;
      let last: PidfileTrouble = 'absent';
      let refused: number | undefined;
      const look = (delay: number): void => {
        const found = this.look(service);
        if (!('trouble' in found)) {
          sendBack({ type: 'pidfile.found', serial, pid: found.pid, at: clock.now() });
          return;
        }
        if (found.pid !== undefined && found.pid !== refused) {
          refused = found.pid;
          onMessage(pidRefused(service.name, found.pid, `pid file '${pidfilePath(service)}'`));
        }
        timer = clock.setTimeout(() => look(Math.min(longestLook, Math.ceil(delay * lookGrowth))), delay);
        if (found.trouble === last) return;
        last = found.trouble;
        sendBack({ type: 'pidfile.seen', serial, trouble: found.trouble, at: clock.now() });
      };
      // Not in the turn in which the machine begins to wait.
      timer = clock.setTimeout(() => look(firstLook), 0);
      return () => clock.clearTimeout(timer);
    });
  }

  #read(service: ServiceSpec) {
    return service.pidfile === undefined ? undefined : this.#ports.following.readPidfile(pidfilePath(service));
  }
}

/** A relative path is looked for where the service starts. */
export function pidfilePath({ pidfile = '', directory, account }: ServiceSpec): string {
  return isAbsolute(pidfile) ? pidfile : resolve(directory ?? account?.home ?? '.', pidfile);
}
