/**
 * What of the machines may be seen by who inspects them: a list of what is shown, and nothing else. A specification, an
 * environment, a command's arguments never pass through here.
 */
import type { SnapshotFrom } from 'xstate';
import type { Json, JsonObject, ServiceEntry, SnapshotView } from '../inspect/entry.ts';
import type { ProcessEvent, processMachine } from '../machines/process.ts';
import { runCounts, type ScheduledEvent, type scheduledMachine } from '../machines/scheduled.ts';
import type { ServiceEvent, serviceMachine } from '../machines/service.ts';
import type { CountProcesses, SignalAll, SystemEvent, systemMachine } from '../machines/system.ts';
import type { DependencyGraph } from '../model/dependency-graph.ts';
import { describeEnd, describeFailure } from '../model/describe-end.ts';
import { describeExit } from '../model/exit-status.ts';
import type { NotifyMessage } from '../model/notify-message.ts';
import type { NotifyRequest, ProcessSignal } from '../model/process-events.ts';
import { scheduledNote, type TriggerCommand } from '../model/scheduling.ts';
import { isLive } from '../model/service-phase.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import { describeSpawnError } from '../model/spawn-error.ts';

export type SystemSnapshot = SnapshotFrom<typeof systemMachine>;
export type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;
type ScheduledSnapshot = SnapshotFrom<typeof scheduledMachine>;
type ProcessSnapshot = SnapshotFrom<typeof processMachine>;

/** What the source knows of a service besides its snapshot. */
export interface ServiceHistory {
  /** What let it go, if it had to wait; with its suffix. */
  readonly waitedFor?: string | undefined;
}

type ShownEvent =
  | SystemEvent
  | ServiceEvent
  | ProcessEvent
  | ScheduledEvent
  | ProcessSignal
  | NotifyRequest
  | TriggerCommand
  | SignalAll
  | CountProcesses;

export interface EventView extends JsonObject {
  readonly type: string;
}

/** An actor's state without what nobody is to see. */
export function snapshotView(snapshot: unknown, history: ServiceHistory = {}): SnapshotView {
  if (isMachine<ServiceSnapshot>(snapshot, 'service')) {
    const transient = snapshot.hasTag('transient') ? { transient: true as const } : {};
    return { ...stateOf(snapshot), ...transient, context: serviceContext(snapshot, history) };
  }
  if (isMachine<SystemSnapshot>(snapshot, 'system')) {
    const transient = snapshot.hasTag('transient') ? { transient: true as const } : {};
    return { ...stateOf(snapshot), ...transient, context: systemContext(snapshot) };
  }
  if (isMachine<ScheduledSnapshot>(snapshot, 'scheduled')) {
    return { ...stateOf(snapshot), context: scheduledContext(snapshot) };
  }
  if (isMachine<ProcessSnapshot>(snapshot, 'process')) {
    return { ...stateOf(snapshot), context: processContext(snapshot) };
  }
  return { status: statusOf(snapshot) };
}

/** The machine of a snapshot; undefined where its actor is none of chaperone's machines. */
export function machineOf(snapshot: unknown): string | undefined {
  const id = machineId(snapshot);
  return id === 'system' || id === 'service' || id === 'scheduled' || id === 'process' ? id : undefined;
}

/** The service that a machine belongs to, by full name. */
export function serviceOf(snapshot: unknown): string | undefined {
  if (isMachine<ServiceSnapshot>(snapshot, 'service')) return snapshot.context.spec.name;
  if (isMachine<ScheduledSnapshot>(snapshot, 'scheduled')) return snapshot.context.service.name;
  if (isMachine<ProcessSnapshot>(snapshot, 'process')) return snapshot.context.run.service.name;
  return undefined;
}

/** The status of any actor's snapshot. */
export function statusOf(snapshot: unknown): SnapshotView['status'] {
  const status =
    typeof snapshot === 'object' && snapshot !== null && 'status' in snapshot ? snapshot.status : undefined;
  return status === 'done' || status === 'error' || status === 'stopped' ? status : 'active';
}

function stateOf(snapshot: { readonly status: SnapshotView['status']; readonly value: unknown }): {
  status: SnapshotView['status'];
  value: Json;
} {
  return { status: snapshot.status, value: stateValue(snapshot.value) };
}

function stateValue(value: unknown): Json {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return null;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, stateValue(inner)]));
}

function serviceContext({ context, value }: ServiceSnapshot, { waitedFor }: ServiceHistory): JsonObject {
  const { spec, serial, run, restartsUsed, verdict, status, lastExit, deadline, killAt } = context;
  const schedule = run?.schedule?.getSnapshot();
  const counts = schedule === undefined ? undefined : runCounts(schedule.context);
  const scheduled = counts ?? (value === 'pending' ? undefined : { begun: 0, running: 0 });
  const note = spec.type === 'cron' || spec.type === 'inetd' ? scheduled && scheduledNote(spec, scheduled) : status;
  const starting = typeof value === 'object' && 'starting' in value;
  const stopping = typeof value === 'object' && 'stopping' in value;
  return {
    service: spec.name,
    serial,
    // A run without a pid is not spawned yet, or is what a start has left behind.
    ...(run === undefined ? {} : { run: run.serial }),
    ...(run === undefined || run.pid === 0 ? {} : { pid: run.pid }),
    ...(run?.followed === true ? { followed: true } : {}),
    ...(counts === undefined ? {} : { begun: counts.begun, running: counts.running }),
    ...(spec.restart ? { restarts: restartsUsed, restartLimit: spec.restartLimit } : {}),
    ...(waitedFor === undefined ? {} : { waitedFor }),
    ...(verdict === undefined ? {} : { cause: describeFailure(spec.type, verdict) }),
    ...(note === undefined || note === '' ? {} : { note }),
    ...(lastExit === undefined ? {} : { lastExit: describeExit(lastExit.status) }),
    ...(starting && deadline !== undefined ? { deadline } : {}),
    ...(stopping && killAt > 0 ? { deadline: killAt } : {}),
    ...(context.announced === undefined ? {} : { announced: context.announced }),
  };
}

function systemContext({ context, value }: SystemSnapshot): JsonObject {
  const { spec, graph, end, standings, deadline } = context;
  const draining = typeof value === 'object' && 'draining' in value;
  return {
    services: spec.services.length,
    layers: graph.layerCount,
    files: spec.fileCount,
    idleDelay: spec.idleDelay,
    shutdownTimeout: spec.shutdownTimeout,
    ...(end === undefined ? {} : { end: describeEnd(end) }),
    ...(draining ? { live: Object.values(standings).filter(({ phase }) => isLive(phase)).length, deadline } : {}),
  };
}

function scheduledContext({ context }: ScheduledSnapshot): JsonObject {
  const { begun, running } = runCounts(context);
  return { service: context.service.name, serial: context.serial, begun, running };
}

function processContext({ context }: ProcessSnapshot): JsonObject {
  const { run, pid } = context;
  const { service, serial, adopts, connection } = run;
  const shownPid = pid ?? (adopts?.kind === 'process' ? adopts.pid : undefined);
  return {
    service: service.name,
    serial,
    ...(adopts === undefined ? { program: programOf(service) } : { adopts: adopts.kind }),
    ...(connection === undefined ? {} : { client: connection.address, clientPort: connection.port }),
    ...(shownPid === undefined ? {} : { pid: shownPid }),
  };
}

function programOf({ argv }: ServiceSpec): string {
  return argv[0] ?? '';
}

/** An event with what may be seen of it. Of XState's own only the type is shown: their rest may be anything. */
export function eventView(event: { readonly type: string }): EventView {
  return isShown(event) ? shownEvent(event) : { type: event.type };
}

/** Every type there is; the compiler holds it against the machines' events. */
const shownTypes: Readonly<Record<ShownEvent['type'], true>> = {
  'service.start': true,
  'service.stop': true,
  'service.kill': true,
  'service.retire': true,
  'service.reset': true,
  'service.changed': true,
  'service.exitKills': true,
  'service.noticed': true,
  'services.start': true,
  'services.stop': true,
  'services.reset': true,
  'services.enable': true,
  'services.disable': true,
  'system.shutdown': true,
  'processes.gone': true,
  'processes.signalAll': true,
  'processes.count': true,
  'process.spawned': true,
  'process.spawnFailed': true,
  'process.exited': true,
  'process.terminate': true,
  'process.extend': true,
  'process.kill': true,
  'process.signal': true,
  'schedule.accepted': true,
  'schedule.refused': true,
  'schedule.ended': true,
  'schedule.reset': true,
  'schedule.retire': true,
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
};

function isShown(event: { readonly type: string }): event is ShownEvent {
  return Object.hasOwn(shownTypes, event.type);
}

function shownEvent(event: ShownEvent): EventView {
  const { type } = event;
  switch (event.type) {
    case 'service.start':
      return { type, ...(event.waitedFor === undefined ? {} : { waitedFor: event.waitedFor }) };
    case 'service.stop':
    case 'service.reset':
    case 'process.extend':
      return { type, killAfter: event.killAfter };
    case 'process.terminate':
    case 'schedule.reset':
      return { type, signal: event.signal, killAfter: event.killAfter };
    case 'service.changed':
      return { type, service: event.name, phase: event.change.phase };
    case 'service.exitKills':
      return { type, service: event.name };
    case 'service.noticed':
      return { type, service: event.name, news: event.news.kind };
    case 'services.start':
      return { type, names: event.names, enable: event.enable, force: event.force };
    case 'services.stop':
      return { type, names: event.names, disable: event.disable, again: event.again };
    case 'services.reset':
      return { type, names: event.names, force: event.force };
    case 'services.enable':
    case 'services.disable':
      return { type, names: event.names };
    case 'system.shutdown':
      return { type, end: describeEnd(event.end), forced: event.forced };
    case 'processes.signalAll':
    case 'process.signal':
      return { type, signal: event.signal };
    case 'process.spawned':
      return { type, serial: event.serial, pid: event.pid };
    case 'process.spawnFailed':
      return { type, serial: event.serial, error: describeSpawnError(event.error) };
    case 'process.exited':
      return {
        type,
        serial: event.serial,
        pid: event.pid,
        status: { ...event.status },
        ended: describeExit(event.status),
      };
    case 'schedule.refused':
      return { type, serial: event.serial, cause: describeFailure('cron', event.cause) };
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
    case 'schedule.accepted':
    case 'schedule.ended':
      return { type, serial: event.serial };
    case 'service.kill':
    case 'service.retire':
    case 'processes.gone':
    case 'processes.count':
    case 'process.kill':
    case 'schedule.retire':
    case 'trigger.armed':
    case 'trigger.pause':
    case 'trigger.resume':
    case 'notify.close':
    case 'watchdog.missed':
      return { type };
  }
}

function messageView(message: NotifyMessage): JsonObject {
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

/** What is told of the services as they are configured. */
export function serviceEntries(services: readonly ServiceSpec[], graph: DependencyGraph): readonly ServiceEntry[] {
  return services.map((spec) => {
    const node = graph.nodes[spec.name];
    return {
      name: spec.name,
      type: spec.type,
      enabled: spec.enabled,
      groups: spec.groups,
      program: programOf(spec),
      waitsFor: node?.prerequisites ?? [],
      layer: node?.layer ?? 0,
      ignoreFailures: spec.ignoreFailures,
      killSignal: spec.killSignal,
      startupPause: spec.startupPause,
      ...(spec.restart ? { restart: { limit: spec.restartLimit, delay: spec.restartDelay } } : {}),
      ...(spec.pidfile === undefined ? {} : { pidfile: spec.pidfile }),
    };
  });
}

/**
 * A machine's chart as plain JSON: XState's definition, whose `transitions` lack those without an event and which says all
 * others again in `on`.
 */
export function definitionView(machine: unknown): Json {
  if (typeof machine !== 'object' || machine === null || !('root' in machine)) return null;
  return nodeView(machine.root);
}

function nodeView(node: unknown): Json {
  if (typeof node !== 'object' || node === null || !('definition' in node) || !('states' in node)) return null;
  const { definition } = node;
  if (typeof definition !== 'object' || definition === null || !('transitions' in definition)) return null;
  const states = typeof node.states === 'object' && node.states !== null ? Object.entries(node.states) : [];
  const view = plain({ ...definition, on: undefined, transitions: undefined, states: undefined });
  const eventless = 'always' in node ? listOf(plain(node.always)) : [];
  return {
    ...(isObject(view) ? view : {}),
    transitions: [...listOf(plain(definition.transitions)), ...eventless],
    states: Object.fromEntries(states.map(([key, child]) => [key, nodeView(child)])),
  };
}

function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** JSON has no functions: they vanish. */
function plain(value: unknown): Json {
  const text: string | undefined = JSON.stringify(value);
  const parsed: Json = text === undefined ? null : JSON.parse(text);
  return parsed;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isMachine<S extends { readonly context: unknown }>(snapshot: unknown, id: string): snapshot is S {
  return machineId(snapshot) === id;
}

function machineId(snapshot: unknown): unknown {
  if (typeof snapshot !== 'object' || snapshot === null || !('machine' in snapshot)) return undefined;
  const { machine } = snapshot;
  return typeof machine === 'object' && machine !== null && 'id' in machine ? machine.id : undefined;
}
