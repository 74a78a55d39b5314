import { createActor, type EventObject, fromCallback, type SnapshotFrom } from 'xstate';
import { readinessMachine, type StartOf } from '../../src/machines/readiness.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import type { ServiceEvent, ServiceInput, ServiceReport } from '../../src/machines/service-events.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import type { ExitStatus } from '../../src/model/service/exit-status.ts';
import type { NotifyMessage } from '../../src/model/service/notify-message.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { NotifyFact, NotifyRequest, PidfileFact } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
import { type Exploration, explore, type Sent } from './explore.ts';
import { exit0, exit1, noSuchProgram } from './scripted.ts';

export type ServiceSnapshot = SnapshotFrom<typeof serviceMachine>;

/** The compiler keeps this list complete. */
export const eventTypes: Readonly<Record<ServiceEvent['type'], true>> = {
  'service.start': true,
  'service.stop': true,
  'service.kill': true,
  'service.retire': true,
  'service.reset': true,
  'service.signal': true,
  'service.reconfigure': true,
  'service.resumed': true,
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
  'readiness.passed': true,
  'readiness.failed': true,
  'readiness.extended': true,
  'notify.received': true,
  'watchdog.missed': true,
  'restarts.forgotten': true,
  'leader.missed': true,
};

export const killed: ExitStatus = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false };

function commands(at: number): readonly ServiceEvent[] {
  return [
    { type: 'service.start', at },
    { type: 'service.stop', drain: false, killAfter: 5_000, at },
    { type: 'service.kill', grace: 1_000, at },
    { type: 'service.retire', at },
    { type: 'service.reset', killAfter: 5_000, at },
    { type: 'service.signal', signal: 'SIGHUP', at },
  ];
}

/** Another definition for the same service: a running process and all other state stay as they are. */
function reconfigured({ context }: ServiceSnapshot, at: number): ServiceEvent {
  return { type: 'service.reconfigure', spec: { ...context.spec, debug: !context.spec.debug }, at };
}

/** Every fact about the current run, likely or not. */
function unitFacts({ context: { serial, spec, pid }, value }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  const exit = { type: 'unit.leaderExited', serial, pid: 10, age: 5, left: 0, at } as const;
  const stage = JSON.stringify(value);
  const settles = stage === '{"starting":"settling"}';
  const mayBeNamed = spec.pidfile !== undefined && (settles || stage === '{"starting":"awaitingPidfile"}');
  const late: readonly ServiceEvent[] = [
    { ...exit, status: exit0, age: spec.startupPause },
    { ...exit, status: exit1, age: spec.startupPause },
  ];
  const named: readonly ServiceEvent[] = late.map((event) => ({ ...event, named: true }));
  return [
    { type: 'unit.spawned', serial, pid: 10, at },
    { type: 'unit.spawnFailed', serial, error: noSuchProgram, at },
    { ...exit, status: exit0 },
    { ...exit, status: exit0, left: 2 },
    { ...exit, status: exit1 },
    { ...exit, status: exit1, left: 2 },
    { ...exit, status: killed },
    // A unit reports `unit.cleared` only after the end of its leader.
    ...(pid === 0 ? [{ type: 'unit.cleared', serial, at } as const] : []),
    { type: 'unit.survived', serial, at },
    ...(settles ? late : []),
    ...(mayBeNamed ? named : []),
  ];
}

/** The facts that the readiness machine may report while it is there. */
function readinessFacts({ context, children }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  if (children['readiness'] === undefined) return [];
  const { serial, spec } = context;
  const timeout: ServiceEvent = {
    type: 'readiness.failed',
    serial,
    cause: { kind: 'timeout', timeout: spec.processTimeout, pid: 0 },
    at,
  };
  return spec.type === 'notify'
    ? [
        { type: 'readiness.passed', serial, at },
        { type: 'readiness.extended', serial, deadline: at + 40_000, at },
        timeout,
        { type: 'readiness.passed', serial: serial - 1, at },
      ]
    : [
        { type: 'readiness.passed', serial, pid: 10, at },
        { type: 'readiness.passed', serial, pid: 20, at },
        { type: 'readiness.passed', serial, pid: 20, ended: { status: exit0, age: 3 }, at },
        { type: 'readiness.passed', serial, pid: 20, ended: { status: { kind: 'unknown' }, age: 3 }, at },
        timeout,
        { type: 'readiness.failed', serial: serial - 1, cause: { kind: 'spawn', error: noSuchProgram }, at },
      ];
}

/** Facts of an earlier run, or of an earlier start. */
function staleFacts({ context }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  const serial = context.serial - 1;
  return [
    { type: 'unit.spawned', serial, pid: 10, at },
    { type: 'unit.spawnFailed', serial, error: noSuchProgram, at },
    { type: 'unit.leaderExited', serial, pid: 10, status: exit1, left: 0, age: 1_000, at },
    { type: 'unit.cleared', serial, at },
    { type: 'unit.survived', serial, at },
    ...(context.spec.type === 'notify'
      ? [{ type: 'notify.received', serial, message: { ready: true, mainPid: 20, errno: 5 }, at } as const]
      : []),
  ];
}

/** The notifications that the chart tells apart. */
const notices: readonly NotifyMessage[] = [
  { ready: true, mainPid: 20 },
  { mainPid: 10 },
  { status: 'busy', extend: 1_000 },
  { errno: 5 },
  { reloading: {}, restartReset: true },
  { stopping: true },
  { watchdog: 'alive', watchdogInterval: 2_000 },
  { watchdog: 'trigger' },
];

/** All events that may come in a state, except the delays of the chart. */
export function eventsFor(snapshot: ServiceSnapshot): readonly ServiceEvent[] {
  const { serial, spec, at: before } = snapshot.context;
  const at = before + 10;
  const runs = snapshot.matches({ ready: 'running' });
  return [
    ...commands(at),
    reconfigured(snapshot, at),
    ...unitFacts(snapshot, at),
    ...staleFacts(snapshot, at),
    ...readinessFacts(snapshot, at),
    ...(runs ? [{ type: 'restarts.forgotten' } as const] : []),
    ...(runs && spec.watchdog !== undefined ? [{ type: 'watchdog.missed' } as const] : []),
    ...(spec.type === 'notify'
      ? notices.map((message): ServiceEvent => ({ type: 'notify.received', serial, message, at }))
      : []),
  ];
}

export const system = createActor(fromCallback<ServiceReport>(() => {}));
export const machine = serviceMachine.provide({
  actors: {
    unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }),
    readiness: readinessMachine.provide({
      actors: { pidfile: fromCallback<EventObject, StartOf, PidfileFact>(() => {}) },
    }),
    notifications: fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => {}),
  },
});

export function inputOf(spec: ServiceSpec): ServiceInput {
  return { spec, system };
}

/** The reports to the system that a step, or the beginning of the chart, sends. */
export function reportsIn(sent: readonly Sent[]): readonly ServiceReport[] {
  return sent.flatMap(({ to, event }) => (to === system && isReport(event) ? [event] : []));
}

function isReport(event: EventObject): event is ServiceReport {
  return /^service\.(changed|exitKills|noticed|extended|survived)$/.test(event.type);
}

/** Explores all states of a service whose specification has these changes. */
export function exploreService(changes: Partial<ServiceSpec>): Exploration<ServiceSnapshot> {
  return explore(machine, {
    input: inputOf(serviceSpec(changes)),
    events: eventsFor,
    // Times, pids and notes are left out, because no guard reads them.
    distinguish: ({ context }: ServiceSnapshot) => [
      context.unit !== undefined,
      context.pid === 0,
      context.followed,
      context.hasBeenReady,
      context.restartsUsed,
      context.verdict !== undefined,
      context.retired,
      context.settled,
    ],
  });
}

const pidfile = '/run/web.pid';

/** The kinds of services that the chart tells apart, and what a failure of each leads to. */
export const kinds = [
  { kind: 'simple', type: 'simple' },
  { kind: 'simple with a pidfile', type: 'simple', pidfile },
  { kind: 'oneshot', type: 'oneshot' },
  { kind: 'forking', type: 'forking' },
  { kind: 'forking, the process alone', type: 'forking', killMode: 'process' },
  { kind: 'forking with a pidfile', type: 'forking', pidfile },
  { kind: 'notify', type: 'notify', watchdog: 1_000 },
] as const;

const policies = [
  { policy: 'once', restart: false, exitKills: false },
  { policy: 'restarted', restart: true, exitKills: false },
  { policy: 'exit_kills', restart: true, exitKills: true },
] as const;

/** The kinds with their explorations. */
export function exploredVariants() {
  return kinds.flatMap(({ kind, ...ofKind }) =>
    policies.map(({ policy, ...ofPolicy }) => {
      const spec = { ...ofKind, ...ofPolicy, restartLimit: 2 };
      return { name: `${kind}, ${policy}`, spec, exploration: exploreService(spec) };
    }),
  );
}
