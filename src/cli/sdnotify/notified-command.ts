/**
 * Runs one command with its own notify socket, and decides when and with which exit status sdnotify-exec ends.
 *
 * Two things happen in any order: the command ends, and it (or what it started: `docker run --detach` ends long before its
 * container does) says something. What ends sdnotify-exec:
 *
 * |                      | default | --wait-ready     | --wait-stop      |
 * |----------------------|---------|------------------|------------------|
 * | the command ends, 0  | 0       | the wait goes on | the wait goes on |
 * | it ends, not with 0  | its own | its own          | its own          |
 * | READY=1              | –       | 0                | –                |
 * | ERRNO=n              | –       | n                | n                |
 * | STOPPING=1           | –       | 1                | 0                |
 * | time is up           | –       | 1                | 1                |
 *
 * The first of these counts. When the command ends, what it has said before is read first. A signal that asks for the end goes
 * on to the command, whose end is then the end in every mode; where it has ended already, the signal ends sdnotify-exec.
 */
// biome-ignore lint/style/noRestrictedImports: sdnotify-exec is no supervisor, and has one child
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type NotifySender, unknownSender } from '../../model/service/notify-access.ts';
import { parseNotifyMessage } from '../../model/service/notify-message.ts';
import { describeSpawnError } from '../../model/service/spawn-error.ts';
import { printable } from '../../model/words/printable.ts';
import { errnoName } from '../../runtime/linux/errno-name.ts';
import { findProgram } from '../../runtime/linux/find-program.ts';
import type { NativeEdge, NativeWatch } from '../../runtime/linux/native.ts';
import { expandCommand } from './notify-command.ts';
import { forwardedPart } from './notify-forward.ts';
import { type CommandProcesses, judge, maySend } from './notify-judge.ts';
import { describeErrno } from './notify-output.ts';
import { createRelay, type Relay } from './notify-relay.ts';
import { type NotifySocket, openNotifySocket } from './notify-socket.ts';

/** The event that ends the wait: the command's end, its readiness, or its notice that it stops. */
type Mode = 'command' | 'ready' | 'stop';

export interface Operation {
  readonly command: readonly string[];
  readonly mode: Mode;
  readonly proxy: boolean;
  readonly verbose: boolean;
  readonly template: string;
  /** Seconds. */
  readonly timeout?: number;
  readonly socket?: string;
}

/** The signals that are passed on to the command. SIGTSTP and SIGCONT stop and continue sdnotify-exec itself. */
const passedOn = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGPWR', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const;
/** glibc's SIGRTMIN+3, with which Podman and systemd's containers are told to end; Node has no name for it. */
const endOfContainer = 37;
const asksForEnd = new Set<number>([
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGPWR'] as const).map((name) => constants.signals[name]),
  endOfContainer,
]);
/** The signals that a terminal sends to every process in its foreground, and so to the command, too. */
const fromTerminal = new Set<number>([constants.signals.SIGINT, constants.signals.SIGQUIT, constants.signals.SIGWINCH]);

const awaited = { command: 'the end', ready: 'READY=1', stop: 'STOPPING=1' } as const;
/** How many datagrams are taken at a time. */
const batch = 64;
/** ms; setTimeout takes no more, and that is 24 days. */
const longestTimeout = 2 ** 31 - 1;
const highestStatus = 255;

/** Runs the command, and ends this process when it is over. */
export class NotifiedCommand {
  readonly #operation: Operation;
  readonly #edge: NativeEdge;
  readonly #socket: NotifySocket;
  readonly #watch: NativeWatch;
  /** To the socket outside, where there is one. */
  readonly #relay: Relay | undefined;
  readonly #command: readonly string[];
  /** Its name, for messages. */
  readonly #program: string;
  /** The command's pid; undefined before its start and after its end. */
  #pid: number | undefined;
  /** The processes that may speak for the command. */
  #processes: CommandProcesses = { startPid: 0, startEnded: false, named: undefined };
  /** True once somebody was told of who may not send. */
  #refusalTold = false;
  /** True once a signal has asked for the end. */
  #asked = false;
  #finished = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * Listens to signals and at the socket. From here to the end of start() the loop must not turn: so no signal is lost, and none
   * finds half of this.
   *
   * @throws NotifySocketError, NotifyCommandError
   */
  constructor(operation: Operation, edge: NativeEdge) {
    this.#operation = operation;
    this.#edge = edge;
    for (const name of passedOn) process.on(name, () => this.#passOn(constants.signals[name], name));
    edge.watchSignal(endOfContainer, () => this.#passOn(endOfContainer));
    const outer = process.env['NOTIFY_SOCKET'] || undefined;
    this.#socket = openNotifySocket(edge, operation.socket);
    edge.passCredentials(this.#socket.fd);
    process.on('exit', this.#socket.remove);
    this.#command = expandCommand(operation.command, {
      environment: process.env,
      socket: this.#socket.path,
      outer,
      pid: process.pid,
      template: operation.template,
    });
    this.#program = this.#command[0] ?? '';
    this.#watch = edge.watchReadable(this.#socket.fd, () => this.#receive());
    this.#relay = outer === undefined || !operation.proxy ? undefined : this.#relayTo(outer);
  }

  start(): void {
    this.#tell(`listening at ${this.#socket.path}`);
    const file = findProgram(this.#program, process.env['PATH'], process.cwd());
    if (file === undefined) {
      this.#cannotStart('ENOENT', this.#program.includes('/') ? 'exec' : 'lookup');
      return;
    }
    try {
      const child = startCommand(file, this.#command, this.#socket.path, this.#operation.mode);
      // Node throws some errors, and emits others in the next turn.
      child.on('error', (error) => this.#cannotStart(spawnErrno(error), 'exec'));
      child.on('exit', (code, signal) => this.#ended(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
      this.#pid = child.pid;
      this.#processes = { ...this.#processes, startPid: child.pid ?? 0 };
    } catch (error) {
      this.#cannotStart(spawnErrno(error), 'exec');
    }
    if (this.#pid === undefined) return;
    this.#tell(`running ${this.#program}, pid ${this.#pid}`);
    this.#limitTime();
  }

  #cannotStart(code: string, stage: 'lookup' | 'exec'): void {
    this.#say(describeSpawnError({ code, stage, program: this.#program }));
    this.#finish(code === 'ENOENT' ? 127 : 126);
  }

  #relayTo(outer: string): Relay {
    return createRelay({
      edge: this.#edge,
      path: outer,
      onFull: this.#watch.pause,
      onFree: this.#watch.resume,
      onLost: (errno) => this.#say(`cannot pass on to ${outer}: ${describeErrno(errno)}`),
    });
  }

  #limitTime(): void {
    const { mode, timeout } = this.#operation;
    if (timeout === undefined) return;
    if (mode === 'command') {
      this.#say('--timeout has no effect without --wait-ready or --wait-stop');
      return;
    }
    const late = (): void => {
      this.#say(`${this.#program} has not sent ${awaited[mode]} within ${timeout} s`);
      this.#finish(1);
    };
    this.#timer = setTimeout(late, Math.min(timeout * 1000, longestTimeout));
  }

  #receive(): void {
    for (;;) {
      const datagrams = this.#edge.receiveDatagrams(this.#socket.fd, batch);
      for (const { bytes, truncated, descriptors, credentials = unknownSender } of datagrams) {
        // An empty datagram asks whether somebody reads the socket.
        if (!maySend(credentials, this.#socket.path)) {
          if (bytes.length > 0) this.#refuse(credentials);
        } else if (truncated) this.#say('a notification of more than 256 KiB is left out');
        else this.#handle(bytes, credentials);
        // The descriptor is closed only now, since BARRIER=1 waits for that.
        for (const descriptor of descriptors) closeSync(descriptor);
      }
      if (datagrams.length < batch) return;
    }
  }

  #refuse({ pid, uid }: NotifySender): void {
    if (!this.#refusalTold) this.#say(`pid ${pid} of uid ${uid} may not send notifications here: they are left out`);
    this.#refusalTold = true;
  }

  #handle(bytes: Buffer, sender: NotifySender): void {
    const { mode } = this.#operation;
    const verdict = judge(sender, parseNotifyMessage(bytes), this.#processes);
    const { errno, ready, stopping, mainPid } = verdict.message;
    if (mainPid !== undefined) this.#processes = { ...this.#processes, named: mainPid };
    const forwarded = this.#relay && forwardedPart(bytes, verdict, { keepMainPid: mode !== 'stop' });
    if (forwarded !== undefined) this.#relay?.pass(forwarded);
    this.#tell(`${printable(bytes)}${forwarded === undefined ? '' : ' (passed on)'}`);
    if (this.#finished || mode === 'command') return;
    if (errno !== undefined) {
      this.#finish(Math.min(errno, highestStatus));
    } else if (mode === 'ready' ? ready : stopping) {
      this.#finish(0);
    } else if (stopping) {
      // A container that cannot start says STOPPING=1; it will never be ready.
      this.#say(`${this.#program} stops before it is ready`);
      this.#finish(1);
    }
  }

  #ended(status: number): void {
    const { mode } = this.#operation;
    this.#pid = undefined;
    this.#receive();
    this.#processes = { ...this.#processes, startEnded: true };
    if (this.#finished) return;
    this.#tell(`${this.#program} has ended with ${status}`);
    if (mode === 'command' || this.#asked || status !== 0) this.#finish(status);
    else this.#tell(`waiting for ${awaited[mode]}`);
  }

  #passOn(number: number, name?: NodeJS.Signals): void {
    const ends = asksForEnd.has(number);
    if (this.#pid !== undefined && !this.#finished) {
      this.#asked ||= ends;
      if (this.#operation.mode === 'command' && fromTerminal.has(number) && isInForeground()) return;
      this.#tell(`passing on signal ${name ?? number}`);
      this.#edge.kill(this.#pid, number);
    } else if (ends) {
      this.#socket.remove();
      if (name !== undefined) {
        // As if nobody had listened: whoever waits for us sees the signal. PID 1 of a namespace cannot die like that.
        process.removeAllListeners(name);
        process.kill(process.pid, name);
      }
      process.exit(128 + number);
    }
  }

  /** The first call counts. Nothing that has arrived is lost: the relay gets the time it needs. */
  #finish(status: number): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#tell(`ending with ${status}`);
    clearTimeout(this.#timer);
    this.#socket.remove();
    const exit = (): never => process.exit(status);
    // Later, since more datagrams of the same batch may follow.
    setImmediate(() => {
      this.#watch.close();
      if (this.#relay === undefined) exit();
      else this.#relay.whenEmpty(exit);
    });
  }

  #say(message: string): void {
    this.#edge.writeNow(2, Buffer.from(`sdnotify-exec: ${message}\n`), 1000);
  }

  #tell(message: string): void {
    if (this.#operation.verbose) this.#say(message);
  }
}

/** Starts the command. Throws what Node throws, with `errno`. */
function startCommand(file: string, command: readonly string[], path: string, mode: Mode): ChildProcess {
  const [argv0 = '', ...args] = command;
  const options = {
    stdio: 'inherit',
    env: { ...process.env, NOTIFY_SOCKET: path },
    // The command may live on after sdnotify-exec has ended.
    detached: mode !== 'command',
  } as const;
  if (process.env['WATCHDOG_PID'] !== String(process.pid)) return spawn(file, args, { ...options, argv0 });
  // The service manager shall watch the command instead of sdnotify-exec. The bundle stands beside the program `chaperone`.
  const words = ['WATCHDOG_PID', file, argv0, ...args];
  return spawn(join(__dirname, 'chaperone'), words, { ...options, argv0: 'own-pid' });
}

/** The name of an error of spawn(); throws what is none. */
function spawnErrno(error: unknown): string {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') return errnoName(-error.errno);
  throw error;
}

/** proc(5), stat: the process group, and that in the foreground of the terminal. */
function isInForeground(): boolean {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const [, , group, , , foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === foreground;
}
