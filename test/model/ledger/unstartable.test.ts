import { describe, expect, it } from 'vitest';
import { newLedger } from '../../../src/model/ledger/ledger.ts';
import { isHeldDown, stateForPlan } from '../../../src/model/ledger/reload.ts';
import { unrestartable, unstartableAfter } from '../../../src/model/ledger/unstartable.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { planReload } from '../../../src/model/order/reload-plan.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts } from './charts.ts';

type Named = Partial<ServiceSpec> & { readonly name: string };

/** Boots the services; who is in `down` was stopped by hand, who is in `failed` has failed at its start. */
function system(
  specs: readonly Named[],
  { down = [], failed = [] }: { readonly down?: readonly string[]; readonly failed?: readonly string[] } = {},
): Charts {
  const services = specs.map((spec) => serviceSpec(spec));
  const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
  charts.send({ type: 'starts.released', idle: false, at: 0 });
  for (const _ of specs)
    for (const { name } of specs)
      if (charts.ledger.slots.get(name)?.chart === 'starting')
        charts.happen(name, failed.includes(name) ? 'fail' : 'ready');
  for (const name of down) {
    charts.send({ type: 'services.stop', names: [name], disable: false, again: false, drain: false, at: charts.now });
    charts.happen(name, 'clear');
  }
  return charts;
}

const db = { name: 'db' };
const a = { name: 'a', prerequisites: ['db'] };
const web = { name: 'web', prerequisites: ['a'] };

describe('what a restart would end for good', () => {
  it('is what waits for something that is down', () => {
    const { ledger } = system([db, a, web], { down: ['db'] });
    expect(unrestartable(ledger, ['a'])).toEqual([{ name: 'a', reason: 'db is stopped' }]);
    expect(unrestartable(ledger, ['web'])).toEqual([]);
  });

  it('is told with those alone that keep it down, and not with all that it waits for', () => {
    const both = { name: 'both', prerequisites: ['cache', 'db'] };
    const { ledger } = system([db, { name: 'cache' }, both], { down: ['db'] });
    expect(unrestartable(ledger, ['both'])).toEqual([{ name: 'both', reason: 'db is stopped' }]);
  });

  it('is also what waits for something that is restarted with it, and cannot start itself', () => {
    const { ledger } = system([db, a, web], { down: ['a', 'db'] });
    expect(unrestartable(ledger, ['a', 'web'])).toEqual([{ name: 'web', reason: 'a never starts as things stand' }]);
    expect(unrestartable(ledger, ['db', 'a', 'web'])).toEqual([]);
  });

  it('is not what waits for something that is restarted with it, and can start', () => {
    const { ledger } = system([db, a, web], { down: ['a'] });
    expect(unrestartable(ledger, ['a', 'web'])).toEqual([]);
  });

  it('is also what comes after an earlier group of which something has never become ready', () => {
    const { ledger } = system([{ name: 'x', groups: ['INIT'], enabled: false }, db]);
    const charts = new Charts(ledger);
    charts.send({ type: 'services.start', names: ['x'], enable: true, force: false, at: charts.now });
    charts.happen('x', 'fail');
    expect(unrestartable(charts.ledger, ['db'])).toEqual([
      { name: 'db', reason: 'x has failed, and later groups wait for it' },
    ]);
  });

  it('is not what does not run', () => {
    const { ledger } = system([db, a], { down: ['a', 'db'] });
    expect(unrestartable(ledger, ['a'])).toEqual([]);
  });

  it('is not what waits for something that is just being stopped and disabled', () => {
    const charts = system([db, a]);
    charts.send({ type: 'services.stop', names: ['db'], disable: true, again: false, drain: false, at: charts.now });
    expect(unrestartable(charts.ledger, ['a'])).toEqual([]);
  });

  it('is what waits for something that is just being stopped', () => {
    const charts = system([db, a]);
    charts.send({ type: 'services.stop', names: ['db'], disable: false, again: false, drain: false, at: charts.now });
    expect(unrestartable(charts.ledger, ['a'])).toEqual([{ name: 'a', reason: 'db is being stopped' }]);
    charts.send({ type: 'services.start', names: ['db'], enable: false, force: false, at: charts.now });
    expect(unrestartable(charts.ledger, ['a'])).toEqual([]);
  });
});

describe('what a reload would end for good', () => {
  const lostBy = (charts: Charts, specs: readonly Named[]) => {
    const { ledger } = charts;
    const spec = systemSpec(specs.map((each) => serviceSpec(each)));
    const plan = planReload(
      ledger.spec,
      spec,
      (name) => stateForPlan(ledger, name),
      (name) => isHeldDown(ledger, name),
    );
    return unstartableAfter(ledger, plan, buildDependencyGraph(spec.services), spec.services);
  };

  it('is what is restarted behind something that is down', () => {
    const charts = system([db, { name: 'web' }], { down: ['db'] });
    expect(lostBy(charts, [db, { name: 'web', command: 'new', prerequisites: ['db'] }])).toEqual([
      { name: 'web', reason: 'db is stopped' },
    ]);
  });

  it('is also what is restarted behind a new service that cannot start', () => {
    const charts = system([db, { name: 'web' }], { down: ['db'] });
    expect(lostBy(charts, [db, a, { ...web, command: 'new' }])).toEqual([
      { name: 'web', reason: 'a never starts as things stand' },
    ]);
  });

  it('is not what is restarted behind something that the same reload mends', () => {
    const behind = { name: 'b', prerequisites: ['x'] };
    const charts = system([{ name: 'x', ignoreFailures: false }, behind, { name: 'web' }], { failed: ['x'] });
    const moved = { name: 'web', command: 'new', prerequisites: ['b'] };
    expect(lostBy(charts, [{ name: 'x', command: 'mended' }, behind, moved])).toEqual([]);
    expect(lostBy(charts, [{ name: 'x' }, { name: 'b' }, moved])).toEqual([]);
    expect(lostBy(charts, [{ name: 'x' }, behind, moved])).toEqual([
      { name: 'web', reason: 'b never starts as things stand' },
    ]);
  });

  it('is not what comes after an earlier group of which something was ready once, though that has failed since', () => {
    const init = { name: 'x', groups: ['INIT'], ignoreFailures: false };
    const charts = system([init, { name: 'web' }]);
    charts.happen('x', 'crash');
    expect(lostBy(charts, [init, { name: 'web', command: 'new' }])).toEqual([]);
  });

  it('is not what is restarted behind something new that is disabled', () => {
    const charts = system([db, { name: 'web' }], { down: ['db'] });
    expect(lostBy(charts, [db, { ...a, enabled: false }, { ...web, command: 'new' }])).toEqual([]);
  });

  it('is not what is restarted behind something whose failure is ignored from now on', () => {
    const failing = { name: 'x', ignoreFailures: false };
    const charts = system([failing, { name: 'web' }], { failed: ['x'] });
    const moved = { name: 'web', command: 'new', prerequisites: ['x'] };
    expect(lostBy(charts, [failing, moved])).toEqual([{ name: 'web', reason: 'x has failed' }]);
    expect(lostBy(charts, [{ name: 'x', ignoreFailures: true }, moved])).toEqual([]);
  });

  it('is also what comes after an earlier group of which something would be restarted in vain', () => {
    const init = { name: 'x', groups: ['INIT'] };
    const charts = system([{ ...db, groups: ['INIT'] }, init, { name: 'web' }], { down: ['db'] });
    const specs = [
      { ...db, groups: ['INIT'] },
      { ...init, command: 'new', prerequisites: ['db'] },
      { name: 'web', command: 'new' },
    ];
    expect(lostBy(charts, specs)).toEqual([
      { name: 'x', reason: 'db is stopped' },
      { name: 'web', reason: 'x never starts as things stand, and later groups wait for it' },
    ]);
  });

  it('is not what was disabled by hand: that goes on as it is', () => {
    const charts = system([db, { name: 'web' }], { down: ['db'] });
    charts.send({ type: 'services.disable', names: ['web'], at: charts.now });
    expect(lostBy(charts, [db, { name: 'web', command: 'new', prerequisites: ['db'] }])).toEqual([]);
  });
});
