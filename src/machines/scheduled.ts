/**
 * One activation of a cron or inetd service: what starts its runs, and the runs themselves.
 *
 *     open: arming → active ⇄ full        then retired or closing
 *     open: arming → refused
 *     retired                             nothing starts any more, what runs may run
 *     closing: terminating → killing      then closed
 *
 * The service owns one of these where other types own a process, and wants the same of it: that it is there, or that it ends
 * (`process.terminate`, `process.kill`). Its runs are processes like any other, keyed by their serial; how one of them ends
 * is told and changes nothing for the next.
 *
 * What starts a run is the `trigger`, a port that lives exactly as long as `open`: to leave `open` is to unschedule, or to
 * close the port. The types differ in the trigger that the runtime provides (a schedule, or a listener), and in what `full`
 * means: a cron service has one run at a time, and a tick while it goes on is skipped; an inetd service has
 * `max_connections`, and the clients after that wait in the backlog.
 *
 * What may cross on the way, and who wins:
 * - A client that was taken in the moment in which the service became full is served: it has been promised a handler.
 * - One that was taken in the moment in which the service ends is not: the trigger's end closes the connection.
 * - An end that comes before the trigger is armed wins; the owner hears `schedule.ended`.
 * - A run that is still being spawned when all are told to end is told, too (the process machine keeps the wish).
 * - A reset ends the runs and keeps the trigger; clients that wait are served as soon as there is room.
 * - Only without runs does it leave `closing`: a final state with a live process does not exist.
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
import { isNormal } from '../model/exit-status.ts';
import type { ProcessFact } from '../model/process-events.ts';
import {
  mostRuns,
  type RunCounts,
  type ScheduleFact,
  type ScheduleNews,
  type TriggerCommand,
  type TriggerFact,
} from '../model/scheduling.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import { type ProcessCommand, processMachine } from './process.ts';

export type ScheduleCommand =
  | ProcessCommand
  /** Ends the runs and keeps the schedule. */
  | (Omit<Extract<ProcessCommand, { type: 'process.terminate' }>, 'type'> & { readonly type: 'schedule.reset' })
  /** Nothing starts any more. */
  | { readonly type: 'schedule.retire' }
  /** The definition that later runs have; what starts them is the same. */
  | { readonly type: 'schedule.reconfigure'; readonly service: ServiceSpec };

export type ScheduledEvent = ScheduleCommand | TriggerFact | ProcessFact;

/** What a scheduled service tells the system machine beside its changes. */
export interface ServiceNoticed {
  readonly type: 'service.noticed';
  readonly name: string;
  readonly news: ScheduleNews;
  readonly at: number;
}

export interface ScheduledInput {
  readonly service: ServiceSpec;
  /** That of the service's start. */
  readonly serial: number;
  readonly owner: ActorRef<Snapshot<unknown>, ScheduleFact>;
  readonly system: ActorRef<Snapshot<unknown>, ServiceNoticed>;
}

interface Run {
  readonly ref: ActorRefFrom<typeof processMachine>;
  /** 0 until it is spawned. */
  readonly pid: number;
  /** It was told to end by a reset: how it does is no news. */
  readonly reset: boolean;
}

interface ScheduledContext extends ScheduledInput {
  /** The live runs, by their serial. */
  readonly runs: Readonly<Record<number, Run>>;
  /** Runs that were begun. */
  readonly begun: number;
  readonly terminate: Extract<ProcessCommand, { type: 'process.terminate' }> | undefined;
  /** Monotonic ms of the last fact. */
  readonly at: number;
}

/** The port that starts the runs: a schedule or a listener, by the type of the service. The runtime provides it. */
const trigger = fromCallback<TriggerCommand, ServiceSpec, TriggerFact>(() => {
  throw new Error('internal error: the port trigger is not provided');
});

export const scheduledMachine = setup({
  types: {
    context: {} as ScheduledContext,
    events: {} as ScheduledEvent,
    input: {} as ScheduledInput,
  },
  actors: { trigger, process: processMachine },
  actions: {
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    tellAccepted: sendTo(
      ({ context }) => context.owner,
      ({ context }) => ({ type: 'schedule.accepted' as const, serial: context.serial, at: context.at }),
    ),
    tellRefused: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'trigger.refused') return;
      const { cause, at } = event;
      enqueue.sendTo(context.owner, { type: 'schedule.refused', serial: context.serial, cause, at });
    }),
    tellEnded: sendTo(
      ({ context }) => context.owner,
      ({ context }) => ({ type: 'schedule.ended' as const, serial: context.serial, at: context.at }),
    ),
    startRun: assign(({ context, event, self, spawn }) => {
      const serial = context.begun + 1;
      const connection =
        event.type === 'trigger.fired' && event.connection !== undefined ? { connection: event.connection } : {};
      const ref = spawn('process', {
        id: `run-${serial}`,
        input: { run: { service: context.service, serial, ...connection }, owner: self },
      });
      return { begun: serial, runs: { ...context.runs, [serial]: { ref, pid: 0, reset: false } } };
    }),
    recordPid: assign({
      runs: ({ context, event }) => {
        const run = event.type === 'process.spawned' ? context.runs[event.serial] : undefined;
        if (event.type !== 'process.spawned' || run === undefined) return context.runs;
        return { ...context.runs, [event.serial]: { ...run, pid: event.pid } };
      },
    }),
    endRun: enqueueActions(({ context, event, enqueue }) => {
      if (event.type !== 'process.exited' && event.type !== 'process.spawnFailed') return;
      const { [event.serial]: run, ...others } = context.runs;
      if (run === undefined) return;
      enqueue.stopChild(run.ref);
      enqueue.assign({ runs: others });
    }),
    tellRunEnd: enqueueActions(({ context, event, enqueue }) => {
      const news = runNews(context, event);
      if (news !== undefined) enqueue.sendTo(context.system, noticed(context, news));
    }),
    tellSkipped: sendTo(
      ({ context }) => context.system,
      ({ context }) => noticed(context, { kind: 'skipped' }),
    ),
    tellReset: sendTo(
      ({ context }) => context.system,
      ({ context }) => noticed(context, { kind: 'reset' }),
    ),
    tellClearing: enqueueActions(({ context, enqueue }) => {
      const pids = Object.values(context.runs).map(({ pid }) => pid);
      if (pids.length === 0 || context.service.type !== 'inetd') return;
      enqueue.sendTo(context.system, noticed(context, { kind: 'clearing', pids }));
    }),
    markReset: assign({
      runs: ({ context }) =>
        Object.fromEntries(Object.entries(context.runs).map(([serial, run]) => [serial, { ...run, reset: true }])),
    }),
    recordTerminate: assign({
      terminate: ({ context, event }) => (event.type === 'process.terminate' ? event : context.terminate),
    }),
    terminateRuns: enqueueActions(({ context, event, enqueue }) => {
      const command =
        event.type === 'schedule.reset' ? { ...event, type: 'process.terminate' as const } : context.terminate;
      if (command === undefined) return;
      for (const { ref } of Object.values(context.runs)) enqueue.sendTo(ref, command);
    }),
    killRuns: enqueueActions(({ context, enqueue }) => {
      for (const { ref } of Object.values(context.runs)) enqueue.sendTo(ref, { type: 'process.kill' });
    }),
    reconfigure: assign({
      service: ({ context, event }) => (event.type === 'schedule.reconfigure' ? event.service : context.service),
    }),
    pauseTrigger: sendTo('trigger', { type: 'trigger.pause' as const }),
    resumeTrigger: sendTo('trigger', { type: 'trigger.resume' as const }),
  },
  guards: {
    isFull: ({ context }) => runningCount(context) >= mostRuns(context.service),
    hasRoom: ({ context }) => runningCount(context) < mostRuns(context.service),
    isEmpty: ({ context }) => runningCount(context) === 0,
    isCron: ({ context }) => context.service.type === 'cron',
  },
}).createMachine({
  id: 'scheduled',
  context: ({ input }) => ({ ...input, runs: {}, begun: 0, terminate: undefined, at: 0 }),
  initial: 'open',
  on: {
    // Nothing that is scheduled asks for time.
    'process.extend': {},
    'schedule.reconfigure': { actions: ['reconfigure'] },
    'process.spawned': { actions: ['noteTime', 'recordPid'] },
    'process.spawnFailed': { actions: ['noteTime', 'tellRunEnd', 'endRun'] },
  },
  states: {
    open: {
      invoke: { id: 'trigger', src: 'trigger', input: ({ context }) => context.service },
      initial: 'arming',
      on: {
        'process.exited': { actions: ['noteTime', 'tellRunEnd', 'endRun'] },
        'process.terminate': { target: 'closing', actions: ['recordTerminate'] },
        'process.kill': { target: 'closing.killing' },
        'schedule.retire': { target: 'retired' },
        'schedule.reset': { actions: ['tellReset', 'terminateRuns', 'markReset'] },
      },
      states: {
        arming: {
          on: {
            'trigger.armed': { target: 'active', actions: ['noteTime', 'tellAccepted'] },
            'trigger.refused': { target: '#scheduled.refused', actions: ['noteTime', 'tellRefused'] },
            'trigger.fired': {},
          },
        },
        active: {
          always: { guard: 'isFull', target: 'full' },
          on: {
            'trigger.armed': {},
            'trigger.refused': {},
            'trigger.fired': { actions: ['noteTime', 'startRun'] },
          },
        },
        full: {
          entry: ['pauseTrigger'],
          exit: ['resumeTrigger'],
          always: { guard: 'hasRoom', target: 'active' },
          on: {
            'trigger.armed': {},
            'trigger.refused': {},
            'trigger.fired': [
              { guard: 'isCron', actions: ['noteTime', 'tellSkipped'] },
              { actions: ['noteTime', 'startRun'] },
            ],
          },
        },
      },
    },

    /** The system is ending: what runs may run until the stop comes. */
    retired: {
      on: {
        'process.exited': { actions: ['noteTime', 'tellRunEnd', 'endRun'] },
        'process.terminate': { target: 'closing', actions: ['recordTerminate'] },
        'process.kill': { target: 'closing.killing' },
        'schedule.retire': {},
        'schedule.reset': { actions: ['tellReset', 'terminateRuns', 'markReset'] },
        'trigger.armed': {},
        'trigger.refused': {},
        'trigger.fired': {},
      },
    },

    closing: {
      entry: ['tellClearing'],
      always: { guard: 'isEmpty', target: 'closed', actions: ['tellEnded'] },
      initial: 'terminating',
      on: {
        // How a run ends that was told to is no news.
        'process.exited': { actions: ['noteTime', 'endRun'] },
        'schedule.retire': {},
        'schedule.reset': {},
        'trigger.armed': {},
        'trigger.refused': {},
        'trigger.fired': {},
      },
      states: {
        terminating: {
          entry: ['terminateRuns'],
          on: {
            'process.terminate': { target: 'terminating', reenter: true, actions: ['recordTerminate'] },
            'process.kill': { target: 'killing' },
          },
        },
        killing: {
          entry: ['killRuns'],
          on: {
            'process.terminate': {},
            'process.kill': { actions: ['killRuns'] },
          },
        },
      },
    },

    closed: { type: 'final' },
    refused: { type: 'final' },
  },
});

/** What a scheduled service has done so far, for status listings. */
export function runCounts(context: ScheduledContext): RunCounts {
  return { begun: context.begun, running: runningCount(context) };
}

function runningCount({ runs }: ScheduledContext): number {
  return Object.keys(runs).length;
}

function noticed({ service, at }: ScheduledContext, news: ScheduleNews): ServiceNoticed {
  return { type: 'service.noticed', name: service.name, news, at };
}

function runNews({ runs }: ScheduledContext, event: ScheduledEvent): ScheduleNews | undefined {
  const run = 'serial' in event ? runs[event.serial] : undefined;
  if (run === undefined || run.reset) return undefined;
  if (event.type === 'process.spawnFailed') return { kind: 'runUnspawned', error: event.error };
  if (event.type !== 'process.exited' || isNormal(event.status)) return undefined;
  return { kind: 'runFailed', pid: event.pid, status: event.status };
}
