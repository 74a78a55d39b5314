import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring, SizedRing } from '../../src/facts/ring.ts';

describe('a ring', () => {
  it('gives its items in the order in which they came, however many come and go', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -3_000, max: 3_000 }), { maxLength: 8 }), (steps) => {
        const ring = new Ring<number>();
        const queue: number[] = [];
        let next = 0;
        for (const step of steps) {
          for (let count = 0; count < step; count++) {
            ring.push(next);
            queue.push(next++);
          }
          const leaving = step < 0 ? queue.splice(0, -step) : [];
          expect(leaving.map(() => ring.shift())).toEqual(leaving);
          expect([ring.length, ring.peek(), ring.toArray()]).toEqual([queue.length, queue[0], queue]);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('has nothing to give when it is empty', () => {
    const ring = new Ring<string>();
    ring.push('a');
    expect([ring.shift(), ring.shift(), ring.peek(), ring.length]).toEqual(['a', undefined, undefined, 0]);
  });
});

describe('a ring with bounds', () => {
  it('keeps the last items whose sizes are within the bound, and gives each item that leaves', () => {
    const ring = new SizedRing<number>(10, (size) => size);
    const left: number[] = [];
    for (const size of [4, 5, 3, 1, 11, 2]) ring.push(size, (item) => left.push(item));
    expect([left, ring.toArray(), ring.first()]).toEqual([[4, 5, 3, 1, 11], [2], 2]);
  });

  it('keeps no more items than it may, at any time', () => {
    const ring = new SizedRing<number>(1_000, () => 0, 3);
    for (let item = 0; item < 5_000; item++) {
      ring.push(item);
      expect(ring.toArray().length).toBeLessThanOrEqual(3);
    }
    expect(ring.toArray()).toEqual([4_997, 4_998, 4_999]);
  });
});
