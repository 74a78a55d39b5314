import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { criticalChain, endOfStart, renderChain, type StartTimes } from '../../src/facts/critical-chain.ts';

const prepare: StartTimes = { service: 'prepare', started: 0, ready: 15 };
const store: StartTimes = { service: 'store', started: 15, ready: 156, waitedFor: 'prepare' };
const web: StartTimes = { service: 'web', started: 156, ready: 664, waitedFor: 'store' };
const cache: StartTimes = { service: 'cache', started: 15, ready: 30, waitedFor: 'prepare' };

describe('the critical chain', () => {
  it('goes back from what was ready last over what each waited for', () => {
    const chain = criticalChain([cache, prepare, web, store]);
    expect(chain).toEqual([web, store, prepare]);
    expect(renderChain(chain)).toBe('critical chain: web 0.508 s ← store 0.141 s ← prepare 0.015 s');
  });

  it('goes on from an IDLE service to the last of all the others', () => {
    const idle: StartTimes = { service: 'idle', started: 1_664, ready: 2_164 };
    expect(criticalChain([idle, web, store, prepare])).toEqual([idle, web, store, prepare]);
  });

  it('goes over a start that failed, and tells why', () => {
    const broken: StartTimes = {
      service: 'broken',
      started: 15,
      failed: { at: 315, cause: 'no exit within 0.3 s' },
      waitedFor: 'prepare',
    };
    const after: StartTimes = { service: 'after', started: 315, ready: 320, waitedFor: 'broken' };
    const chain = criticalChain([store, after, broken, prepare]);
    expect(chain).toEqual([after, broken, prepare]);
    expect(renderChain(chain, 320)).toBe(
      'critical chain: after 0.005 s (2 %) ← broken 0.300 s (94 %), failed: no exit within 0.3 s ← prepare 0.015 s (5 %)',
    );
  });

  it('leaves out what started by hand, or became ready, only after the system was up', () => {
    const byHand: StartTimes = { service: 'extra', started: 5_000, ready: 9_000 };
    const late: StartTimes = { service: 'late', started: 600, ready: 665, waitedFor: 'web' };
    const times = [byHand, late, web, store, prepare];
    expect(criticalChain(times, 664)).toEqual([web, store, prepare]);
    expect(criticalChain(times)).toEqual([byHand, late, web, store, prepare]);
  });

  it('leaves out what a person has started while the boot goes on, unless a service of the boot waited for it', () => {
    const byHand: StartTimes = { service: 'extra', started: 100, byHand: true, lasts: 700 };
    expect(criticalChain([byHand, prepare, store, web])).toEqual([web, store, prepare]);
    const idle: StartTimes = { service: 'idle', started: 1_664, ready: 2_164 };
    expect(criticalChain([{ ...byHand, ready: 1_600 }, prepare, store, web, idle])[1]).toEqual(web);
    const { lasts: _, ...over } = { ...byHand, ready: 600 };
    const after: StartTimes = { service: 'after', started: 600, ready: 665, waitedFor: 'extra' };
    const chain = criticalChain([over, web, after]);
    expect(renderChain(chain)).toBe('critical chain: after 0.065 s ← extra 0.500 s, started by hand');
  });

  it('begins with the start that has lasted longest while the boot goes on, whatever else is over', () => {
    const young: StartTimes = { service: 'young', started: 60_000, lasts: 90_001 };
    const hung: StartTimes = { service: 'hung', started: 15, lasts: 90_000, waitedFor: 'prepare' };
    const old: StartTimes = { service: 'old', started: 0, ready: 90_000 };
    for (const times of [
      [prepare, old, young, hung],
      [hung, young, old, prepare],
    ])
      expect(renderChain(criticalChain(times))).toBe('critical chain: hung 89.985 s, not ready yet ← prepare 0.015 s');
    // Once the boot is over, a start that lasts was no part of it.
    expect(criticalChain([prepare, hung], 15)).toEqual([prepare]);
  });

  it('says so where nothing has started', () => {
    expect(renderChain(criticalChain([]))).toBe('critical chain: nothing has started');
  });

  it('leaves out restarts that came only after the next service was released', () => {
    const lost = { at: 157, cause: 'exit 5' };
    expect(criticalChain([prepare, web, { ...store, lost }], 664)).toEqual([web, store, prepare]);
    expect(criticalChain([{ ...web, lost: { at: 700, cause: 'exit 1' } }, store, prepare])).toEqual([
      web,
      store,
      prepare,
    ]);
  });

  it('gives the time in which a service was down to that service, and tells why it was restarted', () => {
    const flaky: StartTimes = {
      service: 'flaky',
      started: 15,
      ready: 65,
      waitedFor: 'prepare',
      lost: { at: 300, cause: 'exit 5', again: 800 },
    };
    const after: StartTimes = { service: 'after', started: 1_415, ready: 1_515, waitedFor: 'flaky' };
    const chain = criticalChain([prepare, store, flaky, after], 1_515);
    expect(chain).toEqual([
      after,
      { service: 'flaky', started: 15, ready: 1_415, waitedFor: 'prepare', restartedAfter: 'exit 5' },
      prepare,
    ]);
    expect(renderChain(chain, 1_515)).toBe(
      'critical chain: after 0.100 s (7 %) ← flaky 1.400 s (92 %), restarted after exit 5 ← prepare 0.015 s (1 %)',
    );
  });

  it('takes a start that failed and was made again by its end, too', () => {
    const again: StartTimes = {
      service: 'again',
      started: 15,
      failed: { at: 50, cause: 'exit 2' },
      lost: { at: 80, cause: 'exit 2', again: 80 },
    };
    const after: StartTimes = { service: 'after', started: 200, ready: 210, waitedFor: 'again' };
    expect(criticalChain([again, after], 210)).toEqual([
      after,
      { service: 'again', started: 15, ready: 200, restartedAfter: 'exit 2' },
    ]);
  });

  it.each([
    ['never', {}],
    ['later', { again: 250 }],
  ])('says that a service was down when it released the next one, and was started again %s', (_, again) => {
    const down: StartTimes = { service: 'down', started: 15, ready: 50, lost: { at: 80, cause: 'exit 2', ...again } };
    const after: StartTimes = { service: 'after', started: 200, ready: 210, waitedFor: 'down' };
    const chain = criticalChain([down, after], 210);
    expect(chain).toEqual([after, { service: 'down', started: 15, ready: 200, downAfter: 'exit 2' }]);
    expect(renderChain(chain)).toBe('critical chain: after 0.010 s ← down 0.185 s, down again after exit 2');
  });

  it('ends at a service that waited for nobody known', () => {
    expect(criticalChain([{ ...web, waitedFor: 'elsewhere' }])).toEqual([{ ...web, waitedFor: 'elsewhere' }]);
    expect(criticalChain([])).toEqual([]);
  });

  it('ends, whatever it is told, and names no service twice', () => {
    const time = fc.nat(1_000);
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const lostAt = fc.option(time, { nil: undefined });
    const entry = fc
      .record({ service: name, started: time, ready: time, waitedFor: fc.option(name, { nil: undefined }), lostAt })
      .map(
        ({ waitedFor, lostAt: at, ...rest }): StartTimes => ({
          ...rest,
          ...(waitedFor === undefined ? {} : { waitedFor }),
          ...(at === undefined ? {} : { lost: { at, cause: 'exit 1', ...(at % 2 === 0 ? { again: at } : {}) } }),
        }),
      );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), time, (times, until) => {
        const chain = criticalChain(times, until);
        expect(new Set(chain.map(({ service }) => service)).size).toBe(chain.length);
        const ends = times.map(endOfStart).filter((end) => end <= until);
        const [last] = chain;
        expect(last === undefined ? undefined : endOfStart(last)).toBe(
          ends.length === 0 ? undefined : Math.max(...ends),
        );
        for (const [index, { started }] of chain.entries()) {
          const before = chain[index + 1];
          const changed = before?.restartedAfter ?? before?.downAfter;
          if (changed !== undefined) expect(before?.ready).toBe(started);
        }
      }),
    );
  });

  it('begins, while the boot goes on, with a service that has gone down again', () => {
    const db: StartTimes = {
      service: 'db',
      started: 0,
      ready: 100,
      lost: { at: 500, cause: 'exit 1', again: 600 },
      downAt: 900,
    };
    const api: StartTimes = { service: 'api', started: 100, waitedFor: 'db', lasts: 900 };
    expect(criticalChain([api, db])).toEqual([{ service: 'db', started: 0, lasts: 900, restartedAfter: 'exit 1' }]);
    expect(renderChain(criticalChain([api, db]))).toBe(
      'critical chain: db 0.900 s, not ready yet, restarted after exit 1',
    );
    // One that is up again waits for nothing, and what was over stays as it was.
    const { downAt: _, ...up } = db;
    expect(criticalChain([api, up]).map(({ service }) => service)).toEqual(['api', 'db']);
    const late: StartTimes = { service: 'late', started: 100, ready: 400, waitedFor: 'db' };
    expect(criticalChain([late, db], 450).map(({ service }) => service)).toEqual(['late', 'db']);
  });
});
