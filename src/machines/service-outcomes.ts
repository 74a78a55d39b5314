/** Judges what an event means for a service: pure functions of the service's memory and the event. */
import { type ActorRef, assertEvent, type Snapshot } from 'xstate';
import type { HookStage } from '../model/service/hook.ts';
import { resultVariables } from '../model/service/hook-result.ts';
import type { OnUnhealthy } from '../model/service/probe.ts';
import type { ReloadOutcome } from '../model/service/reload-method.ts';
import {
  answerTo,
  endedWell,
  isNormalStatus,
  type Tried,
  type TryMemory,
  triesLeft,
} from '../model/service/restart-policy.ts';
import type { FailureCause, ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { RunOutcome } from '../model/service/system-end.ts';
import type { ReadinessFact } from './readiness.ts';
import type { Resumption, ServiceEvent, ServiceMemory } from './service-events.ts';

/** The part of a service's context on which a judgement rests. */
type Known = ServiceMemory & {
  readonly spec: ServiceSpec;
  readonly seed: number;
  readonly resumes: Resumption | undefined;
};

export function mayRestart(context: Known): boolean {
  return answerTo(context).kind === 'try';
}

/** The memory of a service whose last end is followed by no try. */
export function withoutTry(context: Known): Pick<TryMemory, 'noTry'> {
  const answer = answerTo(context);
  return { noTry: answer.kind === 'none' ? answer.why : undefined };
}

/** True for a normal end that is followed by a try, or would be if one were left. */
export function returnsAfterEnd(context: Known): boolean {
  const verdict = verdictOfLastEnd(context);
  if (context.aim !== 'exited' || verdict === undefined) return false;
  const answer = answerTo({ ...context, verdict });
  return answer.kind === 'try' || answer.why?.kind === 'usedUp';
}

/** True for a verdict that is no failure: the service has ended normally, and no restart follows after all. */
export function restsAfterEnd(context: Known): boolean {
  return endedWell(context) && context.noTry?.kind !== 'usedUp';
}

export function describeChange(context: Known, phase: ServiceChange['phase']): ServiceChange {
  const { lastEnd, settled, spec, serial, pid, hasBeenReady, noTry, pause, skipped = '' } = context;
  const restarted = pause !== undefined;
  switch (phase) {
    case 'stopping':
    case 'ready.scheduled':
      return { phase };
    case 'stopped':
      return { phase, ...(lastEnd === undefined ? {} : { end: lastEnd }) };
    case 'starting':
      return { phase, serial };
    case 'disabled':
      return { phase, skipped };
    case 'ready.running':
      return { phase, pid, restarted };
    case 'ready.exited':
      return { phase, ...(lastEnd === undefined ? {} : { end: lastEnd }), restarted };
    case 'exited':
      if (lastEnd === undefined) throw new Error(`internal error: ${spec.name} exited without an exit`);
      return { phase, end: lastEnd, restarted, wasReady: settled };
    case 'backoff':
      return backoffChange(context);
    case 'failed': {
      const during = hasBeenReady ? 'run' : 'start';
      const refused = noTry === undefined ? {} : { noTry };
      return { phase, cause: verdictOf(context), during, ...givenUp(context), ...refused };
    }
  }
}

/** The report of a service that waits for its next try. */
export function backoffChange(context: Tried): ServiceChange {
  const { pause = 0 } = context;
  const left = triesLeft(context);
  return {
    phase: 'backoff',
    cause: verdictOf(context),
    ...(endedWell(context) ? { normal: true as const } : {}),
    ...(context.hasBeenReady ? {} : { first: true as const }),
    ...(left === undefined ? {} : { restartsLeft: left }),
    delay: pause,
  };
}

export function givenUp({
  restartsUsed,
  firstLoss,
  at,
  noTry,
}: Pick<Tried, 'restartsUsed' | 'firstLoss' | 'at' | 'noTry'>): Pick<ServiceChange & { phase: 'failed' }, 'gaveUp'> {
  if (noTry?.kind !== 'usedUp' || firstLoss === undefined) return {};
  return { gaveUp: { restarts: restartsUsed, after: at - firstLoss } };
}

/** The last end of a leader as a verdict. */
export function verdictOfLastEnd({ lastEnd }: Known): FailureCause | undefined {
  return lastEnd === undefined ? undefined : { kind: 'exit', status: lastEnd.status, pid: lastEnd.pid };
}

/** The end of a leader as a verdict: a failure, or the occasion of a restart. */
export function verdictOfEnd(event: ServiceEvent): FailureCause | undefined {
  if (event.type !== 'unit.leaderExited' && event.type !== 'leader.missed') return undefined;
  return { kind: 'exit', status: event.status, pid: event.pid };
}

/** @param probes true: the probes of `ready` decide, and not a pidfile or READY=1 */
export function readinessInput(context: Known, owner: ActorRef<Snapshot<unknown>, ReadinessFact>, probes = false) {
  const { spec: service, serial, at, resumes } = context;
  const deadline = context.deadline ?? at + service.processTimeout;
  const left = resumes?.left.processTimeout;
  return { service, serial, owner, deadline, probes, at: left === undefined ? at : deadline - left };
}

/** The variables that hooks of a stage get beside the environment of the service. */
export function hookVariables(context: Known, stage: HookStage): Readonly<Record<string, string>> {
  const { pid, verdict, lastEnd, overdue } = context;
  // The verdict of a normal end is only the occasion of a restart.
  const cause = endedWell(context) ? undefined : verdict;
  return {
    ...(pid === 0 ? {} : { MAINPID: String(pid) }),
    ...(stage === 'after_stop' ? resultVariables({ cause, status: lastEnd?.status, overdue }) : {}),
  };
}

/** ms until the start has taken too long. */
export function startTimeLeft({ spec, at, deadline = at + spec.processTimeout }: Known): number {
  return Math.max(0, deadline - at);
}

/** True where the end of the run is the end of the service, so that after_stop follows at once, and not at the stop. */
export function endsForGood({ spec, aim }: Known): boolean {
  if (spec.remainAfterExit) return false;
  return aim === 'exited' || (aim === 'done' && spec.type === 'oneshot');
}

/** Why a reload does not begin. */
export function refusedReload({ spec, reload }: Known & { readonly reload: unknown }): ReloadOutcome {
  if (spec.reload === undefined) return { kind: 'noMethod' };
  return reload === undefined ? { kind: 'notRunning' } : { kind: 'busy' };
}

/** The pid of the process that a pidfile or MAINPID names. */
export function namedPid(event: ServiceEvent): number | undefined {
  if (event.type === 'readiness.passed') return event.pid;
  return event.type === 'notify.received' ? event.message.mainPid : undefined;
}

export function missedLeader(event: ServiceEvent): ServiceEvent & { readonly type: 'leader.missed' } {
  assertEvent(event, 'readiness.passed');
  const { pid = 0, ended, at } = event;
  if (ended === undefined) throw new Error(`internal error: the end of pid ${pid} was not missed`);
  return { type: 'leader.missed', pid, ...ended, at };
}

export function endedNormally(context: Known, event: ServiceEvent): boolean {
  if (event.type !== 'unit.leaderExited' && event.type !== 'leader.missed') return false;
  return isNormalStatus(context, event.status);
}

export function runOutcome(event: ServiceEvent): RunOutcome | undefined {
  if (event.type === 'unit.leaderExited' || event.type === 'leader.missed')
    return { kind: 'exit', status: event.status };
  return event.type === 'unit.spawnFailed' ? { kind: 'spawn', error: event.error } : undefined;
}

/** What follows once the probes of `healthy` have failed; a system that ends takes no notice. */
export function answerOf({ spec, retired }: Known): OnUnhealthy {
  return retired ? 'log' : (spec.onUnhealthy ?? 'log');
}

function verdictOf({ verdict, spec }: Pick<Tried, 'verdict' | 'spec'>): FailureCause {
  if (verdict === undefined) throw new Error(`internal error: ${spec.name} failed without a cause`);
  return verdict;
}
