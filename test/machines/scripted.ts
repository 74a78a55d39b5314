import { type AnyActorRef, createActor, type EventObject, fromCallback, SimulatedClock } from 'xstate';
import { readinessMachine, type StartOf } from '../../src/machines/readiness.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import type { Resumption, ServiceReport } from '../../src/machines/service-events.ts';
import {
  type CountProcesses,
  outputOf,
  type SignalAll,
  type SystemCommand,
  type SystemEvent,
  serviceActorId,
  systemMachine,
} from '../../src/machines/system.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import { stateForPlan } from '../../src/model/ledger/reload.ts';
import { phaseOf } from '../../src/model/ledger/slot.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import { planReload, type ReloadPlan } from '../../src/model/order/reload-plan.ts';
import type { Connection, TriggerCommand, TriggerFact } from '../../src/model/schedule/scheduled-runs.ts';
import type { ExitStatus } from '../../src/model/service/exit-status.ts';
import type { NotifyMessage } from '../../src/model/service/notify-message.ts';
import type { PidfileTrouble } from '../../src/model/service/pidfile.ts';
import type { ServicePhase } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { SpawnError } from '../../src/model/service/spawn-error.ts';
import type { MissingProgram } from '../../src/model/service/system-end.ts';
import type { SystemNotice } from '../../src/model/service/system-notice.ts';
import type {
  MissedEnd,
  NotifyFact,
  NotifyRequest,
  PidfileFact,
  SignalOutcome,
  UnitFact,
  UnitReport,
  UnitRequest,
  UnitRun,
} from '../../src/model/service/unit-events.ts';
import { serviceSpec, systemSpec } from '../model/specs.ts';

export const exit0: ExitStatus = { kind: 'exited', code: 0 };
export const exit1: ExitStatus = { kind: 'exited', code: 1 };
export const noSuchProgram: SpawnError = { code: 'ENOENT', stage: 'exec', program: '/bin/web' };
export const cancelled: SpawnError = { code: 'ECANCELED', stage: 'exec', program: '/bin/web' };

export type { systemSpec };

/** One run of a scripted program with its processes; the test decides what happens to them. */
export class ScriptedRun {
  readonly service: string;
  readonly serial: number;
  /** The client of the run, for inetd services. */
  readonly connection: Connection | undefined;
  /** Set for what runs beside the service's own command. */
  readonly beside: UnitRun['beside'];
  /** The signals that the run has received, with their times. */
  readonly signals: string[] = [];
  /** Why each of these was sent. */
  readonly purposes: (UnitRequest & { type: 'unit.send' })['purpose'][] = [];
  /** By which signal, and for how long, the run had been asked to end when each of these was sent. */
  readonly asked: (UnitRequest & { type: 'unit.send' })['asked'][] = [];
  /** The pids that were named as leaders of the run. */
  readonly leads: number[] = [];
  /** How often the unit has looked for left processes. */
  looks = 0;
  /** How often the unit has cancelled its start. */
  cancels = 0;
  /** How often it was told to find the end of its input. */
  finishes = 0;
  /** The pid of the leader. */
  pid: number;
  /** How many processes live beside the leader; `look` reports them. */
  left = 0;
  leaderGone = false;
  #began: number;
  readonly #tell: (fact: UnitFact | UnitReport) => void;
  readonly #now: () => number;

  constructor(
    { service, serial, connection, beside, resumes }: UnitRun,
    tell: (fact: UnitFact | UnitReport) => void,
    now: () => number,
  ) {
    this.service = service.name;
    this.serial = serial;
    this.connection = connection;
    this.beside = beside;
    this.pid = resumes?.pid ?? 100 + serial;
    this.#tell = tell;
    this.#now = now;
    this.#began = now();
  }

  spawned(): this {
    this.#began = this.#now();
    this.#tell({ type: 'unit.spawned', serial: this.serial, pid: this.pid, at: this.#now() });
    return this;
  }

  spawnFailed(error: SpawnError = noSuchProgram): this {
    this.#tell({ type: 'unit.spawnFailed', serial: this.serial, error, at: this.#now() });
    return this;
  }

  /**
   * Ends the leader.
   *
   * @param left how many processes the leader leaves behind
   * @param age ms of real time since the spawn
   */
  exited(status: ExitStatus = exit0, left = 0, age = this.#now() - this.#began): this {
    const { serial, pid } = this;
    this.left = left;
    this.leaderGone = true;
    this.#tell({ type: 'unit.leaderExited', serial, pid, status, left, age, at: this.#now() });
    return this;
  }

  /**
   * Reports a look at the processes that are left.
   *
   * @param fresh true where some of them were not there when the group was signalled
   */
  look(left = this.left, fresh = false): void {
    this.left = left;
    this.#tell({ type: 'unit.seen', left, fresh, at: this.#now() });
  }

  /** Reports what became of a signal. */
  signalled(signal: SignalName, outcome: SignalOutcome): void {
    this.#tell({ type: 'unit.signalled', signal, outcome, at: this.#now() });
  }

  take(request: UnitRequest, onSignal: (signal: SignalName) => void): void {
    switch (request.type) {
      case 'unit.send': {
        const { signal } = request;
        this.signals.push(`${signal} at ${this.#now()}`);
        this.purposes.push(request.purpose);
        this.asked.push(request.asked);
        onSignal(signal);
        if (this.leaderGone) this.look();
        break;
      }
      case 'unit.look':
        this.looks += 1;
        this.look();
        break;
      case 'unit.finish':
        this.finishes += 1;
        break;
      case 'unit.cancel':
        this.cancels += 1;
        break;
      case 'unit.lead':
        this.leads.push(request.pid);
        this.pid = request.pid;
        this.leaderGone = false;
        break;
    }
  }
}

/** The `processes` port, controlled by a test. */
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

  readonly processes = fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(({ input, sendBack, receive }) => {
    const run = new ScriptedRun(input, sendBack, () => this.#clock.now());
    this.runs.push(run);
    receive((request) => run.take(request, (signal) => this.#onSignal(run, signal)));
    if (input.resumes === undefined) this.#onSpawn(run);
  });

  /** The unit machine with these programs as its port. */
  get unit() {
    return unitMachine.provide({ actors: { processes: this.processes } });
  }

  /** The latest run of one service, or of all services. */
  run(service?: string): ScriptedRun {
    const run = this.runs.findLast((candidate) => service === undefined || candidate.service === service);
    if (run === undefined) throw new Error(`${service ?? 'nothing'} was not spawned`);
    return run;
  }
}

/** An actor that keeps what it is sent. */
export function hearing<Event extends EventObject>() {
  const heard: Event[] = [];
  const actor = createActor(fromCallback<Event>(({ receive }) => receive((event) => heard.push(event)))).start();
  return { actor, heard };
}

/** One service with its real charts, a scripted program and a clock. */
export function scriptedService(changes: Partial<ServiceSpec> = {}, resumes?: Resumption) {
  const clock = new SimulatedClock();
  const programs = new ScriptedPrograms(clock);
  const { actor: system, heard: reports } = hearing<ServiceReport>();
  const { unit } = programs;
  /** Whether the machine looks for the pidfile, and how often it has closed the notify socket. */
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
  const readiness = readinessMachine.provide({ actors: { pidfile } });
  const actor = createActor(serviceMachine.provide({ actors: { unit, readiness, notifications } }), {
    clock,
    input: { spec: serviceSpec(changes), system, ...(resumes === undefined ? {} : { resumes }) },
  }).start();
  const serialNow = (): number => actor.getSnapshot().context.serial;
  const at = (): number => clock.now();
  const tellReadiness = (fact: PidfileFact): void => {
    const { readiness } = actor.getSnapshot().children;
    readiness?.send(fact);
  };
  return {
    actor,
    clock,
    programs,
    reports,
    ports,
    run: () => programs.run(),
    /** Sends a datagram on the socket of the last start, or of an earlier one. */
    notify: (message: NotifyMessage, serial = serialNow()) =>
      actor.send({ type: 'notify.received', serial, message, at: at() }),
    /** Puts a pid into the pidfile; it is read only while the machine waits for the file. */
    findPid: (pid: number, more: { readonly serial?: number; readonly ended?: MissedEnd } = {}) =>
      tellReadiness({ type: 'pidfile.found', serial: serialNow(), pid, at: at(), ...more }),
    seePidfile: (trouble: PidfileTrouble) =>
      tellReadiness({ type: 'pidfile.seen', serial: serialNow(), trouble, at: at() }),
    start: () => actor.send({ type: 'service.start', at: at() }),
    stop: (killAfter = 5_000) => actor.send({ type: 'service.stop', drain: false, killAfter, at: at() }),
    kill: (grace = 1_000) => actor.send({ type: 'service.kill', grace, at: at() }),
    state: () => actor.getSnapshot().value,
    context: () => actor.getSnapshot().context,
    /** The phases that were reported so far. */
    phases: () =>
      reports.map((report) =>
        report.type === 'service.changed' ? report.change.phase : report.type.slice('service.'.length),
      ),
    /** The ids of the service's child actors. */
    children: () => Object.keys(actor.getSnapshot().children),
  };
}

export interface ScriptedSystemOptions {
  readonly system?: Partial<SystemSpec>;
  readonly missingPrograms?: readonly MissingProgram[];
  /** The signals that the program of a service ignores. */
  readonly deaf?: Readonly<Record<string, readonly SignalName[]>>;
  /** Services whose program does not exist. */
  readonly absent?: readonly string[];
}

/**
 * A whole system with its real charts and scripted programs. Each program reports its spawn at once, and ends by any
 * signal that it does not ignore when the clock moves next.
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
      clock.setTimeout(() => {
        if (run.leaderGone) run.look(0);
        else run.exited({ kind: 'signaled', signal, coreDumped: false });
      }, 0);
    },
  );
  const { unit } = programs;
  const signalled: string[] = [];
  // Every schedule is accepted and every port listens; the test fires the triggers.
  const triggers = new Map<string, (fact: TriggerFact) => void>();
  const trigger = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(({ input, sendBack }) => {
    triggers.set(input.name, sendBack);
    sendBack({ type: 'trigger.armed', at: clock.now() });
  });
  const scheduled = scheduledMachine.provide({ actors: { unit, trigger } });
  const machine = systemMachine.provide({
    actors: {
      service: serviceMachine.provide({
        actors: { unit, notifications: fromCallback<NotifyRequest, ServiceSpec, NotifyFact>(() => {}) },
      }),
      scheduled,
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
  /** The phases in short: `web starting at 0`. */
  const log: string[] = [];
  actor.on('*', (notice) => log.push(`${describeNotice(notice)} at ${clock.now()}`));
  actor.start();
  return {
    actor,
    clock,
    programs,
    log,
    /** The signals that were sent to every process that is left. */
    signalled,
    state: () => actor.getSnapshot().value,
    output: () => {
      const snapshot = actor.getSnapshot();
      return snapshot.matches('halted') ? outputOf(snapshot) : undefined;
    },
    slot: (service: string) => actor.getSnapshot().context.ledger.slots.get(service),
    run: (service: string) => programs.run(service),
    /** Starts a run of a scheduled service. */
    fire: (service: string) => triggers.get(service)?.({ type: 'trigger.fired', at: clock.now() }),
    gone: () => actor.send({ type: 'processes.gone', at: clock.now() }),
    shutdown: (signal: SignalName = 'SIGTERM', forced = false) =>
      actor.send({ type: 'system.shutdown', end: { kind: 'signal', signal }, forced, at: clock.now() }),
    /** Reloads with another configuration and the plan that the runtime would make. */
    reload: (next: readonly ServiceSpec[], changes: Partial<SystemSpec> = options.system ?? {}): ReloadPlan => {
      const { ledger } = actor.getSnapshot().context;
      const spec = systemSpec(next, changes);
      const plan = planReload(ledger.spec, spec, (name) => stateForPlan(ledger, name));
      actor.send({ type: 'system.reload', spec, graph: buildDependencyGraph(next), plan, at: clock.now() });
      return plan;
    },
    /** Sends a request with the present time. */
    ask: (request: SystemCommand) => actor.send({ ...request, at: clock.now() }),
    phase: (service: string): ServicePhase | undefined => {
      const slot = actor.getSnapshot().context.ledger.slots.get(service);
      return slot === undefined ? undefined : phaseOf(slot);
    },
    service: (name: string): AnyActorRef | undefined => actor.getSnapshot().children[serviceActorId(name)],
    /** The log of one phase: `order('starting')` has the services in the order in which they started. */
    order: (phase: ServicePhase) => log.filter((line) => line.includes(` ${phase} at `)),
  };
}

function describeNotice(notice: SystemNotice): string {
  switch (notice.type) {
    case 'service.skipped':
    case 'service.queued':
    case 'service.released':
    case 'service.reset':
    case 'service.blocked':
    case 'service.removed':
    case 'service.survives':
    case 'service.healthy':
    case 'service.unhealthy':
      return `${shortName(notice.service)} ${notice.type.slice('service.'.length)}`;
    case 'service.changed':
      return `${shortName(notice.service)} ${notice.change.phase}`;
    case 'service.tied':
      return `${shortName(notice.service)} tied to ${shortName(notice.cause.prerequisite)}: ${notice.consequence}`;
    case 'service.noticed':
      return `${shortName(notice.service)} noticed ${notice.news.kind}`;
    case 'system.waiting':
      return `system waiting for ${notice.services.map(shortName).join(', ')}`;
    case 'system.draining':
      return `system draining ${notice.end.kind}`;
    case 'system.clearing':
      return `system clearing ${notice.signal} since ${notice.begun}`;
    case 'system.stopped':
    case 'system.ready':
    case 'system.forced':
    case 'system.halted':
      return `system ${notice.type.slice('system.'.length)}`;
  }
}

function shortName(name: string): string {
  return name.replace(/\.service$/, '');
}
