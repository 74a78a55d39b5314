/**
 * A kernel in memory: a process table, scripted programs and one virtual clock. It behaves as Linux does where
 * chaperone could notice a difference: exits are reported later and in batches, chaperone adopts orphans, a pipe ends
 * when its last holder has ended, a signal to a vanished process gives ESRCH.
 */
import { EMPTY, Observable, Subject } from 'rxjs';
import { strftime, variesWithTime } from '../../model/log/log-format.ts';
import type { LogSender } from '../../model/log/log-record.ts';
import type { Connection } from '../../model/schedule/scheduled-runs.ts';
import type { ExitStatus } from '../../model/service/exit-status.ts';
import type { NotifySender } from '../../model/service/notify-access.ts';
import type { SignalName } from '../../model/service/signal.ts';
import type { SpawnError, SpawnErrorStage } from '../../model/service/spawn-error.ts';
import type { FileRequest, FileResult } from '../../model/service/value-sources.ts';
import type {
  Channel,
  ExitBatch,
  Following,
  JournalRequest,
  Kernel,
  ListenOutcome,
  LogDatagram,
  LogFile,
  LogFileRequest,
  LogSocketOutcome,
  NotifyDatagram,
  Notifying,
  NotifySocket,
  OutputControl,
  PidfileText,
  ProcessExit,
  ProcessTree,
  ProcessView,
  ServerAnswer,
  ServerQuestion,
  SignalOutcome,
  Sink,
  SpawnOutcome,
  SpawnRequest,
  TreeMember,
} from '../kernel.ts';
import type { Script, ServedAnswer, ServedPlace, Step } from './script.ts';
import { SimulatedChannel } from './simulated-channel.ts';
import { SimulatedListener } from './simulated-listener.ts';
import { SupervisorClock } from './supervisor-clock.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A spawn error to inject. */
export interface SpawnFault {
  readonly code: string;
  readonly stage: SpawnErrorStage;
}

/** An event of the kernel, for recorders. `id` identifies a process for ever, its pid only while it lives. */
export type KernelFact =
  /** Chaperone has asked for a start, whose verdict comes later. */
  | { readonly kind: 'requested'; readonly request: SpawnRequest }
  | { readonly kind: 'spawned'; readonly id: number; readonly pid: number; readonly request: SpawnRequest }
  | { readonly kind: 'unspawned'; readonly request: SpawnRequest; readonly error: SpawnError }
  /** Chaperone is told that the start has succeeded. */
  | { readonly kind: 'begun'; readonly id: number }
  /** A program has forked a process, which has no `spawned` fact. `root` is the ancestor that chaperone had started. */
  | { readonly kind: 'forked'; readonly id: number; readonly pid: number; readonly root: number }
  | {
      readonly kind: 'ended';
      readonly id: number;
      readonly pid: number;
      readonly status: ExitStatus;
      /** True where chaperone is the process's parent. */
      readonly child: boolean;
    }
  /** A process has entered from outside. */
  | { readonly kind: 'entered'; readonly id: number; readonly pid: number }
  /** Chaperone was told of the ends of these processes. */
  | { readonly kind: 'reaped'; readonly ids: readonly number[] }
  /** A signal that chaperone sent has reached the process. */
  | {
      readonly kind: 'signalled';
      readonly id: number;
      readonly pid: number;
      readonly root: number;
      readonly signal: SignalName;
    }
  /** Chaperone asks whoever answers at a place. */
  | { readonly kind: 'asked'; readonly place: ServedPlace }
  /** Chaperone has taken a client's connection from the backlog of a port; a client has found the end of its connection. */
  | { readonly kind: 'accepted'; readonly connection: number; readonly port: number }
  | { readonly kind: 'hungUp'; readonly connection: number }
  /** A process has written to a channel, or has taken a line from one. */
  | { readonly kind: 'wrote' | 'took'; readonly root: number; readonly text: string }
  /** A datagram has arrived at an open notify socket. */
  | { readonly kind: 'notified'; readonly service: string; readonly text: string; readonly sender: NotifySender };

/** The deliveries of one datagram: each after `delay` ms, and from `sender` where that is another process. */
export type NotifyFate = readonly { readonly delay: number; readonly sender?: NotifySender }[];

/** The programs of the simulated machine, and its faults. */
export interface SimulatedPrograms {
  /** True where a program of that path or name exists. */
  has(word: string): boolean;
  /** The script of the program when it is started with these arguments. Undefined: there is no such program. */
  script(argv: readonly string[]): Script | undefined;
  /** The fault of a spawn. Undefined: the spawn succeeds. */
  fault?(request: SpawnRequest): SpawnFault | undefined;
  /** ms from the request to the verdict; above 10,000 the start is given up (ETIMEDOUT). Undefined: at once, in a later turn. */
  spawnDelay?(request: SpawnRequest): number | undefined;
  /** The errno's name where a port cannot be listened on. Undefined: it can, unless it is in use. */
  listenFault?(port: number): string | undefined;
  /** The errno's name where a client cannot be accepted. Undefined: it can. */
  acceptFault?(): string | undefined;
  /** The deliveries of a service's datagram. Undefined: it arrives as it was sent. */
  notifyFate?(service: string): NotifyFate | undefined;
  /** The text of a file of values, or an errno's name as `code`; undefined: it does not exist. */
  valueFile?(path: string): string | { readonly code: string } | undefined;
  /** ms that reading values takes. Undefined: none, but a later turn. */
  readDelay?(requests: readonly FileRequest[]): number | undefined;
  /** ms from the first end to the SIGCHLD that reports it together with all later ends. */
  deliveryDelay?(): number;
  /** True where the lowest free pid is reused; otherwise pids only grow. */
  readonly reusesPids?: boolean;
  /** The seed of the random numbers of this world. */
  readonly seed?: number;
  /** False: the kernel tells only the parent how a process has ended. */
  readonly tellsStatus?: boolean;
  onFact?(fact: KernelFact): void;
}

interface Pipe {
  readonly bytes$: Subject<Uint8Array>;
  readonly holders: Set<number>;
  /** The output that was written while chaperone does not read; undefined while it reads. */
  held?: Uint8Array[] | undefined;
  /** The connection that this pipe stands for. */
  readonly client?: number;
  /** The channel that the pipe leads into; chaperone reads nothing of it then. */
  readonly channel?: SimulatedChannel;
}

/** The client's side of a connection. */
export interface SimulatedClient {
  /** The text that the client has received. */
  text: string;
  /** True once the other side has hung up. */
  ended: boolean;
}

interface SimulatedProcess {
  readonly id: number;
  readonly pid: number;
  parent: number;
  readonly group: number;
  /** The ids of the process's ancestors, beginning with the one that chaperone has started, and its own id. */
  readonly lineage: readonly number[];
  readonly uid: number;
  readonly environment: SpawnRequest['environment'];
  readonly ended$: Subject<ExitStatus>;
  readonly stdin: SimulatedChannel | undefined;
  readonly stdout: Pipe | undefined;
  readonly stderr: Pipe | undefined;
  /** The pipes of probes, by the number of the descriptor. */
  readonly pipes: ReadonlyMap<number, Pipe>;
  readonly script: Script;
  /** The timer of the process's next step. */
  timer: number | undefined;
  next: { readonly steps: readonly Step[]; readonly due: number } | undefined;
  /** Set by SIGSTOP: the signals that came since then and that the process will get. */
  stopped: SignalName[] | undefined;
}

interface Zombie extends Omit<ProcessExit, 'leavesGroup'> {
  readonly id: number;
  readonly group: number;
  readonly ended$: Subject<ExitStatus>;
}

interface Socket {
  readonly service: string;
  readonly datagrams$: Subject<NotifyDatagram>;
}

/** A datagram that somebody sends to a notify socket. */
export interface SentDatagram {
  readonly text: string;
  readonly sender: NotifySender;
  /** How many descriptors come along. */
  readonly descriptors?: number;
}

const ownPid = 1;
/** The parent of a process that has entered from outside, as its own namespace tells it. */
const outside = 0;
/** As in the body: ms after which a child is given up that has not reached its program. */
const spawnPatience = 10_000;
/** As on Linux: ms after which observers give up to wait for the status of a process that its parent does not reap. */
const statusPatience = 1_275;
/** The signals whose default action does not end a process, signal(7). */
const ignoredByDefault: readonly SignalName[] = ['SIGCONT', 'SIGCHLD', 'SIGWINCH', 'SIGURG'];
const noUsage = { userTime: 0, systemTime: 0, maxRss: 0 };
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class SimulatedKernel implements Kernel {
  readonly pid = ownPid;
  readonly hostname = 'simulated';
  readonly seed: number;
  readonly exits$ = new Subject<ExitBatch>();
  readonly childrenGone$ = new Subject<{ readonly at: number }>();
  readonly signals$ = new Subject<SignalName>();
  /** The text that was written to each sink so far. */
  readonly written: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  /** The datagrams that were sent to foreign sockets, as `PATH TEXT`. */
  readonly sent: string[] = [];
  /** All spawns so far. */
  readonly spawned: { readonly pid: number; readonly request: SpawnRequest }[] = [];
  /** Descriptors that came with datagrams and that are still open. */
  readonly openDescriptors = new Set<number>();
  /** The text that was written to each log file so far, by file name. */
  readonly files = new Map<string, string>();
  /** The packets that were sent to other syslog daemons. */
  readonly packets: string[] = [];
  /** The errnos of sinks and sockets that fail, by name; with ENOSPC a sink takes the rest later. */
  readonly sinkFaults = new Map<string, string>();
  /** How many ms a write takes, by the sink's name. */
  readonly sinkDelays = new Map<string, number>();
  /** The resource that is exhausted: every spawn, socket or connection that needs it fails. */
  exhausted: 'descriptors' | 'memory' | undefined;
  readonly clock: VirtualClock;
  /** The clock for chaperone, which can stall. */
  readonly supervisorClock: SupervisorClock;
  readonly #files = new Map<string, { readonly text: string; readonly version: number; readonly uid: number }>();
  readonly #sockets = new Map<string, Socket>();
  #nextVersion = 1;
  #nextSocket = 1;
  #nextDescriptor = 100;
  readonly #programs: SimulatedPrograms;
  readonly #table = new Map<number, SimulatedProcess>();
  readonly #listeners = new Map<number, SimulatedListener>();
  /** The simulated servers, by the place at which they answer. */
  readonly #servers = new Map<ServedPlace, { readonly id: number; readonly answer: ServedAnswer }>();
  /** Clients that were accepted and are still open. */
  readonly #connections = new Map<number, SimulatedListener>();
  readonly #clients = new Map<number, SimulatedClient>();
  #nextConnection = 1;
  readonly #logSockets = new Map<string, Subject<readonly LogDatagram[]>>();
  #nextPid = ownPid + 1;
  #nextId = 1;
  /** The invocation of each tracked start, by the id of its process. */
  readonly #invocations = new Map<number, string>();
  #nextInvocation = 1;
  /** Starts without a verdict: each function makes it, and has it passed on to chaperone. */
  readonly #underWay = new Set<(pass: (callback: () => void) => void) => void>();
  /** Verdicts that chaperone is about to be told. */
  readonly #verdicts: (() => void)[] = [];
  /** Ended children of chaperone that it has not reaped yet. */
  #zombies: Zombie[] = [];
  /** Ended children of scripted parents that these have not reaped yet. */
  readonly #othersZombies = new Set<Pick<Zombie, 'pid' | 'group'>>();
  #deliveryPlanned = false;
  /** Somebody wants to know when no child is left. */
  #childrenAreWatched = false;

  constructor(clock: VirtualClock, programs: SimulatedPrograms) {
    this.clock = clock;
    this.supervisorClock = new SupervisorClock(clock);
    this.#programs = programs;
    this.seed = programs.seed ?? 0;
  }

  /** All living processes except chaperone, and those that have entered from outside. */
  get livePids(): readonly number[] {
    return [...this.#table.values()].filter((process) => !isStranger(process)).map(({ pid }) => pid);
  }

  /** The connections that chaperone holds open itself. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** The ports that chaperone listens on. */
  get ports(): readonly number[] {
    return [...this.#listeners.keys()];
  }

  /** Connects to a port from outside. Undefined where no listener is there. */
  connect(port: number): SimulatedClient | undefined {
    const listener = this.#listeners.get(port);
    if (listener === undefined) return undefined;
    const id = this.#nextConnection++;
    const client = { text: '', ended: false };
    this.#clients.set(id, client);
    listener.enqueue({ id, address: '127.0.0.1', port: 40_000 + id });
    return client;
  }

  /** Processes that have ended and whose end chaperone does not know yet. */
  get unreaped(): readonly number[] {
    return this.#zombies.map(({ pid }) => pid);
  }

  /** Sends a signal to chaperone from outside. */
  deliver(signal: SignalName): void {
    this.supervisorClock.arrive(() => this.signals$.next(signal));
  }

  /** Sends a signal to a process from outside. */
  strike(pid: number, signal: SignalName): void {
    const process = this.#table.get(pid);
    if (process !== undefined) this.#receive(process, signal);
  }

  /** Makes a process run steps beside its script. */
  inject(pid: number, steps: readonly Step[]): void {
    const process = this.#table.get(pid);
    if (process !== undefined) for (const step of steps) this.#act(process, step);
  }

  findProgram(word: string): string | undefined {
    return this.#programs.has(word) ? word : undefined;
  }

  fileExists(path: string, told: (exists: boolean) => void): void {
    this.supervisorClock.setTimeout(() => told(this.#files.has(path)), 0);
  }

  listen(port: number): ListenOutcome {
    const code =
      this.#programs.listenFault?.(port) ??
      (this.#listeners.has(port) ? 'EADDRINUSE' : undefined) ??
      exhaustionCode(this.exhausted);
    if (code !== undefined) return { ok: false, code, tried: ['all simulated addresses'] };
    const listener = new SimulatedListener(this.supervisorClock, {
      acceptFault: () => this.#programs.acceptFault?.() ?? exhaustionCode(this.exhausted),
      onTaken: ({ id }) => {
        this.#connections.set(id, listener);
        this.#programs.onFact?.({ kind: 'accepted', connection: id, port });
      },
      onClosed: () => {
        this.#listeners.delete(port);
        for (const [id, owner] of this.#connections) if (owner === listener) this.#hangUp(id);
      },
      onRefused: ({ id }) => this.#hangUp(id),
    });
    this.#listeners.set(port, listener);
    return { ok: true, listener };
  }

  openChannel(): Channel {
    const code = exhaustionCode(this.exhausted);
    if (code !== undefined) throw Object.assign(new Error(`${code}: a channel`), { code });
    return new SimulatedChannel();
  }

  closeConnection({ id }: Connection): void {
    this.#connections.delete(id);
    // A process that holds the connection keeps it open.
    const held = [...this.#table.values()].some((process) => process.stdout?.client === id);
    if (!held) this.#hangUp(id);
  }

  #hangUp(id: number): void {
    this.#connections.delete(id);
    const client = this.#clients.get(id);
    if (client === undefined) return;
    client.ended = true;
    this.#clients.delete(id);
    this.#programs.onFact?.({ kind: 'hungUp', connection: id });
  }

  readValues(requests: readonly FileRequest[], told: (results: readonly FileResult[]) => void): void {
    const results = requests.map(({ kind, path }): FileResult => {
      const file = this.#programs.valueFile?.(path) ?? { code: 'ENOENT' };
      if (typeof file !== 'string') return { ok: false, code: file.code };
      if (kind === 'place') return { ok: true, texts: [] };
      // The text of a folder has a line for each file: `NAME=TEXT`.
      const lines = kind === 'file' ? [] : file.split('\n').filter((line) => line !== '');
      const texts = lines.map((line) => [line.split('=', 1)[0] ?? '', line.replace(/^[^=]*=/, '')] as const);
      return { ok: true, texts: kind === 'file' ? [['', file]] : texts };
    });
    this.clock.setTimeout(
      () => this.supervisorClock.arrive(() => told(results)),
      this.#programs.readDelay?.(requests) ?? 0,
    );
  }

  spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): () => void {
    this.#programs.onFact?.({ kind: 'requested', request });
    if (this.exhausted === 'descriptors') {
      // The pipes are opened before the body is asked.
      const outcome = failedSpawn(request, { code: 'EMFILE', stage: 'pipe' });
      this.#programs.onFact?.({ kind: 'unspawned', request, error: outcome.error });
      told(outcome);
      return () => undefined;
    }
    const delay = this.#programs.spawnDelay?.(request) ?? 0;
    const late: SpawnFault | undefined = delay > spawnPatience ? { code: 'ETIMEDOUT', stage: 'exec' } : undefined;
    const judge = (pass: (callback: () => void) => void, fault = late): void => {
      if (!this.#underWay.delete(judge)) return;
      const outcome = fault === undefined ? this.#spawn(request) : failedSpawn(request, fault);
      const id = outcome.ok ? this.#idOf(outcome.pid) : undefined;
      this.#verdicts.push(() => {
        if (id !== undefined) this.#programs.onFact?.({ kind: 'begun', id });
        if (!outcome.ok) this.#programs.onFact?.({ kind: 'unspawned', request, error: outcome.error });
        told(outcome);
      });
      pass(() => this.#tellVerdicts());
      if (!outcome.ok) this.#planDelivery();
    };
    this.#underWay.add(judge);
    this.clock.setTimeout(
      () => judge((callback) => this.supervisorClock.arrive(callback)),
      Math.min(delay, spawnPatience),
    );
    return () => judge((callback) => this.#later(callback, 0), { code: 'ECANCELED', stage: 'exec' });
  }

  #tellVerdicts(): void {
    for (const tell of this.#verdicts.splice(0)) tell();
  }

  #spawn(request: SpawnRequest): SpawnOutcome {
    const program = request.argv[0] ?? '';
    const fail = (fault: SpawnFault): SpawnOutcome => failedSpawn(request, fault);
    const fault = this.#programs.fault?.(request);
    if (fault !== undefined) return fail(fault);
    if (this.exhausted === 'memory') return fail({ code: 'ENOMEM', stage: 'clone' });
    const script = this.#programs.script(request.argv);
    if (script === undefined) return fail({ code: 'ENOENT', stage: program.includes('/') ? 'exec' : 'lookup' });

    const { connection } = request;
    if (connection !== undefined) {
      const socket = this.#socketOf(connection);
      const stderr = request.stderr === 'stdout' ? socket : makePipe(request.stderr);
      return this.#begin(script, request, { stdout: socket, stderr });
    }
    const stdout = makePipe(request.stdout);
    return this.#begin(script, request, {
      stdout,
      stderr: request.stderr === 'stdout' ? stdout : makePipe(request.stderr),
    });
  }

  #begin(
    script: Script,
    request: SpawnRequest,
    { stdout, stderr }: Pick<SimulatedProcess, 'stdout' | 'stderr'>,
  ): SpawnOutcome {
    const pipes = new Map(
      (request.pipes ?? []).map((fd): [number, Pipe] => [fd, { bytes$: new Subject(), holders: new Set() }]),
    );
    const { id, pid } = this.#start(script, { pid: ownPid, lineage: [] }, request.ownGroup ? 'own' : ownPid, {
      stdin: request.stdin instanceof SimulatedChannel ? request.stdin : undefined,
      stdout,
      stderr,
      pipes,
      uid: request.account?.uid ?? 0,
      environment: request.environment,
    });
    this.spawned.push({ pid, request });
    this.#programs.onFact?.({ kind: 'spawned', id, pid, request });
    // Chaperone reads neither what a client gets, nor what another program does.
    const isRead = (pipe: Pipe | undefined): pipe is Pipe =>
      pipe !== undefined && pipe.client === undefined && pipe.channel === undefined;
    return {
      ok: true,
      pid,
      stdout: isRead(stdout) ? stdout.bytes$ : EMPTY,
      stderr: isRead(stderr) && stderr !== stdout ? stderr.bytes$ : EMPTY,
      output: controlOf([stdout, stderr].filter(isRead)),
      pipes: [...pipes.values()].map(({ bytes$ }) => bytes$),
    };
  }

  signal(pid: number, signal: SignalName, target: 'process' | 'group', told?: (outcome: SignalOutcome) => void): void {
    const outcome = this.#signal(pid, signal, target);
    told?.(outcome);
  }

  #signal(pid: number, signal: SignalName, target: 'process' | 'group'): SignalOutcome {
    const targets =
      target === 'group'
        ? [...this.#table.values()].filter((process) => process.group === pid)
        : [this.#table.get(pid)].filter((process) => process !== undefined);
    if (targets.length === 0) {
      // A zombie still takes signals, without effect.
      return this.#zombies.some((zombie) => zombie.pid === pid) ? 'sent' : 'vanished';
    }
    for (const process of targets) this.#receiveFromChaperone(process, signal);
    return 'sent';
  }

  signalAll(signal: SignalName, told?: () => void): void {
    told?.();
    // The signal ends a child on its way to its program, too, which then counts as started.
    for (const judge of [...this.#underWay]) judge((callback) => this.#later(callback, 0));
    for (const process of [...this.#table.values()]) {
      if (isStranger(process)) this.#receive(process, signal);
      else this.#receiveFromChaperone(process, signal);
    }
  }

  watchChildren(): void {
    this.#childrenAreWatched = true;
    this.#planDelivery();
  }

  /** @param uid of the file's owner */
  writeFile(path: string, text: string, uid = 0): void {
    this.#files.set(path, { text, version: this.#nextVersion++, uid });
  }

  readFile(path: string): string | undefined {
    return this.#files.get(path)?.text;
  }

  get openSockets(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  ask(question: ServerQuestion, told: (answer: ServerAnswer) => void): () => void {
    const place = placeOf(question);
    this.#programs.onFact?.({ kind: 'asked', place });
    const answer = this.#servers.get(place)?.answer ?? 'refuses';
    let isCancelled = false;
    const reply = (value: ServerAnswer, delay = 0): void => {
      this.#later(() => {
        if (!isCancelled) told(value);
      }, delay);
    };
    if (answer === 'refuses') reply({ kind: 'failed', code: typeof place === 'number' ? 'ECONNREFUSED' : 'ENOENT' });
    else if (question.kind === 'connect') reply({ kind: 'accepted' });
    else if (answer !== 'hangs') {
      const body = question.wantsBody ? (answer.body ?? '') : '';
      reply({ kind: 'answered', status: answer.status, body }, answer.delay);
    }
    return () => {
      isCancelled = true;
    };
  }

  readonly following: Following = {
    uid: 0,
    lookUp: (pid): ProcessView | undefined => {
      const process = this.#table.get(pid);
      if (process === undefined) return undefined;
      const { id, parent, group, uid } = process;
      return { pid, parent, group, uid, began: id };
    },
    isOwn: (pid) => pid === ownPid,
    watchEnd: (pid) =>
      new Observable((subscriber) => {
        const process = this.#table.get(pid) ?? this.#zombies.find((zombie) => zombie.pid === pid);
        if (process !== undefined) return process.ended$.subscribe(subscriber);
        const timer = this.supervisorClock.setTimeout(() => {
          subscriber.next({ kind: 'unknown' });
          subscriber.complete();
        }, 0);
        return () => this.supervisorClock.clearTimeout(timer);
      }),
    newInvocation: () => String(this.#nextInvocation++),
    track: (root, invocation): ProcessTree => {
      const id = this.#idOf(root);
      this.#invocations.set(id, invocation);
      return {
        startEnded: () => undefined,
        members: () => [...this.#table.values()].filter(({ lineage }) => lineage.includes(id)).map(memberOf),
        forget: () => this.#invocations.delete(id),
      };
    },
    invocationOf: (pid) => {
      const root = this.#table.get(pid)?.lineage.find((id) => this.#invocations.has(id));
      return root === undefined ? undefined : this.#invocations.get(root);
    },
    daemonsOf: (variable) =>
      [...this.#table.values()]
        .filter(
          ({ parent, lineage, environment }) =>
            parent === ownPid &&
            lineage.length > 1 &&
            Object.entries(environment).some(([name, value]) => `${name}=${value}` === variable),
        )
        .map(({ pid }) => pid),
    trackGroup: (pid): ProcessTree => {
      const id = this.#idOf(pid);
      return {
        startEnded: () => undefined,
        members: () =>
          [...this.#table.values()].filter(({ group, lineage }) => group === pid && lineage.includes(id)).map(memberOf),
        forget: () => undefined,
      };
    },
    readPidfile: (path): PidfileText | undefined => {
      const file = this.#files.get(path);
      return file === undefined ? undefined : { text: file.text, stamp: String(file.version), byRoot: file.uid === 0 };
    },
    stampOf: (path) => {
      const file = this.#files.get(path);
      return file === undefined ? undefined : String(file.version);
    },
    removePidfile: (path) => {
      this.#files.delete(path);
      return undefined;
    },
  };

  readonly notifying: Notifying = {
    openSocket: (service): NotifySocket => {
      const code = exhaustionCode(this.exhausted);
      if (code !== undefined) throw Object.assign(new Error(`${code}: a notify socket for ${service}`), { code });
      const path = `/run/chaperone/${service}-${this.#nextSocket++}`;
      const datagrams$ = new Subject<NotifyDatagram>();
      this.#sockets.set(path, { service, datagrams$ });
      return {
        path,
        datagrams$,
        close: () => {
          this.#sockets.delete(path);
          datagrams$.complete();
        },
      };
    },
    closeDescriptor: (descriptor) => {
      this.openDescriptors.delete(descriptor);
    },
    isSameFile: (one, other) => one === other,
    send: (path, bytes) => {
      this.sent.push(`${path} ${new TextDecoder().decode(bytes)}`);
      return undefined;
    },
  };

  sink(target: 'stdout' | 'stderr'): Sink {
    return this.#sinkOf(target, (text) => {
      this.written[target] += text;
    });
  }

  fileSink({ path }: LogFileRequest): LogFile {
    const add = (text: string): void => {
      const name = strftime(path, new Date(this.clock.wallTime()));
      this.files.set(name, (this.files.get(name) ?? '') + text);
    };
    return {
      ...this.#sinkOf(path, add),
      open: () => {
        const code = this.sinkFaults.get(path);
        if (code === undefined && !variesWithTime(path)) add('');
        return code;
      },
      adapt: () => undefined,
    };
  }

  journalSink({ path }: JournalRequest): Sink {
    return this.#sinkOf(path, (text) => {
      this.files.set(path, (this.files.get(path) ?? '') + text);
    });
  }

  remoteSink(host: string): Sink {
    return this.#sinkOf(host, (text) => {
      this.packets.push(...text.split('\n').filter((packet) => packet !== ''));
    });
  }

  openLogSocket(path: string): LogSocketOutcome {
    const code = this.sinkFaults.get(path) ?? exhaustionCode(this.exhausted);
    if (code !== undefined) return { ok: false, code };
    const datagrams$ = new Subject<readonly LogDatagram[]>();
    this.#logSockets.set(path, datagrams$);
    return {
      ok: true,
      datagrams$,
      close: () => {
        if (this.#logSockets.get(path) === datagrams$) this.#logSockets.delete(path);
      },
    };
  }

  /** Logs as a program; false where there is no socket. */
  sendLog(path: string, datagram: string, sender?: LogSender): boolean {
    const socket = this.#logSockets.get(path);
    this.supervisorClock.arrive(() => socket?.next([{ content: encoder.encode(datagram), lost: 0, sender }]));
    return socket !== undefined;
  }

  /** Does nothing, because all output is emitted in the order in which it was written. */
  readOutput(): void {}

  defer(callback: () => void): void {
    this.#later(callback, 0);
  }

  /** The id of a process that is alive, or that chaperone has not reaped; 0 where there is none. */
  #idOf(pid: number): number {
    return (this.#table.get(pid) ?? this.#zombies.find((zombie) => zombie.pid === pid))?.id ?? 0;
  }

  /** Schedules input for chaperone, which is no timer of chaperone's own. */
  #later(callback: () => void, delay: number): void {
    this.clock.setTimeout(() => this.supervisorClock.arrive(callback), delay);
  }

  #sinkOf(name: string, take: (text: string) => void): Sink {
    return {
      write: (bytes, done) => {
        this.#later(() => {
          const code = this.sinkFaults.get(name);
          if (code !== undefined) {
            if (code === 'ENOSPC') done(code, bytes);
            else done(code);
            return;
          }
          take(new TextDecoder().decode(bytes));
          done();
        }, this.sinkDelays.get(name) ?? 0);
      },
    };
  }

  /** The pipe of a connection: the client gets the output, and the end of the last process hangs up. */
  #socketOf({ id }: Connection): Pipe {
    const bytes$ = new Subject<Uint8Array>();
    const client = this.#clients.get(id);
    bytes$.subscribe({
      next: (bytes) => {
        if (client !== undefined) client.text += new TextDecoder().decode(bytes);
      },
      complete: () => {
        if (!this.#connections.has(id)) this.#hangUp(id);
      },
    });
    return { bytes$, holders: new Set(), client: id };
  }

  #start(
    script: Script,
    parent: Pick<SimulatedProcess, 'pid' | 'lineage'>,
    group: 'own' | number,
    inherited: Pick<SimulatedProcess, 'stdin' | 'stdout' | 'stderr' | 'pipes' | 'uid' | 'environment'>,
  ): SimulatedProcess {
    const pid = this.#freePid();
    const id = this.#nextId++;
    const { stdin, stdout, stderr, pipes, uid, environment } = inherited;
    const process: SimulatedProcess = {
      id,
      pid,
      parent: parent.pid,
      group: group === 'own' ? pid : group,
      lineage: [...parent.lineage, id],
      uid,
      environment,
      ended$: new Subject(),
      stdin,
      stdout,
      stderr,
      pipes,
      script,
      timer: undefined,
      next: undefined,
      stopped: undefined,
    };
    this.#table.set(pid, process);
    stdout?.holders.add(id);
    stderr?.holders.add(id);
    for (const pipe of pipes.values()) pipe.holders.add(id);
    // The new program does nothing before the call that started it has returned.
    this.#plan(process, script.steps, 0);
    return process;
  }

  /** The lowest free pid. As on Linux, numbers of zombies and of process groups, even of zombies, are not free. */
  #freePid(): number {
    if (this.#programs.reusesPids !== true) return this.#nextPid++;
    const taken = new Set<number>();
    for (const { pid, group } of [...this.#zombies, ...this.#othersZombies, ...this.#table.values()])
      taken.add(pid).add(group);
    let pid = ownPid + 1;
    while (taken.has(pid)) pid += 1;
    return pid;
  }

  /** Schedules the steps for later turns. */
  #plan(process: SimulatedProcess, steps: readonly Step[], delay: number): void {
    process.next = { steps, due: this.clock.now() + delay };
    if (process.stopped !== undefined) return;
    process.timer = this.clock.setTimeout(() => {
      process.timer = undefined;
      process.next = undefined;
      this.#perform(process, steps);
    }, delay);
  }

  #perform(process: SimulatedProcess, steps: readonly Step[]): void {
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index];
      if (step === undefined || step.do === 'hang') return;
      if (step.do === 'wait') {
        this.#plan(process, steps.slice(index + 1), step.ms);
        return;
      }
      if (step.do === 'relay') {
        const line = process.stdin === undefined ? 'end' : process.stdin.take();
        if (line === 'end') continue;
        const rest = steps.slice(index);
        if (line === undefined) this.#block(process, rest, (retry) => process.stdin?.onInput(retry));
        else {
          const text = decoder.decode(line);
          this.#programs.onFact?.({ kind: 'took', root: process.lineage[0] ?? process.id, text });
          this.#act(process, { do: 'print', text });
          this.#plan(process, rest, step.ms);
        }
        return;
      }
      const channel = step.do === 'print' ? channelOf(process, step) : undefined;
      if (step.do === 'print' && channel?.hasRoom(encoder.encode(step.text).length) === false) {
        this.#block(process, steps.slice(index), (retry) => channel.onRoom(retry));
        return;
      }
      this.#act(process, step);
      // The process may have ended by itself, or a subscriber may have ended or signalled it at once.
      if (!this.#isAlive(process) || process.next !== undefined) return;
    }
    this.#end(process, { kind: 'exited', code: 0 });
  }

  /** Makes the process wait in read(2) or write(2) until it may try again; a signal that it handles takes it out of there. */
  #block(process: SimulatedProcess, steps: readonly Step[], onChange: (retry: () => void) => void): void {
    process.next = { steps, due: this.clock.now() };
    onChange(() => {
      const waits = this.#isAlive(process) && process.next?.steps === steps && process.timer === undefined;
      if (waits) this.#plan(process, steps, 0);
    });
  }

  #isAlive({ pid, id }: SimulatedProcess): boolean {
    return this.#table.get(pid)?.id === id;
  }

  #act(process: SimulatedProcess, step: Step): void {
    switch (step.do) {
      case 'print': {
        const pipe = pipeOf(process, step.to);
        if (pipe?.channel !== undefined) {
          if (pipe.channel.write(encoder.encode(step.text)))
            this.#programs.onFact?.({ kind: 'wrote', root: process.lineage[0] ?? process.id, text: step.text });
          break;
        }
        this.supervisorClock.arrive(() => {
          if (pipe !== undefined) emit(pipe, encoder.encode(step.text));
        });
        break;
      }
      case 'exit':
        this.#end(process, { kind: 'exited', code: step.code });
        break;
      case 'die':
        this.#end(process, { kind: 'signaled', signal: step.signal, coreDumped: false });
        break;
      case 'fork': {
        const { id, pid, lineage } = this.#start(step.script, process, step.detached === true ? 'own' : process.group, {
          ...process,
          uid: step.uid ?? process.uid,
        });
        this.#programs.onFact?.({ kind: 'forked', id, pid, root: lineage[0] ?? id });
        break;
      }
      case 'write':
        this.writeFile(
          step.path,
          step.text.replaceAll('$$', () => String(process.pid)),
          process.uid,
        );
        break;
      case 'notify':
        this.#notify(process, step);
        break;
      case 'serve':
        this.#servers.set(step.at, { id: process.id, answer: step.answer });
        break;
      case 'relay':
      case 'wait':
      case 'hang':
        break;
    }
  }

  #receiveFromChaperone(process: SimulatedProcess, signal: SignalName): void {
    const { id, pid, lineage } = process;
    this.#programs.onFact?.({ kind: 'signalled', id, pid, root: lineage[0] ?? id, signal });
    this.#receive(process, signal);
  }

  #receive(process: SimulatedProcess, signal: SignalName): void {
    const { stopped, script } = process;
    if (signal === 'SIGSTOP') {
      if (stopped !== undefined) return;
      if (process.timer !== undefined) this.clock.clearTimeout(process.timer);
      process.timer = undefined;
      process.stopped = [];
      return;
    }
    if (signal === 'SIGCONT' && stopped !== undefined) {
      process.stopped = undefined;
      const { next } = process;
      if (next !== undefined) this.#plan(process, next.steps, Math.max(0, next.due - this.clock.now()));
      for (const each of stopped) if (this.#isAlive(process)) this.#receive(process, each);
      return;
    }
    if (signal !== 'SIGKILL' && stopped !== undefined) {
      if (!stopped.includes(signal)) stopped.push(signal);
      return;
    }
    if (signal === 'SIGKILL' && script.stuck !== undefined) {
      this.clock.setTimeout(() => this.#end(process, { kind: 'signaled', signal, coreDumped: false }), script.stuck);
      return;
    }
    const reaction = signal === 'SIGKILL' ? undefined : script.onSignal?.[signal];
    if (reaction === 'ignore' || (reaction === undefined && ignoredByDefault.includes(signal))) return;
    if (reaction === undefined) {
      this.#end(process, { kind: 'signaled', signal, coreDumped: false });
      return;
    }
    if (process.timer !== undefined) this.clock.clearTimeout(process.timer);
    this.#plan(process, reaction, 0);
  }

  #end(process: SimulatedProcess, status: ExitStatus): void {
    if (!this.#isAlive(process)) return;
    const { id, pid, group, ended$ } = process;
    this.#table.delete(pid);
    if (process.timer !== undefined) this.clock.clearTimeout(process.timer);
    for (const child of this.#table.values()) {
      if (child.parent === pid) child.parent = ownPid;
    }
    const child = process.parent === ownPid;
    const reapsAfter = this.#table.get(process.parent)?.script.reapsAfter ?? 0;
    this.#programs.onFact?.({ kind: 'ended', id, pid, status, child });
    // Scripted parents reap their children at once; chaperone learns of its own by SIGCHLD.
    if (child) {
      this.#zombies.push({ id, pid, group, status, usage: noUsage, ended$ });
      this.#planDelivery();
    } else {
      const zombie = { pid, group };
      this.#othersZombies.add(zombie);
      this.clock.setTimeout(() => this.#othersZombies.delete(zombie), reapsAfter);
      this.#tellEnd(ended$, status, reapsAfter);
    }
    for (const [place, server] of this.#servers) if (server.id === id) this.#servers.delete(place);
    for (const pipe of new Set([process.stdout, process.stderr, ...process.pipes.values()])) {
      if (pipe === undefined) continue;
      pipe.holders.delete(id);
      if (pipe.channel !== undefined) {
        pipe.channel.noteWriters();
        continue;
      }
      const isOver = pipe.holders.size === 0;
      this.supervisorClock.arrive(() => {
        emitHeld(pipe);
        if (isOver) pipe.bytes$.complete();
      });
    }
  }

  /** Reports the end to subscribers after `delay` ms, once the process's parent has reaped it. */
  #tellEnd(ended$: Subject<ExitStatus>, status: ExitStatus, delay: number): void {
    if (!ended$.observed) return;
    const patience = this.#programs.tellsStatus === false ? 0 : statusPatience;
    const isTold = this.#programs.tellsStatus !== false && delay <= patience;
    this.#later(
      () => {
        ended$.next(isTold ? status : { kind: 'unknown' });
        ended$.complete();
      },
      Math.min(delay, patience),
    );
  }

  #notify({ pid, uid, environment }: SimulatedProcess, { text, descriptors = 0 }: Step & { do: 'notify' }): void {
    const notifySocket = environment['NOTIFY_SOCKET'] ?? '';
    const socket = this.#sockets.get(notifySocket);
    if (socket === undefined) return;
    const { service } = socket;
    const said = text.replaceAll('$$', () => String(pid));
    const deliver = (sender: NotifySender): void =>
      this.#deliver(notifySocket, socket, { text: said, sender, descriptors }, () =>
        this.#programs.onFact?.({ kind: 'notified', service, text: said, sender }),
      );
    const own = { pid, uid };
    const fate = this.#programs.notifyFate?.(service);
    if (fate === undefined) {
      deliver(own);
      return;
    }
    for (const { delay, sender = own } of fate) this.clock.setTimeout(() => deliver(sender), delay);
  }

  /** @param arrives is called just before the datagram is read */
  #deliver(path: string, socket: Socket, datagram: SentDatagram, arrives: () => void): void {
    const { text, sender, descriptors = 0 } = datagram;
    this.supervisorClock.arrive(() => {
      // A closed socket loses the datagrams that wait in it.
      if (this.#sockets.get(path) !== socket) return;
      const sent = Array.from({ length: descriptors }, () => this.#nextDescriptor++);
      for (const descriptor of sent) this.openDescriptors.add(descriptor);
      arrives();
      socket.datagrams$.next({ bytes: encoder.encode(text), truncated: false, sender, descriptors: sent });
    });
  }

  /** Starts a process that no process of the container has started, as `docker exec` does. Returns its pid. */
  enter(uid: number, script: Script): number {
    const inherited = {
      stdin: undefined,
      stdout: undefined,
      stderr: undefined,
      pipes: new Map(),
      uid,
      environment: {},
    };
    const { id, pid } = this.#start(script, { pid: outside, lineage: [] }, 'own', inherited);
    this.#programs.onFact?.({ kind: 'entered', id, pid });
    return pid;
  }

  /** Sends a datagram to the notify socket of a service as somebody who has read the socket's name in /proc/net/unix. */
  intrude(service: string, datagram: SentDatagram): void {
    for (const [path, socket] of this.#sockets)
      if (socket.service === service) this.#deliver(path, socket, datagram, () => undefined);
  }

  /** Plans a SIGCHLD: signals coalesce, so that one delivery takes all exits so far. */
  #planDelivery(): void {
    if (this.#deliveryPlanned) return;
    this.#deliveryPlanned = true;
    this.clock.setTimeout(() => {
      this.#deliveryPlanned = false;
      this.supervisorClock.arrive(() => {
        this.#reap();
        if (!this.#childrenAreWatched || this.#hasLiveChildren()) return;
        this.#childrenAreWatched = false;
        this.childrenGone$.next({ at: this.supervisorClock.now() });
      });
    }, this.#programs.deliveryDelay?.() ?? 0);
  }

  #reap(): void {
    // The verdict on a start comes before the exit of the process.
    this.#tellVerdicts();
    if (this.#zombies.length === 0) return;
    const zombies = this.#zombies;
    this.#zombies = [];
    this.#programs.onFact?.({ kind: 'reaped', ids: zombies.map(({ id }) => id) });
    const groups = new Set([...this.#table.values()].map(({ group }) => group));
    const exits = zombies.map(({ pid, status, usage }) => ({ pid, status, usage, leavesGroup: groups.has(pid) }));
    this.exits$.next({ exits, at: this.supervisorClock.now() });
    for (const { ended$, status } of zombies) this.#tellEnd(ended$, status, 0);
  }

  #hasLiveChildren(): boolean {
    return this.#underWay.size > 0 || [...this.#table.values()].some((process) => process.parent === ownPid);
  }
}

function pipeOf(
  { stdout, stderr, pipes, environment }: SimulatedProcess,
  to: (Step & { do: 'print' })['to'],
): Pipe | undefined {
  if (to === undefined || to === 'stdout') return stdout;
  if (to === 'stderr') return stderr;
  return pipes.get(typeof to.fd === 'number' ? to.fd : Number(environment[to.fd]));
}

function placeOf(question: ServerQuestion): ServedPlace {
  if (question.kind === 'connect') return 'path' in question.to ? question.to.path : question.to.port;
  const { port, protocol } = new URL(question.url);
  return question.unix ?? (port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port));
}

function makePipe(target: SpawnRequest['stderr']): Pipe | undefined {
  if (target === 'pipe') return { bytes$: new Subject(), holders: new Set() };
  if (!(target instanceof SimulatedChannel)) return undefined;
  return { bytes$: new Subject(), holders: target.writers, channel: target };
}

function channelOf(process: SimulatedProcess, { to }: Step & { do: 'print' }): SimulatedChannel | undefined {
  return pipeOf(process, to)?.channel;
}

function emit({ bytes$, held }: Pipe, bytes: Uint8Array): void {
  if (held === undefined) bytes$.next(bytes);
  else held.push(bytes);
}

function emitHeld(pipe: Pipe): void {
  for (const bytes of pipe.held?.splice(0) ?? []) pipe.bytes$.next(bytes);
}

function controlOf(pipes: readonly Pipe[]): OutputControl {
  return {
    pause: () => {
      for (const pipe of pipes) pipe.held ??= [];
    },
    resume: () => {
      for (const pipe of pipes) {
        const waiting = pipe.held ?? [];
        pipe.held = undefined;
        // The observer of one piece may stop the reading again.
        for (const bytes of waiting) emit(pipe, bytes);
      }
    },
  };
}

function failedSpawn(request: SpawnRequest, { code, stage }: SpawnFault): SpawnOutcome & { readonly ok: false } {
  const directory = request.directory === undefined ? {} : { directory: request.directory };
  return { ok: false, error: { code, stage, program: request.argv[0] ?? '', ...directory } };
}

function isStranger({ parent }: SimulatedProcess): boolean {
  return parent === outside;
}

function memberOf({ id, pid, group }: SimulatedProcess): TreeMember {
  return { pid, group, began: id };
}

function exhaustionCode(what: SimulatedKernel['exhausted']): string | undefined {
  return what === undefined ? undefined : what === 'descriptors' ? 'EMFILE' : 'ENOMEM';
}
