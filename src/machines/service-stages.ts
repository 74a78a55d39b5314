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
  'notify.received': {},
};

/** Events that only the state hears that has invoked the child or set the timer: both end with that state. */
export const impossible = {
  'readiness.passed': {},
  'readiness.failed': {},
  'readiness.extended': {},
  'watchdog.missed': {},
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

/** A stop of a service that has ended normally and has left no process needs no signal. */
export const stoppedFromRest = {
  'service.stop': [
    { guard: 'hasUnit', target: '#service.stopping', actions: ['recordStop'] },
    { target: '#service.stopped', actions: ['noteTime'] },
  ],
  'service.kill': [
    { guard: 'hasUnit', target: '#service.stopping.killing', actions: ['noteTime'] },
    { target: '#service.stopped', actions: ['noteTime'] },
  ],
} as const;

export const starting = serviceSetup.createStateConfig({
  entry: ['spawnUnit', { type: 'report', params: { phase: 'starting' } }],
  initial: 'spawning',
  on: {
    'service.start': {},
    'service.stop': { target: 'stopping', actions: ['recordStop'] },
    'service.kill': { target: 'stopping.killing', actions: ['noteTime'] },
    'service.retire': { actions: ['retire'] },
    'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
    'service.signal': { actions: ['noteTime', 'signalUnit'] },
    'unit.spawned': {},
    'unit.spawnFailed': [
      { guard: 'isStale' },
      { target: 'judged', actions: ['judgeSpawn', 'dropUnit', 'reportExitKills'] },
    ],
    'unit.leaderExited': [
      { guard: 'isStale' },
      { guard: 'exitedIntoPidfile', target: '.awaitingPidfile', actions: ['recordExit'] },
      { guard: 'exitedBeforeReady', target: '.awaitingNotify', actions: ['recordExit'] },
      {
        guard: 'exitedAsMeant',
        target: 'ready.exited',
        actions: ['recordExit', 'reportExitKills', 'dropEndedUnit'],
      },
      { guard: 'exitedNormally', target: 'exited', actions: ['recordExit', 'reportExitKills', 'dropEndedUnit'] },
      {
        guard: 'leavesNothing',
        target: 'judged',
        actions: ['recordExit', 'reportExitKills', 'judgeExit', 'dropUnit'],
      },
      { target: 'stopping.clearing', actions: ['recordExit', 'reportExitKills', 'judgeExit'] },
    ],
    'unit.cleared': {},
    'unit.survived': {},
    // The notify socket is read only in turns after the one that reports the spawn.
    'notify.received': {},
  },
  states: {
    spawning: {
      entry: [enter('starting.spawning')],
      on: {
        'unit.spawned': [
          { guard: 'isStale' },
          { guard: 'awaitsExit', target: 'awaitingExit', actions: ['recordSpawn'] },
          { guard: 'isNotify', target: 'awaitingNotify', actions: ['recordSpawn'] },
          { target: 'settling', actions: ['recordSpawn'] },
        ],
      },
    },
    /** simple: a process that dies within the startup pause counts as a failed start. */
    settling: {
      entry: [enter('starting.settling')],
      after: {
        startupPause: [
          { guard: 'hasPidfile', target: 'awaitingPidfile', actions: ['passPause'] },
          { target: '#service.ready.running', actions: ['passPause'] },
        ],
      },
      on: {
        'unit.leaderExited': [
          { guard: 'isStale' },
          {
            guard: 'mayHaveSettled',
            target: '#service.ready.running',
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
            target: '#service.ready.running',
            actions: ['noteTime', raise(({ event }) => event)],
          },
        ],
        'readiness.passed': [
          { guard: 'isStale' },
          {
            guard: 'missedLeader',
            target: '#service.ready.running',
            actions: ['recordLost', raise(({ event }) => missedLeader(event))],
          },
          { target: '#service.ready.running', actions: ['noteTime', 'lead'] },
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
          { guard: 'isReadyAlone', target: '#service.ready.exited', actions: ['noteTime'] },
          { target: '#service.ready.running', actions: ['noteTime'] },
        ],
        'readiness.failed': [
          { guard: 'isStale' },
          { target: '#service.stopping.clearing', actions: ['judgeReadiness'] },
        ],
        'readiness.extended': [{ guard: 'isStale' }, { actions: ['recordDeadline'] }],
      },
    },
  },
});

export const ready = serviceSetup.createStateConfig({
  entry: ['markReady'],
  initial: 'running',
  on: {
    ...stoppedFromRest,
    'service.retire': { actions: ['retire'] },
    'service.signal': { actions: ['noteTime', 'signalUnit'] },
    'unit.spawned': {},
    'unit.spawnFailed': {},
    'unit.cleared': [{ guard: 'isStale' }, { actions: ['noteTime', 'dropUnit'] }],
    'unit.survived': {},
  },
  states: {
    running: {
      entry: [
        'markSettled',
        'armWatchdog',
        'armStable',
        enter('ready.running'),
        { type: 'report', params: { phase: 'ready.running' } },
      ],
      exit: ['restWatchdog', 'restStable'],
      on: {
        'service.start': {},
        'service.reset': { actions: ['noteTime', 'forgetRestarts'] },
        'restarts.forgotten': { actions: ['forgetRestarts'] },
        'leader.missed': [
          { guard: 'exitedNormally', target: '#service.exited', actions: ['reportExitKills', 'recordExit'] },
          {
            target: '#service.stopping.clearing',
            actions: ['reportExitKills', 'recordExit', 'judgeExit'],
          },
        ],
        'unit.leaderExited': [
          { guard: 'isStale' },
          {
            guard: 'exitedNormally',
            target: '#service.exited',
            actions: ['recordExit', 'reportExitKills', 'dropEndedUnit'],
          },
          {
            guard: 'leavesNothing',
            target: '#service.judged',
            actions: ['recordExit', 'reportExitKills', 'judgeExit', 'dropUnit'],
          },
          { target: '#service.stopping.clearing', actions: ['recordExit', 'reportExitKills', 'judgeExit'] },
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
          { guard: 'feedsWatchdog', actions: ['noteNotice', 'lead', 'armWatchdog'] },
          { actions: ['noteNotice', 'lead'] },
        ],
        'watchdog.missed': { target: '#service.stopping.clearing', actions: ['judgeWatchdog'] },
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

export const stopping = serviceSetup.createStateConfig({
  entry: [{ type: 'report', params: { phase: 'stopping' } }],
  initial: 'terminating',
  on: {
    // The system remembers the wish, and starts the service once it has ended.
    'service.start': {},
    'service.stop': { actions: ['recordStop', 'pardon'] },
    'service.kill': { target: '.killing', actions: ['noteTime', 'pardon'] },
    'service.retire': { actions: ['retire'] },
    'service.reset': {},
    'service.signal': { actions: ['noteTime', 'signalUnit'] },
    'unit.spawned': [{ guard: 'isStale' }, { actions: ['recordSpawn'] }],
    'unit.spawnFailed': [
      { guard: 'isStale' },
      { guard: 'hasVerdict', target: 'judged', actions: ['noteTime', 'dropUnit'] },
      { target: 'stopped', actions: ['noteTime', 'dropUnit'] },
    ],
    'unit.leaderExited': [
      { guard: 'isStale' },
      { guard: 'leavesNothingAndFailed', target: 'judged', actions: ['recordExit', 'reportLoss', 'dropUnit'] },
      { guard: 'leavesNothing', target: 'stopped', actions: ['recordExit', 'dropUnit'] },
      { actions: ['recordExit', 'reportLoss'] },
    ],
    'unit.cleared': [
      { guard: 'isStale' },
      { guard: 'hasVerdict', target: 'judged', actions: ['noteTime', 'dropUnit'] },
      { target: 'stopped', actions: ['noteTime', 'dropUnit'] },
    ],
    'unit.survived': [{ guard: 'isStale' }, { actions: ['noteTime', 'tellSurvived'] }],
    'notify.received': [
      { guard: 'isStale' },
      { guard: 'extendsStop', actions: ['noteNotice', 'askForTime'] },
      { actions: ['noteNotice'] },
    ],
  },
  states: {
    /** The system has told the service to stop, and sends `service.kill` when the time limit is reached. */
    terminating: { entry: [enter('stopping.terminating'), 'terminateUnit'] },
    /** The service itself ends what is left of a failed run before its verdict counts. */
    clearing: {
      entry: ['recordClearing', enter('stopping.clearing'), 'terminateUnit'],
      after: { clearGrace: { target: 'killing', actions: ['passClearGrace'] } },
      on: { 'service.stop': { target: 'terminating', actions: ['recordStop', 'pardon'] } },
    },
    killing: { entry: [enter('stopping.killing'), 'killUnit'] },
  },
});
