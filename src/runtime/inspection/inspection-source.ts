import { randomBytes } from 'node:crypto';
import type { InspectionEvent } from 'xstate';
import { type EventView, type Fact, isShown } from '../../facts/fact.ts';
import type { Past } from '../../facts/feed.ts';
import { entryVersion, isServiceMachine, type SnapshotView } from '../../inspect/entry.ts';
import type { HubSource, News } from '../../inspect/hub.ts';
import type { LogRecord } from '../../model/log/log-record.ts';
import type { Assembly } from '../assembly.ts';
import type { Clock, Kernel } from '../kernel.ts';
import {
  configurationOf,
  definitionView,
  eventView,
  killTimeOf,
  machineOf,
  serviceEntries,
  serviceOf,
  snapshotView,
  statusOf,
} from './entry-views.ts';

export interface InspectionPorts {
  readonly assembly: Pick<Assembly, 'system' | 'feed' | 'records$' | 'outcome$' | 'nextRun'>;
  readonly kernel: Pick<Kernel, 'hostname' | 'pid'>;
  readonly clock: Clock;
  readonly version: string;
  /** True where entries show the command lines and environments of services, which may be secret. */
  readonly reveal?: boolean;
  readonly onError: (error: unknown) => void;
}

type Tell = (news: News) => void;

/** The fields of an XState actor that its inspection shows. */
interface ObservedActor {
  readonly sessionId: string;
  readonly id: string;
  readonly _parent?: { readonly sessionId: string } | undefined;
  readonly getSnapshot: () => unknown;
}

/** What is remembered of a live actor. */
interface Known {
  readonly service: string | undefined;
  status: SnapshotView['status'];
  /** The prerequisite that the actor's service waited for last. */
  waitedFor: string | undefined;
}

/** Turns the events of an assembly into entries. It listens to the machines only from `open` until it is closed. */
export function inspectionSource(ports: InspectionPorts): HubSource {
  const { assembly, onError, reveal = false } = ports;
  const boot = randomBytes(16).toString('hex');
  return {
    now: () => assembly.feed.now(),
    open: (tell) => {
      tell(bootNews(ports, boot));
      tellPast(assembly.feed.past(), tell);
      const observation = new Observation(tell, assembly, reveal);
      observation.begin(assembly.system);
      const observer = assembly.system.system.inspect((event) => {
        try {
          observation.take(event);
        } catch (error) {
          observer.unsubscribe();
          onError(error);
        }
      });
      const facts = assembly.feed.facts$.subscribe((fact) => {
        if (isShown(fact)) tell({ type: '@chaperone.fact', at: fact.at, fact });
      });
      return () => {
        observer.unsubscribe();
        facts.unsubscribe();
      };
    },
    openRecords: (tell) => {
      const records = assembly.records$.subscribe((record) => {
        if (record.revealing !== true) tell(recordNews(record));
      });
      return () => records.unsubscribe();
    },
    onError,
  };
}

function bootNews({ assembly, kernel, clock, version, reveal = false }: InspectionPorts, boot: string): News {
  return {
    type: '@chaperone.boot',
    version: entryVersion,
    chaperone: version,
    boot,
    epoch: clock.wallTime() - assembly.feed.now(),
    hostname: kernel.hostname,
    pid: kernel.pid,
    services: serviceEntries(assembly.system.getSnapshot(), reveal),
  };
}

/** Sends the kept facts of the past, with a mark where the facts become complete. */
function tellPast({ kept, lost, since, facts }: Past, tell: Tell): void {
  const tellAll = (past: readonly Fact[]): void => {
    for (const fact of past) if (isShown(fact)) tell({ type: '@chaperone.fact', at: fact.at, fact });
  };
  tellAll(kept);
  if (lost > 0) tell({ type: '@chaperone.lost', at: since, count: lost });
  tellAll(facts);
}

function recordNews({ severity, facility, program, pid, service, message }: LogRecord): News {
  return {
    type: '@chaperone.log',
    severity,
    facility,
    program,
    ...(pid === undefined ? {} : { pid }),
    ...(service === undefined ? {} : { service }),
    message,
  };
}

class Observation {
  readonly #tell: Tell;
  readonly #assembly: Pick<Assembly, 'nextRun' | 'system'>;
  readonly #known = new Map<string, Known>();
  readonly #defined = new Set<string>();
  readonly #reveal: boolean;
  #configuration: unknown;
  #lastEvent: unknown;
  #lastView: EventView = { type: '' };
  /** Actors that XState announced before they had a state. */
  #born: ObservedActor[] = [];

  constructor(tell: Tell, assembly: Pick<Assembly, 'nextRun' | 'system'>, reveal: boolean) {
    this.#tell = tell;
    this.#reveal = reveal;
    this.#assembly = assembly;
  }

  /** Sends the entries of an existing actor and its children. */
  begin(actor: unknown): void {
    if (!isActor(actor)) return;
    const snapshot = snapshotOf(actor);
    this.#introduce(actor, snapshot);
    this.#configuration ??= configurationOf(snapshot);
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
    if (known !== undefined && view.type === 'service.start') {
      known.waitedFor = typeof view['waitedFor'] === 'string' ? view['waitedFor'] : undefined;
    }
    this.#tell(
      sourceRef === undefined
        ? { type: '@xstate.event', sessionId, event: view }
        : { type: '@xstate.event', sessionId, sourceId: sourceRef.sessionId, event: view },
    );
  }

  #takeStep(sessionId: string, { event, snapshot }: Extract<InspectionEvent, { type: '@xstate.microstep' }>): void {
    this.#tellReload(snapshot);
    this.#introduceBorn();
    const known = this.#known.get(sessionId);
    if (known === undefined) return;
    this.#tell({
      type: '@xstate.snapshot',
      sessionId,
      event: this.#eventView(event),
      snapshot: this.#view(snapshot, known),
    });
    this.#note(sessionId, known, statusOf(snapshot));
  }

  /** Sends the entry of a reload; it has to precede the actors of new services. */
  #tellReload(snapshot: unknown): void {
    const configuration = configurationOf(snapshot);
    if (configuration === undefined || configuration === this.#configuration) return;
    this.#configuration = configuration;
    this.#tell({ type: '@chaperone.reload', services: serviceEntries(snapshot, this.#reveal) });
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
    const machine = machineOf(snapshot);
    const parentId = parent?.sessionId;
    const service = serviceOf(snapshot) ?? (parentId === undefined ? undefined : this.#known.get(parentId)?.service);
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
      this.#lastView = eventView(event);
    }
    return this.#lastView;
  }

  #view(snapshot: unknown, { service, waitedFor }: Known): SnapshotView {
    if (service === undefined) return snapshotView(snapshot, { waitedFor });
    const nextRun = this.#assembly.nextRun(service);
    const killAt = killTimeOf(this.#assembly.system.getSnapshot(), service);
    return snapshotView(snapshot, { waitedFor, nextRun, killAt });
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
