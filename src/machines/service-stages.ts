/** The compound states of the service chart: the stages of a start, of a service that is up, and of a stop. */
import { raise } from 'xstate';
import { enter } from './enter.ts';
import { serviceSetup } from './service-actions.ts';
import { missedLeader, readinessInput } from './service-outcomes.ts';

/** Answers of states in which nothing runs: such facts are late ones of an earlier run. */
export const lateFacts = {
  'unit.spawned': {},
  'unit.spawnFailed': {},
  'unit.leaderExited': {},
  'unit.cleared': {},
  'unit.survived': {},
  'conditions.met': {},
  'conditions.unmet': {},
  'conditions.failed': {},
  'notify.received': {},
  'hooks.began': {},
  'hooks.passed': {},
  'hooks.failed': {},
  'hooks.ended': {},
  'hooks.survived': {},
};

/** Events that only the state hears that has invoked the child or set the timer: both end with that state. */
export const impossible = {
  'readiness.passed': {},
  'readiness.failed': {},
  'readiness.extended': {},
  'health.passed': {},
  'health.failed': {},
  'watchdog.missed': {},
  'runtime.exceeded': {},
  'restarts.forgotten': {},
  'leader.missed': {},
};

/** Answers of the states that have neither a unit nor a start in progress. */
export const atRest = {
  'service.kill': {},
  'service.reset': {},
  'service.signal': {},
  'service.retire': { actions: ['retire'] },
  ...lateFacts,
} as const;

/** Events of hooks where none run. */
const noHooks = {
  'hooks.began': {},
  'hooks.passed': {},
  'hooks.failed': {},
  'hooks.ended': {},
  'hooks.survived': {},
} as const;

/** A stop of a service of which no process may be left: where there is none, it needs no signal. */
const stoppedWithoutHooks = {
  'service.stop': [
    { guard: 'hasUnit', target: '#service.stopping', actions: ['recordStop'] },
    { guard: 'owesAfterStop', target: '#service.stopping.afterStop', actions: ['recordStop'] },
    { guard: 'isFailingStop', target: '#service.judged', actions: ['noteTime', 'recordStop'] },
    { target: '#service.stopped', actions: ['noteTime'] },
  ],
  'service.kill': [
    { guard: 'hasUnit', target: '#service.stopping.killing', actions: ['noteTime', 'noteKill'] },
    { target: '#service.over', actions: ['noteTime', 'noteKill'] },
  ],
} as const;

/** The same for a service that is up: one that counts as up after its end has hooks of its stop, too. */
export const stoppedFromRest = {
  ...stoppedWithoutHooks,
  'service.stop': [
    { guard: 'remainsAndStopsByHooks', target: '#service.stopping.beginning', actions: ['recordStop'] },
    ...stoppedWithoutHooks['service.stop'],
  ],
} as const;

/** The facts of hooks in the states in which the service lets them run to their end. */
const hooksRun = {
  'hooks.began': [{ guard: 'isStale' }, { actions: ['recordHook'] }],
} as const;

/** The leader has ended otherwise than it should: what it has left is ended before the verdict counts. */
const abnormalEnd = [
  {
    guard: 'leavesNothing',
    target: '#service.judged',
    actions: ['recordExit', 'reportExitKills', 'judgeExit', 'dropUnit'],
  },
  { target: '#service.stopping.clearing', actions: ['recordExit', 'reportExitKills', 'judgeExit'] },
] as const;

export const starting = serviceSetup.createStateConfig({
  entry: ['beginStart', 'armLimit', { type: 'report', params: { phase: 'starting' } }],
  exit: ['restLimit'],
  initial: 'deciding',
  on: {
    ...noHooks,
    'service.start': {},
    'service.stop': { target: 'stopping', actions: ['recordStop'] },
    'service.kill': { target: 'stopping.killing', actions: ['noteTime', 'noteKill'] },
    'service.retire': { actions: ['retire', 'retireUnit'] },
    'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
    'service.signal': { actions: ['noteTime', 'signalUnit'] },
    'unit.spawned': {},
    'unit.spawnFailed': [
      { guard: 'isStale' },
      // The system is ending, and its start was given up.
      { guard: 'isCancelled', target: 'over', actions: ['noteTime', 'dropUnit'] },
      { target: 'judged', actions: ['judgeSpawn', 'dropUnit', 'reportExitKills'] },
    ],
    'unit.leaderExited': [
      { guard: 'isStale' },
      { guard: 'exitedIntoPidfile', target: '.awaitingPidfile', actions: ['recordExit'] },
      { guard: 'exitedBeforeReady', target: '.awaitingNotify', actions: ['recordExit'] },
      {
        guard: 'exitedIntoProbes',
        target: '.awaitingProbe',
        actions: ['recordExit', 'reportExitKills', 'dropEndedUnit'],
      },
      { guard: 'exitedAsMeant', target: '.done', actions: ['recordExit', 'reportExitKills', 'dropEndedUnit'] },
      { guard: 'exitedNormally', target: '.exited', actions: ['recordExit', 'reportExitKills', 'dropEndedUnit'] },
      ...abnormalEnd,
    ],
    'unit.cleared': {},
    'unit.survived': {},
    // The notify socket is read only in turns after the one that reports the spawn.
    'notify.received': {},
    'runtime.exceeded': { target: 'stopping.clearing', actions: ['judgeOverrun'] },
    'conditions.met': {},
    'conditions.unmet': {},
    'conditions.failed': {},
  },
  states: {
    deciding: {
      tags: ['transient'],
      always: [{ guard: 'hasConditions', target: 'asking' }, { target: 'beginning' }],
    },
    /** The conditions of the start are asked. What asks them stands in the place of the unit. */
    asking: {
      entry: ['askConditions', enter('starting.asking')],
      on: {
        'conditions.met': [
          { guard: 'isStale' },
          { guard: 'isRetired', target: '#service.over', actions: ['noteTime', 'dropUnit'] },
          { target: 'beginning', actions: ['noteTime', 'dropUnit'] },
        ],
        'conditions.unmet': [
          { guard: 'isStale' },
          {
            target: '#service.disabled',
            actions: ['recordSkip', 'dropUnit', 'closeNotify', { type: 'report', params: { phase: 'disabled' } }],
          },
        ],
        'conditions.failed': [
          { guard: 'isStale' },
          { target: '#service.judged', actions: ['judgeConditions', 'dropUnit'] },
        ],
        // Facts of a unit that is not there yet.
        'unit.spawnFailed': {},
        'unit.leaderExited': {},
      },
    },
    beginning: {
      tags: ['transient'],
      entry: ['openNotify'],
      always: [
        { guard: { type: 'hasHooks', params: { stage: 'before_start' } }, target: 'beforeStart' },
        { target: 'spawning' },
      ],
    },
    /** The hooks of before_start run, and the command does not yet. The time limit of the start spans them. */
    beforeStart: {
      entry: ['limitStart', { type: 'runHooks', params: { stage: 'before_start' } }, enter('starting.beforeStart')],
      after: { processTimeout: { target: '#service.stopping.clearing', actions: ['judgeTimeout'] } },
      on: {
        ...hooksRun,
        'hooks.passed': [
          { guard: 'isStale' },
          // The system is ending: the command is not started any more.
          { guard: 'isRetired', target: '#service.over', actions: ['dropHooks'] },
          { target: 'spawning', actions: ['dropHooks'] },
        ],
        'hooks.failed': [{ guard: 'isStale' }, { target: '#service.judged', actions: ['judgeHook', 'dropHooks'] }],
      },
    },
    spawning: {
      entry: ['spawnUnit', enter('starting.spawning')],
      on: {
        'unit.spawned': [
          { guard: 'isStale' },
          { guard: 'awaitsExit', target: 'awaitingExit', actions: ['recordSpawn', 'armLimit', 'reportSpawn'] },
          {
            guard: 'hasPidfileAndProbes',
            target: 'awaitingPidfile',
            actions: ['recordSpawn', 'armLimit', 'reportSpawn'],
          },
          { guard: 'hasProbes', target: 'awaitingProbe', actions: ['recordSpawn', 'armLimit', 'reportSpawn'] },
          { guard: 'isNotify', target: 'awaitingNotify', actions: ['recordSpawn', 'armLimit', 'reportSpawn'] },
          { target: 'settling', actions: ['recordSpawn', 'armLimit', 'reportSpawn'] },
        ],
      },
    },
    /** simple: a process that dies within the startup pause counts as a failed start. */
    settling: {
      entry: [enter('starting.settling')],
      after: {
        startupPause: [
          { guard: 'hasPidfile', target: 'awaitingPidfile', actions: ['passPause'] },
          { target: 'up', actions: ['passPause'] },
        ],
      },
      on: {
        'unit.leaderExited': [
          { guard: 'isStale' },
          {
            guard: 'mayHaveSettled',
            target: 'up',
            actions: ['noteTime', raise(({ event }) => event)],
          },
        ],
      },
    },
    /** oneshot and forking: the exit of the started process decides the start. */
    awaitingExit: {
      entry: [enter('starting.awaitingExit')],
      after: { processTimeout: { target: '#service.stopping.clearing', actions: ['judgeTimeout'] } },
    },
    /** simple and forking: the pidfile is to name the process to follow. The started process may have ended. */
    awaitingPidfile: {
      entry: [enter('starting.awaitingPidfile')],
      invoke: { id: 'readiness', src: 'readiness', input: ({ context, self }) => readinessInput(context, self) },
      on: {
        'unit.leaderExited': [
          { guard: 'isStale' },
          {
            guard: 'hadNamedItself',
            target: 'up',
            actions: ['noteTime', raise(({ event }) => event)],
          },
        ],
        'readiness.passed': [
          { guard: 'isStale' },
          {
            guard: 'missedLeaderOfProbes',
            target: 'awaitingProbe',
            actions: ['recordLost', raise(({ event }) => missedLeader(event))],
          },
          { guard: 'hasProbes', target: 'awaitingProbe', actions: ['noteTime', 'lead'] },
          {
            guard: 'missedLeader',
            target: 'up',
            actions: ['recordLost', raise(({ event }) => missedLeader(event))],
          },
          { target: 'up', actions: ['noteTime', 'lead'] },
        ],
        'readiness.failed': [
          { guard: 'isStale' },
          { target: '#service.stopping.clearing', actions: ['judgeReadiness'] },
        ],
      },
    },
    /** notify: READY=1 makes the service ready. The started process may have ended normally. */
    awaitingNotify: {
      entry: [enter('starting.awaitingNotify')],
      invoke: { id: 'readiness', src: 'readiness', input: ({ context, self }) => readinessInput(context, self) },
      on: {
        'notify.received': [{ guard: 'isStale' }, { actions: ['noteNotice', 'lead', 'passOn'] }],
        'readiness.passed': [
          { guard: 'isStale' },
          { guard: 'isReadyAlone', target: 'done', actions: ['noteTime'] },
          { target: 'up', actions: ['noteTime'] },
        ],
        'readiness.failed': [
          { guard: 'isStale' },
          { target: '#service.stopping.clearing', actions: ['judgeReadiness'] },
        ],
        'readiness.extended': [{ guard: 'isStale' }, { actions: ['recordDeadline'] }],
      },
    },
    /** The probes of `ready` make the service ready, and any end before that is a failed start. */
    awaitingProbe: {
      entry: [enter('starting.awaitingProbe')],
      invoke: { id: 'readiness', src: 'readiness', input: ({ context, self }) => readinessInput(context, self, true) },
      on: {
        // A forking service may have left nothing that a signal could reach. It is not up yet: its stop runs no hooks.
        ...stoppedWithoutHooks,
        'notify.received': [{ guard: 'isStale' }, { actions: ['noteNotice', 'lead', 'passOn'] }],
        'leader.missed': {
          target: '#service.stopping.clearing',
          actions: ['reportExitKills', 'recordExit', 'judgeExit'],
        },
        'unit.leaderExited': [{ guard: 'isStale' }, { guard: 'hasNoUnit' }, ...abnormalEnd],
        'readiness.passed': [
          { guard: 'isStale' },
          { guard: 'isReadyAlone', target: 'done', actions: ['noteTime'] },
          { target: 'up', actions: ['noteTime'] },
        ],
        'readiness.failed': [
          { guard: 'isStale' },
          { guard: 'hasUnit', target: '#service.stopping.clearing', actions: ['judgeReadiness'] },
          { target: '#service.judged', actions: ['judgeReadiness'] },
        ],
        'readiness.extended': [{ guard: 'isStale' }, { actions: ['recordDeadline'] }],
      },
    },
    /** The ready condition is met, and the process runs. */
    up: {
      tags: ['transient'],
      entry: [{ type: 'aim', params: { aim: 'running' } }],
      always: [{ guard: 'startsHooks', target: 'afterStart' }, { target: '#service.ready.running' }],
    },
    /** The ready condition is met by the exit of the started process. */
    done: {
      tags: ['transient'],
      entry: [{ type: 'aim', params: { aim: 'done' } }],
      always: [{ guard: 'startsHooks', target: 'afterStart' }, { target: '#service.finished' }],
    },
    /** The process of the service has ended normally, which counts as started. */
    exited: {
      tags: ['transient'],
      entry: [{ type: 'aim', params: { aim: 'exited' } }],
      always: [{ guard: 'startsHooks', target: 'afterStart' }, { target: '#service.finished' }],
    },
    /** The hooks of after_start run: the service is ready once they have ended. The main process may end meanwhile. */
    afterStart: {
      entry: [{ type: 'runHooks', params: { stage: 'after_start' } }, enter('starting.afterStart')],
      after: { processTimeout: { target: '#service.stopping.clearing', actions: ['judgeTimeout'] } },
      on: {
        ...hooksRun,
        'hooks.passed': [
          { guard: 'isStale' },
          {
            guard: { type: 'aims', params: { aim: 'running' } },
            target: '#service.ready.running',
            actions: ['dropHooks'],
          },
          { target: '#service.finished', actions: ['dropHooks'] },
        ],
        'hooks.failed': [
          { guard: 'isStale' },
          { guard: 'hasUnit', target: '#service.stopping.clearing', actions: ['judgeHook', 'dropHooks'] },
          { target: '#service.judged', actions: ['judgeHook', 'dropHooks'] },
        ],
        'leader.missed': [
          {
            guard: 'exitedNormally',
            actions: ['reportExitKills', 'recordExit', { type: 'aim', params: { aim: 'exited' } }],
          },
          { target: '#service.stopping.clearing', actions: ['reportExitKills', 'recordExit', 'judgeExit'] },
        ],
        'unit.leaderExited': [
          { guard: 'isStale' },
          {
            guard: 'exitedNormally',
            actions: ['recordExit', 'reportExitKills', 'dropEndedUnit', { type: 'aim', params: { aim: 'exited' } }],
          },
          {
            guard: 'leavesNothing',
            target: '#service.stopping.clearing',
            actions: ['recordExit', 'reportExitKills', 'judgeExit', 'dropUnit'],
          },
          { target: '#service.stopping.clearing', actions: ['recordExit', 'reportExitKills', 'judgeExit'] },
        ],
        'unit.cleared': [{ guard: 'isStale' }, { actions: ['noteTime', 'dropUnit'] }],
        'notify.received': [
          { guard: 'isStale' },
          {
            guard: 'notifiesFailure',
            target: '#service.stopping.clearing',
            actions: ['noteNotice', 'lead', 'judgeNotice'],
          },
          { guard: 'notifiesMainPid', actions: ['noteNotice', 'lead', { type: 'aim', params: { aim: 'running' } }] },
          { actions: ['noteNotice'] },
        ],
      },
    },
  },
});

export const ready = serviceSetup.createStateConfig({
  entry: ['markReady'],
  initial: 'running',
  on: {
    ...noHooks,
    ...stoppedFromRest,
    'service.stop': [
      { guard: 'stopsByHooks', target: '#service.stopping.beginning', actions: ['recordStop'] },
      ...stoppedFromRest['service.stop'],
    ],
    'service.retire': { actions: ['retire'] },
    'service.signal': { actions: ['noteTime', 'signalUnit'] },
    'unit.spawned': {},
    'unit.spawnFailed': {},
    'unit.cleared': [{ guard: 'isStale' }, { actions: ['noteTime', 'dropUnit'] }],
    'unit.survived': {},
    'conditions.met': {},
    'conditions.unmet': {},
    'conditions.failed': {},
  },
  states: {
    running: {
      entry: [
        'markSettled',
        'armWatchdog',
        'armStable',
        'armLimit',
        enter('ready.running'),
        { type: 'report', params: { phase: 'ready.running' } },
        'beginHealth',
      ],
      exit: ['restWatchdog', 'restStable', 'restLimit', 'giveReloadUp', 'endHealth'],
      on: {
        'service.start': {},
        'service.reload': [{ guard: 'mayReload', actions: ['beginReload'] }, { actions: ['refuseReload'] }],
        'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
        'restarts.forgotten': { actions: ['becomeStable'] },
        'leader.missed': [
          {
            guard: 'exitedNormally',
            target: '#service.finished',
            actions: ['reportExitKills', 'recordExit', { type: 'aim', params: { aim: 'exited' } }],
          },
          {
            target: '#service.stopping.clearing',
            actions: ['reportExitKills', 'recordExit', 'judgeExit'],
          },
        ],
        'unit.leaderExited': [
          { guard: 'isStale' },
          {
            guard: 'exitedNormally',
            target: '#service.finished',
            actions: ['recordExit', 'reportExitKills', 'dropEndedUnit', { type: 'aim', params: { aim: 'exited' } }],
          },
          ...abnormalEnd,
        ],
        'notify.received': [
          { guard: 'isStale' },
          {
            guard: 'notifiesFailure',
            target: '#service.stopping.clearing',
            actions: ['noteNotice', 'lead', 'judgeNotice'],
          },
          {
            guard: 'triggersWatchdog',
            target: '#service.stopping.clearing',
            actions: ['noteNotice', 'lead', 'judgeWatchdog'],
          },
          { guard: 'feedsWatchdog', actions: ['noteNotice', 'lead', 'armWatchdog', 'passToReload'] },
          { actions: ['noteNotice', 'lead', 'passToReload'] },
        ],
        'watchdog.missed': { target: '#service.stopping.clearing', actions: ['judgeWatchdog'] },
        'runtime.exceeded': { target: '#service.stopping.clearing', actions: ['judgeOverrun'] },
        'service.retire': { actions: ['retire', 'endHealth'] },
        'health.passed': [{ guard: 'isStale' }, { actions: ['reportHealthy', 'recordHealth'] }],
        'health.failed': [
          { guard: 'isStale' },
          {
            guard: 'restartsUnhealthy',
            target: '#service.stopping.clearing',
            actions: ['recordHealth', 'reportUnhealthy', 'judgeHealth'],
          },
          { actions: ['recordHealth', 'reportUnhealthy'] },
        ],
      },
    },
    /** The started process has exited as it should: dependents may start, and processes that it left live on. */
    exited: {
      entry: [enter('ready.exited'), { type: 'report', params: { phase: 'ready.exited' } }],
      on: {
        // The system stops the service before it starts it again.
        'service.start': {},
        'service.reset': {},
        'unit.leaderExited': {},
        'notify.received': [
          { guard: 'isStale' },
          // The daemon that the started process has left names itself.
          { guard: 'notifiesMainPid', target: 'running', actions: ['noteNotice', 'lead'] },
          { actions: ['noteNotice'] },
        ],
      },
    },
  },
});

/** A stage of hooks that were told to end is over. */
const hooksOver = [
  { guard: 'isStale' },
  { guard: 'hasUnit', actions: ['dropHooks'] },
  { target: '.over', actions: ['dropHooks'] },
] as const;

/** A failing hook of a stop is told, and changes nothing: the service is to end. */
const afterBeforeStop = [
  {
    guard: { type: 'hasHooks', params: { stage: 'stop_command' } },
    target: 'stopCommand',
    actions: ['dropHooks'],
  },
  { guard: 'hasUnit', target: 'terminating', actions: ['dropHooks'] },
  { target: 'over', actions: ['dropHooks'] },
] as const;

const afterStopCommand = [
  { guard: 'hasUnit', target: 'terminating', actions: ['dropHooks'] },
  { target: 'over', actions: ['dropHooks'] },
] as const;

const afterLastHooks = [
  // Only now do the processes that the run has left get the kill signal. The hooks may have used up the time of the stop.
  { guard: 'mustEndRest', target: 'terminating', actions: ['noteTime', 'dropHooks', 'reportStopContinues'] },
  { target: 'over', actions: ['dropHooks'] },
] as const;

/** The answer was on its way when the service was told to stop: nothing of it is left. */
const stoppedWhileAsked = [{ guard: 'isStale' }, { target: '.over', actions: ['noteTime', 'dropUnit'] }] as const;

export const stopping = serviceSetup.createStateConfig({
  entry: [{ type: 'report', params: { phase: 'stopping' } }],
  initial: 'terminating',
  on: {
    // The system remembers the wish, and starts the service once it has ended.
    'service.start': {},
    'service.stop': { actions: ['recordStop'] },
    'service.kill': { target: '.killing', actions: ['noteTime', 'noteKill', 'pardon'] },
    'service.retire': { actions: ['retire'] },
    'service.reset': {},
    'service.signal': { actions: ['noteTime', 'signalUnit'] },
    'unit.spawned': [{ guard: 'isStale' }, { actions: ['recordSpawn'] }],
    // The stop is over once nothing is left of the run and of its hooks.
    'unit.spawnFailed': [
      { guard: 'isStale' },
      { guard: 'runsHooks', actions: ['noteTime', 'dropUnit'] },
      { target: '.over', actions: ['noteTime', 'dropUnit'] },
    ],
    'unit.leaderExited': [
      { guard: 'isStale' },
      { guard: 'leavesNothingBesideHooks', actions: ['recordExit', 'reportLoss', 'dropUnit'] },
      { guard: 'leavesNothing', target: '.over', actions: ['recordExit', 'reportLoss', 'dropUnit'] },
      { actions: ['recordExit', 'reportLoss'] },
    ],
    'unit.cleared': [
      { guard: 'isStale' },
      { guard: 'runsHooks', actions: ['noteTime', 'dropUnit'] },
      { target: '.over', actions: ['noteTime', 'dropUnit'] },
    ],
    ...hooksRun,
    'hooks.passed': hooksOver,
    'hooks.failed': hooksOver,
    'hooks.ended': hooksOver,
    'hooks.survived': [{ guard: 'isStale' }, { actions: ['noteTime', 'tellSurvived'] }],
    'unit.survived': [{ guard: 'isStale' }, { actions: ['noteTime', 'tellSurvived'] }],
    'conditions.met': stoppedWhileAsked,
    'conditions.unmet': stoppedWhileAsked,
    'conditions.failed': stoppedWhileAsked,
    'notify.received': [
      { guard: 'isStale' },
      { guard: 'extendsStop', actions: ['noteNotice', 'askForTime'] },
      { actions: ['noteNotice'] },
    ],
  },
  states: {
    /** A service that is up is told to stop, and has hooks for that. The time limit of the stop spans them. */
    beginning: {
      tags: ['transient'],
      always: [
        { guard: { type: 'hasHooks', params: { stage: 'before_stop' } }, target: 'beforeStop' },
        { target: 'stopCommand' },
      ],
    },
    beforeStop: {
      entry: [{ type: 'runHooks', params: { stage: 'before_stop' } }, enter('stopping.beforeStop')],
      on: {
        'hooks.passed': [{ guard: 'isStale' }, ...afterBeforeStop],
        'hooks.failed': [{ guard: 'isStale' }, ...afterBeforeStop],
        'hooks.ended': [{ guard: 'isStale' }, ...afterBeforeStop],
      },
    },
    stopCommand: {
      entry: [{ type: 'runHooks', params: { stage: 'stop_command' } }, enter('stopping.stopCommand')],
      on: {
        'hooks.passed': [{ guard: 'isStale' }, ...afterStopCommand],
        'hooks.failed': [{ guard: 'isStale' }, ...afterStopCommand],
        'hooks.ended': [{ guard: 'isStale' }, ...afterStopCommand],
      },
    },
    /** The system has told the service to stop, and sends `service.kill` when the time limit is reached. */
    terminating: { entry: [enter('stopping.terminating'), 'terminateUnit', 'terminateHooks'] },
    /** The service itself ends what is left of a failed run before its verdict counts. */
    clearing: {
      entry: ['recordClearing', enter('stopping.clearing'), 'terminateUnit', 'terminateHooks'],
      after: { clearGrace: { target: 'killing', actions: ['passClearGrace'] } },
      on: { 'service.stop': { target: 'terminating', actions: ['recordStop'] } },
    },
    killing: { entry: [enter('stopping.killing'), 'killUnit', 'killHooks'] },
    /** Nothing is left of the run and of its hooks. */
    over: {
      tags: ['transient'],
      always: [
        { guard: 'owesAfterStop', target: 'afterStop' },
        { guard: 'hasVerdict', target: '#service.judged' },
        { guard: { type: 'aims', params: { aim: 'done' } }, target: '#service.ready.exited' },
        { guard: { type: 'aims', params: { aim: 'exited' } }, target: '#service.exited' },
        { target: '#service.stopped' },
      ],
    },
    /** The run is over, however it ended. A stop that comes now is no failure of the service any more. */
    afterStop: {
      entry: [
        'reportStopContinues',
        { type: 'runHooks', params: { stage: 'after_stop' } },
        enter('stopping.afterStop'),
      ],
      after: { afterStop: { actions: ['passAfterStop', 'killHooks'] } },
      on: {
        'service.kill': [
          { guard: 'hasUnit', target: 'killing', actions: ['noteTime', 'noteKill', 'pardon'] },
          { actions: ['noteTime', 'noteKill', 'pardon', 'killHooks'] },
        ],
        'hooks.passed': [{ guard: 'isStale' }, ...afterLastHooks],
        'hooks.failed': [{ guard: 'isStale' }, ...afterLastHooks],
        'hooks.ended': [{ guard: 'isStale' }, ...afterLastHooks],
      },
    },
  },
});
