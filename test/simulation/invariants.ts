/**
 * Rules that hold in every world. Each invariant is a pure function of what was recorded: it returns what is wrong, or
 * nothing. The invariants are written from the reference and not from the code.
 */

import type { Fact } from '../../src/facts/fact.ts';
import { type Tie, tieTo } from '../../src/model/order/prerequisite.ts';
import { isScheduled, mostRuns } from '../../src/model/schedule/scheduled-runs.ts';
import { answerOf, type Condition, questionsOf } from '../../src/model/service/condition.ts';
import { type ExitStatus, shellStatus } from '../../src/model/service/exit-status.ts';
import { hooksOf } from '../../src/model/service/hook.ts';
import {
  describeProbe,
  type OnUnhealthy,
  type ProbeState,
  probesOf,
  standingOfTree,
} from '../../src/model/service/probe.ts';
import { type FailureCause, isEnded, isLive, type ServicePhase } from '../../src/model/service/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../../src/model/service/service-spec.ts';
import { answerInvariants } from './answer-invariants.ts';
import {
  isChange,
  isOver,
  isTriggered,
  isUp,
  lets,
  meets,
  type State,
  specsOf,
  stands,
  systemStage,
  walk,
} from './history.ts';
import { hookInvariants } from './hook-invariants.ts';
import { Groups, Owners, Starts } from './owners.ts';
import { hookOf } from './plan.ts';
import { besideOf, commandOf, type Entry, ofProbe, runWorld, type WorldRun } from './run-world.ts';

export type Invariant = (run: WorldRun) => string | undefined;

function noticeAt(run: WorldRun, type: string): Entry | undefined {
  return run.history.find((entry) => entry.kind === 'notice' && entry.notice.type === type);
}

function has(run: WorldRun, fault: string): boolean {
  return run.plan.faults.some((each) => each.fault === fault);
}

/** True for types whose main process may change, so that the spawned process does not show everything. */
function mayMove(spec: ServiceSpec | undefined): boolean {
  if (spec === undefined) return false;
  const { type, pidfile } = spec;
  return type === 'forking' || type === 'notify' || pidfile !== undefined;
}

function hasStopHooks(spec: ServiceSpec | undefined): boolean {
  return hooksOf(spec?.hooks, 'before_stop').length > 0 || hooksOf(spec?.hooks, 'stop_command').length > 0;
}

type Backoff = Extract<Extract<Entry, { kind: 'notice' }>['notice'], { type: 'service.changed' }>['change'] & {
  phase: 'backoff';
};

/** One try that follows an end. */
interface Again {
  readonly spec: ServiceSpec;
  readonly change: Backoff;
  /** The number of its pause, from the last time at which the service was stable. */
  readonly number: number;
  /** The tries that count against the limit, this one included. */
  readonly counted: number;
  /** A normal end after startup_pause, which uses up no try. */
  readonly isFree: boolean;
}

/** Counts the tries of every service, as the reference says. */
class Tries {
  readonly #numbers = new Map<string, number>();
  readonly #counted = new Map<string, number>();
  /** With a window: when each try came. */
  readonly #times = new Map<string, number[]>();
  readonly #pauses = new Map<string, number>();
  readonly #readyAt = new Map<string, number>();
  readonly #settled = new Map<string, boolean>();
  /** Services of which a datagram may have made their tries forgotten, if it was permitted. */
  readonly #unsure = new Set<string>();

  note(entry: Entry, specs: ReadonlyMap<string, ServiceSpec>): Again | undefined {
    if (entry.kind === 'deed' && entry.deed.do === 'reset') for (const name of entry.deed.names) this.#forget(name);
    if (entry.kind === 'notified' && entry.text.includes('RESTART_RESET=1')) {
      this.#forget(entry.service);
      if (specs.get(entry.service)?.notifyAccess !== undefined) this.#unsure.add(entry.service);
    }
    if (entry.kind !== 'notice') return undefined;
    const { notice } = entry;
    if (notice.type === 'service.released') this.#forget(notice.service);
    if (notice.type !== 'service.changed') return undefined;
    const { service, change } = notice;
    const spec = specs.get(service);
    if (spec === undefined) return undefined;
    const wasReady = entry.own - (this.#readyAt.get(service) ?? entry.own);
    this.#readyAt.delete(service);
    if (wasReady > 0 && wasReady >= (this.#pauses.get(service) ?? 0) + stableMargin) this.#rest(service);
    if (change.phase === 'ready.running') this.#readyAt.set(service, entry.own);
    if (change.phase === 'starting') this.#settled.delete(service);
    if (change.phase === 'exited') this.#settled.set(service, change.wasReady);
    if (change.phase !== 'backoff' || this.#unsure.has(service)) return undefined;
    return this.#count(spec, change, entry.own);
  }

  #count(spec: ServiceSpec, change: Backoff, at: number): Again {
    const { name, restartPolicy: { window } = {} } = spec;
    const isFree = change.normal === true && this.#settled.get(name) === true;
    const number = Math.max(1, (this.#numbers.get(name) ?? 0) + (isFree ? 0 : 1));
    this.#numbers.set(name, number);
    this.#pauses.set(name, change.delay);
    const since = window === undefined ? Number.NEGATIVE_INFINITY : at - window;
    const times = [
      ...(this.#times.get(name) ?? []).filter((time) => time > since),
      ...(isFree ? [] : [at + change.delay]),
    ];
    this.#times.set(name, times);
    const counted = window === undefined ? (this.#counted.get(name) ?? 0) + (isFree ? 0 : 1) : times.length;
    this.#counted.set(name, counted);
    return { spec, change, number, counted, isFree };
  }

  /** The service was stable. With a window, its tries go on counting. */
  #rest(name: string): void {
    this.#numbers.delete(name);
    this.#counted.delete(name);
    this.#pauses.delete(name);
  }

  #forget(name: string): void {
    this.#rest(name);
    this.#times.delete(name);
  }
}

function isEnding(ending: number | string, status: ExitStatus): boolean {
  return status.kind === 'exited' ? status.code === ending : status.kind === 'signaled' && status.signal === ending;
}

/** The service whose start begins: it reads its values, or, where it has none to read, asks for its process at once. */
function startBegun({ plan }: WorldRun, entry: Entry): string | undefined {
  if (entry.kind === 'read') return entry.service;
  if (entry.kind !== 'requested') return undefined;
  const reads = plan.services.some(({ name, values }) => name === entry.service && values !== undefined);
  return reads ? undefined : entry.service;
}

/** The service whose chart begins a start. */
function startOf(entry: Entry): string | undefined {
  if (entry.kind !== 'fact' || entry.fact.type !== 'moved') return undefined;
  const { actor, from, to } = entry.fact;
  return to.startsWith('starting.') && !from.startsWith('starting.') ? actor : undefined;
}

/** Tells the runs of schedules, which begin without a move of the chart. */
class RunsBegun {
  /** Cron services of which a run has asked a condition, and has not begun since. */
  readonly #asking = new Set<string>();
  /** By service: whether it was disabled when the values for its next process were read. */
  readonly #reads = new Map<string, boolean>();

  /** The service of which this entry begins a run although it is disabled. What a run has begun goes on. */
  unasked(entry: Entry, specs: ReadonlyMap<string, ServiceSpec>, disabled: ReadonlySet<string>): string | undefined {
    if (isChange(entry) && isEnded(entry.notice.change.phase)) this.#asking.delete(entry.notice.service);
    if (entry.kind === 'notice' && entry.notice.type === 'service.noticed') {
      const { kind } = entry.notice.news;
      if (kind === 'unmet' || kind === 'unasked') this.#asking.delete(entry.notice.service);
    }
    if (entry.kind === 'read') this.#reads.set(entry.service, disabled.has(entry.service));
    if (entry.kind !== 'requested') return undefined;
    const hook = hookOf(entry.service);
    const command = commandOf(entry.service);
    const service = hook?.service ?? command?.service ?? entry.service;
    const { type = 'simple', hooks } = specs.get(service) ?? {};
    const wasDisabled = this.#reads.get(service) ?? disabled.has(service);
    this.#reads.delete(service);
    if (!isScheduled(type)) return undefined;
    if (command !== undefined) {
      // An inetd service asks at its start, which is a move of its chart.
      if (command.kind !== 'condition' || type === 'inetd' || this.#asking.has(service)) return undefined;
      this.#asking.add(service);
    } else {
      // The first hook of before_start begins a run, where there is one.
      const isPrepared = hooksOf(hooks, 'before_start').length > 0;
      const isFirst = hook === undefined ? !isPrepared : hook.stage === 'before_start' && hook.nth === 1;
      if (!isFirst || this.#asking.delete(service)) return undefined;
    }
    return wasDisabled ? service : undefined;
  }
}

/** Tells which services were asked for by hand or by a reload, from the request until they are ready. */
class Asked {
  readonly #names = new Set<string>();

  /** True where the entry is about a service that was asked for, before the entry counts. */
  note(entry: Entry, { phases, asked }: State): boolean {
    if (entry.kind === 'deed' && (entry.deed.do === 'start' || entry.deed.do === 'restart') && entry.refused !== true) {
      const { deed } = entry;
      for (const name of deed.names) {
        // A start does nothing where the service is up, or starts already, and nobody ends it.
        const phase = phases.get(name) ?? 'pending';
        const isThere = phase === 'starting' || (isUp(phase) && phase !== 'exited');
        if (deed.do === 'restart' || deed.force || !isThere || asked.has(name)) this.#names.add(name);
      }
    }
    if (entry.kind === 'reloaded') for (const name of entry.names) this.#names.add(name);
    // The prerequisites that a forced start takes along are asked for, too.
    if (entry.kind === 'fact' && entry.fact.type === 'moved' && entry.fact.event['askedBy'] !== undefined)
      this.#names.add(entry.fact.actor);
    if (!isChange(entry)) return false;
    const { service, change } = entry.notice;
    const was = this.#names.has(service);
    if (isUp(change.phase)) this.#names.delete(service);
    return was;
  }
}

/** The service whose kill signal, or signals, such a process gets: a command of start_if stands in the place of its service's own. */
function endedAs(name: string): string {
  const command = commandOf(name);
  return command?.kind === 'condition' ? command.service : name;
}

/** The service whose schedule was due: it runs, or its last run goes on. */
function scheduledRun(run: WorldRun, entry: Entry): string | undefined {
  const begun = startBegun(run, entry);
  if (begun !== undefined) return begun;
  if (entry.kind !== 'notice' || entry.notice.type !== 'service.noticed') return undefined;
  return entry.notice.news.kind === 'skipped' ? entry.notice.service : undefined;
}

/** True where each tick of a cron service is a run, or is skipped. */
function runsAtTicks(spec: ServiceSpec | undefined): boolean {
  const { jitter, overlap, catchUp } = spec?.cron ?? {};
  return (
    spec?.type === 'cron' &&
    spec.startIf === undefined &&
    jitter === undefined &&
    overlap === undefined &&
    catchUp === undefined
  );
}

/** The services that are told to reload: somebody asks for it, or a prerequisite is back. */
function servicesToReload(entry: Entry): readonly string[] {
  if (entry.kind === 'fact' && entry.fact.type === 'requested')
    return entry.fact.verb === 'reload' ? entry.fact.services : [];
  if (entry.kind !== 'notice' || entry.notice.type !== 'service.tied') return [];
  return entry.notice.consequence === 'reload' ? [entry.notice.service] : [];
}

/** A run is ended for itself: it has lasted too long, or the next one replaces it. */
function endsRun(entry: Entry): entry is Entry & { readonly notice: { readonly service: string } } {
  if (entry.kind !== 'notice' || entry.notice.type !== 'service.noticed') return false;
  const { kind } = entry.notice.news;
  return kind === 'overran' || kind === 'replaced';
}

/** A run that `run-now` replaces is told of only after its signal, in the same instant: the system still answers the request. */
function isRunEndedAt({ history }: WorldRun, index: number, service: string): boolean {
  const at = history[index]?.own;
  for (const entry of history.slice(index + 1)) {
    if (entry.own !== at) return false;
    if (endsRun(entry) && entry.notice.service === service) return true;
  }
  return false;
}

/** True for what follows at once on an unhealthy service. */
function isAnswer(entry: Entry, service: string, answer: OnUnhealthy): boolean {
  if (answer === 'restart')
    return isChange(entry) && entry.notice.service === service && entry.notice.change.phase === 'stopping';
  return entry.kind === 'notice' && entry.notice.type === 'system.draining';
}

/** The phases that may follow each phase. */
const ways: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  disabled: ['starting', 'stopped'],
  pending: ['starting', 'stopped'],
  starting: [
    'disabled',
    'ready.running',
    'ready.exited',
    'exited',
    'ready.scheduled',
    'stopping',
    'stopped',
    'backoff',
    'failed',
  ],
  'ready.running': ['exited', 'stopping', 'backoff', 'failed'],
  // A service fails in these and in its pause because of its prerequisite; in `exited` also where no try is left.
  'ready.exited': ['ready.running', 'stopping', 'stopped', 'failed'],
  exited: ['ready.running', 'stopping', 'stopped', 'backoff', 'failed'],
  'ready.scheduled': ['stopping'],
  backoff: ['starting', 'stopped', 'failed'],
  stopping: ['starting', 'stopped', 'backoff', 'failed', 'exited', 'ready.exited'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};

/** ms beyond its last pause for which a service has to be ready before its restarts are forgotten. */
const stableMargin = 1_000;
/** ms between two looks at the processes that a daemon has left behind. */
const longestLook = 250;
/** ms after which the end of another process's child is known at the latest, whenever its parent reaps it. */
const longestReaping = 1_275 + longestLook;
/** ms from the kill signal to SIGKILL when a service ends its own failed run. */
const clearGrace = 2_000;
/** ms by which SIGKILL may be late: stops that are due at nearly the same time are handled together. */
const grain = 20;
/** ms after which a start is given up whose values are not read. */
const readPatience = 10_000;
/** ms that the kernel may take to end a process after SIGKILL. */
const killGrace = 1_000;
/** ms between the first signal and SIGKILL that every process gets, while the system does not end. */
const leastGrace = 1_000;

export const invariants = {
  ...hookInvariants,
  ...answerInvariants,

  'nothing starts before its prerequisites are ready': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.released') return undefined;
      const { service } = entry.notice;
      const held = specs.get(service)?.prerequisites.find((name) => {
        const spec = specs.get(name);
        return spec !== undefined && !meets(run, spec, tieTo(specs.get(service), name), state);
      });
      return held === undefined ? undefined : `${service} starts while ${held} is ${state.phases.get(held)}`;
    });
  },

  'nothing starts before the stage before it stands': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.released') return undefined;
      const spec = specs.get(entry.notice.service);
      if (spec === undefined) return undefined;
      const held = run.spec.services.find(
        (other) => systemStage(other) < systemStage(spec) && !state.wereReady.has(other.name) && !lets(other, state),
      );
      return held === undefined
        ? undefined
        : `${spec.name} starts while ${held.name} is ${state.phases.get(held.name)}`;
    });
  },

  'every start was let go, or is a restart after its pause': (run) => {
    const specs = specsOf(run);
    /** When each service may start: at once after its release, or after its restart pause. */
    const allowed = new Map<string, number>();
    return walk(run, (entry) => {
      if (entry.kind === 'notice') {
        const { notice } = entry;
        if (notice.type === 'service.released') allowed.set(notice.service, entry.own);
        if (notice.type !== 'service.changed') return undefined;
        if (notice.change.phase === 'backoff') allowed.set(notice.service, entry.own + notice.change.delay);
        else if (notice.change.phase === 'stopped') allowed.delete(notice.service);
        return undefined;
      }
      if (entry.kind !== 'requested') return undefined;
      const spec = specs.get(entry.service);
      if (spec === undefined || isScheduled(spec.type)) return undefined;
      const from = allowed.get(entry.service);
      allowed.delete(entry.service);
      if (from === undefined) return `${entry.service} starts, and nobody has let it go`;
      return entry.own < from ? `${entry.service} starts ${from - entry.own} ms too early` : undefined;
    });
  },

  'nothing starts once shutdown has begun': (run) => {
    const begin = noticeAt(run, 'system.draining')?.own;
    const released = new Map<string, number>();
    return walk(run, (entry, { draining, phases }) => {
      if (entry.kind === 'notice' && entry.notice.type === 'service.released') {
        if (draining) return `${entry.notice.service} is let go`;
        released.set(entry.notice.service, entry.own);
      }
      if (!draining || entry.kind !== 'requested') return undefined;
      // A condition that follows another one is still asked before its service's turn to stop comes; nothing starts by it.
      if (commandOf(entry.service)?.kind === 'condition') return undefined;
      // So is a probe of `ready`: whether its service comes up decides which hooks its stop has.
      if (phases.get(ofProbe(entry.service) ?? '') === 'starting') return undefined;
      // Of services that are released together, the first may end the system: the others have their start already.
      return entry.own === begin && released.get(entry.service) === begin ? undefined : `${entry.service} starts`;
    });
  },

  'nothing waits without a reason': (run) =>
    walk(run, (entry, state) =>
      entry.kind === 'look' && !state.draining && state.replaced.size === 0 ? unheld(run, entry, state) : undefined,
    ),

  // Reference, section 2: "All that may start together does start together"; a reload has no order of its own: a
  // service waits for one without an edge to it only where that holds its port or pidfile.
  'a reload keeps nobody down for somebody it has no edge with': (run) =>
    walk(run, (entry, state) =>
      entry.kind === 'look' && !state.draining && state.replaced.size > 0 ? unheld(run, entry, state) : undefined,
    ),

  // Supervision, values from files: "given to that service alone, shown nowhere".
  'no secret is told to anybody but its service': ({ end: { leaks } }) =>
    leaks[0] === undefined ? undefined : `a secret stands in ${leaks[0]}`,

  'whoever starts has what is read for it': ({ end: { unfed } }) =>
    unfed[0] === undefined ? undefined : `${unfed[0]} was started without its values`,

  'every started process is waited for': (run) => {
    const open = new Map<number, string>();
    const answer = walk(run, (entry) => {
      if (entry.kind === 'spawned') open.set(entry.id, `pid ${entry.pid} of ${entry.service}`);
      if (entry.kind === 'ended' && entry.child) open.set(entry.id, `pid ${entry.pid} of ${entry.service}`);
      if (entry.kind === 'reaped') for (const id of entry.ids) open.delete(id);
      return undefined;
    });
    if (answer !== undefined || has(run, 'stuck')) return answer;
    const [first] = open.values();
    if (first !== undefined) return `${first} was never waited for`;
    if (run.end.livePids.length > 0) return `pid ${run.end.livePids[0]} lives on`;
    return undefined;
  },

  'an end is told of the one that has ended': (run) => {
    const ended = new Set<string>();
    /** What services have said their own exit status will be. */
    const said = new Set<string>();
    const owners = new Owners();
    const specs = specsOf(run);
    return walk(run, (entry) => {
      owners.note(entry);
      if (entry.kind === 'notified') {
        const status = /^EXIT_STATUS=(\d+)$/m.exec(entry.text)?.[1];
        if (status !== undefined) said.add(`${entry.service} ${status}`);
      }
      if (entry.kind === 'ended') {
        ended.add(`${entry.pid} ${shellStatus(entry.status)}`);
        for (const service of [entry.service, owners.ownerOf(entry)]) {
          ended.add(`${service} ${entry.pid} ${shellStatus(entry.status)}`);
          // The kernel may not tell the end of a process that is not chaperone's child.
          ended.add(`${service} ${entry.pid} ?`);
        }
      }
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      const end =
        'end' in change ? change.end : 'cause' in change && change.cause.kind === 'exit' ? change.cause : undefined;
      if (end === undefined) return undefined;
      const told = `${service} ${end.pid} ${end.status.kind === 'unknown' ? '?' : shellStatus(end.status)}`;
      // What the kernel does not tell, the service may have told.
      if (has(run, 'statusUntold') && end.status.kind === 'exited' && said.has(`${service} ${end.status.code}`))
        return undefined;
      // After a stall nobody can tell whether the process that a pidfile names has ever lived.
      if (end.status.kind === 'unknown' && has(run, 'pause')) return undefined;
      // Nor, once that process is dead, to which service it belonged.
      const isNamed = specs.get(service)?.pidfile !== undefined && has(run, 'pause');
      if (isNamed && end.status.kind !== 'unknown' && ended.has(`${end.pid} ${shellStatus(end.status)}`))
        return undefined;
      return ended.has(told) ? undefined : `${service} is said to have ended: ${told}`;
    });
  },

  'shutdown ends within its budget': (run) => {
    const begin = noticeAt(run, 'system.draining')?.own;
    const end = noticeAt(run, 'system.halted')?.own;
    if (begin === undefined || end === undefined) return 'the system has not ended';
    const pauses = run.plan.faults.reduce((sum, fault) => sum + (fault.fault === 'pause' ? fault.duration : 0), 0);
    // A late report of an end after SIGKILL delays the stop by that long, and no longer.
    const late = has(run, 'stuck') || has(run, 'coalescedExits') ? killGrace : 0;
    const budget = run.spec.shutdownTimeout + late + pauses;
    return end - begin > budget ? `it took ${end - begin} ms of ${budget}` : undefined;
  },

  'every service gets its own signal before SIGKILL': (run) => {
    const specs = specsOf(run);
    const signalled = new Map<number, Set<string>>();
    const owners = new Owners();
    return walk(run, (entry, { forced, clearing, killed }) => {
      owners.note(entry);
      // A command beside a service has no say in its end.
      if (entry.kind !== 'signalled' || forced || besideOf(entry.service) !== undefined) return undefined;
      const { root, signal, service, pid } = entry;
      const seen = signalled.get(root) ?? new Set();
      signalled.set(root, seen.add(signal));
      if (signal !== 'SIGKILL' || killed === service || has(run, 'pause')) return undefined;
      const known = [...owners.ownersOf(entry)].map((name) => specs.get(name));
      // What is left of a group gets SIGKILL at once with `mixed`, and the hooks of a stop may use up its time.
      if (known.some((spec) => spec?.killMode === 'mixed' || hasStopHooks(spec))) return undefined;
      const own = [
        ...known.map((spec) => spec?.killSignal ?? 'SIGTERM'),
        ...(known.some((spec) => spec?.type === 'notify') ? ['SIGABRT'] : []),
        ...(clearing ? ['SIGTERM'] : []),
      ];
      return own.some((name) => seen.has(name)) ? undefined : `pid ${pid} of ${service} gets SIGKILL at once`;
    });
  },

  'SIGKILL leaves time to end': (run) => {
    const signalled = new Map<number, number>();
    const specs = specsOf(run);
    const owners = new Owners();
    return walk(run, (entry, state) => {
      const { draining, killed } = state;
      owners.note(entry);
      if (entry.kind !== 'signalled' || draining || entry.signal === 'SIGCONT') return undefined;
      const known = [...owners.ownersOf(entry)].map((name) => specs.get(endedAs(name)));
      if (known.some((spec) => spec?.killMode === 'mixed' || hasStopHooks(spec))) return undefined;
      const since = signalled.get(entry.root);
      if (entry.signal !== 'SIGKILL') {
        if (since === undefined) signalled.set(entry.root, entry.own);
        return undefined;
      }
      const own = known.map((spec) => spec?.stopTimeout ?? leastGrace);
      const given = Math.min(leastGrace, run.spec.shutdownTimeout, ...own);
      // The input of a removed service that reads from others ends first, and the signal has at least half of the time.
      const reads = known.some((spec) => spec?.stdin === 'pipe' && state.gone.has(spec.name));
      const least = reads ? given / 2 : given;
      if (since === undefined || entry.own - since >= least || has(run, 'pause')) return undefined;
      if (killed === entry.service) return undefined;
      return `pid ${entry.pid} of ${entry.service} gets SIGKILL after ${entry.own - since} ms`;
    });
  },

  'no probe runs for a service that does not': (run) =>
    walk(run, (entry, { phases }) => {
      const service =
        entry.kind === 'asked' ? entry.service : entry.kind === 'requested' ? ofProbe(entry.service) : undefined;
      if (service === undefined) return undefined;
      const phase = phases.get(service);
      return phase === 'starting' || phase === 'ready.running' ? undefined : `a probe of ${service}, which is ${phase}`;
    }),

  'no probe outlives its service': (run) => {
    const commands = new Map<number, { readonly pid: number; readonly service: string }>();
    const begun = new Set<number>();
    /** Commands that ran when their service came to rest: they are killed in the same turn. */
    const left = new Map<number, { readonly at: number; readonly phase: ServicePhase }>();
    return walk(run, (entry) => {
      for (const [id, { at, phase }] of left) {
        const command = commands.get(id);
        if (entry.at > at && command !== undefined)
          return `pid ${command.pid} of a probe of ${command.service}, which is ${phase}`;
      }
      if (entry.kind === 'spawned') {
        const service = ofProbe(entry.service);
        if (service !== undefined) commands.set(entry.id, { pid: entry.pid, service });
      }
      if (entry.kind === 'begun' && commands.has(entry.id)) begun.add(entry.id);
      if (entry.kind === 'ended' || (entry.kind === 'signalled' && entry.signal === 'SIGKILL')) {
        begun.delete(entry.id);
        left.delete(entry.id);
      }
      // A command may have ended when chaperone, which was stopped, hears of its start.
      if (entry.kind === 'ended') commands.delete(entry.id);
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (['starting', 'ready.running', 'stopping'].includes(change.phase)) return undefined;
      for (const id of begun)
        if (commands.get(id)?.service === service) left.set(id, { at: entry.at, phase: change.phase });
      return undefined;
    });
  },

  'unhealthy is answered as on_unhealthy says': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, { draining, replaced }, index) => {
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.unhealthy') return undefined;
      const { service, answer } = entry.notice;
      const wanted = draining ? 'log' : specs.get(service)?.onUnhealthy;
      if (answer !== wanted) return `${service} is unhealthy, and answered with ${answer} instead of ${wanted}`;
      const next = run.history.slice(index + 1).find((other) => isAnswer(other, service, answer));
      const isDone = answer === 'log' || (answer === 'shutdown' && replaced.has(service)) || next?.own === entry.own;
      return isDone ? undefined : `${service} is unhealthy, and ${answer} does not follow`;
    });
  },

  'dependents stop before what they depend on': (run) => {
    const begin = noticeAt(run, 'system.draining')?.own;
    const told = new Set<string>();
    return walk(run, (entry, state) => {
      if (entry.kind === 'told' && entry.by === 'stop') told.add(entry.service);
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      // A service that crashes, or that its own chart ends (a time limit, the watchdog), has no turn to wait for.
      const isOrdered = told.delete(service);
      // The end of the last one that a stop by hand has waited for may begin the end of the system, too: the stop was let go before.
      if (state.draining && state.stopped.has(service) && entry.own === begin) return undefined;
      if (!isOrdered || change.phase !== 'stopping' || state.forced || has(run, 'pause')) return undefined;
      const other = run.spec.services.find(({ name, prerequisites }) => {
        if (!prerequisites.includes(service) || state.lost.has(name)) return false;
        const phase = state.phases.get(name) ?? 'pending';
        // A service that was removed is no longer needed by others.
        const isKept = !state.gone.has(service);
        // A stop by hand that was under way when the system began to end waits only for what runs.
        const mayWait = phase === 'pending' && (state.gone.has(name) || state.asked.has(service));
        if (state.draining && isKept) return !isEnded(phase) && !mayWait;
        if (!isKept && state.endFirst.get(service)?.has(name) !== true) return false;
        return state.asked.has(name) && state.asked.has(service) && isLive(phase);
      });
      return other === undefined
        ? undefined
        : `${service} stops while ${other.name}, which needs it, is ${state.phases.get(other.name)}`;
    });
  },

  'the exit status tells the cause': (run) => {
    const { output } = run.end;
    if (output === undefined) return 'the system has not ended';
    const { end, exitStatus } = output;
    const expect = (status: number, because: string): string | undefined =>
      exitStatus === status ? undefined : `the exit status is ${exitStatus} and not ${status}, ${because}`;
    const asked = new Asked();
    const failed = walk(run, (entry, state) => {
      const { draining, replaced, wereReady } = state;
      const isAsked = asked.note(entry, state);
      if (draining || !isChange(entry)) return undefined;
      const { service, change, ignoreFailures } = entry.notice;
      if (change.phase !== 'failed' || change.during !== 'start' || ignoreFailures) return undefined;
      // A service that a reload is about to replace starts again: whether that start fails decides.
      if (replaced.has(service)) return undefined;
      // A service that was ready, and starts again because its prerequisite is back, fails later than at boot.
      if (wereReady.has(service) && !isAsked) return undefined;
      return noticeAt(run, 'system.ready') !== undefined && isAfter(run, entry, 'system.ready') ? undefined : service;
    });
    if (failed !== undefined && end.kind !== 'serviceFailed')
      return `${failed} has failed to start, the end is ${end.kind}`;
    switch (end.kind) {
      case 'signal': {
        if (end.signal === 'SIGINT') return expect(130, 'after SIGINT');
        // "0 after an orderly end of a system without a main program"; "an `exit_kills` service that a signal to chaperone ended
        // gives *its* status".
        const main = statusOfMains(run);
        return main === undefined
          ? expect(0, `after ${end.signal}, without a main program`)
          : expect(main.status, `as ${main.service} has it, which ${end.signal} has ended`);
      }
      case 'command': {
        // "after a shutdown asked for by command unless something had failed"
        const last = lastFailure(run);
        return last === undefined
          ? expect(0, 'it was asked for by a command')
          : expect(failureStatus(last.cause), `${last.service} had failed`);
      }
      case 'serviceFailed':
        if (end.onFailure) {
          return specsOf(run).get(end.service)?.onFailure === 'shutdown'
            ? expect(failureStatus(end.cause), `${end.service} has on_failure: shutdown`)
            : `${end.service} has no on_failure: shutdown`;
        }
        if (end.onUnhealthy) {
          return specsOf(run).get(end.service)?.onUnhealthy === 'shutdown'
            ? expect(1, `${end.service} has on_unhealthy: shutdown`)
            : `${end.service} has no on_unhealthy: shutdown`;
        }
        return failed?.endsWith(end.service) === true
          ? expect(1, `${end.service} has failed to start`)
          : `${end.service} is said to have failed to start, and has not`;
      case 'missingPrograms':
        return run.plan.services.some(({ installed }) => !installed)
          ? expect(1, 'programs are missing')
          : 'no program is missing';
      case 'succeeded': {
        const spec = specsOf(run).get(end.service);
        if (spec?.onSuccess === undefined) return `${end.service} has no on_success: shutdown`;
        if (end.outcome.kind === 'spawn') return `${end.service} was never started`;
        return expect(shellStatus(end.outcome.status), `as ${end.service} has it`);
      }
      case 'exitKills': {
        const spec = specsOf(run).get(end.service);
        if (spec?.exitKills !== true) return `${end.service} has no exit_kills`;
        if (end.outcome.kind === 'spawn')
          return exitStatus === 126 || exitStatus === 127 ? undefined : `it is ${exitStatus} where nothing was started`;
        const { status } = end.outcome;
        const told = run.history.some(
          (entry) =>
            entry.kind === 'ended' && entry.service === end.service && shellStatus(entry.status) === exitStatus,
        );
        // The status of another process's child is known only from the service itself.
        return told || mayMove(spec)
          ? expect(shellStatus(status), `as ${end.service} has it`)
          : 'nothing ended with it';
      }
      case 'noProcesses': {
        const last = lastFailure(run);
        return last === undefined
          ? expect(0, 'nothing was left to do')
          : expect(failureStatus(last.cause), `${last.service} was the last to fail`);
      }
      case 'nothingStarted':
        return run.history.some(({ kind }) => kind === 'spawned')
          ? 'something was started'
          : expect(0, 'nothing was to be started');
      case 'internalError':
        return `chaperone has broken: ${end.message}`;
    }
  },

  'no timer, subscription, actor or descriptor is left': (run) => {
    const { end } = run;
    // A shutdown that was requested may still be to come.
    const shutdowns = run.history.flatMap((entry) =>
      entry.kind === 'deed' && entry.deed.do === 'shutdown' && entry.deed.delay > 0 ? [entry] : [],
    );
    if (end.timers.length > shutdowns.length) return `timers are set for ${end.timers.join(', ')} ms from now`;
    if (end.subscriptions.length > 0) return `somebody listens to ${end.subscriptions.join(', ')}`;
    if (end.ports.length > 0) return `port ${end.ports.join(', ')} is open`;
    if (end.connections > 0) return `${end.connections} connections are open`;
    if (end.sockets.length > 0) return `${end.sockets.join(', ')} are open`;
    if (end.descriptors > 0) return `${end.descriptors} descriptors are open`;
    if (end.registered.length > 0 && !has(run, 'stuck')) return `pid ${end.registered.join(', ')} are taken for live`;
    return walk(run, (entry) => {
      const [stray] = entry.kind === 'look' ? entry.services.filter(({ strays }) => strays.length > 0) : [];
      return stray === undefined ? undefined : `${stray.name} has the actors ${stray.strays.join(', ')}`;
    });
  },

  'every accepted log record was written or counted': (run) => {
    for (const { name, accepted, written, counted, extra, waitingBytes } of run.end.sinks) {
      if (waitingBytes > 0) return `${waitingBytes} bytes still wait for ${name}`;
      if (written > accepted + extra) return `${name} has ${written} lines of ${accepted + extra}`;
      if (written + counted < accepted) return `${name}: ${accepted} accepted, ${written} written, ${counted} counted`;
    }
    return undefined;
  },

  'every event is answered by the state it arrives in': (run) =>
    walk(run, (entry) =>
      entry.kind === 'unanswered' ? `${entry.actor} in ${entry.state} has no answer to ${entry.event}` : undefined,
    ),

  'status never contradicts the process table': (run) => {
    const specs = specsOf(run);
    const endedAt = new Map<string | number, number>();
    const starts = new Starts();
    const reads: Extract<Entry, { readonly kind: 'read' }>[] = [];
    return walk(run, (entry) => {
      starts.note(entry);
      if (entry.kind === 'read') reads.push(entry);
      if (entry.kind === 'ended') endedAt.set(entry.service, entry.at).set(entry.pid, entry.at);
      if (entry.kind !== 'look') return undefined;
      for (const { name, state, stage, pid, running, asking } of entry.services) {
        const spec = specs.get(name);
        if (spec === undefined) continue;
        const own = entry.processes.filter(({ id, root, service }) => id === root && service === name);
        // A run counts from its request on, or from when its values are read, or its conditions asked: no other run may
        // begin from then on.
        const runs = own.length + starts.underWay(name) + asking;
        const reading = reads.filter(
          ({ service, at }) => service === name && (has(run, 'pause') || at + longestRead(run, name) >= entry.at),
        );
        const isCounted = running !== undefined && running >= runs && running <= runs + reading.length;
        // A run that has hooks counts while these run, too.
        if (stage === 'ready.scheduled' && spec.hooks === undefined && !isCounted)
          return `${name} is said to have ${running} processes, and has ${runs}`;
        if (stage === 'ready.running') {
          // Where a daemon has crashed, its left processes are cleared away before the end is reported. A pidfile names
          // a number, which may belong to a process that another service has left behind and does not own, or that has
          // reused the number.
          const anyones = mayMove(spec);
          const lives = entry.processes.some((process) =>
            process.service === name ? process.pid === pid || ownsRemains(spec) : anyones && process.pid === pid,
          );
          // The end of another process's child becomes known a moment later.
          const ended = Math.max(endedAt.get(name) ?? 0, (anyones ? endedAt.get(pid ?? 0) : undefined) ?? 0);
          const justEnded = mayMove(spec) && (entry.at - ended <= longestReaping || has(run, 'pause'));
          if (!lives && !justEnded) return `${name} is ready as pid ${pid}, which does not live`;
        }
        if (mayMove(spec)) continue;
        const idle = state === 'stopped' || state === 'failed' || state === 'backoff' || stage === 'ready.exited';
        if (idle && own.length > 0) return `${name} is ${state}, and pid ${own[0]?.pid} of it lives`;
        if (!isScheduled(spec.type) && own.some((process) => process.pid !== pid))
          return `${name} is ${stage} as pid ${pid}, and pid ${own[0]?.pid} lives`;
      }
      return undefined;
    });
  },

  // Experience: the answer to "why" names whoever has to act, and nobody else.
  'why names whoever holds a service up': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, { replaced, asked, renewed }) => {
      if (entry.kind !== 'look') return undefined;
      const states = new Map(entry.services.map(({ name, state }) => [name, state]));
      for (const { name, phase, owner } of entry.services) {
        const spec = specs.get(name);
        if (phase !== 'pending' || spec === undefined) continue;
        for (const word of owner.split(/, | and /)) {
          const held = `${word}.service`;
          if (!specs.has(held) && !states.has(held)) continue;
          if (!states.has(held)) return `${name} waits for ${held}, which is configured no more`;
          // Whoever waits for a stage, or for one that a reload or a request ends, may wait for one that is ready.
          const isPlain = tieTo(spec, held).stages.join() === 'ready' && spec.prerequisites.includes(held);
          const isSettled = ![replaced, asked, renewed].some((set) => set.has(held));
          if (isPlain && isSettled && states.get(held) === 'ready') return `${name} waits for ${held}, which is ready`;
        }
      }
      return undefined;
    });
  },

  'a service goes only where its chart leads': (run) =>
    walk(run, (entry, { phases }) => {
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      const from = phases.get(service) ?? 'pending';
      return ways[from].includes(change.phase) ? undefined : `${service} goes from ${from} to ${change.phase}`;
    }),

  'a start takes no longer than it may': (run) => {
    if (has(run, 'pause')) return undefined;
    const specs = specsOf(run);
    const began = new Map<string, number>();
    const extended = new Set<string>();
    const starts = new Starts();
    return walk(run, (entry, { phases }) => {
      starts.note(entry);
      if (entry.kind === 'notified' && entry.text.includes('EXTEND_TIMEOUT')) extended.add(entry.service);
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      const spec = specs.get(service);
      if (change.phase === 'starting') began.set(service, entry.own);
      if (spec === undefined || phases.get(service) !== 'starting' || extended.has(service)) return undefined;
      if (starts.underWay(service) > 0) return undefined;
      const took = entry.own - (began.get(service) ?? entry.own);
      // The time counts from the verdict on the start, before which values may have been read.
      // The end of a command may be told late.
      const lates = run.plan.faults.map((fault) => (fault.fault === 'coalescedExits' ? fault.delay : 0));
      const asked =
        spec.startIf !== undefined && asksCommand(spec.startIf) ? Math.max(0, ...lates) + spec.processTimeout : 0;
      // What a command or a hook has left is ended before the next one runs, and before the start is over.
      const survives = has(run, 'stuck') ? killGrace * Math.max(1, commandsAsked(spec)) : 0;
      const most = asked + longestStart(spec) + starts.lastWait(service) + longestRead(run, service) + survives;
      return took > most ? `${service} was starting for ${took} ms, and may be for ${most}` : undefined;
    });
  },

  // Reference, `restart`, `restart_limit` and `restart_window`.
  'restarts have a limit, and a reason': (run) => {
    const specs = specsOf(run);
    const tries = new Tries();
    return walk(run, (entry) => {
      const again = tries.note(entry, specs);
      if (again === undefined) return undefined;
      const { spec, counted, isFree } = again;
      const { change } = again;
      const { restartPolicy: policy = {}, exitKills, restart, restartLimit, name } = spec;
      const may = change.normal ? policy.always : change.first ? policy.startFailure : restart;
      if (may !== true || exitKills) return `${name} is tried again, and is not to be`;
      const { cause } = change;
      const isPrevented = cause.kind === 'exit' && policy.prevent?.some((ending) => isEnding(ending, cause.status));
      if (isPrevented === true) return `${name} is tried again after an end that restart_prevent has`;
      if (isFree) return undefined;
      return counted > restartLimit ? `${name} is tried for the ${counted}th time of ${restartLimit}` : undefined;
    });
  },

  // Reference: "n-th pause = min(max(restart_delay_max, restart_delay), delay × backoffⁿ⁻¹), ± jitter (a fraction)".
  'a restart pause is as long as the policy says': (run) => {
    const specs = specsOf(run);
    const tries = new Tries();
    return walk(run, (entry) => {
      const again = tries.note(entry, specs);
      if (again === undefined) return undefined;
      const { spec, number, change } = again;
      const { delayMax = 60_000, backoff = 1, jitter = 0 } = spec.restartPolicy ?? {};
      const pause = Math.min(Math.max(delayMax, spec.restartDelay), spec.restartDelay * backoff ** (number - 1));
      const isShort = change.delay < pause * (1 - jitter) - 1;
      return isShort || change.delay > pause * (1 + jitter) + 1
        ? `${spec.name} pauses for ${change.delay} ms, and its ${number}th pause is ${pause} ms ± ${jitter}`
        : undefined;
    });
  },

  'a stop by hand is answered by no policy': (run) => {
    const released = new Set<string>();
    return walk(run, (entry, { stopped }) => {
      if (entry.kind === 'notice' && entry.notice.type === 'service.released') released.add(entry.notice.service);
      if (entry.kind === 'deed') released.clear();
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining') {
        const { end } = entry.notice;
        const isPolicy = end.kind === 'succeeded' || (end.kind === 'serviceFailed' && end.onFailure === true);
        return isPolicy && stopped.has(end.service)
          ? `the end of ${end.service}, which was to stop, ends all`
          : undefined;
      }
      if (!isChange(entry) || entry.notice.change.phase !== 'starting') return undefined;
      const { service } = entry.notice;
      return stopped.has(service) && !released.has(service) ? `${service} starts again, and was to stop` : undefined;
    });
  },

  'a notify service is ready only after it has said so': (run) => {
    const specs = specsOf(run);
    const said = new Set<string>();
    return walk(run, (entry, { phases }) => {
      if (entry.kind === 'notified' && /^READY=1/m.test(entry.text)) said.add(entry.service);
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (change.phase === 'starting') said.delete(service);
      const spec = specs.get(service);
      // Where there are probes, they decide.
      const decides = spec?.type === 'notify' && spec.ready === undefined;
      if (!decides || !isUp(change.phase) || phases.get(service) !== 'starting') return undefined;
      return said.has(service) ? undefined : `${service} is ${change.phase}, and has not said READY=1`;
    });
  },

  'a service with probes is ready only once they have passed': (run) => {
    const specs = specsOf(run);
    const passed = new Map<string, Set<string>>();
    return walk(run, (entry, { phases }) => {
      if (entry.kind === 'fact' && entry.fact.type === 'probed' && entry.fact.purpose === 'ready' && entry.fact.passed)
        passed.get(entry.fact.service)?.add(entry.fact.probe);
      if (entry.kind === 'notified' && /^READY=1/m.test(entry.text)) passed.get(entry.service)?.add('notify');
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (change.phase === 'starting') passed.set(service, new Set());
      const tree = specs.get(service)?.ready;
      if (tree === undefined || !isUp(change.phase) || phases.get(service) !== 'starting') return undefined;
      const states = probesOf(tree).map(({ check }): ProbeState => {
        const has = passed.get(service)?.has(describeProbe(check)) === true;
        return { standing: has ? 'passed' : 'open', failures: 0 };
      });
      return standingOfTree(tree, states) === 'passed' ? undefined : `${service} is ${change.phase} before its probes`;
    });
  },

  'a service has no more processes at a time than it may': (run) => {
    const specs = specsOf(run);
    const live = new Map<number, { readonly pid: number; readonly root: number; readonly service: string }>();
    const signalled = new Set<number>();
    return walk(run, (entry) => {
      if (entry.kind === 'signalled') signalled.add(entry.id);
      if (entry.kind === 'ended') live.delete(entry.id);
      if (entry.kind === 'forked') live.set(entry.id, entry);
      if (entry.kind !== 'spawned') return undefined;
      const spec = specs.get(entry.service);
      const others = [...live].filter(([, { service }]) => service === entry.service);
      live.set(entry.id, { ...entry, root: entry.id });
      if (spec === undefined) return undefined;
      // The processes that the start of a daemon leaves belong to the service, and delay the next start.
      if (spec.type === 'forking' && ownsRemains(spec) && others.length > 0)
        return `${entry.service} starts, and pid ${others[0]?.[1].pid} of an earlier start lives`;
      // The service's main process may be another than the one that was started.
      if (spec.killMode === 'process' && mayMove(spec)) return undefined;
      const mains = others.filter(([id, { root }]) => id === root && !(spec.type === 'notify' && signalled.has(id)));
      const most = mostRuns(spec);
      return mains.length >= most ? `${entry.service} has ${mains.length + 1} processes of ${most}` : undefined;
    });
  },

  'a skipped service runs no process': (run) => {
    const specs = specsOf(run);
    /** Commands of conditions that have said yes, in a row, and not yet started anything. */
    const agreed = new Map<string, number>();
    const leaders = new Set<number>();
    return walk(run, (entry) => {
      if (entry.kind === 'spawned') leaders.add(entry.id);
      if (entry.kind === 'ended') {
        const command = leaders.has(entry.id) ? commandOf(entry.service) : undefined;
        if (command?.kind !== 'condition') return undefined;
        const { service } = command;
        const isYes = answerOf(entry.status) === (specs.get(service)?.startIf?.kind !== 'not');
        agreed.set(service, isYes ? (agreed.get(service) ?? 0) + 1 : 0);
      }
      if (entry.kind !== 'requested') return undefined;
      const { service } = entry;
      const condition = specs.get(service)?.startIf;
      if (condition === undefined) return undefined;
      const needed = questionsOf(condition).filter(({ kind }) => kind === 'command').length;
      // An inetd service asks before it listens, not at each connection.
      if (specs.get(service)?.type === 'inetd' && needed > 0) return undefined;
      if (needed > 0) {
        const yes = agreed.get(service) ?? 0;
        agreed.set(service, yes - needed);
        return yes < needed ? `${service} is started, and a command of start_if has not said yes` : undefined;
      }
      // The file never exists, and the variable is never set.
      return condition.kind !== 'not' ? `${service} is started, and its conditions are never met` : undefined;
    });
  },

  // What chaperone itself cannot hasten is left out: it is stopped, or SIGKILL has no effect.
  'nothing runs longer than max_runtime and its stop': (run) => {
    if (has(run, 'pause') || has(run, 'stuck')) return undefined;
    const specs = specsOf(run);
    const began = new Map<number, { readonly at: number; readonly service: string }>();
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'spawned') began.set(entry.id, { at: entry.at, service: entry.service });
      if (entry.kind === 'ended') began.delete(entry.id);
      // From then on the time of the stop counts.
      for (const [id, { service }] of began)
        if (draining || (entry.kind === 'told' && entry.service === service)) began.delete(id);
      for (const [id, { at, service }] of began) {
        const { maxRuntime, type, pidfile, stopTimeout = clearGrace } = specs.get(service) ?? {};
        if (maxRuntime === undefined || type === 'notify' || pidfile !== undefined) continue;
        // "`stop_timeout`: […] then SIGKILL": a run that is ended for itself has the time of a stop.
        if (entry.at - at <= maxRuntime + stopTimeout + killGrace + grain) continue;
        began.delete(id);
        return `a process of ${service} runs for ${entry.at - at} ms, with a max_runtime of ${maxRuntime} ms`;
      }
      return undefined;
    });
  },

  'a run and a reload by hand are answered': (run) => {
    const open = new Map<string, number>();
    const count = (verb: string, service: string, by: number): void => {
      open.set(`${verb} of ${service}`, (open.get(`${verb} of ${service}`) ?? 0) + by);
    };
    let halted = false;
    for (const entry of run.history) {
      if (entry.kind === 'fact' && entry.fact.type === 'requested') {
        const { verb, services } = entry.fact;
        for (const service of services) if (verb === 'run-now' || verb === 'reload') count(verb, service, 1);
      }
      if (entry.kind !== 'notice') continue;
      if (entry.notice.type === 'system.halted') halted = true;
      if (entry.notice.type !== 'service.noticed') continue;
      const { service, news } = entry.notice;
      if (news.kind === 'runAsked') count('run-now', service, -1);
      if (news.kind === 'reloaded' && news.request !== undefined) count('reload', service, -1);
    }
    const [first] = [...open].filter(([, left]) => left !== 0);
    return first === undefined || !halted ? undefined : `${first[0]}: ${first[1]} requests have no answer`;
  },

  'a cron or inetd service fails only at its start': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry) => {
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (!isScheduled(specs.get(service)?.type ?? 'simple')) return undefined;
      if (change.phase === 'failed' && change.during === 'run' && change.cause.kind !== 'prerequisite')
        return `${service} has failed after its start`;
      // A port that cannot be opened may be tried again.
      if (change.phase === 'backoff' && change.first === true) return undefined;
      return ['ready.running', 'ready.exited', 'exited', 'backoff'].includes(change.phase)
        ? `${service} is ${change.phase}`
        : undefined;
    });
  },

  // Reference 2: "only cron looks at the wall clock"; what `why` and status tell has to come true, whatever way the clock goes.
  'status tells the time at which a schedule will run': (run) => {
    // After a stall chaperone's clock differs from the virtual clock.
    if (has(run, 'pause')) return undefined;
    const specs = specsOf(run);
    const told = new Map<string, number>();
    return walk(run, (entry, { phases }) => {
      for (const [service, due] of told)
        if (entry.at > due + grain) return `${service} has not run, ${entry.at - due} ms after the time that was told`;
      // A look follows, in the same instant.
      if (entry.kind === 'fault' && entry.fault === 'clockJump') told.clear();
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining') told.clear();
      if (entry.kind === 'deed' && 'names' in entry.deed) for (const name of entry.deed.names) told.delete(name);
      if (entry.kind === 'deed' && 'name' in entry.deed) told.delete(entry.deed.name);
      if (entry.kind === 'reloaded') for (const name of [...entry.names, ...entry.gone]) told.delete(name);
      if (isChange(entry)) told.delete(entry.notice.service);
      const ran = scheduledRun(run, entry);
      const due = ran === undefined ? undefined : told.get(ran);
      if (ran !== undefined && due !== undefined) {
        told.delete(ran);
        if (entry.at < due - grain) return `${ran} runs ${due - entry.at} ms before the time that was told`;
      }
      if (entry.kind !== 'look') return undefined;
      // The hooks of a run come before its command, and a failing one in place of it.
      for (const { name, due: next } of entry.services)
        if (
          runsAtTicks(specs.get(name)) &&
          specs.get(name)?.hooks === undefined &&
          phases.get(name) === 'ready.scheduled' &&
          next !== undefined
        )
          told.set(name, next);
      return undefined;
    });
  },

  'detect_exit ends what is idle, and nothing that lives': (run) => {
    // Starts that are under way count: their processes may run already.
    let live = 0;
    let idleSince: number | undefined;
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'requested' || entry.kind === 'forked') live += 1;
      if (entry.kind === 'ended' || entry.kind === 'unspawned') live -= 1;
      if (
        entry.kind === 'notice' &&
        entry.notice.type === 'system.draining' &&
        entry.notice.end.kind === 'noProcesses'
      ) {
        if (!run.spec.detectExit) return 'detect_exit is off';
        return live > 0 ? `${live} processes live` : undefined;
      }
      if (entry.kind !== 'look') {
        idleSince = undefined;
        return undefined;
      }
      const idle = entry.system === 'up' && live === 0 && !entry.services.some(({ phase }) => isLive(phase));
      if (!idle || draining || !run.spec.detectExit || has(run, 'pause') || has(run, 'coalescedExits'))
        idleSince = undefined;
      else if (idleSince !== undefined && entry.own - idleSince >= 1_000) return 'nothing runs, and it goes on';
      else idleSince ??= entry.own;
      return undefined;
    });
  },

  'a stop in order leaves no pidfile that the service has written': (run) => {
    if (noticeAt(run, 'system.forced') !== undefined) return undefined;
    const stopped = new Set<string>();
    walk(run, (entry, { phases }) => {
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      // A reset turns `failed` into `stopped`, and stops nothing.
      if (change.phase === 'stopped' && phases.get(service) === 'stopping') stopped.add(service);
      else stopped.delete(service);
      return undefined;
    });
    for (const { name, pidfile, killMode } of run.spec.services) {
      if (pidfile === undefined || killMode === 'process' || !stopped.has(name)) continue;
      if (isWrittenByOthers(run, name, pidfile)) continue;
      const old = run.plan.faults.flatMap((fault) =>
        fault.fault === 'oldPidfile' && fault.service === name ? [fault.text] : [],
      );
      const text = run.end.pidfiles[name];
      if (text === undefined || old.includes(text)) continue;
      // Chaperone cannot tell that a reused number in a pidfile names another service's process.
      const isAnothers = run.history.some(
        (entry) =>
          (entry.kind === 'spawned' || entry.kind === 'forked') && entry.pid === Number(text) && entry.service !== name,
      );
      if (!isAnothers) return `${name} has left ${pidfile}`;
    }
    return undefined;
  },

  'after a reload the system equals a fresh boot': (run) => {
    const specs = specsOf(run);
    /** By service that was disabled while it ran, and that a reload has changed since: the definition of what goes on. */
    const kept = new Map<string, number>();
    /** The same of a service that was started by hand although its configuration disables it: only what has begun goes on. */
    const begun = new Map<string, number>();
    return walk(run, (entry, state) => {
      if (entry.kind === 'reloaded')
        for (const name of entry.names) {
          if (!isLive(state.phases.get(name) ?? 'pending')) continue;
          const definition = state.definitions.get(name) ?? 0;
          if (state.disabled.has(name)) kept.set(name, kept.get(name) ?? definition);
          else if (specs.get(name)?.enabled === false) begun.set(name, definition);
        }
      if (isChange(entry) && (isEnded(entry.notice.change.phase) || entry.notice.change.phase === 'backoff'))
        kept.delete(entry.notice.service);
      if (entry.kind === 'requested') {
        const { service } = entry;
        // A service that still has to be stopped goes on as before: it restarts, and its schedule is kept.
        if (state.asked.has(service) || besideOf(service) !== undefined) return undefined;
        if (state.gone.has(service)) return `${service} starts, and is configured no more`;
        // What was disabled by hand goes on as it is, and with it the start or run whose hooks of before_start run.
        const wanted = kept.get(service) ?? state.definitions.get(service) ?? 0;
        const goesOn = entry.definition === begun.get(service);
        begun.delete(service);
        return entry.definition === wanted || goesOn
          ? undefined
          : `${service} starts as ${entry.definition} has it, and ${wanted} is in force`;
      }
      if (entry.kind !== 'look' || state.draining) return undefined;
      const listed = new Set(entry.services.map(({ name }) => name));
      for (const name of specs.keys()) {
        if (!listed.has(name) && !state.gone.has(name)) return `${name} is configured, and not there`;
        if (listed.has(name) && state.gone.has(name) && isOver(state, name))
          return `${name} is there, and configured no more`;
      }
      return undefined;
    });
  },

  // Reference 1.2, kill_mode: "a run is over, after a stop or an abnormal end, only when its group (tree) is empty [...] only then is
  // the next run started, `--wait` answered, a prerequisite stopped"; "remains of cron and inetd runs are ended only by stop, reset
  // and shutdown, never by the next run".
  'nothing of a run lives when it is over': (run) => {
    const specs = specsOf(run);
    const groups = new Groups();
    const unscheduled = new Set<string>();
    return walk(run, (entry, { lost }) => {
      const left = (service: string): number | undefined => {
        const spec = specs.get(service);
        return spec === undefined || spec.killMode === 'process' || lost.has(service) ? undefined : groups.left(spec);
      };
      if (entry.kind === 'requested' && !isScheduled(specs.get(entry.service)?.type ?? 'simple')) {
        const pid = left(entry.service);
        if (pid !== undefined) return `${entry.service} starts, and pid ${pid} of its last run lives`;
      }
      groups.note(entry);
      // The processes that runs have left live on until a stop ends them.
      if (entry.kind === 'told' && entry.by === 'stop') {
        if (entry.leaves) unscheduled.add(entry.service);
        else unscheduled.delete(entry.service);
      }
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if ((!isEnded(change.phase) && change.phase !== 'backoff') || unscheduled.has(service)) return undefined;
      const pid = left(service);
      return pid === undefined ? undefined : `${service} is ${change.phase}, and pid ${pid} of it lives`;
    });
  },

  // Reference 1.2: "remains of cron and inetd runs are ended only by stop, reset and shutdown, never by the next run"; "After a
  // *normal* end of the leader what is left lives on as the service's remains".
  'what a run has left behind is ended by nobody but a stop, a reset and the shutdown': (run) => {
    const specs = specsOf(run);
    const ending = new Set<string>();
    const reset = new Set<string>();
    return walk(run, (entry, { phases, draining }, index) => {
      // A disabled service is not told to end the processes that its runs have left.
      if (entry.kind === 'told' && entry.leaves !== true) (entry.by === 'stop' ? ending : reset).add(entry.service);
      if (isChange(entry) && isTriggered(entry.notice.change.phase)) ending.delete(entry.notice.service);
      if (endsRun(entry)) reset.add(entry.notice.service);
      if (entry.kind !== 'sends' || entry.purpose === 'hand' || draining) return undefined;
      const { service, signal } = entry;
      const phase = phases.get(service);
      // The service itself ends its failed run.
      const hasOwnEnd = !isScheduled(specs.get(service)?.type ?? 'simple');
      if (hasOwnEnd && phase !== 'exited' && phase !== 'ready.exited') return undefined;
      return ending.has(service) || reset.has(service) || isRunEndedAt(run, index, service)
        ? undefined
        : `${service} sends ${signal}, and nobody has told it to stop`;
    });
  },

  // Reference 2, "Which pid may be followed": "Never: [...] a pid that another service owns (a pid has one owner [...])".
  'a pid has one owner': (run) => {
    const specs = specsOf(run);
    const owners = new Owners();
    const groups = new Groups();
    const live = new Set<number>();
    return walk(run, (entry) => {
      groups.note(entry);
      if (entry.kind === 'leads') {
        const owner = owners.ownerOfPid(entry.pid) ?? groups.ownerOf(entry.pid, specs);
        if (owner !== undefined && owner !== entry.service && live.has(entry.pid))
          return `${entry.service} follows pid ${entry.pid}, which is ${owner}`;
      }
      owners.note(entry);
      if (entry.kind === 'spawned' || entry.kind === 'forked') live.add(entry.pid);
      if (entry.kind === 'ended') live.delete(entry.pid);
      if (entry.kind !== 'look') return undefined;
      const seen = new Map<number, string>();
      for (const { name, pid, stage } of entry.services) {
        if (pid === undefined || stage === 'ready.scheduled' || !live.has(pid)) continue;
        // The simulated kernel reuses the number of a process that its own parent has not reaped; Linux does not.
        if (has(run, 'reusedPids') && mayMove(specs.get(name))) continue;
        const other = seen.get(pid);
        if (other !== undefined) return `pid ${pid} is ${other} and ${name}`;
        seen.set(pid, name);
      }
      return undefined;
    });
  },

  // Reference 2, "notify": "A datagram from a sender that is not permitted changes nothing and is said once."
  'no datagram of a stranger changes a service': (run) => {
    if (!has(run, 'intruder')) return undefined;
    const silent = run.plan.faults.map((fault) => (fault.fault === 'intruder' ? { ...fault, texts: [] } : fault));
    const calm = runWorld({ ...run.plan, faults: silent })?.history.filter(isOfService) ?? [];
    const own = run.history.filter(isOfService);
    const [mine, other] = [own, calm].map(inAnyOrder);
    for (let index = 0; index < Math.max(own.length, calm.length); index += 1) {
      const [with_, without] = [mine?.[index], other?.[index]];
      if (with_ !== without) return `with the datagrams ${with_}, and without them ${without}`;
    }
    return undefined;
  },

  // Reference 2, "Which pid may be followed": "one owned by another account [...] only a member of this service's own tree or a
  // process of its own account".
  'nobody follows or signals a process that has entered from outside': (run) => {
    const strangers = new Map<number, number>();
    return walk(run, (entry) => {
      if (entry.kind === 'entered') strangers.set(entry.pid, entry.id);
      if (entry.kind === 'left') strangers.delete(entry.pid);
      if (entry.kind === 'leads' && strangers.has(entry.pid)) return `${entry.service} follows pid ${entry.pid}`;
      if (entry.kind === 'signalled' && strangers.get(entry.pid) === entry.id)
        return `pid ${entry.pid} gets ${entry.signal}`;
      return undefined;
    });
  },

  // Reference 6, telchap: "nothing that runs is stopped by `restart` or `reload` when it could not be started again (a prerequisite
  // is down): refused with the reason, `--force` goes on".
  'nothing is stopped that could not be started again': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      const request = restartOf(entry, state);
      if (request === undefined || state.draining) return undefined;
      const { names, gone } = request;
      for (const name of names) {
        if (isOver(state, name) || state.disabled.has(name) || state.stopped.has(name) || state.gone.has(name))
          continue;
        const spec = specs.get(name);
        const needs = spec?.prerequisites.filter((other) => !gone.includes(other)) ?? [];
        const down = needs.find((other) =>
          isDown(specs, other, state, { begun: names, gone, tie: tieTo(spec, other) }),
        );
        if (down !== undefined) return `${name} is restarted while ${down} is ${state.phases.get(down)}`;
      }
      return undefined;
    });
  },

  // Architecture: "Every signal that chaperone sends to a service is a transition" (machines/unit.ts), but for the last round, in
  // which "every remaining process gets SIGTERM, then SIGKILL" (reference 2, Stop order).
  'every signal to a service was asked for by its unit': (run) => {
    const owners = new Owners();
    let sends: { readonly at: number; readonly service: string; readonly signal: string }[] = [];
    const specs = specsOf(run);
    return walk(run, (entry, { clearing }) => {
      owners.note(entry);
      // The signal of a reload is for the main process alone, and does not go through its unit.
      for (const service of servicesToReload(entry)) {
        const reload = specs.get(service)?.reload;
        if (reload?.kind === 'signal') sends.push({ at: entry.at, service, signal: reload.signal });
      }
      if (entry.kind === 'sends') {
        sends = sends.filter(({ at }) => at === entry.at);
        sends.push(entry);
      }
      if (entry.kind !== 'signalled' || entry.signal === 'SIGCONT' || clearing) return undefined;
      // A command beside a service is killed when its unit ends.
      if (besideOf(entry.service) !== undefined && entry.signal === 'SIGKILL') return undefined;
      const known = owners.ownersOf(entry);
      const asked = sends.some(
        ({ at, service, signal }) => at === entry.at && signal === entry.signal && known.has(service),
      );
      return asked
        ? undefined
        : `pid ${entry.pid} of ${entry.service} gets ${entry.signal}, and no unit of it has sent it`;
    });
  },

  // machines/unit.ts: "A second `unit.terminate` changes nothing: a program that is asked twice may take it for haste." Reference 2,
  // Stop order: a service is told to stop once, and then "gets SIGKILL".
  'a process is asked to end once': (run) => {
    const asked = new Map<number, string>();
    const specs = specsOf(run);
    const owners = new Owners();
    let byHand = false;
    /** When each service was last told to reload. */
    const reloaded = new Map<string, number>();
    return walk(run, (entry, { clearing }) => {
      owners.note(entry);
      for (const service of servicesToReload(entry)) reloaded.set(service, entry.at);
      if (entry.kind === 'sends') byHand = entry.purpose === 'hand';
      if (entry.kind !== 'signalled' || clearing || byHand) return undefined;
      const { id, pid, service, signal } = entry;
      if (signal === 'SIGCONT' || signal === 'SIGKILL') return undefined;
      // A stop may have several signals, which a command of start_if gets as its service would; another invariant is about these.
      if ([...owners.ownersOf(entry)].some((name) => specs.get(endedAs(name))?.killSteps !== undefined))
        return undefined;
      // The signal of a reload asks no process to end.
      const isReload = [...owners.ownersOf(entry)].some((name) => {
        const reload = specs.get(name)?.reload;
        return reload?.kind === 'signal' && reload.signal === signal && reloaded.get(name) === entry.at;
      });
      if (isReload) return undefined;
      const before = asked.get(id);
      asked.set(id, signal);
      return before === undefined ? undefined : `pid ${pid} of ${service} gets ${signal} after ${before}`;
    });
  },

  // Reference 6, telchap: "`start` refuses what is disabled (without `--enable`)"; "`disable` of one that is pending or in backoff
  // ends that wait"; section 2: cron's "`disable` unschedules".
  'what is disabled never starts unasked': (run) => {
    const specs = specsOf(run);
    /** When a reload has begun services that were not disabled by then. */
    const begun = new Map<string, number>();
    const runs = new RunsBegun();
    return walk({ ...run, history: run.whole }, (entry, { disabled, asked }) => {
      if (entry.kind === 'reloaded')
        for (const name of entry.names) if (!disabled.has(name)) begun.set(name, entry.own);
      // A start begins with the move of the chart: what it asks and reads, its hooks and its command follow, whatever comes meanwhile.
      const started = startOf(entry);
      const unasked = runs.unasked(entry, specs, disabled);
      const service = started !== undefined && disabled.has(started) ? started : unasked;
      if (service === undefined) return undefined;
      // A disable that comes while the reload of that instant is carried out is too late.
      if (begun.get(service) === entry.own) return undefined;
      // A service that has to stop after others goes on until its turn comes.
      return asked.has(service) ? undefined : `${service} starts, and is disabled`;
    });
  },

  // Reference 6, telchap: "`start` of a service that is still ending waits for its end, then starts; `disable` of one that is pending
  // or in backoff ends that wait, `enable` takes it up again". Whether it may start then, 'nothing waits without a reason' asks.
  'a start that was asked for is never forgotten': (run) =>
    walk(run, (entry, { wishes, disabled, draining, gone }) => {
      if (entry.kind !== 'look' || draining) return undefined;
      for (const { name, phase } of entry.services) {
        if (!wishes.has(name) || disabled.has(name) || gone.has(name)) continue;
        if (isEnded(phase)) return `${name} is ${phase}, and its start was asked for`;
      }
      return undefined;
    }),

  // Reference 2, Time: "After a stall or `docker pause` a timeout or watchdog is judged only once what has arrived meanwhile was
  // read"; the table of types: simple fails the system by an "abnormal exit in the pause".
  'an end in doubt is no failed start': (run) => {
    const specs = specsOf(run);
    const spawned = new Map<string, number>();
    const ended = new Map<string, number>();
    return walk(run, (entry) => {
      if (entry.kind === 'spawned') spawned.set(entry.service, entry.at);
      if (entry.kind === 'ended') ended.set(`${entry.service} ${entry.pid}`, entry.at);
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      const spec = specs.get(service);
      // With probes, any end before they pass is a failed start.
      if (spec?.type !== 'simple' || spec.pidfile !== undefined || spec.ready !== undefined) return undefined;
      // With hooks of after_start the service becomes ready later.
      if (hooksOf(spec.hooks, 'after_start').length > 0) return undefined;
      if (change.phase !== 'failed' || change.during !== 'start' || change.cause.kind !== 'exit') return undefined;
      const ran = (ended.get(`${service} ${change.cause.pid}`) ?? 0) - (spawned.get(service) ?? 0);
      return ran > spec.startupPause
        ? `${service} is said to have failed during its start, and ended after ${ran} ms of ${spec.startupPause}`
        : undefined;
    });
  },

  // Reference 2, Stop order: "a service that overruns its share (what is left ÷ layers left) gets SIGKILL"; settings:
  // `shutdown_timeout`, "from SIGTERM to SIGKILL".
  'SIGKILL comes when the time of a stop is up': (run) => {
    // After a stall chaperone's clock differs from the virtual clock.
    if (has(run, 'pause')) return undefined;
    const specs = specsOf(run);
    const promises = new Map<string, Promised>();
    const steps = new LaterSignals();
    return walk(run, (entry, { draining, forced, phases }) => {
      if (entry.kind === 'notified' && entry.text.includes('EXTEND_TIMEOUT')) {
        const promise = promises.get(entry.service);
        if (promise !== undefined) promise.extended = true;
      }
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining')
        for (const promise of promises.values()) promise.hastened = true;
      if (isChange(entry) && (isEnded(entry.notice.change.phase) || entry.notice.change.phase === 'backoff')) {
        promises.delete(entry.notice.service);
        steps.forget(entry.notice.service);
      }
      // What SIGKILL has not ended is waited for no more: a command of start_if had got it before the stop.
      if (entry.kind === 'fact' && entry.fact.type === 'service.survives') promises.delete(entry.fact.service);
      if (entry.kind === 'told') {
        const { service, by, killAfter } = entry;
        const scheduled = isScheduled(specs.get(service)?.type ?? 'simple');
        const promise = promises.get(service);
        // Processes that finished runs have left get less time than a reset had given them.
        if (killAfter === undefined && promise?.by === 'reset') promise.hastened = true;
        if (killAfter === undefined || (by === 'reset' && !scheduled)) return undefined;
        // A reset while runs may finish applies to the processes that they leave, once their leaders have ended.
        const isDraining = by === 'reset' && phases.get(service) === 'stopping';
        const due = entry.own + killAfter;
        // Processes that drained runs have left are being ended already; in a stop, a reset does not change their time
        // limit.
        const goesOn = promise?.by === 'itself' || (promise?.by === 'reset' && promise.due > entry.own);
        if (scheduled && promise !== undefined && goesOn) {
          promise.due = Math.min(promise.due, due);
          promise.at = entry.own;
        } else if (by === 'stop' || promise?.by !== 'stop') {
          const killed = by === 'reset' || (promise?.by !== 'reset' && promise?.killed === true);
          promises.set(service, { ...newPromise(by, due, entry.own), killed, hastened: isDraining });
        }
      }
      if (entry.kind === 'sends' && entry.purpose === 'stop') {
        const beside = besideOf(entry.service);
        const promise = promises.get(beside ?? entry.service);
        // The time of a command beside a service is the service's.
        if (beside !== undefined) {
          if (promise !== undefined && entry.signal === 'SIGKILL') promise.killed = true;
          return undefined;
        }
        // The service itself ends a failed run, and processes that drained runs have left.
        const isFirst = !steps.isLater(entry, specs.get(entry.service)?.killSteps);
        const isOwn = isFirst && (promise === undefined || (promise.by === 'reset' && promise.at < entry.own));
        // Another invariant is about runs that are ended for themselves.
        const { maxRuntime, cron, type = 'simple' } = specs.get(entry.service) ?? {};
        const endsRuns = isScheduled(type) && (maxRuntime !== undefined || cron?.overlap === 'replace');
        if (endsRuns && promise !== undefined) promise.hastened = true;
        if (isOwn && !endsRuns && entry.signal !== 'SIGKILL')
          promises.set(
            entry.service,
            newPromise('itself', entry.own + (specs.get(entry.service)?.stopTimeout ?? clearGrace), entry.own),
          );
        if (promise === undefined || entry.signal !== 'SIGKILL') return undefined;
        promise.killed = true;
        const isMixed = specs.get(entry.service)?.killMode === 'mixed';
        if (entry.own < promise.due && !promise.hastened && !forced && !isMixed)
          return `${entry.service} gets SIGKILL ${promise.due - entry.own} ms before its time is up`;
      }
      if (forced || (draining && entry.kind !== 'look')) return undefined;
      // Hooks of after_stop have a time of their own.
      for (const [service, { due, killed, extended }] of promises)
        if (!killed && !extended && specs.get(service)?.hooks === undefined && entry.own > due + grain)
          return `the time of ${service} is up for ${entry.own - due} ms, and it has not got SIGKILL`;
      return undefined;
    });
  },

  // Reference 2, cron: "`stop` unschedules and ends the job, `stop --drain` lets it finish, `disable` unschedules".
  'a stop ends what runs, and only a drain lets it finish': (run) => {
    const specs = specsOf(run);
    const isCron = (name: string): boolean => isScheduled(specs.get(name)?.type ?? 'simple');
    const drained = new Set<string>();
    return walk(run, (entry, { draining, asked, disabled, phases, gone, stopped }) => {
      if (entry.kind === 'deed' && 'names' in entry.deed && entry.refused !== true) {
        const { deed } = entry;
        const drains =
          deed.do === 'disable' ||
          (deed.do === 'stop' && deed.drain === true && deed.names.every((name) => isCron(name) || gone.has(name)));
        for (const name of deed.names) {
          // A start of a service that is ending follows the service's end.
          if (deed.do === 'enable' || deed.do === 'start' || deed.do === 'reset' || deed.do === 'reload') continue;
          if (deed.do === 'disable' && disabled.has(name)) continue;
          // A later request to drain does not hold up a stop that is to end the runs at once.
          const goesOn = isTriggered(phases.get(name) ?? 'pending') && (!asked.has(name) || drained.has(name));
          if (drains && goesOn) drained.add(name);
          else if (!drains) drained.delete(name);
        }
      }
      // A service that is being stopped by hand stays stopped.
      if (entry.kind === 'reloaded')
        for (const name of [...entry.names, ...entry.gone])
          if (!stopped.has(name) || gone.has(name)) drained.delete(name);
      if (isChange(entry) && isEnded(entry.notice.change.phase)) drained.delete(entry.notice.service);
      if (entry.kind !== 'told' || entry.by !== 'stop' || draining || !isCron(entry.service)) return undefined;
      const { service, killAfter } = entry;
      // A service that has not begun has nothing to end.
      if (!isTriggered(phases.get(service) ?? 'pending')) return undefined;
      if (killAfter === undefined && !drained.has(service)) return `${service} is drained, and was to be ended`;
      return killAfter !== undefined && drained.has(service) ? `${service} is ended, and was to be drained` : undefined;
    });
  },

  // supervision.md, on_failure: "start at boot fails (tries used up) | shutdown, its status", "later failure (tries used up, or none)
  // | shutdown, its status"; "start by hand fails | told to the caller".
  'what fails with on_failure: shutdown ends the system': (run) => {
    const specs = specsOf(run);
    const byHand = new Set<string>();
    let failed: { readonly service: string; readonly at: number } | undefined;
    return walk(run, (entry, { draining, replaced, asked }) => {
      if (entry.kind === 'deed' && 'names' in entry.deed) for (const name of entry.deed.names) byHand.add(name);
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining') failed = undefined;
      if (failed !== undefined && entry.at > failed.at) return `${failed.service} has failed, and the system goes on`;
      if (draining || !isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (specs.get(service)?.onFailure !== 'shutdown' || change.phase !== 'failed') return undefined;
      if (replaced.has(service) || asked.has(service)) return undefined;
      if (change.during === 'run' || !byHand.has(service)) failed = { service, at: entry.at };
      return undefined;
    });
  },

  // supervision.md, Dependents: "it left its stage (crash, stop by hand, failed …; a normal end is none), at once, tries left or
  // not: `keep` · `stop` … · `fail`", and "stopped by hand: this one ends *first*".
  'nobody runs on whose prerequisite has left its stage, unless it keeps on': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state, index) => {
      if (!isChange(entry) || state.draining) return undefined;
      const { service, change } = entry.notice;
      const spec = specs.get(service);
      // A pause that follows a normal end comes of that end, which is no loss.
      const isPause = change.phase === 'backoff' && change.normal === true;
      const isNormal = isPause || change.phase === 'exited' || change.phase === 'ready.exited';
      if (spec === undefined || isNormal || state.disabled.has(service) || state.gone.has(service)) return undefined;
      // A service whose failure is ignored, or whose start was skipped, has never reached its stage: its start by hand does not
      // leave it.
      const phase = state.phases.get(service);
      if (phase === 'failed' || phase === 'disabled') return undefined;
      const then = { ...state, phases: new Map(state.phases).set(service, change.phase) };
      const left = run.spec.services.find((other) => {
        const tie = tieTo(other, service);
        if (tie.kind !== 'requires' || (other.onPrerequisiteFailure ?? 'stop') === 'keep') return false;
        const stood = tie.stages.every((stage) => stands(spec, stage, state));
        if (!stood || tie.stages.every((stage) => stands(spec, stage, then))) return false;
        const now = state.phases.get(other.name) ?? 'pending';
        const runs = isLive(now) || (now === 'ready.exited' && ownsRemains(other));
        return runs && !state.asked.has(other.name) && !state.gone.has(other.name) && !answers(run, index, other.name);
      });
      return left === undefined ? undefined : `${left.name} goes on although ${service} is ${change.phase}`;
    });
  },

  // supervision.md, Dependents: "Each consequence names its cause in log, status and page."
  'what a prerequisite does is what the directives say, and names its cause': (run) => {
    const specs = specsOf(run);
    const facts = new Map<number, Fact>();
    return walk(run, (entry) => {
      if (entry.kind !== 'fact') return undefined;
      const { fact } = entry;
      facts.set(fact.seq, fact);
      if (fact.type === 'moved' && fact.event['why'] === 'prerequisite' && fact.event['because'] === undefined)
        return `${fact.actor} stops because of a prerequisite, and does not say which`;
      if (fact.type !== 'service.tied') return undefined;
      const { service, cause, consequence, by } = fact;
      const spec = specs.get(service);
      if (spec === undefined) return `${service} is not configured`;
      if (tieTo(spec, cause.prerequisite).kind !== 'requires')
        return `${service} does not require ${cause.prerequisite}`;
      const directive =
        cause.how === 'returned' ? (spec.onPrerequisiteRestart ?? 'keep') : (spec.onPrerequisiteFailure ?? 'stop');
      if (directive !== consequence) return `${service} is to ${directive}, and answers with ${consequence}`;
      return by !== undefined && facts.has(by) ? undefined : `no fact says what has happened to ${cause.prerequisite}`;
    });
  },

  // supervision.md, Dependents: "`wants` waits until it has reached its stage *or* failed, is stopped or skipped".
  'nobody waits for ever for one that it only wants': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.blocked') return undefined;
      const { service, roots } = entry.notice;
      const spec = specs.get(service);
      if (spec === undefined || state.draining) return undefined;
      const strict = spec.prerequisites.filter((name) => tieTo(spec, name).kind !== 'wants');
      const isStaged = run.spec.services.some((other) => systemStage(other) < systemStage(spec) && roots.length > 0);
      return strict.length > 0 || isStaged ? undefined : `${service} is held up, and only wants what it waits for`;
    });
  },

  'what ends normally with on_success: shutdown ends the system': (run) => {
    const specs = specsOf(run);
    let ended: { readonly service: string; readonly at: number } | undefined;
    return walk(run, (entry, { draining, asked }) => {
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining') ended = undefined;
      if (ended !== undefined && entry.at > ended.at) return `${ended.service} has ended, and the system goes on`;
      if (draining || !isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      const spec = specs.get(service);
      const isEnd = change.phase === 'exited' || (change.phase === 'ready.exited' && spec?.type === 'oneshot');
      if (spec?.onSuccess !== undefined && isEnd && !asked.has(service)) ended = { service, at: entry.at };
      return undefined;
    });
  },

  // Architecture, One feed: "A fact is made once, where it happens, with time and cause"; facts carry the time of their observation,
  // also where chaperone's own clock stands still.
  'times never go back': (run) => {
    let last = 0;
    return walk(run, (entry) => {
      if (entry.kind !== 'fact') return undefined;
      const { at, type, seq } = entry.fact;
      if (at < last) return `fact ${seq} (${type}) is of ${at} ms, and one before it of ${last} ms`;
      last = at;
      // Facts tell time in whole microseconds.
      const told = Math.round(entry.at * 1000) / 1000;
      return at === told ? undefined : `fact ${seq} (${type}) is of ${at} ms, and was told at ${told} ms`;
    });
  },

  'each cause names a fact that came before': (run) => {
    const facts = new Map<number, Fact>();
    return walk(run, ({ kind, ...entry }) => {
      if (kind !== 'fact' || !('fact' in entry)) return undefined;
      const { fact } = entry;
      facts.set(fact.seq, fact);
      const waitedFor = fact.type === 'moved' ? fact.event['waitedFor'] : undefined;
      if (fact.by === undefined)
        return typeof waitedFor === 'string' && fact.type === 'moved' && fact.event.type === 'service.start'
          ? `${fact.actor} has waited for ${waitedFor}, and no fact says what that did`
          : undefined;
      const cause = facts.get(fact.by);
      if (cause === undefined || fact.by >= fact.seq)
        return `fact ${fact.seq} comes of fact ${fact.by}, which did not come before`;
      if (fact.type !== 'moved' || fact.event.type !== 'service.start' || typeof waitedFor !== 'string')
        return undefined;
      const isOfIt =
        (cause.type === 'moved' && cause.actor === waitedFor) ||
        (cause.type === 'service.removed' && cause.service === waitedFor);
      return isOfIt
        ? undefined
        : `${fact.actor} has waited for ${waitedFor}, and its start comes of fact ${cause.seq} (${cause.type})`;
    });
  },

  // Supervision, output to somebody: nothing is lost, doubled or mixed on the way, whoever is restarted, and what stays unread is told.
  'a service reads what others write to it, each line once and in order': (run) => {
    const specs = specsOf(run);
    /** By reader: the lines on their way. */
    const lines = new Map<string, string[]>();
    const wrong = walk(run, (entry) => {
      if (entry.kind === 'wrote') {
        const reader = specs.get(entry.service)?.stdout ?? 'log';
        lines.set(reader, [...(lines.get(reader) ?? []), entry.text]);
      } else if (entry.kind === 'took') {
        const next = lines.get(entry.service)?.shift();
        if (next !== entry.text)
          return `${entry.service} reads ${JSON.stringify(entry.text)} and not ${JSON.stringify(next)}`;
      } else if (entry.kind === 'unread') {
        for (let left = entry.bytes; left > 0; ) {
          const next = lines.get(entry.service)?.shift();
          if (next === undefined) return `${entry.service} has ${left} bytes unread that nobody has written`;
          left -= next.length;
        }
      }
      return undefined;
    });
    if (wrong !== undefined) return wrong;
    const lost = [...lines].find(([, left]) => left.length > 0);
    return lost === undefined || run.end.output === undefined
      ? undefined
      : `${lost[0]} has not read ${lost[1].length} lines, and nobody says so`;
  },

  // Architecture: a chart that is made anew from what it knows goes on as the one that was not interrupted would have.
  'a rebuilt chart goes on as the uninterrupted one': (run) =>
    walk(run, (entry) =>
      entry.kind === 'rebuilt' && entry.difference !== undefined
        ? `${entry.service} in ${entry.stage}: ${entry.difference}`
        : undefined,
    ),

  'the system ends, and nothing in it breaks': (run) => {
    if (run.end.error !== undefined) return run.end.error;
    return run.end.output === undefined ? `it still runs after ${run.end.at} ms` : undefined;
  },
} as const satisfies Readonly<Record<string, Invariant>>;

/** Tells the later signals of `kill_signal` from the first ones: only the first one begins the time of an end. */
class LaterSignals {
  /** By service: the signals that follow if the ones before them end nothing. */
  readonly #due = new Map<string, { readonly at: number; readonly nth: number }[]>();

  /** The service has ended: what was still to follow does not come, and its next end begins with the first signal. */
  forget(service: string): void {
    this.#due.delete(service);
  }

  isLater(entry: Entry & { readonly kind: 'sends' }, steps: ServiceSpec['killSteps'] = []): boolean {
    const { service, own, signal } = entry;
    if (signal === 'SIGKILL') return false;
    const due = this.#due.get(service) ?? [];
    const now = due.find(({ at, nth }) => Math.abs(at - own) < 1 && steps[nth]?.signal === signal);
    const nth = now?.nth ?? 0;
    const next = steps[nth + 1] === undefined ? [] : [{ at: own + (steps[nth]?.pause ?? 0), nth: nth + 1 }];
    this.#due.set(service, [...due.filter((one) => one !== now && one.at > own - 1), ...next]);
    return now !== undefined;
  }
}

interface Promised {
  /** The command that has told the service to end; `itself` for a failed run or left processes. */
  readonly by: 'stop' | 'reset' | 'itself';
  /** ms on chaperone's clock: when the service was told to end, and when SIGKILL is due. */
  at: number;
  due: number;
  /** True once the service has got SIGKILL, or the processes in question may have ended. */
  killed: boolean;
  /** True once the service has asked for more time. */
  extended: boolean;
  /** True where the system has begun to end since, so that no service has more time than is left. */
  hastened: boolean;
}

function newPromise(by: Promised['by'], due: number, at: number): Promised {
  return { by, at, due, killed: by === 'reset', extended: false, hastened: false };
}

/** True where the very same event answers for the service: what follows of a change is told right after it. */
function answers({ history }: WorldRun, index: number, service: string): boolean {
  const at = history[index]?.own;
  for (const entry of history.slice(index + 1)) {
    if (entry.own !== at) return false;
    if (entry.kind !== 'notice') continue;
    if (entry.notice.type === 'service.tied' && entry.notice.service === service) return true;
    // It ends by itself at the same time, or the system does.
    if (entry.notice.type === 'system.draining') return true;
    if (isChange(entry) && entry.notice.service === service && isEnded(entry.notice.change.phase)) return true;
  }
  return false;
}

/** The services that this request ends and starts again, without force, and those that are removed with it. */
function restartOf(
  entry: Entry,
  { stopped }: State,
): { readonly names: readonly string[]; readonly gone: readonly string[] } | undefined {
  if (entry.kind === 'deed') {
    const { deed, refused } = entry;
    return deed.do === 'restart' && deed.force !== true && refused !== true
      ? { names: deed.names, gone: [] }
      : undefined;
  }
  if (entry.kind !== 'reloaded' || entry.force) return undefined;
  const { names, gone } = entry;
  return { names: names.filter((name) => !stopped.has(name) && !gone.includes(name)), gone };
}

/** True where dependents of the service could not start without a request. Services in `begun` still have to start. */
function isDown(
  specs: ReadonlyMap<string, ServiceSpec>,
  name: string,
  state: State,
  change: { readonly begun: readonly string[]; readonly gone: readonly string[]; readonly tie: Tie },
): boolean {
  const { begun, gone, tie } = change;
  const spec = specs.get(name);
  if (spec === undefined || tie.kind === 'wants' || gone.includes(name) || state.gone.has(name)) return false;
  const begins = begun.includes(name) && !state.disabled.has(name);
  if (!begins && (tie.stages.every((one) => stands(spec, one, state)) || state.wishes.has(name))) return false;
  const phase = begins ? 'pending' : (state.phases.get(name) ?? 'pending');
  if (phase === 'pending')
    return spec.prerequisites.some((other) => isDown(specs, other, state, { ...change, tie: tieTo(spec, other) }));
  return phase === 'stopped' || phase === 'failed';
}

/** A service that a look shows as waiting although nothing holds it. */
function unheld(run: WorldRun, look: Entry & { readonly kind: 'look' }, state: State): string | undefined {
  const phases = new Map(look.services.map(({ name, phase }) => [name, phase]));
  const open = (spec: ServiceSpec): boolean => {
    const phase = phases.get(spec.name);
    if (state.gone.has(spec.name)) return true;
    return (
      phase === 'disabled' ||
      (phase !== undefined && lets(spec, { ...state, disabled: new Set(), phases: new Map([[spec.name, phase]]) }))
    );
  };
  for (const spec of run.spec.services) {
    if (phases.get(spec.name) !== 'pending') continue;
    const stage = systemStage(spec);
    // IDLE services wait for idle_delay; once the system is up they wait only for their prerequisites.
    if (stage === 2 && !state.ready) continue;
    const waits = run.spec.services.some(
      (other) =>
        // A service that a reload is about to replace counts as ready only in its new definition.
        (systemStage(other) < stage &&
          !state.wereReady.has(other.name) &&
          (!open(other) || state.asked.has(other.name))) ||
        (spec.prerequisites.includes(other.name) &&
          (!meets(run, other, tieTo(spec, other.name), { ...state, phases }) ||
            state.asked.has(other.name) ||
            state.renewed.has(other.name))) ||
        // The reload replaces the other service, or ends that one because it replaces the reader of its output.
        (other !== spec &&
          (state.replaced.has(other.name) || (state.replaced.size > 0 && phases.get(other.name) === 'stopping')) &&
          sharesWith(spec, other)),
    );
    if (!waits) return `${spec.name} is pending, and nothing holds it`;
  }
  return undefined;
}

/** True where both services want the same port, or the same pidfile. */
function sharesWith({ port, pidfile }: ServiceSpec, other: ServiceSpec): boolean {
  return (port !== undefined && other.port === port) || (pidfile !== undefined && other.pidfile === pidfile);
}

export type InvariantName = keyof typeof invariants;

export interface Violation {
  readonly invariant: InvariantName;
  readonly text: string;
}

/** The invariants that a world breaks, each once. */
export function violations(run: WorldRun): readonly Violation[] {
  return invariantNames.flatMap((invariant) => {
    const check: Invariant = invariants[invariant];
    const text = check(run);
    return text === undefined ? [] : [{ invariant, text }];
  });
}

export const invariantNames = Object.keys(invariants).filter((name): name is InvariantName => name in invariants);

function failureStatus(cause: FailureCause): number {
  // Whoever was given up after a normal end has failed all the same.
  if (cause.kind === 'exit') return shellStatus(cause.status) || 1;
  if (cause.kind !== 'spawn') return 1;
  // What could not be found may be a folder or a file of values, too.
  return cause.error.code === 'ENOENT' && !['directory', 'values'].includes(cause.error.stage) ? 127 : 126;
}

/** The last service that has failed without `ignore_failures` and was neither started nor stopped since. */
function lastFailure(run: WorldRun): { readonly service: string; readonly cause: FailureCause } | undefined {
  const failed = new Map<string, FailureCause>();
  walk(run, (entry, { draining, gone }) => {
    // A service that is no longer configured has no status.
    if (entry.kind === 'reloaded') for (const name of entry.gone) failed.delete(name);
    if (draining || !isChange(entry)) return undefined;
    const { service, change, ignoreFailures } = entry.notice;
    failed.delete(service);
    if (change.phase === 'failed' && !ignoreFailures && !gone.has(service)) failed.set(service, change.cause);
    return undefined;
  });
  const [service, cause] = [...failed].at(-1) ?? [];
  return service === undefined || cause === undefined ? undefined : { service, cause };
}

/** The last `exit_kills` service to end of those that lived when the system began to end, and its status. */
function statusOfMains(run: WorldRun): { readonly service: string; readonly status: number } | undefined {
  const specs = specsOf(run);
  const outcomes = new Map<string, number>();
  const mains = new Set<string>();
  let last: string | undefined;
  walk(run, (entry, { phases }) => {
    if (entry.kind !== 'notice') return undefined;
    const { notice } = entry;
    if (notice.type === 'system.draining') {
      for (const [name, { exitKills, type }] of specs)
        if (exitKills && !isScheduled(type) && isLive(phases.get(name) ?? 'pending')) mains.add(name);
    }
    if (notice.type !== 'service.changed') return undefined;
    const { service, change } = notice;
    const end =
      'end' in change ? change.end : 'cause' in change && change.cause.kind === 'exit' ? change.cause : undefined;
    if (end !== undefined) outcomes.set(service, shellStatus(end.status));
    else if ('cause' in change && change.cause.kind === 'spawn') outcomes.set(service, failureStatus(change.cause));
    if (mains.has(service) && isEnded(change.phase) && outcomes.has(service)) last = service;
    return undefined;
  });
  const service = last ?? [...mains][0];
  // A service that the system no longer waited for counts as killed.
  return service === undefined ? undefined : { service, status: last === undefined ? 137 : (outcomes.get(last) ?? 0) };
}

function isWrittenByOthers(run: WorldRun, service: string, pidfile: string): boolean {
  const { plan, spec } = run;
  const shares = spec.services.some((other) => other.name !== service && other.pidfile === pidfile);
  const claims = plan.faults.some(
    (fault) => (fault.fault === 'claim' || fault.fault === 'intruder') && fault.service === service,
  );
  const programs = plan.services.flatMap((other) => (other.name === service ? [] : other.programs));
  return shares || claims || JSON.stringify(programs).includes(JSON.stringify(pidfile));
}

/** True for what happens to services, by whatever cause; words in the log are none of it. */
function isOfService({ kind }: Entry): boolean {
  return kind !== 'fault';
}

function isAfter(run: WorldRun, entry: Entry, type: string): boolean {
  const other = noticeAt(run, type);
  return other !== undefined && run.history.indexOf(other) < run.history.indexOf(entry);
}

/** The most ms that a start of the service may read its values. */
function longestRead({ plan }: WorldRun, service: string): number {
  const reads = plan.faults.flatMap((fault) =>
    fault.fault === 'values' && fault.service === service ? [Math.min(fault.duration, readPatience)] : [],
  );
  return Math.max(0, ...reads);
}

/** The most ms from the beginning of a start until it is over. */
/** The entries as text; those of one instant in the order of their texts, since more datagrams are read in another order. */
function inAnyOrder(entries: readonly Entry[]): readonly string[] {
  return entries
    .map((entry) => ({ at: entry.at, text: JSON.stringify(entry).replaceAll(/"(?:seq|cause)":\d+,?/g, '') }))
    .sort((a, b) => a.at - b.at || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    .map(({ text }) => text);
}

function asksCommand(condition: Condition): boolean {
  return questionsOf(condition).some(({ kind }) => kind === 'command');
}

/** How many commands the conditions of a service ask, one after another. */
function commandsAsked({ startIf }: ServiceSpec): number {
  return startIf === undefined ? 0 : questionsOf(startIf).filter(({ kind }) => kind === 'command').length;
}

function longestStart({ type, startupPause, processTimeout, pidfile, hooks, ready }: ServiceSpec): number {
  // "`process_timeout` spans all" hooks, and the pause of a simple service may begin just before its end.
  if (hooks !== undefined && !isScheduled(type)) return startupPause + processTimeout;
  if (ready !== undefined) return processTimeout;
  switch (type) {
    case 'simple':
      return startupPause + (pidfile === undefined ? 0 : Math.max(0, processTimeout - startupPause));
    case 'oneshot':
      return processTimeout;
    case 'forking':
      return processTimeout;
    case 'notify':
      return startupPause + processTimeout;
    case 'inetd':
    case 'cron':
      return 0;
  }
}
