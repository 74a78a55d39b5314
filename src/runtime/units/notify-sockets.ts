import { Subject, type Subscription } from 'rxjs';
import { fromCallback } from 'xstate';
import {
  descriptorsRefused,
  explicitStatus,
  helperFailed,
  type Message,
  notifyRefused,
  notifyTruncated,
  pidRefused,
  pidVanished,
} from '../../model/log/messages.ts';
import {
  asHelpers,
  errorsOf,
  type NotifySender,
  type Standing,
  speaksForService,
  standingOf,
  unknownSender,
} from '../../model/service/notify-access.ts';
import { type NotifyAccess, type NotifyMessage, parseNotifyMessage } from '../../model/service/notify-message.ts';
import { type Claim, refusalOf } from '../../model/service/pidfile.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { NotifyFact, NotifyRequest } from '../../model/service/unit-events.ts';
import type { Clock, Kernel, NotifyDatagram, NotifySocket, ProcessView } from '../kernel.ts';

/** How many descriptors are kept for one service. */
const mostKept = 128;
/** How many datagrams wait at most for the verdict on the start of their sender; further ones are lost. */
const mostEarly = 256;
/** How many of them may come from senders that only their processes can tell from strangers: a stranger must not displace others. */
const mostEarlyUndecided = 64;
/** The name of a kept descriptor that was sent without one (sd_pid_notify_with_fds(3)). */
const unnamed = 'stored';

interface NotifyPorts {
  readonly kernel: Pick<Kernel, 'defer' | 'following' | 'notifying' | 'readOutput'>;
  readonly clock: Clock;
  /** The facts that decide whether a service may follow a process. */
  readonly claimOf: (service: ServiceSpec, process: ProcessView) => Claim;
  readonly onMessage: (message: Message) => void;
  /** Called with each message of a service before the machines act on it. */
  readonly onNotice: (service: string, message: NotifyMessage) => void;
}

interface Kept {
  readonly descriptor: number;
  readonly name: string;
}

/** The state of one notify service across all its starts. */
interface Line {
  readonly facts$: Subject<NotifyFact>;
  kept: Kept[];
  socket: NotifySocket | undefined;
  subscription: Subscription | undefined;
  access: NotifyAccess;
  /** The process of the start, whose output belongs to the service; 0 until chaperone knows it. */
  startPid: number;
  startEnded: boolean;
  /** True once the log has told of a sender that may not send. */
  refusalTold: boolean;
  /** Takes a datagram of the last start. */
  take: (datagram: NotifyDatagram) => void;
  /** Datagrams that came while `startPid` was 0: a program may send before chaperone hears that its start has succeeded. */
  early: NotifyDatagram[];
  earlyUndecided: number;
  mainPid: number;
  exitStatus: number | undefined;
}

/** What is known of a start that has only begun. */
const unstarted = {
  startPid: 0,
  startEnded: false,
  refusalTold: false,
  earlyUndecided: 0,
  mainPid: 0,
  exitStatus: undefined,
};

/**
 * The notify sockets of all services. Each start has its own socket, so that messages of an earlier start are lost.
 * Credentials and descriptors are handled here; the machines get only the messages.
 */
export class NotifySockets {
  readonly #ports: NotifyPorts;
  readonly #lines = new Map<string, Line>();
  /** By pid, for the rest of this turn: whether senders belong to the service that they have sent to. A flood must cost little. */
  readonly #senders = new Map<number, { readonly service: string; readonly isMember: boolean }>();

  constructor(ports: NotifyPorts) {
    this.#ports = ports;
  }

  /**
   * Makes the socket of a start.
   *
   * @returns the path of the socket
   * @throws Error with `code`
   */
  open(service: ServiceSpec, serial: number): string {
    const line = this.#line(service.name);
    this.#close(line);
    Object.assign(line, unstarted);
    const socket = this.#ports.kernel.notifying.openSocket(service.name);
    line.socket = socket;
    line.access = service.notifyAccess ?? 'exec';
    line.take = (datagram) => this.#receive(line, service, serial, datagram);
    line.subscription = socket.datagrams$.subscribe((datagram) => {
      // An empty datagram says nothing, whoever sends it: some ask by one whether the socket is read.
      if (datagram.bytes.length === 0) this.#drop(datagram);
      else if (line.startPid > 0 && line.early.length === 0) line.take(datagram);
      else this.#keepEarly(line, service, datagram);
    });
    return socket.path;
  }

  /** Keeps a datagram until the verdict on the start. Until then nobody knows the main process, and which processes are the service's. */
  #keepEarly(line: Line, service: ServiceSpec, datagram: NotifyDatagram): void {
    const { sender = unknownSender } = datagram;
    const standing = this.#standingOf(line, service, sender, line.access === 'main' ? 'exec' : line.access);
    if (standing === 'refused') {
      this.#refuse(line, service, datagram);
      return;
    }
    const isUndecided = standing === 'undecided';
    if (line.early.length >= mostEarly || (isUndecided && line.earlyUndecided >= mostEarlyUndecided)) {
      this.#drop(datagram);
      return;
    }
    if (isUndecided) line.earlyUndecided += 1;
    line.early.push(datagram);
  }

  /** Sets the process that the start has spawned. What has come before is taken once the machines know of the start. */
  setStartPid(service: string, pid: number): void {
    const line = this.#lines.get(service);
    if (line === undefined) return;
    line.startPid = pid;
    if (line.early.length === 0) return;
    const { early } = line;
    this.#ports.kernel.defer(() => {
      // After another start has begun, nothing of this one is left here.
      for (let next = early.shift(); next !== undefined; next = early.shift()) line.take(next);
    });
  }

  /** Notes that the process of the start has ended: a daemon that it has left may speak for the service. */
  noteStartEnd(service: string, pid: number): void {
    const line = this.#lines.get(service);
    if (line?.startPid === pid) line.startEnded = true;
  }

  /** Sets the process that NOTIFYACCESS=main means. */
  setMainPid(service: string, pid: number): void {
    const line = this.#lines.get(service);
    if (line !== undefined) line.mainPid = pid;
  }

  /** The value of EXIT_STATUS=, if the service has sent it. */
  exitStatus(service: string): number | undefined {
    return this.#lines.get(service)?.exitStatus;
  }

  /** The descriptors that the service has stored at chaperone for its next start. */
  kept(service: string): readonly Kept[] {
    return this.#lines.get(service)?.kept ?? [];
  }

  /** Forgets a service that does not exist any more. */
  forget(service: string): void {
    const line = this.#lines.get(service);
    if (line === undefined) return;
    this.#close(line);
    for (const { descriptor } of line.kept.splice(0)) this.#ports.kernel.notifying.closeDescriptor(descriptor);
    this.#lines.delete(service);
  }

  /** The `notifications` port of the service machine. */
  logic() {
    return fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(({ input, sendBack, receive }) => {
      const line = this.#line(input.name);
      const subscription = line.facts$.subscribe(sendBack);
      receive(() => this.#close(line));
      return () => {
        subscription.unsubscribe();
        this.#close(line);
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
      access: 'none',
      early: [],
      take: () => undefined,
      ...unstarted,
    };
    this.#lines.set(service, made);
    return made;
  }

  #receive(line: Line, service: ServiceSpec, serial: number, datagram: NotifyDatagram): void {
    const { kernel, clock, onMessage, onNotice } = this.#ports;
    const { sender = unknownSender, descriptors } = datagram;
    const standing = this.#standingOf(line, service, sender, line.access);
    if (standing === 'refused' || (standing === 'undecided' && !this.#isMember(service, sender.pid))) {
      this.#refuse(line, service, datagram);
      return;
    }
    // Output that the process wrote before the message may explain it, so it is read first, in whatever order the loop
    // finds them.
    kernel.readOutput(line.startPid);
    if (datagram.truncated) onMessage(notifyTruncated(service.name));
    const sent = parseNotifyMessage(datagram.bytes);
    this.#takeDescriptors(line, service, sent, descriptors);
    if (sent.access !== undefined) line.access = sent.access;
    const message = this.#withoutHelpersErrors(line, service, sender, this.#withAcceptablePid(service, sender, sent));
    if (message.exitStatus !== undefined) line.exitStatus = message.exitStatus;
    const code = message.errno || message.exitStatus;
    if (code) onMessage(explicitStatus(service.name, { kind: 'exited', code }));
    onNotice(service.name, message);
    line.facts$.next({ type: 'notify.received', serial, message, at: clock.now() });
  }

  #standingOf(line: Line, service: ServiceSpec, sender: NotifySender, access: NotifyAccess): Standing {
    const own = this.#ports.kernel.following.uid;
    const accounts = [0, own, ...(service.account === undefined ? [] : [service.account.uid])];
    return standingOf(sender, { access, mainPid: line.mainPid, accounts });
  }

  /** True where the process is one of the service's. One that has gone cannot be told from a stranger. */
  #isMember(service: ServiceSpec, pid: number): boolean {
    const known = this.#senders.get(pid);
    if (known?.service === service.name) return known.isMember;
    const { kernel, claimOf } = this.#ports;
    const process = kernel.following.lookUp(pid);
    const isMember = process !== undefined && claimOf(service, process).owner === service.name;
    if (this.#senders.size === 0) kernel.defer(() => this.#senders.clear());
    this.#senders.set(pid, { service: service.name, isMember });
    return isMember;
  }

  /** Closes what has come along, and tells of the first datagram of a start that does not count. */
  #refuse(line: Line, { name }: ServiceSpec, datagram: NotifyDatagram): void {
    this.#drop(datagram);
    if (line.refusalTold) return;
    line.refusalTold = true;
    this.#ports.onMessage(notifyRefused(name, datagram.sender ?? unknownSender, line.access));
  }

  /** An error of a program that the service runs as a helper is not the service's own. */
  #withoutHelpersErrors(
    line: Line,
    { name }: ServiceSpec,
    sender: NotifySender,
    message: NotifyMessage,
  ): NotifyMessage {
    const { startPid, startEnded, mainPid } = line;
    const named = mainPid === startPid ? undefined : mainPid;
    if (speaksForService(sender, message, { startPid, startEnded, named })) return message;
    const errors = errorsOf(message);
    if (errors !== '') this.#ports.onMessage(helperFailed(name, sender.pid, errors));
    return asHelpers(message, sender.pid);
  }

  #drop({ descriptors }: NotifyDatagram): void {
    for (const descriptor of descriptors) this.#ports.kernel.notifying.closeDescriptor(descriptor);
  }

  #close(line: Line): void {
    line.subscription?.unsubscribe();
    line.socket?.close();
    line.socket = undefined;
    for (const datagram of line.early.splice(0)) this.#drop(datagram);
  }

  /** Descriptors without FDSTORE are closed at once: BARRIER=1 waits for nothing else. */
  #takeDescriptors(line: Line, service: ServiceSpec, message: NotifyMessage, descriptors: readonly number[]): void {
    const { kernel, onMessage } = this.#ports;
    const { notifying } = kernel;
    const name = message.storeName ?? unnamed;
    if (message.storeRemove === true) {
      const removed = line.kept.filter((kept) => kept.name === name);
      line.kept = line.kept.filter((kept) => kept.name !== name);
      for (const { descriptor } of removed) notifying.closeDescriptor(descriptor);
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

  /** Removes MAINPID from a message where the service may not follow that process. */
  #withAcceptablePid(service: ServiceSpec, sender: NotifySender, message: NotifyMessage): NotifyMessage {
    const { mainPid, ...rest } = message;
    if (mainPid === undefined) return message;
    const { kernel, onMessage } = this.#ports;
    const process = kernel.following.lookUp(mainPid);
    if (process === undefined) {
      onMessage(pidVanished(service.name, mainPid, 'MAINPID'));
      return rest;
    }
    const claim = this.#ports.claimOf(service, process);
    const refusal = refusalOf(process, claim, sender.pid > 0 && sender.uid === 0);
    if (refusal === undefined) return message;
    onMessage(pidRefused(service.name, mainPid, 'MAINPID', refusal, claim.owner));
    return rest;
  }
}
