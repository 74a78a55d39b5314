/** The exports of the addon in `native/`: the system calls that Node lacks. Each function wraps one man page. */
export interface NativeEdge {
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
  /** Calls back at each signal of that number, also a real-time one (uv_signal_start). Does not keep the loop alive. */
  watchSignal(signal: number, callback: () => void): void;
  /** _exit(2): no handler runs and no thread is waited for. */
  exitNow(status: number): never;
  /** What ps(1) shows in place of the command line, cut where that was shorter, and its first 15 bytes as the name of the process. */
  setTitle(title: string): void;
  /** getrandom(2): `count` bytes, 1 to 64, as hexadecimal digits. Node's own crypto takes a millisecond to load. */
  randomHex(count: number): string;
  /** getrlimit(2) for RLIMIT_NOFILE; RLIM_INFINITY is -1. */
  descriptorLimit(): { soft: number; hard: number };
  /**
   * fcntl(2), O_NONBLOCK, of the file description: it also applies to everyone who shares it. A watched descriptor is
   * non-blocking, but a service that is given a socket expects a blocking one. Throws with `code`.
   */
  setBlocking(fd: number, blocking: boolean): void;
  /** ioctl(2) FIONREAD: how many bytes wait in a pipe to be read. Throws with `code`. */
  waitingBytes(fd: number): number;
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
   * sendmsg(2) to an AF_UNIX datagram socket, without waiting.
   *
   * @param path as for `bindDatagram`
   * @param pid of the process that the datagram is from, by its credentials, where the kernel permits that to this process
   * (CAP_SYS_ADMIN); the datagram is from this process otherwise, and where no pid is given
   * @returns 0 or the errno: ENOENT and ECONNREFUSED where nobody listens, EAGAIN where the receiver's queue is full
   * @throws TypeError for a pid below 1
   */
  sendDatagram(path: string, bytes: Uint8Array, pid?: number): number;
  /**
   * connect(2) to an AF_UNIX datagram socket: tells whether somebody listens, who notices nothing of it.
   *
   * @param path as for `bindDatagram`
   * @returns 0 or the errno: ENOENT and ECONNREFUSED where nobody listens
   */
  probeDatagram(path: string): number;
  /** setsockopt(2) SO_PASSCRED: datagrams that are sent from now on arrive with credentials. Throws with `code`. */
  passCredentials(fd: number): void;
  /**
   * setsockopt(2) SO_PASSRIGHTS (Linux 6.16): who sends descriptors to this socket gets EPERM from now on. Throws with `code`.
   *
   * @returns false where the kernel cannot refuse them
   */
  refuseDescriptors(fd: number): boolean;
  /**
   * Closes descriptors that other accounts have sent, without waiting: close(2) waits as long as they like. A child process
   * holds what may wait, and is killed once it is closed here.
   *
   * @returns how many children are not reaped yet; a further call, also with no descriptors, reaps them
   */
  discard(descriptors: readonly number[]): number;
  /**
   * recvmmsg(2): takes the waiting datagrams. It allocates only the texts.
   *
   * @param into is cut into as many slots of equal size as `lengths` is long: datagram i begins at
   * `i * Math.floor(into.length / lengths.length)`
   * @param lengths gets the lengths as sent, in bytes: a datagram that is longer than its slot was truncated
   * @param texts gets each datagram's text without the NULs and the white space at its end, where all of it is printable ASCII
   * or tabs: cheaper than to decode it afterwards. `undefined` where it is not, or was truncated
   * @param senders gets two numbers for each datagram: the sender's pid, 0 for none that this pid namespace sees, and the
   * sender's uid. Where the kernel tells neither, they are 0 and 4294967295; `passCredentials` asks for them.
   * @param descriptors an empty list, which gets the descriptors that came along; they are the caller's to close. Without it
   * they are closed by the kernel, and this process waits for that.
   * @returns how many datagrams were taken; fewer than `lengths.length` where no more were there, behind 128 KiB, and behind
   * the first descriptors
   * @throws Error with `code` where none could be taken
   */
  receiveBatch(
    fd: number,
    into: Uint8Array,
    lengths: Uint32Array,
    texts?: (string | undefined)[],
    senders?: Uint32Array,
    descriptors?: number[],
  ): number;
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
  /**
   * timerfd_create(2) with TFD_TIMER_CANCEL_ON_SET: a descriptor that is readable once the wall clock was set, or the machine was
   * suspended. Reading it fails with ECANCELED, and it waits for the next time then. Throws with `code` (EINVAL: gVisor).
   */
  wallClockChanges(): number;
  /**
   * mknod(2): a FIFO, a socket or a device, as the type in `mode` says. An existing file is not replaced.
   *
   * @param path bytes, as for the functions below
   * @param device as stat(2) tells it; 0 where it is no device
   * @throws Error with `code`: EPERM for a device without the right to make one
   */
  makeNode(path: Uint8Array, mode: number, device: number): void;
  /** llistxattr(2): the names, each with a NUL behind it. Throws with `code`: ENOTSUP where the file system has none. */
  listAttributes(path: Uint8Array): Buffer;
  /** lgetxattr(2). Throws with `code`. */
  getAttribute(path: Uint8Array, name: Uint8Array): Buffer;
  /** lsetxattr(2). Throws with `code`: ENOTSUP where the file system has no such attributes, EPERM without the right. */
  setAttribute(path: Uint8Array, name: Uint8Array, value: Uint8Array): void;
  /**
   * utimensat(2): the times of last access and of last change, in seconds and nanoseconds. Node's own functions lose the
   * nanoseconds. Symbolic links are not followed. Throws with `code`.
   */
  setTimes(path: Uint8Array, accessed: number, accessedRest: number, changed: number, changedRest: number): void;
  /**
   * lseek(2) with SEEK_DATA and SEEK_HOLE: the next bytes from an offset on that stand on the disk; undefined where only a
   * hole follows. Throws with `code`.
   */
  nextData(fd: number, from: number): { begin: number; end: number } | undefined;
  /** syncfs(2): returns when everything of the descriptor's file system is on its disk. Throws with `code`. */
  syncFileSystem(fd: number): void;
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
