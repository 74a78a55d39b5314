import { Subject } from 'rxjs';
import { isObject, type JsonObject } from '../model/words/json.ts';
import { Causes } from './causes.ts';
import { type Fact, type Happening, type Moved, nowhere, servicesOf } from './fact.ts';
import { KeptMoves, type Milestones, MilestoneTable } from './milestones.ts';
import { SizedRing } from './ring.ts';

export interface FeedPorts {
  /** ms since chaperone began, on a clock that goes on while chaperone is stopped. */
  readonly now: () => number;
  /** Unix ms. */
  readonly wallTime: () => number;
}

/** The facts of the past that are still kept. */
export interface Past {
  /** Moves from before the gap: those that `KeptMoves` keeps. */
  readonly kept: readonly Fact[];
  /** How many facts are missing between `kept` and `facts`. */
  readonly lost: number;
  /** ms since chaperone began from which on no fact is missing. */
  readonly since: number;
  readonly facts: readonly Fact[];
}

/** A move whose `from` the feed still has to fill in. */
export type NewMove = Omit<Moved, 'from'>;

/** The most bytes that the kept facts may take. */
const defaultBound = 1_000_000;

/**
 * The one place in which facts are made: a happening gets its number, its time and its cause, goes to all subscribers
 * of the feed, and is kept in a bounded ring. Facts that leave the ring leave milestones behind.
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

  /** @param happening is changed into the fact itself: a boot has thousands, and copies would be costly */
  tell(happening: Exclude<Happening, Moved> | NewMove): void {
    this.#seq += 1;
    this.#at = Math.max(this.#at, this.now());
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
      // Nothing is kept of a service that a reload has taken out.
      if (old.type === 'moved' && this.#milestones.get(old.actor) !== undefined) this.#kept.take(old);
    });
  }

  /** ms since chaperone began. */
  now(): number {
    // Microseconds are as fine as anybody reads them; more digits would only fill journals.
    return Math.round(this.#ports.now() * 1000) / 1000;
  }

  milestones(service: string): Milestones | undefined {
    return this.#milestones.get(service);
  }

  /** The milestones by actor: full names of services, and the system. */
  allMilestones(): ReadonlyMap<string, Milestones> {
    return this.#milestones.all();
  }

  past(): Past {
    const kept = this.#kept.items();
    const since = this.#ring.first()?.at ?? this.#at;
    return { kept, lost: this.#lost - kept.length, since, facts: this.#ring.toArray() };
  }

  /** The past of one service. `lost` counts the missing facts of all services: some may have been this one's. */
  history(service: string): Past {
    // A reload belongs to every service's past, because it may be the cause of a move.
    const concerns = (fact: Fact): boolean => fact.type === 'reloaded' || servicesOf(fact).includes(service);
    const { kept, facts, ...gap } = this.past();
    return { ...gap, kept: kept.filter(concerns), facts: facts.filter(concerns) };
  }
}

/** False for notices that only repeat a move. */
function isKept({ type }: Fact): boolean {
  return (
    type !== 'service.changed' && type !== 'service.queued' && type !== 'service.released' && type !== 'service.skipped'
  );
}

/** About how many bytes an object with a few fields takes, and each further field. */
const objectSize = 200;
const fieldSize = 40;

/** About how many bytes a fact takes. */
function sizeOf(fact: Fact): number {
  switch (fact.type) {
    case 'moved':
      return objectSize + sizeOfView(fact.event) + sizeOfView(fact.context);
    case 'notified':
      return objectSize + sizeOfView(fact.message);
    case 'probed':
      return objectSize + fact.probe.length + fact.reason.length;
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
    else if (isObject(value)) size += sizeOfView(value);
  }
  return size;
}
