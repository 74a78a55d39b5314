import { describeExit, type ExitStatus } from '../model/service/exit-status.ts';
import { type Fact, systemActor, textOf } from './fact.ts';
import { type FirstStart, followStart } from './first-start.ts';

/** A move of one service, or of the system. */
export type MoveFact = Extract<Fact, { readonly type: 'moved' }>;

/** The summary that is kept of a service for as long as it is configured: a fixed number of values. */
export interface Milestones {
  readonly firstStart: FirstStart | undefined;
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
        if (own === undefined || fact.hook !== undefined) break;
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
      firstStart: undefined,
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
    own.firstStart = followStart(own.firstStart, fact);
  }
}

/** The kept moves of one actor. */
interface Kept<T> {
  firstStart: FirstStart | undefined;
  /** The moves that the first start of a service is made of, or the one with which the system was up. */
  readonly milestones: T[];
  last: T;
}

/**
 * The moves of an actor that outlast all others: those that changed its first start (the beginning, the end, and the
 * move with which that outcome ceased to hold), and its last move. Of the system: that it was up, and its last move.
 */
export class KeptMoves<T extends { readonly seq: number }> {
  readonly #actors = new Map<string, Kept<T>>();
  readonly #moveOf: (item: T) => MoveFact | undefined;

  constructor(moveOf: (item: T) => MoveFact | undefined) {
    this.#moveOf = moveOf;
  }

  take(item: T): void {
    const move = this.#moveOf(item);
    if (move === undefined) return;
    const kept: Kept<T> = this.#actors.get(move.actor) ?? { firstStart: undefined, milestones: [], last: item };
    this.#actors.set(move.actor, kept);
    kept.last = item;
    const firstStart = followStart(kept.firstStart, move);
    const isUp = move.actor === systemActor && move.to === 'up';
    if (firstStart !== kept.firstStart || isUp) kept.milestones.push(item);
    kept.firstStart = firstStart;
  }

  forget(actor: string): void {
    this.#actors.delete(actor);
  }

  keepOnly(actors: ReadonlySet<string>): void {
    for (const actor of this.#actors.keys()) if (!actors.has(actor)) this.#actors.delete(actor);
  }

  clear(): void {
    this.#actors.clear();
  }

  /** The kept moves in the order of their numbers, each once. */
  items(): readonly T[] {
    const items = new Set<T>();
    for (const { milestones, last } of this.#actors.values()) for (const item of [...milestones, last]) items.add(item);
    return [...items].sort((left, right) => left.seq - right.seq);
  }
}
