/**
 * The kernel port on Linux: the native edge, Node's timers and signals. It reaps every child with waitid(2), so
 * `node:child_process` must not be used beside it: libuv and this file would take each other's exits.
 */
import { closeSync, fchownSync, openSync, stat, write } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { NEVER, type Observable, Subject } from 'rxjs';
import type { Connection } from '../../model/schedule/scheduled-runs.ts';
import type { ExitStatus } from '../../model/service/exit-status.ts';
import { type SignalName, signalName, signalNumber } from '../../model/service/signal.ts';
import { codeOf } from '../../model/words/errno.ts';
import type {
  Clock,
  ExitBatch,
  JournalRequest,
  Kernel,
  ListenOutcome,
  LogFileRequest,
  LogSocketOutcome,
  SignalOutcome,
  Sink,
  SpawnOutcome,
  SpawnRequest,
} from '../kernel.ts';
import { onDemand } from '../on-demand.ts';
import { descendants } from './descendants.ts';
import { listenForSignals } from './early-signals.ts';
import { FileSink } from './file-sink.ts';
import { findProgram } from './find-program.ts';
import { LinuxFollowing } from './linux-following.ts';
import { LinuxListener } from './linux-listener.ts';
import { LinuxNotifying } from './linux-notifying.ts';
import { openLogSocket } from './log-socket.ts';
import type { NativeEdge, NativeExit, NativeWatch } from './native.ts';
import { OomKills } from './oom-kills.ts';
import { allProcesses, forgetProcesses } from './process-table.ts';
import { ProcessTrees } from './process-trees.ts';
import { RemoteSink } from './remote-sink.ts';

export interface LinuxKernelOptions {
  readonly edge: NativeEdge;
  readonly clock: Clock;
  /** RLIMIT_NOFILE at the start of chaperone. Services get this limit, because Node raises its own. */
  readonly descriptorLimit: { readonly soft: number; readonly hard: number };
}

interface Output {
  readonly fd: number;
  readonly bytes$: Subject<Uint8Array>;
  readonly watch: NativeWatch;
  ended: boolean;
}

/** How many exits one call of the edge takes; the loop around it takes the rest. */
const reapLimit = 1024;
/** The capacity of a pipe in bytes, pipe(7): a process that has ended cannot have left more in it. */
const drainBuffer = new Uint8Array(65_536);
/**
 * The most bytes that are read from one output in one turn: short lines make thousands of records, and the turn has to
 * end. All outputs share the buffer, because the bytes are copied before the next read.
 */
const readBuffer = new Uint8Array(16_384);
/** ms until a write to a descriptor is tried again that another program has made non-blocking. */
const retryDelay = 10;

/** How many clients may wait for a handler; the kernel limits it to net.core.somaxconn. */
const backlog = 4096;

const ESRCH = 3;
const SIGKILL = 9;

export class LinuxKernel implements Kernel {
  readonly pid = process.pid;
  readonly hostname = hostname();
  readonly exits$ = new Subject<ExitBatch>();
  readonly childrenGone$ = new Subject<{ readonly at: number }>();
  readonly signals$ = new Subject<SignalName>();
  readonly following: LinuxFollowing;
  readonly notifying: LinuxNotifying;
  readonly #trees: ProcessTrees;
  readonly #clock: Clock;
  readonly #edge: NativeEdge;
  readonly #descriptorLimit: LinuxKernelOptions['descriptorLimit'];
  readonly #outputs = new Map<number, readonly Output[]>();
  /** Pipes that a descendant holds open after the end of the process that they were made for. */
  readonly #lingering = new Set<Output>();
  /** Descriptors of accepted clients that are still open. */
  readonly #connections = new Map<number, LinuxListener>();
  #nullDevice: number | undefined;
  #reaping = false;
  /** The process whose group is the foreground group of the terminal. */
  #foreground: number | undefined;
  readonly #oomKills = new OomKills();

  constructor({ edge, clock, descriptorLimit }: LinuxKernelOptions) {
    this.#edge = edge;
    this.#clock = clock;
    this.#descriptorLimit = descriptorLimit;
    this.#trees = new ProcessTrees(clock, this.pid, (group) => this.#groupExists(group));
    this.following = new LinuxFollowing(edge, clock, this.#trees);
    this.notifying = new LinuxNotifying(edge);
  }

  /** Starts to listen: to signals, and to exits that happened before. Call it once, when subscribers are in place. */
  open(): void {
    // The first asynchronous call makes libuv create its threads. It is made here so that a low limit (pids, ulimit -u)
    // shows at once; when services have used the limit up, libuv would abort.
    stat('/', () => undefined);
    listenForSignals((signal) => {
      if (signal === 'SIGCHLD') this.#reapAll();
      else this.signals$.next(signal);
    });
    setImmediate(() => this.#reapAll());
  }

  findProgram(word: string, searchPath: string, directory: string | undefined): string | undefined {
    return findProgram(word, searchPath, directory ?? process.cwd());
  }

  listen(port: number): ListenOutcome {
    const tried: string[] = [];
    for (const family of [6, 4] as const) {
      tried.push(family === 6 ? 'all addresses, IPv6 and IPv4' : 'all IPv4 addresses');
      try {
        const fd = this.#edge.listenTcp(port, family, backlog);
        return { ok: true, listener: new LinuxListener(this.#edge, fd, this.#connections) };
      } catch (error) {
        const code = codeOf(error);
        if (code === undefined) throw error;
        if (family === 4 || !withoutIpv6.includes(code)) return { ok: false, code, tried };
      }
    }
    throw new Error('internal error: no address family was tried');
  }

  closeConnection({ id }: Connection): void {
    if (this.#connections.delete(id)) closeSync(id);
  }

  spawn(request: SpawnRequest): SpawnOutcome {
    const program = request.argv[0] ?? '';
    const fail = (
      code: string,
      stage: (SpawnOutcome & { ok: false })['error']['stage'],
      file = program,
    ): SpawnOutcome => {
      // A clone that failed raises no SIGCHLD, but `childrenGone$` has to emit where no child is left.
      setImmediate(() => this.#reapAll());
      const directory = request.directory === undefined ? {} : { directory: request.directory };
      return { ok: false, error: { code, stage, program: file, ...directory } };
    };

    const file = this.findProgram(program, request.environment['PATH'] ?? '', request.directory);
    if (file === undefined) return fail('ENOENT', program.includes('/') ? 'exec' : 'lookup');

    const { connection } = request;
    let stdin = connection?.id ?? 0;
    try {
      if (connection === undefined && request.stdin === 'null') stdin = this.#openNull();
    } catch (error) {
      return fail(codeOf(error) ?? 'EIO', 'stdio', '/dev/null');
    }
    const opened: number[] = [];
    const outputs: Output[] = [];
    const closeOpened = (): void => {
      for (const { watch } of outputs) watch.close();
      closeAll(opened);
    };
    try {
      const target = (asked: 'pipe' | 'inherit') => (connection === undefined ? asked : 'inherit');
      const stdout = this.#openOutput(target(request.stdout), connection?.id ?? 1, request.account, opened);
      const stderr = this.#openOutput(target(request.stderr), connection?.id ?? 2, request.account, opened);
      // The pipes are watched first, because nothing may fail any more once the process runs.
      for (const { readEnd } of [stdout, stderr]) if (readEnd !== undefined) outputs.push(this.#read(readEnd));
      const { account } = request;
      const result = this.#edge.spawn({
        file,
        argv: request.argv,
        environment: Object.entries(request.environment).map(([name, value]) => `${name}=${value}`),
        stdio: [stdin, stdout.fd, stderr.fd],
        group: groupOf(request),
        descriptorLimit: this.#descriptorLimit,
        ...(request.stdin === 'terminal' ? { terminal: 0 } : {}),
        ...(request.descriptors === undefined ? {} : { descriptors: request.descriptors }),
        ...(request.pidVariables === undefined ? {} : { pidVariables: request.pidVariables }),
        ...(request.directory === undefined ? {} : { directory: request.directory }),
        ...(account === undefined ? {} : { uid: account.uid, gid: account.gid, groups: account.groups }),
      });
      if (!('pid' in result)) {
        closeOpened();
        return fail(result.code, result.stage, file);
      }
      closeAll(opened.filter((fd) => fd !== stdout.readEnd && fd !== stderr.readEnd));
      forgetProcesses();
      this.#trees.started(result.pid);
      if (outputs.length > 0) this.#outputs.set(result.pid, outputs);
      if (request.stdin === 'terminal') this.#foreground = result.pid;
      const streamOf = (readEnd: number | undefined): Observable<Uint8Array> =>
        outputs.find(({ fd }) => fd === readEnd)?.bytes$ ?? NEVER;
      return { ok: true, pid: result.pid, stdout: streamOf(stdout.readEnd), stderr: streamOf(stderr.readEnd) };
    } catch (error) {
      closeOpened();
      const code = codeOf(error);
      if (code === undefined) throw error;
      return fail(code, 'pipe');
    }
  }

  signal(pid: number, signal: SignalName, target: 'process' | 'group'): SignalOutcome {
    const errno = this.#edge.kill(target === 'group' ? -pid : pid, signalNumber(signal));
    if (errno === 0) return 'sent';
    return errno === ESRCH ? 'vanished' : 'denied';
  }

  signalAll(signal: SignalName): void {
    // As PID 1, kill(2) with -1 reaches the whole namespace and nothing else. Anywhere else it would reach foreign
    // processes.
    if (this.pid === 1) this.#edge.kill(-1, signalNumber(signal));
    else {
      // The table is read again, so that processes that were forked since the last look get the signal, too.
      forgetProcesses();
      for (const pid of descendants(this.pid)) this.#edge.kill(pid, signalNumber(signal));
    }
  }

  hasChildren(): boolean {
    return this.#reapUntilEmpty();
  }

  sink(target: 'stdout' | 'stderr'): Sink {
    const fd = target === 'stdout' ? 1 : 2;
    // A thread of libuv's pool does the write and may block in it: the descriptor is shared with services, so it is
    // never made non-blocking here.
    return { write: (bytes, done) => this.#writeAll(fd, bytes, done), terminal: isatty(fd) };
  }

  fileSink(request: LogFileRequest): Sink {
    return new FileSink(request, this.#clock);
  }

  journalSink(request: JournalRequest): Sink {
    const sink = onDemand(async () => new (await import('./journal-sink.ts')).JournalSink(request));
    return {
      write: (bytes, done) =>
        void sink().then(
          (loaded) => loaded.write(bytes, done),
          () => done('EIO'),
        ),
    };
  }

  remoteSink(host: string): Sink {
    return new RemoteSink(host, this.#clock);
  }

  openLogSocket(path: string, holdOn: () => boolean): LogSocketOutcome {
    return openLogSocket(this.#edge, path, holdOn);
  }

  defer(callback: () => void): void {
    queueMicrotask(callback);
  }

  #writeAll(fd: number, bytes: Uint8Array, done: (errorCode?: string) => void): void {
    write(fd, bytes, (error, written) => {
      if (error === null) {
        if (written === bytes.length) done();
        else this.#writeAll(fd, bytes.subarray(written), done);
      } else if (error.code === 'EAGAIN' || error.code === 'EINTR') {
        setTimeout(() => this.#writeAll(fd, bytes, done), retryDelay);
      } else done(error.code ?? 'EIO');
    });
  }

  #reapAll(): void {
    if (this.#reaping) return;
    this.#reaping = true;
    try {
      if (!this.#reapUntilEmpty()) this.childrenGone$.next({ at: this.#clock.now() });
    } finally {
      this.#reaping = false;
    }
  }

  /**
   * Takes all exits: signals coalesce, so one SIGCHLD may stand for many. After the last batch the kernel asks again
   * whether a child is left, because a subscriber may have started one.
   */
  #reapUntilEmpty(): boolean {
    for (;;) {
      const { exits, childrenLeft } = this.#edge.reap(reapLimit);
      if (exits.length === 0) return childrenLeft;
      this.#emit(exits);
    }
  }

  #emit(exits: readonly NativeExit[]): void {
    forgetProcesses();
    // The groups are looked at before subscribers hear of the exits and change something.
    const leaving = new Set(exits.map(({ pid }) => pid).filter((pid) => this.#livesIn(pid)));
    this.#drainOutputs(exits.map(({ pid }) => pid));
    for (const { pid } of exits) this.#trees.ended(pid);
    // Without this, Ctrl-C at the terminal would go to a process group that no longer exists.
    if (exits.some(({ pid }) => pid === this.#foreground)) this.#edge.takeTerminal(0);
    // The counter is read once per batch: which of several killed processes it means cannot be known.
    const oom = exits.some(({ signal }) => signal === SIGKILL) && this.#oomKills.take() > 0;
    this.exits$.next({
      at: this.#clock.now(),
      exits: exits.map((exit) => ({
        pid: exit.pid,
        status: statusOf(exit, oom),
        usage: { userTime: exit.userTime, systemTime: exit.systemTime, maxRss: exit.maxRss },
        leavesGroup: leaving.has(exit.pid),
      })),
    });
  }

  /** True where a process group has any member, even a zombie or one that chaperone may not signal. */
  #groupExists(group: number): boolean {
    return this.#edge.kill(-group, 0) !== ESRCH;
  }

  /**
   * True where a process group has a living member. All of /proc is read only for the few groups that have any member
   * at all, because kill(2) does not tell the living from the dead.
   */
  #livesIn(group: number): boolean {
    if (!this.#groupExists(group)) return false;
    const members = allProcesses().filter((entry) => entry.group === group);
    // Where /proc shows no member (hidepid, no /proc), the answer of kill(2) has to do.
    return members.length === 0 ? this.#groupExists(group) : members.some(({ zombie }) => !zombie);
  }

  #openOutput(
    target: 'pipe' | 'inherit',
    inherited: number,
    account: SpawnRequest['account'],
    opened: number[],
  ): { readonly fd: number; readonly readEnd?: number } {
    if (target === 'inherit') return { fd: inherited };
    const { readEnd, writeEnd } = this.#edge.pipe();
    opened.push(readEnd, writeEnd);
    if (account !== undefined) giveAway(writeEnd, account.uid, account.gid);
    return { fd: writeEnd, readEnd };
  }

  #read(fd: number): Output {
    const output: Output = {
      fd,
      bytes$: new Subject(),
      watch: this.#edge.watchReadable(fd, () => this.#readPiece(output)),
      ended: false,
    };
    return output;
  }

  /** Reads one piece per turn, because a flooding service must not delay signals and timers. */
  #readPiece(output: Output): void {
    const { bytes, ended } = this.#edge.readNow(output.fd, readBuffer);
    if (bytes > 0) output.bytes$.next(readBuffer.slice(0, bytes));
    if (ended && !output.ended) this.#end(output);
  }

  #end(output: Output): void {
    output.ended = true;
    this.#lingering.delete(output);
    output.watch.close();
    closeSync(output.fd);
    output.bytes$.complete();
  }

  readOutput(pid: number): void {
    for (const output of this.#outputs.get(pid) ?? []) this.#drain(output);
  }

  /**
   * Reads the output that a process wrote before its end, so that its last lines precede its exit even if a grandchild
   * keeps the pipes open. An orphan wrote to the pipes of a service that has ended.
   */
  #drainOutputs(pids: readonly number[]): void {
    if (pids.some((pid) => !this.#outputs.has(pid))) {
      for (const output of this.#lingering) this.#drain(output);
    }
    for (const pid of pids) {
      for (const output of this.#outputs.get(pid) ?? []) {
        this.#drain(output);
        if (!output.ended) this.#lingering.add(output);
      }
      this.#outputs.delete(pid);
    }
  }

  /** Reads only once, because a descendant that keeps writing would otherwise never let this end. */
  #drain(output: Output): void {
    if (output.ended) return;
    const { bytes } = this.#edge.readNow(output.fd, drainBuffer);
    if (bytes > 0) output.bytes$.next(drainBuffer.slice(0, bytes));
  }

  #openNull(): number {
    this.#nullDevice ??= openSync('/dev/null', 'r');
    return this.#nullDevice;
  }
}

/** Errors of bind(2) where IPv6 is off, or has no address. */
const withoutIpv6 = ['EAFNOSUPPORT', 'EADDRNOTAVAIL'];

/** The new process's group. A terminal's foreground group has to be in the terminal's session, which is chaperone's. */
function groupOf({ ownGroup, stdin }: SpawnRequest): 'session' | 'group' | 'none' {
  if (stdin === 'terminal') return 'group';
  return ownGroup ? 'session' : 'none';
}

function statusOf(exit: NativeExit, oom: boolean): ExitStatus {
  if (exit.signal === undefined) return { kind: 'exited', code: exit.code ?? 0 };
  const signal = signalName(exit.signal);
  // Two signals that threads use among themselves have no name.
  if (signal === undefined) return { kind: 'unknown' };
  return {
    kind: 'signaled',
    signal,
    coreDumped: exit.coreDumped,
    ...(oom && exit.signal === SIGKILL ? { oomKilled: true } : {}),
  };
}

/** Gives a pipe to the service's account, so that /dev/stdout can be opened. Without root chaperone keeps it. */
function giveAway(fd: number, uid: number, gid: number): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // EPERM: the pipe cannot be reopened, but it can be written to.
  }
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}
