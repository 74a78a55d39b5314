import { type AnyActorRef, createActor, type EventObject, fromCallback, SimulatedClock } from 'xstate';
import { processMachine } from '../../src/machines/process.ts';
import { standingForPlan } from '../../src/machines/reload.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import { type ServiceReport, type StartOf, serviceMachine } from '../../src/machines/service.ts';
import {
  type CountProcesses,
  type SignalAll,
  type SystemCommand,
  type SystemEvent,
  systemMachine,
} from '../../src/machines/system.ts';
import { buildDependencyGraph } from '../../src/model/dependency-graph.ts';
import type { ExitStatus } from '../../src/model/exit-status.ts';
import type { NotifyMessage } from '../../src/model/notify-message.ts';
import type { PidfileTrouble } from '../../src/model/pidfile.ts';
import type {
  NotifyFact,
  NotifyRequest,
  PidfileFact,
  ProcessFact,
  ProcessRun,
  ProcessSignal,
} from '../../src/model/process-events.ts';
import { planReload, type ReloadPlan } from '../../src/model/reload-plan.ts';
import type { Connection, TriggerCommand, TriggerFact } from '../../src/model/scheduling.ts';
import type { ServicePhase } from '../../src/model/service-phase.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service-spec.ts';
import type { SignalName } from '../../src/model/signal.ts';
import type { SpawnError } from '../../src/model/spawn-error.ts';
import type { MissingProgram } from '../../src/model/system-end.ts';
import type { SystemNotice } from '../../src/model/system-notice.ts';
import { serviceSpec, systemSpec } from '../model/specs.ts';

export const exit0: ExitStatus = { kind: 'exited', code: 0 };
export const exit1: ExitStatus = { kind: 'exited', code: 1 };
export const noSuchProgram: SpawnError = { code: 'ENOENT', stage: 'exec', program: '/bin/web' };

export type { systemSpec };

/** One run of a scripted program: the test says what happens to it. */
export class ScriptedRun {
  readonly service: string;
  readonly serial: number;
  /** Whom it serves, where it is an inetd service's. */
  readonly connection: Connection | undefined;
  /** What it was sent, with the time. */
  readonly signals: string[] = [];
  readonly pid: number;
  readonly #tell: (fact: ProcessFact) => void;
  readonly #now: () => number;

  /** What it took over: `4711`, `remains`; undefined where it was started. */
  readonly adopted: string | undefined;

  constructor(
    { service, serial, adopts, connection }: ProcessRun,
    tell: (fact: ProcessFact) => void,
    now: () => number,
  ) {
    this.service = service.name;
    this.serial = serial;
    this.connection = connection;
    this.adopted = adopts?.kind === 'process' ? String(adopts.pid) : adopts?.kind;
    this.pid = adopts?.kind === 'process' ? adopts.pid : 100 + serial;
    this.#tell = tell;
    this.#now = now;
  }

  spawned(): this {
    this.#tell({ type: 'process.spawned', serial: this.serial, pid: this.pid, at: this.#now() });
    return this;
  }

  spawnFailed(error: SpawnError = noSuchProgram): this {
    this.#tell({ type: 'process.spawnFailed', serial: this.serial, error, at: this.#now() });
    return this;
  }

  exited(status: ExitStatus = exit0): this {
    this.#tell({ type: 'process.exited', serial: this.serial, pid: this.pid, status, at: this.#now() });
    return this;
  }
}

/** The `childProcess` port in the hands of a test. */
export class ScriptedPrograms {
  readonly runs: ScriptedRun[] = [];
  readonly #clock: SimulatedClock;
  readonly #onSpawn: (run: ScriptedRun) => void;
  readonly #onSignal: (run: ScriptedRun, signal: SignalName) => void;

  constructor(
    clock: SimulatedClock,
    onSpawn: (run: ScriptedRun) => void = () => {},
    onSignal: (run: ScriptedRun, signal: SignalName) => void = () => {},
  ) {
    this.#clock = clock;
    this.#onSpawn = onSpawn;
    this.#onSignal = onSignal;
  }

  readonly childProcess = fromCallback<ProcessSignal, ProcessRun, ProcessFact>(({ input, sendBack, receive }) => {
    const run = new ScriptedRun(input, sendBack, () => this.#clock.now());
    this.runs.push(run);
    receive(({ signal }) => {
      run.signals.push(`${signal} at ${this.#clock.now()}`);
      this.#onSignal(run, signal);
    });
    this.#onSpawn(run);
  });

  /** The latest run, of one service or of all. */
  run(service?: string): ScriptedRun {
    const run = this.runs.findLast((candidate) => service === undefined || candidate.service === service);
    if (run === undefined) throw new Error(`${service ?? 'nothing'} was not spawned`);
    return run;
  }
}

/** One service with its real charts, a scripted program and a clock. */
export function scriptedService(changes: Partial<ServiceSpec> = {}) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const reports: ServiceReport[] = [];
  const system = createActor(
    fromCallback<ServiceReport>(({ receive }) => {
      receive((report) => reports.push(report));
    }),
  ).start();
  const process = processMachine.provide({ actors: { childProcess: programs.childProcess } });
  /** Whether the pidfile is looked for, and the notify socket wanted. */
  const ports = { looking: false, closed: 0 };
  const pidfile = fromCallback<EventObject, StartOf, PidfileFact>(() => {
    ports.looking = true;
    return () => {
      ports.looking = false;
    };
  });
  const notifications = fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(({ receive }) => {
    receive(() => {
      ports.closed += 1;
    });
  });
  const actor = createActor(serviceMachine.provide({ actors: { process, pidfile, notifications } }), {
    clock,
    input: { spec: serviceSpec(changes), system },
  }).start();
  const at = (): number => clock.now();
  return {
    actor,
    clock,
    programs,
    reports,
    ports,
    run: () => programs.run(),
    /** A datagram on the socket of the last start, or of an earlier one. */
    notify: (message: NotifyMessage, serial = actor.getSnapshot().context.startSerial) =>
      actor.send({ type: 'notify.received', serial, message, at: at() }),
    findPid: (pid: number, serial = actor.getSnapshot().context.startSerial) =>
      actor.send({ type: 'pidfile.found', serial, pid, at: at() }),
    seePidfile: (trouble: PidfileTrouble) =>
      actor.send({
        type: 'pidfile.seen',
        serial: actor.getSnapshot().context.startSerial,
        trouble,
        at: at(),
      }),
    start: () => actor.send({ type: 'service.start', at: at() }),
    stop: (killAfter = 5_000) => actor.send({ type: 'service.stop', killAfter, at: at() }),
    kill: () => actor.send({ type: 'service.kill', at: at() }),
    state: () => actor.getSnapshot().value,
    context: () => actor.getSnapshot().context,
    /** The phases told so far. */
    phases: () => reports.map((report) => (report.type === 'service.changed' ? report.change.phase : 'exitKills')),
    /** The ids of the process actors that it has. */
    children: () => Object.keys(actor.getSnapshot().children),
  };
}

export interface ScriptedSystemOptions {
  readonly system?: Partial<SystemSpec>;
  readonly missingPrograms?: readonly MissingProgram[];
  /** Services whose program takes no notice of these signals. */
  readonly deaf?: Readonly<Record<string, readonly SignalName[]>>;
  /** Services whose program does not exist. */
  readonly absent?: readonly string[];
}

/**
 * A whole system with its real charts and scripted programs: each reports its spawn at once and ends by any signal that it
 * is not deaf to, when the clock moves next.
 */
export function scriptedSystem(services: readonly ServiceSpec[], options: ScriptedSystemOptions = {}) {
  const clock = new SimulatedClock();
  const { deaf = {}, absent = [], missingPrograms = [] } = options;
  const programs = new ScriptedPrograms(
    clock,
    (run) => {
      if (absent.includes(run.service)) run.spawnFailed();
      else run.spawned();
    },
    (run, signal) => {
      if (deaf[run.service]?.includes(signal)) return;
      clock.setTimeout(() => run.exited({ kind: 'signaled', signal, coreDumped: false }), 0);
    },
  );
  const process = processMachine.provide({ actors: { childProcess: programs.childProcess } });
  const signalled: string[] = [];
  // Every schedule is accepted and every port listens; nothing comes of it.
  const trigger = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(({ sendBack }) =>
    sendBack({ type: 'trigger.armed', at: clock.now() }),
  );
  const scheduled = scheduledMachine.provide({ actors: { process, trigger } });
  const machine = systemMachine.provide({
    actors: {
      service: serviceMachine.provide({ actors: { process, scheduled } }),
      processTable: fromCallback<
        SignalAll | CountProcesses,
        undefined,
        Extract<SystemEvent, { type: 'processes.gone' }>
      >(({ receive }) => {
        receive((request) => {
          signalled.push(`${request.type === 'processes.count' ? 'count' : request.signal} at ${clock.now()}`);
        });
      }),
    },
  });
  const spec = systemSpec(services, options.system);
  const actor = createActor(machine, {
    clock,
    input: { spec, graph: buildDependencyGraph(services), missingPrograms },
  });
  /** In short: `web starting at 0`. */
  const log: string[] = [];
  actor.on('*', (notice) => log.push(`${describeNotice(notice)} at ${clock.now()}`));
  actor.start();
  return {
    actor,
    clock,
    programs,
    log,
    /** Signals to everything that is left. */
    signalled,
    state: () => actor.getSnapshot().value,
    output: () => actor.getSnapshot().output,
    run: (service: string) => programs.run(service),
    gone: () => actor.send({ type: 'processes.gone', at: clock.now() }),
    shutdown: (signal: SignalName = 'SIGTERM', forced = false) =>
      actor.send({ type: 'system.shutdown', end: { kind: 'signal', signal }, forced, at: clock.now() }),
    /** Another configuration, with the plan that the runtime would make. */
    reload: (next: readonly ServiceSpec[], changes: Partial<SystemSpec> = options.system ?? {}): ReloadPlan => {
      const { context } = actor.getSnapshot();
      const spec = systemSpec(next, changes);
      const plan = planReload(context.spec, spec, (name) => standingForPlan(context, name));
      actor.send({ type: 'system.reload', spec, graph: buildDependencyGraph(next), plan, at: clock.now() });
      return plan;
    },
    ask: (request: SystemCommand) => actor.send(request),
    phase: (service: string): ServicePhase | undefined => actor.getSnapshot().context.standings[service]?.phase,
    service: (name: string): AnyActorRef | undefined => actor.getSnapshot().context.services[name],
    /** The notices of one kind so far: `phases('starting')` are the services in the order in which they started. */
    order: (phase: ServicePhase) => log.filter((line) => line.includes(` ${phase} at `)),
  };
}

function describeNotice(notice: SystemNotice): string {
  switch (notice.type) {
    case 'service.skipped':
    case 'service.queued':
    case 'service.released':
    case 'service.blocked':
    case 'service.removed':
    case 'service.lost':
      return `${shortName(notice.service)} ${notice.type.slice('service.'.length)}`;
    case 'service.changed':
      return `${shortName(notice.service)} ${notice.change.phase}`;
    case 'service.noticed':
      return `${shortName(notice.service)} noticed ${notice.news.kind}`;
    case 'system.waiting':
      return `system waiting for ${notice.services.map(shortName).join(', ')}`;
    case 'system.draining':
      return `system draining ${notice.end.kind}`;
    case 'system.clearing':
      return `system clearing ${notice.signal} since ${notice.begun}`;
    case 'system.ready':
    case 'system.forced':
    case 'system.halted':
      return `system ${notice.type.slice('system.'.length)}`;
  }
}

function shortName(name: string): string {
  return name.replace(/\.service$/, '');
}
