/** The actors of a system as entries: those that live, and what happens to them. */
import type { InspectionEvent } from 'xstate';
import type { EventView } from '../../facts/fact.ts';
import { isServiceMachine, type ServiceEntry, type SnapshotView } from '../../inspect/entry.ts';
import type { News } from '../../inspect/hub.ts';
import { definitionView, statusOf, takenView } from './entry-views.ts';

export type Tell = (news: News) => void;

/** What is shown of the machines that are observed. */
export interface Views {
  /** The name of the machine that a snapshot belongs to; undefined where it is none that is shown. */
  readonly machineOf: (snapshot: unknown) => string | undefined;
  /** The service that a machine's snapshot belongs to. */
  readonly serviceOf: (snapshot: unknown) => string | undefined;
  readonly snapshotView: (snapshot: unknown, known: Pick<Known, 'service' | 'waitedFor'>) => SnapshotView;
  readonly eventView: (event: { readonly type: string }) => EventView;
  /** Another value after each change of what `services` returns; undefined for snapshots that do not hold it. */
  readonly configurationOf: (snapshot: unknown) => unknown;
  readonly services: (snapshot: unknown) => readonly ServiceEntry[];
}

/** The fields of an XState actor that its inspection shows. */
interface ObservedActor {
  readonly sessionId: string;
  readonly id: string;
  readonly _parent?: { readonly sessionId: string } | undefined;
  readonly getSnapshot: () => unknown;
}

/** What is remembered of a live actor. */
export interface Known {
  readonly service: string | undefined;
  status: SnapshotView['status'];
  /** The prerequisite that the actor's service waited for last. */
  waitedFor: string | undefined;
}

/** Turns what XState reports of actors into entries. */
export class Observation {
  readonly #tell: Tell;
  readonly #views: Views;
  readonly #known = new Map<string, Known>();
  readonly #defined = new Set<string>();
  #configuration: unknown;
  #lastEvent: unknown;
  #lastView: EventView = { type: '' };
  /** Actors that XState announced before they had a state. */
  #born: ObservedActor[] = [];

  constructor(tell: Tell, views: Views) {
    this.#tell = tell;
    this.#views = views;
  }

  /** Sends the entries of an existing actor and its children. */
  begin(actor: unknown): void {
    if (!isActor(actor)) return;
    const snapshot = snapshotOf(actor);
    this.#introduce(actor, snapshot);
    this.#configuration ??= this.#views.configurationOf(snapshot);
    if (typeof snapshot !== 'object' || snapshot === null || !('children' in snapshot)) return;
    const { children } = snapshot;
    if (typeof children !== 'object' || children === null) return;
    for (const child of Object.values(children)) this.begin(child);
  }

  take(event: InspectionEvent): void {
    const { actorRef } = event;
    if (event.type === '@xstate.actor') {
      if (isActor(actorRef)) this.#born.push(actorRef);
      return;
    }
    // XState sends its snapshots after the effects of the step: a cause would stand below what it caused.
    if (event.type === '@xstate.event') this.#takeEvent(event);
    else if (event.type === '@xstate.microstep') this.#takeStep(actorRef.sessionId, event);
    else if (event.type === '@xstate.snapshot') this.#takeEnd(actorRef.sessionId, event);
  }

  #takeEvent({ actorRef, sourceRef, event }: Extract<InspectionEvent, { type: '@xstate.event' }>): void {
    this.#introduceBorn();
    const { sessionId } = actorRef;
    const known = this.#known.get(sessionId);
    const view = this.#eventView(event);
    if (known !== undefined && (view.type === 'service.start' || view.type === 'instance.start')) {
      known.waitedFor = typeof view['waitedFor'] === 'string' ? view['waitedFor'] : undefined;
    }
    this.#tell(
      sourceRef === undefined
        ? { type: '@xstate.event', sessionId, event: view }
        : { type: '@xstate.event', sessionId, sourceId: sourceRef.sessionId, event: view },
    );
  }

  #takeStep(
    sessionId: string,
    { event, snapshot, _transitions }: Extract<InspectionEvent, { type: '@xstate.microstep' }>,
  ): void {
    this.#tellReload(snapshot);
    this.#introduceBorn();
    const known = this.#known.get(sessionId);
    if (known === undefined) return;
    const taken = takenView(_transitions);
    this.#tell({
      type: '@xstate.snapshot',
      sessionId,
      event: this.#eventView(event),
      ...(taken.length === 0 ? {} : { taken }),
      snapshot: this.#view(snapshot, known),
    });
    this.#note(sessionId, known, statusOf(snapshot));
  }

  /** Sends the entry of a reload; it has to precede the actors of new services. */
  #tellReload(snapshot: unknown): void {
    const configuration = this.#views.configurationOf(snapshot);
    if (configuration === undefined || configuration === this.#configuration) return;
    this.#configuration = configuration;
    this.#tell({ type: '@chaperone.reload', services: this.#views.services(snapshot) });
  }

  /** Takes the state of actors that are no machines and send no microsteps, and the errors of all actors. */
  #takeEnd(sessionId: string, { event, snapshot }: Extract<InspectionEvent, { type: '@xstate.snapshot' }>): void {
    const known = this.#known.get(sessionId);
    const status = statusOf(snapshot);
    if (known === undefined || status === known.status) return;
    this.#introduceBorn();
    this.#tell({
      type: '@xstate.snapshot',
      sessionId,
      event: this.#eventView(event),
      snapshot: this.#view(snapshot, known),
    });
    this.#note(sessionId, known, status);
  }

  #note(sessionId: string, known: Known, status: SnapshotView['status']): void {
    known.status = status;
    if (status !== 'active') this.#known.delete(sessionId);
  }

  #introduceBorn(): void {
    while (this.#born[0] !== undefined) {
      const snapshot = snapshotOf(this.#born[0]);
      // A new actor takes its first steps while it is made, and its children come after it.
      if (snapshot === undefined) return;
      const actor = this.#born.shift();
      if (actor !== undefined) this.#introduce(actor, snapshot);
    }
  }

  #introduce(actor: ObservedActor, snapshot: unknown): void {
    const { sessionId, id, _parent: parent } = actor;
    const machine = this.#views.machineOf(snapshot);
    const parentId = parent?.sessionId;
    const service =
      this.#views.serviceOf(snapshot) ?? (parentId === undefined ? undefined : this.#known.get(parentId)?.service);
    if (machine !== undefined && !this.#defined.has(machine)) {
      this.#defined.add(machine);
      this.#tell({ type: '@chaperone.definition', machine, definition: definitionView(logicOf(snapshot)) });
    }
    const known: Known = { service, status: 'active', waitedFor: undefined };
    this.#known.set(sessionId, known);
    this.#tell({
      type: '@xstate.actor',
      sessionId,
      ...(parentId === undefined ? {} : { parentId }),
      name: isServiceMachine(machine) ? (service ?? id) : id,
      ...(machine === undefined ? {} : { machine }),
      ...(service === undefined ? {} : { service }),
      snapshot: this.#view(snapshot, known),
    });
  }

  /** An event arrives and causes a step in the same moment, so that one view serves both entries. */
  #eventView(event: { readonly type: string }): EventView {
    if (event !== this.#lastEvent) {
      this.#lastEvent = event;
      this.#lastView = this.#views.eventView(event);
    }
    return this.#lastView;
  }

  #view(snapshot: unknown, known: Known): SnapshotView {
    return this.#views.snapshotView(snapshot, known);
  }
}

/** The actor's snapshot; undefined while the actor is still being made, when some builds of XState throw. */
function snapshotOf(actor: ObservedActor): unknown {
  try {
    return actor.getSnapshot();
  } catch {
    return undefined;
  }
}

function logicOf(snapshot: unknown): unknown {
  return typeof snapshot === 'object' && snapshot !== null && 'machine' in snapshot ? snapshot.machine : undefined;
}

function isActor(value: unknown): value is ObservedActor {
  return typeof value === 'object' && value !== null && 'sessionId' in value && 'id' in value && 'getSnapshot' in value;
}
