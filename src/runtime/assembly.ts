import type { Observable, ReplaySubject } from 'rxjs';
import type { Actor } from 'xstate';
import type { Fact } from '../facts/fact.ts';
import type { Feed } from '../facts/feed.ts';
import type { SystemOutput, systemMachine } from '../machines/system.ts';
import type { LastWords } from '../model/log/explain.ts';
import type { LogRecord } from '../model/log/log-record.ts';
import type { Message } from '../model/log/messages.ts';
import type { ReloadPlan } from '../model/order/reload-plan.ts';
import type { ServiceSpec, SystemSpec } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { SystemEnd } from '../model/service/system-end.ts';
import type { SystemNotice } from '../model/service/system-notice.ts';
import type { SignalOutcome } from '../model/service/unit-events.ts';
import type { ExitRouter } from '../streams/exit-router.ts';
import type { ProcessExit } from './kernel.ts';
import type { LogSinks } from './logging/log-sinks.ts';
import type { LiveProcesses } from './units/live-processes.ts';
import type { StartEnvironment } from './units/start-environment.ts';

/** A whole system, ready to start. */
export interface Assembly {
  readonly system: Actor<typeof systemMachine>;
  /** The configuration in force, with the results of the look-up of programs. */
  readonly spec: () => SystemSpec;
  /** The definition of a service; a service that a reload has removed keeps its definition until it has ended. */
  readonly serviceOf: (name: string) => ServiceSpec | undefined;
  /** The environment with which a service would be started now. */
  readonly environmentOf: (service: ServiceSpec) => Promise<StartEnvironment>;
  /** The facts of everything that happens. */
  readonly feed: Feed;
  /** The notices of the system machine among those facts. */
  readonly notices$: Observable<Fact & SystemNotice>;
  readonly live: LiveProcesses;
  readonly sinks: LogSinks;
  /** Passes all records so far to the sinks. */
  readonly flush: () => void;
  /** The next run of a cron service, Unix ms. */
  readonly nextRun: (service: string) => number | undefined;
  /** The last line that a service wrote. */
  readonly lastWords: (service: string) => readonly LastWords[];
  /** How many bytes wait in the pipe that a service reads from; undefined where it has none. */
  readonly waitingInput: (service: string) => number | undefined;
  /** How many lines of a service were dropped because of its `log_rate`. */
  readonly linesDropped: (service: string) => number;
  readonly say: (message: Message) => void;
  /** All log records. */
  readonly records$: Observable<LogRecord>;
  readonly exits: ExitRouter<ProcessExit>;
  /** How many processes without a service have been reaped so far. */
  readonly orphansReaped: () => number;
  /** Sends a signal to the running processes of a service by hand; `vanished` where none runs. */
  readonly signal: (service: string, signal: SignalName) => Promise<SignalOutcome>;
  /** Starts the boot. */
  readonly start: () => void;
  /**
   * Puts another configuration in force; the plan has to be made of the services' states in this same turn.
   *
   * @param because `scale`: only numbers of instances have changed
   */
  readonly reload: (spec: SystemSpec, plan: ReloadPlan, because?: 'reload' | 'scale') => void;
  /** Ends the system in order; a repeated SIGINT skips the order. */
  readonly shutdown: (end: SystemEnd) => void;
  /** Reads what is left in the log socket, and removes the socket. */
  readonly endSyslog: () => void;
  /** Emits the outcome once, or the error that broke a machine. */
  readonly outcome$: ReplaySubject<SystemOutput>;
}
