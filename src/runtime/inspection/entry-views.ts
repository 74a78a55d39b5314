/**
 * The parts of the machines that inspectors may see: a list of all fields that are shown. Specifications, environments
 * and arguments of commands never pass through here.
 */

import type { AnyMachineSnapshot, AnyTransitionDefinition, SnapshotFrom } from 'xstate';
import type { EventView } from '../../facts/fact.ts';
import { statePath } from '../../facts/transition.ts';
import type { ServiceEntry, SnapshotView, Taken } from '../../inspect/entry.ts';
import type { ConditionsEvent, conditionsMachine } from '../../machines/conditions.ts';
import type { HealthFact, healthMachine } from '../../machines/health.ts';
import type { HooksCommand, HooksFact, hooksMachine } from '../../machines/hooks.ts';
import type { CheckFact, CheckRequest, ProbeFact, probeMachine } from '../../machines/probe.ts';
import type { readinessMachine } from '../../machines/readiness.ts';
import type { ReloadEvent, reloadMachine } from '../../machines/reload.ts';
import { runCounts, type ScheduledEvent, type scheduledMachine } from '../../machines/scheduled.ts';
import type { serviceMachine } from '../../machines/service.ts';
import type { ServiceEvent } from '../../machines/service-events.ts';
import type { CountProcesses, SignalAll, SystemEvent, systemMachine } from '../../machines/system.ts';
import type { UnitEvent, unitMachine } from '../../machines/unit.ts';
import { isStopping } from '../../model/ledger/slot.ts';
import type { DependencyGraph } from '../../model/order/dependency-graph.ts';
import { describeCause, type PrerequisiteCause } from '../../model/order/prerequisite.ts';
import { scheduledNote, type TriggerCommand } from '../../model/schedule/scheduled-runs.ts';
import { describeNoAnswer } from '../../model/service/condition.ts';
import { describeEnd, describeFailure } from '../../model/service/describe-end.ts';
import { describeExit } from '../../model/service/exit-status.ts';
import { describeHookFailure, describePlace } from '../../model/service/hook.ts';
import type { NotifyMessage } from '../../model/service/notify-message.ts';
import { describeOutputs } from '../../model/service/output.ts';
import { describeProbe } from '../../model/service/probe.ts';
import { describeReload } from '../../model/service/reload-method.ts';
import { describeNoTry, mayBeTried, type TryMemory } from '../../model/service/restart-policy.ts';
import { liveCount } from '../../model/service/service-phase.ts';
import type { ServiceSpec } from '../../model/service/service-spec.ts';
import { describeSpawnError } from '../../model/service/spawn-error.ts';
import { describeStop, type StopRecord, shownStops } from '../../model/service/stop-record.ts';
import type { NotifyRequest, PidfileFact, UnitRequest } from '../../model/service/unit-events.ts';
import type { Json, JsonObject } from '../../model/words/json.ts';
import { shownCommand, shownEnvironment } from '../../model/words/secrets.ts';

export type SystemSnapshot = SnapshotFrom<typeof systemMachine>;
export type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;
type ScheduledSnapshot = SnapshotFrom<typeof scheduledMachine>;
type UnitSnapshot = SnapshotFrom<typeof unitMachine>;
type ReadinessSnapshot = SnapshotFrom<typeof readinessMachine>;
type HooksSnapshot = SnapshotFrom<typeof hooksMachine>;
type ConditionsSnapshot = SnapshotFrom<typeof conditionsMachine>;
type ReloadSnapshot = SnapshotFrom<typeof reloadMachine>;
type HealthSnapshot = SnapshotFrom<typeof healthMachine>;
type ProbeSnapshot = SnapshotFrom<typeof probeMachine>;

/** Facts of a service that are not in its snapshot. */
export interface ServiceFacts {
  /** The full name of the prerequisite that the service waited for last, if it had to wait. */
  readonly waitedFor?: string | undefined;
  /** For cron services: Unix ms of the next run. */
  readonly nextRun?: number | undefined;
  /** Monotonic ms at which the system sends SIGKILL to a service that it has told to stop. */
  readonly killAt?: number | undefined;
}

type ShownEvent =
  | SystemEvent
  | ServiceEvent
  | ScheduledEvent
  | UnitEvent
  | HooksCommand
  | UnitRequest
  | PidfileFact
  | ProbeFact
  | CheckFact
  | CheckRequest
  | HealthFact
  | NotifyRequest
  | TriggerCommand
  | SignalAll
  | CountProcesses
  | ReloadEvent
  | ConditionsEvent;

/** An actor's state, reduced to what may be shown. */
export function snapshotView(snapshot: unknown, facts: ServiceFacts = {}): SnapshotView {
  const status = statusOf(snapshot);
  if (isMachine<ServiceSnapshot>(snapshot, 'service'))
    return machineView(status, snapshot, serviceContext(snapshot.context, statePath(snapshot.value), facts));
  if (isMachine<ScheduledSnapshot>(snapshot, 'scheduled'))
    return machineView(status, snapshot, scheduledContext(snapshot.context, statePath(snapshot.value), facts));
  if (isMachine<SystemSnapshot>(snapshot, 'system'))
    return machineView(status, snapshot, systemContext(snapshot.context, statePath(snapshot.value)));
  if (isMachine<UnitSnapshot>(snapshot, 'unit')) return machineView(status, snapshot, unitContext(snapshot));
  if (isMachine<ReadinessSnapshot>(snapshot, 'readiness'))
    return machineView(status, snapshot, readinessContext(snapshot));
  if (isMachine<HooksSnapshot>(snapshot, 'hooks')) return machineView(status, snapshot, hooksContext(snapshot));
  if (isMachine<ConditionsSnapshot>(snapshot, 'conditions'))
    return machineView(status, snapshot, conditionsContext(snapshot));
  if (isMachine<ReloadSnapshot>(snapshot, 'reload')) return machineView(status, snapshot, reloadContext(snapshot));
  if (isMachine<ProbeSnapshot>(snapshot, 'probe')) return machineView(status, snapshot, probeContext(snapshot));
  if (isMachine<HealthSnapshot>(snapshot, 'health'))
    return machineView(status, snapshot, { service: snapshot.context.service.name, serial: snapshot.context.serial });
  return { status };
}

function machineView(status: SnapshotView['status'], snapshot: AnyMachineSnapshot, context: JsonObject): SnapshotView {
  const value = stateValue(snapshot.value);
  return snapshot.hasTag('transient') ? { status, value, transient: true, context } : { status, value, context };
}

/** The name of the machine that a snapshot belongs to; undefined where it is none of chaperone's. */
export function machineOf(snapshot: unknown): string | undefined {
  const id = machineId(snapshot);
  switch (id) {
    case 'system':
    case 'service':
    case 'scheduled':
    case 'unit':
    case 'hooks':
    case 'readiness':
    case 'reload':
    case 'conditions':
    case 'health':
    case 'probe':
      return id;
    default:
      return undefined;
  }
}

/** The full name of the service that a machine's snapshot belongs to. */
export function serviceOf(snapshot: unknown): string | undefined {
  if (isMachine<ServiceSnapshot>(snapshot, 'service')) return snapshot.context.spec.name;
  if (isMachine<ScheduledSnapshot>(snapshot, 'scheduled')) return snapshot.context.spec.name;
  if (isMachine<UnitSnapshot>(snapshot, 'unit')) return snapshot.context.run.service.name;
  if (isMachine<ReadinessSnapshot>(snapshot, 'readiness')) return snapshot.context.service.name;
  if (isMachine<HooksSnapshot>(snapshot, 'hooks')) return snapshot.context.service.name;
  if (isMachine<ReloadSnapshot>(snapshot, 'reload')) return snapshot.context.service.name;
  if (isMachine<ConditionsSnapshot>(snapshot, 'conditions')) return snapshot.context.service.name;
  if (isMachine<HealthSnapshot>(snapshot, 'health')) return snapshot.context.service.name;
  if (isMachine<ProbeSnapshot>(snapshot, 'probe')) return snapshot.context.service.name;
  return undefined;
}

/** The status of any actor's snapshot. */
export function statusOf(snapshot: unknown): SnapshotView['status'] {
  const status =
    typeof snapshot === 'object' && snapshot !== null && 'status' in snapshot ? snapshot.status : undefined;
  return status === 'done' || status === 'error' || status === 'stopped' ? status : 'active';
}

function stateValue(value: unknown): Json {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return null;
  const view: Record<string, Json> = {};
  for (const [key, inner] of Object.entries(value)) view[key] = stateValue(inner);
  return view;
}

// A boot takes thousands of steps, most of them before this code is compiled, so no temporary objects are made here.

/** The fields of a service's context that may be shown. `stage`: the stage of the chart. */
export function serviceContext(
  context: ServiceSnapshot['context'],
  stage: string,
  { waitedFor, killAt }: ServiceFacts,
): JsonObject {
  const { spec, serial, pid, followed, verdict, lastEnd, status, announced, health } = context;
  const deadline = deadlineIn(stage, context.deadline, killAt);
  const view: Record<string, Json> = { service: spec.name, serial };
  // With pid 0 the service is not spawned yet, or its run has no leader any more.
  if (pid !== 0) view['pid'] = pid;
  if (followed) view['followed'] = true;
  noteTries(view, context, stage);
  if (waitedFor !== undefined) view['waitedFor'] = waitedFor;
  if (verdict !== undefined) view['cause'] = describeFailure(spec.type, verdict);
  if (status !== undefined && status !== '') view['note'] = status;
  if (lastEnd !== undefined) view['lastExit'] = describeExit(lastEnd.status);
  if (deadline !== undefined) view['deadline'] = deadline;
  if (health !== undefined) view['health'] = health;
  if (announced !== undefined) view['announced'] = announced;
  if (context.skipped !== undefined) view['skipped'] = context.skipped;
  if (context.reload !== undefined) view['reloading'] = true;
  if (context.lastReload !== undefined && context.lastReload.kind !== 'done')
    view['reload'] = describeReload(context.lastReload);
  if (context.endSignal !== undefined) view['endSignal'] = context.endSignal;
  if (context.hook !== undefined) view['hook'] = describePlace(context.hook);
  return view;
}

/** Shows how many tries a service has left, where a try may follow one of its ends. */
function noteTries(
  view: Record<string, Json>,
  memory: TryMemory & { readonly spec: ServiceSpec },
  stage: string,
): void {
  const { spec, restartsUsed, pause, noTry } = memory;
  if (!mayBeTried(spec)) return;
  view['restarts'] = restartsUsed;
  if (Number.isFinite(spec.restartLimit)) view['restartLimit'] = spec.restartLimit;
  if (stage === 'backoff' && pause !== undefined) view['pause'] = pause;
  if (noTry !== undefined) view['noTry'] = describeNoTry(noTry);
}

/** Monotonic ms at which a start or a stop has taken too long. The system's stop has the limit `killAt`. */
function deadlineIn(stage: string, own: number | undefined, killAt: number | undefined) {
  if (stage.startsWith('starting') || stage === 'stopping.clearing' || stage === 'stopping.afterStop') return own;
  return /^stopping\.(terminating|beforeStop|stopCommand)$/.test(stage) ? killAt : undefined;
}

/** The fields of a cron or inetd service's context that may be shown. */
export function scheduledContext(
  context: ScheduledSnapshot['context'],
  stage: string,
  { waitedFor, nextRun }: ServiceFacts,
): JsonObject {
  const { spec, serial, verdict, lastEnd, skipped } = context;
  const counts = runCounts(context);
  const view: Record<string, Json> = { service: spec.name, serial, begun: counts.begun, running: counts.running };
  noteTries(view, context, stage);
  if (counts.waits === true) view['waiting'] = true;
  if (nextRun !== undefined) view['nextRun'] = nextRun;
  if (waitedFor !== undefined) view['waitedFor'] = waitedFor;
  if (verdict !== undefined) view['cause'] = describeFailure(spec.type, verdict);
  if (skipped !== undefined) view['skipped'] = skipped;
  const note = stage === 'pending' ? '' : scheduledNote(spec, counts);
  if (note !== '') view['note'] = note;
  if (lastEnd !== undefined) view['lastExit'] = describeExit(lastEnd.status);
  return view;
}

/** The fields of the system's context that may be shown. */
export function systemContext({ ledger, end }: SystemSnapshot['context'], stage: string): JsonObject {
  const { spec, graph, counters, drain } = ledger;
  const view: Record<string, Json> = {
    services: spec.services.length,
    layers: graph.layerCount,
    files: spec.fileCount,
    idleDelay: spec.idleDelay,
    shutdownTimeout: spec.shutdownTimeout,
  };
  if (end !== undefined) view['end'] = describeEnd(end);
  if (stage.startsWith('draining')) {
    view['live'] = liveCount(counters.phases);
    if (drain !== undefined) view['deadline'] = drain.deadline;
  }
  if (stage === 'halted' && drain !== undefined && drain.stops.length > 0) view['stops'] = stopsView(drain.stops);
  return view;
}

/** The slowest stops of a shutdown, and those in which somebody was killed. */
function stopsView(stops: readonly StopRecord[]): Json {
  return shownStops(stops).rows.map((stop) => ({
    service: stop.service,
    took: stop.took,
    how: describeStop(stop),
    ...(stop.killed === true ? { killed: true } : {}),
  }));
}

function unitContext({ context: { run, pid, signalled } }: UnitSnapshot): JsonObject {
  const { service, serial, connection } = run;
  const view: Record<string, Json> = { service: service.name, serial, program: programOf(service) };
  if (run.beside?.kind === 'hook') view['hook'] = describePlace(run.beside);
  if (connection !== undefined) {
    view['client'] = connection.address;
    view['clientPort'] = connection.port;
  }
  if (pid !== undefined) view['pid'] = pid;
  if (signalled !== undefined) view['signalled'] = { signal: signalled.signal, outcome: signalled.outcome };
  return view;
}

function readinessContext({ context }: ReadinessSnapshot): JsonObject {
  const { service, serial, deadline, trouble, probes } = context;
  const view = { service: service.name, serial, deadline };
  return service.type === 'notify' || probes === true ? view : { ...view, trouble };
}

function probeContext({ context: { service, serial, purpose, probe, state } }: ProbeSnapshot): JsonObject {
  const { standing, failures, last } = state;
  const view: Record<string, Json> = { service: service.name, serial, purpose, probe: describeProbe(probe.check) };
  view['standing'] = standing;
  if (purpose === 'healthy') view['retries'] = probe.retries;
  if (failures > 0) view['failures'] = failures;
  if (last !== undefined) view['last'] = last.reason;
  return view;
}

function hooksContext({ context: { service, serial, stage, nth } }: HooksSnapshot): JsonObject {
  return { service: service.name, serial, stage, nth };
}

function conditionsContext({ context: { service, serial, began } }: ConditionsSnapshot): JsonObject {
  return { service: service.name, serial, deadline: began + service.processTimeout };
}

function reloadContext({ context: { service, serial, method, pid, began } }: ReloadSnapshot): JsonObject {
  return { service: service.name, serial, method: method.kind, pid, deadline: began + service.processTimeout };
}

function programOf({ argv }: ServiceSpec): string {
  return argv[0] ?? '';
}

/** An event, reduced to what may be shown. XState's own events show only their type: fields may hold anything. */
export function eventView(event: { readonly type: string }): EventView {
  return isShown(event) ? shownEvent(event) : { type: event.type };
}

/** All types of events that are shown; the compiler compares them with the machines' events. */
const shownTypes: Readonly<Record<ShownEvent['type'], true>> = {
  'service.start': true,
  'service.stop': true,
  'service.kill': true,
  'service.retire': true,
  'service.reset': true,
  'service.signal': true,
  'service.reconfigure': true,
  'service.reload': true,
  'service.resumed': true,
  'service.changed': true,
  'service.exitKills': true,
  'service.noticed': true,
  'service.healthy': true,
  'service.unhealthy': true,
  'service.extended': true,
  'service.spawned': true,
  'service.survived': true,
  'service.stopContinues': true,
  'services.start': true,
  'services.stop': true,
  'services.reset': true,
  'services.enable': true,
  'services.disable': true,
  'services.signal': true,
  'stops.due': true,
  'system.shutdown': true,
  'system.reload': true,
  'processes.gone': true,
  'processes.signalAll': true,
  'processes.count': true,
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
  'unit.seen': true,
  'unit.signalled': true,
  'unit.terminate': true,
  'unit.kill': true,
  'unit.retire': true,
  'unit.lead': true,
  'unit.signal': true,
  'unit.send': true,
  'unit.look': true,
  'unit.finish': true,
  'unit.cancel': true,
  'unit.lookDue': true,
  'unit.patienceDue': true,
  'unit.survivalDue': true,
  'unit.signalDue': true,
  'hooks.terminate': true,
  'hooks.kill': true,
  'hooks.began': true,
  'hooks.passed': true,
  'hooks.failed': true,
  'hooks.ended': true,
  'hooks.survived': true,
  'conditions.looked': true,
  'conditions.met': true,
  'conditions.unmet': true,
  'conditions.failed': true,
  'readiness.passed': true,
  'probe.passed': true,
  'probe.failed': true,
  'check.answered': true,
  'check.ask': true,
  'check.drop': true,
  'health.passed': true,
  'health.failed': true,
  'readiness.failed': true,
  'readiness.extended': true,
  'trigger.armed': true,
  'trigger.refused': true,
  'trigger.fired': true,
  'trigger.pause': true,
  'trigger.resume': true,
  'pidfile.found': true,
  'pidfile.seen': true,
  'notify.received': true,
  'notify.close': true,
  'watchdog.missed': true,
  'runtime.exceeded': true,
  'restarts.forgotten': true,
  'leader.missed': true,
  'reset.overdue': true,
  'service.run': true,
  'services.run': true,
  'services.reload': true,
  'reload.began': true,
  'reload.signalled': true,
  'reload.giveUp': true,
  'reload.ended': true,
  'reload.over': true,
  'run.overran': true,
  'run.due': true,
};

function isShown(event: { readonly type: string }): event is ShownEvent {
  return Object.hasOwn(shownTypes, event.type);
}

/** What a person has asked of services. */
function shownRequest(event: Extract<ShownEvent, { readonly type: `services.${string}` }>): EventView {
  const { type } = event;
  switch (event.type) {
    case 'services.run':
    case 'services.reload':
      return { type, service: event.name, request: event.request };
    case 'services.start':
      return { type, names: event.names, enable: event.enable, force: event.force };
    case 'services.stop':
      return { type, names: event.names, disable: event.disable, again: event.again, drain: event.drain };
    case 'services.reset':
      return { type, names: event.names, force: event.force };
    case 'services.enable':
    case 'services.disable':
      return { type, names: event.names };
    case 'services.signal':
      return { type, names: event.names, signal: event.signal };
  }
}

function shownStop(event: Extract<ShownEvent, { readonly type: 'service.stop' }>): EventView {
  const { type, why, drain, killAfter } = event;
  return {
    type,
    ...(why === undefined ? {} : { why }),
    drain,
    ...(killAfter === undefined ? {} : { killAfter }),
    ...becauseView(event),
  };
}

function shownEvent(event: ShownEvent): EventView {
  const { type } = event;
  switch (event.type) {
    case 'service.start':
      return {
        type,
        ...(event.askedBy === undefined ? {} : { askedBy: event.askedBy }),
        ...(event.waitedFor === undefined ? {} : { waitedFor: event.waitedFor }),
      };
    case 'service.stop':
      return shownStop(event);
    case 'service.reload':
      return { type, ...(event.request === undefined ? {} : { request: event.request }), ...becauseView(event) };
    case 'service.kill':
      return { type, grace: event.grace };
    case 'service.run':
      return { type, request: event.request };
    case 'service.reset':
      return { type, killAfter: event.killAfter };
    case 'service.signal':
      return { type, signal: event.signal };
    case 'service.changed':
      return { type, service: event.name, phase: event.change.phase };
    case 'service.exitKills':
    case 'service.survived':
    case 'service.spawned':
    case 'service.stopContinues':
    case 'service.healthy':
      return { type, service: event.name };
    case 'service.unhealthy':
      return { type, service: event.name, cause: describeFailure('simple', event.cause), answer: event.answer };
    case 'service.noticed':
      return { type, service: event.name, news: event.news.kind };
    case 'service.extended':
      return { type, service: event.name, until: event.until };
    case 'services.run':
    case 'services.reload':
    case 'services.start':
    case 'services.stop':
    case 'services.reset':
    case 'services.enable':
    case 'services.disable':
    case 'services.signal':
      return shownRequest(event);
    case 'system.shutdown':
      return { type, end: describeEnd(event.end), forced: event.forced };
    case 'service.retire':
    case 'service.reconfigure':
    case 'service.resumed':
    case 'system.reload':
      return { type };
    case 'hooks.terminate':
    case 'hooks.kill':
    case 'hooks.began':
    case 'hooks.failed':
    case 'hooks.passed':
    case 'hooks.ended':
    case 'hooks.survived':
      return shownHooksEvent(event);
    case 'probe.passed':
    case 'probe.failed':
    case 'check.answered':
    case 'check.ask':
    case 'check.drop':
    case 'health.passed':
    case 'health.failed':
      return shownProbeEvent(event);
    default:
      return shownRunEvent(event);
  }
}

/** What has happened to a prerequisite, in words: `db.service has crashed`. */
function becauseView({ because }: { readonly because?: PrerequisiteCause }): JsonObject {
  return because === undefined ? {} : { because: describeCause(because) };
}

/** The events of runs, and of the actors that watch and start them. */
type RunEvent = Exclude<
  ShownEvent,
  { readonly type: `${'service' | 'services' | 'system' | 'hooks' | 'probe' | 'check' | 'health'}.${string}` }
>;

function leaderExitedView({
  type,
  serial,
  pid,
  status,
  left,
  age,
}: Extract<RunEvent, { readonly type: 'unit.leaderExited' }>): EventView {
  return { type, serial, pid, status: { ...status }, ended: describeExit(status), left, age };
}

function shownRunEvent(event: RunEvent): EventView {
  const { type } = event;
  switch (event.type) {
    case 'processes.signalAll':
    case 'unit.terminate':
    case 'unit.signal':
      return { type, signal: event.signal };
    case 'unit.kill':
      return { type, grace: event.grace };
    case 'unit.send':
      return { type, signal: event.signal, purpose: event.purpose };
    case 'unit.signalled':
      return { type, signal: event.signal, outcome: event.outcome };
    case 'unit.spawned':
      return { type, serial: event.serial, pid: event.pid };
    case 'unit.spawnFailed':
      return { type, serial: event.serial, error: describeSpawnError(event.error) };
    case 'unit.leaderExited':
      return leaderExitedView(event);
    case 'unit.cleared':
    case 'unit.survived':
    case 'run.overran':
      return { type, serial: event.serial };
    case 'unit.seen':
      return { type, left: event.left };
    case 'unit.lead':
    case 'leader.missed':
      return { type, pid: event.pid };
    case 'readiness.passed':
      return { type, serial: event.serial, ...(event.pid === undefined ? {} : { pid: event.pid }) };
    case 'readiness.failed':
      // A time-out without a pidfile occurs here only for notify services.
      return { type, serial: event.serial, cause: describeFailure('notify', event.cause) };
    case 'readiness.extended':
      return { type, serial: event.serial, deadline: event.deadline };
    case 'trigger.refused':
      return { type, cause: describeFailure('cron', event.cause) };
    case 'trigger.fired': {
      const { connection } = event;
      return { type, ...(connection === undefined ? {} : { client: connection.address, clientPort: connection.port }) };
    }
    case 'pidfile.found':
      return { type, serial: event.serial, pid: event.pid };
    case 'pidfile.seen':
      return { type, serial: event.serial, trouble: event.trouble };
    case 'notify.received':
      return { type, serial: event.serial, message: messageView(event.message) };
    case 'stops.due':
    case 'processes.gone':
    case 'processes.count':
    case 'unit.look':
    case 'unit.finish':
    case 'unit.cancel':
    case 'unit.retire':
    case 'unit.lookDue':
    case 'unit.signalDue':
    case 'unit.patienceDue':
    case 'unit.survivalDue':
    case 'trigger.armed':
    case 'trigger.pause':
    case 'trigger.resume':
    case 'notify.close':
    case 'watchdog.missed':
    case 'runtime.exceeded':
    case 'restarts.forgotten':
    case 'reset.overdue':
    case 'run.due':
      return { type };
    default:
      return shownHelperEvent(event);
  }
}

type HelperEvent = Extract<RunEvent, { readonly type: `${'reload' | 'conditions'}.${string}` }>;

/** The events of reloads and of conditions. */
function shownHelperEvent(event: HelperEvent): EventView {
  const { type } = event;
  switch (event.type) {
    case 'reload.signalled':
      return { type, outcome: event.outcome };
    case 'reload.ended':
      return { type, outcome: describeReload(event.outcome) };
    case 'conditions.unmet':
      return { type, serial: event.serial, why: event.why };
    case 'conditions.failed':
      return { type, serial: event.serial, cause: describeNoAnswer(event.failure) };
    case 'conditions.met':
      return { type, serial: event.serial };
    case 'conditions.looked':
    case 'reload.began':
    case 'reload.giveUp':
    case 'reload.over':
      return { type };
  }
}

function shownHooksEvent(event: HooksCommand | HooksFact): EventView {
  const { type } = event;
  switch (event.type) {
    case 'hooks.terminate':
      return { type, signal: event.signal };
    case 'hooks.kill':
      return { type, grace: event.grace };
    case 'hooks.began':
      return { type, serial: event.serial, hook: describePlace(event.hook), pid: event.pid };
    case 'hooks.failed': {
      const { serial, hook, failure } = event;
      return { type, serial, hook: describePlace(hook), failure: describeHookFailure(failure) };
    }
    case 'hooks.passed':
    case 'hooks.ended':
    case 'hooks.survived':
      return { type, serial: event.serial };
  }
}

function shownProbeEvent(event: ProbeFact | CheckFact | CheckRequest | HealthFact): EventView {
  const { type } = event;
  switch (event.type) {
    case 'probe.passed':
    case 'probe.failed': {
      const { last, failures } = event.state;
      return { type, serial: event.serial, index: event.index, failures, reason: last?.reason ?? '' };
    }
    case 'check.answered':
      return { type, passed: event.passed, reason: event.reason };
    case 'health.failed':
      return { type, serial: event.serial, probe: event.probe, reason: event.reason };
    case 'health.passed':
      return { type, serial: event.serial };
    case 'check.ask':
    case 'check.drop':
      return { type };
  }
}

/** The fields of a notification that may be shown. */
export function messageView(message: NotifyMessage): JsonObject {
  const { ready, reloading, stopping, status, errno, busError, mainPid, watchdog, watchdogInterval, extend } = message;
  return {
    ...(ready === undefined ? {} : { ready }),
    ...(reloading === undefined ? {} : { reloading: true }),
    ...(stopping === undefined ? {} : { stopping }),
    ...(status === undefined ? {} : { status }),
    ...(errno === undefined ? {} : { errno }),
    ...(busError === undefined ? {} : { busError }),
    ...(mainPid === undefined ? {} : { mainPid }),
    ...(watchdog === undefined ? {} : { watchdog }),
    ...(watchdogInterval === undefined ? {} : { watchdogInterval }),
    ...(extend === undefined ? {} : { extend }),
  };
}

/** Monotonic ms at which a service gets SIGKILL, from the snapshot of the system. */
export function killTimeOf(snapshot: SystemSnapshot, service: string): number | undefined {
  const slot = snapshot.context.ledger.slots.get(service);
  return slot !== undefined && isStopping(slot) ? slot.intent.killAt : undefined;
}

/** The configuration of the system, a new object after each reload; undefined for snapshots of other machines. */
export function configurationOf(snapshot: unknown): DependencyGraph | undefined {
  return isMachine<SystemSnapshot>(snapshot, 'system') ? snapshot.context.ledger.graph : undefined;
}

/**
 * The entries that describe the configured services.
 *
 * @param reveal true: also show what may be secret, command lines and environments
 */
export function serviceEntries(snapshot: unknown, reveal: boolean): readonly ServiceEntry[] {
  if (!isMachine<SystemSnapshot>(snapshot, 'system')) return [];
  const { spec: system, graph } = snapshot.context.ledger;
  return system.services.map((spec) => entryOf(spec, graph, reveal));
}

/** The entry of one service; undefined where it is not configured. */
export function serviceEntry(snapshot: unknown, name: string, reveal: boolean): ServiceEntry | undefined {
  if (!isMachine<SystemSnapshot>(snapshot, 'system')) return undefined;
  const { spec: system, graph } = snapshot.context.ledger;
  const spec = system.services.find((service) => service.name === name);
  return spec === undefined ? undefined : entryOf(spec, graph, reveal);
}

function entryOf(spec: ServiceSpec, graph: DependencyGraph, reveal: boolean): ServiceEntry {
  const node = graph.nodes[spec.name];
  return {
    name: spec.name,
    type: spec.type,
    enabled: spec.enabled,
    groups: spec.groups,
    program: programOf(spec),
    waitsFor: node?.prerequisites ?? [],
    ...(node?.ties === undefined ? {} : { ties: node.ties }),
    layer: node?.layer ?? 0,
    ignoreFailures: spec.ignoreFailures,
    ...(describeOutputs(spec) === undefined ? {} : { outputs: { stdout: spec.stdout, stderr: spec.stderr } }),
    killSignal: spec.killSignal,
    startupPause: spec.startupPause,
    ...(mayBeTried(spec)
      ? {
          restart: {
            ...(Number.isFinite(spec.restartLimit) ? { limit: spec.restartLimit } : {}),
            delay: spec.restartDelay,
            ...(spec.restartPolicy?.always === true ? { always: true as const } : {}),
          },
        }
      : {}),
    ...(spec.pidfile === undefined ? {} : { pidfile: spec.pidfile }),
    ...(reveal ? { command: shownCommand(spec), environment: shownEnvironment(spec.environment) } : {}),
  };
}

/**
 * A machine's chart as plain JSON. It is made from XState's definition, which lacks transitions without an event in
 * `transitions` and repeats the other ones in `on`.
 */
export function definitionView(machine: unknown): Json {
  if (typeof machine !== 'object' || machine === null || !('root' in machine) || !('config' in machine)) return null;
  const { root, config } = machine;
  if (typeof config !== 'object' || config === null) return null;
  const known = views.get(config);
  if (known !== undefined) return known;
  const view = nodeView(root);
  views.set(config, view);
  return view;
}

/** The transitions that a step has taken, each with the paths of its states. */
export function takenView(transitions: readonly AnyTransitionDefinition[]): readonly Taken[] {
  return transitions.flatMap(({ source, target }): readonly Taken[] => {
    const from = source.path.join('.');
    return target === undefined ? [{ from }] : target.map(({ path }) => ({ from, to: path.join('.') }));
  });
}

/** The JSON by machine configuration, which machines share that differ only in their implementations. */
const views = new WeakMap<object, Json>();

function nodeView(node: unknown): Json {
  const chart = chartOf(node, undefined);
  return chart === undefined ? null : plain(chart);
}

/** A node of XState's definition as JSON; `known` holds the definition of its child states already. */
function chartOf(node: unknown, known: unknown): object | undefined {
  if (typeof node !== 'object' || node === null || !('definition' in node) || !('states' in node)) return undefined;
  const definition = known ?? node.definition;
  if (typeof definition !== 'object' || definition === null || !('transitions' in definition)) return undefined;
  const { transitions } = definition;
  const inner = new Map('states' in definition ? Object.entries(definition.states ?? {}) : []);
  const states: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(node.states ?? {})) states[key] = chartOf(child, inner.get(key));
  const always = 'always' in node && Array.isArray(node.always) ? node.always : [];
  return {
    ...definition,
    on: undefined,
    transitions: [...(Array.isArray(transitions) ? transitions : []), ...always],
    states,
  };
}

/** Drops functions, which JSON does not have. */
function plain(value: unknown): Json {
  const text: string | undefined = JSON.stringify(value);
  const parsed: Json = text === undefined ? null : JSON.parse(text);
  return parsed;
}

function isMachine<S extends { readonly context: unknown }>(snapshot: unknown, id: string): snapshot is S {
  return machineId(snapshot) === id;
}

function machineId(snapshot: unknown): unknown {
  if (typeof snapshot !== 'object' || snapshot === null || !('machine' in snapshot)) return undefined;
  const { machine } = snapshot;
  return typeof machine === 'object' && machine !== null && 'id' in machine ? machine.id : undefined;
}
