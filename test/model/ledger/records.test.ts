/** What a ledger keeps for those who tell of it later: how each stop of a shutdown went, and who has asked for a start. */
import { describe, expect, it } from 'vitest';
import { newLedger, type Order } from '../../../src/model/ledger/ledger.ts';
import type { ServiceRequest } from '../../../src/model/ledger/requests.ts';
import { step } from '../../../src/model/ledger/step.ts';
import { killGrace } from '../../../src/model/ledger/stops.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, type Fact, named, slotOf } from './charts.ts';

type Sketch = Partial<ServiceSpec> & { readonly name: string };

/** Everything runs. */
function up(...specs: readonly Sketch[]) {
  const services = specs.map((spec) => serviceSpec(spec));
  const starts: (Order & { readonly kind: 'start' })[] = [];
  const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), ({ orders }) => {
    for (const order of orders) if (order.kind === 'start') starts.push(order);
  });
  charts.send({ type: 'starts.released', idle: true, at: 0 });
  for (const { name } of specs) charts.happen(name, 'ready');
  return Object.assign(charts, { orders: starts });
}

const records = (charts: Charts) => charts.ledger.drain?.stops;

describe('the record of a stop in a shutdown', () => {
  it('says how long it took, which signal asked, and how the process ended', () => {
    const charts = up({ name: 'web', killSignal: 'SIGQUIT' });
    charts.wait(100);
    charts.send({ type: 'drain.begun', at: charts.now });
    charts.wait(250);
    expect(records(charts)).toEqual([]);
    charts.happen('web', 'clear');
    expect(records(charts)).toEqual([{ service: 'web', took: 250, asked: 'SIGQUIT' }]);
  });

  it('says the status of a process whose end was told', () => {
    const charts = up({ name: 'web' });
    charts.send({ type: 'drain.begun', at: 0 });
    const status = { kind: 'exited', code: 3 } as const;
    const change = { phase: 'stopped', end: { pid: 7, status, ran: 9 } } as const;
    charts.send({ type: 'service.changed', name: 'web', change, at: 0 });
    expect(records(charts)).toEqual([{ service: 'web', took: 0, asked: 'SIGTERM', status }]);
    expect(slotOf(charts.ledger, 'web').outcome).toEqual({ kind: 'exit', status });
  });

  it('says that a service got SIGKILL when its time was up', () => {
    const charts = up({ name: 'web' }, { name: 'db' });
    charts.send({ type: 'drain.begun', at: 0 });
    charts.happen('db', 'clear');
    charts.wait(60_000);
    charts.happen('web', 'clear');
    expect(records(charts)).toEqual([
      { service: 'db', took: 0, asked: 'SIGTERM' },
      { service: 'web', took: 60_000, asked: 'SIGTERM', killed: true },
    ]);
  });

  it('says that a service got SIGKILL when somebody forced the end', () => {
    const charts = up({ name: 'web' });
    charts.send({ type: 'drain.begun', at: 0 });
    charts.wait(10);
    charts.send({ type: 'stops.forced', at: charts.now });
    expect(charts.kills).toEqual(['web']);
    charts.happen('web', 'clear');
    expect(records(charts)).toEqual([{ service: 'web', took: 10, asked: 'SIGTERM', killed: true }]);
  });

  it('says that a process has survived SIGKILL', () => {
    const charts = up({ name: 'web' });
    charts.send({ type: 'drain.begun', at: 0 });
    charts.wait(60_000);
    charts.happen('web', 'survive');
    expect(records(charts)).toEqual([{ service: 'web', took: 60_000, asked: 'SIGTERM', killed: true, survived: true }]);
  });

  it('remembers the SIGKILL of a stop that began before the shutdown', () => {
    const charts = up({ name: 'web', stopTimeout: 1_000 });
    charts.send({ type: 'services.stop', names: ['web'], disable: false, again: false, drain: false, at: 0 });
    charts.wait(2_000);
    expect(charts.kills).toEqual(['web']);
    charts.send({ type: 'drain.begun', at: charts.now });
    charts.happen('web', 'clear');
    expect(records(charts)).toEqual([{ service: 'web', took: 2_000, asked: 'SIGTERM', killed: true }]);
  });

  it('is made of no stop outside of a shutdown, and of none that ends by itself', () => {
    const charts = up({ name: 'web' }, { name: 'db' });
    charts.send({ type: 'services.stop', names: ['web'], disable: false, again: false, drain: false, at: 0 });
    charts.happen('web', 'clear');
    charts.happen('db', 'fail');
    charts.happen('db', 'exit');
    charts.send({ type: 'drain.begun', at: 0 });
    expect(records(charts)).toEqual([]);
  });
});

type DistributedRequest = ServiceRequest extends infer T ? (T extends T ? Omit<T, 'names' | 'at'> : never) : never;

const start: DistributedRequest = { type: 'services.start', enable: false, force: false };
const enable: DistributedRequest = { type: 'services.enable' };
const stop = { type: 'services.stop', disable: false, again: false, drain: false } as const;

/** What is asked for, by hand, and what happens between. */
const ways: readonly (readonly [string, Sketch, readonly (DistributedRequest | Fact)[]])[] = [
  ['a service at rest', { name: 'web' }, [stop, 'clear', start]],
  ['a service that is stopping', { name: 'web' }, [stop, start, 'clear']],
  ['a service whose remains are ended', { name: 'web' }, ['crashLeaving', start, 'clear']],
  ['a service that has ended normally', { name: 'web' }, ['exit', start, 'clear']],
  ['a service that runs, with force', { name: 'web' }, [{ ...start, force: true }, 'clear']],
  ['a service that runs, by a restart', { name: 'web' }, [{ ...stop, again: true }, 'clear']],
  ['a service at rest, by a restart', { name: 'web' }, [stop, 'clear', { ...stop, again: true }]],
  ['a disabled service', { name: 'web', enabled: false }, [{ ...start, enable: true }]],
  [
    'a service in backoff that was disabled',
    { name: 'web', restart: true },
    ['crash', { type: 'services.disable' }, 'clear', enable],
  ],
];

describe('a shutdown', () => {
  it('tells what waits for its start that it never comes, and leaves what has ended as it is', () => {
    const services = [
      serviceSpec({ name: 'db' }),
      serviceSpec({ name: 'web', prerequisites: ['db'] }),
      serviceSpec({ name: 'job', ignoreFailures: true }),
    ];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    charts.happen('job', 'fail');
    const { ledger, orders } = step(charts.ledger, { type: 'drain.begun', at: 0 });
    expect(named(orders, 'retire')).toEqual(['web']);
    expect([ledger.drain?.neverStarted, ledger.drain?.stopped]).toEqual([['web'], ['db']]);
    expect(['web', 'job'].map((name) => slotOf(ledger, name))).toMatchObject([
      { chart: 'stopped', intent: { kind: 'none' } },
      { chart: 'failed', intent: { kind: 'none' } },
    ]);
  });

  it('names all that were told before it among those that it stops', () => {
    const charts = up({ name: 'web' }, { name: 'db' }, { name: 'ui' });
    const stops = { ...stop, names: ['web', 'db'], at: 0 };
    charts.send(stops);
    charts.send({ type: 'drain.begun', at: 0 });
    expect(charts.ledger.drain?.stopped).toEqual(['web', 'db', 'ui']);
  });

  it('that is forced kills everybody at once, and for good', () => {
    const charts = up({ name: 'web' }, { name: 'db' });
    charts.send({ type: 'drain.begun', at: 0 });
    charts.happen('db', 'clear');
    expect(step(charts.ledger, { type: 'stops.forced', at: 5 }).orders).toEqual([
      { kind: 'kill', name: 'web', grace: killGrace, last: true },
    ]);
  });
});

describe('who has asked for a start', () => {
  it.each(ways)('is remembered for %s until it is ready', (_, spec, steps) => {
    const charts = up(spec);
    const before = charts.orders.length;
    for (const one of steps) {
      if (typeof one === 'string') charts.happen('web', one);
      else charts.send({ ...one, names: ['web'], at: charts.now });
    }
    expect(charts.orders.slice(before)).toEqual([{ kind: 'start', name: 'web', askedBy: 'hand' }]);
    expect(slotOf(charts.ledger, 'web').askedBy).toBe('hand');
    charts.happen('web', 'ready');
    expect(slotOf(charts.ledger, 'web').askedBy).toBeUndefined();
  });

  it('is nobody at the boot and at an automatic restart', () => {
    const charts = up({ name: 'web', restart: true });
    charts.happen('web', 'crash');
    charts.happen('web', 'restart');
    expect(charts.orders).toEqual([{ kind: 'start', name: 'web' }]);
    expect(slotOf(charts.ledger, 'web').askedBy).toBeUndefined();
  });
});
