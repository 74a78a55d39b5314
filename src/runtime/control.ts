/** The supervisor port on an assembly: snapshots of its machines, and commands to them. */
import { type Observable, Subject, Subscription } from 'rxjs';
import type { SnapshotFrom } from 'xstate';
import type {
  CommandRun,
  ControlEvent,
  EntryWatch,
  KillOutcome,
  Measurements,
  ReloadResult,
  ServiceStatus,
  StartRequest,
  Supervisor,
  SystemStatus,
  WatchRequest,
} from '../control/supervisor.ts';
import { statePath } from '../inspect/transition.ts';
import { runCounts } from '../machines/scheduled.ts';
import type { serviceMachine } from '../machines/service.ts';
import { dependencyChart } from '../model/dependency-chart.ts';
import { describeFailure } from '../model/describe-end.ts';
import { describeExit } from '../model/exit-status.ts';
import { holdOf } from '../model/hold.ts';
import type { LogRecord } from '../model/log-record.ts';
import { alreadyStarted, shutdownScheduled } from '../model/messages.ts';
import { blocked, satisfies } from '../model/ordering.ts';
import { type PublicState, publicStateOf, publicStates } from '../model/public-state.ts';
import { scheduledNote } from '../model/scheduling.ts';
import { isEnded, isLive } from '../model/service-phase.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import { describeSpawnError } from '../model/spawn-error.ts';
import type { Severity } from '../model/syslog-names.ts';
import { explainState, type Hold, isServiceStage, type ServiceStage, type WaitFacts } from '../model/why.ts';
import type { Assembly } from './assemble.ts';
import type { ProcessEnd } from './child-process.ts';
import type { Inspection } from './inspection.ts';
import type { Clock, Kernel } from './kernel.ts';

export interface ControlPorts {
  readonly assembly: Assembly;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly version: string;
  /** The environment of commands that are run by hand. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logLevel?: Severity;
  /** Widens every log selector. */
  readonly widen: (level: Severity) => void;
  readonly reload: (request: { readonly dryRun: boolean }) => Promise<ReloadResult>;
  /** Is made once somebody watches. */
  readonly inspection: () => Promise<Inspection>;
}

type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;

/** What no snapshot holds: when a service came to where it is, and what it went through. */
interface History {
  stage: ServiceStage;
  /** Monotonic ms. */
  since: number;
  /** Unix ms. */
  sinceWall: number;
  lastExit: ServiceStatus['lastExit'];
  started: number | undefined;
  ready: number | undefined;
  waitedFor: string | undefined;
  restartsUsed: number;
  restarts: number;
  readonly exits: Map<string, number>;
}

/** Records that are kept for who asks for the last ones: how many, and how many characters. */
const mostRecords = 1_000;
const mostCharacters = 512_000;
/** ms between two looks at how late the loop is. */
const loopInterval = 1_000;

export class AssemblySupervisor implements Supervisor {
  readonly events$ = new Subject<ControlEvent>();
  readonly records$: Observable<LogRecord>;
  readonly #ports: ControlPorts;
  readonly #history = new Map<string, History>();
  readonly #records: LogRecord[] = [];
  /** Those before are no longer kept. */
  #firstRecord = 0;
  readonly #began: number;
  #characters = 0;
  #recordsIn = 0;
  #systemState: SystemStatus['state'] = 'booting';
  #logLevel: Severity | undefined;
  #shutdownAt: number | undefined;
  #loopDelay = 0;
  #loopWatched = false;

  /** To be made before the assembly is started: it counts from the beginning. */
  constructor(ports: ControlPorts) {
    this.#ports = ports;
    this.#logLevel = ports.logLevel;
    const { assembly, clock } = ports;
    this.#began = clock.now();
    this.records$ = assembly.records$;
    assembly.records$.subscribe((record) => this.#keep(record));
    for (const name of Object.keys(assembly.system.getSnapshot().context.services)) this.#attach(name);
    assembly.notices$.subscribe((notice) => {
      if (notice.type === 'service.removed') this.#history.delete(notice.service);
      if (notice.type === 'service.queued' || notice.type === 'service.skipped') this.#attach(notice.service);
    });
    assembly.ends$.subscribe((end) => this.#noteEnd(end));
    assembly.system.subscribe({
      next: ({ value }) => this.#observeSystem(statePath(value)),
      error: () => undefined,
    });
  }

  status(): SystemStatus {
    const { assembly, clock, kernel, version } = this.#ports;
    const states: Record<PublicState, number> = {
      disabled: 0,
      pending: 0,
      starting: 0,
      ready: 0,
      stopping: 0,
      backoff: 0,
      stopped: 0,
      failed: 0,
    };
    const { standings, disabled } = assembly.system.getSnapshot().context;
    const phases = Object.values(standings).map(({ phase }) => publicStateOf(phase));
    for (const state of publicStates) states[state] = phases.filter((phase) => phase === state).length;
    return {
      version,
      state: this.#systemState,
      uptime: clock.now() - this.#began,
      pid: kernel.pid,
      services: phases.length,
      enabled: phases.length - Object.keys(disabled).length,
      states,
      ...(this.#logLevel === undefined ? {} : { logLevel: this.#logLevel }),
      ...(this.#shutdownAt === undefined ? {} : { shutdownAt: this.#shutdownAt }),
    };
  }

  services(): readonly ServiceStatus[] {
    const { context } = this.#ports.assembly.system.getSnapshot();
    const { leaving } = context;
    const specs = new Map(context.spec.services.map((spec) => [spec.name, spec]));
    const held = blocked(context.graph, context.standings);
    return [...context.graph.names, ...Object.keys(leaving)].flatMap((name) => {
      const spec = specs.get(name) ?? leaving[name];
      const ref = context.services[name];
      return spec === undefined || ref === undefined ? [] : [this.#statusOf(spec, ref.getSnapshot(), held)];
    });
  }

  recentRecords(): readonly LogRecord[] {
    return this.#records.slice(this.#firstRecord);
  }

  dependencyChart(): string {
    return dependencyChart(this.#ports.assembly.system.getSnapshot().context.graph);
  }

  measurements(): Measurements {
    const { assembly, clock } = this.#ports;
    // An idle container is not woken for what nobody asks: the watch begins with the first who does.
    if (!this.#loopWatched) {
      this.#loopWatched = true;
      this.#watchLoop(clock.now());
    }
    const { rss, heapUsed } = process.memoryUsage();
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
      exits: [...this.#history].flatMap(([service, { exits }]) =>
        [...exits].map(([status, count]) => ({ service, status, count })),
      ),
      restarts: Object.fromEntries([...this.#history].map(([name, { restarts }]) => [name, restarts])),
      loopDelay,
      memory: { resident: rss, heap: heapUsed },
    };
  }

  start(names: readonly string[], { enable, force }: StartRequest): void {
    const { assembly } = this.#ports;
    const { standings } = assembly.system.getSnapshot().context;
    for (const name of force ? [] : names) {
      const phase = standings[name]?.phase;
      if (phase !== undefined && (phase === 'pending' || isLive(phase))) assembly.say(alreadyStarted(name));
    }
    this.#send({ type: 'services.start', names, enable, force });
  }

  stop(names: readonly string[], { disable }: { readonly disable: boolean }): void {
    this.#send({ type: 'services.stop', names, disable, again: false });
  }

  reset(names: readonly string[], { force }: { readonly force: boolean }): void {
    this.#send({ type: 'services.reset', names, force });
  }

  restart(names: readonly string[]): void {
    this.#send({ type: 'services.stop', names, disable: false, again: true });
  }

  setEnabled(names: readonly string[], enabled: boolean): void {
    this.#send({ type: enabled ? 'services.enable' : 'services.disable', names });
  }

  kill(name: string, signal: SignalName): KillOutcome {
    const { assembly, kernel } = this.#ports;
    const ref = assembly.system.getSnapshot().context.services[name];
    const context = ref?.getSnapshot().context;
    const run = context?.run;
    if (context === undefined || run === undefined) return 'notRunning';
    const target = context.spec.ownGroup && context.spec.killMode === 'group' && !run.followed ? 'group' : 'process';
    const runs = run.schedule?.getSnapshot().context.runs;
    const pids = runs === undefined ? [run.pid] : Object.values(runs).map(({ pid }) => pid);
    // One that has ended may still be the service's, while what it has left behind is cleared away.
    const own = pids.filter((pid) => assembly.live.isOf(pid, name));
    const outcomes = own.map((pid) => kernel.signal(pid, signal, target));
    if (outcomes.includes('denied')) return 'denied';
    return outcomes.includes('sent') ? 'sent' : 'notRunning';
  }

  shutdown(delay: number): void {
    const { assembly, clock } = this.#ports;
    assembly.say(shutdownScheduled(delay));
    this.#shutdownAt = clock.wallTime() + delay;
    clock.setTimeout(() => assembly.shutdown({ kind: 'signal', signal: 'SIGTERM' }), delay);
  }

  forceLogLevel(level: Severity): void {
    this.#logLevel = level;
    this.#ports.widen(level);
  }

  run(argv: readonly string[]): CommandRun {
    const { kernel, environment, assembly } = this.#ports;
    const outcome = kernel.spawn({
      argv,
      environment,
      ownGroup: true,
      stdin: 'null',
      stdout: 'pipe',
      stderr: 'pipe',
    });
    const output$ = new Subject<{ readonly stream: 'stdout' | 'stderr'; readonly text: string }>();
    if (!outcome.ok) {
      const message = describeSpawnError(outcome.error);
      const exitStatus = outcome.error.code === 'ENOENT' ? 127 : 126;
      return {
        output$,
        outcome: Promise.resolve({ kind: 'notStarted', message, exitStatus }),
        cancel: () => undefined,
      };
    }
    const { pid } = outcome;
    assembly.commands$.next({ pid });
    const subscription = new Subscription();
    for (const stream of ['stdout', 'stderr'] as const) {
      const decoder = new TextDecoder();
      subscription.add(
        outcome[stream].subscribe((bytes) => output$.next({ stream, text: decoder.decode(bytes, { stream: true }) })),
      );
    }
    let ended = false;
    return {
      output$,
      outcome: new Promise((resolve) => {
        assembly.exits.exitOf(pid).subscribe(({ status }) => {
          ended = true;
          assembly.commands$.next({ pid, status });
          // What it wrote before its end has been emitted by now.
          subscription.unsubscribe();
          output$.complete();
          resolve({ kind: 'ended', status });
        });
      }),
      cancel: () => {
        if (!ended) kernel.signal(pid, 'SIGKILL', 'group');
      },
    };
  }

  async watch(request: WatchRequest): Promise<EntryWatch> {
    const { hub } = await this.#ports.inspection();
    return hub.watch(request);
  }

  reload(request: { readonly dryRun: boolean }): Promise<ReloadResult> {
    if (this.#systemState === 'draining') return Promise.resolve({ kind: 'ending' });
    return this.#ports.reload(request);
  }

  #send(
    request:
      | {
          readonly type: 'services.start';
          readonly names: readonly string[];
          readonly enable: boolean;
          readonly force: boolean;
        }
      | {
          readonly type: 'services.stop';
          readonly names: readonly string[];
          readonly disable: boolean;
          readonly again: boolean;
        }
      | { readonly type: 'services.reset'; readonly names: readonly string[]; readonly force: boolean }
      | { readonly type: 'services.enable' | 'services.disable'; readonly names: readonly string[] },
  ): void {
    const { assembly, clock } = this.#ports;
    // Who asks while the last log lines are written comes too late.
    if (this.#systemState !== 'draining') assembly.system.send({ ...request, at: clock.now() });
  }

  #statusOf(spec: ServiceSpec, snapshot: ServiceSnapshot, held: ReadonlySet<string>): ServiceStatus {
    const { clock, assembly } = this.#ports;
    const { context } = snapshot;
    const { standings, disabled } = assembly.system.getSnapshot().context;
    const standing = standings[spec.name];
    const history = this.#history.get(spec.name);
    const now = clock.now();
    // The system may see further than the chart: what is queued, and what is disabled by hand.
    const stage =
      standing?.phase === 'disabled' || standing?.phase === 'pending'
        ? standing.phase
        : (stageOf(snapshot) ?? history?.stage ?? 'pending');
    const counts =
      context.run?.schedule === undefined ? undefined : runCounts(context.run.schedule.getSnapshot().context);
    const pid = context.run?.pid === 0 ? undefined : context.run?.pid;
    const words = assembly.lastWords(spec.name);
    const cause = context.verdict === undefined ? undefined : describeFailure(spec.type, context.verdict);
    const left = timeLeft(context, stage, history?.since ?? now, now);
    const note = counts === undefined ? context.status : scheduledNote(spec, counts);
    const nextRun = assembly.nextRun(spec.name);
    const { timeZone } = assembly.spec();
    const why = explainState({
      stage,
      since: history?.sinceWall ?? clock.wallTime(),
      spec,
      hold: this.#pendingHold(spec, held),
      ...this.#stopOf(spec.name, context),
      restartsUsed: context.restartsUsed,
      ...(pid === undefined ? {} : { pid }),
      ...(counts === undefined ? {} : { running: counts.running }),
      ...(left === undefined ? {} : { left }),
      ...(nextRun === undefined ? {} : { nextRun: nextRun - clock.wallTime() }),
      ...(cause === undefined ? {} : { cause }),
    });
    const boot = bootTimes(history, this.#began);
    return {
      name: spec.name,
      type: spec.type,
      enabled: disabled[spec.name] !== true,
      state: publicStateOf(standing?.phase ?? 'pending'),
      stage,
      since: history?.sinceWall ?? clock.wallTime(),
      age: now - (history?.since ?? now),
      why,
      ...(pid === undefined ? {} : { pid }),
      ...(counts === undefined ? {} : { running: counts.running }),
      ...(spec.restart
        ? { restarts: { used: context.restartsUsed, left: Math.max(0, spec.restartLimit - context.restartsUsed) } }
        : {}),
      ...(note === undefined ? {} : { note }),
      ...(history?.lastExit === undefined ? {} : { lastExit: history.lastExit }),
      ...(cause === undefined || cause === '' ? {} : { cause }),
      ...(nextRun === undefined ? {} : { nextRun }),
      ...(nextRun === undefined || timeZone === undefined ? {} : { timeZone }),
      ...(words === undefined ? {} : { lastWords: { stream: words.stream, line: words.line, age: now - words.at } }),
      prerequisites: spec.prerequisites,
      prerequisitesReady: spec.prerequisites.every((name) => {
        const other = standings[name];
        return other === undefined || satisfies(other);
      }),
      ...(boot === undefined ? {} : { boot }),
    };
  }

  #pendingHold(spec: ServiceSpec, held: ReadonlySet<string>): Hold {
    const { context, value } = this.#ports.assembly.system.getSnapshot();
    if (statePath(value).startsWith('draining')) return { kind: 'ending' };
    const hold = this.#holdOf(spec, held);
    // What is about to be stopped by hand is no more to be counted on, though it is still ready.
    const going = spec.prerequisites.filter((name) => context.stopping[name] !== undefined);
    return hold.kind === 'none' && going.length > 0 ? { kind: 'prerequisites', names: going } : hold;
  }

  /** What a stop that is asked for waits for, and what comes after it. */
  #stopOf(
    name: string,
    { startWanted, verdict, run }: ServiceSnapshot['context'],
  ): Pick<WaitFacts, 'stopAfter' | 'afterStop'> {
    const { context, value } = this.#ports.assembly.system.getSnapshot();
    const byHand = context.stopping[name];
    const dependents = byHand?.after ?? context.graph.nodes[name]?.dependents ?? [];
    const draining = statePath(value) === 'draining.stopping' && context.told[name] !== true;
    const stopAfter =
      byHand?.told === false
        ? dependents.filter((other) => context.stopping[other] !== undefined)
        : draining && run !== undefined
          ? dependents.filter((other) => !isEnded(context.standings[other]?.phase ?? 'stopped'))
          : [];
    const again = startWanted || byHand?.again === true;
    return {
      stopAfter,
      ...(again ? { afterStop: 'start' } : verdict === undefined ? {} : { afterStop: 'verdict' }),
    };
  }

  #holdOf({ name }: ServiceSpec, held: ReadonlySet<string>): Hold {
    const { context, value } = this.#ports.assembly.system.getSnapshot();
    const replaced = Object.keys(context.stopping).filter((other) => context.stopping[other]?.reload);
    if (replaced.length > 0) return { kind: 'reload', names: replaced };
    return holdOf(context.graph, context.standings, held, name, statePath(value) === 'booting.idling');
  }

  /** Follows a service, unless it does already. */
  #attach(name: string): void {
    if (this.#history.has(name)) return;
    const { assembly, clock } = this.#ports;
    const ref = assembly.system.getSnapshot().context.services[name];
    if (ref === undefined) return;
    this.#history.set(name, {
      stage: stageOf(ref.getSnapshot()) ?? 'pending',
      since: clock.now(),
      sinceWall: clock.wallTime(),
      lastExit: undefined,
      started: undefined,
      ready: undefined,
      waitedFor: undefined,
      restartsUsed: 0,
      restarts: 0,
      exits: new Map(),
    });
    ref.subscribe({ next: (snapshot) => this.#observe(name, snapshot), error: () => undefined });
  }

  #observe(name: string, snapshot: ServiceSnapshot): void {
    const history = this.#history.get(name);
    const stage = stageOf(snapshot);
    if (history === undefined || stage === undefined) return;
    const { clock } = this.#ports;
    const { restartsUsed } = snapshot.context;
    if (restartsUsed > history.restartsUsed) history.restarts += restartsUsed - history.restartsUsed;
    history.restartsUsed = restartsUsed;
    if (stage === history.stage) return;
    history.stage = stage;
    history.since = clock.now();
    history.sinceWall = clock.wallTime();
    if (stage.startsWith('starting') && history.started === undefined) {
      history.started = clock.now();
      history.waitedFor = this.#lastReady(snapshot.context.spec.prerequisites);
    }
    if (stage.startsWith('ready')) history.ready ??= clock.now();
    // The system hears of it in the same turn; whoever listens here shall find both alike.
    queueMicrotask(() =>
      this.events$.next({
        type: 'service',
        time: history.sinceWall,
        service: name,
        state: this.#stateOf(name),
        stage,
      }),
    );
  }

  #noteEnd({ service, pid, status }: ProcessEnd & { readonly service: string }): void {
    const history = this.#history.get(service);
    if (history === undefined) return;
    history.lastExit = { pid, status, at: this.#ports.clock.wallTime() };
    const key = describeExit(status);
    history.exits.set(key, (history.exits.get(key) ?? 0) + 1);
  }

  /** The one that let go whoever waits for all of them. */
  #lastReady(names: readonly string[]): string | undefined {
    const readyAt = (name: string): number => this.#history.get(name)?.ready ?? -1;
    return names.reduce<string | undefined>(
      (last, name) => (readyAt(name) >= 0 && (last === undefined || readyAt(name) > readyAt(last)) ? name : last),
      undefined,
    );
  }

  #stateOf(name: string): PublicState {
    return publicStateOf(this.#ports.assembly.system.getSnapshot().context.standings[name]?.phase ?? 'pending');
  }

  #observeSystem(path: string): void {
    const state = path.startsWith('booting') ? 'booting' : path === 'up' ? 'up' : 'draining';
    if (state === this.#systemState) return;
    this.#systemState = state;
    this.events$.next({ type: 'system', time: this.#ports.clock.wallTime(), state });
  }

  #keep(record: LogRecord): void {
    this.#recordsIn += 1;
    this.#records.push(record);
    this.#characters += record.message.length;
    while (this.#records.length - this.#firstRecord > mostRecords || this.#characters > mostCharacters) {
      this.#characters -= this.#records[this.#firstRecord]?.message.length ?? 0;
      this.#firstRecord += 1;
    }
    // One by one they would be moved for each record of a flood.
    if (this.#firstRecord < mostRecords) return;
    this.#records.splice(0, this.#firstRecord);
    this.#firstRecord = 0;
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

function stageOf(snapshot: ServiceSnapshot): ServiceStage | undefined {
  const path = statePath(snapshot.value);
  return isServiceStage(path) ? path : undefined;
}

/** ms until the timer of the state fires. */
function timeLeft(
  context: ServiceSnapshot['context'],
  stage: ServiceStage,
  since: number,
  now: number,
): number | undefined {
  switch (stage) {
    case 'starting.settling':
      return Math.max(0, since + context.spec.startupPause - now);
    case 'starting.awaitingExit':
    case 'starting.awaitingPidfile':
    case 'starting.awaitingNotify':
      return context.deadline === undefined ? undefined : Math.max(0, context.deadline - now);
    case 'backoff':
      return Math.max(0, since + context.spec.restartDelay - now);
    case 'stopping.terminating':
      return context.killAt > now ? context.killAt - now : undefined;
    default:
      return undefined;
  }
}

function bootTimes(history: History | undefined, began: number): ServiceStatus['boot'] {
  if (history?.started === undefined || history.ready === undefined) return undefined;
  const { started, ready, waitedFor } = history;
  return { started: started - began, ready: ready - began, ...(waitedFor === undefined ? {} : { waitedFor }) };
}
