import { describe, expect, it } from 'vitest';
import { type TraceEvent, traceOf } from '../../src/inspect/trace.ts';
import { crashLoopRecording, incidentRecording, sampleRecording } from './recordings.ts';

function tracksOf(events: readonly TraceEvent[]): ReadonlyMap<number, string> {
  return new Map(
    events.flatMap(({ name, tid, args }) => (name === 'thread_name' ? [[tid, String(args?.['name'])] as const] : [])),
  );
}

describe('a trace', () => {
  const { traceEvents, otherData } = traceOf(incidentRecording());
  const tracks = tracksOf(traceEvents);
  const slicesOf = (track: string) =>
    traceEvents
      .filter(({ ph, tid }) => ph === 'X' && tracks.get(tid) === track)
      .map(({ name, ts, dur, args }) => ({ name, ts, dur, args }));

  it('has a track for each service with its states in µs, and what each means', () => {
    expect([...tracks.values()]).toEqual(['critical chain', 'system', 'db', 'api', 'web', 'other']);
    expect(slicesOf('api').map(({ name, ts, dur }) => [name, ts, dur])).toEqual([
      ['pending', 0, 100_000],
      ['starting.spawning', 100_000, 0],
      ['starting.settling', 100_000, 100_000],
      ['ready.running', 200_000, 9_900_000],
    ]);
    expect(slicesOf('db').find(({ name }) => name === 'backoff')?.args).toMatchObject({
      meaning: 'exit 3; restart 1 of 5 in 2 s',
    });
    expect(otherData).toMatchObject({ hostname: 'simulated', began: '2030-01-01T00:00:00.000Z' });
  });

  it('shows the critical chain, and what failed', () => {
    expect(slicesOf('critical chain').map(({ name }) => name)).toEqual(['web', 'api', 'db']);
    expect(traceEvents.filter(({ cat }) => cat === 'incident')).toMatchObject([
      { ph: 'b', id: 1, ts: 5_000_000, args: { text: expect.stringContaining('2 behind it: api kept') } },
      { ph: 'e', id: 1, ts: 7_100_000 },
    ]);
  });

  it.each([
    ['an incident', incidentRecording()],
    ['a crash loop', crashLoopRecording()],
    ['the sample', sampleRecording()],
  ])('of %s has arrows that begin and end in slices, and no slice that overlaps another one of its track', (_, entries) => {
    const events = traceOf(entries).traceEvents;
    const slices = events.filter(({ ph }) => ph === 'X');
    const within = (tid: number, at = -1): boolean =>
      slices.some((each) => each.tid === tid && (each.ts ?? 0) <= at && at <= (each.ts ?? 0) + (each.dur ?? 0));
    const starts = events.filter(({ ph }) => ph === 's');
    const ends = events.filter(({ ph }) => ph === 'f');
    expect(starts.length).toBeGreaterThan(0);
    expect(starts.map(({ id }) => id)).toEqual(ends.map(({ id }) => id));
    for (const { tid, ts } of [...starts, ...ends]) expect(within(tid, ts)).toBe(true);
    for (const tid of tracksOf(events).keys()) {
      const own = slices.filter((each) => each.tid === tid).sort((a, b) => (a.ts ?? 0) - (b.ts ?? 0));
      for (const [index, { ts = 0, dur = 0 }] of own.entries())
        expect(ts + dur).toBeLessThanOrEqual(own[index + 1]?.ts ?? Number.POSITIVE_INFINITY);
    }
  });
});
