/** Runs a world and records its history for the invariants. */
import type { InspectionEvent, SnapshotFrom } from 'xstate';
import type { SystemStatus } from '../../src/control/supervisor.ts';
import type { Fact } from '../../src/facts/fact.ts';
import { statePath } from '../../src/facts/transition.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import type { ServiceCommand } from '../../src/machines/service-events.ts';
import { type SystemOutput, serviceActorId } from '../../src/machines/system.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import { phaseOf } from '../../src/model/ledger/slot.ts';
import type { LogRecord } from '../../src/model/log/log-record.ts';
import { severities } from '../../src/model/log/syslog-names.ts';
import { isScheduled } from '../../src/model/schedule/scheduled-runs.ts';
import type { ExitStatus } from '../../src/model/service/exit-status.ts';
import type { NotifySender } from '../../src/model/service/notify-access.ts';
import { isConsumer } from '../../src/model/service/output.ts';
import { type ProbeTree, probesOf } from '../../src/model/service/probe.ts';
import type { PublicState } from '../../src/model/service/public-state.ts';
import type { ServicePhase } from '../../src/model/service/service-phase.ts';
import type { LoggingSpec, ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import { isServiceStage, type ServiceStage } from '../../src/model/service/service-stage.ts';
import type { SignalName } from '../../src/model/service/signal.ts';
import type { SystemNotice } from '../../src/model/service/system-notice.ts';
import type { UnitRequest } from '../../src/model/service/unit-events.ts';
import { candidateOf } from '../../src/runtime/boot/reloader.ts';
import { AssemblySupervisor } from '../../src/runtime/control/assembly-supervisor.ts';
import { attachInspector } from '../../src/runtime/inspection/inspectors.ts';
import type { Script, Step } from '../../src/runtime/simulated/script.ts';
import type { KernelFact, NotifyFate } from '../../src/runtime/simulated/simulated-kernel.ts';
import {
  type CommandKind,
  commandKinds,
  type Deed,
  type Fault,
  type FaultName,
  hookOf,
  type Moment,
  secretOf,
  specOf,
  valuesPath,
  type When,
  type WorldPlan,
  whoever,
} from './plan.ts';
import { differenceOfRebuilt } from './rebuilt.ts';
import { createWorld, type World } from './world.ts';

/** A happening with its times: `at` on the virtual clock, `own` on chaperone's, which stops in a stall. */
export type Entry = { readonly at: number; readonly own: number } & Happening;

export type Happening =
  /** Chaperone asks the kernel for a start of the service. */
  | { readonly kind: 'requested'; readonly service: string; readonly definition: number }
  /** A start of the service reads the service's values, before it asks for the process. */
  | { readonly kind: 'read'; readonly service: string }
  | {
      readonly kind: 'spawned';
      readonly id: number;
      readonly pid: number;
      readonly service: string;
      /** The number of the connection that it serves. */
      readonly connection?: number;
    }
  /** Chaperone is told of the process. */
  | { readonly kind: 'begun'; readonly id: number }
  | { readonly kind: 'unspawned'; readonly service: string; readonly code: string }
  | {
      readonly kind: 'forked';
      readonly id: number;
      readonly pid: number;
      readonly root: number;
      /** The process group of the process. */
      readonly group: number;
      readonly service: string;
    }
  | {
      readonly kind: 'ended';
      readonly id: number;
      readonly pid: number;
      readonly status: ExitStatus;
      readonly child: boolean;
      readonly service: string;
    }
  /** A process has entered from outside. */
  | { readonly kind: 'entered'; readonly id: number; readonly pid: number }
  /** A process that had entered from outside has ended. */
  | { readonly kind: 'left'; readonly id: number; readonly pid: number }
  | { readonly kind: 'reaped'; readonly ids: readonly number[] }
  | {
      readonly kind: 'signalled';
      readonly id: number;
      readonly pid: number;
      readonly root: number;
      readonly signal: SignalName;
      readonly service: string;
    }
  | { readonly kind: 'notified'; readonly service: string; readonly text: string; readonly sender: NotifySender }
  /** A client of the service is accepted; the client of a connection finds its end. */
  | { readonly kind: 'accepted'; readonly service: string; readonly connection: number }
  | { readonly kind: 'hungUp'; readonly connection: number }
  /** Chaperone says in its log how a process has ended. */
  | { readonly kind: 'said'; readonly pid: number; readonly status: string; readonly text: string }
  /** A probe of the service asks at a port or a socket. */
  | { readonly kind: 'asked'; readonly service: string }
  /** The service has written a line to the pipe of another one, or has taken one from its own. */
  | { readonly kind: 'wrote' | 'took'; readonly service: string; readonly text: string }
  /** Chaperone says how many bytes a service has not read and will not read any more. */
  | { readonly kind: 'unread'; readonly service: string; readonly bytes: number }
  | { readonly kind: 'notice'; readonly notice: SystemNotice }
  /** A fact of the feed. */
  | { readonly kind: 'fact'; readonly fact: Fact }
  /**
   * A person's action. `refused`: it was answered with a reason and changed nothing. `pid`, `running`: what the status has for the service
   * that is to get a signal.
   */
  | {
      readonly kind: 'deed';
      readonly deed: Deed;
      readonly refused?: true;
      readonly pid?: number;
      readonly running?: number;
    }
  /** A unit requests a signal: to end its processes, to end later members, or because somebody has sent one by hand. */
  | {
      readonly kind: 'sends';
      readonly service: string;
      readonly signal: SignalName;
      readonly purpose: Extract<UnitRequest, { readonly type: 'unit.send' }>['purpose'];
    }
  /** The process with that pid and group becomes the service's leader, whoever had started it. */
  | { readonly kind: 'leads'; readonly service: string; readonly pid: number; readonly group: number }
  /** A service's chart is told to end. `killAfter`: ms until SIGKILL. `leaves`: processes that runs left live on. */
  | {
      readonly kind: 'told';
      readonly service: string;
      readonly by: 'stop' | 'reset';
      readonly leaves?: true;
      readonly killAfter?: number;
    }
  /** A copy of the service's chart was made from its memory. `difference`: the copy differs from the original. */
  | { readonly kind: 'rebuilt'; readonly service: string; readonly stage: string; readonly difference?: string }
  /** The nth configuration comes into force: the named services have new definitions, others are removed. */
  | {
      readonly kind: 'reloaded';
      readonly nth: number;
      readonly names: readonly string[];
      readonly gone: readonly string[];
      readonly force: boolean;
    }
  | { readonly kind: 'fault'; readonly fault: FaultName; readonly service?: string }
  | ({ readonly kind: 'look' } & Look)
  | { readonly kind: 'unanswered'; readonly actor: string; readonly state: string; readonly event: string };

/** The status of services, and the process table, in the same instant. */
export interface Look {
  readonly system: SystemStatus['state'];
  readonly services: readonly LookedService[];
  /** All living processes whose start was told to chaperone, and ended children whose end it does not know yet. */
  readonly processes: readonly {
    readonly id: number;
    readonly pid: number;
    readonly root: number;
    readonly service: string;
  }[];
}

export interface LookedService {
  readonly name: string;
  readonly state: PublicState;
  readonly stage: ServiceStage;
  /** Who can end its wait, as `why` says. */
  readonly owner: string;
  readonly phase: ServicePhase;
  readonly pid?: number;
  readonly running?: number;
  /** Runs whose conditions are asked. */
  readonly asking: number;
  /** Virtual ms of the next run of a schedule, as the status tells it. */
  readonly due?: number;
  /** Child actors of the service that should not be there. */
  readonly strays: readonly string[];
}

/** The state after the end of the world. */
export interface End {
  readonly output: SystemOutput | undefined;
  /** The error that was thrown. */
  readonly error: string | undefined;
  /** Virtual ms of the end. */
  readonly at: number;
  /** ms that chaperone's pending timers still had to wait. */
  readonly timers: readonly number[];
  readonly livePids: readonly number[];
  readonly unreaped: readonly number[];
  /** Pids that chaperone's table has as living. */
  readonly registered: readonly number[];
  readonly ports: readonly number[];
  readonly connections: number;
  readonly sockets: readonly string[];
  /** How many descriptors are open that no service has asked to keep. */
  readonly descriptors: number;
  /** The subscriptions that chaperone has not ended. */
  readonly subscriptions: readonly string[];
  readonly sinks: readonly SinkAccount[];
  readonly pidfiles: Readonly<Record<string, string | undefined>>;
  /** Where secrets stand that only their services may have. */
  readonly leaks: readonly string[];
  /** Services that were started without what is read for them. */
  readonly unfed: readonly string[];
}

/** Counts of lines. */
export interface SinkAccount {
  readonly name: string;
  readonly accepted: number;
  readonly written: number;
  readonly counted: number;
  /** Lines that it gets in place of other sinks, or that are said there directly. */
  readonly extra: number;
  readonly waitingBytes: number;
}

export interface WorldRun {
  readonly plan: WorldPlan;
  readonly spec: SystemSpec;
  /** Without the processes of hooks. */
  readonly history: readonly Entry[];
  /** With the processes of hooks, each of them under the name of its program. */
  readonly whole: readonly Entry[];
  readonly end: End;
  readonly transitions: readonly string[];
  /** The text of the log at stdout. */
  readonly log: string;
}

/** Virtual ms after which a world has to have ended: every plan is shorter. */
const longest = 300_000;
/** ms in which work that was begun before the end may be finished, as in `main`. */
const aftermath = 3_500;
/** How many looks are taken at one world. */
const mostLooks = 40;
const lookInterval = 2_500;
/** The account of intruders, which no service has. */
const intruderUid = 1_000;
/** A number that no process of a world gets. */
const neverPid = 4_000_000;
/** The variable in a service's environment that names the reload which has defined it. */
const definition = 'DEFINITION';
const journalFile = '/journal';
/** The signals that programs react to. */
const killSignals: readonly SignalName[] = ['SIGTERM', 'SIGINT', 'SIGUSR1', 'SIGABRT'];
/** Stands on stderr also where no logging entry puts it there. */
const failureSentence = /cannot write log records to|log records go to \S+ again/;
const lostSentence = /\d+ log records were dropped because/;

interface RunOptions {
  /** True: the transitions are kept as `--inspect` prints them. */
  readonly trace?: boolean;
  /** Receives XState's inspection events. */
  readonly inspect?: ((event: InspectionEvent) => void) | undefined;
}

/** @returns undefined where the plan's configuration contradicts itself */
export function runWorld(plan: WorldPlan, { trace = false, inspect }: RunOptions = {}): WorldRun | undefined {
  const spec = specOf(plan);
  return spec === undefined ? undefined : new Runner(plan, spec, trace, inspect).run();
}

/** The journal of a world, as `--inspect=journal` writes it. */
export async function journalOf(plan: WorldPlan): Promise<string> {
  const spec = specOf(plan);
  return spec === undefined ? '' : new Runner(plan, spec, false).journal();
}

type FaultOf<N extends FaultName> = Extract<Fault, { readonly fault: N }>;

class Runner {
  readonly #plan: WorldPlan;
  readonly #spec: SystemSpec;
  readonly #listen: ((event: InspectionEvent) => void) | undefined;
  readonly #world: World;
  readonly #supervisor: AssemblySupervisor;
  readonly #history: Entry[] = [];
  readonly #whole: Entry[] = [];
  /** The processes by their ids. */
  readonly #processes = new Map<number, { readonly pid: number; readonly root: number; readonly service: string }>();
  readonly #unreaped = new Set<number>();
  /** The processes whose start chaperone was told of. */
  readonly #begun = new Set<number>();
  readonly #alive = new Set<number>();
  readonly #starts = new Map<string, number>();
  readonly #notifications = new Map<string, number>();
  readonly #counts = new Map<string, number>();
  readonly #waiting = new Map<
    string,
    { readonly nth: number; readonly delay: number; readonly action: (service: string | undefined) => void }[]
  >();
  readonly #accepted = new Map<string, number>();
  readonly #faults: { readonly [N in FaultName]: readonly FaultOf<N>[] };
  /** How often the values of each service were read. */
  readonly #reads = new Map<string, number>();
  readonly #unfed: string[] = [];
  #looks = 0;
  #reloads = 0;
  #over = false;

  constructor(plan: WorldPlan, spec: SystemSpec, trace: boolean, inspect?: (event: InspectionEvent) => void) {
    this.#plan = plan;
    this.#spec = spec;
    this.#listen = inspect;
    const of = <N extends FaultName>(name: N) => plan.faults.filter((each): each is FaultOf<N> => each.fault === name);
    this.#faults = {
      spawnError: of('spawnError'),
      slowSpawn: of('slowSpawn'),
      values: of('values'),
      killed: of('killed'),
      stopped: of('stopped'),
      stuck: of('stuck'),
      slow: of('slow'),
      notification: of('notification'),
      mainPidMoves: of('mainPidMoves'),
      claim: of('claim'),
      intruder: of('intruder'),
      statusUntold: of('statusUntold'),
      rebuilt: of('rebuilt'),
      coalescedExits: of('coalescedExits'),
      reusedPids: of('reusedPids'),
      clockJump: of('clockJump'),
      pause: of('pause'),
      sink: of('sink'),
      exhausted: of('exhausted'),
      portTaken: of('portTaken'),
      oldPidfile: of('oldPidfile'),
      noLogSocket: of('noLogSocket'),
    };
    const [coalesced] = this.#faults.coalescedExits;
    const installed = new Map(plan.services.map((service) => [service.name, service.installed]));
    const portFaults = new Map(
      this.#faults.portTaken.map(({ service, code }) => [
        spec.services.find(({ name }) => name === service)?.port,
        code,
      ]),
    );
    this.#world = createWorld(
      spec,
      {
        has: (word) => installed.get(`${word}.service`) ?? false,
        script: ([word]) => this.#scriptOf(`${word}.service`),
        fault: ({ argv: [word] }) => {
          const service = `${word}.service`;
          const start = (this.#starts.get(service) ?? 0) + 1;
          this.#starts.set(service, start);
          return this.#faults.spawnError.find((fault) => fault.service === service && fault.start === start);
        },
        spawnDelay: ({ argv: [word] }) => {
          const service = `${word}.service`;
          const start = (this.#starts.get(service) ?? 0) + 1;
          return this.#faults.slowSpawn.find((fault) => fault.service === service && fault.start === start)?.duration;
        },
        valueFile: (path) => this.#valueAt(path),
        readDelay: ([request]) => this.#delayOfRead(request?.path ?? ''),
        listenFault: (port) => portFaults.get(port),
        notifyFate: (service) => this.#fateOf(service),
        ...(coalesced === undefined ? {} : { deliveryDelay: () => coalesced.delay }),
        seed: this.#plan.seed,
        reusesPids: this.#faults.reusedPids.length > 0,
        tellsStatus: this.#faults.statusUntold.length === 0,
        onFact: (fact) => this.#recordFact(fact),
      },
      {
        trace,
        inspect: (event) => {
          this.#inspect(event);
          inspect?.(event);
        },
      },
    );
    const { assembly, inspection, kernel } = this.#world;
    this.#supervisor = new AssemblySupervisor({
      assembly,
      kernel,
      clock: kernel.supervisorClock,
      version: '0.0.0',
      environment: {},
      widen: () => undefined,
      reload: async () => ({ kind: 'mistakes', report: 'a world has no files', diagnostics: [] }),
      scale: async () => ({ kind: 'unknown', names: [] }),
      inspection: () => Promise.resolve(inspection),
    });
    for (const [service, enabled] of installed)
      if (!enabled) this.#note({ kind: 'fault', fault: 'spawnError', service });
  }

  run(): WorldRun {
    const { assembly, kernel, clock } = this.#world;
    const entries = this.#spec.logging.filter(({ enabled }) => enabled);
    assembly.records$.subscribe((record) => this.#accept(entries, record));
    assembly.records$.subscribe((record) => this.#noteUnread(record));
    assembly.records$.subscribe((record) => this.#noteSaid(record));
    assembly.feed.facts$.subscribe((fact) => this.#recordTold(fact));
    assembly.notices$.subscribe((notice) => this.#recordNotice(notice));
    for (const fault of this.#faults.oldPidfile) {
      const path = this.#spec.services.find(({ name }) => name === fault.service)?.pidfile;
      if (path !== undefined) kernel.writeFile(path, fault.text);
    }
    for (const { code } of this.#faults.noLogSocket) kernel.sinkFaults.set(this.#spec.logSocket, code);
    for (const { when, ...deed } of this.#plan.commands)
      this.#at(when, (service) => this.#perform(meant(deed, service)));
    for (const fault of this.#plan.faults)
      if ('when' in fault) this.#at(fault.when, (service) => this.#cause(meantFault(fault, service)));
    clock.setTimeout(() => kernel.deliver('SIGTERM'), this.#plan.end);
    this.#lookOften();

    const checked = assembly.spec();
    let error: string | undefined;
    let output: SystemOutput | undefined;
    try {
      assembly.start();
      clock.run(longest, () => this.#world.output() !== undefined);
      output = this.#world.output();
      this.#over = true;
      this.#finish();
    } catch (thrown) {
      error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    }
    return {
      plan: this.#plan,
      spec: checked,
      history: this.#history,
      whole: this.#whole,
      end: this.#endOf(output, error),
      transitions: this.#world.transitions,
      log: kernel.written.stdout,
    };
  }

  async journal(): Promise<string> {
    const { inspection, assembly, kernel } = this.#world;
    await attachInspector(
      inspection.hub,
      { kind: 'journal', file: journalFile },
      {
        services: () => [],
        clock: kernel.supervisorClock,
        write: () => undefined,
        colour: false,
        announce: () => undefined,
        say: assembly.say,
        sinks: assembly.sinks,
        defer: (callback) => kernel.defer(callback),
        journal: { maxSize: 16 * 1024 * 1024, records: true },
      },
    );
    this.run();
    return kernel.files.get(journalFile) ?? '';
  }

  /** Frees the disk, reads the pipes and writes all waiting lines: what is missing then was lost. */
  #finish(): void {
    const { assembly, kernel, clock } = this.#world;
    kernel.sinkFaults.clear();
    kernel.sinkDelays.clear();
    assembly.endSyslog();
    assembly.flush();
    const pauses = this.#faults.pause.reduce((sum, { duration }) => sum + 2 * duration, 0);
    const until = (ms: number): void => clock.run(clock.now() + ms + pauses);
    until(aftermath);
    for (const sink of assembly.sinks.all()) sink.whenFinished(() => undefined);
    until(aftermath);
  }

  #scriptOf(program: string): Script | undefined {
    const service = hookOf(program)?.service ?? besideOf(program) ?? program;
    const script = this.#plainScriptOf(program);
    const stuck = this.#faults.stuck.find((fault) => fault.service === service)?.duration;
    const factor = this.#faults.slow.find((fault) => fault.service === program)?.factor;
    if (script === undefined || (stuck === undefined && factor === undefined)) return script;
    return changedScript(script, stuck, factor ?? 1);
  }

  #plainScriptOf(service: string): Script | undefined {
    const hook = hookOf(service);
    if (hook !== undefined) {
      const owner = this.#plan.services.find(({ name }) => name === hook.service);
      return owner?.hooks?.[hook.stage]?.[hook.nth - 1]?.program;
    }
    const command = commandOf(service);
    if (command !== undefined) {
      const { commands = {} } = this.#plan.services.find(({ name }) => name === command.service) ?? {};
      return inTurn(commands[command.kind] ?? [], this.#starts.get(service) ?? 1);
    }
    const asker = ofProbe(service);
    if (asker !== undefined) {
      const { probes = [] } = this.#plan.services.find(({ name }) => name === asker) ?? {};
      return inTurn(probes, this.#starts.get(service) ?? 1);
    }
    const plan = this.#plan.services.find(({ name }) => name === service);
    if (plan === undefined || !plan.installed || plan.programs.length === 0) return undefined;
    const start = this.#starts.get(service) ?? 1;
    return inTurn(plan.programs, start);
  }

  #valueAt(path: string): string | { readonly code: string } | undefined {
    const plan = this.#plan.services.find(({ name }) => valuesPath(name) === path);
    if (plan === undefined) return undefined;
    const read = (this.#reads.get(plan.name) ?? 0) + 1;
    this.#reads.set(plan.name, read);
    this.#note({ kind: 'read', service: plan.name });
    const code = this.#faultOfRead(plan.name, read)?.code;
    if (code !== undefined) return { code };
    return plan.values === 'secret' ? `${secretOf(plan.name)}\n` : `VALUE='${secretOf(plan.name)}'\n`;
  }

  /** It is asked after the files were read. */
  #delayOfRead(path: string): number | undefined {
    const service = path.replace(valuesPath(''), '');
    return this.#faultOfRead(service, this.#reads.get(service) ?? 0)?.duration;
  }

  #faultOfRead(service: string, read: number): FaultOf<'values'> | undefined {
    return this.#faults.values.find((fault) => fault.service === service && fault.read === read);
  }

  /** A process that has not what was read for it; where a file may be missing, its variable may be, too. */
  #feeds(service: string, environment: Readonly<Record<string, string>>): boolean {
    // A command beside a service has what the service has.
    const owner = besideOf(service) ?? service;
    const { values } = this.#plan.services.find(({ name }) => name === owner) ?? {};
    if (values === undefined) return environment['VALUE'] === undefined;
    if (values === 'optional' && environment['VALUE'] === undefined) return true;
    return environment['VALUE'] === secretOf(owner);
  }

  /** Where the secrets of services stand; what programs write is theirs, and these write none. */
  #leaks(): readonly string[] {
    const { kernel, assembly } = this.#world;
    const secrets = this.#plan.services.filter(({ values }) => values !== undefined).map(({ name }) => secretOf(name));
    if (secrets.length === 0) return [];
    const texts: readonly (readonly [string, string])[] = [
      ['the log', `${kernel.written.stdout}${kernel.written.stderr}`],
      ...[...kernel.files].map(([name, text]) => [name, text] as const),
      ['packets', kernel.packets.join()],
      ['words to the host', kernel.sent.join()],
      ['the status', JSON.stringify([this.#supervisor.services(), this.#supervisor.status()])],
      ['the history', JSON.stringify(this.#history)],
      ['the configuration', JSON.stringify(assembly.spec())],
      ['the transitions', this.#world.transitions.join()],
    ];
    return texts.filter(([, text]) => secrets.some((secret) => text.includes(secret))).map(([name]) => name);
  }

  #fateOf(service: string): NotifyFate | undefined {
    const nth = (this.#notifications.get(service) ?? 0) + 1;
    this.#notifications.set(service, nth);
    const fault = this.#faults.notification.find((each) => each.service === service && each.nth === nth);
    switch (fault?.how) {
      case undefined:
        return undefined;
      case 'lost':
        return [];
      case 'doubled':
        return [{ delay: 0 }, { delay: fault.delay }];
      case 'late':
        return [{ delay: fault.delay }];
      case 'foreign':
        return [{ delay: fault.delay, sender: { pid: 0, uid: 0 } }];
    }
  }

  #note(happening: Happening): void {
    const { clock, kernel } = this.#world;
    const entry = { at: clock.now(), own: kernel.supervisorClock.now(), ...happening };
    this.#whole.push(entry);
    if (!this.#isOfHook(happening)) this.#history.push(entry);
  }

  #isOfHook(happening: Happening): boolean {
    if (happening.kind === 'begun') return hookOf(this.#serviceOf(happening.id)) !== undefined;
    return 'service' in happening && happening.service !== undefined && hookOf(happening.service) !== undefined;
  }

  #recordFact(fact: KernelFact): void {
    switch (fact.kind) {
      case 'requested': {
        const { argv, environment } = fact.request;
        this.#note({
          kind: 'requested',
          service: `${argv[0]}.service`,
          definition: Number(environment[definition] ?? 0),
        });
        break;
      }
      case 'asked': {
        const { place } = fact;
        const asking = this.#spec.services.find(({ ready, healthy }) =>
          [ready, healthy].some((tree) => tree !== undefined && placesOf(tree).includes(place)),
        );
        this.#note({ kind: 'asked', service: asking?.name ?? '' });
        break;
      }
      case 'wrote':
      case 'took':
        this.#note({ kind: fact.kind, service: this.#processes.get(fact.root)?.service ?? '', text: fact.text });
        break;
      case 'accepted': {
        const { connection, port } = fact;
        const owner = this.#spec.services.find((service) => service.port === port);
        this.#note({ kind: 'accepted', service: owner?.name ?? '', connection });
        break;
      }
      case 'entered':
      case 'hungUp':
        this.#note(fact);
        break;
      case 'begun':
        this.#begun.add(fact.id);
        this.#note(fact);
        break;
      case 'spawned': {
        const { id, pid, request } = fact;
        const service = `${request.argv[0]}.service`;
        this.#processes.set(id, { pid, root: id, service });
        this.#alive.add(id);
        const { connection } = request;
        this.#note({
          kind: 'spawned',
          id,
          pid,
          service,
          ...(connection === undefined ? {} : { connection: connection.id }),
        });
        if (!this.#feeds(service, request.environment)) this.#unfed.push(service);
        this.#happened('spawned', service);
        break;
      }
      case 'unspawned':
        this.#note({ kind: 'unspawned', service: `${fact.request.argv[0]}.service`, code: fact.error.code });
        break;
      case 'forked': {
        const { id, pid, root } = fact;
        const service = this.#serviceOf(root);
        this.#processes.set(id, { pid, root, service });
        this.#alive.add(id);
        const group = this.#world.kernel.following.lookUp(pid)?.group ?? pid;
        this.#note({ kind: 'forked', id, pid, root, group, service });
        break;
      }
      case 'ended': {
        if (!this.#processes.has(fact.id)) {
          this.#note({ kind: 'left', id: fact.id, pid: fact.pid });
          break;
        }
        const service = this.#serviceOf(fact.id);
        this.#alive.delete(fact.id);
        if (fact.child) this.#unreaped.add(fact.id);
        this.#note({ ...fact, service });
        this.#happened('ended', service);
        break;
      }
      case 'reaped': {
        for (const id of fact.ids) this.#unreaped.delete(id);
        this.#note(fact);
        const [first = 0] = fact.ids;
        this.#happened('reaped', this.#serviceOf(first));
        break;
      }
      case 'signalled': {
        const service = this.#serviceOf(fact.id);
        this.#note({ ...fact, service });
        this.#happened('signalled', service);
        break;
      }
      case 'notified':
        this.#note(fact);
        this.#happened('notified', fact.service);
        break;
    }
  }

  #recordTold(fact: Fact): void {
    this.#note({ kind: 'fact', fact });
    if (fact.type === 'moved' && isServiceStage(fact.to)) this.#happened(inStage(fact.to), fact.actor);
  }

  #serviceOf(id: number): string {
    return this.#processes.get(id)?.service ?? '';
  }

  #recordNotice(notice: SystemNotice): void {
    this.#note({ kind: 'notice', notice });
    switch (notice.type) {
      case 'service.changed':
        this.#happened(notice.change.phase, notice.service);
        break;
      case 'system.ready':
        this.#happened('ready', undefined);
        break;
      case 'system.draining':
        this.#happened('draining', undefined);
        break;
      case 'service.skipped':
      case 'service.queued':
      case 'service.released':
      case 'service.reset':
      case 'service.blocked':
      case 'service.noticed':
      case 'service.healthy':
      case 'service.unhealthy':
      case 'service.survives':
      case 'service.removed':
      case 'system.waiting':
      case 'system.forced':
      case 'system.clearing':
      case 'system.halted':
        break;
    }
  }

  #inspect(event: InspectionEvent): void {
    if (event.type === '@xstate.event') this.#recordEvent(event);
    if (event.type !== '@xstate.microstep' || event._transitions.length > 0) return;
    if (event.event.type.startsWith('xstate.')) return;
    const { snapshot } = event;
    const state = 'value' in snapshot ? statePath(snapshot.value) : '';
    const actor = 'id' in event.actorRef ? String(event.actorRef.id) : event.actorRef.sessionId;
    this.#note({ kind: 'unanswered', actor, state, event: event.event.type });
  }

  /** Records commands to charts and requests of charts before the kernel acts on them. */
  #recordEvent({ event, actorRef, sourceRef }: InspectedEvent): void {
    if (isTyped(event, 'unit.send')) {
      const { signal, purpose } = event;
      const service = serviceOfUnit(sourceRef);
      if (service !== undefined) this.#note({ kind: 'sends', service, signal, purpose });
      return;
    }
    if (isTyped(event, 'unit.lead')) {
      const { pid } = event;
      const service = serviceOfUnit(sourceRef);
      const group = this.#world.kernel.following.lookUp(pid)?.group ?? pid;
      if (service !== undefined) this.#note({ kind: 'leads', service, pid, group });
      return;
    }
    if (!isTyped(event, 'service.stop') && !isTyped(event, 'service.reset')) return;
    const id = 'id' in actorRef ? String(actorRef.id) : '';
    if (!id.startsWith(serviceActorId(''))) return;
    const service = `${id.slice(serviceActorId('').length)}.service`;
    const { killAfter } = event;
    const by = event.type === 'service.stop' ? 'stop' : 'reset';
    const leaves = event.type === 'service.stop' && event.leaves ? { leaves: true as const } : {};
    this.#note({ kind: 'told', service, by, ...leaves, ...(killAfter === undefined ? {} : { killAfter }) });
  }

  /** Starts the actions that wait for this moment. */
  #happened(moment: Moment | InStage, service: string | undefined): void {
    for (const key of service === undefined ? [moment] : [moment, `${moment} ${service}`]) {
      const count = (this.#counts.get(key) ?? 0) + 1;
      this.#counts.set(key, count);
      for (const { nth, delay, action } of this.#waiting.get(key) ?? [])
        if (nth === count) this.#world.clock.setTimeout(() => action(service), delay);
    }
  }

  #at(when: When, action: (service: string | undefined) => void): void {
    const guarded = (service: string | undefined): void => {
      if (!this.#over) this.#world.kernel.supervisorClock.arrive(() => action(service));
    };
    if ('ms' in when) {
      this.#world.clock.setTimeout(() => guarded(undefined), when.ms);
      return;
    }
    const { service, nth, delay } = when;
    const moment = 'in' in when ? inStage(when.in) : when.on;
    const key = service === undefined ? moment : `${moment} ${service}`;
    const waiting = this.#waiting.get(key);
    const entry = { nth, delay, action: guarded };
    if (waiting === undefined) this.#waiting.set(key, [entry]);
    else waiting.push(entry);
  }

  #perform(deed: Deed): void {
    const { kernel } = this.#world;
    const supervisor = this.#supervisor;
    const refused =
      deed.do === 'restart' && deed.force !== true && supervisor.unrestartable(this.#known(deed.names)).length > 0;
    const { pid, running }: { readonly pid?: number; readonly running?: number } =
      deed.do === 'kill' ? (supervisor.service(deed.name) ?? {}) : {};
    this.#note({
      kind: 'deed',
      deed,
      ...(refused ? { refused } : {}),
      ...(pid === undefined ? {} : { pid }),
      ...(running === undefined ? {} : { running }),
    });
    switch (deed.do) {
      case 'start':
        supervisor.start(this.#known(deed.names), deed);
        break;
      case 'stop':
        supervisor.stop(this.#known(deed.names), { disable: deed.disable, drain: this.#drains(deed) });
        break;
      case 'restart':
        if (!refused) supervisor.restart(this.#known(deed.names), { force: deed.force ?? false });
        break;
      case 'reload':
        this.#reload(deed);
        break;
      case 'enable':
      case 'disable':
        supervisor.setEnabled(this.#known(deed.names), deed.do === 'enable');
        break;
      case 'reset':
        supervisor.reset(this.#known(deed.names), deed);
        break;
      case 'kill':
        supervisor.kill(deed.name, deed.signal);
        break;
      // The commands look names up: no request comes for a service that a reload has taken away, or to run another than cron.
      case 'run-now':
        for (const { name, type } of this.#world.assembly.spec().services)
          if (name === deed.name && type === 'cron') supervisor.runNow(name);
        break;
      case 'reload-service':
        for (const name of this.#known([deed.name])) void supervisor.reloadService(name);
        break;
      case 'shutdown':
        supervisor.shutdown(deed.delay);
        break;
      case 'signal':
        kernel.deliver(deed.signal);
        break;
      case 'connect':
        kernel.connect(deed.port);
        break;
      case 'log':
        kernel.sendLog(this.#spec.logSocket, deed.text);
        break;
    }
    this.#look();
  }

  /** True where all services are scheduled: for others the command is refused. */
  #drains({ names, drain = false }: Deed & { do: 'stop' }): boolean {
    const { services } = this.#world.assembly.spec();
    return drain && services.every(({ name, type }) => !names.includes(name) || isScheduled(type));
  }

  #known(names: readonly string[]): readonly string[] {
    const { services } = this.#world.assembly.spec();
    return names.filter((name) => services.some((service) => service.name === name));
  }

  #reload({ names, gone, force = false }: Deed & { do: 'reload' }): void {
    const { assembly, kernel } = this.#world;
    const system = assembly.system.getSnapshot();
    if (system.matches('draining') || system.matches('halted')) return;
    const before = assembly.spec();
    const nth = this.#reloads + 1;
    const services = before.services
      .filter(({ name }) => !gone.includes(name))
      .map((service) => ({
        ...service,
        // A configuration cannot name a service that it does not have.
        ...(isConsumer(service.stdout) && gone.includes(service.stdout) ? { stdout: 'log' as const } : {}),
        prerequisites: service.prerequisites.filter((name) => !gone.includes(name)),
        ...(names.includes(service.name) ? redefined(service, String(nth)) : {}),
      }));
    if (services.length === 0) return;
    const { plan, missing, spec, unstartable } = candidateOf(kernel, assembly, { ...before, services });
    if (missing.length > 0 || (unstartable.length > 0 && !force)) return;
    this.#reloads = nth;
    this.#note({ kind: 'reloaded', nth, names: this.#known(names), gone: this.#known(gone), force });
    assembly.reload(spec, plan);
  }

  #cause(fault: Fault): void {
    const { kernel, clock } = this.#world;
    this.#note({ kind: 'fault', fault: fault.fault, ...('service' in fault ? { service: fault.service } : {}) });
    const pid = 'service' in fault ? this.#victimOf(fault.service) : undefined;
    switch (fault.fault) {
      case 'killed':
        if (pid !== undefined) kernel.strike(pid, fault.signal);
        break;
      case 'stopped':
        if (pid === undefined) break;
        kernel.strike(pid, 'SIGSTOP');
        clock.setTimeout(() => kernel.strike(pid, 'SIGCONT'), fault.duration);
        break;
      case 'mainPidMoves':
        if (pid !== undefined) kernel.inject(pid, [{ do: 'fork', script: fault.child }]);
        break;
      case 'claim':
        this.#claim(fault);
        break;
      case 'intruder':
        this.#intrude(fault);
        break;
      case 'rebuilt':
        this.#rebuild();
        break;
      case 'clockJump':
        clock.setWallTime(clock.wallTime() + fault.by);
        break;
      case 'pause':
        kernel.supervisorClock.stall(fault.duration);
        break;
      case 'sink':
        if (fault.how === 'slow') kernel.sinkDelays.set(fault.sink, 300);
        else kernel.sinkFaults.set(fault.sink, fault.how === 'full' ? 'ENOSPC' : 'EPIPE');
        clock.setTimeout(() => {
          kernel.sinkFaults.delete(fault.sink);
          kernel.sinkDelays.delete(fault.sink);
        }, fault.duration);
        break;
      case 'exhausted':
        kernel.exhausted = fault.what;
        clock.setTimeout(() => {
          kernel.exhausted = undefined;
        }, fault.duration);
        break;
      case 'spawnError':
      case 'slowSpawn':
      case 'values':
      case 'stuck':
      case 'slow':
      case 'notification':
      case 'coalescedExits':
      case 'reusedPids':
      case 'portTaken':
      case 'oldPidfile':
      case 'noLogSocket':
      case 'statusUntold':
        break;
    }
    this.#look();
  }

  #claim({ service, of, by }: FaultOf<'claim'>): void {
    const { kernel } = this.#world;
    const pid = this.#victimOf(of);
    const claimant = this.#victimOf(service);
    if (pid === undefined) return;
    if (by !== 'pidfile') {
      const text = `${by === 'READY' ? 'READY=1\n' : ''}MAINPID=${pid}`;
      if (claimant !== undefined) kernel.inject(claimant, [{ do: 'notify', text }]);
      return;
    }
    const path = this.#spec.services.find(({ name }) => name === service)?.pidfile;
    if (path !== undefined) kernel.writeFile(path, `${pid}\n`);
  }

  #intrude({ service, texts, from, descriptors, of, pidfile, duration }: FaultOf<'intruder'>): void {
    const { kernel } = this.#world;
    const pid = kernel.enter(intruderUid, { steps: [{ do: 'wait', ms: duration }] });
    const other = this.#victimOf(of) ?? pid;
    const filled = (text: string): string => text.replaceAll('$$', String(pid)).replaceAll('$of', String(other));
    const sender = {
      itself: { pid, uid: intruderUid },
      nobody: { pid: neverPid, uid: intruderUid },
      elsewhere: { pid: 0, uid: 0 },
    }[from];
    for (const text of texts) kernel.intrude(service, { text: filled(text), sender, descriptors });
    const path = this.#spec.services.find(({ name }) => name === service)?.pidfile;
    if (path !== undefined && pidfile !== '') kernel.writeFile(path, filled(pidfile), intruderUid);
  }

  #rebuild(): void {
    const { children } = this.#world.assembly.system.getSnapshot();
    for (const { name } of this.#world.assembly.spec().services) {
      const snapshot: unknown = children[serviceActorId(name)]?.getSnapshot();
      if (!isServiceSnapshot(snapshot)) continue;
      const difference = differenceOfRebuilt(snapshot, this.#listen);
      const stage = statePath(snapshot.value);
      this.#note({ kind: 'rebuilt', service: name, stage, ...(difference === undefined ? {} : { difference }) });
    }
  }

  /** The youngest process of a service. */
  #victimOf(service: string): number | undefined {
    let pid: number | undefined;
    for (const id of this.#alive) {
      const process = this.#processes.get(id);
      if (process?.service === service) pid = process.pid;
    }
    return pid;
  }

  #lookOften(): void {
    this.#world.clock.setTimeout(() => {
      if (this.#over) return;
      this.#look();
      this.#lookOften();
    }, lookInterval);
  }

  #look(): void {
    const { assembly } = this.#world;
    const snapshot = assembly.system.getSnapshot();
    if (snapshot.status !== 'active' || snapshot.matches('halted') || this.#looks >= mostLooks) return;
    this.#looks += 1;
    const { ledger } = snapshot.context;
    const { clock } = this.#world;
    const services = this.#supervisor.services().map((service): LookedService => {
      const slot = ledger.slots.get(service.name);
      const actor = snapshot.children[serviceActorId(service.name)]?.getSnapshot();
      return {
        name: service.name,
        state: service.state,
        stage: service.stage,
        owner: service.why.owner,
        phase: slot === undefined ? 'pending' : phaseOf(slot),
        ...(service.pid === undefined ? {} : { pid: service.pid }),
        ...(service.running === undefined ? {} : { running: service.running }),
        ...(service.nextRun === undefined ? {} : { due: clock.now() + service.nextRun - clock.wallTime() }),
        asking: Object.keys(actor?.children ?? {}).filter((id) => id.startsWith('ask-')).length,
        strays: straysOf(actor),
      };
    });
    const processes = [...this.#alive, ...this.#unreaped].flatMap((id) => {
      const process = this.#processes.get(id);
      const isCounted = process !== undefined && this.#begun.has(process.root) && hookOf(process.service) === undefined;
      return isCounted ? [{ id, ...process }] : [];
    });
    this.#note({ kind: 'look', system: this.#supervisor.status().state, services, processes });
  }

  #accept(entries: readonly LoggingSpec[], record: LogRecord): void {
    for (const { name, namedOnly, selector, stdout, stderr, file, syslogHost } of entries) {
      const takes =
        record.entry === undefined ? namedOnly !== true && selects(selector, record) : record.entry === name;
      if (!takes) continue;
      const sinks = [
        ...(stdout ? ['stdout'] : []),
        ...(stderr ? ['stderr'] : []),
        ...(file === undefined ? [] : [file]),
        ...(syslogHost === undefined ? [] : [`syslog host ${syslogHost}`]),
      ];
      for (const sink of sinks) this.#accepted.set(sink, (this.#accepted.get(sink) ?? 0) + 1);
    }
  }

  /** What chaperone says itself of the end of a process; programs may print the same. */
  #noteSaid({ own, message }: LogRecord): void {
    if (own !== true || !message.includes(' exit status for pid=')) return;
    const [, pid, status] = /^\S+ exit status for pid=(\d+) .*?is '(<.*>)'/.exec(message) ?? [];
    if (status !== undefined) this.#note({ kind: 'said', pid: Number(pid), status, text: message });
  }

  #noteUnread({ own, message }: LogRecord): void {
    const [, service, bytes] = /^(\S+) has not read the last (\d+) bytes/.exec(message) ?? [];
    if (own === true && service !== undefined) this.#note({ kind: 'unread', service, bytes: Number(bytes) });
  }

  #endOf(output: SystemOutput | undefined, error: string | undefined): End {
    const { assembly, kernel, clock } = this.#world;
    const texts = new Map<string, readonly string[]>([
      ['stdout', kernel.written.stdout.split('\n')],
      ['stderr', kernel.written.stderr.split('\n')],
      ['syslog host logs', kernel.packets],
      ...[...kernel.files].map(([name, text]): [string, readonly string[]] => [name, text.split('\n')]),
    ]);
    const diverted = assembly.sinks.all().reduce((sum, { divertedTotal }) => sum + divertedTotal, 0);
    const kept = this.#history.reduce(
      (sum, entry) => sum + (entry.kind === 'notified' && entry.text.includes('FDSTORE=1') ? 1 : 0),
      0,
    );
    return {
      output,
      error,
      at: clock.now(),
      timers: kernel.supervisorClock.pending,
      livePids: kernel.livePids,
      unreaped: kernel.unreaped,
      registered: [...new Set([...this.#processes.values()].map(({ pid }) => pid))].filter((pid) =>
        assembly.live.has(pid),
      ),
      ports: kernel.ports,
      connections: kernel.openConnections,
      sockets: kernel.openSockets,
      descriptors: Math.max(0, kernel.openDescriptors.size - kept),
      subscriptions: [
        ...(kernel.signals$.observed ? ['signals'] : []),
        ...(kernel.childrenGone$.observed ? ['childrenGone'] : []),
        ...(kernel.exits$.observers.length > 1 ? ['exits'] : []),
      ],
      sinks: assembly.sinks.all().map(({ name, droppedTotal, divertedTotal, waitingBytes }) => ({
        name,
        accepted: this.#accepted.get(name) ?? 0,
        written: (texts.get(name) ?? []).filter((line) => line !== '' && !lostSentence.test(line)).length,
        counted: droppedTotal + divertedTotal,
        extra:
          name === 'stderr'
            ? diverted + (texts.get(name) ?? []).filter((line) => failureSentence.test(line)).length
            : 0,
        waitingBytes,
      })),
      leaks: this.#leaks(),
      unfed: this.#unfed,
      pidfiles: Object.fromEntries(
        this.#spec.services.flatMap(({ name, pidfile }) =>
          pidfile === undefined ? [] : [[name, kernel.readFile(pidfile)]],
        ),
      ),
    };
  }
}

type InStage = `in ${ServiceStage}`;

/** The name of the moment in which a chart comes to a stage. */
function inStage(stage: ServiceStage): InStage {
  return `in ${stage}`;
}

/** The deed, with the service to which its time has come in the place of `whoever`. */
function meant(deed: Deed, service: string | undefined): Deed {
  const named = (name: string): string => (name === whoever && service !== undefined ? service : name);
  if ('name' in deed) return { ...deed, name: named(deed.name) };
  if (!('names' in deed)) return deed;
  const names = [...new Set(deed.names.map(named))];
  return deed.do === 'reload' ? { ...deed, names, gone: deed.gone.map(named) } : { ...deed, names };
}

function meantFault(fault: Fault, service: string | undefined): Fault {
  return 'service' in fault && fault.service === whoever && service !== undefined ? { ...fault, service } : fault;
}

/** Another environment, by which a start shows which definition of the service it has. */
function redefined({ environment, values }: ServiceSpec, nth: string): Pick<ServiceSpec, 'environment' | 'values'> {
  const level = { values: new Map([[definition, nth]]) };
  return {
    environment: { ...environment, [definition]: nth },
    ...(values === undefined ? {} : { values: { ...values, levels: [level], outer: 1 } }),
  };
}

type InspectedEvent = Extract<InspectionEvent, { readonly type: '@xstate.event' }>;
type Observed = UnitRequest | ServiceCommand;

function isTyped<T extends Observed['type']>(
  event: { readonly type: string },
  type: T,
): event is Extract<Observed, { readonly type: T }> {
  return event.type === type;
}

/** The service of a unit that makes a request. */
function serviceOfUnit(ref: InspectedEvent['sourceRef']): string | undefined {
  const snapshot: unknown = ref?.getSnapshot();
  if (!isUnitSnapshot(snapshot)) return undefined;
  const { service, beside } = snapshot.context.run;
  if (beside?.kind === 'hook') return `${beside.hook.command}.service`;
  if (beside?.kind === 'helper') return `${beside.role === 'reload_command' ? 'reload' : 'condition'}:${service.name}`;
  return beside?.kind === 'probe' ? `${probePrefix}${service.name}` : service.name;
}

function isUnitSnapshot(snapshot: unknown): snapshot is SnapshotFrom<typeof unitMachine> {
  return isOf(snapshot, unitMachine.id);
}

function isServiceSnapshot(snapshot: unknown): snapshot is SnapshotFrom<typeof serviceMachine> {
  return isOf(snapshot, serviceMachine.id);
}

function isOf(snapshot: unknown, id: string): boolean {
  if (typeof snapshot !== 'object' || snapshot === null || !('machine' in snapshot)) return false;
  const { machine } = snapshot;
  return typeof machine === 'object' && machine !== null && 'id' in machine && machine.id === id;
}

/** The script of the nth start (from 1). */
function inTurn(scripts: readonly Script[], nth: number): Script | undefined {
  return scripts[(nth - 1) % Math.max(1, scripts.length)];
}

/** The word that stands before the name of a service in the program of a probe's command. */
const probePrefix = 'probe:';

/** The service whose probe a program is, by the name that the program has as a service. */
export function ofProbe(service: string): string | undefined {
  return service.startsWith(probePrefix) ? service.slice(probePrefix.length) : undefined;
}

/** The service beside which a program runs: as the command of a probe, a condition or a reload; undefined for other programs. */
export function besideOf(service: string): string | undefined {
  return ofProbe(service) ?? commandOf(service)?.service;
}

/** Which command of a service a program is: that of a condition, or that of a reload. */
export function commandOf(name: string): { readonly service: string; readonly kind: CommandKind } | undefined {
  const kind = commandKinds.find((each) => name.startsWith(`${each}:`));
  return kind === undefined ? undefined : { kind, service: name.slice(kind.length + 1) };
}

/** The ports and sockets that probes ask at. */
function placesOf(tree: ProbeTree): readonly (number | string)[] {
  return probesOf(tree).flatMap(({ check }) => {
    if (check.kind === 'tcp') return [check.port];
    if (check.kind === 'unix') return [check.path];
    return check.kind === 'http' ? [check.unix ?? Number(new URL(check.url).port)] : [];
  });
}

/** Child actors of a service that should not be there: a service knows each of its units. */
function straysOf(actor: unknown): readonly string[] {
  if (typeof actor !== 'object' || actor === null || !('children' in actor) || !('context' in actor)) return [];
  const { children, context } = actor;
  if (typeof children !== 'object' || children === null || typeof context !== 'object' || context === null) return [];
  const expected = new Set(['notifications', 'readiness', 'trigger']);
  // Nobody asks for the health of a service that does not run.
  if ('value' in actor && statePath(actor.value) === 'ready.running') expected.add('health');
  if ('hook' in context && context.hook !== undefined) expected.add('hooks');
  if ('hasUnit' in context && context.hasUnit === true) for (const id of ['unit', 'conditions']) expected.add(id);
  if ('reload' in context && context.reload !== undefined) expected.add('reload');
  if ('runs' in context && typeof context.runs === 'object' && context.runs !== null)
    for (const run of Object.values(context.runs))
      for (const kind of ['unit', 'ask']) expected.add(`${kind}-${String(run.place)}`);
  return Object.keys(children).filter((id) => !expected.has(id));
}

/** The records that a selector of a world selects, implemented independently of the source. */
function selects(selector: string, { facility, severity, program }: LogRecord): boolean {
  switch (selector) {
    case '*.*':
      return true;
    case 'local5.*':
      return facility === 'local5';
    case '*.warn;[chaperone].*':
      return severities.indexOf(severity) <= severities.indexOf('warning') || program === 'chaperone';
    default:
      throw new Error(`no world selects ${selector}`);
  }
}

/** A script with longer waits, and with a delay before SIGKILL works. */
function changedScript(script: Script, stuck: number | undefined, factor: number): Script {
  const change = (step: Step): Step => {
    if (step.do === 'wait') return { ...step, ms: step.ms * factor };
    return step.do === 'fork' ? { ...step, script: changedScript(step.script, stuck, factor) } : step;
  };
  const onSignal: Partial<Record<SignalName, 'ignore' | readonly Step[]>> = { ...script.onSignal };
  for (const signal of killSignals) {
    const reaction = onSignal[signal];
    if (reaction !== undefined && reaction !== 'ignore') onSignal[signal] = reaction.map(change);
  }
  return {
    ...script,
    steps: script.steps.map(change),
    onSignal,
    ...(stuck === undefined ? {} : { stuck }),
  };
}
