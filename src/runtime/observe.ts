import type { InspectionEvent, SnapshotFrom } from 'xstate';
import { criticalChain, renderChain, type StartTimes } from '../inspect/critical-chain.ts';
import { statePath, type Transition } from '../inspect/transition.ts';
import { runCounts } from '../machines/scheduled.ts';
import type { ServiceEvent, serviceMachine } from '../machines/service.ts';
import type { SystemEvent, systemMachine } from '../machines/system.ts';
import { describeExit, type ExitStatus } from '../model/exit-status.ts';
import { describeListenError, seconds } from '../model/messages.ts';
import type { NotifyMessage } from '../model/notify-message.ts';
import { type RunCounts, scheduledNote } from '../model/scheduling.ts';
import { isLive } from '../model/service-phase.ts';
import { shortName } from '../model/service-spec.ts';
import { describeSpawnError } from '../model/spawn-error.ts';
import type { Clock } from './kernel.ts';

type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;
type SystemSnapshot = SnapshotFrom<typeof systemMachine>;

export interface Observer {
  readonly inspect: (event: InspectionEvent) => void;
}

export interface ObserverTarget {
  readonly transition: (transition: Transition) => void;
  /** A line that belongs to the last transition. */
  readonly note: (text: string) => void;
}

interface Known {
  path: string;
  pendingSince: number;
  spawnedAt: number;
  started: number;
  waitedFor: string | undefined;
}

/**
 * Turns what XState reports of the system's and the services' actors into transitions for people. Process actors are left
 * out: what they do shows in their service.
 *
 * It reads microsteps and not snapshots: XState reports a snapshot after its effects, so that a cause would stand below what
 * it caused.
 */
export function createObserver(clock: Clock, target: ObserverTarget): Observer {
  const known = new Map<string, Known>();
  const startTimes = new Map<string, StartTimes>();

  const knownOf = (actor: string, now: number): Known => {
    const found = known.get(actor);
    if (found !== undefined) return found;
    const made = { path: '─', pendingSince: now, spawnedAt: now, started: now, waitedFor: undefined };
    known.set(actor, made);
    return made;
  };

  const emit = (actor: string, to: string, now: number, detail: string): void => {
    const state = knownOf(actor, now);
    target.transition({ at: now, actor, from: state.path, to, detail });
    state.path = to;
  };

  const observeService = (snapshot: ServiceSnapshot, event: ServiceEvent | undefined): void => {
    const now = clock.now();
    const actor = shortName(snapshot.context.spec.name);
    const state = knownOf(actor, now);
    const to = statePath(snapshot.value);
    if (to === state.path || snapshot.hasTag('transient')) return;
    // Where every service begins is no news.
    if (state.path === '─' && to === 'pending') {
      state.path = to;
      return;
    }
    if (event?.type === 'service.start') {
      state.started = now;
      state.waitedFor = event.waitedFor === undefined ? undefined : shortName(event.waitedFor);
    }
    const detail = serviceDetail(snapshot, to, event, state, now);
    if (event?.type === 'process.spawned') state.spawnedAt = now;
    if (to.startsWith('ready') && !startTimes.has(actor)) {
      const waitedFor = state.waitedFor === undefined ? {} : { waitedFor: state.waitedFor };
      startTimes.set(actor, { service: actor, started: state.started, ready: now, ...waitedFor });
    }
    emit(actor, to, now, detail);
  };

  const observeSystem = (snapshot: SystemSnapshot, event: SystemEvent | undefined): void => {
    const now = clock.now();
    const to = statePath(snapshot.value);
    const state = knownOf('system', now);
    if (to === state.path || snapshot.hasTag('transient')) return;
    const { context } = snapshot;
    const { services, fileCount } = context.spec;
    if (to === 'up') {
      emit('system', to, now, `ready in ${(now / 1000).toFixed(3)} s`);
      const chain = criticalChain([...startTimes.values()]);
      if (chain.length > 0) target.note(renderChain(chain));
      return;
    }
    if (state.path === '─') {
      const files = `${fileCount} file${fileCount === 1 ? '' : 's'}`;
      emit('system', to, now, `${services.length} services, ${context.graph.layerCount} layers, ${files}`);
      return;
    }
    emit('system', to, now, systemDetail(snapshot, to, event));
  };

  return {
    inspect: (inspection) => {
      if (inspection.type !== '@xstate.microstep') return;
      const { snapshot, event } = inspection;
      if (isService(snapshot)) observeService(snapshot, serviceEvent(event));
      else if (isSystem(snapshot)) observeSystem(snapshot, systemEvent(event));
    },
  };
}

function serviceDetail(
  { context }: ServiceSnapshot,
  to: string,
  event: ServiceEvent | undefined,
  state: Known,
  now: number,
): string {
  const { spec } = context;
  if (to === 'ready.scheduled') return scheduledNote(spec, countsOf(context));
  if (to.startsWith('backoff')) {
    const cause = causeText(context);
    return `${cause}; restart ${context.restartsUsed} of ${spec.restartLimit} in ${seconds(spec.restartDelay)} s`;
  }
  if (to === 'failed') return causeText(context);
  switch (event?.type) {
    case 'service.start':
      return state.waitedFor === undefined
        ? 'service.start'
        : `was waiting for ${state.waitedFor}, ${milliseconds(now - state.pendingSince)}`;
    case 'process.spawned':
      return `pid ${event.pid}  ${spec.command}`;
    case 'process.spawnFailed':
      return describeSpawnError(event.error);
    case 'process.exited':
      return `${exitText(event.status, now - state.spawnedAt)}`;
    case 'service.stop':
      return context.run === undefined
        ? 'service.stop'
        : `${spec.killSignal} to ${runText(context)}, SIGKILL after ${milliseconds(event.killAfter)}`;
    case 'service.kill':
      return 'SIGKILL';
    case 'service.retire':
      return 'the system is ending';
    case 'service.reset':
      return 'service.reset';
    case 'service.reconfigure':
      return '';
    case 'schedule.ended':
      return 'nothing runs any more';
    case 'schedule.accepted':
    case 'schedule.refused':
      return '';
    case 'pidfile.found':
      return `pid ${event.pid} from ${spec.pidfile}`;
    case 'pidfile.seen':
      return `${spec.pidfile} is ${event.trouble}`;
    case 'notify.received':
      return noticeText(event.message);
    case 'watchdog.missed':
      return causeText(context);
    case undefined:
      if (to === 'ready.running' || to === 'starting.awaitingPidfile')
        return `startup_pause of ${seconds(spec.startupPause)} s passed`;
      if (to.startsWith('starting')) return `restart ${context.restartsUsed}`;
      if (to.startsWith('stopping')) return causeText(context);
      return '';
  }
}

function countsOf({ run }: ServiceSnapshot['context']): RunCounts {
  const schedule = run?.schedule?.getSnapshot();
  return schedule === undefined ? { begun: 0, running: 0 } : runCounts(schedule.context);
}

function runText(context: ServiceSnapshot['context']): string {
  if (context.run?.schedule === undefined) return whom(context.run?.pid ?? 0);
  const { running } = countsOf(context);
  return `${running === 0 ? 'no' : running} ${running === 1 ? 'process' : 'processes'}`;
}

/** What of a notification moves a service, as it was sent. */
function noticeText({ ready, mainPid, errno, busError, stopping, watchdog, status }: NotifyMessage): string {
  const parts = [
    ...(ready === true ? ['READY=1'] : []),
    ...(stopping === true ? ['STOPPING=1'] : []),
    ...(errno === undefined ? [] : [`ERRNO=${errno}`]),
    ...(busError === undefined ? [] : [`BUSERROR=${busError}`]),
    ...(mainPid === undefined ? [] : [`MAINPID=${mainPid}`]),
    ...(watchdog === 'trigger' ? ['WATCHDOG=trigger'] : []),
    ...(status === undefined ? [] : [`"${status}"`]),
  ];
  return parts.join('  ');
}

function whom(pid: number): string {
  return pid === 0 ? 'what its start left behind' : `pid ${pid}`;
}

export function causeText({ spec, verdict }: ServiceSnapshot['context']): string {
  switch (verdict?.kind) {
    case 'exit':
      return describeExit(verdict.status);
    case 'spawn':
      return describeSpawnError(verdict.error);
    case 'timeout':
      return `${spec.type === 'notify' ? 'no READY=1' : 'no exit'} within ${seconds(verdict.timeout)} s`;
    case 'listen':
      return `port ${verdict.port}: ${describeListenError(verdict)}`;
    case 'schedule':
      return verdict.problem;
    case 'pidfile':
      return `no process to follow in ${verdict.file} within ${seconds(verdict.timeout)} s (${verdict.trouble})`;
    case 'reported':
      return verdict.busError === undefined ? `ERRNO=${verdict.errno}` : `BUSERROR=${verdict.busError}`;
    case 'watchdog':
      return verdict.triggered ? 'WATCHDOG=trigger' : `no WATCHDOG=1 within ${seconds(verdict.interval)} s`;
    case undefined:
      return '';
  }
}

function systemDetail({ context }: SystemSnapshot, to: string, event: SystemEvent | undefined): string {
  if (to === 'booting.idling') return `everything else stands; IDLE services in ${seconds(context.spec.idleDelay)} s`;
  if (to.startsWith('draining.stopping')) {
    const live = Object.values(context.standings).filter(({ phase }) => isLive(phase)).length;
    return `${endText(context)}; ${live} to stop within ${seconds(context.spec.shutdownTimeout)} s`;
  }
  if (to === 'draining.clearing') return 'SIGTERM to what is left';
  if (to === 'draining.killing') return 'SIGKILL to what is left';
  return event?.type === 'processes.gone' ? 'no process is left' : '';
}

function endText({ end }: SystemSnapshot['context']): string {
  switch (end?.kind) {
    case 'signal':
      return end.signal;
    case 'exitKills':
      return `${shortName(end.service)} ended (exit_kills)`;
    case 'serviceFailed':
      return `${shortName(end.service)} failed to start`;
    case 'missingPrograms':
      return 'programs are missing';
    case 'noProcesses':
      return 'no process is left (detect_exit)';
    case 'nothingStarted':
      return 'nothing was started (detect_exit)';
    case 'internalError':
      return 'internal error';
    case undefined:
      return '';
  }
}

function exitText(status: ExitStatus, after: number): string {
  return `${describeExit(status)} after ${milliseconds(after)}`;
}

function milliseconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function isService(snapshot: unknown): snapshot is ServiceSnapshot {
  return machineId(snapshot) === 'service';
}

function isSystem(snapshot: unknown): snapshot is SystemSnapshot {
  return machineId(snapshot) === 'system';
}

function machineId(snapshot: unknown): unknown {
  if (typeof snapshot !== 'object' || snapshot === null || !('machine' in snapshot)) return undefined;
  const { machine } = snapshot;
  return typeof machine === 'object' && machine !== null && 'id' in machine ? machine.id : undefined;
}

function serviceEvent(event: { readonly type: string }): ServiceEvent | undefined {
  return isOwnEvent<ServiceEvent>(event, ['service.', 'process.', 'schedule.', 'pidfile.', 'notify.', 'watchdog.'])
    ? event
    : undefined;
}

function systemEvent(event: { readonly type: string }): SystemEvent | undefined {
  return isOwnEvent<SystemEvent>(event, ['service.', 'system.', 'processes.']) ? event : undefined;
}

/** XState's own events (after, init, done) are none of the machine's. */
function isOwnEvent<E extends { readonly type: string }>(
  event: { readonly type: string },
  prefixes: readonly string[],
): event is E {
  return prefixes.some((prefix) => event.type.startsWith(prefix));
}
