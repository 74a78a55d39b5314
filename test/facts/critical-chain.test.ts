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

  it('ends at a service that waited for nobody known', () => {
    expect(criticalChain([{ ...web, waitedFor: 'elsewhere' }])).toEqual([{ ...web, waitedFor: 'elsewhere' }]);
    expect(criticalChain([])).toEqual([]);
  });

  it('ends, whatever it is told', () => {
    const time = fc.nat(1_000);
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const entry = fc
      .record({ service: name, started: time, ready: time, waitedFor: fc.option(name, { nil: undefined }) })
      .map(({ waitedFor, ...rest }): StartTimes => (waitedFor === undefined ? rest : { ...rest, waitedFor }));
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), (times) => {
        const chain = criticalChain(times);
        expect(new Set(chain).size).toBe(chain.length);
        const [last] = chain;
        if (last !== undefined) expect(endOfStart(last)).toBe(Math.max(...times.map(endOfStart)));
      }),
    );
  });
});
