/** Implements the supervisor port on an assembly: snapshots of its machines, and commands to them. */
import { filter, map, type Observable, Subject, Subscription } from 'rxjs';
import type { SnapshotFrom } from 'xstate';
import { Boundary } from '../../control/boundary.ts';
import type {
  CommandRun,
  ControlEvent,
  EntryWatch,
  KillOutcome,
  Measurements,
  NotStarted,
  ReloadRequest,
  ReloadResult,
  RestartStatus,
  RunNow,
  RunOutcome,
  ScaleResult,
  ServiceStatus,
  StartRequest,
  StopRequest,
  Supervisor,
  SystemStatus,
  WatchRequest,
} from '../../control/supervisor.ts';
import { type Fact, type RequestVerb, systemActor } from '../../facts/fact.ts';
import { type FirstStart, startTimes } from '../../facts/first-start.ts';
import { type HistoryLine, historyOf } from '../../facts/history.ts';
import type { MoveFact } from '../../facts/milestones.ts';
import { SizedRing } from '../../facts/ring.ts';
import { statePath } from '../../facts/transition.ts';
import { runCounts, type scheduledMachine } from '../../machines/scheduled.ts';
import type { serviceMachine } from '../../machines/service.ts';
import { mayRestart } from '../../machines/service-outcomes.ts';
import { type SystemCommand, serviceActorId } from '../../machines/system.ts';
import type { Ledger } from '../../model/ledger/ledger.ts';
import type { ServiceRequest } from '../../model/ledger/requests.ts';
import { isOver, isStopping, phaseOf, type Slot, standingOf } from '../../model/ledger/slot.ts';
import { holders } from '../../model/ledger/starts.ts';
import { stopsBefore } from '../../model/ledger/stops.ts';
import { unrestartable } from '../../model/ledger/unstartable.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import { alreadyStarted, shutdownScheduled, warning } from '../../model/log/messages.ts';
import type { Severity } from '../../model/log/syslog-names.ts';
import { dependencyChart } from '../../model/order/dependency-chart.ts';
import { holdOf, stagesToReach } from '../../model/order/hold.ts';
import { blockedBy, meets, type Standings } from '../../model/order/ordering.ts';
import { describeCause, tieTo } from '../../model/order/prerequisite.ts';
import type { Unstartable } from '../../model/order/reload-plan.ts';
import {
  type RunAnswer,
  type RunCounts,
  type RunResult,
  type ScheduleNews,
  scheduledNote,
} from '../../model/schedule/scheduled-runs.ts';
import { describeFailure } from '../../model/service/describe-end.ts';
import type { ExitStatus } from '../../model/service/exit-status.ts';
import { describeOutputs } from '../../model/service/output.ts';
import { type PublicState, publicStateOf } from '../../model/service/public-state.ts';
import { describeReload, type ReloadNews, type ReloadOutcome } from '../../model/service/reload-method.ts';
import {
  countAt,
  describeNoTry,
  mayBeTried,
  pauseOf,
  type Tried,
  triesLeft,
} from '../../model/service/restart-policy.ts';
import { type FailureCause, isLive, type ServicePhase, servicePhases } from '../../model/service/service-phase.ts';
import { type ServiceSpec, shortName } from '../../model/service/service-spec.ts';
import { isServiceStage, type ServiceStage } from '../../model/service/service-stage.ts';
import type { SignalName } from '../../model/service/signal.ts';
import { describeSpawnError, type SpawnError } from '../../model/service/spawn-error.ts';
import { unstartedStatus } from '../../model/service/system-end.ts';
import { explainState, type Hold, type WaitFacts } from '../../model/service/why.ts';
import { messageOf } from '../../model/words/errno.ts';
import type { Assembly } from '../assembly.ts';
import { serviceEntry } from '../inspection/entry-views.ts';
import type { Inspection } from '../inspection/inspection.ts';
import type { Clock, Kernel, SpawnOutcome } from '../kernel.ts';
import type { LinuxKernel } from '../linux/linux-kernel.ts';
import { type ProbeFacts, probeFacts } from './probe-status.ts';

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
  /** Absent where no process can become a service's: on the kernel of the simulations. */
  readonly programOf?: LinuxKernel['programOf'];
  readonly reload: (request: ReloadRequest) => Promise<ReloadResult>;
  readonly scale: Supervisor['scale'];
  readonly traces?: () => Measurements['traces'];
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
  /** The number of the last request that a service answers. */
  #requests = 0;
  #systemState: SystemStatus['state'] = 'booting';
  /** ms since chaperone began at which the system was up. */
  #ready: number | undefined;
  /** ms since chaperone began at which the system was up, or had begun to end. */
  #bootOver: number | undefined;
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
    const boundary = new Boundary((error) =>
      assembly.say(warning(`the control socket cannot keep what happens: ${messageOf(error)}`)),
    );
    assembly.records$.subscribe(boundary.guard((record: LogRecord) => this.#keep(record)));
    assembly.feed.facts$.subscribe(
      boundary.guard((fact: Fact) => {
        if (fact.type === 'moved') this.#noteMove(fact);
      }),
    );
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
      ...(this.#bootOver === undefined ? {} : { bootOver: this.#bootOver }),
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
    const traces = this.#ports.traces?.();
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
      ...(traces === undefined ? {} : { traces }),
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
    const followed = names.filter((name) => this.service(name)?.followed === true);
    this.#send('reset', { type: 'services.reset', names, force, followed });
  }

  restart(names: readonly string[], { force }: { readonly force: boolean }): void {
    if (force) this.#send('restart', { type: 'services.start', names, enable: false, force: true });
    else this.#send('restart', { type: 'services.stop', names, disable: false, again: true, drain: false });
  }

  unrestartable(names: readonly string[]): readonly Unstartable[] {
    return unrestartable(this.#ledger(), names);
  }

  runNow(name: string): RunNow {
    const request = this.#nextRequest();
    let answer: RunAnswer = 'unscheduled';
    const ended = new Promise<RunResult>((resolve) => {
      const subscription = this.#newsOf(name).subscribe((news) => {
        if (news.kind === 'runAsked' && news.request === request) answer = news.answer;
        if (news.kind !== 'runAnswered' || !news.requests.includes(request)) return;
        subscription.unsubscribe();
        resolve(news.result);
      });
      this.#ask('run-now', { type: 'services.run', name, request });
      if (answer === 'busy' || answer === 'unscheduled') subscription.unsubscribe();
    });
    return { answer, ended };
  }

  reloadService(name: string): Promise<ReloadOutcome> {
    const request = this.#nextRequest();
    if (this.#systemState === 'draining') return Promise.resolve({ kind: 'notRunning' });
    return new Promise((resolve) => {
      const subscription = this.#newsOf(name).subscribe((news) => {
        if (news.kind !== 'reloaded' || news.request !== request) return;
        queueMicrotask(() => subscription.unsubscribe());
        resolve(news.outcome);
      });
      this.#ask('reload', { type: 'services.reload', name, request });
    });
  }

  #nextRequest(): number {
    this.#requests += 1;
    return this.#requests;
  }

  #newsOf(name: string): Observable<ScheduleNews | ReloadNews> {
    return this.#ports.assembly.notices$.pipe(
      filter((notice) => notice.type === 'service.noticed'),
      filter(({ service }) => service === name),
      map(({ news }) => news),
    );
  }

  /** Passes a request on that the service itself answers. */
  #ask(verb: RequestVerb, request: Unstamped<SystemCommand & { type: 'services.run' | 'services.reload' }>): void {
    const { assembly, clock } = this.#ports;
    if (this.#systemState === 'draining') return;
    assembly.feed.tell({ type: 'requested', verb, services: [request.name] });
    assembly.system.send({ ...request, at: clock.now() });
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
          resolve({ kind: 'notStarted', ...notStarted(spawned.error) });
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

  async programOf(name: string, argv: readonly string[]): Promise<Uint8Array | NotStarted> {
    const { assembly, programOf } = this.#ports;
    const service = assembly.serviceOf(name);
    if (service === undefined || programOf === undefined) return { message: `${name} is not there`, exitStatus: 126 };
    const made = await assembly.environmentOf(service);
    if (!made.ok) return notStarted(made.error);
    const { account, directory, resources } = service;
    const program = programOf({
      argv,
      environment: made.environment,
      ...(account === undefined ? {} : { account }),
      ...(directory === undefined ? {} : { directory }),
      ...(resources === undefined ? {} : { resources }),
      ownGroup: true,
      stdin: 'null',
      stdout: 'inherit',
      stderr: 'inherit',
    });
    return program instanceof Uint8Array ? program : notStarted(program);
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

  scale(templates: readonly string[], count: number): Promise<ScaleResult> {
    if (this.#systemState === 'draining') return Promise.resolve({ kind: 'ending' });
    return this.#ports.scale(templates, count);
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
    const words = assembly.lastWords(name).at(-1);
    const { verdict, pid } = run;
    const tries = mayBeTried(spec) ? { ...snapshot.context, spec, at: now } : undefined;
    // Until the next start, what has happened to a prerequisite explains more than the end of the last run.
    const because = slot.because === undefined ? undefined : describeCause(slot.because, shortName);
    const cause = because ?? (verdict === undefined ? undefined : describeFailure(spec.type, verdict));
    const left = run.left ?? timeLeft(slot, stage, { age, now, pause: snapshot.context.pause });
    const note = noteOf(slot, run);
    const nextRun = assembly.nextRun(name);
    const timeZone = spec.cron?.timeZone ?? ledger.spec.timeZone;
    const why = explainState({
      stage,
      since,
      spec,
      hold: phase === 'pending' ? this.#pendingHold(slot) : { kind: 'none' },
      ...this.#stopOf(slot, snapshot),
      ...(tries === undefined ? { restartsUsed: 0 } : triesOf(tries)),
      ...(pid === undefined ? {} : { pid }),
      ...runWaits(slot, run),
      ...(left === undefined ? {} : { left }),
      ...(nextRun === undefined ? {} : { nextRun: Math.max(0, nextRun - clock.wallTime()) }),
      ...(cause === undefined ? {} : { cause }),
      ...(because === undefined ? {} : { because }),
      ...(run.endSignal === undefined ? {} : { endSignal: run.endSignal }),
      ...(run.hook === undefined ? {} : { hook: run.hook }),
      ...(run.probing === undefined ? {} : { probing: run.probing }),
      ...(run.failing === undefined ? {} : { failing: run.failing }),
    });
    const boot = bootTimes(name, past?.firstStart, assembly.feed.now());
    return {
      name,
      type: spec.type,
      enabled,
      ...(spec.held === true && !enabled ? { held: true as const } : {}),
      ...(spec.remainAfterExit ? { remainAfterExit: true } : {}),
      state: publicStateOf(phase),
      stage,
      since,
      age,
      why,
      ...statusOfRun(run),
      ...(tries === undefined ? {} : { restarts: restartStatus(tries, stage === 'backoff' ? left : undefined) }),
      ...(note === undefined ? {} : { note }),
      ...(past?.lastExit === undefined ? {} : { lastExit: past.lastExit }),
      ...(cause === undefined || cause === '' ? {} : { cause }),
      ...(nextRun === undefined ? {} : { nextRun }),
      ...(nextRun === undefined || timeZone === undefined ? {} : { timeZone }),
      ...(words === undefined ? {} : { lastWords: { stream: words.stream, line: words.line, age: now - words.at } }),
      ...outputFacts(spec, assembly),
      prerequisites: spec.prerequisites,
      ...(spec.ties === undefined ? {} : { ties: spec.ties }),
      prerequisitesReady: spec.prerequisites.every((other) => {
        const prerequisite = ledger.slots.get(other);
        if (prerequisite === undefined) return true;
        return meets(standingOf(prerequisite), tieTo(spec, other), prerequisite.saidBlocked);
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
    if (going.length > 0) return { kind: 'prerequisites', names: going, ...stagesToReach(spec, going) };
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
    if (state !== 'booting') this.#bootOver ??= at;
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

type Tries = Pick<Tried, 'spec' | 'restartsUsed' | 'streak' | 'recent' | 'noTry' | 'at'>;

function triesOf(tries: Tries): Pick<WaitFacts, 'restartsUsed' | 'nextPause' | 'noTry'> {
  return {
    restartsUsed: countAt(tries),
    nextPause: pauseOf(tries.spec, tries.streak + 1, 0),
    ...(tries.noTry === undefined ? {} : { noTry: describeNoTry(tries.noTry) }),
  };
}

function restartStatus(tries: Tries, nextIn: number | undefined): RestartStatus {
  const left = triesLeft(tries);
  return {
    used: countAt(tries),
    ...(left === undefined ? {} : { left }),
    ...(nextIn === undefined ? {} : { nextIn }),
    ...(tries.noTry === undefined ? {} : { none: describeNoTry(tries.noTry) }),
  };
}

/** The facts of a chart that a status shows. */
interface RunFacts extends ProbeFacts {
  readonly pid?: number;
  /** True where a pidfile or MAINPID has named the process. */
  readonly followed?: boolean;
  readonly counts?: RunCounts;
  readonly verdict?: FailureCause | undefined;
  readonly endSignal?: SignalName | undefined;
  readonly hook?: NonNullable<WaitFacts['hook']>;
  readonly status?: string | undefined;
  /** Why the last start was skipped. */
  readonly skipped?: string | undefined;
  /** ms that the present run may still last. */
  readonly runLeft?: number;
  /** Set while it reloads: ms until that counts as failed; Infinity where the service reloads by itself. */
  readonly reloading?: number;
  /** Why the last reload of the run has failed. */
  readonly reloadFailure?: string;
  /** ms until the timer of the state fires. */
  readonly left?: number;
}

function scheduledFacts({ context, value }: ScheduledSnapshot): RunFacts {
  const hasRuns = typeof value === 'object';
  return { verdict: context.verdict, skipped: context.skipped, ...(hasRuns ? { counts: runCounts(context) } : {}) };
}

function statusOfRun(run: RunFacts): Partial<ServiceStatus> {
  const { pid, followed, hook, counts, reloading, reloadFailure, health, probes } = run;
  return {
    ...(pid === undefined ? {} : { pid }),
    ...(followed === true ? { followed: true } : {}),
    ...(hook === undefined ? {} : { hook: statusOfHook(hook) }),
    ...(counts === undefined ? {} : { running: counts.running }),
    ...(reloading === undefined ? {} : { reloading: true }),
    ...(reloadFailure === undefined ? {} : { reloadFailure }),
    ...(health === undefined ? {} : { health }),
    ...(probes === undefined ? {} : { probes }),
  };
}

function serviceFacts({ context, children }: ServiceSnapshot, stage: ServiceStage, now: number): RunFacts {
  const { verdict, status, pid, deadline, endSignal, hook } = context;
  const isTimed =
    stage === 'starting.beforeStart' ||
    stage === 'starting.afterStart' ||
    stage === 'starting.awaitingExit' ||
    stage === 'starting.awaitingPidfile' ||
    stage === 'starting.awaitingNotify' ||
    stage === 'starting.awaitingProbe' ||
    stage === 'stopping.clearing';
  return {
    verdict,
    endSignal,
    status,
    skipped: context.skipped,
    ...(pid === 0 || context.spec.maxRuntime === undefined
      ? {}
      : { runLeft: Math.max(0, context.spawnedAt + context.spec.maxRuntime - now) }),
    ...(pid === 0 ? {} : { pid, followed: context.followed }),
    ...(hook === undefined
      ? {}
      : {
          hook: { stage: hook.stage, nth: hook.nth, of: hook.of, pid: hook.pid, ran: Math.max(0, now - hook.since) },
        }),
    ...reloadFacts(context, now),
    ...(isTimed && deadline !== undefined ? { left: Math.max(0, deadline - now) } : {}),
    ...probeFacts(context, children, now),
  };
}

/** What `why` has to know of the run. */
function runWaits(
  slot: Slot,
  { counts, reloading, skipped, runLeft }: RunFacts,
): Pick<WaitFacts, 'running' | 'runWaits' | 'reloading' | 'skipped' | 'runLeft'> {
  return {
    ...(counts === undefined ? {} : { running: counts.running }),
    ...(counts?.waits === true ? { runWaits: true } : {}),
    ...(reloading === undefined ? {} : { reloading }),
    ...(isSkipped(slot) && skipped !== undefined ? { skipped } : {}),
    ...(runLeft === undefined ? {} : { runLeft }),
  };
}

function isSkipped({ skipped, enabled, chart }: Slot): boolean {
  return skipped === true && enabled && chart === 'disabled';
}

function noteOf(slot: Slot, { skipped = '', counts, status }: RunFacts): string | undefined {
  if (isSkipped(slot)) return `skipped: ${skipped}`;
  return counts === undefined ? status : scheduledNote(slot.spec, counts);
}

function reloadFacts(
  { reload, lastReload, announced, spec }: ServiceSnapshot['context'],
  now: number,
): Pick<RunFacts, 'reloading' | 'reloadFailure'> {
  const failure = lastReload === undefined || lastReload.kind === 'done' ? undefined : describeReload(lastReload);
  const ownWord = announced === 'reloading' ? { reloading: Number.POSITIVE_INFINITY } : {};
  return {
    ...(reload === undefined ? ownWord : { reloading: Math.max(0, reload.since + spec.processTimeout - now) }),
    ...(failure === undefined ? {} : { reloadFailure: failure }),
  };
}

/**
 * ms until the pause that a service is in has passed, or until the ledger sends SIGKILL to a service that was told to stop.
 *
 * @param age ms that the service has spent in this stage
 * @param pause ms of its restart pause
 */
function timeLeft(
  slot: Slot,
  stage: ServiceStage,
  { age, now, pause = 0 }: { readonly age: number; readonly now: number; readonly pause: number | undefined },
): number | undefined {
  switch (stage) {
    case 'starting.settling':
      return Math.max(0, slot.spec.startupPause - age);
    case 'backoff':
      return Math.max(0, pause - age);
    case 'stopping.beforeStop':
    case 'stopping.stopCommand':
    case 'stopping.terminating':
    case 'stopping.afterStop': {
      const killAt = isStopping(slot) ? slot.intent.killAt : undefined;
      return killAt === undefined ? undefined : Math.max(0, killAt - now);
    }
    default:
      return undefined;
  }
}

function statusOfHook({ pid, ...hook }: NonNullable<WaitFacts['hook']>): NonNullable<ServiceStatus['hook']> {
  return pid === 0 ? hook : { ...hook, pid };
}

function bootTimes(name: string, start: FirstStart | undefined, now: number): ServiceStatus['boot'] {
  const times = startTimes(name, start, now);
  if (times === undefined) return undefined;
  const { service: _, ...boot } = times;
  return boot;
}

/** Where the output of a service goes, and what becomes of it. */
function outputFacts(
  { name, stdin, stdout, stderr }: ServiceSpec,
  assembly: Pick<Assembly, 'waitingInput' | 'linesDropped'>,
): Pick<ServiceStatus, 'outputs' | 'waitingInput' | 'linesDropped'> {
  const waitingInput = stdin === 'pipe' ? (assembly.waitingInput(name) ?? 0) : undefined;
  const linesDropped = assembly.linesDropped(name);
  return {
    ...(describeOutputs({ stdout, stderr }) === undefined ? {} : { outputs: { stdout, stderr } }),
    ...(waitingInput === undefined ? {} : { waitingInput }),
    ...(linesDropped === 0 ? {} : { linesDropped }),
  };
}

function notStarted(error: SpawnError): NotStarted {
  return { message: describeSpawnError(error), exitStatus: unstartedStatus(error) };
}
