/**
 * One service of type simple, oneshot, forking or notify, from the configuration to the end of the system. Cron and inetd services
 * have a lifecycle of their own (scheduled.ts), with the same commands and reports.
 *
 *     disabled
 *     pending  → starting → ready → stopping → stopped        (failed from starting, ready and stopping)
 *                   ↑        ↓ ↓ ↘      ↑
 *                   └── backoff ┘ exited ┘
 *
 * Who wants what. The system machine decides when: it sends `service.start` once everything this service waits for is ready and
 * nothing of its last run is left, and `service.stop` once everything that waits for it has ended. It also has the clock of a stop:
 * `service.kill` comes from there. The service decides how: when it counts as ready, what an exit means, whether there is another
 * try. Whoever wants it up again after a stop, and whether it is enabled, stands in the system's ledger.
 *
 * A service has one unit at a time: a run with its group or tree. It is spawned on entering `starting` and let go once nothing of it
 * is left. Types differ in how they become ready, which is a stage of `starting`:
 *
 *     simple   settling         ready when startup_pause has passed; a normal exit counts as started (`exited`)
 *     oneshot  awaitingExit     ready when it exited with 0
 *     forking  awaitingExit     ready when it exited with 0, and what it left behind is the service
 *     notify   awaitingNotify   ready at READY=1 on its own socket
 *
 * A pidfile adds a stage to simple and forking, awaitingPidfile: the process that the file names becomes the leader of the unit. So
 * does the one that a notify service names with MAINPID. From then on its end is the end of the service.
 *
 * What the leader's end means is decided at once: readiness, exit_kills, exit statuses. A run is over, after a stop or an abnormal
 * end, only when nothing of its unit is left: until then the service is `stopping`, in `clearing` where it is the service itself
 * that ends what has failed, and its verdict waits. After a normal end what is left lives on, and the next stop ends it.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A stop during a start wins: the start is abandoned. An exit that was already on its way is then the end of the stop and not a
 *   failure. So does a stop while a failed run is being cleared: it is pardoned, and ends in `stopped`.
 * - A start that takes too long is ended through `stopping.clearing` like everything else that has failed and may still live: it said
 *   ERRNO or BUSERROR, missed its watchdog, crashed and left others of its group.
 * - A fact of an earlier run (a serial that is not the current one) is ignored everywhere.
 * - An exit that may have happened after startup_pause counts as one after it: chaperone may have stood still. So does a daemon that
 *   wrote its pidfile and ended meanwhile.
 * - A crash while the system is ending, before the stop came, is not answered by a restart (`service.retire`).
 * - A process that ends normally before READY may have become a daemon: the service goes on waiting. MAINPID in the same datagram as
 *   READY counts first. READY without a leader that lives makes it `ready.exited`, until MAINPID comes.
 * - Time that it asks for (EXTEND_TIMEOUT_USEC) moves the deadline of a start; that of a stop is asked of the system.
 * - A watchdog that was fed in the instant in which it is due was fed too late; the stop that follows finds it stopping already.
 * - Another definition (`service.reconfigure`) counts from the moment in which it comes, in whatever state, and moves nothing. The
 *   system sends one that needs another process only while nothing runs.
 *
 * Every state answers every event. Pairs that cannot occur stand in `impossible`, once.
 */
import { raise } from 'xstate';
import { serviceStages } from '../model/service/service-stage.ts';
import { enter } from './enter.ts';
import { noMemory } from './service-protocol.ts';
import { serviceSetup } from './service-setup.ts';
import { atRest, impossible, lateFacts, ready, starting, stoppedFromRest, stopping } from './service-stages.ts';

/** One way for each state in which a chart that is made anew may go on. */
function resumptions() {
  return serviceStages
    .filter((stage) => stage !== 'ready.scheduled' && stage !== 'stopping.draining')
    .map((stage) => ({
      guard: { type: 'resumesIn', params: { stage } } as const,
      target: `#service.${stage}`,
    }));
}

export const serviceMachine = serviceSetup.createMachine({
  id: 'service',
  context: ({ input }) => ({
    ...noMemory,
    ...input.resumes?.memory,
    spec: input.spec,
    system: input.system,
    resumes: input.resumes,
    unit: undefined,
    notifications: undefined,
  }),
  initial: 'configured',
  on: {
    'service.reconfigure': { actions: ['reconfigure'] },
    'service.resumed': { actions: ['endResumption'] },
    ...impossible,
  },
  states: {
    configured: {
      tags: ['transient'],
      entry: ['adoptUnit', raise({ type: 'service.resumed' })],
      always: [...resumptions(), { guard: 'isEnabled', target: 'pending' }, { target: 'disabled' }],
    },

    /** Not reported, like `pending`: the system machine knows it from the configuration. */
    disabled: {
      entry: [enter('disabled')],
      on: {
        // The system sends it only where somebody has enabled it by hand.
        'service.start': [{ guard: 'isRetired' }, { target: 'starting', actions: ['beginFreshly'] }],
        'service.stop': {},
        ...atRest,
      },
    },

    /** Waits for the system to say that everything it waits for is ready. */
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

    /** Its process, which was the service, has ended normally. What is left of its group lives on. */
    exited: {
      entry: ['markReady', enter('exited'), { type: 'report', params: { phase: 'exited' } }],
      on: {
        // The system stops it first.
        'service.start': {},
        ...stoppedFromRest,
        'service.retire': { actions: ['retire'] },
        'service.reset': {},
        'service.signal': { actions: ['noteTime', 'signalUnit'] },
        ...lateFacts,
        'unit.cleared': [{ guard: 'isStale' }, { actions: ['noteTime', 'dropUnit'] }],
        'notify.received': [
          { guard: 'isStale' },
          { guard: 'notifiesMainPid', target: 'ready.running', actions: ['noteNotice', 'lead'] },
          { actions: ['noteNotice'] },
        ],
      },
    },

    /** A failure looks for its consequence: another try, or the end. Nothing runs here. */
    judged: {
      tags: ['transient'],
      always: [{ guard: 'mayRestart', target: 'backoff', actions: ['countRestart'] }, { target: 'failed' }],
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
