import { describe, expect, it } from 'vitest';
import { onDemand } from '../../src/runtime/on-demand.ts';

describe('a value that is made on demand', () => {
  it('is made once, at the first call, even where calls come before it is ready', async () => {
    let made = 0;
    const demand = onDemand(async () => {
      made += 1;
      return made;
    });
    expect(made).toBe(0);
    expect(await Promise.all([demand(), demand()])).toEqual([1, 1]);
    expect(await demand()).toBe(1);
  });

  it('is made again at the call after a failure', async () => {
    const outcomes = [() => Promise.reject(new Error('EMFILE')), async () => 'made'];
    const demand = onDemand(() => outcomes.shift()?.() ?? Promise.reject(new Error('too many calls')));
    const [first, second] = [demand(), demand()];
    await expect(first).rejects.toThrow('EMFILE');
    await expect(second).rejects.toThrow('EMFILE');
    expect(await demand()).toBe('made');
    expect(await demand()).toBe('made');
  });
});
