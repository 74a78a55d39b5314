/** What the probes of a service say, for its status. */
import type { ActorRefFrom, AnyActorRef } from 'xstate';
import type { ProbeStatus, ServiceStatus } from '../../control/supervisor.ts';
import type { healthMachine } from '../../machines/health.ts';
import type { readinessMachine } from '../../machines/readiness.ts';
import type { ServiceMemory } from '../../machines/service-events.ts';
import {
  describeFailing,
  describeProbe,
  obstacleOf,
  type ProbePurpose,
  type ProbeState,
  type ProbeTree,
  probesOf,
} from '../../model/service/probe.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';

type Judge = ActorRefFrom<typeof healthMachine> | ActorRefFrom<typeof readinessMachine>;

export interface ProbeFacts {
  readonly health?: ServiceStatus['health'];
  readonly probes?: readonly ProbeStatus[];
  /** For `WaitFacts`. */
  readonly probing?: string;
  readonly failing?: string;
}

/** @param children the actors of the service's chart @param now monotonic ms */
export function probeFacts(
  { spec, health }: ServiceMemory & { readonly spec: ServiceSpec },
  children: Readonly<Record<string, AnyActorRef | undefined>>,
  now: number,
): ProbeFacts {
  const { ready, healthy } = spec;
  const starts = ready === undefined ? [] : statesOf(children['readiness']);
  if (ready !== undefined && starts.length > 0) {
    const { probe, reason } = obstacleOf(ready, starts);
    return { probes: statusesOf(ready, 'ready', starts, now), probing: `${probe} to pass (last: ${reason})` };
  }
  const states = healthy === undefined ? [] : statesOf(children['health']);
  if (healthy === undefined || states.length === 0) return {};
  const then = spec.onUnhealthy ?? 'log';
  const failing = probesOf(healthy).flatMap((probe, index) => {
    const state = states[index];
    return state === undefined ? [] : (describeFailing(probe, state, then) ?? []);
  });
  return {
    health: health ?? 'unknown',
    probes: statusesOf(healthy, 'healthy', states, now),
    ...(failing[0] === undefined ? {} : { failing: `healthy.failing: ${failing[0]}` }),
  };
}

function statesOf(child: AnyActorRef | undefined): readonly ProbeState[] {
  return child !== undefined && isJudge(child) ? child.getSnapshot().context.states : [];
}

function isJudge(child: AnyActorRef): child is Judge {
  return child.id === 'health' || child.id === 'readiness';
}

function statusesOf(
  tree: ProbeTree,
  purpose: ProbePurpose,
  states: readonly ProbeState[],
  now: number,
): readonly ProbeStatus[] {
  return probesOf(tree).flatMap(({ check, retries }, index) => {
    const state = states[index];
    if (state === undefined) return [];
    const { standing, failures, last } = state;
    return {
      purpose,
      probe: describeProbe(check),
      standing,
      failures,
      ...(purpose === 'healthy' ? { retries } : {}),
      ...(last === undefined
        ? {}
        : {
            last: {
              passed: last.passed,
              reason: last.reason,
              age: Math.max(0, now - last.at),
              ...(last.output === undefined ? {} : { output: last.output }),
            },
          }),
    };
  });
}
