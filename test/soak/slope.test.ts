import { describe, expect, it } from 'vitest';
import { Random } from '../simulation/random.ts';
import { type Point, slopeOf } from './slope.ts';

/** Ten minutes of samples, one in two seconds. */
function samples(value: (minute: number) => number): readonly Point[] {
  return Array.from({ length: 300 }, (_, index) => ({ at: index / 30, value: value(index / 30) }));
}

describe('slopeOf', () => {
  it('finds a steady growth in noise ten times as large as its step', () => {
    const random = new Random(1);
    const slope = slopeOf(
      samples((minute) => 50 + minute * 0.6 + random.next() * 0.2),
      'mean',
    );
    expect(slope?.isSignificant).toBe(true);
    expect(Math.abs((slope?.perHour ?? 0) - 36)).toBeLessThan(3 * (slope?.error ?? 0) + 0.1);
  });

  it('finds the growth of what a collector leaves, below a saw whose teeth are far higher', () => {
    const slope = slopeOf(
      samples((minute) => 20 + minute * 0.5 + (minute % 0.5) * 40),
      'least',
    );
    expect(slope?.isSignificant).toBe(true);
  });

  it('finds a few descriptors that are never closed', () => {
    const slope = slopeOf(
      samples((minute) => 40 + Math.floor(minute)),
      'least',
    );
    expect(slope?.isSignificant).toBe(true);
  });

  it('takes no growth for what falls, stays, or has ended with the first third', () => {
    expect(
      slopeOf(
        samples((minute) => 50 - minute),
        'mean',
      )?.isSignificant,
    ).toBe(false);
    expect(
      slopeOf(
        samples(() => 50),
        'mean',
      ),
    ).toMatchObject({ perHour: 0, error: 0, isSignificant: false });
    expect(
      slopeOf(
        samples((minute) => Math.min(minute, 3)),
        'mean',
      )?.isSignificant,
    ).toBe(false);
  });

  it('takes noise for growth in hardly more than one of a thousand soaks', () => {
    const random = new Random(7);
    const wrong = Array.from({ length: 2_000 }, () =>
      slopeOf(
        samples(() => random.next()),
        'median',
      ),
    ).filter((slope) => slope?.isSignificant);
    expect(wrong.length).toBeLessThanOrEqual(8);
  });

  it('says nothing of too few samples', () => {
    expect(slopeOf(samples((minute) => minute).slice(0, 30), 'mean')).toBeUndefined();
  });
});
