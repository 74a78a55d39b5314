/**
 * One run of a cron service that has hooks: before_start, the command, after_stop. To its owner it is a unit (unit.ts): it takes
 * the same commands and tells the same facts. The run ends for its owner when after_stop has ended, so that no other run
 * begins before.
 *
 *     before → running → after → remaining → over
 *
 * Processes that the command has left live on as those of every run, and after_stop does not wait for them.
 *
 * Events that may arrive in either order, and which of them decides:
 * - A request to end that comes while before_start runs: the command is not started, and after_stop follows.
 * - Once the system is ending (`unit.retire`), the command does not follow before_start, which runs to its end.
 * - after_stop is not ended by the signal of a stop; its own time limit or SIGKILL ends it.
 * - SIGKILL of the system (`last`) is followed by no hook.
 */
import { type ActorRefFrom, assign, enqueueActions, setup } from 'xstate';
import { killGrace } from '../model/ledger/stops.ts';
import { isNormalEnd } from '../model/service/ending.ts';
import { describeHookFailure, describePlace, type HookStage, hooksOf } from '../model/service/hook.ts';
import { resultVariables } from '../model/service/hook-result.ts';
import type { FailureCause } from '../model/service/service-phase.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { SpawnError } from '../model/service/spawn-error.ts';
import type { UnitFact } from '../model/service/unit-events.ts';
import { type HooksFact, hooksMachine } from './hooks.ts';
import { type UnitCommand, type UnitInput, unitMachine } from './unit.ts';

type RunEnd = Extract<UnitFact, { readonly type: 'unit.leaderExited' | 'unit.spawnFailed' }>;

interface HookedRunContext extends UnitInput {
  readonly unit: ActorRefFrom<typeof unitMachine> | undefined;
  readonly hooks: ActorRefFrom<typeof hooksMachine> | undefined;
  /** How the run has ended, for its owner. */
  readonly end: RunEnd | undefined;
  /** Why the run was told to end; undefined until then. */
  readonly told: 'stop' | 'overrun' | undefined;
  /** True once the run got SIGKILL. */
  readonly overdue: boolean;
  /** True once no hook may follow: the system sends SIGKILL to everybody. */
  readonly isLast: boolean;
  /** The system is ending. */
  readonly retired: boolean;
}

/** A run whose command was not started, because of its hooks. */
function unstarted({ run }: HookedRunContext, error: Pick<SpawnError, 'code' | 'detail'>, at: number): RunEnd {
  const program = run.service.argv[0] ?? '';
  return { type: 'unit.spawnFailed', serial: run.serial, error: { stage: 'hook', program, ...error }, at };
}

export const hookedRunMachine = setup({
  types: {
    context: {} as HookedRunContext,
    events: {} as UnitCommand | UnitFact | HooksFact,
    input: {} as UnitInput,
    tags: {} as 'transient',
  },
  actors: { unit: unitMachine, hooks: hooksMachine },
  actions: {
    runHooks: assign(({ context, self, spawn }, { stage }: { readonly stage: HookStage }) => {
      const { service, serial } = context.run;
      const { end, overdue } = context;
      const status = end?.type === 'unit.leaderExited' ? end.status : undefined;
      const variables = stage === 'after_stop' ? resultVariables({ cause: causeOf(context), status, overdue }) : {};
      return { hooks: spawn('hooks', { id: 'hooks', input: { service, stage, serial, owner: self, variables } }) };
    }),
    spawnUnit: assign(({ context: { run }, self, spawn }) => ({
      unit: spawn('unit', { id: 'unit', input: { run, owner: self } }),
    })),
    dropHooks: enqueueActions(({ context, enqueue }) => {
      if (context.hooks !== undefined) enqueue.stopChild(context.hooks);
      enqueue.assign({ hooks: undefined });
    }),
    dropUnit: enqueueActions(({ context, enqueue }) => {
      if (context.unit !== undefined) enqueue.stopChild(context.unit);
      enqueue.assign({ unit: undefined });
    }),
    noteEnd: assign(({ context, event }) => {
      switch (event.type) {
        case 'unit.leaderExited':
        case 'unit.spawnFailed':
          return { end: event };
        case 'hooks.failed': {
          const detail = `${describePlace(event.hook)}: ${describeHookFailure(event.failure)}`;
          return { end: unstarted(context, { code: 'EINVAL', detail }, event.at) };
        }
        case 'hooks.ended':
        case 'hooks.passed':
          return { end: unstarted(context, { code: 'ECANCELED' }, event.at) };
        default:
          return {};
      }
    }),
    /** What the command has left has ended meanwhile. */
    noteCleared: assign(({ context: { end } }) =>
      end?.type === 'unit.leaderExited' ? { end: { ...end, left: 0 } } : {},
    ),
    tellOwner: enqueueActions(({ context: { owner }, event, enqueue }) => {
      if (event.type === 'unit.spawned' || event.type === 'unit.survived' || event.type === 'unit.cleared')
        enqueue.sendTo(owner, event);
      if (event.type === 'hooks.survived')
        enqueue.sendTo(owner, { type: 'unit.survived', serial: event.serial, at: event.at });
    }),
    tellEnd: enqueueActions(({ context: { owner, end }, event, enqueue }) => {
      if (end !== undefined) enqueue.sendTo(owner, 'at' in event ? { ...end, at: event.at } : end);
    }),
    pass: enqueueActions(({ context: { unit }, event, enqueue }) => {
      if (unit !== undefined && isCommand(event)) enqueue.sendTo(unit, event);
    }),
    terminateHooks: enqueueActions(({ context: { hooks }, event, enqueue }) => {
      if (hooks !== undefined && event.type === 'unit.terminate')
        enqueue.sendTo(hooks, { type: 'hooks.terminate', signal: 'SIGTERM', at: event.at });
    }),
    killHooks: enqueueActions(({ context: { hooks }, event, enqueue }) => {
      if (hooks !== undefined && event.type === 'unit.kill')
        enqueue.sendTo(hooks, { type: 'hooks.kill', grace: event.grace, at: event.at });
    }),
    /** The hooks of after_stop have used up their time, which began with the end of the command. */
    killLateHooks: enqueueActions(({ context: { run, hooks, end }, enqueue }) => {
      if (hooks === undefined || end === undefined) return;
      enqueue.sendTo(hooks, { type: 'hooks.kill', grace: killGrace, at: end.at + afterStopTime(run.service) });
    }),
    noteTold: assign(({ context, event }) => ({
      told: context.told ?? (event.type === 'unit.terminate' && event.overran === true ? 'overrun' : 'stop'),
    })),
    noteKill: assign(({ context, event }) => ({
      overdue: true,
      isLast: context.isLast || (event.type === 'unit.kill' && event.last === true),
    })),
    noteRetirement: assign({ retired: true }),
  },
  guards: {
    isRetired: ({ context }) => context.retired,
    hasHooks: ({ context }, { stage }: { readonly stage: HookStage }) =>
      hooksOf(context.run.service.hooks, stage).length > 0,
    leavesSome: ({ event }) => event.type === 'unit.leaderExited' && event.left > 0,
    hasUnit: ({ context }) => context.unit !== undefined,
    owesAfterStop: ({ context: { run, isLast } }) => !isLast && hooksOf(run.service.hooks, 'after_stop').length > 0,
  },
  delays: { afterStop: ({ context: { run } }) => afterStopTime(run.service) },
}).createMachine({
  id: 'hookedRun',
  context: ({ input }) => ({
    ...input,
    unit: undefined,
    hooks: undefined,
    end: undefined,
    told: undefined,
    overdue: false,
    isLast: false,
    retired: false,
  }),
  initial: 'beginning',
  on: {
    'unit.spawned': {},
    'unit.spawnFailed': {},
    'unit.leaderExited': {},
    'unit.cleared': {},
    'unit.survived': { actions: ['tellOwner'] },
    'unit.lead': {},
    'unit.signal': { actions: ['pass'] },
    'hooks.began': {},
    'hooks.passed': {},
    'hooks.failed': {},
    'hooks.ended': {},
    'hooks.survived': { actions: ['tellOwner'] },
    'unit.terminate': { actions: ['noteTold', 'pass'] },
    'unit.retire': { actions: ['noteRetirement', 'pass'] },
    'unit.kill': { actions: ['noteTold', 'noteKill', 'pass', 'killHooks'] },
  },
  states: {
    beginning: {
      tags: ['transient'],
      always: [
        { guard: { type: 'hasHooks', params: { stage: 'before_start' } }, target: 'before' },
        { target: 'running', actions: ['spawnUnit'] },
      ],
    },
    before: {
      entry: [{ type: 'runHooks', params: { stage: 'before_start' } }],
      on: {
        'hooks.passed': [
          { guard: 'isRetired', target: 'ended', actions: ['noteEnd'] },
          { target: 'running', actions: ['dropHooks', 'spawnUnit'] },
        ],
        'hooks.failed': { target: 'ended', actions: ['noteEnd'] },
        'hooks.ended': { target: 'ended', actions: ['noteEnd'] },
        'unit.terminate': { actions: ['noteTold', 'terminateHooks'] },
      },
    },
    running: {
      on: {
        'unit.spawned': { actions: ['tellOwner'] },
        'unit.spawnFailed': { target: 'ended', actions: ['noteEnd', 'dropUnit'] },
        'unit.leaderExited': [
          { guard: 'leavesSome', target: 'ended', actions: ['noteEnd'] },
          { target: 'ended', actions: ['noteEnd', 'dropUnit'] },
        ],
      },
    },
    ended: {
      tags: ['transient'],
      always: [
        { guard: 'owesAfterStop', target: 'after' },
        { target: 'told', actions: ['tellEnd'] },
      ],
    },
    after: {
      entry: [{ type: 'runHooks', params: { stage: 'after_stop' } }],
      after: { afterStop: { actions: ['killLateHooks'] } },
      on: {
        'unit.cleared': { actions: ['noteCleared', 'dropUnit'] },
        'hooks.passed': { target: 'told', actions: ['dropHooks', 'tellEnd'] },
        'hooks.failed': { target: 'told', actions: ['dropHooks', 'tellEnd'] },
        'hooks.ended': { target: 'told', actions: ['dropHooks', 'tellEnd'] },
      },
    },
    told: {
      tags: ['transient'],
      always: [{ guard: 'hasUnit', target: 'remaining' }, { target: 'over' }],
    },
    /** What the command has left lives on. */
    remaining: {
      on: { 'unit.cleared': { target: 'over', actions: ['dropUnit', 'tellOwner'] } },
    },
    over: { type: 'final' },
  },
});

/** ms that the hooks of after_stop may take. */
function afterStopTime({ hooks }: ServiceSpec): number {
  return hooks?.afterStopTimeout ?? 0;
}

/** Why the run has failed; undefined where it has ended well, or has ended because it was told to. */
function causeOf({ run: { service }, end, told }: HookedRunContext): FailureCause | undefined {
  if (end?.type === 'unit.leaderExited' && told === 'overrun')
    return { kind: 'overrun', limit: service.maxRuntime ?? 0, pid: end.pid };
  if (end === undefined || told !== undefined) return undefined;
  if (end.type === 'unit.spawnFailed')
    return end.error.code === 'ECANCELED' ? undefined : { kind: 'spawn', error: end.error };
  if (isNormalEnd(service, end.status)) return undefined;
  return { kind: 'exit', status: end.status, pid: end.pid };
}

function isCommand(event: UnitCommand | UnitFact | HooksFact): event is UnitCommand {
  return /^unit\.(terminate|kill|retire|lead|signal)$/.test(event.type);
}
