/** Whether what chaperone answers, and what it says of ends, comes true. */
import { isScheduled } from '../../src/model/schedule/scheduled-runs.ts';
import { procStatus } from '../../src/model/service/exit-status.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { isOver, specsOf, walk } from './history.ts';
import type { Deed } from './plan.ts';
import { commandOf, type Entry, type WorldRun } from './run-world.ts';

/** ms by which something may come late: what is due at nearly the same time is handled together. */
const grain = 20;
/** ms after which a start is given up whose values are not read, or on which the kernel has no verdict. */
const patience = 10_000;
/** ms that processes may take to end after SIGKILL, before chaperone says that they survive. */
const killGrace = 1_000;
/** The most ms by which the end of a service is told late: of one that follows other processes' children, and of others. */
const latestNews = 1_600;
const briefNews = 400;

function has({ plan }: WorldRun, fault: string): boolean {
  return plan.faults.some((each) => each.fault === fault);
}

function hasDeed({ history }: WorldRun, verb: Deed['do']): boolean {
  return history.some((entry) => entry.kind === 'deed' && entry.deed.do === verb);
}

export const answerInvariants = {
  // Reference 2, inetd: "One process a connection […] The connection counts as served when that process ends."
  'every accepted connection ends': (run: WorldRun) => {
    // In a stall chaperone closes nothing.
    if (has(run, 'pause') || !run.history.some(({ kind }) => kind === 'accepted')) return undefined;
    const connections = new Map<number, Served>();
    const byRoot = new Map<number, Served>();
    const slow = (has(run, 'values') ? patience : 0) + (has(run, 'slowSpawn') ? patience : 0);
    const wrong = walk(run, (entry) => {
      switch (entry.kind) {
        case 'accepted':
          connections.set(entry.connection, { ...entry, since: entry.own, holders: new Set(), isTold: false });
          break;
        case 'hungUp':
          connections.delete(entry.connection);
          break;
        case 'spawned': {
          const served = entry.connection === undefined ? undefined : connections.get(entry.connection);
          if (served === undefined) break;
          served.holders.add(entry.id);
          byRoot.set(entry.id, served);
          break;
        }
        case 'begun': {
          const served = byRoot.get(entry.id);
          if (served !== undefined) Object.assign(served, { isTold: true, since: entry.own });
          break;
        }
        case 'forked':
          byRoot.get(entry.root)?.holders.add(entry.id);
          break;
        case 'ended':
          for (const served of connections.values())
            if (served.holders.delete(entry.id)) served.since = Math.max(served.since, entry.own);
          break;
        default:
          break;
      }
      for (const { connection, service, since, holders, isTold } of connections.values())
        if (holders.size === 0 && entry.own > since + grain + (isTold ? 0 : slow))
          return `connection ${connection} of ${service} is held open by nobody's process for ${entry.own - since} ms`;
      return undefined;
    });
    const [left] = [...connections.values()].filter(({ holders }) => holders.size === 0);
    if (wrong !== undefined || left === undefined || run.end.output === undefined) return wrong;
    return `connection ${left.connection} of ${left.service} is open at the end`;
  },

  // Reference 6: `kill NAME SIGNAL`, "send a signal to the processes of services"; without a process it is refused.
  'a signal by hand reaches the process that it names': (run: WorldRun) => {
    if (!hasDeed(run, 'kill')) return undefined;
    const live = new Set<number>();
    const begun = new Map<number, string>();
    const specs = specsOf(run);
    const services = new Map<number, string>();
    return walk(run, (entry, _, index) => {
      if (entry.kind === 'spawned' || entry.kind === 'forked') live.add(entry.pid);
      if (entry.kind === 'spawned') services.set(entry.id, entry.service);
      if (entry.kind === 'begun') begun.set(entry.id, services.get(entry.id) ?? '');
      if (entry.kind === 'ended') {
        live.delete(entry.pid);
        begun.delete(entry.id);
      }
      if (entry.kind !== 'deed' || entry.deed.do !== 'kill' || has(run, 'reusedPids')) return undefined;
      const { deed, pid, running = 0 } = entry;
      const { name, signal } = deed;
      const reached = reachedBy(run, index, signal);
      if (pid !== undefined && live.has(pid) && !reached.some((each) => each.pid === pid))
        return `${signal} to ${name} by hand does not reach pid ${pid}`;
      const runs = isScheduled(specs.get(name)?.type ?? 'simple') && running > 0;
      const isThere = runs && specs.get(name)?.hooks === undefined && [...begun.values()].includes(name);
      return isThere && !reached.some(({ service }) => service === name)
        ? `${signal} to ${name} by hand reaches none of its ${running} runs`
        : undefined;
    });
  },

  // Reference 6, telchap: `stop` answers "services stopping."; supervision.md, `stop_timeout`: "spans before_stop, stop_command, signals;
  // then SIGKILL; after_stop as long again"; reference 2, Stop order: dependents end first.
  'a stop that was asked for is carried out': (run: WorldRun) => {
    if (!hasDeed(run, 'stop')) return undefined;
    const stalls = run.plan.faults.reduce((sum, fault) => sum + (fault.fault === 'pause' ? fault.duration : 0), 0);
    const due = new Map<string, number>();
    const specs = specsOf(run);
    const extended = new Set<string>();
    const drained = new Set<string>();
    return walk(run, (entry, state) => {
      if (state.draining) return undefined;
      if (entry.kind === 'notified' && entry.text.includes('EXTEND_TIMEOUT')) extended.add(entry.service);
      if (entry.kind === 'notice' && entry.notice.type === 'service.survives') due.clear();
      if (entry.kind === 'deed' && entry.deed.do === 'stop') {
        const { names, drain = false } = entry.deed;
        // One that may finish its runs takes as long as these do, and so do those that it needs.
        if (drain) for (const name of names) drained.add(name);
        for (const name of names) {
          if (isOver(state, name) || state.gone.has(name) || due.has(name)) continue;
          const first = [...withDependents(run, name)];
          if (first.some((each) => extended.has(each) || drained.has(each))) continue;
          // In a reload that is under way others may have to end before it, too, because of stages.
          const ending = [...state.phases].flatMap(([each, phase]) => (phase === 'stopping' ? [each] : []));
          const all = [...new Set([...first, ...ending])];
          const most = all.reduce((sum, each) => sum + longestStop(run, specs.get(each)), 0);
          due.set(name, entry.own + most + stalls);
        }
      }
      if (entry.kind === 'notice' && entry.notice.type === 'service.changed') {
        const { service, change } = entry.notice;
        const { phase } = change;
        if (phase === 'stopped' || phase === 'failed' || phase === 'disabled' || phase === 'starting')
          due.delete(service);
      }
      for (const [name, until] of due) {
        const isFree = [...extended, ...drained].some((each) => withDependents(run, name).has(each));
        if (isFree) due.delete(name);
        else if (entry.own > until)
          return `${name} was to stop, and is ${state.phases.get(name)} ${entry.own - until} ms after its time`;
      }
      return undefined;
    });
  },

  // Experience: "an exact cause of death and exit status" in the log: what a line says of an end is how the process has ended.
  'the log says of each end what it was': (run: WorldRun) => {
    const ends = new Map<number, Set<string>>();
    const declared = new Set<string>();
    return walk({ ...run, history: run.whole }, (entry) => {
      if (entry.kind === 'ended') ends.set(entry.pid, (ends.get(entry.pid) ?? new Set()).add(procStatus(entry.status)));
      if (entry.kind === 'notified') {
        const code = /^EXIT_STATUS=(\d+)$/m.exec(entry.text)?.[1];
        if (code !== undefined) declared.add(procStatus({ kind: 'exited', code: Number(code) }));
      }
      if (entry.kind !== 'said') return undefined;
      const { pid, status, text } = entry;
      // Nobody tells chaperone how the child of another process has ended, unless that has told its status itself.
      if (status === procStatus({ kind: 'unknown' })) return undefined;
      if (has(run, 'statusUntold') && declared.has(status)) return undefined;
      return ends.get(pid)?.has(status) === true ? undefined : `the log says: ${text}`;
    });
  },

  // supervision.md: "`chaperonectl run-now NAME [--wait]` ([…] a run like any other)"; its answer: "runs begun."
  'a run that is said to begin begins': (run: WorldRun) => {
    if (!hasDeed(run, 'run-now')) return undefined;
    const history = run.whole;
    return walk({ ...run, history }, (entry, { draining }) => {
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.noticed' || draining) return undefined;
      const { service, news } = entry.notice;
      if (news.kind !== 'runAsked' || news.answer !== 'begun') return undefined;
      // The answer is told by way of the system, and may follow the request for the process.
      const near = history.filter(({ own }) => own >= entry.own && own <= entry.own + grain);
      return near.some((other) => beginsRun(other, service) || endsSystem(other))
        ? undefined
        : `a run of ${service} is said to begin, and does not`;
    });
  },

  // supervision.md, `reload_command`, `reload_signal`: "`chaperonectl reload NAME`"; its answer: "services reloaded."
  'a reload that is said to be done has reached the service': (run: WorldRun) => {
    // Signals reach a process that has ended already, and whose end is told late.
    if (!hasDeed(run, 'reload-service') || has(run, 'coalescedExits') || has(run, 'pause')) return undefined;
    const specs = specsOf(run);
    const told = new Map<string, Set<string>>();
    const commands = new Map<number, string>();
    return walk(run, (entry) => {
      if (entry.kind === 'fact' && entry.fact.type === 'requested' && entry.fact.verb === 'reload')
        for (const name of entry.fact.services) if (!told.has(name)) told.set(name, new Set());
      if (entry.kind === 'spawned') commands.set(entry.id, entry.service);
      if (entry.kind === 'signalled') for (const each of told.values()) each.add(`${entry.signal}`);
      if (entry.kind === 'ended') {
        const command = commandOf(commands.get(entry.id) ?? '');
        if (command?.kind === 'reload') told.get(command.service)?.add(procStatus(entry.status));
      }
      if (entry.kind !== 'notice' || entry.notice.type !== 'service.noticed') return undefined;
      const { service, news } = entry.notice;
      if (news.kind !== 'reloaded' || news.request === undefined || news.outcome.kind !== 'done') return undefined;
      const reload = specs.get(service)?.reload;
      const needed = reload?.kind === 'signal' ? reload.signal : procStatus({ kind: 'exited', code: 0 });
      const isDone = told.get(service)?.has(needed) === true;
      return isDone ? undefined : `${service} is said to have reloaded, and nobody has told it to (${needed})`;
    });
  },

  // Reference 6, telchap: `shutdown [DELAY|now]`; its answer: "Shutting down in S seconds".
  'the system ends when it is said to': (run: WorldRun) => {
    if (has(run, 'pause') || !hasDeed(run, 'shutdown')) return undefined;
    let due = Number.POSITIVE_INFINITY;
    return walk(run, (entry, { draining }) => {
      if (entry.kind === 'deed' && entry.deed.do === 'shutdown') due = Math.min(due, entry.own + entry.deed.delay);
      return !draining && entry.own > due + grain ? `the system was to end ${entry.own - due} ms ago` : undefined;
    });
  },
} as const;

interface Served {
  readonly connection: number;
  readonly service: string;
  /** ms on chaperone's clock: since nobody holds the connection, once nobody does. */
  since: number;
  /** The processes that hold it. */
  readonly holders: Set<number>;
  /** True once chaperone knows that its process runs. */
  isTold: boolean;
}

/** What a signal by hand has reached: the kernel delivers it before anything else happens. */
function reachedBy(
  { history }: WorldRun,
  index: number,
  signal: string,
): readonly { readonly pid: number; readonly service: string }[] {
  const reached: { readonly pid: number; readonly service: string }[] = [];
  for (const entry of history.slice(index + 1)) {
    if (entry.kind === 'deed' || entry.kind === 'look') break;
    if (entry.kind === 'signalled' && entry.signal === signal) reached.push(entry);
  }
  return reached;
}

/** The service, and all that wait for it, directly or not. */
function withDependents({ spec }: WorldRun, name: string): ReadonlySet<string> {
  const found = new Set([name]);
  for (const each of found)
    for (const other of spec.services) if (other.prerequisites.includes(each)) found.add(other.name);
  return found;
}

/** The most ms from the turn of the service to stop until it has ended. */
function longestStop(run: WorldRun, service: ServiceSpec | undefined): number {
  const { shutdownTimeout } = run.spec;
  const { stopTimeout = shutdownTimeout, hooks, type, pidfile } = service ?? {};
  // The run, its hooks of after_stop, and what the run has left.
  const time = hooks === undefined ? stopTimeout : 3 * stopTimeout;
  const isFollowed = type === 'forking' || type === 'notify' || pidfile !== undefined;
  return time + (has(run, 'stuck') ? 2 * killGrace : 0) + (isFollowed ? latestNews : briefNews);
}

/** True for what a run of a cron service begins with: its values, a hook, a condition, or its command. */
function beginsRun(entry: Entry, service: string): boolean {
  if (entry.kind === 'read' || entry.kind === 'requested') {
    const { service: program } = entry;
    const name = service.replace(/\.service$/, '');
    return program === service || program.startsWith(`${name}:`) || commandOf(program)?.service === service;
  }
  if (entry.kind !== 'notice' || entry.notice.type !== 'service.noticed' || entry.notice.service !== service)
    return false;
  const { kind } = entry.notice.news;
  return kind === 'unmet' || kind === 'unasked' || kind === 'runUnspawned' || kind === 'runAnswered';
}

function endsSystem(entry: Entry): boolean {
  return entry.kind === 'notice' && entry.notice.type === 'system.draining';
}
