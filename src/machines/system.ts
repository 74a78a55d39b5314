/**
 * The whole system: it owns the service actors and a ledger (model/ledger), the only place that holds the state of
 * every service and what is intended for it.
 *
 *     booting (starting → idling → lastStage) → up → draining (stopping → clearing → killing) → halted
 *
 * The chart holds the phases of the system and what ends it. The ledger decides who starts and stops when: every report
 * of a service and every request is one pure step, `step(ledger, event) → { ledger, orders }`, and this machine carries
 * the orders out. It never queries the service machines: a service's state is what it has reported.
 *
 * Order. While booting, every service whose prerequisites are satisfied is told to start, all at once; each report
 * releases the next ones. IDLE services also wait until everything else is settled and `idle_delay` has passed. While
 * draining, the same graph is followed backwards, and each service has a share of the shutdown budget. One timer
 * watches over all stops (`stops.due`): a service that has used up its share gets SIGKILL.
 *
 * Failure. A service that fails while it starts (and does not ignore failures) ends the system; one that fails later ends only
 * itself, unless `on_failure` says otherwise. The first reason to end is kept in `end` and decides the exit status.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A shutdown during the boot wins: services that are starting are stopped, the others never start.
 * - A second SIGINT (forced) skips the order: everything gets SIGKILL at once.
 * - A process that survives SIGKILL (it hangs in the kernel) is no longer waited for: the prerequisites of its service
 *   are stopped.
 * - A service that crashes while draining, before it is told to stop, is not restarted: all services are told to retire
 *   first.
 * - No children may be left while a service is in its restart pause: the system goes on (`detect_exit` asks for both).
 * - The system also goes on while a cron or inetd service is scheduled: then it logs once which services keep it alive.
 *   The runs of such a service do not change its phase. So when it becomes scheduled or ends, the process table is
 *   asked whether children are left.
 * - A reload during the boot joins the boot, and a running IDLE delay begins anew. While the system drains, a reload is
 *   ignored.
 *
 * `halted` is where the runtime exits. It is not a final state, because XState would then stop every actor one by one
 * for nothing.
 */
import { assertEvent, assign, enqueueActions, fromCallback, type SnapshotFrom, setup } from 'xstate';
import { effectiveChange } from '../model/ledger/changes.ts';
import { isAllOver, isQuiet, isQuietButScheduled, type Ledger, newLedger } from '../model/ledger/ledger.ts';
import type { ReloadRequest } from '../model/ledger/reload.ts';
import type { ServiceRequest } from '../model/ledger/requests.ts';
import { isReplacing, isStopping, phaseOf, type Slot } from '../model/ledger/slot.ts';
import { isSettled } from '../model/ledger/starts.ts';
import { type LedgerEvent, step } from '../model/ledger/step.ts';
import { killGrace } from '../model/ledger/stops.ts';
import type { DependencyGraph } from '../model/order/dependency-graph.ts';
import { shutdownReserve } from '../model/order/ordering.ts';
import { isScheduled } from '../model/schedule/scheduled-runs.ts';
import { isEnded, isLive, type ServiceChange, type ServicePhase } from '../model/service/service-phase.ts';
import { consoleService, type ServiceSpec, type SystemSpec, shortName } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import {
  exitStatusOf,
  type MissingProgram,
  type RunOutcome,
  type ServiceFailure,
  type ServiceOutcome,
  type SystemEnd,
} from '../model/service/system-end.ts';
import type { SystemNotice } from '../model/service/system-notice.ts';
import { enter } from './enter.ts';
import { scheduledMachine } from './scheduled.ts';
import { serviceMachine } from './service.ts';
import type { ServiceReport, SystemRef } from './service-events.ts';

export type SystemCommand =
  /** Ends the system in order; `forced` (a repeated SIGINT) skips the order. */
  | { readonly type: 'system.shutdown'; readonly end: SystemEnd; readonly forced: boolean; readonly at: number }
  /** Another configuration replaces the one in force. */
  | ({ readonly type: 'system.reload'; readonly at: number } & ReloadRequest)
  /** Somebody sends a signal to services by hand. */
  | {
      readonly type: 'services.signal';
      readonly names: readonly string[];
      readonly signal: SignalName;
      readonly at: number;
    }
  /** Somebody asks for a run of a cron service, or for the reload of a service; the service's answer names the request. */
  | {
      readonly type: 'services.run' | 'services.reload';
      readonly name: string;
      readonly request: number;
      readonly at: number;
    }
  | ServiceRequest;

/** waitid(2) reports that chaperone has no child left. */
interface ProcessesGone {
  readonly type: 'processes.gone';
  readonly at: number;
}

/** The time limit of some stop may be reached; the system raises this itself. */
interface StopsDue {
  readonly type: 'stops.due';
  readonly at: number;
}

export type SystemEvent = SystemCommand | ServiceReport | ProcessesGone | StopsDue;

/** Asks the `processTable` port to send a signal to every process that is left. */
export interface SignalAll {
  readonly type: 'processes.signalAll';
  readonly signal: SignalName;
}

/** Asks the `processTable` port to send `processes.gone` in a later turn, as soon as no children are left. */
export interface CountProcesses {
  readonly type: 'processes.count';
}

export interface SystemInput {
  readonly spec: SystemSpec;
  readonly graph: DependencyGraph;
  /** Programs that were missing before anything started; any of them ends the system. */
  readonly missingPrograms: readonly MissingProgram[];
  /** Where the chance of restart_jitter begins in this boot; absent: 0. */
  readonly seed?: number;
}

export interface SystemOutput {
  readonly end: SystemEnd;
  readonly exitStatus: number;
  /** Services that never started, in start order. */
  readonly neverStarted: readonly string[];
  /** Services that had started and were stopped in order. */
  readonly stopped: readonly string[];
  /** Monotonic ms at which the shutdown budget is used up. */
  readonly deadline: number;
}

interface SystemContext {
  readonly ledger: Ledger;
  readonly seed: number;
  readonly missingPrograms: readonly MissingProgram[];
  /** True while chaperone has, or is about to have, children. */
  readonly childrenLeft: boolean;
  readonly startedAny: boolean;
  /** True once the log has said which scheduled services keep the system alive. */
  readonly saidWaiting: boolean;
  /** Monotonic ms for which the timer of the stops is set. */
  readonly armed: number | undefined;
  /** Monotonic ms at which the due stops were looked at last. */
  readonly looked: number;
  readonly end: SystemEnd | undefined;
  /** The last failure of each service that does not ignore failures; the latest comes last. */
  readonly failures: readonly ServiceFailure[];
  /** The command and the `exit_kills` services that were alive when the system began to end. */
  readonly mains: readonly string[];
  /** How the service among `mains` that decides the exit status has ended. */
  readonly main: ServiceOutcome | undefined;
}

/** The stages in which the system's chart can rest between two events. */
type SystemStage =
  | 'booting.starting'
  | 'booting.idling'
  | 'booting.lastStage'
  | 'up'
  | 'draining.stopping'
  | 'draining.clearing'
  | 'draining.killing'
  | 'halted';

/** The port that signals every process that is left and reports `processes.gone`; the runtime provides it. */
const processTable = fromCallback<SignalAll | CountProcesses, undefined, ProcessesGone>(() => {
  throw new Error('internal error: the port processTable is not provided');
});

/** ms between two looks at the due stops: stops that are due at nearly the same time are handled together. */
const stopsGrain = 10;

/** Passes the event itself to the ledger as one step. */
const takeEvent = { type: 'step', params: ({ event }: { readonly event: LedgerEvent }) => event } as const;

/** Requests for services that people make by hand, taken while the system does not end. */
const requests = {
  'services.start': { actions: [takeEvent] },
  'services.stop': { actions: [takeEvent] },
  'services.reset': { actions: [takeEvent] },
  'services.enable': { actions: [takeEvent] },
  'services.disable': { actions: [takeEvent] },
} as const;

/** The answers to a service that is unhealthy, while the system does not end. */
const unhealthy = [
  { guard: 'endsUnhealthy', target: '#system.draining', actions: ['noteTime', 'sayHealth', 'recordEnd'] },
  { actions: ['sayHealth', takeEvent] },
] as const;

export const systemMachine = setup({
  types: {
    context: {} as SystemContext,
    events: {} as SystemEvent,
    input: {} as SystemInput,
    emitted: {} as SystemNotice,
    tags: {} as 'transient',
  },
  actors: { service: serviceMachine, scheduled: scheduledMachine, processTable },
  actions: {
    /** Records the stage that the chart has reached; the runtime provides this action. The chart ignores it. */
    enter: (_, _params: { readonly stage: SystemStage }): void => undefined,
    noteTime: assign({
      ledger: ({ context: { ledger }, event }) => ({ ...ledger, at: Math.max(ledger.at, event.at) }),
    }),
    announce: enqueueActions(({ context, enqueue }) => {
      for (const { name, enabled } of context.ledger.spec.services)
        enqueue.emit({ type: enabled ? 'service.queued' : 'service.skipped', service: name });
    }),
    /** Takes one step of the ledger and carries out its orders. */
    step: enqueueActions(({ context, enqueue }, event: LedgerEvent) => {
      const { ledger, orders } = step(context.ledger, event);
      enqueue.assign({ ledger });
      if (event.type === 'stops.due') enqueue.assign({ looked: event.at });
      // A service restarts itself: the ledger orders no start for that.
      if (event.type === 'service.changed' && event.change.phase === 'starting')
        enqueue.assign({ childrenLeft: true, startedAny: true });
      const { at, spec: system } = ledger;
      for (const order of orders) {
        if (order.kind === 'tell') {
          enqueue.emit(order.notice);
          continue;
        }
        const id = serviceActorId(order.kind === 'add' || order.kind === 'replace' ? order.spec.name : order.name);
        switch (order.kind) {
          case 'start': {
            const { waitedFor, askedBy } = order;
            const asker = askedBy === undefined ? {} : { askedBy };
            enqueue.sendTo(id, {
              type: 'service.start',
              at,
              ...asker,
              ...(waitedFor === undefined ? {} : { waitedFor }),
            });
            enqueue.assign({ childrenLeft: true, startedAny: true });
            break;
          }
          case 'stop': {
            const { kind: _, name: __, ...stop } = order;
            enqueue.sendTo(id, { type: 'service.stop', ...stop, at });
            break;
          }
          case 'reload':
            enqueue.sendTo(id, { type: 'service.reload', because: order.because, at });
            break;
          case 'kill':
            enqueue.sendTo(id, { type: 'service.kill', grace: order.grace, ...(order.last ? { last: true } : {}), at });
            break;
          case 'retire':
            enqueue.sendTo(id, { type: 'service.retire', at });
            break;
          case 'reset':
            enqueue.sendTo(id, {
              type: 'service.reset',
              killAfter: ledger.slots.get(order.name)?.spec.stopTimeout ?? system.shutdownTimeout,
              at,
            });
            break;
          case 'reconfigure':
            enqueue.sendTo(id, { type: 'service.reconfigure', spec: order.spec, at });
            break;
          case 'replace':
          case 'add':
            if (order.kind === 'replace') enqueue.stopChild(id);
            enqueue.assign(({ spawn, self }) => {
              spawnService(spawn, self, order.spec, context.seed);
              return {};
            });
            break;
          case 'remove':
            enqueue.stopChild(id);
            break;
        }
      }
      // One timer serves all stops.
      const { due } = ledger;
      if (due === context.armed && event.type !== 'stops.due') return;
      enqueue.cancel('stops');
      if (due !== undefined) {
        const then = Math.max(due, (event.type === 'stops.due' ? event.at : context.looked) + stopsGrain);
        enqueue.raise({ type: 'stops.due', at: then }, { id: 'stops', delay: Math.max(0, then - at) });
      }
      enqueue.assign({ armed: due });
    }),
    beginDrain: enqueueActions(({ context: { ledger, end, failures }, enqueue }) => {
      if (end !== undefined) enqueue.emit({ type: 'system.draining', end });
      enqueue.assign({
        mains: ledger.slots.all().flatMap((slot) => (isMain(slot) ? [slot.spec.name] : [])),
        // A service that fails from now on was to end anyway.
        failures: failures.filter((failure) => hasFailed(ledger, failure)),
      });
    }),
    recordGone: assign({ childrenLeft: false }),
    recordFailure: enqueueActions(({ context: { ledger, failures }, event, enqueue }) => {
      assertEvent(event, 'service.changed');
      const { name, change } = event;
      if (change.phase !== 'failed') return;
      if (ledger.slots.get(name)?.spec.ignoreFailures === false)
        enqueue.assign({
          failures: [...failures.filter(({ service }) => service !== name), { service: name, cause: change.cause }],
        });
    }),
    /** Asks to be told when no child is left, because orphans and the processes of a scheduled service show in no phase. */
    countProcesses: enqueueActions(({ context: { end }, event, enqueue }) => {
      assertEvent(event, 'service.changed');
      if (end !== undefined) return;
      const { change } = event;
      if (!isEnded(change.phase) && !mayLeaveNobody.has(change.phase)) return;
      // Any service's orphans may have ended last, so every end asks.
      enqueue.assign({ childrenLeft: true });
      enqueue.sendTo('processTable', { type: 'processes.count' });
    }),
    notice: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, 'service.noticed');
      enqueue.emit({ type: 'service.noticed', service: event.name, news: event.news });
    }),
    sayHealth: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, ['service.healthy', 'service.unhealthy']);
      const { name: service } = event;
      if (event.type === 'service.healthy') enqueue.emit({ type: event.type, service, again: event.again });
      else enqueue.emit({ type: event.type, service, cause: event.cause, answer: event.answer });
    }),
    sayWaiting: enqueueActions(({ context, enqueue }) => {
      enqueue.emit({ type: 'system.waiting', services: scheduledNames(context) });
      enqueue.assign({ saidWaiting: true });
    }),
    passSignals: enqueueActions(({ context: { ledger }, event, enqueue }) => {
      assertEvent(event, 'services.signal');
      const { names, signal, at } = event;
      for (const name of names)
        if (ledger.slots.get(name) !== undefined)
          enqueue.sendTo(serviceActorId(name), { type: 'service.signal', signal, at });
    }),
    passRequest: enqueueActions(({ context: { ledger }, event, enqueue }) => {
      assertEvent(event, ['services.run', 'services.reload']);
      const { name, request, at } = event;
      if (ledger.slots.get(name) !== undefined)
        enqueue.sendTo(serviceActorId(name), {
          type: event.type === 'services.run' ? 'service.run' : 'service.reload',
          request,
          at,
        });
    }),
    recordEnd: assign({ end: ({ context, event }) => context.end ?? endBy(context, event) }),
    endMissing: assign({
      end: ({ context }): SystemEnd => ({ kind: 'missingPrograms', problems: context.missingPrograms }),
    }),
    endIdle: assign({
      end: ({ context: { ledger, startedAny, failures } }): SystemEnd => {
        if (!startedAny) return { kind: 'nothingStarted' };
        const failed = lastFailed(ledger, failures);
        const command = ledger.slots.get(consoleService)?.outcome;
        return {
          kind: 'noProcesses',
          ...(command === undefined ? {} : { command }),
          ...(failed === undefined ? {} : { failed }),
        };
      },
    }),
    /** Records how a main service ended: the exit status after a signal. The command has precedence. */
    recordMain: enqueueActions(({ context: { ledger, main, mains }, event, enqueue }) => {
      assertEvent(event, 'service.changed');
      if (!isEnded(event.change.phase) || !mains.includes(event.name)) return;
      const outcome = ledger.slots.get(event.name)?.outcome;
      if (outcome !== undefined && main?.service !== consoleService)
        enqueue.assign({ main: { service: event.name, outcome } });
    }),
    signalAll: enqueueActions(({ context: { ledger }, enqueue }, params: { signal: SignalName }) => {
      const begun = deadlineOf(ledger) - ledger.spec.shutdownTimeout;
      enqueue.emit({ type: 'system.clearing', signal: params.signal, begun });
      enqueue.sendTo('processTable', { type: 'processes.signalAll', signal: params.signal });
    }),
    sayReady: enqueueActions(({ enqueue }) => enqueue.emit({ type: 'system.ready' })),
    sayForced: enqueueActions(({ enqueue }) => enqueue.emit({ type: 'system.forced' })),
    sayHalted: enqueueActions(({ context: { ledger }, enqueue }) => {
      // The timers of services that nobody waits for any longer would keep running.
      for (const { spec, chart } of ledger.slots.all())
        if (!isEnded(chart)) enqueue.stopChild(serviceActorId(spec.name));
      enqueue.cancel('stops');
      enqueue.stopChild('processTable');
      const { spec, drain, at } = ledger;
      if (drain !== undefined && drain.stops.length > 0) {
        const budget = spec.shutdownTimeout;
        enqueue.emit({ type: 'system.stopped', took: at - drain.deadline + budget, budget, stops: drain.stops });
      }
      enqueue.emit({ type: 'system.halted' });
    }),
  },
  guards: {
    programsMissing: ({ context }) => context.missingPrograms.length > 0,
    /** True for a service that a reload is about to replace: its own failures and exits have no consequence. */
    isReplaced: ({ context, event }) => 'name' in event && isReplaced(context, event.name),
    /** True where an unhealthy service ends the system, unless a reload is about to replace the service. */
    endsUnhealthy: ({ context, event }) =>
      event.type === 'service.unhealthy' && event.answer === 'shutdown' && !isReplaced(context, event.name),
    /** True for a failed start without `ignore_failures`, and for an end that ends the system at any time. */
    endsSystem: ({ context, event }) => endsSystem(context, event, true),
    endsSystemLater: ({ context, event }) => endsSystem(context, event, false),
    /** With IDLE services alone there is no other service to wait for. */
    onlyIdleServices: ({ context: { ledger } }) => ledger.counters.members[0] === 0 && ledger.counters.members[1] === 0,
    /** All services of the earlier stages are ready, have ended or have failed. */
    earlierStagesSettled: ({ context }) => isSettled(context.ledger, 2),
    allSettled: ({ context }) => isSettled(context.ledger, 3),
    /** Nothing runs or is about to run, except scheduled services. */
    onlyScheduled: ({ context: { ledger, saidWaiting, childrenLeft } }) =>
      ledger.spec.detectExit && !saidWaiting && !childrenLeft && isQuietButScheduled(ledger),
    isExhausted: ({ context: { ledger, childrenLeft } }) => ledger.spec.detectExit && !childrenLeft && isQuiet(ledger),
    allEnded: ({ context }) => isAllOver(context.ledger),
    isForced: ({ event }) => event.type === 'system.shutdown' && event.forced,
  },
  delays: {
    idleDelay: ({ context }) => context.ledger.spec.idleDelay,
    /** This limit is reached only where a service's process survives SIGKILL. */
    stopBudget: ({ context }) => context.ledger.spec.shutdownTimeout,
    /** Half of the reserve is kept for flushing the logs. */
    clearBudget: ({ context: { ledger } }) =>
      Math.max(0, deadlineOf(ledger) - ledger.at - shutdownReserve(ledger.spec.shutdownTimeout) / 2),
    killGrace,
  },
}).createMachine({
  id: 'system',
  context: ({ input, spawn, self }) => {
    const { seed = 0 } = input;
    for (const spec of input.spec.services) spawnService(spawn, self, spec, seed);
    return {
      seed,
      ledger: newLedger(input.spec, input.graph),
      missingPrograms: input.missingPrograms,
      childrenLeft: false,
      startedAny: false,
      saidWaiting: false,
      armed: undefined,
      looked: Number.NEGATIVE_INFINITY,
      end: undefined,
      failures: [],
      mains: [],
      main: undefined,
    };
  },
  invoke: { id: 'processTable', src: 'processTable' },
  initial: 'booting',
  on: {
    'processes.gone': { actions: ['noteTime', 'recordGone'] },
    'service.noticed': { actions: ['noteTime', 'notice'] },
    'service.spawned': { actions: [takeEvent] },
    'service.healthy': { actions: ['sayHealth', takeEvent] },
    'service.unhealthy': { actions: ['sayHealth', takeEvent] },
    'service.extended': { actions: [takeEvent] },
    'service.survived': { actions: [takeEvent] },
    'service.stopContinues': { actions: [takeEvent] },
    'stops.due': { actions: [takeEvent] },
    'services.signal': { actions: ['noteTime', 'passSignals'] },
    'services.run': { actions: ['noteTime', 'passRequest'] },
    'services.reload': { actions: ['noteTime', 'passRequest'] },
    'system.reload': {},
    'services.start': {},
    'services.stop': {},
    'services.reset': {},
    'services.enable': {},
    'services.disable': {},
  },
  states: {
    booting: {
      entry: ['announce'],
      initial: 'checking',
      on: {
        'system.reload': { actions: [takeEvent] },
        'service.changed': [
          {
            guard: 'endsSystem',
            target: 'draining',
            actions: [
              'recordFailure',
              { type: 'step', params: ({ event }) => ({ ...event, last: true }) },
              'recordEnd',
            ],
          },
          { actions: ['recordFailure', takeEvent, 'countProcesses'] },
        ],
        'service.exitKills': [
          { guard: 'isReplaced', actions: ['noteTime'] },
          { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ],
        'service.unhealthy': unhealthy,
        'system.shutdown': { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ...requests,
      },
      states: {
        checking: {
          tags: ['transient'],
          always: [
            { guard: 'programsMissing', target: '#system.draining', actions: ['endMissing'] },
            { target: 'starting' },
          ],
        },
        starting: {
          entry: [enter('booting.starting'), { type: 'step', params: ({ context }) => released(context, false) }],
          always: [
            { guard: 'allSettled', target: '#system.up' },
            { guard: 'onlyIdleServices', target: 'lastStage' },
            { guard: 'earlierStagesSettled', target: 'idling' },
          ],
        },
        /** All services but the IDLE ones are settled; the IDLE ones wait for `idle_delay`. */
        idling: {
          entry: [enter('booting.idling')],
          after: { idleDelay: 'lastStage' },
          on: {
            // Services that the reload adds start before the IDLE ones.
            'system.reload': { target: 'starting', actions: [takeEvent] },
          },
        },
        lastStage: {
          entry: [enter('booting.lastStage'), { type: 'step', params: ({ context }) => released(context, true) }],
          always: [{ guard: 'allSettled', target: '#system.up' }],
        },
      },
    },

    up: {
      entry: [enter('up'), { type: 'step', params: ({ context }) => released(context, true) }, 'sayReady'],
      always: [
        { guard: 'isExhausted', target: 'draining', actions: ['endIdle'] },
        { guard: 'onlyScheduled', actions: ['sayWaiting'] },
      ],
      on: {
        'system.reload': { actions: [takeEvent] },
        'service.changed': [
          {
            guard: 'endsSystemLater',
            target: 'draining',
            actions: [
              'recordFailure',
              { type: 'step', params: ({ event }) => ({ ...event, last: true }) },
              'recordEnd',
            ],
          },
          { actions: ['recordFailure', takeEvent, 'countProcesses'] },
        ],
        'service.exitKills': [
          { guard: 'isReplaced', actions: ['noteTime'] },
          { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ],
        'service.unhealthy': unhealthy,
        'system.shutdown': { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ...requests,
      },
    },

    draining: {
      entry: [
        'beginDrain',
        { type: 'step', params: ({ context }) => ({ type: 'drain.begun', at: context.ledger.at }) },
      ],
      initial: 'stopping',
      on: {
        'service.changed': { actions: [takeEvent, 'recordMain'] },
        'service.exitKills': { actions: ['noteTime'] },
      },
      states: {
        /** Stops the services one by one, dependents before prerequisites. */
        stopping: {
          entry: [enter('draining.stopping')],
          always: [{ guard: 'allEnded', target: 'clearing' }],
          after: { stopBudget: 'killing' },
          on: {
            'system.shutdown': [
              { guard: 'isForced', target: 'killing', actions: ['noteTime', 'sayForced'] },
              { actions: ['noteTime'] },
            ],
          },
        },
        /** Ends the processes that no service owns: daemons left behind, orphans. */
        clearing: {
          entry: [enter('draining.clearing'), { type: 'signalAll', params: { signal: 'SIGTERM' } }],
          after: { clearBudget: 'killing' },
          on: {
            'processes.gone': { target: '#system.halted', actions: ['noteTime', 'recordGone'] },
            'system.shutdown': [
              { guard: 'isForced', target: 'killing', actions: ['noteTime', 'sayForced'] },
              { actions: ['noteTime'] },
            ],
          },
        },
        killing: {
          entry: [
            enter('draining.killing'),
            { type: 'step', params: ({ context }) => ({ type: 'stops.forced', at: context.ledger.at }) },
            { type: 'signalAll', params: { signal: 'SIGKILL' } },
          ],
          after: { killGrace: '#system.halted' },
          on: {
            'processes.gone': { target: '#system.halted', actions: ['noteTime', 'recordGone'] },
            'system.shutdown': { actions: ['noteTime'] },
          },
        },
      },
    },

    halted: {
      entry: [enter('halted'), 'sayHalted'],
      on: {
        'processes.gone': {},
        'service.noticed': {},
        'service.healthy': {},
        'service.unhealthy': {},
        'service.changed': {},
        'service.exitKills': {},
        'service.spawned': {},
        'service.extended': {},
        'service.survived': {},
        'service.stopContinues': {},
        'services.signal': {},
        'services.run': {},
        'services.reload': {},
        'stops.due': {},
        'system.shutdown': {},
      },
    },
  },
});

type SystemSnapshot = SnapshotFrom<typeof systemMachine>;

/** The outcome of the system, once it has halted. */
export function outputOf({ context }: SystemSnapshot): SystemOutput {
  const { ledger } = context;
  const end = endOf(context);
  const { neverStarted = [], stopped = [] } = ledger.drain ?? {};
  return {
    end,
    exitStatus: exitStatusOf(end),
    neverStarted,
    // Left out: a service whose start failed while it was told to stop, and the service whose end is the reason of the
    // shutdown.
    stopped: stopped.filter((name) => ledger.slots.get(name)?.chart === 'stopped' && !endedBy(context, name)),
    deadline: deadlineOf(ledger),
  };
}

function endOf({ end, main, mains, ledger, failures }: SystemContext): SystemEnd {
  if (end === undefined) return { kind: 'internalError', message: 'the system ended without a reason' };
  if (end.kind === 'command') {
    const failed = lastFailed(ledger, failures);
    return failed === undefined ? end : { ...end, failed };
  }
  if (end.kind !== 'signal') return end;
  const [unended] = main === undefined ? mains : [];
  if (main !== undefined) return { ...end, main };
  // The system no longer waited for the end of this service, so SIGKILL ended it.
  return unended === undefined ? end : { ...end, main: { service: unended, outcome: killed } };
}

const killed: RunOutcome = { kind: 'exit', status: { kind: 'signaled', signal: 'SIGKILL', coreDumped: false } };

/** The latest failure among the services that are still failed. */
function lastFailed(ledger: Ledger, failures: readonly ServiceFailure[]): ServiceFailure | undefined {
  return failures.findLast((failure) => hasFailed(ledger, failure));
}

function hasFailed({ slots }: Ledger, { service }: ServiceFailure): boolean {
  return slots.get(service)?.chart === 'failed';
}

/** True for the command and for `exit_kills` services while they live. A scheduled service has no end of its own. */
function isMain({ spec, chart }: Slot): boolean {
  return (spec.name === consoleService || (spec.exitKills && !isScheduled(spec.type))) && isLive(chart);
}

/** The phases besides an end in which no process of the service may be left. */
const mayLeaveNobody: ReadonlySet<ServicePhase> = new Set(['ready.scheduled', 'ready.exited', 'exited']);

function released({ ledger }: SystemContext, idle: boolean): LedgerEvent {
  return { type: 'starts.released', idle, at: ledger.at };
}

function deadlineOf({ drain }: Ledger): number {
  return drain?.deadline ?? 0;
}

/** Spawns the machine that fits the type of a service. */
function spawnService(
  spawn: (
    src: 'service' | 'scheduled',
    options: { id: string; input: { spec: ServiceSpec; system: SystemRef; seed: number } },
  ) => unknown,
  system: SystemRef,
  spec: ServiceSpec,
  seed: number,
): void {
  const id = serviceActorId(spec.name);
  spawn(isScheduled(spec.type) ? 'scheduled' : 'service', { id, input: { spec, system, seed } });
}

/** True where a service is about to end because of a reload. */
function isReplaced({ ledger }: SystemContext, name: string): boolean {
  const slot = ledger.slots.get(name);
  return slot !== undefined && isReplacing(slot);
}

function endsSystem(context: SystemContext, event: SystemEvent, boots: boolean): boolean {
  if (event.type !== 'service.changed') return false;
  const slot = context.ledger.slots.get(event.name);
  if (slot === undefined || isReplacing(slot)) return false;
  const change = effectiveChange(slot, event.change);
  // A stop that is asked for is answered by no policy.
  if (!isStopping(slot) && successOf(slot, change) !== undefined) return true;
  if (change.phase !== 'failed') return false;
  const { during } = change;
  const endsAlways = slot.spec.onFailure === 'shutdown' && !isAskedFor(slot);
  if (endsAlways && !(during === 'start' && slot.askedBy === 'hand')) return true;
  // A service that has been ready before, and is back because a prerequisite is, is no part of the boot any more.
  const isBoot = slot.askedBy !== undefined || !slot.hasBeenReady;
  return boots && during === 'start' && isBoot && !slot.spec.ignoreFailures;
}

/** True for a stop that somebody has asked for. One because of a prerequisite may be a failure of the service itself. */
function isAskedFor(slot: Slot): boolean {
  return isStopping(slot) && slot.intent.why !== 'prerequisite';
}

/** The id of a service's actor: `service:web` for `web.service`. */
export function serviceActorId(name: string): string {
  return `service:${shortName(name)}`;
}

function endBy({ ledger, end }: SystemContext, event: SystemEvent): SystemEnd | undefined {
  switch (event.type) {
    case 'system.shutdown':
      return event.end;
    case 'service.exitKills':
      return { kind: 'exitKills', service: event.name, outcome: event.outcome };
    case 'service.unhealthy':
      return { kind: 'serviceFailed', service: event.name, cause: event.cause, onUnhealthy: true };
    case 'service.changed': {
      const slot = ledger.slots.get(event.name);
      const change = slot === undefined ? event.change : effectiveChange(slot, event.change);
      const success = slot === undefined ? undefined : successOf(slot, change);
      if (success !== undefined) return { kind: 'succeeded', service: event.name, outcome: success };
      if (change.phase !== 'failed') return end;
      const onFailure = slot?.spec.onFailure === 'shutdown';
      const { cause } = change;
      return { kind: 'serviceFailed', service: event.name, cause, ...(onFailure ? { onFailure } : {}) };
    }
    default:
      return end;
  }
}

/** How a service with `on_success: shutdown` has ended, if the change is its normal end. */
function successOf({ spec }: Slot, change: ServiceChange): RunOutcome | undefined {
  if (spec.onSuccess === undefined) return undefined;
  // The start command of another service than a oneshot leaves the service itself behind.
  const isDone = change.phase === 'exited' || (change.phase === 'ready.exited' && spec.type === 'oneshot');
  return isDone && change.end !== undefined ? { kind: 'exit', status: change.end.status } : undefined;
}

/** True for the service whose own end is the reason of the shutdown: it counts as ended, not as stopped. */
function endedBy({ end }: SystemContext, name: string): boolean {
  return (end?.kind === 'exitKills' || end?.kind === 'succeeded') && end.service === name;
}

function scheduledNames({ ledger }: SystemContext): readonly string[] {
  return ledger.slots.all().flatMap((slot) => (phaseOf(slot) === 'ready.scheduled' ? [slot.spec.name] : []));
}
