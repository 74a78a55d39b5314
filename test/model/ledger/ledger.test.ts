import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  isAllOver,
  isQuiet,
  isQuietButScheduled,
  type Ledger,
  ledgerOf,
  newLedger,
  Slots,
} from '../../../src/model/ledger/ledger.ts';
import { newSlot, nothingIntended, phaseOf, queued, type Slot } from '../../../src/model/ledger/slot.ts';
import { isSettled } from '../../../src/model/ledger/starts.ts';
import { type LedgerEvent, step } from '../../../src/model/ledger/step.ts';
import { buildDependencyGraph } from '../../../src/model/order/dependency-graph.ts';
import {
  isEnded,
  isLive,
  isReadyPhase,
  type ServiceChange,
  type ServicePhase,
  servicePhases,
} from '../../../src/model/service/service-phase.ts';
import { orderedServices, stageIn } from '../order/graphs.ts';
import { serviceSpec, systemSpec } from '../specs.ts';
import { Charts, changeTo, named, slotOf } from './charts.ts';
import { isSettled as isSettledByLooking, standingsOf } from './oracles.ts';

const state = fc.record({
  chart: fc.constantFrom(...servicePhases),
  enabled: fc.boolean(),
  ready: fc.boolean(),
  waits: fc.boolean(),
  forking: fc.boolean(),
  ignoreFailures: fc.boolean(),
});

/** A ledger in which every service stands anywhere. */
const ledgers: fc.Arbitrary<Ledger> = orderedServices.chain((members) =>
  fc.tuple(...members.map(() => state)).map((states) => {
    const services = members.map((member, index) =>
      serviceSpec({
        ...member,
        type: states[index]?.forking ? 'forking' : 'simple',
        ignoreFailures: states[index]?.ignoreFailures ?? false,
      }),
    );
    const { slots: _, counters: __, ...rest } = newLedger(systemSpec(services), buildDependencyGraph(services));
    const slots = services.map((spec, index): Slot => {
      const { chart = 'pending', enabled = true, ready = false, waits = false } = states[index] ?? {};
      const rests = isEnded(chart) || chart === 'pending';
      const intent = rests && waits ? queued : nothingIntended;
      return { ...newSlot(spec), chart, enabled, intent, hasBeenReady: ready || isReadyPhase(chart) };
    });
    return ledgerOf(rest, slots);
  }),
);

function countBy(ledger: Ledger, counts: (slot: Slot) => boolean): readonly number[] {
  const { slots, graph } = ledger;
  return [0, 1, 2].map(
    (stage) => slots.all().filter((slot) => stageIn(graph, slot.spec.name) === stage && counts(slot)).length,
  );
}

describe('what a ledger counts', () => {
  it('is what a look at every service gives', () => {
    fc.assert(
      fc.property(ledgers, (ledger) => {
        const { slots, counters, graph } = ledger;
        const phases = slots.all().map(phaseOf);
        const isPending = (slot: Slot): boolean => phaseOf(slot) === 'pending';
        const isOpen = (slot: Slot): boolean => !slot.hasBeenReady && !isEnded(phaseOf(slot));
        expect(counters.total).toBe(phases.length);
        for (const phase of servicePhases)
          expect(counters.phases[phase]).toBe(phases.filter((one) => one === phase).length);
        expect(counters.members).toEqual(countBy(ledger, (slot) => phaseOf(slot) !== 'disabled'));
        expect(counters.open).toEqual(countBy(ledger, isOpen));
        expect(counters.active).toEqual(countBy(ledger, (slot) => isOpen(slot) && !isPending(slot)));
        expect(counters.left).toEqual(countBy(ledger, ({ chart }) => !isEnded(chart) && chart !== 'pending'));
        const slow = slots.all().filter(({ chart, spec }) => {
          return isLive(chart) || ((chart === 'ready.exited' || chart === 'exited') && spec.type === 'forking');
        });
        for (let layer = 0; layer < graph.layerCount; layer++) {
          const here = slow.filter(({ spec }) => graph.nodes[spec.name]?.layer === layer);
          expect(counters.slow[layer]).toBe(here.length);
        }
      }),
    );
  });

  it('tells whether all is quiet, or over', () => {
    fc.assert(
      fc.property(ledgers, (ledger) => {
        const charts = ledger.slots.all().map(({ chart }) => chart);
        expect(isQuiet(ledger)).toBe(!charts.some(isLive));
        expect(isQuietButScheduled(ledger)).toBe(
          charts.includes('ready.scheduled') && !charts.some((chart) => chart !== 'ready.scheduled' && isLive(chart)),
        );
        expect(isAllOver(ledger)).toBe(charts.every((chart) => isEnded(chart) || chart === 'pending'));
      }),
    );
  });

  it('tells whether all is settled', () => {
    fc.assert(
      fc.property(ledgers, (ledger) => {
        const standings = standingsOf(ledger);
        expect(isSettled(ledger, 2)).toBe(isSettledByLooking(ledger.graph, standings, false));
        expect(isSettled(ledger, 3)).toBe(isSettledByLooking(ledger.graph, standings, true));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('slots', () => {
  const many = Array.from({ length: 200 }, (_, index) => newSlot(serviceSpec({ name: `s${index}` })));

  it('are found by name, and stand in their order', () => {
    const slots = Slots.of(many);
    expect([...slots].map(({ spec: { name } }) => name)).toEqual(slots.names());
    expect(slots.all().map(({ spec: { name } }) => slots.position(name))).toEqual(many.map((_, index) => index));
    expect(slots.get('s130')?.spec.name).toBe('s130');
    expect(slots.get('nobody')).toBeUndefined();
  });

  it('with others are other slots, and leave these alone', () => {
    const slots = Slots.of(many);
    const [first, last] = [many[0], many[199]];
    if (first === undefined || last === undefined) throw new Error('no slots');
    const changed = slots.with(
      new Map([
        ['s0', { ...first, askedBy: 'hand' }],
        ['s199', { ...last, askedBy: 'hand' }],
      ]),
    );
    expect(changed.all().flatMap(({ askedBy, spec: { name } }) => (askedBy !== undefined ? [name] : []))).toEqual([
      's0',
      's199',
    ]);
    expect(slots.all().some(({ askedBy }) => askedBy !== undefined)).toBe(false);
    expect(() => slots.with(new Map([['nobody', first]]))).toThrow('nobody has no place');
  });
});

describe('what a service reports', () => {
  function system(...names: readonly string[]): Charts {
    const services = names.map((name) => serviceSpec({ name, restart: true }));
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
    charts.send({ type: 'starts.released', idle: true, at: 0 });
    return charts;
  }

  it('makes it ready for good, as far as later stages go', () => {
    const charts = system('web');
    expect(slotOf(charts.ledger, 'web').hasBeenReady).toBe(false);
    charts.happen('web', 'ready');
    charts.happen('web', 'crash');
    expect(slotOf(charts.ledger, 'web')).toMatchObject({ chart: 'backoff', hasBeenReady: true });
  });

  it('ends the start that somebody has asked for, once that is ready', () => {
    const charts = system('web');
    charts.happen('web', 'fail');
    charts.send({ type: 'services.start', names: ['web'], enable: false, force: false, at: 0 });
    expect(slotOf(charts.ledger, 'web').askedBy).toBe('hand');
    charts.happen('web', 'ready');
    expect(slotOf(charts.ledger, 'web').askedBy).toBeUndefined();
  });

  const ask = { names: ['web'], at: 0 };
  const stop = { type: 'services.stop', disable: false, again: false, drain: false, ...ask } as const;
  const restart = { ...stop, again: true } as const;
  it.each<[string, (charts: Charts) => void]>([
    ['a restart of a running service', (charts) => charts.send(restart)],
    [
      'a restart of a service that is being stopped',
      (charts) => {
        charts.send(stop);
        charts.send(restart);
      },
    ],
    [
      'an enable that takes up what a disable has ended',
      (charts) => {
        charts.happen('web', 'crash');
        charts.send({ type: 'services.disable', ...ask });
        charts.send({ type: 'services.enable', ...ask });
      },
    ],
  ])('notes %s as a start that somebody has asked for', (_title, request) => {
    const charts = system('web');
    charts.happen('web', 'ready');
    request(charts);
    expect(slotOf(charts.ledger, 'web').askedBy).toBe('hand');
  });

  it('tells how its last run ended, where it does', () => {
    const charts = system('web');
    charts.happen('web', 'ready');
    expect(slotOf(charts.ledger, 'web').outcome).toBeUndefined();
    charts.happen('web', 'exit');
    const outcome = { kind: 'exit', status: { kind: 'exited', code: 1 } };
    expect(slotOf(charts.ledger, 'web').outcome).toEqual(outcome);
    charts.send({ type: 'services.stop', names: ['web'], disable: false, again: false, drain: false, at: 0 });
    expect(slotOf(charts.ledger, 'web')).toMatchObject({ chart: 'stopped', outcome });
  });

  it('tells how its last run ended also where that was a failure', () => {
    const charts = system('web');
    charts.happen('web', 'ready');
    charts.happen('web', 'crash');
    const outcome = { kind: 'exit', status: { kind: 'exited', code: 1 } };
    expect(slotOf(charts.ledger, 'web')).toMatchObject({ chart: 'backoff', outcome });
  });

  it('tells nothing of how its last run ended where no process did', () => {
    const charts = system('web');
    const cause = { kind: 'timeout', timeout: 5_000, pid: 7 } as const;
    const change = { phase: 'failed', cause, during: 'start' } as const;
    charts.send({ type: 'service.changed', name: 'web', change, at: 0 });
    expect(slotOf(charts.ledger, 'web')).toMatchObject({ chart: 'failed' });
    expect(slotOf(charts.ledger, 'web').outcome).toBeUndefined();
  });

  it('keeps the verdict on its health while it is up, and that of its spawn in its start', () => {
    const charts = system('web');
    charts.happen('web', 'spawn');
    expect(slotOf(charts.ledger, 'web').spawned).toBe(true);
    charts.happen('web', 'ready');
    expect(slotOf(charts.ledger, 'web').spawned).toBeUndefined();
    charts.happen('web', 'recover');
    const up = { type: 'service.changed', name: 'web', change: changeTo('ready.exited'), at: 0 } as const;
    expect(slotOf(step(charts.ledger, up).ledger, 'web').healthy).toBe(true);
    charts.happen('web', 'crash');
    expect(slotOf(charts.ledger, 'web').healthy).toBeUndefined();
  });

  it('tells that a restart has begun, and nothing of the kind of any other change', () => {
    const charts = system('web');
    const resets = (phase: ServicePhase): readonly string[] =>
      step(charts.ledger, { type: 'service.changed', name: 'web', change: changeTo(phase), at: 0 }).orders.flatMap(
        (order) => (order.kind === 'tell' && order.notice.type === 'service.reset' ? [order.notice.service] : []),
      );
    expect([resets('starting'), resets('ready.running')]).toEqual([[], []]);
    charts.happen('web', 'ready');
    charts.happen('web', 'crash');
    expect([resets('starting'), resets('stopped')]).toEqual([['web'], []]);
  });

  it('may be that its start is skipped: it is as good as disabled, and lets others start, until it is started', () => {
    const services = [serviceSpec({ name: 'db' }), serviceSpec({ name: 'web', prerequisites: ['db'] })];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
    charts.send({ type: 'starts.released', idle: false, at: 0 });
    const skip = { type: 'service.changed', name: 'db', change: { phase: 'disabled', skipped: '' }, at: 0 } as const;
    const { ledger, orders } = step(charts.ledger, skip);
    expect([phaseOf(slotOf(ledger, 'db')), named(orders, 'start')]).toEqual(['disabled', ['web']]);
    const request = { type: 'services.start', names: ['db'], enable: false, force: false, at: 0 } as const;
    const again = step(ledger, request);
    expect([phaseOf(slotOf(again.ledger, 'db')), named(again.orders, 'start')]).toEqual(['starting', ['db']]);
  });

  it('that lets others start says so of each', () => {
    const released: string[] = [];
    const services = [serviceSpec({ name: 'db' }), serviceSpec({ name: 'web', prerequisites: ['db'] })];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)), ({ orders }) => {
      for (const order of orders)
        if (order.kind === 'tell' && order.notice.type === 'service.released') released.push(order.notice.service);
    });
    charts.send({ type: 'starts.released', idle: false, at: 0 });
    charts.happen('db', 'ready');
    expect(released).toEqual(['db', 'web']);
  });

  it('is told as it is, but for a restart that does not come', () => {
    const charts = system('web');
    charts.happen('web', 'ready');
    const backoff = { type: 'service.changed', name: 'web', change: changeTo('backoff'), at: 0 } as const;
    const told = (ledger: Ledger): unknown => step(ledger, backoff).orders.find(({ kind }) => kind === 'tell');
    expect(told(charts.ledger)).toMatchObject({ notice: { change: { phase: 'backoff' } } });
    charts.send({ type: 'services.disable', names: ['web'], at: 0 });
    expect(told(charts.ledger)).toMatchObject({ notice: { change: { phase: 'failed', during: 'run' } } });
  });

  it('is told once where a disabled service ends normally and would pause', () => {
    const pausing = { ...changeTo('backoff'), normal: true } as const;
    const stop = { type: 'services.stop', names: ['web'], disable: true, again: false, drain: false, at: 0 } as const;
    const changes = (events: readonly LedgerEvent[]): readonly string[] => {
      const charts = system('web');
      charts.happen('web', 'ready');
      let { ledger } = charts;
      return events.flatMap((event) => {
        const after = step(ledger, event);
        ledger = after.ledger;
        return after.orders.flatMap((order) =>
          order.kind === 'tell' && order.notice.type === 'service.changed' ? [order.notice.change.phase] : [],
        );
      });
    };
    const changed = (change: ServiceChange): LedgerEvent => ({ type: 'service.changed', name: 'web', change, at: 0 });
    const disable = { type: 'services.disable', names: ['web'], at: 0 } as const;
    const [pause, rest] = [changed(pausing), changed(changeTo('stopped'))];
    expect(changes([disable, pause, rest])).toEqual(['stopped']);
    expect(changes([stop, pause, rest])).toEqual(['stopped']);
    expect(changes([pause, disable, rest])).toEqual(['backoff', 'stopped']);
    expect(changes([pause, stop, rest])).toEqual(['backoff', 'stopped']);
    const start = { type: 'services.start', names: ['web'], enable: true, force: false, at: 0 } as const;
    const [begin, ready] = [changed(changeTo('starting')), changed(changeTo('ready.running'))];
    expect(changes([disable, pause, rest, start, begin, ready, { ...stop, disable: false }, rest])).toEqual([
      'stopped',
      'starting',
      'ready.running',
      'stopped',
    ]);
  });

  it('that ends the system starts nobody', () => {
    const services = [
      serviceSpec({ name: 'db', ignoreFailures: true }),
      serviceSpec({ name: 'web', prerequisites: ['db'] }),
    ];
    const charts = new Charts(newLedger(systemSpec(services), buildDependencyGraph(services)));
    charts.send({ type: 'starts.released', idle: false, at: 0 });
    const failure = { type: 'service.changed', name: 'db', change: changeTo('failed'), at: 0 } as const;
    expect(named(step(charts.ledger, failure).orders, 'start')).toEqual(['web']);
    expect(named(step(charts.ledger, { ...failure, last: true }).orders, 'start')).toEqual([]);
  });

  it('of what has no slot is nothing', () => {
    const { ledger } = system('web');
    expect(
      step(ledger, { type: 'service.changed', name: 'nobody', change: changeTo('ready.running'), at: 0 }).orders,
    ).toEqual([]);
  });
});
