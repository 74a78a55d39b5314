import { describe, expect, it } from 'vitest';
import { describeDuration, parseDuration, roughDuration } from '../../../src/model/words/duration.ts';

describe('describeDuration', () => {
  it.each([
    [-5, '0 s', '0 s'],
    [0, '0 s', '0 s'],
    [351, '0.4 s', '0.4 s'],
    [3_100, '3.1 s', '3.1 s'],
    [9_960, '10 s', '10 s'],
    [27_400, '27 s', '27 s'],
    [59_600, '1 m', '1 m'],
    [242_000, '4 m 2 s', '4 m'],
    [3_600_000, '1 h', '1 h'],
    [18_600_000, '5 h 10 m', '5 h'],
    [266_400_000, '3 d 2 h', '3 d'],
  ])('%d ms', (ms, text, rough) => {
    expect([describeDuration(ms), roughDuration(ms)]).toEqual([text, rough]);
  });
});

describe('parseDuration', () => {
  it.each([
    ['2s', 2_000],
    ['2', 2_000],
    [' 0.25 ', 250],
    ['300ms', 300],
    ['4m', 240_000],
    ['1.5h', 5_400_000],
    ['0', 0],
  ])('%j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', 's', '-1', '1 s', '1d', '1e3', '.5', '1.', 'soon', '9999999999'])('is not %j', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
