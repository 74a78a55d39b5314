/**
 * The kernel port: all requests to the operating system about processes (calls), and all that it reports (streams). The
 * two implementations, `linux/` and `simulated/`, pass one contract suite. No other file uses Linux's process
 * interfaces.
 */
import type { Observable } from 'rxjs';
import type { LogSender } from '../model/log/log-record.ts';
import type { Rotation } from '../model/log/rotation.ts';
import type { Connection } from '../model/schedule/scheduled-runs.ts';
import type { Account } from '../model/service/account.ts';
import type { ExitStatus } from '../model/service/exit-status.ts';
import type { NotifySender } from '../model/service/notify-access.ts';
import type { Resources } from '../model/service/resources.ts';
import type { FileOwner } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { SpawnError } from '../model/service/spawn-error.ts';
import type { FileRequest, FileResult } from '../model/service/value-sources.ts';

/** Monotonic and wall-clock time, and timers. Timers may be longer than 2³¹ ms. */
export interface Clock {
  /** Monotonic ms from an arbitrary start. It stands still while chaperone is stopped. */
  now(): number;
  /** Monotonic ms from an arbitrary start. It goes on while chaperone is stopped. */
  realTime(): number;
  /** CLOCK_MONOTONIC in ms, as programs read it, for times that they tell. */
  monotonicTime(): number;
  /** The largest delay in ms of a timer since that real time: chaperone was stopped, or did not get the processor. */
  lateness(since: number): number;
  /** Unix time in ms. */
  wallTime(): number;
  /**
   * Calls back when the wall clock was set, and after the machine was suspended, which stops the other clocks.
   *
   * @returns ends it
   */
  onWallJump(listener: () => void): () => void;
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
  /** Limits, priorities and rights of the new process; absent: chaperone's own. */
  readonly resources?: Resources;
  readonly ownGroup: boolean;
  /** With which the process is asked to end where the machines cannot say so any more; absent: SIGTERM. */
  readonly stopSignal?: SignalName;
  /** `terminal`: chaperone's own stdin; the new process group becomes the foreground group of the terminal. */
  readonly stdin: 'null' | 'inherit' | 'terminal' | Channel;
  readonly stdout: 'pipe' | 'inherit' | Channel;
  /** `stdout`: the same file as stdout. */
  readonly stderr: 'pipe' | 'inherit' | 'stdout' | Channel;
  /** A listener's client that replaces stdin and stdout. Its descriptor here stays open until it is closed. */
  readonly connection?: Connection;
  /** Descriptors of chaperone that become descriptors 3, 4, and so on. */
  readonly descriptors?: readonly number[];
  /** Names of variables that are set to the new process's own pid. */
  readonly pidVariables?: readonly string[];
  /** Further descriptors of the process, by number from 3 on: each is the writing end of a pipe of its own. */
  readonly pipes?: readonly number[];
}

/**
 * A pipe that chaperone holds open at both ends: processes write into it and read from it, and what is in it outlives them all.
 * Writes of up to 4,096 bytes (PIPE_BUF) stay whole, whoever else writes.
 */
export interface Channel {
  /** How many bytes were written and not read yet. */
  waiting(): number;
  /** Closes the writing end here: once no process has it open, a reader finds the end behind what is left. */
  finish(): void;
  /** Closes both ends here. */
  close(): void;
}

export type SpawnOutcome =
  | {
      readonly ok: true;
      readonly pid: number;
      /** The output of the process and its descendants; completes when the last one closes it. Hot after the call. Empty where it is not a pipe of its own. */
      readonly stdout: Observable<Uint8Array>;
      readonly stderr: Observable<Uint8Array>;
      readonly output: OutputControl;
      /** What is written to the pipes that the request asked for, in their order. Hot after the call. */
      readonly pipes: readonly Observable<Uint8Array>[];
    }
  | { readonly ok: false; readonly error: SpawnError };

/** Holds the output of one process and its descendants back. */
export interface OutputControl {
  /**
   * Stops the reading: once the pipes are full, the writers wait. What a process has written before its end is emitted with the
   * end all the same, and so is what `readOutput` asks for.
   */
  readonly pause: () => void;
  readonly resume: () => void;
}

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

/** @param rest begins with a line that was not written, or of which a part was written that cannot be removed */
export type WriteDone = (errorCode?: string, rest?: Uint8Array) => void;

/** A destination for whole lines. Writes are done in order, one at a time. */
export interface Sink {
  /**
   * Calls back when the bytes are written, or with the code of an error (ENOSPC, EPIPE …). With `rest` there may be
   * room again later: it holds the lines that were not written, to be tried again. It begins with a whole line. Never throws.
   */
  write(bytes: Uint8Array, done: WriteDone): void;
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
  /** The effective user of the process, which is that of its saved and real ones too, or is 0. */
  readonly uid: number;
  /** The time of the process's start, for comparisons: a later start is never smaller, and larger from 10 ms on. */
  readonly began: number;
}

/** A process of a tree or a group. */
export type TreeMember = Pick<ProcessView, 'pid' | 'group' | 'began'>;

/** The tree of a start: the started process, all its descendants, and the daemons among them. */
export interface ProcessTree {
  /** Call this once, when the started process has been reaped: from then on its children are chaperone's. */
  startEnded(): void;
  /** The members that are alive now. */
  members(): readonly TreeMember[];
  /** Stops looking for members. */
  forget(): void;
}

export interface PidfileText {
  /** A value that changes with the file: its identity, the time of its last change, its text. */
  readonly stamp: string;
  readonly text: string;
  /** True where only root can have put the file at its path. */
  readonly byRoot: boolean;
}

/** What a server is asked. The host `localhost` is both of its addresses. */
export type ServerQuestion =
  | {
      readonly kind: 'connect';
      readonly to: { readonly host: string; readonly port: number } | { readonly path: string };
    }
  | {
      readonly kind: 'request';
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
      /** The path of the socket that is connected to in place of the URL's host. */
      readonly unix?: string;
      readonly wantsBody: boolean;
    };

export type ServerAnswer =
  | { readonly kind: 'accepted' }
  /** No redirect is followed. `body`: its first 64 KiB, empty where it was not wanted. */
  | { readonly kind: 'answered'; readonly status: number; readonly body: string }
  /** The errno's name, or what went wrong. */
  | { readonly kind: 'failed'; readonly code: string };

/** The part of the port that finds and follows processes which chaperone did not start. */
export interface Following {
  /** Chaperone's own effective user. */
  readonly uid: number;
  /** True for the processes that chaperone itself consists of. */
  isOwn(pid: number): boolean;
  /** The living process with this pid; undefined where there is none, or only a zombie, and for the id of a thread. */
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
  /**
   * The living children of chaperone that it has not started itself, and that have this variable (`NAME=value`) in their initial
   * environment: daemons that a start has left, where no other start had that variable.
   */
  daemonsOf(variable: string): readonly number[];
  /** Tracks the process group that the process leads. Call it in the turn in which the process was spawned. */
  trackGroup(pid: number): ProcessTree;
  /** Undefined where there is no such regular file, and where an account other than root and chaperone's has linked it there. */
  readPidfile(path: string): PidfileText | undefined;
  /** A value that changes with the file: its identity and the time of its last change. Undefined where there is none. */
  stampOf(path: string): string | undefined;
  /** Removes a pidfile and returns the code of an error; a missing file is no error. */
  removePidfile(path: string): string | undefined;
}

export interface NotifyDatagram {
  readonly bytes: Uint8Array;
  readonly truncated: boolean;
  /** Undefined where the kernel does not tell. */
  readonly sender?: NotifySender;
  /** Descriptors that came with the datagram; the receiver has to close them by `closeDescriptor`. */
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
  /** Closes a descriptor that a service has sent, at the latest when the turn ends, and does not wait for it. */
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

export interface LogFileRequest {
  /** Absolute, with sequences of strftime(3). Reopened when the name changes or belongs to another file. */
  readonly path: string;
  /** Truncate it at the first opening. */
  readonly overwrite: boolean;
  /** The owner of the file and of missing directories, where chaperone creates them. */
  readonly owner?: FileOwner;
  /** The mode of a file that chaperone creates; absent: 0640, or 0660 where a group is given. */
  readonly mode?: number;
  readonly rotation?: Rotation;
}

/** A log file. It is opened by `open`, and else at the first write. */
export interface LogFile extends Sink {
  /**
   * Makes and opens the file at once, or only its directory, where its name changes with time.
   *
   * @returns the code of an error; the next write tries again
   */
  open(): string | undefined;
  /** Takes another owner, mode or rotation for what is made from now on. */
  adapt(request: LogFileRequest): void;
}

/** What was sent to the log socket at once. */
export interface LogDatagram {
  /** Raw bytes, or, where they are printable ASCII and tabs, their text without NULs and white space at the end. */
  readonly content: Uint8Array | string;
  /** How many bytes of a datagram that was too long are missing. */
  readonly lost: number;
  /** Undefined where the kernel does not tell. */
  readonly sender: LogSender | undefined;
}

export type LogSocketOutcome =
  | {
      readonly ok: true;
      /**
       * Datagrams that came together, in order. The observer must not keep them: their memory is reused once it
       * returns. Nothing is read without an observer.
       */
      readonly datagrams$: Observable<readonly LogDatagram[]>;
      /** Emits the datagrams that are left, and removes the socket. */
      readonly close: () => void;
    }
  | { readonly ok: false; readonly code: string };

export interface Kernel {
  /** The pid of chaperone, which is that of the body. */
  readonly pid: number;
  readonly hostname: string;
  /** A whole number below 2³² that chance has drawn for this boot: whatever else is left to chance follows from it. */
  readonly seed: number;
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
  /** Tells once whether something of this path exists: in this turn or in a later one, since a file system may be slow. */
  fileExists(path: string, told: (exists: boolean) => void): void;
  /** Listens on a TCP port for IPv6 and IPv4, or only for IPv4 where there is no IPv6. */
  listen(port: number): ListenOutcome;
  /** Makes a pipe for processes; every account may open it again as /dev/stdin or /dev/stdout. Throws with `code` (EMFILE). */
  openChannel(): Channel;
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
  /**
   * Asks a server once. Calls back once, in a later turn; a server that does not answer is waited for without end.
   *
   * @returns cancels it: no call back follows
   */
  ask(question: ServerQuestion, told: (answer: ServerAnswer) => void): () => void;
  readonly following: Following;
  readonly notifying: Notifying;
  /** @param onTrouble is called with the code of an error when the file cannot be rotated; it grows on then */
  fileSink(request: LogFileRequest, onTrouble: (errorCode: string) => void): LogFile;
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
  /**
   * Reads whole files for the variables of services, without waiting for them, and calls back once, in a later turn. Of files
   * in folders of others no link is followed that those could have made.
   */
  readValues(requests: readonly FileRequest[], told: (results: readonly FileResult[]) => void): void;
  /** Calls back at the end of this turn, before any other input is handled. */
  defer(callback: () => void): void;
}
