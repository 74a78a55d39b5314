/** Notifies chaperone's own host by sd_notify(3): a systemd unit, runc, conmon. */

import { Boundary } from '../../control/boundary.ts';
import { hostQueueing, hostUnreachable, type Message, warning } from '../../model/log/messages.ts';
import { errnoOf, statusText } from '../../model/service/host-status.ts';
import type { ServicePhase } from '../../model/service/service-phase.ts';
import type { SystemEnd } from '../../model/service/system-end.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { Clock, Notifying, TimerId } from '../kernel.ts';

/** The host's request for notifications, from chaperone's own environment. */
export interface HostRequest {
  /** NOTIFY_SOCKET; with a leading `@` an abstract name. */
  readonly path: string;
  /** WATCHDOG_USEC in ms, where it is meant for this process. */
  readonly watchdog?: number;
}

/** Reads the host's request; undefined where the host wants no notifications. */
export function hostRequest(environment: Readonly<Record<string, string>>, pid: number): HostRequest | undefined {
  const path = environment['NOTIFY_SOCKET'];
  if (path === undefined || !/^[/@]./.test(path)) return undefined;
  const watchdogPid = environment['WATCHDOG_PID'];
  const usec = Number(environment['WATCHDOG_USEC'] ?? 0);
  const isMeant = watchdogPid === undefined || Number(watchdogPid) === pid;
  return { path, ...(isMeant && usec > 0 && Number.isFinite(usec) ? { watchdog: usec / 1000 } : {}) };
}

interface HostPorts {
  readonly notifying: Notifying;
  readonly clock: Clock;
  readonly onMessage: (message: Message) => void;
}

/** ms until a host whose queue is full is tried again. */
const retryDelay = 100;
/** The most messages that wait for a host that does not read. */
const mostWaiting = 32;
const encoder = new TextEncoder();

/**
 * Sends READY once the system is up, STATUS repeatedly, WATCHDOG at half of the host's interval, and ERRNO and STOPPING
 * at the end. Each message is a separate datagram: runc passes on only datagrams that begin with READY=, and conmon
 * ignores further lines.
 */
export class HostNotifier {
  readonly #request: HostRequest;
  readonly #ports: HostPorts;
  readonly #boundary: Boundary;
  #statusInterval: number;
  readonly #phases = new Map<string, ServicePhase>();
  readonly #waiting: string[] = [];
  readonly #begun: number;
  readonly #timers = new Map<'status' | 'watchdog' | 'retry', TimerId>();
  #errors = 0;
  #unreachable = false;
  #isReady = false;
  #over = false;
  #errorTold = false;

  /** @param statusInterval ms between two STATUS= messages; 0 for none */
  constructor(request: HostRequest, statusInterval: number, ports: HostPorts) {
    this.#request = request;
    this.#ports = ports;
    this.#boundary = new Boundary((error) =>
      ports.onMessage(warning(`the notification of the host failed: ${messageOf(error)}`)),
    );
    this.#statusInterval = statusInterval;
    this.#begun = ports.clock.now();
  }

  /** Starts the watchdog messages, if the host has asked for them. */
  start(): void {
    const { watchdog } = this.#request;
    if (watchdog === undefined) return;
    this.#every('watchdog', watchdog / 2, () => this.#send('WATCHDOG=1'));
  }

  /** @param interval ms between two STATUS= messages; 0 for none from now on */
  setStatusInterval(interval: number): void {
    if (interval === this.#statusInterval) return;
    this.#statusInterval = interval;
    if (this.#isReady) this.#boundary.run(() => this.#repeatStatus());
  }

  hear(notice: SystemNotice): void {
    this.#boundary.run(() => this.#take(notice));
  }

  #take(notice: SystemNotice): void {
    switch (notice.type) {
      case 'service.changed':
        this.#phases.set(notice.service, notice.change.phase);
        if (notice.change.phase === 'failed' || notice.change.phase === 'backoff') this.#errors += 1;
        break;
      case 'system.ready':
        this.#queue('READY=1');
        this.#isReady = true;
        this.#repeatStatus();
        break;
      case 'service.removed':
        this.#phases.delete(notice.service);
        break;
      case 'system.draining':
        this.#isReady = false;
        this.#clear('status');
        // The error precedes STOPPING=1: a host that waits for that would otherwise take the end for an orderly one.
        this.#tellError(notice.end);
        this.#queue('STOPPING=1');
        break;
      case 'service.skipped':
      case 'service.queued':
      case 'service.released':
      case 'service.reset':
      case 'service.blocked':
      case 'service.survives':
      case 'system.forced':
      case 'system.clearing':
      case 'system.halted':
        break;
    }
  }

  /** Sends the last messages before chaperone exits. */
  end(end: SystemEnd): void {
    this.#boundary.run(() => this.#tellError(end));
    this.#over = true;
    for (const timer of this.#timers.keys()) this.#clear(timer);
  }

  #repeatStatus(): void {
    this.#clear('status');
    if (this.#statusInterval === 0) return;
    this.#queue(this.#status());
    this.#every('status', this.#statusInterval, () => this.#queue(this.#status()));
  }

  /** Reports only the first error, because later ones were caused by it. */
  #tellError(end: SystemEnd): void {
    const errno = errnoOf(end);
    if (errno === undefined || this.#errorTold) return;
    this.#errorTold = true;
    this.#queue(`ERRNO=${errno}`);
  }

  #status(): string {
    const count = (...phases: readonly ServicePhase[]): number =>
      [...this.#phases.values()].filter((phase) => phases.includes(phase)).length;
    const scheduled = count('ready.scheduled');
    const up = count('ready.running', 'ready.exited', 'exited');
    const failed = count('failed');
    const uptime = this.#ports.clock.now() - this.#begun;
    return `STATUS=${statusText({ uptime, started: up, scheduled, failed, errors: this.#errors })}`;
  }

  #queue(text: string): void {
    this.#ports.onMessage(hostQueueing(text, this.#request.path));
    this.#send(text);
  }

  /** Sends in order and without waiting. A newer status replaces one that could not be sent yet. */
  #send(text: string): void {
    if (this.#over) return;
    const name = text.slice(0, text.indexOf('='));
    const same = this.#waiting.findIndex((other) => other.startsWith(`${name}=`));
    if (same >= 0) this.#waiting[same] = text;
    else if (this.#waiting.length < mostWaiting) this.#waiting.push(text);
    this.#flush();
  }

  #flush(): void {
    const { notifying, onMessage } = this.#ports;
    const { path } = this.#request;
    for (let text = this.#waiting[0]; text !== undefined; text = this.#waiting[0]) {
      const code = notifying.send(path, encoder.encode(vouched(text)));
      if (code === 'EAGAIN' || code === 'ENOBUFS') {
        this.#after('retry', retryDelay, () => this.#flush());
        return;
      }
      this.#waiting.shift();
      if (code !== undefined && !this.#unreachable) onMessage(hostUnreachable(path, code));
      this.#unreachable = code !== undefined;
    }
  }

  #every(timer: 'status' | 'watchdog', interval: number, act: () => void): void {
    this.#after(timer, interval, () => {
      this.#every(timer, interval, act);
      act();
    });
  }

  #after(timer: 'status' | 'watchdog' | 'retry', delay: number, act: () => void): void {
    this.#clear(timer);
    this.#timers.set(timer, this.#ports.clock.setTimeout(this.#boundary.guard(act), delay));
  }

  #clear(timer: 'status' | 'watchdog' | 'retry'): void {
    const id = this.#timers.get(timer);
    if (id !== undefined) this.#ports.clock.clearTimeout(id);
    this.#timers.delete(timer);
  }
}

/**
 * The host may be another chaperone, whose service this one is. The brain sends for the body, which is the main process there: with this
 * line an error counts nevertheless (reference 2, notify). Other hosts ignore the line.
 */
function vouched(text: string): string {
  return text.startsWith('ERRNO=') ? `${text}\nX_CHAPERONE=1` : text;
}
