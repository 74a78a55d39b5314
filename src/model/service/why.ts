/**
 * Why a service is in its state: for every state of its chart the condition that it waits for, who can fulfil it, and
 * what comes next. Status, page and API all take their words from here.
 */

import { isScheduled, mostRuns } from '../schedule/scheduled-runs.ts';
import { cutList } from '../words/cut-list.ts';
import { describeDuration } from '../words/duration.ts';
import type { ServiceSpec } from './service-spec.ts';
import { shortName } from './service-spec.ts';
import type { ServiceStage } from './service-stage.ts';
import type { SignalName } from './signal.ts';

/** What a pending service waits for. */
export type Hold =
  /** Prerequisites that are not ready yet. */
  | { readonly kind: 'prerequisites'; readonly names: readonly string[] }
  /** Services that do not become ready by themselves; `roots`: those that would have to be started for it. */
  | { readonly kind: 'blocked'; readonly names: readonly string[]; readonly roots: readonly string[] }
  /** Services of an earlier stage: those in INIT, or for an IDLE service all others. */
  | { readonly kind: 'stage'; readonly group: 'INIT' | 'IDLE'; readonly names: readonly string[] }
  /** The system is shutting down: no service starts any more. */
  | { readonly kind: 'ending' }
  /** `idle_delay`, for which IDLE services wait once all others have started. */
  | { readonly kind: 'idleDelay' }
  /** Services that a reload stops, and that still have the port or pidfile of this one. */
  | { readonly kind: 'reload'; readonly names: readonly string[] }
  /** Nothing: the service is about to start. */
  | { readonly kind: 'none' };

/** The facts from which the answer is made. All times are ms; `left` counts down. */
export interface WaitFacts {
  readonly stage: ServiceStage;
  /** Unix ms at which the service came to its stage. */
  readonly since: number;
  readonly spec: Pick<
    ServiceSpec,
    | 'type'
    | 'killSignal'
    | 'restart'
    | 'restartLimit'
    | 'startupPause'
    | 'restartDelay'
    | 'pidfile'
    | 'port'
    | 'interval'
    | 'maxConnections'
  >;
  readonly hold: Hold;
  /** The signal that asked the process to end, if it is not the kill signal (a watchdog sends SIGABRT). */
  readonly endSignal?: SignalName;
  /** Services that have to end before this one is told to stop. */
  readonly stopAfter?: readonly string[];
  readonly pid?: number;
  /** inetd, cron: how many of its processes run. */
  readonly running?: number;
  /**
   * What follows the stop, if not `stopped`: a start that was requested, the failure of the run that caused the stop, or
   * a restart after such a run.
   */
  readonly afterStop?: 'start' | 'verdict' | 'restart';
  readonly restartsUsed: number;
  /** ms until the timer of the state fires, if it has one. */
  readonly left?: number;
  /** Why the service failed or restarts: `exit 1`. */
  readonly cause?: string;
  /** ms until the next run of a schedule. */
  readonly nextRun?: number;
}

/** The answer, in parts for programs and as a sentence for people. */
export interface Why {
  /** What must happen for the service to go on; absent if it waits for nothing. */
  readonly condition?: string;
  /** Who can make the condition true: a service, a process, a timer, a person. */
  readonly owner: string;
  /** Unix ms since which the service has been in this state. */
  readonly since: number;
  /** What follows when the condition comes true, or when it does not in time. */
  readonly next: string;
  /** Condition and next step as one line. */
  readonly sentence: string;
}

type Reason = Omit<Why, 'sentence' | 'since'>;

/** One entry for each state of the chart: a state without one does not compile. */
const reasons: Readonly<Record<ServiceStage, (facts: WaitFacts) => Reason>> = {
  disabled: () => ({
    condition: 'somebody to enable it',
    owner: 'you',
    next: '"start --enable" enables and starts it; as long as it is disabled, no other service waits for it',
  }),
  pending: ({ hold }) => pendingReason(hold),
  'starting.spawning': ({ spec }) => {
    switch (spec.type) {
      case 'inetd':
        return {
          condition: `port ${spec.port ?? '?'} to be bound`,
          owner: 'the kernel',
          next: 'ready, or failed where the port is taken',
        };
      case 'cron':
        return {
          condition: `the schedule "${spec.interval ?? '?'}" to be read`,
          owner: 'chaperone',
          next: 'ready, or failed where it makes no sense',
        };
      default:
        return {
          condition: 'its process to be started',
          owner: 'the kernel',
          next: 'starting, or failed where the program cannot be run',
        };
    }
  },
  'starting.settling': (facts) => ({
    condition: `startup_pause to pass${inTime(facts)}`,
    owner: processName(facts),
    next: `ready; an abnormal end before that is a failed start${consequence(facts)}`,
  }),
  'starting.awaitingExit': (facts) => ({
    condition: `exit 0 of ${processName(facts)}`,
    owner: processName(facts),
    next: timeoutNext(facts, 'ready'),
  }),
  'starting.awaitingPidfile': (facts) => ({
    condition: `its pidfile${facts.spec.pidfile === undefined ? '' : ` ${facts.spec.pidfile}`} to name a live process`,
    owner: processName(facts),
    next: timeoutNext(facts, 'ready'),
  }),
  'starting.awaitingNotify': (facts) => ({
    condition: 'READY=1 on its notify socket',
    owner: processName(facts),
    next: timeoutNext(facts, 'ready'),
  }),
  'ready.running': (facts) => ({
    owner: processName(facts),
    next: facts.spec.restart
      ? `runs; after an abnormal end: restart in ${describeDuration(facts.spec.restartDelay)}, ${restartsLeft(facts)} left`
      : 'runs; an abnormal end would be a failure',
  }),
  'ready.exited': () => ({ owner: 'nobody', next: 'it has done its work and exited normally' }),
  exited: () => ({ owner: 'nobody', next: 'its process has ended normally; "reset" and "start" run it again' }),
  'ready.scheduled': (facts) => (facts.spec.type === 'inetd' ? listeningReason(facts) : scheduledReason(facts)),
  'stopping.terminating': (facts) => ({
    condition: `${processName(facts)} to end after ${endSignalOf(facts)}`,
    owner: processName(facts),
    next: `${killNext(facts)}; then ${afterStop(facts)}`,
  }),
  'stopping.clearing': (facts) => ({
    condition: `the remaining processes of its run to end after ${endSignalOf(facts)}`,
    owner: 'the remaining processes of its run',
    next: `${killNext(facts)}; then ${afterClearing(facts)}`,
  }),
  'stopping.draining': (facts) => ({
    condition: `${processName(facts)} to finish`,
    owner: processName(facts),
    next: `no new run starts; then ${afterStop(facts)}`,
  }),
  'stopping.killing': (facts) => ({
    condition: `the kernel to end ${processName(facts)} after SIGKILL`,
    owner: 'the kernel',
    next: `then ${afterStop(facts)}`,
  }),
  backoff: (facts) => ({
    condition: `restart_delay to pass${inTime(facts)}`,
    owner: 'restart_delay',
    next: `restart ${facts.restartsUsed} of ${facts.spec.restartLimit}${facts.cause === undefined ? '' : `, after ${facts.cause}`}`,
  }),
  stopped: () => ({ condition: 'a start', owner: 'you', next: '"start" starts it' }),
  failed: (facts) => ({
    condition: 'a start',
    owner: 'you',
    next: `failed${facts.cause === undefined ? '' : `: ${facts.cause}`}; "start --force" or "reset" and "start" tries again`,
  }),
};

/** Explains the state of a service. Every state has an answer. */
export function explainState(facts: WaitFacts): Why {
  const { stopAfter = [] } = facts;
  const reason = stopAfter.length > 0 ? heldStop(stopAfter, facts) : reasons[facts.stage](facts);
  const sentence = reason.condition === undefined ? reason.next : `waits for ${reason.condition}; ${reason.next}`;
  return { ...reason, since: facts.since, sentence };
}

/** A cron service has one run at a time: a tick that finds the last run alive is skipped. */
function scheduledReason({ spec, running = 0, nextRun }: WaitFacts): Reason {
  return {
    condition: `its next run${nextRun === undefined ? '' : ` in ${describeDuration(nextRun)}`}`,
    owner: `the schedule "${spec.interval ?? '?'}"`,
    next:
      running > 0
        ? 'a run, or none if the present run has not ended by then'
        : 'a run; its result does not affect the next run',
  };
}

function listeningReason({ spec, running = 0 }: WaitFacts): Reason {
  const most = mostRuns(spec);
  if (running < most) {
    return {
      condition: `connections on port ${spec.port ?? '?'}`,
      owner: 'clients',
      next: 'one process for each connection',
    };
  }
  return {
    condition: `one of its ${most} connections to end (max_connections)`,
    owner: 'the clients that are connected',
    next: 'the next client in the backlog is served',
  };
}

function afterStop({ afterStop: then, cause, spec, restartsUsed }: WaitFacts): string {
  if (then === undefined) return 'stopped';
  if (then === 'start') return 'it starts again';
  if (then === 'restart') {
    return `restart ${restartsUsed + 1} of ${spec.restartLimit}${cause === undefined ? '' : `, after ${cause}`}`;
  }
  const isUsedUp = spec.restart && restartsUsed > 0 && restartsUsed >= spec.restartLimit;
  return `failed${cause === undefined ? '' : `: ${cause}`}${isUsedUp ? ', and no restart is left' : ''}`;
}

/**
 * A failed run is followed by a restart or a failure once its processes have ended. A scheduled service ends only when told to.
 */
function afterClearing(facts: WaitFacts): string {
  if (facts.afterStop !== undefined || isScheduled(facts.spec.type)) return afterStop(facts);
  const cause = facts.cause === undefined ? '' : `, after ${facts.cause}`;
  return `${facts.spec.restart ? 'a restart, or failed' : 'failed'}${cause}`;
}

function killNext({ left }: WaitFacts): string {
  return left === undefined ? 'else SIGKILL' : `after ${describeDuration(left)}: SIGKILL`;
}

function heldStop(names: readonly string[], facts: WaitFacts): Reason {
  return {
    condition: `${list(names)} to end`,
    owner: list(names),
    next: `then it is told to stop${facts.afterStop === 'start' ? ', and starts again' : ''}`,
  };
}

function pendingReason(hold: Hold): Reason {
  switch (hold.kind) {
    case 'prerequisites':
      return { condition: `${list(hold.names)} to be ready`, owner: list(hold.names), next: 'then it starts' };
    case 'blocked':
      return {
        condition: `${list(hold.names)}, which ${hold.names.length === 1 ? 'does not become ready by itself' : 'do not become ready by themselves'}`,
        owner: 'you',
        next: `it never starts unless ${list(hold.roots)} ${hold.roots.length === 1 ? 'is' : 'are'} started`,
      };
    case 'stage':
      return {
        condition: `${hold.group === 'INIT' ? 'the INIT services' : 'everything that is not in IDLE'}: ${list(hold.names)}`,
        owner: list(hold.names),
        next: 'then it starts',
      };
    case 'ending':
      return { condition: 'the end of the system', owner: 'chaperone', next: 'chaperone starts no service any more' };
    case 'idleDelay':
      return { condition: 'idle_delay to pass', owner: 'idle_delay', next: 'then it starts' };
    case 'reload':
      return {
        condition: `${list(hold.names)} to end, which the reload stops`,
        owner: list(hold.names),
        next: 'then it starts',
      };
    case 'none':
      return { condition: 'chaperone to start it', owner: 'chaperone', next: 'nothing else holds it up' };
  }
}

function processName({ pid, running = 0 }: WaitFacts): string {
  if (running > 1) return `its ${running} processes`;
  return pid === undefined || pid === 0 ? 'its process' : `pid ${pid}`;
}

function inTime({ left }: WaitFacts): string {
  return left === undefined ? '' : ` (${describeDuration(left)} left)`;
}

function timeoutNext(facts: WaitFacts, then: string): string {
  if (facts.left === undefined) return `then ${then}`;
  return `after ${describeDuration(facts.left)}: failed${consequence(facts)}`;
}

/** What a failure of this start leads to: if it is a restart itself, the next restart. */
function consequence({ spec, restartsUsed }: Pick<WaitFacts, 'spec' | 'restartsUsed'>): string {
  if (!spec.restart || restartsUsed === 0) return '';
  return restartsUsed < spec.restartLimit
    ? `, then restart ${restartsUsed + 1} of ${spec.restartLimit}`
    : ', and no restart is left';
}

function restartsLeft({ spec, restartsUsed }: WaitFacts): number {
  return Math.max(0, spec.restartLimit - restartsUsed);
}

const longestList = 5;

function list(names: readonly string[]): string {
  return cutList(names.map(shortName), longestList);
}

function endSignalOf({ endSignal, spec }: WaitFacts): SignalName {
  return endSignal ?? spec.killSignal;
}
