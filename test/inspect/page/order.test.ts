import { expect, it } from 'vitest';
import { graphOf, type Instant, instantOf } from '../../../src/inspect/page/instant.ts';
import { inOrder, type OrderOptions } from '../../../src/inspect/page/order.ts';
import { applyEntry, createReplica } from '../../../src/inspect/replica.ts';
import { renumbered, withFacts } from '../entries.ts';
import { bootEntry, courseOf, inOrder as merged, numbered, serviceEntry } from '../hand-made.ts';

const names = ['zeta.service', 'job-10.service', 'job-9.service', 'idle.service'];

/** zeta is slow, job-10 fails late, job-9 is quick, and idle never starts. */
function instantAt(until: number): Instant {
  const services = names.map((name) => serviceEntry(name.replace('.service', '')));
  const entries = renumbered(
    withFacts([
      bootEntry(services),
      ...numbered(
        merged(
          courseOf('zeta', [
            [10, { starting: 'settling' }],
            [900, { ready: 'running' }],
          ]),
          courseOf('job-10', [
            [30, { starting: 'settling' }],
            [60, 'failed'],
          ]),
          courseOf('job-9', [
            [20, { starting: 'settling' }],
            [25, { ready: 'running' }],
          ]),
          courseOf('idle', []),
        ),
      ),
    ]),
  ).filter(({ at }) => at <= until);
  const replica = createReplica();
  for (const entry of entries) applyEntry(replica, entry);
  const configured = new Map(services.map((service) => [service.name, service]));
  return instantOf(replica, entries.length, configured, graphOf(services));
}

function sorted(options: Partial<OrderOptions>, until = 1_000): readonly string[] {
  return inOrder(names, instantAt(until), { sort: 'order', first: new Set(), states: [], ...options });
}

it('services stand as configured unless somebody wants another order', () => {
  expect(sorted({})).toEqual(names);
});

it('by start: what never started stands last', () => {
  expect(sorted({ sort: 'start' })).toEqual(['zeta.service', 'job-9.service', 'job-10.service', 'idle.service']);
  expect(sorted({ sort: 'start' }, 15)[0]).toBe('zeta.service');
});

it('by duration: the slowest first, and one that still starts counts up to the shown instant', () => {
  expect(sorted({ sort: 'duration' })).toEqual(['zeta.service', 'job-10.service', 'job-9.service', 'idle.service']);
  expect(sorted({ sort: 'duration' }, 24)).toEqual(['zeta.service', 'job-9.service', 'job-10.service', 'idle.service']);
});

it('by state: the most urgent first', () => {
  expect(sorted({ sort: 'state' })).toEqual(['job-10.service', 'idle.service', 'zeta.service', 'job-9.service']);
});

it('by name: numbers in names count as numbers', () => {
  expect(sorted({ sort: 'name' })).toEqual(['idle.service', 'job-9.service', 'job-10.service', 'zeta.service']);
});

it('those in trouble stand above all others, in the same order among themselves', () => {
  expect(sorted({ sort: 'name', first: new Set(['zeta.service', 'job-10.service']) })).toEqual([
    'job-10.service',
    'zeta.service',
    'idle.service',
    'job-9.service',
  ]);
});

it('only services in the wanted states are shown, as they were at the instant', () => {
  expect(sorted({ states: ['failed', 'pending'] })).toEqual(['job-10.service', 'idle.service']);
  expect(sorted({ states: ['starting'] }, 40)).toEqual(['zeta.service', 'job-10.service']);
  expect(sorted({ states: ['stopped'] })).toEqual([]);
});
