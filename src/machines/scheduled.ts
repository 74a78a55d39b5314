/**
 * One cron or inetd service, from the configuration to the end of the system. It takes the same commands and sends the
 * same reports as every other service (service.ts), but it runs many processes one after the other, and the end of one
 * does not end the service.
 *
 *     disabled
 *     pending  → starting → ready (scheduled) → stopping (draining → terminating → killing) → stopped
 *                    └──→ failed
 *
 * The `trigger` starts the runs. It is a port that exists from `starting` until the service stops or the system retires
 * it; ending the port removes the schedule, or closes the listener. Cron and inetd services differ in the trigger that
 * the runtime provides and in the number of runs at a time: a cron service has one and skips a tick that comes
 * meanwhile; an inetd service has `max_connections`, and further clients wait in the backlog.
 *
 * Each run is a unit. A run counts as ended when its leader has ended. Processes that it leaves in its group live on
 * and delay nothing; a stop, a reset or the shutdown ends them, the next run does not. A service that is only
 * unscheduled (`leaves`) is stopped once no run is in progress, and keeps the units of the processes that its runs have
 * left.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A client whose connection was accepted just as the service became full is served.
 * - A connection that was accepted just as the service ends is closed with the trigger.
 * - A stop that comes before the trigger is armed wins.
 * - A run whose spawn is not reported yet when all runs are told to end is told, too: its unit remembers the request.
 * - A stop that lets runs finish becomes an immediate one at any other stop.
 * - A reset ends the runs and keeps the trigger; waiting clients are served as soon as there is room.
 * - The service leaves `stopping` only when it has no units.
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
import { killGrace } from '../model/ledger/stops.ts';
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
import { clearGrace } from './limits.ts';
import type { ServiceCommand, ServiceNoticed, SystemRef } from './service-events.ts';
import { stamped } from './stamped.ts';
import { unitMachine } from './unit.ts';

export type ScheduledEvent = ServiceCommand | TriggerFact | UnitFact | ResetOverdue;

/** The service raises this itself: a run that a reset has told to end has not ended in time. */
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
  /** The number in the name of the run's unit; another run may take it once nothing of this one is left. */
  readonly place: number;
  /** The pid of the run's leader; 0 before the spawn and after the leader's end. */
  readonly pid: number;
  /** True once the run's leader has ended. */
  readonly ended: boolean;
  /** Monotonic ms of SIGKILL after a reset has told the run to end; the end of such a run is not reported. */
  readonly killAt: number | undefined;
}

interface ScheduledContext extends ScheduledInput {
  /** The units of which something is left, by the serial of their run. */
  readonly runs: Readonly<Record<number, Run>>;
  /** How many runs have begun so far. */
  readonly begun: number;
  /** How often the service has started so far. */
  readonly serial: number;
  readonly trigger: ActorRef<Snapshot<unknown>, TriggerCommand> | undefined;
  /** True while the trigger is told to wait. */
  readonly paused: boolean;
  readonly verdict: FailureCause | undefined;
  readonly lastEnd: RunEnd | undefined;
  readonly retired: boolean;
  /** True while the service lets its runs finish and lets the processes live that they leave behind. */
  readonly leaves: boolean;
  /** Monotonic ms at which processes that finished runs have left get SIGKILL, after the runs have finished. */
  readonly clearUntil: number;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** The port that starts the runs: a schedule or a listener, by the type of the service. The runtime provides it. */
const trigger = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(() => {
  throw new Error('internal error: the port trigger is not provided');
});

const when = stamped<ScheduledContext, ScheduledEvent>();

/** Late facts of a trigger that has been ended are ignored. */
const lateTrigger = { 'trigger.armed': {}, 'trigger.refused': {}, 'trigger.fired': {} };

/** Answers of the states without a run in progress. Processes that earlier runs have left may still live there. */
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

/** Answers of every state with units to the facts of those. */
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
    /** Records the stage that the chart has reached; the runtime provides this action. The chart ignores it. */
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
    /** Marks a run as ended; its unit is kept while processes of its group are left. */
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
    /** Pauses the trigger while there is no room for another run: clients wait in the backlog. */
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
      // A run that an earlier reset has told to end keeps its time limit.
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
      // From here on the time limit of the stop counts instead.
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
        // The system sends this only where somebody has enabled the service by hand.
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
        // Runs in progress may go on until the stop comes.
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
        // The end of a run that was told to end is not reported.
        'unit.leaderExited': [{ guard: 'isUnknown' }, { actions: ['endRun', 'dropRun'] }],
        ...lateTrigger,
      },
      states: {
        /** Runs may finish. Then the processes that they left are ended, unless the service is only unscheduled. */
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

/** What a scheduled service has run so far, for status listings. */
export function runCounts(context: ScheduledContext): RunCounts {
  return { begun: context.begun, running: runningCount(context) };
}

function runningCount({ runs }: ScheduledContext): number {
  return Object.values(runs).reduce((count, { ended }) => (ended ? count : count + 1), 0);
}

/** The smallest free number for a unit's name. Names are reused because XState keeps something for each. */
function freePlace({ runs }: ScheduledContext): number {
  const taken = new Set(Object.values(runs).map(({ place }) => place));
  let place = 1;
  while (taken.has(place)) place += 1;
  return place;
}

/** Monotonic ms at which the next SIGKILL is due among the runs that a reset has told to end. */
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
