/**
 * The server of the control socket: HTTP/1.1 and the original's raw text, told apart by a connection's first byte. It takes
 * connections that somebody else has accepted, so that nothing of this is loaded before the first one comes.
 */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './answer.ts';
import { Boundary } from './boundary.ts';
import { CommandLines } from './command-lines.ts';
import type { EventStream } from './event-stream.ts';
import { Gate, type GateOptions } from './gate.ts';
import { handleRequest } from './http.ts';
import { limits } from './limits.ts';
import { Meter } from './meter.ts';
import type { ControlCounts } from './metrics.ts';
import { parseCommand, protocolOf, RawCommand, rawAnswer } from './raw-protocol.ts';
import { accountOf, type Caller } from './rights.ts';

export interface ControlServerOptions extends Omit<GateOptions, 'boundary'> {
  /** The caller at the other end; undefined if the kernel does not name it. */
  readonly callerOf: (socket: Socket) => Caller | undefined;
  /** False once the process has ended, and has been reaped. */
  readonly isAlive: (pid: number) => boolean;
  /** Reports an error in chaperone itself, which fails the request but not the system. */
  readonly onError: (error: unknown) => void;
  /** Reports a line from the FIFO and the answer to it. */
  readonly onLine: (answer: Answer) => void;
}

interface Connection {
  readonly caller: Caller;
  readonly group: Group;
}

/** Who shares places with whom. */
type Group = 'host' | 'owner' | 'guest';

/** ms between two looks whether a process is still there. */
const lookInterval = 10;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #boundary: Boundary;
  readonly #gate: Gate;
  readonly #http: Server;
  readonly #connections = new Map<Socket, Connection>();
  readonly #lines = new CommandLines();
  readonly #deadlines = new Map<Socket, number>();
  readonly #streams = new Set<EventStream>();
  #refused = 0;
  #unread = 0;

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#boundary = new Boundary(options.onError);
    this.#gate = new Gate({ ...options, boundary: this.#boundary });
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
        const giveUp = (): void => {
          socket.destroy();
        };
        this.#boundary.emitter(request, giveUp);
        this.#boundary.emitter(response, giveUp);
        handleRequest(request, response, {
          gate: this.#gate,
          caller: connection.caller,
          counts: () => this.counts(),
          onRead: () => this.#expectReader(socket),
          onDrop: () => {
            this.#unread += 1;
          },
          onStream: (stream, patient) => {
            this.#streams.add(stream);
            stream.onClose(() => this.#streams.delete(stream));
            if (patient) this.#clearDeadline(socket);
          },
        }).catch((error: unknown) => {
          // A request that broke off in the middle is no error.
          if (!socket.destroyed) this.#boundary.report(error);
          socket.destroy();
        });
      },
    );
    this.#boundary.emitter(this.#http, () => undefined);
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
    const giveUp = (): void => {
      socket.destroy();
    };
    this.#boundary.emitter(socket, giveUp);
    this.#boundary.run(() => this.#accept(socket), giveUp);
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    const caller = this.#options.callerOf(socket);
    if (caller === undefined || !this.#makeRoom(caller)) {
      this.#refused += 1;
      socket.destroy();
      return;
    }
    this.#connections.set(socket, { caller, group: this.#groupOf(caller) });
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
    this.#boundary.run(() => this.#takeLines(chunk));
  }

  #takeLines(chunk: Uint8Array): void {
    const owner = { uid: 0, gid: 0, groups: [] };
    const before = this.#lines.dropped;
    for (const line of this.#lines.add(chunk)) {
      const busy = this.#gate.admit(owner);
      if (busy !== undefined) this.#options.onLine(busy);
      else {
        this.#boundary.settle(
          this.#gate
            .words(parseCommand(line), owner, { unattended: true, meter: new Meter() })
            .then((answer) => this.#options.onLine(answer)),
        );
      }
    }
    if (this.#lines.dropped > before) {
      this.#options.onLine({ kind: 'mistake', text: `a command is longer than ${limits.line} bytes` });
    }
  }

  /** Ends all streams; resolves once each reader has got the rest, and the mark of the end. */
  async end(): Promise<void> {
    await Promise.all(
      [...this.#streams].map(
        (stream) =>
          new Promise<void>((resolve) => {
            stream.onClose(resolve);
            stream.end();
          }),
      ),
    );
  }

  /**
   * Resolves once who has asked for the end of the system has told the answer and is gone: the end of PID 1 kills all that is in
   * the namespace, `docker exec` too.
   */
  async shutdownCallersGone(): Promise<void> {
    await Promise.all(this.#gate.shutdownCallers().map((pid) => this.#gone(pid)));
  }

  #gone(pid: number): Promise<void> {
    const { isAlive } = this.#options;
    return new Promise((resolve) => {
      const look = (): void => {
        if (isAlive(pid)) this.#gate.timers.setTimeout(look, lookInterval);
        else resolve();
      };
      look();
    });
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

  #groupOf(caller: Caller): Group {
    const { rights } = this.#options;
    return rights.isHost(caller) ? 'host' : rights.isOwner(caller) ? 'owner' : 'guest';
  }

  /**
   * Finds a place for a caller. Root and chaperone's own account have places that nobody else can take. Where the places of
   * the others are all taken, an account that has fewer than its share gets one from the account that has most: its youngest
   * connection is closed.
   */
  #makeRoom(caller: Caller): boolean {
    const group = this.#groupOf(caller);
    const inGroup = [...this.#connections].filter(([, other]) => other.group === group);
    if (group === 'host') return inGroup.length < limits.connections.host;
    const account = accountOf(caller);
    const byAccount = new Map<number, Socket[]>();
    for (const [socket, other] of inGroup) {
      const sockets = byAccount.get(accountOf(other.caller));
      if (sockets === undefined) byAccount.set(accountOf(other.caller), [socket]);
      else sockets.push(socket);
    }
    const own = byAccount.get(account)?.length ?? 0;
    if (group === 'guest' && own >= limits.accountConnections) return false;
    if (inGroup.length < limits.connections[group]) return true;
    const largest = [...byAccount.values()].reduce((one, other) => (other.length > one.length ? other : one));
    const youngest = largest.at(-1);
    if (youngest === undefined || largest.length <= own + 1) return false;
    this.#refused += 1;
    this.#connections.delete(youngest);
    youngest.destroy();
    return true;
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
      const meter = new Meter();
      const busy = this.#gate.admit(caller);
      const answered = busy ?? this.#gate.words(command.parse(), caller, { aborted: gone.signal, meter });
      const send = (answer: Answer): void => {
        const text = rawAnswer(answer);
        meter.answered = Buffer.byteLength(text);
        this.#gate.charge(caller, meter);
        if (!socket.destroyed) socket.end(text);
      };
      this.#boundary.settle(Promise.resolve(answered).then(send), () => socket.destroy());
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
