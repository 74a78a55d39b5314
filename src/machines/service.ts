/**
 * One service, of any type, from the configuration to the end of the system.
 *
 *     disabled
 *     pending  → starting → ready → stopping → stopped        (failed from starting, ready and stopping)
 *                   ↑         ↓
 *                   └───── backoff
 *
 * Who wants what. The system machine decides when: it sends `service.start` once everything this service waits for is
 * ready, and `service.stop` once everything that waits for it has ended. The service decides how: when it counts as ready,
 * what an exit means, whether there is another try. What is wanted (up or down) is the last command; where it stands is
 * the chart.
 *
 * A service may have one live run at a time; it is spawned on entering `starting` and let go when it was reaped. Types
 * differ in how they become ready, which is a stage of `starting`, and not in a chart of their own:
 *
 *     simple   starting.settling         ready when startup_pause has passed, or at a normal exit
 *     oneshot  starting.awaitingExit     ready when it exited with 0
 *     forking  starting.awaitingExit     ready when it exited with 0, and what it left behind is the service
 *     notify   starting.awaitingNotify   ready at READY=1 on its own socket
 *     inetd    starting.spawning         ready.scheduled when its port listens
 *     cron     starting.spawning         ready.scheduled when its schedule is accepted and its program is there
 *
 * A pidfile adds a stage to simple and forking, starting.awaitingPidfile: the process that the file names becomes the service.
 * So does the one that a notify service names with MAINPID. Such a process is taken over by a run that starts nothing
 * (`adopts`), which has a serial like any other: from then on its end is the end of the service. A third kind of run takes over
 * the remains of a start, so that a stop has something to end where no process is known by its pid.
 *
 * What runs for an inetd or cron service is a `scheduled` machine, which owns the processes: one a connection, one a tick.
 * It stands where the process of other types stands: it is spawned and let go with the same steps, and takes the same
 * wish to end. How one of its processes ends is no end of the service, so `ready.scheduled` is left only by a stop.
 *
 * What may cross on the way, and who wins:
 * - A stop during a start wins: the start is abandoned, its process terminated. An exit that was already on its way is then
 *   the end of the stop and not a failure.
 * - A start during a stop is remembered and begins when the process has ended; a stop after that takes it back.
 * - A start that takes too long is terminated through `stopping` like any other process, with the failure kept in
 *   `verdict`, so that `failed` is entered only when nothing runs any more.
 * - An exit of an earlier run (a serial that is not the current one) is ignored everywhere.
 * - A crash while the system is ending, before the stop came, is not answered by a restart (`service.retire`).
 * - A notification of an earlier start, or a pidfile's, is told by the serial of the start (`startSerial`) and ignored.
 * - A process that ends normally before READY may have become a daemon: the service goes on waiting without a run. MAINPID in the
 *   same datagram as READY counts first. READY without any process that is known makes it `ready.exited`, until MAINPID comes.
 * - A process that said it failed (ERRNO, BUSERROR), or missed its watchdog, may still live: it is ended through `stopping` with
 *   the failure kept in `verdict`, and a stop in that time outranks it, as above. READY in the same datagram does not save it.
 * - Time that it asks for (EXTEND_TIMEOUT_USEC) moves the deadline of a start, or of a stop by hand. It does not move that of a
 *   system that is ending: the budget belongs to all.
 * - A watchdog that was fed in the instant in which it is due was fed too late; the stop that follows finds it stopping already.
 * - A restart pause that is interrupted by a stop ends in `stopped`; the pause's timer dies with the state that owns it.
 * - A reset ends what an inetd or cron service runs and keeps it scheduled. Elsewhere it only forgets restarts: what runs is
 *   not reset, and what has ended begins afresh at its next start anyway.
 * - Another definition (`service.reconfigure`) counts from the moment in which it comes, in whatever state, and moves nothing:
 *   what runs goes on with what it was started with, and a timer that runs keeps its time. The system sends one that needs
 *   another process only while nothing runs.
 *
 * Every state answers every event; where nothing is to be done, the empty transition says so.
 */
import {
  type ActorRef,
  type ActorRefFrom,
  assign,
  cancel,
  type EventObject,
  enqueueActions,
  fromCallback,
  type Snapshot,
  setup,
} from 'xstate';
import { type ExitStatus, isNormal } from '../model/exit-status.ts';
import type { PidfileTrouble } from '../model/pidfile.ts';
import type { NotifyFact, NotifyRequest, PidfileFact, ProcessFact } from '../model/process-events.ts';
import { isScheduled, type ScheduleFact } from '../model/scheduling.ts';
import type { FailureCause, ServiceChange } from '../model/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import type { RunOutcome } from '../model/system-end.ts';
import { type ProcessCommand, processMachine } from './process.ts';
import { type ServiceNoticed, scheduledMachine } from './scheduled.ts';

export type ServiceCommand =
  | {
      readonly type: 'service.start';
      /** The prerequisite whose readiness let this service go, if it had to wait. */
      readonly waitedFor?: string;
      readonly at: number;
    }
  | {
      readonly type: 'service.stop';
      /** ms from the kill signal to SIGKILL. */
      readonly killAfter: number;
      readonly at: number;
    }
  /** SIGKILL now, whatever the service is doing. */
  | { readonly type: 'service.kill'; readonly at: number }
  /** The system is ending: what runs may run until its stop comes, but nothing is started or restarted any more. */
  | { readonly type: 'service.retire'; readonly at: number }
  | {
      /** inetd, cron: ends what runs and keeps the schedule. */
      readonly type: 'service.reset';
      /** ms from the kill signal to SIGKILL. */
      readonly killAfter: number;
      readonly at: number;
    }
  /** Its definition is another one from now on; the name is the same. */
  | { readonly type: 'service.reconfigure'; readonly spec: ServiceSpec; readonly at: number };

/** It did not say WATCHDOG=1 in time; raised by the service itself. */
interface WatchdogMissed {
  readonly type: 'watchdog.missed';
}

export type ServiceEvent = ServiceCommand | ProcessFact | PidfileFact | NotifyFact | WatchdogMissed | ScheduleFact;

/** What a service tells the system machine. `at` is the monotonic time in ms of the last fact it has seen. */
export interface ServiceChanged {
  readonly type: 'service.changed';
  readonly name: string;
  readonly change: ServiceChange;
  readonly at: number;
}

/** An `exit_kills` service has ended, or could not begin: the system is to follow. */
export interface ServiceExitKills {
  readonly type: 'service.exitKills';
  readonly name: string;
  readonly outcome: RunOutcome;
  readonly at: number;
}

export type ServiceReport = ServiceChanged | ServiceExitKills | ServiceNoticed;

export interface ServiceInput {
  readonly spec: ServiceSpec;
  readonly system: ActorRef<Snapshot<unknown>, ServiceReport>;
}

interface Run {
  readonly serial: number;
  readonly ref: ActorRef<Snapshot<unknown>, ProcessCommand>;
  /** inetd, cron: the same actor, which takes more. */
  readonly schedule?: ActorRefFrom<typeof scheduledMachine>;
  /** 0 until it is spawned, and where the run is a schedule. */
  readonly pid: number;
  /** Its pid comes from a pidfile or MAINPID: it is a daemon, and its kill signal is a normal way to end it. */
  readonly followed: boolean;
}

/** Which start a pidfile or a notify socket belongs to. */
export interface StartOf {
  readonly service: ServiceSpec;
  readonly serial: number;
}

interface ServiceContext extends ServiceInput {
  /** Hears the notify socket; only notify services have it, from their first start on. */
  readonly notifications: ActorRef<Snapshot<unknown>, NotifyRequest> | undefined;
  /** The live run; undefined while nothing runs. */
  readonly run: Run | undefined;
  /** Runs so far. */
  readonly serial: number;
  /** The run that was started last; the others since then have been adopted. */
  readonly startSerial: number;
  /** Monotonic ms at which the start has taken too long; undefined until the process runs. */
  readonly deadline: number | undefined;
  /** What the pidfile was like when it was looked at last. */
  readonly pidfileTrouble: PidfileTrouble;
  /** ms; undefined where the service need not say that it is alive. */
  readonly watchdog: number | undefined;
  /** STATUS=: its note in listings. */
  readonly status: string | undefined;
  /** What it has said of itself since READY. */
  readonly announced: 'reloading' | 'stopping' | undefined;
  /** The signal that ends it, where it is not its kill signal. */
  readonly endSignal: SignalName | undefined;
  /** The run that was ready and running; one that ends in `ready.exited` without that became ready by its end. */
  readonly settledRun: number;
  /** True once it was ready since the last `service.start`: from then on a failure may be answered by a restart. */
  readonly hasBeenReady: boolean;
  readonly restartsUsed: number;
  /** Why the service has failed, or will have once its process has ended. */
  readonly verdict: FailureCause | undefined;
  readonly lastExit: { readonly pid: number; readonly status: ExitStatus } | undefined;
  /** A start came while the last run was still being stopped. */
  readonly startWanted: boolean;
  /** The system is ending: no more restarts. */
  readonly retired: boolean;
  readonly killAfter: number;
  /** Monotonic ms at which SIGKILL is due, as the stop asked for it. */
  readonly killAt: number;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** The port that looks for the service's pidfile and reports what it finds; the runtime provides it. */
const pidfile = fromCallback<EventObject, StartOf, PidfileFact>(() => {
  throw new Error('internal error: the port pidfile is not provided');
});

/** The port that hears the service's notify socket, for all of its starts; the runtime provides it. */
const notifications = fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => {
  throw new Error('internal error: the port notifications is not provided');
});

/** How long a start that timed out may take to end after its kill signal, ms. */
const abandonGrace = 2_000;
/** Beyond its restart delay, a service must have been ready this long for its restart count to be forgotten, ms. */
const stableMargin = 1_000;

/** The longest wait that a clock takes, ms: a thousand years. */
const forever = 3e13;

const noRun = { run: undefined };
/** What a start begins with. */
const freshStart = {
  verdict: undefined,
  startWanted: false,
  deadline: undefined,
  pidfileTrouble: 'absent',
  status: undefined,
  announced: undefined,
  endSignal: undefined,
} as const;

/** Where nothing runs no fact is about anything: it is a late one of an earlier run. */
const ignoredFacts = {
  'schedule.accepted': {},
  'schedule.refused': {},
  'schedule.ended': {},
  'process.spawned': {},
  'process.spawnFailed': {},
  'process.exited': {},
  'pidfile.found': {},
  'pidfile.seen': {},
  'notify.received': {},
  'watchdog.missed': {},
};

export const serviceMachine = setup({
  types: {
    context: {} as ServiceContext,
    events: {} as ServiceEvent,
    input: {} as ServiceInput,
    /** Left in the same macrostep: nobody outside ever finds a service there. */
    tags: {} as 'transient',
  },
  actors: { process: processMachine, scheduled: scheduledMachine, pidfile, notifications },
  actions: {
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    spawnRun: assign(({ context, self, spawn }) => {
      const serial = context.serial + 1;
      const id = `run-${serial}`;
      const { spec: service, system } = context;
      const notifications =
        context.notifications ??
        (service.type === 'notify' ? spawn('notifications', { id: 'notifications', input: service }) : undefined);
      const begun = { ...freshStart, serial, startSerial: serial, watchdog: service.watchdog, notifications };
      if (isScheduled(service.type)) {
        const ref = spawn('scheduled', { id, input: { service, serial, owner: self, system } });
        return { ...begun, run: { serial, ref, schedule: ref, pid: 0, followed: false } };
      }
      const ref = spawn('process', { id, input: { run: { service, serial }, owner: self } });
      return { ...begun, run: { serial, ref, pid: 0, followed: false } };
    }),
    /** The time that a start may take begins when its process runs. */
    recordDeadline: assign({
      deadline: ({ context }) => {
        const { type, startupPause, processTimeout } = context.spec;
        return context.deadline ?? context.at + processTimeout + (type === 'notify' ? startupPause : 0);
      },
    }),
    extendDeadline: assign({
      deadline: ({ context, event }) =>
        event.type === 'notify.received' && context.deadline !== undefined
          ? Math.max(context.deadline, event.at + Math.min(event.message.extend ?? 0, forever))
          : context.deadline,
    }),
    /** A pause ends without an event that tells the time. */
    passPause: assign({ at: ({ context }) => context.at + context.spec.startupPause }),
    /** From here on the process that was named is the service. The one that it was is left to the remains of the start. */
    follow: enqueueActions(({ context, event, enqueue }) => {
      const pid = namedPid(event);
      if (pid === undefined) return;
      if (context.run?.pid === pid) {
        enqueue.assign({ run: { ...context.run, followed: true } });
        return;
      }
      if (context.run !== undefined) enqueue.stopChild(context.run.ref);
      enqueue.assign(({ context: { spec, serial, run, settledRun }, self, spawn }) => {
        const ref = spawn('process', {
          id: `run-${serial + 1}`,
          input: { run: { service: spec, serial: serial + 1, adopts: { kind: 'process', pid } }, owner: self },
        });
        return {
          serial: serial + 1,
          run: { serial: serial + 1, ref, pid, followed: true },
          settledRun: run !== undefined && settledRun === run.serial ? serial + 1 : settledRun,
        };
      });
    }),
    /** What is to be stopped has to be a run. */
    adoptRemains: assign(({ context, self, spawn }) => {
      if (context.run !== undefined) return {};
      const serial = context.serial + 1;
      const ref = spawn('process', {
        id: `run-${serial}`,
        input: { run: { service: context.spec, serial, adopts: { kind: 'remains' } }, owner: self },
      });
      return { serial, run: { serial, ref, pid: 0, followed: true } };
    }),
    recordPidfile: assign({
      pidfileTrouble: ({ context, event }) => (event.type === 'pidfile.seen' ? event.trouble : context.pidfileTrouble),
    }),
    noteNotice: assign(({ context, event }) => {
      if (event.type !== 'notify.received') return {};
      const { ready, reloading, stopping, status, watchdogInterval } = event.message;
      const announced = stopping ? 'stopping' : reloading ? 'reloading' : ready ? undefined : context.announced;
      return {
        announced,
        status: status === undefined ? context.status : status === '' ? undefined : status,
        watchdog: watchdogInterval === undefined ? context.watchdog : watchdogInterval || undefined,
      };
    }),
    /** Begins the wait for the next WATCHDOG=1 anew. */
    armWatchdog: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel('watchdog');
      if (context.watchdog === undefined || context.announced === 'stopping') return;
      enqueue.raise({ type: 'watchdog.missed' }, { id: 'watchdog', delay: Math.min(context.watchdog, forever) });
    }),
    restWatchdog: cancel('watchdog'),
    resetRestarts: assign({
      restartsUsed: ({ context, event }) =>
        event.type === 'notify.received' && event.message.restartReset ? 0 : context.restartsUsed,
    }),
    closeNotify: enqueueActions(({ context, enqueue }) => {
      if (context.notifications !== undefined) enqueue.sendTo(context.notifications, { type: 'notify.close' });
    }),
    recordPid: assign({
      run: ({ context, event }) =>
        event.type === 'process.spawned' && context.run !== undefined
          ? { ...context.run, pid: event.pid }
          : context.run,
    }),
    recordExit: assign({
      lastExit: ({ context, event }) =>
        event.type === 'process.exited' ? { pid: event.pid, status: event.status } : context.lastExit,
    }),
    judgeExit: assign({
      verdict: ({ event, context }): FailureCause | undefined =>
        event.type === 'process.exited' ? { kind: 'exit', status: event.status, pid: event.pid } : context.verdict,
    }),
    judgeSpawn: assign({
      verdict: ({ event, context }): FailureCause | undefined =>
        event.type === 'process.spawnFailed' ? { kind: 'spawn', error: event.error } : context.verdict,
    }),
    judgeSchedule: assign({
      verdict: ({ event, context }): FailureCause | undefined =>
        event.type === 'schedule.refused' ? event.cause : context.verdict,
    }),
    judgeTimeout: assign({
      verdict: ({ context }): FailureCause => ({
        kind: 'timeout',
        timeout: context.spec.processTimeout,
        pid: context.run?.pid ?? 0,
      }),
      killAfter: abandonGrace,
    }),
    judgePidfile: assign({
      verdict: ({ context }): FailureCause => ({
        kind: 'pidfile',
        file: context.spec.pidfile ?? '',
        trouble: context.pidfileTrouble,
        timeout: context.spec.processTimeout,
      }),
      killAfter: abandonGrace,
    }),
    judgeNotice: assign({
      verdict: ({ context, event }): FailureCause | undefined => {
        if (event.type !== 'notify.received') return context.verdict;
        const { errno, busError } = event.message;
        return {
          kind: 'reported',
          ...(errno === undefined ? {} : { errno }),
          ...(busError === undefined ? {} : { busError }),
          pid: context.run?.pid ?? 0,
        };
      },
      killAfter: abandonGrace,
    }),
    /** SIGABRT leaves a core of what it was doing (systemd.service(5), WatchdogSec=). */
    judgeWatchdog: assign({
      verdict: ({ context, event }): FailureCause => ({
        kind: 'watchdog',
        interval: context.watchdog ?? 0,
        triggered: event.type === 'notify.received',
        pid: context.run?.pid ?? 0,
      }),
      endSignal: 'SIGABRT',
      killAfter: abandonGrace,
    }),
    pardon: assign({ verdict: undefined, endSignal: undefined }),
    dropRun: enqueueActions(({ context, enqueue }) => {
      if (context.run === undefined) return;
      enqueue.stopChild(context.run.ref);
      enqueue.assign(noRun);
    }),
    beginFreshly: assign({ hasBeenReady: false, restartsUsed: 0, verdict: undefined }),
    markReady: assign({ hasBeenReady: true }),
    markSettled: assign({ settledRun: ({ context }) => context.serial }),
    countRestart: assign({ restartsUsed: ({ context }) => context.restartsUsed + 1 }),
    retire: assign({ retired: true }),
    forgetRestarts: assign({ restartsUsed: 0 }),
    wantStart: assign({ startWanted: true }),
    wantNoStart: assign({ startWanted: false }),
    recordKillAfter: assign({
      killAfter: ({ context, event }) => (event.type === 'service.stop' ? event.killAfter : context.killAfter),
      killAt: ({ context, event }) => (event.type === 'service.stop' ? event.at + event.killAfter : context.killAt),
    }),
    extendStop: enqueueActions(({ context, event, enqueue }) => {
      if (context.run === undefined || event.type !== 'notify.received') return;
      const wanted = Math.min(event.message.extend ?? 0, forever);
      const killAfter = Math.max(context.killAt - event.at, wanted);
      enqueue.sendTo(context.run.ref, { type: 'process.extend', killAfter });
    }),
    terminateRun: enqueueActions(({ context, enqueue }) => {
      if (context.run === undefined) return;
      enqueue.sendTo(context.run.ref, {
        type: 'process.terminate',
        signal: context.endSignal ?? context.spec.killSignal,
        killAfter: context.killAfter,
      });
    }),
    killRun: enqueueActions(({ context, enqueue }) => {
      if (context.run !== undefined) enqueue.sendTo(context.run.ref, { type: 'process.kill' });
    }),
    reconfigure: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'service.reconfigure') return;
      const { spec } = event;
      enqueue.assign({ spec });
      const schedule = context.run?.schedule;
      if (schedule !== undefined) enqueue.sendTo(schedule, { type: 'schedule.reconfigure', service: spec });
    }),
    retireSchedule: enqueueActions(({ context, enqueue }) => {
      const schedule = context.run?.schedule;
      if (schedule !== undefined) enqueue.sendTo(schedule, { type: 'schedule.retire' });
    }),
    resetRuns: enqueueActions(({ context, event, enqueue }) => {
      const schedule = context.run?.schedule;
      if (schedule === undefined || event.type !== 'service.reset') return;
      const { killAfter } = event;
      enqueue.sendTo(schedule, { type: 'schedule.reset', signal: context.spec.killSignal, killAfter });
    }),
    report: enqueueActions(({ context, enqueue }, params: { phase: ServiceChange['phase'] }) => {
      const change = describeChange(context, params.phase);
      enqueue.sendTo(context.system, { type: 'service.changed', name: context.spec.name, change, at: context.at });
    }),
    /** A failed start that nobody ignores is a system failure, which decides the exit status instead. */
    reportExitKills: enqueueActions(({ context, event, enqueue }, params: { atStart: boolean }) => {
      const outcome = runOutcome(event);
      if (!context.spec.exitKills || outcome === undefined) return;
      if (params.atStart && !context.spec.ignoreFailures) return;
      enqueue.sendTo(context.system, { type: 'service.exitKills', name: context.spec.name, outcome, at: context.at });
    }),
    /** Its process was ended because the service had failed while it was ready. */
    reportLoss: enqueueActions(({ context, event, enqueue }) => {
      const outcome = runOutcome(event);
      if (!context.spec.exitKills || outcome === undefined || !context.hasBeenReady) return;
      enqueue.sendTo(context.system, { type: 'service.exitKills', name: context.spec.name, outcome, at: context.at });
    }),
  },
  guards: {
    isEnabled: ({ context }) => context.spec.enabled,
    /** Its exit is what is waited for. */
    awaitsExit: ({ context }) => context.spec.type === 'oneshot' || context.spec.type === 'forking',
    isNotify: ({ context }) => context.spec.type === 'notify',
    hasPidfile: ({ context }) => context.spec.pidfile !== undefined,
    isStale: ({ context, event }) => 'serial' in event && event.serial !== context.run?.serial,
    isStaleStart: ({ context, event }) => 'serial' in event && event.serial !== context.startSerial,
    exitedNormally: ({ context, event }) => endedNormally(context, event),
    /** The process of a pidfile is still to be found. */
    exitedIntoPidfile: ({ context, event }) => context.spec.pidfile !== undefined && endedNormally(context, event),
    /** It may have become a daemon, which has still to say READY=1. */
    exitedBeforeReady: ({ context, event }) => context.spec.type === 'notify' && endedNormally(context, event),
    notifiesFailure: ({ event }) =>
      event.type === 'notify.received' &&
      (event.message.busError !== undefined || (event.message.errno !== undefined && event.message.errno !== 0)),
    notifiesReady: ({ event }) => event.type === 'notify.received' && event.message.ready === true,
    /** READY, and nobody knows of whom. */
    notifiesReadyAlone: ({ context, event }) =>
      event.type === 'notify.received' &&
      event.message.ready === true &&
      event.message.mainPid === undefined &&
      context.run === undefined &&
      context.lastExit !== undefined,
    notifiesMainPid: ({ event }) => event.type === 'notify.received' && event.message.mainPid !== undefined,
    triggersWatchdog: ({ event }) => event.type === 'notify.received' && event.message.watchdog === 'trigger',
    feedsWatchdog: ({ event }) =>
      event.type === 'notify.received' &&
      (event.message.watchdog === 'alive' || event.message.watchdogInterval !== undefined || !!event.message.stopping),
    extendsStart: ({ context, event }) =>
      event.type === 'notify.received' && event.message.extend !== undefined && context.deadline !== undefined,
    extendsStop: ({ context, event }) =>
      event.type === 'notify.received' && event.message.extend !== undefined && !context.retired,
    leavesRemains: ({ context }) => ownsRemains(context.spec),
    mayRestart: ({ context }) => mayRestart(context),
    startWanted: ({ context }) => context.startWanted,
    isRetired: ({ context }) => context.retired,
    hasVerdict: ({ context }) => context.verdict !== undefined,
  },
  delays: {
    startupPause: ({ context }) => context.spec.startupPause,
    processTimeout: ({ context }) => context.spec.processTimeout,
    untilDeadline: ({ context }) =>
      Math.min(forever, Math.max(0, (context.deadline ?? context.at + context.spec.processTimeout) - context.at)),
    restartDelay: ({ context }) => context.spec.restartDelay,
    stableTime: ({ context }) => context.spec.restartDelay + stableMargin,
  },
}).createMachine({
  id: 'service',
  context: ({ input }) => ({
    ...input,
    ...noRun,
    notifications: undefined,
    ...freshStart,
    serial: 0,
    startSerial: 0,
    watchdog: undefined,
    settledRun: 0,
    hasBeenReady: false,
    restartsUsed: 0,
    lastExit: undefined,
    retired: false,
    killAfter: 0,
    killAt: 0,
    at: 0,
  }),
  initial: 'configured',
  on: {
    'service.reconfigure': { actions: ['noteTime', 'reconfigure'] },
  },
  states: {
    configured: {
      tags: ['transient'],
      always: [{ guard: 'isEnabled', target: 'pending' }, { target: 'disabled' }],
    },

    /** Not reported, like `pending`: the system machine knows it from the configuration. */
    disabled: {
      on: {
        // The system sends it only where somebody has enabled it by hand.
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime', 'beginFreshly'] }],
        'service.stop': {},
        'service.kill': {},
        'service.retire': { actions: ['noteTime', 'retire'] },
        'service.reset': {},
        ...ignoredFacts,
      },
    },

    /** Waits for the system to say that everything it waits for is ready. */
    pending: {
      on: {
        'service.start': { target: 'starting', actions: ['noteTime', 'beginFreshly'] },
        'service.stop': { target: 'stopped', actions: ['noteTime'] },
        'service.kill': { target: 'stopped', actions: ['noteTime'] },
        'service.retire': { target: 'stopped', actions: ['noteTime', 'retire'] },
        'service.reset': {},
        ...ignoredFacts,
      },
    },

    starting: {
      entry: ['spawnRun', { type: 'report', params: { phase: 'starting' } }],
      initial: 'spawning',
      on: {
        'service.start': {},
        'service.stop': { target: 'stopping', actions: ['noteTime', 'recordKillAfter'] },
        'service.kill': { target: 'stopping.killing', actions: ['noteTime'] },
        'service.retire': { actions: ['noteTime', 'retire', 'retireSchedule'] },
        'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
        'schedule.accepted': [{ guard: 'isStale' }, { target: 'ready.scheduled', actions: ['noteTime'] }],
        'schedule.refused': [
          { guard: 'isStale' },
          { target: 'judged', actions: ['noteTime', 'judgeSchedule', 'dropRun'] },
        ],
        'schedule.ended': {},
        'process.spawned': {},
        'process.spawnFailed': [
          { guard: 'isStale' },
          {
            target: 'judged',
            actions: ['noteTime', 'judgeSpawn', 'dropRun', { type: 'reportExitKills', params: { atStart: true } }],
          },
        ],
        'process.exited': [
          { guard: 'isStale' },
          {
            guard: 'exitedIntoPidfile',
            target: '.awaitingPidfile',
            actions: ['noteTime', 'recordExit', 'recordDeadline', 'dropRun'],
          },
          {
            guard: 'exitedBeforeReady',
            target: '.awaitingNotify',
            actions: ['noteTime', 'recordExit', 'recordDeadline', 'dropRun'],
          },
          {
            guard: 'exitedNormally',
            target: 'ready.exited',
            actions: ['noteTime', 'recordExit', 'dropRun', { type: 'reportExitKills', params: { atStart: false } }],
          },
          {
            target: 'judged',
            actions: [
              'noteTime',
              'recordExit',
              'judgeExit',
              'dropRun',
              { type: 'reportExitKills', params: { atStart: true } },
            ],
          },
        ],
        'pidfile.found': {},
        'pidfile.seen': {},
        'notify.received': [
          { guard: 'isStaleStart' },
          {
            guard: 'notifiesFailure',
            target: 'stopping',
            actions: ['noteTime', 'noteNotice', 'follow', 'judgeNotice'],
          },
          { guard: 'notifiesReadyAlone', target: 'ready.exited', actions: ['noteTime', 'noteNotice'] },
          { guard: 'notifiesReady', target: 'ready.running', actions: ['noteTime', 'noteNotice', 'follow'] },
          {
            guard: 'extendsStart',
            target: '.awaitingNotify',
            actions: ['noteTime', 'noteNotice', 'follow', 'extendDeadline'],
          },
          { actions: ['noteTime', 'noteNotice', 'follow'] },
        ],
        'watchdog.missed': {},
      },
      states: {
        spawning: {
          on: {
            'process.spawned': [
              { guard: 'isStale' },
              { guard: 'awaitsExit', target: 'awaitingExit', actions: ['noteTime', 'recordPid', 'recordDeadline'] },
              { guard: 'isNotify', target: 'awaitingNotify', actions: ['noteTime', 'recordPid', 'recordDeadline'] },
              { target: 'settling', actions: ['noteTime', 'recordPid', 'recordDeadline'] },
            ],
          },
        },
        /** simple: an early death counts as a failed start. */
        settling: {
          after: {
            startupPause: [
              { guard: 'hasPidfile', target: 'awaitingPidfile', actions: ['passPause'] },
              { target: '#service.ready.running' },
            ],
          },
        },
        /** oneshot and forking: its end is the result. */
        awaitingExit: {
          after: { processTimeout: { target: '#service.stopping', actions: ['judgeTimeout'] } },
        },
        /** simple and forking: the file is to name the process that is the service. Its own may have ended. */
        awaitingPidfile: {
          invoke: {
            id: 'pidfile',
            src: 'pidfile',
            input: ({ context }) => ({ service: context.spec, serial: context.startSerial }),
          },
          after: { untilDeadline: { target: '#service.stopping', actions: ['judgePidfile'] } },
          on: {
            'pidfile.found': [
              { guard: 'isStaleStart' },
              { target: '#service.ready.running', actions: ['noteTime', 'follow'] },
            ],
            'pidfile.seen': [{ guard: 'isStaleStart' }, { actions: ['noteTime', 'recordPidfile'] }],
          },
        },
        /** notify: READY=1 is what makes it ready. Its own process may have ended normally. */
        awaitingNotify: {
          after: { untilDeadline: { target: '#service.stopping', actions: ['judgeTimeout'] } },
        },
      },
    },

    ready: {
      entry: ['markReady'],
      initial: 'running',
      states: {
        running: {
          entry: ['markSettled', 'armWatchdog', { type: 'report', params: { phase: 'running' } }],
          exit: ['restWatchdog'],
          after: { stableTime: { actions: ['forgetRestarts'] } },
          on: {
            'service.start': {},
            'service.stop': { target: '#service.stopping', actions: ['noteTime', 'recordKillAfter'] },
            'service.kill': { target: '#service.stopping.killing', actions: ['noteTime'] },
            'service.retire': { actions: ['noteTime', 'retire'] },
            'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
            'schedule.accepted': {},
            'schedule.refused': {},
            'schedule.ended': {},
            'process.spawned': {},
            'process.spawnFailed': {},
            'process.exited': [
              { guard: 'isStale' },
              {
                guard: 'exitedNormally',
                target: 'exited',
                actions: ['noteTime', 'recordExit', 'dropRun', { type: 'reportExitKills', params: { atStart: false } }],
              },
              {
                target: '#service.judged',
                actions: [
                  'noteTime',
                  'recordExit',
                  'judgeExit',
                  'dropRun',
                  { type: 'reportExitKills', params: { atStart: false } },
                ],
              },
            ],
            'pidfile.found': {},
            'pidfile.seen': {},
            'notify.received': [
              { guard: 'isStaleStart' },
              {
                guard: 'notifiesFailure',
                target: '#service.stopping',
                actions: ['noteTime', 'noteNotice', 'follow', 'judgeNotice'],
              },
              {
                guard: 'triggersWatchdog',
                target: '#service.stopping',
                actions: ['noteTime', 'noteNotice', 'follow', 'judgeWatchdog'],
              },
              {
                guard: 'feedsWatchdog',
                actions: ['noteTime', 'noteNotice', 'follow', 'resetRestarts', 'armWatchdog'],
              },
              { actions: ['noteTime', 'noteNotice', 'follow', 'resetRestarts'] },
            ],
            'watchdog.missed': { target: '#service.stopping', actions: ['judgeWatchdog'] },
          },
        },
        /** It has done its work: nothing runs, and its dependents may. */
        exited: {
          entry: [{ type: 'report', params: { phase: 'exited' } }],
          on: {
            'service.start': [
              { guard: 'isRetired' },
              { target: '#service.starting', actions: ['noteTime', 'beginFreshly'] },
            ],
            'service.stop': [
              // Its daemons are its own.
              { guard: 'leavesRemains', target: '#service.stopping', actions: ['noteTime', 'recordKillAfter'] },
              { target: '#service.stopped', actions: ['noteTime'] },
            ],
            'service.kill': [
              { guard: 'leavesRemains', target: '#service.stopping.killing', actions: ['noteTime'] },
              { target: '#service.stopped', actions: ['noteTime'] },
            ],
            'service.retire': { actions: ['noteTime', 'retire'] },
            'service.reset': {},
            'schedule.accepted': {},
            'schedule.refused': {},
            'schedule.ended': {},
            'process.spawned': {},
            'process.spawnFailed': {},
            'process.exited': {},
            'pidfile.found': {},
            'pidfile.seen': {},
            'notify.received': [
              { guard: 'isStaleStart' },
              // The daemon that its start has become says who it is.
              {
                guard: 'notifiesMainPid',
                target: 'running',
                actions: ['noteTime', 'noteNotice', 'follow'],
              },
              { actions: ['noteTime', 'noteNotice'] },
            ],
            'watchdog.missed': {},
          },
        },
        /** inetd, cron: its processes come and go; none of their ends is its own. */
        scheduled: {
          entry: ['markSettled', { type: 'report', params: { phase: 'scheduled' } }],
          on: {
            'service.start': {},
            'service.stop': { target: '#service.stopping', actions: ['noteTime', 'recordKillAfter'] },
            'service.kill': { target: '#service.stopping.killing', actions: ['noteTime'] },
            'service.retire': { actions: ['noteTime', 'retire', 'retireSchedule'] },
            'service.reset': { actions: ['noteTime', 'resetRuns'] },
            ...ignoredFacts,
          },
        },
      },
    },

    /** A failure looks for its consequence: another try, or the end. Nothing runs here. */
    judged: {
      tags: ['transient'],
      always: [{ guard: 'mayRestart', target: 'backoff', actions: ['countRestart'] }, { target: 'failed' }],
    },

    backoff: {
      entry: [{ type: 'report', params: { phase: 'backoff' } }],
      after: { restartDelay: 'starting' },
      on: {
        'service.start': { target: 'starting', actions: ['noteTime', 'beginFreshly'] },
        'service.stop': { target: 'stopped', actions: ['noteTime'] },
        'service.kill': { target: 'stopped', actions: ['noteTime'] },
        'service.retire': { target: 'stopped', actions: ['noteTime', 'retire'] },
        'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
        ...ignoredFacts,
      },
    },

    stopping: {
      entry: ['adoptRemains', { type: 'report', params: { phase: 'stopping' } }],
      initial: 'terminating',
      on: {
        'service.start': [
          // It is being ended because it failed: the failure is told first, a start may follow it.
          { guard: 'hasVerdict' },
          { guard: 'isRetired' },
          { actions: ['noteTime', 'wantStart'] },
        ],
        'service.retire': { actions: ['noteTime', 'wantNoStart', 'retire'] },
        'service.reset': {},
        'schedule.accepted': {},
        'schedule.refused': [
          { guard: 'isStale' },
          { guard: 'startWanted', target: 'starting', actions: ['noteTime', 'dropRun', 'beginFreshly'] },
          { target: 'stopped', actions: ['noteTime', 'dropRun'] },
        ],
        'schedule.ended': [
          { guard: 'isStale' },
          { guard: 'startWanted', target: 'starting', actions: ['noteTime', 'dropRun', 'beginFreshly'] },
          { target: 'stopped', actions: ['noteTime', 'dropRun'] },
        ],
        'process.spawned': [{ guard: 'isStale' }, { actions: ['noteTime', 'recordPid'] }],
        'process.spawnFailed': [
          { guard: 'isStale' },
          { guard: 'startWanted', target: 'starting', actions: ['noteTime', 'dropRun', 'beginFreshly'] },
          { target: 'stopped', actions: ['noteTime', 'dropRun'] },
        ],
        'process.exited': [
          { guard: 'isStale' },
          { guard: 'startWanted', target: 'starting', actions: ['noteTime', 'recordExit', 'dropRun', 'beginFreshly'] },
          { guard: 'hasVerdict', target: 'judged', actions: ['noteTime', 'recordExit', 'dropRun', 'reportLoss'] },
          { target: 'stopped', actions: ['noteTime', 'recordExit', 'dropRun'] },
        ],
        'pidfile.found': {},
        'pidfile.seen': {},
        'notify.received': [
          { guard: 'isStaleStart' },
          { guard: 'extendsStop', actions: ['noteTime', 'noteNotice', 'extendStop'] },
          { actions: ['noteTime', 'noteNotice'] },
        ],
        'watchdog.missed': {},
      },
      states: {
        terminating: {
          entry: ['terminateRun'],
          on: {
            // A stop outranks a failed start that is being cleared away: the end is `stopped`.
            'service.stop': {
              target: 'terminating',
              reenter: true,
              actions: ['noteTime', 'wantNoStart', 'pardon', 'recordKillAfter'],
            },
            'service.kill': { target: 'killing', actions: ['noteTime', 'wantNoStart', 'pardon'] },
          },
        },
        killing: {
          entry: ['killRun'],
          on: {
            'service.stop': { actions: ['noteTime', 'wantNoStart', 'pardon'] },
            'service.kill': { actions: ['noteTime', 'wantNoStart', 'pardon', 'killRun'] },
          },
        },
      },
    },

    stopped: {
      entry: ['closeNotify', { type: 'report', params: { phase: 'stopped' } }],
      on: {
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime', 'beginFreshly'] }],
        'service.stop': {},
        'service.kill': {},
        'service.retire': { actions: ['noteTime', 'retire'] },
        'service.reset': {},
        ...ignoredFacts,
      },
    },

    failed: {
      entry: ['closeNotify', { type: 'report', params: { phase: 'failed' } }],
      on: {
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime', 'beginFreshly'] }],
        'service.stop': {},
        'service.kill': {},
        'service.retire': { actions: ['noteTime', 'retire'] },
        'service.reset': { target: 'stopped', actions: ['noteTime', 'forgetRestarts'] },
        ...ignoredFacts,
      },
    },
  },
});

function mayRestart({ spec, hasBeenReady, restartsUsed, retired }: ServiceContext): boolean {
  return spec.restart && !spec.exitKills && !retired && hasBeenReady && restartsUsed < spec.restartLimit;
}

function describeChange(context: ServiceContext, phase: ServiceChange['phase']): ServiceChange {
  const restarted = context.restartsUsed > 0;
  switch (phase) {
    case 'stopping':
    case 'stopped':
    case 'scheduled':
      return { phase };
    case 'starting':
      return { phase, serial: context.serial };
    case 'running':
      return { phase, pid: context.run?.pid ?? 0, restarted };
    case 'exited':
      return { phase, status: lastStatus(context), restarted, wasReady: context.settledRun === context.serial };
    case 'backoff':
      return {
        phase,
        cause: verdictOf(context),
        restartsLeft: context.spec.restartLimit - context.restartsUsed,
        delay: context.spec.restartDelay,
      };
    case 'failed':
      return { phase, cause: verdictOf(context), during: context.hasBeenReady ? 'run' : 'start' };
  }
}

/** The process that a pidfile or MAINPID names. */
function namedPid(event: ServiceEvent): number | undefined {
  if (event.type === 'pidfile.found') return event.pid;
  return event.type === 'notify.received' ? event.message.mainPid : undefined;
}

/** A daemon that was ended by its own kill signal has ended as it should, whoever sent it. */
function endedNormally({ run, spec }: ServiceContext, event: ServiceEvent): boolean {
  if (event.type !== 'process.exited') return false;
  const { status } = event;
  return (
    isNormal(status) || (run?.followed === true && status.kind === 'signaled' && status.signal === spec.killSignal)
  );
}

function runOutcome(event: ServiceEvent): RunOutcome | undefined {
  switch (event.type) {
    case 'process.exited':
      return { kind: 'exit', status: event.status };
    case 'process.spawnFailed':
      return { kind: 'spawn', error: event.error };
    case 'process.spawned':
    case 'service.start':
    case 'service.stop':
    case 'service.kill':
    case 'service.retire':
    case 'service.reset':
    case 'service.reconfigure':
    case 'schedule.accepted':
    case 'schedule.refused':
    case 'schedule.ended':
    case 'pidfile.found':
    case 'pidfile.seen':
    case 'notify.received':
    case 'watchdog.missed':
      return undefined;
  }
}

function lastStatus(context: ServiceContext): ExitStatus {
  if (context.lastExit === undefined) throw new Error(`internal error: ${context.spec.name} exited without an exit`);
  return context.lastExit.status;
}

function verdictOf(context: ServiceContext): FailureCause {
  if (context.verdict === undefined) throw new Error(`internal error: ${context.spec.name} failed without a cause`);
  return context.verdict;
}
