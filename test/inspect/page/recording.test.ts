import { describe, expect, it } from 'vitest';
import type { Entry, Taken } from '../../../src/inspect/entry.ts';
import { chartOf, contains, eventText } from '../../../src/inspect/page/chart-model.ts';
import { blockingPath, graphOf, instantOf } from '../../../src/inspect/page/instant.ts';
import { parsePlace, renderPlace } from '../../../src/inspect/page/link.ts';
import { Recording } from '../../../src/inspect/page/recording.ts';
import { pan, ticks, tickText, wholeDomain, zoom } from '../../../src/inspect/page/scale.ts';
import { chainOf } from '../../../src/inspect/page/start-chain.ts';
import { bootEntry, numbered, serviceEntry } from '../hand-made.ts';
import { crashLoopRecording, crashLoopWorld, deadlockRecording, sampleRecording } from '../recordings.ts';

describe('a recording', () => {
  const entries = crashLoopRecording();

  it('takes each entry once, in whatever pieces they come', () => {
    const recording = new Recording();
    for (let first = 0; first < entries.length; first += 97)
      recording.append(entries.slice(Math.max(1, first - 13), first + 97));
    expect(recording.entries.length).toBe(entries.length - 1);
    recording.append(entries);
    expect(recording.entries).toEqual(entries);
    recording.append(entries.slice(-5));
    expect(recording.entries).toEqual(entries);
  });

  it('forgets the oldest over its bound, and knows the states of now all the same', () => {
    const bounded = new Recording(600);
    const whole = new Recording();
    for (const entry of entries) {
      bounded.append([entry]);
      whole.append([entry]);
    }
    expect(bounded.entries.length).toBeLessThanOrEqual(600);
    expect(bounded.head.lost).toBeGreaterThan(entries.length - 700);
    const states = ({ head }: Recording) =>
      [...head.services.values()].map(({ name, segments }) => [name, segments.at(-1)?.state]);
    expect(states(bounded)).toEqual(states(whole));
    expect(chainOf(whole.head, whole.lastAt).length).toBeGreaterThan(0);
    expect(chainOf(bounded.head, bounded.lastAt)).toEqual(chainOf(whole.head, whole.lastAt));
    expect(bounded.after(300).seq).toBe(bounded.entries[299]?.seq);
  });

  it('marks what happened before somebody watched, too: facts are enough for that', () => {
    for (const recorded of [entries, sampleRecording()]) {
      const whole = new Recording();
      whole.append(recorded);
      const late = new Recording();
      late.append(recorded.filter(({ type }) => type === '@chaperone.boot' || type === '@chaperone.fact'));
      const marksOf = ({ marks }: Recording) =>
        [...marks].map(([name, all]) => [
          name,
          all.flatMap(({ kind, at, text }) => (kind === 'error' ? [] : [{ kind, at, text }])),
        ]);
      expect(marksOf(late)).toEqual(marksOf(whole).filter(([, all]) => all?.length !== 0));
      const kinds = new Set([...late.marks.values()].flat().map(({ kind }) => kind));
      expect([...kinds]).toEqual(expect.arrayContaining(['spawn']));
    }
    const crashing = new Recording();
    crashing.append(entries);
    const kinds = new Set([...crashing.marks.values()].flat().map(({ kind }) => kind));
    for (const kind of ['spawn', 'crash', 'restart', 'run'] as const)
      expect([kind, kinds.has(kind)]).toEqual([kind, true]);
  });

  it('that begins late has the past at the instants at which it happened', () => {
    // Nobody watches until then.
    const world = crashLoopWorld({ trace: false });
    world.assembly.start();
    world.clock.run(20_000);
    const late: Entry[] = [];
    world.inspection.hub.watch({ onEntry: (entry) => late.push(entry) > 0 });
    const facts = late.flatMap((entry) => (entry.type === '@chaperone.fact' ? [entry] : []));
    expect(facts.length).toBeGreaterThan(20);
    for (const { at, fact } of facts) expect(at).toBe(fact.at);
    const recording = new Recording();
    recording.append(late);
    expect(recording.detailFrom).toBe(20_000);
    expect(recording.marks.get('web.service')?.[0]).toMatchObject({ kind: 'spawn', at: 200 });
    expect(recording.after(recording.countAt(1_000)).services.get('web.service')?.segments.at(-1)?.state).toBe(
      'backoff',
    );
  });

  it('finds entries by number and by time', () => {
    const recording = new Recording();
    recording.append(entries);
    expect(recording.countOfSeq(recording.entries[41]?.seq ?? 0)).toBe(42);
    const count = recording.countAt(10_000);
    expect(recording.entries[count - 1]?.at).toBeLessThanOrEqual(10_000);
    expect(recording.entries[count]?.at).toBeGreaterThan(10_000);
  });
});

describe('an instant', () => {
  it('knows what holds what up, directly or not', () => {
    const recording = new Recording();
    recording.append(deadlockRecording());
    const graph = graphOf(recording.services.values());
    const { blockers, services } = instantOf(recording.head, recording.entries.length, recording.services, graph);
    expect(blockers).toEqual([
      {
        name: 'store.service',
        waiting: ['migrate.service', 'web.service', 'worker.service', 'proxy.service', 'report.service'],
      },
    ]);
    const path = blockingPath(services, 'proxy.service');
    expect(path.get('proxy.service')).toEqual(['web.service', 'worker.service']);
    expect(path.get('store.service')).toEqual([]);
    expect([...path.keys()]).not.toContain('metrics.service');
  });

  it('draws the critical chain back over what each start waited for', () => {
    const recording = new Recording();
    recording.append(sampleRecording());
    const chain = chainOf(recording.head, recording.lastAt);
    expect(chain.map(({ service }) => service)).toEqual([
      'report.service',
      'writer.service',
      'store.service',
      'prepare.service',
    ]);
  });

  it('knows no future: its critical chain begins with the start that lasts then', () => {
    const recording = new Recording();
    recording.append(sampleRecording());
    const store = recording.head.services.get('store.service')?.firstStart?.at ?? 0;
    const at = store + 1;
    const chain = chainOf(recording.after(recording.countAt(at)), at);
    expect(chain[0]).toMatchObject({ started: store, lasts: at });
    expect(chain.every(({ ready = 0 }) => ready <= at)).toBe(true);
  });
});

describe('a chart', () => {
  const recording = new Recording();
  recording.append(crashLoopRecording());

  it.each([
    ['service', 30],
    ['scheduled', 1],
  ] as const)('has every step of a %s on one of its edges', (machine, least) => {
    const chart = chartOf(machine, recording.definition(machine) ?? null);
    const steps = [...recording.steps.entries()]
      .filter(([id]) => recording.actors.get(id)?.machine === machine)
      .flatMap(([, all]) => all)
      .filter(({ from, to }) => from !== to && from !== '');
    expect(steps.length).toBeGreaterThan(least);
    for (const step of steps) {
      const text = `${step.from} -${step.event}-> ${step.to}`;
      expect(step.edges.length, text).toBeGreaterThan(0);
      for (const id of step.edges) {
        const edge = chart.edges.find((each) => each.id === id);
        expect(edge, `${id} of ${text}`).toBeDefined();
        expect(edge?.events.some((event) => event === step.event || event === '')).toBe(true);
        expect(contains(edge?.from ?? '', step.from) && contains(edge?.to ?? '', step.to), text).toBe(true);
      }
    }
  });

  it('takes the edges that the machine says, and guesses none', () => {
    const taken = (said: readonly Taken[]) => {
      const one = new Recording();
      const event = { type: 'unit.leaderExited' };
      one.append([
        bootEntry([serviceEntry('web')]),
        ...numbered([
          [1, { type: '@xstate.actor', sessionId: 'x:1', name: 'web.service', machine: 'service', snapshot: ready }],
          [
            2,
            {
              type: '@xstate.snapshot',
              sessionId: 'x:1',
              event,
              taken: said,
              snapshot: { ...ready, value: 'backoff' },
            },
          ],
        ]),
      ]);
      return one.steps.get('x:1')?.[0]?.edges;
    };
    const ready = { status: 'active', value: { ready: 'running' } } as const;
    expect(taken([{ from: 'ready', to: 'backoff' }])).toEqual(['ready → backoff']);
    expect(taken([{ from: 'ready.running' }])).toEqual([]);
    expect(taken([])).toEqual([]);
  });

  it('has no edges that nobody is ever told of', () => {
    const chart = chartOf('service', recording.definition('service') ?? null);
    const first = chart.edges.filter(({ from }) => from === 'configured').map(({ to }) => to);
    expect(new Set(first)).toEqual(new Set(['pending', 'disabled']));
  });

  it('calls timers by the names of their delays', () => {
    expect(eventText('xstate.after.startupPause.service.starting.settling')).toBe('after startupPause');
    expect(eventText('')).toBe('always');
    expect(eventText('unit.leaderExited')).toBe('unit.leaderExited');
  });
});

describe('time and place', () => {
  it('renders what it parses, and forgives what makes no sense', () => {
    const plain = parsePlace('');
    const place = { ...plain, t: 1312.5, event: 164, service: 'web.service', view: 'graph' } as const;
    expect(parsePlace(renderPlace(place))).toEqual(place);
    expect(renderPlace({ ...plain, view: 'timeline' })).toBe('');
    expect(parsePlace('#t=never&view=nothing&event=-1')).toEqual(plain);
  });

  it('keeps under the pointer what is under it while it zooms', () => {
    const near = zoom({ from: 0, to: 1_000 }, 0.5, 250);
    expect((250 - near.from) / (near.to - near.from)).toBeCloseTo(0.25);
    expect(pan({ from: 0, to: 100 }, -50)).toEqual({ from: 0, to: 100 });
  });

  it('moves the end of what grows only now and then', () => {
    const ends = new Set(Array.from({ length: 1_000 }, (_, index) => wholeDomain(10_000 + index * 10, true).to));
    expect(ends.size).toBeLessThan(8);
    expect(wholeDomain(5_000, true).to).toBeGreaterThan(5_000);
  });

  it('puts round instants on the axis', () => {
    for (const to of [1, 37, 900, 12_345, 3_600_000, 86_400_000 * 3]) {
      const marks = ticks({ from: 0, to }, 800);
      expect(marks.length).toBeGreaterThan(1);
      expect(marks.length).toBeLessThan(14);
      const step = (marks[1] ?? 0) - (marks[0] ?? 0);
      const texts = marks.map((at) => tickText(at, step));
      expect(new Set(texts).size).toBe(texts.length);
    }
  });
});
