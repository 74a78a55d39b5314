/**
 * One reload of one service: the service is told by a signal or by a command to read its own configuration anew.
 *
 *     beginning → signalling ─┬→ awaitingReloading → awaitingReady → done
 *               → commanding ─┘  (notify services only)
 *
 * The service machine spawns this one and receives `reload.ended`. Whatever comes of the reload, the service goes on as
 * before. The time limit is `process_timeout`, as for a start. Where the service leaves its ready state, the reload is
 * given up, and its command gets SIGKILL.
 *
 * Events that may arrive in either order, and which of them decides:
 * - RELOADING=1 and READY=1 may come before the report that the signal was sent, or before the command's end: they count.
 * - A RELOADING=1 whose MONOTONIC_USEC is from before the reload belongs to an earlier one, and does not count.
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
import { isNormal } from '../model/service/exit-status.ts';
import type { ReloadMethod, ReloadOutcome, ReloadWait } from '../model/service/reload-method.ts';
import type { ServiceSpec } from '../model/service/service-spec.ts';
import type { SignalName } from '../model/service/signal.ts';
import type { NotifyFact, SignalOutcome, UnitFact } from '../model/service/unit-events.ts';
import { stamped } from './stamped.ts';
import { unitMachine } from './unit.ts';

export type ReloadFact =
  | { readonly type: 'reload.ended'; readonly outcome: ReloadOutcome; readonly at: number }
  /** Nothing is left of its command either: another reload may begin. */
  | { readonly type: 'reload.over'; readonly at: number };

/** Facts from the port that begins a reload. */
export type ReloadReport =
  /** `monotonic`: CLOCK_MONOTONIC in ms, before the service was told anything. */
  | { readonly type: 'reload.began'; readonly monotonic: number; readonly at: number }
  | { readonly type: 'reload.signalled'; readonly outcome: SignalOutcome; readonly at: number };

/** What the port needs: the main process, and the signal for it, if it gets one. */
export interface ReloadTarget {
  readonly service: ServiceSpec;
  readonly pid: number;
  readonly signal: SignalName | undefined;
}

export type ReloadEvent =
  | ReloadReport
  | UnitFact
  | NotifyFact
  /** The service leaves its ready state. */
  | { readonly type: 'reload.giveUp'; readonly at: number };

export interface ReloadInput {
  readonly service: ServiceSpec;
  readonly method: ReloadMethod;
  /** The number of the service's start. */
  readonly serial: number;
  readonly pid: number;
  readonly owner: ActorRef<Snapshot<unknown>, ReloadFact>;
  readonly at: number;
}

interface ReloadContext extends ReloadInput {
  readonly began: number;
  readonly monotonic: number;
  readonly unit: ActorRefFrom<typeof unitMachine> | undefined;
  /** True once nothing of the command is left. */
  readonly unitOver: boolean;
  readonly saidReloading: boolean;
  readonly saidReady: boolean;
}

/** The port that sends the signal of a reload to the main process; the runtime provides it. */
const reloader = fromCallback<EventObject, ReloadTarget, ReloadReport>(() => {
  throw new Error('internal error: the port reloader is not provided');
});

const when = stamped<ReloadContext, ReloadEvent>();

export const reloadMachine = setup({
  types: {
    context: {} as ReloadContext,
    events: {} as ReloadEvent,
    input: {} as ReloadInput,
  },
  actors: { reloader, unit: unitMachine },
  actions: {
    noteTime: assign({ at: ({ context, event }) => ('at' in event ? event.at : context.at) }),
    recordBegin: assign(when('reload.began', (_, { monotonic }) => ({ monotonic }))),
    spawnCommand: assign(({ context, self, spawn }) => {
      const { service, method, serial, pid } = context;
      if (method.kind !== 'command') return {};
      const beside = { kind: 'helper', role: 'reload_command', variables: { MAINPID: String(pid) } } as const;
      const run = { service: besideSpec(service, method), serial, beside };
      return { unit: spawn('unit', { id: 'unit', input: { run, owner: self } }) };
    }),
    hear: assign(({ context, event }) => {
      assertEvent(event, 'notify.received');
      const { reloading, ready } = event.message;
      const isOurs = reloading !== undefined && (reloading.at === undefined || reloading.at >= context.monotonic);
      const saidReloading = context.saidReloading || isOurs;
      return { at: event.at, saidReloading, saidReady: context.saidReady || (context.saidReloading && ready === true) };
    }),
    noteUnit: assign(({ context, event }) => ({
      at: 'at' in event ? event.at : context.at,
      unitOver: event.type !== 'unit.leaderExited' || event.left === 0,
    })),
    tellOver: enqueueActions(({ context: { owner, at }, enqueue }) => {
      enqueue.sendTo(owner, { type: 'reload.over', at });
    }),
    killCommand: enqueueActions(({ context: { unit, at }, enqueue }) => {
      if (unit !== undefined) enqueue.sendTo(unit, { type: 'unit.kill', grace: killGrace, at });
    }),
    tell: enqueueActions(({ context, event, enqueue }) => {
      const { owner, at } = context;
      enqueue.sendTo(owner, { type: 'reload.ended', outcome: outcomeOf(context, event), at });
    }),
    tellTimeout: enqueueActions(({ context, enqueue }, { waited }: { readonly waited: ReloadWait }) => {
      const { owner, began, service } = context;
      const timeout = service.processTimeout;
      const at = Math.max(context.at, began + timeout);
      enqueue.assign({ at });
      enqueue.sendTo(owner, { type: 'reload.ended', outcome: { kind: 'timeout', waited, timeout }, at });
    }),
  },
  guards: {
    isSignal: ({ context }) => context.method.kind === 'signal',
    isSent: ({ event }) => event.type === 'reload.signalled' && event.outcome === 'sent',
    isNotify: ({ context }) => context.service.type === 'notify',
    hasSucceeded: ({ event }) => event.type === 'unit.leaderExited' && isNormal(event.status),
    saidReloading: ({ context }) => context.saidReloading,
    saidReady: ({ context }) => context.saidReady,
    hasUnit: ({ context }) => hasUnit(context),
    hasNoUnit: ({ context }) => !hasUnit(context),
  },
  delays: { timeLeft: ({ context: { began, at, service } }) => Math.max(0, began + service.processTimeout - at) },
}).createMachine({
  id: 'reload',
  context: ({ input }) => ({
    ...input,
    began: input.at,
    monotonic: 0,
    unit: undefined,
    unitOver: false,
    saidReloading: false,
    saidReady: false,
  }),
  initial: 'telling',
  states: {
    telling: {
      invoke: {
        id: 'reloader',
        src: 'reloader',
        input: ({ context: { service, pid, method } }) => ({
          service,
          pid,
          signal: method.kind === 'signal' ? method.signal : undefined,
        }),
      },
      initial: 'beginning',
      on: {
        'reload.giveUp': [
          { guard: 'hasUnit', target: 'clearing', actions: ['noteTime', 'tell'] },
          { target: 'over', actions: ['noteTime', 'tell'] },
        ],
        'notify.received': { actions: ['hear'] },
      },
      states: {
        beginning: {
          on: {
            'reload.began': [
              { guard: 'isSignal', target: 'signalling', actions: ['recordBegin'] },
              { target: 'commanding', actions: ['recordBegin'] },
            ],
          },
        },
        signalling: {
          on: {
            'reload.signalled': [
              { guard: 'isSent', target: '#reload.told', actions: ['noteTime'] },
              { target: '#reload.over', actions: ['noteTime', 'tell'] },
            ],
          },
        },
        /** The command runs, with the account and the environment of the service. */
        commanding: {
          entry: ['spawnCommand'],
          after: {
            timeLeft: { target: '#reload.clearing', actions: [{ type: 'tellTimeout', params: { waited: 'command' } }] },
          },
          on: {
            'unit.spawned': { actions: ['noteTime'] },
            'unit.spawnFailed': { target: '#reload.over', actions: ['noteUnit', 'tell'] },
            'unit.leaderExited': [
              { guard: 'hasSucceeded', target: '#reload.told', actions: ['noteUnit'] },
              { target: '#reload.clearing', actions: ['noteUnit', 'tell'] },
            ],
          },
        },
      },
    },
    /** The service was told. A notify service has still to say that it reloads, and that it has done so. */
    told: {
      always: [
        { guard: 'isNotify', target: 'awaiting' },
        { guard: 'hasUnit', target: 'clearing', actions: ['tell'] },
        { target: 'over', actions: ['tell'] },
      ],
    },
    awaiting: {
      initial: 'reloading',
      on: {
        'notify.received': { actions: ['hear'] },
        'reload.giveUp': [
          { guard: 'hasUnit', target: 'clearing', actions: ['noteTime', 'tell'] },
          { target: 'over', actions: ['noteTime', 'tell'] },
        ],
        'unit.cleared': { actions: ['noteUnit'] },
        'unit.survived': {},
      },
      states: {
        reloading: {
          always: { guard: 'saidReloading', target: 'ready' },
          after: {
            timeLeft: {
              target: '#reload.clearing',
              actions: [{ type: 'tellTimeout', params: { waited: 'RELOADING=1' } }],
            },
          },
        },
        ready: {
          always: { guard: 'saidReady', target: '#reload.clearing', actions: ['tell'] },
          after: {
            timeLeft: { target: '#reload.clearing', actions: [{ type: 'tellTimeout', params: { waited: 'READY=1' } }] },
          },
        },
      },
    },
    /** The outcome is told. What the command has left gets SIGKILL. */
    clearing: {
      entry: ['killCommand'],
      always: { guard: 'hasNoUnit', target: 'over' },
      on: {
        'unit.spawned': {},
        'unit.spawnFailed': { actions: ['noteUnit'] },
        'unit.leaderExited': { actions: ['noteUnit'] },
        'unit.cleared': { actions: ['noteUnit'] },
        'unit.survived': { target: 'over', actions: ['noteTime'] },
        'notify.received': {},
        'reload.giveUp': {},
        'reload.signalled': {},
      },
    },
    over: { entry: ['tellOver'], type: 'final' },
  },
});

function hasUnit({ unit, unitOver }: ReloadContext): boolean {
  return unit !== undefined && !unitOver;
}

function outcomeOf({ began, at }: ReloadContext, event: ReloadEvent): ReloadOutcome {
  switch (event.type) {
    case 'reload.giveUp':
      return { kind: 'ended' };
    case 'reload.signalled':
      return outcomeOfSignal(event.outcome, at - began);
    case 'unit.spawnFailed':
      return { kind: 'spawn', error: event.error };
    case 'unit.leaderExited':
      return isNormal(event.status) ? { kind: 'done', took: at - began } : { kind: 'exit', status: event.status };
    default:
      return { kind: 'done', took: at - began };
  }
}

function outcomeOfSignal(outcome: SignalOutcome, took: number): ReloadOutcome {
  switch (outcome) {
    case 'sent':
      return { kind: 'done', took };
    case 'denied':
      return { kind: 'denied' };
    case 'vanished':
      return { kind: 'vanished' };
  }
}
