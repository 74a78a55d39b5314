import { describe, expect, it } from 'vitest';
import { renderErrors, renderWarnings } from '../../../src/config/render-diagnostics.ts';
import { createReport } from '../../../src/config/report.ts';
import { readSupervisord } from '../../../src/conventions/supervisord/read-supervisord.ts';
import type { ServiceSpec, SystemSpec } from '../../../src/model/service/service-spec.ts';
import { loadImage, memoryImage } from '../memory-image.ts';

const main = '/etc/supervisor/supervisord.conf';

/** The system that a main file without mistakes makes. */
function systemOf(text: string, environment: Readonly<Record<string, string>> = {}): SystemSpec {
  const { spec, diagnostics } = loadImage({ [main]: text }, environment);
  expect(renderErrors(diagnostics)).toBe('');
  expect(renderWarnings(diagnostics)).toBe('');
  if (spec === undefined) throw new Error('no configuration');
  return spec;
}

function serviceOf(options: string): ServiceSpec {
  const [service] = systemOf(`[program:web]\n${options}`).services;
  if (service === undefined) throw new Error('no service');
  return service;
}

describe('programs of supervisord', () => {
  it('become services of their accounts, folders and variables', () => {
    const web = serviceOf(
      'command=web -p 80\nuser=www\ndirectory=/srv\numask=027\nenvironment=A="x, y",HOME="/srv"\nstopsignal=QUIT\nstopasgroup=true',
    );
    expect(web).toMatchObject({
      name: 'web.service',
      type: 'simple',
      argv: ['web', '-p', '80'],
      directory: '/srv',
      account: { name: 'www', uid: 33, gid: 33 },
      environment: {
        A: 'x, y',
        HOME: '/srv',
        SUPERVISOR_ENABLED: '1',
        SUPERVISOR_PROCESS_NAME: 'web',
        SUPERVISOR_GROUP_NAME: 'web',
      },
      resources: { umask: 0o027 },
      killSignal: 'SIGQUIT',
      killMode: 'group',
      ignoreFailures: true,
      enabled: true,
    });
  });

  it('keep dollars, backticks and backslashes as they are', () => {
    const command = `sh -c 'echo $(date) \${HOME} \`id\` \`id\`' "\\$x" ~`;
    const web = serviceOf(`command=${command}\nenvironment=A="$(b)",B="\`c\`\`d\`"`);
    expect(web.argv).toEqual(['sh', '-c', `echo $(date) \${HOME} \`id\` \`id\``, '\\$x', '~']);
    expect(web.environment).toMatchObject({ A: '$(b)', B: '`c``d`' });
    expect(Object.keys(web.environment).filter((name) => name.startsWith('_'))).toEqual([]);
  });

  it.each([
    ['', 'on-failure', undefined],
    ['autorestart=false', 'no', undefined],
    ['autorestart=true', 'always', undefined],
    ['exitcodes=0,3', 'on-failure', [3]],
    ['autorestart=true\nexitcodes=0,3', 'always', [3]],
    // Exit status 0 is no expected end then.
    ['exitcodes=3', 'always', [3]],
  ])('are restarted as %j says', (options, mode, successExit) => {
    const { restart, restartPolicy, ...service } = serviceOf(`command=web\n${options}`);
    expect(restart ? (restartPolicy?.always === true ? 'always' : 'on-failure') : 'no').toBe(mode);
    expect(service.successExit).toEqual(successExit);
  });

  it('are tried again after 1, 2 and 3 seconds where they end before startsecs', () => {
    expect(serviceOf('command=web\nstartsecs=7')).toMatchObject({
      ready: { kind: 'probe', check: { kind: 'delay', time: 7000 } },
      restartLimit: 3,
      restartDelay: 1000,
      restartPolicy: { backoff: 2, delayMax: 3000, startFailure: true },
    });
    expect(serviceOf('command=web\nstartsecs=0').ready).toBeUndefined();
    expect(serviceOf('command=web\nstartsecs=40').processTimeout).toBe(45_000);
  });

  it.each([
    ['', 'process'],
    ['killasgroup=true', 'mixed'],
    ['stopasgroup=true', 'group'],
  ])('are stopped as %j says', (options, killMode) => {
    expect(serviceOf(`command=web\n${options}`).killMode).toBe(killMode);
  });

  it('make one service for each process', () => {
    const { services } = systemOf(
      '[program:worker]\ncommand=work %(process_num)d\nprocess_name=%(program_name)s_%(process_num)02d\nnumprocs=2\nautostart=false',
    );
    expect(services.map(({ name, argv, groups, enabled }) => ({ name, argv, groups, enabled }))).toEqual([
      { name: 'worker_00.service', argv: ['work', '0'], groups: ['default', 'worker'], enabled: false },
      { name: 'worker_01.service', argv: ['work', '1'], groups: ['default', 'worker'], enabled: false },
    ]);
  });

  it('have the name of their group before their own where two are called the same', () => {
    const { services } = systemOf(
      '[group:a]\nprograms=one\n[group:b]\nprograms=two\n[program:one]\ncommand=x\nprocess_name=run\n[program:two]\ncommand=x\nprocess_name=run',
    );
    expect(services.map(({ name }) => name)).toEqual(['a.run.service', 'b.run.service']);
  });

  it('start behind those of a lower number, once these have been started', () => {
    const { services } = systemOf(
      '[program:c]\ncommand=x\n[program:a]\ncommand=x\npriority=1\n[program:off]\ncommand=x\npriority=5\nautostart=false\n[program:b]\ncommand=x\npriority=1',
    );
    const ties = services.map(({ name, prerequisites, ties: own = {} }) => [
      name,
      prerequisites.map((other) => `${other} ${own[other]?.kind} ${own[other]?.stages.join()}`),
    ]);
    expect(ties).toMatchInlineSnapshot(`
      [
        [
          "a.service",
          [],
        ],
        [
          "b.service",
          [],
        ],
        [
          "off.service",
          [
            "a.service wants started",
            "b.service wants started",
          ],
        ],
        [
          "c.service",
          [
            "a.service wants started",
            "b.service wants started",
          ],
        ],
      ]
    `);
  });

  it('write their outputs as they are, where supervisord would', () => {
    const { services, logging } = systemOf(
      [
        '[program:web]\ncommand=web\nredirect_stderr=true\nstdout_logfile=/var/log/web%%%%d.log\nstdout_logfile_maxbytes=2MB\nstdout_logfile_backups=3',
        '[program:out]\ncommand=out\nstdout_logfile=/dev/stdout\nstdout_logfile_maxbytes=0\nstderr_logfile=/dev/fd/2\nstderr_logfile_maxbytes=0',
        '[program:quiet]\ncommand=quiet\nstdout_logfile=NONE\nstderr_logfile=syslog',
        '[program:same]\ncommand=same\nstdout_logfile=/var/log/same\nstderr_logfile=/var/log/same\nstdout_logfile_maxbytes=0',
      ].join('\n'),
    );
    expect(services.map(({ name, stdout, stderr }) => `${name} ${stdout} ${stderr}`)).toEqual([
      'out.service supervisord-stdout.logging supervisord-stderr.logging',
      'quiet.service supervisord-none.logging log',
      'same.service same-stdout.logging same-stdout.logging',
      'web.service web-stdout.logging stdout',
    ]);
    const entry = (name: string) => logging.find((each) => each.name === name);
    expect(entry('web-stdout.logging')).toMatchObject({
      file: '/var/log/web%%d.log',
      format: 'plain',
      mode: 0o644,
      namedOnly: true,
      rotation: { maxSize: 2 * 1024 ** 2, keep: 3 },
    });
    expect(entry('same-stdout.logging')).not.toHaveProperty('rotation');
    expect(entry('supervisord-stdout.logging')).toMatchObject({ stdout: true, format: 'plain', namedOnly: true });
    expect(entry('supervisord-none.logging')).toMatchObject({ namedOnly: true, stdout: false, stderr: false });
  });

  it('may be ten thousand, each of a priority of its own', () => {
    const sections = Array.from({ length: 10_000 }, (_, index) => `[program:p${index}]\ncommand=x\npriority=${index}`);
    const reader = memoryImage({ [main]: sections.join('\n') });
    const { drafts } = readSupervisord({
      paths: [main],
      environment: {},
      hostname: 'box',
      directory: '.',
      keepsVariables: false,
      report: createReport(),
      attempt: (_, ask) => ask(reader),
    });
    // The settings are one more.
    expect(drafts).toHaveLength(10_001);
    expect(drafts.at(-1)?.directives).toContainEqual(
      expect.objectContaining({ key: 'wants', value: 'priority-9998:started' }),
    );
  });

  it('keep the system up without them, and give the slowest of them its time', () => {
    const text = (options: string): string => `[program:web]\ncommand=web\n${options}`;
    expect(systemOf(text(''))).toMatchObject({ detectExit: false, shutdownTimeout: 8000 });
    expect(systemOf(text('stopwaitsecs=30'))).toMatchObject({ shutdownTimeout: 32_000 });
    const settings = { '/etc/chaperone.d/x.conf': 'settings: { detect_exit: true, shutdown_timeout: 20 }' };
    const { spec } = loadImage({ [main]: text('stopwaitsecs=30'), ...settings });
    expect(spec).toMatchObject({ detectExit: true, shutdownTimeout: 20_000 });
  });

  it('give way to a service of their name in chaperone.d, and to the settings', () => {
    const files = { [main]: '[program:web]\ncommand=web\n[program:db]\ncommand=db' };
    const { spec } = loadImage({ ...files, '/etc/chaperone.d/x.conf': 'web.service: { command: other }' });
    expect(spec?.services.map(({ command }) => command)).toEqual(['db', 'other']);
    const off = loadImage({ ...files, '/etc/chaperone.d/x.conf': 'settings: { compat: { supervisord: false } }' });
    expect(off.spec?.services).toEqual([]);
  });
});

describe("supervisord's files", () => {
  it('are read with those that they include, else those of conf.d alone', () => {
    const program = (name: string): string => `[program:${name}]\ncommand=${name}\n`;
    const included = { '/etc/supervisor/conf.d/b.conf': program('b'), '/etc/supervisor/conf.d/a.conf': program('a') };
    const withMain = loadImage({ [main]: '[include]\nfiles=conf.d/*.conf nothing/*.conf\n', ...included });
    expect(withMain.diagnostics).toEqual([]);
    expect(withMain.spec?.services.map(({ name }) => name)).toEqual(['a.service', 'b.service']);
    expect(loadImage(included).spec?.services.map(({ name }) => name)).toEqual(['a.service', 'b.service']);
    const first = loadImage({ '/etc/supervisord.conf': program('first'), [main]: program('second') });
    expect(first.spec?.services.map(({ name }) => name)).toEqual(['first.service']);
  });

  it('see the environment of chaperone, its host name, and their own folder', () => {
    const files = {
      [main]: '[supervisord]\nenvironment=PORT="80"\n[include]\nfiles=%(ENV_PLACE)s/*.conf\n',
      '/srv/web.conf': '[program:web]\ncommand=web %(ENV_PORT)s %(host_node_name)s %(here)s %(ENV_PLACE)s',
      '/proc/sys/kernel/hostname': 'box\n',
    };
    expect(loadImage(files, { PLACE: '/srv' }).spec?.services[0]).toMatchObject({
      argv: ['web', '80', 'box', '/srv', '/srv'],
      environment: { PORT: '80' },
    });
  });

  it('are told what has no counterpart, by name, file and line', () => {
    const { spec, diagnostics } = loadImage({
      [main]: [
        '[unix_http_server]\nfile=/run/supervisor.sock',
        '[supervisord]\nlogfile=/var/log/supervisord.log ; of supervisord\npidfile=/run/supervisord.pid',
        '[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface',
        '[supervisorctl]\nserverurl=unix:///run/supervisor.sock',
        '[eventlistener:crash]\ncommand=crashmail\nevents=PROCESS_STATE',
        '[fcgi-program:php]\ncommand=php\nsocket=tcp://localhost:9000',
        '[progrm:typo]\ncommand=x',
        '[other]\nkey=value',
        '[program:web]\ncommand=web\ncomand=x\nstdout_events_enabled=true\nstdout_capture_maxbytes=1MB\nstderr_events_enabled=false',
      ].join('\n'),
    });
    expect(spec?.services.map(({ name }) => name)).toEqual(['web.service']);
    expect(renderWarnings(diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 11 warnings about the configuration

      /etc/supervisor/supervisord.conf:1:1: [unix_http_server] has no counterpart: chaperonectl speaks to a socket of its own [no-counterpart]
          1 | [unix_http_server]
            | ^^^^^^^^^^^^^^^^^^

      /etc/supervisor/supervisord.conf:3:1: logfile, pidfile in [supervisord] are about supervisord itself, and not used [no-counterpart]
          3 | [supervisord]
            | ^^^^^^^^^^^^^

      /etc/supervisor/supervisord.conf:6:1: [rpcinterface:supervisor] has no counterpart: chaperone has an API of its own [no-counterpart]
          6 | [rpcinterface:supervisor]
            | ^^^^^^^^^^^^^^^^^^^^^^^^^

      /etc/supervisor/supervisord.conf:8:1: [supervisorctl] has no counterpart: chaperonectl takes its place [no-counterpart]
          8 | [supervisorctl]
            | ^^^^^^^^^^^^^^^

      /etc/supervisor/supervisord.conf:10:1: [eventlistener:crash] has no counterpart: events of chaperone are followed with chaperonectl, so that the listener does not run [no-counterpart]
         10 | [eventlistener:crash]
            | ^^^^^^^^^^^^^^^^^^^^^

      /etc/supervisor/supervisord.conf:13:1: [fcgi-program:php] has no counterpart: chaperone opens no socket for the standard input of a service, so that the program does not run [no-counterpart]
         13 | [fcgi-program:php]
            | ^^^^^^^^^^^^^^^^^^

      /etc/supervisor/supervisord.conf:16:1: unknown section "progrm:typo" [unknown-section]
         16 | [progrm:typo]
            | ^^^^^^^^^^^^^ did you mean "program:typo"?

      /etc/supervisor/supervisord.conf:18:1: unknown section "other" [unknown-section]
         18 | [other]
            | ^^^^^^^ supervisord does not look at it

      /etc/supervisor/supervisord.conf:22:1: unknown option "comand" in [program:web] [unknown-key]
         22 | comand=x
            | ^^^^^^ did you mean "command"?

      /etc/supervisor/supervisord.conf:23:23: stdout_events_enabled in [program:web] has no counterpart: there are no event listeners; chaperonectl follows events instead [no-counterpart]
         23 | stdout_events_enabled=true
            |                       ^^^^

      /etc/supervisor/supervisord.conf:24:25: stdout_capture_maxbytes in [program:web] has no counterpart: there are no event listeners; chaperonectl follows events instead [no-counterpart]
         24 | stdout_capture_maxbytes=1MB
            |                         ^^^
      "
    `);
  });

  it('without anything to run, as packages bring them, are read in silence', () => {
    const { spec, diagnostics } = loadImage({
      [main]:
        '[unix_http_server]\nfile=/run/supervisor.sock\n[supervisord]\nlogfile=/var/log/x\n[supervisorctl]\nserverurl=unix:///run/x\n[include]\nfiles=conf.d/*.conf\n',
    });
    expect(diagnostics).toEqual([]);
    expect(spec).toMatchObject({ services: [], detectExit: true });
  });

  it('are refused with the places of their mistakes', () => {
    const { spec, diagnostics } = loadImage({
      [main]: '[include]\nfiles=conf.d/*.conf\n',
      '/etc/supervisor/conf.d/a.conf':
        'stray\n[program:a]\ncommand=a %(porcess_num)d\nautorestart=sometimes\n  also\n[program:b]\nnumprocs=two ; of them\n= 1\n[group:g]\nprograms=a,c\n',
    });
    expect(spec).toBeUndefined();
    expect(renderErrors(diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 7 mistakes in the configuration, nothing was started

      /etc/supervisor/conf.d/a.conf:1:1: "stray" stands before the first section [ini-syntax]
          1 | stray
            | ^^^^^ expected a section such as [program:NAME]

      /etc/supervisor/conf.d/a.conf:3:11: command in [program:a] cannot be filled in: nothing is named porcess_num [bad-expansion]
          3 | command=a %(porcess_num)d
            |           ^^^^^^^^^^^^^^^ did you mean "process_num"?

      /etc/supervisor/conf.d/a.conf:4:13: autorestart in [program:a] is "sometimes␊also" [not-a-choice]
          4 | autorestart=sometimes
            |             ^^^^^^^^^ expected true, false or unexpected

      /etc/supervisor/conf.d/a.conf:6:1: [program:b] has no command [missing-directive]
          6 | [program:b]
            | ^^^^^^^^^^^ expected command=PROGRAM ARGUMENTS

      /etc/supervisor/conf.d/a.conf:7:10: numprocs in [program:b] is "two" [not-a-number]
          7 | numprocs=two ; of them
            |          ^^^ expected a whole number

      /etc/supervisor/conf.d/a.conf:8:1: "= 1" has no name before its value [ini-syntax]
          8 | = 1
            | ^^^ expected NAME=VALUE

      /etc/supervisor/conf.d/a.conf:10:10: [group:g] names the program "c", which is not there [unknown-service]
         10 | programs=a,c
            |          ^^^ did you mean "a"?
      "
    `);
  });

  it('that cannot be read are left out with a warning', () => {
    const { spec, diagnostics } = loadImage({
      [main]: '[include]\nfiles=conf.d/*.conf gone.conf\n',
      '/etc/supervisor/conf.d/a.conf': { error: 'EACCES' },
      '/etc/supervisor/conf.d/b.conf': '[program:b]\ncommand=b\n',
    });
    expect(spec?.services.map(({ name }) => name)).toEqual(['b.service']);
    expect(renderWarnings(diagnostics)).toMatchInlineSnapshot(`
      "chaperone: 2 warnings about the configuration

      "/etc/supervisor/conf.d/a.conf" is not read: permission denied [not-read]

      /etc/supervisor/supervisord.conf:2:7: the included file "/etc/supervisor/gone.conf" is not there [not-read]
          2 | files=conf.d/*.conf gone.conf
            |       ^^^^^^^^^^^^^^^^^^^^^^^
      "
    `);
  });
});
