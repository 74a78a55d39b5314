/** What the charts of an assembly say of where they stand, as facts of its feed. */
import type { SnapshotFrom } from 'xstate';
import type { scheduledMachine } from '../../machines/scheduled.ts';
import type { serviceMachine } from '../../machines/service.ts';
import type { systemMachine } from '../../machines/system.ts';
import { type EventView, systemActor, textOf } from '../../record/fact.ts';
import type { Feed } from '../../record/feed.ts';
import { eventView, scheduledContext, serviceContext, systemContext } from '../inspection/entry-views.ts';

type System = SnapshotFrom<typeof systemMachine>['context'];
type Service = SnapshotFrom<typeof serviceMachine>['context'];
type Scheduled = SnapshotFrom<typeof scheduledMachine>['context'];
type AnyEvent = { readonly type: string };

export interface ChartPorts {
  readonly feed: Feed;
  /** When a cron service runs next, Unix ms. */
  readonly nextRun: (service: string) => number | undefined;
}

/** The port `enter` of the machines: each state that a chart comes to is a fact. */
export class ChartFacts {
  readonly #ports: ChartPorts;

  constructor(ports: ChartPorts) {
    this.#ports = ports;
  }

  system(context: System, event: AnyEvent, to: string): void {
    const view = eventView(event);
    this.#ports.feed.tell({ type: 'moved', actor: systemActor, to, event: view, context: systemContext(context, to) });
  }

  service(context: Service, event: AnyEvent, to: string): void {
    // A chart that is made anew goes on where the one before it stood.
    if (context.resumes !== undefined) return;
    const { name } = context.spec;
    const view = eventView(event);
    // Where the system has told it to stop, it has also told it when SIGKILL comes.
    const shown = serviceContext(context, to, { waitedFor: this.#waitedFor(name, view), killAt: context.deadline });
    this.#ports.feed.tell({ type: 'moved', actor: name, to, event: view, context: shown });
  }

  scheduled(context: Scheduled, event: AnyEvent, to: string): void {
    const { name } = context.spec;
    const view = eventView(event);
    const nextRun = this.#ports.nextRun(name);
    const shown = scheduledContext(context, to, { waitedFor: this.#waitedFor(name, view), nextRun });
    this.#ports.feed.tell({ type: 'moved', actor: name, to, event: view, context: shown });
  }

  #waitedFor(name: string, event: EventView): string | undefined {
    return event.type === 'service.start' ? textOf(event, 'waitedFor') : this.#ports.feed.milestones(name)?.waitedFor;
  }
}
