import { describe, expect, it } from 'vitest';
import { periodOf, planRotation, rotatedOf } from '../../../src/model/log/rotation.ts';

describe('the period of a rotation', () => {
  it('of a span begins at each of its multiples since 1970', () => {
    const every = { kind: 'span', ms: 90_000 } as const;
    const times = [0, 89_999, 90_000, 179_999, 180_000];
    expect(times.map((time) => periodOf(every, time))).toEqual(['0', '0', '1', '1', '2']);
  });

  it.each([
    ['hourly', '2026-03-04T10:59:59Z', '2026-03-04T11:00:00Z'],
    ['daily', '2026-03-04T12:00:00Z', '2026-03-05T12:00:00Z'],
    ['weekly', '2026-03-07T12:00:00Z', '2026-03-09T12:00:00Z'],
  ] as const)('%s differs from the next one', (unit, one, next) => {
    const period = (time: string): string => periodOf({ kind: 'calendar', unit }, Date.parse(time));
    expect(period(one)).not.toBe(period(next));
    expect(period(one)).toBe(period(new Date(Date.parse(one) - 1_000).toISOString()));
  });
});

describe('rotated files', () => {
  it('are those with a number behind the name, the newest first', () => {
    const names = ['a.log', 'a.log.10', 'a.log.2.gz', 'a.log.0', 'a.log.01', 'a.log.1x', 'b.log.1', 'xa.log.1'];
    expect(rotatedOf(names, 'a.log')).toEqual([
      { name: 'a.log.2.gz', number: 2, compressed: true },
      { name: 'a.log.10', number: 10, compressed: false },
    ]);
  });
});

describe('a rotation', () => {
  /** `a.log.1 > a.log.2` or `- a.log.3`. */
  const plan = (names: readonly string[], keep?: number): readonly string[] =>
    planRotation(names, 'a.log', keep).map((step) =>
      step.kind === 'remove' ? `- ${step.name}` : `${step.name} > ${step.to}`,
    );

  it('moves the oldest first, up to a gap, and the log file last', () => {
    const names = ['a.log', 'a.log.1', 'a.log.2.gz', 'a.log.4'];
    expect(plan(names)).toEqual(['a.log.2.gz > a.log.3.gz', 'a.log.1 > a.log.2', 'a.log > a.log.1']);
  });

  it('removes what is more than is kept, also behind a gap', () => {
    expect(plan(['a.log', 'a.log.1', 'a.log.2', 'a.log.9'], 2)).toEqual([
      '- a.log.9',
      '- a.log.2',
      'a.log.1 > a.log.2',
      'a.log > a.log.1',
    ]);
  });

  it('removes the log file itself where none is kept', () => {
    expect(plan(['a.log'], 0)).toEqual(['- a.log']);
    expect(plan(['a.log'], 1)).toEqual(['a.log > a.log.1']);
  });
});
