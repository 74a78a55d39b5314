import { describe, expect, it } from 'vitest';
import type { LoadContext } from '../../src/config/load.ts';
import { errorsOf, serviceOf, warningsOf } from './loading.ts';

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;
const typed = (type: string, more: string): string => {
  const own = { inetd: ', port: 80', cron: ', interval: hourly' }[type] ?? '';
  return `web.service: { command: /bin/true, type: ${type}${own}, ${more} }`;
};

function restarts(text: string, context: Partial<LoadContext> = {}) {
  const { restart, restartDelay, restartLimit, restartPolicy, successExit } = serviceOf(text, context);
  return { restart, restartDelay, restartLimit, restartPolicy, successExit };
}

const defaults = {
  restart: false,
  restartDelay: 3_000,
  restartLimit: 5,
  restartPolicy: undefined,
  successExit: undefined,
};

describe('restart', () => {
  it.each([
    ['no', defaults],
    ['false', defaults],
    ['on-failure', { ...defaults, restart: true }],
    ['true', { ...defaults, restart: true }],
    ['on-failure:3', { ...defaults, restart: true, restartLimit: 3 }],
    ['always', { ...defaults, restart: true, restartPolicy: { always: true } }],
    ['unless-stopped', { ...defaults, restart: true, restartPolicy: { always: true } }],
    ['"$(MODE)"', { ...defaults, restart: true, restartPolicy: { always: true } }],
    ['"$(NONE)"', defaults],
  ])('may be %s', (text, expected) => {
    expect(restarts(web(`restart: ${text}`), { environment: { MODE: 'always', NONE: '' } })).toEqual(expected);
  });

  it('takes no other word, and names the nearest', () => {
    expect(errorsOf(web('restart: allways'))).toContain('did you mean "always"?');
    expect(errorsOf(web('restart: on-failure:0'))).toContain('restart of web.service is not known: "on-failure:0"');
    expect(errorsOf(web('restart: [always]'))).toContain('restart of web.service is a list');
    expect(errorsOf(web('restart: on-failure:3, restart_limit: 4'))).toContain(
      'restart of web.service has a limit, and so has restart_limit',
    );
  });

  it('has the directives that go with it', () => {
    const text = web(
      'restart: always, restart_delay: 500ms, restart_delay_max: 2m, restart_backoff: 1.5, restart_jitter: 0.2, restart_limit: 9, restart_window: 1h, restart_on_start_failure: yes, restart_prevent: [78, SIGSYS], success_exit: "143, TERM"',
    );
    expect(restarts(text)).toEqual({
      restart: true,
      restartDelay: 500,
      restartLimit: 9,
      restartPolicy: {
        always: true,
        startFailure: true,
        delayMax: 120_000,
        backoff: 1.5,
        jitter: 0.2,
        window: 3_600_000,
        prevent: [78, 'SIGSYS'],
      },
      successExit: [143, 'SIGTERM'],
    });
    expect(restarts(web('restart: yes, restart_limit: unlimited')).restartLimit).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    'restart_delay_max: 5m, restart_backoff: 2',
    'restart_backoff: 2',
    'restart_jitter: 0.1',
    'restart_window: 1m',
    'restart_prevent: 78',
  ])('is needed for %s', (more) => {
    const [key = ''] = more.split(':');
    expect(errorsOf(web(more))).toContain(`${key} of web.service has no effect: it has no restart`);
    // With `restart: no` the other directives of restarts may stay: somebody has switched restarts off for a while.
    expect(errorsOf(web(`restart: no, ${more}`))).toBe('');
    expect(errorsOf(web(`restart_on_start_failure: true, ${more}`))).toBe('');
  });

  it.each([
    ['restart_delay_max: 5m', 'restart_delay_max of web.service has no effect: it has no restart_backoff'],
    [
      'restart_window: 1m, restart_limit: unlimited',
      'restart_window of web.service has no effect: its restart_limit is unlimited',
    ],
    ['restart_window: 1m, restart_limit: 1001', 'restart_limit of web.service is too large for a window'],
    ['restart_window: 0', 'restart_window of web.service is too short a time: "0"'],
    ['restart_limit: unlimitted', 'did you mean "unlimited"?'],
    ['restart_backoff: 0.5', 'restart_backoff of web.service is out of range: "0.5"'],
    ['restart_jitter: 2', 'restart_jitter of web.service is out of range: "2"'],
    ['restart_prevent: 256', 'restart_prevent of web.service holds neither exit codes nor signals: "256"'],
    ['restart_prevent: SIGNOPE', 'restart_prevent of web.service holds neither exit codes nor signals: "SIGNOPE"'],
    ['restart_prevent: {a: 1}', 'restart_prevent of web.service is a map'],
  ])('refuses %s', (more, message) => {
    expect(errorsOf(web(`restart: true, ${more}`))).toContain(message);
  });

  it('clashes with exit_kills, which is a mistake in new configurations only', () => {
    for (const value of ['always', 'on-failure', 'on-failure:2', 'unless-stopped'])
      expect(errorsOf(web(`restart: ${value}, exit_kills: true`))).toContain(
        'restart of web.service has no effect: its exit_kills is true [contradiction]',
      );
    expect(errorsOf(web('restart: true, exit_kills: true'))).toBe('');
    expect(errorsOf(web('restart: no, exit_kills: true'))).toBe('');
  });

  it('clashes with what a normal end means otherwise', () => {
    expect(errorsOf(web('restart: always, remain_after_exit: true'))).toContain(
      'remain_after_exit of web.service is true, and its restart is always [contradiction]',
    );
    expect(errorsOf(web('restart: always, on_success: shutdown'))).toContain(
      'on_success of web.service is shutdown, and its restart is always [contradiction]',
    );
    expect(errorsOf(web('restart: always, remain_after_exit: false, on_success: keep'))).toBe('');
    expect(errorsOf(web('restart: on-failure, remain_after_exit: true, on_success: shutdown'))).toBe('');
  });
});

describe('a type', () => {
  it.each([
    ['inetd', 'restart: always', 'its type is inetd'],
    ['inetd', 'restart_backoff: 2', 'its type is inetd'],
    ['inetd', 'on_success: shutdown', 'its type is inetd'],
    ['cron', 'restart: on-failure', 'its type is cron'],
    ['cron', 'restart_on_start_failure: true', 'its type is cron'],
    [
      'cron',
      'restart_on_start_failure: true, restart_jitter: 0.1',
      'restart_jitter of web.service has no effect: its type is cron',
    ],
    ['cron', 'on_success: keep', 'its type is cron'],
    ['forking', 'restart: on-failure', 'it is forking and has no pidfile'],
    ['forking', 'on_success: shutdown', 'it is forking and has no pidfile'],
    ['forking', 'restart_window: 1m', 'it is forking and has no pidfile'],
    ['oneshot', 'restart: on-failure', 'its type is oneshot'],
    ['oneshot', 'restart: always', 'restart of web.service is always, and its type is oneshot'],
  ])('%s refuses %s', (type, more, message) => {
    expect(errorsOf(typed(type, more))).toContain(message);
  });

  it.each([
    ['inetd', 'restart: true'],
    ['cron', 'restart: true'],
    ['forking', 'restart: true'],
    ['oneshot', 'restart: yes'],
    ['inetd', 'restart_limit: 3'],
    ['cron', 'restart_delay: 3'],
  ])('%s lets old configurations have %s, with a warning, and does nothing with it', (type, more) => {
    const text = typed(type, more);
    expect(errorsOf(text)).toBe('');
    expect(warningsOf(text)).toContain('of web.service has no effect');
    if (type !== 'oneshot') expect(restarts(text).restart).toBe(false);
  });

  it.each([
    ['inetd', 'restart_on_start_failure: true, restart_delay: 1, success_exit: 3'],
    ['cron', 'success_exit: 3'],
    ['forking', 'restart_on_start_failure: true, restart_backoff: 2'],
    ['forking', 'restart: always, on_success: keep, pidfile: /run/x.pid'],
    ['oneshot', 'restart: on-failure, restart_on_start_failure: true, on_success: shutdown'],
    ['oneshot', 'restart_on_start_failure: true, restart_limit: 2'],
    ['notify', 'restart: unless-stopped, restart_jitter: 0.5'],
    ['cron', 'restart: no'],
  ])('%s takes %s', (type, more) => {
    expect(errorsOf(typed(type, more))).toBe('');
    expect(warningsOf(typed(type, more))).toBe('');
  });
});

describe('on_success', () => {
  it('is keep where nothing is said, and does not go together with exit_kills', () => {
    expect(serviceOf(web('')).onSuccess).toBeUndefined();
    expect(serviceOf(web('on_success: shutdown')).onSuccess).toBe('shutdown');
    expect(errorsOf(web('on_success: shutdwn'))).toContain('did you mean "shutdown"?');
    expect(errorsOf(web('on_success: keep, exit_kills: true'))).toContain(
      'on_success of web.service has no effect: its exit_kills is true',
    );
  });
});
