import { describe, expect, it } from 'vitest';
import { errorsOf, serviceOf, specOf, warningsOf } from './loading.ts';

const cron = (interval: string, more = ''): string =>
  `report.service:\n  type: cron\n  command: /bin/true\n  interval: ${interval}\n${more}`;

describe('an interval', () => {
  it('is taken as it is written', () => {
    expect(serviceOf(cron('"30 2 * * mon-fri"'))).toMatchObject({ type: 'cron', interval: '30 2 * * mon-fri' });
    expect(serviceOf(cron("' @hourly '"))).toMatchObject({ interval: '@hourly' });
  });

  it('may come from a variable', () => {
    expect(serviceOf(cron('"$(WHEN:-0 4 * * *)"'))).toMatchObject({ interval: '0 4 * * *' });
    expect(serviceOf(cron('"$(WHEN:-0 4 * * *)"'), { environment: { WHEN: 'daily' } })).toMatchObject({
      interval: 'daily',
    });
  });

  it('tells every mistake at its place', () => {
    expect(errorsOf(cron('"61 25 * * *"'))).toBe(`chaperone: 2 mistakes in the configuration, nothing was started

chaperone.d/x.conf:4:14: interval of report.service: minute 61 is not from 0 to 59 [bad-schedule]
    4 |   interval: "61 25 * * *"
      |              ^^ minute, hour, day, month, day of week; a sixth field has the seconds

chaperone.d/x.conf:4:17: interval of report.service: hour 25 is not from 0 to 23 [bad-schedule]
    4 |   interval: "61 25 * * *"
      |                 ^^
`);
  });

  it('guesses a name that is nearly right', () => {
    expect(errorsOf(cron('houly'))).toContain('did you mean "hourly"?');
    expect(errorsOf(cron('"0 0 * * mno"'))).toContain('did you mean "mon"?');
  });

  it('points at INIT for @reboot', () => {
    expect(errorsOf(cron('"@reboot"'))).toContain('INIT');
  });

  it('underlines the whole value where something was expanded', () => {
    const errors = errorsOf(cron('"$(WHEN) * * *"'), { environment: { WHEN: '61 1' } });
    expect(errors).toContain('minute 61 is not from 0 to 59');
    expect(errors).toContain('^^^^^^^^^^^^^^^');
  });

  it('is needed by a cron service, also after expansion', () => {
    expect(errorsOf('a.service: { type: cron, command: x }')).toContain('a.service has no interval');
    expect(errorsOf(cron('"$(NOTHING:-)"'))).toContain('interval of report.service expands to nothing');
  });

  it('may be nonsense in a service that is switched off, where a variable makes it so', () => {
    expect(errorsOf(cron('"$(NOTHING) x"', '  enabled: false\n'))).toBe('');
    expect(errorsOf(cron('x', '  enabled: false\n'))).not.toBe('');
  });
});

describe('a port', () => {
  const inetd = (more: string): string => `a.service: { type: inetd, command: x, ${more} }`;

  it('comes with the number of connections at a time', () => {
    expect(serviceOf(inetd('port: 80'))).toMatchObject({ port: 80, maxConnections: 50 });
    expect(serviceOf(inetd('port: "$(P:-8080)", max_connections: 3'))).toMatchObject({ port: 8080, maxConnections: 3 });
  });

  it('has to be one', () => {
    expect(errorsOf(inetd('port: 65536'))).toContain('out of range');
    expect(errorsOf(inetd('port: 80, max_connections: 0'))).toContain('out of range');
    expect(errorsOf(inetd('max_connections: 1'))).toContain('a.service has no port');
  });
});

it('warns of two services on one port, as far as both are enabled', () => {
  const two = (more: string): string =>
    `a.service: { type: inetd, command: x, port: 80 }\nb.service: { type: inetd, command: x, port: 80${more} }`;
  expect(warningsOf(two(''))).toContain(
    'x.conf:2:45: port 80 of b.service is also that of a.service: only one of them can listen on it',
  );
  expect(warningsOf(two(', enabled: false'))).toBe('');
});

it('warns where a directive means nothing to the type', () => {
  expect(warningsOf(cron('hourly', '  exit_kills: true\n  restart: true\n'))).toMatch(
    /exit_kills of report\.service has no effect: its type is cron[\s\S]*restart of report\.service has no effect/,
  );
  expect(warningsOf('a.service: { command: x, max_connections: 3 }')).toContain(
    'max_connections of a.service has no effect: its type is simple',
  );
  expect(warningsOf(cron('hourly', '  exit_kills: false\n'))).toBe('');
});

describe('the time zone', () => {
  it('is that of the settings', () => {
    expect(specOf(`settings: { timezone: Europe/Berlin }\n${cron('hourly')}`).timeZone).toBe('Europe/Berlin');
    expect(specOf(cron('hourly')).timeZone).toBeUndefined();
  });

  it('has to be known', () => {
    expect(errorsOf(`settings: { timezone: Europe/Berln }\n${cron('hourly')}`)).toContain(
      'did you mean "Europe/Berlin"?',
    );
  });

  it('of the environment is doubted where a cron service needs it', () => {
    const environment = { TZ: 'Europe/Berln' };
    expect(warningsOf(cron('hourly'), { environment })).toContain('TZ="Europe/Berln" names no time zone');
    expect(warningsOf('a.service: { command: x }', { environment })).toBe('');
    expect(warningsOf(cron('hourly'), { environment: { TZ: ':Europe/Berlin' } })).toBe('');
  });
});
