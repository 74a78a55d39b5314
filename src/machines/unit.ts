/**
 * One run of one program, from the request to spawn it to the moment it is reaped.
 *
 *     alive: spawning → running → terminating (→ extended) → killing        then reaped
 *     alive: spawning → unspawned
 *
 * The owner (a service) wants one thing at a time: that the program runs, or that it ends. Wanting it to end comes as
 * `process.terminate` (a signal, then SIGKILL after `killAfter`) or as `process.kill` (SIGKILL now). Nothing takes the wish
 * back: whoever wants the program again starts another run.
 *
 * What may cross on the way, and who wins:
 * - An exit may arrive before the spawn's own report: the exit wins, the run is over; the late report is ignored.
 * - A wish to end may arrive before the spawn's report: it is kept and acted upon as soon as there is a pid to signal.
 * - A second `process.terminate` repeats the signal and starts the wait anew, with the shorter of the two times.
 * - `process.extend` is heard only while the signal's time runs: before it there is nothing to extend, afterwards it is too late.
 * - Only a reaped process leaves `alive`: a final state with a live process does not exist. A process that survives SIGKILL
 *   (uninterruptible sleep) stays in `killing`; the system machine's budget decides how long anybody waits for it.
 */
import { type ActorRef, assign, enqueueActions, fromCallback, type Snapshot, sendTo, setup } from 'xstate';
import type { ProcessFact, ProcessRun, ProcessSignal } from '../model/process-events.ts';
import type { SignalName } from '../model/signal.ts';

export type ProcessCommand =
  | {
      readonly type: 'process.terminate';
      readonly signal: SignalName;
      /** ms until SIGKILL. */
      readonly killAfter: number;
    }
  /** SIGKILL comes only after so many ms from now; the signal is not repeated. */
  | { readonly type: 'process.extend'; readonly killAfter: number }
  | { readonly type: 'process.kill' };

export type ProcessEvent = ProcessCommand | ProcessFact;

/** Whoever owns a run and hears its facts. */
export type ProcessOwner = ActorRef<Snapshot<unknown>, ProcessFact>;

export interface ProcessInput {
  readonly run: ProcessRun;
  readonly owner: ProcessOwner;
}

interface ProcessContext extends ProcessInput {
  readonly pid: number | undefined;
  readonly terminate: Extract<ProcessCommand, { type: 'process.terminate' }> | undefined;
  readonly killWanted: boolean;
}

/** The port that spawns and signals. It reports `ProcessFact`s and takes `ProcessSignal`s; the runtime provides it. */
const childProcess = fromCallback<ProcessSignal, ProcessRun, ProcessFact>(() => {
  throw new Error('internal error: the port childProcess is not provided');
});

export const processMachine = setup({
  types: {
    context: {} as ProcessContext,
    events: {} as ProcessEvent,
    input: {} as ProcessInput,
  },
  actors: { childProcess },
  actions: {
    tellOwner: enqueueActions(({ context, event, enqueue }) => {
      switch (event.type) {
        case 'process.spawned':
        case 'process.spawnFailed':
        case 'process.exited':
          enqueue.sendTo(context.owner, event);
          break;
        case 'process.terminate':
        case 'process.extend':
        case 'process.kill':
          break;
      }
    }),
    recordPid: assign({ pid: ({ context, event }) => (event.type === 'process.spawned' ? event.pid : context.pid) }),
    recordTerminate: assign({
      terminate: ({ context, event }) => {
        if (event.type !== 'process.terminate') return context.terminate;
        if (context.terminate === undefined) return event;
        return { ...event, killAfter: Math.min(event.killAfter, context.terminate.killAfter) };
      },
    }),
    recordExtension: assign({
      terminate: ({ context, event }) =>
        event.type === 'process.extend' && context.terminate !== undefined
          ? { ...context.terminate, killAfter: event.killAfter }
          : context.terminate,
    }),
    recordKill: assign({ killWanted: true }),
    signalTerminate: sendTo(
      'childProcess',
      ({ context }): ProcessSignal => ({
        type: 'process.signal',
        signal: context.terminate?.signal ?? 'SIGTERM',
      }),
    ),
    signalKill: sendTo('childProcess', (): ProcessSignal => ({ type: 'process.signal', signal: 'SIGKILL' })),
  },
  guards: {
    killWanted: ({ context }) => context.killWanted,
    terminateWanted: ({ context }) => context.terminate !== undefined,
  },
  delays: {
    killAfter: ({ context }) => context.terminate?.killAfter ?? 0,
  },
}).createMachine({
  id: 'process',
  context: ({ input }) => ({ ...input, pid: undefined, terminate: undefined, killWanted: false }),
  initial: 'alive',
  states: {
    alive: {
      invoke: { id: 'childProcess', src: 'childProcess', input: ({ context }) => context.run },
      initial: 'spawning',
      on: {
        'process.exited': { target: 'reaped', actions: ['tellOwner'] },
        // The report of a spawn is news only while spawning.
        'process.spawned': {},
        'process.spawnFailed': {},
      },
      states: {
        spawning: {
          on: {
            'process.spawned': { target: 'running', actions: ['recordPid', 'tellOwner'] },
            'process.spawnFailed': { target: '#process.unspawned', actions: ['tellOwner'] },
            'process.terminate': { actions: ['recordTerminate'] },
            'process.extend': {},
            'process.kill': { actions: ['recordKill'] },
          },
        },
        running: {
          always: [
            { guard: 'killWanted', target: 'killing' },
            { guard: 'terminateWanted', target: 'terminating' },
          ],
          on: {
            'process.terminate': { target: 'terminating', actions: ['recordTerminate'] },
            'process.extend': {},
            'process.kill': { target: 'killing' },
          },
        },
        terminating: {
          entry: ['signalTerminate'],
          after: { killAfter: 'killing' },
          on: {
            'process.terminate': { target: 'terminating', reenter: true, actions: ['recordTerminate'] },
            'process.extend': { target: 'extended', actions: ['recordExtension'] },
            'process.kill': { target: 'killing' },
          },
        },
        /** It has asked for more time to end. */
        extended: {
          after: { killAfter: 'killing' },
          on: {
            'process.terminate': { target: 'terminating', actions: ['recordTerminate'] },
            'process.extend': { target: 'extended', reenter: true, actions: ['recordExtension'] },
            'process.kill': { target: 'killing' },
          },
        },
        killing: {
          entry: ['signalKill'],
          on: {
            'process.terminate': {},
            'process.extend': {},
            'process.kill': { actions: ['signalKill'] },
          },
        },
      },
    },
    reaped: { type: 'final' },
    unspawned: { type: 'final' },
  },
});
