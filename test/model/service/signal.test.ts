import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSignal, signalName, signalNumber, standardSignals } from '../../../src/model/service/signal.ts';

describe('a signal', () => {
  it.each([
    ['TERM', 'SIGTERM'],
    ['SIGTERM', 'SIGTERM'],
    ['sigterm', 'SIGTERM'],
    [' 15 ', 'SIGTERM'],
    ['9', 'SIGKILL'],
    ['SIGRTMIN+3', 'SIGRTMIN+3'],
    ['rtmin+3', 'SIGRTMIN+3'],
    ['RTMIN', 'SIGRTMIN+0'],
    ['37', 'SIGRTMIN+3'],
    ['64', 'SIGRTMIN+30'],
  ])('is read from %j', (text, name) => {
    expect(parseSignal(text)).toBe(name);
  });

  it.each([
    '',
    '0',
    '32',
    '33',
    '65',
    '-9',
    '15.0',
    'SIG',
    'TERMINATE',
    'SIGRTMIN+31',
    'SIGRTMIN-1',
    'constructor',
    'SIGSIGTERM',
  ])('is not read from %j', (text) => {
    expect(parseSignal(text)).toBeUndefined();
  });

  it('has one name and one number', () => {
    const named = Array.from({ length: 70 }, (_, number) => number).filter(
      (number) => signalName(number) !== undefined,
    );
    expect(named).toEqual([
      ...Array.from({ length: 31 }, (_, index) => index + 1),
      ...Array.from({ length: 31 }, (_, index) => index + 34),
    ]);
    for (const number of named) {
      const name = signalName(number);
      expect(name === undefined ? undefined : signalNumber(name)).toBe(number);
      expect(parseSignal(String(number))).toBe(name);
      expect(parseSignal(String(name))).toBe(name);
    }
  });

  it('lists the standard names', () => {
    expect(standardSignals).toHaveLength(31);
    expect(standardSignals.every((name) => parseSignal(name) === name)).toBe(true);
  });

  it('never makes reading throw', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseSignal(text)));
  });
});
