import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Place, parsePlace, renderPlace, views } from '../../../src/inspect/page/link.ts';
import { sorts } from '../../../src/inspect/page/order.ts';
import { publicStates } from '../../../src/model/service/public-state.ts';

const plain = parsePlace('');

it('an address without anything shows everything as configured, and needs no text', () => {
  expect(plain).toEqual({
    view: 'timeline',
    sort: 'order',
    troubleFirst: true,
    states: [],
    find: '',
    lines: '',
    wallClock: false,
    swapped: false,
  });
  expect(renderPlace(plain)).toBe('');
});

it('an address holds the zoom, the order and the filters', () => {
  const place: Place = {
    ...plain,
    zoom: { kind: 'span', from: 12.5, to: 4_500 },
    sort: 'duration',
    states: ['backoff', 'failed'],
    troubleFirst: false,
  };
  expect(renderPlace(place)).toBe('#zoom=12.5-4500&sort=duration&trouble=in-order&states=backoff%2Cfailed');
  expect(parsePlace('#zoom=boot').zoom).toEqual({ kind: 'boot' });
  expect(parsePlace('#zoom=last-300000').zoom).toEqual({ kind: 'last', ms: 300_000 });
});

it.each([
  '5-5',
  '9-2',
  '-',
  'last-',
  'last-0',
  'last--1',
  'NaN-Infinity',
  '0x10-0x20',
  '1e3-1e4',
  'boot-1',
  '',
])('what is no zoom shows all of the time: %j', (zoom) => expect(parsePlace(`#zoom=${zoom}`).zoom).toBeUndefined());

it('every place comes back from its address', () => {
  const time = fc.integer({ min: 0, max: 1e9 });
  const zoom = fc.oneof(
    fc.constant({ kind: 'boot' } as const),
    time.map((ms) => ({ kind: 'last', ms: ms + 1 }) as const),
    fc.tuple(time, time).map(([from, length]) => ({ kind: 'span', from, to: from + length + 1 }) as const),
  );
  const place: fc.Arbitrary<Place> = fc.record(
    {
      view: fc.constantFrom(...views),
      t: time,
      event: time,
      service: fc.string({ minLength: 1 }),
      actor: fc.string({ minLength: 1 }),
      zoom,
      sort: fc.constantFrom(...sorts),
      troubleFirst: fc.boolean(),
      states: fc.subarray([...publicStates]),
      find: fc.string(),
      lines: fc.string(),
      wallClock: fc.boolean(),
      swapped: fc.boolean(),
      other: fc.string({ minLength: 1 }),
    },
    { requiredKeys: ['view', 'sort', 'troubleFirst', 'states', 'find', 'lines', 'wallClock', 'swapped'] },
  );
  fc.assert(
    fc.property(place, (each) => {
      expect(parsePlace(renderPlace(each))).toEqual(each);
    }),
  );
});

it('any text behind the address is read without an error', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(views).toContain(parsePlace(`#${text}`).view);
    }),
  );
});
