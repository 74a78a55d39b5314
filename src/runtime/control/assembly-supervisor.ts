/** Implements the supervisor port on an assembly: snapshots of its machines, and commands to them. */
import { type Observable, Subject, Subscription } from 'rxjs';
import type { SnapshotFrom } from 'xstate';
import type {
  CommandRun,
  ControlEvent,
  EntryWatch,
  KillOutcome,
  Measurements,
  ReloadRequest,
  ReloadResult,
  RunOutcome,
  ServiceStatus,
  StartRequest,
  StopRequest,
  Supervisor,
  SystemStatus,
  WatchRequest,
} from '../../control/supervisor.ts';
import { type RequestVerb, systemActor } from '../../facts/fact.ts';
import { type FirstStart, startTimes } from '../../facts/first-start.ts';
import { type HistoryLine, historyOf } from '../../facts/history.ts';
import type { MoveFact } from '../../facts/milestones.ts';
import { SizedRing } from '../../facts/ring.ts';
import { statePath } from '../../facts/transition.ts';
import { runCounts, type scheduledMachine } from '../../machines/scheduled.ts';
import type { serviceMachine } from '../../machines/service.ts';
import { mayRestart } from '../../machines/service-outcomes.ts';
import { serviceActorId } from '../../machines/system.ts';
import type { Ledger } from '../../model/ledger/ledger.ts';
import type { ServiceRequest } from '../../model/ledger/requests.ts';
import { isOver, isStopping, phaseOf, type Slot, satisfiesDependents, standingOf } from '../../model/ledger/slot.ts';
import { holders } from '../../model/ledger/starts.ts';
import { stopsBefore } from '../../model/ledger/stops.ts';
import { unrestartable } from '../../model/ledger/unstartable.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import { alreadyStarted, shutdownScheduled } from '../../model/log/messages.ts';
import type { Severity } from '../../model/log/syslog-names.ts';
import { dependencyChart } from '../../model/order/dependency-chart.ts';
import { holdOf } from '../../model/order/hold.ts';
import { blockedBy, type Standings } from '../../model/order/ordering.ts';
import type { Unstartable } from '../../model/order/reload-plan.ts';
import { type RunCounts, scheduledNote } from '../../model/schedule/scheduled-runs.ts';
import { describeFailure } from '../../model/service/describe-end.ts';
import type { ExitStatus } from '../../model/service/exit-status.ts';
import { type PublicState, publicStateOf } from '../../model/service/public-state.ts';
import { type FailureCause, isLive, type ServicePhase, servicePhases } from '../../model/service/service-phase.ts';
import { isServiceStage, type ServiceStage } from '../../model/service/service-stage.ts';
import type { SignalName } from '../../model/service/signal.ts';
import { describeSpawnError } from '../../model/service/spawn-error.ts';
import { explainState, type Hold, type WaitFacts } from '../../model/service/why.ts';
import type { Assembly } from '../assembly.ts';
import { serviceEntry } from '../inspection/entry-views.ts';
import type { Inspection } from '../inspection/inspection.ts';
import type { Clock, Kernel, SpawnOutcome } from '../kernel.ts';

export interface ControlPorts {
  readonly assembly: Assembly;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly version: string;
  /** The environment of commands that are run by hand. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logLevel?: Severity;
  /** Makes every log selector take this severity, too. */
  readonly widen: (level: Severity) => void;
  readonly reload: (request: ReloadRequest) => Promise<ReloadResult>;
  /** Makes the inspection when somebody attaches for the first time. */
  readonly inspection: () => Promise<Inspection>;
}

type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;
type ScheduledSnapshot = SnapshotFrom<typeof scheduledMachine>;

/** Facts of the ledger about all services at once; each part is computed at most once per ledger. */
class Overview {
  readonly ledger: Ledger;
  #held: ReadonlyMap<string, readonly string[]> | undefined;
  #stopsBefore: ReadonlyMap<string, readonly string[]> | undefined;

  constructor(ledger: Ledger) {
    this.ledger = ledger;
  }

  /** The services that can never start in the present state of the others. */
  get held(): ReadonlyMap<string, readonly string[]> {
    const { graph } = this.ledger;
    this.#held ??= blockedBy(graph, standingsOf(this.ledger));
    return this.#held;
  }

  /** The services that have to end before each service. */
  get stopsBefore(): ReadonlyMap<string, readonly string[]> {
    this.#stopsBefore ??= stopsBefore(this.ledger.slots);
    return this.#stopsBefore;
  }
}

/** The most records, and the most characters of records, that are kept for requests for the last lines. */
const mostRecords = 1_000;
const mostCharacters = 512_000;
/** ms between two measurements of the event loop's delay. */
const loopInterval = 1_000;

export class AssemblySupervisor implements Supervisor {
  readonly events$ = new Subject<ControlEvent>();
  readonly records$: Observable<LogRecord>;
  readonly #ports: ControlPorts;
  readonly #records = new SizedRing<LogRecord>(mostCharacters, ({ message }) => message.length, mostRecords);
  #recordsIn = 0;
  #systemState: SystemStatus['state'] = 'booting';
  /** ms since chaperone began at which the system was up. */
  #ready: number | undefined;
  #logLevel: Severity | undefined;
  /** When the system is to be shut down: monotonic ms, and Unix ms. */
  #shutdown: { readonly due: number; readonly at: number } | undefined;
  #loopDelay = 0;
  #loopWatched = false;
  #overview: Overview | undefined;

  /** Make it before the assembly starts, so that it counts from the beginning. */
  constructor(ports: ControlPorts) {
    this.#ports = ports;
    this.#logLevel = ports.logLevel;
    const { assembly } = ports;
    this.records$ = assembly.records$;
    assembly.records$.subscribe((record) => this.#keep(record));
    assembly.feed.facts$.subscribe((fact) => {
      if (fact.type === 'moved') this.#noteMove(fact);
    });
  }

  status(): SystemStatus {
    const { assembly, kernel, version } = this.#ports;
    const states: Record<PublicState, number> = {
      disabled: 0,
      pending: 0,
      starting: 0,
      ready: 0,
      exited: 0,
      stopping: 0,
      backoff: 0,
      stopped: 0,
      failed: 0,
    };
    const { slots, counters } = this.#ledger();
    for (const phase of servicePhases) states[publicStateOf(phase)] += counters.phases[phase];
    let enabled = 0;
    for (const slot of slots) if (slot.enabled) enabled += 1;
    return {
      version,
      state: this.#systemState,
      uptime: assembly.feed.now(),
      ...(this.#ready === undefined ? {} : { ready: this.#ready }),
      pid: kernel.pid,
      brain: process.pid,
      services: slots.size,
      enabled,
      states,
      ...(this.#logLevel === undefined ? {} : { logLevel: this.#logLevel }),
      ...(this.#shutdown === undefined ? {} : { shutdownAt: this.#shutdown.at }),
    };
  }

  services(): readonly ServiceStatus[] {
    return this.#ledger()
      .slots.all()
      .flatMap((slot) => this.#statusOf(slot) ?? []);
  }

  service(name: string): ServiceStatus | undefined {
    const slot = this.#ledger().slots.get(name);
    return slot === undefined ? undefined : this.#statusOf(slot);
  }

  history(name: string): readonly HistoryLine[] | undefined {
    const { assembly } = this.#ports;
    const entry = serviceEntry(assembly.system.getSnapshot(), name, false);
    return entry === undefined ? undefined : historyOf(entry, assembly.feed.history(name));
  }

  recentRecords(): readonly LogRecord[] {
    return this.#records.toArray();
  }

  dependencyChart(): string {
    return dependencyChart(this.#ledger().graph);
  }

  measurements(): Measurements {
    const { assembly, clock } = this.#ports;
    // The measurement begins with the first request for it, so that an idle container is not woken for nothing.
    if (!this.#loopWatched) {
      this.#loopWatched = true;
      this.#watchLoop(clock.now());
    }
    const { rss, heapUsed } = process.memoryUsage();
    const services = [...assembly.feed.allMilestones()].filter(([name]) => name !== systemActor);
    const loopDelay = this.#loopDelay;
    this.#loopDelay = 0;
    return {
      orphansReaped: assembly.orphansReaped(),
      recordsIn: this.#recordsIn,
      sinks: Object.fromEntries(
        assembly.sinks
          .all()
          .map(({ name, waitingBytes, droppedTotal }) => [name, { waitingBytes, dropped: droppedTotal }]),
      ),
      exits: services.flatMap(([service, { exits }]) =>
        [...exits].map(([status, count]) => ({ service, status, count })),
      ),
      restarts: Object.fromEntries(services.map(([name, { restarts }]) => [name, restarts])),
      loopDelay,
      memory: { resident: rss, heap: heapUsed },
    };
  }

  start(names: readonly string[], { enable, force }: StartRequest): void {
    const { slots } = this.#ledger();
    for (const name of force ? [] : names) {
      const slot = slots.get(name);
      const phase = slot === undefined || isStopping(slot) ? undefined : phaseOf(slot);
      if (phase !== undefined && (phase === 'pending' || isLive(phase))) this.#ports.assembly.say(alreadyStarted(name));
    }
    this.#send('start', { type: 'services.start', names, enable, force });
  }

  stop(names: readonly string[], { disable, drain }: StopRequest): void {
    this.#send('stop', { type: 'services.stop', names, disable, again: false, drain });
  }

  reset(names: readonly string[], { force }: { readonly force: boolean }): void {
    this.#send('reset', { type: 'services.reset', names, force });
  }

  restart(names: readonly string[], { force }: { readonly force: boolean }): void {
    if (force) this.#send('restart', { type: 'services.start', names, enable: false, force: true });
    else this.#send('restart', { type: 'services.stop', names, disable: false, again: true, drain: false });
  }

  unrestartable(names: readonly string[]): readonly Unstartable[] {
    return unrestartable(this.#ledger(), names);
  }

  setEnabled(names: readonly string[], enabled: boolean): void {
    this.#send(enabled ? 'enable' : 'disable', { type: enabled ? 'services.enable' : 'services.disable', names });
  }

  async kill(name: string, signal: SignalName): Promise<KillOutcome> {
    this.#ports.assembly.feed.tell({ type: 'requested', verb: 'kill', services: [name] });
    const outcome = await this.#ports.assembly.signal(name, signal);
    return outcome === 'vanished' ? 'notRunning' : outcome;
  }

  shutdown(delay: number): void {
    const { assembly, clock } = this.#ports;
    assembly.say(shutdownScheduled(delay));
    const due = clock.now() + delay;
    // Of several requests the earliest ends the system.
    if (this.#shutdown === undefined || due < this.#shutdown.due)
      this.#shutdown = { due, at: clock.wallTime() + delay };
    assembly.feed.tell({ type: 'requested', verb: 'shutdown', services: [] });
    clock.setTimeout(() => assembly.shutdown({ kind: 'command' }), delay);
  }

  forceLogLevel(level: Severity): void {
    this.#logLevel = level;
    this.#ports.widen(level);
  }

  run(argv: readonly string[]): CommandRun {
    const { kernel, environment } = this.#ports;
    const output$ = new Subject<{ readonly stream: 'stdout' | 'stderr'; readonly text: string }>();
    let pid: number | undefined;
    let isCancelled = false;
    const end = (): void => {
      if (pid !== undefined) kernel.signal(pid, 'SIGKILL', 'group');
    };
    const outcome = new Promise<RunOutcome>((resolve) => {
      kernel.spawn({ argv, environment, ownGroup: true, stdin: 'null', stdout: 'pipe', stderr: 'pipe' }, (spawned) => {
        if (!spawned.ok) {
          const exitStatus = spawned.error.code === 'ENOENT' ? 127 : 126;
          resolve({ kind: 'notStarted', message: describeSpawnError(spawned.error), exitStatus });
          return;
        }
        pid = spawned.pid;
        this.#collect(spawned, output$, (status) => {
          pid = undefined;
          resolve({ kind: 'ended', status });
        });
        if (isCancelled) end();
      });
    });
    return {
      output$,
      outcome,
      cancel: () => {
        isCancelled = true;
        end();
      },
    };
  }

  /** Passes the output of a command on until the command has ended. */
  #collect(
    { pid, ...streams }: SpawnOutcome & { readonly ok: true },
    output$: Subject<{ readonly stream: 'stdout' | 'stderr'; readonly text: string }>,
    ended: (status: ExitStatus) => void,
  ): void {
    const { assembly } = this.#ports;
    assembly.feed.tell({ type: 'command.began', pid });
    const subscription = new Subscription();
    for (const stream of ['stdout', 'stderr'] as const) {
      const decoder = new TextDecoder();
      subscription.add(
        streams[stream].subscribe((bytes) => output$.next({ stream, text: decoder.decode(bytes, { stream: true }) })),
      );
    }
    assembly.exits.exitOf(pid).subscribe(({ status }) => {
      assembly.feed.tell({ type: 'command.ended', pid, status });
      // All output from before the end has been emitted by now.
      subscription.unsubscribe();
      output$.complete();
      ended(status);
    });
  }

  async watch(request: WatchRequest): Promise<EntryWatch> {
    const { hub } = await this.#ports.inspection();
    return hub.watch(request);
  }

  reload(request: ReloadRequest): Promise<ReloadResult> {
    // A system that ends answers at once; the reloader checks again, because the shutdown may begin while files are read.
    if (this.#systemState === 'draining') return Promise.resolve({ kind: 'ending' });
    return this.#ports.reload(request);
  }

  #ledger(): Ledger {
    return this.#ports.assembly.system.getSnapshot().context.ledger;
  }

  #overviewOf(ledger: Ledger): Overview {
    if (this.#overview?.ledger !== ledger) this.#overview = new Overview(ledger);
    return this.#overview;
  }

  /** Passes a request for services on to the system machine, with the time. */
  #send(verb: RequestVerb, request: Unstamped<ServiceRequest>): void {
    const { assembly, clock } = this.#ports;
    // A request that comes while the system ends changes nothing.
    if (this.#systemState === 'draining') return;
    assembly.feed.tell({ type: 'requested', verb, services: request.names });
    assembly.system.send({ ...request, at: clock.now() });
  }

  #snapshotOf(name: string): ServiceSnapshot | ScheduledSnapshot | undefined {
    const ref = this.#ports.assembly.system.getSnapshot().children[serviceActorId(name)];
    const snapshot = ref?.getSnapshot();
    return snapshot !== undefined && 'context' in snapshot && 'spec' in snapshot.context ? snapshot : undefined;
  }

  #statusOf(slot: Slot): ServiceStatus | undefined {
    const { clock, assembly } = this.#ports;
    const { spec, enabled } = slot;
    const { name } = spec;
    const snapshot = this.#snapshotOf(name);
    if (snapshot === undefined) return undefined;
    const ledger = this.#ledger();
    const past = assembly.feed.milestones(name);
    const now = clock.now();
    const age = past === undefined ? 0 : assembly.feed.now() - past.since;
    const since = past?.sinceTime ?? clock.wallTime();
    const phase = phaseOf(slot);
    // The ledger knows more than the chart: services that are queued, disabled by hand, or stopped before they began.
    const stage =
      phase === 'disabled' || phase === 'pending' || phase === 'stopped' ? phase : (stageOf(snapshot) ?? 'pending');
    const run = isScheduledSnapshot(snapshot) ? scheduledFacts(snapshot) : serviceFacts(snapshot, stage, now);
    const words = assembly.lastWords(name);
    const { verdict, restartsUsed = 0, pid } = run;
    const cause = verdict === undefined ? undefined : describeFailure(spec.type, verdict);
    const left = run.left ?? timeLeft(slot, stage, age, now);
    const note = run.counts === undefined ? run.status : scheduledNote(spec, run.counts);
    const nextRun = assembly.nextRun(name);
    const { timeZone } = ledger.spec;
    const why = explainState({
      stage,
      since,
      spec,
      hold: phase === 'pending' ? this.#pendingHold(slot) : { kind: 'none' },
      ...this.#stopOf(slot, snapshot),
      restartsUsed,
      ...(pid === undefined ? {} : { pid }),
      ...(run.counts === undefined ? {} : { running: run.counts.running }),
      ...(left === undefined ? {} : { left }),
      ...(nextRun === undefined ? {} : { nextRun: nextRun - clock.wallTime() }),
      ...(cause === undefined ? {} : { cause }),
      ...(run.endSignal === undefined ? {} : { endSignal: run.endSignal }),
    });
    const boot = bootTimes(name, past?.firstStart);
    return {
      name,
      type: spec.type,
      enabled,
      ...(spec.remainAfterExit ? { remainAfterExit: true } : {}),
      state: publicStateOf(phase),
      stage,
      since,
      age,
      why,
      ...(pid === undefined ? {} : { pid }),
      ...(run.counts === undefined ? {} : { running: run.counts.running }),
      ...(spec.restart
        ? { restarts: { used: restartsUsed, left: Math.max(0, spec.restartLimit - restartsUsed) } }
        : {}),
      ...(note === undefined ? {} : { note }),
      ...(past?.lastExit === undefined ? {} : { lastExit: past.lastExit }),
      ...(cause === undefined || cause === '' ? {} : { cause }),
      ...(nextRun === undefined ? {} : { nextRun }),
      ...(nextRun === undefined || timeZone === undefined ? {} : { timeZone }),
      ...(words === undefined ? {} : { lastWords: { stream: words.stream, line: words.line, age: now - words.at } }),
      prerequisites: spec.prerequisites,
      prerequisitesReady: spec.prerequisites.every((other) => {
        const prerequisite = ledger.slots.get(other);
        return prerequisite === undefined || satisfiesDependents(prerequisite);
      }),
      ...(boot === undefined ? {} : { boot }),
    };
  }

  #pendingHold({ spec }: Slot): Hold {
    const { value } = this.#ports.assembly.system.getSnapshot();
    const path = statePath(value);
    if (path.startsWith('draining') || path === 'halted') return { kind: 'ending' };
    const ledger = this.#ledger();
    const { held } = this.#overviewOf(ledger);
    const hold = holdOf(ledger.graph, standingsOf(ledger), held, spec.name, path === 'booting.idling');
    if (hold.kind !== 'none') return hold;
    // A prerequisite that is about to be stopped does not count, although it is still ready.
    const going = spec.prerequisites.filter((name) => {
      const slot = ledger.slots.get(name);
      return slot !== undefined && isStopping(slot);
    });
    if (going.length > 0) return { kind: 'prerequisites', names: going };
    const holding = holders(ledger.slots, spec);
    return holding.length > 0 ? { kind: 'reload', names: holding } : hold;
  }

  /** What a requested stop of the service waits for, and what follows the stop. */
  #stopOf(slot: Slot, snapshot: ServiceSnapshot | ScheduledSnapshot): Pick<WaitFacts, 'stopAfter' | 'afterStop'> {
    const stopping = isStopping(slot) && !isOver(slot) ? slot.intent : undefined;
    const stopAfter =
      stopping?.told === false ? (this.#overviewOf(this.#ledger()).stopsBefore.get(slot.spec.name) ?? []) : [];
    if (stopping?.next === 'start') return { stopAfter, afterStop: 'start' };
    if (snapshot.context.verdict === undefined) return { stopAfter };
    const restarts =
      stopping === undefined && slot.enabled && !isScheduledSnapshot(snapshot) && mayRestart(snapshot.context);
    return { stopAfter, afterStop: restarts ? 'restart' : 'verdict' };
  }

  #noteMove({ actor, at, to }: MoveFact): void {
    if (actor === systemActor) {
      this.#noteSystem(at, to);
      return;
    }
    if (!isServiceStage(to)) return;
    const time = this.#ports.clock.wallTime();
    // The ledger takes the change later in the same turn; the listener is called after that, so that both agree.
    queueMicrotask(() =>
      this.events$.next({ type: 'service', time, service: actor, state: this.#stateOf(actor), stage: to }),
    );
  }

  #stateOf(name: string): PublicState {
    return publicStateOf(phaseOrPending(this.#ledger().slots.get(name)));
  }

  #noteSystem(at: number, path: string): void {
    const state = path.startsWith('booting') ? 'booting' : path === 'up' ? 'up' : 'draining';
    if (state === this.#systemState) return;
    this.#systemState = state;
    if (state === 'up') this.#ready = at;
    this.events$.next({ type: 'system', time: this.#ports.clock.wallTime(), state });
  }

  #keep(record: LogRecord): void {
    this.#recordsIn += 1;
    this.#records.push(record);
  }

  #watchLoop(due: number): void {
    const { clock } = this.#ports;
    const next = Math.max(clock.now(), due) + loopInterval;
    clock.setTimeout(() => {
      this.#loopDelay = Math.max(this.#loopDelay, clock.now() - next);
      this.#watchLoop(next);
    }, next - clock.now());
  }
}

/** A type without its time. */
type Unstamped<T> = T extends unknown ? Omit<T, 'at'> : never;

function phaseOrPending(slot: Slot | undefined): ServicePhase {
  return slot === undefined ? 'pending' : phaseOf(slot);
}

function standingsOf({ slots }: Ledger): Standings {
  return { get: (name) => standingOf(slots.get(name)) };
}

function stageOf(snapshot: ServiceSnapshot | ScheduledSnapshot): ServiceStage | undefined {
  const path = statePath(snapshot.value);
  return isServiceStage(path) ? path : undefined;
}

function isScheduledSnapshot(snapshot: ServiceSnapshot | ScheduledSnapshot): snapshot is ScheduledSnapshot {
  return 'runs' in snapshot.context;
}

/** The facts of a chart that a status shows. */
interface RunFacts {
  readonly pid?: number;
  readonly counts?: RunCounts;
  readonly verdict?: FailureCause | undefined;
  readonly restartsUsed?: number;
  readonly endSignal?: SignalName | undefined;
  readonly status?: string | undefined;
  /** ms until the timer of the state fires. */
  readonly left?: number;
}

function scheduledFacts({ context, value }: ScheduledSnapshot): RunFacts {
  const hasRuns = typeof value === 'object';
  return { verdict: context.verdict, ...(hasRuns ? { counts: runCounts(context) } : {}) };
}

function serviceFacts({ context }: ServiceSnapshot, stage: ServiceStage, now: number): RunFacts {
  const { verdict, restartsUsed, status, pid, deadline, endSignal } = context;
  const isTimed =
    stage === 'starting.awaitingExit' ||
    stage === 'starting.awaitingPidfile' ||
    stage === 'starting.awaitingNotify' ||
    stage === 'stopping.clearing';
  return {
    verdict,
    restartsUsed,
    endSignal,
    status,
    ...(pid === 0 ? {} : { pid }),
    ...(isTimed && deadline !== undefined ? { left: Math.max(0, deadline - now) } : {}),
  };
}

/**
 * ms until the pause that a service is in has passed, or until the ledger sends SIGKILL to a service that was told to stop.
 *
 * @param age ms that the service has spent in this stage
 */
function timeLeft(slot: Slot, stage: ServiceStage, age: number, now: number): number | undefined {
  switch (stage) {
    case 'starting.settling':
      return Math.max(0, slot.spec.startupPause - age);
    case 'backoff':
      return Math.max(0, slot.spec.restartDelay - age);
    case 'stopping.terminating': {
      const killAt = isStopping(slot) ? slot.intent.killAt : undefined;
      return killAt === undefined ? undefined : Math.max(0, killAt - now);
    }
    default:
      return undefined;
  }
}

function bootTimes(name: string, start: FirstStart | undefined): ServiceStatus['boot'] {
  const times = startTimes(name, start);
  if (times === undefined) return undefined;
  const { service: _, ...boot } = times;
  return boot;
}
