/**
 * The one place that joins machines, streams and a kernel. The daemon, the tests and the simulation all call it, so
 * that the tests cover the system that really runs.
 */
import { filter, ReplaySubject, Subject, Subscription } from 'rxjs';
import { type Actor, type CallbackActorLogic, createActor, fromCallback } from 'xstate';
import { isNotice } from '../../facts/fact.ts';
import { Feed } from '../../facts/feed.ts';
import type { CheckFact, CheckRequest, CheckRun } from '../../machines/probe.ts';
import { outputOf, type SystemOutput, type systemMachine } from '../../machines/system.ts';
import { formatRecord } from '../../model/log/log-format.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import {
  linesOverRate,
  type Message,
  messagesFor,
  readyMessage,
  rotationFails,
  signalIgnored,
  sinkRefuses,
  sinkWorksAgain,
} from '../../model/log/messages.ts';
import { buildDependencyGraph } from '../../model/order/dependency-graph.ts';
import type { ReloadPlan } from '../../model/order/reload-plan.ts';
import { endingOf } from '../../model/service/ending.ts';
import { describePlace, type HookPlace } from '../../model/service/hook.ts';
import type { Claim } from '../../model/service/pidfile.ts';
import type { ServiceSpec, SystemSpec } from '../../model/service/service-spec.ts';
import { endingSignals, type SignalName } from '../../model/service/signal.ts';
import type { SystemEnd } from '../../model/service/system-end.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';
import type { SignalOutcome } from '../../model/service/unit-events.ts';
import { type ExitRouter, routeExits } from '../../streams/exit-router.ts';
import type { Assembly } from '../assembly.ts';
import { messageView } from '../inspection/entry-views.ts';
import type { Clock, Kernel, ProcessExit, ProcessView } from '../kernel.ts';
import { Flows } from '../logging/flows.ts';
import { LogRates } from '../logging/log-rates.ts';
import { LogSinks } from '../logging/log-sinks.ts';
import type { AttachLogging } from '../logging/logging.ts';
import { serveSyslog } from '../logging/syslog.ts';
import { Channels } from '../units/channels.ts';
import type { CheckPorts, Checks } from '../units/checks.ts';
import { LiveProcesses } from '../units/live-processes.ts';
import { lookupLogic } from '../units/lookup.ts';
import { NotifySockets } from '../units/notify-sockets.ts';
import { Pidfiles } from '../units/pidfiles.ts';
import { reloaderLogic } from '../units/reloader.ts';
import type { EnvironmentPorts } from '../units/start-environment.ts';
import { type TriggerPorts, triggerLogic } from '../units/trigger.ts';
import { Units } from '../units/units.ts';
import { ChartFacts } from './chart-facts.ts';
import { HostNotifier, type HostRequest } from './host-notifier.ts';
import { connectPorts, joinedMachine } from './join-machines.ts';
import { LastLines } from './last-lines.ts';
import { preflight } from './preflight.ts';
import { processTableLogic } from './remaining-processes.ts';

export interface AssembleOptions {
  readonly version: string;
  /** Connects the records with the sinks that the configuration names. */
  readonly attachLogging: AttachLogging;
  /** Random numbers from 0 to 1, 1 excluded; by default those of the runtime. */
  readonly random?: () => number;
  /** Called when the first cron service starts. */
  readonly loadSchedules: TriggerPorts['loadSchedules'];
  /** Called when the first service starts that has values in files. */
  readonly loadValues: EnvironmentPorts['loadValues'];
  /** Makes what asks and listens for probes; called where a service has one. */
  readonly makeChecks?: (ports: CheckPorts) => Checks;
  /** True where log lines for a terminal may have colours. */
  readonly colours?: boolean;
  /** The host that wants notifications from chaperone itself, if there is one. */
  readonly host?: HostRequest;
  /** Called at SIGHUP: the configuration is to be read again. */
  readonly onHangup?: () => void;
}

export function assemble(kernel: Kernel, clock: Clock, config: SystemSpec, options: AssembleOptions): Assembly {
  return new JoinedAssembly(kernel, clock, config, options);
}

class JoinedAssembly implements Assembly {
  readonly system: Actor<typeof systemMachine>;
  readonly feed: Feed;
  readonly notices$: Assembly['notices$'];
  readonly records$ = new Subject<LogRecord>();
  readonly outcome$ = new ReplaySubject<SystemOutput>(1);
  readonly live = new LiveProcesses();
  readonly sinks: LogSinks;
  readonly exits: ExitRouter<ProcessExit>;
  readonly #kernel: Kernel;
  readonly #clock: Clock;
  readonly #options: AssembleOptions;
  readonly #logging: ReturnType<AttachLogging>;
  readonly #host: HostNotifier | undefined;
  readonly #pidfiles: Pidfiles;
  readonly #notify: NotifySockets;
  readonly #channels: Channels;
  readonly #units: Units;
  readonly #rates: LogRates;
  readonly #lastLines = new LastLines();
  readonly #flows: Flows;
  /** The next run of each cron service, Unix ms. */
  readonly #nextRuns = new Map<string, number>();
  readonly #services: Map<string, ServiceSpec>;
  readonly #signals = new Subscription();
  /** Messages to log before anything starts. */
  readonly #messages: readonly Message[];
  #checks: Checks | undefined;
  #endSyslog = (): void => undefined;
  #orphans = 0;
  #interrupted = false;
  /** The outcomes of the signal that is being sent by hand, one for each run of the service. */
  #signalled: Promise<SignalOutcome>[] = [];

  constructor(kernel: Kernel, clock: Clock, config: SystemSpec, options: AssembleOptions) {
    this.#kernel = kernel;
    this.#clock = clock;
    this.#options = options;
    // Both clocks begin at the same instant, so that the deadlines of charts can be compared with the times of facts.
    const ahead = clock.realTime() - clock.now();
    this.feed = new Feed({ now: () => clock.realTime() - ahead, wallTime: () => clock.wallTime() });
    this.notices$ = this.feed.facts$.pipe(filter(isNotice));
    this.#flows = new Flows(clock);
    this.sinks = this.#makeSinks();
    this.#logging = this.#attachLogging(config);
    this.sinks.openFiles(config.logging);
    const { spec, missing, messages } = preflight(kernel, config);
    this.#messages = messages;
    this.#services = new Map(spec.services.map((service) => [service.name, service]));
    this.exits = this.#routeExits();
    this.#pidfiles = this.#makePidfiles();
    this.#notify = this.#makeNotifySockets();
    this.#channels = new Channels({ kernel, serviceOf: this.serviceOf, onMessage: this.say });
    this.#rates = new LogRates(clock, (service, lines, rate) => this.say(linesOverRate(service, lines, rate)));
    this.#units = this.#makeUnits();
    this.system = createActor(joinedMachine, {
      id: 'system',
      input: { spec, graph: buildDependencyGraph(spec.services), missingPrograms: missing, seed: kernel.seed },
      clock: {
        setTimeout: (callback, delay) => clock.setTimeout(callback, delay),
        clearTimeout: (id) => clock.clearTimeout(id),
      },
    });
    this.#connectPorts();
    this.#host = this.#makeHost(spec.statusInterval);
    this.#follow();
  }

  readonly say = (message: Message): void => this.records$.next(this.#ownRecord(message));

  readonly spec = (): SystemSpec => this.system.getSnapshot().context.ledger.spec;

  readonly serviceOf = (name: string): ServiceSpec | undefined => this.#services.get(name);

  readonly flush = (): void => this.#logging.flush();

  readonly nextRun = (service: string): number | undefined => this.#nextRuns.get(service);

  readonly environmentOf = (service: ServiceSpec) => this.#units.environmentOf(service);
  readonly waitingInput = (service: string) => this.#channels.waiting(service);

  readonly linesDropped = (service: string) => this.#rates.dropped(service);

  readonly lastWords = (service: string) => this.#lastLines.of(service);

  readonly orphansReaped = (): number => this.#orphans;

  readonly endSyslog = (): void => this.#endSyslog();

  readonly signal = async (service: string, signal: SignalName): Promise<SignalOutcome> => {
    this.#signalled = [];
    this.system.send({ type: 'services.signal', names: [service], signal, at: this.#clock.now() });
    const outcomes = await Promise.all(this.#signalled);
    if (outcomes.includes('denied')) return 'denied';
    return outcomes.includes('sent') ? 'sent' : 'vanished';
  };

  readonly start = (): void => {
    for (const message of this.#messages) this.say(message);
    this.#beginSyslog(this.spec());
    this.#signals.add(
      this.#kernel.signals$.subscribe((signal) => {
        this.feed.tell({ type: 'signalled', signal });
        this.#receive(signal);
      }),
    );
    this.#host?.start();
    this.system.start();
  };

  readonly reload = (next: SystemSpec, plan: ReloadPlan, because: 'reload' | 'scale' = 'reload'): void => {
    const before = this.spec();
    for (const service of next.services) this.#services.set(service.name, service);
    this.sinks.openFiles(next.logging);
    this.#logging.replace(next.logging);
    if (before.enableSyslog !== next.enableSyslog || before.logSocket !== next.logSocket) {
      this.#endSyslog();
      this.#endSyslog = () => undefined;
      this.#beginSyslog(next);
    }
    this.#host?.setStatusInterval(next.statusInterval);
    const graph = buildDependencyGraph(next.services);
    if (because === 'reload') this.feed.tell({ type: 'reloaded' });
    this.system.send({ type: 'system.reload', spec: next, graph, plan, at: this.#clock.now() });
  };

  readonly shutdown = (end: SystemEnd): void => {
    const interrupt = end.kind === 'signal' && end.signal === 'SIGINT';
    const forced = interrupt && this.#interrupted;
    this.#interrupted ||= interrupt;
    this.system.send({ type: 'system.shutdown', end, forced, at: this.#clock.now() });
  };

  #ownRecord({ severity, text, facility = 'local5', revealing }: Message): LogRecord {
    return {
      time: this.#clock.wallTime(),
      facility,
      severity,
      program: 'chaperone',
      pid: this.#kernel.pid,
      message: text,
      own: true,
      ...(revealing === undefined ? {} : { revealing }),
    };
  }

  #warningRecord(text: string): LogRecord {
    return this.#ownRecord({ severity: 'warning', text });
  }

  #makeSinks(): LogSinks {
    const kernel = this.#kernel;
    return new LogSinks({
      kernel,
      clock: this.#clock,
      warningLine: (text) => `${formatRecord(this.#warningRecord(text), kernel.hostname)}\n`,
      onRefusal: (sink, errorCode, diverted) => this.#sayShown(sinkRefuses(sink, errorCode, diverted)),
      onRecovery: (sink) => this.#sayShown(sinkWorksAgain(sink)),
      onRotationTrouble: (path, errorCode) => this.#sayShown(rotationFails(path, errorCode)),
    });
  }

  /** Says what has to be seen: on stderr where no logging entry shows it. */
  #sayShown(message: Message): void {
    const record = this.#ownRecord(message);
    this.records$.next(record);
    if (!this.#logging.isShown(record)) this.sinks.stderr.write(`${formatRecord(record, this.#kernel.hostname)}\n`);
  }

  #attachLogging({ logging }: SystemSpec): ReturnType<AttachLogging> {
    const kernel = this.#kernel;
    return this.#options.attachLogging(this.records$, logging, {
      sinks: this.sinks,
      flows: this.#flows,
      host: kernel.hostname,
      colours: this.#options.colours ?? false,
      warningRecord: (text) => this.#warningRecord(text),
      defer: (callback) => kernel.defer(callback),
    });
  }

  #routeExits(): ExitRouter<ProcessExit> {
    const exits = routeExits(this.#kernel.exits$);
    exits.orphans$.subscribe({
      next: ({ pid, status }) => {
        this.#orphans += 1;
        this.feed.tell({ type: 'orphan.reaped', pid, status });
        this.#units.takeOrphan({ pid, status });
      },
      // Without exits the machines learn of no end any more.
      error: (error: unknown) => this.outcome$.error(error),
    });
    return exits;
  }

  /** The facts that decide whether a service may follow a process. */
  #claimOf({ name, account }: ServiceSpec, process: ProcessView): Claim {
    return {
      service: name,
      accountUid: account?.uid ?? this.#kernel.following.uid,
      owner: this.#units.ownerOf(process),
      startBegan: this.live.startOf(name),
      isOwn: this.#kernel.following.isOwn(process.pid),
    };
  }

  #makePidfiles(): Pidfiles {
    return new Pidfiles({
      following: this.#kernel.following,
      clock: this.#clock,
      claimOf: (service, process) => this.#claimOf(service, process),
      endOf: (pid, since) => this.#units.endOf(pid, since),
      onMessage: this.say,
    });
  }

  #makeNotifySockets(): NotifySockets {
    return new NotifySockets({
      kernel: this.#kernel,
      clock: this.#clock,
      claimOf: (service, process) => this.#claimOf(service, process),
      onMessage: this.say,
      onNotice: (service, message) => {
        const view = messageView(message);
        // WATCHDOG=1 alone is not worth a fact, and neither is what is not shown at all: BARRIER=1, which systemd-notify sends each time.
        const { watchdog, ...rest } = view;
        if (watchdog === 'trigger' || Object.keys(rest).length > 0)
          this.feed.tell({ type: 'notified', service, message: view });
      },
    });
  }

  #makeUnits(): Units {
    const { feed, live, exits } = this;
    return new Units({
      kernel: this.#kernel,
      clock: this.#clock,
      exits,
      live,
      pidfiles: this.#pidfiles,
      notify: this.#notify,
      loadValues: this.#options.loadValues,
      checks: this.#checksOf,
      channels: this.#channels,
      onMessage: this.say,
      onSignalled: (outcome) => this.#signalled.push(outcome),
      onBegin: ({ name }, pid, hook) => feed.tell({ type: 'run.began', service: name, pid, ...hookField(hook) }),
      onEnd: ({ name, successExit }, { pid, status }, hook) =>
        feed.tell({
          type: 'run.ended',
          service: name,
          pid,
          status,
          ...hookField(hook),
          ...(hook === undefined && endingOf(successExit, status) !== undefined ? { normal: true } : {}),
        }),
      onOutput: (service, stream, record) => {
        // Processes that a removed service has left behind may write for ever: nobody asks for their lines any more.
        if (this.#services.has(service.name)) this.#lastLines.note(service.name, stream, record, this.#clock.now());
        const { logRate } = this.serviceOf(service.name) ?? service;
        if (this.#rates.admits(service.name, logRate)) this.records$.next(record);
      },
      onOpen: ({ name }, stream, cutter) => this.#lastLines.watch(name, stream, cutter),
      onFlow: ({ name }, output) => this.#flows.of(name).add(output),
      maxLine: () => this.spec().maxLine,
    });
  }

  /** What asks and listens for probes: it is made for the first service that has one. */
  readonly #checksOf = (): Checks => {
    const { makeChecks } = this.#options;
    if (makeChecks === undefined) throw new Error('internal error: the code for probes is not loaded');
    this.#checks ??= makeChecks({ kernel: this.#kernel, clock: this.#clock });
    return this.#checks;
  };

  #checkLogic(): CallbackActorLogic<CheckRequest, CheckRun, CheckFact> {
    return fromCallback(({ input, sendBack, receive }) => {
      let drop = (): void => undefined;
      receive(({ type }) => {
        drop();
        drop = type === 'check.ask' ? this.#checksOf().check(input, sendBack) : () => undefined;
      });
      return () => drop();
    });
  }

  #connectPorts(): void {
    const { feed, nextRun } = this;
    connectPorts(this.system, {
      processes: this.#units.logic(),
      trigger: triggerLogic({
        kernel: this.#kernel,
        clock: this.#clock,
        random: this.#options.random ?? Math.random,
        timeZone: () => this.spec().timeZone,
        loadSchedules: this.#options.loadSchedules,
        onMessage: this.say,
        onDue: (name, time) => {
          if (time === undefined) this.#nextRuns.delete(name);
          else this.#nextRuns.set(name, time);
        },
      }),
      pidfile: this.#pidfiles.logic(),
      lookup: lookupLogic({
        kernel: this.#kernel,
        clock: this.#clock,
        loadValues: this.#options.loadValues,
        onMessage: this.say,
      }),
      reloader: reloaderLogic({ kernel: this.#kernel, clock: this.#clock, live: this.live, onMessage: this.say }),
      notifications: this.#notify.logic(),
      check: this.#checkLogic(),
      processTable: processTableLogic(this.#kernel, this.say),
      charts: new ChartFacts({ feed, nextRun }),
    });
  }

  #makeHost(statusInterval: number): HostNotifier | undefined {
    const { host } = this.#options;
    if (host === undefined) return undefined;
    const { notifying } = this.#kernel;
    return new HostNotifier(host, statusInterval, { notifying, clock: this.#clock, onMessage: this.say });
  }

  /** Reacts to the facts of the feed. */
  #follow(): void {
    this.notices$.subscribe((notice) => this.#takeNotice(notice));
    this.system.on('*', (notice) => this.feed.tell(notice));
    this.system.subscribe({ error: (error) => this.outcome$.error(error) });
  }

  #takeNotice(notice: SystemNotice): void {
    for (const message of messagesFor(notice, this.serviceOf, this.#clock.now())) this.say(message);
    if (notice.type === 'service.removed') this.#forget(notice.service);
    if (notice.type === 'system.ready') this.say(readyMessage(this.#options.version));
    this.#lastLines.follow(notice, this.#clock.now());
    this.#followFlow(notice);
    this.#host?.hear(notice);
    // All work is done, so the machines are no longer needed.
    if (notice.type === 'system.halted') this.#finishOutputs();
    if (notice.type === 'system.halted') this.#clock.setTimeout(() => this.#leave(), 0);
  }

  #finishOutputs(): void {
    this.#channels.closeAll();
    this.#rates.finish((service) => this.serviceOf(service)?.logRate);
  }

  /** Nobody who is to end waits for a sink: the wait would use up the time for the stop. */
  #followFlow(notice: SystemNotice): void {
    if (notice.type === 'system.draining') this.#flows.releaseAll();
    if (notice.type !== 'service.changed') return;
    if (notice.change.phase === 'stopping') this.#flows.of(notice.service).release();
    else if (notice.change.phase === 'starting') this.#flows.of(notice.service).engage();
  }

  #forget(name: string): void {
    this.#services.delete(name);
    this.#flows.forget(name);
    this.#channels.forget(name);
    this.#rates.forget(name);
    this.#nextRuns.delete(name);
    this.live.forgetService(name);
    this.#notify.forget(name);
    this.#checks?.forget(name);
    this.#pidfiles.forget(name);
  }

  #leave(): void {
    this.#signals.unsubscribe();
    this.#lastLines.finish();
    const output = outputOf(this.system.getSnapshot());
    this.#host?.end(output.end);
    this.outcome$.next(output);
    this.outcome$.complete();
  }

  #beginSyslog({ enableSyslog, logSocket }: SystemSpec): void {
    const { records$, sinks, say } = this;
    if (enableSyslog) {
      const maxLine = (): number => this.spec().maxLine;
      this.#endSyslog = serveSyslog(this.#kernel, this.#clock, logSocket, { records$, sinks, say, maxLine });
    }
  }

  /** Carries out what a signal to chaperone means (reference, section 5.6). */
  #receive(signal: SignalName): void {
    const { onHangup } = this.#options;
    if (endingSignals.includes(signal)) this.shutdown({ kind: 'signal', signal });
    else if (signal === 'SIGHUP' && onHangup !== undefined) onHangup();
    else this.say(signalIgnored(signal));
  }
}

/** The field of a fact that tells which hook a process is. */
function hookField(hook: HookPlace | undefined): { readonly hook?: string } {
  return hook === undefined ? {} : { hook: describePlace(hook) };
}
