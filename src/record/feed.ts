import { Subject } from 'rxjs';
import type { Json, JsonObject } from '../model/words/json.ts';
import { Causes } from './causes.ts';
import { type Fact, type Happening, type Moved, servicesOf } from './fact.ts';
import { KeptMoves, type Milestones, MilestoneTable } from './milestones.ts';
import { SizedRing } from './ring.ts';

export interface FeedPorts {
  /** ms since chaperone began, on a clock that goes on while chaperone stands still. */
  readonly now: () => number;
  /** Unix ms. */
  readonly wallTime: () => number;
}

/** What is left of what has happened. */
export interface Past {
  /** Moves from before `lost`: the first start of each service, the end of that, and where it stood then. */
  readonly kept: readonly Fact[];
  /** Facts that are no longer there, between `kept` and `facts`. */
  readonly lost: number;
  readonly facts: readonly Fact[];
}

/** A move before the feed knows where the actor came from. */
export type NewMove = Omit<Moved, 'from'>;

/** Bytes that the kept facts may take. */
const defaultBound = 1_000_000;

/** Where a chart came from that has only begun. */
const nowhere = '─';

/**
 * The one place in which facts become facts: a happening gets its number, its time and the fact that it comes of, goes to whoever
 * follows the feed, and is kept in a ring that is bounded. What leaves the ring leaves milestones.
 */
export class Feed {
  readonly facts$ = new Subject<Fact>();
  readonly #ports: FeedPorts;
  readonly #causes = new Causes();
  readonly #milestones = new MilestoneTable();
  readonly #ring: SizedRing<Fact>;
  readonly #kept = new KeptMoves<Fact>((fact) => (fact.type === 'moved' ? fact : undefined));
  #seq = 0;
  #at = 0;
  #lost = 0;

  constructor(ports: FeedPorts, bound = defaultBound) {
    this.#ports = ports;
    this.#ring = new SizedRing(bound, sizeOf);
  }

  /** @param happening made for this: it becomes the fact. A boot tells thousands of them, and a copy costs more than all the rest. */
  tell(happening: Exclude<Happening, Moved> | NewMove): void {
    this.#seq += 1;
    this.#at = Math.max(this.#at, this.#ports.now());
    const place = { seq: this.#seq, at: this.#at };
    if (happening.type === 'moved') {
      const from = this.#milestones.get(happening.actor)?.stage ?? nowhere;
      this.#take(Object.assign(happening, place, { from }));
    } else this.#take(Object.assign(happening, place));
  }

  #take(told: Fact): void {
    const by = this.#causes.of(told);
    const fact = by === undefined ? told : Object.assign(told, { by });
    this.#causes.note(fact, fact.seq);
    this.#milestones.take(fact, this.#ports.wallTime());
    if (isKept(fact)) this.#keep(fact);
    if (fact.type === 'service.removed') this.#kept.forget(fact.service);
    this.facts$.next(fact);
  }

  #keep(fact: Fact): void {
    this.#ring.push(fact, (old) => {
      this.#lost += 1;
      this.#kept.take(old);
    });
  }

  /** ms since chaperone began. */
  now(): number {
    return this.#ports.now();
  }

  milestones(service: string): Milestones | undefined {
    return this.#milestones.get(service);
  }

  /** By the full names of services, and of the system. */
  allMilestones(): ReadonlyMap<string, Milestones> {
    return this.#milestones.all();
  }

  past(): Past {
    const kept = this.#kept.items();
    return { kept, lost: this.#lost - kept.length, facts: this.#ring.toArray() };
  }

  /** What has happened to one service. `lost`: whether something of it may be missing between `kept` and `facts`. */
  history(service: string): Past {
    // A reload may be what something of it comes of.
    const concerns = (fact: Fact): boolean => fact.type === 'reloaded' || servicesOf(fact).includes(service);
    const { kept, lost, facts } = this.past();
    return { kept: kept.filter(concerns), lost, facts: facts.filter(concerns) };
  }
}

/** What only tells again what a move tells is not kept. */
function isKept({ type }: Fact): boolean {
  return (
    type !== 'service.changed' && type !== 'service.queued' && type !== 'service.released' && type !== 'service.skipped'
  );
}

/** Bytes that an object with a few fields takes, about, and each more of its fields. */
const objectSize = 200;
const fieldSize = 40;

/** Bytes that a fact takes, about. */
function sizeOf(fact: Fact): number {
  switch (fact.type) {
    case 'moved':
      return objectSize + sizeOfView(fact.event) + sizeOfView(fact.context);
    case 'notified':
      return objectSize + sizeOfView(fact.message);
    case 'requested':
      return objectSize + fact.services.length * fieldSize;
    default:
      return objectSize;
  }
}

function sizeOfView(view: JsonObject): number {
  let size = objectSize;
  for (const key in view) {
    const value = view[key];
    size += fieldSize;
    if (typeof value === 'string') size += value.length;
    else if (isView(value)) size += sizeOfView(value);
  }
  return size;
}

function isView(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
