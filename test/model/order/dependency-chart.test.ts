import { describe, expect, it } from 'vitest';
import { dependencyChart } from '../../../src/model/order/dependency-chart.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';

const service = (name: string, prerequisites: readonly string[] = [], groups: readonly string[] = ['default']) => ({
  name: `${name}.service`,
  prerequisites: prerequisites.map((prerequisite) => `${prerequisite}.service`),
  groups,
});

describe('dependencyChart', () => {
  it('shows who can start when, and who waits for whom', () => {
    const graph = buildDependencyGraph([
      service('sample', [], ['IDLE']),
      service('apache2', ['mysql']),
      service('logrotate', ['mysql']),
      service('mysql'),
      service('init', [], ['INIT']),
    ]);
    expect(`\n${dependencyChart(graph)}`).toBe(`
            init | mysql | apache2 | logrotate | sample
init      | ====
mysql     |     ========
apache2   |             ==========
logrotate |             ======================
sample    |                                   =========
----------> depends on...
init      |
mysql     | init
apache2   | mysql, init
logrotate | mysql, init
sample    | logrotate, apache2, mysql, init
`);
  });

  it('is a head and a line where there is nothing', () => {
    expect(dependencyChart(buildDependencyGraph([]))).toBe('   \n-> depends on...\n');
  });

  it('says how a service waits where it is not simply for the other one to be ready', () => {
    const graph = buildDependencyGraph([
      service('db'),
      { ...service('web', ['db']), ties: { 'db.service': { kind: 'requires', stages: ['healthy'] } } },
    ]);
    expect(dependencyChart(graph)).toContain('web | db (requires, healthy)\n');
  });
});
