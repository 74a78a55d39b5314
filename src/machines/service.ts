/**
 * One service of type simple, oneshot, forking or notify, from the configuration to the end of the system. Cron and inetd services
 * have a lifecycle of their own (scheduled.ts), with the same commands and reports.
 *
 *     disabled
 *     pending  → starting → ready → stopping → stopped        (failed from starting, ready and stopping)
 *                   ↑        ↓ ↓ ↘      ↑
 *                   └── backoff ┘ exited ┘
 *
 * Who decides what. The system machine decides when: it sends `service.start` once all prerequisites of the service are
 * ready and nothing of its last run is left, and `service.stop` once all its dependents have ended. The system also
 * watches the time limit of a stop and sends `service.kill`. The service decides how: when it counts as ready, what an
 * exit means, whether it tries again. The system's ledger holds whether the service is enabled, and whether somebody
 * wants it started again after a stop.
 *
 * A service has one unit at a time: a run with its process group or tree. The unit is spawned on entering `starting`
 * and dropped once nothing of it is left. Types differ in how they become ready, which is a stage of `starting`:
 *
 *     simple   settling         ready when startup_pause has passed; a normal exit counts as started (`exited`)
 *     oneshot  awaitingExit     ready when its process exited with 0
 *     forking  awaitingExit     ready when its process exited with 0; the processes that it left are the service
 *     notify   awaitingNotify   ready at READY=1 on its own socket
 *
 * With `start_if`, the stage `asking` precedes these: the service is `disabled` where its conditions are not met.
 *
 * A pidfile adds the stage awaitingPidfile to simple and forking: the process that the file names becomes the leader of
 * the unit. The process that a notify service names with MAINPID becomes the leader, too. From then on the leader's end
 * is the end of the service.
 *
 * Hooks (`before_start` and its like) add stages of their own, which only services with such hooks reach:
 *
 *     starting  beforeStart → spawning → … → afterStart → ready
 *     stopping  beforeStop → stopCommand → terminating → … → afterStop → stopped, backoff, failed or exited
 *
 * The hooks of a stage are one actor (hooks.ts), whose units are the service's like the one of its command: a stop, a kill, a
 * failure and the end of the system end them, and the service leaves `stopping` only when nothing of either is left. A stop
 * runs `before_stop` and `stop_command` only where the service is up. `after_stop` follows each run exactly once (`owes`): a
 * run that has failed, that was stopped, and one that has ended normally and is not to remain. Where a process that such a run
 * has left names itself with MAINPID, the service is up again, and after_stop follows that end, too.
 *
 * The meaning of the leader's end is decided at once: readiness, exit_kills, exit statuses. After a stop or an abnormal
 * end, the run is over only when nothing of its unit is left. Until then the service is `stopping`; it is in `clearing`
 * where the service itself ends a failed run, and its verdict counts only afterwards. After a normal end, left
 * processes live on until the next stop.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A stop during a start wins: the start is abandoned, and an exit that was already on its way is the end of the stop
 *   and no failure. A stop also wins while a failed run is being cleared: the failure is dropped, and the service ends
 *   in `stopped`.
 * - A failed start that may have left processes is ended through `stopping.clearing`: it took too long, sent ERRNO or
 *   BUSERROR, missed its watchdog, or crashed and left others in its group.
 * - A fact of an earlier run (a serial that is not the current one) is ignored everywhere.
 * - An exit that may have happened after startup_pause counts as one after it, because chaperone may have been stopped
 *   meanwhile. The same goes for a daemon that wrote its pidfile and ended meanwhile.
 * - A stop because of a prerequisite may be a failure of this service (`on_prerequisite_failure: fail`). Once nothing runs
 *   the service has failed, and no restart follows.
 * - A normal end that is answered by a restart is reported like any normal end, so that dependents may start. Then what it
 *   left is ended, and the restart follows its pause. A stop, or the end of the system, leaves the service `stopped`.
 * - A crash while the system is ending, before the stop came, is not answered by a restart (`service.retire`).
 * - A process that ends normally before READY may have left a daemon: the service goes on waiting. MAINPID in the same
 *   datagram as READY is taken first. READY without a living leader leads to `ready.exited`, until MAINPID comes.
 * - A main process that ends normally while after_start runs has been ready; one that crashes then is a failed start.
 * - Once the system is ending, the command does not follow conditions, its values or before_start, and after_start does not follow the command.
 * - A stop while after_stop runs waits for it, and drops the failure. SIGKILL of the system (`last`) is followed by no hook.
 * - EXTEND_TIMEOUT_USEC moves the deadline of a start; during a stop the service asks the system for the time.
 * - A WATCHDOG=1 in the instant in which it is due is too late; one that comes during the stop that follows is ignored.
 * - A reload (`service.reload`) that the service does not live to see ends is told as given up. RELOADING=1 and READY=1 of
 *   a reload change no state.
 * - Another definition (`service.reconfigure`) counts from the moment in which it comes, in any state, and causes no
 *   transition. The system sends one that needs another process only while nothing runs.
 *
 * Every state answers every event. Pairs that cannot occur stand in `impossible`, once.
 */
import { raise } from 'xstate';
import { serviceStages } from '../model/service/service-stage.ts';
import { enter } from './enter.ts';
import { serviceSetup } from './service-actions.ts';
import { noMemory } from './service-events.ts';
import { atRest, impossible, lateFacts, ready, starting, stoppedFromRest, stopping } from './service-stages.ts';

/** One transition for each state in which a chart that is made anew may go on. */
function resumptions() {
  return serviceStages
    .filter((stage) => stage !== 'ready.scheduled' && stage !== 'stopping.draining')
    .map((stage) => ({
      guard: { type: 'resumesIn', params: { stage } } as const,
      target: `#service.${stage}`,
    }));
}

/** A normal end is told as one, whatever follows it. */
const tellEnd = [enter('exited'), { type: 'report', params: { phase: 'exited' } }] as const;

export const serviceMachine = serviceSetup.createMachine({
  id: 'service',
  context: ({ input }) => ({
    ...noMemory,
    ...input.resumes?.memory,
    spec: input.spec,
    system: input.system,
    seed: input.seed ?? 0,
    resumes: input.resumes,
    unit: undefined,
    hooks: undefined,
    notifications: undefined,
    reload: undefined,
  }),
  initial: 'configured',
  on: {
    'service.reconfigure': { actions: ['reconfigure'] },
    'service.resumed': { actions: ['endResumption'] },
    'service.reload': { actions: ['refuseReload'] },
    'reload.ended': { actions: ['endReload'] },
    'reload.over': { actions: ['dropReload'] },
    ...impossible,
  },
  states: {
    configured: {
      tags: ['transient'],
      entry: ['adoptUnit', raise({ type: 'service.resumed' })],
      always: [...resumptions(), { guard: 'isEnabled', target: 'pending' }, { target: 'disabled' }],
    },

    /**
     * Switched off, or skipped because the conditions of its start are not met. Only the latter is reported: the system machine knows
     * the former, like `pending`, from the configuration.
     */
    disabled: {
      entry: [enter('disabled')],
      on: {
        // The system sends this only where somebody has enabled the service by hand.
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    /** The service waits until the system reports that all its prerequisites are ready. */
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

    starting,

    ready,

    /** The process that was the service has ended normally. What is left of its process group lives on. */
    exited: {
      entry: [...tellEnd],
      on: {
        // The system stops the service before it starts it again.
        'service.start': {},
        ...stoppedFromRest,
        'service.retire': { actions: ['retire'] },
        'service.reset': {},
        'service.signal': { actions: ['noteTime', 'signalUnit'] },
        ...lateFacts,
        'unit.cleared': [{ guard: 'isStale' }, { actions: ['noteTime', 'dropUnit'] }],
        'notify.received': [
          { guard: 'isStale' },
          { guard: 'notifiesMainPid', target: 'ready.running', actions: ['noteNotice', 'lead', 'riseAgain'] },
          { actions: ['noteNotice'] },
        ],
      },
    },

    /**
     * A transient state: the run has ended as it should, and the service rests or returns as `restart` says. Where that is the
     * end of the service, after_stop follows first.
     */
    finished: {
      tags: ['transient'],
      entry: ['markReady'],
      always: [
        // What a run has left ends before the next one starts.
        { guard: 'returnsAndLeft', target: 'stopping.clearing', actions: [...tellEnd, 'judgeEnd'] },
        { guard: 'returns', target: 'judged', actions: [...tellEnd, 'judgeEnd'] },
        { guard: 'owesAtEnd', target: 'stopping.afterStop', actions: ['recordNoReturn'] },
        { guard: { type: 'aims', params: { aim: 'done' } }, target: 'ready.exited' },
        { target: 'exited', actions: ['recordNoReturn'] },
      ],
    },

    /** A transient state: a service of which nothing runs any more was told to end. */
    over: {
      tags: ['transient'],
      always: [{ guard: 'owesAfterStop', target: 'stopping.afterStop' }, { target: 'stopped' }],
    },

    /** A transient state in which nothing runs: an end leads to another try, or to rest. */
    judged: {
      tags: ['transient'],
      always: [
        { guard: 'owesAfterStop', target: 'stopping.afterStop' },
        { guard: 'mayRestart', target: 'backoff', actions: ['countRestart'] },
        { target: 'refused', actions: ['recordNoTry'] },
      ],
    },

    /** A transient state: no other try follows. */
    refused: {
      tags: ['transient'],
      always: [{ guard: 'rests', target: 'stopped', actions: ['pardon'] }, { target: 'failed' }],
    },

    backoff: {
      entry: [enter('backoff'), { type: 'report', params: { phase: 'backoff' } }],
      after: { restartDelay: 'starting' },
      on: {
        ...atRest,
        'service.start': { target: 'starting', actions: ['beginFreshly'] },
        'service.stop': [
          { guard: 'isFailingStop', target: 'failed', actions: ['noteTime', 'recordStop'] },
          { target: 'stopped', actions: ['noteTime'] },
        ],
        'service.kill': { target: 'stopped', actions: ['noteTime'] },
        'service.retire': { target: 'stopped', actions: ['retire'] },
        'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
      },
    },

    stopping,

    stopped: {
      entry: ['closeNotify', enter('stopped'), { type: 'report', params: { phase: 'stopped' } }],
      on: {
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    failed: {
      entry: ['closeNotify', enter('failed'), { type: 'report', params: { phase: 'failed' } }],
      on: {
        ...atRest,
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        'service.reset': { target: 'stopped', actions: ['noteTime', 'forgetRestarts'] },
      },
    },
  },
});
