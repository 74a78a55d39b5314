import { describe, expect, it } from 'vitest';
import type { ConsoleRequest } from '../../src/config/build-service.ts';
import type { LoadContext } from '../../src/config/load.ts';
import { buildDependencyGraph } from '../../src/model/order/dependency-graph.ts';
import type { ServiceSpec } from '../../src/model/service/service-spec.ts';
import { errorsOf, loadFiles, loadText, serviceOf, specOf, warningsOf } from './loading.ts';

/** What a command line without options makes of its command, without a terminal. */
function command(argv: readonly string[], more: Partial<ConsoleRequest> = {}): Partial<LoadContext> {
  return { console: { argv, exitKills: false, task: false, ...more } };
}

function consoleOf(text: string, argv: readonly string[], context: Partial<LoadContext> = {}): ServiceSpec {
  return serviceOf(text, { ...command(argv), ...context }, 'CONSOLE');
}

describe('the command on the command line', () => {
  it('becomes the service CONSOLE, with every default', () => {
    const { spec, diagnostics } = loadFiles({}, command(['/bin/run', 'a']));
    expect(diagnostics).toEqual([]);
    expect(spec?.services).toEqual([
      {
        name: 'CONSOLE',
        type: 'simple',
        command: '/bin/run a',
        argv: ['/bin/run', 'a'],
        enabled: true,
        prerequisites: [],
        groups: ['IDLE'],
        environment: {},
        stdin: 'inherit',
        stdout: 'inherit',
        stderr: 'inherit',
        killSignal: 'SIGTERM',
        ownGroup: true,
        exitKills: false,
        ignoreFailures: true,
        optional: false,
        processTimeout: 30_000,
        startupPause: 500,
        restart: false,
        restartDelay: 0,
        restartLimit: 0,
        onFailure: 'keep',
        remainAfterExit: false,
        killMode: 'group',
        debug: false,
      },
    ]);
  });

  it('is no service where there is no command', () => {
    expect(specOf('a.service: {command: x}').services.map(({ name }) => name)).toEqual(['a.service']);
  });

  it('comes after the services of the files', () => {
    const { services } = specOf('a.service: {command: x}\nb.service: {command: x}', command(['c']));
    expect(services.map(({ name }) => name)).toEqual(['a.service', 'b.service', 'CONSOLE']);
  });

  it('has the terminal where stdin is one, and is hung up', () => {
    const terminal = consoleOf('', ['sh'], { interactive: true });
    expect(terminal).toMatchObject({ stdin: 'terminal', stdout: 'inherit', stderr: 'inherit', killSignal: 'SIGHUP' });
    expect(terminal.ownGroup).toBe(true);
    expect(consoleOf('', ['sh'], { interactive: false })).toMatchObject({ stdin: 'inherit', killSignal: 'SIGTERM' });
  });

  it('is the only service with a stdin', () => {
    for (const interactive of [true, false]) {
      const { services } = specOf('a.service: {command: x, stdout: inherit}', { ...command(['c']), interactive });
      expect(services[0]?.stdin).toBe('null');
    }
  });

  it('ignores failures unless it is a task, whatever the settings say', () => {
    for (const setting of ['true', 'false']) {
      const text = `settings: {ignore_failures: ${setting}}`;
      expect(consoleOf(text, ['x']).ignoreFailures).toBe(true);
      expect(consoleOf(text, ['x'], command(['x'], { task: true })).ignoreFailures).toBe(false);
    }
  });

  it('has exit_kills where it was asked for', () => {
    for (const exitKills of [true, false]) {
      expect(consoleOf('', ['x'], command(['x'], { exitKills })).exitKills).toBe(exitKills);
    }
  });

  it('has the times of the settings', () => {
    const text = 'settings: {startup_pause: 0.25, process_timeout: 7}';
    expect(consoleOf(text, ['x'])).toMatchObject({ startupPause: 250, processTimeout: 7000 });
  });
});

describe('the words of the command', () => {
  const settings = 'settings: {env_set: {TWO: "a b", EMPTY: "", NUMBER: 080, NEST: "<$(TWO)>"}}';
  const argvOf = (...argv: readonly string[]): readonly string[] => consoleOf(settings, argv).argv;

  it('are expanded one by one: what a variable holds stays one word', () => {
    expect(argvOf('echo', '$(TWO)', `-$(TWO)-\${NUMBER}`, '$(NEST)')).toEqual(['echo', 'a b', '-a b-080', '<a b>']);
    expect(consoleOf(settings, ['echo', '$(TWO)', 'c']).command).toBe('echo a b c');
  });

  it('are not split or unquoted', () => {
    const words = ['sh', '-c', `echo "a  b" 'c' \\d; exit`, ' ', '*', '~', '~/x', '#'];
    expect(argvOf(...words)).toEqual(words);
  });

  it('stay where they become empty', () => {
    expect(argvOf('printf', '$(EMPTY)', '', '$(TWO:_x)', 'z')).toEqual(['printf', '', '', '', 'z']);
  });

  it('know every form, the internal variables too', () => {
    expect(
      argvOf('x', '$(NONE:-d e)', '$(TWO:+yes)', '$(TWO:|a*|is|is not)', '$(TWO:/[ab]/_/)', '$(_CHAP_SERVICE)'),
    ).toEqual(['x', 'd e', 'yes', 'is', '_ _', 'CONSOLE']);
    expect(argvOf('$(_CHAP_INTERACTIVE)', '$(_CHAP_SERVICE_SERIAL)')).toEqual(['0', '$(_CHAP_SERVICE_SERIAL)']);
    expect(consoleOf('', ['$(_CHAP_INTERACTIVE)'], { interactive: true }).argv).toEqual(['1']);
  });

  it('leave to a shell what is its own', () => {
    const words = ['sh', '-c', `for f in "$@"; do echo $f $? $(date) $((1 + 2)) \${#f}; done`, '$1', '$HOME'];
    expect(argvOf(...words)).toEqual(words);
    expect(argvOf('\\$(TWO)')).toEqual(['$(TWO)']);
  });

  it('see what was inherited, and what the settings make of it', () => {
    const text = 'settings: {env_set: {PATH: "/opt:$(PATH)", WHO: "$(_CHAP_SERVICE)"}}';
    const environment = { PATH: '/bin', OTHER: 'o', _HIDDEN: 'h' };
    const service = consoleOf(text, ['$(PATH)', '$(OTHER)', '$(_HIDDEN)', '$(WHO)'], { environment });
    expect(service.argv).toEqual(['/opt:/bin', 'o', 'h', 'CONSOLE']);
    expect(service.environment).toEqual({ PATH: '/opt:/bin', OTHER: 'o', _HIDDEN: 'h', WHO: 'CONSOLE' });
  });

  it('report what cannot be expanded', () => {
    expect(errorsOf('', command(['x', '$(NONE:?who are you)']))).toBe(
      'chaperone: 1 mistake in the configuration, nothing was started\n\n' +
        'cannot expand "$(NONE:?who are you)" in the command of CONSOLE: who are you [required-variable]\n',
    );
    const { spec } = loadText('', command(['$(NONE:?)', '$(NONE:?)']));
    expect(spec).toBeUndefined();
  });
});

describe('the account of the command', () => {
  it('is that of the settings, with HOME, USER and LOGNAME', () => {
    const service = consoleOf('settings: {uid: joe}', ['echo', '$(HOME)'], { environment: { HOME: '/root' } });
    expect(service.account).toEqual({ uid: 1000, gid: 100, groups: [100, 4], name: 'joe', home: '/home/joe' });
    expect(service.argv).toEqual(['echo', '/home/joe']);
    expect(service.environment).toEqual({ HOME: '/home/joe', USER: 'joe', LOGNAME: 'joe' });
    expect(service.directory).toBeUndefined();
  });

  it('has the group of the settings', () => {
    expect(consoleOf('settings: {uid: joe, gid: www}', ['x']).account).toMatchObject({ uid: 1000, gid: 33 });
  });

  it('is chaperone’s own where the settings name none, whatever the services say', () => {
    expect(consoleOf('a.service: {command: x, uid: joe}', ['x']).account).toBeUndefined();
  });

  it('is a mistake where it does not exist', () => {
    expect(loadText('settings: {uid: nobody-here}', command(['x'])).spec).toBeUndefined();
  });
});

describe('the order with a command', () => {
  const idle = 'service_groups: IDLE';

  it('lets it start after all that is not idle, and with what is', () => {
    const text = `a.service: {command: x}\nb.service: {command: x, ${idle}}\nc.service: {command: x, service_groups: INIT}`;
    const { services } = specOf(text, command(['x']));
    expect(services.at(-1)?.prerequisites).toEqual([]);
    const { nodes } = buildDependencyGraph(services);
    expect(nodes['CONSOLE']?.stage).toBe(2);
    expect(nodes['b.service']?.stage).toBe(2);
  });

  it('lets an idle service go before it', () => {
    const { services } = specOf(`a.service: {command: x, ${idle}, before: CONSOLE}`, command(['x']));
    expect(services.at(-1)?.prerequisites).toEqual(['a.service']);
  });

  it('lets an idle service wait for it', () => {
    const { services } = specOf(`a.service: {command: x, ${idle}, after: CONSOLE}`, command(['x']));
    expect(services[0]?.prerequisites).toEqual(['CONSOLE']);
    expect(services.at(-1)?.prerequisites).toEqual([]);
  });

  it('counts the command among IDLE for who is before IDLE', () => {
    const { services } = specOf(`a.service: {command: x, ${idle}, before: IDLE}`, command(['x']));
    expect(services.at(-1)?.prerequisites).toEqual(['a.service']);
  });

  it.each([
    'a.service: {command: x, after: CONSOLE}',
    'a.service: {command: x, before: CONSOLE}',
    `a.service: {command: x, ${idle}, after: CONSOLE}`,
    `a.service: {command: x, ${idle}, before: CONSOLE}`,
  ])('is no matter without a command: %s', (text) => {
    expect(specOf(text).services.map(({ prerequisites }) => prerequisites)).toEqual([[]]);
    expect(warningsOf(text)).toBe('');
  });

  it('is a mistake where a service that is not idle waits for it', () => {
    expect(errorsOf('a.service: {command: x, after: CONSOLE}', command(['x']))).toContain(
      [
        'chaperone: 1 mistake in the configuration, nothing was started',
        '',
        'chaperone.d/x.conf:1:32: a.service waits for itself: a → CONSOLE → a [dependency-cycle]',
        '    1 | a.service: {command: x, after: CONSOLE}',
        '      |                                ^^^^^^^',
        '',
      ].join('\n'),
    );
  });

  it('names no place for what no file says', () => {
    // "CONSOLE says … at :1:1" would name a file that there is not.
    expect(errorsOf('a.service: {command: x, after: CONSOLE}', command(['x']))).not.toContain(' at :');
  });

  it('is a mistake where idle services make a circle with it', () => {
    const text = `a.service: {command: x, ${idle}, after: CONSOLE, before: CONSOLE}`;
    expect(errorsOf(text, command(['x']))).toContain('waits for itself: CONSOLE → a → CONSOLE');
  });

  it('has no name that a file could take', () => {
    expect(errorsOf('CONSOLE.service: {command: x}', command(['x']))).toContain('CONSOLE');
    expect(loadText('CONSOLE: {command: x}', command(['x'])).spec).toBeUndefined();
  });
});
