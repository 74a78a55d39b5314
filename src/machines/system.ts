/**
 * The whole system: it owns the services and is the only one that knows who waits for whom.
 *
 *     booting (starting → idling → lastStage) → up → draining (stopping → clearing → killing) → halted
 *
 * Order. While booting, every service whose prerequisites are satisfied is told to start, all at once; each report of a
 * service lets the next ones go. IDLE services wait in addition until everything else is settled and `idle_delay` has passed.
 * While draining the same graph is read backwards: a service is told to stop when everything that started after it because
 * of it has ended, with a share of the shutdown budget.
 *
 * Failure. A service that fails while it starts (and does not ignore failures) ends the system; one that fails later ends
 * only itself. The first reason to end is kept in `end` and decides the exit status; later ones change nothing.
 *
 * What may cross, and who wins:
 * - A shutdown during the boot wins: services that are starting are stopped, the others never start.
 * - A second SIGINT (forced) skips the order: everything gets SIGKILL at once.
 * - A process that survives SIGKILL (one that hangs in the kernel) has a second, or less where the budget is small; then
 *   those that had to wait for it have their turn.
 * - A service that crashes while draining, before its turn, is not restarted: all are told to retire first.
 * - A service that becomes ready while draining gets its stop in its turn: it was told, or will be, like any other.
 * - Children may be gone while a service is in its restart pause: that is not the end (`detect_exit` asks both).
 * - Nor is it while a cron or inetd service is scheduled: then it is said once who keeps the system alive. The runs of such a
 *   service are no changes of its phase, so when it is scheduled or has ended, the process table is asked whether children
 *   are left.
 *
 * A reload (`system.reload`, see reload.ts) changes what the system consists of. While it boots, the boot goes on with what is
 * new, and an IDLE delay that runs begins anew; once it drains, it is ignored. Actors of services that are gone are stopped
 * once they have ended.
 *
 * `halted` is the only final state, and shutdown is a state, not a stop of the actor: the runtime stops it last.
 */
import { type ActorRefFrom, assign, enqueueActions, fromCallback, not, setup } from 'xstate';
import type { DependencyGraph } from '../model/dependency-graph.ts';
import {
  blocked,
  isSettled,
  type Standings,
  satisfies,
  shutdownReserve,
  startable,
  stoppable,
  stopShare,
} from '../model/ordering.ts';
import { isScheduled } from '../model/scheduling.ts';
import { isEnded, isLive, type ServiceChange, type ServicePhase } from '../model/service-phase.ts';
import { consoleService, type ServiceSpec, type SystemSpec, shortName } from '../model/service-spec.ts';
import type { SignalName } from '../model/signal.ts';
import { exitStatusOf, isOutcome, type MissingProgram, type RunOutcome, type SystemEnd } from '../model/system-end.ts';
import type { SystemNotice } from '../model/system-notice.ts';
import { type Reloadable, type ReloadRequest, reloaded, standingOf, stopsInTurn } from './reload.ts';
import { type ServiceReport, serviceMachine } from './service.ts';

/** What a person or a program asks for single services, by their full names. None of it is heard while the system ends. */
export type ServiceRequest =
  | {
      /** Puts them in line: each starts once what it waits for is ready. */
      readonly type: 'services.start';
      readonly names: readonly string[];
      readonly enable: boolean;
      /** With what they wait for; what runs is ended first. */
      readonly force: boolean;
      readonly at: number;
    }
  | {
      /** Ends them, those first that wait for others of them. `again`: and starts them. */
      readonly type: 'services.stop';
      readonly names: readonly string[];
      readonly disable: boolean;
      readonly again: boolean;
      readonly at: number;
    }
  | {
      readonly type: 'services.reset';
      readonly names: readonly string[];
      readonly force: boolean;
      readonly at: number;
    }
  | {
      readonly type: 'services.enable' | 'services.disable';
      readonly names: readonly string[];
      readonly at: number;
    };

export type SystemCommand =
  /** End the system in order; `forced` (a repeated SIGINT) skips the order. */
  | { readonly type: 'system.shutdown'; readonly end: SystemEnd; readonly forced: boolean; readonly at: number }
  /** Another configuration takes the place of the one in force. */
  | ({ readonly type: 'system.reload'; readonly at: number } & ReloadRequest)
  | ServiceRequest;

/** waitid(2) says that chaperone has no child left. */
interface ProcessesGone {
  readonly type: 'processes.gone';
  readonly at: number;
}

/** A service that was told to stop has not ended after SIGKILL; raised by the system itself. */
interface StopOverdue {
  readonly type: 'stop.overdue';
  readonly name: string;
  readonly at: number;
}

export type SystemEvent = SystemCommand | ServiceReport | ProcessesGone | StopOverdue;

/** What the system asks of its `processTable` port: a signal to every process that is left. */
export interface SignalAll {
  readonly type: 'processes.signalAll';
  readonly signal: SignalName;
}

/** And to say `processes.gone` if that is so, in a later turn. */
export interface CountProcesses {
  readonly type: 'processes.count';
}

export interface SystemInput {
  readonly spec: SystemSpec;
  readonly graph: DependencyGraph;
  /** Found before anything starts; any of them is the end of the system. */
  readonly missingPrograms: readonly MissingProgram[];
}

export interface SystemOutput {
  readonly end: SystemEnd;
  readonly exitStatus: number;
  /** Services that never started, in start order. */
  readonly neverStarted: readonly string[];
  /** Services that had started and were stopped in order. */
  readonly stopped: readonly string[];
  /** Monotonic ms at which the shutdown budget is used up. */
  readonly deadline: number;
}

interface SystemContext extends Reloadable {
  readonly missingPrograms: readonly MissingProgram[];
  readonly services: Readonly<Record<string, ActorRefFrom<typeof serviceMachine>>>;
  /** True while chaperone has, or is about to have, children. */
  readonly childrenLeft: boolean;
  readonly startedAny: boolean;
  /** How the command line's command ended. */
  readonly commandOutcome: RunOutcome | undefined;
  /** It was said which scheduled services keep the system alive. */
  readonly saidWaiting: boolean;
  /** The first services were told to stop. */
  readonly stopsBegun: boolean;
  /** Services that were told to stop. */
  readonly told: Readonly<Record<string, true>>;
  /** Services whose process has survived SIGKILL: nobody waits for them any longer. */
  readonly lost: Readonly<Record<string, true>>;
  readonly end: SystemEnd | undefined;
  readonly neverStarted: readonly string[];
  readonly stopped: readonly string[];
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
  /** Monotonic ms at which the shutdown budget is used up. */
  readonly deadline: number;
}

/** The port that signals all that is left. It reports `processes.gone`; the runtime provides it. */
const processTable = fromCallback<SignalAll | CountProcesses, undefined, ProcessesGone>(() => {
  throw new Error('internal error: the port processTable is not provided');
});

/** How long the kernel may take to end processes after SIGKILL before chaperone leaves anyway, ms. */
const killGrace = 1_000;

export const systemMachine = setup({
  types: {
    context: {} as SystemContext,
    events: {} as SystemEvent,
    input: {} as SystemInput,
    output: {} as SystemOutput,
    emitted: {} as SystemNotice,
    tags: {} as 'transient',
  },
  actors: { service: serviceMachine, processTable },
  actions: {
    noteTime: assign({ at: ({ context, event }) => Math.max(context.at, event.at) }),
    announce: enqueueActions(({ context, enqueue }) => {
      for (const { name, enabled } of context.spec.services) {
        enqueue.emit({ type: enabled ? 'service.queued' : 'service.skipped', service: name });
      }
    }),
    recordChange: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'service.changed') return;
      const standing = context.standings[event.name];
      if (standing === undefined) return;
      const { change, name } = event;
      const hasBeenReady = standing.hasBeenReady || isReady(change.phase);
      // One that is disabled holds nobody up once it has ended.
      const phase: ServicePhase = context.disabled[name] && change.phase === 'stopped' ? 'disabled' : change.phase;
      const changed = { ...standing, phase, hasBeenReady };
      enqueue.assign({ standings: { ...context.standings, [name]: changed } });
      if (name === consoleService) enqueue.assign({ commandOutcome: outcomeOf(change) ?? context.commandOutcome });
      if (change.phase === 'starting') enqueue.assign({ childrenLeft: true, startedAny: true });
      enqueue.emit({ type: 'service.changed', service: name, change, ignoreFailures: standing.ignoreFailures });
    }),
    recordGone: assign({ childrenLeft: false }),
    /** What a scheduled service runs, or leaves behind, does not show in its phase. */
    countProcesses: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'service.changed' || context.end !== undefined) return;
      if (event.change.phase !== 'scheduled' && !isEnded(event.change.phase)) return;
      const spec = specOf(context, event.name);
      // What is replaced may have been of another type.
      const replaced = isReplaced(context, event.name);
      // Nor does a start that has failed before the kernel was asked for a process.
      const { change } = event;
      const unspawned = change.phase === 'failed' && change.cause.kind === 'spawn';
      if (spec === undefined || !(isScheduled(spec.type) || replaced || unspawned)) return;
      enqueue.assign({ childrenLeft: true });
      enqueue.sendTo('processTable', { type: 'processes.count' });
    }),
    notice: enqueueActions(({ event, enqueue }) => {
      if (event.type === 'service.noticed')
        enqueue.emit({ type: 'service.noticed', service: event.name, news: event.news });
    }),
    sayWaiting: enqueueActions(({ context, enqueue }) => {
      enqueue.emit({ type: 'system.waiting', services: scheduledNames(context) });
      enqueue.assign({ saidWaiting: true });
    }),
    startServices: enqueueActions(({ context, event, enqueue }, params: { idleReleased: boolean }) => {
      // Most changes let nobody go, and the look at all services is not free.
      if (event.type === 'service.changed' && !mayRelease(event.change)) return;
      if (Object.values(context.stopping).some(({ reload }) => reload)) return;
      // What is about to be stopped by hand is no more to be counted on, though it is still ready.
      const names = startable(context.graph, context.standings, params.idleReleased).filter(
        (name) => !context.graph.nodes[name]?.prerequisites.some((other) => context.stopping[other] !== undefined),
      );
      const standings = { ...context.standings };
      for (const name of names) {
        const ref = context.services[name];
        const standing = standings[name];
        if (ref === undefined || standing === undefined) continue;
        // Noted before the service reports it, so that the next report does not start it again.
        standings[name] = { ...standing, phase: 'starting' };
        enqueue.emit({ type: 'service.released', service: name });
        const waitedFor = event.type === 'service.changed' ? { waitedFor: event.name } : {};
        enqueue.sendTo(ref, { type: 'service.start', at: context.at, ...waitedFor });
      }
      if (names.length > 0) enqueue.assign({ standings, childrenLeft: true, startedAny: true });
    }),
    sayBlocked: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === 'service.changed' && !isEnded(event.change.phase)) return;
      const names = [...blocked(context.graph, context.standings)].filter(
        (name) => !context.saidBlocked.includes(name),
      );
      if (names.length === 0) return;
      for (const name of names) enqueue.emit({ type: 'service.blocked', service: name });
      enqueue.assign({ saidBlocked: [...context.saidBlocked, ...names] });
    }),
    queueStarts: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'services.start') return;
      const disabled = { ...context.disabled };
      const standings = { ...context.standings };
      const stopping = { ...context.stopping };
      const names = event.force ? withUnready(context, event.names) : event.names;
      for (const name of names) {
        const standing = standings[name];
        // Without its account it would run as chaperone itself.
        if (standing === undefined || context.leaving[name] !== undefined) continue;
        if (specOf(context, name)?.missingAccount !== undefined) continue;
        if (event.enable) delete disabled[name];
        if (disabled[name]) continue;
        // The daemons that its last start has left are to be ended first, as what runs is.
        const isOver =
          !isLive(standing.phase) && (standing.phase !== 'exited' || (event.force && !standing.leavesRemains));
        if (isOver) standings[name] = { ...standing, phase: 'pending' };
        else if (event.force && (event.names.includes(name) || standing.phase === 'stopping'))
          stopping[name] = { told: false, ...stopping[name], again: true };
      }
      const saidBlocked = context.saidBlocked.filter((name) => !names.includes(name));
      enqueue.assign({ disabled, standings, stopping, saidBlocked });
    }),
    queueStops: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'services.stop') return;
      const disabled = { ...context.disabled };
      const standings = { ...context.standings };
      const stopping = { ...context.stopping };
      for (const name of event.names) {
        const standing = standings[name];
        const ref = context.services[name];
        if (standing === undefined || ref === undefined || context.leaving[name] !== undefined) continue;
        if (event.disable) disabled[name] = true;
        if (standing.phase === 'pending') {
          if (event.again && !disabled[name]) continue;
          // Nothing of it runs, and only a chart that has not begun yet tells that it is stopped.
          standings[name] = { ...standing, phase: disabled[name] ? 'disabled' : 'stopped' };
          enqueue.sendTo(ref, { type: 'service.stop', killAfter: context.spec.shutdownTimeout, at: context.at });
        } else if (!isEnded(standing.phase)) {
          stopping[name] = { told: false, ...stopping[name], again: event.again };
        } else if (event.again && !disabled[name]) standings[name] = { ...standing, phase: 'pending' };
        else if (event.disable) standings[name] = { ...standing, phase: 'disabled' };
      }
      enqueue.assign({ disabled, standings, stopping });
    }),
    /** One that has ended is done with, or goes back in line. */
    finishStops: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'service.changed' || !isEnded(event.change.phase)) return;
      const { name } = event;
      const { [name]: stop, ...stopping } = context.stopping;
      const { [name]: standing, ...others } = context.standings;
      const ref = context.services[name];
      if (stop === undefined || standing === undefined || ref === undefined) return;
      enqueue.assign({ stopping });
      if (context.leaving[name] !== undefined) {
        const { [name]: _, ...leaving } = context.leaving;
        const { [name]: __, ...disabled } = context.disabled;
        const { [name]: ___, ...services } = context.services;
        enqueue.assign({ leaving, disabled, services, standings: others });
        enqueue.stopChild(ref);
        enqueue.emit({ type: 'service.removed', service: name });
        return;
      }
      if (stop.next !== undefined)
        enqueue.sendTo(ref, { type: 'service.reconfigure', spec: stop.next, at: context.at });
      if (!stop.again || context.disabled[name]) return;
      enqueue.assign({ standings: { ...context.standings, [name]: { ...standing, phase: 'pending' } } });
    }),
    applyReload: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'system.reload') return;
      const { context: state, added, removed, changed } = reloaded(context, event);
      const gone = new Set(removed);
      const kept = Object.entries(context.services).filter(([name]) => !gone.has(name));
      enqueue.assign(({ spawn, self }) => ({
        ...state,
        services: {
          ...Object.fromEntries(kept),
          ...Object.fromEntries(
            added.map((spec) => [
              spec.name,
              spawn('service', { id: serviceActorId(spec.name), input: { spec, system: self } }),
            ]),
          ),
        },
      }));
      for (const name of removed) {
        const ref = context.services[name];
        if (ref !== undefined) enqueue.stopChild(ref);
        enqueue.emit({ type: 'service.removed', service: name });
      }
      for (const { name, enabled } of added) {
        enqueue.emit({ type: enabled ? 'service.queued' : 'service.skipped', service: name });
      }
      for (const spec of changed) {
        const ref = context.services[spec.name];
        if (ref !== undefined) enqueue.sendTo(ref, { type: 'service.reconfigure', spec, at: context.at });
      }
    }),
    stopByHand: enqueueActions(({ context, enqueue }) => {
      const names = stopsInTurn(context).filter((name) => !isNeededByLeaving(context, name));
      if (names.length === 0) return;
      const stopping = { ...context.stopping };
      for (const name of names) {
        const ref = context.services[name];
        const stop = stopping[name];
        if (ref === undefined || stop === undefined) continue;
        stopping[name] = { ...stop, told: true };
        enqueue.sendTo(ref, { type: 'service.stop', killAfter: context.spec.shutdownTimeout, at: context.at });
      }
      enqueue.assign({ stopping });
    }),
    resetServices: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'services.reset') return;
      const killAfter = context.spec.shutdownTimeout;
      for (const name of event.names) {
        const ref = context.services[name];
        const phase = context.standings[name]?.phase;
        if (ref === undefined || phase === undefined) continue;
        // What has done its work, and with force what runs, can be started again.
        if (phase === 'exited' || (event.force && phase !== 'scheduled')) {
          enqueue.sendTo(ref, { type: 'service.stop', killAfter, at: context.at });
        }
        enqueue.sendTo(ref, { type: 'service.reset', killAfter, at: context.at });
      }
    }),
    setEnabled: assign(({ context, event }) => {
      if (event.type !== 'services.enable' && event.type !== 'services.disable') return {};
      const disabled = { ...context.disabled };
      const standings = { ...context.standings };
      for (const name of event.names) {
        const standing = standings[name];
        if (standing === undefined || context.leaving[name] !== undefined) continue;
        if (event.type === 'services.enable') {
          delete disabled[name];
          if (standing.phase === 'disabled') standings[name] = { ...standing, phase: 'stopped' };
        } else {
          disabled[name] = true;
          if (isEnded(standing.phase) || standing.phase === 'pending') {
            standings[name] = { ...standing, phase: 'disabled' };
          }
        }
      }
      return { disabled, standings };
    }),
    recordEnd: assign({
      end: ({ context, event }) => context.end ?? endBy(context, event),
    }),
    endMissing: assign({
      end: ({ context }): SystemEnd => ({ kind: 'missingPrograms', problems: context.missingPrograms }),
      neverStarted: ({ context }) => pendingNames(context),
    }),
    endIdle: assign({
      end: ({ context }): SystemEnd => {
        if (!context.startedAny) return { kind: 'nothingStarted' };
        const command = context.commandOutcome;
        return { kind: 'noProcesses', ...(command === undefined ? {} : { command }) };
      },
    }),
    beginDrain: enqueueActions(({ context, enqueue }) => {
      const standings = outOfLine(context);
      const deadline = context.at + context.spec.shutdownTimeout;
      enqueue.assign({ standings, deadline, neverStarted: pendingNames({ ...context, standings }) });
      if (context.end !== undefined) enqueue.emit({ type: 'system.draining', end: context.end });
      for (const ref of Object.values(context.services))
        enqueue.sendTo(ref, { type: 'service.retire', at: context.at });
    }),
    stopServices: enqueueActions(({ context, event, enqueue }) => {
      if (event.type === 'service.changed' && context.stopsBegun && !isEnded(event.change.phase)) return;
      const reserve = shutdownReserve(context.spec.shutdownTimeout);
      const told = { ...context.told };
      const stopped = [...context.stopped];
      const standings = withoutLost(context);
      const tell = (name: string, ref: SystemContext['services'][string], killAfter: number): void => {
        const delay = killAfter + overdueGrace(killAfter, context.deadline - context.at - killAfter);
        enqueue.sendTo(ref, { type: 'service.stop', killAfter, at: context.at });
        enqueue.raise({ type: 'stop.overdue', name, at: context.at + delay }, { delay });
      };
      const seen = { ...context, standings };
      for (const name of leavingInTurn(seen)) {
        const ref = context.services[name];
        if (ref === undefined || told[name] || isNeededByLeaving(seen, name)) continue;
        told[name] = true;
        stopped.push(name);
        // No graph tells how many come after it.
        tell(name, ref, Math.max(0, context.deadline - context.at - reserve) / 2);
      }
      for (const name of stoppable(context.graph, standings)) {
        const ref = context.services[name];
        const standing = standings[name];
        if (ref === undefined || standing === undefined || told[name] || isNeededByLeaving(seen, name)) continue;
        told[name] = true;
        if (standing.phase !== 'pending' && !endedBy(context, name)) stopped.push(name);
        tell(name, ref, stopShare(context.graph, standings, name, context.deadline - context.at, reserve));
      }
      enqueue.assign({ told, stopped, stopsBegun: true });
    }),
    recordLost: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'stop.overdue') return;
      enqueue.assign({ lost: { ...context.lost, [event.name]: true } });
      enqueue.emit({ type: 'service.lost', service: event.name });
    }),
    killServices: enqueueActions(({ context, enqueue }) => {
      for (const [name, ref] of Object.entries(context.services)) {
        const standing = context.standings[name];
        if (standing !== undefined && !isEnded(standing.phase)) {
          enqueue.sendTo(ref, { type: 'service.kill', at: context.at });
        }
      }
    }),
    signalAll: enqueueActions(({ context, enqueue }, params: { signal: SignalName }) => {
      const begun = context.deadline - context.spec.shutdownTimeout;
      enqueue.emit({ type: 'system.clearing', signal: params.signal, begun });
      enqueue.sendTo('processTable', { type: 'processes.signalAll', signal: params.signal });
    }),
    sayReady: enqueueActions(({ enqueue }) => enqueue.emit({ type: 'system.ready' })),
    sayForced: enqueueActions(({ enqueue }) => enqueue.emit({ type: 'system.forced' })),
    sayHalted: enqueueActions(({ enqueue }) => enqueue.emit({ type: 'system.halted' })),
  },
  guards: {
    programsMissing: ({ context }) => context.missingPrograms.length > 0,
    /** What it does by itself before a reload replaces it has no consequence. */
    isReplaced: ({ context, event }) => 'name' in event && isReplaced(context, event.name),
    /** A failure while starting that nobody ignores. */
    isSystemFailure: ({ context, event }) =>
      event.type === 'service.changed' &&
      !isReplaced(context, event.name) &&
      event.change.phase === 'failed' &&
      event.change.during === 'start' &&
      context.standings[event.name]?.ignoreFailures === false,
    /** With nothing but IDLE services there is nothing to be idle after. */
    onlyIdleServices: ({ context }) =>
      context.graph.names.every(
        (name) => context.graph.nodes[name]?.stage === 2 || context.standings[name]?.phase === 'disabled',
      ),
    /** Everything before the last stage has come as far as it will. */
    earlierStagesSettled: ({ context }) => isSettled(context.graph, context.standings, false),
    allSettled: ({ context }) => isSettled(context.graph, context.standings, true),
    /** Nothing runs or is about to, but for what is scheduled. */
    onlyScheduled: ({ context }) =>
      context.spec.detectExit &&
      !context.saidWaiting &&
      !context.childrenLeft &&
      scheduledNames(context).length > 0 &&
      !Object.values(context.standings).some(({ phase }) => phase !== 'scheduled' && isLive(phase)),
    isExhausted: ({ context }) => context.spec.detectExit && !context.childrenLeft && !anyLive(context),
    allEnded: ({ context }) => Object.values(withoutLost(context)).every(({ phase }) => isEnded(phase)),
    lives: ({ context, event }) => 'name' in event && !isEnded(context.standings[event.name]?.phase ?? 'stopped'),
    isForced: ({ event }) => event.type === 'system.shutdown' && event.forced,
  },
  delays: {
    idleDelay: ({ context }) => context.spec.idleDelay,
    /** Only a service whose process survives SIGKILL lets it come so far. */
    stopBudget: ({ context }) => context.spec.shutdownTimeout,
    /** Half of the reserve is left for flushing the logs. */
    clearBudget: ({ context }) =>
      Math.max(0, context.deadline - context.at - shutdownReserve(context.spec.shutdownTimeout) / 2),
    killGrace,
  },
}).createMachine({
  id: 'system',
  context: ({ input, spawn, self }) => ({
    spec: input.spec,
    graph: input.graph,
    missingPrograms: input.missingPrograms,
    services: Object.fromEntries(
      input.spec.services.map((spec) => [
        spec.name,
        spawn('service', { id: serviceActorId(spec.name), input: { spec, system: self } }),
      ]),
    ),
    standings: Object.fromEntries(
      input.spec.services.map((service) => {
        const { name, enabled } = service;
        return [name, standingOf(service, { phase: enabled ? 'pending' : 'disabled', hasBeenReady: false })];
      }),
    ),
    childrenLeft: false,
    startedAny: false,
    commandOutcome: undefined,
    disabled: Object.fromEntries(
      input.spec.services.filter(({ enabled }) => !enabled).map(({ name }) => [name, true as const]),
    ),
    stopping: {},
    leaving: {},
    saidBlocked: [],
    saidWaiting: false,
    stopsBegun: false,
    told: {},
    lost: {},
    end: undefined,
    neverStarted: [],
    stopped: [],
    at: 0,
    deadline: 0,
  }),
  invoke: { id: 'processTable', src: 'processTable' },
  initial: 'booting',
  on: {
    'processes.gone': { actions: ['noteTime', 'recordGone'] },
    'service.noticed': { actions: ['noteTime', 'notice'] },
    'stop.overdue': {},
    'system.reload': {},
    'services.start': {},
    'services.stop': {},
    'services.reset': {},
    'services.enable': {},
    'services.disable': {},
  },
  states: {
    booting: {
      entry: ['announce'],
      initial: 'checking',
      on: {
        'service.changed': [
          {
            guard: 'isSystemFailure',
            target: 'draining',
            actions: ['noteTime', 'recordChange', 'recordEnd'],
          },
        ],
        'service.exitKills': [
          { guard: 'isReplaced', actions: ['noteTime'] },
          { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ],
        'system.shutdown': { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ...requests(false),
      },
      states: {
        checking: {
          tags: ['transient'],
          always: [
            { guard: 'programsMissing', target: '#system.draining', actions: ['endMissing'] },
            { target: 'starting' },
          ],
        },
        starting: {
          entry: [{ type: 'startServices', params: { idleReleased: false } }],
          always: [
            { guard: 'allSettled', target: '#system.up' },
            { guard: 'onlyIdleServices', target: 'lastStage' },
            { guard: 'earlierStagesSettled', target: 'idling' },
          ],
          on: {
            'system.reload': { actions: reloadActions(false) },
            'service.changed': {
              guard: not('isSystemFailure'),
              actions: changeActions(false),
            },
          },
        },
        /** Everything but the IDLE services stands; they wait for `idle_delay`. */
        idling: {
          after: { idleDelay: 'lastStage' },
          on: {
            // What is new comes before them.
            'system.reload': { target: 'starting', actions: ['noteTime', 'applyReload', 'stopByHand'] },
            'service.changed': {
              guard: not('isSystemFailure'),
              actions: changeActions(false),
            },
          },
        },
        lastStage: {
          entry: [{ type: 'startServices', params: { idleReleased: true } }],
          always: [{ guard: 'allSettled', target: '#system.up' }],
          on: {
            'system.reload': { actions: reloadActions(true) },
            'service.changed': {
              guard: not('isSystemFailure'),
              actions: changeActions(true),
            },
          },
        },
      },
    },

    up: {
      entry: ['sayReady'],
      always: [
        { guard: 'isExhausted', target: 'draining', actions: ['endIdle'] },
        { guard: 'onlyScheduled', actions: ['sayWaiting'] },
      ],
      on: {
        'system.reload': { actions: reloadActions(true) },
        'service.changed': {
          actions: changeActions(true),
        },
        'service.exitKills': [
          { guard: 'isReplaced', actions: ['noteTime'] },
          { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ],
        'system.shutdown': { target: 'draining', actions: ['noteTime', 'recordEnd'] },
        ...requests(true),
      },
    },

    draining: {
      entry: ['beginDrain'],
      initial: 'stopping',
      states: {
        /** Service by service, against the dependency graph. */
        stopping: {
          entry: ['stopServices'],
          always: [{ guard: 'allEnded', target: 'clearing' }],
          after: { stopBudget: 'killing' },
          on: {
            'service.changed': { actions: ['noteTime', 'recordChange', 'stopServices'] },
            'stop.overdue': { guard: 'lives', actions: ['noteTime', 'recordLost', 'stopServices'] },
            'service.exitKills': { actions: ['noteTime'] },
            'system.shutdown': [
              { guard: 'isForced', target: 'killing', actions: ['noteTime', 'sayForced'] },
              { actions: ['noteTime'] },
            ],
          },
        },
        /** What no service owns: daemons left behind, orphans. */
        clearing: {
          entry: [{ type: 'signalAll', params: { signal: 'SIGTERM' } }],
          after: { clearBudget: 'killing' },
          on: {
            'processes.gone': { target: '#system.halted', actions: ['noteTime', 'recordGone'] },
            'service.changed': { actions: ['noteTime', 'recordChange'] },
            'service.exitKills': { actions: ['noteTime'] },
            'system.shutdown': [
              { guard: 'isForced', target: 'killing', actions: ['noteTime', 'sayForced'] },
              { actions: ['noteTime'] },
            ],
          },
        },
        killing: {
          entry: ['killServices', { type: 'signalAll', params: { signal: 'SIGKILL' } }],
          after: { killGrace: '#system.halted' },
          on: {
            'processes.gone': { target: '#system.halted', actions: ['noteTime', 'recordGone'] },
            'service.changed': { actions: ['noteTime', 'recordChange'] },
            'service.exitKills': { actions: ['noteTime'] },
            'system.shutdown': { actions: ['noteTime'] },
          },
        },
      },
    },

    halted: { type: 'final', entry: ['sayHalted'] },
  },
  output: ({ context }): SystemOutput => {
    const end = context.end ?? { kind: 'internalError', message: 'the system ended without a reason' };
    const { neverStarted, deadline } = context;
    // One that was told to stop while its start was failing has failed, and was not stopped.
    const stopped = context.stopped.filter((name) => context.standings[name]?.phase === 'stopped');
    return { end, exitStatus: exitStatusOf(end), neverStarted, stopped, deadline };
  },
});

/** What is asked for single services, while the system does not end. */
function requests(idleReleased: boolean) {
  const start = { type: 'startServices', params: { idleReleased } } as const;
  return {
    'services.start': { actions: ['noteTime', 'queueStarts', 'stopByHand', start, 'sayBlocked'] },
    'services.stop': { actions: ['noteTime', 'queueStops', 'stopByHand', start, 'sayBlocked'] },
    'services.reset': { actions: ['noteTime', 'resetServices'] },
    'services.enable': { actions: ['noteTime', 'setEnabled'] },
    'services.disable': { actions: ['noteTime', 'setEnabled', start] },
  } as const;
}

function changeActions(idleReleased: boolean) {
  return [
    'noteTime',
    'recordChange',
    'countProcesses',
    'finishStops',
    'stopByHand',
    { type: 'startServices', params: { idleReleased } },
    'sayBlocked',
  ] as const;
}

function reloadActions(idleReleased: boolean) {
  return [
    'noteTime',
    'applyReload',
    'stopByHand',
    { type: 'startServices', params: { idleReleased } },
    'sayBlocked',
  ] as const;
}

function specOf({ spec, leaving }: SystemContext, name: string): ServiceSpec | undefined {
  return spec.services.find((service) => service.name === name) ?? leaving[name];
}

/** It is to end because of a reload. */
function isReplaced({ stopping }: SystemContext, name: string): boolean {
  return stopping[name]?.reload === true;
}

/** A service that a reload takes out is still ending, and had waited for this one. */
function isNeededByLeaving({ leaving, standings }: SystemContext, name: string): boolean {
  return Object.values(leaving).some((spec) => {
    const standing = standings[spec.name];
    return spec.prerequisites.includes(name) && standing !== undefined && !isEnded(standing.phase);
  });
}

/**
 * ms from SIGKILL to the moment in which nobody waits any longer: those below, and what no service owns, are to have something
 * left of the budget.
 *
 * @param left ms of it that are left at the SIGKILL
 */
function overdueGrace(killAfter: number, left: number): number {
  return Math.min(killGrace, Math.max(10, Math.min(killAfter / 2, left / 4)));
}

/** While the system ends: those whose process survives SIGKILL count as ended. */
function withoutLost({ standings, lost }: SystemContext): Standings {
  return Object.fromEntries(
    Object.entries(standings).map(([name, standing]) => [
      name,
      lost[name] ? { ...standing, phase: 'failed' } : standing,
    ]),
  );
}

/** The services that are leaving, and after which nobody has to end first any more. */
function leavingInTurn({ leaving, stopping, standings }: SystemContext): readonly string[] {
  const hasEnded = (name: string): boolean => isEnded(standings[name]?.phase ?? 'disabled');
  return Object.keys(leaving).filter((name) => !hasEnded(name) && (stopping[name]?.after ?? []).every(hasEnded));
}

/** The services with everything that they wait for, directly or not, and that is not ready. */
function withUnready({ graph, standings }: SystemContext, names: readonly string[]): readonly string[] {
  const found = new Set(names);
  for (const name of found) {
    for (const other of graph.nodes[name]?.prerequisites ?? []) {
      const standing = standings[other];
      if (standing !== undefined && !satisfies(standing)) found.add(other);
    }
  }
  return [...found];
}

/** The id of a service's actor: `service:web` for `web.service`. */
export function serviceActorId(name: string): string {
  return `service:${shortName(name)}`;
}

function endBy(context: SystemContext, event: SystemEvent): SystemEnd | undefined {
  switch (event.type) {
    case 'system.shutdown':
      return event.end;
    case 'service.exitKills':
      return { kind: 'exitKills', service: event.name, outcome: event.outcome };
    case 'service.changed':
      return event.change.phase === 'failed'
        ? { kind: 'serviceFailed', service: event.name, cause: event.change.cause }
        : context.end;
    case 'processes.gone':
    case 'service.noticed':
    case 'stop.overdue':
    case 'system.reload':
    case 'services.start':
    case 'services.stop':
    case 'services.reset':
    case 'services.enable':
    case 'services.disable':
      return context.end;
  }
}

/** True for the changes after which a service that waits may go. */
function mayRelease({ phase }: ServiceChange): boolean {
  return isReady(phase) || phase === 'failed' || phase === 'stopped';
}

function isReady(phase: ServiceChange['phase']): boolean {
  return phase === 'running' || phase === 'exited' || phase === 'scheduled';
}

function outcomeOf(change: ServiceChange): RunOutcome | undefined {
  switch (change.phase) {
    case 'exited':
      return { kind: 'exit', status: change.status };
    case 'failed':
      return isOutcome(change.cause) ? change.cause : undefined;
    case 'starting':
    case 'running':
    case 'scheduled':
    case 'backoff':
    case 'stopping':
    case 'stopped':
      return undefined;
  }
}

/** The service whose own end is why the system ends: it was not stopped. */
function endedBy({ end }: SystemContext, name: string): boolean {
  return end?.kind === 'exitKills' && end.service === name;
}

function pendingNames(context: SystemContext): readonly string[] {
  return context.graph.names.filter((name) => context.standings[name]?.phase === 'pending');
}

/** Where one that waits for another start stands really: as its last one ended. It has nothing more to report. */
function outOfLine({ standings, services }: SystemContext): Standings {
  return Object.fromEntries(
    Object.entries(standings).map(([name, standing]) => {
      const snapshot = services[name]?.getSnapshot();
      if (standing.phase !== 'pending' || snapshot === undefined || snapshot.matches('pending'))
        return [name, standing];
      return [name, { ...standing, phase: snapshot.matches({ ready: 'exited' }) ? 'exited' : 'stopped' }];
    }),
  );
}

function anyLive(context: SystemContext): boolean {
  return Object.values(context.standings).some(({ phase }) => isLive(phase));
}

function scheduledNames({ graph, standings }: SystemContext): readonly string[] {
  return graph.names.filter((name) => standings[name]?.phase === 'scheduled');
}
