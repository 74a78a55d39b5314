import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Draft, isAllOver, newLedger, Slots } from '../../../src/model/ledger/ledger.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import type { ServiceSpec } from '../../../src/model/service/service-spec.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts } from './charts.ts';

type Sketch = Partial<ServiceSpec> & { readonly name: string };

function sketches(count: number, waitsFor: (index: number) => readonly string[]): readonly Sketch[] {
  return Array.from({ length: count }, (_, index) => ({ name: `s${index}`, prerequisites: waitsFor(index) }));
}

const shapes = {
  'services without edges': (count: number) => sketches(count, () => []),
  'a hub': (count: number) => sketches(count, (index) => (index === 0 ? [] : ['s0'])),
  'a chain': (count: number) => sketches(count, (index) => (index === 0 ? [] : [`s${index - 1}`])),
};

let looks = 0;

beforeEach(() => {
  looks = 0;
  const { get } = Draft.prototype;
  const { get: getSlot } = Slots.prototype;
  const { all } = Draft.prototype;
  vi.spyOn(Draft.prototype, 'get').mockImplementation(function (this: Draft, name) {
    looks += 1;
    return get.call(this, name);
  });
  vi.spyOn(Slots.prototype, 'get').mockImplementation(function (this: Slots, name) {
    looks += 1;
    return getSlot.call(this, name);
  });
  vi.spyOn(Draft.prototype, 'all').mockImplementation(function (this: Draft) {
    const slots = all.call(this);
    looks += slots.length;
    return slots;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
});

function system(specs: readonly Sketch[]): Charts {
  const services = specs.map((spec) => serviceSpec(spec));
  return new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
}

function boot(charts: Charts): void {
  charts.send({ type: 'starts.released', idle: true, at: 0 });
  for (let next = 0; next < charts.starts.length; next++) charts.happen(charts.starts[next] ?? '', 'ready');
}

function end(charts: Charts): void {
  for (let next = 0; next < charts.stops.length; next++) charts.happen(charts.stops[next] ?? '', 'clear');
}

const histories = {
  'the boot': (specs: readonly Sketch[]) => boot(system(specs)),
  'the boot and the end': (specs: readonly Sketch[]) => {
    const charts = system(specs);
    boot(charts);
    charts.send({ type: 'drain.begun', at: 0 });
    end(charts);
    expect(isAllOver(charts.ledger)).toBe(true);
  },
  'the boot, and a stop of everything by hand': (specs: readonly Sketch[]) => {
    const charts = system(specs);
    boot(charts);
    const names = specs.map(({ name }) => name);
    charts.send({ type: 'services.stop', names, disable: false, again: false, drain: false, at: 0 });
    end(charts);
    expect(isAllOver(charts.ledger)).toBe(true);
  },
};

describe.each(Object.entries(shapes))('the work for %s', (_, specsOf) => {
  it.each(Object.entries(histories))('of %s grows with their number', (__, run) => {
    run(specsOf(100));
    const few = looks;
    looks = 0;
    run(specsOf(1_000));
    expect(few).toBeGreaterThan(0);
    expect(looks / few).toBeLessThan(12);
  });
});
