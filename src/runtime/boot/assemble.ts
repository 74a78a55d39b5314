/**
 * The one place where machines, streams and a kernel are joined. The daemon, the tests and the simulation all call it, so
 * that what is tested is what runs.
 */
import { filter, type Observable, ReplaySubject, Subject, Subscription } from 'rxjs';
import { type Actor, type CallbackActorLogic, createActor, type EventObject, fromCallback } from 'xstate';
import { readinessMachine } from '../../machines/readiness.ts';
import { scheduledMachine } from '../../machines/scheduled.ts';
import { serviceMachine } from '../../machines/service.ts';
import {
  type CountProcesses,
  outputOf,
  type SignalAll,
  type SystemOutput,
  systemMachine,
} from '../../machines/system.ts';
import { unitMachine } from '../../machines/unit.ts';
import { formatRecord } from '../../model/log/log-format.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import {
  type Message,
  messagesFor,
  noProcessesRemain,
  readyMessage,
  signalIgnored,
  sinkRefuses,
} from '../../model/log/messages.ts';
import { buildDependencyGraph } from '../../model/order/dependency-graph.ts';
import type { ReloadPlan } from '../../model/order/reload-plan.ts';
import type { Claim } from '../../model/service/pidfile.ts';
import type { ServiceSpec, SystemSpec } from '../../model/service/service-spec.ts';
import type { SignalName } from '../../model/service/signal.ts';
import type { SystemEnd } from '../../model/service/system-end.ts';
import type { SystemNotice } from '../../model/service/system-notice.ts';
import type { SignalOutcome } from '../../model/service/unit-events.ts';
import type { LastWords } from '../../model/words/explain.ts';
import { type Fact, isNotice } from '../../record/fact.ts';
import { Feed } from '../../record/feed.ts';
import { type ExitRouter, routeExits } from '../../streams/exit-router.ts';
import { messageView } from '../inspection/entry-views.ts';
import type { Clock, Kernel, ProcessExit, ProcessView, TimerId } from '../kernel.ts';
import { LogSinks } from '../logging/log-sinks.ts';
import type { AttachLogging } from '../logging/logging.ts';
import { serveSyslog } from '../logging/syslog.ts';
import { LiveProcesses } from '../units/live-processes.ts';
import { NotifySockets } from '../units/notify-sockets.ts';
import { Pidfiles } from '../units/pidfiles.ts';
import { type TriggerPorts, triggerLogic } from '../units/trigger.ts';
import { Units } from '../units/units.ts';
import { ChartFacts } from './chart-facts.ts';
import { HostNotifier, type HostRequest } from './host-notifier.ts';
import { preflight } from './preflight.ts';

export interface AssembleOptions {
  readonly version: string;
  /** Sends records to the sinks that the configuration names. */
  readonly attachLogging: AttachLogging;
  /** Is asked for once a cron service starts. */
  readonly loadSchedules: TriggerPorts['loadSchedules'];
  /** Log lines for a terminal may have colours. */
  readonly colours?: boolean;
  /** Whom chaperone itself notifies, where anybody wants to hear. */
  readonly host?: HostRequest;
  /** SIGHUP came: the configuration is to be read anew. */
  readonly onHangup?: () => void;
}

/** A whole system, ready to start. */
export interface Assembly {
  readonly system: Actor<typeof systemMachine>;
  /** The configuration in force: after the look-up of the programs. */
  readonly spec: () => SystemSpec;
  /** The definition of a service, also of one that a reload has taken out and that has still to end. */
  readonly serviceOf: (name: string) => ServiceSpec | undefined;
  /** Everything that happens. */
  readonly feed: Feed;
  /** Of that, what the system machine says. */
  readonly notices$: Observable<Fact & SystemNotice>;
  readonly live: LiveProcesses;
  readonly sinks: LogSinks;
  /** Hands to the sinks what was said so far. */
  readonly flush: () => void;
  /** When a cron service runs next, Unix ms. */
  readonly nextRun: (service: string) => number | undefined;
  /** The last line a service wrote. */
  readonly lastWords: (service: string) => LastWords | undefined;
  readonly say: (message: Message) => void;
  /** Everything that is logged. */
  readonly records$: Observable<LogRecord>;
  readonly exits: ExitRouter<ProcessExit>;
  /** Processes reaped that no service owned, so far. */
  readonly orphansReaped: () => number;
  /** Sends a signal to what runs of a service by hand; `vanished` where nothing does. */
  readonly signal: (service: string, signal: SignalName) => SignalOutcome;
  /** Begins to boot. */
  readonly start: () => void;
  /** Puts another configuration in force; the plan is made of where the services stand in this turn. */
  readonly reload: (spec: SystemSpec, plan: ReloadPlan) => void;
  /** Ends the system in order; a repeated SIGINT skips the order. */
  readonly shutdown: (end: SystemEnd) => void;
  /** Takes what is left in the log socket, and removes it. */
  readonly endSyslog: () => void;
  /** Emits the outcome once, or the error that broke a machine. */
  readonly outcome$: ReplaySubject<SystemOutput>;
}

/** What the machines of one system are joined to. */
interface Ports {
  readonly processes: ReturnType<Units['logic']>;
  readonly trigger: ReturnType<typeof triggerLogic>;
  readonly pidfile: ReturnType<Pidfiles['logic']>;
  readonly notifications: ReturnType<NotifySockets['logic']>;
  readonly processTable: ReturnType<typeof processTableLogic>;
  readonly charts: ChartFacts;
}

/** By the actor system that the machines of one assembly are. */
const portsOf = new WeakMap<object, Ports>();

/** A port that is looked up where its actor starts. */
function port<E extends EventObject, I, F extends EventObject>(
  of: (ports: Ports) => CallbackActorLogic<E, I, F>,
): CallbackActorLogic<E, I, F> {
  return {
    ...fromCallback<E, I, F>(() => undefined),
    start: (snapshot, scope) => {
      const ports = portsOf.get(scope.system);
      if (ports === undefined) throw new Error('internal error: a system without ports');
      of(ports).start?.(snapshot, scope);
    },
  };
}

/** The machines with their ports: joined once, since to join them costs more than to run a small system. */
const joinedMachine = joinMachines();

function joinMachines() {
  const unit = unitMachine.provide({ actors: { processes: port((ports) => ports.processes) } });
  const scheduled = scheduledMachine.provide({
    actors: { unit, trigger: port((ports) => ports.trigger) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.scheduled(context, event, stage),
    },
  });
  const readiness = readinessMachine.provide({ actors: { pidfile: port((ports) => ports.pidfile) } });
  const service = serviceMachine.provide({
    actors: { unit, readiness, notifications: port((ports) => ports.notifications) },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.service(context, event, stage),
    },
  });
  const processTable = port((ports) => ports.processTable);
  return systemMachine.provide({
    actors: { service, scheduled, processTable },
    actions: {
      enter: ({ context, event, system }, { stage }) => portsOf.get(system)?.charts.system(context, event, stage),
    },
  });
}

/** Characters kept of a service's last line. */
const longestLastWords = 200;

export function assemble(kernel: Kernel, clock: Clock, config: SystemSpec, options: AssembleOptions): Assembly {
  const records$ = new Subject<LogRecord>();
  const began = clock.realTime();
  const feed = new Feed({ now: () => clock.realTime() - began, wallTime: () => clock.wallTime() });
  const outcome$ = new ReplaySubject<SystemOutput>(1);
  const live = new LiveProcesses();
  const lastWords = new Map<string, LastWords>();
  const ending = new Set<string>();
  const nextRuns = new Map<string, number>();

  const own = ({ severity, text, facility = 'local5', revealing }: Message): LogRecord => ({
    time: clock.wallTime(),
    facility,
    severity,
    program: 'chaperone',
    pid: kernel.pid,
    message: text,
    ...(revealing === undefined ? {} : { revealing }),
  });
  const say = (message: Message): void => records$.next(own(message));
  const warningRecord = (text: string): LogRecord => own({ severity: 'warning', text });
  const sinks = new LogSinks({
    kernel,
    clock,
    warningLine: (text) => `${formatRecord(warningRecord(text), kernel.hostname)}\n`,
    onRefusal: (sink, errorCode) => say(sinkRefuses(sink, errorCode)),
  });
  const logging = options.attachLogging(records$, config.logging, {
    sinks,
    host: kernel.hostname,
    colours: options.colours ?? false,
    warningRecord,
    defer: (callback) => kernel.defer(callback),
  });

  const { spec, missing, messages } = preflight(kernel, config);
  const exits = routeExits(kernel.exits$);
  let orphans = 0;
  exits.orphans$.subscribe({
    next: ({ pid, status }) => {
      orphans += 1;
      feed.tell({ type: 'orphan.reaped', pid, status });
      units.takeOrphan({ pid, status });
    },
    // Without exits no machine learns of an end any more.
    error: (error: unknown) => outcome$.error(error),
  });

  const claimOf = ({ name, account }: ServiceSpec, process: ProcessView): Claim => ({
    service: name,
    accountUid: account?.uid ?? kernel.following.uid,
    owner: units.ownerOf(process),
    startBegan: live.startOf(name),
  });
  const pidfiles = new Pidfiles({
    following: kernel.following,
    clock,
    claimOf,
    endOf: (pid, since) => units.endOf(pid, since),
    onMessage: say,
  });
  const notify = new NotifySockets({
    kernel,
    clock,
    claimOf,
    onMessage: say,
    onNotice: (service, message) => {
      const view = messageView(message);
      // That a service is alive is no news.
      if (message.watchdog !== 'alive' || Object.keys(view).length > 1)
        feed.tell({ type: 'notified', service, message: view });
    },
  });
  let signalled: SignalOutcome[] = [];
  const units = new Units({
    kernel,
    clock,
    exits,
    live,
    pidfiles,
    notify,
    onMessage: say,
    onSignalled: (outcome) => signalled.push(outcome),
    onBegin: ({ name }, pid) => feed.tell({ type: 'run.began', service: name, pid }),
    onEnd: ({ name }, { pid, status }) => feed.tell({ type: 'run.ended', service: name, pid, status }),
    onOutput: (service, stream, record) => {
      // What it says because it is being ended explains nothing.
      if (!ending.has(service.name))
        lastWords.set(service.name, { stream, line: record.message.slice(0, longestLastWords), at: clock.now() });
      records$.next(record);
    },
  });
  const trigger = triggerLogic({
    kernel,
    clock,
    timeZone: () => system.getSnapshot().context.ledger.spec.timeZone,
    loadSchedules: options.loadSchedules,
    onMessage: say,
    onDue: (name, time) => {
      if (time === undefined) nextRuns.delete(name);
      else nextRuns.set(name, time);
    },
  });
  const system = createActor(joinedMachine, {
    id: 'system',
    input: { spec, graph: buildDependencyGraph(spec.services), missingPrograms: missing },
    clock: {
      setTimeout: (callback, delay) => clock.setTimeout(callback, delay),
      clearTimeout: (id) => clock.clearTimeout(id),
    },
  });
  portsOf.set(system.system, {
    processes: units.logic(),
    trigger,
    pidfile: pidfiles.logic(),
    notifications: notify.logic(),
    processTable: processTableLogic(kernel, clock, say),
    charts: new ChartFacts({
      feed,
      nextRun: (name) => nextRuns.get(name),
    }),
  });

  const host =
    options.host === undefined
      ? undefined
      : new HostNotifier(options.host, spec.statusInterval, {
          notifying: kernel.notifying,
          clock,
          onMessage: say,
        });
  const services = new Map(spec.services.map((service) => [service.name, service]));
  const serviceOf = (name: string): ServiceSpec | undefined => services.get(name);
  const forget = (name: string): void => {
    services.delete(name);
    lastWords.delete(name);
    ending.delete(name);
    nextRuns.delete(name);
    live.forgetService(name);
    notify.forget(name);
    pidfiles.forget(name);
  };
  const notices$ = feed.facts$.pipe(filter(isNotice));
  notices$.subscribe((notice) => {
    for (const message of messagesFor(notice, serviceOf, clock.now())) say(message);
    if (notice.type === 'service.removed') forget(notice.service);
    if (notice.type === 'system.ready') say(readyMessage(options.version));
    if (notice.type === 'service.changed') {
      if (notice.change.phase === 'stopping') ending.add(notice.service);
      else if (notice.change.phase === 'starting') ending.delete(notice.service);
    }
    host?.hear(notice);
    // Everything that was to be done is done: nobody needs the machines any more.
    if (notice.type === 'system.halted') clock.setTimeout(leave, 0);
  });
  system.on('*', (notice) => feed.tell(notice));
  const signals = new Subscription();
  system.subscribe({ error: (error) => outcome$.error(error) });
  const leave = (): void => {
    signals.unsubscribe();
    const output = outputOf(system.getSnapshot());
    host?.end(output.end);
    outcome$.next(output);
    outcome$.complete();
  };

  let endSyslog = (): void => undefined;
  const beginSyslog = ({ enableSyslog, logSocket }: SystemSpec): void => {
    if (enableSyslog) endSyslog = serveSyslog(kernel, clock, logSocket, { records$, sinks, say });
  };
  let interrupted = false;
  const shutdown = (end: SystemEnd): void => {
    const interrupt = end.kind === 'signal' && end.signal === 'SIGINT';
    const forced = interrupt && interrupted;
    interrupted ||= interrupt;
    system.send({ type: 'system.shutdown', end, forced, at: clock.now() });
  };

  return {
    system,
    spec: () => system.getSnapshot().context.ledger.spec,
    serviceOf,
    feed,
    notices$,
    live,
    sinks,
    flush: logging.flush,
    nextRun: (name) => nextRuns.get(name),
    lastWords: (name) => lastWords.get(name),
    say,
    records$,
    exits,
    orphansReaped: () => orphans,
    signal: (name, signal) => {
      signalled = [];
      system.send({ type: 'services.signal', names: [name], signal, at: clock.now() });
      if (signalled.includes('denied')) return 'denied';
      return signalled.includes('sent') ? 'sent' : 'vanished';
    },
    start: () => {
      for (const message of messages) say(message);
      beginSyslog(spec);
      signals.add(
        kernel.signals$.subscribe((signal) => {
          feed.tell({ type: 'signalled', signal });
          receiveSignal(signal, shutdown, say, options.onHangup);
        }),
      );
      host?.start();
      system.start();
    },
    reload: (next, plan) => {
      const before = system.getSnapshot().context.ledger.spec;
      for (const service of next.services) services.set(service.name, service);
      logging.replace(next.logging);
      if (before.enableSyslog !== next.enableSyslog || before.logSocket !== next.logSocket) {
        endSyslog();
        endSyslog = () => undefined;
        beginSyslog(next);
      }
      host?.setStatusInterval(next.statusInterval);
      const graph = buildDependencyGraph(next.services);
      feed.tell({ type: 'reloaded' });
      system.send({ type: 'system.reload', spec: next, graph, plan, at: clock.now() });
    },
    shutdown,
    endSyslog: () => endSyslog(),
    outcome$,
  };
}

/** What each signal to chaperone means (reference, section 5.6). */
function receiveSignal(
  signal: SignalName,
  shutdown: (end: SystemEnd) => void,
  say: (message: Message) => void,
  onHangup: (() => void) | undefined,
): void {
  switch (signal) {
    case 'SIGTERM':
    case 'SIGQUIT':
    case 'SIGPWR':
    case 'SIGINT':
    case 'SIGRTMIN+3':
      shutdown({ kind: 'signal', signal });
      break;
    case 'SIGHUP':
      if (onHangup === undefined) say(signalIgnored(signal));
      else onHangup();
      break;
    default:
      say(signalIgnored(signal));
  }
}

/** The `processTable` port of the system machine on a kernel. */
function processTableLogic(kernel: Kernel, clock: Clock, say: (message: Message) => void) {
  return fromCallback<SignalAll | CountProcesses, undefined, { type: 'processes.gone'; at: number }>((scope) => {
    const { sendBack, receive } = scope;
    const subscription = kernel.childrenGone$.subscribe(({ at }) => sendBack({ type: 'processes.gone', at }));
    let reply: TimerId | undefined;
    let count: TimerId | undefined;
    receive((request) => {
      if (request.type === 'processes.count') {
        count ??= clock.setTimeout(() => {
          count = undefined;
          if (!kernel.hasChildren()) sendBack({ type: 'processes.gone', at: clock.now() });
        }, 0);
        return;
      }
      if (kernel.hasChildren()) {
        kernel.signalAll(request.signal);
        return;
      }
      say(noProcessesRemain());
      // Not in the turn of whoever asked: it may be a service that is still telling of its own end.
      reply = clock.setTimeout(() => sendBack({ type: 'processes.gone', at: clock.now() }), 0);
    });
    return () => {
      subscription.unsubscribe();
      for (const timer of [reply, count]) if (timer !== undefined) clock.clearTimeout(timer);
    };
  });
}
