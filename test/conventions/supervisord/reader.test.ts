import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createReport } from '../../../src/config/report.ts';
import { readSupervisordFiles } from '../../../src/conventions/supervisord/read-files.ts';
import {
  type Program,
  readEnvironmentOption,
  readPrograms,
} from '../../../src/conventions/supervisord/read-programs.ts';
import { splitShlex } from '../../../src/conventions/supervisord/words.ts';
import { configFiles } from '../../../src/runtime/linux/config-files.ts';

const corpus = join(import.meta.dirname, 'corpus');
const inFolder = (folder: string): readonly string[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => join(folder, name));
const paths = inFolder(corpus);
const refused = inFolder(join(corpus, 'refused'));
const environment = { HOME: '/root', AUTOSTART: 'off', PATH: '/usr/bin:/bin' };

/** What supervisor's own reader makes of the corpus, by the paths of its files. */
const real: Readonly<Record<string, unknown>> = JSON.parse(
  execFileSync('/usr/bin/python3', [join(import.meta.dirname, 'real.py'), ...paths, ...refused], {
    env: environment,
    encoding: 'utf8',
  }),
);

const users: Readonly<Record<string, number>> = { nobody: 65534 };

/** As real.py tells a program. */
function told(program: Program, shared: ReadonlyMap<string, string>) {
  const { section: _section, command, user, directory, umask, environment: own, ...rest } = program;
  const split = splitShlex(command);
  return {
    ...rest,
    words: split.ok ? split.words : split.message,
    uid: user === undefined ? null : (users[user] ?? user),
    directory: directory ?? null,
    umask: umask ?? null,
    environment: Object.fromEntries([...shared, ...own]),
  };
}

function readHere(path: string) {
  const report = createReport();
  const variables = new Map(Object.entries(environment).map(([name, value]) => [`ENV_${name}`, value]));
  const { sections } = readSupervisordFiles([path], new Map([...variables, ['here', corpus]]), {
    report,
    attempt: (_, ask) => ask(configFiles),
  });
  const context = { report, here: corpus, hostname: 'host', variables, textVariables: variables };
  const main = sections.find(({ name }) => name === 'supervisord');
  const shared = main === undefined ? new Map<string, string>() : readEnvironmentOption(main, context);
  const all = new Map([...variables, ...[...shared].map(([name, value]) => [`ENV_${name}`, value] as const)]);
  const programs = readPrograms(sections, { ...context, variables: all, textVariables: all });
  return { programs: programs.map((program) => told(program, shared)), mistakes: report.finish([]) };
}

describe("the reader of supervisord's files", () => {
  it.each(paths.map((path) => path.slice(corpus.length + 1)))('reads %s as supervisord does', (name) => {
    const path = join(corpus, name);
    const { programs, mistakes } = readHere(path);
    expect(mistakes.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(real[path]).toBeInstanceOf(Array);
    expect(programs).toEqual(real[path]);
  });

  it.each(refused.map((path) => path.slice(corpus.length + 1)))('refuses %s, as supervisord does', (name) => {
    const path = join(corpus, name);
    expect(real[path]).toBeTypeOf('string');
    const errors = readHere(path).mistakes.filter(({ severity }) => severity === 'error');
    expect(errors).not.toEqual([]);
    for (const { position } of errors) expect(position).toMatchObject({ file: path });
  });

  it('has a corpus in which each option of a program stands', () => {
    const text = paths.map((path) => readFileSync(path, 'utf8')).join('\n');
    const wanted = [
      'numprocs_start',
      'stdout_syslog',
      'stopasgroup',
      'exitcodes',
      'process_name',
      'programs',
      '[include]',
    ];
    expect(wanted.filter((word) => !text.includes(word))).toEqual([]);
  });
});
