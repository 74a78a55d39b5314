/** The machines that ask the conditions of a start, and that carry out a reload. */
import { describe, expect, it } from 'vitest';
import { createActor, fromCallback, type SnapshotFrom } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { type ConditionsEvent, type ConditionsInput, conditionsMachine } from '../../src/machines/conditions.ts';
import { type ReloadEvent, type ReloadInput, reloadMachine } from '../../src/machines/reload.ts';
import { unitMachine } from '../../src/machines/unit.ts';
import type { Condition } from '../../src/model/service/condition.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { serviceSpec } from '../model/specs.ts';
import { type Edge, explore, leaves, reachedLeaves, stranded } from './explore.ts';
import { exit0, exit1, noSuchProgram } from './scripted.ts';

const owner = createActor(fromCallback(() => {}));
const unit = unitMachine.provide({ actors: { processes: fromCallback(() => {}) } });

/** What a unit may report; `unit.cleared` only after the end of its leader. */
function unitFacts(at: number) {
  const exit = { type: 'unit.leaderExited', serial: 1, pid: 10, age: 5, at } as const;
  return [
    { type: 'unit.spawned', serial: 1, pid: 10, at },
    { type: 'unit.spawnFailed', serial: 1, error: noSuchProgram, at },
    ...[exit0, exit1, { kind: 'exited', code: 255 } as const].flatMap(
      (status) =>
        [
          { ...exit, status, left: 0 },
          { ...exit, status, left: 2 },
        ] as const,
    ),
    { type: 'unit.cleared', serial: 1, at },
    { type: 'unit.survived', serial: 1, at },
  ] as const;
}

const told = ({ sent }: Edge<unknown>): readonly string[] =>
  sent.flatMap(({ to, event }) => (to === owner ? [event.type] : []));

type ConditionsSnapshot = SnapshotFrom<typeof conditionsMachine>;

describe('the conditions machine', () => {
  const machine = conditionsMachine.provide({ actors: { unit, lookup: fromCallback(() => {}) } });
  const ask = (command: string): Condition => ({ kind: 'command', command, argv: [command] });
  const startIf: Condition = {
    kind: 'all',
    of: [{ kind: 'file', path: '/x' }, ask('one'), { kind: 'not', of: ask('two') }],
  };
  const input: ConditionsInput = { service: serviceSpec({ startIf }), serial: 1, owner, at: 0 };
  const events = ({ context, status }: ConditionsSnapshot): readonly ConditionsEvent[] => {
    const at = context.at + 10;
    if (status === 'done') return [];
    return [
      ...[true, false].map(
        (there) => ({ type: 'conditions.looked', answers: [there, undefined, undefined], at }) as const,
      ),
      ...(context.unit === undefined ? [] : unitFacts(at)),
      { type: 'unit.terminate', signal: 'SIGTERM', at },
      { type: 'unit.kill', grace: 1_000, at },
      { type: 'unit.signal', signal: 'SIGHUP' },
    ];
  };
  const exploration = explore(machine, {
    input,
    events,
    distinguish: ({ context }: ConditionsSnapshot) => [
      context.answers,
      context.unit !== undefined,
      context.commands,
      context.failure?.kind,
    ],
  });
  const { edges, states } = exploration;
  const results = ['conditions.met', 'conditions.unmet', 'conditions.failed', 'unit.cleared'];

  it('reaches every state, and can end from each', () => {
    const passed = ['judging', 'told'];
    expect(reachedLeaves(states)).toEqual([...leaves(machine)].filter((leaf) => !passed.includes(leaf)).sort());
    expect(stranded(exploration, ({ status }) => status === 'done')).toEqual([]);
  });

  it('tells its owner exactly one result, with its end, and each of them', () => {
    const ends = edges.filter(({ from, to }) => from.status !== 'done' && to.status === 'done');
    const seen = ends.map((edge) => told(edge).filter((type) => results.includes(type)));
    expect(seen.filter((types) => types.length !== 1)).toEqual([]);
    expect(new Set(seen.flat())).toEqual(new Set(results));
    const early = edges.filter(
      (edge) => edge.to.status !== 'done' && told(edge).some((type) => results.includes(type)),
    );
    expect(early.map(({ event }) => event.type)).toEqual([]);
  });

  it('ends with `unit.cleared` alone once it was told to end', () => {
    const ending = edges.filter(({ from }) => from.matches('ending'));
    expect(ending.length).toBeGreaterThan(0);
    expect(ending.filter((edge) => told(edge).some((type) => type.startsWith('conditions.')))).toEqual([]);
  });

  it('asks a command only once nothing is left of the one before, and after what decides without it', () => {
    const asked = edges.filter(({ from, to }) => to.context.commands > from.context.commands);
    expect(asked.length).toBeGreaterThan(0);
    expect(
      asked.filter(({ from, event }) => from.context.unit !== undefined && 'left' in event && event['left'] !== 0),
    ).toEqual([]);
    expect(states.filter(({ context }) => context.answers[0] === false && context.commands > 0)).toEqual([]);
  });
});

type ReloadSnapshot = SnapshotFrom<typeof reloadMachine>;

describe('the reload machine', () => {
  const machine = reloadMachine.provide({ actors: { unit, reloader: fromCallback(() => {}) } });
  const signal = { kind: 'signal', signal: 'SIGHUP' } as const;
  const command = { kind: 'command', command: 'ctl', argv: ['ctl'] } as const;
  const events = ({ context, status }: ReloadSnapshot): readonly ReloadEvent[] => {
    const at = context.at + 10;
    if (status === 'done') return [];
    const notices = [{ reloading: {} }, { reloading: { at: 1 } }, { ready: true }] as const;
    return [
      { type: 'reload.began', monotonic: 100, at },
      ...(['sent', 'denied', 'vanished'] as const).map(
        (outcome) => ({ type: 'reload.signalled', outcome, at }) as const,
      ),
      ...(context.unit === undefined ? [] : unitFacts(at)),
      ...(context.service.type === 'notify'
        ? notices.map((message) => ({ type: 'notify.received', serial: 1, message, at }) as const)
        : []),
      { type: 'reload.giveUp', at },
    ];
  };
  const exploreReload = (spec: Partial<ServiceSpec>, method: ReloadInput['method']) =>
    explore(machine, {
      input: { service: serviceSpec(spec), method, serial: 1, pid: 5, owner, at: 0 },
      events,
      distinguish: ({ context }: ReloadSnapshot) => [
        context.unit !== undefined,
        context.unitOver,
        context.saidReloading,
        context.saidReady,
      ],
    });
  const cases = (['simple', 'notify'] as const).flatMap((type) =>
    [signal, command].map((method) => ({
      name: `${type}, ${method.kind}`,
      exploration: exploreReload({ type }, method),
    })),
  );

  it('reaches every state', () => {
    const reached = reachedLeaves(cases.flatMap(({ exploration }) => exploration.states));
    expect(reached).toEqual([...leaves(machine)].filter((leaf) => leaf !== 'told').sort());
  });

  it.each(cases)('tells one outcome, and then that it is over ($name)', ({ exploration }) => {
    const { edges } = exploration;
    expect(stranded(exploration, ({ status }) => status === 'done')).toEqual([]);
    const ends = edges.filter(({ from, to }) => from.status !== 'done' && to.status === 'done');
    expect(ends.filter((edge) => told(edge).filter((type) => type === 'reload.over').length !== 1)).toEqual([]);
    const outcomes = edges.filter((edge) => told(edge).includes('reload.ended'));
    expect(outcomes.length).toBeGreaterThan(0);
    // The outcome is told where the machine leaves its waiting states, and never again.
    const late = outcomes.filter(({ from }) => from.matches('clearing') || from.status === 'done');
    expect(late.map(({ event }) => event.type)).toEqual([]);
    const silent = edges.filter(
      (edge) =>
        !edge.from.matches('clearing') &&
        (edge.to.matches('clearing') || edge.to.status === 'done') &&
        edge.from.status !== 'done' &&
        !told(edge).includes('reload.ended'),
    );
    expect(silent.map(({ from, event }) => `${statePath(from.value)} ${event.type}`)).toEqual([]);
  });

  it('has succeeded for a notify service only after RELOADING=1 and READY=1 of its own time', () => {
    for (const { exploration } of cases.filter(({ name }) => name.startsWith('notify'))) {
      const done = exploration.edges.filter(({ sent }) =>
        sent.some(({ event }) => 'outcome' in event && (event['outcome'] as { kind?: string }).kind === 'done'),
      );
      expect(done.length).toBeGreaterThan(0);
      expect(done.filter(({ to }) => !to.context.saidReloading || !to.context.saidReady)).toEqual([]);
    }
  });
});
