import { describe, expect, it } from 'vitest';
import { describeStop, type StopRecord, shownStops } from '../../../src/model/service/stop-record.ts';

const stop = (service: string, took: number, more: Partial<StopRecord> = {}): StopRecord => ({
  service,
  took,
  asked: 'SIGTERM',
  ...more,
});

describe('the stops of a shutdown', () => {
  const names = (stops: readonly StopRecord[]): readonly string[] =>
    shownStops(stops).rows.map(({ service }) => service);

  it('are shown with the slowest first', () => {
    const stops = [stop('a', 1), stop('b', 3, { killed: true }), stop('c', 2), stop('d', 4)];
    expect(names(stops)).toEqual(['d', 'b', 'c', 'a']);
    expect(shownStops(stops).more).toBe(0);
    expect(stops.map(({ service }) => service)).toEqual(['a', 'b', 'c', 'd']);
    expect(shownStops([])).toEqual({ rows: [], more: 0 });
  });

  it('leave out the fastest of more than twenty, and none that was killed or that survived', () => {
    const many = Array.from({ length: 21 }, (_, index) => stop(`s${index}`, 100 + index));
    expect(names(many)).toEqual(Array.from({ length: 20 }, (_, index) => `s${20 - index}`));
    expect(shownStops(many).more).toBe(1);
    const troubled = [stop('killed', 1, { killed: true }), ...many, stop('survived', 2, { survived: true })];
    expect(names(troubled)).toEqual([
      ...Array.from({ length: 18 }, (_, index) => `s${20 - index}`),
      'survived',
      'killed',
    ]);
    expect(shownStops(troubled).more).toBe(3);
  });

  it.each<[string, Partial<StopRecord>]>([
    ['SIGTERM', {}],
    ['SIGTERM', { status: { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } }],
    ['SIGTERM, exit 0', { status: { kind: 'exited', code: 0 } }],
    ['SIGTERM, SIGINT', { status: { kind: 'signaled', signal: 'SIGINT', coreDumped: false } }],
    ['SIGTERM, then SIGKILL', { killed: true }],
    ['SIGTERM, then SIGKILL', { killed: true, status: { kind: 'signaled', signal: 'SIGKILL', coreDumped: false } }],
    ['SIGTERM, exit 1; SIGKILL to what was left', { killed: true, status: { kind: 'exited', code: 1 } }],
    [
      'SIGTERM, SIGTERM; SIGKILL to what was left',
      { killed: true, status: { kind: 'signaled', signal: 'SIGTERM', coreDumped: false } },
    ],
    ['SIGTERM, then SIGKILL, which a process of it survives', { survived: true, killed: true }],
    ['SIGTERM, then SIGKILL, which a process of it survives', { survived: true }],
  ])('are told as "%s"', (text, more) => {
    expect(describeStop(stop('web', 1, more))).toBe(text);
  });
});
