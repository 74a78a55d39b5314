import type { SpawnErrorStage } from '../model/spawn-error.ts';

/** What `native/edge.c` exports: the few system calls that Node lacks. Each function is one man page. */
export interface NativeEdge {
  /**
   * Starts a program: clone(2) with CLONE_VM | CLONE_VFORK, so the supervisor's memory maps are not copied, then execve(2).
   * Returns when the program runs or could not be started.
   *
   * @returns the pid, or the errno and the stage that failed. A failed spawn is never an exit status: its child is
   * reaped before this returns.
   */
  spawn(options: NativeSpawnOptions): NativeSpawnResult;
  /**
   * waitid(2), P_ALL with WNOHANG, until nothing is left or `limit` exits are taken.
   *
   * @param limit how many exits one call takes at most
   */
  reap(limit: number): NativeReaped;
  /** prctl(2) PR_SET_CHILD_SUBREAPER. Throws with `code` where the kernel refuses. */
  setSubreaper(): void;
  /** kill(2), also for negative pids. Returns 0 or the errno. */
  kill(pid: number, signal: number): number;
  /** pipe2(2) with O_CLOEXEC; the read end is non-blocking, the write end is not. Throws with `code` (EMFILE, ENFILE). */
  pipe(): { readEnd: number; writeEnd: number };
  /**
   * read(2) until `buffer` is full, the pipe is empty, or its end.
   *
   * @returns bytes read, and whether the end was reached
   */
  readNow(fd: number, buffer: Uint8Array): { bytes: number; ended: boolean };
  /** write(2) of everything, waiting in poll(2) for at most `timeout` ms in all. Returns the bytes written. Never throws. */
  writeNow(fd: number, buffer: Uint8Array, timeout: number): number;
  /** tcsetpgrp(3): makes chaperone's own process group the foreground group of a terminal. Does nothing where it is none. */
  takeTerminal(terminal: number): void;
  /** Calls back for each arrival of a signal by number, also a real-time one (uv_signal_start). Does not keep the loop alive. */
  watchSignal(signal: number, callback: () => void): void;
  /** _exit(2): no handler runs and no thread is waited for. */
  exitNow(status: number): never;
  /** getrlimit(2) for RLIMIT_NOFILE; RLIM_INFINITY is -1. */
  descriptorLimit(): { soft: number; hard: number };
}

export interface NativeSpawnOptions {
  /** Path of the program as execve(2) takes it: with a slash in it. */
  readonly file: string;
  readonly argv: readonly string[];
  /** `NAME=value` strings. */
  readonly environment: readonly string[];
  /** Descriptors of chaperone that become 0, 1 and 2; the child inherits no other. */
  readonly stdio: readonly [number, number, number];
  /** Absent: chaperone's own. */
  readonly directory?: string;
  /** `session` (setsid), `group` (setpgid), or `none`: stays in chaperone's group. */
  readonly group: 'session' | 'group' | 'none';
  /** A terminal's descriptor whose foreground process group the child becomes (tcsetpgrp); needs group `group`. */
  readonly terminal?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Supplementary groups; skipped (setgroups is EPERM without root) when the process has exactly these already, in any order. */
  readonly groups?: readonly number[];
  readonly umask?: number;
  /** RLIMIT_NOFILE for the child; -1 is RLIM_INFINITY. */
  readonly descriptorLimit?: { readonly soft: number; readonly hard: number };
}

/** Where a spawn failed, in the order in which the stages are taken. */
export type SpawnStage = Exclude<SpawnErrorStage, 'lookup'>;

export type NativeSpawnResult =
  | { readonly pid: number }
  | { readonly errno: number; readonly code: string; readonly stage: SpawnStage };

export interface NativeExit {
  readonly pid: number;
  /** Exit status, where it exited by itself. */
  readonly code?: number;
  /** Signal number, where a signal ended it. */
  readonly signal?: number;
  readonly coreDumped: boolean;
  /** CPU time in ms. */
  readonly userTime: number;
  readonly systemTime: number;
  /** Peak resident set in KiB. */
  readonly maxRss: number;
}

export interface NativeReaped {
  readonly exits: readonly NativeExit[];
  /** False once waitid(2) says ECHILD: chaperone has no child left, dead or alive. */
  readonly childrenLeft: boolean;
}
