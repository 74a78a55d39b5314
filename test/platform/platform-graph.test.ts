import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot } from 'xstate';
import { statePath } from '../../src/facts/transition.ts';
import { beginLedger, isOver, type Ledger, settle } from '../../src/platform/machines/ledger.ts';
import { type PlatformEvent, platformMachine } from '../../src/platform/machines/platform.ts';
import type { Step } from '../../src/platform/model/plan.ts';
import { chartEvents, explore, leaves, reachedLeaves, unanswered } from '../machines/explore.ts';
import { createStep, instanceSpec, observed, planOf } from './specs.ts';

const keys = ['db-1', 'api-1', 'web-1'] as const;
const specs = [
  instanceSpec('db-1'),
  instanceSpec('api-1', { needs: ['db-1'] }),
  instanceSpec('web-1', { needs: ['api-1', 'db-1'] }),
];
const starts = specs.map(createStep);
const stops: readonly Step[] = keys.map((key) => ({
  key,
  action: { kind: 'stop', found: observed(key) },
  reasons: [],
  after: [],
}));

const events: readonly PlatformEvent[] = [
  ...keys.flatMap((key): readonly PlatformEvent[] => [
    { type: 'step.done', key },
    { type: 'step.failed', key, cause: 'no' },
    { type: 'step.fell', key, cause: 'exit 1' },
    { type: 'container.told', key, news: { type: 'container.missing' } },
  ]),
  { type: 'engine.lost', why: 'nobody answers' },
  { type: 'engine.reached' },
  { type: 'engine.gone', why: 'nobody answers' },
];

const ledgerOf = (snapshot: AnyMachineSnapshot): Ledger => snapshot.context.ledger;

function exploreWith(steps: readonly Step[]) {
  return explore(platformMachine, {
    input: {
      project: 'demo',
      plan: planOf(steps),
      members: specs.map((spec) => ({ key: spec.key, spec })),
      readyTimeout: 1,
    },
    events: () => events,
    distinguish: ({ context }) => [[...context.ledger.states], context.lost],
  });
}

const explored = [exploreWith(starts), exploreWith(stops), exploreWith([])];
const states = explored.flatMap((each) => each.states);
const edges = explored.flatMap((each) => each.edges);

/** The instances that a step commands. */
const commanded = (sent: (typeof edges)[number]['sent']): readonly string[] =>
  sent.flatMap(({ event }) => (event.type.startsWith('instance.') ? [event.type] : []));

describe('the platform chart', () => {
  it('answers every event in every state, and reaches every state', () => {
    expect(chartEvents(platformMachine)).toEqual([...new Set(events.map(({ type }) => type))].sort());
    expect(unanswered(platformMachine, chartEvents(platformMachine))).toEqual([]);
    expect(reachedLeaves(states)).toEqual([...leaves(platformMachine)].sort());
  });

  it('rests only once nothing is under way, and then always', () => {
    const working = states.filter((snapshot) => snapshot.matches('booting') || snapshot.matches('draining'));
    const resting = states.filter((snapshot) => !working.includes(snapshot));
    expect(working.filter((snapshot) => isOver(ledgerOf(snapshot)))).toEqual([]);
    expect(resting.filter((snapshot) => !isOver(ledgerOf(snapshot))).map(({ value }) => statePath(value))).toEqual([]);
  });

  it('is up or halted exactly where all steps are done', () => {
    for (const snapshot of states.filter((each) => isOver(ledgerOf(each)))) {
      const done = [...ledgerOf(snapshot).states.values()].every(({ kind }) => kind === 'done');
      expect([statePath(snapshot.value), done]).toEqual([statePath(snapshot.value), !snapshot.matches('failed')]);
    }
  });

  it('commands an instance when its step begins, and never again', () => {
    const begun = (snapshot: AnyMachineSnapshot): number =>
      [...ledgerOf(snapshot).states.values()].filter(({ kind }) => kind !== 'waiting' && kind !== 'skipped').length;
    const wrong = edges.filter(({ from, to, sent }) => commanded(sent).length !== begun(to) - begun(from));
    expect(wrong.map(({ event }) => event.type)).toEqual([]);
  });
});

describe('the ledger of a plan', () => {
  it('begins what waits for nobody, and each other step with the last one that it waited for', () => {
    const first = beginLedger(starts);
    expect(first.orders.map(({ step }) => step.key)).toEqual(['db-1']);
    const second = settle(first.ledger, 'db-1', { kind: 'done' });
    expect(second.orders).toEqual([{ step: starts[1], waitedFor: 'db-1' }]);
    const third = settle(second.ledger, 'api-1', { kind: 'done' });
    expect(third.orders).toEqual([{ step: starts[2], waitedFor: 'api-1' }]);
    expect(isOver(third.ledger)).toBe(false);
  });

  it('skips all that wait for a step that fails, and names that step', () => {
    const { ledger, orders } = settle(beginLedger(starts).ledger, 'db-1', { kind: 'failed', cause: 'port in use' });
    expect(orders).toEqual([]);
    expect(Object.fromEntries(ledger.states)).toEqual({
      'db-1': { kind: 'failed', cause: 'port in use' },
      'api-1': { kind: 'skipped', because: 'db-1' },
      'web-1': { kind: 'skipped', because: 'db-1' },
    });
    expect(isOver(ledger)).toBe(true);
  });

  it('begins nothing that waits for a step that was done and has failed since', () => {
    const done = settle(beginLedger(starts).ledger, 'db-1', { kind: 'done' }).ledger;
    const fell = settle(done, 'db-1', { kind: 'fell', cause: 'exit 1' });
    expect(fell.orders).toEqual([]);
    expect(fell.ledger.states.get('web-1')).toEqual({ kind: 'skipped', because: 'db-1' });
    expect(settle(fell.ledger, 'api-1', { kind: 'done' }).orders).toEqual([]);
  });

  it('keeps the outcome of a plan that is over, whatever fails afterwards', () => {
    const { ledger } = settle(beginLedger(starts.slice(0, 1)).ledger, 'db-1', { kind: 'done' });
    expect(settle(ledger, 'db-1', { kind: 'fell', cause: 'exit 1' })).toEqual({ ledger, orders: [] });
  });

  it('takes a second outcome of a step, and one of a step that has not begun, for none', () => {
    const done = settle(beginLedger(starts).ledger, 'db-1', { kind: 'done' }).ledger;
    expect(settle(done, 'db-1', { kind: 'failed', cause: 'late' })).toEqual({ ledger: done, orders: [] });
    expect(settle(done, 'web-1', { kind: 'done' })).toEqual({ ledger: done, orders: [] });
    expect(settle(done, 'stranger-1', { kind: 'done' })).toEqual({ ledger: done, orders: [] });
  });
});
