/**
 * One cron or inetd service, from the configuration to the end of the system. It takes the commands that every service takes, and
 * reports what every service reports (service.ts), but its processes come and go: none of their ends is its own.
 *
 *     disabled
 *     pending  → starting → ready (scheduled) → stopping (draining → terminating → killing) → stopped
 *                    └──→ failed
 *
 * What starts a run is the `trigger`, a port that is there from `starting` until the service stops or the system retires it: to end
 * it is to unschedule, or to close the port. The types differ in the trigger that the runtime provides (a schedule, or a listener),
 * and in how many runs there may be: a cron service has one, and a tick while it goes on is skipped; an inetd service has
 * `max_connections`, and the clients after that wait in the backlog.
 *
 * Each run is a unit. A run counts as ended with its leader: what it leaves in its group lives on and holds nobody up, and is ended
 * by a stop, a reset and the shutdown, never by the next run. A service that is only unscheduled (`leaves`) is stopped once no run
 * goes on, and keeps the units of what they have left.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A client that was taken in the moment in which the service became full is served: it has been promised a handler.
 * - One that was taken in the moment in which the service ends is not: the trigger's end closes the connection.
 * - A stop that comes before the trigger is armed wins.
 * - A run that is still being spawned when all are told to end is told, too (the unit keeps the wish).
 * - A stop that lets runs finish is hastened by any other stop.
 * - A reset ends the runs and keeps the trigger; clients that wait are served as soon as there is room.
 * - Only without units does it leave `stopping`.
 */
import {
  type ActorRef,
  type ActorRefFrom,
  assertEvent,
  assign,
  enqueueActions,
  fromCallback,
  type Snapshot,
  setup,
} from 'xstate';
import {
  mostRuns,
  type RunCounts,
  type ScheduleNews,
  type TriggerCommand,
  type TriggerFact,
} from '../model/schedule/scheduled-runs.ts';
import { isNormal } from '../model/service/exit-status.ts';
import type { FailureCause, RunEnd, ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { UnitFact } from '../model/service/unit-events.ts';
import { enter } from './enter.ts';
import type { ServiceCommand, ServiceNoticed, SystemRef } from './service-protocol.ts';
import { stamped } from './stamped.ts';
import { unitMachine } from './unit.ts';

export type ScheduledEvent = ServiceCommand | TriggerFact | UnitFact | ResetOverdue;

/** Raised by the service itself: what a reset has told to end has not ended in time. */
interface ResetOverdue {
  readonly type: 'reset.overdue';
  readonly at: number;
}

export interface ScheduledInput {
  readonly spec: ServiceSpec;
  readonly system: SystemRef;
}

interface Run {
  readonly ref: ActorRefFrom<typeof unitMachine>;
  /** Its unit's name among those of this service; free for another once nothing of it is left. */
  readonly place: number;
  /** Its leader's; 0 until it is spawned, and once it has ended. */
  readonly pid: number;
  /** Its leader has ended. */
  readonly ended: boolean;
  /** Monotonic ms at which SIGKILL is due, where a reset has told it to end: how it does is no news. */
  readonly killAt: number | undefined;
}

interface ScheduledContext extends ScheduledInput {
  /** The units of which something is left, by their serial. */
  readonly runs: Readonly<Record<number, Run>>;
  /** Runs that were begun. */
  readonly begun: number;
  /** Starts of the service so far. */
  readonly serial: number;
  readonly trigger: ActorRef<Snapshot<unknown>, TriggerCommand> | undefined;
  /** The trigger was told to wait. */
  readonly paused: boolean;
  readonly verdict: FailureCause | undefined;
  readonly lastEnd: RunEnd | undefined;
  readonly retired: boolean;
  /** It is drained, and what its runs leave behind lives on. */
  readonly leaves: boolean;
  /** Monotonic ms at which what its runs have left gets SIGKILL, after a drain. */
  readonly clearUntil: number;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** The port that starts the runs: a schedule or a listener, by the type of the service. The runtime provides it. */
const trigger = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(() => {
  throw new Error('internal error: the port trigger is not provided');
});

/** ms that what a finished run has left behind has to end before SIGKILL, and from there until it is said to survive. */
const clearGrace = 2_000;
const killGrace = 1_000;

const when = stamped<ScheduledContext, ScheduledEvent>();

/** Facts of a trigger that has been ended. */
const lateTrigger = { 'trigger.armed': {}, 'trigger.refused': {}, 'trigger.fired': {} };

/** Where no run goes on. What earlier ones have left behind may. */
const atRest = {
  'service.kill': {},
  'service.reset': { actions: ['noteTime', 'resetRuns'] },
  'service.signal': {},
  'service.retire': { actions: ['retire'] },
  'unit.spawned': {},
  'unit.spawnFailed': {},
  'unit.leaderExited': {},
  'unit.cleared': { actions: ['noteTime', 'dropRun'] },
  'unit.survived': {},
  ...lateTrigger,
} as const;

/** What every state with units does with their facts. */
const unitFacts = {
  'unit.spawned': { actions: ['recordSpawn'] },
  'unit.cleared': { actions: ['noteTime', 'dropRun', 'balance'] },
  'unit.survived': { actions: ['noteTime', 'tellSurvived'] },
} as const;

export const scheduledMachine = setup({
  types: {
    context: {} as ScheduledContext,
    events: {} as ScheduledEvent,
    input: {} as ScheduledInput,
    tags: {} as 'transient',
  },
  actors: { trigger, unit: unitMachine },
  actions: {
    /** Records where the chart has come to; the runtime provides it. Nothing that the chart does depends on it. */
    enter: (_, _params: { readonly stage: ServiceStage }): void => undefined,
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    spawnTrigger: assign(({ context, spawn }) => ({
      serial: context.serial + 1,
      verdict: undefined,
      paused: false,
      trigger: spawn('trigger', { id: 'trigger', input: context.spec }),
    })),
    endTrigger: enqueueActions(({ context, enqueue }) => {
      if (context.trigger !== undefined) enqueue.stopChild(context.trigger);
      enqueue.assign({ trigger: undefined });
    }),
    startRun: assign(({ context, event, self, spawn }) => {
      assertEvent(event, 'trigger.fired');
      const serial = context.begun + 1;
      const place = freePlace(context);
      const connection = event.connection === undefined ? {} : { connection: event.connection };
      const ref = spawn('unit', {
        id: `unit-${place}`,
        input: { run: { service: context.spec, serial, ...connection }, owner: self },
      });
      const run = { ref, place, pid: 0, ended: false, killAt: undefined };
      return { at: event.at, begun: serial, runs: { ...context.runs, [serial]: run } };
    }),
    recordSpawn: assign(
      when('unit.spawned', (context, { serial, pid }) => ({ runs: changed(context, serial, { pid }) })),
    ),
    /** What it has left behind keeps its unit. */
    endRun: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'unit.leaderExited');
      const { serial, pid, status, left, age, at } = event;
      enqueue.assign({ at, lastEnd: { pid, status, ran: age } });
      if (left > 0) enqueue.assign({ runs: changed(context, serial, { pid: 0, ended: true }) });
    }),
    dropRun: enqueueActions(({ context, event, enqueue }) => {
      if (!('serial' in event) || (event.type === 'unit.leaderExited' && event.left > 0)) return;
      const { [event.serial]: run, ...others } = context.runs;
      if (run === undefined) return;
      enqueue.stopChild(run.ref);
      enqueue.assign({ runs: others });
      if (run.killAt !== undefined && nextKill(others) === undefined) enqueue.cancel('reset');
    }),
    /** Clients wait in the backlog while there is no room. */
    balance: enqueueActions(({ context, enqueue }) => {
      const isFull = runningCount(context) >= mostRuns(context.spec);
      if (context.trigger === undefined || isFull === context.paused) return;
      enqueue.assign({ paused: isFull });
      enqueue.sendTo(context.trigger, { type: isFull ? 'trigger.pause' : 'trigger.resume' });
    }),
    tellRunEnd: enqueueActions(({ context, event, enqueue }) => {
      const news = runNews(context, event);
      if (news !== undefined) enqueue.sendTo(context.system, noticed(context, news));
    }),
    tellSkipped: enqueueActions(({ context, enqueue }) =>
      enqueue.sendTo(context.system, noticed(context, { kind: 'skipped' })),
    ),
    tellReset: enqueueActions(({ context, enqueue }) =>
      enqueue.sendTo(context.system, noticed(context, { kind: 'reset' })),
    ),
    tellClearing: enqueueActions(({ context, enqueue }) => {
      const pids = Object.values(context.runs).flatMap(({ pid, ended }) => (ended ? [] : [pid]));
      if (pids.length === 0 || context.spec.type !== 'inetd') return;
      enqueue.sendTo(context.system, noticed(context, { kind: 'clearing', pids }));
    }),
    resetRuns: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'service.reset');
      const { at, killAfter } = event;
      const runs = Object.entries(context.runs);
      // What was told before keeps its time.
      const reset = runs.map(([serial, run]) => [serial, { ...run, killAt: run.killAt ?? at + killAfter }] as const);
      enqueue.assign({ runs: Object.fromEntries(reset) });
      if (runs.length > 0 && nextKill(context.runs) === undefined)
        enqueue.raise({ type: 'reset.overdue', at: at + killAfter }, { id: 'reset', delay: killAfter });
      for (const [, { ref }] of runs) enqueue.sendTo(ref, terminate(context, at));
    }),
    killReset: enqueueActions(({ context: { runs }, event, enqueue }) => {
      assertEvent(event, 'reset.overdue');
      const { at } = event;
      const later = Object.entries(runs).map(([serial, run]) => {
        const isDue = run.killAt !== undefined && run.killAt <= at;
        if (isDue) enqueue.sendTo(run.ref, { type: 'unit.kill', grace: killGrace, at });
        return [serial, isDue ? { ...run, killAt: Number.POSITIVE_INFINITY } : run] as const;
      });
      enqueue.assign({ runs: Object.fromEntries(later) });
      const next = nextKill(Object.fromEntries(later));
      if (next !== undefined) enqueue.raise({ type: 'reset.overdue', at: next }, { id: 'reset', delay: next - at });
    }),
    terminateRuns: enqueueActions(({ context, enqueue }) => {
      // From here on the stop's own time counts.
      enqueue.cancel('reset');
      for (const { ref } of Object.values(context.runs)) enqueue.sendTo(ref, terminate(context, context.at));
    }),
    killRuns: enqueueActions(({ context: { runs, at }, event, enqueue }) => {
      const grace = event.type === 'service.kill' ? event.grace : killGrace;
      for (const { ref } of Object.values(runs)) enqueue.sendTo(ref, { type: 'unit.kill', grace, at });
    }),
    recordDrain: assign(when('service.stop', (_, { leaves = false }) => ({ leaves }))),
    recordClearing: assign({ clearUntil: ({ context: { at } }) => at + clearGrace }),
    passClearGrace: assign({ at: ({ context: { at, clearUntil } }) => Math.max(at, clearUntil) }),
    signalRuns: enqueueActions(({ context: { runs }, event, enqueue }) => {
      assertEvent(event, 'service.signal');
      for (const { ref } of Object.values(runs)) enqueue.sendTo(ref, { type: 'unit.signal', signal: event.signal });
    }),
    judgeRefusal: assign(when('trigger.refused', (_, { cause }) => ({ verdict: cause }))),
    retire: assign(when('service.retire', () => ({ retired: true }))),
    reconfigure: assign(({ event }) => {
      assertEvent(event, 'service.reconfigure');
      return { spec: event.spec, at: event.at };
    }),
    report: enqueueActions(({ context, enqueue }, params: { phase: ServiceChange['phase'] }) => {
      const change = describeChange(context, params.phase);
      enqueue.sendTo(context.system, { type: 'service.changed', name: context.spec.name, change, at: context.at });
    }),
    tellSurvived: enqueueActions(({ context: { system, spec, at }, enqueue }) => {
      enqueue.sendTo(system, { type: 'service.survived', name: spec.name, at });
    }),
  },
  guards: {
    isEnabled: ({ context }) => context.spec.enabled,
    isRetired: ({ context }) => context.retired,
    isUnknown: ({ context, event }) => 'serial' in event && context.runs[event.serial] === undefined,
    drains: ({ event }) => event.type === 'service.stop' && event.drain,
    isBusyCron: ({ context }) => context.spec.type === 'cron' && runningCount(context) > 0,
    isEmpty: ({ context }) => Object.keys(context.runs).length === 0,
    isIdle: ({ context }) => runningCount(context) === 0,
    isUnscheduled: ({ context }) => context.leaves && runningCount(context) === 0,
  },
  delays: { clearGrace },
}).createMachine({
  id: 'scheduled',
  context: ({ input }) => ({
    ...input,
    runs: {},
    begun: 0,
    serial: 0,
    trigger: undefined,
    paused: false,
    verdict: undefined,
    lastEnd: undefined,
    retired: false,
    leaves: false,
    clearUntil: 0,
    at: 0,
  }),
  initial: 'configured',
  on: {
    'service.reconfigure': { actions: ['reconfigure'] },
    'reset.overdue': { actions: ['noteTime', 'killReset'] },
  },
  states: {
    configured: {
      tags: ['transient'],
      always: [{ guard: 'isEnabled', target: 'pending' }, { target: 'disabled' }],
    },

    disabled: {
      entry: [enter('disabled')],
      on: {
        // The system sends it only where somebody has enabled it by hand.
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    pending: {
      entry: [enter('pending')],
      on: {
        ...atRest,
        'service.start': { target: 'starting', actions: ['noteTime'] },
        'service.stop': { target: 'stopped', actions: ['noteTime'] },
        'service.kill': { target: 'stopped', actions: ['noteTime'] },
        'service.retire': { target: 'stopped', actions: ['retire'] },
      },
    },

    starting: {
      entry: ['spawnTrigger', { type: 'report', params: { phase: 'starting' } }],
      initial: 'spawning',
      on: {
        ...atRest,
        'service.start': {},
        'service.stop': [
          { guard: 'drains', target: 'stopping.draining', actions: ['recordDrain'] },
          { target: 'stopping', actions: ['noteTime'] },
        ],
        'service.kill': { target: 'stopping.killing', actions: ['noteTime'] },
        'service.retire': { actions: ['retire', 'endTrigger'] },
        'trigger.armed': { target: 'ready', actions: ['noteTime'] },
        'trigger.refused': { target: 'failed', actions: ['judgeRefusal', 'endTrigger'] },
      },
      states: { spawning: { entry: [enter('starting.spawning')] } },
    },

    ready: {
      initial: 'scheduled',
      on: {
        'service.start': {},
        'service.stop': [
          { guard: 'drains', target: 'stopping.draining', actions: ['recordDrain'] },
          { target: 'stopping', actions: ['noteTime'] },
        ],
        'service.kill': { target: 'stopping.killing', actions: ['noteTime'] },
        // What runs may run until the stop comes.
        'service.retire': { actions: ['retire', 'endTrigger'] },
        'service.reset': { actions: ['noteTime', 'tellReset', 'resetRuns'] },
        'service.signal': { actions: ['noteTime', 'signalRuns'] },
        ...unitFacts,
        'unit.spawnFailed': { actions: ['noteTime', 'tellRunEnd', 'dropRun', 'balance'] },
        'unit.leaderExited': [
          { guard: 'isUnknown' },
          { actions: ['noteTime', 'tellRunEnd', 'endRun', 'dropRun', 'balance'] },
        ],
        ...lateTrigger,
        'trigger.fired': [
          { guard: 'isRetired' },
          { guard: 'isBusyCron', actions: ['noteTime', 'tellSkipped'] },
          { actions: ['startRun', 'balance'] },
        ],
      },
      states: {
        scheduled: { entry: [enter('ready.scheduled'), { type: 'report', params: { phase: 'ready.scheduled' } }] },
      },
    },

    stopping: {
      entry: ['endTrigger', { type: 'report', params: { phase: 'stopping' } }],
      always: { guard: 'isEmpty', target: 'stopped' },
      initial: 'terminating',
      on: {
        'service.start': {},
        'service.stop': {},
        'service.kill': { target: '.killing', actions: ['noteTime'] },
        'service.retire': { actions: ['retire'] },
        'service.reset': {},
        'service.signal': { actions: ['noteTime', 'signalRuns'] },
        ...unitFacts,
        'unit.spawnFailed': { actions: ['noteTime', 'dropRun'] },
        // How a run ends that was told to is no news.
        'unit.leaderExited': [{ guard: 'isUnknown' }, { actions: ['endRun', 'dropRun'] }],
        ...lateTrigger,
      },
      states: {
        /** What runs may finish; what it leaves behind is ended then, unless the service is only unscheduled. */
        draining: {
          entry: [enter('stopping.draining')],
          always: [
            { guard: 'isUnscheduled', target: '#scheduled.stopped' },
            { guard: 'isIdle', target: 'clearing' },
          ],
          on: {
            'service.stop': [
              { guard: 'drains', actions: ['recordDrain'] },
              { target: 'terminating', actions: ['noteTime'] },
            ],
            'service.reset': { actions: ['noteTime', 'tellReset', 'resetRuns'] },
            'unit.leaderExited': [{ guard: 'isUnknown' }, { actions: ['noteTime', 'tellRunEnd', 'endRun', 'dropRun'] }],
          },
        },
        terminating: { entry: [enter('stopping.terminating'), 'tellClearing', 'terminateRuns'] },
        clearing: {
          entry: ['recordClearing', enter('stopping.clearing'), 'terminateRuns'],
          after: { clearGrace: { target: 'killing', actions: ['passClearGrace'] } },
        },
        killing: { entry: [enter('stopping.killing'), 'killRuns'] },
      },
    },

    stopped: {
      entry: [enter('stopped'), { type: 'report', params: { phase: 'stopped' } }],
      on: {
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    failed: {
      entry: [enter('failed'), { type: 'report', params: { phase: 'failed' } }],
      on: {
        ...atRest,
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime'] }],
        'service.stop': {},
        'service.reset': { target: 'stopped', actions: ['noteTime', 'resetRuns'] },
      },
    },
  },
});

/** What a scheduled service has done so far, for status listings. */
export function runCounts(context: ScheduledContext): RunCounts {
  return { begun: context.begun, running: runningCount(context) };
}

function runningCount({ runs }: ScheduledContext): number {
  return Object.values(runs).reduce((count, { ended }) => (ended ? count : count + 1), 0);
}

/** Names of units are few, and used again: what XState keeps for each of them does not grow. */
function freePlace({ runs }: ScheduledContext): number {
  const taken = new Set(Object.values(runs).map(({ place }) => place));
  let place = 1;
  while (taken.has(place)) place += 1;
  return place;
}

/** Monotonic ms at which SIGKILL is due next, for what a reset has told to end. */
function nextKill(runs: ScheduledContext['runs']): number | undefined {
  const next = Object.values(runs).reduce(
    (least, { killAt = Number.POSITIVE_INFINITY }) => Math.min(least, killAt),
    Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(next) ? next : undefined;
}

function changed({ runs }: ScheduledContext, serial: number, changes: Partial<Run>): ScheduledContext['runs'] {
  const run = runs[serial];
  return run === undefined ? runs : { ...runs, [serial]: { ...run, ...changes } };
}

function terminate({ spec }: ScheduledContext, at: number) {
  return { type: 'unit.terminate' as const, signal: spec.killSignal, at };
}

function noticed({ spec, at }: ScheduledContext, news: ScheduleNews): ServiceNoticed {
  return { type: 'service.noticed', name: spec.name, news, at };
}

function runNews({ runs }: ScheduledContext, event: ScheduledEvent): ScheduleNews | undefined {
  const run = 'serial' in event ? runs[event.serial] : undefined;
  if (run === undefined || run.killAt !== undefined) return undefined;
  if (event.type === 'unit.spawnFailed') return { kind: 'runUnspawned', error: event.error };
  if (event.type !== 'unit.leaderExited' || isNormal(event.status)) return undefined;
  return { kind: 'runFailed', pid: event.pid, status: event.status };
}

function describeChange({ serial, verdict, spec }: ScheduledContext, phase: ServiceChange['phase']): ServiceChange {
  switch (phase) {
    case 'stopping':
    case 'stopped':
    case 'ready.scheduled':
      return { phase };
    case 'starting':
      return { phase, serial };
    case 'failed':
      if (verdict === undefined) throw new Error(`internal error: ${spec.name} failed without a cause`);
      return { phase, cause: verdict, during: 'start' };
    case 'ready.running':
    case 'ready.exited':
    case 'exited':
    case 'backoff':
      throw new Error(`internal error: ${spec.name} is scheduled, and never ${phase}`);
  }
}
