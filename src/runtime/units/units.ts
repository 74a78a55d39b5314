/**
 * The `processes` port of the unit machine, on a kernel: it starts a program, or takes over a running one, reports the
 * program's end and the processes that are left of its group or tree, and sends signals. It holds what the kernel has
 * returned (pids, a tree, subscriptions). The unit decides when to signal which processes, and when to look.
 */
import { map, merge, type Observable, take } from 'rxjs';
import { fromCallback } from 'xstate';
import type { LogRecord } from '../../model/log/log-record.ts';
import {
  about,
  environmentDump,
  exitKillsAhead,
  exitSeen,
  killing,
  type Message,
  memberReaped,
  orphanReaped,
  pidChanged,
  signalDenied,
  signalling,
  startAttempt,
  terminating,
} from '../../model/log/messages.ts';
import { isScheduled } from '../../model/schedule/scheduled-runs.ts';
import { type ExitStatus, isNormal } from '../../model/service/exit-status.ts';
import { environmentOfRun } from '../../model/service/late-environment.ts';
import { ownsRemains, type ServiceSpec, shortName } from '../../model/service/service-spec.ts';
import type { SignalName } from '../../model/service/signal.ts';
import type { SpawnError } from '../../model/service/spawn-error.ts';
import type { SignalOutcome, UnitFact, UnitReport, UnitRequest, UnitRun } from '../../model/service/unit-events.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { ExitRouter, Timed } from '../../streams/exit-router.ts';
import { outputRecords } from '../../streams/output-records.ts';
import type {
  Clock,
  Kernel,
  ProcessExit,
  ProcessTree,
  ProcessView,
  SpawnOutcome,
  SpawnRequest,
  TimerId,
} from '../kernel.ts';
import type { LiveProcesses } from './live-processes.ts';
import type { NotifySockets } from './notify-sockets.ts';
import type { Pidfiles } from './pidfiles.ts';

export interface ProcessEnd {
  readonly pid: number;
  readonly status: ExitStatus;
}

export interface UnitPorts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly exits: ExitRouter<ProcessExit>;
  readonly live: LiveProcesses;
  readonly pidfiles: Pidfiles;
  readonly notify: NotifySockets;
  /** Takes the output of services. */
  readonly onOutput: (service: ServiceSpec, stream: 'stdout' | 'stderr', record: LogRecord) => void;
  /** Called for each process that is started for a service. */
  readonly onBegin: (service: ServiceSpec, pid: number) => void;
  /** Called at each end of a service's leader, or of the leader of one of its runs. */
  readonly onEnd: (service: ServiceSpec, end: ProcessEnd) => void;
  /** Called in the turn in which somebody sends a signal to a service by hand, with what will have come of it. */
  readonly onSignalled: (outcome: Promise<SignalOutcome>) => void;
  /** Takes messages about a service. */
  readonly onMessage: (message: Message) => void;
}

type Tell = (fact: UnitFact | UnitReport) => void;

/** ms from the end of an orphan to a look at the units: many such ends share one look. */
const orphanPause = 20;
/** ms in real time from a look that misses a process to the latest news of its end: the body may have reaped it, and not told it yet. */
const newsDelay = 5_000;
/** How many ends of orphans are remembered. */
const mostOrphans = 256;

export class Units {
  readonly #ports: UnitPorts;
  /** Units whose leader has ended. */
  readonly #leaderless = new Set<Unit>();
  /** By pid: the processes of units at the last look. */
  readonly #members = new Map<number, Unit>();
  /** By pid, the latest last: the processes that a look has missed, whose end is not known yet, and when that was. */
  readonly #missed = new Map<number, { readonly unit: Unit; readonly at: number }>();
  /** By invocation: the units that own all descendants of their start. */
  readonly #invocations = new Map<string, Unit>();
  /** By pid, the latest last: how and when, in real time, processes have ended that no unit had started. */
  readonly #orphans = new Map<number, { readonly status: ExitStatus; readonly at: number }>();
  /** The starts of all services so far: the counter for _CHAP_SERVICE_SERIAL. */
  #starts = 0;
  #look: TimerId | undefined;

  constructor(ports: UnitPorts) {
    this.#ports = ports;
  }

  /** The service that a process belongs to, where that is known. */
  ownerOf({ pid, group }: Pick<ProcessView, 'pid' | 'group'>): string | undefined {
    const { live, kernel } = this.#ports;
    const near = live.ownerOf(pid) ?? this.#members.get(pid)?.service.name ?? live.ownerOf(group);
    if (near !== undefined) return near;
    const invocation = kernel.following.invocationOf(pid);
    return invocation === undefined ? undefined : this.#invocations.get(invocation)?.service.name;
  }

  /** How and when, in real time, a process has ended that no unit had started, if it ended after `since`. */
  endOf(pid: number, since: number): { readonly status: ExitStatus; readonly at: number } | undefined {
    const end = this.#orphans.get(pid);
    return end === undefined || end.at < since ? undefined : end;
  }

  /** Takes the end of a process that no unit has started: it may have been in the group of a unit. */
  takeOrphan({ pid, status }: Pick<ProcessExit, 'pid' | 'status'>): void {
    const { onMessage, pidfiles } = this.#ports;
    const owner = this.#members.get(pid) ?? this.#missed.get(pid)?.unit;
    this.#members.delete(pid);
    this.#missed.delete(pid);
    this.#orphans.delete(pid);
    this.#orphans.set(pid, { status, at: this.#ports.clock.realTime() });
    if (this.#orphans.size > mostOrphans)
      for (const oldest of this.#orphans.keys()) {
        this.#orphans.delete(oldest);
        break;
      }
    // A daemon may end before its service follows it: the new pidfile tells whose it was.
    const starter = pidfiles.starterOf(pid);
    const isLeader = starter !== undefined && (owner === undefined || owner.service.name === starter);
    if (isLeader) onMessage(exitSeen(starter, pid, status));
    else if (owner === undefined) onMessage(orphanReaped(pid, status));
    else onMessage(memberReaped(owner.service.name, pid, status));
    if (this.#leaderless.size > 0) this.#lookSoon();
  }

  logic() {
    return fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(({ input, sendBack, receive }) => {
      this.#starts += 1;
      const unit = new Unit(input, this.#ports, sendBack, this.#starts, {
        onLeaderless: (isLeaderless) => {
          if (isLeaderless) this.#leaderless.add(unit);
          else this.#leaderless.delete(unit);
        },
        onTracked: (invocation, isTracked) => {
          if (isTracked) this.#invocations.set(invocation, unit);
          else this.#invocations.delete(invocation);
        },
        onSeen: (pids) => {
          for (const pid of unit.seen) this.#miss(pid, unit);
          for (const pid of pids) this.#see(pid, unit);
        },
      });
      receive((request) => unit.take(request));
      unit.begin();
      return () => unit.end();
    });
  }

  #see(pid: number, unit: Unit): void {
    this.#members.set(pid, unit);
    this.#missed.delete(pid);
  }

  #miss(pid: number, unit: Unit): void {
    if (this.#members.get(pid) !== unit) return;
    const now = this.#ports.clock.realTime();
    this.#members.delete(pid);
    for (const [old, { at }] of this.#missed) {
      if (now - at < newsDelay) break;
      this.#missed.delete(old);
    }
    this.#missed.set(pid, { unit, at: now });
  }

  #lookSoon(): void {
    this.#look ??= this.#ports.clock.setTimeout(() => {
      this.#look = undefined;
      for (const unit of [...this.#leaderless]) unit.look();
    }, orphanPause);
  }
}

interface UnitKeeper {
  readonly onLeaderless: (isLeaderless: boolean) => void;
  /** Called when the unit begins or ceases to own all descendants of this start. */
  readonly onTracked: (invocation: string, isTracked: boolean) => void;
  readonly onSeen: (pids: readonly number[]) => void;
}

class Unit {
  readonly service: ServiceSpec;
  /** The pids at the last look. */
  seen: readonly number[] = [];
  readonly #run: UnitRun;
  readonly #ports: UnitPorts;
  readonly #tell: Tell;
  readonly #nth: number;
  readonly #keeper: UnitKeeper;
  readonly #begunAt: number;
  /** The pid of the spawned process. */
  #root = 0;
  /** The pid of the leader; 0 once it has ended. */
  #leader = 0;
  #tree: ProcessTree | undefined;
  /** The id of the start, where the unit owns the whole tree. */
  #invocation: string | undefined;
  /** True once the unit was told to end. */
  #asked = false;
  /** The processes that were there when SIGKILL was sent, as far as they are known one by one. */
  #killed: Set<number> | undefined;
  #leaderGone = false;
  #over = false;
  /** Cancels the start; after its verdict it does nothing. */
  #cancel: () => void = () => undefined;

  constructor(run: UnitRun, ports: UnitPorts, tell: Tell, nth: number, keeper: UnitKeeper) {
    this.#run = run;
    this.service = run.service;
    const { onMessage } = ports;
    this.#ports = { ...ports, onMessage: (message) => onMessage(about(run.service, message)) };
    this.#tell = tell;
    this.#nth = nth;
    this.#keeper = keeper;
    this.#begunAt = ports.clock.realTime();
  }

  begin(): void {
    const { clock, kernel, exits } = this.#ports;
    const { serial, resumes } = this.#run;
    if (resumes !== undefined) {
      const { pid, asked } = resumes;
      this.#root = pid;
      this.#asked = asked;
      this.#leaderGone = pid === 0;
      if (pid === 0) return;
      if (this.#ownsGroup()) this.#tree = kernel.following.trackGroup(pid);
      this.#follow(pid, exits.exitOf(pid));
      return;
    }
    this.#cancel = this.#start((pid) => {
      if (typeof pid === 'number') this.#tell({ type: 'unit.spawned', serial, pid, at: clock.now() });
      else this.#tell({ type: 'unit.spawnFailed', serial, error: pid, at: clock.now() });
    });
  }

  take(request: UnitRequest): void {
    switch (request.type) {
      case 'unit.send':
        this.#send(request);
        break;
      case 'unit.look':
        this.look();
        break;
      case 'unit.cancel':
        this.#cancel();
        break;
      case 'unit.lead':
        this.#lead(request.pid);
        break;
    }
  }

  /** Reports how many processes live after the end of the leader. */
  look(): void {
    const members = this.#membersLeft();
    const left = members.length;
    const fresh = this.#killed !== undefined && members.some(({ pid }) => this.#killed?.has(pid) !== true);
    if (left === 0 && this.#leaderGone) {
      this.#keeper.onLeaderless(false);
      if (this.#asked) this.#ports.pidfiles.remove(this.service);
    }
    this.#tell({ type: 'unit.seen', left, fresh, at: this.#ports.clock.now() });
  }

  /** Ends the unit: its owner is gone, so that later ends of its processes are recorded but reported to nobody. */
  end(): void {
    this.#over = true;
    this.#keeper.onLeaderless(false);
    this.#keeper.onSeen([]);
    this.#tree?.forget();
    if (this.#invocation !== undefined) this.#keeper.onTracked(this.#invocation, false);
  }

  /** Spawns the program, and tells its pid or what has failed. Returns what cancels the start. */
  #start(told: (pid: number | SpawnError) => void): () => void {
    const { kernel, clock, notify, onMessage, pidfiles } = this.#ports;
    const { service, connection } = this.#run;
    const notifying = service.type === 'notify' ? openNotify(notify, this.#run) : noNotify;
    if ('code' in notifying) {
      told(notifying);
      return () => undefined;
    }
    const invocation = ownsRemains(service) ? kernel.following.newInvocation() : undefined;
    const environment = environmentOfRun(service, {
      _CHAP_SERVICE_SERIAL: String(this.#nth),
      _CHAP_SERVICE_TIME: String(Math.floor(clock.wallTime() / 1000)),
      ...notifying.variables,
      ...(invocation === undefined ? {} : { INVOCATION_ID: invocation }),
      // The variables are those of systemd.exec(5) for socket units with Accept=yes.
      ...(connection === undefined ? {} : { REMOTE_ADDR: connection.address, REMOTE_PORT: String(connection.port) }),
    });
    onMessage(startAttempt(service));
    if (service.debug) for (const message of environmentDump(service, environment)) onMessage(message);
    if (service.exitKills && !isScheduled(service.type)) onMessage(exitKillsAhead(service));
    pidfiles.noteBefore(service);
    const more = { environment, ...notifying.request, ...(connection === undefined ? {} : { connection }) };
    return spawnService(kernel, service, more, (outcome) => {
      // The process has its own copy of the connection, and only the process's end is to close it.
      if (connection !== undefined) kernel.closeConnection(connection);
      if (outcome.ok) this.#began(outcome, invocation);
      told(outcome.ok ? outcome.pid : outcome.error);
    });
  }

  #began({ pid, stdout, stderr }: SpawnOutcome & { readonly ok: true }, invocation: string | undefined): void {
    const { kernel, clock, notify, pidfiles, exits, live, onBegin, onOutput } = this.#ports;
    const { service } = this;
    this.#root = pid;
    pidfiles.noteSpawned(service);
    onBegin(service, pid);
    notify.setStartPid(service.name, pid);
    if (invocation !== undefined) {
      this.#tree = kernel.following.track(pid, invocation, service.type === 'forking');
      this.#invocation = invocation;
      this.#keeper.onTracked(invocation, true);
    } else if (this.#ownsGroup()) this.#tree = kernel.following.trackGroup(pid);
    const program = shortName(service.name);
    const wallTime = (): number => clock.wallTime();
    for (const [stream, bytes$] of [
      ['stdout', stdout],
      ['stderr', stderr],
    ] as const) {
      bytes$
        .pipe(outputRecords({ program, service: service.name, pid, stream, wallTime }))
        .subscribe((record) => onOutput(service, stream, record));
    }
    this.#follow(pid, exits.exitOf(pid));
    if (service.pidfile !== undefined || service.type === 'notify')
      live.noteStart(service.name, kernel.following.lookUp(pid)?.began);
  }

  #ownsGroup(): boolean {
    return this.service.killMode === 'group' && this.service.ownGroup;
  }

  /** Makes this process the unit's leader. */
  #follow(pid: number, end$: Observable<Timed<ProcessEnd & { readonly leavesGroup?: boolean }>>): void {
    const { live, notify } = this.#ports;
    this.#leader = pid;
    this.#leaderGone = false;
    live.add(pid, this.service);
    this.#keeper.onLeaderless(false);
    notify.setMainPid(this.service.name, pid);
    // Even after another process has become the leader, this one's end is recorded.
    end$.subscribe((end) => this.#noteEnd(end));
  }

  #lead(pid: number): void {
    if (pid === this.#leader) return;
    const { onMessage, exits } = this.#ports;
    onMessage(pidChanged(this.service.name, pid, this.#leader === 0 ? this.#root : this.#leader));
    this.#follow(pid, endOf(this.#ports, this.service, pid, exits));
  }

  #noteEnd({ pid, status, at, leavesGroup = true }: Timed<ProcessEnd & { readonly leavesGroup?: boolean }>): void {
    const { clock, live, onEnd, onMessage, pidfiles } = this.#ports;
    const { name } = this.service;
    const isLeader = pid === this.#leader;
    live.forget(pid, this.service);
    if (pid === this.#root) this.#tree?.startEnded();
    onMessage(exitSeen(name, pid, status));
    if (this.#over || !isLeader) return;
    onEnd(this.service, { pid, status });
    this.#leader = 0;
    this.#leaderGone = true;
    const isEmpty = pid === this.#root && !ownsRemains(this.service) && !leavesGroup;
    const left = isEmpty ? 0 : this.#membersLeft().length;
    const named = pidfiles.names(this.service, pid) ? { named: true as const } : {};
    const isOver = left === 0 && (this.#asked || (this.#tree !== undefined && !isNormal(status)));
    // A pidfile is stale once nothing of the unit is left, or the named daemon has ended: at the next stop it would
    // name a dead process, or a foreign one with the same pid. The file of a start that has ended stays, to find the
    // daemon by.
    if (isOver || pid !== this.#root) pidfiles.remove(this.service, isOver ? undefined : pid);
    if (left > 0) this.#keeper.onLeaderless(true);
    const age = clock.realTime() - this.#begunAt;
    this.#tell({ type: 'unit.leaderExited', serial: this.#run.serial, pid, status, left, age, ...named, at });
  }

  /** The processes of the unit's group or tree, except the leader. */
  #membersLeft(): readonly Pick<ProcessView, 'pid' | 'group'>[] {
    const members = (this.#tree?.members() ?? []).filter(({ pid }) => pid !== this.#leader);
    const pids = members.map(({ pid }) => pid);
    this.#keeper.onSeen(pids);
    this.seen = pids;
    return members;
  }

  #send({ signal, purpose, asked }: UnitRequest & { readonly type: 'unit.send' }): void {
    const { onMessage, onSignalled } = this.#ports;
    const { name } = this.service;
    const isStop = purpose === 'stop';
    if (isStop) this.#asked = true;
    const leader = purpose === 'again' ? 0 : this.#liveLeader();
    const group = this.#groupOf(leader);
    const members = isStop || leader === 0 ? this.#membersToSignal(group) : [];
    const others = purpose === 'again' ? members.filter(({ pid }) => this.#killed?.has(pid) !== true) : members;
    const pids = [...(leader === 0 ? [] : [leader]), ...others.map(({ pid }) => pid)];
    if (purpose === 'hand') onMessage(signalling(name, signal));
    else if (pids.length > 0) onMessage(signal === 'SIGKILL' ? killing(name, pids, asked) : terminating(name, signal));
    if (signal === 'SIGKILL' && purpose !== 'hand') {
      this.#killed ??= new Set();
      for (const { pid } of members) this.#killed.add(pid);
    }
    const targets = [
      ...(leader === 0 ? [] : [{ pid: leader, whom: group === undefined ? 'process' : 'group' } as const]),
      ...others.map(({ pid }) => ({ pid, whom: 'process' }) as const),
    ];
    const outcome = new Promise<SignalOutcome>((resolve) => {
      this.#signalEach(signal, targets, isStop, (outcomes) => resolve(this.#signalled(signal, outcomes)));
    });
    if (purpose === 'hand') onSignalled(outcome);
    if (isStop && this.#leaderGone) this.look();
  }

  /** Signals each target, and tells all outcomes at once. */
  #signalEach(
    signal: SignalName,
    targets: readonly { readonly pid: number; readonly whom: 'process' | 'group' }[],
    isStop: boolean,
    told: (outcomes: readonly SignalOutcome[]) => void,
  ): void {
    const { kernel, onMessage } = this.#ports;
    const outcomes: SignalOutcome[] = [];
    if (targets.length === 0) told(outcomes);
    for (const { pid, whom } of targets) {
      kernel.signal(pid, signal, whom, (outcome) => {
        outcomes.push(outcome);
        // `vanished` needs no message: the exit is on its way.
        if (outcome === 'denied') onMessage(signalDenied(this.service.name, pid, signal));
        if (outcomes.length === targets.length) told(outcomes);
      });
      // A stopped process handles no signal but SIGKILL before SIGCONT (systemd does the same).
      if (isStop && signal !== 'SIGKILL') kernel.signal(pid, 'SIGCONT', whom);
    }
  }

  /** Reports a signal that did not arrive, and returns what came of it as a whole. */
  #signalled(signal: SignalName, outcomes: readonly SignalOutcome[]): SignalOutcome {
    const arrived = outcomes.find((each) => each === 'sent') ?? outcomes[0] ?? 'vanished';
    if (arrived !== 'sent' && !this.#over)
      this.#tell({ type: 'unit.signalled', signal, outcome: arrived, at: this.#ports.clock.now() });
    return outcomes.includes('denied') ? 'denied' : arrived;
  }

  /** The leader's pid; 0 where the leader was reaped unreported, so that the pid may be another process's. */
  #liveLeader(): number {
    return this.#ports.live.isOf(this.#leader, this.service.name) ? this.#leader : 0;
  }

  /** The process group that the leader leads, where signals are for the whole group. */
  #groupOf(leader: number): number | undefined {
    if (leader === 0 || this.service.killMode === 'process') return undefined;
    if (leader === this.#root) return this.service.ownGroup ? leader : undefined;
    return this.#ports.kernel.following.lookUp(leader)?.group === leader ? leader : undefined;
  }

  /** The members that a signal to the leader's group does not reach; they are not looked up where it reaches all. */
  #membersToSignal(group: number | undefined): readonly Pick<ProcessView, 'pid' | 'group'>[] {
    if (group !== undefined && group === this.#root && !ownsRemains(this.service)) return [];
    return this.#membersLeft().filter((member) => member.group !== group);
  }
}

/** The values of a start for sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). */
interface NotifyNeeds {
  readonly variables: Readonly<Record<string, string>>;
  readonly request: Pick<SpawnRequest, 'descriptors' | 'pidVariables'>;
}

const noNotify: NotifyNeeds = { variables: {}, request: {} };

function openNotify(notify: NotifySockets, { service, serial }: UnitRun): NotifyNeeds | SpawnError {
  const kept = notify.kept(service.name);
  let path: string;
  try {
    path = notify.open(service, serial);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { code, stage: 'notify', program: service.argv[0] ?? '' };
  }
  const { watchdog } = service;
  return {
    variables: {
      NOTIFY_SOCKET: path,
      ...(watchdog === undefined ? {} : { WATCHDOG_USEC: String(Math.round(watchdog * 1000)) }),
      ...(kept.length === 0
        ? {}
        : { LISTEN_FDS: String(kept.length), LISTEN_FDNAMES: kept.map(({ name }) => name).join(':') }),
    },
    request: {
      ...(kept.length === 0 ? {} : { descriptors: kept.map(({ descriptor }) => descriptor) }),
      pidVariables: [...(watchdog === undefined ? [] : ['WATCHDOG_PID']), ...(kept.length === 0 ? [] : ['LISTEN_PID'])],
    },
  };
}

/**
 * The end of a process that chaperone did not start. Where chaperone is its parent by then, waitid(2) tells the status.
 * Otherwise the status is that of the kernel, or that of the service's EXIT_STATUS.
 */
function endOf(
  { kernel, clock, notify }: UnitPorts,
  service: ServiceSpec,
  pid: number,
  exits: ExitRouter<ProcessExit>,
): Observable<Timed<ProcessEnd>> {
  const gone$ = kernel.following.watchEnd(pid).pipe(
    map((status): Timed<ProcessEnd> => {
      const told = notify.exitStatus(service.name);
      const known =
        status.kind === 'unknown' && told !== undefined ? ({ kind: 'exited', code: told } as const) : status;
      return { pid, status: known, at: clock.now() };
    }),
  );
  return merge(exits.exitOf(pid), gone$).pipe(take(1));
}

/**
 * Spawns in the account's home by default; if that cannot be entered, in chaperone's own directory instead.
 *
 * @returns cancels the start
 */
function spawnService(
  kernel: Kernel,
  service: ServiceSpec,
  more: Pick<SpawnRequest, 'environment' | 'descriptors' | 'pidVariables' | 'connection'>,
  told: (outcome: SpawnOutcome) => void,
): () => void {
  const request: SpawnRequest = {
    ...more,
    argv: service.argv,
    ownGroup: service.ownGroup,
    stopSignal: service.killSignal,
    stdin: service.stdin,
    stdout: service.stdout === 'log' ? 'pipe' : 'inherit',
    stderr: service.stderr === 'log' ? 'pipe' : 'inherit',
    ...(service.account === undefined ? {} : { account: service.account }),
  };
  const attempts = new Attempts(kernel);
  const home = service.account?.home;
  if (service.directory !== undefined) attempts.atTerminal({ ...request, directory: service.directory }, told);
  else if (home === undefined) attempts.atTerminal(request, told);
  else
    attempts.atTerminal({ ...request, directory: home }, (outcome) => {
      if (attempts.mayFollow(outcome, 'directory')) attempts.atTerminal(request, told);
      else told(outcome);
    });
  return () => attempts.cancel();
}

/** The attempts of one start, one after another. Once it is cancelled, no other attempt follows. */
class Attempts {
  readonly #kernel: Kernel;
  readonly #cancels: (() => void)[] = [];
  #isCancelled = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const cancel of this.#cancels) cancel();
  }

  /** True where an attempt has failed at this stage, so that another one without what has failed may follow. */
  mayFollow(outcome: SpawnOutcome, stage: SpawnError['stage']): boolean {
    return !outcome.ok && outcome.error.stage === stage && !this.#isCancelled;
  }

  /** Spawns at a terminal. Without a foreground group to give (not chaperone's controlling terminal) it does without. */
  atTerminal(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): void {
    this.#spawn(request, (outcome) => {
      if (this.mayFollow(outcome, 'terminal')) this.#spawn({ ...request, stdin: 'inherit' }, told);
      else told(outcome);
    });
  }

  #spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): void {
    this.#cancels.push(this.#kernel.spawn(request, told));
  }
}
