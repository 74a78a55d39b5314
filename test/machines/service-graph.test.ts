import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { statePath } from '../../src/facts/transition.ts';
import { serviceMachine } from '../../src/machines/service.ts';
import { mayLead } from '../../src/machines/unit.ts';
import { phaseOfPath, type ServicePhase } from '../../src/model/service/service-phase.ts';
import { serviceStages } from '../../src/model/service/service-stage.ts';
import {
  canReach,
  chartEvents,
  type Edge,
  type Exploration,
  leaves,
  reachedLeaves,
  stranded,
  unanswered,
  unexplored,
} from './explore.ts';
import {
  eventTypes,
  exploreService,
  hookedVariants,
  reportsIn,
  type ServiceSnapshot,
  variants,
} from './explored-service.ts';
import { phaseSteps } from './phase-steps.ts';

const live = ['starting', 'ready.running', 'stopping'];

/** True where a run is in progress, or still has to be cleared away. */
function mustHaveUnit({ value, context: { spec } }: ServiceSnapshot): boolean {
  const path = statePath(value);
  // The start of a forking service may have left nothing, and its probes may pass all the same.
  if (path === 'starting.awaitingProbe' && spec.type === 'forking') return false;
  return live.some((state) => path === state || path.startsWith(`${state}.`));
}

/** True where processes that a run has left may be there. */
function mayHaveUnit(snapshot: ServiceSnapshot): boolean {
  return (
    mustHaveUnit(snapshot) ||
    snapshot.matches('starting') ||
    snapshot.matches('exited') ||
    snapshot.matches({ ready: 'exited' })
  );
}

/** The conditions of the start were not met. */
function isSkipped(snapshot: ServiceSnapshot): boolean {
  return snapshot.matches('disabled') && snapshot.context.skipped !== undefined;
}

function hasEnded(snapshot: ServiceSnapshot): boolean {
  return snapshot.matches('stopped') || snapshot.matches('failed') || isSkipped(snapshot);
}

function isFactOrDelay({ event }: Edge<ServiceSnapshot>): boolean {
  return /^(unit|readiness|hooks|conditions)\./.test(event.type) || event.type.startsWith('xstate.after.');
}

function isStale({ from, event }: Edge<ServiceSnapshot>): boolean {
  return 'serial' in event && event['serial'] !== from.context.serial;
}

function describeEdge({ from, event, to }: Edge<ServiceSnapshot>): string {
  return `${statePath(from.value)} ${event.type} ${statePath(to.value)}`;
}

function phaseOf({ value }: ServiceSnapshot): ServicePhase {
  const phase = phaseOfPath(statePath(value));
  if (phase === undefined) throw new Error(`no phase is known for ${statePath(value)}`);
  return phase;
}

/** The phases that a step reports. */
function reported({ sent }: Edge<ServiceSnapshot>): readonly ServicePhase[] {
  return reportsIn(sent).flatMap((report) => (report.type === 'service.changed' ? [report.change.phase] : []));
}

function sentToUnit({ sent }: Edge<ServiceSnapshot>): readonly string[] {
  return sent.flatMap(({ event: { type } }) => (/^unit\.(terminate|kill|signal|lead)$/.test(type) ? [type] : []));
}

const disabled = exploreService({ enabled: false });
/** What an exploration has met: the leaves, and the steps between phases, `from to`. */
interface Met {
  readonly leaves: readonly string[];
  readonly steps: ReadonlySet<string>;
}

const met = new Map<string, Met>();

function meet(name: string, { states, edges }: Exploration<ServiceSnapshot>): Met {
  const steps = new Set<string>();
  for (const { from, to } of edges) if (phaseOf(from) !== phaseOf(to)) steps.add(`${phaseOf(from)} ${phaseOf(to)}`);
  const found = { leaves: reachedLeaves(states), steps };
  met.set(name, found);
  return found;
}

/** What holds in every chart, whatever its service is. */
function holdsInEveryChart(of: () => Exploration<ServiceSnapshot>, hasHooks: boolean): void {
  it('shows nobody a transient state', () => {
    expect(of().states.filter((snapshot) => snapshot.hasTag('transient'))).toEqual([]);
  });

  it('never ends as an actor: a stop is a state', () => {
    expect(of().states.filter(({ status }) => status !== 'active')).toEqual([]);
  });

  it('reports each phase in the step in which it comes there, and nothing else', () => {
    const wrong = of().edges.filter((edge) => {
      const told = reported(edge);
      const [before, after] = [phaseOf(edge.from), phaseOf(edge.to)];
      // A failure that is noticed late is reported after the phase that precedes it.
      if (before === after) return told.length > 0 && told.at(-1) !== after;
      return told.at(-1) !== after || new Set(told).size !== told.length;
    });
    expect([...new Set(wrong.map(describeEdge))]).toEqual([]);
  });

  if (!hasHooks)
    it('tells its unit to end only where it begins to stop it, or is told to kill', () => {
      const ending = of().edges.filter((edge) => sentToUnit(edge).some((type) => /terminate|kill/.test(type)));
      expect(ending.length).toBeGreaterThan(0);
      expect(ending.filter(({ to }) => !to.matches('stopping')).map(describeEdge)).toEqual([]);
      const again = ending.filter(
        ({ from, event, to }) => statePath(from.value) === statePath(to.value) && event.type !== 'service.kill',
      );
      expect(again.map(describeEdge)).toEqual([]);
      const silent = of().edges.filter(
        (edge) => !edge.from.matches('stopping') && edge.to.matches('stopping') && sentToUnit(edge).length === 0,
      );
      expect(silent.map(describeEdge)).toEqual([]);
    });

  it('passes on a signal by hand wherever something may hear it', () => {
    const wrong = of().edges.filter(
      (edge) =>
        edge.event.type === 'service.signal' &&
        sentToUnit(edge).includes('unit.signal') !== (edge.from.context.unit !== undefined),
    );
    expect(wrong.map(describeEdge)).toEqual([]);
  });
}

const others = [
  { name: 'disabled', explored: () => disabled, hasHooks: false },
  ...hookedVariants.map((each) => ({ ...each, hasHooks: true })),
];

describe.each(others)('the service chart with hooks, or disabled ($name)', ({ name, explored, hasHooks }) => {
  let exploration = unexplored<ServiceSnapshot>();
  beforeAll(() => {
    exploration = explored();
    meet(name, exploration);
  });
  // All explorations together would fill the memory.
  afterAll(() => {
    exploration = unexplored();
  });
  holdsInEveryChart(() => exploration, hasHooks);
});

describe('the service chart', () => {
  it('answers every event in every state', () => {
    expect(chartEvents(serviceMachine)).toEqual(Object.keys(eventTypes).sort());
    expect(unanswered(serviceMachine, Object.keys(eventTypes))).toEqual([]);
  });

  it('stays disabled whatever comes but a start by hand', () => {
    const left = disabled.edges.filter(({ from, to }) => phaseOf(from) === 'disabled' && phaseOf(to) !== 'disabled');
    expect(new Set(left.map(({ event }) => event.type))).toEqual(new Set(['service.start']));
  });
});

describe.each(variants)('the service chart ($name)', ({ name, spec, explored }) => {
  let exploration = unexplored<ServiceSnapshot>();
  let { states, edges } = exploration;
  const take = (next: Exploration<ServiceSnapshot>): void => {
    exploration = next;
    ({ states, edges } = next);
  };
  beforeAll(() => {
    take(explored());
    meet(name, exploration);
  });
  afterAll(() => take(unexplored()));
  holdsInEveryChart(() => exploration, false);

  it('can reach stopped or failed from every state', () => {
    expect(stranded(exploration, hasEnded)).toEqual([]);
    // A stop or a kill is enough, together with the ends of the processes.
    for (const command of ['service.stop', 'service.kill']) {
      expect(
        stranded(exploration, hasEnded, (edge) => edge.event.type === command || isFactOrDelay(edge)),
        command,
      ).toEqual([]);
    }
  });

  it('starts no process but by a start command or a restart', () => {
    const started = edges.filter(({ from, to }) => to.context.serial !== from.context.serial);
    expect(started.length).toBeGreaterThan(0);
    const wrong = started.filter(
      ({ from, event, to }) =>
        (event.type !== 'service.start' && !from.matches('backoff')) ||
        !to.matches({ starting: 'startIf' in spec ? 'asking' : 'spawning' }),
    );
    expect(wrong.map(describeEdge)).toEqual([]);
    // No start happens while anything of the last run is left.
    expect(started.filter(({ from }) => from.context.unit !== undefined).map(describeEdge)).toEqual([]);
  });

  it('has one unit in the states that have a process, and none where nothing can be left', () => {
    const wrong = states.filter((snapshot) => {
      const { unit, hasUnit } = snapshot.context;
      const has = unit !== undefined;
      const asks = snapshot.children['conditions'] !== undefined;
      if (snapshot.matches({ starting: 'asking' }) !== asks && !snapshot.matches('stopping')) return true;
      const isThere = snapshot.children['unit'] !== undefined || asks;
      if (has !== hasUnit || has !== isThere) return true;
      return mustHaveUnit(snapshot) ? !has : has && !mayHaveUnit(snapshot);
    });
    expect(wrong.map(exploration.key)).toEqual([]);
  });

  it('takes another definition in every state, and stays where it is', () => {
    const changed = edges.filter(({ event }) => event.type === 'service.reconfigure');
    expect(new Set(changed.map(({ from }) => exploration.key(from))).size).toBe(states.length);
    const moved = changed.filter(
      ({ from, to }) => exploration.key(from) !== exploration.key(to) || from.context.unit !== to.context.unit,
    );
    expect(moved.map(describeEdge)).toEqual([]);
    expect(changed.filter(({ from, to }) => from.context.spec.debug === to.context.spec.debug)).toEqual([]);
  });

  it('drops its unit only when nothing is left of it, or it was never spawned', () => {
    const endings = edges.filter(
      ({ from, to }) => from.context.unit !== undefined && from.context.unit !== to.context.unit,
    );
    const early = endings.filter(
      ({ event }) =>
        event.type !== 'unit.spawnFailed' &&
        event.type !== 'unit.cleared' &&
        !event.type.startsWith('conditions.') &&
        !(event.type === 'unit.leaderExited' && 'left' in event && event['left'] === 0),
    );
    expect(early.map(describeEdge)).toEqual([]);
  });

  it('judges a failed run, and tries again, only when nothing is left of it', () => {
    const crashed = edges.filter(
      ({ from, event, to }) =>
        !from.matches('stopping') &&
        event.type === 'unit.leaderExited' &&
        'left' in event &&
        event['left'] === 2 &&
        from.context.verdict === undefined &&
        to.context.verdict !== undefined,
    );
    expect(crashed.length).toBeGreaterThan(0);
    expect(crashed.filter(({ to }) => !to.matches({ stopping: 'clearing' })).map(describeEdge)).toEqual([]);
    const left = edges.filter(
      ({ from, to }) => from.matches({ stopping: 'clearing' }) && (to.matches('backoff') || to.matches('failed')),
    );
    expect(new Set(left.map(({ event }) => event.type))).toEqual(
      new Set(['unit.cleared', 'unit.spawnFailed', 'unit.leaderExited']),
    );
  });

  it('keeps the processes that a normal end has left, and has a stop end them', () => {
    const kept = edges.filter(
      ({ event, to }) =>
        event.type === 'unit.leaderExited' &&
        'left' in event &&
        event['left'] === 2 &&
        mayHaveUnit(to) &&
        !mustHaveUnit(to),
    );
    expect(kept.filter(({ from, to }) => from.context.unit !== undefined && to.context.unit === undefined)).toEqual([]);
    const stopped = edges.filter(
      ({ from, event }) => event.type === 'service.stop' && mayHaveUnit(from) && !mustHaveUnit(from),
    );
    expect(stopped.filter(({ from, to }) => from.context.unit !== undefined && !to.matches('stopping'))).toEqual([]);
    expect(kept.length).toBeGreaterThan(0);
    expect(stopped.some(({ from }) => from.context.unit !== undefined)).toBe(true);
  });

  it('ignores every fact about a run that is not the current one', () => {
    const stale = edges.filter(isStale);
    const moved = stale.filter(
      (edge) => exploration.key(edge.from) !== exploration.key(edge.to) || edge.sent.length > 0,
    );
    expect([...new Set(moved.map(describeEdge))]).toEqual([]);
    expect(stale.length).toBeGreaterThan(0);
  });

  it('starts again by itself only where restart is set, and within the limit', () => {
    const paused = states.filter((snapshot) => snapshot.matches('backoff'));
    // A oneshot service is ready only by its end, and does not fail afterwards.
    const mayFailLater = spec.type !== 'oneshot' && (spec.type !== 'forking' || 'pidfile' in spec);
    const again = 'restartPolicy' in spec;
    expect(paused.length > 0).toBe((mayFailLater || again) && spec.restart && !spec.exitKills);
    expect(states.filter(({ context }) => context.restartsUsed > spec.restartLimit)).toEqual([]);
  });

  it('answers a normal end by a restart exactly where restart is always, and nothing speaks against it', () => {
    const always = 'restartPolicy' in spec;
    const rested = edges.filter(({ from, to }) => !from.matches('exited') && to.matches('exited'));
    const refused = rested.filter(({ to: { context } }) => context.noTry?.kind === 'prevented' || context.retired);
    expect(rested.filter((edge) => always && !refused.includes(edge)).map(describeEdge)).toEqual([]);
    const returned = edges.filter((edge) => reported(edge).includes('exited') && !edge.to.matches('exited'));
    expect(returned.length > 0).toBe(
      always && spec.type !== 'oneshot' && (spec.type !== 'forking' || 'pidfile' in spec),
    );
  });

  it('comes back from a pause only by its end or a start, and never pauses after a stop', () => {
    const back = edges.filter(({ from, to }) => from.matches('backoff') && to.matches('starting'));
    expect(
      back.filter(({ event }) => event.type !== 'service.start' && !event.type.startsWith('xstate.after.')),
    ).toEqual([]);
    const stopped = states.filter((state) => state.matches({ stopping: 'terminating' }) || state.matches('stopped'));
    const paused = canReach(
      exploration,
      (state) => state.matches('backoff'),
      (edge) => isFactOrDelay(edge) && !edge.from.matches('backoff'),
    );
    expect(stopped.map(exploration.key).filter((state) => paused.has(state))).toEqual([]);
  });

  it('has failed with a cause', () => {
    const failed = states.filter((snapshot) => snapshot.matches('failed'));
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.filter(({ context }) => context.verdict === undefined)).toEqual([]);
  });

  it('starts nothing once it was retired', () => {
    const retired = states.filter(({ context }) => context.retired);
    expect(retired.length).toBeGreaterThan(0);
    expect(retired.filter((snapshot) => snapshot.matches('backoff')).map(exploration.key)).toEqual([]);
    const started = edges.filter(
      ({ from, event, to }) =>
        (event.type === 'service.retire' || from.context.retired) && from.context.serial !== to.context.serial,
    );
    expect(started.map(describeEdge)).toEqual([]);
  });

  it('is skipped only where it has conditions, and spawns nothing before they are met', () => {
    const skipped = states.filter(isSkipped);
    expect(skipped.length > 0).toBe('startIf' in spec);
    expect(skipped.filter(({ context }) => context.unit !== undefined || context.pid !== 0)).toEqual([]);
    const spawned = edges.filter(({ from, to }) => !from.children['unit'] && to.children['unit'] !== undefined);
    const early = spawned.filter(({ event }) => 'startIf' in spec && event.type !== 'conditions.met');
    expect(early.map(describeEdge)).toEqual([]);
    expect(spawned.length).toBeGreaterThan(0);
  });

  it('leaves stopped and failed only by a start', () => {
    const left = edges.filter(({ from, to }) => hasEnded(from) && !hasEnded(to));
    expect(left.filter(({ event }) => event.type !== 'service.start').map(describeEdge)).toEqual([]);
  });

  it('never goes on starting after a stop or a kill, and has a verdict only where the stop is a failure', () => {
    const told = edges.filter(({ event }) => event.type === 'service.stop' || event.type === 'service.kill');
    expect(told.filter(({ to }) => !hasEnded(to) && !to.matches('stopping')).map(describeEdge)).toEqual([]);
    const wrong = told.filter(({ from, event, to }) => {
      if (!to.matches('stopping')) return false;
      const ofStop = event.type === 'service.stop' && 'fails' in event;
      const expected = ofStop || (event.type === 'service.kill' && from.context.verdict?.kind === 'prerequisite');
      return to.context.verdict?.kind !== (expected ? 'prerequisite' : undefined);
    });
    expect(wrong.map(describeEdge)).toEqual([]);
  });

  it('fails because of its prerequisite once nothing runs, and is not tried again', () => {
    const failing = states.filter(
      (snapshot) => snapshot.matches('stopping') && snapshot.context.verdict?.kind === 'prerequisite',
    );
    expect(failing.length).toBeGreaterThan(0);
    const ends = edges.filter(
      ({ from, to }) =>
        from.matches('stopping') && from.context.verdict?.kind === 'prerequisite' && !to.matches('stopping'),
    );
    expect(new Set(ends.map(({ to }) => statePath(to.value)))).toEqual(new Set(['failed']));
  });

  it('explores to the end with the exits of its processes alone', () => {
    const settled = canReach(exploration, (snapshot) => !mustHaveUnit(snapshot), isFactOrDelay);
    expect(states.map(exploration.key).filter((state) => !settled.has(state))).toEqual([]);
  });

  it('has a leader only where one is known', () => {
    const led = edges.filter((edge) => sentToUnit(edge).includes('unit.lead'));
    expect(led.length > 0).toBe('pidfile' in spec || spec.type === 'notify');
    expect(led.every(({ to }) => mayLead(to.context.spec) && to.context.followed)).toBe(true);
    expect(led.filter(({ event }) => !/^(readiness\.passed|notify\.received)$/.test(event.type))).toEqual([]);
  });
});

describe('all service charts together', () => {
  /** What each chart has met: most of them have noted it, in the tests above. */
  const every = (): readonly Met[] =>
    [...variants, ...others].map(({ name, explored }) => met.get(name) ?? meet(name, explored()));

  it('reach every state, and there is a name for each', () => {
    const reached = [...new Set(every().flatMap(({ leaves }) => leaves))].sort();
    expect(reached).toEqual([...leaves(serviceMachine)].sort());
    const ofOthers = ['ready.scheduled', 'stopping.draining'];
    expect(reached).toEqual(serviceStages.filter((stage) => !ofOthers.includes(stage)).sort());
  });

  it('move between phases only as phaseSteps says, and as each of its steps', () => {
    const steps = new Set(every().flatMap((each) => [...each.steps]));
    const listed = Object.entries(phaseSteps).flatMap(([from, next]) => next.map((to) => ({ from, to })));
    const own = listed.filter(({ from, to }) => from !== to && from !== 'ready.scheduled' && to !== 'ready.scheduled');
    expect([...steps].sort()).toEqual([...new Set(own.map(({ from, to }) => `${from} ${to}`))].sort());
  });
});
