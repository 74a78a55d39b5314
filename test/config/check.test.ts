import { describe, expect, it } from 'vitest';
import { checkSystem, type Findings } from '../../src/config/check.ts';
import { checkJson, renderCheck } from '../../src/config/check-report.ts';
import { loadConfiguration, readPlaces } from '../../src/config/load.ts';
import { inOrder } from '../../src/config/report.ts';
import { parseSchedule } from '../../src/model/schedule/schedule.ts';
import type { Diagnostic } from '../../src/model/words/diagnostic.ts';
import { binary, type FakeFile, fakeProbe, folder } from './fake-probe.ts';
import { accounts } from './loading.ts';
import { memoryReader } from './memory-reader.ts';

interface Given {
  readonly files?: Readonly<Record<string, FakeFile>>;
  readonly path?: string;
}

function check(text: string, { files = {}, path = '/bin' }: Given = {}): Findings {
  const reader = memoryReader({ 'x.conf': text });
  const { spec, diagnostics } = loadConfiguration('x.conf', {
    reader,
    environment: { PATH: path },
    accounts,
    interactive: false,
  });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  if (spec === undefined) throw new Error('no configuration');
  return checkSystem(spec, {
    places: readPlaces('x.conf', { reader }),
    probe: fakeProbe(files),
    nextTimes: (interval, count) => {
      const result = parseSchedule(interval, 'UTC');
      const times: number[] = [];
      let time: number | undefined = Date.UTC(2026, 10, 22, 12);
      while (result.ok && times.length < count && time !== undefined) {
        time = result.schedule.next(time);
        if (time !== undefined) times.push(time);
      }
      return times;
    },
  });
}

/** The findings as a person reads them, without the lines they quote. */
function said(text: string, given: Given = {}): readonly string[] {
  return check(text, given).diagnostics.map(({ severity, message, position, hint, related }) => {
    const at = position === undefined ? '-' : `${position.line}:${position.column}+${position.length}`;
    const more = related === undefined ? '' : ` [${related.message} ${related.position.line}]`;
    return `${severity} ${at} ${message}${hint === undefined ? '' : ` | ${hint}`}${more}`;
  });
}

function notes(text: string, given: Given = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(
    check(text, given).services.map(({ spec, starts, note }) => [spec.name, starts ? 'starts' : (note ?? '')]),
  );
}

describe('programs', () => {
  it('are there, may be executed, and have their interpreter: nothing is said', () => {
    const files = {
      '/srv/a': { text: '#!/bin/sh\n' },
      '/srv/b': { text: '#!/bin/env -S A=1 sleep 3\n' },
      '/srv/c': { text: '#! /bin/sh -e\n', mode: 0o4711 },
    };
    expect(
      said(
        'a.service: { command: /srv/a }\nb.service: { command: /srv/b }\nc.service: { command: /srv/c, uid: joe }\n' +
          'd.service: { command: "sleep 1" }\ne.service: { command: nosuch, enabled: false }\n',
        { files },
      ),
    ).toEqual([]);
  });

  it('are not there', () => {
    const text = (more: string) => `\na.service: { command: "nosuch x"${more} }\n`;
    expect(said(text(''))).toEqual([
      'error 2:23+10 the program "nosuch" of a.service is not found | looked for in /bin',
    ]);
    expect(said(text(', optional: true'))).toEqual([
      'warning - all services are disabled: without a command, the system ends at once',
    ]);
    expect(said(`${text(', ignore_failures: true')}b.service: { command: "true" }\n`)).toEqual([
      'warning 2:23+10 the program "nosuch" of a.service is not found | looked for in /bin',
    ]);
    expect(said('a.service: { command: /opt/nosuch }')).toEqual([
      'error 1:23+11 the program "/opt/nosuch" of a.service is not found | there is no such file',
    ]);
    expect(
      said('settings: { ignore_failures: yes }\na.service: { command: "true" }\nb.service: { command: nosuch }'),
    ).toEqual(['warning 3:23+6 the program "nosuch" of b.service is not found | looked for in /bin']);
  });

  it("are looked up in the service's own PATH", () => {
    const files = { '/opt/bin/tool': binary };
    expect(said('a.service: { command: tool, env_set: { PATH: /opt/bin } }', { files })).toEqual([]);
    expect(said('a.service: { command: tool }', { files })).toHaveLength(1);
    expect(said('a.service: { command: tool, env_set: { PATH: "/opt/$(_CHAP_SERVICE_SERIAL)" } }', { files })).toEqual(
      [],
    );
  });

  it('may not be executed', () => {
    const files = { '/srv/x': { mode: 0o644 }, '/srv/d': folder, '/srv/own': { mode: 0o700, uid: 1000, ...binary } };
    expect(said('a.service: { command: /srv/x }', { files })).toEqual([
      'error 1:23+6 the program "/srv/x" of a.service may not be executed: /srv/x has mode 0644 | expected an executable file: chmod +x /srv/x',
    ]);
    expect(said('a.service: { command: /srv/x, optional: true }', { files })).toHaveLength(1);
    expect(said('a.service: { command: /srv/d }', { files })).toEqual([
      'error 1:23+6 the program "/srv/d" of a.service is a directory',
    ]);
    expect(
      said('a.service: { command: /srv/own, uid: joe }\nb.service: { command: /srv/own, uid: www }', { files }),
    ).toEqual([
      'warning 2:23+8 www may not execute the program "/srv/own" of b.service: /srv/own has mode 0700, owner 1000:0 | expected a program that this account may execute: another mode, or another uid',
    ]);
    const grouped = { '/srv/x': { mode: 0o710, gid: 4, ...binary } };
    expect(said('a.service: { command: /srv/x, uid: joe }', { files: grouped })).toEqual([]);
  });

  it('lack their interpreter', () => {
    const files = {
      '/srv/bash': { text: '#!/bin/bash\n' },
      '/srv/windows': { text: '#!/bin/sh\r\necho\r\n' },
      '/srv/python': { text: '#!/bin/env python3\n' },
      '/srv/text': { text: 'echo hello\n' },
      '/srv/empty': { text: '' },
    };
    const of = (name: string) => said(`a.service: { command: /srv/${name} }`, { files });
    expect(of('bash')).toEqual([
      'error 1:23+9 the interpreter "/bin/bash" of the program "/srv/bash" of a.service is not found | expected an interpreter that this image has, or another "#!" line',
    ]);
    expect(of('windows')).toEqual([
      'error 1:23+12 the interpreter "/bin/sh␍" of the program "/srv/windows" of a.service is not found | its lines end as on Windows (CR LF): sed -i \'s/\\r$//\' /srv/windows',
    ]);
    expect(of('python')).toEqual([
      'error 1:23+11 the interpreter "python3" of the program "/srv/python" of a.service is not found | expected an interpreter that this image has, or another "#!" line',
    ]);
    expect(of('text')).toEqual([
      'warning 1:23+9 the program "/srv/text" of a.service is no binary and has no "#!" line | its start will probably fail with ENOEXEC: a script begins with "#!/bin/sh"',
    ]);
    expect(of('empty')).toEqual([
      'warning 1:23+10 the program "/srv/empty" of a.service is empty | its start will probably fail with ENOEXEC: a script begins with "#!/bin/sh"',
    ]);
  });

  it('have relative paths', () => {
    expect(said('a.service: { command: bin/x }')).toEqual([
      'warning 1:23+5 the program "bin/x" of a.service is a relative path | expected a "directory", or the whole path',
    ]);
    const text = 'a.service: { command: bin/x, directory: /srv }';
    expect(said(text, { files: { '/srv': folder, '/srv/bin/x': binary } })).toEqual([]);
    expect(said(text, { files: { '/srv': folder } })).toEqual([
      'warning 1:23+5 the program "bin/x" of a.service is a relative path, and /srv does not hold it yet',
    ]);
    expect(said('a.service: { command: bin/x, uid: joe }', { files: { '/home/joe/bin/x': binary } })).toEqual([]);
  });
});

describe('directories', () => {
  const later = 'b.service: { command: sleep 1, directory: /srv/run, after: a.service }\n';

  it('do not exist, and no earlier service could make them', () => {
    expect(said('b.service: { command: sleep 1, directory: /srv/run }')).toEqual([
      'warning 1:43+8 the directory "/srv/run" of b.service does not exist | no service that starts before could create it',
    ]);
    expect(said(`a.service: { command: "true", enabled: false }\n${later}`)).toHaveLength(1);
    expect(said('b.service: { command: sleep 1, directory: /bin/sh }')).toEqual([
      'warning 1:43+7 the directory "/bin/sh" of b.service is no directory | expected a directory',
    ]);
  });

  it('do not exist yet', () => {
    expect(said(`a.service: { command: "true" }\n${later}`)).toEqual([]);
    expect(
      said(
        'a.service: { command: "true", service_groups: INIT }\nb.service: { command: sleep 1, directory: /srv/run }',
      ),
    ).toEqual([]);
  });
});

describe('order', () => {
  it('names what can never start, and why', () => {
    const text =
      'store.service: { command: nosuch }\nweb.service: { command: sleep 1, after: store.service }\n' +
      'worker.service: { command: sleep 1, after: "web.service" }\nlate.service: { command: sleep 1, service_groups: IDLE }\n' +
      'other.service: { command: sleep 1 }\n';
    expect(said(text).slice(1)).toEqual([
      'warning 2:41+13 web.service can never start: it waits for store.service, whose program is not found',
      'warning 3:44+13 worker.service can never start: it waits for store.service, whose program is not found (worker → web → store)',
      'warning 4:1+12 late.service can never start: it waits for store.service, whose program is not found',
    ]);
    expect(notes(text)).toEqual({
      'store.service': 'its program is not found',
      'web.service': 'can never start',
      'worker.service': 'can never start',
      'late.service': 'can never start',
      'other.service': 'starts',
    });
  });

  it('knows that what is disabled or ignored holds up nobody', () => {
    for (const more of ['optional: true', 'ignore_failures: true', 'enabled: false']) {
      const text = `store.service: { command: nosuch, ${more} }\nweb.service: { command: sleep 1, after: store.service }\n`;
      expect(notes(text)['web.service'], more).toBe('starts');
    }
    // Without a command there is nothing to wait for.
    expect(said('web.service: { command: sleep 1, after: CONSOLE }')).toEqual([]);
  });

  it('knows other ways never to be ready', () => {
    expect(
      said(
        'settings: { process_timeout: 0 }\na.service: { type: oneshot, command: "true" }\nb.service: { command: sleep 1, after: a.service }\n',
      ),
    ).toEqual([
      'warning 1:30+1 a.service cannot become ready: its process_timeout is 0 | expected the seconds that a oneshot service may take',
      'warning 3:39+9 b.service can never start: it waits for a.service, whose process_timeout is 0',
    ]);
    expect(
      said(
        'a.service: { type: oneshot, command: "true", exit_kills: true }\nb.service: { command: sleep 1, after: a.service }\n',
      ),
    ).toEqual([
      'warning 2:39+9 b.service can never start: it waits for a.service, whose end is the end of the system (exit_kills)',
    ]);
    expect(said('a.service: { type: oneshot, command: "true", exit_kills: true }')).toEqual([]);
  });

  it('does not list thousands', () => {
    const many = Array.from(
      { length: 500 },
      (_, index) => `s${index}.service: { command: "true", after: a.service }\n`,
    );
    const found = said(`a.service: { command: nosuch }\n${many.join('')}`);
    expect(found).toHaveLength(22);
    expect(found[0]).toBe('warning - 480 more services can never start');
  });

  it('says so where nothing is to be started', () => {
    expect(said('settings: {}')).toEqual([
      'warning - there are no services: without a command, there is nothing to run',
    ]);
    expect(said('a.service: { command: "true", enabled: no }')).toEqual([
      'warning - all services are disabled: without a command, the system ends at once',
    ]);
  });
});

describe('stopping', () => {
  const chain = (length: number, type = 'simple') =>
    Array.from({ length }, (_, index) => {
      const after = index === 0 ? '' : `, after: s${index - 1}.service`;
      return `s${index}.service: { type: ${type}, command: sleep 1${after} }\n`;
    }).join('');

  it('has a second for every layer, or that is said', () => {
    expect(said(chain(7))).toEqual([]);
    expect(said(chain(8))).toEqual([
      'warning - services stop in 8 layers, one after the other, and a shutdown_timeout of 8 s is too short for that | expected shutdown_timeout 8.5 or more: 1 s for each layer, and a reserve for the last SIGKILL',
    ]);
    expect(said(`settings: { shutdown_timeout: 8.5 }\n${chain(8)}`)).toEqual([]);
    expect(said(`settings: { shutdown_timeout: 2 }\n${chain(3)}`)).toEqual([
      'warning 1:31+1 services stop in 3 layers, one after the other, and a shutdown_timeout of 2 s is too short for that | expected shutdown_timeout 3.5 or more: 1 s for each layer, and a reserve for the last SIGKILL',
    ]);
  });

  it('does not count what has ended long before', () => {
    expect(said(chain(12, 'oneshot'))).toEqual([]);
    expect(said('settings: { shutdown_timeout: 0.2 }\na.service: { command: sleep 1 }')).toEqual([]);
  });
});

describe('conflicts', () => {
  it('are the same port twice', () => {
    const text = (more = '') =>
      `a.service: { type: inetd, command: "true", port: 80 }\nb.service: { type: inetd, command: "true", port: "$(P:-80)"${more} }\n`;
    expect(said(text())).toEqual(['error 2:50+10 b.service has the same port as a.service: "80" [a.service has it 1]']);
    expect(said(text(', enabled: no'))).toEqual([]);
  });

  it('are the same pidfile twice, however it is written', () => {
    expect(
      said(
        'a.service: { type: forking, command: "true", pidfile: /run/x.pid }\nb.service: { command: "true", pidfile: /run//./x.pid }\n',
      ),
    ).toEqual(['error 2:40+13 b.service has the same pidfile as a.service: "/run/x.pid" [a.service has it 1]']);
  });
});

describe('schedules', () => {
  const cron = (interval: string) => `a.service: { type: cron, command: "true", interval: "${interval}" }`;

  it('have their next three times', () => {
    const { schedules } = check(cron('@hourly'));
    expect(schedules).toEqual([
      { service: 'a.service', interval: '@hourly', note: 'hourly (0 * * * *)', next: expect.anything() },
    ]);
    expect(schedules[0]?.next.map((time) => new Date(time).toISOString())).toEqual([
      '2026-11-22T13:00:00.000Z',
      '2026-11-22T14:00:00.000Z',
      '2026-11-22T15:00:00.000Z',
    ]);
    expect(schedules[0]?.next[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:00:00[+-]\d\d:\d\d$/);
    expect(check('a.service: { type: cron, command: "true", interval: "@daily", enabled: no }').schedules).toEqual([]);
  });

  it.each([
    ['0 0 2 * * *', '0 2 * * * 0'],
    ['*/15 * * * * *', '* * * * * */15'],
    ['0 */5 * * * *', '*/5 * * * * 0'],
    ['0 0 12 * * 1-5', '0 12 * * 1-5 0'],
  ])('look as if the seconds were first: %s', (interval, turned) => {
    expect(said(cron(interval))).toEqual([
      expect.stringContaining(`the sixth field is the second | did you mean "${turned}"?`),
    ]);
  });

  it.each([
    '* * * * * */15',
    '* * * * * *',
    '0 3 * * * 30',
    '0 3 * * *',
    '@daily',
    '0 0 1 1 * 0',
  ])('are as they look: %s', (interval) => {
    expect(said(cron(interval))).toEqual([]);
  });
});

describe('selectors', () => {
  const logging = (selector: string, more = '') =>
    `a.service: { command: "true" }\nx.logging: { selector: "${selector}", stdout: true${more} }`;

  it('select nothing', () => {
    expect(said(logging('!*.info'))).toEqual([
      'warning 2:24+9 selector of x.logging selects nothing | expected at least one part that takes something, such as *.info',
    ]);
    expect(said(logging('*.info;*.!debug'))).toHaveLength(1);
    expect(said(logging('!*.info', ', enabled: false'))).toEqual([]);
    expect(said(logging('*.info'))).toEqual([]);
  });
});

describe('restarts', () => {
  const web = (more: string) => said(`web.service: { command: "true", ${more} }`);

  it.each(['restart_delay: 3', 'restart_limit: 3'])('that never come are named for %s', (more) => {
    const [key = ''] = more.split(':');
    const what = `${key} of web.service has no effect: it has no restart`;
    expect(web(more)).toEqual([`warning 1:48+1 ${what} | expected restart, or restart_on_start_failure, too`]);
    // With `restart: no` the other directives of restarts may stay: somebody has switched restarts off for a while.
    expect(web(`restart: no, ${more}`)).toEqual([]);
    expect(web(`restart_on_start_failure: true, ${more}`)).toEqual([]);
  });

  it('never come where the system ends with the service', () => {
    expect(web('restart: yes, exit_kills: true')).toEqual([
      'warning 1:42+3 restart of web.service has no effect: with exit_kills the system ends with the service | expected one of the two: leave out "exit_kills" to have it restarted',
    ]);
  });
});

describe('places', () => {
  it('are those of the file that counts', () => {
    const reader = memoryReader({
      'd/1.conf': 'a.service: { command: one, port: 1 }\nsettings: { shutdown_timeout: 1, debug: 1 }\n',
      'd/2.conf': '\na.service: { command: two }\nsettings: { shutdown_timeout: 2, debug: }\n',
    });
    const places = readPlaces('d', { reader });
    const at = (section: string, key: string) => {
      const place = places.directive(section, key);
      if (place === undefined) return undefined;
      const { file, line, column } = place.source.position(place.start, place.end);
      return `${file}:${line}:${column}`;
    };
    expect(places.files).toEqual(['d/1.conf', 'd/2.conf']);
    expect(at('a.service', 'command')).toBe('d/2.conf:2:23');
    expect(at('a.service', 'port')).toBeUndefined();
    expect(at('settings', 'shutdown_timeout')).toBe('d/2.conf:3:31');
    expect(at('settings', 'debug')).toBe('d/1.conf:2:41');
    expect(places.section('b.service')).toBeUndefined();
  });

  it('put findings in the order of files and lines', () => {
    const at = (file: string, line: number): Diagnostic => ({
      severity: 'warning',
      code: 'no-effect',
      message: `${file}${line}`,
      position: { file, line, column: 1, length: 1, text: '' },
    });
    const none: Diagnostic = { severity: 'error', code: 'no-services', message: 'none' };
    const sorted = inOrder([at('b', 1), at('a', 9), at('a', 2), none], ['a', 'b']);
    expect(sorted.map(({ message }) => message)).toEqual(['none', 'a2', 'a9', 'b1']);
  });
});

describe('what is printed', () => {
  const text =
    'prepare.service: { type: oneshot, command: "true" }\n' +
    'web.service: { command: sleep 1, after: prepare.service, uid: joe }\n' +
    'old.service: { command: nosuch, optional: true }\n' +
    'night.service: { type: cron, command: "true", interval: "30 2 * * *", uid: 12345 }\n';
  const report = (source: string) => ({ ...check(source), loggingCount: 1, timeZone: 'UTC' });

  it('is a table for people', () => {
    const lines = renderCheck(report(text)).split('\n');
    expect(lines.slice(0, 6)).toEqual([
      'services in start order (those with one number may start together)',
      '  1  prepare  oneshot  –',
      '  1  old      simple   –      does not start: optional, no program',
      '  1  night    cron     12345',
      '  2  web      simple   joe',
      '',
    ]);
    expect(lines[6]).toBe('schedules and their next times (UTC)');
    expect(lines[7]).toMatch(/^ {2}night {2}30 2 \* \* \* {2}2026-11-23 /);
    expect(lines.slice(8)).toEqual(['', '4 services, 1 logging entry: no mistakes', '']);
  });

  it('is the mistakes alone where there are some', () => {
    expect(renderCheck(report('a.service: { command: nosuch }\nb.service: { command: ./x }'))).toMatchInlineSnapshot(`
      "chaperone: 1 warning about the configuration

      x.conf:2:23: the program "./x" of b.service is a relative path [relative-program]
          2 | b.service: { command: ./x }
            |                       ^^^ expected a "directory", or the whole path

      chaperone: 1 mistake in the configuration, nothing was started

      x.conf:1:23: the program "nosuch" of a.service is not found [program-not-found]
          1 | a.service: { command: nosuch }
            |                       ^^^^^^ looked for in /bin

      2 services, 1 logging entry: 1 mistake, 1 warning
      "
    `);
  });

  it('is one object for programs', () => {
    const value: unknown = JSON.parse(checkJson(report(`${text}bad.service: { command: nosuch }\n`)));
    expect(value).toEqual({
      ok: false,
      errors: [
        {
          file: 'x.conf',
          line: 5,
          column: 25,
          length: 6,
          code: 'program-not-found',
          message: 'the program "nosuch" of bad.service is not found',
          hint: 'looked for in /bin',
        },
      ],
      warnings: [],
      services: expect.arrayContaining([
        {
          name: 'web.service',
          type: 'simple',
          command: 'sleep 1',
          account: { name: 'joe', uid: 1000, gid: 100 },
          after: ['prepare.service'],
          groups: ['default'],
          layer: 2,
          starts: true,
        },
        {
          name: 'old.service',
          type: 'simple',
          command: 'nosuch',
          account: null,
          after: [],
          groups: ['default'],
          layer: 1,
          starts: false,
          note: 'optional, no program',
        },
      ]),
      schedules: [
        {
          service: 'night.service',
          interval: '30 2 * * *',
          note: '30 2 * * *',
          next: [expect.any(String), expect.any(String), expect.any(String)],
          timeZone: 'UTC',
        },
      ],
    });
  });
});

describe('hooks', () => {
  it('whose programs are missing are named, unless they may fail or are made out of variables', () => {
    const text = `
web.service:
  command: /bin/web
  before_start: [/bin/web, 'prepare --all', -log it, $(TOOL) x, ./made-before]
  stop_command: /sbin/quit
`;
    const findings = said(text, { files: { '/bin/web': binary } }).filter((line) => line.includes('is not found'));
    expect(findings).toEqual([
      'warning 4:28+15 the program "prepare" in before_start 2 of 5 of web.service is not found | looked for in /bin',
      'warning 5:17+10 the program "/sbin/quit" in stop_command of web.service is not found | there is no such file',
    ]);
  });

  it('are read for what only a shell understands', () => {
    const text = 'web.service:\n  command: /bin/web\n  after_stop: -/bin/web > /tmp/x\n';
    expect(said(text, { files: { '/bin/web': binary } })).toContainEqual(
      expect.stringContaining(
        '">" in after_stop of web.service is passed on as an argument: no shell reads the command',
      ),
    );
  });
});

describe('a stop that takes longer than the shutdown lets it', () => {
  const service = (more: string): string => `web.service:\n  command: /bin/web\n  ${more}\n`;
  const about = (text: string): readonly string[] =>
    said(text, { files: { '/bin/web': binary } }).filter((line) => line.includes('shutdown'));

  it('is named with the directive that says so, and what would be enough', () => {
    expect(about(service('stop_timeout: 1m'))).toEqual([
      'warning 3:17+2 a stop of web.service may take 60 s (stop_timeout), and in a shutdown only 7.5 s (shutdown_timeout 8 s) | expected shutdown_timeout 60.5 or more, and as much of whoever stops the container (docker stop --time)',
    ]);
    expect(about(service('kill_signal: SIGQUIT 10s SIGTERM 5s'))).toEqual([
      'warning 3:16+22 a stop of web.service may take 15 s (kill_signal), and in a shutdown only 7.5 s (shutdown_timeout 8 s) | expected shutdown_timeout 15.5 or more, and as much of whoever stops the container (docker stop --time)',
    ]);
  });

  it('leaves a second to each layer below', () => {
    const two = (stop: string): string =>
      `db.service: { command: /bin/web }\nweb.service: { command: /bin/web, after: db.service, stop_timeout: ${stop} }\n`;
    expect(about(two('6s'))).toEqual([]);
    expect(about(two('7s'))).toEqual([expect.stringContaining('in a shutdown only 6.5 s')]);
    expect(about(`settings: { shutdown_timeout: 30 }\n${two('7s')}`)).toEqual([]);
  });
});
