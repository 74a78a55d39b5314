import { describe, expect, it } from 'vitest';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { holdOf, stagesToReach } from '../../../src/model/order/hold.ts';
import { blockedBy, type Standing } from '../../../src/model/order/ordering.ts';
import { serviceSpec } from '../specs.ts';

const service = (name: string, prerequisites: readonly string[] = [], group?: 'INIT' | 'IDLE') =>
  serviceSpec({ name, prerequisites, ...(group === undefined ? {} : { groups: [group] }) });
const graph = buildDependencyGraph([
  service('first', [], 'INIT'),
  service('store'),
  service('cache'),
  service('web', ['store', 'cache']),
  service('late', [], 'IDLE'),
]);
const pending: Standing = { phase: 'pending', hasBeenReady: false, ignoreFailures: false };
const running: Standing = { phase: 'ready.running', hasBeenReady: true, ignoreFailures: false };
const allUp = { first: running, store: running, cache: running, web: running, late: pending };

function hold(name: string, changes: Readonly<Record<string, Standing>>, idling = false) {
  const standings = new Map(Object.entries({ ...allUp, ...changes }));
  return holdOf(graph, standings, blockedBy(graph, standings), name, idling);
}

describe('what holds a pending service up', () => {
  it.each(['starting', 'stopping', 'backoff', 'pending'] as const)('is a prerequisite that is %s', (phase) => {
    expect(hold('web', { web: pending, store: { ...running, phase } })).toEqual({
      kind: 'prerequisites',
      names: ['store'],
    });
  });

  it('is each of those that are not ready', () => {
    expect(hold('web', { web: pending, store: pending, cache: pending })).toEqual({
      kind: 'prerequisites',
      names: ['store', 'cache'],
    });
  });

  it.each([
    'failed',
    'stopped',
  ] as const)('is for good one that has %s, and not another that may still come', (phase) => {
    const standings = { web: pending, store: { ...running, phase }, cache: pending };
    expect(hold('web', standings)).toEqual({ kind: 'blocked', names: ['store'], roots: ['store'] });
  });

  it('is for good one that waits for something that has failed', () => {
    const failed: Standing = { phase: 'failed', hasBeenReady: false, ignoreFailures: false };
    expect(hold('late', { first: failed, store: pending })).toEqual({
      kind: 'blocked',
      names: ['first'],
      roots: ['first'],
    });
    expect(hold('web', { first: failed, web: pending, store: pending })).toEqual({
      kind: 'blocked',
      names: ['store'],
      roots: ['first'],
    });
  });

  it('is an earlier group, until each of it has been ready once', () => {
    const starting: Standing = { phase: 'starting', hasBeenReady: false, ignoreFailures: false };
    expect(hold('store', { store: pending, first: starting })).toEqual({
      kind: 'stage',
      group: 'INIT',
      names: ['first'],
    });
    expect(hold('late', { store: starting, cache: starting })).toEqual({
      kind: 'stage',
      group: 'IDLE',
      names: ['store', 'cache'],
    });
    expect(hold('store', { store: pending, first: { ...starting, hasBeenReady: true } })).toEqual({ kind: 'none' });
    expect(hold('store', { store: pending, first: { ...starting, phase: 'disabled' } })).toEqual({ kind: 'none' });
  });

  it('is the pause before the last group, for that group alone', () => {
    expect(hold('late', {}, true)).toEqual({ kind: 'idleDelay' });
    expect(hold('late', {})).toEqual({ kind: 'none' });
    expect(hold('web', { web: pending }, true)).toEqual({ kind: 'none' });
  });

  it('is nothing where what it waits for is disabled, or its failure ignored', () => {
    const store: Standing = { phase: 'failed', hasBeenReady: false, ignoreFailures: true };
    const cache: Standing = { phase: 'disabled', hasBeenReady: false, ignoreFailures: false };
    expect(hold('web', { web: pending, store, cache })).toEqual({ kind: 'none' });
  });

  it('is a service in its own group that waits for a lost one, where all of the earlier group may still come', () => {
    const failed: Standing = { phase: 'failed', hasBeenReady: false, ignoreFailures: false };
    const chain = buildDependencyGraph([
      service('disk', [], 'INIT'),
      service('mount', ['disk'], 'INIT'),
      service('web'),
    ]);
    const standings = new Map([
      ['disk', { ...failed, hasBeenReady: true }],
      ['mount', pending],
      ['clock', pending],
      ['web', pending],
    ]);
    const why = (name: string) => holdOf(chain, standings, blockedBy(chain, standings), name, false);
    expect(why('web')).toEqual({ kind: 'blocked', names: ['mount'], roots: ['disk'] });
    expect(why('mount')).toEqual({ kind: 'blocked', names: ['disk'], roots: ['disk'] });
  });

  it('is of an earlier group only what never comes, where something of it may still come', () => {
    const chain = buildDependencyGraph([
      service('disk', [], 'INIT'),
      service('mount', ['disk'], 'INIT'),
      service('clock', [], 'INIT'),
      service('web'),
    ]);
    const standings = new Map<string, Standing>([
      ['disk', { phase: 'stopped', hasBeenReady: true, ignoreFailures: false }],
      ['mount', pending],
      ['clock', { ...pending, phase: 'starting' }],
      ['web', pending],
    ]);
    expect(holdOf(chain, standings, blockedBy(chain, standings), 'web', false)).toEqual({
      kind: 'blocked',
      names: ['mount'],
      roots: ['disk'],
    });
  });

  it('names the stages that are to be reached, where that is not simply to be ready', () => {
    const node = {
      ties: {
        db: { kind: 'requires', stages: ['healthy'] },
        job: { kind: 'after', stages: ['ready', 'exited'] },
        web: { kind: 'wants', stages: ['ready'] },
      },
    } as const;
    expect(stagesToReach(node, ['db', 'job', 'web', 'cache'])).toEqual({
      stages: { db: ['healthy'], job: ['ready', 'exited'] },
    });
    expect(stagesToReach(node, ['web', 'cache'])).toEqual({});
    expect(stagesToReach(undefined, ['db'])).toEqual({});
  });

  it('is nothing for a name that is not in the graph', () => {
    const nobody = new Map<string, Standing>();
    expect(holdOf(graph, nobody, new Map(), 'other', false)).toEqual({ kind: 'none' });
    expect(hold('other', { first: { ...pending, phase: 'starting' } })).toEqual({ kind: 'none' });
  });
});
