import { describe, expect, it } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { commandKey, environmentOfRun } from '../../src/model/service/late-environment.ts';
import { loggingSpec, systemSpec } from '../model/specs.ts';
import { accounts, errorsOf, loadFiles, loadText, serviceOf, specOf, warningsOf } from './loading.ts';
import { memoryReader } from './memory-reader.ts';

/** One service, its directives one a line. */
function web(...lines: readonly string[]): string {
  return ['web.service:', '  command: /bin/web', ...lines.map((line) => `  ${line}`), ''].join('\n');
}

describe('files', () => {
  it('has no services where nothing is, and logs to stdout', () => {
    expect(loadFiles({})).toEqual({
      diagnostics: [],
      commands: [],
      spec: systemSpec([], { logging: [loggingSpec({ name: 'default.logging', selector: '*.info' })], fileCount: 0 }),
    });
  });

  it('reads the *.conf and *.yaml files at the top of a directory in byte order', () => {
    const service = (name: string) => `${name}.service: {command: x}`;
    const { spec, diagnostics } = loadFiles({
      'b.yaml': service('second'),
      'B.conf': service('first'),
      '\u{1f600}.conf': service('fourth'),
      '\uffee.conf': service('third'),
      '.hidden.conf': 'not: read',
      'c.yml': 'not: read',
      'd.conf~': 'not: read',
      'sub/x.conf': 'not: read',
      'dir.conf/x': 'not: read',
      'conf.d/x.conf': 'not: read',
      'web.conf.d/x.conf': 'not: read',
      'e.JSON': 'not: read',
      'f.ini': 'not: read',
      'README.md': 'not: read',
      'g.conf.disabled': 'not: read',
    });
    expect(diagnostics.map(({ severity, message, hint }) => `${severity} ${message} | ${hint}`)).toEqual([
      'warning the file "chaperone.d/c.yml" is not read: only *.conf and *.yaml are | rename it to "c.yaml"',
      'warning the file "chaperone.d/e.JSON" is not read: only *.conf and *.yaml are | rename it to "e.yaml"',
      'warning the file "chaperone.d/f.ini" is not read: only *.conf and *.yaml are | rename it to "f.conf"',
      'warning the folder "chaperone.d/web.conf.d" is not read: a configuration is one folder of files | put its files beside it',
      'warning the folder "chaperone.d/dir.conf" is not read: a configuration is one folder of files | put its files beside it',
    ]);
    expect(spec?.services.map(({ name }) => name)).toEqual(
      ['first', 'second', 'third', 'fourth'].map((name) => `${name}.service`),
    );
    expect(spec?.fileCount).toBe(4);
  });

  it('reads one file whatever its name, and knows the directory that contains the path', () => {
    const text =
      'a.service: {command: "$(_CHAP_CONFIG_DIR) $(_CHAP_SERVICE) $(_CHAP_INTERACTIVE) $(_CHAP_SERVICE_SERIAL)"}';
    const load = (path: string, file: string) =>
      loadConfiguration(path, {
        reader: memoryReader({ [file]: text }),
        environment: {},
        accounts,
        interactive: true,
      }).spec?.services[0]?.argv;
    const rest = ['a.service', '1', '$(_CHAP_SERVICE_SERIAL)'];
    expect(load('/etc/app', '/etc/app')).toEqual(['/etc', ...rest]);
    expect(load('/etc/chaperone.d', '/etc/chaperone.d/x.conf')).toEqual(['/etc', ...rest]);
    expect(load('/etc/chaperone.d/', '/etc/chaperone.d/x.conf')).toEqual(['/etc', ...rest]);
    expect(load('/app', '/app')).toEqual(['/', ...rest]);
    expect(load('app', 'app')).toEqual(['.', ...rest]);
  });

  it('replaces services, merges settings and logging', () => {
    const { spec, diagnostics } = loadFiles({
      '1.conf': `${web('restart: true', 'env_set: {A: 1}')}
settings: {env_set: {X: 1, Y: 1}, idle_delay: 3, startup_pause: 4}
l.logging: {stdout: true, selector: "*.err"}
`,
      '2.conf': `web.service: {command: /bin/other}
settings: {env_set: {Y: 2, Z: 3}, idle_delay: 5}
l.logging: {selector: "*.debug", stderr: yes}
`,
    });
    expect(diagnostics).toEqual([]);
    expect(spec?.services).toMatchObject([{ argv: ['/bin/other'], restart: false, startupPause: 4000 }]);
    expect(spec?.services[0]?.environment).toEqual({ X: '1', Y: '2', Z: '3' });
    expect(spec?.idleDelay).toBe(5000);
    expect(spec?.logging).toEqual([
      loggingSpec({ name: 'l.logging', selector: '*.debug', stdout: true, stderr: true }),
    ]);
  });

  it('takes a list of names as empty sections', () => {
    const { spec, diagnostics } = loadText('- settings\n- x.logging\n');
    expect(diagnostics).toEqual([]);
    expect(spec?.logging).toEqual([loggingSpec({ name: 'x.logging', stdout: false })]);
    expect(errorsOf('- a.service\n')).toContain('x.conf:1:3: a.service has no command');
  });
});

describe('YAML as people wrote it', () => {
  it('knows merge keys, flow style with a comma after the last item, and several documents', () => {
    const { services } = specOf(`a.service: &base {
  command: "/bin/a",
  restart: yes,
  env_set: &env { "A": 1, },
}
b.service:
  <<: *base
  command: /bin/b
---
c.service:
  <<: {command: /bin/c, restart_limit: 1}
  restart_limit: 2
`);
    expect(services).toMatchObject([
      { argv: ['/bin/a'], restart: true },
      { argv: ['/bin/b'], restart: true, environment: { A: '1' } },
      { argv: ['/bin/c'], restart: false, restartLimit: 2 },
    ]);
  });

  it('lets the first of several merged maps win', () => {
    const text = 'a.service: &a {command: a, restart_limit: 1}\nb.service: &b {command: b, restart_delay: 7}\n';
    const merged = serviceOf(`${text}c.service:\n  <<: [*a, *b]\n`, {}, 'c.service');
    expect(merged).toMatchObject({ argv: ['a'], restartLimit: 1, restartDelay: 7000 });
  });

  it('keeps values of env_set as they are written', () => {
    const text = web(
      'env_set:',
      ...['A: 080', 'B: yes', 'C: 1:30', 'D: 1_000', 'E: "x"', 'F: 2001-01-01', 'G:', 'H: ~', 'I: 1.10'].map(
        (line) => `  ${line}`,
      ),
    );
    expect(serviceOf(text).environment).toEqual({
      A: '080',
      B: 'yes',
      C: '1:30',
      D: '1_000',
      E: 'x',
      F: '2001-01-01',
      G: '',
      H: '',
      I: '1.10',
    });
  });

  it.each([
    ['true', true],
    ['Yes', true],
    ['ON', true],
    ['y', true],
    ['"true"', true],
    ['FALSE', false],
    ['no', false],
    ['Off', false],
    ['n', false],
    ['', false],
  ])('reads the boolean %j', (text, expected) => {
    expect(serviceOf(web(`exit_kills: ${text}`)).exitKills).toBe(expected);
  });

  it.each([
    ['0', 0],
    ['2', 2000],
    ['0.25', 250],
    ['.5', 500],
    ['1e1', 10_000],
    ['"3"', 3000],
    ['010', 8000],
    ['1:30', 90_000],
    ['0.0004', 0],
  ])('reads the time %j', (text, expected) => {
    expect(serviceOf(web(`restart_delay: ${text}`)).restartDelay).toBe(expected);
  });
});

describe('defaults', () => {
  it('fills in every default of a service', () => {
    expect(serviceOf(web())).toEqual({
      name: 'web.service',
      type: 'simple',
      command: '/bin/web',
      argv: ['/bin/web'],
      enabled: true,
      prerequisites: [],
      groups: ['default'],
      environment: {},
      stdin: 'null',
      stdout: 'log',
      stderr: 'log',
      killSignal: 'SIGTERM',
      ownGroup: true,
      exitKills: false,
      ignoreFailures: false,
      optional: false,
      processTimeout: 30_000,
      startupPause: 500,
      restart: false,
      restartDelay: 3000,
      restartLimit: 5,
      onFailure: 'keep',
      remainAfterExit: false,
      killMode: 'group',
      debug: false,
    });
    expect(serviceOf(web('type: oneshot')).processTimeout).toBe(60_000);
  });

  it('takes every directive', () => {
    const text = web(
      'type: oneshot',
      'directory: /srv/$(NAME)',
      'kill_signal: int',
      'setpgrp: no',
      'exit_kills: yes',
      'ignore_failures: no',
      'optional: yes',
      'process_timeout: 1.5',
      'startup_pause: 0',
      'restart: yes',
      'restart_limit: 0',
      'service_groups: "a, IDLE,a"',
      'stdout: inherit',
      'stderr: $(ERR:-inherit)',
      'env_set: {NAME: n}',
    );
    expect(serviceOf(`settings: {ignore_failures: true}\n${text}`)).toMatchObject({
      type: 'oneshot',
      directory: '/srv/n',
      killSignal: 'SIGINT',
      ownGroup: false,
      exitKills: true,
      ignoreFailures: false,
      optional: true,
      processTimeout: 1500,
      startupPause: 0,
      restart: true,
      restartLimit: 0,
      groups: ['a', 'IDLE'],
      stdout: 'inherit',
      stderr: 'inherit',
    });
  });

  it('takes defaults for services from the settings', () => {
    const settings =
      'settings: {ignore_failures: yes, startup_pause: 2, process_timeout: 7, shutdown_timeout: 0, detect_exit: no}\n';
    const spec = specOf(settings + web());
    expect(spec).toMatchObject({ shutdownTimeout: 500, detectExit: false });
    expect(spec.services).toMatchObject([{ ignoreFailures: true, startupPause: 2000, processTimeout: 7000 }]);
  });
});

describe('enabled', () => {
  it.each([
    ['"$(MYSQL:+true)"', {}, false],
    ['"$(MYSQL:+true)"', { MYSQL: '1' }, true],
    ['$(MYSQL:-no)', {}, false],
    ['"$(MYSQL:|on|off)"', { MYSQL: '1' }, true],
  ])('%s with %j is %j', (text, environment, expected) => {
    expect(serviceOf(web(`enabled: ${text}`), { environment }).enabled).toBe(expected);
  });

  it('keeps a disabled service whose variables are missing', () => {
    const text = 'a.service: {command: "$(X:?need X)", enabled: no, env_set: {A: "$(Y:?need Y)", B: b}}';
    expect(serviceOf(text)).toMatchObject({ enabled: false, argv: ['$(X:?need X)'], environment: { B: 'b' } });
    expect(serviceOf('a.service: {command: "$(X:+/bin/x)", enabled: "$(X:+yes)"}').enabled).toBe(false);
  });
});

describe('command', () => {
  it('is expanded first and split then', () => {
    const environment = { ARGS: 'a "b c"', HOME: '/root' };
    const argv = (command: string) => serviceOf(`a.service:\n  command: ${command}\n`, { environment }).argv;
    expect(argv(`x $(ARGS) '$(ARGS)' d\\ e | f`)).toEqual(['x', 'a', 'b c', 'a "b c"', 'd e', '|', 'f']);
    expect(argv('~/bin/x ~')).toEqual(['/root/bin/x', '~']);
    expect(argv('~joe/bin/x')).toEqual(['/home/joe/bin/x']);
    expect(argv('~nobody/x')).toEqual(['~nobody/x']);
    expect(argv(`"'~/x'"`)).toEqual(['~/x']);
    expect(argv('>-\n    folded\n    text')).toEqual(['folded', 'text']);
  });

  it('means the home of the account by a tilde', () => {
    expect(serviceOf('a.service: {command: ~/x, uid: joe}').argv).toEqual(['/home/joe/x']);
  });
});

describe('environment', () => {
  it('is one object for all services that add nothing to it', () => {
    const text =
      'settings: { env_set: { A: x } }\na.service: { command: /bin/a }\nb.service: { command: /bin/b }\n' +
      'c.service: { command: /bin/c, env_set: { A: y } }\nd.service: { command: /bin/d, env_unset: [A] }\n' +
      'e.service: { command: /bin/e, type: notify }\nf.service: { command: /bin/f, uid: joe }\n';
    const [a, b, ...others] = specOf(text, { environment: { B: '1' } }).services.map(({ environment }) => environment);
    expect(a).toEqual({ A: 'x', B: '1' });
    expect(b).toBe(a);
    expect(others).toEqual([
      { A: 'y', B: '1' },
      { B: '1' },
      a,
      { A: 'x', B: '1', HOME: '/home/joe', USER: 'joe', LOGNAME: 'joe' },
    ]);
  });

  it('is made for each service where a variable needs an expansion', () => {
    const text =
      'settings: { env_set: { A: "$(_CHAP_SERVICE)" } }\na.service: { command: /bin/a }\nb.service: { command: /bin/b }\n';
    expect(specOf(text).services.map(({ environment }) => environment)).toEqual([
      { A: 'a.service' },
      { A: 'b.service' },
    ]);
  });

  const environment = {
    PATH: '/bin',
    HOME: '/root',
    _SECRET: 's',
    EMPTY: '',
    REF: 'service=$(_CHAP_SERVICE) $(INNER) $(_SECRET)',
    NOTIFY_SOCKET: '/run/n',
    LISTEN_FDS: '1',
    LISTEN_PID: '1',
    WATCHDOG_USEC: '5',
    LISTEN_PORT: '80',
  };

  it('goes through the levels', () => {
    const text = `settings: {env_set: {PATH: "/usr/bin:$(PATH)", G: "$(INNER)", N: "$(NOTIFY_SOCKET:+set)"}}\n${web('env_set: {PATH: "/opt:$(PATH)", INNER: in, _OWN: x, HOME: ""}')}`;
    expect(serviceOf(text, { environment }).environment).toEqual({
      PATH: '/opt:/usr/bin:/bin',
      REF: 'service=$(_CHAP_SERVICE) $(INNER) $(_SECRET)',
      G: 'in',
      INNER: 'in',
      LISTEN_PORT: '80',
      N: '',
      HOME: '',
      EMPTY: '',
      _SECRET: 's',
      _OWN: 'x',
    });
  });

  it('expands inherited values where the settings say so, but runs nothing in them', () => {
    const text = `settings: {env_expand: inherited}\n${web('env_set: {INNER: in}', 'directory: "/$(REF) $(TICK)"')}`;
    const given = { ...environment, TICK: '`touch /x` $(`touch /y`) $(INNER:+`touch /z`)' };
    const { spec, commands, diagnostics } = loadText(text, { environment: given });
    expect([commands, diagnostics]).toEqual([[], []]);
    expect(spec?.services[0]).toMatchObject({
      directory: '/service=web.service in s `touch /x` $(`touch /y`) `touch /z`',
      environment: { REF: 'service=web.service in s', TICK: '`touch /x` $(`touch /y`) `touch /z`' },
    });
  });

  describe.each([
    ['backticks within a word', 'q`touch /x`w'],
    ['a command as a form', 'q$(`touch /x`)w'],
    ['a variable', '$(HOME)/$\u007bUSER:-x}'],
    ['a form that would be an error', '$(NOBODY:?stop)'],
    ['a reference to itself', '$(DB_PASSWORD)'],
    ['an escaped form', '\\$(HOME)'],
    ['a half of a form', 'a$(b'],
  ])('%s in an inherited value', (_, value) => {
    const given = { HOME: '/root', DB_PASSWORD: value };
    const one = (text: string): ReturnType<typeof loadText> => loadText(text, { environment: given });

    it('is passed on as it is', () => {
      const { spec, commands } = one(web());
      expect(commands).toEqual([]);
      expect(spec?.services[0]?.environment['DB_PASSWORD']).toBe(value);
    });

    it.each([
      ['a value of the settings', `settings: {env_set: {OWN: "<$(DB_PASSWORD)>"}}\n${web()}`],
      ['a value of a service', web('env_set: {OWN: "<$(DB_PASSWORD)>"}')],
      ['a value through another', web('env_set: {MID: "$(DB_PASSWORD)", OWN: "<$(MID)>"}')],
      ['a default', web('env_set: {OWN: "<$(NOTHING:-$(DB_PASSWORD))>"}')],
      ['a replacement', web('env_set: {OWN: "$(DB_PASSWORD:/^(?s)(.*)$/<\\\\1>/)"}')],
      ['what a replacement leaves', web('env_set: {OWN: "<$(DB_PASSWORD:/NOWHERE//)>"}')],
      ['a value that is known only at a start', web('env_set: {OWN: "$(_CHAP_SERVICE_SERIAL:+<$(DB_PASSWORD)>)"}')],
      ['its own name', web('env_set: {DB_PASSWORD: "<$(DB_PASSWORD)>"}')],
    ])('is data in %s', (_where, text) => {
      const { spec, commands, diagnostics } = one(text);
      expect(commands).toEqual([]);
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      const service = spec?.services[0];
      if (service === undefined) throw new Error('there is a service');
      const run = environmentOfRun(service, { _CHAP_SERVICE_SERIAL: '1' });
      expect(run['OWN'] ?? run['DB_PASSWORD']).toBe(`<${value}>`);
    });

    it('is data in a directive', () => {
      const { spec, commands } = one(web('directory: "/srv/$(DB_PASSWORD)"', 'command: "run \'$(DB_PASSWORD)\'"'));
      expect(commands).toEqual([]);
      expect(spec?.services[0]).toMatchObject({ argv: ['run', value], directory: `/srv/${value}` });
    });
  });

  it('warns once of inherited values that look as if they should be expanded, by their names', () => {
    const given = {
      PATH: '/bin',
      DB_PASSWORD: 'q`touch /x`w',
      OTHER: '$\u007bx}',
      DROPPED: '$(y)',
      'BASH_FUNC_f%%': '() { echo $\u007b1} }',
      _CHAP_OPTIONS: '$(z)',
    };
    const { diagnostics } = loadText(`settings: {env_unset: [DROPPED]}\n${web()}b.service: {command: x}\n`, {
      environment: given,
    });
    expect(diagnostics.map(({ severity, code, message }) => [severity, code, message])).toEqual([
      [
        'warning',
        'unexpanded-value',
        'the inherited variables DB_PASSWORD, OTHER hold $(…), $\u007b…} or backticks, which are passed on as they are',
      ],
    ]);
  });

  it('follows the account', () => {
    const settings = 'settings: {uid: joe, env_set: {GLOBAL: "$(HOME)"}}\n';
    expect(serviceOf(settings + web(), { environment: { HOME: '/root' } }).environment).toEqual({
      HOME: '/home/joe',
      USER: 'joe',
      LOGNAME: 'joe',
      GLOBAL: '/home/joe',
    });
    const own = serviceOf(settings + web('uid: www', 'env_set: {HOME: "$(HOME)/x"}')).environment;
    expect(own).toEqual({ HOME: '/var/www/x', USER: 'www', LOGNAME: 'www', GLOBAL: '/var/www/x' });
    const unnamed = serviceOf(settings + web('uid: 4242'), { environment: { USER: 'root' } }).environment;
    expect(unnamed).toEqual({ HOME: '/', GLOBAL: '/' });
  });

  it('asks for the commands in backticks, each once an account', () => {
    const text = `settings: {uid: www, env_set: {A: "\`date\`"}}
a.service: {command: "/bin/a \`date\` \`id -u\`"}
b.service: {command: /bin/b, uid: joe, env_set: {B: "\`id -u\`"}}
off.service: {command: x, enabled: "\`true\`"}
`;
    const { spec, commands } = loadText(text, { environment: { PS1: 'whoami' } });
    expect(spec).toBeUndefined();
    expect(commands.map(({ command, account }) => [command, account?.name])).toEqual([
      ['date', 'www'],
      ['id -u', 'www'],
      ['id -u', 'joe'],
      ['true', 'www'],
    ]);
    const outputs = new Map(commands.map(({ command, account }) => [commandKey(command, account), `<${command} >`]));
    const second = loadText(text, {
      environment: { PS1: 'whoami' },
      outputs: outputs.set(commandKey('true', commands[0]?.account), ''),
    });
    expect(second.commands).toEqual([]);
    expect(second.spec?.services).toMatchObject([
      // What a command gives is split into words, too.
      { argv: ['/bin/a', '<date', '>', '<id', '-u', '>'], environment: { A: '<date >', PS1: 'whoami' } },
      { environment: { A: '<date >', B: '<id -u >' } },
      { enabled: false },
    ]);
  });

  it('runs no command while there is a mistake', () => {
    expect(loadText('a.service: {command: "`x`", typ: simple}').commands).toEqual([]);
  });

  it('survives variables with the names of object properties', () => {
    expect(Object.entries(serviceOf(web('env_set: {constructor: a, hasOwnProperty: b}')).environment)).toEqual([
      ['constructor', 'a'],
      ['hasOwnProperty', 'b'],
    ]);
  });
});

describe('accounts', () => {
  const joe = { uid: 1000, gid: 100, groups: [100, 4], name: 'joe', home: '/home/joe' };

  it.each([
    ['', web('uid: joe'), joe],
    ['', web('uid: 1000'), joe],
    ['', web('uid: "$(WHO:-joe)"', 'gid: www'), { ...joe, gid: 33, groups: [33, 4] }],
    ['settings: {uid: joe}', web(), joe],
    ['settings: {uid: joe}', web('gid: www'), { ...joe, gid: 33, groups: [33, 4] }],
    ['settings: {uid: joe, gid: 33}', web('uid: root'), { uid: 0, gid: 0, groups: [0], name: 'root', home: '/root' }],
    ['', web('uid: 4242', 'gid: 7'), { uid: 4242, gid: 7, groups: [7] }],
    ['', web('uid: "$(NONE:-)"'), undefined],
  ])('%s %j', (settings, text, expected) => {
    expect(serviceOf(`${settings}\n${text}`).account).toEqual(expected);
  });

  it('disables an optional service without its account, and says which is missing', () => {
    const service = serviceOf(web('uid: mysql', 'optional: yes'));
    expect(service).toMatchObject({ enabled: false, missingAccount: 'mysql' });
    expect(service.account).toBeUndefined();
    expect(serviceOf(web('uid: "$(X:?need X)"', 'enabled: no'))).toMatchObject({ missingAccount: '$(X:?need X)' });
  });
});

describe('order', () => {
  const prerequisites = (...services: readonly string[]) => {
    const text = services.map((line) => line.replace(/^(\w+)/, '$1.service: {command: x').concat('}')).join('\n');
    const { services: specs } = specOf(text);
    return Object.fromEntries(specs.map((spec) => [spec.name[0], spec.prerequisites.map((name) => name[0]).join('')]));
  };

  it.each<[readonly string[], Record<string, string>]>([
    [['a', 'b, after: a.service'], { a: '', b: 'a' }],
    [['a, before: b.service', 'b'], { a: '', b: 'a' }],
    [['a', 'b, after: [a.service, x]', 'c, after: "b.service, a.service,"'], { a: '', b: 'a', c: 'ab' }],
    [
      ['a, service_groups: g', 'b, service_groups: "g,h"', 'c, after: g', 'd, after: h'],
      { a: '', b: '', c: 'ab', d: 'b' },
    ],
    [['a, service_groups: g, after: g', 'b, service_groups: g'], { a: 'b', b: '' }],
    [['a, before: g', 'b, service_groups: g', 'c, service_groups: g'], { a: '', b: 'a', c: 'a' }],
    [['a, service_groups: INIT', 'b', 'c, service_groups: IDLE'], { a: '', b: '', c: '' }],
    [
      ['a, service_groups: INIT', 'b, after: INIT', 'c, before: IDLE', 'd, service_groups: IDLE'],
      { a: '', b: '', c: '', d: '' },
    ],
    [['a, service_groups: INIT', 'b, service_groups: INIT, after: INIT'], { a: '', b: 'a' }],
    [['a, enabled: no', 'b, after: a.service'], { a: '', b: 'a' }],
    [['a, after: CONSOLE, before: CONSOLE'], { a: '' }],
    [['a, service_groups: "INIT,IDLE"'], { a: '' }],
  ])('%j', (services, expected) => {
    expect(prerequisites(...services)).toEqual(expected);
  });

  it('warns about a service nobody declares, and says nothing about a group', () => {
    const text = 'store.service: {command: x}\nweb.service: {command: x, after: "stor.service, nobody"}';
    expect(serviceOf(text, {}, 'web.service').prerequisites).toEqual([]);
    expect(warningsOf(text)).toBe(
      `chaperone: 1 warning about the configuration

chaperone.d/x.conf:2:35: after of web.service names "stor.service", which is not declared [unknown-service]
    2 | web.service: {command: x, after: "stor.service, nobody"}
      |                                   ^^^^^^^^^^^^ did you mean "store.service"?
`,
    );
  });

  it('says nothing about undeclared services where a file could not be read', () => {
    const { diagnostics } = loadFiles({
      '1.conf': 'a.service: {command: x, after: b.service}',
      '2.conf': 'b.service: {',
    });
    expect(diagnostics.map(({ severity }) => severity)).toEqual(['error']);
  });

  it('is quick for thousands of services in groups', () => {
    const half = (group: string) =>
      Array.from({ length: 5000 }, (_, index) => `s${group}${index}.service: {command: x, service_groups: ${group}}`);
    const { services } = specOf([...half('INIT'), ...half('IDLE')].join('\n'));
    expect(services).toHaveLength(10_000);
    expect(services.every((service) => service.prerequisites.length === 0)).toBe(true);
  });
});

describe('logging', () => {
  it.each([
    ['"*.*"', '*.*'],
    ['"*.warning"', '*.warning'],
    ['"*.ERR"', '*.ERR'],
    ['"*.$(LEVEL:-notice)"', '*.notice'],
    ['"$(NONE:-)"', '*.*'],
  ])('takes the selector %s', (text, expected) => {
    expect(specOf(`a.logging: {selector: ${text}}`).logging).toMatchObject([{ selector: expected }]);
  });

  it('keeps the selector of a disabled entry', () => {
    expect(specOf('a.logging: {selector: "kern.*;!*.err", enabled: no}').logging).toMatchObject([{ enabled: false }]);
  });
});
