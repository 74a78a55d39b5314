/**
 * What always holds, whatever a world is like. Each invariant is pure over what was written down: it says what is wrong, or
 * nothing. They know the reference and not the code: where both could be asked, the reference decides.
 */
import { shellStatus } from '../../src/model/exit-status.ts';
import { isScheduled, mostRuns } from '../../src/model/scheduling.ts';
import { isEnded, isLive, type ServicePhase } from '../../src/model/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../../src/model/service-spec.ts';
import type { Entry, WorldRun } from './run-world.ts';

export type Invariant = (run: WorldRun) => string | undefined;

type Notice<T extends string> = Extract<Entry & { kind: 'notice' }, { kind: 'notice' }> & {
  readonly notice: { readonly type: T };
};

/** Where every service stands, as its own reports and what people did have it. */
interface State {
  readonly phases: Map<string, ServicePhase>;
  readonly disabled: Set<string>;
  /** Those that had been ready once. */
  readonly wereReady: Set<string>;
  /** Those that somebody asked to be stopped, until they have ended. */
  readonly asked: Set<string>;
  /** Those of them that are not to start again then. */
  readonly stopped: Set<string>;
  /** Those that may be ended first because they are to start afresh. */
  readonly renewed: Set<string>;
  /** Those of them that a reload stops: nothing is let go before all of these have ended. */
  readonly replaced: Set<string>;
  /** Those whose process survives SIGKILL. */
  readonly lost: Set<string>;
  /** Those that a reload has taken out of the configuration. */
  readonly gone: Set<string>;
  /** Who was to end when such a one was taken out: from then on nobody needs it. */
  readonly endFirst: Map<string, ReadonlySet<string>>;
  /** By service: the reload that has defined it, where it is not the boot. */
  readonly definitions: Map<string, number>;
  draining: boolean;
  forced: boolean;
  ready: boolean;
}

/** Walks through the history, each time with the state before. Ends with the first answer. */
function walk(
  run: WorldRun,
  visit: (entry: Entry, state: State, index: number) => string | undefined,
): string | undefined {
  const state: State = {
    phases: new Map(run.spec.services.map(({ name, enabled }) => [name, enabled ? 'pending' : 'disabled'])),
    disabled: new Set(run.spec.services.filter(({ enabled }) => !enabled).map(({ name }) => name)),
    wereReady: new Set(),
    asked: new Set(),
    stopped: new Set(),
    renewed: new Set(),
    replaced: new Set(),
    lost: new Set(),
    gone: new Set(),
    endFirst: new Map(),
    definitions: new Map(),
    draining: false,
    forced: false,
    ready: false,
  };
  for (const [index, entry] of run.history.entries()) {
    const answer = visit(entry, state, index);
    if (answer !== undefined) return `at ${entry.at} ms: ${answer}`;
    if (entry.kind === 'deed') applyDeed(entry.deed, state);
    if (entry.kind === 'reloaded') {
      const offByDefault = new Set(run.spec.services.filter(({ enabled }) => !enabled).map(({ name }) => name));
      for (const name of entry.names) {
        state.definitions.set(name, entry.nth);
        // One that has failed starts again, and holds up later stages as at the first time.
        const begins = !isOver(state, name) || state.phases.get(name) === 'failed';
        if (begins && !state.stopped.has(name) && !offByDefault.has(name)) state.wereReady.delete(name);
      }
      for (const name of entry.gone) state.gone.add(name);
      // What is disabled in the configuration and what is being stopped by hand anyway is no reload's to end.
      const replaced = entry.names.filter((name) => !offByDefault.has(name) && !state.stopped.has(name));
      for (const name of [...replaced, ...entry.gone].filter((each) => !isOver(state, each))) {
        state.asked.add(name);
        state.replaced.add(name);
      }
      for (const name of entry.gone) state.endFirst.set(name, new Set(state.asked));
    }
    if (entry.kind !== 'notice') continue;
    const { notice } = entry;
    if (notice.type === 'system.draining') state.draining = true;
    if (notice.type === 'system.forced') state.forced = true;
    if (notice.type === 'system.ready') state.ready = true;
    if (notice.type === 'service.lost') state.lost.add(notice.service);
    if (notice.type !== 'service.changed') continue;
    const { phase } = notice.change;
    state.phases.set(notice.service, phase);
    if (isUp(phase)) state.wereReady.add(notice.service);
    if (!isEnded(phase)) continue;
    state.asked.delete(notice.service);
    state.stopped.delete(notice.service);
    state.replaced.delete(notice.service);
    state.renewed.delete(notice.service);
  }
  return undefined;
}

/** There is nothing to stop, and so no end to wait for. */
function isOver({ phases }: State, name: string): boolean {
  const phase = phases.get(name) ?? 'pending';
  return isEnded(phase) || phase === 'pending';
}

function applyDeed(deed: Extract<Entry, { kind: 'deed' }>['deed'], state: State): void {
  const { disabled, asked, stopped } = state;
  switch (deed.do) {
    case 'start':
      for (const name of deed.names) {
        if (deed.enable) disabled.delete(name);
        if (disabled.has(name)) continue;
        if (deed.force) state.renewed.add(name);
        if (deed.force) stopped.delete(name);
        // What has done its work needs no end.
        if (deed.force && !isOver(state, name) && state.phases.get(name) !== 'exited') asked.add(name);
      }
      break;
    case 'stop':
    case 'restart':
      for (const name of deed.names) {
        if (deed.do === 'stop' && deed.disable) disabled.add(name);
        if (isOver(state, name)) continue;
        asked.add(name);
        if (deed.do === 'stop') stopped.add(name);
        else stopped.delete(name);
      }
      break;
    case 'enable':
      for (const name of deed.names) disabled.delete(name);
      break;
    case 'disable':
      for (const name of deed.names) disabled.add(name);
      break;
    case 'reset':
    case 'reload':
    case 'kill':
    case 'shutdown':
    case 'signal':
    case 'connect':
    case 'log':
      break;
  }
}

function isUp(phase: ServicePhase): boolean {
  return phase === 'running' || phase === 'exited' || phase === 'scheduled';
}

/** Its dependents may start: by section 2 of the reference. */
function lets(spec: ServiceSpec, { phases, disabled, gone }: State): boolean {
  if (gone.has(spec.name)) return true;
  const phase = phases.get(spec.name) ?? 'pending';
  if (isUp(phase)) return true;
  if (phase === 'failed' && spec.ignoreFailures) return true;
  return disabled.has(spec.name) && (isEnded(phase) || phase === 'pending');
}

function specsOf(run: WorldRun): ReadonlyMap<string, ServiceSpec> {
  return new Map(run.spec.services.map((service) => [service.name, service]));
}

function isChange(entry: Entry): entry is Notice<'service.changed'> {
  return entry.kind === 'notice' && entry.notice.type === 'service.changed';
}

function noticeAt(run: WorldRun, type: string): Entry | undefined {
  return run.history.find((entry) => entry.kind === 'notice' && entry.notice.type === type);
}

function has(run: WorldRun, fault: string): boolean {
  return run.plan.faults.some((each) => each.fault === fault);
}

function stageOf({ groups }: ServiceSpec): number {
  return groups.includes('INIT') ? 0 : groups.includes('IDLE') ? 2 : 1;
}

/** Types whose main process may change hands, so that the one that was spawned is not all there is to know. */
function mayMove({ type, pidfile }: ServiceSpec): boolean {
  return type === 'forking' || type === 'notify' || pidfile !== undefined;
}

/** Where a service may go from where it is. */
const ways: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  disabled: ['starting', 'stopped'],
  pending: ['starting', 'stopped'],
  starting: ['running', 'exited', 'scheduled', 'stopping', 'stopped', 'backoff', 'failed'],
  running: ['exited', 'stopping', 'backoff', 'failed'],
  exited: ['running', 'starting', 'stopping', 'stopped'],
  scheduled: ['stopping'],
  backoff: ['starting', 'stopped'],
  stopping: ['starting', 'stopped', 'backoff', 'failed'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};

/** ms beyond its restart delay for which a service has to be ready before its restarts are forgotten. */
const stableMargin = 1_000;
/** ms from one look at what a daemon has left behind to the next. */
const longestLook = 250;
/** ms that the kernel may take to end what got SIGKILL. */
const killGrace = 1_000;
/** ms between the first signal and SIGKILL that everybody gets, while the system does not end. */
const leastGrace = 1_000;

export const invariants = {
  'nothing starts before its prerequisites are ready': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.released') return undefined;
      const { service } = entry.notice;
      const held = specs.get(service)?.prerequisites.find((name) => {
        const spec = specs.get(name);
        return spec !== undefined && !lets(spec, state);
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
        (other) => stageOf(other) < stageOf(spec) && !state.wereReady.has(other.name) && !lets(other, state),
      );
      return held === undefined
        ? undefined
        : `${spec.name} starts while ${held.name} is ${state.phases.get(held.name)}`;
    });
  },

  'every start was let go, or is a restart after its pause': (run) => {
    const specs = specsOf(run);
    /** When a service may start: at once after it was let go, from then on after a restart pause. */
    const allowed = new Map<string, number>();
    return walk(run, (entry) => {
      if (entry.kind === 'notice') {
        const { notice } = entry;
        if (notice.type === 'service.released') allowed.set(notice.service, entry.own);
        if (notice.type !== 'service.changed') return undefined;
        if (notice.change.phase === 'backoff')
          allowed.set(notice.service, entry.own + (specs.get(notice.service)?.restartDelay ?? 0));
        else if (notice.change.phase === 'stopped') allowed.delete(notice.service);
        return undefined;
      }
      if (entry.kind !== 'spawned' && entry.kind !== 'unspawned') return undefined;
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
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'notice' && entry.notice.type === 'service.released') {
        if (draining) return `${entry.notice.service} is let go`;
        released.set(entry.notice.service, entry.own);
      }
      if (!draining || entry.kind !== 'spawned') return undefined;
      // Of those that are let go together the first may be what ends the system: the others have their start already.
      return entry.own === begin && released.get(entry.service) === begin
        ? undefined
        : `${entry.service} starts as pid ${entry.pid}`;
    });
  },

  'nothing waits without a reason': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      if (entry.kind !== 'look' || state.draining || state.replaced.size > 0) return undefined;
      const phases = new Map(entry.services.map(({ name, phase }) => [name, phase]));
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
        const stage = stageOf(spec);
        // IDLE services wait for idle_delay; once the system is up they wait for nothing but others.
        if (stage === 2 && !state.ready) continue;
        const waits = run.spec.services.some(
          (other) =>
            (stageOf(other) < stage && !state.wereReady.has(other.name) && !open(other)) ||
            (spec.prerequisites.includes(other.name) &&
              (!open(other) || state.asked.has(other.name) || state.renewed.has(other.name))),
        );
        if (!waits && specs.has(spec.name)) return `${spec.name} is pending, and nothing holds it`;
      }
      return undefined;
    });
  },

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
    return walk(run, (entry) => {
      if (entry.kind === 'ended') ended.add(`${entry.service} ${entry.pid} ${shellStatus(entry.status)}`);
      if (!isChange(entry) || !('cause' in entry.notice.change)) return undefined;
      const { service, change } = entry.notice;
      const { cause } = change;
      if (cause.kind !== 'exit') return undefined;
      const told = `${service} ${cause.pid} ${shellStatus(cause.status)}`;
      return ended.has(told) ? undefined : `${service} is said to have ended: ${told}`;
    });
  },

  'shutdown ends within its budget': (run) => {
    const begin = noticeAt(run, 'system.draining')?.own;
    const end = noticeAt(run, 'system.halted')?.own;
    if (begin === undefined || end === undefined) return 'the system has not ended';
    const pauses = run.plan.faults.reduce((sum, fault) => sum + (fault.fault === 'pause' ? fault.duration : 0), 0);
    // Whoever is told late of the end of what got SIGKILL waits for that, and no longer.
    const late = has(run, 'stuck') || has(run, 'coalescedExits') ? killGrace : 0;
    const budget = run.spec.shutdownTimeout + late + pauses;
    return end - begin > budget ? `it took ${end - begin} ms of ${budget}` : undefined;
  },

  'every service gets its own signal before SIGKILL': (run) => {
    const specs = specsOf(run);
    const signalled = new Map<number, Set<string>>();
    let clearing = false;
    let killed: string | undefined;
    return walk(run, (entry, { forced }) => {
      if (entry.kind === 'notice' && entry.notice.type === 'system.clearing') clearing = true;
      if (entry.kind === 'deed') killed = entry.deed.do === 'kill' ? entry.deed.name : undefined;
      if (entry.kind !== 'signalled' || forced) return undefined;
      const { root, signal, service, pid } = entry;
      const seen = signalled.get(root) ?? new Set();
      signalled.set(root, seen.add(signal));
      if (signal !== 'SIGKILL' || killed === service || has(run, 'pause')) return undefined;
      const spec = specs.get(service);
      const own = [
        spec?.killSignal ?? 'SIGTERM',
        ...(spec?.type === 'notify' ? ['SIGABRT'] : []),
        ...(clearing ? ['SIGTERM'] : []),
      ];
      return own.some((name) => seen.has(name)) ? undefined : `pid ${pid} of ${service} gets SIGKILL at once`;
    });
  },

  'SIGKILL leaves time to end': (run) => {
    const signalled = new Map<number, number>();
    let killed: string | undefined;
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'deed') killed = entry.deed.do === 'kill' ? entry.deed.name : undefined;
      if (entry.kind !== 'signalled' || draining || entry.signal === 'SIGCONT') return undefined;
      const since = signalled.get(entry.root);
      if (entry.signal !== 'SIGKILL') {
        if (since === undefined) signalled.set(entry.root, entry.own);
        return undefined;
      }
      const least = Math.min(leastGrace, run.spec.shutdownTimeout);
      if (since === undefined || entry.own - since >= least || has(run, 'pause')) return undefined;
      if (killed === entry.service) return undefined;
      return `pid ${entry.pid} of ${entry.service} gets SIGKILL after ${entry.own - since} ms`;
    });
  },

  'dependents stop before what they depend on': (run) => {
    const specs = specsOf(run);
    const lastNotified = new Map<string, number>();
    let reset: readonly string[] = [];
    return walk(run, (entry, state) => {
      if (entry.kind === 'notified') lastNotified.set(entry.service, entry.at);
      if (entry.kind === 'deed') reset = entry.deed.do === 'reset' ? entry.deed.names : [];
      if (!isChange(entry) || entry.notice.change.phase !== 'stopping' || state.forced || has(run, 'pause'))
        return undefined;
      const { service } = entry.notice;
      // One that takes too long to start, misses its watchdog or says that it has failed is ended before its turn.
      if (state.phases.get(service) === 'starting' || specs.get(service)?.watchdog !== undefined) return undefined;
      if (lastNotified.get(service) === entry.at || reset.includes(service)) return undefined;
      const other = run.spec.services.find(({ name, prerequisites }) => {
        if (!prerequisites.includes(service) || state.lost.has(name)) return false;
        const phase = state.phases.get(name) ?? 'pending';
        // What has been taken out is no longer what others need.
        const isKept = !state.gone.has(service);
        if (state.draining && isKept) return !isEnded(phase) && !(state.gone.has(name) && phase === 'pending');
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
    const failed = walk(run, (entry, { draining }) => {
      if (draining || !isChange(entry)) return undefined;
      const { service, change, ignoreFailures } = entry.notice;
      if (change.phase !== 'failed' || change.during !== 'start' || ignoreFailures) return undefined;
      return noticeAt(run, 'system.ready') !== undefined && isAfter(run, entry, 'system.ready') ? undefined : service;
    });
    if (failed !== undefined && end.kind !== 'serviceFailed')
      return `${failed} has failed to start, the end is ${end.kind}`;
    switch (end.kind) {
      case 'signal':
        return expect(end.signal === 'SIGINT' ? 130 : 0, `after ${end.signal}`);
      case 'serviceFailed':
        return failed?.endsWith(end.service) === true
          ? expect(1, `${end.service} has failed to start`)
          : `${end.service} is said to have failed to start, and has not`;
      case 'missingPrograms':
        return run.plan.services.some(({ installed }) => !installed)
          ? expect(1, 'programs are missing')
          : 'no program is missing';
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
        // Of a process that is nobody's child only what it says of itself is known.
        return told || mayMove(spec)
          ? expect(shellStatus(status), `as ${end.service} has it`)
          : 'nothing ended with it';
      }
      case 'noProcesses':
        return expect(0, 'nothing was left to do');
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
    // A shutdown that was asked for may still be to come.
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
    for (const { name, accepted, written, counted, waitingBytes } of run.end.sinks) {
      if (waitingBytes > 0) return `${waitingBytes} bytes still wait for ${name}`;
      if (written > accepted) return `${name} has ${written} lines of ${accepted}`;
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
    return walk(run, (entry) => {
      if (entry.kind === 'ended') endedAt.set(entry.service, entry.at).set(entry.pid, entry.at);
      if (entry.kind !== 'look') return undefined;
      for (const { name, state, stage, pid, running } of entry.services) {
        const spec = specs.get(name);
        if (spec === undefined) continue;
        const own = entry.processes.filter(({ id, root, service }) => id === root && service === name);
        if (stage === 'ready.scheduled' && running !== own.length)
          return `${name} is said to have ${running} processes, and has ${own.length}`;
        if (stage === 'ready.running') {
          // Where it was a daemon that has crashed, what it has left behind is cleared away before anybody is told.
          // A pidfile names a number, and nobody can tell whether it has been given away anew before it was read.
          const anyones = mayMove(spec) && has(run, 'reusedPids');
          const lives = entry.processes.some((process) =>
            process.service === name ? process.pid === pid || ownsRemains(spec) : anyones && process.pid === pid,
          );
          // That one who is nobody's child has gone is heard of a moment later.
          const ended = Math.max(endedAt.get(name) ?? 0, (anyones ? endedAt.get(pid ?? 0) : undefined) ?? 0);
          const justEnded = mayMove(spec) && (entry.at - ended <= longestLook || has(run, 'pause'));
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
    return walk(run, (entry, { phases }) => {
      if (entry.kind === 'notified' && entry.text.includes('EXTEND_TIMEOUT')) extended.add(entry.service);
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      const spec = specs.get(service);
      if (change.phase === 'starting') began.set(service, entry.own);
      if (spec === undefined || phases.get(service) !== 'starting' || extended.has(service)) return undefined;
      const took = entry.own - (began.get(service) ?? entry.own);
      const most = longestStart(spec);
      return took > most ? `${service} was starting for ${took} ms, and may be for ${most}` : undefined;
    });
  },

  'restarts have a limit': (run) => {
    const specs = specsOf(run);
    const used = new Map<string, number>();
    const readyAt = new Map<string, number>();
    return walk(run, (entry) => {
      if (entry.kind === 'deed' && entry.deed.do === 'reset') for (const name of entry.deed.names) used.delete(name);
      if (entry.kind === 'notified' && entry.text.includes('RESTART_RESET=1')) used.delete(entry.service);
      if (entry.kind !== 'notice') return undefined;
      const { notice } = entry;
      if (notice.type === 'service.released') used.delete(notice.service);
      if (notice.type !== 'service.changed') return undefined;
      const { service, change } = notice;
      const spec = specs.get(service);
      if (spec === undefined) return undefined;
      const stable = entry.own - (readyAt.get(service) ?? entry.own) >= spec.restartDelay + stableMargin;
      readyAt.delete(service);
      if (stable) used.delete(service);
      if (change.phase === 'running') readyAt.set(service, entry.own);
      if (change.phase !== 'backoff') return undefined;
      const count = (used.get(service) ?? 0) + 1;
      used.set(service, count);
      if (!spec.restart || spec.exitKills) return `${service} is restarted, and is not to be`;
      return count > spec.restartLimit
        ? `${service} is restarted for the ${count}th time of ${spec.restartLimit}`
        : undefined;
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
      if (specs.get(service)?.type !== 'notify' || !isUp(change.phase) || phases.get(service) !== 'starting')
        return undefined;
      return said.has(service) ? undefined : `${service} is ${change.phase}, and has not said READY=1`;
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
      // What the start of a daemon leaves behind is the service's, and stands in the way of the next.
      if (spec.type === 'forking' && ownsRemains(spec) && others.length > 0)
        return `${entry.service} starts, and pid ${others[0]?.[1].pid} of an earlier start lives`;
      // The one process that is the service may be another than the one that was started.
      if (spec.killMode === 'process' && mayMove(spec)) return undefined;
      const mains = others.filter(([id, { root }]) => id === root && !(spec.type === 'notify' && signalled.has(id)));
      const most = mostRuns(spec);
      return mains.length >= most ? `${entry.service} has ${mains.length + 1} processes of ${most}` : undefined;
    });
  },

  'a cron or inetd service fails only at its start': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry) => {
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (!isScheduled(specs.get(service)?.type ?? 'simple')) return undefined;
      if (change.phase === 'failed' && change.during === 'run') return `${service} has failed after its start`;
      return ['running', 'exited', 'backoff'].includes(change.phase) ? `${service} is ${change.phase}` : undefined;
    });
  },

  'detect_exit ends what is idle, and nothing that lives': (run) => {
    let live = 0;
    let idleSince: number | undefined;
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'spawned' || entry.kind === 'forked') live += 1;
      if (entry.kind === 'ended') live -= 1;
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
      // A reset makes `stopped` of `failed`, and stops nothing.
      if (change.phase === 'stopped' && phases.get(service) === 'stopping') stopped.add(service);
      else stopped.delete(service);
      return undefined;
    });
    for (const { name, pidfile, killMode } of run.spec.services) {
      if (pidfile === undefined || killMode === 'process' || !stopped.has(name)) continue;
      const old = run.plan.faults.flatMap((fault) =>
        fault.fault === 'oldPidfile' && fault.service === name ? [fault.text] : [],
      );
      const text = run.end.pidfiles[name];
      if (text !== undefined && !old.includes(text)) return `${name} has left ${pidfile}`;
    }
    return undefined;
  },

  'after a reload the system equals a fresh boot': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry, state) => {
      if (entry.kind === 'spawned') {
        const { service, pid } = entry;
        // What has still to be stopped goes on as it was: it restarts, and its schedule is kept.
        if (state.asked.has(service)) return undefined;
        if (state.gone.has(service)) return `${service} starts as pid ${pid}, and is configured no more`;
        const wanted = state.definitions.get(service) ?? 0;
        return entry.definition === wanted
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

  'the system ends, and nothing in it breaks': (run) => {
    if (run.end.error !== undefined) return run.end.error;
    return run.end.output === undefined ? `it still runs after ${run.end.at} ms` : undefined;
  },
} as const satisfies Readonly<Record<string, Invariant>>;

export type InvariantName = keyof typeof invariants;

export interface Violation {
  readonly invariant: InvariantName;
  readonly text: string;
}

/** What a world breaks, each invariant once. */
export function violations(run: WorldRun): readonly Violation[] {
  return invariantNames.flatMap((invariant) => {
    const check: Invariant = invariants[invariant];
    const text = check(run);
    return text === undefined ? [] : [{ invariant, text }];
  });
}

export const invariantNames = Object.keys(invariants).filter((name): name is InvariantName => name in invariants);

function isAfter(run: WorldRun, entry: Entry, type: string): boolean {
  const other = noticeAt(run, type);
  return other !== undefined && run.history.indexOf(other) < run.history.indexOf(entry);
}

/** ms from the beginning of a start to whatever it becomes, at the most. */
function longestStart({ type, startupPause, processTimeout, pidfile }: ServiceSpec): number {
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
