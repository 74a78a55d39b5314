/**
 * The kernel port on Linux. The body (native/body/), which is PID 1 and the parent of all processes, starts, signals and
 * reaps them; the native edge does what is left, such as pipes and sockets.
 */
import { closeSync, fchownSync, openSync, stat, write } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { EMPTY, Subject } from 'rxjs';
import type { Connection } from '../../model/schedule/scheduled-runs.ts';
import { type ExitStatus, fromWaitStatus } from '../../model/service/exit-status.ts';
import { type SignalName, signalName, signalNumber } from '../../model/service/signal.ts';
import type { SpawnError, SpawnErrorStage } from '../../model/service/spawn-error.ts';
import type { FileRequest, FileResult } from '../../model/service/value-sources.ts';
import { codeOf } from '../../model/words/errno.ts';
import type {
  Channel,
  Clock,
  ExitBatch,
  JournalRequest,
  Kernel,
  ListenOutcome,
  LogFile,
  LogFileRequest,
  LogSocketOutcome,
  ServerAnswer,
  ServerQuestion,
  SignalOutcome,
  Sink,
  SpawnOutcome,
  SpawnRequest,
} from '../kernel.ts';
import { onDemand } from '../on-demand.ts';
import type { Body } from './body.ts';
import { type BodyExit, type BodySpawn, encodeProgram } from './body-protocol.ts';
import { type ChildSetup, childSetup } from './child-steps.ts';
import { credentialsFor } from './credentials.ts';
import { Discarder } from './discarder.ts';
import { findProgram } from './find-program.ts';
import { LinuxChannel } from './linux-channel.ts';
import { LinuxFollowing } from './linux-following.ts';
import { LinuxListener } from './linux-listener.ts';
import { LinuxNotifying } from './linux-notifying.ts';
import { openLogSocket } from './log-socket.ts';
import type { NativeEdge } from './native.ts';
import { OomKills } from './oom-kills.ts';
import { Outputs, ProcessOutput } from './outputs.ts';
import { allProcesses, forgetProcesses, timeOfStarts } from './process-table.ts';
import { ProcessTrees } from './process-trees.ts';
import { whyNotExecuted } from './why-not-executed.ts';

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
  /** By the number that the process has for the writing end. */
  readonly pipes: readonly (OutputEnds & { readonly target: number })[];
}

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
  readonly seed = Math.floor(Math.random() * 2 ** 32);
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
  readonly #outputs = new Outputs();
  /** Descriptors of accepted clients that are still open. */
  readonly #connections = new Map<number, LinuxListener>();
  readonly #variables = new WeakMap<SpawnRequest['environment'], readonly string[]>();
  #nullDevice: number | undefined;
  #fileSink: typeof import('./file-sink.ts').FileSink | undefined;
  #askServer: typeof import('./ask-server.ts').askServer | undefined;
  #errors = 2;
  readonly #oomKills = new OomKills();
  readonly #discarder: Discarder;

  constructor({ edge, body, clock, descriptorLimit }: LinuxKernelOptions) {
    this.pid = body.pid;
    this.#edge = edge;
    this.#body = body;
    this.#clock = clock;
    this.#descriptorLimit = descriptorLimit;
    this.#trees = new ProcessTrees(clock, this.pid, (group) => this.#groupExists(group));
    this.following = new LinuxFollowing(edge, clock, this.#trees, body);
    this.#discarder = new Discarder(edge);
    this.notifying = new LinuxNotifying(edge, this.#discarder, this.pid);
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

  fileExists(path: string, told: (exists: boolean) => void): void {
    stat(path, (error) => told(error === null));
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

  openChannel(): Channel {
    return new LinuxChannel(this.#edge);
  }

  closeConnection({ id }: Connection): void {
    if (this.#connections.delete(id)) closeSync(id);
  }

  spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): () => void {
    const program = request.argv[0] ?? '';
    const directory = request.directory === undefined ? {} : { directory: request.directory };
    const searchPath = request.environment['PATH'] ?? '';
    const fail = (
      code: string,
      stage: SpawnErrorStage,
      path = program,
      more: Pick<SpawnError, 'detail' | 'needs'> = {},
    ): void => told({ ok: false, error: { code, stage, program: path, ...directory, ...more } });

    // Of a path that no directory changes, execve(2) says as much as a look at the file would.
    const file = program.startsWith('/') ? program : this.findProgram(program, searchPath, request.directory);
    if (file === undefined) {
      fail('ENOENT', program.includes('/') ? 'exec' : 'lookup');
      return () => undefined;
    }
    const why = (code: string): Pick<SpawnError, 'detail'> => {
      const detail = whyNotExecuted(code, file, { searchPath, directory: request.directory ?? process.cwd() });
      return detail === undefined ? {} : { detail };
    };
    const opened: number[] = [];
    let streams: Streams | undefined;
    let output: ProcessOutput | undefined;
    let pipes: ProcessOutput | undefined;
    const since = timeOfStarts();
    let settle = (): void => undefined;
    const setup = this.#setupOf(request);
    // The pipes are opened when the request goes: thousands of starts may wait for that. They are watched before the process
    // runs, because nothing may fail any more then.
    const prepare = (): BodySpawn => {
      settle = this.#trees.requested();
      streams = this.#openStreams(request, opened);
      output = new ProcessOutput(this.#edge, readEndsOf(streams));
      // Nothing holds these back: they are no output.
      pipes = new ProcessOutput(this.#edge, pipeEndsOf(streams));
      return this.#bodySpawn(request, file, streams, setup);
    };
    return this.#body.spawn(prepare, (verdict) => {
      if (!verdict.ok || streams === undefined || output === undefined) {
        settle();
        output?.abandon();
        pipes?.abandon();
        closeAll(opened);
        if (verdict.ok) return;
        const { code, stage } = verdict;
        if (typeof stage !== 'number') fail(code, stage, file, stage === 'exec' ? why(code) : {});
        else {
          const { detail, needs, stage: refused = 'exec' } = setup.steps[stage] ?? {};
          fail(code, refused, file, {
            ...(detail === undefined ? {} : { detail }),
            ...(needs === undefined ? {} : { needs }),
          });
        }
        return;
      }
      const kept = [...readEndsOf(streams), ...pipeEndsOf(streams)];
      closeAll(opened.filter((fd) => !kept.includes(fd)));
      // What the process writes is read in later turns, when somebody listens to it.
      output.resume();
      pipes?.resume();
      const written = pipeEndsOf(streams).map((fd) => pipes?.bytesOf(fd) ?? EMPTY);
      const outcome = this.#begin(verdict.pid, streams, output, {
        pipes: written,
        since,
        leads: groupOf(request) === 'session',
      });
      settle();
      told(outcome);
    });
  }

  /** What `as-service` reads to become the program of a request, with standard streams of its own; or why that cannot be. */
  programOf(request: SpawnRequest): Uint8Array | SpawnError {
    const program = request.argv[0] ?? '';
    const file = this.findProgram(program, request.environment['PATH'] ?? '', request.directory);
    if (file === undefined) return { code: 'ENOENT', stage: program.includes('/') ? 'exec' : 'lookup', program };
    const { argv, environment, directory } = request;
    return encodeProgram({
      file,
      argv,
      environment: this.#variablesOf(environment),
      descriptors: new Map(),
      group: 'none',
      terminal: false,
      ...this.#setupOf(request),
      pidVariables: [],
      ...(directory === undefined ? {} : { directory }),
    });
  }

  /** @param opened gets the descriptors that are opened for it */
  #openStreams(request: SpawnRequest, opened: number[]): Streams {
    const { connection, account } = request;
    if (connection !== undefined) {
      const stdout = { fd: connection.id };
      return { stdin: connection.id, stdout, stderr: this.#openErrors(request, stdout, opened), pipes: [] };
    }
    const stdout = this.#openOutput(request.stdout, 1, account, opened);
    return {
      stdin: this.#openInput(request.stdin),
      stdout,
      stderr: this.#openErrors(request, stdout, opened),
      pipes: (request.pipes ?? []).map((target) => ({ target, ...this.#openPipe(account, opened) })),
    };
  }

  #openInput(stdin: SpawnRequest['stdin']): Streams['stdin'] {
    if (stdin === 'null') return this.#openNull();
    return typeof stdin === 'string' ? ownStream(0) : this.#channelOf(stdin).readEnd;
  }

  #openOutput(
    target: SpawnRequest['stdout'],
    own: 1 | 2,
    account: SpawnRequest['account'],
    opened: number[],
  ): OutputEnds {
    if (target === 'pipe') return this.#openPipe(account, opened);
    return { fd: target === 'inherit' ? ownStream(own) : this.#channelOf(target).writeEnd };
  }

  #openErrors({ stderr, account }: SpawnRequest, { fd }: OutputEnds, opened: number[]): OutputEnds {
    return stderr === 'stdout' ? { fd } : this.#openOutput(stderr, 2, account, opened);
  }

  #channelOf(channel: Channel): LinuxChannel {
    if (!(channel instanceof LinuxChannel)) throw new Error('internal error: a channel of another kernel');
    return channel;
  }

  #bodySpawn(
    request: SpawnRequest,
    file: string,
    { stdin, stdout, stderr, pipes }: Streams,
    setup: ChildSetup,
  ): BodySpawn {
    return {
      file,
      argv: request.argv,
      environment: this.#variablesOf(request.environment),
      descriptors: new Map([
        [0, stdin],
        [1, stdout.fd],
        [2, stderr.fd],
        ...(request.descriptors ?? []).map((fd, index) => [3 + index, fd] as const),
        ...pipes.map(({ target, fd }) => [target, fd] as const),
      ]),
      kept: [...readEndsOf({ stdout, stderr }), ...pipeEndsOf({ pipes })],
      group: groupOf(request),
      ...(request.stopSignal === undefined ? {} : { stopSignal: signalNumber(request.stopSignal) }),
      terminal: request.stdin === 'terminal',
      ...setup,
      pidVariables: request.pidVariables ?? [],
      ...(request.directory === undefined ? {} : { directory: request.directory }),
    };
  }

  #setupOf({ account, resources }: SpawnRequest): ChildSetup {
    return childSetup({
      descriptorLimit: this.#descriptorLimit,
      ...(account === undefined ? {} : { ids: credentialsFor(account) }),
      ownGroups: () => process.getgroups?.() ?? [],
      resources,
    });
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
    output: ProcessOutput,
    {
      since,
      leads,
      pipes,
    }: Pick<SpawnOutcome & { readonly ok: true }, 'pipes'> & {
      readonly since: number;
      readonly leads: boolean;
    },
  ): SpawnOutcome {
    forgetProcesses();
    this.#trees.started(pid, since, leads);
    this.#outputs.add(pid, output);
    return {
      ok: true,
      pid,
      stdout: output.bytesOf(stdout.readEnd),
      stderr: output.bytesOf(stderr.readEnd),
      output,
      pipes,
    };
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

  /** Await this before the first log file is used. The code is loaded only here, because many systems have no log file. */
  async loadFiles(): Promise<void> {
    this.#fileSink = (await import('./file-sink.ts')).FileSink;
  }

  /** Await this before the first probe. The code is loaded only here, because many systems have no probes. */
  async loadProbes(): Promise<void> {
    this.#askServer = (await import('./ask-server.ts')).askServer;
  }

  ask(question: ServerQuestion, told: (answer: ServerAnswer) => void): () => void {
    if (this.#askServer === undefined) throw new Error('internal error: the code for probes is not loaded');
    return this.#askServer(question, told);
  }

  fileSink(request: LogFileRequest, onTrouble: (errorCode: string) => void): LogFile {
    if (this.#fileSink === undefined) throw new Error('internal error: the code for log files is not loaded');
    return new this.#fileSink(request, this.#clock, onTrouble);
  }

  journalSink(request: JournalRequest): Sink {
    return lateSink(async () => new (await import('./journal-sink.ts')).JournalSink(request));
  }

  remoteSink(host: string): Sink {
    return lateSink(async () => new (await import('./remote-sink.ts')).RemoteSink(host, this.#clock));
  }

  openLogSocket(path: string, holdOn: () => boolean): LogSocketOutcome {
    const ports = { edge: this.#edge, library: this.notifying.library, discarder: this.#discarder };
    return openLogSocket(ports, path, holdOn);
  }

  readValues(requests: readonly FileRequest[], told: (results: readonly FileResult[]) => void): void {
    // The code is loaded only here, because few services read their values from files.
    import('./value-files.ts')
      .then(({ readValueFiles }) => readValueFiles(requests))
      .catch((error: unknown) => requests.map((): FileResult => ({ ok: false, code: codeOf(error) ?? 'EIO' })))
      .then(told);
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
    this.#outputs.exited(exits.map(({ pid }) => pid));
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

  readOutput(pid: number): void {
    this.#outputs.read(pid);
  }

  #openNull(): number {
    this.#nullDevice ??= openSync('/dev/null', 'r');
    return this.#nullDevice;
  }
}

function readEndsOf({ stdout, stderr }: Pick<Streams, 'stdout' | 'stderr'>): readonly number[] {
  return [stdout.readEnd, stderr.readEnd].filter((fd) => fd !== undefined);
}

function pipeEndsOf({ pipes }: Pick<Streams, 'pipes'>): readonly number[] {
  return pipes.map(({ readEnd }) => readEnd).filter((fd) => fd !== undefined);
}

/** A sink whose code is loaded with the first write: many systems have none of its kind. */
function lateSink(load: () => Promise<Sink>): Sink {
  const sink = onDemand(load);
  let used = false;
  return {
    write: (bytes, done) => {
      used = true;
      sink().then(
        (loaded) => loaded.write(bytes, done),
        () => done('EIO'),
      );
    },
    close: () => {
      if (!used) return;
      sink().then(
        (loaded) => loaded.close?.(),
        () => undefined,
      );
    },
  };
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
