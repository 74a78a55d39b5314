import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EventObject, fromCallback, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { scheduledMachine } from '../../src/machines/scheduled.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import {
  outputOf,
  type SystemEvent,
  type SystemInput,
  serviceActorId,
  systemMachine,
} from '../../src/machines/system.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import { stateForPlan } from '../../src/model/ledger/reload.ts';
import { definitionOf, isOver, isStopping, phaseOf, type Slot } from '../../src/model/ledger/slot.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import { planReload } from '../../src/model/order/reload-plan.ts';
import { isScheduled } from '../../src/model/schedule/scheduled-runs.ts';
import { isEnded, isLive, type ServiceChange, type ServicePhase } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service/service-spec.ts';
import type { MissingProgram } from '../../src/model/service/system-end.ts';
import { serviceSpec, systemSpec } from '../model/specs.ts';
import {
  chartEvents,
  type Edge,
  type Exploration,
  explore,
  leaves,
  reachedLeaves,
  Steps,
  stranded,
  unanswered,
  unexplored,
} from './explore.ts';
import { phaseSteps } from './phase-steps.ts';
import { exit1, noSuchProgram } from './scripted.ts';

type SystemSnapshot = SnapshotFrom<typeof systemMachine>;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<SystemEvent['type'], true>> = {
  'system.shutdown': true,
  'system.reload': true,
  'service.changed': true,
  'service.exitKills': true,
  'service.noticed': true,
  'service.extended': true,
  'service.spawned': true,
  'service.survived': true,
  'service.stopContinues': true,
  'service.healthy': true,
  'service.unhealthy': true,
  'stops.due': true,
  'processes.gone': true,
  'services.start': true,
  'services.stop': true,
  'services.reset': true,
  'services.enable': true,
  'services.disable': true,
  'services.signal': true,
  'services.run': true,
  'services.reload': true,
};

const unit = unitMachine.provide({ actors: { processes: fromCallback(() => {}) } });
const machine = systemMachine.provide({
  actors: {
    service: serviceMachine.provide({ actors: { unit, notifications: fromCallback(() => {}) } }),
    scheduled: scheduledMachine.provide({ actors: { unit, trigger: fromCallback(() => {}) } }),
    processTable: fromCallback(() => {}),
  },
});

function slotsOf({ context }: SystemSnapshot): readonly Slot[] {
  return context.ledger.slots.all();
}

function wasTold(slot: Slot): boolean {
  return isStopping(slot) && slot.intent.told;
}

/** The reports that a service may send, by the state of its chart and what the system has told it. */
function reports(snapshot: SystemSnapshot): readonly SystemEvent[] {
  const retired = snapshot.context.end !== undefined;
  return slotsOf(snapshot).flatMap((slot): readonly SystemEvent[] => {
    const { chart, hasBeenReady, spec } = slot;
    const told = wasTold(slot);
    const { type } = definitionOf(slot);
    const scheduled = isScheduled(type);
    // Without a command only a restart begins, and only of a service that was ready.
    const possible: Readonly<Partial<Record<ServicePhase, boolean>>> = {
      starting: chart === 'backoff' && !retired,
      'ready.scheduled': scheduled,
      'ready.running': !scheduled,
      'ready.exited': !scheduled && type !== 'simple',
      exited: !scheduled && type !== 'oneshot',
      // A stop drops the failure of a service that has failed meanwhile; a stop because of a prerequisite may be one itself.
      failed: told
        ? isStopping(slot) && slot.intent.fails === true
        : chart !== 'ready.exited' && chart !== 'exited' && chart !== 'backoff',
      backoff: hasBeenReady && !retired && !told,
      stopped:
        chart === 'stopping' || told || chart === 'failed' || (retired && (chart === 'pending' || chart === 'backoff')),
      // A service stops a failed run itself where processes of it may live.
      stopping: chart === 'starting' || (chart === 'ready.running' && !scheduled) || told,
    };
    const steps = phaseSteps[chart].filter((next) => possible[next] ?? true);
    return steps.map((next) => ({
      type: 'service.changed',
      name: spec.name,
      change: changeTo(next, hasBeenReady),
      at: 0,
    }));
  });
}

/** For each service that is being stopped: it survives SIGKILL, or asks for more time. */
function survivals(snapshot: SystemSnapshot): readonly SystemEvent[] {
  return slotsOf(snapshot).flatMap((slot): readonly SystemEvent[] =>
    slot.chart === 'stopping'
      ? [
          { type: 'service.survived', name: slot.spec.name, at: 0 },
          { type: 'service.extended', name: slot.spec.name, until: 20_000, at: 0 },
        ]
      : [],
  );
}

function dueStops({ context: { ledger } }: SystemSnapshot): readonly SystemEvent[] {
  return ledger.due === undefined ? [] : [{ type: 'stops.due', at: ledger.due }];
}

function changeTo(phase: ServicePhase, hasBeenReady: boolean): ServiceChange {
  const cause = { kind: 'exit', status: exit1, pid: 10 } as const;
  const end = { pid: 10, status: exit1, ran: 5 };
  switch (phase) {
    case 'starting':
      return { phase, serial: 1 };
    case 'ready.running':
      return { phase, pid: 10, restarted: false };
    case 'ready.exited':
      return { phase, restarted: false };
    case 'exited':
      return { phase, end, restarted: false, wasReady: hasBeenReady };
    case 'backoff':
      return { phase, cause, restartsLeft: 1, delay: 1_000 };
    case 'failed':
      return { phase, cause, during: hasBeenReady ? 'run' : 'start' };
    case 'stopping':
    case 'ready.scheduled':
    case 'stopped':
      return { phase };
    case 'disabled':
      return { phase, skipped: 'X is not set' };
    case 'pending':
      throw new Error(`${phase} is not reported`);
  }
}

const names = ['store.service'];
const commands: readonly SystemEvent[] = [
  { type: 'system.shutdown', end: { kind: 'signal', signal: 'SIGTERM' }, forced: false, at: 0 },
  { type: 'system.shutdown', end: { kind: 'signal', signal: 'SIGINT' }, forced: true, at: 0 },
  { type: 'processes.gone', at: 0 },
  { type: 'service.noticed', name: 'store.service', news: { kind: 'skipped' }, at: 0 },
  { type: 'services.signal', names, signal: 'SIGHUP', at: 0 },
];

/** Requests by hand, for one service only: with two of them there are too many states to explore. */
const requests: readonly SystemEvent[] = [
  { type: 'services.start', names, enable: false, force: false, at: 0 },
  { type: 'services.start', names, enable: true, force: true, at: 0 },
  { type: 'services.stop', names, disable: false, again: false, drain: false, at: 0 },
  { type: 'services.stop', names, disable: false, again: false, drain: true, at: 0 },
  { type: 'services.stop', names, disable: true, again: false, drain: false, at: 0 },
  { type: 'services.stop', names, disable: false, again: true, drain: false, at: 0 },
  { type: 'services.reset', names, force: true, at: 0 },
  { type: 'services.enable', names, at: 0 },
  { type: 'services.disable', names, at: 0 },
];

interface Case {
  /** True: requests for single services come at any moment. */
  readonly byHand?: boolean;
  /** True: a process may survive SIGKILL. */
  readonly survivors?: boolean;
  readonly services: readonly ServiceSpec[];
  readonly system?: Partial<SystemSpec>;
  readonly missingPrograms?: readonly MissingProgram[];
  /** Configurations that reloads bring, again and again. */
  readonly reloads?: readonly (readonly ServiceSpec[])[];
}

/** A reload with the plan that the runtime would make in this state. */
function reloadTo(
  services: readonly ServiceSpec[],
  system: Partial<SystemSpec>,
  { context }: SystemSnapshot,
): SystemEvent {
  const spec = systemSpec(services, system);
  const { ledger } = context;
  const plan = planReload(ledger.spec, spec, (name) => stateForPlan(ledger, name));
  return { type: 'system.reload', spec, graph: buildDependencyGraph(services), plan, at: 0 };
}

function inputOf({ services, system = {}, missingPrograms = [] }: Case): SystemInput {
  return { spec: systemSpec(services, system), graph: buildDependencyGraph(services), missingPrograms };
}

function exploreSystem({
  services,
  system = {},
  missingPrograms = [],
  reloads = [],
  byHand = false,
  survivors = false,
}: Case): Exploration<SystemSnapshot> {
  const input = inputOf({ services, system, missingPrograms });
  const exitKills = (snapshot: SystemSnapshot): readonly SystemEvent[] =>
    slotsOf(snapshot)
      .filter(({ spec, chart }) => spec.exitKills && isLive(chart))
      .map(({ spec: { name } }) => ({
        type: 'service.exitKills',
        name,
        outcome: { kind: 'exit', status: exit1 },
        at: 0,
      }));
  return explore(machine, {
    input,
    events: (snapshot: SystemSnapshot) =>
      isHalted(snapshot)
        ? commands
        : [
            ...commands,
            ...(byHand ? requests : []),
            ...exitKills(snapshot),
            ...(survivors ? survivals(snapshot) : []),
            ...dueStops(snapshot),
            ...reports(snapshot),
            // A reload during the drain is ignored, as system-reload.test.ts shows.
            ...(isDraining(snapshot) ? [] : reloads)
              .filter((next) => next !== snapshot.context.ledger.spec.services)
              .map((next) => reloadTo(next, system, snapshot)),
          ],
    distinguish: (snapshot: SystemSnapshot) => {
      const { ledger, childrenLeft, startedAny, saidWaiting } = snapshot.context;
      // In the drain only the services that still have to end tell states apart.
      if (isDraining(snapshot))
        return slotsOf(snapshot).map((slot) => [slot.spec.name, slot.chart, definitionOf(slot).type, intentOf(slot)]);
      return [
        slotsOf(snapshot).map((slot) => [
          slot.spec.name,
          slot.chart,
          slot.hasBeenReady,
          slot.enabled,
          slot.resumes,
          slot.current !== undefined,
          intentOf(slot),
        ]),
        reloads.indexOf(ledger.spec.services),
        ledger.idleReleased,
        childrenLeft,
        startedAny,
        saidWaiting,
      ];
    },
  });
}

/** The intent for a service, without its times. */
function intentOf({ intent }: Slot): unknown {
  if (intent.kind !== 'stopping') return intent.kind;
  const { why, next, drain, told, ahead } = intent;
  return [why, next, drain, told, ahead];
}

const store = serviceSpec({ name: 'store.service' });
const web = serviceSpec({ name: 'web.service', prerequisites: ['store.service'] });
const cases: Readonly<Record<string, Case>> = {
  'two services, one after the other': { services: [store, web], survivors: true },
  'one service, by hand': { services: [store], byHand: true },
  'a disabled cron service, by hand': {
    services: [{ ...store, type: 'cron', interval: '@daily', enabled: false }],
    byHand: true,
    system: { detectExit: false },
  },
  'a forking service, by hand': { services: [{ ...store, type: 'forking' }], byHand: true },
  'failures ignored': { services: [{ ...store, ignoreFailures: true }, web] },
  'exit_kills, detect_exit off': { services: [store, { ...web, exitKills: true }], system: { detectExit: false } },
  'an IDLE service': { services: [store, serviceSpec({ name: 'idle.service', groups: ['IDLE'] })] },
  'a diamond without its tip': {
    services: [store, web, serviceSpec({ name: 'worker.service', prerequisites: ['store.service'] })],
    system: { detectExit: false },
  },
  'only an IDLE service': { services: [serviceSpec({ name: 'idle.service', groups: ['IDLE'] })] },
  'one disabled, one INIT': {
    services: [
      { ...store, groups: ['INIT'] },
      { ...web, enabled: false },
    ],
  },
  'a cron service, and one that waits for it': {
    services: [{ ...store, type: 'cron', interval: '* * * * *' }, web],
  },
  'a reload: one goes, one is restarted, one is new': {
    services: [store, web],
    reloads: [
      [
        { ...store, command: 'other' },
        { ...web, name: 'new.service' },
      ],
    ],
    system: { detectExit: false },
  },
  'a reload: the order is turned round': {
    services: [store, { ...web, groups: ['IDLE'] }],
    reloads: [
      [
        { ...store, command: 'other', prerequisites: ['web.service'] },
        { ...web, command: 'other', prerequisites: [] },
      ],
    ],
    system: { detectExit: false },
  },
  'reloads: one goes and comes back': {
    services: [store, web],
    reloads: [[store], [store, web]],
    survivors: true,
  },
  'nothing but an inetd service': { services: [{ ...store, type: 'inetd', port: 80 }] },
  'nothing enabled': { services: [{ ...store, enabled: false }] },
  'no service': { services: [] },
  'a program is missing': {
    services: [store, web],
    missingPrograms: [{ service: 'store.service', error: noSuchProgram }],
  },
};
const variants = Object.entries(cases).map(([name, each]) => ({ name, ...each, explored: () => exploreSystem(each) }));
/** The leaves that each case has reached. */
const reachedIn = new Map<string, readonly string[]>();

/** True for an event that is not one of XState's own. */
function isEvent(event: EventObject): event is SystemEvent {
  return !event.type.startsWith('xstate.');
}

function isHalted(snapshot: SystemSnapshot): boolean {
  return snapshot.matches('halted');
}

function isDraining({ context }: SystemSnapshot): boolean {
  return context.ledger.drain !== undefined;
}

function slotOf(snapshot: SystemSnapshot, name: string): Slot | undefined {
  return snapshot.context.ledger.slots.get(name);
}

/** The slots of the services that the step sends an event of this type to. */
function receivers({ sent, to }: Edge<SystemSnapshot>, type: string): readonly Slot[] {
  const ids = sent.flatMap((each) => (each.event.type === type && hasId(each.to) ? [each.to.id] : []));
  return slotsOf(to).filter(({ spec }) => ids.includes(serviceActorId(spec.name)));
}

function hasId(ref: unknown): ref is { readonly id: string } {
  return typeof ref === 'object' && ref !== null && 'id' in ref && typeof ref.id === 'string';
}

function oncePer(edges: readonly Edge<SystemSnapshot>[]): readonly string[] {
  const described = edges.map(({ from, event, to }) => `${statePath(from.value)} ${event.type} ${statePath(to.value)}`);
  return [...new Set(described)];
}

describe('the system chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(systemMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(systemMachine, Object.keys(eventTypes))).toEqual([]);
  });
});

describe.each(variants)('the system chart ($name)', ({ name, explored, ...variant }) => {
  let exploration = unexplored<SystemSnapshot>();
  let { states, edges } = exploration;
  const take = (next: Exploration<SystemSnapshot>): void => {
    exploration = next;
    ({ states, edges } = next);
  };
  beforeAll(() => {
    take(explored());
    reachedIn.set(name, reachedLeaves(states));
  });
  // All explorations together would fill the memory.
  afterAll(() => take(unexplored()));

  it('can halt from every state', () => {
    expect(stranded(exploration, isHalted)).toEqual([]);
  });

  it('halts from every state of the drain by the passing of time alone', () => {
    const byTime = stranded(
      exploration,
      (snapshot) => isHalted(snapshot) || !snapshot.matches('draining'),
      ({ event }) => event.type.startsWith('xstate.after.'),
    );
    expect(byTime).toEqual([]);
  });

  it('notes the time of whatever comes', () => {
    const steps = new Steps(machine, inputOf(variant));
    // One of each group of equal steps is checked.
    const alike = new Map(edges.map((edge) => [JSON.stringify([edge.from.value, { ...edge.event, plan: 0 }]), edge]));
    const late = [...alike.values()].filter(({ from, event }) => {
      if (!isEvent(event) || isHalted(from)) return false;
      // In the drain, requests for single services and reloads are ignored.
      if (isDraining(from) && /^services\.(?!signal)|reload/.test(event.type)) return false;
      const later: SystemEvent = { ...event, at: 77_777 };
      return steps.take(from, later).to.context.ledger.at !== 77_777;
    });
    expect(oncePer(late)).toEqual([]);
  });

  it('drains at once when it is told to', () => {
    const ignored = edges.filter(
      ({ event, to }) => event.type === 'system.shutdown' && !to.matches('draining') && !isHalted(to),
    );
    expect(oncePer(ignored)).toEqual([]);
  });

  it('never goes back from the drain', () => {
    const back = edges.filter(({ from, to }) => from.matches('draining') && !to.matches('draining') && !isHalted(to));
    expect(oncePer(back)).toEqual([]);
  });

  it('has a reason from the first moment of the drain, and keeps it', () => {
    const aimless = states.filter(
      (snapshot) => (isDraining(snapshot) || isHalted(snapshot)) !== (snapshot.context.end !== undefined),
    );
    expect(aimless.map(exploration.key)).toEqual([]);
    const changed = edges.filter(
      ({ from, to }) => from.context.end !== undefined && from.context.end !== to.context.end,
    );
    expect(oncePer(changed)).toEqual([]);
  });

  it('has an output with that reason once it has halted, and stays there', () => {
    const halted = states.filter(isHalted);
    expect(halted.length).toBeGreaterThan(0);
    const wrong = halted.filter(
      (snapshot) => snapshot.status !== 'active' || outputOf(snapshot).end.kind !== snapshot.context.end?.kind,
    );
    expect(wrong.map(exploration.key)).toEqual([]);
    const left = edges.filter(
      ({ from, to, sent }) => isHalted(from) && (exploration.key(from) !== exploration.key(to) || sent.length > 0),
    );
    expect(oncePer(left)).toEqual([]);
  });

  it('tells a service to start only when what it waits for is satisfied, and never while draining', () => {
    const early = edges.filter((edge) => {
      const started = receivers(edge, 'service.start');
      if (started.length > 0 && isDraining(edge.from)) return true;
      return started.some(({ spec: { name } }) => {
        const prerequisites = edge.to.context.ledger.graph.nodes[name]?.prerequisites ?? [];
        return prerequisites.some((other) => {
          const slot = slotOf(edge.to, other);
          return slot === undefined || isStopping(slot) || !isSatisfied(slot);
        });
      });
    });
    expect(oncePer(early)).toEqual([]);
    // The ledger notes every start that it orders.
    const unnoted = edges.filter((edge) => receivers(edge, 'service.start').some(({ chart }) => chart !== 'starting'));
    expect(oncePer(unnoted)).toEqual([]);
  });

  it('tells a service to start only when nothing of it is left', () => {
    const early = edges.filter((edge) =>
      receivers(edge, 'service.start').some(({ spec }) => {
        const before = slotOf(edge.from, spec.name);
        const event = edge.event;
        const ends = event.type === 'service.changed' && 'name' in event && event['name'] === spec.name;
        return before !== undefined && !isOver(before) && !ends;
      }),
    );
    expect(oncePer(early)).toEqual([]);
  });

  it('clears only after every service has ended', () => {
    const early = states.filter(
      (snapshot) => snapshot.matches({ draining: 'clearing' }) && slotsOf(snapshot).some((slot) => !isOver(slot)),
    );
    expect(early.map(exploration.key)).toEqual([]);
  });

  it('stops, while it drains, no service before those that wait for it have ended', () => {
    const early = edges.filter(
      (edge) =>
        isDraining(edge.to) &&
        receivers(edge, 'service.stop').some(({ spec: { name } }) =>
          slotsOf(edge.to).some((other) => waitsFor(edge.to, other, name) && !isOver(other)),
        ),
    );
    expect(oncePer(early)).toEqual([]);
  });

  it('stops no service by hand, or for a reload, that still has to wait', () => {
    const early = edges.filter((edge) =>
      receivers(edge, 'service.stop').some((slot) => {
        // A service in its restart pause runs nothing that others could need.
        const pauses = slot.chart === 'backoff' && !isDraining(edge.to);
        return isStopping(slot) && slot.intent.behind > 0 && !pauses;
      }),
    );
    expect(oncePer(early)).toEqual([]);
    const waiting = edges.filter((edge) =>
      receivers(edge, 'service.stop').some((slot) => isStopping(slot) && !slot.intent.told),
    );
    expect(oncePer(waiting)).toEqual([]);
  });

  it('tells a service to stop once, unless a stop that lets it finish is hastened', () => {
    const again = edges.filter((edge) =>
      receivers(edge, 'service.stop').some(({ spec }) => {
        const before = slotOf(edge.from, spec.name);
        return before !== undefined && isStopping(before) && before.intent.told && !before.intent.drain;
      }),
    );
    expect(oncePer(again)).toEqual([]);
  });

  it('sends SIGKILL only to services that have used up their time, or when no service has time any more', () => {
    const wrong = edges.filter((edge) => {
      const killed = receivers(edge, 'service.kill');
      if (edge.event.type === 'stops.due' || edge.to.matches({ draining: 'killing' })) return false;
      return killed.some((slot) => {
        const before = slotOf(edge.from, slot.spec.name);
        return before === undefined || !wasTold(before) || !isStopping(before) || before.intent.killAt !== undefined;
      });
    });
    expect(oncePer(wrong)).toEqual([]);
  });

  it('has a timer for the stops wherever one of them has a time', () => {
    const forgotten = states.filter((snapshot) => {
      const timed = slotsOf(snapshot).some((slot) => isStopping(slot) && slot.intent.killAt !== undefined);
      return timed && snapshot.context.ledger.due === undefined;
    });
    expect(forgotten.map(exploration.key)).toEqual([]);
  });

  it('tells, as it begins to drain, every service to stop or to restart no more', () => {
    const begun = edges.filter(({ from, to }) => !isDraining(from) && isDraining(to));
    const wrong = begun.filter((edge) => {
      const heard = new Set([...receivers(edge, 'service.retire'), ...receivers(edge, 'service.stop')]);
      return slotsOf(edge.to).some((slot) => {
        const before = slotOf(edge.from, slot.spec.name);
        return !isOver(slot) && !heard.has(slot) && !(before !== undefined && wasTold(before));
      });
    });
    expect(oncePer(wrong)).toEqual([]);
  });

  it('is up only when every service has come as far as it will', () => {
    const arrivals = edges.filter(({ from, to }) => from.matches('booting') && to.matches('up'));
    const open = arrivals.filter(({ to }) =>
      slotsOf(to).some(({ spec, chart, hasBeenReady }) => {
        const isConfigured = to.context.ledger.graph.nodes[spec.name] !== undefined;
        return isConfigured && chart === 'starting' && !hasBeenReady;
      }),
    );
    expect(oncePer(open)).toEqual([]);
  });

  it('ends for want of processes only when there are none, and none about to come', () => {
    const exhausted = edges.filter(({ from, to }) => from.context.end === undefined && to.context.end !== undefined);
    const wrong = exhausted.filter(
      ({ to: { context }, from }) =>
        (context.end?.kind === 'noProcesses' || context.end?.kind === 'nothingStarted') &&
        (context.childrenLeft ||
          !context.ledger.spec.detectExit ||
          slotsOf(from).some(({ chart }) => chart === 'backoff' && context.end?.kind === 'nothingStarted')),
    );
    expect(oncePer(wrong)).toEqual([]);
    const alive = exhausted.filter(
      ({ to }) =>
        to.context.end?.kind === 'noProcesses' &&
        slotsOf(to).some((slot) => isLive(slot.chart) && slot.chart !== 'stopping'),
    );
    expect(oncePer(alive)).toEqual([]);
  });

  it('has an actor and a slot for every service of the configuration, and for those that still have to leave', () => {
    const wrong = states.filter((snapshot) => {
      const { ledger } = snapshot.context;
      const actors = Object.keys(snapshot.children).filter((id) => id.startsWith('service:'));
      // A halted system waits for no service, and no timer of one may keep running.
      const expected = slotsOf(snapshot)
        .filter(({ chart }) => !isHalted(snapshot) || isEnded(chart))
        .map(({ spec }) => serviceActorId(spec.name));
      const isMissing = ledger.spec.services.some(({ name }) => slotOf(snapshot, name) === undefined);
      const lingers = slotsOf(snapshot).some(
        (slot) =>
          ledger.graph.nodes[slot.spec.name] === undefined &&
          !isDraining(snapshot) &&
          !(isStopping(slot) && slot.intent.why === 'gone'),
      );
      return isMissing || lingers || actors.sort().join() !== [...expected].sort().join();
    });
    expect(wrong.map(exploration.key)).toEqual([]);
  });

  it('carries a reload out as soon as the services that it stops have ended', () => {
    const isThrough = (snapshot: SystemSnapshot): boolean =>
      snapshot.context.end !== undefined || !slotsOf(snapshot).some(isReplaced);
    const stuck = stranded(exploration, isThrough, ({ event }) => event.type === 'service.changed');
    expect(stuck).toEqual([]);
  });

  it('is not ended by a service that a reload replaces', () => {
    const wrong = edges.filter(({ from, event, to }) => {
      const slot = 'name' in event ? slotOf(from, String(event['name'])) : undefined;
      const ends = to.context.end?.kind === 'serviceFailed' || to.context.end?.kind === 'exitKills';
      return slot !== undefined && isReplaced(slot) && from.context.end === undefined && ends;
    });
    expect(oncePer(wrong)).toEqual([]);
  });

  it('carries out a stop by hand as soon as the services that it stops have ended', () => {
    const isThrough = (snapshot: SystemSnapshot): boolean =>
      snapshot.context.end !== undefined || !slotsOf(snapshot).some(isStopping);
    const stuck = stranded(exploration, isThrough, ({ event }) => event.type === 'service.changed');
    expect(stuck).toEqual([]);
  });

  it('says once, and only while nothing runs, that scheduled services keep it alive', () => {
    const saying = edges.filter(({ from, to }) => !from.context.saidWaiting && to.context.saidWaiting);
    const wrong = saying.filter(({ to }) => {
      const phases = slotsOf(to).map(phaseOf);
      const waits = phases.includes('ready.scheduled') && !phases.includes('ready.running') && !to.context.childrenLeft;
      return !waits || !to.matches('up');
    });
    expect(oncePer(wrong)).toEqual([]);
    expect(edges.filter(({ from, to }) => from.context.saidWaiting && !to.context.saidWaiting)).toEqual([]);
  });
});

describe('all system charts together', () => {
  it('reach every state', () => {
    const reached = variants.flatMap(({ name, explored }) => reachedIn.get(name) ?? reachedLeaves(explored().states));
    expect([...new Set(reached)].sort()).toEqual([...leaves(systemMachine)].sort());
  });
});

function isReplaced(slot: Slot): boolean {
  return isStopping(slot) && (slot.intent.why === 'reload' || slot.intent.why === 'gone');
}

function isSatisfied(slot: Slot): boolean {
  const phase = phaseOf(slot);
  if (phase === 'failed') return slot.spec.ignoreFailures;
  return ['ready.running', 'ready.exited', 'exited', 'ready.scheduled', 'disabled'].includes(phase);
}

/** True where the service of a slot has to end before the named service. */
function waitsFor({ context }: SystemSnapshot, { spec }: Slot, name: string): boolean {
  return (context.ledger.graph.nodes[spec.name]?.prerequisites ?? spec.prerequisites).includes(name);
}
