import { describe, expect, it } from 'vitest';
import { chaperone, type Invocation, parseOptions } from '../../../src/cli/chaperone/options.ts';
import { helpText as renderHelp } from '../../../src/cli/command-help.ts';

const helpText = renderHelp('chaperone', chaperone);

type Run = Extract<Invocation, { kind: 'run' }>;

const defaults: Run = {
  kind: 'run',
  configPath: '/etc/chaperone.d',
  inspect: [],
  inspectReveal: false,
  command: [],
  exitKills: undefined,
  task: false,
  disableServices: false,
  consoleLog: true,
  ignoreFailures: false,
  debug: false,
  syslog: true,
  showDependencies: false,
  mode: { interactive: false, safe: false },
};
const terminal = [{ kind: 'terminal', services: [] }] as const;
const task = { task: true, disableServices: true, consoleLog: false, exitKills: true } as const;

/** Words as a shell splits them where nothing is quoted. */
function words(line: string): readonly string[] {
  return line.split(' ').filter((word) => word !== '');
}

function mistakeOf(given: string | readonly string[]): string {
  const invocation = parseOptions(typeof given === 'string' ? words(given) : given);
  if (invocation.kind !== 'mistake') throw new Error(`${given} is no mistake: ${JSON.stringify(invocation)}`);
  const lines = invocation.message.split('\n');
  expect(lines.at(-1)).toBe('try "chaperone --help"');
  expect(lines).toHaveLength(2);
  return lines[0] ?? '';
}

describe('a command line', () => {
  it.each<[string, Partial<Run>]>([
    ['', {}],
    ['--config /etc/app', { configPath: '/etc/app' }],
    ['--config=/etc/app', { configPath: '/etc/app' }],
    ['--config=a=b', { configPath: 'a=b' }],
    ['--config a --config=b', { configPath: 'b' }],
    // As getopt_long(3) has it: the value is the next word, whatever it looks like.
    ['--config --task', { configPath: '--task' }],
    ['--config -- ls', { configPath: '--', command: ['ls'] }],
    ['--inspect', { inspect: terminal }],
    ['--inspect=terminal', { inspect: terminal }],
    ['--inspect terminal', { inspect: terminal, command: ['terminal'] }],
    ['--inspect --inspect=terminal', { inspect: terminal }],
    ['--inspect --inspect=ws:9000', { inspect: [...terminal, { kind: 'ws', port: 9_000 }] }],
    ['--force', {}],
    ['--force --force', {}],
    ['--user joe', { user: 'joe' }],
    ['--user=0 ls', { user: '0', command: ['ls'] }],
    ['--create-user joe:1000:users', { createUser: { name: 'joe', uid: 1000, gid: 'users' } }],
    ['--create-user joe --default-home /srv', { createUser: { name: 'joe', defaultHome: '/srv' } }],
    ['--ignore-failures', { ignoreFailures: true }],
    ['--debug', { debug: true, logLevel: 'debug' }],
    ['--debug --log-level err', { debug: true, logLevel: 'err' }],
    ['--log-level warn', { logLevel: 'warning' }],
    ['--log-level *.Info', { logLevel: 'info' }],
    ['--no-syslog', { syslog: false }],
    ['--no-defaults', {}],
    ['--show-dependencies', { showDependencies: true }],
    ['--no-console-log', { consoleLog: false }],
    ['--exitkills', { exitKills: true }],
    ['--no-exitkills', { exitKills: false }],
    ['--exitkills --no-exitkills', { exitKills: true }],
    ['--no-exitkills --exitkills', { exitKills: true }],
    ['--disable-services ls', { disableServices: true, command: ['ls'] }],
    ['--task ls', { ...task, command: ['ls'] }],
    ['--task --no-exitkills ls', { ...task, command: ['ls'] }],
  ])('%j', (line, expected) => {
    expect(parseOptions(words(line))).toEqual({ ...defaults, ...expected });
  });

  it.each<[string, readonly string[], Partial<Run>]>([
    ['ls', ['ls'], {}],
    ['ls --inspect', ['ls', '--inspect'], {}],
    ['--inspect ls --task --help', ['ls', '--task', '--help'], { inspect: terminal }],
    ['ls -- -l', ['ls', '--', '-l'], {}],
    ['-- ls', ['ls'], {}],
    ['-- --help', ['--help'], {}],
    ['-- --', ['--'], {}],
    ['--', [], {}],
    ['--inspect -- --inspect=nowhere', ['--inspect=nowhere'], { inspect: terminal }],
    // One dash is a word like any other.
    ['-', ['-'], {}],
    ['- --task', ['-', '--task'], {}],
    ['--no-exitkills bash -i', ['bash', '-i'], { exitKills: false }],
  ])('%j ends its options at the first word that is none', (line, command, options) => {
    expect(parseOptions(words(line))).toEqual({ ...defaults, ...options, command });
  });

  it('leaves the words of the command as they are', () => {
    const command = ['sh', '-c', 'a b\n$(c)', '', ' ', '--config'];
    expect(parseOptions(['--', ...command])).toEqual({ ...defaults, command });
    expect(parseOptions(['--force', ...command])).toEqual({ ...defaults, command });
    expect(parseOptions(['', 'x'])).toEqual({ ...defaults, command: ['', 'x'] });
    expect(parseOptions(['--config', 'with blank\nand line', 'ls'])).toEqual({
      ...defaults,
      configPath: 'with blank\nand line',
      command: ['ls'],
    });
  });

  it.each<[readonly string[], NodeJS.ProcessEnv, Run['mode']]>([
    [['--interactive'], {}, { interactive: true, safe: false }],
    [['--safemode', '--interactive'], {}, { interactive: true, safe: true }],
    [[], { SAFEMODE: 'True' }, { interactive: false, safe: true }],
    [[], { INTERACTIVE: 'yes', SAFEMODE: 'False' }, { interactive: true, safe: false }],
    [['--safemode'], { SAFEMODE: 'False' }, { interactive: false, safe: true }],
    [[], { INTERACTIVE: '', SAFEMODE: 'perhaps' }, { interactive: false, safe: false }],
  ])('%j with %j asks for the mode', (words, environment, mode) => {
    expect(parseOptions(words, environment)).toEqual({ ...defaults, mode });
  });

  it.each<[string, Partial<Run>]>([
    ['--co /x', { configPath: '/x' }],
    ['--conf=/x', { configPath: '/x' }],
    ['--i', { ignoreFailures: true }],
    ['--ig', { ignoreFailures: true }],
    ['--ins', { inspect: terminal }],
    ['--ins=terminal', { inspect: terminal }],
    ['--fo', {}],
    ['--e', { exitKills: true }],
    ['--no-e', { exitKills: false }],
    ['--no-c', { consoleLog: false }],
    ['--di ls', { disableServices: true, command: ['ls'] }],
    ['--s', { showDependencies: true }],
    ['--u joe', { user: 'joe' }],
    ['--cr joe', { createUser: { name: 'joe' } }],
    ['--l err', { logLevel: 'err' }],
    ['--t ls', { ...task, command: ['ls'] }],
  ])('%j is short for an option', (line, expected) => {
    expect(parseOptions(words(line))).toEqual({ ...defaults, ...expected });
  });

  it.each([
    '--help',
    '--h',
    '--inspect --help',
    '--help --version',
    '--help ls',
    '--task --help',
  ])('%j asks for help', (line) => {
    expect(parseOptions(words(line))).toEqual({ kind: 'help' });
  });

  it.each(['--version', '--v', '--disable-services --version', '--version ls'])('%j asks for the version', (line) => {
    expect(parseOptions(words(line))).toEqual({ kind: 'version' });
  });
});

describe('a mistake on the command line', () => {
  it.each([
    ['--no', '"--no" may be --no-console-log or --no-defaults or --no-exitkills or --no-syslog'],
    ['--no-', '"--no-" may be --no-console-log or --no-defaults or --no-exitkills or --no-syslog'],
    ['--n=1', '"--n" may be --no-console-log or --no-defaults or --no-exitkills or --no-syslog'],
    ['--c /x', '"--c" may be --config or --create-user'],
    ['--frob', 'unknown option "--frob"'],
    ['--frob=1 ls', 'unknown option "--frob"'],
    ['--configs', 'unknown option "--configs": did you mean "--config"?'],
    ['--Config', 'unknown option "--Config": did you mean "--config"?'],
    ['--constructor', 'unknown option "--constructor"'],
    ['--__proto__', 'unknown option "--__proto__"'],
    ['---', 'unknown option "---"'],
    ['---config', 'unknown option "---config": did you mean "--config"?'],
    ['--=x', 'unknown option "--=x"'],
    ['-h', 'unknown option "-h"'],
    ['-config', 'unknown option "-config": did you mean "--config"?'],
    ['--help -x', 'unknown option "-x"'],
  ])('%j is unknown or not clear', (line, message) => {
    expect(mistakeOf(line)).toBe(message);
  });

  it.each([
    ['--config'],
    ['--config='],
    ['--config', ''],
    ['--conf'],
    ['--force', '--config'],
  ])('is a --config without a path: %j %j', (...given) => {
    expect(mistakeOf(given)).toBe('--config needs a path');
  });

  it.each(['--task', '--disable-services', '--t', '--task --', '--task --exitkills'])('%j needs a command', (line) => {
    expect(mistakeOf(line)).toBe(`${line.startsWith('--d') ? '--disable-services' : '--task'} needs a command to run`);
  });

  it.each([
    ['--inspect=', ''],
    ['--inspect=file', 'file'],
    ['--inspect=Terminal', 'Terminal'],
    ['--ins=x=y', 'x=y'],
    ['--inspect=file ls', 'file'],
    ['--inspect=terminal --inspect=file', 'file'],
    ['--inspect --inspect=file', 'file'],
    ['--inspect=terminal,file', 'file'],
  ])('%j inspects to nowhere', (line, kind) => {
    expect(mistakeOf(line)).toBe(
      `cannot inspect to "${kind}": expected terminal[:SERVICE,…], json[:SERVICE,…], journal:FILE, ws[:[ADDRESS:]PORT], web[:[ADDRESS:]PORT][,act]`,
    );
  });

  it.each([
    'debug',
    'disable-services',
    'exitkills',
    'force',
    'ignore-failures',
    'no-defaults',
    'no-syslog',
    'show-dependencies',
    'help',
    'no-console-log',
    'no-exitkills',
    'task',
    'version',
  ])('is a value for --%s', (name) => {
    for (const value of ['1', 'true', 'false', '']) {
      expect(mistakeOf([`--${name}=${value}`, 'ls'])).toBe(`--${name} takes no value`);
    }
  });

  it('is quoted in one line, whatever it holds', () => {
    expect(mistakeOf(['--fro\nb'])).not.toContain('\n');
    expect(mistakeOf(['--inspect=a\nb'])).not.toContain('\n');
  });
});

describe('the help', () => {
  const lines = helpText.replace(/\n$/, '').split('\n');

  it('fits a terminal of 80 columns, and one screen', () => {
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(24);
    expect(helpText.endsWith('\n')).toBe(true);
    expect(lines.filter((line) => /\s$/.test(line))).toEqual([]);
    expect(helpText).not.toMatch(/[^\n -~]/);
  });

  it('names every option that there is, and no other', () => {
    const named = [...new Set([...helpText.matchAll(/--[a-z-]+/g)].map(([name]) => name))];
    const values = new Map([
      ['--config', '/x'],
      ['--user', 'joe'],
      ['--create-user', 'joe'],
      ['--default-home', '/x'],
      ['--log-level', 'info'],
    ]);
    for (const name of named) {
      const value = values.get(name);
      expect(parseOptions([value === undefined ? name : `${name}=${value}`, 'ls']).kind).not.toBe('mistake');
    }
    expect([...named].sort()).toEqual([...new Set(chaperone.options.map(({ name }) => `--${name}`))].sort());
  });
});

describe('_CHAP_OPTIONS', () => {
  const run = (line: string, options: string): Invocation => parseOptions(words(line), { _CHAP_OPTIONS: options });

  it.each<[string, string, Partial<Run>]>([
    ['', '--config /x', { configPath: '/x' }],
    ['--config /y', '--config /x', { configPath: '/y' }],
    ['', '--no-syslog ls -l', { syslog: false, command: ['ls', '-l'] }],
    ['id', '--user joe ls -l', { user: 'joe', command: ['id'] }],
    ['', "sh -c 'echo $(X) two'", { command: ['sh', '-c', 'echo $(X) two'] }],
    ['ls', '--task', { ...task, command: ['ls'] }],
    ['--exitkills', '--no-exitkills', { exitKills: true }],
    ['--no-exitkills', '--exitkills', { exitKills: true }],
    ['--user joe', '--create-user ann', { user: 'joe', createUser: { name: 'ann' } }],
    ['--default-home /srv', '--create-user ann', { createUser: { name: 'ann', defaultHome: '/srv' } }],
    ['--no-defaults', '--config /x --nonsense ls', {}],
    ['--inspect', '', { inspect: terminal }],
    ['', '--inspect=ws', { inspect: [{ kind: 'ws' }] }],
    ['--inspect', '--inspect=ws', { inspect: terminal }],
    ['', '   ', {}],
  ])('%j with %j', (line, options, expected) => {
    expect(run(line, options)).toEqual({ ...defaults, ...expected });
  });

  it.each([
    ['--nonsense', 'in _CHAP_OPTIONS: unknown option "--nonsense"'],
    ["ls 'x", "in _CHAP_OPTIONS: a quote is never closed (')"],
    ['--config', 'in _CHAP_OPTIONS: --config needs a path'],
  ])('may be mistaken: %j', (options, message) => {
    expect(run('', options)).toMatchObject({ kind: 'mistake', message: expect.stringContaining(message) });
  });
});

describe('values', () => {
  it.each([
    [
      '--log-level loud',
      'cannot log from "loud" on: expected a priority: debug, info, notice, warning, err, crit, alert, emerg',
    ],
    ['--log-level', '--log-level needs a priority: debug, info, notice, warning, err, crit, alert, emerg'],
    ['--user=', '--user needs a user'],
    ['--create-user 9x', 'cannot create the user "9x"'],
    ['--create-user joe:-1', 'the UID "-1" is no number from 0 to 4294967294'],
    ['--create-user joe --default-home x', 'expected an absolute path'],
  ])('%j is wrong', (line, message) => {
    expect(mistakeOf(line)).toContain(message);
  });
});
