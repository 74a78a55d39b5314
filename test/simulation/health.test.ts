/** What the log tells of a service's health. */
import { expect, it } from 'vitest';
import { probeSpec } from '../model/specs.ts';
import { createWorld, simpleService, systemOf } from './world.ts';

const second = 1_000;

const times = { interval: second, longest: second, timeout: second / 2 };
const healthy = probeSpec({ kind: 'command', argv: ['check'] }, times);

it('a service that has been unhealthy is healthy again, and not at the first time', () => {
  const codes = [0, 0, 1, 1, 0, 1, 0];
  const web = simpleService('web', { healthy, onUnhealthy: 'log' });
  const world = createWorld(systemOf([web]), {
    has: () => true,
    script: ([name]) => ({
      steps: name === 'check' ? [{ do: 'exit', code: codes.shift() ?? 0 }] : [{ do: 'hang' }],
    }),
  });
  world.assembly.start();
  world.clock.run(12 * second);
  const told = world.notices.flatMap(({ notice }) => {
    if (notice.type === 'service.healthy') return [notice.again ? 'healthy again' : 'healthy'];
    return notice.type === 'service.unhealthy' ? ['unhealthy'] : [];
  });
  expect(told).toEqual(['healthy', 'unhealthy', 'healthy again', 'unhealthy', 'healthy again']);
});
