/**
 * The hooks of one stage of a service (`before_start` and its like): its commands one after another, each of them a unit
 * (unit.ts). The service machine starts this one where its chart reaches such a stage, and judges what comes of it.
 *
 *     running ⇄ clearing → over
 *        ↓         ↓        ↑
 *        └─────→ ending ────┘
 *
 * A hook is over when nothing of it is left. A process that it leaves behind, also one that has made itself a daemon, is
 * ended before the next hook or the main command starts (systemd.service(5), ExecStartPre=): first by SIGTERM, then by SIGKILL.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A hook that fails while its remains are ended: the failure is reported once they have ended.
 * - A request to end (`hooks.terminate`, `hooks.kill`) wins: no other hook starts, and how the present one ends is nobody's
 *   failure. A second `hooks.terminate` changes nothing. SIGKILL is up to the owner then.
 * - A hook whose spawn is not reported yet when it is told to end is told, too: its unit remembers the request.
 */
import { type ActorRef, type ActorRefFrom, assertEvent, assign, enqueueActions, type Snapshot, setup } from 'xstate';
import { isNormal } from '../model/service/exit-status.ts';
import { type HookFailure, type HookPlace, type HookStage, hooksOf } from '../model/service/hook.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { UnitFact } from '../model/service/unit-events.ts';
import { clearGrace } from './limits.ts';
import { unitMachine } from './unit.ts';

export type HooksCommand =
  | { readonly type: 'hooks.terminate'; readonly signal: SignalName; readonly at: number }
  | { readonly type: 'hooks.kill'; readonly grace: number; readonly at: number };

export type HooksFact =
  /** A hook runs. */
  | {
      readonly type: 'hooks.began';
      readonly serial: number;
      readonly hook: HookPlace;
      readonly pid: number;
      readonly at: number;
    }
  /** All hooks of the stage have ended, and none has failed. */
  | { readonly type: 'hooks.passed'; readonly serial: number; readonly at: number }
  /** A hook has failed, and the others of its stage do not run. */
  | {
      readonly type: 'hooks.failed';
      readonly serial: number;
      readonly hook: HookPlace;
      readonly failure: HookFailure;
      readonly at: number;
    }
  /** The hooks were told to end, and nothing is left of them. */
  | { readonly type: 'hooks.ended'; readonly serial: number; readonly at: number }
  /** A process of a hook lives on after SIGKILL. */
  | { readonly type: 'hooks.survived'; readonly serial: number; readonly at: number };

export interface HooksInput {
  readonly service: ServiceSpec;
  readonly stage: HookStage;
  /** That of the run to which the hooks belong. */
  readonly serial: number;
  readonly owner: ActorRef<Snapshot<unknown>, HooksFact>;
  /** Variables of the moment, beside the environment of the service. */
  readonly variables: Readonly<Record<string, string>>;
  /** Set for hooks of a chart that is made anew: which hook runs (counted from 1), and whether it was told to end. */
  readonly resumes?: { readonly nth: number; readonly pid: number; readonly asked: boolean };
}

interface HooksContext extends HooksInput {
  /** Counted from 1. */
  readonly nth: number;
  readonly unit: ActorRefFrom<typeof unitMachine> | undefined;
  /** How the present hook has ended, if it has failed. */
  readonly failure: HookFailure | undefined;
  /** Monotonic ms of the last fact or command. */
  readonly at: number;
}

export const hooksMachine = setup({
  types: {
    context: {} as HooksContext,
    events: {} as HooksCommand | UnitFact,
    input: {} as HooksInput,
  },
  actors: { unit: unitMachine },
  actions: {
    noteTime: assign({ at: ({ event, context }) => ('at' in event ? event.at : context.at) }),
    spawnHook: assign(({ context, self, spawn }) => {
      const { service, stage, serial, nth, variables, resumes } = context;
      const hooks = hooksOf(service.hooks, stage);
      const hook = hooks[nth - 1];
      if (hook === undefined) throw new Error(`internal error: ${service.name} has no hook ${stage} ${nth}`);
      const isRunning = resumes !== undefined && resumes.pid !== 0 && resumes.nth === nth;
      const run = {
        service,
        serial,
        beside: { kind: 'hook', stage, nth, of: hooks.length, hook, variables } as const,
        ...(isRunning ? { resumes: { pid: resumes.pid, asked: resumes.asked } } : {}),
      };
      return { failure: undefined, unit: spawn('unit', { id: 'unit', input: { run, owner: self } }) };
    }),
    advance: assign({ nth: ({ context }) => context.nth + 1 }),
    dropUnit: enqueueActions(({ context, enqueue }) => {
      if (context.unit !== undefined) enqueue.stopChild(context.unit);
      enqueue.assign({ unit: undefined });
    }),
    recordFailure: assign(({ context, event }) => ({ failure: failureOf(context, event) })),
    tellBegan: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'unit.spawned') return;
      const { serial, owner } = context;
      enqueue.sendTo(owner, { type: 'hooks.began', serial, hook: placeOf(context), pid: event.pid, at: event.at });
    }),
    tellPassed: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'hooks.passed', serial, at });
    }),
    tellFailed: enqueueActions(({ context, enqueue }) => {
      const { owner, serial, failure, at } = context;
      if (failure !== undefined)
        enqueue.sendTo(owner, { type: 'hooks.failed', serial, hook: placeOf(context), failure, at });
    }),
    tellEnded: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'hooks.ended', serial, at });
    }),
    tellSurvived: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'hooks.survived', serial, at });
    }),
    terminate: enqueueActions(({ context: { unit, at }, event, enqueue }) => {
      const signal = event.type === 'hooks.terminate' ? event.signal : 'SIGTERM';
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.terminate', signal, at });
    }),
    kill: enqueueActions(({ context: { unit }, event, enqueue }) => {
      assertEvent(event, 'hooks.kill');
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.kill', grace: event.grace, at: event.at });
    }),
    /** Kills what a hook has left and has not ended in time. The event of a timer carries no time, so this action notes when the timer was due. */
    killLeft: enqueueActions(({ context, enqueue }) => {
      const at = context.at + clearGrace;
      enqueue.assign({ at });
      if (context.unit !== undefined) enqueue.sendTo(context.unit, { type: 'unit.kill', grace: clearGrace, at });
    }),
  },
  guards: {
    wasAsked: ({ context }) => context.resumes?.asked === true,
    leavesSome: ({ event }) => event.type === 'unit.leaderExited' && event.left > 0,
    failsNow: ({ context, event }) => failureOf(context, event) !== undefined,
    hasFailed: ({ context }) => context.failure !== undefined,
    isLast: ({ context }) => context.nth >= hooksOf(context.service.hooks, context.stage).length,
  },
  delays: { clearGrace },
}).createMachine({
  id: 'hooks',
  context: ({ input }) => ({
    ...input,
    nth: input.resumes?.nth ?? 1,
    unit: undefined,
    failure: undefined,
    at: 0,
  }),
  initial: 'running',
  states: {
    running: {
      entry: ['spawnHook'],
      always: { guard: 'wasAsked', target: 'ending' },
      on: {
        'unit.spawned': { actions: ['noteTime', 'tellBegan'] },
        'unit.spawnFailed': [
          { guard: 'failsNow', target: 'over', actions: ['noteTime', 'recordFailure', 'dropUnit', 'tellFailed'] },
          { guard: 'isLast', target: 'over', actions: ['noteTime', 'dropUnit', 'tellPassed'] },
          { target: 'running', reenter: true, actions: ['noteTime', 'dropUnit', 'advance'] },
        ],
        'unit.leaderExited': [
          { guard: 'leavesSome', target: 'clearing', actions: ['noteTime', 'recordFailure', 'terminate'] },
          { guard: 'failsNow', target: 'over', actions: ['noteTime', 'recordFailure', 'dropUnit', 'tellFailed'] },
          { guard: 'isLast', target: 'over', actions: ['noteTime', 'dropUnit', 'tellPassed'] },
          { target: 'running', reenter: true, actions: ['noteTime', 'dropUnit', 'advance'] },
        ],
        'unit.cleared': {},
        'unit.survived': {},
        'hooks.terminate': { target: 'ending', actions: ['noteTime', 'terminate'] },
        'hooks.kill': { target: 'ending', actions: ['noteTime', 'kill'] },
      },
    },
    /** The hook has ended, and the processes that it has left are ended. */
    clearing: {
      after: { clearGrace: { actions: ['killLeft'] } },
      on: {
        'unit.spawned': {},
        'unit.spawnFailed': {},
        'unit.leaderExited': {},
        'unit.cleared': [
          { guard: 'hasFailed', target: 'over', actions: ['noteTime', 'dropUnit', 'tellFailed'] },
          { guard: 'isLast', target: 'over', actions: ['noteTime', 'dropUnit', 'tellPassed'] },
          { target: 'running', actions: ['noteTime', 'dropUnit', 'advance'] },
        ],
        'unit.survived': { actions: ['noteTime', 'tellSurvived'] },
        'hooks.terminate': { target: 'ending', actions: ['noteTime'] },
        'hooks.kill': { target: 'ending', actions: ['noteTime', 'kill'] },
      },
    },
    ending: {
      on: {
        'unit.spawned': { actions: ['noteTime', 'tellBegan'] },
        'unit.spawnFailed': { target: 'over', actions: ['noteTime', 'dropUnit', 'tellEnded'] },
        'unit.leaderExited': [
          { guard: 'leavesSome', actions: ['noteTime'] },
          { target: 'over', actions: ['noteTime', 'dropUnit', 'tellEnded'] },
        ],
        'unit.cleared': { target: 'over', actions: ['noteTime', 'dropUnit', 'tellEnded'] },
        'unit.survived': { actions: ['noteTime', 'tellSurvived'] },
        'hooks.terminate': {},
        'hooks.kill': { actions: ['noteTime', 'kill'] },
      },
    },
    over: { type: 'final' },
  },
});

function placeOf({ service, stage, nth }: HooksContext): HookPlace {
  return { stage, nth, of: hooksOf(service.hooks, stage).length };
}

/** What a hook's end means: a failure of one that may fail is none. */
function failureOf({ service, stage, nth }: HooksContext, event: HooksCommand | UnitFact): HookFailure | undefined {
  if (hooksOf(service.hooks, stage)[nth - 1]?.mayFail === true) return undefined;
  if (event.type === 'unit.spawnFailed') return { kind: 'spawn', error: event.error };
  if (event.type !== 'unit.leaderExited' || isNormal(event.status)) return undefined;
  return { kind: 'exit', status: event.status };
}
