/**
 * The supervisor port: everything that the control surface asks of the running system, as facts (snapshots and streams) and
 * requests (calls). What may be asked, and of whom, is decided above it and is pure; what it does, below.
 */

import type { Observable } from 'rxjs';
import type { LogRecord } from '../model/log/log-record.ts';
import type { Severity } from '../model/log/syslog-names.ts';
import type { ReloadPlan, Unstartable } from '../model/order/reload-plan.ts';
import type { ExitStatus } from '../model/service/exit-status.ts';
import type { PublicState, SystemState } from '../model/service/public-state.ts';
import type { ServiceType } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { Why } from '../model/service/why.ts';
import type { HistoryLine } from '../record/history.ts';

/** One service, as everybody may read it. All durations are ms. */
export interface ServiceStatus {
  /** With its suffix. */
  readonly name: string;
  readonly type: ServiceType;
  readonly enabled: boolean;
  /** A normal end counts as up. */
  readonly remainAfterExit?: true;
  readonly state: PublicState;
  /** The state of its chart. */
  readonly stage: ServiceStage;
  /** Unix ms at which it came there. */
  readonly since: number;
  /** How long it has been there, on the monotonic clock. */
  readonly age: number;
  readonly why: Why;
  readonly pid?: number;
  /** inetd, cron: how many of its processes run. */
  readonly running?: number;
  /** Only where the service restarts. */
  readonly restarts?: { readonly used: number; readonly left: number };
  readonly note?: string;
  readonly lastExit?: { readonly pid: number; readonly status: ExitStatus; readonly at: number };
  /** Why it failed, or is about to restart: `exit 1`. */
  readonly cause?: string;
  /** Unix ms of the next run of a cron service. */
  readonly nextRun?: number;
  /** cron: the time zone of its schedule; absent: that of the container. */
  readonly timeZone?: string;
  /** Only for who may do everything: a line of a log may hold what is nobody else's business. */
  readonly lastWords?: { readonly stream: 'stdout' | 'stderr'; readonly line: string; readonly age: number };
  readonly prerequisites: readonly string[];
  /** Everything that it waits for is ready, has ended normally, or is disabled. */
  readonly prerequisitesReady: boolean;
  /** Its first start, ms since chaperone began; absent until that came to its end. */
  readonly boot?: BootTimes;
}

/** When a service went through the stages of its first start, ms since chaperone began. */
export interface BootTimes {
  readonly started: number;
  /** Absent where its first start has failed. */
  readonly ready?: number;
  readonly failed?: { readonly at: number; readonly cause: string };
  /** The prerequisite that let it go, if it had to wait for one; with its suffix. */
  readonly waitedFor?: string;
}

export interface SystemStatus {
  readonly version: string;
  readonly state: SystemState;
  /** ms. */
  readonly uptime: number;
  readonly pid: number;
  readonly services: number;
  readonly enabled: number;
  /** Services by state; a state that none is in has 0. */
  readonly states: Readonly<Record<PublicState, number>>;
  readonly logLevel?: Severity;
  /** Unix ms at which a shutdown that was asked for begins. */
  readonly shutdownAt?: number;
}

/** A service has come to another state. */
export interface ServiceEvent {
  readonly type: 'service';
  /** Unix ms. */
  readonly time: number;
  readonly service: string;
  readonly state: PublicState;
  readonly stage: ServiceStage;
}

/** The system has come to another state. */
export interface SystemEvent {
  readonly type: 'system';
  /** Unix ms. */
  readonly time: number;
  readonly state: SystemStatus['state'];
}

export type ControlEvent = ServiceEvent | SystemEvent;

/** `notRunning`: it has no process. `denied`: the kernel does not let chaperone signal it. */
export type KillOutcome = 'sent' | 'notRunning' | 'denied';

/** A command that somebody runs beside the services. */
export interface CommandRun {
  /** What it writes; completes when it has closed both streams and ended. */
  readonly output$: Observable<{ readonly stream: 'stdout' | 'stderr'; readonly text: string }>;
  readonly outcome: Promise<
    | { readonly kind: 'ended'; readonly status: ExitStatus }
    | { readonly kind: 'notStarted'; readonly message: string; readonly exitStatus: 126 | 127 }
  >;
  /** Ends it with its process group. */
  readonly cancel: () => void;
}

export type ReloadResult =
  /** `warnings`: what is doubtful about the new configuration, as text; empty where nothing is. */
  | { readonly kind: 'begun'; readonly plan: ReloadPlan; readonly warnings: string }
  /** `unstartable`: the services that the plan would stop, and that could not start again in the new configuration. */
  | {
      readonly kind: 'planned';
      readonly plan: ReloadPlan;
      readonly warnings: string;
      readonly unstartable: readonly Unstartable[];
    }
  /** It would stop services that it could not start again, and was not forced: nothing was changed. */
  | { readonly kind: 'unstartable'; readonly services: readonly Unstartable[] }
  /** The new configuration has mistakes: nothing was changed. */
  | { readonly kind: 'mistakes'; readonly report: string }
  /** The system is ending. */
  | { readonly kind: 'ending' };

/** Counters and gauges that no snapshot of services holds. */
export interface Measurements {
  readonly orphansReaped: number;
  readonly recordsIn: number;
  /** By sink. */
  readonly sinks: Readonly<Record<string, { readonly waitingBytes: number; readonly dropped: number }>>;
  /** Ends of services by name and by exit code or signal. */
  readonly exits: readonly { readonly service: string; readonly status: string; readonly count: number }[];
  /** All restarts of each service, which no reset forgets. */
  readonly restarts: Readonly<Record<string, number>>;
  /** ms by which the loop was late, the longest since the last look. */
  readonly loopDelay: number;
  readonly memory: { readonly resident: number; readonly heap: number };
}

export interface StartRequest {
  /** Enables what is disabled. */
  readonly enable: boolean;
  /** Also what it waits for, and also what runs: ended first. */
  readonly force: boolean;
}

export interface StopRequest {
  /** And keeps them from being started. */
  readonly disable: boolean;
  /** cron: no further run, and the one that goes on may end; inetd: the port closes, and connections may end. */
  readonly drain: boolean;
}

export interface ReloadRequest {
  /** Only says what would change. */
  readonly dryRun: boolean;
  /** Goes on where it stops services that it cannot start again. */
  readonly force: boolean;
}

/** Who watches everything that happens, entry by entry. */
export interface WatchRequest {
  /** Log records, too. */
  readonly records: boolean;
  /** Only entries from this number on, where they are kept. */
  readonly from: number;
  /** @returns false where it takes no more until `resume` */
  readonly onEntry: (entry: object) => boolean;
}

export interface EntryWatch {
  resume(): void;
  close(): void;
}

export interface Supervisor {
  status(): SystemStatus;
  /** All services, in start order. */
  services(): readonly ServiceStatus[];
  /** One service, by its full name. */
  service(name: string): ServiceStatus | undefined;
  /** What has happened to a service since chaperone began, as far as it is kept; undefined where there is none of that name. */
  history(name: string): readonly HistoryLine[] | undefined;
  /** Emits after each change; what it tells of can be read by then. */
  readonly events$: Observable<ControlEvent>;
  /** Records from now on. */
  readonly records$: Observable<LogRecord>;
  /** The last records there were, oldest first; a bounded number. */
  recentRecords(): readonly LogRecord[];
  dependencyChart(): string;
  measurements(): Measurements;

  /** The names are full names of services that exist, in all of these. They return when the request is queued. */
  start(names: readonly string[], request: StartRequest): void;
  stop(names: readonly string[], request: StopRequest): void;
  /** Forgets restarts and failures; ends what inetd and cron services run; `force`: and what others run. */
  reset(names: readonly string[], request: { readonly force: boolean }): void;
  /** `force`: also what is disabled, and what could not be started again. */
  restart(names: readonly string[], request: { readonly force: boolean }): void;
  /**
   * Those of the services that could not be started again if a restart stopped them now, each with the reason: `db is stopped`.
   * What is restarted together with them counts as there.
   */
  unrestartable(names: readonly string[]): readonly Unstartable[];
  setEnabled(names: readonly string[], enabled: boolean): void;
  kill(name: string, signal: SignalName): KillOutcome;
  /** @param delay ms */
  shutdown(delay: number): void;
  forceLogLevel(level: Severity): void;
  run(argv: readonly string[]): CommandRun;
  /** Tells first what there is, then what happens. */
  watch(request: WatchRequest): Promise<EntryWatch>;
  reload(request: ReloadRequest): Promise<ReloadResult>;
}
