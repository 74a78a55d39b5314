/**
 * Why a service is in its state: for every state of its chart the condition that it waits for, who can fulfil it, and
 * what comes next. Status, page and API all take their words from here.
 */

import type { PrerequisiteStage } from '../order/prerequisite.ts';
import { isScheduled, mostRuns } from '../schedule/scheduled-runs.ts';
import { cutList } from '../words/cut-list.ts';
import { describeDuration } from '../words/duration.ts';
import { describePlace, type HookPlace } from './hook.ts';
import type { ServiceSpec } from './service-spec.ts';
import { shortName } from './service-spec.ts';
import type { ServiceStage } from './service-stage.ts';
import type { SignalName } from './signal.ts';

/** What a pending service waits for. */
export type Hold =
  /** Prerequisites that are not ready yet. */
  | {
      readonly kind: 'prerequisites';
      readonly names: readonly string[];
      /** The stages to reach, for those that are not simply to be ready. */
      readonly stages?: Readonly<Record<string, readonly PrerequisiteStage[]>>;
    }
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
    | 'restartPolicy'
    | 'pidfile'
    | 'port'
    | 'interval'
    | 'maxConnections'
    | 'cron'
  >;
  readonly hold: Hold;
  /** The signal that asked the process to end, if it is not the kill signal (a watchdog sends SIGABRT). */
  readonly endSignal?: SignalName;
  /** Services that have to end before this one is told to stop. */
  readonly stopAfter?: readonly string[];
  readonly pid?: number;
  /** The hook that runs. `ran`: ms since its stage began, `pid`: 0 before its spawn. */
  readonly hook?: HookPlace & { readonly pid: number; readonly ran: number };
  /** Why its last start was skipped: `the file /etc/web.conf is not there`. */
  readonly skipped?: string;
  /** ms that the present run may still last, where max_runtime limits it. */
  readonly runLeft?: number;
  /** Set while it reloads: ms until that counts as failed; infinite where the service reloads by itself. */
  readonly reloading?: number;
  /** cron: true while a run waits for the end of the present one. */
  readonly runWaits?: true;
  /** inetd, cron: how many of its processes run. */
  readonly running?: number;
  /**
   * What follows the stop, if not `stopped`: a start that was requested, the failure of the run that caused the stop, or
   * a restart after such a run.
   */
  readonly afterStop?: 'start' | 'verdict' | 'restart';
  readonly restartsUsed: number;
  /** ms of the pause before the next restart, as far as chance does not decide it; absent: `restart_delay`. */
  readonly nextPause?: number;
  /** Why no try follows, where restarts are configured: `restart_prevent: 78`. */
  readonly noTry?: string;
  /** ms until the timer of the state fires, if it has one. */
  readonly left?: number;
  /** Why the service failed or restarts: `exit 1`. */
  readonly cause?: string;
  /** What has happened to a prerequisite, because of which the service stops or waits: `db has crashed`. */
  readonly because?: string;
  /** What the probes of `ready` wait for: `tcp localhost:80 to pass, last: ECONNREFUSED`. */
  readonly probing?: string;
  /** What the probes of `healthy` say where one of them fails: `healthy.failing: 2 of 3, last: 503 in 12 ms; at the third: restart`. */
  readonly failing?: string;
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
  /** The services, by full names, that the condition is about; absent where it is about none. */
  readonly services?: readonly string[];
  /** ms until a limit of time, the next try or the next run, whichever comes by itself; absent where nothing does. */
  readonly left?: number;
  /** Condition and next step as one line. */
  readonly sentence: string;
}

type Reason = Omit<Why, 'sentence' | 'since' | 'services' | 'left'>;

/** One entry for each state of the chart: a state without one does not compile. */
const reasons: Readonly<Record<ServiceStage, (facts: WaitFacts) => Reason>> = {
  disabled: ({ skipped }) =>
    skipped === undefined
      ? {
          condition: 'somebody to enable it',
          owner: 'you',
          next: '"start --enable" enables and starts it; as long as it is disabled, no other service waits for it',
        }
      : {
          condition: 'a start',
          owner: 'you',
          next: `skipped: ${skipped}; "start" asks its conditions again, and no other service waits for it`,
        },
  pending: ({ hold }) => pendingReason(hold),
  'starting.asking': () => ({
    condition: 'the answer to its start_if',
    owner: 'the conditions of its start_if',
    next: 'its command starts, or it is skipped',
  }),
  'starting.beforeStart': (facts) => ({ ...hookReason(facts), next: timeoutNext(facts, 'its command starts') }),
  'starting.spawning': ({ spec }) => {
    switch (spec.type) {
      case 'inetd':
        return {
          condition: `port ${spec.port ?? '?'} to be bound`,
          owner: 'the kernel',
          next: 'then it is ready, or failed where the port is taken',
        };
      case 'cron':
        return {
          condition: `the schedule "${spec.interval ?? '?'}" to be read`,
          owner: 'chaperone',
          next: 'then it is ready, or failed where the schedule makes no sense',
        };
      default:
        return {
          condition: 'its process to be started',
          owner: 'the kernel',
          next: 'then it is starting, or failed where the program cannot be run',
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
  'starting.awaitingProbe': (facts) => ({
    condition: facts.probing ?? 'the probes of "ready" to pass',
    owner: processName(facts),
    next: timeoutNext(facts, 'ready'),
  }),
  'starting.afterStart': (facts) => ({ ...hookReason(facts), next: timeoutNext(facts, 'ready') }),
  'ready.running': (facts) => ({
    ...reloadCondition(facts),
    owner: processName(facts),
    next: facts.failing ?? `${reloadNext(facts)}${limitNext(facts)}${runningNext(facts)}`,
  }),
  'ready.exited': () => ({ owner: 'nobody', next: 'it has done its work and exited normally' }),
  exited: (facts) => ({
    owner: 'nobody',
    next: `its process has ended normally${refusal(facts)}; "reset" and "start" run it again`,
  }),
  'ready.scheduled': (facts) => (facts.spec.type === 'inetd' ? listeningReason(facts) : scheduledReason(facts)),
  'stopping.beforeStop': (facts) => ({ ...hookReason(facts), next: `${killNext(facts)}; then it is told to stop` }),
  'stopping.stopCommand': (facts) => ({
    ...hookReason(facts),
    next: `${killNext(facts)}; then ${endSignalOf(facts)} for what is left`,
  }),
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
  'stopping.afterStop': (facts) => ({ ...hookReason(facts), next: `${killNext(facts)}; then ${afterHooks(facts)}` }),
  backoff: (facts) => ({
    condition: `restart_delay to pass${inTime(facts)}`,
    owner: 'restart_delay',
    next: `${restartNumber(facts, facts.restartsUsed)}${facts.cause === undefined ? '' : `, after ${facts.cause}`}`,
  }),
  stopped: () => ({ condition: 'a start', owner: 'you', next: '"start" starts it' }),
  failed: (facts) => ({
    condition: 'a start',
    owner: 'you',
    next: `failed${facts.cause === undefined ? '' : `: ${facts.cause}`}${refusal(facts)}; "start --force" or "reset" and "start" tries again`,
  }),
};

/** Explains the state of a service. Every state has an answer. */
export function explainState(facts: WaitFacts): Why {
  const { stopAfter = [] } = facts;
  const { next, ...rest } = stopAfter.length > 0 ? heldStop(stopAfter, facts) : reasons[facts.stage](facts);
  const reason = { ...rest, next: facts.because === undefined ? next : `${next}; ${facts.because}` };
  const sentence = reason.condition === undefined ? reason.next : `waits for ${reason.condition}; ${reason.next}`;
  const services = stopAfter.length > 0 ? stopAfter : facts.stage === 'pending' ? heldBy(facts.hold) : [];
  const left = timeLeft(facts);
  return {
    ...reason,
    since: facts.since,
    ...(services.length === 0 ? {} : { services }),
    ...(left === undefined ? {} : { left }),
    sentence,
  };
}

function heldBy(hold: Hold): readonly string[] {
  return 'names' in hold ? hold.names : [];
}

function timeLeft({ left, reloading, nextRun, runLeft }: WaitFacts): number | undefined {
  return left ?? (reloading === undefined || !Number.isFinite(reloading) ? undefined : reloading) ?? nextRun ?? runLeft;
}

function limitNext({ runLeft }: WaitFacts): string {
  return runLeft === undefined
    ? ''
    : `after ${describeDuration(runLeft)} it is ended, which counts as abnormal (max_runtime); `;
}

function reloadCondition({ reloading }: WaitFacts): Pick<Reason, 'condition'> {
  return reloading === undefined ? {} : { condition: 'the end of its reload (reloading)' };
}

function reloadNext({ reloading }: WaitFacts): string {
  if (reloading === undefined || !Number.isFinite(reloading)) return '';
  return `after ${describeDuration(reloading)} the reload has failed, and it goes on as before; `;
}

const afterPresentRun = {
  skip: 'then a run starts, unless the present run still goes on',
  queue: 'then a run starts, once the present run has ended',
  replace: 'then a run starts, and ends the present run if that still goes on',
} as const;

/** A cron service has one run at a time; `overlap` tells what becomes of a tick that finds the last run alive. */
function scheduledReason({ spec, running = 0, runWaits, nextRun }: WaitFacts): Reason {
  if (runWaits === true)
    return {
      condition: 'its present run to end',
      owner: 'the process of its present run',
      next: 'then one run starts, for all that have become due',
    };
  return {
    condition: `its next run${nextRun === undefined ? '' : ` in ${describeDuration(nextRun)}`}`,
    owner: `the schedule "${spec.interval ?? '?'}"`,
    next:
      running > 0
        ? afterPresentRun[spec.cron?.overlap ?? 'skip']
        : 'then a run starts; its result does not affect the next run',
  };
}

function listeningReason({ spec, running = 0 }: WaitFacts): Reason {
  const most = mostRuns(spec);
  if (running < most) {
    return {
      condition: `connections on port ${spec.port ?? '?'}`,
      owner: 'clients',
      next: 'one process starts for each connection',
    };
  }
  return {
    condition: `one of its ${most} connections to end (max_connections)`,
    owner: 'the clients that are connected',
    next: 'the next client in the backlog is served',
  };
}

function afterStop(facts: WaitFacts): string {
  const { afterStop: then, cause, spec, restartsUsed } = facts;
  if (then === undefined) return 'stopped';
  if (then === 'start') return 'it starts again';
  if (then === 'restart') {
    return `${restartNumber(facts, restartsUsed + 1)}${cause === undefined ? '' : `, after ${cause}`}`;
  }
  const isUsedUp = spec.restart && restartsUsed > 0 && restartsUsed >= spec.restartLimit;
  return `failed${cause === undefined ? '' : `: ${cause}`}${isUsedUp ? ', and no restart is left' : ''}`;
}

/** What runs now, and for how long it has. */
function hookReason({ hook }: WaitFacts): Pick<Reason, 'condition' | 'owner'> {
  if (hook === undefined) return { condition: 'its hook to be started', owner: 'the kernel' };
  const place = describePlace(hook);
  const process = hook.pid === 0 ? '' : ` (pid ${hook.pid})`;
  return { condition: `a hook to end: ${place} has run for ${describeDuration(hook.ran)}${process}`, owner: place };
}

/** What follows after_stop: it also follows runs that have ended normally. */
function afterHooks(facts: WaitFacts): string {
  return facts.afterStop === undefined ? 'its run is over' : afterStop(facts);
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
      return { condition: stagesToReach(hold), owner: list(hold.names), next: 'then it starts' };
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

const stageWords: Readonly<Record<PrerequisiteStage, string>> = {
  started: 'be started',
  ready: 'be ready',
  healthy: 'be healthy',
  exited: 'end normally',
};

/** `db to be healthy and migrate to end normally`. */
function stagesToReach({ names, stages = {} }: Hold & { readonly kind: 'prerequisites' }): string {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const words = (stages[name] ?? ['ready']).map((stage) => stageWords[stage]).join(' and ');
    groups.set(words, [...(groups.get(words) ?? []), name]);
  }
  return [...groups].map(([words, members]) => `${list(members)} to ${words}`).join(' and ');
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
function consequence(facts: Pick<WaitFacts, 'spec' | 'restartsUsed'>): string {
  const { spec, restartsUsed } = facts;
  if (spec.restartPolicy?.startFailure !== true && (!spec.restart || restartsUsed === 0)) return '';
  return restartsUsed < spec.restartLimit
    ? `, then ${restartNumber(facts, restartsUsed + 1)}`
    : ', and no restart is left';
}

function runningNext({ spec, restartsUsed, nextPause = spec.restartDelay }: WaitFacts): string {
  if (!spec.restart) return 'runs; an abnormal end would be a failure';
  const ends = spec.restartPolicy?.always === true ? 'an end' : 'an abnormal end';
  const left = Math.max(0, spec.restartLimit - restartsUsed);
  const many = Number.isFinite(left) ? `${left} left` : 'without a limit';
  return `runs; after ${ends}: restart in ${describeDuration(nextPause)}, ${many}`;
}

/** `restart 2 of 5`. A restart after a normal end has no number where none has used up a try. */
function restartNumber({ spec: { restartLimit } }: Pick<WaitFacts, 'spec'>, number: number): string {
  if (number === 0) return 'restart';
  return Number.isFinite(restartLimit) ? `restart ${number} of ${restartLimit}` : `restart ${number}`;
}

/** Why no restart follows. */
function refusal({ noTry }: WaitFacts): string {
  return noTry === undefined ? '' : `, and no restart follows (${noTry})`;
}

const longestList = 5;

function list(names: readonly string[]): string {
  return cutList(names.map(shortName), longestList);
}

function endSignalOf({ endSignal, spec }: WaitFacts): SignalName {
  return endSignal ?? spec.killSignal;
}
