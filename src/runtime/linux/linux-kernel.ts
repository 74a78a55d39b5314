/**
 * The kernel port on Linux. The body (native/body/), which is PID 1 and the parent of all processes, starts, signals and
 * reaps them; the native edge does what is left, such as pipes and sockets.
 */
import { closeSync, fchownSync, openSync, stat, write } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { NEVER, type Observable, Subject } from 'rxjs';
import type { Connection } from '../../model/schedule/scheduled-runs.ts';
import { type ExitStatus, fromWaitStatus } from '../../model/service/exit-status.ts';
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
import type { Body } from './body.ts';
import { type BodyExit, type BodySpawn, descriptorResource } from './body-protocol.ts';
import { FileSink } from './file-sink.ts';
import { findProgram } from './find-program.ts';
import { LinuxFollowing } from './linux-following.ts';
import { LinuxListener } from './linux-listener.ts';
import { LinuxNotifying } from './linux-notifying.ts';
import { openLogSocket } from './log-socket.ts';
import type { NativeEdge, NativeWatch } from './native.ts';
import { OomKills } from './oom-kills.ts';
import { allProcesses, forgetProcesses, timeOfStarts } from './process-table.ts';
import { ProcessTrees } from './process-trees.ts';
import { RemoteSink } from './remote-sink.ts';

export interface LinuxKernelOptions {
  readonly edge: NativeEdge;
  readonly body: Body;
  readonly clock: Clock;
  /** RLIMIT_NOFILE at the start of chaperone. Services get this limit, because Node raises its own. */
  readonly descriptorLimit: { readonly soft: number; readonly hard: number };
}

/** A stream of the body itself. */
type OwnStream = { readonly body: 0 | 1 | 2 };

function ownStream(body: OwnStream['body']): OwnStream {
  return { body };
}

interface OutputEnds {
  readonly fd: number | OwnStream;
  readonly readEnd?: number;
}

/** The descriptors that become stdin, stdout and stderr of a new process. */
interface Streams {
  readonly stdin: number | OwnStream;
  readonly stdout: OutputEnds;
  readonly stderr: OutputEnds;
}

interface Output {
  readonly fd: number;
  readonly bytes$: Subject<Uint8Array>;
  readonly watch: NativeWatch;
  ended: boolean;
}

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
/** ms that a stop may take before the configuration is known, and at most. */
const firstBudget = 8_000;
const longestBudget = 2 ** 31 - 1;
/** ms that the end of chaperone waits for the body to hear of it. */
const exitPatience = 1_000;

export class LinuxKernel implements Kernel {
  readonly pid: number;
  readonly hostname = hostname();
  readonly exits$ = new Subject<ExitBatch>();
  readonly childrenGone$ = new Subject<{ readonly at: number }>();
  readonly signals$ = new Subject<SignalName>();
  readonly following: LinuxFollowing;
  readonly notifying: LinuxNotifying;
  readonly #trees: ProcessTrees;
  readonly #clock: Clock;
  readonly #edge: NativeEdge;
  readonly #body: Body;
  readonly #descriptorLimit: LinuxKernelOptions['descriptorLimit'];
  readonly #outputs = new Map<number, readonly Output[]>();
  /** Pipes that a descendant holds open after the end of the process that they were made for. */
  readonly #lingering = new Set<Output>();
  /** Descriptors of accepted clients that are still open. */
  readonly #connections = new Map<number, LinuxListener>();
  readonly #variables = new WeakMap<SpawnRequest['environment'], readonly string[]>();
  #nullDevice: number | undefined;
  #errors = 2;
  readonly #oomKills = new OomKills();

  constructor({ edge, body, clock, descriptorLimit }: LinuxKernelOptions) {
    this.pid = body.pid;
    this.#edge = edge;
    this.#body = body;
    this.#clock = clock;
    this.#descriptorLimit = descriptorLimit;
    this.#trees = new ProcessTrees(clock, this.pid, (group) => this.#groupExists(group));
    this.following = new LinuxFollowing(edge, clock, this.#trees, body);
    this.notifying = new LinuxNotifying(edge);
  }

  /** Starts to listen: to signals, and to what happened before. Call it once, when subscribers are in place. */
  open(): void {
    // The first asynchronous call makes libuv create its threads. It is made here so that a low limit (pids, ulimit -u)
    // shows at once; when services have used the limit up, libuv would abort.
    stat('/', () => undefined);
    this.#greet();
    this.#body.facts$.subscribe((fact) => {
      switch (fact.type) {
        case 'signal': {
          const signal = signalName(fact.signal);
          if (signal !== undefined) this.signals$.next(signal);
          break;
        }
        case 'exits':
          this.#emit(fact.exits);
          break;
        case 'alone':
          this.childrenGone$.next({ at: this.#clock.now() });
          break;
      }
    });
  }

  /**
   * Tells the body that this end listens. From then on stderr is a pipe to the body, which tells the last words if the brain
   * dies of something that no code here can catch; lines for people go to a copy of what stderr was.
   */
  #greet(): void {
    const { readEnd, writeEnd } = this.#edge.pipe();
    this.#errors = this.#edge.duplicate(2);
    this.#edge.replaceDescriptor(writeEnd, 2);
    closeSync(writeEnd);
    this.#body.ask({ type: 'hello', budget: firstBudget, words: true }, [readEnd]);
    closeSync(readEnd);
  }

  /** The descriptor of stderr as it was at the start. */
  get errors(): number {
    return this.#errors;
  }

  /** Says how many ms a stop may take from its signal on; after that the body ends everything. */
  allow(budget: number): void {
    this.#body.ask({ type: 'budget', budget: Math.min(longestBudget, Math.ceil(budget)) });
  }

  /** Ends chaperone with this exit status. */
  exit(status: number): void {
    setTimeout(() => this.#edge.exitNow(status), exitPatience);
    this.#body.end(status, () => this.#edge.exitNow(status));
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

  spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): () => void {
    const program = request.argv[0] ?? '';
    const directory = request.directory === undefined ? {} : { directory: request.directory };
    const fail = (code: string, stage: (SpawnOutcome & { ok: false })['error']['stage'], file = program): void =>
      told({ ok: false, error: { code, stage, program: file, ...directory } });

    // Of a path that no directory changes, execve(2) says as much as a look at the file would.
    const file = program.startsWith('/')
      ? program
      : this.findProgram(program, request.environment['PATH'] ?? '', request.directory);
    if (file === undefined) {
      fail('ENOENT', program.includes('/') ? 'exec' : 'lookup');
      return () => undefined;
    }
    const opened: number[] = [];
    const outputs: Output[] = [];
    const closeOpened = (): void => {
      for (const { watch } of outputs) watch.close();
      closeAll(opened);
    };
    let streams: Streams | undefined;
    const since = timeOfStarts();
    // The pipes are opened when the request goes: thousands of starts may wait for that. They are watched before the process
    // runs, because nothing may fail any more then.
    const prepare = (): BodySpawn => {
      streams = this.#openStreams(request, opened);
      for (const { readEnd } of [streams.stdout, streams.stderr])
        if (readEnd !== undefined) outputs.push(this.#read(readEnd));
      return this.#bodySpawn(request, file, streams);
    };
    return this.#body.spawn(prepare, (verdict) => {
      if (!verdict.ok || streams === undefined) {
        closeOpened();
        if (!verdict.ok) fail(verdict.code, verdict.stage, file);
        return;
      }
      const kept = [streams.stdout.readEnd, streams.stderr.readEnd];
      closeAll(opened.filter((fd) => !kept.includes(fd)));
      // What the process writes is read in later turns, when somebody listens to it.
      for (const { watch } of outputs) watch.resume();
      told(this.#begin(verdict.pid, streams, outputs, { since, leads: groupOf(request) === 'session' }));
    });
  }

  /** @param opened gets the descriptors that are opened for it */
  #openStreams(request: SpawnRequest, opened: number[]): Streams {
    const { connection, account } = request;
    if (connection !== undefined)
      return { stdin: connection.id, stdout: { fd: connection.id }, stderr: { fd: connection.id } };
    return {
      stdin: request.stdin === 'null' ? this.#openNull() : ownStream(0),
      stdout: request.stdout === 'pipe' ? this.#openPipe(account, opened) : { fd: ownStream(1) },
      stderr: request.stderr === 'pipe' ? this.#openPipe(account, opened) : { fd: ownStream(2) },
    };
  }

  #bodySpawn(request: SpawnRequest, file: string, { stdin, stdout, stderr }: Streams): BodySpawn {
    const { account } = request;
    return {
      file,
      argv: request.argv,
      environment: this.#variablesOf(request.environment),
      descriptors: new Map([
        [0, stdin],
        [1, stdout.fd],
        [2, stderr.fd],
        ...(request.descriptors ?? []).map((fd, index) => [3 + index, fd] as const),
      ]),
      kept: [stdout.readEnd, stderr.readEnd].filter((fd) => fd !== undefined),
      group: groupOf(request),
      ...(request.stopSignal === undefined ? {} : { stopSignal: signalNumber(request.stopSignal) }),
      terminal: request.stdin === 'terminal',
      limits: [{ resource: descriptorResource, ...this.#descriptorLimit }],
      pidVariables: request.pidVariables ?? [],
      ...(request.directory === undefined ? {} : { directory: request.directory }),
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid, groups: account.groups }),
    };
  }

  /** `NAME=value` strings, made once for each service: its starts share one object where the environment stays the same. */
  #variablesOf(environment: SpawnRequest['environment']): readonly string[] {
    const known = this.#variables.get(environment);
    if (known !== undefined) return known;
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    this.#variables.set(environment, variables);
    return variables;
  }

  /** @param start a time before the start, and whether the process leads a session */
  #begin(
    pid: number,
    { stdout, stderr }: Streams,
    outputs: readonly Output[],
    { since, leads }: { readonly since: number; readonly leads: boolean },
  ): SpawnOutcome {
    forgetProcesses();
    this.#trees.started(pid, since, leads);
    if (outputs.length > 0) this.#outputs.set(pid, outputs);
    const streamOf = (readEnd: number | undefined): Observable<Uint8Array> =>
      outputs.find(({ fd }) => fd === readEnd)?.bytes$ ?? NEVER;
    return { ok: true, pid, stdout: streamOf(stdout.readEnd), stderr: streamOf(stderr.readEnd) };
  }

  signal(pid: number, signal: SignalName, target: 'process' | 'group', told?: (outcome: SignalOutcome) => void): void {
    this.#body.signal(signalNumber(signal), [{ pid, group: target === 'group' }], ([error]) =>
      told?.(error === undefined ? 'sent' : error === 'ESRCH' ? 'vanished' : 'denied'),
    );
  }

  signalAll(signal: SignalName, told?: () => void): void {
    this.#body.catchUp(() => {
      told?.();
      this.#body.ask({ type: 'signalAll', signal: signalNumber(signal) });
    });
  }

  watchChildren(): void {
    this.#body.ask({ type: 'watchAlone' });
  }

  sink(target: 'stdout' | 'stderr'): Sink {
    const fd = target === 'stdout' ? 1 : this.#errors;
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

  #emit(exits: readonly BodyExit[]): void {
    forgetProcesses();
    // The groups are looked at before subscribers hear of the exits and change something.
    const leaving = new Set(exits.map(({ pid }) => pid).filter((pid) => this.#livesIn(pid)));
    this.#drainOutputs(exits.map(({ pid }) => pid));
    for (const { pid } of exits) this.#trees.ended(pid);
    // The counter is read once per batch: which of several killed processes it means cannot be known.
    const oom = exits.some(({ status }) => isKilled(fromWaitStatus(status))) && this.#oomKills.take() > 0;
    this.exits$.next({
      at: this.#clock.now(),
      exits: exits.map(({ pid, status, userTime, systemTime, maxRss }) => ({
        pid,
        status: statusOf(status, oom),
        usage: { userTime, systemTime, maxRss },
        leavesGroup: leaving.has(pid),
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

  #openPipe(account: SpawnRequest['account'], opened: number[]): OutputEnds {
    const { readEnd, writeEnd } = this.#edge.pipe();
    opened.push(readEnd, writeEnd);
    if (account !== undefined) giveAway(writeEnd, account.uid, account.gid);
    return { fd: writeEnd, readEnd };
  }

  /** The watch begins once it is resumed. */
  #read(fd: number): Output {
    const output: Output = {
      fd,
      bytes$: new Subject(),
      watch: this.#edge.watchReadable(fd, () => this.#readPiece(output)),
      ended: false,
    };
    output.watch.pause();
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

function isKilled(status: ExitStatus): status is ExitStatus & { readonly kind: 'signaled' } {
  return status.kind === 'signaled' && status.signal === 'SIGKILL';
}

function statusOf(wait: number, oom: boolean): ExitStatus {
  const status = fromWaitStatus(wait);
  return oom && isKilled(status) ? { ...status, oomKilled: true } : status;
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
