/** The actors, actions, guards and delays of the service machine; service.ts has its chart. */
import {
  type ActorRef,
  type ActorRefFrom,
  assertEvent,
  assign,
  cancel,
  enqueueActions,
  fromCallback,
  type Snapshot,
  setup,
} from 'xstate';
import { killGrace } from '../model/ledger/stops.ts';
import type { ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { NotifyFact, NotifyRequest } from '../model/service/unit-events.ts';
import { clearGrace, forever } from './limits.ts';
import { readinessMachine, reportsFailure } from './readiness.ts';
import type { Resumption, ServiceEvent, ServiceInput, ServiceMemory, SystemRef } from './service-events.ts';
import { describeChange, endedNormally, mayRestart, namedPid, runOutcome } from './service-outcomes.ts';
import { stamped } from './stamped.ts';
import { mayLead, unitMachine } from './unit.ts';

interface ServiceContext extends ServiceMemory {
  readonly spec: ServiceSpec;
  readonly system: SystemRef;
  /** Set in a chart that is made anew, until it has reached the state of its predecessor. */
  readonly resumes: Resumption | undefined;
  readonly unit: ActorRefFrom<typeof unitMachine> | undefined;
  /** The actor that listens on the notify socket; only notify services have it, from their first start on. */
  readonly notifications: ActorRef<Snapshot<unknown>, NotifyRequest> | undefined;
}

/** The port that listens on the service's notify socket across all starts; the runtime provides it. */
const notifications = fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => {
  throw new Error('internal error: the port notifications is not provided');
});

/** Beyond its restart delay, a service must have been ready this long for its restart count to be forgotten, ms. */
const stableMargin = 1_000;

/** The memory that every start sets back. */
const freshStart = {
  pid: 0,
  hasUnit: true,
  followed: false,
  verdict: undefined,
  deadline: undefined,
  status: undefined,
  announced: undefined,
  endSignal: undefined,
  settled: false,
  lastEnd: undefined,
} as const;

const when = stamped<ServiceContext, ServiceEvent>();

/** The leader has ended: chaperone was told so, or the leader ended while chaperone was stopped. */
const leaderEnds = ['unit.leaderExited', 'leader.missed'] as const;

export const serviceSetup = setup({
  types: {
    context: {} as ServiceContext,
    events: {} as ServiceEvent,
    input: {} as ServiceInput,
    /** Marks states that the chart leaves in the same macrostep: nobody outside ever finds a service there. */
    tags: {} as 'transient',
  },
  actors: { unit: unitMachine, readiness: readinessMachine, notifications },
  actions: {
    /** Records the stage that the chart has reached; the runtime provides this action. The chart ignores it. */
    enter: (_, _params: { readonly stage: ServiceStage }): void => undefined,
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    spawnUnit: assign(({ context, self, spawn }) => {
      if (context.resumes !== undefined) return {};
      const { spec: service } = context;
      const serial = context.serial + 1;
      const notifications =
        context.notifications ??
        (service.type === 'notify' ? spawn('notifications', { id: 'notifications', input: service }) : undefined);
      const unit = spawn('unit', { id: 'unit', input: { run: { service, serial }, owner: self } });
      return { ...freshStart, serial, watchdog: service.watchdog, notifications, unit };
    }),
    /** A chart that is made anew adopts the running unit and the notify socket of its predecessor. */
    adoptUnit: assign(({ context, self, spawn }) => {
      const { spec: service, serial, pid, hasUnit, resumes } = context;
      if (resumes === undefined) return {};
      // A chart whose spawn was never reported has no running unit to adopt.
      const isSpawned = resumes.stage !== 'starting.spawning';
      const asked = resumes.stage.startsWith('stopping');
      const run = { service, serial, ...(isSpawned ? { resumes: { pid, asked } } : {}) };
      const input = { run, owner: self };
      return {
        ...(serial > 0 && service.type === 'notify'
          ? { notifications: spawn('notifications', { id: 'notifications', input: service }) }
          : {}),
        ...(hasUnit ? { unit: spawn('unit', { id: 'unit', input }) } : {}),
      };
    }),
    endResumption: assign({ resumes: undefined }),
    /** The time limit of a start begins with the spawn of its process. */
    recordSpawn: assign(
      when('unit.spawned', ({ spec, deadline }, { pid, at }) => ({
        pid,
        spawnedAt: at,
        deadline: deadline ?? at + spec.processTimeout + (spec.type === 'notify' ? spec.startupPause : 0),
      })),
    ),
    /** The end of the startup pause sets the time itself, because a timer's event carries none. */
    passPause: assign({ at: ({ context }) => Math.max(context.at, context.spawnedAt + context.spec.startupPause) }),
    /** Makes the process that a pidfile or MAINPID names the unit's leader. */
    lead: enqueueActions(({ context, event, enqueue }) => {
      const pid = namedPid(event);
      if (pid === undefined || context.unit === undefined) return;
      if (pid !== context.pid) enqueue.sendTo(context.unit, { type: 'unit.lead', pid });
      enqueue.assign({ pid, followed: true });
    }),
    /** Records a named process that has ended already, so that the unit cannot follow it. */
    recordLost: assign(when('readiness.passed', (_, { pid = 0 }) => ({ pid, followed: true }))),
    noteNotice: assign(
      when('notify.received', (context, { message }) => {
        const { ready, reloading, stopping, status, watchdogInterval } = message;
        return {
          announced: stopping ? 'stopping' : reloading ? 'reloading' : ready ? undefined : context.announced,
          status: status === undefined ? context.status : status === '' ? undefined : status,
          watchdog: watchdogInterval === undefined ? context.watchdog : watchdogInterval || undefined,
          ...(message.restartReset ? { restartsUsed: 0, firstLoss: undefined } : {}),
        };
      }),
    ),
    passOn: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, 'notify.received');
      enqueue.sendTo('readiness', event);
    }),
    recordDeadline: assign(when('readiness.extended', (_, { deadline }) => ({ deadline }))),
    /** Restarts the wait for the next WATCHDOG=1. */
    armWatchdog: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel('watchdog');
      if (context.watchdog === undefined || context.announced === 'stopping') return;
      const delay = context.resumes?.left.watchdog ?? Math.min(context.watchdog, forever);
      enqueue.raise({ type: 'watchdog.missed' }, { id: 'watchdog', delay });
    }),
    restWatchdog: cancel('watchdog'),
    /** Arms the timer only where restarts are to be forgotten: every further timer slows down the others. */
    armStable: enqueueActions(({ context, enqueue }) => {
      if (context.restartsUsed === 0) return;
      const delay = context.resumes?.left.stable ?? context.spec.restartDelay + stableMargin;
      enqueue.raise({ type: 'restarts.forgotten' }, { id: 'stable', delay });
    }),
    restStable: cancel('stable'),
    closeNotify: enqueueActions(({ context, enqueue }) => {
      if (context.notifications !== undefined) enqueue.sendTo(context.notifications, { type: 'notify.close' });
    }),
    recordExit: assign(when(leaderEnds, (_, { pid, status, age }) => ({ pid: 0, lastEnd: { pid, status, ran: age } }))),
    judgeExit: assign(when(leaderEnds, (_, { pid, status }) => ({ verdict: { kind: 'exit', status, pid } }))),
    judgeSpawn: assign(when('unit.spawnFailed', (_, { error }) => ({ verdict: { kind: 'spawn', error } }))),
    judgeReadiness: assign(
      when('readiness.failed', ({ pid }, { cause }) => ({ verdict: 'pid' in cause ? { ...cause, pid } : cause })),
    ),
    judgeTimeout: assign(({ context }) => ({
      at: context.deadline ?? context.at,
      verdict: { kind: 'timeout', timeout: context.spec.processTimeout, pid: context.pid },
    })),
    judgeNotice: assign(
      when('notify.received', ({ pid }, { message: { errno, busError } }) => ({
        verdict: {
          kind: 'reported',
          ...(errno === undefined ? {} : { errno }),
          ...(busError === undefined ? {} : { busError }),
          pid,
        },
      })),
    ),
    /** SIGABRT leaves a core dump of the hanging program (systemd.service(5), WatchdogSec=). */
    judgeWatchdog: assign(({ context, event }) => ({
      verdict: {
        kind: 'watchdog',
        interval: context.watchdog ?? 0,
        triggered: event.type === 'notify.received',
        pid: context.pid,
      },
      endSignal: 'SIGABRT',
    })),
    pardon: assign({ verdict: undefined }),
    dropUnit: enqueueActions(({ context, enqueue }) => {
      if (context.unit !== undefined) enqueue.stopChild(context.unit);
      enqueue.assign({ unit: undefined, hasUnit: false, pid: 0 });
    }),
    /** Drops the unit unless something of it is left, or another process may become its leader. */
    dropEndedUnit: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'unit.leaderExited');
      if (event.left > 0 || mayLead(context.spec)) return;
      if (context.unit !== undefined) enqueue.stopChild(context.unit);
      enqueue.assign({ unit: undefined, hasUnit: false });
    }),
    beginFreshly: assign(
      when('service.start', () => ({
        hasBeenReady: false,
        restartsUsed: 0,
        firstLoss: undefined,
        verdict: undefined,
      })),
    ),
    markReady: assign({ hasBeenReady: true }),
    markSettled: assign({ settled: true }),
    countRestart: assign(({ context: { restartsUsed, firstLoss, at } }) => ({
      restartsUsed: restartsUsed + 1,
      firstLoss: firstLoss ?? at,
    })),
    recordStop: assign(
      when('service.stop', (_, { killAfter, at }) => ({
        deadline: killAfter === undefined ? undefined : at + killAfter,
      })),
    ),
    recordClearing: assign({
      deadline: ({ context: { at, deadline, resumes } }) => (resumes === undefined ? at + clearGrace : deadline),
    }),
    retire: assign(when('service.retire', () => ({ retired: true }))),
    forgetRestarts: assign({ restartsUsed: 0, firstLoss: undefined }),
    askForTime: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'notify.received');
      const until = event.at + Math.min(event.message.extend ?? 0, forever);
      enqueue.sendTo(context.system, { type: 'service.extended', name: context.spec.name, until, at: event.at });
    }),
    terminateUnit: enqueueActions(({ context, enqueue }) => {
      const { unit, endSignal, spec, at, resumes } = context;
      // The previous chart has sent the signal already: many programs take a second one as a demand for haste.
      if (unit === undefined || resumes !== undefined) return;
      enqueue.sendTo(unit, { type: 'unit.terminate', signal: endSignal ?? spec.killSignal, at });
    }),
    killUnit: enqueueActions(({ context: { unit, at }, event, enqueue }) => {
      const grace = event.type === 'service.kill' ? event.grace : killGrace;
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.kill', grace, at });
    }),
    passClearGrace: assign({ at: ({ context: { at, deadline } }) => Math.max(at, deadline ?? at) }),
    signalUnit: enqueueActions(({ context: { unit }, event, enqueue }) => {
      assertEvent(event, 'service.signal');
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.signal', signal: event.signal });
    }),
    reconfigure: assign(({ event }) => {
      assertEvent(event, 'service.reconfigure');
      return { spec: event.spec, at: event.at };
    }),
    report: enqueueActions(({ context, enqueue }, params: { phase: ServiceChange['phase'] }) => {
      if (context.resumes !== undefined) return;
      const change = describeChange(context, params.phase);
      enqueue.sendTo(context.system, { type: 'service.changed', name: context.spec.name, change, at: context.at });
    }),
    tellSurvived: enqueueActions(({ context: { system, spec, at }, enqueue }) => {
      enqueue.sendTo(system, { type: 'service.survived', name: spec.name, at });
    }),
    /** Skips a failed start without `ignore_failures`: as a system failure it decides the exit status itself. */
    reportExitKills: enqueueActions(({ context, event, enqueue }) => {
      const { spec, hasBeenReady, system, at } = context;
      const outcome = runOutcome(event);
      if (!spec.exitKills || outcome === undefined) return;
      if (!hasBeenReady && !spec.ignoreFailures && !endedNormally(context, event)) return;
      enqueue.sendTo(system, { type: 'service.exitKills', name: spec.name, outcome, at });
    }),
    /** Reports the end of an `exit_kills` service that was ended because it had failed after it was ready. */
    reportLoss: enqueueActions(({ context, event, enqueue }) => {
      const { spec, hasBeenReady, system, at, verdict } = context;
      const outcome = runOutcome(event);
      if (!spec.exitKills || outcome === undefined || !hasBeenReady || verdict === undefined) return;
      enqueue.sendTo(system, { type: 'service.exitKills', name: spec.name, outcome, at });
    }),
  },
  guards: {
    isEnabled: ({ context }) => context.spec.enabled,
    /** True where a chart that is made anew goes on in this state. */
    resumesIn: ({ context }, params: { stage: ServiceStage }) => context.resumes?.stage === params.stage,
    /** True for types whose start is decided by the exit of their process. */
    awaitsExit: ({ context }) => context.spec.type === 'oneshot' || context.spec.type === 'forking',
    isNotify: ({ context }) => context.spec.type === 'notify',
    hasPidfile: ({ context }) => context.spec.pidfile !== undefined,
    isStale: ({ context, event }) => 'serial' in event && event.serial !== context.serial,
    exitedNormally: ({ context, event }) => endedNormally(context, event),
    /** The process may have lived through the startup pause: chaperone learns of its end only now. */
    mayHaveSettled: ({ context, event }) =>
      event.type === 'unit.leaderExited' &&
      (context.spec.pidfile === undefined || event.named === true) &&
      event.age >= context.spec.startupPause,
    /** The pidfile named the process before it ended, but chaperone had not looked yet: the service was ready. */
    hadNamedItself: ({ event }) => event.type === 'unit.leaderExited' && event.named === true,
    /** The started process exited normally; the process that the pidfile names is still to be found. */
    exitedIntoPidfile: ({ context, event }) => context.spec.pidfile !== undefined && endedNormally(context, event),
    /** The started process may have left a daemon behind, which has still to send READY=1. */
    exitedBeforeReady: ({ context, event }) => context.spec.type === 'notify' && endedNormally(context, event),
    /** True where the exit completes the start: a oneshot service is done, a forking one has left its daemon behind. */
    exitedAsMeant: ({ context, event }) =>
      (context.spec.type === 'oneshot' || context.spec.type === 'forking') && endedNormally(context, event),
    leavesNothingAndFailed: ({ context, event }) =>
      event.type === 'unit.leaderExited' && event.left === 0 && context.verdict !== undefined,
    leavesNothing: ({ event }) => event.type === 'unit.leaderExited' && event.left === 0,
    missedLeader: ({ event }) => event.type === 'readiness.passed' && event.ended !== undefined,
    /** READY=1 has come while the service has no known leader: its process has ended, and MAINPID has not come. */
    isReadyAlone: ({ context, event }) =>
      event.type === 'readiness.passed' &&
      event.pid === undefined &&
      context.pid === 0 &&
      context.lastEnd !== undefined,
    notifiesFailure: ({ event }) => event.type === 'notify.received' && reportsFailure(event),
    notifiesMainPid: ({ context, event }) =>
      event.type === 'notify.received' && event.message.mainPid !== undefined && context.unit !== undefined,
    triggersWatchdog: ({ event }) => event.type === 'notify.received' && event.message.watchdog === 'trigger',
    feedsWatchdog: ({ event }) =>
      event.type === 'notify.received' &&
      (event.message.watchdog === 'alive' || event.message.watchdogInterval !== undefined || !!event.message.stopping),
    extendsStop: ({ context, event }) =>
      event.type === 'notify.received' && event.message.extend !== undefined && !context.retired,
    mayRestart: ({ context }) => mayRestart(context),
    isRetired: ({ context }) => context.retired,
    hasVerdict: ({ context }) => context.verdict !== undefined,
    hasUnit: ({ context }) => context.unit !== undefined,
  },
  delays: {
    startupPause: ({ context: { spec, resumes } }) => resumes?.left.startupPause ?? spec.startupPause,
    processTimeout: ({ context: { spec, resumes } }) => resumes?.left.processTimeout ?? spec.processTimeout,
    restartDelay: ({ context: { spec, resumes } }) => resumes?.left.restartDelay ?? spec.restartDelay,
    clearGrace: ({ context: { resumes } }) => resumes?.left.clearGrace ?? clearGrace,
  },
});
