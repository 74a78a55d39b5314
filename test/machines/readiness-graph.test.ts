import { describe, expect, it } from 'vitest';
import { createActor, type EventObject, fromCallback, SimulatedClock, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import {
  type CheckFact,
  type CheckRequest,
  type CheckRun,
  type ProbeFact,
  probeMachine,
} from '../../src/machines/probe.ts';
import {
  type ReadinessFact,
  type ReadinessInput,
  readinessMachine,
  reportsFailure,
  type StartOf,
} from '../../src/machines/readiness.ts';
import type { NotifyMessage } from '../../src/model/service/notify-message.ts';
import type { PidfileTrouble } from '../../src/model/service/pidfile.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import type { MissedEnd, NotifyFact, PidfileFact } from '../../src/model/service/unit-events.ts';
import { serviceSpec } from '../model/specs.ts';
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
import { tcpProbe } from './explored-service.ts';
import { exit1, hearing } from './scripted.ts';

type ReadinessSnapshot = SnapshotFrom<typeof readinessMachine>;
type ReadinessEvent = NotifyFact | PidfileFact | ProbeFact;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<ReadinessEvent['type'], true>> = {
  'notify.received': true,
  'pidfile.found': true,
  'pidfile.seen': true,
  'probe.passed': true,
  'probe.failed': true,
};

const messages: readonly NotifyMessage[] = [
  { ready: true },
  { ready: true, mainPid: 20 },
  { ready: true, errno: 5 },
  { errno: 0 },
  { busError: 'org.example.Error' },
  { extend: 40_000 },
  { status: 'busy' },
];
const events: readonly ReadinessEvent[] = [1, 2].flatMap((serial): readonly ReadinessEvent[] => [
  { type: 'pidfile.found', serial, pid: 20, at: 5 },
  { type: 'pidfile.found', serial, pid: 20, ended: { status: exit1, age: 3 }, at: 5 },
  { type: 'pidfile.seen', serial, trouble: 'garbage', at: 5 },
  ...[0, 1].flatMap((index): readonly ReadinessEvent[] => [
    { type: 'probe.passed', serial, index, state: { standing: 'passed', failures: 0 }, at: 5 },
    { type: 'probe.failed', serial, index, state: { standing: 'open', failures: 1 }, at: 5 },
  ]),
  ...messages.map((message): ReadinessEvent => ({ type: 'notify.received', serial, message, at: 5 })),
]);

const owner = createActor(fromCallback<ReadinessFact>(() => {}));
const machine = readinessMachine.provide({
  actors: {
    pidfile: fromCallback<EventObject, StartOf, PidfileFact>(() => {}),
    probe: probeMachine.provide({ actors: { check: fromCallback<CheckRequest, CheckRun, CheckFact>(() => {}) } }),
  },
});

function inputFor(changes: Partial<ServiceSpec>): ReadinessInput {
  const probes = changes.ready !== undefined;
  return { service: serviceSpec(changes), serial: 2, owner, deadline: 30_000, probes, at: 0 };
}

function exploreReadiness(changes: Partial<ServiceSpec>): Exploration<ReadinessSnapshot> {
  return explore(machine, {
    input: inputFor(changes),
    events: ({ status }: ReadinessSnapshot) => (status === 'done' ? [] : events),
    distinguish: ({ context }: ReadinessSnapshot) => [
      context.trouble,
      context.deadline,
      JSON.stringify(context.states),
    ],
  });
}

const pidfile = '/run/web.pid';
const variants = [
  { name: 'a pidfile', exploration: exploreReadiness({ type: 'forking', pidfile }) },
  { name: 'notify', exploration: exploreReadiness({ type: 'notify' }) },
  {
    name: 'probes',
    exploration: exploreReadiness({ type: 'simple', ready: { kind: 'all', of: [tcpProbe, tcpProbe] } }),
  },
  {
    name: 'notify and a probe',
    exploration: exploreReadiness({
      type: 'notify',
      ready: { kind: 'all', of: [{ ...tcpProbe, check: { kind: 'notify' } }, tcpProbe] },
    }),
  },
];

function describeEdge({ from, event, to }: Edge<ReadinessSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

function told({ sent }: Edge<ReadinessSnapshot>): readonly string[] {
  return sent.map(({ event }) => event.type);
}

function isEvent(event: EventObject): event is ReadinessEvent {
  return event.type in eventTypes;
}

describe('the readiness chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(readinessMachine)).toEqual(Object.keys(eventTypes).sort());
    const missing = unanswered(readinessMachine, Object.keys(eventTypes));
    // The chart leaves `choosing` before any event arrives.
    expect(missing.filter((line) => !line.startsWith('choosing '))).toEqual([]);
  });

  it('reaches every state', () => {
    const reached = reachedLeaves(variants.flatMap(({ exploration }) => exploration.states));
    expect(reached).toEqual(
      leaves(readinessMachine)
        .filter((leaf) => leaf !== 'choosing')
        .sort(),
    );
  });
});

describe.each(variants)('the readiness chart ($name)', ({ exploration }) => {
  const { states, edges } = exploration;
  const isDone = ({ status }: ReadinessSnapshot): boolean => status === 'done';

  it('ends from every state by the passing of time alone', () => {
    expect(stranded(exploration, isDone, ({ event }) => event.type.startsWith('xstate.after.'))).toEqual([]);
  });

  it('tells exactly one verdict, in the step in which it ends', () => {
    const wrong = edges.filter((edge) => {
      if (!isEvent(edge.event) || isDone(edge.from)) return false;
      const verdicts = told(edge).filter((type) => type !== 'readiness.extended');
      return verdicts.join() !== (isDone(edge.to) ? `readiness.${statePath(edge.to.value)}` : '');
    });
    expect(wrong.map(describeEdge)).toEqual([]);
    expect(edges.some(({ to }) => isDone(to))).toBe(true);
  });

  it('never passes by a notification that reports a failure', () => {
    const passed = edges.filter(
      ({ event, to }) =>
        isEvent(event) && event.type === 'notify.received' && to.matches('passed') && reportsFailure(event),
    );
    expect(passed.map(describeEdge)).toEqual([]);
  });

  it('never makes the time shorter', () => {
    expect(edges.filter(({ from, to }) => to.context.deadline < from.context.deadline).map(describeEdge)).toEqual([]);
  });

  it('ignores what belongs to another start', () => {
    const stale = edges.filter(({ event }) => 'serial' in event && event['serial'] !== 2);
    expect(stale.length).toBeGreaterThan(0);
    expect(stale.filter(({ from, to }) => exploration.key(from) !== exploration.key(to)).map(describeEdge)).toEqual([]);
    expect(states.length).toBeGreaterThan(2);
  });
});

function scripted(changes: Partial<ServiceSpec>, at = 0) {
  const clock = new SimulatedClock();
  const { actor: owner, heard: facts } = hearing<ReadinessFact>();
  let looking = 0;
  const logic = readinessMachine.provide({
    actors: {
      pidfile: fromCallback<EventObject, StartOf, PidfileFact>(() => {
        looking += 1;
        return () => {
          looking -= 1;
        };
      }),
    },
  });
  const input = { ...inputFor(changes), owner, at };
  const actor = createActor(logic, { clock, input }).start();
  return {
    clock,
    facts,
    looking: () => looking,
    find: (pid: number, ended?: MissedEnd) =>
      actor.send({ type: 'pidfile.found', serial: 2, pid, at: clock.now(), ...(ended === undefined ? {} : { ended }) }),
    see: (trouble: PidfileTrouble) => actor.send({ type: 'pidfile.seen', serial: 2, trouble, at: clock.now() }),
    notify: (message: NotifyMessage) => actor.send({ type: 'notify.received', serial: 2, message, at: clock.now() }),
  };
}

describe('what a service that awaits its readiness is told', () => {
  it('is who the pidfile names, and whether that has ended already', () => {
    const alive = scripted({ pidfile });
    alive.clock.increment(10);
    alive.find(4711);
    expect(alive.facts).toEqual([{ type: 'readiness.passed', serial: 2, pid: 4711, at: 10 }]);
    expect(alive.looking()).toBe(0);
    const ended = scripted({ pidfile });
    expect(ended.looking()).toBe(1);
    ended.find(4711, { status: exit1, age: 3 });
    expect(ended.facts).toEqual([
      { type: 'readiness.passed', serial: 2, pid: 4711, ended: { status: exit1, age: 3 }, at: 0 },
    ]);
  });

  it('is what the pidfile was like when the time was up', () => {
    const { clock, see, facts } = scripted({ pidfile });
    see('garbage');
    see('dead');
    clock.increment(29_999);
    expect(facts).toEqual([]);
    clock.increment(1);
    const cause = { kind: 'pidfile', file: pidfile, trouble: 'dead', timeout: 30_000 };
    expect(facts).toEqual([{ type: 'readiness.failed', serial: 2, cause, at: 30_000 }]);
  });

  it('is READY, or what else the service says of itself', () => {
    const ready = scripted({ type: 'notify' });
    ready.notify({ status: 'soon' });
    ready.notify({ ready: true });
    expect(ready.facts).toEqual([{ type: 'readiness.passed', serial: 2, at: 0 }]);
    const failed = scripted({ type: 'notify' });
    failed.notify({ errno: 0 });
    failed.notify({ errno: 5, busError: 'org.example.Error', ready: true });
    const cause = { kind: 'reported', errno: 5, busError: 'org.example.Error', pid: 0 };
    expect(failed.facts).toEqual([{ type: 'readiness.failed', serial: 2, cause, at: 0 }]);
  });

  it.each([
    { pidfile },
    { type: 'notify' as const },
  ])('is the present time where the time was up before it was waited for (%o)', (changes) => {
    const { clock, facts } = scripted(changes, 30_028);
    clock.increment(0);
    expect(facts).toMatchObject([{ type: 'readiness.failed', at: 30_028 }]);
  });

  it('is until when it may take, where it asks for more, and that it took longer', () => {
    const { clock, notify, facts } = scripted({ type: 'notify' });
    notify({ extend: 1_000 });
    clock.increment(20_000);
    notify({ extend: 15_000 });
    clock.increment(14_999);
    expect(facts.map(({ type }) => type)).toEqual(['readiness.extended', 'readiness.extended']);
    expect(facts.map((fact) => ('deadline' in fact ? fact.deadline : 0))).toEqual([30_000, 35_000]);
    clock.increment(1);
    expect(facts.at(-1)).toEqual({
      type: 'readiness.failed',
      serial: 2,
      cause: { kind: 'timeout', timeout: 30_000, pid: 0 },
      at: 35_000,
    });
  });

  it('takes the longest time that can be asked for', () => {
    const { clock, notify, facts } = scripted({ type: 'notify' });
    notify({ extend: Number.POSITIVE_INFINITY });
    clock.increment(2 ** 40);
    expect(facts.map(({ type }) => type)).toEqual(['readiness.extended']);
  });
});
