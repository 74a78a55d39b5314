/**
 * A unit: one run of one program, from the request to spawn it until no process of it is left. To a unit belong the
 * process group of its leader and, for hooks and services that leave daemons behind, all processes that its start has left
 * (reference 1.2, `kill_mode`); with `kill_mode: process` only the leader belongs to it.
 *
 *     spawning → alive → clearing ([finishing →] terminating → killing → surviving) → reaped
 *        ↓         ↓ ↑        ↑
 *     unspawned  remaining ───┘
 *
 * The leader is the process that was spawned, until a pidfile or MAINPID names another (`unit.lead`). The unit reports
 * the leader's end to its owner at once, with the number of processes that are left; the owner judges what that end
 * means. A unit that reads what other services write finds the end of its input before it is signalled for the last time
 * (`finishing`): it may end by itself then. Where processes are left, or another leader may still be named, the unit is `remaining`: it lives on, takes
 * another leader, and ends when the owner says so. Every signal that chaperone sends to a service is a transition here.
 *
 * Events that may arrive in either order, and which of them decides:
 * - An exit may arrive before the report of its spawn: the exit wins; the late report is ignored.
 * - A request to end may arrive before the report of the spawn: the unit cancels the start, and keeps the request for the
 *   case that the program runs already.
 * - A second `unit.terminate` changes nothing: many programs take a second signal as a demand for haste.
 * - Where a stop has several signals (`kill_signal: SIGQUIT 10s SIGTERM`), each next one follows its pause, unless the unit has
 *   ended or was told to kill.
 * - With `kill_mode: mixed` the signals go to the leader. Once it has ended, or where it had before, the others get SIGKILL.
 * - A leader may end while its group is being cleared: the unit ends once a look finds no process left.
 * - A unit is `reaped` only where nothing is left. A process that survives SIGKILL (uninterruptible sleep) keeps the
 *   unit in `surviving`; the unit reports it to the owner (`unit.survived`), who decides how long to wait.
 */
import {
  type ActorRef,
  and,
  assertEvent,
  assign,
  enqueueActions,
  fromCallback,
  type Snapshot,
  sendTo,
  setup,
} from 'xstate';
import { killGrace } from '../model/ledger/stops.ts';
import type { KillStep } from '../model/service/hook.ts';
import { ownsRemains } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { SignalOutcome, UnitFact, UnitReport, UnitRequest, UnitRun } from '../model/service/unit-events.ts';
import { stamped } from './stamped.ts';

export type UnitCommand =
  /**
   * Ends the unit with this signal, or these one after another; SIGKILL follows only with `unit.kill`. `patience`: ms in which the unit
   * may end by itself before the signal, because it finds the end of its input.
   */
  | {
      readonly type: 'unit.terminate';
      readonly signal: SignalName;
      readonly steps?: readonly KillStep[];
      readonly patience?: number;
      /** The run has lasted longer than it may. */
      readonly overran?: true;
      readonly at: number;
    }
  /**
   * SIGKILL now. `grace`: ms after which the unit reports processes that still live as survivors. `last`: nothing follows it, not even
   * after_stop.
   */
  | { readonly type: 'unit.kill'; readonly grace: number; readonly last?: true; readonly at: number }
  /** The system is ending: what does not run yet is not to begin. What runs goes on. */
  | { readonly type: 'unit.retire' }
  /** Another process becomes the leader of the unit. */
  | { readonly type: 'unit.lead'; readonly pid: number }
  /** Somebody sends a signal by hand. */
  | { readonly type: 'unit.signal'; readonly signal: SignalName };

/** Timers that the unit raises itself. */
interface OwnTimer {
  readonly type: 'unit.lookDue' | 'unit.survivalDue' | 'unit.signalDue' | 'unit.patienceDue';
}

export type UnitEvent = UnitCommand | UnitFact | UnitReport | OwnTimer;

/** The actor that owns a unit and receives its facts. */
export type UnitOwner = ActorRef<Snapshot<unknown>, UnitFact>;

export interface UnitInput {
  readonly run: UnitRun;
  readonly owner: UnitOwner;
}

/** The first request to end; the first of `steps` has the same signal. */
type Demand = Required<Omit<Extract<UnitCommand, { type: 'unit.terminate' }>, 'overran'>>;

interface UnitContext extends UnitInput {
  readonly pid: number | undefined;
  readonly leaderGone: boolean;
  readonly wish: Demand | Extract<UnitCommand, { type: 'unit.kill' }> | undefined;
  /** The signal that has asked the unit to end, and when. */
  readonly asked: { readonly signal: SignalName; readonly at: number } | undefined;
  /** The signals that are still to come, the next one first; `pause`: ms from the signal before it. */
  readonly toCome: readonly KillStep[];
  readonly grace: number;
  /** Monotonic ms from which on living processes count as survivors of SIGKILL. */
  readonly survivesAt: number;
  /** ms until the next look at the processes that are left. */
  readonly pause: number;
  /** The last signal that was sent to the unit, and its outcome: the port reports a signal that did not arrive. */
  readonly signalled: { readonly signal: SignalName; readonly outcome: SignalOutcome } | undefined;
  /** Monotonic ms of the last fact that the unit has seen. */
  readonly at: number;
}

/** The port that spawns, signals and looks for left processes. The runtime provides it. */
const processes = fromCallback<UnitRequest, UnitRun, UnitFact | UnitReport>(() => {
  throw new Error('internal error: the port processes is not provided');
});

/** ms between the first two looks at the processes that are left. */
const firstPause = 20;
const longestPause = 250;

const when = stamped<UnitContext, UnitEvent>();

export const unitMachine = setup({
  types: {
    context: {} as UnitContext,
    events: {} as UnitEvent,
    input: {} as UnitInput,
  },
  actors: { processes },
  actions: {
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    tellOwner: enqueueActions(({ context, event, enqueue }) => {
      switch (event.type) {
        case 'unit.spawned':
        case 'unit.spawnFailed':
        case 'unit.leaderExited':
          enqueue.sendTo(context.owner, event);
          break;
        default:
          throw new Error(`internal error: a unit has nothing to tell of ${event.type}`);
      }
    }),
    tellCleared: enqueueActions(({ context, enqueue }) => {
      enqueue.sendTo(context.owner, { type: 'unit.cleared', serial: context.run.serial, at: context.at });
    }),
    tellSurvived: enqueueActions(({ context, enqueue }) => {
      const at = Math.max(context.at, context.survivesAt);
      enqueue.assign({ at });
      enqueue.sendTo(context.owner, { type: 'unit.survived', serial: context.run.serial, at });
    }),
    recordSpawn: assign(when('unit.spawned', (_, { pid }) => ({ pid }))),
    recordLead: assign(when('unit.lead', (_, { pid }) => ({ pid, leaderGone: false }))),
    recordExit: assign(when('unit.leaderExited', () => ({ leaderGone: true }))),
    recordTerminate: assign(
      when('unit.terminate', ({ wish }, { type, signal, steps = [], patience = 0, at }) => ({
        wish: wish ?? { type, signal, steps, patience, at },
      })),
    ),
    recordKill: assign(when('unit.kill', (_, event) => ({ wish: event, grace: event.grace }))),
    recordSignal: assign(when('unit.signalled', (_, { signal, outcome }) => ({ signalled: { signal, outcome } }))),
    sendTerminate: enqueueActions(({ context, enqueue }) => {
      const { at } = context;
      const { signal, steps } = demandOf(context);
      // Each signal waits for what the one before it does.
      const toCome = steps.flatMap(({ pause }, index) =>
        steps.slice(index + 1, index + 2).map((next) => ({ signal: next.signal, pause })),
      );
      enqueue.assign({ asked: { signal, at }, toCome, pause: firstPause, signalled: { signal, outcome: 'sent' } });
      enqueue.sendTo('processes', { type: 'unit.send', signal, purpose: 'stop' });
      const [next] = toCome;
      if (next !== undefined) enqueue.raise({ type: 'unit.signalDue' }, { id: 'signal', delay: next.pause });
    }),
    /** The signal before has not ended the unit within its pause. */
    sendNext: enqueueActions(({ context, enqueue }) => {
      const [now, ...toCome] = context.toCome;
      if (now === undefined) return;
      const { signal, pause } = now;
      const at = Math.max(context.at, (context.asked?.at ?? context.at) + pause);
      enqueue.assign({ at, asked: { signal, at }, toCome, signalled: { signal, outcome: 'sent' } });
      enqueue.sendTo('processes', { type: 'unit.send', signal, purpose: 'stop' });
      const [next] = toCome;
      if (next !== undefined) enqueue.raise({ type: 'unit.signalDue' }, { id: 'signal', delay: next.pause });
    }),
    endInput: enqueueActions(({ context, enqueue }) => {
      enqueue.sendTo('processes', { type: 'unit.finish' });
      enqueue.raise({ type: 'unit.patienceDue' }, { id: 'patience', delay: demandOf(context).patience });
    }),
    impatience: assign(({ context }) => {
      const { at, patience } = demandOf(context);
      return { at: Math.max(context.at, at + patience) };
    }),
    sendKill: enqueueActions(({ context, enqueue }) => {
      const { asked, at } = context;
      const signalled = { signal: 'SIGKILL', outcome: 'sent' } as const;
      enqueue.assign({ pause: firstPause, survivesAt: at + context.grace, signalled });
      enqueue.sendTo('processes', {
        type: 'unit.send',
        signal: 'SIGKILL',
        purpose: 'stop',
        ...(asked === undefined ? {} : { asked: { signal: asked.signal, for: at - asked.at } }),
      });
      enqueue.cancel('signal');
      enqueue.cancel('survival');
      enqueue.raise({ type: 'unit.survivalDue' }, { id: 'survival', delay: context.grace });
    }),
    sendKillAgain: sendTo('processes', { type: 'unit.send', signal: 'SIGKILL', purpose: 'again' as const }),
    sendByHand: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, 'unit.signal');
      const { signal } = event;
      enqueue.assign({ signalled: { signal, outcome: 'sent' } });
      enqueue.sendTo('processes', { type: 'unit.send', signal, purpose: 'hand' });
    }),
    askLead: enqueueActions(({ event, enqueue }) => {
      assertEvent(event, 'unit.lead');
      enqueue.sendTo('processes', { type: 'unit.lead', pid: event.pid });
    }),
    askLook: sendTo('processes', { type: 'unit.look' }),
    askCancel: sendTo('processes', { type: 'unit.cancel' }),
    planLook: enqueueActions(({ context, enqueue }) => {
      enqueue.cancel('look');
      enqueue.raise({ type: 'unit.lookDue' }, { id: 'look', delay: context.pause });
      enqueue.assign({ pause: Math.min(longestPause, context.pause * 2) });
    }),
  },
  guards: {
    resumes: ({ context }) => context.run.resumes !== undefined,
    resumesEnding: ({ context }) => context.run.resumes?.asked === true,
    resumesLeaderless: ({ context }) => context.run.resumes?.pid === 0,
    killWanted: ({ context }) => context.wish?.type === 'unit.kill',
    terminateWanted: ({ context }) => context.wish?.type === 'unit.terminate',
    isMixed: ({ context }) => isMixed(context),
    /** A wish to end that came before the leader's end: what the leader has left gets SIGKILL. */
    killsRest: ({ context }) => isMixed(context) && context.wish?.type === 'unit.terminate',
    leavesMixed: ({ context, event }) => isMixed(context) && event.type === 'unit.leaderExited' && event.left > 0,
    isPatient: ({ context: { wish, leaderGone }, event }) => {
      const terminate = event.type === 'unit.terminate' ? event : wish;
      return !leaderGone && terminate?.type === 'unit.terminate' && (terminate.patience ?? 0) > 0;
    },
    /** The leader has ended, no process is left, and neither a pidfile nor MAINPID can name another leader. */
    isOver: ({ context, event }) => event.type === 'unit.leaderExited' && event.left === 0 && !mayBeLed(context.run),
    nothingLeft: ({ context, event }) =>
      (event.type === 'unit.leaderExited' && event.left === 0) ||
      (event.type === 'unit.seen' && event.left === 0 && context.leaderGone),
    /** The processes that the leader had left have ended by themselves. */
    isDone: ({ context, event }) => event.type === 'unit.seen' && event.left === 0 && !mayBeLed(context.run),
    leaderGone: ({ context }) => context.leaderGone,
    leavesLiving: ({ context, event }) => event.type === 'unit.seen' && event.fresh && context.leaderGone,
  },
}).createMachine({
  id: 'unit',
  context: ({ input }) => ({
    ...input,
    pid: input.run.resumes?.pid,
    leaderGone: input.run.resumes?.pid === 0,
    wish: undefined,
    asked: undefined,
    toCome: [],
    grace: killGrace,
    survivesAt: 0,
    pause: firstPause,
    signalled: undefined,
    at: 0,
  }),
  initial: 'present',
  states: {
    present: {
      invoke: { id: 'processes', src: 'processes', input: ({ context }) => context.run },
      initial: 'spawning',
      on: {
        // The report of a spawn counts only in `spawning`.
        'unit.spawned': {},
        'unit.spawnFailed': {},
        'unit.signalled': { actions: ['recordSignal'] },
        'unit.signal': { actions: ['sendByHand'] },
        'unit.retire': {},
        // Events that the unit sends and never receives.
        'unit.cleared': {},
        'unit.survived': {},
        'unit.lookDue': {},
        'unit.survivalDue': {},
        'unit.signalDue': {},
        'unit.patienceDue': {},
      },
      states: {
        spawning: {
          always: [
            { guard: 'resumesEnding', target: 'clearing.resuming' },
            { guard: 'resumesLeaderless', target: 'remaining' },
            { guard: 'resumes', target: 'alive' },
          ],
          on: {
            'unit.spawned': { target: 'alive', actions: ['recordSpawn', 'tellOwner'] },
            'unit.spawnFailed': { target: '#unit.unspawned', actions: ['noteTime', 'tellOwner'] },
            'unit.leaderExited': [
              { guard: 'isOver', target: '#unit.reaped', actions: ['recordExit', 'tellOwner'] },
              { target: 'remaining', actions: ['recordExit', 'tellOwner'] },
            ],
            'unit.seen': {},
            'unit.terminate': { actions: ['recordTerminate', 'askCancel'] },
            'unit.kill': { actions: ['recordKill', 'askCancel'] },
            'unit.retire': { actions: ['askCancel'] },
            'unit.lead': {},
            'unit.signal': {},
          },
        },
        alive: {
          always: [
            { guard: 'killWanted', target: 'clearing.killing' },
            { guard: and(['terminateWanted', 'isPatient']), target: 'clearing.finishing' },
            { guard: 'terminateWanted', target: 'clearing' },
          ],
          on: {
            'unit.leaderExited': [
              { guard: 'isOver', target: '#unit.reaped', actions: ['recordExit', 'tellOwner'] },
              { target: 'remaining', actions: ['recordExit', 'tellOwner'] },
            ],
            'unit.seen': {},
            'unit.terminate': [
              { guard: 'isPatient', target: 'clearing.finishing', actions: ['recordTerminate'] },
              { target: 'clearing', actions: ['recordTerminate'] },
            ],
            'unit.kill': { target: 'clearing.killing', actions: ['recordKill'] },
            'unit.lead': { actions: ['recordLead', 'askLead'] },
          },
        },
        /** The unit's leader has ended. The processes that it left live on. */
        remaining: {
          always: [
            { guard: 'killWanted', target: 'clearing.killing' },
            { guard: 'killsRest', target: 'clearing.killing' },
            { guard: 'terminateWanted', target: 'clearing' },
          ],
          on: {
            'unit.leaderExited': {},
            'unit.seen': [
              { guard: 'isDone', target: '#unit.reaped', actions: ['noteTime', 'tellCleared'] },
              { actions: ['noteTime'] },
            ],
            'unit.terminate': [
              { guard: 'isMixed', target: 'clearing.killing', actions: ['recordTerminate'] },
              { target: 'clearing', actions: ['recordTerminate'] },
            ],
            'unit.kill': { target: 'clearing.killing', actions: ['recordKill'] },
            'unit.lead': { target: 'alive', actions: ['recordLead', 'askLead'] },
          },
        },
        clearing: {
          initial: 'terminating',
          on: {
            'unit.leaderExited': [
              { guard: 'nothingLeft', target: '#unit.reaped', actions: ['recordExit', 'tellOwner'] },
              { actions: ['recordExit', 'tellOwner', 'planLook'] },
            ],
            'unit.seen': [
              { guard: 'nothingLeft', target: '#unit.reaped', actions: ['noteTime', 'tellCleared'] },
              { guard: 'leaderGone', actions: ['noteTime', 'planLook'] },
              { actions: ['noteTime'] },
            ],
            'unit.lookDue': { actions: ['askLook'] },
            'unit.terminate': {},
            'unit.kill': { target: '.killing', actions: ['recordKill'] },
            'unit.lead': { actions: ['recordLead', 'askLead'] },
          },
          states: {
            /** The unit finds the end of its input, and is signalled if it goes on. */
            finishing: {
              entry: ['endInput'],
              on: {
                'unit.patienceDue': { target: 'terminating', actions: ['impatience'] },
                'unit.leaderExited': [
                  { guard: 'nothingLeft', target: '#unit.reaped', actions: ['recordExit', 'tellOwner'] },
                  { guard: 'leavesMixed', target: 'killing', actions: ['recordExit', 'tellOwner'] },
                  // What the leader has left reads nothing more.
                  { target: 'terminating', actions: ['recordExit', 'tellOwner', 'planLook'] },
                ],
                'unit.kill': { target: 'killing', actions: ['recordKill'] },
              },
            },
            terminating: {
              entry: ['sendTerminate'],
              on: {
                'unit.signalDue': { actions: ['sendNext'] },
                'unit.leaderExited': { guard: 'leavesMixed', target: 'killing', actions: ['recordExit', 'tellOwner'] },
              },
            },
            /** The unit was asked to end by the chart that this one replaces. */
            resuming: { entry: ['askLook'] },
            killing: {
              entry: ['sendKill'],
              on: {
                // Processes that were forked while the others were killed get SIGKILL, too.
                'unit.seen': { guard: 'leavesLiving', actions: ['noteTime', 'sendKillAgain', 'planLook'] },
                'unit.survivalDue': { target: 'surviving', actions: ['tellSurvived'] },
              },
            },
            surviving: {},
          },
        },
      },
    },
    reaped: { type: 'final' },
    unspawned: { type: 'final' },
  },
});

/** The request by which the unit is being ended. */
function demandOf({ wish }: UnitContext): Demand {
  if (wish?.type !== 'unit.terminate') throw new Error('internal error: a unit ends without a request');
  return wish;
}

function isMixed({ run }: UnitContext): boolean {
  return run.beside === undefined && run.service.killMode === 'mixed';
}

function mayBeLed({ beside, service }: UnitRun): boolean {
  return beside === undefined && mayLead(service);
}

/** True where a process that the service names may become the leader in place of the spawned one. */
export function mayLead(service: UnitRun['service']): boolean {
  return ownsRemains(service) || service.type === 'notify' || service.pidfile !== undefined;
}
