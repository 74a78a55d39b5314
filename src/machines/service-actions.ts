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
import { type HookStage, hooksOf } from '../model/service/hook.ts';
import type { ReloadNews } from '../model/service/reload-method.ts';
import { nextTry, noTries, stableAfter, stableMemory } from '../model/service/restart-policy.ts';
import type { ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { ServiceStage } from '../model/service/service-stage.ts';
import type { NotifyFact, NotifyRequest } from '../model/service/unit-events.ts';
import { conditionsMachine } from './conditions.ts';
import { healthMachine } from './health.ts';
import { hooksMachine } from './hooks.ts';
import { clearGrace, forever } from './limits.ts';
import { readinessMachine, reportsFailure } from './readiness.ts';
import { reloadMachine } from './reload.ts';
import type { Resumption, ServiceEvent, ServiceInput, ServiceMemory, SystemRef } from './service-events.ts';
import {
  answerOf,
  describeChange,
  endedNormally,
  endsForGood,
  hookVariables,
  mayRestart,
  namedPid,
  refusedReload,
  restsAfterEnd,
  returnsAfterEnd,
  runOutcome,
  startTimeLeft,
  verdictOfEnd,
  verdictOfLastEnd,
  withoutTry,
} from './service-outcomes.ts';
import { stamped } from './stamped.ts';
import { mayLead, type UnitCommand, unitMachine } from './unit.ts';

interface ServiceContext extends ServiceMemory {
  readonly spec: ServiceSpec;
  readonly system: SystemRef;
  readonly seed: number;
  /** Set in a chart that is made anew, until it has reached the state of its predecessor. */
  readonly resumes: Resumption | undefined;
  /** The unit of the run, or what asks the conditions of the start: that takes the same commands. */
  readonly unit: ActorRef<Snapshot<unknown>, UnitCommand> | undefined;
  /** The hooks that run, of one stage. */
  readonly hooks: ActorRefFrom<typeof hooksMachine> | undefined;
  /** The actor that listens on the notify socket; only notify services have it, from their first start on. */
  readonly notifications: ActorRef<Snapshot<unknown>, NotifyRequest> | undefined;
  /** The reload that goes on, or whose command is being ended. */
  readonly reload:
    | { readonly ref: ActorRefFrom<typeof reloadMachine>; readonly request: number | undefined; readonly since: number }
    | undefined;
}

/** The port that listens on the service's notify socket across all starts; the runtime provides it. */
const notifications = fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => {
  throw new Error('internal error: the port notifications is not provided');
});

/** The memory that every start sets back. */
const freshStart = {
  pid: 0,
  hasUnit: false,
  hook: undefined,
  owes: true,
  aim: undefined,
  overdue: false,
  followed: false,
  verdict: undefined,
  deadline: undefined,
  status: undefined,
  announced: undefined,
  skipped: undefined,
  lastReload: undefined,
  endSignal: undefined,
  settled: false,
  health: undefined,
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
  actors: {
    unit: unitMachine,
    hooks: hooksMachine,
    conditions: conditionsMachine,
    readiness: readinessMachine,
    health: healthMachine,
    reload: reloadMachine,
    notifications,
  },
  actions: {
    /** Records the stage that the chart has reached; the runtime provides this action. The chart ignores it. */
    enter: (_, _params: { readonly stage: ServiceStage }): void => undefined,
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    beginStart: assign(({ context: { resumes, serial, spec } }) =>
      resumes === undefined ? { ...freshStart, serial: serial + 1, watchdog: spec.watchdog } : {},
    ),
    askConditions: assign(({ context: { spec: service, serial, at }, self, spawn }) => ({
      hasUnit: true,
      unit: spawn('conditions', { id: 'conditions', input: { service, serial, owner: self, at } }),
    })),
    recordSkip: assign(when('conditions.unmet', (_, { why }) => ({ skipped: why }))),
    judgeConditions: assign(
      when('conditions.failed', (_, { failure }) => ({ verdict: { kind: 'condition', failure } })),
    ),
    spawnUnit: assign(({ context: { resumes, spec: service, serial }, self, spawn }) =>
      resumes === undefined
        ? { hasUnit: true, unit: spawn('unit', { id: 'unit', input: { run: { service, serial }, owner: self } }) }
        : {},
    ),
    /** Only notify services have a notify socket, from their first start on. */
    openNotify: assign(({ context: { resumes, spec, notifications }, spawn }) =>
      resumes === undefined && notifications === undefined && spec.type === 'notify'
        ? { notifications: spawn('notifications', { id: 'notifications', input: spec }) }
        : {},
    ),
    /** The time limit of a start spans its hooks. */
    limitStart: assign(({ context: { at, spec, resumes, deadline } }) => ({
      deadline: resumes === undefined ? at + spec.processTimeout + pauseOf(spec) : deadline,
    })),
    /** Starts the hooks of a stage. */
    runHooks: assign(({ context, self, spawn }, { stage }: { readonly stage: HookStage }) => {
      if (context.resumes !== undefined) return {};
      const { spec: service, serial, at, owes } = context;
      const input = { service, stage, serial, owner: self, variables: hookVariables(context, stage) };
      const isLast = stage === 'after_stop';
      return {
        hooks: spawn('hooks', { id: 'hooks', input }),
        hook: { stage, nth: 1, of: hooksOf(service.hooks, stage).length, pid: 0, since: at },
        owes: owes && !isLast,
        ...(isLast ? { deadline: at + (service.hooks?.afterStopTimeout ?? 0) } : {}),
      };
    }),
    recordHook: assign(when('hooks.began', (_, { hook, pid, at }) => ({ hook: { ...hook, pid, since: at } }))),
    dropHooks: enqueueActions(({ context, event, enqueue }) => {
      if (context.hooks !== undefined) enqueue.stopChild(context.hooks);
      enqueue.assign({ hooks: undefined, hook: undefined, ...('at' in event ? { at: event.at } : {}) });
    }),
    judgeHook: assign(when('hooks.failed', (_, { hook, failure }) => ({ verdict: { kind: 'hook', hook, failure } }))),
    terminateHooks: enqueueActions(({ context: { hooks, at, resumes }, enqueue }) => {
      if (hooks !== undefined && resumes === undefined)
        enqueue.sendTo(hooks, { type: 'hooks.terminate', signal: 'SIGTERM', at });
    }),
    killHooks: enqueueActions(({ context: { hooks, at, resumes }, event, enqueue }) => {
      if (hooks === undefined || resumes !== undefined) return;
      const grace = event.type === 'service.kill' ? event.grace : killGrace;
      enqueue.sendTo(hooks, { type: 'hooks.kill', grace, at });
    }),
    aim: assign((_, { aim }: { readonly aim: ServiceMemory['aim'] }) => ({ aim })),
    /** A process that the service has left is the service from now on, and after_stop has to follow its end. */
    riseAgain: assign({ owes: true, aim: 'running' }),
    noteKill: assign(
      when('service.kill', ({ owes, overdue, unit }, { last = false }) => ({
        owes: owes && !last,
        overdue: overdue || unit !== undefined,
        aim: undefined,
      })),
    ),
    passAfterStop: assign({ at: ({ context: { at, deadline } }) => Math.max(at, deadline ?? at) }),
    reportStopContinues: enqueueActions(({ context: { system, spec, at, resumes }, enqueue }) => {
      if (resumes === undefined) enqueue.sendTo(system, { type: 'service.stopContinues', name: spec.name, at });
    }),
    /** A chart that is made anew adopts the running unit and the notify socket of its predecessor. */
    adoptUnit: assign(({ context, self, spawn }) => {
      const { spec: service, serial, pid, hasUnit, hook, resumes } = context;
      if (resumes === undefined) return {};
      // A chart whose spawn was never reported has no running unit to adopt.
      const isSpawned = resumes.stage !== 'starting.spawning';
      const asked = /^stopping\.(terminating|clearing|killing)$/.test(resumes.stage);
      const run = { service, serial, ...(isSpawned ? { resumes: { pid, asked } } : {}) };
      const input = { run, owner: self };
      return {
        ...(serial > 0 && service.type === 'notify'
          ? { notifications: spawn('notifications', { id: 'notifications', input: service }) }
          : {}),
        ...(hasUnit && resumes.stage !== 'starting.asking' ? { unit: spawn('unit', { id: 'unit', input }) } : {}),
        ...(hook === undefined
          ? {}
          : {
              hooks: spawn('hooks', {
                id: 'hooks',
                input: {
                  service,
                  stage: hook.stage,
                  serial,
                  owner: self,
                  variables: hookVariables(context, hook.stage),
                  resumes: { nth: hook.nth, pid: hook.pid, asked },
                },
              }),
            }),
      };
    }),
    endResumption: assign({ resumes: undefined }),
    /** The time limit of a start begins with the spawn of its process. */
    recordSpawn: assign(
      when('unit.spawned', ({ spec, deadline }, { pid, at }) => ({
        pid,
        spawnedAt: at,
        deadline: deadline ?? at + spec.processTimeout + pauseOf(spec),
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
          ...(message.restartReset ? noTries : {}),
        };
      }),
    ),
    passOn: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, 'notify.received');
      enqueue.sendTo('readiness', event);
    }),
    recordDeadline: assign(when('readiness.extended', (_, { deadline }) => ({ deadline }))),
    /** Restarts the wait for the next WATCHDOG=1. */
    armWatchdog: enqueueActions(({ context, event, enqueue }) => {
      enqueue.cancel('watchdog');
      if (context.watchdog === undefined || context.announced === 'stopping') return;
      const delay = context.resumes?.left.watchdog ?? Math.min(context.watchdog, forever);
      // A timer's event carries no time: this one has that at which it is due.
      const since = 'at' in event ? Math.max(event.at, context.at) : context.at;
      enqueue.raise({ type: 'watchdog.missed', at: since + delay }, { id: 'watchdog', delay });
    }),
    restWatchdog: cancel('watchdog'),
    /** Watches how long the run lasts, from its spawn on, where that is limited. */
    armLimit: enqueueActions(({ context: { spec, resumes, pid, at, spawnedAt }, enqueue }) => {
      if (spec.maxRuntime === undefined || pid === 0) return;
      const delay = resumes?.left.maxRuntime ?? Math.max(0, spawnedAt + spec.maxRuntime - at);
      enqueue.cancel('limit');
      enqueue.raise({ type: 'runtime.exceeded' }, { id: 'limit', delay });
    }),
    restLimit: cancel('limit'),
    /** Arms the timer only where restarts are to be forgotten: every further timer slows down the others. */
    armStable: enqueueActions(({ context, enqueue }) => {
      if (context.pause === undefined) return;
      const delay = context.resumes?.left.stable ?? stableAfter(context.pause);
      enqueue.raise({ type: 'restarts.forgotten' }, { id: 'stable', delay });
    }),
    restStable: cancel('stable'),
    /** Only services with `healthy` have this actor, so that it costs the others nothing. */
    beginHealth: enqueueActions(({ context: { spec: service, serial, at, retired }, self, enqueue }) => {
      const { healthy: tree } = service;
      if (tree === undefined || retired) return;
      enqueue.spawnChild('health', { id: 'health', input: { service, serial, tree, owner: self, at } });
    }),
    endHealth: enqueueActions(({ context, enqueue }) => {
      if (context.spec.healthy !== undefined) enqueue.stopChild('health');
    }),
    recordHealth: assign(
      when(['health.passed', 'health.failed'], (_, { type }) => ({
        health: type === 'health.passed' ? 'healthy' : 'unhealthy',
      })),
    ),
    reportHealthy: enqueueActions(({ context: { spec, system, health }, event, enqueue }) => {
      assertEvent(event, 'health.passed');
      const again = health === 'unhealthy';
      enqueue.sendTo(system, { type: 'service.healthy', name: spec.name, again, at: event.at });
    }),
    reportUnhealthy: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'health.failed');
      const { spec, system, pid } = context;
      const cause = { kind: 'unhealthy', probe: event.probe, reason: event.reason, pid } as const;
      const answer = answerOf(context);
      enqueue.sendTo(system, { type: 'service.unhealthy', name: spec.name, cause, answer, at: event.at });
    }),
    judgeHealth: assign(
      when('health.failed', ({ pid }, { probe, reason }) => ({ verdict: { kind: 'unhealthy', probe, reason, pid } })),
    ),
    closeNotify: enqueueActions(({ context, enqueue }) => {
      if (context.notifications !== undefined) enqueue.sendTo(context.notifications, { type: 'notify.close' });
    }),
    recordExit: assign(when(leaderEnds, (_, { pid, status, age }) => ({ pid: 0, lastEnd: { pid, status, ran: age } }))),
    judgeExit: assign(({ event }) => ({ verdict: verdictOfEnd(event) })),
    /** As `judgeExit`, for the last end, which may have come while hooks of after_start ran. */
    judgeEnd: assign(({ context }) => ({ verdict: verdictOfLastEnd(context) })),
    judgeSpawn: assign(when('unit.spawnFailed', (_, { error }) => ({ verdict: { kind: 'spawn', error } }))),
    judgeReadiness: assign(
      when('readiness.failed', ({ pid }, { cause }) => ({ verdict: 'pid' in cause ? { ...cause, pid } : cause })),
    ),
    judgeTimeout: assign(({ context: { deadline, at, spec, pid, hook } }) => {
      const timeout = spec.processTimeout;
      return {
        at: Math.max(at, deadline ?? at),
        verdict:
          hook === undefined
            ? { kind: 'timeout', timeout, pid }
            : {
                kind: 'hook',
                hook: { stage: hook.stage, nth: hook.nth, of: hook.of },
                failure: { kind: 'timeout', timeout },
              },
      };
    }),
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
      at: 'at' in event ? Math.max(event.at, context.at) : context.at,
      verdict: {
        kind: 'watchdog',
        interval: context.watchdog ?? 0,
        triggered: event.type === 'notify.received',
        pid: context.pid,
      },
      endSignal: 'SIGABRT',
    })),
    judgeOverrun: assign(({ context: { at, spawnedAt, pid, spec } }) => {
      const limit = spec.maxRuntime ?? 0;
      return { at: Math.max(at, spawnedAt + limit), verdict: { kind: 'overrun', limit, pid } };
    }),
    /** Drops the failure of the run, but not one because of a prerequisite. */
    pardon: assign(({ context: { verdict } }) => ({ verdict: verdict?.kind === 'prerequisite' ? verdict : undefined })),
    /** Reports that the process of a start runs, where another service waits for that. */
    reportSpawn: enqueueActions(({ context: { spec, system, spawnedAt: at }, enqueue }) => {
      if (spec.announcesSpawn === true) enqueue.sendTo(system, { type: 'service.spawned', name: spec.name, at });
    }),
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
        ...noTries,
        verdict: undefined,
      })),
    ),
    markReady: assign({ hasBeenReady: true }),
    markSettled: assign({ settled: true }),
    countRestart: assign(({ context }) => nextTry(context)),
    /** Remembers why no try follows. */
    recordNoTry: assign(({ context }) => withoutTry(context)),
    /** As `recordNoTry`, for a normal end, which is no failure. */
    recordNoReturn: assign(({ context }) =>
      context.aim === 'exited' ? withoutTry({ ...context, verdict: verdictOfLastEnd(context) }) : {},
    ),
    becomeStable: assign(({ context }) => stableMemory(context.spec, context)),
    recordStop: assign(
      when('service.stop', (_, { killAfter, at, because, fails }) => ({
        // A stop because of a prerequisite may be a failure, which counts once nothing runs.
        verdict: fails === undefined || because === undefined ? undefined : { kind: 'prerequisite', ...because },
        aim: undefined,
        deadline: killAfter === undefined ? undefined : at + killAfter,
      })),
    ),
    recordClearing: assign({
      deadline: ({ context: { at, deadline, resumes, spec } }) =>
        resumes === undefined ? at + (spec.stopTimeout ?? clearGrace) : deadline,
    }),
    retire: assign(when('service.retire', () => ({ retired: true }))),
    /** A command that does not run yet does not begin any more. */
    retireUnit: enqueueActions(({ context: { unit }, enqueue }) => {
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.retire' });
    }),
    forgetRestarts: assign(noTries),
    askForTime: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'notify.received');
      const until = event.at + Math.min(event.message.extend ?? 0, forever);
      enqueue.sendTo(context.system, { type: 'service.extended', name: context.spec.name, until, at: event.at });
    }),
    terminateUnit: enqueueActions(({ context, event, enqueue }) => {
      const { unit, endSignal, spec, at, resumes } = context;
      // The previous chart has sent the signal already: many programs take a second one as a demand for haste.
      if (unit === undefined || resumes !== undefined) return;
      const steps = endSignal === undefined && spec.killSteps !== undefined ? { steps: spec.killSteps } : {};
      const patience = spec.stdin === 'pipe' ? patienceFor(event) : {};
      enqueue.sendTo(unit, { type: 'unit.terminate', signal: endSignal ?? spec.killSignal, ...steps, ...patience, at });
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
    beginReload: enqueueActions(({ context, event, enqueue, self }) => {
      assertEvent(event, 'service.reload');
      const { spec: service, serial, pid, system } = context;
      const { request, at } = event;
      const method = service.reload;
      if (method === undefined) return;
      enqueue.assign(({ spawn }) => ({
        reload: {
          ref: spawn('reload', { id: 'reload', input: { service, method, serial, pid, owner: self, at } }),
          request,
          since: at,
        },
      }));
      const news = { kind: 'reloading', method: method.kind } as const;
      enqueue.sendTo(system, { type: 'service.noticed', name: service.name, news, at });
    }),
    refuseReload: enqueueActions(({ context, event, enqueue }) => {
      assertEvent(event, 'service.reload');
      const { request, at } = event;
      const news: ReloadNews = {
        kind: 'reloaded',
        outcome: refusedReload(context),
        ...(request === undefined ? {} : { request }),
      };
      enqueue.sendTo(context.system, { type: 'service.noticed', name: context.spec.name, news, at });
    }),
    endReload: enqueueActions(({ context: { reload, system, spec }, event, enqueue }) => {
      assertEvent(event, 'reload.ended');
      const { outcome, at } = event;
      const request = reload?.request;
      const news: ReloadNews = { kind: 'reloaded', outcome, ...(request === undefined ? {} : { request }) };
      enqueue.assign({ lastReload: outcome });
      enqueue.sendTo(system, { type: 'service.noticed', name: spec.name, news, at });
    }),
    dropReload: enqueueActions(({ context: { reload }, enqueue }) => {
      if (reload !== undefined) enqueue.stopChild(reload.ref);
      enqueue.assign({ reload: undefined });
    }),
    giveReloadUp: enqueueActions(({ context: { reload, at }, event, enqueue }) => {
      if (reload !== undefined)
        enqueue.sendTo(reload.ref, { type: 'reload.giveUp', at: 'at' in event ? event.at : at });
    }),
    passToReload: enqueueActions(({ context: { reload }, event, enqueue }) => {
      assertEvent(event, 'notify.received');
      if (reload !== undefined) enqueue.sendTo(reload.ref, event);
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
    hasConditions: ({ context }) => context.spec.startIf !== undefined,
    /** True where a chart that is made anew goes on in this state. */
    resumesIn: ({ context }, params: { stage: ServiceStage }) => context.resumes?.stage === params.stage,
    /** True for types whose start is decided by the exit of their process. */
    awaitsExit: ({ context }) => context.spec.type === 'oneshot' || context.spec.type === 'forking',
    isNotify: ({ context }) => context.spec.type === 'notify',
    hasPidfile: ({ context }) => context.spec.pidfile !== undefined,
    hasProbes: ({ context }) => context.spec.ready !== undefined,
    hasPidfileAndProbes: ({ context: { spec } }) => spec.pidfile !== undefined && spec.ready !== undefined,
    restartsUnhealthy: ({ context }) => answerOf(context) === 'restart',
    isStale: ({ context, event }) => 'serial' in event && event.serial !== context.serial,
    /** An end before the probes of `ready` have passed is a failed start, a normal one, too. */
    exitedNormally: ({ context, event }) =>
      endedNormally(context, event) && (context.spec.ready === undefined || context.settled),
    /** The process may have lived through the startup pause: chaperone learns of its end only now. */
    mayHaveSettled: ({ context, event }) =>
      event.type === 'unit.leaderExited' &&
      (context.spec.pidfile === undefined || event.named === true) &&
      event.age >= context.spec.startupPause,
    /** The pidfile named the process before it ended, but chaperone had not looked yet: the service was ready. */
    hadNamedItself: ({ context, event }) =>
      event.type === 'unit.leaderExited' && event.named === true && context.spec.ready === undefined,
    /** The started process exited normally; the process that the pidfile names is still to be found. */
    exitedIntoPidfile: ({ context, event }) => context.spec.pidfile !== undefined && endedNormally(context, event),
    /** The started process may have left a daemon behind, which has still to send READY=1. */
    exitedBeforeReady: ({ context: { spec, ...context }, event }) =>
      spec.type === 'notify' && spec.ready === undefined && endedNormally({ spec, ...context }, event),
    /** A forking service has left its daemon behind, and the probes of `ready` are still to pass. */
    exitedIntoProbes: ({ context, event }) =>
      context.spec.type === 'forking' && context.spec.ready !== undefined && endedNormally(context, event),
    /** True where the exit completes the start: a oneshot service is done, a forking one has left its daemon behind. */
    exitedAsMeant: ({ context, event }) =>
      (context.spec.type === 'oneshot' || context.spec.type === 'forking') && endedNormally(context, event),
    leavesNothingBesideHooks: ({ context, event }) =>
      event.type === 'unit.leaderExited' && event.left === 0 && context.hooks !== undefined,
    leavesNothing: ({ event }) => event.type === 'unit.leaderExited' && event.left === 0,
    missedLeaderOfProbes: ({ context, event }) =>
      event.type === 'readiness.passed' && event.ended !== undefined && context.spec.ready !== undefined,
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
    returns: ({ context }) => returnsAfterEnd(context),
    returnsAndLeft: ({ context }) => context.unit !== undefined && returnsAfterEnd(context),
    rests: ({ context }) => restsAfterEnd(context),
    mayReload: ({ context }) => context.spec.reload !== undefined && context.pid !== 0 && context.reload === undefined,
    isRetired: ({ context }) => context.retired,
    isCancelled: ({ context, event }) =>
      context.retired && event.type === 'unit.spawnFailed' && event.error.code === 'ECANCELED',
    isFailingStop: ({ event }) => event.type === 'service.stop' && event.fails === true,
    hasVerdict: ({ context }) => context.verdict !== undefined,
    hasUnit: ({ context }) => context.unit !== undefined,
    hasNoUnit: ({ context }) => context.unit === undefined,
    runsHooks: ({ context }) => context.hooks !== undefined,
    hasHooks: ({ context }, { stage }: { readonly stage: HookStage }) => hooksOf(context.spec.hooks, stage).length > 0,
    /** Hooks of after_start are to run: nothing starts any more once the system is ending. */
    startsHooks: ({ context }) => !context.retired && hooksOf(context.spec.hooks, 'after_start').length > 0,
    /** A stop of a service that is up begins with its hooks. */
    stopsByHooks: ({ context: { spec } }) => hasStopHooks(spec),
    remainsAndStopsByHooks: ({ context: { spec } }) => spec.remainAfterExit && hasStopHooks(spec),
    owesAfterStop: ({ context: { owes, spec } }) => owes && hooksOf(spec.hooks, 'after_stop').length > 0,
    owesAtEnd: ({ context }) =>
      context.owes && hooksOf(context.spec.hooks, 'after_stop').length > 0 && endsForGood(context),
    aims: ({ context }, { aim }: { readonly aim: ServiceMemory['aim'] }) => context.aim === aim,
    /** Told to stop while after_stop ran: what the run has left has still to end. */
    mustEndRest: ({ context: { aim, unit } }) => aim === undefined && unit !== undefined,
  },
  delays: {
    startupPause: ({ context: { spec, resumes } }) => resumes?.left.startupPause ?? spec.startupPause,
    processTimeout: ({ context }) => Math.min(forever, context.resumes?.left.processTimeout ?? startTimeLeft(context)),
    restartDelay: ({ context: { spec, resumes, pause } }) => resumes?.left.restartDelay ?? pause ?? spec.restartDelay,
    clearGrace: ({ context: { resumes, spec } }) => resumes?.left.clearGrace ?? spec.stopTimeout ?? clearGrace,
    afterStop: ({ context: { resumes, spec } }) => resumes?.left.afterStop ?? spec.hooks?.afterStopTimeout ?? 0,
  },
});

function hasStopHooks({ hooks }: ServiceSpec): boolean {
  return hooksOf(hooks, 'before_stop').length > 0 || hooksOf(hooks, 'stop_command').length > 0;
}

/** A notify service without probes has its startup pause beyond the time limit of its start. */
function pauseOf({ type, ready, startupPause }: ServiceSpec): number {
  return type === 'notify' && ready === undefined ? startupPause : 0;
}

/** ms that a service which reads from others may take to end by itself at the end of its input. */
const inputPatience = 1_000;

/** Only a stop for good ends the input; half of the time at least is left for the signal. */
function patienceFor(event: ServiceEvent): { readonly patience?: number } {
  if (event.type !== 'service.stop' || (event.why !== 'shutdown' && event.why !== 'gone')) return {};
  return { patience: Math.min(inputPatience, (event.killAfter ?? 2 * inputPatience) / 2) };
}
