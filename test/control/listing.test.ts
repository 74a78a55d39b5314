import { describe, expect, it } from 'vitest';
import { blame, blameText, serviceDetails, serviceTable } from '../../src/control/listing.ts';
import { bootTime, serviceStatus } from './fake-supervisor.ts';

const hour = 3_600_000;
const now = bootTime;
/** 03:04:05 UTC. */
const scheduled = {
  type: 'cron',
  stage: 'ready.scheduled',
  timeZone: 'UTC',
  note: '0 8 * * *',
} as const;

describe('the table of services', () => {
  it('is that of the design', () => {
    const table = serviceTable(
      [
        serviceStatus('prepare.service', 'ready', {
          stage: 'ready.exited',
          lastExit: { pid: 12, status: { kind: 'exited', code: 0 }, at: 0 },
          age: 240_000,
        }),
        serviceStatus('store.service', 'ready', { note: '512 keys\u001b[2J', restarts: { used: 2, left: 3 } }),
        serviceStatus('report.service', 'ready', {
          ...scheduled,
          nextRun: Date.UTC(2026, 0, 2, 8),
          lastExit: { pid: 12, status: { kind: 'exited', code: 0 }, at: 0 },
        }),
        serviceStatus('web.service', 'stopped', { enabled: false }),
        serviceStatus('once.service', 'exited', {
          lastExit: { pid: 12, status: { kind: 'exited', code: 0 }, at: 0 },
        }),
        serviceStatus('daemon.service', 'exited', { lastExit: { pid: 12, status: { kind: 'unknown' }, at: 0 } }),
      ],
      now,
    );
    expect(table).toBe(
      `NAME     STATE              SINCE  PID  RESTARTS  NOTE
prepare  ready (exited 0)     4 m    –         –
store    ready                4 s   61         2  512 keys\\x1b[2J
report   ready (scheduled)    4 s    –         –  next 08:00 (in 4 h), last exit 0; 0 8 * * *
web      stopped              4 s    –         –  waits for a start; "start" starts it; disabled
once     exited (0)           4 s    –         –  its process has ended normally; "reset" and "start" run it again
daemon   exited (unknown)     4 s    –         –  its process has ended normally; "reset" and "start" run it again
`,
    );
  });

  it('breaks notes on a terminal that is too narrow for them, below one another', () => {
    const services = [
      serviceStatus('store.service', 'ready', { note: '512 keys', restarts: { used: 2, left: 3 } }),
      serviceStatus('web.service', 'stopped', { enabled: false }),
    ];
    expect(serviceTable(services, now, 62)).toBe(
      `NAME   STATE    SINCE  PID  RESTARTS  NOTE
store  ready      4 s   61         2  512 keys
web    stopped    4 s    –         –  waits for a start;
                                      "start" starts it;
                                      disabled
`,
    );
    const wide = serviceTable(services, now);
    expect(serviceTable(services, now, 200)).toBe(wide);
    expect(serviceTable(services, now, 61)).toBe(wide);
  });

  it.each([
    [Date.UTC(2026, 0, 2, 3, 4, 15), 'UTC', '03:04:15 (in 10 s)'],
    [Date.UTC(2026, 0, 2, 20), 'Asia/Tokyo', '05:00 (in 16 h)'],
    [Date.UTC(2026, 1, 28, 23), 'Europe/Berlin', '2026-03-01 00:00 (in 57 d)'],
    [now - hour, 'UTC', '02:04:05 (in 0 s)'],
  ])('a next run at %i in %s is %s', (nextRun, timeZone, text) => {
    const service = serviceStatus('report.service', 'ready', { ...scheduled, timeZone, nextRun });
    expect(serviceTable([service], now)).toContain(`  next ${text}; 0 8 * * *\n`);
    expect(serviceDetails(service, now)).toContain(`\n  next run    ${text}\n`);
  });
});

it.each([
  [{ used: 3, left: 2 }, '3 used, 2 left'],
  [{ used: 3, left: 2, nextIn: 4_000 }, '3 used, 2 left, the next in 4 s'],
  [{ used: 40 }, '40 used, no limit'],
  [{ used: 0, left: 5, none: 'restart_prevent: 78' }, '0 used, 5 left; no other follows (restart_prevent: 78)'],
])('the restarts %j', (restarts, text) => {
  expect(serviceDetails(serviceStatus('web.service', 'failed', { restarts }), now)).toContain(
    `\n  restarts    ${text}\n`,
  );
});

it('everything about one service', () => {
  const details = serviceDetails(
    serviceStatus('web.service', 'backoff', {
      cause: 'exit 1',
      lastExit: { pid: 61, status: { kind: 'exited', code: 1 }, at: now - 1_000 },
      lastWords: { stream: 'stderr', line: 'cannot bind\u001b80', age: 1_500 },
      prerequisites: ['store.service', 'prepare.service'],
      restarts: { used: 3, left: 2 },
      enabled: false,
    }),
    now,
  );
  expect(details).toBe(`web.service  backoff for 4 s (simple, disabled)
  waits for   restart_delay to pass; restart
  owner       restart_delay
  because     exit 1
  restarts    3 used, 2 left
  last exit   exit 1, pid 61, 1 s ago
  after       store, prepare
  last words  "cannot bind\\x1b80" (stderr, 1.5 s ago)
`);
});

it('blame names the slowest first, with the cause where a start failed, and who has never started not at all', () => {
  const services = [
    serviceStatus('quick.service', 'ready', { boot: { started: 5, ready: 20 } }),
    serviceStatus('slow.service', 'ready', { boot: { started: 20, ready: 1_520, waitedFor: 'quick.service' } }),
    serviceStatus('broken.service', 'failed', {
      boot: { started: 20, failed: { at: 420, cause: 'exit 2\u001b[2J' }, lost: { at: 900, cause: 'exit 2' } },
    }),
    serviceStatus('never.service', 'failed'),
  ];
  expect(blame(services)).toEqual([
    { service: 'slow', started: 20, ready: 1_520, waitedFor: 'quick', took: 1_500 },
    {
      ...{ service: 'broken', started: 20, failed: { at: 420, cause: 'exit 2\u001b[2J' } },
      ...{ lost: { at: 900, cause: 'exit 2' }, took: 400 },
    },
    { service: 'quick', started: 5, ready: 20, took: 15 },
  ]);
  expect(blameText(services)).toBe(
    '    1.500 s  slow\n    0.400 s  broken  failed: exit 2\\x1b[2J\n    0.015 s  quick\n',
  );
});
