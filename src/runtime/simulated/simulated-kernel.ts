/**
 * A kernel in memory: a process table, scripted programs and one virtual clock. It behaves as Linux does where chaperone can
 * tell the difference: exits are reported later and together, orphans come to chaperone, a pipe ends when its last holder
 * has ended, a signal to a vanished process is ESRCH.
 */
import { NEVER, Observable, Subject } from 'rxjs';
import type { ExitStatus } from '../../model/exit-status.ts';
import { strftime } from '../../model/log-format.ts';
import type { Connection } from '../../model/scheduling.ts';
import type { SignalName } from '../../model/signal.ts';
import type { SpawnErrorStage } from '../../model/spawn-error.ts';
import type {
  ExitBatch,
  Following,
  JournalRequest,
  Kernel,
  ListenOutcome,
  LogFileRequest,
  LogSocketOutcome,
  NotifyDatagram,
  Notifying,
  NotifySocket,
  PidfileText,
  ProcessExit,
  ProcessTree,
  ProcessView,
  SignalOutcome,
  Sink,
  SpawnOutcome,
  SpawnRequest,
} from '../kernel.ts';
import type { Script, Step } from './script.ts';
import { SimulatedListener } from './simulated-listener.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** A spawn error to inject. */
export interface SpawnFault {
  readonly code: string;
  readonly stage: SpawnErrorStage;
}

/** What the simulated machine has installed. */
export interface SimulatedPrograms {
  /** True where a program of that path or word is there to be found. */
  has(word: string): boolean;
  /** What the program does when it is started like this. Undefined: there is no such program. */
  script(argv: readonly string[]): Script | undefined;
  /** Undefined: the spawn succeeds. */
  fault?(request: SpawnRequest): SpawnFault | undefined;
  /** The errno's name where a port cannot be listened on; undefined: it can, unless somebody does. */
  listenFault?(port: number): string | undefined;
  /** The errno's name where a client cannot be taken; undefined: it can. */
  acceptFault?(): string | undefined;
}

interface Pipe {
  readonly bytes$: Subject<Uint8Array>;
  readonly holders: Set<number>;
  /** The connection that it is, in place of a pipe. */
  readonly client?: number;
}

/** Who connected to a port. */
export interface SimulatedClient {
  /** What it was sent. */
  text: string;
  /** The other side has hung up. */
  ended: boolean;
}

interface SimulatedProcess {
  readonly pid: number;
  parent: number;
  readonly group: number;
  /** Itself, and whom it descends from. */
  readonly lineage: readonly number[];
  readonly uid: number;
  readonly notifySocket: string | undefined;
  readonly ended$: Subject<void>;
  readonly stdout: Pipe | undefined;
  readonly stderr: Pipe | undefined;
  readonly onSignal: NonNullable<Script['onSignal']>;
  timer: number | undefined;
}

const ownPid = 1;
/** signal(7): their default action does not end a process. */
const ignoredByDefault: readonly SignalName[] = ['SIGCONT', 'SIGCHLD', 'SIGWINCH', 'SIGURG'];
const noUsage = { userTime: 0, systemTime: 0, maxRss: 0 };
const encoder = new TextEncoder();

export class SimulatedKernel implements Kernel {
  readonly pid = ownPid;
  readonly hostname = 'simulated';
  readonly exits$ = new Subject<ExitBatch>();
  readonly childrenGone$ = new Subject<{ readonly at: number }>();
  readonly signals$ = new Subject<SignalName>();
  /** What was written to each sink so far. */
  readonly written: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  /** What was sent to sockets of others, as `PATH TEXT`. */
  readonly sent: string[] = [];
  /** Every start so far. */
  readonly spawned: { readonly pid: number; readonly request: SpawnRequest }[] = [];
  /** Descriptors that came with datagrams and that nobody has closed. */
  readonly openDescriptors = new Set<number>();
  /** What was written to each log file so far, by its name. */
  readonly files = new Map<string, string>();
  /** What was sent to other syslog daemons. */
  readonly packets: string[] = [];
  /** Sinks and sockets that fail, by name, and the errno; with ENOSPC they take what is left later. */
  readonly sinkFaults = new Map<string, string>();
  readonly clock: VirtualClock;
  readonly #files = new Map<string, { readonly text: string; readonly version: number }>();
  readonly #sockets = new Map<string, Subject<NotifyDatagram>>();
  #nextVersion = 1;
  #nextSocket = 1;
  #nextDescriptor = 100;
  readonly #programs: SimulatedPrograms;
  readonly #table = new Map<number, SimulatedProcess>();
  readonly #listeners = new Map<number, SimulatedListener>();
  /** Clients that were taken and are not closed yet. */
  readonly #connections = new Map<number, SimulatedListener>();
  readonly #clients = new Map<number, SimulatedClient>();
  #nextConnection = 1;
  readonly #logSockets = new Map<string, Subject<Uint8Array>>();
  #nextPid = ownPid + 1;
  /** Ended children of chaperone that it has not reaped yet. */
  #zombies: ProcessExit[] = [];
  #deliveryPlanned = false;

  constructor(clock: VirtualClock, programs: SimulatedPrograms) {
    this.clock = clock;
    this.#programs = programs;
  }

  /** Every live process but chaperone. */
  get livePids(): readonly number[] {
    return [...this.#table.keys()];
  }

  /** Connections that chaperone holds open itself. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Ports that chaperone listens on. */
  get ports(): readonly number[] {
    return [...this.#listeners.keys()];
  }

  /** The environment's way to connect. Undefined where nobody listens. */
  connect(port: number): SimulatedClient | undefined {
    const listener = this.#listeners.get(port);
    if (listener === undefined) return undefined;
    const id = this.#nextConnection++;
    const client = { text: '', ended: false };
    this.#clients.set(id, client);
    listener.enqueue({ id, address: '127.0.0.1', port: 40_000 + id });
    return client;
  }

  /** The environment's way to signal chaperone. */
  deliver(signal: SignalName): void {
    this.signals$.next(signal);
  }

  findProgram(word: string): string | undefined {
    return this.#programs.has(word) ? word : undefined;
  }

  listen(port: number): ListenOutcome {
    const code = this.#programs.listenFault?.(port) ?? (this.#listeners.has(port) ? 'EADDRINUSE' : undefined);
    if (code !== undefined) return { ok: false, code, tried: ['all simulated addresses'] };
    const listener = new SimulatedListener(this.clock, {
      acceptFault: () => this.#programs.acceptFault?.(),
      onTaken: ({ id }) => this.#connections.set(id, listener),
      onClosed: () => {
        this.#listeners.delete(port);
        for (const [id, owner] of this.#connections) if (owner === listener) this.#hangUp(id);
      },
      onRefused: ({ id }) => this.#hangUp(id),
    });
    this.#listeners.set(port, listener);
    return { ok: true, listener };
  }

  closeConnection({ id }: Connection): void {
    this.#connections.delete(id);
    // A process that has it keeps it open.
    const held = [...this.#table.values()].some((process) => process.stdout?.client === id);
    if (!held) this.#hangUp(id);
  }

  #hangUp(id: number): void {
    this.#connections.delete(id);
    const client = this.#clients.get(id);
    if (client !== undefined) client.ended = true;
    this.#clients.delete(id);
  }

  spawn(request: SpawnRequest): SpawnOutcome {
    const program = request.argv[0] ?? '';
    const fail = ({ code, stage }: SpawnFault): SpawnOutcome => {
      this.#planDelivery();
      const directory = request.directory === undefined ? {} : { directory: request.directory };
      return { ok: false, error: { code, stage, program, ...directory } };
    };
    const fault = this.#programs.fault?.(request);
    if (fault !== undefined) return fail(fault);
    const script = this.#programs.script(request.argv);
    if (script === undefined) return fail({ code: 'ENOENT', stage: program.includes('/') ? 'exec' : 'lookup' });

    const { connection } = request;
    if (connection !== undefined) {
      const socket = this.#socketOf(connection);
      const pid = this.#start(script, { pid: ownPid, lineage: [] }, request.ownGroup ? 'own' : ownPid, {
        stdout: socket,
        stderr: socket,
        uid: request.account?.uid ?? 0,
        notifySocket: undefined,
      });
      this.spawned.push({ pid, request });
      return { ok: true, pid, stdout: NEVER, stderr: NEVER };
    }
    const makePipe = (target: 'pipe' | 'inherit'): Pipe | undefined =>
      target === 'pipe' ? { bytes$: new Subject(), holders: new Set() } : undefined;
    const stdout = makePipe(request.stdout);
    const stderr = makePipe(request.stderr);
    const pid = this.#start(script, { pid: ownPid, lineage: [] }, request.ownGroup ? 'own' : ownPid, {
      stdout,
      stderr,
      uid: request.account?.uid ?? 0,
      notifySocket: request.environment['NOTIFY_SOCKET'],
    });
    this.spawned.push({ pid, request });
    return { ok: true, pid, stdout: stdout?.bytes$ ?? new Subject(), stderr: stderr?.bytes$ ?? new Subject() };
  }

  signal(pid: number, signal: SignalName, target: 'process' | 'group'): SignalOutcome {
    const targets =
      target === 'group'
        ? [...this.#table.values()].filter((process) => process.group === pid)
        : [this.#table.get(pid)].filter((process) => process !== undefined);
    if (targets.length === 0) {
      // A zombie still takes signals, without effect.
      return this.#zombies.some((zombie) => zombie.pid === pid) ? 'sent' : 'vanished';
    }
    for (const process of targets) this.#receive(process, signal);
    return 'sent';
  }

  signalAll(signal: SignalName): void {
    for (const process of [...this.#table.values()]) this.#receive(process, signal);
  }

  hasChildren(): boolean {
    return this.#zombies.length > 0 || [...this.#table.values()].some((process) => process.parent === ownPid);
  }

  writeFile(path: string, text: string): void {
    this.#files.set(path, { text, version: this.#nextVersion++ });
  }

  readFile(path: string): string | undefined {
    return this.#files.get(path)?.text;
  }

  get openSockets(): readonly string[] {
    return [...this.#sockets.keys()];
  }

  readonly following: Following = {
    uid: 0,
    lookUp: (pid): ProcessView | undefined => {
      const process = this.#table.get(pid);
      if (process === undefined) return undefined;
      return { pid, parent: process.parent, group: process.group, uid: process.uid, descendant: true };
    },
    watchEnd: (pid) =>
      new Observable((subscriber) => {
        const process = this.#table.get(pid);
        if (process !== undefined) return process.ended$.subscribe(subscriber);
        const timer = this.clock.setTimeout(() => {
          subscriber.next();
          subscriber.complete();
        }, 0);
        return () => this.clock.clearTimeout(timer);
      }),
    newInvocation: () => String(this.spawned.length + 1),
    track: (root): ProcessTree => ({
      startEnded: () => undefined,
      members: () => [...this.#table.values()].filter(({ lineage }) => lineage.includes(root)),
      forget: () => undefined,
    }),
    readPidfile: (path): PidfileText | undefined => {
      const file = this.#files.get(path);
      return file === undefined ? undefined : { text: file.text, stamp: String(file.version) };
    },
    removePidfile: (path) => {
      this.#files.delete(path);
      return undefined;
    },
  };

  readonly notifying: Notifying = {
    openSocket: (service): NotifySocket => {
      const path = `/run/chaperone/${service}-${this.#nextSocket++}`;
      const datagrams$ = new Subject<NotifyDatagram>();
      this.#sockets.set(path, datagrams$);
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

  fileSink({ path }: LogFileRequest): Sink {
    return this.#sinkOf(path, (text) => {
      const name = strftime(path, new Date(this.clock.wallTime()));
      this.files.set(name, (this.files.get(name) ?? '') + text);
    });
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
    const code = this.sinkFaults.get(path);
    if (code !== undefined) return { ok: false, code };
    const datagrams$ = new Subject<Uint8Array>();
    this.#logSockets.set(path, datagrams$);
    return {
      ok: true,
      datagrams$,
      close: () => {
        if (this.#logSockets.get(path) === datagrams$) this.#logSockets.delete(path);
      },
    };
  }

  /** A program's way to log: false where no socket is there. */
  sendLog(path: string, datagram: string): boolean {
    const socket = this.#logSockets.get(path);
    socket?.next(encoder.encode(datagram));
    return socket !== undefined;
  }

  defer(callback: () => void): void {
    this.clock.setTimeout(callback, 0);
  }

  #sinkOf(name: string, take: (text: string) => void): Sink {
    return {
      write: (bytes, done) => {
        this.clock.setTimeout(() => {
          const code = this.sinkFaults.get(name);
          if (code !== undefined) {
            if (code === 'ENOSPC') done(code, bytes);
            else done(code);
            return;
          }
          take(new TextDecoder().decode(bytes));
          done();
        }, 0);
      },
    };
  }

  /** What processes write to it is the client's text; the last one that ends hangs up. */
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
    inherited: Pick<SimulatedProcess, 'stdout' | 'stderr' | 'uid' | 'notifySocket'>,
  ): number {
    const pid = this.#nextPid++;
    const { stdout, stderr, uid, notifySocket } = inherited;
    const process: SimulatedProcess = {
      pid,
      parent: parent.pid,
      group: group === 'own' ? pid : group,
      lineage: [...parent.lineage, pid],
      uid,
      notifySocket,
      ended$: new Subject(),
      stdout,
      stderr,
      onSignal: script.onSignal ?? {},
      timer: undefined,
    };
    this.#table.set(pid, process);
    stdout?.holders.add(pid);
    stderr?.holders.add(pid);
    // A program does nothing before the call that started it has returned.
    this.#perform(process, script.steps, 0);
    return pid;
  }

  /** Runs the steps from a later turn on. */
  #perform(process: SimulatedProcess, steps: readonly Step[], delay: number): void {
    process.timer = this.clock.setTimeout(() => {
      process.timer = undefined;
      for (let index = 0; index < steps.length; index++) {
        const step = steps[index];
        if (step === undefined) break;
        switch (step.do) {
          case 'print':
            (step.to === 'stderr' ? process.stderr : process.stdout)?.bytes$.next(encoder.encode(step.text));
            break;
          case 'wait':
            this.#perform(process, steps.slice(index + 1), step.ms);
            return;
          case 'exit':
            this.#end(process, { kind: 'exited', code: step.code });
            return;
          case 'die':
            this.#end(process, { kind: 'signaled', signal: step.signal, coreDumped: false });
            return;
          case 'fork':
            this.#start(step.script, process, step.detached === true ? 'own' : process.group, process);
            break;
          case 'write':
            this.writeFile(
              step.path,
              step.text.replaceAll('$$', () => String(process.pid)),
            );
            break;
          case 'notify':
            this.#notify(process, step);
            // Whoever heard it may have ended or signalled the process at once.
            if (!this.#table.has(process.pid) || process.timer !== undefined) return;
            break;
          case 'hang':
            return;
        }
      }
      this.#end(process, { kind: 'exited', code: 0 });
    }, delay);
  }

  #receive(process: SimulatedProcess, signal: SignalName): void {
    const reaction = signal === 'SIGKILL' ? undefined : process.onSignal[signal];
    if (reaction === 'ignore' || (reaction === undefined && ignoredByDefault.includes(signal))) return;
    if (reaction === undefined) {
      this.#end(process, { kind: 'signaled', signal, coreDumped: false });
      return;
    }
    if (process.timer !== undefined) this.clock.clearTimeout(process.timer);
    this.#perform(process, reaction, 0);
  }

  #end(process: SimulatedProcess, status: ExitStatus): void {
    if (!this.#table.delete(process.pid)) return;
    if (process.timer !== undefined) this.clock.clearTimeout(process.timer);
    for (const child of this.#table.values()) {
      if (child.parent === process.pid) child.parent = ownPid;
    }
    // Scripted parents wait for their children at once; chaperone learns of its own by SIGCHLD.
    if (process.parent === ownPid) {
      this.#zombies.push({ pid: process.pid, status, usage: noUsage });
      this.#planDelivery();
    }
    // After the exit has been told, where chaperone is the parent.
    if (process.ended$.observed)
      this.clock.setTimeout(() => {
        process.ended$.next();
        process.ended$.complete();
      }, 0);
    for (const pipe of [process.stdout, process.stderr]) {
      if (pipe === undefined) continue;
      pipe.holders.delete(process.pid);
      if (pipe.holders.size === 0) pipe.bytes$.complete();
    }
  }

  #notify({ pid, notifySocket }: SimulatedProcess, { text, descriptors = 0 }: Step & { do: 'notify' }): void {
    const datagrams$ = notifySocket === undefined ? undefined : this.#sockets.get(notifySocket);
    const bytes = encoder.encode(text.replaceAll('$$', () => String(pid)));
    const sent = Array.from({ length: descriptors }, () => this.#nextDescriptor++);
    if (datagrams$ !== undefined) for (const descriptor of sent) this.openDescriptors.add(descriptor);
    datagrams$?.next({ bytes, truncated: false, sender: pid, descriptors: sent });
  }

  /** SIGCHLD: signals coalesce, so one delivery takes all that has ended by then. */
  #planDelivery(): void {
    if (this.#deliveryPlanned) return;
    this.#deliveryPlanned = true;
    this.clock.setTimeout(() => {
      this.#deliveryPlanned = false;
      const exits = this.#zombies;
      this.#zombies = [];
      if (exits.length > 0) this.exits$.next({ exits, at: this.clock.now() });
      if (!this.hasChildren()) this.childrenGone$.next({ at: this.clock.now() });
    }, 0);
  }
}
