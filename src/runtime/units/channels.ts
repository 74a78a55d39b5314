/**
 * The pipes through which services write to other services. Chaperone holds each open, so that it outlives all of them: what
 * a producer writes while the consumer is being restarted stays in the pipe, and a producer waits where it is full.
 */
import { type Message, unreadInput } from '../../model/log/messages.ts';
import { isConsumer, isEntry } from '../../model/service/output.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import type { Channel, Kernel, SpawnRequest } from '../kernel.ts';

export interface ChannelPorts {
  readonly kernel: Pick<Kernel, 'openChannel'>;
  readonly serviceOf: (name: string) => ServiceSpec | undefined;
  readonly onMessage: (message: Message) => void;
}

export class Channels {
  readonly #ports: ChannelPorts;
  /** By the full name of the service that reads. */
  readonly #channels = new Map<string, Channel>();

  constructor(ports: ChannelPorts) {
    this.#ports = ports;
  }

  /**
   * The standard streams of a service.
   *
   * @throws Error with `code` where a pipe cannot be made
   */
  streamsOf({ name, type, stdin, stdout, stderr }: ServiceSpec): Pick<SpawnRequest, 'stdin' | 'stdout' | 'stderr'> {
    // A connection is the output of an inetd service, unless errors are to go elsewhere.
    const errors = type === 'inetd' && !isEntry(stderr) && !isConsumer(stderr) ? 'stdout' : stderr;
    return {
      stdin: stdin === 'pipe' ? this.#of(name) : stdin,
      stdout: this.#target(stdout),
      stderr: errors === 'stdout' ? 'stdout' : this.#target(errors),
    };
  }

  /** True where the lines of a stream go to this consumer, and not into the log because it is disabled. */
  leadsTo(consumer: string): boolean {
    const service = this.#ports.serviceOf(consumer);
    return service?.enabled === true && service.stdin === 'pipe';
  }

  /** How many bytes wait for a service in its standard input; undefined where it has no such pipe. */
  waiting(name: string): number | undefined {
    return this.#channels.get(name)?.waiting();
  }

  /**
   * Lets a service find the end of its standard input behind what is left there. A later start gets another pipe.
   *
   * @returns is to be called when the service has ended; undefined where it has no such pipe
   */
  finish(name: string): (() => void) | undefined {
    const channel = this.#channels.get(name);
    if (channel === undefined) return undefined;
    this.#channels.delete(name);
    channel.finish();
    return () => this.#close(name, channel);
  }

  /** The service is removed. */
  forget(name: string): void {
    this.finish(name)?.();
  }

  /** Closes all channels, once all services have ended. */
  closeAll(): void {
    for (const name of [...this.#channels.keys()]) this.forget(name);
  }

  #close(name: string, channel: Channel): void {
    const left = channel.waiting();
    if (left > 0) this.#ports.onMessage(unreadInput(name, left));
    channel.close();
  }

  #target(target: ServiceSpec['stdout']): SpawnRequest['stdout'] {
    if (isConsumer(target) && this.leadsTo(target)) return this.#of(target);
    return target === 'inherit' ? 'inherit' : 'pipe';
  }

  #of(name: string): Channel {
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    const channel = this.#ports.kernel.openChannel();
    this.#channels.set(name, channel);
    return channel;
  }
}
