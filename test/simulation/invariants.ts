/**
 * Rules that hold in every world. Each invariant is a pure function of what was recorded: it returns what is wrong, or
 * nothing. The invariants are written from the reference and not from the code.
 */

import type { Fact } from '../../src/facts/fact.ts';
import { isScheduled, mostRuns } from '../../src/model/schedule/scheduled-runs.ts';
import { shellStatus } from '../../src/model/service/exit-status.ts';
import { type FailureCause, isEnded, isLive, type ServicePhase } from '../../src/model/service/service-phase.ts';
import { ownsRemains, type ServiceSpec } from '../../src/model/service/service-spec.ts';
import { isChange, isOver, isTriggered, isUp, lets, type State, specsOf, walk } from './history.ts';
import { Groups, Owners, Starts } from './owners.ts';
import type { Entry, WorldRun } from './run-world.ts';

export type Invariant = (run: WorldRun) => string | undefined;

function noticeAt(run: WorldRun, type: string): Entry | undefined {
  return run.history.find((entry) => entry.kind === 'notice' && entry.notice.type === type);
}

function has(run: WorldRun, fault: string): boolean {
  return run.plan.faults.some((each) => each.fault === fault);
}

function stageOf({ groups }: ServiceSpec): number {
  return groups.includes('INIT') ? 0 : groups.includes('IDLE') ? 2 : 1;
}

/** True for types whose main process may change, so that the spawned process does not show everything. */
function mayMove(spec: ServiceSpec | undefined): boolean {
  if (spec === undefined) return false;
  const { type, pidfile } = spec;
  return type === 'forking' || type === 'notify' || pidfile !== undefined;
}

/** The phases that may follow each phase. */
const ways: Readonly<Record<ServicePhase, readonly ServicePhase[]>> = {
  disabled: ['starting', 'stopped'],
  pending: ['starting', 'stopped'],
  starting: ['ready.running', 'ready.exited', 'exited', 'ready.scheduled', 'stopping', 'stopped', 'backoff', 'failed'],
  'ready.running': ['exited', 'stopping', 'backoff', 'failed'],
  'ready.exited': ['ready.running', 'stopping', 'stopped'],
  exited: ['ready.running', 'stopping', 'stopped'],
  'ready.scheduled': ['stopping'],
  backoff: ['starting', 'stopped'],
  stopping: ['starting', 'stopped', 'backoff', 'failed'],
  stopped: ['starting'],
  failed: ['starting', 'stopped'],
};

/** ms beyond its restart delay for which a service has to be ready before its restarts are forgotten. */
const stableMargin = 1_000;
/** ms between two looks at the processes that a daemon has left behind. */
const longestLook = 250;
/** ms after which the end of another process's child is known at the latest, whenever its parent reaps it. */
const longestReaping = 1_275 + longestLook;
/** ms from the kill signal to SIGKILL when a service ends its own failed run. */
const clearGrace = 2_000;
/** ms by which SIGKILL may be late: stops that are due at nearly the same time are handled together. */
const grain = 20;
/** ms that the kernel may take to end a process after SIGKILL. */
const killGrace = 1_000;
/** ms between the first signal and SIGKILL that every process gets, while the system does not end. */
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
    /** When each service may start: at once after its release, or after its restart pause. */
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
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'notice' && entry.notice.type === 'service.released') {
        if (draining) return `${entry.notice.service} is let go`;
        released.set(entry.notice.service, entry.own);
      }
      if (!draining || entry.kind !== 'requested') return undefined;
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
    const owners = new Owners();
    const specs = specsOf(run);
    return walk(run, (entry) => {
      owners.note(entry);
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
      if (entry.kind !== 'signalled' || forced) return undefined;
      const { root, signal, service, pid } = entry;
      const seen = signalled.get(root) ?? new Set();
      signalled.set(root, seen.add(signal));
      if (signal !== 'SIGKILL' || killed === service || has(run, 'pause')) return undefined;
      const known = [...owners.ownersOf(entry)].map((name) => specs.get(name));
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
    return walk(run, (entry, { draining, killed }) => {
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
    const lastEnded = new Map<string, number>();
    let reset: readonly string[] = [];
    return walk(run, (entry, state) => {
      if (entry.kind === 'notified') lastNotified.set(entry.service, entry.at);
      if (entry.kind === 'ended') lastEnded.set(entry.service, entry.at);
      if (entry.kind === 'deed') reset = entry.deed.do === 'reset' ? entry.deed.names : [];
      if (!isChange(entry) || entry.notice.change.phase !== 'stopping' || state.forced || has(run, 'pause'))
        return undefined;
      const { service } = entry.notice;
      // A service that takes too long to start, misses its watchdog or reports a failure is ended before its turn.
      if (state.phases.get(service) === 'starting' || specs.get(service)?.watchdog !== undefined) return undefined;
      if (lastNotified.get(service) === entry.at || reset.includes(service)) return undefined;
      // The service has crashed by itself, and its left processes are cleared away.
      const spec = specs.get(service);
      const heard = spec !== undefined && mayMove(spec) ? longestReaping : longestLook;
      if (entry.at - (lastEnded.get(service) ?? Number.NEGATIVE_INFINITY) <= heard) return undefined;
      const other = run.spec.services.find(({ name, prerequisites }) => {
        if (!prerequisites.includes(service) || state.lost.has(name)) return false;
        const phase = state.phases.get(name) ?? 'pending';
        // A service that was removed is no longer needed by others.
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
    const starts = new Starts();
    return walk(run, (entry) => {
      starts.note(entry);
      if (entry.kind === 'ended') endedAt.set(entry.service, entry.at).set(entry.pid, entry.at);
      if (entry.kind !== 'look') return undefined;
      for (const { name, state, stage, pid, running } of entry.services) {
        const spec = specs.get(name);
        if (spec === undefined) continue;
        const own = entry.processes.filter(({ id, root, service }) => id === root && service === name);
        // A run counts from its request on.
        const runs = own.length + starts.underWay(name);
        if (stage === 'ready.scheduled' && running !== runs)
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
      // The time counts from the verdict on the start.
      const most = longestStart(spec) + starts.lastWait(service);
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
      if (change.phase === 'ready.running') readyAt.set(service, entry.own);
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

  'a cron or inetd service fails only at its start': (run) => {
    const specs = specsOf(run);
    return walk(run, (entry) => {
      if (!isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (!isScheduled(specs.get(service)?.type ?? 'simple')) return undefined;
      if (change.phase === 'failed' && change.during === 'run') return `${service} has failed after its start`;
      return ['ready.running', 'ready.exited', 'exited', 'backoff'].includes(change.phase)
        ? `${service} is ${change.phase}`
        : undefined;
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
    return walk(run, (entry, state) => {
      if (entry.kind === 'requested') {
        const { service } = entry;
        // A service that still has to be stopped goes on as before: it restarts, and its schedule is kept.
        if (state.asked.has(service)) return undefined;
        if (state.gone.has(service)) return `${service} starts, and is configured no more`;
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
    return walk(run, (entry, { phases, draining }) => {
      // A disabled service is not told to end the processes that its runs have left.
      if (entry.kind === 'told' && entry.leaves !== true) (entry.by === 'stop' ? ending : reset).add(entry.service);
      if (isChange(entry) && isTriggered(entry.notice.change.phase)) ending.delete(entry.notice.service);
      if (entry.kind !== 'sends' || entry.purpose === 'hand' || draining) return undefined;
      const { service, signal } = entry;
      const phase = phases.get(service);
      // The service itself ends its failed run.
      const hasOwnEnd = !isScheduled(specs.get(service)?.type ?? 'simple');
      if (hasOwnEnd && phase !== 'exited' && phase !== 'ready.exited') return undefined;
      return ending.has(service) || reset.has(service)
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
        const needs = specs.get(name)?.prerequisites.filter((other) => !gone.includes(other)) ?? [];
        const down = needs.find((other) => isDown(specs, other, state, { begun: names, gone }));
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
    return walk(run, (entry, { clearing }) => {
      owners.note(entry);
      if (entry.kind === 'sends') {
        sends = sends.filter(({ at }) => at === entry.at);
        sends.push(entry);
      }
      if (entry.kind !== 'signalled' || entry.signal === 'SIGCONT' || clearing) return undefined;
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
    let byHand = false;
    return walk(run, (entry, { clearing }) => {
      if (entry.kind === 'sends') byHand = entry.purpose === 'hand';
      if (entry.kind !== 'signalled' || clearing || byHand) return undefined;
      const { id, pid, service, signal } = entry;
      if (signal === 'SIGCONT' || signal === 'SIGKILL') return undefined;
      const before = asked.get(id);
      asked.set(id, signal);
      return before === undefined ? undefined : `pid ${pid} of ${service} gets ${signal} after ${before}`;
    });
  },

  // Reference 6, telchap: "`start` refuses what is disabled (without `--enable`)"; "`disable` of one that is pending or in backoff
  // ends that wait"; section 2: cron's "`disable` unschedules".
  'what is disabled never starts unasked': (run) =>
    walk(run, (entry, { disabled, asked }) => {
      if (entry.kind !== 'requested') return undefined;
      // A service that has to stop after others goes on until its turn comes.
      return disabled.has(entry.service) && !asked.has(entry.service)
        ? `${entry.service} starts, and is disabled`
        : undefined;
    }),

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
      if (spec?.type !== 'simple' || spec.pidfile !== undefined) return undefined;
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
    return walk(run, (entry, { draining, forced, phases }) => {
      if (entry.kind === 'notified' && entry.text.includes('EXTEND_TIMEOUT')) {
        const promise = promises.get(entry.service);
        if (promise !== undefined) promise.extended = true;
      }
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining')
        for (const promise of promises.values()) promise.hastened = true;
      if (isChange(entry) && (isEnded(entry.notice.change.phase) || entry.notice.change.phase === 'backoff'))
        promises.delete(entry.notice.service);
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
        const promise = promises.get(entry.service);
        // The service itself ends a failed run, and processes that drained runs have left.
        const isOwn = promise === undefined || (promise.by === 'reset' && promise.at < entry.own);
        if (isOwn && entry.signal !== 'SIGKILL')
          promises.set(entry.service, newPromise('itself', entry.own + clearGrace, entry.own));
        if (promise === undefined || entry.signal !== 'SIGKILL') return undefined;
        promise.killed = true;
        if (entry.own < promise.due && !promise.hastened && !forced)
          return `${entry.service} gets SIGKILL ${promise.due - entry.own} ms before its time is up`;
      }
      if (forced || (draining && entry.kind !== 'look')) return undefined;
      for (const [service, { due, killed, extended }] of promises)
        if (!killed && !extended && entry.own > due + grain)
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
    return walk(run, (entry, { draining, replaced }) => {
      if (entry.kind === 'deed' && 'names' in entry.deed) for (const name of entry.deed.names) byHand.add(name);
      if (entry.kind === 'notice' && entry.notice.type === 'system.draining') failed = undefined;
      if (failed !== undefined && entry.at > failed.at) return `${failed.service} has failed, and the system goes on`;
      if (draining || !isChange(entry)) return undefined;
      const { service, change } = entry.notice;
      if (specs.get(service)?.onFailure !== 'shutdown' || change.phase !== 'failed' || replaced.has(service))
        return undefined;
      if (change.during === 'run' || !byHand.has(service)) failed = { service, at: entry.at };
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
  change: { readonly begun: readonly string[]; readonly gone: readonly string[] },
): boolean {
  const { begun, gone } = change;
  const spec = specs.get(name);
  if (spec === undefined || gone.includes(name) || state.gone.has(name)) return false;
  const begins = begun.includes(name) && !state.disabled.has(name);
  if (!begins && (lets(spec, state) || state.wishes.has(name))) return false;
  const phase = begins ? 'pending' : (state.phases.get(name) ?? 'pending');
  if (phase === 'pending') return spec.prerequisites.some((other) => isDown(specs, other, state, change));
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
    const stage = stageOf(spec);
    // IDLE services wait for idle_delay; once the system is up they wait only for their prerequisites.
    if (stage === 2 && !state.ready) continue;
    const waits = run.spec.services.some(
      (other) =>
        // A service that a reload is about to replace counts as ready only in its new definition.
        (stageOf(other) < stage && !state.wereReady.has(other.name) && (!open(other) || state.asked.has(other.name))) ||
        (spec.prerequisites.includes(other.name) &&
          (!open(other) || state.asked.has(other.name) || state.renewed.has(other.name))) ||
        (other !== spec && state.replaced.has(other.name) && sharesWith(spec, other)),
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
  if (cause.kind === 'exit') return shellStatus(cause.status);
  if (cause.kind !== 'spawn') return 1;
  return cause.error.code === 'ENOENT' && cause.error.stage !== 'directory' ? 127 : 126;
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
  const claims = plan.faults.some((fault) => fault.fault === 'claim' && fault.service === service);
  const programs = plan.services.flatMap((other) => (other.name === service ? [] : other.programs));
  return shares || claims || JSON.stringify(programs).includes(JSON.stringify(pidfile));
}

function isAfter(run: WorldRun, entry: Entry, type: string): boolean {
  const other = noticeAt(run, type);
  return other !== undefined && run.history.indexOf(other) < run.history.indexOf(entry);
}

/** The most ms from the beginning of a start until it is over. */
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
