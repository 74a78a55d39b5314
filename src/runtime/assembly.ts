import type { Observable, ReplaySubject } from 'rxjs';
import type { Actor } from 'xstate';
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
import type { Fact } from '../record/fact.ts';
import type { Feed } from '../record/feed.ts';
import type { ExitRouter } from '../streams/exit-router.ts';
import type { ProcessExit } from './kernel.ts';
import type { LogSinks } from './logging/log-sinks.ts';
import type { LiveProcesses } from './units/live-processes.ts';

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
