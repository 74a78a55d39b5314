/**
 * The kernel port: everything chaperone asks of the operating system for its processes, as facts (streams) and requests
 * (calls). Two implementations, `linux/` and `simulated/`, pass one contract suite. No other file asks Linux for processes.
 */
import type { Observable } from 'rxjs';
import type { Connection } from '../model/schedule/scheduled-runs.ts';
import type { Account } from '../model/service/account.ts';
import type { ExitStatus } from '../model/service/exit-status.ts';
import type { FileOwner } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { SpawnError } from '../model/service/spawn-error.ts';

/** Monotonic and wall-clock time, and timers. Timers may be longer than 2³¹ ms. */
export interface Clock {
  /** Monotonic ms from an arbitrary start. It stands still while chaperone does. */
  now(): number;
  /** Monotonic ms from an arbitrary start, which go on while chaperone stands still. */
  realTime(): number;
  /** The largest delay, in ms, with which a timer has fired since that real time: chaperone stood still, or was starved. */
  lateness(since: number): number;
  /** Unix time in ms. */
  wallTime(): number;
  /** Calls back once, after at least `delay` ms, and after everything that had arrived by then was read. */
  setTimeout(callback: () => void, delay: number): TimerId;
  clearTimeout(id: TimerId): void;
}

export type TimerId = number;

export interface SpawnRequest {
  /** For error messages; the words of the command as configured. The first is looked up in PATH. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly account?: Account;
  readonly ownGroup: boolean;
  /** `terminal`: chaperone's own, and the new process group becomes its foreground group. */
  readonly stdin: 'null' | 'inherit' | 'terminal';
  readonly stdout: 'pipe' | 'inherit';
  readonly stderr: 'pipe' | 'inherit';
  /** A client of a listener: it becomes all three in place of the above, and stays open here until it is closed. */
  readonly connection?: Connection;
  /** Descriptors of chaperone that become 3, 4, and so on. */
  readonly descriptors?: readonly number[];
  /** Names of variables whose value is the new process's own pid. */
  readonly pidVariables?: readonly string[];
}

export type SpawnOutcome =
  | {
      readonly ok: true;
      readonly pid: number;
      /** What the process and its descendants write; completes when the last of them has closed it. Hot after this turn. */
      readonly stdout: Observable<Uint8Array>;
      readonly stderr: Observable<Uint8Array>;
    }
  | { readonly ok: false; readonly error: SpawnError };

/** CPU time in ms, peak resident set in KiB. */
export interface ResourceUsage {
  readonly userTime: number;
  readonly systemTime: number;
  readonly maxRss: number;
}

export interface ProcessExit {
  readonly pid: number;
  readonly status: ExitStatus;
  readonly usage: ResourceUsage;
  /** When the whole batch was reaped, other processes were left in the process group of this number. */
  readonly leavesGroup: boolean;
}

/**
 * One wake-up: signals coalesce, so it holds every exit there was. An empty batch says that nothing is left. What the
 * processes wrote before they ended has been emitted on their streams by then.
 */
export interface ExitBatch {
  readonly exits: readonly ProcessExit[];
  readonly at: number;
}

/** `vanished`: there is no such process (ESRCH). `denied`: not ours to signal (EPERM). */
export type SignalOutcome = 'sent' | 'vanished' | 'denied';

/** A place where whole lines go. Writes are done in order, one at a time. */
export interface Sink {
  /**
   * Calls back when the bytes are written, or with the error's code (ENOSPC, EPIPE …), and with `rest` where there may be
   * room again later: what of the bytes was not taken, to be written once more. Never throws.
   */
  write(bytes: Uint8Array, done: (errorCode?: string, rest?: Uint8Array) => void): void;
  /** People read it. */
  readonly terminal?: boolean;
  /** Nothing is written to it any more. Absent where it stands as long as chaperone. */
  close?(): void;
}

/** A TCP port that listens on all addresses. */
export interface Listener {
  /** Clients as they are taken, one in a turn of the loop, and none while paused: they wait in the backlog. */
  readonly connections$: Observable<Connection>;
  /** An errno's name: a client waits and could not be taken (EMFILE). The listener is paused then. */
  readonly refusals$: Observable<string>;
  /** At once: no client is taken after it. */
  pause(): void;
  resume(): void;
  /** Closes the port, and every connection that nobody has closed. */
  close(): void;
}

export type ListenOutcome =
  | { readonly ok: true; readonly listener: Listener }
  /** The errno's name, and what was tried, in words, in this order. */
  | { readonly ok: false; readonly code: string; readonly tried: readonly string[] };

/** A process that chaperone need not have started. */
export interface ProcessView {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** Its effective user. */
  readonly uid: number;
  /** It descends from chaperone. */
  readonly descendant: boolean;
  /** Compares with that of other processes: what began later has no smaller one, and a larger one from 10 ms on. */
  readonly began: number;
}

/** What a start leaves behind: the process that was started, all that descends from it, and the daemons among those. */
export interface ProcessTree {
  /** To be called once, when the start's own process has been reaped: now its children are chaperone's. */
  startEnded(): void;
  /** Those that live now. */
  members(): readonly Pick<ProcessView, 'pid' | 'group'>[];
  /** Looks no more. */
  forget(): void;
}

export interface PidfileText {
  /** Changes with the file: its identity, the time of its last change, its text. */
  readonly stamp: string;
  readonly text: string;
}

/** The part of the port that finds and follows processes which chaperone did not start. */
export interface Following {
  /** Chaperone's own effective user. */
  readonly uid: number;
  /** Undefined where no process lives under the pid; one that is dead and not reaped does not. */
  lookUp(pid: number): ProcessView | undefined;
  /**
   * Emits once, when the process is dead, whoever's child it is, and completes. The status is of kind `unknown` where the kernel
   * does not tell it to a process that is not the parent (PIDFD_GET_INFO, Linux 6.15).
   */
  watchEnd(pid: number): Observable<ExitStatus>;
  /** A name that no other start has (systemd.exec(5), INVOCATION_ID). */
  newInvocation(): string;
  /**
   * To be called in the turn in which the process was spawned.
   *
   * @param invocation stands in its environment as INVOCATION_ID
   * @param forks its start is to leave a daemon behind, and to end
   */
  track(pid: number, invocation: string, forks: boolean): ProcessTree;
  /** The invocation of the start, of those that are tracked, to whose tree the process belongs. */
  invocationOf(pid: number): string | undefined;
  /** The process group that the process leads. To be called in the turn in which the process was spawned. */
  trackGroup(pid: number): ProcessTree;
  /** Undefined where there is no such regular file. */
  readPidfile(path: string): PidfileText | undefined;
  /** Returns the error's code, but for a file that is not there. */
  removePidfile(path: string): string | undefined;
}

export interface NotifyDatagram {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
  /** Undefined where the kernel does not tell; 0 for one that this namespace does not see. */
  readonly sender?: number;
  /** They are the receiver's to close. */
  readonly descriptors: readonly number[];
}

export interface NotifySocket {
  /** What NOTIFY_SOCKET says. */
  readonly path: string;
  /** All that has arrived is emitted in one turn. Hot. */
  readonly datagrams$: Observable<NotifyDatagram>;
  /** Takes the path away, too. */
  close(): void;
}

/** The part of the port that speaks sd_notify(3), down to the services and up to the host. */
export interface Notifying {
  /** Makes a socket that any account may write to which knows its name. Throws with `code`. */
  openSocket(service: string): NotifySocket;
  closeDescriptor(descriptor: number): void;
  /** Tells whether two descriptors are the same file. */
  isSameFile(one: number, other: number): boolean;
  /**
   * Sends a datagram to a unix socket, without waiting.
   *
   * @param path with a leading `@` an abstract name
   * @returns the error's code: EAGAIN where the receiver's queue is full
   */
  send(path: string, bytes: Uint8Array): string | undefined;
}
/** The file of an inspection journal, which is opened when it is first written to. */
export interface JournalRequest {
  /** Absolute. */
  readonly path: string;
  /** Bytes that it may take with what it holds of earlier boots, of which the oldest go first. */
  readonly maxSize: number;
}

/** A log file, which is opened when it is first written to. */
export interface LogFileRequest {
  /** Absolute, with the sequences of strftime(3). It is opened anew when its name changes or another file stands there. */
  readonly path: string;
  /** Truncate it at the first opening. */
  readonly overwrite: boolean;
  /** Whose it is, and the directories that are missing, where it is made. */
  readonly owner?: FileOwner;
}

export type LogSocketOutcome =
  | {
      readonly ok: true;
      /**
       * The datagrams that came together, in order: each as it came, or its text where that is printable ASCII and tabs, without the
       * NULs and the white space at its end. All of it is another's once the observer returns. Nothing is read without an observer.
       */
      readonly datagrams$: Observable<readonly (Uint8Array | string)[]>;
      /** Emits what is left to be read, and removes the socket. */
      readonly close: () => void;
    }
  | { readonly ok: false; readonly code: string };

export interface Kernel {
  readonly pid: number;
  readonly hostname: string;
  /** Exits of children and adopted orphans, batch by batch. */
  readonly exits$: Observable<ExitBatch>;
  /** Emits when there is no child left, dead or alive: after a batch, and after a spawn that failed. */
  readonly childrenGone$: Observable<{ readonly at: number }>;
  /** Signals sent to chaperone. */
  readonly signals$: Observable<SignalName>;
  /**
   * Finds the program that a command's first word names, as execvp(3) does.
   *
   * @returns its path, or undefined where there is none
   */
  findProgram(word: string, searchPath: string, directory: string | undefined): string | undefined;
  /** Listens on a TCP port: for IPv6 and IPv4, or for IPv4 alone where there is no IPv6. */
  listen(port: number): ListenOutcome;
  /** Closes chaperone's own descriptor of a connection; twice does no harm. */
  closeConnection(connection: Connection): void;
  /** Starts a program. A failure is an errno and a stage, never an exit status. */
  spawn(request: SpawnRequest): SpawnOutcome;
  /**
   * Emits at once what a process that was spawned has written by now: for whoever has heard of it another way, and is to hear
   * of its words first.
   */
  readOutput(pid: number): void;
  /** Signals one process, or its whole group. */
  signal(pid: number, signal: SignalName, target: 'process' | 'group'): SignalOutcome;
  /** Signals every process that is left: as PID 1 all of the namespace, otherwise all descendants. */
  signalAll(signal: SignalName): void;
  /** True while chaperone has a child, dead or alive. */
  hasChildren(): boolean;
  sink(target: 'stdout' | 'stderr'): Sink;
  readonly following: Following;
  readonly notifying: Notifying;
  fileSink(request: LogFileRequest): Sink;
  /** A refusal without a rest is final. Its codes are errno's names, `NOT_A_FILE` and `NOT_A_JOURNAL`. */
  journalSink(request: JournalRequest): Sink;
  /** Each line is one UDP packet. @param host `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`; 514 without a port */
  remoteSink(host: string): Sink;
  /**
   * Makes a socket of datagrams that everyone may write to; a stale one is replaced. From then on nothing sent is lost.
   *
   * @param holdOn is asked between datagrams: true leaves the others to the next turn of the loop
   */
  openLogSocket(path: string, holdOn: () => boolean): LogSocketOutcome;
  /** Calls back at the end of this turn, before anything else that comes from outside. */
  defer(callback: () => void): void;
}
