import type { ScheduleNews } from '../schedule/scheduled-runs.ts';
import type { ServiceChange } from './service-phase.ts';
import type { SignalName } from './signal.ts';
import type { SystemEnd } from './system-end.ts';

/** What the system machine emits: everything that is worth a line in the log. */
export type SystemNotice =
  | { readonly type: 'service.skipped'; readonly service: string }
  | { readonly type: 'service.queued'; readonly service: string }
  | { readonly type: 'service.released'; readonly service: string }
  /** The service cannot start unless `roots` are started: services that it waits for, and that wait for nothing themselves. */
  | { readonly type: 'service.blocked'; readonly service: string; readonly roots: readonly string[] }
  | {
      readonly type: 'service.changed';
      readonly service: string;
      readonly change: ServiceChange;
      readonly ignoreFailures: boolean;
    }
  | { readonly type: 'service.noticed'; readonly service: string; readonly news: ScheduleNews }
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
  | { readonly type: 'system.halted' };
