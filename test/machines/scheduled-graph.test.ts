import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { conditionsMachine } from '../../src/machines/conditions.ts';
import { runCounts, type ScheduledEvent, type ScheduledInput, scheduledMachine } from '../../src/machines/scheduled.ts';
import type { ServiceReport } from '../../src/machines/service-events.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import { mostRuns } from '../../src/model/schedule/scheduled-runs.ts';
import { phaseOfPath, type ServicePhase } from '../../src/model/service/service-phase.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceStages } from '../../src/model/service/service-stage.ts';
import { serviceSpec } from '../model/specs.ts';
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
} from './explore.ts';
import { phaseSteps } from './phase-steps.ts';
import { exit0, exit1, noSuchProgram } from './scripted.ts';

type ScheduledSnapshot = SnapshotFrom<typeof scheduledMachine>;

/** The compiler keeps this list complete. */
const eventTypes: Readonly<Record<ScheduledEvent['type'], true>> = {
  'service.start': true,
  'service.stop': true,
  'service.kill': true,
  'service.retire': true,
  'service.reset': true,
  'service.signal': true,
  'service.reconfigure': true,
  'service.reload': true,
  'unit.spawned': true,
  'unit.spawnFailed': true,
  'unit.leaderExited': true,
  'unit.cleared': true,
  'unit.survived': true,
  'trigger.armed': true,
  'trigger.refused': true,
  'trigger.fired': true,
  'reset.overdue': true,
  'service.run': true,
  'conditions.met': true,
  'conditions.unmet': true,
  'conditions.failed': true,
  'run.overran': true,
  'run.due': true,
};

function commands(at: number): readonly ScheduledEvent[] {
  return [
    { type: 'service.start', at },
    { type: 'service.stop', drain: false, killAfter: 5_000, at },
    {
      type: 'service.stop',
      drain: false,
      killAfter: 5_000,
      because: { prerequisite: 'db', how: 'crashed' },
      fails: true,
      at,
    },
    { type: 'service.reload', at },
    { type: 'service.stop', drain: true, at },
    { type: 'service.kill', grace: 1_000, at },
    { type: 'service.retire', at },
    { type: 'service.reset', killAfter: 5_000, at },
    { type: 'service.signal', signal: 'SIGHUP', at },
    { type: 'trigger.armed', at },
    { type: 'trigger.refused', cause: { kind: 'spawn', error: noSuchProgram }, at },
    { type: 'service.run', request: 7, at },
    { type: 'run.due', at },
    { type: 'trigger.fired', connection: { id: 3, address: '::1', port: 4_000 }, at },
  ];
}

/** The most runs at the same time that are explored: more of them lead to no new kind of state. */
const mostAtOnce = 3;

/** Every command, every fact about each run of which something is left, and facts about a run that is gone. */
function asker({ runs }: ScheduledSnapshot['context'], serial: number): string {
  return `ask-${runs[serial]?.place ?? 'none'}`;
}

function eventsFor({ context, children }: ScheduledSnapshot): readonly ScheduledEvent[] {
  const at = context.at + 10;
  const stale = context.runs[0] === undefined ? [['0', { pid: 10, ended: false }] as const] : [];
  const facts = [...Object.entries(context.runs), ...stale].flatMap(
    ([key, { pid, ended }]): readonly ScheduledEvent[] => {
      const serial = Number(key);
      const exit = { type: 'unit.leaderExited', serial, pid: 10, age: 5, at } as const;
      const rest: readonly ScheduledEvent[] = [
        { type: 'unit.survived', serial, at },
        ...(context.spec.maxRuntime === undefined ? [] : [{ type: 'run.overran', serial, at } as const]),
      ];
      if (ended) return [...rest, { type: 'unit.cleared', serial, at }];
      // What asks the conditions of a run, or of a start, reports these, and `unit.cleared` where it was told to end.
      if (children[asker(context, serial)] !== undefined)
        return [
          ...rest,
          { type: 'conditions.met', serial, at },
          { type: 'conditions.unmet', serial, why: 'X is not set', at },
          { type: 'conditions.failed', serial, failure: { kind: 'timeout', timeout: 5 }, at },
          { type: 'unit.cleared', serial, at },
        ];
      return [
        ...rest,
        { ...exit, status: exit0, left: 0 },
        { ...exit, status: exit1, left: 2 },
        ...(pid === 0 || serial === 0
          ? [
              { type: 'unit.spawned', serial, pid: 10, at } as const,
              { type: 'unit.spawnFailed', serial, error: noSuchProgram, at } as const,
            ]
          : []),
      ];
    },
  );
  const spec = { ...context.spec, debug: !context.spec.debug };
  const isFull = Object.keys(context.runs).length >= mostAtOnce;
  return [
    ...commands(at).filter(
      ({ type }) => (type !== 'trigger.fired' && type !== 'service.run' && type !== 'run.due') || !isFull,
    ),
    { type: 'service.reconfigure', spec, at },
    { type: 'reset.overdue', at },
    ...facts,
  ];
}

const system = createActor(fromCallback<ServiceReport>(() => {}));
const machine = scheduledMachine.provide({
  actors: {
    unit: unitMachine.provide({ actors: { processes: fromCallback(() => {}) } }),
    trigger: fromCallback(() => {}),
    conditions: conditionsMachine.provide({ actors: { lookup: fromCallback(() => {}) } }),
  },
});

function inputOf(changes: Partial<ServiceSpec>): ScheduledInput {
  return { spec: serviceSpec(changes), system };
}

function exploreScheduled(changes: Partial<ServiceSpec>): Exploration<ScheduledSnapshot> {
  return explore(machine, {
    input: inputOf(changes),
    events: eventsFor,
    distinguish: ({ context, children }: ScheduledSnapshot) => [
      Object.keys(children).filter((id) => id.startsWith('ask-')).length,
      Object.values(context.runs)
        .map(
          ({ pid, ended, ending, killAt }) =>
            `${ended ? 'left' : pid === 0 ? 'new' : 'live'} ${ending ?? ''}${killAt === undefined ? '' : Number.isFinite(killAt) ? ' reset' : ' killed'}`,
        )
        .sort(),
      context.trigger !== undefined,
      context.paused,
      context.waiting !== undefined,
      context.retired,
      context.verdict !== undefined,
      context.restartsUsed,
    ],
  });
}

const cases: Readonly<Record<string, Partial<ServiceSpec>>> = {
  cron: { type: 'cron', interval: '* * * * *' },
  'cron, overlap: queue': { type: 'cron', interval: '* * * * *', cron: { overlap: 'queue' } },
  'cron, overlap: replace': { type: 'cron', interval: '* * * * *', cron: { overlap: 'replace' } },
  'cron, start_if': { type: 'cron', interval: '* * * * *', startIf: { kind: 'env', name: 'X' } },
  'inetd, start_if': { type: 'inetd', port: 80, maxConnections: 1, startIf: { kind: 'env', name: 'X' } },
  'cron, max_runtime': { type: 'cron', interval: '* * * * *', maxRuntime: 30_000 },
  'inetd, one at a time': { type: 'inetd', port: 80, maxConnections: 1 },
  'inetd, its port tried again': {
    type: 'inetd',
    port: 80,
    maxConnections: 1,
    restartLimit: 2,
    restartPolicy: { startFailure: true, backoff: 2 },
  },
  'inetd, two at a time': { type: 'inetd', port: 80, maxConnections: 2 },
};
const variants = Object.entries(cases).map(([name, spec]) => ({ name, spec, exploration: exploreScheduled(spec) }));
const disabled = exploreScheduled({ type: 'cron', interval: '* * * * *', enabled: false });
const all = [...variants.map(({ exploration }) => exploration), disabled];
const allEdges = all.flatMap(({ edges }) => edges);

function hasEnded(snapshot: ScheduledSnapshot): boolean {
  const isSkipped = snapshot.matches('disabled') && snapshot.context.skipped !== undefined;
  return snapshot.matches('stopped') || snapshot.matches('failed') || isSkipped;
}

function hasBegun(snapshot: ScheduledSnapshot): boolean {
  return snapshot.matches('starting') || snapshot.matches('ready');
}

function runsOf({ context }: ScheduledSnapshot): number {
  return Object.keys(context.runs).length;
}

function describeEdge({ from, event, to }: Edge<ScheduledSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

function phaseOf({ value }: ScheduledSnapshot): ServicePhase {
  const phase = phaseOfPath(statePath(value));
  if (phase === undefined) throw new Error(`no phase is known for ${statePath(value)}`);
  return phase;
}

function reported({ sent }: Edge<ScheduledSnapshot>): readonly ServicePhase[] {
  return sent.flatMap(({ event }) =>
    event.type === 'service.changed' && 'change' in event ? [(event['change'] as { phase: ServicePhase }).phase] : [],
  );
}

/** How many events of this type the step sends to the units of runs. */
function told({ sent }: Edge<ScheduledSnapshot>, type: string): number {
  return sent.filter(({ event }) => event.type === type).length;
}

/** True where a run is told to end for itself: it has lasted too long, or the next one replaces it. */
function endsOneRun({ from, event }: Edge<ScheduledSnapshot>): boolean {
  if (event.type === 'run.overran') return true;
  const replaces = event.type === 'trigger.fired' || event.type === 'service.run';
  return replaces && from.context.spec.cron?.overlap === 'replace';
}

function isEvent(event: { readonly type: string }): event is ScheduledEvent {
  return event.type in eventTypes;
}

describe('the scheduled chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(scheduledMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(scheduledMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('reaches every state, and has a name for each', () => {
    const reached = reachedLeaves(all.flatMap(({ states }) => states));
    expect(reached).toEqual([...leaves(scheduledMachine)].sort());
    expect(reached.filter((leaf) => !serviceStages.some((stage) => stage === leaf))).toEqual([]);
  });

  it('shows nobody a transient state, and never ends as an actor', () => {
    const wrong = all
      .flatMap(({ states }) => states)
      .filter((snapshot) => snapshot.hasTag('transient') || snapshot.status !== 'active');
    expect(wrong).toEqual([]);
  });

  it('moves between phases only as phaseSteps says, and reports each of them once', () => {
    const wrong = allEdges.filter((edge) => {
      const [before, after] = [phaseOf(edge.from), phaseOf(edge.to)];
      const phases = reported(edge);
      if (before === after) return phases.length > 0;
      // A service without runs has ended as soon as it is told to stop.
      const passed = (after === 'stopped' || after === 'failed') && phases.length === 2;
      const steps = passed ? (['stopping', after] as const) : ([after] as const);
      const isStep = phaseSteps[before].includes(steps[0]);
      return !isStep || phases.join() !== steps.join();
    });
    expect([...new Set(wrong.map(describeEdge))]).toEqual([]);
  });

  it('stays disabled whatever comes but a start by hand', () => {
    const left = disabled.edges.filter(({ from, to }) => from.matches('disabled') && !to.matches('disabled'));
    expect(new Set(left.map(({ event }) => event.type))).toEqual(new Set(['service.start']));
  });
});

describe.each(variants)('the scheduled chart ($name)', ({ spec, exploration }) => {
  const { states, edges } = exploration;

  it('leaves stopping, and rests, only when nothing is left', () => {
    const quiet = (snapshot: ScheduledSnapshot): boolean =>
      hasEnded(snapshot) || snapshot.matches('pending') || snapshot.matches('starting');
    // The conditions of a start stand in the place of a run.
    const rests = states.filter((snapshot) => !snapshot.matches({ starting: 'asking' }));
    expect(rests.filter((snapshot) => quiet(snapshot) && runsOf(snapshot) > 0).map(exploration.key)).toEqual([]);
    expect(states.filter((snapshot) => snapshot.matches('stopping') && runsOf(snapshot) === 0)).toEqual([]);
  });

  it('ends, once it was told to, by the ends of its runs alone', () => {
    const stuck = stranded(
      exploration,
      (snapshot) => hasEnded(snapshot) || !snapshot.matches('stopping'),
      ({ event }) => event.type === 'unit.leaderExited' || event.type === 'unit.cleared',
    );
    expect(stuck).toEqual([]);
    const ending = edges.filter(({ event }) => event.type === 'service.stop' || event.type === 'service.kill');
    expect(ending.filter(({ to }) => !to.matches('stopping') && !hasEnded(to)).map(describeEdge)).toEqual([]);
  });

  it('fails because of its prerequisite once nothing runs', () => {
    const failing = edges.filter(
      ({ from, event }) => hasBegun(from) && event.type === 'service.stop' && 'fails' in event,
    );
    expect(failing.length).toBeGreaterThan(0);
    expect(failing.filter(({ to }) => to.context.verdict?.kind !== 'prerequisite').map(describeEdge)).toEqual([]);
    const ends = edges.filter(
      ({ from, to }) => from.matches('stopping') && from.context.verdict !== undefined && hasEnded(to),
    );
    expect(new Set([...ends, ...failing.filter(({ to }) => hasEnded(to))].map(({ to }) => to.value))).toEqual(
      new Set(['failed']),
    );
  });

  it('can reach stopped or failed from every state', () => {
    expect(stranded(exploration, hasEnded)).toEqual([]);
  });

  it('has one unit for each run, and a trigger only while it starts or is scheduled', () => {
    const wrong = states.filter((snapshot) => {
      const { runs, trigger } = snapshot.context;
      const expected = Object.values(runs).map(({ ref }) => ref.id);
      if (trigger !== undefined) expected.push('trigger');
      const mayTrigger = snapshot.matches('starting') || snapshot.matches('ready');
      return Object.keys(snapshot.children).sort().join() !== expected.sort().join() || (!mayTrigger && !!trigger);
    });
    expect(wrong.map(exploration.key)).toEqual([]);
    const open = states.filter((snapshot) => snapshot.matches({ starting: 'spawning' }) || snapshot.matches('ready'));
    expect(open.filter(({ context }) => context.retired === (context.trigger !== undefined))).toEqual([]);
  });

  it('begins runs only while it is scheduled, and not once it was retired', () => {
    const begun = edges.filter(({ from, to }) => from.context.begun !== to.context.begun);
    expect(begun.length).toBeGreaterThan(0);
    const causes = new Set([
      'conditions.met',
      'conditions.unmet',
      'conditions.failed',
      'trigger.fired',
      'service.run',
      'run.due',
      'unit.leaderExited',
      'unit.spawnFailed',
      'unit.cleared',
    ]);
    const wrong = begun.filter(
      ({ from, event }) => !from.matches('ready') || !causes.has(event.type) || from.context.retired,
    );
    expect(wrong.map(describeEdge)).toEqual([]);
    // A run that begins at the end of another one has waited for it.
    const uncalled = begun.filter(
      ({ from, event }) => event.type.startsWith('unit.') && from.context.waiting === undefined,
    );
    expect(uncalled.map(describeEdge)).toEqual([]);
  });

  it('keeps a run waiting only while another one is there, and only where overlaps may wait', () => {
    const waiting = states.filter(({ context }) => context.waiting !== undefined);
    expect(waiting.length > 0).toBe(spec.cron?.overlap !== undefined);
    const idle = waiting.filter(
      (snapshot) => !snapshot.matches('ready') || (runsOf(snapshot) === 0 && !snapshot.context.retired),
    );
    expect(idle.map(exploration.key)).toEqual([]);
  });

  it('answers every request for a run at once, and says how each run that was asked for has ended', () => {
    const kinds = ({ sent }: Edge<ScheduledSnapshot>): readonly string[] =>
      sent.flatMap(({ event }) => ('news' in event ? [(event['news'] as { kind: string }).kind] : []));
    const asked = edges.filter(({ event }) => event.type === 'service.run');
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.filter((edge) => !kinds(edge).includes('runAsked')).map(describeEdge)).toEqual([]);
    const open = ({ context }: ScheduledSnapshot): number =>
      (context.waiting?.length ?? 0) +
      Object.values(context.runs).reduce((sum, { requests, ended }) => (ended ? sum : sum + requests.length), 0);
    const silent = edges.filter((edge) => open(edge.to) < open(edge.from) && !kinds(edge).includes('runAnswered'));
    expect(silent.map(describeEdge)).toEqual([]);
  });

  it('has its trigger wait exactly while it is full', () => {
    const most = mostRuns(serviceSpec(spec));
    const wrong = states.filter(
      ({ context }) => context.trigger !== undefined && context.paused !== runCounts(context).running >= most,
    );
    expect(wrong.map(exploration.key)).toEqual([]);
    // Runs of a cron job never overlap, whatever the last run has left behind.
    if (spec.type === 'cron') expect(states.filter(({ context }) => runCounts(context).running > 1)).toEqual([]);
    if (spec.type === 'cron') expect(states.some((snapshot) => runsOf(snapshot) > 1)).toBe(true);
  });

  it('lets go of a run only when nothing is left of it, or it never was', () => {
    const ended = edges.filter(({ from, to }) => runsOf(to) < runsOf(from));
    const early = ended.filter(
      ({ event }) =>
        event.type !== 'unit.spawnFailed' &&
        event.type !== 'unit.cleared' &&
        !event.type.startsWith('conditions.') &&
        !(event.type === 'unit.leaderExited' && 'left' in event && event['left'] === 0),
    );
    expect(early.map(describeEdge)).toEqual([]);
  });

  it('tells every run to end once, when a stop, the end of a drain or a reset asks for it', () => {
    const ending = edges.filter((edge) => told(edge, 'unit.terminate') > 0);
    expect(ending.length).toBeGreaterThan(0);
    const wrong = ending.filter((edge) => !endsOneRun(edge) && told(edge, 'unit.terminate') !== runsOf(edge.to));
    expect(wrong.map(describeEdge)).toEqual([]);
    const causes = ending.filter((edge) => {
      const { from, event, to } = edge;
      if (endsOneRun(edge)) return false;
      if (event.type === 'service.reset') return !(from.matches('ready') || from.matches({ stopping: 'draining' }));
      return !to.matches('stopping') || statePath(from.value) === statePath(to.value);
    });
    expect(causes.map(describeEdge)).toEqual([]);
  });

  it('keeps its trigger and its place through a reset', () => {
    const reset = edges.filter(({ from, event }) => event.type === 'service.reset' && from.matches('ready'));
    expect(reset.length).toBeGreaterThan(0);
    const lost = reset.filter(({ from, to }) => !to.matches('ready') || from.context.trigger !== to.context.trigger);
    expect(lost.map(describeEdge)).toEqual([]);
  });

  it('takes another definition in every state, and stays where it is', () => {
    const changed = edges.filter(({ event }) => event.type === 'service.reconfigure');
    expect(new Set(changed.map(({ from }) => exploration.key(from))).size).toBe(states.length);
    expect(changed.filter(({ from, to }) => exploration.key(from) !== exploration.key(to)).map(describeEdge)).toEqual(
      [],
    );
    expect(changed.filter(({ from, to }) => from.context.spec.debug === to.context.spec.debug)).toEqual([]);
  });

  it('ignores facts about a run that is gone', () => {
    const stale = edges.filter(
      ({ from, event }) =>
        'serial' in event &&
        event['serial'] === 0 &&
        from.context.runs[0] === undefined &&
        event.type !== 'unit.survived',
    );
    expect(stale.length).toBeGreaterThan(0);
    const moved = stale.filter(
      (edge) => exploration.key(edge.from) !== exploration.key(edge.to) || edge.sent.length > 0,
    );
    expect([...new Set(moved.map(describeEdge))]).toEqual([]);
  });

  it('notes the time of whatever changes anything, and tells it', () => {
    const steps = new Steps(machine, inputOf(spec));
    const alike = new Map(
      edges.map((edge) => {
        const isStale = 'serial' in edge.event && edge.event['serial'] === 0 && edge.from.context.runs[0] === undefined;
        return [JSON.stringify([exploration.key(edge.from), { ...edge.event, at: 0, serial: isStale }]), edge];
      }),
    );
    const late = [...alike.values()].filter(({ from, event }) => {
      if (!isEvent(event) || !('at' in event)) return false;
      const later: ScheduledEvent = { ...event, at: 7_777_777 };
      const { to, sent } = steps.take(from, later);
      const { at } = to.context;
      const toSystem = sent.filter((each) => each.to === system);
      const isLate = toSystem.some((each) => 'at' in each.event && each.event['at'] !== 7_777_777);
      return isLate || (exploration.key(from) !== exploration.key(to) && at !== 7_777_777);
    });
    expect([...new Set(late.map(describeEdge))]).toEqual([]);
  });

  it('starts nothing once it was retired', () => {
    const started = edges.filter(
      ({ from, event, to }) =>
        (event.type === 'service.retire' || from.context.retired) && from.context.serial !== to.context.serial,
    );
    expect(started.map(describeEdge)).toEqual([]);
  });
});
