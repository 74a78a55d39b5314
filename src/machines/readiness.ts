/**
 * The machine that decides whether a start has succeeded where the service has to prove it: a pidfile that names the
 * process to follow, READY=1 on the notify socket, or the probes of `ready`.
 *
 *     watchingPidfile ─┐
 *     watchingNotify  ─┼→ passed | failed
 *     watchingProbes  ─┘
 *
 * The service machine invokes this one while it awaits either, and receives `readiness.passed` or `readiness.failed`.
 * The start's time limit runs here; EXTEND_TIMEOUT_USEC from the service extends it. A datagram with READY and an error
 * fails the start.
 */
import {
  type ActorRef,
  assertEvent,
  assign,
  type EventObject,
  enqueueActions,
  fromCallback,
  type Snapshot,
  setup,
} from 'xstate';
import type { PidfileTrouble } from '../model/service/pidfile.ts';
import { noProbeState, obstacleOf, type ProbeState, probesOf, standingOfTree } from '../model/service/probe.ts';
import type { FailureCause } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { MissedEnd, NotifyFact, PidfileFact } from '../model/service/unit-events.ts';
import { forever } from './limits.ts';
import { type ProbeFact, probeMachine } from './probe.ts';

export type ReadinessFact =
  /** `pid`: the process to follow from now on. `ended`: how it ended, if chaperone was stopped meanwhile. */
  | {
      readonly type: 'readiness.passed';
      readonly serial: number;
      readonly pid?: number;
      readonly ended?: MissedEnd;
      readonly at: number;
    }
  | { readonly type: 'readiness.failed'; readonly serial: number; readonly cause: FailureCause; readonly at: number }
  /** The time limit of the start moves to `deadline`. */
  | {
      readonly type: 'readiness.extended';
      readonly serial: number;
      readonly deadline: number;
      readonly at: number;
    };

/** The start that a pidfile or a notify socket belongs to. */
export interface StartOf {
  readonly service: ServiceSpec;
  readonly serial: number;
}

export interface ReadinessInput extends StartOf {
  readonly owner: ActorRef<Snapshot<unknown>, ReadinessFact>;
  /** Monotonic ms at which the start has taken too long. */
  readonly deadline: number;
  /** True: the probes of `ready` decide. */
  readonly probes?: boolean;
  readonly at: number;
}

interface ReadinessContext extends ReadinessInput {
  /** What was wrong with the pidfile at the last look. */
  readonly trouble: PidfileTrouble;
  /** How the probes of `ready` stand, in their order; empty where they do not decide. */
  readonly states: readonly ProbeState[];
}

/** The port that looks for the service's pidfile and reports what it finds; the runtime provides it. */
const pidfile = fromCallback<EventObject, StartOf, PidfileFact>(() => {
  throw new Error('internal error: the port pidfile is not provided');
});

export const readinessMachine = setup({
  types: {
    context: {} as ReadinessContext,
    events: {} as NotifyFact | PidfileFact | ProbeFact,
    input: {} as ReadinessInput,
  },
  actors: { pidfile, probe: probeMachine },
  actions: {
    tellPassed: enqueueActions(({ context, event, enqueue }) => {
      const { serial, owner } = context;
      const found =
        event.type === 'pidfile.found'
          ? { pid: event.pid, ...(event.ended === undefined ? {} : { ended: event.ended }) }
          : {};
      enqueue.sendTo(owner, { type: 'readiness.passed', serial, ...found, at: event.at });
    }),
    tellReported: enqueueActions(({ context: { serial, owner }, event, enqueue }) => {
      assertEvent(event, 'notify.received');
      const { errno, busError } = event.message;
      const cause: FailureCause = {
        kind: 'reported',
        ...(errno === undefined ? {} : { errno }),
        ...(busError === undefined ? {} : { busError }),
        pid: 0,
      };
      enqueue.sendTo(owner, { type: 'readiness.failed', serial, cause, at: event.at });
    }),
    tellTooLate: enqueueActions(({ context, enqueue }) => {
      const { serial, owner, deadline, at } = context;
      const cause = tooLate(context);
      // The time may have been up before: the leader of a forking service has taken it all.
      enqueue.sendTo(owner, { type: 'readiness.failed', serial, cause, at: Math.max(at, deadline) });
    }),
    extend: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'notify.received');
      const { serial, owner } = context;
      const deadline = Math.max(context.deadline, event.at + Math.min(event.message.extend ?? 0, forever));
      enqueue.assign({ deadline, at: event.at });
      enqueue.sendTo(owner, { type: 'readiness.extended', serial, deadline, at: event.at });
    }),
    beginProbes: enqueueActions(({ context: { service, serial, at }, self, enqueue }) => {
      if (service.ready === undefined) return;
      for (const [index, probe] of probesOf(service.ready).entries()) {
        if (probe.check.kind === 'notify') continue;
        const input = { service, serial, purpose: 'ready', index, probe, owner: self, at } as const;
        enqueue.spawnChild('probe', { id: `probe-${index}`, input });
      }
    }),
    recordProbe: assign(({ context, event }) => {
      if (event.type !== 'probe.passed' && event.type !== 'probe.failed')
        throw new Error(`internal error: no probe tells ${event.type}`);
      return { states: context.states.with(event.index, event.state) };
    }),
    /** READY=1 is the probe `notify`. */
    recordReady: assign(({ context, event }) => {
      const { ready } = context.service;
      const probes = ready === undefined ? [] : probesOf(ready);
      const passed = {
        standing: 'passed',
        failures: 0,
        last: { passed: true, reason: 'READY=1', at: event.at },
      } as const;
      return {
        states: context.states.map((state, index) => (probes[index]?.check.kind === 'notify' ? passed : state)),
      };
    }),
    recordTrouble: assign(({ event }) => {
      assertEvent(event, 'pidfile.seen');
      return { trouble: event.trouble };
    }),
  },
  guards: {
    hasProbes: ({ context }) => context.probes === true,
    passesTree: ({ context: { service, states } }) =>
      service.ready !== undefined && standingOfTree(service.ready, states) === 'passed',
    isNotify: ({ context }) => context.service.type === 'notify',
    isStale: ({ context, event }) => event.serial !== context.serial,
    fails: ({ event }) => event.type === 'notify.received' && reportsFailure(event),
    isReady: ({ event }) => event.type === 'notify.received' && event.message.ready === true,
    extends: ({ event }) => event.type === 'notify.received' && event.message.extend !== undefined,
  },
  delays: {
    untilDeadline: ({ context }) => Math.min(forever, Math.max(0, context.deadline - context.at)),
  },
}).createMachine({
  id: 'readiness',
  context: ({ input }) => ({
    ...input,
    trouble: 'absent',
    states:
      input.probes === true && input.service.ready !== undefined
        ? probesOf(input.service.ready).map(() => noProbeState)
        : [],
  }),
  initial: 'choosing',
  states: {
    choosing: {
      always: [
        { guard: 'hasProbes', target: 'watchingProbes' },
        { guard: 'isNotify', target: 'watchingNotify' },
        { target: 'watchingPidfile' },
      ],
    },
    watchingProbes: {
      entry: ['beginProbes'],
      initial: 'trying',
      states: {
        trying: {
          always: [{ guard: 'passesTree', target: '#readiness.passed', actions: ['tellPassed'] }],
          after: { untilDeadline: { target: '#readiness.failed', actions: ['tellTooLate'] } },
          on: {
            'notify.received': [
              { guard: 'isStale' },
              { guard: 'fails', target: '#readiness.failed', actions: ['tellReported'] },
              { guard: 'isReady', actions: ['recordReady'] },
              // The state above would begin its probes again.
              { guard: 'extends', target: 'trying', reenter: true, actions: ['extend'] },
              {},
            ],
          },
        },
      },
      on: {
        'probe.passed': [{ guard: 'isStale' }, { actions: ['recordProbe'] }],
        'probe.failed': [{ guard: 'isStale' }, { actions: ['recordProbe'] }],
        'pidfile.found': {},
        'pidfile.seen': {},
      },
    },
    watchingPidfile: {
      invoke: {
        id: 'pidfile',
        src: 'pidfile',
        input: ({ context: { service, serial } }) => ({ service, serial }),
      },
      after: { untilDeadline: { target: 'failed', actions: ['tellTooLate'] } },
      on: {
        'pidfile.found': [{ guard: 'isStale' }, { target: 'passed', actions: ['tellPassed'] }],
        'pidfile.seen': [{ guard: 'isStale' }, { actions: ['recordTrouble'] }],
        'notify.received': {},
        'probe.passed': {},
        'probe.failed': {},
      },
    },
    watchingNotify: {
      after: { untilDeadline: { target: 'failed', actions: ['tellTooLate'] } },
      on: {
        'notify.received': [
          { guard: 'isStale' },
          { guard: 'fails', target: 'failed', actions: ['tellReported'] },
          { guard: 'isReady', target: 'passed', actions: ['tellPassed'] },
          { guard: 'extends', target: 'watchingNotify', reenter: true, actions: ['extend'] },
          {},
        ],
        'pidfile.found': {},
        'pidfile.seen': {},
        'probe.passed': {},
        'probe.failed': {},
      },
    },
    passed: { type: 'final' },
    failed: { type: 'final' },
  },
});

function tooLate({ service, trouble, states, probes }: ReadinessContext): FailureCause {
  const timeout = service.processTimeout;
  if (probes === true && service.ready !== undefined)
    return { kind: 'unready', ...obstacleOf(service.ready, states), timeout, pid: 0 };
  if (service.type === 'notify') return { kind: 'timeout', timeout, pid: 0 };
  return { kind: 'pidfile', file: service.pidfile ?? '', trouble, timeout };
}

/** True where a notification reports a failure: ERRNO other than 0, or BUSERROR. */
export function reportsFailure({ message: { errno, busError } }: NotifyFact): boolean {
  return busError !== undefined || (errno !== undefined && errno !== 0);
}
