import type { PrerequisiteCause } from '../order/prerequisite.ts';
import type { ScheduleNews } from '../schedule/scheduled-runs.ts';
import type { OnUnhealthy } from './probe.ts';
import type { ReloadNews } from './reload-method.ts';
import type { FailureCause, ServiceChange } from './service-phase.ts';
import type { SignalName } from './signal.ts';
import type { StopRecord } from './stop-record.ts';
import type { SystemEnd } from './system-end.ts';

/** What the system machine emits: everything that is worth a line in the log. */
export type SystemNotice =
  | { readonly type: 'service.skipped'; readonly service: string }
  | { readonly type: 'service.queued'; readonly service: string }
  | { readonly type: 'service.released'; readonly service: string }
  /** A stop by hand, a reset or the end of a restart pause sets the service back: nothing of its last run counts any more. */
  | { readonly type: 'service.reset'; readonly service: string }
  /** The service cannot start unless `roots` are started: services that it waits for, and that wait for nothing themselves. */
  | { readonly type: 'service.blocked'; readonly service: string; readonly roots: readonly string[] }
  | {
      readonly type: 'service.changed';
      readonly service: string;
      readonly change: ServiceChange;
      readonly ignoreFailures: boolean;
    }
  /** Something has happened to a prerequisite of the service, and this follows by its directives. */
  | {
      readonly type: 'service.tied';
      readonly service: string;
      readonly cause: PrerequisiteCause;
      readonly consequence: 'stop' | 'fail' | 'restart' | 'reload';
    }
  /** The probes of `healthy` pass; `again`: they had failed before. */
  | { readonly type: 'service.healthy'; readonly service: string; readonly again: boolean }
  /** The probes of `healthy` have failed; `answer` follows. */
  | {
      readonly type: 'service.unhealthy';
      readonly service: string;
      readonly cause: FailureCause & { readonly kind: 'unhealthy' };
      readonly answer: OnUnhealthy;
    }
  | { readonly type: 'service.noticed'; readonly service: string; readonly news: ScheduleNews | ReloadNews }
  /** A reload removed the service from the configuration, and no process of it runs any more. */
  | { readonly type: 'service.removed'; readonly service: string }
  /** A process of the service survives SIGKILL. `waits`: false during a shutdown, which goes on without it. */
  | { readonly type: 'service.survives'; readonly service: string; readonly waits: boolean }
  | { readonly type: 'system.ready' }
  /** Nothing runs, but these services are scheduled. */
  | { readonly type: 'system.waiting'; readonly services: readonly string[] }
  | { readonly type: 'system.draining'; readonly end: SystemEnd }
  | { readonly type: 'system.forced' }
  /** `begun` is the monotonic time in ms at which the system began to end. */
  | { readonly type: 'system.clearing'; readonly signal: SignalName; readonly begun: number }
  /** The shutdown is over. `took`: ms since it began, of a `budget` in ms. */
  | {
      readonly type: 'system.stopped';
      readonly took: number;
      readonly budget: number;
      readonly stops: readonly StopRecord[];
    }
  | { readonly type: 'system.halted' };
