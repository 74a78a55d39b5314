/**
 * The one place where machines, streams and a kernel are joined. The daemon, the tests and the simulation all call it, so
 * that what is tested is what runs.
 */
import { type Observable, ReplaySubject, Subject, Subscription } from 'rxjs';
import { type Actor, createActor, fromCallback } from 'xstate';
import { processMachine } from '../machines/process.ts';
import { scheduledMachine } from '../machines/scheduled.ts';
import { serviceMachine } from '../machines/service.ts';
import { type CountProcesses, type SignalAll, type SystemOutput, systemMachine } from '../machines/system.ts';
import { buildDependencyGraph } from '../model/dependency-graph.ts';
import type { ExitStatus } from '../model/exit-status.ts';
import type { LastWords } from '../model/explain.ts';
import { formatRecord } from '../model/log-format.ts';
import type { LogRecord } from '../model/log-record.ts';
import {
  type Message,
  messagesFor,
  noProcessesRemain,
  orphanReaped,
  readyMessage,
  reloadUnsupported,
  signalIgnored,
  sinkRefuses,
} from '../model/messages.ts';
import type { ServiceSpec, SystemSpec } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import type { SystemEnd } from '../model/system-end.ts';
import type { SystemNotice } from '../model/system-notice.ts';
import { type ExitRouter, routeExits } from '../streams/exit-router.ts';
import { childProcessLogic, type ProcessEnd } from './child-process.ts';
import { HostNotifier, type HostRequest } from './host-notifier.ts';
import type { Clock, Kernel, ProcessExit, TimerId } from './kernel.ts';
import { LiveProcesses } from './live-processes.ts';
import { LogSinks } from './log-sinks.ts';
import type { AttachLogging } from './logging.ts';
import { NotifySockets } from './notify-sockets.ts';
import { Pidfiles } from './pidfiles.ts';
import { preflight } from './preflight.ts';
import { serveSyslog } from './syslog.ts';
import { type TriggerPorts, triggerLogic } from './trigger.ts';

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
}

/** A whole system, ready to start. */
export interface Assembly {
  readonly system: Actor<typeof systemMachine>;
  /** The configuration as it will run: after the look-up of the programs. */
  readonly spec: SystemSpec;
  /** What the system machine says has happened. */
  readonly notices$: Subject<SystemNotice>;
  readonly live: LiveProcesses;
  readonly sinks: LogSinks;
  /** Hands to the sinks what was said so far. */
  readonly flush: () => void;
  /** When a cron service runs next, Unix ms. */
  readonly nextRun: (service: string) => number | undefined;
  /** The end of each process that is a service, or one of its runs. */
  readonly ends$: Observable<ProcessEnd & { readonly service: string }>;
  /** The last line a service wrote. */
  readonly lastWords: (service: string) => LastWords | undefined;
  readonly say: (message: Message) => void;
  /** Everything that is logged. */
  readonly records$: Observable<LogRecord>;
  readonly exits: ExitRouter<ProcessExit>;
  /** Commands that are run beside the services: that one has begun, and how it has ended. */
  readonly commands$: Subject<{ readonly pid: number; readonly status?: ExitStatus }>;
  /** Processes reaped that no service owned, so far. */
  readonly orphansReaped: () => number;
  /** Begins to boot. */
  readonly start: () => void;
  /** Ends the system in order; a repeated SIGINT skips the order. */
  readonly shutdown: (end: SystemEnd) => void;
  /** Takes what is left in the log socket, and removes it. */
  readonly endSyslog: () => void;
  /** Emits the outcome once, or the error that broke a machine. */
  readonly outcome$: ReplaySubject<SystemOutput>;
}

/** Characters kept of a service's last line. */
const longestLastWords = 200;

export function assemble(kernel: Kernel, clock: Clock, config: SystemSpec, options: AssembleOptions): Assembly {
  const records$ = new Subject<LogRecord>();
  const notices$ = new Subject<SystemNotice>();
  const outcome$ = new ReplaySubject<SystemOutput>(1);
  const live = new LiveProcesses();
  const lastWords = new Map<string, LastWords>();
  const ending = new Set<string>();
  const nextRuns = new Map<string, number>();
  const ends$ = new Subject<ProcessEnd & { readonly service: string }>();

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
  const { flush } = options.attachLogging(records$, config.logging, {
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
      say(orphanReaped(pid, status));
    },
    // Without exits no machine learns of an end any more.
    error: (error: unknown) => outcome$.error(error),
  });

  const pidfiles = new Pidfiles({ following: kernel.following, clock, onMessage: say });
  const notify = new NotifySockets({ kernel, clock, onMessage: say });
  const childProcess = childProcessLogic({
    kernel,
    clock,
    exits,
    live,
    pidfiles,
    notify,
    onMessage: say,
    onEnd: ({ name }, end) => ends$.next({ service: name, ...end }),
    onOutput: (service, stream, record) => {
      // What it says because it is being ended explains nothing.
      if (!ending.has(service.name))
        lastWords.set(service.name, { stream, line: record.message.slice(0, longestLastWords), at: clock.now() });
      records$.next(record);
    },
  });
  const process = processMachine.provide({ actors: { childProcess } });
  const trigger = triggerLogic({
    kernel,
    clock,
    timeZone: spec.timeZone,
    loadSchedules: options.loadSchedules,
    onMessage: say,
    onDue: (name, time) => {
      if (time === undefined) nextRuns.delete(name);
      else nextRuns.set(name, time);
    },
  });
  const scheduled = scheduledMachine.provide({ actors: { process, trigger } });
  const machine = systemMachine.provide({
    actors: {
      service: serviceMachine.provide({
        actors: { process, scheduled, pidfile: pidfiles.logic(), notifications: notify.logic() },
      }),
      processTable: processTableLogic(kernel, clock, say),
    },
  });
  const system = createActor(machine, {
    id: 'system',
    input: { spec, graph: buildDependencyGraph(spec.services), missingPrograms: missing },
    clock: {
      setTimeout: (callback, delay) => clock.setTimeout(callback, delay),
      clearTimeout: (id) => clock.clearTimeout(id),
    },
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
  system.on('*', (notice) => {
    for (const message of messagesFor(notice, serviceOf, clock.now())) say(message);
    if (notice.type === 'system.ready') say(readyMessage(options.version));
    if (notice.type === 'service.changed') {
      if (notice.change.phase === 'stopping') ending.add(notice.service);
      else if (notice.change.phase === 'starting') ending.delete(notice.service);
    }
    host?.hear(notice);
    notices$.next(notice);
  });
  const signals = new Subscription();
  system.subscribe({
    complete: () => {
      signals.unsubscribe();
      const { output } = system.getSnapshot();
      if (output !== undefined) host?.end(output.end);
      if (output !== undefined) outcome$.next(output);
      outcome$.complete();
    },
    error: (error) => outcome$.error(error),
  });

  let endSyslog = (): void => undefined;
  let interrupted = false;
  const shutdown = (end: SystemEnd): void => {
    const interrupt = end.kind === 'signal' && end.signal === 'SIGINT';
    const forced = interrupt && interrupted;
    interrupted ||= interrupt;
    system.send({ type: 'system.shutdown', end, forced, at: clock.now() });
  };

  return {
    system,
    spec,
    notices$,
    live,
    sinks,
    flush,
    nextRun: (name) => nextRuns.get(name),
    ends$,
    lastWords: (name) => lastWords.get(name),
    say,
    records$,
    exits,
    commands$: new Subject(),
    orphansReaped: () => orphans,
    start: () => {
      for (const message of messages) say(message);
      if (spec.enableSyslog) endSyslog = serveSyslog(kernel, clock, spec.logSocket, { records$, sinks, say });
      signals.add(kernel.signals$.subscribe((signal) => receiveSignal(signal, shutdown, say)));
      host?.start();
      system.start();
    },
    shutdown,
    endSyslog: () => endSyslog(),
    outcome$,
  };
}

/** What each signal to chaperone means (reference, section 5.6). */
function receiveSignal(signal: SignalName, shutdown: (end: SystemEnd) => void, say: (message: Message) => void): void {
  switch (signal) {
    case 'SIGTERM':
    case 'SIGQUIT':
    case 'SIGPWR':
    case 'SIGINT':
    case 'SIGRTMIN+3':
      shutdown({ kind: 'signal', signal });
      break;
    case 'SIGHUP':
      say(reloadUnsupported());
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
