/** Joins the platform's machines, the engine and the feed: what runs, and what tests run on a simulated engine. */
import type { Subscription } from 'rxjs';
import { type ActorRefFrom, createActor } from 'xstate';
import { systemActor } from '../../facts/fact.ts';
import { Feed, type NewMove } from '../../facts/feed.ts';
import type { Clock } from '../../runtime/kernel.ts';
import type { ContainerFacts } from '../engine/engine.ts';
import { instanceMachine } from '../machines/instance.ts';
import type { ContainerNews } from '../machines/instance-events.ts';
import type { StepState } from '../machines/ledger.ts';
import { type Member, platformMachine } from '../machines/platform.ts';
import { type InstanceKey, instanceKey } from '../model/instance.ts';
import type { Plan, Step } from '../model/plan.ts';
import { labelNames } from '../model/project.ts';
import { type EngineNews, engineNews, type Timers } from '../streams/engine-news.ts';
import { instanceActors, type RequestPorts, seenOf } from './requests.ts';
import { eventView, instanceContext, platformContext } from './views.ts';

export interface PlatformPorts extends RequestPorts {
  readonly clock: Clock;
  /** Hears of an error in the platform's own code. */
  readonly onError: (error: unknown) => void;
}

export interface PlatformOptions {
  readonly plan: Plan;
  /** The containers of the project that exist, whether the plan names them or not. */
  readonly found: readonly ContainerFacts[];
  /** The past of the platform: the instances that are ready already, and the states through which they came there. */
  readonly past?: PlatformPast;
  /** ms until a container that runs has to be ready. */
  readonly readyTimeout?: number;
  /** ms after which an engine that does not answer is given up. */
  readonly patience?: number;
}

/** A platform that came to run before anybody watched, as the engine tells of it. */
export interface PlatformPast {
  /** Unix ms at which the platform's time is 0. */
  readonly epoch: number;
  readonly ready: ReadonlySet<InstanceKey>;
  /** In the order of their times, ms of the platform. */
  readonly moves: readonly (NewMove & { readonly at: number })[];
}

/** The outcome of a plan. */
export interface PlatformOutcome {
  readonly done: boolean;
  readonly steps: readonly { readonly step: Step; readonly state: StepState }[];
}

export interface Platform {
  readonly actor: ActorRefFrom<typeof platformMachine>;
  readonly feed: Feed;
  /** Unix ms at which the feed's time is 0. */
  readonly epoch: number;
  /** Resolves once no step is under way and none can begin. */
  readonly outcome: Promise<PlatformOutcome>;
  /** How the steps stand now. */
  readonly steps: () => PlatformOutcome['steps'];
  /** Follows the engine no longer. Containers stay as they are. */
  readonly stop: () => void;
}

const defaultReadyTimeout = 300_000;

/** The instance that a container is of; undefined where its labels do not tell. */
export function keyOf({ labels }: Pick<ContainerFacts, 'labels'>): InstanceKey | undefined {
  const container = labels[labelNames.container];
  const instance = labels[labelNames.instance];
  return container === undefined || instance === undefined ? undefined : instanceKey({ container, instance });
}

/**
 * Begins to carry the plan out.
 *
 * @param before is called with the platform right before its first step: whoever watches misses nothing
 */
export function startPlatform(
  { plan, found, past, readyTimeout = defaultReadyTimeout, patience }: PlatformOptions,
  ports: PlatformPorts,
  before: (platform: Platform) => void = () => {},
): Platform {
  const { clock, engine, project, timers } = ports;
  const epoch = past?.epoch ?? clock.wallTime();
  const feed = feedOf(clock, epoch, past);
  const changes = new Changes(timers);
  const actor = createActor(provided(ports, feed, changes), {
    input: { project, plan, members: membersOf(plan, found, past?.ready), readyTimeout },
    clock: { setTimeout: (run, delay) => clock.setTimeout(run, delay), clearTimeout: (id) => clock.clearTimeout(id) },
  });
  const keys = new Set(actor.getSnapshot().context.members.map(({ key }) => key));
  const steps = (): PlatformOutcome['steps'] => {
    const { ledger } = actor.getSnapshot().context;
    return ledger.steps.flatMap((step) => {
      const state = ledger.states.get(step.key);
      return state === undefined ? [] : [{ step, state }];
    });
  };
  const outcome = new Promise<PlatformOutcome>((resolve, reject) => {
    actor.subscribe({
      next: (snapshot) => {
        if (snapshot.matches('up') || snapshot.matches('halted')) resolve({ done: true, steps: steps() });
        else if (snapshot.matches('failed')) resolve({ done: false, steps: steps() });
      },
      error: (error) => {
        ports.onError(error);
        reject(error);
      },
    });
  });
  let news: Subscription | undefined;
  const platform: Platform = {
    actor,
    feed,
    epoch,
    outcome,
    steps,
    stop: () => {
      news?.unsubscribe();
      actor.stop();
    },
  };
  before(platform);
  actor.start();
  news = engineNews({
    engine,
    labels: [{ name: labelNames.project, value: project }],
    timers,
    ...(patience === undefined ? {} : { patience }),
  }).subscribe(new Teller(actor, keys, changes).take);
  return platform;
}

function feedOf(clock: Clock, epoch: number, past: PlatformPast | undefined): Feed {
  // The clock that never goes back, from the platform's beginning on.
  const begun = clock.realTime() - (clock.wallTime() - epoch);
  let told: number | undefined;
  const feed = new Feed({ now: () => told ?? clock.realTime() - begun, wallTime: () => clock.wallTime() });
  for (const { at, ...move } of past?.moves ?? []) {
    told = at;
    feed.tell(move);
  }
  told = undefined;
  return feed;
}

/** The machines with the engine behind them, and each of their stages as a fact. */
function provided(ports: RequestPorts, feed: Feed, changes: Changes) {
  const instance = instanceMachine.provide({
    actors: instanceActors(ports, (key) => changes.note(key)),
    actions: {
      enter: ({ context, event }, { stage }) =>
        feed.tell({
          type: 'moved',
          actor: context.key,
          to: stage,
          event: eventView(event),
          context: instanceContext(context, stage),
        }),
    },
  });
  return platformMachine.provide({
    actors: { instance },
    actions: {
      enter: ({ context, event }, { stage }) =>
        feed.tell({
          type: 'moved',
          actor: systemActor,
          to: stage,
          event: eventView(event),
          context: platformContext(context, stage),
        }),
    },
  });
}

/** Each instance of the plan, and each container that is there. */
function membersOf(
  plan: Plan,
  found: readonly ContainerFacts[],
  ready: ReadonlySet<InstanceKey> = new Set(),
): readonly Member[] {
  const members = new Map<InstanceKey, Member>();
  for (const facts of found) {
    const key = keyOf(facts);
    if (key !== undefined) members.set(key, { key, found: seenOf(facts), settled: ready.has(key) });
  }
  for (const { key, action } of plan.steps) {
    const spec = 'spec' in action ? { spec: action.spec } : {};
    const manner = action.kind === 'resume' ? { manner: action.manner } : {};
    const known = members.get(key);
    members.set(key, { ...(known ?? { key }), ...spec, ...manner });
  }
  return [...members.values()];
}

/** When instances got or lost their containers: a look that was begun before does not count for them. */
class Changes {
  readonly #timers: Pick<Timers, 'now'>;
  readonly #last = new Map<InstanceKey, number>();

  constructor(timers: Pick<Timers, 'now'>) {
    this.#timers = timers;
  }

  note(key: InstanceKey): void {
    this.#last.set(key, this.#timers.now());
  }

  /** @param begun ms of the timers' clock */
  since(key: InstanceKey, begun: number): boolean {
    return (this.#last.get(key) ?? Number.NEGATIVE_INFINITY) >= begun;
  }
}

/** Tells the charts what the engine has told. */
class Teller {
  readonly #actor: Pick<ActorRefFrom<typeof platformMachine>, 'send'>;
  readonly #keys: ReadonlySet<InstanceKey>;
  readonly #changes: Changes;
  /** Containers that the engine has ended because of their memory: it says so before it says that they have exited. */
  readonly #starved = new Set<string>();

  constructor(
    actor: Pick<ActorRefFrom<typeof platformMachine>, 'send'>,
    keys: ReadonlySet<InstanceKey>,
    changes: Changes,
  ) {
    this.#actor = actor;
    this.#keys = keys;
    this.#changes = changes;
  }

  readonly take = (news: EngineNews): void => {
    switch (news.type) {
      case 'lost':
        this.#actor.send({ type: 'engine.lost', why: news.why });
        break;
      case 'gone':
        this.#actor.send({ type: 'engine.gone', why: news.why });
        break;
      case 'looked':
        this.#actor.send({ type: 'engine.reached' });
        this.#look(news.containers, news.begun);
        break;
      case 'event':
        this.#event(news.event);
        break;
    }
  };

  #look(containers: readonly ContainerFacts[], begun: number): void {
    const seen = new Map(containers.map((facts) => [keyOf(facts), facts]));
    for (const key of this.#keys) {
      if (this.#changes.since(key, begun)) continue;
      const facts = seen.get(key);
      this.#tell(
        key,
        facts === undefined ? { type: 'container.missing' } : { type: 'container.seen', seen: seenOf(facts) },
      );
    }
  }

  #event(event: Extract<EngineNews, { type: 'event' }>['event']): void {
    const key = keyOf(event);
    if (key === undefined || !this.#keys.has(key)) return;
    const { container: id, at } = event;
    switch (event.type) {
      case 'started':
        this.#starved.delete(id);
        this.#tell(key, { type: 'container.started', id, at });
        break;
      case 'outOfMemory':
        this.#starved.add(id);
        break;
      case 'exited': {
        const { exitCode } = event;
        this.#tell(key, { type: 'container.exited', id, at, exitCode, outOfMemory: this.#starved.delete(id) });
        break;
      }
      case 'health':
        this.#tell(key, { type: 'container.health', id, health: event.health });
        break;
      case 'removed':
        this.#changes.note(key);
        this.#tell(key, { type: 'container.removed', id });
        break;
      case 'created':
      case 'paused':
      case 'unpaused':
      case 'renamed':
      case 'killed':
        break;
    }
  }

  #tell(key: InstanceKey, news: ContainerNews): void {
    this.#actor.send({ type: 'container.told', key, news });
  }
}
