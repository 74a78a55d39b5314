import { Subject } from 'rxjs';
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

  tell(happening: Exclude<Happening, Moved> | NewMove): void {
    this.#seq += 1;
    this.#at = Math.max(this.#at, this.#ports.now());
    const whole: Happening =
      happening.type === 'moved' ? { ...happening, from: this.#stageOf(happening.actor) } : happening;
    const by = this.#causes.of(whole);
    const fact: Fact = { seq: this.#seq, at: this.#at, ...(by === undefined ? {} : { by }), ...whole };
    this.#causes.note(whole, fact.seq);
    this.#milestones.take(fact, this.#ports.wallTime());
    this.#ring.push(fact, (old) => {
      this.#lost += 1;
      this.#kept.take(old);
    });
    if (fact.type === 'service.removed') this.#kept.forget(fact.service);
    this.facts$.next(fact);
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

  #stageOf(actor: string): string {
    return this.#milestones.get(actor)?.stage ?? nowhere;
  }
}

/** Bytes that a fact takes, about: an object, and its texts. */
function sizeOf(fact: Fact): number {
  return 80 + sizeOfValue(fact);
}

function sizeOfValue(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let size = 40;
  for (const key in value) size += 8 + sizeOfValue(Reflect.get(value, key));
  return size;
}
