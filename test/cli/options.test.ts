import { describe, expect, it } from 'vitest';
import { helpText, type Invocation, parseOptions } from '../../src/cli/options.ts';

type Run = Extract<Invocation, { kind: 'run' }>;

const defaults: Run = {
  kind: 'run',
  configPath: '/etc/chaperone.d',
  inspect: false,
  command: [],
  exitKills: undefined,
  task: false,
  disableServices: false,
  consoleLog: true,
};
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
    ['--inspect', { inspect: true }],
    ['--inspect=terminal', { inspect: true }],
    ['--inspect terminal', { inspect: true, command: ['terminal'] }],
    ['--force', {}],
    ['--force --force', {}],
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
    ['--inspect ls --task --help', ['ls', '--task', '--help'], { inspect: true }],
    ['ls -- -l', ['ls', '--', '-l'], {}],
    ['-- ls', ['ls'], {}],
    ['-- --help', ['--help'], {}],
    ['-- --', ['--'], {}],
    ['--', [], {}],
    ['--inspect -- --inspect=nowhere', ['--inspect=nowhere'], { inspect: true }],
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

  it.each<[string, Partial<Run>]>([
    ['--c /x', { configPath: '/x' }],
    ['--conf=/x', { configPath: '/x' }],
    ['--ins', { inspect: true }],
    ['--i=terminal', { inspect: true }],
    ['--fo', {}],
    ['--e', { exitKills: true }],
    ['--no-e', { exitKills: false }],
    ['--no-c', { consoleLog: false }],
    ['--d ls', { disableServices: true, command: ['ls'] }],
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
    ['--no', '"--no" may be --no-console-log or --no-exitkills'],
    ['--no-', '"--no-" may be --no-console-log or --no-exitkills'],
    ['--n=1', '"--n" may be --no-console-log or --no-exitkills'],
    ['--frob', 'unknown option "--frob"'],
    ['--frob=1 ls', 'unknown option "--frob"'],
    ['--configs', 'unknown option "--configs"'],
    ['--Config', 'unknown option "--Config"'],
    ['--constructor', 'unknown option "--constructor"'],
    ['--__proto__', 'unknown option "--__proto__"'],
    ['---', 'unknown option "---"'],
    ['---config', 'unknown option "---config"'],
    ['--=x', 'unknown option "--=x"'],
    ['-h', 'unknown option "-h"'],
    ['-config', 'unknown option "-config"'],
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
    ['--i=x=y', 'x=y'],
    ['--inspect=file ls', 'file'],
    ['--inspect=terminal --inspect=file', 'file'],
    ['--inspect --inspect=file', 'file'],
  ])('%j inspects to nowhere', (line, kind) => {
    expect(mistakeOf(line)).toBe(`cannot inspect to "${kind}": expected --inspect or --inspect=terminal`);
  });

  it.each([
    'disable-services',
    'exitkills',
    'force',
    'help',
    'no-console-log',
    'no-exitkills',
    'task',
    'version',
  ])('is a value for --%s', (name) => {
    for (const value of ['1', 'true', 'false', '']) {
      expect(mistakeOf([`--${name}=${value}`, 'ls'])).toMatch(
        new RegExp(`^Option '--${name}' does not take an argument$`),
      );
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
    expect(lines.length).toBeLessThanOrEqual(40);
    expect(helpText.endsWith('\n')).toBe(true);
    expect(lines.filter((line) => /\s$/.test(line))).toEqual([]);
    expect(helpText).not.toMatch(/[^\n -~]/);
  });

  it('names every option that there is, and no other', () => {
    const named = [...helpText.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name ?? '');
    expect(new Set(named).size).toBe(named.length);
    expect([...named].sort()).toEqual(
      [
        '--config',
        '--disable-services',
        '--exitkills',
        '--force',
        '--help',
        '--inspect',
        '--no-console-log',
        '--no-exitkills',
        '--task',
        '--version',
      ].sort(),
    );
    for (const name of named) {
      const invocation = parseOptions([name === '--config' ? '--config=/x' : name, 'ls']);
      expect([name, invocation.kind]).not.toEqual([name, 'mistake']);
    }
  });
});
