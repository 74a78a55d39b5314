import { expect, it } from 'vitest';
import { barsOf, marksOf, nearestMark } from '../../../src/inspect/page/bars.ts';
import { domainOf } from '../../../src/inspect/page/scale.ts';
import type { Segment } from '../../../src/inspect/replica.ts';

const segment = (state: string, from: number, to?: number): Segment => ({
  state,
  from,
  seq: from,
  ...(to === undefined ? {} : { to }),
});
const start = [segment('pending', 0, 100), segment('starting.settling', 100, 400), segment('ready.running', 400)];
const whole = { span: { from: 0, to: 1_000 }, width: 1_000, end: 1_000, shown: 1_000 };

it('a bar tells how long the state lasted where there is room for that', () => {
  expect(barsOf(start, whole).map(({ state, x, width, text }) => [state, x, width, text])).toEqual([
    ['pending', 0, 100, '100 ms'],
    ['starting', 100, 300, '300 ms'],
    ['ready', 400, 600, '600 ms'],
  ]);
  expect(barsOf(start, { ...whole, width: 100 }).map(({ text }) => text)).toEqual([undefined, undefined, '600 ms']);
});

it('a bar says nothing that was not known at the shown instant', () => {
  expect(barsOf(start, { ...whole, shown: 650 }).at(-1)?.text).toBe('250 ms');
});

it('only what is in sight becomes bars, and what begins before it begins at the edge', () => {
  const shown = barsOf(start, { ...whole, span: { from: 200, to: 300 }, width: 500 });
  expect(shown).toEqual([{ x: 0, width: 500, state: 'starting', many: false, text: '300 ms' }]);
  const many = Array.from({ length: 10_000 }, (_, index) =>
    segment(index % 2 === 0 ? 'backoff' : 'ready.running', index * 10, index * 10 + 10),
  );
  // Those that touch the edges are among them.
  expect(barsOf(many, { span: { from: 50_000, to: 50_040 }, width: 400, end: 100_000, shown: 100_000 })).toHaveLength(
    6,
  );
});

it('bars that are too narrow stand together for the worst of their states', () => {
  const crashes = Array.from({ length: 50 }, (_, index) =>
    segment(index % 2 === 0 ? 'backoff' : 'ready.running', index, index + 1),
  );
  expect(barsOf(crashes, { ...whole, end: 50, shown: 50 })).toMatchObject([{ state: 'backoff', many: true, x: 0 }]);
});

it('marks of one kind that are too near are counted together, and the pointer finds the nearest', () => {
  const marks = [10, 12, 500].map((at, index) => ({ kind: 'crash', at, index, text: '' }) as const);
  expect(marksOf(marks, whole.span, 1_000).map(({ x, count }) => [x, count])).toEqual([
    [10, 2],
    [500, 1],
  ]);
  expect(nearestMark(marks, 490, 20)?.index).toBe(2);
  expect(nearestMark(marks, 300, 20)).toBeUndefined();
});

it('the boot ends when the system was up, and the last minutes move with the time', () => {
  expect(domainOf({ kind: 'boot' }, 800, 60_000, true)).toEqual({ from: 0, to: 840 });
  expect(domainOf({ kind: 'boot' }, undefined, 60_000, true).to).toBeGreaterThan(60_000);
  expect(domainOf({ kind: 'last', ms: 5_000 }, 800, 60_000, true)).toEqual({ from: 55_000, to: 60_000 });
  expect(domainOf({ kind: 'last', ms: 5_000 }, 800, 3_000, true)).toEqual({ from: 0, to: 3_000 });
  expect(domainOf({ kind: 'span', from: 5, to: 9 }, 800, 60_000, true)).toMatchObject({ from: 5, to: 9 });
});
