import { expect, it } from 'vitest';
import { Feed } from '../../src/facts/feed.ts';
import { historyOf, renderHistory } from '../../src/facts/history.ts';
import { serviceEntry } from '../inspect/hand-made.ts';

const web = 'web.service';

function told(bound?: number): Feed {
  const clock = { now: 0 };
  const feed = new Feed({ now: () => clock.now, wallTime: () => clock.now }, bound);
  const move = (
    at: number,
    to: string,
    event: { readonly type: string; readonly [key: string]: string | number },
    context = {},
  ) => {
    clock.now = at;
    feed.tell({ type: 'moved', actor: web, to, event, context: { service: web, ...context } });
  };
  move(0, 'pending', { type: 'xstate.init' });
  move(20, 'starting.spawning', { type: 'service.start', waitedFor: 'db.service' });
  move(21, 'starting.settling', { type: 'unit.spawned', pid: 7 });
  move(521, 'ready.running', { type: 'xstate.after.startupPause.service.starting.settling' });
  feed.tell({ type: 'notified', service: web, message: { status: 'up' } });
  clock.now = 900;
  feed.tell({ type: 'requested', verb: 'restart', services: [web] });
  move(901, 'stopping.terminating', { type: 'service.stop', killAfter: 8_000 }, { pid: 7 });
  move(950, 'stopped', { type: 'unit.leaderExited', ended: 'exit 0' });
  move(950, 'starting.spawning', { type: 'service.start', askedBy: 'hand' });
  return feed;
}

it('the history of a service is told from its first move on, with what was asked for', () => {
  const lines = historyOf(serviceEntry('web'), told().history(web));
  expect(renderHistory('web', lines, false)).toBe(
    [
      '   0.020  web                         pending → starting.spawning        was waiting for db, 20 ms',
      '   0.021  web               starting.spawning → starting.settling        pid 7  /bin/web',
      '   0.521  web               starting.settling → ready.running            startup_pause of 0.5 s passed',
      '   0.521  web                               · says "up"',
      '   0.900  web                               · "restart" was asked for',
      '   0.901  web                   ready.running → stopping.terminating     SIGTERM to pid 7, SIGKILL after 8.0 s',
      '   0.950  web            stopping.terminating → stopped                  exit 0 after 929 ms',
      '   0.950  web                         stopped → starting.spawning        asked for by "restart"',
      '',
    ].join('\n'),
  );
});

it('the history of a service has all that is shown of a notification', () => {
  const feed = new Feed({ now: () => 0, wallTime: () => 0 });
  for (const message of [{ reloading: true }, { extend: 2_000 }, { watchdogInterval: 500, status: 'slow' }])
    feed.tell({ type: 'notified', service: web, message });
  const lines = historyOf(serviceEntry('web'), feed.history(web));
  expect(lines.map((line) => ('text' in line ? line.text : line))).toEqual([
    'says RELOADING=1',
    'says EXTEND_TIMEOUT_USEC=2000000',
    'says WATCHDOG_USEC=500000  "slow"',
  ]);
});

it.each([
  [{}, 'SIGTERM was sent to pid 7 before, SIGKILL after 3.0 s'],
  [{ endSignal: 'SIGABRT' }, 'SIGABRT was sent to pid 7 before, SIGKILL after 3.0 s'],
])('the history of a service names for a stop the signal that was sent: %j', (sent, text) => {
  const feed = new Feed({ now: () => 0, wallTime: () => 0 });
  const move = (to: string, event: { readonly type: string; readonly killAfter?: number }) =>
    feed.tell({ type: 'moved', actor: web, to, event, context: { service: web, pid: 7, ...sent } });
  move('ready.running', { type: 'xstate.init' });
  move('stopping.clearing', { type: 'watchdog.missed' });
  move('stopping.terminating', { type: 'service.stop', killAfter: 3_000 });
  const last = historyOf(serviceEntry('web'), feed.history(web)).at(-1);
  expect(last !== undefined && 'detail' in last ? last.detail : last).toBe(text);
});

it('the history of a service says where its details begin', () => {
  const feed = told(2_600);
  const text = renderHistory('web', historyOf(serviceEntry('web'), feed.history(web)), false);
  expect(text).toMatch(/^ {3}0\.020 {2}web .* starting\.spawning +was waiting for db\n/);
  expect(text).toMatch(/^ {10}details begin here; \d+ facts before are no longer kept$/m);
  expect(text).toMatch(/asked for by "restart"\n$/);
});

it('the history of a service of which nothing is left says from when on nothing is missing', () => {
  const clock = { now: 0 };
  const feed = new Feed({ now: () => clock.now, wallTime: () => clock.now }, 2_000);
  const move = (actor: string, to: string) =>
    feed.tell({ type: 'moved', actor, to, event: { type: 'xstate.init' }, context: { service: actor } });
  clock.now = 5;
  move(web, 'disabled');
  for (clock.now = 10; clock.now < 100; clock.now += 10) move('db.service', 'pending');
  const { facts } = feed.past();
  const lines = historyOf(serviceEntry('web'), feed.history(web));
  expect(lines.at(-1)).toEqual({ kind: 'lost', at: facts[0]?.at, count: expect.any(Number) });
  expect(facts[0]?.at).toBeGreaterThan(10);
});
