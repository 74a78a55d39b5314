import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventView, Fact } from '../../src/facts/fact.ts';
import { Feed, type NewMove } from '../../src/facts/feed.ts';

function move(actor: string, to: string, event: EventView = { type: 'step' }, context = {}): NewMove {
  return { type: 'moved', actor, to, event, context };
}

const start = (waitedFor?: string): EventView => ({
  type: 'service.start',
  ...(waitedFor === undefined ? {} : { waitedFor }),
});
const startBy = (askedBy: 'hand' | 'reload'): EventView => ({ type: 'service.start', askedBy });
const stopBy = (why: string): EventView => ({ type: 'service.stop', why });

/** A feed with a clock of its own, and the facts that it has emitted. */
function followed(bound?: number) {
  const clock = { now: 0 };
  const feed = new Feed({ now: () => clock.now, wallTime: () => 1_000_000 + clock.now }, bound);
  const facts: Fact[] = [];
  feed.facts$.subscribe((fact) => facts.push(fact));
  return { clock, feed, facts };
}

describe('a feed', () => {
  it('numbers facts, and gives each the time at which it was told', () => {
    const { clock, feed, facts } = followed();
    feed.tell(move('web', 'pending', { type: 'xstate.init' }));
    clock.now = 7;
    feed.tell(move('web', 'starting.spawning', start()));
    expect(facts).toMatchObject([
      { seq: 1, at: 0, from: '─', to: 'pending' },
      { seq: 2, at: 7, from: 'pending', to: 'starting.spawning' },
    ]);
  });

  it('tells times in whole microseconds', () => {
    const { clock, feed, facts } = followed();
    clock.now = 200.68519899999998;
    feed.tell({ type: 'reloaded' });
    expect(facts[0]?.at).toBe(200.685);
  });

  it('never goes back in time, whatever its clock does', () => {
    const { clock, feed, facts } = followed();
    for (const now of [5, 3, 9, 1]) {
      clock.now = now;
      feed.tell({ type: 'reloaded' });
    }
    expect(facts.map(({ at }) => at)).toEqual([5, 5, 9, 9]);
  });
});

describe('the fact that a fact comes of', () => {
  it('is for a start the readiness of the service that it had waited for', () => {
    const { feed, facts } = followed();
    feed.tell(move('db', 'starting.spawning', start()));
    feed.tell(move('db', 'ready.running'));
    feed.tell(move('other', 'ready.running'));
    feed.tell(move('web', 'starting.spawning', start('db')));
    expect(facts[3]).toMatchObject({ actor: 'web', by: 2 });
  });

  it('is for a start the ignored failure, or the time-out, of that service', () => {
    const { feed, facts } = followed();
    feed.tell(move('db', 'failed'));
    feed.tell(move('web', 'starting.spawning', start('db')));
    expect(facts[1]).toMatchObject({ actor: 'web', by: 1 });
  });

  it('is for a start by hand the request, and for a later one not any more', () => {
    const { feed, facts } = followed();
    feed.tell({ type: 'requested', verb: 'restart', services: ['web', 'api'] });
    feed.tell(move('web', 'stopping.terminating', stopBy('hand')));
    feed.tell(move('web', 'starting.spawning', startBy('hand')));
    feed.tell(move('api', 'starting.spawning', startBy('hand')));
    feed.tell(move('web', 'starting.spawning', start()));
    expect(facts.map(({ by }) => by)).toEqual([undefined, 1, 1, 1, undefined]);
  });

  it('is for a start that a reload brings the reload', () => {
    const { feed, facts } = followed();
    feed.tell({ type: 'reloaded' });
    feed.tell(move('new', 'starting.spawning', startBy('reload')));
    expect(facts[1]?.by).toBe(1);
  });

  it('is never an older request or reload than that which has asked for it', () => {
    const { feed, facts } = followed();
    feed.tell({ type: 'requested', verb: 'kill', services: ['web'] });
    feed.tell({ type: 'reloaded' });
    feed.tell(move('web', 'stopping.terminating', stopBy('reload')));
    feed.tell(move('web', 'starting.spawning', startBy('reload')));
    // Long after: it is forced for the sake of another, and later stopped by a reload that nobody has told of here.
    feed.tell(move('web', 'starting.spawning', startBy('hand')));
    feed.tell({ type: 'requested', verb: 'stop', services: ['web'] });
    feed.tell({ type: 'reloaded' });
    feed.tell(move('web', 'stopping.terminating', stopBy('gone')));
    feed.tell(move('web', 'stopping.killing', { type: 'service.kill', grace: 1_000 }));
    expect(facts.map(({ by }) => by)).toEqual([undefined, undefined, 2, 2, undefined, undefined, undefined, 7, 8]);
  });

  it('is for a start the removal of the service that it had waited for, where a reload takes that out', () => {
    const { feed, facts } = followed();
    feed.tell(move('db', 'ready.running'));
    feed.tell({ type: 'reloaded' });
    feed.tell(move('db', 'stopped', stopBy('gone')));
    feed.tell({ type: 'service.removed', service: 'db' });
    feed.tell(move('web', 'starting.spawning', start('db')));
    expect(facts.at(-1)).toMatchObject({ actor: 'web', by: 4 });
  });

  it('is for the end of a service the end of its process, and for the end of the system the signal', () => {
    const { feed, facts } = followed();
    feed.tell(move('web', 'ready.running'));
    feed.tell({ type: 'run.ended', service: 'web', pid: 7, status: { kind: 'exited', code: 1 } });
    feed.tell(move('web', 'failed', { type: 'unit.leaderExited' }));
    feed.tell({ type: 'signalled', signal: 'SIGTERM' });
    feed.tell({ type: 'system.draining', end: { kind: 'signal', signal: 'SIGTERM' } });
    feed.tell(move('system', 'draining.stopping', { type: 'system.shutdown' }));
    feed.tell(move('web', 'stopped', stopBy('shutdown')));
    expect(facts.map(({ by }) => by)).toEqual([undefined, undefined, 2, undefined, 4, 5, 5]);
  });
});

describe('what is kept of the past', () => {
  it('has a bound, and of the rest the first start of each service, its end and loss, and the last move', () => {
    const { feed } = followed(4_000);
    feed.tell(move('web', 'pending', { type: 'xstate.init' }));
    feed.tell(move('web', 'starting.spawning', start()));
    feed.tell(move('web', 'ready.running'));
    for (let nth = 0; nth < 50; nth += 1) {
      feed.tell(move('web', 'backoff', { type: 'unit.leaderExited' }, { cause: 'exit 1' }));
      feed.tell(move('web', 'ready.running'));
    }
    const { kept, lost, facts } = feed.past();
    expect(kept.map((fact) => (fact.type === 'moved' ? fact.to : ''))).toEqual([
      'starting.spawning',
      'ready.running',
      'backoff',
      expect.stringMatching(/backoff|ready\.running/),
    ]);
    expect(kept[2]?.seq).toBe(4);
    expect(facts.length).toBeLessThan(30);
    expect(facts.at(-1)?.seq).toBe(103);
    expect(kept.length + lost + facts.length).toBe(103);
    expect(feed.milestones('web')).toMatchObject({ restarts: 50, stage: 'ready.running', firstStart: { at: 0 } });
  });

  it('has of the system that it was up', () => {
    const { clock, feed } = followed(4_000);
    for (const to of ['booting.starting', 'up', 'draining.stopping']) {
      clock.now += 10;
      feed.tell(move('system', to));
    }
    for (let nth = 0; nth < 50; nth += 1) feed.tell(move('web', 'stopping.terminating'));
    expect(feed.past().kept.filter((fact) => fact.type === 'moved' && fact.actor === 'system')).toMatchObject([
      { to: 'up', at: 20 },
      { to: 'draining.stopping', at: 30 },
    ]);
  });

  it('is bounded by its size, however large single facts are, and always whole from some fact on', () => {
    const texts = fc.array(fc.string({ maxLength: 2_000 }), { maxLength: 60 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 500, max: 20_000 }), (messages, bound) => {
        const { feed } = followed(bound);
        for (const status of messages) feed.tell({ type: 'notified', service: 'web', message: { status } });
        const { facts, lost } = feed.past();
        expect(facts.map(({ seq }) => seq)).toEqual(messages.map((_, index) => index + 1).slice(lost));
        expect(JSON.stringify(facts).length).toBeLessThan(bound + 2);
      }),
    );
  });

  it('is bounded by its size, however many values single facts have', () => {
    const { feed } = followed(8_000);
    const message = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`value${index}`, index]));
    for (let nth = 0; nth < 100; nth += 1) feed.tell({ type: 'notified', service: 'web', message });
    const { facts } = feed.past();
    expect(facts.at(-1)?.seq).toBe(100);
    expect(JSON.stringify(facts).length).toBeLessThan(8_000);
  });

  it('forgets a service that a reload has taken out', () => {
    const { feed } = followed();
    feed.tell(move('web', 'stopped'));
    feed.tell({ type: 'service.removed', service: 'web' });
    expect(feed.milestones('web')).toBeUndefined();
  });

  it('holds nothing of services that were taken out, however many came and went', () => {
    const { feed } = followed(4_000);
    for (let nth = 0; nth < 300; nth += 1) {
      feed.tell(move(`s${nth}`, 'starting.spawning', start()));
      feed.tell(move(`s${nth}`, 'stopped'));
      feed.tell({ type: 'service.removed', service: `s${nth}` });
      feed.tell({ type: 'run.ended', service: `s${nth}`, pid: 7, status: { kind: 'exited', code: 0 } });
    }
    const { kept, lost, facts } = feed.past();
    expect(kept).toEqual([]);
    expect(lost + facts.length).toBe(1_200);
    expect(feed.allMilestones().size).toBe(0);
  });

  it('of one service is what concerns it, and the reloads', () => {
    const { feed } = followed();
    feed.tell(move('web', 'ready.running'));
    feed.tell(move('db', 'ready.running'));
    feed.tell({ type: 'requested', verb: 'stop', services: ['db', 'web'] });
    feed.tell({ type: 'reloaded' });
    feed.tell({ type: 'service.blocked', service: 'web', roots: ['db'] });
    expect(feed.history('web').facts.map(({ seq }) => seq)).toEqual([1, 3, 4, 5]);
  });
});

describe('the milestones of a service', () => {
  it('are its first start, what that waited for, and how it ended', () => {
    const { clock, feed } = followed();
    clock.now = 10;
    feed.tell(move('web', 'starting.spawning', start('db')));
    clock.now = 40;
    feed.tell(move('web', 'failed', { type: 'unit.leaderExited' }, { cause: 'exit 3' }));
    clock.now = 90;
    feed.tell(move('web', 'starting.spawning', start()));
    feed.tell(move('web', 'ready.running'));
    expect(feed.milestones('web')).toMatchObject({
      firstStart: {
        ...{ seq: 1, at: 10, waitedFor: 'db' },
        end: { at: 40, ready: false, cause: 'exit 3' },
        lost: { at: 90, cause: 'exit 3' },
      },
      stage: 'ready.running',
      since: 90,
      sinceTime: 1_000_090,
    });
    expect(feed.milestones('web')?.waitedFor).toBeUndefined();
  });

  it('count the ends of its processes by how they ended, and a bounded number of ways', () => {
    const { feed } = followed();
    feed.tell(move('web', 'ready.running'));
    for (let code = 0; code < 200; code += 1)
      feed.tell({ type: 'run.ended', service: 'web', pid: code + 2, status: { kind: 'exited', code } });
    const exits = feed.milestones('web')?.exits ?? new Map();
    expect(exits.size).toBe(65);
    expect([...exits.values()].reduce((sum, count) => sum + count, 0)).toBe(200);
    expect(feed.milestones('web')?.lastExit).toMatchObject({ pid: 201, status: { code: 199 } });
  });
});
