/** What services that require or want another one do when something happens to that: one case after the other. */
import { describe, expect, it } from 'vitest';
import { newLedger } from '../../../src/model/ledger/ledger.ts';
import { phaseOf } from '../../../src/model/ledger/slot.ts';
import { step } from '../../../src/model/ledger/step.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import { describeCause, prerequisiteStages, type Tie, type Ties } from '../../../src/model/order/prerequisite.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, changeTo, intentOf, slotOf } from './charts.ts';

type Changes = Partial<ServiceSpec> & { readonly name: string };

function tied(kind: Tie['kind'], ...names: readonly string[]): { prerequisites: readonly string[]; ties: Ties } {
  const entries = names.map((text) => {
    const [name = '', stage = 'ready'] = text.split(':');
    return [name, { kind, stages: prerequisiteStages.filter((one) => one === stage) }] as const;
  });
  return { prerequisites: entries.map(([name]) => name), ties: Object.fromEntries(entries) };
}

/** Services that are let go, with what was told of consequences: `web stop: db has crashed`. */
function boot(...specs: readonly Changes[]): { readonly charts: Charts; readonly told: string[] } {
  const services = specs.map((spec) => serviceSpec(spec));
  const told: string[] = [];
  const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), ({ orders }) => {
    for (const order of orders) {
      if (order.kind !== 'tell' || order.notice.type !== 'service.tied') continue;
      const { service, consequence, cause } = order.notice;
      told.push(`${service} ${consequence}: ${describeCause(cause)}`);
    }
  });
  charts.send({ type: 'starts.released', idle: true, at: 0 });
  return { charts, told };
}

/** All of them are up. */
function up(...specs: readonly Changes[]): ReturnType<typeof boot> {
  const system = boot(...specs);
  for (const _ of specs) for (const { name } of specs) system.charts.happen(name, 'ready');
  return system;
}

function standing(charts: Charts, ...names: readonly string[]): readonly string[] {
  return names.map((name) => phaseOf(slotOf(charts.ledger, name)));
}

function stop(charts: Charts, again: boolean, ...names: readonly string[]): void {
  charts.send({ type: 'services.stop', names, disable: false, again, drain: false, at: charts.now });
}

const db = { name: 'db', restart: true };
const web = { name: 'web', ...tied('requires', 'db') };

describe('a service that requires another one', () => {
  it('goes on while that returns after a normal end', () => {
    const { charts, told } = up(db, web);
    const pausing = { ...changeTo('backoff'), normal: true } as const;
    charts.send({ type: 'service.changed', name: 'db', change: pausing, at: charts.now });
    expect(told).toEqual([]);
    expect(slotOf(charts.ledger, 'web').intent.kind).toBe('none');
  });

  it('stops at once when that crashes, and starts when that is back', () => {
    const { charts, told } = up(db, web);
    charts.happen('db', 'crash');
    expect(told).toEqual(['web stop: db has crashed']);
    charts.happen('web', 'clear');
    expect(standing(charts, 'db', 'web')).toEqual(['backoff', 'pending']);
    expect(slotOf(charts.ledger, 'web').because).toEqual({ prerequisite: 'db', how: 'crashed' });
    charts.happen('db', 'restart');
    expect(standing(charts, 'db', 'web')).toEqual(['starting', 'pending']);
    charts.happen('db', 'ready');
    expect(standing(charts, 'db', 'web')).toEqual(['ready.running', 'starting']);
    expect(slotOf(charts.ledger, 'web').because).toBeUndefined();
  });

  it('stops also where its prerequisite is not restarted, and waits for somebody to start that', () => {
    const { charts, told } = up({ name: 'db' }, web);
    charts.happen('db', 'crash');
    charts.happen('web', 'clear');
    expect(told).toEqual(['web stop: db has failed']);
    expect(standing(charts, 'db', 'web')).toEqual(['failed', 'pending']);
    charts.send({ type: 'services.start', names: ['db'], enable: false, force: false, at: 0 });
    charts.happen('db', 'ready');
    expect(standing(charts, 'db', 'web')).toEqual(['ready.running', 'starting']);
  });

  it('ends first when its prerequisite is stopped by hand, and so does whoever requires it', () => {
    const { charts, told } = up(db, web, { name: 'ui', ...tied('requires', 'web') });
    stop(charts, false, 'db');
    expect(told).toEqual(['web stop: db is stopped', 'ui stop: web is stopped']);
    expect(charts.stops).toEqual(['ui']);
    charts.happen('ui', 'clear');
    expect(charts.stops).toEqual(['ui', 'web']);
    charts.happen('web', 'clear');
    expect(charts.stops).toEqual(['ui', 'web', 'db']);
    charts.happen('db', 'clear');
    expect(standing(charts, 'db', 'web', 'ui')).toEqual(['stopped', 'pending', 'pending']);
  });

  it('comes back by itself after a restart by hand', () => {
    const { charts } = up(db, web);
    stop(charts, true, 'db');
    charts.happen('web', 'clear');
    charts.happen('db', 'clear');
    charts.happen('db', 'ready');
    expect(standing(charts, 'db', 'web')).toEqual(['ready.running', 'starting']);
  });

  it('stays stopped where somebody stops it, before or after its prerequisite', () => {
    for (const first of [['web', 'db'] as const, ['db', 'web'] as const]) {
      const { charts } = up(db, web);
      for (const name of first) stop(charts, false, name);
      charts.happen('web', 'clear');
      charts.happen('db', 'clear');
      expect(standing(charts, 'db', 'web')).toEqual(['stopped', 'stopped']);
    }
  });

  it('does nothing where its prerequisite ends normally, or is disabled', () => {
    const { charts, told } = up(db, web);
    charts.happen('db', 'exit');
    const disabled = up(db, web);
    disabled.charts.send({ type: 'services.stop', names: ['db'], disable: true, again: false, drain: false, at: 0 });
    expect([told, disabled.told]).toEqual([[], []]);
    expect(standing(charts, 'db', 'web')).toEqual(['exited', 'ready.running']);
  });

  it('does nothing once it has done its work, and is ended while it works', () => {
    const job: Changes = { name: 'job', type: 'oneshot', ...tied('requires', 'db') };
    const done = up(db, job);
    done.charts.happen('db', 'crash');
    expect(done.told).toEqual([]);
    const working = boot(db, job);
    working.charts.happen('db', 'ready');
    working.charts.happen('db', 'crash');
    expect(working.told).toEqual(['job stop: db has crashed']);
  });

  it('is ended though its start is over where a daemon of it runs', () => {
    for (const [type, answer] of [
      ['forking', ['daemon stop: db has crashed']],
      ['oneshot', []],
    ] as const) {
      const { charts, told } = up(db, { name: 'daemon', type, ...tied('requires', 'db') });
      expect(standing(charts, 'daemon')).toEqual(['ready.exited']);
      charts.happen('db', 'crash');
      expect([type, told]).toEqual([type, answer]);
    }
    const stopped = up(db, { name: 'daemon', type: 'forking', ...tied('requires', 'db') });
    stop(stopped.charts, false, 'daemon');
    stopped.charts.happen('daemon', 'clear');
    stopped.charts.happen('db', 'crash');
    expect(stopped.told).toEqual([]);
  });

  it('is unscheduled while its prerequisite is away', () => {
    const { charts } = up(db, { name: 'tick', type: 'cron', interval: '@daily', ...tied('requires', 'db') });
    charts.happen('db', 'crash');
    expect(intentOf(slotOf(charts.ledger, 'tick'))).toBe('prerequisite, told, start');
    charts.happen('tick', 'clear');
    expect(standing(charts, 'tick')).toEqual(['pending']);
  });

  it('fails where it is to fail, and is not queued', () => {
    const { charts, told } = up(db, { ...web, onPrerequisiteFailure: 'fail' });
    charts.happen('db', 'crash');
    charts.happen('web', 'clear');
    expect(told).toEqual(['web fail: db has crashed']);
    expect(standing(charts, 'web')).toEqual(['failed']);
    expect(slotOf(charts.ledger, 'web').intent.kind).toBe('none');
    expect(slotOf(charts.ledger, 'web').because).toBeUndefined();
  });

  it('fails where it is to fail, though somebody stops it after its signal', () => {
    const { charts } = up(db, { ...web, onPrerequisiteFailure: 'fail' });
    charts.happen('db', 'crash');
    stop(charts, false, 'web');
    expect(slotOf(charts.ledger, 'web').intent).toMatchObject({ why: 'hand', fails: true });
    charts.happen('web', 'clear');
    expect(standing(charts, 'web')).toEqual(['failed']);
  });

  it('fails no more where it is to fail, and somebody stops it before its turn', () => {
    const { charts } = up(db, { ...web, onPrerequisiteFailure: 'fail' }, { name: 'ui', ...tied('requires', 'web') });
    charts.happen('db', 'crash');
    expect(charts.stops).toEqual(['ui']);
    stop(charts, false, 'web');
    expect(slotOf(charts.ledger, 'web').intent).not.toHaveProperty('fails');
    charts.happen('ui', 'clear');
    charts.happen('web', 'clear');
    expect(standing(charts, 'web')).toEqual(['stopped']);
  });

  it('keeps on where it is to, and answers the return', () => {
    for (const [answer, consequences] of [
      ['keep', []],
      ['restart', ['web restart: db is back']],
      ['reload', ['web reload: db is back']],
    ] as const) {
      const { charts, told } = up(db, { ...web, onPrerequisiteFailure: 'keep', onPrerequisiteRestart: answer });
      charts.happen('db', 'crash');
      expect([told, ...standing(charts, 'web')]).toEqual([[], 'ready.running']);
      charts.happen('db', 'restart');
      charts.happen('db', 'ready');
      expect([answer, told]).toEqual([answer, consequences]);
      expect(charts.reloads).toEqual(answer === 'reload' ? ['web'] : []);
      if (answer !== 'restart') continue;
      expect(slotOf(charts.ledger, 'web').because).toEqual({ prerequisite: 'db', how: 'returned' });
      charts.happen('web', 'clear');
      expect(standing(charts, 'web')).toEqual(['starting']);
    }
  });

  it('does not answer the return of what is about to be stopped', () => {
    const { charts, told } = up(
      db,
      { ...web, onPrerequisiteFailure: 'keep', onPrerequisiteRestart: 'restart' },
      { name: 'ui', prerequisites: ['db'] },
    );
    charts.happen('db', 'crash');
    charts.happen('db', 'restart');
    stop(charts, false, 'db', 'ui');
    expect(charts.stops).toEqual(['ui']);
    charts.happen('db', 'ready');
    expect([told, charts.stops]).toEqual([[], ['ui']]);
  });

  it('that waits for its prerequisite, and is stopped by hand, waits for nothing any more', () => {
    const { charts } = up(db, web);
    charts.happen('db', 'crash');
    charts.happen('web', 'clear');
    stop(charts, false, 'web');
    expect(standing(charts, 'web')).toEqual(['stopped']);
    expect(slotOf(charts.ledger, 'web').because).toBeUndefined();
  });

  it('minds its health only where it requires that', () => {
    const healthy = { name: 'ui', ...tied('requires', 'db:healthy') };
    const { charts, told } = up(db, web, healthy);
    expect(standing(charts, 'ui')).toEqual(['pending']);
    charts.happen('db', 'recover');
    charts.happen('ui', 'ready');
    charts.happen('db', 'sicken');
    expect(told).toEqual(['ui stop: db is unhealthy']);
    charts.happen('ui', 'clear');
    charts.happen('db', 'recover');
    expect(standing(charts, 'web', 'ui')).toEqual(['ready.running', 'starting']);
  });

  it('that waits for a start alone is let go by the spawn, and ends with the failure of that start', () => {
    const early = { name: 'early', ...tied('requires', 'db:started') };
    const { charts, told } = boot(db, early);
    expect(standing(charts, 'early')).toEqual(['pending']);
    charts.happen('db', 'spawn');
    expect(standing(charts, 'early')).toEqual(['starting']);
    charts.happen('early', 'ready');
    charts.happen('db', 'fail');
    expect(told).toEqual(['early stop: db has failed']);
  });

  it('is left alone by what happens while the system ends', () => {
    const { charts, told } = up(db, web);
    charts.send({ type: 'drain.begun', at: 0 });
    charts.happen('db', 'crash');
    expect(told).toEqual([]);
  });
});

describe('a service that wants another one', () => {
  const wanting = { name: 'web', ...tied('wants', 'cache') };

  it('waits until that is ready', () => {
    const { charts } = boot({ name: 'cache' }, wanting);
    expect(standing(charts, 'web')).toEqual(['pending']);
    charts.happen('cache', 'ready');
    expect(standing(charts, 'web')).toEqual(['starting']);
  });

  it('goes on when that has failed, or is stopped', () => {
    const failed = boot({ name: 'cache' }, wanting);
    failed.charts.happen('cache', 'fail');
    const stopped = boot({ name: 'cache' }, wanting);
    stop(stopped.charts, false, 'cache');
    stopped.charts.happen('cache', 'clear');
    for (const { charts } of [failed, stopped]) expect(standing(charts, 'web')).toEqual(['starting']);
  });

  it('goes on when that can never start', () => {
    const { charts } = boot({ name: 'disk' }, { name: 'cache', prerequisites: ['disk'] }, wanting);
    charts.happen('disk', 'fail');
    expect(standing(charts, 'cache', 'web')).toEqual(['pending', 'starting']);
  });

  it('waits for that once it can start after all', () => {
    const { charts } = boot({ name: 'disk' }, { name: 'cache', prerequisites: ['disk'] }, wanting);
    charts.happen('disk', 'fail');
    charts.happen('web', 'ready');
    charts.send({ type: 'services.start', names: ['disk'], enable: false, force: false, at: 0 });
    stop(charts, true, 'web');
    charts.happen('web', 'clear');
    expect(standing(charts, 'disk', 'cache', 'web')).toEqual(['starting', 'pending', 'pending']);
  });

  it('waits while that is tried again', () => {
    const { charts } = up({ name: 'cache', restart: true }, wanting);
    charts.happen('cache', 'crash');
    stop(charts, true, 'web');
    charts.happen('web', 'clear');
    expect(standing(charts, 'cache', 'web')).toEqual(['backoff', 'pending']);
  });

  it('does without the health of one that is unhealthy', () => {
    const { charts } = boot({ name: 'cache' }, { name: 'web', ...tied('wants', 'cache:healthy') });
    charts.happen('cache', 'ready');
    expect(standing(charts, 'web')).toEqual(['pending']);
    charts.happen('cache', 'sicken');
    expect(standing(charts, 'web')).toEqual(['starting']);
  });

  it('is not ended by what becomes of that', () => {
    const { charts, told } = up({ name: 'cache' }, wanting);
    charts.happen('cache', 'crash');
    expect([told, ...standing(charts, 'web')]).toEqual([[], 'ready.running']);
  });
});

describe('a service that waits for an earlier group', () => {
  it('is told that it waits in vain once something of that has failed', () => {
    const { charts } = boot({ name: 'x', groups: ['INIT'], ignoreFailures: false }, { name: 'web' });
    expect(slotOf(charts.ledger, 'web').saidBlocked).toBe(false);
    charts.happen('x', 'fail');
    expect(standing(charts, 'web')).toEqual(['pending']);
    expect(slotOf(charts.ledger, 'web').saidBlocked).toBe(true);
  });
});

describe('a service that waits for the end of another one', () => {
  it('starts after the normal end alone', () => {
    const specs = [{ name: 'job', type: 'oneshot' } as const, { name: 'web', ...tied('after', 'job:exited') }];
    const done = boot(...specs);
    done.charts.happen('job', 'ready');
    expect(standing(done.charts, 'web')).toEqual(['starting']);
    const failed = boot(...specs);
    failed.charts.happen('job', 'fail');
    expect(standing(failed.charts, 'web')).toEqual(['pending']);
    expect(slotOf(failed.charts.ledger, 'web').saidBlocked).toBe(true);
  });

  it('is told that it waits in vain where it waits for more than that, though others go on', () => {
    const { charts } = boot(
      { name: 'db' },
      { name: 'last', ...tied('after', 'db:exited') },
      { name: 'ui', ...tied('requires', 'db:healthy') },
    );
    charts.happen('db', 'ready');
    const exit = { type: 'service.changed', name: 'db', change: changeTo('exited'), at: 0 } as const;
    const { ledger } = step(charts.ledger, exit);
    expect(['last', 'ui'].map((name) => phaseOf(slotOf(ledger, name)))).toEqual(['starting', 'pending']);
    expect(slotOf(ledger, 'ui').saidBlocked).toBe(true);
  });

  it('waits for as long as a daemon runs', () => {
    const { charts } = boot({ name: 'daemon' }, { name: 'web', ...tied('after', 'daemon:exited') });
    charts.happen('daemon', 'ready');
    expect(standing(charts, 'web')).toEqual(['pending']);
    charts.happen('daemon', 'exit');
    expect(standing(charts, 'web')).toEqual(['starting']);
  });
});
