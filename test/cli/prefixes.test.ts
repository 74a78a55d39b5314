import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { optionsOf } from '../../src/cli/command-help.ts';
import { programs } from '../../src/cli/programs.ts';
import { parseOptions } from '../../src/model/words/option-parser.ts';
import { inDist } from '../dist.ts';

const dist = inDist();

/** What the original takes: each program or command with its long options. */
const originals: readonly (readonly [string, readonly string[]])[] = [
  [
    'chaperone',
    [
      ...['config', 'user', 'create-user', 'default-home', 'exitkills', 'no-exitkills', 'ignore-failures', 'log-level'],
      ...[
        'no-console-log',
        'debug',
        'force',
        'disable-services',
        'no-defaults',
        'version',
        'show-dependencies',
        'task',
      ],
      'help',
    ],
  ],
  ['envcp', ['strip', 'overwrite', 'verbose', 'archive', 'shell-enable', 'xprefix', 'xgrouping', 'help']],
  ['sdnotify', ['pid', 'status', 'ready', 'booted', 'ignore', 'help']],
  ['sdnotify-exec', ['noproxy', 'wait-ready', 'wait-stop', 'timeout', 'socket', 'template', 'verbose', 'help']],
  ['telchap stop', ['force', 'wait', 'disable']],
  ['telchap start', ['force', 'wait', 'enable']],
  ['telchap reset', ['force', 'wait']],
];

function optionsFor(title: string) {
  const [name, verb] = title.split(' ');
  const program = programs.find((each) => each.name === name);
  const command = verb === undefined ? program : program?.verbs.find((each) => each.name === verb);
  if (command === undefined) throw new Error(`there is no ${title}`);
  return optionsOf(command);
}

/** Every beginning of these words, the words themselves too. */
const beginnings = (words: readonly string[]): readonly string[] => [
  ...new Set(words.flatMap((word) => [...word].map((_, index) => word.slice(0, index + 1)))),
];

describe.each(originals)('%s', (title, names) => {
  const options = optionsFor(title);

  it.each(
    beginnings(names),
  )('--%s is the one option of the original that begins so, or a mistake that names them', (prefix) => {
    const meant = names.includes(prefix) ? [prefix] : names.filter((name) => name.startsWith(prefix));
    const parsed = parseOptions([`--${prefix}`], options);
    if (meant.length > 1) {
      const message = parsed.kind === 'mistake' ? parsed.message : '';
      expect(message).toMatch(/^"--.*" may be --/);
      for (const name of meant) expect(message).toContain(`--${name}`);
      return;
    }
    const [name = ''] = meant;
    if (parsed.kind === 'mistake') expect(parsed.message).toMatch(new RegExp(`^--${name} needs `));
    else expect([...parsed.texts.keys()]).toEqual([name]);
  });
});

describe('the built program', () => {
  const run = (name: string, words: readonly string[], input = '') => {
    const { status, stdout, stderr } = spawnSync(join(dist, name), words, {
      env: { PATH: process.env['PATH'], WHO: 'you' },
      input,
      encoding: 'utf8',
    });
    return [status, stdout, stderr];
  };

  it('envcp takes the line of the base image', () => {
    const template = 'for %(WHO) %{WHO} %(`echo now`)\n';
    expect(run('envcp', ['--xpre', '%', '--xgroup', '(', '--shell', '-'], template)).toEqual([
      0,
      'for you %{WHO} now\n',
      '',
    ]);
    expect(run('envcp', ['--xgroup=(', '--shell', '-'], '$(WHO) $(`echo now`)')).toEqual([0, 'you now', '']);
  });

  it('says which options a beginning may mean', () => {
    expect(run('envcp', ['--x', '(', '-'])).toEqual([
      2,
      '',
      'envcp: "--x" may be --xgrouping or --xprefix\ntry "envcp --help"\n',
    ]);
    expect(run('chaperone', ['--no-', 'true'])).toEqual([
      2,
      '',
      expect.stringContaining('"--no-" may be --no-console-log or'),
    ]);
    expect(run('sdnotify-exec', ['--wait-', 'true'])).toEqual([
      2,
      '',
      expect.stringContaining('"--wait-" may be --wait-ready or --wait-stop'),
    ]);
  });

  it.each(beginnings(['ready', 'booted', 'ignore', 'status', 'pid']))('sdnotify takes --%s', (prefix) => {
    const value = prefix.startsWith('s') ? ['hello'] : prefix.startsWith('p') ? ['self'] : [];
    expect(run('sdnotify', [`--${prefix}`, ...value, 'A=1'])).toEqual([prefix.startsWith('b') ? 1 : 0, '', '']);
  });
});

it.each(
  programs.flatMap((program) => [program, ...program.verbs].map((command) => [program.name, command] as const)),
)('%s has no two options of one name', (_, command) => {
  const names = optionsOf(command).map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});
