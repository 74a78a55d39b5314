import { describe, expect, it } from 'vitest';
import {
  describeOutputs,
  describeRate,
  isConsumer,
  isEntry,
  type LogRate,
  type Outputs,
  parseRate,
  parseTarget,
} from '../../../src/model/service/output.ts';

describe('the target of an output', () => {
  it.each(['log', 'inherit', 'stdout', 'web.logging', 'my.web.logging', 'logger.service'])('may be %s', (text) => {
    expect(parseTarget(text)).toBe(text);
  });

  it.each([
    '',
    'logs',
    'web',
    '.logging',
    'a b.logging',
    'a,b.service',
    'web.logging2',
    'web.services',
  ])('is nothing that %j names', (text) => {
    expect(parseTarget(text)).toBeUndefined();
  });

  it('is an entry or a consumer by its suffix', () => {
    const all = ['log', 'inherit', 'stdout', 'web.logging', 'web.service'] as const;
    expect(all.filter(isEntry)).toEqual(['web.logging']);
    expect(all.filter(isConsumer)).toEqual(['web.service']);
  });

  it.each<[Outputs, string | undefined]>([
    [{ stdout: 'log', stderr: 'log' }, undefined],
    [{ stdout: 'log', stderr: 'stdout' }, undefined],
    [{ stdout: 'inherit', stderr: 'stdout' }, "stdout and stderr go to chaperone's own"],
    [{ stdout: 'web.logging', stderr: 'web.logging' }, 'stdout and stderr go to web.logging'],
    [{ stdout: 'web.service', stderr: 'log' }, 'stdout goes to web.service'],
    [{ stdout: 'log', stderr: 'inherit' }, "stderr goes to chaperone's own"],
    [{ stdout: 'inherit', stderr: 'web.logging' }, "stdout goes to chaperone's own, stderr to web.logging"],
  ])('%j is told as %j', (outputs, text) => {
    expect(describeOutputs(outputs)).toBe(text);
  });
});

describe('how many lines in a time', () => {
  it.each<[string, LogRate]>([
    ['100', { lines: 100, per: 1_000 }],
    [' 1000/s ', { lines: 1_000, per: 1_000 }],
    ['1 / m', { lines: 1, per: 60_000 }],
    ['5/h', { lines: 5, per: 3_600_000 }],
    ['10/500ms', { lines: 10, per: 500 }],
  ])('%j is read', (text, rate) => {
    expect(parseRate(text)).toEqual(rate);
  });

  it.each(['', '0', '0/s', '-1', '1/', '1/0ms', '1/x', 'x/s', '1/s/s', '1234567890'])('%j is no rate', (text) => {
    expect(parseRate(text)).toBeUndefined();
  });

  it.each<[LogRate, string]>([
    [{ lines: 2, per: 1_000 }, '2/s'],
    [{ lines: 2, per: 60_000 }, '2/m'],
    [{ lines: 2, per: 3_600_000 }, '2/h'],
    [{ lines: 2, per: 500 }, '2/500ms'],
  ])('%j is written %s', (rate, text) => {
    expect(describeRate(rate)).toBe(text);
    expect(parseRate(text)).toEqual(rate);
  });
});
