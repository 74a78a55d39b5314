/** Turns the stages that the charts of an assembly report into facts of its feed. */
import type { SnapshotFrom } from 'xstate';
import { type EventView, systemActor, textOf } from '../../facts/fact.ts';
import type { Feed } from '../../facts/feed.ts';
import type { probeMachine } from '../../machines/probe.ts';
import type { scheduledMachine } from '../../machines/scheduled.ts';
import type { serviceMachine } from '../../machines/service.ts';
import type { systemMachine } from '../../machines/system.ts';
import { describeProbe } from '../../model/service/probe.ts';
import { eventView, scheduledContext, serviceContext, systemContext } from '../inspection/entry-views.ts';

type System = SnapshotFrom<typeof systemMachine>['context'];
type Service = SnapshotFrom<typeof serviceMachine>['context'];
type Scheduled = SnapshotFrom<typeof scheduledMachine>['context'];
type Probe = SnapshotFrom<typeof probeMachine>['context'];
type AnyEvent = { readonly type: string };

export interface ChartPorts {
  readonly feed: Feed;
  /** The next run of a cron service, Unix ms. */
  readonly nextRun: (service: string) => number | undefined;
}

/** Implements the action `enter` of the machines: each state that a chart enters becomes a fact. */
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
    // A chart that is made anew enters the state of its predecessor again: that is no new fact.
    if (context.resumes !== undefined) return;
    const { name } = context.spec;
    const view = eventView(event);
    // The system's `service.stop` has also set the time of SIGKILL.
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

  /** A probe has been tried: what is new of it is told, and not each of its successes. */
  probe({ service, purpose, probe, before, state }: Probe): void {
    const { last, failures } = state;
    if (last === undefined) return;
    const isNew =
      before.last?.passed !== last.passed ||
      (purpose === 'healthy'
        ? state.failures <= probe.retries && !last.passed
        : before.last.reason !== last.reason && !isTiming(before.last.reason, last.reason));
    if (!isNew) return;
    this.#ports.feed.tell({
      type: 'probed',
      service: service.name,
      purpose,
      probe: describeProbe(probe.check),
      passed: last.passed,
      reason: last.reason,
      failures,
      retries: purpose === 'healthy' ? probe.retries : 0,
    });
  }

  #waitedFor(name: string, event: EventView): string | undefined {
    return event.type === 'service.start' ? textOf(event, 'waitedFor') : this.#ports.feed.milestones(name)?.waitedFor;
  }
}

/** True where two reasons differ only in how long the answers took. */
function isTiming(one: string, other: string): boolean {
  const [first, second] = [one, other].map((text) => text.replace(/ in \d+ ms/, ''));
  return first === second;
}
