/**
 * The kernel port: everything chaperone asks of the operating system for its processes, as facts (streams) and requests
 * (calls). Two implementations, `linux/` and `simulated/`, pass one contract suite. No other file asks Linux for processes.
 */
import type { Observable } from 'rxjs';
import type { ExitStatus } from '../model/exit-status.ts';
import type { Connection } from '../model/scheduling.ts';
import type { Account } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import type { SpawnError } from '../model/spawn-error.ts';

/** Monotonic and wall-clock time, and timers. Timers may be longer than 2³¹ ms. */
export interface Clock {
  /** Monotonic ms from an arbitrary start. */
  now(): number;
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

/** A place where bytes go: chaperone's own stdout or stderr. Writes are done in order, one at a time. */
export interface Sink {
  /** Calls back when the bytes are written, or with the error's code (ENOSPC, EPIPE …). Never throws. */
  write(bytes: Uint8Array, done: (errorCode?: string) => void): void;
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
  /** Signals one process, or its whole group. */
  signal(pid: number, signal: SignalName, target: 'process' | 'group'): SignalOutcome;
  /** Signals every process that is left: as PID 1 all of the namespace, otherwise all descendants. */
  signalAll(signal: SignalName): void;
  /** True while chaperone has a child, dead or alive. */
  hasChildren(): boolean;
  sink(target: 'stdout' | 'stderr'): Sink;
}
