import { expect, it } from 'vitest';
import { isScheduled, mostRuns, scheduledNote } from '../../../src/model/schedule/scheduled-runs.ts';
import { serviceSpec } from '../specs.ts';

it('a scheduled service shows its schedule, or its port and its requests', () => {
  const none = { begun: 0, running: 0 };
  const cron = (interval: string) => serviceSpec({ type: 'cron', interval });
  expect(scheduledNote(cron('@daily'), none)).toBe('daily (0 0 * * *)');
  expect(scheduledNote(cron('5  4 * * *'), none)).toBe('5 4 * * *');
  expect(scheduledNote(cron('nonsense 5'), none)).toBe('nonsense 5');
  expect(scheduledNote(serviceSpec({ type: 'inetd', port: 80 }), { begun: 3, running: 2 })).toBe(
    'waiting on port 80; req recvd = 3; running = 2',
  );
});

it('a schedule runs its service once at a time, and clients run theirs as often as is allowed', () => {
  expect(mostRuns({ type: 'cron' })).toBe(1);
  expect(mostRuns({ type: 'cron', maxConnections: 7 })).toBe(1);
  expect(mostRuns({ type: 'inetd' })).toBe(50);
  expect(mostRuns({ type: 'inetd', maxConnections: 7 })).toBe(7);
});

it('runs are started by schedules and by clients alone', () => {
  const all = ['cron', 'inetd', 'simple', 'oneshot', 'forking', 'notify', 'container'] as const;
  expect(all.filter(isScheduled)).toEqual(['cron', 'inetd']);
});
