/**
 * The `processes` port of the unit machine, on a kernel: it starts a program, or takes over a running one, reports the
 * program's end and the processes that are left of its group or tree, and sends signals. It holds what the kernel has
 * returned (pids, a tree, subscriptions). The unit decides when to signal which processes, and when to look.
 */
import { finalize, map, merge, type Observable, take } from 'rxjs';
import { fromCallback } from 'xstate';
import type { LogRecord } from '../../model/log/log-record.ts';
import {
  about,
  daemonLeft,
  environmentDump,
  exitKillsAhead,
  exitSeen,
  explicitStatus,
  helperAttempt,
  hookAttempt,
  hookFailed,
  hookLeft,
  inputEnded,
  killing,
  type Message,
  memberReaped,
  orphanReaped,
  pidChanged,
  probeKilled,
  signalDenied,
  signalling,
  startAttempt,
  terminating,
} from '../../model/log/messages.ts';
import { isScheduled } from '../../model/schedule/scheduled-runs.ts';
import { besideSpec, type HookRun } from '../../model/service/beside.ts';
import { isNormalEnd } from '../../model/service/ending.ts';
import { type ExitStatus, isNormal } from '../../model/service/exit-status.ts';
import { type HookPlace, hookWords } from '../../model/service/hook.ts';
import { isEntry } from '../../model/service/output.ts';
import { ownsRemains, type ServiceSpec, shortName } from '../../model/service/service-spec.ts';
import type { SignalName } from '../../model/service/signal.ts';
import type { SpawnError } from '../../model/service/spawn-error.ts';
import type { SignalOutcome, UnitFact, UnitReport, UnitRequest, UnitRun } from '../../model/service/unit-events.ts';
import { codeOf } from '../../model/words/errno.ts';
import type { ExitRouter, Timed } from '../../streams/exit-router.ts';
import type { LineCutter } from '../../streams/lines.ts';
import { outputRecords } from '../../streams/output-records.ts';
import type {
  Clock,
  Kernel,
  OutputControl,
  ProcessExit,
  ProcessTree,
  ProcessView,
  SpawnOutcome,
  SpawnRequest,
  TimerId,
  TreeMember,
} from '../kernel.ts';
import type { Channels } from './channels.ts';
import type { Checks } from './checks.ts';
import type { LiveProcesses } from './live-processes.ts';
import type { NotifySockets } from './notify-sockets.ts';
import type { Pidfiles } from './pidfiles.ts';
import { descriptorsOf, fdProbes } from './probe-descriptors.ts';
import { type EnvironmentPorts, type StartEnvironment, startEnvironment } from './start-environment.ts';

export interface ProcessEnd {
  readonly pid: number;
  readonly status: ExitStatus;
}

export interface UnitPorts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly exits: ExitRouter<ProcessExit>;
  readonly live: LiveProcesses;
  readonly pidfiles: Pidfiles;
  readonly notify: NotifySockets;
  readonly loadValues: EnvironmentPorts['loadValues'];
  /** What listens to runs for the probes of services that have some. */
  readonly checks: () => Checks;
  readonly channels: Channels;
  /** Takes the output of services. */
  readonly onOutput: (service: ServiceSpec, stream: 'stdout' | 'stderr', record: LogRecord) => void;
  /** Called when an output opens, with its unfinished line; the function that it returns is called when the output ends. */
  readonly onOpen: (service: ServiceSpec, stream: 'stdout' | 'stderr', cutter: LineCutter) => () => void;
  /** Called when a run's output opens, which is to be held back while a sink is full; returns a function that ends this. */
  readonly onFlow: (service: ServiceSpec, output: OutputControl) => () => void;
  /** The most bytes of one record. */
  readonly maxLine: () => number;
  /** Called for each process that is started for a service. */
  readonly onBegin: (service: ServiceSpec, pid: number, hook?: HookPlace) => void;
  /** Called at each end of a service's leader, of the leader of one of its runs, or of a hook. */
  readonly onEnd: (service: ServiceSpec, end: ProcessEnd, hook?: HookPlace) => void;
  /** Called in the turn in which somebody sends a signal to a service by hand, with what will have come of it. */
  readonly onSignalled: (outcome: Promise<SignalOutcome>) => void;
  /** Takes messages about a service. */
  readonly onMessage: (message: Message) => void;
}

type Tell = (fact: UnitFact | UnitReport) => void;

/** ms from the end of an orphan to a look at the units: many such ends share one look. */
const orphanPause = 20;
/** ms in real time from a look that misses a process to the latest news of its end: the body may have reaped it, and not told it yet. */
const newsDelay = 5_000;
/** How many ancestors of a process are looked at. */
const mostAncestors = 64;
/** How many characters of the output of a probe's command are kept. */
const longestSaid = 4_096;
/** How many ends of orphans are remembered. */
const mostOrphans = 256;

export class Units {
  readonly #ports: UnitPorts;
  /** Units whose leader has ended. */
  readonly #leaderless = new Set<Unit>();
  /** By pid: the processes of units at the last look, and when they began: somebody else may have the number since. */
  readonly #members = new Map<number, { readonly unit: Unit; readonly began: number }>();
  /** By pid, the latest last: the processes that a look has missed, whose end is not known yet, and when that was. */
  readonly #missed = new Map<number, { readonly unit: Unit; readonly at: number }>();
  /** By invocation: the units that own all descendants of their start. */
  readonly #invocations = new Map<string, Unit>();
  /** By pid, the latest last: how and when, in real time, processes have ended that no unit had started. */
  readonly #orphans = new Map<number, { readonly status: ExitStatus; readonly at: number }>();
  /** The starts of all services so far: the counter for _CHAP_SERVICE_SERIAL. */
  #starts = 0;
  /** By service: the number of its present start, which its hooks share. */
  readonly #numbers = new Map<string, { readonly serial: number; readonly nth: number }>();
  #look: TimerId | undefined;

  constructor(ports: UnitPorts) {
    this.#ports = ports;
  }

  /** The environment with which the service would be started now, without what belongs to one run. */
  environmentOf(service: ServiceSpec): Promise<StartEnvironment> {
    return new Promise((told) => {
      startEnvironment(service, {}, this.#ports, told);
    });
  }

  /** The service that a process belongs to, where that is known. */
  ownerOf(process: ProcessView): string | undefined {
    const { pid, group, began } = process;
    const { live, kernel } = this.#ports;
    const leads = live.ownerOf(pid, began);
    if (leads !== undefined) return leads;
    const member = this.#members.get(pid);
    if (member?.began === began) return member.unit.service.name;
    // A process with the number of a leader that is gone may lead a group of that number, too.
    const leader = group === pid ? undefined : live.ownerOf(group, kernel.following.lookUp(group)?.began);
    if (leader !== undefined) return leader;
    const invocation = kernel.following.invocationOf(pid);
    const unit = invocation === undefined ? undefined : this.#invocations.get(invocation);
    return unit?.service.name ?? this.#ownerOfAncestor(process);
  }

  /** The service whose leader the process descends from, where the service speaks by its processes and no tree of them is kept. */
  #ownerOfAncestor({ parent }: ProcessView): string | undefined {
    const { live, kernel } = this.#ports;
    let ancestor = parent > 1 ? kernel.following.lookUp(parent) : undefined;
    for (let steps = 0; ancestor !== undefined && steps < mostAncestors; steps += 1) {
      const { pid, began, parent: next } = ancestor;
      const service = live.ownerOf(pid, began) === undefined ? undefined : live.all().get(pid);
      if (service !== undefined) return isNamedByOthers(service) ? service.name : undefined;
      ancestor = next > 1 ? kernel.following.lookUp(next) : undefined;
    }
    return undefined;
  }

  /** How and when, in real time, a process has ended that no unit had started, if it ended after `since`. */
  endOf(pid: number, since: number): { readonly status: ExitStatus; readonly at: number } | undefined {
    const end = this.#orphans.get(pid);
    return end === undefined || end.at < since ? undefined : end;
  }

  /** Takes the end of a process that no unit has started: it may have been in the group of a unit. */
  takeOrphan({ pid, status }: Pick<ProcessExit, 'pid' | 'status'>): void {
    const { onMessage, pidfiles } = this.#ports;
    const owner = (this.#members.get(pid) ?? this.#missed.get(pid))?.unit;
    this.#members.delete(pid);
    this.#missed.delete(pid);
    this.#orphans.delete(pid);
    this.#orphans.set(pid, { status, at: this.#ports.clock.realTime() });
    if (this.#orphans.size > mostOrphans)
      for (const oldest of this.#orphans.keys()) {
        this.#orphans.delete(oldest);
        break;
      }
    // A daemon may end before its service follows it: the new pidfile tells whose it was.
    const starter = pidfiles.starterOf(pid);
    const isLeader = starter !== undefined && (owner === undefined || owner.service.name === starter);
    if (isLeader) onMessage(exitSeen(starter, pid, status));
    else if (owner === undefined) onMessage(orphanReaped(pid, status));
    else onMessage(memberReaped(owner.service.name, pid, status));
    if (this.#leaderless.size > 0) this.#lookSoon();
  }

  logic() {
    return fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(({ input, sendBack, receive }) => {
      const unit = new Unit(input, this.#ports, sendBack, this.#numberOf(input), {
        onLeaderless: (isLeaderless) => {
          if (isLeaderless) this.#leaderless.add(unit);
          else this.#leaderless.delete(unit);
        },
        onTracked: (invocation) => this.#invocations.set(invocation, unit),
        onOver: (invocation) => this.#invocations.delete(invocation),
        onSeen: (members) => {
          for (const { pid } of unit.seen) this.#miss(pid, unit);
          for (const { pid, began } of members) this.#see(pid, { unit, began });
        },
      });
      receive((request) => unit.take(request));
      unit.begin();
      return () => unit.end();
    });
  }

  /** The number of the start to which a run belongs. */
  #numberOf({ service: { name, hooks }, serial, beside }: UnitRun): number {
    if (beside?.kind === 'helper' || beside?.kind === 'probe') return this.#starts;
    const known = this.#numbers.get(name);
    if (known?.serial === serial) return known.nth;
    this.#starts += 1;
    if (hooks === undefined) this.#numbers.delete(name);
    else this.#numbers.set(name, { serial, nth: this.#starts });
    return this.#starts;
  }

  #see(pid: number, member: { readonly unit: Unit; readonly began: number }): void {
    this.#members.set(pid, member);
    this.#missed.delete(pid);
  }

  #miss(pid: number, unit: Unit): void {
    if (this.#members.get(pid)?.unit !== unit) return;
    const now = this.#ports.clock.realTime();
    this.#members.delete(pid);
    for (const [old, { at }] of this.#missed) {
      if (now - at < newsDelay) break;
      this.#missed.delete(old);
    }
    this.#missed.set(pid, { unit, at: now });
  }

  #lookSoon(): void {
    this.#look ??= this.#ports.clock.setTimeout(() => {
      this.#look = undefined;
      for (const unit of [...this.#leaderless]) unit.look();
    }, orphanPause);
  }
}

interface UnitKeeper {
  readonly onLeaderless: (isLeaderless: boolean) => void;
  /** Called when the unit begins to own all descendants of this start. */
  readonly onTracked: (invocation: string) => void;
  /** Called when the unit ends, which owns no descendant of this start any more. */
  readonly onOver: (invocation: string) => void;
  readonly onSeen: (members: readonly TreeMember[]) => void;
}

class Unit {
  readonly service: ServiceSpec;
  /** The processes at the last look. */
  seen: readonly TreeMember[] = [];
  readonly #run: UnitRun;
  readonly #ports: UnitPorts;
  readonly #tell: Tell;
  readonly #nth: number;
  readonly #keeper: UnitKeeper;
  readonly #begunAt: number;
  /** The pid of the spawned process, unless that is a hook. */
  #root = 0;
  /** The pid of the leader; 0 once it has ended. */
  #leader = 0;
  #tree: ProcessTree | undefined;
  /** The id of the start; empty where this unit has taken over a running program. */
  #invocation = '';
  /** True once the unit was told to end. */
  #asked = false;
  /** The processes that were there when SIGKILL was sent, as far as they are known one by one. */
  #killed: Set<number> | undefined;
  #leaderGone = false;
  #over = false;
  /** The end of what the command of a probe has written. */
  #said = '';
  /** Closes the pipe of the standard input, once its end was told to the service. */
  #noteInputEnd: (() => void) | undefined;
  /** Cancels the start; after its verdict it does nothing. */
  #cancel: () => void = () => undefined;

  constructor(run: UnitRun, ports: UnitPorts, tell: Tell, nth: number, keeper: UnitKeeper) {
    this.#run = run;
    this.service = run.service;
    const { onMessage } = ports;
    this.#ports = { ...ports, onMessage: (message) => onMessage(about(run.service, message)) };
    this.#tell = tell;
    this.#nth = nth;
    this.#keeper = keeper;
    this.#begunAt = ports.clock.realTime();
  }

  begin(): void {
    const { clock, kernel, exits } = this.#ports;
    const { serial, resumes } = this.#run;
    if (resumes !== undefined) {
      const { pid, asked } = resumes;
      this.#root = pid;
      this.#asked = asked;
      this.#leaderGone = pid === 0;
      if (pid === 0) return;
      if (this.#ownsGroup()) this.#tree = kernel.following.trackGroup(pid);
      this.#follow(pid, exits.exitOf(pid), kernel.following.lookUp(pid)?.began);
      return;
    }
    this.#cancel = this.#start((pid) => {
      if (typeof pid === 'number') this.#tell({ type: 'unit.spawned', serial, pid, at: clock.now() });
      else this.#tell({ type: 'unit.spawnFailed', serial, error: pid, at: clock.now() });
    });
  }

  take(request: UnitRequest): void {
    switch (request.type) {
      case 'unit.send':
        this.#send(request);
        break;
      case 'unit.look':
        this.look();
        break;
      case 'unit.finish':
        this.#finish();
        break;
      case 'unit.cancel':
        this.#cancel();
        break;
      case 'unit.lead':
        this.#lead(request.pid);
        break;
    }
  }

  /** Reports how many processes live after the end of the leader. */
  look(): void {
    const members = this.#membersLeft();
    const left = members.length;
    const fresh = this.#killed !== undefined && members.some(({ pid }) => this.#killed?.has(pid) !== true);
    if (left === 0 && this.#leaderGone) {
      this.#keeper.onLeaderless(false);
      if (this.#asked && this.#run.beside === undefined) this.#ports.pidfiles.remove(this.service);
    }
    this.#tell({ type: 'unit.seen', left, fresh, at: this.#ports.clock.now() });
  }

  /** Ends the unit: its owner is gone, so that later ends of its processes are recorded but reported to nobody. */
  end(): void {
    this.#over = true;
    if (this.#isOfProbe) this.#endProbe();
    this.#keeper.onLeaderless(false);
    this.#keeper.onSeen([]);
    this.#tree?.forget();
    this.#keeper.onOver(this.#invocation);
  }

  /** Nobody waits for the command of a probe once its unit ends: it ends with its group, also where it does not run yet. */
  #endProbe(): void {
    this.#cancel();
    const leader = this.#liveLeader();
    if (leader !== 0) this.#ports.kernel.signal(leader, 'SIGKILL', 'group');
    else for (const { pid } of this.#membersLeft()) this.#ports.kernel.signal(pid, 'SIGKILL', 'process');
  }

  /** Spawns the program, and tells its pid or what has failed. Returns what cancels the start. */
  #start(told: (pid: number | SpawnError) => void): () => void {
    const { kernel, clock, notify, onMessage } = this.#ports;
    const { service, connection, serial, beside } = this.#run;
    if (beside?.kind === 'hook') return this.#startHook(beside, told);
    const refuse = (error: SpawnError): (() => void) => {
      told(error);
      return () => undefined;
    };
    const notifying = service.type === 'notify' ? openNotify(notify, this.#run) : noNotify;
    if ('code' in notifying) return refuse(notifying);
    const probing = descriptorsOf(service, notifying.request.descriptors?.length ?? 0);
    if ('code' in probing) return refuse(probing);
    const invocation = kernel.following.newInvocation();
    const known = {
      _CHAP_SERVICE_SERIAL: String(this.#nth),
      _CHAP_SERVICE_TIME: String(Math.floor(clock.wallTime() / 1000)),
      ...notifying.variables,
      ...probing.variables,
      INVOCATION_ID: invocation,
      // The variables are those of systemd.exec(5) for socket units with Accept=yes.
      ...(connection === undefined ? {} : { REMOTE_ADDR: connection.address, REMOTE_PORT: String(connection.port) }),
      ...(beside?.kind === 'helper' ? beside.variables : {}),
    };
    if (beside?.kind === 'helper') onMessage(helperAttempt(service, beside.role));
    else if (beside === undefined) {
      if (service.ready !== undefined || service.healthy !== undefined) this.#ports.checks().begin(service, serial);
      onMessage(startAttempt(service));
    }
    const request = { ...notifying.request, ...(probing.pipes.length === 0 ? {} : { pipes: probing.pipes }) };
    return this.#spawn(known, request, invocation, told);
  }

  /** @param known the variables of this run */
  #spawn(
    known: Readonly<Record<string, string>>,
    request: Pick<SpawnRequest, 'descriptors' | 'pidVariables' | 'pipes'>,
    invocation: string,
    told: (pid: number | SpawnError) => void,
  ): () => void {
    const { kernel, pidfiles, onMessage } = this.#ports;
    const { service, connection } = this.#run;
    const settle = (outcome: SpawnOutcome): void => {
      // The process has its own copy of the connection, and only the process's end is to close it.
      if (connection !== undefined) kernel.closeConnection(connection);
      if (outcome.ok && this.#isOfProbe) this.#beganProbe(outcome);
      else if (outcome.ok) this.#began(outcome, invocation);
      told(outcome.ok ? outcome.pid : outcome.error);
    };
    const client = connection === undefined ? {} : { connection };
    let cancel = (): void => undefined;
    const giveUp = startEnvironment(service, known, this.#ports, (result) => {
      if (!result.ok) return settle(result);
      const { environment, hidden } = result;
      if (service.debug) for (const message of environmentDump(service, environment, hidden)) onMessage(message);
      if (service.exitKills && !isScheduled(service.type)) onMessage(exitKillsAhead(service));
      if (!this.#isOfProbe) pidfiles.noteBefore(service);
      const streams = openStreams(this.#ports.channels, service);
      if ('code' in streams) return settle({ ok: false, error: streams });
      const more = { environment, ...streams, ...request, ...client };
      cancel = spawnService(kernel, service, more, settle);
    });
    return () => {
      giveUp();
      cancel();
    };
  }

  /** Spawns a hook: the words of its command are made now. */
  #startHook(run: HookRun, told: (pid: number | SpawnError) => void): () => void {
    const { kernel, clock, onMessage } = this.#ports;
    const { service } = this;
    const fail = (error: SpawnError): void => {
      onMessage(hookFailed(service.name, run, { kind: 'spawn', error }));
      told(error);
    };
    const invocation = kernel.following.newInvocation();
    const known = {
      _CHAP_SERVICE_SERIAL: String(this.#nth),
      _CHAP_SERVICE_TIME: String(Math.floor(clock.wallTime() / 1000)),
      ...run.variables,
      INVOCATION_ID: invocation,
    };
    let cancel = (): void => undefined;
    const giveUp = startEnvironment(service, known, this.#ports, (result) => {
      if (!result.ok) return fail(result.error);
      const { environment, hidden } = result;
      // Words are public (/proc/PID/cmdline), and no secret is put into them.
      const open = Object.entries(environment).filter(([name]) => !hidden.has(name));
      const words = hookWords(run.hook, { ...service.hooks?.own, ...Object.fromEntries(open), ...known });
      if (!words.ok) return fail({ code: 'EINVAL', stage: 'words', program: run.hook.command, detail: words.problem });
      onMessage(hookAttempt(service, run, words.argv));
      const spec = hookSpec(service, run, words.argv);
      const streams = openStreams(this.#ports.channels, spec);
      if ('code' in streams) return fail(streams);
      cancel = spawnService(kernel, spec, { environment, ...streams }, (outcome) => {
        if (!outcome.ok) return fail(outcome.error);
        this.#beganHook(outcome, invocation, run);
        told(outcome.pid);
      });
    });
    return () => {
      giveUp();
      cancel();
    };
  }

  #beganHook(outcome: SpawnOutcome & { readonly ok: true }, invocation: string, run: HookRun): void {
    const { kernel, exits, onBegin, live } = this.#ports;
    const { pid } = outcome;
    this.#leader = pid;
    this.#invocation = invocation;
    onBegin(this.service, pid, run);
    // Whatever a hook leaves behind is ended, daemons too.
    this.#tree = kernel.following.track(pid, invocation, false);
    this.#keeper.onTracked(invocation);
    this.#readOutput(outcome);
    live.add(pid, this.service);
    exits.exitOf(pid).subscribe((end) => this.#noteHookEnd(end, run));
  }

  #noteHookEnd({ pid, status, at }: Timed<ProcessEnd>, run: HookRun): void {
    const { clock, live, onEnd, onMessage } = this.#ports;
    const { name } = this.service;
    live.forget(pid, this.service);
    this.#tree?.startEnded();
    onMessage(exitSeen(name, pid, status));
    onEnd(this.service, { pid, status }, run);
    if (this.#over) return;
    if (!isNormal(status) && !this.#asked) onMessage(hookFailed(name, run, { kind: 'exit', status }));
    this.#noteLeaderGone();
    const left = this.#membersLeft().length;
    if (left > 0) {
      this.#keeper.onLeaderless(true);
      if (!this.#asked) onMessage(hookLeft(name, run, left));
    }
    const age = clock.realTime() - this.#begunAt;
    this.#tell({ type: 'unit.leaderExited', serial: this.#run.serial, pid, status, left, age, at });
  }

  /** The command of a probe is not what its service is: nothing is told of it but its end. */
  #beganProbe({ pid, stdout }: SpawnOutcome & { readonly ok: true }): void {
    const { kernel, exits, live } = this.#ports;
    this.#root = pid;
    if (this.#over) {
      kernel.signal(pid, 'SIGKILL', 'group');
      return;
    }
    this.#tree = kernel.following.trackGroup(pid);
    const decoder = new TextDecoder();
    stdout.subscribe((bytes) => {
      this.#said = `${this.#said}${decoder.decode(bytes, { stream: true })}`.slice(-longestSaid);
    });
    this.#leader = pid;
    live.add(pid, this.service);
    exits.exitOf(pid).subscribe((end) => this.#noteProbeEnd(end));
  }

  #noteProbeEnd({ pid, status, at, leavesGroup }: Timed<ProcessEnd & { readonly leavesGroup?: boolean }>): void {
    const { clock, live } = this.#ports;
    live.forget(pid, this.service);
    this.#tree?.startEnded();
    if (this.#over) return;
    this.#noteLeaderGone();
    const left = leavesGroup === false ? 0 : this.#membersLeft().length;
    if (left > 0) this.#keeper.onLeaderless(true);
    const age = clock.realTime() - this.#begunAt;
    const said = this.#said === '' ? {} : { said: this.#said };
    this.#tell({ type: 'unit.leaderExited', serial: this.#run.serial, pid, status, left, age, ...said, at });
  }

  #began(outcome: SpawnOutcome & { readonly ok: true }, invocation: string): void {
    const { kernel, notify, pidfiles, exits, live, onBegin } = this.#ports;
    const { service } = this;
    const { pid } = outcome;
    this.#root = pid;
    if (!this.#isHelper) {
      pidfiles.noteSpawned(service);
      onBegin(service, pid);
      notify.setStartPid(service.name, pid);
    }
    this.#invocation = invocation;
    if (ownsRemains(service)) {
      this.#tree = kernel.following.track(pid, invocation, service.type === 'forking');
      this.#keeper.onTracked(invocation);
    } else if (this.#ownsGroup()) this.#tree = kernel.following.trackGroup(pid);
    this.#readOutput(outcome);
    this.#readProbes(outcome);
    const began = isNamedByOthers(service) ? kernel.following.lookUp(pid)?.began : undefined;
    live.noteStart(service.name, began);
    this.#follow(pid, exits.exitOf(pid), began);
  }

  /** Makes records of what the run writes; while a sink has no room for them, the run's output is not read. */
  #readOutput({ pid, stdout, stderr, output }: SpawnOutcome & { readonly ok: true }): void {
    const { clock, maxLine, onFlow, onOpen, onOutput } = this.#ports;
    const { service } = this;
    const source = { program: shortName(service.name), service: service.name, pid, maxLine: maxLine() };
    const entries = { stdout: entryOf(service.stdout), stderr: entryOf(service.stderr) };
    const removeFlow = onFlow(service, output);
    let open = 2;
    for (const [stream, bytes$] of [
      ['stdout', stdout],
      ['stderr', stderr],
    ] as const) {
      let close = (): void => undefined;
      const entry = entries[stream];
      const only = entry === undefined ? {} : { entry };
      const records = outputRecords({ ...source, ...only, stream, wallTime: () => clock.wallTime() }, (cutter) => {
        close = onOpen(service, stream, cutter);
      });
      const end = (): void => {
        close();
        open -= 1;
        if (open === 0) removeFlow();
      };
      const { ready, healthy } = service;
      const checks = ready === undefined && healthy === undefined ? undefined : this.#ports.checks();
      bytes$.pipe(records, finalize(end)).subscribe((record) => {
        checks?.line(service.name, this.#run.serial, record.message);
        onOutput(service, stream, record);
      });
    }
  }

  /** Passes on what the run writes to the descriptors of its probes. */
  #readProbes({ pipes }: SpawnOutcome & { readonly ok: true }): void {
    if (pipes.length === 0) return;
    const { service } = this;
    const { serial } = this.#run;
    const checks = this.#ports.checks();
    const names = fdProbes(service);
    for (const [index, bytes$] of pipes.entries()) {
      const name = names[index];
      if (name !== undefined) bytes$.subscribe((bytes) => checks.told(service.name, serial, name, bytes));
    }
  }

  get #isHook(): boolean {
    return this.#run.beside?.kind === 'hook';
  }

  get #isOfProbe(): boolean {
    return this.#run.beside?.kind === 'probe';
  }

  /** True for a command beside the service's own that is logged like it: its process is not the service. */
  get #isHelper(): boolean {
    return this.#run.beside?.kind === 'helper';
  }

  #ownsGroup(): boolean {
    return this.service.killMode !== 'process' && this.service.ownGroup;
  }

  /** True where the unit owns all that its start leaves behind. */
  #ownsTree(): boolean {
    return this.#isHook || ownsRemains(this.service);
  }

  /**
   * Makes this process the unit's leader.
   *
   * @param began the time of its start, where that is known
   */
  #follow(
    pid: number,
    end$: Observable<Timed<ProcessEnd & { readonly leavesGroup?: boolean }>>,
    began: number | undefined,
  ): void {
    const { live, notify } = this.#ports;
    this.#leader = pid;
    this.#leaderGone = false;
    live.add(pid, this.service, began);
    this.#keeper.onLeaderless(false);
    if (!this.#isHelper) notify.setMainPid(this.service.name, pid);
    // Even after another process has become the leader, this one's end is recorded.
    end$.subscribe((end) => this.#noteEnd(end));
  }

  #lead(pid: number): void {
    if (pid === this.#leader) return;
    const { onMessage, exits } = this.#ports;
    onMessage(pidChanged(this.service.name, pid, this.#leader === 0 ? this.#root : this.#leader));
    const { began } = this.#ports.kernel.following.lookUp(pid) ?? {};
    this.#follow(pid, endOf(this.#ports, this.service, pid, exits), began);
  }

  #noteEnd({ pid, status, at, leavesGroup }: Timed<ProcessEnd & { readonly leavesGroup?: boolean }>): void {
    const { clock, live, notify, onEnd, onMessage, pidfiles } = this.#ports;
    const { name } = this.service;
    const isLeader = pid === this.#leader;
    live.forget(pid, this.service);
    if (pid === this.#root) {
      this.#tree?.startEnded();
      notify.noteStartEnd(name, pid);
    } else onMessage(explicitStatus(name, status));
    onMessage(exitSeen(name, pid, status, this.service));
    if (this.#over || !isLeader) return;
    if (!this.#isHelper) onEnd(this.service, { pid, status });
    this.#noteLeaderGone();
    this.#noteInputEnd?.();
    const isEmpty = leavesGroup === false && !ownsRemains(this.service);
    const left = isEmpty ? 0 : this.#membersLeft().length;
    if (isNormalEnd(this.service, status) && !this.#asked) this.#tellDaemons();
    const named = pidfiles.names(this.service, pid) ? { named: true as const } : {};
    const isOver = left === 0 && (this.#asked || (this.#tree !== undefined && !isNormalEnd(this.service, status)));
    // A pidfile is stale once nothing of the unit is left, or the named daemon has ended: at the next stop it would
    // name a dead process, or a foreign one with the same pid. The file of a start that has ended stays, to find the
    // daemon by.
    if (isOver || pid !== this.#root) pidfiles.remove(this.service, isOver ? undefined : pid);
    if (left > 0) this.#keeper.onLeaderless(true);
    const age = clock.realTime() - this.#begunAt;
    this.#tell({ type: 'unit.leaderExited', serial: this.#run.serial, pid, status, left, age, ...named, at });
  }

  #noteLeaderGone(): void {
    this.#leader = 0;
    this.#leaderGone = true;
  }

  /** Tells what a service has left behind that is to stay in the foreground. */
  #tellDaemons(): void {
    const { kernel, onMessage } = this.#ports;
    const { name, type, pidfile } = this.service;
    if (type !== 'simple' || pidfile !== undefined) return;
    // A daemon leaves the process group of its start.
    const daemons = kernel.following.daemonsOf(`INVOCATION_ID=${this.#invocation}`);
    const count = new Set([...this.seen.map(({ pid }) => pid), ...daemons]).size;
    if (count > 0) onMessage(daemonLeft(name, count));
  }

  /** The processes of the unit's group or tree, except the leader. */
  #membersLeft(): readonly TreeMember[] {
    const members = (this.#tree?.members() ?? []).filter(({ pid }) => pid !== this.#leader);
    this.#keeper.onSeen(members);
    this.seen = members;
    return members;
  }

  /** Lets the service find the end of its input, at which it may end by itself. */
  #finish(): void {
    const { channels, onMessage } = this.#ports;
    const { name, killSignal } = this.service;
    this.#asked = true;
    this.#noteInputEnd = channels.finish(name);
    onMessage(inputEnded(name, killSignal));
    if (this.#leaderGone) this.#noteInputEnd?.();
  }

  #send({ signal, purpose, asked }: UnitRequest & { readonly type: 'unit.send' }): void {
    const { onMessage, onSignalled } = this.#ports;
    const { name } = this.service;
    const isStop = purpose === 'stop';
    if (isStop) this.#asked = true;
    const leader = purpose === 'again' ? 0 : this.#liveLeader();
    const isAlone = this.#signalsLeaderAlone(signal);
    const group = isAlone ? undefined : this.#groupOf(leader);
    const members = !isAlone && (isStop || leader === 0) ? this.#membersToSignal(group) : [];
    const others = purpose === 'again' ? members.filter(({ pid }) => this.#killed?.has(pid) !== true) : members;
    const pids = [...(leader === 0 ? [] : [leader]), ...others.map(({ pid }) => pid)];
    if (purpose === 'hand') onMessage(signalling(name, signal));
    else if (this.#isOfProbe) onMessage(probeKilled(name, pids));
    else if (pids.length > 0) onMessage(signal === 'SIGKILL' ? killing(name, pids, asked) : terminating(name, signal));
    if (signal === 'SIGKILL' && purpose !== 'hand') {
      this.#killed ??= new Set();
      for (const { pid } of members) this.#killed.add(pid);
    }
    const targets = [
      ...(leader === 0 ? [] : [{ pid: leader, whom: group === undefined ? 'process' : 'group' } as const]),
      ...others.map(({ pid }) => ({ pid, whom: 'process' }) as const),
    ];
    const outcome = new Promise<SignalOutcome>((resolve) => {
      this.#signalEach(signal, targets, isStop, (outcomes) => resolve(this.#signalled(signal, outcomes)));
    });
    if (purpose === 'hand') onSignalled(outcome);
    if (isStop && this.#leaderGone) this.look();
  }

  /** Signals each target, and tells all outcomes at once. */
  #signalEach(
    signal: SignalName,
    targets: readonly { readonly pid: number; readonly whom: 'process' | 'group' }[],
    isStop: boolean,
    told: (outcomes: readonly SignalOutcome[]) => void,
  ): void {
    const { kernel, onMessage } = this.#ports;
    const outcomes: SignalOutcome[] = [];
    if (targets.length === 0) told(outcomes);
    for (const { pid, whom } of targets) {
      kernel.signal(pid, signal, whom, (outcome) => {
        outcomes.push(outcome);
        // `vanished` needs no message: the exit is on its way.
        if (outcome === 'denied') onMessage(signalDenied(this.service.name, pid, signal));
        if (outcomes.length === targets.length) told(outcomes);
      });
      // A stopped process handles no signal but SIGKILL before SIGCONT (systemd does the same).
      if (isStop && signal !== 'SIGKILL') kernel.signal(pid, 'SIGCONT', whom);
    }
  }

  /** Reports a signal that did not arrive, and returns what came of it as a whole. */
  #signalled(signal: SignalName, outcomes: readonly SignalOutcome[]): SignalOutcome {
    const arrived = outcomes.includes('sent') ? 'sent' : (outcomes[0] ?? 'vanished');
    if (arrived !== 'sent' && !this.#over)
      this.#tell({ type: 'unit.signalled', signal, outcome: arrived, at: this.#ports.clock.now() });
    return outcomes.includes('denied') ? 'denied' : arrived;
  }

  /** The leader's pid; 0 where the leader was reaped unreported, so that the pid may be another process's. */
  #liveLeader(): number {
    return this.#ports.live.isOf(this.#leader, this.service.name) ? this.#leader : 0;
  }

  /** With `kill_mode: mixed` only SIGKILL is for all. */
  #signalsLeaderAlone(signal: SignalName): boolean {
    return !this.#isHook && this.service.killMode === 'mixed' && signal !== 'SIGKILL';
  }

  /** The process group that the leader leads, where signals are for the whole group. */
  #groupOf(leader: number): number | undefined {
    if (leader === 0) return undefined;
    if (this.#isHook) return leader;
    if (this.service.killMode === 'process') return undefined;
    if (leader === this.#root) return this.service.ownGroup ? leader : undefined;
    return this.#ports.kernel.following.lookUp(leader)?.group === leader ? leader : undefined;
  }

  /** The members that a signal to the leader's group does not reach; they are not looked up where it reaches all. */
  #membersToSignal(group: number | undefined): readonly TreeMember[] {
    if (group === this.#root && !this.#ownsTree()) return [];
    return this.#membersLeft().filter((member) => member.group !== group);
  }
}

/** A hook as a service of its own. With `+` it runs under chaperone's account, and without limits. */
function hookSpec(service: ServiceSpec, { hook }: HookRun, argv: readonly string[]): ServiceSpec {
  const { account: _account, resources: _resources, ...own } = besideSpec(service, { command: hook.command, argv });
  const { account, resources } = service;
  const rights = {
    ...(account === undefined ? {} : { account }),
    ...(resources === undefined ? {} : { resources }),
  };
  return { ...own, ...(hook.asChaperone === true ? {} : rights), killSignal: 'SIGTERM' };
}

/** The logging entry that alone takes the stream. */
function entryOf(target: ServiceSpec['stderr']): string | undefined {
  return isEntry(target) ? target : undefined;
}

/** True where the service's processes may name others as the service, so that their owners and ages matter. */
function isNamedByOthers({ pidfile, type }: ServiceSpec): boolean {
  return pidfile !== undefined || type === 'notify';
}

/** The standard streams of a start, or why a pipe among them cannot be made. */
function openStreams(channels: Channels, service: ServiceSpec): ReturnType<Channels['streamsOf']> | SpawnError {
  try {
    return channels.streamsOf(service);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { code, stage: 'pipe', program: service.argv[0] ?? '' };
  }
}

/** The values of a start for sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3). */
interface NotifyNeeds {
  readonly variables: Readonly<Record<string, string>>;
  readonly request: Pick<SpawnRequest, 'descriptors' | 'pidVariables'>;
}

const noNotify: NotifyNeeds = { variables: {}, request: {} };

function openNotify(notify: NotifySockets, { service, serial }: UnitRun): NotifyNeeds | SpawnError {
  const kept = notify.kept(service.name);
  let path: string;
  try {
    path = notify.open(service, serial);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    return { code, stage: 'notify', program: service.argv[0] ?? '' };
  }
  const { watchdog } = service;
  return {
    variables: {
      NOTIFY_SOCKET: path,
      ...(watchdog === undefined ? {} : { WATCHDOG_USEC: String(Math.round(watchdog * 1000)) }),
      ...(kept.length === 0
        ? {}
        : { LISTEN_FDS: String(kept.length), LISTEN_FDNAMES: kept.map(({ name }) => name).join(':') }),
    },
    request: {
      ...(kept.length === 0 ? {} : { descriptors: kept.map(({ descriptor }) => descriptor) }),
      pidVariables: [...(watchdog === undefined ? [] : ['WATCHDOG_PID']), ...(kept.length === 0 ? [] : ['LISTEN_PID'])],
    },
  };
}

/**
 * The end of a process that chaperone did not start. Where chaperone is its parent by then, waitid(2) tells the status.
 * Otherwise the status is that of the kernel, or that of the service's EXIT_STATUS.
 */
function endOf(
  { kernel, clock, notify }: UnitPorts,
  service: ServiceSpec,
  pid: number,
  exits: ExitRouter<ProcessExit>,
): Observable<Timed<ProcessEnd>> {
  const gone$ = kernel.following.watchEnd(pid).pipe(
    map((status): Timed<ProcessEnd> => {
      const told = notify.exitStatus(service.name);
      const known =
        status.kind === 'unknown' && told !== undefined ? ({ kind: 'exited', code: told } as const) : status;
      return { pid, status: known, at: clock.now() };
    }),
  );
  return merge(exits.exitOf(pid), gone$).pipe(take(1));
}

/**
 * Spawns in the account's home by default; if that cannot be entered, in chaperone's own directory instead.
 *
 * @returns cancels the start
 */
function spawnService(
  kernel: Kernel,
  service: ServiceSpec,
  more: Omit<SpawnRequest, 'argv' | 'ownGroup' | 'stopSignal' | 'directory' | 'account'>,
  told: (outcome: SpawnOutcome) => void,
): () => void {
  const request: SpawnRequest = {
    ...more,
    argv: service.argv,
    ownGroup: service.ownGroup,
    stopSignal: service.killSignal,
    ...(service.account === undefined ? {} : { account: service.account }),
    ...(service.resources === undefined ? {} : { resources: service.resources }),
  };
  const attempts = new Attempts(kernel);
  const home = service.account?.home;
  if (service.directory !== undefined) attempts.atTerminal({ ...request, directory: service.directory }, told);
  else if (home === undefined) attempts.atTerminal(request, told);
  else
    attempts.atTerminal({ ...request, directory: home }, (outcome) => {
      if (attempts.mayFollow(outcome, 'directory')) attempts.atTerminal(request, told);
      else told(outcome);
    });
  return () => attempts.cancel();
}

/** The attempts of one start, one after another. Once it is cancelled, no other attempt follows. */
class Attempts {
  readonly #kernel: Kernel;
  readonly #cancels: (() => void)[] = [];
  #isCancelled = false;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  cancel(): void {
    this.#isCancelled = true;
    for (const cancel of this.#cancels) cancel();
  }

  /** True where an attempt has failed at this stage, so that another one without what has failed may follow. */
  mayFollow(outcome: SpawnOutcome, stage: SpawnError['stage']): boolean {
    return !outcome.ok && outcome.error.stage === stage && !this.#isCancelled;
  }

  /** Spawns at a terminal. Without a foreground group to give (not chaperone's controlling terminal) it does without. */
  atTerminal(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): void {
    this.#spawn(request, (outcome) => {
      if (this.mayFollow(outcome, 'terminal')) this.#spawn({ ...request, stdin: 'inherit' }, told);
      else told(outcome);
    });
  }

  #spawn(request: SpawnRequest, told: (outcome: SpawnOutcome) => void): void {
    this.#cancels.push(this.#kernel.spawn(request, told));
  }
}
