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

/** A move in full; what is not said of it is that of a service that starts. */
function moved(seq: number, more: Partial<Extract<Fact, { readonly type: 'moved' }>>): Fact {
  const start = { actor: 'a.service', from: 'pending', to: 'starting.spawning', event: { type: 'x' }, context: {} };
  return { type: 'moved', seq, at: seq, ...start, ...more };
}

const code = (number: number) => ({ kind: 'exited', code: number }) as const;

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

  it('are there only where a service starts, or is no longer ready', () => {
    expect(spansOf(['a.service pending > disabled', 'a.service ─ > pending', 'a.service stopped > pending'])).toEqual(
      [],
    );
    expect(spansOf(['a.service ready.running > ready.reloading', 'a.service ready.reloading > ready.running'])).toEqual(
      [],
    );
    expect(brief(spansOf(['a.service ready.exited > starting.spawning']))).toEqual(['restart a 0-10 unfinished']);
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

  it('tell a run of a cron service as done that ends as its success_exit says', () => {
    const run = { service: 'job.service', pid: 7 };
    const spans = spansOf([
      { type: 'run.began', seq: 1, at: 12, ...run },
      { type: 'run.ended', seq: 2, at: 44, ...run, status: { kind: 'exited', code: 24 }, normal: true },
    ]);
    expect(brief(spans)).toEqual(['run job 12-44 done']);
    expect(spans[0]).toMatchObject({ attributes: { 'chaperone.exit': 'exit 24' } });
    expect(spans[0]).not.toHaveProperty('message');
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
    expect(span?.events).toStrictEqual([
      {
        ...{ at: 0, name: 'starting.spawning' },
        attributes: { 'chaperone.from': 'pending', 'chaperone.event': 'service.start' },
      },
      {
        ...{ at: 10, name: 'failed' },
        attributes: {
          ...{ 'chaperone.from': 'starting.spawning', 'chaperone.event': 'unit.leaderExited' },
          ...{ 'chaperone.exit': 'exit 3', 'chaperone.cause': 'exit 3' },
        },
      },
    ]);
  });

  it('tell the latest pid, by a move or the event behind it, and how many restarts there were', () => {
    const attributesOf = (...contexts: readonly Fact[]) => spansOf([moved(1, {}), ...contexts])[0]?.attributes;
    const settling = { from: 'starting.spawning', to: 'starting.settling' };
    const spawned = moved(2, { ...settling, event: { type: 'unit.spawned', pid: 7 }, context: { restarts: 0 } });
    expect(attributesOf(spawned)).toEqual({ 'chaperone.service': 'a', 'process.pid': 7 });
    expect(
      attributesOf(
        spawned,
        moved(3, { to: 'starting.x', event: { type: 'x', pid: 8 }, context: { restarts: 1, pid: 9 } }),
      ),
    ).toEqual({ 'chaperone.service': 'a', 'process.pid': 9, 'chaperone.restarts': 1 });
  });

  it('of runs are those of cron services alone, and not of their hooks', () => {
    const began = { type: 'run.began', at: 10 } as const;
    const ended = { type: 'run.ended', at: 20, status: code(3) } as const;
    const spans = spansOf([
      { ...began, seq: 1, service: 'a.service', pid: 7 },
      { ...ended, seq: 2, service: 'a.service', pid: 7 },
      { ...began, seq: 3, service: 'job.service', pid: 8, hook: 'before_start 1 of 1' },
      { ...ended, seq: 4, service: 'job.service', pid: 8, hook: 'before_start 1 of 1', status: code(0) },
      { ...began, seq: 5, service: 'job.service', pid: 9 },
      // The end of the run has got lost, and another process has its pid.
      { ...ended, seq: 6, at: 15, service: 'job.service', pid: 9, hook: 'after_stop 1 of 1' },
      { ...began, seq: 7, service: 'job.service', pid: 10 },
      { ...ended, seq: 8, service: 'job.service', pid: 10 },
      { ...ended, seq: 9, at: 30, service: 'job.service', pid: 9, status: code(0) },
    ]);
    const run = { name: 'run job', from: 10, events: [], links: [] };
    const attributes = { 'chaperone.service': 'job' };
    expect(spans).toStrictEqual([
      {
        ...{ ...run, id: 2, trace: 2, to: 20, outcome: 'failed', message: 'exit 3' },
        attributes: { ...attributes, 'process.pid': 10, 'chaperone.exit': 'exit 3' },
      },
      {
        ...{ ...run, id: 1, trace: 1, to: 30, outcome: 'done' },
        attributes: { ...attributes, 'process.pid': 9, 'chaperone.exit': 'exit 0' },
      },
    ]);
  });

  it('are told once each as unfinished where nothing follows', () => {
    const told: Span[] = [];
    const spans = new Spans((span) => told.push(span));
    spans.configure([{ name: 'job.service', type: 'cron' }]);
    spans.take(moved(1, { actor: 'system', from: '─', to: 'booting.starting' }));
    spans.take(moved(2, {}));
    spans.take({ type: 'run.began', seq: 3, at: 3, service: 'job.service', pid: 7 });
    spans.close(9);
    spans.close(10);
    expect(brief(told)).toEqual(['start a 2-9 unfinished', 'run job 3-9 unfinished', 'boot 0-9 unfinished']);
    expect(told.every(({ message }) => message === undefined)).toBe(true);
  });

  it('of the system are one boot and one shutdown, whatever stages they have, with the end that is known', () => {
    const system = (seq: number, from: string, to: string, context = {}) =>
      moved(seq, { actor: 'system', from, to, context });
    const boot = [system(1, '─', 'booting.starting'), system(2, 'booting.starting', 'booting.idling')];
    const ends = (moves: readonly Fact[]) =>
      spansOf(moves).map(({ name, outcome, message, attributes }) => ({ name, outcome, message, attributes }));
    const done = { outcome: 'done', message: undefined, attributes: {} };
    expect(
      ends([
        ...[...boot, system(3, 'booting.idling', 'up', { end: 'never' })],
        system(4, 'up', 'draining.stopping', { end: 'SIGTERM' }),
        ...[system(5, 'draining.stopping', 'draining.clearing'), system(6, 'draining.clearing', 'halted')],
      ]),
    ).toEqual([
      { ...done, name: 'boot' },
      { ...done, name: 'shutdown', attributes: { 'chaperone.end': 'SIGTERM' } },
    ]);
    expect(ends([...boot, system(3, 'booting.idling', 'draining.stopping', { end: 'a has failed' })])).toEqual([
      { name: 'boot', outcome: 'failed', message: 'a has failed', attributes: {} },
      { ...done, name: 'shutdown', outcome: 'unfinished', attributes: { 'chaperone.end': 'a has failed' } },
    ]);
    expect(
      ends([...boot, system(3, 'booting.idling', 'draining.stopping')]).map(({ attributes }) => attributes),
    ).toEqual([{}, {}]);
  });

  it('are linked to the service that they waited for, to what has caused their moves, and not to themselves', () => {
    const [a, b, c] = spansOf([
      moved(1, { actor: 'a.service' }),
      moved(2, { actor: 'a.service', from: 'starting.spawning', to: 'ready.running', by: 1 }),
      moved(3, { actor: 'b.service' }),
      moved(4, { actor: 'b.service', from: 'starting.spawning', to: 'ready.running', by: 99 }),
      moved(5, { actor: 'system', from: 'up', to: 'up' }),
      moved(6, { actor: 'c.service', event: { type: 'service.start', waitedFor: 'a.service' } }),
      moved(7, { actor: 'c.service', from: 'starting.spawning', to: 'starting.settling', by: 4 }),
      moved(8, { actor: 'c.service', from: 'starting.settling', to: 'ready.running', by: 5 }),
    ]);
    expect([a?.links, b?.links]).toEqual([[], []]);
    expect(c?.links).toEqual([
      { id: a?.id, trace: a?.trace },
      { id: b?.id, trace: b?.trace },
    ]);
    expect(c?.attributes).toEqual({ 'chaperone.service': 'c', 'chaperone.waited_for': 'a' });
  });

  it('are linked to the cause of a move for as long as 2,048 moves', () => {
    const linked = (between: number) =>
      spansOf([
        moved(1, { actor: 'a.service', to: 'ready.running' }),
        moved(2, { actor: 'b.service' }),
        moved(3, { actor: 'b.service', from: 'starting.spawning', to: 'ready.running' }),
        ...Array.from({ length: between }, (_, index) => moved(index + 4, { actor: 'other.service', to: 'stopped' })),
        moved(9_999, { actor: 'c.service', by: 3 }),
      ]).at(-1)?.links;
    expect(linked(2_046)).toHaveLength(1);
    expect(linked(2_047)).toEqual([]);
  });

  it('have a bounded number of links, in the order in which they were made', () => {
    const others = Array.from({ length: 100 }, (_, index) => `s${index}.service`);
    const spans = spansOf([
      ...others.map((actor, index) => moved(index + 1, { actor })),
      ...others.map((_, index) => moved(index + 200, { by: index + 1 })),
      moved(400, { to: 'ready.running', by: 1, context: { cause: 'exit 1' } }),
    ]);
    const span = spans.find(({ name }) => name === 'start a');
    expect(span).toMatchObject({ from: 200, to: 400, outcome: 'done' });
    expect(span).not.toHaveProperty('message');
    expect(span?.links).toEqual(Array.from({ length: 64 }, (_, index) => ({ id: index + 1, trace: index + 1 })));
  });

  it('know nothing of a service that was taken out, and of another of its name that comes later', () => {
    const began = { type: 'run.began', service: 'job.service' } as const;
    const spans = spansOf([
      ...[moved(1, { actor: 'job.service' }), moved(2, { actor: 'job.service', to: 'stopped' })],
      { type: 'service.removed', seq: 3, at: 3, service: 'job.service' },
      { ...began, seq: 4, at: 4, pid: 7 },
      moved(5, { actor: 'job.service' }),
    ]);
    expect(brief(spans)).toEqual(['start job 1-2 done', 'start job 5-50 unfinished']);
    expect(spans[1]?.links).toEqual([]);
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
