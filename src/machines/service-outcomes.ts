/** Judges what an event means for a service: pure functions of the service's memory and the event. */
import { type ActorRef, assertEvent, type Snapshot } from 'xstate';
import { isNormal } from '../model/service/exit-status.ts';
import type { FailureCause, ServiceChange } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { RunOutcome } from '../model/service/system-end.ts';
import type { ReadinessFact } from './readiness.ts';
import type { Resumption, ServiceEvent, ServiceMemory } from './service-events.ts';

/** The part of a service's context on which a judgement rests. */
type Known = ServiceMemory & { readonly spec: ServiceSpec; readonly resumes: Resumption | undefined };

export function mayRestart({ spec, hasBeenReady, restartsUsed, retired }: Known): boolean {
  return spec.restart && !spec.exitKills && !retired && hasBeenReady && restartsUsed < spec.restartLimit;
}

export function describeChange(context: Known, phase: ServiceChange['phase']): ServiceChange {
  const { restartsUsed, lastEnd, settled, spec, serial, pid, hasBeenReady } = context;
  const restarted = restartsUsed > 0;
  switch (phase) {
    case 'stopping':
    case 'ready.scheduled':
      return { phase };
    case 'stopped':
      return { phase, ...(lastEnd === undefined ? {} : { end: lastEnd }) };
    case 'starting':
      return { phase, serial };
    case 'ready.running':
      return { phase, pid, restarted };
    case 'ready.exited':
      return { phase, restarted };
    case 'exited':
      if (lastEnd === undefined) throw new Error(`internal error: ${spec.name} exited without an exit`);
      return { phase, end: lastEnd, restarted, wasReady: settled };
    case 'backoff':
      return {
        phase,
        cause: verdictOf(context),
        restartsLeft: spec.restartLimit - restartsUsed,
        delay: spec.restartDelay,
      };
    case 'failed': {
      const during = hasBeenReady ? 'run' : 'start';
      return { phase, cause: verdictOf(context), during, ...givenUp(context) };
    }
  }
}

export function givenUp({
  restartsUsed,
  firstLoss,
  at,
  retired,
}: Known): Pick<ServiceChange & { phase: 'failed' }, 'gaveUp'> {
  if (restartsUsed === 0 || firstLoss === undefined || retired) return {};
  return { gaveUp: { restarts: restartsUsed, after: at - firstLoss } };
}

export function readinessInput(context: Known, owner: ActorRef<Snapshot<unknown>, ReadinessFact>) {
  const { spec: service, serial, at, resumes } = context;
  const deadline = context.deadline ?? at + service.processTimeout;
  const left = resumes?.left.processTimeout;
  return { service, serial, owner, deadline, at: left === undefined ? at : deadline - left };
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

/**
 * A process ends normally with exit status 0. A daemon that a pidfile or MAINPID has named also ends normally with the
 * service's kill signal, whoever has sent that.
 */
export function endedNormally({ followed, spec }: Known, event: ServiceEvent): boolean {
  if (event.type !== 'unit.leaderExited' && event.type !== 'leader.missed') return false;
  const { status } = event;
  return isNormal(status) || (followed && status.kind === 'signaled' && status.signal === spec.killSignal);
}

export function runOutcome(event: ServiceEvent): RunOutcome | undefined {
  if (event.type === 'unit.leaderExited' || event.type === 'leader.missed')
    return { kind: 'exit', status: event.status };
  return event.type === 'unit.spawnFailed' ? { kind: 'spawn', error: event.error } : undefined;
}

export function verdictOf({ verdict, spec }: Known): FailureCause {
  if (verdict === undefined) throw new Error(`internal error: ${spec.name} failed without a cause`);
  return verdict;
}
