/**
 * The supervisor port: everything that the control surface asks of the running system, as facts (snapshots and streams) and
 * requests (calls). Rights and refusals are decided above this port, in pure code; the requests are carried out below it.
 */

import type { Observable } from 'rxjs';
import type { StartTimes } from '../facts/critical-chain.ts';
import type { HistoryLine } from '../facts/history.ts';
import type { LogRecord } from '../model/log/log-record.ts';
import type { Severity } from '../model/log/syslog-names.ts';
import type { Ties } from '../model/order/prerequisite.ts';
import type { ReloadPlan, Unstartable } from '../model/order/reload-plan.ts';
import type { RunAnswer, RunResult } from '../model/schedule/scheduled-runs.ts';
import type { ExitStatus } from '../model/service/exit-status.ts';
import type { HookPlace } from '../model/service/hook.ts';
import type { Outputs } from '../model/service/output.ts';
import type { ProbePurpose, ProbeStanding } from '../model/service/probe.ts';
import type { PublicState, SystemState } from '../model/service/public-state.ts';
import type { ReloadOutcome } from '../model/service/reload-method.ts';
import type { ServiceType } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { Why } from '../model/service/why.ts';
import type { Diagnostic } from '../model/words/diagnostic.ts';

/** One service, as everybody may read it. All durations are ms. */
export interface ServiceStatus {
  /** With its suffix. */
  readonly name: string;
  readonly type: ServiceType;
  readonly enabled: boolean;
  /** True: not enabled only because of the way in which the system was started. */
  readonly held?: true;
  /** True: the service counts as ready after a normal end. */
  readonly remainAfterExit?: true;
  readonly state: PublicState;
  /** The state of the service's chart. */
  readonly stage: ServiceStage;
  /** Unix ms at which the service came to its stage. */
  readonly since: number;
  /** How long the service has been in its stage, on the monotonic clock. */
  readonly age: number;
  readonly why: Why;
  readonly pid?: number;
  /** True: the process is the one that a pidfile or MAINPID has named. */
  readonly followed?: true;
  /** The hook that runs. `pid`: absent before its spawn; `ran`: ms since it, or its stage, began. */
  readonly hook?: HookPlace & { readonly pid?: number; readonly ran: number };
  /** inetd, cron: how many processes of the service run. */
  readonly running?: number;
  /** It reads its own configuration anew, or says so by RELOADING=1. */
  readonly reloading?: true;
  /** Why the last reload of the present run has failed: `reload_command: exit 1`. */
  readonly reloadFailure?: string;
  /** Only if the service may be tried again after an end. */
  readonly restarts?: RestartStatus;
  readonly note?: string;
  readonly lastExit?: { readonly pid: number; readonly status: ExitStatus; readonly at: number };
  /** Only where the service is ready and has `healthy`; `unknown`: its probes have decided nothing yet. */
  readonly health?: 'unknown' | 'healthy' | 'unhealthy';
  /** The probes that are at work: of `ready` while the service starts, of `healthy` while it is ready. */
  readonly probes?: readonly ProbeStatus[];
  /** Why the service failed or is about to restart: `exit 1`. */
  readonly cause?: string;
  /** Unix ms of the next run of a cron service. */
  readonly nextRun?: number;
  /** cron: the time zone of its schedule; absent: that of the container. */
  readonly timeZone?: string;
  /** Only for callers who may do everything, since a line of a log may hold secrets. */
  readonly lastWords?: { readonly stream: 'stdout' | 'stderr'; readonly line: string; readonly age: number };
  /** Where its output goes, if not all of it goes into the log: a service, an entry, or `inherit`. */
  readonly outputs?: Outputs;
  /** How many bytes wait in the pipe that it reads from, if other services write to it. */
  readonly waitingInput?: number;
  /** How many of its lines were dropped because of its `log_rate`; absent where none were. */
  readonly linesDropped?: number;
  readonly prerequisites: readonly string[];
  /** By the name of a prerequisite: how it is waited for, where it is not simply to be ready. */
  readonly ties?: Ties;
  /** True if all prerequisites are ready, have ended normally, or are disabled. */
  readonly prerequisitesReady: boolean;
  /** The first start, ms since chaperone began; absent until it begins. */
  readonly boot?: BootTimes;
}

export interface RestartStatus {
  /** The tries that count against the limit. */
  readonly used: number;
  /** Absent where there is no limit. */
  readonly left?: number;
  /** ms until the next try, where one comes. */
  readonly nextIn?: number;
  /** Why no try follows: `restart_prevent: 78`. */
  readonly none?: string;
}

export interface ProbeStatus {
  readonly purpose: ProbePurpose;
  /** Without arguments, queries and headers. */
  readonly probe: string;
  readonly standing: ProbeStanding;
  /** Failures in a row that count. */
  readonly failures: number;
  /** Only of `healthy`: how many failures in a row make the service unhealthy. */
  readonly retries?: number;
  readonly last?: {
    readonly passed: boolean;
    readonly reason: string;
    /** How long ago, ms. */
    readonly age: number;
    /** What a command wrote last: only for callers who may read the log. */
    readonly output?: string;
  };
}

/** When a service went through the stages of its first start, ms since chaperone began; names with their suffix. */
export type BootTimes = Omit<StartTimes, 'service'>;

export interface SystemStatus {
  readonly version: string;
  readonly state: SystemState;
  /** ms. */
  readonly uptime: number;
  /** ms since chaperone began at which the system was up; absent until then. */
  readonly ready?: number;
  /** ms since chaperone began at which the boot was over: the system was up, or had begun to end; absent until then. */
  readonly bootOver?: number;
  /** Of the body, which is PID 1 in a container. */
  readonly pid: number;
  /** The pid of the brain: Node, which runs everything but the body. */
  readonly brain: number;
  readonly services: number;
  readonly enabled: number;
  /** The number of services by state, 0 included. */
  readonly states: Readonly<Record<PublicState, number>>;
  readonly logLevel?: Severity;
  /** Unix ms at which a requested shutdown begins; the earliest one where several were requested. */
  readonly shutdownAt?: number;
}

/** A service has changed its state. */
export interface ServiceEvent {
  readonly type: 'service';
  /** Unix ms. */
  readonly time: number;
  readonly service: string;
  readonly state: PublicState;
  readonly stage: ServiceStage;
}

/** The system has changed its state. */
export interface SystemEvent {
  readonly type: 'system';
  /** Unix ms. */
  readonly time: number;
  readonly state: SystemStatus['state'];
}

export type ControlEvent = ServiceEvent | SystemEvent;

/** `notRunning`: the service has no process. `denied`: the kernel does not let chaperone signal it. */
export type KillOutcome = 'sent' | 'notRunning' | 'denied';

/** A command that somebody runs beside the services. */
export type RunOutcome =
  | { readonly kind: 'ended'; readonly status: ExitStatus }
  | ({ readonly kind: 'notStarted' } & NotStarted);

/** Why a command could not be started, in words, and the exit status that shells give it. */
export interface NotStarted {
  readonly message: string;
  readonly exitStatus: 126 | 127;
}

export interface CommandOutput {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

export interface CommandRun {
  /** The command's output; completes when the command has closed both streams and ended. */
  readonly output$: Observable<CommandOutput>;
  readonly outcome: Promise<RunOutcome>;
  /** Ends the command with its process group. */
  readonly cancel: () => void;
}

export type ReloadResult =
  /** `warnings`: the warnings about the new configuration, as text; empty if there are none. */
  | { readonly kind: 'begun'; readonly plan: ReloadPlan; readonly warnings: string }
  /** `unstartable`: the services that the plan would stop, and that could not start again in the new configuration. */
  | {
      readonly kind: 'planned';
      readonly plan: ReloadPlan;
      readonly warnings: string;
      readonly unstartable: readonly Unstartable[];
    }
  /** The reload would stop services that it could not start again, and was not forced: nothing was changed. */
  | { readonly kind: 'unstartable'; readonly services: readonly Unstartable[] }
  /** The new configuration has mistakes: nothing was changed. */
  | { readonly kind: 'mistakes'; readonly report: string; readonly diagnostics: readonly Diagnostic[] }
  /** The system is shutting down. */
  | { readonly kind: 'ending' };

/** Counters and gauges that no snapshot of services holds. */
export interface Measurements {
  readonly orphansReaped: number;
  readonly recordsIn: number;
  /** Counts by sink. */
  readonly sinks: Readonly<Record<string, { readonly waitingBytes: number; readonly dropped: number }>>;
  /** Ends of services by name and by exit code or signal. */
  readonly exits: readonly { readonly service: string; readonly status: string; readonly count: number }[];
  /** All restarts of each service; `reset` does not clear them. */
  readonly restarts: Readonly<Record<string, number>>;
  /** The longest delay of the event loop since the last measurement, ms. */
  readonly loopDelay: number;
  readonly memory: { readonly resident: number; readonly heap: number };
  /** Spans that a collector of traces has taken, and those that it has not; absent where no traces are sent. */
  readonly traces?: { readonly sent: number; readonly lost: number };
}

export interface StartRequest {
  /** Enables disabled services first. */
  readonly enable: boolean;
  /** Also starts unready prerequisites, and stops running services first. */
  readonly force: boolean;
}

export interface StopRequest {
  /** Also disables the services. */
  readonly disable: boolean;
  /** cron: no further run, and the present one may finish; inetd: the port closes, and connections may finish. */
  readonly drain: boolean;
}

export interface ReloadRequest {
  /** Only makes the plan; changes nothing. */
  readonly dryRun: boolean;
  /** Reloads even if that stops services that could not be started again. */
  readonly force: boolean;
}

/** What `scale` does with one template; names of services with their suffix, those that stop with the highest first. */
export interface ScaleChange {
  /** With its suffix: `worker@.service`. */
  readonly template: string;
  readonly count: number;
  readonly started: readonly string[];
  readonly stopped: readonly string[];
}

export type ScaleResult =
  | { readonly kind: 'begun'; readonly changes: readonly ScaleChange[] }
  /** There are no such templates. */
  | { readonly kind: 'unknown'; readonly names: readonly string[] }
  /** The files name the instances of these templates one by one. */
  | { readonly kind: 'listed'; readonly names: readonly string[] }
  | Extract<ReloadResult, { readonly kind: 'unstartable' | 'mistakes' | 'ending' }>;

/** A watcher who gets everything that happens, entry by entry. */
export interface WatchRequest {
  /** True: also log records. */
  readonly records: boolean;
  /** Only entries from this number on, as far as they are kept. */
  readonly from: number;
  /** @returns false if the watcher takes no more until `resume` */
  readonly onEntry: (entry: object) => boolean;
}

export interface EntryWatch {
  resume(): void;
  close(): void;
}

/** A run that somebody has asked for. */
export interface RunNow {
  readonly answer: RunAnswer;
  /** Settles once the run has ended, where it was not refused. */
  readonly ended: Promise<RunResult>;
}

export interface Supervisor {
  status(): SystemStatus;
  /** All services, in start order. */
  services(): readonly ServiceStatus[];
  /** One service, by its full name. */
  service(name: string): ServiceStatus | undefined;
  /** The history of a service since chaperone began, as far as it is kept; undefined if no service has that name. */
  history(name: string): readonly HistoryLine[] | undefined;
  /** Emits after each change, when the snapshots show it already. */
  readonly events$: Observable<ControlEvent>;
  /** Log records from now on. */
  readonly records$: Observable<LogRecord>;
  /** The latest log records, a bounded number, oldest first. */
  recentRecords(): readonly LogRecord[];
  dependencyChart(): string;
  measurements(): Measurements;

  /** All of these take full names of existing services, and return when the request is queued; `kill`, when the signal was sent. */
  start(names: readonly string[], request: StartRequest): void;
  stop(names: readonly string[], request: StopRequest): void;
  /** Clears restarts and failures, and ends running processes of inetd and cron services; `force`: of all services. */
  reset(names: readonly string[], request: { readonly force: boolean }): void;
  /** `force`: also disabled services, and services that could not be started again. */
  restart(names: readonly string[], request: { readonly force: boolean }): void;
  /**
   * Those of the services that could not be started again if a restart stopped them now, each with the reason: `db is stopped`.
   * Services that are restarted together with them count as available.
   */
  unrestartable(names: readonly string[]): readonly Unstartable[];
  /** Runs a cron service now. */
  runNow(name: string): RunNow;
  /** Lets one service read its own configuration anew, and tells what has come of it once that is known. */
  reloadService(name: string): Promise<ReloadOutcome>;
  setEnabled(names: readonly string[], enabled: boolean): void;
  kill(name: string, signal: SignalName): Promise<KillOutcome>;
  /** @param delay ms */
  shutdown(delay: number): void;
  forceLogLevel(level: Severity): void;
  run(argv: readonly string[]): CommandRun;
  /**
   * What makes a process of a caller a program with the account, the environment, the directory and the limits of a service, in bytes
   * that native/tools.h describes; or why the program cannot be started. The environment holds the secrets of the service.
   */
  programOf(name: string, argv: readonly string[]): Promise<Uint8Array | NotStarted>;
  /** Sends the present state first, then everything that happens. */
  watch(request: WatchRequest): Promise<EntryWatch>;
  reload(request: ReloadRequest): Promise<ReloadResult>;
  /** Takes full names of templates: each is to have so many instances, until the files say something else of it. */
  scale(templates: readonly string[], count: number): Promise<ScaleResult>;
}
