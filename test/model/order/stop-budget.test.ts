import { describe, expect, it } from 'vitest';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { budgetFor, overrun, stopNeeds } from '../../../src/model/order/stop-budget.ts';
import { serviceSpec } from '../specs.ts';

const services = [
  serviceSpec({ name: 'db.service' }),
  serviceSpec({ name: 'cache.service' }),
  serviceSpec({ name: 'web.service', prerequisites: ['db.service', 'cache.service'] }),
];
const graph = buildDependencyGraph(services);

describe('what stops need', () => {
  it('is a second for each layer, from the top to the bottom', () => {
    expect(stopNeeds(graph, services).map(({ time }) => time)).toEqual([1_000, 1_000]);
    expect(stopNeeds(graph, services)[0]).toEqual({ service: 'web.service', time: 1_000 });
    expect(stopNeeds(graph, [])).toEqual([]);
  });

  it('is, with times of their own, that of the slowest in each layer', () => {
    const times: Readonly<Record<string, number>> = {
      'db.service': 3_000,
      'cache.service': 5_000,
      'web.service': 2_000,
    };
    const needs = stopNeeds(graph, services, ({ name }) => times[name] ?? 0);
    expect(needs).toEqual([
      { service: 'web.service', time: 2_000 },
      { service: 'cache.service', time: 5_000 },
    ]);
    expect(budgetFor(needs)).toBe(7_500);
    expect(overrun(needs, 7_500)).toBe(0);
    expect(overrun(needs, 7_000)).toBe(500);
  });

  it('names the first of those that are equally slow in a layer', () => {
    expect(stopNeeds(graph, services).map(({ service }) => service)).toEqual(['web.service', 'db.service']);
    const falling = stopNeeds(graph, services, ({ name }) => (name === 'db.service' ? 3_000 : 1_000));
    expect(falling[1]).toEqual({ service: 'db.service', time: 3_000 });
  });
});
