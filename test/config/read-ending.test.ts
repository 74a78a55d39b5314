import { describe, expect, it } from 'vitest';
import type { LoadContext } from '../../src/config/load.ts';
import { errorsOf, serviceOf, warningsOf } from './loading.ts';

const web = (more: string): string => `web.service: { command: /bin/true, ${more} }`;
const cron = (more: string): string => `web.service: { command: /bin/true, type: cron, interval: hourly, ${more} }`;
const inetd = (more: string): string => `web.service: { command: /bin/true, type: inetd, port: 80, ${more} }`;

function ending(text: string, context: Partial<LoadContext> = {}) {
  const { onFailure, ignoreFailures, exitKills, remainAfterExit } = serviceOf(text, context);
  return { onFailure, ignoreFailures, exitKills, remainAfterExit };
}

describe('on_failure', () => {
  it('is keep where nothing is said, and takes no other word', () => {
    expect(ending(web(''))).toMatchObject({ onFailure: 'keep' });
    expect(ending(web('on_failure: keep'))).toMatchObject({ onFailure: 'keep' });
    expect(ending(web('on_failure: shutdown'))).toMatchObject({ onFailure: 'shutdown' });
    expect(errorsOf(web('on_failure: shutdwn'))).toContain('did you mean "shutdown"?');
  });

  it('may come from a variable, and counts as not given where that is empty', () => {
    const text = web('on_failure: "$(MODE)"');
    expect(ending(text, { environment: { MODE: 'shutdown' } })).toMatchObject({ onFailure: 'shutdown' });
    expect(ending(text, { environment: { MODE: '' } })).toMatchObject({ onFailure: 'keep' });
    expect(ending(web('exit_kills: true, on_failure: "$(MODE:-)"'))).toMatchObject({ onFailure: 'keep' });
  });

  it('does not go together with ignore_failures', () => {
    const both = 'web.service:\n  command: /bin/true\n  ignore_failures: true\n  on_failure: shutdown\n';
    expect(errorsOf(both)).toBe(`chaperone: 1 mistake in the configuration, nothing was started

chaperone.d/x.conf:4:15: on_failure of web.service is shutdown, and its ignore_failures is true [contradiction]
    4 |   on_failure: shutdown
      |               ^^^^^^^^ expected only one of them: a failure that ends the system cannot be ignored
`);
    expect(errorsOf(web('ignore_failures: true, on_failure: keep'))).toBe('');
    expect(errorsOf(web('ignore_failures: false, on_failure: shutdown'))).toBe('');
  });

  it('is more than the ignore_failures of the settings', () => {
    const settings = 'settings: { ignore_failures: true }\n';
    const of = (more: string) => ending(settings + web(more));
    expect(of('on_failure: shutdown')).toMatchObject({ onFailure: 'shutdown', ignoreFailures: false });
    expect(of('on_failure: keep')).toMatchObject({ onFailure: 'keep', ignoreFailures: true });
    expect(of('')).toMatchObject({ onFailure: 'keep', ignoreFailures: true });
  });

  it('does not go together with exit_kills, whatever it says', () => {
    const message = 'x.conf:1:80: on_failure of web.service has no effect: its exit_kills is true';
    expect(errorsOf(web('exit_kills: true, type: notify, on_failure: keep'))).toContain(message);
    expect(errorsOf(web('exit_kills: true, type: notify, on_failure: shutdown'))).toContain(message);
    expect(errorsOf(web('exit_kills: false, on_failure: shutdown'))).toBe('');
    expect(errorsOf(web('exit_kills: true'))).toBe('');
  });

  it('is not for cron, whose runs may fail; for inetd it is about the port', () => {
    expect(errorsOf(cron('on_failure: keep'))).toContain(
      'x.conf:1:78: on_failure of web.service has no effect: its type is cron',
    );
    expect(errorsOf(cron(''))).toBe('');
    expect(ending(inetd('on_failure: shutdown'))).toMatchObject({ onFailure: 'shutdown' });
  });
});

describe('remain_after_exit', () => {
  it('is true for a oneshot, else false, where nothing is said', () => {
    expect(ending(web('type: oneshot'))).toMatchObject({ remainAfterExit: true });
    expect(ending(web('type: notify'))).toMatchObject({ remainAfterExit: false });
    expect(ending(web(''))).toMatchObject({ remainAfterExit: false });
    expect(ending(web('type: oneshot, remain_after_exit: no'))).toMatchObject({ remainAfterExit: false });
    expect(ending(web('remain_after_exit: yes'))).toMatchObject({ remainAfterExit: true });
  });

  it('may come from a variable, and is false where that is empty', () => {
    const text = web('type: oneshot, remain_after_exit: "$(STAY)"');
    expect(ending(text, { environment: { STAY: 'on' } })).toMatchObject({ remainAfterExit: true });
    expect(ending(text, { environment: { STAY: '' } })).toMatchObject({ remainAfterExit: false });
    expect(errorsOf(text, { environment: { STAY: 'perhaps' } })).toContain('is neither true nor false: "perhaps"');
  });

  it.each([
    [inetd, 'inetd', 78],
    [cron, 'cron', 85],
  ])('is not for what is scheduled: %#', (section, type, column) => {
    expect(errorsOf(section('remain_after_exit: true'))).toContain(
      `x.conf:1:${column}: remain_after_exit of web.service has no effect: its type is ${type}`,
    );
    expect(errorsOf(section('remain_after_exit: false'))).toContain('has no effect');
    expect(errorsOf(section(''))).toBe('');
  });

  it('of a forking service needs a pidfile', () => {
    expect(errorsOf(web('type: forking, remain_after_exit: true'))).toContain(
      'remain_after_exit of web.service has no effect: it is forking and has no pidfile',
    );
    expect(errorsOf(web('type: forking, pidfile: /run/web, remain_after_exit: true'))).toBe('');
    expect(errorsOf(web('type: forking'))).toBe('');
  });
});

it('what is switched off may lack the variables that it requires', () => {
  const text = web('enabled: false, on_failure: "$(A:?needed)", remain_after_exit: "$(B:?needed)"');
  expect(ending(text)).toMatchObject({ onFailure: 'keep', remainAfterExit: false });
  expect(warningsOf(text)).toBe('');
});

it('the console keeps the system going where it fails, as its own options say', () => {
  const console = { argv: ['sh'], exitKills: false, task: false };
  expect(serviceOf('', { console }, 'CONSOLE')).toMatchObject({ onFailure: 'keep', remainAfterExit: false });
});
