import { describe, expect, it } from 'vitest';
import { type EventObject, fromCallback, getNextSnapshot, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/inspect/transition.ts';
import { processMachine } from '../../src/machines/process.ts';
import { standingForPlan } from '../../src/machines/reload.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { type SystemEvent, type SystemInput, systemMachine } from '../../src/machines/system.ts';
import { buildDependencyGraph } from '../../src/model/dependency-graph.ts';
import { planReload } from '../../src/model/reload-plan.ts';
import { isScheduled } from '../../src/model/scheduling.ts';
import { isEnded, isLive, type ServiceChange, type ServicePhase } from '../../src/model/service-phase.ts';
import type { ServiceSpec, SystemSpec } from '../../src/model/service-spec.ts';
import type { MissingProgram } from '../../src/model/system-end.ts';
import { serviceSpec, systemSpec } from '../model/specs.ts';
import {
  chartEvents,
  type Edge,
  type Exploration,
  explore,
  leaves,
  reachedLeaves,
  stranded,
  unanswered,
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
  'stop.overdue': true,
  'processes.gone': true,
  'services.start': true,
  'services.stop': true,
  'services.reset': true,
  'services.enable': true,
  'services.disable': true,
};

const process = processMachine.provide({ actors: { childProcess: fromCallback(() => {}) } });
const machine = systemMachine.provide({
  actors: { service: serviceMachine.provide({ actors: { process } }), processTable: fromCallback(() => {}) },
});

/** What a service may report of itself, by the phase that the system knows it in and what the system has told it. */
function reports({ context }: SystemSnapshot): readonly SystemEvent[] {
  const retired = context.end !== undefined;
  return Object.entries(context.standings).flatMap(([name, { phase, hasBeenReady }]): readonly SystemEvent[] => {
    const told = context.told[name] === true || context.stopping[name]?.told === true;
    const spec = context.spec.services.find((service) => service.name === name) ?? context.leaving[name];
    const type = spec?.type ?? 'simple';
    // Nothing begins without a command but a restart, and only of a service that was ready.
    const possible: Readonly<Partial<Record<ServicePhase, boolean>>> = {
      starting: phase === 'backoff' && !retired,
      scheduled: isScheduled(type),
      running: !isScheduled(type),
      exited: !isScheduled(type),
      backoff: hasBeenReady && !retired,
      stopped: phase === 'stopping' || told || (retired && phase !== 'exited'),
      // A start that takes too long is stopped by the service itself.
      stopping: phase === 'starting' || told,
    };
    const steps = phaseSteps[phase].filter((next) => possible[next] ?? true);
    return steps.map((next) => ({ type: 'service.changed', name, change: changeTo(next, hasBeenReady), at: 0 }));
  });
}

/** Any that was told to stop may survive SIGKILL. */
function overdue({ context }: SystemSnapshot): readonly SystemEvent[] {
  return Object.keys(context.told).map((name) => ({ type: 'stop.overdue', name, at: 0 }));
}

function changeTo(phase: ServicePhase, hasBeenReady: boolean): ServiceChange {
  const cause = { kind: 'exit', status: exit1, pid: 10 } as const;
  switch (phase) {
    case 'starting':
      return { phase, serial: 1 };
    case 'running':
      return { phase, pid: 10, restarted: false };
    case 'exited':
      return { phase, status: exit1, restarted: false, wasReady: hasBeenReady };
    case 'backoff':
      return { phase, cause, restartsLeft: 1, delay: 1_000 };
    case 'failed':
      return { phase, cause, during: hasBeenReady ? 'run' : 'start' };
    case 'stopping':
    case 'scheduled':
    case 'stopped':
      return { phase };
    case 'disabled':
    case 'pending':
      throw new Error(`${phase} is not reported`);
  }
}

const commands: readonly SystemEvent[] = [
  { type: 'system.shutdown', end: { kind: 'signal', signal: 'SIGTERM' }, forced: false, at: 0 },
  { type: 'system.shutdown', end: { kind: 'signal', signal: 'SIGINT' }, forced: true, at: 0 },
  { type: 'processes.gone', at: 0 },
  { type: 'service.noticed', name: 'store.service', news: { kind: 'skipped' }, at: 0 },
];

const names = ['store.service'];
/** What somebody may ask. For one service only: with two of them the states are too many to look at each. */
const requests: readonly SystemEvent[] = [
  { type: 'services.start', names, enable: false, force: false, at: 0 },
  { type: 'services.start', names, enable: true, force: true, at: 0 },
  { type: 'services.stop', names, disable: false, again: false, at: 0 },
  { type: 'services.stop', names, disable: true, again: false, at: 0 },
  { type: 'services.stop', names, disable: false, again: true, at: 0 },
  { type: 'services.reset', names, force: true, at: 0 },
  { type: 'services.enable', names, at: 0 },
  { type: 'services.disable', names, at: 0 },
];

interface Case {
  /** Somebody asks for single services at any moment. */
  readonly byHand?: boolean;
  /** A process may survive SIGKILL. */
  readonly survivors?: boolean;
  readonly services: readonly ServiceSpec[];
  readonly system?: Partial<SystemSpec>;
  readonly missingPrograms?: readonly MissingProgram[];
  /** What a reload may bring, again and again. */
  readonly reloads?: readonly (readonly ServiceSpec[])[];
}

/** With the plan that the runtime would make in this state. */
function reloadTo(
  services: readonly ServiceSpec[],
  system: Partial<SystemSpec>,
  { context }: SystemSnapshot,
): SystemEvent {
  const spec = systemSpec(services, system);
  const plan = planReload(context.spec, spec, (name) => standingForPlan(context, name));
  return { type: 'system.reload', spec, graph: buildDependencyGraph(services), plan, at: 0 };
}

function exploreSystem({
  services,
  system = {},
  missingPrograms = [],
  reloads = [],
  byHand = false,
  survivors = false,
}: Case): Exploration<SystemSnapshot> {
  const spec = systemSpec(services, system);
  const input: SystemInput = { spec, graph: buildDependencyGraph(services), missingPrograms };
  const exitKills = ({ context }: SystemSnapshot): readonly SystemEvent[] =>
    context.spec.services
      .filter(({ name, exitKills }) => exitKills && isLive(context.standings[name]?.phase ?? 'disabled'))
      .map(({ name }) => ({ type: 'service.exitKills', name, outcome: { kind: 'exit', status: exit1 }, at: 0 }));
  return explore(machine, {
    input,
    events: (snapshot: SystemSnapshot) =>
      snapshot.status === 'done'
        ? []
        : [
            ...commands,
            ...(byHand ? requests : []),
            ...exitKills(snapshot),
            ...(survivors ? overdue(snapshot) : []),
            ...reports(snapshot),
            ...reloads
              .filter((next) => next !== snapshot.context.spec.services)
              .map((next) => reloadTo(next, system, snapshot)),
          ],
    distinguish: ({ context }: SystemSnapshot) => [
      Object.entries(context.standings)
        .map(([name, { phase, hasBeenReady }]) => [name, phase, hasBeenReady])
        .sort(),
      reloads.indexOf(context.spec.services),
      Object.entries(context.stopping)
        .map(([name, { again, told, reload, next, after }]) => [name, again, told, reload, next?.command, after])
        .sort(),
      Object.keys(context.leaving).sort(),
      Object.keys(context.disabled).sort(),
      context.childrenLeft,
      context.startedAny,
      context.saidBlocked,
      context.saidWaiting,
      Object.keys(context.told).sort(),
      Object.keys(context.lost).sort(),
      Object.keys(context.disabled).sort(),
      context.stopping,
      context.end?.kind,
      context.deadline,
    ],
  });
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
const variants = Object.entries(cases).map(([name, each]) => ({ name, ...each, exploration: exploreSystem(each) }));

/** Not one of XState's own. */
function isEvent(event: EventObject): event is SystemEvent {
  return !event.type.startsWith('xstate.');
}

/** It has ended, or survives SIGKILL. */
function isOver({ context }: SystemSnapshot, name: string, phase: ServicePhase): boolean {
  return isEnded(phase) || context.lost[name] === true;
}

function isHalted(snapshot: SystemSnapshot): boolean {
  return snapshot.matches('halted');
}

function describeEdge({ from, event, to }: Edge<SystemSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

describe('the system chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(systemMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(systemMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state', () => {
    const reached = reachedLeaves(variants.flatMap(({ exploration }) => exploration.states));
    expect(reached).toEqual([...leaves(systemMachine)].sort());
  });
});

describe.each(variants)('the system chart ($name)', ({ exploration }) => {
  const { states, edges } = exploration;

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
    // Of the steps that are alike, one.
    const alike = new Map(edges.map((edge) => [JSON.stringify([edge.from.value, edge.event]), edge]));
    const late = [...alike.values()].filter(({ from, event }) => {
      if (!isEvent(event) || isHalted(from)) return false;
      // Once it drains, nobody is asked for single services any more.
      if (from.matches('draining') && /^services|reload/.test(event.type)) return false;
      if (event.type === 'stop.overdue' && getNextSnapshot(machine, from, event).context.lost === from.context.lost)
        return false;
      return getNextSnapshot(machine, from, { ...event, at: 77 }).context.at !== 77;
    });
    expect(late.map(describeEdge)).toEqual([]);
  });

  it('drains at once when it is told to', () => {
    const ignored = edges.filter(
      ({ event, to }) => event.type === 'system.shutdown' && !to.matches('draining') && !isHalted(to),
    );
    expect(ignored.map(describeEdge)).toEqual([]);
  });

  it('never goes back from the drain', () => {
    const back = edges.filter(({ from, to }) => from.matches('draining') && !to.matches('draining') && !isHalted(to));
    expect(back.map(describeEdge)).toEqual([]);
  });

  it('has a reason from the first moment of the drain, and keeps it', () => {
    const aimless = states.filter(
      (snapshot) => (snapshot.matches('draining') || isHalted(snapshot)) !== (snapshot.context.end !== undefined),
    );
    expect(aimless.map(exploration.key)).toEqual([]);
    const changed = edges.filter(
      ({ from, to }) => from.context.end !== undefined && from.context.end !== to.context.end,
    );
    expect(changed.map(describeEdge)).toEqual([]);
  });

  it('has an output with that reason once it has halted', () => {
    const halted = states.filter(isHalted);
    expect(halted.length).toBeGreaterThan(0);
    expect(halted.filter(({ output, context }) => output?.end !== context.end)).toEqual([]);
  });

  it('tells a service to start only when what it waits for is satisfied, and never while draining', () => {
    const released = edges.flatMap(({ from, to }) =>
      to.context.spec.services
        .filter(
          ({ name }) =>
            from.context.standings[name]?.phase === 'pending' && to.context.standings[name]?.phase === 'starting',
        )
        .map((service) => ({ service, to })),
    );
    const early = released.filter(({ service, to }) => {
      if (Object.values(to.context.stopping).some(({ reload }) => reload)) return true;
      const waiting = service.prerequisites.filter((name) => {
        const standing = to.context.standings[name];
        const satisfied =
          standing?.phase === 'running' ||
          standing?.phase === 'exited' ||
          standing?.phase === 'scheduled' ||
          standing?.phase === 'disabled';
        return !satisfied && !(standing?.phase === 'failed' && standing.ignoreFailures);
      });
      return waiting.length > 0 || to.matches('draining');
    });
    expect(early).toEqual([]);
  });

  it('clears only after every service has ended', () => {
    const early = states.filter(
      (snapshot) =>
        snapshot.matches({ draining: 'clearing' }) &&
        Object.entries(snapshot.context.standings).some(([name, { phase }]) => !isOver(snapshot, name, phase)),
    );
    expect(early.map(exploration.key)).toEqual([]);
  });

  it('stops no service before those that wait for it have ended', () => {
    const early = states.filter((snapshot) =>
      snapshot.context.spec.services.some(({ name, prerequisites }) => {
        const standing = snapshot.context.standings[name];
        const told = prerequisites.some((other) => snapshot.context.told[other]);
        return told && standing !== undefined && !isOver(snapshot, name, standing.phase);
      }),
    );
    expect(early.map(exploration.key)).toEqual([]);
  });

  it('is up only when every service has come as far as it will', () => {
    const arrivals = edges.filter(({ from, to }) => from.matches('booting') && to.matches('up'));
    const open = arrivals.filter(({ to: { context } }) =>
      context.graph.names.some((name) => {
        const standing = context.standings[name];
        return standing?.phase === 'starting' && !standing.hasBeenReady;
      }),
    );
    expect(open.map(describeEdge)).toEqual([]);
  });

  it('ends for want of processes only when there are none, and none about to come', () => {
    const exhausted = edges.filter(({ from, to }) => from.context.end === undefined && to.context.end !== undefined);
    const wrong = exhausted.filter(
      ({ to: { context } }) =>
        (context.end?.kind === 'noProcesses' || context.end?.kind === 'nothingStarted') &&
        (context.childrenLeft ||
          !context.spec.detectExit ||
          Object.values(context.standings).some(({ phase }) => ['backoff', 'running', 'scheduled'].includes(phase))),
    );
    expect(wrong.map(describeEdge)).toEqual([]);
  });

  it('has an actor and a standing for every service of the configuration, and for what has still to leave', () => {
    const wrong = states.filter(({ context, children }) => {
      const names = [...context.spec.services.map(({ name }) => name), ...Object.keys(context.leaving)].sort();
      const actors = Object.keys(children).filter((id) => id.startsWith('service:'));
      return [Object.keys(context.standings), Object.keys(context.services)].some(
        (found) => found.sort().join() !== names.join() || actors.length !== names.length,
      );
    });
    expect(wrong.map(exploration.key)).toEqual([]);
  });

  it('carries a reload out, if only what it stops ends', () => {
    const isThrough = ({ context, status }: SystemSnapshot): boolean =>
      status === 'done' || context.end !== undefined || !Object.values(context.stopping).some(({ reload }) => reload);
    const stuck = stranded(exploration, isThrough, ({ event }) => event.type === 'service.changed');
    expect(stuck).toEqual([]);
  });

  it('is not ended by what a reload replaces', () => {
    const wrong = edges.filter(({ from, event, to }) => {
      const name = 'name' in event ? String(event['name']) : '';
      const replaced = from.context.stopping[name]?.reload === true;
      return replaced && from.context.end === undefined && to.context.end?.kind === 'serviceFailed';
    });
    expect(wrong.map(describeEdge)).toEqual([]);
  });

  it('says once, and only while nothing runs, that scheduled services keep it alive', () => {
    const saying = edges.filter(({ from, to }) => !from.context.saidWaiting && to.context.saidWaiting);
    const wrong = saying.filter(({ to }) => {
      const phases = Object.values(to.context.standings).map(({ phase }) => phase);
      const waits = phases.includes('scheduled') && !phases.includes('running') && !to.context.childrenLeft;
      return !waits || !to.matches('up');
    });
    expect(wrong.map(describeEdge)).toEqual([]);
    expect(edges.filter(({ from, to }) => from.context.saidWaiting && !to.context.saidWaiting)).toEqual([]);
  });
});
