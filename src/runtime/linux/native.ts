import type { SpawnErrorStage } from '../../model/service/spawn-error.ts';

/** The exports of the addon in `native/`: the system calls that Node lacks. Each function wraps one man page. */
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
  /** tcsetpgrp(3): makes chaperone's own process group a terminal's foreground group; does nothing elsewhere. */
  takeTerminal(terminal: number): void;
  /** Calls back at each signal of that number, also a real-time one (uv_signal_start). Does not keep the loop alive. */
  watchSignal(signal: number, callback: () => void): void;
  /** _exit(2): no handler runs and no thread is waited for. */
  exitNow(status: number): never;
  /** getrandom(2): `count` bytes, 1 to 64, as hexadecimal digits. Node's own crypto takes a millisecond to load. */
  randomHex(count: number): string;
  /** getrlimit(2) for RLIMIT_NOFILE; RLIM_INFINITY is -1. */
  descriptorLimit(): { soft: number; hard: number };
  /**
   * fcntl(2), O_NONBLOCK, of the file description: it also applies to everyone who shares it. A watched descriptor is
   * non-blocking, but a service that is given a socket expects a blocking one. Throws with `code`.
   */
  setBlocking(fd: number, blocking: boolean): void;
  /** fcntl(2), F_DUPFD_CLOEXEC: another descriptor of the same description. Throws with `code`. */
  duplicate(fd: number): number;
  /**
   * dup3(2) with O_CLOEXEC: `to` becomes a copy of `from`, and the old description of `to` is closed. A watch of `to`
   * that has not been through the loop yet then watches the new description.
   *
   * @throws Error with `code`
   */
  replaceDescriptor(from: number, to: number): void;
  /**
   * open(2) and fcntl(2) F_SETLK for the whole file, as lckpwdf(3) does with /etc/.pwd.lock. A missing file is made
   * with mode 0600. The lock belongs to the process: closing *any* descriptor of the file releases it, and a second
   * call here succeeds.
   *
   * @returns the descriptor that holds the lock; undefined where another process does
   * @throws Error with `code` where the file cannot be opened or locked
   */
  lockFile(path: string): number | undefined;
  /** pidfd_open(2): readable once the process is dead, also where another process is its parent. Throws with `code` (ENOSYS, ESRCH, EPERM). */
  openPidfd(pid: number): number;
  /**
   * ioctl(2) PIDFD_GET_INFO with PIDFD_INFO_EXIT (Linux 6.15): tells how a process has ended, also where another process is its parent.
   *
   * @returns the status as wait(2) encodes it; undefined as long as the parent has not reaped it
   * @throws Error with `code` where the kernel does not tell: ENOTTY before 6.13, ESRCH before 6.15 once it was reaped
   */
  pidfdExit(fd: number): number | undefined;
  /** pidfd_send_signal(2). Returns 0 or the errno. */
  signalPidfd(fd: number, signal: number): number;
  /**
   * Calls back in the loop, again and again, while a descriptor is readable, at its end or in error (uv_poll_t). It becomes
   * non-blocking. Keeps the loop alive until paused or closed. Close the watch before the descriptor.
   *
   * @throws Error with `code`: EPERM for what is always readable, such as a file; EEXIST where the loop has it already
   */
  watchReadable(fd: number, callback: () => void): NativeWatch;
  /**
   * bind(2) of a new AF_UNIX datagram socket, non-blocking. An existing file is not replaced.
   *
   * @param path of the socket's file, at most 107 bytes; with a leading `@` an abstract name
   * @returns the descriptor
   * @throws Error with `code` (EADDRINUSE, ENAMETOOLONG, ENOENT, EACCES)
   */
  bindDatagram(path: string): number;
  /**
   * sendto(2) an AF_UNIX datagram socket, without waiting.
   *
   * @param path as for `bindDatagram`
   * @returns 0 or the errno: ENOENT and ECONNREFUSED where nobody listens, EAGAIN where the receiver's queue is full
   */
  sendDatagram(path: string, bytes: Uint8Array): number;
  /** setsockopt(2) SO_PASSCRED: datagrams that are sent from now on arrive with credentials. Throws with `code`. */
  passCredentials(fd: number): void;
  /**
   * recvmmsg(2): takes the waiting datagrams, without credentials and descriptors. It allocates only the texts.
   *
   * @param into is cut into as many slots of equal size as `lengths` is long: datagram i begins at
   * `i * Math.floor(into.length / lengths.length)`
   * @param lengths gets the lengths as sent, in bytes: a datagram that is longer than its slot was truncated
   * @param texts gets each datagram's text without the NULs and the white space at its end, where all of it is printable ASCII
   * or tabs: cheaper than to decode it afterwards. `undefined` where it is not, or was truncated
   * @returns how many datagrams were taken; fewer than `lengths.length` where no more were there
   * @throws Error with `code` where none could be taken
   */
  receiveBatch(fd: number, into: Uint8Array, lengths: Uint32Array, texts?: (string | undefined)[]): number;
  /**
   * recvmsg(2) until nothing is left or `limit` datagrams are taken. The descriptors are the caller's to close.
   *
   * @throws Error with `code` where none could be taken
   */
  receiveDatagrams(fd: number, limit: number): readonly NativeDatagram[];
  /**
   * socket(2), bind(2) to all addresses with SO_REUSEADDR, listen(2); non-blocking.
   *
   * @param port 0 lets the kernel choose
   * @param family 6 takes IPv4 clients, too
   * @returns the descriptor
   * @throws Error with `code` (EADDRINUSE, EACCES, EAFNOSUPPORT)
   */
  listenTcp(port: number, family: 4 | 6, backlog: number): number;
  /** getsockname(2): the port; 0 for a socket without one. Throws with `code`. */
  localPort(fd: number): number;
  /**
   * accept4(2). The connection is in blocking mode.
   *
   * @returns undefined where no client waits, or the waiting one has gone
   * @throws Error with `code`: with EMFILE or ENFILE the client goes on waiting, and the listener stays readable
   */
  acceptConnection(fd: number): NativeConnection | undefined;
  /** getsockopt(2) SO_PEERCRED of a unix stream socket. Throws with `code`: ENOTCONN where the socket has no such peer. */
  peerCredentials(fd: number): NativeCredentials;
  /**
   * getsockopt(2) SO_PEERGROUPS (Linux 4.13): the supplementary groups that the other end of a unix stream socket had when it
   * connected. Throws with `code`: ENODATA where the socket has no such peer, ENOPROTOOPT where the kernel does not tell.
   */
  peerGroups(fd: number): readonly number[];
  /** mkfifo(3). An existing file is not replaced. Throws with `code` (EEXIST, EACCES, ENOENT, EROFS). */
  makeFifo(path: string, mode: number): void;
  /** socketpair(2): a connection of packets (SOCK_SEQPACKET), both ends non-blocking. Throws with `code`. */
  packetPair(): readonly [number, number];
  /**
   * sendmsg(2), without waiting.
   *
   * @param descriptors at most 253, of which the receiver gets copies
   * @returns 0 or the errno: EAGAIN where the receiver's queue is full, ETOOMANYREFS where too many descriptors are under way
   */
  sendPacket(fd: number, bytes: Uint8Array, descriptors: readonly number[]): number;
  /** recv(2) of one packet, without waiting. Returns its bytes, 0 at the end of the connection, -1 where none is there. */
  receivePacket(fd: number, into: Uint8Array): number;
  /** memfd_create(2): the descriptor of a file in memory with these bytes. Throws with `code`. */
  memoryFile(bytes: Uint8Array): number;
}

/** The functions need no `this`, and do nothing once the watch is closed. */
export interface NativeWatch {
  readonly pause: () => void;
  readonly resume: () => void;
  /** Does not close the descriptor. It may be called in the callback, and twice. */
  readonly close: () => void;
}

export interface NativeCredentials {
  /** 0 for a process that this pid namespace does not see. */
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

export interface NativeDatagram {
  readonly bytes: Buffer;
  /** True where the datagram was longer than 256 KiB; `bytes` is its beginning. */
  readonly truncated: boolean;
  /** The sender's credentials, where `passCredentials` asked for them. */
  readonly credentials?: NativeCredentials;
  /** Fewer than were sent where the limit of open descriptors was reached. */
  readonly descriptors: readonly number[];
}

export interface NativeConnection {
  readonly fd: number;
  /** The client's address, no brackets or zone; IPv4 clients of an IPv6 socket show as IPv4. Empty on a unix socket. */
  readonly address: string;
  readonly port: number;
}

export interface NativeSpawnOptions {
  /** The program's path for execve(2): it contains a slash. */
  readonly file: string;
  readonly argv: readonly string[];
  /** `NAME=value` strings. */
  readonly environment: readonly string[];
  /** Descriptors of chaperone that become 0, 1 and 2; the child inherits no others than these and `descriptors`. */
  readonly stdio: readonly [number, number, number];
  /** Descriptors that become 3, 4, and so on (sd_listen_fds(3)). Failures are at the stage `stdio`. */
  readonly descriptors?: readonly number[];
  /** Absent: chaperone's own working directory. */
  readonly directory?: string;
  /** `session` (setsid), `group` (setpgid), or `none`: the process stays in chaperone's group. */
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
  /** Names of variables whose value is the child's own pid (`LISTEN_PID`, `WATCHDOG_PID`), whatever `environment` says. */
  readonly pidVariables?: readonly string[];
}

/** The stage at which a spawn failed, in the order of the stages. */
export type SpawnStage = Exclude<SpawnErrorStage, 'lookup' | 'notify'>;

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
