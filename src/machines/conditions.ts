/**
 * The machine that asks the conditions of one start: files and variables at once, then commands one by one, as units with
 * the account and the environment of the service.
 *
 *     looking → judging ⇄ asking (→ sweeping) → over
 *        └──────────┴────────┴→ ending → over
 *
 * To its owner it stands in the place of the unit of the run: it takes the same commands, and reports `unit.cleared` once it has
 * ended because it was told to. Else it reports one of `conditions.met`, `conditions.unmet` and `conditions.failed`. The time limit
 * is `process_timeout`.
 *
 * Events that may arrive in either order, and which of them decides:
 * - An answer that comes after a request to end is ignored.
 * - Processes that a command has left get SIGKILL before the next question is asked.
 */
import {
  type ActorRef,
  type ActorRefFrom,
  assertEvent,
  assign,
  type EventObject,
  enqueueActions,
  fromCallback,
  type Snapshot,
  setup,
} from 'xstate';
import { killGrace } from '../model/ledger/stops.ts';
import { besideSpec } from '../model/service/beside.ts';
import {
  type Answers,
  answerOf,
  type Condition,
  type Judgement,
  judge,
  type NoAnswer,
  questionsOf,
} from '../model/service/condition.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { UnitFact } from '../model/service/unit-events.ts';
import { stamped } from './stamped.ts';
import { type UnitCommand, unitMachine } from './unit.ts';

/** `serial`: the number of the start, or of the run, that the conditions are for. */
export type ConditionFact =
  | { readonly type: 'conditions.met'; readonly serial: number; readonly at: number }
  | { readonly type: 'conditions.unmet'; readonly serial: number; readonly why: string; readonly at: number }
  | { readonly type: 'conditions.failed'; readonly serial: number; readonly failure: NoAnswer; readonly at: number };

/** Answers to the questions about files and variables; a command has none yet. */
export interface LookedFact {
  readonly type: 'conditions.looked';
  readonly answers: Answers;
  /** Why they cannot be asked: the environment of the service could not be read. */
  readonly failure?: NoAnswer;
  readonly at: number;
}

export type ConditionsEvent = LookedFact | UnitCommand | UnitFact;

export interface ConditionsInput {
  readonly service: ServiceSpec;
  readonly serial: number;
  readonly owner: ActorRef<Snapshot<unknown>, ConditionFact | UnitFact>;
  readonly at: number;
}

interface ConditionsContext extends ConditionsInput {
  readonly began: number;
  readonly condition: Condition;
  readonly answers: Answers;
  readonly unit: ActorRefFrom<typeof unitMachine> | undefined;
  /** The number of the question that is asked. */
  readonly asked: number;
  /** How often a command was asked; each has a unit of its own. */
  readonly commands: number;
  readonly failure: NoAnswer | undefined;
}

/** The port that looks for files and variables; the runtime provides it. */
const lookup = fromCallback<EventObject, ServiceSpec, LookedFact>(() => {
  throw new Error('internal error: the port lookup is not provided');
});

const when = stamped<ConditionsContext, ConditionsEvent>();

export const conditionsMachine = setup({
  types: {
    context: {} as ConditionsContext,
    events: {} as ConditionsEvent,
    input: {} as ConditionsInput,
  },
  actors: { lookup, unit: unitMachine },
  actions: {
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    recordLook: assign(when('conditions.looked', (_, { answers, failure }) => ({ answers, failure }))),
    askCommand: assign(({ context, self, spawn }) => {
      const { service, serial, condition, commands } = context;
      const judgement = judgementOf(context);
      if (judgement.kind !== 'open') return {};
      const question = questionsOf(condition)[judgement.index];
      if (question?.kind !== 'command') throw new Error(`internal error: ${service.name} asks what was looked up`);
      const beside = { kind: 'helper', role: 'start_if', variables: {} } as const;
      const run = { service: besideSpec(service, question), serial, beside };
      const id = `ask-${commands + 1}`;
      return {
        asked: judgement.index,
        commands: commands + 1,
        unit: spawn('unit', { id, input: { run, owner: self } }),
      };
    }),
    recordAnswer: assign(
      when('unit.leaderExited', ({ answers, asked }, { status }) => {
        const answer = answerOf(status);
        if (answer === undefined) return { failure: { kind: 'exit', status } };
        const next = [...answers];
        next[asked] = answer;
        return { answers: next };
      }),
    ),
    recordSpawnFailure: assign(when('unit.spawnFailed', (_, { error }) => ({ failure: { kind: 'spawn', error } }))),
    recordTimeout: assign(({ context: { at, began, service } }) => {
      const timeout = service.processTimeout;
      return { at: Math.max(at, began + timeout), failure: { kind: 'timeout', timeout } };
    }),
    dropUnit: enqueueActions(({ context: { unit }, enqueue }) => {
      if (unit !== undefined) enqueue.stopChild(unit);
    }),
    sweep: enqueueActions(({ context: { unit, at }, enqueue }) => {
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.kill', grace: killGrace, at });
    }),
    passOn: enqueueActions(({ context: { unit }, event, enqueue }) => {
      assertEvent(event, ['unit.terminate', 'unit.kill']);
      if (unit !== undefined) enqueue.sendTo(unit, event);
    }),
    tellMet: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'conditions.met', serial, at });
    }),
    tellUnmet: enqueueActions(({ context, enqueue }) => {
      const { owner, serial, at } = context;
      const judgement = judgementOf(context);
      const why = judgement.kind === 'unmet' ? judgement.why : '';
      enqueue.sendTo(owner, { type: 'conditions.unmet', serial, why, at });
    }),
    tellFailed: enqueueActions(({ context: { owner, serial, failure, at }, enqueue }) => {
      if (failure !== undefined) enqueue.sendTo(owner, { type: 'conditions.failed', serial, failure, at });
    }),
    tellCleared: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'unit.cleared', serial, at });
    }),
    tellSurvived: enqueueActions(({ context: { owner, serial, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'unit.survived', serial, at });
    }),
  },
  guards: {
    hasFailed: ({ context }) => context.failure !== undefined,
    isMet: ({ context }) => judgementOf(context).kind === 'met',
    isUnmet: ({ context }) => judgementOf(context).kind === 'unmet',
    leavesNothing: ({ event }) => event.type === 'unit.leaderExited' && event.left === 0,
  },
  delays: { timeLeft: ({ context: { began, at, service } }) => Math.max(0, began + service.processTimeout - at) },
}).createMachine({
  id: 'conditions',
  context: ({ input }) => ({
    ...input,
    began: input.at,
    condition: input.service.startIf ?? { kind: 'all', of: [] },
    answers: [],
    unit: undefined,
    asked: 0,
    commands: 0,
    failure: undefined,
  }),
  initial: 'looking',
  on: {
    'unit.signal': {},
    'unit.lead': {},
    // Whoever asks for the start judges the answer.
    'unit.retire': {},
    'conditions.looked': {},
    'unit.spawned': {},
    'unit.spawnFailed': {},
    'unit.leaderExited': {},
    'unit.cleared': {},
    'unit.survived': {},
  },
  states: {
    looking: {
      invoke: { id: 'lookup', src: 'lookup', input: ({ context }) => context.service },
      after: { timeLeft: { target: 'judging', actions: ['recordTimeout'] } },
      on: {
        'conditions.looked': { target: 'judging', actions: ['recordLook'] },
        'unit.terminate': { target: 'over', actions: ['noteTime', 'tellCleared'] },
        'unit.kill': { target: 'over', actions: ['noteTime', 'tellCleared'] },
      },
    },
    judging: {
      always: [
        { guard: 'hasFailed', target: 'over', actions: ['tellFailed'] },
        { guard: 'isMet', target: 'over', actions: ['tellMet'] },
        { guard: 'isUnmet', target: 'over', actions: ['tellUnmet'] },
        { target: 'asking' },
      ],
    },
    asking: {
      entry: ['askCommand'],
      after: { timeLeft: { target: 'sweeping', actions: ['recordTimeout'] } },
      on: {
        'unit.spawned': { actions: ['noteTime'] },
        'unit.spawnFailed': { target: 'judging', actions: ['recordSpawnFailure', 'dropUnit'] },
        'unit.leaderExited': [
          { guard: 'leavesNothing', target: 'judging', actions: ['recordAnswer', 'dropUnit'] },
          { target: 'sweeping', actions: ['recordAnswer'] },
        ],
        'unit.terminate': { target: 'ending', actions: ['noteTime', 'passOn'] },
        'unit.kill': { target: 'ending', actions: ['noteTime', 'passOn'] },
      },
    },
    /** The processes that a command has left, or the command that gave no answer in time, get SIGKILL. */
    sweeping: {
      entry: ['sweep'],
      on: {
        'unit.spawnFailed': { target: 'judging', actions: ['noteTime', 'dropUnit'] },
        'unit.leaderExited': [
          { guard: 'leavesNothing', target: 'judging', actions: ['noteTime', 'dropUnit'] },
          { actions: ['noteTime'] },
        ],
        'unit.cleared': { target: 'judging', actions: ['noteTime', 'dropUnit'] },
        'unit.survived': { target: 'judging', actions: ['noteTime'] },
        'unit.terminate': { target: 'ending', actions: ['noteTime'] },
        'unit.kill': { target: 'ending', actions: ['noteTime', 'passOn'] },
      },
    },
    ending: {
      on: {
        'unit.spawnFailed': { target: 'over', actions: ['noteTime', 'tellCleared'] },
        'unit.leaderExited': [
          { guard: 'leavesNothing', target: 'over', actions: ['noteTime', 'tellCleared'] },
          { actions: ['noteTime'] },
        ],
        'unit.cleared': { target: 'over', actions: ['noteTime', 'tellCleared'] },
        'unit.survived': { actions: ['noteTime', 'tellSurvived'] },
        'unit.terminate': {},
        'unit.kill': { actions: ['noteTime', 'passOn'] },
      },
    },
    over: { type: 'final' },
  },
});

function judgementOf({ condition, answers }: ConditionsContext): Judgement {
  return judge(condition, answers);
}
