import { describe, expect, it } from 'vitest';
import { givenBy, parseOptions } from '../../../src/model/words/option-parser.ts';
import { choice, count, flag, type Parameter, seconds, value, values } from '../../../src/model/words/parameter.ts';

const follow = flag('follow', 'go on', { short: 'f' });
const verbose = flag('verbose', 'tell', { short: 'v' });
const lines = count('lines', 'N', 'how many', { short: 'n' });
const timeout = seconds('timeout', 'SECONDS', 'how long');
const time = values('time', 'NAME=TIME', 'how long each');
const goal = choice('for', 'STATE', 'what', ['ready', 'stopped', 'failed']);
const path = value('path', 'PATH', 'where', { expects: 'a path' });
const inspect = { ...value('inspect', 'KIND', 'watch'), takes: 'attached' as const, bare: 'terminal' };
const reveal = flag('inspect-reveal', 'show more');
const drain = flag('drain', 'let it finish', { added: true });
const drop = flag('drop', 'let it go', { added: true });
const debug = flag('debug', 'say more');
const dry = flag('dry', 'do nothing');
const all: readonly Parameter<unknown>[] = [follow, verbose, lines, timeout, time, goal, path, inspect, reveal];
const later: readonly Parameter<unknown>[] = [drain, drop, debug];

function read(line: string, settings = {}, parameters = all) {
  const parsed = parseOptions(line === '' ? [] : line.split(' '), parameters, settings);
  if (parsed.kind === 'mistake') return parsed.message;
  const given = givenBy(parsed.texts);
  const found = Object.fromEntries(
    parameters.filter((parameter) => given.has(parameter)).map((parameter) => [parameter.name, given.get(parameter)]),
  );
  return { ...found, words: parsed.words };
}

describe('options that the original does not have', () => {
  it('leave the prefixes of those that it has as they were', () => {
    expect(read('--d', {}, later)).toEqual({ debug: true, words: [] });
    expect(read('--d', {}, [...later, dry])).toBe('"--d" may be --debug or --drain or --drop or --dry');
    expect(read('--dr', {}, [...later, dry])).toEqual({ dry: true, words: [] });
  });

  it('have prefixes of their own', () => {
    expect(read('--dr', {}, later)).toBe('"--dr" may be --drain or --drop');
    expect(read('--dra --drop', {}, later)).toEqual({ drain: true, drop: true, words: [] });
  });
});

describe('a command line', () => {
  it.each<[string, object]>([
    ['', { words: [] }],
    ['a --follow b', { follow: true, words: ['a', 'b'] }],
    ['--lines 5 --timeout=.5', { lines: 5, timeout: 500, words: [] }],
    ['-f -n 5', { follow: true, lines: 5, words: [] }],
    ['-n5 a', { lines: 5, words: ['a'] }],
    ['-fvn 5', { follow: true, verbose: true, lines: 5, words: [] }],
    ['-fn5', { follow: true, lines: 5, words: [] }],
    ['--fol --li=3', { follow: true, lines: 3, words: [] }],
    // What begins all the others is meant by itself.
    ['--ti 1', { time: ['1'], words: [] }],
    ['--in', { inspect: 'terminal', words: [] }],
    ['--inspect web', { inspect: 'terminal', words: ['web'] }],
    ['--inspect=web --inspect-r', { inspect: 'web', 'inspect-reveal': true, words: [] }],
    ['--time a=1 --time b=2', { time: ['a=1', 'b=2'], words: [] }],
    ['--path --follow', { path: '--follow', words: [] }],
    ['--path -- a', { path: '--', words: ['a'] }],
    ['--path=a=b', { path: 'a=b', words: [] }],
    ['--path a --path b', { path: 'b', words: [] }],
    ['a -- --follow -x --', { words: ['a', '--follow', '-x', '--'] }],
    ['-', { words: ['-'] }],
  ])('%j', (line, expected) => {
    expect(read(line)).toEqual(expected);
  });

  it.each<[string, object]>([
    ['--follow ls --follow', { follow: true, words: ['ls', '--follow'] }],
    ['--lines 3 -- --follow', { lines: 3, words: ['--follow'] }],
    ['ls -- -l', { words: ['ls', '--', '-l'] }],
    ['- -f', { words: ['-', '-f'] }],
  ])('%j ends its options at the first word that is none, where they shall', (line, expected) => {
    expect(read(line, { untilWord: true })).toEqual(expected);
  });

  it.each([
    ['--frob', 'unknown option "--frob"'],
    ['--folow', 'unknown option "--folow": did you mean "--follow"?'],
    ['--Lines=3', 'unknown option "--Lines": did you mean "--lines"?'],
    ['-lines', 'unknown option "-lines": did you mean "--lines"?'],
    ['---lines', 'unknown option "---lines": did you mean "--lines"?'],
    ['--constructor', 'unknown option "--constructor"'],
    ['--=x', 'unknown option "--=x"'],
    ['-x', 'unknown option "-x"'],
    ['-fx', 'unknown option "-x"'],
    ['-5', 'unknown option "-5"'],
    ['--f', '"--f" may be --follow or --for'],
    ['--follow=yes', '--follow takes no value'],
    ['--follow=', '--follow takes no value'],
    ['--lines', '--lines needs a number'],
    ['--lines=', '--lines needs a number'],
    ['-n', '--lines needs a number'],
    ['--lines x', '--lines needs a number, not "x"'],
    ['-nx', '--lines needs a number, not "x"'],
    ['--timeout -1', '--timeout needs a number of seconds, not "-1"'],
    ['--timeout 1e9', '--timeout needs a number of seconds, not "1e9"'],
    ['--for', '--for needs ready, stopped or failed'],
    ['--for happy', '--for takes ready, stopped or failed, not "happy"'],
    ['--path=', '--path needs a path'],
    ['--inspect=', '--inspect needs a value'],
    ['--fo\u001b[2J', 'unknown option "--fo\\x1b[2J"'],
  ])('%j is a mistake', (line, message) => {
    expect(read(line)).toBe(message);
  });

  it('can be passed on without what was for this program', () => {
    const parsed = parseOptions(['stop', '--lines', '3', 'a', '-f', '--', '--lines', '3'], all);
    expect(parsed.kind === 'options' && parsed.without(lines)).toEqual(['stop', 'a', '-f', '--', '--lines', '3']);
  });

  it('leaves what is not given as it is when nobody says anything', () => {
    const given = givenBy(new Map());
    expect([given.get(follow), given.get(lines), given.get(time), given.has(follow)]).toEqual([
      false,
      undefined,
      [],
      false,
    ]);
  });
});
