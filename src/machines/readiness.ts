/**
 * The machine that decides whether a start has succeeded where the service has to prove it: a pidfile that names the
 * process to follow, or READY=1 on the notify socket.
 *
 *     watchingPidfile ─┐
 *     watchingNotify  ─┴→ passed | failed
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
import type { FailureCause } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { MissedEnd, NotifyFact, PidfileFact } from '../model/service/unit-events.ts';
import { forever } from './limits.ts';

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
  readonly at: number;
}

interface ReadinessContext extends ReadinessInput {
  /** What was wrong with the pidfile at the last look. */
  readonly trouble: PidfileTrouble;
}

/** The port that looks for the service's pidfile and reports what it finds; the runtime provides it. */
const pidfile = fromCallback<EventObject, StartOf, PidfileFact>(() => {
  throw new Error('internal error: the port pidfile is not provided');
});

export const readinessMachine = setup({
  types: {
    context: {} as ReadinessContext,
    events: {} as NotifyFact | PidfileFact,
    input: {} as ReadinessInput,
  },
  actors: { pidfile },
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
      const { service, serial, owner, trouble, deadline } = context;
      const timeout = service.processTimeout;
      const cause: FailureCause =
        service.type === 'notify'
          ? { kind: 'timeout', timeout, pid: 0 }
          : { kind: 'pidfile', file: service.pidfile ?? '', trouble, timeout };
      enqueue.sendTo(owner, { type: 'readiness.failed', serial, cause, at: deadline });
    }),
    extend: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'notify.received');
      const { serial, owner } = context;
      const deadline = Math.max(context.deadline, event.at + Math.min(event.message.extend ?? 0, forever));
      enqueue.assign({ deadline, at: event.at });
      enqueue.sendTo(owner, { type: 'readiness.extended', serial, deadline, at: event.at });
    }),
    recordTrouble: assign(({ event }) => {
      assertEvent(event, 'pidfile.seen');
      return { trouble: event.trouble };
    }),
  },
  guards: {
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
  context: ({ input }) => ({ ...input, trouble: 'absent' }),
  initial: 'choosing',
  states: {
    choosing: { always: [{ guard: 'isNotify', target: 'watchingNotify' }, { target: 'watchingPidfile' }] },
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
      },
    },
    passed: { type: 'final' },
    failed: { type: 'final' },
  },
});

/** True where a notification reports a failure: ERRNO other than 0, or BUSERROR. */
export function reportsFailure({ message: { errno, busError } }: NotifyFact): boolean {
  return busError !== undefined || (errno !== undefined && errno !== 0);
}
