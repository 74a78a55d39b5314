/**
 * The health of one run of a service, from the moment in which it is ready until it stops: its probes, and what they say together.
 *
 *     open → healthy ⇄ unhealthy
 *       └────────────────┘
 *
 * The service machine spawns this one in `ready.running` where the service has `healthy`, and ends it on the way out. A probe counts
 * as failed after `retries` failures in a row, and as passed after one success; until either it is open, and so may be the whole.
 */
import { type ActorRef, assign, enqueueActions, type Snapshot, setup } from 'xstate';
import {
  noProbeState,
  obstacleOf,
  type ProbeState,
  type ProbeTree,
  probesOf,
  standingOfTree,
} from '../model/service/probe.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import { type ProbeFact, probeMachine } from './probe.ts';

export type HealthFact =
  | { readonly type: 'health.passed'; readonly serial: number; readonly at: number }
  | {
      readonly type: 'health.failed';
      readonly serial: number;
      /** The name of the probe, and what it said last. */
      readonly probe: string;
      readonly reason: string;
      readonly at: number;
    };

export interface HealthInput {
  readonly service: ServiceSpec;
  readonly serial: number;
  readonly tree: ProbeTree;
  readonly owner: ActorRef<Snapshot<unknown>, HealthFact>;
  /** Monotonic ms at which the service became ready. */
  readonly at: number;
}

interface HealthContext extends HealthInput {
  readonly states: readonly ProbeState[];
}

export const healthMachine = setup({
  types: { context: {} as HealthContext, events: {} as ProbeFact, input: {} as HealthInput },
  actors: { probe: probeMachine },
  actions: {
    beginProbes: enqueueActions(({ context: { service, serial, tree, at }, self, enqueue }) => {
      for (const [index, probe] of probesOf(tree).entries()) {
        const input = { service, serial, purpose: 'healthy', index, probe, owner: self, at } as const;
        enqueue.spawnChild('probe', { id: `probe-${index}`, input });
      }
    }),
    record: assign(({ context, event }) => ({ states: context.states.with(event.index, event.state), at: event.at })),
    tellPassed: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'health.passed', serial, at });
    }),
    tellFailed: enqueueActions(({ context: { owner, serial, tree, states, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'health.failed', serial, ...obstacleOf(tree, states), at });
    }),
  },
  guards: {
    isStale: ({ context, event }) => event.serial !== context.serial,
    isPassed: ({ context: { tree, states } }) => standingOfTree(tree, states) === 'passed',
    isFailed: ({ context: { tree, states } }) => standingOfTree(tree, states) === 'failed',
  },
}).createMachine({
  id: 'health',
  context: ({ input }) => ({ ...input, states: probesOf(input.tree).map(() => noProbeState) }),
  initial: 'open',
  entry: ['beginProbes'],
  on: {
    'probe.passed': [{ guard: 'isStale' }, { actions: ['record'] }],
    'probe.failed': [{ guard: 'isStale' }, { actions: ['record'] }],
  },
  states: {
    open: {
      always: [
        { guard: 'isPassed', target: 'healthy' },
        { guard: 'isFailed', target: 'unhealthy' },
      ],
    },
    healthy: { entry: ['tellPassed'], always: [{ guard: 'isFailed', target: 'unhealthy' }] },
    unhealthy: { entry: ['tellFailed'], always: [{ guard: 'isPassed', target: 'healthy' }] },
  },
});
