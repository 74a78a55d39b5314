import { join } from 'node:path';
import { expect, it } from 'vitest';
import { boot, expectOrder } from './namespace.ts';

it('the sample configuration boots, shows its transitions, and stops in order', async () => {
  const system = boot({ from: join(import.meta.dirname, '../../config'), args: ['--inspect'] });
  await system.waitForLine(/^ +[\d.]+ {2}system .* → up +ready in [\d.]+ s$/);
  await system.waitForLine(/^ +[\d.]+ {2}flaky .*backoff → starting\.spawning +restart 1$/);
  await system.waitForLine(/^ +[\d.]+ {2}flaky .* → ready\.running/);
  system.signal('SIGTERM');
  expect(await system.exit).toBe(0);

  const lines = system.lines('stdout');
  const transition = (actor: string, to: string): RegExp => new RegExp(`^ +[\\d.]+ {2}${actor} .*→ ${to}\\b`);
  expectOrder(lines, [
    transition('system', 'booting'),
    transition('prepare', 'starting\\.spawning'),
    transition('prepare', 'ready\\.exited'),
    transition('store', 'starting\\.spawning'),
    transition('store', 'ready\\.running'),
    transition('writer', 'starting\\.spawning'),
    transition('writer', 'ready\\.running'),
    transition('system', 'booting\\.idling'),
    transition('report', 'ready\\.exited'),
    transition('system', 'up'),
    /critical chain: /,
    transition('system', 'draining'),
    transition('writer', 'stopped'),
    transition('store', 'stopping'),
    transition('store', 'stopped'),
    transition('system', 'draining\\.clearing'),
    transition('system', 'halted'),
  ]);
  expectOrder(lines, [transition('store', 'stopping'), transition('stubborn', 'stopped')]);
  expectOrder(lines, [transition('flaky', 'backoff'), /flaky .*starting/, transition('flaky', 'stopped')]);
  expect(system.lines('stderr')).toEqual([]);
});
