import { Subject, type Subscription } from 'rxjs';
import { fromCallback } from 'xstate';
import {
  descriptorsRefused,
  explicitStatus,
  type Message,
  notifyRefused,
  notifyTruncated,
  pidRefused,
  pidVanished,
} from '../../model/log/messages.ts';
import { type NotifyAccess, type NotifyMessage, parseNotifyMessage } from '../../model/service/notify-message.ts';
import { type Claim, refusalOf } from '../../model/service/pidfile.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { NotifyFact, NotifyRequest } from '../../model/service/unit-events.ts';
import type { Clock, Kernel, NotifyDatagram, NotifySocket, ProcessView } from '../kernel.ts';

/** Descriptors kept for one service. */
const mostKept = 128;
/** What a kept descriptor is called that has no name (sd_pid_notify_with_fds(3)). */
const unnamed = 'stored';

interface NotifyPorts {
  readonly kernel: Pick<Kernel, 'following' | 'notifying' | 'readOutput'>;
  readonly clock: Clock;
  /** What is known of a service that wants to follow a process. */
  readonly claimOf: (service: ServiceSpec, process: ProcessView) => Claim;
  readonly onMessage: (message: Message) => void;
  /** Is told of what services say, before anybody acts on it. */
  readonly onNotice: (service: string, message: NotifyMessage) => void;
}

interface Kept {
  readonly descriptor: number;
  readonly name: string;
}

/** What stands for one notify service, whatever its starts. */
interface Line {
  readonly facts$: Subject<NotifyFact>;
  readonly kept: Kept[];
  socket: NotifySocket | undefined;
  subscription: Subscription | undefined;
  access: NotifyAccess;
  /** The process of the start, whose output is the service's. */
  startPid: number;
  mainPid: number;
  exitStatus: number | undefined;
}

/**
 * The notify sockets of all services. Each start has one of its own: what an earlier start still says goes nowhere. Credentials
 * and descriptors end here; the machines hear what was said.
 */
export class NotifySockets {
  readonly #ports: NotifyPorts;
  readonly #lines = new Map<string, Line>();

  constructor(ports: NotifyPorts) {
    this.#ports = ports;
  }

  /**
   * Makes the socket of a start.
   *
   * @returns its path
   * @throws Error with `code`
   */
  open(service: ServiceSpec, serial: number): string {
    const line = this.#line(service.name);
    close(line);
    const socket = this.#ports.kernel.notifying.openSocket(service.name);
    line.socket = socket;
    line.access = 'all';
    line.exitStatus = undefined;
    line.subscription = socket.datagrams$.subscribe((datagram) => this.#receive(line, service, serial, datagram));
    return socket.path;
  }

  /** The process that the start has spawned. */
  setStartPid(service: string, pid: number): void {
    const line = this.#lines.get(service);
    if (line !== undefined) line.startPid = pid;
  }

  /** The process that NOTIFYACCESS=main means. */
  setMainPid(service: string, pid: number): void {
    const line = this.#lines.get(service);
    if (line !== undefined) line.mainPid = pid;
  }

  /** EXIT_STATUS=, where the service has told it. */
  exitStatus(service: string): number | undefined {
    return this.#lines.get(service)?.exitStatus;
  }

  /** The descriptors that the service has left with chaperone, for its next start. */
  kept(service: string): readonly Kept[] {
    return this.#lines.get(service)?.kept ?? [];
  }

  /** Lets go what is kept of a service that is no more. */
  forget(service: string): void {
    const line = this.#lines.get(service);
    if (line === undefined) return;
    close(line);
    for (const { descriptor } of line.kept.splice(0)) this.#ports.kernel.notifying.closeDescriptor(descriptor);
    this.#lines.delete(service);
  }

  /** The `notifications` port of the service machine. */
  logic() {
    return fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(({ input, sendBack, receive }) => {
      const line = this.#line(input.name);
      const subscription = line.facts$.subscribe(sendBack);
      receive(() => close(line));
      return () => {
        subscription.unsubscribe();
        close(line);
      };
    });
  }

  #line(service: string): Line {
    const found = this.#lines.get(service);
    if (found !== undefined) return found;
    const made: Line = {
      facts$: new Subject(),
      kept: [],
      socket: undefined,
      subscription: undefined,
      access: 'all',
      startPid: 0,
      mainPid: 0,
      exitStatus: undefined,
    };
    this.#lines.set(service, made);
    return made;
  }

  #receive(line: Line, service: ServiceSpec, serial: number, datagram: NotifyDatagram): void {
    const { kernel, clock, onMessage, onNotice } = this.#ports;
    const { sender = 0, descriptors } = datagram;
    // What it wrote before it spoke explains what it says: it is read first, whichever of the two the loop would have found first.
    kernel.readOutput(line.startPid);
    if (!hasAccess(line, sender)) {
      for (const descriptor of descriptors) kernel.notifying.closeDescriptor(descriptor);
      onMessage(notifyRefused(service.name, sender, line.access));
      return;
    }
    if (datagram.truncated) onMessage(notifyTruncated(service.name));
    const message = parseNotifyMessage(datagram.bytes);
    this.#takeDescriptors(line, service, message, descriptors);
    if (message.access !== undefined) line.access = message.access;
    if (message.exitStatus !== undefined) line.exitStatus = message.exitStatus;
    const code = message.errno || message.exitStatus;
    if (code) onMessage(explicitStatus(service.name, { kind: 'exited', code }));
    const accepted = this.#withAcceptablePid(service, message);
    onNotice(service.name, accepted);
    line.facts$.next({ type: 'notify.received', serial, message: accepted, at: clock.now() });
  }

  /** What comes without FDSTORE is closed at once: that is all that BARRIER=1 waits for. */
  #takeDescriptors(line: Line, service: ServiceSpec, message: NotifyMessage, descriptors: readonly number[]): void {
    const { kernel, onMessage } = this.#ports;
    const { notifying } = kernel;
    const name = message.storeName ?? unnamed;
    if (message.storeRemove === true) {
      for (const kept of line.kept.filter((each) => each.name === name)) {
        notifying.closeDescriptor(kept.descriptor);
        line.kept.splice(line.kept.indexOf(kept), 1);
      }
    }
    let refused = 0;
    for (const descriptor of descriptors) {
      const known = line.kept.some((kept) => notifying.isSameFile(kept.descriptor, descriptor));
      const wanted = message.store === true && message.storeRemove !== true && !known;
      if (wanted && line.kept.length < mostKept) line.kept.push({ descriptor, name });
      else {
        if (wanted) refused += 1;
        notifying.closeDescriptor(descriptor);
      }
    }
    if (refused > 0) onMessage(descriptorsRefused(service.name, refused, mostKept));
  }

  /** MAINPID counts only where that process may be followed. */
  #withAcceptablePid(service: ServiceSpec, message: NotifyMessage): NotifyMessage {
    const { mainPid, ...rest } = message;
    if (mainPid === undefined) return message;
    const { kernel, onMessage } = this.#ports;
    const process = kernel.following.lookUp(mainPid);
    if (process === undefined) {
      onMessage(pidVanished(service.name, mainPid, 'MAINPID'));
      return rest;
    }
    const claim = this.#ports.claimOf(service, process);
    const refusal = refusalOf(process, claim);
    if (refusal === undefined) return message;
    onMessage(pidRefused(service.name, mainPid, 'MAINPID', refusal, claim.owner));
    return rest;
  }
}

/** `exec` is `main` here: chaperone has no other programs of a service. */
function hasAccess({ access, mainPid }: Line, sender: number): boolean {
  switch (access) {
    case 'all':
      return true;
    case 'main':
    case 'exec':
      return sender > 0 && sender === mainPid;
    case 'none':
      return false;
  }
}

function close(line: Line): void {
  line.subscription?.unsubscribe();
  line.socket?.close();
  line.subscription = undefined;
  line.socket = undefined;
}
