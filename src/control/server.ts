/**
 * The server of the control socket: HTTP/1.1 and the original's raw text, told apart by a connection's first byte. It takes
 * connections that somebody else has accepted, so that nothing of this is loaded before the first one comes.
 */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './answer.ts';
import { CommandLines } from './command-lines.ts';
import { Gate, type GateOptions } from './gate.ts';
import { handleRequest } from './http.ts';
import { limits } from './limits.ts';
import type { ControlCounts } from './metrics.ts';
import { parseCommand, protocolOf, RawCommand, rawAnswer } from './raw-protocol.ts';
import type { Caller } from './rights.ts';

export interface ControlServerOptions extends GateOptions {
  /** The caller at the other end; undefined if the kernel does not name it. */
  readonly callerOf: (socket: Socket) => Caller | undefined;
  /** Reports an error in chaperone itself, which fails the request but not the system. */
  readonly onError: (error: unknown) => void;
  /** Reports a line from the FIFO and the answer to it. */
  readonly onLine: (answer: Answer) => void;
}

interface Connection {
  readonly caller: Caller;
  readonly guest: boolean;
}

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #gate: Gate;
  readonly #http: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #lines = new CommandLines();
  readonly #deadlines = new Map<Socket, number>();
  #refused = 0;
  #unread = 0;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#gate = new Gate(options);
    this.#http = createServer(
      { maxHeaderSize: limits.head, keepAlive: false, requireHostHeader: false },
      (request, response) => {
        const { socket } = request;
        const connection = this.#connections.get(socket);
        if (connection === undefined) {
          socket.destroy();
          return;
        }
        response.shouldKeepAlive = false;
        handleRequest(request, response, {
          gate: this.#gate,
          caller: connection.caller,
          counts: () => this.counts(),
          onRead: () => this.#expectReader(socket),
          onDrop: () => {
            this.#unread += 1;
          },
        }).catch((error: unknown) => {
          // A request that broke off in the middle is no error.
          if (!socket.destroyed) this.#options.onError(error);
          socket.destroy();
        });
      },
    );
    this.#http.on('clientError', (_, socket) => {
      if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      else socket.destroy();
    });
    // Upgrades are refused: node would hand over the socket and forget it.
    this.#http.on('upgrade', (_, socket) => socket.destroy());
    this.#http.on('connect', (_, socket) => socket.destroy());
  }

  counts(): ControlCounts {
    return { connections: this.#connections.size, refused: this.#refused, unread: this.#unread };
  }

  /** Takes a connection; it may half-close. */
  accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const caller = this.#options.callerOf(socket);
    if (caller === undefined || !this.#hasRoom(caller)) {
      this.#refused += 1;
      socket.destroy();
      return;
    }
    this.#connections.set(socket, { caller, guest: !this.#options.rights.isOwner(caller) });
    const late = this.#gate.timers.setTimeout(() => socket.destroy(), limits.requestTime);
    this.#deadlines.set(socket, late);
    socket.once('close', () => {
      this.#connections.delete(socket);
      this.#clearDeadline(socket);
    });
    socket.once('data', (chunk: Buffer) => {
      socket.pause();
      if (protocolOf(chunk[0] ?? 0) === 'http') {
        socket.unshift(chunk);
        this.#http.emit('connection', socket);
        socket.resume();
      } else this.#readRaw(socket, caller, chunk);
    });
    // The connection arrives paused, so that no byte is lost before a listener is attached.
    socket.resume();
    socket.once('end', () => {
      if (!socket.writableEnded && socket.bytesRead === 0) socket.destroy();
    });
  }

  /** Carries out text from the FIFO, to which only its owner may write. */
  takeLines(chunk: Uint8Array): void {
    const owner = { uid: 0, gid: 0, groups: [] };
    const before = this.#lines.dropped;
    for (const line of this.#lines.add(chunk)) {
      const busy = this.#gate.admit(owner);
      if (busy !== undefined) this.#options.onLine(busy);
      else {
        this.#gate
          .words(parseCommand(line), owner, { unattended: true })
          .then((answer) => this.#options.onLine(answer), this.#options.onError);
      }
    }
    if (this.#lines.dropped > before) {
      this.#options.onLine({ kind: 'mistake', text: `a command is longer than ${limits.line} bytes` });
    }
  }

  close(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #clearDeadline(socket: Socket): void {
    const timer = this.#deadlines.get(socket);
    if (timer !== undefined) this.#gate.timers.clearTimeout(timer);
    this.#deadlines.delete(socket);
  }

  /** From here on the connection may last, but a reader who takes nothing is disconnected. */
  #expectReader(socket: Socket): void {
    this.#clearDeadline(socket);
    const look = (waiting: number, taken: number): void => {
      const timer = this.#gate.timers.setTimeout(() => {
        const now = socket.writableLength;
        const sent = socket.bytesWritten - now;
        if (waiting > 0 && now > 0 && sent === taken) socket.destroy();
        else look(now, sent);
      }, limits.stalledTime);
      this.#deadlines.set(socket, timer);
    };
    look(socket.writableLength, socket.bytesWritten - socket.writableLength);
  }

  #hasRoom(caller: Caller): boolean {
    if (this.#connections.size >= limits.connections) return false;
    if (this.#options.rights.isOwner(caller)) return true;
    const guests = [...this.#connections.values()].filter(({ guest }) => guest);
    const own = guests.filter(({ caller: { uid } }) => uid === caller.uid);
    return guests.length < limits.guestConnections && own.length < limits.accountConnections;
  }

  #readRaw(socket: Socket, caller: Caller, first: Buffer): void {
    const { timers } = this.#gate;
    const command = new RawCommand();
    let quiet: number | undefined;
    let complete = false;
    const finish = (): void => {
      if (complete) return;
      complete = true;
      if (quiet !== undefined) timers.clearTimeout(quiet);
      this.#expectReader(socket);
      const gone = new AbortController();
      socket.once('close', () => gone.abort());
      const busy = this.#gate.admit(caller);
      const answered = busy ?? this.#gate.words(command.parse(), caller, { aborted: gone.signal });
      Promise.resolve(answered).then(
        (answer) => {
          if (!socket.destroyed) socket.end(rawAnswer(answer));
        },
        (error: unknown) => {
          this.#options.onError(error);
          socket.destroy();
        },
      );
    };
    const take = (chunk: Buffer): void => {
      if (quiet !== undefined) timers.clearTimeout(quiet);
      if (command.add(chunk)) finish();
      else quiet = timers.setTimeout(finish, limits.quiet);
    };
    socket.once('close', () => {
      if (quiet !== undefined) timers.clearTimeout(quiet);
    });
    socket.on('data', take);
    socket.once('end', finish);
    take(first);
    // Bytes behind the command are read and discarded, so that the end of the connection is noticed.
    socket.resume();
  }
}
