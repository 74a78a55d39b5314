/**
 * Another syslog daemon, by UDP (RFC 5426 and the practice before it), one packet per line. The name is resolved when
 * there is something to send, and again once a minute; while it cannot be resolved, the queue before this sink holds
 * the lines.
 */
import type { Socket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { codeOf } from '../../model/words/errno.ts';
import type { Clock, Sink } from '../kernel.ts';

const defaultPort = 514;
/** ms for which a resolved address is used. */
const addressLifetime = 60_000;
/** Errors after which the network may come back; packets sent before are lost unnoticed, as always with UDP. */
const passing: readonly string[] = [
  'EAI_AGAIN',
  'ENOTFOUND',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ECONNREFUSED',
  'EPERM',
  'ENOBUFS',
];

interface Peer {
  readonly socket: Socket;
  readonly until: number;
}

export class RemoteSink implements Sink {
  readonly #host: string;
  readonly #port: number;
  readonly #clock: Clock;
  #peer: Peer | undefined;

  constructor(host: string, clock: Clock) {
    const [, bracketed, name, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(host) ?? [];
    this.#host = bracketed ?? name ?? host;
    this.#port = port === undefined ? defaultPort : Number(port);
    this.#clock = clock;
  }

  write(bytes: Uint8Array, done: (errorCode?: string, rest?: Uint8Array) => void): void {
    const packets = linesOf(bytes);
    this.#send(packets).then(
      () => done(),
      (error: unknown) => {
        this.#forget();
        const code = codeOf(error) ?? 'EIO';
        // Some packets of the batch may have arrived: all are sent again, because a packet twice is better than none.
        if (passing.includes(code)) done(code, bytes);
        else done(code);
      },
    );
  }

  close(): void {
    this.#forget();
  }

  async #send(packets: readonly Uint8Array[]): Promise<void> {
    const { socket } = await this.#connected();
    await Promise.all(
      packets.map(
        (packet) =>
          new Promise<void>((resolve, reject) => {
            socket.send(packet, (error) => (error === null ? resolve() : reject(error)));
          }),
      ),
    );
  }

  async #connected(): Promise<Peer> {
    if (this.#peer !== undefined && this.#clock.now() < this.#peer.until) return this.#peer;
    this.#forget();
    const [dgram, dns] = await Promise.all([import('node:dgram'), import('node:dns')]);
    const { address, family } = await new Promise<LookupAddress>((resolve, reject) => {
      dns.lookup(this.#host, (error, found, kind) =>
        error === null ? resolve({ address: found, family: kind }) : reject(error),
      );
    });
    const socket = dgram.createSocket(family === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(this.#port, address, () => resolve());
    }).catch((error: unknown) => {
      socket.close();
      throw error;
    });
    // Each send reports its own error.
    socket.on('error', () => undefined);
    this.#peer = { socket, until: this.#clock.now() + addressLifetime };
    return this.#peer;
  }

  #forget(): void {
    this.#peer?.socket.close();
    this.#peer = undefined;
  }
}

function linesOf(bytes: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(10, start);
    const stop = end === -1 ? bytes.length : end;
    if (stop > start) found.push(bytes.subarray(start, stop));
    start = stop + 1;
  }
  return found;
}
