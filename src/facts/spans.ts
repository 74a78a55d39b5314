/**
 * The spans of a system, for distributed tracing, as a fold over its facts: the boot with the starts of services in it, restarts, stops, the
 * shutdown, and the runs of cron services. A span is told once it is over. Live systems and recordings use this one fold.
 */
import { describeExit } from '../model/service/exit-status.ts';
import { shortName } from '../model/service/service-spec.ts';
import type { JsonObject } from '../model/words/json.ts';
import { type Fact, hasEndedWell, hasStarted, systemActor, textOf } from './fact.ts';
import type { MoveFact } from './milestones.ts';

/** Times in ms since chaperone began. */
export interface Span {
  /** Counts from 1, in the order in which spans begin. */
  readonly id: number;
  /** The span that begins this one's trace; that is `id` itself for a span without a parent. */
  readonly trace: number;
  readonly parent?: number;
  /** `boot`, `start web`, `restart web`, `end web`, `stop web`, `run report`, `shutdown`. */
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly events: readonly SpanEvent[];
  /** The spans that this one waited for, or that led to it, with the number of their traces. */
  readonly links: readonly SpanPlace[];
  /** `unfinished`: chaperone ended, or the recording did, before it was over. */
  readonly outcome: 'done' | 'failed' | 'unfinished';
  /** Why it failed. */
  readonly message?: string;
}

export interface SpanPlace {
  readonly id: number;
  readonly trace: number;
}

interface SpanEvent {
  readonly at: number;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
}

/** What is open. `kind` of a service's span is decided anew as it goes on: what begins as an end may become a restart. */
interface Open extends SpanPlace {
  readonly parent: number | undefined;
  readonly from: number;
  readonly attributes: Record<string, string | number>;
  readonly events: SpanEvent[];
  readonly links: Map<number, SpanPlace>;
}

interface Passage extends Open {
  kind: 'start' | 'end' | 'restart';
}

/** The most events of one span: a service may try again and again for days. */
const mostEvents = 64;
/** The most links of one span, likewise. */
const mostLinks = 64;
/** How many moves are remembered, so that the moves that they cause can name them. */
const mostMoves = 2_048;

export class Spans {
  readonly #take: (span: Span) => void;
  /** Of services and of what else has charts, by full names. */
  readonly #types = new Map<string, string>();
  /** The open spans of services, by full names. */
  readonly #passages = new Map<string, Passage>();
  /** The last span of each service. */
  readonly #last = new Map<string, SpanPlace>();
  /** The open runs of cron services, by pid. */
  readonly #runs = new Map<number, Open & { readonly service: string }>();
  /** The actors of moves, by the numbers of their facts. */
  readonly #moves = new Map<number, string>();
  #root: (Open & { readonly name: 'boot' | 'shutdown' }) | undefined;
  #id = 0;

  constructor(take: (span: Span) => void) {
    this.#take = take;
  }

  configure(services: readonly { readonly name: string; readonly type: string }[]): void {
    for (const { name, type } of services) this.#types.set(name, type);
  }

  take(fact: Fact): void {
    switch (fact.type) {
      case 'moved':
        this.#remember(fact);
        if (fact.actor === systemActor) this.#moveSystem(fact);
        else this.#moveService(fact);
        break;
      case 'run.began':
        if (fact.hook === undefined && this.#types.get(fact.service) === 'cron') {
          const { service, pid, at } = fact;
          const run = this.#open(at, { 'chaperone.service': shortName(service), 'process.pid': pid });
          this.#runs.set(pid, { ...run, service });
        }
        break;
      case 'run.ended': {
        const run = this.#runs.get(fact.pid);
        if (run === undefined || fact.hook !== undefined) break;
        this.#runs.delete(fact.pid);
        const ended = describeExit(fact.status);
        const failed = !hasEndedWell(fact);
        run.attributes['chaperone.exit'] = ended;
        const name = `run ${shortName(run.service)}`;
        this.#end(run, name, fact.at, failed ? 'failed' : 'done', failed ? ended : undefined);
        break;
      }
      case 'service.removed':
        this.#types.delete(fact.service);
        this.#last.delete(fact.service);
        break;
      default:
        break;
    }
  }

  /** Nothing follows: what is open is told as unfinished. */
  close(at: number): void {
    for (const [service, passage] of this.#passages) this.#end(passage, nameOf(passage, service), at, 'unfinished');
    this.#passages.clear();
    for (const run of this.#runs.values()) this.#end(run, `run ${shortName(run.service)}`, at, 'unfinished');
    this.#runs.clear();
    if (this.#root !== undefined) this.#end(this.#root, this.#root.name, at, 'unfinished');
    this.#root = undefined;
  }

  #remember({ seq, actor }: MoveFact): void {
    this.#moves.set(seq, actor);
    if (this.#moves.size <= mostMoves) return;
    const [oldest] = this.#moves.keys();
    if (oldest !== undefined) this.#moves.delete(oldest);
  }

  #moveSystem({ at, from, to, context }: MoveFact): void {
    const phase = to.split('.')[0];
    if (phase === from.split('.')[0]) return;
    if (phase === 'booting') {
      // The configuration was read before the first fact.
      this.#root = { ...this.#open(0, {}), name: 'boot' };
      return;
    }
    if (this.#root !== undefined) {
      const { name } = this.#root;
      const failed = name === 'boot' && phase !== 'up';
      this.#end(this.#root, name, at, failed ? 'failed' : 'done', failed ? textOf(context, 'end') : undefined);
      this.#root = undefined;
    }
    if (phase === 'draining') {
      const end = textOf(context, 'end');
      this.#root = { ...this.#open(at, end === undefined ? {} : { 'chaperone.end': end }), name: 'shutdown' };
    }
  }

  #moveService(fact: MoveFact): void {
    const { actor, at, from, to, event, context } = fact;
    const passage = this.#passages.get(actor) ?? this.#begin(fact);
    if (passage === undefined) return;
    if (passage.kind === 'end' && (to === 'backoff' || to.startsWith('starting'))) passage.kind = 'restart';
    note(passage, fact);
    const waitedFor = textOf(event, 'waitedFor');
    if (event.type === 'service.start' && waitedFor !== undefined) {
      passage.attributes['chaperone.waited_for'] = shortName(waitedFor);
      this.#link(passage, waitedFor);
    }
    const cause = fact.by === undefined ? undefined : this.#moves.get(fact.by);
    if (cause !== undefined) this.#link(passage, cause);
    const isOver = hasStarted(to) || to === 'failed' || to === 'stopped' || to === 'disabled' || to === 'exited';
    if (!isOver || from === to) return;
    this.#passages.delete(actor);
    const why = textOf(context, 'cause');
    const failed = to === 'failed';
    // What ends by itself and is not tried again has failed only where the chart says so.
    const name = to === 'stopped' && passage.kind !== 'start' ? `stop ${shortName(actor)}` : nameOf(passage, actor);
    this.#last.set(actor, this.#end(passage, name, at, failed ? 'failed' : 'done', failed ? why : undefined));
  }

  /** Opens the span of a service where a move begins one. */
  #begin({ actor, at, from, to }: MoveFact): Passage | undefined {
    const kind = hasStarted(from) ? 'end' : to.startsWith('starting') ? 'start' : undefined;
    // A ready service that goes on, as its reload does, has no span.
    if (kind === undefined || (kind === 'end' && to.startsWith('ready'))) return undefined;
    const passage: Passage = { ...this.#open(at, { 'chaperone.service': shortName(actor) }, this.#root?.id), kind };
    this.#link(passage, actor);
    this.#passages.set(actor, passage);
    return passage;
  }

  #link(passage: Passage, service: string): void {
    const place = this.#passages.get(service) ?? this.#last.get(service);
    if (place === undefined || place.id === passage.id) return;
    if (passage.links.size >= mostLinks) return;
    passage.links.set(place.id, { id: place.id, trace: place.trace });
  }

  #open(from: number, attributes: Record<string, string | number>, parent?: number): Open {
    this.#id += 1;
    return { id: this.#id, trace: parent ?? this.#id, parent, from, attributes, events: [], links: new Map() };
  }

  #end(open: Open, name: string, to: number, outcome: Span['outcome'], message?: string): SpanPlace {
    const { id, trace, parent, from, attributes, events, links } = open;
    this.#take({
      ...{ id, trace, name, from, to, attributes, events, outcome },
      ...(parent === undefined ? {} : { parent }),
      links: [...links.values()],
      ...(message === undefined ? {} : { message }),
    });
    return { id, trace };
  }
}

function nameOf({ kind }: Passage, service: string): string {
  return `${kind} ${shortName(service)}`;
}

/** Adds a move to a span as an event, and what the move tells to its attributes. */
function note({ events, attributes }: Passage, { at, from, to, event, context }: MoveFact): void {
  const pid = numberOf(context, 'pid') ?? numberOf(event, 'pid');
  if (pid !== undefined) attributes['process.pid'] = pid;
  const restarts = numberOf(context, 'restarts');
  if (restarts !== undefined && restarts > 0) attributes['chaperone.restarts'] = restarts;
  const ended = textOf(event, 'ended');
  if (ended !== undefined) attributes['chaperone.exit'] = ended;
  if (events.length >= mostEvents) {
    attributes['chaperone.events_left_out'] = Number(attributes['chaperone.events_left_out'] ?? 0) + 1;
    return;
  }
  const cause = textOf(context, 'cause');
  events.push({
    at,
    name: to,
    attributes: {
      'chaperone.from': from,
      'chaperone.event': event.type,
      ...(ended === undefined ? {} : { 'chaperone.exit': ended }),
      ...(cause === undefined ? {} : { 'chaperone.cause': cause }),
    },
  });
}

function numberOf(view: JsonObject, key: string): number | undefined {
  const value = view[key];
  return typeof value === 'number' ? value : undefined;
}
