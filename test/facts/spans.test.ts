import { describe, expect, it } from 'vitest';
import type { Fact } from '../../src/facts/fact.ts';
import { type Span, Spans } from '../../src/facts/spans.ts';

/** Moves as `ACTOR FROM > TO`, 10 ms after each other. */
function spansOf(moves: readonly (string | Fact)[], close = true): readonly Span[] {
  const told: Span[] = [];
  const spans = new Spans((span) => told.push(span));
  spans.configure([{ name: 'job.service', type: 'cron' }]);
  moves.forEach((move, index) => {
    if (typeof move !== 'string') spans.take(move);
    else {
      const [, actor = '', from = '', to = '', cause] = /^(\S+) (\S+) > (\S+)(?: (.+))?$/.exec(move) ?? [];
      const context = cause === undefined ? {} : { cause };
      spans.take({ type: 'moved', seq: index + 1, at: index * 10, actor, from, to, event: { type: 'x' }, context });
    }
  });
  if (close) spans.close(moves.length * 10);
  return told;
}

const brief = (spans: readonly Span[]): readonly string[] =>
  spans.map(({ name, from, to, outcome }) => `${name} ${from}-${to} ${outcome}`);

describe('spans', () => {
  it('of a service that is tried again are one restart, whatever it goes through', () => {
    const spans = spansOf(
      [
        'a.service pending > starting.spawning',
        'a.service starting.spawning > ready.running',
        'a.service ready.running > backoff exit 1',
        'a.service backoff > starting.spawning',
        'a.service starting.spawning > backoff',
        'a.service backoff > starting.spawning',
        'a.service starting.spawning > ready.running',
      ],
      false,
    );
    expect(brief(spans)).toEqual(['start a 0-10 done', 'restart a 20-60 done']);
    expect(spans[1]?.links).toEqual([{ id: spans[0]?.id, trace: spans[0]?.trace }]);
    expect(spans[1]?.events.map(({ name }) => name)).toHaveLength(5);
  });

  it('say how a service was given up, stopped, or ended by itself', () => {
    const up = 'a.service pending > ready.running';
    const last = (moves: readonly string[]) => brief(spansOf([up, ...moves])).at(-1);
    expect(last(['a.service ready.running > backoff', 'a.service backoff > failed exit 1'])).toBe(
      'restart a 10-20 failed',
    );
    expect(last(['a.service ready.running > failed exit 1'])).toBe('end a 10-10 failed');
    expect(last(['a.service ready.running > exited'])).toBe('end a 10-10 done');
    expect(last(['a.service ready.running > stopping.terminating', 'a.service stopping.terminating > stopped'])).toBe(
      'stop a 10-20 done',
    );
    expect(last(['a.service ready.running > stopping.terminating'])).toBe('end a 10-20 unfinished');
    expect(
      spansOf(['a.service pending > starting.spawning', 'a.service starting.spawning > failed no such program'])[0],
    ).toMatchObject({ name: 'start a', outcome: 'failed', message: 'no such program' });
  });

  it('stand within the boot and the shutdown, and the runs of a cron service by themselves', () => {
    const run = { service: 'job.service', pid: 7 };
    const spans = spansOf([
      'system ─ > booting.starting',
      'a.service pending > starting.spawning',
      { type: 'run.began', seq: 90, at: 12, ...run },
      'a.service starting.spawning > ready.running',
      'system booting.starting > up',
      { type: 'run.ended', seq: 91, at: 44, ...run, status: { kind: 'exited', code: 2 } },
      'system up > draining.stopping',
      'a.service ready.running > stopping.terminating',
      'a.service stopping.terminating > stopped',
      'system draining.stopping > halted',
    ]);
    expect(brief(spans)).toEqual([
      'start a 10-30 done',
      'boot 0-40 done',
      'run job 12-44 failed',
      'stop a 70-80 done',
      'shutdown 60-90 done',
    ]);
    const [start, whole, job, stop, end] = spans;
    expect([start?.parent, stop?.parent, job?.parent]).toEqual([whole?.id, end?.id, undefined]);
    expect(new Set(spans.map(({ id }) => id)).size).toBe(5);
    for (const { id, parent, trace } of spans) expect(trace).toBe(parent ?? id);
  });

  it('tell how a process ended, as a whole and at the move of which that is the cause', () => {
    const moved = { type: 'moved', actor: 'a.service', context: { pid: 7 } } as const;
    const [span] = spansOf([
      { ...moved, seq: 1, at: 0, from: 'pending', to: 'starting.spawning', event: { type: 'service.start' } },
      {
        ...{ ...moved, seq: 2, at: 10, from: 'starting.spawning', to: 'failed' },
        ...{ event: { type: 'unit.leaderExited', ended: 'exit 3' }, context: { cause: 'exit 3' } },
      },
    ]);
    expect(span?.attributes).toEqual({ 'chaperone.service': 'a', 'process.pid': 7, 'chaperone.exit': 'exit 3' });
    expect(span?.events.map(({ attributes }) => attributes)).toEqual([
      { 'chaperone.from': 'pending', 'chaperone.event': 'service.start' },
      {
        ...{ 'chaperone.from': 'starting.spawning', 'chaperone.event': 'unit.leaderExited' },
        ...{ 'chaperone.exit': 'exit 3', 'chaperone.cause': 'exit 3' },
      },
    ]);
  });

  it('have a bounded number of events, and none of them is open for ever', () => {
    const moves = Array.from({ length: 300 }, (_, index) =>
      index % 2 === 0 ? 'a.service starting.spawning > backoff' : 'a.service backoff > starting.spawning',
    );
    const [span] = spansOf(['a.service pending > starting.spawning', ...moves]);
    expect(span?.events).toHaveLength(64);
    expect(span?.attributes['chaperone.events_left_out']).toBe(237);
    expect(span?.outcome).toBe('unfinished');
  });
});
