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
 *     simple   starting.settling       ready when startup_pause has passed, or at a normal exit
 *     oneshot  starting.awaitingExit   ready when it exited with 0
 *     inetd    starting.spawning       ready.scheduled when its port listens
 *     cron     starting.spawning       ready.scheduled when its schedule is accepted and its program is there
 *     (forking: awaitingExit and awaitingPidfile; notify: awaitingNotify)
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
 * - A restart pause that is interrupted by a stop ends in `stopped`; the pause's timer dies with the state that owns it.
 * - A reset ends what an inetd or cron service runs and keeps it scheduled. Elsewhere it only forgets restarts: what runs is
 *   not reset, and what has ended begins afresh at its next start anyway.
 *
 * Every state answers every event; where nothing is to be done, the empty transition says so.
 */
import { type ActorRef, type ActorRefFrom, assign, enqueueActions, type Snapshot, setup } from 'xstate';
import { type ExitStatus, isNormal } from '../model/exit-status.ts';
import type { ProcessFact } from '../model/process-events.ts';
import { isScheduled, type ScheduleFact } from '../model/scheduling.ts';
import type { FailureCause, ServiceChange } from '../model/service-phase.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
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
    };

export type ServiceEvent = ServiceCommand | ProcessFact | ScheduleFact;

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
}

interface ServiceContext extends ServiceInput {
  /** The live run; undefined while nothing runs. */
  readonly run: Run | undefined;
  /** Starts so far. */
  readonly serial: number;
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
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

/** How long a start that timed out may take to end after its kill signal, ms. */
const abandonGrace = 2_000;
/** Beyond its restart delay, a service must have been ready this long for its restart count to be forgotten, ms. */
const stableMargin = 1_000;

const noRun = { run: undefined };

export const serviceMachine = setup({
  types: {
    context: {} as ServiceContext,
    events: {} as ServiceEvent,
    input: {} as ServiceInput,
    /** Left in the same macrostep: nobody outside ever finds a service there. */
    tags: {} as 'transient',
  },
  actors: { process: processMachine, scheduled: scheduledMachine },
  actions: {
    noteTime: assign({ at: ({ event }) => event.at }),
    spawnRun: assign(({ context, self, spawn }) => {
      const serial = context.serial + 1;
      const id = `run-${serial}`;
      const { spec: service, system } = context;
      const begun = { serial, verdict: undefined, startWanted: false };
      if (isScheduled(service.type)) {
        const ref = spawn('scheduled', { id, input: { service, serial, owner: self, system } });
        return { ...begun, run: { serial, ref, schedule: ref, pid: 0 } };
      }
      const ref = spawn('process', { id, input: { run: { service, serial }, owner: self } });
      return { ...begun, run: { serial, ref, pid: 0 } };
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
    pardon: assign({ verdict: undefined }),
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
    }),
    terminateRun: enqueueActions(({ context, enqueue }) => {
      if (context.run === undefined) return;
      enqueue.sendTo(context.run.ref, {
        type: 'process.terminate',
        signal: context.spec.killSignal,
        killAfter: context.killAfter,
      });
    }),
    killRun: enqueueActions(({ context, enqueue }) => {
      if (context.run !== undefined) enqueue.sendTo(context.run.ref, { type: 'process.kill' });
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
      enqueue.sendTo(context.system, { type: 'service.exitKills', name: context.spec.name, outcome, at: event.at });
    }),
  },
  guards: {
    isEnabled: ({ context }) => context.spec.enabled,
    isOneshot: ({ context }) => context.spec.type === 'oneshot',
    isStale: ({ context, event }) => 'serial' in event && event.serial !== context.run?.serial,
    exitedNormally: ({ event }) => event.type === 'process.exited' && isNormal(event.status),
    mayRestart: ({ context }) => mayRestart(context),
    startWanted: ({ context }) => context.startWanted,
    isRetired: ({ context }) => context.retired,
    hasVerdict: ({ context }) => context.verdict !== undefined,
  },
  delays: {
    startupPause: ({ context }) => context.spec.startupPause,
    processTimeout: ({ context }) => context.spec.processTimeout,
    restartDelay: ({ context }) => context.spec.restartDelay,
    stableTime: ({ context }) => context.spec.restartDelay + stableMargin,
  },
}).createMachine({
  id: 'service',
  context: ({ input }) => ({
    ...input,
    ...noRun,
    serial: 0,
    settledRun: 0,
    hasBeenReady: false,
    restartsUsed: 0,
    verdict: undefined,
    lastExit: undefined,
    startWanted: false,
    retired: false,
    killAfter: 0,
    at: 0,
  }),
  initial: 'configured',
  states: {
    configured: {
      tags: ['transient'],
      always: [{ guard: 'isEnabled', target: 'pending' }, { target: 'disabled' }],
    },

    /** Not reported, like `pending`: the system machine knows it from the configuration. */
    disabled: {
      on: {
        'service.start': {},
        'service.stop': {},
        'service.kill': {},
        'service.retire': {},
        'service.reset': {},
        'schedule.accepted': {},
        'schedule.refused': {},
        'schedule.ended': {},
        'process.spawned': {},
        'process.spawnFailed': {},
        'process.exited': {},
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
        'schedule.accepted': {},
        'schedule.refused': {},
        'schedule.ended': {},
        'process.spawned': {},
        'process.spawnFailed': {},
        'process.exited': {},
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
      },
      states: {
        spawning: {
          on: {
            'process.spawned': [
              { guard: 'isStale' },
              { guard: 'isOneshot', target: 'awaitingExit', actions: ['noteTime', 'recordPid'] },
              { target: 'settling', actions: ['noteTime', 'recordPid'] },
            ],
          },
        },
        /** simple: an early death counts as a failed start. */
        settling: {
          after: { startupPause: '#service.ready.running' },
        },
        /** oneshot: its end is the result. */
        awaitingExit: {
          after: { processTimeout: { target: '#service.stopping', actions: ['judgeTimeout'] } },
        },
      },
    },

    ready: {
      entry: ['markReady'],
      initial: 'running',
      states: {
        running: {
          entry: ['markSettled', { type: 'report', params: { phase: 'running' } }],
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
            'service.stop': { target: '#service.stopped', actions: ['noteTime'] },
            'service.kill': { target: '#service.stopped', actions: ['noteTime'] },
            'service.retire': { actions: ['noteTime', 'retire'] },
            'service.reset': {},
            'schedule.accepted': {},
            'schedule.refused': {},
            'schedule.ended': {},
            'process.spawned': {},
            'process.spawnFailed': {},
            'process.exited': {},
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
            'schedule.accepted': {},
            'schedule.refused': {},
            'schedule.ended': {},
            'process.spawned': {},
            'process.spawnFailed': {},
            'process.exited': {},
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
        'schedule.accepted': {},
        'schedule.refused': {},
        'schedule.ended': {},
        'process.spawned': {},
        'process.spawnFailed': {},
        'process.exited': {},
      },
    },

    stopping: {
      entry: [{ type: 'report', params: { phase: 'stopping' } }],
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
          { guard: 'hasVerdict', target: 'judged', actions: ['noteTime', 'recordExit', 'dropRun'] },
          { target: 'stopped', actions: ['noteTime', 'recordExit', 'dropRun'] },
        ],
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
      entry: [{ type: 'report', params: { phase: 'stopped' } }],
      on: {
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime', 'beginFreshly'] }],
        'service.stop': {},
        'service.kill': {},
        'service.retire': { actions: ['noteTime', 'retire'] },
        'service.reset': {},
        'schedule.accepted': {},
        'schedule.refused': {},
        'schedule.ended': {},
        'process.spawned': {},
        'process.spawnFailed': {},
        'process.exited': {},
      },
    },

    failed: {
      entry: [{ type: 'report', params: { phase: 'failed' } }],
      on: {
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['noteTime', 'beginFreshly'] }],
        'service.stop': {},
        'service.kill': {},
        'service.retire': { actions: ['noteTime', 'retire'] },
        'service.reset': {},
        'schedule.accepted': {},
        'schedule.refused': {},
        'schedule.ended': {},
        'process.spawned': {},
        'process.spawnFailed': {},
        'process.exited': {},
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
    case 'schedule.accepted':
    case 'schedule.refused':
    case 'schedule.ended':
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
