/**
 * One cron or inetd service, from the configuration to the end of the system. It takes the same commands and sends the
 * same reports as every other service (service.ts), but it runs many processes one after the other, and the end of one
 * does not end the service.
 *
 *     disabled
 *     pending  → starting → ready (scheduled) → stopping (draining → terminating → killing) → stopped
 *                 ↑  └──→ failed
 *                 └── backoff (a port that could not be opened is tried again where restart_on_start_failure says so)
 *
 * The `trigger` starts the runs. It is a port that exists from `starting` until the service stops or the system retires
 * it; ending the port removes the schedule, or closes the listener. Cron and inetd services differ in the trigger that
 * the runtime provides and in the number of runs at a time: a cron service has one and skips a tick that comes
 * meanwhile; an inetd service has `max_connections`, and further clients wait in the backlog.
 *
 * Each run is a unit, or with hooks a chain of units (hooked-run.ts). A run counts as ended when its leader has ended. Processes that it leaves in its group live on
 * and delay nothing; a stop, a reset or the shutdown ends them, the next run does not. A service that is only
 * unscheduled (`leaves`) is stopped once no run is in progress, and keeps the units of the processes that its runs have
 * left.
 *
 * A tick that finds the last run alive is skipped, or waits (`overlap: queue`), or ends that run (`replace`). At most one
 * run waits: it stands for all ticks, and for all requests of people, that come until it begins.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A client whose connection was accepted just as the service became full is served.
 * - A connection that was accepted just as the service ends is closed with the trigger.
 * - A stop that comes before the trigger is armed wins.
 * - A run whose spawn is not reported yet when all runs are told to end is told, too: its unit remembers the request.
 * - A stop that lets runs finish becomes an immediate one at any other stop.
 * - A reset ends the runs and keeps the trigger; waiting clients are served as soon as there is room. A run that waits is
 *   dropped, as at a stop.
 * - Once the system is ending, a run whose process does not run yet does not begin.
 * - A run that ends in the instant in which its max_runtime has passed counts as ended by itself.
 * - The service leaves `stopping` only when it has no units.
 */
import { type ActorRef, assertEvent, assign, enqueueActions, fromCallback, type Snapshot, setup } from 'xstate';
import { killGrace } from '../model/ledger/stops.ts';
import {
  mostRuns,
  type RunAnswer,
  type RunCounts,
  type RunResult,
  type ScheduleNews,
  type TriggerCommand,
  type TriggerFact,
} from '../model/schedule/scheduled-runs.ts';
import { isNormalEnd } from '../model/service/ending.ts';
import { hooksOf } from '../model/service/hook.ts';
import { answerTo, nextTry, noTries, type Tried, type TryMemory } from '../model/service/restart-policy.ts';
import type { FailureCause, RunEnd, ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { UnitFact } from '../model/service/unit-events.ts';
import { type ConditionFact, conditionsMachine } from './conditions.ts';
import { enter } from './enter.ts';
import { hookedRunMachine } from './hooked-run.ts';
import { clearGrace } from './limits.ts';
import type { ServiceCommand, ServiceNoticed, SystemRef } from './service-events.ts';
import { backoffChange, givenUp } from './service-outcomes.ts';
import { stamped } from './stamped.ts';
import { type UnitCommand, unitMachine } from './unit.ts';

export type ScheduledEvent = ServiceCommand | RunRequest | TriggerFact | UnitFact | ConditionFact | OwnEvent;

/** Somebody asks for a run of a cron service; the answer names the request. */
interface RunRequest {
  readonly type: 'service.run';
  readonly request: number;
  readonly at: number;
}

/** Events that the service raises itself. */
type OwnEvent =
  /** A run that was told to end has not ended in time. */
  | { readonly type: 'reset.overdue'; readonly at: number }
  /** A run has lasted for max_runtime. */
  | { readonly type: 'run.overran'; readonly serial: number; readonly at: number }
  /** The run that has waited may begin. */
  | { readonly type: 'run.due'; readonly at: number };

export interface ScheduledInput {
  readonly spec: ServiceSpec;
  /** Where the chance of restart_jitter begins in this boot; absent: 0. */
  readonly seed?: number;
  readonly system: SystemRef;
}

interface Run {
  /** Its unit, or what asks its conditions: that takes the same commands. */
  readonly ref: ActorRef<Snapshot<unknown>, UnitCommand>;
  /** The number in the name of the run's unit; another run may take it once nothing of this one is left. */
  readonly place: number;
  /** The pid of the run's leader; 0 before the spawn and after the leader's end. */
  readonly pid: number;
  /** True once the run's leader has ended. */
  readonly ended: boolean;
  /** Why the run was told to end; the end of such a run is not reported. */
  readonly ending: 'stop' | 'reset' | 'replace' | 'limit' | undefined;
  /** Monotonic ms of SIGKILL after the run was told to end, where the service itself watches that. */
  readonly killAt: number | undefined;
  /** The numbers of the requests that have asked for the run. */
  readonly requests: readonly number[];
}

interface ScheduledContext extends ScheduledInput, TryMemory {
  /** The units of which something is left, by the serial of their run. */
  readonly runs: Readonly<Record<number, Run>>;
  /** Set while a run waits for the end of the present one: the requests that have asked for it. */
  readonly waiting: readonly number[] | undefined;
  /** How many runs have begun so far. */
  readonly begun: number;
  /** How often the service has started so far. */
  readonly serial: number;
  readonly trigger: ActorRef<Snapshot<unknown>, TriggerCommand> | undefined;
  /** True while the trigger is told to wait. */
  readonly paused: boolean;
  readonly verdict: FailureCause | undefined;
  /** Why the last start was skipped: its conditions were not met. */
  readonly skipped: string | undefined;
  readonly lastEnd: RunEnd | undefined;
  readonly retired: boolean;
  /** True once its runs have got SIGKILL since the last start. */
  readonly wasKilled: boolean;
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

const refuseRun = { type: 'answerRun', params: { answer: 'unscheduled' } } as const;

/** Answers of the states without a run in progress. Processes that earlier runs have left may still live there. */
const atRest = {
  'service.kill': {},
  'service.reset': { actions: ['noteTime', 'resetRuns'] },
  'service.signal': {},
  'service.run': { actions: ['noteTime', refuseRun] },
  'service.retire': { actions: ['retire'] },
  'run.due': {},
  'unit.spawned': {},
  'unit.spawnFailed': {},
  'unit.leaderExited': {},
  'unit.cleared': { actions: ['noteTime', 'dropRun'] },
  'unit.survived': {},
  'conditions.met': {},
  'conditions.unmet': {},
  'conditions.failed': {},
  ...lateTrigger,
} as const;

/** A run has not begun: its conditions are not met, or it was told to end meanwhile. */
const runDropped = ['noteTime', 'tellRunEnd', 'tellAnswers', 'dropRun', 'balance', 'startWaiting'] as const;

/** Answers of every state with units to the facts of those. */
const unitFacts = {
  'unit.spawned': { actions: ['recordSpawn', 'armLimit'] },
  'unit.cleared': { actions: ['noteTime', 'tellAnswers', 'dropRun', 'balance'] },
  'unit.survived': { actions: ['noteTime', 'tellSurvived'] },
} as const;

export const scheduledMachine = setup({
  types: {
    context: {} as ScheduledContext,
    events: {} as ScheduledEvent,
    input: {} as ScheduledInput,
    tags: {} as 'transient',
  },
  actors: { trigger, unit: unitMachine, hookedRun: hookedRunMachine, conditions: conditionsMachine },
  actions: {
    /** Records the stage that the chart has reached; the runtime provides this action. The chart ignores it. */
    enter: (_, _params: { readonly stage: ServiceStage }): void => undefined,
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    beginStart: assign(({ context: { serial } }) => ({ serial: serial + 1, verdict: undefined, skipped: undefined })),
    /** Asks the conditions of the start of an inetd service, in the place of a run with the number 0. */
    askStart: assign(({ context, self, spawn }) => {
      const { spec: service, runs, at } = context;
      const ref = spawn('conditions', { id: 'ask-0', input: { service, serial: 0, owner: self, at } });
      const run = { ref, place: 0, pid: 0, ended: false, ending: undefined, killAt: undefined, requests: [] };
      return { runs: { ...runs, 0: run } };
    }),
    recordSkip: assign(when('conditions.unmet', (_, { why }) => ({ skipped: why }))),
    judgeConditions: assign(
      when('conditions.failed', (_, { failure }) => ({ verdict: { kind: 'condition', failure } })),
    ),
    /** The conditions of a run are met: its unit takes the place of what has asked them. */
    beginRun: enqueueActions(({ context, event, enqueue, self }) => {
      assertEvent(event, 'conditions.met');
      const { serial, at } = event;
      const run = context.runs[serial];
      if (run === undefined) return;
      enqueue.stopChild(run.ref);
      enqueue.assign(({ spawn }) => {
        const id = `unit-${run.place}`;
        const input = { run: { service: context.spec, serial }, owner: self };
        const ref = context.spec.hooks === undefined ? spawn('unit', { id, input }) : spawn('hookedRun', { id, input });
        return { at, runs: changed(context, serial, { ref }) };
      });
    }),
    spawnTrigger: assign(({ context, spawn }) => ({
      paused: false,
      wasKilled: false,
      trigger: spawn('trigger', { id: 'trigger', input: context.spec }),
    })),
    endTrigger: enqueueActions(({ context, enqueue }) => {
      if (context.trigger !== undefined) enqueue.stopChild(context.trigger);
      enqueue.assign({ trigger: undefined });
    }),
    startRun: assign(({ context, event, self, spawn }) => {
      assertEvent(event, ['trigger.fired', 'service.run', 'run.due']);
      const serial = context.begun + 1;
      const place = freePlace(context);
      const client = event.type === 'trigger.fired' ? event.connection : undefined;
      const connection = client === undefined ? {} : { connection: client };
      const { spec: service } = context;
      const ref =
        service.type === 'cron' && service.startIf !== undefined
          ? spawn('conditions', { id: `ask-${place}`, input: { service, serial, owner: self, at: event.at } })
          : service.hooks === undefined
            ? spawn('unit', { id: `unit-${place}`, input: { run: { service, serial, ...connection }, owner: self } })
            : spawn('hookedRun', { id: `unit-${place}`, input: { run: { service, serial }, owner: self } });
      const requests = event.type === 'service.run' ? [event.request] : (context.waiting ?? []);
      const run = { ref, place, pid: 0, ended: false, ending: undefined, killAt: undefined, requests };
      return { at: event.at, begun: serial, runs: { ...context.runs, [serial]: run }, waiting: undefined };
    }),
    /** Lets a run wait for the end of the present one, which stands for all that come until it begins. */
    keepWaiting: enqueueActions(({ context, event, enqueue }) => {
      const { waiting, spec } = context;
      const requests = event.type === 'service.run' ? [event.request] : [];
      enqueue.assign({ waiting: [...(waiting ?? []), ...requests] });
      if (spec.cron?.overlap === 'queue' && event.type === 'trigger.fired')
        enqueue.sendTo(context.system, noticed(context, { kind: 'queued', again: waiting !== undefined }));
    }),
    /** With `overlap: replace`, tells the present run to end. */
    replaceRun: enqueueActions(({ context, enqueue }) => {
      const { runs, at, spec } = context;
      const present = Object.entries(runs).filter(([, { ended, ending }]) => !ended && ending === undefined);
      if (spec.cron?.overlap !== 'replace' || present.length === 0) return;
      const pids = present.map(([, { pid }]) => pid).filter((pid) => pid !== 0);
      enqueue.sendTo(context.system, noticed(context, { kind: 'replaced', pids }));
      const serials = present.map(([serial]) => Number(serial));
      const grace = spec.stopTimeout ?? clearGrace;
      enqueue.assign({ runs: toldToEnd(context, serials, 'replace', at + grace) });
      if (isSooner(at + grace, runs)) {
        enqueue.cancel('reset');
        enqueue.raise({ type: 'reset.overdue', at: at + grace }, { id: 'reset', delay: grace });
      }
      for (const [, { ref }] of present) enqueue.sendTo(ref, terminate(context, at));
    }),
    startWaiting: enqueueActions(({ context, enqueue }) => {
      if (context.waiting !== undefined && !isBusy(context)) enqueue.raise({ type: 'run.due', at: context.at });
    }),
    dropWaiting: enqueueActions(({ context, enqueue }) => {
      const { waiting = [] } = context;
      enqueue.assign({ waiting: undefined });
      if (waiting.length > 0)
        enqueue.sendTo(
          context.system,
          noticed(context, { kind: 'runAnswered', requests: waiting, result: { kind: 'cut' } }),
        );
    }),
    answerRun: enqueueActions(({ context, event, enqueue }, { answer }: { readonly answer: RunAnswer }) => {
      if (event.type === 'service.run')
        enqueue.sendTo(context.system, noticed(context, { kind: 'runAsked', request: event.request, answer }));
    }),
    /** Answers a request for a run that has to wait, or for which there is no room. */
    answerBusy: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'service.run') return;
      const answer = busyAnswer(context);
      enqueue.sendTo(context.system, noticed(context, { kind: 'runAsked', request: event.request, answer }));
    }),
    /** Tells those who have asked for a run how it has ended. */
    tellAnswers: enqueueActions(({ context, event, enqueue }) => {
      const run = 'serial' in event ? context.runs[event.serial] : undefined;
      const result = run === undefined ? undefined : resultOf(context, run, event);
      if (run === undefined || result === undefined || run.requests.length === 0) return;
      enqueue.sendTo(context.system, noticed(context, { kind: 'runAnswered', requests: run.requests, result }));
    }),
    refuseReload: enqueueActions(({ context: { system, spec }, event, enqueue }) => {
      assertEvent(event, 'service.reload');
      const { request, at } = event;
      const asked = request === undefined ? {} : { request };
      const news = { kind: 'reloaded', outcome: { kind: 'noMethod' }, ...asked } as const;
      enqueue.sendTo(system, { type: 'service.noticed', name: spec.name, news, at });
    }),
    recordSpawn: assign(
      when('unit.spawned', (context, { serial, pid }) => ({ runs: changed(context, serial, { pid }) })),
    ),
    /** Watches how long the run lasts, where that is limited. */
    armLimit: enqueueActions(({ context: { spec, runs }, event, enqueue }) => {
      assertEvent(event, 'unit.spawned');
      const { serial, at } = event;
      const run = runs[serial];
      if (spec.maxRuntime === undefined || run === undefined || run.ending !== undefined) return;
      enqueue.raise(
        { type: 'run.overran', serial, at: at + spec.maxRuntime },
        { id: limitTimer(run), delay: spec.maxRuntime },
      );
    }),
    restLimit: enqueueActions(({ context: { spec, runs }, event, enqueue }) => {
      const run = 'serial' in event ? runs[event.serial] : undefined;
      if (spec.maxRuntime !== undefined && run !== undefined) enqueue.cancel(limitTimer(run));
    }),
    /** Tells a run to end that has lasted for too long. */
    endOverrun: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'run.overran');
      const { runs, spec } = context;
      const { serial, at } = event;
      const run = runs[serial];
      if (run === undefined || run.ended || run.ending !== undefined) return;
      enqueue.sendTo(context.system, noticed(context, { kind: 'overran', pid: run.pid, limit: spec.maxRuntime ?? 0 }));
      const grace = spec.stopTimeout ?? clearGrace;
      enqueue.assign({ runs: toldToEnd(context, [serial], 'limit', at + grace) });
      if (isSooner(at + grace, runs)) {
        enqueue.cancel('reset');
        enqueue.raise({ type: 'reset.overdue', at: at + grace }, { id: 'reset', delay: grace });
      }
      enqueue.sendTo(run.ref, { ...terminate(context, at), overran: true });
    }),
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
      const serials = runs.map(([serial]) => Number(serial));
      enqueue.assign({ runs: toldToEnd(context, serials, 'reset', at + killAfter) });
      if (runs.length > 0 && isSooner(at + killAfter, context.runs)) {
        enqueue.cancel('reset');
        enqueue.raise({ type: 'reset.overdue', at: at + killAfter }, { id: 'reset', delay: killAfter });
      }
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
      enqueue.assign({ runs: stopped(context) });
      for (const { ref } of Object.values(context.runs)) enqueue.sendTo(ref, terminate(context, context.at));
    }),
    killRuns: enqueueActions(({ context, event, enqueue }) => {
      const { runs, at, spec, system, wasKilled } = context;
      const { grace, last } = event.type === 'service.kill' ? event : ({ grace: killGrace, last: undefined } as const);
      const kill = { type: 'unit.kill', grace, ...(last === undefined ? {} : { last }), at } as const;
      enqueue.assign({ runs: stopped(context) });
      for (const { ref } of Object.values(runs)) enqueue.sendTo(ref, kill);
      // The hooks of after_stop have a time of their own, and then get SIGKILL, too.
      if (wasKilled || hooksOf(spec.hooks, 'after_stop').length === 0) return;
      enqueue.assign({ wasKilled: true });
      enqueue.sendTo(system, { type: 'service.stopContinues', name: spec.name, at });
    }),
    recordDrain: assign(when('service.stop', (_, { leaves = false }) => ({ leaves }))),
    /** A stop because of a prerequisite may be a failure, which counts once nothing runs. */
    judgeStop: assign(
      when('service.stop', (_, { because, fails }) => ({
        verdict: fails === undefined || because === undefined ? undefined : { kind: 'prerequisite', ...because },
      })),
    ),
    recordClearing: assign({ clearUntil: ({ context: { at, spec } }) => at + (spec.stopTimeout ?? clearGrace) }),
    passClearGrace: assign({ at: ({ context: { at, clearUntil } }) => Math.max(at, clearUntil) }),
    signalRuns: enqueueActions(({ context: { runs }, event, enqueue }) => {
      assertEvent(event, 'service.signal');
      for (const { ref } of Object.values(runs)) enqueue.sendTo(ref, { type: 'unit.signal', signal: event.signal });
    }),
    judgeRefusal: assign(when('trigger.refused', (_, { cause, at }) => ({ verdict: cause, at }))),
    countRestart: assign(({ context }) => nextTry(triedOf(context))),
    recordNoTry: assign(({ context }) => {
      const answer = answerTo(triedOf(context));
      return { noTry: answer.kind === 'none' ? answer.why : undefined };
    }),
    beginFreshly: assign(when('service.start', (_, { at }) => ({ ...noTries, at }))),
    forgetRestarts: assign(noTries),
    retire: assign(when('service.retire', () => ({ retired: true }))),
    /** Runs whose process has not begun do not begin any more. */
    retireRuns: enqueueActions(({ context: { runs }, enqueue }) => {
      for (const { ref, pid, ended } of Object.values(runs))
        if (pid === 0 && !ended) enqueue.sendTo(ref, { type: 'unit.retire' });
    }),
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
    /** The conditions of a cron service are asked at each run. */
    asksAtStart: ({ context: { spec } }) => spec.type === 'inetd' && spec.startIf !== undefined,
    isRetired: ({ context }) => context.retired,
    mayRestart: ({ context }) => answerTo(triedOf(context)).kind === 'try',
    isUnknown: ({ context, event }) => 'serial' in event && context.runs[event.serial] === undefined,
    drains: ({ event }) => event.type === 'service.stop' && event.drain,
    isEnding: ({ context, event }) => 'serial' in event && context.runs[event.serial]?.ending !== undefined,
    isCron: ({ context }) => context.spec.type === 'cron',
    isBusyCron: ({ context }) => context.spec.type === 'cron' && isBusy(context),
    /** A run has to wait for the present one, or for one that is being replaced. */
    mayWait: ({ context }) =>
      context.spec.type === 'cron' && context.spec.cron?.overlap !== undefined && isBusy(context),
    isEmpty: ({ context }) => Object.keys(context.runs).length === 0,
    isEmptyAndFailed: ({ context }) => context.verdict !== undefined && Object.keys(context.runs).length === 0,
    isIdle: ({ context }) => runningCount(context) === 0,
    isUnscheduled: ({ context }) => context.leaves && runningCount(context) === 0,
  },
  delays: {
    clearGrace: ({ context: { spec } }) => spec.stopTimeout ?? clearGrace,
    restartDelay: ({ context: { pause = 0 } }) => pause,
  },
}).createMachine({
  id: 'scheduled',
  context: ({ input }) => ({
    ...input,
    ...noTries,
    runs: {},
    waiting: undefined,
    begun: 0,
    serial: 0,
    trigger: undefined,
    paused: false,
    verdict: undefined,
    skipped: undefined,
    lastEnd: undefined,
    retired: false,
    wasKilled: false,
    leaves: false,
    clearUntil: 0,
    at: 0,
  }),
  initial: 'configured',
  on: {
    'service.reconfigure': { actions: ['reconfigure'] },
    'reset.overdue': { actions: ['noteTime', 'killReset'] },
    // The next run reads its configuration anyway.
    'service.reload': { actions: ['refuseReload'] },
    'run.overran': { actions: ['noteTime', 'endOverrun'] },
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
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    pending: {
      entry: [enter('pending')],
      on: {
        ...atRest,
        'service.start': { target: 'starting', actions: ['beginFreshly'] },
        'service.stop': { target: 'stopped', actions: ['noteTime'] },
        'service.kill': { target: 'stopped', actions: ['noteTime'] },
        'service.retire': { target: 'stopped', actions: ['retire'] },
      },
    },

    starting: {
      entry: ['beginStart', { type: 'report', params: { phase: 'starting' } }],
      initial: 'deciding',
      on: {
        ...atRest,
        'service.start': {},
        'service.stop': [
          { guard: 'drains', target: 'stopping.draining', actions: ['recordDrain'] },
          { target: 'stopping', actions: ['noteTime', 'judgeStop'] },
        ],
        'service.kill': { target: 'stopping.killing', actions: ['noteTime'] },
        'service.retire': { actions: ['retire', 'endTrigger'] },
        'trigger.armed': { target: 'ready', actions: ['noteTime'] },
        'trigger.refused': { target: 'judged', actions: ['judgeRefusal', 'endTrigger'] },
      },
      states: {
        deciding: {
          tags: ['transient'],
          always: [{ guard: 'asksAtStart', target: 'asking' }, { target: 'spawning' }],
        },
        asking: {
          entry: ['askStart', enter('starting.asking')],
          on: {
            // No run is there that a reset could end.
            'service.reset': {},
            // Late facts of an earlier trigger.
            ...lateTrigger,
            'conditions.met': [
              { guard: 'isUnknown' },
              { guard: 'isRetired', actions: ['noteTime', 'dropRun'] },
              { target: 'spawning', actions: ['noteTime', 'dropRun'] },
            ],
            'conditions.unmet': [
              { guard: 'isUnknown' },
              {
                target: '#scheduled.disabled',
                actions: ['recordSkip', 'noteTime', 'dropRun', { type: 'report', params: { phase: 'disabled' } }],
              },
            ],
            'conditions.failed': [
              { guard: 'isUnknown' },
              { target: '#scheduled.judged', actions: ['judgeConditions', 'noteTime', 'dropRun'] },
            ],
          },
        },
        spawning: { entry: ['spawnTrigger', enter('starting.spawning')] },
      },
    },

    /** A transient state: a start that has failed leads to another try, or to the end. */
    judged: {
      tags: ['transient'],
      always: [
        { guard: 'mayRestart', target: 'backoff', actions: ['countRestart'] },
        { target: 'failed', actions: ['recordNoTry'] },
      ],
    },

    backoff: {
      entry: [enter('backoff'), { type: 'report', params: { phase: 'backoff' } }],
      after: { restartDelay: 'starting' },
      on: {
        ...atRest,
        'service.start': { target: 'starting', actions: ['beginFreshly'] },
        'service.stop': { target: 'stopped', actions: ['noteTime'] },
        'service.kill': { target: 'stopped', actions: ['noteTime'] },
        'service.retire': { target: 'stopped', actions: ['retire'] },
        'service.reset': { actions: ['noteTime', 'forgetRestarts', 'resetRuns'] },
      },
    },

    ready: {
      initial: 'scheduled',
      on: {
        'service.start': {},
        'service.stop': [
          { guard: 'drains', target: 'stopping.draining', actions: ['recordDrain'] },
          { target: 'stopping', actions: ['noteTime', 'judgeStop'] },
        ],
        'service.kill': { target: 'stopping.killing', actions: ['noteTime'] },
        // Runs in progress may go on until the stop comes.
        'service.retire': { actions: ['retire', 'endTrigger', 'retireRuns'] },
        'service.reset': { actions: ['noteTime', 'tellReset', 'dropWaiting', 'resetRuns'] },
        'service.signal': { actions: ['noteTime', 'signalRuns'] },
        ...unitFacts,
        'unit.cleared': { actions: ['noteTime', 'tellAnswers', 'dropRun', 'balance', 'startWaiting'] },
        'conditions.met': [
          { guard: 'isUnknown' },
          { guard: 'isEnding', actions: runDropped },
          { guard: 'isRetired', actions: runDropped },
          { actions: ['beginRun'] },
        ],
        'conditions.unmet': [{ guard: 'isUnknown' }, { actions: runDropped }],
        'conditions.failed': [{ guard: 'isUnknown' }, { actions: runDropped }],
        'unit.spawnFailed': {
          actions: ['noteTime', 'tellRunEnd', 'tellAnswers', 'dropRun', 'balance', 'startWaiting'],
        },
        'unit.leaderExited': [
          { guard: 'isUnknown' },
          {
            actions: [
              'noteTime',
              'tellRunEnd',
              'tellAnswers',
              'restLimit',
              'endRun',
              'dropRun',
              'balance',
              'startWaiting',
            ],
          },
        ],
        ...lateTrigger,
        'trigger.fired': [
          { guard: 'isRetired' },
          { guard: 'mayWait', actions: ['noteTime', 'keepWaiting', 'replaceRun'] },
          { guard: 'isBusyCron', actions: ['noteTime', 'tellSkipped'] },
          { actions: ['startRun', 'balance'] },
        ],
        'service.run': [
          { guard: 'isRetired', actions: ['noteTime', refuseRun] },
          { guard: 'mayWait', actions: ['noteTime', 'keepWaiting', 'answerBusy', 'replaceRun'] },
          { guard: 'isBusyCron', actions: ['noteTime', 'answerBusy'] },
          {
            guard: 'isCron',
            actions: ['noteTime', { type: 'answerRun', params: { answer: 'begun' } }, 'startRun', 'balance'],
          },
          { actions: ['noteTime', refuseRun] },
        ],
        'run.due': [{ guard: 'isRetired' }, { guard: 'isBusyCron' }, { actions: ['startRun', 'balance'] }],
      },
      states: {
        scheduled: { entry: [enter('ready.scheduled'), { type: 'report', params: { phase: 'ready.scheduled' } }] },
      },
    },

    stopping: {
      entry: ['endTrigger', 'dropWaiting', { type: 'report', params: { phase: 'stopping' } }],
      always: [
        { guard: 'isEmptyAndFailed', target: 'failed' },
        { guard: 'isEmpty', target: 'stopped' },
      ],
      initial: 'terminating',
      on: {
        'service.start': {},
        'service.stop': {},
        'service.kill': { target: '.killing', actions: ['noteTime'] },
        'service.retire': { actions: ['retire'] },
        'service.reset': {},
        'service.signal': { actions: ['noteTime', 'signalRuns'] },
        'service.run': { actions: ['noteTime', refuseRun] },
        'run.due': {},
        ...unitFacts,
        'unit.spawnFailed': { actions: ['noteTime', 'tellAnswers', 'dropRun'] },
        // No run begins any more.
        'conditions.met': { actions: ['noteTime', 'tellAnswers', 'dropRun'] },
        'conditions.unmet': { actions: ['noteTime', 'tellAnswers', 'dropRun'] },
        'conditions.failed': { actions: ['noteTime', 'tellAnswers', 'dropRun'] },
        // The end of a run that was told to end is not reported.
        'unit.leaderExited': [
          { guard: 'isUnknown' },
          { actions: ['noteTime', 'tellAnswers', 'restLimit', 'endRun', 'dropRun'] },
        ],
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
            'unit.leaderExited': [
              { guard: 'isUnknown' },
              { actions: ['noteTime', 'tellRunEnd', 'tellAnswers', 'restLimit', 'endRun', 'dropRun'] },
            ],
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
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    failed: {
      entry: [enter('failed'), { type: 'report', params: { phase: 'failed' } }],
      on: {
        ...atRest,
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        'service.reset': { target: 'stopped', actions: ['noteTime', 'resetRuns'] },
      },
    },
  },
});

/** What a scheduled service has run so far, for status listings. */
export function runCounts(context: ScheduledContext): RunCounts {
  return {
    begun: context.begun,
    running: runningCount(context),
    ...(context.waiting === undefined ? {} : { waits: true }),
  };
}

/** True where no run may begin: one is there, or nothing may be left yet of one that was ended for the next one. */
function isBusy({ runs }: ScheduledContext): boolean {
  return Object.values(runs).some(({ ended, ending }) => !ended || ending === 'replace' || ending === 'limit');
}

function busyAnswer({ spec }: ScheduledContext): RunAnswer {
  switch (spec.cron?.overlap) {
    case 'queue':
      return 'waits';
    case 'replace':
      return 'replaces';
    case undefined:
      return 'busy';
  }
}

/** The name of the timer that watches how long a run lasts. */
function limitTimer({ place }: Run): string {
  return `limit-${place}`;
}

/** The runs, of which some are told to end. Where one was told so before, that cause and its time limit stay. */
function toldToEnd(
  { runs }: ScheduledContext,
  serials: readonly number[],
  ending: 'reset' | 'replace' | 'limit',
  killAt: number,
): ScheduledContext['runs'] {
  const told = serials.flatMap((serial) => {
    const run = runs[serial];
    return run === undefined
      ? []
      : [[serial, { ...run, ending: run.ending ?? ending, killAt: run.killAt ?? killAt }] as const];
  });
  return { ...runs, ...Object.fromEntries(told) };
}

/** The runs, all of which are told to end because the service is. */
function stopped({ runs }: ScheduledContext): ScheduledContext['runs'] {
  return Object.fromEntries(
    Object.entries(runs).map(([serial, run]) => [serial, { ...run, ending: run.ending ?? 'stop' }]),
  );
}

/** How a run has ended, for those who have asked for it. */
function resultOf(
  { spec, retired }: ScheduledContext,
  { ending, ended }: Run,
  event: ScheduledEvent,
): RunResult | undefined {
  switch (event.type) {
    case 'unit.leaderExited':
    case 'unit.spawnFailed':
    case 'conditions.met':
    case 'conditions.unmet':
    case 'conditions.failed':
      break;
    case 'unit.cleared':
      // Where its leader had ended, the answer was given then.
      if (!ended) break;
      return undefined;
    default:
      return undefined;
  }
  if (ending === 'limit') return { kind: 'overran', limit: spec.maxRuntime ?? 0 };
  if (ending !== undefined || (retired && isCancelled(event))) return { kind: 'cut' };
  switch (event.type) {
    case 'unit.leaderExited':
      return { kind: 'exit', status: event.status, normal: isNormalEnd(spec, event.status) };
    case 'unit.spawnFailed':
      return { kind: 'spawn', error: event.error };
    case 'conditions.unmet':
      return { kind: 'unmet', why: event.why };
    case 'conditions.failed':
      return { kind: 'unasked', failure: event.failure };
    case 'unit.cleared':
    case 'conditions.met':
      return { kind: 'cut' };
  }
}

function isCancelled(event: ScheduledEvent): boolean {
  return event.type === 'unit.spawnFailed' && event.error.code === 'ECANCELED';
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

/** Monotonic ms at which the next SIGKILL is due among the runs that were told to end one by one. */
function nextKill(runs: ScheduledContext['runs']): number | undefined {
  const next = Object.values(runs).reduce(
    (least, { killAt = Number.POSITIVE_INFINITY }) => Math.min(least, killAt),
    Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(next) ? next : undefined;
}

/** True where that SIGKILL is due before all others: the one timer of the runs that are told to end is set for the next one. */
function isSooner(killAt: number, runs: ScheduledContext['runs']): boolean {
  return killAt < (nextKill(runs) ?? Number.POSITIVE_INFINITY);
}

function changed({ runs }: ScheduledContext, serial: number, changes: Partial<Run>): ScheduledContext['runs'] {
  const run = runs[serial];
  return run === undefined ? runs : { ...runs, [serial]: { ...run, ...changes } };
}

function terminate({ spec }: ScheduledContext, at: number) {
  const steps = spec.killSteps === undefined ? {} : { steps: spec.killSteps };
  return { type: 'unit.terminate' as const, signal: spec.killSignal, ...steps, at };
}

function noticed({ spec, at }: ScheduledContext, news: ScheduleNews): ServiceNoticed {
  return { type: 'service.noticed', name: spec.name, news, at };
}

function runNews({ runs, spec, retired }: ScheduledContext, event: ScheduledEvent): ScheduleNews | undefined {
  const run = 'serial' in event ? runs[event.serial] : undefined;
  if (run === undefined || run.ending !== undefined || (retired && isCancelled(event))) return undefined;
  if (event.type === 'conditions.unmet') return { kind: 'unmet', why: event.why };
  if (event.type === 'conditions.failed') return { kind: 'unasked', failure: event.failure };
  if (event.type === 'unit.spawnFailed') return { kind: 'runUnspawned', error: event.error };
  if (event.type !== 'unit.leaderExited' || isNormalEnd(spec, event.status)) return undefined;
  return { kind: 'runFailed', pid: event.pid, status: event.status };
}

/** What the policy of restarts has to know: a scheduled service is tried again only before it is ready. */
function triedOf(context: ScheduledContext): Tried {
  return { ...context, seed: context.seed ?? 0, followed: false, settled: false, hasBeenReady: false };
}

function describeChange(context: ScheduledContext, phase: ServiceChange['phase']): ServiceChange {
  const { serial, verdict, skipped = '', spec, noTry } = context;
  switch (phase) {
    case 'stopping':
    case 'stopped':
    case 'ready.scheduled':
      return { phase };
    case 'starting':
      return { phase, serial };
    case 'disabled':
      return { phase, skipped };
    case 'failed':
      if (verdict === undefined) throw new Error(`internal error: ${spec.name} failed without a cause`);
      return {
        phase,
        cause: verdict,
        during: verdict.kind === 'prerequisite' ? 'run' : 'start',
        ...givenUp(context),
        ...(noTry === undefined ? {} : { noTry }),
      };
    case 'backoff':
      return backoffChange(triedOf(context));
    case 'ready.running':
    case 'ready.exited':
    case 'exited':
      throw new Error(`internal error: ${spec.name} is scheduled, and never ${phase}`);
  }
}
