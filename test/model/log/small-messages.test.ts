import { describe, expect, it } from 'vitest';
import {
  acceptPaused,
  environmentDump,
  hookFailed,
  hookLeft,
  linesOverRate,
  type Message,
  messagesFor,
  probeKilled,
  startAttempt,
  templateScaled,
  valueLinesIgnored,
} from '../../../src/model/log/messages.ts';
import { defaultOverflow } from '../../../src/model/log/overflow.ts';
import { planRotation } from '../../../src/model/log/rotation.ts';
import type { ScheduleNews } from '../../../src/model/schedule/scheduled-runs.ts';
import type { StopRecord } from '../../../src/model/service/stop-record.ts';
import type { SystemNotice } from '../../../src/model/service/system-notice.ts';
import { serviceSpec } from '../specs.ts';

const web = serviceSpec({ name: 'web.service' });
const lines = (messages: readonly Message[]): readonly string[] =>
  messages.map(({ severity, text }) => `${severity} ${text}`);
const told = (notice: SystemNotice): readonly string[] =>
  lines(messagesFor(notice, (name) => (name === web.name ? web : undefined), 0));
const place = { stage: 'before_start', nth: 2, of: 3 } as const;

describe('a message', () => {
  it('counts one thing as one', () => {
    const behind = 'behind, which chaperone ends: what runs on belongs into "command"';
    expect(hookLeft('web', place, 1).text).toBe(`web before_start 2 of 3 has left 1 process ${behind}`);
    expect(hookLeft('web', place, 2).text).toBe(`web before_start 2 of 3 has left 2 processes ${behind}`);
    const rate = { lines: 5, per: 1_000 };
    expect(linesOverRate('web', 1, rate).text).toBe('1 line of web dropped: more than its log_rate of 5/s');
    expect(linesOverRate('web', 2, rate).text).toBe('2 lines of web dropped: more than its log_rate of 5/s');
  });

  it('names lines of a file that are no assignment, ten at most', () => {
    const ignored = (count: number): string =>
      valueLinesIgnored(
        'web',
        '/e',
        Array.from({ length: count }, (_, index) => index + 1),
      ).text;
    expect(ignored(1)).toBe('web: env_file /e: line 1 is no assignment, and ignored');
    expect(ignored(2)).toBe('web: env_file /e: lines 1, 2 are no assignment, and ignored');
    expect(ignored(10)).toBe('web: env_file /e: lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 are no assignment, and ignored');
    expect(ignored(12)).toContain('lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more are');
  });

  it('tells how a template is scaled', () => {
    const scaled = (started: readonly string[], stopped: readonly string[]): string =>
      templateScaled({ template: 'w@.service', count: 3, started, stopped }).text;
    expect(scaled(['a'], [])).toBe('w@.service scaled to 3: starting 1');
    expect(scaled([], ['a', 'b'])).toBe('w@.service scaled to 3: stopping 2');
    expect(scaled(['a'], ['b', 'c'])).toBe('w@.service scaled to 3: starting 1, stopping 2');
    expect(scaled([], [])).toBe('w@.service scaled to 3: nothing changes');
  });

  it('lists an environment by its names', () => {
    expect(lines(environmentDump(web, { C: '3', A: '1', B: '2' }))).toEqual([
      'debug web.service environment: A=1',
      'debug web.service environment: B=2',
      'debug web.service environment: C=3',
    ]);
  });

  it('tells of hooks, probes and clients', () => {
    expect(hookFailed('web', place, { kind: 'exit', status: { kind: 'exited', code: 1 } }).text).toBe(
      'web before_start 2 of 3 failed: exit 1',
    );
    expect(probeKilled('web', [3, 4]).text).toBe('sending SIGKILL to the command of a probe of web, pid 3, 4');
    const listening = serviceSpec({ name: 'in.service', type: 'inetd', port: 80 });
    expect(acceptPaused(listening, 'EMFILE', 2_000).text).toMatch(
      /^in\.service cannot take a connection on port 80 \(EMFILE\): .* every 2 s$/,
    );
    expect(startAttempt(listening).text).toMatch(/^in\.service received connection on port 80; attempting start /);
  });

  it('tells of health and of services that are gone', () => {
    expect(told({ type: 'service.healthy', service: 'web.service', again: true })).toEqual([
      'info web.service is healthy again',
    ]);
    expect(told({ type: 'service.healthy', service: 'web.service', again: false })).toEqual([
      'debug web.service is healthy',
    ]);
    expect(told({ type: 'service.removed', service: 'old.service' })).toEqual(['info service old.service removed']);
  });

  it.each<[ScheduleNews, readonly string[]]>([
    [
      { kind: 'queued', again: true },
      [
        'info cron service web.service is still running when next interval expired: one run waits already, and no other will',
      ],
    ],
    [
      { kind: 'queued', again: false },
      ['info cron service web.service is still running when next interval expired: the next run waits for its end'],
    ],
    [{ kind: 'overran', pid: 7, limit: 5_000 }, ['err web.service ran longer than max_runtime, 5 s: pid 7 is ended']],
    [{ kind: 'runAsked', request: 1, answer: 'busy' }, []],
    [{ kind: 'runAsked', request: 1, answer: 'unscheduled' }, []],
    [
      { kind: 'runAsked', request: 1, answer: 'begun' },
      ['info cron service web.service is to run now: somebody has asked for it'],
    ],
  ])('tells the news %j of a schedule', (news, expected) => {
    expect(told({ type: 'service.noticed', service: 'web.service', news })).toEqual(expected);
  });

  it('has a row for each stop of a shutdown, and warns of what was killed', () => {
    const stop = (service: string, took: number, more: Partial<StopRecord> = {}): StopRecord => ({
      service,
      took,
      asked: 'SIGTERM',
      ...more,
    });
    const stopped = (stops: readonly StopRecord[]): readonly string[] =>
      told({ type: 'system.stopped', took: 1_500, budget: 8_000, stops });
    expect(stopped([stop('web.service', 12)])).toEqual([
      'info shutdown took 1.500 s of 8.000 s; 1 service stopped:',
      'info   web.service  0.012 s  SIGTERM',
    ]);
    expect(stopped([stop('a', 1), stop('long', 3, { killed: true }), stop('b', 2, { survived: true })])).toEqual([
      'info shutdown took 1.500 s of 8.000 s; 3 services stopped:',
      'warning   long  0.003 s  SIGTERM, then SIGKILL',
      'warning   b     0.002 s  SIGTERM, then SIGKILL, which a process of it survives',
      'info   a     0.001 s  SIGTERM',
    ]);
    expect(stopped(Array.from({ length: 23 }, () => stop('a', 1))).at(-1)).toBe('info   and 3 more');
  });
});

it('a service waits five seconds for a sink that does not take its lines', () => {
  expect(defaultOverflow).toEqual({ kind: 'wait', patience: 5_000 });
});

describe('the rotation of a log file', () => {
  const renamed = (name: string, to: string) => ({ kind: 'rename', name, to });
  it('makes room from the oldest file on, up to a gap', () => {
    expect(planRotation(['x.log', 'x.log.1', 'x.log.2.gz', 'x.log.4'], 'x.log', undefined)).toEqual([
      renamed('x.log.2.gz', 'x.log.3.gz'),
      renamed('x.log.1', 'x.log.2'),
      renamed('x.log', 'x.log.1'),
    ]);
  });

  it('removes what is more than is kept', () => {
    expect(planRotation(['x.log', 'x.log.1', 'x.log.2', 'x.log.9'], 'x.log', 2)).toEqual([
      { kind: 'remove', name: 'x.log.9' },
      { kind: 'remove', name: 'x.log.2' },
      renamed('x.log.1', 'x.log.2'),
      renamed('x.log', 'x.log.1'),
    ]);
    expect(planRotation(['x.log', 'x.log.1'], 'x.log', 1)).toEqual([
      { kind: 'remove', name: 'x.log.1' },
      renamed('x.log', 'x.log.1'),
    ]);
    expect(planRotation(['x.log'], 'x.log', 0)).toEqual([{ kind: 'remove', name: 'x.log' }]);
  });
});
