/**
 * One instance of a project: a container from its making to its end.
 *
 *     absent → creating → starting → running → ready ⇄ (exited, failed)
 *       ↑                                        ↓
 *       └────────── stopping.removing ← stopping.terminating → exited
 *
 * Who decides what. The platform's chart decides when: it commands (`instance.start`, `stop`, `kill`, `remove`) once the instances
 * that this one waits for are up, or gone. This chart decides how: what has to be asked of the engine, in which order, and what an
 * answer means. Each command is answered by one report, `step.done` or `step.failed`. What is wanted (`goal`) is data, what is there is
 * the state:
 *
 *     absent     there is no container
 *     creating   the engine was asked to make one
 *     starting   the engine was asked to start it
 *     running    it runs, and those that wait for it wait until it is ready: as Chaperone inside says (`asking`), as the engine's
 *                health check says (`awaitingHealth`), or at once (`wait: started`)
 *     ready      it is up. In `pausing` those that wait for it wait for its `sleep`, too
 *     stopping   `terminating`: the engine was asked to stop it; `removing`: to remove it; `killing`: to send it a signal, which is sent
 *                in `signalled`: the container may end of it or not
 *     exited     it was stopped, or has ended with 0
 *     failed     a request was refused, or it has ended with another status, or it did not become ready; its container may be there,
 *                and may even run
 *
 * Requests are invoked actors, and their states are left only with an answer: what was asked of the engine happens, whether somebody
 * waits for it or not. A command that comes meanwhile changes the goal, which is looked at when the answer is there.
 *
 * Facts of the engine's events may be late, may come twice, and may be about an earlier run or an earlier container. A container's id
 * tells the containers apart, and the engine's own times its runs: an exit from before the start counts for nothing.
 * A start is followed by a look at the container, so that both times are the engine's.
 *
 * - An exit that arrives before the start's own answer is kept until that answer tells whether it belongs to this run.
 * - After the stream of events was lost, each container is looked at (`container.seen`, `container.missing`): an exit that nobody has
 *   told is found there.
 * - A container that has exited with 0 before it was ready counts as done: it was there to do one thing.
 * - One that fails while it is ready stays failed: the engine's own restart policy, or a person, starts it again.
 * - A container that somebody else starts again is followed like any other.
 *
 * Every state answers every event.
 */
import { type ActorRef, assign, enqueueActions, fromPromise, type Snapshot, setup } from 'xstate';
import type { EngineFailure, Health } from '../engine/engine.ts';
import type { InstanceKey, InstanceSpec, Manner } from '../model/instance.ts';
import type {
  AskAnswer,
  AskRequest,
  CreateAnswer,
  CreateRequest,
  InstanceEvent,
  InstanceReport,
  KillRequest,
  PlainAnswer,
  RemoveRequest,
  Seen,
  StartAnswer,
  StartRequest,
  StopAnswer,
  StopRequest,
} from './instance-events.ts';

export interface InstanceInput {
  readonly key: InstanceKey;
  /** The specification; absent where the instance is only started as it is, stopped or removed. */
  readonly spec?: InstanceSpec;
  /** When others count the instance as up, for an instance without a specification. */
  readonly manner?: Manner;
  /** The container of the instance that exists already. */
  readonly found?: Seen;
  /** True where the instance is known to be ready. */
  readonly settled?: boolean;
  readonly platform: ActorRef<Snapshot<unknown>, InstanceReport>;
  /** ms until a container that runs has to be ready. */
  readonly readyTimeout: number;
}

/** The end of a run. */
interface End {
  readonly at: number;
  readonly exitCode: number;
  readonly outOfMemory: boolean;
}

export interface InstanceContext extends InstanceInput {
  readonly goal: 'up' | 'down' | 'gone';
  /** True: a command waits for its report. */
  readonly owes: boolean;
  /** True where the present container has to be removed before another is made. */
  readonly anew: boolean;
  /** Why the container is made anew. */
  readonly reasons: readonly string[];
  readonly waitedFor: InstanceKey | undefined;
  readonly stopTimeout: number | undefined;
  readonly signal: string;
  readonly id: string | undefined;
  /** When the run began, on the engine's clock. */
  readonly startedAt: number | undefined;
  readonly address: string | undefined;
  readonly health: Health;
  readonly end: End | undefined;
  /** Why the instance has failed. */
  readonly cause: string | undefined;
}

const unprovided = (name: string) => (): Promise<never> => {
  throw new Error(`internal error: the actor ${name} is not provided`);
};

/** The engine's own message, as one line. */
export function describeFailure({ message }: EngineFailure): string {
  return message.trim().replace(/\s*\n\s*/g, '; ');
}

/** `exit 1`, `exit 137, out of memory`. */
export function describeEnd({ exitCode, outOfMemory }: Omit<End, 'at'>): string {
  return `exit ${exitCode}${outOfMemory ? ', out of memory' : ''}`;
}

const instanceSetup = setup({
  types: { context: {} as InstanceContext, events: {} as InstanceEvent, input: {} as InstanceInput },
  actors: {
    createContainer: fromPromise<CreateAnswer, CreateRequest>(unprovided('createContainer')),
    startContainer: fromPromise<StartAnswer, StartRequest>(unprovided('startContainer')),
    askChaperone: fromPromise<AskAnswer, AskRequest>(unprovided('askChaperone')),
    stopContainer: fromPromise<StopAnswer, StopRequest>(unprovided('stopContainer')),
    killContainer: fromPromise<PlainAnswer, KillRequest>(unprovided('killContainer')),
    removeContainer: fromPromise<PlainAnswer, RemoveRequest>(unprovided('removeContainer')),
  },
  actions: {
    /** Reports a stage; the edge makes a fact of it. */
    enter: (_, _params: { readonly stage: string }) => {},
    want: assign(({ context, event }) => {
      switch (event.type) {
        case 'instance.start':
          return {
            goal: 'up' as const,
            owes: true,
            anew: event.anew,
            reasons: event.reasons,
            waitedFor: event.waitedFor,
            cause: undefined,
          };
        case 'instance.stop':
          return { goal: 'down' as const, owes: true, stopTimeout: event.timeout, waitedFor: event.waitedFor };
        case 'instance.remove':
          return { goal: 'gone' as const, owes: true, waitedFor: event.waitedFor };
        case 'instance.kill':
          return { goal: 'down' as const, owes: true, signal: event.signal, waitedFor: event.waitedFor };
        default:
          return { goal: context.goal };
      }
    }),
    done: enqueueActions(({ context: { owes, platform, key }, enqueue }) => {
      if (!owes) return;
      enqueue.assign({ owes: false });
      enqueue.sendTo(platform, { type: 'step.done', key });
    }),
    fail: enqueueActions(({ context: { owes, goal, platform, key, cause = '' }, enqueue }) => {
      if (!owes && goal === 'up') enqueue.sendTo(platform, { type: 'step.fell', key, cause });
      if (!owes) return;
      enqueue.assign({ owes: false });
      enqueue.sendTo(platform, { type: 'step.failed', key, cause });
    }),
    blame: assign((_, { cause }: { readonly cause: string }) => ({ cause })),
    noteCreated: assign((_, { id }: { readonly id: string }) => ({
      id,
      startedAt: undefined,
      address: undefined,
      health: 'none' as const,
      end: undefined,
      anew: false,
    })),
    noteSeen: assign(({ context }, seen: Seen) => ({
      id: seen.id,
      health: seen.health,
      startedAt: seen.startedAt ?? context.startedAt,
      address: seen.address ?? context.address,
      ...endSeen(seen),
    })),
    noteStopped: assign(({ context }, { at, exitCode }: { readonly at: number; readonly exitCode: number }) => ({
      end: context.end ?? { at, exitCode, outOfMemory: false },
    })),
    noteExit: assign(({ context, event }) => {
      if (event.type !== 'container.exited') return { end: context.end };
      const { at, exitCode, outOfMemory } = event;
      return { end: { at, exitCode, outOfMemory } };
    }),
    noteHealth: assign(({ context, event }) => ({
      health: event.type === 'container.health' ? event.health : context.health,
    })),
    noteStart: assign(({ context, event }) => {
      if (event.type !== 'container.started') return { startedAt: context.startedAt };
      return { startedAt: event.at, end: undefined, cause: undefined };
    }),
    forgetRun: assign({ startedAt: undefined, address: undefined, end: undefined, health: 'none' as const }),
    forgetContainer: assign({ id: undefined, startedAt: undefined, address: undefined, end: undefined, anew: false }),
    makeAnew: assign((_, { reasons }: { readonly reasons: readonly string[] }) => ({ anew: true, reasons })),
  },
  guards: {
    wants: ({ context }, { goal }: { readonly goal: InstanceContext['goal'] }) => context.goal === goal,
    hasContainer: ({ context }) => context.id !== undefined,
    hasNoContainer: ({ context }) => context.id === undefined,
    isLive: ({ context }) => isLive(context),
    isSettled: ({ context }) => context.settled === true && isLive(context),
    isAnother: ({ context, event }) => 'id' in event && event.id !== context.id,
    /** The exit is of an earlier run. */
    isStale: ({ context, event }) =>
      event.type === 'container.exited' &&
      (event.id !== context.id || (context.startedAt !== undefined && event.at < context.startedAt)),
    isOldStart: ({ context: { id, startedAt, end }, event }) =>
      event.type === 'container.started' &&
      (event.id !== id || (end !== undefined ? event.at <= end.at : event.at <= (startedAt ?? 0))),
    /** A run that ended is over whatever is seen later of it. */
    seesNothingNew: ({ context, event }) => event.type === 'container.seen' && seesNothingNew(context, event.seen),
    seesEnd: ({ context, event }) => event.type === 'container.seen' && seesEnd(context, event.seen),
    seesRun: ({ event }) => event.type === 'container.seen' && runs(event.seen),
    seesUnhealthy: ({ event }) => event.type === 'container.seen' && event.seen.health === 'unhealthy',
    isUnhealthy: ({ event }) => event.type === 'container.health' && event.health === 'unhealthy',
    endedInThisRun: ({ context: { end, startedAt } }) => end !== undefined && end.at >= (startedAt ?? 0),
    endedWell: ({ context: { end } }) => end?.exitCode === 0,
    waitsFor: ({ context }, { wait }: { readonly wait: InstanceSpec['wait'] }) => waitOf(context) === wait,
    hasHealth: ({ context }) => context.health !== 'none',
    isHealthy: ({ context }) => context.health === 'healthy',
    isSick: ({ context }) => context.health === 'unhealthy',
    hasSpec: ({ context }) => context.spec !== undefined,
    mustEndFirst: ({ context, event }) => event.type === 'instance.start' && event.anew && isLive(context),
    mayBeMade: ({ context }) => context.goal === 'up' && context.spec !== undefined,
    mustGo: ({ context }) => context.anew && context.id !== undefined,
  },
  delays: {
    readyTimeout: ({ context }) => context.readyTimeout,
    sleep: ({ context: { spec, manner } }) => (spec ?? manner)?.sleep ?? 0,
  },
});

function runs({ status }: Pick<Seen, 'status'>): boolean {
  return status === 'running' || status === 'paused' || status === 'restarting' || status === 'stopping';
}

function isLive({ id, startedAt, end }: Pick<InstanceContext, 'id' | 'startedAt' | 'end'>): boolean {
  return id !== undefined && startedAt !== undefined && (end === undefined || end.at < startedAt);
}

function endSeen(seen: Seen): { readonly end: End | undefined } {
  const { exitCode, outOfMemory, finishedAt } = seen;
  return { end: runs(seen) || seen.status === 'created' ? undefined : { at: finishedAt ?? 0, exitCode, outOfMemory } };
}

/** A look may be older than what was told since: times decide. */
function seesNothingNew({ id, startedAt, end }: InstanceContext, seen: Seen): boolean {
  if (seen.id !== id) return true;
  const began = seen.startedAt ?? 0;
  if (began < (startedAt ?? 0)) return true;
  return runs(seen) && end !== undefined && end.at >= began;
}

function seesEnd({ id, startedAt }: InstanceContext, seen: Seen): boolean {
  return seen.id === id && !runs(seen) && (seen.finishedAt ?? Number.POSITIVE_INFINITY) >= (startedAt ?? 0);
}

const enter = <T extends string>(stage: T) => ({ type: 'enter', params: { stage } }) as const;
const blame = (cause: string) => ({ type: 'blame', params: { cause } }) as const;
const wants = (goal: InstanceContext['goal']) => ({ type: 'wants', params: { goal } }) as const;

const goneMeanwhile = blame('its container was removed by somebody else');

/** Facts that change nothing while the instance has no running container. */
const factsAtRest = {
  'container.exited': {},
  'container.health': {},
  'engine.gone': {},
} as const;

/** Commands while a request is under way: the answer looks at what is wanted then. */
const laterCommands = {
  'instance.start': { actions: ['want'] },
  'instance.stop': { actions: ['want'] },
  'instance.remove': { actions: ['want'] },
} as const;

/** The facts that end a run which no command has asked to end. */
const ends = {
  'container.exited': [{ guard: 'isStale' }, { target: '#instance.ended', actions: ['noteExit'] }],
  'container.removed': [
    { guard: 'isAnother' },
    { target: '#instance.failed', actions: ['forgetContainer', goneMeanwhile] },
  ],
  'container.missing': { target: '#instance.failed', actions: ['forgetContainer', goneMeanwhile] },
} as const;

const failedOf = ({ event }: { readonly event: { readonly output: { readonly kind: string } } }): boolean =>
  event.output.kind === 'failed';

/** The cause of an answer that is a failure. */
function causeOf(output: { readonly kind: string; readonly failure?: EngineFailure; readonly cause?: string }): {
  readonly cause: string;
} {
  if (output.failure !== undefined) return { cause: describeFailure(output.failure) };
  return { cause: output.cause ?? '' };
}

/** The engine refuses a request: the instance has failed, and the answer says why. */
const refused = {
  guard: failedOf,
  target: '#instance.failed',
  actions: [
    {
      type: 'blame',
      params: ({ event }: { readonly event: { readonly output: Parameters<typeof causeOf>[0] } }) =>
        causeOf(event.output),
    },
  ],
} as const;

/** An actor of a request has thrown: that is a mistake of this program. */
const broken = {
  target: '#instance.failed',
  actions: [{ type: 'blame', params: ({ event }: { event: { error: unknown } }) => ({ cause: String(event.error) }) }],
} as const;

export const instanceMachine = instanceSetup.createMachine({
  id: 'instance',
  context: ({ input }) => ({
    ...input,
    goal: 'up',
    owes: false,
    anew: false,
    reasons: [],
    waitedFor: undefined,
    stopTimeout: undefined,
    signal: 'SIGKILL',
    id: input.found?.id,
    startedAt: input.found?.startedAt,
    address: input.found?.address,
    health: input.found?.health ?? 'none',
    cause: undefined,
    end: input.found === undefined ? undefined : endSeen(input.found).end,
  }),
  initial: 'found',
  states: {
    /** A transient state: the chart begins where the container is. */
    found: {
      always: [
        { guard: 'hasNoContainer', target: 'absent' },
        { guard: 'isSettled', target: 'ready' },
        { guard: 'isLive', target: 'running' },
        { target: 'exited' },
      ],
      tags: ['transient'],
    },

    absent: {
      entry: [enter('absent'), 'done'],
      on: {
        ...factsAtRest,
        'container.started': {},
        'container.removed': {},
        'container.missing': {},
        'container.seen': [
          { guard: 'seesRun', target: 'running', actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
          { target: 'exited', actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
        ],
        'instance.start': [
          { guard: 'hasSpec', target: 'creating', actions: ['want'] },
          { target: 'failed', actions: ['want', blame('internal error: it has no specification')] },
        ],
        'instance.stop': { actions: ['want', 'done'] },
        'instance.remove': { actions: ['want', 'done'] },
        'instance.kill': { actions: ['want', 'done'] },
      },
    },

    creating: {
      entry: [enter('creating')],
      invoke: {
        id: 'create',
        src: 'createContainer',
        input: ({ context }) => ({ spec: specOf(context) }),
        onDone: [
          refused,
          {
            guard: wants('up'),
            target: 'starting',
            actions: [{ type: 'noteCreated', params: ({ event }) => created(event.output) }],
          },
          {
            guard: wants('gone'),
            target: 'stopping.removing',
            actions: [{ type: 'noteCreated', params: ({ event }) => created(event.output) }],
          },
          { target: 'exited', actions: [{ type: 'noteCreated', params: ({ event }) => created(event.output) }] },
        ],
        onError: broken,
      },
      on: {
        ...factsAtRest,
        ...laterCommands,
        'instance.kill': { actions: ['want'] },
        'container.started': {},
        'container.removed': {},
        'container.seen': {},
        'container.missing': {},
      },
    },

    starting: {
      entry: [enter('starting'), 'forgetRun'],
      invoke: {
        id: 'start',
        src: 'startContainer',
        input: ({ context }) => ({ id: idOf(context), spec: context.spec }),
        onDone: [
          refused,
          {
            guard: ({ event }) => event.output.kind === 'outdated',
            target: 'stopping.removing',
            actions: [{ type: 'makeAnew', params: ({ event }) => outdated(event.output) }],
          },
          {
            target: 'started',
            actions: [{ type: 'noteSeen', params: ({ context, event }) => begun(context, event.output) }],
          },
        ],
        onError: broken,
      },
      on: {
        ...laterCommands,
        'instance.kill': { actions: ['want'] },
        'container.exited': [{ guard: 'isAnother' }, { actions: ['noteExit'] }],
        'container.health': [{ guard: 'isAnother' }, { actions: ['noteHealth'] }],
        'container.started': {},
        'container.removed': {},
        'container.seen': {},
        'container.missing': {},
        'engine.gone': {},
      },
    },

    /** A transient state: the engine has started the container, and it may have ended since, or may not be wanted any more. */
    started: {
      tags: ['transient'],
      always: [
        { guard: 'endedInThisRun', target: 'ended' },
        { guard: wants('up'), target: 'running' },
        { target: 'stopping.terminating' },
      ],
    },

    running: {
      initial: 'deciding',
      after: {
        readyTimeout: {
          target: 'failed',
          actions: [{ type: 'blame', params: ({ context }) => ({ cause: notReady(context) }) }],
        },
      },
      on: {
        ...ends,
        'container.health': [{ guard: 'isAnother' }, { actions: ['noteHealth'] }],
        'container.started': [{ guard: 'isOldStart' }, { target: '.deciding', actions: ['noteStart'] }],
        'container.seen': [
          { guard: 'seesNothingNew' },
          { guard: 'seesEnd', target: 'ended', actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
          { actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
        ],
        'engine.gone': {
          target: 'failed',
          actions: [{ type: 'blame', params: ({ event }) => ({ cause: event.why }) }],
        },
        'instance.start': [
          { guard: ({ event }) => event.anew, target: 'stopping.terminating', actions: ['want'] },
          { actions: ['want'] },
        ],
        'instance.stop': { target: 'stopping.terminating', actions: ['want'] },
        'instance.remove': { target: 'stopping.terminating', actions: ['want'] },
        'instance.kill': { target: 'stopping.killing', actions: ['want'] },
      },
      states: {
        deciding: {
          tags: ['transient'],
          always: [
            {
              guard: { type: 'waitsFor', params: { wait: 'started' } },
              target: '#instance.ready',
              actions: [enter('running')],
            },
            { guard: { type: 'waitsFor', params: { wait: 'healthy' } }, target: 'awaitingHealth' },
            { target: 'asking' },
          ],
        },
        asking: {
          entry: [enter('running.asking')],
          invoke: {
            id: 'ask',
            src: 'askChaperone',
            input: ({ context }) => ({ id: idOf(context), key: context.key, wait: waitOf(context) }),
            onDone: [
              refused,
              { guard: ({ event }) => event.output.kind === 'ready', target: '#instance.ready' },
              {
                guard: { type: 'waitsFor', params: { wait: 'ready' } },
                target: '#instance.failed',
                actions: [blame('there is no Chaperone inside that could say that it is ready')],
              },
              { guard: 'hasHealth', target: 'awaitingHealth' },
              { target: '#instance.ready' },
            ],
            onError: broken,
          },
        },
        awaitingHealth: {
          entry: [enter('running.awaitingHealth')],
          always: [
            { guard: 'isHealthy', target: '#instance.ready' },
            {
              guard: 'isSick',
              target: '#instance.failed',
              actions: [blame('its health check says that it is unhealthy')],
            },
          ],
        },
      },
    },

    ready: {
      initial: 'pausing',
      on: {
        ...ends,
        'container.health': [{ guard: 'isAnother' }, { actions: ['noteHealth'] }],
        'container.started': [{ guard: 'isOldStart' }, { target: 'running', actions: ['noteStart'] }],
        'container.seen': [
          { guard: 'seesNothingNew' },
          { guard: 'seesEnd', target: 'ended', actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
          { actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
        ],
        'engine.gone': {},
        'instance.stop': { target: 'stopping.terminating', actions: ['want'] },
        'instance.remove': { target: 'stopping.terminating', actions: ['want'] },
        'instance.kill': { target: 'stopping.killing', actions: ['want'] },
      },
      states: {
        pausing: {
          entry: [enter('ready')],
          after: { sleep: 'settled' },
          on: {
            'instance.start': [
              { guard: ({ event }) => event.anew, target: '#instance.stopping.terminating', actions: ['want'] },
              { actions: ['want'] },
            ],
          },
        },
        settled: {
          entry: ['done'],
          on: {
            'instance.start': [
              { guard: ({ event }) => event.anew, target: '#instance.stopping.terminating', actions: ['want'] },
              { actions: ['want', 'done'] },
            ],
          },
        },
      },
    },

    /** A transient state: a run has ended that nobody had asked to end. */
    ended: {
      tags: ['transient'],
      always: [
        { guard: wants('gone'), target: 'stopping.removing' },
        { guard: wants('down'), target: 'exited' },
        { guard: 'endedWell', target: 'exited' },
        {
          target: 'failed',
          actions: [
            {
              type: 'blame',
              params: ({ context }) => ({ cause: context.end === undefined ? '' : describeEnd(context.end) }),
            },
          ],
        },
      ],
    },

    stopping: {
      initial: 'terminating',
      on: {
        ...laterCommands,
        'container.exited': [{ guard: 'isStale' }, { actions: ['noteExit'] }],
        'container.health': [{ guard: 'isAnother' }, { actions: ['noteHealth'] }],
        'container.started': {},
        'container.removed': {},
        'container.seen': {},
        'container.missing': {},
        'engine.gone': {},
        'instance.kill': { actions: ['want'] },
      },
      states: {
        terminating: {
          entry: [enter('stopping.terminating')],
          invoke: {
            id: 'stop',
            src: 'stopContainer',
            input: ({ context }) => ({ id: idOf(context), timeout: context.stopTimeout }),
            onDone: [
              { guard: isAbsent, target: 'removed' },
              refused,
              { target: 'stopped', actions: [{ type: 'noteStopped', params: ({ event }) => stopped(event.output) }] },
            ],
            onError: broken,
          },
        },

        /** A signal may end the container or not: a look tells which. */
        killing: {
          entry: [enter('stopping.killing')],
          invoke: {
            id: 'kill',
            src: 'killContainer',
            input: ({ context }) => ({ id: idOf(context), signal: context.signal }),
            onDone: [
              { guard: isAbsent, target: 'removed' },
              refused,
              { guard: 'endedInThisRun', target: 'stopped' },
              { guard: wants('down'), target: 'signalled', actions: ['done'] },
              { target: 'terminating' },
            ],
            onError: broken,
          },
        },

        /** A signal was sent that need not end the container. It counts as up, until its exit is told. */
        signalled: {
          entry: [enter('stopping.signalled')],
          on: {
            'container.exited': [{ guard: 'isStale' }, { target: '#instance.ended', actions: ['noteExit'] }],
            'container.removed': [{ guard: 'isAnother' }, { target: '#instance.absent', actions: ['forgetContainer'] }],
            'container.missing': { target: '#instance.absent', actions: ['forgetContainer'] },
            'container.health': [{ guard: 'isAnother' }, { actions: ['noteHealth'] }],
            'container.started': [{ guard: 'isOldStart' }, { target: '#instance.running', actions: ['noteStart'] }],
            'container.seen': [
              { guard: 'seesNothingNew' },
              {
                guard: 'seesEnd',
                target: '#instance.ended',
                actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }],
              },
              { actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
            ],
            'engine.gone': {},
            'instance.start': [
              { guard: ({ event }) => event.anew, target: 'terminating', actions: ['want'] },
              { target: '#instance.running', actions: ['want'] },
            ],
            'instance.stop': { target: 'terminating', actions: ['want'] },
            'instance.remove': { target: 'terminating', actions: ['want'] },
            'instance.kill': { target: 'killing', actions: ['want'] },
          },
        },

        /** A transient state: the container does not run. */
        stopped: {
          tags: ['transient'],
          always: [
            { guard: wants('gone'), target: 'removing' },
            { guard: wants('down'), target: '#instance.exited' },
            { guard: 'mustGo', target: 'removing' },
            { target: '#instance.starting' },
          ],
        },

        removing: {
          entry: [enter('stopping.removing')],
          invoke: {
            id: 'remove',
            src: 'removeContainer',
            input: ({ context }) => ({ id: idOf(context), key: context.key }),
            onDone: [{ guard: isAbsent, target: 'removed' }, refused, { target: 'removed' }],
            onError: broken,
          },
        },

        /** A transient state: there is no container any more. */
        removed: {
          tags: ['transient'],
          entry: ['forgetContainer'],
          always: [{ guard: 'mayBeMade', target: '#instance.creating' }, { target: '#instance.absent' }],
        },
      },
    },

    exited: {
      entry: [enter('exited'), 'done'],
      on: {
        ...factsAtRest,
        'container.started': [{ guard: 'isOldStart' }, { target: 'running', actions: ['noteStart'] }],
        'container.removed': [{ guard: 'isAnother' }, { target: 'absent', actions: ['forgetContainer'] }],
        'container.missing': { target: 'absent', actions: ['forgetContainer'] },
        'container.seen': [
          { guard: 'seesNothingNew' },
          {
            guard: 'seesRun',
            target: 'running',
            actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }],
          },
          {},
        ],
        'instance.start': [
          { guard: ({ event }) => event.anew, target: 'stopping.removing', actions: ['want'] },
          { target: 'starting', actions: ['want'] },
        ],
        'instance.stop': { actions: ['want', 'done'] },
        'instance.kill': { actions: ['want', 'done'] },
        'instance.remove': { target: 'stopping.removing', actions: ['want'] },
      },
    },

    failed: {
      entry: [enter('failed'), 'fail'],
      on: {
        'container.exited': [{ guard: 'isStale' }, { actions: ['noteExit'] }],
        'container.health': [{ guard: 'isAnother' }, { actions: ['noteHealth'] }],
        'engine.gone': {},
        'container.started': [{ guard: 'isOldStart' }, { target: 'running', actions: ['noteStart'] }],
        'container.removed': [{ guard: 'isAnother' }, { actions: ['forgetContainer'] }],
        'container.missing': { actions: ['forgetContainer'] },
        'container.seen': [
          { guard: 'seesNothingNew' },
          { actions: [{ type: 'noteSeen', params: ({ event }) => event.seen }] },
        ],
        'instance.start': [
          { guard: 'mustEndFirst', target: 'stopping.terminating', actions: ['want'] },
          // It runs, and may be ready by now.
          { guard: 'isLive', target: 'running', actions: ['want'] },
          {
            guard: ({ event, context }) => event.anew && context.id !== undefined,
            target: 'stopping.removing',
            actions: ['want'],
          },
          { guard: 'hasContainer', target: 'starting', actions: ['want'] },
          { guard: 'hasSpec', target: 'creating', actions: ['want'] },
          { actions: ['want', blame('internal error: it has no specification'), 'fail'] },
        ],
        'instance.stop': [
          { guard: 'isLive', target: 'stopping.terminating', actions: ['want'] },
          { guard: 'hasContainer', target: 'exited', actions: ['want'] },
          { target: 'absent', actions: ['want'] },
        ],
        'instance.kill': [
          { guard: 'isLive', target: 'stopping.killing', actions: ['want'] },
          { guard: 'hasContainer', target: 'exited', actions: ['want'] },
          { target: 'absent', actions: ['want'] },
        ],
        'instance.remove': [
          { guard: 'isLive', target: 'stopping.terminating', actions: ['want'] },
          { guard: 'hasContainer', target: 'stopping.removing', actions: ['want'] },
          { target: 'absent', actions: ['want'] },
        ],
      },
    },
  },
});

function isAbsent({ event }: { readonly event: { readonly output: StopAnswer | PlainAnswer } }): boolean {
  return event.output.kind === 'failed' && event.output.failure.kind === 'absent';
}

function waitOf({ spec, manner }: Pick<InstanceContext, 'spec' | 'manner'>): InstanceSpec['wait'] {
  return (spec ?? manner)?.wait ?? 'best';
}

function specOf({ spec, key }: InstanceContext): InstanceSpec {
  if (spec === undefined) throw new Error(`internal error: ${key} has no specification`);
  return spec;
}

function idOf({ id, key }: InstanceContext): string {
  if (id === undefined) throw new Error(`internal error: ${key} has no container`);
  return id;
}

function created(output: CreateAnswer): { readonly id: string } {
  return { id: output.kind === 'created' ? output.id : '' };
}

function outdated(output: StartAnswer): { readonly reasons: readonly string[] } {
  const aliases = output.kind === 'outdated' ? output.aliases : [];
  return { reasons: aliases.map((alias) => `link ${alias} has another address`) };
}

/** The container as the look after a start has seen it. An end of this run that the engine has told before is kept. */
function begun({ end }: InstanceContext, output: StartAnswer): Seen {
  const none: Seen = { id: '', status: 'dead', exitCode: 0, outOfMemory: false, health: 'none' };
  const seen = output.kind === 'started' ? output.seen : none;
  if (end === undefined || end.at < (seen.startedAt ?? 0) || !runs(seen)) return seen;
  return { ...seen, status: 'exited', finishedAt: end.at, exitCode: end.exitCode, outOfMemory: end.outOfMemory };
}

function stopped(output: StopAnswer): { readonly at: number; readonly exitCode: number } {
  return output.kind === 'stopped' ? output : { at: 0, exitCode: 0 };
}

function notReady(context: InstanceContext): string {
  const { readyTimeout, health } = context;
  const whom =
    waitOf(context) === 'healthy' || health === 'starting' ? 'its health check has not passed' : 'it was not ready';
  return `${whom} within ${Math.round(readyTimeout / 100) / 10} s`;
}
