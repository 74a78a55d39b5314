import { describeExit, type ExitStatus } from '../model/service/exit-status.ts';
import { endsStart, type Fact, hasStarted, type Moved, textOf } from './fact.ts';

/** A move of one service, or of the system. */
export type MoveFact = Extract<Fact, { readonly type: 'moved' }>;

/** How a service's first start was over: the service was ready, or the start failed or was stopped. */
export interface StartEnd {
  readonly at: number;
  readonly ready: boolean;
  /** Why the start failed. */
  readonly cause?: string;
}

/** The summary that is kept of a service for as long as it is configured: a fixed number of values. */
export interface Milestones {
  /** The beginning of the service's first start, and how it was over. */
  readonly started: { readonly at: number; readonly waitedFor?: string; readonly by?: number } | undefined;
  readonly startEnd: StartEnd | undefined;
  /** The stage of the service's chart, and since when: ms since chaperone began, and Unix ms. */
  readonly stage: string;
  readonly since: number;
  readonly sinceTime: number;
  /** The prerequisite that the service waited for last at its latest start, if it had to wait. */
  readonly waitedFor: string | undefined;
  /** How often a failure was answered by a restart since the service was configured. */
  readonly restarts: number;
  /** How the service's last process ended, and at which Unix ms. */
  readonly lastExit: { readonly pid: number; readonly status: ExitStatus; readonly at: number } | undefined;
  /** How many of the service's processes ended in each way. */
  readonly exits: ReadonlyMap<string, number>;
}

/** How many different ways to end are counted for a service. */
const mostEnds = 64;
const otherEnds = 'other';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Own extends Mutable<Milestones> {
  exits: Map<string, number>;
}

/** Folds facts into the milestones of every service. */
export class MilestoneTable {
  readonly #services = new Map<string, Own>();

  get(service: string): Milestones | undefined {
    return this.#services.get(service);
  }

  all(): ReadonlyMap<string, Milestones> {
    return this.#services;
  }

  /** @param time Unix ms */
  take(fact: Fact, time: number): void {
    switch (fact.type) {
      case 'moved':
        this.#move(fact, time);
        break;
      case 'run.ended': {
        const own = this.#services.get(fact.service);
        if (own === undefined) break;
        own.lastExit = { pid: fact.pid, status: fact.status, at: time };
        const key = describeExit(fact.status);
        const counted = own.exits.has(key) || own.exits.size < mostEnds ? key : otherEnds;
        own.exits.set(counted, (own.exits.get(counted) ?? 0) + 1);
        break;
      }
      case 'service.removed':
        this.#services.delete(fact.service);
        break;
      default:
    }
  }

  #move(fact: MoveFact, time: number): void {
    const { actor, at, to, event } = fact;
    const own: Own = this.#services.get(actor) ?? {
      stage: to,
      since: at,
      sinceTime: time,
      started: undefined,
      startEnd: undefined,
      waitedFor: undefined,
      restarts: 0,
      lastExit: undefined,
      exits: new Map(),
    };
    this.#services.set(actor, own);
    own.stage = to;
    own.since = at;
    own.sinceTime = time;
    if (to === 'backoff') own.restarts += 1;
    if (event.type === 'service.start') {
      own.waitedFor = textOf(event, 'waitedFor');
    }
    if (own.started === undefined && to.startsWith('starting')) own.started = startOf(fact);
    if (own.started !== undefined && own.startEnd === undefined) {
      const end = startEndOf(fact);
      if (end !== undefined) own.startEnd = end;
    }
  }
}

function startOf({ at, by, event }: MoveFact): NonNullable<Milestones['started']> {
  const waitedFor = textOf(event, 'waitedFor');
  return { at, ...(waitedFor === undefined ? {} : { waitedFor }), ...(by === undefined ? {} : { by }) };
}

function startEndOf({ at, to, context }: MoveFact): StartEnd | undefined {
  if (!endsStart(to)) return undefined;
  if (hasStarted(to)) return { at, ready: true };
  const cause = textOf(context, 'cause');
  return { at, ready: false, ...(cause === undefined ? {} : { cause }) };
}

/** The moves of an actor that outlast all others: the beginning and the end of its first start, and its last move. */
export class KeptMoves<T extends { readonly seq: number }> {
  readonly #actors = new Map<string, { start?: T; startEnd?: T; last: T }>();
  readonly #moveOf: (item: T) => Moved | undefined;

  constructor(moveOf: (item: T) => Moved | undefined) {
    this.#moveOf = moveOf;
  }

  take(item: T): void {
    const move = this.#moveOf(item);
    if (move === undefined) return;
    const { actor, to } = move;
    const kept = this.#actors.get(actor);
    if (kept === undefined) {
      this.#actors.set(actor, { last: item, ...(to.startsWith('starting') ? { start: item } : {}) });
      return;
    }
    kept.last = item;
    if (kept.start === undefined && to.startsWith('starting')) kept.start = item;
    else if (kept.start !== undefined && kept.startEnd === undefined && endsStart(to)) kept.startEnd = item;
  }

  forget(actor: string): void {
    this.#actors.delete(actor);
  }

  clear(): void {
    this.#actors.clear();
  }

  /** The kept moves in the order of their numbers, each once. */
  items(): readonly T[] {
    const items = new Set<T>();
    for (const { start, startEnd, last } of this.#actors.values())
      for (const item of [start, startEnd, last]) if (item !== undefined) items.add(item);
    return [...items].sort((left, right) => left.seq - right.seq);
  }
}
