import { describe, expect, it } from 'vitest';
import { renderErrors, renderWarnings } from '../../src/config/render-diagnostics.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { type ImageFile, loadImage } from './memory-image.ts';

const on = { '/etc/chaperone.d/x.conf': 'settings: { compat: { crontab: true } }' };

function load(files: Readonly<Record<string, ImageFile>>) {
  const { spec, diagnostics } = loadImage({ ...on, ...files }, { PATH: '/bin', LANG: 'C' });
  expect(renderErrors(diagnostics)).toBe('');
  return { services: spec?.services ?? [], warnings: renderWarnings(diagnostics) };
}

function servicesOf(files: Readonly<Record<string, ImageFile>>): readonly ServiceSpec[] {
  const { services, warnings } = load(files);
  expect(warnings).toBe('');
  return services;
}

describe('crontabs of the system', () => {
  it('are read only where the settings ask for them', () => {
    const line = { '/etc/crontab': '@daily root backup\n' };
    expect(loadImage(line).spec?.services).toEqual([]);
    expect(servicesOf(line).map(({ name }) => name)).toEqual(['crontab.service']);
  });

  it('make cron services of their lines, with users and variables', () => {
    const services = servicesOf({
      '/etc/crontab': [
        '# m h dom mon dow user command',
        'FIRST=one',
        '17 *\t* * 1-5 joe  cd / && echo "$FIRST" `date` `id` $(id)  ',
        'PATH = "/usr/bin:/bin"',
        "'QUOTED' = ' two '",
        'CRON_TZ=Europe/Berlin',
        'SHELL=/bin/bash',
        '@hourly www /usr/bin/job',
      ].join('\n'),
    });
    expect(services).toMatchObject([
      {
        name: 'crontab-1.service',
        type: 'cron',
        interval: '17 * * * 1-5',
        argv: ['/bin/sh', '-c', 'cd / && echo "$FIRST" `date` `id` $(id)'],
        account: { name: 'joe' },
        environment: { FIRST: 'one', PATH: '/bin', LANG: 'C', HOME: '/home/joe', LOGNAME: 'joe' },
      },
      {
        name: 'crontab-2.service',
        interval: '@hourly',
        argv: ['/bin/bash', '-c', '/usr/bin/job'],
        account: { name: 'www' },
        cron: { timeZone: 'Europe/Berlin' },
        environment: { FIRST: 'one', PATH: '/usr/bin:/bin', QUOTED: ' two ' },
      },
    ]);
    expect(services[1]?.environment).not.toHaveProperty('CRON_TZ');
  });

  it('give commands what stands behind a percent sign on their input', () => {
    const [service] = servicesOf({ '/etc/crontab': "0 5 * * 1 root mail joe # to joe%Hello,%%it's 5 \\% more%\n" });
    expect(service?.argv[2]).toBe("printf '%s\\n' 'Hello,\n\nit'\\''s 5 % more\n' | {\nmail joe # to joe\n}");
    const [plain] = servicesOf({ '/etc/crontab': '0 5 * * 1 root date +\\%F\n' });
    expect(plain?.argv[2]).toBe('date +%F');
  });

  it('run @reboot once, behind everything else', () => {
    expect(servicesOf({ '/etc/crontab': '@reboot root warm-up\n' })).toMatchObject([
      { type: 'simple', groups: ['IDLE'], ignoreFailures: true, argv: ['/bin/sh', '-c', 'warm-up'] },
    ]);
  });

  it('pass over lines of accounts that do not exist, as cron does', () => {
    expect(servicesOf({ '/etc/cron.d/x': '@daily nobody-here job\n' })).toMatchObject([
      { name: 'cron-x.service', enabled: false, missingAccount: 'nobody-here' },
    ]);
  });

  it('are told of what cannot be used, by file and line, while the rest counts', () => {
    const { services, warnings } = load({
      '/etc/crontab':
        'MAILTO=joe@example.org\n61 * * * * root bad\n* * * root\n*/2 * * * * root good\n0 0 */2 * 1 root days\n',
      '/etc/cron.d/backup.sh': '@daily root x\n',
      '/etc/cron.d/.placeholder': '',
      '/etc/cron.d/php.dpkg-old': '@daily root x\n',
      '/etc/cron.d/strangers': { text: '@daily root x\n', uid: 1000 },
      '/etc/cron.d/open': { text: '@daily root x\n', mode: 0o666 },
      '/etc/cron.d/unreadable': { error: 'EACCES' },
    });
    expect(services.map(({ name }) => name)).toEqual(['crontab-1.service', 'crontab-2.service']);
    expect(warnings).toMatchInlineSnapshot(`
      "chaperone: 8 warnings about the configuration

      "/etc/cron.d/backup.sh" is not read: cron passes over its name [not-read]
            = expected letters, digits, - and _ only

      "/etc/cron.d/open" is not read: others than root may write to it [not-read]

      "/etc/cron.d/strangers" is not read: it is not owned by root [not-read]

      "/etc/cron.d/unreadable" is not read: permission denied [not-read]

      /etc/crontab:1:1: MAILTO has no counterpart: what a command writes goes into the log [no-counterpart]
          1 | MAILTO=joe@example.org
            | ^^^^^^^^^^^^^^^^^^^^^^

      /etc/crontab:2:1: minute 61 is not from 0 to 59 [bad-schedule]
          2 | 61 * * * * root bad
            | ^^^^^^^^^^

      /etc/crontab:3:1: this line is no entry of a crontab [not-read]
          3 | * * * root
            | ^^^^^^^^^^ expected MINUTE HOUR DAY MONTH WEEKDAY USER COMMAND

      /etc/crontab:5:1: cron wants both days to match here, and chaperone either of them [no-counterpart]
          5 | 0 0 */2 * 1 root days
            | ^^^^^^^^^^^
      "
    `);
  });
});

describe('folders of scripts', () => {
  it('are a service each, that runs one script after the other', () => {
    const services = servicesOf({
      '/etc/cron.daily/b': '#!/bin/sh\n',
      '/etc/cron.daily/a': '#!/bin/sh\n',
      '/etc/cron.daily/text': 'not executable',
      '/etc/cron.weekly/.placeholder': '',
    });
    expect(services).toMatchObject([
      { name: 'cron-daily.service', type: 'cron', interval: '25 6 * * *', account: { name: 'root' } },
    ]);
    expect(services[0]?.argv).toEqual([
      '/bin/sh',
      '-c',
      'status=0; for script in /etc/cron.daily/a /etc/cron.daily/b; do "$script" || status=$?; done; exit $status',
    ]);
  });

  it('are left to the line of a crontab that runs them', () => {
    const services = servicesOf({
      '/etc/cron.daily/a': '#!/bin/sh\n',
      '/etc/crontab': '25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }\n',
    });
    expect(services.map(({ name }) => name)).toEqual(['crontab.service']);
  });
});
