/** The commands, reports and memory of a service. Cron and inetd services share the commands and reports. */

import type { ActorRef, Snapshot } from 'xstate';
import type { Asker, StopReason } from '../model/ledger/slot.ts';
import type { PrerequisiteCause } from '../model/order/prerequisite.ts';
import type { ScheduleNews } from '../model/schedule/scheduled-runs.ts';
import type { HookPlace } from '../model/service/hook.ts';
import type { OnUnhealthy } from '../model/service/probe.ts';
import type { ReloadNews, ReloadOutcome } from '../model/service/reload-method.ts';
import { noTries, type TryMemory } from '../model/service/restart-policy.ts';
import type { FailureCause, RunEnd, ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { RunOutcome } from '../model/service/system-end.ts';
import type { MissedEnd, NotifyFact, UnitFact } from '../model/service/unit-events.ts';
import type { ConditionFact } from './conditions.ts';
import type { HealthFact } from './health.ts';
import type { HooksFact } from './hooks.ts';
import type { ReadinessFact } from './readiness.ts';
import type { ReloadFact } from './reload.ts';

export type ServiceCommand =
  | {
      readonly type: 'service.start';
      /** The last prerequisite that this service had to wait for, if it had to wait. */
      readonly waitedFor?: string;
      /** Who has asked for it, where it is not the boot: for whoever is told of it. */
      readonly askedBy?: Asker;
      readonly at: number;
    }
  | {
      readonly type: 'service.stop';
      /** For whoever is told of it. */
      readonly why?: StopReason;
      /** For cron and inetd services: runs in progress may finish. */
      readonly drain: boolean;
      /** Processes that finished runs leave behind live on. */
      readonly leaves?: true;
      /** ms until the system sends SIGKILL. */
      readonly killAfter?: number;
      /** What has happened to a service that this one requires. */
      readonly because?: PrerequisiteCause;
      /** True: the service has failed, for that cause, once it has ended. */
      readonly fails?: true;
      readonly at: number;
    }
  /** SIGKILL now, in whatever state. `grace`: ms after which the service reports processes that have survived it. */
  | {
      readonly type: 'service.kill';
      readonly grace: number;
      /** The system ends at once: no hook of after_stop follows. */
      readonly last?: true;
      readonly at: number;
    }
  /** The system is ending: runs may go on until the stop comes, but nothing is started or restarted. */
  | { readonly type: 'service.retire'; readonly at: number }
  /** Forgets restarts and a failure; cron and inetd services end their runs and stay scheduled. */
  | {
      readonly type: 'service.reset';
      /** ms from the kill signal to SIGKILL. */
      readonly killAfter: number;
      readonly at: number;
    }
  /** The service is to read its own configuration anew. `request`: who has asked for it gets an answer with that number. */
  | {
      readonly type: 'service.reload';
      readonly request?: number;
      readonly because?: PrerequisiteCause;
      readonly at: number;
    }
  /** Somebody sends a signal to the service by hand. */
  | { readonly type: 'service.signal'; readonly signal: SignalName; readonly at: number }
  /** The service gets another definition; its name stays the same. */
  | { readonly type: 'service.reconfigure'; readonly spec: ServiceSpec; readonly at: number };

/** Events that the service raises itself. */
export type OwnEvent =
  /** A chart that was made anew has reached the state of its predecessor. */
  | { readonly type: 'service.resumed' }
  /** The service did not send WATCHDOG=1 in time. */
  | { readonly type: 'watchdog.missed'; readonly at: number }
  /** The run has lasted for max_runtime. */
  | { readonly type: 'runtime.exceeded' }
  /** The service has been ready for so long that its restarts are forgotten. */
  | { readonly type: 'restarts.forgotten' }
  /** The service's leader ended while chaperone was stopped. */
  | ({ readonly type: 'leader.missed'; readonly pid: number; readonly at: number } & MissedEnd);

export type ServiceEvent =
  | ServiceCommand
  | UnitFact
  | HooksFact
  | ConditionFact
  | ReadinessFact
  | HealthFact
  | ReloadFact
  | NotifyFact
  | OwnEvent;

/** Reports a service's phase to the system machine. `at`: monotonic ms of the last fact that the service saw. */
export interface ServiceChanged {
  readonly type: 'service.changed';
  readonly name: string;
  readonly change: ServiceChange;
  readonly at: number;
}

/** An `exit_kills` service has ended, or could not start: the system is to end, too. */
export interface ServiceExitKills {
  readonly type: 'service.exitKills';
  readonly name: string;
  readonly outcome: RunOutcome;
  readonly at: number;
}

/**
 * News that a service reports to the system machine: events at which its phase stays the same, such as a skipped or a
 * failed run, or a reload.
 */
export interface ServiceNoticed {
  readonly type: 'service.noticed';
  readonly name: string;
  readonly news: ScheduleNews | ReloadNews;
  readonly at: number;
}

export type ServiceReport =
  | ServiceChanged
  | ServiceExitKills
  | ServiceNoticed
  /** The process of a start has been spawned, and another service waits for that. */
  | { readonly type: 'service.spawned'; readonly name: string; readonly at: number }
  /** The probes of `healthy` pass. `again`: they had failed before, in the same run. */
  | { readonly type: 'service.healthy'; readonly name: string; readonly again: boolean; readonly at: number }
  /** The probes of `healthy` have failed, and this is the answer: with `restart` the service ends itself. */
  | {
      readonly type: 'service.unhealthy';
      readonly name: string;
      readonly cause: FailureCause & { readonly kind: 'unhealthy' };
      readonly answer: OnUnhealthy;
      readonly at: number;
    }
  /** The service asks for more time to end, until this monotonic ms. */
  | { readonly type: 'service.extended'; readonly name: string; readonly until: number; readonly at: number }
  /** The next part of the stop begins: the hooks of after_stop, or the end of what the run has left. It may take as long as the one before. */
  | { readonly type: 'service.stopContinues'; readonly name: string; readonly at: number }
  /** A process of the service lives on after SIGKILL. */
  | { readonly type: 'service.survived'; readonly name: string; readonly at: number };

export type SystemRef = ActorRef<Snapshot<unknown>, ServiceReport>;

export interface ServiceInput {
  readonly spec: ServiceSpec;
  /** Where the chance of restart_jitter begins in this boot; absent: 0. */
  readonly seed?: number;
  readonly system: SystemRef;
  /** Set for a chart that is made anew: where it goes on. */
  readonly resumes?: Resumption;
}

/** The stage and the memory of a chart, as plain values, from which another chart goes on. */
export interface Resumption {
  readonly stage: ServiceStage;
  readonly memory: ServiceMemory;
  /** ms that the chart's timers had left, by their purpose. */
  readonly left: Readonly<Partial<Record<TimerName, number>>>;
}

type TimerName =
  | 'startupPause'
  | 'processTimeout'
  | 'restartDelay'
  | 'clearGrace'
  | 'afterStop'
  | 'watchdog'
  | 'stable'
  | 'maxRuntime';

/** All that a service remembers, as plain values; references to actors are kept elsewhere. */
export interface ServiceMemory extends TryMemory {
  /** How often the service has started so far; also the number of the last start. */
  readonly serial: number;
  /** The pid of the service's leader; 0 before the spawn and after the leader's end. */
  readonly pid: number;
  /** True while processes of the service's last run may be left. */
  readonly hasUnit: boolean;
  /** The hook that runs; `since`: monotonic ms at which its stage, or the hook itself, began, `pid`: 0 before its spawn. */
  readonly hook: (HookPlace & { readonly pid: number; readonly since: number }) | undefined;
  /** True while after_stop has still to follow the present run. */
  readonly owes: boolean;
  /** What follows the hooks that run: the service goes on (`running`), or has ended as it should. */
  readonly aim: 'running' | 'done' | 'exited' | undefined;
  /** True once the system has sent SIGKILL to the present run. */
  readonly overdue: boolean;
  /** True where a pidfile or MAINPID named the leader: the kill signal is then a normal end of the daemon. */
  readonly followed: boolean;
  /** Monotonic ms at which the service's leader was spawned. */
  readonly spawnedAt: number;
  /** Monotonic ms at which the stop, or the start since its spawn, has taken too long. */
  readonly deadline: number | undefined;
  /** The watchdog's interval in ms; undefined where the service need not send WATCHDOG=1. */
  readonly watchdog: number | undefined;
  /** The text of STATUS=, for listings. */
  readonly status: string | undefined;
  /** Set from RELOADING=1 or STOPPING=1 until the next READY=1. */
  readonly announced: 'reloading' | 'stopping' | undefined;
  /** Why the last start was skipped: its conditions were not met. */
  readonly skipped: string | undefined;
  /** What came of the last reload of the current run. */
  readonly lastReload: ReloadOutcome | undefined;
  /** The signal of the stop, where it is not the service's kill signal. */
  readonly endSignal: SignalName | undefined;
  /** True once the current run was ready and running. */
  readonly settled: boolean;
  /** What the probes of `healthy` say of the current run; undefined until they say something, and where there are none. */
  readonly health: 'healthy' | 'unhealthy' | undefined;
  /** True once it was ready since the last `service.start`: from then on a failure may be answered by a restart. */
  readonly hasBeenReady: boolean;
  /** Why the service has failed, or will have failed once nothing of its run is left. */
  readonly verdict: FailureCause | undefined;
  /** How the leader of the service's last run ended. */
  readonly lastEnd: RunEnd | undefined;
  /** The system is ending: no more restarts. */
  readonly retired: boolean;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** The memory of a service before its first start. */
export const noMemory: ServiceMemory = {
  serial: 0,
  pid: 0,
  hasUnit: false,
  hook: undefined,
  owes: false,
  aim: undefined,
  overdue: false,
  followed: false,
  spawnedAt: 0,
  deadline: undefined,
  watchdog: undefined,
  status: undefined,
  announced: undefined,
  skipped: undefined,
  lastReload: undefined,
  endSignal: undefined,
  settled: false,
  health: undefined,
  hasBeenReady: false,
  ...noTries,
  verdict: undefined,
  lastEnd: undefined,
  retired: false,
  at: 0,
};
