import { describe, expect, it } from 'vitest';
import { parseMishap, readyBy } from '../../../src/model/order/boot-assumptions.ts';
import { serviceSpec } from '../specs.ts';

describe('what a program does instead of becoming ready', () => {
  it.each([
    ['exit:1', { kind: 'exit', code: 1 }],
    ['exit:255', { kind: 'exit', code: 255 }],
    ['signal:9', { kind: 'signal', signal: 'SIGKILL' }],
    ['signal:term', { kind: 'signal', signal: 'SIGTERM' }],
    ['hang', { kind: 'hang' }],
    ['late:5s', { kind: 'late', by: 5_000 }],
  ])('%s', (text, mishap) => {
    expect(parseMishap(text)).toEqual(mishap);
  });

  it.each([
    '',
    'exit',
    'exit:',
    'exit:256',
    'exit:-1',
    'exit:1:2',
    'signal:0',
    'signal:no',
    'hang:',
    'hang:1',
    'late',
    'late:soon',
    'dies',
  ])('is not %j', (text) => {
    expect(parseMishap(text)).toBeUndefined();
  });
});

it('knows what makes a service of each type ready', () => {
  const by = (changes: Parameters<typeof serviceSpec>[0]) => readyBy(serviceSpec(changes));
  expect(by({ type: 'simple' })).toBe('pause');
  expect(by({ type: 'simple', pidfile: '/run/x.pid' })).toBe('program');
  for (const type of ['oneshot', 'forking', 'notify'] as const) expect(by({ type })).toBe('program');
  for (const type of ['inetd', 'cron'] as const) expect(by({ type })).toBe('schedule');
});
