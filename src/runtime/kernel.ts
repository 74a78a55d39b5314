/**
 * The kernel port: all requests to the operating system about processes (calls), and all that it reports (streams). The
 * two implementations, `linux/` and `simulated/`, pass one contract suite. No other file uses Linux's process
 * interfaces.
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
  /** Monotonic ms from an arbitrary start. It stands still while chaperone is stopped. */
  now(): number;
  /** Monotonic ms from an arbitrary start. It goes on while chaperone is stopped. */
  realTime(): number;
  /** The largest delay in ms of a timer since that real time: chaperone was stopped, or did not get the processor. */
  lateness(since: number): number;
  /** Unix time in ms. */
  wallTime(): number;
  /** Calls back once, after at least `delay` ms, and after all input that has arrived by then was read. */
  setTimeout(callback: () => void, delay: number): TimerId;
  clearTimeout(id: TimerId): void;
}

export type TimerId = number;

export interface SpawnRequest {
  /** The words of the command as configured, for error messages. The first word is looked up in PATH. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly directory?: string;
  readonly account?: Account;
  readonly ownGroup: boolean;
  /** With which the process is asked to end where the machines cannot say so any more; absent: SIGTERM. */
  readonly stopSignal?: SignalName;
  /** `terminal`: chaperone's own stdin; the new process group becomes the foreground group of the terminal. */
  readonly stdin: 'null' | 'inherit' | 'terminal';
  readonly stdout: 'pipe' | 'inherit';
  readonly stderr: 'pipe' | 'inherit';
  /** A listener's client that replaces all three streams above. Its descriptor here stays open until it is closed. */
  readonly connection?: Connection;
  /** Descriptors of chaperone that become descriptors 3, 4, and so on. */
  readonly descriptors?: readonly number[];
  /** Names of variables that are set to the new process's own pid. */
  readonly pidVariables?: readonly string[];
}

export type SpawnOutcome =
  | {
      readonly ok: true;
      readonly pid: number;
      /** The output of the process and its descendants; completes when the last one closes it. Hot after the call. */
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
  /** True where other processes were left in the group with this pid's number, after the whole batch was reaped. */
  readonly leavesGroup: boolean;
}

/**
 * The exits that one wake-up has found: signals coalesce, so one may stand for many exits. An empty batch says that no
 * child is left. All output that the processes wrote before their end has been emitted on their streams by then.
 */
export interface ExitBatch {
  readonly exits: readonly ProcessExit[];
  readonly at: number;
}

/** `vanished`: there is no such process (ESRCH). `denied`: not ours to signal (EPERM). */
export type SignalOutcome = 'sent' | 'vanished' | 'denied';

/** A destination for whole lines. Writes are done in order, one at a time. */
export interface Sink {
  /**
   * Calls back when the bytes are written, or with the code of an error (ENOSPC, EPIPE …). With `rest` there may be
   * room again later: it holds the bytes that were not written, to be tried again. Never throws.
   */
  write(bytes: Uint8Array, done: (errorCode?: string, rest?: Uint8Array) => void): void;
  /** True for a terminal, which people read. */
  readonly terminal?: boolean;
  /** Closes the sink after the last write. Absent where the sink exists as long as chaperone. */
  close?(): void;
}

/** A TCP port that listens on all addresses. */
export interface Listener {
  /** Accepted clients, one in each turn of the loop. While paused none is accepted, and clients wait in the backlog. */
  readonly connections$: Observable<Connection>;
  /** The errno's name of a failed accept (EMFILE): a client waits, and the listener is paused. */
  readonly refusals$: Observable<string>;
  /** Pauses at once: no client is accepted after the call. */
  pause(): void;
  resume(): void;
  /** Closes the port, and every connection that is still open. */
  close(): void;
}

export type ListenOutcome =
  | { readonly ok: true; readonly listener: Listener }
  /** The errno's name, and the attempts in words, in their order. */
  | { readonly ok: false; readonly code: string; readonly tried: readonly string[] };

/** A process, not necessarily one that chaperone has started. */
export interface ProcessView {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  /** The effective user of the process. */
  readonly uid: number;
  /** True where the process descends from chaperone. */
  readonly descendant: boolean;
  /** The time of the process's start, for comparisons: a later start is never smaller, and larger from 10 ms on. */
  readonly began: number;
}

/** The tree of a start: the started process, all its descendants, and the daemons among them. */
export interface ProcessTree {
  /** Call this once, when the started process has been reaped: from then on its children are chaperone's. */
  startEnded(): void;
  /** The members that are alive now. */
  members(): readonly Pick<ProcessView, 'pid' | 'group'>[];
  /** Stops looking for members. */
  forget(): void;
}

export interface PidfileText {
  /** A value that changes with the file: its identity, the time of its last change, its text. */
  readonly stamp: string;
  readonly text: string;
}

/** The part of the port that finds and follows processes which chaperone did not start. */
export interface Following {
  /** Chaperone's own effective user. */
  readonly uid: number;
  /** The living process with this pid; undefined where there is none, or only a zombie. */
  lookUp(pid: number): ProcessView | undefined;
  /**
   * Emits once when the process is dead, whoever its parent is, and completes. The status is of kind `unknown` where
   * the kernel tells it only to the parent (without PIDFD_GET_INFO, Linux 6.15).
   */
  watchEnd(pid: number): Observable<ExitStatus>;
  /** An id that no other start has (systemd.exec(5), INVOCATION_ID). */
  newInvocation(): string;
  /**
   * Tracks the tree of a start. Call it in the turn in which the process was spawned.
   *
   * @param invocation the value of INVOCATION_ID in the environment of the process
   * @param forks true where the start is to leave a daemon behind, and to end
   */
  track(pid: number, invocation: string, forks: boolean): ProcessTree;
  /** The invocation of the tracked start to whose tree the process belongs. */
  invocationOf(pid: number): string | undefined;
  /** Tracks the process group that the process leads. Call it in the turn in which the process was spawned. */
  trackGroup(pid: number): ProcessTree;
  /** Undefined where there is no such regular file. */
  readPidfile(path: string): PidfileText | undefined;
  /** Removes a pidfile and returns the code of an error; a missing file is no error. */
  removePidfile(path: string): string | undefined;
}

export interface NotifyDatagram {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
  /** The sender's pid; undefined where the kernel does not tell; 0 for a process outside of this pid namespace. */
  readonly sender?: number;
  /** Descriptors that came with the datagram; the receiver has to close them. */
  readonly descriptors: readonly number[];
}

export interface NotifySocket {
  /** The value of NOTIFY_SOCKET. */
  readonly path: string;
  /** Emits all datagrams that have arrived in one turn. Hot. */
  readonly datagrams$: Observable<NotifyDatagram>;
  /** Closes the socket and removes its path. */
  close(): void;
}

/** The part of the port that speaks sd_notify(3), down to the services and up to the host. */
export interface Notifying {
  /** Makes a socket that every account may write to that knows its name. Throws with `code`. */
  openSocket(service: string): NotifySocket;
  closeDescriptor(descriptor: number): void;
  /** Tells whether two descriptors are the same file. */
  isSameFile(one: number, other: number): boolean;
  /**
   * Sends a datagram to a unix socket, without waiting.
   *
   * @param path with a leading `@` for an abstract name
   * @returns the error's code: EAGAIN where the receiver's queue is full
   */
  send(path: string, bytes: Uint8Array): string | undefined;
}
/** The file of an inspection journal, which is opened at the first write. */
export interface JournalRequest {
  /** The absolute path. */
  readonly path: string;
  /** The most bytes of the file, with the entries of earlier boots, of which the oldest are removed first. */
  readonly maxSize: number;
}

/** A log file, which is opened at the first write. */
export interface LogFileRequest {
  /** Absolute, with sequences of strftime(3). Reopened when the name changes or belongs to another file. */
  readonly path: string;
  /** Truncate it at the first opening. */
  readonly overwrite: boolean;
  /** The owner of the file and of missing directories, where chaperone creates them. */
  readonly owner?: FileOwner;
}

export type LogSocketOutcome =
  | {
      readonly ok: true;
      /**
       * Datagrams that came together, in order. Each is raw bytes, or, where it is printable ASCII and tabs, its text
       * without NULs and white space at the end. The observer must not keep them: their memory is reused once it
       * returns. Nothing is read without an observer.
       */
      readonly datagrams$: Observable<readonly (Uint8Array | string)[]>;
      /** Emits the datagrams that are left, and removes the socket. */
      readonly close: () => void;
    }
  | { readonly ok: false; readonly code: string };

export interface Kernel {
  /** The pid of chaperone, which is that of the body. */
  readonly pid: number;
  readonly hostname: string;
  /** Exits of children and adopted orphans, batch by batch. */
  readonly exits$: Observable<ExitBatch>;
  /** Emits when no child is left, dead or alive, for each time that `watchChildren` has asked. */
  readonly childrenGone$: Observable<{ readonly at: number }>;
  /** Signals sent to chaperone. */
  readonly signals$: Observable<SignalName>;
  /**
   * Finds the program that the first word of a command names, as execvp(3) does.
   *
   * @returns the path of the program, or undefined where there is none
   */
  findProgram(word: string, searchPath: string, directory: string | undefined): string | undefined;
  /** Listens on a TCP port for IPv6 and IPv4, or only for IPv4 where there is no IPv6. */
  listen(port: number): ListenOutcome;
  /** Closes chaperone's own descriptor of a connection; a second call does nothing. */
  closeConnection(connection: Connection): void;
  /**
   * Starts a program, and calls back once, in this turn or in a later one: before the program's exit is emitted, and before
   * any other input is handled. A failure is an errno and a stage, never an exit status.
   *
   * @returns cancels the start. Where the program does not run yet, the call back comes soon, in a later turn: the start has
   *   failed with ECANCELED, and no exit follows. Otherwise, and after the call back, it does nothing.
   */
  spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): () => void;
  /**
   * Emits at once all output that a process has written so far, for a caller that has learned of the process in another
   * way and wants to handle the output first.
   */
  readOutput(pid: number): void;
  /**
   * Signals one process, or its whole group, at the latest when the turn ends, and calls back once, in this turn or in a later
   * one.
   */
  signal(pid: number, signal: SignalName, target: 'process' | 'group', told?: (outcome: SignalOutcome) => void): void;
  /**
   * Signals every process that is left: as PID 1 the whole pid namespace, otherwise all descendants. Calls back once, just before
   * that, in this turn or in a later one: exits that are emitted earlier do not come of this signal.
   */
  signalAll(signal: SignalName, told?: () => void): void;
  /** Makes `childrenGone$` emit in a later turn: as soon as no child is left, dead or alive. */
  watchChildren(): void;
  sink(target: 'stdout' | 'stderr'): Sink;
  readonly following: Following;
  readonly notifying: Notifying;
  fileSink(request: LogFileRequest): Sink;
  /** The sink of a journal. A refusal without a rest is final. Codes: errno names, `NOT_A_FILE`, `NOT_A_JOURNAL`. */
  journalSink(request: JournalRequest): Sink;
  /** Each line is one UDP packet. @param host `HOST`, `HOST:PORT` or `[ADDRESS]:PORT`; 514 without a port */
  remoteSink(host: string): Sink;
  /**
   * Makes a datagram socket that everyone may write to; a stale one is replaced. From then on nothing sent is lost.
   *
   * @param holdOn is called between datagrams: true leaves the other datagrams to the next turn of the loop
   */
  openLogSocket(path: string, holdOn: () => boolean): LogSocketOutcome;
  /** Calls back at the end of this turn, before any other input is handled. */
  defer(callback: () => void): void;
}
