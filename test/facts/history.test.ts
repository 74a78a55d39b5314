import { expect, it } from 'vitest';
import type { Happening, Moved } from '../../src/facts/fact.ts';
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

it('the history of a service says of a single fact, too, that it is missing', () => {
  const linesOf = (lost: number) => historyOf(serviceEntry('web'), { kept: [], lost, since: 5, facts: [] });
  expect(linesOf(0)).toEqual([]);
  expect(linesOf(1)).toEqual([{ kind: 'lost', at: 5, count: 1 }]);
  expect(renderHistory('web', linesOf(1), false)).toBe(
    '          details begin here; 1 fact before is no longer kept\n',
  );
  expect(renderHistory('web', linesOf(2), false)).toContain('2 facts before are no longer kept');
});

/** The texts of all that happened to `web` without a change of its state. */
function notesOf(happenings: readonly Exclude<Happening, Moved>[], type: 'simple' | 'cron' | 'inetd' = 'simple') {
  const feed = new Feed({ now: () => 0, wallTime: () => 0 });
  for (const happening of happenings) feed.tell(happening);
  const lines = historyOf(serviceEntry('web', { type }), feed.history(web));
  return lines.map((line) => (line.kind === 'note' ? line.text : line));
}

const code = (number: number) => ({ kind: 'exited', code: number }) as const;

it('the history of a service has its probes, its health, and what it can never do', () => {
  const probe = { type: 'probed', service: web, probe: 'http http://localhost/', failures: 0, retries: 3 } as const;
  const refused = { kind: 'exit', status: code(1) } as const;
  expect(
    notesOf([
      { ...probe, purpose: 'ready', passed: true, reason: '200 in 3 ms' },
      { type: 'service.healthy', service: web, again: false },
      { ...probe, purpose: 'healthy', passed: false, reason: '503 in 12 ms' },
      {
        ...{ type: 'service.unhealthy', service: web, answer: 'restart' },
        cause: { kind: 'unhealthy', pid: 7, probe: 'http http://localhost/', reason: '503 in 12 ms' },
      },
      { type: 'service.noticed', service: web, news: { kind: 'reloading', method: 'signal' } },
      { type: 'service.noticed', service: web, news: { kind: 'reloaded', outcome: { kind: 'done', took: 200 } } },
      { type: 'service.noticed', service: web, news: { kind: 'reloaded', outcome: refused } },
      { type: 'service.blocked', service: web, roots: ['db.service'] },
      { type: 'service.survives', service: web, waits: true },
      { type: 'service.skipped', service: web },
    ]),
  ).toEqual([
    'ready: http http://localhost/ passes: 200 in 3 ms',
    'is healthy',
    'healthy: http http://localhost/ fails: 503 in 12 ms',
    'is unhealthy; on_unhealthy: restart',
    'is reloading',
    'reloaded in 0.2 s',
    'was not reloaded: reload_command: exit 1',
    'never starts as things stand',
    'a process of it survives SIGKILL',
  ]);
});

it('the history of a service has the processes of its hooks, and those of its runs where it has many', () => {
  const happenings = [
    { type: 'run.began', service: web, pid: 7, hook: 'before_start 1 of 2' },
    { type: 'run.ended', service: web, pid: 7, hook: 'before_start 1 of 2', status: code(0) },
    { type: 'run.began', service: web, pid: 8 },
    { type: 'run.ended', service: web, pid: 8, status: { kind: 'signaled', signal: 'SIGKILL', coreDumped: false } },
  ] as const;
  const hooks = ['before_start 1 of 2 has begun, pid 7', 'before_start 1 of 2 has ended with exit 0, pid 7'];
  expect(notesOf(happenings)).toEqual(hooks);
  const runs = ['a run has begun, pid 8', 'a run has ended with SIGKILL, pid 8'];
  expect(notesOf(happenings, 'cron')).toEqual([...hooks, ...runs]);
  expect(notesOf(happenings, 'inetd')).toEqual([...hooks, ...runs]);
});

it.each<[Parameters<typeof newsOf>[0], readonly string[]]>([
  [{ kind: 'skipped' }, ['a run was skipped, since the one before still goes on']],
  [{ kind: 'queued', again: false }, ['a run waits for the one before']],
  [{ kind: 'queued', again: true }, ['another run is due, and counts with the one that waits']],
  [{ kind: 'replaced', pids: [7] }, ['a run is ended for the next one']],
  [{ kind: 'unmet', why: 'no /data' }, ['a run was skipped: no /data']],
  [
    { kind: 'unasked', failure: { kind: 'timeout', timeout: 10_000 } },
    ['a run could not begin: start_if: no answer within 10 s (process_timeout)'],
  ],
  [{ kind: 'overran', pid: 7, limit: 30_000 }, ['a run lasted longer than max_runtime, 30 s, and is ended']],
  [
    { kind: 'runUnspawned', error: { code: 'ENOENT', stage: 'lookup', program: 'nosuch' } },
    ["a run could not begin: executable 'nosuch' not found"],
  ],
  [{ kind: 'reset' }, ['its runs were told to end by a reset']],
  [{ kind: 'runAsked', request: 1, answer: 'begun' }, ['"run-now" begins a run']],
  [{ kind: 'runAsked', request: 1, answer: 'waits' }, ['"run-now" lets a run wait for the one before']],
  [{ kind: 'runAsked', request: 1, answer: 'replaces' }, ['"run-now" ends the present run for another one']],
  [{ kind: 'runAsked', request: 1, answer: 'busy' }, ['"run-now" was refused, since a run goes on']],
  [{ kind: 'runAsked', request: 1, answer: 'unscheduled' }, ['"run-now" was refused, since it is not scheduled']],
  // The end of the run's process tells the same.
  [{ kind: 'runFailed', pid: 7, status: code(1) }, []],
  [{ kind: 'clearing', pids: [7] }, []],
])('the history of a scheduled service has what comes of its runs: %j', (news, texts) => {
  expect(newsOf(news)).toEqual(texts);
});

function newsOf(news: Extract<Happening, { readonly type: 'service.noticed' }>['news']) {
  return notesOf([{ type: 'service.noticed', service: web, news }], 'cron');
}
