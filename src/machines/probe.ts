/**
 * One probe of a service: it tries again and again, and tells its owner, the readiness or the health of the service, what came of
 * each try.
 *
 *     waiting → probing (asking | listening | running → ending) → passed | failed → probing …
 *                                                                   └→ over
 *
 * What is asked (a port, a URL, a file) is asked through the port `check`, and the probe itself watches the time-out. What is told
 * (a line of the log, a newline on a descriptor) is listened for. A command is a unit, as every process of a service is; at its
 * time-out its group gets SIGKILL, and the next try waits until nothing of it is left. A probe of a start is over once it has
 * passed; a probe of health goes on, unless what it waits for happens once in a run.
 *
 * Events that may arrive in either order, and which of them decides:
 * - An answer that comes after the time-out is one to a question that was dropped: the port keeps it to itself.
 * - A command may end while it is being killed: the time-out stands, and has been told.
 * - The owner may end the probe in any state: the port is closed with it, and the command is killed.
 */
import {
  type ActorRef,
  type ActorRefFrom,
  assign,
  enqueueActions,
  fromCallback,
  type Snapshot,
  sendTo,
  setup,
} from 'xstate';
import { killGrace } from '../model/ledger/stops.ts';
import { besideSpec } from '../model/service/beside.ts';
import { describeExit, isNormal } from '../model/service/exit-status.ts';
import {
  happensOnce,
  noProbeState,
  type Probe,
  type ProbeCheck,
  type ProbePurpose,
  type ProbeResult,
  type ProbeState,
} from '../model/service/probe.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import { describeSpawnError } from '../model/service/spawn-error.ts';
import type { UnitFact } from '../model/service/unit-events.ts';
import { describeDuration } from '../model/words/duration.ts';
import { unitMachine } from './unit.ts';

/** What a probe tells its owner after each try. */
export interface ProbeFact {
  readonly type: 'probe.passed' | 'probe.failed';
  readonly serial: number;
  /** The number of the probe in its tree. */
  readonly index: number;
  readonly state: ProbeState;
  readonly at: number;
}

export interface ProbeInput {
  readonly service: ServiceSpec;
  readonly serial: number;
  readonly purpose: ProbePurpose;
  readonly index: number;
  readonly probe: Probe;
  readonly owner: ActorRef<Snapshot<unknown>, ProbeFact>;
  /** Monotonic ms: the start, or the moment in which the service became ready. */
  readonly at: number;
}

/** What the port `check` is asked, of which run. */
export interface CheckRun {
  readonly service: ServiceSpec;
  readonly serial: number;
  readonly check: ProbeCheck;
}

/** The answer of the port `check`. */
export interface CheckFact {
  readonly type: 'check.answered';
  readonly passed: boolean;
  readonly reason: string;
  readonly at: number;
}

interface ProbeContext extends ProbeInput {
  /** Monotonic ms at which the probe began. */
  readonly since: number;
  readonly tries: number;
  readonly state: ProbeState;
  /** What was known before the last try. */
  readonly before: ProbeState;
  readonly unit: ActorRefFrom<typeof unitMachine> | undefined;
}

type ProbeEvent = CheckFact | UnitFact;

/** What a probe asks of its port: one answer, or that the question is dropped. */
export interface CheckRequest {
  readonly type: 'check.ask' | 'check.drop';
}

/**
 * The port that asks, or listens until something happens. The runtime provides it. A probe has one for all of its tries: an actor for
 * each try would cost more than the try.
 */
const check = fromCallback<CheckRequest, CheckRun, CheckFact>(() => {
  throw new Error('internal error: the port check is not provided');
});

/** The state of a probe after one more try. */
export function judged(
  { purpose, probe, state, since }: Pick<ProbeContext, 'purpose' | 'probe' | 'state' | 'since'>,
  result: ProbeResult,
): ProbeState {
  if (result.passed) return { standing: 'passed', failures: 0, last: result };
  const counts = purpose === 'ready' || state.standing !== 'open' || result.at - since >= probe.startPeriod;
  const failures = state.failures + (counts ? 1 : 0);
  const fails = purpose === 'healthy' && failures >= probe.retries;
  return { standing: fails ? 'failed' : state.standing, failures, last: result };
}

/** ms until the next try. */
export function pauseOf({
  purpose,
  probe,
  state,
  since,
  tries,
  at,
}: Pick<ProbeContext, 'purpose' | 'probe' | 'state' | 'since' | 'tries' | 'at'>): number {
  const { check: asked, interval, longest, startPeriod, startInterval } = probe;
  if (asked.kind === 'delay') return asked.time;
  if (tries === 0) return startInterval ?? 0;
  // A probe that listens has listened for its interval.
  if (happensOnce(asked)) return 0;
  const starts = purpose === 'healthy' && state.standing === 'open' && at - since < startPeriod;
  if (starts && startInterval !== undefined) return startInterval;
  return Math.min(longest, interval * 2 ** (tries - 1));
}

/** ms that one try may take. */
function patienceOf({ probe }: Pick<ProbeContext, 'probe'>): number {
  return happensOnce(probe.check) ? probe.interval : probe.timeout;
}

function resultOf(context: ProbeContext, event: ProbeEvent): ProbeResult {
  switch (event.type) {
    case 'check.answered': {
      const { passed, reason, at } = event;
      return { passed, reason, at };
    }
    case 'unit.leaderExited': {
      const { status, said, age, at } = event;
      const output = said === undefined || said === '' ? {} : { output: said };
      return { passed: isNormal(status), reason: `${describeExit(status)} in ${Math.round(age)} ms`, ...output, at };
    }
    case 'unit.spawnFailed':
      return { passed: false, reason: describeSpawnError(event.error), at: event.at };
    default: {
      const patience = patienceOf(context);
      return { passed: false, reason: timeoutReason(context.probe, patience), at: context.at + patience };
    }
  }
}

function timeoutReason({ check: asked }: Probe, patience: number): string {
  const within = `within ${describeDuration(patience)}`;
  switch (asked.kind) {
    case 'command':
      return `no end ${within}`;
    case 'log':
      return `no line matched ${within}`;
    case 'fd':
      return `no newline ${within}`;
    default:
      return `no answer ${within}`;
  }
}

/** The ways to try. Each is a target of its own, because a state in between would cost a step of every try. */
const nextTries = [
  { guard: 'isCommand', target: '#probe.probing.running', actions: ['passPause'] },
  { guard: 'listens', target: '#probe.probing.listening', actions: ['passPause'] },
  { target: '#probe.probing.asking', actions: ['passPause'] },
] as const;

export const probeMachine = setup({
  types: {
    context: {} as ProbeContext,
    events: {} as ProbeEvent,
    input: {} as ProbeInput,
  },
  actors: { check, unit: unitMachine },
  actions: {
    beginCheck: enqueueActions(({ context, enqueue }) => {
      const { kind } = context.probe.check;
      if (kind !== 'command' && kind !== 'delay') enqueue.spawnChild('check', { id: 'check', input: runOf(context) });
    }),
    ask: sendTo('check', { type: 'check.ask' }),
    dropQuestion: sendTo('check', { type: 'check.drop' }),
    /** Records what came of a try; the runtime provides this action. The chart ignores it. */
    note: (): void => undefined,
    passPause: assign(({ context }) => ({ at: context.at + pauseOf(context), tries: context.tries + 1 })),
    passDelay: assign(({ context }) => {
      const at = context.at + pauseOf(context);
      const reason = 'the time has passed';
      return { at, before: context.state, state: judged(context, { passed: true, reason, at }) };
    }),
    record: assign(({ context, event }) => {
      const result = resultOf(context, event);
      return { at: result.at, before: context.state, state: judged(context, result) };
    }),
    tell: enqueueActions(({ context: { serial, index, owner, state, at }, enqueue }) => {
      const type = state.last?.passed === true ? 'probe.passed' : 'probe.failed';
      enqueue.sendTo(owner, { type, serial, index, state, at });
    }),
    spawnUnit: assign(({ context: { service, serial, probe }, self, spawn }) => {
      const argv = probe.check.kind === 'command' ? probe.check.argv : [];
      const command = besideSpec(service, { command: argv.join(' '), argv });
      // What it writes is read through chaperone, whatever the outputs of the service are.
      const said = { ...command, stdout: 'log', stderr: 'stdout' } as const;
      const run = { service: said, serial, beside: { kind: 'probe' } } as const;
      return { unit: spawn('unit', { id: 'unit', input: { run, owner: self } }) };
    }),
    killUnit: enqueueActions(({ context: { unit, at }, enqueue }) => {
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.kill', grace: killGrace, at });
    }),
    dropUnit: enqueueActions(({ context, enqueue }) => {
      if (context.unit !== undefined) enqueue.stopChild(context.unit);
      enqueue.assign({ unit: undefined });
    }),
  },
  guards: {
    isCommand: ({ context }) => context.probe.check.kind === 'command',
    isDelay: ({ context }) => context.probe.check.kind === 'delay',
    listens: ({ context }) => context.purpose === 'ready' && happensOnce(context.probe.check),
    passes: ({ context, event }) => resultOf(context, event).passed,
    leavesNothingAndPasses: ({ context, event }) =>
      event.type === 'unit.leaderExited' && event.left === 0 && resultOf(context, event).passed,
    leavesNothing: ({ event }) => event.type === 'unit.leaderExited' && event.left === 0,
    hasPassed: ({ context }) => context.state.last?.passed === true,
    isOver: ({ context }) => context.purpose === 'ready' || happensOnce(context.probe.check),
  },
  delays: {
    nextTry: ({ context }) => pauseOf(context),
    patience: ({ context }) => patienceOf(context),
  },
}).createMachine({
  id: 'probe',
  context: ({ input }) => ({
    ...input,
    since: input.at,
    tries: 0,
    state: noProbeState,
    before: noProbeState,
    unit: undefined,
  }),
  initial: 'waiting',
  entry: ['beginCheck'],
  on: {
    // The facts of a unit count only in the states that have one, and its spawn counts nowhere.
    'unit.spawned': {},
    'unit.spawnFailed': {},
    'unit.leaderExited': {},
    'unit.cleared': {},
    'unit.survived': {},
    'check.answered': {},
  },
  states: {
    waiting: {
      after: {
        nextTry: [{ guard: 'isDelay', target: 'passed', actions: ['passDelay', 'note', 'tell'] }, ...nextTries],
      },
    },
    probing: {
      initial: 'asking',
      states: {
        asking: {
          entry: ['ask'],
          after: { patience: { target: '#probe.failed', actions: ['dropQuestion', 'record', 'note', 'tell'] } },
          on: {
            'check.answered': [
              { guard: 'passes', target: '#probe.passed', actions: ['record', 'note', 'tell'] },
              { target: '#probe.failed', actions: ['record', 'note', 'tell'] },
            ],
          },
        },
        /** The owner's time limit ends this, if nothing happens. */
        listening: {
          entry: ['ask'],
          on: {
            'check.answered': [{ guard: 'passes', target: '#probe.passed', actions: ['record', 'note', 'tell'] }, {}],
          },
        },
        running: {
          entry: ['spawnUnit'],
          after: { patience: { target: 'ending', actions: ['record', 'note', 'tell'] } },
          on: {
            'unit.spawnFailed': { target: '#probe.failed', actions: ['record', 'note', 'tell', 'dropUnit'] },
            'unit.leaderExited': [
              {
                guard: 'leavesNothingAndPasses',
                target: '#probe.passed',
                actions: ['record', 'note', 'tell', 'dropUnit'],
              },
              { guard: 'leavesNothing', target: '#probe.failed', actions: ['record', 'note', 'tell', 'dropUnit'] },
              // The command has left processes in its group: chaperone kills them before the next try.
              { target: 'ending', actions: ['record', 'note', 'tell'] },
            ],
          },
        },
        /** The group of the command gets SIGKILL; what came of the try has been told. */
        ending: {
          entry: ['killUnit'],
          on: {
            'unit.spawnFailed': { target: 'gone' },
            'unit.leaderExited': [{ guard: 'leavesNothing', target: 'gone' }, {}],
            'unit.cleared': { target: 'gone' },
          },
        },
        gone: {
          entry: ['dropUnit'],
          always: [{ guard: 'hasPassed', target: '#probe.passed' }, { target: '#probe.failed' }],
        },
      },
    },
    passed: {
      always: [{ guard: 'isOver', target: 'over' }],
      after: { nextTry: nextTries },
    },
    failed: { after: { nextTry: nextTries } },
    over: { type: 'final' },
  },
});

function runOf({ service, serial, probe }: ProbeContext): CheckRun {
  return { service, serial, check: probe.check };
}
