/** What is said to a service and by it, and all that it knows: cron and inetd services say and hear the same. */
import type { ActorRef, Snapshot } from 'xstate';
import type { ScheduleNews } from '../model/schedule/scheduled-runs.ts';
import type { FailureCause, RunEnd, ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { RunOutcome } from '../model/service/system-end.ts';
import type { MissedEnd, NotifyFact, UnitFact } from '../model/service/unit-events.ts';
import type { ReadinessFact } from './readiness.ts';

export type ServiceCommand =
  | {
      readonly type: 'service.start';
      /** The prerequisite whose readiness let this service go, if it had to wait. */
      readonly waitedFor?: string;
      readonly at: number;
    }
  | {
      readonly type: 'service.stop';
      /** cron and inetd services: what runs may finish. */
      readonly drain: boolean;
      /** What its finished runs have left behind, or leave behind now, lives on. */
      readonly leaves?: true;
      /** ms until SIGKILL, which the system sends. */
      readonly killAfter?: number;
      readonly at: number;
    }
  /** SIGKILL now, whatever the service is doing. `grace`: ms after which what still lives is said to survive it. */
  | { readonly type: 'service.kill'; readonly grace: number; readonly at: number }
  /** The system is ending: what runs may run until its stop comes, but nothing is started or restarted any more. */
  | { readonly type: 'service.retire'; readonly at: number }
  /** Forgets restarts and a failure; cron and inetd services end what runs and stay scheduled. */
  | {
      readonly type: 'service.reset';
      /** ms from the kill signal to SIGKILL. */
      readonly killAfter: number;
      readonly at: number;
    }
  /** A signal that somebody sends by hand. */
  | { readonly type: 'service.signal'; readonly signal: SignalName; readonly at: number }
  /** Its definition is another one from now on; the name is the same. */
  | { readonly type: 'service.reconfigure'; readonly spec: ServiceSpec; readonly at: number };

/** Raised by the service itself. */
export type OwnEvent =
  /** It has found its place. */
  | { readonly type: 'service.resumed' }
  /** It did not say WATCHDOG=1 in time. */
  | { readonly type: 'watchdog.missed' }
  /** It has been ready for so long that its restarts are forgotten. */
  | { readonly type: 'restarts.forgotten' }
  /** Its leader has ended while chaperone could not look. */
  | ({ readonly type: 'leader.missed'; readonly pid: number; readonly at: number } & MissedEnd);

export type ServiceEvent = ServiceCommand | UnitFact | ReadinessFact | NotifyFact | OwnEvent;

/** What a service tells the system machine. `at` is the monotonic time in ms of the last fact it has seen. */
export interface ServiceChanged {
  readonly type: 'service.changed';
  readonly name: string;
  readonly change: ServiceChange;
  readonly at: number;
}

/** An `exit_kills` service has ended, or could not begin: the system is to follow. */
export interface ServiceExitKills {
  readonly type: 'service.exitKills';
  readonly name: string;
  readonly outcome: RunOutcome;
  readonly at: number;
}

/** What a scheduled service tells the system machine beside its changes. */
export interface ServiceNoticed {
  readonly type: 'service.noticed';
  readonly name: string;
  readonly news: ScheduleNews;
  readonly at: number;
}

export type ServiceReport =
  | ServiceChanged
  | ServiceExitKills
  | ServiceNoticed
  /** It asks for time to end, until this monotonic ms. */
  | { readonly type: 'service.extended'; readonly name: string; readonly until: number; readonly at: number }
  /** Something of it lives on after SIGKILL. */
  | { readonly type: 'service.survived'; readonly name: string; readonly at: number };

export type SystemRef = ActorRef<Snapshot<unknown>, ServiceReport>;

export interface ServiceInput {
  readonly spec: ServiceSpec;
  readonly system: SystemRef;
  /** Where a chart that is made anew goes on. */
  readonly resumes?: Resumption;
}

/** Where a chart stood, and all that it knew, as plain values. */
export interface Resumption {
  readonly stage: ServiceStage;
  readonly memory: ServiceMemory;
  /** ms that its timers had left, by what they are for. */
  readonly left: Readonly<Partial<Record<TimerName, number>>>;
}

type TimerName = 'startupPause' | 'processTimeout' | 'restartDelay' | 'clearGrace' | 'watchdog' | 'stable';

/** All that a service knows, but for the actors that it has: plain values. */
export interface ServiceMemory {
  /** Starts so far; that of the last one. */
  readonly serial: number;
  /** Its leader's; 0 before it is spawned and once it has ended. */
  readonly pid: number;
  /** Something of its last run may be left. */
  readonly hasUnit: boolean;
  /** Its leader was named by a pidfile or MAINPID: it is a daemon, and its kill signal is a normal way to end it. */
  readonly followed: boolean;
  /** Monotonic ms at which its leader was spawned. */
  readonly spawnedAt: number;
  /** Monotonic ms at which a start, once its process runs, or a stop has taken too long. */
  readonly deadline: number | undefined;
  /** ms; undefined where the service need not say that it is alive. */
  readonly watchdog: number | undefined;
  /** STATUS=: its note in listings. */
  readonly status: string | undefined;
  /** The service has announced that it is reloading or stopping (RELOADING=1, STOPPING=1), and has not said READY=1 since. */
  readonly announced: 'reloading' | 'stopping' | undefined;
  /** The signal that ends it, where it is not its kill signal. */
  readonly endSignal: SignalName | undefined;
  /** Its current run was ready and running. */
  readonly settled: boolean;
  /** True once it was ready since the last `service.start`: from then on a failure may be answered by a restart. */
  readonly hasBeenReady: boolean;
  readonly restartsUsed: number;
  /** Monotonic ms of the first failure that was answered by a restart, of those that count. */
  readonly firstLoss: number | undefined;
  /** Why the service has failed, or will have once nothing of its run is left. */
  readonly verdict: FailureCause | undefined;
  /** How the leader of its last run ended. */
  readonly lastEnd: RunEnd | undefined;
  /** The system is ending: no more restarts. */
  readonly retired: boolean;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** What a service knows before its first start. */
export const noMemory: ServiceMemory = {
  serial: 0,
  pid: 0,
  hasUnit: false,
  followed: false,
  spawnedAt: 0,
  deadline: undefined,
  watchdog: undefined,
  status: undefined,
  announced: undefined,
  endSignal: undefined,
  settled: false,
  hasBeenReady: false,
  restartsUsed: 0,
  firstLoss: undefined,
  verdict: undefined,
  lastEnd: undefined,
  retired: false,
  at: 0,
};
