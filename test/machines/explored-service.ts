import { createActor, type EventObject, fromCallback, type SnapshotFrom } from 'xstate';
import { conditionsMachine, type LookedFact } from '../../src/machines/conditions.ts';
import { healthMachine } from '../../src/machines/health.ts';
import { hooksMachine } from '../../src/machines/hooks.ts';
import { type CheckFact, type CheckRequest, type CheckRun, probeMachine } from '../../src/machines/probe.ts';
import { readinessMachine, type StartOf } from '../../src/machines/readiness.ts';
import { type ReloadReport, type ReloadTarget, reloadMachine } from '../../src/machines/reload.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import type { ServiceEvent, ServiceInput, ServiceReport } from '../../src/machines/service-events.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import type { ExitStatus } from '../../src/model/service/exit-status.ts';
import type { Hooks } from '../../src/model/service/hook.ts';
import type { NotifyMessage } from '../../src/model/service/notify-message.ts';
import type { Probe } from '../../src/model/service/probe.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { NotifyFact, NotifyRequest, PidfileFact } from '../../src/model/service/unit-events.ts';
import { sample, tries } from '../effort.ts';
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
  'service.reload': true,
  'conditions.met': true,
  'conditions.unmet': true,
  'conditions.failed': true,
  'reload.ended': true,
  'reload.over': true,
  'service.resumed': true,
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
  'readiness.passed': true,
  'readiness.failed': true,
  'readiness.extended': true,
  'health.passed': true,
  'health.failed': true,
  'notify.received': true,
  'watchdog.missed': true,
  'runtime.exceeded': true,
  'restarts.forgotten': true,
  'leader.missed': true,
  'hooks.began': true,
  'hooks.passed': true,
  'hooks.failed': true,
  'hooks.ended': true,
  'hooks.survived': true,
};

export const killed: ExitStatus = { kind: 'signaled', signal: 'SIGTERM', coreDumped: false };

function commands(at: number): readonly ServiceEvent[] {
  return [
    { type: 'service.start', at },
    { type: 'service.stop', drain: false, killAfter: 5_000, at },
    {
      type: 'service.stop',
      drain: false,
      killAfter: 5_000,
      because: { prerequisite: 'db', how: 'crashed' },
      fails: true,
      at,
    },
    { type: 'service.kill', grace: 1_000, at },
    { type: 'service.retire', at },
    { type: 'service.reset', killAfter: 5_000, at },
    { type: 'service.signal', signal: 'SIGHUP', at },
    { type: 'service.reload', request: 3, at },
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
function readinessFacts({ context, children, value }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  if (children['readiness'] === undefined) return [];
  const { serial, spec } = context;
  const timeout: ServiceEvent = {
    type: 'readiness.failed',
    serial,
    cause: { kind: 'timeout', timeout: spec.processTimeout, pid: 0 },
    at,
  };
  if (JSON.stringify(value) === '{"starting":"awaitingProbe"}') {
    return [
      { type: 'readiness.passed', serial, at },
      { type: 'readiness.extended', serial, deadline: at + 40_000, at },
      {
        type: 'readiness.failed',
        serial,
        cause: {
          kind: 'unready',
          probe: 'tcp localhost:80',
          reason: 'ECONNREFUSED',
          timeout: spec.processTimeout,
          pid: 0,
        },
        at,
      },
      { type: 'readiness.passed', serial: serial - 1, at },
    ];
  }
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

/** The facts that the hooks which run may report. */
function hookFacts({ context: { serial, hook, hooks } }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  if (hook === undefined || hooks === undefined) return [];
  const failure = { kind: 'exit', status: exit1 } as const;
  return [
    { type: 'hooks.began', serial, hook: { ...hook, nth: 2, of: 2 }, pid: 30, at },
    { type: 'hooks.passed', serial, at },
    { type: 'hooks.failed', serial, hook, failure, at },
    { type: 'hooks.ended', serial, at },
    { type: 'hooks.survived', serial, at },
    { type: 'hooks.passed', serial: serial - 1, at },
    { type: 'hooks.failed', serial: serial - 1, hook, failure, at },
    { type: 'hooks.ended', serial: serial - 1, at },
  ];
}

/** What the probes of `healthy` may say while they are there. */
function healthFacts({ context: { serial }, children }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  if (children['health'] === undefined) return [];
  const failed = { type: 'health.failed', probe: 'tcp localhost:80', reason: 'ECONNREFUSED', at } as const;
  return [
    { type: 'health.passed', serial, at },
    { ...failed, serial },
    { ...failed, serial: serial - 1 },
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
  const { serial, spec, pid, at: before } = snapshot.context;
  const at = before + 10;
  const runs = snapshot.matches({ ready: 'running' });
  return [
    ...commands(at),
    reconfigured(snapshot, at),
    // Before the hooks of before_start have passed, there is no unit that could report.
    ...(snapshot.context.unit === undefined && snapshot.context.hooks !== undefined ? [] : unitFacts(snapshot, at)),
    ...hookFacts(snapshot, at),
    ...staleFacts(snapshot, at),
    ...readinessFacts(snapshot, at),
    ...reloadFacts(snapshot, at),
    ...conditionFacts(snapshot, at),
    ...(spec.maxRuntime !== undefined && pid !== 0 && (runs || snapshot.matches('starting'))
      ? [{ type: 'runtime.exceeded' } as const]
      : []),
    ...healthFacts(snapshot, at),
    ...(runs ? [{ type: 'restarts.forgotten' } as const] : []),
    ...(runs && spec.watchdog !== undefined ? [{ type: 'watchdog.missed', at } as const] : []),
    ...(spec.type === 'notify'
      ? notices.map((message): ServiceEvent => ({ type: 'notify.received', serial, message, at }))
      : []),
  ];
}

/** The facts that what asks the conditions of a start may report while it is there, and those of an earlier start. */
function conditionFacts({ context: { serial }, children }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  if (children['conditions'] === undefined) return [];
  const failure = { kind: 'timeout', timeout: 30_000 } as const;
  return [
    { type: 'conditions.met', serial, at },
    { type: 'conditions.unmet', serial, why: 'the file /x is not there', at },
    { type: 'conditions.failed', serial, failure, at },
    { type: 'unit.cleared', serial, at },
    { type: 'conditions.met', serial: serial - 1, at },
  ];
}

/** The facts that the reload machine may report while it is there. */
function reloadFacts({ children }: ServiceSnapshot, at: number): readonly ServiceEvent[] {
  if (children['reload'] === undefined) return [];
  return [
    { type: 'reload.ended', outcome: { kind: 'done', took: 5 }, at },
    { type: 'reload.over', at },
  ];
}

export const system = createActor(fromCallback<ServiceReport>(() => {}));
const probe = probeMachine.provide({ actors: { check: fromCallback<CheckRequest, CheckRun, CheckFact>(() => {}) } });
export const machine = serviceMachine.provide({
  actors: {
    unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }),
    readiness: readinessMachine.provide({
      actors: { pidfile: fromCallback<EventObject, StartOf, PidfileFact>(() => {}), probe },
    }),
    hooks: hooksMachine.provide({
      actors: { unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }) },
    }),
    conditions: conditionsMachine.provide({
      actors: {
        unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }),
        lookup: fromCallback<EventObject, ServiceSpec, LookedFact>(() => {}),
      },
    }),
    reload: reloadMachine.provide({
      actors: {
        unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }),
        reloader: fromCallback<EventObject, ReloadTarget, ReloadReport>(() => {}),
      },
    }),
    health: healthMachine.provide({ actors: { probe } }),
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
  return /^service\.(changed|exitKills|noticed|healthy|unhealthy|extended|survived|stopContinues)$/.test(event.type);
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
      context.streak,
      context.noTry?.kind,
      context.verdict !== undefined,
      context.retired,
      context.settled,
      ...(context.spec.hooks === undefined
        ? []
        : [context.hooks === undefined, context.hook?.stage, context.owes, context.aim]),
      context.reload !== undefined,
      context.health,
    ],
  });
}

const pidfile = '/run/web.pid';

/** A probe of a port. */
export const tcpProbe: Probe = {
  kind: 'probe',
  check: { kind: 'tcp', host: 'localhost', port: 80 },
  interval: 100,
  longest: 1_000,
  timeout: 1_000,
  retries: 2,
  startPeriod: 0,
};

/** The kinds of services that the chart tells apart, and what a failure of each leads to. */
export const kinds = [
  { kind: 'simple', type: 'simple' },
  { kind: 'simple with a pidfile', type: 'simple', pidfile },
  { kind: 'oneshot', type: 'oneshot' },
  { kind: 'forking', type: 'forking' },
  { kind: 'forking, the process alone', type: 'forking', killMode: 'process' },
  { kind: 'forking with a pidfile', type: 'forking', pidfile },
  { kind: 'notify', type: 'notify', watchdog: 1_000 },
  { kind: 'simple with conditions', type: 'simple', startIf: { kind: 'file', path: '/x' } },
  { kind: 'simple with a max_runtime', type: 'simple', maxRuntime: 60_000 },
  { kind: 'notify, reloaded by a signal', type: 'notify', reload: { kind: 'signal', signal: 'SIGHUP' } },
  { kind: 'simple with probes', type: 'simple', ready: tcpProbe, healthy: tcpProbe, onUnhealthy: 'restart' },
  { kind: 'simple with a pidfile and probes', type: 'simple', pidfile, ready: tcpProbe },
  { kind: 'forking with probes', type: 'forking', ready: tcpProbe },
  { kind: 'forking with probes, the process alone', type: 'forking', killMode: 'process', ready: tcpProbe },
  { kind: 'notify with probes', type: 'notify', ready: tcpProbe, healthy: tcpProbe, onUnhealthy: 'log' },
] as const;

const policies = [
  { policy: 'once', restart: false, exitKills: false },
  { policy: 'restarted', restart: true, exitKills: false },
  { policy: 'exit_kills', restart: true, exitKills: true },
  {
    policy: 'always and from the first start on',
    restart: true,
    exitKills: false,
    restartPolicy: { always: true, startFailure: true, backoff: 2, prevent: ['SIGTERM'] },
  },
] as const;

/**
 * Each restart that a policy grants makes as many states again. A single one already has a first, a last and a refused try; an
 * exhaustive run has one between them, too.
 */
const mostRestarts = tries(1, 2);

/**
 * A kind of service with a policy, and its exploration, which takes long and much memory: it is made when it is asked for. The
 * ordinary run has each kind with some policies, and each policy with some kinds.
 */
export const variants = kinds.flatMap(({ kind, ...ofKind }, nth) =>
  sample(policies, 2, nth).map(({ policy, ...ofPolicy }) => {
    const spec = { ...ofKind, ...ofPolicy, restartLimit: mostRestarts };
    return { name: `${kind}, ${policy}`, spec, explored: () => exploreService(spec) };
  }),
);

const hook = { command: 'true' } as const;

/** Hooks at every stage, for the kinds of services whose ends differ. */
export const hooks: Hooks = {
  commands: {
    before_start: [hook, hook],
    after_start: [hook],
    before_stop: [hook],
    stop_command: [hook],
    after_stop: [hook],
  },
  afterStopTimeout: 5_000,
};

const hooked = [
  { name: 'simple', spec: { type: 'simple', restart: true, restartLimit: 1 } },
  { name: 'simple with exit_kills', spec: { type: 'simple', exitKills: true } },
  {
    name: 'simple with after_stop alone',
    spec: { type: 'simple', hooks: { ...hooks, commands: { after_stop: [hook] } } },
  },
  { name: 'oneshot', spec: { type: 'oneshot', remainAfterExit: true } },
  { name: 'oneshot that does not remain', spec: { type: 'oneshot', remainAfterExit: false } },
  { name: 'forking with a pidfile', spec: { type: 'forking', pidfile, restart: true, restartLimit: 1 } },
  { name: 'notify', spec: { type: 'notify', watchdog: 1_000 } },
] as const satisfies readonly { readonly name: string; readonly spec: Partial<ServiceSpec> }[];

/** Services with hooks, likewise. */
export const hookedVariants = hooked.map(({ name, spec }) => {
  const whole: Partial<ServiceSpec> = { hooks, ...spec };
  return { name, spec: whole, explored: () => exploreService(whole) };
});
