/**
 * A platform: the instances of a project together, while a plan is carried out and as long as somebody watches afterwards.
 *
 *     booting.working ⇄ booting.blind → up        all steps are done
 *            │                        → failed    some are not
 *     draining.working ⇄ draining.blind → halted, failed
 *
 * It spawns an instance's chart for each instance, and keeps the ledger of the plan's steps: which are done, which may begin. A step
 * begins once those that it waits for are done. One that fails takes those that wait for it with it; all others go on, and what ran
 * before stays as it was.
 *
 * While the engine's events are lost (`blind`), steps go on as far as the engine answers. Once the events are back, the edge looks at
 * each container and tells what it has seen. Where the engine stays away, `engine.gone` ends what only its events could end.
 */
import { assign, enqueueActions, setup } from 'xstate';
import type { InstanceKey, InstanceSpec, Manner } from '../model/instance.ts';
import type { Plan } from '../model/plan.ts';
import { instanceMachine } from './instance.ts';
import type { ContainerNews, InstanceCommand, InstanceReport, Seen } from './instance-events.ts';
import { beginLedger, isDone, isOver, type Ledger, type Order, type Outcome, settle } from './ledger.ts';

/** An instance that the platform follows: one of the plan, or another one whose container exists. */
export interface Member {
  readonly key: InstanceKey;
  readonly spec?: InstanceSpec;
  /** When others count the instance as up, for an instance without a specification. */
  readonly manner?: Manner;
  readonly found?: Seen;
  /** True: it runs, and is known to be ready. */
  readonly settled?: boolean;
}

export interface PlatformInput {
  readonly project: string;
  readonly plan: Plan;
  readonly members: readonly Member[];
  /** ms until a container that runs has to be ready. */
  readonly readyTimeout: number;
}

export type PlatformEvent =
  | InstanceReport
  /** Something about one instance's container. */
  | { readonly type: 'container.told'; readonly key: InstanceKey; readonly news: ContainerNews }
  | { readonly type: 'engine.lost'; readonly why: string }
  | { readonly type: 'engine.reached' }
  /** The engine has been away for too long. */
  | { readonly type: 'engine.gone'; readonly why: string };

interface PlatformContext extends PlatformInput {
  readonly ledger: Ledger;
  /** Why the engine's events are missing; absent while they arrive. */
  readonly lost: string | undefined;
}

/** The id of an instance's actor. */
export function actorId(key: InstanceKey): string {
  return `instance:${key}`;
}

/** True for a plan that ends things. A plan does either. */
export function endsThings({ steps }: Pick<Plan, 'steps'>): boolean {
  return steps.some(({ action: { kind } }) => kind === 'stop' || kind === 'kill' || kind === 'remove');
}

/** The command to an instance that carries out a step. */
export function commandOf({ step, waitedFor }: Order): InstanceCommand {
  const waited = waitedFor === undefined ? {} : { waitedFor };
  const { action } = step;
  switch (action.kind) {
    case 'keep':
    case 'create':
    case 'start':
    case 'resume':
      return { type: 'instance.start', anew: false, reasons: step.reasons, ...waited };
    case 'recreate':
      return { type: 'instance.start', anew: true, reasons: step.reasons, ...waited };
    case 'stop': {
      const timeout = action.timeout === undefined ? {} : { timeout: action.timeout };
      return { type: 'instance.stop', ...timeout, ...waited };
    }
    case 'kill':
      return { type: 'instance.kill', signal: action.signal, ...waited };
    case 'remove':
      return { type: 'instance.remove', ...waited };
  }
}

function outcomeOf(report: InstanceReport): Outcome {
  switch (report.type) {
    case 'step.done':
      return { kind: 'done' };
    case 'step.failed':
      return { kind: 'failed', cause: report.cause };
    case 'step.fell':
      return { kind: 'fell', cause: report.cause };
  }
}

const enter = <T extends string>(stage: T) => ({ type: 'enter', params: { stage } }) as const;

/** The events that arrive in every state. */
const followed = {
  'container.told': { actions: ['pass'] },
  'engine.gone': { actions: ['passGone'] },
  'step.done': { actions: ['settle'] },
  'step.failed': { actions: ['settle'] },
  'step.fell': { actions: ['settle'] },
} as const;

/** Steps are under way; `blind`: the engine's events are missing. */
function working<T extends 'booting' | 'draining'>(stage: T) {
  return {
    initial: 'working',
    states: {
      working: { on: { 'engine.lost': { target: 'blind', actions: ['noteLost'] }, 'engine.reached': {} } },
      blind: {
        entry: [enter(`${stage}.blind`)],
        on: {
          'engine.lost': { actions: ['noteLost'] },
          'engine.reached': { target: 'working', actions: ['noteReached', enter(stage)] },
        },
      },
    },
  } as const;
}

const atRest = {
  'engine.lost': { actions: ['noteLost'] },
  'engine.reached': { actions: ['noteReached'] },
} as const;

export const platformMachine = setup({
  types: { context: {} as PlatformContext, events: {} as PlatformEvent, input: {} as PlatformInput },
  actors: { instance: instanceMachine },
  actions: {
    /** Reports a stage; the edge makes a fact of it. */
    enter: (_, _params: { readonly stage: string }) => {},
    spawnMembers: enqueueActions(({ context: { members, readyTimeout }, self, enqueue }) => {
      for (const { key, spec, manner, found, settled } of members) {
        const input = {
          key,
          platform: self,
          readyTimeout,
          ...(spec === undefined ? {} : { spec }),
          ...(manner === undefined ? {} : { manner }),
          ...(found === undefined ? {} : { found }),
          ...(settled === undefined ? {} : { settled }),
        };
        enqueue.spawnChild('instance', { id: actorId(key), input });
      }
    }),
    begin: enqueueActions(({ context, enqueue }) => {
      const { ledger, orders } = beginLedger(context.plan.steps);
      enqueue.assign({ ledger });
      for (const order of orders) enqueue.sendTo(actorId(order.step.key), commandOf(order));
    }),
    settle: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'step.done' && event.type !== 'step.failed' && event.type !== 'step.fell') return;
      const outcome = outcomeOf(event);
      const { ledger, orders } = settle(context.ledger, event.key, outcome);
      enqueue.assign({ ledger });
      for (const order of orders) enqueue.sendTo(actorId(order.step.key), commandOf(order));
    }),
    pass: enqueueActions(({ event, enqueue }) => {
      if (event.type === 'container.told') enqueue.sendTo(actorId(event.key), event.news);
    }),
    passGone: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'engine.gone') return;
      for (const { key } of context.members) enqueue.sendTo(actorId(key), event);
    }),
    noteLost: assign(({ event }) => ({ lost: event.type === 'engine.lost' ? event.why : undefined })),
    noteReached: assign({ lost: undefined }),
  },
  guards: {
    /** The plan has no steps: the platform is followed as it is. */
    onlyFollows: ({ context }) => context.plan.steps.length === 0,
    ends: ({ context }) => endsThings(context.plan),
    isDone: ({ context }) => isOver(context.ledger) && isDone(context.ledger),
    isOver: ({ context }) => isOver(context.ledger),
  },
}).createMachine({
  id: 'platform',
  context: ({ input }) => ({ ...input, ledger: { steps: [], states: new Map() }, lost: undefined }),
  initial: 'planned',
  on: followed,
  states: {
    /** A transient state: the plan tells whether things shall begin or end. */
    planned: {
      tags: ['transient'],
      entry: ['spawnMembers'],
      always: [{ guard: 'onlyFollows', target: 'up' }, { guard: 'ends', target: 'draining' }, { target: 'booting' }],
    },
    booting: {
      ...working('booting'),
      entry: [enter('booting'), 'begin'],
      always: [
        { guard: 'isDone', target: 'up' },
        { guard: 'isOver', target: 'failed' },
      ],
    },
    draining: {
      ...working('draining'),
      entry: [enter('draining'), 'begin'],
      always: [
        { guard: 'isDone', target: 'halted' },
        { guard: 'isOver', target: 'failed' },
      ],
    },
    up: { entry: [enter('up')], on: atRest },
    failed: { entry: [enter('failed')], on: atRest },
    halted: { entry: [enter('halted')], on: atRest },
  },
});
