/** The entries of one boot as the page keeps them, with the indices that its views use for look-ups. */

import { hasEndedWell, type ShownFact } from '../../facts/fact.ts';
import { noticeText, Transitions } from '../../facts/transitions.ts';
import type { Severity } from '../../model/log/syslog-names.ts';
import { isScheduled } from '../../model/schedule/scheduled-runs.ts';
import { describeExit, type ExitStatus } from '../../model/service/exit-status.ts';
import type { Json } from '../../model/words/json.ts';
import type {
  BootEntry,
  DefinitionEntry,
  EndEntry,
  Entry,
  EventEntry,
  LogEntry,
  ServiceEntry,
  SnapshotEntry,
  Taken,
} from '../entry.ts';
import { Registry } from '../registry.ts';
import { applyEntry, createReplica, type Gap, type LiveReplica, type Replica } from '../replica.ts';
import { Timeline } from '../timeline.ts';
import { edgeId } from './chart-model.ts';

export type MarkKind = 'spawn' | 'exit' | 'crash' | 'notify' | 'restart' | 'run' | 'error';

/** Something that happened to a service at one instant. */
export interface Mark {
  readonly kind: MarkKind;
  readonly at: number;
  readonly index: number;
  readonly text: string;
}

/** A step of an actor from one state to another. */
export interface Step {
  readonly index: number;
  readonly at: number;
  readonly event: string;
  readonly from: string;
  readonly to: string;
  /** The edges of the chart that the step has taken, by their ids; a step within one state takes none. */
  readonly edges: readonly string[];
}

interface KnownActor {
  readonly name: string;
  readonly machine: string | undefined;
  readonly service: string | undefined;
  readonly parentId: string | undefined;
}

const errors: ReadonlySet<Severity> = new Set(['emerg', 'alert', 'crit', 'err']);

export function isError(severity: Severity): boolean {
  return errors.has(severity);
}

/** The default limit of kept entries; they take about 250 MB. */
const mostEntries = 300_000;

export class Recording {
  readonly #most: number;
  /** The state after the dropped entries, and the number of those entries. */
  #base = new Registry();
  #forgotten = 0;
  readonly entries: Entry[] = [];
  /** Indices of log records and of events, in order. */
  readonly logs: number[] = [];
  readonly events: number[] = [];
  /** Indices of log records with the severity err or worse. */
  readonly errors: number[] = [];
  readonly marks = new Map<string, Mark[]>();
  readonly actors = new Map<string, KnownActor>();
  /** The steps of each actor, by the actor's session id. */
  readonly steps = new Map<string, Step[]>();
  readonly services = new Map<string, ServiceEntry>();
  /** What each move means, in the words of the terminal, by the `seq` of its entry. */
  readonly words = new Map<number, string>();
  #transitions = new Transitions();
  /** Raised by each boot and reload, so that everything that was derived from `services` is computed again. */
  configuration = 0;
  boot: BootEntry | undefined;
  end: EndEntry | undefined;
  /** The state after all entries so far. */
  readonly #head: LiveReplica = createReplica();
  #timeline = new Timeline(this.entries);
  readonly #paths = new Map<string, string>();
  /** When the actors were first told of, if facts from before that were told first. */
  #watchedFrom: number | undefined;
  #hasPast = false;

  /** @param most the largest number of entries that are kept */
  constructor(most = mostEntries) {
    this.#most = most;
  }

  get head(): Replica {
    return this.#head;
  }

  get lastSeq(): number {
    return this.entries.at(-1)?.seq ?? 0;
  }

  get lastAt(): number {
    return this.entries.at(-1)?.at ?? 0;
  }

  /** The state after the first `count` entries; the next call changes the returned object. */
  after(count: number): Replica {
    return count >= this.entries.length ? this.#head : this.#timeline.after(count);
  }

  /** The times of which entries are missing. */
  get gaps(): readonly Gap[] {
    return this.#head.gaps;
  }

  /**
   * From this instant on everything is known that happened; of the time before, only what chaperone keeps by itself. 0 where
   * somebody has watched from the beginning on.
   */
  get detailFrom(): number {
    const since = this.gaps.findLast(({ from }) => from === 0)?.to ?? 0;
    return Math.max(since, this.#watchedFrom ?? 0);
  }

  /** The number of entries that are not later than an instant, in ms. */
  countAt(at: number): number {
    return this.#timeline.countAt(at);
  }

  /** The number of entries up to and including the one with this `seq`. */
  countOfSeq(seq: number): number {
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.entries[middle]?.seq ?? 0) <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Appends the entries that follow the present ones; entries that arrived before are skipped. */
  append(batch: readonly Entry[]): void {
    for (const entry of batch) {
      // The boot entry comes again when the page missed so many entries that it cannot continue from those it has.
      if (entry.type === '@chaperone.boot') this.#clear();
      else if (entry.seq <= this.lastSeq) continue;
      this.#add(entry);
    }
    if (this.entries.length > this.#most) this.#forget(Math.ceil(this.#most / 3));
  }

  /** Drops the oldest entries and keeps the state after them: the recording then begins as it does for a page that connects late. */
  #forget(count: number): void {
    for (const entry of this.entries.slice(0, count)) this.#base.apply(entry);
    const kept = this.entries.slice(count);
    const base = this.#base;
    const before = base.entries();
    const lost = this.#forgotten + count;
    const first = kept[0];
    this.#clear();
    this.#base = base;
    this.#forgotten = lost;
    for (const entry of before) this.#add(entry);
    if (first !== undefined) this.#add({ type: '@chaperone.lost', seq: first.seq - 1, at: first.at, count: lost });
    for (const entry of kept) this.#add(entry);
  }

  #add(entry: Entry): void {
    const index = this.entries.push(entry) - 1;
    applyEntry(this.#head, entry);
    switch (entry.type) {
      case '@chaperone.boot':
        this.boot = entry;
        this.#configure(entry.services);
        break;
      case '@chaperone.reload':
        this.#configure(entry.services);
        break;
      case '@xstate.actor': {
        const { sessionId, name, machine, service, parentId } = entry;
        this.#watchedFrom ??= this.#hasPast ? entry.at : 0;
        this.actors.set(sessionId, { name, machine, service, parentId });
        this.steps.set(sessionId, []);
        this.#paths.set(sessionId, this.#head.actors.get(sessionId)?.path ?? '');
        break;
      }
      case '@xstate.event':
        this.events.push(index);
        break;
      case '@xstate.snapshot':
        this.#step(index, entry);
        break;
      case '@chaperone.log':
        this.logs.push(index);
        if (isError(entry.severity)) {
          this.errors.push(index);
          this.#mark(entry.service, 'error', index, entry.message);
        }
        break;
      case '@chaperone.end':
        this.end = entry;
        break;
      case '@chaperone.fact':
        this.#hasPast = true;
        for (const line of this.#transitions.take(entry.fact))
          if (line.kind === 'transition') this.words.set(entry.seq, line.transition.detail);
        this.#markFact(index, entry.fact);
        break;
      case '@chaperone.definition':
      case '@chaperone.lost':
        break;
    }
  }

  #step(index: number, { sessionId, at, event, taken = [] }: SnapshotEntry): void {
    const to = this.#head.actors.get(sessionId)?.path ?? '';
    const from = this.#paths.get(sessionId) ?? '';
    this.#paths.set(sessionId, to);
    this.steps.get(sessionId)?.push({ index, at, event: event.type, from, to, edges: taken.flatMap(edgeOfTaken) });
  }

  /** Marks are made of facts, since these also tell of the time before somebody watched. */
  #markFact(index: number, fact: ShownFact): void {
    switch (fact.type) {
      case 'run.began': {
        if (fact.hook !== undefined) {
          this.#mark(fact.service, 'run', index, `${fact.hook}, pid ${fact.pid}`);
          break;
        }
        const type = this.services.get(fact.service)?.type;
        const isRun = type !== undefined && isScheduled(type);
        this.#mark(fact.service, isRun ? 'run' : 'spawn', index, `pid ${fact.pid}`);
        break;
      }
      case 'run.ended': {
        const text = describeExit(fact.status);
        const what = fact.hook === undefined ? '' : `${fact.hook}: `;
        this.#mark(fact.service, hasEndedWell(fact) ? 'exit' : 'crash', index, `${what}${text}, pid ${fact.pid}`);
        break;
      }
      case 'notified': {
        // A status line alone is no event on the timeline: some programs send one every second.
        const isEvent = Object.keys(fact.message).some((name) => name !== 'status');
        if (isEvent) this.#mark(fact.service, 'notify', index, noticeText(fact.message));
        break;
      }
      case 'probed':
        this.#mark(
          fact.service,
          fact.passed ? 'notify' : 'error',
          index,
          `${fact.purpose}: ${fact.probe}: ${fact.reason}`,
        );
        break;
      case 'moved':
        if (fact.from === 'backoff' && fact.to.startsWith('starting'))
          this.#mark(fact.actor, 'restart', index, 'restart');
        break;
      case 'orphan.reaped':
      case 'command.began':
      case 'command.ended':
      case 'requested':
      case 'reloaded':
      case 'signalled':
        break;
    }
  }

  #mark(service: string | undefined, kind: MarkKind, index: number, text: string): void {
    if (service === undefined) return;
    const mark = { kind, at: this.entries[index]?.at ?? 0, index, text };
    const known = this.marks.get(service);
    if (known === undefined) this.marks.set(service, [mark]);
    else known.push(mark);
  }

  #configure(services: readonly ServiceEntry[]): void {
    this.services.clear();
    for (const service of services) this.services.set(service.name, service);
    this.#transitions.configure(services);
    this.configuration += 1;
  }

  #clear(): void {
    this.entries.length = 0;
    for (const list of [this.logs, this.events, this.errors]) list.length = 0;
    for (const map of [this.marks, this.actors, this.steps, this.services, this.words, this.#paths]) map.clear();
    this.#transitions = new Transitions();
    this.end = undefined;
    this.#watchedFrom = undefined;
    this.#hasPast = false;
    this.#base = new Registry();
    this.#forgotten = 0;
    this.#timeline = new Timeline(this.entries);
  }

  definition(machine: string): DefinitionEntry['definition'] | undefined {
    return this.#head.definitions.get(machine);
  }

  logAt(index: number): LogEntry | undefined {
    const entry = this.entries[index];
    return entry?.type === '@chaperone.log' ? entry : undefined;
  }

  eventAt(index: number): EventEntry | undefined {
    const entry = this.entries[index];
    return entry?.type === '@xstate.event' ? entry : undefined;
  }
}

function edgeOfTaken({ from, to }: Taken): readonly string[] {
  return to === undefined ? [] : [edgeId(from, to)];
}

/** The text of an end, such as `exit 1`, from an event that went through JSON. */
export function exitText(status: Json | undefined): string {
  return isExitStatus(status) ? describeExit(status) : 'ended';
}

function isExitStatus(status: unknown): status is ExitStatus {
  return typeof status === 'object' && status !== null && 'kind' in status && typeof status.kind === 'string';
}
